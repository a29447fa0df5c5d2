/* Retention: which of a Backup's results are kept.
 *
 * A Backup's policy is keepLast (so many of its newest good results) and keepDays (good results that young); where both
 * are set, either keeps. Without one everything is kept. */
#include "core/internal.h"

#include <math.h>

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
  if (orr__json_bool(flow->args, "noRetention", false)) {
    orr__unset(&backup->head, ORR_F_backup_keepLast);
    orr__unset(&backup->head, ORR_F_backup_keepDays);
  }
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
