/* Local jobs: what is in their directories, and what is made of directories that are not as they should be. */
#include "job_fixture.h"

static void test_job__begins_what_provably_never_began(void **state) {
  (void)state;
  struct seen seen;
  char *command = orr__strf("mkdir -p %s/k1/main", dir);
  assert_int_equal(system(command), 0);
  free(command);
  put_file("k1", "spec", "orrery-spec 1\narg=false\nend\n");
  put_file("k1", "lock", "");
  assert_int_equal(poll_job("k1").state, ORR_JOB_ABSENT);
  start_sh("k1", "exit 4", &seen);
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 4);
}

/* Somebody else's start is in flight and comes to nothing. */
static void test_job__a_start_in_flight_is_waited_for(void **state) {
  (void)state;
  struct seen seen = { 0 };
  char *command = orr__strf("mkdir -p %s/k1/main", dir), *lock = orr__strf("%s/k1/main/lock", dir);
  assert_int_equal(system(command), 0);
  int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal(flock(fd, LOCK_EX), 0);
  assert_int_equal(poll_job("k1").state, ORR_JOB_STARTING);
  const char *argv[] = { "true", NULL };
  orr__job_spec spec = { .key = "k1", .name = "main", .argv = argv };
  assert_int_equal(orr__job_start(jobs, &spec, keep, &seen, NULL), 0);
  orr__loop_step(loop, 20);
  orr__loop_step(loop, 20);
  assert_int_equal(seen.started, 0);
  close(fd);
  step_until(&seen.started, 1);
  assert_int_equal(seen.code, ORR_E_IO);
  start(&spec, &seen);
  assert_int_equal(seen.code, 0);
  step_until(&ended, 1);
  free(command);
  free(lock);
}

/* Process ids are used again: that one of the number lives says nothing, only the lock does. */
static void test_job__is_lost_although_somebody_has_its_process_id(void **state) {
  (void)state;
  struct seen seen;
  start_sh("k1", "exec sleep 100", &seen);
  char *begun = orr__strf("orrery-begun 1\nrunner=%ld\ntool=%ld\nstarted_ms=1\nend\n", (long)getpid(), (long)getpid());
  assert_int_equal(kill(pid_of("k1", "runner="), SIGKILL), 0);
  step_until(&ended, 1);
  put_file("k1", "begun", begun);
  assert_int_equal(poll_job("k1").state, ORR_JOB_LOST);
  assert_int_equal(orr__job_watch(jobs, "k1", "main", NULL), 0);
  step_until(&ended, 2);
  free(begun);
}

