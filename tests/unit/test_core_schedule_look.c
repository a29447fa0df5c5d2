/* Schedules as they are asked about: what is refused, what comes next, what somebody leaves out. */
#include "schedule_helper.h"

/* ---- refusals ------------------------------------------------------------------------------------------------ */

static void assert_refused(rig *r, const char *more, const char *because) {
  char *args = orr__strf("{\"name\":\"x\",\"provider\":\"fake\"%s}", more);
  uint64_t id = rig_ask(r, "backup.create", args);
  free(args);
  assert_int_equal(r->codes[id], ORR_E_INVALID);
  char all[600] = "";
  snprintf(all, sizeof all, "%s", orr__error_message(&r->errors[id]));
  for (size_t i = 0; i < r->errors[id].field_count; i++) {
    strcat(all, " ");
    strncat(all, r->errors[id].fields[i].message, 100);
  }
  if (!strstr(all, because)) fail_msg("%s: %s", more, all);
}

static void test_schedule_look__refuses_what_would_never_fire(void **state) {
  (void)state;
  rig *r = rig_new();
  assert_refused(r, ",\"schedule\":\"0 0 30 2 *\"", "no such day");
  assert_refused(r, ",\"schedule\":\"0 3 * * *\",\"blackouts\":\"02:00-04:00\"", "never fires");
  assert_refused(r, ",\"schedule\":\"* * * * *\",\"blackouts\":\"00:00-24:00\"", "never fires");
  assert_refused(r, ",\"schedule\":\"0 3 * * *\",\"startDeadline\":60,\"jitter\":60", "no longer than the jitter");
  rig_free(r);
}

static void test_schedule_look__refuses_bad_policies(void **state) {
  (void)state;
  rig *r = rig_new();
  assert_refused(r, ",\"schedule\":\"@daily\",\"misfirePolicy\":\"some\"", "one, all or none");
  assert_refused(r, ",\"schedule\":\"@daily\",\"overlapPolicy\":\"no\"", "skip, bufferOne or allow");
  assert_refused(r, ",\"schedule\":\"@daily\",\"jitter\":-1", "is seconds");
  assert_refused(r, ",\"schedule\":\"@daily\",\"jitter\":86401", "is seconds");
  assert_refused(r, ",\"schedule\":\"@daily\",\"startDeadline\":0.5", "is seconds");
  assert_refused(r, ",\"schedule\":\"@daily\",\"blackouts\":\"noon\"", "column 1");
  assert_refused(r, ",\"misfirePolicy\":\"all\"", "needs a schedule");
  assert_refused(r, ",\"jitter\":10,\"blackouts\":\"Sun\"", "needs a schedule");
  rig_free(r);
}

/* ---- next ---------------------------------------------------------------------------------------------------- */

static rig *rig_scheduled(const char *schedule, const char *more) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  scheduled(r, "b", schedule, more);
  return r;
}

static orr__json *reply_of(rig *r, const char *request, const char *args) {
  uint64_t id = rig_ask(r, request, args);
  if (r->codes[id]) fail_msg("%s: %s", request, orr__error_message(&r->errors[id]));
  return orr__json_parse(r->replies[id], strlen(r->replies[id]), NULL);
}

/* "1:00 2:00x3 5:00": the instants of schedule.next since `from` in hours and minutes; xN: so many are held. */
static void assert_next(rig *r, int64_t from, int count, const char *expected) {
  char args[80], text[400] = "";
  snprintf(args, sizeof args, "{\"backup\":\"b\",\"count\":%d}", count);
  orr__json *reply = reply_of(r, "schedule.next", args);
  for (const orr__json *n = orr__json_first(orr__json_get(reply, "next")); n; n = orr__json_next(n)) {
    int64_t minutes = (orr__json_int(n, "instant", 0) - from) / MINUTE;
    size_t len = strlen(text);
    snprintf(text + len, sizeof text - len, "%s%lld:%02lld", len ? " " : "", (long long)minutes / 60, (long long)minutes % 60);
    len = strlen(text);
    if (orr__json_str(n, "skipped")) snprintf(text + len, sizeof text - len, "x%lld", (long long)orr__json_int(n, "count", 0));
    if (orr__json_bool(n, "due", false)) snprintf(text + len, sizeof text - len, "!");
  }
  orr__json_free(reply);
  assert_string_equal(text, expected);
}

