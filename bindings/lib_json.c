/* json: text and values, on value.h. Pure: a failure is `nil, message`, never raised. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "libraries.h"
#include "scope.h"
#include "state.h"
#include "value.h"

static const orr__param encode_options[] = { { "pretty", ORR_P_BOOL, false }, { NULL, ORR_P_ANY, false } };
static const orr__param decode_options[] = { { "nulls", ORR_P_BOOL, false }, { NULL, ORR_P_ANY, false } };

static int push_nil_error(lua_State *L, orr_error *err) {
  lua_pushnil(L);
  lua_pushstring(L, orr__error_message(err));
  orr__error_clear(err);
  return 2;
}

static bool option(lua_State *L, int index, const char *function, const orr__param *params) {
  if (lua_isnoneornil(L, index)) return false;
  orr__args_check(L, index, function, params);
  return orr__args_bool(L, index, params[0].name, false);
}

static int encode(lua_State *L) {
  luaL_checkany(L, 1);
  bool is_pretty = option(L, 2, "json.encode", encode_options);
  orr__scope *scope = orr__scope_push(L, free);
  orr_error err = ORR_ERROR_INIT;
  orr__json *json = orr__value_to_json(L, 1, &err);
  if (!json) return push_nil_error(L, &err);
  scope->held = is_pretty ? orr__json_print_pretty(json) : orr__json_print(json);
  orr__json_free(json);
  if (!scope->held) return luaL_error(L, "out of memory");
  orr__slice_work(orr__version_of(L), strlen(scope->held) * ORR_JSON_WORK);
  lua_pushstring(L, scope->held);
  orr__scope_close(scope);
  return 1;
}

static int decode(lua_State *L) {
  size_t len;
  const char *text = orr__arg_text(L, 1, "json.decode: text", &len);
  bool keep_null = option(L, 2, "json.decode", decode_options);
  orr_error err = ORR_ERROR_INIT;
  orr__slice_work(orr__version_of(L), len * ORR_JSON_WORK);
  if (orr__push_json_text(L, text, len, keep_null, &err) != 0) return push_nil_error(L, &err);
  return 1;
}

static int array(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  if (!lua_istable(L, 1)) orr__raise(L, "json.array: takes a table, not %s", luaL_typename(L, 1));
  lua_settop(L, 1);
  if (lua_getmetatable(L, 1)) {
    if (!orr__is_marked_array(L, 1)) orr__raise(L, "json.array: the table has a metatable of its own");
    lua_pop(L, 1);
    return 1;
  }
  orr__mark_array(L);
  return 1;
}

static int null_text(lua_State *L) {
  lua_pushliteral(L, "null");
  return 1;
}

/* All light userdata share one metatable; null is the only one an author ever sees. */
static void name_null(lua_State *L) {
  orr__push_null(L);
  lua_newtable(L);
  lua_pushcfunction(L, null_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "json.null");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

void orr__lib_json(lua_State *L) {
  static const luaL_Reg functions[] = { { "encode", encode }, { "decode", decode }, { "array", array }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  name_null(L);
  orr__push_null(L);
  lua_setfield(L, -2, "null");
}
