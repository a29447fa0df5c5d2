/* job: local tools under the job runner, which outlive this process and are found again by name.
 *
 * A job is named within its result (or, in hooks without one, its Backup): its key is that uuid. Starting is
 * idempotent by (key, name): a job that was begun is adopted as it is. For that reason job.start sets no sent mark:
 * a crash after it, followed by running the hook again, finds the same job, never a second one; a provider whose only acts
 * are jobs needs neither `idempotent` nor a recover hook. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib_spawn.h"
#include "libraries.h"
#include "object.h"
#include "scope.h"
#include "trial.h"
#include "wait.h"

enum { READ_MAX = 1 << 20, KEY_MAX = 128 };

typedef struct job_wait {
  orr__wait wait;
  orr__jobs *jobs;
  orr__spawn spawn;
  char *key, *name;
  int64_t timeout_ms, grace_ms;
  bool split;
  int code;
  orr__job_status status;
  char message[512];
} job_wait;

/* ---- which job --------------------------------------------------------------------------------------------- */

static const char *uuid_of(const orr__object *object) {
  if (object->model->id == ORR_M_result) return ((const orr_result *)(const void *)object)->uuid;
  if (object->model->id == ORR_M_backup) return ((const orr_backup *)(const void *)object)->uuid;
  return NULL;
}

/* The key of the jobs meant: of the model object at `index` if there is one, else of the call's subject. Raises if there is none. */
static void take_key(lua_State *L, int index, const char *function, char key[KEY_MAX]) {
  const orr__call *call = orr__current_call(L);
  const char *uuid = NULL;
  if (!lua_isnoneornil(L, index)) {
    const orr__object *object = orr__object_of(L, index);
    uuid = object ? uuid_of(object) : NULL;
    if (!uuid) orr__raise(L, "%s: takes a BackupResult or a Backup, not %s", function, luaL_typename(L, index));
  } else if (call) {
    if (call->graph.result) uuid = call->graph.result->uuid;
    else if (call->graph.backup) uuid = call->graph.backup->uuid;
  }
  if (!uuid && !call) orr__raise(L, "%s cannot be used while the provider loads", function);
  if (!uuid) orr__raise(L, "%s: this hook has neither a result nor a Backup; pass the one that is meant as `result`", function);
  snprintf(key, KEY_MAX, "%s", uuid);
}

static int push_and_clear(lua_State *L, orr_error *err) {
  orr__push_error(L, err);
  orr__error_clear(err);
  return 2;
}

static void set_date(lua_State *L, const char *name, int64_t ms) {
  if (ms == 0) return;
  lua_pushnumber(L, (lua_Number)ms);
  lua_setfield(L, -2, name);
}

static int push_status(lua_State *L, const orr__job_status *status) {
  lua_pushboolean(L, true);
  lua_createtable(L, 0, 7);
  lua_pushstring(L, orr__job_state_word(status->state));
  lua_setfield(L, -2, "state");
  if (status->state == ORR_JOB_ENDED) {
    lua_pushinteger(L, status->exit_code);
    lua_setfield(L, -2, "code");
    lua_pushinteger(L, status->signal);
    lua_setfield(L, -2, "signal");
  }
  lua_pushboolean(L, status->is_cancelled);
  lua_setfield(L, -2, "cancelled");
  set_date(L, "startDate", status->started_ms);
  set_date(L, "endDate", status->ended_ms);
  if (status->message[0]) {
    lua_pushstring(L, status->message);
    lua_setfield(L, -2, "message");
  }
  return 2;
}

/* ---- start ------------------------------------------------------------------------------------------------- */

static void started(void *arg, int code, const orr__job_status *status, const char *message) {
  job_wait *w = arg;
  w->code = code;
  if (status) w->status = *status;
  if (code == ORR_E_NO_PROGRAM) orr__spawn_missing(&w->spawn, w->message, sizeof w->message);
  else snprintf(w->message, sizeof w->message, "%s", message ? message : "");
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  job_wait *w = (job_wait *)wait;
  orr__job_spec spec = {
    .key = w->key, .name = w->name, .argv = (const char *const *)w->spawn.argv, .env = (const char *const *)w->spawn.env,
    .cwd = w->spawn.cwd, .input = w->spawn.input, .input_len = w->spawn.input_len, .timeout_ms = w->timeout_ms,
    .grace_ms = w->grace_ms, .split = w->split
  };
  return orr__job_start(w->jobs, &spec, started, w, reterr);
}

static int push(orr__wait *wait, lua_State *L) {
  job_wait *w = (job_wait *)wait;
  return w->code ? orr__push_failure(L, w->code, w->message) : push_status(L, &w->status);
}

static void clear(orr__wait *wait) {
  job_wait *w = (job_wait *)wait;
  orr__spawn_clear(&w->spawn);
  free(w->key);
  free(w->name);
}

/* A start cannot be hurried: it takes milliseconds, and the job is to stay. */
static const orr__wait_kind kind = { "job.start", start, NULL, push, clear, NULL };

