/* Whose loop? Running until somebody says stop, in the caller's thread or in one of our own, and waiting for an event meanwhile.
 *
 *   orr_run     holds the wheels until orr_stop; others wait for events in orr_wait, or watch orr_event_fd
 *   orr_start   orr_run in a thread of ours, with all signals blocked; orr_stop, or closing, ends and joins it
 *   orr_wait    turns the wheels itself, unless somebody else does
 *   orr_close   takes them from who has them, for as long as its grace
 *
 *                orr_run, orr_start          orr_stop                    it is out
 *   nothing runs -------------------> RUNS ----------> STOPPING --------------------------> nothing runs
 *        |  ^                                          (of orr_start: joined by the one that stops it, awaited by all who do)
 *        +--+ orr_stop: the next orr_run is over as it begins */
#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "host/lib/lib.h"

#define LOOK_MS 50 /* on the way out: how often to look whether it is over, where another thread's step did the rest */

/* In and out until it is to stop. 0, or CLOSED. */
static int run(orr_runtime *rt, orr_error *reterr) {
  int code = 0;
  while (!(code = orr__enter_step(rt, NULL, reterr))) {
    bool is_over = rt->is_stopping;
    if (rt->first) orr__guard_tell(rt); /* also what came from those who were let in meanwhile */
    if (is_over) break;
    orr__loop_step(rt->loop, -1);
    orr__leave(rt);
  }
  if (code) return code;
  rt->is_running = rt->is_stopping = false;
  orr__guard_tell(rt);
  orr__leave(rt);
  return 0;
}

/* Takes the wheels. MISUSE if somebody has them; CLOSED, too: it may go outside on the way. From inside. */
static int begin(orr_runtime *rt, orr_error *reterr) {
  while (rt->is_joining && !rt->is_running) orr__guard_sleep(rt, NULL); /* its thread is on its way out */
  if (rt->guard.is_closed) return orr__error_set(reterr, ORR_E_CLOSED, "the runtime is closed");
  if (rt->is_running) return orr__error_set(reterr, ORR_E_MISUSE, "the runtime runs already");
  if (rt->has_thread) pthread_join(rt->thread, NULL); /* stopped by a callback of its own, which could not; it does not come in again */
  rt->has_thread = false;
  rt->is_running = true;
  return 0;
}

int orr_run(orr_runtime *runtime, orr_error *reterr) {
  int code = orr__enter_outside(runtime, reterr);
  if (code) return code;
  code = begin(runtime, reterr);
  if (!code) {
    runtime->is_stopping = runtime->is_stopped_before;
    runtime->is_stopped_before = false;
  }
  orr__leave(runtime);
  return code ? code : run(runtime, reterr);
}

static void *thread_main(void *arg) {
  run(arg, NULL);
  orr__guard_unref(arg);
  return NULL;
}

