/* A measurement in a child process, its values through a pipe. */
#include "child.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

_Bool bench_child(void (*measure)(void *arg, double values[CHILD_VALUES]), void *arg, double values[CHILD_VALUES]) {
  int fds[2];
  size_t size = CHILD_VALUES * sizeof *values;
  memset(values, 0, size);
  fflush(NULL);
  if (pipe(fds)) return false;
  pid_t pid = fork();
  if (pid == 0) {
    measure(arg, values);
    fflush(NULL);
    _exit(write(fds[1], values, size) == (ssize_t)size ? 0 : 3);
  }
  close(fds[1]);
  bool is_whole = pid > 0 && read(fds[0], values, size) == (ssize_t)size;
  close(fds[0]);
  if (pid > 0) waitpid(pid, NULL, 0);
  return is_whole;
}