static const orr__param params[] = {
  { "name", ORR_P_LINE, true }, { "argv", ORR_P_WORDS, true }, { "env", ORR_P_TABLE, false }, { "stdin", ORR_P_TEXT, false },
  { "timeout", ORR_P_SECONDS, false }, { "grace", ORR_P_SECONDS, false }, { "split", ORR_P_BOOL, false },
  { "cwd", ORR_P_LINE, false }, { "result", ORR_P_ANY, false }, { NULL, ORR_P_ANY, false }
};

static orr__json *describe(const void *what) {
  const job_wait *w = what;
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  orr__json_put_str(map, "kind", "job");
  orr__json_put_str(map, "name", w->name);
  orr__trial_spawn(map, &w->spawn);
  return map;
}

/* start(table) -> true, status */
static int job_start(lua_State *L) {
  char key[KEY_MAX];
  orr__args_check(L, 1, "job.start", params);
  lua_settop(L, 1);
  orr__args_push(L, 1, "result");
  take_key(L, 2, "job.start", key);
  orr_error err = ORR_ERROR_INIT;
  orr__spawn spawn;
  job_wait *w = orr__wait_new(L, &kind, sizeof *w);
  if (orr__spawn_take(L, 1, "job.start", &spawn, &err) == 0) {
    w->spawn = spawn;
    w->jobs = orr__current_config(L)->jobs;
    w->key = orr__strdup(key);
    w->name = orr__strdup(orr__args_text(L, 1, "name", NULL));
    w->timeout_ms = orr__args_ms(L, 1, "timeout", 0);
    w->grace_ms = orr__args_ms(L, 1, "grace", 0);
    w->split = orr__args_bool(L, 1, "split", false);
    if (!w->key || !w->name) orr__error_set(&err, ORR_E_NOMEM, "out of memory");
    else if (orr__granted(L, "exec", w->spawn.argv[0], &err) == 0) {
      orr__trial_act(L, describe, w, true);
      return orr__wait_start(L, &w->wait, NULL);
    }
  }
  orr__wait_drop(&w->wait);
  return push_and_clear(L, &err);
}

/* ---- looking, ending, reading ------------------------------------------------------------------------------ */

/* poll(name, object) -> true, status */
static int job_poll(lua_State *L) {
  char key[KEY_MAX];
  const char *name = orr__arg_line(L, 1, "job.poll: name");
  take_key(L, 2, "job.poll", key);
  orr_error err = ORR_ERROR_INIT;
  orr__job_status status = { 0 };
  orr__jobs *jobs = orr__current_config(L)->jobs;
  if (orr__job_poll(jobs, key, name, &status, &err) != 0) return push_and_clear(L, &err);
  /* A job that an earlier process started: so that its end makes the result due at once. */
  if (status.state == ORR_JOB_RUNNING || status.state == ORR_JOB_STARTING) orr__job_watch(jobs, key, name, NULL);
  return push_status(L, &status);
}

/* cancel(name, object) -> true */
static int job_cancel(lua_State *L) {
  char key[KEY_MAX];
  const char *name = orr__arg_line(L, 1, "job.cancel: name");
  take_key(L, 2, "job.cancel", key);
  orr_error err = ORR_ERROR_INIT;
  if (!orr__trial_may(L, "job.cancel", name)) return 2;
  if (orr__job_cancel(orr__current_config(L)->jobs, key, name, &err) != 0) return push_and_clear(L, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* read(name, stream, from, max, object) -> true, bytes, next */
static int job_read(lua_State *L) {
  char key[KEY_MAX];
  const char *name = orr__arg_line(L, 1, "job.read: name"), *stream = luaL_optstring(L, 2, "log");
  double from = orr__arg_number(L, 3, "job.read: from", 0), max = orr__arg_number(L, 4, "job.read: max", 65536);
  take_key(L, 5, "job.read", key);
  if (strcmp(stream, "log") != 0 && strcmp(stream, "out") != 0) orr__raise(L, "job.read: stream must be \"log\" or \"out\", not '%.40s'", stream);
  if (!(from > -9e15 && from < 9e15)) orr__raise(L, "job.read: from is out of range");
  if (!(max >= 1)) orr__raise(L, "job.read: max must be at least 1");
  if (max > READ_MAX) max = READ_MAX;
  orr_error err = ORR_ERROR_INIT;
  char *text = NULL;
  size_t len = 0;
  int64_t next = 0;
  orr__scope *scope = orr__scope_push(L, free);
  if (orr__job_read(orr__current_config(L)->jobs, key, name, stream, (int64_t)from, (size_t)max, &text, &len, &next, &err) != 0)
    return push_and_clear(L, &err);
  scope->held = text;
  lua_pushboolean(L, true);
  lua_pushlstring(L, text ? text : "", len);
  lua_pushnumber(L, (lua_Number)next);
  orr__scope_close(scope);
  return 3;
}

void orr__lib_job(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "start", job_start }, { "poll", job_poll }, { "cancel", job_cancel }, { "read", job_read }, { NULL, NULL }
  };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
