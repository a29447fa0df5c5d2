/* The story of a result: its hook calls and events in the order they happened, a line each, as a person would tell it.
 *
 *   2026-11-23
 *   11:27:48.120  accepted (schedule)
 *   11:27:48.121  prepareExecuteBackup: success after 3 ms
 *   11:27:48.125  executeBackup is called
 *   11:27:48.130    it sends: POST https://backup.example.com
 *   11:27:50.001    it answers: success after 1.9 s
 *
 * Works on the `ops` and `events` of result.show. A call that sent something is told in its steps, so that what happened in between
 * stands between them; others are one line. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "host/render.h"

typedef struct line {
  int64_t ms;
  size_t order; /* among those of one instant */
  enum orr__hue hue;
  char *text;   /* owned */
} line;

typedef struct story {
  line *lines;
  size_t count, cap;
} story;

static void add(story *s, int64_t ms, enum orr__hue hue, char *text) {
  if (s->count == s->cap) {
    size_t cap = s->cap ? s->cap * 2 : 64;
    line *lines = realloc(s->lines, cap * sizeof *lines);
    if (!lines) {
      free(text);
      return;
    }
    s->lines = lines;
    s->cap = cap;
  }
  if (text) s->lines[s->count] = (line){ms, s->count, hue, text}, s->count++;
}

static int64_t date_of(const cJSON *map, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(map, key);
  return cJSON_IsNumber(value) ? (int64_t)value->valuedouble : 0;
}

/* "success after 3 ms: the message" */
static char *outcome_text(const char *before, const cJSON *op) {
  const char *outcome = orr__json_word(op, "outcome"), *message = orr__json_word(op, "message");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__buf_addf(&out, "%s%s after ", before, orr__streq(outcome, "lost") ? "no answer" : outcome ? outcome : "done");
  orr__text_took(&out, (double)(date_of(op, "endDate") - date_of(op, "startDate")));
  if (message && *message) orr__buf_adds(&out, ": ");
  if (message) orr__text_line(&out, message);
  return orr__buf_take(&out, NULL);
}

static enum orr__hue outcome_hue(const cJSON *op) {
  const char *outcome = orr__json_word(op, "outcome");
  if (!outcome || orr__streq(outcome, "success")) return ORR_HUE_NONE;
  return orr__streq(outcome, "retry") || orr__streq(outcome, "lost") ? ORR_HUE_WARN : ORR_HUE_BAD;
}

static void tell_op(story *s, const cJSON *op) {
  const char *hook = orr__json_word(op, "hook"), *act = orr__json_word(op, "act");
  int64_t start = date_of(op, "startDate"), sent = date_of(op, "sentDate"), end = date_of(op, "endDate");
  int64_t attempt = date_of(op, "attempt");
  if (!hook || orr__streq(hook, "result.resolve")) return; /* the event of a resolve says the same */
  char *name = attempt > 1 ? orr__strf("%s, try %lld", hook, (long long)attempt) : orr__strdup(hook);
  char *before = name ? orr__strf("%s: ", name) : NULL;
  if (before && !sent && end) {
    add(s, start, outcome_hue(op), outcome_text(before, op));
  } else if (before) {
    add(s, start, ORR_HUE_NONE, orr__strf("%s is called", name));
    if (sent) add(s, sent, ORR_HUE_NONE, orr__strf("  it sends: %s", act ? act : "something"));
    if (end) add(s, end, outcome_hue(op), outcome_text("  it answers: ", op));
    else add(s, sent ? sent : start, ORR_HUE_BUSY, orr__strdup("  it has not answered yet"));
  }
  free(before);
  free(name);
}

static void tell_event(story *s, const cJSON *event) {
  const char *message = orr__json_word(event, "message"), *level = orr__json_word(event, "level");
  bool is_warning = orr__streq(level, "warning"), is_error = orr__streq(level, "error");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__text_line(&out, message ? message : "");
  add(s, date_of(event, "date"), is_error ? ORR_HUE_BAD : is_warning ? ORR_HUE_WARN : ORR_HUE_BOLD, orr__buf_take(&out, NULL));
}

static int by_time(const void *a, const void *b) {
  const line *x = a, *y = b;
  if (x->ms != y->ms) return x->ms < y->ms ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

void orr__story(orr__buf *out, const orr__paint *paint, const cJSON *ops, const cJSON *events) {
  story s = {NULL, 0, 0};
  const cJSON *one;
  char day[16] = "";
  /* Of one instant, what was decided (an event) stands before the call it led to. */
  cJSON_ArrayForEach(one, events) tell_event(&s, one);
  cJSON_ArrayForEach(one, ops) tell_op(&s, one);
  if (s.count) qsort(s.lines, s.count, sizeof *s.lines, by_time);
  for (size_t i = 0; i < s.count; i++) {
    struct tm tm;
    char date[16], clock[16];
    time_t seconds = (time_t)(s.lines[i].ms / 1000);
    localtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    if (strcmp(date, day) != 0) orr__buf_addf(out, "%s\n", date);
    strcpy(day, date);
    orr__buf_addf(out, "%s.%03d  ", clock, (int)(s.lines[i].ms % 1000));
    orr__hued(out, paint, s.lines[i].hue, s.lines[i].text);
    orr__buf_addc(out, '\n');
    free(s.lines[i].text);
  }
  free(s.lines);
}
