/* Taking up what was in flight when an earlier runtime ended, however it ended.
 *
 * The death of our process is never evidence of failure, and a stored row says the truth: a result with a nextAction is due,
 * a refresh at once and another hook at its date. Open rows of the journal tell how far a hook got: `intent` means that nothing
 * left, so the hook runs again; `sent` on executeBackup goes by what the provider declares (orr__run_uncertain); a draft that
 * createBackup may have made outside keeps its name reserved. */
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>

static void log_line(orr__core *core, enum orr__log_level level, const char *message) {
  core->config.sink.log(core->config.sink.self, level, NULL, message);
}

/* Jobs that an earlier runtime started: their end shall wake the result. */
static void watch_jobs(orr__core *core, const char *uuid) {
  char **names = NULL;
  if (!core->config.jobs || orr__job_list(core->config.jobs, uuid, &names, NULL) || !names) return;
  for (size_t i = 0; names[i]; i++) {
    orr__job_watch(core->config.jobs, uuid, names[i], NULL);
    free(names[i]);
  }
  free(names);
}

static void close_op(orr__flow *flow, orr__tx *tx, const orr__object *op, const char *message) {
  orr__object *copy = orr__object_copy(op);
  if (!copy) return;
  orr__object_clean(copy);
  orr__set_str(copy, ORR_F_op_state, "done");
  orr__set_str(copy, ORR_F_op_outcome, "lost");
  orr__set_str(copy, ORR_F_op_message, message);
  orr__set_int(copy, ORR_F_op_endDate, orr__now(flow->core));
  orr__unset(copy, ORR_F_op_draft);
  orr__tx_update(tx, copy, copy->dirty);
  orr__object_free(copy);
}

static bool is_hook(const orr_op *op, enum orr__hook hook) { return orr__streq(op->hook, orr__hooks[hook].name); }

/* What the journal says of a result: rows left open are closed. */
typedef struct past {
  bool has_open;       /* a call was left in the midst of it */
  bool is_uncertain;   /* executeBackup, past its sent mark */
  bool is_cancel_done; /* cancelBackup has answered success */
} past;

static past close_ops(orr__flow *flow, orr__tx *tx, int slot) {
  past p = { false, false, false };
  size_t count = orr__tx_rows(flow->tx, slot);
  for (size_t i = 0; i < count; i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, slot, i);
    bool is_cancel = is_hook(op, ORR_HOOK_cancelBackup);
    if (orr__streq(op->state, "done")) {
      p.is_cancel_done = p.is_cancel_done || (is_cancel && orr__streq(op->outcome, "success"));
      continue;
    }
    p.has_open = true;
    if (is_hook(op, ORR_HOOK_executeBackup) && orr__streq(op->state, "sent")) p.is_uncertain = true;
    close_op(flow, tx, &op->head, "the runtime ended during this call");
  }
  return p;
}

static bool is_next(const orr_result *result, enum orr__hook hook) {
  return orr__streq(result->nextAction, orr__hooks[hook].name);
}

static void one_held(orr__flow *flow);

/* One result with its journal: says where it stands, and puts it into the wheel. */
static void one_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->code) { /* the store is not well: later, for nobody else reads the journal */
    orr__flow_sleep(flow, orr__backoff_s(1, flow->attempt++), one_held);
    return;
  }
  if (!orr__tx_take_graph(flow->tx, flow->slot, &flow->graph)) {
    flow->is_armed = true;
    orr__flow_end(flow);
    return;
  }
  orr_result *result = flow->graph.result;
  orr__tx *tx = orr__flow_tx(flow);
  past p = close_ops(flow, tx, flow->slot2);
  bool is_over = orr__status_is_terminal(result->status);
  if (!flow->opts && result->opts) flow->opts = orr__json_parse_map(result->opts, NULL);
  if (is_over) {
    if (result->nextAction && !orr__result_cleans_up(result))
      orr__result_finish(flow, result->status, NULL); /* it ended in a checkpoint, and then we did */
  } else if (!result->attention) {
    watch_jobs(core, result->uuid);
    if (p.is_uncertain) orr__run_uncertain(flow, tx, NULL);
  }
  if (orr__streq(result->status, "CANCEL_REQUESTED") && !p.is_cancel_done) orr__recover_cancel(core, result->id);
  if (p.has_open || result->head.dirty) {
    orr__result_commit(flow, tx);
    return;
  }
  orr__tx_free(tx);
  orr__flow_arm(flow);
  orr__flow_end(flow);
}

static void one_held(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_op_resultId, .compare = ORR_EQ, .number = flow->id };
  flow->slot = orr__tx_graph(tx, ORR_M_result, flow->id);
  flow->slot2 =
      orr__tx_query(tx, &(orr__query){ .model = ORR_M_op, .where = &where, .where_count = 1, .order_field = -1 });
  orr__flow_submit(flow, tx, one_loaded);
}

