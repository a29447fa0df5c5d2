/* The store: transactions over the models, asynchronous, durable when they complete.
 *
 * A transaction is an ordered list of steps (writes, guards and reads), built by its owner, submitted once, and
 * completed once: on the loop thread, from orr__store_drain, never from inside orr__store_submit. Completions come
 * in the order of submission. All of a transaction's steps happen or none; reads see the transaction's own
 * writes. When done is called with 0, what it wrote has been synced to disk.
 *
 * Behind it are SQLite (one connection on one thread, commits in groups: whatever queued up while the last commit
 * was syncing goes into the next one, each transaction in a savepoint so that one that is refused does not spoil
 * its neighbours; a group of reads alone is not synced) and a twin in memory for tests and hosts that want none,
 * which can be cut after any commit and reopened. Both obey every sentence here; one test runs against both.
 *
 * The schema follows the descriptors of the models: a column per field that is not derived, UNIQUE and INDEX as
 * the fields say, SECRET ones sealed by the codec given at opening. One rule is the table's own: a result is in a
 * terminal status, or has a nextActionDate, or has an attention; anything else is refused (CONFLICT).
 *
 * Knows nothing of hooks, schedules or Lua; ids are numbers that it hands out and never again. */
#ifndef ORR_STORE_STORE_H
#define ORR_STORE_STORE_H

#include "base/error.h"
#include "model/object.h"

typedef struct orr__store orr__store;
typedef struct orr__tx orr__tx;

/* How secrets are sealed; context is "table.column". All are called on the opener's or the store's thread. seal and
 * open return owned text. NULL functions: stored as they are (the twin in memory); only seal and open: with
 * keys that never change. */
typedef struct orr__store_codec {
  void *self;
  int (*seal)(void *self, const char *context, const char *text, char **ret_sealed);
  int (*open)(void *self, const char *context, const char *sealed, char **ret_text, orr_error *reterr);
  int (*knows)(void *self, const char *context, const char *sealed, orr_error *reterr); /* is its key at hand? */
  size_t (*count)(void *self);                     /* of keys; more than one: a change of keys is not over */
  bool (*is_newest)(void *self, const char *sealed);
  int (*renew)(void *self, orr_error *reterr);     /* seals with a new key from now on; the old ones still open */
  int (*settle)(void *self, orr_error *reterr);    /* nothing needs the old ones any more */
} orr__store_codec;

typedef struct orr__store_config {
  const char *path;             /* of the database file (borrowed); its folder exists and is locked by the caller */
  orr__store_codec codec;
  void (*wake)(void *arg);      /* called from the store's thread: the loop thread shall call orr__store_drain */
  void *wake_arg;
} orr__store_config;

/* Asks whether the codec knows the keys of what is sealed, has the first key made where nothing is, and finishes a change of
 * keys that was cut short; what the codec says comes out (CORRUPT for a missing or wrong key).
 * Opens, or makes, and migrates (numbered, in one transaction). CORRUPT for a damaged database (nothing is
 * changed, the message says what to do), NEWER for one of a later version, IO. Owned. */
int orr__store_open_sqlite(const orr__store_config *config, orr__store **ret_store, orr_error *reterr);
int orr__store_open_memory(const orr__store_config *config, orr__store **ret_store, orr_error *reterr);
/* Waits for what was submitted (completions are called, from inside), syncs, closes. */
void orr__store_close(orr__store *store);
/* Runs the completions of what has been done. Returns how many. */
size_t orr__store_drain(orr__store *store);
/* Transactions submitted and not yet completed. */
size_t orr__store_pending(const orr__store *store);
/* The next id of a model; at once, on the loop thread. Ids grow; one that is never inserted is a gap. */
int64_t orr__store_next_id(orr__store *store, enum orr__model_id model);
int64_t orr__store_last_id(const orr__store *store, enum orr__model_id model); /* the greatest that was handed out or inserted; 0: none */
/* Non-zero once a commit or sync went wrong: every transaction from then on completes with it (IO), because what
 * is on disk is not known any more. */
int orr__store_failed(const orr__store *store);

/* Memory twin only: how many transactions that write have committed, and a new store with just the first n of them
 * (LIMIT beyond 20,000 commits: then it no longer keeps what was). */
size_t orr__store_commits(const orr__store *store);
int orr__store_cut(const orr__store *store, size_t n, const orr__store_config *config, orr__store **ret_store,
                   orr_error *reterr);

/* ---- building: errors are sticky and come out at submit: memory, limits (10,000 steps, 256 MiB, 32 conditions), a
 * required field without a value or a word that is no status (INVALID), a field that cannot be compared so, such as
 * a secret one (MISUSE). ------------------------------------------------------------------------------------- */

orr__tx *orr__tx_new(void);                 /* owned until submitted; NULL when out of memory: building on
                                             * NULL does nothing, submitting it is not allowed */
void orr__tx_free(orr__tx *tx);             /* for one that was not submitted */

/* Inserts a copy of the object with every field that is set; id must be (orr__store_next_id). EXISTS if a unique
 * field's value is taken: the message names field and value. */
void orr__tx_insert(orr__tx *tx, const orr__object *object);
/* Writes the fields of `mask` (a bit per field; usually object->dirty) as they are in object, to the row of its
 * id. NOT_FOUND if there is none. Mask 0 does nothing. A result whose stored status is terminal keeps its status:
 * a mask that would change it is a CONFLICT. */
