/* Deletion of results and Backups: hooks on something that has ended.
 *
 *   success   the record goes, its journal and its local jobs with it
 *   halt      the record is retained and stays usable; HALTED to whoever asked
 *   error     tried ORR_DELETE_ATTEMPTS times with back-off, then as halt
 *   no hook   a result: REFUSED (force drops only the record). A Backup: nothing is outside, success
 *
 * `backup rm --with-results` deletes one result after the other through its hook; the first that is not deleted halts
 * the rest. Which results go by themselves is decided elsewhere: retention_pass.c, history.c. */
#include "core/internal.h"

#include <stdlib.h>

static bool arg_flag(const orr__flow *flow, const char *key) { return orr__json_bool(flow->args, key, false); }

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

/* "It is going on" is no "it is gone": asked again like any retry. */
static void judge(orr__answer *answer) {
  if (answer->outcome != ORR_OUTCOME_SUCCESS || !answer->in_progress) return;
  answer->outcome = ORR_OUTCOME_RETRY;
  if (!answer->msg) answer->msg = orr__strdup("the deletion is still going on");
}

/* After a hook without success: tries again, or writes the outcome and gives up. */
static void again_or_refused(orr__flow *flow, orr__step again) {
  enum orr__outcome outcome = flow->answer.outcome;
  if (outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_leave(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  bool is_final = outcome == ORR_OUTCOME_HALT || flow->attempt >= ORR_DELETE_ATTEMPTS;
  if (is_final && flow->refusing)
    flow->refusing(flow, tx);
  else
    orr__flow_event(flow, tx, "delete.refused", "warning", "%s: %s%s", orr__hooks[flow->hook].name,
                    orr__answer_text(&flow->answer), is_final ? "" : "; trying again");
  orr__flow_write(flow, tx);
  if (!is_final) {
    flow->attempt++;
    flow->inner = again;
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

static void call_delete_result(orr__flow *flow);

static void result_deleted(orr__flow *flow) {
  judge(&flow->answer);
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS)
    drop_result(flow, false);
  else
    again_or_refused(flow, call_delete_result);
}

static void delete_result_intended(orr__flow *flow) {
  if (flow->code)
    stays(flow);
  else
    orr__flow_hook(flow, ORR_HOOK_deleteBackupResult, result_deleted);
}

static void call_delete_result(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
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
    call_delete_result(flow);
  }
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

/* ---- a Backup ----------------------------------------------------------------------------------------------- */

static void backup_gone(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  const orr_backup *backup = flow->graph.backup;
  orr__schedule_disarm(flow->core, backup->id);
  orr__wheel_remove(flow->core->sweeps, (uint64_t)backup->id);
  orr_error err = ORR_ERROR_INIT;
  if (flow->core->config.jobs) orr__job_remove(flow->core->config.jobs, backup->uuid, &err);
  orr__error_clear(&err);
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put_str(out, "removed", backup->name);
    orr__json_put_int(out, "results", (int64_t)flow->id_count);
    orr__json_put_str(out, "msg", flow->answer.msg);
    if (arg_flag(flow, "force"))
      orr__json_put_str(out, "warning", "only the records were removed; what lies outside stays there: orrery orphans ls");
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

static void drop_backup(orr__flow *flow) {
  orr_backup *backup = flow->graph.backup;
  orr__tx *tx = orr__flow_tx(flow);
  if (arg_flag(flow, "force") && orr__orphan_backup(flow, tx, "forced")) {
    orr__tx_free(tx);
    orr__flow_no_memory(flow);
    orr__flow_abandon(flow);
    return;
  }
  if (flow->op) orr__flow_settle(flow, tx);
  orr__tx_guard_none(tx, ORR_M_result, ORR_F_result_backupId, backup->id, "a new result has come meanwhile");
  orr__tx_delete_where(tx, ORR_M_op, ORR_F_op_backupId, backup->id);
  orr__tx_delete_where(tx, ORR_M_event, ORR_F_event_backupId, backup->id);
  orr__tx_delete(tx, ORR_M_backup, backup->id);
  int64_t id = backup->id;
  backup->id = 0;
  orr__flow_event(flow, tx, "backup.deleted", "info", "removed");
  backup->id = id;
  orr__flow_submit(flow, tx, backup_gone);
}

static void call_delete_backup(orr__flow *flow);

static void backup_deleted(orr__flow *flow) {
  judge(&flow->answer);
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS)
    drop_backup(flow);
  else
    again_or_refused(flow, call_delete_backup);
}

static void delete_backup_intended(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_hook(flow, ORR_HOOK_deleteBackup, backup_deleted);
}

static void call_delete_backup(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_intend(flow, tx, ORR_HOOK_deleteBackup);
  orr__flow_submit(flow, tx, delete_backup_intended);
}

static void backup_alone(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (arg_flag(flow, "force")) {
    drop_backup(flow);
  } else if (!orr__flow_declaration(flow)) {
    orr__flow_abandon(flow);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_deleteBackup)) {
    drop_backup(flow);
  } else {
    flow->attempt = 1;
    orr__answer_clear(&flow->answer);
    call_delete_backup(flow);
  }
}

/* The flow holds the Backup; each result is deleted by a flow of its own, which holds that. */
static void next_result(orr__flow *flow);

static void part_gone(orr__flow *part) {
  orr__flow *whole = part->parent;
  orr__flow_end(part);
  whole->has_part = false;
  next_result(whole);
}

static void part_loaded(orr__flow *part) {
  if (part->code == ORR_E_NOT_FOUND)
    part_gone(part);
  else
    abandon_unless_ok(part, orr__result_delete);
}

static void part_held(orr__flow *part) {
  if (part->code)
    orr__flow_abandon(part);
  else
    orr__flow_load(part, ORR_M_result, part->id, part_loaded);
}

static void next_result(orr__flow *flow) {
  if (flow->id_at == flow->id_count) {
    orr__flow_load(flow, ORR_M_backup, flow->id, backup_alone);
    return;
  }
  orr__flow *part = orr__flow_new(flow->core);
  if (!part) {
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  part->parent = flow;
  flow->has_part = true;
  part->id = flow->ids[flow->id_at++];
  part->args = orr__json_copy(flow->args);
  part->opts = flow->opts ? orr__json_copy(flow->opts) : NULL;
  part->extra = flow->extra ? orr__json_copy(flow->extra) : NULL;
  part->after = part_gone;
  orr__flow_acquire(part, orr__result_key(part->id), false, part_held);
}

static void results_listed(orr__flow *flow) {
  size_t count = flow->code ? 0 : orr__tx_rows(flow->tx, flow->slot2);
  if (!flow->code && !orr__tx_take_graph(flow->tx, flow->slot, &flow->graph))
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  size_t running = 0;
  for (size_t i = 0; i < count; i++) {
    const orr_result *r = (const orr_result *)orr__tx_row(flow->tx, flow->slot2, i);
    running += !orr__status_is_terminal(r->status) && !r->attention;
  }
  if (!flow->code && count && !arg_flag(flow, "withResults"))
    flow->code =
        orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' has %zu result%s: remove them first, or use --with-results",
                       flow->graph.backup->name, count, count == 1 ? "" : "s");
  else if (!flow->code && running && !arg_flag(flow, "force"))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' has %zu running result%s: cancel first",
                                flow->graph.backup->name, running, running == 1 ? "" : "s");
  if (!flow->code && count && !(flow->ids = calloc(count, sizeof *flow->ids)))
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  for (size_t i = 0; i < count; i++) flow->ids[i] = orr__object_id(orr__tx_row(flow->tx, flow->slot2, i));
  flow->id_count = count;
  next_result(flow);
}

static void rm_backup_held(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__subject_of(flow->core, flow->subject)->is_leaving = true;
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = flow->id };
  flow->slot = orr__tx_graph(tx, ORR_M_backup, flow->id);
  flow->slot2 =
      orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                       .where = &where,
                                       .where_count = 1,
                                       .order_field = -1,
                                       .fields = ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_attention) });
  orr__flow_submit(flow, tx, results_listed);
}

static void rm_backup_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_acquire(flow, orr__backup_key(flow->id), false, rm_backup_held);
}

void orr__request_backup_rm(orr__flow *flow) {
  orr__removal_opts(flow, "manual");
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), rm_backup_found);
}
