/* The refresh loop: asks the provider how a started backup is going, until it has ended.
 *
 * The wheel knows when each result is due; results that are due together are loaded together. Where the provider has
 * refreshBackupResults, those of one connection go into one call. An answer that brings nothing new is not written: the
 * result goes back into the wheel and the store is left alone.
 *
 *   success        status terminal: it has ended. Else again after the interval; errors in a row are forgotten
 *   halt           FAILED with msg, and an event that the external job may still run
 *   retry, error   again with back-off, ORR_ERROR_BUDGET times in a row, then attention refresh_failing
 *   gone           the external job is not there: again after the interval, until visibilityDelay has passed; still gone: attention
 *                  lost_external, and one look more at the deadline, which ends it FAILED
 *   no progress    for the declared time, where progress is told: attention no_progress
 *   past deadline  it is asked to end (overdue.c)
 *
 * In a batch, failure is per result, by status; `false` or an error is transient for all of them. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

struct orr__batch {
  orr__flow **members; /* each holds its result */
  size_t count;
};

double orr__refresh_interval(orr__flow *flow) {
  const orr_backup *backup = flow->graph.backup;
  if (backup && orr__object_has(&backup->head, ORR_F_backup_refreshInterval)) return backup->refreshInterval;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  return declaration && declaration->refresh_interval > 0 ? declaration->refresh_interval : ORR_DEFAULT_REFRESH_S;
}

void orr__refresh_arm(orr__core *core) {
  int64_t due = orr__wheel_next_ms(core->due);
  if (due == INT64_MAX || core->is_draining)
    orr__timer_stop(core->loop, &core->due_timer);
  else if (!orr__timer_is_started(&core->due_timer) || core->due_timer.due_mono_ms != due)
    orr__timer_start(core->loop, &core->due_timer, due, orr__refresh_due, core);
}

/* ---- an answer ---------------------------------------------------------------------------------------------- */

static void back_off(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  int64_t errors = result->errorCount + 1;
  orr__set_int(&result->head, ORR_F_result_errorCount, errors);
  orr__set_str(&result->head, ORR_F_result_statusMessage, orr__answer_text(&flow->answer));
  bool is_overdue = orr__is_overdue(flow);
  if (errors >= ORR_ERROR_BUDGET || is_overdue) {
    orr__result_attention(flow, is_overdue ? "overdue" : "refresh_failing");
    return;
  }
  double interval = orr__refresh_interval(flow);
  double wait = orr__backoff_s(interval, (int)errors);
  if (flow->answer.retry_after >= 0 && flow->answer.outcome == ORR_OUTCOME_RETRY) wait = flow->answer.retry_after;
  orr__result_next(flow, ORR_HOOK_refreshBackupResult, wait);
}

/* One glimpse is no evidence: what was sent may not be visible yet, and lists are cut. */
static void seen_gone(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  double interval = orr__refresh_interval(flow);
  double delay = declaration && declaration->visibility_delay > interval ? declaration->visibility_delay : interval;
  int64_t now = orr__now(flow->core);
  orr__set_str(&result->head, ORR_F_result_statusMessage, orr__answer_text(&flow->answer));
  if (!orr__object_has(&result->head, ORR_F_result_goneDate)) {
    orr__set_int(&result->head, ORR_F_result_goneDate, now);
    orr__flow_event(flow, tx, "result.gone", "warning", "the external job %s is not there: looked for again, for %g s",
                    result->externalId ? result->externalId : "", delay);
  }
  int64_t left = result->goneDate + (int64_t)(delay * 1000) - now;
  if (left > 0)
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, (double)left / 1000 < interval ? (double)left / 1000 : interval);
  else if (orr__is_overdue(flow))
    orr__overdue_end(flow, tx, orr__answer_text(&flow->answer));
  else
    orr__result_attention(flow, "lost_external");
  if (!result->attention || !orr__object_has(&result->head, ORR_F_result_deadlineDate)) return;
  orr__result_next(flow, ORR_HOOK_refreshBackupResult, (double)(result->deadlineDate - now) / 1000);
}

/* It was lost, and is there again: it goes on as if nothing had been. */
static void found_again(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  orr__unset(&result->head, ORR_F_result_goneDate);
  if (!result->attention) return;
  orr__unset(&result->head, ORR_F_result_attention);
  orr__flow_event(flow, tx, "result.found", "info", "the external job %s is there again",
                  result->externalId ? result->externalId : "");
  orr__admit_hold(flow);
}

