/* The objects that a hook is tried out with: made from what its author gives as JSON, completed so that a hook finds what it
 * always finds (an id, a uuid, a name, what belongs together).
 *
 *   { "backup": { "name": "x", "config": { "policy": "gold" } }, "backupResult": { "externalId": "7" }, "connection": { "serviceUrl": .. },
 *     "computeServer": {}, "cloud": {}, "config": {}, "executionConfig": {}, "opts": {}, "previous": {}, "name": "x", "args": {} }
 *
 * Options are given as for a creation, by their names; those of a connection beside its fields. */
#include <stdlib.h>
#include <string.h>

#include "core/trial.h"

#define MADE_ID 999999999 /* of what is not stored: no real one has it */

static const orr__option *option_of(const orr__option *options, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (orr__streq(options[i].field_name, name)) return &options[i];
  return NULL;
}

/* Where the members of a map belong: to the object's fields, among the declared options, or into its free configuration. */
typedef struct parts {
  orr__json *fields, *declared, *free;
} parts;

static int split(parts *p, const orr__object *object, const orr__json *map, const orr__option *options, size_t count) {
  p->fields = orr__json_map();
  p->declared = orr__json_map();
  p->free = orr__json_map();
  if (!p->fields || !p->declared || !p->free) return ORR_E_NOMEM;
  for (const orr__json *m = orr__json_first(map); m; m = orr__json_next(m)) {
    const char *key = orr__json_key(m);
    bool is_config = orr__streq(key, "config") && orr__json_is_map(m);
    bool is_option = orr__field_find(object->model, key) < 0 && option_of(options, count, key);
    for (const orr__json *c = is_config ? orr__json_first(m) : NULL; c; c = orr__json_next(c))
      orr__json_put(option_of(options, count, orr__json_key(c)) ? p->declared : p->free, orr__json_key(c), orr__json_copy(c));
    if (!is_config) orr__json_put(is_option ? p->declared : p->fields, key, orr__json_copy(m));
  }
  return 0;
}

static void parts_clear(parts *p) {
  orr__json_free(p->fields);
  orr__json_free(p->declared);
  orr__json_free(p->free);
}

/* The members that are no fields at all are named with the word in front: "backup.nme". */
static int refuse(orr__flow *flow, const char *what, const orr_error *err) {
  orr__error_set(&flow->error, ORR_E_INVALID, "the %s given cannot be one", what);
  for (size_t i = 0; i < err->field_count; i++) {
    char *field = orr__strf("%s.%s", what, err->fields[i].field);
    orr__error_field(&flow->error, field ? field : what, "%s", err->fields[i].message);
    free(field);
  }
  return flow->code = ORR_E_INVALID;
}

static int fill(orr__flow *flow, const char *what, orr__object *object, const orr__json *map, const orr__option *options, size_t count) {
  int config = orr__field_find(object->model, "config"), secrets = orr__field_find(object->model, "secrets");
  parts p = { NULL, NULL, NULL };
  orr_error err = ORR_ERROR_INIT;
  if (map && !orr__json_is_map(map))
    return flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "%s must be an object with its fields", what);
  int code = split(&p, object, map, options, count);
  if (!code) code = orr__object_from_json(object, p.fields, ~UINT64_C(0), &err);
  if (!code && orr__json_count(p.free)) code = orr__object_set_map(object, config, p.free);
  if (!code && secrets >= 0) code = orr__options_apply(options, count, object, config, secrets, p.declared, &err);
  parts_clear(&p);
  if (err.field_count || err.code) refuse(flow, what, &err);
  else if (code) orr__flow_no_memory(flow);
  orr__error_clear(&err);
  return flow->code;
}

static void put_default(orr__object *object, const char *name, const char *text) {
  int field = orr__field_find(object->model, name);
  if (field >= 0 && !orr__object_has(object, field)) orr__set_str(object, field, text);
}

/* A new object with what every stored one has. */
static orr__object *made(orr__flow *flow, enum orr__model_id model, const char *what, const orr__json *map, const orr__option *options,
                         size_t count) {
  orr__object *object = orr__object_new(model);
  char uuid[37];
  if (!object) {
    orr__flow_no_memory(flow);
    return NULL;
  }
  if (fill(flow, what, object, map, options, count)) {
    orr__object_free(object);
    return NULL;
  }
  orr__random_uuid(flow->core->config.random, uuid);
  put_default(object, "uuid", uuid);
  put_default(object, "name", "tried");
  put_default(object, "providerCode", flow->trial->provider);
  if (orr__object_id(object) == 0) orr__set_int(object, 0, MADE_ID);
  return object;
}

static bool takes(enum orr__hook hook, enum orr__hook_arg arg) {
  for (size_t i = 0; i < ORR_HOOK_ARGS; i++)
    if (orr__hooks[hook].args[i] == arg) return true;
  return false;
}

