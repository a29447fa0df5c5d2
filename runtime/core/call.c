/* Calls of hooks: the op row around each, what they are given, and their answers.
 *
 *   orr__flow_intend   op row `intent`, in the caller's transaction
 *   orr__flow_hook     ops->call ... host.mark_sent: op row `sent`, durable ... host.answered
 *   orr__flow_settle   op row `done`, in the caller's transaction, together with what the answer changed
 *
 * A QUIET hook (refresh) has no intent: its row is made when it marks itself sent, or at the end if there is
 * something to tell; most have none and cost none. Knows nothing of what an answer leads to, nor what a hook asks meanwhile (ask.c). */
#include "core/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *orr__outcome_word(enum orr__outcome outcome) {
  switch (outcome) {
    case ORR_OUTCOME_SUCCESS: return "success";
    case ORR_OUTCOME_HALT: return "halt";
    case ORR_OUTCOME_RETRY: return "retry";
    case ORR_OUTCOME_ERROR: return "error";
    case ORR_OUTCOME_TIMEOUT: return "timeout";
    case ORR_OUTCOME_INTERRUPTED: return "interrupted";
  }
  return "error";
}

const char *orr__answer_text(const orr__answer *answer) {
  if (answer->msg && *answer->msg) return answer->msg;
  if (answer->error.code) return orr__error_message(&answer->error);
  return answer->outcome == ORR_OUTCOME_SUCCESS ? "" : "the provider gave no reason";
}

int orr__answer_error(const orr__answer *answer, enum orr__hook hook, orr_error *ret) {
  int code = answer->outcome == ORR_OUTCOME_HALT ? ORR_E_HALTED : answer->error.code ? answer->error.code : ORR_E_RETRY;
  if (answer->outcome == ORR_OUTCOME_HALT)
    orr__error_set(ret, code, "%s: %s", orr__hooks[hook].name, orr__answer_text(answer));
  else
    orr__error_set(ret, code, "%s", orr__answer_text(answer));
  for (size_t i = 0; i < answer->errors.field_count; i++)
    orr__error_field(ret, answer->errors.fields[i].field, "%s", answer->errors.fields[i].message);
  return code;
}

/* ---- the provider ------------------------------------------------------------------------------------------- */

static const char *provider_code(const orr__flow *flow) {
  if (flow->batch && !flow->call_id) return orr__batch_provider(flow);
  if (flow->trial && orr__trial_provider(flow)) return orr__trial_provider(flow);
  if (flow->graph.backup) return flow->graph.backup->providerCode;
  return flow->graph.connection ? flow->graph.connection->providerCode : NULL;
}

const orr__declaration *orr__flow_declaration(orr__flow *flow) {
  const orr__declaration *declaration = NULL;
  const char *code = provider_code(flow);
  flow->code = flow->core->ops->describe(flow->core->ops->self, code ? code : "", &declaration, &flow->error);
  return flow->code ? NULL : declaration;
}

bool orr__flow_has_hook(orr__flow *flow, enum orr__hook hook) {
  const orr__declaration *declaration = orr__flow_declaration(flow);
  return declaration && orr__declares(declaration, hook);
}

/* ---- the op row --------------------------------------------------------------------------------------------- */

static orr_op *op_new(orr__flow *flow, enum orr__hook hook, const char *state) {
  orr__core *core = flow->core;
  orr_op *op = orr__op_new();
  if (!op) return NULL;
  orr__object *o = &op->head;
  const orr__graph *graph = flow->call ? &flow->call->graph : &flow->graph;
  const orr_result *result = graph->result;
  const orr_backup *backup = graph->backup;
  const char *code = flow->call ? flow->call->provider : provider_code(flow);
  orr__set_int(o, ORR_F_op_id, orr__store_next_id(core->store, ORR_M_op));
  orr__set_str(o, ORR_F_op_hook, orr__hooks[hook].name);
  orr__set_str(o, ORR_F_op_state, state);
  orr__set_int(o, ORR_F_op_attempt, flow->attempt);
  orr__set_int(o, ORR_F_op_startDate, flow->quiet_ms ? flow->quiet_ms : orr__now(core));
  orr__set_str(o, ORR_F_op_providerCode, code);
  const orr__declaration *declaration = NULL;
  if (core->ops && core->ops->describe(core->ops->self, code ? code : "", &declaration, NULL) == 0)
    orr__set_str(o, ORR_F_op_providerSha256, declaration->sha256);
  if (result) orr__set_int(o, ORR_F_op_resultId, result->id);
  if (backup && backup->id) orr__set_int(o, ORR_F_op_backupId, backup->id);
  if (result || backup) orr__set_str(o, ORR_F_op_subjectUuid, result ? result->uuid : backup->uuid);
  if (backup) orr__set_str(o, ORR_F_op_subjectName, backup->name);
  if (backup && !backup->id) {
    orr__json *draft = orr__object_to_json(&backup->head, ORR_JSON_SECRETS);
    orr__object_set_map(o, ORR_F_op_draft, draft);
    orr__json_free(draft);
    orr__json *given = hook == ORR_HOOK_createBackup ? orr__removal_given(flow) : NULL;
    if (given) orr__object_set_map(o, ORR_F_op_callerOpts, given);
    orr__json_free(given);
  }
  return op;
}

