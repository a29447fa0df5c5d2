/* What has become of each instant of a schedule, as the store tells it: a result, a recorded skip, or still to come. Included by the
 * tests of schedules. */
#ifndef ORR_SCHEDULE_HELPER_H
#define ORR_SCHEDULE_HELPER_H

#include "core/cron.h"
#include "core/zone.h"
#include "core_helper.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define LEDGER_MAX 20000

typedef struct ledger_row {
  int64_t instant;
  char what[24]; /* "result", or the reason of a skip */
} ledger_row;

typedef struct ledger {
  ledger_row rows[LEDGER_MAX];
  size_t count;
} ledger;

typedef struct row_list {
  orr__object **rows;
  size_t count;
} row_list;

static inline void rows_taken(void *arg, orr__tx *tx, int code, const orr_error *err) {
  row_list *list = arg;
  (void)err;
  assert_int_equal(code, 0);
  list->count = orr__tx_rows(tx, 0);
  list->rows = calloc(list->count + 1, sizeof *list->rows);
  for (size_t i = 0; i < list->count; i++) list->rows[i] = orr__tx_take(tx, 0, i);
}

/* rig_copied as the completion would be one that test_*_faults.c lets pass; this one is passed over, too, by having no request. */
static inline row_list rig_rows(rig *r, enum orr__model_id model) {
  row_list list = { 0 };
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){ .model = model, .order_field = -1 });
  orr__store_submit(r->store, tx, rows_taken, &list);
  while (orr__store_drain(r->store)) {}
  return list;
}

static inline void rows_free(row_list *list) {
  for (size_t i = 0; i < list->count; i++) orr__object_free(list->rows[i]);
  free(list->rows);
}

static inline orr_backup *stored_backup(rig *r, int64_t id) { return (orr_backup *)rig_stored(r, ORR_M_backup, id); }

/* A Backup's schedule as the store has it; the caller frees the zones. */
typedef struct stored_schedule {
  orr__cron cron;
  orr__zones *zones;
  orr__zone *zone;
  int64_t anchor;
} stored_schedule;

static inline stored_schedule schedule_open(const orr_backup *backup) {
  stored_schedule s = { .zones = orr__zones_new("/usr/share/zoneinfo"), .anchor = backup->scheduleAnchor };
  assert_int_equal(orr__cron_parse(backup->schedule, orr__cron_seed(backup->uuid), &s.cron, NULL), 0);
  assert_int_equal(orr__zones_get(s.zones, backup->timeZone, &s.zone, NULL), 0);
  return s;
}

static inline void schedule_close(stored_schedule *s) {
  orr__zone_unref(s->zone);
  orr__zones_free(s->zones);
}

static inline int64_t schedule_after(const stored_schedule *s, int64_t after) { return orr__cron_next(&s->cron, s->zone, s->anchor, after); }

static inline void ledger_add(ledger *l, int64_t instant, const char *what) {
  assert_true(l->count < LEDGER_MAX);
  l->rows[l->count].instant = instant;
  snprintf(l->rows[l->count++].what, sizeof l->rows->what, "%s", what);
}

static inline int ledger_order(const void *a, const void *b) {
  int64_t left = ((const ledger_row *)a)->instant, right = ((const ledger_row *)b)->instant;
  return left < right ? -1 : left > right;
}

/* The instants of one recorded run: as many as it says, from the first to the last. */
static inline void ledger_run(ledger *l, const stored_schedule *s, const orr_event_row *event) {
  orr__json *data = orr__object_map(&event->head, ORR_F_event_data);
  int64_t first = orr__json_int(data, "first", -1), last = orr__json_int(data, "last", -1), count = 0;
  const char *reason = orr__json_str(data, "reason");
  assert_non_null(reason);
  for (int64_t at = first; at <= last; at = schedule_after(s, at), count++) ledger_add(l, at, reason);
  if (count != orr__json_int(data, "count", -1))
    fail_msg("%s: %d instants lie there", event->message, (int)count);
  orr__json_free(data);
}

/* All that is on record for a Backup, in order. Owned. */
static inline ledger *ledger_of(rig *r, int64_t backup_id) {
  ledger *l = calloc(1, sizeof *l);
  orr_backup *backup = stored_backup(r, backup_id);
  stored_schedule s = schedule_open(backup);
  row_list results = rig_rows(r, ORR_M_result), events = rig_rows(r, ORR_M_event);
  for (size_t i = 0; i < results.count; i++) {
    const orr_result *result = (const orr_result *)results.rows[i];
    bool is_fire = result->backupId == backup_id && orr__streq(result->trigger, "schedule");
    if (is_fire) ledger_add(l, result->scheduledDate, "result");
  }
  for (size_t i = 0; i < events.count; i++) {
    const orr_event_row *event = (const orr_event_row *)events.rows[i];
    if (event->backupId == backup_id && orr__streq(event->kind, "schedule.skipped")) ledger_run(l, &s, event);
  }
  if (orr__object_has(&backup->head, ORR_F_backup_bufferedDate)) ledger_add(l, backup->bufferedDate, "buffered");
  qsort(l->rows, l->count, sizeof *l->rows, ledger_order);
  rows_free(&results);
  rows_free(&events);
  schedule_close(&s);
  orr__object_free((orr__object *)backup);
  return l;
}

