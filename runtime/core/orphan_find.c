/* Looking for orphans: what the other side has under our keys, and nobody here knows.
 *
 *   listBackupResults --> which of the uuids are no result and no orphan? --> none: that is all
 *        ^                                                              +--> some: once more, for one may have been deleted meanwhile
 *        +------------------------------------------------------------------+   --> those that are missing both times are listed
 *
 * After a database has been restored from an older copy these are the results that came after it. Other installations that use the same
 * external system have keys of their own: only a person can tell, so this is done on request, and nothing but a row comes of it. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#define LISTED_MAX 100000
#define CHUNK 2000

/* flow->out: what is listed; flow->id_at: so many are looked up; flow->config: those that were missing the first time; flow->extra: now. */
static void ask(orr__flow *flow);
static void look_up(orr__flow *flow);

static const char *key_of(const orr__json *entry) {
  const char *uuid = orr__json_str(entry, "uuid");
  return uuid && strlen(uuid) <= 64 ? uuid : NULL;
}

static void reply(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_reply(flow, flow->out);
  orr__flow_end(flow);
}

static int add_orphan(orr__flow *flow, orr__tx *tx, const orr__json *entry, orr__json *list) {
  const orr_connection *connection = flow->graph.connection;
  orr_orphan *orphan = orr__orphan_make(flow->core, "result", "found");
  if (!orphan) return orr__flow_no_memory(flow);
  orr__object *o = &orphan->head;
  orr__set_str(o, ORR_F_orphan_uuid, key_of(entry));
  orr__set_str(o, ORR_F_orphan_providerCode, connection->providerCode);
  orr__set_str(o, ORR_F_orphan_connectionName, connection->name);
  orr__set_str(o, ORR_F_orphan_externalId, orr__json_str(entry, "externalId"));
  orr__set_str(o, ORR_F_orphan_snapshotId, orr__json_str(entry, "snapshotId"));
  orr__set_str(o, ORR_F_orphan_status, orr__json_str(entry, "status"));
  orr__tx_insert(tx, o);
  orr__json_append(list, orr__view(o));
  orr__object_free(o);
  return 0;
}

/* Those of this round that were missing in the first one, too. */
static void write(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__json *list = orr__json_list();
  size_t count = 0;
  if (!list) orr__flow_no_memory(flow);
  for (const orr__json *m = orr__json_first(flow->extra); m && !flow->code; m = orr__json_next(m)) {
    if (!orr__json_get(flow->config, orr__json_key(m))) continue;
    add_orphan(flow, tx, m, list);
    count++;
  }
  orr__json_free(flow->out);
  flow->out = list;
  if (flow->code || count == 0) {
    orr__tx_free(tx);
    reply(flow);
    return;
  }
  orr__flow_event(flow, tx, "orphan.found", "warning", "connection %s: %zu outside with our key and no result", flow->graph.connection->name, count);
  orr__flow_submit(flow, tx, reply);
}

/* All are looked up. */
static void compare(orr__flow *flow) {
  if (flow->config) {
    write(flow);
  } else if (!orr__json_first(flow->extra)) {
    orr__json_free(flow->out);
    flow->out = orr__json_list();
    reply(flow);
  } else {
    flow->config = flow->extra;
    flow->extra = NULL;
    ask(flow);
  }
}

static void looked_up(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  size_t at = 0;
  int slot = 0;
  for (const orr__json *m = orr__json_first(flow->out); m && at < flow->id_at + CHUNK; m = orr__json_next(m), at++) {
    const char *key = at < flow->id_at ? NULL : key_of(m);
    if (!key) continue;
    bool is_known = orr__tx_rows(flow->tx, slot) || orr__tx_rows(flow->tx, slot + 1);
    slot += 2;
    if (!is_known) orr__json_put(flow->extra, key, orr__json_copy(m));
  }
  flow->id_at += CHUNK;
  if (flow->id_at < flow->id_count)
    look_up(flow);
  else
    compare(flow);
}

static void look_up(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  size_t at = 0;
  for (const orr__json *m = orr__json_first(flow->out); m && at < flow->id_at + CHUNK; m = orr__json_next(m), at++) {
    const char *key = at < flow->id_at ? NULL : key_of(m);
    if (!key) continue;
    orr__where result = { .field = ORR_F_result_uuid, .compare = ORR_EQ, .text = key };
    orr__where orphan = { .field = ORR_F_orphan_uuid, .compare = ORR_EQ, .text = key };
    orr__query query = { .model = ORR_M_result, .where = &result, .where_count = 1, .order_field = -1, .limit = 1, .fields = 1 };
    orr__tx_query(tx, &query);
    query.model = ORR_M_orphan;
    query.where = &orphan;
    orr__tx_query(tx, &query);
  }
  orr__flow_submit(flow, tx, looked_up);
}

static void taken(orr__flow *flow) {
  const orr__answer *answer = &flow->answer;
  orr__error_clear(&flow->error);
  flow->code = 0;
  if (answer->outcome != ORR_OUTCOME_SUCCESS) {
    flow->code = orr__answer_error(answer, ORR_HOOK_listBackupResults, &flow->error);
    orr__flow_abandon(flow);
    return;
  }
  orr__json_free(flow->out);
  orr__json_free(flow->extra);
  flow->out = answer->data ? orr__json_parse(answer->data, strlen(answer->data), &flow->error) : orr__json_list();
  flow->extra = orr__json_map();
  flow->id_at = 0;
  flow->id_count = 0;
  for (const orr__json *m = orr__json_first(flow->out); m; m = orr__json_next(m)) flow->id_count++;
  if (!flow->out || !flow->extra)
    orr__flow_no_memory(flow);
  else if (flow->id_count > LISTED_MAX)
    flow->code = orr__error_set(&flow->error, ORR_E_LIMIT, "listBackupResults answered more than %d entries", LISTED_MAX);
  if (flow->code)
    orr__flow_abandon(flow);
  else
    look_up(flow);
}

/* A row of the journal, if it came to one, belongs to nothing: nobody would ever remove it. */
static void listed(orr__flow *flow) {
  if (!flow->op || !flow->is_op_stored || flow->core->is_draining) {
    taken(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_delete(tx, ORR_M_op, flow->op->id);
  orr__flow_submit(flow, tx, taken);
}

static void ask(orr__flow *flow) { orr__flow_hook(flow, ORR_HOOK_listBackupResults, listed); }

static void find(orr__flow *flow) {
  const char *code = flow->graph.connection ? flow->graph.connection->providerCode : "";
  if (flow->code || !orr__flow_declaration(flow)) {
    orr__flow_abandon(flow);
  } else if (!orr__flow_has_hook(flow, ORR_HOOK_listBackupResults)) {
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "the provider '%s' cannot list what is outside: it has no listBackupResults", code);
    orr__flow_abandon(flow);
  } else {
    ask(flow);
  }
}

void orr__request_orphans_find(orr__flow *flow) { orr__flow_context(flow, find); }
