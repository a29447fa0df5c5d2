/* Datagrams to the service manager; see notify.h. Every datagram names the socket anew, since a manager that was started again has
 * another one of the same name. */
#include "host/notify.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

enum { TRY_MS = 100, MESSAGE_MAX = 1024 };

struct orr__notify {
  int fd; /* -1: nobody listens */
  struct sockaddr_un address;
  socklen_t address_len;
  int64_t watchdog_ms;
};

static int64_t read_watchdog(void) {
  const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
  if (!usec || (pid && strtoll(pid, NULL, 10) != (long long)getpid())) return 0;
  char *end;
  errno = 0;
  long long value = strtoll(usec, &end, 10);
  return errno || *end || value <= 0 ? 0 : value / 2000 > 0 ? value / 2000 : 1;
}

static int set_address(orr__notify *notify, const char *path, orr_error *reterr) {
  size_t len = strlen(path);
  bool is_abstract = path[0] == '@';
  if ((path[0] != '/' && !is_abstract) || len < 2)
    return orr__error_set(reterr, ORR_E_INVALID, "NOTIFY_SOCKET=%s is neither a path nor @NAME: the service manager hears nothing", path);
  if (len >= sizeof notify->address.sun_path)
    return orr__error_set(reterr, ORR_E_INVALID, "NOTIFY_SOCKET=%s is too long for a socket: the service manager hears nothing", path);
  notify->address.sun_family = AF_UNIX;
  memcpy(notify->address.sun_path, path, len + 1);
  if (is_abstract) notify->address.sun_path[0] = '\0';
  /* The name of an abstract socket is all the bytes given, so it must end where it ends. */
  notify->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !is_abstract);
  return 0;
}

static ssize_t send_bytes(const orr__notify *notify, const char *text, size_t len) {
  return sendto(notify->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&notify->address, notify->address_len);
}

int orr__notify_open(orr__notify **ret_notify, orr_error *reterr) {
  orr__notify *notify = calloc(1, sizeof *notify);
  if (!notify) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  const char *path = getenv("NOTIFY_SOCKET");
  int rc = 0;
  notify->fd = -1;
  *ret_notify = notify;
  if (path && *path) {
    rc = set_address(notify, path, reterr);
    if (rc == 0 && (notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
      rc = orr__error_errno(reterr, ORR_E_IO, errno, "NOTIFY_SOCKET=%s", path);
    /* A first word that changes nothing tells whether somebody is there. */
    if (rc == 0 && send_bytes(notify, "STATUS=opening", 14) < 0 && errno != EAGAIN) {
      rc = orr__error_errno(reterr, ORR_E_IO, errno, "NOTIFY_SOCKET=%s: the service manager hears nothing", path);
      close(notify->fd);
      notify->fd = -1;
    }
    if (rc == 0) notify->watchdog_ms = read_watchdog();
  }
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
  return rc;
}

void orr__notify_free(orr__notify *notify) {
  if (notify && notify->fd >= 0) close(notify->fd);
  free(notify);
}

bool orr__notify_is_heard(const orr__notify *notify) { return notify->fd >= 0; }

int64_t orr__notify_watchdog_ms(const orr__notify *notify) { return notify->watchdog_ms; }

void orr__notify_send(orr__notify *notify, const char *format, ...) {
  if (notify->fd < 0) return;
  char text[MESSAGE_MAX];
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (len < 0) return;
  if ((size_t)len >= sizeof text) len = sizeof text - 1;
  if (send_bytes(notify, text, (size_t)len) >= 0 || errno != EAGAIN) return;
  struct pollfd room = {notify->fd, POLLOUT, 0};
  if (poll(&room, 1, TRY_MS) > 0) send_bytes(notify, text, (size_t)len);
}
