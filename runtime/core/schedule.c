/* Schedules: which instants lie between the cursor and now, and what becomes of each.
 *
 * A timer only wakes us; what fires is decided by the Backup's stored cursor. Of the instants in (cursor, now] the last one
 * fires and the others are recorded as skipped, or all are when an earlier result of the Backup is still running. The
 * new result, its first intent, the cursor and the events are one transaction, guarded by the old cursor: a fire is neither
 * lost nor doubled. The timer never sleeps longer than a minute, so that a step of the clock is noticed. */
#include "core/cron.h"
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#define FIRE_WAIT_MAX_MS 60000
#define INSTANTS_MAX 100000 /* looked through after a long downtime; the rest is one more skip */

static int parse(orr__core *core, const char *text, const char *zone_name, uint64_t seed, orr__cron *cron,
                 orr__zone **zone, orr_error *reterr) {
  *zone = NULL;
  int code = orr__cron_parse(text, seed, cron, reterr);
  if (code) return code;
  if (orr__cron_is_never(cron))
    return orr__error_set(reterr, ORR_E_INVALID, "'%s' never fires: there is no such day", text);
  return zone_name && *zone_name ? orr__zones_get(core->zones, zone_name, zone, reterr) : 0;
}

int orr__schedule_set(orr__core *core, orr_backup *backup, const char *text, const char *zone_name, orr_error *reterr) {
  orr__cron cron;
  orr__zone *zone;
  int code = parse(core, text, zone_name, 0, &cron, &zone, reterr);
  if (code) return code;
  orr__zone_unref(zone);
  orr__set_str(&backup->head, ORR_F_backup_schedule, text);
  orr__set_str(&backup->head, ORR_F_backup_timeZone, zone_name && *zone_name ? zone_name : "UTC");
  return 0;
}

int64_t orr__schedule_next(orr__core *core, const orr_backup *backup, int64_t after_ms) {
  orr__cron cron;
  orr__zone *zone;
  if (!backup->schedule ||
      parse(core, backup->schedule, backup->timeZone, orr__cron_seed(backup->uuid), &cron, &zone, NULL))
    return -1;
  int64_t next = orr__cron_next(&cron, zone, backup->scheduleAnchor, after_ms);
  orr__zone_unref(zone);
  return next == ORR__CRON_NEVER ? -1 : next;
}

orr__json *orr__schedule_describe(orr__core *core, const char *text, const char *zone_name, int64_t anchor_ms,
                                  int count, orr_error *reterr) {
  orr__cron cron;
  orr__zone *zone;
  if (parse(core, text, zone_name, 0, &cron, &zone, reterr)) return NULL;
  orr__json *out = orr__json_map(), *next = orr__json_list(), *warnings = orr__json_list();
  char *meaning = orr__cron_describe(&cron);
  int64_t at = orr__now(core);
  for (int i = 0; i < count; i++) {
    at = orr__cron_next(&cron, zone, anchor_ms, at);
    if (at == ORR__CRON_NEVER) break;
    orr__json_append(next, orr__json_new_int(at));
  }
  orr__zone_unref(zone);
  if (cron.is_either_day)
    orr__json_append(
        warnings,
        orr__json_new_str("day-of-month and day-of-week are both restricted: it fires on days that fit either"));
  if (out) {
    orr__json_put_str(out, "meaning", meaning);
    orr__json_put_str(out, "timeZone", zone_name && *zone_name ? zone_name : "UTC");
    orr__json_put(out, "next", next);
    orr__json_put(out, "warnings", warnings);
  }
  free(meaning);
  return out;
}

/* ---- the wheel of fires ------------------------------------------------------------------------------------- */

static void arm_timer(orr__core *core) {
  int64_t due = orr__wheel_next_ms(core->fires);
  if (due == INT64_MAX || core->is_draining) {
    orr__timer_stop(core->loop, &core->fire_timer);
    return;
  }
  int64_t wait = due - orr__now(core);
  if (wait < 0) wait = 0;
  if (wait > FIRE_WAIT_MAX_MS) wait = FIRE_WAIT_MAX_MS;
  orr__timer_start(core->loop, &core->fire_timer, orr__loop_mono_ms(core->loop) + wait, orr__schedule_due, core);
}

void orr__schedule_disarm(orr__core *core, int64_t backup_id) {
  orr__wheel_remove(core->fires, (uint64_t)backup_id);
  arm_timer(core);
}

void orr__schedule_arm(orr__core *core, const orr_backup *backup) {
  int64_t next = core->config.role == ORR_ROLE_SERVE && backup->schedule && !backup->paused && !backup->attention
                     ? orr__schedule_next(core, backup, backup->scheduleCursor)
                     : -1;
  if (next < 0)
    orr__wheel_remove(core->fires, (uint64_t)backup->id);
  else
    orr__wheel_set(core->fires, (uint64_t)backup->id, next);
  arm_timer(core);
}

/* ---- a fire ------------------------------------------------------------------------------------------------- */

/* Nothing of the fire was written: the Backup is looked at again, afresh, in a moment. */
static void fire_again(orr__flow *flow) {
  orr__wheel_set(flow->core->fires, (uint64_t)flow->id, orr__now(flow->core) + 1000);
  orr__flow_end(flow);
}

