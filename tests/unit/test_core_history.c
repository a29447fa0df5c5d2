/* History limits on virtual time: what is removed by number and by age, and what never is. */
#include "core_helper.h"
#include "core/internal.h"

#define DAY_MS INT64_C(86400000)

static rig *rig_limited(int64_t events, int64_t days, int64_t results) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_ok;
  r->history_events = events;
  r->history_days = days;
  r->history_results = results;
  rig_kill_core(r);
  rig_open_core(r);
  rig_settle(r);
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  return r;
}

static void hook_fails(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_HALT;
  answer->msg = orr__strdup("no space left");
}

static void hook_fails_late(rig *r, orr__call *call, orr__answer *answer) {
  orr__set_str(&call->graph.result->head, ORR_F_result_resultPath, "/half");
  hook_fails(r, call, answer);
}

static void run_with(rig *r, hook_fn execute, const char *backup) {
  char args[60];
  r->hooks[ORR_HOOK_executeBackup] = execute;
  snprintf(args, sizeof args, "{\"backup\":\"%s\"}", backup);
  rig_ask(r, "backup.run", args);
  rig_forget_replies(r);
}

/* Days pass, and the round of each. */
static void pass_days(rig *r, int days) {
  for (int i = 0; i < days; i++) {
    orr__loop_advance(r->loop, DAY_MS);
    for (int k = 0; k < 40; k++) { /* its pauses */
      orr__loop_advance(r->loop, 50);
      rig_settle(r);
    }
  }
}

static void round_now(rig *r) {
  rig_kill_core(r);
  rig_open_core(r);
  rig_advance(r, 65);
}

static void rows_read(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)code, (void)err;
  char *text = arg;
  *text = '\0';
  for (size_t i = 0; i < orr__tx_rows(tx, 0); i++)
    sprintf(text + strlen(text), "%s%d", i ? " " : "", (int)orr__object_id(orr__tx_row(tx, 0, i)));
}

/* The ids of a model's rows. */
static const char *there(rig *r, enum orr__model_id model) {
  static char text[200000];
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){ .model = model, .order_field = -1, .fields = 1 });
  orr__store_submit(r->store, tx, rows_read, text);
  while (orr__store_drain(r->store)) {}
  return text;
}

static void insert_events(rig *r, int count, int64_t date) {
  orr_event_row *event = orr__event_new();
  for (int i = 0; i < count;) {
    orr__tx *tx = orr__tx_new();
    for (int k = 0; k < 5000 && i < count; k++, i++) {
      orr__set_int(&event->head, ORR_F_event_id, orr__store_next_id(r->store, ORR_M_event));
      orr__set_int(&event->head, ORR_F_event_date, date);
      orr__set_str(&event->head, ORR_F_event_kind, "test");
      orr__set_str(&event->head, ORR_F_event_level, "info");
      orr__tx_insert(tx, &event->head);
    }
    orr__store_submit(r->store, tx, NULL, NULL);
  }
  while (orr__store_drain(r->store)) {}
  orr__object_free(&event->head);
}

static int count_of(const char *ids) {
  int count = *ids != '\0';
  for (; *ids; ids++) count += *ids == ' ';
  return count;
}

/* ---- events ------------------------------------------------------------------------------------------------- */

static void test_history__keeps_the_newest_events(void **state) {
  (void)state;
  rig *r = rig_limited(50, 0, 0);
  insert_events(r, 2500, orr__loop_wall_ms(r->loop));
  int64_t next = orr__store_next_id(r->store, ORR_M_event);
  round_now(r);
  const char *ids = there(r, ORR_M_event);
  assert_int_equal(atoi(ids), next - 50);
  assert_int_equal(count_of(ids), 50);
  rig_free(r);
}

static void test_history__thousands_of_new_events_are_pruned_before_a_day_is_over(void **state) {
  (void)state;
  rig *r = rig_limited(50, 0, 0);
  rig_ask(r, "backup.create", "{\"name\":\"s\",\"provider\":\"fake\",\"schedule\":\"@every 1s\"}");
  rig_advance(r, 600); /* two events each second; the first round finds none too many */
  assert_true(count_of(there(r, ORR_M_event)) < 400);
  rig_free(r);
}

