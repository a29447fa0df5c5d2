/* What a pass of retention carries with it, for retention_pass.c, which makes it, and retention_request.c, which asks for one. */
#ifndef ORR_CORE_SWEEP_H
#define ORR_CORE_SWEEP_H

#include "core/internal.h"

#define ORR_SWEEPS_MAX 4     /* passes at a time */
#define ORR_SWEEP_BATCH 64   /* results listed at a time; then other Backups have their turn */
#define ORR_SWEEP_REFUSALS 5 /* in a row, and the pass rests */

typedef struct orr__sweep {
  orr__keep keep;
  int64_t judged_ms;           /* the time of the last judgement */
  int64_t next_ms;             /* when the next pass is due; -1: after the next good result */
  int64_t asked_ms;            /* somebody asked for it then: what has been refused before is asked again; 0: nobody */
  bool is_counted;             /* against ORR_SWEEPS_MAX */
  bool is_again;               /* what it has seen is not true any more */
  bool is_stopped;             /* by that: the batch is not gone on with */
  bool is_dry;                 /* only looks */
  int refusals;                /* in a row */
  int restarts;                /* of one that somebody asked for */
  size_t done;                 /* of this batch: deleted or refused */
  orr_error failure;           /* for the reply */
  orr__json *deleted, *halted; /* for the reply, or NULL */
} orr__sweep;

/* As a step: holds the subject orr__sweep_key(flow->id) and has a sweep. It goes on to the end, and replies to a request. */
void orr__sweep_begin(orr__flow *flow);
/* Replies with what the sweep has done and what is left of the Backup's results, then next. */
void orr__sweep_reply(orr__flow *flow, orr__step next);
orr__json *orr__sweep_view(const orr_result *result);
/* Refusals that may be asked again up to this date are. */
static inline int64_t orr__sweep_due(const orr__flow *flow) {
  const int64_t day_ms = 86400000;
  return flow->sweep->asked_ms ? flow->sweep->asked_ms + day_ms - 1 : orr__now(flow->core);
}

#endif
