/* One allocation of the store on disk fails, at every place: of SQLite's own, and of ours in both threads. Then whoever submitted is told, a
 * transaction that was acknowledged is whole and one that was not is not half there, what comes later works or is told that the store has
 * failed, and the next opening finds a sound database. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* What follows allocates for the test. */
#define calloc __real_calloc
#include "store_helper.h"
#undef calloc

/* No power fails here: what is synced is another test's business, and a thousand openings are quicker so. */
__attribute__((visibility("default"))) int fdatasync(int fd) { return fd < 0; }
__attribute__((visibility("default"))) int fsync(int fd) { return fd < 0; }

#ifdef __SANITIZE_ADDRESS__
#define STEP 5 /* which takes long */
#else
#define STEP 1
#endif

enum whose { OURS, SQLITE, NOBODYS };

static atomic_int allocations, fails_at, whose_fails;

static bool fails(enum whose whose) {
  if (atomic_load(&whose_fails) != (int)whose) return false;
  return atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&fails_at);
}

void *__wrap_malloc(size_t size) { return fails(OURS) ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails(OURS) ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails(OURS) ? NULL : __real_realloc(old, size); }

static sqlite3_mem_methods below;

static void *shim_malloc(int size) { return fails(SQLITE) ? NULL : below.xMalloc(size); }
static void *shim_realloc(void *old, int size) { return fails(SQLITE) ? NULL : below.xRealloc(old, size); }

static void fail_at(enum whose whose, int n) {
  atomic_store(&allocations, 0);
  atomic_store(&whose_fails, whose);
  atomic_store(&fails_at, n);
}

/* ---- transactions -------------------------------------------------------------------------------------------- */

/* A Backup, and changes to it and to the one before: all or nothing. */
static orr__tx *make(int64_t id) {
  char name[40];
  snprintf(name, sizeof name, "backup %lld", (long long)id);
  orr__tx *tx = orr__tx_new();
  orr_backup *backup = make_backup(id, name);
  orr__tx_insert(tx, &backup->head);
  orr__set_str(&backup->head, ORR_F_backup_statusMessage, "changed");
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_statusMessage));
  orr__object_free(&backup->head);
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_backup, .order_field = -1 });
  return tx;
}

typedef struct seen {
  size_t rows, changed;
} seen;

static void count_rows_of(orr__tx *tx, void *arg) {
  seen *s = arg;
  s->rows = orr__tx_rows(tx, 0);
  for (size_t i = 0; i < s->rows; i++) s->changed += ((const orr_backup *)orr__tx_row(tx, 0, i))->statusMessage != NULL;
}

static seen look(bench *b) {
  seen s = { 0, 0 };
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_backup, .order_field = -1 });
  assert_int_equal(bench_run_look(b, tx, count_rows_of, &s), 0);
  return s;
}

/* A database that has been opened once. */
static char *fresh;
static size_t fresh_len;

static void make_fresh(void) {
  bench b;
  bench_init(&b, false);
  bench_open(&b);
  bench_close(&b);
  assert_int_equal(orr__file_read(b.path, 1 << 24, &fresh, &fresh_len, NULL), 0);
  bench_clear(&b);
}

/* Three transactions after an opening, while the n-th allocation fails. Returns how many there were. */
static int once(enum whose whose, int n) {
  bench b;
  size_t acknowledged = 0;
  bench_init(&b, false);
  assert_int_equal(orr__file_write(b.path, fresh, fresh_len, 0600, NULL), 0);
  orr_error err = ORR_ERROR_INIT;
  fail_at(whose, n);
  int code = bench_try_open(&b, &err);
  for (int64_t id = 1; code == 0 && id <= 3; id++) {
    atomic_store(&whose_fails, NOBODYS); /* the building of transactions is test_core_alloc.c's */
    orr__tx *tx = make(id);
    atomic_store(&whose_fails, whose);
    acknowledged += bench_run(&b, tx) == 0;
  }
  int used = atomic_load(&allocations);
  fail_at(whose, 0);
  orr__error_clear(&err);
  if (code == 0) {
    int later = bench_run(&b, make(4));
    if (later && !orr__store_failed(b.store)) fail_msg("allocation %d: the store is well, and refuses: %s", n, b.message);
    acknowledged += later == 0;
    bench_close(&b);
  }
  bench_open(&b);
  seen s = look(&b);
  if (s.rows != acknowledged || s.changed != s.rows) fail_msg("allocation %d: %zu acknowledged, %zu rows, %zu whole", n, acknowledged, s.rows, s.changed);
  bench_close(&b);
  char *report = NULL;
  assert_int_equal(orr__store_check(b.path, &report, NULL), 0);
  free(report);
  bench_clear(&b);
  return used;
}

static void everywhere(enum whose whose) {
  make_fresh();
  int used = once(whose, 0);
  printf("%d allocations\n", used);
  assert_true(used > 20);
  for (int n = 1; n <= used; n += STEP) once(whose, n);
  free(fresh);
}

static void test_sqlite_alloc__one_of_sqlites_fails(void **state) {
  (void)state;
  everywhere(SQLITE);
}

static void test_sqlite_alloc__one_of_ours_fails(void **state) {
  (void)state;
  everywhere(OURS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sqlite_alloc__one_of_sqlites_fails),
    cmocka_unit_test(test_sqlite_alloc__one_of_ours_fails),
  };
  sqlite3_mem_methods shim;
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below)) return 1;
  shim = below;
  shim.xMalloc = shim_malloc;
  shim.xRealloc = shim_realloc;
  if (sqlite3_config(SQLITE_CONFIG_MALLOC, &shim)) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
