/* Milliseconds for waiting in the host's own loops, and the wall clock for "3 minutes ago". */
#ifndef ORR_HOST_CLOCK_H
#define ORR_HOST_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t orr__clock_ms(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t orr__mono_ms(void) {
  return orr__clock_ms(CLOCK_MONOTONIC);
}

static inline int64_t orr__wall_ms(void) {
  return orr__clock_ms(CLOCK_REALTIME);
}

#endif
