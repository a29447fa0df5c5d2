/* The execution of a Backup: from an accepted result to one that is refreshed, or has ended.
 *
 *                    intent          intent           intent, sent
 *   accepted --> prepareExecuteBackup --> prepareBackupResult --> executeBackup --> refresh (refresh.c)
 *       |                |  halt, error           |                  |    \-- ended in one go --> terminal
 *       |                +-----> FAILED <---------+------ halt ------+
 *       +-- cancelled before anything was sent --> CANCELLED         +-- uncertain --> run again | look up | attention
 *
 * The outcome of one hook and the intent of the next are one transaction. In every state the stored row says the truth:
 * nextAction is the hook that runs or comes next, and an op row tells how far it got. */
#include "core/internal.h"

#include <stdlib.h>

/* The first hook from `hook` on that the provider has; executeBackup always is there. */
static enum orr__hook stage_from(orr__flow *flow, enum orr__hook hook) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  if (hook == ORR_HOOK_prepareExecuteBackup && !(declaration && orr__declares(declaration, hook)))
    hook = ORR_HOOK_prepareBackupResult;
  if (hook == ORR_HOOK_prepareBackupResult && !(declaration && orr__declares(declaration, hook)))
    hook = ORR_HOOK_executeBackup;
  return hook;
}

/* Was this job ever executed? One that ended without exit code or signal never was: its program is not there. */
static bool has_begun(orr__jobs *jobs, const char *uuid, const char *name) {
  orr__job_status status;
  if (orr__job_poll(jobs, uuid, name, &status, NULL)) return true;
  return status.state != ORR_JOB_ABSENT &&
         !(status.state == ORR_JOB_ENDED && status.exit_code < 0 && status.signal == 0);
}

