/* Deletion of results: a hook on something that has ended. (Backups: remove_backup.c.)
 *
 *   asked for --> nextAction = deleteBackupResult, stored with the intent --> the hook
 *     success        the record goes, its journal and its local jobs with it
 *     halt           the record is retained and stays usable; HALTED to whoever asked
 *     retry, error   again with back-off, ORR_ERROR_BUDGET times in a row, by this runtime or the next; then attention delete_failing.
 *                    Whoever asked waits for the first ORR_DELETE_ATTEMPTS
 *   no hook        REFUSED; force drops only the record, and lists what may be outside as an orphan
 *
 * Retention asks on its own terms: what it is refused is not kept here, for it comes back. Which results go by themselves is decided
 * elsewhere: retention_pass.c, history.c. */
#include "core/internal.h"

#include <stdlib.h>

#define AGAIN_S 60.0 /* between the attempts that nobody waits for, at first */

static bool arg_flag(const orr__flow *flow, const char *key) { return orr__json_bool(flow->args, key, false); }
static bool is_manual(const orr__flow *flow) { return orr__streq(orr__json_str(flow->extra, "trigger"), "manual"); }

void orr__removal_opts(orr__flow *flow, const char *trigger) {
  const orr__json *opts = orr__json_get(flow->args, "opts");
  if (opts) flow->opts = orr__json_copy(opts);
  flow->extra = orr__json_map();
  if (!flow->extra) return;
  orr__json_put_bool(flow->extra, "force", arg_flag(flow, "force"));
  orr__json_put_str(flow->extra, "trigger", trigger);
  orr__json_put_str(flow->extra, "requestedBy", orr__json_str(flow->args, "requestedBy"));
}

static void abandon_unless_ok(orr__flow *flow, orr__step step) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    step(flow);
}

/* It stays: flow->code says why. */
static void stays(orr__flow *flow) {
  orr__step step = flow->otherwise ? flow->otherwise : orr__flow_abandon;
  flow->otherwise = NULL;
  step(flow);
}

/* A hook that was refused, after its outcome has been written. */
static void refused(orr__flow *flow) {
  if (!flow->code) flow->code = orr__answer_error(&flow->answer, flow->hook, &flow->error);
  stays(flow);
}

void orr__removal_judge(orr__answer *answer) {
  if (answer->outcome != ORR_OUTCOME_SUCCESS || !answer->in_progress) return;
  answer->outcome = ORR_OUTCOME_RETRY;
  if (!answer->msg) answer->msg = orr__strdup("the deletion is still going on");
}

double orr__removal_wait_s(const orr__answer *answer, int64_t errors) {
  if (answer->retry_after >= 0 && answer->outcome == ORR_OUTCOME_RETRY) return answer->retry_after;
  return orr__backoff_s(AGAIN_S, (int)errors - ORR_DELETE_ATTEMPTS + 1);
}

orr__json *orr__removal_given(const orr__flow *flow) {
  orr__json *given = orr__json_map();
  if (!given) return NULL;
  if (flow->opts) orr__json_put(given, "opts", orr__json_copy(flow->opts));
  orr__json_put_str(given, "requestedBy", orr__json_str(flow->args, "requestedBy"));
  return given;
}

void orr__removal_stays_pending(orr__flow *flow) {
  orr_error err = ORR_ERROR_INIT;
  int code = orr__answer_error(&flow->answer, flow->hook, &err);
  orr__error_clear(&flow->error);
  flow->code = orr__error_set(&flow->error, code, "%s; it stays pending and is asked again", orr__error_message(&err));
  orr__error_clear(&err);
}

/* ---- a deletion that goes on ---------------------------------------------------------------------------------- */

bool orr__result_leaves(const orr_result *result) {
  return orr__streq(result->nextAction, orr__hooks[ORR_HOOK_deleteBackupResult].name);
}

/* What is needed to ask again, also if we die in the midst of it. */
static void remember(orr__flow *flow) {
  orr__json *given = orr__removal_given(flow);
  if (given) orr__object_set_map(&flow->graph.result->head, ORR_F_result_deleteOpts, given);
  orr__json_free(given);
  orr__result_next(flow, ORR_HOOK_deleteBackupResult, 0);
}

static void call_off(orr_result *result) {
  orr__object *o = &result->head;
  if (orr__result_leaves(result)) {
    orr__unset(o, ORR_F_result_nextAction);
    orr__unset(o, ORR_F_result_nextActionDate);
  }
  orr__unset(o, ORR_F_result_deleteOpts);
  orr__set_int(o, ORR_F_result_errorCount, 0);
}

static void call_delete_result(orr__flow *flow);

