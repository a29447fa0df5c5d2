/* The job runner: starts one tool, sees it to its end, and tells how it ended. A program of its own so that
 * the library needs no SIGCHLD, and so that a tool never outlives both its purpose and everybody who knows
 * of it. Started only by launch.c; runner.h is what the two say to each other.
 *
 *   attached   for process.h: the end is reported on the control socket; its closing ends the tool
 *   detached   for job.h: forks away from the library, writes output and end into the job directory, obeys
 *              its `cancel` file; holds the directory's lock until the last word is on disk
 *
 *            time is up, asked to, library gone (attached), job directory gone (detached), SIGTERM
 *   RUN ────────────────────────────────────────────────────────────► TERM ── grace is over ──► KILL
 *    └── the tool has ended, what it left behind did not within 1 s ──►┘                        (repeated)
 *
 * Above it is a keeper (runner_keep_main.c), for when it is killed itself.
 *
 * In every state: once no process is left below us, finish. After GIVE_UP_MS of KILL leftovers (an
 * uninterruptible one, one of another user) are left alone; a job's tool itself never is, because its lock
 * says that it runs. Knows nothing of backups, and keeps neither environment nor input. */
#include "base/error.h"
#include "port/runner.h"
#include "port/runner_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEFTOVER_MS 1000  /* what outlives its tool may end by itself (a `>(filter)`), then is asked to */
#define GIVE_UP_MS 10000
#define KILL_AGAIN_MS 50
#define CANCEL_POLL_MS 200 /* without inotify */
#define DIR_LOOK_MS 2000   /* is the job directory still there? inotify does not tell while we have it open */
#define EXIT_TRIES 60      /* a second apart: a full disk may get room */

enum phase { RUN, TERM, KILL };

struct runner {
  bool is_detached;
  int control, dir, lock, signals, notify;
  orr__runner_tool tool;
  orr__runner_log log, out;
  int log_pipe, out_pipe; /* read ends, -1 when at their end */
  enum phase phase;
  bool is_tool_done, is_alone;
  int wait_status;
  int64_t timeout_at, leftover_at, kill_at, again_at, give_up_at; /* monotonic; valid in their phase */
  const char *because; /* why it was ended, if the end should say so */
  orr__runner_end end;
};

/* ---- ending the tool ---- */

static void end_tool(struct runner *run, int64_t grace_ms) {
  if (run->phase != RUN) return;
  run->phase = TERM;
  run->kill_at = orr__runner_mono_ms() + grace_ms;
  orr__runner_signal_all(run->is_tool_done ? 0 : run->tool.pid, SIGTERM);
}

static void kill_tool(struct runner *run, int64_t now) {
  if (run->phase != KILL) run->give_up_at = now + GIVE_UP_MS;
  run->phase = KILL;
  run->again_at = now + KILL_AGAIN_MS;
  orr__runner_signal_all(run->is_tool_done ? 0 : run->tool.pid, SIGKILL);
}

static void cancel(struct runner *run) {
  if (run->is_tool_done || run->phase != RUN) return;
  run->end.is_cancelled = true;
  end_tool(run, run->tool.grace_ms);
}

static void keep_time(struct runner *run) {
  int64_t now = orr__runner_mono_ms();
  /* Without its directory nobody can find, wait for or cancel the job, nor learn how it ended. */
  bool is_unknown = run->is_detached && run->phase == RUN && !run->is_tool_done && orr__runner_is_dir_gone(run->dir);
  if (is_unknown) end_tool(run, run->tool.grace_ms);
  if (run->phase == RUN && run->is_tool_done && now >= run->leftover_at) {
    end_tool(run, LEFTOVER_MS);
  } else if (run->phase == RUN && !run->is_tool_done && run->timeout_at && now >= run->timeout_at) {
    run->end.is_timed_out = true;
    run->because = "timed out";
    end_tool(run, run->tool.grace_ms);
  }
  if ((run->phase == TERM && now >= run->kill_at) || (run->phase == KILL && now >= run->again_at)) kill_tool(run, now);
}

static int wait_ms(const struct runner *run) {
  int64_t at = 0, now = orr__runner_mono_ms();
  switch (run->phase) {
    case RUN: at = run->is_tool_done ? run->leftover_at : run->timeout_at; break;
    case TERM: at = run->kill_at; break;
    case KILL: at = run->again_at; break;
  }
  int64_t wait = at == 0 ? 3600 * 1000 : at - now;
  int64_t most = !run->is_detached ? 3600 * 1000 : run->notify < 0 ? CANCEL_POLL_MS : DIR_LOOK_MS;
  if (wait > most) wait = most;
  return wait < 0 ? 0 : (int)wait;
}

static bool is_finished(const struct runner *run) {
  if (run->is_alone) return true;
  bool may_give_up = run->is_tool_done || !run->is_detached;
  return may_give_up && run->phase == KILL && orr__runner_mono_ms() >= run->give_up_at;
}

/* ---- what happens ---- */

