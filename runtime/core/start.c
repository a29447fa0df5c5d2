/* The start: what an earlier runtime left is read, page by page, and taken up.
 *
 *   open rows of the journal, limits, retention  -->  results by their next hook, a page at a time  -->  schedules
 *
 * Most results have no call open and go into the wheel as they are: a million of them are no million flows, and never more than a
 * page of them in memory. core->is_live says that all have been taken up; until then only a few are refreshed. The pages come in the
 * order of an index on the next hook and the id, so that history costs nothing.
 *
 * What is done about one result that needs more is recover.c's. Results that this runtime made, or has in hand already, are not its
 * business. */
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 8192

struct orr__start {
  orr__map open;       /* results with a call left open, by id */
  orr__map jobs;       /* hashes of the uuids that have local jobs */
  int64_t end_id;      /* results beyond it are this runtime's own */
  int hook;            /* whose results are being read */
  int64_t last_id;     /* up to here they have been */
};

void orr__start_free(struct orr__start *start) {
  if (!start) return;
  orr__map_clear(&start->open);
  orr__map_clear(&start->jobs);
  free(start);
}

static void log_line(orr__core *core, enum orr__log_level level, const char *message) {
  core->config.sink.log(core->config.sink.self, level, NULL, message);
}

/* ---- the journal -------------------------------------------------------------------------------------------- */

/* What is read at first, slot by slot. */
enum { INTENT, SENT, CANCELLED, LIMITED, SWEPT, DELETED, KEPT };

static bool is_hook(const orr_op *op, enum orr__hook hook) { return orr__streq(op->hook, orr__hooks[hook].name); }

/* Open ops of no result: drafts, deletions, extractions. Nobody waits for them any more. */
static void take_up_ops(orr__flow *flow, orr__tx *tx, int slot) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, slot, i);
    if (op->id > flow->id) continue; /* begun by ourselves, while the start could not be read */
    bool is_draft = is_hook(op, ORR_HOOK_createBackup) && !op->backupId;
    if (is_draft && orr__streq(op->state, "sent") && op->subjectName) {
      char message[300];
      orr__name_reserve(flow->core, op->subjectName);
      bool is_serve = flow->core->config.role == ORR_ROLE_SERVE;
      if (is_serve && orr__draft_rescue(flow->core, op->id, op->subjectName, op->providerCode, 0, "the runtime ended"))
        continue;
      snprintf(message, sizeof message,
               "createBackup of '%.100s' may have made it outside before the runtime ended; see, then: orrery backup "
               "resolve",
               op->subjectName);
      log_line(flow->core, ORR_LOG_WARNING, message);
    } else if (is_hook(op, ORR_HOOK_updateBackup) && orr__streq(op->state, "sent")) {
      orr__update_lost(flow, tx, op);
    } else if (is_hook(op, ORR_HOOK_testConnection) || is_hook(op, ORR_HOOK_listBackupResults)) {
      orr__tx_delete(tx, ORR_M_op, op->id);
    } else if (!op->resultId || is_hook(op, ORR_HOOK_deleteBackupResult) || is_hook(op, ORR_HOOK_extractBackup)) {
      bool goes_on = is_hook(op, ORR_HOOK_deleteBackupResult) || is_hook(op, ORR_HOOK_deleteBackup);
      orr__recover_close(flow, tx, &op->head,
                         goes_on ? "the runtime ended during this call" : "the runtime ended during this call; ask again");
    }
  }
}

static void note_open(orr__flow *flow, int slot) {
  for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, slot, i);
    if (op->resultId && op->id < flow->id) orr__map_put(&flow->start->open, (uint64_t)op->resultId, flow);
  }
}

/* ---- results ------------------------------------------------------------------------------------------------ */

/* A refresh is due at once, for when it would have been is not stored each time. Everything else keeps its date: a look-up
 * before the visibility delay finds nothing of what is still to come. */
static int64_t due_in_ms(const orr__core *core, int hook, const orr_result *result) {
  bool is_refresh = hook == ORR_HOOK_refreshBackupResult || hook == ORR_HOOK_refreshBackupResults;
  int64_t wait = is_refresh ? 0 : result->nextActionDate - orr__now(core);
  return wait > 0 ? wait : 0;
}

static bool is_in_hand(orr__core *core, int64_t id) {
  return orr__subject_of(core, orr__result_key(id)) || orr__wheel_get(core->due, (uint64_t)id, NULL);
}

