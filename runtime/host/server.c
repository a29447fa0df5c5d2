/* Clients of the Unix socket; see server.h. A client lives until its connection ended, it was dropped, or it stopped
 * sending and has got every reply it waited for. */
#include "host/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "host/protocol.h"

enum { READ_SIZE = 64 * 1024, READS_PER_TURN = 4 };

typedef struct client {
  orr__peer peer; /* first: the dispatcher's pointer to it is a pointer to the client */
  int fd;
  orr__buf in, out;
  size_t searched; /* bytes of `in` that are known to hold no line end */
  size_t sent;     /* bytes of `out` that are gone already */
  bool has_ended;  /* it sends no more */
  bool is_dropped;
} client;

struct orr__server {
  orr__dispatcher *dispatcher;
  int listen_fd;
  client *clients[ORR_CLIENTS_MAX];
  size_t count;
};

static void flush(client *to) {
  while (!to->is_dropped && to->sent < to->out.len) {
    ssize_t n = send(to->fd, to->out.data + to->sent, to->out.len - to->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (n < 0) to->is_dropped = true;
    else to->sent += (size_t)n;
  }
  if (to->sent == to->out.len) {
    orr__buf_reset(&to->out);
    to->sent = 0;
  } else if (to->sent > READ_SIZE) {
    memmove(to->out.data, to->out.data + to->sent, to->out.len - to->sent);
    to->out.len -= to->sent;
    to->sent = 0;
  }
}

static void send_line(orr__peer *peer, const char *line) {
  client *to = (client *)peer;
  if (to->is_dropped) return;
  orr__buf_adds(&to->out, line);
  orr__buf_addc(&to->out, '\n');
  if (orr__buf_error(&to->out)) to->is_dropped = true; /* too slow a reader; its connection ends */
  else flush(to);
}

orr__server *orr__server_new(orr__dispatcher *dispatcher, int listen_fd) {
  orr__server *server = calloc(1, sizeof *server);
  if (!server) {
    close(listen_fd);
    return NULL;
  }
  server->dispatcher = dispatcher;
  server->listen_fd = listen_fd;
  return server;
}

static void free_client(orr__server *server, client *gone) {
  orr__dispatcher_forget(server->dispatcher, &gone->peer);
  close(gone->fd);
  orr__buf_clear(&gone->in);
  orr__buf_clear(&gone->out);
  free(gone);
}

void orr__server_free(orr__server *server) {
  if (!server) return;
  for (size_t i = 0; i < server->count; i++) {
    flush(server->clients[i]);
    free_client(server, server->clients[i]);
  }
  close(server->listen_fd);
  free(server);
}

size_t orr__server_fds(orr__server *server, struct pollfd *fds) {
  short accepting = server->count < ORR_CLIENTS_MAX ? POLLIN : 0;
  fds[0] = (struct pollfd){server->listen_fd, accepting, 0};
  for (size_t i = 0; i < server->count; i++) {
    const client *of = server->clients[i];
    bool is_reading = !of->has_ended && of->peer.open < ORR_PEER_REQUESTS_MAX;
    short events = (short)((is_reading ? POLLIN : 0) | (of->out.len > of->sent ? POLLOUT : 0));
    fds[i + 1] = (struct pollfd){of->fd, events, 0};
  }
  return server->count + 1;
}

static void accept_clients(orr__server *server) {
  while (server->count < ORR_CLIENTS_MAX) {
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) return; /* nobody more; or no descriptors left: then they wait */
    client *made = calloc(1, sizeof *made);
    if (!made) {
      close(fd);
      return;
    }
    made->fd = fd;
    made->peer.send = send_line;
    orr__buf_init(&made->in, ORR_LINE_MAX + READ_SIZE);
    orr__buf_init(&made->out, ORR_CLIENT_OUT_MAX);
    server->clients[server->count++] = made;
  }
}

/* Hands every whole line of `in` to the dispatcher and keeps the rest. */
static void take_lines(orr__server *server, client *from) {
  size_t start = 0;
  while (!from->is_dropped) {
    size_t begin = start > from->searched ? start : from->searched;
    if (begin >= from->in.len) break;
    const char *end = memchr(from->in.data + begin, '\n', from->in.len - begin);
    if (!end) break;
    size_t stop = (size_t)(end - from->in.data);
    if (stop > start) orr__dispatch(server->dispatcher, &from->peer, from->in.data + start, stop - start);
    start = from->searched = stop + 1;
  }
  if (start > 0) {
    memmove(from->in.data, from->in.data + start, from->in.len - start);
    from->in.len -= start;
  }
  from->searched = from->in.len;
  if (from->in.len > ORR_LINE_MAX) from->is_dropped = true;
}

static void read_client(orr__server *server, client *from) {
  char bytes[READ_SIZE];
  for (int i = 0; i < READS_PER_TURN && !from->is_dropped && !from->has_ended; i++) {
    ssize_t n = recv(from->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) from->is_dropped = true;
    if (n == 0) from->has_ended = true;
    if (n <= 0) return;
    orr__buf_add(&from->in, bytes, (size_t)n);
    if (orr__buf_error(&from->in)) from->is_dropped = true;
    else take_lines(server, from);
    if ((size_t)n < sizeof bytes) return;
  }
}

static bool is_over(const client *of) {
  return of->is_dropped || (of->has_ended && of->peer.open == 0 && of->out.len == of->sent);
}

void orr__server_turn(orr__server *server, const struct pollfd *fds, size_t count) {
  for (size_t i = 1; i < count; i++) {
    client *of = server->clients[i - 1];
    if (fds[i].revents & POLLOUT) flush(of);
    if (fds[i].revents & POLLIN) read_client(server, of);
    /* POLLHUP: both directions are closed, nobody reads any more. */
    if (fds[i].revents & (POLLERR | POLLNVAL) || (fds[i].revents & POLLHUP && !(fds[i].revents & POLLIN))) of->is_dropped = true;
  }
  if (fds[0].revents & POLLIN) accept_clients(server);
}

void orr__server_reap(orr__server *server) {
  size_t kept = 0;
  for (size_t i = 0; i < server->count; i++) {
    client *of = server->clients[i];
    if (is_over(of)) free_client(server, of);
    else server->clients[kept++] = of;
  }
  server->count = kept;
}

int orr__server_is_sending(const orr__server *server) {
  for (size_t i = 0; i < server->count; i++) {
    if (!server->clients[i]->is_dropped && server->clients[i]->out.len > server->clients[i]->sent) return 1;
  }
  return 0;
}
