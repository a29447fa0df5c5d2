/* Local jobs against real programs of the base system, each in a directory of its own: how they start, end and are
 * found again. Nothing here sleeps: the loop is stepped until what is awaited has come. What is in the files is
 * test_port_job_files.c's. */
#include "job_fixture.h"

static void test_job__runs_and_tells_its_end(void **state) {
  (void)state;
  struct seen seen;
  int64_t next;
  assert_int_equal(poll_job("k1").state, ORR_JOB_ABSENT);
  start_sh("k1", "echo one; echo two >&2; exit 3", &seen);
  assert_int_equal(seen.code, 0);
  step_until(&ended, 1);
  assert_string_equal(ended_as, "k1/main");
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.state, ORR_JOB_ENDED);
  assert_int_equal(status.exit_code, 3);
  assert_int_equal(status.signal, 0);
  assert_false(status.is_cancelled);
  assert_true(status.started_ms > 1600000000000 && status.ended_ms >= status.started_ms);
  assert_string_equal(status.message, "");
  char *log = read_log("k1", "log", 0, 1000, &next);
  assert_string_equal(log, "one\ntwo\n");
  assert_int_equal(next, 8);
  free(log);
  orr__loop_step(loop, 100);
  assert_int_equal(ended, 1);
}

static void test_job__keeps_stdout_apart_when_asked(void **state) {
  (void)state;
  struct seen seen;
  int64_t next;
  const char *argv[] = { "sh", "-c", "cat; echo two >&2; echo $X; pwd", NULL }, *env[] = { "X=three", NULL };
  start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv, .env = env, .cwd = "/usr", .input = "one\n",
                          .input_len = 4, .split = true }, &seen);
  step_until(&ended, 1);
  char *out = read_log("k1", "out", 0, 1000, &next), *log = read_log("k1", "log", 0, 1000, &next);
  assert_string_equal(out, "one\nthree\n/usr\n");
  assert_string_equal(log, "two\n");
  free(out);
  free(log);
}

static void test_job__the_tool_holds_the_lock(void **state) {
  (void)state;
  struct seen seen;
  int64_t next;
  start_sh("k1", "for fd in /proc/$$/fd/*; do readlink $fd; done", &seen);
  step_until(&ended, 1);
  char *log = read_log("k1", "log", 0, 1000, &next);
  assert_non_null(strstr(log, "/k1/main/lock\n"));
  assert_null(strstr(log, "/k1/main/log\n")); /* and nothing else of the directory */
  assert_null(strstr(log, "/k1/main\n"));
  free(log);
}

static void test_job__says_what_signal_ended_it(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "kill -SEGV $$", &seen);
  step_until(&ended, 1);
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.exit_code, -1);
  assert_int_equal(status.signal, SIGSEGV);
  assert_string_equal(status.message, "ended by signal 11 (Segmentation fault)");
}

static void test_job__start_is_idempotent(void **state) {
  (void)state;
  struct seen first, second, third;
  const char *argv[] = { "sh", "-c", "echo run; read line < \"$0\"", NULL, NULL };
  char *fifo = orr__strf("%s/fifo", dir);
  argv[3] = fifo;
  assert_int_equal(mkfifo(fifo, 0600), 0);
  orr__job_spec spec = { .key = "k1", .name = "main", .argv = argv };
  first = second = (struct seen){ 0 };
  assert_int_equal(orr__job_start(jobs, &spec, keep, &first, NULL), 0);
  assert_int_equal(orr__job_start(jobs, &spec, keep, &second, NULL), 0); /* while the first is in flight */
  step_until(&first.started, 1);
  step_until(&second.started, 1);
  assert_int_equal(first.status.state, ORR_JOB_RUNNING);
  assert_int_equal(second.status.state, ORR_JOB_RUNNING);
  start_sh("k1", "echo other", &third); /* adopted as it is */
  assert_int_equal(third.status.state, ORR_JOB_RUNNING);
  int fd = open(fifo, O_WRONLY);
  assert_int_equal(write(fd, "\n", 1), 1);
  close(fd);
  step_until(&ended, 1);
  await_lock("k1");
  start_sh("k1", "echo again", &third);
  assert_int_equal(third.code, 0);
  assert_int_equal(third.status.state, ORR_JOB_ENDED);
  step_until(&ended, 2);
  int64_t next;
  char *log = read_log("k1", "log", 0, 1000, &next);
  assert_string_equal(log, "run\n");
  free(log);
  free(fifo);
}