/* Every instant after `from` up to the cursor is on record, once, and nothing else is. Returns how many there are. */
static inline size_t assert_accounted(rig *r, int64_t backup_id, int64_t from) {
  ledger *l = ledger_of(r, backup_id);
  orr_backup *backup = stored_backup(r, backup_id);
  stored_schedule s = schedule_open(backup);
  size_t i = 0;
  for (int64_t at = schedule_after(&s, from); at <= backup->scheduleCursor; at = schedule_after(&s, at), i++) {
    if (i >= l->count || l->rows[i].instant > at) fail_msg("'%s' in %s: %lld is on no record", backup->schedule, backup->timeZone, (long long)at);
    if (l->rows[i].instant < at)
      fail_msg("'%s' in %s: %lld is on record (%s) twice, or is no instant", backup->schedule, backup->timeZone, (long long)l->rows[i].instant, l->rows[i].what);
  }
  if (i < l->count) fail_msg("'%s' in %s: %lld (%s) lies behind the cursor", backup->schedule, backup->timeZone, (long long)l->rows[i].instant, l->rows[i].what);
  schedule_close(&s);
  orr__object_free((orr__object *)backup);
  free(l);
  return i;
}

/* The same, and nothing up to now is left. */
static inline size_t assert_done(rig *r, int64_t backup_id, int64_t from) {
  orr_backup *backup = stored_backup(r, backup_id);
  stored_schedule s = schedule_open(backup);
  int64_t next = schedule_after(&s, backup->scheduleCursor), now = orr__loop_wall_ms(r->loop);
  if (next <= now) fail_msg("'%s' in %s: %lld has come and is not dealt with", backup->schedule, backup->timeZone, (long long)next);
  schedule_close(&s);
  orr__object_free((orr__object *)backup);
  return assert_accounted(r, backup_id, from);
}

/* The record as text, "result overlap overlap result", instants in order. */
#define assert_record(rig_, id, expected) \
  do { \
    ledger *l_ = ledger_of(rig_, id); \
    char text_[4000] = ""; \
    for (size_t i_ = 0; i_ < l_->count && strlen(text_) < 3900; i_++) { \
      strcat(text_, i_ ? " " : ""); \
      strcat(text_, l_->rows[i_].what); \
    } \
    free(l_); \
    assert_string_equal(text_, expected); \
  } while (0)

/* Time goes on, a step at a time. */
static inline void pass_by(rig *r, int64_t ms, int64_t step_ms) {
  for (int64_t left = ms; left > 0; left -= step_ms) {
    orr__loop_advance(r->loop, left < step_ms ? left : step_ms);
    rig_settle(r);
  }
}
static inline void pass(rig *r, int64_t ms) { pass_by(r, ms, 10000); }

/* Nobody is there for a while: the process is gone, the clocks go on. */
static inline void away(rig *r, int64_t ms) {
  rig_kill_core(r);
  orr__loop_advance(r->loop, ms);
  rig_open_core(r);
  rig_settle(r);
}

/* The clock of the wall is set. */
static inline void step(rig *r, int64_t ms) { orr__loop_step_wall(r->loop, ms); }

static inline int64_t now_of(const rig *r) { return orr__loop_wall_ms(r->loop); }

/* A Backup with this schedule; `more` are further arguments, each with a comma before it. Its id. */
static inline int64_t scheduled(rig *r, const char *name, const char *schedule, const char *more) {
  char *args = orr__strf("{\"name\":\"%s\",\"provider\":\"fake\",\"refreshInterval\":10,\"schedule\":\"%s\"%s}", name, schedule, more ? more : "");
  uint64_t id = rig_ask(r, "backup.create", args);
  free(args);
  if (r->codes[id]) fail_msg("%s: %s", schedule, orr__error_message(&r->errors[id]));
  orr__json *reply = orr__json_parse(r->replies[id], strlen(r->replies[id]), NULL);
  int64_t backup_id = orr__json_int(orr__json_get(reply, "backup"), "id", -1);
  orr__json_free(reply);
  return backup_id;
}

#endif
