/* The external system of http_faults_spec.lua: it starts jobs, tells of them, cancels and deletes them, and goes wrong when it is told to.
 *
 *   POST /jobs {"key":K} start    GET /jobs/K refresh    GET /find/K look    POST /jobs/K/cancel cancel    DELETE /jobs/K delete
 *
 * Each request of such a kind is counted, and whether work was done for it, too: a job begun, cancelled or deleted. A fault that was
 * ordered for a kind spoils that many of the next requests. There is one such system in the process, on threads of its own (http_server.h), on several ports:
 * plain, under TLS with a good, an expired and another host's certificate, and a second origin, which must get nothing.
 *
 * Invariant: all that is counted is under the one mutex. Knows nothing of Orrery. */
#include "outside.h"

#include <assert.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_server.h"

#define assert_true(x) assert(x)
#define assert_int_equal(a, b) assert((a) == (b))
#include "tls_server.h"

enum act { START, REFRESH, LOOK, CANCEL, DELETE, ACTS };
static const char *const act_names[] = { "start", "refresh", "look", "cancel", "delete" };

/* Those from LOST on come after the work has been done. */
enum fault { WELL, RESET, STATUS_500, STATUS_503, STATUS_429, STATUS_429_DATE, REDIRECT_LOOP, REDIRECT_AWAY, LOST, SLOW, TRUNCATED, GARBAGE, HUGE_BODY, FAULTS };
static const char *const fault_names[] = { "well", "reset", "500", "503", "429", "429 date", "redirect loop", "redirect away", "lost", "slow",
                                           "truncated", "garbage", "huge" };

enum { KEYS_MAX = 64, HUGE_SIZE = 100 << 20, PIECE = 1 << 16 };
enum door { PLAIN, GOOD, EXPIRED, OTHER_HOST, AWAY, DOORS };

typedef struct job {
  char key[64];
  bool is_cancelled, is_deleted;
} job;

static struct {
  pthread_mutex_t mutex;
  job jobs[KEYS_MAX];
  int job_count;
  bool is_idempotent;
  int asked[ACTS], done[ACTS];
  enum fault fault[ACTS];
  int times[ACTS];
  int away;                 /* requests that came to the second origin */
  http_server *servers[DOORS];
  SSL_CTX *contexts[DOORS];
  struct identity identities[DOORS];
} outside = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* ---- the work ----------------------------------------------------------------------------------------------- */

/* The last of a key that is not deleted. */
static job *find(const char *key) {
  for (int i = outside.job_count; i-- > 0;)
    if (strcmp(outside.jobs[i].key, key) == 0 && !outside.jobs[i].is_deleted) return &outside.jobs[i];
  return NULL;
}

static bool work(enum act act, const char *key) {
  job *j = find(key);
  switch (act) {
    case START:
      if ((j && outside.is_idempotent) || outside.job_count == KEYS_MAX) return false;
      snprintf(outside.jobs[outside.job_count++].key, sizeof j->key, "%s", key);
      return true;
    case CANCEL:
      if (!j || j->is_cancelled) return false;
      return j->is_cancelled = true;
    case DELETE:
      if (!j) return false;
      return j->is_deleted = true;
    default: return false;
  }
}

/* Which act a request is, and of which key; ACTS: none. */
static enum act act_of(const http_call *call, char key[64]) {
  key[0] = '\0';
  if (strcmp(call->method, "POST") == 0 && strcmp(call->path, "/jobs") == 0) {
    const char *at = strstr(call->body, "\"key\":\"");
    return at && sscanf(at + 7, "%63[^\"]", key) == 1 ? START : ACTS;
  }
  if (sscanf(call->path, "/find/%63[^/]", key) == 1) return LOOK;
  if (sscanf(call->path, "/jobs/%63[^/]", key) != 1) return ACTS;
  if (strcmp(call->method, "DELETE") == 0) return DELETE;
  return strcmp(call->method, "POST") == 0 ? CANCEL : REFRESH;
}

/* ---- what goes wrong ---------------------------------------------------------------------------------------- */