static void reap(struct runner *run) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != run->tool.pid || run->is_tool_done) continue;
    run->is_tool_done = true;
    run->wait_status = status;
    run->leftover_at = orr__runner_mono_ms() + LEFTOVER_MS;
  }
  run->is_alone = pid < 0 && errno == ECHILD;
}

static void on_signals(struct runner *run) {
  struct signalfd_siginfo info;
  while (read(run->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT) continue;
    if (!run->is_tool_done && run->phase == RUN) run->because = "ended because the job runner was asked to end";
    end_tool(run, run->tool.grace_ms);
  }
}

static void on_control(struct runner *run) {
  char word;
  ssize_t n = recv(run->control, &word, 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) { /* the library is gone */
    close(run->control);
    run->control = -1;
    end_tool(run, run->tool.grace_ms);
  } else if (word == 'T') {
    cancel(run);
  } else if (word == 'K') {
    cancel(run);
    kill_tool(run, orr__runner_mono_ms());
  }
}

static void on_notify(struct runner *run) {
  char events[4096];
  while (run->notify >= 0 && read(run->notify, events, sizeof events) > 0) continue;
  if (faccessat(run->dir, ORR_JOB_CANCEL, F_OK, 0) == 0) cancel(run);
}

static void pump(int *pipe, orr__runner_log *log) {
  if (*pipe < 0 || orr__runner_log_pump(log, *pipe)) return;
  close(*pipe);
  *pipe = -1;
}

static void see_to_the_end(struct runner *run) {
  run->timeout_at = run->tool.timeout_ms > 0 ? orr__runner_mono_ms() + run->tool.timeout_ms : 0;
  if (run->is_detached) on_notify(run);
  while (reap(run), !is_finished(run)) {
    struct pollfd fds[] = {
      { run->signals, POLLIN, 0 },  { run->is_detached ? run->notify : run->control, POLLIN, 0 },
      { run->log_pipe, POLLIN, 0 }, { run->out_pipe, POLLIN, 0 },
    };
    if (poll(fds, sizeof fds / sizeof *fds, wait_ms(run)) < 0 && errno != EINTR) usleep(CANCEL_POLL_MS * 1000);
    on_signals(run);
    if (run->is_detached) on_notify(run);
    else if (fds[1].revents) on_control(run);
    pump(&run->log_pipe, &run->log);
    pump(&run->out_pipe, &run->out);
    reap(run); /* before the time is looked at: an end in time is in time */
    keep_time(run);
  }
}

static void add_text(orr__runner_end *end, const char *more) {
  size_t len = strlen(end->text);
  snprintf(end->text + len, sizeof end->text - len, "%s%s", len > 0 ? "; " : "", more);
}

static void say_how(struct runner *run) {
  orr__runner_end *end = &run->end;
  int status = run->is_tool_done ? run->wait_status : SIGKILL;
  end->ended_ms = orr__runner_wall_ms();
  end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (run->because) add_text(end, run->because);
  else if (end->signal)
    snprintf(end->text, sizeof end->text, "ended by signal %d (%s)", end->signal, strsignal(end->signal));
  if (!run->is_alone) add_text(end, "processes it left could not be ended");
  if (run->log.is_incomplete || run->out.is_incomplete) add_text(end, "the log is incomplete");
}

/* ---- the two modes ---- */

/* The end of one that was never executed; end.text says why. */
static bool never_ran(struct runner *run, int code) {
  run->end.failure = code;
  run->end.exit_code = -1;
  run->end.ended_ms = orr__runner_wall_ms();
  return false;
}

static bool refuse(struct runner *run, const char *what, int negative_errno) {
  snprintf(run->end.text, sizeof run->end.text, "%s: %s", what, strerror(-negative_errno));
  return never_ran(run, negative_errno == -ENOMEM ? ORR_E_NOMEM : ORR_E_IO);
}

static bool go(struct runner *run) {
  int code = orr__runner_tool_go(&run->tool, run->end.text, sizeof run->end.text);
  close(run->tool.input);
  return code == 0 || never_ran(run, code);
}

static void run_attached(struct runner *run) {
  char report[ORR_RUNNER_REPORT_MAX];
  int r = orr__runner_tool_fork(&run->tool);
  close(run->tool.out);
  close(run->tool.err);
  if (r < 0) {
    refuse(run, "the job runner cannot start a process", r);
  } else if (go(run)) {
    see_to_the_end(run);
    say_how(run);
  }
  if (run->control < 0) return;
  const orr__runner_end *end = &run->end;
  int len = end->failure ? snprintf(report, sizeof report, "F %d %s", end->failure, end->text)
                         : snprintf(report, sizeof report, "X %d %d %d %d", end->exit_code, end->signal,
                                    end->is_cancelled, end->is_timed_out);
  while (send(run->control, report, (size_t)len, MSG_NOSIGNAL) < 0 && errno == EINTR) continue;
}

