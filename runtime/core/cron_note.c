/* What its author should know of a schedule, or of one of its fires, beyond what it means.
 *
 * Deliberately does not know the clock: whoever prints fires asks about each. */
#include <stdio.h>

#include "base/str.h"
#include "core/cron.h"

#define MINUTE_MS INT64_C(60000)

static void clock_time(int64_t local_minute, char text[8]) {
  int64_t minute = local_minute % 1440;
  if (minute < 0) minute += 1440;
  snprintf(text, 8, "%02d:%02d", (int)(minute / 60), (int)(minute % 60));
}

char *orr__cron_note(const orr__cron *cron, const orr__zone *zone, int64_t at_ms) {
  int64_t minute;
  char time[8];
  if (cron->every_ms > 0 || cron->is_elapsed) return NULL;
  if (orr__cron_is_owed(cron, zone, at_ms, &minute)) {
    clock_time(minute, time);
    return orr__strf("%s does not exist on that day in %s: it fires when the clock goes forward", time,
                     orr__zone_name(zone));
  }
  int64_t local_ms = at_ms + orr__zone_offset_ms(zone, at_ms), early_ms;
  if (orr__zone_from_local(zone, local_ms, &early_ms, NULL) != ORR__ZONE_TWICE || early_ms != at_ms) return NULL;
  clock_time(local_ms / MINUTE_MS, time);
  return orr__strf("%s comes twice on that day in %s, for the clock goes back: it fires the first time", time,
                   orr__zone_name(zone));
}

/* The distance between neighbours if that is the same for all and does not divide the field, else 0: */
static int uneven_step(uint64_t bits, int size) {
  int first = __builtin_ctzll(bits), last = 63 - __builtin_clzll(bits), number = __builtin_popcountll(bits);
  if (number < 3 || (last - first) % (number - 1) != 0) return 0;
  int step = (last - first) / (number - 1);
  if (step == 1 || size % step == 0 || first >= step || last + step < size) return 0;
  for (int value = first; value <= last; value += step)
    if (!(bits >> value & 1)) return 0;
  return step;
}

static void warn_uneven(uint64_t bits, int size, const char *unit, const char *whole,
                        void (*each)(void *arg, const char *line), void *arg) {
  char line[160];
  int step = uneven_step(bits, size);
  if (!step) return;
  int rest = size - (63 - __builtin_clzll(bits)) + __builtin_ctzll(bits);
  snprintf(line, sizeof line, "%d does not divide %d: every %d %ss, but only %d where a new %s begins", step, size,
           step, unit, rest, whole);
  each(arg, line);
}

void orr__cron_warn(const orr__cron *cron, void (*each)(void *arg, const char *line), void *arg) {
  char line[160];
  if (cron->every_ms > 0) return;
  if (cron->is_either_day)
    each(arg, "day of month and day of week are both restricted: it fires on days that fit either");
  int day = __builtin_ctz(cron->days), month;
  bool is_short = false;
  for (month = 1; month <= 12; month++) {
    int length = month == 2 ? 28 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    is_short = is_short || ((cron->months >> month & 1) && day > length);
  }
  if (is_short && !cron->is_either_day) {
    snprintf(line, sizeof line, "day %d: months without one are left out", day);
    each(arg, line);
  }
  warn_uneven(cron->minutes, 60, "minute", "hour", each, arg);
  warn_uneven(cron->hours, 24, "hour", "day", each, arg);
}
