/* The creation of a Backup: names resolved, declared options stored, default findings, three hooks, one insert.
 *
 *   draft --> configureBackup --> validateBackup --> createBackup --> persisted
 *                 any of them may halt (draft_hooks.c): no Backup is stored
 *
 * The draft lives in the flow and, for the journal, in the op row of each hook; its name is reserved meanwhile. A
 * createBackup that may have made something outside and did not say so leaves its op row `sent` and the name
 * reserved: somebody has to look. */
#include "core/internal.h"

#include <stdlib.h>

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* createBackup past its sent mark, and no outcome on record: it may have made it. The op row stays as it is. */
static void left_uncertain(orr__flow *flow, const char *why) {
  const orr_backup *draft = flow->graph.backup;
  int64_t op_id = flow->op && flow->is_op_stored ? flow->op->id : flow->id; /* persist has written it down */
  if (orr__draft_rescue(flow->core, op_id, draft->name, draft->providerCode, flow->request, why)) {
    flow->request = 0;
    orr__flow_keep_name(flow);
    orr__flow_end(flow);
    return;
  }
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_ATTENTION,
                 "createBackup may have made '%s' outside before it stopped (%s); see whether it is there, then: "
                 "orrery backup resolve",
                 flow->graph.backup->name, why);
  flow->core->config.sink.log(flow->core->config.sink.self, ORR_LOG_ERROR,
                              &(orr__log_about){ .provider = flow->graph.backup->providerCode },
                              orr__error_message(&err));
  orr__flow_keep_name(flow);
  orr__flow_fail(flow, err.code, &err);
  orr__error_clear(&err);
  orr__flow_end(flow);
}

static void persisted(orr__flow *flow) {
  orr__core *core = flow->core;
  orr_backup *backup = flow->graph.backup;
  if (flow->code && flow->rescue) {
    orr__rescue_again(flow);
    return;
  }
  bool may_be_made = flow->hook == ORR_HOOK_createBackup && (flow->sent_ms || flow->attempt > 1);
  if (flow->code && may_be_made) {
    left_uncertain(flow, orr__error_message(&flow->error));
    return;
  }
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object_clean(&backup->head);
  if (core->config.role == ORR_ROLE_SERVE) orr__schedule_arm(core, backup);
  orr__json *out = orr__draft_view(flow);
  if (out) orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void persist(orr__flow *flow) {
  orr__core *core = flow->core;
  orr_backup *backup = flow->graph.backup;
  int64_t now = orr__now(core);
  orr__tx *tx = orr__flow_tx(flow);
  orr__set_int(&backup->head, ORR_F_backup_id, orr__store_next_id(core->store, ORR_M_backup));
  orr__set_int(&backup->head, ORR_F_backup_createdDate, now);
  orr__set_int(&backup->head, ORR_F_backup_updatedDate, now);
  orr__schedule_begin(flow, tx, backup, NULL);
  orr__draft_guard(flow, tx);
  if (flow->rescue) orr__tx_guard_str(tx, ORR_M_op, flow->op->id, ORR_F_op_state, "sent");
  orr__tx_insert(tx, &backup->head);
  flow->id = flow->op ? flow->op->id : 0;
  if (flow->op) {
    orr__set_int(&flow->op->head, ORR_F_op_backupId, backup->id);
    orr__flow_settle(flow, tx);
  }
  orr__draft_own(flow, tx, backup->id);
  orr__flow_event(flow, tx, "backup.created", "info", "created");
  orr__flow_submit(flow, tx, persisted);
}

static const orr__draft_kind creation = {
  .trigger = "manual", .last = ORR_HOOK_createBackup, .persist = persist, .uncertain = left_uncertain
};

const orr__draft_kind *orr__creation(void) { return &creation; }

/* ---- the draft ---------------------------------------------------------------------------------------------- */

static int draft_fields(orr__flow *flow, orr_backup *backup, const orr__declaration *declaration) {
  orr__object *o = &backup->head;
  char uuid[37];
  orr__random_uuid(flow->core->config.random, uuid);
  orr__set_str(o, ORR_F_backup_uuid, uuid);
  orr__set_str(o, ORR_F_backup_name, orr__json_str(flow->args, "name"));
  orr__set_str(o, ORR_F_backup_providerCode, declaration->code);
  orr__state_stamp(o, declaration->state_version);
  if (flow->graph.connection) orr__set_int(o, ORR_F_backup_backupProviderId, flow->graph.connection->id);
  if (flow->graph.server) orr__set_int(o, ORR_F_backup_computeServerId, flow->graph.server->id);
  bool has_own_cloud = flow->graph.cloud && !(flow->graph.server && flow->graph.server->cloudId);
  if (has_own_cloud) orr__set_int(o, ORR_F_backup_cloudId, flow->graph.cloud->id);
  int code = orr__draft_set_interval(flow, backup);
  if (!code) code = orr__draft_check_connection(flow, declaration);
  if (!code) code = orr__schedule_apply(flow, backup);
  if (!code) code = orr__retention_apply(flow, backup);
  if (!code) code = orr__retry_apply(flow, backup);
  return code ? code : orr__draft_set_options(flow, declaration);
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
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__draft_begin(flow, &creation);
}

static void reserve(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_reserve(flow, orr__json_str(flow->args, "name"), draft);
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
  orr__flow_context(flow, reserve);
}
