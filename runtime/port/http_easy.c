/* An ask set on a libcurl handle, and what libcurl calls while the transfer runs.
 *
 * The callbacks here run inside libcurl: they only count, copy and refuse, and never reach back into the
 * client. Deliberately ignorant of queues and retries.
 *
 * Invariant: on every attempt all options are set on a new handle, so that nothing of an earlier request (a
 * password, a pin switched off) is left. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "port/http_private.h"

/* Servers close idle connections after a few seconds, unannounced. A request that may not be repeated does
 * not try its luck on one that has been idle for longer. */
#define UNSAFE_MAX_IDLE_S 3L
#define CONNECT_TIMEOUT_MS 300000 /* libcurl's own */

static size_t take_body(char *bytes, size_t size, size_t count, void *arg) {
  orr__exchange *exchange = arg;
  if (exchange->body.len >= ORR_HTTP_SMALL && orr__http_is_turn_over(exchange->http)) {
    orr__exchange_pause(exchange);
    return CURL_WRITEFUNC_PAUSE;
  }
  if (!orr__purse_take(exchange->ask.purse, size * count)) {
    exchange->fault = ORR_FAULT_PURSE;
    return 0;
  }
  orr__buf_add(&exchange->body, bytes, size * count);
  if (orr__buf_error(&exchange->body) == 0) return size * count;
  orr__purse_give(exchange->ask.purse, size * count);
  exchange->fault = orr__buf_error(&exchange->body) == ORR_E_LIMIT ? ORR_FAULT_BODY : ORR_FAULT_NOMEM;
  return 0;
}

/* libcurl keeps the headers; here they are only counted. */
static size_t count_header(char *bytes, size_t size, size_t count, void *arg) {
  (void)bytes;
  orr__exchange *exchange = arg;
  exchange->header_count++;
  exchange->header_bytes += size * count;
  if (exchange->header_count <= ORR_HTTP_HEADERS && exchange->header_bytes <= ORR_HTTP_HEADER_BYTES) return size * count;
  exchange->fault = ORR_FAULT_HEADERS;
  return 0;
}

/* The last moment before the first byte of the request leaves, on a new connection or a pooled one. */
static int about_to_send(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port) {
  (void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
  orr__exchange *exchange = arg;
  if (exchange->ask.is_pinned && !orr__pin_matches(exchange->easy, &exchange->ask.pin, &exchange->seen)) {
    exchange->fault = ORR_FAULT_PIN;
    return CURL_PREREQFUNC_ABORT;
  }
  /* libcurl sends again by itself when a pooled connection dies without an answer; the server may have
   * acted on the first one. */
  if (exchange->is_attempt_sent && !exchange->ask.is_safe) {
    exchange->fault = ORR_FAULT_RESEND;
    return CURL_PREREQFUNC_ABORT;
  }
  exchange->is_attempt_sent = true;
  exchange->was_sent = true;
  return CURL_PREREQFUNC_OK;
}

#define SET(option, value) (result = result != CURLE_OK ? result : curl_easy_setopt(easy, option, value))

static CURLcode set_callbacks(CURL *easy, orr__exchange *exchange) {
  CURLcode result = CURLE_OK;
  SET(CURLOPT_PRIVATE, exchange);
  SET(CURLOPT_WRITEFUNCTION, take_body);
  SET(CURLOPT_WRITEDATA, exchange);
  SET(CURLOPT_HEADERFUNCTION, count_header);
  SET(CURLOPT_HEADERDATA, exchange);
  SET(CURLOPT_PREREQFUNCTION, about_to_send);
  SET(CURLOPT_PREREQDATA, exchange);
  SET(CURLOPT_ERRORBUFFER, exchange->curl_message);
  return result;
}

/* What holds for every request, and keeps the host's environment out of it. */
static CURLcode set_policy(CURL *easy, const orr__exchange *exchange) {
  CURLcode result = CURLE_OK;
  long timeout_ms = exchange->budget_ms < INT_MAX ? (long)exchange->budget_ms : INT_MAX;
  SET(CURLOPT_NOSIGNAL, 1L);
  /* A name that resolves slowly would otherwise hold the loop up when its request ends early. */
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_ACCEPT_ENCODING, ORR_HTTP_ENCODING); /* so that it decodes; the header itself is in the list */
  SET(CURLOPT_TIMEOUT_MS, timeout_ms);
  if (timeout_ms > CONNECT_TIMEOUT_MS) SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  SET(CURLOPT_PROXY, exchange->ask.proxy != NULL ? exchange->ask.proxy : "");
  SET(CURLOPT_NOPROXY, "");
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!exchange->ask.is_safe) SET(CURLOPT_MAXAGE_CONN, UNSAFE_MAX_IDLE_S);
  if (exchange->needs_fresh) SET(CURLOPT_FRESH_CONNECT, 1L);
  return result;
}

