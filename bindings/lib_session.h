/* Shared logins: what other libraries need to know of lib_session.c. */
#ifndef ORR_BINDINGS_LIB_SESSION_H
#define ORR_BINDINGS_LIB_SESSION_H

#include <lua.h>
#include <stdbool.h>

/* Is this coroutine opening or closing a session? Then what it does counts as safe: a login can always be repeated. */
bool orr__session_is_safe(lua_State *L);

#endif
