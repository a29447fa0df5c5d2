/* The growable byte string of buf.h.
 *
 * Deliberately does not know encodings. Invariants: data is NULL or data[len] is NUL and len < cap;
 * len <= limit; once error is set nothing but clear, reset or take changes the content. */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { FIRST_CAP = 64 };

void orr__buf_init(orr__buf *buf, size_t limit) {
  /* Half the address space, so that doubling and the NUL cannot overflow. */
  if (limit > SIZE_MAX / 2 - 1) limit = SIZE_MAX / 2 - 1;
  *buf = (orr__buf){.limit = limit};
}

void orr__buf_clear(orr__buf *buf) {
  if (!buf) return;
  free(buf->data);
  *buf = (orr__buf){.limit = buf->limit};
}

void orr__buf_reset(orr__buf *buf) {
  buf->len = 0;
  buf->error = 0;
  if (buf->data) buf->data[0] = '\0';
}

/* Makes room for `more` bytes and the NUL, or sets the error. */
static bool reserve(orr__buf *buf, size_t more) {
  if (buf->error) return false;
  if (more > buf->limit - buf->len) {
    buf->error = ORR_E_LIMIT;
    return false;
  }
  size_t need = buf->len + more + 1;
  if (need <= buf->cap) return true;
  size_t cap = buf->cap ? buf->cap : FIRST_CAP;
  while (cap < need) cap *= 2;
  if (cap > buf->limit + 1) cap = buf->limit + 1;
  char *data = realloc(buf->data, cap);
  if (!data) {
    buf->error = ORR_E_NOMEM;
    return false;
  }
  buf->data = data;
  buf->cap = cap;
  buf->data[buf->len] = '\0';
  return true;
}

void orr__buf_add(orr__buf *buf, const void *bytes, size_t len) {
  if (len == 0 || !reserve(buf, len)) return;
  memcpy(buf->data + buf->len, bytes, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
}

void orr__buf_adds(orr__buf *buf, const char *text) {
  orr__buf_add(buf, text, strlen(text));
}

void orr__buf_addc(orr__buf *buf, char c) {
  orr__buf_add(buf, &c, 1);
}

void orr__buf_addf(orr__buf *buf, const char *format, ...) {
  if (buf->error) return;
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  /* Most texts fit into what is there already, and then one pass is enough. */
  size_t room = buf->cap - buf->len;
  int wanted = vsnprintf(buf->data ? buf->data + buf->len : NULL, buf->data ? room : 0, format, args);
  va_end(args);
  if (wanted < 0) {
    buf->error = ORR_E_NOMEM;
  } else if (buf->data && (size_t)wanted < room) {
    buf->len += (size_t)wanted;
  } else if (wanted > 0) {
    if (buf->data) buf->data[buf->len] = '\0';
    if (reserve(buf, (size_t)wanted)) {
      vsnprintf(buf->data + buf->len, (size_t)wanted + 1, format, again);
      buf->len += (size_t)wanted;
    }
  }
  va_end(again);
  if (buf->data) buf->data[buf->len] = '\0';
}

int orr__buf_error(const orr__buf *buf) {
  return buf->error;
}

const char *orr__buf_text(const orr__buf *buf) {
  return buf->data ? buf->data : "";
}

char *orr__buf_take(orr__buf *buf, size_t *ret_len) {
  if (!buf->data) reserve(buf, 0);
  int error = buf->error;
  char *data = NULL;
  if (!error) {
    data = buf->data;
    if (ret_len) *ret_len = buf->len;
    buf->data = NULL;
  }
  orr__buf_clear(buf);
  buf->error = error;
  return data;
}
