/* The timers of one loop: a binary heap on (due time, order of starting). For loop_uv.c only; everybody else
 * starts and stops timers through loop.h. Knows no clock: the caller says what time it is. */
#ifndef ORR_PORT_TIMERS_H
#define ORR_PORT_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/loop.h"

struct orr__timer_entry;

typedef struct orr__timers {
  struct orr__timer_entry *entries; /* entries[0] is the earliest */
  size_t len;
  size_t cap;
  size_t reserved;                  /* timers that have a place kept for them, started or not */
  size_t unreserved;                /* timers started that have none */
  uint64_t next_order;              /* the order number of the next start */
  bool is_firing;
} orr__timers;

void orr__timers_init(orr__timers *timers);
/* Stops all that are left and releases the heap. */
void orr__timers_clear(orr__timers *timers);
/* Puts or moves a timer. While timers fire, one that is already due at now_ms waits for the next round,
 * behind everything that is due in this one. Returns 0 or ORR_E_NOMEM (the timer is as it was). */
int orr__timers_put(orr__timers *timers, orr__timer *timer, int64_t due_ms, int64_t now_ms);
void orr__timers_remove(orr__timers *timers, orr__timer *timer);
int orr__timers_reserve(orr__timers *timers, orr__timer *timer);
void orr__timers_release(orr__timers *timers, orr__timer *timer);
/* When the earliest is due; false if there is none. */
bool orr__timers_next(const orr__timers *timers, int64_t *ret_due_ms);
/* Fires what was due at now_ms when called, each stopped before its function runs. Returns how many. */
size_t orr__timers_fire(orr__timers *timers, int64_t now_ms);

#endif