int orr_start(orr_runtime *runtime, orr_error *reterr) {
  sigset_t all, before;
  int code = orr__enter_outside(runtime, reterr);
  if (code) return code;
  code = begin(runtime, reterr);
  if (!code) {
    orr_ref(runtime);
    runtime->is_stopped_before = false;
    runtime->starts++;
    /* Signals are the host's: its handlers shall not run on our thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&runtime->thread, NULL, thread_main, runtime);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    runtime->has_thread = rc == 0;
    if (rc) {
      runtime->is_running = false;
      orr_unref(runtime);
      code = orr__error_errno(reterr, ORR_E_IO, rc, "the runtime's thread cannot start");
    } else {
      pthread_setname_np(runtime->thread, "orrery-loop");
    }
  }
  orr__leave(runtime);
  return code;
}

/* Waits for the thread that is to stop: joins it, unless another does. From inside, but no callback. */
static void join(orr_runtime *rt) {
  unsigned which = rt->starts;
  while (rt->is_joining && rt->starts == which) orr__guard_sleep(rt, NULL);
  if (!rt->has_thread || rt->starts != which) return;
  pthread_t thread = rt->thread;
  rt->has_thread = false;
  rt->is_joining = true;
  orr__leave(rt);
  pthread_join(thread, NULL);
  int code = orr__enter(rt, NULL);
  assert(!code); /* who closes waits for us */
  (void)code;
  rt->is_joining = false;
  orr__guard_tell(rt);
}

void orr_stop(orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return;
  bool is_callback = runtime->guard.depth > 1;
  if (runtime->is_running) runtime->is_stopping = true;
  else if (!runtime->has_thread && !runtime->is_joining) runtime->is_stopped_before = true;
  /* A callback waits for nobody: what would have to end is its own thread, or one that wants to come in. */
  if (!is_callback) join(runtime);
  orr__leave(runtime);
}

int orr__run_end(orr_runtime *rt) {
  for (;;) {
    int code = orr__enter_outside(rt, NULL);
    if (code) return code;
    if (!rt->is_running && !rt->has_thread && !rt->is_joining) return 0;
    rt->is_stopping = rt->is_running;
    join(rt);
    /* A thread of the host's in orr_run comes out by itself. */
    if (rt->is_running) orr__guard_sleep(rt, NULL);
    orr__leave(rt);
  }
}

static int64_t left_ms(const struct timespec *until) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t ms = (int64_t)(until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
  return ms > 0 ? ms : 0;
}

/* From inside, one turn of at most wait_ms of real time. A step of a virtual loop that may wait may go to the next timer instead. */
static void turn_out(orr_runtime *rt, int64_t wait_ms) {
  struct pollfd loop = { .fd = orr__loop_fd(rt->loop), .events = POLLIN };
  bool is_virtual = orr__loop_is_virtual(rt->loop);
  if (!orr__loop_step(rt->loop, is_virtual ? 0 : wait_ms) && is_virtual) poll(&loop, 1, (int)wait_ms);
  if (rt->first) orr__guard_tell(rt);
}

void orr__run_out(orr_runtime *rt, int64_t grace_ms) {
  struct timespec end = orr__deadline(grace_ms);
  int64_t left;
  orr_drain(rt);
  while (!orr_is_idle(rt) && !orr_failed(rt) && (left = left_ms(&end)) > 0) {
    int64_t wait_ms = left < LOOK_MS ? left : LOOK_MS;
    struct timespec until = orr__deadline(wait_ms);
    if (orr__enter_step(rt, &until, NULL)) continue; /* another thread steps */
    turn_out(rt, wait_ms);
    orr__leave(rt);
  }
}

/* The one thread in orr_wait that turns the wheels for all who are. False: the time is up. */
static bool turn(orr_runtime *rt, int64_t max_wait_ms, const struct timespec *until) {
  if (orr__enter_step(rt, max_wait_ms < 0 ? NULL : until, NULL)) return false;
  int64_t wait_ms = rt->first ? 0 : max_wait_ms < 0 ? -1 : left_ms(until);
  bool goes_on = orr__loop_step(rt->loop, wait_ms) || wait_ms != 0;
  orr__leave(rt);
  return goes_on;
}

/* The caller holds a reference: between two turns it is outside. */
static int await(orr_runtime *rt, bool (*is_done)(orr_runtime *rt, void *arg), void (*finish)(orr_runtime *rt, void *arg), void *arg,
                 int64_t max_wait_ms, orr_error *reterr) {
  struct timespec until = orr__deadline(max_wait_ms > 0 ? max_wait_ms : 0);
  const struct timespec *limit = max_wait_ms < 0 ? NULL : &until;
  bool goes_on = true, is_turner = false;
  for (;;) {
    int code = orr__enter_outside(rt, reterr);
    if (code) return code;
    bool is_idle = goes_on && !is_done(rt, arg);
    bool others_turn = rt->is_running || (rt->has_turner && !is_turner);
    if (is_idle && others_turn) goes_on = orr__guard_sleep(rt, limit);
    else if (is_idle) is_turner = rt->has_turner = true;
    if (!is_idle) break;
    orr__leave(rt);
    if (!others_turn) goes_on = turn(rt, max_wait_ms, &until);
  }
  finish(rt, arg);
  if (is_turner) rt->has_turner = false;
  if (is_turner || rt->first) orr__guard_tell(rt); /* another takes over, or takes the next */
  orr__leave(rt);
  return 0;
}

int orr__await(orr_runtime *rt, bool (*is_done)(orr_runtime *rt, void *arg), void (*finish)(orr_runtime *rt, void *arg), void *arg,
               int64_t max_wait_ms, orr_error *reterr) {
  orr_ref(rt);
  int code = await(rt, is_done, finish, arg, max_wait_ms, reterr);
  orr_unref(rt);
  return code;
}

static bool has_event(orr_runtime *rt, void *arg) {
  (void)arg;
  return rt->first != NULL;
}

static void take_event(orr_runtime *rt, void *arg) { *(orr_event **)arg = orr__take_event(rt); }

orr_event *orr_wait(orr_runtime *runtime, int64_t max_wait_ms) {
  orr_event *event = NULL;
  orr__await(runtime, has_event, take_event, &event, max_wait_ms, NULL);
  return event;
}
