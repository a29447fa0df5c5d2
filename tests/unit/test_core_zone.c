/* core/zone.h: against zdump, which shares no code with ours, and on files made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/tzif.h"
#include "core/zone.h"

#define ZONEINFO "/usr/share/zoneinfo"
#define HOUR INT64_C(3600000)

static int64_t iso(const char *text) {
  int64_t ms = 0;
  if (!orr__iso_parse(text, &ms)) fail_msg("no date: %s", text);
  return ms;
}

static orr__zone *get(orr__zones *zones, const char *name) {
  orr__zone *zone = NULL;
  orr_error err = ORR_ERROR_INIT;
  if (orr__zones_get(zones, name, &zone, &err) != 0) fail_msg("%s", orr__error_message(&err));
  return zone;
}

/* One line of `zdump -v`: a zone, an instant, the offset. False for its lines about the ends of time. */
static bool read_line(const char *line, char name[64], int64_t *ret_ms, int64_t *ret_offset_ms) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char month[4];
  int day, hour, minute, second;
  long long year, offset_s;
  const char *offset = strstr(line, "gmtoff=");
  if (!offset || sscanf(offset, "gmtoff=%lld", &offset_s) != 1) return false;
  if (sscanf(line, "%63s %*s %3s %d %d:%d:%d %lld UT", name, month, &day, &hour, &minute, &second, &year) != 7)
    return false;
  const char *found = strstr(months, month);
  if (!found || year < 1800 || year > 9000) return false;
  int64_t days = orr__days_from_civil(year, (int)(found - months) / 3 + 1, day);
  *ret_ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000;
  *ret_offset_ms = offset_s * 1000;
  return true;
}

/* Compares with the output of a command that runs zdump on some zones for the years [from, to). */
static void compare_with_zdump(const char *command, int from, int to, int min_zones) {
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  orr__zones *zones = orr__zones_new(ZONEINFO);
  orr__zone *zone = NULL;
  int64_t end_ms = orr__days_from_civil(to, 1, 1) * 24 * HOUR, expected_ms = 0, previous_offset = 0;
  int64_t start_ms = orr__days_from_civil(from, 1, 1) * 24 * HOUR;
  char line[512], name[64], current[64] = "";
  int seen = 0;
  while (fgets(line, sizeof line, pipe)) {
    int64_t ms, offset_ms;
    if (!read_line(line, name, &ms, &offset_ms) || ms < start_ms || ms >= end_ms) continue;
    if (strcmp(name, current) != 0) {
      if (zone && expected_ms < end_ms) fail_msg("%s: a change too many", current);
      orr__zone_unref(zone);
      zone = get(zones, name);
      memcpy(current, name, sizeof current);
      expected_ms = orr__zone_next_change(zone, start_ms);
      previous_offset = orr__zone_offset_ms(zone, start_ms);
      seen++;
    }
    if (orr__zone_offset_ms(zone, ms) != offset_ms) fail_msg("%s differs at: %s", name, line);
    if (offset_ms != previous_offset) {
      if (ms != expected_ms) fail_msg("%s changes at %lld, not at: %s", name, (long long)expected_ms, line);
      orr__zone_span span = orr__zone_span_at(zone, ms);
      assert_true(span.start_ms == ms && span.offset_before_ms == previous_offset);
      expected_ms = span.end_ms;
      previous_offset = offset_ms;
    }
  }
  if (zone && expected_ms < end_ms) fail_msg("%s: a change too many", current);
  orr__zone_unref(zone);
  orr__zones_free(zones);
  assert_int_equal(pclose(pipe), 0);
  if (seen < min_zones) fail_msg("only %d zones seen", seen);
}

/* Every name of the folder, links and legacy names included; not the leap-second zones of right/ nor the copies of posix/. */
#define LIST_ZONES "cd " ZONEINFO " && find . \\( -type f -o -type l \\) | sed -n 's|^\\./\\([A-Z]\\)|\\1|p' | sort"

static void test_zone__every_zone_agrees_with_zdump_from_2025_to_2037(void **state) {
  (void)state;
  compare_with_zdump(LIST_ZONES " | xargs zdump -v -c 2025,2038", 2025, 2038, 150);
}

