/* Recording of HTTP exchanges; see recording.h. A line of a recording:
 *
 *   { "hook", "at" (wall ms), "millis" (it took), "request": { method, url, headers, body | bodyBase64, bodyCut },
 *     "reply": { status, headers, body | bodyBase64, bodyCut }  or  "error": { code, message, sent } }
 *
 * Kept out: the values of headers that carry credentials, every secret the provider's calls know (in the forms of redact.h), and in JSON
 * bodies, forms and queries the texts whose key sounds like a credential, which nobody may have marked. Bodies are cut at BODY_MAX, once
 * that is done, so that no part of a secret is left there. A recording that cannot
 * be written is a warning in the log and keeps nobody up. */
#include "recording.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "libraries.h"
#include "port/record.h"
#include "trial.h"

enum { BODY_MAX = 65536, PAIRS_MAX = 64 << 20, NOTED_MAX = 1000 /* of a hook */, TEXT_MAX_SHOWN = 1 << 20 };

static bool is_recorded(const orr__hookcall *hc) {
  const orr__call *call = hc->call;
  return orr__records_mode(hc->version->bindings->config.records) != ORR_RECORD_OFF && !call->trial && call->hook != ORR_HOOK_deleteBackupResult &&
         !orr__call_is_own(call) && (call->graph.result || call->batch_count > 0);
}

bool orr__record_is_on(const orr__wait *wait) { return wait->task && is_recorded(wait->task->hc); }

/* ---- what a line has ---------------------------------------------------------------------------------------- */

/* "access_token", "Password", "client-secret", "apiKey": what is called like that is not written down. */
static bool sounds_secret(const char *key) {
  static const char *const words[] = { "password", "passwd", "secret", "token", "authorization", "credential", "apikey", "api_key", "api-key",
                                       "private_key", "privatekey", "access_key", "accesskey", "passphrase", "signature", "sessionid", "session_id", NULL };
  for (const char *const *word = words; *word; word++)
    if (strcasestr(key, *word)) return true;
  return false;
}

/* A copy with such texts blotted out. */
static orr__json *without_credentials(const orr__json *json, const char *key) {
  if (orr__json_text(json)) return orr__json_new_str(key && sounds_secret(key) ? "***" : orr__json_text(json));
  bool is_map = orr__json_is_map(json);
  if (!is_map && !orr__json_is_list(json)) return orr__json_copy(json);
  orr__json *out = is_map ? orr__json_map() : orr__json_list();
  for (const orr__json *m = orr__json_first(json); out && m; m = orr__json_next(m)) {
    orr__json *value = without_credentials(m, is_map ? orr__json_key(m) : key);
    if (is_map) orr__json_put(out, orr__json_key(m), value);
    else orr__json_append(out, value);
  }
  return out;
}

/* Owned; NULL: it is no JSON, or nothing in it had to go. */
static char *clean_json(const char *body, size_t len) {
  for (; len > 0 && isspace((unsigned char)*body); len--) body++;
  if (len == 0 || (*body != '{' && *body != '[')) return NULL;
  orr__json *json = orr__json_parse(body, len, NULL);
  orr__json *safe = json ? without_credentials(json, NULL) : NULL;
  char *before = json ? orr__json_print(json) : NULL, *after = safe ? orr__json_print(safe) : NULL;
  bool is_same = before && after && strcmp(before, after) == 0;
  orr__json_free(json);
  orr__json_free(safe);
  free(before);
  if (!is_same) return after;
  free(after);
  return NULL;
}

/* "a=1&token=x" -> "a=1&token=***": a query, or a form. Owned. */
static char *clean_pairs(const char *text, size_t len, size_t *ret_len) {
  orr__buf out;
  orr__buf_init(&out, PAIRS_MAX);
  for (size_t at = 0; at < len;) {
    const char *pair = text + at, *end = memchr(pair, '&', len - at), *equals;
    size_t pair_len = end ? (size_t)(end - pair) : len - at;
    equals = memchr(pair, '=', pair_len);
    char *key = equals ? orr__strndup(pair, (size_t)(equals - pair)) : NULL;
    bool is_secret = key && sounds_secret(key);
    orr__buf_add(&out, pair, is_secret ? (size_t)(equals - pair) + 1 : pair_len);
    orr__buf_adds(&out, is_secret ? "***" : "");
    orr__buf_adds(&out, end ? "&" : "");
    free(key);
    at += pair_len + (end != NULL);
  }
  char *clean = orr__buf_take(&out, ret_len);
  orr__buf_clear(&out);
  return clean;
}

