/* Requests: the table, the check of arguments, and the start of the flow that answers.
 *
 * Arguments are checked against the table before anything happens: unknown names are refused with the nearest, missing ones
 * and wrong types all at once, per field. Knows nothing of what the handlers do. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  orr__request_info info;
  orr__step handler;
} requests[] = {
#define REQUEST(name, handler, kind, args, reply, doc) { { name, #kind, args, reply, doc }, orr__request_##handler },
#include "core/requests.def"
#undef REQUEST
};
#define REQUEST_COUNT (sizeof requests / sizeof *requests)

const orr__request_info *orr__request_at(size_t i) { return i < REQUEST_COUNT ? &requests[i].info : NULL; }

static int find(const char *name) {
  for (size_t i = 0; i < REQUEST_COUNT; i++)
    if (strcmp(requests[i].info.name, name) == 0) return (int)i;
  return -1;
}

const orr__request_info *orr__request_find(const char *name) {
  int i = find(name);
  return i < 0 ? NULL : &requests[i].info;
}

static const char *request_name_at(void *arg, size_t i) {
  (void)arg;
  return i < REQUEST_COUNT ? requests[i].info.name : NULL;
}

/* ---- arguments ---------------------------------------------------------------------------------------------- */

#define ARGS_MAX 32

typedef struct arg_spec {
  char name[32];
  char type[12];
  bool is_required;
} arg_spec;

static size_t parse_args(const char *text, arg_spec specs[ARGS_MAX]) {
  size_t count = 0;
  while (*text && count < ARGS_MAX) {
    arg_spec *spec = &specs[count++];
    size_t len = strcspn(text, " "), colon = strcspn(text, ":");
    memset(spec, 0, sizeof *spec);
    spec->is_required = text[len - 1] == '!';
    memcpy(spec->name, text, colon < sizeof spec->name ? colon : sizeof spec->name - 1);
    size_t type_len = len - colon - 1 - spec->is_required;
    memcpy(spec->type, text + colon + 1, type_len < sizeof spec->type ? type_len : sizeof spec->type - 1);
    text += len + (text[len] == ' ');
  }
  return count;
}

static bool has_type(const orr__json *value, const char *type) {
  if (strcmp(type, "map") == 0) return orr__json_is_map(value);
  if (strcmp(type, "list") == 0) return orr__json_is_list(value);
  if (strcmp(type, "text") == 0 || strcmp(type, "ref") == 0) return orr__json_text(value) != NULL;
  bool is_plain = !orr__json_is_map(value) && !orr__json_is_list(value) && !orr__json_text(value);
  char *text = is_plain ? orr__json_print(value) : NULL;
  bool is_flag = text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
  free(text);
  return strcmp(type, "flag") == 0 ? is_flag : is_plain && !is_flag;
}

static const char *arg_name_at(void *arg, size_t i) {
  arg_spec *specs = arg;
  return i < ARGS_MAX && *specs[i].name ? specs[i].name : NULL;
}

static void check_one(const orr__json *value, arg_spec *specs, size_t count, orr_error *err) {
  const char *name = orr__json_key(value);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(specs[i].name, name)) continue;
    if (!has_type(value, specs[i].type))
      orr__error_field(err, name, "must be a %s", strcmp(specs[i].type, "ref") == 0 ? "name or id" : specs[i].type);
    return;
  }
  const char *nearest = orr__nearest(name, arg_name_at, specs);
  if (nearest)
    orr__error_field(err, name, "unknown argument; did you mean '%s'?", nearest);
  else
    orr__error_field(err, name, "unknown argument");
}

/* Nulls count as absent and are taken out. */
static int check_args(const char *request, const char *text, orr__json *args, orr_error *reterr) {
  arg_spec specs[ARGS_MAX + 1];
  memset(specs, 0, sizeof specs);
  size_t count = parse_args(text, specs);
  orr_error err = ORR_ERROR_INIT;
  for (const orr__json *m = orr__json_first(args); m;) {
    const orr__json *next = orr__json_next(m);
    if (orr__json_is_null(m))
      orr__json_remove(args, orr__json_key(m));
    else
      check_one(m, specs, count, &err);
    m = next;
  }
  for (size_t i = 0; i < count; i++)
    if (specs[i].is_required && !orr__json_get(args, specs[i].name))
      orr__error_field(&err, specs[i].name, "is required");
  if (!err.code) return 0;
  orr_error out = ORR_ERROR_INIT;
  orr__error_set(&out, ORR_E_INVALID, "%s: the arguments are not valid", request);
  for (size_t i = 0; i < err.field_count; i++) orr__error_field(&out, err.fields[i].field, "%s", err.fields[i].message);
  orr__error_clear(&err);
  return orr__error_move(reterr, &out);
}

/* ---- submitting --------------------------------------------------------------------------------------------- */

/* The start has told the backend what is kept of its providers. */
static void begin(orr__flow *flow) {
  orr__step handler = flow->inner;
  flow->inner = NULL;
  flow->code = 0;
  orr__flow_release(flow);
  handler(flow);
}

