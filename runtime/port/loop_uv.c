/* The event loop over libuv: clocks, turns, deferred functions. Wakers and watches are in loop_io.c, the
 * heap in timers.c.
 *
 * libuv does the waiting and the I/O; timers are our own, because a virtual loop must be able to fire them
 * by its own clock and because many thousands of them must cost nothing while they wait. Deliberately
 * unused: libuv's signals, processes and thread pool, which would change the host process.
 *
 * Invariants: the one libuv timer is armed only inside orr__loop_step; what is deferred in a turn runs in
 * the next one; a virtual loop's clocks move nowhere but in orr__loop_advance, orr__loop_step_wall and
 * run_virtual. */
#include "port/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "port/timers.h"

/* Limits what may wait for one turn; it is reached by a loop that defers without end, only. */
#define DEFERRED_MAX ((size_t)1 << 24)

struct deferred {
  void (*fn)(void *arg);
  void *arg;
};

struct deferred_list {
  struct deferred *items;
  size_t len;
  size_t cap;
};

struct orr__loop {
  uv_loop_t *uv;
  uv_timer_t *alarm;             /* ends the wait of a turn */
  bool is_virtual;
  bool is_running;               /* inside orr__loop_step */
  bool is_polling;               /* inside uv_run */
  bool has_run;                  /* a callback ran in this turn, and the clocks were read for it */
  int64_t turn_ms;               /* when that was, by the real clock on a virtual loop, too */
  int busy;
  orr__wall_clock wall;
  void *wall_arg;
  int64_t wall_ms;
  int64_t mono_ms;
  orr__timers timers;
  struct deferred_list deferred; /* for the next turn */
  struct deferred_list current;  /* of this turn */
};

static int64_t read_mono_ms(void) {
  return (int64_t)(uv_hrtime() / 1000000);
}

