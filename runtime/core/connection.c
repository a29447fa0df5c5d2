/* Changing a connection, and trying whether it works.
 *
 *   update   read, changed, written if nobody else has changed it meanwhile, else from the start; one transaction with an event
 *   test     testConnection(connection): one hook, of which nothing is kept
 *
 * Hooks in flight go on with what they were called with; sessions that were opened with the old values are forgotten. A Backup is
 * not configured again because its connection has changed. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5

/* ---- update ------------------------------------------------------------------------------------------------- */

static void update(orr__flow *flow);

static void reply_changed(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put(out, "connection", orr__view(&flow->graph.connection->head));
    orr__json_put(out, "changed", orr__json_copy(flow->out));
    orr__json_put_str(out, "msg", orr__json_count(flow->out) ? NULL : "nothing was changed: it is like that already");
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

static void reload(orr__flow *flow) {
  if (!flow->code && !orr__tx_take_graph(flow->tx, flow->slot, &flow->graph))
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  if (flow->code)
    orr__flow_abandon(flow);
  else
    update(flow);
}

static void written(orr__flow *flow) {
  orr__core *core = flow->core;
  int64_t id = flow->graph.connection->id;
  if (flow->code == ORR_E_CONFLICT && ++flow->attempt <= TRIES) {
    orr__graph_clear(&flow->graph);
    orr__tx *tx = orr__flow_tx(flow);
    flow->slot = orr__tx_graph(tx, ORR_M_connection, id);
    orr__flow_submit(flow, tx, reload);
    return;
  }
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (core->ops->forget_connection) core->ops->forget_connection(core->ops->self, id);
  reply_changed(flow);
}

/* Its options, where some are given: their values are checked as at the beginning. */
static int apply_options(orr__flow *flow, orr__object *object) {
  const orr__json *config = orr__json_get(flow->args, "config"), *unset = orr__json_get(flow->args, "unset");
  if (!orr__json_count(config) && !orr__json_count(unset)) return 0;
  const orr__declaration *d = orr__flow_declaration(flow);
  if (!d) return flow->code;
  const orr__option *options = d->connection_options;
  size_t count = d->connection_option_count;
  const int maps[] = { ORR_F_connection_config, ORR_F_connection_secrets };
  orr__error_clear(&flow->findings);
  int code = orr__options_unset(options, count, object, maps[0], maps[1], unset, config, &flow->findings);
  if (!code) code = orr__options_apply(options, count, object, maps[0], maps[1], config, &flow->findings);
  if (code) return orr__flow_no_memory(flow);
  orr__options_check(options, count, object, maps[0], maps[1], &flow->findings);
  if (!flow->findings.field_count) return 0;
  orr__error_set(&flow->error, ORR_E_INVALID, "connection '%s' would not be valid", flow->graph.connection->name);
  for (size_t i = 0; i < flow->findings.field_count; i++)
    orr__error_field(&flow->error, flow->findings.fields[i].field, "%s", flow->findings.fields[i].message);
  return flow->code = ORR_E_INVALID;
}

static int apply(orr__flow *flow) {
  orr__object *object = &flow->graph.connection->head;
  const char *name = orr__json_str(flow->args, "rename");
  const orr__json *enabled = orr__json_get(flow->args, "enabled");
  if (name && orr__name_check(name, &flow->error)) return flow->code = flow->error.code;
  if (name && orr__set_str(object, ORR_F_connection_name, name)) return orr__flow_no_memory(flow);
  if (enabled) orr__set_int(object, ORR_F_connection_enabled, orr__json_value_bool(enabled, true));
  return apply_options(flow, object);
}

static void write(orr__flow *flow, const orr__object *before, uint64_t mask) {
  orr_connection *connection = flow->graph.connection;
  orr__object *object = &connection->head;
  int64_t last = ((const orr_connection *)before)->updatedDate, now = orr__now(flow->core);
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_int(tx, ORR_M_connection, connection->id, ORR_F_connection_updatedDate, last);
  orr__set_int(object, ORR_F_connection_updatedDate,
               now > last ? now : last + 1); /* each change has a date of its own */
  orr__tx_update(tx, object, mask | ORR_BIT(ORR_F_connection_updatedDate));
  char *text = orr__changes_text(flow->out);
  orr__flow_event(flow, tx, "connection.updated", "info", "changed: %s", text ? text : "");
  free(text);
  orr__flow_submit(flow, tx, written);
}

static void update(orr__flow *flow) {
  orr__object *before = orr__object_copy(&flow->graph.connection->head);
  orr__json_free(flow->out);
  flow->out = orr__json_list();
  if (!before || !flow->out) orr__flow_no_memory(flow);
  if (!flow->code) apply(flow);
  uint64_t mask = flow->code ? 0 : orr__changes_find(before, &flow->graph.connection->head, flow->out);
  if (flow->code)
    orr__flow_abandon(flow);
  else if (mask == 0)
    reply_changed(flow);
  else
    write(flow, before, mask);
  orr__object_free(before);
}

void orr__request_connection_update(orr__flow *flow) { orr__flow_context(flow, update); }

/* ---- test --------------------------------------------------------------------------------------------------- */

static void test_told(orr__flow *flow) {
  const orr__answer *answer = &flow->answer;
  if (answer->outcome != ORR_OUTCOME_SUCCESS) {
    orr__error_clear(&flow->error);
    flow->code = orr__answer_error(answer, ORR_HOOK_testConnection, &flow->error);
    orr__flow_abandon(flow);
    return;
  }
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put_str(out, "connection", flow->graph.connection->name);
    orr__json_put_str(out, "msg", answer->msg);
    orr__json_put(out, "data",
                  answer->data ? orr__json_parse(answer->data, strlen(answer->data), NULL) : orr__json_null());
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

/* A row of the journal, if it came to one, belongs to no result and no Backup: nobody would ever remove it. */
static void tested(orr__flow *flow) {
  if (!flow->op || !flow->is_op_stored || flow->core->is_draining) {
    test_told(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_delete(tx, ORR_M_op, flow->op->id);
  orr__flow_submit(flow, tx, test_told);
}

static void test(orr__flow *flow) {
  const char *code = flow->graph.connection->providerCode;
  if (!orr__flow_declaration(flow)) {
    orr__flow_abandon(flow);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_testConnection)) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED,
                                "the provider '%s' cannot test connections: it has no testConnection", code);
    orr__flow_abandon(flow);
  } else {
    orr__flow_hook(flow, ORR_HOOK_testConnection, tested);
  }
}

void orr__request_connection_test(orr__flow *flow) { orr__flow_context(flow, test); }
