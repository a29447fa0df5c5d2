/* What its author should know of a schedule, or of one of its fires, beyond what it means.
 *
 * Deliberately does not know the clock: whoever prints fires asks about each, and says from when on to look. */
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"
#include "core/cron.h"

enum { LINE_MAX_LEN = 256, DAY_MINUTES = 1440 };

#define MINUTE_MS INT64_C(60000)
#define DAY_MS (DAY_MINUTES * MINUTE_MS)
#define YEAR_MS (366 * DAY_MS)
#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS ((UINT32_C(1) << 24) - 1)
#define ALL_DAYS UINT32_C(0xfffffffe)
#define ALL_WEEKDAYS 0x7f

typedef struct teller {
  void (*each)(void *arg, const char *line);
  void *arg;
} teller;

__attribute__((format(printf, 2, 3))) static void tell(const teller *to, const char *format, ...) {
  char line[LINE_MAX_LEN];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  to->each(to->arg, line);
}

typedef struct wall_text {
  char date[24], time[8];
} wall_text;

static wall_text wall(int64_t local_minute) {
  wall_text text;
  int64_t day = local_minute / DAY_MINUTES, year;
  int minute = (int)(local_minute % DAY_MINUTES), month, month_day;
  if (minute < 0) {
    minute += DAY_MINUTES;
    day--;
  }
  orr__civil_from_days(day, &year, &month, &month_day);
  snprintf(text.date, sizeof text.date, "%04d-%02d-%02d", (int)year, month, month_day);
  snprintf(text.time, sizeof text.time, "%02d:%02d", minute / 60, minute % 60);
  return text;
}

/* ---- notes on a fire ---------------------------------------------------------------------------------------- */

static char *note_gap(const orr__cron *cron, const orr__zone *zone, int64_t at_ms, int64_t minute) {
  orr__zone_span span = orr__zone_span_at(zone, at_ms);
  int64_t before = (at_ms + span.offset_before_ms) / MINUTE_MS, after = (at_ms + span.offset_ms) / MINUTE_MS,
          last = minute;
  int times = 0;
  for (int64_t m = minute; m < after; m = orr__cron_next_wall(cron, m + 1), times++) last = m;
  wall_text first = wall(minute), to = wall(after);
  if (times == 1)
    return orr__strf(
        "%s does not exist on %s in %s: the clock goes forward from %s to %s, so it fires right after, at %s",
        first.time, first.date, orr__zone_name(zone), wall(before).time, to.time, to.time);
  return orr__strf(
      "%s to %s (%d times) do not exist on %s in %s: the clock goes forward from %s to %s, so it fires once right "
      "after, at %s",
      first.time, wall(last).time, times, first.date, orr__zone_name(zone), wall(before).time, to.time, to.time);
}

char *orr__cron_note(const orr__cron *cron, const orr__zone *zone, int64_t at_ms) {
  int64_t minute, early_ms, late_ms;
  if (cron->every_ms > 0) return NULL;
  if (orr__cron_is_owed(cron, zone, at_ms, &minute)) return note_gap(cron, zone, at_ms, minute);
  int64_t local_ms = at_ms + orr__zone_offset_ms(zone, at_ms);
  if (orr__zone_from_local(zone, local_ms, &early_ms, &late_ms) != ORR__ZONE_TWICE) return NULL;
  bool fires_once = !cron->is_elapsed && late_ms - early_ms < ORR__CRON_SHIFT_LIMIT_MS;
  if (fires_once && at_ms != early_ms) return NULL; /* no fire of this schedule */
  wall_text text = wall(local_ms / MINUTE_MS);
  return orr__strf("%s comes twice on %s in %s, for the clock goes back: %s", text.time, text.date,
                   orr__zone_name(zone),
                   fires_once          ? "it fires the first time only"
                   : at_ms == early_ms ? "it fires both times, and this is the first"
                                       : "it fires both times, and this is the second");
}

/* ---- warnings ----------------------------------------------------------------------------------------------- */

/* A step over a whole field of `size` values, and what is left of it where the field begins anew. */
static void warn_uneven(const teller *to, uint64_t bits, int size, const char *unit, const char *whole) {
  int first = __builtin_ctzll(bits), last = 63 - __builtin_clzll(bits);
  uint64_t others = bits & (bits - 1);
  if (!others) return;
  int step = __builtin_ctzll(others) - first, rest = size - last + first;
  if (rest != step)
    tell(to, "%d does not divide %d: every %d %ss, but %d where a new %s begins", step, size, step, unit, rest, whole);
}

