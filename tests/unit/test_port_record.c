/* port/record.h: lines in order, a limit that closes, keys that stay in their folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "port/record.h"

typedef struct place {
  char folder[64], dir[80];
  orr__records *records;
} place;

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  snprintf(p->folder, sizeof p->folder, "/tmp/orr-record-XXXXXX");
  assert_non_null(mkdtemp(p->folder));
  snprintf(p->dir, sizeof p->dir, "%s/recordings", p->folder);
  assert_int_equal(orr__records_new(p->dir, ORR_RECORD_ALL, 30, &p->records, NULL), 0);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  orr__record_remove(p->records, "a-1", NULL);
  orr__records_free(p->records);
  rmdir(p->dir);
  rmdir(p->folder);
  free(p);
  return 0;
}

static void has(place *p, const char *text) {
  char *all = NULL;
  assert_int_equal(orr__record_read(p->records, "a-1", &all, NULL), 0);
  assert_string_equal(all, text);
  free(all);
}

static void test_record__keeps_lines_in_order(void **state) {
  place *p = *state;
  orr_error err = ORR_ERROR_INIT;
  char *none = NULL;
  assert_int_equal(orr__record_read(p->records, "a-1", &none, &err), ORR_E_NOT_FOUND);
  orr__error_clear(&err);
  assert_int_equal(orr__record_append(p->records, "a-1", "one", NULL), 0);
  assert_int_equal(orr__record_append(p->records, "a-1", "two", NULL), 0);
  has(p, "one\ntwo\n");
}

static void test_record__is_closed_by_its_limit(void **state) {
  place *p = *state;
  assert_int_equal(orr__record_append(p->records, "a-1", "0123456789", NULL), 0);
  assert_int_equal(orr__record_append(p->records, "a-1", "0123456789012345678", NULL), 0);
  has(p, "0123456789\n{\"full\":true}\n");
  assert_int_equal(orr__record_append(p->records, "a-1", "x", NULL), 0);
  has(p, "0123456789\n{\"full\":true}\n");
}

static void test_record__is_for_its_owner_only(void **state) {
  place *p = *state;
  struct stat st;
  char path[128];
  assert_int_equal(orr__record_append(p->records, "a-1", "one", NULL), 0);
  snprintf(path, sizeof path, "%s/a-1.jsonl", p->dir);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(stat(p->dir, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_record__goes_when_it_is_removed(void **state) {
  place *p = *state;
  char *none = NULL;
  assert_int_equal(orr__record_append(p->records, "a-1", "one", NULL), 0);
  assert_int_equal(orr__record_remove(p->records, "a-1", NULL), 0);
  assert_int_equal(orr__record_read(p->records, "a-1", &none, NULL), ORR_E_NOT_FOUND);
  assert_int_equal(orr__record_remove(p->records, "a-1", NULL), 0);
}

static void test_record__refuses_keys_that_leave_the_folder(void **state) {
  place *p = *state;
  static const char *const keys[] = { "", "../a", "a/b", "a.b" };
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) assert_int_equal(orr__record_append(p->records, keys[i], "x", NULL), ORR_E_INVALID);
}

static void test_record__says_where_it_cannot_write(void **state) {
  place *p = *state;
  orr_error err = ORR_ERROR_INIT;
  orr__records *nowhere = NULL;
  char dir[128];
  snprintf(dir, sizeof dir, "%s/none/recordings", p->folder);
  assert_int_equal(orr__records_new(dir, ORR_RECORD_ALL, 30, &nowhere, NULL), 0);
  assert_int_equal(orr__record_append(nowhere, "a-1", "x", &err), ORR_E_IO);
  assert_non_null(strstr(orr__error_message(&err), dir));
  orr__error_clear(&err);
  orr__records_free(nowhere);
  assert_int_equal(orr__records_mode(NULL), ORR_RECORD_OFF);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  static const struct CMUnitTest tests[] = {
    TEST(test_record__keeps_lines_in_order), TEST(test_record__is_closed_by_its_limit), TEST(test_record__is_for_its_owner_only),
    TEST(test_record__goes_when_it_is_removed), TEST(test_record__refuses_keys_that_leave_the_folder), TEST(test_record__says_where_it_cannot_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
