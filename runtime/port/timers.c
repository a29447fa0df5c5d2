/* Timers: a binary heap whose entries carry their sort key, so that a comparison touches no timer.
 *
 * Deliberately ignorant of clocks, of libuv and of whether time is real.
 *
 * Invariants: entries[i].timer->heap_index == i + 1, and 0 for every timer outside; no entry sorts before
 * its parent (i - 1) / 2; order numbers never repeat, so that no two entries are equal. */
#include "port/timers.h"

#include <assert.h>
#include <stdlib.h>

/* More timers than this at once is a leak somewhere, not a load. */
#define TIMERS_MAX ((size_t)1 << 26)

struct orr__timer_entry {
  int64_t due_ms;
  uint64_t order;
  orr__timer *timer;
};

static bool entry_before(const struct orr__timer_entry *a, const struct orr__timer_entry *b) {
  return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void entry_set(orr__timers *timers, size_t i, struct orr__timer_entry entry) {
  timers->entries[i] = entry;
  entry.timer->heap_index = i + 1;
}

static void sift_up(orr__timers *timers, size_t i, struct orr__timer_entry entry) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (!entry_before(&entry, &timers->entries[parent])) break;
    entry_set(timers, i, timers->entries[parent]);
    i = parent;
  }
  entry_set(timers, i, entry);
}

static void sift_down(orr__timers *timers, size_t i, struct orr__timer_entry entry) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= timers->len) break;
    if (child + 1 < timers->len && entry_before(&timers->entries[child + 1], &timers->entries[child])) child++;
    if (!entry_before(&timers->entries[child], &entry)) break;
    entry_set(timers, i, timers->entries[child]);
    i = child;
  }
  entry_set(timers, i, entry);
}

/* Puts entry where the heap has a hole. */
static void fill_hole(orr__timers *timers, size_t i, struct orr__timer_entry entry) {
  if (i > 0 && entry_before(&entry, &timers->entries[(i - 1) / 2])) {
    sift_up(timers, i, entry);
  } else {
    sift_down(timers, i, entry);
  }
}

void orr__timers_init(orr__timers *timers) {
  *timers = (orr__timers){ 0 };
}

void orr__timers_clear(orr__timers *timers) {
  for (size_t i = 0; i < timers->len; i++) timers->entries[i].timer->heap_index = 0;
  free(timers->entries);
  *timers = (orr__timers){ 0 };
}

/* Makes room for one more, be it started or kept a place for. Invariant: cap >= reserved + unreserved. */
static int reserve_one(orr__timers *timers) {
  if (timers->reserved + timers->unreserved < timers->cap) return 0;
  size_t cap = timers->cap > 0 ? timers->cap * 2 : 64;
  if (cap > TIMERS_MAX) return ORR_E_NOMEM;
  struct orr__timer_entry *entries = realloc(timers->entries, cap * sizeof *entries);
  if (entries == NULL) return ORR_E_NOMEM;
  timers->entries = entries;
  timers->cap = cap;
  return 0;
}

int orr__timers_put(orr__timers *timers, orr__timer *timer, int64_t due_ms, int64_t now_ms) {
  /* Due times in the past would sort before what is still to fire in this round and hide it. */
  int64_t key = timers->is_firing && due_ms < now_ms ? now_ms : due_ms;
  struct orr__timer_entry entry = { key, timers->next_order, timer };
  if (timer->heap_index == 0) {
    if (!timer->is_reserved && reserve_one(timers) < 0) return ORR_E_NOMEM;
    timers->unreserved += !timer->is_reserved;
    sift_up(timers, timers->len++, entry);
  } else {
    assert(timers->entries[timer->heap_index - 1].timer == timer);
    fill_hole(timers, timer->heap_index - 1, entry);
  }
  timers->next_order++;
  timer->due_mono_ms = due_ms;
  return 0;
}

void orr__timers_remove(orr__timers *timers, orr__timer *timer) {
  if (timer->heap_index == 0) return;
  size_t i = timer->heap_index - 1;
  assert(i < timers->len && timers->entries[i].timer == timer);
  timer->heap_index = 0;
  timers->unreserved -= !timer->is_reserved;
  struct orr__timer_entry last = timers->entries[--timers->len];
  if (i < timers->len) fill_hole(timers, i, last);
}

int orr__timers_reserve(orr__timers *timers, orr__timer *timer) {
  assert(timer->heap_index == 0 && !timer->is_reserved);
  if (reserve_one(timers) < 0) return ORR_E_NOMEM;
  timer->is_reserved = true;
  timers->reserved++;
  return 0;
}

void orr__timers_release(orr__timers *timers, orr__timer *timer) {
  orr__timers_remove(timers, timer);
  timers->reserved -= timer->is_reserved;
  timer->is_reserved = false;
}

bool orr__timers_next(const orr__timers *timers, int64_t *ret_due_ms) {
  if (timers->len == 0) return false;
  *ret_due_ms = timers->entries[0].due_ms;
  return true;
}

size_t orr__timers_fire(orr__timers *timers, int64_t now_ms) {
  size_t fired = 0;
  uint64_t end = timers->next_order;
  timers->is_firing = true;
  while (timers->len > 0 && timers->entries[0].due_ms <= now_ms && timers->entries[0].order < end) {
    orr__timer *timer = timers->entries[0].timer;
    orr__timers_remove(timers, timer);
    timer->fire(timer->arg);
    fired++;
  }
  timers->is_firing = false;
  return fired;
}
