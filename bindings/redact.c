/* Redaction: looks for every known form of every secret, the longest first, and blackens it.
 *
 * Base64 of a secret inside something longer depends on where it begins, so the characters that are the same wherever it begins are
 * taken for each of the three offsets. Knows nothing of Lua or of where the texts go. */
#include "redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "model/json.h"

#define OUTPUT_MAX (64u << 20)
#define FORMS_MAX (ORR_SECRETS_MAX * 6)

/* Takes form (NULL: out of memory). */
static int add_form(orr__secrets *secrets, char *form, size_t len, bool has_before, bool has_after) {
  if (!form) return ORR_E_NOMEM;
  size_t at = 0;
  for (; at < secrets->count && secrets->items[at].len >= len; at++) {
    if (secrets->items[at].len == len && memcmp(secrets->items[at].form, form, len) == 0) {
      free(form);
      secrets->items[at].has_before |= has_before;
      secrets->items[at].has_after |= has_after;
      return 0;
    }
  }
  if (len < ORR_SECRET_MIN || secrets->count >= FORMS_MAX) {
    free(form);
    return len < ORR_SECRET_MIN ? 0 : ORR_E_LIMIT;
  }
  if (secrets->count == secrets->cap) {
    size_t cap = secrets->cap ? secrets->cap * 2 : 16;
    orr__secret *items = realloc(secrets->items, cap * sizeof *items);
    if (!items) {
      free(form);
      return ORR_E_NOMEM;
    }
    secrets->items = items;
    secrets->cap = cap;
  }
  memmove(&secrets->items[at + 1], &secrets->items[at], (secrets->count - at) * sizeof *secrets->items);
  secrets->items[at] = (orr__secret){ form, len, has_before, has_after };
  secrets->begins[(unsigned char)form[0]] = true;
  secrets->count++;
  return 0;
}

static int add_base64(orr__secrets *secrets, const char *text, size_t len, size_t offset, bool is_url) {
  char *padded = calloc(1, len + offset + 1);
  if (!padded) return ORR_E_NOMEM;
  memcpy(padded + offset, text, len);
  size_t coded_len;
  char *coded = orr__base64(padded, len + offset, is_url, &coded_len);
  free(padded);
  if (!coded) return ORR_E_NOMEM;
  /* The first character that depends on the secret alone, and the end of those. */
  size_t from = (offset * 8 + 5) / 6, to = (len + offset) * 8 / 6;
  bool has_before = offset > 0, has_after = (len + offset) % 3 != 0;
  int rc = to > from ? add_form(secrets, orr__strndup(coded + from, to - from), to - from, has_before, has_after) : 0;
  free(coded);
  return rc;
}

static int add_url(orr__secrets *secrets, const char *text, size_t len, bool is_upper) {
  static const char *const digits[] = { "0123456789abcdef", "0123456789ABCDEF" };
  char *coded = malloc(len * 3 + 1), *to = coded;
  if (!coded) return ORR_E_NOMEM;
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (isalnum(c) || strchr("-._~", c)) {
      *to++ = (char)c;
      continue;
    }
    *to++ = '%';
    *to++ = digits[is_upper][c >> 4];
    *to++ = digits[is_upper][c & 15];
  }
  *to = '\0';
  return add_form(secrets, coded, (size_t)(to - coded), false, false);
}

/* As JSON writes it between quotes, where that is something else: a key in PEM has ends of lines. */
static int add_json(orr__secrets *secrets, const char *text) {
  orr__json *value = orr__json_new_str(text);
  char *quoted = value ? orr__json_print(value) : NULL;
  orr__json_free(value);
  if (!quoted) return ORR_E_NOMEM;
  size_t len = strlen(quoted) - 2;
  memmove(quoted, quoted + 1, len);
  quoted[len] = '\0';
  return add_form(secrets, quoted, len, false, false);
}

int orr__secrets_add(orr__secrets *secrets, const char *text, size_t len) {
  if (len < ORR_SECRET_MIN || len > ORR_SECRET_LEN_MAX) return 0;
  for (size_t i = 0; i < secrets->count; i++)
    if (secrets->items[i].len == len && memcmp(secrets->items[i].form, text, len) == 0) return 0;
  char *raw = malloc(len + 1);
  if (raw) {
    memcpy(raw, text, len);
    raw[len] = '\0';
  }
  int rc = add_form(secrets, raw, len, false, false);
  for (size_t offset = 0; offset < 3 && !rc; offset++) {
    rc = add_base64(secrets, text, len, offset, false);
    if (!rc) rc = add_base64(secrets, text, len, offset, true);
  }
  if (!rc) rc = add_url(secrets, text, len, false);
  if (!rc) rc = add_url(secrets, text, len, true);
  if (!rc && orr__utf8_valid(text, len)) rc = add_json(secrets, text);
  return rc;
}

static const orr__secret *find(const orr__secrets *secrets, const char *text, size_t len) {
  if (!secrets->begins[(unsigned char)text[0]]) return NULL;
  for (size_t i = 0; i < secrets->count; i++) {
    const orr__secret *s = &secrets->items[i];
    if (s->len <= len && s->form[0] == text[0] && memcmp(s->form, text, s->len) == 0) return s;
  }
  return NULL;
}

static void cut(char *text, size_t len, size_t most) {
  if (!text || len <= most) return;
  size_t to = most;
  while (to > 0 && most - to < 4 && ((unsigned char)text[to] & 0xc0) == 0x80) to--;
  text[to] = '\0';
}

/* Goes on until there is `most`; what it has may be longer. */
static char *blot(const orr__secrets *secrets, const char *text, size_t len, size_t most, size_t *ret_len) {
  orr__buf out;
  orr__buf_init(&out, OUTPUT_MAX);
  orr__buf_adds(&out, "");
  size_t plain = 0, at = 0;
  while (at < len && out.len + (at - plain) <= most) {
    const orr__secret *hit = find(secrets, text + at, len - at);
    if (!hit) {
      at++;
      continue;
    }
    orr__buf_add(&out, text + plain, at - plain - (hit->has_before && at > plain));
    orr__buf_adds(&out, "***");
    at += hit->len;
    if (hit->has_after && at < len) at++;
    plain = at;
  }
  orr__buf_add(&out, text + plain, at - plain);
  char *taken = orr__buf_take(&out, ret_len);
  orr__buf_clear(&out);
  return taken;
}

char *orr__secrets_redact(const orr__secrets *secrets, const char *text, size_t len, size_t most) {
  size_t taken_len;
  char *taken = blot(secrets, text, len, most, &taken_len);
  cut(taken, taken_len, most);
  return taken;
}

char *orr__secrets_redact_bytes(const orr__secrets *secrets, const char *bytes, size_t len, size_t most, size_t *ret_len) {
  char *taken = blot(secrets, bytes, len, most, ret_len);
  if (taken && *ret_len > most) taken[*ret_len = most] = '\0';
  return taken;
}

void orr__secrets_clear(orr__secrets *secrets) {
  for (size_t i = 0; i < secrets->count; i++) free(secrets->items[i].form);
  free(secrets->items);
  memset(secrets, 0, sizeof *secrets);
}
