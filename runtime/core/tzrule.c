/* POSIX TZ rules, as they stand in the footer of a TZif file: CET-1CEST,M3.5.0,M10.5.0/3.
 *
 * Deliberately does not take what the footer never holds (a daylight-saving name without rules, names of
 * fewer than three letters). Times may run from -167 to 167 hours, as version 3 files do. */
#include <string.h>

#include "base/str.h"
#include "core/tzif.h"

typedef struct rule_text {
  const char *at, *end;
} rule_text;

static bool take(rule_text *t, char c) {
  if (t->at >= t->end || *t->at != c) return false;
  t->at++;
  return true;
}

static bool is_digit(const rule_text *t) { return t->at < t->end && *t->at >= '0' && *t->at <= '9'; }

static bool take_number(rule_text *t, int min, int max, int *ret) {
  if (!is_digit(t)) return false;
  int value = 0;
  for (; is_digit(t); t->at++) {
    value = value * 10 + (*t->at - '0');
    if (value > max) return false;
  }
  *ret = value;
  return value >= min;
}

/* Letters, or anything within < and >. */
static bool take_name(rule_text *t) {
  if (take(t, '<')) {
    const char *close = memchr(t->at, '>', (size_t)(t->end - t->at));
    if (!close) return false;
    t->at = close + 1;
    return true;
  }
  const char *start = t->at;
  while (t->at < t->end && ((*t->at | 32) >= 'a' && (*t->at | 32) <= 'z')) t->at++;
  return t->at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(rule_text *t, int max_hours, int64_t *ret_s) {
  int64_t sign = take(t, '-') ? -1 : 1;
  if (sign > 0) take(t, '+');
  int hours, minutes = 0, seconds = 0;
  if (!take_number(t, 0, max_hours, &hours)) return false;
  if (take(t, ':')) {
    if (!take_number(t, 0, 59, &minutes)) return false;
    if (take(t, ':') && !take_number(t, 0, 59, &seconds)) return false;
  }
  *ret_s = sign * ((int64_t)hours * 3600 + minutes * 60 + seconds);
  return true;
}

static bool take_day(rule_text *t, orr__tz_day *ret) {
  orr__tz_day d = { .time_s = 2 * 3600 };
  bool valid;
  if (take(t, 'J')) {
    d.kind = 'J';
    valid = take_number(t, 1, 365, &d.day);
  } else if (take(t, 'M')) {
    d.kind = 'M';
    valid = take_number(t, 1, 12, &d.month) && take(t, '.') && take_number(t, 1, 5, &d.week) && take(t, '.') &&
            take_number(t, 0, 6, &d.day);
  } else {
    d.kind = '0';
    valid = take_number(t, 0, 365, &d.day);
  }
  if (valid && take(t, '/')) valid = take_time(t, 167, &d.time_s);
  if (valid) *ret = d;
  return valid;
}

bool orr__tz_rule_parse(const char *text, size_t len, orr__tz_rule *ret_rule) {
  rule_text t = { text, text + len };
  orr__tz_rule rule = { 0 };
  int64_t west_s;
  if (!take_name(&t) || !take_time(&t, 24, &west_s)) return false;
  rule.std_s = -west_s; /* POSIX counts westwards */
  if (t.at < t.end) {
    rule.has_dst = true;
    if (!take_name(&t)) return false;
    rule.dst_s = rule.std_s + 3600;
    if (t.at < t.end && *t.at != ',') {
      if (!take_time(&t, 24, &west_s)) return false;
      rule.dst_s = -west_s;
    }
    if (!take(&t, ',') || !take_day(&t, &rule.dst_starts)) return false;
    if (!take(&t, ',') || !take_day(&t, &rule.dst_ends)) return false;
  }
  if (t.at != t.end) return false;
  *ret_rule = rule;
  return true;
}

static bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* Day number since 1970 of the day a rule means in a year. */
static int64_t rule_day(const orr__tz_day *d, int64_t year) {
  int64_t january = orr__days_from_civil(year, 1, 1);
  if (d->kind == '0') return january + d->day;
  if (d->kind == 'J') return january + d->day - 1 + (is_leap(year) && d->day >= 60);
  int64_t first = orr__days_from_civil(year, d->month, 1);
  int64_t after = d->month == 12 ? orr__days_from_civil(year + 1, 1, 1) : orr__days_from_civil(year, d->month + 1, 1);
  int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1 January 1970 was a Thursday */
  int64_t day = first + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
  /* Week 5 is the last one, be it the fourth. */
  return day >= after ? day - 7 : day;
}

void orr__tz_rule_year(const orr__tz_rule *rule, int64_t year, int64_t *ret_starts_s, int64_t *ret_ends_s) {
  *ret_starts_s = rule_day(&rule->dst_starts, year) * 86400 + rule->dst_starts.time_s - rule->std_s;
  *ret_ends_s = rule_day(&rule->dst_ends, year) * 86400 + rule->dst_ends.time_s - rule->dst_s;
}