bool orr__result_may_run(orr__core *core, const orr_result *result) {
  if (orr__object_has(&result->head, ORR_F_result_sentDate)) return true;
  char **names = NULL;
  bool may_run = false;
  if (!core->config.jobs || orr__job_list(core->config.jobs, result->uuid, &names, NULL) || !names) return false;
  for (size_t i = 0; names[i]; i++) {
    may_run = may_run || has_begun(core->config.jobs, result->uuid, names[i]);
    free(names[i]);
  }
  free(names);
  return may_run;
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

void orr__result_next(orr__flow *flow, enum orr__hook hook, double in_seconds) {
  orr__object *o = &flow->graph.result->head;
  orr__set_str(o, ORR_F_result_nextAction, orr__hooks[hook].name);
  orr__set_int(o, ORR_F_result_nextActionDate, orr__now(flow->core) + (int64_t)(in_seconds * 1000));
}

void orr__result_end(orr__core *core, orr_result *result, const char *status, const char *message) {
  orr__object *o = &result->head;
  int64_t now = orr__now(core);
  if (!orr__status_is_terminal(result->status)) orr__set_str(o, ORR_F_result_status, status);
  if (!orr__object_has(o, ORR_F_result_startDate))
    orr__set_int(o, ORR_F_result_startDate, orr__object_has(o, ORR_F_result_createdDate) ? result->createdDate : now);
  if (!orr__object_has(o, ORR_F_result_endDate)) orr__set_int(o, ORR_F_result_endDate, now);
  if (!orr__object_has(o, ORR_F_result_durationMillis) && result->endDate >= result->startDate)
    orr__set_int(o, ORR_F_result_durationMillis, result->endDate - result->startDate);
  if (message && *message) {
    orr__set_str(o, ORR_F_result_statusMessage, message);
    if (orr__streq(result->status, "FAILED") && !result->errorMessage)
      orr__set_str(o, ORR_F_result_errorMessage, message);
  }
  if (orr__object_has(o, ORR_F_result_progress) && orr__starts_with(result->status, "SUCCEEDED"))
    orr__set_num(o, ORR_F_result_progress, 100);
  orr__unset(o, ORR_F_result_nextAction);
  orr__unset(o, ORR_F_result_nextActionDate);
  orr__unset(o, ORR_F_result_attention);
  if (!result->deferred) return;
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__set_str(o, ORR_F_result_nextAction, orr__hooks[ORR_HOOK_cleanUp].name);
  orr__set_int(o, ORR_F_result_nextActionDate, now);
}

void orr__result_finish(orr__flow *flow, const char *status, const char *message) {
  orr__result_end(flow->core, flow->graph.result, status, message);
}

void orr__result_attention(orr__flow *flow, const char *why) {
  orr__object *o = &flow->graph.result->head;
  orr__set_str(o, ORR_F_result_attention, why);
  orr__unset(o, ORR_F_result_nextAction);
  orr__unset(o, ORR_F_result_nextActionDate);
}

/* ---- committing --------------------------------------------------------------------------------------------- */

static bool is_cancelled(const orr__flow *flow) {
  orr__subject *subject = orr__subject_of(flow->core, flow->subject);
  return subject && subject->is_cancelled;
}

/* Which dirty fields may be written: while a cancel is recorded, no non-terminal word overwrites it. */
static uint64_t writable(orr__flow *flow, orr_result *result) {
  orr__subject *subject = orr__subject_of(flow->core, orr__result_key(result->id));
  if (!subject || !subject->is_cancelled || orr__status_is_terminal(result->status)) return result->head.dirty;
  bool has_word = result->head.dirty & ORR_BIT(ORR_F_result_status) && !orr__streq(result->status, "CANCEL_REQUESTED");
  if (has_word) orr__set_str(&result->head, ORR_F_result_previousStatus, result->status);
  return result->head.dirty & ~ORR_BIT(ORR_F_result_status);
}

/* What people read when a result has come to its end. */
static void ended_event(orr__flow *flow, orr__tx *tx, const orr_result *result) {
  const char *level = orr__streq(result->status, "FAILED")              ? "error"
                      : orr__streq(result->status, "SUCCEEDED_WARNING") ? "warning"
                                                                        : "info";
  orr__flow_ended_event(flow, tx, level, "%s%s%s", result->status, result->statusMessage ? ": " : "",
                        result->statusMessage ? result->statusMessage : "");
}

static bool ends_now(const orr_result *result) {
  return result->head.dirty & ORR_BIT(ORR_F_result_status) && orr__status_is_terminal(result->status);
}

/* What a hook has written to a Backup that was updated meanwhile does not undo the update. */
static uint64_t writable_of_backup(orr__flow *flow, const orr_backup *backup, orr__tx *tx) {
  uint64_t outdated = orr__update_outdated(flow->core, backup);
  if (backup->head.dirty & outdated)
    orr__flow_event(flow, tx, "backup.outdated", "warning",
                    "%s has written to a Backup that was updated while it ran: that part is not kept",
                    orr__hooks[flow->hook].name);
  return backup->head.dirty & ~outdated;
}

/* The hook goes on, but this is the end, and stays it if we die now: all that belongs to an end is written with it. The objects are with the
 * call meanwhile. */
static void end_early(orr__flow *flow, orr__tx *tx, orr_result *result) {
  orr__graph own = flow->graph;
  const orr__call *call = flow->call;
  flow->graph = call && !call->batch_count ? call->graph : (orr__graph){ .result = result };
  for (size_t i = 0; call && i < call->batch_count; i++)
    if (call->batch[i].result == result) flow->graph = call->batch[i];
  orr__result_end(flow->core, result, result->status, NULL);
  orr__retry_write(flow, tx);
  ended_event(flow, tx, result);
  orr__retention_write(flow, tx);
  flow->graph = own;
}

uint64_t orr__checkpoint_write(orr__flow *flow, orr__object *object, orr__tx *tx) {
  uint64_t mask = object->dirty;
  if (object->model->id == ORR_M_result) {
    orr_result *result = (orr_result *)object;
    if (ends_now(result)) end_early(flow, tx, result);
    orr__cancel_keep(flow, result);
    mask = writable(flow, result);
  }
  if (object->model->id == ORR_M_backup) mask = writable_of_backup(flow, (orr_backup *)object, tx);
  orr__tx_update(tx, object, mask);
  orr__object_clean(object);
  return mask;
}

static void write_result(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  if (!result || !result->head.dirty) return;
  orr__set_int(&result->head, ORR_F_result_updatedDate, orr__now(flow->core));
  orr__tx_update(tx, &result->head, writable(flow, result));
}

void orr__flow_write_backup(orr__flow *flow, orr__tx *tx) {
  orr_backup *backup = flow->graph.backup;
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS && backup && backup->head.dirty) {
    if (!orr__update_outdated(flow->core,
                              backup)) /* a copy from before an update keeps its date: that is how it is known */
      orr__set_int(&backup->head, ORR_F_backup_updatedDate, orr__now(flow->core));
    orr__tx_update(tx, &backup->head, writable_of_backup(flow, backup, tx));
    orr__object_clean(&backup->head);
  }
}

