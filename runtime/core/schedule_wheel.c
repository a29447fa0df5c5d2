/* When to look at a schedule.
 *
 * A timer only wakes us; what fires is decided by what is stored (schedule_fire.c). Two wheels hold the times: `fires` those
 * of instants, by the wall clock; `looks` those of everything that is waited for, by the clock that never steps. The timer
 * never sleeps longer than a minute, so that a step of the wall clock, or a night in suspend, is noticed.
 *
 * At the start, and when the files of time zones have changed, all schedules are gone through, a page at a time. */
#include "core/schedule.h"

#include <stdlib.h>

#define WAIT_MAX_MS 60000
#define ZONES_EVERY_MS 300000         /* how often to look whether tzdata has changed */
#define PAGE 5000                     /* Backups read at a time */
#define BUSY_FLOWS (ORR_WAITING_MAX / 2) /* with so many, fires wait: requests and refreshes have room */

static void arm_timer(orr__core *core) {
  int64_t fire = orr__wheel_next_ms(core->fires), look = orr__wheel_next_ms(core->looks);
  int64_t mono = orr__loop_mono_ms(core->loop), wait = WAIT_MAX_MS;
  bool is_empty = fire == INT64_MAX && look == INT64_MAX && !core->is_rearm_due;
  if (is_empty || core->is_draining) {
    orr__timer_stop(core->loop, &core->fire_timer);
    return;
  }
  if (fire != INT64_MAX && fire - orr__now(core) < wait) wait = fire - orr__now(core);
  if (look != INT64_MAX && look - mono < wait) wait = look - mono;
  if (wait < 0) wait = 0;
  if (wait < 1000 && core->flow_count >= BUSY_FLOWS) wait = 1000;
  orr__timer_start(core->loop, &core->fire_timer, mono + wait, orr__schedule_due, core);
}

void orr__schedule_wake(orr__core *core, int64_t backup_id, int64_t wall_ms) {
  if (orr__wheel_set(core->fires, (uint64_t)backup_id, wall_ms)) core->is_rearm_due = true;
  arm_timer(core);
}

void orr__schedule_look(orr__core *core, int64_t backup_id, int64_t wait_ms) {
  if (orr__wheel_set(core->looks, (uint64_t)backup_id, orr__loop_mono_ms(core->loop) + wait_ms)) core->is_rearm_due = true;
  arm_timer(core);
}

void orr__schedule_disarm(orr__core *core, int64_t backup_id) {
  orr__wheel_remove(core->fires, (uint64_t)backup_id);
  orr__wheel_remove(core->looks, (uint64_t)backup_id);
  orr__map_remove(&core->ends, (uint64_t)backup_id);
  arm_timer(core);
}

void orr__schedule_arm(orr__core *core, const orr_backup *backup) {
  orr__schedule schedule;
  if (core->config.role != ORR_ROLE_SERVE || !backup->schedule || backup->paused) {
    orr__schedule_disarm(core, backup->id);
    return;
  }
  bool is_waiting = backup->attention || orr__object_has(&backup->head, ORR_F_backup_bufferedDate);
  if (is_waiting || orr__schedule_open(core, backup, &schedule, NULL)) {
    orr__schedule_look(core, backup->id, 0); /* it is seen to there */
    return;
  }
  int64_t next = orr__schedule_instant(&schedule, backup->scheduleCursor);
  if (next == ORR__CRON_NEVER)
    orr__schedule_disarm(core, backup->id);
  else
    orr__schedule_wake(core, backup->id, next + schedule.jitter_ms);
  orr__schedule_close(&schedule);
}

void orr__schedule_ended(orr__core *core, int64_t backup_id) {
  if (orr__map_remove(&core->ends, (uint64_t)backup_id)) orr__schedule_look(core, backup_id, 0);
}

/* ---- all of them -------------------------------------------------------------------------------------------- */

static void read_page(orr__flow *flow);

static void page_read(orr__flow *flow) {
  if (flow->code) {
    flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_ERROR, NULL, orr__error_message(&flow->error));
    orr__flow_sleep(flow, orr__backoff_s(1, flow->attempt++), read_page);
    return;
  }
  flow->attempt = 1;
  size_t count = orr__tx_rows(flow->tx, flow->slot);
  for (size_t i = 0; i < count; i++) {
    const orr_backup *backup = (const orr_backup *)orr__tx_row(flow->tx, flow->slot, i);
    orr__schedule_arm(flow->core, backup);
    flow->id = backup->id;
  }
  if (count < PAGE)
    orr__flow_end(flow);
  else
    read_page(flow);
}

static void read_page(orr__flow *flow) {
  const orr__where where[2] = { { .field = ORR_F_backup_id, .compare = ORR_GT, .number = flow->id },
                                { .field = ORR_F_backup_schedule, .compare = ORR_IS_SET } };
  const uint64_t needed = ORR_BIT(ORR_F_backup_uuid) | ORR_BIT(ORR_F_backup_schedule) | ORR_BIT(ORR_F_backup_timeZone) |
                          ORR_BIT(ORR_F_backup_paused) | ORR_BIT(ORR_F_backup_attention) |
                          ORR_BIT(ORR_F_backup_scheduleAnchor) | ORR_BIT(ORR_F_backup_scheduleCursor) |
                          ORR_BIT(ORR_F_backup_jitter) | ORR_BIT(ORR_F_backup_bufferedDate);
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(
      tx, &(orr__query){
              .model = ORR_M_backup, .where = where, .where_count = 2, .order_field = -1, .limit = PAGE, .fields = needed });
  orr__flow_submit(flow, tx, page_read);
}

void orr__schedule_start(orr__core *core) {
  orr__flow *flow = orr__flow_new(core);
  core->zones_mono_ms = orr__loop_mono_ms(core->loop);
  core->is_rearm_due = flow == NULL;
  if (flow)
    read_page(flow);
  else
    arm_timer(core);
}

/* An updated tzdata: other instants, zones that are gone, zones that are back. */
static void look_at_zones(orr__core *core) {
  bool is_time = orr__loop_mono_ms(core->loop) - core->zones_mono_ms >= ZONES_EVERY_MS;
  if (is_time) core->zones_mono_ms = orr__loop_mono_ms(core->loop);
  if (core->is_rearm_due || (is_time && orr__zones_refresh(core->zones))) orr__schedule_start(core);
}

/* ---- the timer ---------------------------------------------------------------------------------------------- */

void orr__schedule_due(void *arg) {
  orr__core *core = arg;
  orr__due due[ORR_DUE_MAX];
  look_at_zones(core);
  size_t count = 0;
  if (core->flow_count < BUSY_FLOWS) {
    count = orr__wheel_pop(core->looks, orr__loop_mono_ms(core->loop), due, ORR_DUE_MAX);
    count += orr__wheel_pop(core->fires, orr__now(core), due + count, ORR_DUE_MAX - count);
  }
  for (size_t i = 0; i < count; i++) {
    orr__wheel_remove(core->fires, due[i].key);
    orr__wheel_remove(core->looks, due[i].key);
    orr__schedule_fire(core, (int64_t)due[i].key);
  }
  arm_timer(core);
}
