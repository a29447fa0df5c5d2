/* Drafts that createBackup may have made outside without saying so: it died, timed out, or its outcome could not be written.
 *
 *                        +--> idempotent: createBackup again -----------------------+--> success: it is a Backup
 *   op row, `sent` --> read, restored                                               |    false: nothing was made, the name is free
 *        ^               +--> recoverBackup, visibilityDelay after the act --------> found: it is a Backup
 *        |               |         |  found = false: createBackup again             |
 *        |               +--> neither, or no provider: a person (resolve_draft.c)   |
 *        +------------- with back-off, ORR_ERROR_BUDGET times in a row, then a person <-- retry, error
 *
 * The row stays `sent` until one transaction ends it, and everything is read afresh in each round: between two of them a person may have
 * resolved it. The flow has the name of the draft reserved; whoever asked for the creation waits for ORR_DELETE_ATTEMPTS rounds. */
#include "core/internal.h"

#include <stdlib.h>

struct orr__rescue {
  int64_t op_id;
  int64_t errors; /* in a row */
  orr_op *op;     /* the row of createBackup, while a look-up has the flow's */
  char *why;      /* what left it uncertain */
};

enum { CONNECTION, SERVER, CLOUD, EARLIER }; /* slots of the second reading */
#define BASE_S 5.0

static void again(orr__flow *flow, const char *why);
static void read_row(orr__flow *flow);

void orr__rescue_free(struct orr__rescue *rescue) {
  if (!rescue) return;
  orr__object_free((orr__object *)rescue->op);
  free(rescue->why);
  free(rescue);
}

bool orr__draft_is_rescued(const orr__core *core, const orr_op *op) {
  for (const orr__flow *flow = core->flows; flow; flow = flow->next)
    if (flow->rescue && flow->rescue->op_id == op->id) return true;
  return false;
}

/* ---- for a person ------------------------------------------------------------------------------------------- */

static void fail(orr__flow *flow, const char *after) {
  if (!flow->request) return;
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_ATTENTION, "createBackup may have made '%s' outside before it stopped (%s); %s", flow->reserved,
                 flow->rescue->why, after);
  orr__flow_fail(flow, err.code, &err);
  orr__error_clear(&err);
}

/* The row and the name stay as they are. */
static void give_up(orr__flow *flow, const char *why) {
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_ATTENTION, "createBackup may have made '%s' outside before it stopped, and %s; see, then: orrery backup resolve",
                 flow->reserved, why);
  flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_WARNING, NULL, orr__error_message(&err));
  orr__error_clear(&err);
  fail(flow, "see whether it is there, then: orrery backup resolve");
  orr__flow_keep_name(flow);
  orr__flow_end(flow);
}

/* ---- what comes of it ---------------------------------------------------------------------------------------- */

/* Back to the row of createBackup, as it is stored. */
static void take_row_back(orr__flow *flow) {
  orr__object_free((orr__object *)flow->op);
  flow->op = flow->rescue->op;
  flow->rescue->op = NULL;
  flow->is_op_stored = true;
  flow->hook = ORR_HOOK_createBackup;
}

static void call_create(orr__flow *flow);

static void discarded(orr__flow *flow) {
  if (flow->code) {
    again(flow, orr__error_message(&flow->error));
    return;
  }
  if (flow->request) {
    orr_error err = ORR_ERROR_INIT;
    int code = orr__answer_error(&flow->answer, ORR_HOOK_createBackup, &err);
    orr__flow_fail(flow, code, &err);
    orr__error_clear(&err);
  }
  orr__flow_end(flow);
}

/* createBackup has said no: that is certain. */
static void discard(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_str(tx, ORR_M_op, flow->rescue->op_id, ORR_F_op_state, "sent");
  for (size_t i = 0; i < flow->id_count; i++) orr__tx_delete(tx, ORR_M_op, flow->ids[i]);
  orr__tx_delete(tx, ORR_M_op, flow->rescue->op_id);
  orr__flow_event(flow, tx, "backup.halted", "warning", "createBackup: %s", orr__answer_text(&flow->answer));
  orr__flow_submit(flow, tx, discarded);
}

static void created(orr__flow *flow) {
  enum orr__outcome outcome = flow->answer.outcome;
  orr__error_clear(&flow->error);
  flow->code = 0;
  if (outcome == ORR_OUTCOME_SUCCESS)
    flow->draft->persist(flow);
  else if (outcome == ORR_OUTCOME_HALT)
    discard(flow);
  else if (flow->core->is_draining)
    orr__flow_end(flow);
  else
    again(flow, orr__answer_text(&flow->answer));
}

static void call_create(orr__flow *flow) {
  flow->attempt++;
  orr__flow_hook(flow, ORR_HOOK_createBackup, created);
}

