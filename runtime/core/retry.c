/* Running again what has ended: a new result of the same Backup, with what the old one was given, linked to it by retryOf.
 *
 * The old result keeps its end; what has not ended is for cancel.c and resolve.c, which shares orr__run_like. The new result, its
 * first intent and the event of the old one are one transaction. */
#include "core/internal.h"

static orr__object *copy_of(const void *object) { return object ? orr__object_copy(object) : NULL; }

/* What the new result is given, out of the old one's graph. False without memory. */
static bool take_over(orr__flow *run, const orr__graph *old) {
  run->graph.backup = (orr_backup *)copy_of(old->backup);
  run->graph.connection = (orr_connection *)copy_of(old->connection);
  run->graph.cloud = (orr_cloud *)copy_of(old->cloud);
  run->graph.server = (orr_server *)copy_of(old->server);
  run->config = orr__object_map(&old->result->head, ORR_F_result_executionConfig);
  if (old->result->callerOpts) run->opts = orr__object_map(&old->result->head, ORR_F_result_callerOpts);
  return run->config && (run->opts || !old->result->callerOpts) && run->graph.backup &&
         !run->graph.connection == !old->connection && !run->graph.cloud == !old->cloud &&
         !run->graph.server == !old->server;
}

orr__flow *orr__run_like(orr__flow *flow) {
  const orr__graph *old = &flow->graph;
  orr_error *err = &flow->error;
  if (orr__backup_is_leaving(flow->core, old->result->backupId))
    flow->code = orr__error_set(err, ORR_E_REFUSED, "'%s' is being removed", old->result->backupName);
  else
    flow->code = orr__connection_check_enabled(old->connection, err);
  orr__flow *run = flow->code ? NULL : orr__flow_new(flow->core);
  if (!run) {
    if (!flow->code) flow->code = orr__error_set(err, ORR_E_LIMIT, "too much is going on at once; try again later");
    return NULL;
  }
  if (!take_over(run, old)) run->code = orr__error_set(&run->error, ORR_E_NOMEM, "out of memory");
  if (!run->code) run->code = orr__run_prepare(run, "manual", orr__json_str(flow->args, "requestedBy"), -1);
  if (!run->code && (orr__set_str(&run->graph.result->head, ORR_F_result_retryOf, old->result->uuid) ||
                     !orr__flow_try(run, orr__result_key(run->graph.result->id))))
    run->code = orr__error_set(&run->error, ORR_E_NOMEM, "out of memory");
  if (!run->code) return run;
  flow->code = run->code;
  orr__error_move(err, &run->error);
  orr__flow_end(run);
  return NULL;
}

/* ---- the request -------------------------------------------------------------------------------------------- */

/* May it be run again this way? 0, or the code in flow: what else there is to type. */
static int check(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  orr_error *err = &flow->error;
  long long id = (long long)result->id;
  const char *status = result->status;
  if (orr__streq(status, "FAILED") || orr__streq(status, "CANCELLED")) return 0;
  if (orr__status_is_terminal(status))
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "result %lld has ended well: %s; to run it again: orrery backup run %s", id,
                                       status, result->backupName);
  if (result->attention)
    return flow->code = orr__error_set(err, ORR_E_REFUSED,
                                       "result %lld needs attention (%s): say what became of it, or give it up: orrery "
                                       "result resolve %.8s --retry",
                                       id, result->attention, result->uuid);
  return flow->code = orr__error_set(
             err, ORR_E_REFUSED, "result %lld is %s: wait for its end (orrery result watch %.8s), or cancel it first",
             id, status, result->uuid);
}

/* It is stored: `run` is the flow of the new result, its parent that of the request. */
static void accepted(orr__flow *run) {
  orr__flow *flow = run->parent;
  if (run->code) {
    orr__flow_abandon(run);
    return;
  }
  run->parent = NULL;
  orr__flow_tell(flow);
  orr__json *out = orr__view_result(run->graph.result);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
  orr__run_go(run);
}

static void loaded(orr__flow *flow) {
  orr__flow *run = flow->code || check(flow) ? NULL : orr__run_like(flow);
  if (!run) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_event(flow, tx, "result.retried", "info", "run again as result %lld", (long long)run->graph.result->id);
  orr__run_insert(run, tx);
  run->parent = flow; /* what goes wrong goes wrong for both */
  orr__flow_submit(run, tx, accepted);
}

static void found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_result, flow->id, loaded);
}

void orr__request_result_retry(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), found);
}