/* Has progress been told once, and has it stood still for longer than the provider says it may? */
static bool is_stuck(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__object *o = &result->head;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  int64_t now = orr__now(flow->core);
  if (!declaration || declaration->no_progress_timeout <= 0) return false;
  if (o->dirty & (ORR_BIT(ORR_F_result_progress) | ORR_BIT(ORR_F_result_sizeInBytes)))
    orr__set_int(o, ORR_F_result_progressDate, now);
  return orr__object_has(o, ORR_F_result_progressDate) &&
         now - result->progressDate >= (int64_t)(declaration->no_progress_timeout * 1000);
}

static void back_to_wheel(orr__flow *flow, double in_seconds) {
  uint64_t dirty = flow->graph.result->head.dirty;
  orr__result_next(flow, ORR_HOOK_refreshBackupResult, in_seconds);
  flow->graph.result->head.dirty = dirty; /* the wheel remembers it; after a crash it is due at once */
  orr__flow_arm(flow);
  orr__flow_end(flow);
}

static void succeeded(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  orr__object *o = &result->head;
  orr__result_well(result);
  bool is_over = orr__status_is_terminal(result->status);
  if (orr__object_has(o, ORR_F_result_goneDate) && !is_over) found_again(flow, tx);
  if (is_over) {
    orr__unset(o, ORR_F_result_goneDate);
    orr__result_finish(flow, result->status, flow->answer.msg);
  } else if (orr__is_overdue(flow)) {
    orr__overdue(flow, tx);
  } else if (is_stuck(flow)) {
    orr__result_attention(flow, "no_progress");
  } else {
    if (flow->answer.msg) orr__set_str(o, ORR_F_result_statusMessage, flow->answer.msg);
    bool has_news = o->dirty || (flow->graph.backup && flow->graph.backup->head.dirty);
    if (!has_news && !flow->answer.warnings && !flow->is_op_stored) {
      orr__flow_settle(flow, tx); /* nothing to tell: it only drops the unwritten row */
      orr__tx_free(tx);
      back_to_wheel(flow, orr__refresh_interval(flow));
      return;
    }
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, orr__refresh_interval(flow));
  }
  orr__flow_settle(flow, tx);
  orr__result_commit(flow, tx);
}

static void refreshed(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_leave(flow);
    return;
  }
  if (flow->answer.outcome == ORR_OUTCOME_INTERRUPTED && !result->head.dirty && !flow->is_op_stored) {
    back_to_wheel(flow, 0);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS) {
    succeeded(flow, tx);
    return;
  }
  if (orr__status_is_terminal(result->status)) {
    orr__result_finish(flow, result->status, orr__answer_text(&flow->answer)); /* learnt before the error: it counts */
  } else if (flow->answer.outcome == ORR_OUTCOME_INTERRUPTED) {
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, 0);
  } else if (flow->answer.outcome == ORR_OUTCOME_HALT) {
    orr__result_finish(flow, "FAILED", orr__answer_text(&flow->answer));
    orr__flow_event(flow, tx, "result.orphan", "warning", "refreshing has stopped; the external job %s may still run",
                    result->externalId ? result->externalId : "");
  } else if (flow->answer.is_gone) {
    seen_gone(flow, tx);
  } else {
    back_off(flow);
  }
  orr__flow_settle(flow, tx);
  orr__result_commit(flow, tx);
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

void orr__batch_back(orr__flow *flow, orr__call *call) {
  struct orr__batch *batch = flow->batch;
  for (size_t i = 0; i < batch->count; i++) {
    batch->members[i]->graph = call->batch[i];
    batch->members[i]->call_id = 0;
    orr__cancel_keep(batch->members[i], call->batch[i].result);
    memset(&call->batch[i], 0, sizeof call->batch[i]);
  }
}

const char *orr__batch_provider(const orr__flow *flow) { return flow->batch->members[0]->graph.backup->providerCode; }

