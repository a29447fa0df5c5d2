/* Trials, as the core sees them: which hooks are called, that nothing is stored, and what the backend is told when it asks. */
#include "core_helper.h"

static int called[ORR_HOOK_COUNT], trials, marks, saves;
static bool ends_dry;

static void count(rig *r, orr__call *call, orr__answer *answer) {
  (void)r;
  called[call->hook]++;
  trials += call->trial != ORR_TRIAL_NONE;
  orr_result *result = call->graph.result;
  if (result) orr__set_str(&result->head, ORR_F_result_externalId, "7");
  if (call->hook == ORR_HOOK_executeBackup) answer->is_dry_end = ends_dry;
  answer->acts = orr__strdup("[{\"kind\":\"http\"}]");
}

static void set_up_rig(rig *r) {
  memset(called, 0, sizeof called);
  trials = marks = saves = 0;
  ends_dry = false;
  for (int hook = 0; hook < ORR_HOOK_COUNT; hook++) r->hooks[hook] = count;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  memset(called, 0, sizeof called);
  trials = 0;
}

static int count_rows(rig *r, enum orr__model_id model) {
  int rows = 0;
  for (int64_t id = 1; id < 50; id++) {
    orr__object *object = rig_stored(r, model, id);
    rows += object != NULL;
    orr__object_free(object);
  }
  return rows;
}

static void test_trial__a_dry_run_calls_the_hooks_of_an_execution_and_stores_nothing(void **state) {
  (void)state;
  rig *r = rig_new();
  set_up_rig(r);
  int ops = count_rows(r, ORR_M_op), events = count_rows(r, ORR_M_event);
  ends_dry = true;
  uint64_t id = rig_ask(r, "backup.dryRun", "{\"backup\":\"b\"}");
  assert_int_equal(r->codes[id], 0);
  assert_non_null(strstr(r->replies[id], "\"dryEnd\":true"));
  assert_int_equal(called[ORR_HOOK_prepareExecuteBackup], 1);
  assert_int_equal(called[ORR_HOOK_prepareBackupResult], 1);
  assert_int_equal(called[ORR_HOOK_executeBackup], 1);
  assert_int_equal(trials, 3);
  rig_advance(r, 3600);
  assert_int_equal(called[ORR_HOOK_refreshBackupResult], 0);
  assert_int_equal(count_rows(r, ORR_M_result), 0);
  assert_int_equal(count_rows(r, ORR_M_op), ops);
  assert_int_equal(count_rows(r, ORR_M_event), events);
  rig_free(r);
}

static void marked(void *arg, int code, const orr_error *err) {
  (void)arg;
  (void)err;
  assert_int_equal(code, 0);
  marks++;
}

static void saved(void *arg, int code, const orr_error *err) {
  (void)arg;
  (void)err;
  assert_int_equal(code, 0);
  saves++;
}

/* A call that is meant may act, and may save: it is told that all is well, and nothing is written. */
static void test_trial__marks_and_checkpoints_are_nodded_at(void **state) {
  (void)state;
  rig *r = rig_new();
  set_up_rig(r);
  int ops = count_rows(r, ORR_M_op);
  r->holds[ORR_HOOK_executeBackup] = true;
  uint64_t id = rig_submit(r, "provider.call", "{\"provider\":\"fake\",\"hook\":\"executeBackup\",\"really\":true}");
  rig_settle(r);
  orr__call *call = rig_held(r, ORR_HOOK_executeBackup);
  assert_non_null(call);
  assert_int_equal(call->trial, ORR_TRIAL_REALLY);
  const orr__provider_host *host = orr__core_host(r->core);
  host->mark_sent(host->core, call->id, "POST http://x:80", marked, NULL);
  host->checkpoint(host->core, call->id, &call->graph.result->head, saved, NULL);
  assert_int_equal(marks + saves, 0); /* never from inside the call */
  rig_settle(r);
  assert_int_equal(marks, 1);
  assert_int_equal(saves, 1);
  rig_release(r, ORR_HOOK_executeBackup);
  rig_settle(r);
  assert_int_equal(r->codes[id], 0);
  assert_non_null(strstr(r->replies[id], "\"externalId\":\"7\""));
  assert_non_null(strstr(r->replies[id], "\"acts\":[{\"kind\":\"http\"}]"));
  assert_int_equal(count_rows(r, ORR_M_op), ops);
  assert_int_equal(count_rows(r, ORR_M_result), 0);
  rig_free(r);
}

static void test_trial__a_runtime_that_ends_leaves_no_trial_behind(void **state) {
  (void)state;
  rig *r = rig_new();
  set_up_rig(r);
  r->holds[ORR_HOOK_executeBackup] = true;
  rig_submit(r, "backup.dryRun", "{\"backup\":\"b\"}");
  rig_settle(r);
  assert_non_null(rig_held(r, ORR_HOOK_executeBackup));
  rig_kill_core(r);
  assert_int_equal(count_rows(r, ORR_M_result), 0);
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_trial__a_dry_run_calls_the_hooks_of_an_execution_and_stores_nothing),
    cmocka_unit_test(test_trial__marks_and_checkpoints_are_nodded_at),
    cmocka_unit_test(test_trial__a_runtime_that_ends_leaves_no_trial_behind),
  };
  return cmocka_run_group_tests_name("core trial", tests, NULL, NULL);
}