void orr__recover_one(orr__core *core, int64_t result_id) {
  if (orr__subject_of(core, orr__result_key(result_id)) || orr__wheel_get(core->due, (uint64_t)result_id, NULL)) return;
  orr__flow *flow = orr__flow_new(core);
  if (!flow) { /* too much at once: the wheel brings it back */
    orr__wheel_set(core->due, (uint64_t)result_id, orr__loop_mono_ms(core->loop) + 1000);
    return;
  }
  flow->id = result_id;
  orr__flow_acquire(flow, orr__result_key(result_id), false, one_held);
}

/* A result that is due for another hook than a refresh, or whose cancel is recorded: a call of it may have been left open by
 * a commit that did not work, and the cancel may not have been asked for. Only without one does it go on as its row says. */
static void stage_looked_up(orr__flow *flow) {
  if (flow->code) {
    orr__flow_end(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  past p = close_ops(flow, tx, flow->slot2);
  if (!p.has_open) {
    orr__tx_free(tx);
    if (flow->hook != ORR_HOOK_refreshBackupResult) {
      orr__run_stage(flow);
    } else if (p.is_cancel_done) {
      orr__refresh_one(flow);
    } else {
      orr__recover_cancel(flow->core, flow->graph.result->id);
      orr__flow_end(flow);
    }
    return;
  }
  if (p.is_uncertain) orr__run_uncertain(flow, tx, "its outcome could not be written");
  orr__result_commit(flow, tx);
}

void orr__recover_stage(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_op_resultId, .compare = ORR_EQ, .number = flow->graph.result->id };
  flow->slot2 =
      orr__tx_query(tx, &(orr__query){ .model = ORR_M_op, .where = &where, .where_count = 1, .order_field = -1 });
  orr__flow_submit(flow, tx, stage_looked_up);
}

static void cancel_again(orr__flow *flow) {
  if (flow->code)
    orr__flow_end(flow);
  else
    orr__cancel_go(flow);
}

void orr__recover_cancel(orr__core *core, int64_t result_id) {
  orr__flow *flow = orr__flow_new(core);
  if (!flow) return;
  flow->id = result_id;
  orr__flow_acquire(flow, orr__result_key(result_id), true, cancel_again);
}

/* ---- at the start ------------------------------------------------------------------------------------------- */

/* What is read at the start, slot by slot. */
enum { IN_FLIGHT, INTENT, SENT, CANCELLED, LIMITED, SWEPT };

/* Open ops of no result: drafts, deletions, extractions. Nobody waits for them any more. */
static void take_up_ops(orr__flow *flow, orr__tx *tx, int slot) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, slot, i);
    if (op->id > flow->id) continue; /* begun by ourselves, while the start could not be read */
    bool is_draft = is_hook(op, ORR_HOOK_createBackup) && !op->backupId;
    if (is_draft && orr__streq(op->state, "sent") && op->subjectName) {
      char message[300];
      orr__name_reserve(flow->core, op->subjectName);
      snprintf(message, sizeof message,
               "createBackup of '%.100s' may have made it outside before the runtime ended; see, then: orrery backup "
               "resolve",
               op->subjectName);
      log_line(flow->core, ORR_LOG_WARNING, message);
    } else if (is_hook(op, ORR_HOOK_updateBackup) && orr__streq(op->state, "sent")) {
      orr__update_lost(flow, tx, op);
    } else if (is_hook(op, ORR_HOOK_testConnection)) {
      orr__tx_delete(tx, ORR_M_op, op->id);
    } else if (!op->resultId || is_hook(op, ORR_HOOK_deleteBackupResult) || is_hook(op, ORR_HOOK_extractBackup)) {
      close_op(flow, tx, &op->head, "the runtime ended during this call; ask again");
    }
  }
}

static void note_open(orr__flow *flow, orr__map *open, int slot) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, slot, i);
    if (op->resultId && op->id < flow->id) orr__map_put(open, (uint64_t)op->resultId, flow);
  }
}

/* A refresh is due at once, for when it would have been is not stored each time. Everything else keeps its date: a look-up
 * before the visibility delay finds nothing of what is still to come. */
static int64_t due_in_ms(orr__core *core, const orr_result *result) {
  bool is_refresh = is_next(result, ORR_HOOK_refreshBackupResult) || is_next(result, ORR_HOOK_refreshBackupResults);
  int64_t wait = is_refresh ? 0 : result->nextActionDate - orr__now(core);
  return wait > 0 ? wait : 0;
}

