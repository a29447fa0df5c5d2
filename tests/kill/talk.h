/* The kill harness's connection to the runtime under fire: requests go out, replies come in, the end may come at any time. */
#ifndef ORR_TEST_KILL_TALK_H
#define ORR_TEST_KILL_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/json.h"

typedef struct talk {
  int fd; /* -1: not connected, or it has ended */
  uint64_t last_id;
  orr__buf in;
} talk;

void talk_init(talk *t);
void talk_close(talk *t);
bool talk_connect(talk *t, const char *path); /* false: nobody listens there (yet) */
/* args is JSON text. The request's number; 0 once the other side is gone. */
uint64_t talk_ask(talk *t, const char *request, const char *args);
/* The next reply that has arrived (owned); NULL: none now. Never waits. */
orr__json *talk_next(talk *t);
/* Asks and waits: the reply's data, borrowed from *ret_reply (owned). NULL, and says why, if there is none. */
const orr__json *talk_call(talk *t, const char *request, const char *args, orr__json **ret_reply);

#endif
