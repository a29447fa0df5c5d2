/* One transaction of the store fails, at every place of a scenario; before and after it all is well. Then nothing that was
 * accepted is stuck: every result ends or needs attention, every schedule goes on firing, every request has its reply (that it
 * is one only, core_helper.h asserts), and nothing is started twice outside. */
#include "core_helper.h"
#include "model/status.h"

/* ---- the failing store -------------------------------------------------------------------------------------- */

static int submitted, fails_at;

void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  if (done != rig_copied && ++submitted == fails_at) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

static void fail_at(int n) {
  submitted = 0;
  fails_at = n;
}

/* ---- what a scenario is ------------------------------------------------------------------------------------- */

typedef struct scenario {
  const char *name;
  void (*setup)(rig *r);   /* all is well */
  void (*act)(rig *r);     /* the n-th transaction fails */
  void (*check)(rig *r);   /* all has been well for an hour, and refreshes say SUCCEEDED */
} scenario;

static int n_now; /* for messages */

static void assert_replied(rig *r, const char *name) {
  for (uint64_t id = 1; id <= r->last_request; id++)
    if (!r->replies[id]) fail_msg("%s, transaction %d: request %d was never answered", name, n_now, (int)id);
}

static void assert_moved_on(rig *r, const char *name) {
  for (int64_t id = 1; id < 40; id++) {
    orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, id);
    if (result && !orr__status_is_terminal(result->status) && !result->attention)
      fail_msg("%s, transaction %d: result %d is %s, next %s", name, n_now, (int)id, result->status, result->nextAction);
    orr__object_free((orr__object *)result);
  }
}

/* No call that decides how a result goes on is open in the journal while nothing runs. The outcome of a refresh, or of an
 * extraction, that could not be written leaves a row that only tells: the next start closes it. */
static void assert_closed(rig *r, const char *name) {
  for (int64_t id = 1; id < 80; id++) {
    orr_op *op = (orr_op *)rig_stored(r, ORR_M_op, id);
    bool only_tells = op && (orr__streq(op->hook, "refreshBackupResult") || orr__streq(op->hook, "extractBackup"));
    if (op && op->resultId && !only_tells && strcmp(op->state, "done"))
      fail_msg("%s, transaction %d: the call of %s for result %d is left %s", name, n_now, op->hook, (int)op->resultId, op->state);
    orr__object_free((orr__object *)op);
  }
}

static void pass(rig *r, int64_t seconds, int64_t step) {
  for (int64_t i = 0; i < seconds; i += step) {
    orr__loop_advance(r->loop, step * 1000);
    rig_settle(r);
  }
}

static void everywhere(const scenario *s) {
  int used = 0;
  for (int n = 0; n <= used && n < 200; n++) { /* 0: none fails */
    n_now = n;
    rig *r = rig_new();
    r->hooks[ORR_HOOK_executeBackup] = hook_starts;
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
    r->acts[ORR_HOOK_executeBackup] = true;
    fail_at(0);
    s->setup(r);
    fail_at(n);
    s->act(r);
    if (submitted > used) used = submitted;
    fail_at(0);
    if (r->hooks[ORR_HOOK_refreshBackupResult]) r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
    pass(r, 120, 1);
    pass(r, 3600, 10);
    if (s->check) s->check(r);
    assert_replied(r, s->name);
    assert_moved_on(r, s->name);
    assert_closed(r, s->name);
    rig_free(r);
  }
  assert_true(used > 3);
}

#define EVERYWHERE(...) everywhere(&(scenario){ .name = __func__, __VA_ARGS__ })

static void create(rig *r) { rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}"); }

static void run(rig *r) {
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 95);
}

static void started_once(rig *r) { assert_in_range(r->acted[ORR_HOOK_executeBackup], 0, 1); }

/* ---- running ------------------------------------------------------------------------------------------------ */

static void test_faults__a_run_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create, .act = run, .check = started_once);
}

static void create_with_prepare(rig *r) {
  r->hooks[ORR_HOOK_prepareExecuteBackup] = r->hooks[ORR_HOOK_prepareBackupResult] = hook_ok;
  create(r);
}

