/* Retention: what a Backup's policy says of its results.
 *
 * keepLast keeps so many of its newest good results (SUCCEEDED, SUCCEEDED_WARNING), keepDays those that ended so many days ago or
 * later; where both are set, either keeps. The newest good one is always kept. Results that ended without output (FAILED, CANCELLED)
 * are kept as long as an older good one is. What runs, or needs attention, is no business of retention. Results are counted per
 * Backup, whatever server they were for.
 *
 *   id:   1      2      3      4      5      6      7      8
 *         good   fail   good   fail   good   good   run    good      keepLast 2
 *         goes   goes   goes   goes   goes   line...............     line = oldest = 6
 *
 * A judgement is three reads, whatever the history: none loads more than one row. Deleting is retention_pass.c's. */
#include "core/internal.h"

#include <math.h>

#define DAY_MS 86400000.0
#define KEEP_LAST_MAX 1000000
#define KEEP_DAYS_MAX 36500

static int apply_last(orr__flow *flow, orr__object *backup) {
  double number = orr__json_num(flow->args, "keepLast", 0);
  if (!(number >= 1 && number <= KEEP_LAST_MAX) || number != floor(number))
    return orr__error_set(&flow->error, ORR_E_INVALID,
                          "keepLast is how many good results are kept: a whole number from 1 to %d", KEEP_LAST_MAX);
  return orr__set_int(backup, ORR_F_backup_keepLast, (int64_t)number);
}

static int apply_days(orr__flow *flow, orr__object *backup) {
  double number = orr__json_num(flow->args, "keepDays", 0);
  if (!(number > 0 && number <= KEEP_DAYS_MAX))
    return orr__error_set(&flow->error, ORR_E_INVALID,
                          "keepDays is for how many days good results are kept: above 0, up to %d", KEEP_DAYS_MAX);
  return orr__set_num(backup, ORR_F_backup_keepDays, number);
}

int orr__retention_apply(orr__flow *flow, orr_backup *backup) {
  bool has_last = orr__json_get(flow->args, "keepLast"), has_days = orr__json_get(flow->args, "keepDays");
  bool has_none = orr__json_bool(flow->args, "noRetention", false);
  if (has_none) {
    orr__unset(&backup->head, ORR_F_backup_keepLast);
    orr__unset(&backup->head, ORR_F_backup_keepDays);
  }
  if (backup->id && (has_none || has_last || has_days))
    orr__set_int(&backup->head, ORR_F_backup_retentionDate, orr__now(flow->core));
  if (!has_last && !has_days) return 0;
  const orr__declaration *declaration = orr__flow_declare(flow, backup->providerCode);
  if (!declaration) return flow->code;
  if (!orr__declares(declaration, ORR_HOOK_deleteBackupResult))
    return orr__error_set(&flow->error, ORR_E_INVALID,
                          "%s needs a provider that deletes results: the provider '%s' cannot",
                          has_last ? "keepLast" : "keepDays", declaration->code);
  int code = has_last ? apply_last(flow, &backup->head) : 0;
  return code == 0 && has_days ? apply_days(flow, &backup->head) : code;
}

/* ---- a judgement -------------------------------------------------------------------------------------------- */

bool orr__keeps_all(const orr_backup *backup) {
  return !orr__object_has(&backup->head, ORR_F_backup_keepLast) &&
         !orr__object_has(&backup->head, ORR_F_backup_keepDays);
}

static bool has_days(const orr_backup *backup) { return orr__object_has(&backup->head, ORR_F_backup_keepDays); }

static int64_t cutoff(const orr_backup *backup, int64_t now_ms) {
  return now_ms - (int64_t)(backup->keepDays * DAY_MS);
}

/* Both words of a good result begin so, and no other does. */
#define IS_GOOD \
  { .field = ORR_F_result_status, .compare = ORR_PREFIX, .text = "SUCCEEDED" }

static bool is_good(const orr_result *result) { return orr__starts_with(result->status, "SUCCEEDED"); }

