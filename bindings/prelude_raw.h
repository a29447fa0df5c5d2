/* The C halves of our own prelude files (the libraries' are in lib.h): each pushes the table that its file gets as `raw`. */
#ifndef ORR_BINDINGS_PRELUDE_RAW_H
#define ORR_BINDINGS_PRELUDE_RAW_H

#include <lua.h>

void orr__raw_await(lua_State *L);
void orr__raw_base(lua_State *L);
void orr__raw_coroutine(lua_State *L);
void orr__raw_table(lua_State *L);
void orr__raw_response(lua_State *L);
void orr__raw_object(lua_State *L);
void orr__raw_parallel(lua_State *L);
void orr__raw_provider(lua_State *L);

/* The key of the table that is nearest to word, or NULL; lives as long as the key. */
const char *orr__nearest_key(lua_State *L, int table, const char *word);

#endif
