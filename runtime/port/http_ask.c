/* A request checked and copied, and what a redirect makes of it.
 *
 * Everything that is wrong with a request by itself is found here, before anything is started. Messages
 * name hosts, never credentials: the URL given to libcurl is put together from its parts without them.
 *
 * Deliberately ignorant of libcurl's transfers, of retries and of time. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "port/http_private.h"

#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_MAX_BODY ((size_t)16 << 20)
#define REQUEST_BODY_MAX ((size_t)256 << 20)
#define REQUEST_HEADERS_MAX 200
#define REQUEST_HEADER_BYTES_MAX 65536
#define METHOD_MAX 32

static int no_memory(orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_NOMEM, "HTTP request: out of memory");
}

/* Copies text, NULL included. False when out of memory. */
static bool copy_text(char **ret_copy, const char *text) {
  *ret_copy = orr__strdup(text);
  return *ret_copy != NULL || text == NULL;
}

static void wipe_free(char *text) {
  if (text != NULL) explicit_bzero(text, strlen(text));
  free(text);
}

static bool is_method(const char *method) {
  if (method == NULL || *method == '\0' || strnlen(method, METHOD_MAX + 1) > METHOD_MAX) return false;
  for (const char *c = method; *c != '\0'; c++) {
    if ((*c < 'A' || *c > 'Z') && *c != '-' && *c != '_') return false;
  }
  return strcmp(method, "CONNECT") != 0;
}

static bool is_header_name(const char *name) {
  if (name == NULL || *name == '\0') return false;
  for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
    if (*c <= ' ' || *c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", *c) != NULL) return false;
  }
  return true;
}

static bool is_header_value(const char *value) {
  for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
    if ((*c < ' ' && *c != '\t') || *c == 0x7f) return false;
  }
  return true;
}

/* These frame or address the message: a second opinion on them lets one request be read as two, or reach
 * another host than the URL says. */
static bool is_framing_header(const char *name) {
  static const char *const names[] = { "content-length", "transfer-encoding", "connection", "upgrade",
                                       "te",             "trailer",           "host" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcasecmp(name, names[i]) == 0) return true;
  }
  return false;
}

/* What we say by ourselves, at the end of every list. Shared by all requests and never changed: libcurl writes these lines once, where its
 * options for the same would have it print each of them twice. */
#define USER_AGENT "User-Agent: orrery/" ORR_VERSION
static const struct curl_slist agent_alone = { (char *)USER_AGENT, NULL };
static const struct curl_slist encoding_alone = { (char *)"Accept-Encoding: " ORR_HTTP_ENCODING, NULL };
static const struct curl_slist both = { (char *)USER_AGENT, (struct curl_slist *)&encoding_alone };

static bool is_shared(const struct curl_slist *line) {
  return line == &both || line == &agent_alone || line == &encoding_alone;
}

static void add_shared(orr__ask *ask, bool has_agent, bool has_encoding) {
  const struct curl_slist *shared = has_encoding ? (has_agent ? NULL : &agent_alone) : has_agent ? &encoding_alone : &both;
  struct curl_slist **end = &ask->headers;
  while (*end != NULL) end = &(*end)->next;
  *end = (struct curl_slist *)shared;
}

static int add_line(orr__ask *ask, const char *line, orr_error *reterr) {
  struct curl_slist *list = curl_slist_append(ask->headers, line);
  if (list == NULL) return no_memory(reterr);
  ask->headers = list;
  return 0;
}

static int add_header(orr__ask *ask, const char *name, const char *value, orr_error *reterr) {
  /* For libcurl "Name:" removes a header and "Name;" sends an empty one. */
  char *line = *value != '\0' ? orr__strf("%s: %s", name, value) : orr__strf("%s;", name);
  int rc = line != NULL ? add_line(ask, line, reterr) : no_memory(reterr);
  wipe_free(line);
  return rc;
}

bool orr__ask_sends_length(const orr__ask *ask) {
  return ask->has_body || strcmp(ask->method, "POST") == 0 || strcmp(ask->method, "PUT") == 0 || strcmp(ask->method, "PATCH") == 0;
}

