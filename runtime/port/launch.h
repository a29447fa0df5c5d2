/* Starting the job runner, for process.c and job.c only; runner.h is what it is told. */
#ifndef ORR_PORT_LAUNCH_H
#define ORR_PORT_LAUNCH_H

#include "base/error.h"
#include "port/loop.h"

/* Everything is borrowed for the call; the descriptors stay the caller's. */
typedef struct orr__launch {
  const char *const *argv, *const *env; /* as in process.h */
  const char *cwd;
  const void *input;
  size_t input_len;
  int64_t timeout_ms, grace_ms;
  bool is_detached, is_split;
  int fds[2];                     /* attached: out, err (write ends); detached: directory, locked lock */
} orr__launch;

/* Runners that were started and are not reaped yet. */
typedef struct orr__reaper {
  orr__loop *loop;
  struct orr__reaped *first;
} orr__reaper;

void orr__reaper_init(orr__reaper *reaper, orr__loop *loop);
/* Waits for those that are left, 2 s at most, then ends them. */
void orr__reaper_clear(orr__reaper *reaper);

/* Starts a runner and hands its process to the reaper. *ret_control is owned: the control socket. */
int orr__launch_start(const char *runner_path, const orr__launch *launch, orr__reaper *reaper, int *ret_control,
                      orr_error *reterr);
/* Sends one word of runner.h; a runner that is gone does not mind. */
void orr__launch_say(int control, char word);
/* argv has a program, nothing is absurdly large: 0, INVALID or LIMIT. */
int orr__launch_check(const orr__launch *launch, orr_error *reterr);

#endif