void orr__flow_write(orr__flow *flow, orr__tx *tx) {
  write_result(flow, tx);
  orr__flow_write_backup(flow, tx);
}

/* After a commit the copy in hand shows what is stored, the recorded cancel included. */
static void committed(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__subject *subject = orr__subject_of(flow->core, flow->subject);
  if (subject && subject->is_cancelled && !orr__status_is_terminal(result->status))
    orr__set_str(&result->head, ORR_F_result_status, "CANCEL_REQUESTED");
  orr__object_clean(&result->head);
  orr__result_changed(flow->core, result);
}

static void arm(orr__core *core, const orr_result *result) {
  bool rests = (orr__result_is_over(result) || orr__result_is_parked(result)) && !orr__result_leaves(result);
  if (!orr__object_has(&result->head, ORR_F_result_nextActionDate) || rests) {
    orr__wheel_remove(core->due, (uint64_t)result->id);
    return;
  }
  int64_t mono = orr__loop_mono_ms(core->loop), wait = result->nextActionDate - orr__now(core);
  orr__subject *subject = orr__subject_of(core, orr__result_key(result->id));
  if (subject && subject->is_due_now) {
    subject->is_due_now = false;
    wait = 0;
  }
  if (wait < 0) wait = 0;
  orr__wheel_set(core->due, (uint64_t)result->id, mono + wait);
  orr__refresh_arm(core);
}

void orr__flow_arm(orr__flow *flow) {
  flow->is_armed = true;
  arm(flow->core, flow->graph.result);
}

static void result_committed(orr__flow *flow) {
  if (flow->code) {
    flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_ERROR, NULL, orr__error_message(&flow->error));
    orr__flow_end(flow);
    return;
  }
  committed(flow);
  orr__flow_arm(flow);
  orr__retry_go(flow);
  orr__retention_ended(flow);
  orr__flow_end(flow);
}

void orr__result_commit(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  if (ends_now(result)) {
    orr__retry_write(flow, tx);
    ended_event(flow, tx, result);
    orr__retention_write(flow, tx);
  } else if (result->head.dirty & ORR_BIT(ORR_F_result_attention) && result->attention) {
    orr__flow_event(flow, tx, "result.attention", "error", "%s: %s", result->attention,
                    orr__answer_text(&flow->answer));
  }
  orr__flow_write(flow, tx);
  orr__flow_submit(flow, tx, result_committed);
}

/* ---- a new result ------------------------------------------------------------------------------------------- */

