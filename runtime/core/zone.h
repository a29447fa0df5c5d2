/* Time zones: which offset from UTC holds when, for IANA names such as Europe/Berlin.
 *
 * A zone is read from a TZif file of the folder the caller names (on Debian /usr/share/zoneinfo, package
 * tzdata) and is a value that never changes afterwards: lookups write nothing and may run in any thread.
 * The cache and the reference counts belong to one thread. Nothing here looks at TZ, at /etc/localtime or
 * at the clock, and nothing is global.
 *
 * Instants are milliseconds since 1970 UTC. A "local" time is the same count for the wall clock: what
 * orr__days_from_civil gives for the date on the wall, times a day, plus the time on the wall. */
#ifndef ORR_CORE_ZONE_H
#define ORR_CORE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct orr__zones orr__zones; /* a cache over one folder */
typedef struct orr__zone orr__zone;   /* counted references */

/* folder is copied; NULL means that there are no files and only UTC is known. NULL when memory runs out. */
orr__zones *orr__zones_new(const char *folder);
/* Zones that somebody still holds stay valid. */
void orr__zones_free(orr__zones *zones);
/* Forgets what was read, so that the next orr__zones_get sees an updated tzdata. Zones held stay as they
 * are; their holders decide when to ask again. */
void orr__zones_flush(orr__zones *zones);

/* Forgets those whose files have changed or gone since they were read. Are there any? Zones held stay as they are. */
bool orr__zones_refresh(orr__zones *zones);

/* Gives an owned reference. "UTC" and "Etc/UTC" need no file. A name is relative, begins with a capital
 * and holds only letters, digits and `_ + - /`; so no name leads out of the folder, and neither the host's
 * own `localtime` nor the leap-second zones of `right/` are zones.
 * Errors: INVALID for a name that is none or has no file (the message names the nearest real zone if one
 * is near), CORRUPT for a file that is no TZif, IO, NOMEM. */
int orr__zones_get(orr__zones *zones, const char *name, orr__zone **ret_zone, orr_error *reterr);

orr__zone *orr__zone_ref(orr__zone *zone);
void orr__zone_unref(orr__zone *zone);
const char *orr__zone_name(const orr__zone *zone); /* borrowed; "UTC" for NULL */

/* The stretch of time around an instant in which the offset stays the same. */
typedef struct orr__zone_span {
  int64_t start_ms;         /* first instant of it; INT64_MIN if it has no beginning */
  int64_t end_ms;           /* first instant after it; INT64_MAX if it has no end */
  int64_t offset_ms;        /* local = instant + offset_ms */
  int64_t offset_before_ms; /* of the span before; equals offset_ms if there is none */
} orr__zone_span;

/* In the functions below a NULL zone is UTC. */
orr__zone_span orr__zone_span_at(const orr__zone *zone, int64_t utc_ms);
int64_t orr__zone_offset_ms(const orr__zone *zone, int64_t utc_ms);
/* The first change of offset strictly after an instant, INT64_MAX if there is none. */
int64_t orr__zone_next_change(const orr__zone *zone, int64_t after_ms);

typedef enum orr__zone_fit {
  ORR__ZONE_ONCE,  /* an ordinary time: one instant */
  ORR__ZONE_TWICE, /* the clock was set back over it: early and late differ */
  ORR__ZONE_NEVER  /* the clock was set forward over it: both are the first instant after the gap */
} orr__zone_fit;

/* Which instants show this time on the wall? Either result pointer may be NULL. */
orr__zone_fit orr__zone_from_local(const orr__zone *zone, int64_t local_ms, int64_t *ret_early_ms,
                                   int64_t *ret_late_ms);

#endif
