/* One exchange from start to completion.
 *
 *          start ──► QUEUED ──launch──► FLYING ──landed──► complete
 *                      ▲                   │
 *                      │ back_off_over     │ landed: to be tried again
 *                      └──── WAITING ◄─────┘
 *          abort: QUEUED, WAITING or FLYING ──end_soon──► ENDING ──woken──► complete
 *
 *   QUEUED   in http->queue; the timer ends it when its time is up
 *   FLYING   has an easy handle on a shard, counts in in_flight; libcurl keeps the time
 *   WAITING  the timer runs the back-off; nothing real is in flight
 *   ENDING   in http->ending, has its code; completes when the waker runs
 *
 * Deliberately ignorant of sockets, of options and of what an answer means to a provider.
 *
 * Invariants: what is in http->exchanges has not completed and completes once; the loop is held busy by
 * what is FLYING or ENDING; outside of a completion somebody is queued only while in_flight is at its
 * maximum; completions come from the loop or from orr__http_free. */
#include "port/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/str.h"
#include "port/http_private.h"

#define DEFAULT_IN_FLIGHT 10000
#define OTHER_FILES 256 /* descriptors that are not ours to use up */
#define LEAST_IN_FLIGHT 64
#define EXCHANGES_MAX 100000

static void list_append(orr__exchange_list *list, orr__exchange *exchange) {
  exchange->prev = list->last;
  exchange->next = NULL;
  *(list->last != NULL ? &list->last->next : &list->first) = exchange;
  list->last = exchange;
}

static void list_remove(orr__exchange_list *list, orr__exchange *exchange) {
  *(exchange->prev != NULL ? &exchange->prev->next : &list->first) = exchange->next;
  *(exchange->next != NULL ? &exchange->next->prev : &list->last) = exchange->prev;
  exchange->prev = exchange->next = NULL;
}

static int64_t real_ms(void) {
  return (int64_t)(uv_hrtime() / 1000000);
}

/* The easy handle holds the answer, so it goes last. No handle is used twice: before 8.1.1 libcurl keeps a pointer into the
 * headers of the transfer before, and a server that begins its answer with a folded line makes it write there. */
static void easy_release(orr__exchange *exchange) {
  curl_easy_cleanup(exchange->easy);
  exchange->easy = NULL;
}

static void exchange_free(orr__exchange *exchange) {
  easy_release(exchange);
  orr__purse_give(exchange->ask.purse, exchange->body.len);
  orr__buf_clear(&exchange->body);
  orr__ask_clear(&exchange->ask);
  free(exchange);
}

static orr__host *host_enter(orr__http *http, const char *name) {
  uint64_t hash = orr__hash64(name, strlen(name));
  orr__host *host = orr__map_get(&http->hosts, hash);
  if (host == NULL) {
    host = calloc(1, sizeof *host);
    if (host == NULL || orr__map_put(&http->hosts, hash, host) < 0) {
      free(host);
      return NULL;
    }
    host->hash = hash;
  }
  host->in_flight++;
  return host;
}

static void host_leave(orr__http *http, orr__host *host) {
  if (--host->in_flight > 0) return;
  orr__map_remove(&http->hosts, host->hash);
  free(host);
}

/* From FLYING to nowhere: the state is the caller's to set, the loop stays busy. */
static void leave_flight(orr__exchange *exchange) {
  assert(exchange->state == ORR_X_FLYING);
  if (exchange->is_paused) list_remove(&exchange->http->paused, exchange);
  exchange->is_paused = false;
  orr__shard_remove(exchange->shard, exchange->easy);
  host_leave(exchange->http, exchange->host);
  exchange->http->in_flight--;
  exchange->budget_ms -= real_ms() - exchange->since_ms;
}

/* Takes it out of wherever it is; whoever does so has it complete. The loop is busy afterwards. */
static void detach(orr__exchange *exchange) {
  orr__http *http = exchange->http;
  if (exchange->state == ORR_X_FLYING) {
    leave_flight(exchange);
  } else {
    if (exchange->state == ORR_X_QUEUED) list_remove(&http->queue, exchange);
    if (exchange->state == ORR_X_ENDING) list_remove(&http->ending, exchange);
    orr__timer_stop(http->loop, &exchange->timer);
    if (exchange->state != ORR_X_ENDING) orr__loop_busy(http->loop, 1);
  }
}

/* Only for what was detached. */
static void complete(orr__exchange *exchange) {
  orr__http *http = exchange->http;
  orr__map_remove(&http->exchanges, exchange->id);
  orr__answer_deliver(exchange);
  exchange_free(exchange);
  orr__loop_busy(http->loop, -1);
}

