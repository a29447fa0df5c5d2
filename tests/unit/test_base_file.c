/* The file half of base/str.h, in a folder of its own. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

typedef struct place {
  char folder[64];
  char file[96];
} place;

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  if (!p) return -1;
  snprintf(p->folder, sizeof p->folder, "/tmp/orr-test-file-XXXXXX");
  if (!mkdtemp(p->folder)) return -1;
  snprintf(p->file, sizeof p->file, "%s/data", p->folder);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  unlink(p->file);
  int rc = rmdir(p->folder); /* goes wrong if a temporary file was left behind */
  free(p);
  return rc;
}

static void test_file__write_then_read_gives_the_same_bytes(void **state) {
  place *p = *state;
  size_t len = 300001, got_len = 0;
  char *bytes = malloc(len), *got = NULL;
  for (size_t i = 0; i < len; i++) bytes[i] = (char)(i * 7);
  assert_int_equal(orr__file_write(p->file, "old", 3, 0644, NULL), 0);
  assert_int_equal(orr__file_write(p->file, bytes, len, 0600, NULL), 0);
  struct stat st;
  assert_int_equal(stat(p->file, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(orr__file_read(p->file, len, &got, &got_len, NULL), 0);
  assert_int_equal(got_len, len);
  assert_memory_equal(got, bytes, len);
  assert_int_equal(got[len], 0);
  free(got);
  free(bytes);
}

static void test_file__read_stops_at_the_limit(void **state) {
  place *p = *state;
  orr_error err = ORR_ERROR_INIT;
  char *got = NULL;
  orr__file_write(p->file, "12345", 5, 0600, NULL);
  assert_int_equal(orr__file_read(p->file, 4, &got, NULL, &err), ORR_E_LIMIT);
  assert_null(got);
  assert_non_null(strstr(err.message, "larger than 4 bytes"));
  assert_int_equal(orr__file_read(p->file, 5, &got, NULL, NULL), 0);
  assert_string_equal(got, "12345");
  free(got);
  orr__error_clear(&err);
}

static void test_file__reads_files_without_a_size(void **state) {
  (void)state;
  char *got = NULL;
  size_t len = 0;
  assert_int_equal(orr__file_read("/proc/self/status", 1000000, &got, &len, NULL), 0);
  assert_true(len > 100);
  free(got);
}

static void test_file__what_is_no_file_is_refused_at_once(void **state) {
  place *p = *state;
  orr_error err = ORR_ERROR_INIT;
  char *got = NULL;
  assert_int_equal(orr__file_read(p->file, 10, &got, NULL, &err), ORR_E_NOT_FOUND);
  assert_non_null(strstr(err.message, p->file));
  assert_int_equal(orr__file_read(p->folder, 10, &got, NULL, &err), ORR_E_IO);
  assert_int_equal(mkfifo(p->file, 0600), 0);
  assert_int_equal(orr__file_read(p->file, 10, &got, NULL, &err), ORR_E_IO);
  assert_null(got);
  orr__error_clear(&err);
}

static void test_file__a_write_that_goes_wrong_leaves_the_old_content(void **state) {
  place *p = *state;
  orr_error err = ORR_ERROR_INIT;
  char nowhere[128];
  snprintf(nowhere, sizeof nowhere, "%s/none/data", p->folder);
  assert_int_equal(orr__file_write(nowhere, "x", 1, 0600, &err), ORR_E_IO);
  assert_non_null(strstr(err.message, nowhere));
  orr__error_clear(&err);
  /* A folder in the way makes the rename go wrong after the bytes were written. */
  assert_int_equal(mkdir(p->file, 0700), 0);
  assert_int_equal(orr__file_write(p->file, "x", 1, 0600, &err), ORR_E_IO);
  assert_int_equal(rmdir(p->file), 0);
  orr__error_clear(&err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_file__write_then_read_gives_the_same_bytes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_file__read_stops_at_the_limit, set_up, tear_down),
      cmocka_unit_test(test_file__reads_files_without_a_size),
      cmocka_unit_test_setup_teardown(test_file__what_is_no_file_is_refused_at_once, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_file__a_write_that_goes_wrong_leaves_the_old_content, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
