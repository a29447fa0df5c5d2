/* A look at one Backup's schedule: what is stored is read, a plan is made (schedule_plan.c), and carried out.
 *
 * The new result with its first intent, the cursor, and the record of what was skipped are one transaction, guarded by the
 * cursor that was read: a fire is neither lost nor doubled. Nothing is written that depends on a timer having rung. Where a
 * plan cannot be carried out it is thrown away, and the Backup is looked at again, afresh. */
#include "core/schedule.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 1000
#define BUSY_MS 20
#define LOOK_END_MS 60000        /* what waits for an end is told of it; this is for one that nobody told of */
#define LOOK_MISSING_MS 120000   /* is the zone, or the provider, back? */
#define BLACKOUT_TOLD_MS 3600000 /* what a blackout skips is recorded at least so often */

/* ---- skips, as events ------------------------------------------------------------------------------------------ */

static const char *const why_skipped[ORR_SKIP_COUNT] = {
  [ORR_SKIP_MISSED] = "nobody was there in time",
  [ORR_SKIP_TOO_LATE] = "past the start deadline",
  [ORR_SKIP_OVERLAP] = "an earlier result was still running",
  [ORR_SKIP_BLACKOUT] = "blackout",
  [ORR_SKIP_CONNECTION] = "its connection is not enabled",
  [ORR_SKIP_PAUSED] = "still waiting when the schedule was paused",
  [ORR_SKIP_CHANGED] = "still waiting when the schedule was changed",
  [ORR_SKIP_REQUESTED] = "asked for",
};

/* What a program reads of it; NULL without memory for all of it. */
static orr__json *run_data(const orr__skip_run *run, const char *who) {
  orr__json *data = orr__json_map();
  if (!data) return NULL;
  int code = orr__json_put_str(data, "reason", orr__skip_words[run->reason]);
  if (!code) code = orr__json_put_int(data, "first", run->first_ms);
  if (!code) code = orr__json_put_int(data, "last", run->last_ms);
  if (!code) code = orr__json_put_int(data, "count", run->count);
  if (!code && run->reason == ORR_SKIP_BLACKOUT) code = orr__json_put_int(data, "until", run->until_ms);
  if (!code && who) code = orr__json_put_str(data, "requestedBy", who);
  if (!code) return data;
  orr__json_free(data);
  return NULL;
}

static int record_run(orr__flow *flow, orr__tx *tx, const orr__skip_run *run, const char *who) {
  char first[32], last[32], until[32];
  bool is_ordinary = run->reason == ORR_SKIP_BLACKOUT || run->reason >= ORR_SKIP_PAUSED;
  if (run->reason != ORR_SKIP_REQUESTED) who = NULL;
  orr__iso_format(run->first_ms, first);
  orr__iso_format(run->last_ms, last);
  orr__iso_format(run->until_ms, until);
  char *why = who ? orr__strf("%s by %s", why_skipped[run->reason], who)
              : run->reason == ORR_SKIP_BLACKOUT && run->until_ms != INT64_MAX
                  ? orr__strf("%s until %s", why_skipped[run->reason], until)
                  : orr__strdup(why_skipped[run->reason]);
  char *message = run->reason == ORR_SKIP_MISSED
                      ? orr__strf("%lld earlier fire%s skipped: %s, from %s to %s", (long long)run->count,
                                  run->count == 1 ? "" : "s", why ? why : "", first, last)
                  : run->count == 1 ? orr__strf("%s skipped: %s", first, why ? why : "")
                                    : orr__strf("%lld fires from %s to %s skipped: %s", (long long)run->count, first,
                                                last, why ? why : "");
  int code = orr__flow_event_data(flow, tx, "schedule.skipped", is_ordinary ? "info" : "warning", run_data(run, who), "%s",
                                  message ? message : "");
  free(message);
  free(why);
  return code;
}

int orr__schedule_record(orr__flow *flow, orr__tx *tx, const orr__plan *plan, const char *who) {
  int code = 0;
  for (size_t i = 0; i < plan->run_count && !code; i++) code = record_run(flow, tx, &plan->runs[i], who);
  return code;
}

void orr__schedule_guard(orr__tx *tx, const orr_backup *backup) {
  const orr__object *o = &backup->head;
  static const int guarded[] = { ORR_F_backup_scheduleCursor, ORR_F_backup_paused, ORR_F_backup_bufferedDate };
  for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++)
    if (orr__object_has(o, guarded[i]))
      orr__tx_guard_int(tx, ORR_M_backup, backup->id, guarded[i], orr__get_int(o, guarded[i]));
}

