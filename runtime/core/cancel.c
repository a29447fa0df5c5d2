/* Cancelling: from the request to what the external system confirms.
 *
 *   request --> CANCEL_REQUESTED recorded at once, whatever hook is running; a waiting refresh is interrupted, and so is an
 *               executeBackup that has sent nothing yet
 *           --> when the result is free: never sent: CANCELLED. Else cancelBackup:
 *                 success   the status stays CANCEL_REQUESTED until a refresh reports how it really ended
 *                 halt      the status before it returns, msg goes to whoever asked, refreshing goes on; past its deadline, when the
 *                           runtime itself has asked, it ends (overdue.c)
 *                 error     asked again, ORR_CANCEL_ATTEMPTS times, then as halt
 *
 * The request is answered when that is known; the end itself is the refresh loop's to find. */
#include "core/internal.h"

static void reply(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put(out, "result", orr__view_result(flow->graph.result));
    orr__json_put_str(out, "msg", flow->answer.msg ? flow->answer.msg : flow->graph.result->statusMessage);
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
}

static void cancel_committed(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr_result *result = flow->graph.result;
  orr__object_clean(&result->head);
  orr__result_changed(flow->core, result);
  orr__flow_arm(flow);
  orr__retention_ended(flow);
  if (flow->findings.code)
    orr__flow_fail(flow, flow->findings.code, &flow->findings);
  else
    reply(flow);
  orr__flow_end(flow);
}

static void commit(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  bool has_failed = orr__streq(result->status, "FAILED");
  if (orr__status_is_terminal(result->status))
    orr__flow_ended_event(flow, tx, has_failed ? "error" : "info", "%s%s%s", result->status, has_failed ? ": " : "",
                          has_failed ? result->statusMessage : "");
  if (orr__status_is_terminal(result->status)) orr__retention_write(flow, tx);
  orr__flow_write(flow, tx);
  orr__flow_submit(flow, tx, cancel_committed);
}

void orr__cancel_keep(const orr__flow *flow, orr_result *result) {
  orr__object *o = &result->head;
  if (!flow->is_cancel_recorded || orr__status_is_terminal(result->status) ||
      orr__streq(result->status, "CANCEL_REQUESTED"))
    return;
  if (orr__set_str(o, ORR_F_result_previousStatus, result->status) ||
      orr__set_str(o, ORR_F_result_status, "CANCEL_REQUESTED"))
    return;
  o->dirty &= ~ORR_BIT(ORR_F_result_status); /* as it is stored */
}

/* The status before it returns; refreshing goes on. */
static void not_cancelled(orr__flow *flow, orr__tx *tx, const char *why) {
  orr_result *result = flow->graph.result;
  if (!orr__status_is_terminal(result->status))
    orr__set_str(&result->head, ORR_F_result_status, result->previousStatus ? result->previousStatus : "IN_PROGRESS");
  orr__unset(&result->head, ORR_F_result_previousStatus);
  orr__flow_event(flow, tx, "result.cancel", "warning", "not cancelled: %s", why);
}

static void call_cancel(orr__flow *flow);

