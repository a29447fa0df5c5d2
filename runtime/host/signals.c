/* The self-pipe of signals.h. */
#include "host/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int pipe_fds[2] = {-1, -1};
static int counted, hangups;
static int spares_hangup;

static void on_signal(int number) {
  int saved = errno;
  char byte = (char)number;
  ssize_t written = write(pipe_fds[1], &byte, 1);
  (void)written; /* a full pipe has told already */
  errno = saved;
}

static void on_broken_pipe(int number) {
  (void)number; /* write says EPIPE */
}

int orr__signals_open(int *ret_fd, orr_error *reterr) {
  if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) return orr__error_errno(reterr, ORR_E_IO, errno, "a pipe for signals");
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_broken_pipe;
  sigaction(SIGPIPE, &action, NULL);
  action.sa_handler = on_signal;
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
    struct sigaction before; /* nohup has SIGHUP ignored, and means it */
    if (caught[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(caught[i], &action, NULL);
  }
  *ret_fd = pipe_fds[0];
  return 0;
}

static void take(void) {
  char bytes[64];
  ssize_t got;
  while ((got = read(pipe_fds[0], bytes, sizeof bytes)) > 0) {
    for (ssize_t i = 0; i < got; i++) {
      if (spares_hangup && bytes[i] == SIGHUP) hangups++;
      else counted++;
    }
  }
}

int orr__signals_count(void) {
  take();
  return counted;
}

void orr__signals_spare_hangup(void) {
  spares_hangup = 1;
}

int orr__signals_hangups(void) {
  take();
  return hangups;
}
