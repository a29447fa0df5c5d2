/* Turning the wheels: a step in the host's thread, the descriptor it may watch, and time for tests. */
#include "host/lib/lib.h"

int orr_step(orr_runtime *runtime, int64_t max_wait_ms) {
  bool ran = orr__loop_step(runtime->loop, runtime->first ? 0 : max_wait_ms);
  return ran || runtime->first != NULL;
}

int orr_fd(const orr_runtime *runtime) { return orr__loop_fd(runtime->loop); }
int64_t orr_timeout_ms(const orr_runtime *runtime) { return runtime->first ? 0 : orr__loop_timeout_ms(runtime->loop); }


int orr_advance(orr_runtime *runtime, int64_t ms, orr_error *reterr) {
  orr__loop *loop = runtime->loop;
  if (!orr__loop_is_virtual(loop))
    return orr__error_set(reterr, ORR_E_MISUSE, "time moves by itself: the setting clock is real");
  int64_t end = orr__loop_mono_ms(loop) + ms;
  for (;;) {
    int64_t left = end - orr__loop_mono_ms(loop);
    bool is_busy = orr__loop_in_flight(loop) > 0;
    if (orr__loop_step(loop, is_busy && left < 100 ? 100 : left)) continue;
    if (!is_busy && orr__loop_in_flight(loop) == 0) break; /* nothing is due before the end */
  }
  if (orr__loop_mono_ms(loop) < end) orr__loop_advance(loop, end - orr__loop_mono_ms(loop));
  while (orr__loop_step(loop, 0) || orr__loop_in_flight(loop) > 0) {
  }
  return 0;
}

int64_t orr_now(const orr_runtime *runtime) { return orr__loop_wall_ms(runtime->loop); }