/* ---- set, paused -------------------------------------------------------------------------------------------- */

static bool is_ours(const char *attention) {
  return orr__streq(attention, "zone_missing") || orr__streq(attention, "provider_missing") ||
         orr__streq(attention, "schedule_unusable");
}

/* Nobody can tell which instants there were. */
static int drop_unknown(orr__flow *flow, orr__tx *tx, const orr_backup *old, enum orr__skip reason) {
  char since[32];
  orr__json *data = orr__json_map();
  orr__iso_format(old->scheduleCursor, since);
  if (data) {
    orr__json_put_str(data, "reason", orr__skip_words[reason]);
    orr__json_put_int(data, "after", old->scheduleCursor);
    orr__json_put_int(data, "until", orr__now(flow->core));
  }
  return orr__flow_event_data(flow, tx, "schedule.skipped", "warning", data, "what was due since %s is skipped: %s", since,
                              why_skipped[reason]);
}

/* Records what of the old schedule has not fired and will not; the cursor goes behind it. 0 or NOMEM. */
static int drop(orr__flow *flow, orr__tx *tx, const orr_backup *old, enum orr__skip reason, orr_backup *backup) {
  orr__schedule schedule;
  orr__plan plan;
  int64_t now = orr__now(flow->core);
  int code = orr__schedule_open(flow->core, old, &schedule, NULL);
  if (code == ORR_E_NOMEM) return code;
  if (code) {
    plan.cursor_ms = now > old->scheduleCursor ? now : old->scheduleCursor;
    code = drop_unknown(flow, tx, old, reason);
  } else {
    code = orr__plan_drop(&schedule, old->scheduleCursor, now, reason, &plan);
    if (!code && orr__object_has(&old->head, ORR_F_backup_bufferedDate))
      code = orr__plan_skip_buffered(&plan, reason, old->bufferedDate);
    if (!code) code = orr__schedule_record(flow, tx, &plan, NULL);
    orr__plan_clear(&plan);
    orr__schedule_close(&schedule);
  }
  if (backup->schedule) orr__set_int(&backup->head, ORR_F_backup_scheduleCursor, plan.cursor_ms);
  orr__unset(&backup->head, ORR_F_backup_bufferedDate);
  return code;
}

int orr__schedule_halt(orr__flow *flow, orr__tx *tx, orr_backup *backup) {
  orr__schedule_guard(tx, backup);
  return backup->paused ? 0 : drop(flow, tx, backup, ORR_SKIP_PAUSED, backup);
}

int orr__schedule_begin(orr__flow *flow, orr__tx *tx, orr_backup *backup, const orr_backup *previous) {
  orr__object *o = &backup->head;
  int64_t now = orr__now(flow->core);
  bool had = previous && previous->schedule, has = backup->schedule, was_on = had && !previous->paused;
  bool is_new = !had || !has || !orr__streq(previous->schedule, backup->schedule) ||
                !orr__streq(previous->timeZone, backup->timeZone);
  bool is_well = !had || !is_ours(previous->attention); /* else what is due since then is for the new one to see to */
  int code = 0;
  if ((!had && !has) || (has && !is_new && was_on == !backup->paused)) return 0;
  if (had) orr__schedule_guard(tx, previous);
  if (is_new && is_ours(backup->attention)) orr__unset(o, ORR_F_backup_attention);
  if (was_on && (is_well || !has || backup->paused))
    code = drop(flow, tx, previous, is_new ? ORR_SKIP_CHANGED : ORR_SKIP_PAUSED, backup);
  if (!has || (was_on && (!is_well || !is_new))) return code;
  orr__set_int(o, ORR_F_backup_scheduleAnchor, now);
  orr__set_int(o, ORR_F_backup_scheduleCursor, now);
  return code;
}

/* ---- afterwards --------------------------------------------------------------------------------------------- */

/* Nothing was written: looked at again in a moment. */
static void again(orr__flow *flow) {
  orr__schedule_look(flow->core, flow->id, AGAIN_MS);
  orr__flow_end(flow);
}

static void look_next(orr__flow *flow) {
  orr__core *core = flow->core;
  bool is_told = orr__map_get(&core->ends, (uint64_t)flow->id) == NULL; /* of an end, since it was read */
  if (!flow->waits_for_end)
    orr__map_remove(&core->ends, (uint64_t)flow->id);
  else
    orr__schedule_look(core, flow->id, is_told ? 0 : LOOK_END_MS);
  if (flow->wake_ms >= 0) orr__schedule_wake(core, flow->id, flow->wake_ms);
}

