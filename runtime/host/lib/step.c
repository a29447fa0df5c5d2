/* Turning the wheels: a step in the host's thread, the descriptor it may watch, and time for tests. */
#include "host/lib/lib.h"

#define ADVANCE_WAIT_MS 100

#define TURNS_MAX 16 /* in one step of a host's loop: what begins in one turn is known to the kernel in the next */

static int step(orr_runtime *rt, int64_t max_wait_ms) {
  bool ran = orr__loop_step(rt->loop, rt->first ? 0 : max_wait_ms);
  bool is_watched = rt->fds.set >= 0 && !orr__loop_is_virtual(rt->loop);
  for (int turn = 1; is_watched && turn < TURNS_MAX && orr__loop_timeout_ms(rt->loop) == 0; turn++) ran = orr__loop_step(rt->loop, 0) || ran;
  if (rt->first) orr__guard_tell(rt);
  return ran || rt->first != NULL;
}

int orr_step(orr_runtime *runtime, int64_t max_wait_ms) {
  struct timespec until = orr__deadline(max_wait_ms > 0 ? max_wait_ms : 0);
  if (orr__enter_step(runtime, max_wait_ms < 0 ? NULL : &until, NULL)) return 0;
  int did = step(runtime, max_wait_ms);
  orr__leave(runtime);
  return did;
}

int64_t orr_timeout_ms(const orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return -1;
  int64_t ms = runtime->first ? 0 : orr__loop_timeout_ms(runtime->loop);
  orr__leave(runtime);
  return ms;
}

/* One step on the way to `end`; false once nothing is due before it and nothing is in flight. */
static bool move_on(orr_runtime *rt, int64_t end) {
  orr__loop *loop = rt->loop;
  int64_t left = end - orr__loop_mono_ms(loop);
  bool is_busy = orr__loop_in_flight(loop) > 0;
  if (orr__loop_step(loop, is_busy && left < ADVANCE_WAIT_MS ? ADVANCE_WAIT_MS : left)) return true;
  return is_busy || orr__loop_in_flight(loop) > 0;
}

/* At the end of the time: what is due then, and what that set going. */
static bool settle(orr_runtime *rt, int64_t end) {
  orr__loop *loop = rt->loop;
  if (orr__loop_mono_ms(loop) < end) orr__loop_advance(loop, end - orr__loop_mono_ms(loop));
  return orr__loop_step(loop, 0) || orr__loop_in_flight(loop) > 0;
}

/* The caller holds a reference: between two turns it is outside. */
static int advance(orr_runtime *runtime, int64_t ms, orr_error *reterr) {
  int code = orr__enter_step(runtime, NULL, reterr);
  if (code) return code;
  if (!orr__loop_is_virtual(runtime->loop)) {
    code = orr__error_set(reterr, ORR_E_MISUSE, "time moves by itself: the setting clock is real");
  } else {
    int64_t end = orr__loop_mono_ms(runtime->loop) + ms;
    bool (*turn)(orr_runtime *, int64_t) = move_on;
    /* Between two turns everybody else gets in, to answer calls; the host of this thread has to come back to that. */
    while (!code) {
      bool goes_on = turn(runtime, end);
      if (runtime->calls_waiting > 0) code = 1;
      else if (!goes_on && turn == settle) break;
      else if (!goes_on) turn = settle;
      orr__leave(runtime);
      if (orr__enter_step(runtime, NULL, reterr)) return ORR_E_CLOSED;
    }
  }
  orr__leave(runtime);
  return code;
}

int orr_advance(orr_runtime *runtime, int64_t ms, orr_error *reterr) {
  orr_ref(runtime);
  int code = advance(runtime, ms, reterr);
  orr_unref(runtime);
  return code;
}

int64_t orr_now(const orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return 0;
  int64_t now = orr__loop_wall_ms(runtime->loop);
  orr__leave(runtime);
  return now;
}
