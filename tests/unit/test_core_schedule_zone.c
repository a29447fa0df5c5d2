/* Schedules and time zones: each change of the clock from 2025 to 2030 in zones of all habits, and files of zones that go, come back
 * and change while schedules count on them. */
#include <sys/stat.h>
#include <unistd.h>

#include "schedule_helper.h"

/* ---- changes of the clock -------------------------------------------------------------------------------------- */

static const char *const zones[] = { "Europe/Berlin",   "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca",
                                     "Asia/Beirut",     "America/Havana",   "Africa/Cairo",        "Antarctica/Troll", "Pacific/Auckland" };
static const char *const schedules[] = { "30 2 * * *", "0,30 0-3 * * *", "15 * * * *", "*/15 * * * *", "H H(0-3) * * *", "@every 45m" };
enum { ZONES = sizeof zones / sizeof *zones, SCHEDULES = sizeof schedules / sizeof *schedules };

static const int64_t first_ms = INT64_C(1735689600000), last_ms = INT64_C(1924991999000); /* 2025 to 2030 */

/* A day and a bit on both sides of one change; nobody is there for `absence` about it. */
static void around(const char *zone, int64_t change_ms, int64_t absence_ms, const char *policy) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  step(r, change_ms - 26 * HOUR - now_of(r));
  int64_t from = now_of(r), ids[SCHEDULES];
  for (size_t i = 0; i < SCHEDULES; i++) {
    char name[20], more[100];
    snprintf(name, sizeof name, "b%d", (int)i);
    snprintf(more, sizeof more, ",\"timeZone\":\"%s\",\"misfirePolicy\":\"%s\"", zone, policy);
    ids[i] = scheduled(r, name, schedules[i], more);
  }
  pass_by(r, 26 * HOUR - absence_ms / 2, 5 * MINUTE);
  if (absence_ms) away(r, absence_ms);
  pass_by(r, 26 * HOUR - absence_ms / 2, 5 * MINUTE);
  for (size_t i = 0; i < SCHEDULES; i++) {
    size_t count = assert_done(r, ids[i], from);
    ledger *l = ledger_of(r, ids[i]);
    for (size_t k = 0; k < l->count && !absence_ms; k++) assert_string_equal(l->rows[k].what, "result");
    if (count < 1) fail_msg("'%s' in %s: nothing came", schedules[i], zone);
    free(l);
  }
  rig_free(r);
}

static int each_change(int64_t absence_ms, const char *policy) {
  orr__zones *all = orr__zones_new("/usr/share/zoneinfo");
  int changes = 0;
  for (size_t i = 0; i < ZONES; i++) {
    orr__zone *zone = NULL;
    assert_int_equal(orr__zones_get(all, zones[i], &zone, NULL), 0);
    for (int64_t at = orr__zone_next_change(zone, first_ms); at < last_ms; at = orr__zone_next_change(zone, at), changes++)
      around(zones[i], at, absence_ms, policy);
    orr__zone_unref(zone);
  }
  orr__zones_free(all);
  return changes;
}

static void test_schedule_zone__each_change_of_the_clock_loses_and_doubles_nothing(void **state) {
  (void)state;
  assert_in_range(each_change(0, "one"), 100, 130);
}

static void test_schedule_zone__nor_does_one_in_an_absence(void **state) {
  (void)state;
  each_change(3 * HOUR + 7 * MINUTE, "all");
}

/* ---- files of zones -------------------------------------------------------------------------------------------- */

static char folder[64];

static void put_zone(const char *like) {
  char from[100], to[100], temporary[100], *bytes = NULL;
  size_t len = 0;
  snprintf(from, sizeof from, "/usr/share/zoneinfo/%s", like);
  snprintf(to, sizeof to, "%s/Test", folder);
  snprintf(temporary, sizeof temporary, "%s/new", folder);
  assert_int_equal(orr__file_read(from, 1 << 20, &bytes, &len, NULL), 0);
  FILE *file = fopen(temporary, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, len, file), len);
  fclose(file);
  assert_int_equal(rename(temporary, to), 0); /* as dpkg does */
  free(bytes);
}

static void remove_zone(void) {
  char path[100];
  snprintf(path, sizeof path, "%s/Test", folder);
  unlink(path);
}

static rig *rig_with_zone(const char *schedule, int64_t *from) {
  snprintf(folder, sizeof folder, "/tmp/orrery-zones-XXXXXX");
  assert_non_null(mkdtemp(folder));
  put_zone("Europe/Berlin");
  rig *r = rig_new();
  rig_kill_core(r);
  r->zoneinfo = folder;
  rig_open_core(r);
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  *from = now_of(r);
  scheduled(r, "b", schedule, ",\"timeZone\":\"Test\"");
  return r;
}