static void test_faults__a_run_with_prepare_hooks_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_with_prepare, .act = run, .check = started_once);
}

static void create_unreachable(rig *r) {
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_raises;
  create(r);
}

static void test_faults__refresh_errors_are_survived(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_unreachable, .act = run, .check = started_once);
}

static void create_acting(rig *r) {
  r->acts[ORR_HOOK_refreshBackupResult] = true;
  create(r);
}

static void test_faults__a_refresh_that_acts_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_acting, .act = run, .check = started_once);
}

static void create_batched(rig *r) {
  r->hooks[ORR_HOOK_refreshBackupResults] = hook_raises;
  r->acts[ORR_HOOK_refreshBackupResults] = true;
  create(r);
}

static void run_batched(rig *r) {
  rig_submit(r, "backup.run", "{\"backup\":\"b\"}");
  rig_submit(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 95);
  r->hooks[ORR_HOOK_refreshBackupResults] = NULL;
}

static void test_faults__a_batch_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_batched, .act = run_batched);
}

static void create_uncertain(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_raises;
  r->hooks[ORR_HOOK_recoverBackupResult] = hook_starts;
  r->declaration.visibility_delay = 20;
  create(r);
}

static void test_faults__an_uncertain_start_is_looked_up(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_uncertain, .act = run, .check = started_once);
}

/* ---- recovery ----------------------------------------------------------------------------------------------- */

static void restart(rig *r) {
  int n = fails_at;
  fail_at(0);
  rig_kill_core(r);
  fail_at(n);
  rig_open_core(r);
  rig_advance(r, 95);
}

static void create_running(rig *r) {
  create(r);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
}

static void test_faults__recovery_takes_up_a_running_result(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_running, .act = restart, .check = started_once);
}

static void create_dying(rig *r) {
  r->dies_after_act[ORR_HOOK_executeBackup] = true;
  r->hooks[ORR_HOOK_recoverBackupResult] = hook_starts;
  create_running(r);
}

static void found_again(rig *r) {
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], 1);
  assert_true(r->ran[ORR_HOOK_recoverBackupResult] > 0);
}

static void test_faults__recovery_looks_up_a_start_that_was_cut(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_dying, .act = restart, .check = found_again);
}

static void create_cancelling(rig *r) {
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  r->holds[ORR_HOOK_cancelBackup] = true;
  create_running(r);
  rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_non_null(rig_held(r, ORR_HOOK_cancelBackup));
  r->holds[ORR_HOOK_cancelBackup] = false;
}

static void cancel_asked(rig *r) { assert_true(r->ran[ORR_HOOK_cancelBackup] > 0); }

static void test_faults__recovery_asks_for_a_cancel_again(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_cancelling, .act = restart, .check = cancel_asked);
}

/* ---- cancel ------------------------------------------------------------------------------------------------- */

static void create_started(rig *r) {
  r->hooks[ORR_HOOK_cancelBackup] = hook_raises;
  create_running(r);
}

static void cancel(rig *r) {
  rig_submit(r, "result.cancel", "{\"result\":\"1\"}");
  rig_advance(r, 2);
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  rig_advance(r, 60);
}

static void test_faults__a_cancel_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_started, .act = cancel, .check = started_once);
}

static void create_starting(rig *r) {
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  r->holds[ORR_HOOK_executeBackup] = true;
  r->acts[ORR_HOOK_executeBackup] = false;
  create_running(r);
}

/* Two ask, and the hook ends well in the end. */
static void cancel_twice(rig *r) {
  orr__core_host(r->core)->mark_sent(r->core, rig_held(r, ORR_HOOK_executeBackup)->id, "POST http://outside:80", rig_sent, rig_pend(r, 0));
  rig_settle(r);
  rig_submit(r, "result.cancel", "{\"result\":\"1\"}");
  rig_settle(r);
  rig_submit(r, "result.cancel", "{\"result\":\"1\"}");
  rig_settle(r);
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  bool is_recorded = orr__streq(result->status, "CANCEL_REQUESTED");
  orr__object_free((orr__object *)result);
  rig_release(r, ORR_HOOK_executeBackup);
  rig_turn(r, 2);
  result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  if (is_recorded && !orr__streq(result->status, "CANCEL_REQUESTED")) fail_msg("transaction %d: the recorded cancel became %s", n_now, result->status);
  orr__object_free((orr__object *)result);
  rig_advance(r, 60);
}