static void test_schedule_look__next_lists_instants(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", NULL);
  assert_next(r, now_of(r), 3, "1:00 2:00 3:00");
  rig_free(r);
}

static void test_schedule_look__next_gathers_what_a_blackout_holds(void **state) {
  (void)state;
  rig *r = rig_scheduled("*/30 * * * *", ",\"blackouts\":\"01:00-02:30; 05:00-06:00\"");
  int64_t from = now_of(r);
  assert_next(r, from, 4, "0:30 1:00x3 2:30 3:00");
  orr__json *reply = reply_of(r, "schedule.next", "{\"backup\":\"b\",\"count\":2}");
  const orr__json *held = orr__json_next(orr__json_first(orr__json_get(reply, "next")));
  assert_int_equal(orr__json_int(held, "last", 0), from + 2 * HOUR);
  assert_int_equal(orr__json_int(held, "until", 0), from + 150 * MINUTE);
  assert_null(orr__json_get(held, "date"));
  orr__json_free(reply);
  rig_free(r);
}

static void test_schedule_look__next_has_the_later_start_of_a_jitter(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"jitter\":1800");
  orr__json *reply = reply_of(r, "schedule.next", "{\"backup\":\"b\",\"count\":1}");
  const orr__json *first = orr__json_first(orr__json_get(reply, "next"));
  int64_t jitter = orr__json_int(reply, "jitter", -1);
  assert_in_range(jitter, 1, 1799999);
  assert_int_equal(orr__json_int(first, "date", 0) - orr__json_int(first, "instant", 0), jitter);
  orr__json *backup = reply_of(r, "backup.show", "{\"backup\":\"b\"}");
  assert_int_equal(orr__json_int(backup, "nextFireDate", 0), orr__json_int(first, "date", 0));
  orr__json_free(backup);
  orr__json_free(reply);
  rig_free(r);
}

static void test_schedule_look__next_notes_a_gap(void **state) {
  (void)state;
  rig *r = rig_new();
  orr__loop_advance(r->loop, 86 * DAY); /* 2026-03-28 */
  scheduled(r, "b", "30 2 * * *", ",\"timeZone\":\"Europe/Berlin\"");
  orr__json *reply = reply_of(r, "schedule.next", "{\"backup\":\"b\",\"count\":3}");
  const orr__json *first = orr__json_first(orr__json_get(reply, "next")), *second = orr__json_next(first);
  assert_null(orr__json_str(first, "note"));
  assert_non_null(strstr(orr__json_str(second, "note"), "02:30 does not exist on 2026-03-29"));
  orr__json_free(reply);
  rig_free(r);
}

static void test_schedule_look__next_shows_what_is_due_already(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  int64_t from = now_of(r);
  pass(r, 2 * HOUR + MINUTE);
  assert_next(r, from, 3, "2:00! 3:00 4:00");
  rig_free(r);
}

static void test_schedule_look__next_is_empty_while_paused(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"paused\":true");
  assert_next(r, now_of(r), 3, "");
  rig_free(r);
}

static void assert_refuses(rig *r, const char *request, const char *args, int code, const char *because) {
  uint64_t id = rig_ask(r, request, args);
  assert_int_equal(r->codes[id], code);
  if (!strstr(orr__error_message(&r->errors[id]), because)) fail_msg("%s", orr__error_message(&r->errors[id]));
}