static void take_up(orr__flow *flow, int hook, const orr_result *result) {
  orr__core *core = flow->core;
  struct orr__start *start = flow->start;
  if (result->id > start->end_id || is_in_hand(core, result->id)) return;
  bool is_plain = !orr__map_get(&start->open, (uint64_t)result->id) && !orr__streq(result->status, "CANCEL_REQUESTED") &&
                  !orr__status_is_terminal(result->status) && hook != ORR_HOOK_deleteBackupResult;
  if (!is_plain) {
    orr__recover_one(core, result->id);
    return;
  }
  bool has_jobs = result->uuid && orr__map_get(&start->jobs, orr__hash64(result->uuid, strlen(result->uuid)));
  if (has_jobs) orr__recover_watch(core, result->uuid);
  orr__wheel_set(core->due, (uint64_t)result->id, orr__loop_mono_ms(core->loop) + due_in_ms(core, hook, result));
}

static void read_page(orr__flow *flow);

static void finish(orr__flow *flow) {
  orr__core *core = flow->core;
  uint64_t id;
  size_t pos = 0;
  while (orr__map_next(&flow->start->open, &pos, &id, NULL))
    orr__recover_one(core, (int64_t)id); /* those that have ended, or need attention */
  core->is_live = true;
  orr__schedule_start(core);
  orr__refresh_arm(core);
  orr__flow_end(flow);
}

static void page_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  struct orr__start *start = flow->start;
  if (core->is_draining) {
    orr__flow_end(flow);
    return;
  }
  if (flow->code) {
    log_line(core, ORR_LOG_ERROR, orr__error_message(&flow->error));
    orr__flow_sleep(flow, orr__backoff_s(1, flow->attempt++), read_page);
    return;
  }
  orr__tx *tx = flow->tx;
  size_t count = orr__tx_rows(tx, 0);
  int hook = start->hook;
  start->last_id = count ? orr__object_id(orr__tx_row(tx, 0, count - 1)) : 0;
  if (count < PAGE) {
    start->hook++;
    start->last_id = 0;
  }
  bool is_last = start->hook == ORR_HOOK_COUNT;
  if (!is_last) read_page(flow); /* read while these are taken up */
  for (size_t i = 0; i < count; i++) take_up(flow, hook, (const orr_result *)orr__tx_row(tx, 0, i));
  orr__refresh_arm(core);
  if (is_last) finish(flow);
}

static void read_page(orr__flow *flow) {
  const struct orr__start *start = flow->start;
  orr__tx *tx = orr__flow_tx(flow);
  const orr__where where[] = {
    { .field = ORR_F_result_nextAction, .compare = ORR_EQ, .text = orr__hooks[start->hook].name },
    { .field = ORR_F_result_id, .compare = ORR_GT, .number = start->last_id },
  };
  uint64_t fields = ORR_BIT(ORR_F_result_status);
  if (start->hook != ORR_HOOK_refreshBackupResult) fields |= ORR_BIT(ORR_F_result_nextActionDate);
  if (start->jobs.len) fields |= ORR_BIT(ORR_F_result_uuid);
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                   .where = where,
                                   .where_count = 2,
                                   .order_field = -1,
                                   .limit = PAGE,
                                   .fields = fields });
  orr__flow_submit(flow, tx, page_loaded);
}

/* ---- the first reading -------------------------------------------------------------------------------------- */

static void started(orr__flow *flow) {
  if (flow->core->config.role == ORR_ROLE_SERVE) {
    read_page(flow);
    return;
  }
  flow->core->is_live = true;
  orr__flow_end(flow);
}

static void take_up_deletion(orr__core *core, const orr_backup *backup) {
  orr__backup_delete_later(core, backup->id, (double)(backup->deleteDate - orr__now(core)) / 1000);
}

static void start_read(orr__flow *flow);

static bool is_kept_wanted(const orr__core *core) { return core->ops && core->ops->remember && !core->is_kept_known; }

/* The backend knows what is kept of its providers, or the store cannot say it just now: requests may go on. */
static void let_in(orr__flow *flow) {
  orr__core *core = flow->core;
  if (!flow->code && is_kept_wanted(core)) {
    orr__kept_take(core, flow->tx, KEPT);
    core->is_kept_known = true;
  }
  if (flow->is_holding) orr__flow_release(flow);
}