static void op_drop(orr__flow *flow) {
  orr__object_free((orr__object *)flow->op);
  flow->op = NULL;
  flow->is_op_stored = false;
  flow->quiet_ms = 0;
}

void orr__op_of_quiet(orr__flow *flow) {
  if (flow->op || !flow->quiet_ms) return;
  flow->op = op_new(flow, flow->hook, "intent");
  flow->is_op_stored = false;
}

void orr__flow_intend(orr__flow *flow, orr__tx *tx, enum orr__hook hook) {
  op_drop(flow);
  if (orr__hooks[hook].flags & ORR_HOOK_QUIET) return;
  flow->op = op_new(flow, hook, "intent");
  if (!flow->op) return;
  orr__tx_insert(tx, &flow->op->head);
  orr__object_clean(&flow->op->head);
  flow->is_op_stored = true;
}

void orr__flow_settle(orr__flow *flow, orr__tx *tx) {
  const orr__answer *answer = &flow->answer;
  const orr_result *result = flow->graph.result;
  bool has_news =
      answer->outcome != ORR_OUTCOME_SUCCESS || (result && result->head.dirty & ORR_BIT(ORR_F_result_status));
  if (has_news) orr__op_of_quiet(flow);
  if (flow->op && (flow->is_op_stored || has_news)) {
    orr__object *o = &flow->op->head;
    orr__set_str(o, ORR_F_op_state, "done");
    orr__set_int(o, ORR_F_op_endDate, orr__now(flow->core));
    orr__set_str(o, ORR_F_op_outcome, orr__outcome_word(answer->outcome));
    orr__set_str(o, ORR_F_op_message, answer->outcome == ORR_OUTCOME_SUCCESS ? answer->msg : orr__answer_text(answer));
    if (answer->traceback) orr__set_str(o, ORR_F_op_traceback, answer->traceback);
    if (*answer->sha256) orr__set_str(o, ORR_F_op_providerSha256, answer->sha256);
    orr__unset(o, ORR_F_op_draft);
    if (flow->is_op_stored)
      orr__tx_update(tx, o, o->dirty);
    else
      orr__tx_insert(tx, o);
  }
  op_drop(flow);
  for (const char *line = answer->warnings; line && *line;) {
    size_t len = strcspn(line, "\n");
    orr__flow_event(flow, tx, "provider.warning", "warning", "%s: %.*s", orr__hooks[flow->hook].name, (int)len, line);
    line += len + (line[len] == '\n');
  }
}

/* ---- opts --------------------------------------------------------------------------------------------------- */

#define OPTS_KEY_MAX 32

/* The next of ops.def's keys, which blanks separate; false at the end. */
static bool next_key(const char **rest, char key[OPTS_KEY_MAX]) {
  *rest += strspn(*rest, " ");
  size_t len = strcspn(*rest, " ");
  if (len == 0) return false;
  assert(len < OPTS_KEY_MAX);
  memcpy(key, *rest, len);
  key[len] = '\0';
  *rest += len;
  return true;
}

static bool takes_opts(enum orr__hook hook) {
  for (int i = 0; i < ORR_HOOK_ARGS; i++)
    if (orr__hooks[hook].args[i] == ORR_ARG_OPTS) return true;
  return false;
}

/* The runtime's keys of ops.def's list, over the caller's own. */
static char *opts_build(orr__flow *flow, enum orr__hook hook) {
  const orr_result *result = flow->graph.result;
  orr__json *opts = flow->opts ? orr__json_copy(flow->opts) : orr__json_map();
  if (!opts) return NULL;
  char key[OPTS_KEY_MAX];
  for (const char *rest = orr__hooks[hook].opts; next_key(&rest, key);) {
    const orr__json *own = flow->extra ? orr__json_get(flow->extra, key) : NULL;
    if (own)
      orr__json_put(opts, key, orr__json_copy(own));
    else if (strcmp(key, "attempt") == 0)
      orr__json_put_int(opts, key, flow->attempt);
    else if (strcmp(key, "deadline") == 0)
      orr__json_put_int(opts, key, flow->hook_deadline_ms);
    else if (strcmp(key, "trigger") == 0)
      orr__json_put_str(opts, key, result && result->trigger ? result->trigger : "manual");
    else if (strcmp(key, "requestedBy") == 0 && result && result->requestedBy)
      orr__json_put_str(opts, key, result->requestedBy);
    else if (strcmp(key, "force") == 0)
      orr__json_put_bool(opts, key, false);
  }
  char *text = orr__json_print(opts);
  orr__json_free(opts);
  return text;
}

