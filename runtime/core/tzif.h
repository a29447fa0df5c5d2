/* The TZif format (RFC 8536, versions 1 to 3) and the POSIX rule in its footer, as a table of offsets.
 *
 * Only for zone.c. Knows nothing of names, folders or caches. Abbreviations and the daylight-saving flag
 * are not kept: an entry exists only where the offset changes. */
#ifndef ORR_CORE_TZIF_H
#define ORR_CORE_TZIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct orr__tz_entry {
  int64_t at_ms;     /* from this instant on; INT64_MIN in the first entry */
  int64_t offset_ms; /* differs from the entry before */
} orr__tz_entry;

/* cycle_ms is 0, or the calendar's 400 years if the table ends in a rule that goes on for ever: then an
 * instant from entries[cycle_from].at_ms + cycle_ms on is looked up whole cycles earlier. */
typedef struct orr__tz_table {
  orr__tz_entry *entries; /* owned, ascending, len >= 1 */
  size_t len;
  size_t cap;
  size_t cycle_from;
  int64_t cycle_ms;
} orr__tz_table;

void orr__tz_table_clear(orr__tz_table *table);
/* Appends a change; one at the same instant as the last replaces it, one to the same offset is dropped.
 * The first call's instant counts as the beginning of time. 0 or NOMEM. */
int orr__tz_table_add(orr__tz_table *table, int64_t at_ms, int64_t offset_ms);

/* Reads a whole file. On success table (initialised to zeros by the caller) is filled. CORRUPT, NOMEM. */
int orr__tzif_parse(const void *bytes, size_t len, orr__tz_table *ret_table, orr_error *reterr);

/* A rule such as CET-1CEST,M3.5.0,M10.5.0/3. */
typedef struct orr__tz_day {
  char kind;              /* 'J' day 1-365 without leap day, '0' day 0-365, 'M' month.week.weekday */
  int day, week, month;
  int64_t time_s;         /* after midnight; may be negative or beyond 24 h */
} orr__tz_day;

typedef struct orr__tz_rule {
  int64_t std_s, dst_s;   /* offsets, east positive */
  bool has_dst;
  orr__tz_day dst_starts, dst_ends;
} orr__tz_rule;

/* False if text (len bytes) is no such rule. */
bool orr__tz_rule_parse(const char *text, size_t len, orr__tz_rule *ret_rule);
/* The two instants of a year in seconds since 1970 UTC. */
void orr__tz_rule_year(const orr__tz_rule *rule, int64_t year, int64_t *ret_starts_s, int64_t *ret_ends_s);

#endif