static bool is_form(const orr__header *headers, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcasecmp(headers[i].name, "content-type") == 0 && strcasestr(headers[i].value, "x-www-form-urlencoded")) return true;
  return false;
}

/* Where a text would be cut: not inside a character. */
static size_t cut_at(const char *text, size_t most) {
  size_t to = most;
  while (to > 0 && most - to < 4 && ((unsigned char)text[to] & 0xc0) == 0x80) to--;
  return to;
}

/* Text as it is, other bytes as base64: in either case with the secrets out of it before. */
static void put_body(orr__json *map, const orr__secrets *secrets, const char *body, size_t len, bool is_pairs) {
  char *clean = is_pairs ? clean_pairs(body, len, &len) : clean_json(body, len);
  if (clean && !is_pairs) len = strlen(clean);
  char *safe = orr__secrets_redact_bytes(secrets, clean ? clean : body, len, BODY_MAX + 4, &len);
  free(clean);
  if (!safe) return; /* without memory to look for secrets in, nothing is kept */
  if (len > BODY_MAX) {
    orr__json_put_bool(map, "bodyCut", true);
    len = cut_at(safe, BODY_MAX);
  }
  bool is_text = orr__utf8_valid(safe, len);
  char *copy = is_text ? orr__strndup(safe, len) : orr__base64(safe, len, false, NULL);
  if (copy) orr__json_put_str(map, is_text ? "body" : "bodyBase64", copy);
  free(copy);
  free(safe);
}

/* Without user and password, and without what the query calls a credential. */
static void put_url(orr__json *map, const char *url) {
  const char *host = strstr(url, "://"), *at, *query = strchr(url, '?');
  host = host ? host + 3 : url;
  at = memchr(host, '@', strcspn(host, "/?#"));
  const char *rest = at ? at + 1 : host;
  char *pairs = query ? clean_pairs(query + 1, strlen(query + 1), NULL) : NULL;
  char *plain = query ? orr__strf("%.*s%.*s?%s", (int)(host - url), url, (int)(query - rest), rest, pairs ? pairs : "")
                      : orr__strf("%.*s%s", (int)(host - url), url, rest);
  if (plain) orr__json_put_str(map, "url", plain);
  free(plain);
  free(pairs);
}

