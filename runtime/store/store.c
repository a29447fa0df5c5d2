/* The store's front: queue, thread, groups, completions, ids.
 *
 *   submit -> queued -> (thread: groups of at most GROUP_TX) -> finished -> drain -> done
 *                    \-> backups, a slice after every group --^
 *
 * Deliberately does not know SQL or any backend. Invariants: a transaction is in exactly one list; `queued` and
 * `finished` are guarded by the mutex, `ready`, `pending` and the ids belong to the loop thread, `backups` and
 * `failure` to the store's thread; whoever makes `finished` non-empty wakes the loop, once; once `failed` is set no
 * transaction is carried out any more. Transactions keep their order from submit to done, except that a backup is
 * done when its copy is, and holds nobody up meanwhile. */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/backend.h"

enum {
  GROUP_TX = 4096,        /* most transactions of one commit */
  GROUP_STEPS = 65536,    /* about how many steps of one commit */
  PENDING_TX = 1000000,   /* most transactions on the way */
};

typedef struct tx_list {
  orr__tx *first;
  orr__tx *last;
} tx_list;

struct orr__store {
  const orr__store_ops *ops;
  void *backend;
  void (*wake)(void *arg);
  void *wake_arg;
  int64_t last_id[ORR_M_COUNT];
  orr__tx *spare;           /* for a backup asked for when memory has run out */
  size_t pending;
  bool is_closing;
  tx_list ready;
  pthread_mutex_t mutex;
  pthread_cond_t has_work;
  pthread_cond_t has_finished;
  tx_list queued;
  tx_list finished;
  bool is_idle;             /* the thread waits for work */
  bool is_awaited;          /* the loop thread waits for completions */
  bool must_stop;
  pthread_t thread;
  tx_list backups;
  orr_error failure;
  atomic_int failed;
};

static void append(tx_list *list, orr__tx *tx) {
  tx->next = NULL;
  if (list->last) list->last->next = tx;
  else list->first = tx;
  list->last = tx;
}

static void splice(tx_list *to, tx_list *from) {
  if (!from->first) return;
  if (to->last) to->last->next = from->first;
  else to->first = from->first;
  to->last = from->last;
  *from = (tx_list){0};
}

static orr__tx *pop(tx_list *list) {
  orr__tx *tx = list->first;
  if (!tx) return NULL;
  list->first = tx->next;
  if (!list->first) list->last = NULL;
  tx->next = NULL;
  return tx;
}

/* ---- the store's thread -------------------------------------------------------------------------------------- */

static void hand_over(orr__store *store, tx_list *list) {
  if (!list->first) return;
  pthread_mutex_lock(&store->mutex);
  bool must_wake = !store->finished.first;
  splice(&store->finished, list);
  if (store->is_awaited) pthread_cond_signal(&store->has_finished);
  pthread_mutex_unlock(&store->mutex);
  if (must_wake && store->wake) store->wake(store->wake_arg);
}

static void fail(orr__store *store, orr_error *err, int code) {
  if (atomic_load(&store->failed)) {
    orr__error_clear(err);
    return;
  }
  orr__error_move(&store->failure, err);
  atomic_store(&store->failed, code);
}

static void refuse(orr__store *store, orr__tx *tx) {
  int code = atomic_load(&store->failed);
  if (tx->code || !code) return;
  tx->code = code;
  orr__error_copy(&tx->err, &store->failure);
}

static void run_group(orr__store *store, tx_list *group) {
  if (!group->first) return;
  if (!atomic_load(&store->failed)) {
    orr_error err = ORR_ERROR_INIT;
    int code = store->ops->run(store->backend, group->first, &err);
    if (code) fail(store, &err, code);
  }
  for (orr__tx *tx = group->first; tx; tx = tx->next) refuse(store, tx);
  hand_over(store, group);
  if (store->ops->tidy && !atomic_load(&store->failed)) {
    orr_error err = ORR_ERROR_INIT;
    int code = store->ops->tidy(store->backend, &err);
    if (code) fail(store, &err, code);
  }
}

static void run_backup(orr__store *store) {
  orr__tx *tx = store->backups.first;
  if (!tx) return;
  refuse(store, tx);
  if (!store->ops->backup(store->backend, tx, tx->code != 0)) return;
  tx_list list = {0};
  append(&list, pop(&store->backups));
  hand_over(store, &list);
}

static void run_all(orr__store *store, tx_list *work) {
  while (work->first) {
    tx_list group = {0};
    size_t count = 0, steps = 0;
    while (work->first && count < GROUP_TX && steps < GROUP_STEPS) {
      orr__tx *tx = pop(work);
      if (tx->backup_path && !tx->code) {
        append(&store->backups, tx);
        continue;
      }
      append(&group, tx);
      count++;
      steps += tx->step_count;
    }
    run_group(store, &group);
    run_backup(store);
  }
}

static void *run_thread(void *arg) {
  orr__store *store = arg;
  for (;;) {
    pthread_mutex_lock(&store->mutex);
    while (!store->queued.first && !store->backups.first && !store->must_stop) {
      store->is_idle = true;
      pthread_cond_wait(&store->has_work, &store->mutex);
    }
    store->is_idle = false;
    tx_list work = {0};
    splice(&work, &store->queued);
    pthread_mutex_unlock(&store->mutex);
    if (!work.first && !store->backups.first) return NULL;
    if (work.first) run_all(store, &work);
    else run_backup(store);
  }
}

