/* The event loop as everybody above sees it: time, timers, a way to come back later, a way in from
 * another thread. One loop thread runs the core and all Lua; every function here but orr__loop_wake is
 * for that thread only.
 *
 * Time has two clocks. wall_ms is what people mean: milliseconds since 1970 UTC, may step. mono_ms only
 * grows and is what timers and deadlines use. Both are frozen while callbacks run: they are read once per
 * turn (orr__loop_update reads them again).
 *
 * A loop is real (libuv) or virtual. A virtual loop still does real I/O, but its clocks move only by
 * orr__loop_advance or, in orr__loop_step, to the next timer when nothing real is in flight, so that a
 * six-hour backup takes milliseconds and a run can be repeated. Whoever starts something that another
 * process, thread or socket must finish counts it with orr__loop_busy(+1) until it has completed.
 *
 * Timers are intrusive: the owner embeds an orr__timer and must stop it before its memory goes. Callbacks
 * never run from inside a call that sets something up, only from orr__loop_step. */
#ifndef ORR_PORT_LOOP_H
#define ORR_PORT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct orr__loop orr__loop;

typedef struct orr__timer {
  int64_t due_mono_ms;
  size_t heap_index;              /* 1-based place in the heap, 0 while stopped */
  bool is_reserved;               /* there is a place for it: starting it cannot fail */
  void (*fire)(void *arg);
  void *arg;
} orr__timer;

/* Says what time it is: milliseconds since 1970 UTC. It neither waits nor touches the loop. */
typedef int64_t (*orr__wall_clock)(void *arg);

/* A loop on the real clocks. Owned. `wall` is asked for wall_ms wherever the clocks are read; NULL: the system's. */
int orr__loop_new(orr__wall_clock wall, void *wall_arg, orr__loop **ret_loop, orr_error *reterr);
/* A virtual loop that starts at the given wall time (mono starts at 0). */
int orr__loop_new_virtual(int64_t wall_ms, orr__loop **ret_loop, orr_error *reterr);
/* Everything on it must be stopped; runs libuv's close callbacks to the end. NULL is fine. */
void orr__loop_free(orr__loop *loop);
bool orr__loop_is_virtual(const orr__loop *loop);

int64_t orr__loop_wall_ms(const orr__loop *loop);
int64_t orr__loop_mono_ms(const orr__loop *loop);
void orr__loop_update(orr__loop *loop);
/* Real milliseconds since the first callback of this turn, on a virtual loop, too: for work that is put off when a turn grows long. */
int64_t orr__loop_turn_ms(const orr__loop *loop);
/* Virtual loops only: moves both clocks by delta_ms; wall alone by orr__loop_step_wall (a clock step). */
void orr__loop_advance(orr__loop *loop, int64_t delta_ms);
void orr__loop_step_wall(orr__loop *loop, int64_t delta_ms);

/* Starts (or moves) a timer; one in the past fires in the next turn. Timers with the same due time fire in
 * the order they were started. Cannot fail but for memory: returns 0 or ORR_E_NOMEM. */
int orr__timer_start(orr__loop *loop, orr__timer *timer, int64_t due_mono_ms, void (*fire)(void *), void *arg);
void orr__timer_stop(orr__loop *loop, orr__timer *timer); /* stopped already: fine */
bool orr__timer_is_started(const orr__timer *timer);
/* Keeps a place for a timer, once, before it is first started: orr__timer_start of it cannot fail then. 0 or ORR_E_NOMEM. _release
 * stops it and gives the place back; one without a place is only stopped. */
int orr__timer_reserve(orr__loop *loop, orr__timer *timer);
void orr__timer_release(orr__loop *loop, orr__timer *timer);

/* Runs fn(arg) in the next turn, after I/O, in order. Returns 0 or ORR_E_NOMEM. */
int orr__loop_defer(orr__loop *loop, void (*fn)(void *), void *arg);

/* Wakers: `woken(arg)` runs on the loop thread some time after orr__loop_wake, which may be called from any
 * thread; wakes before it has run melt into one. */
typedef struct orr__waker orr__waker;
/* Both _new return 0, ORR_E_NOMEM or ORR_E_IO; freed ones call nobody any more. */
int orr__waker_new(orr__loop *loop, void (*woken)(void *arg), void *arg, orr__waker **ret_waker);
void orr__waker_free(orr__waker *waker);
void orr__loop_wake(orr__waker *waker);

/* Watches a descriptor for reading (the descriptor is borrowed, level-triggered; it becomes non-blocking,
 * and a regular file is refused). End of file and errors count as readable. Free the watch before the
 * descriptor is closed. */
typedef struct orr__watch orr__watch;
int orr__watch_new(orr__loop *loop, int fd, void (*readable)(void *arg), void *arg, orr__watch **ret_watch);
void orr__watch_free(orr__watch *watch);

/* Something real is in flight (delta +1) or has ended (-1). */
void orr__loop_busy(orr__loop *loop, int delta);
int orr__loop_in_flight(const orr__loop *loop); /* how many have not ended */

/* One turn: waits at most max_wait_ms (-1: as long as it takes, 0: not at all) for something to happen, then
 * runs what is due. A virtual loop with nothing in flight does not wait: it advances to the next timer
 * (if one is due within max_wait_ms of virtual time, or max_wait_ms is -1). Returns true if any callback ran. */
bool orr__loop_step(orr__loop *loop, int64_t max_wait_ms);
/* For a host's own loop: a descriptor that is readable when there is something to do, and how long the host
 * may wait at most before it steps (-1: for ever). */
int orr__loop_fd(const orr__loop *loop);
int64_t orr__loop_timeout_ms(const orr__loop *loop);
/* The same, but a virtual loop is due only for what is due by its clock now, not for timers that a step would go to. */
int64_t orr__loop_due_ms(const orr__loop *loop);
const char *orr__loop_library(void); /* the version of libuv that is linked with us */
/* For the other files of port only: the libuv loop. */
struct uv_loop_s *orr__loop_uv(orr__loop *loop);
/* For them, too: whoever has a libuv handle of his own calls this first in its callback, so that the turn's
 * clocks are read, the step waits no longer and counts as one in which something ran. */
void orr__loop_note(orr__loop *loop);

#endif
