/* One pass over a JSON text before cJSON sees it; json_scan.h says what for.
 *
 * Deliberately does not know the grammar beyond strings, numbers and brackets. Invariants: the text is UTF-8
 * without NUL; `copied` is the length of the prefix that is in `out` already, and nothing is copied before the
 * first repair. */
#include "model/json_scan.h"

#include <stdbool.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "model/json.h"

enum { NUMBER_MAX = 60 }; /* cJSON reads at most 63 characters of a number */

typedef struct scan {
  const char *text;
  size_t len;
  size_t pos;
  size_t copied;
  unsigned depth;
  size_t values;  /* commas and brackets, which is as many or more */
  orr__buf *out;
  orr_error *reterr;
} scan;

int orr__json_error_at(orr_error *reterr, int code, const char *text, size_t pos, const char *what) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < pos; i++) {
    if (text[i] == '\n') {
      line++;
      column = 1;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      column++;
    }
  }
  return orr__error_set(reterr, code, "line %zu, column %zu: %s", line, column, what);
}

static int refuse(const scan *s, size_t pos, const char *what) {
  return orr__json_error_at(s->reterr, ORR_E_INVALID, s->text, pos, what);
}

/* The character n places ahead, NUL behind the end. */
static char ahead(const scan *s, size_t n) {
  return s->pos + n < s->len ? s->text[s->pos + n] : '\0';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int scan_string(scan *s) {
  size_t start = s->pos++;
  while (s->pos < s->len) {
    unsigned char c = (unsigned char)s->text[s->pos];
    if (c == '"') {
      s->pos++;
      return 0;
    }
    if (c < 0x20) return refuse(s, s->pos, "a control character inside a string; is a quote missing?");
    if (c == '\\' && ahead(s, 1) == 'u' && s->len - s->pos >= 6 && memcmp(s->text + s->pos + 2, "0000", 4) == 0)
      return refuse(s, s->pos, "\\u0000 cannot be part of a string");
    s->pos += c == '\\' ? 2 : 1;
  }
  return refuse(s, start, "the text ends inside the string that begins here");
}

static size_t digits(const scan *s, size_t n) {
  size_t count = 0;
  while (is_digit(ahead(s, n + count))) count++;
  return count;
}

/* Length of the number at pos by JSON's grammar, 0 if it is none. */
static size_t number_length(const scan *s, bool *ret_integer, bool *ret_exponent) {
  size_t n = ahead(s, 0) == '-' ? 1 : 0;
  size_t whole = digits(s, n);
  if (whole == 0 || (whole > 1 && ahead(s, n) == '0')) return 0;
  n += whole;
  *ret_integer = true;
  if (ahead(s, n) == '.') {
    size_t fraction = digits(s, n + 1);
    if (fraction == 0) return 0;
    n += 1 + fraction;
    *ret_integer = false;
  }
  if (ahead(s, n) == 'e' || ahead(s, n) == 'E') {
    size_t sign = ahead(s, n + 1) == '+' || ahead(s, n + 1) == '-' ? 1 : 0;
    size_t exponent = digits(s, n + 1 + sign);
    if (exponent == 0) return 0;
    n += 1 + sign + exponent;
    *ret_integer = false;
    *ret_exponent = true;
  }
  return n;
}

/* Is the integer literal beyond 2^53? It has no leading zeros. */
static bool is_big(const char *literal, size_t len) {
  static const char limit[] = "9007199254740992";
  const size_t limit_len = sizeof limit - 1;
  if (*literal == '-') {
    literal++;
    len--;
  }
  return len > limit_len || (len == limit_len && memcmp(literal, limit, limit_len) > 0);
}

static bool is_finite_literal(const char *literal, size_t len) {
  cJSON *number = cJSON_ParseWithLength(literal, len);
  bool finite = !number || isfinite(number->valuedouble);
  cJSON_Delete(number);
  return finite;
}

/* Puts the integer in quotes. As a key it is wrong, and quotes would hide that. */
static int quote(scan *s, size_t len) {
  size_t next = s->pos + len;
  while (next < s->len && strchr(" \t\r\n", s->text[next])) next++;
  if (next < s->len && s->text[next] == ':') return refuse(s, s->pos, "a key must be a string");
  orr__buf_add(s->out, s->text + s->copied, s->pos - s->copied);
  orr__buf_addc(s->out, '"');
  orr__buf_add(s->out, s->text + s->pos, len);
  orr__buf_addc(s->out, '"');
  s->copied = s->pos + len;
  return 0;
}

static int scan_number(scan *s) {
  bool integer = false, exponent = false;
  const char *literal = s->text + s->pos;
  size_t len = number_length(s, &integer, &exponent);
  if (len == 0) return refuse(s, s->pos, "this is no number in JSON");
  if (integer && is_big(literal, len)) {
    int rc = quote(s, len);
    if (rc < 0) return rc;
  } else if (len > NUMBER_MAX) {
    return refuse(s, s->pos, "a number of more than 60 characters");
  } else if (exponent && !is_finite_literal(literal, len)) {
    return refuse(s, s->pos, "this number is too large");
  }
  s->pos += len;
  return 0;
}

static int scan_value(scan *s) {
  char c = s->text[s->pos];
  if (c == '"') return scan_string(s);
  if (c == '-' || is_digit(c)) return scan_number(s);
  if ((unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r')
    return refuse(s, s->pos, "a control character");
  if ((c == '[' || c == '{' || c == ',') && ++s->values > ORR_JSON_VALUES)
    return orr__error_set(s->reterr, ORR_E_LIMIT, "a JSON text of more than %u values", ORR_JSON_VALUES);
  if (c == '[' || c == '{') {
    if (++s->depth > ORR_JSON_DEPTH)
      return orr__json_error_at(s->reterr, ORR_E_LIMIT, s->text, s->pos, "nested deeper than 200");
  } else if ((c == ']' || c == '}') && s->depth > 0) {
    s->depth--;
  }
  s->pos++;
  return 0;
}

int orr__json_scan(const char *text, size_t len, orr__buf *out, unsigned *ret_open, orr_error *reterr) {
  scan s = {.text = text, .len = len, .out = out, .reterr = reterr};
  while (s.pos < len) {
    int rc = scan_value(&s);
    if (rc < 0) return rc;
  }
  if (s.copied > 0) orr__buf_add(out, text + s.copied, len - s.copied);
  int rc = orr__buf_error(out);
  if (rc < 0) return orr__error_set(reterr, rc, "no memory for a JSON text of %zu bytes", len);
  *ret_open = s.depth;
  return 0;
}