/* ---- the call ----------------------------------------------------------------------------------------------- */

static void step_answered(void *arg) {
  orr__flow *flow = arg;
  orr__step step = flow->step;
  flow->step = NULL;
  step(flow);
}

static void answer_at_once(orr__flow *flow, enum orr__outcome outcome) {
  flow->answer.outcome = outcome;
  orr__error_move(&flow->answer.error, &flow->error);
  flow->code = 0;
  orr__timer_start(flow->core->loop, &flow->timer, orr__loop_mono_ms(flow->core->loop), step_answered, flow);
}

static orr__call *call_make(orr__flow *flow, enum orr__hook hook, const orr__declaration *declaration) {
  orr__core *core = flow->core;
  double timeout_s =
      declaration->hook_timeouts[hook] > 0 ? declaration->hook_timeouts[hook] : orr__hooks[hook].timeout_s;
  orr__call *call = orr__call_new(++core->next_call, hook, declaration->code);
  if (call && !flow->spare) flow->spare = orr__asked_spare();
  if (!call || !flow->spare) {
    orr__call_free(call);
    return NULL;
  }
  flow->hook_deadline_ms = orr__now(core) + (int64_t)(timeout_s * 1000);
  call->deadline_mono_ms = orr__loop_mono_ms(core->loop) + (int64_t)(timeout_s * 1000);
  /* What is empty stays NULL, and a hook that takes no opts gets none: most calls are refreshes, which need none of it. */
  const char *execution = flow->graph.result ? flow->graph.result->executionConfig : NULL;
  bool has_opts = takes_opts(hook), has_execution = execution && strcmp(execution, "{}") != 0;
  if (has_opts) call->opts = opts_build(flow, hook);
  if (has_execution) call->execution_config = orr__strdup(execution);
  if (flow->config) call->config = orr__json_print(flow->config);
  if (flow->call_name) call->name = orr__strdup(flow->call_name);
  const orr_backup *previous = hook == ORR_HOOK_updateBackup ? orr__update_previous(flow) : NULL;
  if (previous) call->previous = (orr_backup *)orr__object_copy(&previous->head);
  if (flow->trial && orr__trial_prepare(flow, call)) {
    orr__call_free(call);
    return NULL;
  }
  bool is_whole = (!has_opts || call->opts) && (!has_execution || call->execution_config) &&
                  (!flow->config || call->config) && (!previous || call->previous);
  if (is_whole) return call;
  orr__call_free(call);
  return NULL;
}

/* The objects go back to the flow, the call goes. */
static void call_back(orr__flow *flow, orr__call *call) {
  flow->call = NULL;
  if (flow->batch) {
    if (call->batch_count) orr__batch_back(flow, call);
  } else {
    flow->graph = call->graph;
    memset(&call->graph, 0, sizeof call->graph);
    if (flow->graph.result) orr__cancel_keep(flow, flow->graph.result);
  }
  orr__call_free(call);
}

void orr__flow_hook(orr__flow *flow, enum orr__hook hook, orr__step step) {
  orr__core *core = flow->core;
  orr__answer_clear(&flow->answer);
  orr__error_clear(&flow->error);
  flow->hook = hook;
  flow->step = step;
  flow->sent_ms = 0;
  flow->is_cancel_recorded = flow->graph.result && orr__streq(flow->graph.result->status, "CANCEL_REQUESTED");
  if (core->is_draining) {
    orr__error_set(&flow->error, ORR_E_CANCELLED, "the runtime is closing");
    answer_at_once(flow, ORR_OUTCOME_INTERRUPTED);
    return;
  }
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__call *call = declaration ? call_make(flow, hook, declaration) : NULL;
  if (!call) {
    if (declaration) orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    answer_at_once(flow, ORR_OUTCOME_ERROR);
    return;
  }
  if (!flow->op) flow->quiet_ms = orr__now(core);
  uint64_t id = call->id;
  int code = 0;
  if (flow->batch) {
    code = orr__batch_fill(flow, call);
  } else {
    call->graph = flow->graph;
    memset(&flow->graph, 0, sizeof flow->graph);
  }
  flow->call = call;
  if (code == 0 && orr__map_put(&core->calls, id, flow) == 0 &&
      core->ops->call(core->ops->self, call, &flow->error) == 0) {
    flow->call_id = id;
    return;
  }
  orr__map_remove(&core->calls, id);
  call_back(flow, call);
  if (!flow->error.code) orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  answer_at_once(flow, ORR_OUTCOME_ERROR);
}

