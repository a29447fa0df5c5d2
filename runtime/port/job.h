/* Local jobs: programs that outlive us. Each runs under the job runner in its detached mode, with a
 * directory that is all there is to know of it:
 *
 *   DIR/<key>/<name>/   (0700)
 *     spec      what was asked for (argv, cwd, limits, times; neither environment nor standard input)
 *     lock      held (flock) from before the spec is written by us, then by the runner and by the tool while
 *               either lives; nobody holds it: nothing runs
 *     kept      held by the runner and a keeper above it, while either lives, and by nobody else
 *     begun     process ids and start time; written and synced, with the spec, before the tool is executed
 *     log       standard output and error together, in order: the first 4 MiB, then in `log.<offset>` pieces of
 *               1 MiB the newest 3 to 4; with `split`, stdout is kept apart in `out` likewise
 *     cancel    made to ask for the end; the runner watches for it: TERM to the tool and all below it, KILL
 *               after grace
 *     exit      how it ended: code, signal, times, cancelled, timed_out, message; written, synced and renamed
 *               into place before the lock is released
 *
 * spec, begun and exit are lines of key=value (runner.h). Environment and standard input reach the runner
 * through an inherited memory file and are kept nowhere; standard input is that file, so a tool may seek in it.
 * The tool dies with its runner (PDEATHSIG), and a keeper above the runner then ends what the tool had started,
 * so that after a kill -9 of the runner nothing goes on that nobody knows of; after one of both, whoever watches the job does. Where somebody
 * has removed the directory of a running job, its runner ends the tool, as by a cancel. When the tool has
 * ended, what it left behind gets a second to end, then TERM, then KILL, and only then there is an exit. So a
 * job is one of:
 *
 *   absent   no spec, or nobody holds the lock and there is no begun: never started, certainly
 *   starting the lock is held, begun is not there yet (a start in flight from us)
 *   running  the lock is held, begun is there, exit is not
 *   ended    exit is there and readable: success or not is the provider's judgement. That it could not be
 *            executed (message "restic: not found", exit_code -1) is an end, too
 *   lost     begun, no readable exit, nobody holds the lock: it died with the machine or was killed
 *
 * Starting is idempotent by (key, name): unless it is absent, the job is adopted as it is, whatever the new spec
 * says. key and name are letters, digits, `-`, `_`, `.` (not first), at most 100 bytes: anything else is INVALID.
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
  int64_t timeout_ms;             /* 0: none; then ended like a cancelled one, is_timed_out, message "timed out" */
  int64_t grace_ms;               /* TERM to KILL, default 10,000 */
  bool split;                     /* keep stdout apart from the log */
} orr__job_spec;

typedef struct orr__job_status {
  enum orr__job_state state;
  int exit_code, signal;          /* of an ended one; exit_code -1 if a signal ended it or it never ran */
  bool is_cancelled;              /* it was asked to end before it ended (not by its time-out) */
  bool is_timed_out;
  int64_t started_ms, ended_ms;   /* wall; 0 if unknown */
  char message[256];              /* of an ended or lost one that has something to say: "restic: not found" */
} orr__job_status;

/* Who has the jobs. Each function keeps the contract of the one of its name below. */
typedef struct orr__job_carrier {
  void *self;
  int (*start)(void *self, const orr__job_spec *spec, void (*done)(void *arg, int code, const orr__job_status *status, const char *message),
               void *arg, orr_error *reterr);
  int (*poll)(void *self, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr);
  int (*watch)(void *self, const char *key, const char *name, orr_error *reterr);
  int (*cancel)(void *self, const char *key, const char *name, orr_error *reterr);
  int (*read)(void *self, const char *key, const char *name, const char *stream, int64_t from, size_t max, char **ret_text,
              size_t *ret_len, int64_t *ret_next, orr_error *reterr);
  int (*remove)(void *self, const char *key, orr_error *reterr);
  int (*keys)(void *self, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr);
  int (*list)(void *self, const char *key, char ***ret_names, orr_error *reterr);
} orr__job_carrier;

/* dir is made if missing; NULL: there is no place for jobs, and starting one is REFUSED until somebody else has them. `ended(arg, key, name)` is called on the loop thread, once per job that was started or
 * watched and has come to its end (ended or lost), after that start's done; it is found by inotify, so within
 * milliseconds. Not for a start that completes with a code. Owned. */
int orr__jobs_new(orr__loop *loop, const char *dir, const char *runner_path,
                  void (*ended)(void *arg, const char *key, const char *name), void *arg,
                  orr__jobs **ret_jobs, orr_error *reterr);
/* From now on somebody else has the jobs, and says by itself when one has ended. Copied; what its self points to must outlive the jobs. */
void orr__jobs_carry(orr__jobs *jobs, const orr__job_carrier *carrier);
/* The jobs themselves go on; starts in flight complete with CLOSED, from inside. Not from a callback. */
void orr__jobs_free(orr__jobs *jobs);

typedef void (*orr__job_started)(void *arg, int code, const orr__job_status *status, const char *message);
/* Starts or adopts. done comes once, on the loop thread, never from inside, when the tool was executed (or the job
 * has ended already), or with NO_PROGRAM, IO, CANCELLED (before it began), and then again so whenever it is
 * started: status (never NULL) tells the state. message is NULL if code is 0. Borrowed for the call.
 * reterr is for a refusal at once: INVALID, IO, NOMEM, NO_PROGRAM (the runner is missing). */
int orr__job_start(orr__jobs *jobs, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr);
/* Looks; cheap, no waiting. A damaged exit file is a lost job with a message that says so; CORRUPT where somebody has removed
 * the lock, and with it what tells whether the job runs. */
int orr__job_poll(orr__jobs *jobs, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr);
/* Watches a job that an earlier process started, so that `ended` comes for it; one that has ended: soon.
 * NOT_FOUND if it is absent. */
int orr__job_watch(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr);
/* Asks for the end and returns at once; the end shows in poll. Nothing runs: fine. */
int orr__job_cancel(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr);
/* Output from byte offset `from` (negative: counted from the end) at most max bytes. stream: "log" or "out".
 * Owned, with a NUL behind it; *ret_next is where the next read goes on. What a capped log lost is skipped over.
 * NOT_FOUND if there is no such job; one without output yet gives "". */
int orr__job_read(orr__jobs *jobs, const char *key, const char *name, const char *stream, int64_t from, size_t max,
                  char **ret_text, size_t *ret_len, int64_t *ret_next, orr_error *reterr);
/* Removes the directories of a key; REFUSED while one runs. None: fine. */
int orr__job_remove(orr__jobs *jobs, const char *key, orr_error *reterr);
/* Calls each with every key that has jobs, whatever became of them. */
int orr__job_keys(orr__jobs *jobs, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr);
/* The names of a key's jobs: owned NULL-terminated array of owned strings (free each, then the array). */
int orr__job_list(orr__jobs *jobs, const char *key, char ***ret_names, orr_error *reterr);

#endif
