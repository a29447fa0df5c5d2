/* Dates: civil days and ISO 8601, both in UTC.
 *
 * Deliberately does not know the current time or time zones (core/zone.h). The calendar is the
 * proleptic Gregorian one, in eras of 400 years (146097 days) that begin on 1 March, so that the leap
 * day is the last day of its year. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { ERA_DAYS = 146097, DAYS_TO_1970 = 719468 };

#define DAY_MS INT64_C(86400000)

static int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0);
}

int64_t orr__days_from_civil(int64_t year, int month, int day) {
  int64_t march_year = month <= 2 ? year - 1 : year;
  int64_t era = floor_div(march_year, 400);
  int64_t year_of_era = march_year - era * 400;
  int64_t month_from_march = (month + 9) % 12;
  int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

void orr__civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
  int64_t shifted = days + DAYS_TO_1970;
  int64_t era = floor_div(shifted, ERA_DAYS);
  int64_t day_of_era = shifted - era * ERA_DAYS;
  int64_t leaps = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
  int64_t year_of_era = (day_of_era - leaps) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int month_from_march = (int)((5 * day_of_year + 2) / 153);
  int civil_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  *day = (int)(day_of_year - (153 * month_from_march + 2) / 5) + 1;
  *month = civil_month;
  *year = era * 400 + year_of_era + (civil_month <= 2);
}

/* Reads exactly `digits` digits at *at and moves on. */
static bool take_number(const char **at, int digits, int *ret) {
  int value = 0;
  for (int i = 0; i < digits; i++) {
    char c = (*at)[i];
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  *at += digits;
  *ret = value;
  return true;
}

static bool take_char(const char **at, const char *any_of) {
  if (**at == '\0' || !strchr(any_of, **at)) return false;
  (*at)++;
  return true;
}

static bool take_date(const char **at, int64_t *ret_days) {
  int year, month, day;
  if (!take_number(at, 4, &year) || !take_char(at, "-") || !take_number(at, 2, &month) ||
      !take_char(at, "-") || !take_number(at, 2, &day))
    return false;
  if (month < 1 || month > 12 || day < 1) return false;
  int64_t first = orr__days_from_civil(year, month, 1);
  int64_t next = month == 12 ? orr__days_from_civil(year + 1, 1, 1) : orr__days_from_civil(year, month + 1, 1);
  if (day > next - first) return false;
  *ret_days = first + day - 1;
  return true;
}

/* hh:mm, hh:mm:ss or hh:mm:ss.fraction; what is finer than a millisecond is cut off. */
static bool take_clock(const char **at, int64_t *ret_ms) {
  int hour, minute, second = 0, ms = 0;
  if (!take_number(at, 2, &hour) || !take_char(at, ":") || !take_number(at, 2, &minute)) return false;
  if (take_char(at, ":")) {
    if (!take_number(at, 2, &second)) return false;
    if (take_char(at, ".,")) {
      int digit, scale = 100;
      if (!take_number(at, 1, &digit)) return false;
      do {
        ms += digit * scale;
        scale /= 10;
      } while (take_number(at, 1, &digit));
    }
  }
  /* 60 is a leap second, which Unix time counts as the first second of the next minute. */
  if (hour > 23 || minute > 59 || second > 60) return false;
  *ret_ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + ms;
  return true;
}

static bool take_offset(const char **at, int64_t *ret_ms) {
  *ret_ms = 0;
  if (**at == '\0' || take_char(at, "Zz")) return true;
  int sign = **at == '-' ? -1 : 1, hours, minutes = 0;
  if (!take_char(at, "+-") || !take_number(at, 2, &hours)) return false;
  if (**at != '\0') {
    take_char(at, ":");
    if (!take_number(at, 2, &minutes)) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  *ret_ms = sign * (hours * INT64_C(3600000) + minutes * INT64_C(60000));
  return true;
}

bool orr__iso_parse(const char *text, int64_t *ret_ms) {
  if (!text) return false;
  const char *at = text;
  int64_t days, clock_ms = 0, offset_ms = 0;
  if (!take_date(&at, &days)) return false;
  if (take_char(&at, "Tt ") && (!take_clock(&at, &clock_ms) || !take_offset(&at, &offset_ms))) return false;
  if (*at != '\0') return false;
  *ret_ms = days * DAY_MS + clock_ms - offset_ms;
  return true;
}

void orr__iso_format(int64_t ms, char out[32]) {
  int64_t days = floor_div(ms, DAY_MS), year;
  int rest = (int)(ms % DAY_MS), month, day;
  if (rest < 0) rest += DAY_MS;
  orr__civil_from_days(days, &year, &month, &day);
  unsigned second = (unsigned)rest / 1000 % 60, minute = (unsigned)rest / 60000 % 60;
  int len = snprintf(out, 32, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)year, (unsigned)month % 100u,
                     (unsigned)day % 100u, (unsigned)rest / 3600000 % 100u, minute, second);
  const char *tail = "Z";
  char fraction[8];
  if (rest % 1000) {
    snprintf(fraction, sizeof fraction, ".%03uZ", (unsigned)rest % 1000u);
    tail = fraction;
  }
  snprintf(out + len, 32 - (size_t)len, "%s", tail);
}
