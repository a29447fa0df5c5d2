/* What a draft is made of beyond its hooks: the parts that a creation and an update check and show alike. */
#include "core/internal.h"

int orr__draft_check_connection(orr__flow *flow, const orr__declaration *declaration) {
  const orr_connection *connection = flow->graph.connection;
  if (connection && !orr__streq(connection->providerCode, declaration->code))
    return orr__error_set(&flow->error, ORR_E_INVALID, "connection '%s' is for the provider '%s', not '%s'",
                          connection->name, connection->providerCode, declaration->code);
  for (size_t i = 0; !connection && i < declaration->connection_option_count; i++)
    if (declaration->connection_options[i].is_required)
      return orr__error_set(&flow->error, ORR_E_INVALID,
                            "the provider '%s' needs a connection: orrery connection add, then --connection",
                            declaration->code);
  return orr__connection_check_enabled(connection, &flow->error);
}

int orr__draft_set_interval(orr__flow *flow, orr_backup *backup) {
  double seconds = orr__json_num(flow->args, "refreshInterval", 0);
  if (!orr__json_get(flow->args, "refreshInterval")) return 0;
  if (seconds == 0 && backup->id) { /* the provider's again */
    orr__unset(&backup->head, ORR_F_backup_refreshInterval);
    return 0;
  }
  if (!(seconds >= 0.1 && seconds <= 86400))
    return orr__error_set(&flow->error, ORR_E_INVALID, "refreshInterval is seconds, from 0.1 to 86400");
  return orr__set_num(&backup->head, ORR_F_backup_refreshInterval, seconds);
}

int orr__draft_set_options(orr__flow *flow, const orr__declaration *declaration) {
  orr__object *o = &flow->graph.backup->head;
  int code =
      orr__options_unset(declaration->options, declaration->option_count, o, ORR_F_backup_config, ORR_F_backup_secrets,
                         orr__json_get(flow->args, "unset"), flow->config, &flow->findings);
  if (!code)
    code = orr__options_apply(declaration->options, declaration->option_count, o, ORR_F_backup_config,
                              ORR_F_backup_secrets, flow->config, &flow->findings);
  if (code) return flow->error.code ? code : orr__error_set(&flow->error, code, "out of memory");
  orr__options_check(declaration->options, declaration->option_count, o, ORR_F_backup_config, ORR_F_backup_secrets,
                     &flow->findings);
  return 0;
}

void orr__draft_guard(const orr__flow *flow, orr__tx *tx) {
  const orr__graph *g = &flow->graph;
  if (g->connection)
    orr__tx_guard_str(tx, ORR_M_connection, g->connection->id, ORR_F_connection_uuid, g->connection->uuid);
  if (g->server) orr__tx_guard_str(tx, ORR_M_server, g->server->id, ORR_F_server_uuid, g->server->uuid);
  if (g->cloud) orr__tx_guard_str(tx, ORR_M_cloud, g->cloud->id, ORR_F_cloud_uuid, g->cloud->uuid);
}

orr__json *orr__draft_view(const orr__flow *flow) {
  const orr_backup *backup = flow->graph.backup;
  orr__json *out = orr__json_map();
  if (!out) return NULL;
  orr__json_put(out, "backup", orr__view_backup(flow));
  orr__json_put_str(out, "msg", flow->answer.msg);
  if (backup->schedule)
    orr__json_put(out, "schedule", orr__schedule_describe(flow->core, backup, 3, NULL));
  return out;
}
