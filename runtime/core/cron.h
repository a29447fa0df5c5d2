/* Schedules: five-field cron, the @names, and @every.
 *
 * A schedule is a small value without pointers: copy it as you like. It knows neither the clock nor which
 * backup it belongs to, and it does not keep its text or its zone; callers store those.
 *
 *   MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK
 *     0-59  0-23      1-31    1-12 or JAN-DEC  0-7 or SUN-SAT (0 and 7 are Sunday)
 *
 * A field is a list, with commas, of: everything `*`, a value, a range `a-b`; the first and the last also
 * with a step, a slash and a number, behind them; and H, which picks by a seed, the same for ever, so that a
 * thousand Backups of one schedule do not all start in the same minute:
 *   H          one value of the field; of days only 1-28, which every month has
 *   H(a-b)     one value from a to b
 *   H/n        every n-th value from one of the first n on; of days only of 1-28
 *   H(a-b)/n   the same from a to b
 * A seed has one number for each field, which all H in it share: `H(0-29),H(30-59)` is half an hour apart.
 *
 * If both day fields are restricted (hold no `*`; H restricts), a day that fits either of them will do; otherwise
 * it must fit both. @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly stand for what one
 * expects, all at minute 0: they do not spread. `@every 1h30m` (units d h m s, 1 s to 3650 d) means the instants
 * anchor + k * interval, k >= 0.
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

enum { ORR__CRON_MINUTE, ORR__CRON_HOUR, ORR__CRON_DAY, ORR__CRON_MONTH, ORR__CRON_WEEKDAY, ORR__CRON_FIELDS };

typedef struct orr__cron {
  int64_t every_ms;      /* of @every; 0 for a cron expression, and then the rest counts */
  uint64_t minutes;      /* bit n: minute n */
  uint32_t hours;
  uint32_t days;         /* bits 1 to 31 */
  uint16_t months;       /* bits 1 to 12 */
  uint8_t weekdays;      /* bit 0: Sunday, to bit 6 */
  bool is_either_day;    /* both day fields are restricted: one of them is enough */
  bool is_elapsed;       /* `*` in minute or hour: follows elapsed time when the clock is changed */
  uint8_t picked;        /* bit ORR__CRON_MINUTE and so on: an H is in the field, and another seed means other times */
  uint8_t stepped;       /* the same bits: the field is nothing but a step over all of it */
} orr__cron;

#define ORR__CRON_NEVER INT64_MAX
#define ORR__CRON_SHIFT_LIMIT_MS INT64_C(10800000) /* a change of the clock by this much or more makes a new clock */

/* The seed of a Backup, from its uuid: FNV-1a (64 bits) of its text, stirred by the finisher of SplitMix64. Seeds and what H
 * and jitter pick by them are the same on every machine and in every version; tests hold fixed values. */
uint64_t orr__cron_seed(const char *uuid);

/* seed is for H; 0 will do to check a text before there is a Backup, but what H then picks is not what the Backup
 * will have (ret_cron->picked tells). INVALID if text is no schedule. The message ends in the 1-based column of the
 * fault and what was expected there: "'61 * * * *' is no schedule: column 1: minute is 0-59". Blanks around and
 * between fields are free. One that can never fire (30 February) is fine here; ask orr__cron_is_never. */
int orr__cron_parse(const char *text, uint64_t seed, orr__cron *ret_cron, orr_error *reterr);

/* Is there no day at all on which it fires? */
bool orr__cron_is_never(const orr__cron *cron);

/* The first instant strictly after after_ms (since 1970 UTC), or ORR__CRON_NEVER; also from year 9999 on.
 * zone NULL is UTC. anchor_ms counts for @every only. */
int64_t orr__cron_next(const orr__cron *cron, const orr__zone *zone, int64_t anchor_ms, int64_t after_ms);

/* The first fitting minute on the wall (minutes since 1970 there) from from_minute on, or ORR__CRON_NEVER. Not for
 * @every. */
int64_t orr__cron_next_wall(const orr__cron *cron, int64_t from_minute);

/* Milliseconds by which a Backup's fires are late, always the same for it: at least 0 and less than seconds. It says
 * nothing of what H picks by the same seed. */
int64_t orr__jitter_ms(uint64_t seed, double seconds);

/* Does a fire at at_ms stand for a time on the wall that was left out when the clock was set forward just then?
 * *ret_minute: that time, in minutes since 1970 on the wall; the first if several were left out. */
bool orr__cron_is_owed(const orr__cron *cron, const orr__zone *zone, int64_t at_ms, int64_t *ret_minute);

/* What a change of the clock does to the fire at at_ms, for people: "02:30 does not exist on 2026-03-29 in Europe/Berlin:
 * the clock goes forward from 02:00 to 03:00, so it fires right after, at 03:00"; "02:30 comes twice on 2026-10-25 in
 * Europe/Berlin, for the clock goes back: it fires the first time only". Owned; NULL if there is nothing to say (or no
 * memory). */
char *orr__cron_note(const orr__cron *cron, const orr__zone *zone, int64_t at_ms);

/* Calls each (the line is borrowed) with every line of what the author of a valid schedule may not have meant: days that
 * fit either field, days that not every month has, steps that are uneven where they begin anew, every minute of an
 * hour: "day 31: months without one are left out". */
void orr__cron_warn(const orr__cron *cron, void (*each)(void *arg, const char *line), void *arg);

/* The same for what the zone's clock does to it in the year after from_ms: a `*` schedule that loses a time, an @every
 * of whole days that moves on the wall. */
void orr__cron_warn_clock(const orr__cron *cron, const orr__zone *zone, int64_t from_ms,
                          void (*each)(void *arg, const char *line), void *arg);

/* What it means in English, without the zone: "at 02:30 on Monday to Friday", "every 15 minutes". What H picked
 * is told as what it is, with a word on where it comes from: "at 02:17 every day (minute picked by H)".
 * Owned; NULL when memory runs out. */
char *orr__cron_describe(const orr__cron *cron);

#endif