/* Whoever removes the lock removes what tells whether it runs: no state then, but for the end, which is written all the same. */
static void test_job__without_its_lock_has_no_state_before_its_end(void **state) {
  (void)state;
  struct seen seen;
  char *lock = orr__strf("%s/k1/main/lock", dir), *go_on = orr__strf("%s/go-on", dir);
  char *script = orr__strf("i=0; while [ ! -e %s ] && [ $i -lt 6000 ]; do i=$((i + 1)); sleep 0.01; done; exit 4", go_on);
  start_sh("k1", script, &seen);
  assert_int_equal(unlink(lock), 0);
  orr__job_status status;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__job_poll(jobs, "k1", "main", &status, &err), ORR_E_CORRUPT);
  assert_non_null(strstr(orr__error_message(&err), "has lost its file lock"));
  const char *argv[] = { "true", NULL };
  assert_int_equal(orr__job_start(jobs, &(orr__job_spec){ .key = "k1", .name = "main", .argv = argv }, keep, &seen, NULL), ORR_E_CORRUPT);
  assert_int_equal(orr__job_remove(jobs, "k1", NULL), ORR_E_CORRUPT);
  close(open(go_on, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  step_until(&ended, 1);
  assert_int_equal(poll_job("k1").exit_code, 4);
  orr__error_clear(&err);
  free(lock);
  free(go_on);
  free(script);
}

static void test_job__a_damaged_exit_is_lost_with_a_clear_message(void **state) {
  (void)state;
  static const char *const damaged[] = {
    "", "orrery-exit 1\n", "garbage", "orrery-exit 1\nend\n", "orrery-exit 2\nfailure=0\nend\n",
    "orrery-exit 1\nfailure=0\ncode=900\nsignal=0\ncancelled=0\ntimed_out=0\nstarted_ms=1\nended_ms=1\nmessage=\nend\n",
    "orrery-exit 1\nfailure=0\ncode=0\nsignal=0\ncancelled=x\ntimed_out=0\nstarted_ms=1\nended_ms=1\nmessage=\nend\n",
    "orrery-exit 1\nfailure=0\ncode=0\nsignal=0\ncancelled=0\ntimed_out=0\nstarted_ms=1\nended_ms=1\nend\n",
    "orrery-exit 1\nfailure=0\ncode=0\nsignal=0\ncancelled=0\ntimed_out=0\nstarted_ms=99999999999999999999\nend\n",
  };
  struct seen seen;
  start_sh("k1", "exit 0", &seen);
  step_until(&ended, 1);
  await_lock("k1"); /* while it is held it is no loss */
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    put_file("k1", "exit", damaged[i]);
    orr__job_status status = poll_job("k1");
    assert_int_equal(status.state, ORR_JOB_LOST);
    assert_non_null(strstr(status.message, "its exit file is damaged: "));
    assert_non_null(strstr(status.message, "/k1/main/exit"));
  }
  put_file("k1", "exit", "orrery-exit 1\nfailure=0\ncode=0\nsignal=0\ncancelled=0\ntimed_out=0\nstarted_ms=1\n"
                         "ended_ms=2\nmessage=a\\nb\\\\c\nlater=unknown\nend\n");
  orr__job_status status = poll_job("k1");
  assert_int_equal(status.state, ORR_JOB_ENDED);
  assert_string_equal(status.message, "a\nb\\c");
}

static void test_job__log_is_capped_and_offsets_stay_valid(void **state) {
  (void)state;
  struct seen seen;
  int64_t next = 0, total = 0;
  start_sh("k1", "seq -f %09.0f 1 2000000", &seen); /* 20,000,000 bytes, ten per line */
  step_until(&ended, 1);
  char *text = read_log("k1", "log", 0, 25, &next);
  assert_string_equal(text, "000000001\n000000002\n00000");
  assert_int_equal(next, 25);
  free(text);
  text = read_log("k1", "log", -20, 1000, &next);
  assert_string_equal(text, "001999999\n002000000\n");
  assert_int_equal(next, 20000000);
  free(text);
  text = read_log("k1", "log", (4 << 20) - 4, 8, &next); /* over the gap */
  assert_int_equal(strlen(text), 8);
  assert_true(next > 14000000);
  free(text);
  int64_t at = (next + 9) / 10 * 10; /* a line's beginning is where its number says */
  text = read_log("k1", "log", at, 10, &next);
  assert_int_equal(atoi(text), at / 10 + 1);
  free(text);
  for (next = 0; next < 20000000;) {
    int64_t from = next;
    text = read_log("k1", "log", from, 1 << 20, &next);
    assert_true(next > from);
    total += (int64_t)strlen(text);
    free(text);
  }
  assert_true(total <= 8 << 20 && total >= 7 << 20);
  text = read_log("k1", "log", next, 100, &next);
  assert_string_equal(text, "");
  assert_int_equal(next, 20000000);
  free(text);
  text = read_log("k1", "out", 0, 100, &next);
  assert_string_equal(text, "");
  free(text);
}

/* Is the text in any file below path? */
static bool is_on_disk(const char *path, const char *text) {
  char *command = orr__strf("grep -rqF -e '%s' %s", text, path);
  int status = system(command);
  free(command);
  return status == 0;
}

