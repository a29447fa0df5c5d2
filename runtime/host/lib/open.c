/* Opening and closing: the one place that wires the parts together.
 *
 *   settings --> lock --> loop, store, http, processes, jobs --> core --> bindings --> core started
 *
 * Everything above the ports is given what it needs here; nothing below knows of the rest. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/lib/lib.h"
#include "model/json.h"
#include "port/crypto.h"

const char *orr_version(void) { return ORR_VERSION; }

int orr_abi(int wanted, orr_error *reterr) {
  if (wanted <= ORR_ABI) return 0;
  return orr__error_set(reterr, ORR_E_NEWER, "the program was built for version %d of the interface, liborrery %s has %d: it is older than its header", wanted, ORR_VERSION, ORR_ABI);
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

static void wake(void *arg) { orr__loop_wake(((orr_runtime *)arg)->waker); }
static void woken(void *arg) { orr__core_store_woken(((orr_runtime *)arg)->core); }

orr__store_config orr__store_config_of(orr_runtime *rt) { return (orr__store_config){ .wake = wake, .wake_arg = rt }; }

static int open_store(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  orr__store_config config = orr__store_config_of(rt);
  if (rt->store) return 0; /* one that was cut */
  if (strcmp(orr__setting(settings, ORR_S_STORE), "memory") == 0) return orr__store_open_memory(&config, &rt->store, reterr);
  const char *key_file = orr__setting(settings, ORR_S_KEY);
  char *path = orr__strf("%s/orrery.db", rt->data_dir);
  char *key = *key_file ? orr__strdup(key_file) : orr__strf("%s/secret.key", rt->data_dir);
  int code = path && key ? orr__keyring_open(key, !*key_file, &rt->keyring, reterr)
                         : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  config.path = path;
  config.codec = orr__keys_codec(rt->keyring);
  if (!code) code = orr__store_open_sqlite(&config, &rt->store, reterr);
  if (!code) orr__tell_old_keys(rt);
  free(path);
  free(key);
  return code;
}

void orr__job_ended(void *runtime, const char *key, const char *name) {
  orr_runtime *rt = runtime;
  if (rt->core) orr__core_job_ended(rt->core, key, name);
}

static int open_records(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  const char *mode = orr__setting(settings, ORR_S_RECORD);
  char *dir = orr__strf("%s/recordings", rt->data_dir);
  if (!dir) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int code = orr__records_new(dir, orr__streq(mode, "all") ? ORR_RECORD_ALL : orr__streq(mode, "failures") ? ORR_RECORD_FAILURES : ORR_RECORD_OFF,
                              (size_t)strtoull(orr__setting(settings, ORR_S_RECORD_LIMIT), NULL, 10), &rt->records, reterr);
  free(dir);
  return code;
}

static int open_ports(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  const char *seed = orr__setting(settings, ORR_S_SEED);
  bool is_virtual = strcmp(orr__setting(settings, ORR_S_CLOCK), "virtual") == 0;
  if (*seed)
    orr__random_seeded(&rt->random, strtoull(seed, NULL, 10));
  else
    orr__random_system(&rt->random);
  char *runner = *orr__setting(settings, ORR_S_RUNNER) ? orr__strdup(orr__setting(settings, ORR_S_RUNNER))
                                              : orr__find_own("orrery-runner", "libexec/orrery", ORR_RUNNER_PATH);
  char *jobs = rt->data_dir ? orr__strf("%s/jobs", rt->data_dir) : NULL;
  int code = is_virtual && settings->clock ? orr__error_set(reterr, ORR_E_INVALID, "a clock of the host's (orr_settings_clock) needs the setting clock=real") : 0;
  if (!code)
    code = is_virtual ? orr__loop_new_virtual(rt->virtual_start_ms, &rt->loop, reterr) : orr__loop_new(settings->clock, settings->clock_arg, &rt->loop, reterr);
  if (!code) code = orr__guard_watch(rt);
  if (!code) code = orr__hostcalls_new(rt->loop, &(orr__hostcall_sink){ rt, orr__on_called, orr__on_ended }, &rt->calls, reterr);
  if (!code) code = orr__waker_new(rt->loop, woken, rt, &rt->waker);
  if (!code) code = open_store(rt, settings, reterr);
  if (!code) code = orr__http_new(rt->loop, 0, &rt->http, reterr);
  if (!code) code = orr__processes_new(rt->loop, runner, &rt->processes, reterr);
  if (!code) code = orr__jobs_new(rt->loop, jobs, runner, orr__job_ended, rt, &rt->jobs, reterr);
  if (!code && rt->data_dir) code = open_records(rt, settings, reterr);
  free(jobs);
  rt->runner = runner;
  return code;
}

