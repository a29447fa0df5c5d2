/* http: one request, sent and answered. What is around it (query, JSON, sessions) is prelude/http.lua.
 *
 * A request to the origin of the hook's connection gets that connection's caCert, tlsFingerprint and proxy. Requests that
 * may change something (all but GET, HEAD, OPTIONS, unless `safe` or opening a session) set the sent mark first. The origin
 * must be granted by needs.http. Values of headers that carry credentials become known secrets. */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib_session.h"
#include "libraries.h"
#include "recording.h"
#include "registry.h"
#include "trial.h"
#include "wait.h"

enum { HEADERS_MAX = 200, TIMEOUT_DEFAULT_MS = 30000, BODY_MAX = 64 << 20, ACT_MAX = 300, ORIGIN_MAX = 300 };

typedef struct http_wait {
  orr__wait wait;
  orr__http *http;
  uint64_t id;
  orr__http_request request;   /* its pointers are the owned copies below */
  orr__url parsed;
  orr__header *headers;
  size_t header_count;
  char *method, *url, *body, *username, *password, *ca_cert, *tls_fingerprint, *proxy;
  /* the answer */
  int code, status;
  bool was_sent;
  char message[512];
  orr__header *reply_headers;
  size_t reply_header_count;
  char *reply_body;
  size_t reply_len;
  size_t noted;                /* trial.h */
  int64_t started_ms;          /* wall */
  int64_t started_mono_ms, took_ms;
} http_wait;

/* ---- arguments --------------------------------------------------------------------------------------------- */

/* What request takes, in this order. */
enum { AT_METHOD = 1, AT_URL, AT_HEADERS, AT_BODY, AT_TIMEOUT, AT_SAFE, AT_CA_CERT, AT_FINGERPRINT, AT_PROXY, AT_USERNAME, AT_PASSWORD };
static const orr__param params[] = {
  { "method", ORR_P_LINE, true }, { "url", ORR_P_LINE, true }, { "headers", ORR_P_WORDS, false }, { "body", ORR_P_TEXT, false },
  { "timeout", ORR_P_SECONDS, false }, { "safe", ORR_P_BOOL, false }, { "caCert", ORR_P_LINE, false }, { "tlsFingerprint", ORR_P_LINE, false },
  { "proxy", ORR_P_LINE, false }, { "username", ORR_P_LINE, false }, { "password", ORR_P_LINE, false }, { NULL, ORR_P_ANY, false }
};

/* ---- headers ----------------------------------------------------------------------------------------------- */

static void free_headers(orr__header *headers, size_t count) {
  for (size_t i = 0; headers && i < count; i++) {
    free((char *)headers[i].name);
    free((char *)headers[i].value);
  }
  free(headers);
}

static const char *put_text(char **at, const char *text) {
  char *copy = *at;
  *at = stpcpy(copy, text) + 1;
  return copy;
}

/* In one piece of memory. */
static orr__header *copy_headers(const orr__header *from, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += strlen(from[i].name) + strlen(from[i].value) + 2;
  orr__header *copy = malloc((count + 1) * sizeof *copy + bytes);
  char *at = (char *)(copy + count + 1);
  for (size_t i = 0; copy && i < count; i++) copy[i] = (orr__header){ put_text(&at, from[i].name), put_text(&at, from[i].value) };
  return copy;
}

bool orr__header_carries_credentials(const char *name) {
#define NAME(text) { text, sizeof text - 1 }
  static const struct { const char *text; size_t len; } names[] = {
    NAME("authorization"), NAME("proxy-authorization"), NAME("cookie"), NAME("set-cookie"), NAME("x-auth-token"), NAME("x-api-key"),
    NAME("authtoken"), NAME("x-restsvcsessionid"), NAME("x-session-token"),
  };
#undef NAME
  size_t len = strlen(name);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].len == len && strcasecmp(names[i].text, name) == 0) return true;
  }
  return false;
}