static void test_job__goes_on_without_us_and_is_adopted(void **state) {
  (void)state;
  struct seen seen;
  char *fifo = orr__strf("%s/fifo", dir);
  const char *argv[] = { "sh", "-c", "read line < \"$0\"; echo $line; exit 5", fifo, NULL };
  assert_int_equal(mkfifo(fifo, 0600), 0);
  start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv }, &seen);
  close_jobs();
  open_jobs();
  assert_int_equal(poll_job("k1").state, ORR_JOB_RUNNING);
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  orr__loop_step(loop, 50);
  assert_int_equal(ended, 0);
  int fd = open(fifo, O_WRONLY);
  assert_int_equal(write(fd, "on\n", 3), 3);
  close(fd);
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 5);
  free(fifo);
}

static void test_job__outlives_the_death_of_its_host(void **state) {
  (void)state;
  char *fifo = orr__strf("%s/fifo", dir);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  int up[2];
  assert_int_equal(pipe(up), 0);
  pid_t host = fork();
  if (host == 0) {
    struct seen seen;
    const char *argv[] = { "sh", "-c", "read line < \"$0\"; exit 6", fifo, NULL };
    close_jobs();
    open_jobs();
    start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv }, &seen);
    if (write(up[1], "u", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte;
  assert_int_equal(read(up[0], &byte, 1), 1);
  kill(host, SIGKILL);
  waitpid(host, NULL, 0);
  close(up[0]);
  close(up[1]);
  assert_int_equal(poll_job("k1").state, ORR_JOB_RUNNING);
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  int fd = open(fifo, O_WRONLY);
  assert_int_equal(write(fd, "\n", 1), 1);
  close(fd);
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 6);
  free(fifo);
}

static void test_job__ended_comes_for_a_watched_job_that_has_ended(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "exit 0", &seen);
  step_until(&ended, 1);
  await_lock("k1"); /* nothing happens there any more */
  close_jobs();
  open_jobs();
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  assert_int_equal(ended, 1);
  step_until(&ended, 2);
  orr__loop_step(loop, 50);
  assert_int_equal(ended, 2);
  assert_int_equal(orr__job_watch(jobs, "k2", "main", NULL), ORR_E_NOT_FOUND);
}

static void test_job__cancel_ends_it_and_all_below(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "setsid sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 100; done\" & wait", &seen);
  await_log("k1", "\n");
  int64_t next;
  char *log = read_log("k1", "log", 0, 100, &next);
  assert_int_equal(orr__job_cancel(jobs, "k1", "main", NULL), 0);
  step_until(&ended, 1);
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.state, ORR_JOB_ENDED);
  assert_true(status.is_cancelled);
  assert_false(status.is_timed_out);
  assert_int_equal(status.signal, SIGTERM);
  assert_int_equal(kill((pid_t)atoi(log), 0), -1); /* gone before the exit was written */
  free(log);
  assert_int_equal(orr__job_cancel(jobs, "k1", "main", NULL), 0);
  assert_int_equal(orr__job_cancel(jobs, "k2", "main", NULL), 0);
}

static void test_job__time_out_ends_it(void **state) {
  (void)state;
  struct seen seen;
  const char *argv[] = { "sh", "-c", "trap '' TERM; echo up; while :; do sleep 100; done", NULL };
  orr__job_status status;
  bool was_up = false;
  for (int64_t timeout_ms = 200; !was_up && timeout_ms < LIMIT_MS; timeout_ms *= 4) { /* a busy machine takes longer to be deaf to SIGTERM */
    int64_t next;
    start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv, .timeout_ms = timeout_ms, .grace_ms = 100 }, &seen);
    ended = 0;
    step_until(&ended, 1);
    status = poll_job("k1");
    char *log = read_log("k1", "log", 0, 100, &next);
    was_up = strcmp(log, "up\n") == 0;
    free(log);
    await_lock("k1");
    if (!was_up) assert_int_equal(orr__job_remove(jobs, "k1", NULL), 0);
  }
  assert_true(was_up);
  assert_true(status.is_timed_out);
  assert_false(status.is_cancelled);
  assert_int_equal(status.signal, SIGKILL);
  assert_string_equal(status.message, "timed out");
}

