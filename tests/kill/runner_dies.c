/* A job runner that dies at its n-th call: linked with the runner's own sources, whose calls of the system go through here first
 * (--wrap). What is left of a job at each of these points is looked at by test_port_job_kills.c and runner_kills_spec.lua.
 *
 *   ORRERY_DIE_AT     before which call the runner ends itself by SIGKILL, from 1; 0 or none: it does not
 *   ORRERY_COUNT_TO   a file into which it writes how many there were, if it got to its end
 *
 * Of the processes that it becomes only the one that sees to the tool counts: not who starts it, not its keeper, not the tool. Where a
 * call is, so is a kill between any two of them. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DETACH = 1, KEEP, TOOL }; /* its forks, in order */

static int calls, forks;
static bool is_other; /* not the process that counts */

static void count(void) {
  const char *at = getenv("ORRERY_DIE_AT");
  if (is_other || !at || ++calls != atoi(at)) return;
  kill(getpid(), SIGKILL);
}

#define WRAP(type, name, params, args) \
  type __real_##name params;           \
  type __wrap_##name params;           \
  type __wrap_##name params {          \
    count();                           \
    return __real_##name args;         \
  }

WRAP(ssize_t, read, (int fd, void *bytes, size_t len), (fd, bytes, len))
WRAP(ssize_t, write, (int fd, const void *bytes, size_t len), (fd, bytes, len))
WRAP(ssize_t, recv, (int fd, void *bytes, size_t len, int flags), (fd, bytes, len, flags))
WRAP(ssize_t, send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags))
WRAP(int, poll, (struct pollfd *fds, nfds_t len, int ms), (fds, len, ms))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, renameat, (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to))
WRAP(int, faccessat, (int dir, const char *name, int mode, int flags), (dir, name, mode, flags))
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(int, close, (int fd), (fd))
WRAP(pid_t, waitpid, (pid_t pid, int *status, int flags), (pid, status, flags))

int __real_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  count();
  return __real_openat(dir, name, flags, mode);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void) {
  count();
  pid_t pid = __real_fork();
  if (is_other) return pid;
  forks++;
  is_other = forks == TOOL ? pid == 0 : pid > 0;
  return pid;
}

void __real__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code) {
  const char *to = getenv("ORRERY_COUNT_TO");
  FILE *file = is_other || !to ? NULL : fopen(to, "w");
  if (file) {
    fprintf(file, "%d\n", calls);
    fclose(file);
  }
  __real__exit(code);
}