/* It is written that it is still there. */
static void left(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  if (!flow->code) {
    orr__object_clean(&result->head);
    orr__result_changed(flow->core, result);
    orr__flow_arm(flow);
    if (orr__result_leaves(result))
      orr__removal_stays_pending(flow);
    else
      flow->code = orr__answer_error(&flow->answer, flow->hook, &flow->error);
  }
  stays(flow);
}

/* Nobody does that any more: somebody has to look, unless that is so already for another reason. */
static void give_up(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  const char *why = orr__answer_text(&flow->answer);
  call_off(result);
  orr__set_str(&result->head, ORR_F_result_deleteMessage, why);
  if (result->attention) return;
  orr__result_attention(flow, "delete_failing");
  orr__flow_event(flow, tx, "result.attention", "error", "delete_failing: %s", why);
}

static void again_or_left(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  const char *why = orr__answer_text(&flow->answer);
  bool is_halt = flow->answer.outcome == ORR_OUTCOME_HALT;
  int64_t errors = is_halt ? 0 : result->errorCount + 1;
  bool is_soon = !is_halt && errors < ORR_DELETE_ATTEMPTS;
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  orr__set_int(&result->head, ORR_F_result_errorCount, errors);
  if (is_halt) {
    call_off(result);
    orr__unset(&result->head, ORR_F_result_deleteMessage);
  } else if (errors >= ORR_ERROR_BUDGET) {
    give_up(flow, tx);
  } else {
    orr__set_str(&result->head, ORR_F_result_deleteMessage, why);
    if (!is_soon) orr__result_next(flow, ORR_HOOK_deleteBackupResult, orr__removal_wait_s(&flow->answer, errors));
  }
  orr__flow_event(flow, tx, "delete.refused", "warning", "deleteBackupResult: %s%s", why,
                  is_halt || errors >= ORR_ERROR_BUDGET ? "" : "; asked again");
  orr__flow_write(flow, tx);
  if (is_soon) {
    orr__object_clean(&result->head);
    flow->attempt = (int)errors + 1;
    flow->inner = call_delete_result;
  }
  orr__flow_submit(flow, tx, is_soon ? orr__flow_wait_again : left);
}

/* Retention: a few times, then it is told. */
static void again_or_refused(orr__flow *flow) {
  bool is_final = flow->answer.outcome == ORR_OUTCOME_HALT || flow->attempt >= ORR_DELETE_ATTEMPTS;
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  if (is_final && flow->refusing)
    flow->refusing(flow, tx);
  else
    orr__flow_event(flow, tx, "delete.refused", "warning", "deleteBackupResult: %s%s", orr__answer_text(&flow->answer),
                    is_final ? "" : "; trying again");
  orr__flow_write(flow, tx);
  if (!is_final) {
    flow->attempt++;
    flow->inner = call_delete_result;
  }
  orr__flow_submit(flow, tx, is_final ? refused : orr__flow_wait_again);
}

/* ---- one result --------------------------------------------------------------------------------------------- */

static void result_gone(orr__flow *flow) {
  if (flow->code) {
    stays(flow);
    return;
  }
  orr__core *core = flow->core;
  orr_error err = ORR_ERROR_INIT;
  if (core->config.jobs && orr__job_remove(core->config.jobs, flow->graph.result->uuid, &err))
    core->config.sink.log(core->config.sink.self, ORR_LOG_WARNING, NULL, orr__error_message(&err));
  orr__error_clear(&err);
  if (core->config.records && orr__record_remove(core->config.records, flow->graph.result->uuid, &err))
    core->config.sink.log(core->config.sink.self, ORR_LOG_WARNING, NULL, orr__error_message(&err));
  orr__error_clear(&err);
  flow->is_armed = true;
  orr__wheel_remove(core->due, (uint64_t)flow->graph.result->id);
  orr__result_removed(core, flow->graph.result->id);
  orr__step next = flow->after;
  flow->after = NULL;
  next(flow);
}

/* What people read of it: the event is about the Backup, for the result's own go with it. */
static void gone_event(orr__flow *flow, orr__tx *tx, bool is_forced) {
  orr_result *result = flow->graph.result;
  if (orr__streq(orr__json_str(flow->extra, "trigger"), "history")) return; /* it makes room, quietly */
  bool is_retention = orr__streq(orr__json_str(flow->extra, "trigger"), "retention");
  const char *external = is_forced ? result->externalId : NULL;
  int64_t id = result->id;
  result->id = 0;
  orr__flow_event(flow, tx, is_forced ? "result.forgotten" : "result.deleted", is_forced ? "warning" : "info",
                  "result %lld%s%s%s", (long long)id, is_retention ? " (retention)" : "",
                  external ? "; still outside: " : "", external ? external : "");
  result->id = id;
}

