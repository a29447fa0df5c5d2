/* Passes of retention: what a Backup keeps no longer is deleted, oldest first, one result at a time.
 *
 *   due --> load the Backup --> judge --> list ORR_SWEEP_BATCH --> part --> part --> ... --> back into the wheel, until
 *             |  no policy: forget               |  nothing goes                              nothing goes
 *             |  no hook: say so, later          +--> when next? stored in retentionDate
 *
 *   part: hold the result --> judge it afresh --> deleteBackupResult (remove.c) --> gone
 *                                                        +--> refused: deleteMessage, deleteDate a day later
 *
 * When a Backup is due lives in a wheel, and in its retentionDate for the next runtime: the end of a good result writes that in its
 * own transaction, so no crash forgets a pass, and a start reads just the Backups that have a date. A pass holds no Backup, and no
 * result but the one it deletes: everything else goes on beside it. At most ORR_SWEEPS_MAX passes run at a time.
 *
 * A result is judged again when it is held, right before its hook: policy and neighbours may have changed since it was listed. */
#include "core/internal.h"
#include "core/sweep.h"

#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define RESTARTS_MAX 3
#define WAIT_MAX_MS 60000 /* the timer never sleeps longer, so that a step of the clock is noticed */

/* ---- when --------------------------------------------------------------------------------------------------- */

static void arm_timer(orr__core *core) {
  int64_t due = orr__wheel_next_ms(core->sweeps);
  if (due == INT64_MAX || core->is_draining || core->sweep_count >= ORR_SWEEPS_MAX) {
    orr__timer_stop(core->loop, &core->sweep_timer);
    return;
  }
  int64_t wait = due - orr__now(core);
  if (wait < 0) wait = 0;
  if (wait > WAIT_MAX_MS) wait = WAIT_MAX_MS;
  orr__timer_start(core->loop, &core->sweep_timer, orr__loop_mono_ms(core->loop) + wait, orr__retention_due, core);
}

static void set_due(orr__core *core, int64_t backup_id, int64_t due_ms) {
  if (core->config.role != ORR_ROLE_SERVE) return;
  if (due_ms < 0)
    orr__wheel_remove(core->sweeps, (uint64_t)backup_id);
  else
    orr__wheel_set(core->sweeps, (uint64_t)backup_id, due_ms);
  arm_timer(core);
}

void orr__retention_arm(orr__core *core, const orr_backup *backup) {
  const orr__subject *subject = orr__subject_of(core, orr__sweep_key(backup->id));
  if (subject && subject->holder && subject->holder->sweep) subject->holder->sweep->is_again = true;
  bool is_due = orr__object_has(&backup->head, ORR_F_backup_retentionDate);
  set_due(core, backup->id, is_due ? backup->retentionDate : -1);
}

void orr__retention_ended(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  orr_backup *backup = flow->graph.backup;
  if (!backup || !result || !orr__starts_with(result->status, "SUCCEEDED") || orr__keeps_all(backup)) return;
  uint64_t dirty = backup->head.dirty;
  orr__set_int(&backup->head, ORR_F_backup_retentionDate,
               orr__now(flow->core)); /* as orr__retention_write has stored it */
  backup->head.dirty = dirty;
  orr__retention_arm(flow->core, backup);
}

void orr__sweep_free(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  if (!sweep) return;
  flow->sweep = NULL;
  if (sweep->is_counted) flow->core->sweep_count--;
  orr__json_free(sweep->deleted);
  orr__json_free(sweep->halted);
  free(sweep);
}

static void end(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__flow_end(flow);
  arm_timer(core);
}

/* It could not be looked at, or must be looked at again: later. */
static void end_until(orr__flow *flow, int64_t wait_ms) {
  set_due(flow->core, flow->id, orr__now(flow->core) + wait_ms);
  if (flow->request) orr__flow_fail(flow, flow->code ? flow->code : ORR_E_CONFLICT, &flow->error);
  end(flow);
}

/* ---- the end of a pass -------------------------------------------------------------------------------------- */