/* ---- opening and closing ------------------------------------------------------------------------------------- */

static int start_thread(orr__store *store, orr_error *reterr) {
  /* Signals are the host's: its handlers shall not run on our thread. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(&store->thread, NULL, run_thread, store);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (rc) return orr__error_errno(reterr, ORR_E_IO, rc, "the store's thread cannot start");
  pthread_setname_np(store->thread, "orrery-store");
  return 0;
}

static void free_store(orr__store *store) {
  orr__tx_free(store->spare);
  orr__error_clear(&store->failure);
  pthread_cond_destroy(&store->has_work);
  pthread_cond_destroy(&store->has_finished);
  pthread_mutex_destroy(&store->mutex);
  free(store);
}

int orr__store_new(const orr__store_ops *ops, void *self, const orr__store_config *config,
                   const int64_t last_id[ORR_M_COUNT], orr__store **ret_store, orr_error *reterr) {
  orr__store *store = calloc(1, sizeof *store);
  if (!store) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  store->spare = orr__tx_new();
  store->ops = ops;
  store->backend = self;
  store->wake = config->wake;
  store->wake_arg = config->wake_arg;
  for (int i = 0; i < ORR_M_COUNT; i++) store->last_id[i] = last_id[i];
  pthread_mutex_init(&store->mutex, NULL);
  pthread_cond_init(&store->has_work, NULL);
  pthread_cond_init(&store->has_finished, NULL);
  int code = ops->is_threaded ? start_thread(store, reterr) : 0;
  if (code) free_store(store);
  else *ret_store = store;
  return code;
}

void *orr__store_backend(const orr__store *store, const orr__store_ops *ops) {
  return store->ops == ops ? store->backend : NULL;
}

void orr__store_close(orr__store *store) {
  if (!store) return;
  store->is_closing = true;
  while (orr__store_drain(store), store->pending > 0) {
    pthread_mutex_lock(&store->mutex);
    store->is_awaited = true;
    while (!store->finished.first) pthread_cond_wait(&store->has_finished, &store->mutex);
    store->is_awaited = false;
    pthread_mutex_unlock(&store->mutex);
  }
  if (store->ops->is_threaded) {
    pthread_mutex_lock(&store->mutex);
    store->must_stop = true;
    pthread_cond_signal(&store->has_work);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
  }
  store->ops->close(store->backend, atomic_load(&store->failed) != 0);
  free_store(store);
}

/* ---- the loop thread's side ---------------------------------------------------------------------------------- */

void orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  assert(tx && !tx->done);
  tx->done = done;
  tx->arg = arg;
  if (store->is_closing) orr__tx_fail(tx, ORR_E_CLOSED, "the store is closing");
  if (store->pending >= PENDING_TX) orr__tx_fail(tx, ORR_E_LIMIT, "%d transactions are waiting", (int)PENDING_TX);
  for (int i = 0; i < ORR_M_COUNT; i++)
    if (tx->top_id[i] > store->last_id[i]) store->last_id[i] = tx->top_id[i];
  store->pending++;
  if (!store->ops->is_threaded) {
    tx_list work = {0};
    append(&work, tx);
    run_all(store, &work);
    return;
  }
  pthread_mutex_lock(&store->mutex);
  append(&store->queued, tx);
  if (store->is_idle) {
    store->is_idle = false;
    pthread_cond_signal(&store->has_work);
  }
  pthread_mutex_unlock(&store->mutex);
}

size_t orr__store_drain(orr__store *store) {
  pthread_mutex_lock(&store->mutex);
  splice(&store->ready, &store->finished);
  pthread_mutex_unlock(&store->mutex);
  /* From a list of the store's, so that a drain inside a completion goes on in order. Only up to what was there at
   * the start: with the twin in memory a completion that submits would otherwise keep us here for ever. */
  if (!store->spare) store->spare = orr__tx_new();
  size_t count = 0;
  for (orr__tx *tx; (tx = pop(&store->ready)) != NULL; count++) {
    store->pending--;
    if (tx->done) tx->done(tx->arg, tx, tx->code, tx->code ? &tx->err : NULL);
    orr__tx_drop_rows(tx);
    orr__tx_free(tx);
  }
  return count;
}

size_t orr__store_pending(const orr__store *store) {
  return store->pending;
}

int64_t orr__store_next_id(orr__store *store, enum orr__model_id model) {
  return ++store->last_id[model];
}

int64_t orr__store_last_id(const orr__store *store, enum orr__model_id model) {
  return store->last_id[model];
}

int orr__store_failed(const orr__store *store) {
  return atomic_load(&store->failed);
}

void orr__store_backup(orr__store *store, const char *to_path, orr__tx_done done, void *arg) {
  orr__tx *tx = orr__tx_new();
  if (!tx) {
    /* The caller still has to be told, later and by way of a transaction: that is what the spare is for. */
    tx = store->spare;
    store->spare = NULL;
    if (!tx) return;
    orr__tx_fail(tx, ORR_E_NOMEM, "out of memory");
  }
  tx->backup_path = orr__tx_text(tx, to_path);
  orr__store_submit(store, tx, done, arg);
}
