/* A shard: one libcurl multi handle with its sockets and its timer on the loop. libcurl's cost per event
 * grows with the transfers of a multi handle, so there are many, filled one after the other (http.c).
 *
 * A connection's socket is watched from the first transfer on until it is closed, also while no transfer uses it: between two
 * polls the kernel's set is not touched. Its timer is set only if libcurl wants to be called earlier than it runs already.
 *
 * Deliberately ignorant of requests; a finished transfer goes to orr__exchange_landed.
 *
 * Invariants: a connection's socket is closed by socket_closed, after its watch; any other that libcurl watches (its resolver's) loses
 * its watch when libcurl says so, before it closes it. Messages are read after libcurl has returned, so that completions may start,
 * abort and remove transfers. The libuv handles outlive the shard by the turn that closing takes. */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "port/http_private.h"

struct orr__shard {
  orr__http *http;
  CURLM *multi;
  uv_timer_t *timer;
  int64_t timer_ms;          /* when it fires; INT64_MAX: it is not running */
  int64_t due_ms;            /* when libcurl wants to be called; INT64_MAX: not at all */
  orr__map watches;          /* by descriptor */
  bool is_in_timer;          /* timer_called is on the stack */
};

struct socket_watch {
  uv_poll_t poll;            /* first: a handle is its watch */
  orr__shard *shard;
  curl_socket_t fd;
  int events;                /* 0: it is stopped */
  bool is_connection;        /* stays between transfers */
  bool is_wanted;            /* a transfer waits for it */
};

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static void collect(orr__shard *shard) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(shard->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    char *private = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    orr__exchange_landed((orr__exchange *)private, result);
  }
}

static void socket_called(uv_poll_t *poll, int status, int events) {
  struct socket_watch *watch = (struct socket_watch *)poll;
  orr__shard *shard = watch->shard;
  int flags = 0;
  if (!watch->is_wanted) {
    /* The other side has closed an idle connection; libcurl finds out when it next looks at it. */
    uv_poll_stop(poll);
    watch->events = 0;
    return;
  }
  if (status < 0) {
    /* libuv stopped the handle, of which libcurl knows nothing. */
    uv_poll_start(poll, watch->events, socket_called);
    flags = CURL_CSELECT_ERR;
  }
  if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
  if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
  orr__loop_note(shard->http->loop);
  int running;
  curl_multi_socket_action(shard->multi, watch->fd, flags, &running);
  collect(shard);
}

static struct socket_watch *watch_new(orr__shard *shard, curl_socket_t fd, bool is_connection) {
  struct socket_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL || orr__map_put(&shard->watches, (uint64_t)fd, watch) < 0) {
    free(watch);
    return NULL;
  }
  if (uv_poll_init(orr__loop_uv(shard->http->loop), &watch->poll, fd) < 0) {
    orr__map_remove(&shard->watches, (uint64_t)fd);
    free(watch);
    return NULL;
  }
  watch->shard = shard;
  watch->fd = fd;
  watch->is_connection = is_connection;
  return watch;
}

static void watch_drop(struct socket_watch *watch) {
  if (watch == NULL) return;
  orr__map_remove(&watch->shard->watches, (uint64_t)watch->fd);
  uv_close((uv_handle_t *)&watch->poll, free_handle);
}

/* libcurl tells which events of a socket it waits for. An error would make it give up the whole multi
 * handle for ever; without a watch only this transfer suffers, and its timeout ends it. */
static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  (void)easy, (void)socket_arg;
  orr__shard *shard = arg;
  struct socket_watch *watch = orr__map_get(&shard->watches, (uint64_t)fd);
  if (what == CURL_POLL_REMOVE) {
    if (watch != NULL && watch->is_connection) watch->is_wanted = false;
    else watch_drop(watch);
    return 0;
  }
  if (watch == NULL) watch = watch_new(shard, fd, false);
  if (watch == NULL) return 0;
  int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  watch->is_wanted = true;
  if (watch->events == events) return 0;
  watch->events = events;
  uv_poll_start(&watch->poll, events, socket_called);
  return 0;
}

/* A connection has its socket. */
static int socket_made(void *arg, curl_socket_t fd, curlsocktype purpose) {
  if (purpose == CURLSOCKTYPE_IPCXN) watch_new(arg, fd, true);
  return CURL_SOCKOPT_OK;
}

