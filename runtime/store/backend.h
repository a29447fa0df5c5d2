/* What a backend of the store is: how groups of transactions are carried out. SQLite and the twin in memory are
 * two; PostgreSQL would be the third. Queues, threads, completions and ids are store.c's and the same for all.
 *
 * A backend with is_threaded set is called on the store's thread only, between its opening and its closing; one
 * without is called inside orr__store_submit. */
#ifndef ORR_STORE_BACKEND_H
#define ORR_STORE_BACKEND_H

#include "store/tx.h"

typedef struct orr__store_ops {
  bool is_threaded;
  /* Carries out the transactions of the list (by next) whose code is 0, in order, as one durable commit; a refused
   * one gets its code and err and leaves its neighbours alone. Not 0: the commit went wrong, nothing of the group
   * can be told to have happened, and the store has failed for good. */
  int (*run)(void *self, orr__tx *group, orr_error *reterr);
  /* Housekeeping after a group's completions have been handed over. Not 0: the store has failed for good. NULL: none. */
  int (*tidy)(void *self, orr_error *reterr);
  /* A slice of the backup to tx->backup_path; true once it is done (code and err say how) . With is_aborted set it
   * only cleans up. Never more than one backup at a time. */
  bool (*backup)(void *self, orr__tx *tx, bool is_aborted);
  /* Ends it. has_failed: touch the data no more than closing takes. */
  void (*close)(void *self, bool has_failed);
} orr__store_ops;

/* Makes a store of an opened backend, which it takes over when this succeeds. last_id: the greatest id ever given
 * out, per model. */
int orr__store_new(const orr__store_ops *ops, void *self, const orr__store_config *config,
                   const int64_t last_id[ORR_M_COUNT], orr__store **ret_store, orr_error *reterr);
/* The backend, if it is of this kind, else NULL. */
void *orr__store_backend(const orr__store *store, const orr__store_ops *ops);

#endif
