/* Trying out: the hooks of an execution up to their first mutating act, one hook with objects that its author gives, a typed line.
 *
 *   backup.dryRun   prepareExecuteBackup --> prepareBackupResult --> executeBackup, each dry; the first that does not simply succeed
 *                   is the last
 *   provider.call   one hook                provider.eval   one line of Lua
 *
 * The backend notes what a call does outside and ends a dry one before it changes anything there (core/provider.h). Here nothing
 * is stored of any of them. */
#include "core/trial.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 1000 };

orr__trial_run *orr__trial_new(orr__flow *flow, enum orr__trial kind) {
  orr__trial_run *trial = flow->trial = calloc(1, sizeof *trial);
  if (!trial) {
    orr__flow_no_memory(flow);
    return NULL;
  }
  trial->kind = kind;
  return trial;
}

void orr__trial_free(orr__trial_run *trial) {
  if (!trial) return;
  if (trial->previous) orr__object_free(&trial->previous->head);
  orr__json_free(trial->log);
  orr__json_free(trial->hooks);
  free(trial->provider);
  free(trial->eval);
  free(trial);
}

/* ---- what call.c asks --------------------------------------------------------------------------------------- */

const char *orr__trial_provider(const orr__flow *flow) { return flow->trial->provider; }

int orr__trial_prepare(const orr__flow *flow, orr__call *call) {
  const orr__trial_run *trial = flow->trial;
  call->trial = trial->kind;
  if (trial->eval && !(call->eval = orr__strdup(trial->eval))) return ORR_E_NOMEM;
  if (!trial->previous) return 0;
  call->previous = (orr_backup *)orr__object_copy(&trial->previous->head);
  return call->previous ? 0 : ORR_E_NOMEM;
}

void orr__trial_log(orr__flow *flow, enum orr__log_level level, const char *message) {
  static const char *const words[] = { "debug", "info", "warning", "error" };
  orr__trial_run *trial = flow->trial;
  if (!trial->log) trial->log = orr__json_list();
  orr__json *line = trial->log && orr__json_count(trial->log) < LINES_MAX ? orr__json_map() : NULL;
  if (!line) return;
  orr__json_put_str(line, "level", words[level]);
  orr__json_put_str(line, "message", message);
  orr__json_append(trial->log, line);
}

/* ---- one hook ----------------------------------------------------------------------------------------------- */

static void clean(orr__object *object) {
  if (object) orr__object_clean(object);
}

#define HEAD(object) ((object) ? &(object)->head : NULL)

void orr__trial_hook(orr__flow *flow, enum orr__hook hook, orr__step step) {
  orr__graph *graph = &flow->graph;
  clean(HEAD(graph->backup));
  clean(HEAD(graph->result));
  clean(HEAD(graph->connection));
  orr__json_free(flow->trial->log);
  flow->trial->log = NULL;
  flow->trial->hook = hook;
  orr__flow_hook(flow, hook, step);
}

/* The fields that the hook has written, with their values; those it took away as null. */
static void put_changed(orr__json *changed, const char *name, const orr__object *object) {
  if (!object || !object->dirty) return;
  orr__json *all = orr__object_to_json(object, ORR_JSON_NULLS), *fields = orr__json_map();
  for (size_t i = 0; all && fields && i < object->model->field_count; i++) {
    const char *field = object->model->fields[i].name;
    const orr__json *value = object->dirty & ORR_BIT(i) ? orr__json_get(all, field) : NULL;
    if (value && strcmp(field, "opts") != 0) orr__json_put(fields, field, orr__json_copy(value));
  }
  orr__json_free(all);
  if (fields && orr__json_count(fields)) orr__json_put(changed, name, fields);
  else orr__json_free(fields);
}

