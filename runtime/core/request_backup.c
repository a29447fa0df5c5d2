/* Requests about Backups: list, show, run, pause and resume. Creation is in create.c, deletion in remove.c. */
#include "core/internal.h"

#include <stdlib.h>

#define PAUSE_ATTEMPTS 5

/* ---- ls and show -------------------------------------------------------------------------------------------- */

/* One Backup after the other: its graph and its newest result. */
static void next_backup(orr__flow *flow);

static bool is_list(const orr__flow *flow) { return orr__json_get(flow->args, "backup") == NULL; }

static void backup_seen(orr__flow *flow) {
  if (flow->extra) orr__json_append(flow->out, flow->extra);
  flow->extra = NULL;
  orr__graph_clear(&flow->graph);
  next_backup(flow);
}

static void backup_loaded(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (orr__tx_take_graph(flow->tx, flow->slot, &flow->graph)) {
    flow->extra = orr__view_backup(flow);
    if (flow->extra) orr__json_put(flow->extra, "lastResult", orr__view(orr__tx_row(flow->tx, flow->slot2, 0)));
  }
  if (flow->extra && !is_list(flow) && !orr__keeps_all(flow->graph.backup))
    orr__retention_look(flow, backup_seen);
  else
    backup_seen(flow);
}

static void next_backup(orr__flow *flow) {
  if (flow->id_at == flow->id_count) {
    orr__flow_reply(flow, is_list(flow) ? flow->out : orr__json_first(flow->out));
    orr__flow_end(flow);
    return;
  }
  int64_t id = flow->ids[flow->id_at++];
  orr__tx *tx = orr__flow_tx(flow);
  orr__where where = { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = id };
  flow->slot = orr__tx_graph(tx, ORR_M_backup, id);
  flow->slot2 = orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                                 .where = &where,
                                                 .where_count = 1,
                                                 .order_field = -1,
                                                 .is_descending = true,
                                                 .limit = 1 });
  orr__flow_submit(flow, tx, backup_loaded);
}

static void show_ids(orr__flow *flow, size_t count) {
  flow->out = orr__json_list();
  flow->id_at = 0;
  if (!flow->out || (count && !flow->ids)) {
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  flow->id_count = count;
  next_backup(flow);
}

static void backups_listed(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  size_t count = orr__tx_rows(flow->tx, flow->slot);
  flow->ids = calloc(count ? count : 1, sizeof *flow->ids);
  for (size_t i = 0; flow->ids && i < count; i++) flow->ids[i] = orr__object_id(orr__tx_row(flow->tx, flow->slot, i));
  show_ids(flow, count);
}

void orr__request_backup_ls(orr__flow *flow) {
  const char *provider = orr__json_str(flow->args, "provider");
  orr__where where = { .field = ORR_F_backup_providerCode, .compare = ORR_EQ, .text = provider };
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_backup,
                                                .where = &where,
                                                .where_count = provider ? 1 : 0,
                                                .order_field = ORR_F_backup_name,
                                                .fields = 1 });
  orr__flow_submit(flow, tx, backups_listed);
}

static void show_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->ids = calloc(1, sizeof *flow->ids);
  if (flow->ids) flow->ids[0] = flow->id;
  show_ids(flow, 1);
}

void orr__request_backup_show(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), show_found);
}

/* ---- run ---------------------------------------------------------------------------------------------------- */

static void accepted(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__json *out = orr__view_result(flow->graph.result);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__run_go(flow);
}

/* What an execution is given is stored with it and shown: passwords have their place in the Backup or the connection. */
static int refuse_secrets(orr__flow *flow) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  if (!declaration) return flow->code;
  for (size_t i = 0; i < declaration->option_count; i++) {
    const orr__option *option = &declaration->options[i];
    if (orr__streq(option->input_type, "password") && orr__json_path_get(flow->config, option->field_name))
      orr__error_field(&flow->error, option->field_name,
                       "is a password, and what an execution is given is stored and shown: set it on the Backup");
  }
  return flow->error.code;
}

