/* The plan of a schedule by itself, at its boundaries, and many random lives of schedules: whatever is set, whoever is away, however
 * clocks step, each instant comes to one thing. */
#include "core/schedule.h"
#include "schedule_helper.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00Z */

static orr__schedule schedule_of(const char *text) {
  orr__schedule s = { .deadline_ms = INT64_MAX };
  assert_int_equal(orr__cron_parse(text, 1, &s.cron, NULL), 0);
  return s;
}

/* "missed 3, blackout 2, fire 60, buffered 30, cursor 60": runs by their counts, the others in minutes before NOW. */
static void assert_plan(const orr__plan_facts *facts, const char *expected) {
  orr__plan plan;
  char text[400] = "";
  assert_int_equal(orr__plan_make(facts, &plan), 0);
  for (size_t i = 0; i < plan.run_count; i++) {
    size_t len = strlen(text);
    snprintf(text + len, sizeof text - len, "%s %lld, ", orr__skip_words[plan.runs[i].reason], (long long)plan.runs[i].count);
  }
  size_t len = strlen(text);
  if (plan.fire_ms >= 0) snprintf(text + len, sizeof text - len, "fire %lld, ", (long long)((facts->now_ms - plan.fire_ms) / MINUTE));
  len = strlen(text);
  if (plan.buffered_ms >= 0) snprintf(text + len, sizeof text - len, "buffered %lld, ", (long long)((facts->now_ms - plan.buffered_ms) / MINUTE));
  len = strlen(text);
  snprintf(text + len, sizeof text - len, "cursor %lld", (long long)((facts->now_ms - plan.cursor_ms) / MINUTE));
  orr__plan_clear(&plan);
  assert_string_equal(text, expected);
}

static orr__plan_facts facts_of(const orr__schedule *s, int64_t since_ms) {
  return (orr__plan_facts){ .schedule = s, .now_ms = NOW, .cursor_ms = NOW - since_ms, .buffered_ms = -1 };
}

static void test_schedule_plan__is_empty_between_instants(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  orr__plan_facts f = facts_of(&s, 0);
  f.now_ms += HOUR - 1;
  assert_plan(&f, "cursor 59");
}

static void test_schedule_plan__fires_in_the_millisecond_of_the_instant(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  orr__plan_facts f = facts_of(&s, HOUR);
  assert_plan(&f, "fire 0, cursor 0");
}

static void test_schedule_plan__begins_behind_the_cursor(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  orr__plan_facts f = facts_of(&s, 3 * HOUR + 1);
  assert_plan(&f, "missed 3, fire 0, cursor 0");
  f.cursor_ms++;
  assert_plan(&f, "missed 2, fire 0, cursor 0");
}

static void test_schedule_plan__is_too_late_after_the_deadline_not_at_it(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  s.deadline_ms = HOUR;
  s.misfire = ORR_MISFIRE_ALL;
  orr__plan_facts f = facts_of(&s, 3 * HOUR + 1);
  assert_plan(&f, "too_late 2, fire 60, cursor 60");
  f.now_ms++;
  assert_plan(&f, "too_late 3, fire 0, cursor 0");
}

/* The newest that is not in a blackout and not too late is the one that is made up for. */
static void test_schedule_plan__makes_up_for_the_last_that_may_fire(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  assert_int_equal(orr__blackouts_parse("22:00-23:30", &s.blackouts, NULL), 0);
  orr__plan_facts f = facts_of(&s, 5 * HOUR);
  f.now_ms = NOW - 20 * MINUTE; /* 23:40; 20:00 and 21:00 were missed, 22:00 and 23:00 lay in the blackout */
  assert_plan(&f, "missed 1, fire 160, cursor 160");
  f.cursor_ms = NOW - 3 * HOUR;
  assert_plan(&f, "blackout 2, cursor 40");
  orr__blackouts_free(s.blackouts);
}

static void test_schedule_plan__one_fire_at_a_time(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  s.misfire = ORR_MISFIRE_ALL;
  s.overlap = ORR_OVERLAP_ALLOW;
  orr__plan_facts f = facts_of(&s, 3 * HOUR);
  f.is_running = true;
  assert_plan(&f, "fire 120, cursor 120");
}

static void test_schedule_plan__keeps_what_is_made_up_for_until_the_end(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  s.misfire = ORR_MISFIRE_ALL;
  orr__plan_facts f = facts_of(&s, 3 * HOUR);
  f.is_running = true;
  assert_plan(&f, "cursor 180");
}

static void test_schedule_plan__buffers_the_first_and_skips_the_next(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  s.overlap = ORR_OVERLAP_BUFFER_ONE;
  orr__plan_facts f = facts_of(&s, HOUR);
  f.is_running = true;
  assert_plan(&f, "buffered 0, cursor 0");
  f.buffered_ms = NOW - 2 * HOUR;
  assert_plan(&f, "overlap 1, buffered 120, cursor 0");
  f.is_running = false;
  assert_plan(&f, "fire 120, cursor 60");
}

static void test_schedule_plan__lets_a_disabled_connection_skip(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 * * * *");
  orr__plan_facts f = facts_of(&s, 2 * HOUR);
  f.is_connection_off = true;
  f.buffered_ms = NOW - 3 * HOUR;
  assert_plan(&f, "connection_disabled 1, missed 1, connection_disabled 1, cursor 0");
}

