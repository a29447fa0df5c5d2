/* When does a schedule fire next?
 *
 * Deliberately does not know the text a schedule came from. Works in minutes on the wall, one stretch of
 * constant offset after the other: within a stretch, wall time and elapsed time run alike, and all that
 * is special about daylight saving happens where one begins. */
#include "core/cron.h"

#include "base/str.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MINUTES 1440
#define FIRST_MS (-INT64_C(62135596800000)) /* year 1 */
#define LAST_MS INT64_C(253370764800000)    /* year 9999 */
#define NO_MINUTE ORR__CRON_NEVER

/* Gregorian dates and weekdays repeat after this: what does not come within it never comes. */
enum { CYCLE_YEARS = 400 };

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int days_in_month(int64_t year, int month) {
  static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && is_leap);
}

/* Bit n: day n of a month whose first day is day number `first` fits. */
static uint32_t fitting_days(const orr__cron *cron, int64_t first, int length) {
  int weekday = (int)(first + 4 - floor_div(first + 4, 7) * 7); /* of day 1; 1970 began on a Thursday */
  /* The week, turned so that bit 0 is the weekday of day 1, five times over. */
  uint32_t week = ((uint32_t)cron->weekdays >> weekday | (uint32_t)cron->weekdays << (7 - weekday)) & 0x7f;
  uint64_t weeks = week * UINT64_C(0x10204081) << 1;
  uint32_t both = cron->is_either_day ? cron->days | (uint32_t)weeks : cron->days & (uint32_t)weeks;
  return both & (uint32_t)((UINT64_C(2) << length) - 2);
}

/* The first fitting day from `day` on, or NO_MINUTE. */
static int64_t next_day(const orr__cron *cron, int64_t from) {
  int64_t year;
  int month, day;
  orr__civil_from_days(from, &year, &month, &day);
  for (int64_t last = year + CYCLE_YEARS; year <= last;) {
    unsigned months_left = (unsigned)cron->months >> month << month;
    if (months_left) {
      int fitting = __builtin_ctz(months_left);
      if (fitting > month) day = 1;
      month = fitting;
      int64_t first = orr__days_from_civil(year, month, 1);
      uint32_t days = fitting_days(cron, first, days_in_month(year, month)) >> day << day;
      if (days) return first + __builtin_ctz(days) - 1;
    } else {
      month = 12;
    }
    day = 1;
    if (++month > 12) {
      month = 1;
      year++;
    }
  }
  return NO_MINUTE;
}

/* The first fitting minute of a day from `minute` on, or -1. */
static int next_in_day(const orr__cron *cron, int minute) {
  int hour = minute / 60;
  uint64_t minutes = cron->minutes >> (minute % 60) << (minute % 60);
  if ((cron->hours >> hour & 1) && minutes) return hour * 60 + __builtin_ctzll(minutes);
  uint32_t hours = hour < 23 ? cron->hours >> (hour + 1) << (hour + 1) : 0;
  return hours ? __builtin_ctz(hours) * 60 + __builtin_ctzll(cron->minutes) : -1;
}

/* The first fitting minute on the wall (minutes since 1970) from `from` on, or NO_MINUTE. */
static int64_t next_minute(const orr__cron *cron, int64_t from) {
  int64_t day = floor_div(from, DAY_MINUTES);
  int64_t fitting = next_day(cron, day);
  if (fitting == NO_MINUTE) return NO_MINUTE;
  int minute = next_in_day(cron, fitting == day ? (int)(from - day * DAY_MINUTES) : 0);
  if (minute < 0) {
    fitting = next_day(cron, day + 1);
    if (fitting == NO_MINUTE) return NO_MINUTE;
    minute = next_in_day(cron, 0);
  }
  return fitting * DAY_MINUTES + minute;
}

/* First minute on the wall that begins at or after a local instant. */
static int64_t minute_from(int64_t local_ms) { return -floor_div(-local_ms, MINUTE_MS); }

/* Was a fitting time left out when the clock was set forward at the start of this span? Which one? */
static bool is_owed(const orr__cron *cron, const orr__zone_span *span, int64_t *ret_minute) {
  int64_t shift_ms = span->offset_ms - span->offset_before_ms;
  if (cron->is_elapsed || shift_ms <= 0 || shift_ms >= ORR__CRON_SHIFT_LIMIT_MS) return false;
  *ret_minute = next_minute(cron, minute_from(span->start_ms + span->offset_before_ms));
  return *ret_minute != NO_MINUTE && *ret_minute * MINUTE_MS < span->start_ms + span->offset_ms;
}

bool orr__cron_is_owed(const orr__cron *cron, const orr__zone *zone, int64_t at_ms, int64_t *ret_minute) {
  orr__zone_span span = orr__zone_span_at(zone, at_ms);
  return cron->every_ms == 0 && at_ms == span.start_ms && is_owed(cron, &span, ret_minute);
}

/* Up to which local instant was the wall's time shown before, in the span that came earlier? */
static int64_t repeated_until(const orr__cron *cron, const orr__zone_span *span) {
  int64_t shift_ms = span->offset_before_ms - span->offset_ms;
  if (cron->is_elapsed || shift_ms <= 0 || shift_ms >= ORR__CRON_SHIFT_LIMIT_MS) return INT64_MIN;
  return span->start_ms + span->offset_before_ms;
}

static int64_t next_every(const orr__cron *cron, int64_t anchor_ms, int64_t after_ms) {
  if (after_ms < anchor_ms) return anchor_ms;
  uint64_t since = (uint64_t)after_ms - (uint64_t)anchor_ms;
  uint64_t rest = since % (uint64_t)cron->every_ms;
  int64_t step = cron->every_ms - (int64_t)rest;
  return after_ms > LAST_MS - step ? ORR__CRON_NEVER : after_ms + step;
}

int64_t orr__cron_next(const orr__cron *cron, const orr__zone *zone, int64_t anchor_ms, int64_t after_ms) {
  if (after_ms >= LAST_MS) return ORR__CRON_NEVER;
  if (cron->every_ms > 0) return next_every(cron, anchor_ms, after_ms);
  int64_t from_ms = after_ms < FIRST_MS ? FIRST_MS : after_ms + 1;
  for (;;) {
    orr__zone_span span = orr__zone_span_at(zone, from_ms);
    int64_t left_out;
    if (from_ms == span.start_ms && is_owed(cron, &span, &left_out)) return from_ms;
    int64_t local_ms = from_ms + span.offset_ms, repeated_ms = repeated_until(cron, &span);
    int64_t minute = next_minute(cron, minute_from(local_ms < repeated_ms ? repeated_ms : local_ms));
    if (minute == NO_MINUTE) return ORR__CRON_NEVER;
    int64_t at_ms = minute * MINUTE_MS - span.offset_ms;
    if (at_ms < span.end_ms) return at_ms < LAST_MS ? at_ms : ORR__CRON_NEVER;
    from_ms = span.end_ms;
  }
}

bool orr__cron_is_never(const orr__cron *cron) { return cron->every_ms == 0 && next_day(cron, 0) == NO_MINUTE; }

int64_t orr__cron_next_wall(const orr__cron *cron, int64_t from_minute) { return next_minute(cron, from_minute); }
