/* The hooks that make a draft a Backup, or turn one down: the same for a creation and an update.
 *
 *   draft, default findings --> configureBackup --> validateBackup --> createBackup or updateBackup --> kind->persist
 *                                     |                  |                    |  sent, no answer --> kind->uncertain
 *                                     +------------------+------ halted ------+--> the request fails, nothing is stored
 *
 * The draft lives in the flow. The outcome of one hook and the intent of the next are one transaction. The rows of a Backup that is
 * not persisted yet belong to nothing: they become its own (orr__draft_own), or go with the draft; those of a persisted one stay.
 * Knows nothing of what is stored in the end: create.c and update.c do. */
#include "core/internal.h"

#include <stdlib.h>

#define DRAFT_OPS_MAX 16

/* ---- the journal of a draft ---------------------------------------------------------------------------------- */

/* Remembers the open row of a Backup that is not persisted: it belongs to nothing yet. */
static void note_op(orr__flow *flow) {
  if (flow->graph.backup->id) return;
  if (!flow->ids) flow->ids = calloc(DRAFT_OPS_MAX, sizeof *flow->ids);
  if (flow->ids && flow->op && flow->id_count < DRAFT_OPS_MAX) flow->ids[flow->id_count++] = flow->op->id;
}

void orr__draft_own(orr__flow *flow, orr__tx *tx, int64_t backup_id) {
  orr_op *op = orr__op_new();
  for (size_t i = 0; op && i < flow->id_count; i++) {
    orr__set_int(&op->head, ORR_F_op_id, flow->ids[i]);
    orr__set_int(&op->head, ORR_F_op_backupId, backup_id);
    orr__tx_update(tx, &op->head, ORR_BIT(ORR_F_op_backupId));
  }
  orr__object_free((orr__object *)op);
}

/* Of a draft that comes to nothing they go, and an event tells. */
static void drop_ops(orr__flow *flow, orr__tx *tx) {
  for (size_t i = 0; i < flow->id_count; i++) orr__tx_delete(tx, ORR_M_op, flow->ids[i]);
}

/* ---- giving it up -------------------------------------------------------------------------------------------- */

static void give_up(orr__flow *flow) {
  flow->code = flow->findings.code;
  orr__error_move(&flow->error, &flow->findings);
  orr__flow_abandon(flow);
}

/* The same after the outcome of the last hook has been written; flow->findings say why. */
static void write_and_give_up(orr__flow *flow, bool tells) {
  orr__tx *tx = orr__flow_tx(flow);
  if (flow->op) orr__flow_settle(flow, tx);
  drop_ops(flow, tx);
  if (tells)
    orr__flow_event(flow, tx, "backup.halted", "warning", "%s: %s", orr__hooks[flow->hook].name,
                    orr__error_message(&flow->findings));
  orr__flow_submit(flow, tx, give_up);
}

/* The findings as one error. */
static void wrap_findings(orr__flow *flow, int code, const char *message) {
  orr_error whole = ORR_ERROR_INIT;
  orr__error_set(&whole, code, "%s", message);
  for (size_t i = 0; i < flow->findings.field_count; i++)
    orr__error_field(&whole, flow->findings.fields[i].field, "%s", flow->findings.fields[i].message);
  orr__error_move(&flow->findings, &whole);
}

/* A hook has halted it. */
static void halt(orr__flow *flow, int code) {
  const orr__answer *answer = &flow->answer;
  orr_error err = ORR_ERROR_INIT;
  orr__answer_error(answer, flow->hook, &err);
  if (answer->outcome == ORR_OUTCOME_HALT || answer->outcome == ORR_OUTCOME_SUCCESS) {
    bool has_fields = flow->findings.field_count > 0 || err.field_count > 0;
    const char *msg = answer->msg && *answer->msg ? answer->msg
                      : has_fields                ? "not valid"
                                                  : "the provider gave no reason";
    wrap_findings(flow, has_fields ? ORR_E_INVALID : code, msg);
    if (flow->hook != ORR_HOOK_validateBackup || !answer->has_errors)
      for (size_t i = 0; i < err.field_count; i++)
        orr__error_field(&flow->findings, err.fields[i].field, "%s", err.fields[i].message);
    orr__error_clear(&err);
  } else {
    orr__error_move(&flow->findings, &err);
  }
  write_and_give_up(flow, true);
}

/* ---- the hooks ---------------------------------------------------------------------------------------------- */

static void findings_to_opts(orr__flow *flow) {
  orr__json *errors = orr__json_map();
  if (!flow->extra) flow->extra = orr__json_map();
  for (size_t i = 0; errors && i < flow->findings.field_count; i++)
    orr__json_put_str(errors, flow->findings.fields[i].field, flow->findings.fields[i].message);
  if (!flow->extra || !errors) {
    orr__json_free(errors);
    return;
  }
  orr__json_put(flow->extra, "errors", errors);
  orr__json_put_str(flow->extra, "trigger", flow->draft->trigger);
  orr__json_put_str(flow->extra, "requestedBy", orr__json_str(flow->args, "requestedBy"));
}

