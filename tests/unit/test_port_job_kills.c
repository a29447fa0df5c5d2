/* Local jobs whose runner is killed before every single one of its calls of the system (tests/kill/runner_dies.c): before it has the lock
 * to itself, before the tool is executed, while it runs, between its end and the exit file, after it. What the directory says then is
 * true, the tool lives no longer than its runner, and a start that is repeated begins what certainly never began, and nothing else. */
#include "job_fixture.h"

enum { CALLS_MAX = 400 };

static char place[64]; /* the tools and their ledgers */

static char *place_file(const char *name, int n) { return orr__strf("%s/%s-%d", place, name, n); }

static void write_script(char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
  free(path);
}

/* The runner gets the tool's name, and that says when it dies. */
static void use_runner(const char *runner) {
  orr_error err = ORR_ERROR_INIT;
  orr__jobs_free(jobs);
  jobs = NULL;
  if (orr__jobs_new(loop, dir, runner, on_ended, &ended, &jobs, &err) < 0) fail_msg("%s", orr__error_message(&err));
}

static int set_up(void **state) {
  if (setup(state)) return -1;
  strcpy(place, "/tmp/orrery-test-kills-XXXXXX");
  if (!mkdtemp(place)) return -1;
  char *text = orr__strf("#!/bin/sh\nORRERY_DIE_AT=${2#tool-} ORRERY_COUNT_TO=%s/count exec %s \"$@\"\n", place, ORR_TEST_RUNNER_DIES);
  write_script(orr__strf("%s/runner", place), text);
  free(text);
  return 0;
}

static int tear_down(void **state) {
  char *command = orr__strf("rm -rf %s", place);
  int status = system(command);
  free(command);
  return status + teardown(state);
}

static void start_tool(int n, struct seen *seen) {
  char *tool = place_file("tool", n), *ledger = place_file("ledger", n), key[16];
  snprintf(key, sizeof key, "k%d", n);
  const char *argv[] = { tool, ledger, NULL };
  write_script(orr__strdup(tool), "#!/bin/sh\necho begin >>\"$1\"\nsleep 0.05\necho end >>\"$1\"\nexit 3\n");
  *seen = (struct seen){ 0 };
  assert_int_equal(orr__job_start(jobs, &(orr__job_spec){ .key = key, .name = "main", .argv = argv }, keep, seen, NULL), 0);
  step_until(&seen->started, 1);
  free(tool);
  free(ledger);
}

static char *ledger_of(int n) {
  char *path = place_file("ledger", n), *text = NULL;
  if (orr__file_read(path, 1000, &text, NULL, NULL)) text = orr__strdup("");
  free(path);
  return text;
}

static int calls_of_a_life(void) {
  struct seen seen;
  char *path = orr__strf("%s/count", place), *text = NULL;
  start_tool(0, &seen);
  step_until(&ended, 1);
  await_lock("k0");
  assert_int_equal(orr__file_read(path, 100, &text, NULL, NULL), 0);
  int calls = atoi(text);
  free(text);
  free(path);
  assert_in_range(calls, 30, CALLS_MAX - 10);
  return calls;
}

/* What there is of the n-th, and whether it can be so. */
static enum orr__job_state judge(int n, const struct seen *seen) {
  char key[16], *ledger = ledger_of(n);
  snprintf(key, sizeof key, "k%d", n);
  orr__job_status status = poll_job(key);
  bool has_begun = strcmp(ledger, "") != 0, has_ended = strcmp(ledger, "begin\nend\n") == 0;
  switch (status.state) {
    case ORR_JOB_ABSENT: /* certainly never executed, and whoever asked was told */
      assert_false(has_begun);
      assert_int_equal(seen->code, ORR_E_IO);
      assert_string_equal(seen->message, "the job runner died before it began");
      break;
    case ORR_JOB_LOST:
      if (has_begun) assert_true(is_dead(pid_of(key, "tool="))); /* else `begun` may have been cut */
      assert_non_null(strstr(status.message, "without a word"));
      break;
    case ORR_JOB_ENDED:
      assert_true(has_ended);
      assert_int_equal(status.exit_code, 3);
      break;
    default: fail_msg("call %d: the job is %s for ever", n, orr__job_state_word(status.state));
  }
  free(ledger);
  return status.state;
}

static void test_job__is_true_whenever_its_runner_is_killed(void **state) {
  (void)state;
  static struct seen seen[CALLS_MAX];
  int count[ORR_JOB_LOST + 1] = { 0 }, accepted = 0;
  char *runner = orr__strf("%s/runner", place);
  enum orr__job_state states[CALLS_MAX];
  use_runner(runner);
  int calls = calls_of_a_life();
  ended = 0;
  for (int n = 1; n <= calls; n++) {
    start_tool(n, &seen[n]);
    accepted += seen[n].code == 0;
  }
  step_until(&ended, accepted);
  for (int n = 1; n <= calls; n++) count[states[n] = judge(n, &seen[n])]++;
  print_message("%d calls: %d absent, %d lost, %d ended\n", calls, count[ORR_JOB_ABSENT], count[ORR_JOB_LOST], count[ORR_JOB_ENDED]);
  assert_true(count[ORR_JOB_ABSENT] > 0 && count[ORR_JOB_LOST] > 0 && count[ORR_JOB_ENDED] > 0);

  use_runner(ORR_TEST_RUNNER); /* asked for again, as after a crash of ours, too */
  ended = 0;
  for (int n = 1; n <= calls; n++) {
    char *before = ledger_of(n);
    start_tool(n, &seen[n]);
    assert_int_equal(seen[n].code, 0);
    step_until(&ended, n);
    char *after = ledger_of(n);
    assert_string_equal(after, states[n] == ORR_JOB_ABSENT ? "begin\nend\n" : before);
    free(before);
    free(after);
  }
  free(runner);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_job__is_true_whenever_its_runner_is_killed, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
