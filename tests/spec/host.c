/* Runs busted inside a process that has liborrery: the specs live in an ordinary Lua state with all libraries, the providers they
 * test in the runtime's own sandboxed states; between them there are only copies, as JSON text.
 *
 * usage: orrery-spec SPEC_DIR RUNNER_PATH [busted options ...]
 *
 * It gives Lua one module, `orrery.raw`, whose functions are orrery.h's; spec/support.lua makes them pleasant. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_server.h"
#include "orrery.h"
#include "outside.h"

#define RUNTIME "orrery.runtime"
#define SERVER "orrery.server"

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

/* raw.open{ key = value | { values } } */
static int l_open(lua_State *L) {
  orr_settings *settings = orr_settings_new();
  orr_error *err = orr_error_new();
  int code = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  for (lua_pushnil(L); !code && lua_next(L, 1); lua_pop(L, 1)) {
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
  orr_runtime *runtime = NULL;
  if (!code) code = orr_open(settings, &runtime, err);
  orr_settings_free(settings);
  if (code) return fail(L, err);
  orr_error_free(err);
  orr_runtime **at = lua_newuserdata(L, sizeof *at);
  *at = runtime;
  luaL_getmetatable(L, RUNTIME);
  lua_setmetatable(L, -2);
  return 1;
}

static int l_close(lua_State *L) {
  orr_runtime **at = luaL_checkudata(L, 1, RUNTIME);
  orr_close(*at);
  *at = NULL;
  return 0;
}

static int l_submit(lua_State *L) {
  orr_runtime *runtime = *runtime_at(L);
  orr_error *err = orr_error_new();
  uint64_t id = 0;
  if (orr_submit(runtime, luaL_checkstring(L, 2), luaL_optstring(L, 3, NULL), &id, err)) return fail(L, err);
  orr_error_free(err);
  lua_pushnumber(L, (lua_Number)id);
  return 1;
}

static int l_stop(lua_State *L) {
  orr_request_stop(*runtime_at(L), (uint64_t)luaL_checknumber(L, 2));
  return 0;
}

/* kind, request, json, error; nothing if there is no event */
static int l_next(lua_State *L) {
  static const char *const kinds[] = { "", "reply", "update", "log" };
  orr_event *event = orr_next(*runtime_at(L));
  if (!event) return 0;
  lua_pushstring(L, kinds[orr_event_kind(event)]);
  lua_pushnumber(L, (lua_Number)orr_event_request(event));
  lua_pushstring(L, orr_event_json(event));
  int count = 3;
  if (orr_event_error(event)) {
    push_error(L, orr_event_error(event));
    lua_remove(L, -2);
    count = 4;
  }
  orr_event_free(event);
  return count;
}

/* Steps once; with nothing to do it waits up to a millisecond for what is really in flight, without moving virtual time. */
static int l_step(lua_State *L) {
  orr_runtime *runtime = *runtime_at(L);
  int did = orr_step(runtime, 0);
  if (!did) {
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

/* ---- a server for providers to talk to --------------------------------------------------------------------------- */

/* What is answered lies in the path: /status/503 that status, /wait/MS that many milliseconds later, /flaky 503 (with
 * Retry-After) the first time and 200 then; all else 200. The body tells what came: { "method", "path", "nth", "head", "body" } with the last two as hexadecimal. */
static enum http_after serve(http_call *call) {
  char body[8192];
  int status = 200, wait_ms = 0;
  size_t at;
  if (sscanf(call->path, "/status/%d", &status) != 1) status = 200;
  if (sscanf(call->path, "/wait/%d", &wait_ms) == 1) usleep((useconds_t)wait_ms * 1000);
  if (strncmp(call->path, "/flaky", 6) == 0 && call->nth == 1) status = 503;
  at = (size_t)snprintf(body, sizeof body, "{\"method\":\"%s\",\"path\":\"%s\",\"nth\":%d,\"head\":\"", call->method, call->path, call->nth);
  for (const char *c = call->head; *c && at < sizeof body / 2; c++) at += (size_t)snprintf(body + at, sizeof body - at, "%02x", (unsigned char)*c);
  at += (size_t)snprintf(body + at, sizeof body - at, "\",\"body\":\"");
  for (size_t i = 0; i < call->body_len && at < sizeof body - 16; i++) at += (size_t)snprintf(body + at, sizeof body - at, "%02x", (unsigned char)call->body[i]);
  snprintf(body + at, sizeof body - at, "\"}");
  http_answer(call, status, status == 503 ? "Content-Type: application/json\r\nRetry-After: 1\r\n" : "Content-Type: application/json\r\n", body);
  return HTTP_KEEP;
}

static int l_server(lua_State *L) {
  http_server **at = lua_newuserdata(L, sizeof *at);
  *at = http_server_new(serve, NULL);
  luaL_getmetatable(L, SERVER);
  lua_setmetatable(L, -2);
  lua_pushinteger(L, http_server_port(*at));
  return 2;
}

static int l_server_count(lua_State *L) {
  http_server **at = luaL_checkudata(L, 1, SERVER);
  lua_pushinteger(L, http_server_count(*at, luaL_checkstring(L, 2)));
  return 1;
}

static int l_server_free(lua_State *L) {
  http_server **at = luaL_checkudata(L, 1, SERVER);
  if (*at) http_server_free(*at);
  *at = NULL;
  return 0;
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
  { "open", l_open }, { "close", l_close }, { "submit", l_submit }, { "stop", l_stop }, { "next", l_next }, { "step", l_step },
  { "advance", l_advance }, { "now", l_now }, { "provider", l_provider }, { "requestAt", l_request_at }, { "drain", l_drain },
  { "isIdle", l_is_idle }, { "dbCheck", l_db_check }, { "server", l_server }, { "serverCount", l_server_count },
  { "serverFree", l_server_free }, { NULL, NULL }
};

static void metatable(lua_State *L, const char *name, lua_CFunction collect) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, collect);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

static int open_raw(lua_State *L) {
  metatable(L, RUNTIME, l_close);
  metatable(L, SERVER, l_server_free);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  outside_register(L);
  return 1;
}

static const char main_chunk[] =
    "local dir = ...\n"
    "package.path = dir .. '/?.lua;' .. package.path\n"
    "require 'busted.runner'({ standalone = false })\n";

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: orrery-spec SPEC_DIR RUNNER_PATH [busted options ...]\n");
    return 2;
  }
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, open_raw);
  lua_setfield(L, -2, "orrery.raw");
  lua_settop(L, 0);
  lua_pushstring(L, argv[1]);
  lua_setglobal(L, "ORRERY_SPEC_DIR");
  lua_pushstring(L, argv[2]);
  lua_setglobal(L, "ORRERY_RUNNER");
  lua_newtable(L); /* busted reads the global arg */
  lua_pushstring(L, argv[0]);
  lua_rawseti(L, -2, 0);
  for (int i = 3; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 2);
  }
  lua_setglobal(L, "arg");
  if (luaL_loadbuffer(L, main_chunk, sizeof main_chunk - 1, "=orrery-spec")) return 1;
  lua_pushstring(L, argv[1]);
  if (lua_pcall(L, 1, 0, 0)) {
    fprintf(stderr, "orrery-spec: %s\n", lua_tostring(L, -1));
    return 1;
  }
  lua_close(L);
  return 0;
}
