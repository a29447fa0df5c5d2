/* core/blackout.h: the text and its faults, which instants are held, and until when, over changes of the clock too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/blackout.h"

#define MINUTE INT64_C(60000)

static int64_t iso(const char *text) {
  int64_t ms = 0;
  if (!orr__iso_parse(text, &ms)) fail_msg("no date: %s", text);
  return ms;
}

static orr__blackouts *parse(const char *text) {
  orr__blackouts *blackouts = NULL;
  orr_error err = ORR_ERROR_INIT;
  if (orr__blackouts_parse(text, &blackouts, &err) != 0) fail_msg("%s", orr__error_message(&err));
  return blackouts;
}

static orr__zone *zone_named(const char *name) {
  orr__zones *zones = orr__zones_new("/usr/share/zoneinfo");
  orr__zone *zone = NULL;
  assert_int_equal(orr__zones_get(zones, name, &zone, NULL), 0);
  orr__zones_free(zones); /* the zone stays */
  return zone;
}

/* until: "" is not held, "-" for ever. */
static void check(const char *text, const char *zone_name, const char *at, const char *until) {
  orr__blackouts *blackouts = parse(text);
  orr__zone *zone = zone_named(zone_name);
  int64_t end = 0;
  char got[32] = "";
  if (orr__blackouts_hold(blackouts, zone, iso(at), &end)) strcpy(got, "-");
  if (*got && end != INT64_MAX) orr__iso_format(end, got);
  if (strcmp(got, until) != 0) fail_msg("'%s' at %s: until '%s', not '%s'", text, at, got, until);
  orr__zone_unref(zone);
  orr__blackouts_free(blackouts);
}

static void test_blackout__a_daily_window_begins_and_ends_on_the_minute(void **state) {
  (void)state;
  check("08:00-18:00", "UTC", "2026-01-05T07:59:59.999Z", "");
  check("08:00-18:00", "UTC", "2026-01-05T08:00:00Z", "2026-01-05T18:00:00Z");
  check("08:00-18:00", "UTC", "2026-01-05T17:59:59.999Z", "2026-01-05T18:00:00Z");
  check("08:00-18:00", "UTC", "2026-01-05T18:00:00Z", "");
  check("20:00-24:00", "UTC", "2026-01-05T23:59:00Z", "2026-01-06T00:00:00Z");
}

static void test_blackout__a_window_over_midnight_belongs_to_the_day_it_begins_on(void **state) {
  (void)state; /* 2026-01-05 is a Monday */
  check("Mon 22:00-02:00", "UTC", "2026-01-05T01:00:00Z", "");
  check("Mon 22:00-02:00", "UTC", "2026-01-05T22:00:00Z", "2026-01-06T02:00:00Z");
  check("mon 22:00-02:00", "UTC", "2026-01-06T01:59:00Z", "2026-01-06T02:00:00Z");
  check("MON 22:00-02:00", "UTC", "2026-01-06T22:00:00Z", "");
  check("22:00-02:00", "UTC", "2026-01-07T01:00:00Z", "2026-01-07T02:00:00Z");
}

static void test_blackout__weekdays_can_be_lists_and_ranges(void **state) {
  (void)state;
  check("Mon-Fri", "UTC", "2026-01-09T12:00:00Z", "2026-01-10T00:00:00Z");
  check("Mon-Fri", "UTC", "2026-01-10T12:00:00Z", "");
  check("Fri-Mon 10:00-12:00", "UTC", "2026-01-11T11:00:00Z", "2026-01-11T12:00:00Z"); /* a Sunday */
  check("Fri-Mon 10:00-12:00", "UTC", "2026-01-13T11:00:00Z", "");
  check("Tue,Thu,Sat 10:00-12:00", "UTC", "2026-01-08T11:00:00Z", "2026-01-08T12:00:00Z");
  check("Tue,Thu,Sat 10:00-12:00", "UTC", "2026-01-09T11:00:00Z", "");
}

static void test_blackout__days_of_the_year_repeat(void **state) {
  (void)state;
  check("12-24..12-26", "UTC", "2026-12-26T23:59:00Z", "2026-12-27T00:00:00Z");
  check("12-24..12-26", "UTC", "2031-12-24T00:00:00Z", "2031-12-27T00:00:00Z");
  check("12-24..12-26", "UTC", "2026-12-27T00:00:00Z", "");
  check("12-30..01-02", "UTC", "2026-12-31T12:00:00Z", "2027-01-03T00:00:00Z");
  check("12-30..01-02", "UTC", "2027-01-01T12:00:00Z", "2027-01-03T00:00:00Z");
  check("12-30..01-02", "UTC", "2027-01-03T00:00:00Z", "");
  check("02-20..02-29", "UTC", "2027-02-28T12:00:00Z", "2027-03-01T00:00:00Z");
  check("02-29", "UTC", "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z");
}

