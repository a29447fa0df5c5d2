/* Extraction: the output of a good result, packaged by its provider for whoever asks.
 *
 * The flow holds the result for as long as the hook runs, so nothing deletes it meanwhile. Knows nothing of what is written, or where. */
#include "core/internal.h"

static void extract_replied(orr__flow *flow) {
  if (flow->findings.code) {
    orr__flow_fail(flow, flow->findings.code, &flow->findings);
  } else {
    orr__json *out = orr__json_parse_map(flow->answer.data, NULL);
    if (out && flow->answer.msg) orr__json_put_str(out, "msg", flow->answer.msg);
    if (out) orr__flow_reply(flow, out);
    orr__json_free(out);
  }
  orr__flow_end(flow);
}

static void extracted(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  if (flow->answer.outcome != ORR_OUTCOME_SUCCESS)
    orr__answer_error(&flow->answer, ORR_HOOK_extractBackup, &flow->findings);
  orr__flow_write(flow, tx);
  orr__flow_submit(flow, tx, extract_replied);
}

static void extract_intended(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_hook(flow, ORR_HOOK_extractBackup, extracted);
}

static void extract_loaded(orr__flow *flow) {
  const orr_result *result = flow->graph.result;
  if (!flow->code && !orr__streq(result->status, "SUCCEEDED") && !orr__streq(result->status, "SUCCEEDED_WARNING"))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "result %lld is %s: there is nothing to extract",
                                (long long)result->id, result->status);
  if (!flow->code && orr__flow_declaration(flow) && !orr__flow_has_hook(flow, ORR_HOOK_extractBackup))
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "the provider '%s' cannot extract",
                                flow->graph.backup->providerCode);
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_intend(flow, tx, ORR_HOOK_extractBackup);
  orr__flow_submit(flow, tx, extract_intended);
}

static void extract_held(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_result, flow->id, extract_loaded);
}

static void extract_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__recover_one(flow->core, flow->id);
  orr__flow_acquire(flow, orr__result_key(flow->id), false, extract_held);
}

void orr__request_result_extract(orr__flow *flow) {
  orr__removal_opts(flow, "manual");
  if (flow->extra) orr__json_put_str(flow->extra, "destination", orr__json_str(flow->args, "destination"));
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), extract_found);
}
