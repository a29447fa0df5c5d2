/* The promises that hang on what is one transaction and what comes first, each in its smallest scenario: the store is cut after
 * any commit, or the runtime dies after an act, and what is stored then has to be true by itself. What a runtime makes of it
 * afterwards is test_core_lifecycle.c's and the specs'. */
#include "core_helper.h"

#define MINUTE INT64_C(60000)

static void test_promises__what_acts_outside_has_its_row_inside(void **state) {
  (void)state;
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->acts[ORR_HOOK_executeBackup] = r->dies_after_act[ORR_HOOK_executeBackup] = true;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], 1);
  rig_kill_core(r);
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  assert_non_null(result);
  assert_non_null(result->uuid); /* the key it was started with */
  assert_true(orr__object_has(&result->head, ORR_F_result_sentDate));
  orr__object_free(&result->head);
  rig_open_core(r);
  rig_free(r);
}

/* ---- cut after any commit ----------------------------------------------------------------------------------- */

/* What the first n commits left, in a rig whose core is not there. */
static rig *cut(rig *whole, size_t n) {
  rig *r = rig_new();
  rig_settle(r);
  rig_kill_core(r);
  orr__store_close(r->store);
  assert_int_equal(orr__store_cut(whole->store, n, &(orr__store_config){ .wake = rig_wake }, &r->store, NULL), 0);
  return r;
}

static void cut_free(rig *r) {
  rig_open_core(r);
  rig_free(r);
}

static orr_result *result_of(rig *r, int64_t id) { return (orr_result *)rig_stored(r, ORR_M_result, id); }

static void test_promises__the_end_and_its_retry_are_one_transaction(void **state) {
  (void)state;
  rig *whole = rig_new();
  whole->hooks[ORR_HOOK_executeBackup] = hook_halts;
  rig_ask(whole, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":1,\"retryDelay\":60}");
  rig_ask(whole, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(whole, 10);
  size_t commits = orr__store_commits(whole->store);
  int ends = 0;
  for (size_t n = 1; n <= commits; n++) {
    rig *r = cut(whole, n);
    orr_result *first = result_of(r, 1), *second = result_of(r, 2);
    bool has_failed = first && orr__streq(first->status, "FAILED");
    assert_int_equal(has_failed, second != NULL);
    if (second) assert_string_equal(second->retryOf, first->uuid);
    ends += has_failed;
    orr__object_free((orr__object *)first);
    orr__object_free((orr__object *)second);
    cut_free(r);
  }
  assert_true(ends > 0 && ends < (int)commits);
  rig_free(whole);
}

static void test_promises__a_fire_and_the_cursor_are_one_transaction(void **state) {
  (void)state;
  rig *whole = rig_new();
  whole->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  int64_t began = orr__loop_wall_ms(whole->loop);
  rig_ask(whole, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"schedule\":\"*/5 * * * *\",\"timeZone\":\"UTC\"}");
  rig_advance(whole, 16 * 60);
  size_t commits = orr__store_commits(whole->store);
  int64_t most = 0;
  for (size_t n = 1; n <= commits; n++) {
    rig *r = cut(whole, n);
    orr_backup *backup = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
    int64_t fires = 0;
    for (orr_result *result; (result = result_of(r, fires + 1)) != NULL; fires++) {
      assert_int_equal(result->scheduledDate, began + (fires + 1) * 5 * MINUTE);
      orr__object_free(&result->head);
    }
    if (backup) assert_int_equal((backup->scheduleCursor - began) / (5 * MINUTE), fires);
    if (fires > most) most = fires;
    orr__object_free((orr__object *)backup);
    cut_free(r);
  }
  assert_int_equal(most, 3);
  rig_free(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_promises__what_acts_outside_has_its_row_inside),
    cmocka_unit_test(test_promises__the_end_and_its_retry_are_one_transaction),
    cmocka_unit_test(test_promises__a_fire_and_the_cursor_are_one_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
