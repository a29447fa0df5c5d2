/* The shared logins of one provider: values by (connection, name), opened by one hook however many wait for it.
 *
 *            take                    opened
 *   EMPTY ----------> OPENING ------------------> OPEN
 *     ^                | |                         | |
 *     |  dropped       | |  failed                 | |  forget; take of a stale or expired one: OPENING
 *     +----------------+-+-------------------------+-+
 *
 *   OPENING  one hook has the ticket; it is taken over when its deadline passes or the ticket is dropped
 *
 * An open value that is let go (its connection is removed, its credentials have changed, room is needed, everything ends) is
 * retired: it waits to be taken out and closed, with a copy of the connection as it was.
 *
 * The store is plain C memory, counted by the provider and the Lua states that use it, so that values survive a reload. Knows nothing
 * of Lua and of what opening and closing mean. Loop thread only. */
#ifndef ORR_BINDINGS_SESSION_STORE_H
#define ORR_BINDINGS_SESSION_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/object.h"

#define ORR_SESSIONS_MAX 1000
#define ORR_SESSION_NAME_MAX 100

typedef struct orr__session_store orr__session_store;
typedef struct orr__session orr__session;

/* Somebody who waits for an opening; intrusive. wake is called once, after it was taken off the list. */
typedef struct orr__session_waiter {
  struct orr__session_waiter *next, **link;  /* link NULL: not waiting */
  void (*wake)(struct orr__session_waiter *waiter, const orr_error *failure); /* NULL: look again */
} orr__session_waiter;

/* What is to be closed; everything is owned. */
typedef struct orr__retired {
  struct orr__retired *next;
  int64_t connection;
  uint64_t fingerprint;
  char *name, *value;            /* value: JSON text, secret */
  orr__object *login;            /* the connection as it was when it was opened, or NULL */
} orr__retired;

enum orr__session_answer { ORR_SESSION_OPEN, ORR_SESSION_MINE, ORR_SESSION_BUSY };

orr__session_store *orr__session_store_new(void); /* owned, one reference; NULL: no memory */
orr__session_store *orr__session_store_ref(orr__session_store *store);
void orr__session_store_unref(orr__session_store *store);

/* The session of that connection (copied; NULL: none) and name, made if there is none; one whose connection has another
 * fingerprint by now is let go first. Borrowed until the next call of this function. LIMIT, NOMEM. */
int orr__session_find(orr__session_store *store, const orr__object *connection, uint64_t fingerprint, const char *name,
                      orr__session **ret, orr_error *reterr);
/* OPEN: value and generation are there. MINE: the caller opens it, *ret_ticket is his until until_ms. BUSY: wait.
 * stale: a generation that did not work any more, or 0. */
enum orr__session_answer orr__session_take(orr__session_store *store, orr__session *session, uint64_t stale, int64_t now_ms,
                                           int64_t until_ms, uint64_t *ret_ticket);
const char *orr__session_value(const orr__session *session);   /* JSON text; NULL: none. After MINE: the old one */
uint64_t orr__session_generation(const orr__session *session);
int64_t orr__session_busy_until(const orr__session *session);
void orr__session_wait(orr__session *session, orr__session_waiter *waiter);
void orr__session_unwait(orr__session_waiter *waiter);
/* By ticket; one that is no longer valid changes nothing. value is copied. expires_ms 0: never. Everybody is woken. */
int orr__session_opened(orr__session_store *store, uint64_t ticket, const char *value, int64_t expires_ms, uint64_t *ret_generation);
/* Opening did not work: those who wait get the failure; NULL: it was given up, the next one tries. */
void orr__session_failed(orr__session_store *store, uint64_t ticket, const orr_error *failure);
/* Every session of a connection that is no more is let go; who opens one keeps a ticket that is good for nothing. */
void orr__session_store_forget(orr__session_store *store, int64_t connection);
/* Retires every open one: the end is near. */
void orr__session_store_retire(orr__session_store *store);
/* Retires a value that was opened with a ticket that is no longer valid: it is nobody's, and it is open. Copied. Without
 * memory it is lost. */
void orr__session_store_retire_value(orr__session_store *store, const orr__object *connection, uint64_t fingerprint, const char *name,
                                     const char *value);
bool orr__session_store_has_retired(const orr__session_store *store);
/* Takes out the oldest retired one that may be closed now, or NULL. */
orr__retired *orr__session_store_take_retired(orr__session_store *store, bool (*may_close)(void *arg, const orr__retired *retired), void *arg);
void orr__retired_free(orr__retired *retired); /* NULL is fine */

#endif