/* zdump says nothing of a zone without changes, so that every zone is also asked half a year apart by the C library. Beyond 2037 too. */
static void test_zone__every_zone_agrees_with_the_c_library(void **state) {
  (void)state;
  const char *tz = getenv("TZ");
  char *kept = tz ? strdup(tz) : NULL, name[128];
  FILE *pipe = popen(LIST_ZONES, "r");
  orr__zones *zones = orr__zones_new(ZONEINFO);
  int seen = 0;
  assert_non_null(pipe);
  for (; fgets(name, sizeof name, pipe); seen++) {
    name[strcspn(name, "\n")] = '\0';
    orr__zone *zone = get(zones, name);
    setenv("TZ", name, 1);
    tzset();
    for (time_t at = iso("2025-01-01") / 1000; at < iso("2060-01-01") / 1000; at += 4391 * 3600) {
      struct tm tm;
      localtime_r(&at, &tm);
      if (orr__zone_offset_ms(zone, at * 1000) != tm.tm_gmtoff * 1000) fail_msg("%s differs at %lld", name, (long long)at);
    }
    orr__zone_unref(zone);
  }
  assert_int_equal(pclose(pipe), 0);
  if (kept) setenv("TZ", kept, 1);
  else unsetenv("TZ");
  tzset();
  free(kept);
  orr__zones_free(zones);
  if (seen < 300) fail_msg("only %d zones seen", seen);
}

static void test_zone__the_past_and_the_far_future_agree_with_zdump(void **state) {
  (void)state;
  compare_with_zdump("zdump -v -c 1850,2900 Europe/Berlin America/New_York Europe/Dublin Africa/Casablanca "
                     "Pacific/Apia Australia/Lord_Howe Antarctica/Troll America/Sao_Paulo Asia/Gaza "
                     "Africa/Cairo America/Nuuk Pacific/Kwajalein Asia/Tehran Europe/London",
                     1850, 2900, 14);
}

static void test_zone__utc_needs_no_files(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(NULL);
  const char *names[] = {"UTC", "Etc/UTC"};
  for (int i = 0; i < 2; i++) {
    orr__zone *zone = get(zones, names[i]);
    assert_string_equal(orr__zone_name(zone), names[i]);
    orr__zone_span span = orr__zone_span_at(zone, 0);
    assert_true(span.start_ms == INT64_MIN && span.end_ms == INT64_MAX && span.offset_ms == 0);
    orr__zone_unref(zone);
  }
  orr__zone *none = NULL;
  assert_int_equal(orr__zones_get(zones, "Europe/Berlin", &none, NULL), ORR_E_INVALID);
  assert_null(none);
  assert_true(orr__zone_offset_ms(NULL, iso("2026-07-01")) == 0);
  assert_string_equal(orr__zone_name(NULL), "UTC");
  orr__zones_free(zones);
}

static void check_refused(orr__zones *zones, const char *name, const char *wanted) {
  orr__zone *zone = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__zones_get(zones, name, &zone, &err), ORR_E_INVALID);
  if (!strstr(orr__error_message(&err), wanted)) fail_msg("'%s' lacks '%s'", orr__error_message(&err), wanted);
  assert_null(zone);
  orr__error_clear(&err);
}

static void test_zone__a_bad_name_is_refused_with_the_nearest_one(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(ZONEINFO);
  check_refused(zones, "Europe/Berln", "did you mean 'Europe/Berlin'?");
  check_refused(zones, "europe/berlin", "did you mean 'Europe/Berlin'?");
  check_refused(zones, "America/New York", "did you mean 'America/New_York'?");
  check_refused(zones, "berlin", "did you mean 'Europe/Berlin'?");
  check_refused(zones, "utc", "did you mean 'UTC'?");
  check_refused(zones, "Europe", "no time zone named 'Europe'");
  check_refused(zones, "Nowhere/Land", "names look like Europe/Berlin or UTC");
  char name[100];
  memset(name, 'A', sizeof name);
  name[sizeof name - 1] = '\0';
  check_refused(zones, name, "at most 64 characters");
  orr__zones_free(zones);
  zones = orr__zones_new("/nonexistent");
  check_refused(zones, "Europe/Berlin", "is tzdata installed?");
  orr__zones_free(zones);
}

