/* Calls: from the core's orr__call to a hook's coroutine, and from its end to exactly one answer.
 *
 * Arguments are built from the hook table. What a call holds (boxes, waits, coroutines) is let go here, in an order in which each
 * still finds what it needs; only then is the call the core's again. Does not know how an answer is read (answer.c). */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "call_secrets.h"
#include "lib_session.h"
#include "task.h"
#include "recording.h"
#include "trial.h"
#include "value.h"
#include "where.h"

#define WARNINGS_MAX 16384

const char *orr__call_what(const orr__call *call) {
  if (call->eval) return "the typed line";
  return orr__call_is_own(call) ? "session" : orr__hooks[call->hook].name;
}

void orr__call_warn(orr__hookcall *hc, const char *format, ...) {
  va_list args;
  char line[1024];
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (hc->warnings.len + strlen(line) + 1 > WARNINGS_MAX) return;
  if (hc->warnings.len) orr__buf_addc(&hc->warnings, '\n');
  orr__buf_adds(&hc->warnings, line);
}

/* ---- arguments --------------------------------------------------------------------------------------------- */

static void push_json(lua_State *L, const char *text) {
  orr_error err = ORR_ERROR_INIT;
  if (orr__push_json_text(L, text, text ? strlen(text) : 0, false, &err) == 0) return;
  lua_pushstring(L, orr__error_message(&err));
  orr__error_clear(&err);
  lua_error(L);
}

