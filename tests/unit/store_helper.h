/* For the tests of the store: opening it in a folder of its own, running one transaction and waiting for its
 * completion, making small objects. Waiting is for the store's wake, never for time. */
#ifndef STORE_HELPER_H
#define STORE_HELPER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/store.h"

typedef struct bench {
  orr__store *store;
  bool is_memory;
  char folder[64];
  char path[96];
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  size_t wakes;
  orr__store_codec codec;
  /* of the last completion */
  size_t completions;
  int code;
  char message[512];
} bench;

static inline void bench_wake(void *arg) {
  bench *b = arg;
  pthread_mutex_lock(&b->mutex);
  b->wakes++;
  pthread_cond_signal(&b->cond);
  pthread_mutex_unlock(&b->mutex);
}

static inline orr__store_config bench_config(bench *b) {
  return (orr__store_config){.path = b->path, .codec = b->codec, .wake = bench_wake, .wake_arg = b};
}

static inline void bench_init(bench *b, bool is_memory) {
  memset(b, 0, sizeof *b);
  b->is_memory = is_memory;
  pthread_mutex_init(&b->mutex, NULL);
  pthread_cond_init(&b->cond, NULL);
  strcpy(b->folder, "/tmp/orrery-store-XXXXXX");
  assert_non_null(mkdtemp(b->folder));
  snprintf(b->path, sizeof b->path, "%s/orrery.db", b->folder);
}

static inline int bench_try_open(bench *b, orr_error *reterr) {
  orr__store_config config = bench_config(b);
  return b->is_memory ? orr__store_open_memory(&config, &b->store, reterr)
                      : orr__store_open_sqlite(&config, &b->store, reterr);
}

static inline void bench_open(bench *b) {
  orr_error err = ORR_ERROR_INIT;
  int code = bench_try_open(b, &err);
  if (code) fail_msg("open: %s", orr__error_message(&err));
}

static inline void bench_close(bench *b) {
  orr__store_close(b->store);
  b->store = NULL;
}

static inline void bench_clear(bench *b) {
  bench_close(b);
  DIR *dir = opendir(b->folder);
  for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
    if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
  if (dir) closedir(dir);
  rmdir(b->folder);
  pthread_mutex_destroy(&b->mutex);
  pthread_cond_destroy(&b->cond);
}

/* Waits for a wake and drains; returns how many completions ran. */
static inline size_t bench_turn(bench *b) {
  pthread_mutex_lock(&b->mutex);
  while (b->wakes == 0) pthread_cond_wait(&b->cond, &b->mutex);
  b->wakes = 0;
  pthread_mutex_unlock(&b->mutex);
  return orr__store_drain(b->store);
}

static inline void bench_settle(bench *b) {
  while (orr__store_pending(b->store) > 0) bench_turn(b);
}

typedef void (*bench_look)(orr__tx *tx, void *arg);
typedef struct bench_call {
  bench *b;
  bench_look look;
  void *arg;
} bench_call;

static inline void bench_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  bench_call *call = arg;
  call->b->completions++;
  call->b->code = code;
  snprintf(call->b->message, sizeof call->b->message, "%s", err ? orr__error_message(err) : "");
  assert_int_equal(code, err ? err->code : 0);
  if (call->look && !code) call->look(tx, call->arg);
}

/* Submits, waits, gives what it was told to `look` (in done); returns the code. */
static inline int bench_run_look(bench *b, orr__tx *tx, bench_look look, void *arg) {
  bench_call call = {b, look, arg};
  orr__store_submit(b->store, tx, bench_done, &call);
  bench_settle(b);
  return b->code;
}

static inline int bench_run(bench *b, orr__tx *tx) {
  return bench_run_look(b, tx, NULL, NULL);
}

static inline void note_code(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx, (void)err;
  *(int *)arg = code;
}

/* ---- objects ------------------------------------------------------------------------------------------------- */

static inline orr_backup *make_backup(int64_t id, const char *name) {
  orr_backup *backup = orr__backup_new();
  char uuid[40];
  snprintf(uuid, sizeof uuid, "backup-%lld", (long long)id);
  orr__set_int(&backup->head, ORR_F_backup_id, id);
  orr__set_str(&backup->head, ORR_F_backup_uuid, uuid);
  orr__set_str(&backup->head, ORR_F_backup_name, name);
  orr__set_str(&backup->head, ORR_F_backup_providerCode, "archive");
  return backup;
}

static inline orr_result *make_result(int64_t id, int64_t backup_id, const char *status, int64_t due) {
  orr_result *result = orr__result_new();
  char uuid[40];
  snprintf(uuid, sizeof uuid, "result-%lld", (long long)id);
  orr__set_int(&result->head, ORR_F_result_id, id);
  orr__set_str(&result->head, ORR_F_result_uuid, uuid);
  orr__set_int(&result->head, ORR_F_result_backupId, backup_id);
  orr__set_str(&result->head, ORR_F_result_status, status);
  if (due) orr__set_int(&result->head, ORR_F_result_nextActionDate, due);
  return result;
}

static inline int insert_object(bench *b, orr__object *object) {
  orr__tx *tx = orr__tx_new();
  orr__tx_insert(tx, object);
  orr__object_free(object);
  return bench_run(b, tx);
}

static inline int insert_backup(bench *b, int64_t id, const char *name) {
  return insert_object(b, &make_backup(id, name)->head);
}

static inline int insert_result(bench *b, int64_t id, int64_t backup_id, const char *status, int64_t due) {
  return insert_object(b, &make_result(id, backup_id, status, due)->head);
}

static inline void bench_keep_row(orr__tx *tx, void *arg) {
  *(orr__object **)arg = orr__tx_take(tx, 0, 0);
}

/* Owned; NULL if there is none. */
static inline orr__object *get_object(bench *b, enum orr__model_id model, int64_t id) {
  orr__object *row = NULL;
  orr__tx *tx = orr__tx_new();
  orr__tx_get(tx, model, id);
  assert_int_equal(bench_run_look(b, tx, bench_keep_row, &row), 0);
  return row;
}

static inline void bench_keep_number(orr__tx *tx, void *arg) {
  *(int64_t *)arg = orr__tx_number(tx, 0);
}

static inline int64_t count_rows(bench *b, enum orr__model_id model) {
  int64_t number = -1;
  orr__tx *tx = orr__tx_new();
  orr__tx_count(tx, &(orr__query){.model = model, .order_field = -1});
  assert_int_equal(bench_run_look(b, tx, bench_keep_number, &number), 0);
  return number;
}

#endif