/* May the last hook have done something outside? An attempt that follows another one does so because that one may have. */
static bool may_be_done(const orr__flow *flow) {
  return flow->hook == flow->draft->last && (flow->sent_ms || flow->attempt > 1);
}

static void hook_done(orr__flow *flow);

static void hook_intended(orr__flow *flow) {
  if (flow->code && may_be_done(flow)) {
    flow->draft->uncertain(flow, orr__error_message(&flow->error));
    return;
  }
  if (flow->code) {
    orr__error_move(&flow->findings, &flow->error);
    give_up(flow);
    return;
  }
  orr__flow_hook(flow, flow->hook, hook_done);
}

static void call_hook(orr__flow *flow, enum orr__hook hook) {
  bool is_repeated = flow->attempt > 1; /* its row stays `sent`: what it says is still true */
  orr__tx *tx = orr__flow_tx(flow);
  if (flow->op && !is_repeated) orr__flow_settle(flow, tx);
  findings_to_opts(flow);
  if (!is_repeated) {
    orr__flow_intend(flow, tx, hook);
    note_op(flow);
  }
  flow->hook = hook;
  orr__flow_submit(flow, tx, hook_intended);
}

/* Goes on with the first hook from `hook` on that the provider has. */
static void hook_next(orr__flow *flow, enum orr__hook hook) {
  const orr__draft_kind *kind = flow->draft;
  if (!orr__flow_declaration(flow)) { /* the provider has gone between two hooks */
    orr__error_move(&flow->findings, &flow->error);
    write_and_give_up(flow, false);
    return;
  }
  if (hook == ORR_HOOK_configureBackup && !orr__flow_has_hook(flow, hook)) hook = ORR_HOOK_validateBackup;
  if (hook == ORR_HOOK_validateBackup && !orr__flow_has_hook(flow, hook)) hook = kind->last;
  if (hook == kind->last && flow->findings.field_count) { /* that nobody replaced */
    wrap_findings(flow, ORR_E_INVALID, "the options are not valid");
    write_and_give_up(flow, false);
  } else if (hook == kind->last && (!orr__flow_has_hook(flow, hook) || (kind->is_carried && !kind->is_carried(flow)))) {
    kind->persist(flow);
  } else {
    call_hook(flow, hook);
  }
}

static void replace_findings(orr__flow *flow) {
  orr__error_clear(&flow->findings);
  for (size_t i = 0; i < flow->answer.errors.field_count; i++)
    orr__error_field(&flow->findings, flow->answer.errors.fields[i].field, "%s", flow->answer.errors.fields[i].message);
}

/* The last hook has no outcome on record: it is asked again where the other side knows the key. */
static void again_or_uncertain(orr__flow *flow) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__error_clear(&flow->error);
  bool may_repeat = declaration && declaration->is_idempotent && flow->attempt < ORR_DELETE_ATTEMPTS;
  flow->attempt++;
  if (may_repeat)
    call_hook(flow, flow->hook);
  else
    flow->draft->uncertain(flow, orr__answer_text(&flow->answer));
}

static void hook_done(orr__flow *flow) {
  enum orr__outcome outcome = flow->answer.outcome;
  orr__error_clear(&flow->error);
  bool is_last = flow->hook == flow->draft->last;
  bool has_answered = outcome == ORR_OUTCOME_SUCCESS || outcome == ORR_OUTCOME_HALT;
  if (has_answered && flow->hook == ORR_HOOK_validateBackup && flow->answer.has_errors) replace_findings(flow);
  bool has_errors = flow->answer.errors.field_count > 0;
  if (outcome == ORR_OUTCOME_SUCCESS && has_errors && !is_last)
    halt(flow, ORR_E_INVALID);
  else if (outcome == ORR_OUTCOME_SUCCESS && flow->hook == ORR_HOOK_validateBackup && flow->findings.field_count)
    halt(flow, ORR_E_INVALID);
  else if (outcome == ORR_OUTCOME_SUCCESS && is_last)
    flow->draft->persist(flow);
  else if (outcome == ORR_OUTCOME_SUCCESS)
    hook_next(flow, flow->hook == ORR_HOOK_configureBackup ? ORR_HOOK_validateBackup : flow->draft->last);
  else if (outcome > ORR_OUTCOME_HALT && flow->core->is_draining)
    orr__flow_end(flow); /* its row in the journal stays open */
  else if (outcome > ORR_OUTCOME_HALT && may_be_done(flow))
    again_or_uncertain(flow);
  else
    halt(flow, flow->hook == ORR_HOOK_validateBackup ? ORR_E_INVALID : ORR_E_HALTED);
}

void orr__draft_begin(orr__flow *flow, const orr__draft_kind *kind) {
  flow->draft = kind;
  hook_next(flow, ORR_HOOK_configureBackup);
}
