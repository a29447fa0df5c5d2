/* The list of the libraries, in the order in which their prelude files run: each may use those above it. */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib.h"
#include "libraries.h"
#include "value.h"

/* ---- what prelude/args.lua needs --------------------------------------------------------------------------- */

typedef struct key_walk {
  lua_State *L;
  int table;
} key_walk;

/* The i-th key: the keys stay in the table, so their text stays too. Tables of options are small. */
static const char *key_at(void *arg, size_t i) {
  key_walk *walk = arg;
  size_t at = 0;
  for (lua_pushnil(walk->L); lua_next(walk->L, walk->table); lua_pop(walk->L, 1)) {
    if (at++ < i) continue;
    const char *key = lua_type(walk->L, -2) == LUA_TSTRING ? lua_tostring(walk->L, -2) : "";
    lua_pop(walk->L, 2);
    return key;
  }
  return NULL;
}

/* nearest(word, table) -> key or nil */
static int args_nearest(lua_State *L) {
  key_walk walk = { L, 2 };
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *near = orr__nearest(luaL_checkstring(L, 1), key_at, &walk);
  if (near) lua_pushstring(L, near);
  else lua_pushnil(L);
  return 1;
}

/* raise(message): with the author's position */
static int args_raise(lua_State *L) {
  orr__raise(L, "%s", luaL_checkstring(L, 1));
}

/* Is the value at index of the kind, a type's name or "any", either with "!" behind it? */
static bool is_of_kind(lua_State *L, int index, const char *kind) {
  const char *type = luaL_typename(L, index);
  return kind && (strncmp(kind, type, strlen(type)) == 0 || strncmp(kind, "any", 3) == 0 || orr__is_null(L, index));
}

/* fit(options, known): are they plainly as they must be? Says no where it would have to ask a metatable, too. */
static int args_fit(lua_State *L) {
  lua_settop(L, 2);
  bool fit = lua_istable(L, 1);
  if (fit) lua_pushnil(L);
  while (fit && lua_next(L, 1)) {
    lua_pushvalue(L, -2);
    lua_rawget(L, 2);
    fit = is_of_kind(L, 4, lua_tostring(L, 5));
    lua_pop(L, 2);
  }
  if (fit) lua_pushnil(L);
  while (fit && lua_next(L, 2)) {
    size_t len = lua_objlen(L, 4);
    if (len > 0 && lua_tostring(L, 4)[len - 1] == '!') {
      lua_pushvalue(L, 3);
      lua_rawget(L, 1);
      fit = !lua_isnil(L, -1) && !orr__is_null(L, lua_gettop(L));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  lua_pushboolean(L, fit);
  return 1;
}

static void open_args(lua_State *L) {
  static const luaL_Reg functions[] = { { "fit", args_fit }, { "nearest", args_nearest }, { "raise", args_raise }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

const orr__lib orr__libs[] = {
  { "args", open_args },
  { "string", orr__lib_string },
  { "math", orr__lib_random },
  { "json", orr__lib_json },
  { "base64", orr__lib_base64 },
  { "hash", orr__lib_hash },
  { "hmac", orr__lib_hmac },
  { "url", orr__lib_url },
  { "uuid", orr__lib_uuid },
  { "time", orr__lib_time },
  { "os", NULL },
  { "sleep", orr__lib_sleep },
  { "defer", orr__lib_defer },
  { "log", orr__lib_log },
  { "secret", orr__lib_secret },
  { "fs", orr__lib_fs },
  { "process", orr__lib_process },
  { "job", orr__lib_job },
  { "session", orr__lib_session },
  { "http", orr__lib_http },
  { "host", orr__lib_host },
  { "retry", NULL },
  { "poll", NULL },
  { "external", NULL },
  { NULL, NULL }
};