static void start_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  let_in(flow);
  if (flow->code) {
    log_line(core, ORR_LOG_ERROR, orr__error_message(&flow->error));
    orr__flow_sleep(flow, orr__backoff_s(1, flow->attempt++), start_read);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  take_up_ops(flow, tx, INTENT);
  take_up_ops(flow, tx, SENT);
  if (core->config.role == ORR_ROLE_SERVE) {
    note_open(flow, INTENT);
    note_open(flow, SENT);
    for (size_t i = 0; i < orr__tx_rows(flow->tx, CANCELLED); i++)
      orr__recover_one(core, orr__object_id(orr__tx_row(flow->tx, CANCELLED, i)));
    for (size_t i = 0; i < orr__tx_rows(flow->tx, LIMITED); i++)
      orr__admit_row(core, (const orr_result *)orr__tx_row(flow->tx, LIMITED, i));
    for (size_t i = 0; i < orr__tx_rows(flow->tx, SWEPT); i++)
      orr__retention_arm(core, (const orr_backup *)orr__tx_row(flow->tx, SWEPT, i));
    for (size_t i = 0; i < orr__tx_rows(flow->tx, DELETED); i++)
      take_up_deletion(core, (const orr_backup *)orr__tx_row(flow->tx, DELETED, i));
  }
  flow->attempt = 1;
  orr__flow_submit(flow, tx, started);
}

static void start_read(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__where intent = { .field = ORR_F_op_state, .compare = ORR_EQ, .text = "intent" };
  orr__where sent = { .field = ORR_F_op_state, .compare = ORR_EQ, .text = "sent" };
  orr__where swept = { .field = ORR_F_backup_retentionDate, .compare = ORR_IS_SET };
  orr__where deleted = { .field = ORR_F_backup_deleteDate, .compare = ORR_IS_SET };
  orr__where cancelled[2] = { { .field = ORR_F_result_attention, .compare = ORR_IS_SET },
                              { .field = ORR_F_result_status, .compare = ORR_EQ, .text = "CANCEL_REQUESTED" } };
  orr__where limited[2] = { { .field = ORR_F_result_nextAction, .compare = ORR_IS_SET },
                            { .field = ORR_F_result_isLimited, .compare = ORR_IS_SET } };
  const uint64_t seat = ORR_BIT(ORR_F_result_providerCode) | ORR_BIT(ORR_F_result_connectionId) |
                        ORR_BIT(ORR_F_result_computeServerId) | ORR_BIT(ORR_F_result_status) |
                        ORR_BIT(ORR_F_result_attention) | ORR_BIT(ORR_F_result_sentDate);
  const orr__query queries[] = {
    [INTENT] = { .model = ORR_M_op, .where = &intent, .where_count = 1 },
    [SENT] = { .model = ORR_M_op, .where = &sent, .where_count = 1 },
    [CANCELLED] = { .model = ORR_M_result, .where = cancelled, .where_count = 2, .fields = 1 },
    [SWEPT] = { .model = ORR_M_backup, .where = &swept, .where_count = 1, .fields = ORR_BIT(ORR_F_backup_retentionDate) },
    [DELETED] = { .model = ORR_M_backup, .where = &deleted, .where_count = 1, .fields = ORR_BIT(ORR_F_backup_deleteDate) },
    [LIMITED] = { .model = ORR_M_result, .where = limited, .where_count = 2, .fields = seat },
  };
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    orr__query query = queries[i];
    query.order_field = -1;
    orr__tx_query(tx, &query);
  }
  if (is_kept_wanted(flow->core)) orr__kept_read(tx);
  orr__flow_submit(flow, tx, start_loaded);
}

static void note_job(void *arg, const char *key) {
  struct orr__start *start = arg;
  orr__map_put(&start->jobs, orr__hash64(key, strlen(key)), start);
}

int orr__core_start(orr__core *core, orr_error *reterr) {
  struct orr__start *start = calloc(1, sizeof *start);
  orr__flow *flow = start ? orr__flow_new(core) : NULL;
  if (!flow) {
    free(start);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  orr__map_init(&start->open);
  orr__map_init(&start->jobs);
  start->end_id = orr__store_last_id(core->store, ORR_M_result);
  flow->start = start;
  flow->id = orr__store_next_id(core->store, ORR_M_op); /* every call of ours comes after it */
  orr_error err = ORR_ERROR_INIT;
  if (core->config.jobs && orr__job_keys(core->config.jobs, note_job, start, &err))
    log_line(core, ORR_LOG_ERROR, orr__error_message(&err));
  orr__error_clear(&err);
  core->is_started = true;
  if (core->ops->remember) orr__flow_try(flow, ORR_START_KEY);
  start_read(flow);
  orr__history_start(core);
  return 0;
}