static void warn_steps(const teller *to, const orr__cron *cron) {
  if (cron->stepped >> ORR__CRON_MINUTE & 1) warn_uneven(to, cron->minutes, 60, "minute", "hour");
  if (cron->stepped >> ORR__CRON_HOUR & 1) warn_uneven(to, cron->hours, 24, "hour", "day");
  if (cron->stepped >> ORR__CRON_MONTH & 1) warn_uneven(to, cron->months, 12, "month", "year");
  if (cron->stepped >> ORR__CRON_WEEKDAY & 1) warn_uneven(to, cron->weekdays, 7, "day", "week");
  uint32_t days = cron->days & (cron->days - 1);
  if ((cron->stepped >> ORR__CRON_DAY & 1) && days)
    tell(to, "every %d days, but the count begins anew with each month",
         __builtin_ctz(days) - __builtin_ctz(cron->days));
}

static void warn_days(const teller *to, const orr__cron *cron) {
  bool has_days = cron->days != ALL_DAYS, has_weekdays = cron->weekdays != ALL_WEEKDAYS;
  if (cron->is_either_day)
    tell(to, "day of month and day of week are both restricted: it fires on days that fit either");
  else if (has_days && has_weekdays)
    tell(to, "a step of * restricts one of the day fields: it fires only on days that fit both");
  if (cron->is_either_day || (cron->stepped >> ORR__CRON_DAY & 1)) return;
  const uint16_t february = 1 << 2, without_31 = 1 << 2 | 1 << 4 | 1 << 6 | 1 << 9 | 1 << 11;
  for (int day = 29; day <= 31; day++) {
    /* The end of a range, as of 25-31, is meant as the end of the month. */
    if (!(cron->days >> day & 1) || (cron->days >> (day - 1) & 1)) continue;
    if (!(cron->months & (day == 31 ? without_31 : february))) continue;
    if (day == 29 && cron->months == february) {
      tell(to, "29 February comes in leap years only");
    } else {
      tell(to, "day %d: months without one are left out", day);
    }
  }
}

void orr__cron_warn(const orr__cron *cron, void (*each)(void *arg, const char *line), void *arg) {
  const teller to = { each, arg };
  if (cron->every_ms > 0) return;
  warn_days(&to, cron);
  warn_steps(&to, cron);
  if (cron->minutes == ALL_MINUTES && cron->hours != ALL_HOURS)
    tell(&to, "every minute: that is 60 times in each of its hours; for once write a minute, such as 0 or H");
}

/* The first fitting time that the change at the start of the span leaves out, or ORR__CRON_NEVER. */
static int64_t left_out(const orr__cron *cron, const orr__zone_span *span) {
  int64_t shift_ms = span->offset_ms - span->offset_before_ms;
  if (shift_ms <= 0 || shift_ms >= ORR__CRON_SHIFT_LIMIT_MS) return ORR__CRON_NEVER;
  int64_t minute = orr__cron_next_wall(cron, (span->start_ms + span->offset_before_ms) / MINUTE_MS);
  return minute < (span->start_ms + span->offset_ms) / MINUTE_MS ? minute : ORR__CRON_NEVER;
}

void orr__cron_warn_clock(const orr__cron *cron, const orr__zone *zone, int64_t from_ms,
                          void (*each)(void *arg, const char *line), void *arg) {
  const teller to = { each, arg };
  int64_t end_ms = from_ms < INT64_MAX - YEAR_MS ? from_ms + YEAR_MS : INT64_MAX;
  bool is_daily = cron->every_ms > 0 && cron->every_ms % DAY_MS == 0;
  bool loses = cron->every_ms == 0 && cron->is_elapsed && cron->hours != ALL_HOURS;
  if (!is_daily && !loses) return;
  for (int64_t at_ms = orr__zone_next_change(zone, from_ms); at_ms < end_ms;
       at_ms = orr__zone_next_change(zone, at_ms)) {
    orr__zone_span span = orr__zone_span_at(zone, at_ms);
    wall_text text = wall((at_ms + span.offset_before_ms) / MINUTE_MS);
    if (is_daily) {
      tell(&to,
           "@every follows elapsed time: when the clock of %s is changed on %s, its fires move to another time of day",
           orr__zone_name(zone), text.date);
      return;
    }
    int64_t minute = left_out(cron, &span);
    if (minute == ORR__CRON_NEVER) continue;
    text = wall(minute);
    tell(&to,
         "%s does not exist on %s in %s, for the clock goes forward: it is left out, and would fire right after if "
         "minute "
         "and hour held no *",
         text.time, text.date, orr__zone_name(zone));
    return;
  }
}
