/* What might go on for ever with nobody who knows of it. Where runner and keeper are killed at once, as by `pkill -9`, what the tool had started
 * holds the job's lock, and whoever watches the job ends it. Where somebody removes the directory under a job, its runner does. */
#include "job_fixture.h"

static pid_t parent_of(pid_t pid) {
  char *path = orr__strf("/proc/%d/stat", (int)pid), *text = NULL;
  int parent = 0;
  assert_int_equal(orr__file_read(path, 4096, &text, NULL, NULL), 0);
  assert_int_equal(sscanf(strrchr(text, ')') + 1, " %*c %d", &parent), 1);
  free(text);
  free(path);
  return (pid_t)parent;
}

static void assert_name(pid_t pid, const char *name) {
  char *path = orr__strf("/proc/%d/comm", (int)pid), *text = NULL;
  assert_int_equal(orr__file_read(path, 100, &text, NULL, NULL), 0);
  assert_string_equal(text, name);
  free(text);
  free(path);
}

/* A tool whose child outlives it. */
static pid_t start_with_child(void) {
  struct seen seen;
  int64_t next;
  start_sh("k1", "sleep 1000 & echo $!; wait", &seen);
  assert_int_equal(seen.code, 0);
  await_log("k1", "\n");
  char *log = read_log("k1", "log", 0, 100, &next);
  pid_t child = (pid_t)atoi(log);
  free(log);
  assert_true(child > 1);
  return child;
}

static void kill_both(void) {
  pid_t runner = pid_of("k1", "runner="), keeper = parent_of(runner);
  assert_name(runner, "orrery-runner\n");
  assert_name(keeper, "orrery-keeper\n");
  assert_int_equal(kill(keeper, SIGKILL), 0);
  assert_int_equal(kill(runner, SIGKILL), 0);
  assert_true(is_dead(runner));
  assert_true(is_dead(pid_of("k1", "tool=")));
}

static void test_job__of_one_that_lost_its_runner_and_its_keeper_nothing_goes_on(void **state) {
  (void)state;
  pid_t child = start_with_child();
  kill_both();
  step_until(&ended, 1);
  assert_true(is_dead(child));
  assert_int_equal(poll_job("k1").state, ORR_JOB_LOST);
}

static void test_job__of_one_that_lost_them_while_nobody_was_there_neither(void **state) {
  (void)state;
  pid_t child = start_with_child();
  close_jobs();
  kill_both();
  open_jobs();
  assert_int_equal(poll_job("k1").state, ORR_JOB_RUNNING);
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  step_until(&ended, 1);
  assert_true(is_dead(child));
  assert_int_equal(poll_job("k1").state, ORR_JOB_LOST);
}

/* A host that forks has copies of what is open just then: they are no part of the job. */
static void test_job__a_copy_of_its_lock_in_another_session_is_spared(void **state) {
  (void)state;
  pid_t child = start_with_child();
  char *path = orr__strf("%s/k1/main/lock", dir);
  int pair[2];
  assert_int_equal(pipe(pair), 0);
  pid_t other = fork();
  if (other == 0) {
    char byte;
    int fd = open(path, O_RDONLY);
    close(pair[1]);
    _exit(fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || read(pair[0], &byte, 1) != 0);
  }
  close(pair[0]);
  kill_both();
  step_until(&ended, 1);
  assert_true(is_dead(child));
  close(pair[1]); /* it ends by itself: it was there till now */
  int status = 0;
  assert_int_equal(waitpid(other, &status, 0), other);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  free(path);
}

static void test_job__goes_on_when_its_keeper_alone_is_killed(void **state) {
  (void)state;
  struct seen seen;
  char *go = orr__strf("%s/go", dir), *script = orr__strf("until [ -e %s ]; do sleep 0.05; done; exit 6", go);
  start_sh("k1", script, &seen);
  pid_t keeper = parent_of(pid_of("k1", "runner="));
  assert_int_equal(kill(keeper, SIGKILL), 0);
  assert_true(is_dead(keeper));
  fclose(fopen(go, "w"));
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 6);
  free(script);
  free(go);
}

/* The last of what knew of it: nobody could cancel it any more, nor learn how it ended. */
static void test_job__whose_directory_is_gone_is_ended(void **state) {
  (void)state;
  pid_t child = start_with_child(), tool = pid_of("k1", "tool="), runner = pid_of("k1", "runner="), keeper = parent_of(runner);
  char *command = orr__strf("rm -r %s/k1", dir);
  close_jobs();
  assert_int_equal(system(command), 0);
  assert_true(is_dead(tool));
  assert_true(is_dead(child));
  assert_true(is_dead(runner));
  assert_true(is_dead(keeper));
  open_jobs();
  assert_int_equal(poll_job("k1").state, ORR_JOB_ABSENT);
  free(command);
}

/* Elsewhere it can be found, and be put back. What the tool says is written there, and with each line the runner looks where it is. */
static void test_job__whose_directory_is_elsewhere_goes_on(void **state) {
  (void)state;
  struct seen seen;
  char *script = orr__strf("await() { until [ -e %s/k2/main/$1 ]; do sleep 0.05; done; echo $1; }; await one; await two; exit 6", dir);
  char *away = orr__strf("mv %s/k1 %s/k2", dir, dir), *back = orr__strf("mv %s/k2 %s/k1", dir, dir);
  start_sh("k1", script, &seen);
  assert_int_equal(system(away), 0);
  put_file("k2", "one", "");
  await_log("k2", "one\n");
  put_file("k2", "two", "");
  await_log("k2", "two\n");
  assert_int_equal(system(back), 0);
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 6);
  free(back);
  free(away);
  free(script);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_job__of_one_that_lost_its_runner_and_its_keeper_nothing_goes_on, setup, teardown),
    cmocka_unit_test_setup_teardown(test_job__of_one_that_lost_them_while_nobody_was_there_neither, setup, teardown),
    cmocka_unit_test_setup_teardown(test_job__a_copy_of_its_lock_in_another_session_is_spared, setup, teardown),
    cmocka_unit_test_setup_teardown(test_job__goes_on_when_its_keeper_alone_is_killed, setup, teardown),
    cmocka_unit_test_setup_teardown(test_job__whose_directory_is_gone_is_ended, setup, teardown),
    cmocka_unit_test_setup_teardown(test_job__whose_directory_is_elsewhere_goes_on, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
