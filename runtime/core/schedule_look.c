/* Requests about schedules: what a text means, what a Backup's schedule does next, skipping some of it. */
#include "core/schedule.h"

#include <stdlib.h>

#define COUNT_MAX 1000
#define WALK_MAX 100000    /* instants gone through for them */
#define SKIP_ATTEMPTS 5

/* The argument count, or -1 with the error in flow. */
static int64_t count_of(orr__flow *flow, int64_t otherwise) {
  int64_t count = orr__json_int(flow->args, "count", otherwise);
  double exact = orr__json_num(flow->args, "count", (double)otherwise);
  if (count >= 1 && count <= COUNT_MAX && exact == (double)count) return count;
  flow->code = orr__error_field(&flow->error, "count", "is a whole number from 1 to %d", COUNT_MAX);
  return -1;
}

/* ---- describe ----------------------------------------------------------------------------------------------- */

/* A Backup that is nowhere but here. */
static orr_backup *make_backup(orr__flow *flow) {
  orr_backup *backup = orr__backup_new();
  if (!backup) return NULL;
  int64_t now = orr__now(flow->core);
  char uuid[37];
  orr__random_uuid(flow->core->config.random, uuid);
  orr__set_str(&backup->head, ORR_F_backup_uuid, uuid);
  orr__set_int(&backup->head, ORR_F_backup_scheduleAnchor, now);
  orr__set_int(&backup->head, ORR_F_backup_scheduleCursor, now);
  return backup;
}

