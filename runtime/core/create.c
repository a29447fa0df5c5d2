/* The creation of a Backup: names resolved, declared options stored, default findings, three hooks, one insert.
 *
 *   draft --> configureBackup --> validateBackup --> createBackup --> persisted
 *                 any of them may halt: no Backup is stored
 *
 * The draft lives in the flow and, for the journal, in the op row of each hook; its name is reserved meanwhile. A
 * createBackup that may have made something outside and did not say so leaves its op row `sent` and the name
 * reserved: somebody has to look. */
#include "core/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- reserved names ----------------------------------------------------------------------------------------- */

bool orr__name_is_reserved(const orr__core *core, const char *name) {
  for (size_t i = 0; i < core->name_count; i++)
    if (strcmp(core->names[i], name) == 0) return true;
  return false;
}

int orr__name_reserve(orr__core *core, const char *name) {
  char **names = realloc(core->names, (core->name_count + 1) * sizeof *names);
  if (!names) return ORR_E_NOMEM;
  core->names = names;
  if (!(names[core->name_count] = orr__strdup(name))) return ORR_E_NOMEM;
  core->name_count++;
  return 0;
}

void orr__name_free(orr__core *core, const char *name) {
  for (size_t i = 0; i < core->name_count; i++) {
    if (strcmp(core->names[i], name)) continue;
    free(core->names[i]);
    core->names[i] = core->names[--core->name_count];
    return;
  }
}

int orr__name_check(const char *name, orr_error *reterr) {
  size_t len = strlen(name), digits = 0;
  for (const char *c = name; *c; c++) {
    if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/')
      return orr__error_set(reterr, ORR_E_INVALID, "the name '%s' has a character that names cannot have", name);
    digits += isdigit((unsigned char)*c) != 0;
  }
  if (len == 0 || len > 100)
    return orr__error_set(reterr, ORR_E_INVALID, "a name has 1 to 100 bytes, this one %zu", len);
  if (digits == len)
    return orr__error_set(reterr, ORR_E_INVALID, "the name '%s' is a number: that is how ids look", name);
  if (*name == '-' || isspace((unsigned char)*name) || isspace((unsigned char)name[len - 1]))
    return orr__error_set(reterr, ORR_E_INVALID,
                          "the name '%s' begins or ends with a character that names cannot begin or end with", name);
  return 0;
}

/* ---- the hooks ---------------------------------------------------------------------------------------------- */

static void give_up(orr__flow *flow) {
  orr__name_free(flow->core, flow->graph.backup->name);
  flow->code = flow->findings.code;
  orr__error_move(&flow->error, &flow->findings);
  orr__flow_abandon(flow);
}

/* ---- the journal of a draft ---------------------------------------------------------------------------------- */

#define DRAFT_OPS_MAX 16

/* Remembers the open row: it belongs to nothing yet. */
static void note_op(orr__flow *flow) {
  if (!flow->ids) flow->ids = calloc(DRAFT_OPS_MAX, sizeof *flow->ids);
  if (flow->ids && flow->op && flow->id_count < DRAFT_OPS_MAX) flow->ids[flow->id_count++] = flow->op->id;
}

/* Once the Backup is persisted the rows are its own; of a draft that comes to nothing they go, and an event tells. */
static void settle_ops(orr__flow *flow, orr__tx *tx, int64_t backup_id) {
  orr_op *op = orr__op_new();
  for (size_t i = 0; op && i < flow->id_count; i++) {
    if (!backup_id) {
      orr__tx_delete(tx, ORR_M_op, flow->ids[i]);
      continue;
    }
    orr__set_int(&op->head, ORR_F_op_id, flow->ids[i]);
    orr__set_int(&op->head, ORR_F_op_backupId, backup_id);
    orr__tx_update(tx, &op->head, ORR_BIT(ORR_F_op_backupId));
  }
  orr__object_free((orr__object *)op);
}

/* Writes the outcome of the hook that halted the creation, then tells the caller. */
static void halt(orr__flow *flow, int code) {
  orr_error err = ORR_ERROR_INIT;
  orr__answer_error(&flow->answer, flow->hook, &err);
  if (flow->answer.outcome == ORR_OUTCOME_HALT || flow->answer.outcome == ORR_OUTCOME_SUCCESS) {
    bool has_fields = flow->findings.field_count > 0 || err.field_count > 0;
    const char *msg = flow->answer.msg && *flow->answer.msg ? flow->answer.msg
                      : has_fields                          ? "not valid"
                                                            : "the provider gave no reason";
    orr_error both = ORR_ERROR_INIT;
    orr__error_set(&both, has_fields ? ORR_E_INVALID : code, "%s", msg);
    for (size_t i = 0; i < flow->findings.field_count; i++)
      orr__error_field(&both, flow->findings.fields[i].field, "%s", flow->findings.fields[i].message);
    if (flow->hook != ORR_HOOK_validateBackup || !flow->answer.has_errors)
      for (size_t i = 0; i < err.field_count; i++)
        orr__error_field(&both, err.fields[i].field, "%s", err.fields[i].message);
    orr__error_move(&err, &both);
  }
  orr__error_clear(&flow->findings);
  orr__error_move(&flow->findings, &err);
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  settle_ops(flow, tx, 0);
  orr__flow_event(flow, tx, "backup.halted", "warning", "%s: %s", orr__hooks[flow->hook].name,
                  orr__error_message(&flow->findings));
  orr__flow_submit(flow, tx, give_up);
}

