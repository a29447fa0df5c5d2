/* Attached children against real programs of the base system. Nothing here sleeps: the loop is stepped until the
 * completion is there, and the death of a process is waited for by pid descriptor. */
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
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "port/process.h"

#define LIMIT_MS 60000

struct reply {
  int count, code, exit_code, signal;
  char message[256];
  char *out, *err;
  size_t out_len, err_len;
  bool is_truncated;
};

static orr__loop *loop;
static orr__processes *processes;

static int setup(void **state) {
  (void)state;
  if (orr__loop_new(NULL, NULL, &loop, NULL) < 0) return -1;
  return orr__processes_new(loop, ORR_TEST_RUNNER, &processes, NULL);
}

static int teardown(void **state) {
  (void)state;
  orr__processes_free(processes);
  orr__loop_free(loop);
  return 0;
}

static void keep(void *arg, const orr__process_reply *reply) {
  struct reply *kept = arg;
  kept->count++;
  kept->code = reply->code;
  kept->exit_code = reply->exit_code;
  kept->signal = reply->signal;
  snprintf(kept->message, sizeof kept->message, "%s", reply->message ? reply->message : "");
  kept->out = malloc(reply->out_len + 1);
  kept->err = malloc(reply->err_len + 1);
  memcpy(kept->out, reply->out, reply->out_len + 1);
  memcpy(kept->err, reply->err, reply->err_len + 1);
  kept->out_len = reply->out_len;
  kept->err_len = reply->err_len;
  kept->is_truncated = reply->is_truncated;
}

static void forget(struct reply *kept) {
  free(kept->out);
  free(kept->err);
  *kept = (struct reply){ 0 };
}

static void step_until(orr__loop *on, const int *count) {
  for (int64_t end = orr__loop_mono_ms(on) + LIMIT_MS; *count == 0 && orr__loop_mono_ms(on) < end;)
    orr__loop_step(on, 1000);
  assert_int_equal(*count, 1);
}

static uint64_t begin(const orr__process_spec *spec, struct reply *kept) {
  uint64_t id = 0;
  orr_error err = ORR_ERROR_INIT;
  *kept = (struct reply){ 0 };
  if (orr__process_start(processes, spec, keep, kept, &id, &err) < 0) fail_msg("%s", orr__error_message(&err));
  assert_int_equal(kept->count, 0); /* never from inside */
  return id;
}

static struct reply run(const orr__process_spec *spec) {
  struct reply kept;
  begin(spec, &kept);
  step_until(loop, &kept.count);
  return kept;
}

static struct reply run_sh(const char *script) {
  const char *argv[] = { "sh", "-c", script, NULL };
  return run(&(orr__process_spec){ .argv = argv });
}

/* Its time is up when it has printed that many lines: on a busy machine it is given more of it. */
static struct reply time_out_sh(const char *script, int lines, int64_t grace_ms) {
  const char *argv[] = { "sh", "-c", script, NULL };
  for (int64_t timeout_ms = 200;; timeout_ms *= 4) {
    char expected[64];
    struct reply reply = run(&(orr__process_spec){ .argv = argv, .timeout_ms = timeout_ms, .grace_ms = grace_ms });
    int printed = 0;
    for (const char *c = reply.out; *c; c++) printed += *c == '\n';
    assert_int_equal(reply.code, ORR_E_TIMEOUT);
    snprintf(expected, sizeof expected, "sh: timed out after %d ms", (int)timeout_ms);
    assert_string_equal(reply.message, expected);
    if (printed >= lines || timeout_ms > LIMIT_MS) return reply;
    forget(&reply);
  }
}

/* Waits for it, at most a while. */
static bool is_dead(pid_t pid) {
  int fd = pidfd_open(pid, 0);
  if (fd < 0) return errno == ESRCH;
  struct pollfd waited = { fd, POLLIN, 0 };
  int n = poll(&waited, 1, LIMIT_MS);
  close(fd);
  return n == 1;
}

