/* The digest of a file for hash.file. */
#ifndef ORR_BINDINGS_LIB_HASH_FILE_H
#define ORR_BINDINGS_LIB_HASH_FILE_H

#include <lua.h>

/* file(path) -> true, hex | false, error; waits where the file is large. */
int orr__hash_file(lua_State *L);

#endif
