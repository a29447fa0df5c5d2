/* A cancel at every point of an execution: what was never sent is never sent, a recorded cancel is overwritten by nothing but an
 * end, and it survives whatever happens to the runtime. */
#include "core/internal.h"
#include "core_helper.h"

/* ---- the provider ------------------------------------------------------------------------------------------- */

/* Says at every opportunity that it is running. */
static void says_running(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.result->head, ORR_F_result_externalId, "job-1");
  orr__set_str(&call->graph.result->head, ORR_F_result_status, "IN_PROGRESS");
}

/* As the system outside would: it has ended once it was told to. */
static void reports(rig *r, orr__call *call, orr__answer *answer) {
  if (r->ran[ORR_HOOK_cancelBackup]) orr__set_str(&call->graph.result->head, ORR_F_result_status, "CANCELLED");
  else says_running(r, call, answer);
}

static void reports_all(rig *r, orr__call *call, orr__answer *answer) {
  (void)answer;
  for (size_t i = 0; i < call->batch_count; i++)
    orr__set_str(&call->batch[i].result->head, ORR_F_result_status, r->ran[ORR_HOOK_cancelBackup] ? "CANCELLED" : "IN_PROGRESS");
}

static void writes_and_raises(rig *r, orr__call *call, orr__answer *answer) {
  says_running(r, call, answer);
  hook_raises(r, call, answer);
}

static rig *rig_created(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = says_running;
  r->hooks[ORR_HOOK_refreshBackupResult] = reports;
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  r->acts[ORR_HOOK_executeBackup] = true;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":5}");
  return r;
}

static rig *rig_running(void) {
  rig *r = rig_created();
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  return r;
}

static uint64_t run(rig *r) { return rig_submit(r, "backup.run", "{\"backup\":\"b\"}"); }
static uint64_t cancel(rig *r) { return rig_submit(r, "result.cancel", "{\"result\":\"1\"}"); }

static void restart(rig *r) {
  rig_kill_core(r);
  rig_open_core(r);
}

/* ---- what is stored ----------------------------------------------------------------------------------------- */

typedef struct stored {
  char status[24];
  bool is_there, is_sent, has_attention, is_over;
} stored;

static stored peek(rig *r) {
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  stored s = { .is_there = result != NULL };
  if (result) {
    snprintf(s.status, sizeof s.status, "%s", result->status);
    s.is_sent = orr__object_has(&result->head, ORR_F_result_sentDate);
    s.has_attention = result->attention != NULL;
    s.is_over = orr__status_is_terminal(result->status);
  }
  orr__object_free((orr__object *)result);
  return s;
}

static void assert_status(rig *r, const char *status) { assert_string_equal(peek(r).status, status); }

static bool is_recorded(const stored *s) { return s->is_there && (strcmp(s->status, "CANCEL_REQUESTED") == 0 || strcmp(s->status, "CANCELLED") == 0); }

/* Once recorded, only an end may follow. */
static void advance_recorded(rig *r, int seconds) {
  for (int i = 0; i < seconds; i++) {
    rig_advance(r, 1);
    stored s = peek(r);
    if (!s.is_over) assert_string_equal(s.status, "CANCEL_REQUESTED");
  }
}

/* ---- at every turn ------------------------------------------------------------------------------------------ */

static rig *probed;
static int late_calls;

/* Counts starts that are called for although the cancel was recorded. */
static int probing_call(void *self, orr__call *call, orr_error *err) {
  const orr_result *result = call->graph.result;
  const orr__subject *subject = result ? orr__subject_of(probed->core, orr__result_key(result->id)) : NULL;
  if (call->hook == ORR_HOOK_executeBackup && subject && subject->is_cancelled) late_calls++;
  return rig_call(self, call, err);
}

static rig *rig_variant(int variant) {
  rig *r = rig_created();
  if (variant & 1) r->hooks[ORR_HOOK_prepareExecuteBackup] = r->hooks[ORR_HOOK_prepareBackupResult] = hook_ok;
  r->declaration.is_idempotent = variant & 2;
  if (variant & 4) r->hooks[ORR_HOOK_recoverBackupResult] = says_running;
  return r;
}

