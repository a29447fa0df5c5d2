/* liborrery: the functions of orrery.h, and the one place that wires the parts together.
 *
 *   settings --> lock --> loop, store, http, processes, jobs --> core --> bindings --> core started
 *
 * Everything above the ports is given what it needs here; nothing below knows of the rest. Replies, updates and log lines
 * become events in one queue that the host pulls. */
#include "orrery.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "bindings.h"
#include "core/core.h"
#include "model/json.h"
#include "port/crypto.h"
#include "port/http.h"
#include "port/job.h"
#include "port/keyring.h"
#include "port/loop.h"
#include "port/process.h"
#include "store/store.h"

#define EVENTS_MAX 100000 /* log lines beyond it are dropped; replies never are */
#define PROVIDER_DIRS_MAX 64

const char *orr_version(void) { return ORR_VERSION; }

/* ---- errors ------------------------------------------------------------------------------------------------- */

orr_error *orr_error_new(void) { return calloc(1, sizeof(orr_error)); }

void orr_error_free(orr_error *error) {
  orr__error_clear(error);
  free(error);
}

int orr_error_code(const orr_error *error) { return error->code; }
const char *orr_error_word(const orr_error *error) { return orr__code_word(error->code); }
const char *orr_error_message(const orr_error *error) { return orr__error_message(error); }
int orr_error_exit(const orr_error *error) { return orr__code_exit(error->code); }
int orr_error_retryable(const orr_error *error) { return error->retryable; }
const char *orr_error_field(const orr_error *error, size_t i) {
  return i < error->field_count ? error->fields[i].field : NULL;
}
const char *orr_error_field_message(const orr_error *error, size_t i) {
  return i < error->field_count ? error->fields[i].message : NULL;
}

/* ---- settings ----------------------------------------------------------------------------------------------- */

enum { S_DATA_DIR, S_STORE, S_PROVIDERS, S_SHIPPED, S_ROLE, S_RUNNER, S_CLOCK, S_SEED, S_ZONEINFO, S_MEMORY, S_MAX_RUNNING, S_KEY, S_HISTORY_EVENTS, S_HISTORY_DAYS, S_HISTORY_RESULTS, S_COUNT };

static const struct {
  const char *key, *type, *standard, *doc;
} settings_table[S_COUNT] = {
  [S_DATA_DIR] = { "data_dir", "path", "", "the data directory; required unless store=memory" },
  [S_STORE] = { "store", "sqlite|memory", "sqlite", "where things are kept; memory forgets when it closes" },
  [S_PROVIDERS] = { "providers", "path", "",
                    "a folder of providers, NAME.lua or NAME/init.lua; may be given several times" },
  [S_SHIPPED] = { "shipped_providers", "flag", "true",
                  "also look where the providers that come with Orrery are installed" },
  [S_ROLE] = { "role", "serve|command", "serve",
               "serve fires schedules and refreshes everything; command only what it is asked about" },
  [S_RUNNER] = { "runner_path", "path", "", "the job runner; else beside the library, then where it was installed" },
  [S_CLOCK] = { "clock", "real|virtual", "real", "virtual: time moves only by orr_advance, for tests" },
  [S_SEED] = { "seed", "number", "", "makes ids and chance repeatable, for tests" },
  [S_ZONEINFO] = { "zoneinfo", "path", "/usr/share/zoneinfo", "the time zone database" },
  [S_KEY] = { "key_file", "path", "", "the keys that seal secrets; else secret.key in the data directory" },
  [S_MEMORY] = { "memory_limit", "number", "67108864", "bytes of memory for each provider's Lua state" },
  [S_HISTORY_EVENTS] = { "history_events", "number", "100000", "events kept, older ones are removed; 0 is no limit" },
  [S_HISTORY_DAYS] = { "history_days", "number", "90", "days for which events, the journal of Backups, and failed results that left nothing outside are kept; 0 is no limit" },
  [S_HISTORY_RESULTS] = { "history_results", "number", "1000", "failed results that left nothing outside kept of each Backup; 0 is no limit" },
  [S_MAX_RUNNING] = { "max_running", "number", "0", "results that may run at a time, others wait; 0 is no limit" },
};

struct orr_settings {
  char *values[S_COUNT];
  char *providers[PROVIDER_DIRS_MAX];
  size_t provider_count;
};

orr_settings *orr_settings_new(void) { return calloc(1, sizeof(orr_settings)); }

