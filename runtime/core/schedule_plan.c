/* What becomes of the instants between the cursor and now.
 *
 * A function of facts, which writes nothing: schedule_fire.c carries it out and then looks again, so a plan holds one fire
 * at most. Every instant that the cursor passes is in it once, as the fire, as the buffered one, or in a run of skips.
 *
 *   in a blackout             skipped
 *   past its start deadline   skipped
 *   late by over a minute,
 *   or the next one has come  missed: the misfire policy says which of them fire
 *   else                      fires, unless a result is running: then the overlap policy says what becomes of it
 *
 * What is to fire, and cannot just now, stays where it is: in a blackout that has begun since, until that ends; one of those
 * that are made up for by the policy `all`, until the one before has ended. What comes behind it waits, too. */
#include "core/schedule.h"

#include <stdlib.h>

const char *const orr__skip_words[ORR_SKIP_COUNT] = {
  [ORR_SKIP_MISSED] = "missed",     [ORR_SKIP_TOO_LATE] = "too_late",
  [ORR_SKIP_OVERLAP] = "overlap",   [ORR_SKIP_BLACKOUT] = "blackout",
  [ORR_SKIP_CONNECTION] = "connection_disabled", [ORR_SKIP_PAUSED] = "paused",
  [ORR_SKIP_CHANGED] = "changed",   [ORR_SKIP_REQUESTED] = "requested",
};

/* ---- runs of skips ------------------------------------------------------------------------------------------ */

static int add_run(orr__plan *plan, orr__skip_run run) {
  orr__skip_run *last = plan->run_count ? &plan->runs[plan->run_count - 1] : NULL;
  if (last && !last->is_apart && last->reason == run.reason && last->until_ms == run.until_ms) {
    last->last_ms = run.last_ms;
    last->count += run.count;
    return 0;
  }
  if (plan->run_count == plan->run_cap) {
    size_t cap = plan->run_cap ? plan->run_cap * 2 : 8;
    orr__skip_run *runs = realloc(plan->runs, cap * sizeof *runs);
    if (!runs) return ORR_E_NOMEM;
    plan->runs = runs;
    plan->run_cap = cap;
  }
  plan->runs[plan->run_count++] = run;
  return 0;
}

int orr__plan_skip(orr__plan *plan, enum orr__skip reason, int64_t instant_ms, int64_t until_ms) {
  return add_run(plan, (orr__skip_run){ reason, instant_ms, instant_ms, 1, until_ms, false });
}

int orr__plan_skip_buffered(orr__plan *plan, enum orr__skip reason, int64_t instant_ms) {
  return add_run(plan, (orr__skip_run){ reason, instant_ms, instant_ms, 1, 0, true });
}

void orr__plan_clear(orr__plan *plan) {
  free(plan->runs);
  plan->runs = NULL;
  plan->run_count = plan->run_cap = 0;
}

/* ---- what is there ------------------------------------------------------------------------------------------ */

enum state { IN_BLACKOUT, TOO_LATE, LATE, ON_TIME };

/* The instants that have come, in order; is_cut: there are more than these. */
typedef struct instants {
  size_t count, late;
  bool has_on_time, is_cut;
  struct {
    int64_t at_ms, until_ms;
    enum state state;
  } *items;
} instants;

static bool is_too_late(const orr__plan_facts *f, int64_t instant_ms) {
  return f->schedule->deadline_ms < f->now_ms - instant_ms;
}

static enum state state_of(const orr__plan_facts *f, int64_t instant_ms, int64_t *ret_until_ms) {
  *ret_until_ms = 0;
  if (orr__schedule_is_held(f->schedule, instant_ms, ret_until_ms)) return IN_BLACKOUT;
  *ret_until_ms = 0;
  if (is_too_late(f, instant_ms)) return TOO_LATE;
  return f->now_ms - instant_ms - f->schedule->jitter_ms > ORR_SCHEDULE_GRACE_MS ? LATE : ON_TIME;
}

