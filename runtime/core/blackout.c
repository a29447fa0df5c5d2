/* Does a blackout window hold an instant, and until when?
 *
 * Deliberately does not know the text (blackout_parse.c). Every window is asked on the wall clock, minute by minute: does it
 * hold this one, and at which minute does it end? Within one stretch of constant offset the wall runs as time does; where
 * a stretch ends, the question is asked afresh, so that daylight saving needs no rule of its own. */
#include "core/blackout_window.h"

#include <stdlib.h>

#include "base/str.h"

enum { FIRES_MAX = 10000 };

#define MINUTE_MS INT64_C(60000)
#define FIRST_MS (-INT64_C(62135596800000))    /* year 1 */
#define LAST_MS INT64_C(253370764800000)       /* year 9999 */
#define HORIZON_MS (INT64_C(36525) * 86400000) /* a hundred years */

void orr__blackouts_free(orr__blackouts *blackouts) { free(blackouts); }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Is the window's on this day? *ret_last: the last day up to which it is on without a break, as far as is easily told. */
static bool is_on_yearly(const orr__window *w, int64_t day, int64_t *ret_last) {
  int64_t year;
  int month, month_day;
  orr__civil_from_days(day, &year, &month, &month_day);
  int64_t today = month * 32 + month_day;
  bool goes_over = w->last < w->first;
  bool is_in = goes_over ? today >= w->first || today <= w->last : today >= w->first && today <= w->last;
  if (!is_in) return false;
  if (goes_over && today >= w->first) year++;
  /* Of 29 February, in a year that has none, this makes 1 March: the day after the last one. */
  int64_t last = orr__days_from_civil(year, (int)(w->last / 32), (int)(w->last % 32));
  int64_t march = orr__days_from_civil(year, 3, 1);
  *ret_last = w->last == 2 * 32 + 29 && last == march ? march - 1 : last;
  return true;
}

static bool is_on(const orr__window *w, int64_t day, int64_t *ret_last) {
  if (w->kind == ORR__WINDOW_YEARLY) return is_on_yearly(w, day, ret_last);
  if (w->kind == ORR__WINDOW_DATES) {
    *ret_last = w->last;
    return day >= w->first && day <= w->last;
  }
  int64_t weekday = day + 4 - floor_div(day + 4, 7) * 7; /* 1970 began on a Thursday */
  *ret_last = w->weekdays == ORR__ALL_WEEKDAYS ? INT64_MAX / ORR__DAY_MINUTES - 1 : day;
  return w->weekdays >> weekday & 1;
}

/* The first minute that it does not hold, or the minute itself. */
static int64_t window_until(const orr__window *w, int64_t minute) {
  if (w->kind == ORR__WINDOW_SPAN) return minute >= w->start && minute < w->end ? w->end : minute;
  int64_t day = floor_div(minute, ORR__DAY_MINUTES), begins = day * ORR__DAY_MINUTES, last;
  int in_day = (int)(minute - begins);
  if (in_day >= w->from && in_day < w->to && is_on(w, day, &last)) {
    bool is_all_day = w->from == 0 && w->to == ORR__DAY_MINUTES;
    return is_all_day ? (last + 1) * ORR__DAY_MINUTES : begins + w->to;
  }
  bool is_after_midnight = in_day < w->to - ORR__DAY_MINUTES && is_on(w, day - 1, &last);
  return is_after_midnight ? begins + w->to - ORR__DAY_MINUTES : minute;
}

/* The latest minute up to which a single window holds, or the minute itself. */
static int64_t wall_until(const orr__blackouts *blackouts, int64_t minute) {
  int64_t latest = minute;
  for (size_t i = 0; i < blackouts->count; i++) {
    int64_t until = window_until(&blackouts->windows[i], minute);
    if (until > latest) latest = until;
  }
  return latest;
}

static int64_t held_until(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms) {
  const int64_t far_ms = at_ms + HORIZON_MS;
  orr__zone_span span = orr__zone_span_at(zone, at_ms);
  while (at_ms < far_ms) {
    int64_t minute = floor_div(at_ms + span.offset_ms, MINUTE_MS), until = wall_until(blackouts, minute);
    if (until == minute) return at_ms;
    if (until > LAST_MS / MINUTE_MS) break;
    at_ms = until * MINUTE_MS - span.offset_ms;
    if (at_ms < span.end_ms) continue;
    at_ms = span.end_ms;
    span = orr__zone_span_at(zone, at_ms);
  }
  return INT64_MAX;
}

bool orr__blackouts_hold(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms, int64_t *ret_end_ms) {
  if (!blackouts || at_ms < FIRST_MS || at_ms >= LAST_MS) return false;
  int64_t minute = floor_div(at_ms + orr__zone_offset_ms(zone, at_ms), MINUTE_MS);
  if (wall_until(blackouts, minute) == minute) return false;
  if (ret_end_ms) *ret_end_ms = held_until(blackouts, zone, at_ms);
  return true;
}

int64_t orr__blackouts_next(const orr__blackouts *blackouts, const orr__cron *cron, const orr__zone *zone,
                            int64_t anchor_ms, int64_t delay_ms, int64_t after_ms) {
  for (int fires = 0; fires < FIRES_MAX; fires++) {
    int64_t end_ms, at_ms = orr__cron_next(cron, zone, anchor_ms, after_ms);
    if (at_ms == ORR__CRON_NEVER || !orr__blackouts_hold(blackouts, zone, at_ms + delay_ms, &end_ms)) return at_ms;
    if (end_ms == INT64_MAX) break;
    after_ms = end_ms - delay_ms - 1;
  }
  return ORR__CRON_NEVER;
}