static CURLcode set_tls(CURL *easy, const orr__ask *ask) {
  CURLcode result = CURLE_OK;
  char *bundle = NULL;
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (ask->is_pinned) {
    /* about_to_send decides; a session resumed from another certificate's is not worth keeping. */
    SET(CURLOPT_SSL_VERIFYPEER, 0L);
    SET(CURLOPT_SSL_VERIFYHOST, 0L);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
  } else if (ask->ca_cert != NULL) {
    struct curl_blob blob = { ask->ca_cert, strlen(ask->ca_cert), CURL_BLOB_COPY };
    SET(CURLOPT_CAINFO_BLOB, &blob);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
  } else if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle) == CURLE_OK && bundle != NULL) {
    /* With the bundle alone libcurl parses it once and not for every connection. */
    SET(CURLOPT_CAPATH, NULL);
  }
  return result;
}

/* Without credentials and fragment. Owned. */
static char *url_text(const orr__url *url) {
  const char *path = url->path != NULL ? url->path : "/", *query = url->query != NULL ? url->query : "";
  char *text = malloc(strlen(url->origin) + strlen(path) + strlen(query) + 2);
  if (text == NULL) return NULL;
  char *end = stpcpy(stpcpy(text, url->origin), path);
  if (url->query != NULL) stpcpy(stpcpy(end, "?"), query);
  return text;
}

static CURLcode set_request(CURL *easy, const orr__ask *ask) {
  CURLcode result = CURLE_OK;
  char *url = url_text(&ask->url);
  if (url == NULL) return CURLE_OUT_OF_MEMORY;
  SET(CURLOPT_URL, url);
  explicit_bzero(url, strlen(url));
  free(url);
  if (strcmp(ask->method, "HEAD") == 0) {
    SET(CURLOPT_NOBODY, 1L);
  } else if (orr__ask_sends_length(ask)) {
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body_len);
    SET(CURLOPT_POSTFIELDS, ask->has_body ? ask->body : "");
    if (strcmp(ask->method, "POST") != 0) SET(CURLOPT_CUSTOMREQUEST, ask->method);
  } else {
    SET(CURLOPT_HTTPGET, 1L);
    if (strcmp(ask->method, "GET") != 0) SET(CURLOPT_CUSTOMREQUEST, ask->method);
  }
  SET(CURLOPT_HTTPHEADER, ask->headers);
  if (ask->username != NULL) {
    SET(CURLOPT_HTTPAUTH, (unsigned long)CURLAUTH_BASIC);
    SET(CURLOPT_USERNAME, ask->username);
    SET(CURLOPT_PASSWORD, ask->password);
  }
  return result;
}

int orr__easy_setup(orr__exchange *exchange) {
  CURL *easy = exchange->easy;
  CURLcode result = set_callbacks(easy, exchange);
  if (result == CURLE_OK) result = set_policy(easy, exchange);
  if (result == CURLE_OK) result = set_tls(easy, &exchange->ask);
  if (result == CURLE_OK) result = set_request(easy, &exchange->ask);
  if (result == CURLE_OK) return 0;
  return result == CURLE_OUT_OF_MEMORY ? ORR_E_NOMEM : ORR_E_INVALID;
}