static void run_ready(orr__flow *flow) {
  if (orr__backup_is_leaving(flow->core, flow->graph.backup->id))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' is being removed", flow->graph.backup->name);
  if (!flow->code) flow->code = orr__connection_check_enabled(flow->graph.connection, &flow->error);
  if (!flow->code) flow->code = refuse_secrets(flow);
  if (!flow->code) flow->code = orr__run_prepare(flow, "manual", orr__json_str(flow->args, "requestedBy"), -1);
  if (!flow->code && !orr__flow_try(flow, orr__result_key(flow->graph.result->id)))
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (flow->trial) {
    orr__trial_begin(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__run_insert(flow, tx);
  orr__flow_submit(flow, tx, accepted);
}

/* A server given for this run takes the place of the Backup's own; its cloud, if it has one, that of the Backup's. */
static void run_loaded(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (!orr__json_str(flow->args, "server")) {
    run_ready(flow);
    return;
  }
  orr__object_free((orr__object *)flow->graph.server);
  flow->graph.server = NULL;
  if (flow->graph.cloud && flow->graph.cloud->id != flow->graph.backup->cloudId) { /* it came with that server */
    orr__object_free((orr__object *)flow->graph.cloud);
    flow->graph.cloud = NULL;
  }
  orr__flow_context(flow, run_ready);
}

static void run_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_backup, flow->id, run_loaded);
}

void orr__request_backup_run(orr__flow *flow) {
  const orr__json *config = orr__json_get(flow->args, "config"), *opts = orr__json_get(flow->args, "opts");
  flow->config = config ? orr__json_copy(config) : orr__json_map();
  if (opts) flow->opts = orr__json_copy(opts);
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), run_found);
}

/* ---- pause and resume --------------------------------------------------------------------------------------- */

static void pause_loaded(orr__flow *flow);

static void pause_written(orr__flow *flow) {
  if (flow->code == ORR_E_CONFLICT && flow->attempt++ < PAUSE_ATTEMPTS) { /* it has fired in between */
    orr__flow_load(flow, ORR_M_backup, flow->graph.backup->id, pause_loaded);
    return;
  }
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__object_clean(&flow->graph.backup->head);
  orr__schedule_arm(flow->core, flow->graph.backup);
  orr__json *out = orr__view_backup(flow);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void pause_loaded(orr__flow *flow) {
  if (!flow->code && !flow->graph.backup->schedule)
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "'%s' has no schedule", flow->graph.backup->name);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr_backup *backup = flow->graph.backup;
  orr__object *o = &backup->head;
  int64_t now = orr__now(flow->core);
  bool pauses = flow->id_at == 1;
  orr__tx *tx = orr__flow_tx(flow);
  flow->code = pauses ? orr__schedule_halt(flow, tx, backup) : 0;
  if (flow->code) {
    orr__tx_free(tx);
    orr__error_set(&flow->error, flow->code, "out of memory");
    orr__flow_abandon(flow);
    return;
  }
  orr__set_int(o, ORR_F_backup_updatedDate, now);
  if (!pauses && backup->paused) { /* what lies behind is not made up for: it was meant not to fire */
    orr__set_int(o, ORR_F_backup_scheduleCursor, now);
    orr__set_int(o, ORR_F_backup_scheduleAnchor, now);
  }
  orr__set_int(o, ORR_F_backup_paused, pauses);
  orr__tx_update(tx, o, o->dirty);
  orr__flow_event(flow, tx, pauses ? "backup.paused" : "backup.resumed", "info", "%s", pauses ? "paused" : "resumed");
  orr__flow_submit(flow, tx, pause_written);
}

static void pause_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_backup, flow->id, pause_loaded);
}

static void set_paused(orr__flow *flow, bool pauses) {
  flow->id_at = pauses;
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), pause_found);
}

void orr__request_backup_pause(orr__flow *flow) { set_paused(flow, true); }
void orr__request_backup_resume(orr__flow *flow) { set_paused(flow, false); }
