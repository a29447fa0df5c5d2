/* Local jobs: programs that outlive us. Each runs under the job runner in its detached mode, with a
 * directory that is all there is to know of it:
 *
 *   DIR/<key>/<name>/   (0700)
 *     spec      what was asked for (argv, cwd, limits, times; neither environment nor standard input), JSON,
 *               written and synced before anything is started
 *     lock      held (flock) by the runner and by the tool while either lives; nobody holds it: nothing runs
 *     pid       process ids and start times, for people; nothing decides by them
 *     log       standard output and error together, in order, capped (8 MiB, then the first half is kept and
 *               the newest goes on in log.tail); with `split`, stdout is kept apart in `out` likewise capped
 *     cancel    made to ask for the end; the runner watches for it: TERM to the tool's session, KILL after grace
 *     exit      how it ended, JSON { code, signal, endDate, cancelled, message }, written, synced and renamed into
 *               place before the lock is released
 *
 * Environment and standard input reach the runner through an inherited descriptor and are kept nowhere.
 * The tool dies with its runner (PDEATHSIG; the runner's own death by kill -9 ends it), so a job is one of:
 *
 *   absent   no directory, or no spec: never started, certainly
 *   starting spec, no exit, lock held or the runner not yet there (a start in flight from us)
 *   running  the lock is held
 *   ended    exit is there and readable: success or not is the provider's judgement
 *   lost     spec, no exit, nobody holds the lock: it died with the machine or was killed
 *
 * Starting is idempotent by (key, name): if the directory has a spec, the job is adopted as it is, whatever
 * the new spec says, except that a spec whose runner provably never began (no lock file) is begun.
 * key and name are letters, digits, `-`, `_`, `.` (not first), at most 100 bytes: anything else is INVALID.
 * Nothing here knows what a backup is. */
#ifndef ORR_PORT_JOB_H
#define ORR_PORT_JOB_H

#include "base/error.h"
#include "port/loop.h"

typedef struct orr__jobs orr__jobs;

enum orr__job_state { ORR_JOB_ABSENT, ORR_JOB_STARTING, ORR_JOB_RUNNING, ORR_JOB_ENDED, ORR_JOB_LOST };
const char *orr__job_state_word(enum orr__job_state state);

/* Borrowed for the call. */
typedef struct orr__job_spec {
  const char *key, *name;
  const char *const *argv;        /* as in process.h */
  const char *const *env;
  const char *cwd;
  const void *input;
  size_t input_len;
  int64_t timeout_ms;             /* 0: none; then as if cancelled, message "timed out" */
  int64_t grace_ms;               /* TERM to KILL, default 10,000 */
  bool split;                     /* keep stdout apart from the log */
} orr__job_spec;

typedef struct orr__job_status {
  enum orr__job_state state;
  int exit_code, signal;          /* of an ended one; exit_code -1 if a signal ended it */
  bool is_cancelled;              /* it was asked to end before it ended */
  int64_t started_ms, ended_ms;   /* wall; 0 if unknown */
  char message[256];              /* of an ended or lost one that has something to say: "restic: not found" */
} orr__job_status;

/* dir is made if missing. `ended(arg, key, name)` is called on the loop thread, once per job that was started or
 * watched and has come to its end (ended or lost); it is found by inotify, so within milliseconds. Owned. */
int orr__jobs_new(orr__loop *loop, const char *dir, const char *runner_path,
                  void (*ended)(void *arg, const char *key, const char *name), void *arg,
                  orr__jobs **ret_jobs, orr_error *reterr);
void orr__jobs_free(orr__jobs *jobs); /* the jobs themselves go on */

typedef void (*orr__job_started)(void *arg, int code, const orr__job_status *status, const char *message);
/* Starts or adopts. done comes once, on the loop thread, never from inside, when the runner holds the lock and
 * the tool was executed (or the job has ended already), or with NO_PROGRAM, IO. orr_error is for a refusal at once. */
int orr__job_start(orr__jobs *jobs, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr);
/* Looks; cheap, no waiting. */
int orr__job_poll(orr__jobs *jobs, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr);
/* Watches a job that an earlier process started, so that `ended` comes for it; one that has ended: soon. */
int orr__job_watch(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr);
/* Asks for the end and returns at once; the end shows in poll. Nothing runs: fine. */
int orr__job_cancel(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr);
/* Output from byte offset `from` (negative: counted from the end) at most max bytes. stream: "log" or "out".
 * Owned; *ret_next is where the next read goes on. What a capped log lost is skipped over. */
int orr__job_read(orr__jobs *jobs, const char *key, const char *name, const char *stream, int64_t from, size_t max,
                  char **ret_text, size_t *ret_len, int64_t *ret_next, orr_error *reterr);
/* Removes the directories of a key; REFUSED while one runs. */
int orr__job_remove(orr__jobs *jobs, const char *key, orr_error *reterr);
/* The names of a key's jobs: owned NULL-terminated array of owned strings (free each, then the array). */
int orr__job_list(orr__jobs *jobs, const char *key, char ***ret_names, orr_error *reterr);

#endif