static void ends_as_it_should(rig *r, int acted, uint64_t request) {
  rig_advance(r, 60);
  if (r->codes[request] == ORR_E_NOT_FOUND) return; /* it was not accepted yet when the cancel came */
  assert_int_equal(r->codes[request], 0);
  assert_status(r, "CANCELLED");
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], acted);
  assert_int_equal(r->ran[ORR_HOOK_cancelBackup] > 0, acted > 0);
}

static void test_cancel__stops_what_was_not_sent_at_every_turn(void **state) {
  (void)state;
  int unsent = 0, sent = 0;
  for (int variant = 0; variant < 2; variant++) {
    for (int k = 0; k < 40; k++) {
      rig *r = rig_variant(variant);
      probed = r;
      late_calls = 0;
      r->ops.call = probing_call;
      run(r);
      rig_turn(r, k);
      uint64_t request = cancel(r);
      rig_settle(r);
      assert_int_equal(late_calls, 0);
      ends_as_it_should(r, r->acted[ORR_HOOK_executeBackup], request);
      unsent += r->codes[request] == 0 && !r->acted[ORR_HOOK_executeBackup];
      sent += r->codes[request] == 0 && r->acted[ORR_HOOK_executeBackup];
      rig_free(r);
    }
  }
  assert_true(unsent > 0);
  assert_true(sent > 0);
}

static void test_cancel__recorded_means_nothing_is_sent_from_then_on(void **state) {
  (void)state;
  for (int variant = 0; variant < 2; variant++) {
    for (int k = 0; k < 40; k++) {
      rig *r = rig_variant(variant);
      run(r);
      rig_turn(r, k);
      uint64_t request = cancel(r);
      int acted = -1;
      for (int i = 0; i < 60; i++) {
        rig_turn(r, 1);
        stored s = peek(r);
        if (acted < 0 && is_recorded(&s)) acted = r->acted[ORR_HOOK_executeBackup];
        if (acted >= 0) assert_true(is_recorded(&s));
      }
      if (acted >= 0) ends_as_it_should(r, acted, request);
      rig_free(r);
    }
  }
}

/* Recorded, and then the runtime dies: what the next one makes of it. */
static void taken_up(rig *r, const stored *at_death) {
  if (!is_recorded(at_death)) {
    rig_advance(r, 60);
    return;
  }
  advance_recorded(r, 100);
  stored s = peek(r);
  assert_in_range(r->acted[ORR_HOOK_executeBackup], 0, 1);
  assert_true(s.is_over || s.has_attention);
  if (!at_death->is_sent) {
    assert_string_equal(s.status, "CANCELLED");
    assert_int_equal(r->acted[ORR_HOOK_executeBackup], 0);
  } else {
    assert_true(r->ran[ORR_HOOK_cancelBackup] > 0);
  }
}

static void test_cancel__survives_a_death_at_every_turn(void **state) {
  (void)state;
  static const int deaths[] = { 0, 1, 2, 3, 4, 6, 8, 10, 12, 16 };
  int recorded = 0;
  for (int variant = 0; variant < 8; variant++) {
    for (int k = 0; k < 30; k++) {
      for (size_t d = 0; d < sizeof deaths / sizeof *deaths; d++) {
        rig *r = rig_variant(variant);
        run(r);
        rig_turn(r, k);
        cancel(r);
        rig_turn(r, deaths[d]);
        rig_kill_core(r);
        stored at_death = peek(r);
        recorded += is_recorded(&at_death);
        rig_open_core(r);
        taken_up(r, &at_death);
        rig_free(r);
      }
    }
  }
  assert_true(recorded > 100);
}

/* ---- while a hook runs -------------------------------------------------------------------------------------- */

static rig *rig_holding(enum orr__hook hook) {
  rig *r = rig_created();
  r->holds[hook] = true;
  run(r);
  rig_settle(r);
  return r;
}