int orr__run_prepare(orr__flow *flow, const char *trigger, const char *requested_by, int64_t scheduled_ms) {
  orr__core *core = flow->core;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  if (!declaration) return flow->code;
  const orr_backup *backup = flow->graph.backup;
  orr_result *result = orr__result_new();
  if (!result) return flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  orr__object *o = &result->head;
  char uuid[37];
  orr__random_uuid(core->config.random, uuid);
  int64_t now = orr__now(core);
  double timeout_s = declaration->timeout > 0 ? declaration->timeout : ORR_DEFAULT_TIMEOUT_S;
  orr__set_int(o, ORR_F_result_id, orr__store_next_id(core->store, ORR_M_result));
  orr__set_str(o, ORR_F_result_uuid, uuid);
  orr__set_int(o, ORR_F_result_backupId, backup->id);
  orr__set_str(o, ORR_F_result_backupName, backup->name);
  orr__set_str(o, ORR_F_result_providerCode, backup->providerCode);
  orr__state_stamp(o, declaration->state_version);
  if (flow->graph.connection) orr__set_int(o, ORR_F_result_connectionId, flow->graph.connection->id);
  if (flow->graph.server) orr__set_int(o, ORR_F_result_computeServerId, flow->graph.server->id);
  orr__set_str(o, ORR_F_result_status, "START_REQUESTED");
  orr__set_str(o, ORR_F_result_trigger, trigger);
  orr__set_str(o, ORR_F_result_requestedBy, requested_by);
  if (scheduled_ms >= 0) orr__set_int(o, ORR_F_result_scheduledDate, scheduled_ms);
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__set_int(o, ORR_F_result_createdDate, now);
  orr__set_int(o, ORR_F_result_updatedDate, now);
  orr__set_int(o, ORR_F_result_deadlineDate, now + (int64_t)(timeout_s * 1000));
  int code = flow->config ? orr__object_set_map(o, ORR_F_result_executionConfig, flow->config)
                          : orr__set_str(o, ORR_F_result_executionConfig, "{}");
  if (code == 0 && flow->opts) code = orr__object_set_map(o, ORR_F_result_opts, flow->opts);
  if (code == 0 && flow->opts) code = orr__object_set_map(o, ORR_F_result_callerOpts, flow->opts);
  if (code || !result->uuid || !result->status || !result->executionConfig) {
    orr__object_free(o);
    return flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  }
  orr__object_free((orr__object *)flow->graph.result);
  flow->graph.result = result;
  return 0;
}

/* What is true of the result once the intent of `hook` is written. */
static void stage_fields(orr__flow *flow, enum orr__hook hook) {
  orr__object *o = &flow->graph.result->head;
  orr__result_next(flow, hook, 0);
  if (hook == ORR_HOOK_executeBackup && !orr__object_has(o, ORR_F_result_startDate))
    orr__set_int(o, ORR_F_result_startDate, orr__now(flow->core));
}

void orr__run_insert(orr__flow *flow, orr__tx *tx) {
  enum orr__hook hook = stage_from(flow, ORR_HOOK_prepareExecuteBackup);
  stage_fields(flow, hook);
  flow->hook = hook;
  flow->is_waiting = !orr__admit(flow);
  flow->slot_id = flow->graph.result->id;
  const orr_backup *backup = flow->graph.backup;
  const orr_server *server = flow->graph.server;
  orr__tx_guard_str(tx, ORR_M_backup, backup->id, ORR_F_backup_uuid,
                    backup->uuid); /* what it refers to is still there */
  if (server) orr__tx_guard_str(tx, ORR_M_server, server->id, ORR_F_server_uuid, server->uuid);
  orr__tx_insert(tx, &flow->graph.result->head);
  orr__object_clean(&flow->graph.result->head);
  if (!flow->is_waiting) orr__flow_intend(flow, tx, hook);
  orr__flow_event(flow, tx, "result.accepted", "info", "accepted (%s)", flow->graph.result->trigger);
}

/* ---- the stages --------------------------------------------------------------------------------------------- */

static void stage_done(orr__flow *flow);

void orr__run_go(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  flow->slot_id = 0; /* it is stored: its end gives them back */
  if (flow->is_waiting) {
    flow->is_waiting = false;
    orr__admit_wait(flow);
    return;
  }
  if (orr__streq(result->status, "START_REQUESTED")) orr__set_str(&result->head, ORR_F_result_status, "INITIALIZING");
  orr__flow_hook(flow, flow->hook, stage_done);
}

static void cancelled_unsent(orr__flow *flow, orr__tx *tx) {
  orr__result_finish(flow, "CANCELLED", "cancelled before anything was started");
  orr__result_commit(flow, tx);
}