/* For what was detached and must not complete from inside the caller. */
static void end_soon(orr__exchange *exchange, int code, const char *reason) {
  orr__http *http = exchange->http;
  orr__answer_fail(exchange, code, reason);
  easy_release(exchange);
  exchange->state = ORR_X_ENDING;
  list_append(&http->ending, exchange);
  orr__loop_wake(http->waker);
}

static void waker_called(void *arg) {
  orr__http *http = arg;
  /* What ends from inside the completions has woken again. */
  orr__exchange *last = http->ending.last;
  for (bool is_last = last == NULL; !is_last;) {
    orr__exchange *exchange = http->ending.first;
    is_last = exchange == last;
    detach(exchange);
    complete(exchange);
  }
}

static void queue_timed_out(void *arg) {
  orr__exchange *exchange = arg;
  detach(exchange);
  orr__answer_fail(exchange, ORR_E_TIMEOUT, "the time was up while other requests were in flight");
  complete(exchange);
}

/* A host's transfers are spread over as many shards as they fill: one after the other, they meet the same connection; thousands
 * at a time do not slow each other down. */
static orr__shard *shard_of(orr__http *http, orr__host *host) {
  size_t spread = host->in_flight / ORR_HTTP_SHARD_FILL + 1;
  if (spread > ORR_HTTP_SHARDS) spread = ORR_HTTP_SHARDS;
  size_t turn = spread > 1 ? host->turn++ % spread : 0;
  orr__shard **shard = &http->shards[(host->hash + turn) % ORR_HTTP_SHARDS];
  if (*shard == NULL) orr__shard_new(http, shard);
  return *shard;
}

static void attempt_reset(orr__exchange *exchange) {
  orr__purse_give(exchange->ask.purse, exchange->body.len);
  orr__buf_reset(&exchange->body);
  exchange->is_attempt_sent = false;
  exchange->fault = ORR_FAULT_NONE;
  exchange->header_count = 0;
  exchange->header_bytes = 0;
  exchange->curl_message[0] = '\0';
}

static int put_on_shard(orr__exchange *exchange, orr__shard *shard) {
  if (shard == NULL) return ORR_E_NOMEM;
  easy_release(exchange);
  exchange->easy = curl_easy_init();
  if (exchange->easy == NULL) return ORR_E_NOMEM;
  attempt_reset(exchange);
  int rc = orr__easy_setup(exchange);
  if (rc < 0) return rc;
  if (orr__shard_prepare(shard, exchange->easy) != CURLE_OK) return ORR_E_NOMEM;
  return orr__shard_add(shard, exchange->easy);
}

/* Puts a detached exchange on its shard. On an error it is still detached. */
static int launch(orr__exchange *exchange) {
  orr__http *http = exchange->http;
  if (exchange->budget_ms <= 0) return ORR_E_TIMEOUT;
  orr__host *host = host_enter(http, exchange->ask.url.host);
  if (host == NULL) return ORR_E_NOMEM;
  orr__shard *shard = shard_of(http, host);
  int rc = put_on_shard(exchange, shard);
  if (rc < 0) {
    host_leave(http, host);
    return rc;
  }
  exchange->shard = shard;
  exchange->host = host;
  exchange->state = ORR_X_FLYING;
  exchange->since_ms = real_ms();
  http->in_flight++;
  return 0;
}

/* Launches a detached exchange or puts it behind the others. On an error it is still detached. */
static int enqueue(orr__exchange *exchange) {
  orr__http *http = exchange->http;
  if (http->in_flight < http->max_in_flight && http->queue.first == NULL) return launch(exchange);
  int64_t now_ms = orr__loop_mono_ms(http->loop);
  int64_t due_ms = exchange->budget_ms < INT64_MAX - now_ms ? now_ms + exchange->budget_ms : INT64_MAX;
  if (orr__timer_start(http->loop, &exchange->timer, due_ms, queue_timed_out, exchange) < 0) return ORR_E_NOMEM;
  exchange->state = ORR_X_QUEUED;
  exchange->since_ms = now_ms;
  list_append(&http->queue, exchange);
  orr__loop_busy(http->loop, -1);
  return 0;
}

static const char *launch_fault(int code) {
  switch (code) {
  case ORR_E_NOMEM:
    return "out of memory";
  case ORR_E_TIMEOUT:
    return "the time was up before it could be sent";
  default:
    return "libcurl does not take the request";
  }
}

static void enqueue_or_end(orr__exchange *exchange) {
  int rc = enqueue(exchange);
  if (rc < 0) end_soon(exchange, rc, launch_fault(rc));
}

