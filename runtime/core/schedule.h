/* What the files of schedules share.
 *
 *   schedule.c        set, checked, opened, described
 *   schedule_plan.c   what becomes of the instants between the cursor and now: a pure function
 *   schedule_fire.c   carries that out: writes results and skips
 *   schedule_wheel.c  wakes for it
 *   schedule_look.c   the requests
 *
 * An instant is what the cron text says, and what scheduledDate of a result is. A fire comes the Backup's jitter later. The
 * cursor is the last instant that was dealt with. */
#ifndef ORR_CORE_SCHEDULE_H
#define ORR_CORE_SCHEDULE_H

#include "core/blackout.h"
#include "core/cron.h"
#include "core/internal.h"

#define ORR_SCHEDULE_GRACE_MS 60000   /* a fire this late or less is on time; after that it was missed */
#define ORR_MISFIRES_MAX 100          /* made up for with the policy all */

enum orr__misfire { ORR_MISFIRE_ONE, ORR_MISFIRE_ALL, ORR_MISFIRE_NONE };
enum orr__overlap { ORR_OVERLAP_SKIP, ORR_OVERLAP_BUFFER_ONE, ORR_OVERLAP_ALLOW };

/* A Backup's schedule, ready for use. */
typedef struct orr__schedule {
  orr__cron cron;
  orr__zone *zone;
  orr__blackouts *blackouts;          /* NULL: none */
  int64_t anchor_ms, jitter_ms;
  int64_t deadline_ms;                /* after the instant; INT64_MAX: none */
  enum orr__misfire misfire;
  enum orr__overlap overlap;
  bool is_zone_missing;               /* why it could not be opened */
} orr__schedule;

/* INVALID, CORRUPT, IO, NOMEM: then there is nothing to close. */
int orr__schedule_open(orr__core *core, const orr_backup *backup, orr__schedule *ret, orr_error *reterr);
void orr__schedule_close(orr__schedule *schedule);
/* The first instant after another one, ORR__CRON_NEVER if there is none. */
int64_t orr__schedule_instant(const orr__schedule *schedule, int64_t after_ms);
/* Does its fire fall into a blackout? *ret_end_ms (may be NULL): until when that lasts. */
bool orr__schedule_is_held(const orr__schedule *schedule, int64_t instant_ms, int64_t *ret_end_ms);
/* The first instant after after_ms that no blackout holds, or ORR__CRON_NEVER. */
int64_t orr__schedule_instant_free(const orr__schedule *schedule, int64_t after_ms);
/* In English, blackouts included, without the zone. Owned; NULL when memory runs out. */
char *orr__schedule_meaning(const orr__schedule *schedule);
/* Appends what a person should know of the schedule, in the year after from_ms, to a list. */
void orr__schedule_warnings(const orr__schedule *schedule, int64_t from_ms, orr__json *list);

/* ---- schedule_plan.c ---------------------------------------------------------------------------------------- */

/* Why an instant has no result. */
enum orr__skip {
  ORR_SKIP_MISSED,      /* nobody was there to fire it in time */
  ORR_SKIP_TOO_LATE,    /* past its start deadline */
  ORR_SKIP_OVERLAP,     /* an earlier result was running */
  ORR_SKIP_BLACKOUT,
  ORR_SKIP_CONNECTION,  /* its connection is not enabled */
  ORR_SKIP_PAUSED,      /* it waited when the schedule was paused */
  ORR_SKIP_CHANGED,     /* it waited when the schedule was changed */
  ORR_SKIP_REQUESTED,   /* somebody asked for that */
  ORR_SKIP_COUNT
};
extern const char *const orr__skip_words[ORR_SKIP_COUNT];

/* Neighbouring instants that are skipped for one reason. */
typedef struct orr__skip_run {
  enum orr__skip reason;
  int64_t first_ms, last_ms, count;
  int64_t until_ms;                   /* of a blackout */
  bool is_apart;                      /* one that was buffered: others lie between it and the next run */
} orr__skip_run;

enum { ORR_SKIP_RUNS = 1000, ORR_PLAN_INSTANTS = 50000 }; /* at most, in one plan: then there is another one */

/* What the plan is made from. */
typedef struct orr__plan_facts {
  const orr__schedule *schedule;
  int64_t now_ms, cursor_ms;
  int64_t buffered_ms;                /* -1: none */
  bool is_running;                    /* a result of the Backup that counts as overlap */
  bool is_connection_off;
  int64_t skips;                      /* so many of those that would fire are skipped instead: somebody asked for that */
} orr__plan_facts;

/* What is to be done, in one transaction. */
typedef struct orr__plan {
  orr__skip_run *runs;
  size_t run_count, run_cap;
  int64_t fire_ms;                    /* the instant that fires, -1: none */
  int64_t cursor_ms, buffered_ms;     /* afterwards */
  int64_t skipped;                    /* of facts.skips */
  int64_t wake_ms;                    /* wall: look again then; -1: at the next instant */
  bool is_waiting_for_end;            /* look again when what runs has ended */
  bool is_stopped;                    /* what comes next waits, too: not to be looked at before */
} orr__plan;

/* 0 or NOMEM. Owned: orr__plan_clear. */
int orr__plan_make(const orr__plan_facts *facts, orr__plan *ret);
void orr__plan_clear(orr__plan *plan);
/* The instants of (cursor_ms, until_ms] as skips of one reason, a blackout's as such. 0 or NOMEM. */
int orr__plan_drop(const orr__schedule *schedule, int64_t cursor_ms, int64_t until_ms, enum orr__skip reason, orr__plan *ret);
int orr__plan_skip(orr__plan *plan, enum orr__skip reason, int64_t instant_ms, int64_t until_ms);
/* The same for one that was buffered. */
int orr__plan_skip_buffered(orr__plan *plan, enum orr__skip reason, int64_t instant_ms);

/* ---- schedule_wheel.c --------------------------------------------------------------------------------------- */

/* Looks at the Backup then, whatever else is known of it: by the wall clock, or in a while. */
void orr__schedule_wake(orr__core *core, int64_t backup_id, int64_t wall_ms);
void orr__schedule_look(orr__core *core, int64_t backup_id, int64_t wait_ms);

/* ---- schedule_fire.c ---------------------------------------------------------------------------------------- */

void orr__schedule_fire(orr__core *core, int64_t backup_id); /* looks now: a flow of its own */
/* What the transaction is built on: the cursor and what goes with it are as they were read. */
void orr__schedule_guard(orr__tx *tx, const orr_backup *backup);
/* The events of a plan's skips. who: who asked for that, or NULL. 0 or NOMEM. */
int orr__schedule_record(orr__flow *flow, orr__tx *tx, const orr__plan *plan, const char *who);

#endif
