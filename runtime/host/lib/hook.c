/* Handles of hooks in C: what orrery.h lets a host do with one. The states of a call, and who owns what, are in native.h.
 *
 * Reads answers by the rules that answer.c of the bindings has for Lua, from JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/native.h"

/* ---- what it is given --------------------------------------------------------------------------------------- */

static int put_object(orr__json *map, const char *name, const void *object) {
  orr__json *value = object ? orr__object_to_json(object, 0) : NULL;
  return !object ? 0 : value ? orr__json_put(map, name, value) : ORR_E_NOMEM;
}

static int put_text(orr__json *map, const char *name, const char *json) {
  orr__json *value = orr__json_parse_map(json, NULL);
  return value ? orr__json_put(map, name, value) : ORR_E_NOMEM;
}

static int put_graph(orr__json *map, const orr__graph *graph) {
  int code = put_object(map, "backupResult", graph->result);
  if (!code) code = put_object(map, "backup", graph->backup);
  if (!code) code = put_object(map, "connection", graph->connection);
  if (!code) code = put_object(map, "cloud", graph->cloud);
  return code ? code : put_object(map, "computeServer", graph->server);
}

static int put_batch(orr__json *map, const orr__call *call) {
  orr__json *list = orr__json_list();
  int code = list ? 0 : ORR_E_NOMEM;
  for (size_t i = 0; !code && i < call->batch_count; i++) {
    orr__json *one = call->batch[i].result ? orr__object_to_json(&call->batch[i].result->head, 0) : orr__json_null();
    code = one ? orr__json_append(list, one) : ORR_E_NOMEM;
  }
  if (!code) return orr__json_put(map, "backupResults", list);
  orr__json_free(list);
  return code;
}

char *orr__hook_text(const orr__call *call) {
  orr__json *map = orr__json_map();
  int code = map ? put_graph(map, &call->graph) : ORR_E_NOMEM;
  if (!code) code = put_text(map, "opts", call->opts);
  if (!code && call->config) code = put_text(map, "config", call->config);
  if (!code) code = put_text(map, "executionConfig", call->execution_config);
  if (!code && call->name) code = orr__json_put_str(map, "name", call->name);
  if (!code && call->previous) code = put_object(map, "previous", call->previous);
  if (!code && call->batch) code = put_batch(map, call);
  char *text = code ? NULL : orr__json_print(map);
  orr__json_free(map);
  return text;
}

const char *orr_hook_name(const orr_hook *hook) { return hook ? orr__hooks[hook->hook].name : NULL; }
const char *orr_hook_json(const orr_hook *hook) { return hook ? hook->json : NULL; }

/* ---- coming in ---------------------------------------------------------------------------------------------- */

static int ended(orr_error *reterr) { return orr__error_set(reterr, ORR_E_CANCELLED, "the call of this hook has ended"); }

/* Inside, with a call that goes on; else not 0, and outside. */
static int enter(const orr_hook *hook, orr_error *reterr) {
  if (!hook) return orr__error_set(reterr, ORR_E_MISUSE, "there is no hook: NULL");
  int code = orr__enter(hook->rt, reterr);
  if (code || (hook->call && !hook->is_answered)) return code;
  orr__leave(hook->rt);
  return ended(reterr);
}

