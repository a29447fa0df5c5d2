/* The globals of a provider: a clean table with a whitelist in it, nothing privileged to reach.
 *
 * The stock libraries are opened one by one, the prelude takes what it needs of them, and then everything that is not listed
 * here or returned by the prelude goes. The string metatable is frozen; undefined globals raise when read or written.
 *
 * Does not know what the libraries do; their list is libs.c's. */
#include <assert.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib.h"
#include "prelude.h"
#include "prelude_raw.h"
#include "state.h"
#include "value.h"

/* Of the stock globals, what stays as it is. */
static const char *const kept[] = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "xpcall", "rawequal",
  "rawget", "rawset", "select", "setmetatable", "tonumber", "type", "unpack", "_G", "_VERSION", "math", "bit", "string", NULL };

/* Our own prelude files: those before the libraries and those after them. SPREAD: the result is a table of globals. */
enum { SPREAD = 1, LATE = 2, HIDDEN = 4 };
static const struct own {
  const char *name;
  void (*open)(lua_State *L);
  unsigned flags;
} own[] = {
  { "base", orr__raw_base, SPREAD },
  { "coroutine", orr__raw_coroutine, 0 },
  { "table", orr__raw_table, 0 },
  { "response", orr__raw_response, SPREAD },
  { "object", orr__raw_object, HIDDEN },
  { "parallel", orr__raw_parallel, LATE },
  { "provider", orr__raw_provider, SPREAD | LATE },
  { NULL, NULL, 0 },
};

/* Stack of the opening: the tables that every prelude file is given, and the globals to be. */
enum { AT_LIB = 1, AT_CORE, AT_GLOBALS };

static void open_stock(lua_State *L) {
  static const struct { const char *name; lua_CFunction open; } stock[] = {
    { "", luaopen_base }, { LUA_TABLIBNAME, luaopen_table }, { LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
    { LUA_BITLIBNAME, luaopen_bit }, { LUA_OSLIBNAME, luaopen_os },
  };
  for (size_t i = 0; i < sizeof stock / sizeof *stock; i++) {
    lua_pushcfunction(L, stock[i].open);
    lua_pushstring(L, stock[i].name);
    lua_call(L, 1, 0);
  }
}

/* Runs a prelude file with the raw table on top (popped) and leaves its one result. */
static void run_prelude(lua_State *L, const char *name) {
  const orr__prelude_file *file = orr__prelude;
  while (file->name && strcmp(file->name, name) != 0) file++;
  if (!file->name) luaL_error(L, "the prelude has no file '%s'", name);
  lua_pushfstring(L, "=prelude/%s.lua", name);
  if (luaL_loadbufferx(L, file->text, file->len, lua_tostring(L, -1), "t") != 0) lua_error(L);
  lua_replace(L, -2);
  lua_insert(L, -2);
  lua_pushvalue(L, AT_LIB);
  lua_pushvalue(L, AT_CORE);
  lua_call(L, 3, 1);
}

/* Puts the result on top (popped) among the libraries and globals. */
static void publish(lua_State *L, const char *name, unsigned flags) {
  if (flags & HIDDEN) {
    lua_pushfstring(L, "orrery.%s", name);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return;
  }
  if (flags & SPREAD) {
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, AT_GLOBALS);
    }
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, AT_LIB, name);
  lua_setfield(L, AT_GLOBALS, name);
}

static void open_own(lua_State *L, unsigned late) {
  for (const struct own *at = own; at->name; at++) {
    if ((at->flags & LATE) != late) continue;
    at->open(L);
    run_prelude(L, at->name);
    publish(L, at->name, at->flags);
  }
}

static void open_libs(lua_State *L) {
  for (const orr__lib *lib = orr__libs; lib->name; lib++) {
    if (lib->open) lib->open(L);
    else lua_newtable(L);
    run_prelude(L, lib->name);
    if (lua_isnil(L, -1)) lua_pop(L, 1);
    else publish(L, lib->name, 0);
  }
}

/* ---- undefined globals ------------------------------------------------------------------------------------- */

struct names {
  lua_State *L;
  const char *items[512];
  size_t count;
};

static const char *name_at(void *arg, size_t i) {
  struct names *names = arg;
  return i < names->count ? names->items[i] : NULL;
}

const char *orr__nearest_key(lua_State *L, int table, const char *word) {
  struct names names = { L, { NULL }, 0 };
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    /* The keys stay in the table, so their text stays too. */
    if (lua_type(L, -2) == LUA_TSTRING && names.count < 512) names.items[names.count++] = lua_tostring(L, -2);
  }
  return orr__nearest(word, name_at, &names);
}

static int undefined_read(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return 0;
  const char *name = lua_tostring(L, 2);
  const char *near = orr__nearest_key(L, 1, name);
  if (near) orr__raise(L, "undefined global '%s' (did you mean '%s'?)", name, near);
  orr__raise(L, "undefined global '%s'", name);
}

static int undeclared_write(lua_State *L) {
  lua_settop(L, 2);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
  orr__raise(L, "assignment to undeclared global '%s' (make it local)", name);
}

static void freeze(lua_State *L) {
  lua_pushliteral(L, "");
  if (lua_getmetatable(L, -1)) {
    /* Methods of strings are the public library's, too. */
    lua_getfield(L, AT_GLOBALS, "string");
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, undefined_read);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, undeclared_write);
  lua_setfield(L, -2, "__newindex");
  lua_pushliteral(L, "globals");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, LUA_GLOBALSINDEX);
}

/* Empties _G of what is not kept and fills in the new globals. */
static void replace_globals(lua_State *L) {
  for (const char *const *name = kept; *name; name++) {
    lua_getfield(L, AT_GLOBALS, *name);
    bool is_ours = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (is_ours) continue;
    lua_getfield(L, LUA_GLOBALSINDEX, *name);
    lua_setfield(L, AT_GLOBALS, *name);
  }
  for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushnil(L);
    lua_rawset(L, LUA_GLOBALSINDEX);
  }
  for (lua_pushnil(L); lua_next(L, AT_GLOBALS) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_GLOBALSINDEX);
  }
}

/* What luaopen_* left in the registry would be a way back to them. */
static void drop_loaded(lua_State *L) {
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

void orr__sandbox_open(lua_State *L) {
  lua_settop(L, 0);
  open_stock(L);
  lua_newtable(L);
  lua_newtable(L);
  lua_newtable(L);
  orr__raw_await(L);
  run_prelude(L, "await");
  lua_setfield(L, AT_CORE, "await");
  orr__push_null(L);
  lua_setfield(L, AT_CORE, "null");
  open_own(L, 0);
  open_libs(L);
  open_own(L, LATE);
  replace_globals(L);
  freeze(L);
  drop_loaded(L);
}

bool orr__sandbox_has(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, LUA_GLOBALSINDEX);
  bool has = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return has;
}
