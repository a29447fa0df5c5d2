/* What a call says over HTTP, for its result's recording (port/record.h): each exchange is noted when it has ended, with its secrets blotted
 * out, and all are written when the call has ended and every secret that it learnt is known. */
#ifndef ORR_BINDINGS_RECORDING_H
#define ORR_BINDINGS_RECORDING_H

#include "task.h"

/* One exchange as it was; everything is borrowed. */
typedef struct orr__exchange {
  const orr__http_request *request;
  int64_t started_ms, took_ms;     /* wall; how long it took */
  int code;                        /* 0: there is an answer */
  const char *message;
  bool was_sent;
  int status;
  const orr__header *headers;      /* of the answer */
  size_t header_count;
  const char *body;
  size_t body_len;
} orr__exchange;

/* Is the call that waits being recorded? */
bool orr__record_is_on(const orr__wait *wait);
void orr__record_note(const orr__wait *wait, const orr__exchange *exchange);
/* The call has ended with that answer: what was noted is written, or, where only failures are kept and its result has ended well, all that was
 * kept of the result goes. */
void orr__record_end(orr__hookcall *hc, const orr__answer *answer);

#endif
