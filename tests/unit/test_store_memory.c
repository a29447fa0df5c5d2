/* The twin in memory: cutting it after any commit gives the store as it was then. */
#include "store_helper.h"

static int set_up(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, true);
  bench_open(b);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench_clear(*state);
  free(*state);
  return 0;
}

/* The bench's store gives way to the cut. */
static void cut(bench *b, size_t n) {
  orr__store_config config = bench_config(b);
  orr__store *store = NULL;
  assert_int_equal(orr__store_cut(b->store, n, &config, &store, NULL), 0);
  bench_close(b);
  b->store = store;
}

static void rename_backup(bench *b, int64_t id, const char *name, int expected) {
  orr_backup *backup = make_backup(id, name);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_name));
  orr__object_free(&backup->head);
  assert_int_equal(bench_run(b, tx), expected);
}

static void assert_name(bench *b, int64_t id, const char *name) {
  orr_backup *backup = (orr_backup *)(void *)get_object(b, ORR_M_backup, id);
  if (name) assert_string_equal(backup->name, name);
  else assert_null(backup);
  if (backup) orr__object_free(&backup->head);
}

/* Commits: 1 insert one, 2 insert two, 3 rename one, 4 delete two. Between them what does not count: refusals, reads. */
static void write_history(bench *b) {
  assert_int_equal(insert_backup(b, 1, "one"), 0);
  assert_int_equal(insert_backup(b, 2, "one"), ORR_E_EXISTS);
  assert_int_equal(insert_backup(b, 2, "two"), 0);
  count_rows(b, ORR_M_backup);
  rename_backup(b, 1, "two", ORR_E_EXISTS);
  rename_backup(b, 1, "uno", 0);
  orr__tx *tx = orr__tx_new();
  orr__tx_guard_str(tx, ORR_M_backup, 2, ORR_F_backup_name, "two");
  orr__tx_delete(tx, ORR_M_backup, 2);
  assert_int_equal(bench_run(b, tx), 0);
}

static void test_memory__is_cut_after_any_commit(void **state) {
  bench *b = *state;
  const char *first[] = {NULL, "one", "one", "uno", "uno"};
  const char *second[] = {NULL, NULL, "two", "two", NULL};
  for (size_t n = 0; n <= 4; n++) {
    bench_close(b);
    bench_open(b);
    write_history(b);
    assert_int_equal(orr__store_commits(b->store), 4);
    cut(b, n);
    assert_int_equal(orr__store_commits(b->store), n);
    assert_int_equal(orr__store_pending(b->store), 0);
    assert_name(b, 1, first[n]);
    assert_name(b, 2, second[n]);
    assert_int_equal(orr__store_next_id(b->store, ORR_M_backup), n < 2 ? (int64_t)n + 1 : 3);
  }
}

static void test_memory__a_cut_goes_on_and_can_be_cut_again(void **state) {
  bench *b = *state;
  write_history(b);
  cut(b, 3);
  rename_backup(b, 2, "dos", 0);
  cut(b, 4);
  assert_name(b, 1, "uno");
  assert_name(b, 2, "dos");
  cut(b, 2);
  assert_name(b, 1, "one");
}

static void test_memory__cannot_be_cut_where_it_has_not_been(void **state) {
  bench *b = *state;
  orr__store_config config = bench_config(b);
  orr__store *store = NULL;
  assert_int_equal(orr__store_cut(b->store, 1, &config, &store, NULL), ORR_E_MISUSE);
  assert_null(store);
}

static void test_memory__has_no_file_to_copy(void **state) {
  bench *b = *state;
  int code = 0;
  orr__store_backup(b->store, "/nonexistent", note_code, &code);
  assert_int_equal(code, 0);
  bench_settle(b);
  assert_int_equal(code, ORR_E_REFUSED);
}

static void test_memory__keeps_no_endless_log(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  orr_backup *backup = make_backup(1, "x");
  for (int i = 0; i < 20000; i++) {
    orr__tx *tx = orr__tx_new();
    orr__set_str(&backup->head, ORR_F_backup_statusMessage, i % 2 ? "odd" : "even");
    orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_statusMessage));
    orr__store_submit(b->store, tx, NULL, NULL);
    orr__store_drain(b->store);
  }
  orr__object_free(&backup->head);
  assert_int_equal(orr__store_commits(b->store), 20001);
  orr__store_config config = bench_config(b);
  orr__store *store = NULL;
  assert_int_equal(orr__store_cut(b->store, 5, &config, &store, NULL), ORR_E_LIMIT);
  assert_int_equal(insert_backup(b, 2, "y"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_memory__is_cut_after_any_commit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory__a_cut_goes_on_and_can_be_cut_again, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory__cannot_be_cut_where_it_has_not_been, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory__has_no_file_to_copy, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_memory__keeps_no_endless_log, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
