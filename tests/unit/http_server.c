/* The test server of http_server.h. Everything it counts is under one mutex; a connection is one thread that
 * is joined when the server is freed. */
#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATHS_MAX = 64, REQUEST_MAX = 1 << 21 };

struct http_connection {
  struct http_connection *next;
  http_server *server;
  pthread_t thread;
  int fd;
  void *stream;
};

struct http_server {
  http_handler handler;
  struct http_stream stream;
  bool has_stream;
  int fd;
  int port;
  pthread_t thread;
  pthread_mutex_t mutex;
  bool is_stopping;
  struct http_connection *connections;
  int connection_count;
  struct {
    char path[256];
    int count;
  } paths[PATHS_MAX];
};

static void die(const char *what) {
  perror(what);
  exit(99);
}

static ssize_t read_some(struct http_connection *connection, void *bytes, size_t len) {
  http_server *server = connection->server;
  if (server->has_stream) return server->stream.read(connection->stream, bytes, len);
  return recv(connection->fd, bytes, len, 0);
}

void http_send(http_call *call, const void *bytes, size_t len) {
  struct http_connection *connection = call->connection;
  http_server *server = connection->server;
  const char *at = bytes;
  while (len > 0) {
    ssize_t n = server->has_stream ? server->stream.write(connection->stream, at, len)
                                   : send(connection->fd, at, len, MSG_NOSIGNAL);
    if (n <= 0) return;
    at += n;
    len -= (size_t)n;
  }
}

void http_sendf(http_call *call, const char *format, ...) {
  char text[4096];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  http_send(call, text, (size_t)len);
}

void http_answer(http_call *call, int status, const char *extra, const char *body) {
  http_sendf(call, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", status, extra, strlen(body));
  http_send(call, body, strlen(body));
}

void http_wait_closed(http_call *call) {
  char byte;
  while (read_some(call->connection, &byte, 1) > 0) continue;
}

static int count_path(http_server *server, const char *path, int delta) {
  int count = 0;
  pthread_mutex_lock(&server->mutex);
  for (int i = 0; i < PATHS_MAX; i++) {
    if (server->paths[i].path[0] == '\0' && delta > 0) snprintf(server->paths[i].path, 256, "%s", path);
    if (strcmp(server->paths[i].path, path) != 0) continue;
    count = server->paths[i].count += delta;
    break;
  }
  pthread_mutex_unlock(&server->mutex);
  return count;
}

/* Reads one request into data; false at the end of the connection. */
static bool read_request(struct http_connection *connection, char *data, http_call *call) {
  size_t len = 0, head_len = 0, want = 0;
  while (head_len == 0 || len < head_len + want) {
    ssize_t n = read_some(connection, data + len, REQUEST_MAX - len);
    if (n <= 0) return false;
    len += (size_t)n;
    data[len] = '\0';
    char *end = head_len == 0 ? strstr(data, "\r\n\r\n") : NULL;
    if (end == NULL) continue;
    head_len = (size_t)(end - data) + 4;
    end[2] = '\0';
    const char *length = strcasestr(data, "\r\ncontent-length:");
    if (length != NULL) want = strtoul(length + 17, NULL, 10);
    if (head_len + want > REQUEST_MAX) return false;
  }
  if (sscanf(data, "%15s %255s", call->method, call->path) != 2) return false;
  call->head = data;
  call->body = data + head_len;
  call->body_len = want;
  return true;
}

static void *connection_main(void *arg) {
  struct http_connection *connection = arg;
  http_server *server = connection->server;
  enum http_after after = HTTP_KEEP;
  char *data = malloc(REQUEST_MAX + 1);
  if (server->has_stream) connection->stream = server->stream.open(server->stream.arg, connection->fd);
  bool is_open = data != NULL && (!server->has_stream || connection->stream != NULL);
  for (int nth = 1; is_open && after == HTTP_KEEP; nth++) {
    http_call call = { .nth_on_connection = nth, .connection = connection };
    if (!read_request(connection, data, &call)) break;
    call.nth = count_path(server, call.path, 1);
    after = server->handler(&call);
  }
  if (after == HTTP_RESET) {
    struct linger now = { 1, 0 };
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  } else if (connection->stream != NULL) {
    server->stream.close(connection->stream);
  }
  free(data);
  pthread_mutex_lock(&server->mutex);
  close(connection->fd);
  connection->fd = -1;
  pthread_mutex_unlock(&server->mutex);
  return NULL;
}

static void *accept_main(void *arg) {
  http_server *server = arg;
  for (;;) {
    int fd = accept(server->fd, NULL, NULL);
    if (fd < 0) return NULL;
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) die("calloc");
    connection->server = server;
    connection->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* head and body are two sends */
    pthread_mutex_lock(&server->mutex);
    if (server->is_stopping) shutdown(fd, SHUT_RDWR);
    connection->next = server->connections;
    server->connections = connection;
    server->connection_count++;
    pthread_mutex_unlock(&server->mutex);
    if (pthread_create(&connection->thread, NULL, connection_main, connection) != 0) die("pthread_create");
  }
}

http_server *http_server_new(http_handler handler, const struct http_stream *stream) {
  http_server *server = calloc(1, sizeof *server);
  if (server == NULL) die("calloc");
  server->handler = handler;
  server->has_stream = stream != NULL;
  if (stream != NULL) server->stream = *stream;
  pthread_mutex_init(&server->mutex, NULL);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, len) < 0 || listen(server->fd, 64) < 0 ||
      getsockname(server->fd, (struct sockaddr *)&address, &len) < 0) {
    die("listen");
  }
  server->port = ntohs(address.sin_port);
  /* Our threads inherit the mask; the test's own keeps SIGPIPE deadly, so that the client's shows. */
  sigset_t pipes, old;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipes, &old);
  if (pthread_create(&server->thread, NULL, accept_main, server) != 0) die("pthread_create");
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return server;
}

void http_server_free(http_server *server) {
  if (server == NULL) return;
  pthread_mutex_lock(&server->mutex);
  server->is_stopping = true;
  for (struct http_connection *c = server->connections; c != NULL; c = c->next) {
    if (c->fd >= 0) shutdown(c->fd, SHUT_RDWR);
  }
  pthread_mutex_unlock(&server->mutex);
  shutdown(server->fd, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  close(server->fd);
  while (server->connections != NULL) {
    struct http_connection *connection = server->connections;
    server->connections = connection->next;
    pthread_join(connection->thread, NULL);
    free(connection);
  }
  pthread_mutex_destroy(&server->mutex);
  free(server);
}

int http_server_port(const http_server *server) {
  return server->port;
}

int http_server_count(http_server *server, const char *path) {
  return count_path(server, path, 0);
}

int http_server_connections(http_server *server) {
  pthread_mutex_lock(&server->mutex);
  int count = server->connection_count;
  pthread_mutex_unlock(&server->mutex);
  return count;
}