static void test_process__takes_both_streams_and_the_exit_code(void **state) {
  (void)state;
  struct reply reply = run_sh("printf one; printf two >&2; exit 7");
  assert_int_equal(reply.code, 0);
  assert_int_equal(reply.exit_code, 7);
  assert_int_equal(reply.signal, 0);
  assert_string_equal(reply.out, "one");
  assert_string_equal(reply.err, "two");
  assert_false(reply.is_truncated);
  forget(&reply);
}

static void test_process__gives_all_of_the_input(void **state) {
  (void)state;
  size_t len = 3 << 20;
  char *input = malloc(len);
  for (size_t i = 0; i < len; i++) input[i] = (char)(i * 7 + i / 251);
  const char *argv[] = { "cat", NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv, .input = input, .input_len = len });
  assert_int_equal(reply.out_len, len);
  assert_memory_equal(reply.out, input, len);
  forget(&reply);
  reply = run(&(orr__process_spec){ .argv = argv });
  assert_int_equal(reply.out_len, 0);
  assert_int_equal(reply.exit_code, 0);
  forget(&reply);
  free(input);
}

static void test_process__reports_the_signal_that_ended_it(void **state) {
  (void)state;
  struct reply reply = run_sh("kill -SEGV $$");
  assert_int_equal(reply.code, 0);
  assert_int_equal(reply.exit_code, -1);
  assert_int_equal(reply.signal, SIGSEGV);
  forget(&reply);
}

static void test_process__names_a_program_that_is_missing(void **state) {
  (void)state;
  const char *argv[] = { "orrery-no-such-tool", NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv });
  assert_int_equal(reply.code, ORR_E_NO_PROGRAM);
  assert_string_equal(reply.message, "orrery-no-such-tool: not found");
  forget(&reply);
  argv[0] = "/nowhere/restic";
  reply = run(&(orr__process_spec){ .argv = argv });
  assert_int_equal(reply.code, ORR_E_NO_PROGRAM);
  assert_string_equal(reply.message, "/nowhere/restic: not found (Debian package restic)");
  forget(&reply);
  argv[0] = "/etc/passwd";
  reply = run(&(orr__process_spec){ .argv = argv });
  assert_int_equal(reply.code, ORR_E_NO_PROGRAM);
  assert_string_equal(reply.message, "/etc/passwd: cannot be executed: Permission denied");
  forget(&reply);
}

/* Root may look into it all the same; the others may not, and get the same answer. */
static void test_process__a_closed_folder_of_path_does_not_hide_that_a_program_is_missing(void **state) {
  (void)state;
  char folder[] = "/tmp/orr-path-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char *before = orr__strdup(getenv("PATH")), *path = orr__strf("%s:%s", folder, before);
  chmod(folder, 0);
  setenv("PATH", path, 1);
  const char *argv[] = { "orrery-no-such-tool", NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv });
  setenv("PATH", before, 1);
  assert_string_equal(reply.message, "orrery-no-such-tool: not found");
  forget(&reply);
  rmdir(folder);
  free(before);
  free(path);
}

static void test_process__names_a_directory_that_is_missing(void **state) {
  (void)state;
  const char *argv[] = { "true", NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv, .cwd = "/nowhere" });
  assert_int_equal(reply.code, ORR_E_IO);
  assert_string_equal(reply.message, "/nowhere: No such file or directory");
  forget(&reply);
  argv[0] = "pwd";
  reply = run(&(orr__process_spec){ .argv = argv, .cwd = "/usr" });
  assert_string_equal(reply.out, "/usr\n");
  forget(&reply);
  reply = run(&(orr__process_spec){ .argv = argv });
  assert_string_equal(reply.out, "/\n");
  forget(&reply);
}

static void test_process__gives_exactly_the_environment(void **state) {
  (void)state;
  const char *argv[] = { "env", NULL };
  const char *env[] = { "SECRET=a b\nc", "X=", NULL };
  const char *none[] = { NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv, .env = env });
  assert_string_equal(reply.out, "SECRET=a b\nc\nX=\n");
  forget(&reply);
  reply = run(&(orr__process_spec){ .argv = argv, .env = none });
  assert_string_equal(reply.out, "");
  forget(&reply);
  setenv("ORR_TEST_OURS", "must not be seen", 1);
  reply = run(&(orr__process_spec){ .argv = argv });
  assert_non_null(strstr(reply.out, "PATH="));
  assert_null(strstr(reply.out, "ORR_TEST_OURS"));
  forget(&reply);
}