static void finished(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  if (flow->code && flow->code != ORR_E_CONFLICT) {
    end_until(flow, WAIT_MAX_MS);
    return;
  }
  bool is_again =
      sweep->is_again || flow->code; /* a good result has ended since this was listed, or the policy has changed */
  if (is_again)
    set_due(flow->core, flow->id, orr__now(flow->core));
  else
    set_due(flow->core, flow->id, sweep->next_ms);
  flow->code = 0;
  orr__error_clear(&flow->error);
  if (sweep->failure.code) {
    orr__flow_fail(flow, sweep->failure.code, &sweep->failure);
    orr__error_clear(&sweep->failure);
  }
  if (flow->request)
    orr__sweep_reply(flow, end);
  else
    end(flow);
}

/* Stores when the next pass is due, and what keeps this one from deleting (NULL: nothing does). */
static void finish(orr__flow *flow, const char *message) {
  orr__sweep *sweep = flow->sweep;
  orr_backup *backup = flow->graph.backup;
  orr__object *o = &backup->head;
  int64_t now = orr__now(flow->core), old = backup->retentionDate;
  bool had_date = orr__object_has(o, ORR_F_backup_retentionDate);
  if (sweep->next_ms >= 0) {
    if (sweep->next_ms < now + 1000) sweep->next_ms = now + 1000;
    if (sweep->next_ms > now + DAY_MS) sweep->next_ms = now + DAY_MS;
  }
  if (sweep->next_ms < 0 && had_date)
    orr__unset(o, ORR_F_backup_retentionDate);
  else if (sweep->next_ms >= 0 && !sweep->is_again)
    orr__set_int(o, ORR_F_backup_retentionDate, sweep->next_ms);
  orr__tx *tx = orr__flow_tx(flow);
  if (had_date) orr__tx_guard_int(tx, ORR_M_backup, backup->id, ORR_F_backup_retentionDate, old);
  if (message && !orr__streq(message, backup->retentionMessage)) {
    orr__set_str(o, ORR_F_backup_retentionMessage, message);
    orr__flow_event(flow, tx, "retention.stopped", "error", "%s", message);
  } else if (!message && backup->retentionMessage) {
    orr__unset(o, ORR_F_backup_retentionMessage);
  }
  orr__tx_update(tx, o, o->dirty);
  orr__object_clean(o);
  orr__flow_submit(flow, tx, finished);
}

/* ---- one result --------------------------------------------------------------------------------------------- */

static void next_part(orr__flow *flow);
static void load(orr__flow *flow);

static void part_over(orr__flow *part) {
  orr__flow *flow = part->parent;
  orr__flow_end(part);
  flow->has_part = false;
  next_part(flow);
}

static void part_gone(orr__flow *part) {
  orr__sweep *sweep = part->parent->sweep;
  sweep->done++;
  sweep->refusals = 0;
  if (sweep->deleted) orr__json_append(sweep->deleted, orr__sweep_view(part->graph.result));
  part_over(part);
}

/* The provider has refused: kept for people to see, and asked again a day later. */
static void part_refusing(orr__flow *part, orr__tx *tx) {
  orr__sweep *sweep = part->parent->sweep;
  orr_result *result = part->graph.result;
  const char *why = orr__answer_text(&part->answer);
  orr__set_str(&result->head, ORR_F_result_deleteMessage, why);
  orr__set_int(&result->head, ORR_F_result_deleteDate, orr__now(part->core) + DAY_MS);
  orr__flow_event(part, tx, "retention.halted", "warning", "not deleted: %s; asked again a day later", why);
  sweep->done++;
  sweep->refusals++;
  if (sweep->halted) orr__json_append(sweep->halted, orr__sweep_view(result));
}

static void part_stays(orr__flow *part) {
  orr__sweep *sweep = part->parent->sweep;
  bool is_refused = part->code == ORR_E_HALTED || part->attempt >= ORR_DELETE_ATTEMPTS;
  if (!is_refused) sweep->is_stopped = sweep->is_again = true; /* the provider is gone, or the store is not well */
  part_over(part);
}

