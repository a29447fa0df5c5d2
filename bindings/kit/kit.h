/* The kit for testing providers: busted, in an ordinary Lua state with all libraries, beside runtimes whose providers live in their own
 * sandboxed states; between the two there are only copies, as JSON text.
 *
 *   kit.c      the Lua state, the modules that travel inside the program, running busted
 *   kit_raw.c  the module orrery.raw: orrery.h for Lua
 *   *.lua      the modules orrery.NAME: what specs use (docs/testing.md)
 *
 * Part of the program, not of the library: it is a user of orrery.h like any other. */
#ifndef ORR_KIT_H
#define ORR_KIT_H

#include <stddef.h>

struct lua_State;

/* What a run is given; everything is borrowed for the call. */
typedef struct orr__kit_run {
  const char *module;          /* orrery.MODULE is required and called with `args`; it answers the exit code */
  const char *const *args;
  size_t arg_count;
  int (*extend)(struct lua_State *L); /* adds functions to orrery.raw, which lies on top of the stack; NULL: none */
} orr__kit_run;

/* Runs it in a Lua state of its own and returns the exit code; what goes wrong is one line on standard error. Specs are ordinary
 * programs: they may do whatever the process may, and the process should end soon afterwards. */
int orr__kit_main(const orr__kit_run *run);

#endif
