/* Clean-ups: what hooks have registered with defer() is done when the result has ended, whatever the end was.
 *
 *   ended, something deferred --> terminal, nextAction = cleanUp --> the hook cleanUp, once for each, the last registered first
 *       success          it is taken off the list; when that is empty the result is over
 *       retry, error     again with back-off, ORR_ERROR_BUDGET times in a row; then, or at a halt, attention cleanup_failing
 *
 * The list is stored with the result before defer() returns, so a clean-up survives whoever registered it. A clean-up may be run
 * again after a crash: authors make it repeatable, like a deletion. The status never changes here. */
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>

bool orr__result_cleans_up(const orr_result *result) {
  return orr__streq(result->nextAction, orr__hooks[ORR_HOOK_cleanUp].name);
}

bool orr__result_is_over(const orr_result *result) {
  return orr__status_is_terminal(result->status) && !orr__result_cleans_up(result);
}

/* The list is a map from numbers to { name, args }: the last registered has the highest. */
static const orr__json *last_entry(const orr__json *list, long long *ret_number) {
  const orr__json *last = NULL;
  *ret_number = 0;
  for (const orr__json *m = orr__json_first(list); m; m = orr__json_next(m)) {
    long long number = strtoll(orr__json_key(m), NULL, 10);
    if (last && number < *ret_number) continue;
    last = m;
    *ret_number = number;
  }
  return last;
}

static void take_off(orr__flow *flow) {
  orr__object *o = &flow->graph.result->head;
  orr__json *list = orr__object_map(o, ORR_F_result_deferred);
  long long number;
  char key[24];
  if (!list) return; /* no memory: it is done again */
  last_entry(list, &number);
  snprintf(key, sizeof key, "%lld", number);
  orr__json_remove(list, key);
  if (orr__json_first(list))
    orr__object_set_map(o, ORR_F_result_deferred, list);
  else
    orr__unset(o, ORR_F_result_deferred);
  orr__json_free(list);
}

static void finish(orr__flow *flow) {
  orr__object *o = &flow->graph.result->head;
  orr__set_int(o, ORR_F_result_errorCount, 0);
  orr__unset(o, ORR_F_result_nextAction);
  orr__unset(o, ORR_F_result_nextActionDate);
}

static void cleaned(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  enum orr__outcome outcome = flow->answer.outcome;
  if (outcome > ORR_OUTCOME_HALT && flow->core->is_draining) {
    orr__flow_leave(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  if (outcome == ORR_OUTCOME_SUCCESS) {
    take_off(flow);
    orr__set_int(&result->head, ORR_F_result_errorCount, 0);
    orr__flow_event(flow, tx, "result.cleanedUp", "info", "clean-up '%s' is done", flow->call_name);
    if (result->deferred)
      orr__result_next(flow, ORR_HOOK_cleanUp, 0);
    else
      finish(flow);
  } else {
    int64_t errors = result->errorCount + 1;
    orr__set_int(&result->head, ORR_F_result_errorCount, errors);
    double wait = flow->answer.retry_after >= 0 && outcome == ORR_OUTCOME_RETRY ? flow->answer.retry_after
                                                                                : orr__backoff_s(5, (int)errors);
    orr__flow_event(flow, tx, "result.cleanUp", "warning", "clean-up '%s': %s", flow->call_name,
                    orr__answer_text(&flow->answer));
    if (outcome == ORR_OUTCOME_HALT || errors >= ORR_ERROR_BUDGET)
      orr__result_attention(flow, "cleanup_failing");
    else
      orr__result_next(flow, ORR_HOOK_cleanUp, wait);
  }
  orr__result_commit(flow, tx);
}

static void intended(orr__flow *flow) {
  if (flow->code)
    orr__flow_end(flow); /* nothing was asked; the wheel brings it back */
  else
    orr__flow_hook(flow, ORR_HOOK_cleanUp, cleaned);
}

void orr__clean_up_go(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__json *list = result->deferred ? orr__object_map(&result->head, ORR_F_result_deferred) : NULL;
  long long number;
  const orr__json *entry = list ? last_entry(list, &number) : NULL, *args = entry ? orr__json_get(entry, "args") : NULL;
  orr__tx *tx = orr__flow_tx(flow);
  if (!entry && result->deferred) { /* no memory: later */
    orr__tx_free(tx);
    orr__json_free(list);
    orr__flow_end(flow);
    return;
  }
  if (!entry) {
    finish(flow);
    orr__result_commit(flow, tx);
    return;
  }
  orr__json_free(flow->config);
  free(flow->call_name);
  flow->config = args ? orr__json_copy(args) : orr__json_map();
  flow->call_name = orr__strdup(orr__json_str(entry, "name"));
  flow->attempt = (int)result->errorCount + 1;
  orr__json_free(list);
  orr__flow_intend(flow, tx, ORR_HOOK_cleanUp);
  orr__flow_submit(flow, tx, intended);
}
