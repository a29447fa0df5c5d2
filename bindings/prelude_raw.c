/* What our own prelude files need of C. Each function pushes one table of raw functions, which the author never sees. */
#include "prelude_raw.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "model/status.h"
#include "task.h"
#include "version.h"

/* ---- await ------------------------------------------------------------------------------------------------- */

static int error_tostring(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) return 0;
  lua_pushliteral(L, "message");
  lua_rawget(L, 1);
  if (lua_type(L, -1) != LUA_TSTRING) lua_pushliteral(L, "error");
  return 1;
}

static int error_concat(lua_State *L) {
  lua_settop(L, 2);
  for (int i = 1; i <= 2; i++) {
    if (!lua_istable(L, i)) continue;
    lua_pushcfunction(L, error_tostring);
    lua_pushvalue(L, i);
    lua_call(L, 1, 1);
    lua_replace(L, i);
  }
  lua_concat(L, 2);
  return 1;
}

/* An error table of the runtime's gets a position, and prints as its message; an author's value is passed on. */
static int raise(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_istable(L, 1) || lua_getmetatable(L, 1)) {
    lua_settop(L, 1);
    return lua_error(L);
  }
  orr__push_position(L);
  lua_setfield(L, 1, "where");
  if (luaL_newmetatable(L, "orrery.Error")) {
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, error_concat);
    lua_setfield(L, -2, "__concat");
    lua_pushliteral(L, "Error");
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, 1);
  return lua_error(L);
}

void orr__raw_await(lua_State *L) {
  static const luaL_Reg functions[] = { { "raise", raise }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- base -------------------------------------------------------------------------------------------------- */

static int compile(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const char *name = luaL_checkstring(L, 2);
  if (len > ORR_SOURCE_MAX) orr__raise(L, "load: source text is limited to %u bytes, got %zu", ORR_SOURCE_MAX, len);
  /* A name that begins with '=' would pass for the prelude. */
  lua_pushfstring(L, "@%s", name[0] == '=' || name[0] == '@' ? name + 1 : name);
  if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t") != 0) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  if (lua_istable(L, 3)) {
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
  }
  return 1;
}

static int has_tostring(lua_State *L) {
  lua_pushboolean(L, luaL_getmetafield(L, 1, "__tostring"));
  return 1;
}

static int print_line(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  orr__log_line(L, ORR_LOG_INFO, text, len);
  return 0;
}

/* module(name): its compiled chunk, or nil and the names there are. */
static int module(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const orr__sources *sources = &orr__version_of(L)->sources;
  for (size_t i = 0; i < sources->count; i++) {
    const orr__source *source = &sources->items[i];
    if (!orr__streq(source->module, name)) continue;
    lua_pushfstring(L, "@%s", source->chunk);
    if (luaL_loadbufferx(L, source->text, source->len, lua_tostring(L, -1), "t") != 0) return lua_error(L);
    return 1;
  }
  lua_pushnil(L);
  lua_newtable(L);
  for (size_t i = 0, n = 0; i < sources->count; i++) {
    if (!sources->items[i].module) continue;
    lua_pushstring(L, sources->items[i].module);
    lua_rawseti(L, -2, (int)++n);
  }
  return 2;
}

/* nearest(word, names): the nearest of a list of names, or nil. */
static int nearest(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING) return 0;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_newtable(L);
  for (int i = 1, n = (int)lua_objlen(L, 2); i <= n; i++) {
    lua_rawgeti(L, 2, i);
    lua_pushboolean(L, 1);
    lua_rawset(L, 3);
  }
  const char *near = orr__nearest_key(L, 3, lua_tostring(L, 1));
  if (!near) return 0;
  lua_pushstring(L, near);
  return 1;
}

static int memory(lua_State *L) {
  lua_pushnumber(L, (double)orr__version_of(L)->used / 1024);
  return 1;
}

void orr__raw_base(lua_State *L) {
  static const luaL_Reg functions[] = { { "compile", compile }, { "hasTostring", has_tostring }, { "log", print_line },
    { "module", module }, { "nearest", nearest }, { "memory", memory }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- coroutine, table, parallel ---------------------------------------------------------------------------- */

/* Was the inner coroutine that has just come back taken off by the count hook? */
static int sliced(lua_State *L) {
  orr__version *v = orr__version_of(L);
  lua_pushboolean(L, v->is_sliced);
  v->is_sliced = false;
  return 1;
}

void orr__raw_coroutine(lua_State *L) {
  lua_getfield(L, LUA_GLOBALSINDEX, LUA_COLIBNAME);
  lua_pushlightuserdata(L, (void *)&orr__wait_marker);
  lua_setfield(L, -2, "marker");
  lua_pushcfunction(L, sliced);
  lua_setfield(L, -2, "sliced");
}

/* The stock function in upvalue 1, which moves all that is behind a position. */
static int table_insert(lua_State *L) {
  if (lua_gettop(L) == 3 && lua_istable(L, 1)) orr__slice_work(orr__version_of(L), lua_objlen(L, 1) * sizeof(lua_Number));
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void orr__raw_table(lua_State *L) {
  lua_getfield(L, LUA_GLOBALSINDEX, LUA_TABLIBNAME);
  lua_getfield(L, -1, "insert");
  lua_pushcclosure(L, table_insert, 1);
  lua_setfield(L, -2, "insert");
}

void orr__raw_parallel(lua_State *L) {
  static const luaL_Reg functions[] = { { "run", orr__parallel_raw }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- response, object, provider ---------------------------------------------------------------------------- */

/* Any key as text, without calling anything of the author's. */
static int key_text(lua_State *L) {
  lua_settop(L, 1);
  if (lua_type(L, 1) != LUA_TSTRING && lua_type(L, 1) != LUA_TNUMBER) {
    lua_pushstring(L, luaL_typename(L, 1));
    return 1;
  }
  lua_tostring(L, 1);
  return 1;
}

void orr__raw_response(lua_State *L) {
  static const luaL_Reg functions[] = { { "nearest", nearest }, { "text", key_text }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  lua_newtable(L);
  for (unsigned i = 0; orr__status_at(i); i++) {
    lua_pushstring(L, orr__status_at(i));
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "statuses");
}

void orr__raw_object(lua_State *L) {
  orr__objects_open(L);
}

/* finding(text): noted with the author's position, without raising. */
static int finding(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  orr__version *v = orr__version_of(L);
  orr__push_position(L);
  if (v->findings) v->findings->rule = ORR_RULE_UNKNOWN_HOOK;
  if (v->findings) orr__finding(v->findings, "%s%s", lua_tostring(L, -1), text);
  else orr__raise(L, "%s", text);
  return 0;
}

/* declared(declaration, provider): what Provider{} was given, kept until the file has run. */
static int declared(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_PROVIDER);
  if (!lua_isnil(L, -1)) orr__raise(L, "Provider{} is called twice; one file declares one provider");
  if (!orr__version_of(L)->is_loading) orr__raise(L, "Provider{} is for the file itself, not for hooks");
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, ORR_REG_DECLARATION);
  lua_pushvalue(L, 2);
  lua_setfield(L, LUA_REGISTRYINDEX, ORR_REG_PROVIDER);
  orr__push_position(L);
  lua_setfield(L, LUA_REGISTRYINDEX, ORR_REG_WHERE);
  return 0;
}

void orr__raw_provider(lua_State *L) {
  static const luaL_Reg functions[] = { { "nearest", nearest }, { "finding", finding }, { "declared", declared }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  lua_newtable(L);
  for (int i = 0; i < ORR_HOOK_COUNT; i++) {
    lua_pushstring(L, orr__hooks[i].name);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "hooks");
}