static void test_process__inherits_no_descriptor_signal_mask_or_session(void **state) {
  (void)state;
  int leak = open("/dev/null", O_RDONLY); /* without CLOEXEC, as hosts do */
  int high = fcntl(leak, F_DUPFD, 200);
  sigset_t mask, old;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  sigprocmask(SIG_BLOCK, &mask, &old);
  void (*old_pipe)(int) = signal(SIGPIPE, SIG_IGN);
  struct reply reply = run_sh("for fd in $(seq 3 300); do [ -e /proc/$$/fd/$fd ] && printf '%s ' $fd; done; echo;"
                              "grep -E 'Sig(Blk|Ign)' /proc/self/status; cut -d' ' -f6 /proc/$$/stat; echo $$");
  signal(SIGPIPE, old_pipe);
  sigprocmask(SIG_SETMASK, &old, NULL);
  close(high);
  close(leak);
  char session[32], pid[32];
  unsigned long blocked = 1, ignored = 1;
  assert_int_equal(reply.out[0], '\n'); /* no descriptor but 0, 1, 2 */
  assert_int_equal(sscanf(reply.out, " SigBlk: %lx SigIgn: %lx %31s %31s", &blocked, &ignored, session, pid), 4);
  assert_int_equal(blocked, 0);
  assert_int_equal(ignored & ~(3ul << 31), 0); /* glibc's own two come so from any posix_spawn */
  assert_string_equal(session, pid);
  forget(&reply);
}

static void test_process__works_where_the_host_ignores_sigchld(void **state) {
  (void)state;
  struct sigaction ignore = { .sa_handler = SIG_IGN }, before, now;
  sigaction(SIGCHLD, &ignore, &before);
  struct reply reply = run_sh("true | false; exit 3");
  sigaction(SIGCHLD, &before, &now);
  assert_true(now.sa_handler == SIG_IGN);
  assert_int_equal(reply.code, 0);
  assert_int_equal(reply.exit_code, 3);
  forget(&reply);
}