/* No more than what can be reckoned with, whatever is asked for. */
static int64_t limit_of(const orr_settings *settings, int key) {
  const unsigned long long most = 100000000;
  unsigned long long number = strtoull(orr__setting(settings, key), NULL, 10);
  return (int64_t)(number < most ? number : most);
}

static int open_core(orr_runtime *rt, const orr_settings *settings, orr_error *reterr) {
  orr__core_config config = { .loop = rt->loop,
                              .store = rt->store,
                              .jobs = rt->jobs,
                              .records = rt->records,
                              .random = &rt->random,
                              .zoneinfo = orr__setting(settings, ORR_S_ZONEINFO),
                              .data_dir = rt->data_dir,
                              .history_events = limit_of(settings, ORR_S_HISTORY_EVENTS),
                              .history_days = limit_of(settings, ORR_S_HISTORY_DAYS),
                              .history_results = limit_of(settings, ORR_S_HISTORY_RESULTS),
                              .max_running = limit_of(settings, ORR_S_MAX_RUNNING),
                              .keyring = rt->keyring,
                              .role =
                                  strcmp(orr__setting(settings, ORR_S_ROLE), "serve") == 0 ? ORR_ROLE_SERVE : ORR_ROLE_COMMAND,
                              .sink = { .self = rt, .reply = orr__on_reply, .update = orr__on_update, .log = orr__on_log },
                              .facts = put_facts };
  int code = orr__core_new(&config, &rt->core, reterr);
  if (code) return code;
  const char *dirs[ORR_PROVIDER_DIRS_MAX + 3];
  size_t count = 0;
  for (size_t i = 0; i < settings->provider_count; i++) dirs[count++] = settings->providers[i];
  char *own = rt->data_dir ? orr__strf("%s/providers", rt->data_dir) : NULL;
  char *shipped = strcmp(orr__setting(settings, ORR_S_SHIPPED), "true") == 0
                      ? orr__find_own("providers", "share/orrery", ORR_PROVIDERS_PATH)
                      : NULL;
  if (own) dirs[count++] = own;
  if (shipped) dirs[count++] = shipped;
  dirs[count] = NULL;
  orr__bindings_config bindings = { .loop = rt->loop,
                                    .http = rt->http,
                                    .processes = rt->processes,
                                    .jobs = rt->jobs,
                                    .records = rt->records,
                                    .calls = rt->calls,
                                    .random = &rt->random,
                                    .dirs = dirs,
                                    .host = *orr__core_host(rt->core),
                                    .allocate = settings->allocate,
                                    .allocate_arg = settings->allocate_arg,
                                    .settle_ms = limit_of(settings, ORR_S_RELOAD_SETTLE),
                                    .trusted_dir = shipped,
                                    .asks_trust = strcmp(orr__setting(settings, ORR_S_TRUST), "ask") == 0,
                                    .memory_limit = strtoull(orr__setting(settings, ORR_S_MEMORY), NULL, 10) };
  code = orr__bindings_open(&bindings, &rt->bindings, reterr);
  free(own);
  free(shipped);
  if (code) return code;
  rt->native = orr__native_new(rt, orr__core_host(rt->core), orr__bindings_ops(rt->bindings));
  if (!rt->native) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  orr__core_use(rt->core, orr__native_ops(rt->native));
  return orr__core_start(rt->core, reterr);
}