/* Launches what the queue holds while there is room. */
static void pump(orr__http *http) {
  while (!http->is_closing && http->queue.first != NULL && http->in_flight < http->max_in_flight) {
    orr__exchange *exchange = http->queue.first;
    detach(exchange);
    exchange->budget_ms -= orr__loop_mono_ms(http->loop) - exchange->since_ms;
    int rc = launch(exchange);
    if (rc < 0) end_soon(exchange, rc, launch_fault(rc));
  }
}

static void back_off_over(void *arg) {
  orr__exchange *exchange = arg;
  detach(exchange);
  exchange->budget_ms -= orr__loop_mono_ms(exchange->http->loop) - exchange->since_ms;
  enqueue_or_end(exchange);
}

/* Lets a landed exchange wait for at least delay_ms and its next back-off. False if there is no retry left or
 * no time: then what it has is the outcome. */
static bool back_off(orr__exchange *exchange, int64_t delay_ms) {
  orr__loop *loop = exchange->http->loop;
  int64_t least_ms = (int64_t)ORR_HTTP_BACKOFF_MS << exchange->retries;
  if (delay_ms < least_ms) delay_ms = least_ms;
  if (exchange->retries == ORR_HTTP_RETRIES || delay_ms >= exchange->budget_ms) return false;
  exchange->since_ms = orr__loop_mono_ms(loop);
  if (orr__timer_start(loop, &exchange->timer, exchange->since_ms + delay_ms, back_off_over, exchange) < 0) return false;
  exchange->retries++;
  exchange->state = ORR_X_WAITING;
  easy_release(exchange);
  orr__loop_busy(loop, -1);
  return true;
}

/* Did the pooled connection have a certificate of old? Then the server may have the pinned one by now. */
static bool is_stale_pin(const orr__exchange *exchange) {
  long connects = 0;
  curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &connects);
  return exchange->fault == ORR_FAULT_PIN && connects == 0 && !exchange->needs_fresh;
}

/* A landed answer that is not the outcome; true if the exchange goes on. */
static bool goes_on_after_answer(orr__exchange *exchange) {
  long status = 0;
  char *location = NULL;
  curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(exchange->easy, CURLINFO_REDIRECT_URL, &location);
  if (orr__ask_redirect(&exchange->ask, (int)status, location)) {
    if (exchange->redirects == ORR_HTTP_REDIRECTS) {
      orr__answer_fail(exchange, ORR_E_LIMIT, "redirects without end");
      return false;
    }
    exchange->redirects++;
    enqueue_or_end(exchange);
    return true;
  }
  if (status == 503 && !exchange->ask.is_safe) return false; /* a proxy may say so after the work was done */
  int64_t delay_ms = orr__answer_retry_ms(exchange);
  return delay_ms >= 0 && back_off(exchange, delay_ms);
}

void orr__exchange_landed(orr__exchange *exchange, CURLcode result) {
  orr__http *http = exchange->http;
  bool is_connection = false, goes_on = false;
  leave_flight(exchange);
  orr__answer_judge(exchange, result, &is_connection);
  if (exchange->code == 0) {
    goes_on = goes_on_after_answer(exchange);
  } else if (is_stale_pin(exchange)) {
    exchange->needs_fresh = true;
    enqueue_or_end(exchange);
    goes_on = true;
  } else if (is_connection && exchange->ask.is_safe) {
    goes_on = back_off(exchange, 0);
  }
  if (!goes_on) complete(exchange);
  pump(http);
}

/* ---- large answers share the loop's turns ------------------------------------------------------------------- */

bool orr__http_is_turn_over(const orr__http *http) {
  return orr__loop_turn_ms(http->loop) > ORR_HTTP_TURN_MS;
}

void orr__exchange_pause(orr__exchange *exchange) {
  exchange->is_paused = true;
  list_append(&exchange->http->paused, exchange);
  orr__loop_wake(exchange->http->resumer);
}

static void resumer_called(void *arg) {
  orr__http *http = arg;
  orr__exchange *last = http->paused.last;
  for (bool is_last = last == NULL; !is_last && http->paused.first != NULL && !orr__http_is_turn_over(http);) {
    orr__exchange *exchange = http->paused.first;
    is_last = exchange == last;
    list_remove(&http->paused, exchange);
    exchange->is_paused = false;
    /* It hands over what it held back at once, and may be paused again from inside. */
    CURLcode result = curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
    if (result != CURLE_OK) orr__exchange_landed(exchange, result);
  }
  if (http->paused.first != NULL) orr__loop_wake(http->resumer);
}

/* Each transfer in flight may have a connection of its own. */
static size_t default_in_flight(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= DEFAULT_IN_FLIGHT + OTHER_FILES) return DEFAULT_IN_FLIGHT;
  return files.rlim_cur > LEAST_IN_FLIGHT + OTHER_FILES ? (size_t)files.rlim_cur - OTHER_FILES : LEAST_IN_FLIGHT;
}

