/* A small HTTP/1.1 server on loopback for tests: one thread accepts, one thread per connection. What is
 * answered is the test's, through a function called on the connection's thread. libc only; TLS comes in
 * through the stream functions. */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct http_server http_server;
typedef struct http_call http_call;

/* How bytes are read and written; open returns NULL if the client was not let in. */
struct http_stream {
  void *(*open)(void *arg, int fd);
  ssize_t (*read)(void *stream, void *bytes, size_t len);
  ssize_t (*write)(void *stream, const void *bytes, size_t len);
  void (*close)(void *stream);
  void *arg;
};

enum http_after { HTTP_KEEP, HTTP_CLOSE, HTTP_RESET };

struct http_call {
  char method[16];
  char path[256];
  const char *head;    /* the request line and the headers as they came */
  const char *body;
  size_t body_len;
  int nth;             /* how often this path was asked for, 1 the first time */
  int nth_on_connection;
  struct http_connection *connection;
};

typedef enum http_after (*http_handler)(http_call *call);

/* stream NULL: plain TCP. Exits the test program when it cannot listen. */
http_server *http_server_new(http_handler handler, const struct http_stream *stream);
void http_server_free(http_server *server);
int http_server_port(const http_server *server);
int http_server_count(http_server *server, const char *path);
int http_server_connections(http_server *server);

/* For handlers. */
void http_send(http_call *call, const void *bytes, size_t len);
void http_sendf(http_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A whole answer; extra is more header lines, each with its CRLF. */
void http_answer(http_call *call, int status, const char *extra, const char *body);
/* Waits until the client has closed the connection or the server is freed. */
void http_wait_closed(http_call *call);

#endif