/* ---- its answer --------------------------------------------------------------------------------------------- */

/* opts of the three execution hooks are one table: what one hook wrote there the next one sees, and the next attempt. The
 * runtime's own keys are made anew for each call. */
static void keep_opts(orr__flow *flow, const orr__call *call) {
  bool is_of_run = call->hook == ORR_HOOK_prepareExecuteBackup || call->hook == ORR_HOOK_prepareBackupResult ||
                   call->hook == ORR_HOOK_executeBackup;
  orr__json *opts = is_of_run ? orr__json_parse_map(call->opts, NULL) : NULL;
  if (!opts) return;
  char key[OPTS_KEY_MAX];
  for (const char *rest = orr__hooks[call->hook].opts; next_key(&rest, key);) orr__json_remove(opts, key);
  orr__json_free(flow->opts);
  flow->opts = opts;
  orr_result *result = call->graph.result;
  if (result) orr__object_set_map(&result->head, ORR_F_result_opts, opts);
}

/* The mark was written before the act, as it must be; the act then never left, and nothing else did. What an earlier attempt
 * sent stays sent. */
static void take_back_mark(orr__flow *flow, const orr__call *call) {
  flow->sent_ms = 0;
  orr_result *result = flow->hook == ORR_HOOK_executeBackup ? call->graph.result : NULL;
  if (!result || orr__object_has(&result->head, ORR_F_result_sentDate)) return;
  orr__set_int(&result->head, ORR_F_result_sentDate, orr__now(flow->core)); /* stored by the mark, not in this copy: */
  orr__unset(&result->head, ORR_F_result_sentDate);                         /* so that unsetting it is a change */
}

static void stamp(orr__call *call) {
  if (call->graph.result) orr__state_stamp(&call->graph.result->head, call->state_version);
  if (call->graph.backup) orr__state_stamp(&call->graph.backup->head, call->state_version);
  for (size_t i = 0; i < call->batch_count; i++)
    if (call->batch[i].result) orr__state_stamp(&call->batch[i].result->head, call->state_version);
}

static void answered(void *self, orr__call *call, orr__answer *answer) {
  orr__core *core = self;
  orr__flow *flow = orr__map_remove(&core->calls, call->id);
  if (!flow) { /* the core let go of it */
    orr__call_free(call);
    orr__answer_clear(answer);
    return;
  }
  flow->call_id = 0;
  flow->answer = *answer;
  memset(answer, 0, sizeof *answer);
  if (flow->answer.has_left_nothing) take_back_mark(flow, call);
  if (flow->answer.traceback)
    core->config.sink.log(core->config.sink.self, ORR_LOG_DEBUG, &(orr__log_about){ .provider = call->provider },
                          flow->answer.traceback);
  keep_opts(flow, call);
  stamp(call);
  call_back(flow, call);
  flow->code = 0;
  if (core->is_draining && !flow->batch && flow->answer.outcome == ORR_OUTCOME_INTERRUPTED) {
    orr__flow_leave(flow); /* abandoned where it is: recovery takes it up */
    return;
  }
  step_answered(flow);
}

static void log_line(void *self, uint64_t call_id, const char *provider, enum orr__log_level level,
                     const char *message) {
  orr__core *core = self;
  orr__flow *flow = call_id ? orr__map_get(&core->calls, call_id) : NULL;
  if (flow && flow->trial) orr__trial_log(flow, level, message);
  orr__log_about about = { .provider = provider };
  if (flow) {
    about.hook = orr__hooks[flow->hook].name;
    about.backup = flow->op ? flow->op->subjectName : NULL; /* the graph is with the call */
    about.result = flow->op && !flow->batch ? flow->op->resultId : 0;
  }
  core->config.sink.log(core->config.sink.self, level, &about, message);
}

static void provider_changed(void *self, const char *code, const orr_error *err, bool works) {
  orr__core *core = self;
  bool waits = err && (err->code == ORR_E_DENIED || err->code == ORR_E_TIMEOUT); /* for trust, for rest */
  const char *what = waits && works ? "new version waits, the last one goes on" : waits ? "waits" : works ? "new version refused, the last good one stays" : "refused";
  char *text = err ? orr__strf("%s: %s", what, orr__error_message(err)) : orr__strdup("loaded");
  if (text) log_line(core, 0, code, err ? ORR_LOG_ERROR : ORR_LOG_INFO, text);
  free(text);
}

void orr__call_install(orr__core *core) {
  core->host = (orr__provider_host){ .core = core,
                                     .answered = answered,
                                     .mark_sent = orr__ask_mark,
                                     .checkpoint = orr__ask_save,
                                     .results = orr__ask_results,
                                     .log = log_line,
                                     .provider_changed = provider_changed };
}
