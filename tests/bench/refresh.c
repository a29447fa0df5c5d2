/* The refresh loop without HTTP, every change durable.
 *
 * Limits: bare SQLite updating five columns of the same table in batches of 1,000, rows that are neighbours and rows at random. Ours
 * twice: the store alone (a transaction per result, as the core submits them, committed in groups), and the whole runtime, whose
 * provider's Lua hook writes five fields of a result loaded for it. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "rig.h"

#define BATCH 1000

static const char provider_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1' }\n"
    "local n = 0\n"
    "function provider.executeBackup() end\n"
    "function provider.refreshBackupResult(r)\n"
    "  n = n + 1\n"
    "  r.progress = (r.progress or 0) + 1\n  r.sizeInBytes = n\n  r.durationMillis = n\n"
    "  r.statusMessage = 'pass ' .. n\n  r.processId = 'p' .. n\n"
    "  if n == 1 then log.info('first') end\n"
    "  if n % ROUND == 0 then log.info('round') end\n"
    "end\n"
    "return provider\n";

static char *source_for(long round) {
  char *head = orr__strf("local ROUND = %ld\n%s", round, provider_source);
  return head;
}

/* ---- bare SQLite -------------------------------------------------------------------------------------------------- */

typedef struct bare_table {
  sqlite3 *db;
  sqlite3_stmt *update;
  int64_t count, at;   /* rows there are; how many updates were made */
} bare_table;

static void bare_table_open(bare_table *t, const char *dir, int64_t count) {
  t->db = bare_open(dir);
  t->count = count;
  t->at = 0;
  const char *sql = "UPDATE result SET progress = ?2, sizeInBytes = ?3, durationMillis = ?4, statusMessage = ?5, processId = ?6 WHERE id = ?1";
  if (sqlite3_prepare_v3(t->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &t->update, NULL)) bench_die("%s", sqlite3_errmsg(t->db));
}

static void bare_table_close(bare_table *t) {
  sqlite3_finalize(t->update);
  bare_close(t->db);
}

static double bare_updates(bare_table *t, int64_t count, bool is_random) {
  char message[32], process[32];
  double start = bench_now();
  for (int64_t done = 0; done < count; done++, t->at++) {
    if (done % BATCH == 0) bare_do(t->db, "BEGIN IMMEDIATE");
    int64_t id = is_random ? (int64_t)bench_shuffle((uint64_t)t->at, 1u << 30) % t->count + 1 : t->at % t->count + 1;
    snprintf(message, sizeof message, "pass %lld", (long long)t->at);
    snprintf(process, sizeof process, "p%lld", (long long)t->at);
    sqlite3_bind_int64(t->update, 1, id);
    sqlite3_bind_double(t->update, 2, (double)(t->at % 100));
    sqlite3_bind_int64(t->update, 3, t->at);
    sqlite3_bind_int64(t->update, 4, t->at);
    sqlite3_bind_text(t->update, 5, message, -1, SQLITE_STATIC);
    sqlite3_bind_text(t->update, 6, process, -1, SQLITE_STATIC);
    if (sqlite3_step(t->update) != SQLITE_DONE) bench_die("%s", sqlite3_errmsg(t->db));
    sqlite3_reset(t->update);
    if (done % BATCH != BATCH - 1 && done != count - 1) continue;
    bare_do(t->db, "COMMIT");
    bare_checkpoint(t->db);
  }
  return (double)count / (bench_now() - start);
}

/* ---- the store alone ---------------------------------------------------------------------------------------------- */

typedef struct our_table {
  rig_store store;
  orr_result *row;
  int64_t count, at;
} our_table;

static double store_updates(our_table *t, int64_t count) {
  char message[32], process[32];
  orr__object *o = &t->row->head;
  double start = bench_now();
  for (int64_t done = 0; done < count; done++, t->at++) {
    snprintf(message, sizeof message, "pass %lld", (long long)t->at);
    snprintf(process, sizeof process, "p%lld", (long long)t->at);
    orr__set_int(o, ORR_F_result_id, t->at % t->count + 1);
    orr__set_num(o, ORR_F_result_progress, (double)(t->at % 100));
    orr__set_int(o, ORR_F_result_sizeInBytes, t->at);
    orr__set_int(o, ORR_F_result_durationMillis, t->at);
    orr__set_str(o, ORR_F_result_statusMessage, message);
    orr__set_str(o, ORR_F_result_processId, process);
    orr__tx *tx = orr__tx_new();
    orr__tx_update(tx, o,
                   ORR_BIT(ORR_F_result_progress) | ORR_BIT(ORR_F_result_sizeInBytes) | ORR_BIT(ORR_F_result_durationMillis) |
                       ORR_BIT(ORR_F_result_statusMessage) | ORR_BIT(ORR_F_result_processId));
    rig_store_submit(&t->store, tx);
    if (done % (BATCH / 2) == 0) rig_store_wait(&t->store, 2 * BATCH);
  }
  rig_store_wait(&t->store, 0);
  return (double)count / (bench_now() - start);
}

/* ---- the case ----------------------------------------------------------------------------------------------------- */

typedef struct refresh_case {
  char *bare_dir, *store_dir, *dir;
  bare_table bare;
  our_table store;
  rig runtime;
} refresh_case;

static void open_all(refresh_case *c, const bench *b, int64_t rows, long round) {
  c->bare_dir = bench_folder(b);
  c->store_dir = bench_folder(b);
  c->dir = bench_folder(b);
  seed_results(c->bare_dir, rows, 0);
  seed_results(c->store_dir, rows, 0);
  seed_results(c->dir, rows, 0.001);
  bare_table_open(&c->bare, c->bare_dir, rows);
  rig_store_open(&c->store.store, c->store_dir);
  c->store.row = orr__result_new();
  c->store.count = rows;
  c->store.at = 0;
  char *source = source_for(round);
  bench_peak_reset();
  rig_open(&c->runtime, b, c->dir, source);
  free(source);
}

