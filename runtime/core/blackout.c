/* Blackout windows: their text, and whether one holds an instant.
 *
 * Every window is asked on the wall clock: is this local time in it, and at which local time does it end? What daylight saving
 * does to that end is the zone's business (orr__zone_from_local). */
#include "core/blackout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { TEXT_MAX = 1024, WINDOWS_MAX = 64, DAY_MINUTES = 1440, JOINED_MAX = 2000 };
#define MINUTE_MS INT64_C(60000)
#define DAY_MS (DAY_MINUTES * MINUTE_MS)
#define ALL_WEEKDAYS 0x7f

typedef struct window {
  enum { WEEKLY, YEARLY, SPAN } kind;
  uint8_t weekdays;         /* WEEKLY: bit 0 is Sunday */
  int from, to;             /* WEEKLY: minutes of the day, to <= from goes on to the next; YEARLY: month * 32 + day */
  int64_t start_ms, end_ms; /* SPAN: local */
} window;

struct orr__blackouts {
  size_t count;
  window windows[WINDOWS_MAX];
};

/* ---- text --------------------------------------------------------------------------------------------------- */

typedef struct reader {
  const char *text, *at;
  orr_error *reterr;
} reader;

__attribute__((format(printf, 2, 3))) static int fault(const reader *r, const char *format, ...) {
  va_list args;
  va_start(args, format);
  orr_error why = ORR_ERROR_INIT;
  orr__error_setv(&why, ORR_E_INVALID, format, args);
  va_end(args);
  orr__error_set(r->reterr, ORR_E_INVALID, "'%s' is no blackout: column %d: %s", r->text, (int)(r->at - r->text) + 1,
                 orr__error_message(&why));
  orr__error_clear(&why);
  return ORR_E_INVALID;
}

static void skip_blanks(reader *r) { r->at += strspn(r->at, " \t"); }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Exactly so many digits, or -1 and the reader stays. */
static int digits(reader *r, int count) {
  int value = 0;
  for (int i = 0; i < count; i++) {
    if (!is_digit(r->at[i])) return -1;
    value = value * 10 + (r->at[i] - '0');
  }
  r->at += count;
  return value;
}

static bool take(reader *r, const char *word) {
  size_t len = strlen(word);
  if (strncmp(r->at, word, len) != 0) return false;
  r->at += len;
  return true;
}

/* HH:MM as minutes of the day, 24:00 included; negative: fault. */
static int read_time(reader *r, int *ret) {
  reader start = *r;
  int hour = digits(r, 2), minute = hour >= 0 && take(r, ":") ? digits(r, 2) : -1;
  if (minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute > 0))
    return fault(&start, "a time is missing, from 00:00 to 24:00");
  *ret = hour * 60 + minute;
  return 0;
}

static int read_weekday(reader *r, int *ret) {
  static const char names[] = "sunmontuewedthufrisat";
  for (int i = 0; i < 7; i++) {
    bool fits = true;
    for (int k = 0; k < 3; k++) fits = fits && (r->at[k] | 32) == names[i * 3 + k];
    bool has_end = fits && !((r->at[3] | 32) >= 'a' && (r->at[3] | 32) <= 'z');
    if (!has_end) continue;
    r->at += 3;
    *ret = i;
    return 0;
  }
  return fault(r, "a weekday is missing: Mon, Tue, Wed, Thu, Fri, Sat or Sun");
}

/* Mon-Fri,Sun; a range may go over the end of the week. */
static int read_weekdays(reader *r, uint8_t *ret) {
  *ret = 0;
  do {
    int first, last, rc = read_weekday(r, &first);
    if (rc != 0) return rc;
    last = first;
    if (take(r, "-") && (rc = read_weekday(r, &last)) != 0) return rc;
    for (int day = first;; day = (day + 1) % 7) {
      *ret |= (uint8_t)(1u << day);
      if (day == last) break;
    }
  } while (take(r, ","));
  return 0;
}