static int open_stream(struct runner *run, orr__runner_log *log, const char *name, int *pipe_end, int *tool_end) {
  int both[2];
  int r = orr__runner_log_open(log, run->dir, name);
  if (r < 0) return r;
  if (pipe2(both, O_CLOEXEC) < 0) return -errno;
  fcntl(both[0], F_SETFL, O_NONBLOCK);
  *pipe_end = both[0];
  *tool_end = both[1];
  return 0;
}

/* Everything up to the tool's first instruction. */
static bool begin_job(struct runner *run) {
  int log_end = -1, out_end = -1;
  int r = orr__runner_reserve(run->dir);
  if (r == 0) r = open_stream(run, &run->log, ORR_JOB_LOG, &run->log_pipe, &log_end);
  if (r == 0 && run->tool.is_split) r = open_stream(run, &run->out, ORR_JOB_OUT, &run->out_pipe, &out_end);
  if (r < 0) return refuse(run, "the job directory cannot be written", r);
  if (faccessat(run->dir, ORR_JOB_CANCEL, F_OK, 0) == 0) {
    run->end.is_cancelled = true;
    add_text(&run->end, "cancelled before it began");
    return never_ran(run, ORR_E_CANCELLED);
  }
  run->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  char self[64];
  snprintf(self, sizeof self, "/proc/self/fd/%d", run->dir);
  if (run->notify >= 0 && inotify_add_watch(run->notify, self, IN_CREATE | IN_MOVED_TO) < 0) {
    close(run->notify);
    run->notify = -1;
  }
  run->tool.out = out_end >= 0 ? out_end : log_end;
  run->tool.err = log_end;
  r = orr__runner_tool_fork(&run->tool);
  close(log_end);
  if (out_end >= 0) close(out_end);
  if (r < 0) return refuse(run, "the job runner cannot start a process", r);
  run->end.started_ms = orr__runner_wall_ms();
  r = orr__runner_write_begun(run->dir, run->tool.pid, run->end.started_ms);
  if (r < 0) {
    kill(run->tool.pid, SIGKILL);
    return refuse(run, "the job directory cannot be written", r);
  }
  return go(run);
}

static void run_detached(struct runner *run, int request_error) {
  bool has_begun = request_error < 0 ? refuse(run, "the request cannot be read", request_error) : begin_job(run);
  if (has_begun) {
    send(run->control, "S", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(run->control);
    run->control = -1;
    see_to_the_end(run);
    say_how(run);
    pump(&run->log_pipe, &run->log);
    pump(&run->out_pipe, &run->out);
  }
  orr__runner_log_close(&run->log);
  orr__runner_log_close(&run->out);
  for (int i = 0; i < EXIT_TRIES; i++) {
    int r = orr__runner_write_exit(run->dir, &run->end);
    if (r == 0 || r == -ENOENT) break; /* ENOENT: somebody removed the directory */
    sleep(1);
  }
}

/* ---- start ---- */

/* Nothing is done before the library knows us by pid descriptor. */
static bool wait_for_go(int control) {
  char word;
  ssize_t n;
  do n = recv(control, &word, 1, 0);
  while (n < 0 && errno == EINTR);
  return n == 1 && word == 'G';
}

static int block_signals(void) {
  sigset_t all, ours;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL); /* SIGPIPE, SIGHUP and friends have nothing to say here */
  sigemptyset(&ours);
  sigaddset(&ours, SIGCHLD);
  sigaddset(&ours, SIGTERM);
  sigaddset(&ours, SIGINT);
  return signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv) {
  bool is_detached = argc > 1 && strcmp(argv[1], "detached") == 0;
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return puts("orrery-runner " ORR_VERSION) < 0;
  if (argc < 2 || !(is_detached || strcmp(argv[1], "attached") == 0) || fcntl(ORR_RUNNER_LOCK, F_GETFD) < 0) {
    fprintf(stderr, "orrery-runner: started by the orrery library to run one program; of no use by hand\n");
    return 2;
  }
  for (int fd = 3; fd < ORR_RUNNER_FDS; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (!wait_for_go(ORR_RUNNER_CONTROL)) _exit(0);
  if (is_detached) {
    pid_t pid = fork();
    if (pid != 0) _exit(pid < 0);
    setsid();
  }
  int signals = block_signals();
  orr__runner_keep(is_detached);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  struct runner run = {
    .is_detached = is_detached, .control = ORR_RUNNER_CONTROL, .dir = ORR_RUNNER_DIR, .notify = -1,
    .log_pipe = -1, .out_pipe = -1, .signals = signals,
    .tool = { .input = ORR_RUNNER_INPUT, .out = ORR_RUNNER_OUT, .err = ORR_RUNNER_ERR,
              .lock = is_detached ? ORR_RUNNER_LOCK : -1, .go = -1, .told = -1 },
  };
  int r = orr__runner_tool_read(&run.tool, ORR_RUNNER_REQUEST);
  close(ORR_RUNNER_REQUEST);
  if (is_detached) run_detached(&run, r);
  else if (r == 0) run_attached(&run);
  _exit(0); /* closes the lock, last of all */
}
