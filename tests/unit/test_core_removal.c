/* Removal of results, Backups and what they refer to, while other things go on: nothing that is held is pulled away, nothing is
 * left that refers to what is gone, and who asked or watches is told once. */
#include "core_helper.h"
#include "model/status.h"

static rig *rig_created(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_deleteBackupResult] = r->hooks[ORR_HOOK_deleteBackup] = hook_ok;
  r->hooks[ORR_HOOK_extractBackup] = hook_ok;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  return r;
}

static uint64_t run(rig *r) { return rig_ask(r, "backup.run", "{\"backup\":\"b\"}"); }

/* One that has started and goes on. */
static rig *rig_running(void) {
  rig *r = rig_created();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  run(r);
  return r;
}

static bool is_there(rig *r, enum orr__model_id model, int64_t id) {
  orr__object *row = rig_stored(r, model, id);
  bool is = row != NULL;
  orr__object_free(row);
  return is;
}

/* Rows of the journal that speak of what is gone. */
static int journal_of_result(rig *r, int64_t result_id) {
  int count = 0;
  for (int64_t id = 1; id < 60; id++) {
    orr_op *op = (orr_op *)rig_stored(r, ORR_M_op, id);
    orr_event_row *event = (orr_event_row *)rig_stored(r, ORR_M_event, id);
    count += (op && op->resultId == result_id) + (event && event->resultId == result_id);
    orr__object_free((orr__object *)op);
    orr__object_free((orr__object *)event);
  }
  return count;
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static void test_removal__takes_the_journal_with_the_result(void **state) {
  (void)state;
  rig *r = rig_created();
  run(r);
  run(r);
  assert_true(journal_of_result(r, 1) > 0);
  assert_int_equal(r->codes[rig_ask(r, "result.rm", "{\"result\":\"1\"}")], 0);
  assert_false(is_there(r, ORR_M_result, 1));
  assert_int_equal(journal_of_result(r, 1), 0);
  assert_true(journal_of_result(r, 2) > 0);
  rig_free(r);
}

static void test_removal__of_a_running_result_is_refused_and_it_goes_on(void **state) {
  (void)state;
  static const char *const requests[] = { "result.rm", "result.extract" };
  static const char *const args[] = { "{\"result\":\"1\"}", "{\"result\":\"1\",\"destination\":\"/x\"}" };
  for (int kind = 0; kind < 2; kind++) {
    for (int k = 0; k < 16; k++) { /* it falls due while the request holds it */
      rig *r = rig_running();
      rig_advance(r, 29);
      uint64_t id = rig_submit(r, requests[kind], args[kind]);
      rig_turn(r, k);
      orr__loop_advance(r->loop, 1000);
      rig_settle(r);
      assert_int_equal(r->codes[id], ORR_E_REFUSED);
      rig_advance(r, 300);
      assert_true(r->ran[ORR_HOOK_refreshBackupResult] >= 9);
      rig_free(r);
    }
  }
}

static void test_removal__tells_who_watches(void **state) {
  (void)state;
  rig *r = rig_running();
  uint64_t watch = rig_ask(r, "result.watch", "{\"result\":\"1\"}");
  assert_null(r->replies[watch]);
  uint64_t rm = rig_ask(r, "result.rm", "{\"result\":\"1\",\"force\":true}");
  assert_int_equal(r->codes[rm], 0);
  assert_non_null(r->replies[watch]);
  assert_int_equal(r->codes[watch], ORR_E_NOT_FOUND);
  int refreshed = r->ran[ORR_HOOK_refreshBackupResult];
  rig_advance(r, 120);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], refreshed);
  rig_free(r);
}

static void test_removal__by_force_waits_for_the_hook_that_runs(void **state) {
  (void)state;
  rig *r = rig_created();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->holds[ORR_HOOK_executeBackup] = r->acts[ORR_HOOK_executeBackup] = true;
  run(r);
  uint64_t rm = rig_ask(r, "result.rm", "{\"result\":\"1\",\"force\":true}");
  uint64_t cancel = rig_ask(r, "result.show", "{\"result\":\"1\"}");
  assert_null(r->replies[rm]);
  assert_int_equal(r->codes[cancel], 0);
  rig_release(r, ORR_HOOK_executeBackup);
  rig_settle(r);
  assert_int_equal(r->codes[rm], 0);
  assert_false(is_there(r, ORR_M_result, 1));
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], 0);
  rig_free(r);
}

static void writes_and_halts(rig *r, orr__call *call, orr__answer *answer) {
  orr__set_str(&call->graph.result->head, ORR_F_result_snapshotId, "half");
  hook_halts(r, call, answer);
}