void orr_settings_free(orr_settings *settings) {
  if (!settings) return;
  for (size_t i = 0; i < S_COUNT; i++) free(settings->values[i]);
  for (size_t i = 0; i < settings->provider_count; i++) free(settings->providers[i]);
  free(settings);
}

const char *orr_settings_key(size_t i) { return i < S_COUNT ? settings_table[i].key : NULL; }
const char *orr_settings_type(size_t i) { return i < S_COUNT ? settings_table[i].type : NULL; }
const char *orr_settings_default(size_t i) { return i < S_COUNT ? settings_table[i].standard : NULL; }
const char *orr_settings_doc(size_t i) { return i < S_COUNT ? settings_table[i].doc : NULL; }

static const char *key_at(void *arg, size_t i) {
  (void)arg;
  return orr_settings_key(i);
}

static bool fits(const char *type, const char *value) {
  if (strcmp(type, "path") == 0) return *value != '\0';
  if (strcmp(type, "flag") == 0) return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
  if (strcmp(type, "number") == 0) return *value && strspn(value, "0123456789") == strlen(value);
  size_t len = strlen(value);
  for (const char *word = type; *word; word += strcspn(word, "|"), word += *word == '|')
    if (len == strcspn(word, "|") && strncmp(word, value, len) == 0) return true;
  return false;
}

int orr_settings_set(orr_settings *settings, const char *key, const char *value, orr_error *reterr) {
  size_t i = 0;
  while (i < S_COUNT && strcmp(settings_table[i].key, key)) i++;
  if (i == S_COUNT) {
    const char *nearest = orr__nearest(key, key_at, NULL);
    return nearest ? orr__error_set(reterr, ORR_E_INVALID, "no setting '%s'; did you mean '%s'?", key, nearest)
                   : orr__error_set(reterr, ORR_E_INVALID, "no setting '%s'", key);
  }
  if (!value || !fits(settings_table[i].type, value))
    return orr__error_set(reterr, ORR_E_INVALID, "setting %s: '%s' is no %s", key, value ? value : "",
                          settings_table[i].type);
  char *copy = orr__strdup(value);
  if (!copy) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (i == S_PROVIDERS) {
    if (settings->provider_count == PROVIDER_DIRS_MAX) {
      free(copy);
      return orr__error_set(reterr, ORR_E_LIMIT, "at most %d folders of providers", PROVIDER_DIRS_MAX);
    }
    settings->providers[settings->provider_count++] = copy;
    return 0;
  }
  free(settings->values[i]);
  settings->values[i] = copy;
  return 0;
}

static const char *setting(const orr_settings *settings, int i) {
  return settings->values[i] ? settings->values[i] : settings_table[i].standard;
}

/* ---- the runtime -------------------------------------------------------------------------------------------- */

struct orr_event {
  struct orr_event *next;
  int kind, code;
  uint64_t request;
  char *json;
  orr_error error;
};

struct orr_runtime {
  int lock_fd;
  char *data_dir;
  orr__loop *loop;
  orr__waker *waker;
  orr__store *store;
  orr__http *http;
  orr__processes *processes;
  orr__jobs *jobs;
  orr__core *core;
  orr__bindings *bindings;
  orr__random random;
  char *runner;
  orr__keyring *keyring;
  orr_event *first, *last;
  size_t event_count, lines_dropped;
};

static void push_event(orr_runtime *rt, int kind, uint64_t request, int code, char *json, const orr_error *err) {
  orr_event *event = calloc(1, sizeof *event);
  if (!event) {
    free(json);
    return;
  }
  event->kind = kind;
  event->request = request;
  event->code = code;
  event->json = json;
  if (err) orr__error_copy(&event->error, err);
  if (rt->last)
    rt->last->next = event;
  else
    rt->first = event;
  rt->last = event;
  rt->event_count++;
}

static void on_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err) {
  push_event(self, ORR_EVENT_REPLY, request, code, orr__strdup(json), err);
}

static void on_update(void *self, uint64_t request, const char *json) {
  push_event(self, ORR_EVENT_UPDATE, request, 0, orr__strdup(json), NULL);
}

