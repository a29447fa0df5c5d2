/* The module orrery.raw: orrery.h for Lua, one function each; a runtime is a userdata that closes when it is collected.
 *
 * What can fail answers nil and { code, message, exit, retryable, fields }. Values cross as JSON text, times as milliseconds.
 * Counts the runtimes that are open, so that whoever runs specs can tell that none was left. */
#include "kit_raw.h"

#include <lauxlib.h>
#include <poll.h>
#include <stdbool.h>

#include "orrery.h"

#define RUNTIME "orrery.runtime"
#define OPEN "orrery.open" /* in the registry: how many runtimes are open */

static int count_open(lua_State *L, int delta) {
  lua_getfield(L, LUA_REGISTRYINDEX, OPEN);
  int count = (int)lua_tointeger(L, -1) + delta;
  lua_pushinteger(L, count);
  lua_setfield(L, LUA_REGISTRYINDEX, OPEN);
  lua_pop(L, 1);
  return count;
}

static orr_runtime **runtime_at(lua_State *L) {
  orr_runtime **at = luaL_checkudata(L, 1, RUNTIME);
  if (!*at) luaL_error(L, "the runtime is closed");
  return at;
}

/* nil, { code, message, exit, retryable, fields } */
static int push_error(lua_State *L, const orr_error *err) {
  lua_pushnil(L);
  lua_newtable(L);
  lua_pushstring(L, orr_error_word(err));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, orr_error_message(err));
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, orr_error_exit(err));
  lua_setfield(L, -2, "exit");
  lua_pushboolean(L, orr_error_retryable(err));
  lua_setfield(L, -2, "retryable");
  lua_newtable(L);
  for (size_t i = 0; orr_error_field(err, i); i++) {
    lua_pushstring(L, orr_error_field_message(err, i));
    lua_setfield(L, -2, orr_error_field(err, i));
  }
  lua_setfield(L, -2, "fields");
  return 2;
}

static int fail(lua_State *L, orr_error *err) {
  int count = push_error(L, err);
  orr_error_free(err);
  return count;
}

/* The table { key = value | { values } } at `index` as settings; *ret is owned. Whoever calls has seen to
 * it that it is a table. */
static int take_settings(lua_State *L, int index, orr_settings **ret, orr_error *err) {
  orr_settings *settings = orr_settings_new();
  int code = 0;
  for (lua_pushnil(L); !code && lua_next(L, index); lua_pop(L, 1)) {
    const char *key = lua_tostring(L, -2);
    if (!lua_istable(L, -1)) {
      code = orr_settings_set(settings, key, lua_tostring(L, -1), err);
      continue;
    }
    for (size_t i = 1; !code && i <= lua_objlen(L, -1); i++) {
      lua_rawgeti(L, -1, (int)i);
      code = orr_settings_set(settings, key, lua_tostring(L, -1), err);
      lua_pop(L, 1);
    }
  }
  *ret = settings;
  return code;
}

/* open(settings) -> runtime */
static int l_open(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  orr_settings *settings = NULL;
  orr_error *err = orr_error_new();
  orr_runtime *runtime = NULL;
  int code = take_settings(L, 1, &settings, err);
  if (!code) code = orr_open(settings, &runtime, err);
  orr_settings_free(settings);
  if (code) return fail(L, err);
  orr_error_free(err);
  orr_runtime **at = lua_newuserdata(L, sizeof *at);
  *at = runtime;
  luaL_getmetatable(L, RUNTIME);
  lua_setmetatable(L, -2);
  count_open(L, 1);
  return 1;
}

/* commits(runtime): how many there were */
static int l_commits(lua_State *L) {
  lua_pushnumber(L, (lua_Number)orr_commits(*runtime_at(L)));
  return 1;
}