static int find(const orr__plan_facts *f, instants *ret) {
  size_t cap = 0, on_time = 0;
  int64_t at_ms = f->cursor_ms;
  *ret = (instants){ 0 };
  for (;;) {
    at_ms = orr__schedule_instant(f->schedule, at_ms);
    if (at_ms == ORR__CRON_NEVER || at_ms > f->now_ms - f->schedule->jitter_ms) return 0;
    ret->is_cut = ret->count == ORR_PLAN_INSTANTS;
    if (ret->is_cut) return 0;
    if (ret->count == cap) {
      cap = cap ? cap * 2 : 16;
      void *items = realloc(ret->items, cap * sizeof *ret->items);
      if (!items) return ORR_E_NOMEM;
      ret->items = items;
    }
    int64_t until_ms;
    enum state state = state_of(f, at_ms, &until_ms);
    if (state == ON_TIME && ret->has_on_time) { /* nobody was there before the next one came */
      ret->items[on_time].state = LATE;
      ret->late++;
    }
    if (state == ON_TIME) on_time = ret->count;
    ret->has_on_time |= state == ON_TIME;
    ret->late += state == LATE;
    ret->items[ret->count].at_ms = at_ms;
    ret->items[ret->count].until_ms = until_ms;
    ret->items[ret->count++].state = state;
  }
}

/* How many of the late ones, counted from the first, are not made up for. Where there are more behind these, the last ones
 * are left for the next plan to judge. */
static size_t missed_of(const orr__plan_facts *f, const instants *found) {
  size_t kept = f->schedule->misfire == ORR_MISFIRE_ONE ? 1 : f->schedule->misfire == ORR_MISFIRE_ALL ? ORR_MISFIRES_MAX : 0;
  if (kept == 1 && found->has_on_time) kept = 0;
  return found->late > kept ? found->late - kept : 0;
}

/* ---- the plan ----------------------------------------------------------------------------------------------- */

/* Is a blackout on? Then nothing fires, and its end is the time to look again. */
static bool is_held_now(const orr__plan_facts *f, orr__plan *plan) {
  int64_t end_ms;
  if (!orr__blackouts_hold(f->schedule->blackouts, f->schedule->zone, f->now_ms, &end_ms)) return false;
  plan->wake_ms = end_ms;
  return true;
}

/* The buffered one comes first; true if it has decided what is done now. */
static bool plan_buffered(const orr__plan_facts *f, orr__plan *plan, int *code) {
  if (f->buffered_ms < 0) return false;
  bool is_late = is_too_late(f, f->buffered_ms), is_asked = !is_late && f->skips > 0;
  if (is_late || is_asked || f->is_connection_off) {
    enum orr__skip reason = is_late ? ORR_SKIP_TOO_LATE : is_asked ? ORR_SKIP_REQUESTED : ORR_SKIP_CONNECTION;
    plan->skipped += is_asked;
    plan->buffered_ms = -1;
    *code = orr__plan_skip_buffered(plan, reason, f->buffered_ms);
    return *code != 0;
  }
  if (is_held_now(f, plan)) return false;
  if (f->is_running && f->schedule->overlap != ORR_OVERLAP_ALLOW) {
    plan->is_waiting_for_end = true;
    return false;
  }
  plan->fire_ms = f->buffered_ms;
  plan->buffered_ms = -1;
  return true;
}

enum verdict { SKIPPED, BUFFERED, FIRES, WAITS };

/* What becomes of an instant that is to fire. */
static enum verdict judge(const orr__plan_facts *f, orr__plan *plan, bool is_late, enum orr__skip *ret_reason) {
  if (f->skips) {
    *ret_reason = ORR_SKIP_REQUESTED;
    if (plan->skipped == f->skips) return WAITS;
    plan->skipped++;
    return SKIPPED;
  }
  *ret_reason = ORR_SKIP_CONNECTION;
  if (f->is_connection_off) return SKIPPED;
  if (is_held_now(f, plan)) return WAITS;
  if (!f->is_running || f->schedule->overlap == ORR_OVERLAP_ALLOW) return FIRES;
  plan->is_waiting_for_end = true;
  if (is_late && f->schedule->misfire == ORR_MISFIRE_ALL) return WAITS;
  if (f->schedule->overlap == ORR_OVERLAP_BUFFER_ONE && plan->buffered_ms < 0) return BUFFERED;
  plan->is_waiting_for_end = plan->buffered_ms >= 0;
  *ret_reason = ORR_SKIP_OVERLAP;
  return SKIPPED;
}

