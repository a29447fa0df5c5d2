/* The forms of a line of the log: one line of valid UTF-8, whatever its values hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/log_line.h"

static const char *const nasty[] = {
    "two\nlines", "a \"quote\" and a \\", "tab\tand\rreturn", "bell\a escape\033[31m", "\x7f", "c1 \302\23331m", "next \xc2\x85 line",
    "separators \xe2\x80\xa8 and \xe2\x80\xa9", "invalid \xff\xfe", "cut \xe2\x82", "overlong \xc0\xaf", "surrogate \xed\xa0\x80", "", "=", "a=b", "größe 10 €", "\xf0\x9f\x98\x80",
    "ORRERY_FAKE=1\nPRIORITY=0",
};
enum { NASTY = sizeof nasty / sizeof *nasty };

typedef void (*form)(orr__buf *out, const orr__log_line *line);
static void logfmt(orr__buf *out, const orr__log_line *line) { orr__line_logfmt(out, line, 1795431454123, false, false); }
static void json(orr__buf *out, const orr__log_line *line) { orr__line_json(out, line, 1795431454123); }
static void terminal(orr__buf *out, const orr__log_line *line) { orr__line_logfmt(out, line, 1795431454123, true, false); }

/* Owned text of a line whose message and one value are the text. */
static char *make(form as, const char *text) {
  orr__log_line line = orr__log_say(ORR_SAY_WARNING, text);
  orr__log_text(&line, "backup", text);
  orr__log_number(&line, "result", 7);
  orr__buf out;
  orr__buf_init(&out, 1 << 20);
  as(&out, &line);
  assert_int_equal(orr__buf_error(&out), 0);
  char *made = orr__strdup(orr__buf_text(&out));
  orr__buf_clear(&out);
  return made;
}

static void assert_one_safe_line(const char *line) {
  size_t len = strlen(line);
  assert_true(len > 0 && line[len - 1] == '\n');
  assert_true(orr__utf8_valid(line, len));
  for (size_t i = 0; i + 1 < len; i++) {
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) fail_msg("control character %02x in %s", line[i], line);
    if ((unsigned char)line[i] == 0xc2 && (unsigned char)line[i + 1] < 0xa0) fail_msg("control character of two bytes in %s", line);
    if (memcmp(line + i, "\xe2\x80\xa8", i + 3 <= len ? 3 : 1) == 0 && i + 3 <= len) fail_msg("a separator of lines in %s", line);
  }
}

static void test_log__a_line_stays_one_line(void **state) {
  (void)state;
  static const form forms[] = {logfmt, json, terminal, orr__line_prefixed};
  for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
    for (size_t i = 0; i < NASTY; i++) {
      char *line = make(forms[f], nasty[i]);
      assert_one_safe_line(line);
      free(line);
    }
  }
}

static void test_log__json_gives_back_what_is_text(void **state) {
  (void)state;
  for (size_t i = 0; i < NASTY; i++) {
    char *line = make(json, nasty[i]);
    cJSON *map = cJSON_Parse(line);
    if (!map) fail_msg("no JSON: %s", line);
    const char *value = cJSON_GetObjectItem(map, "backup")->valuestring;
    if (orr__utf8_valid(nasty[i], strlen(nasty[i]))) assert_string_equal(value, nasty[i]);
    else assert_non_null(strstr(value, "\xef\xbf\xbd"));
    assert_string_equal(cJSON_GetObjectItem(map, "level")->valuestring, "warning");
    assert_true(cJSON_GetObjectItem(map, "result")->valuedouble == 7);
    cJSON_Delete(map);
    free(line);
  }
}

static void test_log__logfmt_quotes_what_needs_it(void **state) {
  (void)state;
  char *line = make(logfmt, "plain");
  assert_string_equal(line, "time=2026-11-23T10:57:34.123Z level=warning msg=plain backup=plain result=7\n");
  free(line);
  line = make(logfmt, "a \"b\"\n=");
  assert_non_null(strstr(line, "msg=\"a \\\"b\\\"\\n=\" backup="));
  free(line);
}

/* The journal's protocol parts fields by line ends: no value can make one. */
static void test_log__a_value_makes_no_field_of_the_journal(void **state) {
  (void)state;
  for (size_t i = 0; i < NASTY; i++) {
    char *text = make(orr__line_journal, nasty[i]);
    static const char *const fields[] = {"PRIORITY=4", "SYSLOG_IDENTIFIER=orrery", "MESSAGE=", "ORRERY_BACKUP=", "ORRERY_RESULT=7"};
    size_t at = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), at++) {
      assert_true(at < sizeof fields / sizeof *fields);
      assert_true(orr__starts_with(line, fields[at]));
      assert_true(orr__utf8_valid(line, strlen(line)));
    }
    assert_int_equal(at, sizeof fields / sizeof *fields);
    free(text);
  }
}

static void test_log__a_long_value_is_cut(void **state) {
  (void)state;
  char *text = malloc(100001);
  memset(text, 'x', 100000);
  text[100000] = '\0';
  char *line = make(json, text);
  assert_true(strlen(line) < 40000);
  assert_non_null(strstr(line, "... (100000 bytes)"));
  free(line);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_log__a_line_stays_one_line),
      cmocka_unit_test(test_log__json_gives_back_what_is_text),
      cmocka_unit_test(test_log__logfmt_quotes_what_needs_it),
      cmocka_unit_test(test_log__a_value_makes_no_field_of_the_journal),
      cmocka_unit_test(test_log__a_long_value_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
