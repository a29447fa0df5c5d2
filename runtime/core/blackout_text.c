/* Blackout windows in English, from their values alone: what will be held, not what was typed.
 *
 * Deliberately does not know zones or the clock. */
#include "core/blackout_window.h"

#include "base/buf.h"
#include "base/str.h"
#include "core/cron_text.h"

enum { TEXT_LIMIT = 16 * 1024 };

static void add_date(orr__buf *out, int64_t day) {
  int64_t year;
  int month, month_day;
  orr__civil_from_days(day, &year, &month, &month_day);
  orr__buf_addf(out, "%04lld-%02d-%02d", (long long)year, month, month_day);
}

static void add_month_day(orr__buf *out, int64_t value) {
  orr__buf_addf(out, "%d %s", (int)(value % 32), orr__month_name((int)(value / 32)));
}

static void add_range(orr__buf *out, const orr__window *w, void (*add)(orr__buf *out, int64_t value)) {
  orr__buf_adds(out, w->first == w->last ? "on " : "from ");
  add(out, w->first);
  if (w->first == w->last) return;
  orr__buf_adds(out, " to ");
  add(out, w->last);
}

static void add_moment(orr__buf *out, int64_t minute) {
  int64_t day = minute / ORR__DAY_MINUTES;
  int in_day = (int)(minute - day * ORR__DAY_MINUTES);
  if (in_day < 0) {
    in_day += ORR__DAY_MINUTES;
    day--;
  }
  add_date(out, day);
  orr__buf_addf(out, " %02d:%02d", in_day / 60, in_day % 60);
}

static void add_window(orr__buf *out, const orr__window *w) {
  if (w->kind == ORR__WINDOW_SPAN) {
    orr__buf_adds(out, "from ");
    add_moment(out, w->start);
    orr__buf_adds(out, " to ");
    add_moment(out, w->end);
    return;
  }
  if (w->kind == ORR__WINDOW_DATES) {
    add_range(out, w, add_date);
  } else if (w->kind == ORR__WINDOW_YEARLY) {
    orr__buf_adds(out, "every year ");
    add_range(out, w, add_month_day);
  } else if (w->weekdays == ORR__ALL_WEEKDAYS) {
    orr__buf_adds(out, "every day");
  } else {
    orr__buf_adds(out, "on ");
    orr__weekdays_add(out, w->weekdays);
  }
  if (w->from == 0 && w->to == ORR__DAY_MINUTES) return;
  bool goes_over = w->to > ORR__DAY_MINUTES;
  int to = goes_over ? w->to - ORR__DAY_MINUTES : w->to;
  bool has_days = w->kind != ORR__WINDOW_WEEKLY && w->first != w->last;
  orr__buf_addf(out, "%s from %02d:%02d to %02d:%02d%s", has_days ? ", each day" : "", w->from / 60, w->from % 60,
                to / 60, to % 60, goes_over ? " of the next day" : "");
}

char *orr__blackouts_describe(const orr__blackouts *blackouts) {
  orr__buf out;
  orr__buf_init(&out, TEXT_LIMIT);
  for (size_t i = 0; blackouts && i < blackouts->count; i++) {
    if (i > 0) orr__buf_adds(&out, "; ");
    add_window(&out, &blackouts->windows[i]);
  }
  return orr__buf_take(&out, NULL);
}
