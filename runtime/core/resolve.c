/* A person's word about a result that needs attention: what the runtime cannot know itself. (Drafts: resolve_draft.c.)
 *
 *   ran        it goes on: its externalId is set, and it is refreshed at once
 *   didNotRun  it ends, FAILED, or CANCELLED where a cancel was asked for; refused where it is known to have run
 *   retry      it ends FAILED, and a new result of the same Backup takes its place, linked by retryOf
 *
 * Each is one transaction, guarded against what others may have written since it was looked at, and tells who said it: in an
 * event, and in the journal. Deliberately asks no hook whether the word is true: what comes next does. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

const char *orr__resolver(const orr__flow *flow) {
  const char *name = orr__json_str(flow->args, "requestedBy");
  return name && *name ? name : "somebody";
}

int orr__resolve_check(orr__flow *flow, const char *const *names, size_t count, const char *sentence) {
  const char *given[3];
  size_t given_count = 0;
  for (size_t i = 0; i < count; i++)
    if (orr__json_str(flow->args, names[i]) || orr__json_bool(flow->args, names[i], false))
      given[given_count++] = names[i];
  if (given_count == 1) return 0;
  flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "%s", sentence);
  for (size_t i = 0; i < given_count; i++)
    orr__error_field(&flow->error, given[i], "cannot be said together with the others");
  return flow->code;
}

/* ---- what may be said ---------------------------------------------------------------------------------------- */

enum { GRAPH, OPS }; /* slots of the reading */

static const char *ran(const orr__flow *flow) { return orr__json_str(flow->args, "ran"); }
static bool is_retry(const orr__flow *flow) { return orr__json_bool(flow->args, "retry", false); }

/* Has the journal an executeBackup that answered success? */
static bool has_answered(const orr__flow *flow) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, OPS); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, OPS, i);
    if (orr__streq(op->hook, orr__hooks[ORR_HOOK_executeBackup].name) && orr__streq(op->outcome, "success"))
      return true;
  }
  return false;
}

/* Has a local job of it begun? */
static bool has_job(orr__flow *flow) {
  orr__object *copy = orr__object_copy(&flow->graph.result->head);
  if (!copy) return true;
  orr__unset(copy, ORR_F_result_sentDate);
  bool has = orr__result_may_run(flow->core, (const orr_result *)copy);
  orr__object_free(copy);
  return has;
}

/* How the runtime knows that the result has run, or NULL where it does not. */
static const char *evidence(orr__flow *flow) {
  if (flow->graph.result->externalId) return "its externalId is known";
  if (has_answered(flow)) return "executeBackup answered that it was started";
  return has_job(flow) ? "a local job of it has begun" : NULL;
}

/* May it be resolved this way? 0, or the code in flow. */
static int check_result(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  orr_error *err = &flow->error;
  long long id = (long long)result->id;
  bool cleans_up = result->attention && result->deferred && orr__status_is_terminal(result->status);
  if (cleans_up && !is_retry(flow))
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "result %lld has ended, only its clean-ups are left: resolve it by retry", id);
  if (cleans_up) return flow->code = 0;
  if (orr__streq(result->attention, "delete_failing"))
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "result %lld has ended, only its deletion does not work: remove it once more, or by force", id);
  if (orr__status_is_terminal(result->status))
    return flow->code = orr__error_set(err, ORR_E_REFUSED, "result %lld has ended already: %s", id, result->status);
  if (!result->attention)
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "result %lld is %s and needs no attention: there is nothing to resolve", id,
                                       result->status);
  const char *known = evidence(flow);
  if (ran(flow) && !*ran(flow) && !known)
    return flow->code = orr__error_field(
               err, "ran", "is empty; it is not known by what id the job of result %lld runs outside", id);
  if (orr__json_bool(flow->args, "didNotRun", false) && known)
    return flow->code = orr__error_set(
               err, ORR_E_REFUSED, "result %lld has run (%s%s%s): it can go on, by its externalId, or be retried", id,
               known, result->externalId ? ": " : "", result->externalId ? result->externalId : "");
  if (ran(flow) && !orr__flow_declaration(flow)) {
    orr__error_clear(err);
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "the provider '%s' is missing: nobody could ask how result %lld is going",
                                       result->providerCode, id);
  }
  return flow->code = 0;
}

/* ---- writing it down ---------------------------------------------------------------------------------------- */

