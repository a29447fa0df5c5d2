/* Full lifecycles: accepted, prepared, executed, refreshed twice, ended, every transition durable.
 *
 * The limit is bare SQLite with the same rows of the same table: an insert and four updates, five commits, each for as many results
 * at a time as Orrery's group commit turns out to take; that size is counted by the syncs. Ours writes more than the limit does: the
 * journal's rows and the events. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "rig.h"

#define STEPS 5

static const char provider_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1' }\n"
    "local ended = 0\n"
    "function provider.prepareBackupResult(r)\n  r.backupType = 'full'\nend\n"
    "function provider.executeBackup(backup, r)\n  r.externalId = 'job-' .. r.uuid\n  r.progress = 0\nend\n"
    "function provider.refreshBackupResult(r)\n"
    "  if r.progress == 0 then r.progress = 50 r.sizeInBytes = 1000 return true end\n"
    "  r.status = 'SUCCEEDED'\n  r.sizeInBytes = 2000\n"
    "  ended = ended + 1\n  if ended % ROUND == 0 then log.info('round') end\n"
    "end\n"
    "return provider\n";

/* ---- counting syncs ----------------------------------------------------------------------------------------------- */

static atomic_ulong syncs;

__attribute__((visibility("default"))) int fdatasync(int fd) {
  atomic_fetch_add(&syncs, 1);
  return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd) {
  atomic_fetch_add(&syncs, 1);
  return (int)syscall(SYS_fsync, fd);
}

/* ---- bare SQLite -------------------------------------------------------------------------------------------------- */

typedef struct bare_cycle {
  sqlite3 *db;
  sqlite3_stmt *steps[STEPS];
  int64_t last_id;
} bare_cycle;

static void bare_cycle_open(bare_cycle *c, const char *dir) {
  static const char *const sql[STEPS] = {
    "INSERT INTO result (id, uuid, backupId, backupName, providerCode, status, trigger, executionConfig, errorCount, createdDate, updatedDate,"
    " deadlineDate, startDate, nextAction, nextActionDate)"
    " VALUES (?1, ?2, 1, 'bench', 'bench', 'START_REQUESTED', 'manual', '{}', 0, ?3, ?3, ?3, ?3, 'prepareBackupResult', ?3)",
    "UPDATE result SET status = 'INITIALIZING', backupType = 'full', nextAction = 'executeBackup', nextActionDate = ?3, updatedDate = ?3 WHERE id = ?1",
    "UPDATE result SET status = 'IN_PROGRESS', externalId = ?2, progress = 0, nextAction = 'refreshBackupResult', nextActionDate = ?3, updatedDate = ?3"
    " WHERE id = ?1",
    "UPDATE result SET progress = 50, sizeInBytes = 1000, nextActionDate = ?3, updatedDate = ?3 WHERE id = ?1",
    "UPDATE result SET status = 'SUCCEEDED', progress = 100, sizeInBytes = 2000, endDate = ?3, durationMillis = 5, nextAction = NULL,"
    " nextActionDate = NULL, updatedDate = ?3 WHERE id = ?1",
  };
  c->db = bare_open(dir);
  c->last_id = 0;
  for (int i = 0; i < STEPS; i++)
    if (sqlite3_prepare_v3(c->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &c->steps[i], NULL)) bench_die("%s", sqlite3_errmsg(c->db));
}

static void bare_cycle_close(bare_cycle *c) {
  for (int i = 0; i < STEPS; i++) sqlite3_finalize(c->steps[i]);
  bare_close(c->db);
}

