/* Jobs somebody waits for: started, adopted, watched until they end. job_files.c tells what state a job is in;
 * here is only who wants to know.
 *
 * A struct orr__job is in the list from the first start or watch to the end of the job. Its states are its
 * fields: `control` open: our runner has not said yet that the tool was executed; `starts`: whose done is owed;
 * is_watched: an `ended` is owed. Nothing is remembered beyond that: every event leads to job_check, which
 * looks at the directory and pays what is due. Events are hints and may come too often or for nothing:
 *
 *   control                   the tool was executed; or at its end: exit tells why not, or the runner died
 *   inotify `exit` moved in   ended
 *   inotify `lock` closed     for the last time: ended or lost. It comes a moment before the lock is free, so
 *                             the job is looked at again every 10 ms for a while
 *   the timerfd               soon (so that nothing completes from inside a call), that while, and every 200 ms
 *                             jobs that inotify does not cover. A timerfd, because it is real on a virtual loop
 *
 * A callback may start, watch and remove jobs, so nothing of a job is touched after calling one. */
#include "port/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/str.h"
#include "port/job_parts.h"
#include "port/process.h"
#include "port/runner.h"

#define DEFAULT_GRACE_MS 10000
#define SOON_MS 10
#define POLL_MS 200
#define SOON_LOOKS 50
#define WATCHED (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR)

struct start {
  orr__job_started done;
  void *arg;
  struct start *next;
};

struct orr__job {
  orr__jobs *owner;
  char *key, *name, *path;
  int notify_wd;                  /* -1: looked at by time */
  int control;
  orr__watch *control_watch;
  struct start *starts;
  bool is_watched;
  bool is_unreadable;             /* the last look did not work: looked at by time until one does */
  bool has_strays;                /* what is left of it was killed, and holds its lock: looked at by time until it is gone */
  int soon;                       /* how often it is still to be looked at soon */
  bool is_due;                    /* in the round of looks that goes on now */
  struct orr__job *next, **link;
};

/* ---- looking again ---- */

static void arm(orr__jobs *jobs, int64_t ms) {
  if (jobs->recheck_ms != 0 && jobs->recheck_ms <= ms) return;
  struct itimerspec when = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };
  if (timerfd_settime(jobs->recheck, 0, &when, NULL) == 0) jobs->recheck_ms = ms;
}

static void look_soon(struct orr__job *job, int times) {
  if (job->soon < times) job->soon = times;
  arm(job->owner, job->soon == 1 ? 1 : SOON_MS);
}

/* Adopted while somebody else's start is in flight, or not covered by inotify. */
static bool is_polled(const struct orr__job *job) {
  return job->notify_wd < 0 || job->is_unreadable || job->has_strays || (job->starts && job->control < 0);
}

/* ---- the list ---- */

static struct orr__job *job_find(orr__jobs *jobs, const char *key, const char *name) {
  struct orr__job *job = jobs->first;
  while (job && !(strcmp(job->name, name) == 0 && strcmp(job->key, key) == 0)) job = job->next;
  return job;
}

static void job_free(struct orr__job *job) {
  if (!job) return;
  orr__watch_free(job->control_watch);
  if (job->control >= 0) close(job->control);
  free(job->key);
  free(job->name);
  free(job->path);
  free(job);
}

static void job_unlink(struct orr__job *job) {
  *job->link = job->next;
  if (job->next) job->next->link = job->link;
  if (job->notify_wd >= 0) inotify_rm_watch(job->owner->notify, job->notify_wd);
  orr__loop_busy(job->owner->loop, -1);
}