static void test_blackout__spans_of_dates_hold_once(void **state) {
  (void)state;
  check("2026-12-24..2026-12-27", "UTC", "2026-12-27T23:00:00Z", "2026-12-28T00:00:00Z");
  check("2026-12-24", "Asia/Tokyo", "2026-12-23T15:00:00Z", "2026-12-24T15:00:00Z");
  check("2026-12-24", "UTC", "2027-12-24T12:00:00Z", "");
  check("2026-12-31 18:00..2027-01-01 06:00", "UTC", "2026-12-31T17:59:00Z", "");
  check("2026-12-31 18:00..2027-01-01 06:00", "UTC", "2027-01-01T05:59:00Z", "2027-01-01T06:00:00Z");
}

static void test_blackout__windows_that_touch_are_one(void **state) {
  (void)state;
  check("20:00-24:00; 00:00-04:00; Sat", "UTC", "2026-01-09T21:00:00Z", "2026-01-11T04:00:00Z");
  check("Mon-Fri; Sat,Sun", "UTC", "2026-01-09T21:00:00Z", "-");
  check("00:00-24:00", "Europe/Berlin", "2026-01-09T21:00:00Z", "-");
  check("01-01..12-31", "UTC", "2026-01-09T21:00:00Z", "-");
}

static void test_blackout__goes_by_the_clock_on_the_wall(void **state) {
  (void)state;
  /* Berlin's clock goes from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC, and back at 01:00 UTC on 2026-10-25. */
  check("01:00-02:30", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z");
  check("02:15-02:45", "Europe/Berlin", "2026-03-29T01:00:00Z", "");
  check("02:00-03:00", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z"); /* both times, without a break */
  check("02:00-02:30", "Europe/Berlin", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z");
  check("02:00-02:30", "Europe/Berlin", "2026-10-25T00:40:00Z", "");
  check("02:00-02:30", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z");
}

static void test_blackout__days_can_have_times(void **state) {
  (void)state;
  check("2026-12-01..2026-12-03 22:00-02:00", "UTC", "2026-12-01T01:00:00Z", "");
  check("2026-12-01..2026-12-03 22:00-02:00", "UTC", "2026-12-02T01:00:00Z", "2026-12-02T02:00:00Z");
  check("2026-12-01..2026-12-03 22:00-02:00", "UTC", "2026-12-02T12:00:00Z", "");
  check("2026-12-01..2026-12-03 22:00-02:00", "UTC", "2026-12-04T01:00:00Z", "2026-12-04T02:00:00Z");
  check("2026-12-01..2026-12-03 22:00-02:00", "UTC", "2026-12-04T22:00:00Z", "");
  check("2026-12-24 08:00-18:00", "UTC", "2026-12-24T18:00:00Z", "");
  check("2026-12-24 08:00-18:00", "UTC", "2026-12-24T17:00:00Z", "2026-12-24T18:00:00Z");
  check("12-31 12:00-12:30; 12-31 12:30-01:00", "UTC", "2031-12-31T12:00:00Z", "2032-01-01T01:00:00Z");
  check("02-29 20:00-04:00", "UTC", "2028-03-01T03:00:00Z", "2028-03-01T04:00:00Z");
  check("02-29 20:00-04:00", "UTC", "2027-03-01T03:00:00Z", "");
}

static void test_blackout__no_end_is_told_where_the_wall_leaves_the_window_on_the_way(void **state) {
  (void)state;
  /* 02:30 to 03:00, then 02:00 once more, which is out of the window; and the same over the end of one that spans days. */
  check("02:30-04:00", "Europe/Berlin", "2026-10-25T00:40:00Z", "2026-10-25T01:00:00Z");
  check("2026-10-25 02:30..2026-10-28 00:00", "Europe/Berlin", "2026-10-25T00:40:00Z", "2026-10-25T01:00:00Z");
  check("2026-10-25 02:30..2026-10-28 00:00", "Europe/Berlin", "2026-10-25T01:40:00Z", "2026-10-27T23:00:00Z");
  /* Apia left out 2011-12-30, a Friday, whole. */
  check("Fri", "Pacific/Apia", "2011-12-30T09:59:00Z", "");
  check("Fri", "Pacific/Apia", "2011-12-30T10:00:00Z", "");
  check("Thu,Fri", "Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-30T10:00:00Z");
  check("Thu,Sat", "Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-31T10:00:00Z");
}

static void check_next(const char *windows, const char *schedule, int64_t delay_ms, const char *wanted) {
  orr__blackouts *blackouts = windows ? parse(windows) : NULL;
  orr__zone *zone = zone_named("Europe/Berlin");
  orr__cron cron;
  assert_int_equal(orr__cron_parse(schedule, 0, &cron, NULL), 0);
  int64_t at = orr__blackouts_next(blackouts, &cron, zone, iso("2026-01-01"), delay_ms, iso("2026-01-05T12:00:00Z"));
  char got[32] = "-";
  if (at != ORR__CRON_NEVER) orr__iso_format(at, got);
  if (strcmp(got, wanted) != 0) fail_msg("'%s' but '%s': %s, not %s", schedule, windows, got, wanted);
  orr__zone_unref(zone);
  orr__blackouts_free(blackouts);
}

static void test_blackout__the_next_fire_is_the_first_that_is_free(void **state) {
  (void)state;
  check_next(NULL, "0 * * * *", 0, "2026-01-05T13:00:00Z");
  check_next("08:00-18:00", "0 * * * *", 0, "2026-01-05T17:00:00Z");
  check_next("Mon-Fri", "0 12 * * *", 0, "2026-01-10T11:00:00Z");
  check_next("08:00-18:00", "0 * * * *", 30 * MINUTE, "2026-01-05T17:00:00Z");
  check_next("18:15-18:45", "0 18 * * *", 30 * MINUTE, "-");
  check_next("Mon 18:15-18:45", "0 18 * * *", 30 * MINUTE, "2026-01-06T17:00:00Z");
  check_next("17:00-18:20", "0 18 * * *", 30 * MINUTE, "2026-01-05T17:00:00Z");
  check_next("08:00-18:00", "@every 25h", 0, "2026-01-06T05:00:00Z");
  check_next("08:00-18:00", "0 12 * * *", 0, "-");
  check_next("00:00-24:00", "*/5 * * * *", 0, "-");
  check_next("Mon-Fri; Sat,Sun", "*/5 * * * *", 0, "-");
  check_next("00:00-12:00; 12:00-24:00", "@every 1s", 0, "-");
  check_next("Tue-Sun; 01-01..02-28; 03-01..12-31", "0 0 * * *", 0, "2044-02-28T23:00:00Z");
}

static void check_text(const char *text, const char *wanted) {
  orr__blackouts *blackouts = parse(text);
  char *got = orr__blackouts_describe(blackouts);
  assert_string_equal(got, wanted);
  free(got);
  orr__blackouts_free(blackouts);
}

static void test_blackout__describes_itself_in_english(void **state) {
  (void)state;
  check_text("Mon-Fri 08:00-18:00;sat,SUN  10:00-12:00 ; 22:00-02:00",
             "on Monday to Friday from 08:00 to 18:00; on Saturday and Sunday from 10:00 to 12:00; every day from 22:00 to "
             "02:00 of the next day");
  check_text("Sun; 00:00-24:00", "on Sunday; every day");
  check_text("12-24..12-26; 02-29", "every year from 24 December to 26 December; every year on 29 February");
  check_text("2026-12-24..2026-12-26; 2026-12-31", "from 2026-12-24 to 2026-12-26; on 2026-12-31");
  check_text("2026-12-31 18:00..2027-01-01T06:00", "from 2026-12-31 18:00 to 2027-01-01 06:00");
  check_text("2026-12-01..2026-12-03 20:00-24:00; 12-31 20:00-01:00",
             "from 2026-12-01 to 2026-12-03, each day from 20:00 to 24:00; every year on 31 December from 20:00 to 01:00 of "
             "the next day");
  char *none = orr__blackouts_describe(NULL);
  assert_string_equal(none, "");
  free(none);
}

/* The end that is told is the first minute that is not held, whatever the windows. */
static void test_blackout__the_end_agrees_with_a_walk(void **state) {
  (void)state;
  static const char *const texts[] = { "Mon-Fri 08:00-18:00; 22:00-01:30", "01:30-03:30", "23:30-00:30;00:30-02:15;Sun",
                                       "03-29;10-25 ; 21:00-02:45",
                                       "02:30-04:00;00:15-00:45", "Sat 23:45-02:10; Sun 23:30-24:00" };
  static const char *const days[] = { "2026-03-06", "2026-09-28" };
  static const char *const zones[] = { "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll" };
  for (size_t z = 0; z < 4; z++) {
    orr__zone *zone = zone_named(zones[z]);
    for (size_t t = 0; t < 12; t++) {
      orr__blackouts *blackouts = parse(texts[t / 2]);
      int64_t end = 0, start = iso(days[t % 2]);
      for (int64_t at = start; at < start + 40 * 1440 * MINUTE; at += 5 * MINUTE) {
        bool is_held = orr__blackouts_hold(blackouts, zone, at, NULL);
        if (is_held != (at < end)) {
          if (!is_held) fail_msg("%s in %s: %lld is not held", texts[t / 2], zones[z], (long long)at);
          assert_true(orr__blackouts_hold(blackouts, zone, at, &end));
          assert_true(end > at);
          assert_false(orr__blackouts_hold(blackouts, zone, end, NULL));
        }
      }
      orr__blackouts_free(blackouts);
    }
    orr__zone_unref(zone);
  }
}

static void check_fault(const char *text, int column, const char *wanted) {
  orr__blackouts *blackouts = NULL;
  orr_error err = ORR_ERROR_INIT;
  char place[32];
  snprintf(place, sizeof place, ": column %d: ", column);
  if (orr__blackouts_parse(text, &blackouts, &err) != ORR_E_INVALID) fail_msg("'%s' was taken", text);
  const char *message = orr__error_message(&err);
  if (!strstr(message, place) || !strstr(message, wanted)) fail_msg("%s -- not%s%s", message, place, wanted);
  assert_null(blackouts);
  orr__error_clear(&err);
}

static void test_blackout__a_fault_names_its_column_and_what_was_expected(void **state) {
  (void)state;
  check_fault("", 1, "a weekday is missing");
  check_fault("Mon-Fri;", 9, "a weekday is missing");
  check_fault("Mond 08:00-09:00", 1, "a weekday is missing");
  check_fault("08:00", 6, "a window goes from one time to another");
  check_fault("08:00-25:00", 7, "from 00:00 to 24:00");
  check_fault("08:60-09:00", 1, "from 00:00 to 24:00");
  check_fault("8:00-09:00", 1, "from 00:00 to 24:00");
  check_fault("24:00-01:00", 7, "cannot begin at 24:00");
  check_fault("08:00-08:00", 7, "the window is empty");
  check_fault("08:00-09:00 10:00-11:00", 13, "a semicolon");
  check_fault("02-30", 1, "a day of the year");
  check_fault("12-24..13-01", 8, "a day of the year");
  check_fault("2026-02-29", 1, "a date is missing");
  check_fault("2026-12-24 18:00", 17, "comes - and a time, or ..");
  check_fault("2026-12-24 18:00..2026-12-25", 29, "ends at one");
  check_fault("2026-12-24 18:00..2026-12-24 18:00", 1, "ends before it begins");
  check_fault("0000-01-01", 1, "a date is missing");
  check_fault("12-24 08:00", 12, "from one time to another");
  check_fault("2026-12-24..2026-12-01", 1, "ends before it begins");
  char text[2000] = "Mon";
  for (int i = 0; i < 64; i++) strcat(text, ";Mon");
  check_fault(text, 4 * 64 + 1, "at most 64 windows");
  memset(text, ' ', sizeof text);
  text[sizeof text - 1] = '\0';
  orr__blackouts *blackouts = NULL;
  assert_int_equal(orr__blackouts_parse(text, &blackouts, NULL), ORR_E_INVALID);
}

static void test_blackout__any_bytes_are_taken_or_refused(void **state) {
  (void)state;
  static const char letters[] = "MonTueFrisat 0123456789:.-,;/TZ\t\xc3";
  uint32_t random = 1;
  for (int i = 0; i < 200000; i++) {
    char text[40];
    int len = (int)(random % 39);
    for (int k = 0; k < len; k++) {
      random = random * 1664525u + 1013904223u;
      text[k] = letters[(random >> 16) % (sizeof letters - 1)];
    }
    random = random * 1664525u + 1013904223u;
    text[len] = '\0';
    orr__blackouts *blackouts = NULL;
    if (orr__blackouts_parse(text, &blackouts, NULL) == 0) orr__blackouts_hold(blackouts, NULL, (int64_t)random * 1000, NULL);
    orr__blackouts_free(blackouts);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_blackout__a_daily_window_begins_and_ends_on_the_minute),
    cmocka_unit_test(test_blackout__a_window_over_midnight_belongs_to_the_day_it_begins_on),
    cmocka_unit_test(test_blackout__weekdays_can_be_lists_and_ranges),
    cmocka_unit_test(test_blackout__days_of_the_year_repeat),
    cmocka_unit_test(test_blackout__spans_of_dates_hold_once),
    cmocka_unit_test(test_blackout__windows_that_touch_are_one),
    cmocka_unit_test(test_blackout__goes_by_the_clock_on_the_wall),
    cmocka_unit_test(test_blackout__days_can_have_times),
    cmocka_unit_test(test_blackout__no_end_is_told_where_the_wall_leaves_the_window_on_the_way),
    cmocka_unit_test(test_blackout__the_next_fire_is_the_first_that_is_free),
    cmocka_unit_test(test_blackout__describes_itself_in_english),
    cmocka_unit_test(test_blackout__the_end_agrees_with_a_walk),
    cmocka_unit_test(test_blackout__a_fault_names_its_column_and_what_was_expected),
    cmocka_unit_test(test_blackout__any_bytes_are_taken_or_refused),
  };
  return cmocka_run_group_tests_name("core blackout", tests, NULL, NULL);
}
