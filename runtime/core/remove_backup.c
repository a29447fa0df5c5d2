/* Deletion of a Backup: its results first if asked (remove.c), then deleteBackup, then the record.
 *
 *   asked for --> deleteDate, stored with the intent --> the hook
 *     success        the record goes, its journal and its local jobs with it
 *     halt           the record is retained and stays usable; HALTED to whoever asked
 *     retry, error   again with back-off, ORR_ERROR_BUDGET times in a row, by this runtime or the next; then attention delete_failing.
 *                    Whoever asked waits for the first ORR_DELETE_ATTEMPTS
 *   no hook        nothing is outside: success
 *
 * As long as that goes on the Backup is neither run nor fired (core->deleting), but held only while a hook runs. `--with-results` deletes one
 * result after the other through its hook; the first that is not deleted halts the rest. */
#include "core/internal.h"

#include <stdlib.h>

static bool arg_flag(const orr__flow *flow, const char *key) { return orr__json_bool(flow->args, key, false); }

static void abandon_unless_ok(orr__flow *flow, orr__step step) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    step(flow);
}

/* ---- the end of it -------------------------------------------------------------------------------------------- */

#define AGAIN_S 60.0

/* What a transaction that did not work has left undone is done soon, if that it shall be done is stored. */
static void abandon(orr__flow *flow) {
  const orr_backup *backup = flow->graph.backup;
  if (backup && orr__object_has(&backup->head, ORR_F_backup_deleteDate))
    orr__backup_delete_later(flow->core, backup->id, AGAIN_S / 6);
  orr__flow_abandon(flow);
}

static void backup_gone(orr__flow *flow) {
  if (flow->code) {
    abandon(flow);
    return;
  }
  const orr_backup *backup = flow->graph.backup;
  orr__map_remove(&flow->core->deleting, (uint64_t)backup->id);
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

/* ---- a deletion that goes on ---------------------------------------------------------------------------------- */

#define DELETE_FIELDS                                                                                                  \
  (ORR_BIT(ORR_F_backup_deleteDate) | ORR_BIT(ORR_F_backup_deleteErrors) | ORR_BIT(ORR_F_backup_deleteMessage) |       \
   ORR_BIT(ORR_F_backup_deleteOpts) | ORR_BIT(ORR_F_backup_attention))

/* What the hook wrote to the Backup is not kept unless it has succeeded: only ours. */
static void write_own(orr__flow *flow, orr__tx *tx) {
  orr__object *o = &flow->graph.backup->head;
  orr__tx_update(tx, o, o->dirty & DELETE_FIELDS);
  o->dirty &= ~DELETE_FIELDS;
}

static void call_off(orr__object *o) {
  orr__unset(o, ORR_F_backup_deleteDate);
  orr__unset(o, ORR_F_backup_deleteErrors);
  orr__unset(o, ORR_F_backup_deleteOpts);
}

static void call_delete_backup(orr__flow *flow);
static void later_woken(orr__flow *flow);

/* It is written that it is still there. */
static void left(orr__flow *flow) {
  orr__core *core = flow->core;
  const orr_backup *backup = flow->graph.backup;
  bool goes_on = orr__object_has(&backup->head, ORR_F_backup_deleteDate);
  if (flow->code) {
    orr__backup_delete_later(core, backup->id, AGAIN_S / 6);
    orr__flow_abandon(flow);
    return;
  }
  if (!goes_on) orr__map_remove(&core->deleting, (uint64_t)backup->id);
  if (goes_on)
    orr__removal_stays_pending(flow);
  else
    flow->code = orr__answer_error(&flow->answer, flow->hook, &flow->error);
  if (goes_on) orr__backup_delete_later(core, backup->id, (double)(backup->deleteDate - orr__now(core)) / 1000);
  orr__flow_abandon(flow);
}

static void again_or_left(orr__flow *flow) {
  orr__object *o = &flow->graph.backup->head;
  const char *why = orr__answer_text(&flow->answer);
  bool is_halt = flow->answer.outcome == ORR_OUTCOME_HALT;
  int64_t errors = is_halt ? 0 : flow->graph.backup->deleteErrors + 1;
  bool is_last = errors >= ORR_ERROR_BUDGET, is_soon = !is_halt && errors < ORR_DELETE_ATTEMPTS;
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  orr__set_int(o, ORR_F_backup_deleteErrors, errors);
  orr__set_str(o, ORR_F_backup_deleteMessage, why);
  if (is_halt || is_last) call_off(o);
  if (is_halt) orr__unset(o, ORR_F_backup_deleteMessage);
  if (is_last) orr__set_str(o, ORR_F_backup_attention, "delete_failing");
  if (!is_halt && !is_last && !is_soon)
    orr__set_int(o, ORR_F_backup_deleteDate,
                 orr__now(flow->core) + (int64_t)(orr__removal_wait_s(&flow->answer, errors) * 1000));
  orr__flow_event(flow, tx, is_last ? "backup.attention" : "delete.refused", is_last ? "error" : "warning",
                  "deleteBackup: %s%s", why, is_halt || is_last ? "" : "; asked again");
  write_own(flow, tx);
  if (is_soon) {
    flow->attempt = (int)errors + 1;
    flow->inner = call_delete_backup;
  }
  orr__flow_submit(flow, tx, is_soon ? orr__flow_wait_again : left);
}

static void backup_deleted(orr__flow *flow) {
  orr__removal_judge(&flow->answer);
  if (flow->answer.outcome == ORR_OUTCOME_SUCCESS)
    drop_backup(flow);
  else if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining)
    orr__flow_leave(flow);
  else
    again_or_left(flow);
}