/* cut(runtime, commits, settings) -> true: from now on it is the one that finds what had committed then */
static int l_cut(lua_State *L) {
  orr_runtime **at = runtime_at(L);
  size_t commits = (size_t)luaL_checknumber(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  orr_settings *settings = NULL;
  orr_error *err = orr_error_new();
  orr_runtime *runtime = NULL;
  int code = take_settings(L, 3, &settings, err);
  if (!code) {
    code = orr_cut(*at, commits, settings, &runtime, err);
    *at = runtime;
    if (!runtime) count_open(L, -1);
  }
  orr_settings_free(settings);
  if (code) return fail(L, err);
  orr_error_free(err);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_close(lua_State *L) {
  orr_runtime **at = luaL_checkudata(L, 1, RUNTIME);
  if (*at) count_open(L, -1);
  orr_close(*at);
  *at = NULL;
  return 0;
}

/* How many are open that nobody has closed yet. */
static int l_count(lua_State *L) {
  lua_pushinteger(L, count_open(L, 0));
  return 1;
}

static int l_submit(lua_State *L) {
  orr_runtime *runtime = *runtime_at(L);
  const char *request = luaL_checkstring(L, 2), *args = luaL_optstring(L, 3, NULL);
  orr_error *err = orr_error_new();
  uint64_t id = 0;
  if (orr_submit(runtime, request, args, &id, err)) return fail(L, err);
  orr_error_free(err);
  lua_pushnumber(L, (lua_Number)id);
  return 1;
}

static int l_stop(lua_State *L) {
  orr_request_stop(*runtime_at(L), (uint64_t)luaL_checknumber(L, 2));
  return 0;
}

/* kind, request, json, error of a reply that failed; or "call" or "callEnd", call, json, service; nothing if there is no event */
static int l_next(lua_State *L) {
  static const char *const kinds[] = { "", "reply", "update", "log", "call", "callEnd" };
  orr_event *event = orr_next(*runtime_at(L));
  if (!event) return 0;
  lua_pushstring(L, kinds[orr_event_kind(event)]);
  lua_pushnumber(L, (lua_Number)(orr_event_service(event) ? orr_event_call(event) : orr_event_request(event)));
  lua_pushstring(L, orr_event_json(event));
  int count = 3;
  if (orr_event_service(event)) {
    lua_pushstring(L, orr_event_service(event));
    count = 4;
  }
  if (orr_event_error(event)) {
    push_error(L, orr_event_error(event));
    lua_remove(L, -2);
    count = 4;
  }
  orr_event_free(event);
  return count;
}

/* step(runtime) steps once; with nothing to do it waits up to a millisecond for what is really in flight, without moving virtual time.
 * step(runtime, ms) is orr_step: virtual time moves to what is due within ms, if nothing is really in flight. -> did it do anything? */
static int l_step(lua_State *L) {
  orr_runtime *runtime = *runtime_at(L);
  bool has_wait = !lua_isnoneornil(L, 2);
  int did = orr_step(runtime, has_wait ? (int64_t)luaL_checknumber(L, 2) : 0);
  if (!did && !has_wait) {
    struct pollfd pfd = { .fd = orr_fd(runtime), .events = POLLIN };
    poll(&pfd, 1, 1);
  }
  lua_pushboolean(L, did);
  return 1;
}

static int l_advance(lua_State *L) {
  orr_error *err = orr_error_new();
  if (orr_advance(*runtime_at(L), (int64_t)luaL_checknumber(L, 2), err)) return fail(L, err);
  orr_error_free(err);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- services ------------------------------------------------------------------------------------------------ */

static int told(lua_State *L, int code, orr_error *err) {
  if (code) return fail(L, err);
  orr_error_free(err);
  lua_pushboolean(L, 1);
  return 1;
}

/* offer(runtime, service) */
static int l_offer(lua_State *L) {
  orr_error *err = orr_error_new();
  return told(L, orr_host_offer(*runtime_at(L), luaL_checkstring(L, 2), err), err);
}

/* answer(runtime, call, json or nil, error word or nil, message or nil, delay in ms or nil) */
static int l_answer(lua_State *L) {
  orr_error *err = orr_error_new();
  return told(L, orr_host_answer_after(*runtime_at(L), (uint64_t)luaL_checknumber(L, 2), (int64_t)luaL_optnumber(L, 6, 0), luaL_optstring(L, 3, NULL),
                                       luaL_optstring(L, 4, NULL), luaL_optstring(L, 5, NULL), err), err);
}

/* hold(runtime, call) */
static int l_hold(lua_State *L) {
  orr_error *err = orr_error_new();
  return told(L, orr_host_hold(*runtime_at(L), (uint64_t)luaL_checknumber(L, 2), err), err);
}

/* tell(runtime, service, json) */
static int l_tell(lua_State *L) {
  orr_error *err = orr_error_new();
  return told(L, orr_host_tell(*runtime_at(L), luaL_checkstring(L, 2), luaL_checkstring(L, 3), err), err);
}

static int l_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)orr_now(*runtime_at(L)));
  return 1;
}

static int l_provider(lua_State *L) {
  size_t len;
  orr_runtime *runtime = *runtime_at(L);
  const char *code = luaL_checkstring(L, 2), *source = luaL_checklstring(L, 3, &len);
  orr_error *err = orr_error_new();
  if (orr_provider_add(runtime, code, source, len, err)) return fail(L, err);
  orr_error_free(err);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_request_at(lua_State *L) {
  const char *name = orr_request_at((size_t)luaL_checkinteger(L, 1));
  if (!name) return 0;
  lua_pushstring(L, name);
  lua_pushstring(L, orr_request_args(name));
  lua_pushstring(L, orr_request_kind(name));
  return 3;
}

static int l_drain(lua_State *L) {
  orr_drain(*runtime_at(L));
  return 0;
}

static int l_is_idle(lua_State *L) {
  lua_pushboolean(L, orr_is_idle(*runtime_at(L)));
  return 1;
}

/* true, or nil and the error with what is wrong */
static int l_db_check(lua_State *L) {
  orr_error *err = orr_error_new();
  char *report = NULL;
  int code = orr_db_check(luaL_checkstring(L, 1), &report, err);
  orr_text_free(report);
  if (code) return fail(L, err);
  orr_error_free(err);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {
  { "open", l_open }, { "commits", l_commits }, { "cut", l_cut }, { "close", l_close }, { "count", l_count }, { "submit", l_submit }, { "stop", l_stop }, { "next", l_next }, { "step", l_step },
  { "advance", l_advance }, { "now", l_now }, { "provider", l_provider }, { "requestAt", l_request_at }, { "drain", l_drain },
  { "isIdle", l_is_idle }, { "offer", l_offer }, { "answer", l_answer }, { "hold", l_hold }, { "tell", l_tell }, { "dbCheck", l_db_check }, { NULL, NULL }
};

int orr__kit_open_raw(lua_State *L) {
  luaL_newmetatable(L, RUNTIME);
  lua_pushcfunction(L, l_close);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  return 1;
}