static void test_faults__a_cancel_behind_a_start_is_kept(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_starting, .act = cancel_twice);
}

/* ---- schedules ---------------------------------------------------------------------------------------------- */

static void create_scheduled(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->acts[ORR_HOOK_executeBackup] = false;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"schedule\":\"@every 60s\"}");
}

static void wait_for_fires(rig *r) { rig_advance(r, 125); }

static void goes_on_firing(rig *r) {
  int before = r->ran[ORR_HOOK_executeBackup];
  pass(r, 600, 10);
  if (r->ran[ORR_HOOK_executeBackup] - before < 9) fail_msg("transaction %d: %d fires in ten minutes", n_now, r->ran[ORR_HOOK_executeBackup] - before);
}

static void test_faults__a_schedule_goes_on_firing(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_scheduled, .act = wait_for_fires, .check = goes_on_firing);
}

static void test_faults__a_schedule_goes_on_firing_after_a_restart(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_scheduled, .act = restart, .check = goes_on_firing);
}

static void pause_and_resume(rig *r) {
  rig_ask(r, "backup.pause", "{\"backup\":\"b\"}");
  rig_advance(r, 61);
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  rig_advance(r, 61);
}

static void goes_on_when_resumed(rig *r) {
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  goes_on_firing(r);
}

static void test_faults__a_resumed_schedule_fires(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_scheduled, .act = pause_and_resume, .check = goes_on_when_resumed);
}

/* ---- creation and deletion ---------------------------------------------------------------------------------- */

static void equip_creation(rig *r) {
  r->hooks[ORR_HOOK_configureBackup] = r->hooks[ORR_HOOK_validateBackup] = r->hooks[ORR_HOOK_createBackup] = hook_ok;
  r->acts[ORR_HOOK_createBackup] = true;
}

/* It is there, or it is not and its name is free, or it may be there outside: then the name is kept. */
static void is_created_or_not(rig *r) {
  bool is_there = r->codes[1] == 0;
  assert_int_equal(r->codes[rig_ask(r, "backup.show", "{\"backup\":\"b\"}")], is_there ? 0 : ORR_E_NOT_FOUND);
  uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  bool is_taken = is_there || r->codes[1] == ORR_E_ATTENTION;
  assert_int_equal(r->codes[id], is_taken ? ORR_E_EXISTS : 0);
  assert_int_equal(r->acted[ORR_HOOK_createBackup], 1);
}

static void test_faults__a_creation_is_whole_or_not_there(void **state) {
  (void)state;
  EVERYWHERE(.setup = equip_creation, .act = create, .check = is_created_or_not);
}

static void create_to_delete(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->hooks[ORR_HOOK_deleteBackupResult] = r->hooks[ORR_HOOK_deleteBackup] = hook_raises;
  create(r);
  run(r);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
}

static void delete(rig *r) {
  rig_submit(r, "result.rm", "{\"result\":\"1\"}");
  rig_settle(r);
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_ok;
  rig_advance(r, 60);
  rig_submit(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  rig_settle(r);
  r->hooks[ORR_HOOK_deleteBackup] = hook_ok;
  rig_advance(r, 60);
}

static void is_deleted_when_asked_again(rig *r) {
  uint64_t id = rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  assert_true(r->codes[id] == 0 || r->codes[id] == ORR_E_NOT_FOUND);
  for (int64_t i = 1; i < 3; i++) assert_null(rig_stored(r, ORR_M_result, i));
}

static void test_faults__a_deletion_can_be_asked_for_again(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_delete, .act = delete, .check = is_deleted_when_asked_again);
}

