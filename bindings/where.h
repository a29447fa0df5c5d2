/* Where a coroutine is, for people: file and line of the author's code, and a traceback. */
#ifndef ORR_BINDINGS_WHERE_H
#define ORR_BINDINGS_WHERE_H

#include "state.h"

#define ORR_WHERE_MAX 128
#define ORR_TRACEBACK_MAX 16384    /* bytes of a traceback that are kept: those of its ends */

/* Writes "file:line: " of the innermost author's function of co, or nothing; line: of its innermost function where that is known
 * better, else 0. Returns the traceback (owned), NULL without memory for it.
 * co is one of the version's, suspended or ended by an error. Never raises. */
char *orr__where(orr__version *v, lua_State *co, int line, char ret_position[ORR_WHERE_MAX]);

#endif