static void fired(orr__flow *flow) {
  if (flow->code) {
    flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_WARNING, NULL, orr__error_message(&flow->error));
    flow->is_armed = true; /* the result was not written either */
    orr__core *core = flow->core;
    fire_again(flow);
    arm_timer(core);
    return;
  }
  orr__schedule_arm(flow->core, flow->graph.backup);
  if (!flow->graph.result) {
    orr__flow_end(flow);
    return;
  }
  orr__object_clean(&flow->graph.result->head);
  orr__result_changed(flow->core, flow->graph.result);
  orr__run_go(flow);
}

/* The instants of (cursor, now]: how many, and the last. */
static int64_t instants(orr__core *core, const orr_backup *backup, int64_t now, int64_t *ret_last) {
  orr__cron cron;
  orr__zone *zone;
  int64_t count = 0;
  if (parse(core, backup->schedule, backup->timeZone, orr__cron_seed(backup->uuid), &cron, &zone, NULL)) return 0;
  int64_t at = backup->scheduleCursor;
  while (count < INSTANTS_MAX) {
    int64_t next = orr__cron_next(&cron, zone, backup->scheduleAnchor, at);
    if (next == ORR__CRON_NEVER || next > now) break;
    at = *ret_last = next;
    count++;
  }
  orr__zone_unref(zone);
  if (count == INSTANTS_MAX) *ret_last = now; /* too many to tell apart: all of them are behind us */
  return count;
}

static bool has_running(orr__flow *flow) {
  size_t rows = orr__tx_rows(flow->tx, flow->slot2);
  for (size_t i = 0; i < rows; i++) {
    const orr_result *r = (const orr_result *)orr__tx_row(flow->tx, flow->slot2, i);
    if (!orr__status_is_terminal(r->status) && !r->attention) return true;
  }
  return false;
}

static void fire_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  int64_t last = 0, now = orr__now(core);
  if (!flow->code && !orr__tx_take_graph(flow->tx, flow->slot, &flow->graph)) { /* removed */
    orr__flow_end(flow);
    return;
  }
  if (flow->code || orr__backup_is_leaving(core, flow->id)) { /* no answer, or it is being removed just now */
    fire_again(flow);
    arm_timer(core);
    return;
  }
  orr_backup *backup = flow->graph.backup;
  bool is_on = backup->schedule && !backup->paused;
  int64_t count = is_on ? instants(core, backup, now, &last) : 0;
  if (count == 0) {
    orr__schedule_arm(core, backup);
    orr__flow_end(flow);
    return;
  }
  bool overlaps = has_running(flow);
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_int(tx, ORR_M_backup, backup->id, ORR_F_backup_scheduleCursor, backup->scheduleCursor);
  if (orr__object_has(&backup->head, ORR_F_backup_paused))
    orr__tx_guard_int(tx, ORR_M_backup, backup->id, ORR_F_backup_paused, 0);
  orr__set_int(&backup->head, ORR_F_backup_scheduleCursor, last);
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_scheduleCursor));
  orr__object_clean(&backup->head);
  if (count > 1)
    orr__flow_event(flow, tx, "schedule.skipped", "warning", "%lld earlier fire%s skipped: nobody was there",
                    (long long)count - 1, count == 2 ? "" : "s");
  if (overlaps) {
    orr__flow_event(flow, tx, "schedule.skipped", "warning", "skipped: an earlier result is still running");
  } else if (orr__run_prepare(flow, "schedule", NULL, last)) {
    orr__flow_event(flow, tx, "schedule.skipped", "error", "skipped: %s", orr__error_message(&flow->error));
  } else if (!orr__flow_try(flow, orr__result_key(flow->graph.result->id))) {
    orr__object_free((orr__object *)flow->graph.result);
    flow->graph.result = NULL;
    orr__flow_event(flow, tx, "schedule.skipped", "error", "skipped: out of memory");
  } else {
    orr__run_insert(flow, tx);
  }
  orr__flow_submit(flow, tx, fired);
}

void orr__schedule_due(void *arg) {
  orr__core *core = arg;
  orr__due due[ORR_DUE_MAX];
  size_t count = orr__wheel_pop(core->fires, orr__now(core), due, ORR_DUE_MAX);
  for (size_t i = 0; i < count; i++) {
    orr__flow *flow = orr__flow_new(core);
    if (!flow) {
      orr__wheel_set(core->fires, due[i].key, orr__now(core) + 1000);
      continue;
    }
    flow->id = (int64_t)due[i].key;
    orr__tx *tx = orr__flow_tx(flow);
    orr__where where[2] = { { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = (int64_t)due[i].key },
                            { .field = ORR_F_result_nextAction, .compare = ORR_IS_SET } };
    flow->slot = orr__tx_graph(tx, ORR_M_backup, (int64_t)due[i].key);
    flow->slot2 =
        orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                         .where = where,
                                         .where_count = 2,
                                         .order_field = -1,
                                         .limit = 10,
                                         .fields = ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_attention) });
    orr__flow_submit(flow, tx, fire_loaded);
  }
  arm_timer(core);
}
