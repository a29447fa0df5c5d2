/* The life of Backups and results, driven through requests, with a provider backend in C. No Lua is linked. */
#include "core_helper.h"

static void ok(rig *r, orr__call *call, orr__answer *answer) { (void)r, (void)call, (void)answer; }

static void halts(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_HALT;
  answer->msg = orr__strdup("not today");
}

static void starts(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.result->head, ORR_F_result_externalId, "job-1");
}

static void succeeds(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.result->head, ORR_F_result_status, "SUCCEEDED");
}

static void raises(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_ERROR;
  orr__error_set(&answer->error, ORR_E_UNREACHABLE, "no route");
}

static rig *rig_with(hook_fn execute, hook_fn refresh) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = execute;
  r->hooks[ORR_HOOK_refreshBackupResult] = refresh;
  return r;
}

static void test_lifecycle__ends_in_one_go(void **state) {
  (void)state;
  rig *r = rig_with(succeeds, ok);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "SUCCEEDED");
  rig_advance(r, 200);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], 0);
  rig_free(r);
}

static void test_lifecycle__refreshes_every_interval_until_terminal(void **state) {
  (void)state;
  rig *r = rig_with(starts, ok);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 29);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], 0);
  rig_advance(r, 121);
  assert_in_range(r->ran[ORR_HOOK_refreshBackupResult], 4, 5);
  r->hooks[ORR_HOOK_refreshBackupResult] = succeeds;
  rig_advance(r, 31);
  int count = r->ran[ORR_HOOK_refreshBackupResult];
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "SUCCEEDED");
  rig_advance(r, 300);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], count);
  rig_free(r);
}

static void test_lifecycle__stores_no_backup_when_a_hook_halts(void **state) {
  (void)state;
  enum orr__hook hooks[] = { ORR_HOOK_configureBackup, ORR_HOOK_validateBackup, ORR_HOOK_createBackup };
  for (size_t i = 0; i < 3; i++) {
    rig *r = rig_with(starts, ok);
    r->hooks[hooks[i]] = halts;
    uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    assert_int_not_equal(r->codes[id], 0);
    assert_non_null(strstr(orr__error_message(&r->errors[id]), "not today"));
    id = rig_ask(r, "backup.show", "{\"backup\":\"b\"}");
    assert_int_equal(r->codes[id], ORR_E_NOT_FOUND);
    r->hooks[hooks[i]] = ok; /* and the name is free again */
    id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    assert_int_equal(r->codes[id], 0);
    rig_free(r);
  }
}

static void test_lifecycle__fails_when_prepare_or_execute_halts(void **state) {
  (void)state;
  enum orr__hook hooks[] = { ORR_HOOK_prepareExecuteBackup, ORR_HOOK_prepareBackupResult, ORR_HOOK_executeBackup };
  for (size_t i = 0; i < 3; i++) {
    rig *r = rig_with(starts, ok);
    r->hooks[hooks[i]] = halts;
    rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
    assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "FAILED");
    assert_field(r, "result.show", "{\"result\":\"1\"}", "errorMessage", "not today");
    rig_free(r);
  }
}

static void test_lifecycle__gives_up_refreshing_after_the_error_budget(void **state) {
  (void)state;
  rig *r = rig_with(starts, raises);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":1}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 3000);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], 10);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "attention", "refresh_failing");
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "IN_PROGRESS");
  rig_free(r);
}

static void test_lifecycle__a_start_that_may_have_happened_is_not_repeated(void **state) {
  (void)state;
  rig *r = rig_with(raises, ok);
  r->acts[ORR_HOOK_executeBackup] = true;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 300);
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], 1);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "attention", "unknown_start");
  rig_free(r);
}

static void test_lifecycle__an_error_before_anything_was_sent_is_a_failure(void **state) {
  (void)state;
  rig *r = rig_with(raises, ok);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "FAILED");
  assert_field(r, "result.show", "{\"result\":\"1\"}", "attention", NULL);
  rig_free(r);
}

static void test_lifecycle__a_halted_deletion_keeps_the_record(void **state) {
  (void)state;
  rig *r = rig_with(succeeds, ok);
  r->hooks[ORR_HOOK_deleteBackupResult] = halts;
  r->hooks[ORR_HOOK_deleteBackup] = halts;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  uint64_t id = rig_ask(r, "result.rm", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], ORR_E_HALTED);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "SUCCEEDED");
  id = rig_ask(r, "backup.rm", "{\"backup\":\"b\"}");
  assert_int_equal(r->codes[id], ORR_E_REFUSED); /* it has a result */
  r->hooks[ORR_HOOK_deleteBackupResult] = ok;
  id = rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  assert_int_equal(r->codes[id], ORR_E_HALTED);
  r->hooks[ORR_HOOK_deleteBackup] = ok;
  id = rig_ask(r, "backup.rm", "{\"backup\":\"b\"}");
  assert_int_equal(r->codes[id], 0);
  rig_free(r);
}

