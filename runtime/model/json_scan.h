/* What cJSON lets pass or gets wrong, checked before it reads a text.
 *
 * cJSON recurses, rounds integers, takes numbers and control characters that JSON does not have, and cuts strings
 * at an escaped NUL. The scan refuses these, limits the depth, and gives a text in which integers beyond 2^53
 * stand in quotes. Everything else about JSON is left to cJSON. */
#ifndef ORR_MODEL_JSON_SCAN_H
#define ORR_MODEL_JSON_SCAN_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Beyond it, integers are not exact in a double. */
#define ORR_JSON_INTEGER_MAX 9007199254740992.0

/* Appends the repaired text to `out`, or nothing where the text can stay as it is. ret_open: how many brackets
 * are open at the end. */
int orr__json_scan(const char *text, size_t len, orr__buf *out, unsigned *ret_open, orr_error *reterr);

/* INVALID or LIMIT at a place of the text: "line 3, column 7: ...". Columns count characters. */
int orr__json_error_at(orr_error *reterr, int code, const char *text, size_t pos, const char *what);

#endif
