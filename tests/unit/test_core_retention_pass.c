/* Passes of retention: what the provider refuses, what happens meanwhile, and dying in their midst. */
#include "retention_helper.h"

/* ---- what is refused ---------------------------------------------------------------------------------------- */

static void test_retention_pass__a_halt_keeps_the_record_and_says_so(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_times(r, 1);
  halts_on = 1;
  run_times(r, 3);
  assert_string_equal(there(r), "1 4"); /* it does not keep the others from going */
  assert_string_equal(asked_for(), "1 2 3");
  assert_int_equal(events_of(r, "retention.halted"), 1);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "deleteMessage", "on legal hold");
  pass_days(r, 0.9);
  assert_int_equal(asked_count, 3); /* not before a day has passed, */
  run_times(r, 1);
  assert_string_equal(asked_for(), "1 2 3 4"); /* whatever else happens */
  pass_days(r, 0.2);
  assert_string_equal(asked_for(), "1 2 3 4 1");
  halts_on = 0;
  pass_days(r, 1.1);
  assert_string_equal(there(r), "5");
  rig_free(r);
}

static void test_retention_pass__a_refusal_is_remembered_by_the_next_runtime(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  halts_on = 1;
  run_times(r, 2);
  assert_int_equal(asked_count, 1);
  reopen(r);
  rig_advance(r, 5);
  assert_int_equal(asked_count, 1);
  halts_on = 0;
  pass_days(r, 1.1);
  assert_string_equal(there(r), "2");
  rig_free(r);
}

static void test_retention_pass__an_error_is_tried_again_and_then_a_halt(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_times(r, 1);
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_raises;
  run_times(r, 1);
  rig_advance(r, 10);
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], ORR_DELETE_ATTEMPTS);
  assert_string_equal(there(r), "1 2");
  assert_int_equal(events_of(r, "retention.halted"), 1);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "deleteMessage", "no route");
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_deletes;
  pass_days(r, 0.9);
  assert_string_equal(there(r), "1 2");
  pass_days(r, 0.2);
  assert_string_equal(there(r), "2");
  rig_free(r);
}

/* Where everything is refused, everything is not asked: the pass rests after some. */
static void test_retention_pass__rests_after_refusals_in_a_row(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":20");
  run_times(r, 20);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 1, 0);
  halts_on = -1;
  run_times(r, 1);
  assert_int_equal(asked_count, 5);
  rig_advance(r, 600);
  assert_int_equal(asked_count, 5);
  pass_days(r, 0.05);
  assert_int_equal(asked_count, 10);
  halts_on = 0;
  pass_days(r, 0.05);
  assert_int_equal(asked_count, 20);
  pass_days(r, 1.1);
  assert_string_equal(there(r), "21");
  rig_free(r);
}

/* A result that was refused, and that a new policy keeps, is no longer spoken of. */
static void test_retention_pass__forgets_a_refusal_of_what_it_keeps_now(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  halts_on = 1;
  run_times(r, 2);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 5, 0);
  run_times(r, 1);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "deleteMessage", NULL);
  pass_days(r, 2);
  assert_string_equal(there(r), "1 2 3");
  rig_free(r);
}

/* ---- the provider ------------------------------------------------------------------------------------------- */

static void test_retention_pass__says_once_that_the_provider_has_lost_the_hook(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_times(r, 1);
  r->hooks[ORR_HOOK_deleteBackupResult] = NULL;
  run_times(r, 3);
  reopen(r);
  pass_days(r, 3);
  assert_string_equal(there(r), "1 2 3 4");
  assert_int_equal(events_of(r, "retention.stopped"), 1);
  assert_field(r, "backup.show", "{\"backup\":\"b\"}", "retentionMessage",
               "results cannot be deleted: the provider 'fake' cannot delete results");
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_deletes;
  pass_days(r, 0.1);
  assert_string_equal(there(r), "4");
  assert_field(r, "backup.show", "{\"backup\":\"b\"}", "retentionMessage", NULL);
  rig_free(r);
}

/* ---- what happens meanwhile --------------------------------------------------------------------------------- */

static void test_retention_pass__a_person_and_the_policy_call_the_hook_once(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_times(r, 1);
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1); /* retention is in the midst of deleting 1 */
  uint64_t id = rig_ask(r, "result.rm", "{\"result\":\"1\"}");
  assert_null(r->replies[id]);
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_settle(r);
  assert_int_equal(r->codes[id], ORR_E_NOT_FOUND);
  assert_int_equal(asked_count, 1);
  /* The other way round. */
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  id = rig_submit(r, "result.rm", "{\"result\":\"2\"}");
  rig_settle(r);
  run_times(r, 1);
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_settle(r);
  assert_int_equal(asked_count, 2);
  assert_string_equal(there(r), "3");
  run_times(r, 1); /* and it goes on */
  assert_string_equal(there(r), "4");
  rig_free(r);
}