/* The one there is, or a new one that watches the directory, which exists. */
static int job_get(orr__jobs *jobs, const char *key, const char *name, struct orr__job **ret_job, orr_error *reterr) {
  struct orr__job *job = job_find(jobs, key, name);
  if (job) {
    *ret_job = job;
    return 0;
  }
  job = calloc(1, sizeof *job);
  if (!job) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  *job = (struct orr__job){ .owner = jobs, .key = orr__strdup(key), .name = orr__strdup(name),
                            .path = orr__job_path(jobs, key, name), .notify_wd = -1, .control = -1 };
  if (!job->key || !job->name || !job->path) {
    job_free(job);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  if (jobs->notify >= 0) job->notify_wd = inotify_add_watch(jobs->notify, job->path, WATCHED);
  job->next = jobs->first;
  job->link = &jobs->first;
  if (job->next) job->next->link = &job->next;
  jobs->first = job;
  orr__loop_busy(jobs->loop, 1);
  *ret_job = job;
  return 0;
}

/* ---- paying what is due ---- */

static void pay_starts(struct start *start, int code, const orr__job_status *status, const char *message) {
  while (start) {
    struct start *next = start->next;
    start->done(start->arg, code, status, code == 0 ? NULL : message);
    free(start);
    start = next;
  }
}

/* Why a start did not work; text has room. */
static int start_code(const orr__job_status *status, int failure, char *text, size_t size) {
  if (status->state == ORR_JOB_ABSENT) {
    snprintf(text, size, "the job runner died before it began");
    return ORR_E_IO;
  }
  size_t name_len = strcspn(status->message, ":");
  char *program = orr__strndup(status->message, name_len);
  const char *package = failure == ORR_E_NO_PROGRAM && program ? orr__program_package(program) : NULL;
  snprintf(text, size, "%s%s%s%s", status->message, package ? " (Debian package " : "", package ? package : "",
           package ? ")" : "");
  free(program);
  return status->state == ORR_JOB_ENDED ? failure : 0;
}

static void job_check(struct orr__job *job) {
  orr__jobs *jobs = job->owner;
  orr__job_status status;
  char message[sizeof status.message + 64];
  int failure = 0;
  if (job->control >= 0) return; /* the runner will speak first */
  job->is_unreadable = orr__job_look(job->path, &status, &failure, NULL) < 0;
  if (job->is_unreadable) { /* no memory or no descriptors: better times will come */
    arm(jobs, POLL_MS);
    return;
  }
  if (status.state == ORR_JOB_STARTING) return;
  struct start *starts = job->starts;
  job->starts = NULL;
  if (status.state == ORR_JOB_RUNNING) {
    if (starts) job->is_watched = true;
    job->has_strays = orr__job_end_strays(job->path);
    if (job->has_strays) look_soon(job, 1);
    pay_starts(starts, 0, &status, NULL);
    return;
  }
  int code = start_code(&status, failure, message, sizeof message);
  bool is_owed = job->is_watched || (starts && code == 0);
  job_unlink(job);
  pay_starts(starts, code, &status, message);
  if (is_owed) jobs->ended(jobs->arg, job->key, job->name);
  job_free(job);
}

static void on_control(void *arg) {
  struct orr__job *job = arg;
  char byte;
  ssize_t n = recv(job->control, &byte, 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  orr__watch_free(job->control_watch);
  job->control_watch = NULL;
  close(job->control);
  job->control = -1;
  if (n <= 0) look_soon(job, SOON_LOOKS); /* a runner that was killed lets the lock go a moment later */
  job_check(job);
}

/* Looks at the jobs marked is_due; a callback may change the list, so each time from its beginning. */
static void check_due(orr__jobs *jobs) {
  for (struct orr__job *job = jobs->first; job;) {
    if (!job->is_due) {
      job = job->next;
      continue;
    }
    job->is_due = false;
    job_check(job);
    job = jobs->first;
  }
}

static void on_notify(void *arg) {
  orr__jobs *jobs = arg;
  char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
  ssize_t len = read(jobs->notify, events, sizeof events);
  for (ssize_t at = 0; at < len;) {
    const struct inotify_event *event = (const struct inotify_event *)(events + at);
    at += (ssize_t)(sizeof *event + event->len);
    const char *file = event->len > 0 ? event->name : "";
    for (struct orr__job *job = jobs->first; job; job = job->next) {
      bool is_its_own = job->notify_wd == event->wd && event->wd >= 0;
      if (!is_its_own && !(event->mask & IN_Q_OVERFLOW)) continue;
      job->is_due = true;
      if (event->mask & IN_IGNORED) job->notify_wd = -1;
      if (*file == '\0' || strcmp(file, ORR_JOB_LOCK) == 0) look_soon(job, SOON_LOOKS);
    }
  }
  check_due(jobs);
}

static void on_recheck(void *arg) {
  orr__jobs *jobs = arg;
  uint64_t times;
  if (read(jobs->recheck, &times, sizeof times) != (ssize_t)sizeof times) return;
  jobs->recheck_ms = 0;
  for (struct orr__job *job = jobs->first; job; job = job->next) {
    job->is_due = job->soon > 0 || is_polled(job);
    if (job->soon > 0) job->soon--;
  }
  check_due(jobs);
  for (struct orr__job *job = jobs->first; job; job = job->next) {
    if (job->soon > 0) arm(jobs, SOON_MS);
    else if (is_polled(job)) arm(jobs, POLL_MS);
  }
}

/* ---- starting ---- */

/* Takes the lock. 0 with the descriptor, LOCKED if somebody has it, or IO. */
static int take_lock(const char *path, int *ret_fd, orr_error *reterr) {
  char *file = orr__job_file(path, ORR_JOB_LOCK);
  int r = 0;
  if (!file) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
    *ret_fd = fd;
    fd = -1;
  } else {
    int code = fd >= 0 && errno == EWOULDBLOCK ? ORR_E_LOCKED : ORR_E_IO;
    r = orr__error_errno(reterr, code, errno, "%s", file);
  }
  if (fd >= 0) close(fd);
  free(file);
  return r;
}

/* Begins an absent job; LOCKED if it turns out that somebody else did. */
static int begin(struct orr__job *job, const orr__job_spec *spec, const orr__launch *plan, orr_error *reterr) {
  orr__jobs *jobs = job->owner;
  orr__launch launch = *plan;
  int r = take_lock(job->path, &launch.fds[1], reterr);
  if (r < 0) return r;
  r = orr__job_write_spec(job->path, spec, orr__loop_wall_ms(jobs->loop), reterr);
  if (r < 0) goto done;
  launch.fds[0] = open(job->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (launch.fds[0] < 0) {
    r = orr__error_errno(reterr, ORR_E_IO, errno, "%s", job->path);
    goto done;
  }
  r = orr__launch_start(jobs->runner_path, &launch, &jobs->reaper, &job->control, reterr);
  if (r < 0) goto done;
  if (orr__watch_new(jobs->loop, job->control, on_control, job, &job->control_watch) < 0) {
    close(job->control); /* it was told to go: from now on its files tell */
    job->control = -1;
    look_soon(job, SOON_LOOKS);
  }
done:
  if (launch.fds[0] >= 0) close(launch.fds[0]);
  close(launch.fds[1]);
  return r;
}

int orr__job_start_here(void *self, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr) {
  orr__jobs *jobs = self;
  orr__launch launch = { .argv = spec->argv, .env = spec->env, .cwd = spec->cwd, .input = spec->input,
                         .input_len = spec->input_len, .timeout_ms = spec->timeout_ms,
                         .grace_ms = spec->grace_ms > 0 ? spec->grace_ms : DEFAULT_GRACE_MS,
                         .is_detached = true, .is_split = spec->split, .fds = { -1, -1 } };
  orr__job_status status;
  struct orr__job *job = NULL;
  struct start *start = NULL;
  int failure;
  orr_error err = ORR_ERROR_INIT;
  int r = orr__job_check_names(spec->key, spec->name, reterr);
  if (r == 0) r = orr__launch_check(&launch, reterr);
  if (r < 0) return r;
  char *path = orr__job_path(jobs, spec->key, spec->name);
  start = calloc(1, sizeof *start);
  if (!path || !start) {
    r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    goto done;
  }
  *start = (struct start){ done, arg, NULL };
  r = orr__job_make_dir(path, reterr);
  if (r == 0) r = job_get(jobs, spec->key, spec->name, &job, reterr);
  if (r == 0) r = orr__job_look(path, &status, &failure, reterr);
  if (r < 0) goto done;
  if (status.state == ORR_JOB_ABSENT && job->control < 0) {
    r = begin(job, spec, &launch, &err);
    if (r == ORR_E_LOCKED) r = 0; /* begun by somebody else in this instant: adopted */
    if (r < 0) orr__error_move(reterr, &err);
    if (r < 0) goto done;
  }
  start->next = job->starts;
  job->starts = start;
  start = NULL;
  if (job->control < 0) look_soon(job, 1);
done:
  if (r < 0 && job && !job->starts && !job->is_watched && job->control < 0) {
    job_unlink(job);
    job_free(job);
  }
  orr__error_clear(&err);
  free(start);
  free(path);
  return r;
}

int orr__job_watch_here(void *self, const char *key, const char *name, orr_error *reterr) {
  orr__jobs *jobs = self;
  orr__job_status status;
  struct orr__job *job;
  int r = orr__job_poll_here(jobs, key, name, &status, reterr);
  if (r < 0) return r;
  if (status.state == ORR_JOB_ABSENT) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no job %s of %s", name, key);
  r = job_get(jobs, key, name, &job, reterr);
  if (r < 0) return r;
  job->is_watched = true;
  look_soon(job, 1); /* it may have ended before we watched */
  return 0;
}

/* ---- the whole ---- */

int orr__jobs_new(orr__loop *loop, const char *dir, const char *runner_path,
                  void (*ended)(void *arg, const char *key, const char *name), void *arg, orr__jobs **ret_jobs,
                  orr_error *reterr) {
  int r = dir ? orr__job_make_dir(dir, reterr) : 0;
  if (r < 0) return r;
  orr__jobs *jobs = calloc(1, sizeof *jobs);
  if (!jobs) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  jobs->loop = loop;
  jobs->ended = ended;
  jobs->arg = arg;
  jobs->notify = jobs->recheck = -1;
  jobs->carrier = dir ? (orr__job_carrier){ jobs, orr__job_start_here, orr__job_poll_here, orr__job_watch_here, orr__job_cancel_here,
                                            orr__job_read_here, orr__job_remove_here, orr__job_keys_here, orr__job_list_here }
                      : orr__job_nowhere;
  orr__reaper_init(&jobs->reaper, loop);
  if (!dir) {
    *ret_jobs = jobs;
    return 0;
  }
  jobs->dir = orr__strdup(dir);
  jobs->runner_path = orr__strdup(runner_path);
  jobs->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); /* without it: looked at by time */
  jobs->recheck = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (!jobs->dir || !jobs->runner_path) r = ORR_E_NOMEM;
  else if (jobs->recheck < 0) r = ORR_E_IO;
  if (r == 0) r = orr__watch_new(loop, jobs->recheck, on_recheck, jobs, &jobs->recheck_watch);
  if (r == 0 && jobs->notify >= 0) r = orr__watch_new(loop, jobs->notify, on_notify, jobs, &jobs->notify_watch);
  if (r < 0) {
    orr__error_set(reterr, r, "jobs in %s cannot be watched", dir);
    orr__jobs_free(jobs);
    return r;
  }
  *ret_jobs = jobs;
  return 0;
}

void orr__jobs_free(orr__jobs *jobs) {
  if (!jobs) return;
  while (jobs->first) {
    struct orr__job *job = jobs->first;
    orr__job_status status = { .state = ORR_JOB_STARTING };
    struct start *starts = job->starts;
    job_unlink(job);
    job_free(job);
    pay_starts(starts, ORR_E_CLOSED, &status, "the runtime is closing");
  }
  orr__reaper_clear(&jobs->reaper);
  orr__watch_free(jobs->notify_watch);
  orr__watch_free(jobs->recheck_watch);
  if (jobs->notify >= 0) close(jobs->notify);
  if (jobs->recheck >= 0) close(jobs->recheck);
  free(jobs->dir);
  free(jobs->runner_path);
  free(jobs);
}
