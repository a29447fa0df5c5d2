/* core/cron.h against a daemon that wakes every minute, on 100,000 random (expression, zone, instant).
 *
 * The oracle is written from crontab(5) and cron(8) alone: it reads the text of an expression afresh for every value it asks about,
 * takes the wall clock from the C library's localtime_r in a child process with TZ set, and follows the clock minute by minute
 * as the manual says a daemon does. It shares neither code nor tables with the runtime. What fails is printed with the seed;
 * ORR_TEST_SEED=n runs other cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cron.h"

enum { CASES = 100000, STEPS = 3, LEAD = 300, WINDOW = 4320, WINDOWS_MAX = 48, CHANGE_MAX = 180 };

static const char *const zone_names[] = {
  "Europe/Berlin",       "America/New_York",   "Australia/Lord_Howe", "Pacific/Apia",      "Africa/Casablanca",
  "Africa/El_Aaiun",     "Antarctica/Troll",   "Asia/Beirut",         "America/Santiago",  "America/Havana",
  "Europe/Dublin",       "Africa/Cairo",       "Asia/Gaza",           "Asia/Jerusalem",    "America/St_Johns",
  "Pacific/Chatham",     "Pacific/Auckland",   "America/Nuuk",        "America/Asuncion",  "Atlantic/Azores",
  "Antarctica/Casey",    "Antarctica/Vostok",  "Pacific/Kwajalein",   "Pacific/Norfolk",   "America/Miquelon",
  "Europe/Chisinau",     "Pacific/Easter",     "Asia/Tehran",         "Asia/Kathmandu",    "America/Scoresbysund",
  "America/Los_Angeles", "Australia/Adelaide", "Europe/London",       "Asia/Kolkata",      "Europe/Volgograd",
  "Africa/Juba",         "Asia/Almaty",        "Pacific/Fiji",        "America/Sao_Paulo", "UTC",
};
enum { ZONES = sizeof zone_names / sizeof *zone_names };

/* Changes before 2025 that are of a kind of their own: days that were left out or came twice, two and three hours at once. */
static const struct {
  const char *zone;
  int64_t at_s;
} rare_changes[] = {
  { "Pacific/Apia", 1325239200 },      { "Pacific/Kwajalein", 745934400 }, { "Pacific/Kwajalein", -7988400 },
  { "Antarctica/Casey", 1255802400 },  { "Antarctica/Casey", 1267714800 }, { "Antarctica/Vostok", 1702839600 },
  { "Europe/Volgograd", 1609020000 },  { "Africa/Juba", 1612126800 },      { "Asia/Almaty", 1709229600 },
  { "America/Sao_Paulo", 1541300400 }, { "Pacific/Fiji", 1610805600 },
};

static uint32_t below(uint64_t *seed, uint32_t limit) {
  *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)((*seed >> 33) % limit);
}

