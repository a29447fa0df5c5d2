/* Rewrites providers again and again, good and broken versions mixed, in every way there is, while Backups that they drive run: and asks
 * a ledger outside what has come of it.
 *
 *   orrery-reload [REWRITES [SEED]]
 *
 * No run is lost, none is started twice, none by a version that is broken, each by the very version that the journal says; and whatever is
 * written last and good is what runs in the end. How long a version takes from the end of its settle time to being live is measured and
 * told, not judged. Ends with `N passed, N failed`. */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "http_server.h"
#include "model/json.h"
#include "orrery.h"
#include "writer.h"

#define BACKUPS 16           /* every other one by the other provider */
#define SETTLE_MS 25
#define PATIENCE_MS 60000
#define VERSIONS_MAX 100000
#define RUNS_MAX 100000

/* ---- the ledger: another thread, as an external system -------------------------------------------------------- */

typedef struct entry {
  char uuid[37];
  int version, starts, polls;
} entry;

static struct {
  pthread_mutex_t lock;
  entry *entries;
  size_t count;
  int broken;                /* whatever a broken version asked for */
} ledger = { .lock = PTHREAD_MUTEX_INITIALIZER };

static entry *entry_of(const char *uuid) {
  for (size_t i = ledger.count; i-- > 0;)
    if (strcmp(ledger.entries[i].uuid, uuid) == 0) return &ledger.entries[i];
  if (ledger.count == RUNS_MAX) exit(1);
  entry *e = &ledger.entries[ledger.count++];
  snprintf(e->uuid, sizeof e->uuid, "%s", uuid);
  return e;
}

static enum http_after answer(http_call *call) {
  char what[16], uuid[40];
  int version = 0, polls = 0;
  if (sscanf(call->path, "/%15[a-z]?%d&%39s", what, &version, uuid) != 3) return HTTP_RESET;
  pthread_mutex_lock(&ledger.lock);
  if (strcmp(what, "broken") == 0) {
    ledger.broken++;
  } else {
    entry *e = entry_of(uuid);
    if (strcmp(what, "start") == 0) {
      e->starts++;
      e->version = version;
    } else {
      polls = ++e->polls;
    }
  }
  pthread_mutex_unlock(&ledger.lock);
  http_answer(call, 200, "", polls > 2 ? "done" : "not yet");
  return HTTP_KEEP;
}

/* ---- the runtime ---------------------------------------------------------------------------------------------- */

typedef struct slot {        /* of a provider */
  int version;               /* the last that was written */
  bool is_broken, is_waiting;
  int64_t written_ns, give_up_ms;
  int last_good, live;       /* written, seen live */
} slot;

static struct {
  orr_runtime *rt;
  writer writer;
  slot slots[PROVIDERS];
  int writing;               /* whose write is not over; -1 */
  char (*hashes)[65];        /* by version */
  bool *is_good;
  int versions;
  int64_t loaded_ns[PROVIDERS];
  double *late_ms;           /* from the end of settling to live */
  size_t late_count;
  uint64_t runs[BACKUPS];    /* requests that follow each Backup's run; 0: none */
  uint64_t accepts[BACKUPS];
  int accepted, ended, refused, torn;
  bool is_over;
  uint64_t request;          /* one that is waited for */
  orr__json *reply;
  bool has_reply;
} t;

static int passed, failed;

