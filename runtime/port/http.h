/* HTTP client with the policy that every provider gets, over libcurl's multi interface.
 *
 * Policy: TLS verified, or pinned to a certificate; connections reused; a redirect of a safe request is
 * followed within its origin (at most 10), any other 3xx is an answer like every status; time and size
 * caps; safe requests are tried again (up to 3 times, back-off 0.5 s doubling, inside the timeout) when the
 * connection fails or a 503 has a Retry-After, and every request after a 429 with one, which says that it
 * was not processed, when the server asks for it if that is inside the timeout; otherwise the 429 or 503 is
 * the answer. Nothing here knows which requests are granted or journalled: that is the bindings'.
 *
 * Answers that come faster than the loop can take them share ORR_HTTP_TURN_MS of each turn: what is large goes on in the next.
 *
 * One request started is one completion, on the loop thread, never from inside orr__http_start or _abort. */
#ifndef ORR_PORT_HTTP_H
#define ORR_PORT_HTTP_H

#include "base/error.h"
#include "port/loop.h"
#include "port/purse.h"

typedef struct orr__http orr__http;

typedef struct orr__header {
  const char *name;
  const char *value;
} orr__header;

/* All pointers are borrowed for the call of orr__http_start. NULL or 0 means: none, or the default. */
typedef struct orr__http_request {
  const char *method;             /* "GET" ... upper case, required */
  const char *url;                /* absolute, http or https, required */
  const orr__header *headers;
  size_t header_count;
  struct orr__url *parsed;        /* url taken apart by orr__url_parse, to spare doing it again: taken (left empty) once the
                                     request has been started; or NULL */
  const void *body;
  size_t body_len;
  int64_t timeout_ms;             /* for the whole exchange, retries included; default 30,000 */
  size_t max_body;                /* default 16 MiB */
  const char *username;           /* HTTP Basic, with password */
  const char *password;
  const char *ca_cert;            /* PEM text; trusted in addition to nothing else */
  const char *tls_fingerprint;    /* SHA-256 of the server's certificate in hex (colons allowed): the
                                     certificate is accepted if and only if it is this one */
  const char *proxy;
  bool is_safe;                   /* may be repeated without effect (GET, HEAD, OPTIONS, or marked so) */
  orr__purse *purse;              /* what the answers of several requests may hold together; past it: LIMIT */
} orr__http_request;

typedef struct orr__http_reply {
  int code;                       /* 0: there is an answer; else ORR_E_UNREACHABLE, TIMEOUT, TLS, LIMIT, CANCELLED,
                                     INVALID, NOMEM */
  const char *message;            /* one line if code is not 0: names host and port, never credentials */
  bool was_sent;                  /* code is not 0: may the request have reached the server? */
  int status;
  const orr__header *headers;     /* names in lower case, in the order received */
  size_t header_count;
  const char *body;               /* NUL behind it */
  size_t body_len;
} orr__http_reply;

/* Everything in reply is borrowed for the call. */
typedef void (*orr__http_done)(void *arg, const orr__http_reply *reply);

/* What libcurl is and where it finds the certificates it trusts; texts are libcurl's, which never go. ca_bundle: NULL if
 * it has none by itself. */
typedef struct orr__http_library {
  const char *curl, *tls, *ca_bundle;
} orr__http_library;
orr__http_library orr__http_library_facts(void);

/* Who carries requests. Each function keeps the contract of the one of its name below; what the policy above says of redirects and of
 * trying again is then the carrier's. */
typedef struct orr__http_carrier {
  void *self;
  int (*start)(void *self, const orr__http_request *request, orr__http_done done, void *arg, uint64_t *ret_id, orr_error *reterr);
  void (*abort)(void *self, uint64_t id);
} orr__http_carrier;

/* max_in_flight: how many transfers may run at a time (others queue); 0: 10,000, or what the process's limit of open files leaves. Owned. */
int orr__http_new(orr__loop *loop, size_t max_in_flight, orr__http **ret_http, orr_error *reterr);
/* Instead of libcurl, for every request that is started from now on. Copied. Before the first request. */
void orr__http_carry(orr__http *http, const orr__http_carrier *carrier);
/* Requests in flight complete with CANCELLED first, from inside. Not from a completion. NULL is fine. */
void orr__http_free(orr__http *http);
/* *ret_id is never 0 and never used again. On an error return nothing was started and done is not called:
 * INVALID, LIMIT (too large, or 100,000 requests at a time), NOMEM, CLOSED (http is being freed).
 * Headers that frame or address the message (Content-Length, Host ...) are INVALID: they are set here.
 * Credentials in the URL are used like username and password, which win. The proxy is
 * [scheme://][user:password@]host:port with http, https, socks4, socks4a, socks5 or socks5h; the
 * environment's proxies are ignored. An 11th redirect is LIMIT. */
int orr__http_start(orr__http *http, const orr__http_request *request, orr__http_done done, void *arg,
                    uint64_t *ret_id, orr_error *reterr);
/* The request completes soon with CANCELLED, unless it already completed: then nothing happens. */
void orr__http_abort(orr__http *http, uint64_t id);

/* Takes a URL apart. `origin` is scheme://host:port in lower case with the port always there, so that two
 * origins can be compared as text. Owned strings. INVALID (message says why) unless http or https,
 * with a host, without control characters or blanks. host is in lower case, an IPv6 address without its
 * brackets; path is at least "/", without dot segments; nothing is percent-decoded. */
typedef struct orr__url {
  char *scheme, *user, *password, *host, *path, *query, *fragment, *origin; /* NULL where absent */
  int port;
} orr__url;
int orr__url_parse(const char *text, orr__url *ret_url, orr_error *reterr);
/* How long the scheme and authority in front of the path are, if that and the query are plain: a path, and nothing but characters that mean
 * themselves, no dot segment, no fragment. Else 0. What is in front is not looked at. */
size_t orr__url_plain_path(const char *text);
/* What orr__url_parse makes of an origin, which it has taken apart without credentials, with such a path and query behind it. 0 or NOMEM. */
int orr__url_join(const orr__url *origin, const char *path, orr__url *ret_url, orr_error *reterr);
void orr__url_clear(orr__url *url);

#endif