static void answer_well(http_call *call, enum act act, const char *key) {
  char body[256];
  pthread_mutex_lock(&outside.mutex);
  const job *j = find(key);
  snprintf(body, sizeof body, "{\"id\":\"%s\",\"state\":\"%s\"}", key, !j ? "none" : j->is_cancelled ? "CANCELLED" : "SUCCEEDED");
  bool is_missing = !j && act != DELETE;
  pthread_mutex_unlock(&outside.mutex);
  http_answer(call, is_missing ? 404 : 200, "Content-Type: application/json\r\n", body);
}

static void answer_huge(http_call *call) {
  char *piece = malloc(PIECE);
  memset(piece, ' ', PIECE);
  http_sendf(call, "HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (size_t sent = 0; sent < HUGE_SIZE; sent += PIECE) {
    http_sendf(call, "%x\r\n", PIECE);
    http_send(call, piece, PIECE);
    http_sendf(call, "\r\n");
  }
  http_sendf(call, "0\r\n\r\n");
  free(piece);
}

static void answer_later(http_call *call, enum fault fault) {
  char header[160], date[64];
  time_t when = time(NULL) + 5; /* a busy machine reads it some seconds later */
  struct tm tm;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&when, &tm));
  snprintf(header, sizeof header, "Retry-After: %s\r\n", fault == STATUS_429_DATE ? date : "2");
  http_answer(call, fault == STATUS_503 ? 503 : 429, header, "later");
}

static enum http_after go_wrong(http_call *call, enum fault fault) {
  char header[320];
  switch (fault) {
    case RESET: return HTTP_RESET;
    case STATUS_500: http_answer(call, 500, "", "<h1>Internal error</h1>"); return HTTP_KEEP;
    case STATUS_503:
    case STATUS_429:
    case STATUS_429_DATE: answer_later(call, fault); return HTTP_KEEP;
    case REDIRECT_LOOP:
    case REDIRECT_AWAY:
      snprintf(header, sizeof header, "Location: http://127.0.0.1:%d%s\r\n", http_server_port(outside.servers[fault == REDIRECT_AWAY ? AWAY : PLAIN]), call->path);
      http_answer(call, 307, header, "");
      return HTTP_KEEP;
    case SLOW: http_wait_closed(call); return HTTP_CLOSE;
    case TRUNCATED: http_sendf(call, "HTTP/1.1 200 X\r\nContent-Length: 400\r\n\r\n{\"id\":"); return HTTP_CLOSE;
    case GARBAGE: http_answer(call, 200, "Content-Type: application/json\r\n", "{\"id\": \xff\xfe <html>"); return HTTP_KEEP;
    case HUGE_BODY: answer_huge(call); return HTTP_CLOSE;
    default: return HTTP_CLOSE; /* LOST */
  }
}

static enum http_after serve(http_call *call) {
  char key[64];
  enum act act = act_of(call, key);
  if (act == ACTS) {
    http_answer(call, 404, "", "");
    return HTTP_KEEP;
  }
  pthread_mutex_lock(&outside.mutex);
  enum fault fault = outside.times[act] > 0 ? outside.fault[act] : WELL;
  if (fault != WELL) outside.times[act]--;
  outside.asked[act]++;
  if ((fault == WELL || fault >= LOST) && work(act, key)) outside.done[act]++;
  pthread_mutex_unlock(&outside.mutex);
  if (fault != WELL) return go_wrong(call, fault);
  answer_well(call, act, key);
  return HTTP_KEEP;
}

static enum http_after serve_away(http_call *call) {
  pthread_mutex_lock(&outside.mutex);
  outside.away++;
  pthread_mutex_unlock(&outside.mutex);
  http_answer(call, 200, "Content-Type: application/json\r\n", "{\"id\":\"stolen\",\"state\":\"SUCCEEDED\"}");
  return HTTP_KEEP;
}

/* ---- for Lua ------------------------------------------------------------------------------------------------ */