/* The row of the look-up is history, that of createBackup goes on. */
static void looked_up(orr__flow *flow) {
  orr__json *data = flow->answer.data ? orr__json_parse_map(flow->answer.data, NULL) : NULL;
  bool is_well = flow->answer.outcome == ORR_OUTCOME_SUCCESS;
  bool is_absent = data && !orr__json_bool(data, "found", true), is_found = data && orr__json_bool(data, "found", false);
  orr__json_free(data);
  if (flow->code) {
    again(flow, orr__error_message(&flow->error));
    return;
  }
  take_row_back(flow);
  if (is_well && is_absent) {
    call_create(flow);
  } else if (is_well && (is_found || flow->graph.backup->externalId)) {
    free(flow->answer.msg);
    flow->answer.msg = orr__strdup("found outside");
    flow->draft->persist(flow);
  } else {
    again(flow, is_well ? "recoverBackup set no externalId" : orr__answer_text(&flow->answer));
  }
}

/* What it said is written before anything comes of it. */
static void look_up_answered(orr__flow *flow) {
  if (flow->answer.outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_end(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  if (flow->op) orr__tx_delete(tx, ORR_M_op, flow->op->id); /* its end is in the event: rows of a draft belong to nothing */
  orr__flow_event(flow, tx, "backup.lookedUp", flow->answer.outcome == ORR_OUTCOME_SUCCESS ? "info" : "warning",
                  "recoverBackup: %s", flow->answer.outcome == ORR_OUTCOME_SUCCESS ? "success" : orr__answer_text(&flow->answer));
  orr__flow_submit(flow, tx, looked_up);
}

static void look_up_intended(orr__flow *flow) {
  if (flow->code)
    again(flow, orr__error_message(&flow->error));
  else
    orr__flow_hook(flow, ORR_HOOK_recoverBackup, look_up_answered);
}

static void look_up(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  flow->rescue->op = flow->op;
  flow->op = NULL;
  flow->attempt = (int)flow->rescue->errors + 1;
  orr__flow_intend(flow, tx, ORR_HOOK_recoverBackup);
  orr__flow_submit(flow, tx, look_up_intended);
}

/* ---- a round ------------------------------------------------------------------------------------------------ */

/* The draft is restored, with what it refers to. */
static void choose(orr__flow *flow) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__error_clear(&flow->error);
  flow->code = 0;
  if (!declaration) {
    give_up(flow, "its provider is not there");
  } else if (declaration->is_idempotent) {
    call_create(flow);
  } else if (orr__declares(declaration, ORR_HOOK_recoverBackup)) {
    double wait = declaration->visibility_delay - (double)(orr__now(flow->core) - flow->op->sentDate) / 1000;
    if (wait > 0)
      orr__flow_sleep(flow, wait, read_row);
    else
      look_up(flow);
  } else {
    give_up(flow, "its provider can neither repeat that nor look it up");
  }
}

static void cloud_read(orr__flow *flow) {
  if (flow->code) {
    again(flow, orr__error_message(&flow->error));
    return;
  }
  flow->graph.cloud = (orr_cloud *)orr__tx_take(flow->tx, 0, 0);
  choose(flow);
}

static void context_read(orr__flow *flow) {
  orr__graph *g = &flow->graph;
  if (flow->code) {
    again(flow, orr__error_message(&flow->error));
    return;
  }
  g->connection = (orr_connection *)orr__tx_take(flow->tx, CONNECTION, 0);
  g->server = (orr_server *)orr__tx_take(flow->tx, SERVER, 0);
  g->cloud = (orr_cloud *)orr__tx_take(flow->tx, CLOUD, 0);
  size_t count = orr__tx_rows(flow->tx, EARLIER);
  free(flow->ids);
  flow->ids = calloc(count + 1, sizeof *flow->ids);
  flow->id_count = 0;
  for (size_t i = 0; flow->ids && i < count; i++) flow->ids[flow->id_count++] = orr__object_id(orr__tx_row(flow->tx, EARLIER, i));
  const orr_backup *backup = g->backup;
  bool is_whole = (!backup->backupProviderId || g->connection) && (!backup->computeServerId || g->server) && (!backup->cloudId || g->cloud);
  if (!is_whole) {
    give_up(flow, "what it refers to has been removed");
  } else if (g->server && g->server->cloudId && !g->cloud) {
    orr__tx *tx = orr__flow_tx(flow);
    orr__tx_get(tx, ORR_M_cloud, g->server->cloudId);
    orr__flow_submit(flow, tx, cloud_read);
  } else {
    choose(flow);
  }
}

/* What the hooks were given beside the draft. */
static void restore_opts(orr__flow *flow) {
  orr__json *given = flow->op->callerOpts ? orr__json_parse_map(flow->op->callerOpts, NULL) : NULL;
  const orr__json *opts = given ? orr__json_get(given, "opts") : NULL;
  orr__json_free(flow->opts);
  orr__json_free(flow->extra);
  flow->opts = opts ? orr__json_copy(opts) : NULL;
  flow->extra = orr__json_map();
  if (flow->extra) {
    orr__json_put_str(flow->extra, "trigger", flow->draft->trigger);
    orr__json_put_str(flow->extra, "requestedBy", given ? orr__json_str(given, "requestedBy") : NULL);
    orr__json_put_int(flow->extra, "sentDate", flow->op->sentDate);
  }
  orr__json_free(given);
}

static void row_read(orr__flow *flow) {
  orr_op *op = flow->code ? NULL : (orr_op *)orr__tx_take(flow->tx, flow->slot, 0);
  if (flow->code) {
    again(flow, orr__error_message(&flow->error));
    return;
  }
  if (!op || !orr__streq(op->state, "sent")) { /* a person was quicker: the name is as that left it */
    orr__object_free((orr__object *)op);
    if (flow->request) {
      orr__error_set(&flow->error, ORR_E_CONFLICT, "'%s' was resolved by somebody meanwhile", flow->reserved);
      orr__flow_fail(flow, ORR_E_CONFLICT, &flow->error);
    }
    orr__flow_keep_name(flow);
    orr__flow_end(flow);
    return;
  }
  flow->op = op;
  flow->is_op_stored = true;
  flow->hook = ORR_HOOK_createBackup;
  orr__graph_clear(&flow->graph);
  flow->graph.backup = orr__draft_restore(flow, op);
  if (!flow->graph.backup && flow->code == ORR_E_NOMEM) {
    again(flow, "out of memory");
    return;
  }
  if (!flow->graph.backup) {
    give_up(flow, orr__error_message(&flow->error));
    return;
  }
  restore_opts(flow);
  orr__tx *tx = orr__flow_tx(flow);
  orr__draft_read_context(tx, flow->graph.backup, op);
  orr__flow_submit(flow, tx, context_read);
}

static void read_row(orr__flow *flow) {
  orr__object_free((orr__object *)flow->op);
  flow->op = NULL;
  flow->is_op_stored = false;
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_get(tx, ORR_M_op, flow->rescue->op_id);
  orr__flow_submit(flow, tx, row_read);
}

void orr__rescue_again(orr__flow *flow) { again(flow, orr__error_message(&flow->error)); }

static void again(orr__flow *flow, const char *why) {
  struct orr__rescue *rescue = flow->rescue;
  char *kept = orr__strdup(why);
  double wait = flow->answer.retry_after >= 0 && flow->answer.outcome == ORR_OUTCOME_RETRY ? flow->answer.retry_after
                                                                                         : orr__backoff_s(BASE_S, (int)rescue->errors + 1);
  orr__object_free((orr__object *)flow->op);
  orr__object_free((orr__object *)rescue->op);
  flow->op = rescue->op = NULL;
  flow->is_op_stored = false;
  flow->code = 0;
  rescue->errors++;
  if (rescue->errors >= ORR_ERROR_BUDGET) {
    give_up(flow, kept ? kept : "it cannot be found out");
  } else {
    if (rescue->errors >= ORR_DELETE_ATTEMPTS) fail(flow, "that is still being found out: orrery status");
    orr__flow_sleep(flow, wait, read_row);
  }
  free(kept);
}

bool orr__draft_rescue(orr__core *core, int64_t op_id, const char *name, const char *provider, uint64_t request, const char *why) {
  const orr__declaration *declaration = NULL;
  if (core->is_draining || !name || !op_id) return false;
  if (core->ops->describe(core->ops->self, provider ? provider : "", &declaration, NULL)) return false;
  if (!declaration->is_idempotent && !orr__declares(declaration, ORR_HOOK_recoverBackup)) return false;
  orr__flow *flow = orr__flow_new(core);
  if (!flow) return false;
  flow->rescue = calloc(1, sizeof *flow->rescue);
  flow->reserved = orr__strdup(name);
  flow->args = orr__json_map();
  if (flow->rescue) flow->rescue->why = orr__strdup(why);
  if (!flow->reserved || !flow->args || !flow->rescue || !flow->rescue->why) {
    orr__flow_keep_name(flow);
    orr__flow_end(flow);
    return false;
  }
  flow->rescue->op_id = op_id;
  flow->request = request;
  flow->draft = orr__creation();
  orr__flow_sleep(flow, 0, read_row);
  return true;
}
