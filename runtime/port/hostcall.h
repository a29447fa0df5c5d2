/* Calls to the host: work that somebody outside of the runtime does for it and answers later.
 *
 *   start --> OPEN --answer--> ANSWERED --(its delay has passed)--> done, gone
 *              |
 *              +-- its time is up (TIMEOUT), abort (CANCELLED), free (CANCELLED) --> the sink is told `ended`; done, gone
 *
 * Knows nothing of what is asked or answered: both are text. Everything runs on the loop thread; done comes once, never from
 * inside start, abort or answer. An open call counts as in flight, so that virtual time stands still until it is answered,
 * unless it is held. */
#ifndef ORR_PORT_HOSTCALL_H
#define ORR_PORT_HOSTCALL_H

#include "base/error.h"
#include "port/loop.h"

#define ORR_HOSTCALLS_MAX 100000 /* open at a time */
#define ORR_SERVICES_MAX 1000

typedef struct orr__hostcalls orr__hostcalls;

/* Who passes it on. Text is borrowed for the call. */
typedef struct orr__hostcall_sink {
  void *self;
  int (*called)(void *self, uint64_t id, const char *service, const char *args); /* 0 or NOMEM */
  void (*ended)(void *self, uint64_t id, const char *service);                  /* nobody waits for an answer any more */
} orr__hostcall_sink;

/* code 0: text is the answer; else message says why there is none, and text may still have details. Borrowed for the call of done. */
typedef struct orr__hostcall_reply {
  int code;
  const char *message, *text;    /* text is never NULL: "null" */
} orr__hostcall_reply;
typedef void (*orr__hostcall_done)(void *arg, const orr__hostcall_reply *reply);

int orr__hostcalls_new(orr__loop *loop, const orr__hostcall_sink *sink, orr__hostcalls **ret, orr_error *reterr); /* owned */
/* Open calls complete with CANCELLED, from inside. NULL is fine. */
void orr__hostcalls_free(orr__hostcalls *calls);
/* From now on the service is there; again: fine. NOMEM or LIMIT. */
int orr__hostcalls_offer(orr__hostcalls *calls, const char *service, orr_error *reterr);
bool orr__hostcalls_offers(const orr__hostcalls *calls, const char *service);
/* REFUSED where the service is not offered, LIMIT, NOMEM: done is not called then. timeout_ms 0: none. *ret_id is never 0, never used again. */
int orr__hostcall_start(orr__hostcalls *calls, const char *service, const char *args, int64_t timeout_ms, orr__hostcall_done done,
                        void *arg, uint64_t *ret_id, orr_error *reterr);
/* Completes soon with CANCELLED, even where an answer waits for its delay; one that is gone: nothing happens. */
void orr__hostcall_abort(orr__hostcalls *calls, uint64_t id);
/* Its done is not called any more. */
void orr__hostcall_forget(orr__hostcalls *calls, uint64_t id);
/* The one answer, delivered after delay_ms of the loop's clock. NOT_FOUND if the call is not open (any more), NOMEM: it still is. */
int orr__hostcall_answer(orr__hostcalls *calls, uint64_t id, const orr__hostcall_reply *reply, int64_t delay_ms, orr_error *reterr);
/* It waits, and does not count as in flight any more: virtual time may go on. NOT_FOUND likewise. */
int orr__hostcall_hold(orr__hostcalls *calls, uint64_t id, orr_error *reterr);
/* What an open call asked for; borrowed, NULL if it is not open. */
const char *orr__hostcall_service(const orr__hostcalls *calls, uint64_t id);

#endif