static int read_weekly(reader *r, window *w) {
  *w = (window){ .kind = WEEKLY, .weekdays = ALL_WEEKDAYS, .to = DAY_MINUTES };
  int rc = is_digit(*r->at) ? 0 : read_weekdays(r, &w->weekdays);
  if (rc != 0) return rc;
  skip_blanks(r);
  if (!is_digit(*r->at)) return 0;
  rc = read_time(r, &w->from);
  if (rc != 0) return rc;
  if (!take(r, "-")) return fault(r, "a window goes from one time to another, as in 08:00-18:00");
  reader end = *r;
  rc = read_time(r, &w->to);
  if (rc == 0 && w->from == DAY_MINUTES) return fault(&end, "a window cannot begin at 24:00");
  if (rc == 0 && w->to == w->from) return fault(&end, "the window is empty; a whole day is 00:00-24:00");
  return rc;
}

static bool is_day_of(int64_t year, int month, int day) {
  if (month < 1 || month > 12 || day < 1) return false;
  int64_t y = month == 12 ? year + 1 : year;
  return day <= orr__days_from_civil(y, month % 12 + 1, 1) - orr__days_from_civil(year, month, 1);
}

/* MM-DD of a leap year, as month * 32 + day. */
static int read_month_day(reader *r, int *ret) {
  reader start = *r;
  int month = digits(r, 2), day = month >= 0 && take(r, "-") ? digits(r, 2) : -1;
  if (!is_day_of(2024, month, day)) return fault(&start, "a day of the year is missing, such as 12-24");
  *ret = month * 32 + day;
  return 0;
}

static int read_yearly(reader *r, window *w) {
  *w = (window){ .kind = YEARLY };
  int rc = read_month_day(r, &w->from);
  w->to = w->from;
  return rc == 0 && take(r, "..") ? read_month_day(r, &w->to) : rc;
}

/* A day, with a time perhaps; local milliseconds. */
static int read_date(reader *r, int64_t *ret_ms, bool *ret_has_time) {
  reader start = *r;
  int year = digits(r, 4), month = year >= 0 && take(r, "-") ? digits(r, 2) : -1;
  int day = month >= 0 && take(r, "-") ? digits(r, 2) : -1, minutes = 0;
  if (!is_day_of(year, month, day)) return fault(&start, "a date is missing, such as 2026-12-24");
  *ret_has_time = (*r->at == ' ' || *r->at == 'T') && is_digit(r->at[1]);
  if (*ret_has_time) {
    r->at++;
    int rc = read_time(r, &minutes);
    if (rc != 0) return rc;
  }
  *ret_ms = orr__days_from_civil(year, month, day) * DAY_MS + minutes * MINUTE_MS;
  return 0;
}

static int read_span(reader *r, window *w) {
  bool has_time, ends_with_time;
  reader start = *r;
  *w = (window){ .kind = SPAN };
  int rc = read_date(r, &w->start_ms, &has_time);
  if (rc != 0) return rc;
  w->end_ms = w->start_ms;
  ends_with_time = has_time;
  if (take(r, ".."))
    rc = read_date(r, &w->end_ms, &ends_with_time);
  else if (has_time)
    return fault(r, "a window that begins at a time ends at one, as in 2026-12-31 18:00..2027-01-01 06:00");
  if (rc != 0) return rc;
  if (!ends_with_time) w->end_ms += DAY_MS;
  return w->end_ms > w->start_ms ? 0 : fault(&start, "the window ends before it begins");
}

static int read_window(reader *r, window *w) {
  bool is_date = true, is_yearly = is_digit(*r->at) && is_digit(r->at[1]) && r->at[2] == '-';
  for (int i = 0; i < 4; i++) is_date = is_date && is_digit(r->at[i]);
  return is_date ? read_span(r, w) : is_yearly ? read_yearly(r, w) : read_weekly(r, w);
}

static int read_windows(reader *r, orr__blackouts *blackouts) {
  for (;;) {
    skip_blanks(r);
    if (blackouts->count == WINDOWS_MAX) return fault(r, "at most %d windows", WINDOWS_MAX);
    int rc = read_window(r, &blackouts->windows[blackouts->count]);
    if (rc != 0) return rc;
    blackouts->count++;
    skip_blanks(r);
    if (!*r->at) return 0;
    if (!take(r, ";")) return fault(r, "after a window comes a semicolon, or the end");
  }
}

