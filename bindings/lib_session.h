/* Shared logins: what other libraries need to know of lib_session.c. */
#ifndef ORR_BINDINGS_LIB_SESSION_H
#define ORR_BINDINGS_LIB_SESSION_H

#include <lua.h>
#include <stdbool.h>

#include "task.h"

/* Is this coroutine opening or closing a session? Then what it does counts as safe: a login can always be repeated. */
bool orr__session_is_safe(lua_State *L);

/* Of the fields that matter to a login; NULL: 0. */
uint64_t orr__session_fingerprint(const orr_connection *connection);
/* What an own call runs: the prelude's closer, with the session's name and value; returns how many arguments. Inside orr__protect. */
int orr__session_push_close(lua_State *L, const orr__call *call);

/* session_close.c: see there. */
/* Looks, in a later turn, whether there is something to close. */
void orr__sessions_look(orr__bindings *b);
/* The sessions of a connection that is no more are let go. */
void orr__sessions_forget(orr__bindings *b, int64_t connection);
/* An own call has ended. Takes both. */
void orr__session_closed(orr__bindings *b, orr__call *call, orr__answer *answer);

#endif
