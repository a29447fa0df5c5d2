/* The update of a Backup: what is given goes into a draft of it, and the hooks judge that. (What is stored: update_store.c.)
 *
 *   hold, load --> draft --> configureBackup --> validateBackup --> updateBackup --> update_store.c
 *                                any of them may halt (draft_hooks.c): the stored Backup is as it was
 *
 * It holds the Backup, so that one update waits for another; runs and fires go on, with the Backup as it is stored. What is not
 * given stays as it is. Knows nothing of what is stored in the end. */
#include "core/update.h"

#include <stdlib.h>

static const struct {
  const char *arg;
  int field;
} refs[ORR_UPDATE_REFS] = { { "connection", ORR_F_backup_backupProviderId },
                            { "server", ORR_F_backup_computeServerId },
                            { "cloud", ORR_F_backup_cloudId } };

void orr__update_free(orr__update *update) {
  if (!update) return;
  orr__object_free((orr__object *)update->previous);
  orr__object_free((orr__object *)update->draft);
  orr__object_free((orr__object *)update->op);
  orr__json_free(update->changed);
  free(update->why);
  free(update);
}

const orr_backup *orr__update_previous(const orr__flow *flow) { return flow->update ? flow->update->previous : NULL; }

/* ---- the draft ---------------------------------------------------------------------------------------------- */

static bool is_named(const orr__flow *flow, const char *name) {
  bool is_unset = false;
  for (const orr__json *n = orr__json_first(orr__json_get(flow->args, "unset")); n; n = orr__json_next(n))
    is_unset = is_unset || orr__streq(orr__json_text(n), name);
  return is_unset || orr__json_path_get(flow->config, name);
}

static bool is_same(const orr__object *before, const orr__object *after, int field, const char *path) {
  orr__json *old = orr__object_map(before, field), *later = orr__object_map(after, field);
  const orr__json *was = orr__json_path_get(old, path), *is = orr__json_path_get(later, path);
  bool same = was && is ? orr__json_equal(was, is) : !was == !is;
  orr__json_free(old);
  orr__json_free(later);
  return same;
}

/* Options that only updateBackup could carry outside. */
static int check_create_only(orr__flow *flow, const orr__declaration *declaration) {
  const orr__object *before = &flow->update->previous->head, *after = &flow->graph.backup->head;
  orr_error err = ORR_ERROR_INIT;
  orr__error_set(&err, ORR_E_INVALID, "the provider '%s' cannot change this of a Backup", declaration->code);
  for (size_t i = 0; i < declaration->option_count && !orr__declares(declaration, ORR_HOOK_updateBackup); i++) {
    const orr__option *option = &declaration->options[i];
    if (!option->is_create_only || !is_named(flow, option->field_name)) continue;
    if (!is_same(before, after, ORR_F_backup_config, option->field_name) ||
        !is_same(before, after, ORR_F_backup_secrets, option->field_name))
      orr__error_field(&err, option->field_name, "can only be set when the Backup is created");
  }
  if (err.field_count) flow->code = orr__error_move(&flow->error, &err);
  orr__error_clear(&err);
  return flow->code;
}

/* Is anything said about the schedule? One that is not meant is not judged: its zone may be gone. */
static bool is_schedule_given(const orr__flow *flow) {
  static const char *const args[] = { "schedule",      "noSchedule", "timeZone", "misfirePolicy", "startDeadline",
                                      "overlapPolicy", "blackouts",  "jitter",   "paused" };
  for (size_t i = 0; i < sizeof args / sizeof *args; i++)
    if (orr__json_get(flow->args, args[i])) return true;
  return false;
}

static int draft_fields(orr__flow *flow, const orr__declaration *declaration) {
  orr_backup *backup = flow->graph.backup;
  if (flow->reserved && orr__set_str(&backup->head, ORR_F_backup_name, flow->reserved))
    return orr__flow_no_memory(flow);
  if (orr__streq(backup->attention, ORR_UPDATE_UNKNOWN)) orr__unset(&backup->head, ORR_F_backup_attention);
  int code = orr__draft_set_interval(flow, backup);
  if (!code) code = orr__draft_check_connection(flow, declaration);
  if (!code && is_schedule_given(flow)) code = orr__schedule_apply(flow, backup);
  if (!code) code = orr__retention_apply(flow, backup);
  if (!code) code = orr__retry_apply(flow, backup);
  if (!code) code = orr__draft_set_options(flow, declaration);
  flow->code = code;
  return code ? code : check_create_only(flow, declaration);
}

static void draft(orr__flow *flow) {
  const orr__declaration *declaration = flow->code ? NULL : orr__flow_declaration(flow);
  if (flow->code || draft_fields(flow, declaration)) {
    if (!flow->error.code) orr__flow_no_memory(flow);
    orr__flow_abandon(flow);
    return;
  }
  orr__draft_begin(flow, &orr__updating);
}