static void stage_committed(orr__flow *flow) {
  if (flow->code) {
    result_committed(flow);
    return;
  }
  committed(flow);
  if (!is_cancelled(flow) || orr__result_may_run(flow->core, flow->graph.result)) {
    orr__run_go(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow); /* the cancel came while the intent was being written */
  flow->answer.outcome = ORR_OUTCOME_INTERRUPTED;
  orr__flow_settle(flow, tx);
  cancelled_unsent(flow, tx);
}

/* Again, later: a prepare hook or an idempotent start; true unless the budget is spent. */
static bool again(orr__flow *flow, enum orr__hook hook) {
  orr_result *result = flow->graph.result;
  int64_t errors = result->errorCount + 1;
  orr__set_int(&result->head, ORR_F_result_errorCount, errors);
  if (errors >= (hook == ORR_HOOK_recoverBackupResult ? ORR_ERROR_BUDGET : ORR_START_ATTEMPTS)) return false;
  orr__set_str(&result->head, ORR_F_result_statusMessage, orr__answer_text(&flow->answer));
  double wait = flow->answer.retry_after >= 0 && flow->answer.outcome == ORR_OUTCOME_RETRY
                    ? flow->answer.retry_after
                    : orr__backoff_s(5, (int)errors);
  orr__result_next(flow, hook, wait);
  return true;
}

void orr__run_uncertain(orr__flow *flow, orr__tx *tx, const char *why) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  const orr_result *result = flow->graph.result;
  bool is_repeatable =
      !orr__object_has(&result->head, ORR_F_result_sentDate) || (declaration && declaration->is_idempotent);
  bool is_cancel = orr__streq(result->status, "CANCEL_REQUESTED");
  if (!declaration) {
    orr__result_attention(flow, "provider_missing");
  } else if (is_cancel && is_repeatable) {
    orr__result_next(flow, ORR_HOOK_executeBackup,
                     60); /* not started again: the cancel is asked for first (recover.c) */
  } else if (is_repeatable && !why) {
    orr__result_next(flow, ORR_HOOK_executeBackup,
                     0); /* that we died is no error of the other side: not counted, no back-off */
  } else if (is_repeatable) {
    /* Only job.start, which adopts what is there, or a key the other side knows: safe to run again. */
    if (!again(flow, ORR_HOOK_executeBackup)) orr__result_attention(flow, "unknown_start");
  } else if (orr__declares(declaration, ORR_HOOK_recoverBackupResult)) {
    if (why) { /* not where we died, which is no error of the other side */
      orr__set_int(&flow->graph.result->head, ORR_F_result_startErrors, result->startErrors + 1);
      orr__set_str(&flow->graph.result->head, ORR_F_result_startMessage, why);
    }
    double waited = (double)(orr__now(flow->core) - result->sentDate) / 1000;
    double wait = declaration->visibility_delay - waited;
    orr__result_next(flow, ORR_HOOK_recoverBackupResult, wait > 0 ? wait : 0);
  } else {
    orr__result_attention(flow, "unknown_start");
  }
  orr__flow_event(flow, tx, "result.uncertain", "warning", "executeBackup may have started it outside: %s",
                  why ? why : "the runtime ended during the call");
}

void orr__result_well(orr_result *result) {
  if (result->startErrors) {
    orr__unset(&result->head, ORR_F_result_startErrors);
    orr__unset(&result->head, ORR_F_result_startMessage);
  }
  if (!result->errorCount) return;
  if (!(result->head.dirty & ORR_BIT(ORR_F_result_statusMessage)))
    orr__unset(&result->head, ORR_F_result_statusMessage);
  orr__set_int(&result->head, ORR_F_result_errorCount, 0);
}

