/* Orphans: what may still be outside and has no record here any more, kept in a list until a person has seen to it.
 *
 *   forced   --force removed the record of a result or Backup and asked no hook
 *   retried  a result that may still run was given up, and run again (resolve.c)
 *   found    listBackupResults has it, and neither a result nor an orphan has its uuid (orphan_find.c)
 *
 * A row is written in the transaction that takes the record away, so neither is there without the other. Deliberately does nothing about
 * what is outside; and what certainly left nothing there is not listed. */
#include "core/internal.h"

#include <stdlib.h>

#define LIST_LIMIT 10000

/* ---- writing ------------------------------------------------------------------------------------------------ */

orr_orphan *orr__orphan_make(orr__core *core, const char *kind, const char *reason) {
  orr_orphan *orphan = (orr_orphan *)orr__object_new(ORR_M_orphan);
  if (!orphan) return NULL;
  orr__set_int(&orphan->head, ORR_F_orphan_id, orr__store_next_id(core->store, ORR_M_orphan));
  orr__set_str(&orphan->head, ORR_F_orphan_kind, kind);
  orr__set_str(&orphan->head, ORR_F_orphan_reason, reason);
  orr__set_int(&orphan->head, ORR_F_orphan_date, orr__now(core));
  return orphan;
}

/* What both kinds have; takes the orphan. One of the same subject gives way. */
static void insert(orr__flow *flow, orr__tx *tx, orr_orphan *orphan, int64_t subject_id) {
  orr__object *o = &orphan->head;
  const orr_connection *connection = flow->graph.connection;
  orr__set_int(o, ORR_F_orphan_subjectId, subject_id);
  if (connection) orr__set_str(o, ORR_F_orphan_connectionName, connection->name);
  orr__set_str(o, ORR_F_orphan_requestedBy, orr__json_str(flow->args, "requestedBy"));
  orr__tx_insert(tx, o);
  orr__object_free(o);
}

int orr__orphan_result(orr__flow *flow, orr__tx *tx, const char *reason) {
  const orr_result *result = flow->graph.result;
  if (orr__result_left_nothing(flow->core, result)) return 0;
  orr_orphan *orphan = orr__orphan_make(flow->core, "result", reason);
  if (!orphan) return ORR_E_NOMEM;
  orr__object *o = &orphan->head;
  orr__set_str(o, ORR_F_orphan_uuid, result->uuid);
  orr__set_str(o, ORR_F_orphan_backupName, result->backupName);
  orr__set_str(o, ORR_F_orphan_providerCode, result->providerCode);
  orr__set_str(o, ORR_F_orphan_externalId, result->externalId);
  orr__set_str(o, ORR_F_orphan_snapshotId, result->snapshotId);
  orr__set_str(o, ORR_F_orphan_resultPath, result->resultPath);
  orr__set_str(o, ORR_F_orphan_status, result->status);
  orr__tx_delete_where(tx, ORR_M_orphan, ORR_F_orphan_subjectId, result->id);
  insert(flow, tx, orphan, result->id);
  return 0;
}

/* The number of a Backup is told from that of a result by its sign. */
int orr__orphan_backup(orr__flow *flow, orr__tx *tx, const char *reason) {
  const orr_backup *backup = flow->graph.backup;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__error_clear(&flow->error);
  flow->code = 0;
  bool may_be_outside = backup->externalId || (declaration && orr__declares(declaration, ORR_HOOK_createBackup));
  if (!may_be_outside) return 0;
  orr_orphan *orphan = orr__orphan_make(flow->core, "backup", reason);
  if (!orphan) return ORR_E_NOMEM;
  orr__object *o = &orphan->head;
  orr__set_str(o, ORR_F_orphan_uuid, backup->uuid);
  orr__set_str(o, ORR_F_orphan_backupName, backup->name);
  orr__set_str(o, ORR_F_orphan_providerCode, backup->providerCode);
  orr__set_str(o, ORR_F_orphan_externalId, backup->externalId);
  insert(flow, tx, orphan, -backup->id);
  return 0;
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void listed(orr__flow *flow) {
  orr__json *list = flow->code ? NULL : orr__json_list();
  if (!list) {
    if (!flow->code) orr__flow_no_memory(flow);
    orr__flow_abandon(flow);
    return;
  }
  for (size_t i = 0; i < orr__tx_rows(flow->tx, flow->slot); i++)
    orr__json_append(list, orr__view(orr__tx_row(flow->tx, flow->slot, i)));
  orr__flow_reply(flow, list);
  orr__json_free(list);
  orr__flow_end(flow);
}

void orr__request_orphans_ls(orr__flow *flow) {
  const char *provider = orr__json_str(flow->args, "provider");
  orr__where where = { .field = ORR_F_orphan_providerCode, .compare = ORR_EQ, .text = provider };
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_orphan,
                                                .where = &where,
                                                .where_count = provider ? 1 : 0,
                                                .order_field = -1,
                                                .is_descending = true,
                                                .limit = LIST_LIMIT });
  orr__flow_submit(flow, tx, listed);
}

static void removed(orr__flow *flow) {
  orr__json *out = flow->code ? NULL : orr__json_map();
  if (!out) {
    if (!flow->code) orr__flow_no_memory(flow);
    orr__flow_abandon(flow);
    return;
  }
  orr__json_put_int(out, "removed", flow->id);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void remove_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_delete(tx, ORR_M_orphan, flow->id);
  orr__flow_event(flow, tx, "orphan.removed", "info", "orphan %lld: seen to by %s", (long long)flow->id, orr__resolver(flow));
  orr__flow_submit(flow, tx, removed);
}

void orr__request_orphans_rm(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_orphan, orr__json_str(flow->args, "orphan"), remove_found);
}
