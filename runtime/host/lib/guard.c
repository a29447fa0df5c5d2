/* One thread inside a runtime at a time, whoever calls.
 *
 * A step holds the lock while it waits for something to become due, so whoever finds it taken ends that wait through an eventfd that the
 * loop watches. A step gives way to all who wait before it begins, so that a busy loop cannot keep them out. Functions that the
 * runtime's own callbacks call (hooks in C) are inside already: the owner may come in again, but not step. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/lib/lib.h"

int orr__guard_open(orr_runtime *rt) {
  orr__guard *guard = &rt->guard;
  guard->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (guard->wake_fd < 0) return ORR_E_IO;
  pthread_mutex_init(&guard->lock, NULL);
  pthread_cond_init(&guard->calm, NULL);
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

void orr__guard_close(orr_runtime *rt) {
  close(rt->guard.wake_fd);
  pthread_cond_destroy(&rt->guard.calm);
  pthread_mutex_destroy(&rt->guard.lock);
}

static uintptr_t self_id(void) { return (uintptr_t)pthread_self(); }

static void come_in(orr__guard *guard) {
  uint64_t one = 1;
  if (pthread_mutex_trylock(&guard->lock)) {
    atomic_fetch_add(&guard->waiting, 1);
    if (write(guard->wake_fd, &one, sizeof one) < 0) one = 0; /* full: it will wake up all the same */
    pthread_mutex_lock(&guard->lock);
    if (atomic_fetch_sub(&guard->waiting, 1) == 1) pthread_cond_broadcast(&guard->calm);
  }
  atomic_store(&guard->owner, self_id());
  guard->depth = 1;
}

int orr__enter(const orr_runtime *const_rt, orr_error *reterr) {
  orr_runtime *rt = (orr_runtime *)const_rt; /* to look at it takes the lock, too */
  if (!rt) return orr__error_set(reterr, ORR_E_MISUSE, "there is no runtime: NULL");
  if (atomic_load(&rt->guard.owner) == self_id()) rt->guard.depth++;
  else come_in(&rt->guard);
  return 0;
}

int orr__enter_step(orr_runtime *rt, orr_error *reterr) {
  if (rt && atomic_load(&rt->guard.owner) == self_id())
    return orr__error_set(reterr, ORR_E_MISUSE, "the runtime's own callbacks cannot turn its wheels, nor close it");
  int code = orr__enter(rt, reterr);
  if (code) return code;
  orr__guard *guard = &rt->guard;
  while (atomic_load(&guard->waiting) > 0) {
    atomic_store(&guard->owner, 0);
    pthread_cond_wait(&guard->calm, &guard->lock);
    atomic_store(&guard->owner, self_id());
  }
  guard->depth = 1;
  return 0;
}

void orr__leave(const orr_runtime *const_rt) {
  orr__guard *guard = &((orr_runtime *)const_rt)->guard;
  if (--guard->depth > 0) return;
  atomic_store(&guard->owner, 0);
  pthread_mutex_unlock(&guard->lock);
}
