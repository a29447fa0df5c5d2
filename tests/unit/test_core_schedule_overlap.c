/* Which results count as running when a fire asks: those that have not ended and need nobody, however many others there are. */
#include "schedule_helper.h"

static void hook_succeeds_deferring(rig *r, orr__call *call, orr__answer *answer) {
  static const char text[] = "{\"1\":{\"name\":\"thaw\"}}";
  orr__json *list = orr__json_parse(text, sizeof text - 1, NULL);
  orr__object_set_map(&call->graph.result->head, ORR_F_result_deferred, list);
  orr__json_free(list);
  hook_succeeds(r, call, answer);
}

static void hook_later(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_RETRY;
  answer->retry_after = 86400;
}

static void test_schedule_overlap__sees_what_runs_behind_many_that_clean_up(void **state) {
  (void)state;
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds_deferring;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_cleanUp] = hook_later;
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  pass_by(r, 12 * HOUR + MINUTE, MINUTE);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 12);
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  pass_by(r, 3 * HOUR, MINUTE);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 13);
  assert_done(r, id, from);
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_overlap__sees_what_runs_behind_many_that_clean_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