int orr__core_submit(orr__core *core, const char *request, const char *args_text, uint64_t *ret_request,
                     orr_error *reterr) {
  int i = find(request);
  if (i < 0) {
    const char *nearest = orr__nearest(request, request_name_at, NULL);
    return nearest ? orr__error_set(reterr, ORR_E_INVALID, "no request '%.100s'; did you mean '%s'?", request, nearest)
                   : orr__error_set(reterr, ORR_E_INVALID, "no request '%.100s'", request);
  }
  bool may_always = requests[i].info.kind[0] == 'R' || strcmp(request, "runtime.handover") == 0;
  if (core->is_draining && !may_always) return orr__error_set(reterr, ORR_E_CLOSED, "the runtime is closing");
  orr_error err = ORR_ERROR_INIT;
  orr__json *args = orr__json_parse_map(args_text, &err);
  int code = args ? check_args(request, requests[i].info.args, args, &err) : err.code;
  orr__flow *flow = code ? NULL : orr__flow_new(core);
  if (!code && !flow) code = orr__error_set(&err, ORR_E_LIMIT, "too much is going on at once; try again later");
  if (code) {
    orr__json_free(args);
    return orr__error_move(reterr, &err);
  }
  flow->args = args;
  flow->request = ++core->next_request;
  *ret_request = flow->request;
  if (orr__subject_of(core, ORR_START_KEY)) {
    flow->inner = requests[i].handler;
    orr__flow_acquire(flow, ORR_START_KEY, false, begin);
  } else {
    orr__flow_sleep(flow, 0, requests[i].handler);
  }
  return 0;
}

void orr__core_stop_request(orr__core *core, uint64_t request) {
  for (orr__flow *flow = core->flows; flow; flow = flow->next)
    if (flow->request == request) flow->is_stopped = true; /* one that is about to watch: it will not */
  for (orr__watcher **at = &core->watchers; *at; at = &(*at)->next) {
    orr__watcher *w = *at;
    if (w->request != request) continue;
    *at = w->next;
    core->config.sink.reply(core->config.sink.self, request, 0, "{\"stopped\":true}", NULL);
    free(w);
    return;
  }
}

/* ---- what many handlers do first ---------------------------------------------------------------------------- */

const orr__declaration *orr__flow_declare(orr__flow *flow, const char *code) {
  const orr__declaration *declaration = NULL;
  flow->code = flow->core->ops->describe(flow->core->ops->self, code, &declaration, &flow->error);
  return flow->code ? NULL : declaration;
}

int orr__connection_check_enabled(const orr_connection *connection, orr_error *reterr) {
  bool is_disabled = connection && orr__object_has(&connection->head, ORR_F_connection_enabled) && !connection->enabled;
  return is_disabled ? orr__error_set(reterr, ORR_E_REFUSED,
                                      "connection '%s' is not enabled: orrery connection update %s --enable",
                                      connection->name, connection->name)
                     : 0;
}

/* connection, then server, then cloud: each is found, then loaded, then the next. flow->slot4 counts. */
static const struct {
  const char *arg;
  enum orr__model_id model;
} context[] = { { "connection", ORR_M_connection }, { "server", ORR_M_server }, { "cloud", ORR_M_cloud } };

static void context_next(orr__flow *flow);

static void context_loaded(orr__flow *flow) {
  enum orr__model_id model = context[flow->slot4].model;
  orr__object *object = flow->code ? NULL : orr__tx_take(flow->tx, flow->slot, 0);
  if (!flow->code && !object)
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  if (model == ORR_M_connection) flow->graph.connection = (orr_connection *)object;
  if (model == ORR_M_server) flow->graph.server = (orr_server *)object;
  if (model == ORR_M_cloud) {
    orr__object_free((orr__object *)flow->graph.cloud);
    flow->graph.cloud = (orr_cloud *)object;
  }
  if (model == ORR_M_server && flow->graph.server->cloudId) { /* the server's cloud comes before one that was named */
    orr__tx *tx = orr__flow_tx(flow);
    flow->slot4 = 2;
    flow->slot = orr__tx_get(tx, ORR_M_cloud, flow->graph.server->cloudId);
    orr__flow_submit(flow, tx, context_loaded);
    return;
  }
  flow->slot4++;
  context_next(flow);
}

static void context_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_get(tx, context[flow->slot4].model, flow->id);
  orr__flow_submit(flow, tx, context_loaded);
}

static void context_next(orr__flow *flow) {
  for (; flow->slot4 < 3; flow->slot4++) {
    const char *ref = orr__json_str(flow->args, context[flow->slot4].arg);
    if (!ref) continue;
    orr__flow_find(flow, context[flow->slot4].model, ref, context_found);
    return;
  }
  orr__step step = flow->after;
  flow->after = NULL;
  flow->code = 0;
  step(flow);
}

void orr__flow_context(orr__flow *flow, orr__step step) {
  flow->after = step;
  flow->slot4 = 0;
  context_next(flow);
}