/* ---- expressions -------------------------------------------------------------------------------------------- */

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const int lows[FIELDS] = { 0, 0, 1, 1, 0 }, highs[FIELDS] = { 59, 23, 31, 12, 7 };
static const char *const month_names[] = { "", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekday_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static void put_value(char *out, int field, int value, uint64_t *seed) {
  const char *name = field == MONTH ? month_names[value] : field == WEEKDAY ? weekday_names[value % 7] : NULL;
  if (!name || below(seed, 3)) {
    sprintf(out, below(seed, 9) ? "%d" : "%02d", value);
    return;
  }
  strcpy(out, name);
  for (; *out; out++)
    if (below(seed, 2)) *out &= ~32;
}

/* A value; of hours mostly one of those about which the clock is changed. */
static int any_value(int field, int hour, uint64_t *seed) {
  int size = highs[field] - lows[field] + 1;
  if (field == HOUR && below(seed, 3)) return (hour + (int)below(seed, 3)) % 24;
  return lows[field] + (int)below(seed, (uint32_t)size);
}

/* A fixed one holds neither a star nor what stands for one. */
static void put_term(char *out, int field, int hour, bool is_fixed, uint64_t *seed) {
  int a = any_value(field, hour, seed), b = a + (int)below(seed, (uint32_t)(highs[field] - a + 1));
  int step = 2 + (int)below(seed, 8), room = b - a + 1;
  switch (is_fixed ? 4 + below(seed, 8) : below(seed, 12)) {
    case 0: sprintf(out, "*/%d", 1 + (int)below(seed, (uint32_t)(highs[field] - lows[field] + 1))); break;
    case 1: sprintf(out, "H/%d", step < 7 ? step : 2); break;
    case 4: strcpy(out, below(seed, 8) ? "H" : "h"); break;
    case 7: sprintf(out, "H(%d-%d)", a, b); break;
    case 8: sprintf(out, room >= step ? "H(%d-%d)/%d" : "H(%d-%d)", a, b, step); break;
    case 5: sprintf(out, "%d-%d/%d", a, b, step <= highs[field] ? step : 2); break;
    case 6:
      put_value(out, field, a, seed);
      strcat(out, "-");
      put_value(out + strlen(out), field, b, seed);
      break;
    default: put_value(out, field, a, seed);
  }
}

static void make_expression(char *out, int hour, uint64_t *seed) {
  static const char *const words[] = { "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually" };
  if (below(seed, 100) == 0) {
    strcpy(out, words[below(seed, 7)]);
    return;
  }
  *out = '\0';
  bool is_fixed = below(seed, 2);
  for (int field = 0; field < FIELDS; field++) {
    if (field > 0 || below(seed, 20) == 0) strcat(out, below(seed, 20) ? " " : "\t ");
    if (below(seed, 10) < (field > HOUR ? 8 : is_fixed ? 0 : 3)) {
      strcat(out, "*");
      continue;
    }
    for (int terms = 1 + (int)below(seed, 3); terms > 0; terms--) {
      put_term(out + strlen(out), field, hour, is_fixed && field <= HOUR, seed);
      if (terms > 1) strcat(out, ",");
    }
  }
}

/* ---- the oracle's reading of them --------------------------------------------------------------------------- */

/* The number that H goes by, as docs/schedules.md gives it. */
static uint64_t number_of(const char *uuid, int field) {
  uint64_t hash = UINT64_C(14695981039346656037), turns[2];
  for (; *uuid; uuid++) hash = (hash ^ (unsigned char)*uuid) * UINT64_C(1099511628211);
  for (int turn = 0; turn < 2; turn++) {
    if (turn == 1) hash += (uint64_t)(field + 1) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    turns[turn] = hash ^= hash >> 31;
  }
  return turns[1];
}

static int read_value(const char **at, int field) {
  for (int i = 0; field == WEEKDAY && i < 7; i++)
    if (strncasecmp(*at, weekday_names[i], 3) == 0) return *at += 3, i;
  for (int i = 1; field == MONTH && i < 13; i++)
    if (strncasecmp(*at, month_names[i], 3) == 0) return *at += 3, i;
  return (int)strtol(*at, (char **)(uintptr_t)at, 10);
}

/* Is the value one of those that a term such as 5-20/3 stands for? */
static bool term_has(const char *term, int field, int value, const char *uuid) {
  int from = lows[field], to = highs[field], step = 0;
  bool is_hash = (*term | 32) == 'h', is_star = *term == '*';
  if (is_hash && field == DAY) to = 28;
  if (is_hash && field == WEEKDAY) to = 6;
  if (is_hash || is_star) term++;
  if (*term == '(') term++;
  if (*term != '/' && *term != ',' && *term != '\0') {
    from = to = read_value(&term, field);
    if (*term == '-') {
      term++;
      to = read_value(&term, field);
      if (field == WEEKDAY && to < from) to = 7;
    }
  }
  if (*term == ')') term++;
  if (*term == '/') step = atoi(term + 1);
  if (is_hash && !step) return value == from + (int)(number_of(uuid, field) % (uint64_t)(to - from + 1));
  if (is_hash) from += (int)(number_of(uuid, field) % (uint64_t)step);
  return value >= from && value <= to && (value - from) % (step ? step : 1) == 0;
}

static bool field_has(const char *text, int field, int value, const char *uuid) {
  for (const char *term = text; term; term = strchr(term, ',')) {
    if (*term == ',') term++;
    if (term_has(term, field, value, uuid)) return true;
    if (field == WEEKDAY && value == 0 && term_has(term, field, 7, uuid)) return true;
  }
  return false;
}

typedef struct job {
  bool fits[FIELDS][64];
  bool is_either_day, is_wild;
} job;

static void read_job(job *j, const char *expression, const char *uuid) {
  static const char *const words[][2] = {
    { "@hourly", "0 * * * *" },  { "@daily", "0 0 * * *" },  { "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
    { "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" },
  };
  char copy[256], *rest = copy, *text[FIELDS];
  strcpy(copy, expression);
  for (int i = 0; i < 7; i++)
    if (strcmp(expression, words[i][0]) == 0) strcpy(copy, words[i][1]);
  bool has_star[FIELDS];
  for (int field = 0; field < FIELDS; field++) {
    text[field] = strtok_r(rest, " \t", &rest);
    has_star[field] = strchr(text[field], '*') || (field <= HOUR && strcasestr(text[field], "h/"));
    for (int value = lows[field]; value <= highs[field]; value++)
      j->fits[field][value] = field_has(text[field], field, value, uuid);
  }
  j->is_either_day = !has_star[DAY] && !has_star[WEEKDAY];
  j->is_wild = has_star[MINUTE] || has_star[HOUR];
}

static bool fits(const job *j, const struct tm *tm) {
  bool day = j->fits[DAY][tm->tm_mday], weekday = j->fits[WEEKDAY][tm->tm_wday];
  return j->fits[MINUTE][tm->tm_min] && j->fits[HOUR][tm->tm_hour] && j->fits[MONTH][tm->tm_mon + 1] &&
         (j->is_either_day ? day || weekday : day && weekday);
}

/* ---- the daemon --------------------------------------------------------------------------------------------- */

typedef struct window {
  int64_t start_s;                /* of the first minute; in it and the LEAD behind it nothing is asked for */
  int64_t change_s;               /* what it is about, or its middle */
  struct tm tm[WINDOW];           /* the wall at each minute */
  int64_t wall_minute[WINDOW];    /* the same, counted */
} window;

typedef struct tally {
  int64_t fires, moved, twice, corrected; /* fires; of them after a gap; wild ones in a repeated hour; changes of the clock too large */
} tally;

static void window_fill(window *w, int64_t change_s) {
  w->change_s = change_s;
  w->start_s = (change_s / 60 - WINDOW * 5 / 12) * 60;
  for (int i = 0; i < WINDOW; i++) {
    time_t at = (time_t)(w->start_s + i * 60);
    localtime_r(&at, &w->tm[i]);
    w->wall_minute[i] = (at + w->tm[i].tm_gmtoff) / 60;
  }
}

static bool fits_wall(const job *j, int64_t wall_minute) {
  time_t wall = (time_t)(wall_minute * 60);
  struct tm tm;
  gmtime_r(&wall, &tm);
  return fits(j, &tm);
}

/* The first minute of the window that begins after after_ms and in which the daemon runs the job, or WINDOW. */
static int daemon_next(const job *j, const window *w, int64_t after_ms, tally *t) {
  int first = (int)((after_ms - w->start_s * 1000) / 60000) - LEAD + 1;
  if (first < 1) first = 1;
  int64_t done = w->wall_minute[first - 1]; /* no fixed job of up to here is run any more */
  for (int i = first; i < WINDOW; i++) {
    int64_t wall = w->wall_minute[i], change = wall - w->wall_minute[i - 1] - 1;
    bool runs = false, is_moved = false;
    if (change >= CHANGE_MAX || change <= -CHANGE_MAX) {
      done = wall - 1; /* a correction: the new time is used at once */
      t->corrected++;
    }
    if (j->is_wild) {
      runs = fits(j, &w->tm[i]);
    } else {
      for (; done < wall - 1; done++) is_moved = is_moved || fits_wall(j, done + 1);
      runs = is_moved || (done < wall && fits(j, &w->tm[i]));
      if (done < wall) done = wall;
    }
    if (!runs || (w->start_s + i * 60) * 1000 <= after_ms) continue;
    t->fires++;
    t->moved += is_moved;
    t->twice += wall <= w->wall_minute[i > 60 ? i - 60 : 0];
    return i;
  }
  return WINDOW;
}

/* ---- a zone ------------------------------------------------------------------------------------------------- */

static int find_windows(window *windows, const char *zone, uint64_t *seed) {
  int count = 0;
  for (size_t i = 0; i < sizeof rare_changes / sizeof *rare_changes; i++)
    if (strcmp(rare_changes[i].zone, zone) == 0) window_fill(&windows[count++], rare_changes[i].at_s);
  const time_t first = 1735689600, end = 2145916800; /* 2025 and 2038 */
  long before = 0;
  for (time_t at = first; at < end && count < WINDOWS_MAX - 8; at += 1800) {
    struct tm tm;
    localtime_r(&at, &tm);
    if (at > first && tm.tm_gmtoff != before) window_fill(&windows[count++], at);
    before = tm.tm_gmtoff;
  }
  for (int i = 0; i < 8; i++) window_fill(&windows[count++], first + (int64_t)below(seed, 4700) * 86400);
  return count;
}

static int64_t choose_after(const window *w, uint64_t *seed) {
  int64_t first_ms = (w->start_s + (LEAD + 1) * 60) * 1000, end_ms = (w->start_s + (WINDOW - 1) * 60) * 1000;
  int64_t after_ms = first_ms + (int64_t)(((uint64_t)below(seed, 1u << 30) << 10) % (uint64_t)(end_ms - first_ms));
  if (below(seed, 4)) after_ms = w->change_s * 1000 + ((int64_t)below(seed, 270) - 150) * 60000 + below(seed, 60000);
  if (below(seed, 2)) after_ms = after_ms / 60000 * 60000 - below(seed, 2);
  return after_ms;
}

static bool check_case(const orr__zone *zone, const window *w, uint64_t *seed, tally *t) {
  char text[256], uuid[37];
  make_expression(text, w->tm[(w->change_s - w->start_s) / 60 - 1].tm_hour, seed);
  snprintf(uuid, sizeof uuid, "%08x-0000-4000-8000-0000%08x", below(seed, UINT32_MAX), below(seed, UINT32_MAX));
  job j;
  read_job(&j, text, uuid);
  orr__cron cron;
  orr_error err = ORR_ERROR_INIT;
  int64_t after_ms = choose_after(w, seed);
  if (orr__cron_parse(text, orr__cron_seed(uuid), &cron, &err) != 0) {
    fprintf(stderr, "'%s' is refused: %s\n", text, orr__error_message(&err));
    return false;
  }
  for (int step = 0; step < STEPS; step++) {
    int found = daemon_next(&j, w, after_ms, t);
    int64_t wanted_ms = (w->start_s + found * 60) * 1000, got_ms = orr__cron_next(&cron, zone, 0, after_ms);
    if (found < WINDOW ? got_ms != wanted_ms : got_ms < wanted_ms) {
      fprintf(stderr, "'%s' of %s in %s after %lld ms: %lld, not %s%lld\n", text, uuid, orr__zone_name(zone),
              (long long)after_ms, (long long)got_ms, found < WINDOW ? "" : "from on ", (long long)wanted_ms);
      return false;
    }
    if (found == WINDOW) break;
    after_ms = wanted_ms;
  }
  return true;
}

/* In a child process: so many cases in one zone. */
static bool check_zone(const char *name, int count, uint64_t seed, tally *t) {
  setenv("TZ", name, 1);
  tzset();
  window *windows = calloc(WINDOWS_MAX, sizeof *windows);
  orr__zones *zones = orr__zones_new("/usr/share/zoneinfo");
  orr__zone *zone = NULL;
  bool is_right = windows && orr__zones_get(zones, name, &zone, NULL) == 0;
  int number = is_right ? find_windows(windows, name, &seed) : 0;
  for (int i = 0; is_right && i < count; i++) is_right = check_case(zone, &windows[i % number], &seed, t);
  orr__zone_unref(zone);
  orr__zones_free(zones);
  free(windows);
  return is_right;
}

static void test_cron_oracle__agrees_with_a_daemon_in_100000_cases(void **state) {
  (void)state;
  const char *text = getenv("ORR_TEST_SEED");
  uint64_t seed = text ? strtoull(text, NULL, 10) : 20260723;
  tally all = { 0 };
  for (int i = 0; i < ZONES; i++) {
    int ends[2], status = 0;
    tally t = { 0 };
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      bool is_right = check_zone(zone_names[i], CASES / ZONES, seed + (uint64_t)i, &t);
      _exit(is_right && write(ends[1], &t, sizeof t) == sizeof t ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &t, sizeof t);
    close(ends[0]);
    assert_true(waitpid(child, &status, 0) == child);
    if (status != 0 || got != sizeof t) fail_msg("%s differs; ORR_TEST_SEED=%llu", zone_names[i], (unsigned long long)seed);
    all.fires += t.fires;
    all.moved += t.moved;
    all.twice += t.twice;
    all.corrected += t.corrected;
  }
  print_message("%lld fires, %lld moved out of a gap, %lld in an hour that comes twice, %lld large changes\n",
                (long long)all.fires, (long long)all.moved, (long long)all.twice, (long long)all.corrected);
  assert_true(all.fires > CASES && all.moved > CASES / 100 && all.twice > CASES / 100 && all.corrected > 100);
  assert_int_equal(CASES % ZONES, 0);
}

/* Months and years away, where no clock is changed: day by day, as the daemon would look at each. */
static void test_cron_oracle__agrees_on_far_days(void **state) {
  (void)state;
  enum { FAR_CASES = 3000, DAYS = 30 * 366 };
  uint64_t seed = 20260724;
  int far = 0, never = 0;
  for (int i = 0; i < FAR_CASES; i++) {
    char text[256] = "", uuid[] = "00000000-0000-4000-8000-000000000000";
    const int first_minute = 7 * 60 + 31;
    strcpy(text, "31 7 ");
    for (int field = DAY; field <= WEEKDAY; field++) {
      if (below(&seed, 3)) put_term(text + strlen(text), field, 0, false, &seed);
      else strcat(text, "*");
      strcat(text, field < WEEKDAY ? " " : "");
    }
    sprintf(uuid + 24, "%012x", below(&seed, UINT32_MAX));
    job j;
    read_job(&j, text, uuid);
    orr__cron cron;
    if (orr__cron_parse(text, orr__cron_seed(uuid), &cron, NULL) != 0) fail_msg("'%s' is refused", text);
    time_t day = (time_t)(15000 + below(&seed, 12000)), after = day * 86400 + (time_t)below(&seed, 86400), end = day + DAYS, found = 0;
    for (; day < end && !found; day++) {
      time_t at = day * 86400 + first_minute * 60;
      struct tm tm;
      gmtime_r(&at, &tm);
      if (at > after && fits(&j, &tm)) found = at;
    }
    int64_t got_ms = orr__cron_next(&cron, NULL, 0, (int64_t)after * 1000);
    if (found ? got_ms != (int64_t)found * 1000 : got_ms < (int64_t)end * 86400000)
      fail_msg("'%s' of %s after %lld: %lld, not %lld", text, uuid, (long long)after, (long long)got_ms, (long long)found * 1000);
    if (orr__cron_is_never(&cron) != (got_ms == ORR__CRON_NEVER)) fail_msg("'%s' is never, or not", text);
    far += found > after + 60 * 86400;
    never += !found;
  }
  assert_true(far > FAR_CASES / 10 && never > 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_cron_oracle__agrees_with_a_daemon_in_100000_cases),
    cmocka_unit_test(test_cron_oracle__agrees_on_far_days),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