static void put_answer(orr__json *map, const orr__answer *answer) {
  orr__json_put_str(map, "outcome", answer->is_dry_end ? "dry" : orr__outcome_word(answer->outcome));
  const char *text = orr__answer_text(answer);
  orr__json_put_str(map, "msg", *text && !answer->is_dry_end ? text : NULL);
  orr__json *errors = answer->errors.field_count ? orr__json_map() : NULL;
  for (size_t i = 0; errors && i < answer->errors.field_count; i++)
    orr__json_put_str(errors, answer->errors.fields[i].field, answer->errors.fields[i].message);
  if (errors) orr__json_put(map, "errors", errors);
  orr__json *data = answer->data ? orr__json_parse(answer->data, strlen(answer->data), NULL) : NULL;
  if (data) orr__json_put(map, "data", data);
  if (answer->has_in_progress) orr__json_put_bool(map, "inProgress", answer->in_progress);
  if (answer->retry_after >= 0 && answer->outcome == ORR_OUTCOME_RETRY) orr__json_put_num(map, "after", answer->retry_after);
  orr__json_put_bool(map, "dryEnd", answer->is_dry_end);
  orr__json_put_str(map, "traceback", answer->is_dry_end || answer->outcome != ORR_OUTCOME_ERROR ? NULL : answer->traceback);
  orr__json_put_str(map, "warnings", answer->warnings);
}

orr__json *orr__trial_view(orr__flow *flow) {
  orr__json *map = orr__json_map(), *changed = orr__json_map();
  if (!map || !changed) {
    orr__json_free(map);
    orr__json_free(changed);
    return NULL;
  }
  const char *acts = flow->answer.acts;
  orr__json *list = acts ? orr__json_parse(acts, strlen(acts), NULL) : orr__json_list();
  orr__json_put_str(map, "hook", orr__hooks[flow->trial->hook].name);
  put_answer(map, &flow->answer);
  if (list) orr__json_put(map, "acts", list);
  put_changed(changed, "backup", HEAD(flow->graph.backup));
  put_changed(changed, "backupResult", HEAD(flow->graph.result));
  put_changed(changed, "connection", HEAD(flow->graph.connection));
  orr__json_put(map, "changed", changed);
  if (flow->trial->log) orr__json_put(map, "log", orr__json_copy(flow->trial->log));
  return map;
}

static void reply(orr__flow *flow, orr__json *out) {
  if (out) orr__flow_reply(flow, out);
  else orr__flow_fail(flow, orr__flow_no_memory(flow), &flow->error);
  orr__json_free(out);
  orr__flow_end(flow);
}

/* ---- backup.dryRun ------------------------------------------------------------------------------------------ */

static void next_hook(orr__flow *flow, enum orr__hook from);

static void hook_tried(orr__flow *flow) {
  orr__trial_run *trial = flow->trial;
  orr__json *one = orr__trial_view(flow);
  if (one) orr__json_append(trial->hooks, one);
  const orr_result *result = flow->graph.result;
  bool is_last = trial->hook == ORR_HOOK_executeBackup || flow->answer.outcome != ORR_OUTCOME_SUCCESS || flow->answer.is_dry_end ||
                 !result || orr__status_is_terminal(result->status);
  if (!is_last) {
    next_hook(flow, trial->hook == ORR_HOOK_prepareExecuteBackup ? ORR_HOOK_prepareBackupResult : ORR_HOOK_executeBackup);
    return;
  }
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put_str(out, "backup", flow->graph.backup->name);
    orr__json_put_str(out, "resultUuid", result ? result->uuid : NULL);
    orr__json_put_bool(out, "dryEnd", flow->answer.is_dry_end);
    orr__json_put(out, "hooks", trial->hooks);
    trial->hooks = NULL;
  }
  reply(flow, out);
}

static void next_hook(orr__flow *flow, enum orr__hook from) {
  enum orr__hook hook = from;
  if (hook == ORR_HOOK_prepareExecuteBackup && !orr__flow_has_hook(flow, hook)) hook = ORR_HOOK_prepareBackupResult;
  if (hook == ORR_HOOK_prepareBackupResult && !orr__flow_has_hook(flow, hook)) hook = ORR_HOOK_executeBackup;
  orr__trial_hook(flow, hook, hook_tried);
}