/* Lifecycles a second, batch of them at a time. */
static double bare_cycles(bare_cycle *c, int64_t count, int64_t batch) {
  double start = bench_now();
  for (int64_t done = 0; done < count; done += batch, c->last_id += batch) {
    for (int step = 0; step < STEPS; step++) {
      sqlite3_stmt *s = c->steps[step];
      bare_do(c->db, "BEGIN IMMEDIATE");
      for (int64_t i = 1; i <= batch; i++) {
        char uuid[40];
        snprintf(uuid, sizeof uuid, "%08llx-0002-4000-8000-%012llx", (unsigned long long)((c->last_id + i) * 2654435761u & 0xffffffff),
                 (unsigned long long)(c->last_id + i));
        sqlite3_bind_int64(s, 1, c->last_id + i);
        if (sqlite3_bind_parameter_count(s) > 1) sqlite3_bind_text(s, 2, uuid, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(s, 3, 1795000000000 + c->last_id);
        if (sqlite3_step(s) != SQLITE_DONE) bench_die("%s", sqlite3_errmsg(c->db));
        sqlite3_reset(s);
      }
      bare_do(c->db, "COMMIT");
      bare_checkpoint(c->db);
    }
  }
  return (double)count / (bench_now() - start);
}

/* Milliseconds of a commit of one row. */
static double bare_latency(bare_cycle *c) {
  double start = bench_now();
  sqlite3_stmt *s = c->steps[3];
  sqlite3_bind_int64(s, 1, 1);
  sqlite3_bind_int64(s, 3, ++c->last_id); /* a row that stays as it is would not be written */
  bare_do(c->db, "BEGIN IMMEDIATE");
  if (sqlite3_step(s) != SQLITE_DONE) bench_die("%s", sqlite3_errmsg(c->db));
  sqlite3_reset(s);
  bare_do(c->db, "COMMIT");
  return (bench_now() - start) * 1000;
}

static double store_latency(rig_store *s, orr_result *row) {
  double start = bench_now();
  orr__tx *tx = orr__tx_new();
  orr__set_int(&row->head, ORR_F_result_updatedDate, row->updatedDate + 1);
  orr__set_int(&row->head, ORR_F_result_nextActionDate, row->updatedDate);
  orr__tx_update(tx, &row->head, ORR_BIT(ORR_F_result_updatedDate) | ORR_BIT(ORR_F_result_nextActionDate) | ORR_BIT(ORR_F_result_progress));
  rig_store_submit(s, tx);
  rig_store_wait(s, 0);
  return (bench_now() - start) * 1000;
}

/* ---- the case ----------------------------------------------------------------------------------------------------- */

static void compare_latency(bench *b) {
  series bare_ms = { .count = 0 }, store_ms = { .count = 0 };
  char *bare_dir = bench_folder(b), *dir = bench_folder(b);
  bare_cycle bare;
  rig_store s;
  seed_results(bare_dir, 100, 0);
  seed_results(dir, 100, 0);
  bare_cycle_open(&bare, bare_dir);
  rig_store_open(&s, dir);
  orr_result *row = seed_result(1, seed_now_ms());
  for (int run = 0; run < b->runs; run++) {
    series bare_run = { .count = 0 }, store_run = { .count = 0 };
    for (int i = 0; i < (b->is_smoke ? 5 : BENCH_RUNS_MAX); i++) {
      series_add(&bare_run, bare_latency(&bare));
      series_add(&store_run, store_latency(&s, row));
    }
    series_add(&bare_ms, series_median(&bare_run));
    series_add(&store_ms, series_median(&store_run));
  }
  bench_compare("a single durable commit at low load (medians of 64)", "ms", BENCH_COST, &bare_ms, &store_ms, 0);
  bench_note("group commit adds %.3f ms (target: at most 5)", series_median(&store_ms) - series_median(&bare_ms));
  bench_check(b, s.refused == 0, "lifecycle: %zu single commits", s.done);
  orr__object_free(&row->head);
  rig_store_close(&s);
  bare_cycle_close(&bare);
  bench_folder_remove(bare_dir);
  bench_folder_remove(dir);
}

static double our_cycles(rig *r, long count, bool *ret_is_whole) {
  double start = bench_now();
  uint64_t round = r->rounds + 1;
  for (long i = 0; i < count; i++) rig_submit(r, "backup.run", "{\"backup\":\"bench\"}");
  *ret_is_whole = rig_until_round(r, round);
  return (double)count / (bench_now() - start);
}

void case_lifecycle(bench *b) {
  long count = b->is_smoke ? 200 : 20000;
  series bare_rate = { .count = 0 }, our_rate = { .count = 0 }, cpu = { .count = 0 }, bare_cpu = { .count = 0 }, size = { .count = 0 };
  char *bare_dir = bench_folder(b), *dir = bench_folder(b), *source = orr__strf("local ROUND = %ld\n%s", count, provider_source);
  bool is_whole = true;
  bare_cycle bare;
  rig r;
  bench_title("full lifecycles, every transition durable, %ld at a time", count);
  seed_results(bare_dir, 0, 0);
  seed_results(dir, 0, 0.001);
  bare_cycle_open(&bare, bare_dir);
  bench_peak_reset();
  rig_open(&r, b, dir, source);
  for (int i = 0; i < b->runs && is_whole; i++) {
    unsigned long before = atomic_load(&syncs);
    double start_cpu = bench_cpu();
    series_add(&our_rate, our_cycles(&r, count, &is_whole));
    series_add(&cpu, (bench_cpu() - start_cpu) * 1e6 / (double)count);
    unsigned long commits = atomic_load(&syncs) - before;
    int64_t batch = (int64_t)((double)STEPS * (double)count / (double)(commits ? commits : 1));
    series_add(&size, (double)batch);
    start_cpu = bench_cpu();
    series_add(&bare_rate, bare_cycles(&bare, count, batch < 1 ? 1 : batch > 4096 ? 4096 : batch));
    series_add(&bare_cpu, (bench_cpu() - start_cpu) * 1e6 / (double)count);
  }
  bench_show("transitions in a commit", "", &size);
  bench_compare("insert and four updates at that batch size; whole lifecycles", "lifecycles/s", BENCH_RATE, &bare_rate, &our_rate, 0.5);
  bench_compare("processor time: an insert and four updates; a lifecycle, both threads", "us", BENCH_COST, &bare_cpu, &cpu, 0);
  bench_note("memory: %.1f MiB resident at most", (double)bench_peak() / 1048576);
  rig_settle(&r);
  bench_check(b, is_whole && r.refused == 0 && r.replies == (uint64_t)count * (uint64_t)b->runs, "lifecycle: %llu accepted", (unsigned long long)r.replies);
  rig_close(&r);
  sqlite3 *db = bare_open(dir);
  int64_t ended = bare_number(db, "SELECT count(*) FROM result WHERE status = 'SUCCEEDED' AND sizeInBytes = 2000 AND endDate IS NOT NULL");
  int64_t open_ops = bare_number(db, "SELECT count(*) FROM op WHERE state <> 'done'");
  bare_close(db);
  bench_check(b, ended == count * b->runs && open_ops == 0, "lifecycle: %lld results have succeeded, %lld calls are open", (long long)ended,
              (long long)open_ops);
  bare_cycle_close(&bare);
  free(source);
  bench_folder_remove(bare_dir);
  bench_folder_remove(dir);
  compare_latency(b);
}

/* ---- what the journal costs ---------------------------------------------------------------------------------------- */

/* While it is off, rows of the journal are neither written nor changed; nothing else is different. Nobody could recover from that. */
static bool is_journal_off;

void __real_orr__tx_insert(orr__tx *tx, const orr__object *object);
void __real_orr__tx_update(orr__tx *tx, const orr__object *object, uint64_t mask);
void __wrap_orr__tx_insert(orr__tx *tx, const orr__object *object);
void __wrap_orr__tx_update(orr__tx *tx, const orr__object *object, uint64_t mask);

static bool is_left_out(const orr__object *object) { return is_journal_off && object && object->model->id == ORR_M_op; }

void __wrap_orr__tx_insert(orr__tx *tx, const orr__object *object) {
  if (!is_left_out(object)) __real_orr__tx_insert(tx, object);
}

void __wrap_orr__tx_update(orr__tx *tx, const orr__object *object, uint64_t mask) {
  if (!is_left_out(object)) __real_orr__tx_update(tx, object, mask);
}

static int64_t rows_of_journal(const char *dir) {
  sqlite3 *db = bare_open(dir);
  int64_t rows = bare_number(db, "SELECT count(*) FROM op WHERE resultId IS NOT NULL");
  bare_close(db);
  return rows;
}

void case_journal(bench *b) {
  long count = b->is_smoke ? 200 : 10000;
  series rates[2] = { { .count = 0 }, { .count = 0 } }, cpu[2] = { { .count = 0 }, { .count = 0 } };
  char *dirs[2] = { bench_folder(b), bench_folder(b) }, *source = orr__strf("local ROUND = %ld\n%s", count, provider_source);
  bool is_whole = true;
  rig rigs[2];
  bench_title("full lifecycles with the journal and without, %ld at a time", count);
  for (int off = 0; off < 2; off++) {
    seed_results(dirs[off], 0, 0.001);
    rig_open(&rigs[off], b, dirs[off], source);
  }
  for (int i = 0; i < b->runs * 2 && is_whole; i++) {
    is_journal_off = i % 2;
    double start_cpu = bench_cpu();
    series_add(&rates[i % 2], our_cycles(&rigs[i % 2], count, &is_whole));
    series_add(&cpu[i % 2], (bench_cpu() - start_cpu) * 1e6 / (double)count);
  }
  bench_compare("without the journal; as it is", "lifecycles/s", BENCH_RATE, &rates[1], &rates[0], 1 / 1.25);
  bench_compare("the same in processor time of both threads", "us a lifecycle", BENCH_COST, &cpu[1], &cpu[0], 1 / 1.25);
  for (int off = 0; off < 2; off++) {
    is_journal_off = off;
    rig_settle(&rigs[off]);
    rig_close(&rigs[off]);
  }
  is_journal_off = false;
  int64_t with = rows_of_journal(dirs[0]), without = rows_of_journal(dirs[1]);
  bench_check(b, is_whole && with >= 2 * (int64_t)count * b->runs && without == 0, "journal: %lld rows with it, %lld without", (long long)with,
              (long long)without);
  free(source);
  for (int off = 0; off < 2; off++) bench_folder_remove(dirs[off]);
}
