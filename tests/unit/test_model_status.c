/* model/status.h: the words and what may follow what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/status.h"

static void test_status__knows_eight_words_and_one_other_spelling(void **state) {
  (void)state;
  unsigned count = 0;
  for (const char *word; (word = orr__status_at(count)); count++)
    assert_string_equal(orr__status_canonical(word), word);
  assert_int_equal(count, 8);
  assert_string_equal(orr__status_canonical("CANCELED"), "CANCELLED");
  assert_null(orr__status_canonical("canceled"));
  assert_null(orr__status_canonical("DONE"));
  assert_null(orr__status_canonical(""));
  assert_null(orr__status_canonical(NULL));
}

static void test_status__suggests_the_nearest_word(void **state) {
  (void)state;
  assert_string_equal(orr__status_nearest("SUCCEDED"), "SUCCEEDED");
  assert_string_equal(orr__status_nearest("in_progres"), "IN_PROGRESS");
  assert_null(orr__status_nearest("OK"));
  assert_null(orr__status_nearest(NULL));
}

static void test_status__only_four_words_are_terminal(void **state) {
  (void)state;
  assert_true(orr__status_is_terminal("SUCCEEDED"));
  assert_true(orr__status_is_terminal("SUCCEEDED_WARNING"));
  assert_true(orr__status_is_terminal("FAILED"));
  assert_true(orr__status_is_terminal("CANCELLED"));
  assert_true(orr__status_is_terminal("CANCELED"));
  assert_false(orr__status_is_terminal("START_REQUESTED"));
  assert_false(orr__status_is_terminal("INITIALIZING"));
  assert_false(orr__status_is_terminal("IN_PROGRESS"));
  assert_false(orr__status_is_terminal("CANCEL_REQUESTED"));
  assert_false(orr__status_is_terminal("NONSENSE"));
  assert_false(orr__status_is_terminal(NULL));
}

/* Every pair of words, against the rules as the header states them. */
static void test_status__every_pair_follows_the_rules(void **state) {
  (void)state;
  for (unsigned i = 0; orr__status_at(i); i++)
    for (unsigned k = 0; orr__status_at(k); k++) {
      const char *from = orr__status_at(i), *to = orr__status_at(k);
      bool cancelling = i == 3;
      bool expected = i == k || (!orr__status_is_terminal(from) && (!cancelling || orr__status_is_terminal(to)));
      assert_int_equal(orr__status_may_follow(from, to), expected);
    }
}

static void test_status__an_unknown_word_never_follows(void **state) {
  (void)state;
  assert_false(orr__status_may_follow("IN_PROGRESS", "DONE"));
  assert_false(orr__status_may_follow("IN_PROGRESS", NULL));
  assert_false(orr__status_may_follow(NULL, "DONE"));
  assert_true(orr__status_may_follow(NULL, "START_REQUESTED"));
  assert_true(orr__status_may_follow("CANCELLED", "CANCELED"));
  assert_false(orr__status_may_follow("FAILED", "SUCCEEDED"));
  assert_false(orr__status_may_follow("CANCEL_REQUESTED", "IN_PROGRESS"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_status__knows_eight_words_and_one_other_spelling),
      cmocka_unit_test(test_status__suggests_the_nearest_word),
      cmocka_unit_test(test_status__only_four_words_are_terminal),
      cmocka_unit_test(test_status__every_pair_follows_the_rules),
      cmocka_unit_test(test_status__an_unknown_word_never_follows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