static int copy_headers(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  bool has_type = false, has_expect = false, has_agent = false, has_encoding = false;
  size_t bytes = 0;
  if (request->header_count > REQUEST_HEADERS_MAX) {
    return orr__error_set(reterr, ORR_E_LIMIT, "HTTP request has more than %d headers", REQUEST_HEADERS_MAX);
  }
  for (size_t i = 0; i < request->header_count; i++) {
    const char *name = request->headers[i].name;
    const char *value = request->headers[i].value != NULL ? request->headers[i].value : "";
    if (!is_header_name(name)) return orr__error_set(reterr, ORR_E_INVALID, "HTTP header name is not a token");
    if (!is_header_value(value)) {
      return orr__error_set(reterr, ORR_E_INVALID, "HTTP header '%s' has a control character in its value", name);
    }
    if (is_framing_header(name)) {
      return orr__error_set(reterr, ORR_E_INVALID, "HTTP header '%s' is set by the runtime", name);
    }
    bytes += strlen(name) + strlen(value);
    if (bytes > REQUEST_HEADER_BYTES_MAX) {
      return orr__error_set(reterr, ORR_E_LIMIT, "HTTP headers are longer than 64 KiB");
    }
    has_type = has_type || strcasecmp(name, "content-type") == 0;
    has_expect = has_expect || strcasecmp(name, "expect") == 0;
    has_agent = has_agent || strcasecmp(name, "user-agent") == 0;
    has_encoding = has_encoding || strcasecmp(name, "accept-encoding") == 0;
    int rc = add_header(ask, name, value, reterr);
    if (rc < 0) return rc;
  }
  /* With a body libcurl would guess a type, and would wait a second for a 100 that many servers never send. */
  bool is_with_body = orr__ask_sends_length(ask);
  int rc = is_with_body && !has_type ? add_line(ask, "Content-Type:", reterr) : 0;
  if (rc == 0 && is_with_body && !has_expect) rc = add_line(ask, "Expect:", reterr);
  if (rc == 0) add_shared(ask, has_agent, has_encoding);
  return rc;
}

static int copy_body(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  if (request->body == NULL) return 0;
  if (strcmp(request->method, "HEAD") == 0) {
    return orr__error_set(reterr, ORR_E_INVALID, "HTTP request: HEAD takes no body");
  }
  if (request->body_len > REQUEST_BODY_MAX) {
    return orr__error_set(reterr, ORR_E_LIMIT, "HTTP request body is larger than 256 MiB");
  }
  ask->body = malloc(request->body_len + 1);
  if (ask->body == NULL) return no_memory(reterr);
  memcpy(ask->body, request->body, request->body_len);
  ask->body[request->body_len] = '\0';
  ask->body_len = request->body_len;
  ask->has_body = true;
  return 0;
}

static char *percent_decode(const char *text) {
  if (text == NULL) return NULL;
  int len = 0;
  char *decoded = curl_easy_unescape(NULL, text, 0, &len);
  char *copy = orr__strdup(decoded);
  curl_free(decoded);
  return copy;
}

/* Those given apart win over those in the URL. */
static int copy_credentials(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  bool is_copied;
  if (request->username != NULL || request->password != NULL) {
    is_copied = copy_text(&ask->username, request->username != NULL ? request->username : "") &&
                copy_text(&ask->password, request->password != NULL ? request->password : "");
  } else if (ask->url.user != NULL || ask->url.password != NULL) {
    ask->username = percent_decode(ask->url.user != NULL ? ask->url.user : "");
    ask->password = percent_decode(ask->url.password != NULL ? ask->url.password : "");
    is_copied = ask->username != NULL && ask->password != NULL;
  } else {
    return 0;
  }
  if (!is_copied) return no_memory(reterr);
  if (strchr(ask->username, ':') != NULL) {
    return orr__error_set(reterr, ORR_E_INVALID, "a user name for HTTP Basic has no colon in it");
  }
  return 0;
}

static bool is_proxy_scheme(const char *scheme) {
  static const char *const schemes[] = { "http", "https", "socks4", "socks4a", "socks5", "socks5h" };
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (strcasecmp(scheme, schemes[i]) == 0) return true;
  }
  return false;
}

