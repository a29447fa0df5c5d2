/* The deadline of a result: nothing is in progress for ever.
 *
 *   a refresh past the deadline, not at its end
 *     --> cancelBackup, as if somebody had asked for it     refused: FAILED, with the reason
 *                                                           accepted: refreshed for a grace, then FAILED
 *     --> no such hook: attention overdue, for a person
 *   gone, and attention lost_external                       looked for once more at the deadline; still gone: FAILED
 *
 * FAILED here says that it was not at its end in time, and nothing of the outside: an event lists it as an orphan, whose job may still run.
 * Where the outside cannot be asked at all, that is attention, and none of this file's. */
#include <stdlib.h>

#include "core/internal.h"

#define ORR_GRACE_REFRESHES 10 /* so many refresh intervals has a cancel to take effect */

bool orr__is_overdue(const orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  return orr__object_has(&result->head, ORR_F_result_deadlineDate) && orr__now(flow->core) >= result->deadlineDate;
}

bool orr__result_is_parked(const orr_result *result) {
  return result->attention && !(orr__streq(result->attention, "lost_external") && result->nextAction);
}

void orr__overdue_grace(orr__flow *flow) {
  double grace_s = ORR_GRACE_REFRESHES * orr__refresh_interval(flow);
  orr__set_int(&flow->graph.result->head, ORR_F_result_deadlineDate,
               orr__now(flow->core) + (int64_t)(grace_s * 1000));
}

void orr__overdue_end(orr__flow *flow, orr__tx *tx, const char *why) {
  orr_result *result = flow->graph.result;
  char *message = orr__strf("not at its end by its deadline: %s", why && *why ? why : "nothing is known of its end");
  orr__result_finish(flow, "FAILED", message);
  orr__flow_event(flow, tx, "result.orphan", "warning", "refreshing has stopped; the external job %s may still run",
                  result->externalId ? result->externalId : "");
  free(message);
}

/* Has it been given its grace? Its deadline then lies further from its beginning than is declared. */
static bool had_grace(orr__flow *flow, const orr__declaration *declaration) {
  const orr_result *result = flow->graph.result;
  double timeout_s = declaration->timeout > 0 ? declaration->timeout : ORR_DEFAULT_TIMEOUT_S;
  return result->deadlineDate - result->createdDate > (int64_t)(timeout_s * 1000);
}

void orr__overdue(orr__flow *flow, orr__tx *tx) {
  orr_result *result = flow->graph.result;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  if (!declaration || !orr__declares(declaration, ORR_HOOK_cancelBackup)) {
    orr__result_attention(flow, "overdue");
    return;
  }
  if (!orr__streq(result->status, "CANCEL_REQUESTED")) {
    orr__set_str(&result->head, ORR_F_result_previousStatus, result->status);
    orr__set_str(&result->head, ORR_F_result_status, "CANCEL_REQUESTED");
    orr__flow_event(flow, tx, "result.overdue", "warning", "not at its end by its deadline: a cancel is requested");
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, 0); /* its hook comes first (recover.c) */
  } else if (!had_grace(flow, declaration)) {
    orr__overdue_grace(flow);
    orr__result_next(flow, ORR_HOOK_refreshBackupResult, orr__refresh_interval(flow));
  } else {
    orr__overdue_end(flow, tx, "a cancel was requested, and nothing came of it");
  }
}