static void open_tls(enum door door, const char *names, long from, long until) {
  identity_make_for(&outside.identities[door], door, names, from, until);
  outside.contexts[door] = SSL_CTX_new(TLS_server_method());
  present(outside.contexts[door], &outside.identities[door]);
  struct http_stream stream = { tls_open, tls_read, tls_write, tls_close, outside.contexts[door] };
  outside.servers[door] = http_server_new(serve, &stream);
}

static int l_free(lua_State *L) {
  (void)L;
  for (int i = 0; i < DOORS; i++) {
    http_server_free(outside.servers[i]);
    SSL_CTX_free(outside.contexts[i]);
    if (outside.contexts[i]) identity_clear(&outside.identities[i]);
    outside.servers[i] = NULL;
    outside.contexts[i] = NULL;
  }
  return 0;
}

/* outside(isIdempotent) -> { plain = { url }, good = { url, pem, fingerprint }, expired, otherHost, away }, anew */
static int l_outside(lua_State *L) {
  static const char *const names[] = { "plain", "good", "expired", "otherHost", "away" };
  l_free(L);
  outside.job_count = outside.away = 0;
  outside.is_idempotent = lua_toboolean(L, 1);
  memset(outside.asked, 0, sizeof outside.asked);
  memset(outside.done, 0, sizeof outside.done);
  memset(outside.times, 0, sizeof outside.times);
  memset(outside.jobs, 0, sizeof outside.jobs);
  outside.servers[PLAIN] = http_server_new(serve, NULL);
  outside.servers[AWAY] = http_server_new(serve_away, NULL);
  open_tls(GOOD, "IP:127.0.0.1", -3600, 86400);
  open_tls(EXPIRED, "IP:127.0.0.1", -86400, -3600);
  open_tls(OTHER_HOST, "DNS:vault.example", -3600, 86400);
  lua_newtable(L);
  for (int i = 0; i < DOORS; i++) {
    lua_newtable(L);
    lua_pushfstring(L, "%s://127.0.0.1:%d", outside.contexts[i] ? "https" : "http", http_server_port(outside.servers[i]));
    lua_setfield(L, -2, "url");
    if (outside.contexts[i]) {
      lua_pushstring(L, outside.identities[i].pem);
      lua_setfield(L, -2, "pem");
      lua_pushstring(L, outside.identities[i].fingerprint);
      lua_setfield(L, -2, "fingerprint");
    }
    lua_setfield(L, -2, names[i]);
  }
  return 1;
}

/* outsideFault(act, fault, times) */
static int l_fault(lua_State *L) {
  const char *act = luaL_checkstring(L, 1), *fault = luaL_checkstring(L, 2);
  int a = 0, f = 0;
  while (a < ACTS && strcmp(act_names[a], act) != 0) a++;
  while (f < FAULTS && strcmp(fault_names[f], fault) != 0) f++;
  if (a == ACTS || f == FAULTS) return luaL_error(L, "no such fault: %s at %s", fault, act);
  pthread_mutex_lock(&outside.mutex);
  outside.fault[a] = (enum fault)f;
  outside.times[a] = (int)luaL_checkinteger(L, 3);
  pthread_mutex_unlock(&outside.mutex);
  return 0;
}

/* outsideCount(act) -> asked, done; outsideCount("away") -> how often the second origin was asked */
static int l_count(lua_State *L) {
  const char *act = luaL_checkstring(L, 1);
  int a = 0;
  while (a < ACTS && strcmp(act_names[a], act) != 0) a++;
  pthread_mutex_lock(&outside.mutex);
  lua_pushinteger(L, a < ACTS ? outside.asked[a] : outside.away);
  lua_pushinteger(L, a < ACTS ? outside.done[a] : 0);
  pthread_mutex_unlock(&outside.mutex);
  return 2;
}

void outside_register(lua_State *L) {
  static const luaL_Reg functions[] = { { "outside", l_outside }, { "outsideFault", l_fault }, { "outsideCount", l_count }, { "outsideFree", l_free }, { NULL, NULL } };
  luaL_register(L, NULL, functions);
}
