/* Local jobs against real programs of the base system, each in a directory of its own. Nothing here sleeps: the
 * loop is stepped until what is awaited has come. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "port/job.h"

#define LIMIT_MS 30000

struct seen {
  int started, code;
  orr__job_status status;
  char message[256];
};

static orr__loop *loop;
static orr__jobs *jobs;
static char dir[64];
static int ended;
static char ended_as[256];

static void on_ended(void *arg, const char *key, const char *name) {
  assert_ptr_equal(arg, &ended);
  ended++;
  snprintf(ended_as, sizeof ended_as, "%s/%s", key, name);
}

static void open_jobs(void) {
  orr_error err = ORR_ERROR_INIT;
  if (orr__loop_new(&loop, NULL) < 0) fail();
  if (orr__jobs_new(loop, dir, ORR_TEST_RUNNER, on_ended, &ended, &jobs, &err) < 0)
    fail_msg("%s", orr__error_message(&err));
}

static void close_jobs(void) {
  orr__jobs_free(jobs);
  orr__loop_free(loop);
  jobs = NULL;
  loop = NULL;
}

static int setup(void **state) {
  (void)state;
  strcpy(dir, "/tmp/orrery-test-job-XXXXXX");
  if (!mkdtemp(dir)) return -1;
  ended = 0;
  open_jobs();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  char command[128];
  close_jobs();
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command);
}

static void keep(void *arg, int code, const orr__job_status *status, const char *message) {
  struct seen *seen = arg;
  seen->started++;
  seen->code = code;
  seen->status = *status;
  snprintf(seen->message, sizeof seen->message, "%s", message ? message : "");
  assert_true((code == 0) == (message == NULL));
}

static void step_until(const int *count, int wanted) {
  for (int64_t end = orr__loop_mono_ms(loop) + LIMIT_MS; *count < wanted && orr__loop_mono_ms(loop) < end;)
    orr__loop_step(loop, 1000);
  assert_int_equal(*count, wanted);
}

static void start(const orr__job_spec *spec, struct seen *seen) {
  orr_error err = ORR_ERROR_INIT;
  *seen = (struct seen){ 0 };
  if (orr__job_start(jobs, spec, keep, seen, &err) < 0) fail_msg("%s", orr__error_message(&err));
  assert_int_equal(seen->started, 0); /* never from inside */
  step_until(&seen->started, 1);
}

static void start_sh(const char *key, const char *script, struct seen *seen) {
  const char *argv[] = { "sh", "-c", script, NULL };
  start(&(orr__job_spec){ .key = key, .name = "main", .argv = argv, .grace_ms = 300 }, seen);
}

static orr__job_status poll_job(const char *key) {
  orr__job_status status;
  orr_error err = ORR_ERROR_INIT;
  if (orr__job_poll(jobs, key, "main", &status, &err) < 0) fail_msg("%s", orr__error_message(&err));
  return status;
}

static char *read_log(const char *key, const char *stream, int64_t from, size_t max, int64_t *next) {
  char *text = NULL;
  size_t len;
  orr_error err = ORR_ERROR_INIT;
  if (orr__job_read(jobs, key, "main", stream, from, max, &text, &len, next, &err) < 0)
    fail_msg("%s", orr__error_message(&err));
  return text;
}

static void await_log(const char *key, const char *wanted) {
  bool is_there = false;
  for (int i = 0; i < 3000 && !is_there; i++) {
    int64_t next;
    char *text = read_log(key, "log", 0, 1000, &next);
    is_there = strstr(text, wanted) != NULL;
    free(text);
    poll(NULL, 0, is_there ? 0 : 10);
  }
  assert_true(is_there);
}

static void put_file(const char *key, const char *file, const char *text) {
  char *path = orr__strf("%s/%s/main/%s", dir, key, file);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
  free(path);
}

static char *get_file(const char *key, const char *file) {
  char *path = orr__strf("%s/%s/main/%s", dir, key, file), *text = NULL;
  orr__file_read(path, 1 << 20, &text, NULL, NULL);
  free(path);
  return text;
}

static pid_t pid_of(const char *key, const char *who) {
  char *path = orr__strf("%s/%s/main/begun", dir, key), line[128];
  FILE *f = fopen(path, "r");
  pid_t pid = 0;
  assert_non_null(f);
  while (pid == 0 && fgets(line, sizeof line, f))
    if (strncmp(line, who, strlen(who)) == 0) pid = (pid_t)atoi(line + strlen(who));
  fclose(f);
  free(path);
  assert_true(pid > 1);
  return pid;
}

static bool is_dead(pid_t pid) {
  int fd = pidfd_open(pid, 0);
  if (fd < 0) return errno == ESRCH;
  struct pollfd waited = { fd, POLLIN, 0 };
  int n = poll(&waited, 1, 5000);
  close(fd);
  return n == 1;
}

/* Until nobody holds the lock any more. */
static void await_lock(const char *key) {
  char *path = orr__strf("%s/%s/main/lock", dir, key);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_int_equal(flock(fd, LOCK_SH), 0);
  close(fd);
  free(path);
}

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
  const char *argv[] = { "sh", "-c", "trap '' TERM; while :; do sleep 100; done", NULL };
  start(&(orr__job_spec){ .key = "k1", .name = "main", .argv = argv, .timeout_ms = 200, .grace_ms = 100 }, &seen);
  step_until(&ended, 1);
  orr__job_status status = poll_job("k1");
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
  assert_true(orr__loop_mono_ms(loop) - before < 5000);
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

#define CASE(name) cmocka_unit_test_setup_teardown(test_job__##name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(runs_and_tells_its_end), CASE(keeps_stdout_apart_when_asked), CASE(says_what_signal_ended_it),
    CASE(start_is_idempotent), CASE(goes_on_without_us_and_is_adopted), CASE(outlives_the_death_of_its_host),
    CASE(ended_comes_for_a_watched_job_that_has_ended), CASE(cancel_ends_it_and_all_below), CASE(time_out_ends_it),
    CASE(is_lost_when_its_runner_is_killed), CASE(names_a_missing_program_each_time),
    CASE(begins_what_provably_never_began), CASE(a_start_in_flight_is_waited_for),
    CASE(a_damaged_exit_is_lost_with_a_clear_message), CASE(log_is_capped_and_offsets_stay_valid),
    CASE(secrets_are_not_on_disk), CASE(bad_keys_are_refused), CASE(remove_is_refused_while_one_runs),
    CASE(works_where_the_host_ignores_sigchld), CASE(ends_well_on_sigterm_to_its_runner),
    CASE(free_completes_a_start_in_flight),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
