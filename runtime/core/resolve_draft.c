/* A person's word about a draft that createBackup may have made outside before it stopped. (Results: resolve.c.)
 *
 *   created    it becomes a Backup, as it was when createBackup was called; what that learnt is lost but for an externalId
 *              given here
 *   discard    it goes, and its name is free
 *
 * A draft is an op row of createBackup in the state `sent`; either word ends it in the transaction of what comes of it. The
 * state guards that: only one word counts, and none while the creation is still at work. The rows of the creation belong to
 * the Backup then, or go with the draft, and an event tells. */
#include "core/internal.h"

#include <stdlib.h>

enum { OPS, TAKEN };                         /* slots of the first reading */
enum { CONNECTION, SERVER, CLOUD, EARLIER }; /* and of the second */
#define DRAFTS_MAX 100
#define EARLIER_MAX 100000 /* how far back in the journal the hooks before createBackup are looked for */

int orr__drafts_read(orr__tx *tx, const char *name) {
  orr__where where[4] = { { .field = ORR_F_op_state, .compare = ORR_EQ, .text = "sent" },
                          { .field = ORR_F_op_hook, .compare = ORR_EQ, .text = orr__hooks[ORR_HOOK_createBackup].name },
                          { .field = ORR_F_op_backupId, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_op_subjectName, .compare = ORR_EQ, .text = name } };
  uint64_t to_list = ORR_BIT(ORR_F_op_subjectName) | ORR_BIT(ORR_F_op_providerCode) | ORR_BIT(ORR_F_op_act) |
                     ORR_BIT(ORR_F_op_sentDate);
  return orr__tx_query(tx, &(orr__query){ .model = ORR_M_op,
                                          .where = where,
                                          .where_count = name ? 4 : 3,
                                          .order_field = -1,
                                          .limit = DRAFTS_MAX,
                                          .fields = name ? 0 : to_list });
}

bool orr__draft_is_at_work(const orr__core *core, const orr_op *op) {
  for (const orr__flow *flow = core->flows; flow; flow = flow->next)
    if (flow->op && flow->op->id == op->id) return true;
  return false;
}

/* ---- what comes of it --------------------------------------------------------------------------------------- */

static bool is_created(const orr__flow *flow) { return orr__json_bool(flow->args, "created", false); }

static void reply(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put(out, "backup", is_created(flow) ? orr__view_backup(flow) : orr__json_null());
    orr__json_put_str(out, "msg", flow->op->message);
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
}

static void shown(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  reply(flow);
  orr__flow_end(flow);
}

static void resolved(orr__flow *flow) {
  orr__core *core = flow->core;
  const orr_backup *backup = flow->graph.backup;
  if (flow->code == ORR_E_CONFLICT) {
    orr__error_clear(&flow->error);
    orr__error_set(&flow->error, ORR_E_CONFLICT,
                   "the draft '%s' was changed by somebody else meanwhile: nothing was resolved, look at it again",
                   backup->name);
  }
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__name_free(core, backup->name);
  if (!is_created(flow)) {
    shown(flow);
    return;
  }
  if (core->config.role == ORR_ROLE_SERVE) orr__schedule_arm(core, backup);
  orr__flow_load(flow, ORR_M_backup, backup->id, shown); /* with what it refers to */
}

/* Nobody has ended it before. */
static void guard(const orr__flow *flow, orr__tx *tx) {
  orr__tx_guard_str(tx, ORR_M_op, flow->op->id, ORR_F_op_state, "sent");
}

static void discard(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  guard(flow, tx);
  for (size_t i = 0; i < orr__tx_rows(flow->tx, EARLIER); i++)
    orr__tx_delete(tx, ORR_M_op, orr__object_id(orr__tx_row(flow->tx, EARLIER, i)));
  orr__tx_delete(tx, ORR_M_op, flow->op->id);
  char *message = orr__strf("resolved by %s: the draft '%s' was discarded, its name is free", orr__resolver(flow),
                            flow->graph.backup->name);
  orr__set_str(&flow->op->head, ORR_F_op_message, message);
  orr__flow_event(flow, tx, "backup.resolved", "info", "%s", message ? message : "");
  free(message);
  orr__flow_submit(flow, tx, resolved);
}

