/* Blackout windows: when a schedule must not fire, on the wall clock of its zone.
 *
 *   Mon-Fri 08:00-18:00; Sat,Sun 10:00-12:00; 22:00-02:00; 12-24..12-26; 2026-12-31 18:00..2027-01-01 06:00
 *
 * Windows are separated by semicolons; each is
 *   [WEEKDAYS] [HH:MM-HH:MM]       every day or on those weekdays, all day without times; one over midnight belongs to the
 *                                  day it begins on; 24:00 is the end of a day
 *   MM-DD[..MM-DD]                 these days of every year, the last one included
 *   YYYY-MM-DD[..YYYY-MM-DD]       these days, the last one included
 *   YYYY-MM-DD HH:MM..YYYY-MM-DD HH:MM
 * A window holds every instant whose time on the wall lies in it, its end not included: an hour that comes twice is
 * held twice, one that is left out not at all.
 *
 * Knows neither the clock nor what becomes of a fire that is held back. Values never change once they are made. */
#ifndef ORR_CORE_BLACKOUT_H
#define ORR_CORE_BLACKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/zone.h"

typedef struct orr__blackouts orr__blackouts;

/* *ret is owned. INVALID: the message ends in the 1-based column of the fault and what was expected there. NOMEM. */
int orr__blackouts_parse(const char *text, orr__blackouts **ret, orr_error *reterr);
void orr__blackouts_free(orr__blackouts *blackouts); /* NULL is fine */

/* Does a window hold this instant? *ret_end_ms (may be NULL) is the first instant after it that none holds, INT64_MAX if
 * there is none. zone NULL is UTC; blackouts NULL holds nothing. */
bool orr__blackouts_hold(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms, int64_t *ret_end_ms);

#endif