static void test_removal__keeps_what_a_refusing_hook_wrote(void **state) {
  (void)state;
  rig *r = rig_created();
  r->hooks[ORR_HOOK_deleteBackupResult] = writes_and_halts;
  run(r);
  assert_int_equal(r->codes[rig_ask(r, "result.rm", "{\"result\":\"1\"}")], ORR_E_HALTED);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "snapshotId", "half");
  rig_free(r);
}

/* A cancel and a forced removal of the same result, the one at every turn of the other. */
static void test_removal__and_a_cancel_are_both_answered(void **state) {
  (void)state;
  for (int k = 0; k < 30; k++) {
    for (int order = 0; order < 2; order++) {
      rig *r = rig_running();
      r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
      uint64_t ids[2];
      for (int i = 0; i < 2; i++) {
        bool is_rm = i == order;
        ids[i] = rig_submit(r, is_rm ? "result.rm" : "result.cancel", is_rm ? "{\"result\":\"1\",\"force\":true}" : "{\"result\":\"1\"}");
        rig_turn(r, i ? 0 : k);
      }
      rig_advance(r, 60);
      assert_non_null(r->replies[ids[0]]);
      assert_non_null(r->replies[ids[1]]);
      assert_int_equal(r->codes[ids[order]], 0);
      assert_false(is_there(r, ORR_M_result, 1));
      assert_int_equal(journal_of_result(r, 1), 0);
      rig_free(r);
    }
  }
}

/* ---- Backups ------------------------------------------------------------------------------------------------ */

static void test_removal__with_results_waits_for_an_extraction(void **state) {
  (void)state;
  rig *r = rig_created();
  run(r);
  r->holds[ORR_HOOK_extractBackup] = true;
  uint64_t extract = rig_ask(r, "result.extract", "{\"result\":\"1\",\"destination\":\"/x\"}");
  uint64_t one = rig_ask(r, "result.rm", "{\"result\":\"1\"}");
  uint64_t all = rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], 0);
  assert_null(r->replies[one]);
  assert_null(r->replies[all]);
  rig_release(r, ORR_HOOK_extractBackup);
  rig_settle(r);
  assert_int_equal(r->codes[extract] + r->codes[one] + r->codes[all], 0);
  assert_non_null(r->replies[all]);
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], 1);
  assert_false(is_there(r, ORR_M_backup, 1));
  rig_free(r);
}

static void halts_at_two(rig *r, orr__call *call, orr__answer *answer) {
  if (call->graph.result->id == 2) hook_halts(r, call, answer);
}

static void test_removal__with_results_stops_at_the_first_that_stays(void **state) {
  (void)state;
  rig *r = rig_created();
  for (int i = 0; i < 3; i++) run(r);
  r->hooks[ORR_HOOK_deleteBackupResult] = halts_at_two;
  assert_int_equal(r->codes[rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}")], ORR_E_HALTED);
  assert_false(is_there(r, ORR_M_result, 1));
  assert_true(is_there(r, ORR_M_result, 2));
  assert_true(is_there(r, ORR_M_result, 3));
  assert_true(is_there(r, ORR_M_backup, 1));
  assert_int_equal(r->ran[ORR_HOOK_deleteBackup], 0);
  assert_int_equal(r->codes[run(r)], 0); /* it is usable again */
  rig_free(r);
}

static void test_removal__of_a_backup_by_force_takes_what_runs(void **state) {
  (void)state;
  rig *r = rig_running();
  uint64_t watch = rig_ask(r, "result.watch", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}")], ORR_E_REFUSED);
  assert_int_equal(r->codes[rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true,\"force\":true}")], 0);
  assert_int_equal(r->codes[watch], ORR_E_NOT_FOUND);
  assert_false(is_there(r, ORR_M_result, 1));
  assert_false(is_there(r, ORR_M_backup, 1));
  rig_advance(r, 120);
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], 0);
  rig_free(r);
}

static void test_removal__refuses_runs_and_fires_while_the_hook_runs(void **state) {
  (void)state;
  for (int halts = 0; halts < 2; halts++) {
    rig *r = rig_created();
    rig_ask(r, "backup.create", "{\"name\":\"s\",\"provider\":\"fake\",\"schedule\":\"@every 60s\"}");
    r->holds[ORR_HOOK_deleteBackup] = true;
    if (halts) r->hooks[ORR_HOOK_deleteBackup] = hook_halts;
    uint64_t rm = rig_ask(r, "backup.rm", "{\"backup\":\"s\"}");
    assert_int_equal(r->codes[rig_ask(r, "backup.run", "{\"backup\":\"s\"}")], ORR_E_REFUSED);
    rig_advance(r, 90);
    assert_int_equal(r->ran[ORR_HOOK_executeBackup], 0);
    rig_release(r, ORR_HOOK_deleteBackup);
    rig_settle(r);
    assert_int_equal(r->codes[rm], halts ? ORR_E_HALTED : 0);
    rig_advance(r, 300);
    assert_in_range(r->ran[ORR_HOOK_executeBackup], halts ? 5 : 0, halts ? 6 : 0); /* the one that came meanwhile included */
    rig_free(r);
  }
}

