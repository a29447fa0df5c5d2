/* What a flow is that only tries hooks out: a dry run of a Backup, a call of one hook by its author, a typed line. Nothing of it is
 * stored: no row, no event, no sent mark; saving answers that it is done. */
#ifndef ORR_CORE_TRIAL_H
#define ORR_CORE_TRIAL_H

#include "core/internal.h"

typedef struct orr__trial_run {
  enum orr__trial kind;
  char *provider;            /* whose hooks, where the objects do not say */
  char *eval;                /* the typed line, or NULL */
  orr_backup *previous;      /* of updateBackup */
  orr__json *log;            /* lines of the call at hand: { level, message } */
  orr__json *hooks;          /* of a dry run: what each came to */
  enum orr__hook hook;
} orr__trial_run;

/* Makes flow->trial; NULL: no memory, in flow. */
orr__trial_run *orr__trial_new(orr__flow *flow, enum orr__trial kind);
/* Calls a hook on flow->graph, of which nothing counts as changed yet; then step. */
void orr__trial_hook(orr__flow *flow, enum orr__hook hook, orr__step step);
/* What that came to: { hook, outcome, msg, errors, data, inProgress, dryEnd, acts, changed, log }. NULL: no memory. */
orr__json *orr__trial_view(orr__flow *flow);
/* trial_objects.c: the objects of `objects`, and those that the hook has to have, into flow->graph, flow->config and flow->opts. A
 * connection that is there already stays. 0 or a code with flow->error. */
int orr__trial_objects(orr__flow *flow, const orr__declaration *declaration, enum orr__hook hook, const orr__json *objects);

#endif