static int start_here(void *self, const orr__http_request *request, orr__http_done done, void *arg, uint64_t *ret_id,
                      orr_error *reterr);
static void abort_here(void *self, uint64_t id);

int orr__http_new(orr__loop *loop, size_t max_in_flight, orr__http **ret_http, orr_error *reterr) {
  orr__http *http = calloc(1, sizeof *http);
  if (http == NULL) return orr__error_set(reterr, ORR_E_NOMEM, "HTTP client: out of memory");
  http->loop = loop;
  http->carrier = (orr__http_carrier){ http, start_here, abort_here };
  http->max_in_flight = max_in_flight > 0 ? max_in_flight : default_in_flight();
  orr__map_init(&http->exchanges);
  orr__map_init(&http->hosts);
  int rc = orr__waker_new(loop, waker_called, http, &http->waker);
  if (rc == 0) rc = orr__waker_new(loop, resumer_called, http, &http->resumer);
  if (rc < 0) {
    orr__waker_free(http->waker);
    free(http);
    return orr__error_set(reterr, rc, "HTTP client: no waker");
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    orr__waker_free(http->waker);
    orr__waker_free(http->resumer);
    free(http);
    return orr__error_set(reterr, ORR_E_IO, "HTTP client: libcurl does not start");
  }
  *ret_http = http;
  return 0;
}

void orr__http_free(orr__http *http) {
  if (http == NULL) return;
  http->is_closing = true;
  size_t pos = 0;
  uint64_t id;
  void *value;
  while (orr__map_next(&http->exchanges, &pos, &id, &value)) {
    orr__exchange *exchange = value;
    bool has_outcome = exchange->state == ORR_X_ENDING;
    detach(exchange);
    if (!has_outcome) orr__answer_fail(exchange, ORR_E_CANCELLED, "the runtime is closing");
    complete(exchange);
  }
  orr__map_clear(&http->exchanges);
  orr__map_clear(&http->hosts);
  orr__waker_free(http->waker);
  orr__waker_free(http->resumer);
  for (size_t i = 0; i < ORR_HTTP_SHARDS; i++) orr__shard_free(http->shards[i]);
  free(http);
  curl_global_cleanup();
}

static int start_here(void *self, const orr__http_request *request, orr__http_done done, void *arg, uint64_t *ret_id,
                      orr_error *reterr) {
  orr__http *http = self;
  if (http->is_closing) return orr__error_set(reterr, ORR_E_CLOSED, "HTTP client: the runtime is closing");
  if (http->exchanges.len >= EXCHANGES_MAX) {
    return orr__error_set(reterr, ORR_E_LIMIT, "HTTP client: %d requests at a time is the limit", EXCHANGES_MAX);
  }
  orr__exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL) return orr__error_set(reterr, ORR_E_NOMEM, "HTTP request: out of memory");
  int rc = orr__ask_init(&exchange->ask, request, reterr);
  if (rc < 0) {
    free(exchange);
    return rc;
  }
  exchange->http = http;
  exchange->id = http->last_id + 1;
  exchange->done = done;
  exchange->arg = arg;
  exchange->budget_ms = exchange->ask.timeout_ms;
  orr__buf_init(&exchange->body, exchange->ask.max_body);
  rc = orr__map_put(&http->exchanges, exchange->id, exchange);
  if (rc == 0) {
    orr__loop_busy(http->loop, 1);
    rc = enqueue(exchange);
    if (rc < 0) orr__loop_busy(http->loop, -1);
  }
  if (rc < 0) {
    orr__error_set(reterr, rc, "%s: %s", exchange->ask.peer, launch_fault(rc));
    orr__map_remove(&http->exchanges, exchange->id);
    exchange_free(exchange);
    return rc;
  }
  http->last_id = exchange->id;
  *ret_id = exchange->id;
  return 0;
}

static void abort_here(void *self, uint64_t id) {
  orr__http *http = self;
  orr__exchange *exchange = http->is_closing ? NULL : orr__map_get(&http->exchanges, id);
  if (exchange == NULL || exchange->state == ORR_X_ENDING) return;
  detach(exchange);
  end_soon(exchange, ORR_E_CANCELLED, "cancelled");
  pump(http);
}

void orr__http_carry(orr__http *http, const orr__http_carrier *carrier) { http->carrier = *carrier; }

int orr__http_start(orr__http *http, const orr__http_request *request, orr__http_done done, void *arg, uint64_t *ret_id,
                    orr_error *reterr) {
  return http->carrier.start(http->carrier.self, request, done, arg, ret_id, reterr);
}

void orr__http_abort(orr__http *http, uint64_t id) { http->carrier.abort(http->carrier.self, id); }
