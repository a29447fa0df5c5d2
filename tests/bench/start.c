/* The start with many stored results, all of them in progress, and the recovery of those whose runtime was killed.
 *
 * Limits: bare SQLite reading the rows into structs, and the ids and dates that are due alone. Ours: core, bindings and store opened
 * as the library opens them; live is when every result is in the wheel, and a first hook has run when it says so. Each measurement is a
 * process of its own, which ends without closing anything: what the store's thread wakes (parts) must outlive the function. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bindings.h"
#include "child.h"
#include "core/internal.h"
#include "rig.h"

static const char provider_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1', refreshInterval = 3600 }\n"
    "local n = 0\n"
    "function provider.executeBackup() end\n"
    "function provider.refreshBackupResult(r)\n"
    "  n = n + 1\n  r.sizeInBytes = n\n"
    "  if n == 1 then log.info('first') end\n"
    "end\n"
    "return provider\n";

enum { V_LIVE, V_FIRST, V_PEAK, V_COUNT, V_REFRESHES };

typedef struct start_case {
  char *dir;
  int64_t count;
} start_case;

/* ---- limits ------------------------------------------------------------------------------------------------------- */

typedef struct bare_row {
  int64_t id, backup_id, size, start, next, deadline;
  double progress;
  char uuid[37], status[20], external[24];
} bare_row;

static void copy(char *to, size_t size, sqlite3_stmt *statement, int column) {
  const char *text = (const char *)sqlite3_column_text(statement, column);
  size_t len = text ? strlen(text) : 0;
  if (len >= size) len = size - 1;
  if (len) memcpy(to, text, len);
  to[len] = '\0';
}

static void measure_rows(void *arg, double values[CHILD_VALUES]) {
  start_case *c = arg;
  double start = bench_now();
  sqlite3 *db = bare_open(c->dir);
  sqlite3_stmt *s;
  bare_row *rows = NULL;
  size_t count = 0, cap = 0;
  if (sqlite3_prepare_v2(db, "SELECT id, backupId, sizeInBytes, startDate, nextActionDate, deadlineDate, progress, uuid, status, externalId FROM result",
                         -1, &s, NULL))
    bench_die("%s", sqlite3_errmsg(db));
  while (sqlite3_step(s) == SQLITE_ROW) {
    if (count == cap) rows = realloc(rows, (cap = cap ? cap * 2 : 1024) * sizeof *rows);
    bare_row *row = &rows[count++];
    int64_t *const numbers[] = { &row->id, &row->backup_id, &row->size, &row->start, &row->next, &row->deadline };
    for (int i = 0; i < 6; i++) *numbers[i] = sqlite3_column_int64(s, i);
    row->progress = sqlite3_column_double(s, 6);
    copy(row->uuid, sizeof row->uuid, s, 7);
    copy(row->status, sizeof row->status, s, 8);
    copy(row->external, sizeof row->external, s, 9);
  }
  values[V_LIVE] = bench_now() - start;
  values[V_PEAK] = (double)bench_peak();
  values[V_COUNT] = (double)count;
}

static void measure_ids(void *arg, double values[CHILD_VALUES]) {
  start_case *c = arg;
  double start = bench_now();
  sqlite3 *db = bare_open(c->dir);
  sqlite3_stmt *s;
  int64_t *ids = NULL;
  size_t count = 0, cap = 0;
  if (sqlite3_prepare_v2(db, "SELECT id, nextActionDate FROM result WHERE +nextAction IS NOT NULL", -1, &s, NULL)) bench_die("%s", sqlite3_errmsg(db));
  for (; sqlite3_step(s) == SQLITE_ROW; count++) {
    if (count == cap) ids = realloc(ids, (cap = cap ? cap * 2 : 1024) * 2 * sizeof *ids);
    ids[2 * count] = sqlite3_column_int64(s, 0);
    ids[2 * count + 1] = sqlite3_column_int64(s, 1);
  }
  values[V_LIVE] = bench_now() - start;
  values[V_PEAK] = (double)bench_peak();
  values[V_COUNT] = (double)count;
}

/* ---- ours --------------------------------------------------------------------------------------------------------- */

