/* See steps.h. The steps are listed here and told by the providers and the outside: one that is told and not listed is a fault, and so is one
 * that is listed and was never killed, where that has to be. So neither can be forgotten.
 *
 * At first those that have to have a kill are gone through, the one that was missed least often first, and waited for longer each time that it did
 * not come. Once each has one, every other kill comes at the step that had the fewest, the others anywhere. */
#include "steps.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { WAIT_US = 100000, WAIT_STARTS = 2, DELAY_US = 1300000, DOUBLINGS_MAX = 5 };

/* Whose they are, by the place in all_well. */
enum { IDEMPOTENT = 1, LOOKUP = 2, NEITHER = 4, JOB = 8, HTTP = IDEMPOTENT | LOOKUP | NEITHER, ALL = HTTP | JOB };

/* Those without a dot in front are told by the outside, of its kinds of service. */
static const struct {
  const char *name;
  int kinds;
  enum act act;
  const char *after;
} list[] = {
  { ".configure", ALL, ACT_CREATE, NULL },
  { ".validate", ALL, ACT_CREATE, NULL },
  { ".create.begin", ALL, ACT_CREATE, NULL },
  { "policy.start", HTTP, ACT_CREATE, NULL },
  { ".create.sent", ALL, ACT_CREATE, NULL },
  { ".create.end", ALL, ACT_CREATE, NULL },
  { ".recoverPolicy.begin", LOOKUP | JOB, ACT_CREATE, ".create.sent" },
  { ".recoverPolicy.end", LOOKUP | JOB, ACT_CREATE, ".create.sent" },
  { ".update.begin", ALL, ACT_UPDATE, NULL },
  { "policy.update", HTTP, ACT_UPDATE, NULL },
  { ".update.end", ALL, ACT_UPDATE, NULL },
  { ".test.begin", ALL, ACT_TEST, NULL },
  { ".test.end", ALL, ACT_TEST, NULL },
  { ".deletePolicy.begin", ALL, ACT_REMOVE, NULL },
  { "policy.delete", HTTP, ACT_REMOVE, NULL },
  { ".deletePolicy.end", ALL, ACT_REMOVE, NULL },
  { ".prepareExecute", ALL, ACT_RUN, NULL },
  { ".prepareResult", ALL, ACT_RUN, NULL },
  { ".execute.begin", ALL, ACT_RUN, NULL },
  { ".defer", ALL, ACT_RUN, NULL },
  { ".start", HTTP, ACT_RUN, NULL },
  { ".tool.begin", JOB, ACT_RUN, NULL },
  { ".tool.end", JOB, ACT_RUN, NULL },
  { ".execute.sent", HTTP, ACT_RUN, NULL },
  { ".execute.end", ALL, ACT_RUN, NULL },
  { ".recover.begin", LOOKUP, ACT_RUN, ".execute.sent" },
  { ".recover.end", LOOKUP, ACT_RUN, ".execute.sent" },
  { ".refresh.begin", ALL, ACT_RUN, NULL },
  { ".refresh.end", ALL, ACT_RUN, NULL },
  { ".cancel.begin", ALL, ACT_CANCEL, NULL },
  { ".cancel", HTTP, ACT_CANCEL, NULL },
  { ".cancel.end", ALL, ACT_CANCEL, NULL },
  { ".cleanUp.begin", ALL, ACT_RUN, NULL },
  { ".clean", HTTP, ACT_RUN, NULL },
  { ".cleanUp.end", ALL, ACT_RUN, NULL },
  { ".delete.begin", ALL, ACT_DELETE, NULL },
  { ".delete", HTTP, ACT_DELETE, NULL },
  { ".delete.end", ALL, ACT_DELETE, NULL },
  { ".extract.begin", ALL, ACT_EXTRACT, NULL },
  { ".extract.end", ALL, ACT_EXTRACT, NULL },
};