static void test_cancel__interrupts_a_start_that_has_sent_nothing(void **state) {
  (void)state;
  rig *r = rig_holding(ORR_HOOK_executeBackup);
  uint64_t id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], 0);
  assert_int_equal(r->interrupts, 1);
  assert_status(r, "CANCELLED");
  assert_int_equal(r->acted[ORR_HOOK_executeBackup] + r->ran[ORR_HOOK_cancelBackup], 0);
  rig_free(r);
}

static void ignore_interrupt(void *self, uint64_t call_id, const char *why) { (void)self, (void)call_id, (void)why; }

static void test_cancel__refuses_the_mark_of_a_start_that_goes_on(void **state) {
  (void)state;
  rig *r = rig_holding(ORR_HOOK_executeBackup);
  r->ops.interrupt = ignore_interrupt;
  uint64_t id = cancel(r);
  rig_settle(r);
  assert_status(r, "CANCEL_REQUESTED");
  rig_release(r, ORR_HOOK_executeBackup);
  rig_settle(r);
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], 0);
  assert_status(r, "CANCELLED");
  assert_int_equal(r->codes[id], 0);
  rig_free(r);
}

/* Past its mark, and it waits for the answer. */
static rig *rig_sent_and_waiting(void) {
  rig *r = rig_holding(ORR_HOOK_executeBackup);
  r->acts[ORR_HOOK_executeBackup] = false;
  orr__core_host(r->core)->mark_sent(r->core, rig_held(r, ORR_HOOK_executeBackup)->id, "POST http://outside:80", rig_sent, rig_pend(r, 0));
  rig_settle(r);
  return r;
}

static void test_cancel__waits_for_a_start_that_has_sent_something(void **state) {
  (void)state;
  rig *r = rig_sent_and_waiting();
  uint64_t id = cancel(r), second = cancel(r);
  rig_settle(r);
  assert_status(r, "CANCEL_REQUESTED");
  assert_int_equal(r->interrupts, 0);
  assert_null(r->replies[id]);
  rig_release(r, ORR_HOOK_executeBackup); /* it writes IN_PROGRESS */
  advance_recorded(r, 30);
  assert_int_equal(r->codes[id] + r->codes[second], 0);
  assert_non_null(r->replies[second]);
  assert_status(r, "CANCELLED");
  rig_free(r);
}

static void test_cancel__survives_closing_while_it_waits_for_a_start(void **state) {
  (void)state;
  for (int is_answered = 0; is_answered < 2; is_answered++) {
    rig *r = rig_sent_and_waiting();
    r->declaration.is_idempotent = !is_answered;
    cancel(r);
    rig_settle(r);
    orr__core_drain(r->core);
    if (is_answered) rig_release(r, ORR_HOOK_executeBackup);
    rig_settle(r);
    restart(r);
    advance_recorded(r, 90);
    assert_true(r->ran[ORR_HOOK_cancelBackup] > 0);
    assert_int_equal(r->ran[ORR_HOOK_executeBackup], is_answered);
    assert_status(r, "CANCELLED");
    rig_free(r);
  }
}

static void interrupted_refresh(rig *r, enum orr__hook hook) {
  r->holds[hook] = true;
  rig_advance(r, 6);
  assert_non_null(rig_held(r, hook));
  uint64_t id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->interrupts, 1);
  assert_int_equal(r->codes[id], 0);
  assert_int_equal(r->ran[ORR_HOOK_cancelBackup], 1);
  r->holds[hook] = false;
  rig_release(r, hook);
  advance_recorded(r, 20);
  assert_status(r, "CANCELLED");
  rig_free(r);
}

static void test_cancel__interrupts_a_refresh(void **state) {
  (void)state;
  interrupted_refresh(rig_running(), ORR_HOOK_refreshBackupResult);
  rig *r = rig_running();
  r->hooks[ORR_HOOK_refreshBackupResults] = reports_all;
  interrupted_refresh(r, ORR_HOOK_refreshBackupResults);
}

