/* See talk.h. One JSON object a line; what is no reply is passed over. */
#include "talk.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 32 << 20, CALL_MS = 20000 };

void talk_init(talk *t) {
  *t = (talk){ .fd = -1 };
  orr__buf_init(&t->in, LINE_MAX_BYTES);
}

static void hang_up(talk *t) {
  if (t->fd >= 0) close(t->fd);
  t->fd = -1;
}

void talk_close(talk *t) {
  hang_up(t);
  orr__buf_clear(&t->in);
}

bool talk_connect(talk *t, const char *path) {
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || strlen(path) >= sizeof address.sun_path) return false;
  strcpy(address.sun_path, path);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    close(fd);
    return false;
  }
  hang_up(t);
  orr__buf_reset(&t->in);
  t->fd = fd;
  return true;
}

uint64_t talk_ask(talk *t, const char *request, const char *args) {
  char line[2048];
  int len = snprintf(line, sizeof line, "{\"id\":%llu,\"request\":\"%s\",\"args\":%s}\n", (unsigned long long)++t->last_id, request, args);
  if (t->fd < 0 || send(t->fd, line, (size_t)len, MSG_NOSIGNAL) != len) return 0;
  return t->last_id;
}

/* What has arrived, also from one that is dead by now: its last words count. */
static void read_all(talk *t) {
  static char bytes[1 << 16];
  while (t->fd >= 0) {
    ssize_t n = recv(t->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) orr__buf_add(&t->in, bytes, (size_t)n);
    else if (n == 0) hang_up(t);
    else break;
  }
}

orr__json *talk_next(talk *t) {
  read_all(t);
  for (char *end; t->in.len && (end = memchr(t->in.data, '\n', t->in.len));) {
    size_t len = (size_t)(end - t->in.data);
    orr__json *message = orr__json_parse(t->in.data, len, NULL);
    t->in.len -= len + 1;
    memmove(t->in.data, end + 1, t->in.len);
    const char *type = message ? orr__json_str(message, "type") : NULL;
    if (type && strcmp(type, "reply") == 0) return message;
    orr__json_free(message);
  }
  return NULL;
}

const orr__json *talk_call(talk *t, const char *request, const char *args, orr__json **ret_reply) {
  uint64_t id = talk_ask(t, request, args);
  *ret_reply = NULL;
  for (int waited = 0; id && waited < CALL_MS; waited++) {
    orr__json *reply = talk_next(t);
    if (reply && orr__json_int(reply, "id", 0) == (int64_t)id) {
      *ret_reply = reply;
      const orr__json *data = orr__json_get(reply, "data");
      if (!data) printf("# %s: %s\n", request, orr__json_str(orr__json_get(reply, "error"), "message"));
      return data;
    }
    orr__json_free(reply);
    if (!reply && t->fd < 0) break;
    struct pollfd polled = { .fd = t->fd, .events = POLLIN };
    if (!reply) poll(&polled, 1, 1);
  }
  printf("# %s: no reply\n", request);
  return NULL;
}
