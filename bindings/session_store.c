/* The shared logins of one provider (session_store.h has the states).
 *
 * A list, because a provider has a handful of connections and one or two sessions each. Values are wiped when they go. */
#include "session_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum state { EMPTY, OPENING, OPEN };

struct orr__session {
  orr__session *next;
  int64_t connection;
  uint64_t fingerprint;          /* of the connection's fields that matter to a login */
  char *name;
  enum state state;
  char *value;                   /* JSON text, secret */
  uint64_t generation;           /* of the value; grows with every opening */
  uint64_t ticket;               /* of who opens it */
  int64_t busy_until_ms, expires_ms;
  orr__session_waiter *waiters;
};

struct orr__session_store {
  size_t references, count;
  uint64_t last_ticket, last_generation;
  orr__session *sessions;
};

static void wipe(char **text) {
  if (*text) explicit_bzero(*text, strlen(*text));
  free(*text);
  *text = NULL;
}

static void session_free(orr__session *session) {
  wipe(&session->value);
  free(session->name);
  free(session);
}

orr__session_store *orr__session_store_new(void) {
  orr__session_store *store = calloc(1, sizeof *store);
  if (store) store->references = 1;
  return store;
}

orr__session_store *orr__session_store_ref(orr__session_store *store) {
  store->references++;
  return store;
}

void orr__session_store_unref(orr__session_store *store) {
  if (!store || --store->references > 0) return;
  while (store->sessions) {
    orr__session *session = store->sessions;
    store->sessions = session->next;
    session_free(session);
  }
  free(store);
}

void orr__session_unwait(orr__session_waiter *waiter) {
  if (!waiter->link) return;
  *waiter->link = waiter->next;
  if (waiter->next) waiter->next->link = waiter->link;
  waiter->next = NULL;
  waiter->link = NULL;
}

void orr__session_wait(orr__session *session, orr__session_waiter *waiter) {
  waiter->next = session->waiters;
  if (session->waiters) session->waiters->link = &waiter->next;
  waiter->link = &session->waiters;
  session->waiters = waiter;
}

static void wake_all(orr__session *session, const orr_error *failure) {
  while (session->waiters) {
    orr__session_waiter *waiter = session->waiters;
    orr__session_unwait(waiter);
    waiter->wake(waiter, failure);
  }
}

void orr__session_forget(orr__session *session) {
  wipe(&session->value);
  session->state = EMPTY;
  session->ticket = 0;
  wake_all(session, NULL);
}

void orr__session_store_forget(orr__session_store *store, int64_t connection) {
  for (orr__session **at = &store->sessions; *at;) {
    orr__session *session = *at;
    if (session->connection != connection) {
      at = &session->next;
      continue;
    }
    *at = session->next;
    store->count--;
    wake_all(session, NULL);
    session_free(session);
  }
}

/* Makes room by letting the oldest one go that nobody is busy with. */
static bool evict(orr__session_store *store) {
  orr__session **oldest = NULL;
  for (orr__session **at = &store->sessions; *at; at = &(*at)->next) {
    if ((*at)->state != OPENING && !(*at)->waiters) oldest = at;
  }
  if (!oldest) return false;
  orr__session *session = *oldest;
  *oldest = session->next;
  session_free(session);
  store->count--;
  return true;
}

int orr__session_find(orr__session_store *store, int64_t connection, uint64_t fingerprint, const char *name,
                      orr__session **ret, orr_error *reterr) {
  for (orr__session *session = store->sessions; session; session = session->next) {
    if (session->connection != connection || strcmp(session->name, name) != 0) continue;
    if (session->fingerprint != fingerprint) {
      session->fingerprint = fingerprint;
      orr__session_forget(session);
    }
    *ret = session;
    return 0;
  }
  if (store->count >= ORR_SESSIONS_MAX && !evict(store)) return orr__error_set(reterr, ORR_E_LIMIT, "session: more than %d are being opened", ORR_SESSIONS_MAX);
  orr__session *made = calloc(1, sizeof *made);
  char *copy = orr__strdup(name);
  if (!made || !copy) {
    free(made);
    free(copy);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  made->connection = connection;
  made->fingerprint = fingerprint;
  made->name = copy;
  made->next = store->sessions;
  store->sessions = made;
  store->count++;
  *ret = made;
  return 0;
}

/* A ticket is a number that is never used again: a late one finds nobody. */
static orr__session *by_ticket(orr__session_store *store, uint64_t ticket) {
  for (orr__session *session = store->sessions; session; session = session->next) {
    if (session->state == OPENING && session->ticket == ticket) return session;
  }
  return NULL;
}

enum orr__session_answer orr__session_take(orr__session_store *store, orr__session *session, uint64_t stale, int64_t now_ms,
                                           int64_t until_ms, uint64_t *ret_ticket) {
  if (session->state == OPEN && session->generation != stale && (session->expires_ms == 0 || now_ms < session->expires_ms)) return ORR_SESSION_OPEN;
  if (session->state == OPENING && now_ms < session->busy_until_ms) return ORR_SESSION_BUSY;
  session->state = OPENING;
  session->busy_until_ms = until_ms;
  *ret_ticket = session->ticket = ++store->last_ticket;
  return ORR_SESSION_MINE;
}

const char *orr__session_value(const orr__session *session) {
  return session->value;
}

uint64_t orr__session_generation(const orr__session *session) {
  return session->generation;
}

int64_t orr__session_busy_until(const orr__session *session) {
  return session->busy_until_ms;
}

int orr__session_opened(orr__session_store *store, uint64_t ticket, const char *value, int64_t expires_ms, uint64_t *ret_generation) {
  orr__session *session = by_ticket(store, ticket);
  if (!session) return ORR_E_NOT_FOUND;
  char *copy = orr__strdup(value);
  if (!copy) return ORR_E_NOMEM;
  wipe(&session->value);
  session->value = copy;
  session->generation = ++store->last_generation;
  session->expires_ms = expires_ms;
  session->state = OPEN;
  *ret_generation = session->generation;
  wake_all(session, NULL);
  return 0;
}

void orr__session_failed(orr__session_store *store, uint64_t ticket, const orr_error *failure) {
  orr__session *session = by_ticket(store, ticket);
  if (!session) return;
  wipe(&session->value);
  session->state = EMPTY;
  wake_all(session, failure);
}
