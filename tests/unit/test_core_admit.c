/* Limits on how many results run at a time, and the retry policy: who is let in, in which order, and what a failed execution leads to. */
#include "core/slots.h"
#include "core_helper.h"
#include "model/status.h"

/* ---- slots -------------------------------------------------------------------------------------------------- */

static orr__seat seat(int64_t connection, int64_t server, int64_t all, int64_t per_connection, int64_t per_server) {
  return (orr__seat){ .provider = orr__slots_provider("fake"), .connection_id = connection, .server_id = server,
                      .limits = { all, 0, per_connection, per_server } };
}

static bool takes(orr__slots *slots, int64_t id, orr__seat s, enum orr__place wanted) {
  enum orr__place full = ORR_PLACES;
  bool is_in = orr__slots_take(slots, id, &s, &full);
  if (!is_in) assert_int_equal(full, wanted);
  return is_in;
}

static void test_slots__each_place_has_its_own_limit(void **state) {
  (void)state;
  orr__slots *slots = orr__slots_new();
  assert_true(takes(slots, 1, seat(1, 1, 9, 2, 1), 0));
  assert_false(takes(slots, 2, seat(1, 1, 9, 2, 1), ORR_PLACE_SERVER));
  assert_true(takes(slots, 3, seat(1, 2, 9, 2, 1), 0));
  assert_false(takes(slots, 4, seat(1, 3, 9, 2, 1), ORR_PLACE_CONNECTION));
  assert_false(takes(slots, 5, seat(2, 4, 2, 0, 0), ORR_PLACE_ALL));
  assert_true(takes(slots, 3, seat(1, 2, 9, 2, 1), 0)); /* it has them */
  assert_int_equal(orr__slots_waiting(slots), 3);
  assert_int_equal(orr__slots_next(slots), 0);
  orr__slots_drop(slots, 1);
  assert_int_equal(orr__slots_next(slots), 2); /* the oldest that fits */
  assert_int_equal(orr__slots_next(slots), 0);
  orr__slots_drop(slots, 2);
  orr__slots_drop(slots, 2);
  assert_int_equal(orr__slots_next(slots), 5); /* the other lane's turn */
  assert_int_equal(orr__slots_next(slots), 4);
  assert_int_equal(orr__slots_waiting(slots), 0);
  orr__slots_free(slots);
}

static void test_slots__lanes_take_turns(void **state) {
  (void)state;
  orr__slots *slots = orr__slots_new();
  assert_true(takes(slots, 1, seat(1, 0, 1, 0, 0), 0));
  for (int64_t id = 10; id < 20; id++) assert_false(takes(slots, id, seat(1, 0, 1, 0, 0), ORR_PLACE_ALL));
  assert_false(takes(slots, 20, seat(2, 0, 1, 0, 0), ORR_PLACE_ALL));
  assert_false(takes(slots, 21, seat(2, 0, 1, 0, 0), ORR_PLACE_ALL));
  static const int64_t order[] = { 10, 20, 11, 21, 12, 13, 14 };
  int64_t running = 1;
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    orr__slots_drop(slots, running);
    running = orr__slots_next(slots);
    assert_int_equal(running, order[i]);
  }
  orr__slots_free(slots);
}

static void test_slots__who_comes_later_does_not_overtake(void **state) {
  (void)state;
  orr__slots *slots = orr__slots_new();
  assert_true(takes(slots, 1, seat(1, 0, 0, 1, 0), 0));
  assert_false(takes(slots, 2, seat(1, 0, 0, 1, 0), ORR_PLACE_CONNECTION));
  orr__slots_drop(slots, 1);
  assert_false(takes(slots, 3, seat(1, 0, 0, 1, 0), ORR_PLACES));
  assert_true(takes(slots, 2, seat(1, 0, 0, 1, 0), 0));
  assert_true(takes(slots, 4, seat(2, 0, 0, 1, 0), 0)); /* nobody waits for that one */
  assert_true(takes(slots, 5, seat(1, 0, 0, 0, 0), 0)); /* no limit, no line */
  assert_int_equal(orr__slots_used(slots, ORR_PLACE_CONNECTION, &(orr__seat){ .connection_id = 1 }), 1);
  orr__slots_free(slots);
}

