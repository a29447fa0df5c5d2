/* A shard: one libcurl multi handle with its sockets and its timer on the loop. libcurl's cost per event
 * grows with the transfers of a multi handle, so there are several, and a host always meets the same one,
 * which has its connections.
 *
 * Deliberately ignorant of requests; a finished transfer goes to orr__exchange_landed.
 *
 * Invariants: libcurl asks for a socket's watch to go before it closes the socket; messages are read after
 * libcurl has returned, so that completions may start, abort and remove transfers. The libuv handles
 * outlive the shard by the turn that closing takes. */
#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "port/http_private.h"

struct orr__shard {
  orr__http *http;
  CURLM *multi;
  uv_timer_t *timer;
  size_t socket_count;
};

struct socket_watch {
  uv_poll_t poll; /* first: a handle is its watch */
  orr__shard *shard;
  curl_socket_t fd;
  int events;
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

static struct socket_watch *watch_new(orr__shard *shard, curl_socket_t fd) {
  struct socket_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  if (uv_poll_init(orr__loop_uv(shard->http->loop), &watch->poll, fd) < 0) {
    free(watch);
    return NULL;
  }
  watch->shard = shard;
  watch->fd = fd;
  shard->socket_count++;
  return watch;
}

/* libcurl tells which events of a socket it waits for. An error would make it give up the whole multi
 * handle for ever; without a watch only this transfer suffers, and its timeout ends it. */
static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  (void)easy;
  orr__shard *shard = arg;
  struct socket_watch *watch = socket_arg;
  if (what == CURL_POLL_REMOVE) {
    if (watch == NULL) return 0;
    curl_multi_assign(shard->multi, fd, NULL);
    shard->socket_count--;
    uv_close((uv_handle_t *)&watch->poll, free_handle);
    return 0;
  }
  if (watch == NULL) {
    watch = watch_new(shard, fd);
    if (watch == NULL) return 0;
    curl_multi_assign(shard->multi, fd, watch);
  }
  watch->events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  uv_poll_start(&watch->poll, watch->events, socket_called);
  return 0;
}

static void timer_called(uv_timer_t *timer);

static void timer_set(orr__shard *shard, long timeout_ms) {
  if (timeout_ms < 0) {
    uv_timer_stop(shard->timer);
    return;
  }
  uv_update_time(orr__loop_uv(shard->http->loop));
  uv_timer_start(shard->timer, timer_called, (uint64_t)timeout_ms, 0);
}

static void timer_called(uv_timer_t *timer) {
  orr__shard *shard = timer->data;
  orr__loop_note(shard->http->loop);
  int running;
  curl_multi_socket_action(shard->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  /* libuv's milliseconds may end a little before libcurl's, and then libcurl, which sees nothing due and
   * nothing changed, does not ask for the timer again. */
  long timeout_ms = -1;
  if (curl_multi_timeout(shard->multi, &timeout_ms) == CURLM_OK) timer_set(shard, timeout_ms);
  collect(shard);
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
  *shard = (orr__shard){ .http = http, .multi = multi, .timer = timer };
  /* Counts connections in use, too: with fewer none would survive its transfer under load. */
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)(http->max_in_flight / ORR_HTTP_SHARDS + 32));
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
  assert(shard->socket_count == 0);
  uv_close((uv_handle_t *)shard->timer, free_handle);
  free(shard);
}

int orr__shard_add(orr__shard *shard, CURL *easy) {
  return curl_multi_add_handle(shard->multi, easy) == CURLM_OK ? 0 : ORR_E_NOMEM;
}

void orr__shard_remove(orr__shard *shard, CURL *easy) {
  curl_multi_remove_handle(shard->multi, easy);
}