static void end(rig *r) {
  rig_free(r);
  remove_zone();
  rmdir(folder);
}

static int fires(const rig *r) { return r->ran[ORR_HOOK_executeBackup]; }

static void assert_attention(rig *r, const char *word) { assert_field(r, "backup.show", "{\"backup\":\"b\"}", "attention", word); }

static void test_schedule_zone__one_that_is_gone_needs_attention_and_keeps_what_is_due(void **state) {
  (void)state;
  int64_t from;
  rig *r = rig_with_zone("0 * * * *", &from);
  pass(r, HOUR + MINUTE);
  assert_int_equal(fires(r), 1);
  remove_zone();
  pass(r, 10 * MINUTE);
  assert_attention(r, "zone_missing");
  uint64_t status = rig_ask(r, "status", "{}");
  assert_non_null(strstr(r->replies[status], "zone_missing"));
  pass(r, 3 * HOUR);
  assert_int_equal(fires(r), 1);
  put_zone("Europe/Berlin");
  pass(r, 3 * MINUTE);
  assert_attention(r, NULL);
  assert_int_equal(fires(r), 2);
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 2);
  assert_int_equal(result->scheduledDate, from + 4 * HOUR); /* the last one missed; the two before are on record */
  orr__object_free((orr__object *)result);
  row_list events = rig_rows(r, ORR_M_event);
  bool is_told = false;
  int alarms = 0;
  for (size_t i = 0; i < events.count; i++) {
    const orr_event_row *event = (const orr_event_row *)events.rows[i];
    is_told = is_told || orr__starts_with(event->message, "2 earlier fires");
    alarms += orr__streq(event->kind, "backup.attention");
  }
  rows_free(&events);
  assert_true(is_told);
  assert_int_equal(alarms, 1); /* however often it was looked for */
  end(r);
}

static void test_schedule_zone__one_that_is_gone_at_the_start_needs_attention(void **state) {
  (void)state;
  int64_t from;
  rig *r = rig_with_zone("0 * * * *", &from);
  remove_zone();
  away(r, 2 * HOUR);
  assert_attention(r, "zone_missing");
  assert_int_equal(fires(r), 0);
  away(r, HOUR);
  put_zone("Europe/Berlin");
  pass(r, 3 * MINUTE);
  assert_attention(r, NULL);
  assert_int_equal(fires(r), 1);
  end(r);
}

static void test_schedule_zone__another_zone_ends_the_attention(void **state) {
  (void)state;
  int64_t from;
  rig *r = rig_with_zone("0 * * * *", &from);
  remove_zone();
  away(r, 3 * HOUR + MINUTE);
  assert_attention(r, "zone_missing");
  uint64_t update = rig_ask(r, "backup.update", "{\"backup\":\"b\",\"timeZone\":\"UTC\"}");
  assert_int_equal(r->codes[update], 0);
  rig_settle(r);
  assert_attention(r, NULL);
  assert_record(r, 1, "missed missed result");
  assert_done(r, 1, from);
  end(r);
}

static void test_schedule_zone__one_that_cannot_be_read_is_as_good_as_gone(void **state) {
  (void)state;
  int64_t from;
  rig *r = rig_with_zone("0 * * * *", &from);
  char path[100];
  snprintf(path, sizeof path, "%s/Test", folder);
  remove_zone();
  FILE *file = fopen(path, "w");
  fputs("no zone", file);
  fclose(file);
  pass(r, 10 * MINUTE);
  assert_attention(r, "zone_missing");
  end(r);
}

static void test_schedule_zone__new_rules_are_noticed(void **state) {
  (void)state;
  int64_t from;
  rig *r = rig_with_zone("0 12 * * *", &from); /* 11:00 UTC in Berlin, 17:00 in New York */
  pass(r, 8 * HOUR);
  put_zone("America/New_York");
  pass(r, 4 * HOUR);
  assert_int_equal(fires(r), 0);
  pass(r, 5 * HOUR + MINUTE);
  assert_int_equal(fires(r), 1);
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  assert_int_equal(result->scheduledDate, from + 17 * HOUR);
  orr__object_free((orr__object *)result);
  end(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_zone__each_change_of_the_clock_loses_and_doubles_nothing),
    cmocka_unit_test(test_schedule_zone__nor_does_one_in_an_absence),
    cmocka_unit_test(test_schedule_zone__one_that_is_gone_needs_attention_and_keeps_what_is_due),
    cmocka_unit_test(test_schedule_zone__one_that_is_gone_at_the_start_needs_attention),
    cmocka_unit_test(test_schedule_zone__another_zone_ends_the_attention),
    cmocka_unit_test(test_schedule_zone__one_that_cannot_be_read_is_as_good_as_gone),
    cmocka_unit_test(test_schedule_zone__new_rules_are_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
