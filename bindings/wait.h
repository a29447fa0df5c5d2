/* How a library function waits.
 *
 * A C function of a library that must wait makes an orr__wait of its kind, starts it, and returns what
 * orr__wait_start returns; its coroutine sleeps. When the work has ended, its completion calls orr__wait_done; in a
 * later turn kind->push puts the outcome on the coroutine's stack and it goes on.
 *
 * What the Lua caller of the raw C function gets is always `true, values...` or `false, errorTable`, where
 * errorTable = { code, message, retryable }; a wrapper in the prelude raises the latter (LuaJIT cannot raise
 * from a resume), so authors see straight-line code that returns or raises.
 *
 * The wait belongs to its hook's call: when the hook's deadline passes or it is interrupted, kind->abort is called,
 * the wait counts as ended with DEADLINE or CANCELLED, and a completion that arrives later finds nobody and is
 * dropped. Every wait is freed exactly once, by kind->clear and then its memory, never while its work still runs:
 * an aborted wait lingers until orr__wait_done. So: one start, one orr__wait_done, always.
 *
 * A mutating act passes `act` (for the journal): before start is called, the journal row is marked sent, durably,
 * once per call; then deadline and generation are looked at again. Without act (safe requests, sleep) start is
 * called at once. */
#ifndef ORR_BINDINGS_WAIT_H
#define ORR_BINDINGS_WAIT_H

#include <lua.h>

#include "bindings.h"

typedef struct orr__wait orr__wait;

typedef struct orr__wait_kind {
  const char *name;                              /* "http.request", for messages: where a hook was when it was stopped */
  int (*start)(orr__wait *wait, orr_error *reterr); /* begins the work; not 0: it ended with that error, done is not called */
  void (*abort)(orr__wait *wait);                /* asks the work to end soon; NULL: it cannot be hurried */
  /* Pushes the outcome: `true, values...` or orr__push_failure; returns how many. May raise only for memory. */
  int (*push)(orr__wait *wait, lua_State *L);
  void (*clear)(orr__wait *wait);                /* releases what the wait owns; NULL: nothing */
  /* Before abort, or instead of push where it had ended: its outcome is nobody's any more, because of the code and text (the call is being
   * stopped, or has ended). The call is still there. NULL: so be it. */
  void (*lost)(orr__wait *wait, int code, const char *why);
} orr__wait_kind;

/* The head of every wait; a library's own struct begins with it. */
struct orr__wait {
  const orr__wait_kind *kind;
  orr__bindings *bindings;
  uint64_t id;                                   /* never used again */
  uint64_t call_id;                              /* of the hook */
  struct orr__task *task;                        /* for wait.c only */
  struct orr__wait *next, *prev;                 /* for wait.c only: the call's resources */
  unsigned state;                                /* for wait.c only */
  char *act;                                     /* for wait.c only */
  bool is_act;                                   /* for wait.c only: a mutating act that has begun */
};

/* A zeroed wait of `size` bytes (sizeof your struct), not yet started. Raises if L is not inside a hook ("... cannot be
 * used while the provider loads"), or for memory. If something goes wrong before start, orr__wait_drop it. */
void *orr__wait_new(lua_State *L, const orr__wait_kind *kind, size_t size);
void orr__wait_drop(orr__wait *wait);
/* Starts it (after the sent mark, if act is not NULL; act is copied) and yields: `return orr__wait_start(L, w, act);`
 * Afterwards the stack's values are gone; nothing that needs closing may be open. */
int orr__wait_start(lua_State *L, orr__wait *wait, const char *act);
/* From the completion, on the loop thread, once per started wait. */
void orr__wait_done(orr__wait *wait);
/* Before it, where that is certain: the act never left (the connection was refused). */
void orr__wait_unsent(orr__wait *wait);

/* Pushes `false, { code = word, message = .., retryable = .. }`; returns 2. */
int orr__push_failure(lua_State *L, int code, const char *message);
int orr__push_error(lua_State *L, const orr_error *err); /* likewise, with the per-field map as `errors` */

/* What a library needs to know about where it runs. Borrowed; NULL while the provider loads. */
const orr__call *orr__current_call(lua_State *L);
const orr__bindings_config *orr__current_config(lua_State *L);
/* Is this granted by the provider's needs? kind: "http" (what: a URL), "exec" (a program name), "host" (a function), "read", "write" (a path,
 * made absolute, links resolved as far as it exists). Pushes nothing; DENIED says what to add to `needs`. */
int orr__granted(lua_State *L, const char *kind, const char *what, orr_error *reterr);
/* The same for needs.http and a URL that has been taken apart. */
int orr__granted_url(lua_State *L, const orr__url *url, orr_error *reterr);
/* Marks a value as secret for the rest of the provider's life: redacted (raw, base64, URL-encoded, JSON-escaped) from logs and messages. */
void orr__secret_add(lua_State *L, const char *text, size_t len);
/* text with every known secret replaced by "***", cut to at most `most` bytes afterwards; owned. */
char *orr__redact(lua_State *L, const char *text, size_t len, size_t most);
/* Milliseconds on the monotonic clock until the hook's deadline (at least 1). */
int64_t orr__remaining_ms(lua_State *L);

#endif
