/* Listening at and connecting to DIR/socket; see socket.h. Knows nothing of what is said over it. */
#include "host/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "socket"

enum { BACKLOG = 64 };

/* Opens dir and a socket; address is a name of DIR/socket that stays short. Both descriptors are the caller's. */
static int open_both(const char *dir, struct sockaddr_un *address, int *ret_dir, int *ret_fd, orr_error *reterr) {
  int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return orr__error_errno(reterr, errno == ENOENT ? ORR_E_NOT_FOUND : ORR_E_IO, errno, "%s", dir);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    int errnum = errno;
    close(at);
    return orr__error_errno(reterr, ORR_E_IO, errnum, "a socket in %s", dir);
  }
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  size_t room = sizeof address->sun_path;
  if ((size_t)snprintf(address->sun_path, room, "%s/" SOCKET_NAME, dir) >= room)
    snprintf(address->sun_path, room, "/proc/self/fd/%d/" SOCKET_NAME, at);
  *ret_dir = at;
  *ret_fd = fd;
  return 0;
}

int orr__socket_listen(const char *dir, int *ret_fd, orr_error *reterr) {
  struct sockaddr_un address;
  int at = -1, fd = -1;
  int rc = open_both(dir, &address, &at, &fd, reterr);
  if (rc != 0) return rc;
  unlinkat(at, SOCKET_NAME, 0);
  /* The mode of the socket's own inode is what bind gives the file: it is never there with another one. */
  if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      fchmodat(at, SOCKET_NAME, 0600, 0) != 0 || listen(fd, BACKLOG) != 0) {
    rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s/" SOCKET_NAME, dir);
    close(fd);
  } else {
    *ret_fd = fd;
  }
  close(at);
  return rc;
}

int orr__socket_connect(const char *dir, int *ret_fd, orr_error *reterr) {
  struct sockaddr_un address;
  int at = -1, fd = -1;
  int rc = open_both(dir, &address, &at, &fd, reterr);
  if (rc != 0) return rc;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s/" SOCKET_NAME, dir);
    close(fd);
  } else {
    *ret_fd = fd;
  }
  close(at);
  return rc;
}

void orr__socket_remove(const char *dir) {
  int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return;
  unlinkat(at, SOCKET_NAME, 0);
  close(at);
}