static void fired(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->code) {
    if (flow->code != ORR_E_CONFLICT)
      core->config.sink.log(core->config.sink.self, ORR_LOG_WARNING, NULL, orr__error_message(&flow->error));
    flow->is_armed = true; /* the result was not written either */
    again(flow);
    return;
  }
  look_next(flow);
  if (!flow->graph.result) {
    orr__flow_end(flow);
    return;
  }
  flow->is_firing = false; /* from here on it is the flow of the result */
  orr__map_remove(&core->firing, (uint64_t)flow->id);
  orr__object_clean(&flow->graph.result->head);
  orr__result_changed(core, flow->graph.result);
  orr__run_go(flow);
}

/* When to look again by the clock. In a blackout whose first skip is on record the next ones are told together. */
static int64_t wake_after(const orr__schedule *schedule, const orr__plan *plan, int64_t now) {
  int64_t next = plan->is_stopped ? ORR__CRON_NEVER : orr__schedule_instant(schedule, plan->cursor_ms), end_ms;
  if (next == ORR__CRON_NEVER) return plan->wake_ms;
  int64_t wake = next + schedule->jitter_ms;
  const orr__skip_run *last = plan->run_count ? &plan->runs[plan->run_count - 1] : NULL;
  if (last && last->reason == ORR_SKIP_BLACKOUT && orr__schedule_is_held(schedule, next, &end_ms)) {
    int64_t told = end_ms < now + BLACKOUT_TOLD_MS ? end_ms : now + BLACKOUT_TOLD_MS;
    if (told > wake) wake = told;
  }
  return plan->wake_ms >= 0 && plan->wake_ms < wake ? plan->wake_ms : wake;
}

/* ---- what keeps it from firing ------------------------------------------------------------------------------ */

static void set_attention(orr__flow *flow, const char *word, const char *message) {
  orr_backup *backup = flow->graph.backup;
  flow->waits_for_end = false;
  flow->wake_ms = -1;
  orr__schedule_look(flow->core, flow->id, LOOK_MISSING_MS);
  bool has_other = backup->attention && !is_ours(backup->attention); /* that one first: it has no other record */
  if (has_other || orr__streq(backup->attention, word)) {
    orr__flow_end(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__schedule_guard(tx, backup);
  orr__set_str(&backup->head, ORR_F_backup_attention, word);
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_attention));
  orr__flow_event(flow, tx, "backup.attention", "error", "%s: %s", word, message);
  orr__flow_submit(flow, tx, fired);
}

/* What is due since the cursor waits until the zone is back, or the schedule is changed. */
static void miss_zone(orr__flow *flow, const orr__schedule *schedule) {
  const orr_backup *backup = flow->graph.backup;
  char *message =
      schedule->is_zone_missing
          ? orr__strf("the time zone %s is not there any more: install tzdata, or: orrery backup update %s --tz ZONE",
                      backup->timeZone ? backup->timeZone : "", backup->name)
          : orr__strf("its schedule cannot be used: orrery backup update %s --schedule CRON", backup->name);
  set_attention(flow, schedule->is_zone_missing ? "zone_missing" : "schedule_unusable", message ? message : "");
  free(message);
}

static void miss_provider(orr__flow *flow) {
  char *message =
      orr__strf("the provider '%s' is missing: what is due waits until it is back", flow->graph.backup->providerCode);
  set_attention(flow, "provider_missing", message ? message : "");
  free(message);
}

/* ---- a look ------------------------------------------------------------------------------------------------- */

enum { GRAPH, RUNNING }; /* slots of the reading */

static bool has_running(const orr__flow *flow) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, RUNNING); i++) {
    const orr_result *r = (const orr_result *)orr__tx_row(flow->tx, RUNNING, i);
    if (!orr__status_is_terminal(r->status) && !r->attention) return true;
  }
  return false;
}

/* The zone, or the provider, is back. */
static void note_well(orr__flow *flow, orr__tx *tx) {
  orr_backup *backup = flow->graph.backup;
  if (!is_ours(backup->attention)) return;
  orr__flow_event(flow, tx, "backup.well", "info", "%s no longer: its schedule goes on", backup->attention);
  orr__unset(&backup->head, ORR_F_backup_attention);
}

