/* An external backup system that does as it is told, also wrong: see outside.c. */
#ifndef TEST_SPEC_OUTSIDE_H
#define TEST_SPEC_OUTSIDE_H

#include <lua.h>

/* Adds the functions outside, outsideFault, outsideCount, outsideFree to the module on top of the stack. */
void outside_register(lua_State *L);

#endif
