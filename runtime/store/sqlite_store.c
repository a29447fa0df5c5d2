/* The store on SQLite: groups of transactions become commits.
 *
 * Deliberately does not know queues or threads (store.c) nor how a step is carried out (sqlite_exec.c). A group is
 * one BEGIN IMMEDIATE ... COMMIT, and so one sync of the log; a group of reads alone writes nothing and syncs
 * nothing. The log is written back into the database after the completions have been handed over, so that nobody
 * waits for it, and an error of that counts: after an fsync that went wrong the next one may claim that all is well. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/backend.h"
#include "store/sqlite.h"

static int roll_back(orr__sqlite *self, int code) {
  if (!sqlite3_get_autocommit(self->db)) orr__sqlite_step_fixed(self, ORR_SQLITE_ROLLBACK, NULL);
  return code;
}

/* Runs the transactions from first up to end whose code is 0, as one commit. *ret_undone: nothing of it has happened,
 * although nothing is wrong with the store: SQLite gave it all up, out of memory, or somebody read a damaged page,
 * after which it writes and commits no more in this go. The one it is due to has its code. */
static int run_together(orr__sqlite *self, orr__tx *first, const orr__tx *end, bool *ret_undone, orr_error *reterr) {
  bool has_work = false, has_writes = false;
  for (const orr__tx *tx = first; tx != end; tx = tx->next) {
    if (tx->code) continue;
    has_work = true;
    if (tx->write_count) has_writes = true;
  }
  *ret_undone = false;
  if (!has_work) return 0;
  int code = orr__sqlite_step_fixed(self, has_writes ? ORR_SQLITE_BEGIN_WRITE : ORR_SQLITE_BEGIN_READ, reterr);
  if (code) return code;
  for (orr__tx *tx = first; tx != end; tx = tx->next) {
    if (tx->code) continue;
    tx->code = orr__sqlite_run(self, tx, &tx->err);
    if (!tx->code) continue;
    if (self->is_broken) return roll_back(self, orr__error_copy(reterr, &tx->err));
    if (sqlite3_get_autocommit(self->db) || (has_writes && tx->code == ORR_E_CORRUPT)) {
      *ret_undone = true;
      return roll_back(self, 0);
    }
  }
  /* Reads alone have nothing to commit, and would be refused it after a damaged page. */
  if (!has_writes) return roll_back(self, 0);
  code = orr__sqlite_step_fixed(self, ORR_SQLITE_COMMIT, reterr);
  return code ? roll_back(self, code) : 0;
}

static int run(void *arg, orr__tx *group, orr_error *reterr) {
  orr__sqlite *self = arg;
  bool is_undone;
  int code = run_together(self, group, NULL, &is_undone, reterr);
  if (!is_undone) return code;
  /* One by one, so that the neighbours do not suffer. */
  for (orr__tx *tx = group; tx && !code; tx = tx->next) {
    if (tx->code) continue;
    orr__tx_reset_rows(tx);
    code = run_together(self, tx, tx->next, &is_undone, reterr);
  }
  return code;
}

static int tidy(void *arg, orr_error *reterr) {
  orr__sqlite *self = arg;
  if (self->wal_pages < ORR_SQLITE_CHECKPOINT) return 0;
  self->wal_pages = 0;
  int rc = sqlite3_wal_checkpoint_v2(self->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
  /* A database that cannot grow now still has its log; that one fails by itself when the disk is full. */
  return rc == SQLITE_OK || rc == SQLITE_FULL || rc == SQLITE_BUSY ? 0 : orr__sqlite_error(self, rc, reterr);
}

static bool backup(void *arg, orr__tx *tx, bool is_aborted) {
  return orr__sqlite_backup_slice(arg, tx, is_aborted);
}

static void free_self(orr__sqlite *self, bool has_failed) {
  orr__sqlite_shut(self, has_failed);
  free(self->path);
  free(self);
}

static void close_store(void *arg, bool has_failed) {
  free_self(arg, has_failed);
}

static const orr__store_ops sqlite_ops = {
    .is_threaded = true,
    .run = run,
    .tidy = tidy,
    .backup = backup,
    .close = close_store,
};

static int read_ids(const orr__sqlite *self, int64_t last_id[ORR_M_COUNT], orr_error *reterr) {
  for (int i = 0; i < ORR_M_COUNT; i++) {
    const char *table = orr__models[i].table;
    char *sql = orr__strf("SELECT max((SELECT ifnull(max(\"id\"), 0) FROM \"%s\"),"
                          " ifnull((SELECT \"seq\" FROM sqlite_sequence WHERE \"name\" = '%s'), 0))",
                          table, table);
    if (!sql) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    int code = orr__sqlite_number(self, sql, &last_id[i], reterr);
    free(sql);
    if (code) return code;
  }
  return 0;
}

int orr__store_open_sqlite(const orr__store_config *config, orr__store **ret_store, orr_error *reterr) {
  orr__sqlite *self = calloc(1, sizeof *self);
  int code = self && (self->path = orr__strdup(config->path)) ? 0 : ORR_E_NOMEM;
  int64_t last_id[ORR_M_COUNT];
  if (code) {
    free(self);
    return orr__error_set(reterr, code, "out of memory");
  }
  self->codec = config->codec;
  code = orr__sqlite_open(self, true, reterr);
  if (!code) code = orr__sqlite_check_keys(self, reterr);
  if (!code) code = read_ids(self, last_id, reterr);
  if (!code) code = orr__store_new(&sqlite_ops, self, config, last_id, ret_store, reterr);
  if (code) free_self(self, true);
  return code;
}