static void on_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message) {
  static const char *const words[] = { "debug", "info", "warning", "error" };
  orr_runtime *rt = self;
  if (rt->event_count >= EVENTS_MAX) {
    rt->lines_dropped++;
    return;
  }
  if (rt->lines_dropped > 0) {
    char text[96];
    snprintf(text, sizeof text, "%zu lines of the log were dropped: nobody pulled them", rt->lines_dropped);
    rt->lines_dropped = 0;
    on_log(rt, ORR_LOG_WARNING, NULL, text);
  }
  orr__json *map = orr__json_map();
  if (!map) return;
  orr__json_put_str(map, "level", words[level]);
  orr__json_put_str(map, "message", message);
  if (about) {
    orr__json_put_str(map, "provider", about->provider);
    if (about->backup) orr__json_put_str(map, "backup", about->backup);
    if (about->result) orr__json_put_int(map, "result", about->result);
    if (about->hook) orr__json_put_str(map, "hook", about->hook);
  }
  push_event(rt, ORR_EVENT_LOG, 0, 0, orr__json_print(map), NULL);
  orr__json_free(map);
}

/* ---- finding our own files ---------------------------------------------------------------------------------- */

/* The folder of the library or program this code is in. Owned. */
static char *own_folder(void) {
  Dl_info info;
  char path[PATH_MAX];
  ssize_t len;
  void *here = (void *)(uintptr_t)orr_version;
  if (dladdr(here, &info) && info.dli_fname && *info.dli_fname == '/') {
    if (!realpath(info.dli_fname, path)) return NULL;
  } else {
    if ((len = readlink("/proc/self/exe", path, sizeof path - 1)) < 0) return NULL;
    path[len] = '\0';
  }
  char *slash = strrchr(path, '/');
  if (slash) *slash = '\0';
  return orr__strdup(path);
}

/* The first that exists of: beside us, up to two folders above under `inside`, where it was installed. Owned. */
static char *find_own(const char *name, const char *inside, const char *installed) {
  char *folder = own_folder();
  static const char *const ups[] = { "..", "../.." };
  char *path = folder ? orr__strf("%s/%s", folder, name) : NULL;
  for (size_t i = 0; folder && path && access(path, F_OK) && i < 2; i++) {
    free(path);
    path = orr__strf("%s/%s/%s/%s", folder, ups[i], inside, name);
  }
  if (!path || access(path, F_OK)) {
    free(path);
    path = orr__strdup(installed);
  }
  free(folder);
  return path;
}

/* What `runtime.facts` tells of the parts that the core does not know. */
static void put_facts(void *self, orr__json *out) {
  const orr_runtime *rt = self;
  orr__http_library http = orr__http_library_facts();
  orr__json *libraries = orr__json_map();
  if (libraries) {
    orr__json_put_str(libraries, "SQLite", orr__store_library());
    orr__json_put_str(libraries, "libcurl", http.curl);
    orr__json_put_str(libraries, "TLS", http.tls);
    orr__json_put_str(libraries, "LuaJIT", orr__bindings_library());
    orr__json_put_str(libraries, "libuv", orr__loop_library());
    orr__json_put_str(libraries, "libsodium", orr__crypto_library());
    orr__json_put(out, "libraries", libraries);
  }
  orr__json_put_str(out, "caBundle", http.ca_bundle);
  orr__json_put_str(out, "runner", rt->runner);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static int make_folder(const char *path, orr_error *reterr) {
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = '\0';
    if (mkdir(copy, 0700) && errno != EEXIST)
      return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be made", path);
  }
  if (mkdir(copy, 0700) && errno != EEXIST)
    return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be made", path);
  return 0;
}

static int take_lock(const char *data_dir, int *ret_fd, orr_error *reterr) {
  char *path = orr__strf("%s/lock", data_dir);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), code = 0;
  free(path);
  if (fd < 0) return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be written", data_dir);
  if (flock(fd, LOCK_EX | LOCK_NB)) {
    code = errno == EWOULDBLOCK
               ? orr__error_set(reterr, ORR_E_LOCKED, "another process holds the data directory %s", data_dir)
               : orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be locked", data_dir);
    close(fd);
    return code;
  }
  *ret_fd = fd;
  return 0;
}

