/* Lua 5.1's patterns, bounded: a pattern is compiled once into items, and matching counts its steps.
 *
 * Knows nothing of Lua states; lib_string.c does. A malformed piece of a pattern becomes an item that fails with its
 * message only when matching gets there, as it does in Lua. */
#ifndef ORR_BINDINGS_PATTERN_H
#define ORR_BINDINGS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORR_PATTERN_CAPTURES 32
#define ORR_PATTERN_POSITION ((size_t)-1) /* the length of a capture `()` */
#define ORR_PATTERN_OPEN ((size_t)-2)     /* of one that is never closed */

typedef struct orr__pattern_item orr__pattern_item;

/* Plain data, may be moved by memcpy only before it is compiled; `items` follow it in the same block. */
typedef struct orr__pattern {
  size_t count;
  unsigned captures;
  bool closed[ORR_PATTERN_CAPTURES];
  orr__pattern_item *items;
} orr__pattern;

typedef struct orr__match {
  const char *subject;
  size_t len;
  uint64_t steps_left;
  const char *error;           /* why matching cannot go on: a malformed pattern, too many steps */
  unsigned depth;
  struct { size_t start, len; } captures[ORR_PATTERN_CAPTURES];
} orr__match;

/* Bytes that a pattern of `len` bytes needs; orr__pattern_compile fills a block of that size. */
size_t orr__pattern_size(size_t len);
void orr__pattern_compile(orr__pattern *pattern, const char *text, size_t len);
void orr__match_init(orr__match *match, const char *subject, size_t len);
/* Matches at exactly `at`; *ret_end is behind the match. False without match->error: no match. */
bool orr__pattern_match(const orr__pattern *pattern, orr__match *match, size_t at, size_t *ret_end);

#endif