/* Most results have no call open and go into the wheel as they are: a million of them are no million flows. */
static void take_up_results(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__map open;
  orr__map_init(&open);
  note_open(flow, &open, INTENT);
  note_open(flow, &open, SENT);
  for (size_t i = 0; i < orr__tx_rows(flow->tx, IN_FLIGHT); i++) {
    const orr_result *result = (const orr_result *)orr__tx_row(flow->tx, IN_FLIGHT, i);
    bool is_plain = !orr__map_get(&open, (uint64_t)result->id) && !orr__streq(result->status, "CANCEL_REQUESTED") &&
                    !orr__status_is_terminal(result->status);
    if (is_plain) {
      watch_jobs(core, result->uuid);
      orr__wheel_set(core->due, (uint64_t)result->id, orr__loop_mono_ms(core->loop) + due_in_ms(core, result));
    } else {
      orr__recover_one(core, result->id);
    }
  }
  uint64_t id;
  size_t pos = 0;
  while (orr__map_next(&open, &pos, &id, NULL))
    orr__recover_one(core, (int64_t)id); /* those that have ended, or need attention */
  for (size_t i = 0; i < orr__tx_rows(flow->tx, CANCELLED); i++)
    orr__recover_one(core, orr__object_id(orr__tx_row(flow->tx, CANCELLED, i)));
  orr__map_clear(&open);
  for (size_t i = 0; i < orr__tx_rows(flow->tx, LIMITED); i++)
    orr__admit_row(core, (const orr_result *)orr__tx_row(flow->tx, LIMITED, i));
  orr__refresh_arm(core);
}

static void started(orr__flow *flow) {
  flow->core->is_live = true;
  orr__flow_end(flow);
}

static void start_read(orr__flow *flow);

static void start_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->code) {
    log_line(core, ORR_LOG_ERROR, orr__error_message(&flow->error));
    orr__flow_sleep(flow, orr__backoff_s(1, flow->attempt++), start_read);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  take_up_ops(flow, tx, INTENT);
  take_up_ops(flow, tx, SENT);
  if (core->config.role == ORR_ROLE_SERVE) {
    take_up_results(flow);
    orr__schedule_start(core);
    for (size_t i = 0; i < orr__tx_rows(flow->tx, SWEPT); i++)
      orr__retention_arm(core, (const orr_backup *)orr__tx_row(flow->tx, SWEPT, i));
  }
  orr__flow_submit(flow, tx, started);
}

static void start_read(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__where in_flight = { .field = ORR_F_result_nextAction, .compare = ORR_IS_SET };
  orr__where intent = { .field = ORR_F_op_state, .compare = ORR_EQ, .text = "intent" };
  orr__where sent = { .field = ORR_F_op_state, .compare = ORR_EQ, .text = "sent" };
  orr__where swept = { .field = ORR_F_backup_retentionDate, .compare = ORR_IS_SET };
  orr__where cancelled[2] = { { .field = ORR_F_result_attention, .compare = ORR_IS_SET },
                              { .field = ORR_F_result_status, .compare = ORR_EQ, .text = "CANCEL_REQUESTED" } };
  orr__where limited[2] = { in_flight, { .field = ORR_F_result_isLimited, .compare = ORR_EQ, .number = 1 } };
  const uint64_t seat = ORR_BIT(ORR_F_result_providerCode) | ORR_BIT(ORR_F_result_connectionId) |
                        ORR_BIT(ORR_F_result_computeServerId) | ORR_BIT(ORR_F_result_status) |
                        ORR_BIT(ORR_F_result_attention) | ORR_BIT(ORR_F_result_sentDate);
  const uint64_t due = ORR_BIT(ORR_F_result_uuid) | ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_nextAction) |
                       ORR_BIT(ORR_F_result_nextActionDate);
  const orr__query queries[] = {
    [IN_FLIGHT] = { .model = ORR_M_result, .where = &in_flight, .where_count = 1, .fields = due },
    [INTENT] = { .model = ORR_M_op, .where = &intent, .where_count = 1 },
    [SENT] = { .model = ORR_M_op, .where = &sent, .where_count = 1 },
    [CANCELLED] = { .model = ORR_M_result, .where = cancelled, .where_count = 2, .fields = 1 },
    [SWEPT] = { .model = ORR_M_backup, .where = &swept, .where_count = 1, .fields = ORR_BIT(ORR_F_backup_retentionDate) },
    [LIMITED] = { .model = ORR_M_result, .where = limited, .where_count = 2, .fields = seat },
  };
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    orr__query query = queries[i];
    query.order_field = -1;
    orr__tx_query(tx, &query);
  }
  orr__flow_submit(flow, tx, start_loaded);
}

int orr__core_start(orr__core *core, orr_error *reterr) {
  orr__flow *flow = orr__flow_new(core);
  if (!flow) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  flow->id = orr__store_next_id(core->store, ORR_M_op); /* every call of ours comes after it */
  core->is_started = true;
  orr__history_start(core);
  start_read(flow);
  return 0;
}

/* ---- a local job has ended ---------------------------------------------------------------------------------- */

static void job_found(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->code == 0) {
    orr__subject *subject = orr__subject_of(core, orr__result_key(flow->id));
    if (subject) subject->is_due_now = true;
    if (orr__wheel_get(core->due, (uint64_t)flow->id, NULL))
      orr__wheel_set(core->due, (uint64_t)flow->id, orr__loop_mono_ms(core->loop));
    orr__refresh_arm(core);
  }
  orr__flow_end(flow);
}

void orr__core_job_ended(orr__core *core, const char *uuid, const char *name) {
  (void)name;
  orr__flow *flow = core->is_draining ? NULL : orr__flow_new(core);
  if (flow) orr__flow_find(flow, ORR_M_result, uuid, job_found);
}