static void check_rows(bench *b, refresh_case *c, long round, int64_t store_updates_made) {
  sqlite3 *db = bare_open(c->dir);
  int64_t sum = bare_number(db, "SELECT CAST(sum(progress) AS INTEGER) FROM result");
  int64_t most = bare_number(db, "SELECT max(sizeInBytes) FROM result");
  bare_close(db);
  /* Each hook adds one to its result's progress and writes how many hooks there were: what is stored says both. */
  bench_check(b, sum == most && sum >= round * b->runs, "refresh: %lld hooks ran and %lld changes are stored", (long long)most, (long long)sum);
  bench_check(b, c->store.store.refused == 0 && c->store.store.done == (size_t)store_updates_made, "refresh: the store took %zu transactions",
              c->store.store.done);
}

void case_refresh(bench *b) {
  int64_t rows = b->is_smoke ? 500 : 50000, updates = b->is_smoke ? 2000 : 200000;
  long round = b->is_smoke ? 500 : 50000;
  series near_rows = { .count = 0 }, random_rows = { .count = 0 }, store = { .count = 0 }, whole = { .count = 0 };
  series near_cpu = { .count = 0 }, cpu = { .count = 0 };
  refresh_case c;
  bench_title("refresh loop without HTTP: %lld results, every change durable", (long long)rows);
  open_all(&c, b, rows, round);
  bool is_whole = true;
  for (int i = 0; i < b->runs && is_whole; i++) {
    double near_start = bench_cpu();
    series_add(&near_rows, bare_updates(&c.bare, updates, false));
    series_add(&near_cpu, (bench_cpu() - near_start) * 1e6 / (double)updates);
    is_whole = rig_until_round(&c.runtime, c.runtime.rounds + (i == 0)); /* the first is for warming up */
    double start = bench_now(), start_cpu = bench_cpu();
    is_whole = is_whole && rig_until_round(&c.runtime, c.runtime.rounds + 1);
    series_add(&whole, (double)round / (bench_now() - start));
    series_add(&cpu, (bench_cpu() - start_cpu) * 1e6 / (double)round);
    series_add(&random_rows, bare_updates(&c.bare, updates / 4, true));
    series_add(&store, store_updates(&c.store, updates));
  }
  bench_check(b, is_whole, "refresh: %d rounds of %ld", (int)c.runtime.rounds, round);
  size_t peak = bench_peak();
  bench_compare("the store alone, against neighbouring rows", "updates/s", BENCH_RATE, &near_rows, &store, 0.5);
  bench_compare("the store alone, against random rows", "updates/s", BENCH_RATE, &random_rows, &store, 2);
  bench_compare("the whole runtime with a Lua hook, against neighbouring rows", "refreshes/s", BENCH_RATE, &near_rows, &whole, 0.5);
  bench_compare("the whole runtime with a Lua hook, against random rows", "refreshes/s", BENCH_RATE, &random_rows, &whole, 2);
  bench_compare("processor time: an update of neighbouring rows; a refresh, both threads", "us", BENCH_COST, &near_cpu, &cpu, 0);
  bench_note("memory: %.1f MiB at most with runtime, store and bare table (page caches of 16 MiB each)", (double)peak / 1048576);
  rig_settle(&c.runtime);
  rig_close(&c.runtime);
  check_rows(b, &c, round, updates * b->runs);
  bare_table_close(&c.bare);
  rig_store_close(&c.store.store);
  orr__object_free(&c.store.row->head);
  bench_folder_remove(c.bare_dir);
  bench_folder_remove(c.store_dir);
  bench_folder_remove(c.dir);
}

/* ---- held --------------------------------------------------------------------------------------------------------- */

void case_held(bench *b) {
  double seconds = b->seconds > 0 ? b->seconds : b->is_smoke ? 1 : 30, interval = b->is_smoke ? 0.5 : 10;
  double rate = b->is_smoke ? 1000 : 16700;
  int64_t rows = (int64_t)(rate * interval);
  char *dir = bench_folder(b), *source = source_for(1000);
  rig r;
  seed_results(dir, rows, interval);
  bench_title("%.0f refreshes a second, held for %.0f s: %lld results, each every %g s", rate, seconds, (long long)rows, interval);
  bench_peak_reset();
  rig_open(&r, b, dir, source);
  /* At the start all are due at once; by then they have spread. */
  for (double end = bench_now() + 2 * interval; bench_now() < end;) rig_step(&r, 100);
  uint64_t before = r.rounds;
  double start = bench_now(), start_cpu = bench_cpu();
  while (bench_now() < start + seconds) rig_step(&r, 100);
  double took = bench_now() - start, cpu = bench_cpu() - start_cpu;
  double held = (double)(r.rounds - before) * 1000 / took;
  bench_note("%.0f refreshes/s, %.2f of a core, %.1f us each, %.1f MiB resident at most", held, cpu / took, cpu * 1e6 / (held * took),
             (double)bench_peak() / 1048576);
  rig_settle(&r);
  rig_close(&r);
  sqlite3 *db = bare_open(dir);
  int64_t sum = bare_number(db, "SELECT CAST(sum(progress) AS INTEGER) FROM result"), most = bare_number(db, "SELECT max(sizeInBytes) FROM result");
  bare_close(db);
  bench_check(b, sum == most && sum > 0, "held: %lld hooks ran and %lld changes are stored", (long long)most, (long long)sum);
  free(source);
  bench_folder_remove(dir);
}
