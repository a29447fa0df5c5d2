/* HTTP requests that the host carries: a request becomes JSON, its answer the reply that libcurl's would be.
 *
 * What a provider may reach, the sent mark before the request, and what is redacted after it are above; redirects and trying
 * again are the host's. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

typedef struct carried {
  orr_runtime *rt;
  orr__http_done done;
  void *arg;
} carried;

int orr__put_bytes(orr__json *map, const char *key, const char *key_base64, const void *bytes, size_t len) {
  if (orr__utf8_valid(bytes, len)) {
    char *text = orr__strndup(bytes, len);
    int code = text ? orr__json_put_str(map, key, text) : ORR_E_NOMEM;
    free(text);
    return code;
  }
  char *text = orr__base64(bytes, len, false, NULL);
  int code = text ? orr__json_put_str(map, key_base64, text) : ORR_E_NOMEM;
  free(text);
  return code;
}

int orr__take_bytes(const orr__json *map, const char *key, const char *key_base64, char **ret, size_t *ret_len) {
  const char *text = orr__json_str(map, key), *coded = orr__json_str(map, key_base64);
  *ret_len = text ? strlen(text) : 0;
  *ret = coded ? orr__base64_decode(coded, strlen(coded), ret_len) : orr__strdup(text ? text : "");
  return *ret ? 0 : coded ? ORR_E_INVALID : ORR_E_NOMEM;
}

/* A name that comes twice has a list. */
static int put_header(orr__json *headers, const orr__header *header) {
  const orr__json *known = orr__json_get(headers, header->name);
  orr__json *value = orr__json_new_str(header->value);
  if (!known) return orr__json_put(headers, header->name, value);
  orr__json *list = orr__json_is_list(known) ? orr__json_copy(known) : orr__json_list();
  if (list && !orr__json_is_list(known)) orr__json_append(list, orr__json_copy(known));
  if (!list || orr__json_append(list, value)) {
    orr__json_free(list);
    return ORR_E_NOMEM;
  }
  return orr__json_put(headers, header->name, list);
}

static char *request_text(const orr__http_request *request) {
  orr__json *map = orr__json_map(), *headers = orr__json_map();
  int code = map && headers ? 0 : ORR_E_NOMEM;
  for (size_t i = 0; !code && i < request->header_count; i++) code = put_header(headers, &request->headers[i]);
  if (!code) code = orr__json_put_str(map, "method", request->method);
  if (!code) code = orr__json_put_str(map, "url", request->url);
  if (!code) code = orr__json_put(map, "headers", headers);
  else orr__json_free(headers);
  if (!code && request->body) code = orr__put_bytes(map, "body", "bodyBase64", request->body, request->body_len);
  if (!code && request->timeout_ms > 0) code = orr__json_put_int(map, "timeoutMillis", request->timeout_ms);
  if (!code) code = orr__json_put_bool(map, "safe", request->is_safe);
  const struct { const char *key, *value; } texts[] = { { "username", request->username }, { "password", request->password }, { "caCert", request->ca_cert },
                                                        { "tlsFingerprint", request->tls_fingerprint }, { "proxy", request->proxy } };
  for (size_t i = 0; !code && i < sizeof texts / sizeof *texts; i++)
    if (texts[i].value) code = orr__json_put_str(map, texts[i].key, texts[i].value);
  char *text = code ? NULL : orr__json_print(map);
  orr__json_free(map);
  return text;
}

/* ---- the answer --------------------------------------------------------------------------------------------- */

int orr__check_http(const orr__json *answer, orr_error *reterr) {
  int64_t status = orr__json_int(answer, "status", 0);
  if (!orr__json_is_map(answer) || status < 100 || status > 999)
    return orr__error_set(reterr, ORR_E_INVALID, "an answer to http needs a 'status' from 100 to 999");
  const char *coded = orr__json_str(answer, "bodyBase64");
  size_t len;
  char *bytes = coded ? orr__base64_decode(coded, strlen(coded), &len) : NULL;
  free(bytes);
  return coded && !bytes ? orr__error_set(reterr, ORR_E_INVALID, "an answer to http: 'bodyBase64' is no base64") : 0;
}

static size_t count_headers(const orr__json *headers) {
  size_t count = 0;
  for (const orr__json *m = orr__json_first(headers); m; m = orr__json_next(m)) count += orr__json_is_list(m) ? orr__json_count(m) : 1;
  return count;
}

/* Names are made lower case, in memory that lives as long as `list`; values are borrowed. */
static size_t fill_headers(const orr__json *headers, orr__header *list) {
  size_t count = 0;
  for (const orr__json *m = orr__json_first(headers); m; m = orr__json_next(m)) {
    const orr__json *value = orr__json_is_list(m) ? orr__json_first(m) : m;
    for (; value; value = orr__json_is_list(m) ? orr__json_next(value) : NULL) {
      char *name = orr__json_text(value) ? orr__strdup(orr__json_key(m)) : NULL;
      for (char *c = name; c && *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
      if (name) list[count++] = (orr__header){ name, orr__json_text(value) };
    }
  }
  return count;
}

static void deliver(const carried *c, const orr__json *answer) {
  const orr__json *headers = orr__json_get(answer, "headers");
  orr__http_reply reply = { .status = (int)orr__json_int(answer, "status", 0) };
  orr__header *list = calloc(count_headers(headers) + 1, sizeof *list);
  char *body = NULL;
  if (!list || orr__take_bytes(answer, "body", "bodyBase64", &body, &reply.body_len)) {
    reply = (orr__http_reply){ .code = ORR_E_NOMEM, .message = "out of memory for the answer", .was_sent = true };
  } else {
    reply.header_count = fill_headers(headers, list);
    reply.headers = list;
    reply.body = body;
  }
  c->done(c->arg, &reply);
  for (size_t i = 0; list && i < reply.header_count; i++) free((char *)list[i].name);
  free(list);
  free(body);
}

static void on_reply(void *arg, const orr__hostcall_reply *reply) {
  carried *c = arg;
  orr__json *answer = orr__json_parse(reply->text, strlen(reply->text), NULL);
  if (!reply->code && answer) {
    deliver(c, answer);
  } else {
    /* Whoever does not say that nothing was sent may have sent it. */
    orr__http_reply failure = { .code = reply->code ? reply->code : ORR_E_NOMEM, .message = reply->message, .was_sent = orr__json_bool(answer, "sent", true) };
    c->done(c->arg, &failure);
  }
  orr__json_free(answer);
  free(c);
}

static int start(void *self, const orr__http_request *request, orr__http_done done, void *arg, uint64_t *ret_id, orr_error *reterr) {
  carried *c = malloc(sizeof *c);
  char *text = c ? request_text(request) : NULL;
  int code = text ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!code) {
    *c = (carried){ self, done, arg };
    code = orr__hostcall_start(c->rt->calls, "http", text, request->timeout_ms, on_reply, c, ret_id, reterr);
  }
  if (text) explicit_bzero(text, strlen(text));
  free(text);
  if (code) free(c);
  return code;
}

static void abort_request(void *self, uint64_t id) { orr__hostcall_abort(((orr_runtime *)self)->calls, id); }

void orr__carry_http(orr_runtime *rt) {
  orr__http_carry(rt->http, &(orr__http_carrier){ rt, start, abort_request });
}
