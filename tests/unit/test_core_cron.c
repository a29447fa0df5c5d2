/* core/cron.h: parsing with columns, instants by hand, H and jitter, the wording. (test_core_cron_oracle.c has 100,000 cases.) */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/cron.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define MINUTE INT64_C(60000)
#define DAY (1440 * MINUTE)

static orr__cron parse(const char *text) {
  orr__cron cron = {0};
  orr_error err = ORR_ERROR_INIT;
  if (orr__cron_parse(text, 7, &cron, &err) != 0) fail_msg("%s", orr__error_message(&err));
  return cron;
}

static orr__zone *zone_named(const char *name) {
  orr__zones *zones = orr__zones_new(ZONEINFO);
  orr__zone *zone = NULL;
  assert_int_equal(orr__zones_get(zones, name, &zone, NULL), 0);
  orr__zones_free(zones); /* the zone stays */
  return zone;
}

static int64_t iso(const char *text) {
  int64_t ms = 0;
  if (!orr__iso_parse(text, &ms)) fail_msg("no date: %s", text);
  return ms;
}

/* Follows a schedule for as many steps as there are words in `expected` ("-" is never). */
static void check_fires(const char *text, const char *zone_name, const char *after, const char *const *expected) {
  orr__zone *zone = zone_named(zone_name);
  orr__cron cron = parse(text);
  int64_t at = iso(after);
  for (; *expected; expected++) {
    at = orr__cron_next(&cron, zone, 0, at);
    char got[32] = "-";
    if (at != ORR__CRON_NEVER) orr__iso_format(at, got);
    if (strcmp(got, *expected) != 0) fail_msg("'%s' after %s: %s, not %s", text, after, got, *expected);
  }
  orr__zone_unref(zone);
}

#define FIRES(text, zone, after, ...) check_fires(text, zone, after, (const char *const[]){__VA_ARGS__, NULL})