void orr__request_schedule_describe(orr__flow *flow) {
  int64_t count = count_of(flow, 3);
  orr_backup *backup = count < 0 ? NULL : make_backup(flow);
  if (count >= 0 && !backup) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (!flow->code) flow->code = orr__schedule_apply(flow, backup);
  orr__json *out = flow->code ? NULL : orr__schedule_describe(flow->core, backup, (int)count, &flow->error);
  orr__object_free((orr__object *)backup);
  if (!out) {
    if (!flow->code) flow->code = flow->error.code;
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

/* ---- what both others begin with ---------------------------------------------------------------------------- */

/* The schedule of flow->graph.backup, or false with flow->code. */
static bool open_loaded(orr__flow *flow, orr__schedule *ret) {
  const orr_backup *backup = flow->graph.backup;
  if (!backup->schedule)
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED,
                                "'%s' has no schedule; it gets one by: orrery backup update %s --schedule CRON",
                                backup->name, backup->name);
  else
    flow->code = orr__schedule_open(flow->core, backup, ret, &flow->error);
  return flow->code == 0;
}

static orr__plan_facts facts_of(const orr__flow *flow, const orr__schedule *schedule) {
  const orr_backup *backup = flow->graph.backup;
  bool is_buffered = orr__object_has(&backup->head, ORR_F_backup_bufferedDate);
  return (orr__plan_facts){ .schedule = schedule,
                            .now_ms = orr__now(flow->core),
                            .cursor_ms = backup->scheduleCursor,
                            .buffered_ms = is_buffered ? backup->bufferedDate : -1 };
}

/* ---- next --------------------------------------------------------------------------------------------------- */

static orr__json *add_entry(orr__json *list, int64_t instant_ms, int64_t fire_ms) {
  orr__json *entry = orr__json_map();
  if (!entry) return NULL;
  orr__json_put_int(entry, "instant", instant_ms);
  if (fire_ms >= 0) orr__json_put_int(entry, "date", fire_ms);
  orr__json_append(list, entry);
  return entry;
}

/* What is due already and has not fired yet. Returns the cursor behind it. */
static int64_t add_due(const orr__flow *flow, const orr__schedule *schedule, orr__json *list, int64_t *count) {
  orr__plan_facts facts = facts_of(flow, schedule);
  for (bool is_more = true; is_more && *count > 0;) {
    orr__plan plan;
    if (orr__plan_make(&facts, &plan)) return facts.cursor_ms;
    is_more = plan.fire_ms >= 0;
    if (is_more) {
      orr__json *entry = add_entry(list, plan.fire_ms, facts.now_ms);
      if (entry) orr__json_put_bool(entry, "due", true);
      --*count;
    }
    facts.cursor_ms = plan.cursor_ms;
    facts.buffered_ms = plan.buffered_ms;
    orr__plan_clear(&plan);
  }
  return facts.cursor_ms;
}

/* The instants that one blackout holds, from `first` on. Returns the last of them. */
static int64_t add_held(const orr__schedule *schedule, orr__json *list, int64_t first_ms, int64_t end_ms, int64_t *walked) {
  orr__json *entry = add_entry(list, first_ms, -1);
  int64_t last_ms = first_ms, count = 1, at_ms = first_ms;
  while (++*walked < WALK_MAX) {
    at_ms = orr__schedule_instant(schedule, at_ms);
    if (at_ms == ORR__CRON_NEVER || at_ms + schedule->jitter_ms >= end_ms) break;
    last_ms = at_ms;
    count++;
  }
  if (!entry) return last_ms;
  orr__json_put_str(entry, "skipped", orr__skip_words[ORR_SKIP_BLACKOUT]);
  orr__json_put_int(entry, "until", end_ms);
  orr__json_put_int(entry, "last", last_ms);
  orr__json_put_int(entry, "count", count);
  return last_ms;
}

static void add_coming(const orr__schedule *schedule, orr__json *list, int64_t cursor_ms, int64_t count) {
  int64_t at_ms = cursor_ms, end_ms, walked = 0;
  for (; count > 0 && walked < WALK_MAX; count--, walked++) {
    at_ms = orr__schedule_instant(schedule, at_ms);
    if (at_ms == ORR__CRON_NEVER) return;
    if (orr__schedule_is_held(schedule, at_ms, &end_ms)) {
      at_ms = add_held(schedule, list, at_ms, end_ms, &walked);
      continue;
    }
    orr__json *entry = add_entry(list, at_ms, at_ms + schedule->jitter_ms);
    char *note = orr__cron_note(&schedule->cron, schedule->zone, at_ms);
    if (note && entry) orr__json_put_str(entry, "note", note);
    free(note);
  }
}

static void add_warnings(const orr__flow *flow, const orr__schedule *schedule, orr__json *list) {
  const orr_backup *backup = flow->graph.backup;
  orr__schedule_warnings(schedule, orr__now(flow->core), list);
  if (backup->scheduleCursor <= orr__now(flow->core)) return;
  char until[32];
  orr__iso_format(backup->scheduleCursor, until);
  char *line = orr__strf("what comes up to %s has been dealt with: skipped, or the clock was set back since; `orrery backup "
                         "pause` and `resume` begin anew", until);
  orr__json_append(list, orr__json_new_str(line));
  free(line);
}

static void next_loaded(orr__flow *flow) {
  orr__schedule schedule;
  if (flow->code || !open_loaded(flow, &schedule)) {
    orr__flow_abandon(flow);
    return;
  }
  const orr_backup *backup = flow->graph.backup;
  orr__json *out = orr__json_map(), *next = orr__json_list(), *warnings = orr__json_list();
  if (out && next && warnings) {
    char *meaning = orr__schedule_meaning(&schedule);
    int64_t count = flow->id_at;
    int64_t cursor = backup->paused ? 0 : add_due(flow, &schedule, next, &count);
    if (!backup->paused) add_coming(&schedule, next, cursor, count);
    add_warnings(flow, &schedule, warnings);
    orr__json_put_str(out, "backup", backup->name);
    orr__json_put_str(out, "schedule", backup->schedule);
    orr__json_put_str(out, "timeZone", orr__zone_name(schedule.zone));
    orr__json_put_str(out, "meaning", meaning);
    orr__json_put_bool(out, "paused", backup->paused);
    orr__json_put_int(out, "jitter", schedule.jitter_ms);
    orr__json_put(out, "next", next);
    orr__json_put(out, "warnings", warnings);
    next = warnings = NULL;
    free(meaning);
  }
  orr__flow_reply(flow, out);
  orr__json_free(next);
  orr__json_free(warnings);
  orr__json_free(out);
  orr__schedule_close(&schedule);
  orr__flow_end(flow);
}

static void next_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_backup, flow->id, next_loaded);
}

void orr__request_schedule_next(orr__flow *flow) {
  int64_t count = count_of(flow, 5);
  flow->id_at = count < 0 ? 0 : (size_t)count;
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), next_found);
}

/* ---- skip --------------------------------------------------------------------------------------------------- */

static void skip_loaded(orr__flow *flow);