/* The value, and what is behind its scheme ("Bearer", "Basic") or behind a cookie's name. */
static void mark_secret(orr__secrets *secrets, const char *name, const char *value) {
  if (!orr__header_carries_credentials(name)) return;
  orr__secrets_add(secrets, value, strlen(value));
  const char *inner = strchr(value, strcasestr(name, "cookie") ? '=' : ' ');
  if (!inner) return;
  size_t len = strcspn(inner + 1, ";");
  orr__secrets_add(secrets, inner + 1, len);
}

/* Is it a token as HTTP has it, and the value one line? */
static bool is_header(const char *name, const char *value) {
  size_t len = strlen(name);
  static const char others[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return len > 0 && strspn(name, others) == len && !strpbrk(value, "\r\n");
}

/* The array { name, value, name, value ... } becomes w->headers. Returns 0, or NOMEM, INVALID, LIMIT. */
static int take_headers(lua_State *L, http_wait *w, orr_error *reterr) {
  size_t count = lua_istable(L, AT_HEADERS) ? lua_objlen(L, AT_HEADERS) / 2 : 0;
  if (count == 0) return 0;
  if (count > HEADERS_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "http.request: more than %d headers", HEADERS_MAX);
  w->headers = calloc(count + 1, sizeof *w->headers);
  if (!w->headers) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, AT_HEADERS, (int)(2 * i) + 1);
    lua_rawgeti(L, AT_HEADERS, (int)(2 * i) + 2);
    const char *name = lua_tostring(L, -2), *value = lua_tostring(L, -1);
    if (!name || !value || !is_header(name, value)) return orr__error_set(reterr, ORR_E_INVALID, "http.request: '%.60s' is no header, or its value is not one line", name ? name : "");
    mark_secret(&orr__version_of(L)->provider->secrets, name, value);
    w->headers[w->header_count++] = (orr__header){ orr__strdup(name), orr__strdup(value) };
    lua_pop(L, 2);
    if (!w->headers[i].name || !w->headers[i].value) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  return 0;
}

/* ---- the connection's defaults ----------------------------------------------------------------------------- */

/* Does the URL go to the connection: to the origin of its serviceUrl, or to its host (and port)? */
static bool goes_to(orr__bindings *b, const orr__url *url, const orr_connection *connection) {
  const orr__url *own = connection->serviceUrl ? orr__origin_of(b, connection->serviceUrl) : NULL;
  if (own && orr__streq(own->origin, url->origin)) return true;
  if (!connection->host || !url->host) return false;
  const orr__url *named = orr__origin_of(b, connection->host); /* which may have a port in it */
  return strcasecmp(named ? named->host : connection->host, url->host) == 0 && (connection->port == 0 || connection->port == url->port);
}