static void rename_first(orr__flow *flow) {
  const char *name = orr__json_str(flow->args, "rename");
  if (flow->code)
    orr__flow_abandon(flow);
  else if (name && !orr__streq(name, flow->graph.backup->name))
    orr__flow_reserve(flow, name, draft);
  else
    draft(flow);
}

/* ---- what it refers to --------------------------------------------------------------------------------------- */

static void cloud_read(orr__flow *flow) {
  if (!flow->code) flow->graph.cloud = (orr_cloud *)orr__tx_take(flow->tx, flow->slot, 0);
  rename_first(flow);
}

/* The cloud is the server's, else the Backup's own. */
static void refs_read(orr__flow *flow) {
  orr__graph *g = &flow->graph;
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  g->connection = (orr_connection *)orr__tx_take(flow->tx, ORR_UPDATE_CONNECTION, 0);
  g->server = (orr_server *)orr__tx_take(flow->tx, ORR_UPDATE_SERVER, 0);
  int64_t cloud_id = g->server && g->server->cloudId ? g->server->cloudId : g->backup->cloudId;
  if (!cloud_id) {
    rename_first(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_get(tx, ORR_M_cloud, cloud_id);
  orr__flow_submit(flow, tx, cloud_read);
}

static void read_refs(orr__flow *flow) {
  orr__graph *g = &flow->graph;
  orr__object_free((orr__object *)g->connection);
  orr__object_free((orr__object *)g->server);
  orr__object_free((orr__object *)g->cloud);
  g->connection = NULL;
  g->server = NULL;
  g->cloud = NULL;
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_get(tx, ORR_M_connection, g->backup->backupProviderId); /* in the order of the slots; 0 is nothing */
  orr__tx_get(tx, ORR_M_server, g->backup->computeServerId);
  orr__flow_submit(flow, tx, refs_read);
}

static void loaded(orr__flow *flow) {
  orr__update *u = flow->update;
  if (!flow->code && !(u->previous = (orr_backup *)orr__object_copy(&flow->graph.backup->head)))
    orr__flow_no_memory(flow);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object *o = &flow->graph.backup->head;
  for (int i = 0; i < ORR_UPDATE_REFS; i++) {
    if (u->refs[i].is_given && u->refs[i].id) orr__set_int(o, refs[i].field, u->refs[i].id);
    if (u->refs[i].is_given && !u->refs[i].id) orr__unset(o, refs[i].field);
  }
  if (o->dirty)
    read_refs(flow);
  else
    rename_first(flow);
}

/* ---- the request -------------------------------------------------------------------------------------------- */

/* What was named has been found, in flow->graph; a server's own cloud takes the place of one that was named, as in creation. */
static void refs_found(orr__flow *flow) {
  const orr__graph *g = &flow->graph;
  orr__update *u = flow->update;
  bool has_own_cloud = g->server && g->server->cloudId;
  const int64_t ids[ORR_UPDATE_REFS] = { g->connection ? g->connection->id : 0, g->server ? g->server->id : 0,
                                         g->cloud && !has_own_cloud ? g->cloud->id : 0 };
  for (int i = 0; i < ORR_UPDATE_REFS; i++) {
    if (!ids[i]) continue;
    u->refs[i].is_given = true;
    u->refs[i].id = ids[i];
  }
  orr__flow_load(flow, ORR_M_backup, u->backup_id, loaded);
}

static void held(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_context(flow, refs_found);
}

static void found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->update->backup_id = flow->id;
  orr__flow_acquire(flow, orr__backup_key(flow->id), false, held);
}

/* Empty is none: it refers to nothing of that kind any more. */
static void take_none(orr__flow *flow) {
  for (int i = 0; i < ORR_UPDATE_REFS; i++) {
    const char *ref = orr__json_str(flow->args, refs[i].arg);
    if (!ref || *ref) continue;
    flow->update->refs[i].is_given = true;
    orr__json_remove(flow->args, refs[i].arg);
  }
}

void orr__request_backup_update(orr__flow *flow) {
  const orr__json *config = orr__json_get(flow->args, "config"), *opts = orr__json_get(flow->args, "opts");
  const char *name = orr__json_str(flow->args, "rename");
  flow->update = calloc(1, sizeof *flow->update);
  flow->config = config ? orr__json_copy(config) : orr__json_map();
  if (opts) flow->opts = orr__json_copy(opts);
  if (!flow->update || !flow->config || (opts && !flow->opts)) orr__flow_no_memory(flow);
  if (!flow->code && name) flow->code = orr__name_check(name, &flow->error);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  take_none(flow);
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), found);
}