int orr__batch_fill(orr__flow *flow, orr__call *call) {
  struct orr__batch *batch = flow->batch;
  call->batch = calloc(batch->count, sizeof *call->batch);
  const orr_connection *connection = batch->members[0]->graph.connection;
  if (connection) call->graph.connection = (orr_connection *)orr__object_copy(&connection->head);
  if (!call->batch || (connection && !call->graph.connection)) return ORR_E_NOMEM;
  call->batch_count = batch->count;
  for (size_t i = 0; i < batch->count; i++) {
    call->batch[i] = batch->members[i]->graph;
    memset(&batch->members[i]->graph, 0, sizeof call->batch[i]);
    batch->members[i]->call_id = call->id;
    batch->members[i]->hook = call->hook;
    batch->members[i]->is_cancel_recorded = orr__streq(call->batch[i].result->status, "CANCEL_REQUESTED");
  }
  return 0;
}

static void batch_member(orr__flow *flow, orr__flow *member) {
  const orr__answer *answer = &flow->answer;
  orr__answer_clear(&member->answer);
  member->hook = ORR_HOOK_refreshBackupResults;
  member->answer.outcome = answer->outcome == ORR_OUTCOME_HALT ? ORR_OUTCOME_RETRY : answer->outcome;
  member->answer.retry_after = answer->retry_after;
  memcpy(member->answer.sha256, answer->sha256, sizeof answer->sha256);
  if (answer->outcome != ORR_OUTCOME_SUCCESS) {
    member->answer.msg = orr__strdup(answer->msg);
    orr__error_copy(&member->answer.error, &answer->error);
    if (!member->answer.error.code) orr__error_set(&member->answer.error, ORR_E_RETRY, "%s", orr__answer_text(answer));
  }
  refreshed(member);
}

void orr__batch_free(orr__flow *flow) {
  if (flow->batch) free(flow->batch->members);
  free(flow->batch);
  flow->batch = NULL;
}

static void batch_done(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  bool is_stored = flow->is_op_stored;
  orr__flow_settle(flow, tx);
  for (size_t i = 0; i < flow->batch->count; i++) batch_member(flow, flow->batch->members[i]);
  if (is_stored || flow->answer.outcome != ORR_OUTCOME_SUCCESS || flow->answer.warnings) {
    orr__flow_submit(flow, tx, orr__flow_end);
    return;
  }
  orr__tx_free(tx);
  orr__flow_end(flow);
}

/* One call for all members (they hold their results and have their graphs). Takes the array. */
static void batch_go(orr__core *core, orr__flow **members, size_t count) {
  orr__flow *flow = orr__flow_new(core);
  struct orr__batch *batch = calloc(1, sizeof *batch);
  if (!flow || !batch) {
    if (flow) orr__flow_end(flow);
    free(batch);
    for (size_t i = 0; i < count; i++) back_to_wheel(members[i], ORR_DEFAULT_REFRESH_S);
    free(members);
    return;
  }
  batch->members = members;
  batch->count = count;
  flow->batch = batch;
  orr__flow_hook(flow, ORR_HOOK_refreshBackupResults, batch_done);
}

static bool is_batchable(orr__flow *member) {
  const orr_result *result = member->graph.result;
  return member->graph.backup && orr__streq(result->nextAction, orr__hooks[ORR_HOOK_refreshBackupResult].name) &&
         orr__flow_has_hook(member, ORR_HOOK_refreshBackupResults);
}

