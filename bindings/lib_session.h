/* Shared logins: what other libraries need to know of lib_session.c. */
#ifndef ORR_BINDINGS_LIB_SESSION_H
#define ORR_BINDINGS_LIB_SESSION_H

#include <lua.h>
#include <stdbool.h>

#include "state.h"

/* Is this coroutine opening or closing a session? Then what it does counts as safe: a login can always be repeated. */
bool orr__session_is_safe(lua_State *L);

/* Lets go of the values that the provider of this version holds for a connection. */
void orr__sessions_forget(orr__version *version, int64_t connection);

#endif