static void skip_written(orr__flow *flow) {
  if (flow->code == ORR_E_CONFLICT && flow->attempt++ < SKIP_ATTEMPTS) { /* it has fired in between */
    orr__flow_load(flow, ORR_M_backup, flow->graph.backup->id, skip_loaded);
    return;
  }
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  const orr_backup *backup = flow->graph.backup;
  orr__schedule_arm(flow->core, backup);
  int64_t next = orr__schedule_next(flow->core, backup, orr__now(flow->core));
  if (flow->out && next >= 0) orr__json_put_int(flow->out, "next", next);
  orr__flow_reply(flow, flow->out);
  orr__flow_end(flow);
}

/* Beyond what is due: the next ones that no blackout holds, and what is held in between. 0 or NOMEM. */
static int skip_coming(const orr__schedule *schedule, int64_t count, orr__plan *plan) {
  int code = 0;
  for (int64_t walked = 0; !code && count > 0 && walked < WALK_MAX; walked++) {
    int64_t end_ms, at_ms = orr__schedule_instant(schedule, plan->cursor_ms);
    if (at_ms == ORR__CRON_NEVER) break;
    bool is_held = orr__schedule_is_held(schedule, at_ms, &end_ms);
    if (is_held && plan->run_count >= ORR_SKIP_RUNS) break;
    code = is_held ? orr__plan_skip(plan, ORR_SKIP_BLACKOUT, at_ms, end_ms)
                   : orr__plan_skip(plan, ORR_SKIP_REQUESTED, at_ms, 0);
    plan->cursor_ms = at_ms;
    plan->skipped += !is_held;
    count -= !is_held;
  }
  return code;
}

static orr__json *view_skipped(const orr_backup *backup, const orr__plan *plan) {
  orr__json *out = orr__json_map(), *list = orr__json_list();
  for (size_t i = 0; list && i < plan->run_count; i++) {
    const orr__skip_run *run = &plan->runs[i];
    orr__json *map = orr__json_map();
    if (!map) continue;
    orr__json_put_str(map, "reason", orr__skip_words[run->reason]);
    orr__json_put_int(map, "first", run->first_ms);
    orr__json_put_int(map, "last", run->last_ms);
    orr__json_put_int(map, "count", run->count);
    orr__json_append(list, map);
  }
  if (!out) {
    orr__json_free(list);
    return NULL;
  }
  orr__json_put_str(out, "backup", backup->name);
  orr__json_put(out, "skipped", list);
  orr__json_put_int(out, "count", plan->skipped);
  orr__json_put(out, "next", orr__json_null());
  return out;
}

static void write_skip(orr__flow *flow, const orr__plan *plan) {
  orr_backup *backup = flow->graph.backup;
  orr__object *o = &backup->head;
  orr__tx *tx = orr__flow_tx(flow);
  orr__schedule_guard(tx, backup);
  orr__set_int(o, ORR_F_backup_scheduleCursor, plan->cursor_ms);
  if (plan->buffered_ms < 0) orr__unset(o, ORR_F_backup_bufferedDate);
  orr__tx_update(tx, o, o->dirty);
  orr__object_clean(o);
  flow->code = orr__schedule_record(flow, tx, plan, orr__resolver(flow));
  if (flow->code) {
    orr__tx_free(tx);
    orr__error_set(&flow->error, flow->code, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  orr__json_free(flow->out);
  flow->out = view_skipped(backup, plan);
  orr__flow_submit(flow, tx, skip_written);
}

static void skip_loaded(orr__flow *flow) {
  orr__schedule schedule;
  if (!flow->code && flow->graph.backup->schedule && flow->graph.backup->paused)
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' is paused: nothing fires that could be skipped",
                                flow->graph.backup->name);
  if (flow->code || !open_loaded(flow, &schedule)) {
    orr__flow_abandon(flow);
    return;
  }
  orr__plan plan;
  orr__plan_facts facts = facts_of(flow, &schedule);
  facts.skips = (int64_t)flow->id_at;
  int code = orr__plan_make(&facts, &plan);
  if (!code) code = skip_coming(&schedule, facts.skips - plan.skipped, &plan);
  if (code) {
    flow->code = orr__error_set(&flow->error, code, "out of memory");
    orr__flow_abandon(flow);
  } else {
    write_skip(flow, &plan);
  }
  orr__plan_clear(&plan);
  orr__schedule_close(&schedule);
}

static void skip_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_backup, flow->id, skip_loaded);
}

void orr__request_schedule_skip(orr__flow *flow) {
  int64_t count = count_of(flow, 1);
  flow->id_at = count < 0 ? 0 : (size_t)count;
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), skip_found);
}