/* The rows of the creation: they are the Backup's, and the last one is done. */
static void own_ops(orr__flow *flow, orr__tx *tx, const char *message) {
  orr__object *o = &flow->op->head;
  int64_t backup_id = flow->graph.backup->id;
  orr__object_clean(o);
  orr__set_str(o, ORR_F_op_state, "done");
  orr__set_str(o, ORR_F_op_outcome, "success");
  orr__set_str(o, ORR_F_op_message, message);
  orr__set_int(o, ORR_F_op_endDate, orr__now(flow->core));
  orr__set_int(o, ORR_F_op_backupId, backup_id);
  orr__unset(o, ORR_F_op_draft);
  orr__tx_update(tx, o, o->dirty);
  orr_op *earlier = orr__op_new();
  for (size_t i = 0; earlier && i < orr__tx_rows(flow->tx, EARLIER); i++) {
    orr__set_int(&earlier->head, ORR_F_op_id, orr__object_id(orr__tx_row(flow->tx, EARLIER, i)));
    orr__set_int(&earlier->head, ORR_F_op_backupId, backup_id);
    orr__tx_update(tx, &earlier->head, ORR_BIT(ORR_F_op_backupId));
  }
  orr__object_free((orr__object *)earlier);
}

static void persist(orr__flow *flow) {
  orr_backup *backup = flow->graph.backup;
  orr__object *o = &backup->head;
  int64_t now = orr__now(flow->core);
  const char *external_id = orr__json_str(flow->args, "externalId");
  if (external_id) orr__set_str(o, ORR_F_backup_externalId, external_id);
  orr__set_int(o, ORR_F_backup_id, orr__store_next_id(flow->core->store, ORR_M_backup));
  orr__set_int(o, ORR_F_backup_createdDate, now);
  orr__set_int(o, ORR_F_backup_updatedDate, now);
  orr__tx *tx = orr__flow_tx(flow);
  orr__schedule_begin(flow, tx, backup, NULL);
  guard(flow, tx);
  if (backup->backupProviderId)
    orr__tx_guard_int(tx, ORR_M_connection, backup->backupProviderId, ORR_F_connection_id, backup->backupProviderId);
  if (backup->computeServerId)
    orr__tx_guard_int(tx, ORR_M_server, backup->computeServerId, ORR_F_server_id, backup->computeServerId);
  if (backup->cloudId) orr__tx_guard_int(tx, ORR_M_cloud, backup->cloudId, ORR_F_cloud_id, backup->cloudId);
  orr__tx_insert(tx, o);
  orr__flow_event(flow, tx, "backup.created", "info", "created");
  char *message = orr__strf("resolved by %s: the draft '%s' was created outside and is a Backup now",
                            orr__resolver(flow), backup->name);
  own_ops(flow, tx, message);
  orr__flow_event(flow, tx, "backup.resolved", "info", "%s", message ? message : "");
  free(message);
  orr__flow_submit(flow, tx, resolved);
}

/* ---- the draft ---------------------------------------------------------------------------------------------- */

/* A Backup needs what it refers to. */
static void context_read(orr__flow *flow) {
  const orr_backup *backup = flow->graph.backup;
  const struct {
    int64_t id;
    int slot;
    const char *what;
  } context[] = { { backup->backupProviderId, CONNECTION, "connection" },
                  { backup->computeServerId, SERVER, "server" },
                  { backup->cloudId, CLOUD, "cloud" } };
  for (size_t i = 0; !flow->code && is_created(flow) && i < 3; i++)
    if (context[i].id && !orr__tx_rows(flow->tx, context[i].slot))
      flow->code = orr__error_set(&flow->error, ORR_E_REFUSED,
                                  "the %s of the draft '%s' has been removed: it can be discarded only",
                                  context[i].what, backup->name);
  if (flow->code)
    orr__flow_abandon(flow);
  else if (is_created(flow))
    persist(flow);
  else
    discard(flow);
}