static void test_cron__fires_at_plain_times(void **state) {
  (void)state;
  FIRES("30 2 * * *", "UTC", "2026-01-01T02:29:59.999Z", "2026-01-01T02:30:00Z", "2026-01-02T02:30:00Z");
  FIRES("*/20 9-10 * * *", "UTC", "2026-01-01", "2026-01-01T09:00:00Z", "2026-01-01T09:20:00Z",
        "2026-01-01T09:40:00Z", "2026-01-01T10:00:00Z", "2026-01-01T10:20:00Z", "2026-01-01T10:40:00Z",
        "2026-01-02T09:00:00Z");
  FIRES("59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z");
  FIRES("0 0 29 2 *", "UTC", "2096-03-01", "2104-02-29T00:00:00Z");
  FIRES("0 0 31 * *", "UTC", "2026-01-31", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z");
  FIRES("15 6 * * MON-FRI", "Europe/Berlin", "2026-07-17T12:00:00Z", "2026-07-20T04:15:00Z", "2026-07-21T04:15:00Z");
  FIRES("0 12 1 jan,JUL *", "Asia/Kolkata", "2026-01-01T06:30:00Z", "2026-07-01T06:30:00Z", "2027-01-01T06:30:00Z");
  FIRES("@hourly", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
  FIRES("@daily", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
  FIRES("@midnight", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
  FIRES("@weekly", "UTC", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z");
  FIRES("@monthly", "UTC", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
  FIRES("@Yearly", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
  FIRES("@annually", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
}

static void test_cron__either_day_is_enough_when_both_are_restricted(void **state) {
  (void)state;
  FIRES("0 0 13 * 5", "UTC", "2026-02-01", "2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z",
        "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z");
  FIRES("0 0 14 * 5", "UTC", "2026-02-10", "2026-02-13T00:00:00Z", "2026-02-14T00:00:00Z", "2026-02-20T00:00:00Z");
  /* A star in one of them, even with a step: both must fit. */
  FIRES("0 0 */2 * 5", "UTC", "2026-02-01", "2026-02-13T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-13T00:00:00Z");
}

static void test_cron__sunday_is_zero_and_seven(void **state) {
  (void)state;
  const char *same[] = {"0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * * sun"};
  for (int i = 0; i < 4; i++) FIRES(same[i], "UTC", "2026-07-15", "2026-07-19T00:00:00Z", "2026-07-26T00:00:00Z");
  FIRES("0 0 * * FRI-SUN", "UTC", "2026-07-13", "2026-07-17T00:00:00Z", "2026-07-18T00:00:00Z",
        "2026-07-19T00:00:00Z", "2026-07-24T00:00:00Z");
  for (int i = 0; i < 40; i++) { /* whatever is picked is a day from Friday on */
    orr__cron cron;
    assert_int_equal(orr__cron_parse("0 0 * * H(FRI-SUN)", (uint64_t)i, &cron, NULL), 0);
    assert_true(cron.weekdays == 1 << 0 || cron.weekdays == 1 << 5 || cron.weekdays == 1 << 6);
  }
  FIRES("0 0 * * 5-7", "UTC", "2026-07-18", "2026-07-19T00:00:00Z", "2026-07-24T00:00:00Z");
}

static void test_cron__a_skipped_fixed_time_fires_once_right_after_the_gap(void **state) {
  (void)state;
  FIRES("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
  FIRES("10,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z");
  FIRES("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z");
  FIRES("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z");
  FIRES("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z");
}

static void test_cron__a_repeated_fixed_time_fires_only_the_first_time(void **state) {
  (void)state;
  FIRES("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
  FIRES("30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-26T01:30:00Z");
  FIRES("0 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:00:00Z", "2026-11-02T06:00:00Z");
}

static void test_cron__a_star_in_minute_or_hour_follows_elapsed_time(void **state) {
  (void)state;
  FIRES("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z");
  FIRES("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z");
  FIRES("10 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", "2026-10-25T00:10:00Z", "2026-10-25T01:10:00Z",
        "2026-10-25T02:10:00Z");
  FIRES("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z");
}

static void test_cron__a_zone_that_leaves_out_a_day_leaves_out_its_jobs(void **state) {
  (void)state;
  FIRES("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z");
}

static void test_cron__every_is_anchored(void **state) {
  (void)state;
  orr__cron cron = parse("@every 1h30m");
  assert_true(cron.every_ms == 90 * MINUTE);
  int64_t anchor = iso("2026-01-01T00:00:07.250Z");
  assert_true(orr__cron_next(&cron, NULL, anchor, anchor - 5000) == anchor);
  assert_true(orr__cron_next(&cron, NULL, anchor, anchor - 1) == anchor);
  assert_true(orr__cron_next(&cron, NULL, anchor, anchor) == anchor + 90 * MINUTE);
  assert_true(orr__cron_next(&cron, NULL, anchor, anchor + 90 * MINUTE - 1) == anchor + 90 * MINUTE);
  assert_true(orr__cron_next(&cron, NULL, anchor, anchor + 900 * MINUTE) == anchor + 990 * MINUTE);
  assert_true(orr__cron_next(&cron, NULL, INT64_MIN, 0) > 0);
  assert_true(orr__cron_next(&cron, NULL, anchor, INT64_MAX) == ORR__CRON_NEVER);
  assert_true(parse("@every 2s").every_ms == 2000);
  assert_true(parse("  @EVERY   3650d ").every_ms == 3650 * DAY);
  assert_true(parse("@every 1d2h3m4s").every_ms == DAY + 123 * MINUTE + 4000);
  assert_true(parse("@every 90s").every_ms == 90000);
  assert_false(orr__cron_is_never(&cron));
}

static void test_cron__knows_what_never_fires(void **state) {
  (void)state;
  const char *never[] = {"0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 30-31 FEB *"};
  for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
    orr__cron cron = parse(never[i]);
    assert_true(orr__cron_is_never(&cron));
    assert_true(orr__cron_next(&cron, NULL, 0, iso("2026-01-01")) == ORR__CRON_NEVER);
  }
  /* On a Monday in February, or on its 30th; on a leap day that is a Sunday, after 2088 in 2128 only. */
  orr__cron cron = parse("0 0 30 2 1");
  assert_false(orr__cron_is_never(&cron));
  FIRES("0 0 29 2 */7", "UTC", "2088-03-01", "2128-02-29T00:00:00Z");
  cron = parse("* * * * *");
  assert_true(orr__cron_next(&cron, NULL, 0, INT64_MAX) == ORR__CRON_NEVER);
  assert_true(orr__cron_next(&cron, NULL, 0, INT64_MIN) > INT64_MIN);
}

static orr__cron picked(const char *text, uint64_t seed) {
  orr__cron cron;
  if (orr__cron_parse(text, seed, &cron, NULL) != 0) fail_msg("'%s' was refused", text);
  return cron;
}

static void test_cron__h_is_always_the_same_for_a_backup(void **state) {
  (void)state;
  uint64_t seed = orr__cron_seed("6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
  assert_int_equal(seed, UINT64_C(0xb80c13bf9a75944e)); /* never changes: fires would move */
  orr__cron cron = picked("H H(1-5) H H H", seed);
  assert_true(cron.minutes == UINT64_C(1) << 31 && cron.hours == 1u << 4);
  assert_int_equal(__builtin_popcount(cron.days) + __builtin_popcount(cron.months) + __builtin_popcount(cron.weekdays), 3);
  assert_true(cron.is_either_day && !cron.is_elapsed);
  assert_int_equal(orr__jitter_ms(seed, 600), 20705);
  const double none[] = { 0, -1, 0.0004, NAN, -INFINITY };
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_int_equal(orr__jitter_ms(seed, none[i]), 0);
  assert_int_equal(orr__jitter_ms(seed, 0.001), 0);
  assert_in_range(orr__jitter_ms(seed, INFINITY), 1, INT64_C(1000000000000) - 1);
  cron = picked("H(0-29),H(30-59) * * * *", seed); /* one number for the field */
  assert_true(cron.minutes == picked("H(0-29) * * * *", seed).minutes * ((UINT64_C(1) << 30) + 1));
  assert_int_equal(picked("0 0 H * H", seed).picked, 1 << ORR__CRON_DAY | 1 << ORR__CRON_WEEKDAY);
  assert_int_equal(orr__cron_seed(NULL), orr__cron_seed(""));
}

static void test_cron__h_spreads_and_stays_in_its_range(void **state) {
  (void)state;
  int minutes[60] = { 0 };
  for (uint64_t seed = 0; seed < 6000; seed++) {
    orr__cron cron = picked("H H(3-5) H H H(1-5)", seed);
    minutes[__builtin_ctzll(cron.minutes)]++;
    assert_in_range(__builtin_ctz(cron.hours), 3, 5);
    assert_in_range(__builtin_ctz(cron.days), 1, 28);
    assert_in_range(__builtin_ctz(cron.weekdays), 1, 5);
    cron = picked("H/15 H(8-17)/3 * * H", seed);
    assert_int_equal(__builtin_popcountll(cron.minutes), 4);
    assert_true(cron.minutes == (UINT64_C(0x200040008001) << __builtin_ctzll(cron.minutes)));
    assert_in_range(__builtin_ctz(cron.hours), 8, 10);
    assert_in_range(31 - __builtin_clz(cron.hours), 15, 17);
    assert_true(cron.is_elapsed); /* it takes the place of a star with a step */
    assert_false(picked("H H(8-17)/3 * * *", seed).is_elapsed);
    assert_in_range(orr__jitter_ms(seed, 2.5), 0, 2499);
  }
  for (int i = 0; i < 60; i++) assert_in_range(minutes[i], 50, 150);
}

static void check_note(const char *text, const char *zone, const char *at, const char *wanted) {
  orr__zone *z = zone_named(zone);
  orr__cron cron = parse(text);
  char *note = orr__cron_note(&cron, z, iso(at));
  if (wanted) assert_string_equal(note ? note : "(nothing)", wanted);
  else assert_null(note);
  free(note);
  orr__zone_unref(z);
}

static void test_cron__a_fire_that_the_clock_moves_says_so(void **state) {
  (void)state;
  check_note("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z",
             "02:30 does not exist on 2026-03-29 in Europe/Berlin: the clock goes forward from 02:00 to 03:00, so it fires "
             "right after, at 03:00");
  check_note("*/10 2 * * *", "Europe/Berlin", "2026-03-30T00:00:00Z", NULL);
  check_note("10-50/10 2,3 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z",
             "02:10 to 02:50 (5 times) do not exist on 2026-03-29 in Europe/Berlin: the clock goes forward from 02:00 to "
             "03:00, so it fires once right after, at 03:00");
  check_note("0 0 * * *", "Africa/Cairo", "2026-04-23T22:00:00Z",
             "00:00 does not exist on 2026-04-24 in Africa/Cairo: the clock goes forward from 00:00 to 01:00, so it fires "
             "right after, at 01:00");
  check_note("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
             "02:30 comes twice on 2026-10-25 in Europe/Berlin, for the clock goes back: it fires both times, and this is the first");
  check_note("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:30:00Z",
             "02:30 comes twice on 2026-10-25 in Europe/Berlin, for the clock goes back: it fires both times, and this is the "
             "second");
  check_note("0 12 * * *", "Pacific/Apia", "2011-12-30T22:00:00Z", NULL);
  check_note("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
             "02:30 comes twice on 2026-10-25 in Europe/Berlin, for the clock goes back: it fires the first time only");
  check_note("30 2 * * *", "Europe/Berlin", "2026-03-30T00:30:00Z", NULL);
  check_note("0 3 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", NULL); /* it shows just then, and was not left out */
  check_note("*/30 * * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", NULL);
  check_note("@every 1h", "Europe/Berlin", "2026-03-29T01:00:00Z", NULL);
}

static void keep_lines(void *arg, const char *line) {
  char *lines = arg;
  strcat(strcat(lines, line), "\n");
}

static void check_warnings(const char *text, const char *wanted) {
  char lines[1000] = "";
  orr__cron cron = parse(text);
  orr__cron_warn(&cron, keep_lines, lines);
  assert_string_equal(lines, wanted);
}

static void test_cron__warns_of_what_may_not_be_meant(void **state) {
  (void)state;
  check_warnings("30 2 * * *", "");
  check_warnings("*/15 */6 * * *", "");
  check_warnings("0,20,40 * * * 1-5", "");
  check_warnings("0 8-17 * * *", "");
  check_warnings("0 0 13 * 5", "day of month and day of week are both restricted: it fires on days that fit either\n");
  check_warnings("0 0 31 * *", "day 31: months without one are left out\n");
  check_warnings("0 0 30 1,3 *", "");
  check_warnings("0 0 29 2 *", "29 February comes in leap years only\n");
  check_warnings("0 0 15,30 * *", "day 30: months without one are left out\n");
  check_warnings("0 0 1,29,31 * *", "day 29: months without one are left out\nday 31: months without one are left out\n");
  check_warnings("0 0 25-31 * *", "");
  check_warnings("0 0 H * *", "");
  check_warnings("0 0 H(30-31) * *", "day 30: months without one are left out\n");
  check_warnings("0 0 */2 * *", "every 2 days, but the count begins anew with each month\n");
  check_warnings("0 0 */2 * 5",
                 "a step of * restricts one of the day fields: it fires only on days that fit both\n"
                 "every 2 days, but the count begins anew with each month\n");
  check_warnings("0 0 * * */2", "2 does not divide 7: every 2 days, but 1 where a new week begins\n");
  check_warnings("0 0 1 */5 *", "5 does not divide 12: every 5 months, but 2 where a new year begins\n");
  check_warnings("*/40 * * * *", "40 does not divide 60: every 40 minutes, but 20 where a new hour begins\n");
  check_warnings("0-59/7 * * * *", "7 does not divide 60: every 7 minutes, but 4 where a new hour begins\n");
  check_warnings("H/7 * * * *", "7 does not divide 60: every 7 minutes, but 4 where a new hour begins\n");
  check_warnings("H/15 H/6 * * *", "");
  check_warnings("0,40 0-20/7 * * *", "");
  check_warnings("*/60 * * * *", "");
  check_warnings("* 2 * * *",
                 "every minute: that is 60 times in each of its hours; for once write a minute, such as 0 or H\n");
  check_warnings("*/7 * * * *", "7 does not divide 60: every 7 minutes, but 4 where a new hour begins\n");
  check_warnings("0 */5 * * *", "5 does not divide 24: every 5 hours, but 4 where a new day begins\n");
  check_warnings("@every 7m", "");
}

static void check_clock(const char *text, const char *zone_name, const char *wanted) {
  char lines[1000] = "";
  orr__cron cron = parse(text);
  orr__zone *zone = zone_named(zone_name);
  orr__cron_warn_clock(&cron, zone, iso("2026-01-01"), keep_lines, lines);
  assert_string_equal(lines, wanted);
  orr__zone_unref(zone);
}

static void test_cron__warns_of_what_the_clock_does_to_it(void **state) {
  (void)state;
  check_clock("30 2 * * *", "Europe/Berlin", "");
  check_clock("*/30 * * * *", "Europe/Berlin", "");
  check_clock("*/30 3-23 * * *", "Europe/Berlin", "");
  check_clock("*/30 2 * * *", "UTC", "");
  check_clock("*/30 2 * * *", "Asia/Kolkata", "");
  check_clock("*/30 2 * * *", "Europe/Berlin",
              "02:00 does not exist on 2026-03-29 in Europe/Berlin, for the clock goes forward: it is left out, and would fire "
              "right after if minute and hour held no *\n");
  check_clock("15 */3 * * *", "America/Havana",
              "00:15 does not exist on 2026-03-08 in America/Havana, for the clock goes forward: it is left out, and would fire "
              "right after if minute and hour held no *\n");
  check_clock("@every 36h", "Europe/Berlin", "");
  check_clock("@every 1d", "UTC", "");
  check_clock("@every 48h", "Europe/Berlin",
              "@every follows elapsed time: when the clock of Europe/Berlin is changed on 2026-03-29, its fires move to another "
              "time of day\n");
}

static void check_fault(const char *text, int column, const char *wanted) {
  orr__cron cron = {.minutes = 42};
  orr_error err = ORR_ERROR_INIT;
  char place[32];
  snprintf(place, sizeof place, ": column %d: ", column);
  if (orr__cron_parse(text, 7, &cron, &err) != ORR_E_INVALID) fail_msg("'%s' was taken", text);
  const char *message = orr__error_message(&err);
  if (!strstr(message, place) || !strstr(message, wanted)) fail_msg("%s -- not%s%s", message, place, wanted);
  assert_true(cron.minutes == 42);
  orr__error_clear(&err);
  assert_int_equal(orr__cron_parse(text, 7, &cron, NULL), ORR_E_INVALID);
}

static void test_cron__a_fault_names_its_column_and_what_was_expected(void **state) {
  (void)state;
  check_fault("61 * * * *", 1, "minute is 0-59");
  check_fault("0 24 * * *", 3, "hour is 0-23");
  check_fault("0 0 0 * *", 5, "day of month is 1-31");
  check_fault("0 0 * 13 *", 7, "month is 1-12 or JAN-DEC");
  check_fault("0 0 * * 8", 9, "day of week is 0-7 or SUN-SAT");
  check_fault("0 0 * * MOND", 9, "'MOND' is no day of week");
  check_fault("0 0 * FOO *", 7, "'FOO' is no month: that is 1-12 or JAN-DEC");
  check_fault("0 0 * * 1-FOO", 11, "'FOO'");
  check_fault("a * * * *", 1, "'a' is no minute");
  check_fault("H(7) * * * *", 4, "H picks from a range, as in H(7-59)");
  check_fault("0 H(0-7 * * *", 8, "the range of H ends with )");
  check_fault("0 H(7-2) * * *", 5, "runs backwards");
  check_fault("H(0-9)/20 * * * *", 8, "longer than the range");
  check_fault("H/1 * * * *", 3, "a step of H is at least 2; every minute is *");
  check_fault("0 0 H/29 * *", 7, "longer than the range");
  check_fault("0 0 * * H(1-8)", 13, "day of week is 0-7");
  check_fault("H5 * * * *", 2, "'5' cannot follow here");
  check_fault("HH * * * *", 1, "'HH' is no minute");
  check_fault("30-10 * * * *", 1, "runs backwards");
  check_fault("*/0 * * * *", 3, "a number from 1 to 60");
  check_fault("*/90 * * * *", 3, "a number from 1 to 60");
  check_fault("*/ * * * *", 3, "a number from 1 to 60");
  check_fault("5/15 * * * *", 2, "a step needs * or a range before it, as in 5-59/2");
  check_fault("0,,5 * * * *", 3, "',' is no minute");
  check_fault("0, * * * *", 3, "minute is missing");
  check_fault("1- * * * *", 3, "minute is missing");
  check_fault("-5 * * * *", 1, "'-' is no minute");
  check_fault("0 0 ? * *", 5, "'?' is no day of month");
  check_fault("0 0 L * *", 5, "'L' is no day of month");
  check_fault("0 0 * * 5#2", 10, "'#' cannot follow here");
  check_fault("*5 * * * *", 2, "'5' cannot follow here");
  check_fault("0 0 * * \xe2\x80\x93", 9, "'\xe2\x80\x93' is no day of week");
  check_fault("0 2 * *", 8, "day of week is missing");
  check_fault("", 1, "minute is missing");
  check_fault("   ", 4, "minute is missing");
  check_fault("0 0 2 * * *", 11, "nothing can follow the five fields (seconds are not supported)");
  check_fault("0 0 * * * root", 11, "nothing can follow");
  check_fault("99999999999999999999 * * * *", 1, "minute is 0-59");
  check_fault("@dayly", 1, "did you mean @daily?");
  check_fault("@reboot", 1, "there is no @reboot, only @yearly");
  check_fault("@daily 3", 8, "nothing can follow @daily");
  check_fault("@every", 7, "an interval is missing");
  check_fault("@every 15", 10, "a unit is missing: d, h, m or s");
  check_fault("@every 1.5h", 9, "a unit is missing");
  check_fault("@every m", 8, "'m' is no number");
  check_fault("@every -5m", 8, "'-' is no number");
  check_fault("@every 5m1h", 11, "units go from large to small");
  check_fault("@every 5m5m", 11, "each once");
  check_fault("@every 0s", 8, "at least 1s");
  check_fault("@every 3651d", 8, "at most 3650d");
  check_fault("@every 99999999999999999999d", 8, "at most 3650d");
  check_fault("@every 5m 3s", 11, "nothing can follow the interval");
  char text[400];
  memset(text, '*', sizeof text);
  text[sizeof text - 1] = '\0';
  orr_error err = ORR_ERROR_INIT;
  orr__cron cron;
  assert_int_equal(orr__cron_parse(text, 7, &cron, &err), ORR_E_INVALID);
  assert_string_equal(err.message, "a schedule has at most 256 characters");
  orr__error_clear(&err);
}

static void check_text(const char *text, const char *wanted) {
  orr__cron cron = parse(text);
  char *got = orr__cron_describe(&cron);
  assert_string_equal(got, wanted);
  free(got);
}

static void test_cron__describes_itself_in_english(void **state) {
  (void)state;
  check_text("30 2 * * *", "at 02:30 every day");
  check_text("@daily", "at 00:00 every day");
  check_text("0 2,14 * * *", "at 02:00 and 14:00 every day");
  check_text("0,30 2,14 * * 1-5", "at 02:00, 02:30, 14:00 and 14:30 on Monday to Friday");
  check_text("0 3 * * FRI-SUN", "at 03:00 on Friday to Sunday");
  check_text("0 3 * * 0,3", "at 03:00 on Wednesday and Sunday");
  check_text("* * * * *", "every minute");
  check_text("*/15 * * * *", "every 15 minutes");
  check_text("@hourly", "at minute 0 of every hour");
  check_text("5 */2 * * *", "at minute 5 of every 2 hours from 00:00");
  check_text("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:59 on Monday to Friday");
  check_text("*/7 1,5 * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of the hours 1 and 5");
  check_text("0 0 1 1 *", "at 00:00 on day 1 of the month in January");
  check_text("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month");
  check_text("0 0 13 * 5", "at 00:00 on day 13 of the month or on Friday");
  check_text("0 0 1-7 * */1", "at 00:00 on days 1 to 7 of the month");
  check_text("0 0 */15 * 5", "at 00:00 on days 1, 16 and 31 of the month if it is a Friday");
  check_text("0 4 * 6-8 *", "at 04:00 every day in June to August");
  check_text("H 2 * * *", "at 02:27 every day (minute picked by H)");
  check_text("H H * * *", "at 12:27 every day (minute and hour picked by H)");
  check_text("H H H 1 *", "at 12:27 on day 15 of the month in January (minute, hour and day of month picked by H)");
  check_text("H/15 * * * *", "at minutes 12, 27, 42 and 57 of every hour (minute picked by H)");
  check_text("@every 2s", "every 2 seconds");
  check_text("@every 60m", "every hour");
  check_text("@every 90m", "every 1 hour 30 minutes");
  check_text("@every 36h", "every 1 day 12 hours");
}

/* Valid expressions with a few bytes changed, and bytes at random: taken whole or refused with a column. */
static void test_cron__any_bytes_are_taken_or_refused(void **state) {
  (void)state;
  static const char *const starts[] = { "30 2 * * MON-FRI", "H(0-29)/10 */2 1,15 JAN-mar *", "@every 1d2h", "@midnight", "" };
  static const char letters[] = " \t*,-/()Hh@0123456789adehimnorstuvwyJSUNAPRL\xc3\xff\x01";
  orr__zone *zone = zone_named("Europe/Berlin");
  uint32_t random = 99;
  int taken = 0;
  for (int i = 0; i < 300000; i++) {
    char text[64];
    snprintf(text, sizeof text, "%s", starts[i % 5]);
    if (!*text) memset(text, ' ', (size_t)(i / 5 % 40)), text[i / 5 % 40] = '\0';
    size_t len = strlen(text);
    for (size_t change = len < 2 ? len : !*starts[i % 5] ? len : 1 + (size_t)(i / 5 % 4); change > 0; change--) {
      random = random * 1664525u + 1013904223u;
      text[(random >> 8) % len] = letters[(random >> 22) % (sizeof letters - 1)];
    }
    char *copy = strdup(text); /* its own block, so that a sanitizer sees one byte too many */
    orr__cron cron = { .minutes = 42 };
    orr_error err = ORR_ERROR_INIT;
    int rc = orr__cron_parse(copy, random, &cron, &err);
    assert_true(rc == 0 || (rc == ORR_E_INVALID && cron.minutes == 42 && strstr(orr__error_message(&err), ": column ")));
    if (rc == 0) {
      int64_t after = iso("2026-01-01") + (int64_t)random * 100, next = orr__cron_next(&cron, zone, after, after);
      assert_true(next > after && orr__cron_is_never(&cron) == (next == ORR__CRON_NEVER));
      char *meaning = orr__cron_describe(&cron), *note = orr__cron_note(&cron, zone, next == ORR__CRON_NEVER ? after : next);
      char lines[4000] = "";
      assert_non_null(meaning);
      orr__cron_warn(&cron, keep_lines, lines);
      orr__cron_warn_clock(&cron, zone, after, keep_lines, lines);
      free(meaning);
      free(note);
      taken++;
    }
    orr__error_clear(&err);
    free(copy);
  }
  if (taken < 5000 || taken > 250000) fail_msg("%d of 300000 were taken", taken);
  orr__zone_unref(zone);
}

static void test_cron__is_a_small_value(void **state) {
  (void)state;
  assert_true(sizeof(orr__cron) <= 40);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cron__fires_at_plain_times),
      cmocka_unit_test(test_cron__either_day_is_enough_when_both_are_restricted),
      cmocka_unit_test(test_cron__sunday_is_zero_and_seven),
      cmocka_unit_test(test_cron__a_skipped_fixed_time_fires_once_right_after_the_gap),
      cmocka_unit_test(test_cron__a_repeated_fixed_time_fires_only_the_first_time),
      cmocka_unit_test(test_cron__a_star_in_minute_or_hour_follows_elapsed_time),
      cmocka_unit_test(test_cron__a_zone_that_leaves_out_a_day_leaves_out_its_jobs),
      cmocka_unit_test(test_cron__every_is_anchored),
      cmocka_unit_test(test_cron__knows_what_never_fires),
      cmocka_unit_test(test_cron__a_fault_names_its_column_and_what_was_expected),
      cmocka_unit_test(test_cron__describes_itself_in_english),
      cmocka_unit_test(test_cron__any_bytes_are_taken_or_refused),
      cmocka_unit_test(test_cron__is_a_small_value),
    cmocka_unit_test(test_cron__h_is_always_the_same_for_a_backup),
    cmocka_unit_test(test_cron__h_spreads_and_stays_in_its_range),
    cmocka_unit_test(test_cron__a_fire_that_the_clock_moves_says_so),
    cmocka_unit_test(test_cron__warns_of_what_may_not_be_meant),
    cmocka_unit_test(test_cron__warns_of_what_the_clock_does_to_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