static void test_process__leaves_no_zombie(void **state) {
  (void)state;
  struct reply reply = run_sh("true");
  forget(&reply);
  orr__processes_free(processes);
  processes = NULL;
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

static void test_process__time_out_ends_it_and_all_below(void **state) {
  (void)state;
  struct reply reply = time_out_sh("setsid sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 100; done\" & "
                                   "sleep 100 & echo $!; wait", 2, 200);
  assert_int_equal(reply.signal, SIGTERM);
  int first = 0, second = 0;
  assert_int_equal(sscanf(reply.out, "%d %d", &first, &second), 2);
  assert_int_equal(kill(first, 0), -1);
  assert_int_equal(kill(second, 0), -1);
  forget(&reply);
}

static void test_process__time_out_kills_what_ignores_term(void **state) {
  (void)state;
  struct reply reply = time_out_sh("trap '' TERM; echo up; while :; do sleep 100; done", 1, 100);
  assert_int_equal(reply.signal, SIGKILL);
  assert_string_equal(reply.out, "up\n");
  forget(&reply);
}

static void test_process__abort_completes_with_cancelled_once(void **state) {
  (void)state;
  struct reply kept;
  const char *argv[] = { "sh", "-c", "trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done", NULL };
  uint64_t id = begin(&(orr__process_spec){ .argv = argv }, &kept);
  orr__process_abort(processes, id);
  orr__process_abort(processes, id);
  orr__process_abort(processes, id + 1);
  step_until(loop, &kept.count);
  assert_int_equal(kept.code, ORR_E_CANCELLED);
  orr__process_abort(processes, id);
  orr__loop_step(loop, 0);
  assert_int_equal(kept.count, 1);
  forget(&kept);
}

/* The runner leaves without having read all we said, and we look only then. */
static void test_process__a_late_look_finds_the_report(void **state) {
  (void)state;
  struct reply kept;
  siginfo_t info;
  const char *argv[] = { "sleep", "100", NULL };
  uint64_t id = begin(&(orr__process_spec){ .argv = argv }, &kept);
  for (int i = 0; i < 50; i++) orr__process_abort(processes, id);
  assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
  step_until(loop, &kept.count);
  assert_int_equal(kept.code, ORR_E_CANCELLED);
  forget(&kept);
}

static void test_process__drops_output_beyond_the_limit(void **state) {
  (void)state;
  const char *argv[] = { "sh", "-c", "head -c 5000000 /dev/zero; echo end >&2", NULL };
  struct reply reply = run(&(orr__process_spec){ .argv = argv, .max_output = 100000 });
  assert_int_equal(reply.code, 0);
  assert_int_equal(reply.exit_code, 0);
  assert_int_equal(reply.out_len, 100000);
  assert_string_equal(reply.err, "end\n");
  assert_true(reply.is_truncated);
  forget(&reply);
}

static void test_process__ends_what_the_tool_left_behind(void **state) {
  (void)state;
  struct reply reply = run_sh("setsid sleep 100 & echo $!");
  assert_int_equal(reply.code, 0);
  assert_int_equal(kill((pid_t)atoi(reply.out), 0), -1);
  forget(&reply);
}

static void test_process__free_completes_and_ends_what_runs(void **state) {
  (void)state;
  struct reply kept;
  char said[] = "/tmp/orr-said-XXXXXX";
  const char *argv[] = { "sh", "-c", "trap '' TERM; echo $$; rm \"$0\"; while :; do sleep 100; done", said, NULL };
  close(mkstemp(said));
  begin(&(orr__process_spec){ .argv = argv }, &kept);
  for (int64_t end = orr__loop_mono_ms(loop) + LIMIT_MS; access(said, F_OK) == 0 && orr__loop_mono_ms(loop) < end;) orr__loop_step(loop, 10);
  orr__processes_free(processes);
  processes = NULL;
  assert_int_equal(kept.count, 1);
  assert_int_equal(kept.code, ORR_E_CANCELLED);
  assert_true(atoi(kept.out) > 0);
  assert_true(is_dead((pid_t)atoi(kept.out)));
  forget(&kept);
}

static void test_process__our_death_ends_the_tool_and_all_below(void **state) {
  (void)state;
  int pids[2], first = 0, second = 0;
  char text[64] = "", path[64];
  assert_int_equal(pipe(pids), 0);
  pid_t host = fork();
  if (host == 0) { /* its tool writes into our pipe, so that we know it is up */
    struct reply kept;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getppid(), pids[1]);
    const char *argv[] = { "sh", "-c", "setsid sleep 100 & echo $! $$ > \"$0\"; wait", path, NULL };
    orr__loop_free(loop);
    if (orr__loop_new(NULL, NULL, &loop, NULL) < 0 || orr__processes_new(loop, ORR_TEST_RUNNER, &processes, NULL) < 0) _exit(1);
    begin(&(orr__process_spec){ .argv = argv }, &kept);
    for (;;) orr__loop_step(loop, 1000);
  }
  assert_true(read(pids[0], text, sizeof text - 1) > 0);
  assert_int_equal(sscanf(text, "%d %d", &first, &second), 2);
  kill(host, SIGKILL);
  waitpid(host, NULL, 0);
  assert_true(is_dead(first));
  assert_true(is_dead(second));
  close(pids[0]);
  close(pids[1]);
}

/* The runner's own death: the tool goes with it and we learn of it. */
static void test_process__the_runners_death_is_an_error(void **state) {
  (void)state;
  struct reply reply = run_sh("sleep 100 & echo $!; kill -9 $PPID; sleep 100");
  assert_int_equal(reply.code, ORR_E_IO);
  assert_string_equal(reply.message, "sh: its job runner died");
  assert_true(is_dead((pid_t)atoi(reply.out)));
  forget(&reply);
}