void orr__tx_update(orr__tx *tx, const orr__object *object, uint64_t mask);
void orr__tx_delete(orr__tx *tx, enum orr__model_id model, int64_t id); /* NOT_FOUND if there is none */
/* Deletes all rows whose reference or integer field has the value (a result's journal); none is fine. */
void orr__tx_delete_where(orr__tx *tx, enum orr__model_id model, int field, int64_t value);
/* Deletes the rows up to this id (history limits); none is fine. It takes as long as there are rows that go. */
void orr__tx_prune(orr__tx *tx, enum orr__model_id model, int64_t up_to_id);
/* CONFLICT unless the row exists and its field has the value (string fields compare as text, NULL: unset). */
void orr__tx_guard_str(orr__tx *tx, enum orr__model_id model, int64_t id, int field, const char *value);
void orr__tx_guard_int(orr__tx *tx, enum orr__model_id model, int64_t id, int field, int64_t value);
/* REFUSED with the message unless no row of the model has the value in the integer field. */
void orr__tx_guard_none(orr__tx *tx, enum orr__model_id model, int field, int64_t value, const char *message);

/* Reads give each a slot number (0, 1, ...) by which the rows are taken after completion. Absent rows are no error. */
int orr__tx_get(orr__tx *tx, enum orr__model_id model, int64_t id);
/* The object and what it refers to, as a graph; model: result, backup or connection. */
int orr__tx_graph(orr__tx *tx, enum orr__model_id model, int64_t id);

/* A field without a value fulfils ORR_IS_UNSET and nothing else, not even ORR_NE. Texts compare by bytes. */
enum orr__compare { ORR_EQ, ORR_NE, ORR_LT, ORR_LE, ORR_GT, ORR_GE, ORR_IS_SET, ORR_IS_UNSET, ORR_PREFIX };
typedef struct orr__where {
  int field;
  enum orr__compare compare;
  const char *text;            /* for string fields */
  int64_t number;              /* for the others */
} orr__where;
/* All conditions hold (none: all rows). order_field < 0: by id; ties go by id, unset sorts below everything. limit 0:
 * no limit but 1,000,000; skip: so many rows before the first. Text is copied. A count looks at model and conditions only. Quick are conditions on id,
 * UNIQUE and INDEX fields (ORR_EQ, ORR_PREFIX, ORR_IS_SET). */
typedef struct orr__query {
  enum orr__model_id model;
  const orr__where *where;
  size_t where_count;
  int order_field;
  bool is_descending;
  size_t limit, skip;
  uint64_t fields;             /* a bit per field to load, 0: all (id always is) */
} orr__query;
int orr__tx_query(orr__tx *tx, const orr__query *query);
int orr__tx_count(orr__tx *tx, const orr__query *query);

/* Changes the key: a new one, and everything sealed with it; a count of the values in the slot (orr__tx_number). When that
 * has committed, a transaction with settle_keys drops the old key. REFUSED where nothing is sealed. */
int orr__tx_reseal(orr__tx *tx);
void orr__tx_settle_keys(orr__tx *tx);

/* ---- submitting ------------------------------------------------------------------------------------------- */

/* code 0, or why nothing of the transaction happened (err, borrowed, says more). The tx is freed after done returns;
 * rows that were taken from it stay with the taker. */
typedef void (*orr__tx_done)(void *arg, orr__tx *tx, int code, const orr_error *err);
/* Takes tx in every case. done may be NULL. If it cannot even be queued (sticky error, store failed or closing,
 * 1,000,000 waiting already), done still comes, later, with the code. */
void orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

/* In done: the rows of a slot. _take hands one over (NULL: none, or taken already); a graph is moved out. */
size_t orr__tx_rows(const orr__tx *tx, int slot);
orr__object *orr__tx_take(orr__tx *tx, int slot, size_t row);
const orr__object *orr__tx_row(const orr__tx *tx, int slot, size_t row);
bool orr__tx_take_graph(orr__tx *tx, int slot, orr__graph *ret_graph); /* false: the object does not exist */
int64_t orr__tx_number(const orr__tx *tx, int slot); /* of a count */

/* ---- care ------------------------------------------------------------------------------------------------- */

/* The version of SQLite that is linked with us, such as 3.40.1. */
const char *orr__store_library(void);
/* Checks integrity and the invariants (result rule, references); blocking, for `db check`, on a store that nobody
 * holds. Findings one per line in *ret_report (owned); returns 0 if there are none, else CORRUPT. */
int orr__store_check(const char *path, char **ret_report, orr_error *reterr);
/* The same in a chosen depth; orr__store_check is ORR_CHECK_FULL. Quick: the pages and the tables' shape only, no
 * index against its table and no rule against every row (opening does this much for a file that looks wrong). */
enum orr__check_mode { ORR_CHECK_FULL, ORR_CHECK_QUICK };
int orr__store_check_as(const char *path, enum orr__check_mode mode, char **ret_report, orr_error *reterr);
/* A consistent copy of the database into a new file while the store is open. Completes like a transaction, but out of
 * order: when the copy is whole and synced, which holds nobody up meanwhile; it is of that moment. EXISTS, IO; REFUSED
 * by the twin in memory. */
void orr__store_backup(orr__store *store, const char *to_path, orr__tx_done done, void *arg);

#endif
