/* Blackout windows: when a schedule must not fire, on the wall clock of its zone.
 *
 *   Mon-Fri 08:00-18:00; Sat,Sun 10:00-12:00; 22:00-02:00; 12-24..12-26; 2026-12-31 18:00..2027-01-01 06:00
 *
 * Windows are separated by semicolons, at most 64; each is
 *   [DAYS] [HH:MM-HH:MM]           those days, all day without times; every day without DAYS; a window over midnight
 *                                  belongs to the day it begins on; 24:00 is the end of a day. DAYS is one of
 *       Mon-Fri,Sun                weekdays; a range may go over the end of the week
 *       MM-DD[..MM-DD]             days of every year, the last one included, over the end of the year if need be
 *       YYYY-MM-DD[..YYYY-MM-DD]   days, the last one included
 *   YYYY-MM-DD HH:MM..YYYY-MM-DD HH:MM   from one moment to another
 * A window holds every instant whose time on the wall lies in it, its end not included: an hour that comes twice is
 * held twice, one that is left out not at all.
 *
 * Knows neither the clock nor what becomes of a fire that is held back. Values never change once they are made. */
#ifndef ORR_CORE_BLACKOUT_H
#define ORR_CORE_BLACKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/cron.h"
#include "core/zone.h"

typedef struct orr__blackouts orr__blackouts;

/* *ret is owned. INVALID: the message ends in the 1-based column of the fault and what was expected there. NOMEM. */
int orr__blackouts_parse(const char *text, orr__blackouts **ret, orr_error *reterr);
void orr__blackouts_free(orr__blackouts *blackouts); /* NULL is fine */

/* In the functions below blackouts NULL holds nothing, and zone NULL is UTC. */

/* Does a window hold this instant? *ret_end_ms (may be NULL) is the first instant after it that none holds, INT64_MAX if
 * there is none within a hundred years. */
bool orr__blackouts_hold(const orr__blackouts *blackouts, const orr__zone *zone, int64_t at_ms, int64_t *ret_end_ms);

/* The first instant of a schedule strictly after after_ms whose fire, which comes delay_ms later, no window holds;
 * ORR__CRON_NEVER if there is none, or if 10,000 blackouts in a row each held all fires in them: such a schedule is
 * worth a refusal. What is held back on the way is not told; whoever must record it walks with orr__cron_next. */
int64_t orr__blackouts_next(const orr__blackouts *blackouts, const orr__cron *cron, const orr__zone *zone,
                            int64_t anchor_ms, int64_t delay_ms, int64_t after_ms);

/* In English: "on Monday to Friday from 08:00 to 18:00; every day from 22:00 to 02:00 of the next day". Owned; NULL when
 * memory runs out. */
char *orr__blackouts_describe(const orr__blackouts *blackouts);

#endif
