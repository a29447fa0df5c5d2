/* C memory tied to a userdata on the Lua stack. Does not know what the memory is. */
#include "scope.h"

#include <lauxlib.h>

#define SCOPE_TYPE "orr.scope"

static int collect(lua_State *L) {
  orr__scope_close(lua_touserdata(L, 1));
  return 0;
}

orr__scope *orr__scope_push(lua_State *L, void (*release)(void *held)) {
  orr__scope *scope = lua_newuserdata(L, sizeof *scope);
  scope->held = NULL;
  scope->release = release;
  if (luaL_newmetatable(L, SCOPE_TYPE)) {
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return scope;
}

void orr__scope_close(orr__scope *scope) {
  void *held = scope->held;
  scope->held = NULL;
  if (held) scope->release(held);
}
