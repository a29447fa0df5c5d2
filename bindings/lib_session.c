/* session: shared logins for hooks, on session_store.h.
 *
 * The store belongs to the provider: the states of its versions share one, so a reload keeps what is open. A session is bound to the
 * connection of the hook that uses it, and to a fingerprint of that connection's credentials: change those and the login is
 * made anew. What is let go is closed by session_close.c.
 *
 * The dance of opening (who opens, who waits, what is tried again) is in prelude/session.lua. The ticket of who opens is
 * a userdata on his coroutine: when that is abandoned, the collector gives the ticket back; until then its deadline does. */
#include "lib_session.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "registry.h"
#include "scope.h"
#include "session_store.h"
#include "task.h"
#include "value.h"
#include "wait.h"

#define TICKET_TYPE "orr.session.ticket"
static const char store_key, safe_key, closer_key; /* their addresses */

typedef struct store_box {
  orr__session_store *store;
} store_box;

typedef struct ticket_box {
  orr__session_store *store;   /* a reference; NULL: used up */
  uint64_t ticket;
} ticket_box;

typedef struct session_wait {
  orr__wait wait;
  orr__session_waiter waiter;
  orr__session *session;       /* until it waits; the list keeps it afterwards */
  orr__loop *loop;
  orr__timer timer;            /* when the opener's time is up, somebody else tries */
  orr_error failure;
} session_wait;

/* ---- the store of a state ---------------------------------------------------------------------------------- */

