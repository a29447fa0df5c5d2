/* The libraries of C functions, each opened into a state by one function that pushes its table of raw functions.
 *
 * The raw tables never reach the author: the prelude (bindings/prelude/<name>.lua) is loaded once per state with them as its
 * argument `raw`, wraps what waits with `await`, and returns the public library, which sandbox.c puts among the globals
 * under `name`. Prelude files run in the order of this list, see each other's results through their second argument
 * `lib` (a table of the libraries so far), and their third, `core` ({ await = ..., null = ... }, state.c). */
#ifndef ORR_BINDINGS_LIB_H
#define ORR_BINDINGS_LIB_H

#include <lua.h>

typedef struct orr__lib {
  const char *name;                    /* the global, and the prelude file */
  void (*open)(lua_State *L);          /* pushes one table; NULL: no C half */
} orr__lib;
extern const orr__lib orr__libs[];     /* libs.c; ends with a NULL name */

#endif
