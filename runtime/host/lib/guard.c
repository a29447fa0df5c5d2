/* One thread inside a runtime at a time, whoever calls.
 *
 * A step stays inside while it waits for something to become due, so whoever wants to come in ends that wait through an eventfd that the
 * loop watches. A step gives way to all others who wait; two that step do not disturb each other, the second waits for its turn as
 * long as it would have waited for something to become due. Functions that the runtime's own callbacks call (hooks in C) are inside
 * already: the owner may come in again, but not step.
 *
 * Who is on the way in holds a reference, so a runtime that is closed meanwhile is still there to say so; the last one out frees it.
 * `lock` is held for moments only, and guards the rest of the struct. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "host/lib/lib.h"

int orr__guard_open(orr_runtime *rt) {
  orr__guard *guard = &rt->guard;
  pthread_condattr_t monotonic;
  guard->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (guard->wake_fd < 0) return ORR_E_IO;
  atomic_store(&guard->refs, 1);
  pthread_mutex_init(&guard->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&guard->free, &monotonic);
  pthread_cond_init(&guard->news, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return 0;
}

static void woken(void *arg) {
  uint64_t count;
  if (read(((orr__guard *)arg)->wake_fd, &count, sizeof count) < 0) return; /* nothing was there */
}

int orr__guard_watch(orr_runtime *rt) { return orr__watch_new(rt->loop, rt->guard.wake_fd, woken, &rt->guard, &rt->guard.watch); }

void orr__guard_unwatch(orr_runtime *rt) {
  orr__watch_free(rt->guard.watch);
  rt->guard.watch = NULL;
}

void orr__guard_unref(orr_runtime *rt) {
  if (atomic_fetch_sub(&rt->guard.refs, 1) > 1) return;
  close(rt->guard.wake_fd);
  pthread_cond_destroy(&rt->guard.news);
  pthread_cond_destroy(&rt->guard.free);
  pthread_mutex_destroy(&rt->guard.lock);
  free(rt);
}

static uintptr_t self_id(void) { return (uintptr_t)pthread_self(); }

/* Waits on one of the two conditions; false: the time is up. `lock` is held. */
static bool sleep_on(orr__guard *guard, pthread_cond_t *cond, const struct timespec *until) {
  int rc = until ? pthread_cond_timedwait(cond, &guard->lock, until) : pthread_cond_wait(cond, &guard->lock);
  return rc != ETIMEDOUT;
}

/* `lock` is held. */
static void end_wait_of_step(orr__guard *guard) {
  uint64_t one = 1;
  if (write(guard->wake_fd, &one, sizeof one) < 0) return; /* full: it will end all the same */
}

/* Comes in; `lock` is held. False: the time of a step is up. */
static bool acquire(orr__guard *guard, bool is_step, const struct timespec *until) {
  bool is_mine = true;
  guard->waiting += !is_step;
  guard->sleepers++;
  while (is_mine && (guard->is_inside || (is_step && guard->waiting > 0))) {
    if (!is_step && guard->is_stepping) end_wait_of_step(guard);
    is_mine = sleep_on(guard, &guard->free, is_step ? until : NULL);
  }
  guard->sleepers--;
  guard->waiting -= !is_step;
  if (!is_mine) return false;
  guard->is_inside = true;
  guard->is_stepping = is_step;
  guard->depth = 1;
  atomic_store(&guard->owner, self_id());
  return true;
}

/* Goes out; `lock` is held. */
static void release(orr__guard *guard) {
  guard->is_inside = guard->is_stepping = false;
  atomic_store(&guard->owner, 0);
  if (guard->sleepers > 0) pthread_cond_broadcast(&guard->free);
}

static bool come_in(orr__guard *guard, bool is_step, const struct timespec *until) {
  atomic_fetch_add(&guard->refs, 1);
  pthread_mutex_lock(&guard->lock);
  bool is_mine = acquire(guard, is_step, until);
  pthread_mutex_unlock(&guard->lock);
  return is_mine;
}

static int closed(orr_runtime *rt, orr_error *reterr) {
  orr__leave(rt);
  return orr__error_set(reterr, ORR_E_CLOSED, "the runtime is closed");
}

int orr__enter(const orr_runtime *const_rt, orr_error *reterr) {
  orr_runtime *rt = (orr_runtime *)const_rt; /* to look at it takes the lock, too */
  if (!rt) return orr__error_set(reterr, ORR_E_MISUSE, "there is no runtime: NULL");
  if (atomic_load(&rt->guard.owner) == self_id()) rt->guard.depth++;
  else come_in(&rt->guard, false, NULL);
  return rt->guard.is_closed ? closed(rt, reterr) : 0;
}

int orr__enter_outside(orr_runtime *rt, orr_error *reterr) {
  if (!rt || atomic_load(&rt->guard.owner) != self_id()) return orr__enter(rt, reterr);
  return orr__error_set(reterr, ORR_E_MISUSE, "the runtime's own callbacks cannot turn its wheels, nor close it");
}

int orr__enter_step(orr_runtime *rt, const struct timespec *until, orr_error *reterr) {
  if (!rt || atomic_load(&rt->guard.owner) == self_id()) return orr__enter_outside(rt, reterr);
  if (!come_in(&rt->guard, true, until)) {
    orr__guard_unref(rt);
    return orr__error_set(reterr, ORR_E_TIMEOUT, "another thread turns the wheels");
  }
  return rt->guard.is_closed ? closed(rt, reterr) : 0;
}

void orr__leave(const orr_runtime *const_rt) {
  orr_runtime *rt = (orr_runtime *)const_rt;
  orr__guard *guard = &rt->guard;
  if (--guard->depth > 0) return;
  if (!guard->is_closed) orr__fds_settle(rt);
  pthread_mutex_lock(&guard->lock);
  release(guard);
  pthread_mutex_unlock(&guard->lock);
  orr__guard_unref(rt);
}

bool orr__guard_sleep(orr_runtime *rt, const struct timespec *until) {
  orr__guard *guard = &rt->guard;
  pthread_mutex_lock(&guard->lock);
  release(guard);
  bool has_news = sleep_on(guard, &guard->news, until);
  acquire(guard, false, NULL);
  pthread_mutex_unlock(&guard->lock);
  return has_news;
}

void orr__guard_tell(orr_runtime *rt) {
  pthread_mutex_lock(&rt->guard.lock);
  pthread_cond_broadcast(&rt->guard.news);
  pthread_mutex_unlock(&rt->guard.lock);
}

struct timespec orr__deadline(int64_t wait_ms) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  now.tv_sec += (time_t)(wait_ms / 1000);
  now.tv_nsec += (long)(wait_ms % 1000) * 1000000;
  if (now.tv_nsec < 1000000000) return now;
  now.tv_sec++;
  now.tv_nsec -= 1000000000;
  return now;
}

orr_runtime *orr_ref(orr_runtime *runtime) {
  if (runtime) atomic_fetch_add(&runtime->guard.refs, 1);
  return runtime;
}

void orr_unref(orr_runtime *runtime) {
  if (runtime) orr__guard_unref(runtime);
}