static void delete_while_it_fails(rig *r) {
  rig_submit(r, "result.rm", "{\"result\":\"1\"}");
  pass(r, 600, 5);
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_ok;
  pass(r, 600, 5);
  rig_submit(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  pass(r, 600, 5);
  r->hooks[ORR_HOOK_deleteBackup] = hook_ok;
  pass(r, 600, 5);
}

/* Nobody has asked again: either it could not even be written down, or it has happened. */
static void is_gone_or_not_on_its_way(rig *r) {
  for (int64_t i = 1; i < 3; i++) {
    orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, i);
    assert_true(!result || !result->nextAction);
    orr__object_free((orr__object *)result);
  }
  orr_backup *backup = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
  assert_true(!backup || !orr__object_has(&backup->head, ORR_F_backup_deleteDate));
  assert_true(!backup || n_now > 0);
  orr__object_free((orr__object *)backup);
}

static void test_faults__a_deletion_that_is_pending_goes_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_delete, .act = delete_while_it_fails, .check = is_gone_or_not_on_its_way);
}

/* Asks while the n-th transaction fails, for every n; what was acknowledged is looked at. */
static void each_reply(const char *request, const char *args, void (*setup)(rig *r), void (*check)(rig *r)) {
  int used = 0, acknowledged = 0;
  for (int n = 1; n <= used + 1 && n < 50; n++) {
    rig *r = rig_new();
    r->hooks[ORR_HOOK_executeBackup] = hook_starts;
    r->hooks[ORR_HOOK_deleteBackupResult] = hook_ok;
    fail_at(0);
    setup(r);
    fail_at(n);
    uint64_t id = rig_ask(r, request, args);
    if (submitted > used) used = submitted;
    fail_at(0);
    if (r->replies[id] && r->codes[id] == 0) check(r);
    acknowledged += r->replies[id] && r->codes[id] == 0;
    rig_free(r);
  }
  assert_true(used > 1 && acknowledged > 0);
}

static void has_result(rig *r) {
  orr__object *row = rig_stored(r, ORR_M_result, 1);
  assert_non_null(row);
  orr__object_free(row);
}

static void has_no_result(rig *r) { assert_null(rig_stored(r, ORR_M_result, 1)); }

static void create_ended(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  create(r);
  run(r);
}

static void test_faults__an_acknowledged_run_is_stored(void **state) {
  (void)state;
  each_reply("backup.run", "{\"backup\":\"b\"}", create, has_result);
}

static void test_faults__an_acknowledged_deletion_has_happened(void **state) {
  (void)state;
  each_reply("result.rm", "{\"result\":\"1\"}", create_ended, has_no_result);
}

static void watch_and_extract(rig *r) {
  r->hooks[ORR_HOOK_extractBackup] = hook_ok;
  rig_submit(r, "result.watch", "{\"result\":\"2\"}");
  rig_submit(r, "result.extract", "{\"result\":\"1\",\"destination\":\"/x\"}");
  rig_submit(r, "result.extract", "{\"result\":\"1\",\"destination\":\"/y\"}");
  rig_submit(r, "events", "{\"result\":\"1\"}");
  rig_submit(r, "result.show", "{\"result\":\"1\",\"journal\":true}");
  rig_submit(r, "backup.ls", "{}");
  rig_advance(r, 5);
}

static void test_faults__every_question_is_answered(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_delete, .act = watch_and_extract);
}

/* ---- the mark ----------------------------------------------------------------------------------------------- */

static void note(void *arg, int code, const orr_error *err) {
  (void)err;
  *(int *)arg = code;
}

static void test_faults__a_mark_that_failed_is_made_again(void **state) {
  (void)state;
  rig *r = rig_new();
  int first = 0, second = 1;
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->holds[ORR_HOOK_executeBackup] = true;
  create_running(r);
  const orr__provider_host *host = orr__core_host(r->core);
  uint64_t call = rig_held(r, ORR_HOOK_executeBackup)->id;
  fail_at(1);
  host->mark_sent(r->core, call, "POST http://outside:80", note, &first);
  rig_settle(r);
  fail_at(0);
  host->mark_sent(r->core, call, "POST http://outside:80", note, &second); /* the hook goes on to its next act */
  rig_settle(r);
  assert_int_not_equal(first, 0);
  assert_int_equal(second, 0);
  orr_op *op = NULL;
  for (int64_t id = 1; !op && id < 9; id++) op = (orr_op *)rig_stored(r, ORR_M_op, id);
  assert_string_equal(op->state, "sent"); /* what a restart would find */
  orr__object_free((orr__object *)op);
  rig_free(r);
}

