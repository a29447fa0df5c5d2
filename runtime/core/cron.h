/* Schedules: five-field cron, the @names, and @every.
 *
 * A schedule is a small value without pointers: copy it as you like. It knows neither the clock nor which
 * backup it belongs to, and it does not keep its text or its zone; callers store those.
 *
 *   MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK
 *     0-59  0-23      1-31    1-12 or JAN-DEC  0-7 or SUN-SAT (0 and 7 are Sunday)
 *
 * A field is a list, with commas, of: everything `*`, a value, a range `a-b`; the first and the last also
 * with a step, a slash and a number, behind them. `H` stands for one value that is picked by a seed, the same
 * for ever: so a thousand Backups of one schedule do not all start in the same minute. `H(a-b)` picks from a
 * range, `H/15` is every 15 beginning at a picked one, `H(a-b)/15` the same within a range. H of the day of the
 * month is at most 28, which every month has.
 * If both day fields are restricted (hold no `*`), a day that fits either of them will do; otherwise it
 * must fit both. @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly stand for what one
 * expects. `@every 1h30m` (units d h m s, 1 s to 3650 d) means the instants anchor + k * interval, k >= 0.
 *
 * When the clock is changed by less than three hours, as for daylight saving, this is Debian's cron:
 *   - a schedule with `*`, or an H with a step and no range, in minute or hour follows elapsed time: it fires
 *     whenever the wall shows a fitting time, so one of every 15 minutes neither loses nor doubles an hour;
 *   - any other fires once right after the gap if its time was skipped, and only the first time if its
 *     time is repeated.
 * Larger changes (a zone that moves across the date line) count as a new clock: what was skipped is
 * skipped, what repeats repeats. */
#ifndef ORR_CORE_CRON_H
#define ORR_CORE_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "core/zone.h"

typedef struct orr__cron {
  int64_t every_ms;      /* of @every; 0 for a cron expression, and then the rest counts */
  uint64_t minutes;      /* bit n: minute n */
  uint32_t hours;
  uint32_t days;         /* bits 1 to 31 */
  uint16_t months;       /* bits 1 to 12 */
  uint8_t weekdays;      /* bit 0: Sunday, to bit 6 */
  bool is_either_day;    /* both day fields are restricted: one of them is enough */
  bool is_elapsed;       /* `*` in minute or hour: follows elapsed time when the clock is changed */
} orr__cron;

#define ORR__CRON_NEVER INT64_MAX

/* The seed of a Backup, from its uuid. Seeds and what H picks by them are the same on every machine and in every version. */
uint64_t orr__cron_seed(const char *uuid);

/* seed is for H; 0 will do where there is none to pick for. INVALID if text is no schedule. The message ends in the 1-based column of the fault and what was
 * expected there: "'61 * * * *' is no schedule: column 1: minute is 0-59". Blanks around and between
 * fields are free. One that can never fire (30 February) is fine here; ask orr__cron_is_never. */
int orr__cron_parse(const char *text, uint64_t seed, orr__cron *ret_cron, orr_error *reterr);

/* Is there no day at all on which it fires? */
bool orr__cron_is_never(const orr__cron *cron);

/* The first instant strictly after after_ms (since 1970 UTC), or ORR__CRON_NEVER; also from year 9999 on.
 * zone NULL is UTC. anchor_ms counts for @every only. */
int64_t orr__cron_next(const orr__cron *cron, const orr__zone *zone, int64_t anchor_ms, int64_t after_ms);

/* Milliseconds by which a Backup's fires are late, always the same for it: at least 0 and less than seconds. */
int64_t orr__jitter_ms(uint64_t seed, double seconds);

/* Does a fire at at_ms stand for a time on the wall that was left out when the clock was set forward just then?
 * *ret_minute: that time, in minutes since 1970 on the wall; the first if several were left out. */
bool orr__cron_is_owed(const orr__cron *cron, const orr__zone *zone, int64_t at_ms, int64_t *ret_minute);

/* What a change of the clock does to the fire at at_ms, for people: "02:30 does not exist on that day in Europe/Berlin: it
 * fires when the clock goes forward". Owned; NULL if there is nothing to say (or no memory). */
char *orr__cron_note(const orr__cron *cron, const orr__zone *zone, int64_t at_ms);

/* Calls each with every line of what its author may not have meant: "day 31: months without one are left out". */
void orr__cron_warn(const orr__cron *cron, void (*each)(void *arg, const char *line), void *arg);

/* What it means in English, without the zone: "at 02:30 on Monday to Friday", "every 15 minutes".
 * Owned; NULL when memory runs out. */
char *orr__cron_describe(const orr__cron *cron);

#endif
