/* Before a hook is called: secrets and inventory that the host keeps are put into the call's objects.
 *
 *   call --> nothing of it is the host's --------------------------> the backend
 *        \-> a call to the host for each, one after the other -----> the backend, or answered with why not
 *
 * What is put in is for this call only: it is not dirty, so nothing of it is stored. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/native.h"

#define PREFIX "host:"

typedef struct preparing {
  struct orr__native *native;
  orr__call *call;
  uint64_t id;                   /* the call's */
  uint64_t hostcall;
  orr__object *object;           /* what is being looked up: of it */
  int field;
  char *key;                     /* the entry of a map of secrets, or NULL */
  bool has_server, has_cloud;    /* their inventory was asked for */
  int stop;
} preparing;

static void go_on(preparing *p);

static void free_preparing(preparing *p) {
  orr__map_remove(&p->native->preparing, p->id);
  free(p->key);
  free(p);
}

/* Answers the core; takes err. */
static void give_up(preparing *p, enum orr__outcome outcome, orr_error *err) {
  const orr__provider_host *host = p->native->host;
  orr__call *call = p->call;
  orr__answer answer = { .outcome = outcome, .retry_after = -1, .has_left_nothing = true };
  orr__error_move(&answer.error, err);
  free_preparing(p);
  host->answered(host->core, call, &answer);
}

/* ---- secrets ------------------------------------------------------------------------------------------------ */

static bool is_elsewhere(const char *text) { return text && orr__starts_with(text, PREFIX) && text[strlen(PREFIX)]; }

/* The next secret of the object that is kept elsewhere: its name there, owned; NULL: none. */
static char *next_secret(preparing *p, void *of) {
  orr__object *object = of;
  char *name = NULL;
  for (size_t i = 0; object && i < object->model->field_count && !name; i++) {
    const orr__field *field = &object->model->fields[i];
    if (!(field->flags & ORR_FIELD_SECRET)) continue;
    const char *text = field->type == ORR_T_STR || field->type == ORR_T_MAP ? orr__get_str(object, (int)i) : NULL;
    p->object = object;
    p->field = (int)i;
    if (field->type == ORR_T_STR && is_elsewhere(text)) name = orr__strdup(text + strlen(PREFIX));
    if (field->type != ORR_T_MAP || !text || !strstr(text, PREFIX)) continue;
    orr__json *map = orr__object_map(object, (int)i);
    for (const orr__json *m = orr__json_first(map); m && !name; m = orr__json_next(m)) {
      if (!is_elsewhere(orr__json_text(m))) continue;
      name = orr__strdup(orr__json_text(m) + strlen(PREFIX));
      p->key = orr__strdup(orr__json_key(m));
    }
    orr__json_free(map);
  }
  return name;
}

static int put_secret(preparing *p, const char *value) {
  uint64_t dirty = p->object->dirty;
  int code;
  if (p->key) {
    orr__json *map = orr__object_map(p->object, p->field);
    code = map ? orr__json_put_str(map, p->key, value) : ORR_E_NOMEM;
    if (!code) code = orr__object_set_map(p->object, p->field, map);
    orr__json_free(map);
  } else {
    code = orr__set_str(p->object, p->field, value);
  }
  p->object->dirty = dirty;
  free(p->key);
  p->key = NULL;
  return code;
}

/* A value that is itself "host:..." would be asked for again, for ever. */
static int take_secret(preparing *p, const orr__json *answer, orr_error *reterr) {
  const char *value = orr__json_str(answer, "value");
  if (is_elsewhere(value)) return orr__error_set(reterr, ORR_E_INVALID, "the host answered a secret that refers to another one");
  return put_secret(p, value) ? orr__error_set(reterr, ORR_E_NOMEM, "out of memory") : 0;
}

/* ---- inventory ---------------------------------------------------------------------------------------------- */

static int take_inventory(const preparing *p, const orr__json *answer, orr_error *reterr) {
  uint64_t allowed = 0, dirty = p->object->dirty;
  for (size_t i = 0; i < p->object->model->field_count; i++)
    if (!(p->object->model->fields[i].flags & (ORR_FIELD_READONLY | ORR_FIELD_DERIVED))) allowed |= ORR_BIT(i);
  int code = orr__object_from_json(p->object, answer, allowed, reterr);
  p->object->dirty = dirty;
  return code;
}

static bool takes(const orr__call *call, enum orr__hook_arg arg) {
  for (size_t i = 0; i < ORR_HOOK_ARGS; i++)
    if (orr__hooks[call->hook].args[i] == arg) return true;
  return false;
}

/* The next of them: as the arguments of the call, owned; NULL: none. */
static char *next_inventory(preparing *p) {
  orr__graph *graph = &p->call->graph;
  bool is_server = !p->has_server && graph->server && takes(p->call, ORR_ARG_SERVER);
  bool is_cloud = !is_server && !p->has_cloud && graph->cloud && takes(p->call, ORR_ARG_CLOUD);
  p->has_server = p->has_server || is_server;
  p->has_cloud = p->has_cloud || is_cloud;
  if (!is_server && !is_cloud) return NULL;
  p->object = is_server ? &graph->server->head : &graph->cloud->head;
  orr__json *map = orr__json_map(), *value = orr__object_to_json(p->object, 0);
  if (!map || !value || orr__json_put(map, is_server ? "computeServer" : "cloud", value)) {
    if (!map) orr__json_free(value);
    orr__json_free(map);
    return NULL;
  }
  return orr__json_spent(map);
}

