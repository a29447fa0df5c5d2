/* base/buf.h: growth, the limit, sticky errors, handing over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/error.h"

static void test_buf__appends_and_always_ends_in_nul(void **state) {
  (void)state;
  orr__buf buf;
  orr__buf_init(&buf, 1000000);
  assert_string_equal(orr__buf_text(&buf), "");
  orr__buf_addf(&buf, "%s", "");
  orr__buf_adds(&buf, "a");
  orr__buf_addc(&buf, 'b');
  orr__buf_addf(&buf, "%d-%s", 42, "x");
  orr__buf_add(&buf, "\0y", 2);
  assert_int_equal(buf.len, 8);
  assert_memory_equal(orr__buf_text(&buf), "ab42-x\0y", 9);
  for (int i = 0; i < 5000; i++) orr__buf_addf(&buf, "%05d", i);
  assert_int_equal(buf.len, 8 + 25000);
  assert_string_equal(orr__buf_text(&buf) + 8 + 24995, "04999");
  orr__buf_reset(&buf);
  assert_string_equal(orr__buf_text(&buf), "");
  orr__buf_clear(&buf);
}

static void test_buf__holds_exactly_its_limit_and_no_more(void **state) {
  (void)state;
  orr__buf buf;
  orr__buf_init(&buf, 5);
  orr__buf_adds(&buf, "abcde");
  assert_int_equal(orr__buf_error(&buf), 0);
  orr__buf_addc(&buf, 'f');
  assert_int_equal(orr__buf_error(&buf), ORR_E_LIMIT);
  assert_string_equal(orr__buf_text(&buf), "abcde");
  assert_null(orr__buf_take(&buf, NULL));
  assert_int_equal(orr__buf_error(&buf), ORR_E_LIMIT);
  assert_int_equal(buf.len, 0);
  orr__buf_clear(&buf);
  assert_int_equal(orr__buf_error(&buf), 0);
  orr__buf_addf(&buf, "%s", "abcdef");
  assert_int_equal(orr__buf_error(&buf), ORR_E_LIMIT);
  orr__buf_addc(&buf, 'g');
  assert_string_equal(orr__buf_text(&buf), "");
  orr__buf_clear(&buf);
}

static void test_buf__formatted_text_past_the_limit_leaves_no_rest(void **state) {
  (void)state;
  orr__buf buf;
  orr__buf_init(&buf, 8);
  orr__buf_adds(&buf, "abc");
  orr__buf_addf(&buf, "%s", "defghijk");
  assert_int_equal(orr__buf_error(&buf), ORR_E_LIMIT);
  assert_string_equal(orr__buf_text(&buf), "abc");
  orr__buf_reset(&buf);
  orr__buf_addf(&buf, "%d", 12345678);
  assert_string_equal(orr__buf_text(&buf), "12345678");
  orr__buf_clear(&buf);
}

static void test_buf__take_hands_over_and_empties(void **state) {
  (void)state;
  orr__buf buf;
  orr__buf_init(&buf, SIZE_MAX);
  size_t len = 99;
  char *text = orr__buf_take(&buf, &len);
  assert_string_equal(text, "");
  assert_int_equal(len, 0);
  free(text);
  orr__buf_adds(&buf, "abc");
  text = orr__buf_take(&buf, &len);
  assert_string_equal(text, "abc");
  assert_int_equal(len, 3);
  free(text);
  assert_null(buf.data);
  orr__buf_adds(&buf, "again");
  assert_string_equal(orr__buf_text(&buf), "again");
  orr__buf_clear(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_buf__appends_and_always_ends_in_nul),
      cmocka_unit_test(test_buf__holds_exactly_its_limit_and_no_more),
      cmocka_unit_test(test_buf__formatted_text_past_the_limit_leaves_no_rest),
      cmocka_unit_test(test_buf__take_hands_over_and_empties),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
