/* Helpers on text: copies, comparisons, the nearest word, UTF-8.
 *
 * Deliberately does not know locales: case is ASCII case. Encodings are in encode.c, dates in time.c,
 * files in file.c. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST_MAX = 2, WORD_MAX = 128 };

char *orr__strdup(const char *text) {
  return text ? strdup(text) : NULL;
}

char *orr__strndup(const char *text, size_t len) {
  return text ? strndup(text, len) : NULL;
}

char *orr__strf(const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = NULL;
  if (vasprintf(&text, format, args) < 0) text = NULL;
  va_end(args);
  return text;
}

bool orr__streq(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

bool orr__starts_with(const char *text, const char *prefix) {
  return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

static int lower(char c) {
  return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static size_t min3(size_t a, size_t b, size_t c) {
  size_t ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* Insertions, deletions, replacements and swaps of neighbours; both words shorter than WORD_MAX.
 * Three rows are enough: a swap looks back two. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t rows[3][WORD_MAX + 1];
  for (size_t j = 0; j <= b_len; j++) rows[0][j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
      bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                     lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped && above2[j - 2] + 1 < row[j]) row[j] = above2[j - 2] + 1;
    }
  }
  return rows[a_len % 3][b_len];
}

const char *orr__nearest(const char *word, const char *(*at)(void *arg, size_t i), void *arg) {
  size_t word_len = word ? strlen(word) : 0;
  if (word_len == 0 || word_len >= WORD_MAX) return NULL;
  size_t best_distance = word_len / 3 < NEAREST_MAX ? word_len / 3 : NEAREST_MAX;
  const char *best = NULL, *candidate;
  for (size_t i = 0; (candidate = at(arg, i)) != NULL; i++) {
    size_t len = strlen(candidate);
    size_t apart = len > word_len ? len - word_len : word_len - len;
    if (len >= WORD_MAX || apart > best_distance) continue;
    size_t d = distance(word, word_len, candidate, len);
    if (d < best_distance || (d == best_distance && !best)) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

/* Length of the well-formed sequence at the start of s, or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t left) {
  unsigned char c = s[0];
  if (c == 0) return 0;
  if (c < 0x80) return 1;
  size_t len = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
  if (len == 0 || len > left) return 0;
  for (size_t i = 1; i < len; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  /* Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte. */
  if (c == 0xe0 && s[1] < 0xa0) return 0;
  if (c == 0xed && s[1] > 0x9f) return 0;
  if (c == 0xf0 && s[1] < 0x90) return 0;
  if (c == 0xf4 && s[1] > 0x8f) return 0;
  return len;
}

bool orr__utf8_valid(const char *bytes, size_t len) {
  const unsigned char *s = (const unsigned char *)bytes;
  for (size_t i = 0; i < len;) {
    size_t step = utf8_sequence(s + i, len - i);
    if (step == 0) return false;
    i += step;
  }
  return true;
}