/* Writes what the plan says. */
static void carry_out(orr__flow *flow, const orr__plan *plan) {
  orr_backup *backup = flow->graph.backup;
  orr__object *o = &backup->head;
  const uint64_t ours =
      ORR_BIT(ORR_F_backup_scheduleCursor) | ORR_BIT(ORR_F_backup_bufferedDate) | ORR_BIT(ORR_F_backup_attention);
  orr__tx *tx = orr__flow_tx(flow);
  orr__schedule_guard(tx, backup);
  orr__object_clean(o);
  note_well(flow, tx);
  orr__set_int(o, ORR_F_backup_scheduleCursor, plan->cursor_ms);
  if (plan->buffered_ms >= 0)
    orr__set_int(o, ORR_F_backup_bufferedDate, plan->buffered_ms);
  else
    orr__unset(o, ORR_F_backup_bufferedDate);
  if (!(o->dirty & ours) && plan->fire_ms < 0) {
    orr__tx_free(tx);
    look_next(flow);
    orr__flow_end(flow);
    return;
  }
  orr__tx_update(tx, o, o->dirty & ours);
  orr__object_clean(o);
  bool is_fire = plan->fire_ms >= 0;
  int code = orr__schedule_record(flow, tx, plan, NULL);
  if (!code && is_fire) code = orr__run_prepare(flow, "schedule", NULL, plan->fire_ms);
  if (code || (is_fire && !orr__flow_try(flow, orr__result_key(flow->graph.result->id)))) { /* no memory */
    orr__tx_free(tx);
    orr__flow_hush(flow);
    again(flow);
    return;
  }
  if (is_fire) orr__run_insert(flow, tx);
  orr__flow_submit(flow, tx, fired);
}

static void look(orr__flow *flow, const orr__schedule *schedule) {
  orr__core *core = flow->core;
  const orr_backup *backup = flow->graph.backup;
  const orr_connection *connection = flow->graph.connection;
  orr__plan plan;
  orr__plan_facts facts = {
    .schedule = schedule,
    .now_ms = orr__now(core),
    .cursor_ms = backup->scheduleCursor,
    .buffered_ms = orr__object_has(&backup->head, ORR_F_backup_bufferedDate) ? backup->bufferedDate : -1,
    .is_running = has_running(flow),
    .is_connection_off = orr__connection_check_enabled(connection, NULL) != 0,
  };
  bool is_stuck = orr__streq(backup->attention, "provider_missing");
  if (orr__plan_make(&facts, &plan)) {
    again(flow);
  } else if ((plan.fire_ms >= 0 || is_stuck) && !orr__flow_declaration(flow)) {
    miss_provider(flow);
  } else {
    flow->waits_for_end = plan.is_waiting_for_end;
    flow->wake_ms = wake_after(schedule, &plan, facts.now_ms);
    carry_out(flow, &plan);
  }
  orr__plan_clear(&plan);
}

static void fire_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__schedule schedule;
  if (!flow->code && !orr__tx_take_graph(flow->tx, GRAPH, &flow->graph)) { /* removed */
    orr__schedule_disarm(core, flow->id);
    orr__flow_end(flow);
    return;
  }
  if (flow->code || orr__backup_is_leaving(core, flow->id)) { /* no answer, or it is being removed just now */
    again(flow);
    return;
  }
  const orr_backup *backup = flow->graph.backup;
  if (!backup->schedule || backup->paused) {
    orr__flow_end(flow);
    return;
  }
  int code = orr__schedule_open(core, backup, &schedule, NULL);
  if (code == ORR_E_NOMEM) {
    again(flow);
  } else if (code) {
    miss_zone(flow, &schedule);
  } else {
    look(flow, &schedule);
    orr__schedule_close(&schedule);
  }
}

void orr__schedule_fire(orr__core *core, int64_t backup_id) {
  if (orr__map_get(&core->firing, (uint64_t)backup_id)) { /* one look at a time: two would both read the same cursor */
    orr__schedule_look(core, backup_id, BUSY_MS);
    return;
  }
  orr__flow *flow = orr__flow_new(core);
  if (!flow) {
    orr__schedule_look(core, backup_id, AGAIN_MS);
    return;
  }
  flow->id = backup_id;
  flow->is_firing = orr__map_put(&core->firing, (uint64_t)backup_id, flow) == 0;
  orr__map_put(&core->ends, (uint64_t)backup_id, core); /* what ends from here on may not be seen by the reading */
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where[3] = {
    { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = backup_id },
    { .field = ORR_F_result_nextAction, .compare = ORR_IS_SET },
    { .field = ORR_F_result_nextAction, .compare = ORR_NE, .text = orr__hooks[ORR_HOOK_cleanUp].name } /* has ended */
  };
  orr__tx_graph(tx, ORR_M_backup, backup_id);
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                   .where = where,
                                   .where_count = 3,
                                   .order_field = -1,
                                   .limit = 10,
                                   .fields = ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_attention) });
  orr__flow_submit(flow, tx, fire_loaded);
}