static void test_job__is_lost_when_its_runner_is_killed(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "setsid sleep 100 & echo $!; wait", &seen);
  await_log("k1", "\n");
  int64_t next;
  char *log = read_log("k1", "log", 0, 100, &next);
  pid_t tool = pid_of("k1", "tool="), runner = pid_of("k1", "runner=");
  int64_t before = orr__loop_mono_ms(loop);
  assert_int_equal(kill(runner, SIGKILL), 0);
  assert_true(is_dead(tool));
  assert_true(is_dead((pid_t)atoi(log)));
  free(log);
  step_until(&ended, 1);
  assert_true(orr__loop_mono_ms(loop) - before < LIMIT_MS / 2);
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.state, ORR_JOB_LOST);
  assert_non_null(strstr(status.message, "without a word"));
  assert_int_equal(status.exit_code, 0);
}

static void test_job__names_a_missing_program_each_time(void **state) {
  (void)state;
  struct seen seen;
  const char *argv[] = { "/nowhere/restic", NULL };
  for (int i = 0; i < 2; i++) {
    start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv }, &seen);
    assert_int_equal(seen.code, ORR_E_NO_PROGRAM);
    assert_string_equal(seen.message, "/nowhere/restic: not found (Debian package restic)");
    assert_int_equal(seen.status.state, ORR_JOB_ENDED);
    assert_int_equal(seen.status.exit_code, -1);
    assert_string_equal(seen.status.message, "/nowhere/restic: not found");
  }
  orr__loop_step(loop, 50);
  assert_int_equal(ended, 0);
}

static void test_job__works_where_the_host_ignores_sigchld(void **state) {
  (void)state;
  struct seen seen;
  struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
  sigaction(SIGCHLD, &ignore, &before);
  start_sh("k1", "true | false; exit 8", &seen);
  step_until(&ended, 1);
  sigaction(SIGCHLD, &before, NULL);
  assert_int_equal(poll_job("k1").exit_code, 8);
}

static void test_job__ends_well_on_sigterm_to_its_runner(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "while :; do sleep 100; done", &seen);
  assert_int_equal(kill(pid_of("k1", "runner="), SIGTERM), 0);
  step_until(&ended, 1);
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.state, ORR_JOB_ENDED);
  assert_int_equal(status.signal, SIGTERM);
  assert_false(status.is_cancelled);
  assert_string_equal(status.message, "ended because the job runner was asked to end");
}

static void test_job__free_completes_a_start_in_flight(void **state) {
  (void)state;
  struct seen seen = { 0 };
  const char *argv[] = { "true", NULL };
  orr__job_spec spec = { .key = "k1", .name = "main", .argv = argv };
  assert_int_equal(orr__job_start(jobs, &spec, keep, &seen, NULL), 0);
  close_jobs();
  assert_int_equal(seen.started, 1);
  assert_int_equal(seen.code, ORR_E_CLOSED);
  open_jobs();
  start(&spec, &seen); /* it went on, and is adopted */
  assert_int_equal(seen.code, 0);
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(runs_and_tells_its_end), CASE(keeps_stdout_apart_when_asked), CASE(the_tool_holds_the_lock),
    CASE(says_what_signal_ended_it), CASE(start_is_idempotent), CASE(goes_on_without_us_and_is_adopted),
    CASE(outlives_the_death_of_its_host), CASE(ended_comes_for_a_watched_job_that_has_ended),
    CASE(cancel_ends_it_and_all_below), CASE(time_out_ends_it), CASE(is_lost_when_its_runner_is_killed),
    CASE(names_a_missing_program_each_time), CASE(works_where_the_host_ignores_sigchld),
    CASE(ends_well_on_sigterm_to_its_runner), CASE(free_completes_a_start_in_flight),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