static void test_cancel__interrupts_a_look_up_which_is_made_later(void **state) {
  (void)state;
  rig *r = rig_created();
  r->hooks[ORR_HOOK_executeBackup] = hook_raises;
  r->hooks[ORR_HOOK_recoverBackupResult] = says_running;
  r->holds[ORR_HOOK_recoverBackupResult] = true;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  assert_non_null(rig_held(r, ORR_HOOK_recoverBackupResult));
  uint64_t id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], 0);
  assert_int_equal(r->interrupts, 1);
  r->holds[ORR_HOOK_recoverBackupResult] = false;
  advance_recorded(r, 60);
  assert_int_equal(r->acted[ORR_HOOK_executeBackup], 1);
  assert_int_equal(r->ran[ORR_HOOK_recoverBackupResult], 2); /* interrupted, and made */
  assert_status(r, "CANCELLED");
  rig_free(r);
}

/* ---- what the provider answers ------------------------------------------------------------------------------ */

static void test_cancel__a_halt_gives_the_status_back_and_refreshing_goes_on(void **state) {
  (void)state;
  rig *r = rig_running();
  r->hooks[ORR_HOOK_cancelBackup] = hook_halts;
  uint64_t id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], ORR_E_HALTED);
  assert_status(r, "IN_PROGRESS");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  rig_advance(r, 10);
  assert_status(r, "SUCCEEDED");
  id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], ORR_E_REFUSED);
  rig_free(r);
}

static void test_cancel__errors_are_asked_again_and_given_up(void **state) {
  (void)state;
  rig *r = rig_running();
  r->hooks[ORR_HOOK_refreshBackupResult] = says_running;
  r->hooks[ORR_HOOK_cancelBackup] = writes_and_raises;
  uint64_t id = cancel(r);
  rig_settle(r);
  assert_status(r, "CANCEL_REQUESTED"); /* between two attempts, whatever the hook wrote */
  rig_advance(r, 60);
  assert_int_equal(r->ran[ORR_HOOK_cancelBackup], ORR_CANCEL_ATTEMPTS);
  assert_int_equal(r->codes[id], ORR_E_UNREACHABLE);
  assert_status(r, "IN_PROGRESS");
  rig_free(r);
}

static void test_cancel__one_that_waits_behind_a_refused_one_is_asked_for(void **state) {
  (void)state;
  rig *r = rig_running();
  r->hooks[ORR_HOOK_cancelBackup] = hook_halts;
  r->holds[ORR_HOOK_cancelBackup] = true;
  uint64_t first = cancel(r);
  rig_settle(r);
  uint64_t second = cancel(r);
  rig_settle(r);
  rig_answer(r, rig_held(r, ORR_HOOK_cancelBackup));
  rig_settle(r);
  assert_int_equal(r->codes[first], ORR_E_HALTED);
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  rig_release(r, ORR_HOOK_cancelBackup);
  rig_settle(r);
  assert_int_equal(r->codes[second], 0);
  advance_recorded(r, 20);
  assert_status(r, "CANCELLED");
  rig_free(r);
}

static void test_cancel__a_refusal_does_not_repeat_a_start_that_may_have_happened(void **state) {
  (void)state;
  for (int has_died = 0; has_died < 2; has_died++) {
    rig *r = rig_created();
    r->hooks[ORR_HOOK_cancelBackup] = hook_halts;
    r->dies_after_act[ORR_HOOK_executeBackup] = true;
    run(r);
    rig_settle(r);
    cancel(r);
    rig_settle(r);
    if (has_died) restart(r);
    else rig_end(r, rig_held(r, ORR_HOOK_executeBackup), ORR_OUTCOME_TIMEOUT, "too long");
    rig_advance(r, 300);
    assert_int_equal(r->acted[ORR_HOOK_executeBackup], 1);
    assert_true(peek(r).has_attention);
    assert_int_equal(r->ran[ORR_HOOK_cancelBackup], 1);
    rig_free(r);
  }
}