static void put_headers(orr__json *map, const orr__header *headers, size_t count) {
  orr__json *out = orr__json_map();
  for (size_t i = 0; out && i < count; i++) {
    char *name = orr__strdup(headers[i].name);
    for (char *c = name; c && *c; c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    bool is_secret = orr__header_carries_credentials(headers[i].name) || sounds_secret(headers[i].name);
    if (name) orr__json_put_str(out, name, is_secret ? "***" : headers[i].value);
    free(name);
  }
  if (out) orr__json_put(map, "headers", out);
}

static orr__json *describe(const orr__hookcall *hc, const orr__exchange *e) {
  orr__json *line = orr__json_map(), *request = orr__json_map(), *reply = orr__json_map();
  const orr__secrets *secrets = &hc->version->provider->secrets;
  if (!line || !request || !reply) {
    orr__json_free(line);
    orr__json_free(request);
    orr__json_free(reply);
    return NULL;
  }
  orr__json_put_str(line, "hook", orr__hooks[hc->call->hook].name);
  orr__json_put_int(line, "at", e->started_ms);
  orr__json_put_int(line, "millis", e->took_ms);
  orr__json_put_str(request, "method", e->request->method);
  put_url(request, e->request->url);
  put_headers(request, e->request->headers, e->request->header_count);
  if (e->request->body)
    put_body(request, secrets, e->request->body, e->request->body_len, is_form(e->request->headers, e->request->header_count));
  orr__json_put(line, "request", request);
  if (e->code) {
    orr__json_put_str(reply, "code", orr__code_word(e->code));
    orr__json_put_str(reply, "message", e->message);
    orr__json_put_bool(reply, "sent", e->was_sent);
  } else {
    orr__json_put_int(reply, "status", e->status);
    put_headers(reply, e->headers, e->header_count);
    put_body(reply, secrets, e->body, e->body_len, is_form(e->headers, e->header_count));
  }
  orr__json_put(line, e->code ? "error" : "reply", reply);
  return line;
}

void orr__record_note(const orr__wait *wait, const orr__exchange *exchange) {
  orr__hookcall *hc = wait->task->hc;
  if (!hc->recorded) hc->recorded = orr__json_list();
  size_t count = hc->recorded ? orr__json_count(hc->recorded) : NOTED_MAX + 1;
  if (count > NOTED_MAX) return;
  orr__json *line = count < NOTED_MAX ? describe(hc, exchange) : orr__json_map();
  if (line && count == NOTED_MAX) orr__json_put_bool(line, "full", true); /* as the limit in bytes says it: nothing comes behind it */
  if (line) orr__json_append(hc->recorded, line);
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void warn(const orr__hookcall *hc, const orr_error *err) {
  const orr__bindings_config *config = &hc->version->bindings->config;
  char *text = orr__strf("the recording is not kept: %s", orr__error_message(err));
  if (text) config->host.log(config->host.core, hc->call->id, hc->version->provider->code, ORR_LOG_WARNING, text);
  free(text);
}

/* Bytes are looked through as bytes: in their base64 a secret would leave a hole that nothing can be read behind. */
static orr__json *redacted_bytes(const orr__secrets *secrets, const char *coded) {
  size_t len = 0;
  char *bytes = orr__base64_decode(coded, strlen(coded), &len);
  char *safe = bytes ? orr__secrets_redact_bytes(secrets, bytes, len, TEXT_MAX_SHOWN, &len) : NULL;
  char *again = safe ? orr__base64(safe, len, false, NULL) : NULL;
  orr__json *value = orr__json_new_str(again ? again : "");
  free(bytes);
  free(safe);
  free(again);
  return value;
}

/* A line as it is written: once more, with what the call has learnt since. */
static orr__json *redacted(const orr__secrets *secrets, const orr__json *json, const char *key) {
  const char *text = orr__json_text(json);
  if (text && key && strcmp(key, "bodyBase64") == 0) return redacted_bytes(secrets, text);
  if (text) return orr__json_redacted(secrets, json, TEXT_MAX_SHOWN);
  bool is_map = orr__json_is_map(json);
  if (!is_map && !orr__json_is_list(json)) return orr__json_copy(json);
  orr__json *out = is_map ? orr__json_map() : orr__json_list();
  for (const orr__json *m = orr__json_first(json); out && m; m = orr__json_next(m)) {
    orr__json *value = redacted(secrets, m, is_map ? orr__json_key(m) : key);
    if (is_map) orr__json_put(out, orr__json_key(m), value);
    else orr__json_append(out, value);
  }
  return out;
}

static void keep(const orr__hookcall *hc, const char *uuid) {
  const orr__records *records = hc->version->bindings->config.records;
  const orr__secrets *secrets = &hc->version->provider->secrets;
  orr_error err = ORR_ERROR_INIT;
  int code = 0;
  for (const orr__json *m = orr__json_first(hc->recorded); m && !code; m = orr__json_next(m)) {
    orr__json *safe = redacted(secrets, m, NULL);
    char *text = safe ? orr__json_print(safe) : NULL;
    if (text) code = orr__record_append(records, uuid, text, &err);
    orr__json_free(safe);
    free(text);
  }
  if (code) warn(hc, &err);
  orr__error_clear(&err);
}

static void end_of(const orr__hookcall *hc, const orr_result *result, const orr__answer *answer) {
  const orr__records *records = hc->version->bindings->config.records;
  bool is_good = orr__streq(result->status, "SUCCEEDED") && answer->outcome == ORR_OUTCOME_SUCCESS;
  if (is_good && orr__records_mode(records) == ORR_RECORD_FAILURES) orr__record_remove(records, result->uuid, NULL);
  else if (hc->recorded) keep(hc, result->uuid);
}

void orr__record_end(orr__hookcall *hc, const orr__answer *answer) {
  if (is_recorded(hc)) {
    if (hc->call->graph.result) end_of(hc, hc->call->graph.result, answer);
    for (size_t i = 0; i < hc->call->batch_count; i++)
      if (hc->call->batch[i].result) end_of(hc, hc->call->batch[i].result, answer);
  }
  orr__json_free(hc->recorded);
  hc->recorded = NULL;
}