int orr__keep_read(orr__tx *tx, const orr_backup *backup, int64_t now_ms) {
  orr__where where[3] = { { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = backup->id }, IS_GOOD };
  orr__query query = {
    .model = ORR_M_result, .where = where, .where_count = 2, .order_field = -1, .limit = 1, .fields = 1
  };
  int slot = orr__tx_query(tx, &query); /* the oldest good one */
  query.is_descending = true;
  query.skip = orr__object_has(&backup->head, ORR_F_backup_keepLast) ? (size_t)backup->keepLast - 1 : 0;
  orr__tx_query(tx, &query); /* the last that counts */
  if (!has_days(backup)) return slot;
  where[2] = (orr__where){ .field = ORR_F_result_endDate, .compare = ORR_GE, .number = cutoff(backup, now_ms) };
  query.where_count = 3;
  query.is_descending = false;
  query.skip = 0;
  orr__tx_query(tx, &query); /* the oldest that is young enough */
  return slot;
}

static int64_t id_in(const orr__tx *tx, int slot) {
  const orr__object *row = orr__tx_row(tx, slot, 0);
  return row ? orr__object_id(row) : 0;
}

void orr__keep_take(const orr__tx *tx, int slot, const orr_backup *backup, int64_t now_ms, orr__keep *ret_keep) {
  int64_t first = id_in(tx, slot), line = id_in(tx, slot + 1), young = has_days(backup) ? id_in(tx, slot + 2) : 0;
  orr__keep keep = { .line = line ? line : first, .cutoff_ms = has_days(backup) ? cutoff(backup, now_ms) : INT64_MAX };
  keep.oldest = young && young < keep.line ? young : keep.line;
  *ret_keep = keep;
}

bool orr__keep_drops(const orr__keep *keep, const orr_result *result) {
  if (!orr__status_is_terminal(result->status) || result->attention || result->nextAction) return false;
  if (!is_good(result)) return result->id < keep->oldest;
  return result->id < keep->line && result->endDate < keep->cutoff_ms;
}

size_t orr__keep_where(const orr__keep *keep, int64_t backup_id, enum orr__keep_part part,
                       orr__where where[ORR_KEEP_WHERE]) {
  size_t count = 0;
  where[count++] = (orr__where){ .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = backup_id };
  where[count++] = (orr__where){ .field = ORR_F_result_nextAction, .compare = ORR_IS_UNSET };
  where[count++] = (orr__where){ .field = ORR_F_result_attention, .compare = ORR_IS_UNSET };
  if (part == ORR_KEEP_EARLIER) {
    where[count++] = (orr__where){ .field = ORR_F_result_id, .compare = ORR_LT, .number = keep->oldest };
    return count;
  }
  where[count++] = (orr__where){ .field = ORR_F_result_id, .compare = ORR_GT, .number = keep->oldest };
  where[count++] = (orr__where){ .field = ORR_F_result_id, .compare = ORR_LT, .number = keep->line };
  where[count++] = (orr__where)IS_GOOD;
  where[count++] = (orr__where){ .field = ORR_F_result_endDate, .compare = ORR_LT, .number = keep->cutoff_ms };
  return count;
}

bool orr__result_left_nothing(orr__core *core, const orr_result *result) {
  static const int references[] = { ORR_F_result_externalId, ORR_F_result_internalId, ORR_F_result_snapshotId,
                                    ORR_F_result_processId,  ORR_F_result_resultPath, ORR_F_result_resultArchive };
  for (size_t i = 0; i < sizeof references / sizeof *references; i++)
    if (orr__object_has(&result->head, references[i])) return false;
  return !is_good(result) && !orr__result_may_run(core, result);
}

void orr__retention_write(orr__flow *flow, orr__tx *tx) {
  const orr_result *result = flow->graph.result;
  const orr_backup *backup = flow->graph.backup;
  if (!backup || !backup->id || !is_good(result) || orr__keeps_all(backup)) return;
  orr_backup *row = orr__backup_new(); /* of the flow's own, only what a hook wrote is to be written */
  if (!row) return;
  orr__set_int(&row->head, ORR_F_backup_id, backup->id);
  orr__set_int(&row->head, ORR_F_backup_retentionDate, orr__now(flow->core));
  orr__tx_update(tx, &row->head, ORR_BIT(ORR_F_backup_retentionDate));
  orr__object_free(&row->head);
}
