/* An epoll server for the polls. It reads requests without bodies, answers each after the same delay, so that a queue in the order of
 * arrival serves as its timer, and ends with the process that started it. Knows nothing of what it is asked for. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define CONNECTIONS_MAX 65536
#define HEAD_MAX 4096

const char bench_body[] =
    "{\"id\":\"0d5f6f4e-6c1c-4b7e-9d5e-0b7c6c0f6f11\",\"name\":\"nightly of db-17\",\"state\":\"running\",\"percent\":42.5,\"bytes\":73014444032,"
    "\"startTime\":\"2026-11-23T02:00:00.000Z\",\"policy\":{\"id\":\"gold\",\"retentionDays\":30,\"immutable\":true,\"tags\":[\"prod\",\"db\",\"tier1\"]},"
    "\"source\":{\"type\":\"VirtualMachine\",\"name\":\"db-17.example.com\",\"datacenter\":\"fra-2\",\"cluster\":\"c-04\",\"disks\":["
    "{\"key\":2000,\"label\":\"Hard disk 1\",\"bytes\":107374182400,\"changed\":4294967296},"
    "{\"key\":2001,\"label\":\"Hard disk 2\",\"bytes\":536870912000,\"changed\":21474836480}]},"
    "\"target\":{\"repository\":\"repo-main\",\"path\":\"/backups/2026/11/23/db-17\",\"encrypted\":true,\"compression\":\"zstd\"},"
    "\"phases\":[{\"name\":\"snapshot\",\"state\":\"done\",\"seconds\":4.2},{\"name\":\"transfer\",\"state\":\"running\",\"seconds\":311.7},"
    "{\"name\":\"verify\",\"state\":\"waiting\",\"seconds\":0}],\"warnings\":[],\"links\":{\"self\":\"/jobs/0d5f6f4e\",\"log\":\"/jobs/0d5f6f4e/log\"}}";

typedef struct connection {
  char head[HEAD_MAX];
  size_t len;
  unsigned generation;   /* of the descriptor's use */
  bool is_open;
} connection;

typedef struct due {
  double at;
  int fd;
  unsigned generation;
} due;

typedef struct serving {
  int listener, epoll;
  double delay_s;
  connection *connections[CONNECTIONS_MAX];
  due *queue;
  size_t first, last;    /* of the queue, which is a ring */
  char answer[4096];
  size_t answer_len;
} serving;

#define QUEUE (CONNECTIONS_MAX * 2)

static void drop(serving *s, int fd) {
  s->connections[fd]->is_open = false;
  s->connections[fd]->generation++;
  close(fd);
}

static void answer(serving *s, int fd) {
  if (send(fd, s->answer, s->answer_len, MSG_NOSIGNAL) != (ssize_t)s->answer_len) drop(s, fd);
}

static void asked(serving *s, int fd) {
  if (s->delay_s <= 0) {
    answer(s, fd);
    return;
  }
  s->queue[s->last++ % QUEUE] = (due){ bench_now() + s->delay_s, fd, s->connections[fd]->generation };
}

static void read_from(serving *s, int fd) {
  connection *c = s->connections[fd];
  ssize_t got = recv(fd, c->head + c->len, sizeof c->head - 1 - c->len, 0);
  if (got <= 0) {
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) drop(s, fd);
    return;
  }
  c->len += (size_t)got;
  c->head[c->len] = '\0';
  char *end = strstr(c->head, "\r\n\r\n");
  if (!end) {
    if (c->len >= sizeof c->head - 1) drop(s, fd);
    return;
  }
  c->len = 0;
  asked(s, fd);
}

static void accept_all(serving *s) {
  for (int fd; (fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    if (fd >= CONNECTIONS_MAX) {
      close(fd);
      continue;
    }
    if (!s->connections[fd]) s->connections[fd] = calloc(1, sizeof **s->connections);
    s->connections[fd]->is_open = true;
    s->connections[fd]->len = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

static void answer_due(serving *s) {
  double now = bench_now();
  for (; s->first != s->last && s->queue[s->first % QUEUE].at <= now; s->first++) {
    due *d = &s->queue[s->first % QUEUE];
    connection *c = s->connections[d->fd];
    if (c->is_open && c->generation == d->generation) answer(s, d->fd);
  }
}

_Noreturn static void serve(serving *s) {
  struct epoll_event events[512];
  for (;;) {
    int wait_ms = -1;
    if (s->first != s->last) {
      double left = s->queue[s->first % QUEUE].at - bench_now();
      wait_ms = left > 0 ? (int)(left * 1000) + 1 : 0;
    }
    int count = epoll_wait(s->epoll, events, 512, wait_ms);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == s->listener) accept_all(s);
      else read_from(s, events[i].data.fd);
    }
    answer_due(s);
  }
}

static int listen_somewhere(int *ret_port) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 4096) || getsockname(fd, (struct sockaddr *)&address, &len))
    bench_die("no socket to listen on: %s", strerror(errno));
  *ret_port = ntohs(address.sin_port);
  return fd;
}

bench_server bench_server_start(int delay_ms) {
  bench_server result = { 0, 0 };
  int listener = listen_somewhere(&result.port);
  pid_t parent = getpid();
  fflush(NULL);
  result.pid = fork();
  if (result.pid < 0) bench_die("fork: %s", strerror(errno));
  if (result.pid > 0) {
    close(listener);
    return result;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  serving *s = calloc(1, sizeof *s);
  s->queue = calloc(QUEUE, sizeof *s->queue);
  s->listener = listener;
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  s->delay_s = delay_ms / 1000.0;
  s->answer_len = (size_t)snprintf(s->answer, sizeof s->answer,
                                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: bench\r\nContent-Length: %zu\r\n\r\n%s",
                                   strlen(bench_body), bench_body);
  struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
  epoll_ctl(s->epoll, EPOLL_CTL_ADD, listener, &event);
  serve(s);
}

void bench_server_stop(bench_server server) {
  kill(server.pid, SIGKILL);
  waitpid(server.pid, NULL, 0);
}