/* The line of the journal: what was said, by whom. */
static void write_op(orr__flow *flow, orr__tx *tx, const char *message) {
  const orr_result *result = flow->graph.result;
  orr_op *op = orr__op_new();
  if (!op) return;
  orr__object *o = &op->head;
  int64_t now = orr__now(flow->core);
  orr__set_int(o, ORR_F_op_id, orr__store_next_id(flow->core->store, ORR_M_op));
  orr__set_str(o, ORR_F_op_hook, "result.resolve");
  orr__set_str(o, ORR_F_op_state, "done");
  orr__set_str(o, ORR_F_op_outcome, "success");
  orr__set_str(o, ORR_F_op_message, message);
  orr__set_int(o, ORR_F_op_resultId, result->id);
  orr__set_int(o, ORR_F_op_backupId, result->backupId);
  orr__set_str(o, ORR_F_op_subjectUuid, result->uuid);
  orr__set_str(o, ORR_F_op_subjectName, result->backupName);
  orr__set_str(o, ORR_F_op_providerCode, result->providerCode);
  orr__set_int(o, ORR_F_op_attempt, 1);
  orr__set_int(o, ORR_F_op_startDate, now);
  orr__set_int(o, ORR_F_op_endDate, now);
  orr__tx_insert(tx, o);
  orr__object_free(o);
}

/* Guards against what others may write to a result that is held: a cancel. To be called before its fields change. */
static void guard(orr__flow *flow, orr__tx *tx) {
  const orr_result *result = flow->graph.result;
  orr__tx_guard_str(tx, ORR_M_result, result->id, ORR_F_result_status, result->status);
  orr__tx_guard_str(tx, ORR_M_result, result->id, ORR_F_result_attention, result->attention);
}

/* The changed result, its line in the journal, and its events. */
static void write(orr__flow *flow, orr__tx *tx, const char *message) {
  const orr_result *result = flow->graph.result;
  orr__flow_write(flow, tx);
  write_op(flow, tx, message);
  orr__flow_event(flow, tx, "result.resolved", "info", "%s", message);
  if (!orr__status_is_terminal(result->status)) return;
  orr__flow_ended_event(flow, tx, orr__streq(result->status, "FAILED") ? "error" : "info", "%s: %s", result->status,
                        message);
  if (is_retry(flow) && (result->externalId || orr__result_may_run(flow->core, result)))
    orr__flow_event(flow, tx, "result.orphan", "warning",
                    "nobody refreshes it any more; the external job %s may still run",
                    result->externalId ? result->externalId : "");
}

static void reply(orr__flow *flow, const orr_result *next) {
  const orr_result *result = flow->graph.result;
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put(out, "result", orr__view_result(result));
    orr__json_put(out, "retry", next ? orr__view_result(next) : orr__json_null());
    orr__json_put_str(out, "msg", result->statusMessage);
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
}

/* It is stored: tells whoever watches it, answers, and lets go. */
static void tell(orr__flow *flow, const orr_result *next) {
  orr_result *result = flow->graph.result;
  orr__object_clean(&result->head);
  orr__result_changed(flow->core, result);
  orr__flow_arm(flow);
  if (!orr__status_is_terminal(result->status)) orr__admit_hold(flow);
  reply(flow, next);
  if (orr__streq(result->status, "CANCEL_REQUESTED"))
    orr__recover_cancel(flow->core, result->id); /* now it is known what to cancel */
  orr__flow_end(flow);
}

static void explain_conflict(orr__flow *flow, const orr_result *result) {
  if (flow->code != ORR_E_CONFLICT) return;
  orr__error_clear(&flow->error);
  orr__error_set(&flow->error, ORR_E_CONFLICT,
                 "result %lld was changed by somebody else meanwhile: nothing was resolved, look at it again",
                 (long long)result->id);
}

static void resolved(orr__flow *flow) {
  if (flow->code) {
    explain_conflict(flow, flow->graph.result);
    orr__flow_abandon(flow);
    return;
  }
  tell(flow, NULL);
}

/* ---- it goes on, it did not run ------------------------------------------------------------------------------- */