static int socket_closed(void *arg, curl_socket_t fd) {
  orr__shard *shard = arg;
  watch_drop(orr__map_get(&shard->watches, (uint64_t)fd));
  return close(fd);
}

static void timer_called(uv_timer_t *timer);

static int64_t real_ms(void) {
  return (int64_t)(uv_hrtime() / 1000000);
}

/* libuv runs timers until none is due by its clock. libcurl asks for 0 ms again and again where an answer comes faster than it is read:
 * inside a timer that clock stands still and the next one is a millisecond away, or nothing else would ever have its turn. */
static void timer_set(orr__shard *shard, long timeout_ms) {
  int64_t now_ms = real_ms();
  if (shard->is_in_timer && timeout_ms == 0) timeout_ms = 1;
  shard->due_ms = timeout_ms < 0 ? INT64_MAX : now_ms + timeout_ms;
  if (shard->due_ms >= shard->timer_ms) return;
  shard->timer_ms = shard->due_ms;
  if (!shard->is_in_timer) uv_update_time(orr__loop_uv(shard->http->loop));
  uv_timer_start(shard->timer, timer_called, (uint64_t)(shard->due_ms - now_ms), 0);
}

static void act_on_timeout(orr__shard *shard) {
  int64_t left_ms = shard->due_ms == INT64_MAX ? -1 : shard->due_ms - real_ms();
  shard->timer_ms = INT64_MAX;
  if (left_ms < 0 && shard->due_ms == INT64_MAX) return;
  if (left_ms > 1) { /* it was put off meanwhile */
    timer_set(shard, (long)left_ms);
    return;
  }
  orr__loop_note(shard->http->loop);
  int running;
  curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  /* libuv's milliseconds may end a little before libcurl's, and then libcurl, which sees nothing due and
   * nothing changed, does not ask for the timer again. */
  long timeout_ms = -1;
  if (curl_multi_timeout(shard->multi, &timeout_ms) == CURLM_OK) timer_set(shard, timeout_ms);
  collect(shard);
}

static void timer_called(uv_timer_t *timer) {
  orr__shard *shard = timer->data;
  shard->is_in_timer = true;
  act_on_timeout(shard);
  shard->is_in_timer = false;
}

static int timer_wanted(CURLM *multi, long timeout_ms, void *arg) {
  (void)multi;
  timer_set(arg, timeout_ms);
  return 0;
}

int orr__shard_new(orr__http *http, orr__shard **ret_shard) {
  orr__shard *shard = calloc(1, sizeof *shard);
  uv_timer_t *timer = malloc(sizeof *timer);
  CURLM *multi = curl_multi_init();
  if (shard == NULL || timer == NULL || multi == NULL) {
    free(shard);
    free(timer);
    curl_multi_cleanup(multi);
    return ORR_E_NOMEM;
  }
  uv_timer_init(orr__loop_uv(http->loop), timer);
  timer->data = shard;
  *shard = (orr__shard){ .http = http, .multi = multi, .timer = timer, .timer_ms = INT64_MAX, .due_ms = INT64_MAX };
  orr__map_init(&shard->watches);
  /* Counts connections in use, too: with fewer none would survive its transfer under load. */
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)(http->max_in_flight / ORR_HTTP_SHARDS + ORR_HTTP_SHARD_FILL * 2));
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, shard);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, shard);
  *ret_shard = shard;
  return 0;
}

void orr__shard_free(orr__shard *shard) {
  if (shard == NULL) return;
  curl_multi_cleanup(shard->multi);
  assert(shard->watches.len == 0);
  orr__map_clear(&shard->watches);
  uv_close((uv_handle_t *)shard->timer, free_handle);
  free(shard);
}

CURLcode orr__shard_prepare(orr__shard *shard, CURL *easy) {
  CURLcode result = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, socket_made);
  if (result == CURLE_OK) result = curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, shard);
  if (result == CURLE_OK) result = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_closed);
  if (result == CURLE_OK) result = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, shard);
  return result;
}

int orr__shard_add(orr__shard *shard, CURL *easy) {
  return curl_multi_add_handle(shard->multi, easy) == CURLM_OK ? 0 : ORR_E_NOMEM;
}

void orr__shard_remove(orr__shard *shard, CURL *easy) {
  curl_multi_remove_handle(shard->multi, easy);
}