/* The codec over the ring of keys. */
static int seal(void *ring, const char *context, const char *text, char **ret) {
  return orr__keyring_seal(ring, context, text, ret);
}
static int unseal(void *ring, const char *context, const char *sealed, char **ret, orr_error *reterr) {
  return orr__keyring_unseal(ring, context, sealed, ret, reterr);
}
static int knows(void *ring, const char *context, const char *sealed, orr_error *reterr) {
  return orr__keyring_knows(ring, context, sealed, reterr);
}
static size_t count_keys(void *ring) { return orr__keyring_count(ring); }
static bool is_newest(void *ring, const char *sealed) { return orr__keyring_is_newest(ring, sealed); }
static int renew(void *ring, orr_error *reterr) { return orr__keyring_renew(ring, reterr); }
static int settle(void *ring, orr_error *reterr) { return orr__keyring_settle(ring, reterr); }

/* An old key that could not be dropped: the file is not ours to write. */
static void tell_old_keys(orr_runtime *rt) {
  if (orr__keyring_count(rt->keyring) < 2) return;
  orr__key_info keys[ORR_KEYRING_MAX];
  orr__keyring_list(rt->keyring, keys);
  char *line = orr__strf("everything is sealed with key %s: remove every line but the first from %s", keys[0].id,
                         orr__keyring_path(rt->keyring));
  if (line) on_log(rt, ORR_LOG_WARNING, NULL, line);
  free(line);
}

static void wake(void *arg) { orr__loop_wake(((orr_runtime *)arg)->waker); }
static void woken(void *arg) { orr__core_store_woken(((orr_runtime *)arg)->core); }

static int open_store(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  orr__store_config config = { .wake = wake, .wake_arg = rt };
  if (strcmp(setting(settings, S_STORE), "memory") == 0) return orr__store_open_memory(&config, &rt->store, reterr);
  const char *key_file = setting(settings, S_KEY);
  char *path = orr__strf("%s/orrery.db", rt->data_dir);
  char *key = *key_file ? orr__strdup(key_file) : orr__strf("%s/secret.key", rt->data_dir);
  int code = path && key ? orr__keyring_open(key, !*key_file, &rt->keyring, reterr)
                         : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  config.path = path;
  config.codec = (orr__store_codec){ rt->keyring, seal, unseal, knows, count_keys, is_newest, renew, settle };
  if (!code) code = orr__store_open_sqlite(&config, &rt->store, reterr);
  if (!code) tell_old_keys(rt);
  free(path);
  free(key);
  return code;
}

static void on_job_ended(void *arg, const char *key, const char *name) {
  orr_runtime *rt = arg;
  if (rt->core) orr__core_job_ended(rt->core, key, name);
}

static int open_ports(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  const char *seed = setting(settings, S_SEED);
  bool is_virtual = strcmp(setting(settings, S_CLOCK), "virtual") == 0;
  if (*seed)
    orr__random_seeded(&rt->random, strtoull(seed, NULL, 10));
  else
    orr__random_system(&rt->random);
  char *runner = *setting(settings, S_RUNNER) ? orr__strdup(setting(settings, S_RUNNER))
                                              : find_own("orrery-runner", "libexec/orrery", ORR_RUNNER_PATH);
  char *jobs = rt->data_dir ? orr__strf("%s/jobs", rt->data_dir) : NULL;
  int code =
      is_virtual ? orr__loop_new_virtual(INT64_C(1767225600000), &rt->loop, reterr) : orr__loop_new(&rt->loop, reterr);
  if (!code) code = orr__waker_new(rt->loop, woken, rt, &rt->waker);
  if (!code) code = open_store(rt, settings, reterr);
  if (!code) code = orr__http_new(rt->loop, 0, &rt->http, reterr);
  if (!code) code = orr__processes_new(rt->loop, runner, &rt->processes, reterr);
  if (!code && jobs) code = orr__jobs_new(rt->loop, jobs, runner, on_job_ended, rt, &rt->jobs, reterr);
  free(jobs);
  rt->runner = runner;
  return code;
}

/* No more than what can be reckoned with, whatever is asked for. */
static int64_t limit_of(const orr_settings *settings, int key) {
  const unsigned long long most = 100000000;
  unsigned long long number = strtoull(setting(settings, key), NULL, 10);
  return (int64_t)(number < most ? number : most);
}

