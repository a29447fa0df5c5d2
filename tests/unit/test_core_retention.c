/* Retention on virtual time: which results go, and which stay, by what policy. */
#include "retention_helper.h"

/* ---- the policy --------------------------------------------------------------------------------------------- */

static void test_retention__keeps_the_newest_good_results(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":2");
  run_times(r, 2);
  assert_string_equal(there(r), "1 2");
  run_times(r, 3);
  assert_string_equal(there(r), "4 5");
  assert_string_equal(asked_for(), "1 2 3");
  assert_string_equal(asked_trigger, "retention");
  rig_free(r);
}

static void test_retention__without_a_policy_everything_stays(void **state) {
  (void)state;
  rig *r = rig_keeping("");
  run_times(r, 4);
  pass_days(r, 1000);
  assert_string_equal(there(r), "1 2 3 4");
  assert_int_equal(asked_count, 0);
  rig_free(r);
}

static void test_retention__keeps_the_young_ones(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepDays\":3.01");
  for (int day = 0; day < 5; day++) { /* one a day */
    run_times(r, 1);
    if (day < 4) pass_days(r, 1);
  }
  assert_string_equal(there(r), "2 3 4 5"); /* the first is older than that, the second not quite */
  pass_days(r, 0.5);
  assert_string_equal(there(r), "3 4 5");
  rig_free(r);
}

static void test_retention__expires_without_a_new_result(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepDays\":3");
  run_times(r, 1);
  pass_days(r, 1);
  run_times(r, 2);
  pass_days(r, 1.9);
  assert_string_equal(there(r), "1 2 3");
  pass_days(r, 0.2);
  assert_string_equal(there(r), "2 3");
  pass_days(r, 1);
  assert_string_equal(there(r), "3"); /* the newest good one never goes */
  pass_days(r, 400);
  assert_string_equal(there(r), "3");
  run_times(r, 1);
  assert_string_equal(there(r), "4");
  rig_free(r);
}

static void test_retention__either_of_both_keeps(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":2,\"keepDays\":3");
  run_times(r, 5);
  assert_string_equal(there(r), "1 2 3 4 5"); /* young */
  pass_days(r, 2);
  run_times(r, 1);
  pass_days(r, 1.1);
  assert_string_equal(there(r), "5 6"); /* 5 only by number */
  pass_days(r, 5);
  assert_string_equal(there(r), "5 6"); /* both by number */
  rig_free(r);
}

/* What is younger by its date than by its number stays, and does not keep what is between. */
static void test_retention__age_is_the_end_of_a_result(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1,\"keepDays\":3");
  run_times(r, 4);
  orr_result *first = (orr_result *)rig_stored(r, ORR_M_result, 1);
  set_field(r, ORR_M_result, 1, ORR_F_result_endDate, first->endDate + 2 * DAY * 1000, 0);
  orr__object_free(&first->head);
  pass_days(r, 3.5);
  assert_string_equal(there(r), "1 4");
  pass_days(r, 2);
  assert_string_equal(there(r), "4");
  rig_free(r);
}

static void test_retention__failures_go_with_the_good_ones_around_them(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":2");
  run_with(r, hook_fails);    /* 1 */
  run_with(r, hook_succeeds); /* 2 */
  assert_string_equal(there(r), "2");
  run_with(r, hook_fails);    /* 3 */
  run_with(r, hook_succeeds); /* 4 */
  run_with(r, hook_fails);    /* 5 */
  assert_string_equal(there(r), "2 3 4 5");
  run_with(r, hook_succeeds); /* 6 */
  assert_string_equal(there(r), "4 5 6");
  assert_string_equal(asked_for(), "2"); /* the failures left nothing outside: no hook */
  run_with(r, hook_succeeds); /* 7 */
  assert_string_equal(there(r), "6 7");
  assert_string_equal(asked_for(), "2 4");
  rig_free(r);
}

