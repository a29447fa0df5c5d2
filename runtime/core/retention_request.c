/* Requests about retention: backup.prune, and what backup.show says of it.
 *
 * A prune is a pass that somebody waits for: it goes on until nothing goes, and asks for what was refused before once more. A dry one
 * only judges and lists. Knows nothing of how results are deleted. */
#include "core/internal.h"
#include "core/sweep.h"

#include <stdlib.h>

#define LIST_MAX 1000 /* of a dry look */

orr__json *orr__sweep_view(const orr_result *result) {
  static const int fields[] = { ORR_F_result_id,      ORR_F_result_uuid,        ORR_F_result_status,
                                ORR_F_result_endDate, ORR_F_result_sizeInBytes, ORR_F_result_deleteMessage };
  orr__json *map = orr__json_map();
  for (size_t i = 0; map && i < sizeof fields / sizeof *fields; i++) {
    const orr__field *field = &orr__models[ORR_M_result].fields[fields[i]];
    if (!orr__object_has(&result->head, fields[i])) continue;
    if (field->type == ORR_T_STR || field->type == ORR_T_STATUS)
      orr__json_put_str(map, field->name, orr__get_str(&result->head, fields[i]));
    else
      orr__json_put_int(map, field->name, orr__get_int(&result->head, fields[i]));
  }
  return map;
}

/* ---- counts ------------------------------------------------------------------------------------------------- */

/* All results of the Backup, those of each part that go, and those that were refused: five slots from flow->slot. */
enum { ALL, GOES, REFUSED = GOES + ORR_KEEP_PARTS, COUNTS };

static void read_counts(orr__flow *flow, orr__tx *tx, int64_t backup_id, const orr__keep *keep) {
  orr__where where[ORR_KEEP_WHERE] = { { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = backup_id },
                                       { .field = ORR_F_result_deleteDate, .compare = ORR_IS_SET } };
  orr__query query = { .model = ORR_M_result, .where = where, .where_count = 1, .order_field = -1 };
  flow->slot = orr__tx_count(tx, &query);
  for (int part = 0; part < ORR_KEEP_PARTS; part++) {
    orr__where going[ORR_KEEP_WHERE];
    query.where = going;
    query.where_count = orr__keep_where(keep, backup_id, (enum orr__keep_part)part, going);
    orr__tx_count(tx, &query);
  }
  query.where = where;
  query.where_count = 2;
  orr__tx_count(tx, &query);
}

static void put_counts(const orr__flow *flow, orr__json *out) {
  int64_t goes = 0;
  for (int part = 0; part < ORR_KEEP_PARTS; part++) goes += orr__tx_number(flow->tx, flow->slot + GOES + part);
  orr__json_put_int(out, "kept", orr__tx_number(flow->tx, flow->slot + ALL) - goes);
  orr__json_put_int(out, "left", goes);
}

/* ---- backup.prune ------------------------------------------------------------------------------------------- */

static void reply(orr__flow *flow) {
  orr__sweep *sweep = flow->sweep;
  orr__step next = flow->inner;
  orr__json *out = flow->code ? NULL : orr__json_map();
  flow->inner = NULL;
  if (!out) {
    if (!flow->code) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_fail(flow, flow->code, &flow->error);
    next(flow);
    return;
  }
  for (int slot = 0; sweep->is_dry && slot < ORR_KEEP_PARTS; slot++)
    for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++)
      orr__json_append(sweep->deleted, orr__sweep_view((const orr_result *)orr__tx_row(flow->tx, slot, i)));
  orr__json_put_str(out, "backup", flow->graph.backup->name);
  orr__json_put_bool(out, "dryRun", sweep->is_dry);
  orr__json_put_bool(out, "keepsAll", orr__keeps_all(flow->graph.backup));
  orr__json_put(out, "deleted", sweep->deleted);
  orr__json_put(out, "halted", sweep->halted);
  sweep->deleted = sweep->halted = NULL;
  put_counts(flow, out);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  next(flow);
}

void orr__sweep_reply(orr__flow *flow, orr__step next) {
  const orr__sweep *sweep = flow->sweep;
  orr__tx *tx = orr__flow_tx(flow);
  for (int part = 0; sweep->is_dry && part < ORR_KEEP_PARTS; part++) {
    orr__where where[ORR_KEEP_WHERE];
    size_t count = orr__keep_where(&sweep->keep, flow->id, (enum orr__keep_part)part, where);
    orr__tx_query(
        tx, &(orr__query){
                .model = ORR_M_result, .where = where, .where_count = count, .order_field = -1, .limit = LIST_MAX });
  }
  read_counts(flow, tx, flow->id, &sweep->keep);
  flow->inner = next;
  orr__flow_submit(flow, tx, reply);
}

static void prune_found(orr__flow *flow) {
  orr__sweep *sweep = flow->code ? NULL : calloc(1, sizeof *sweep);
  if (!flow->code && !sweep) flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->sweep = sweep;
  sweep->asked_ms = orr__now(flow->core);
  sweep->next_ms = -1;
  sweep->is_dry = orr__json_bool(flow->args, "dryRun", false);
  sweep->deleted = orr__json_list();
  sweep->halted = orr__json_list();
  if (sweep->is_dry)
    orr__sweep_begin(flow);
  else
    orr__flow_acquire(flow, orr__sweep_key(flow->id), false, orr__sweep_begin);
}

void orr__request_backup_prune(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_backup, orr__json_str(flow->args, "backup"), prune_found);
}

/* ---- backup.show -------------------------------------------------------------------------------------------- */

static void look_counted(orr__flow *flow) {
  orr__json *map = flow->code ? NULL : orr__json_map();
  if (map) {
    put_counts(flow, map);
    orr__json_put_int(map, "refused", orr__tx_number(flow->tx, flow->slot + REFUSED));
    orr__json_put(flow->extra, "retention", map);
  }
  orr__step step = flow->after;
  flow->after = NULL;
  step(flow);
}

static void look_judged(orr__flow *flow) {
  orr__keep keep = { 0 };
  orr__tx *tx = orr__flow_tx(flow);
  if (!flow->code) orr__keep_take(flow->tx, flow->slot, flow->graph.backup, flow->id, &keep);
  read_counts(flow, tx, flow->graph.backup->id, &keep);
  orr__flow_submit(flow, tx, look_counted);
}

void orr__retention_look(orr__flow *flow, orr__step step) {
  orr__tx *tx = orr__flow_tx(flow);
  flow->after = step;
  flow->id = orr__now(flow->core); /* the moment it is judged for */
  flow->slot = orr__keep_read(tx, flow->graph.backup, flow->id);
  orr__flow_submit(flow, tx, look_judged);
}