static void delete_backup_intended(orr__flow *flow) {
  if (flow->code) { /* what is stored tells whether an earlier attempt is to go on */
    abandon(flow);
    return;
  }
  orr__flow_hook(flow, ORR_HOOK_deleteBackup, backup_deleted);
}

static void call_delete_backup(orr__flow *flow) {
  orr__object *o = &flow->graph.backup->head;
  orr__json *given = orr__removal_given(flow);
  orr__tx *tx = orr__flow_tx(flow);
  if (given) orr__object_set_map(o, ORR_F_backup_deleteOpts, given);
  orr__json_free(given);
  orr__set_int(o, ORR_F_backup_deleteDate, orr__now(flow->core));
  write_own(flow, tx);
  orr__map_put(&flow->core->deleting, (uint64_t)flow->graph.backup->id, flow->core);
  orr__flow_intend(flow, tx, ORR_HOOK_deleteBackup);
  orr__flow_submit(flow, tx, delete_backup_intended);
}

/* Stored, and due: unless a person has called it off, or removed it, meanwhile. */
static void later_loaded(orr__flow *flow) {
  orr_backup *backup = flow->graph.backup;
  bool is_there = !flow->code && orr__object_has(&backup->head, ORR_F_backup_deleteDate);
  if (flow->code == ORR_E_NOT_FOUND || (!flow->code && !is_there)) {
    orr__map_remove(&flow->core->deleting, (uint64_t)flow->id);
    orr__flow_end(flow);
    return;
  }
  if (flow->code) { /* the store is not well */
    orr__flow_release(flow);
    orr__flow_sleep(flow, AGAIN_S, later_woken);
    return;
  }
  orr__json *given = backup->deleteOpts ? orr__json_parse_map(backup->deleteOpts, NULL) : NULL;
  flow->args = given ? given : orr__json_map();
  orr__removal_opts(flow, "manual");
  flow->attempt = (int)backup->deleteErrors + 1;
  if (orr__flow_has_hook(flow, ORR_HOOK_deleteBackup)) {
    call_delete_backup(flow);
    return;
  }
  flow->hook = ORR_HOOK_deleteBackup; /* its provider is not there: as good as an error */
  flow->answer.outcome = ORR_OUTCOME_ERROR;
  if (!flow->code)
    orr__error_set(&flow->error, ORR_E_REFUSED, "the provider '%s' has no deleteBackup any more", backup->providerCode);
  orr__error_move(&flow->answer.error, &flow->error);
  flow->code = 0;
  again_or_left(flow);
}

static void later_held(orr__flow *flow) {
  if (flow->code)
    orr__flow_end(flow);
  else
    orr__flow_load(flow, ORR_M_backup, flow->id, later_loaded);
}

static void later_woken(orr__flow *flow) { orr__flow_acquire(flow, orr__backup_key(flow->id), false, later_held); }

void orr__backup_delete_later(orr__core *core, int64_t backup_id, double in_seconds) {
  orr__flow *flow = core->is_draining ? NULL : orr__flow_new(core);
  if (!flow) return; /* the next runtime takes it up */
  orr__map_put(&core->deleting, (uint64_t)backup_id, core);
  flow->id = backup_id;
  orr__flow_sleep(flow, in_seconds > 0 ? in_seconds : 0, later_woken);
}

/* ---- asked for ------------------------------------------------------------------------------------------------ */

static void backup_alone(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object *o = &flow->graph.backup->head;
  if (arg_flag(flow, "force")) {
    drop_backup(flow);
  } else if (!orr__flow_declaration(flow)) {
    orr__flow_abandon(flow);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_deleteBackup)) {
    drop_backup(flow);
  } else {
    flow->attempt = 1;
    orr__set_int(o, ORR_F_backup_deleteErrors, 0); /* asked for anew */
    if (orr__streq(flow->graph.backup->attention, "delete_failing")) orr__unset(o, ORR_F_backup_attention);
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