static void test_cancel__of_what_needs_attention_is_asked_for_also_after_a_death(void **state) {
  (void)state;
  for (int kind = 0; kind < 2; kind++) { /* in the midst of the hook, and between two attempts */
    rig *r = rig_created();
    r->hooks[ORR_HOOK_executeBackup] = hook_raises;
    rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
    assert_true(peek(r).has_attention);
    if (kind) r->hooks[ORR_HOOK_cancelBackup] = hook_raises;
    else r->holds[ORR_HOOK_cancelBackup] = true;
    cancel(r);
    rig_settle(r);
    r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
    r->holds[ORR_HOOK_cancelBackup] = false;
    r->ran[ORR_HOOK_cancelBackup] = 0;
    restart(r);
    rig_advance(r, 30);
    assert_int_equal(r->ran[ORR_HOOK_cancelBackup], 1);
    assert_status(r, "CANCEL_REQUESTED"); /* nobody knows more, and a person still looks */
    assert_true(peek(r).has_attention);
    restart(r);
    rig_advance(r, 30);
    assert_int_equal(r->ran[ORR_HOOK_cancelBackup], 1); /* it has been asked for */
    rig_free(r);
  }
}

static void test_cancel__needs_a_hook_unless_nothing_was_sent(void **state) {
  (void)state;
  rig *r = rig_running();
  r->hooks[ORR_HOOK_cancelBackup] = NULL;
  uint64_t id = rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  assert_int_equal(r->codes[id], ORR_E_REFUSED);
  assert_status(r, "IN_PROGRESS");
  rig_free(r);
  r = rig_created();
  r->hooks[ORR_HOOK_cancelBackup] = NULL;
  r->hooks[ORR_HOOK_prepareExecuteBackup] = hook_ok;
  r->holds[ORR_HOOK_prepareExecuteBackup] = true;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  id = cancel(r);
  rig_settle(r);
  rig_release(r, ORR_HOOK_prepareExecuteBackup);
  rig_settle(r);
  assert_int_equal(r->codes[id], 0);
  assert_status(r, "CANCELLED");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 0);
  rig_free(r);
}

static void test_cancel__a_refresh_that_says_running_does_not_overwrite_it(void **state) {
  (void)state;
  for (int is_batch = 0; is_batch < 2; is_batch++) {
    rig *r = rig_running();
    if (is_batch) r->hooks[ORR_HOOK_refreshBackupResults] = hook_ok;
    r->hooks[ORR_HOOK_refreshBackupResult] = says_running;
    rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
    advance_recorded(r, 30);
    assert_status(r, "CANCEL_REQUESTED");
    size_t commits = orr__store_commits(r->store);
    advance_recorded(r, 30);
    assert_int_equal(orr__store_commits(r->store), commits); /* nothing new: nothing is written */
    rig_free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_cancel__stops_what_was_not_sent_at_every_turn),
    cmocka_unit_test(test_cancel__recorded_means_nothing_is_sent_from_then_on),
    cmocka_unit_test(test_cancel__survives_a_death_at_every_turn),
    cmocka_unit_test(test_cancel__interrupts_a_start_that_has_sent_nothing),
    cmocka_unit_test(test_cancel__refuses_the_mark_of_a_start_that_goes_on),
    cmocka_unit_test(test_cancel__waits_for_a_start_that_has_sent_something),
    cmocka_unit_test(test_cancel__survives_closing_while_it_waits_for_a_start),
    cmocka_unit_test(test_cancel__interrupts_a_refresh),
    cmocka_unit_test(test_cancel__interrupts_a_look_up_which_is_made_later),
    cmocka_unit_test(test_cancel__a_halt_gives_the_status_back_and_refreshing_goes_on),
    cmocka_unit_test(test_cancel__errors_are_asked_again_and_given_up),
    cmocka_unit_test(test_cancel__one_that_waits_behind_a_refused_one_is_asked_for),
    cmocka_unit_test(test_cancel__a_refusal_does_not_repeat_a_start_that_may_have_happened),
    cmocka_unit_test(test_cancel__of_what_needs_attention_is_asked_for_also_after_a_death),
    cmocka_unit_test(test_cancel__needs_a_hook_unless_nothing_was_sent),
    cmocka_unit_test(test_cancel__a_refresh_that_says_running_does_not_overwrite_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