static orr__session_store *store_in(lua_State *L) {
  lua_pushlightuserdata(L, (void *)&store_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  store_box *box = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return box ? box->store : NULL;
}

static int collect_store(lua_State *L) {
  store_box *box = lua_touserdata(L, 1);
  orr__session_store_unref(box->store);
  box->store = NULL;
  return 0;
}

static void open_store(lua_State *L) {
  orr__provider *provider = orr__version_of(L)->provider;
  lua_pushlightuserdata(L, (void *)&store_key);
  store_box *box = lua_newuserdata(L, sizeof *box);
  box->store = NULL;
  lua_newtable(L);
  lua_pushcfunction(L, collect_store);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!provider->sessions) provider->sessions = orr__session_store_new();
  if (!provider->sessions) luaL_error(L, "out of memory");
  box->store = orr__session_store_ref(provider->sessions);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

/* ---- whose session ----------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const char *text) {
  uint64_t of_text = text ? orr__hash64(text, strlen(text)) : 0;
  return (hash ^ of_text) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

uint64_t orr__session_fingerprint(const orr_connection *c) {
  if (!c) return 0;
  const char *const parts[] = { c->serviceUrl, c->host, c->username, c->password, c->serviceToken, c->config, c->secrets };
  uint64_t hash = (uint64_t)c->port;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) hash = mix(hash, parts[i]);
  return hash;
}

/* Argument 1 is the name. Raises outside a hook. */
static int find_session(lua_State *L, orr__session **ret, orr_error *reterr) {
  const char *name = orr__arg_line(L, 1, "session: name");
  const orr__call *call = orr__current_call(L);
  if (!call) orr__raise(L, "session: cannot be used while the provider loads");
  const orr_connection *connection = call->graph.connection;
  /* It would have to be closed in its turn. */
  if (orr__call_is_own(call)) return orr__error_set(reterr, ORR_E_REFUSED, "session '%s': cannot be used while one is closed for good", name);
  return orr__session_find(store_in(L), connection ? &connection->head : NULL, orr__session_fingerprint(connection), name, ret, reterr);
}

static int push_and_clear(lua_State *L, orr_error *err) {
  orr__push_error(L, err);
  orr__error_clear(err);
  return 2;
}

/* ---- waiting for another hook that opens ------------------------------------------------------------------- */

static void finish(session_wait *w) {
  orr__timer_stop(w->loop, &w->timer);
  orr__session_unwait(&w->waiter);
  orr__wait_done(&w->wait);
}

static void time_is_up(void *arg) {
  finish(arg);
}

static void woken(orr__session_waiter *waiter, const orr_error *failure) {
  session_wait *w = (session_wait *)(void *)((char *)waiter - offsetof(session_wait, waiter));
  if (failure) orr__error_copy(&w->failure, failure);
  finish(w);
}

static int start(orr__wait *wait, orr_error *reterr) {
  session_wait *w = (session_wait *)wait;
  if (orr__timer_start(w->loop, &w->timer, orr__session_busy_until(w->session), time_is_up, w) != 0)
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  w->waiter.wake = woken;
  orr__session_wait(w->session, &w->waiter);
  return 0;
}

static void abort_wait(orr__wait *wait) {
  finish((session_wait *)wait);
}

static int push(orr__wait *wait, lua_State *L) {
  session_wait *w = (session_wait *)wait;
  if (w->failure.code) return orr__push_error(L, &w->failure);
  lua_pushboolean(L, true);
  lua_pushliteral(L, "again");
  return 2;
}

static void clear(orr__wait *wait) {
  orr__error_clear(&((session_wait *)wait)->failure);
}

static const orr__wait_kind kind = { "session", start, abort_wait, push, clear, NULL };

/* ---- raw functions ----------------------------------------------------------------------------------------- */

static int drop_ticket(lua_State *L) {
  ticket_box *box = lua_touserdata(L, 1);
  if (!box->store) return 0;
  orr__session_failed(box->store, box->ticket, NULL);
  orr__session_store_unref(box->store);
  box->store = NULL;
  return 0;
}

static ticket_box *push_ticket(lua_State *L) {
  ticket_box *box = lua_newuserdata(L, sizeof *box);
  box->store = NULL;
  if (luaL_newmetatable(L, TICKET_TYPE)) {
    lua_pushcfunction(L, drop_ticket);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return box;
}

/* Every text in the value at the top is a secret from now on. */
static void mark_secret(lua_State *L, int index, int depth) {
  if (lua_type(L, index) == LUA_TSTRING) {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    orr__secret_add(L, text, len);
  } else if (lua_istable(L, index) && depth < ORR_JSON_DEPTH) {
    luaL_checkstack(L, 4, "a session value");
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) mark_secret(L, lua_gettop(L), depth + 1);
  }
}

static void push_value(lua_State *L, const char *text) {
  orr_error err = ORR_ERROR_INIT;
  if (text && orr__push_json_text(L, text, strlen(text), false, &err) == 0) {
    mark_secret(L, lua_gettop(L), 0);
    return;
  }
  orr__error_clear(&err);
  lua_pushnil(L);
}

/* take(name, stale) -> true, "open", value, generation | true, "mine", ticket, old value | (waits) true, "again" */
static int session_take(lua_State *L) {
  uint64_t stale = (uint64_t)luaL_optnumber(L, 2, 0), ticket = 0;
  orr__session *session = NULL;
  orr_error err = ORR_ERROR_INIT;
  orr__loop *loop = orr__current_config(L)->loop;
  int64_t now = orr__loop_mono_ms(loop);
  if (find_session(L, &session, &err) != 0) return push_and_clear(L, &err);
  ticket_box *box = push_ticket(L);
  orr__session_store *store = store_in(L);
  switch (orr__session_take(store, session, stale, now, now + orr__remaining_ms(L) + ORR_GRACE_MS, &ticket)) {
  case ORR_SESSION_MINE:
    box->store = orr__session_store_ref(store);
    box->ticket = ticket;
    lua_pushboolean(L, true);
    lua_pushliteral(L, "mine");
    lua_pushvalue(L, -3);
    push_value(L, orr__session_value(session));
    return 4;
  case ORR_SESSION_OPEN:
    lua_pushboolean(L, true);
    lua_pushliteral(L, "open");
    push_value(L, orr__session_value(session));
    lua_pushnumber(L, (lua_Number)orr__session_generation(session));
    return 4;
  case ORR_SESSION_BUSY: break;
  }
  session_wait *w = orr__wait_new(L, &kind, sizeof *w);
  w->session = session;
  w->loop = loop;
  return orr__wait_start(L, &w->wait, NULL);
}

/* opened(ticket, value, ttl, name) -> true, generation */
static int session_opened(lua_State *L) {
  ticket_box *box = luaL_checkudata(L, 1, TICKET_TYPE);
  double ttl = luaL_optnumber(L, 3, 0);
  const char *name = luaL_checkstring(L, 4);
  orr_error err = ORR_ERROR_INIT;
  uint64_t generation = 0;
  orr__scope *scope = orr__scope_push(L, free);
  char *text = scope->held = orr__value_to_text(L, 2, &err);
  if (!text) return push_and_clear(L, &err);
  mark_secret(L, 2, 0);
  int64_t now = orr__loop_mono_ms(orr__current_config(L)->loop);
  int code = box->store ? orr__session_opened(box->store, box->ticket, text, ttl > 0 ? now + (int64_t)(ttl * 1000) : 0, &generation) : ORR_E_NOT_FOUND;
  if (code == ORR_E_NOT_FOUND) {
    /* Only this hook has it, so it is closed when the hook has ended. */
    const orr_connection *connection = orr__current_call(L)->graph.connection;
    orr__session_store_retire_value(store_in(L), connection ? &connection->head : NULL, orr__session_fingerprint(connection), name, text);
  }
  explicit_bzero(text, strlen(text));
  orr__scope_close(scope);
  if (code == ORR_E_NOMEM) return orr__push_failure(L, code, "out of memory");
  if (box->store) orr__session_store_unref(box->store);
  box->store = NULL;
  lua_pushboolean(L, true);
  lua_pushnumber(L, (lua_Number)generation);
  return 2;
}

/* failed(ticket, error): those who wait get the error; without one the next of them tries. */
static int session_failed(lua_State *L) {
  ticket_box *box = luaL_checkudata(L, 1, TICKET_TYPE);
  if (!box->store || lua_isnoneornil(L, 2)) return drop_ticket(L);
  orr_error err = ORR_ERROR_INIT;
  orr__error_from_lua(L, 2, &err);
  orr__session_failed(box->store, box->ticket, &err);
  orr__error_clear(&err);
  return drop_ticket(L);
}

/* safe(is): marks or unmarks this coroutine as opening or closing a session. */
static int session_safe(lua_State *L) {
  lua_settop(L, 1);
  lua_pushlightuserdata(L, (void *)&safe_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushthread(L);
  if (lua_toboolean(L, 1)) lua_pushboolean(L, true);
  else lua_pushnil(L);
  lua_rawset(L, 2);
  return 0;
}

/* running() -> this coroutine */
static int session_running(lua_State *L) {
  lua_pushthread(L);
  return 1;
}

bool orr__session_is_safe(lua_State *L) {
  const orr__task *task = orr__version_of(L)->running;
  if (task && task->is_safe) return true;
  lua_pushlightuserdata(L, (void *)&safe_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushthread(L);
  lua_rawget(L, -2);
  bool is_safe = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return is_safe;
}

/* connection() -> the BackupProvider of the hook that opens or closes, nil if it has none */
static int session_connection(lua_State *L) {
  orr__hookcall *hc = orr__version_of(L)->running->hc;
  orr__graph *graph = hc->call->batch_count && !hc->call->graph.connection ? &hc->call->batch[0] : &hc->call->graph;
  orr__push_object(L, hc, graph, graph->connection ? &graph->connection->head : NULL, ORR_BOX_CALL, NULL);
  return 1;
}

/* closer(function): what closes a session, given its name and value. */
static int session_closer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_pushlightuserdata(L, (void *)&closer_key);
  lua_insert(L, 1);
  lua_rawset(L, LUA_REGISTRYINDEX);
  return 0;
}

int orr__session_push_close(lua_State *L, const orr__call *call) {
  luaL_checkstack(L, LUA_MINSTACK, "a session value");
  lua_pushlightuserdata(L, (void *)&closer_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushstring(L, call->name);
  push_value(L, call->config);
  return 2;
}

void orr__lib_session(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "connection", session_connection },
    { "take", session_take }, { "opened", session_opened }, { "failed", session_failed }, { "safe", session_safe },
    { "running", session_running }, { "closer", session_closer }, { NULL, NULL }
  };
  open_store(L);
  lua_pushlightuserdata(L, (void *)&safe_key);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