step *steps_find(steps *s, const char *name) {
  for (size_t i = 0; i < s->count; i++)
    if (strcmp(s->all[i].name, name) == 0) return &s->all[i];
  return NULL;
}

static void add(harness *h, size_t at, int whose) {
  steps *s = &h->steps;
  char after[LABEL_MAX];
  if (s->count == STEPS_MAX) die("there are more steps than STEPS_MAX");
  step *added = &s->all[s->count];
  *added = (step){ .kind = whose, .act = list[at].act, .is_own = h->options.shares && (int)s->count % h->options.shares == h->options.share };
  snprintf(added->name, sizeof added->name, "%s%s", all_well[whose].code, list[at].name);
  snprintf(after, sizeof after, "%s%s", all_well[whose].code, list[at].after ? list[at].after : "");
  added->after = list[at].after ? steps_find(s, after) : NULL;
  s->count++;
}

void steps_init(harness *h) {
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    for (int whose = 0; whose < KINDS; whose++)
      if (list[i].kinds & 1 << whose) add(h, i, whose);
}

bool steps_told(steps *s, const char *name) {
  step *told = steps_find(s, name);
  if (!told) return false;
  told->seen++;
  if (told == s->wanted) s->is_there = true;
  return true;
}

bool steps_are_missing(const steps *s) {
  for (size_t i = 0; i < s->count; i++)
    if (s->all[i].is_own && !s->all[i].kills) return true;
  return false;
}

/* The best by what it had; where they are alike, by lot. */
static step *least(harness *h, bool only_missing) {
  steps *s = &h->steps;
  step *best = NULL;
  size_t first = (size_t)below(h, (int64_t)s->count);
  for (size_t i = 0; i < s->count; i++) {
    step *one = &s->all[(first + i) % s->count];
    if (only_missing && (!one->is_own || one->kills)) continue;
    bool is_better = !best || (only_missing ? one->misses < best->misses : one->kills < best->kills);
    if (is_better) best = one;
  }
  return best;
}

void steps_draw(harness *h) {
  steps *s = &h->steps;
  s->is_there = false;
  if (s->has_led) {
    s->has_led = false;
    s->wanted = s->goal;
    return;
  }
  if (h->options.at) s->goal = steps_find(s, h->options.at);
  else if (steps_are_missing(s)) s->goal = least(h, true);
  else if (below(h, 2) == 0) s->goal = least(h, false);
  else s->goal = &s->all[below(h, (int64_t)s->count)];
  s->wanted = s->goal->after ? s->goal->after : s->goal;
}

int64_t steps_patience_us(const harness *h) {
  const step *goal = h->steps.goal;
  bool is_due = h->options.at || (goal->is_own && !goal->kills);
  long doublings = !is_due ? 0 : goal->misses < DOUBLINGS_MAX ? goal->misses : DOUBLINGS_MAX;
  return ((WAIT_US + WAIT_STARTS * h->ready_us) << doublings) + (goal->after ? DELAY_US : 0);
}

void steps_killed(steps *s) {
  if (!s->wanted) return;
  if (s->is_there) s->wanted->kills++;
  else s->goal->misses++;
  s->has_led = s->is_there && s->wanted != s->goal;
}

bool steps_want(const steps *s, enum act act) { return s->wanted && s->wanted->act == act; }

int steps_kind(const steps *s, int otherwise) { return s->wanted ? s->wanted->kind : otherwise; }

void steps_print(const steps *s) {
  for (size_t i = 0; i < s->count; i++)
    printf("#   %-28s passed %6ld times, killed there %4ld, missed %4ld\n", s->all[i].name, s->all[i].seen, s->all[i].kills, s->all[i].misses);
}

void steps_judge(harness *h) {
  const steps *s = &h->steps;
  for (size_t i = 0; i < s->count; i++)
    if (s->all[i].is_own && !s->all[i].kills)
      verdict_fault(h->verdict, CHECK_STEPS, "no kill came at %s, where hooks were %ld times", s->all[i].name, s->all[i].seen);
}
