/* Recordings: what a result's hooks said over HTTP and were answered, kept for whoever has to find out why it failed.
 *
 *   DIR/<key>.jsonl   (0600) a JSON object a line, in order; what is beyond the limit is not kept, and the last line says so
 *
 * Nothing here knows what a line says, or that a key is a result's uuid. Lines are written at once and not synced: a recording may end early
 * after a crash, and its last line may be cut. */
#ifndef ORR_PORT_RECORD_H
#define ORR_PORT_RECORD_H

#include <stddef.h>

#include "base/error.h"

typedef struct orr__records orr__records;

enum orr__record_mode { ORR_RECORD_OFF, ORR_RECORD_FAILURES, ORR_RECORD_ALL };

/* dir is made when something is kept. limit: bytes of each recording. Owned. */
int orr__records_new(const char *dir, enum orr__record_mode mode, size_t limit, orr__records **ret_records, orr_error *reterr);
void orr__records_free(orr__records *records); /* NULL is fine */
enum orr__record_mode orr__records_mode(const orr__records *records); /* OFF for NULL */
/* Adds a line (without its end). key: letters, digits and `-` (INVALID else). IO. Beyond the limit: 0, and it is not kept. */
int orr__record_append(const orr__records *records, const char *key, const char *line, orr_error *reterr);
/* All of it. Owned. NOT_FOUND if there is none. */
int orr__record_read(const orr__records *records, const char *key, char **ret_text, orr_error *reterr);
int orr__record_remove(const orr__records *records, const char *key, orr_error *reterr); /* none: fine */

#endif
