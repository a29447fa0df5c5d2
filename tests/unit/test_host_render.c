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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_render__counts_columns),
    cmocka_unit_test(test_render__cuts_between_characters),
    cmocka_unit_test(test_render__ids_are_as_short_as_they_are_unique),
    cmocka_unit_test(test_render__a_narrow_table_drops_then_cuts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