static void test_retention_pass__waits_for_an_extraction(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  r->hooks[ORR_HOOK_extractBackup] = hook_ok;
  run_times(r, 1);
  r->holds[ORR_HOOK_extractBackup] = true;
  rig_submit(r, "result.extract", "{\"result\":\"1\",\"destination\":\"/x\"}");
  rig_settle(r);
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 60);
  assert_int_equal(asked_count, 0);
  rig_release(r, ORR_HOOK_extractBackup);
  rig_advance(r, 2);
  assert_string_equal(there(r), "2");
  rig_free(r);
}

/* The newest good result never goes by retention, even if what made it the second is removed while the pass goes on. */
static void test_retention_pass__judges_afresh_before_each_deletion(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":5");
  run_times(r, 5);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 2, 0);
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1); /* 1 is being deleted, 2 3 4 are to go */
  rig_ask(r, "result.rm", "{\"result\":\"5\",\"force\":true}");
  rig_ask(r, "result.rm", "{\"result\":\"6\",\"force\":true}");
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_advance(r, 5);
  assert_string_equal(there(r), "3 4");
  rig_free(r);
}

static void test_retention_pass__a_policy_that_has_changed_counts_at_once(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":5");
  run_times(r, 5);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 1, 0);
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1); /* 1 is being deleted, 2 3 4 5 are to go */
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 4, 0);
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_advance(r, 5);
  assert_string_equal(there(r), "3 4 5 6");
  rig_free(r);
}

/* Many at once: more than a batch goes without a new result, and others go on meanwhile. */
static void test_retention_pass__goes_on_until_nothing_goes(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  for (int64_t id = 1001; id < 1301; id++) {
    orr_result *result = orr__result_new();
    char uuid[40];
    snprintf(uuid, sizeof uuid, "old-%d", (int)id);
    orr__set_int(&result->head, ORR_F_result_id, orr__store_next_id(r->store, ORR_M_result));
    orr__set_str(&result->head, ORR_F_result_uuid, uuid);
    orr__set_int(&result->head, ORR_F_result_backupId, 1);
    orr__set_str(&result->head, ORR_F_result_status, "SUCCEEDED");
    orr__set_int(&result->head, ORR_F_result_endDate, 1);
    orr__tx *tx = orr__tx_new();
    orr__tx_insert(tx, &result->head);
    orr__store_submit(r->store, tx, NULL, NULL);
    orr__object_free(&result->head);
  }
  rig_ask(r, "backup.create", "{\"name\":\"other\",\"provider\":\"fake\",\"keepLast\":1}");
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1); /* 301: the first of 300 is being deleted */
  rig_ask(r, "backup.run", "{\"backup\":\"other\"}");
  assert_true(orr__starts_with(there(r), "1 2 3 ") && strstr(there(r), " 97 98 99"));
  orr_result *other = (orr_result *)rig_stored(r, ORR_M_result, 302);
  assert_string_equal(other->status, "SUCCEEDED");
  orr__object_free(&other->head);
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_advance(r, 3);
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], 300);
  assert_string_equal(there(r), "");
  orr__object *last = rig_stored(r, ORR_M_result, 301);
  assert_non_null(last);
  orr__object_free(last);
  rig_free(r);
}

/* ---- on request --------------------------------------------------------------------------------------------- */

static void test_retention_pass__prune_lists_first_and_then_deletes(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":4");
  run_times(r, 4);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 2, 0);
  uint64_t id = rig_ask(r, "backup.prune", "{\"backup\":\"b\",\"dryRun\":true}");
  assert_int_equal(r->codes[id], 0);
  assert_non_null(strstr(r->replies[id], "\"kept\":2"));
  assert_non_null(strstr(r->replies[id], "\"id\":1"));
  assert_non_null(strstr(r->replies[id], "\"id\":2"));
  assert_null(strstr(r->replies[id], "\"id\":3"));
  assert_string_equal(there(r), "1 2 3 4");
  halts_on = 2;
  id = rig_ask(r, "backup.prune", "{\"backup\":\"b\"}");
  assert_int_equal(r->codes[id], 0);
  assert_non_null(strstr(r->replies[id], "\"halted\":[{\"id\":2"));
  assert_non_null(strstr(r->replies[id], "\"kept\":2,\"left\":1"));
  assert_string_equal(there(r), "2 3 4");
  halts_on = 0; /* who asks does not wait for tomorrow */
  rig_advance(r, 1);
  id = rig_ask(r, "backup.prune", "{\"backup\":\"b\"}");
  assert_non_null(strstr(r->replies[id], "\"left\":0"));
  assert_string_equal(there(r), "3 4");
  rig_free(r);
}

static void test_retention_pass__show_tells_what_is_kept(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":3");
  run_times(r, 3);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 1, 0);
  uint64_t id = rig_ask(r, "backup.show", "{\"backup\":\"b\"}");
  assert_non_null(strstr(r->replies[id], "\"retention\":{\"kept\":1,\"left\":2,\"refused\":0}"));
  rig_free(r);
}

