/* base/error.h: codes, messages, the per-field map, moving and copying. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void test_error__set_keeps_code_message_and_default_retryable(void **state) {
  (void)state;
  orr_error err = ORR_ERROR_INIT;
  assert_string_equal(orr__error_message(&err), "no error");
  assert_int_equal(orr__error_set(&err, ORR_E_NOT_FOUND, "no backup named '%s'", "web"), ORR_E_NOT_FOUND);
  assert_int_equal(err.code, ORR_E_NOT_FOUND);
  assert_false(err.retryable);
  assert_string_equal(orr__error_message(&err), "no backup named 'web'");
  orr__error_set(&err, ORR_E_TIMEOUT, "again: %s", err.message);
  assert_true(err.retryable);
  assert_string_equal(orr__error_message(&err), "again: no backup named 'web'");
  orr__error_clear(&err);
  assert_int_equal(err.code, 0);
}

static void test_error__null_is_fine_everywhere(void **state) {
  (void)state;
  orr__error_clear(NULL);
  assert_int_equal(orr__error_set(NULL, ORR_E_IO, "x"), ORR_E_IO);
  assert_int_equal(orr__error_errno(NULL, ORR_E_IO, ENOENT, "x"), ORR_E_IO);
  assert_int_equal(orr__error_field(NULL, "f", "x"), ORR_E_INVALID);
  assert_string_equal(orr__error_message(NULL), "no error");
}

static void test_error__control_characters_become_spaces(void **state) {
  (void)state;
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_INVALID, "a\nb\tc\033[31m\x7f\xc3\xa9");
  assert_string_equal(err.message, "a b c [31m \xc3\xa9");
  orr__error_clear(&err);
}

static void test_error__errno_says_disk_full(void **state) {
  (void)state;
  orr_error err = ORR_ERROR_INIT;
  orr__error_errno(&err, ORR_E_IO, ENOSPC, "/srv/%s", "db");
  assert_string_equal(err.message, "/srv/db: disk full");
  orr__error_errno(&err, ORR_E_IO, EDQUOT, "db");
  assert_string_equal(err.message, "db: disk full");
  orr__error_errno(&err, ORR_E_NOT_FOUND, ENOENT, "db");
  assert_string_equal(err.message, "db: No such file or directory");
  orr__error_clear(&err);
}

static void test_error__fields_keep_order_and_join_messages(void **state) {
  (void)state;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__error_field(&err, "path", "is missing"), ORR_E_INVALID);
  assert_string_equal(err.message, "path: is missing");
  orr__error_field(&err, "name", "is too long");
  orr__error_field(&err, "path", "must be absolute");
  assert_int_equal(err.field_count, 2);
  assert_string_equal(err.fields[0].field, "path");
  assert_string_equal(err.fields[0].message, "is missing; must be absolute");
  assert_string_equal(err.fields[1].field, "name");
  orr__error_set(&err, ORR_E_REFUSED, "no");
  assert_int_equal(err.field_count, 0);
  assert_int_equal(orr__error_field(&err, "path", "is missing"), ORR_E_REFUSED);
  assert_string_equal(err.message, "no");
  orr__error_clear(&err);
}

static void test_error__fields_stop_at_the_limit(void **state) {
  (void)state;
  orr_error err = ORR_ERROR_INIT;
  for (int i = 0; i < 1100; i++) {
    char name[16];
    name[0] = (char)('a' + i / 100);
    name[1] = (char)('a' + i / 10 % 10);
    name[2] = (char)('a' + i % 10);
    name[3] = '\0';
    orr__error_field(&err, name, "bad");
  }
  assert_int_equal(err.field_count, 1000);
  orr__error_clear(&err);
}

static void test_error__move_and_copy_own_separately(void **state) {
  (void)state;
  orr_error a = ORR_ERROR_INIT, b = ORR_ERROR_INIT;
  orr__error_set(&a, ORR_E_INVALID, "bad request");
  orr__error_field(&a, "x", "one");
  orr__error_field(&a, "y", "two");
  a.retryable = true;
  orr__error_set(&b, ORR_E_IO, "old");
  assert_int_equal(orr__error_copy(&b, &a), ORR_E_INVALID);
  assert_true(b.retryable);
  assert_int_equal(b.field_count, 2);
  assert_ptr_not_equal(a.message, b.message);
  orr__error_clear(&a);
  assert_string_equal(b.fields[1].message, "two");
  assert_int_equal(orr__error_move(&a, &b), ORR_E_INVALID);
  assert_int_equal(b.code, 0);
  assert_int_equal(b.field_count, 0);
  assert_string_equal(a.message, "bad request");
  assert_int_equal(orr__error_move(NULL, &a), ORR_E_INVALID);
  assert_int_equal(a.code, 0);
}

static void test_error__facts_follow_the_table(void **state) {
  (void)state;
  assert_string_equal(orr__code_word(ORR_E_NOT_FOUND), "not_found");
  assert_int_equal(orr__code_exit(ORR_E_NOT_FOUND), 4);
  assert_true(orr__code_retryable(ORR_E_UNREACHABLE));
  assert_string_equal(orr__code_word(-999), "unknown");
  assert_int_equal(orr__code_exit(-999), 1);
  assert_false(orr__code_retryable(-999));
  assert_int_equal(orr__code_from_word("nonsense"), 0);
  assert_int_equal(orr__code_from_word(NULL), 0);
#define ORR_ERROR(NAME, value, word, exit, retryable, doc) \
  assert_int_equal(orr__code_from_word(word), ORR_E_##NAME); \
  assert_string_equal(orr__code_word(value), word);
#include "base/errors.def"
#undef ORR_ERROR
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_error__set_keeps_code_message_and_default_retryable),
      cmocka_unit_test(test_error__null_is_fine_everywhere),
      cmocka_unit_test(test_error__control_characters_become_spaces),
      cmocka_unit_test(test_error__errno_says_disk_full),
      cmocka_unit_test(test_error__fields_keep_order_and_join_messages),
      cmocka_unit_test(test_error__fields_stop_at_the_limit),
      cmocka_unit_test(test_error__move_and_copy_own_separately),
      cmocka_unit_test(test_error__facts_follow_the_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