/* With more instants than one plan holds, none of them is taken for the last. */
static void test_schedule_plan__goes_on_in_another_one(void **state) {
  (void)state;
  orr__schedule s = schedule_of("* * * * *");
  orr__plan_facts f = facts_of(&s, (ORR_PLAN_INSTANTS + 1000) * MINUTE);
  assert_plan(&f, "missed 49999, cursor 1001");
  f.cursor_ms = NOW - 1001 * MINUTE;
  assert_plan(&f, "missed 1000, fire 0, cursor 0");
  s.misfire = ORR_MISFIRE_ALL;
  f = facts_of(&s, (ORR_PLAN_INSTANTS + 50) * MINUTE);
  assert_plan(&f, "missed 49900, cursor 150");
  f.cursor_ms = NOW - 150 * MINUTE;
  assert_plan(&f, "missed 49, fire 100, cursor 100"); /* the one of now is not made up for, it is in time */
}

static void test_schedule_plan__limits_the_runs_of_one_transaction(void **state) {
  (void)state;
  orr__schedule s = schedule_of("0 0,12 * * *");
  assert_int_equal(orr__blackouts_parse("12:00-13:00", &s.blackouts, NULL), 0);
  orr__plan_facts f = facts_of(&s, 1000 * DAY);
  orr__plan plan;
  assert_int_equal(orr__plan_make(&f, &plan), 0);
  assert_int_equal(plan.run_count, ORR_SKIP_RUNS);
  assert_int_equal(plan.cursor_ms, NOW - 500 * DAY);
  assert_int_equal(plan.fire_ms, -1);
  assert_false(plan.is_stopped);
  orr__plan_clear(&plan);
  orr__blackouts_free(s.blackouts);
}

static void test_schedule_plan__drops_an_interval_without_a_walk(void **state) {
  (void)state;
  orr__schedule s = schedule_of("@every 1s");
  s.anchor_ms = NOW - 3650 * DAY;
  orr__plan plan;
  assert_int_equal(orr__plan_drop(&s, NOW - 3650 * DAY, NOW + 500, ORR_SKIP_PAUSED, &plan), 0);
  assert_int_equal(plan.run_count, 1);
  assert_int_equal(plan.runs[0].count, INT64_C(3650) * 86400);
  assert_int_equal(plan.runs[0].last_ms, NOW);
  assert_int_equal(plan.cursor_ms, NOW);
  orr__plan_clear(&plan);
}

/* ---- random lives --------------------------------------------------------------------------------------------- */

static uint64_t dice;

static unsigned roll(unsigned sides) {
  dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (unsigned)(dice >> 33) % sides;
}

static void hook_takes_a_while(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  if (roll(4) == 0) orr__set_str(&call->graph.result->head, ORR_F_result_status, "SUCCEEDED");
}

static void something_happens(rig *r) {
  switch (roll(8)) {
    case 0: away(r, (1 + roll(400)) * MINUTE); break;
    case 1: step(r, (int64_t)roll(360) * MINUTE - 3 * HOUR); break;
    case 2: rig_submit(r, "schedule.skip", roll(2) ? "{\"backup\":\"b\"}" : "{\"backup\":\"b\",\"count\":3}"); break;
    case 3: rig_submit(r, "backup.run", "{\"backup\":\"b\"}"); break;
    default: pass_by(r, (int64_t)(1 + roll(180)) * MINUTE, 3 * MINUTE);
  }
}

static void live(unsigned seed) {
  static const char *const texts[] = { "0 * * * *", "*/10 * * * *", "7,9 */2 * * *", "@every 25m" };
  static const char *const misfires[] = { "one", "all", "none" }, *const overlaps[] = { "skip", "bufferOne", "allow" };
  static const char *const others[] = { "", ",\"blackouts\":\"03:00-09:30; 17:10-17:50\"", ",\"startDeadline\":1900",
                                        ",\"jitter\":900,\"blackouts\":\"20:00-04:00\"" };
  char more[300];
  dice = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = roll(2) ? hook_starts : hook_succeeds;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_takes_a_while;
  int64_t from = now_of(r);
  snprintf(more, sizeof more, ",\"timeZone\":\"Europe/Berlin\",\"misfirePolicy\":\"%s\",\"overlapPolicy\":\"%s\"%s", misfires[roll(3)], overlaps[roll(3)],
           others[roll(4)]);
  int64_t id = scheduled(r, "b", texts[roll(4)], more);
  for (int i = 0; i < 30; i++) something_happens(r);
  rig_settle(r);
  assert_accounted(r, id, from);
  rig_free(r);
}

static void test_schedule_plan__lives_at_random_account_for_each_instant(void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= 250; seed++) live(seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_plan__is_empty_between_instants),
    cmocka_unit_test(test_schedule_plan__fires_in_the_millisecond_of_the_instant),
    cmocka_unit_test(test_schedule_plan__begins_behind_the_cursor),
    cmocka_unit_test(test_schedule_plan__is_too_late_after_the_deadline_not_at_it),
    cmocka_unit_test(test_schedule_plan__makes_up_for_the_last_that_may_fire),
    cmocka_unit_test(test_schedule_plan__one_fire_at_a_time),
    cmocka_unit_test(test_schedule_plan__keeps_what_is_made_up_for_until_the_end),
    cmocka_unit_test(test_schedule_plan__buffers_the_first_and_skips_the_next),
    cmocka_unit_test(test_schedule_plan__lets_a_disabled_connection_skip),
    cmocka_unit_test(test_schedule_plan__goes_on_in_another_one),
    cmocka_unit_test(test_schedule_plan__limits_the_runs_of_one_transaction),
    cmocka_unit_test(test_schedule_plan__drops_an_interval_without_a_walk),
    cmocka_unit_test(test_schedule_plan__lives_at_random_account_for_each_instant),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