int orr__blackouts_parse(const char *text, orr__blackouts **ret, orr_error *reterr) {
  if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
    return orr__error_set(reterr, ORR_E_INVALID, "blackouts have at most %d characters", TEXT_MAX);
  orr__blackouts *blackouts = calloc(1, sizeof *blackouts);
  if (!blackouts) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  reader r = { text, text, reterr };
  int rc = read_windows(&r, blackouts);
  if (rc == 0)
    *ret = blackouts;
  else
    free(blackouts);
  return rc;
}

void orr__blackouts_free(orr__blackouts *blackouts) { free(blackouts); }

/* ---- time --------------------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static bool is_on(const window *w, int64_t day) {
  int64_t weekday = (day + 4) % 7; /* 1970 began on a Thursday */
  return w->weekdays >> (weekday < 0 ? weekday + 7 : weekday) & 1;
}

static bool holds_weekly(const window *w, int64_t local_ms, int64_t *ret_end_ms) {
  int64_t day = floor_div(local_ms, DAY_MS), in_day_ms = local_ms - day * DAY_MS;
  bool goes_over = w->to <= w->from, is_after = in_day_ms >= w->from * MINUTE_MS,
       is_before = in_day_ms < w->to * MINUTE_MS;
  if (is_on(w, day) && is_after && (goes_over || is_before)) {
    *ret_end_ms = (day + goes_over) * DAY_MS + w->to * MINUTE_MS;
    return true;
  }
  if (!goes_over || !is_on(w, day - 1) || !is_before) return false;
  *ret_end_ms = day * DAY_MS + w->to * MINUTE_MS;
  return true;
}

static bool holds_yearly(const window *w, int64_t local_ms, int64_t *ret_end_ms) {
  int64_t year;
  int month, day;
  orr__civil_from_days(floor_div(local_ms, DAY_MS), &year, &month, &day);
  int today = month * 32 + day;
  bool goes_over = w->to < w->from;
  bool is_in = goes_over ? today >= w->from || today <= w->to : today >= w->from && today <= w->to;
  if (!is_in) return false;
  int64_t end_year = goes_over && today >= w->from ? year + 1 : year;
  int end_day = w->to % 32; /* the last day of February is what the year has */
  while (!is_day_of(end_year, w->to / 32, end_day)) end_day--;
  *ret_end_ms = (orr__days_from_civil(end_year, w->to / 32, end_day) + 1) * DAY_MS;
  return true;
}

static bool holds(const window *w, int64_t local_ms, int64_t *ret_end_ms) {
  if (w->kind == WEEKLY) return holds_weekly(w, local_ms, ret_end_ms);
  if (w->kind == YEARLY) return holds_yearly(w, local_ms, ret_end_ms);
  *ret_end_ms = w->end_ms;
  return local_ms >= w->start_ms && local_ms < w->end_ms;
}

/* The latest instant up to which a single window holds at_ms without a break; at_ms itself if none does. */
static int64_t held_until(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms) {
  int64_t latest = at_ms, local_ms = at_ms + orr__zone_offset_ms(zone, at_ms);
  for (size_t i = 0; i < blackouts->count; i++) {
    int64_t local_end, early, late;
    if (!holds(&blackouts->windows[i], local_ms, &local_end)) continue;
    orr__zone_from_local(zone, local_end, &early, &late);
    int64_t end = early > at_ms ? early : late;
    if (end > latest) latest = end;
  }
  return latest;
}

bool orr__blackouts_hold(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms, int64_t *ret_end_ms) {
  int64_t until = blackouts ? held_until(blackouts, zone, at_ms) : at_ms;
  if (until == at_ms) return false;
  for (int joined = 0; ret_end_ms && joined < JOINED_MAX; joined++) {
    int64_t next = held_until(blackouts, zone, until);
    if (next == until) {
      *ret_end_ms = until;
      return true;
    }
    until = next;
  }
  if (ret_end_ms) *ret_end_ms = INT64_MAX;
  return true;
}