/* What refers to what; a result is of the Backup it came with. */
static void link_objects(orr__graph *g) {
  if (g->backup && g->connection) orr__set_int(&g->backup->head, ORR_F_backup_backupProviderId, g->connection->id);
  if (g->backup && g->server) orr__set_int(&g->backup->head, ORR_F_backup_computeServerId, g->server->id);
  if (g->backup && g->cloud && !g->server) orr__set_int(&g->backup->head, ORR_F_backup_cloudId, g->cloud->id);
  if (g->server && g->cloud) orr__set_int(&g->server->head, ORR_F_server_cloudId, g->cloud->id);
  if (!g->result) return;
  orr__object *o = &g->result->head;
  if (g->backup) orr__set_int(o, ORR_F_result_backupId, g->backup->id);
  if (g->connection) orr__set_int(o, ORR_F_result_connectionId, g->connection->id);
  if (g->server) orr__set_int(o, ORR_F_result_computeServerId, g->server->id);
}

static void complete_result(orr__flow *flow, const orr__json *objects, enum orr__hook hook) {
  orr__object *o = &flow->graph.result->head;
  int64_t now = orr__now(flow->core);
  put_default(o, "backupName", flow->graph.backup->name);
  put_default(o, "status", hook == ORR_HOOK_prepareBackupResult || hook == ORR_HOOK_executeBackup ? "INITIALIZING" : "IN_PROGRESS");
  put_default(o, "executionConfig", "{}");
  put_default(o, "trigger", "manual");
  if (!orr__object_has(o, ORR_F_result_createdDate)) orr__set_int(o, ORR_F_result_createdDate, now);
  if (!orr__object_has(o, ORR_F_result_startDate)) orr__set_int(o, ORR_F_result_startDate, now);
  const orr__json *execution = orr__json_get(objects, "executionConfig");
  if (execution) orr__object_set_map(o, ORR_F_result_executionConfig, execution);
}

static const char *const keys[] = { "backup", "backupResult", "cloud", "computeServer", "connection", "backupProvider", "previous", "config",
                                    "executionConfig", "opts", "name", "args" };

static const char *key_at(void *arg, size_t i) {
  (void)arg;
  return i < sizeof keys / sizeof *keys ? keys[i] : NULL;
}

static int check_keys(orr__flow *flow, const orr__json *objects) {
  for (const orr__json *m = orr__json_first(objects); m; m = orr__json_next(m)) {
    bool is_known = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) is_known = is_known || orr__streq(keys[i], orr__json_key(m));
    const char *near = orr__nearest(orr__json_key(m), key_at, NULL);
    if (!is_known)
      return flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "no hook takes '%s'%s%s%s", orr__json_key(m),
                                         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
  }
  return 0;
}

/* Plain data: configuration, opts, the name and arguments of cleanUp. */
static int take_data(orr__flow *flow, enum orr__hook hook, const orr__json *objects) {
  const orr__json *opts = orr__json_get(objects, "opts"), *args = orr__json_get(objects, takes(hook, ORR_ARG_ARGS) ? "args" : "config");
  const char *name = orr__json_str(objects, "name");
  if (takes(hook, ORR_ARG_CONFIG) || takes(hook, ORR_ARG_ARGS)) flow->config = args ? orr__json_copy(args) : orr__json_map();
  if (opts) flow->opts = orr__json_copy(opts);
  if (opts) flow->extra = orr__json_copy(opts); /* also those that the runtime has a value for */
  if (takes(hook, ORR_ARG_NAME) && !name)
    return flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "%s takes a name: give \"name\"", orr__hooks[hook].name);
  if (name && !(flow->call_name = orr__strdup(name))) return orr__flow_no_memory(flow);
  return 0;
}

int orr__trial_objects(orr__flow *flow, const orr__declaration *d, enum orr__hook hook, const orr__json *objects) {
  orr__graph *g = &flow->graph;
  bool has_result = takes(hook, ORR_ARG_RESULT), has_backup = has_result || takes(hook, ORR_ARG_BACKUP);
  const orr__json *connection = orr__json_get(objects, "connection");
  if (!connection) connection = orr__json_get(objects, "backupProvider");
  if (check_keys(flow, objects) || take_data(flow, hook, objects)) return flow->code;
  if (!g->connection && (connection || takes(hook, ORR_ARG_CONNECTION)))
    g->connection = (orr_connection *)made(flow, ORR_M_connection, "connection", connection, d->connection_options, d->connection_option_count);
  if (!flow->code && has_backup)
    g->backup = (orr_backup *)made(flow, ORR_M_backup, "backup", orr__json_get(objects, "backup"), d->options, d->option_count);
  if (!flow->code && orr__json_get(objects, "cloud"))
    g->cloud = (orr_cloud *)made(flow, ORR_M_cloud, "cloud", orr__json_get(objects, "cloud"), NULL, 0);
  if (!flow->code && orr__json_get(objects, "computeServer"))
    g->server = (orr_server *)made(flow, ORR_M_server, "computeServer", orr__json_get(objects, "computeServer"), NULL, 0);
  if (!flow->code && has_result)
    g->result = (orr_result *)made(flow, ORR_M_result, "backupResult", orr__json_get(objects, "backupResult"), NULL, 0);
  if (!flow->code && takes(hook, ORR_ARG_PREVIOUS))
    flow->trial->previous = (orr_backup *)made(flow, ORR_M_backup, "previous", orr__json_get(objects, "previous"), d->options, d->option_count);
  if (flow->code) return flow->code;
  link_objects(g);
  if (g->result) complete_result(flow, objects, hook);
  return 0;
}
