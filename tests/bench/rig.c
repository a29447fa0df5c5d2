/* The runtime, the store and bare SQLite, each ready to be measured. */
#include "rig.h"

#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define WAIT_MAX_S 300.0

static void set(orr_settings *settings, const char *key, const char *value) {
  if (orr_settings_set(settings, key, value, NULL)) bench_die("setting %s", key);
}

void rig_open(rig *r, const bench *b, const char *dir, const char *source) {
  char *folder = orr__strf("%s/providers", dir), *runner = orr__strf("%s/../orrery-runner", b->exe_dir), *path = orr__strf("%s/bench.lua", folder);
  char *command = orr__strf("mkdir -p '%s'", folder);
  memset(r, 0, sizeof *r);
  r->error = orr_error_new();
  if (system(command)) bench_die("no folder %s", folder);
  FILE *file = fopen(path, "we");
  if (!file || fputs(source, file) < 0 || fclose(file)) bench_die("%s cannot be written", path);
  orr_settings *settings = orr_settings_new();
  set(settings, "data_dir", dir);
  set(settings, "shipped_providers", "false");
  set(settings, "runner_path", runner);
  if (orr_open(settings, &r->runtime, r->error)) bench_die("%s", orr_error_message(r->error));
  orr_settings_free(settings);
  free(folder);
  free(runner);
  free(path);
  free(command);
}

void rig_close(rig *r) {
  orr_close(r->runtime);
  orr_error_free(r->error);
  r->runtime = NULL;
}

static void take(rig *r, const orr_event *event) {
  const char *json = orr_event_json(event);
  if (orr_event_kind(event) == ORR_EVENT_REPLY) {
    r->replies++;
    if (!orr_event_error(event)) return;
    if (r->refused++ == 0) bench_note("refused: %s", orr_error_message(orr_event_error(event)));
  } else if (orr_event_kind(event) == ORR_EVENT_LOG) {
    if (strstr(json, "\"round\"")) r->rounds++;
    else if (strstr(json, "\"first\"")) r->is_first = true;
    else if (strstr(json, "\"error\"")) bench_note("log: %s", json);
  }
}

void rig_step(rig *r, int wait_ms) {
  orr_step(r->runtime, wait_ms);
  for (orr_event *event; (event = orr_next(r->runtime)) != NULL; orr_event_free(event)) take(r, event);
}

static bool until(rig *r, const uint64_t *counter, uint64_t target) {
  for (double end = bench_now() + WAIT_MAX_S; *counter < target;) {
    if (bench_now() > end) return false;
    rig_step(r, 100);
  }
  return true;
}

bool rig_until_round(rig *r, uint64_t rounds) { return until(r, &r->rounds, rounds); }
bool rig_until_reply(rig *r, uint64_t replies) { return until(r, &r->replies, replies); }

void rig_settle(rig *r) {
  orr_drain(r->runtime);
  for (double end = bench_now() + WAIT_MAX_S; !orr_is_idle(r->runtime) && bench_now() < end;) rig_step(r, 100);
}

void rig_submit(rig *r, const char *request, const char *args) {
  uint64_t id;
  if (orr_submit(r->runtime, request, args, &id, r->error)) bench_die("%s: %s", request, orr_error_message(r->error));
}

/* ---- what is in the database beforehand ------------------------------------------------------------------------- */

int64_t seed_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_uuid(orr__object *object, int field, int64_t id, int kind) {
  char uuid[37];
  snprintf(uuid, sizeof uuid, "%08llx-%04x-4000-8000-%012llx", (unsigned long long)(id * 2654435761u & 0xffffffff), kind & 0xffff,
           (unsigned long long)id);
  orr__set_str(object, field, uuid);
}

orr_backup *seed_backup(int64_t id, const char *name, double interval_s) {
  orr_backup *backup = orr__backup_new();
  orr__object *o = &backup->head;
  int64_t now = seed_now_ms();
  orr__set_int(o, ORR_F_backup_id, id);
  set_uuid(o, ORR_F_backup_uuid, id, 1);
  orr__set_str(o, ORR_F_backup_name, name);
  orr__set_str(o, ORR_F_backup_providerCode, "bench");
  orr__set_str(o, ORR_F_backup_config, "{}");
  if (interval_s > 0) orr__set_num(o, ORR_F_backup_refreshInterval, interval_s);
  orr__set_int(o, ORR_F_backup_createdDate, now);
  orr__set_int(o, ORR_F_backup_updatedDate, now);
  return backup;
}

