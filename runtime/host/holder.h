/* Holding a data directory: the runtime, the dispatcher over it and the socket beside it, turned by one poll loop.
 * `orrery serve` is a holder for as long as it runs; any other command is one where nobody else holds the directory.
 *
 *   open --> turn, turn, ... --> close
 *                    \--> is_handed_over (runtime.handover was asked for and answered): close soon, then be a client
 *
 * Knows nothing of commands or output. */
#ifndef ORR_HOST_HOLDER_H
#define ORR_HOST_HOLDER_H

#include "host/dispatch.h"

typedef struct orr__holder orr__holder;

/* settings must have role and data_dir; both are borrowed for the call, data_dir for the holder's life. LOCKED when another process
 * holds it, REFUSED when root would open what is another user's; whatever orr_open says. */
int orr__holder_open(const orr_settings *settings, const char *data_dir, bool may_hand_over, void (*log)(void *arg, const char *json), void *log_arg,
                     orr__holder **ret_holder, orr_error *reterr);
orr__dispatcher *orr__holder_dispatcher(orr__holder *holder);
/* One turn: waits at most max_wait_ms (-1: as long as it takes) for something to do, or for also_fd (-1: none) to be
 * readable, and does it. */
void orr__holder_turn(orr__holder *holder, int64_t max_wait_ms, int also_fd);
/* Has nothing in flight and nothing left to send. */
int orr__holder_is_idle(const orr__holder *holder);
/* Begins no new hooks, and takes no requests other than READ ones. */
void orr__holder_drain(orr__holder *holder);
int orr__holder_is_acting(const orr__holder *holder); /* orr_is_acting of its runtime */
int orr__holder_failed(const orr__holder *holder); /* orr_failed of its runtime */
/* Drains for at most max_wait_ms, less if stop_fd (-1: none) becomes readable; then ends connections, removes the
 * socket, closes the runtime and releases the directory, in this order. NULL is fine. */
void orr__holder_close(orr__holder *holder, int64_t max_wait_ms, int stop_fd);

#endif
