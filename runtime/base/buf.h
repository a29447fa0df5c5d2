/* A growable byte string that always ends in NUL and insists on a limit.
 *
 * Errors are sticky: once memory ran out or the limit was reached, appends do nothing and
 * orr__buf_error says so; a writer may append all it has and look once at the end.
 * Knows nothing of what the bytes mean. */
#ifndef ORR_BASE_BUF_H
#define ORR_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

typedef struct orr__buf {
  char *data;    /* NULL until the first append; use orr__buf_text */
  size_t len;
  size_t cap;
  size_t limit;  /* most bytes it may hold, the NUL not counted */
  int error;     /* 0, ORR_E_NOMEM or ORR_E_LIMIT */
} orr__buf;

void orr__buf_init(orr__buf *buf, size_t limit);
void orr__buf_clear(orr__buf *buf);           /* releases; keeps the limit, error becomes 0 */
void orr__buf_reset(orr__buf *buf);           /* empties but keeps the memory; error becomes 0 */
void orr__buf_add(orr__buf *buf, const void *bytes, size_t len);
void orr__buf_adds(orr__buf *buf, const char *text);
void orr__buf_addc(orr__buf *buf, char c);
void orr__buf_addf(orr__buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
int orr__buf_error(const orr__buf *buf);
const char *orr__buf_text(const orr__buf *buf); /* borrowed, never NULL */
/* Hands the bytes over to the caller (free with free()); buf is empty afterwards. NULL if there was an
 * error (which stays readable until the next clear or reset); an empty buffer gives an owned "". ret_len
 * may be NULL. */
char *orr__buf_take(orr__buf *buf, size_t *ret_len);

#endif
