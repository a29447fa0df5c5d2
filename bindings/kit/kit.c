/* A Lua state for specs: all of Lua's libraries, orrery.raw, and the kit's own modules out of the program.
 *
 * Knows neither busted nor what a spec is; main.lua does. */
#include "kit.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#include "kit_files.h"
#include "kit_raw.h"

#define RAW "orrery.raw"

/* A loader for package.preload: its upvalue is the place in the table of files. */
static int load_file(lua_State *L) {
  const orr__kit_file *file = &orr__kit[lua_tointeger(L, lua_upvalueindex(1))];
  char chunk[64];
  snprintf(chunk, sizeof chunk, "@orrery/%s.lua", file->name);
  if (luaL_loadbuffer(L, file->text, file->len, chunk)) return lua_error(L);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static int open_raw(lua_State *L) {
  const orr__kit_run *run = lua_touserdata(L, lua_upvalueindex(1));
  orr__kit_open_raw(L);
  if (run->extend) run->extend(L);
  return 1;
}

static void preload(lua_State *L, orr__kit_run *run) {
  char name[64];
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  for (int i = 0; orr__kit[i].name; i++) {
    snprintf(name, sizeof name, "orrery.%s", orr__kit[i].name);
    lua_pushinteger(L, i);
    lua_pushcclosure(L, load_file, 1);
    lua_setfield(L, -2, name);
  }
  lua_pushlightuserdata(L, run);
  lua_pushcclosure(L, open_raw, 1);
  lua_setfield(L, -2, RAW);
  lua_pop(L, 2);
}

/* main(run): requires the module and calls it. */
static int protected_main(lua_State *L) {
  orr__kit_run *run = lua_touserdata(L, 1);
  luaL_openlibs(L);
  preload(L, run);
  lua_getglobal(L, "require");
  lua_pushstring(L, RAW); /* first, so that what `extend` sets is there for everybody */
  lua_call(L, 1, 0);
  lua_getglobal(L, "require");
  lua_pushfstring(L, "orrery.%s", run->module);
  lua_call(L, 1, 1);
  lua_createtable(L, (int)run->arg_count, 0);
  for (size_t i = 0; i < run->arg_count; i++) {
    lua_pushstring(L, run->args[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_call(L, 1, 1);
  return 1;
}

int orr__kit_main(const orr__kit_run *run) {
  lua_State *L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "orrery: out of memory\n");
    return 1;
  }
  orr__kit_run copy = *run;
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &copy);
  int code = lua_pcall(L, 1, 1, 0);
  if (code) fprintf(stderr, "orrery: %s\n", lua_tostring(L, -1) ? lua_tostring(L, -1) : "the specs ended with an error without a text");
  else code = (int)lua_tointeger(L, -1);
  lua_close(L);
  return code;
}