static int open_core(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  orr__core_config config = { .loop = rt->loop,
                              .store = rt->store,
                              .jobs = rt->jobs,
                              .random = &rt->random,
                              .zoneinfo = setting(settings, S_ZONEINFO),
                              .data_dir = rt->data_dir,
                              .history_events = limit_of(settings, S_HISTORY_EVENTS),
                              .history_days = limit_of(settings, S_HISTORY_DAYS),
                              .history_results = limit_of(settings, S_HISTORY_RESULTS),
                              .max_running = (int64_t)strtoull(setting(settings, S_MAX_RUNNING), NULL, 10),
                              .keyring = rt->keyring,
                              .role =
                                  strcmp(setting(settings, S_ROLE), "serve") == 0 ? ORR_ROLE_SERVE : ORR_ROLE_COMMAND,
                              .sink = { .self = rt, .reply = on_reply, .update = on_update, .log = on_log },
                              .facts = put_facts };
  int code = orr__core_new(&config, &rt->core, reterr);
  if (code) return code;
  const char *dirs[PROVIDER_DIRS_MAX + 3];
  size_t count = 0;
  for (size_t i = 0; i < settings->provider_count; i++) dirs[count++] = settings->providers[i];
  char *own = rt->data_dir ? orr__strf("%s/providers", rt->data_dir) : NULL;
  char *shipped = strcmp(setting(settings, S_SHIPPED), "true") == 0
                      ? find_own("providers", "share/orrery", ORR_PROVIDERS_PATH)
                      : NULL;
  if (own) dirs[count++] = own;
  if (shipped) dirs[count++] = shipped;
  dirs[count] = NULL;
  orr__bindings_config bindings = { .loop = rt->loop,
                                    .http = rt->http,
                                    .processes = rt->processes,
                                    .jobs = rt->jobs,
                                    .random = &rt->random,
                                    .dirs = dirs,
                                    .host = *orr__core_host(rt->core),
                                    .memory_limit = strtoull(setting(settings, S_MEMORY), NULL, 10) };
  code = orr__bindings_open(&bindings, &rt->bindings, reterr);
  free(own);
  free(shipped);
  if (code) return code;
  orr__core_use(rt->core, orr__bindings_ops(rt->bindings));
  return orr__core_start(rt->core, reterr);
}

int orr_open(const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr) {
  const char *data_dir = setting(settings, S_DATA_DIR);
  bool needs_dir = strcmp(setting(settings, S_STORE), "sqlite") == 0;
  if (needs_dir && !*data_dir) return orr__error_set(reterr, ORR_E_INVALID, "the setting data_dir is required");
  orr_runtime *rt = calloc(1, sizeof *rt);
  if (!rt) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  orr_error err = ORR_ERROR_INIT;
  rt->lock_fd = -1;
  int code = orr__crypto_init(&err);
  if (!code && *data_dir) {
    code = make_folder(data_dir, &err);
    if (!code && !(rt->data_dir = realpath(data_dir, NULL)))
      code = orr__error_errno(&err, ORR_E_IO, errno, "data directory %s", data_dir);
    if (!code) code = take_lock(rt->data_dir, &rt->lock_fd, &err);
  }
  if (!code) code = open_ports(rt, settings, &err);
  if (!code) code = open_core(rt, settings, &err);
  if (code) {
    orr_close(rt);
    if (!err.code) orr__error_set(&err, code, "%s", orr__code_word(code));
    return orr__error_move(reterr, &err);
  }
  *ret_runtime = rt;
  return 0;
}

void orr_drain(orr_runtime *runtime) {
  orr__core_drain(runtime->core);
  orr__bindings_drain(runtime->bindings);
}

int orr_is_idle(const orr_runtime *runtime) {
  return orr__core_is_idle(runtime->core) && orr__bindings_is_idle(runtime->bindings);
}

int orr_failed(const orr_runtime *runtime) { return orr__store_failed(runtime->store); }

void orr_close(orr_runtime *rt) {
  if (!rt) return;
  if (rt->core) orr__core_drain(rt->core);
  orr__bindings_close(rt->bindings); /* answers what is in flight */
  if (rt->core) orr__core_close(rt->core);
  if (rt->store) orr__store_close(rt->store);
  orr__core_free(rt->core);
  rt->core = NULL;
  orr__http_free(rt->http);
  orr__processes_free(rt->processes);
  orr__jobs_free(rt->jobs);
  if (rt->waker) orr__waker_free(rt->waker);
  orr__loop_free(rt->loop);
  for (orr_event *event; (event = orr_next(rt));) orr_event_free(event);
  orr__keyring_free(rt->keyring);
  if (rt->lock_fd >= 0) close(rt->lock_fd);
  free(rt->data_dir);
  free(rt->runner);
  free(rt);
}

