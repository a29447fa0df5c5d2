/* Bare libcurl at its best: reused easy handles over 64 multi handles, the epoll interest left in place between transfers, each
 * multi's deadline in a variable instead of a timer of the kernel's. */
#include "bare_http.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"
#include "server.h"

#define LANES 64
#define FILES_MAX 65536

typedef struct lane {
  struct bare_http *http;
  CURLM *multi;
  double deadline;       /* INFINITY: none */
} lane;

typedef struct transfer {
  struct bare_http *http;
  lane *lane;
  CURL *easy;
  char body[4096];
  size_t len;
} transfer;

struct bare_http {
  int epoll;
  lane lanes[LANES];
  lane *owner[FILES_MAX]; /* of a descriptor */
  unsigned char events[FILES_MAX];
  transfer *transfers;
  size_t in_flight, done, odd;
  bool is_stopping;
  char url[64];
};

static size_t take(char *bytes, size_t size, size_t count, void *arg) {
  transfer *t = arg;
  size_t len = size * count;
  if (len > sizeof t->body - t->len) return 0;
  memcpy(t->body + t->len, bytes, len);
  t->len += len;
  return len;
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
  lane *l = arg;
  struct bare_http *h = l->http;
  (void)easy, (void)socket_arg;
  if (what == CURL_POLL_REMOVE) return 0; /* it stays: the next transfer on this connection finds it there */
  unsigned char events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  struct epoll_event event = { .events = events, .data.fd = fd };
  if (h->owner[fd] && h->events[fd] == events) return 0;
  epoll_ctl(h->epoll, h->owner[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  h->owner[fd] = l;
  h->events[fd] = events;
  return 0;
}

static int socket_closed(void *arg, curl_socket_t fd) {
  struct bare_http *h = arg;
  h->owner[fd] = NULL;
  return close(fd);
}

static int timer_wanted(CURLM *multi, long timeout_ms, void *arg) {
  (void)multi;
  ((lane *)arg)->deadline = timeout_ms < 0 ? INFINITY : bench_now() + (double)timeout_ms / 1000;
  return 0;
}

static void start(transfer *t) {
  t->len = 0;
  if (curl_multi_add_handle(t->lane->multi, t->easy) != CURLM_OK) bench_die("libcurl takes no request");
}

static void collect(struct bare_http *h, lane *l) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(l->multi, &left)) != NULL;) {
    transfer *t;
    CURLcode result = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
    curl_multi_remove_handle(l->multi, t->easy);
    h->done++;
    if (result != CURLE_OK || t->len != strlen(bench_body)) h->odd++;
    if (!h->is_stopping) start(t);
  }
}

static void turn(struct bare_http *h) {
  struct epoll_event events[512];
  double now = bench_now(), next = INFINITY;
  int running;
  for (int i = 0; i < LANES; i++) {
    lane *l = &h->lanes[i];
    if (l->deadline <= now) {
      l->deadline = INFINITY;
      curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
      collect(h, l);
    }
    if (l->deadline < next) next = l->deadline;
  }
  int wait_ms = isinf(next) ? 1000 : next > now ? (int)((next - now) * 1000) + 1 : 0;
  int count = epoll_wait(h->epoll, events, 512, wait_ms);
  for (int i = 0; i < count; i++) {
    lane *l = h->owner[events[i].data.fd];
    if (!l) continue;
    int flags = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(l->multi, events[i].data.fd, flags, &running);
    collect(h, l);
  }
}

bare_http *bare_http_new(int port, size_t in_flight) {
  struct bare_http *h = calloc(1, sizeof *h);
  h->epoll = epoll_create1(EPOLL_CLOEXEC);
  h->in_flight = in_flight;
  h->transfers = calloc(in_flight, sizeof *h->transfers);
  snprintf(h->url, sizeof h->url, "http://127.0.0.1:%d/jobs/1", port);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  for (int i = 0; i < LANES; i++) {
    lane *l = &h->lanes[i];
    *l = (lane){ h, curl_multi_init(), INFINITY };
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
    curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)(in_flight / LANES + 32));
  }
  for (size_t i = 0; i < in_flight; i++) {
    transfer *t = &h->transfers[i];
    t->http = h;
    t->lane = &h->lanes[i % LANES];
    t->easy = curl_easy_init();
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_URL, h->url);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, socket_closed);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, h);
    start(t);
  }
  return h;
}

double bare_http_run(bare_http *h, size_t count, size_t *ret_odd) {
  size_t begin = h->done;
  double cpu = bench_cpu();
  while (h->done < begin + count) turn(h);
  *ret_odd = h->odd;
  return (bench_cpu() - cpu) / (double)(h->done - begin);
}

void bare_http_free(bare_http *h) {
  h->is_stopping = true;
  for (size_t i = 0; i < h->in_flight; i++) {
    curl_multi_remove_handle(h->transfers[i].lane->multi, h->transfers[i].easy);
    curl_easy_cleanup(h->transfers[i].easy);
  }
  for (int i = 0; i < LANES; i++) curl_multi_cleanup(h->lanes[i].multi);
  close(h->epoll);
  free(h->transfers);
  free(h);
}