static void then_stays_at_home(rig *r, orr__call *call, orr__answer *answer) {
  hook_raises(r, call, answer);
  r->acts[ORR_HOOK_createBackup] = false;
}

static void test_faults__a_creation_that_left_once_keeps_its_name(void **state) {
  (void)state;
  rig *r = rig_new();
  r->declaration.is_idempotent = true;
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_createBackup] = then_stays_at_home;
  r->acts[ORR_HOOK_createBackup] = true;
  for (int i = 0; i < 2; i++) { /* the last attempts sent nothing, but the first did; the next runtime knows it, too */
    uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    rig_advance(r, 60); /* it is asked again for a while */
    assert_int_equal(r->codes[id], i ? ORR_E_EXISTS : ORR_E_ATTENTION);
    rig_kill_core(r);
    rig_open_core(r);
    rig_settle(r);
  }
  assert_true(r->ran[ORR_HOOK_createBackup] > 1);
  assert_int_equal(r->acted[ORR_HOOK_createBackup], 1);
  rig_free(r);
}

/* The first attempt of a start left and was never answered; the next one could not connect. */
static void never_left(rig *r, orr__call *call, orr__answer *answer) {
  hook_raises(r, call, answer);
  answer->has_left_nothing = r->ran[ORR_HOOK_executeBackup] > 1;
}

static void test_faults__an_attempt_that_left_nothing_says_nothing_of_the_one_before(void **state) {
  (void)state;
  rig *r = rig_new();
  r->declaration.is_idempotent = true;
  r->acts[ORR_HOOK_executeBackup] = true;
  r->hooks[ORR_HOOK_executeBackup] = never_left;
  create_running(r);
  rig_advance(r, 7);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "INITIALIZING"); /* not FAILED: it may run outside */
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  rig_advance(r, 60);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "IN_PROGRESS");
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_faults__a_run_moves_on),
    cmocka_unit_test(test_faults__a_run_with_prepare_hooks_moves_on),
    cmocka_unit_test(test_faults__refresh_errors_are_survived),
    cmocka_unit_test(test_faults__a_refresh_that_acts_moves_on),
    cmocka_unit_test(test_faults__a_batch_moves_on),
    cmocka_unit_test(test_faults__an_uncertain_start_is_looked_up),
    cmocka_unit_test(test_faults__recovery_takes_up_a_running_result),
    cmocka_unit_test(test_faults__recovery_looks_up_a_start_that_was_cut),
    cmocka_unit_test(test_faults__recovery_asks_for_a_cancel_again),
    cmocka_unit_test(test_faults__a_cancel_moves_on),
    cmocka_unit_test(test_faults__a_cancel_behind_a_start_is_kept),
    cmocka_unit_test(test_faults__a_schedule_goes_on_firing),
    cmocka_unit_test(test_faults__a_schedule_goes_on_firing_after_a_restart),
    cmocka_unit_test(test_faults__a_resumed_schedule_fires),
    cmocka_unit_test(test_faults__a_creation_is_whole_or_not_there),
    cmocka_unit_test(test_faults__a_deletion_can_be_asked_for_again),
    cmocka_unit_test(test_faults__a_deletion_that_is_pending_goes_on),
    cmocka_unit_test(test_faults__an_acknowledged_run_is_stored),
    cmocka_unit_test(test_faults__an_acknowledged_deletion_has_happened),
    cmocka_unit_test(test_faults__every_question_is_answered),
    cmocka_unit_test(test_faults__a_mark_that_failed_is_made_again),
    cmocka_unit_test(test_faults__a_creation_that_left_once_keeps_its_name),
    cmocka_unit_test(test_faults__an_attempt_that_left_nothing_says_nothing_of_the_one_before),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