typedef struct parts {
  orr__loop *loop;
  orr__waker *waker;
  orr__store *store;
  orr__http *http;
  orr__core *core;
  orr__bindings *bindings;
  orr__random random;
  double first, all;
} parts;

static void on_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err) {
  (void)self, (void)request, (void)code, (void)json, (void)err;
}

static void on_update(void *self, uint64_t request, const char *json) { (void)self, (void)request, (void)json; }

static void on_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message) {
  parts *p = self;
  (void)about;
  if (strcmp(message, "first") == 0) p->first = bench_now();
  if (strcmp(message, "all") == 0) p->all = bench_now();
  if (level >= ORR_LOG_ERROR) bench_note("log: %s", message);
}

static void wake(void *arg) { orr__loop_wake(((parts *)arg)->waker); }
static void woken(void *arg) { orr__core_store_woken(((parts *)arg)->core); }

static void parts_open(parts *p, const char *dir, const char *source) {
  orr_error err = ORR_ERROR_INIT;
  char *path = orr__strf("%s/orrery.db", dir);
  orr__random_system(&p->random);
  int code = orr__loop_new(NULL, NULL, &p->loop, &err);
  if (!code) code = orr__waker_new(p->loop, woken, p, &p->waker);
  if (!code) code = orr__store_open_sqlite(&(orr__store_config){ .path = path, .wake = wake, .wake_arg = p }, &p->store, &err);
  if (!code) code = orr__http_new(p->loop, 0, &p->http, &err);
  orr__core_config config = { .loop = p->loop, .store = p->store, .random = &p->random, .data_dir = dir, .role = ORR_ROLE_SERVE,
                              .sink = { .self = p, .reply = on_reply, .update = on_update, .log = on_log } };
  if (!code) code = orr__core_new(&config, &p->core, &err);
  if (code) bench_die("%s", orr__error_message(&err));
  orr__bindings_config bindings = { .loop = p->loop, .http = p->http, .random = &p->random, .host = *orr__core_host(p->core) };
  code = orr__bindings_open(&bindings, &p->bindings, &err);
  if (!code) code = orr__bindings_add_source(p->bindings, "bench", source, strlen(source), &err);
  orr__core_use(p->core, orr__bindings_ops(p->bindings));
  if (!code) code = orr__core_start(p->core, &err);
  if (code) bench_die("%s", orr__error_message(&err));
  free(path);
}

static void measure_ours(void *arg, double values[CHILD_VALUES]) {
  start_case *c = arg;
  static parts p;
  double start = bench_now();
  parts_open(&p, c->dir, provider_source);
  while (!p.core->is_live && bench_now() < start + 120) orr__loop_step(p.loop, 100);
  values[V_LIVE] = bench_now() - start;
  while (p.first == 0 && bench_now() < start + 120) orr__loop_step(p.loop, 100);
  values[V_FIRST] = p.first - start;
  values[V_PEAK] = (double)bench_peak();
  /* What is not in the wheel is in hand. */
  size_t in_hand = p.core->subjects.len;
  for (size_t i = 0; i < in_hand + 4 * ORR_DUE_MAX && orr__wheel_len(p.core->due) < (size_t)c->count; i++) orr__loop_step(p.loop, 10);
  values[V_COUNT] = (double)orr__wheel_len(p.core->due);
  values[V_REFRESHES] = (double)p.core->next_call;
}

void case_start(bench *b) {
  start_case c = { .count = b->is_smoke ? 2000 : 1000000 };
  series rows = { .count = 0 }, ids = { .count = 0 }, live = { .count = 0 }, first = { .count = 0 };
  double read[CHILD_VALUES] = { 0 }, due[CHILD_VALUES] = { 0 }, ours[CHILD_VALUES] = { 0 };
  bool is_whole = true, is_right = true;
  bench_title("start with %lld stored results, all in progress", (long long)c.count);
  c.dir = bench_folder(b);
  seed_results(c.dir, c.count, 0);
  for (int i = 0; i < b->runs && is_whole; i++) {
    is_whole = bench_child(measure_rows, &c, read) && bench_child(measure_ids, &c, due) && bench_child(measure_ours, &c, ours);
    series_add(&rows, read[V_LIVE]);
    series_add(&ids, due[V_LIVE]);
    series_add(&live, ours[V_LIVE]);
    series_add(&first, ours[V_FIRST]);
    is_right = is_right && read[V_COUNT] == (double)c.count && due[V_COUNT] == (double)c.count && ours[V_FIRST] > 0;
  }
  bench_compare("the rows into structs; all results live", "s", BENCH_COST, &rows, &live, 1 / 1.25);
  bench_compare("the due ids alone; all results live", "s", BENCH_COST, &ids, &live, 0);
  bench_show("the first refresh after the start (target 0.3 s)", "s", &first);
  bench_note("memory at most: rows %.0f MiB, ids %.0f MiB, ours %.0f MiB (target 300)", read[V_PEAK] / 1048576, due[V_PEAK] / 1048576,
             ours[V_PEAK] / 1048576);
  bench_check(b, is_whole && is_right, "start: %d times all rows were read, and a refresh ran", rows.count);
  bench_folder_remove(c.dir);
}