static void test_lifecycle__a_schedule_fires_each_instant_once(void **state) {
  (void)state;
  rig *r = rig_with(succeeds, ok);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"schedule\":\"*/5 * * * *\",\"timeZone\":\"UTC\"}");
  rig_advance(r, 3600 + 30);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 12);
  uint64_t id = rig_ask(r, "events", "{}");
  assert_null(strstr(r->replies[id], "schedule.skipped")); /* each time the cursor stood just behind */
  rig_free(r);
}

struct counted {
  int64_t number;
  bool is_done;
};

static void count_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)err;
  struct counted *c = arg;
  assert_int_equal(code, 0);
  c->number = orr__tx_number(tx, 0);
  c->is_done = true;
}

/* How many rows of a model there are. */
static int64_t rows_of(rig *r, enum orr__model_id model) {
  struct counted c = { 0, false };
  orr__tx *tx = orr__tx_new();
  orr__tx_count(tx, &(orr__query){ .model = model, .order_field = -1 });
  orr__store_submit(r->store, tx, count_done, &c);
  rig_settle(r);
  assert_true(c.is_done);
  return c.number;
}

static void test_lifecycle__the_journal_of_a_creation_goes_with_what_it_comes_to(void **state) {
  (void)state;
  rig *r = rig_with(starts, ok);
  r->hooks[ORR_HOOK_configureBackup] = ok;
  r->hooks[ORR_HOOK_deleteBackup] = ok;
  r->hooks[ORR_HOOK_createBackup] = halts;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  assert_int_equal(rows_of(r, ORR_M_op), 0); /* nothing was made */
  r->hooks[ORR_HOOK_createBackup] = ok;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  assert_int_equal(rows_of(r, ORR_M_op), 2);
  rig_ask(r, "backup.rm", "{\"backup\":\"b\"}");
  assert_int_equal(rows_of(r, ORR_M_op), 0); /* they were the Backup's own */
  rig_free(r);
}

/* One whole life; how many commits it took. */
static size_t live(rig *r) {
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":5}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 20);
  return orr__store_commits(r->store);
}

static void equip(rig *r, bool is_idempotent) {
  r->declaration.is_idempotent = is_idempotent;
  r->hooks[ORR_HOOK_configureBackup] = ok;
  r->hooks[ORR_HOOK_prepareExecuteBackup] = ok;
  r->hooks[ORR_HOOK_prepareBackupResult] = ok;
  r->hooks[ORR_HOOK_executeBackup] = starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = succeeds;
  r->acts[ORR_HOOK_executeBackup] = true;
}

/* The store is cut after each commit of a life and taken up again: what was accepted ends, or needs attention, and a start
 * that may have happened is repeated only where the other side knows the key. */
static void cut_everywhere(bool is_idempotent) {
  rig *whole = rig_new();
  equip(whole, is_idempotent);
  size_t commits = live(whole);
  assert_true(commits > 6);
  int ends = 0, attentions = 0;
  for (size_t n = 1; n < commits; n++) {
    rig *r = rig_new();
    equip(r, is_idempotent);
    rig_settle(r);
    rig_kill_core(r);
    orr__store_close(r->store);
    assert_int_equal(orr__store_cut(whole->store, n, &(orr__store_config){ .wake = rig_wake }, &r->store, NULL), 0);
    rig_open_core(r);
    rig_advance(r, 120);
    uint64_t id = rig_ask(r, "result.show", "{\"result\":\"1\"}");
    if (r->codes[id] == 0) {
      char *status = rig_text(r, "result.show", "{\"result\":\"1\"}", "status"), *attention = rig_text(r, "result.show", "{\"result\":\"1\"}", "attention");
      ends += strcmp(status, "SUCCEEDED") == 0;
      attentions += attention != NULL;
      assert_true(strcmp(status, "SUCCEEDED") == 0 || attention);
      if (attention) assert_int_equal(r->acted[ORR_HOOK_executeBackup], 0);
      free(status);
      free(attention);
    }
    rig_free(r);
  }
  assert_true(ends > 0);
  assert_int_equal(attentions, is_idempotent ? 0 : 1); /* exactly the cut between `sent` and `done` */
  rig_free(whole);
}

static void test_lifecycle__survives_a_cut_after_every_commit(void **state) {
  (void)state;
  cut_everywhere(true);
  cut_everywhere(false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lifecycle__ends_in_one_go),
    cmocka_unit_test(test_lifecycle__refreshes_every_interval_until_terminal),
    cmocka_unit_test(test_lifecycle__stores_no_backup_when_a_hook_halts),
    cmocka_unit_test(test_lifecycle__fails_when_prepare_or_execute_halts),
    cmocka_unit_test(test_lifecycle__gives_up_refreshing_after_the_error_budget),
    cmocka_unit_test(test_lifecycle__a_start_that_may_have_happened_is_not_repeated),
    cmocka_unit_test(test_lifecycle__an_error_before_anything_was_sent_is_a_failure),
    cmocka_unit_test(test_lifecycle__a_halted_deletion_keeps_the_record),
    cmocka_unit_test(test_lifecycle__a_schedule_fires_each_instant_once),
    cmocka_unit_test(test_lifecycle__the_journal_of_a_creation_goes_with_what_it_comes_to),
    cmocka_unit_test(test_lifecycle__survives_a_cut_after_every_commit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