/* What has been read says the same as when it was listed? */
static bool still_goes(orr__flow *part) {
  orr__flow *flow = part->parent;
  const orr_backup *then = flow->graph.backup, *now = part->graph.backup;
  const orr_result *result = part->graph.result;
  if (!now || !result) return false;
  bool is_same = orr__keeps_all(now) == orr__keeps_all(then) && now->keepLast == then->keepLast &&
                 now->keepDays == then->keepDays && !orr__backup_is_leaving(part->core, now->id);
  if (!is_same) {
    flow->sweep->is_stopped = flow->sweep->is_again = true;
    return false;
  }
  orr__keep keep;
  orr__keep_take(part->tx, part->slot2, then, flow->sweep->judged_ms, &keep);
  bool is_asked = orr__object_has(&result->head, ORR_F_result_deleteDate) && result->deleteDate > orr__sweep_due(flow);
  return orr__keep_drops(&keep, result) && !is_asked;
}

static void part_read(orr__flow *part) {
  bool is_there = !part->code && orr__tx_take_graph(part->tx, part->slot, &part->graph);
  part->is_armed = true; /* it has ended: nothing is due */
  if (part->code) part->parent->sweep->is_stopped = part->parent->sweep->is_again = true;
  if (!is_there || part->core->is_draining || !still_goes(part)) {
    part_over(part);
    return;
  }
  orr__removal_opts(part, "retention");
  part->after = part_gone;
  part->otherwise = part_stays;
  part->refusing = part_refusing;
  if (orr__result_left_nothing(part->core, part->graph.result))
    orr__result_drop(part);
  else
    orr__result_delete(part);
}

static void part_held(orr__flow *part) {
  orr__flow *flow = part->parent;
  if (part->code) {
    flow->sweep->is_stopped = flow->sweep->is_again = true;
    part_over(part);
    return;
  }
  orr__tx *tx = orr__flow_tx(part);
  flow->sweep->judged_ms = orr__now(part->core);
  part->slot = orr__tx_graph(tx, ORR_M_result, part->id);
  part->slot2 = orr__keep_read(tx, flow->graph.backup, flow->sweep->judged_ms);
  orr__flow_submit(part, tx, part_read);
}

/* What the next batch finds is read afresh. Others that are due have their turn first, unless somebody waits. */
static void batch_over(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  bool has_moved = sweep->done > 0;
  sweep->done = 0;
  if (!flow->request)
    end_until(flow, sweep->is_stopped || !has_moved ? 1000 : 0);
  else if (has_moved || sweep->restarts++ < RESTARTS_MAX)
    load(flow);
  else
    finish(flow, NULL);
}

static void next_part(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  if (flow->core->is_draining) {
    end(flow);
    return;
  }
  if (sweep->refusals >= ORR_SWEEP_REFUSALS) { /* the others would hear the same: not now */
    sweep->next_ms = orr__now(flow->core) + HOUR_MS;
    finish(flow, NULL);
    return;
  }
  if (sweep->is_stopped || flow->id_at == flow->id_count) {
    batch_over(flow);
    return;
  }
  orr__flow *part = orr__flow_new(flow->core);
  if (!part) {
    flow->code = orr__error_set(&flow->error, ORR_E_LIMIT, "too much is going on at once; try again later");
    end_until(flow, WAIT_MAX_MS);
    return;
  }
  part->parent = flow;
  flow->has_part = true;
  part->id = flow->ids[flow->id_at++];
  part->args = flow->args ? orr__json_copy(flow->args) : orr__json_map();
  orr__flow_acquire(part, orr__result_key(part->id), false, part_held);
}

/* ---- which ones --------------------------------------------------------------------------------------------- */

/* The slots of a list. */
enum { STALE, REFUSED, YOUNG, GOING };

