/* How wide text is on a terminal, where it is cut, and which prefixes of ids a list shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/render.h"

static size_t columns(const char *text) {
  return orr__text_columns(text, strlen(text));
}

static void test_render__counts_columns(void **state) {
  (void)state;
  assert_int_equal(columns(""), 0);
  assert_int_equal(columns("plain"), 5);
  assert_int_equal(columns("Zürich"), 6);
  assert_int_equal(columns("Zu\xcc\x88rich"), 6); /* u and a combining diaeresis */
  assert_int_equal(columns("数据库"), 6);
  assert_int_equal(columns("한국"), 4);
  assert_int_equal(columns("ＡＢ"), 4);
  assert_int_equal(columns("a🚀b"), 4);
  assert_int_equal(columns("…█·"), 3);
  assert_int_equal(columns("\xff\xfe"), 2); /* no UTF-8 */
  assert_int_equal(columns("\xe6\x95"), 2); /* the beginning of a character */
}

static void test_render__cuts_between_characters(void **state) {
  (void)state;
  assert_int_equal(orr__text_cut("plain", 3), 3);
  assert_int_equal(orr__text_cut("plain", 9), 5);
  assert_int_equal(orr__text_cut("数据库", 4), 6);
  assert_int_equal(orr__text_cut("数据库", 5), 6);            /* no half of a character */
  assert_int_equal(orr__text_cut("e\xcc\x81" "f", 1), 3);      /* its mark stays with it */
  assert_int_equal(orr__text_cut("x", 0), 0);
}

static char *table_of(const char *view, const char *json, orr__paint paint) {
  orr__buf out;
  orr__buf_init(&out, 1 << 20);
  cJSON *rows = cJSON_Parse(json);
  assert_non_null(rows);
  orr__table(&out, &paint, view, rows);
  cJSON_Delete(rows);
  return orr__buf_take(&out, NULL);
}

static void test_render__ids_are_as_short_as_they_are_unique(void **state) {
  (void)state;
  char *text = table_of("ID=uuid:id", "[{\"uuid\":\"01234567-aaaa\"},{\"uuid\":\"89abcdef-bbbb\"}]", (orr__paint){.has_no_header = true});
  assert_string_equal(text, "01234567\n89abcdef\n");
  free(text);
  text = table_of("ID=uuid:id", "[{\"uuid\":\"01234567-aaaa\"},{\"uuid\":\"01234567-abbb\"},{\"uuid\":\"01234567-abbb\"}]",
                  (orr__paint){.has_no_header = true});
  assert_string_equal(text, "01234567-aa\n01234567-ab\n01234567-ab\n");
  free(text);
}

static void test_render__a_narrow_table_drops_then_cuts(void **state) {
  (void)state;
  const char *json = "[{\"a\":\"first\",\"b\":\"second second second\",\"c\":\"third third third third third third\"}]";
  char *text = table_of("A=a -B=b C=c", json, (orr__paint){.width = 100});
  assert_string_equal(text, "A      B                     C\nfirst  second second second  third third third third third third\n");
  free(text);
  text = table_of("A=a -B=b C=c", json, (orr__paint){.width = 40});
  assert_string_equal(text, "A      C\nfirst  third third third third third th…\n");
  free(text);
  text = table_of("A=a B=b C=c", json, (orr__paint){.width = 40, .is_wide = true});
  assert_string_equal(text, "A      B                     C\nfirst  second second second  third third third third third third\n");
  free(text);
  text = table_of("A=a +B=b", json, (orr__paint){.width = 40});
  assert_string_equal(text, "A\nfirst\n");
  free(text);
}

static void test_render__tells_the_story_of_a_result_in_order(void **state) {
  (void)state;
  cJSON *ops = cJSON_Parse("[{\"hook\":\"executeBackup\",\"attempt\":2,\"startDate\":2000,\"sentDate\":2010,\"endDate\":4010,\"act\":\"POST http://x\",\"outcome\":\"error\",\"message\":\"lost\\nit\"},"
                           "{\"hook\":\"prepareExecuteBackup\",\"attempt\":1,\"startDate\":1000,\"endDate\":1003,\"outcome\":\"success\"},"
                           "{\"hook\":\"recoverBackupResult\",\"attempt\":1,\"startDate\":5000,\"endDate\":5001,\"outcome\":\"lost\",\"message\":\"the runtime ended during this call\"},"
                           "{\"hook\":\"result.resolve\",\"startDate\":6000,\"endDate\":6000},"
                           "{\"hook\":\"refreshBackupResult\",\"attempt\":1,\"startDate\":7000}]");
  cJSON *events = cJSON_Parse("[{\"date\":1000,\"level\":\"info\",\"message\":\"accepted (manual)\"},{\"date\":6000,\"level\":\"warning\",\"message\":\"resolved by ada\"},"
                              "{\"date\":3000,\"level\":\"info\",\"message\":\"in the midst of it\"}]");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__story(&out, &(orr__paint){ .width = 0 }, ops, events);
  static const char *const lines[] = { "01.000  accepted (manual)\n", "01.000  prepareExecuteBackup: success after 3 ms\n", "02.000  executeBackup, try 2 is called\n",
    "02.010    it sends: POST http://x\n", "03.000  in the midst of it\n", "04.010    it answers: error after 2.0 s: lost ...\n",
    "05.000  recoverBackupResult: no answer after 1 ms: the runtime ended during this call\n", "06.000  resolved by ada\n", "07.000  refreshBackupResult is called\n",
    "07.000    it has not answered yet\n" };
  const char *at = orr__buf_text(&out);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const char *found = strstr(at, lines[i]);
    if (!found) fail_msg("no '%s' in its place in:\n%s", lines[i], orr__buf_text(&out));
    at = found + strlen(lines[i]);
  }
  assert_string_equal(at, "");
  orr__buf_clear(&out);
  cJSON_Delete(ops);
  cJSON_Delete(events);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_render__counts_columns),
    cmocka_unit_test(test_render__tells_the_story_of_a_result_in_order),
    cmocka_unit_test(test_render__cuts_between_characters),
    cmocka_unit_test(test_render__ids_are_as_short_as_they_are_unique),
    cmocka_unit_test(test_render__a_narrow_table_drops_then_cuts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
