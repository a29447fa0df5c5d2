/* What the job*.c files share. */
#ifndef ORR_PORT_JOB_PARTS_H
#define ORR_PORT_JOB_PARTS_H

#include "port/job.h"
#include "port/launch.h"

struct orr__jobs {
  orr__loop *loop;
  char *dir, *runner_path;
  void (*ended)(void *arg, const char *key, const char *name);
  void *arg;
  struct orr__job *first;         /* those somebody waits for */
  int notify, recheck;            /* inotify (-1: there is none) and a timerfd */
  orr__watch *notify_watch, *recheck_watch;
  int64_t recheck_ms;             /* what the timerfd is set to, 0: nothing */
  orr__reaper reaper;
};

/* INVALID unless both are names as job.h has them. */
int orr__job_check_names(const char *key, const char *name, orr_error *reterr);
/* Owned: the job's directory, a file of it, or NULL when memory ran out. */
char *orr__job_path(const orr__jobs *jobs, const char *key, const char *name);
char *orr__job_file(const char *path, const char *file);
/* What is known of the job in the directory `path`. *ret_failure: why an ended one was never executed, or 0. */
int orr__job_look(const char *path, orr__job_status *ret_status, int *ret_failure, orr_error *reterr);
/* Not synced: the runner does that. */
int orr__job_write_spec(const char *path, const orr__job_spec *spec, int64_t now_ms, orr_error *reterr);
/* mkdir -p, 0700. */
int orr__job_make_dir(const char *path, orr_error *reterr);

#endif
