/* The listening socket and its clients: bytes to lines for the dispatcher, and lines to bytes.
 *
 * Everything is bounded: ORR_CLIENTS_MAX clients (more wait in the socket's backlog), ORR_LINE_MAX bytes of one
 * request, ORR_CLIENT_OUT_MAX bytes that a client has not read yet; who goes beyond is dropped and hears of it by the
 * end of the connection. A client that only stops sending still gets the replies it waits for.
 *
 * Knows no runtime, only the dispatcher. */
#ifndef ORR_HOST_SERVER_H
#define ORR_HOST_SERVER_H

#include <poll.h>

#include "host/dispatch.h"

#define ORR_CLIENTS_MAX 64
#define ORR_CLIENT_OUT_MAX (32u << 20)
#define ORR_SERVER_FDS_MAX (ORR_CLIENTS_MAX + 1)

typedef struct orr__server orr__server;

/* Takes the listening descriptor, also when it returns NULL (out of memory). The dispatcher is borrowed. */
orr__server *orr__server_new(orr__dispatcher *dispatcher, int listen_fd);
/* Ends every connection, after one last attempt to send what is left. NULL is fine. */
void orr__server_free(orr__server *server);

/* What to poll for: fills fds (room for ORR_SERVER_FDS_MAX) and returns how many. */
size_t orr__server_fds(orr__server *server, struct pollfd *fds);
/* Serves what poll found in them; nothing may have happened to the server in between. */
void orr__server_turn(orr__server *server, const struct pollfd *fds, size_t count);
/* Lets go of the clients that are done. After every turn of the dispatcher too: the last reply ends a client that
 * has nothing more to say, and poll will not tell. */
void orr__server_reap(orr__server *server);
/* Is there a byte that a client has not taken yet? */
int orr__server_is_sending(const orr__server *server);

#endif
