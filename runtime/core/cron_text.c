/* A schedule in English, from its value alone, so that it says what will happen and not what was typed.
 *
 * Deliberately does not know zones or the clock. */
#include "core/cron_text.h"

#include "core/cron.h"

enum { TEXT_LIMIT = 4096, TIMES_MAX = 6 };

#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS ((UINT64_C(1) << 24) - 1)
#define ALL_DAYS UINT64_C(0xfffffffe)
#define ALL_MONTHS UINT64_C(0x1ffe)
#define ALL_WEEKDAYS UINT64_C(0x7f)

static const char *const month_names[] = { "",     "January", "February",  "March",   "April",    "May",     "June",
                                           "July", "August",  "September", "October", "November", "December" };
static const char *const weekday_names[] = { "Sunday",   "Monday", "Tuesday",  "Wednesday",
                                             "Thursday", "Friday", "Saturday", "Sunday" };

static int lowest(uint64_t bits) { return __builtin_ctzll(bits); }

static int count(uint64_t bits) { return __builtin_popcountll(bits); }

/* The last value of the run of neighbours that begins at `first`. */
static int run_end(uint64_t bits, int first) {
  while (bits >> (first + 1) & 1) first++;
  return first;
}

static void add_value(orr__buf *out, int value, const char *const *names) {
  if (names) {
    orr__buf_adds(out, names[value]);
  } else {
    orr__buf_addf(out, "%d", value);
  }
}

/* "1, 5 to 9 and 12". Runs of three and more become ranges. */
static void add_list(orr__buf *out, uint64_t bits, const char *const *names) {
  bool is_first = true;
  while (bits) {
    int from = lowest(bits), to = run_end(bits, from);
    if (to < from + 2) to = from;
    for (int value = from; value <= to; value++) bits &= ~(UINT64_C(1) << value);
    if (!is_first) orr__buf_adds(out, bits ? ", " : " and ");
    is_first = false;
    add_value(out, from, names);
    if (to == from) continue;
    orr__buf_adds(out, " to ");
    add_value(out, to, names);
  }
}

/* n, if the values are 0, n, 2n ... up to the end of the field and n divides it; otherwise 0. */
static int even_step(uint64_t bits, int size) {
  int number = count(bits);
  if (number < 2 || size % number != 0 || !(bits & 1)) return 0;
  int step = size / number;
  for (int value = 0; value < size; value += step)
    if (!(bits >> value & 1)) return 0;
  return step;
}

static void add_every(orr__buf *out, int step, const char *unit) {
  if (step == 1) {
    orr__buf_addf(out, "every %s", unit);
  } else {
    orr__buf_addf(out, "every %d %ss", step, unit);
  }
}

static void add_hours(orr__buf *out, uint64_t hours) {
  int step = even_step(hours, 24), from = lowest(hours), to = run_end(hours, from);
  if (hours == ALL_HOURS) {
    orr__buf_adds(out, " of every hour");
  } else if (step) {
    orr__buf_addf(out, " of every %d hours from 00:00", step);
  } else if (to - from + 1 == count(hours)) {
    orr__buf_addf(out, " from %02d:00 to %02d:59", from, to);
  } else {
    orr__buf_adds(out, " of the hours ");
    add_list(out, hours, NULL);
  }
}

static void add_times(orr__buf *out, uint64_t minutes, uint64_t hours) {
  int minute_step = even_step(minutes, 60), number = count(minutes) * count(hours);
  if (number <= TIMES_MAX) {
    orr__buf_adds(out, "at ");
    int left = number;
    for (uint64_t h = hours; h; h &= h - 1) {
      for (uint64_t m = minutes; m; m &= m - 1) {
        orr__buf_addf(out, "%02d:%02d%s", lowest(h), lowest(m), left > 2 ? ", " : left == 2 ? " and " : "");
        left--;
      }
    }
    return;
  }
  if (minute_step) {
    add_every(out, minute_step, "minute");
    if (hours == ALL_HOURS) return;
  } else {
    orr__buf_adds(out, count(minutes) == 1 ? "at minute " : "at minutes ");
    add_list(out, minutes, NULL);
  }
  add_hours(out, hours);
}

const char *orr__month_name(int month) { return month_names[month]; }

static void add_month_days(orr__buf *out, uint64_t days) {
  orr__buf_adds(out, count(days) == 1 ? "on day " : "on days ");
  add_list(out, days, NULL);
  orr__buf_adds(out, " of the month");
}

void orr__weekdays_add(orr__buf *out, uint8_t weekdays) {
  /* Weeks read from Monday: "Friday to Sunday". */
  add_list(out, ((uint64_t)weekdays & ~UINT64_C(1)) | ((uint64_t)weekdays & 1) << 7, weekday_names);
}

static void add_days(orr__buf *out, const orr__cron *cron, bool is_clock_time) {
  bool any_day = cron->days == ALL_DAYS, any_weekday = cron->weekdays == ALL_WEEKDAYS;
  /* Where one of two is enough and one is always so, every day will do. */
  if ((any_day && any_weekday) || (cron->is_either_day && (any_day || any_weekday))) {
    if (is_clock_time) orr__buf_adds(out, " every day");
    return;
  }
  orr__buf_adds(out, " ");
  if (!any_day) add_month_days(out, cron->days);
  if (any_weekday) return;
  orr__buf_adds(out, any_day ? "on " : cron->is_either_day ? " or on " : " if it is a ");
  orr__weekdays_add(out, cron->weekdays);
}

static void add_interval(orr__buf *out, int64_t every_ms) {
  static const struct {
    int64_t ms;
    const char *name;
  } units[] = { { 86400000, "day" }, { 3600000, "hour" }, { 60000, "minute" }, { 1000, "second" } };
  orr__buf_adds(out, "every");
  for (int i = 0; i < 4; i++) {
    long long number = every_ms / units[i].ms;
    bool is_whole = number == 1 && every_ms == units[i].ms && out->len == 5;
    every_ms %= units[i].ms;
    if (is_whole) {
      orr__buf_addf(out, " %s", units[i].name);
    } else if (number > 0) {
      orr__buf_addf(out, " %lld %s%s", number, units[i].name, number == 1 ? "" : "s");
    }
  }
}

static void add_picked(orr__buf *out, uint64_t picked) {
  static const char *const field_names[] = { "minute", "hour", "day of month", "month", "day of week" };
  if (!picked) return;
  orr__buf_adds(out, " (");
  /* One by one: neighbours are no range here. */
  for (; picked; picked &= picked - 1) {
    orr__buf_adds(out, field_names[lowest(picked)]);
    orr__buf_adds(out, count(picked) > 2 ? ", " : count(picked) == 2 ? " and " : " picked by H)");
  }
}

char *orr__cron_describe(const orr__cron *cron) {
  orr__buf out;
  orr__buf_init(&out, TEXT_LIMIT);
  if (cron->every_ms > 0) {
    add_interval(&out, cron->every_ms);
  } else {
    add_times(&out, cron->minutes, cron->hours);
    add_days(&out, cron, count(cron->minutes) * count(cron->hours) <= TIMES_MAX);
    if (cron->months != ALL_MONTHS) {
      orr__buf_adds(&out, " in ");
      add_list(&out, cron->months, month_names);
    }
    add_picked(&out, cron->picked);
  }
  return orr__buf_take(&out, NULL);
}
