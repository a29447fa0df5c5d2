/* What the tests of jobs share: a directory, a loop and orr__jobs on it per test, and a few ways to wait. Included by
 * each of them, because a .c file here would be linked into every test there is. */
#ifndef ORR_TEST_JOB_FIXTURE_H
#define ORR_TEST_JOB_FIXTURE_H

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

static inline void on_ended(void *arg, const char *key, const char *name) {
  assert_ptr_equal(arg, &ended);
  ended++;
  snprintf(ended_as, sizeof ended_as, "%s/%s", key, name);
}

static inline void open_jobs(void) {
  orr_error err = ORR_ERROR_INIT;
  if (orr__loop_new(NULL, NULL, &loop, NULL) < 0) fail();
  if (orr__jobs_new(loop, dir, ORR_TEST_RUNNER, on_ended, &ended, &jobs, &err) < 0)
    fail_msg("%s", orr__error_message(&err));
}

static inline void close_jobs(void) {
  orr__jobs_free(jobs);
  orr__loop_free(loop);
  jobs = NULL;
  loop = NULL;
}

static inline int setup(void **state) {
  (void)state;
  strcpy(dir, "/tmp/orrery-test-job-XXXXXX");
  if (!mkdtemp(dir)) return -1;
  ended = 0;
  open_jobs();
  return 0;
}

static inline int teardown(void **state) {
  (void)state;
  char command[128];
  close_jobs();
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command);
}

static inline void keep(void *arg, int code, const orr__job_status *status, const char *message) {
  struct seen *seen = arg;
  seen->started++;
  seen->code = code;
  seen->status = *status;
  snprintf(seen->message, sizeof seen->message, "%s", message ? message : "");
  assert_true((code == 0) == (message == NULL));
}

static inline void step_until(const int *count, int wanted) {
  for (int64_t end = orr__loop_mono_ms(loop) + LIMIT_MS; *count < wanted && orr__loop_mono_ms(loop) < end;)
    orr__loop_step(loop, 1000);
  assert_int_equal(*count, wanted);
}

static inline void start(const orr__job_spec *spec, struct seen *seen) {
  orr_error err = ORR_ERROR_INIT;
  *seen = (struct seen){ 0 };
  if (orr__job_start(jobs, spec, keep, seen, &err) < 0) fail_msg("%s", orr__error_message(&err));
  assert_int_equal(seen->started, 0); /* never from inside */
  step_until(&seen->started, 1);
}

static inline void start_sh(const char *key, const char *script, struct seen *seen) {
  const char *argv[] = { "sh", "-c", script, NULL };
  start(&(orr__job_spec){ .key = key, .name = "main", .argv = argv, .grace_ms = 300 }, seen);
}

static inline orr__job_status poll_job(const char *key) {
  orr__job_status status;
  orr_error err = ORR_ERROR_INIT;
  if (orr__job_poll(jobs, key, "main", &status, &err) < 0) fail_msg("%s", orr__error_message(&err));
  return status;
}

static inline char *read_log(const char *key, const char *stream, int64_t from, size_t max, int64_t *next) {
  char *text = NULL;
  size_t len;
  orr_error err = ORR_ERROR_INIT;
  if (orr__job_read(jobs, key, "main", stream, from, max, &text, &len, next, &err) < 0)
    fail_msg("%s", orr__error_message(&err));
  return text;
}

static inline void await_log(const char *key, const char *wanted) {
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

static inline void put_file(const char *key, const char *file, const char *text) {
  char *path = orr__strf("%s/%s/main/%s", dir, key, file);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
  free(path);
}

static inline char *get_file(const char *key, const char *file) {
  char *path = orr__strf("%s/%s/main/%s", dir, key, file), *text = NULL;
  orr__file_read(path, 1 << 20, &text, NULL, NULL);
  free(path);
  return text;
}

static inline pid_t pid_of(const char *key, const char *who) {
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

static inline bool is_dead(pid_t pid) {
  int fd = pidfd_open(pid, 0);
  if (fd < 0) return errno == ESRCH;
  struct pollfd waited = { fd, POLLIN, 0 };
  int n = poll(&waited, 1, LIMIT_MS);
  close(fd);
  return n == 1;
}

/* Until nobody holds the lock any more. */
static inline void await_lock(const char *key) {
  char *path = orr__strf("%s/%s/main/lock", dir, key);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_int_equal(flock(fd, LOCK_SH), 0);
  close(fd);
  free(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_job__##name, setup, teardown)

#endif