/* Owned "host:port" of a proxy in *ret_peer and its scheme's fitness for a pin. */
static int check_proxy(orr__ask *ask, char **ret_peer, orr_error *reterr) {
  int rc = ORR_E_INVALID;
  char *scheme = NULL, *host = NULL, *port = NULL, *text = NULL;
  CURLU *handle = curl_url();
  text = orr__strf("%s%s", strstr(ask->proxy, "://") != NULL ? "" : "http://", ask->proxy);
  if (handle == NULL || text == NULL) {
    rc = no_memory(reterr);
    goto done;
  }
  if (curl_url_set(handle, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
      curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || !is_proxy_scheme(scheme) ||
      curl_url_get(handle, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
      curl_url_get(handle, CURLUPART_PORT, &port, 0) != CURLUE_OK) {
    orr__error_set(reterr, rc, "a proxy is [http|https|socks4|socks4a|socks5|socks5h://]host:port");
    goto done;
  }
  if (ask->is_pinned && strcasecmp(scheme, "https") == 0) {
    orr__error_set(reterr, rc, "a pinned certificate and a proxy reached by https do not go together");
    goto done;
  }
  *ret_peer = orr__strf("%s:%s", host, port);
  rc = *ret_peer != NULL ? 0 : no_memory(reterr);
done:
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  wipe_free(text);
  curl_url_cleanup(handle);
  return rc;
}

static int copy_proxy(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  const char *peer = ask->url.origin + strlen(ask->url.scheme) + strlen("://");
  if (request->proxy == NULL || *request->proxy == '\0') {
    return copy_text(&ask->peer, peer) ? 0 : no_memory(reterr);
  }
  if (!copy_text(&ask->proxy, request->proxy)) return no_memory(reterr);
  char *proxy_peer = NULL;
  int rc = check_proxy(ask, &proxy_peer, reterr);
  if (rc < 0) return rc;
  ask->peer = orr__strf("%s (through proxy %s)", peer, proxy_peer);
  free(proxy_peer);
  return ask->peer != NULL ? 0 : no_memory(reterr);
}

static int copy_trust(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  if (request->tls_fingerprint != NULL && *request->tls_fingerprint != '\0') {
    if (!orr__pin_parse(request->tls_fingerprint, &ask->pin)) {
      return orr__error_set(reterr, ORR_E_INVALID, "a TLS fingerprint is a SHA-256: 64 hexadecimal digits");
    }
    if (strcmp(ask->url.scheme, "https") != 0) {
      return orr__error_set(reterr, ORR_E_INVALID, "%s: a TLS fingerprint needs an https URL", ask->url.origin);
    }
    ask->is_pinned = true;
  } else if (request->ca_cert != NULL && *request->ca_cert != '\0') {
    if (!copy_text(&ask->ca_cert, request->ca_cert)) return no_memory(reterr);
  }
  return 0;
}

int orr__ask_init(orr__ask *ask, const orr__http_request *request, orr_error *reterr) {
  *ask = (orr__ask){ 0 };
  if (!is_method(request->method)) {
    return orr__error_set(reterr, ORR_E_INVALID, "HTTP request: the method is not a word in upper case");
  }
  int rc = 0;
  if (request->parsed != NULL && request->parsed->origin != NULL) {
    ask->url = *request->parsed;
    *request->parsed = (orr__url){ 0 };
  } else {
    rc = orr__url_parse(request->url, &ask->url, reterr);
  }
  if (rc < 0) goto done;
  ask->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : DEFAULT_TIMEOUT_MS;
  ask->purse = orr__purse_ref(request->purse);
  ask->max_body = request->max_body > 0 ? request->max_body : DEFAULT_MAX_BODY;
  ask->is_safe = request->is_safe;
  rc = copy_text(&ask->method, request->method) ? 0 : no_memory(reterr);
  if (rc < 0) goto done;
  if ((rc = copy_body(ask, request, reterr)) < 0) goto done;
  if ((rc = copy_headers(ask, request, reterr)) < 0) goto done;
  if ((rc = copy_credentials(ask, request, reterr)) < 0) goto done;
  if ((rc = copy_trust(ask, request, reterr)) < 0) goto done;
  rc = copy_proxy(ask, request, reterr);
done:
  if (rc < 0) orr__ask_clear(ask);
  return rc;
}

void orr__ask_clear(orr__ask *ask) {
  if (ask->headers != NULL && is_shared(ask->headers)) ask->headers = NULL;
  for (struct curl_slist *line = ask->headers; line != NULL; line = line->next) {
    explicit_bzero(line->data, strlen(line->data));
    if (line->next != NULL && is_shared(line->next)) line->next = NULL;
  }
  curl_slist_free_all(ask->headers);
  free(ask->method);
  free(ask->peer);
  orr__purse_unref(ask->purse);
  free(ask->body);
  free(ask->ca_cert);
  wipe_free(ask->username);
  wipe_free(ask->password);
  wipe_free(ask->proxy);
  orr__url_clear(&ask->url);
  *ask = (orr__ask){ 0 };
}

/* The body and the headers that describe it go. */
static void drop_body(orr__ask *ask) {
  free(ask->body);
  ask->body = NULL;
  ask->body_len = 0;
  ask->has_body = false;
  for (struct curl_slist *line = ask->headers; line != NULL; line = line->next) {
    if (strncasecmp(line->data, "content-", 8) == 0) {
      size_t name = strcspn(line->data, ":;");
      line->data[name] = ':';
      line->data[name + 1] = '\0';
    }
  }
}

bool orr__ask_redirect(orr__ask *ask, int status, const char *location) {
  if (!ask->is_safe || location == NULL) return false;
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) return false;
  orr__url url = { 0 };
  if (orr__url_parse(location, &url, NULL) < 0) return false;
  bool is_followed = strcmp(url.origin, ask->url.origin) == 0;
  bool becomes_get = (status == 303 && strcmp(ask->method, "HEAD") != 0) ||
                     ((status == 301 || status == 302) && strcmp(ask->method, "POST") == 0);
  if (is_followed && becomes_get && strcmp(ask->method, "GET") != 0) {
    char *method = orr__strdup("GET");
    if (method == NULL) {
      is_followed = false;
    } else {
      free(ask->method);
      ask->method = method;
      drop_body(ask);
    }
  }
  if (is_followed) {
    orr__url old = ask->url;
    ask->url = url;
    url = old;
  }
  orr__url_clear(&url);
  return is_followed;
}