/* A result whose Backup is there, or none. */
static void assert_no_orphan(rig *r, int64_t backup_id) {
  for (int64_t id = 1; id < 9; id++) {
    orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, id);
    if (result && result->backupId == backup_id) assert_true(is_there(r, ORR_M_backup, backup_id));
    orr__object_free((orr__object *)result);
  }
}

static void test_removal__and_a_run_never_leave_an_orphan(void **state) {
  (void)state;
  int removed = 0, ran = 0;
  for (int k = 0; k < 30; k++) {
    for (int order = 0; order < 2; order++) {
      rig *r = rig_created();
      uint64_t ids[2];
      for (int i = 0; i < 2; i++) {
        ids[i] = rig_submit(r, i == order ? "backup.rm" : "backup.run", "{\"backup\":\"b\"}");
        rig_turn(r, i ? 0 : k);
      }
      rig_advance(r, 60);
      assert_non_null(r->replies[ids[0]]);
      assert_non_null(r->replies[ids[1]]);
      assert_no_orphan(r, 1);
      assert_int_equal(r->codes[ids[order]] == 0, !is_there(r, ORR_M_backup, 1));
      assert_int_equal(r->ran[ORR_HOOK_executeBackup], r->codes[ids[!order]] == 0);
      removed += r->codes[ids[order]] == 0;
      ran += r->codes[ids[!order]] == 0;
      rig_free(r);
    }
  }
  assert_true(removed > 0);
  assert_true(ran > 0);
}

static void test_removal__and_a_fire_never_leave_an_orphan(void **state) {
  (void)state;
  for (int k = 0; k < 30; k++) {
    for (int is_first = 0; is_first < 2; is_first++) {
      rig *r = rig_created();
      rig_ask(r, "backup.create", "{\"name\":\"s\",\"provider\":\"fake\",\"schedule\":\"@every 60s\"}");
      rig_advance(r, 59);
      uint64_t rm = is_first ? rig_submit(r, "backup.rm", "{\"backup\":\"s\"}") : 0;
      if (is_first) rig_turn(r, k);
      orr__loop_advance(r->loop, 1000);
      if (!is_first) rig_turn(r, k);
      if (!is_first) rm = rig_submit(r, "backup.rm", "{\"backup\":\"s\"}");
      rig_advance(r, 90);
      assert_non_null(r->replies[rm]);
      assert_no_orphan(r, 2);
      assert_int_equal(r->codes[rm] == 0, !is_there(r, ORR_M_backup, 2));
      if (r->codes[rm] == 0) assert_int_equal(r->ran[ORR_HOOK_executeBackup], 0);
      rig_free(r);
    }
  }
}

static void test_removal__after_a_pause_nothing_fires(void **state) {
  (void)state;
  for (int k = 0; k < 24; k++) {
    rig *r = rig_created();
    rig_ask(r, "backup.create", "{\"name\":\"s\",\"provider\":\"fake\",\"schedule\":\"@every 60s\"}");
    rig_advance(r, 59);
    uint64_t pause = rig_submit(r, "backup.pause", "{\"backup\":\"s\"}");
    rig_turn(r, k);
    orr__loop_advance(r->loop, 1000);
    int started = -1;
    for (int i = 0; i < 60; i++) {
      rig_turn(r, 1);
      orr__store_drain(r->store);
      if (started < 0 && r->replies[pause]) started = is_there(r, ORR_M_result, 1);
    }
    rig_advance(r, 180);
    assert_int_equal(r->ran[ORR_HOOK_executeBackup], started);
    rig_free(r);
  }
}

/* ---- what Backups refer to ---------------------------------------------------------------------------------- */

static void test_removal__of_a_connection_refuses_the_backup_that_is_being_made(void **state) {
  (void)state;
  rig *r = rig_created();
  r->hooks[ORR_HOOK_validateBackup] = hook_ok;
  r->holds[ORR_HOOK_validateBackup] = true;
  rig_ask(r, "connection.add", "{\"name\":\"c\",\"provider\":\"fake\"}");
  uint64_t create = rig_ask(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\",\"connection\":\"c\"}");
  assert_int_equal(r->codes[rig_ask(r, "connection.rm", "{\"connection\":\"c\"}")], 0);
  rig_release(r, ORR_HOOK_validateBackup);
  rig_settle(r);
  assert_non_null(r->replies[create]);
  assert_int_not_equal(r->codes[create], 0);
  assert_false(is_there(r, ORR_M_backup, 2));
  assert_int_equal(r->codes[rig_ask(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\"}")], 0); /* the name is free */
  rig_free(r);
}

