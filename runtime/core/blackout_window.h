/* What blackout_parse.c makes of a text, blackout.c asks, and blackout_text.c tells. Only for these three. */
#ifndef ORR_CORE_BLACKOUT_WINDOW_H
#define ORR_CORE_BLACKOUT_WINDOW_H

#include <stddef.h>

#include "core/blackout.h"

enum { ORR__DAY_MINUTES = 1440, ORR__ALL_WEEKDAYS = 0x7f, ORR__BLACKOUTS_MAX = 64 };

/* Minutes and days are those of the wall; days count from 1970. */
typedef struct orr__window {
  enum { ORR__WINDOW_WEEKLY, ORR__WINDOW_YEARLY, ORR__WINDOW_DATES, ORR__WINDOW_SPAN } kind;
  uint8_t weekdays;    /* WEEKLY: bit 0 is Sunday */
  int64_t first, last; /* YEARLY: month * 32 + day, first > last goes over the new year; DATES: days; last is included */
  int from, to;        /* of a day, all kinds but SPAN; to > 1440 goes on to the next day, 0 to 1440 is all day */
  int64_t start, end;  /* SPAN: minutes since 1970 */
} orr__window;

struct orr__blackouts {
  size_t count;
  orr__window windows[];
};

#endif
