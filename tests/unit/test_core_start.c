/* The start with more results than a page holds, and how much is taken up at a time. */
#include "core_helper.h"

#include "core/internal.h"

#define RESULTS 9000 /* more than a page of start.c */

static void add_results(rig *r, int64_t count, const char *next_action) {
  for (int64_t id = 1; id <= count; id++) {
    orr__tx *tx = orr__tx_new();
    orr_result *result = orr__result_new();
    orr__object *o = &result->head;
    char uuid[37];
    snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012llx", (unsigned long long)id);
    orr__set_int(o, ORR_F_result_id, id);
    orr__set_str(o, ORR_F_result_uuid, uuid);
    orr__set_int(o, ORR_F_result_backupId, 1);
    orr__set_str(o, ORR_F_result_status, "IN_PROGRESS");
    orr__set_str(o, ORR_F_result_nextAction, next_action);
    orr__set_int(o, ORR_F_result_nextActionDate, orr__loop_wall_ms(r->loop) + 3600000);
    orr__tx_insert(tx, o);
    orr__object_free(o);
    orr__store_submit(r->store, tx, NULL, NULL);
    orr__store_drain(r->store);
  }
}

static rig *rig_with_results(const char *next_action) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  rig_settle(r);
  rig_kill_core(r);
  add_results(r, RESULTS, next_action);
  rig_open_core(r);
  return r;
}

static void test_start__takes_up_every_page(void **state) {
  (void)state;
  rig *r = rig_with_results("recoverBackupResult");
  rig_settle(r);
  assert_true(r->core->is_live);
  assert_int_equal(orr__wheel_len(r->core->due), RESULTS);
  int64_t due_ms = 0;
  assert_true(orr__wheel_get(r->core->due, RESULTS, &due_ms));
  assert_in_range(due_ms - orr__loop_mono_ms(r->loop), 3590000, 3600000); /* another hook than a refresh keeps its date */
  rig_free(r);
}

static void test_start__refreshes_only_a_few_before_all_are_taken_up(void **state) {
  (void)state;
  rig *r = rig_with_results("refreshBackupResult");
  while (!r->core->is_live) {
    orr__store_drain(r->store);
    orr__loop_step(r->loop, 0);
    assert_true(r->core->is_live || r->core->due_early <= ORR_DUE_MAX);
  }
  assert_true(r->core->due_early > 0);
  rig_free(r);
}

static size_t many(void *self) {
  (void)self;
  return ORR_DUE_BEHIND;
}

static void test_refresh__loads_no_more_while_hooks_wait_for_the_processor(void **state) {
  (void)state;
  rig *r = rig_with_results("recoverBackupResult");
  rig_settle(r);
  r->ops.backlog = many;
  orr__wheel_set(r->core->due, 1, orr__loop_mono_ms(r->loop));
  orr__refresh_arm(r->core);
  for (int i = 0; i < 10; i++) {
    orr__loop_advance(r->loop, 1);
    orr__loop_step(r->loop, 0);
    orr__store_drain(r->store);
  }
  assert_true(orr__wheel_get(r->core->due, 1, NULL)); /* it waits where it was */
  r->ops.backlog = NULL;
  for (int i = 0; i < 4; i++) {
    orr__loop_advance(r->loop, 1);
    orr__loop_step(r->loop, 0);
  }
  assert_false(orr__wheel_get(r->core->due, 1, NULL));
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_start__takes_up_every_page),
    cmocka_unit_test(test_start__refreshes_only_a_few_before_all_are_taken_up),
    cmocka_unit_test(test_refresh__loads_no_more_while_hooks_wait_for_the_processor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