void orr__trial_begin(orr__flow *flow) {
  flow->trial->hooks = orr__json_list();
  if (!flow->trial->hooks) orr__flow_no_memory(flow);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__set_str(&flow->graph.result->head, ORR_F_result_status, "INITIALIZING");
  next_hook(flow, ORR_HOOK_prepareExecuteBackup);
}

void orr__request_backup_dry_run(orr__flow *flow) {
  if (orr__trial_new(flow, ORR_TRIAL_DRY)) orr__request_backup_run(flow);
  else orr__flow_abandon(flow);
}

/* ---- provider.call, provider.eval --------------------------------------------------------------------------- */

static void called(orr__flow *flow) { reply(flow, orr__trial_view(flow)); }

static const char *hook_word(void *arg, size_t i) {
  (void)arg;
  return i < ORR_HOOK_COUNT ? orr__hooks[i].name : NULL;
}

/* The hook that the arguments name, or -1 with flow->error. */
static int wanted_hook(orr__flow *flow, const orr__declaration *declaration) {
  const char *name = orr__json_str(flow->args, "hook");
  int hook = orr__hook_find(name);
  const char *near = hook < 0 ? orr__nearest(name, hook_word, NULL) : NULL;
  if (hook < 0)
    flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "there is no hook '%s'%s%s%s", name, near ? " (did you mean '" : "",
                                near ? near : "", near ? "'?)" : "");
  else if (!orr__declares(declaration, (enum orr__hook)hook))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "provider '%s' has no %s", declaration->code, name);
  else if (hook == ORR_HOOK_refreshBackupResults)
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "%s takes many results: try it in a spec", name);
  return flow->code ? -1 : hook;
}

static int check_connection(orr__flow *flow) {
  const orr_connection *connection = flow->graph.connection;
  if (!connection || orr__streq(connection->providerCode, flow->trial->provider)) return 0;
  return flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "connection '%s' is of the provider '%s'", connection->name,
                                     connection->providerCode);
}

static void call_ready(orr__flow *flow) {
  const orr__declaration *declaration = check_connection(flow) ? NULL : orr__flow_declare(flow, flow->trial->provider);
  int hook = declaration ? wanted_hook(flow, declaration) : -1;
  if (!flow->code) orr__trial_objects(flow, declaration, (enum orr__hook)hook, orr__json_get(flow->args, "objects"));
  if (flow->code) orr__flow_abandon(flow);
  else orr__trial_hook(flow, (enum orr__hook)hook, called);
}

static void evaluated(orr__flow *flow) {
  orr__json *out = orr__trial_view(flow);
  const char *message = orr__error_message(&flow->answer.error);
  size_t len = strlen(message);
  static const char open_end[] = "near '<eof>'";
  if (out) {
    orr__json_remove(out, "hook");
    orr__json_put_bool(out, "incomplete", flow->answer.outcome == ORR_OUTCOME_ERROR && len >= sizeof open_end - 1 &&
                                              orr__streq(message + len - (sizeof open_end - 1), open_end));
  }
  reply(flow, out);
}

static void eval_ready(orr__flow *flow) {
  if (check_connection(flow) || !orr__flow_declare(flow, flow->trial->provider)) orr__flow_abandon(flow);
  else orr__trial_hook(flow, ORR_HOOK_testConnection, evaluated);
}

/* The trial of a request with the arguments provider, connection and really; then step. */
static void begin(orr__flow *flow, const char *eval, orr__step step) {
  bool is_really = orr__json_bool(flow->args, "really", false);
  orr__trial_run *trial = orr__trial_new(flow, is_really ? ORR_TRIAL_REALLY : ORR_TRIAL_DRY);
  if (trial) {
    trial->provider = orr__strdup(orr__json_str(flow->args, "provider"));
    trial->eval = orr__strdup(eval);
    if (!trial->provider || (eval && !trial->eval)) orr__flow_no_memory(flow);
  }
  if (flow->code) orr__flow_abandon(flow);
  else orr__flow_context(flow, step);
}

void orr__request_provider_call(orr__flow *flow) { begin(flow, NULL, call_ready); }
void orr__request_provider_eval(orr__flow *flow) { begin(flow, orr__json_str(flow->args, "text"), eval_ready); }