/* Also what was opened in part only. */
static void take_apart(orr_runtime *rt) {
  if (rt->core) orr__core_drain(rt->core);
  orr__native_close(rt->native);     /* both answer what is in flight */
  orr__bindings_close(rt->bindings);
  if (rt->core) orr__core_close(rt->core);
  if (rt->store) orr__store_close(rt->store);
  orr__core_free(rt->core);
  rt->core = NULL;
  orr__native_free(rt->native);
  orr__hostcalls_free(rt->calls);
  orr__http_free(rt->http);
  orr__processes_free(rt->processes);
  orr__jobs_free(rt->jobs);
  orr__records_free(rt->records);
  orr__kept_jobs_free(rt);
  orr__json_free(rt->programs);
  if (rt->waker) orr__waker_free(rt->waker);
  orr__guard_unwatch(rt);
  orr__fds_close(rt);
  orr__loop_free(rt->loop);
  for (orr_event *event; (event = orr__take_event(rt));) orr_event_free(event);
  orr__keyring_free(rt->keyring);
  if (rt->lock_fd >= 0) close(rt->lock_fd);
  free(rt->data_dir);
  free(rt->runner);
}

orr_runtime *orr__runtime_new(void) {
  orr_runtime *rt = calloc(1, sizeof *rt);
  if (!rt) return NULL;
  rt->lock_fd = -1;
  orr__fds_init(&rt->fds);
  rt->virtual_start_ms = INT64_C(1767225600000);
  if (orr__guard_open(rt) == 0) return rt;
  free(rt);
  return NULL;
}

int orr_open(const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr) {
  if (!settings || !ret_runtime) return orr__error_set(reterr, ORR_E_MISUSE, "orr_open needs settings and where to put the runtime");
  bool needs_dir = strcmp(orr__setting(settings, ORR_S_STORE), "sqlite") == 0;
  if (needs_dir && !*orr__setting(settings, ORR_S_DATA_DIR)) return orr__error_set(reterr, ORR_E_INVALID, "the setting data_dir is required");
  orr_runtime *rt = orr__runtime_new();
  if (!rt) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return orr__runtime_open(rt, settings, ret_runtime, reterr);
}

int orr__runtime_open(orr_runtime *rt, const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr) {
  const char *data_dir = orr__setting(settings, ORR_S_DATA_DIR);
  orr_error err = ORR_ERROR_INIT;
  int code = orr__crypto_init(&err);
  rt->close_grace_ms = limit_of(settings, ORR_S_CLOSE_GRACE);
  if (!code && *data_dir) {
    code = orr__make_folder(data_dir, &err);
    if (!code && !(rt->data_dir = realpath(data_dir, NULL)))
      code = orr__error_errno(&err, ORR_E_IO, errno, "data directory %s", data_dir);
    if (!code) code = orr__take_lock(rt->data_dir, &rt->lock_fd, &err);
  }
  if (!code) code = open_ports(rt, settings, &err);
  if (!code) code = open_core(rt, settings, &err);
  if (code) {
    take_apart(rt);
    orr__guard_unref(rt);
    if (!err.code) orr__error_set(&err, code, "%s", orr__code_word(code));
    return orr__error_move(reterr, &err);
  }
  *ret_runtime = rt;
  return 0;
}

void orr_drain(orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return;
  orr__core_drain(runtime->core);
  orr__bindings_drain(runtime->bindings);
  orr__leave(runtime);
}

int orr_is_idle(const orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return 1;
  int is_idle = orr__core_is_idle(runtime->core) && orr__bindings_is_idle(runtime->bindings);
  orr__leave(runtime);
  return is_idle;
}

int orr_is_acting(const orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return 0;
  int is_acting = orr__core_is_acting(runtime->core);
  orr__leave(runtime);
  return is_acting;
}

int orr_failed(const orr_runtime *runtime) {
  int code = orr__enter(runtime, NULL);
  if (code) return code;
  code = orr__store_failed(runtime->store);
  orr__leave(runtime);
  return code;
}

void orr_close(orr_runtime *runtime) {
  if (orr__run_end(runtime)) return;
  int64_t grace_ms = runtime->close_grace_ms;
  orr__leave(runtime);
  if (grace_ms > 0) orr__run_out(runtime, grace_ms);
  if (orr__run_end(runtime)) return; /* a host may have begun again meanwhile */
  take_apart(runtime);
  runtime->guard.is_closed = true;
  orr__guard_tell(runtime);
  orr__leave(runtime);
  orr__guard_unref(runtime);
}