static int keep(char **to, const char *text, orr_error *reterr) {
  if (!text || *to) return 0;
  *to = orr__strdup(text);
  return *to ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

/* What the request itself names as its proxy is reached, too: it must be granted, or be what the operator gave the connection. */
static int granted_proxy(lua_State *L, const char *proxy, orr_error *reterr) {
  const orr__call *call = orr__current_call(L);
  const orr_connection *connection = call ? call->graph.connection : NULL;
  const char *rest = strstr(proxy, "://");
  int rc = ORR_E_INVALID;
  if (connection && orr__streq(connection->proxy, proxy)) return 0;
  for (int i = 0; i < 2 && rc; i++) { /* whatever its scheme: an origin of that host and port will do */
    orr__url url = { 0 };
    char *text = orr__strf("%s://%s", i ? "https" : "http", rest ? rest + 3 : proxy);
    if (reterr) orr__error_clear(reterr);
    rc = text ? orr__url_parse(text, &url, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    if (!rc) rc = orr__granted_url(L, &url, reterr);
    orr__url_clear(&url);
    free(text);
  }
  return rc;
}

static int take_trust(lua_State *L, http_wait *w, const orr__url *url, orr_error *reterr) {
  const orr__call *call = orr__current_call(L);
  const orr_connection *connection = call ? call->graph.connection : NULL;
  if (keep(&w->ca_cert, orr__text_at(L, AT_CA_CERT, NULL), reterr) || keep(&w->tls_fingerprint, orr__text_at(L, AT_FINGERPRINT, NULL), reterr) ||
      keep(&w->proxy, orr__text_at(L, AT_PROXY, NULL), reterr))
    return ORR_E_NOMEM;
  if (!connection || !goes_to(orr__version_of(L)->bindings, url, connection)) return 0;
  /* One way of trusting named in the request replaces both of the connection; neither means anything where there is no TLS. */
  if (strcasecmp(url->scheme, "https") == 0 && !w->ca_cert && !w->tls_fingerprint &&
      (keep(&w->ca_cert, connection->caCert, reterr) || keep(&w->tls_fingerprint, connection->tlsFingerprint, reterr)))
    return ORR_E_NOMEM;
  return keep(&w->proxy, connection->proxy, reterr);
}

/* ---- the wait ---------------------------------------------------------------------------------------------- */

static void done(void *arg, const orr__http_reply *reply) {
  http_wait *w = arg;
  if (w->took_ms < 0 && w->wait.bindings) w->took_ms = orr__loop_mono_ms(w->wait.bindings->config.loop) - w->started_mono_ms;
  w->code = reply->code;
  w->status = reply->status;
  w->was_sent = reply->was_sent;
  snprintf(w->message, sizeof w->message, "%s", reply->message ? reply->message : "");
  if (!reply->code) {
    w->reply_headers = copy_headers(reply->headers, reply->header_count);
    w->reply_header_count = reply->header_count;
    w->reply_body = malloc(reply->body_len + 1);
    if (w->reply_body && reply->body_len) memcpy(w->reply_body, reply->body, reply->body_len);
    w->reply_len = reply->body_len;
    if (!w->reply_headers || !w->reply_body) {
      w->code = ORR_E_NOMEM;
      snprintf(w->message, sizeof w->message, "out of memory for the answer");
    }
  }
  /* 401 and 429 are said before a request is looked at: nothing came of it, be it that a login fails next or that the hook's time is up. */
  bool is_turned_away = !reply->code && (reply->status == 401 || reply->status == 429);
  if (is_turned_away || (reply->code && !reply->was_sent)) orr__wait_unsent(&w->wait);
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  http_wait *w = (http_wait *)wait;
  w->started_ms = orr__loop_wall_ms(wait->bindings->config.loop);
  w->started_mono_ms = orr__loop_mono_ms(wait->bindings->config.loop);
  w->took_ms = -1;
  return orr__http_start(w->http, &w->request, done, w, &w->id, reterr);
}

static void abort_request(orr__wait *wait) {
  http_wait *w = (http_wait *)wait;
  orr__http_abort(w->http, w->id);
}

/* Names are in lower case; repeated ones are joined, as HTTP allows for all but set-cookie, which get lines. */
static void push_headers(lua_State *L, const http_wait *w) {
  lua_createtable(L, 0, (int)w->reply_header_count);
  for (size_t i = 0; i < w->reply_header_count; i++) {
    const orr__header *header = &w->reply_headers[i];
    mark_secret(&orr__version_of(L)->provider->secrets, header->name, header->value);
    lua_pushstring(L, header->name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushstring(L, header->value);
    } else {
      lua_pushstring(L, strcmp(header->name, "set-cookie") == 0 ? "\n" : ", ");
      lua_pushstring(L, header->value);
      lua_concat(L, 3);
    }
    lua_rawset(L, -3);
  }
}

static void record(const http_wait *w) {
  if (!orr__record_is_on(&w->wait)) return;
  orr__exchange exchange = { .request = &w->request, .started_ms = w->started_ms, .took_ms = w->took_ms,
                             .code = w->code, .message = w->message, .was_sent = w->was_sent,
                             .status = w->status, .headers = w->reply_headers, .header_count = w->reply_header_count, .body = w->reply_body,
                             .body_len = w->reply_len };
  orr__record_note(&w->wait, &exchange);
}

/* What the call no longer waited for is in its recording all the same: the request that hung until the deadline is what somebody looks for. */
static void lost(orr__wait *wait, int code, const char *why) {
  http_wait *w = (http_wait *)wait;
  orr__secrets *secrets = &wait->task->hc->version->provider->secrets;
  if (wait->state == ORR_WAIT_STARTED) { /* no answer yet; it may have come there */
    w->took_ms = orr__loop_mono_ms(wait->bindings->config.loop) - w->started_mono_ms;
    w->code = code;
    w->was_sent = true;
    snprintf(w->message, sizeof w->message, "%s: %s", wait->kind->name, why);
  }
  for (size_t i = 0; i < w->reply_header_count; i++) mark_secret(secrets, w->reply_headers[i].name, w->reply_headers[i].value);
  record(w);
}

static int push(orr__wait *wait, lua_State *L) {
  http_wait *w = (http_wait *)wait;
  luaL_checkstack(L, 10, "an HTTP answer");
  record(w);
  if (w->code) {
    orr__push_failure(L, w->code, w->message);
    lua_pushboolean(L, w->was_sent);
    lua_setfield(L, -2, "wasSent");
    return 2;
  }
  orr__trial_came(wait, w->noted, "status", w->status);
  lua_pushboolean(L, true);
  lua_createtable(L, 0, 5); /* with what the prelude adds */
  lua_pushinteger(L, w->status);
  lua_setfield(L, -2, "status");
  push_headers(L, w);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, w->reply_body, w->reply_len);
  lua_setfield(L, -2, "body");
  return 2;
}

static void wipe(char *text) {
  if (text) explicit_bzero(text, strlen(text));
  free(text);
}

static void clear(orr__wait *wait) {
  http_wait *w = (http_wait *)wait;
  free_headers(w->headers, w->header_count);
  free(w->reply_headers);
  orr__url_clear(&w->parsed);
  free(w->method);
  free(w->url);
  free(w->body);
  wipe(w->username);
  wipe(w->password);
  free(w->ca_cert);
  free(w->tls_fingerprint);
  wipe(w->proxy);
  free(w->reply_body);
}

static const orr__wait_kind kind = { "http.request", start, abort_request, push, clear, lost };

/* ---- making it --------------------------------------------------------------------------------------------- */

static bool is_safe_method(const char *method) {
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

static int take_texts(lua_State *L, http_wait *w, orr_error *reterr) {
  size_t len = 0;
  const char *body = orr__text_at(L, AT_BODY, &len), *password = orr__text_at(L, AT_PASSWORD, NULL);
  if (len > BODY_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "http.request: a body of more than 64 MiB");
  if (keep(&w->method, orr__text_at(L, AT_METHOD, NULL), reterr) || keep(&w->url, orr__text_at(L, AT_URL, NULL), reterr) ||
      keep(&w->username, orr__text_at(L, AT_USERNAME, NULL), reterr) || keep(&w->password, password, reterr))
    return ORR_E_NOMEM;
  if (password) orr__secret_add(L, password, strlen(password));
  if (!body) return 0;
  w->body = malloc(len + 1);
  if (!w->body) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  memcpy(w->body, body, len + 1);
  w->request.body_len = len;
  return 0;
}

/* Most requests go to an origin that was asked before and differ in their path. */
static int parse_url(orr__bindings *b, const char *text, orr__url *ret_url, orr_error *reterr) {
  char origin[ORIGIN_MAX];
  size_t len = orr__url_plain_path(text);
  if (len > 0 && len < sizeof origin && !memchr(text, '@', len)) {
    memcpy(origin, text, len);
    origin[len] = '\0';
    const orr__url *known = orr__origin_of(b, origin);
    if (known) return orr__url_join(known, text + len, ret_url, reterr);
  }
  return orr__url_parse(text, ret_url, reterr);
}

/* Everything the request needs, in memory of the wait's own; *act says what leaves, "" for a safe one. */
static int prepare(lua_State *L, http_wait *w, char act[ACT_MAX], orr_error *reterr) {
  orr__url *url = &w->parsed;
  int code = take_texts(L, w, reterr);
  if (code) return code;
  code = take_headers(L, w, reterr);
  if (code) return code;
  code = parse_url(orr__version_of(L)->bindings, w->url, url, reterr);
  if (code) return code;
  if (url->password) orr__secret_add(L, url->password, strlen(url->password));
  code = take_trust(L, w, url, reterr);
  bool is_safe = is_safe_method(w->method) || lua_toboolean(L, AT_SAFE) || orr__session_is_safe(L);
  act[0] = '\0';
  if (!is_safe) snprintf(act, ACT_MAX, "%s %s", w->method, url->origin);
  if (!code) code = orr__granted_url(L, url, reterr);
  const char *proxy = orr__text_at(L, AT_PROXY, NULL);
  if (!code && proxy) code = granted_proxy(L, proxy, reterr);
  if (code) return code;
  int64_t timeout = lua_isnil(L, AT_TIMEOUT) ? TIMEOUT_DEFAULT_MS : (int64_t)ceil(lua_tonumber(L, AT_TIMEOUT) * 1000), remaining = orr__remaining_ms(L);
  w->http = orr__current_config(L)->http;
  w->request = (orr__http_request){
    .method = w->method, .url = w->url, .parsed = url, .headers = w->headers, .header_count = w->header_count, .body = w->body,
    .body_len = w->request.body_len, .purse = orr__version_of(L)->purse, .timeout_ms = timeout > 0 && timeout < remaining ? timeout : remaining,
    .username = w->username, .password = w->password, .ca_cert = w->ca_cert, .tls_fingerprint = w->tls_fingerprint,
    .proxy = w->proxy, .is_safe = is_safe
  };
  return 0;
}

/* For trial.h: a body that is JSON as that, so that secrets are found in its texts. */
static orr__json *describe(const void *what) {
  const http_wait *w = what;
  orr__json *map = orr__json_map(), *headers = orr__json_map();
  if (!map || !headers) {
    orr__json_free(map);
    orr__json_free(headers);
    return NULL;
  }
  for (size_t i = 0; i < w->header_count; i++) orr__json_put_str(headers, w->headers[i].name, w->headers[i].value);
  orr__json_put_str(map, "kind", "http");
  orr__json_put_str(map, "method", w->method);
  orr__json_put_str(map, "url", w->url);
  orr__json_put(map, "headers", headers);
  if (w->username) orr__json_put_str(map, "username", w->username);
  orr__json *json = w->body ? orr__json_parse(w->body, w->request.body_len, NULL) : NULL;
  if (json) orr__json_put(map, "json", json);
  else if (w->body) orr__json_put_str(map, "body", w->body);
  return map;
}

/* request(method, url, headers, body ...) -> true, { status, headers, body } */
static int http_request(lua_State *L) {
  char act[ACT_MAX];
  orr_error err = ORR_ERROR_INIT;
  orr__args_positions(L, "http.request", params);
  http_wait *w = orr__wait_new(L, &kind, sizeof *w);
  if (prepare(L, w, act, &err) == 0) {
    orr__trial_act(L, describe, w, act[0] != '\0');
    w->noted = orr__trial_number(L);
    return orr__wait_start(L, &w->wait, act[0] ? act : NULL);
  }
  orr__wait_drop(&w->wait);
  orr__push_error(L, &err);
  orr__error_clear(&err);
  return 2;
}

void orr__lib_http(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, http_request);
  lua_setfield(L, -2, "request");
}