void orr__draft_read_context(orr__tx *tx, const orr_backup *backup, const orr_op *op) {
  const orr__where earlier[4] = { { .field = ORR_F_op_id, .compare = ORR_LT, .number = op->id },
                                  { .field = ORR_F_op_id, .compare = ORR_GE, .number = op->id - EARLIER_MAX },
                                  { .field = ORR_F_op_backupId, .compare = ORR_IS_UNSET },
                                  { .field = ORR_F_op_subjectUuid, .compare = ORR_EQ, .text = op->subjectUuid } };
  orr__tx_get(tx, ORR_M_connection, backup->backupProviderId);
  orr__tx_get(tx, ORR_M_server, backup->computeServerId);
  orr__tx_get(tx, ORR_M_cloud, backup->cloudId);
  orr__tx_query(
      tx,
      &(orr__query){
          .model = ORR_M_op, .where = earlier, .where_count = 4, .order_field = -1, .limit = DRAFTS_MAX, .fields = 1 });
}

static void read_context(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__draft_read_context(tx, flow->graph.backup, flow->op);
  orr__flow_submit(flow, tx, context_read);
}

/* Without its name and uuid it is none. */
orr_backup *orr__draft_restore(orr__flow *flow, const orr_op *op) {
  orr_backup *backup = orr__backup_new();
  orr__json *draft = backup ? orr__object_map(&op->head, ORR_F_op_draft) : NULL;
  if (!draft) {
    orr__object_free((orr__object *)backup);
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    return NULL;
  }
  flow->code = orr__object_from_json(&backup->head, draft, ~UINT64_C(0), &flow->error);
  orr__json_free(draft);
  if (!flow->code && backup->name && backup->uuid && backup->providerCode) return backup;
  orr__object_free((orr__object *)backup);
  orr__error_clear(&flow->error);
  flow->code =
      orr__error_set(&flow->error, ORR_E_CORRUPT, "the journal has no whole draft of '%s': it can be discarded only", op->subjectName);
  return NULL;
}

/* It can be discarded all the same where it is not whole: by its name. */
static int restore(orr__flow *flow) {
  flow->graph.backup = orr__draft_restore(flow, flow->op);
  if (flow->graph.backup) return 0;
  if (flow->code != ORR_E_CORRUPT) return flow->code;
  flow->graph.backup = orr__backup_new();
  if (flow->graph.backup) orr__set_str(&flow->graph.backup->head, ORR_F_backup_name, flow->op->subjectName);
  return flow->code;
}

static void draft_read(orr__flow *flow) {
  const char *name = orr__json_str(flow->args, "backup");
  bool is_taken = !flow->code && orr__tx_rows(flow->tx, TAKEN);
  flow->op = flow->code ? NULL : (orr_op *)orr__tx_take(flow->tx, OPS, 0);
  flow->is_op_stored = true;
  if (!flow->code && !flow->op)
    flow->code = is_taken ? orr__error_set(&flow->error, ORR_E_REFUSED,
                                           "'%s' is a Backup already: there is nothing to resolve", name)
                          : orr__error_set(&flow->error, ORR_E_NOT_FOUND, "no draft '%s' waits to be resolved", name);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr_op *op = flow->op;
  flow->op = NULL; /* ours is none of those at work */
  if (orr__draft_is_at_work(flow->core, op))
    flow->code =
        orr__error_set(&flow->error, ORR_E_REFUSED,
                       "'%s' is being worked on: its creation has not ended, or somebody is resolving it", name);
  flow->op = op;
  bool is_whole = !flow->code && restore(flow) == 0;
  if (!is_whole && flow->code == ORR_E_CORRUPT && !is_created(flow)) flow->code = 0;
  if (flow->code)
    orr__flow_abandon(flow);
  else
    read_context(flow);
}

void orr__request_backup_resolve(orr__flow *flow) {
  static const char *const words[] = { "created", "discard" };
  const char *external_id = orr__json_str(flow->args, "externalId");
  if (!orr__resolve_check(flow, words, 2, "say exactly one of created and discard") && external_id &&
      (!is_created(flow) || !*external_id))
    flow->code = orr__error_field(&flow->error, "externalId", is_created(flow) ? "is empty" : "belongs to created");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  const char *name = orr__json_str(flow->args, "backup");
  orr__where where = { .field = ORR_F_backup_name, .compare = ORR_EQ, .text = name };
  orr__drafts_read(tx, name);
  orr__tx_query(
      tx, &(orr__query){
              .model = ORR_M_backup, .where = &where, .where_count = 1, .order_field = -1, .limit = 1, .fields = 1 });
  orr__flow_submit(flow, tx, draft_read);
}