static void cancelled(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  enum orr__outcome outcome = flow->answer.outcome;
  if (outcome > ORR_OUTCOME_HALT && flow->core->is_draining) { /* recovery asks again */
    orr__flow_leave(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  bool is_looked_up = orr__streq(result->nextAction, orr__hooks[ORR_HOOK_recoverBackupResult].name);
  if (orr__status_is_terminal(result->status)) { /* what the hook wrote counts, however it ended */
    orr__result_finish(flow, result->status,
                       outcome == ORR_OUTCOME_SUCCESS ? flow->answer.msg : orr__answer_text(&flow->answer));
  } else if (outcome == ORR_OUTCOME_SUCCESS) {
    if (!result->attention && !is_looked_up) orr__result_next(flow, ORR_HOOK_refreshBackupResult, 0);
    if (orr__is_overdue(flow)) orr__overdue_grace(flow);
  } else if (outcome != ORR_OUTCOME_HALT && flow->attempt < ORR_CANCEL_ATTEMPTS) {
    flow->attempt++;
    orr__flow_event(flow, tx, "result.cancel", "warning", "cancelBackup: %s; asking again",
                    orr__answer_text(&flow->answer));
    orr__flow_write(flow, tx);
    orr__object_clean(&result->head);
    flow->inner = call_cancel;
    orr__flow_submit(flow, tx, orr__flow_wait_again);
    return;
  } else {
    orr__answer_error(&flow->answer, ORR_HOOK_cancelBackup, &flow->findings);
    if (orr__is_overdue(flow) && !result->attention)
      orr__overdue_end(flow, tx, orr__answer_text(&flow->answer));
    else
      not_cancelled(flow, tx, orr__answer_text(&flow->answer));
  }
  commit(flow, tx);
}

static void intent_written(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_hook(flow, ORR_HOOK_cancelBackup, cancelled);
}

static void call_cancel(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__tx *tx = orr__flow_tx(flow);
  if (!orr__streq(result->status, "CANCEL_REQUESTED")) { /* another cancel was refused while this one waited */
    orr__set_str(&result->head, ORR_F_result_previousStatus, result->status);
    orr__set_str(&result->head, ORR_F_result_status, "CANCEL_REQUESTED");
    orr__tx_update(tx, &result->head, result->head.dirty);
    orr__object_clean(&result->head);
  }
  orr__flow_intend(flow, tx, ORR_HOOK_cancelBackup);
  orr__flow_submit(flow, tx, intent_written);
}

/* executeBackup has started something since the cancel was recorded, and there is no hook to end it. */
static void cannot_cancel(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__error_move(&flow->findings, &flow->error);
  if (!flow->findings.code)
    orr__error_set(&flow->findings, ORR_E_REFUSED, "the provider '%s' cannot cancel", flow->graph.backup->providerCode);
  not_cancelled(flow, tx, orr__error_message(&flow->findings));
  commit(flow, tx);
}

/* Is it still on its way to executeBackup, with nothing sent? */
static bool is_unstarted(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  int hook = result->nextAction ? orr__hook_find(result->nextAction) : -1;
  bool is_before =
      hook == ORR_HOOK_prepareExecuteBackup || hook == ORR_HOOK_prepareBackupResult || hook == ORR_HOOK_executeBackup;
  return is_before && !orr__result_may_run(flow->core, result);
}

static void cancel_loaded(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  if (flow->code) {
    orr__flow_abandon(flow);
  } else if (orr__status_is_terminal(result->status)) {
    reply(flow); /* it ended while the request waited: that is the answer */
    orr__flow_end(flow);
  } else if (is_unstarted(flow)) {
    orr__tx *tx = orr__flow_tx(flow);
    orr__result_finish(flow, "CANCELLED", "cancelled before anything was started");
    commit(flow, tx);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_cancelBackup)) {
    cannot_cancel(flow);
  } else {
    call_cancel(flow);
  }
}

void orr__cancel_go(orr__flow *flow) { orr__flow_load(flow, ORR_M_result, flow->id, cancel_loaded); }

/* ---- the request -------------------------------------------------------------------------------------------- */

static void found(orr__flow *flow);

static void recorded(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__subject *subject = orr__subject_of(core, orr__result_key(flow->id));
  if (flow->code) {
    if (subject) subject->is_cancelled = false;
    bool has_ended = flow->code == ORR_E_CONFLICT; /* meanwhile: looked at again, it says so */
    flow->code = has_ended ? 0 : flow->code;
    if (has_ended)
      found(flow);
    else
      orr__flow_abandon(flow);
    return;
  }
  orr__result_changed(core, flow->graph.result);
  if (subject && subject->holder) {
    subject->is_cancelled = true;
    orr__flow *holder = subject->holder;
    bool is_marked = holder->op && orr__streq(holder->op->state, "sent");
    bool is_unsent =
        holder->hook == ORR_HOOK_executeBackup && !is_marked && !orr__result_may_run(core, flow->graph.result);
    bool is_waiting = holder->hook == ORR_HOOK_refreshBackupResult || holder->hook == ORR_HOOK_refreshBackupResults ||
                      holder->hook == ORR_HOOK_recoverBackupResult;
    if (holder->call_id && (is_waiting || is_unsent))
      core->ops->interrupt(core->ops->self, holder->call_id, "a cancel was requested");
  }
  orr__flow_acquire(flow, orr__result_key(flow->id), true, orr__cancel_go);
}

static void to_record(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr_result *result = flow->graph.result;
  if (orr__status_is_terminal(result->status)) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "result %lld has ended already: %s", (long long)result->id,
                                result->status);
    orr__flow_abandon(flow);
    return;
  }
  const orr__declaration *declaration = orr__flow_declaration(flow);
  if (!is_unstarted(flow) && (!declaration || !orr__declares(declaration, ORR_HOOK_cancelBackup))) {
    if (declaration)
      flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "the provider '%s' cannot cancel", declaration->code);
    orr__flow_abandon(flow);
    return;
  }
  flow->code = 0;
  if (orr__streq(result->status, "CANCEL_REQUESTED")) {
    recorded(flow); /* by somebody before: there is nothing to write, and nothing that could go wrong */
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__set_str(&result->head, ORR_F_result_previousStatus, result->status);
  orr__set_str(&result->head, ORR_F_result_status, "CANCEL_REQUESTED");
  orr__flow_event(flow, tx, "result.cancel", "info", "cancel requested");
  orr__tx_update(tx, &result->head, result->head.dirty);
  orr__object_clean(&result->head);
  orr__subject *subject = orr__subject_of(flow->core, orr__result_key(result->id));
  if (subject && subject->holder) subject->is_cancelled = true; /* from here on no outcome overwrites it */
  orr__flow_submit(flow, tx, recorded);
}

static void found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__recover_one(flow->core, flow->id); /* what a runtime that died left of it, first */
  orr__flow_load(flow, ORR_M_result, flow->id, to_record);
}

void orr__request_result_cancel(orr__flow *flow) {
  const orr__json *opts = orr__json_get(flow->args, "opts");
  const char *requested_by = orr__json_str(flow->args, "requestedBy");
  if (opts) flow->opts = orr__json_copy(opts);
  flow->extra = orr__json_map();
  if (flow->extra && requested_by) orr__json_put_str(flow->extra, "requestedBy", requested_by);
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), found);
}
