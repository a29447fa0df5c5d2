/* Requests about what Backups refer to: connections, clouds, servers. One set of steps serves all three models. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- adding ------------------------------------------------------------------------------------------------- */

static void added(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_reply(flow, flow->out);
  orr__flow_end(flow);
}

/* Fields every model of the inventory has. */
static int stamp(orr__flow *flow, orr__object *object) {
  const orr__model *model = object->model;
  char uuid[37];
  int64_t now = orr__now(flow->core);
  orr__random_uuid(flow->core->config.random, uuid);
  int code = orr__set_int(object, 0, orr__store_next_id(flow->core->store, model->id));
  if (!code) code = orr__set_str(object, orr__field_find(model, "uuid"), uuid);
  if (!code) code = orr__set_str(object, orr__field_find(model, "name"), orr__json_str(flow->args, "name"));
  orr__set_int(object, orr__field_find(model, "createdDate"), now);
  orr__set_int(object, orr__field_find(model, "updatedDate"), now);
  return code;
}

/* Inserts it and replies with it; takes the object. flow->findings refuse it. */
static void insert(orr__flow *flow, orr__object *object, int code) {
  if (!code) code = stamp(flow, object);
  if (code && !flow->error.code) orr__error_set(&flow->error, code, "out of memory");
  if (!code && flow->findings.field_count) {
    code = orr__error_set(&flow->error, ORR_E_INVALID, "%s '%s' is not valid", object->model->name,
                          orr__json_str(flow->args, "name"));
    for (size_t i = 0; i < flow->findings.field_count; i++)
      orr__error_field(&flow->error, flow->findings.fields[i].field, "%s", flow->findings.fields[i].message);
  }
  if (code) {
    orr__object_free(object);
    flow->code = code;
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  const orr_cloud *cloud = flow->graph.cloud;
  if (cloud)
    orr__tx_guard_str(tx, ORR_M_cloud, cloud->id, ORR_F_cloud_uuid, cloud->uuid); /* what it refers to is still there */
  orr__tx_insert(tx, object);
  flow->out = orr__view(object);
  orr__object_free(object);
  orr__flow_submit(flow, tx, added);
}

void orr__request_connection_add(orr__flow *flow) {
  flow->code = orr__name_check(orr__json_str(flow->args, "name"), &flow->error);
  const orr__declaration *d = flow->code ? NULL : orr__flow_declare(flow, orr__json_str(flow->args, "provider"));
  orr__object *object = d ? orr__object_new(ORR_M_connection) : NULL;
  if (!object) {
    if (d) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  int code = orr__set_str(object, ORR_F_connection_providerCode, d->code);
  orr__set_int(object, ORR_F_connection_enabled, orr__json_bool(flow->args, "enabled", true));
  if (!code)
    code = orr__options_apply(d->connection_options, d->connection_option_count, object, ORR_F_connection_config,
                              ORR_F_connection_secrets, orr__json_get(flow->args, "config"), &flow->findings);
  orr__options_check(d->connection_options, d->connection_option_count, object, ORR_F_connection_config,
                     ORR_F_connection_secrets, &flow->findings);
  insert(flow, object, code);
}

/* Members of `config` that are fields of the model go there, the others into its free configuration. */
static int apply_free(orr__flow *flow, orr__object *object) {
  const orr__model *model = object->model;
  int map_field = orr__field_find(model, "config"), code = 0;
  orr__json *map = orr__object_map(object, map_field);
  const orr__json *config = orr__json_get(flow->args, "config");
  for (const orr__json *m = orr__json_first(config); m && !code && map; m = orr__json_next(m)) {
    int field = orr__field_find(model, orr__json_key(m));
    if (field < 0 || model->fields[field].type == ORR_T_MAP) {
      code = orr__json_path_set(map, orr__json_key(m), orr__json_copy(m), &flow->error);
    } else if (model->fields[field].flags & ORR_FIELD_READONLY) {
      orr__error_field(&flow->findings, orr__json_key(m), "is the runtime's to set");
    } else {
      code = orr__options_set_field(object, field, m, &flow->findings);
    }
  }
  if (!map)
    code = ORR_E_NOMEM;
  else if (!code && orr__json_count(map))
    code = orr__object_set_map(object, map_field, map);
  orr__json_free(map);
  return code;
}

static void add_free(orr__flow *flow, enum orr__model_id model) {
  orr__object *object = flow->code ? NULL : orr__object_new(model);
  if (!object) {
    if (!flow->code) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  int code = apply_free(flow, object);
  if (model == ORR_M_server && flow->graph.cloud) orr__set_int(object, ORR_F_server_cloudId, flow->graph.cloud->id);
  insert(flow, object, code);
}

void orr__request_cloud_add(orr__flow *flow) {
  flow->code = orr__name_check(orr__json_str(flow->args, "name"), &flow->error);
  add_free(flow, ORR_M_cloud);
}

static void server_context(orr__flow *flow) { add_free(flow, ORR_M_server); }

void orr__request_server_add(orr__flow *flow) {
  flow->code = orr__name_check(orr__json_str(flow->args, "name"), &flow->error);
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_context(flow, server_context);
}

/* ---- listing ------------------------------------------------------------------------------------------------ */

static void listed(orr__flow *flow) {
  orr__json *list = flow->code ? NULL : orr__json_list();
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  for (size_t i = 0; list && i < orr__tx_rows(flow->tx, flow->slot); i++)
    orr__json_append(list, orr__view(orr__tx_row(flow->tx, flow->slot, i)));
  orr__flow_reply(flow, list);
  orr__json_free(list);
  orr__flow_end(flow);
}

static void list(orr__flow *flow, enum orr__model_id model, const orr__where *where) {
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = model,
                                                .where = where,
                                                .where_count = where ? 1 : 0,
                                                .order_field = orr__field_find(&orr__models[model], "name") });
  orr__flow_submit(flow, tx, listed);
}

void orr__request_connection_ls(orr__flow *flow) {
  const char *provider = orr__json_str(flow->args, "provider");
  orr__where where = { .field = ORR_F_connection_providerCode, .compare = ORR_EQ, .text = provider };
  list(flow, ORR_M_connection, provider ? &where : NULL);
}

void orr__request_cloud_ls(orr__flow *flow) { list(flow, ORR_M_cloud, NULL); }

static void servers_of(orr__flow *flow) {
  const orr_cloud *cloud = flow->graph.cloud;
  orr__where where = { .field = ORR_F_server_cloudId, .compare = ORR_EQ, .number = cloud ? cloud->id : 0 };
  list(flow, ORR_M_server, cloud ? &where : NULL);
}

void orr__request_server_ls(orr__flow *flow) { orr__flow_context(flow, servers_of); }

static void connection_found(orr__flow *flow) {
  flow->out = orr__view((orr__object *)flow->graph.connection);
  orr__flow_reply(flow, flow->out);
  orr__flow_end(flow);
}

void orr__request_connection_show(orr__flow *flow) { orr__flow_context(flow, connection_found); }

/* ---- removing ----------------------------------------------------------------------------------------------- */

static void removed(orr__flow *flow) {
  orr__json *out = flow->code ? NULL : orr__json_map();
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object *object = flow->graph.connection ? &flow->graph.connection->head
                        : flow->graph.server   ? &flow->graph.server->head
                                               : &flow->graph.cloud->head;
  if (flow->graph.connection && flow->core->ops->forget_connection)
    flow->core->ops->forget_connection(flow->core->ops->self, flow->graph.connection->id);
  if (out) orr__json_put_str(out, "removed", orr__get_str(object, orr__field_find(object->model, "name")));
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void remove_connection(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_none(tx, ORR_M_backup, ORR_F_backup_backupProviderId, flow->graph.connection->id,
                     "Backups use this connection: remove them first");
  orr__tx_delete(tx, ORR_M_connection, flow->graph.connection->id);
  orr__flow_submit(flow, tx, removed);
}

void orr__request_connection_rm(orr__flow *flow) { orr__flow_context(flow, remove_connection); }

static void remove_cloud(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_none(tx, ORR_M_server, ORR_F_server_cloudId, flow->graph.cloud->id,
                     "servers are in this cloud: remove them first");
  orr__tx_guard_none(tx, ORR_M_backup, ORR_F_backup_cloudId, flow->graph.cloud->id,
                     "Backups refer to this cloud: remove them first");
  orr__tx_delete(tx, ORR_M_cloud, flow->graph.cloud->id);
  orr__flow_submit(flow, tx, removed);
}

void orr__request_cloud_rm(orr__flow *flow) { orr__flow_context(flow, remove_cloud); }

static void remove_server(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_none(tx, ORR_M_backup, ORR_F_backup_computeServerId, flow->graph.server->id,
                     "Backups are for this server: remove them first");
  orr__tx_guard_none(tx, ORR_M_result, ORR_F_result_computeServerId, flow->graph.server->id,
                     "results are of this server: remove them first");
  orr__tx_delete(tx, ORR_M_server, flow->graph.server->id);
  orr__flow_submit(flow, tx, removed);
}

void orr__request_server_rm(orr__flow *flow) { orr__flow_context(flow, remove_server); }
