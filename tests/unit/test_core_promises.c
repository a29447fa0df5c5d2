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

/* ---- ends that a hook saves itself -------------------------------------------------------------------------- */

static void saved(void *arg, int code, const orr_error *err) {
  (void)err;
  *(int *)arg = code;
}

/* The hook writes the status of the n-th of its results, and waits until that is durable. */
static int save(rig *r, enum orr__hook hook, size_t n, const char *status) {
  orr__call *call = rig_held(r, hook);
  assert_non_null(call);
  orr_result *result = call->batch_count ? call->batch[n].result : call->graph.result;
  const orr__provider_host *host = orr__core_host(r->core);
  int code = 1;
  orr__set_str(&result->head, ORR_F_result_status, status);
  host->checkpoint(host->core, call->id, &result->head, saved, &code);
  rig_settle(r);
  return code;
}

static void assert_is_retry(rig *r, int64_t id, int64_t of_id) {
  orr_result *retry = result_of(r, id), *first = result_of(r, of_id);
  assert_non_null(retry);
  assert_string_equal(first->status, "FAILED");
  assert_string_equal(retry->retryOf, first->uuid);
  assert_int_equal(retry->retryNumber, 1);
  orr__object_free(&retry->head);
  orr__object_free(&first->head);
}

static void assert_is_none(rig *r, int64_t id) {
  orr_result *result = result_of(r, id);
  assert_null(result);
}

static rig *holding(enum orr__hook hook, const char *backup) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_ok;
  r->hooks[hook] = hook == ORR_HOOK_executeBackup ? hook_starts : hook_ok;
  r->holds[hook] = true;
  rig_ask(r, "backup.create", backup);
  return r;
}

static const char retries[] = "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":1,\"retryDelay\":60}";

static void test_promises__an_end_that_is_saved_has_its_retry_with_it(void **state) {
  (void)state;
  rig *r = holding(ORR_HOOK_executeBackup, retries);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_int_equal(save(r, ORR_HOOK_executeBackup, 0, "FAILED"), 0);
  rig_kill_core(r);
  assert_is_retry(r, 2, 1);
  rig_open_core(r);
  r->holds[ORR_HOOK_executeBackup] = false;
  rig_advance(r, 90); /* it runs, and there is one only */
  orr_result *retry = result_of(r, 2);
  assert_string_equal(retry->status, "IN_PROGRESS");
  orr__object_free(&retry->head);
  assert_is_none(r, 3);
  rig_free(r);
}

static void test_promises__an_end_that_is_saved_is_run_again_once_also_when_its_hook_goes_on(void **state) {
  (void)state;
  rig *r = holding(ORR_HOOK_executeBackup, retries);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_int_equal(save(r, ORR_HOOK_executeBackup, 0, "FAILED"), 0);
  assert_int_equal(save(r, ORR_HOOK_executeBackup, 0, "FAILED"), 0);
  rig_release(r, ORR_HOOK_executeBackup);
  rig_advance(r, 90);
  assert_is_retry(r, 2, 1);
  assert_is_none(r, 3);
  rig_free(r);
}

static void test_promises__each_end_that_a_call_for_several_saves_has_its_retry(void **state) {
  (void)state;
  rig *r = holding(ORR_HOOK_refreshBackupResults, retries);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 61);
  assert_int_equal(save(r, ORR_HOOK_refreshBackupResults, 0, "FAILED"), 0);
  assert_int_equal(save(r, ORR_HOOK_refreshBackupResults, 1, "FAILED"), 0);
  assert_is_retry(r, 3, 1);
  assert_is_retry(r, 4, 2);
  rig_release(r, ORR_HOOK_refreshBackupResults);
  rig_settle(r);
  assert_is_none(r, 5);
  rig_free(r);
}

static void test_promises__a_good_end_that_is_saved_makes_retention_due(void **state) {
  (void)state;
  rig *r = holding(ORR_HOOK_executeBackup, "{\"name\":\"b\",\"provider\":\"fake\",\"keepLast\":1}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_int_equal(save(r, ORR_HOOK_executeBackup, 0, "SUCCEEDED"), 0);
  rig_kill_core(r);
  orr_backup *backup = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
  assert_true(orr__object_has(&backup->head, ORR_F_backup_retentionDate));
  orr__object_free(&backup->head);
  rig_open_core(r);
  rig_free(r);
}

static void test_promises__a_good_end_that_a_cancel_finds_makes_retention_due(void **state) {
  (void)state;
  rig *r = holding(ORR_HOOK_refreshBackupResult, "{\"name\":\"b\",\"provider\":\"fake\",\"keepLast\":1}");
  r->hooks[ORR_HOOK_cancelBackup] = hook_succeeds;
  for (int i = 0; i < 2; i++) {
    rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
    assert_int_equal(r->codes[rig_ask(r, "result.cancel", i ? "{\"result\":\"2\"}" : "{\"result\":\"1\"}")], 0);
  }
  rig_advance(r, 5);
  orr_result *second = result_of(r, 2);
  assert_string_equal(second->status, "SUCCEEDED");
  assert_is_none(r, 1);
  orr__object_free(&second->head);
  rig_free(r);
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
    cmocka_unit_test(test_promises__an_end_that_is_saved_has_its_retry_with_it),
    cmocka_unit_test(test_promises__an_end_that_is_saved_is_run_again_once_also_when_its_hook_goes_on),
    cmocka_unit_test(test_promises__each_end_that_a_call_for_several_saves_has_its_retry),
    cmocka_unit_test(test_promises__a_good_end_that_is_saved_makes_retention_due),
    cmocka_unit_test(test_promises__a_good_end_that_a_cancel_finds_makes_retention_due),
    cmocka_unit_test(test_promises__a_fire_and_the_cursor_are_one_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