static void check(bool is_ok, const char *what, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void check(bool is_ok, const char *what, const char *format, ...) {
  char detail[512];
  va_list args;
  va_start(args, format);
  vsnprintf(detail, sizeof detail, format, args);
  va_end(args);
  printf("%s %s (%s)\n", is_ok ? "ok" : "not ok", what, detail);
  if (is_ok) passed++;
  else failed++;
}

static int64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static uint64_t submit(const char *request, const char *args) {
  uint64_t id = 0;
  orr_error *err = orr_error_new();
  if (orr_submit(t.rt, request, args, &id, err)) {
    fprintf(stderr, "%s %s: %s\n", request, args, orr_error_message(err));
    exit(1);
  }
  orr_error_free(err);
  return id;
}

static int provider_of(const char *code) {
  for (int i = 0; i < PROVIDERS; i++)
    if (code && strcmp(provider_codes[i], code) == 0) return i;
  return -1;
}

static void on_log(const orr__json *line) {
  const char *message = orr__json_str(line, "message");
  int p = provider_of(orr__json_str(line, "provider"));
  if (p < 0 || !message) return;
  slot *s = &t.slots[p];
  if (strcmp(message, "loaded") == 0) t.loaded_ns[p] = now_ns();
  if (!strstr(message, "refused")) return;
  bool is_ours = s->is_broken && !(t.writing == p);
  if (is_ours) {
    t.refused++;
    s->is_waiting = false;
  } else if (t.writer.slow_worst_ms >= SETTLE_MS / 2 || (t.writing == p && now_ns() / 1000000 - t.writer.slow_last_ms >= SETTLE_MS / 2)) {
    t.torn++;                /* we were held up in the midst of writing, for longer than it takes to settle */
  } else {
    check(false, "half a file is never an error", "version %d, %s: %s", s->version, writer_way(), message);
  }
}

static void on_event(const orr__json *event) {
  char code[16];
  int version;
  const char *message = orr__json_str(event, "message");
  if (!message || sscanf(message, "provider %15[a-z]: version %d (", code, &version) != 2) return;
  int p = provider_of(code);
  if (p < 0 || version >= t.versions) return;
  slot *s = &t.slots[p];
  if (!t.is_good[version]) check(false, "no broken version is live", "version %d", version);
  s->live = version;
  if (version != s->version) return;
  double late = (double)(t.loaded_ns[p] - s->written_ns) / 1e6 - SETTLE_MS;
  if (s->is_waiting && t.writing != p) t.late_ms[t.late_count++] = late > 0 ? late : 0;
  s->is_waiting = false;
}

static void run_again(int i) {
  char args[64];
  t.runs[i] = 0;
  if (t.is_over) return;
  snprintf(args, sizeof args, "{\"backup\":\"b%d\"}", i);
  t.accepts[i] = submit("backup.run", args);
}

static void on_reply(uint64_t request, int code, const char *json) {
  char args[64];
  orr__json *reply = orr__json_parse(json, strlen(json), NULL);
  if (request == t.request) {
    t.reply = reply;
    t.has_reply = true;
    return;
  }
  for (int i = 0; i < BACKUPS; i++) {
    if (t.accepts[i] == request) {
      t.accepts[i] = 0;
      if (code) check(false, "every run is accepted", "code %d", code);
      t.accepted += !code;
      snprintf(args, sizeof args, "{\"result\":\"%lld\"}", (long long)orr__json_int(reply, "id", 0));
      if (!code) t.runs[i] = submit("result.watch", args);
    } else if (t.runs[i] == request) {
      t.ended++;
      run_again(i);
    }
  }
  orr__json_free(reply);
}

static void turn(int wait_ms) {
  orr_step(t.rt, wait_ms);
  for (orr_event *e; (e = orr_next(t.rt)); orr_event_free(e)) {
    const char *json = orr_event_json(e);
    if (orr_event_kind(e) == ORR_EVENT_REPLY) {
      if (orr_event_code(e)) fprintf(stderr, "%s\n", orr_error_message(orr_event_error(e)));
      on_reply(orr_event_request(e), orr_event_code(e), json);
      continue;
    }
    orr__json *map = orr__json_parse(json, strlen(json), NULL);
    if (orr_event_kind(e) == ORR_EVENT_LOG) on_log(map);
    else on_event(map);
    orr__json_free(map);
  }
}

static orr__json *ask(const char *request, const char *args) {
  t.has_reply = false;
  t.request = submit(request, args);
  while (!t.has_reply) turn(100);
  t.request = 0;
  return t.reply;
}

/* ---- rewriting ------------------------------------------------------------------------------------------------ */

static void write_one(int p, bool is_broken) {
  slot *s = &t.slots[p];
  s->version = t.versions++;
  s->is_broken = is_broken;
  t.is_good[s->version] = !is_broken;
  if (!is_broken) s->last_good = s->version;
  writer_write(&t.writer, p, s->version, is_broken, t.hashes[s->version]);
  t.writing = writer_is_busy(&t.writer) ? p : -1;
  s->written_ns = now_ns();
  s->give_up_ms = s->written_ns / 1000000 + PATIENCE_MS;
  s->is_waiting = writer_chance(&t.writer, 4) > 0; /* else the next one comes at once, in the midst of settling */
}

static void rewrite(int count) {
  while (t.versions < count) {
    int p = (int)writer_chance(&t.writer, PROVIDERS);
    slot *s = &t.slots[p];
    if (t.writing >= 0) {
      writer_go_on(&t.writer);
      if (!writer_is_busy(&t.writer)) {
        t.slots[t.writing].written_ns = now_ns();
        t.writing = -1;
      }
    } else if (!s->is_waiting) {
      write_one(p, writer_chance(&t.writer, 3) == 0);
    } else if (now_ns() / 1000000 > s->give_up_ms) {
      check(false, "every version that is left alone is live or refused", "version %d of %s, %s, %s", s->version, provider_codes[p],
            s->is_broken ? "broken" : "good", writer_way());
      s->is_waiting = false;
    }
    turn(2);
  }
}

/* Good ones at the end, and every run to its end. */
static void finish(void) {
  for (int p = 0; p < PROVIDERS; p++) {
    while (t.writing >= 0) {
      writer_go_on(&t.writer);
      if (!writer_is_busy(&t.writer)) t.writing = -1;
      turn(1);
    }
    write_one(p, false);
    while (writer_is_busy(&t.writer)) {
      writer_go_on(&t.writer);
      turn(1);
    }
    t.writing = -1;
  }
  int64_t end = now_ns() / 1000000 + PATIENCE_MS;
  bool is_open = true;
  t.is_over = true;
  for (; is_open && now_ns() / 1000000 < end; turn(20)) {
    is_open = false;
    for (int p = 0; p < PROVIDERS; p++) is_open = is_open || t.slots[p].live != t.slots[p].last_good;
    for (int i = 0; i < BACKUPS; i++) is_open = is_open || t.runs[i] || t.accepts[i];
  }
}

/* ---- what has come of it --------------------------------------------------------------------------------------- */

static bool ran_by(const orr__json *result, int version) {
  char args[64];
  snprintf(args, sizeof args, "{\"result\":\"%lld\",\"journal\":true}", (long long)orr__json_int(result, "id", 0));
  orr__json *shown = ask("result.show", args);
  bool is_it = false;
  for (const orr__json *op = orr__json_first(orr__json_get(shown, "ops")); op; op = orr__json_next(op))
    if (orr__streq(orr__json_str(op, "hook"), "executeBackup")) is_it = orr__streq(orr__json_str(op, "providerSha256"), t.hashes[version]);
  orr__json_free(shown);
  return is_it;
}

static void look_at_results(void) {
  orr__json *list = ask("result.ls", "{\"limit\":100000}");
  size_t results = orr__json_count(list), lost = 0, doubled = 0, unfinished = 0, foreign = 0, wrong = 0;
  for (const orr__json *r = orr__json_first(list); r; r = orr__json_next(r)) {
    pthread_mutex_lock(&ledger.lock);
    entry e = *entry_of(orr__json_str(r, "uuid"));
    pthread_mutex_unlock(&ledger.lock);
    lost += e.starts == 0;
    doubled += e.starts > 1;
    bool is_good = orr__streq(orr__json_str(r, "status"), "SUCCEEDED");
    if (!is_good && unfinished++ < 3) printf("# %s: %s\n", orr__json_str(r, "status"), orr__json_str(r, "statusMessage"));
    bool is_known = e.version > 0 && e.version < t.versions && t.is_good[e.version];
    foreign += !is_known;
    wrong += is_known && !ran_by(r, e.version);
  }
  orr__json_free(list);
  check(results == (size_t)t.accepted && results == ledger.count, "the store, the ledger and we count the same runs", "%zu, %zu, %d", results,
        ledger.count, t.accepted);
  check(results > BACKUPS, "there was work all the time", "%zu runs", results);
  check(lost == 0, "no hook is lost", "%zu of %zu", lost, results);
  check(doubled == 0, "none is doubled", "%zu", doubled);
  check(unfinished == 0, "every run has ended well", "%zu have not", unfinished);
  check(ledger.broken == 0, "no broken version has run", "%d times", ledger.broken);
  check(foreign == 0, "each ran by a good version", "%zu did not", foreign);
  check(wrong == 0, "and by the one that the journal has", "%zu did not", wrong);
}

static void look_at_providers(void) {
  for (int p = 0; p < PROVIDERS; p++) {
    char args[64];
    snprintf(args, sizeof args, "{\"provider\":\"%s\"}", provider_codes[p]);
    orr__json *shown = ask("provider.show", args);
    const char *sha = orr__json_str(shown, "sha256");
    check(orr__streq(sha, t.hashes[t.slots[p].last_good]), "the last good version is live", "%s %d", provider_codes[p], t.slots[p].last_good);
    check(orr__json_int(shown, "oldVersions", -1) == 0 && orr__json_int(shown, "inFlight", -1) == 0, "the states of all others are freed", "%lld left, %lld bytes",
          (long long)orr__json_int(shown, "oldVersions", -1), (long long)orr__json_int(shown, "memoryInBytes", -1));
    orr__json_free(shown);
  }
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void tell_times(void) {
  qsort(t.late_ms, t.late_count, sizeof *t.late_ms, compare);
  if (t.late_count == 0) return;
  printf("# from the end of the settle time (%d ms) to live: median %.1f ms, 99th percentile %.1f ms, of %zu\n", SETTLE_MS,
         t.late_ms[t.late_count / 2], t.late_ms[t.late_count * 99 / 100], t.late_count);
  printf("# %d versions written, %d refused, %d seen while we were held up in the midst of writing\n", t.versions - 1, t.refused, t.torn);
}

/* ---- beginning and end ------------------------------------------------------------------------------------------ */

static void set(orr_settings *settings, const char *key, const char *value) {
  orr_error *err = orr_error_new();
  if (orr_settings_set(settings, key, value, err)) {
    fprintf(stderr, "%s\n", orr_error_message(err));
    exit(1);
  }
  orr_error_free(err);
}

static void open_all(const char *top) {
  char path[256];
  orr_settings *settings = orr_settings_new();
  orr_error *err = orr_error_new();
  snprintf(path, sizeof path, "%s/data", top);
  set(settings, "data_dir", path);
  set(settings, "providers", t.writer.folder);
  set(settings, "shipped_providers", "false");
  snprintf(path, sizeof path, "%d", SETTLE_MS);
  set(settings, "reload_settle_ms", path);
  if (orr_open(settings, &t.rt, err)) {
    fprintf(stderr, "%s\n", orr_error_message(err));
    exit(1);
  }
  orr_settings_free(settings);
  orr_error_free(err);
  submit("events", "{\"follow\":true}");
  for (int p = 0; p < PROVIDERS; p++) {
    write_one(p, false);
    while (writer_is_busy(&t.writer)) writer_go_on(&t.writer);
    t.writing = -1;
  }
  for (int i = 0; i < BACKUPS; i++) {
    snprintf(path, sizeof path, "{\"name\":\"b%d\",\"provider\":\"%s\"}", i, provider_codes[i % PROVIDERS]);
    orr__json_free(ask("backup.create", path));
    run_again(i);
  }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1000;
  char top[] = "/tmp/orr-test-reload-XXXXXX", folder[128], elsewhere[128];
  if (count < 1 || count > VERSIONS_MAX / 2 || !mkdtemp(top)) return 1;
  snprintf(folder, sizeof folder, "%s/providers", top);
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", top);
  if (mkdir(folder, 0755) || mkdir(elsewhere, 0755)) return 1;
  http_server *server = http_server_new(answer, NULL);
  t.writer = (writer){ .folder = folder, .port = http_server_port(server), .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1 };
  t.hashes = calloc(VERSIONS_MAX, sizeof *t.hashes);
  t.is_good = calloc(VERSIONS_MAX, sizeof *t.is_good);
  t.late_ms = calloc(VERSIONS_MAX, sizeof *t.late_ms);
  ledger.entries = calloc(RUNS_MAX, sizeof *ledger.entries);
  t.versions = 1;            /* 0 is none */
  t.writing = -1;
  open_all(top);
  rewrite(count + 1);
  finish();
  look_at_results();
  look_at_providers();
  tell_times();
  orr_drain(t.rt);
  orr_close(t.rt);
  http_server_free(server);
  free(t.hashes);
  free(t.is_good);
  free(t.late_ms);
  free(ledger.entries);
  nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