static int by_id(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

/* Reads when the policy comes to the next result: a refusal that is old enough, a good one that gets too old. */
static void take_next(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  const orr_result *refused = (const orr_result *)orr__tx_row(flow->tx, REFUSED, 0);
  const orr_result *young = (const orr_result *)orr__tx_row(flow->tx, YOUNG, 0);
  sweep->next_ms = refused ? refused->deleteDate : -1;
  if (!young) return;
  int64_t at = young->endDate + (int64_t)(flow->graph.backup->keepDays * (double)DAY_MS) + 1;
  if (sweep->next_ms < 0 || at < sweep->next_ms) sweep->next_ms = at;
}

/* Results that were to go once and are kept now: forgets what their provider said. */
static bool forget_stale(orr__flow *flow, orr__tx *tx) {
  size_t count = 0;
  for (size_t i = 0; i < orr__tx_rows(flow->tx, STALE); i++) {
    orr_result *result = (orr_result *)orr__tx_take(flow->tx, STALE, i);
    if (!orr__keep_drops(&flow->sweep->keep, result)) {
      orr__unset(&result->head, ORR_F_result_deleteMessage);
      orr__unset(&result->head, ORR_F_result_deleteDate);
      orr__tx_update(tx, &result->head, ORR_BIT(ORR_F_result_deleteMessage) | ORR_BIT(ORR_F_result_deleteDate));
      count++;
    }
    orr__object_free(&result->head);
  }
  return count > 0;
}

static void go_on(orr__flow *flow) {
  if (flow->id_count)
    next_part(flow);
  else
    finish(flow, NULL);
}

static void listed(orr__flow *flow) {
  if (flow->code) {
    end_until(flow, WAIT_MAX_MS);
    return;
  }
  size_t count = 0, most = 0;
  for (int slot = GOING; slot < GOING + 4; slot++) most += orr__tx_rows(flow->tx, slot);
  free(flow->ids);
  flow->ids = calloc(most ? most : 1, sizeof *flow->ids);
  for (int slot = GOING; flow->ids && slot < GOING + 4; slot++)
    for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++)
      flow->ids[count++] = orr__object_id(orr__tx_row(flow->tx, slot, i));
  if (count) qsort(flow->ids, count, sizeof *flow->ids, by_id);
  flow->id_count = count < ORR_SWEEP_BATCH ? count : ORR_SWEEP_BATCH;
  flow->id_at = 0;
  take_next(flow);
  orr__tx *tx = orr__flow_tx(flow);
  if (forget_stale(flow, tx)) {
    orr__flow_submit(flow, tx, go_on); /* one of them may be gone just now: then another time */
  } else {
    orr__tx_free(tx);
    go_on(flow);
  }
}

static void list(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  const orr__keep *keep = &sweep->keep;
  orr__where own = { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = flow->id };
  orr__where was_refused = { .field = ORR_F_result_deleteDate, .compare = ORR_IS_SET };
  orr__where asks_later = { .field = ORR_F_result_deleteDate, .compare = ORR_GT, .number = orr__sweep_due(flow) };
  orr__where good = { .field = ORR_F_result_status, .compare = ORR_PREFIX, .text = "SUCCEEDED" };
  orr__where stale[] = { own, was_refused, { .field = ORR_F_result_id, .compare = ORR_GE, .number = keep->oldest } };
  orr__where young[] = { own,
                         good,
                         { .field = ORR_F_result_id, .compare = ORR_LT, .number = keep->line },
                         { .field = ORR_F_result_endDate, .compare = ORR_GE, .number = keep->cutoff_ms } };
  orr__where later[] = { own, asks_later };
  orr__tx *tx = orr__flow_tx(flow);
  orr__query query = {
    .model = ORR_M_result, .order_field = -1, .where = stale, .where_count = 3, .limit = ORR_SWEEP_BATCH
  };
  orr__tx_query(tx, &query);
  query = (orr__query){ .model = ORR_M_result,
                        .order_field = ORR_F_result_deleteDate,
                        .where = later,
                        .where_count = 2,
                        .limit = 1,
                        .fields = ORR_BIT(ORR_F_result_deleteDate) };
  orr__tx_query(tx, &query);
  query = (orr__query){ .model = ORR_M_result,
                        .order_field = ORR_F_result_endDate,
                        .where = young,
                        .where_count = 4,
                        .limit = 1,
                        .fields = ORR_BIT(ORR_F_result_endDate) };
  orr__tx_query(tx, &query);
  for (int i = 0; i < 4; i++) {
    orr__where where[ORR_KEEP_WHERE + 1];
    size_t count = orr__keep_where(keep, flow->id, i / 2 ? ORR_KEEP_BETWEEN : ORR_KEEP_EARLIER, where);
    where[count++] = (orr__where){ .field = ORR_F_result_deleteDate,
                                   .compare = i % 2 ? ORR_LE : ORR_IS_UNSET,
                                   .number = orr__sweep_due(flow) };
    query = (orr__query){ .model = ORR_M_result,
                          .order_field = -1,
                          .where = where,
                          .where_count = count,
                          .limit = ORR_SWEEP_BATCH,
                          .fields = 1 };
    orr__tx_query(tx, &query);
  }
  orr__flow_submit(flow, tx, listed);
}

