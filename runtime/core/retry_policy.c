/* The retry policy of a Backup: an execution that has FAILED is run again, as a new result, some time later.
 *
 *   FAILED, retries left --> in the same transaction: a new result, linked by retryOf, START_REQUESTED and due after the delay
 *
 * The end of the old result and the new one are one transaction, so a retry is neither lost nor made twice; also where a hook saves the end
 * itself, by backupResult:save(), and goes on. Only the word of a hook counts: what a person has given up, or cancelled, is not run again. Nothing here knows how an execution goes. */
#include "core/internal.h"

#include <math.h>
#include <stdlib.h>

#define ORR_RETRIES_MAX 100
#define ORR_RETRY_DELAY_S 60.0

int orr__retry_apply(orr__flow *flow, orr_backup *backup) {
  const orr__json *attempts = orr__json_get(flow->args, "retryAttempts"),
                  *delay = orr__json_get(flow->args, "retryDelay");
  double count = orr__json_num(flow->args, "retryAttempts", -1), seconds = orr__json_num(flow->args, "retryDelay", -1);
  if (attempts && !(count >= 0 && count <= ORR_RETRIES_MAX && count == floor(count)))
    orr__error_field(&flow->error, "retryAttempts", "is a whole number from 0 to %d", ORR_RETRIES_MAX);
  if (delay && !(seconds >= 1 && seconds <= 86400))
    orr__error_field(&flow->error, "retryDelay", "is seconds, from 1 to 86400");
  if (flow->error.code) return flow->code = flow->error.code;
  if (attempts && count > 0)
    orr__set_int(&backup->head, ORR_F_backup_retryAttempts, (int64_t)count);
  else if (attempts)
    orr__unset(&backup->head, ORR_F_backup_retryAttempts);
  if (delay) orr__set_num(&backup->head, ORR_F_backup_retryDelay, seconds);
  return 0;
}

static bool is_wanted(const orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  const orr_backup *backup = flow->graph.backup;
  return orr__streq(result->status, "FAILED") && backup && result->retryNumber < backup->retryAttempts &&
         !result->previousStatus && !flow->next_result;
}

/* A new result like the one that has ended. NULL: flow->code and flow->error, and then the end goes without a retry. */
static orr_result *like(orr__flow *flow) {
  orr_result *old = flow->graph.result;
  orr__json *config = flow->config, *opts = flow->opts;
  flow->graph.result = NULL;
  flow->config = orr__object_map(&old->head, ORR_F_result_executionConfig);
  flow->opts = old->callerOpts ? orr__object_map(&old->head, ORR_F_result_callerOpts) : NULL;
  int code = flow->config && (flow->opts || !old->callerOpts) ? orr__run_prepare(flow, "retry", old->requestedBy, -1)
                                                              : ORR_E_NOMEM;
  orr_result *made = flow->graph.result;
  orr__json_free(flow->config);
  orr__json_free(flow->opts);
  flow->config = config;
  flow->opts = opts;
  flow->graph.result = old;
  if (code == 0) return made;
  orr__object_free((orr__object *)made);
  flow->code = 0;
  orr__error_clear(&flow->error);
  return NULL;
}

void orr__retry_write(orr__flow *flow, orr__tx *tx) {
  orr_result *old = flow->graph.result, *made = is_wanted(flow) ? like(flow) : NULL;
  if (!made) return;
  orr__object *o = &made->head;
  int64_t number = old->retryNumber + 1;
  bool has_delay = orr__object_has(&flow->graph.backup->head, ORR_F_backup_retryDelay);
  double wait = orr__backoff_s(has_delay ? flow->graph.backup->retryDelay : ORR_RETRY_DELAY_S, (int)number);
  char *text = orr__strf("runs again after %g s (retry %lld of %lld)", wait, (long long)number,
                         (long long)flow->graph.backup->retryAttempts);
  orr__set_str(o, ORR_F_result_retryOf, old->uuid);
  orr__set_int(o, ORR_F_result_retryNumber, number);
  if (orr__object_has(&old->head, ORR_F_result_scheduledDate))
    orr__set_int(o, ORR_F_result_scheduledDate, old->scheduledDate);
  orr__set_str(o, ORR_F_result_statusMessage, text);
  orr__set_str(o, ORR_F_result_nextAction, orr__hooks[ORR_HOOK_prepareExecuteBackup].name);
  orr__set_int(o, ORR_F_result_nextActionDate, orr__now(flow->core) + (int64_t)(wait * 1000));
  orr__set_int(o, ORR_F_result_deadlineDate, made->deadlineDate + (int64_t)(wait * 1000));
  orr__tx_insert(tx, o);
  flow->graph.result = made; /* the event is about it */
  orr__flow_event(flow, tx, "result.accepted", "info", "accepted (retry): %s", text ? text : "");
  flow->graph.result = old;
  free(text);
  flow->next_result = made;
}

void orr__retry_arm(orr__core *core, orr_result *made) {
  if (!made) return;
  orr__object_clean(&made->head);
  int64_t wait = made->nextActionDate - orr__now(core);
  orr__wheel_set(core->due, (uint64_t)made->id, orr__loop_mono_ms(core->loop) + (wait > 0 ? wait : 0));
  orr__refresh_arm(core);
  orr__result_changed(core, made);
  orr__object_free((orr__object *)made);
}

void orr__retry_go(orr__flow *flow) {
  orr_result *made = flow->next_result;
  flow->next_result = NULL;
  orr__retry_arm(flow->core, made);
}