void orr__refresh_one(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  orr__flow **members = is_batchable(flow) ? calloc(1, sizeof *members) : NULL;
  if (members) {
    members[0] = flow;
    batch_go(flow->core, members, 1);
    return;
  }
  if (orr__flow_has_hook(flow, ORR_HOOK_refreshBackupResult)) {
    orr__flow_hook(flow, ORR_HOOK_refreshBackupResult, refreshed);
    return;
  }
  int64_t left =
      orr__object_has(&result->head, ORR_F_result_deadlineDate) ? result->deadlineDate - orr__now(flow->core) : 0;
  if (left > 0) {
    back_to_wheel(flow, (double)left / 1000); /* nobody to ask: only the deadline ends it */
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__result_attention(flow, "overdue");
  orr__result_commit(flow, tx);
}

/* ---- what is due -------------------------------------------------------------------------------------------- */

typedef struct due_group {
  int64_t connection_id;
  const char *provider;
  orr__flow **members;
  size_t count;
} due_group;

static due_group *group_of(due_group *groups, size_t *count, const orr__flow *member) {
  int64_t connection = member->graph.connection ? member->graph.connection->id : 0;
  const char *provider = member->graph.backup->providerCode;
  for (size_t i = *count; i-- > 0;)
    if (groups[i].connection_id == connection && orr__streq(groups[i].provider, provider) &&
        groups[i].count < ORR_BATCH_MAX)
      return &groups[i];
  due_group *group = &groups[(*count)++];
  *group = (due_group){ .connection_id = connection, .provider = provider };
  return group;
}

static bool add_member(due_group *group, orr__flow *member) {
  orr__flow **members = realloc(group->members, (group->count + 1) * sizeof *members);
  if (!members) return false;
  group->members = members;
  group->members[group->count++] = member;
  return true;
}

/* The results of one slice of the wheel, loaded: each goes its way. */
static void due_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  due_group *groups = flow->code ? NULL : calloc(flow->id_count, sizeof *groups);
  size_t group_count = 0;
  core->due_loading -= flow->id_count;
  for (size_t i = 0; i < flow->id_count; i++) {
    uint64_t id = (uint64_t)flow->ids[i];
    orr__graph graph = { 0 };
    if (!groups || !orr__tx_take_graph(flow->tx, (int)i, &graph) ||
        ((orr__result_is_over(graph.result) || orr__result_is_parked(graph.result)) && !orr__result_leaves(graph.result))) {
      if (!groups)
        orr__wheel_set(core->due, id, orr__loop_mono_ms(core->loop) + 10000); /* the store is not well: later */
      else
        orr__admit_drop(core, (int64_t)id);
      orr__graph_clear(&graph);
      continue;
    }
    orr__flow *member = orr__flow_new(core);
    if (!member || !orr__flow_try(member, orr__result_key((int64_t)id))) {
      orr__wheel_set(core->due, id, orr__loop_mono_ms(core->loop) + 1000);
      if (member) orr__flow_end(member);
      orr__graph_clear(&graph);
      continue;
    }
    member->graph = graph;
    bool is_alone = !is_batchable(member) ||
                    orr__streq(graph.result->status, "CANCEL_REQUESTED"); /* its cancel may be asked for first */
    if (is_alone || !add_member(group_of(groups, &group_count, member), member)) orr__run_continue(member);
  }
  for (size_t i = 0; i < group_count; i++)
    if (groups[i].count) batch_go(core, groups[i].members, groups[i].count);
  free(groups);
  orr__flow_end(flow);
  orr__refresh_arm(core);
}

/* Are hooks or the disk so far behind that what is loaded now would only wait in memory? At the start a few show that it goes
 * on; with more of them, reading the rest would wait for the disk again and again. */
static bool is_behind(const orr__core *core) {
  size_t waiting = core->ops && core->ops->backlog ? core->ops->backlog(core->ops->self) : 0;
  if (!core->is_live && core->due_early >= ORR_DUE_MAX) return true;
  return core->due_loading + waiting + orr__store_pending(core->store) >= ORR_DUE_BEHIND;
}

void orr__refresh_due(void *arg) {
  orr__core *core = arg;
  orr__due due[ORR_DUE_MAX];
  if (is_behind(core)) {
    orr__timer_start(core->loop, &core->due_timer, orr__loop_mono_ms(core->loop) + 1, orr__refresh_due, core);
    return;
  }
  size_t count = orr__wheel_pop(core->due, orr__loop_mono_ms(core->loop), due, ORR_DUE_MAX);
  orr__flow *flow = count ? orr__flow_new(core) : NULL;
  int64_t *ids = flow ? calloc(count, sizeof *ids) : NULL;
  if (!ids) {
    for (size_t i = 0; i < count; i++) orr__wheel_set(core->due, due[i].key, orr__loop_mono_ms(core->loop) + 1000);
    if (flow) orr__flow_end(flow);
    orr__refresh_arm(core);
    return;
  }
  flow->ids = ids;
  orr__tx *tx = orr__flow_tx(flow);
  for (size_t i = 0; i < count; i++) {
    if (orr__subject_of(core, orr__result_key((int64_t)due[i].key))) {
      orr__wheel_set(core->due, due[i].key,
                     orr__loop_mono_ms(core->loop) + 1000); /* in hand already: looked at again soon */
      continue;
    }
    ids[flow->id_count++] = (int64_t)due[i].key;
    orr__tx_graph(tx, ORR_M_result, (int64_t)due[i].key);
  }
  core->due_loading += flow->id_count;
  if (!core->is_live) core->due_early += flow->id_count;
  orr__flow_submit(flow, tx, due_loaded);
  orr__refresh_arm(core);
}