/* ---- requests and events ------------------------------------------------------------------------------------ */

const char *orr_request_at(size_t i) { return orr__request_at(i) ? orr__request_at(i)->name : NULL; }

#define REQUEST_FACT(function, member)                       \
  const char *function(const char *name) {                   \
    const orr__request_info *info = orr__request_find(name); \
    return info ? info->member : NULL;                       \
  }
REQUEST_FACT(orr_request_args, args)
REQUEST_FACT(orr_request_reply, reply)
REQUEST_FACT(orr_request_doc, doc)
REQUEST_FACT(orr_request_kind, kind)

int orr_submit(orr_runtime *runtime, const char *request, const char *args, uint64_t *ret_request, orr_error *reterr) {
  if (!runtime || !request || !ret_request)
    return orr__error_set(reterr, ORR_E_MISUSE, "orr_submit needs a runtime, a request and where to put its id");
  return orr__core_submit(runtime->core, request, args, ret_request, reterr);
}

void orr_request_stop(orr_runtime *runtime, uint64_t request) { orr__core_stop_request(runtime->core, request); }

orr_event *orr_next(orr_runtime *runtime) {
  orr_event *event = runtime->first;
  if (!event) return NULL;
  runtime->first = event->next;
  if (!runtime->first) runtime->last = NULL;
  runtime->event_count--;
  event->next = NULL;
  return event;
}

void orr_event_free(orr_event *event) {
  if (!event) return;
  free(event->json);
  orr__error_clear(&event->error);
  free(event);
}

int orr_event_kind(const orr_event *event) { return event->kind; }
uint64_t orr_event_request(const orr_event *event) { return event->request; }
int orr_event_code(const orr_event *event) { return event->code; }
const char *orr_event_json(const orr_event *event) { return event->json ? event->json : "null"; }
const orr_error *orr_event_error(const orr_event *event) { return event->error.code ? &event->error : NULL; }

/* ---- turning the wheels ------------------------------------------------------------------------------------- */

int orr_step(orr_runtime *runtime, int64_t max_wait_ms) {
  bool ran = orr__loop_step(runtime->loop, runtime->first ? 0 : max_wait_ms);
  return ran || runtime->first != NULL;
}

int orr_fd(const orr_runtime *runtime) { return orr__loop_fd(runtime->loop); }
int64_t orr_timeout_ms(const orr_runtime *runtime) { return runtime->first ? 0 : orr__loop_timeout_ms(runtime->loop); }

int orr_provider_add(orr_runtime *runtime, const char *code, const char *source, size_t len, orr_error *reterr) {
  return orr__bindings_add_source(runtime->bindings, code, source, len, reterr);
}

int orr_advance(orr_runtime *runtime, int64_t ms, orr_error *reterr) {
  orr__loop *loop = runtime->loop;
  if (!orr__loop_is_virtual(loop))
    return orr__error_set(reterr, ORR_E_MISUSE, "time moves by itself: the setting clock is real");
  int64_t end = orr__loop_mono_ms(loop) + ms;
  for (;;) {
    int64_t left = end - orr__loop_mono_ms(loop);
    bool is_busy = orr__loop_in_flight(loop) > 0;
    if (orr__loop_step(loop, is_busy && left < 100 ? 100 : left)) continue;
    if (!is_busy && orr__loop_in_flight(loop) == 0) break; /* nothing is due before the end */
  }
  if (orr__loop_mono_ms(loop) < end) orr__loop_advance(loop, end - orr__loop_mono_ms(loop));
  while (orr__loop_step(loop, 0) || orr__loop_in_flight(loop) > 0) {
  }
  return 0;
}

int64_t orr_now(const orr_runtime *runtime) { return orr__loop_wall_ms(runtime->loop); }

/* ---- care --------------------------------------------------------------------------------------------------- */

int orr_db_check(const char *data_dir, char **ret_report, orr_error *reterr) {
  int fd = -1;
  char *path = orr__strf("%s/orrery.db", data_dir);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int code = access(path, F_OK) ? orr__error_set(reterr, ORR_E_NOT_FOUND, "there is no database in %s", data_dir)
                                : take_lock(data_dir, &fd, reterr);
  if (!code) code = orr__store_check(path, ret_report, reterr);
  if (fd >= 0) close(fd);
  free(path);
  return code;
}

void orr_text_free(char *text) { free(text); }
