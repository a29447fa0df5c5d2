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
  orr__retired *of;              /* whose it is and what it is called, and its value: what is left when it is retired */
  enum state state;
  uint64_t generation;           /* of the value; grows with every opening */
  uint64_t ticket;               /* of who opens it */
  int64_t busy_until_ms, expires_ms;
  orr__session_waiter *waiters;
};

struct orr__session_store {
  size_t references, count, retired_count;
  uint64_t last_ticket, last_generation;
  orr__session *sessions;
  orr__retired *retired;         /* the oldest first */
};

static void wipe(char **text) {
  if (*text) explicit_bzero(*text, strlen(*text));
  free(*text);
  *text = NULL;
}

void orr__retired_free(orr__retired *retired) {
  if (!retired) return;
  wipe(&retired->value);
  free(retired->name);
  orr__object_free(retired->login);
  free(retired);
}

static orr__retired *retired_new(const orr__object *connection, uint64_t fingerprint, const char *name, const char *value) {
  orr__retired *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  made->connection = connection ? orr__object_id(connection) : 0;
  made->fingerprint = fingerprint;
  made->name = orr__strdup(name);
  made->value = orr__strdup(value);
  made->login = connection ? orr__object_copy(connection) : NULL;
  if (made->name && (!value || made->value) && (!connection || made->login)) return made;
  orr__retired_free(made);
  return NULL;
}

static void session_free(orr__session *session) {
  orr__retired_free(session->of);
  free(session);
}

static void retire(orr__session_store *store, orr__retired *retired) {
  orr__retired **at = &store->retired;
  if (store->retired_count == ORR_SESSIONS_MAX) {
    orr__retired *oldest = store->retired;
    store->retired = oldest->next;
    orr__retired_free(oldest);
    store->retired_count--;
  }
  while (*at) at = &(*at)->next;
  retired->next = NULL;
  *at = retired;
  store->retired_count++;
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
  while (store->retired) {
    orr__retired *next = store->retired->next;
    orr__retired_free(store->retired);
    store->retired = next;
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

/* Unlinks the session at *at. An old value that is being replaced is its opener's to close. */
static void let_go(orr__session_store *store, orr__session **at) {
  orr__session *session = *at;
  *at = session->next;
  store->count--;
  wake_all(session, NULL);
  if (session->state == OPEN) {
    retire(store, session->of);
    session->of = NULL;
  }
  session_free(session);
}

void orr__session_store_forget(orr__session_store *store, int64_t connection) {
  for (orr__session **at = &store->sessions; *at;) {
    if ((*at)->of->connection == connection) let_go(store, at);
    else at = &(*at)->next;
  }
}

void orr__session_store_retire(orr__session_store *store) {
  for (orr__session **at = &store->sessions; *at;) {
    if ((*at)->state == OPEN) let_go(store, at);
    else at = &(*at)->next;
  }
}

void orr__session_store_retire_value(orr__session_store *store, const orr__object *connection, uint64_t fingerprint, const char *name,
                                     const char *value) {
  orr__retired *retired = retired_new(connection, fingerprint, name, value);
  if (retired) retire(store, retired);
}

bool orr__session_store_has_retired(const orr__session_store *store) {
  return store->retired != NULL;
}

orr__retired *orr__session_store_take_retired(orr__session_store *store, bool (*may_close)(void *arg, const orr__retired *retired), void *arg) {
  orr__retired **at = &store->retired;
  while (*at && !may_close(arg, *at)) at = &(*at)->next;
  orr__retired *retired = *at;
  if (!retired) return NULL;
  *at = retired->next;
  retired->next = NULL;
  store->retired_count--;
  return retired;
}

/* Makes room by letting the oldest one go that nobody is busy with. */
static bool evict(orr__session_store *store) {
  orr__session **oldest = NULL;
  for (orr__session **at = &store->sessions; *at; at = &(*at)->next) {
    if ((*at)->state != OPENING && !(*at)->waiters) oldest = at;
  }
  if (!oldest) return false;
  let_go(store, oldest);
  return true;
}

int orr__session_find(orr__session_store *store, const orr__object *connection, uint64_t fingerprint, const char *name,
                      orr__session **ret, orr_error *reterr) {
  int64_t id = connection ? orr__object_id(connection) : 0;
  for (orr__session **at = &store->sessions; *at; at = &(*at)->next) {
    orr__session *session = *at;
    if (session->of->connection != id || strcmp(session->of->name, name) != 0) continue;
    if (session->of->fingerprint == fingerprint) {
      *ret = session;
      return 0;
    }
    let_go(store, at);
    break;
  }
  if (store->count >= ORR_SESSIONS_MAX && !evict(store)) return orr__error_set(reterr, ORR_E_LIMIT, "session: more than %d are being opened", ORR_SESSIONS_MAX);
  orr__session *made = calloc(1, sizeof *made);
  orr__retired *of = retired_new(connection, fingerprint, name, NULL);
  if (!made || !of) {
    free(made);
    orr__retired_free(of);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  made->of = of;
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
  return session->of->value;
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
  wipe(&session->of->value);
  session->of->value = copy;
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
  wipe(&session->of->value);
  session->state = EMPTY;
  wake_all(session, failure);
}