static void execute_done(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS) orr__result_well(result);
  if (flow->sent_ms) orr__set_int(&result->head, ORR_F_result_sentDate, flow->sent_ms);
  if (flow->answer.outcome != ORR_OUTCOME_SUCCESS && is_cancelled(flow) && !orr__result_may_run(flow->core, result)) {
    orr__result_finish(flow, "CANCELLED", "cancelled before anything was started");
    return;
  }
  if (orr__status_is_terminal(result->status)) { /* what the hook wrote counts, however it ended */
    orr__result_finish(
        flow, result->status,
        flow->answer.outcome == ORR_OUTCOME_SUCCESS ? flow->answer.msg : orr__answer_text(&flow->answer));
    return;
  }
  switch (flow->answer.outcome) {
    case ORR_OUTCOME_SUCCESS:
      if (!orr__streq(result->status, "CANCEL_REQUESTED"))
        orr__set_str(&result->head, ORR_F_result_status, "IN_PROGRESS");
      if (flow->answer.msg) orr__set_str(&result->head, ORR_F_result_statusMessage, flow->answer.msg);
      orr__result_next(flow, ORR_HOOK_refreshBackupResult, orr__refresh_interval(flow));
      return;
    case ORR_OUTCOME_HALT: orr__result_finish(flow, "FAILED", orr__answer_text(&flow->answer)); return;
    default:
      if (orr__result_may_run(flow->core, result)) {
        orr__run_uncertain(flow, tx, orr__answer_text(&flow->answer));
      } else if (flow->answer.outcome != ORR_OUTCOME_RETRY || !again(flow, ORR_HOOK_executeBackup)) {
        orr__result_finish(flow, "FAILED", orr__answer_text(&flow->answer)); /* nothing ever left: certain */
      }
  }
}

static void prepare_done(orr__flow *flow, orr__tx *tx) {
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS) {
    enum orr__hook next = stage_from(flow, flow->hook + 1);
    if (orr__streq(flow->graph.result->status, "START_REQUESTED"))
      orr__set_str(&flow->graph.result->head, ORR_F_result_status, "INITIALIZING");
    stage_fields(flow, next);
    orr__flow_intend(flow, tx, next);
    orr__flow_write(flow, tx);
    flow->hook = next;
    flow->attempt = 1;
    orr__flow_submit(flow, tx, stage_committed);
    return;
  }
  if (flow->answer.outcome != ORR_OUTCOME_RETRY || !again(flow, flow->hook))
    orr__result_finish(flow, "FAILED", orr__answer_text(&flow->answer));
  orr__result_commit(flow, tx);
}

