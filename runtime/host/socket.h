/* DIR/socket: the Unix socket beside the database, mode 0600, over which commands reach the runtime that holds DIR.
 *
 * An address of a Unix socket has 108 bytes; longer directories are reached through /proc/self/fd, so the length of
 * the path does not matter. Whoever listens holds DIR/lock: a socket left by a dead process is simply replaced. */
#ifndef ORR_HOST_SOCKET_H
#define ORR_HOST_SOCKET_H

#include "base/error.h"

/* Both return 0 with a non-blocking, close-on-exec descriptor that the caller owns, or IO. */
int orr__socket_listen(const char *dir, int *ret_fd, orr_error *reterr);
int orr__socket_connect(const char *dir, int *ret_fd, orr_error *reterr);
void orr__socket_remove(const char *dir);

#endif
