/* What the job*.c files share. */
#ifndef ORR_PORT_JOB_PARTS_H
#define ORR_PORT_JOB_PARTS_H

#include "port/job.h"
#include "port/launch.h"

struct orr__jobs {
  orr__loop *loop;
  orr__job_carrier carrier;       /* who has the jobs: this, or somebody else */
  char *dir, *runner_path;
  void (*ended)(void *arg, const char *key, const char *name);
  void *arg;
  struct orr__job *first;         /* those somebody waits for */
  int notify, recheck;            /* inotify (-1: there is none) and a timerfd */
  orr__watch *notify_watch, *recheck_watch;
  int64_t recheck_ms;             /* what the timerfd is set to, 0: nothing */
  orr__reaper reaper;
};

/* The carrier that keeps them in directories: self is the orr__jobs. */
int orr__job_start_here(void *self, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr);
int orr__job_poll_here(void *self, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr);
int orr__job_watch_here(void *self, const char *key, const char *name, orr_error *reterr);
int orr__job_cancel_here(void *self, const char *key, const char *name, orr_error *reterr);
int orr__job_read_here(void *self, const char *key, const char *name, const char *stream, int64_t from, size_t max,
                       char **ret_text, size_t *ret_len, int64_t *ret_next, orr_error *reterr);
int orr__job_remove_here(void *self, const char *key, orr_error *reterr);
int orr__job_keys_here(void *self, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr);
int orr__job_list_here(void *self, const char *key, char ***ret_names, orr_error *reterr);

/* The carrier where there is no directory: nothing is there, and starting is REFUSED. */
extern const orr__job_carrier orr__job_nowhere;

/* INVALID unless both are names as job.h has them. */
int orr__job_check_names(const char *key, const char *name, orr_error *reterr);
/* Owned: the job's directory, a file of it, or NULL when memory ran out. */
char *orr__job_path(const orr__jobs *jobs, const char *key, const char *name);
char *orr__job_file(const char *path, const char *file);
/* What is known of the job in the directory `path`. *ret_failure: why an ended one was never executed, or 0. */
int orr__job_look(const char *path, orr__job_status *ret_status, int *ret_failure, orr_error *reterr);
/* Whose session the job's processes are in: the tool's process id, as `begun` has it; 0: it is not known. */
pid_t orr__job_session(const char *path);
/* Does anybody hold that lock of the directory? NOT_FOUND, and not held, without the file. */
int orr__job_is_held(const char *path, const char *lock, bool *ret_is_held, orr_error *reterr);
/* Of a job that runs and has neither runner nor keeper any more: kills what holds its lock. False: it has one, or that is not known. */
bool orr__job_end_strays(const char *path);
/* Not synced: the runner does that. */
int orr__job_write_spec(const char *path, const orr__job_spec *spec, int64_t now_ms, orr_error *reterr);
/* mkdir -p, 0700. */
int orr__job_make_dir(const char *path, orr_error *reterr);

#endif