orr_result *seed_result(int64_t id, int64_t now) {
  orr_result *result = orr__result_new();
  orr__object *o = &result->head;
  char text[32];
  orr__set_int(o, ORR_F_result_id, id);
  set_uuid(o, ORR_F_result_uuid, id, 2);
  orr__set_int(o, ORR_F_result_backupId, 1);
  orr__set_str(o, ORR_F_result_backupName, "bench");
  orr__set_str(o, ORR_F_result_providerCode, "bench");
  orr__set_str(o, ORR_F_result_status, "IN_PROGRESS");
  orr__set_str(o, ORR_F_result_trigger, "schedule");
  orr__set_str(o, ORR_F_result_executionConfig, "{}");
  snprintf(text, sizeof text, "job-%lld", (long long)id);
  orr__set_str(o, ORR_F_result_externalId, text);
  orr__set_str(o, ORR_F_result_statusMessage, "copying");
  orr__set_num(o, ORR_F_result_progress, 0);
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__set_int(o, ORR_F_result_scheduledDate, now);
  orr__set_int(o, ORR_F_result_createdDate, now);
  orr__set_int(o, ORR_F_result_updatedDate, now);
  orr__set_int(o, ORR_F_result_startDate, now);
  orr__set_int(o, ORR_F_result_sentDate, now);
  orr__set_int(o, ORR_F_result_deadlineDate, now + 86400000);
  orr__set_str(o, ORR_F_result_nextAction, "refreshBackupResult");
  orr__set_int(o, ORR_F_result_nextActionDate, now + 60000);
  return result;
}

void seed_results(const char *dir, int64_t count, double interval_s) {
  rig_store s;
  int64_t now = seed_now_ms();
  rig_store_open(&s, dir);
  orr__tx *tx = orr__tx_new();
  orr_backup *backup = seed_backup(1, "bench", interval_s);
  orr__tx_insert(tx, &backup->head);
  orr__object_free(&backup->head);
  for (int64_t id = 1; id <= count; id++) {
    orr_result *result = seed_result(id, now);
    orr__tx_insert(tx, &result->head);
    orr__object_free(&result->head);
    if (id % 2000 && id < count) continue;
    rig_store_submit(&s, tx);
    rig_store_wait(&s, 4);
    tx = orr__tx_new();
  }
  rig_store_submit(&s, tx);
  rig_store_wait(&s, 0);
  if (s.refused) bench_die("the database cannot be filled");
  rig_store_close(&s);
}

/* ---- the store alone ---------------------------------------------------------------------------------------------- */

static void woken(void *arg) { sem_post(arg); }

void rig_store_open(rig_store *s, const char *dir) {
  orr_error err = ORR_ERROR_INIT;
  char *path = orr__strf("%s/orrery.db", dir);
  sem_t *signal = malloc(sizeof *signal);
  memset(s, 0, sizeof *s);
  s->signal = signal;
  sem_init(signal, 0, 0);
  if (orr__store_open_sqlite(&(orr__store_config){ .path = path, .wake = woken, .wake_arg = signal }, &s->store, &err))
    bench_die("%s", orr__error_message(&err));
  free(path);
}

void rig_store_close(rig_store *s) {
  orr__store_close(s->store);
  sem_destroy(s->signal);
  free(s->signal);
}

static void tx_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  rig_store *s = arg;
  (void)tx;
  s->done++;
  if (code && s->refused++ == 0) bench_note("refused: %s", orr__error_message(err));
}

void rig_store_submit(rig_store *s, orr__tx *tx) { orr__store_submit(s->store, tx, tx_done, s); }

void rig_store_wait(rig_store *s, size_t at_most_pending) {
  while (orr__store_pending(s->store) > at_most_pending) {
    sem_wait(s->signal);
    orr__store_drain(s->store);
  }
}

/* ---- bare SQLite -------------------------------------------------------------------------------------------------- */

void bare_do(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message)) bench_die("%s: %s", sql, message);
}

static int pages_in_log(void *arg, sqlite3 *db, const char *name, int pages) {
  (void)db, (void)name;
  *(int *)arg = pages;
  return SQLITE_OK;
}

static int log_pages; /* of the one database that is open barely */

sqlite3 *bare_open(const char *dir) {
  char *path = orr__strf("%s/orrery.db", dir);
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)) bench_die("%s cannot be opened", path);
  free(path);
  bare_do(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
              "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  log_pages = 0;
  sqlite3_wal_hook(db, pages_in_log, &log_pages);
  return db;
}

void bare_checkpoint(sqlite3 *db) {
  if (log_pages < 20000) return;
  log_pages = 0;
  if (sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL)) bench_die("checkpoint: %s", sqlite3_errmsg(db));
}

int64_t bare_number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) || sqlite3_step(statement) != SQLITE_ROW)
    bench_die("%s: %s", sql, sqlite3_errmsg(db));
  int64_t number = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return number;
}

void bare_close(sqlite3 *db) { sqlite3_close(db); }