static void test_history__removes_events_that_are_too_old(void **state) {
  (void)state;
  rig *r = rig_limited(0, 10, 0);
  int64_t now = orr__loop_wall_ms(r->loop);
  insert_events(r, 3, now - 11 * DAY_MS);
  insert_events(r, 1, now + 100 * DAY_MS); /* the clock was wrong */
  insert_events(r, 1, now - 11 * DAY_MS);
  insert_events(r, 2, now - 9 * DAY_MS);
  const int own = count_of(there(r, ORR_M_event)) - 7;
  round_now(r);
  assert_int_equal(count_of(there(r, ORR_M_event)), 2); /* what came before an old one is old, and ours came before them all */
  assert_true(own >= 1);
  rig_free(r);
}

static void test_history__without_limits_everything_stays(void **state) {
  (void)state;
  rig *r = rig_limited(0, 0, 0);
  insert_events(r, 3000, 1);
  for (int i = 0; i < 3; i++) run_with(r, hook_fails, "b");
  int count = count_of(there(r, ORR_M_event));
  pass_days(r, 400);
  assert_int_equal(count_of(there(r, ORR_M_event)), count);
  assert_string_equal(there(r, ORR_M_result), "1 2 3");
  rig_free(r);
}

static void test_history__a_gap_in_the_events_can_be_seen(void **state) {
  (void)state;
  rig *r = rig_limited(50, 0, 0);
  insert_events(r, 100, orr__loop_wall_ms(r->loop));
  uint64_t id = rig_ask(r, "events", "{\"after\":10,\"limit\":5}");
  assert_non_null(strstr(r->replies[id], "\"first\":1}"));
  round_now(r);
  char *first = rig_text(r, "events", "{\"after\":10,\"limit\":5}", "first"); /* a number is no text */
  assert_null(first);
  id = rig_ask(r, "events", "{\"after\":10,\"limit\":5}");
  const char *at = strstr(r->replies[id], "\"first\":");
  assert_non_null(at);
  assert_true(atoi(at + 8) > 11);
  const char *event = strstr(r->replies[id], "\"id\":");
  assert_int_equal(atoi(event + 5), atoi(at + 8)); /* and reading goes on with the oldest there is */
  rig_free(r);
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static void test_history__removes_failures_that_are_too_old(void **state) {
  (void)state;
  rig *r = rig_limited(0, 10, 0);
  run_with(r, hook_fails, "b");      /* 1: nothing is outside */
  run_with(r, hook_fails_late, "b"); /* 2: something may be */
  run_with(r, hook_succeeds, "b");   /* 3 */
  r->acts[ORR_HOOK_executeBackup] = true;
  run_with(r, hook_fails, "b"); /* 4: it was sent */
  r->acts[ORR_HOOK_executeBackup] = false;
  pass_days(r, 9);
  run_with(r, hook_fails, "b"); /* 5: young */
  assert_string_equal(there(r, ORR_M_result), "1 2 3 4 5");
  pass_days(r, 2);
  assert_string_equal(there(r, ORR_M_result), "2 3 4 5");
  pass_days(r, 400);
  assert_string_equal(there(r, ORR_M_result), "2 3 4");
  assert_int_equal(r->ran[ORR_HOOK_deleteBackupResult], 0);
  rig_free(r);
}

static void test_history__keeps_the_newest_failures_of_each_backup(void **state) {
  (void)state;
  rig *r = rig_limited(0, 0, 2);
  rig_ask(r, "backup.create", "{\"name\":\"c\",\"provider\":\"fake\"}");
  for (int i = 0; i < 4; i++) {
    run_with(r, hook_fails, "b"); /* 1 4 7 10 */
    run_with(r, hook_succeeds, "b"); /* 2 5 8 11 */
    run_with(r, hook_fails, "c"); /* 3 6 9 12 */
  }
  run_with(r, hook_fails_late, "b"); /* 13 is none of them */
  round_now(r);
  assert_string_equal(there(r, ORR_M_result), "2 5 7 8 9 10 11 12 13");
  rig_free(r);
}

/* A result and its journal go together, and quietly. */
static void test_history__takes_the_journal_along(void **state) {
  (void)state;
  rig *r = rig_limited(0, 0, 1);
  run_with(r, hook_fails, "b");
  run_with(r, hook_fails, "b");
  assert_string_equal(there(r, ORR_M_op), "3 4"); /* a start takes a number too */
  int events = count_of(there(r, ORR_M_event));
  round_now(r);
  assert_string_equal(there(r, ORR_M_result), "2");
  assert_string_equal(there(r, ORR_M_op), "4");
  assert_int_equal(count_of(there(r, ORR_M_event)), events - 2); /* accepted, ended; none that tells of it */
  rig_free(r);
}

static void test_history__leaves_what_runs_or_needs_attention(void **state) {
  (void)state;
  rig *r = rig_limited(0, 10, 1);
  rig_ask(r, "backup.create", "{\"name\":\"long\",\"provider\":\"fake\",\"refreshInterval\":86400}");
  run_with(r, hook_starts, "long"); /* 1 */
  r->dies_after_act[ORR_HOOK_executeBackup] = r->acts[ORR_HOOK_executeBackup] = true;
  run_with(r, hook_succeeds, "b"); /* 2 */
  r->dies_after_act[ORR_HOOK_executeBackup] = r->acts[ORR_HOOK_executeBackup] = false;
  round_now(r);
  assert_field(r, "result.show", "{\"result\":\"2\"}", "attention", "unknown_start");
  rig_forget_replies(r);
  pass_days(r, 30);
  assert_string_equal(there(r, ORR_M_result), "1 2");
  rig_free(r);
}

static void test_history__leaves_what_somebody_works_on(void **state) {
  (void)state;
  rig *r = rig_limited(0, 0, 1);
  run_with(r, hook_fails, "b");
  run_with(r, hook_fails, "b");
  r->holds[ORR_HOOK_deleteBackupResult] = true;
  round_now(r);
  assert_string_equal(there(r, ORR_M_result), "2");
  run_with(r, hook_fails, "b"); /* 3: 2 is one too many */
  uint64_t id = rig_submit(r, "result.rm", "{\"result\":\"2\"}");
  rig_settle(r);
  pass_days(r, 1);
  assert_null(r->replies[id]);
  assert_string_equal(there(r, ORR_M_result), "2 3");
  rig_release(r, ORR_HOOK_deleteBackupResult);
  rig_settle(r);
  assert_int_equal(r->codes[id], 0);
  assert_string_equal(there(r, ORR_M_result), "3");
  rig_free(r);
}

/* More than a window, more than what goes at a time, and gaps between the ids. */
static void test_history__goes_through_many(void **state) {
  (void)state;
  rig *r = rig_limited(0, 0, 3);
  orr_result *result = orr__result_new();
  for (int i = 0; i < 3000; i++) {
    char uuid[40];
    snprintf(uuid, sizeof uuid, "old-%d", i);
    for (int gap = 0; gap < (i % 100 == 0 ? 1500 : 1); gap++) orr__set_int(&result->head, ORR_F_result_id, orr__store_next_id(r->store, ORR_M_result));
    orr__set_str(&result->head, ORR_F_result_uuid, uuid);
    orr__set_int(&result->head, ORR_F_result_backupId, 1 + i % 2);
    orr__set_str(&result->head, ORR_F_result_status, i % 3 ? "FAILED" : "SUCCEEDED");
    orr__tx *tx = orr__tx_new();
    orr__tx_insert(tx, &result->head);
    orr__store_submit(r->store, tx, NULL, NULL);
  }
  while (orr__store_drain(r->store)) {}
  orr__object_free(&result->head);
  round_now(r);
  rig_advance(r, 30);
  assert_int_equal(count_of(there(r, ORR_M_result)), 1000 + 6);
  rig_free(r);
}

/* ---- the journal of Backups --------------------------------------------------------------------------------- */

static void test_history__removes_the_old_journal_of_backups(void **state) {
  (void)state;
  rig *r = rig_limited(0, 10, 0);
  r->hooks[ORR_HOOK_configureBackup] = r->hooks[ORR_HOOK_createBackup] = hook_ok;
  rig_ask(r, "backup.create", "{\"name\":\"old\",\"provider\":\"fake\"}"); /* rows 3 4 */
  run_with(r, hook_succeeds, "old");                                       /* row 5 */
  pass_days(r, 9);
  assert_string_equal(there(r, ORR_M_op), "3 4 5");
  rig_ask(r, "backup.create", "{\"name\":\"new\",\"provider\":\"fake\"}"); /* rows 6 7 */
  pass_days(r, 2);
  assert_string_equal(there(r, ORR_M_op), "5 6 7"); /* that of a result stays as long as it does */
  rig_free(r);
}

static void test_history__never_removes_the_journal_of_a_draft_that_waits(void **state) {
  (void)state;
  rig *r = rig_limited(0, 10, 0);
  r->hooks[ORR_HOOK_configureBackup] = r->hooks[ORR_HOOK_createBackup] = hook_ok;
  r->acts[ORR_HOOK_createBackup] = r->dies_after_act[ORR_HOOK_createBackup] = true;
  rig_submit(r, "backup.create", "{\"name\":\"draft\",\"provider\":\"fake\"}"); /* rows 3 4 */
  rig_settle(r);
  r->dies_after_act[ORR_HOOK_createBackup] = false;
  round_now(r);
  assert_string_equal(there(r, ORR_M_op), "3 4");
  pass_days(r, 30);
  assert_string_equal(there(r, ORR_M_op), "3 4");
  uint64_t id = rig_ask(r, "backup.resolve", "{\"backup\":\"draft\",\"created\":true}");
  assert_int_equal(r->codes[id], 0);
  pass_days(r, 2);
  assert_string_equal(there(r, ORR_M_op), ""); /* they are old, and nobody waits any more */
  rig_free(r);
}

/* ---- dying -------------------------------------------------------------------------------------------------- */

static void test_history__a_round_that_was_cut_is_begun_anew(void **state) {
  (void)state;
  for (int turns = 0; turns < 60; turns++) {
    rig *r = rig_limited(20, 0, 1);
    for (int i = 0; i < 5; i++) run_with(r, hook_fails, "b");
    insert_events(r, 60, orr__loop_wall_ms(r->loop));
    rig_kill_core(r);
    rig_open_core(r);
    rig_settle(r);
    orr__loop_advance(r->loop, 60000);
    rig_turn(r, turns);
    round_now(r);
    assert_string_equal(there(r, ORR_M_result), "5");
    assert_true(count_of(there(r, ORR_M_event)) <= 20);
    rig_free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_history__keeps_the_newest_events),
    cmocka_unit_test(test_history__thousands_of_new_events_are_pruned_before_a_day_is_over),
    cmocka_unit_test(test_history__removes_events_that_are_too_old),
    cmocka_unit_test(test_history__without_limits_everything_stays),
    cmocka_unit_test(test_history__a_gap_in_the_events_can_be_seen),
    cmocka_unit_test(test_history__removes_failures_that_are_too_old),
    cmocka_unit_test(test_history__keeps_the_newest_failures_of_each_backup),
    cmocka_unit_test(test_history__takes_the_journal_along),
    cmocka_unit_test(test_history__leaves_what_runs_or_needs_attention),
    cmocka_unit_test(test_history__leaves_what_somebody_works_on),
    cmocka_unit_test(test_history__goes_through_many),
    cmocka_unit_test(test_history__removes_the_old_journal_of_backups),
    cmocka_unit_test(test_history__never_removes_the_journal_of_a_draft_that_waits),
    cmocka_unit_test(test_history__a_round_that_was_cut_is_begun_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
