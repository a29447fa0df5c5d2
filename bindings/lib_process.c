/* process: runs a program and waits for its end. Argument vectors only, never a shell.
 *
 * A child process is a mutating act (the journal is marked sent first) unless the author says `safe`, or a session is
 * being opened or closed. Whether an exit code is good or bad is the provider's judgement. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib_session.h"
#include "lib_spawn.h"
#include "libraries.h"
#include "trial.h"
#include "wait.h"

typedef struct process_wait {
  orr__wait wait;
  orr__processes *processes;
  uint64_t id;
  orr__spawn spawn;
  int64_t timeout_ms;
  int code, exit_code, signal;
  bool is_truncated;
  char *out, *err;
  size_t out_len, err_len;
  char message[512];
  size_t noted;              /* trial.h */
} process_wait;

static char *copy_bytes(const char *bytes, size_t len) {
  char *copy = malloc(len + 1);
  if (copy) {
    memcpy(copy, bytes ? bytes : "", len);
    copy[len] = '\0';
  }
  return copy;
}

static void done(void *arg, const orr__process_reply *reply) {
  process_wait *w = arg;
  w->code = reply->code;
  w->exit_code = reply->exit_code;
  w->signal = reply->signal;
  w->is_truncated = reply->is_truncated;
  w->out_len = reply->out_len;
  w->err_len = reply->err_len;
  w->out = copy_bytes(reply->out, reply->out_len);
  w->err = copy_bytes(reply->err, reply->err_len);
  if (w->code == ORR_E_NO_PROGRAM) orr__spawn_missing(&w->spawn, w->message, sizeof w->message);
  else snprintf(w->message, sizeof w->message, "%s", reply->message ? reply->message : "");
  if (!w->out || !w->err) {
    w->code = ORR_E_NOMEM;
    w->out_len = w->err_len = 0;
    snprintf(w->message, sizeof w->message, "out of memory");
  }
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  process_wait *w = (process_wait *)wait;
  orr__process_spec spec = {
    .argv = (const char *const *)w->spawn.argv, .env = (const char *const *)w->spawn.env, .cwd = w->spawn.cwd,
    .input = w->spawn.input, .input_len = w->spawn.input_len, .timeout_ms = w->timeout_ms
  };
  return orr__process_start(w->processes, &spec, done, w, &w->id, reterr);
}

static void abort_process(orr__wait *wait) {
  process_wait *w = (process_wait *)wait;
  orr__process_abort(w->processes, w->id);
}

static void set_bytes(lua_State *L, const char *name, const char *bytes, size_t len) {
  lua_pushlstring(L, bytes ? bytes : "", len);
  lua_setfield(L, -2, name);
}

static int push(orr__wait *wait, lua_State *L) {
  process_wait *w = (process_wait *)wait;
  if (w->code) {
    orr__push_failure(L, w->code, w->message);
  } else {
    orr__trial_came(wait, w->noted, "code", w->exit_code);
    lua_pushboolean(L, true);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, w->exit_code);
    lua_setfield(L, -2, "code");
    lua_pushinteger(L, w->signal);
    lua_setfield(L, -2, "signal");
    lua_pushboolean(L, w->is_truncated);
    lua_setfield(L, -2, "truncated");
  }
  set_bytes(L, "stdout", w->out, w->out_len);
  set_bytes(L, "stderr", w->err, w->err_len);
  return 2;
}

static void clear(orr__wait *wait) {
  process_wait *w = (process_wait *)wait;
  orr__spawn_clear(&w->spawn);
  free(w->out);
  free(w->err);
}

static const orr__wait_kind kind = { "process.run", start, abort_process, push, clear, NULL };

static const orr__param params[] = {
  { "argv", ORR_P_WORDS, true }, { "env", ORR_P_TABLE, false }, { "stdin", ORR_P_TEXT, false }, { "timeout", ORR_P_SECONDS, false },
  { "safe", ORR_P_BOOL, false }, { "cwd", ORR_P_LINE, false }, { NULL, ORR_P_ANY, false }
};

/* Certainly not there, by our own PATH: then nothing is marked as sent that could not have started. */
static bool is_missing(orr__processes *processes, const orr__spawn *spawn) {
  const char *ours = getenv("PATH");
  for (char **env = spawn->env; *env; env++)
    if (orr__starts_with(*env, "PATH=") && !orr__streq(*env + 5, ours)) return false;
  char *path = orr__process_find(processes, spawn->argv[0]);
  free(path);
  return !path;
}

static int64_t bounded(int64_t asked, int64_t remaining) {
  return asked > 0 && asked < remaining ? asked : remaining;
}

static orr__json *describe(const void *what) {
  const process_wait *w = what;
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  orr__json_put_str(map, "kind", "process");
  orr__trial_spawn(map, &w->spawn);
  return map;
}

/* run(table) -> true, { code, signal, stdout, stderr, truncated } */
static int process_run(lua_State *L) {
  orr__args_check(L, 1, "process.run", params);
  orr_error err = ORR_ERROR_INIT;
  orr__spawn spawn;
  char act[160];
  bool is_safe = orr__args_bool(L, 1, "safe", false) || orr__session_is_safe(L);
  int64_t timeout_ms = orr__args_ms(L, 1, "timeout", 0);
  process_wait *w = orr__wait_new(L, &kind, sizeof *w);
  if (orr__spawn_take(L, 1, "process.run", &spawn, &err) == 0) {
    w->spawn = spawn;
    int code = orr__granted(L, "exec", w->spawn.argv[0], &err);
    if (!code && is_missing(orr__current_config(L)->processes, &w->spawn)) {
      orr__spawn_missing(&w->spawn, w->message, sizeof w->message);
      code = orr__error_set(&err, ORR_E_NO_PROGRAM, "%s", w->message);
    }
    if (!code) {
      w->processes = orr__current_config(L)->processes;
      w->timeout_ms = bounded(timeout_ms, orr__remaining_ms(L));
      snprintf(act, sizeof act, "exec %s", orr__spawn_program(&w->spawn));
      orr__trial_act(L, describe, w, !is_safe);
      w->noted = orr__trial_number(L);
      return orr__wait_start(L, &w->wait, is_safe ? NULL : act);
    }
  }
  orr__wait_drop(&w->wait);
  orr__push_error(L, &err);
  orr__error_clear(&err);
  return 2;
}

/* find(name) -> path or nil */
static int process_find(lua_State *L) {
  char *path = orr__process_find(orr__current_config(L)->processes, orr__arg_line(L, 1, "process.find: name"));
  if (path) lua_pushstring(L, path);
  else lua_pushnil(L);
  free(path);
  return 1;
}

void orr__lib_process(lua_State *L) {
  static const luaL_Reg functions[] = { { "run", process_run }, { "find", process_find }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