static void push_batch(lua_State *L, orr__hookcall *hc) {
  orr__call *call = hc->call;
  lua_createtable(L, (int)call->batch_count, 0);
  for (size_t i = 0; i < call->batch_count; i++) {
    orr__graph *graph = &call->batch[i];
    orr__push_object(L, hc, graph, graph->result ? &graph->result->head : NULL, ORR_BOX_CALL, NULL);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

static void push_arg(lua_State *L, orr__hookcall *hc, enum orr__hook_arg arg) {
  orr__call *call = hc->call;
  orr__graph *g = &call->graph;
  orr__object *object = NULL;
  enum orr__box_kind kind = ORR_BOX_CALL;
  const char *why = NULL;
  switch (arg) {
  case ORR_ARG_BACKUP: object = g->backup ? &g->backup->head : NULL; break;
  case ORR_ARG_RESULT: object = g->result ? &g->result->head : NULL; break;
  case ORR_ARG_CLOUD: object = g->cloud ? &g->cloud->head : NULL; break;
  case ORR_ARG_SERVER: object = g->server ? &g->server->head : NULL; break;
  case ORR_ARG_CONNECTION: object = g->connection ? &g->connection->head : NULL; break;
  case ORR_ARG_PREVIOUS:
    object = call->previous ? &call->previous->head : NULL;
    kind = ORR_BOX_FROZEN;
    why = "it is the Backup as it was";
    break;
  case ORR_ARG_ARGS:
  case ORR_ARG_CONFIG: push_json(L, call->config); return;
  case ORR_ARG_OPTS:
    push_json(L, call->opts);
    lua_pushvalue(L, -1);
    hc->opts_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return;
  case ORR_ARG_EXECUTION_CONFIG: push_json(L, call->execution_config); return;
  case ORR_ARG_RESULTS: push_batch(L, hc); return;
  case ORR_ARG_NAME: lua_pushstring(L, call->name); return;
  case ORR_ARG_NONE: lua_pushnil(L); return;
  }
  orr__push_object(L, hc, g, object, kind, why);
}

int orr__call_push_start(lua_State *L, orr__hookcall *hc) {
  const orr__hook_info *hook = &orr__hooks[hc->call->hook];
  int count = 0;
  if (orr__call_is_own(hc->call)) return orr__session_push_close(L, hc->call);
  if (hc->call->eval) {
    orr__eval_push(L, hc);
    return 0;
  }
  luaL_checkstack(L, ORR_HOOK_ARGS + LUA_MINSTACK, "arguments");
  lua_rawgeti(L, LUA_REGISTRYINDEX, hc->version->hook_refs[hc->call->hook]);
  for (; count < ORR_HOOK_ARGS && hook->args[count] != ORR_ARG_NONE; count++) push_arg(L, hc, hook->args[count]);
  return count;
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void let_go(orr__hookcall *hc) {
  orr__timer_stop(hc->version->bindings->config.loop, &hc->timer);
  if (hc->opts_ref > 0) luaL_unref(hc->version->L, LUA_REGISTRYINDEX, hc->opts_ref);
  /* The main task's waits hold its children; what is left then was never started. */
  if (hc->main) orr__task_free(hc->main);
  while (hc->waits) orr__wait_drop(hc->waits);
  while (hc->tasks) orr__task_free(hc->tasks);
  orr__boxes_release(hc);
}

void orr__call_end(orr__hookcall *hc, orr__answer *answer) {
  answer->has_left_nothing = hc->call->is_marked_sent && hc->acts == hc->acts_unsent;
  orr__version *v = hc->version;
  orr__bindings *b = v->bindings;
  orr__call_redact(hc);
  let_go(hc);
  orr__map_remove(&b->calls, hc->id);
  memcpy(answer->sha256, v->sources.sha256, sizeof answer->sha256);
  if (hc->warnings.len) answer->warnings = orr__buf_take(&hc->warnings, NULL);
  orr__secrets_clean_answer(&v->provider->secrets, answer);
  orr__trial_end(hc, answer);
  orr__record_end(hc, answer);
  orr__call *call = hc->call;
  orr__buf_clear(&hc->warnings);
  free(hc->stop_why);
  free(hc);
  if (!orr__call_is_own(call) && !call->trial) orr__provider_count(v, answer);
  orr__version_unpin(v);
  orr__sessions_look(b);
  if (orr__call_is_own(call)) orr__session_closed(b, call, answer);
  else b->config.host.answered(b->config.host.core, call, answer);
}

/* Which of its tasks to blame: one that computes, else the main one. */
static const orr__task *last_seen(const orr__hookcall *hc) {
  for (const orr__task *task = hc->tasks; task; task = task->next)
    if (task->taken_off) return task;
  return hc->main;
}

void orr__call_abandon(orr__hookcall *hc, enum orr__outcome outcome, int code, const char *message) {
  orr__answer answer = { .outcome = outcome, .retry_after = -1 };
  const orr__declaration *d = &hc->version->declaration;
  const orr__task *task = last_seen(hc);
  char where[ORR_WHERE_MAX] = "";
  if (task) answer.traceback = orr__where(hc->version, task->taken_off ? task->taken_off : task->co, task->taken_off ? task->taken_line : 0, where);
  orr__error_set(&answer.error, code, "%s %s: %s: %s%s", d->code, d->version, orr__call_what(hc->call), where, message);
  hc->version->is_tainted = true;
  orr__call_end(hc, &answer);
}

/* ---- stopping ---------------------------------------------------------------------------------------------- */

static int grace_of(const orr__hookcall *hc) {
  return orr__call_is_own(hc->call) ? ORR_CLOSE_GRACE_MS : ORR_GRACE_MS;
}

static void grace_over(void *arg) {
  orr__hookcall *hc = arg;
  bool is_deadline = hc->stop == ORR_E_DEADLINE;
  char *message = orr__strf("%s, and it did not stop within %g s", hc->stop_why ? hc->stop_why : "stopped", grace_of(hc) / 1000.0);
  orr__call_abandon(hc, is_deadline ? ORR_OUTCOME_TIMEOUT : ORR_OUTCOME_INTERRUPTED, hc->stop, message ? message : "did not stop");
  free(message);
}

void orr__call_stop(orr__hookcall *hc, int code, const char *why) {
  orr__loop *loop = hc->version->bindings->config.loop;
  if (hc->stop) return;
  hc->stop = code;
  hc->stop_why = orr__strdup(why);
  orr__timer_start(loop, &hc->timer, orr__loop_mono_ms(loop) + grace_of(hc), grace_over, hc);
  orr__tasks_stop(hc);
}

bool orr__call_overran(orr__hookcall *hc) {
  if (hc->stop != ORR_E_DEADLINE) return false;
  orr__call_abandon(hc, ORR_OUTCOME_TIMEOUT, hc->stop, hc->stop_why ? hc->stop_why : "stopped");
  return true;
}

static void deadline_passed(void *arg) {
  orr__hookcall *hc = arg;
  bool computes = false;
  for (const orr__task *task = hc->tasks; task; task = task->next)
    computes = computes || (task->state == ORR_TASK_READY && task->outcome == ORR_GO_SLICE);
  orr__call_stop(hc, ORR_E_DEADLINE, orr__call_is_own(hc->call) ? "the time to close it has passed" : "the deadline of the hook has passed");
  if (computes) orr__call_overran(hc);
}

bool orr__call_is_late(orr__hookcall *hc) {
  orr__loop *loop = hc->version->bindings->config.loop;
  if (hc->stop || orr__loop_is_virtual(loop) || orr__clock_ns() / 1000000 < hc->call->deadline_mono_ms) return false;
  deadline_passed(hc);
  return true;
}

void orr__call_interrupt(orr__hookcall *hc, const char *why) {
  char *text = orr__strf("interrupted%s%s", why && *why ? ": " : "", why && *why ? why : "");
  orr__call_stop(hc, ORR_E_CANCELLED, text ? text : "interrupted");
  free(text);
}

/* ---- the start --------------------------------------------------------------------------------------------- */

static void make_main_task(lua_State *L, void *arg) {
  orr__hookcall *hc = arg;
  hc->main = orr__task_new(L, hc);
}

int orr__call_begin(orr__version *v, orr__call *call, orr_error *reterr) {
  orr__bindings *b = v->bindings;
  orr__hookcall *hc = calloc(1, sizeof *hc);
  if (!hc) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  hc->call = call;
  hc->version = v;
  hc->id = call->id;
  call->state_version = v->declaration.state_version;
  orr__buf_init(&hc->warnings, WARNINGS_MAX);
  int rc = orr__call_secrets(hc) ? orr__error_set(reterr, ORR_E_NOMEM, "out of memory") : 0;
  if (!rc) hc->main = orr__task_pooled(hc);
  if (!rc && !hc->main) rc = orr__protect(v, make_main_task, hc, reterr);
  if (!rc && orr__map_put(&b->calls, call->id, hc) != 0) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc && orr__timer_start(b->config.loop, &hc->timer, call->deadline_mono_ms, deadline_passed, hc) != 0)
    rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc) {
    orr__map_remove(&b->calls, call->id);
    if (hc->main) orr__task_free(hc->main);
    free(hc);
    return rc;
  }
  v->calls++;
  orr__task_ready(hc->main, ORR_GO_START);
  return 0;
}

int orr__call_start(orr__bindings *b, orr__call *call, orr_error *reterr) {
  orr__provider *provider;
  orr__version *v;
  if (b->is_closing) return orr__error_set(reterr, ORR_E_CLOSED, "the runtime is closing");
  int rc = orr__provider_get(b, call->provider, &provider, reterr);
  if (!rc) rc = call->eval ? orr__provider_typed(provider, &v, reterr) : orr__provider_version(provider, &v, reterr);
  if (rc) return rc;
  if (!call->eval && !orr__declares(&v->declaration, call->hook))
    return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' has no %s", call->provider, orr__hooks[call->hook].name);
  return orr__call_begin(v, call, reterr);
}