static void findings_to_opts(orr__flow *flow) {
  orr__json *errors = orr__json_map();
  if (!flow->extra) flow->extra = orr__json_map();
  for (size_t i = 0; errors && i < flow->findings.field_count; i++)
    orr__json_put_str(errors, flow->findings.fields[i].field, flow->findings.fields[i].message);
  if (!flow->extra || !errors) return;
  orr__json_put(flow->extra, "errors", errors);
  orr__json_put_str(flow->extra, "trigger", "manual");
  orr__json_put_str(flow->extra, "requestedBy", orr__json_str(flow->args, "requestedBy"));
}

/* createBackup past its sent mark, and no outcome on record: it may have made it. The op row stays as it is. */
static void left_uncertain(orr__flow *flow, const char *why) {
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_ATTENTION,
                 "createBackup may have made '%s' outside before it stopped (%s); see whether it is there, then: "
                 "orrery backup resolve",
                 flow->graph.backup->name, why);
  flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_ERROR, flow->graph.backup->providerCode,
                              orr__error_message(&err));
  orr__flow_fail(flow, err.code, &err);
  orr__error_clear(&err);
  orr__flow_end(flow);
}

/* May this creation have made something outside? An attempt that follows another one does so because that one may have. */
static bool may_be_made(const orr__flow *flow) {
  return flow->hook == ORR_HOOK_createBackup && (flow->sent_ms || flow->attempt > 1);
}

static void hook_done(orr__flow *flow);

static void hook_intended(orr__flow *flow) {
  if (flow->code && may_be_made(flow)) {
    left_uncertain(flow, orr__error_message(&flow->error));
    return;
  }
  if (flow->code) {
    orr__error_move(&flow->findings, &flow->error);
    give_up(flow);
    return;
  }
  orr__flow_hook(flow, flow->hook, hook_done);
}

static void persisted(orr__flow *flow) {
  orr__core *core = flow->core;
  orr_backup *backup = flow->graph.backup;
  if (flow->code && may_be_made(flow)) {
    left_uncertain(flow, orr__error_message(&flow->error));
    return;
  }
  orr__name_free(core, backup->name);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object_clean(&backup->head);
  if (core->config.role == ORR_ROLE_SERVE) orr__schedule_arm(core, backup);
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put(out, "backup", orr__view_backup(flow));
    orr__json_put_str(out, "msg", flow->answer.msg);
    if (backup->schedule)
      orr__json_put(out, "schedule",
                    orr__schedule_describe(core, backup->schedule, backup->timeZone, backup->scheduleAnchor, 3, NULL));
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

/* What it refers to is still there. */
static void guard_context(orr__flow *flow, orr__tx *tx) {
  const orr__graph *g = &flow->graph;
  if (g->connection)
    orr__tx_guard_str(tx, ORR_M_connection, g->connection->id, ORR_F_connection_uuid, g->connection->uuid);
  if (g->server) orr__tx_guard_str(tx, ORR_M_server, g->server->id, ORR_F_server_uuid, g->server->uuid);
  if (g->cloud) orr__tx_guard_str(tx, ORR_M_cloud, g->cloud->id, ORR_F_cloud_uuid, g->cloud->uuid);
}

static void persist(orr__flow *flow) {
  orr__core *core = flow->core;
  orr_backup *backup = flow->graph.backup;
  int64_t now = orr__now(core);
  orr__tx *tx = orr__flow_tx(flow);
  orr__set_int(&backup->head, ORR_F_backup_id, orr__store_next_id(core->store, ORR_M_backup));
  orr__set_int(&backup->head, ORR_F_backup_createdDate, now);
  orr__set_int(&backup->head, ORR_F_backup_updatedDate, now);
  if (backup->schedule) {
    orr__set_int(&backup->head, ORR_F_backup_scheduleAnchor, now);
    orr__set_int(&backup->head, ORR_F_backup_scheduleCursor, now);
  }
  guard_context(flow, tx);
  orr__tx_insert(tx, &backup->head);
  if (flow->op) {
    orr__set_int(&flow->op->head, ORR_F_op_backupId, backup->id);
    orr__flow_settle(flow, tx);
  }
  settle_ops(flow, tx, backup->id);
  orr__flow_event(flow, tx, "backup.created", "info", "created");
  orr__flow_submit(flow, tx, persisted);
}

/* Findings that nobody replaced halt the creation before createBackup. */
static void halt_by_findings(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  if (flow->op) orr__flow_settle(flow, tx);
  settle_ops(flow, tx, 0);
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_INVALID, "the options are not valid");
  for (size_t i = 0; i < flow->findings.field_count; i++)
    orr__error_field(&err, flow->findings.fields[i].field, "%s", flow->findings.fields[i].message);
  orr__error_move(&flow->findings, &err);
  orr__flow_submit(flow, tx, give_up);
}

