/* C memory that must not leak when Lua raises.
 *
 * A scope is a small userdata on the stack that owns one C pointer: if the function raises, the collector releases
 * the pointer; if it returns, orr__scope_close does so at once. Open the scope first, then allocate into its slot.
 * Close it before yielding: a scope that waits on a sleeping coroutine's stack holds its memory for as long. */
#ifndef ORR_BINDINGS_SCOPE_H
#define ORR_BINDINGS_SCOPE_H

#include <lua.h>

typedef struct orr__scope {
  void *held;                 /* what is owned; NULL: nothing (yet) */
  void (*release)(void *held);
} orr__scope;

/* Pushes a scope; may raise for memory, before anything is owned. Borrowed, valid while it is on the stack. */
orr__scope *orr__scope_push(lua_State *L, void (*release)(void *held));
/* Releases what it holds, now; it may be filled again. */
void orr__scope_close(orr__scope *scope);

#endif