/* By chance, against plain counting: no limit is passed, and nobody who fits is left waiting. */
static void test_slots__agree_with_plain_counting(void **state) {
  (void)state;
  enum { RESULTS = 400 };
  orr__slots *slots = orr__slots_new();
  orr__seat seats[RESULTS];
  enum { OUT, IN, WAITS, DONE } where[RESULTS] = { OUT };
  uint32_t random = 5;
  int at_connection[4] = { 0 }, at_server[6] = { 0 }, all = 0;
  for (int step = 0; step < 20000; step++) {
    random = random * 1664525u + 1013904223u;
    int id = (int)(random >> 8) % RESULTS;
    if (where[id] == OUT) {
      seats[id] = seat((random >> 20) % 4, (random >> 24) % 6, 12, 4, 3);
      enum orr__place full;
      where[id] = orr__slots_take(slots, id + 1, &seats[id], &full) ? IN : WAITS;
    } else if (where[id] == IN || where[id] == WAITS) {
      bool was_in = where[id] == IN;
      orr__slots_drop(slots, id + 1);
      where[id] = random & 1 ? DONE : OUT;
      if (was_in) all--, at_connection[seats[id].connection_id]--, at_server[seats[id].server_id]--;
    } else {
      where[id] = OUT;
    }
    if (where[id] == IN) all++, at_connection[seats[id].connection_id]++, at_server[seats[id].server_id]++;
    for (int64_t next; (next = orr__slots_next(slots)) != 0;) {
      assert_int_equal(where[next - 1], WAITS);
      where[next - 1] = IN;
      all++, at_connection[seats[next - 1].connection_id]++, at_server[seats[next - 1].server_id]++;
    }
    assert_true(all <= 12);
    for (int c = 1; c < 4; c++) assert_true(at_connection[c] <= 4);
    for (int s = 1; s < 6; s++) assert_true(at_server[s] <= 3);
    for (int i = 0; i < RESULTS; i++)
      if (where[i] == WAITS)
        assert_true(all == 12 || (seats[i].connection_id && at_connection[seats[i].connection_id] == 4) ||
                    (seats[i].server_id && at_server[seats[i].server_id] == 3));
  }
  orr__slots_free(slots);
}

/* ---- limits ------------------------------------------------------------------------------------------------- */

static rig *equipped(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  return r;
}

static void assert_status(rig *r, int64_t id, const char *status) {
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, id);
  assert_non_null(result);
  if (!orr__streq(result->status, status)) fail_msg("result %d is %s, not %s", (int)id, result->status, status);
  orr__object_free((orr__object *)result);
}

static void test_admit__a_result_over_the_limit_waits_and_says_why(void **state) {
  (void)state;
  rig *r = equipped();
  r->declaration.max_running = 1;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 200);
  assert_status(r, 1, "IN_PROGRESS");
  assert_status(r, 2, "START_REQUESTED");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  assert_field(r, "result.show", "{\"result\":\"2\"}", "statusMessage", "waits: 1 of 1 results run of the provider fake");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  rig_advance(r, 31);
  assert_status(r, 1, "SUCCEEDED");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2); /* at once, not a minute later */
  rig_advance(r, 31);
  assert_status(r, 2, "SUCCEEDED");
  rig_free(r);
}

static void test_admit__the_end_in_any_way_lets_the_next_in(void **state) {
  (void)state;
  rig *r = equipped();
  r->declaration.max_running = 1;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  for (int i = 0; i < 2; i++) rig_ask(r, "backup.run", "{\"backup\":\"b\"}"); /* both end at once */
  assert_status(r, 2, "FAILED");
  r->hooks[ORR_HOOK_executeBackup] = hook_raises; /* past the mark: attention */
  r->acts[ORR_HOOK_executeBackup] = true;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->acts[ORR_HOOK_executeBackup] = false;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}"); /* 4: attention holds nothing */
  assert_status(r, 4, "IN_PROGRESS");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "result.cancel", "{\"result\":\"5\"}"); /* it waits: never begun */
  assert_status(r, 5, "CANCELLED");
  rig_ask(r, "result.rm", "{\"result\":\"4\",\"force\":true}");
  rig_advance(r, 1);
  assert_status(r, 6, "IN_PROGRESS");
  rig_free(r);
}

static void test_admit__limits_hold_over_a_restart(void **state) {
  (void)state;
  rig *r = equipped();
  r->declaration.max_running = 2;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  for (int i = 0; i < 5; i++) rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_kill_core(r);
  rig_open_core(r);
  rig_advance(r, 200);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  rig_advance(r, 200);
  for (int64_t id = 1; id <= 5; id++) assert_status(r, id, "SUCCEEDED");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 5);
  rig_free(r);
}

static void test_admit__a_connection_and_a_server_have_limits_of_their_own(void **state) {
  (void)state;
  rig *r = equipped();
  rig_ask(r, "connection.add", "{\"name\":\"c\",\"provider\":\"fake\",\"config\":{\"maxRunning\":1}}");
  rig_ask(r, "server.add", "{\"name\":\"s\",\"config\":{\"maxRunning\":1}}");
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"connection\":\"c\"}");
  rig_ask(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\",\"server\":\"s\"}");
  for (int i = 0; i < 2; i++) {
    rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
    rig_ask(r, "backup.run", "{\"backup\":\"d\"}");
  }
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  assert_field(r, "result.show", "{\"result\":\"3\"}", "statusMessage", "waits: 1 of 1 results run on the connection c");
  assert_field(r, "result.show", "{\"result\":\"4\"}", "statusMessage", "waits: 1 of 1 results run on the server s");
  rig_free(r);
}