static void test_removal__of_a_server_and_a_run_on_it_exclude_each_other(void **state) {
  (void)state;
  int removed = 0, ran = 0;
  for (int k = 0; k < 30; k++) {
    for (int order = 0; order < 2; order++) {
      rig *r = rig_created();
      assert_int_equal(r->codes[rig_ask(r, "server.add", "{\"name\":\"web\"}")], 0);
      uint64_t ids[2];
      for (int i = 0; i < 2; i++) {
        bool is_rm = i == order;
        ids[i] = rig_submit(r, is_rm ? "server.rm" : "backup.run", is_rm ? "{\"server\":\"web\"}" : "{\"backup\":\"b\",\"server\":\"web\"}");
        rig_turn(r, i ? 0 : k);
      }
      rig_advance(r, 5);
      assert_non_null(r->replies[ids[0]]);
      assert_non_null(r->replies[ids[1]]);
      bool has_run = is_there(r, ORR_M_result, 1);
      assert_true(!has_run || is_there(r, ORR_M_server, 1));
      assert_int_equal(r->codes[ids[!order]] == 0, has_run);
      removed += r->codes[ids[order]] == 0;
      ran += has_run;
      rig_free(r);
    }
  }
  assert_true(removed > 0);
  assert_true(ran > 0);
}

static void test_removal__of_a_cloud_and_a_server_in_it_exclude_each_other(void **state) {
  (void)state;
  for (int k = 0; k < 20; k++) {
    for (int order = 0; order < 2; order++) {
      rig *r = rig_created();
      assert_int_equal(r->codes[rig_ask(r, "cloud.add", "{\"name\":\"c\"}")], 0);
      for (int i = 0; i < 2; i++) {
        bool is_rm = i == order;
        rig_submit(r, is_rm ? "cloud.rm" : "server.add", is_rm ? "{\"cloud\":\"c\"}" : "{\"name\":\"web\",\"cloud\":\"c\"}");
        rig_turn(r, i ? 0 : k);
      }
      rig_settle(r);
      assert_true(!is_there(r, ORR_M_server, 1) || is_there(r, ORR_M_cloud, 1));
      rig_free(r);
    }
  }
}

/* ---- death -------------------------------------------------------------------------------------------------- */

static void test_removal__can_be_asked_for_again_after_a_death(void **state) {
  (void)state;
  for (int k = 0; k < 60; k++) {
    rig *r = rig_created();
    run(r);
    run(r);
    r->acts[ORR_HOOK_deleteBackup] = r->acts[ORR_HOOK_deleteBackupResult] = true;
    rig_submit(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
    rig_turn(r, k);
    rig_kill_core(r);
    rig_open_core(r);
    rig_advance(r, 5);
    uint64_t id = rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
    assert_true(r->codes[id] == 0 || r->codes[id] == ORR_E_NOT_FOUND);
    assert_false(is_there(r, ORR_M_backup, 1));
    assert_int_equal(journal_of_result(r, 1) + journal_of_result(r, 2), 0);
    rig_free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_removal__takes_the_journal_with_the_result),
    cmocka_unit_test(test_removal__of_a_running_result_is_refused_and_it_goes_on),
    cmocka_unit_test(test_removal__tells_who_watches),
    cmocka_unit_test(test_removal__by_force_waits_for_the_hook_that_runs),
    cmocka_unit_test(test_removal__keeps_what_a_refusing_hook_wrote),
    cmocka_unit_test(test_removal__and_a_cancel_are_both_answered),
    cmocka_unit_test(test_removal__with_results_waits_for_an_extraction),
    cmocka_unit_test(test_removal__with_results_stops_at_the_first_that_stays),
    cmocka_unit_test(test_removal__of_a_backup_by_force_takes_what_runs),
    cmocka_unit_test(test_removal__refuses_runs_and_fires_while_the_hook_runs),
    cmocka_unit_test(test_removal__and_a_run_never_leave_an_orphan),
    cmocka_unit_test(test_removal__and_a_fire_never_leave_an_orphan),
    cmocka_unit_test(test_removal__after_a_pause_nothing_fires),
    cmocka_unit_test(test_removal__of_a_connection_refuses_the_backup_that_is_being_made),
    cmocka_unit_test(test_removal__of_a_server_and_a_run_on_it_exclude_each_other),
    cmocka_unit_test(test_removal__of_a_cloud_and_a_server_in_it_exclude_each_other),
    cmocka_unit_test(test_removal__can_be_asked_for_again_after_a_death),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
