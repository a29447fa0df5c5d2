/* The one dispatcher: every request, from a socket or from the command that holds the runtime itself, goes through
 * orr__dispatch as a line of the protocol, and everything the runtime says goes back as lines to the peer that asked.
 *
 * It gives each request of a peer a route by the id that the runtime chose, and forgets it with the reply. A peer that
 * leaves has its streams stopped; its other requests go on to their end, and nobody hears of it.
 *
 * Knows no socket and no terminal. Belongs to the thread of the runtime. */
#ifndef ORR_HOST_DISPATCH_H
#define ORR_HOST_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "orrery.h"

#define ORR_PEER_REQUESTS_MAX 64 /* requests of one peer that have no reply yet */

/* Somebody who asks. Embedded in what really receives the lines; open counts the requests without a reply. */
typedef struct orr__peer {
  void (*send)(struct orr__peer *peer, const char *line); /* one line without its end, borrowed; must not call back */
  size_t open;         /* requests that have no reply yet, */
  size_t open_writes;  /* and those of them that change something */
} orr__peer;

typedef struct orr__dispatcher orr__dispatcher;

/* Owned; NULL when out of memory. The runtime is borrowed. may_hand_over: runtime.handover is let through (a daemon
 * keeps what it holds: REFUSED). log gets the JSON of the runtime's log lines; may be NULL. */
orr__dispatcher *orr__dispatcher_new(orr_runtime *runtime, bool may_hand_over, void (*log)(void *arg, const char *json), void *log_arg);
void orr__dispatcher_free(orr__dispatcher *dispatcher);

/* Handles one line; what is wrong with it goes back as a reply. */
void orr__dispatch(orr__dispatcher *dispatcher, orr__peer *peer, const char *line, size_t len);
/* Pulls the runtime's events and sends them to whom they belong. */
void orr__dispatcher_pump(orr__dispatcher *dispatcher);
/* The peer is no more. */
void orr__dispatcher_forget(orr__dispatcher *dispatcher, orr__peer *peer);
/* Requests of all peers that change something and have no reply yet. */
size_t orr__dispatcher_open_writes(const orr__dispatcher *dispatcher);
/* Has a runtime.handover been answered? Then the runtime should be closed. */
bool orr__dispatcher_is_handed_over(const orr__dispatcher *dispatcher);

#endif