static void go_on(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__object *o = &result->head;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  double timeout_s = declaration && declaration->timeout > 0 ? declaration->timeout : ORR_DEFAULT_TIMEOUT_S;
  int64_t now = orr__now(flow->core);
  bool is_cancel = orr__streq(result->status, "CANCEL_REQUESTED");
  orr__tx *tx = orr__flow_tx(flow);
  guard(flow, tx);
  if (*ran(flow)) orr__set_str(o, ORR_F_result_externalId, ran(flow));
  orr__set_str(o, is_cancel ? ORR_F_result_previousStatus : ORR_F_result_status, "IN_PROGRESS");
  orr__unset(o, ORR_F_result_attention);
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__unset(o, ORR_F_result_goneDate);
  if (orr__object_has(o, ORR_F_result_progressDate)) orr__set_int(o, ORR_F_result_progressDate, now);
  if (orr__object_has(o, ORR_F_result_deadlineDate) && now >= result->deadlineDate)
    orr__set_int(o, ORR_F_result_deadlineDate, now + (int64_t)(timeout_s * 1000));
  orr__result_next(flow, ORR_HOOK_refreshBackupResult, 0);
  char *message =
      orr__strf(result->externalId ? "resolved by %s: it goes on outside as %s" : "resolved by %s: it goes on",
                orr__resolver(flow), result->externalId);
  orr__set_str(o, ORR_F_result_statusMessage, message);
  write(flow, tx, message ? message : "");
  free(message);
  orr__flow_submit(flow, tx, resolved);
}

static void end_unrun(orr__flow *flow) {
  bool is_cancel = orr__streq(flow->graph.result->status, "CANCEL_REQUESTED");
  orr__tx *tx = orr__flow_tx(flow);
  guard(flow, tx);
  char *message = orr__strf("resolved by %s: it did not run", orr__resolver(flow));
  orr__result_finish(flow, is_cancel ? "CANCELLED" : "FAILED", message);
  write(flow, tx, message ? message : "");
  free(message);
  orr__flow_submit(flow, tx, resolved);
}

/* Its clean-ups are tried again. */
static void clean_again(orr__flow *flow) {
  orr__object *o = &flow->graph.result->head;
  orr__tx *tx = orr__flow_tx(flow);
  guard(flow, tx);
  orr__unset(o, ORR_F_result_attention);
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__result_next(flow, ORR_HOOK_cleanUp, 0);
  orr__flow_write(flow, tx);
  char *message = orr__strf("resolved by %s: its clean-ups are tried again", orr__resolver(flow));
  write_op(flow, tx, message);
  orr__flow_event(flow, tx, "result.resolved", "info", "%s", message ? message : "");
  free(message);
  orr__flow_submit(flow, tx, resolved);
}

/* ---- again -------------------------------------------------------------------------------------------------- */

/* The new result and the end of the old one are stored; `run` is the flow of the new one, its parent that of the old one. */
static void retried(orr__flow *run) {
  orr__flow *flow = run->parent;
  if (run->code) {
    explain_conflict(run, flow->graph.result);
    orr__flow_abandon(run);
    return;
  }
  run->parent = NULL;
  orr__flow_tell(flow);
  tell(flow, run->graph.result);
  orr__run_go(run);
}

static void run_again(orr__flow *flow) {
  orr__flow *run = orr__run_like(flow);
  if (!run) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  guard(flow, tx);
  char *message = orr__strf("resolved by %s: given up, and run again as result %lld", orr__resolver(flow),
                            (long long)run->graph.result->id);
  orr__result_finish(flow, "FAILED", message);
  write(flow, tx, message ? message : "");
  free(message);
  if (orr__orphan_result(flow, tx, "retried")) {
    orr__tx_free(tx);
    orr__flow_no_memory(flow);
    orr__flow_end(run);
    orr__flow_abandon(flow);
    return;
  }
  orr__run_insert(run, tx);
  run->parent = flow; /* what goes wrong goes wrong for both */
  orr__flow_submit(run, tx, retried);
}

/* ---- the request -------------------------------------------------------------------------------------------- */

static void result_loaded(orr__flow *flow) {
  if (!flow->code && !orr__tx_take_graph(flow->tx, GRAPH, &flow->graph))
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  if (flow->code || check_result(flow))
    orr__flow_abandon(flow);
  else if (ran(flow))
    go_on(flow);
  else if (is_retry(flow) && orr__status_is_terminal(flow->graph.result->status))
    clean_again(flow);
  else if (is_retry(flow))
    run_again(flow);
  else
    end_unrun(flow);
}

static void result_held(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_op_resultId, .compare = ORR_EQ, .number = flow->id };
  orr__tx_graph(tx, ORR_M_result, flow->id);
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_op, .where = &where, .where_count = 1, .order_field = -1 });
  orr__flow_submit(flow, tx, result_loaded);
}

static void result_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__recover_one(flow->core, flow->id); /* what a runtime that died left of it, first */
  orr__flow_acquire(flow, orr__result_key(flow->id), false, result_held);
}

void orr__request_result_resolve(orr__flow *flow) {
  static const char *const words[] = { "ran", "didNotRun", "retry" };
  if (orr__resolve_check(flow, words, 3, "say exactly one of ran, didNotRun and retry"))
    orr__flow_abandon(flow);
  else
    orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), result_found);
}
