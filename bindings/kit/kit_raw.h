/* The module orrery.raw: the functions of orrery.h, one to one. The Lua modules beside it make them pleasant. */
#ifndef ORR_KIT_RAW_H
#define ORR_KIT_RAW_H

#include <lua.h>

int orr__kit_open_raw(lua_State *L); /* a lua_CFunction for package.preload */

#endif
