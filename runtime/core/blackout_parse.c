/* From the text of blackout windows to their values, or to the column of the fault.
 *
 * Deliberately does not know when anything is held. Every error is reported by fault() with the place the reader stopped
 * at, so that a message can point into what the user wrote. */
#include "core/blackout_window.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { TEXT_MAX = 1024 };

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

/* HH:MM-HH:MM */
static int read_times(reader *r, orr__window *w) {
  int rc = read_time(r, &w->from);
  if (rc != 0) return rc;
  if (!take(r, "-")) return fault(r, "a window goes from one time to another, as in 08:00-18:00");
  reader end = *r;
  rc = read_time(r, &w->to);
  if (rc == 0 && w->from == ORR__DAY_MINUTES) return fault(&end, "a window cannot begin at 24:00");
  if (rc == 0 && w->to == w->from) return fault(&end, "the window is empty; a whole day is 00:00-24:00");
  if (w->to < w->from) w->to += ORR__DAY_MINUTES;
  return rc;
}

static bool is_day_of(int64_t year, int month, int day) {
  if (month < 1 || month > 12 || day < 1) return false;
  int64_t y = month == 12 ? year + 1 : year;
  return day <= orr__days_from_civil(y, month % 12 + 1, 1) - orr__days_from_civil(year, month, 1);
}

/* MM-DD of a leap year, as month * 32 + day. */
static int read_month_day(reader *r, int64_t *ret) {
  reader start = *r;
  int month = digits(r, 2), day = month >= 0 && take(r, "-") ? digits(r, 2) : -1;
  if (!is_day_of(2024, month, day)) return fault(&start, "a day of the year is missing, such as 12-24");
  *ret = month * 32 + day;
  return 0;
}

static int read_date(reader *r, int64_t *ret_day) {
  reader start = *r;
  int year = digits(r, 4), month = year > 0 && take(r, "-") ? digits(r, 2) : -1;
  int day = month >= 0 && take(r, "-") ? digits(r, 2) : -1;
  if (!is_day_of(year, month, day)) return fault(&start, "a date is missing, such as 2026-12-24");
  *ret_day = orr__days_from_civil(year, month, day);
  return 0;
}

/* The rest of DATE HH:MM..DATE HH:MM, from the .. on. */
static int read_span_end(reader *r, const reader *start, int64_t day, int time, orr__window *w) {
  w->kind = ORR__WINDOW_SPAN;
  w->start = day * ORR__DAY_MINUTES + time;
  int rc = read_date(r, &day);
  if (rc != 0) return rc;
  if (*r->at == 'T') r->at++;
  skip_blanks(r);
  if (!is_digit(*r->at)) return fault(r, "a window that begins at a time ends at one, as in 18:00..2027-01-01 06:00");
  rc = read_time(r, &time);
  w->end = day * ORR__DAY_MINUTES + time;
  return rc == 0 && w->end <= w->start ? fault(start, "the window ends before it begins") : rc;
}

/* A day, days, or a span; *ret_is_whole: no times of a day can follow. */
static int read_dates(reader *r, orr__window *w, bool *ret_is_whole) {
  const reader start = *r;
  int rc = read_date(r, &w->first);
  w->kind = ORR__WINDOW_DATES;
  w->last = w->first;
  if (rc != 0) return rc;
  if (take(r, "..")) {
    rc = read_date(r, &w->last);
    return rc == 0 && w->last < w->first ? fault(&start, "the window ends before it begins") : rc;
  }
  if (*r->at != ' ' && *r->at != 'T') return 0;
  reader ahead = *r;
  ahead.at++;
  skip_blanks(&ahead);
  int time = 0;
  if (!is_digit(*ahead.at)) return 0;
  rc = read_time(&ahead, &time);
  if (rc != 0) return rc;
  if (*ahead.at == '-') return 0; /* the times of that day */
  if (!take(&ahead, ".."))
    return fault(&ahead, "after the first time of a window comes - and a time, or .. and a date with a time");
  *r = ahead;
  *ret_is_whole = true;
  return read_span_end(r, &start, w->first, time, w);
}

static int read_window(reader *r, orr__window *w) {
  bool is_date = true, is_yearly = is_digit(*r->at) && is_digit(r->at[1]) && r->at[2] == '-', is_whole = false;
  for (int i = 0; i < 4; i++) is_date = is_date && is_digit(r->at[i]);
  *w = (orr__window){ .weekdays = ORR__ALL_WEEKDAYS, .to = ORR__DAY_MINUTES };
  int rc = 0;
  if (is_date) {
    rc = read_dates(r, w, &is_whole);
  } else if (is_yearly) {
    w->kind = ORR__WINDOW_YEARLY;
    rc = read_month_day(r, &w->first);
    w->last = w->first;
    if (rc == 0 && take(r, "..")) rc = read_month_day(r, &w->last);
  } else if (!is_digit(*r->at)) {
    rc = read_weekdays(r, &w->weekdays);
  }
  if (rc != 0 || is_whole) return rc;
  skip_blanks(r);
  return is_digit(*r->at) ? read_times(r, w) : 0;
}

static int read_windows(reader *r, orr__blackouts *blackouts) {
  for (;;) {
    skip_blanks(r);
    if (blackouts->count == ORR__BLACKOUTS_MAX) return fault(r, "at most %d windows", ORR__BLACKOUTS_MAX);
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
  orr__blackouts *blackouts = malloc(sizeof *blackouts + ORR__BLACKOUTS_MAX * sizeof(orr__window));
  if (!blackouts) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  blackouts->count = 0;
  reader r = { text, text, reterr };
  int rc = read_windows(&r, blackouts);
  if (rc != 0) {
    free(blackouts);
    return rc;
  }
  orr__blackouts *fitting = realloc(blackouts, sizeof *blackouts + blackouts->count * sizeof(orr__window));
  *ret = fitting ? fitting : blackouts;
  return 0;
}