int orr_hook_stopped(const orr_hook *hook) {
  orr_error err = ORR_ERROR_INIT;
  int code = enter(hook, &err);
  orr__error_clear(&err);
  if (code) return code;
  code = hook->stop;
  orr__leave(hook->rt);
  return code;
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

static orr__object *head_of(void *object) { return object; /* every model begins with its head */ }

/* The object that the path begins with, and *path behind it; NULL: none. */
static orr__object *object_of(orr__call *call, const char **path) {
  static const char results[] = "backupResults.";
  if (orr__starts_with(*path, "backupResult.")) {
    *path += strlen("backupResult.");
    return head_of(call->graph.result);
  }
  if (orr__starts_with(*path, "backup.")) {
    *path += strlen("backup.");
    return head_of(call->graph.backup);
  }
  if (!orr__starts_with(*path, results)) return NULL;
  char *end;
  unsigned long i = strtoul(*path + strlen(results), &end, 10);
  if (*end != '.' || i >= call->batch_count) return NULL;
  *path = end + 1;
  return head_of(call->batch[i].result);
}

static int set_config(orr__object *object, int field, const char *path, orr__json *value, orr_error *reterr) {
  orr__json *map = orr__object_map(object, field);
  if (!map) {
    orr__json_free(value);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  int code = orr__json_path_set(map, path, orr__json_is_null(value) ? NULL : value, reterr);
  if (orr__json_is_null(value)) orr__json_free(value);
  if (!code && (code = orr__object_set_map(object, field, map))) orr__error_set(reterr, code, "config: too large");
  orr__json_free(map);
  return code;
}

static int set_field(orr__object *object, const char *name, const orr__json *value, orr_error *reterr) {
  int field = orr__field_find(object->model, name);
  if (field < 0) {
    const char *nearest = orr__field_nearest(object->model, name);
    return nearest ? orr__error_set(reterr, ORR_E_INVALID, "%s has no field '%s'; did you mean '%s'?", object->model->class_name, name, nearest)
                   : orr__error_set(reterr, ORR_E_INVALID, "%s has no field '%s'", object->model->class_name, name);
  }
  if (object->model->fields[field].flags & (ORR_FIELD_READONLY | ORR_FIELD_DERIVED))
    return orr__error_set(reterr, ORR_E_INVALID, "%s.%s is not for providers to write", object->model->class_name, name);
  if (!orr__json_is_null(value)) return orr__field_from_json(object, field, value, reterr);
  orr__unset(object, field);
  return 0;
}

static int set_value(orr_hook *hook, const char *path, orr__json *value, orr_error *reterr) {
  const char *rest = path;
  orr__object *object = object_of(hook->call, &rest);
  if (!object) {
    orr__json_free(value);
    return orr__error_set(reterr, ORR_E_INVALID, "'%.80s': this hook has no such object to write to", path);
  }
  int config = orr__field_find(object->model, "config");
  if (orr__starts_with(rest, "config.") && config >= 0) return set_config(object, config, rest + strlen("config."), value, reterr);
  int code = set_field(object, rest, value, reterr);
  orr__json_free(value);
  return code;
}

int orr_hook_set(orr_hook *hook, const char *path, const char *json, orr_error *reterr) {
  if (!path) return orr__error_set(reterr, ORR_E_MISUSE, "orr_hook_set needs a path");
  orr__json *value = orr__json_parse(json ? json : "null", json ? strlen(json) : 4, reterr);
  if (!value) return ORR_E_INVALID;
  int code = enter(hook, reterr);
  if (code) {
    orr__json_free(value);
    return code;
  }
  code = set_value(hook, path, value, reterr);
  orr__leave(hook->rt);
  return code;
}

static const char *keep(orr_hook *hook, char *text) {
  orr__kept_text *kept = text ? malloc(sizeof *kept) : NULL;
  if (!kept) {
    free(text);
    return NULL;
  }
  *kept = (orr__kept_text){ hook->texts, text };
  hook->texts = kept;
  return text;
}

static char *secret_of(orr__object *object, const char *name) {
  int field = object ? orr__field_find(object->model, name) : -1, secrets = object ? orr__field_find(object->model, "secrets") : -1;
  if (field >= 0 && object->model->fields[field].type == ORR_T_STR && (object->model->fields[field].flags & ORR_FIELD_SECRET))
    return orr__strdup(orr__get_str(object, field));
  orr__json *map = secrets >= 0 ? orr__object_map(object, secrets) : NULL;
  char *text = orr__strdup(orr__json_text(orr__json_path_get(map, name)));
  orr__json_free(map);
  return text;
}

const char *orr_hook_secret(orr_hook *hook, const char *path) {
  if (!path || enter(hook, NULL)) return NULL;
  const char *text = NULL;
  if (orr__starts_with(path, "connection.")) text = keep(hook, secret_of(head_of(hook->call->graph.connection), path + strlen("connection.")));
  else if (orr__starts_with(path, "backup.")) text = keep(hook, secret_of(head_of(hook->call->graph.backup), path + strlen("backup.")));
  orr__leave(hook->rt);
  return text;
}

/* ---- marks and checkpoints ---------------------------------------------------------------------------------- */

typedef struct asked {
  orr_hook *hook;
  bool is_mark;
  orr_hook_ready ready;
  void *arg;
} asked;

static void on_ready(void *arg, int code, const orr_error *err) {
  asked *a = arg;
  orr_hook *hook = a->hook;
  if (a->is_mark && !code && hook->call) hook->call->is_marked_sent = true;
  a->ready(a->arg, hook, code, err);
  hook->asks--;
  orr__hook_free(hook);
  free(a);
}

/* Inside. */
static int ask(orr_hook *hook, const char *act, orr_hook_ready ready, void *arg, orr_error *reterr) {
  const orr__provider_host *host = hook->rt->native->host;
  orr__object *object = head_of(hook->call->graph.result);
  if (!act && !object) object = head_of(hook->call->graph.backup);
  if (!act && (!object || !orr__object_id(object))) return orr__error_set(reterr, ORR_E_MISUSE, "this hook has nothing that is persisted already");
  if (!act) orr__secrets_clean_object(&hook->secrets, object);
  if (hook->stop) return orr__error_set(reterr, hook->stop, "%s", hook->stop_why ? hook->stop_why : "stopped");
  asked *a = malloc(sizeof *a);
  if (!a) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  *a = (asked){ hook, act != NULL, ready, arg };
  hook->asks++;
  if (act) host->mark_sent(host->core, hook->id, act, on_ready, a);
  else host->checkpoint(host->core, hook->id, object, on_ready, a);
  return 0;
}

static int ask_then(orr_hook *hook, const char *act, orr_hook_ready ready, void *arg, orr_error *reterr) {
  int code = enter(hook, reterr);
  if (code) return code;
  code = ask(hook, act, ready, arg, reterr);
  orr__leave(hook->rt);
  return code;
}

int orr_hook_sent_then(orr_hook *hook, const char *act, orr_hook_ready ready, void *arg, orr_error *reterr) {
  if (!act || !ready) return orr__error_set(reterr, ORR_E_MISUSE, "orr_hook_sent_then needs an act and a function");
  return ask_then(hook, act, ready, arg, reterr);
}

int orr_hook_save_then(orr_hook *hook, orr_hook_ready ready, void *arg, orr_error *reterr) {
  if (!ready) return orr__error_set(reterr, ORR_E_MISUSE, "orr_hook_save_then needs a function");
  return ask_then(hook, NULL, ready, arg, reterr);
}

/* Waits on the stack of another thread for on_waited. */
typedef struct waited {
  bool is_ready;
  int code;
  orr_error err;
} waited;

static void on_waited(void *arg, orr_hook *hook, int code, const orr_error *err) {
  waited *w = arg;
  w->code = code;
  if (code && err) orr__error_copy(&w->err, err);
  w->is_ready = true;
  orr__guard_tell(hook->rt);
}

static bool is_ready(orr_runtime *rt, void *arg) {
  (void)rt;
  return ((waited *)arg)->is_ready;
}

static void nothing(orr_runtime *rt, void *arg) { (void)rt, (void)arg; }

static int ask_and_wait(orr_hook *hook, const char *act, orr_error *reterr) {
  waited w = { .err = ORR_ERROR_INIT };
  if (!hook) return orr__error_set(reterr, ORR_E_MISUSE, "there is no hook: NULL");
  int code = orr__enter_outside(hook->rt, reterr);
  if (code) return code;
  orr__leave(hook->rt);
  code = ask_then(hook, act, on_waited, &w, reterr);
  /* Closing answers all that was asked, before it is over. */
  if (!code && orr__await(hook->rt, is_ready, nothing, &w, -1, reterr) && !w.is_ready) return ORR_E_CLOSED;
  if (code || !w.code) return code;
  if (!w.err.code) orr__error_set(&w.err, w.code, "%s", orr__code_word(w.code));
  return orr__error_move(reterr, &w.err);
}

int orr_hook_sent(orr_hook *hook, const char *act, orr_error *reterr) {
  if (!act) return orr__error_set(reterr, ORR_E_MISUSE, "orr_hook_sent needs an act");
  return ask_and_wait(hook, act, reterr);
}

int orr_hook_save(orr_hook *hook, orr_error *reterr) { return ask_and_wait(hook, NULL, reterr); }

/* ---- the answer --------------------------------------------------------------------------------------------- */

static int take_errors(const orr__json *errors, orr__answer *answer, orr_error *reterr) {
  if (!errors) return 0;
  if (!orr__json_is_map(errors)) return orr__error_set(reterr, ORR_E_INVALID, "errors maps field names to messages");
  answer->has_errors = true;
  for (const orr__json *m = orr__json_first(errors); m; m = orr__json_next(m)) {
    if (!orr__json_text(m)) return orr__error_set(reterr, ORR_E_INVALID, "errors.%s is no text", orr__json_key(m));
    orr__error_field(&answer->errors, orr__json_key(m), "%s", orr__json_text(m));
  }
  return 0;
}

static int take_data(const orr_hook *hook, const orr__json *data, orr__answer *answer, orr_error *reterr) {
  bool needs_data = orr__hooks[hook->hook].flags & ORR_HOOK_VALUE && answer->outcome == ORR_OUTCOME_SUCCESS;
  if (needs_data && !orr__json_is_map(data) && !orr__json_is_list(data))
    return orr__error_set(reterr, ORR_E_INVALID, "success of %s needs data", orr__hooks[hook->hook].name);
  answer->data = data ? orr__json_print(data) : NULL;
  return data && !answer->data ? orr__error_set(reterr, ORR_E_NOMEM, "out of memory") : 0;
}

static int read_answer(const orr_hook *hook, const orr__json *map, orr__answer *answer, orr_error *reterr) {
  static const char *const keys[] = { "success", "msg", "errors", "data", "inProgress", "retry", "after", "gone", NULL };
  for (const orr__json *m = orr__json_first(map); m; m = orr__json_next(m)) {
    size_t i = 0;
    while (keys[i] && strcmp(keys[i], orr__json_key(m))) i++;
    if (!keys[i]) return orr__error_set(reterr, ORR_E_INVALID, "an answer has no '%.40s'", orr__json_key(m));
  }
  const orr__json *success = orr__json_get(map, "success"), *data = orr__json_get(map, "data");
  bool is_gone = orr__json_bool(map, "gone", false), is_retry = is_gone || orr__json_bool(map, "retry", false);
  bool is_told = success && orr__json_bool(map, "success", false) == orr__json_bool(map, "success", true);
  if (!is_retry && !is_told) return orr__error_set(reterr, ORR_E_INVALID, "an answer needs success: true or false, or retry");
  answer->outcome = is_retry ? ORR_OUTCOME_RETRY : orr__json_bool(map, "success", false) ? ORR_OUTCOME_SUCCESS : ORR_OUTCOME_HALT;
  answer->is_gone = is_gone;
  answer->msg = orr__strdup(orr__json_str(map, "msg"));
  answer->retry_after = orr__json_num(map, "after", -1);
  answer->has_in_progress = orr__json_get(map, "inProgress") != NULL;
  answer->in_progress = orr__json_bool(map, "inProgress", false);
  int code = take_errors(orr__json_get(map, "errors"), answer, reterr);
  return code ? code : take_data(hook, orr__json_is_null(data) ? NULL : data, answer, reterr);
}

/* The host has given the handle back: inside, or outside of a closed runtime. */
static int give_back(orr_hook *hook, int code) {
  orr_runtime *rt = hook->rt;
  hook->is_given = false;
  orr__hook_free(hook);
  if (code != ORR_E_CLOSED) orr__leave(rt);
  orr_unref(rt);
  return code;
}

/* Answers with what is read (taken), if the call goes on. */
static int end_with(orr_hook *hook, orr__answer *answer, orr_error *reterr) {
  int code = orr__enter(hook->rt, reterr);
  if (!code && (!hook->call || hook->is_answered)) code = ended(reterr);
  if (code) {
    orr__answer_clear(answer);
    return give_back(hook, code);
  }
  hook->is_answered = true;
  hook->answer = *answer;
  orr__native_answer(hook);
  return give_back(hook, 0);
}

int orr_hook_done(orr_hook *hook, const char *text, orr_error *reterr) {
  if (!hook) return orr__error_set(reterr, ORR_E_MISUSE, "there is no hook: NULL");
  orr__answer answer = { .retry_after = -1 };
  orr__json *map = orr__json_parse_map(text ? text : "{\"success\":true}", reterr);
  int code = map ? read_answer(hook, map, &answer, reterr) : ORR_E_INVALID;
  orr__json_free(map);
  if (!code) return end_with(hook, &answer, reterr);
  orr__answer_clear(&answer);
  return code;
}

int orr_hook_fail(orr_hook *hook, const char *error, const char *message, int unsent, orr_error *reterr) {
  int code = error ? orr__code_from_word(error) : ORR_E_PROVIDER;
  if (!hook) return orr__error_set(reterr, ORR_E_MISUSE, "there is no hook: NULL");
  if (!code) return orr__error_set(reterr, ORR_E_INVALID, "no error '%s': docs/errors.md lists the words", error);
  const orr__declaration *d = &hook->provider->declaration;
  orr__answer answer = { .retry_after = -1, .outcome = orr__code_retryable(code) ? ORR_OUTCOME_RETRY : ORR_OUTCOME_ERROR };
  answer.has_left_nothing = unsent != 0;
  orr__error_set(&answer.error, code, "%s %s: %s: %s", d->code, d->version, orr__hooks[hook->hook].name, message ? message : orr__code_word(code));
  return end_with(hook, &answer, reterr);
}
