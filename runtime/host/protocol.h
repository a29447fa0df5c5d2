/* The lines that travel between a command and the runtime, over the socket or within one process.
 *
 *   to the runtime      {"id":1,"request":"backup.run","args":{"backup":"nightly"}}
 *                       {"id":1,"stop":true}                                     ends a STREAM request
 *   from the runtime    {"id":1,"type":"taken","data":null}                      a WRITE request is about to begin
 *                       {"id":1,"type":"update","data":...}
 *                       {"id":1,"type":"reply","data":...}                       exactly one per request
 *                       {"id":1,"type":"reply","error":{"code","message","fields":{},"retryable","exit"}}
 *                       {"id":0,"type":"log","data":{...}}                       only within one process
 *
 * One JSON object a line, UTF-8, at most ORR_LINE_MAX bytes. An id is a whole number from 1 chosen by whoever asks;
 * it may be used again once its reply has come. Integers beyond 2^53 travel as strings.
 *
 * "taken" is sent before anything is done, so a request whose connection ended without it has had no effect and may be
 * sent again; one that was taken and has no reply may have had. Whoever does not care ignores it.
 *
 * Deliberately knows no request, no socket and no runtime. */
#ifndef ORR_HOST_PROTOCOL_H
#define ORR_HOST_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/error.h"

#define ORR_LINE_MAX (24u << 20)

/* What is asked. request and args are owned; args is JSON text, NULL for {}. */
typedef struct orr__asked {
  uint64_t id;
  bool is_stop;
  char *request;
  char *args;
} orr__asked;

enum orr__message_type { ORR_MESSAGE_REPLY, ORR_MESSAGE_UPDATE, ORR_MESSAGE_LOG, ORR_MESSAGE_TAKEN };

/* What comes back; data is owned, NULL for a reply that failed, and then error is set. */
typedef struct orr__message {
  enum orr__message_type type;
  uint64_t id;
  cJSON *data;
  orr_error error;
} orr__message;

/* Lines without their line end; owned, NULL when memory runs out. args and json are JSON text (NULL: {} and null). */
char *orr__protocol_ask(uint64_t id, const char *request, const char *args);
char *orr__protocol_stop(uint64_t id);
char *orr__protocol_data(uint64_t id, enum orr__message_type type, const char *json);
char *orr__protocol_failure(uint64_t id, const orr_error *error);

/* The other way. INVALID names what is wrong; asked->id is set as soon as it is known, so that the refusal can
 * be sent to it. */
int orr__protocol_read_asked(const char *line, size_t len, orr__asked *ret_asked, orr_error *reterr);
int orr__protocol_read_message(const char *line, size_t len, orr__message *ret_message, orr_error *reterr);
void orr__asked_clear(orr__asked *asked);
void orr__message_clear(orr__message *message);

/* The error as the JSON of the protocol; owned, NULL when memory runs out. */
cJSON *orr__error_to_json(const orr_error *error);

#endif