static void stage_done(orr__flow *flow) {
  if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_leave(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  if (flow->hook == ORR_HOOK_executeBackup) {
    execute_done(flow, tx);
    orr__result_commit(flow, tx);
  } else if (is_cancelled(flow)) {
    cancelled_unsent(flow, tx);
  } else {
    prepare_done(flow, tx);
  }
}

/* ---- taking up a stored result ------------------------------------------------------------------------------ */

static void restart(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  enum orr__hook hook = stage_from(flow, (enum orr__hook)flow->hook);
  flow->hook = hook;
  if (!orr__admit(flow)) {
    orr__tx_free(tx);
    orr__admit_wait(flow);
    return;
  }
  stage_fields(flow, hook);
  flow->attempt = (int)(flow->graph.result->errorCount + flow->graph.result->startErrors) + 1;
  orr__flow_intend(flow, tx, hook);
  orr__flow_write(flow, tx);
  orr__flow_submit(flow, tx, stage_committed);
}

/* Certainly not begun: it is started again, and its look-ups count anew. Where that was in vain each time it has FAILED, unless there is a part of it
 * outside, of which somebody has to say what becomes. */
static void start_again(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  int64_t errors = result->startErrors;
  orr__unset(&result->head, ORR_F_result_sentDate);
  orr__set_int(&result->head, ORR_F_result_errorCount, 0);
  if (errors < ORR_START_ATTEMPTS || is_cancelled(flow)) {
    orr__result_next(flow, ORR_HOOK_executeBackup, errors > 1 ? orr__backoff_s(5, (int)errors) : 0);
    return;
  }
  char *text = orr__strf("started %lld times, and not begun: %s", (long long)errors, result->startMessage ? result->startMessage : "");
  orr__set_str(&result->head, ORR_F_result_statusMessage, text);
  if (result->externalId)
    orr__result_attention(flow, "unknown_start");
  else
    orr__result_finish(flow, "FAILED", text ? text : "started in vain");
  free(text);
}

static void recovered(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_leave(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  orr__json *data = flow->answer.data ? orr__json_parse_map(flow->answer.data, NULL) : NULL;
  bool is_absent = data && !orr__json_bool(data, "found", true);
  orr__json_free(data);
  if (orr__status_is_terminal(result->status)) { /* learnt, however the hook ended */
    orr__result_finish(
        flow, result->status,
        flow->answer.outcome == ORR_OUTCOME_SUCCESS ? flow->answer.msg : orr__answer_text(&flow->answer));
  } else if (flow->answer.outcome == ORR_OUTCOME_INTERRUPTED) {
    orr__result_next(flow, ORR_HOOK_recoverBackupResult, 1); /* a cancel goes first */
  } else if (flow->answer.outcome != ORR_OUTCOME_SUCCESS) {
    if (!again(flow, ORR_HOOK_recoverBackupResult)) orr__result_attention(flow, "unknown_start");
  } else if (is_absent) {
    start_again(flow);
  } else if (result->externalId) {
    if (!orr__streq(result->status, "CANCEL_REQUESTED"))
      orr__set_str(&result->head, ORR_F_result_status, "IN_PROGRESS");
    else
      orr__recover_cancel(flow->core, result->id);
    orr__result_well(result);
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, 0);
  } else if (!again(flow, ORR_HOOK_recoverBackupResult)) {
    orr__result_attention(flow, "unknown_start");
  }
  orr__result_commit(flow, tx);
}

static void look_up(orr__flow *flow) {
  if (flow->code) {
    result_committed(flow);
    return;
  }
  orr__json_free(flow->extra);
  flow->extra = orr__json_map();
  if (flow->extra) orr__json_put_int(flow->extra, "sentDate", flow->graph.result->sentDate);
  orr__flow_hook(flow, ORR_HOOK_recoverBackupResult, recovered);
}

void orr__run_continue(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  int hook = result->nextAction ? orr__hook_find(result->nextAction) : -1;
  if (!flow->opts && result->opts) flow->opts = orr__json_parse_map(result->opts, NULL);
  flow->hook = hook < 0 ? ORR_HOOK_refreshBackupResult : (enum orr__hook)hook;
  if (orr__result_leaves(result)) {
    orr__removal_go_on(flow);
    return;
  }
  if (!orr__flow_declaration(flow)) {
    orr__tx *tx = orr__flow_tx(flow);
    orr__error_move(&flow->answer.error, &flow->error);
    flow->answer.outcome = ORR_OUTCOME_ERROR;
    orr__result_attention(flow, "provider_missing");
    orr__result_commit(flow, tx);
    return;
  }
  if (orr__status_is_terminal(result->status)) {
    orr__clean_up_go(flow);
    return;
  }
  bool is_plain = flow->hook == ORR_HOOK_refreshBackupResult && !orr__streq(result->status, "CANCEL_REQUESTED");
  if (is_plain)
    orr__refresh_one(flow);
  else
    orr__recover_stage(flow);
}

void orr__run_stage(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  bool is_cancel_recorded = orr__streq(result->status, "CANCEL_REQUESTED");
  if (flow->hook == ORR_HOOK_recoverBackupResult) {
    orr__tx *tx = orr__flow_tx(flow);
    flow->attempt = (int)result->errorCount + 1;
    orr__flow_intend(flow, tx, flow->hook);
    orr__flow_submit(flow, tx, look_up);
  } else if (is_cancel_recorded && !orr__result_may_run(flow->core, result)) {
    cancelled_unsent(flow, orr__flow_tx(flow));
  } else if (is_cancel_recorded) {
    orr__recover_cancel(flow->core, result->id);
    orr__result_next(flow, flow->hook, 60);
    orr__result_commit(flow, orr__flow_tx(flow));
  } else {
    restart(flow);
  }
}