static void hook_fails_late(rig *r, orr__call *call, orr__answer *answer) {
  orr__set_str(&call->graph.result->head, ORR_F_result_externalId, "half");
  hook_fails(r, call, answer);
}

static void test_retention__a_failure_that_may_have_left_something_goes_through_the_hook(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_with(r, hook_fails_late);
  run_with(r, hook_succeeds);
  assert_string_equal(asked_for(), "1");
  assert_string_equal(there(r), "2");
  r->acts[ORR_HOOK_executeBackup] = true; /* it was sent, and nobody knows an id */
  run_with(r, hook_fails);
  run_with(r, hook_succeeds);
  assert_string_equal(asked_for(), "1 2 3");
  assert_string_equal(there(r), "4");
  rig_free(r);
}

static void test_retention__what_runs_or_needs_attention_stays(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1,\"refreshInterval\":86400");
  run_with(r, hook_starts); /* 1 runs */
  r->dies_after_act[ORR_HOOK_executeBackup] = r->acts[ORR_HOOK_executeBackup] = true;
  run_with(r, hook_succeeds); /* 2: nobody knows whether it runs */
  reopen(r);
  r->dies_after_act[ORR_HOOK_executeBackup] = r->acts[ORR_HOOK_executeBackup] = false;
  assert_field(r, "result.show", "{\"result\":\"2\"}", "attention", "unknown_start");
  run_times(r, 2);
  assert_string_equal(there(r), "1 2 4");
  assert_string_equal(asked_for(), "3");
  rig_free(r);
}

/* ---- setting one -------------------------------------------------------------------------------------------- */

static void test_retention__wants_a_provider_that_deletes(void **state) {
  (void)state;
  rig *r = rig_keeping("");
  r->hooks[ORR_HOOK_deleteBackupResult] = NULL;
  uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"c\",\"provider\":\"fake\",\"keepLast\":1}");
  assert_int_equal(r->codes[id], ORR_E_INVALID);
  assert_string_equal(orr__error_message(&r->errors[id]),
                      "keepLast needs a provider that deletes results: the provider 'fake' cannot");
  rig_free(r);
}

static void test_retention__refuses_numbers_that_make_no_sense(void **state) {
  (void)state;
  rig *r = rig_keeping("");
  static const char *const wrong[] = { "\"keepLast\":0", "\"keepLast\":-1", "\"keepLast\":1.5", "\"keepLast\":1e9",
                                       "\"keepLast\":\"2\"", "\"keepDays\":0", "\"keepDays\":-0.1", "\"keepDays\":1e9",
                                       "\"keepLast\":1,\"keepDays\":0" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char args[200];
    uint64_t id = 0;
    snprintf(args, sizeof args, "{\"name\":\"c\",\"provider\":\"fake\",%s}", wrong[i]);
    int code = orr__core_submit(r->core, "backup.create", args, &id, NULL);
    rig_settle(r);
    assert_int_equal(code ? code : r->codes[id], ORR_E_INVALID);
  }
  assert_null(rig_stored(r, ORR_M_backup, 2));
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_retention__keeps_the_newest_good_results),
    cmocka_unit_test(test_retention__without_a_policy_everything_stays),
    cmocka_unit_test(test_retention__keeps_the_young_ones),
    cmocka_unit_test(test_retention__expires_without_a_new_result),
    cmocka_unit_test(test_retention__either_of_both_keeps),
    cmocka_unit_test(test_retention__age_is_the_end_of_a_result),
    cmocka_unit_test(test_retention__failures_go_with_the_good_ones_around_them),
    cmocka_unit_test(test_retention__a_failure_that_may_have_left_something_goes_through_the_hook),
    cmocka_unit_test(test_retention__what_runs_or_needs_attention_stays),
    cmocka_unit_test(test_retention__wants_a_provider_that_deletes),
    cmocka_unit_test(test_retention__refuses_numbers_that_make_no_sense),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