/* ---- one after the other ------------------------------------------------------------------------------------ */

static void on_reply(preparing *p, const orr__hostcall_reply *reply, int (*take)(preparing *, const orr__json *, orr_error *)) {
  orr_error err = ORR_ERROR_INIT;
  orr__json *answer = reply->code ? NULL : orr__json_parse(reply->text, strlen(reply->text), NULL);
  if (p->stop) orr__error_set(&err, p->stop, "%s", p->stop == ORR_E_DEADLINE ? "the host has not answered in time" : "interrupted");
  else if (reply->code) orr__error_set(&err, reply->code, "%s", reply->message);
  else if (!answer) orr__error_set(&err, ORR_E_NOMEM, "out of memory");
  else take(p, answer, &err);
  orr__json_free(answer);
  if (!err.code) {
    go_on(p);
    return;
  }
  enum orr__outcome outcome = p->stop == ORR_E_CANCELLED ? ORR_OUTCOME_INTERRUPTED : err.retryable ? ORR_OUTCOME_RETRY : ORR_OUTCOME_ERROR;
  give_up(p, outcome, &err);
}

static void on_secret(void *arg, const orr__hostcall_reply *reply) { on_reply(arg, reply, take_secret); }
static int take_fields(preparing *p, const orr__json *answer, orr_error *reterr) { return take_inventory(p, answer, reterr); }
static void on_inventory(void *arg, const orr__hostcall_reply *reply) { on_reply(arg, reply, take_fields); }

/* What is to be asked next: arguments (owned) and service; NULL: nothing more. */
static char *next(preparing *p, const char **ret_service, orr__hostcall_done *ret_done) {
  orr__hostcalls *calls = p->native->rt->calls;
  char *name = NULL, *text = NULL;
  if (orr__hostcalls_offers(calls, "secrets")) {
    name = next_secret(p, p->call->graph.connection);
    if (!name) name = next_secret(p, p->call->graph.backup);
  }
  if (name) {
    orr__json *map = orr__json_map();
    if (map && orr__json_put_str(map, "name", name) == 0) text = orr__json_print(map);
    orr__json_free(map);
    free(name);
    *ret_service = "secrets";
    *ret_done = on_secret;
  } else if (orr__hostcalls_offers(calls, "inventory")) {
    text = next_inventory(p);
    *ret_service = "inventory";
    *ret_done = on_inventory;
  }
  return text;
}

static void go_on(preparing *p) {
  struct orr__native *native = p->native;
  orr_error err = ORR_ERROR_INIT;
  const char *service;
  orr__hostcall_done done;
  orr__call *call = p->call;
  int64_t left = call->deadline_mono_ms - orr__loop_mono_ms(native->rt->loop);
  char *text = next(p, &service, &done);
  if (text) {
    int code = orr__hostcall_start(native->rt->calls, service, text, left > 1 ? left : 1, done, p, &p->hostcall, &err);
    free(text);
    if (!code) return;
  } else {
    free_preparing(p);
    if (orr__prepared_call(native, call, &err) == 0) return;
    const orr__provider_host *host = native->host;
    orr__answer answer = { .outcome = ORR_OUTCOME_ERROR, .retry_after = -1, .has_left_nothing = true };
    orr__error_move(&answer.error, &err);
    host->answered(host->core, call, &answer);
    return;
  }
  give_up(p, ORR_OUTCOME_ERROR, &err);
}

int orr__prepare_call(struct orr__native *native, orr__call *call, orr_error *reterr) {
  orr__hostcalls *calls = native->rt->calls;
  preparing first = { .native = native, .call = call, .id = call->id };
  const char *service;
  orr__hostcall_done done;
  bool is_asked = orr__hostcalls_offers(calls, "secrets") || orr__hostcalls_offers(calls, "inventory");
  char *text = is_asked ? next(&first, &service, &done) : NULL;
  if (!text) {
    free(first.key);
    return orr__prepared_call(native, call, reterr);
  }
  preparing *p = malloc(sizeof *p);
  int64_t left = call->deadline_mono_ms - orr__loop_mono_ms(native->rt->loop);
  int code = p && orr__map_put(&native->preparing, call->id, p) == 0 ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (p) *p = first;
  if (!code) code = orr__hostcall_start(calls, service, text, left > 1 ? left : 1, done, p, &p->hostcall, reterr);
  free(text);
  if (!code) return 0;
  orr__map_remove(&native->preparing, call->id);
  free(first.key);
  free(p);
  return code;
}

bool orr__prepare_interrupt(struct orr__native *native, uint64_t call_id, const char *why) {
  (void)why;
  preparing *p = orr__map_get(&native->preparing, call_id);
  if (!p) return false;
  p->stop = ORR_E_CANCELLED;
  orr__hostcall_abort(native->rt->calls, p->hostcall);
  return true;
}

/* Their calls to the host end by themselves, later, and find nobody. */
void orr__prepare_close(struct orr__native *native) {
  uint64_t id;
  void *value;
  for (size_t pos = 0; orr__map_next(&native->preparing, &pos, &id, &value); pos = 0) {
    preparing *p = value;
    orr_error err = ORR_ERROR_INIT;
    orr__hostcall_forget(native->rt->calls, p->hostcall);
    orr__error_set(&err, ORR_E_CANCELLED, "the runtime is closing");
    give_up(p, ORR_OUTCOME_INTERRUPTED, &err);
  }
}