static void judged(orr__flow *flow) {
  if (flow->code) {
    end_until(flow, WAIT_MAX_MS);
    return;
  }
  orr__keep_take(flow->tx, flow->slot, flow->graph.backup, flow->sweep->judged_ms, &flow->sweep->keep);
  if (flow->sweep->is_dry)
    orr__sweep_reply(flow, end);
  else
    list(flow);
}

/* ---- a pass ------------------------------------------------------------------------------------------------- */

/* The provider cannot be asked: whoever looks shall see it, and it is tried again. */
static void stop(orr__flow *flow, int code, const char *message, int64_t wait_ms) {
  orr__error_set(&flow->sweep->failure, code, "%s", message);
  flow->sweep->next_ms = orr__now(flow->core) + wait_ms;
  finish(flow, message);
}

static bool can_delete(orr__flow *flow) {
  char *message = NULL;
  int code = ORR_E_REFUSED;
  if (!orr__flow_declaration(flow)) {
    message = orr__strf("results cannot be deleted: %s", orr__error_message(&flow->error));
    code = flow->code;
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_deleteBackupResult)) {
    message = orr__strf("results cannot be deleted: the provider '%s' cannot delete results",
                        flow->graph.backup->providerCode);
  } else {
    return true;
  }
  flow->code = 0;
  orr__error_clear(&flow->error);
  stop(flow, code, message ? message : "results cannot be deleted", HOUR_MS);
  free(message);
  return false;
}

static void loaded(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  if (flow->code == ORR_E_NOT_FOUND) {
    set_due(flow->core, flow->id, -1);
    if (flow->request) orr__flow_fail(flow, flow->code, &flow->error);
    end(flow);
    return;
  }
  if (!flow->code && orr__backup_is_leaving(flow->core, flow->id))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' is being removed", flow->graph.backup->name);
  if (flow->code) {
    end_until(flow, WAIT_MAX_MS);
    return;
  }
  sweep->keep = (orr__keep){ 0 };
  sweep->is_again = sweep->is_stopped = false;
  if (orr__keeps_all(flow->graph.backup)) {
    if (sweep->is_dry)
      orr__sweep_reply(flow, end);
    else
      list(flow);
    return;
  }
  if (!sweep->is_dry && !can_delete(flow)) return;
  orr__tx *tx = orr__flow_tx(flow);
  sweep->judged_ms = orr__now(flow->core);
  flow->slot = orr__keep_read(tx, flow->graph.backup, sweep->judged_ms);
  orr__flow_submit(flow, tx, judged);
}

static void load(orr__flow *flow) { orr__flow_load(flow, ORR_M_backup, flow->id, loaded); }

void orr__sweep_begin(orr__flow *flow) {
  if (flow->code)
    end_until(flow, WAIT_MAX_MS);
  else
    load(flow);
}

static void start(orr__core *core, int64_t backup_id) {
  orr__flow *flow = orr__flow_new(core);
  orr__sweep *sweep = flow ? calloc(1, sizeof *sweep) : NULL;
  if (!sweep) {
    if (flow) orr__flow_end(flow);
    orr__wheel_set(core->sweeps, (uint64_t)backup_id, orr__now(core) + WAIT_MAX_MS);
    return;
  }
  flow->sweep = sweep;
  flow->id = backup_id;
  sweep->is_counted = true;
  core->sweep_count++;
  if (orr__flow_try(flow, orr__sweep_key(backup_id))) {
    load(flow);
    return;
  }
  orr__wheel_set(core->sweeps, (uint64_t)backup_id, orr__now(core) + 1000); /* somebody prunes it just now */
  orr__flow_end(flow);
}

void orr__retention_due(void *arg) {
  orr__core *core = arg;
  orr__due due;
  while (core->sweep_count < ORR_SWEEPS_MAX && orr__wheel_pop(core->sweeps, orr__now(core), &due, 1))
    start(core, (int64_t)due.key);
  arm_timer(core);
}