static void test_job__secrets_are_not_on_disk(void **state) {
  (void)state;
  struct seen seen;
  const char *argv[] = { "sh", "-c", "read -r x; echo got ${#x} ${#P}; while :; do sleep 100; done", NULL };
  const char *env[] = { "P=envsecret-2", NULL };
  start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv, .env = env, .input = "inputsecret-1\n",
                          .input_len = 14, .grace_ms = 100 }, &seen);
  await_log("k1", "got 13 11\n");
  char command_line[4096] = "";
  char *path = orr__strf("/proc/%d/cmdline", (int)pid_of("k1", "runner="));
  int fd = open(path, O_RDONLY);
  free(path);
  ssize_t n = read(fd, command_line, sizeof command_line - 1);
  close(fd);
  assert_true(n > 0);
  for (ssize_t i = 0; i < n; i++)
    if (command_line[i] == '\0') command_line[i] = ' ';
  assert_null(strstr(command_line, "secret"));
  put_file("k1", "probe", "probe-3");
  assert_true(is_on_disk(dir, "probe-3"));
  assert_false(is_on_disk(dir, "secret-"));
  assert_int_equal(orr__job_cancel(jobs, "k1", "main", NULL), 0);
  step_until(&ended, 1);
  assert_false(is_on_disk(dir, "secret-"));
  char *spec = get_file("k1", "spec");
  assert_non_null(strstr(spec, "arg=sh\narg=-c\n"));
  free(spec);
}

static void test_job__bad_keys_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "../x", "a b", "a\n", "\xc3\xa9" };
  char long_name[102];
  struct seen seen = { 0 };
  orr__job_status status;
  const char *argv[] = { "true", NULL };
  memset(long_name, 'a', 101);
  long_name[101] = '\0';
  for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
    const char *name = i < sizeof bad / sizeof *bad ? bad[i] : long_name;
    orr__job_spec spec = { .key = name, .name = "main", .argv = argv };
    assert_int_equal(orr__job_start(jobs, &spec, keep, &seen, NULL), ORR_E_INVALID);
    spec = (orr__job_spec){ .key = "k1", .name = name, .argv = argv };
    assert_int_equal(orr__job_start(jobs, &spec, keep, &seen, NULL), ORR_E_INVALID);
    assert_int_equal(orr__job_poll(jobs, name, "main", &status, NULL), ORR_E_INVALID);
    assert_int_equal(orr__job_cancel(jobs, "k1", name, NULL), ORR_E_INVALID);
    assert_int_equal(orr__job_remove(jobs, name, NULL), ORR_E_INVALID);
  }
  assert_int_equal(orr__job_poll(jobs, NULL, "main", &status, NULL), ORR_E_INVALID);
  char *text;
  size_t len;
  int64_t next;
  assert_int_equal(orr__job_read(jobs, "k1", "main", "spec", 0, 10, &text, &len, &next, NULL), ORR_E_INVALID);
  assert_int_equal(orr__job_read(jobs, "k1", "main", "log", 0, 10, &text, &len, &next, NULL), ORR_E_NOT_FOUND);
  assert_int_equal(seen.started, 0);
}

static void test_job__remove_is_refused_while_one_runs(void **state) {
  (void)state;
  struct seen seen;
  char **names = NULL;
  start_sh("k1", "while :; do sleep 100; done", &seen);
  assert_int_equal(orr__job_list(jobs, "k1", &names, NULL), 0);
  assert_string_equal(names[0], "main");
  assert_null(names[1]);
  free(names[0]);
  free(names);
  assert_int_equal(orr__job_remove(jobs, "k1", NULL), ORR_E_REFUSED);
  assert_int_equal(orr__job_cancel(jobs, "k1", "main", NULL), 0);
  step_until(&ended, 1);
  assert_int_equal(orr__job_remove(jobs, "k1", NULL), 0);
  assert_int_equal(orr__job_remove(jobs, "k1", NULL), 0);
  assert_int_equal(poll_job("k1").state, ORR_JOB_ABSENT);
  assert_int_equal(orr__job_list(jobs, "k1", &names, NULL), 0);
  assert_null(names[0]);
  free(names);
  start_sh("k1", "exit 9", &seen); /* as if for the first time */
  step_until(&ended, 2);
  assert_int_equal(poll_job("k1").exit_code, 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(begins_what_provably_never_began), CASE(a_start_in_flight_is_waited_for),
    CASE(is_lost_although_somebody_has_its_process_id),
    CASE(without_its_lock_has_no_state_before_its_end), CASE(a_damaged_exit_is_lost_with_a_clear_message), CASE(log_is_capped_and_offsets_stay_valid),
    CASE(secrets_are_not_on_disk), CASE(bad_keys_are_refused), CASE(remove_is_refused_while_one_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