static int64_t system_wall_ms(void *arg) {
  (void)arg;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static int init_uv(orr__loop *loop, orr_error *reterr) {
  uv_loop_t *uv = malloc(sizeof *uv);
  uv_timer_t *alarm = malloc(sizeof *alarm);
  int rc = 0;
  if (uv == NULL || alarm == NULL) {
    rc = orr__error_set(reterr, ORR_E_NOMEM, "event loop: out of memory");
    goto done;
  }
  int status = uv_loop_init(uv);
  if (status < 0) {
    rc = orr__error_set(reterr, ORR_E_IO, "event loop: %s", uv_strerror(status));
    goto done;
  }
  uv_timer_init(uv, alarm);
  loop->uv = uv;
  loop->alarm = alarm;
  uv = NULL;
  alarm = NULL;
done:
  free(uv);
  free(alarm);
  return rc;
}

/* With its clocks at 0. */
static int loop_new(orr__loop **ret_loop, orr_error *reterr) {
  orr__loop *loop = calloc(1, sizeof *loop);
  if (loop == NULL) return orr__error_set(reterr, ORR_E_NOMEM, "event loop: out of memory");
  int rc = init_uv(loop, reterr);
  if (rc < 0) {
    free(loop);
    return rc;
  }
  orr__timers_init(&loop->timers);
  *ret_loop = loop;
  return 0;
}

int orr__loop_new(orr__wall_clock wall, void *wall_arg, orr__loop **ret_loop, orr_error *reterr) {
  int rc = loop_new(ret_loop, reterr);
  if (rc < 0) return rc;
  (*ret_loop)->wall = wall != NULL ? wall : system_wall_ms;
  (*ret_loop)->wall_arg = wall_arg;
  orr__loop_update(*ret_loop);
  return 0;
}

int orr__loop_new_virtual(int64_t wall_ms, orr__loop **ret_loop, orr_error *reterr) {
  int rc = loop_new(ret_loop, reterr);
  if (rc < 0) return rc;
  (*ret_loop)->is_virtual = true;
  (*ret_loop)->wall_ms = wall_ms;
  return 0;
}

void orr__loop_free(orr__loop *loop) {
  if (loop == NULL) return;
  assert(!loop->is_running);
  uv_close((uv_handle_t *)loop->alarm, free_handle);
  /* Closing a handle takes one turn; a close callback may close another. */
  int status = UV_EBUSY;
  for (int turn = 0; status == UV_EBUSY && turn < 64; turn++) {
    uv_run(loop->uv, UV_RUN_NOWAIT);
    status = uv_loop_close(loop->uv);
  }
  assert(status == 0);
  orr__timers_clear(&loop->timers);
  free(loop->deferred.items);
  free(loop->current.items);
  /* A handle that somebody left open still points to the libuv loop. */
  if (status == 0) free(loop->uv);
  free(loop);
}

bool orr__loop_is_virtual(const orr__loop *loop) {
  return loop->is_virtual;
}

int64_t orr__loop_wall_ms(const orr__loop *loop) {
  return loop->wall_ms;
}

int64_t orr__loop_mono_ms(const orr__loop *loop) {
  return loop->mono_ms;
}

void orr__loop_update(orr__loop *loop) {
  if (loop->is_virtual) return;
  loop->mono_ms = read_mono_ms();
  loop->wall_ms = loop->wall(loop->wall_arg);
}

int64_t orr__loop_turn_ms(const orr__loop *loop) {
  return loop->has_run ? read_mono_ms() - loop->turn_ms : 0;
}

void orr__loop_advance(orr__loop *loop, int64_t delta_ms) {
  assert(loop->is_virtual && delta_ms >= 0);
  loop->mono_ms += delta_ms;
  loop->wall_ms += delta_ms;
}

void orr__loop_step_wall(orr__loop *loop, int64_t delta_ms) {
  assert(loop->is_virtual);
  loop->wall_ms += delta_ms;
}

int orr__timer_start(orr__loop *loop, orr__timer *timer, int64_t due_mono_ms, void (*fire)(void *), void *arg) {
  int rc = orr__timers_put(&loop->timers, timer, due_mono_ms, loop->mono_ms);
  if (rc < 0) return rc;
  timer->fire = fire;
  timer->arg = arg;
  return 0;
}

void orr__timer_stop(orr__loop *loop, orr__timer *timer) {
  orr__timers_remove(&loop->timers, timer);
}

int orr__timer_reserve(orr__loop *loop, orr__timer *timer) { return orr__timers_reserve(&loop->timers, timer); }

void orr__timer_release(orr__loop *loop, orr__timer *timer) { orr__timers_release(&loop->timers, timer); }

bool orr__timer_is_started(const orr__timer *timer) {
  return timer->heap_index != 0;
}

int orr__loop_defer(orr__loop *loop, void (*fn)(void *), void *arg) {
  struct deferred_list *list = &loop->deferred;
  if (list->len == list->cap) {
    size_t cap = list->cap > 0 ? list->cap * 2 : 64;
    if (cap > DEFERRED_MAX) return ORR_E_NOMEM;
    struct deferred *items = realloc(list->items, cap * sizeof *items);
    if (items == NULL) return ORR_E_NOMEM;
    list->items = items;
    list->cap = cap;
  }
  list->items[list->len++] = (struct deferred){ fn, arg };
  return 0;
}

int orr__loop_in_flight(const orr__loop *loop) {
  return loop->busy;
}

void orr__loop_busy(orr__loop *loop, int delta) {
  loop->busy += delta;
  assert(loop->busy >= 0);
}

struct uv_loop_s *orr__loop_uv(orr__loop *loop) {
  return loop->uv;
}

void orr__loop_note(orr__loop *loop) {
  if (loop->has_run) return;
  loop->has_run = true;
  loop->turn_ms = read_mono_ms();
  orr__loop_update(loop);
  /* libuv runs its timers before it waits for I/O; what they did may be all there was to wait for. */
  if (loop->is_polling) uv_stop(loop->uv);
}

/* It may be over before libuv has begun to wait, if we were held up: libuv runs its timers first, and would wait for what never comes. */
static void alarm_fired(uv_timer_t *alarm) { uv_stop(alarm->loop); }

/* Lets libuv wait at most wait_ms (-1: for ever) and run what its handles have to say. */
static void run_uv(orr__loop *loop, int64_t wait_ms) {
  if (wait_ms > 0) {
    /* libuv counts from its own idea of now, which is as old as its last turn. */
    uv_update_time(loop->uv);
    uv_timer_start(loop->alarm, alarm_fired, (uint64_t)wait_ms, 0);
  }
  loop->is_polling = true;
  uv_run(loop->uv, wait_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  loop->is_polling = false;
  uv_timer_stop(loop->alarm);
}

/* How long until the earliest timer by the given clock: 0 if it is due, -1 if there is none. */
static int64_t timer_wait_ms(const orr__loop *loop, int64_t mono_ms) {
  int64_t due_ms;
  if (!orr__timers_next(&loop->timers, &due_ms)) return -1;
  return due_ms <= mono_ms ? 0 : due_ms - mono_ms;
}

static int64_t shorter_wait(int64_t a, int64_t b) {
  if (a < 0) return b;
  if (b < 0) return a;
  return a < b ? a : b;
}

static void run_real(orr__loop *loop, int64_t max_wait_ms, bool has_deferred) {
  int64_t wait_ms = has_deferred ? 0 : shorter_wait(max_wait_ms, timer_wait_ms(loop, read_mono_ms()));
  run_uv(loop, wait_ms);
  /* Where a callback ran, the clocks were read before it and stand still for the rest of the turn. */
  if (!loop->has_run) orr__loop_update(loop);
}

static void run_virtual(orr__loop *loop, int64_t max_wait_ms, bool has_deferred) {
  int64_t until_timer_ms = timer_wait_ms(loop, loop->mono_ms);
  bool has_work = has_deferred || until_timer_ms == 0;
  run_uv(loop, has_work || loop->busy == 0 ? 0 : max_wait_ms);
  if (has_work || loop->has_run || loop->busy > 0) return;
  /* What libuv ran without our knowing may have moved timers. */
  until_timer_ms = timer_wait_ms(loop, loop->mono_ms);
  if (until_timer_ms < 0 || (max_wait_ms >= 0 && until_timer_ms > max_wait_ms)) return;
  orr__loop_advance(loop, until_timer_ms);
}

static void run_deferred(orr__loop *loop) {
  for (size_t i = 0; i < loop->current.len; i++) {
    orr__loop_note(loop);
    loop->current.items[i].fn(loop->current.items[i].arg);
  }
  loop->current.len = 0;
}

bool orr__loop_step(orr__loop *loop, int64_t max_wait_ms) {
  assert(!loop->is_running);
  loop->is_running = true;
  loop->has_run = false;
  struct deferred_list emptied = loop->current;
  loop->current = loop->deferred;
  loop->deferred = emptied;
  bool has_deferred = loop->current.len > 0;
  if (loop->is_virtual) {
    run_virtual(loop, max_wait_ms, has_deferred);
  } else {
    run_real(loop, max_wait_ms, has_deferred);
  }
  run_deferred(loop);
  bool has_fired = orr__timers_fire(&loop->timers, loop->mono_ms) > 0;
  loop->is_running = false;
  return loop->has_run || has_fired;
}

int orr__loop_fd(const orr__loop *loop) {
  return uv_backend_fd(loop->uv);
}

static int64_t timeout_ms(const orr__loop *loop, bool goes_to_timers) {
  if (loop->deferred.len > 0) return 0;
  int64_t timer_ms = timer_wait_ms(loop, loop->is_virtual ? loop->mono_ms : read_mono_ms());
  if (loop->is_virtual && timer_ms > 0) timer_ms = goes_to_timers && loop->busy == 0 ? 0 : -1;
  if (timer_ms == 0) return 0;
  if (!uv_loop_alive(loop->uv)) return timer_ms;
  uv_update_time(loop->uv);
  return shorter_wait(timer_ms, uv_backend_timeout(loop->uv));
}

/* With nothing real in flight a virtual loop does not wait for its timers, it goes to them. */
int64_t orr__loop_timeout_ms(const orr__loop *loop) { return timeout_ms(loop, true); }

int64_t orr__loop_due_ms(const orr__loop *loop) { return timeout_ms(loop, false); }

const char *orr__loop_library(void) { return uv_version_string(); }
