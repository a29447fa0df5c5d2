/* Values between Lua and JSON text, and checked arguments.
 *
 * Lua -> JSON: nil (only at the top) and json.null are null; tables with keys 1..n are arrays, empty tables objects
 * unless made by json.array; strings must be UTF-8 (base64 other bytes); numbers integral up to 2^53 print as integers;
 * NaN and infinities, functions, userdata other than model objects, cycles, mixed keys and depth over 200 are errors that
 * name the path ("config.disks[2].size").
 * JSON -> Lua: null inside arrays and maps is json.null when `keep_null`, else absent (nil). Integers beyond 2^53 are strings. */
#ifndef ORR_BINDINGS_VALUE_H
#define ORR_BINDINGS_VALUE_H

#include <lua.h>

#include "model/json.h"

/* The value at index as an owned tree; NULL and *reterr (INVALID) if it is none. Raises for nothing but memory. */
orr__json *orr__value_to_json(lua_State *L, int index, orr_error *reterr);
/* Owned text, or NULL. */
char *orr__value_to_text(lua_State *L, int index, orr_error *reterr);
/* Pushes the value. Raises only for memory. */
void orr__push_json(lua_State *L, const orr__json *json, bool keep_null);
/* Parses and pushes; not 0: nothing pushed. NULL text pushes an empty table. */
int orr__push_json_text(lua_State *L, const char *text, size_t len, bool keep_null, orr_error *reterr);
/* The json.null of this state, and a test for it. */
void orr__push_null(lua_State *L);
bool orr__is_null(lua_State *L, int index);
/* json.array's mark on the table at the top: it stays an array when it is empty. Arrays parsed from JSON have it. */
void orr__mark_array(lua_State *L);
bool orr__is_marked_array(lua_State *L, int index);

#endif