static int plan_found(const orr__plan_facts *f, const instants *found, orr__plan *plan) {
  size_t missed = missed_of(f, found), late = 0;
  for (size_t i = 0; i < found->count; i++) {
    static const enum orr__skip reasons[] = { [IN_BLACKOUT] = ORR_SKIP_BLACKOUT, [TOO_LATE] = ORR_SKIP_TOO_LATE, [LATE] = ORR_SKIP_MISSED };
    enum state state = found->items[i].state;
    int64_t at_ms = found->items[i].at_ms;
    enum verdict verdict = SKIPPED;
    enum orr__skip reason = reasons[state == ON_TIME ? LATE : state];
    late += state == LATE;
    if (state == ON_TIME || (state == LATE && late > missed)) verdict = judge(f, plan, state == LATE, &reason);
    bool is_enough = (found->is_cut && verdict != SKIPPED && i > 0) || plan->run_count == ORR_SKIP_RUNS;
    if (is_enough) return 0; /* the rest in another plan */
    plan->is_stopped = verdict == WAITS;
    if (plan->is_stopped) return 0;
    plan->cursor_ms = at_ms;
    if (verdict == FIRES) {
      plan->fire_ms = at_ms;
      return 0;
    }
    if (verdict == BUFFERED) plan->buffered_ms = at_ms;
    int code = verdict == SKIPPED ? orr__plan_skip(plan, reason, at_ms, found->items[i].until_ms) : 0;
    if (code) return code;
  }
  return 0;
}

int orr__plan_make(const orr__plan_facts *facts, orr__plan *ret) {
  int code = 0;
  *ret = (orr__plan){ .fire_ms = -1, .cursor_ms = facts->cursor_ms, .buffered_ms = facts->buffered_ms, .wake_ms = -1 };
  if (plan_buffered(facts, ret, &code)) return code;
  instants found;
  code = find(facts, &found);
  if (!code) code = plan_found(facts, &found, ret);
  free(found.items);
  return code;
}

/* ---- dropped ------------------------------------------------------------------------------------------------ */

/* An interval without blackouts needs no walk, however long it was. */
static int drop_interval(const orr__schedule *s, int64_t cursor_ms, int64_t until_ms, enum orr__skip reason, orr__plan *ret) {
  int64_t first_ms = orr__schedule_instant(s, cursor_ms);
  if (first_ms > until_ms) return 0;
  int64_t more = (until_ms - first_ms) / s->cron.every_ms, last_ms = first_ms + more * s->cron.every_ms;
  ret->cursor_ms = last_ms;
  return add_run(ret, (orr__skip_run){ reason, first_ms, last_ms, more + 1, 0, false });
}

int orr__plan_drop(const orr__schedule *schedule, int64_t cursor_ms, int64_t until_ms, enum orr__skip reason, orr__plan *ret) {
  *ret = (orr__plan){ .fire_ms = -1, .cursor_ms = cursor_ms, .buffered_ms = -1, .wake_ms = -1 };
  if (schedule->cron.every_ms && !schedule->blackouts) return drop_interval(schedule, cursor_ms, until_ms, reason, ret);
  int code = 0;
  while (!code) {
    int64_t end_ms, at_ms = orr__schedule_instant(schedule, ret->cursor_ms);
    if (at_ms > until_ms) break;
    bool is_held = orr__schedule_is_held(schedule, at_ms, &end_ms);
    bool is_full = ret->run_count == ORR_SKIP_RUNS; /* told less exactly, but all told */
    code = is_held && !is_full ? orr__plan_skip(ret, ORR_SKIP_BLACKOUT, at_ms, end_ms) : orr__plan_skip(ret, reason, at_ms, 0);
    ret->cursor_ms = at_ms;
  }
  return code;
}
