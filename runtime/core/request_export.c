/* result.export: the recording of a result as a cassette, for a spec that plays it again.
 *
 * The first line says what it is of: the result, its Backup and connection, without secrets. The lines that follow are the recording's
 * (bindings/recording.c). The result's uuid, which another run does not have, becomes {uuid} wherever it stands. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/internal.h"

#define TEXT_MAX ((size_t)20 << 20) /* of a reply, which has to fit into a line of the protocol */
#define PLACE "{uuid}"

/* What is unset is left out. */
static void put_object(orr__json *map, const char *key, const orr__object *object) {
  orr__json *view = object ? orr__object_to_json(object, 0) : NULL;
  if (view) orr__json_put(map, key, view);
}

/* The names of the secrets that were set, so that a spec can set others in their place. */
static void put_secret_names(orr__json *map, const char *key, const char *secrets, const orr_connection *connection) {
  orr__json *names = orr__json_list(), *values = secrets ? orr__json_parse_map(secrets, NULL) : NULL;
  if (!names) return;
  for (const orr__json *m = orr__json_first(values); m; m = orr__json_next(m)) orr__json_append(names, orr__json_new_str(orr__json_key(m)));
  if (connection && connection->password) orr__json_append(names, orr__json_new_str("password"));
  if (connection && connection->serviceToken) orr__json_append(names, orr__json_new_str("serviceToken"));
  orr__json_free(values);
  orr__json_put(map, key, names);
}

static orr__json *header(const orr__flow *flow) {
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  const orr__graph *g = &flow->graph;
  orr__json_put_int(map, "cassette", 1);
  orr__json_put_str(map, "provider", g->result->providerCode);
  put_object(map, "result", &g->result->head);
  put_object(map, "backup", g->backup ? &g->backup->head : NULL);
  put_object(map, "connection", g->connection ? &g->connection->head : NULL);
  put_secret_names(map, "backupSecrets", g->backup ? g->backup->secrets : NULL, NULL);
  put_secret_names(map, "connectionSecrets", g->connection ? g->connection->secrets : NULL, g->connection);
  put_object(map, "server", g->server ? &g->server->head : NULL);
  put_object(map, "cloud", g->cloud ? &g->cloud->head : NULL);
  return map;
}

static void add_placed(orr__buf *out, const char *text, const char *uuid) {
  size_t len = strlen(uuid);
  for (const char *hit; len > 0 && (hit = strstr(text, uuid)) != NULL; text = hit + len) {
    orr__buf_add(out, text, (size_t)(hit - text));
    orr__buf_adds(out, PLACE);
  }
  orr__buf_adds(out, text);
}

static void export_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  char *recording = NULL, *first = NULL;
  const char *uuid = flow->code ? "" : flow->graph.result->uuid;
  if (!flow->code && (!core->config.records || orr__record_read(core->config.records, uuid, &recording, NULL)))
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND,
                                "of result %lld nothing was recorded: with the setting record_http=failures it is from now on",
                                (long long)flow->graph.result->id);
  orr__json *facts = flow->code ? NULL : header(flow), *out = flow->code ? NULL : orr__json_map();
  orr__buf text;
  orr__buf_init(&text, TEXT_MAX);
  first = facts ? orr__json_print(facts) : NULL;
  if (first && out) {
    add_placed(&text, first, uuid);
    orr__buf_addc(&text, '\n');
    add_placed(&text, recording, uuid);
    if (orr__buf_error(&text))
      flow->code = orr__error_set(&flow->error, ORR_E_LIMIT, "the recording is larger than %zu MiB", TEXT_MAX >> 20);
    else
      orr__json_put_str(out, "cassette", orr__buf_text(&text));
    orr__json_put_str(out, "provider", flow->graph.result->providerCode);
    orr__json_put_str(out, "backup", flow->graph.result->backupName);
    orr__json_put_str(out, "status", flow->graph.result->status);
    orr__json_put_int(out, "id", flow->graph.result->id);
  } else if (!flow->code) {
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  }
  orr__buf_clear(&text);
  orr__json_free(facts);
  free(first);
  free(recording);
  if (flow->code) {
    orr__json_free(out);
    orr__flow_abandon(flow);
    return;
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void export_found(orr__flow *flow) {
  if (flow->code) orr__flow_abandon(flow);
  else orr__flow_load(flow, ORR_M_result, flow->id, export_loaded);
}

void orr__request_result_export(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), export_found);
}