static void test_process__refuses_at_once_what_cannot_be(void **state) {
  (void)state;
  struct reply kept = { 0 };
  orr_error err = ORR_ERROR_INIT;
  const char *none[] = { NULL }, *argv[] = { "true", NULL }, *env[] = { "no equals sign", NULL };
  orr__process_spec spec = { .argv = none };
  assert_int_equal(orr__process_start(processes, &spec, keep, &kept, NULL, &err), ORR_E_INVALID);
  spec = (orr__process_spec){ .argv = argv, .env = env };
  assert_int_equal(orr__process_start(processes, &spec, keep, &kept, NULL, &err), ORR_E_INVALID);
  assert_null(strstr(orr__error_message(&err), "no equals sign")); /* it may be a secret */
  orr__processes_free(processes);
  assert_int_equal(orr__processes_new(loop, "/nowhere/orrery-runner", &processes, NULL), 0);
  spec.env = NULL;
  assert_int_equal(orr__process_start(processes, &spec, keep, &kept, NULL, &err), ORR_E_NO_PROGRAM);
  assert_non_null(strstr(orr__error_message(&err), "/nowhere/orrery-runner"));
  assert_int_equal(kept.count, 0);
  orr__error_clear(&err);
}

static void test_process__is_in_flight_for_a_virtual_loop(void **state) {
  (void)state;
  orr__loop *virtual_loop;
  orr__processes *on_it;
  struct reply kept = { 0 };
  const char *argv[] = { "sh", "-c", "sleep 0.1; echo real", NULL };
  assert_int_equal(orr__loop_new_virtual(1000, &virtual_loop, NULL), 0);
  assert_int_equal(orr__processes_new(virtual_loop, ORR_TEST_RUNNER, &on_it, NULL), 0);
  orr__process_spec spec = { .argv = argv, .timeout_ms = 20000 };
  assert_int_equal(orr__process_start(on_it, &spec, keep, &kept, NULL, NULL), 0);
  step_until(virtual_loop, &kept.count);
  assert_string_equal(kept.out, "real\n");
  assert_int_equal(orr__loop_mono_ms(virtual_loop), 0);
  orr__processes_free(on_it);
  orr__loop_free(virtual_loop);
  forget(&kept);
}

static void test_process__finds_programs_and_their_packages(void **state) {
  (void)state;
  char *path = orr__program_find("sh");
  assert_non_null(path);
  assert_int_equal(path[0], '/');
  free(path);
  assert_null(orr__program_find("orrery-no-such-tool"));
  assert_null(orr__program_find("/etc"));
  assert_null(orr__program_find(""));
  path = orr__program_match("/*/bi*/sh");
  assert_non_null(path);
  assert_null(strchr(path, '*'));
  free(path);
  path = orr__program_match("sh");
  assert_non_null(path);
  free(path);
  assert_null(orr__program_match("/*/bin/orrery-no-such-tool"));
  assert_null(orr__program_match("/et*")); /* only folders */
  assert_null(orr__program_match("s*"));
  assert_string_equal(orr__program_package("restic"), "restic");
  assert_string_equal(orr__program_package("/usr/bin/pg_dump"), "postgresql-client");
  assert_null(orr__program_package("orrery-no-such-tool"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_process__##name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(takes_both_streams_and_the_exit_code), CASE(gives_all_of_the_input), CASE(reports_the_signal_that_ended_it),
    CASE(names_a_program_that_is_missing),
    CASE(a_closed_folder_of_path_does_not_hide_that_a_program_is_missing), CASE(names_a_directory_that_is_missing),
    CASE(gives_exactly_the_environment), CASE(inherits_no_descriptor_signal_mask_or_session),
    CASE(works_where_the_host_ignores_sigchld), CASE(leaves_no_zombie), CASE(time_out_ends_it_and_all_below),
    CASE(time_out_kills_what_ignores_term), CASE(abort_completes_with_cancelled_once),
    CASE(a_late_look_finds_the_report), CASE(drops_output_beyond_the_limit), CASE(ends_what_the_tool_left_behind),
    CASE(free_completes_and_ends_what_runs), CASE(our_death_ends_the_tool_and_all_below),
    CASE(the_runners_death_is_an_error), CASE(refuses_at_once_what_cannot_be),
    CASE(is_in_flight_for_a_virtual_loop), CASE(finds_programs_and_their_packages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
