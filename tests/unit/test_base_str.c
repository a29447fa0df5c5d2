/* base/str.h without files: text, encodings, dates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/str.h"

static const char *at(void *arg, size_t i) {
  return ((const char **)arg)[i];
}

static const char *nearest(const char *word) {
  static const char *const words[] = {"createBackup", "executeBackup", "repository", "path", "tag", NULL};
  return orr__nearest(word, at, (void *)words);
}

static void test_str__nearest_suggests_only_what_is_near(void **state) {
  (void)state;
  assert_string_equal(nearest("createBakcup"), "createBackup");
  assert_string_equal(nearest("CREATEBACKUP"), "createBackup");
  assert_string_equal(nearest("repositry"), "repository");
  assert_string_equal(nearest("paht"), "path");
  assert_string_equal(nearest("tga"), "tag");
  assert_null(nearest("pt"));
  assert_null(nearest("phta"));
  assert_null(nearest("deleteBackup"));
  assert_null(nearest(""));
  assert_null(nearest(NULL));
  char word[400];
  memset(word, 'x', sizeof word);
  word[sizeof word - 1] = '\0';
  assert_null(nearest(word));
}

static void test_str__comparisons_take_null(void **state) {
  (void)state;
  assert_true(orr__streq(NULL, NULL));
  assert_false(orr__streq(NULL, ""));
  assert_true(orr__streq("a", "a"));
  assert_true(orr__starts_with("backup.name", "backup."));
  assert_false(orr__starts_with("back", "backup"));
  assert_false(orr__starts_with(NULL, "b"));
  assert_null(orr__strdup(NULL));
  char *text = orr__strf("%s/%d", "a", 7);
  assert_string_equal(text, "a/7");
  free(text);
  text = orr__strndup("abcdef", 3);
  assert_string_equal(text, "abc");
  free(text);
}

static bool utf8(const char *text) {
  return orr__utf8_valid(text, strlen(text));
}

static void test_str__utf8_refuses_what_the_standard_refuses(void **state) {
  (void)state;
  assert_true(utf8("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf \xee\x80\x80"));
  assert_true(orr__utf8_valid("", 0));
  const char *bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                       "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xc3(", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(utf8(bad[i]));
  assert_false(orr__utf8_valid("a\0b", 3));
}

static void test_str__base64_has_both_alphabets_and_round_trips(void **state) {
  (void)state;
  const struct { const char *plain, *encoded, *url; } cases[] = {
      {"", "", ""},           {"f", "Zg==", "Zg"},       {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"}, {"foob", "Zm9vYg==", "Zm9vYg"}, {"\xfb\xff\xfe", "+//+", "-__-"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t len;
    char *text = orr__base64(cases[i].plain, strlen(cases[i].plain), false, &len);
    assert_string_equal(text, cases[i].encoded);
    assert_int_equal(len, strlen(text));
    free(text);
    text = orr__base64(cases[i].plain, strlen(cases[i].plain), true, NULL);
    assert_string_equal(text, cases[i].url);
    free(text);
    const char *both[] = {cases[i].encoded, cases[i].url};
    for (int j = 0; j < 2; j++) {
      text = orr__base64_decode(both[j], strlen(both[j]), &len);
      assert_string_equal(text, cases[i].plain);
      assert_int_equal(len, strlen(cases[i].plain));
      free(text);
    }
  }
}

static void test_str__base64_refuses_what_is_none(void **state) {
  (void)state;
  const char *bad[] = {"Z", "Zg=", "Zg===", "Zm9v=", "Zm 9v", "Zm9v\n", "+_++", "Zh==", "Z===", "====", "=", "Z=g="};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(orr__base64_decode(bad[i], strlen(bad[i]), NULL));
}

static void test_str__hex_uuid_and_hash(void **state) {
  (void)state;
  char *text = orr__hex("\x00\xab\xff", 3);
  assert_string_equal(text, "00abff");
  free(text);
  uint8_t bytes[16];
  memset(bytes, 0xff, sizeof bytes);
  char uuid[37];
  orr__uuid_format(bytes, uuid);
  assert_string_equal(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
  assert_true(orr__uuid_valid(uuid));
  assert_true(orr__uuid_valid("0123ABCD-0000-4000-8000-00000000000f"));
  assert_false(orr__uuid_valid("ffffffff-ffff-4fff-bfff-fffffffffff"));
  assert_false(orr__uuid_valid("ffffffff-ffff-4fff-bfff-ffffffffffff0"));
  assert_false(orr__uuid_valid("ffffffffffff-4fff-bfff-ffffffffffff----"));
  assert_false(orr__uuid_valid(NULL));
  assert_true(orr__hash64("", 0) == UINT64_C(0xcbf29ce484222325));
  assert_true(orr__hash64("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
  assert_true(orr__hash64("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void check_parse(const char *text, int64_t wanted) {
  int64_t ms = -1;
  if (!orr__iso_parse(text, &ms)) fail_msg("'%s' was refused", text);
  if (ms != wanted) fail_msg("'%s' gave %lld", text, (long long)ms);
}

static void test_str__iso_parses_every_documented_form(void **state) {
  (void)state;
  check_parse("1970-01-01", 0);
  check_parse("2026-11-23", INT64_C(1795392000000));
  check_parse("2026-11-23T06:50:24Z", INT64_C(1795416624000));
  check_parse("2026-11-23 06:50:24", INT64_C(1795416624000));
  check_parse("2026-11-23T06:50:24.123456789Z", INT64_C(1795416624123));
  check_parse("2026-11-23T06:50:24.5", INT64_C(1795416624500));
  check_parse("2026-11-23T07:50:24+01:00", INT64_C(1795416624000));
  check_parse("2026-11-23T01:20:24-0530", INT64_C(1795416624000));
  check_parse("2026-11-23T07:50+01", INT64_C(1795416600000));
  check_parse("2024-02-29", INT64_C(1709164800000));
  check_parse("1969-12-31T23:59:59.999Z", -1);
  check_parse("2016-12-31T23:59:60Z", INT64_C(1483228800000));
}

static void test_str__iso_refuses_what_is_no_date(void **state) {
  (void)state;
  const char *bad[] = {"", "2026", "2026-13-01", "2026-00-01", "2026-02-29", "2026-04-31", "2026-1-1",
                       "2026-11-23T", "2026-11-23T24:00:00Z", "2026-11-23T06:60", "2026-11-23T06:50:24.Z",
                       "2026-11-23T06:50:24Zx", "2026-11-23x", "2026-11-23T06:50:24+1", "2026-11-23Z",
                       "2026-11-23T06:50:24+01:0", "1900-02-29", " 2026-11-23"};
  int64_t ms = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (orr__iso_parse(bad[i], &ms)) fail_msg("'%s' was taken", bad[i]);
  assert_false(orr__iso_parse(NULL, &ms));
  assert_true(ms == 77);
}

static void test_str__iso_format_omits_a_zero_fraction(void **state) {
  (void)state;
  char text[32];
  orr__iso_format(INT64_C(1795416624000), text);
  assert_string_equal(text, "2026-11-23T06:50:24Z");
  orr__iso_format(INT64_C(1795416624007), text);
  assert_string_equal(text, "2026-11-23T06:50:24.007Z");
  orr__iso_format(-1, text);
  assert_string_equal(text, "1969-12-31T23:59:59.999Z");
  orr__iso_format(INT64_MAX, text);
  assert_string_equal(text, "292278994-08-17T07:12:55.807Z");
  orr__iso_format(INT64_MIN, text);
  assert_string_equal(text, "-292275055-05-16T16:47:04.192Z");
}

static void test_str__civil_days_agree_with_libc(void **state) {
  (void)state;
  for (int64_t days = -800000; days < 800000; days += 37) {
    time_t seconds = (time_t)(days * 86400);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    int64_t year;
    int month, day;
    orr__civil_from_days(days, &year, &month, &day);
    assert_int_equal(year, tm.tm_year + 1900);
    assert_int_equal(month, tm.tm_mon + 1);
    assert_int_equal(day, tm.tm_mday);
    assert_int_equal(orr__days_from_civil(year, month, day), days);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_str__nearest_suggests_only_what_is_near),
      cmocka_unit_test(test_str__comparisons_take_null),
      cmocka_unit_test(test_str__utf8_refuses_what_the_standard_refuses),
      cmocka_unit_test(test_str__base64_has_both_alphabets_and_round_trips),
      cmocka_unit_test(test_str__base64_refuses_what_is_none),
      cmocka_unit_test(test_str__hex_uuid_and_hash),
      cmocka_unit_test(test_str__iso_parses_every_documented_form),
      cmocka_unit_test(test_str__iso_refuses_what_is_no_date),
      cmocka_unit_test(test_str__iso_format_omits_a_zero_fraction),
      cmocka_unit_test(test_str__civil_days_agree_with_libc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