static void test_zone__no_name_leads_out_of_the_folder(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(ZONEINFO "/Europe");
  const char *names[] = {"../Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo", "Berlin/../../Asia/Tokyo", "./Berlin",
                         "", "Berlin/", "B//erlin", "Berlin\n"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_refused(zones, names[i], "no time zone named");
  orr__zone_unref(get(zones, "Berlin"));
  orr__zones_free(zones);
  zones = orr__zones_new(ZONEINFO);
  check_refused(zones, "localtime", "no time zone");
  check_refused(zones, "right/Europe/Berlin", "no time zone");
  orr__zones_free(zones);
}

static void test_zone__zones_are_cached_and_outlive_the_cache(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(ZONEINFO);
  orr__zone *a = get(zones, "Europe/Berlin"), *b = get(zones, "Europe/Berlin");
  assert_ptr_equal(a, b);
  orr__zones_flush(zones);
  orr__zone *c = get(zones, "Europe/Berlin");
  assert_ptr_not_equal(a, c);
  orr__zone_unref(c);
  orr__zones_free(zones);
  orr__zone_unref(b);
  assert_true(orr__zone_offset_ms(a, iso("2026-07-01")) == 2 * HOUR);
  orr__zone_unref(a);
}

static void check_local(const orr__zone *zone, const char *local, orr__zone_fit fit, const char *early,
                        const char *late) {
  int64_t got_early, got_late;
  assert_int_equal(orr__zone_from_local(zone, iso(local), &got_early, &got_late), fit);
  if (got_early != iso(early) || got_late != iso(late))
    fail_msg("%s gave %lld and %lld", local, (long long)got_early, (long long)got_late);
}

static void test_zone__local_times_know_gaps_and_repeats(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(ZONEINFO);
  orr__zone *zone = get(zones, "Europe/Berlin");
  check_local(zone, "2026-01-15T12:00:00", ORR__ZONE_ONCE, "2026-01-15T11:00:00Z", "2026-01-15T11:00:00Z");
  check_local(zone, "2026-03-29T01:59:59", ORR__ZONE_ONCE, "2026-03-29T00:59:59Z", "2026-03-29T00:59:59Z");
  check_local(zone, "2026-03-29T02:00:00", ORR__ZONE_NEVER, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
  check_local(zone, "2026-03-29T02:59:59", ORR__ZONE_NEVER, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
  check_local(zone, "2026-03-29T03:00:00", ORR__ZONE_ONCE, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
  check_local(zone, "2026-10-25T02:00:00", ORR__ZONE_TWICE, "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z");
  check_local(zone, "2026-10-25T02:59:59", ORR__ZONE_TWICE, "2026-10-25T00:59:59Z", "2026-10-25T01:59:59Z");
  check_local(zone, "2026-10-25T03:00:00", ORR__ZONE_ONCE, "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z");
  orr__zone_unref(zone);
  zone = get(zones, "Pacific/Apia"); /* a whole day was left out */
  check_local(zone, "2011-12-30T12:00:00", ORR__ZONE_NEVER, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
  orr__zone_unref(zone);
  check_local(NULL, "2026-03-29T02:00:00", ORR__ZONE_ONCE, "2026-03-29T02:00:00Z", "2026-03-29T02:00:00Z");
  orr__zones_free(zones);
}

static void test_zone__the_ends_of_time_are_safe(void **state) {
  (void)state;
  orr__zones *zones = orr__zones_new(ZONEINFO);
  orr__zone *zone = get(zones, "America/New_York");
  int64_t ms;
  assert_true(orr__zone_offset_ms(zone, INT64_MIN) == -(4 * HOUR + 56 * 60000 + 2000));
  int64_t offset = orr__zone_offset_ms(zone, INT64_MAX);
  assert_true(offset == -5 * HOUR || offset == -4 * HOUR);
  assert_true(orr__zone_next_change(zone, INT64_MAX) == INT64_MAX);
  orr__zone_from_local(zone, INT64_MIN, &ms, NULL);
  orr__zone_from_local(zone, INT64_MAX, &ms, NULL);
  orr__zone_unref(zone);
  orr__zones_free(zones);
}

static void test_zone__a_damaged_file_is_an_error_at_every_length_and_byte(void **state) {
  (void)state;
  char *bytes;
  size_t len;
  assert_int_equal(orr__file_read(ZONEINFO "/Europe/Dublin", 100000, &bytes, &len, NULL), 0);
  for (size_t cut = 0; cut < len; cut++) {
    char *copy = malloc(cut + 1); /* its own block, so that a sanitizer sees one byte too many */
    memcpy(copy, bytes, cut);
    orr__tz_table table = {0};
    orr_error err = ORR_ERROR_INIT;
    assert_int_equal(orr__tzif_parse(copy, cut, &table, &err), ORR_E_CORRUPT);
    assert_non_null(err.message);
    orr__error_clear(&err);
    free(copy);
  }
  for (size_t i = 0; i < len; i++) {
    const uint8_t values[] = {0x00, 0x7f, 0x80, 0xff, '9'};
    char kept = bytes[i];
    for (size_t v = 0; v < sizeof values; v++) {
      bytes[i] = (char)values[v];
      orr__tz_table table = {0};
      if (orr__tzif_parse(bytes, len, &table, NULL) == 0) assert_true(table.len >= 1);
      orr__tz_table_clear(&table);
    }
    bytes[i] = kept;
  }
  free(bytes);
}

static void test_zone__a_file_that_is_none_is_named_in_the_error(void **state) {
  (void)state;
  char folder[] = "/tmp/orr-test-zone-XXXXXX", path[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/Broken", folder);
  assert_int_equal(orr__file_write(path, "not a zone", 10, 0600, NULL), 0);
  orr__zones *zones = orr__zones_new(folder);
  orr__zone *zone = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__zones_get(zones, "Broken", &zone, &err), ORR_E_CORRUPT);
  assert_string_equal(err.message, "time zone 'Broken' cannot be used: it is damaged or no TZif file");
  orr__error_clear(&err);
  orr__zones_free(zones);
  unlink(path);
  rmdir(folder);
}

static void test_zone__rules_of_all_kinds(void **state) {
  (void)state;
  const struct { const char *text; int64_t year, starts, ends; } cases[] = {
      {"CET-1CEST,M3.5.0,M10.5.0/3", 2026, 1774746000, 1792890000},
      {"EST5EDT,M3.2.0,M11.1.0", 2026, 1772953200, 1793512800},
      {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026, 1774746000, 1792890000},
      {"AAA0BBB,J60,J365/23", 2024, 1709258400, 1735682400},
      {"AAA0BBB,59,365", 2024, 1709172000, 1735606800},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    orr__tz_rule rule;
    assert_true(orr__tz_rule_parse(cases[i].text, strlen(cases[i].text), &rule));
    int64_t starts, ends;
    orr__tz_rule_year(&rule, cases[i].year, &starts, &ends);
    if (starts != cases[i].starts || ends != cases[i].ends)
      fail_msg("%s: %lld %lld", cases[i].text, (long long)starts, (long long)ends);
  }
  const char *bad[] = {"", "CE-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
                       "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J9", "CET-99",
                       "<+01-1", "CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    orr__tz_rule rule;
    if (orr__tz_rule_parse(bad[i], strlen(bad[i]), &rule)) fail_msg("'%s' was taken", bad[i]);
  }
}

static void test_zone__any_rule_is_taken_or_refused(void **state) {
  (void)state;
  static const char letters[] = "CETS<>+-0123456789:,/.MJMM,,";
  uint32_t random = 7;
  int taken = 0;
  for (int i = 0; i < 300000; i++) {
    char text[48] = "CET-1CEST,M3.5.0,M10.5.0/3";
    int len = (int)strlen(text);
    for (int change = (int)(i % 4) + 1; change > 0; change--) {
      random = random * 1664525u + 1013904223u;
      text[(random >> 8) % (uint32_t)len] = letters[(random >> 20) % (sizeof letters - 1)];
    }
    if (i % 3 == 0) len = (int)((random >> 16) % (uint32_t)(len + 1));
    char *copy = malloc((size_t)len + 1); /* its own block, and nothing behind it */
    memcpy(copy, text, (size_t)len);
    orr__tz_rule rule;
    int64_t starts, ends;
    if (orr__tz_rule_parse(copy, (size_t)len, &rule)) {
      orr__tz_rule_year(&rule, 2026, &starts, &ends);
      taken++;
    }
    free(copy);
  }
  assert_true(taken > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_zone__every_zone_agrees_with_zdump_from_2025_to_2037),
      cmocka_unit_test(test_zone__every_zone_agrees_with_the_c_library),
      cmocka_unit_test(test_zone__the_past_and_the_far_future_agree_with_zdump),
      cmocka_unit_test(test_zone__utc_needs_no_files),
      cmocka_unit_test(test_zone__a_bad_name_is_refused_with_the_nearest_one),
      cmocka_unit_test(test_zone__no_name_leads_out_of_the_folder),
      cmocka_unit_test(test_zone__zones_are_cached_and_outlive_the_cache),
      cmocka_unit_test(test_zone__local_times_know_gaps_and_repeats),
      cmocka_unit_test(test_zone__the_ends_of_time_are_safe),
      cmocka_unit_test(test_zone__a_damaged_file_is_an_error_at_every_length_and_byte),
      cmocka_unit_test(test_zone__a_file_that_is_none_is_named_in_the_error),
      cmocka_unit_test(test_zone__rules_of_all_kinds),
      cmocka_unit_test(test_zone__any_rule_is_taken_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
