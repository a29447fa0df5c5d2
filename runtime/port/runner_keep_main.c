/* Job runner: its keeper, the process above it. Does nothing while the runner lives. When the runner is killed,
 * its tool dies with it (PDEATHSIG), but what the tool had started would be nobody's: it comes to the keeper, a
 * subreaper, which ends it. Holds a job's lock until then, so that a lost job has nothing left that runs.
 * Without it (the keeper killed, or no process to be had) everything else works the same. A job's file `kept` is locked
 * while runner or keeper lives, and not by the tool: when both are killed at once, the library sees by it that what holds the other
 * lock is nobody's (job_strays.c). Has a name of its own, so that who kills all runners by theirs spares it. Does not know what the runner does. */
#include "port/runner.h"
#include "port/runner_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_TIMES 200
#define KILL_AGAIN_MS 50

static void end_orphans(void) {
  struct timespec pause = { 0, KILL_AGAIN_MS * 1000000L };
  for (int i = 0; i < KILL_TIMES; i++) {
    orr__runner_signal_all(0, SIGKILL);
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) continue;
    if (pid < 0 && errno == ECHILD) return;
    nanosleep(&pause, NULL);
  }
}

/* Never closed but by the end of both; not what the tool inherits. Without it nothing is known, and nothing done. */
static void lock_kept(void) {
  int fd = openat(ORR_RUNNER_DIR, ORR_JOB_KEPT, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) close(fd);
}

void orr__runner_keep(bool is_detached) {
  int status = 0;
  if (is_detached) lock_kept();
  prctl(PR_SET_CHILD_SUBREAPER, 1); /* not inherited: the runner asks for itself */
  pid_t pid, runner = fork();
  if (runner <= 0) return;
  prctl(PR_SET_NAME, "orrery-keeper");
  for (int fd = 0; fd < ORR_RUNNER_FDS; fd++)
    if (!is_detached || fd != ORR_RUNNER_LOCK) close(fd);
  while ((pid = waitpid(-1, &status, 0)) != runner)
    if (pid < 0 && errno != EINTR) break;
  if (pid == runner && WIFSIGNALED(status)) end_orphans();
  _exit(0);
}