/* ---- dying -------------------------------------------------------------------------------------------------- */

/* Cut after each commit: the next runtime deletes what the first would have, and each result is either there, or has been asked for. */
static void test_retention_pass__survives_a_crash_at_each_commit(void **state) {
  (void)state;
  rig *whole = rig_keeping("\"keepLast\":2");
  run_with(whole, hook_fails);
  run_times(whole, 4);
  assert_string_equal(there(whole), "4 5");
  size_t commits = orr__store_commits(whole->store);
  size_t settled = 0;
  for (size_t n = 0; n <= commits; n++) {
    rig *r = rig_new();
    rig_kill_core(r);
    orr__store_close(r->store);
    assert_int_equal(orr__store_cut(whole->store, n, &(orr__store_config){ .wake = rig_wake }, &r->store, NULL), 0);
    asked_count = 0;
    r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
    r->hooks[ORR_HOOK_deleteBackupResult] = hook_deletes;
    char before[400];
    snprintf(before, sizeof before, "%s", there(r));
    rig_open_core(r);
    rig_advance(r, 120);
    int good = 0;
    for (int64_t id = 1; id < 10; id++) {
      orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, id);
      good += result && orr__starts_with(result->status, "SUCCEEDED");
      orr__object_free((orr__object *)result);
    }
    assert_true(good <= 2); /* nothing waits for the next good one */
    for (int64_t id = 1; id < 10; id++) {
      char word[8];
      snprintf(word, sizeof word, "%d", (int)id);
      bool was_good = strstr(before, word) && id > 1;
      orr__object *now = rig_stored(r, ORR_M_result, id);
      bool was_asked = false;
      for (int i = 0; i < asked_count; i++) was_asked = was_asked || asked[i] == id;
      if (was_good && !now) assert_true(was_asked);
      orr__object_free(now);
    }
    settled += strcmp(there(r), "4 5") == 0;
    rig_free(r);
  }
  assert_true(settled > 3); /* the last commits led there too */
  rig_free(whole);
}

static void test_retention_pass__a_call_that_was_cut_is_made_again(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":1");
  run_times(r, 1);
  r->acts[ORR_HOOK_deleteBackupResult] = r->dies_after_act[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1);
  assert_int_equal(r->acted[ORR_HOOK_deleteBackupResult], 1);
  assert_string_equal(there(r), "1 2");
  r->dies_after_act[ORR_HOOK_deleteBackupResult] = false;
  reopen(r);
  rig_advance(r, 2);
  assert_int_equal(r->acted[ORR_HOOK_deleteBackupResult], 2);
  assert_string_equal(there(r), "2");
  rig_free(r);
}

/* A runtime that closes in the midst of a pass is idle once its hook has ended, and the next one goes on. */
static void test_retention_pass__a_drained_runtime_is_idle(void **state) {
  (void)state;
  rig *r = rig_keeping("\"keepLast\":4");
  run_times(r, 4);
  set_field(r, ORR_M_backup, 1, ORR_F_backup_keepLast, 1, 0);
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  run_times(r, 1);
  orr__core_drain(r->core);
  assert_false(orr__core_is_idle(r->core));
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_settle(r);
  assert_true(orr__core_is_idle(r->core));
  assert_string_equal(there(r), "2 3 4 5");
  reopen(r);
  rig_advance(r, 2);
  assert_string_equal(there(r), "5");
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_retention_pass__a_halt_keeps_the_record_and_says_so),
    cmocka_unit_test(test_retention_pass__a_refusal_is_remembered_by_the_next_runtime),
    cmocka_unit_test(test_retention_pass__an_error_is_tried_again_and_then_a_halt),
    cmocka_unit_test(test_retention_pass__rests_after_refusals_in_a_row),
    cmocka_unit_test(test_retention_pass__forgets_a_refusal_of_what_it_keeps_now),
    cmocka_unit_test(test_retention_pass__says_once_that_the_provider_has_lost_the_hook),
    cmocka_unit_test(test_retention_pass__a_person_and_the_policy_call_the_hook_once),
    cmocka_unit_test(test_retention_pass__waits_for_an_extraction),
    cmocka_unit_test(test_retention_pass__judges_afresh_before_each_deletion),
    cmocka_unit_test(test_retention_pass__a_policy_that_has_changed_counts_at_once),
    cmocka_unit_test(test_retention_pass__goes_on_until_nothing_goes),
    cmocka_unit_test(test_retention_pass__prune_lists_first_and_then_deletes),
    cmocka_unit_test(test_retention_pass__show_tells_what_is_kept),
    cmocka_unit_test(test_retention_pass__survives_a_crash_at_each_commit),
    cmocka_unit_test(test_retention_pass__a_call_that_was_cut_is_made_again),
    cmocka_unit_test(test_retention_pass__a_drained_runtime_is_idle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