static void test_schedule_look__next_and_skip_need_a_schedule(void **state) {
  (void)state;
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  assert_refuses(r, "schedule.next", "{\"backup\":\"b\"}", ORR_E_REFUSED, "has no schedule");
  assert_refuses(r, "schedule.skip", "{\"backup\":\"b\"}", ORR_E_REFUSED, "has no schedule");
  assert_refuses(r, "schedule.next", "{\"backup\":\"nobody\"}", ORR_E_NOT_FOUND, "nobody");
  assert_refuses(r, "schedule.next", "{\"backup\":\"b\",\"count\":0}", ORR_E_INVALID, "count");
  assert_refuses(r, "schedule.skip", "{\"backup\":\"b\",\"count\":1.5}", ORR_E_INVALID, "count");
  assert_refuses(r, "schedule.skip", "{\"backup\":\"b\",\"count\":1001}", ORR_E_INVALID, "count");
  rig_free(r);
}

/* ---- skip ---------------------------------------------------------------------------------------------------- */

static void test_schedule_look__skip_leaves_the_next_fire_out(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", NULL);
  int64_t from = now_of(r);
  orr__json *reply = reply_of(r, "schedule.skip", "{\"backup\":\"b\",\"requestedBy\":\"ada\"}");
  assert_int_equal(orr__json_int(reply, "count", 0), 1);
  assert_int_equal(orr__json_int(reply, "next", 0), from + 2 * HOUR);
  orr__json_free(reply);
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, 1, "requested result");
  row_list events = rig_rows(r, ORR_M_event);
  bool is_told = false;
  for (size_t i = 0; i < events.count; i++) {
    orr__json *data = orr__object_map(events.rows[i], ORR_F_event_data);
    is_told = is_told || orr__streq(orr__json_str(data, "requestedBy"), "ada");
    orr__json_free(data);
  }
  rows_free(&events);
  assert_true(is_told);
  assert_done(r, 1, from);
  rig_free(r);
}

static void test_schedule_look__skip_survives_a_restart(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", NULL);
  int64_t from = now_of(r);
  rig_ask(r, "schedule.skip", "{\"backup\":\"b\",\"count\":2}");
  away(r, 30 * MINUTE);
  pass(r, 3 * HOUR);
  assert_record(r, 1, "requested requested result");
  assert_done(r, 1, from);
  rig_free(r);
}

static void test_schedule_look__skip_counts_what_would_fire(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"blackouts\":\"02:00-04:00\"");
  int64_t from = now_of(r);
  rig_ask(r, "schedule.skip", "{\"backup\":\"b\",\"count\":2}");
  pass(r, 5 * HOUR + MINUTE);
  assert_record(r, 1, "requested blackout blackout requested result");
  assert_done(r, 1, from);
  rig_free(r);
}

static void test_schedule_look__skip_begins_with_the_buffered_one(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  int64_t from = now_of(r);
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, 1, "result buffered");
  rig_ask(r, "schedule.skip", "{\"backup\":\"b\"}");
  assert_record(r, 1, "result requested");
  assert_done(r, 1, from);
  rig_free(r);
}

static void test_schedule_look__skip_is_refused_while_paused(void **state) {
  (void)state;
  rig *r = rig_scheduled("0 * * * *", ",\"paused\":true");
  assert_refuses(r, "schedule.skip", "{\"backup\":\"b\"}", ORR_E_REFUSED, "paused");
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_look__refuses_what_would_never_fire),
    cmocka_unit_test(test_schedule_look__refuses_bad_policies),
    cmocka_unit_test(test_schedule_look__next_lists_instants),
    cmocka_unit_test(test_schedule_look__next_gathers_what_a_blackout_holds),
    cmocka_unit_test(test_schedule_look__next_has_the_later_start_of_a_jitter),
    cmocka_unit_test(test_schedule_look__next_notes_a_gap),
    cmocka_unit_test(test_schedule_look__next_shows_what_is_due_already),
    cmocka_unit_test(test_schedule_look__next_is_empty_while_paused),
    cmocka_unit_test(test_schedule_look__next_and_skip_need_a_schedule),
    cmocka_unit_test(test_schedule_look__skip_leaves_the_next_fire_out),
    cmocka_unit_test(test_schedule_look__skip_survives_a_restart),
    cmocka_unit_test(test_schedule_look__skip_counts_what_would_fire),
    cmocka_unit_test(test_schedule_look__skip_begins_with_the_buffered_one),
    cmocka_unit_test(test_schedule_look__skip_is_refused_while_paused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
