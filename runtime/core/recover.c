/* Taking up what was in flight when an earlier runtime ended, however it ended.
 *
 * The death of our process is never evidence of failure, and a stored row says the truth: a result with a nextAction is due,
 * a refresh at once and another hook at its date. Open rows of the journal tell how far a hook got: `intent` means that nothing
 * left, so the hook runs again; `sent` on executeBackup goes by what the provider declares (orr__run_uncertain); a draft that
 * createBackup may have made outside keeps its name reserved. */
#include "core/internal.h"

#include <stdlib.h>

void orr__recover_watch(orr__core *core, const char *uuid) {
  char **names = NULL;
  if (!core->config.jobs || orr__job_list(core->config.jobs, uuid, &names, NULL) || !names) return;
  for (size_t i = 0; names[i]; i++) {
    orr__job_watch(core->config.jobs, uuid, names[i], NULL);
    free(names[i]);
  }
  free(names);
}

void orr__recover_close(orr__flow *flow, orr__tx *tx, const orr__object *op, const char *message) {
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
    orr__recover_close(flow, tx, &op->head, "the runtime ended during this call");
  }
  return p;
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
    if (result->nextAction && !orr__result_cleans_up(result) && !orr__result_leaves(result))
      orr__result_finish(flow, result->status, NULL); /* it ended in a checkpoint, and then we did */
  } else if (!result->attention) {
    orr__recover_watch(core, result->uuid);
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
