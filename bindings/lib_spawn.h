/* What process and job share: a program, its arguments and environment taken from a Lua table into memory of our own, because
 * the program starts only after the sent mark is durable, when the Lua stack is gone. */
#ifndef ORR_BINDINGS_LIB_SPAWN_H
#define ORR_BINDINGS_LIB_SPAWN_H

#include <lua.h>
#include <stddef.h>

#include "base/error.h"

typedef struct orr__spawn {
  char **argv, **env;        /* NULL-terminated, owned */
  char *cwd, *input;         /* owned or NULL */
  size_t input_len;
} orr__spawn;

/* Fills it from the keys argv, env, cwd, stdin of the (checked) table. NOMEM, or INVALID: argv is empty. May raise only before anything is
 * owned. env is added to PATH, HOME, LANG, TMPDIR and USER of ours. */
int orr__spawn_take(lua_State *L, int table, const char *function, orr__spawn *ret, orr_error *reterr);
void orr__spawn_clear(orr__spawn *spawn);
/* The program's name without folders. Borrowed. */
const char *orr__spawn_program(const orr__spawn *spawn);
/* `message` with the Debian package that brings the program, where it is known. */
void orr__spawn_missing(const orr__spawn *spawn, char *out, size_t size);

#endif
