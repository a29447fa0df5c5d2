/* What the files of the HTTP client share. Nothing outside http*.c includes this.
 *
 *   http.c          one exchange from start to completion: queue, attempts, back-off, abort
 *   http_ask.c      a request checked and copied; what a redirect makes of it
 *   http_easy.c     an ask set on a libcurl handle; what libcurl calls while a transfer runs
 *   http_answer.c   the outcome of an attempt in our words: codes, messages, reply
 *   http_shard.c    a multi handle with its sockets and its timer on the loop
 *   http_tls.c      certificates pinned by fingerprint */
#ifndef ORR_PORT_HTTP_PRIVATE_H
#define ORR_PORT_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "port/http.h"
#include "port/loop.h"

enum {
  ORR_HTTP_SHARDS = 64,         /* multi handles */
  ORR_HTTP_SHARD_FILL = 16,     /* transfers to one host on a multi handle before the next is used */
  ORR_HTTP_REDIRECTS = 10,
  ORR_HTTP_RETRIES = 3,
  ORR_HTTP_BACKOFF_MS = 500,    /* before the first retry, then doubling */
  ORR_HTTP_HEADERS = 1000,      /* lines of an answer, and their bytes */
  ORR_HTTP_HEADER_BYTES = 262144,
  ORR_HTTP_PIN = 32,
  ORR_HTTP_TURN_MS = 10,        /* of a turn of the loop go to large answers */
  ORR_HTTP_SMALL = 65536,       /* bytes of an answer that is never put off */
};

#define ORR_HTTP_ENCODING "gzip" /* the one that every server has */

/* One certificate's SHA-256. */
typedef struct orr__pin {
  uint8_t digest[ORR_HTTP_PIN];
} orr__pin;

/* A request, checked and owned. A redirect changes method, url and body. */
typedef struct orr__ask {
  char *method;
  orr__url url;
  char *peer;                   /* host:port for messages, and the proxy if there is one */
  struct curl_slist *headers;   /* its own, and behind them ours, which are all requests' */
  char *body;
  size_t body_len;
  bool has_body;
  char *username, *password;
  char *ca_cert;
  bool is_pinned;
  orr__pin pin;
  char *proxy;                  /* may hold credentials */
  int64_t timeout_ms;
  size_t max_body;
  bool is_safe;
  orr__purse *purse;            /* or NULL */
} orr__ask;

enum orr__exchange_state { ORR_X_QUEUED, ORR_X_FLYING, ORR_X_WAITING, ORR_X_ENDING };

/* Why one of our own callbacks made libcurl stop a transfer. */
enum orr__fault { ORR_FAULT_NONE, ORR_FAULT_PIN, ORR_FAULT_RESEND, ORR_FAULT_BODY, ORR_FAULT_PURSE, ORR_FAULT_HEADERS, ORR_FAULT_NOMEM };

typedef struct orr__shard orr__shard;

/* A host with transfers in flight. */
typedef struct orr__host {
  uint64_t hash;
  size_t in_flight;
  size_t turn;                  /* picks the shard for the next one */
} orr__host;

typedef struct orr__exchange {
  struct orr__exchange *prev, *next; /* in the queue, among the paused or the ending */
  uint64_t id;
  orr__http *http;
  orr__http_done done;
  void *arg;
  enum orr__exchange_state state;
  orr__ask ask;
  orr__timer timer;             /* QUEUED: the timeout; WAITING: the back-off */
  int64_t budget_ms;            /* what is left of the timeout at since_ms */
  int64_t since_ms;             /* QUEUED, WAITING: by the loop's clock; FLYING: by the real one */
  int retries, redirects;
  bool was_sent;                /* in any attempt */
  int code;                     /* of the outcome, see orr__http_reply */
  char message[512];
  /* Of the attempt in flight. */
  CURL *easy;
  orr__shard *shard;
  orr__host *host;
  bool is_attempt_sent;
  bool is_paused;               /* among the paused of its client */
  bool needs_fresh;             /* a new connection, because the pooled one had another certificate */
  enum orr__fault fault;
  orr__buf body;
  size_t header_count, header_bytes;
  orr__pin seen;                /* FAULT_PIN: the certificate that was offered instead */
  char curl_message[CURL_ERROR_SIZE];
} orr__exchange;

typedef struct orr__exchange_list {
  orr__exchange *first, *last;
} orr__exchange_list;

struct orr__http {
  orr__loop *loop;
  orr__http_carrier carrier;    /* this, unless somebody else carries requests */
  size_t max_in_flight;
  size_t in_flight;
  bool is_closing;
  uint64_t last_id;
  orr__map exchanges;           /* by id: all that have not completed */
  orr__map hosts;               /* by hash of the name: those with transfers in flight */
  orr__exchange_list queue;
  orr__exchange_list ending;
  orr__exchange_list paused;    /* FLYING, with a large answer that came faster than the others' work allows */
  orr__waker *waker;            /* completes what is ending; waking cannot run out of memory */
  orr__waker *resumer;          /* lets the paused go on */
  orr__shard *shards[ORR_HTTP_SHARDS]; /* made when first used */
};

/* http_ask.c. A request that is refused leaves ask empty: INVALID, LIMIT or NOMEM. */
int orr__ask_init(orr__ask *ask, const orr__http_request *request, orr_error *reterr);
void orr__ask_clear(orr__ask *ask);
/* Does it say how long its body is, be it 0? */
bool orr__ask_sends_length(const orr__ask *ask);
/* Points the ask to where an answer with this status sends it; false if it is not to be followed. */
bool orr__ask_redirect(orr__ask *ask, int status, const char *location);

/* http_easy.c. 0, ORR_E_NOMEM or ORR_E_INVALID. */
int orr__easy_setup(orr__exchange *exchange);

/* http_answer.c. Sets the exchange's code and message for how an attempt ended (0 for an answer);
 * *ret_is_connection: the connection failed, so that a safe request may be tried again. */
void orr__answer_judge(orr__exchange *exchange, CURLcode result, bool *ret_is_connection);
void orr__answer_fail(orr__exchange *exchange, int code, const char *reason);
/* How long the server asks to wait (429, or 503 with Retry-After), or -1. */
int64_t orr__answer_retry_ms(const orr__exchange *exchange);
/* Calls done with the outcome. */
void orr__answer_deliver(orr__exchange *exchange);

/* http_shard.c. */
int orr__shard_new(orr__http *http, orr__shard **ret_shard);
void orr__shard_free(orr__shard *shard);
/* What a handle needs so that the shard hears of its connection's socket; before it is added. */
CURLcode orr__shard_prepare(orr__shard *shard, CURL *easy);
int orr__shard_add(orr__shard *shard, CURL *easy);
void orr__shard_remove(orr__shard *shard, CURL *easy);

/* http_tls.c. Parses 64 hexadecimal digits, colons and blanks between them allowed. */
bool orr__pin_parse(const char *text, orr__pin *ret_pin);
/* Is the certificate of the connection in use this one? *ret_seen: the one it has, zero if it has none. */
bool orr__pin_matches(CURL *easy, const orr__pin *pin, orr__pin *ret_seen);

/* http.c, for http_easy.c: has this turn of the loop had enough of large answers? */
bool orr__http_is_turn_over(const orr__http *http);
/* From inside libcurl, which is told CURL_WRITEFUNC_PAUSE: it goes on in another turn. */
void orr__exchange_pause(orr__exchange *exchange);

/* http.c, for http_shard.c: the transfer is over; called outside of libcurl, on the loop thread. */
void orr__exchange_landed(orr__exchange *exchange, CURLcode result);

#endif