/* Goes on with the first hook from `hook` on that the provider has. */
static void hook_next(orr__flow *flow, enum orr__hook hook) {
  if (!orr__flow_declaration(flow)) { /* the provider has gone between two hooks */
    orr__error_move(&flow->findings, &flow->error);
    give_up(flow);
    return;
  }
  if (hook == ORR_HOOK_configureBackup && !orr__flow_has_hook(flow, hook)) hook = ORR_HOOK_validateBackup;
  if (hook == ORR_HOOK_validateBackup && !orr__flow_has_hook(flow, hook)) hook = ORR_HOOK_createBackup;
  if (hook == ORR_HOOK_createBackup && flow->findings.field_count) {
    halt_by_findings(flow);
  } else if (hook == ORR_HOOK_createBackup && !orr__flow_has_hook(flow, hook)) {
    persist(flow);
  } else {
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
}

static void replace_findings(orr__flow *flow) {
  orr__error_clear(&flow->findings);
  for (size_t i = 0; i < flow->answer.errors.field_count; i++)
    orr__error_field(&flow->findings, flow->answer.errors.fields[i].field, "%s", flow->answer.errors.fields[i].message);
}

static void hook_done(orr__flow *flow) {
  enum orr__outcome outcome = flow->answer.outcome;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__error_clear(&flow->error);
  bool is_create = flow->hook == ORR_HOOK_createBackup;
  bool has_answered = outcome == ORR_OUTCOME_SUCCESS || outcome == ORR_OUTCOME_HALT;
  if (has_answered && flow->hook == ORR_HOOK_validateBackup && flow->answer.has_errors) replace_findings(flow);
  bool has_errors = flow->answer.errors.field_count > 0;
  if (outcome == ORR_OUTCOME_SUCCESS && has_errors && !is_create)
    halt(flow, ORR_E_INVALID);
  else if (outcome == ORR_OUTCOME_SUCCESS && flow->hook == ORR_HOOK_validateBackup && flow->findings.field_count)
    halt(flow, ORR_E_INVALID);
  else if (outcome == ORR_OUTCOME_SUCCESS && is_create)
    persist(flow);
  else if (outcome == ORR_OUTCOME_SUCCESS)
    hook_next(flow, flow->hook == ORR_HOOK_configureBackup ? ORR_HOOK_validateBackup : ORR_HOOK_createBackup);
  else if (outcome > ORR_OUTCOME_HALT && flow->core->is_draining)
    orr__flow_end(flow); /* its row in the journal stays open */
  else if (outcome > ORR_OUTCOME_HALT && may_be_made(flow)) {
    bool may_repeat = declaration && declaration->is_idempotent &&
                      flow->attempt < ORR_DELETE_ATTEMPTS; /* the other side knows the key */
    flow->attempt++;
    if (may_repeat)
      hook_next(flow, ORR_HOOK_createBackup);
    else
      left_uncertain(flow, orr__answer_text(&flow->answer));
  } else
    halt(flow, flow->hook == ORR_HOOK_validateBackup ? ORR_E_INVALID : ORR_E_HALTED);
}

/* ---- the draft ---------------------------------------------------------------------------------------------- */

static int set_schedule(orr__flow *flow, orr_backup *backup) {
  const char *text = orr__json_str(flow->args, "schedule");
  const char *zone = orr__json_str(flow->args, "timeZone");
  if (!text && zone) return orr__error_set(&flow->error, ORR_E_INVALID, "a time zone needs a schedule");
  if (!text) return 0;
  orr__set_int(&backup->head, ORR_F_backup_paused, orr__json_bool(flow->args, "paused", false));
  return orr__schedule_set(flow->core, backup, text, zone, &flow->error);
}

static int draft_fields(orr__flow *flow, orr_backup *backup, const orr__declaration *declaration) {
  orr__object *o = &backup->head;
  char uuid[37];
  orr__random_uuid(flow->core->config.random, uuid);
  orr__set_str(o, ORR_F_backup_uuid, uuid);
  orr__set_str(o, ORR_F_backup_name, orr__json_str(flow->args, "name"));
  orr__set_str(o, ORR_F_backup_providerCode, declaration->code);
  if (flow->graph.connection) orr__set_int(o, ORR_F_backup_backupProviderId, flow->graph.connection->id);
  if (flow->graph.server) orr__set_int(o, ORR_F_backup_computeServerId, flow->graph.server->id);
  bool has_own_cloud = flow->graph.cloud && !(flow->graph.server && flow->graph.server->cloudId);
  if (has_own_cloud) orr__set_int(o, ORR_F_backup_cloudId, flow->graph.cloud->id);
  const orr__json *interval = orr__json_get(flow->args, "refreshInterval");
  double seconds = orr__json_num(flow->args, "refreshInterval", 0);
  if (interval && !(seconds >= 0.1 && seconds <= 86400))
    return orr__error_set(&flow->error, ORR_E_INVALID, "refreshInterval is seconds, from 0.1 to 86400");
  if (interval) orr__set_num(o, ORR_F_backup_refreshInterval, seconds);
  if (flow->graph.connection && !orr__streq(flow->graph.connection->providerCode, declaration->code))
    return orr__error_set(&flow->error, ORR_E_INVALID, "connection '%s' is for the provider '%s', not '%s'",
                          flow->graph.connection->name, flow->graph.connection->providerCode, declaration->code);
  if (!flow->graph.connection && declaration->connection_option_count) {
    for (size_t i = 0; i < declaration->connection_option_count; i++)
      if (declaration->connection_options[i].is_required)
        return orr__error_set(&flow->error, ORR_E_INVALID,
                              "the provider '%s' needs a connection: orrery connection add, then --connection",
                              declaration->code);
  }
  if (flow->graph.connection && orr__object_has(&flow->graph.connection->head, ORR_F_connection_enabled) &&
      !flow->graph.connection->enabled)
    return orr__error_set(&flow->error, ORR_E_REFUSED, "connection '%s' is not enabled", flow->graph.connection->name);
  int code = set_schedule(flow, backup);
  if (!code) code = orr__retention_apply(flow, backup);
  if (code) return code;
  return orr__options_apply(declaration->options, declaration->option_count, o, ORR_F_backup_config,
                            ORR_F_backup_secrets, flow->config, &flow->findings);
}

static void draft(orr__flow *flow) {
  const orr__declaration *declaration =
      flow->code ? NULL : orr__flow_declare(flow, orr__json_str(flow->args, "provider"));
  orr_backup *backup = declaration ? orr__backup_new() : NULL;
  if (declaration && !backup) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (!flow->code) {
    flow->graph.backup = backup;
    flow->code = draft_fields(flow, backup, declaration);
    if (flow->code && !flow->error.code) orr__error_set(&flow->error, flow->code, "out of memory");
  }
  if (!flow->code) flow->code = orr__name_reserve(flow->core, backup->name);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__options_check(declaration->options, declaration->option_count, &backup->head, ORR_F_backup_config,
                     ORR_F_backup_secrets, &flow->findings);
  hook_next(flow, ORR_HOOK_configureBackup);
}

static void name_checked(orr__flow *flow) {
  const char *name = orr__json_str(flow->args, "name");
  if (!flow->code && (orr__tx_rows(flow->tx, flow->slot) || orr__name_is_reserved(flow->core, name)))
    flow->code = orr__error_set(&flow->error, ORR_E_EXISTS, "there is a Backup '%s' already", name);
  draft(flow);
}

static void check_name(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_backup_name, .compare = ORR_EQ, .text = orr__json_str(flow->args, "name") };
  flow->slot = orr__tx_query(
      tx, &(orr__query){
              .model = ORR_M_backup, .where = &where, .where_count = 1, .order_field = -1, .limit = 1, .fields = 1 });
  orr__flow_submit(flow, tx, name_checked);
}

void orr__request_backup_create(orr__flow *flow) {
  const orr__json *config = orr__json_get(flow->args, "config"), *opts = orr__json_get(flow->args, "opts");
  flow->config = config ? orr__json_copy(config) : orr__json_map();
  if (opts) flow->opts = orr__json_copy(opts);
  flow->code = orr__name_check(orr__json_str(flow->args, "name"), &flow->error);
  if (flow->code || !orr__flow_declare(flow, orr__json_str(flow->args, "provider"))) {
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_context(flow, check_name);
}