static void test_admit__a_raised_limit_is_noticed(void **state) {
  (void)state;
  rig *r = equipped();
  r->declaration.max_running = 1;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  r->declaration.max_running = 2;
  rig_advance(r, 61);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  rig_free(r);
}

/* ---- retries ------------------------------------------------------------------------------------------------ */

static void test_retry__a_failed_execution_is_run_again_after_the_delay(void **state) {
  (void)state;
  rig *r = equipped();
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":2,\"retryDelay\":100}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\",\"config\":{\"label\":\"x\"}}");
  assert_status(r, 1, "FAILED");
  assert_status(r, 2, "START_REQUESTED");
  rig_advance(r, 98);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  rig_advance(r, 3);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  assert_status(r, 2, "FAILED");
  rig_advance(r, 198);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2); /* the delay doubles */
  rig_advance(r, 3);
  assert_status(r, 3, "FAILED");
  assert_null(rig_stored(r, ORR_M_result, 4));
  orr_result *first = (orr_result *)rig_stored(r, ORR_M_result, 1), *second = (orr_result *)rig_stored(r, ORR_M_result, 2);
  orr_result *third = (orr_result *)rig_stored(r, ORR_M_result, 3);
  assert_string_equal(second->retryOf, first->uuid);
  assert_string_equal(third->retryOf, second->uuid);
  assert_string_equal(third->executionConfig, first->executionConfig);
  assert_string_equal(third->trigger, "retry");
  assert_int_equal(third->retryNumber, 2);
  orr__object_free((orr__object *)first);
  orr__object_free((orr__object *)second);
  orr__object_free((orr__object *)third);
  rig_free(r);
}

static void test_retry__neither_success_nor_cancel_is_run_again(void **state) {
  (void)state;
  rig *r = equipped();
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":2,\"retryDelay\":1,\"refreshInterval\":30}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  rig_advance(r, 31);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_halts; /* cancelled by a person, then it fails */
  rig_ask(r, "result.cancel", "{\"result\":\"2\"}");
  rig_advance(r, 100);
  assert_status(r, 2, "FAILED");
  assert_null(rig_stored(r, ORR_M_result, 3));
  rig_free(r);
}

static void test_retry__survives_a_restart_while_it_waits(void **state) {
  (void)state;
  rig *r = equipped();
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":1,\"retryDelay\":100}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_advance(r, 50);
  rig_kill_core(r);
  rig_open_core(r);
  rig_advance(r, 48);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1); /* as long as it would have */
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  rig_advance(r, 5);
  assert_status(r, 2, "SUCCEEDED");
  rig_free(r);
}

static void test_retry__can_be_cancelled_while_it_waits(void **state) {
  (void)state;
  rig *r = equipped();
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":5,\"retryDelay\":100}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_ask(r, "result.cancel", "{\"result\":\"2\"}");
  rig_advance(r, 500);
  assert_status(r, 2, "CANCELLED");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  assert_null(rig_stored(r, ORR_M_result, 3));
  rig_free(r);
}

static void test_retry__a_policy_that_makes_no_sense_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = { "\"retryAttempts\":-1", "\"retryAttempts\":1.5", "\"retryAttempts\":101", "\"retryDelay\":0",
                                     "\"retryDelay\":1e9" };
  rig *r = equipped();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char args[200];
    snprintf(args, sizeof args, "{\"name\":\"b\",\"provider\":\"fake\",%s}", bad[i]);
    uint64_t id = rig_ask(r, "backup.create", args);
    if (r->codes[id] != ORR_E_INVALID) fail_msg("%s was taken", bad[i]);
  }
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_slots__each_place_has_its_own_limit),
    cmocka_unit_test(test_slots__lanes_take_turns),
    cmocka_unit_test(test_slots__who_comes_later_does_not_overtake),
    cmocka_unit_test(test_slots__agree_with_plain_counting),
    cmocka_unit_test(test_admit__a_result_over_the_limit_waits_and_says_why),
    cmocka_unit_test(test_admit__the_end_in_any_way_lets_the_next_in),
    cmocka_unit_test(test_admit__limits_hold_over_a_restart),
    cmocka_unit_test(test_admit__a_connection_and_a_server_have_limits_of_their_own),
    cmocka_unit_test(test_admit__a_raised_limit_is_noticed),
    cmocka_unit_test(test_retry__a_failed_execution_is_run_again_after_the_delay),
    cmocka_unit_test(test_retry__neither_success_nor_cancel_is_run_again),
    cmocka_unit_test(test_retry__survives_a_restart_while_it_waits),
    cmocka_unit_test(test_retry__can_be_cancelled_while_it_waits),
    cmocka_unit_test(test_retry__a_policy_that_makes_no_sense_is_refused),
  };
  return cmocka_run_group_tests_name("core admit", tests, NULL, NULL);
}