static void drop_result(orr__flow *flow, bool is_forced) {
  orr_result *result = flow->graph.result;
  orr__tx *tx = orr__flow_tx(flow);
  if (is_forced && orr__orphan_result(flow, tx, "forced")) {
    orr__tx_free(tx);
    orr__flow_no_memory(flow);
    stays(flow);
    return;
  }
  if (flow->op) orr__flow_settle(flow, tx);
  orr__tx_delete_where(tx, ORR_M_op, ORR_F_op_resultId, result->id);
  orr__tx_delete_where(tx, ORR_M_event, ORR_F_event_resultId, result->id);
  orr__tx_delete(tx, ORR_M_result, result->id);
  orr__flow_write_backup(flow, tx);
  gone_event(flow, tx, is_forced);
  orr__flow_submit(flow, tx, result_gone);
}

static void result_deleted(orr__flow *flow) {
  orr__removal_judge(&flow->answer);
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS)
    drop_result(flow, false);
  else if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining)
    orr__flow_leave(flow);
  else if (is_manual(flow))
    again_or_left(flow);
  else
    again_or_refused(flow);
}

static void delete_result_intended(orr__flow *flow) {
  if (flow->code)
    stays(flow);
  else
    orr__flow_hook(flow, ORR_HOOK_deleteBackupResult, result_deleted);
}

static void call_delete_result(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__tx *tx = orr__flow_tx(flow);
  if (is_manual(flow)) {
    remember(flow);
    orr__tx_update(tx, &result->head, result->head.dirty);
    orr__object_clean(&result->head);
  }
  orr__flow_intend(flow, tx, ORR_HOOK_deleteBackupResult);
  orr__flow_submit(flow, tx, delete_result_intended);
}

void orr__result_drop(orr__flow *flow) { drop_result(flow, false); }

void orr__result_delete(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  bool is_forced = arg_flag(flow, "force");
  if (!orr__status_is_terminal(result->status) && !result->attention && !is_forced) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "result %lld is %s: cancel it first",
                                (long long)result->id, result->status);
    stays(flow);
  } else if (is_forced) {
    drop_result(flow, true);
  } else if (result->deferred) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED,
                                "the clean-ups of result %lld are still to be done; --force drops the record and them",
                                (long long)result->id);
    stays(flow);
  } else if (!orr__flow_declaration(flow)) {
    stays(flow);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_deleteBackupResult)) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED,
                                "the provider '%s' cannot delete results; --force drops only the record of result %lld",
                                flow->graph.backup->providerCode, (long long)result->id);
    stays(flow);
  } else {
    flow->attempt = 1;
    if (is_manual(flow)) {
      orr__set_int(&result->head, ORR_F_result_errorCount, 0); /* asked for anew */
      if (orr__streq(result->attention, "delete_failing")) orr__unset(&result->head, ORR_F_result_attention);
    }
    call_delete_result(flow);
  }
}

/* The provider is not there, or cannot delete any more: that is as good as an error. */
static void cannot_be_asked(orr__flow *flow) {
  flow->hook = ORR_HOOK_deleteBackupResult;
  orr__answer_clear(&flow->answer);
  flow->answer.outcome = ORR_OUTCOME_ERROR;
  if (!flow->code)
    orr__error_set(&flow->error, ORR_E_REFUSED, "the provider '%s' cannot delete results", flow->graph.result->providerCode);
  orr__error_move(&flow->answer.error, &flow->error);
  flow->code = 0;
  again_or_left(flow);
}

void orr__removal_go_on(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__json *given = result->deleteOpts ? orr__json_parse_map(result->deleteOpts, NULL) : NULL;
  orr__json_free(flow->args);
  orr__json_free(flow->opts);
  flow->opts = NULL;
  flow->args = given ? given : orr__json_map();
  orr__removal_opts(flow, "manual");
  flow->after = orr__flow_end;
  flow->otherwise = orr__flow_end;
  flow->attempt = (int)result->errorCount + 1;
  if (orr__flow_has_hook(flow, ORR_HOOK_deleteBackupResult))
    call_delete_result(flow);
  else
    cannot_be_asked(flow);
}

static void reply_result_removed(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put_int(out, "removed", flow->graph.result->id);
    orr__json_put_str(out, "msg", flow->answer.msg);
    if (arg_flag(flow, "force"))
      orr__json_put_str(out, "warning", "only the record was removed; what lies outside stays there: orrery orphans ls");
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

static void rm_result_loaded(orr__flow *flow) {
  flow->after = reply_result_removed;
  abandon_unless_ok(flow, orr__result_delete);
}

static void rm_result_held(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_result, flow->id, rm_result_loaded);
}

static void rm_result_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__recover_one(flow->core, flow->id); /* what a runtime that died left of it, first */
  orr__flow_acquire(flow, orr__result_key(flow->id), false, rm_result_held);
}

void orr__request_result_rm(orr__flow *flow) {
  orr__removal_opts(flow, "manual");
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), rm_result_found);
}