/* ---- recovery ----------------------------------------------------------------------------------------------------- */

/* One in two was in the midst of executeBackup, past its mark, when the runtime was killed; the others were in progress. */
static const char recovering_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1', refreshInterval = 3600, visibilityDelay = 0 }\n"
    "local n, seen = 0, {}\n"
    "function provider.executeBackup() log.error('started twice') end\n"
    "function provider.recoverBackupResult(r)\n  r.externalId = 'job-' .. r.uuid\n  return true\nend\n"
    "function provider.refreshBackupResult(r)\n"
    "  if not seen[r.id] then n, seen[r.id] = n + 1, true end\n  r.sizeInBytes = n\n"
    "  if n == 1 then log.info('first') end\n  if n == COUNT then log.info('all') end\n"
    "end\n"
    "return provider\n";

static void cut_in_the_midst(const char *dir) {
  sqlite3 *db = bare_open(dir);
  bare_do(db, "BEGIN");
  bare_do(db, "UPDATE result SET status = 'INITIALIZING', nextAction = 'executeBackup', sentDate = startDate, externalId = NULL WHERE id % 2 = 0");
  bare_do(db, "INSERT INTO op (hook, resultId, backupId, subjectUuid, subjectName, state, providerCode, act, attempt, startDate, sentDate)"
              " SELECT 'executeBackup', id, 1, uuid, 'bench', 'sent', 'bench', 'POST https://bench', 1, startDate, startDate FROM result WHERE id % 2 = 0");
  bare_do(db, "COMMIT");
  bare_close(db);
}

static void measure_recovery(void *arg, double values[CHILD_VALUES]) {
  start_case *c = arg;
  static parts p;
  char *source = orr__strf("local COUNT = %lld\n%s", (long long)c->count, recovering_source);
  double start = bench_now();
  parts_open(&p, c->dir, source);
  while (p.all == 0 && bench_now() < start + 300) orr__loop_step(p.loop, 100);
  values[V_FIRST] = p.first - start;
  values[V_LIVE] = p.all - start;
  values[V_COUNT] = p.all > 0;
  free(source);
}

void case_recover(bench *b) {
  start_case c = { .count = b->is_smoke ? 500 : 10000 };
  series first = { .count = 0 }, all = { .count = 0 };
  bool is_right = true;
  bench_title("recovery of %lld results in flight, half of them cut in executeBackup", (long long)c.count);
  for (int i = 0; i < b->runs && is_right; i++) {
    double values[CHILD_VALUES] = { 0 };
    c.dir = bench_folder(b);
    seed_results(c.dir, c.count, 0);
    cut_in_the_midst(c.dir);
    is_right = bench_child(measure_recovery, &c, values) && values[V_COUNT] > 0;
    series_add(&first, values[V_FIRST]);
    series_add(&all, values[V_LIVE]);
    sqlite3 *db = bare_open(c.dir);
    is_right = is_right && bare_number(db, "SELECT count(*) FROM result WHERE attention IS NOT NULL") == 0;
    bare_close(db);
    bench_folder_remove(c.dir);
  }
  bench_show("the first refresh (target 2 s)", "s", &first);
  bench_show("all looked up, adopted and refreshed (target 30 s)", "s", &all);
  bench_check(b, is_right, "recovery: %d times all were adopted, and none needs anybody", first.count);
}
