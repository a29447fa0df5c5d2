/* The end of an update: what differs is stored, in one transaction; or nobody knows what it has come to outside.
 *
 *   hooks have passed --> read afresh --> one transaction: what differs, the last call's end, an event
 *                            ^   others have written to it meanwhile: again
 *   updateBackup past its sent mark, no outcome on record --> attention = unknown_update, the rest as it was
 *
 * What is stored is what differs from `previous`, the Backup as it was loaded, in maps only the entries that differ: what runs have
 * written to it meanwhile stays. What a run writes that began before is kept but for what the update has changed. A fire that is due
 * under the old schedule goes first. */
#include "core/update.h"

#include <stdlib.h>

#define TRIES 10        /* of the last transaction, while others write to the Backup */
#define FIRE_WAIT_S 0.1 /* for a fire that is due under the old schedule */
#define FIRE_WAITS 50

/* ---- the reply ---------------------------------------------------------------------------------------------- */

static void reply(orr__flow *flow) {
  orr__update *u = flow->update;
  orr__json *out = orr__draft_view(flow);
  bool is_about_schedule = u->mask & (ORR_BIT(ORR_F_backup_schedule) | ORR_BIT(ORR_F_backup_timeZone));
  if (out) {
    if (!is_about_schedule) orr__json_remove(out, "schedule");
    if (!u->mask) orr__json_put_str(out, "msg", "nothing was changed: it is like that already");
    orr__json_put(out, "changed", u->changed);
    u->changed = NULL;
    orr__flow_reply(flow, out);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

/* ---- past the sent mark, and no outcome on record ------------------------------------------------------------ */

static void mark_unknown(orr__flow *flow);

static void marked_unknown(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->request) {
    orr_error err = ORR_ERROR_INIT;
    const char *name = flow->update->previous->name;
    orr__error_set(
        &err, ORR_E_ATTENTION,
        "updateBackup may have changed '%s' outside before it stopped (%s); nothing was stored; see how it is "
        "outside, then run the update again, or to have it there as it is stored: orrery backup update %s",
        name, flow->update->why ? flow->update->why : "", name);
    orr__flow_fail(flow, err.code, &err);
    orr__error_clear(&err);
  }
  if (flow->code && !core->is_draining)
    orr__flow_sleep(flow, orr__backoff_s(1, ++flow->update->tries), mark_unknown);
  else
    orr__flow_end(flow); /* a row that is still `sent` tells the next runtime */
}

/* The attention of the Backup, the end of the call's row, and the event. Not one without the other: false without memory. */
static bool write_unknown(orr__flow *flow, orr__tx *tx, const orr_op *op, int64_t backup_id, const char *why) {
  orr_backup *backup = orr__backup_new();
  orr__object *row = op ? orr__object_copy(&op->head) : NULL;
  bool is_whole = backup && (row || !op);
  if (is_whole) {
    orr__set_int(&backup->head, ORR_F_backup_id, backup_id);
    is_whole = orr__set_str(&backup->head, ORR_F_backup_attention, ORR_UPDATE_UNKNOWN) == 0;
  }
  if (is_whole && row) {
    orr__object_clean(row);
    is_whole = orr__set_str(row, ORR_F_op_state, "done") == 0 && orr__set_str(row, ORR_F_op_outcome, "lost") == 0;
    orr__set_str(row, ORR_F_op_message, why);
    orr__set_int(row, ORR_F_op_endDate, orr__now(flow->core));
  }
  if (is_whole) {
    orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_attention));
    if (row) orr__tx_update(tx, row, row->dirty);
    orr__flow_event(flow, tx, "backup.attention", "error",
                    ORR_UPDATE_UNKNOWN ": updateBackup may have changed it outside: %s", why);
  }
  orr__object_free((orr__object *)backup);
  orr__object_free(row);
  return is_whole;
}

static void mark_unknown(orr__flow *flow) {
  orr__update *u = flow->update;
  orr__tx *tx = orr__flow_tx(flow);
  if (write_unknown(flow, tx, flow->op ? flow->op : u->op, u->backup_id, u->why ? u->why : "")) {
    orr__flow_submit(flow, tx, marked_unknown);
    return;
  }
  orr__tx_free(tx);
  orr__flow_no_memory(flow);
  marked_unknown(flow);
}

static void left_unknown(orr__flow *flow, const char *why) {
  flow->update->why = orr__strdup(why);
  flow->update->tries = 0;
  mark_unknown(flow);
}

void orr__update_lost(orr__flow *flow, orr__tx *tx, const orr_op *op) {
  orr_backup *own = flow->graph.backup, *about = orr__backup_new();
  if (about) {
    orr__set_int(&about->head, ORR_F_backup_id, op->backupId);
    orr__set_str(&about->head, ORR_F_backup_name, op->subjectName);
  }
  flow->graph.backup = about; /* the event is about it */
  write_unknown(flow, tx, op, op->backupId, "the runtime ended during the call");
  flow->graph.backup = own;
  orr__object_free((orr__object *)about);
}

/* ---- copies in use ------------------------------------------------------------------------------------------- */

/* The last update of a Backup: hooks of a run may still hold a copy from before it. */
typedef struct note {
  int64_t date;
  uint64_t mask;
} note;

static void note_update(orr__core *core, const orr_backup *backup, uint64_t mask) {
  note *n = orr__map_get(&core->updated, (uint64_t)backup->id);
  bool is_new = !n;
  if (is_new) n = calloc(1, sizeof *n);
  if (n && is_new && orr__map_put(&core->updated, (uint64_t)backup->id, n)) {
    free(n);
    n = NULL;
  }
  if (!n) return; /* what such a hook writes counts then, as that of any other hook does */
  n->date = backup->updatedDate;
  n->mask |= mask;
}

uint64_t orr__update_outdated(const orr__core *core, const orr_backup *backup) {
  const note *n = orr__map_get(&core->updated, (uint64_t)backup->id);
  return n && backup->updatedDate < n->date ? n->mask : 0;
}

/* ---- storing it --------------------------------------------------------------------------------------------- */

static void read_afresh(orr__flow *flow);

static bool may_be_done(const orr__flow *flow) {
  return flow->hook == ORR_HOOK_updateBackup && (flow->sent_ms || flow->attempt > 1);
}

static void stored(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__update *u = flow->update;
  if (flow->code == ORR_E_CONFLICT && ++u->tries < TRIES) {
    read_afresh(flow);
  } else if (flow->code && may_be_done(flow)) {
    left_unknown(flow, orr__error_message(&flow->error));
  } else if (flow->code) {
    orr__flow_abandon(flow);
  } else {
    orr__object_clean(&flow->graph.backup->head);
    orr__schedule_arm(core, flow->graph.backup);
    orr__retention_arm(core, flow->graph.backup);
    note_update(core, flow->graph.backup, u->mask);
    reply(flow);
  }
}

/* A schedule that is not there has no place either. */
static void begin_schedule(orr__flow *flow, orr__tx *tx, const orr_backup *old) {
  orr_backup *backup = flow->graph.backup;
  orr__schedule_begin(flow, tx, backup, old);
  if (backup->schedule) return;
  orr__unset(&backup->head, ORR_F_backup_scheduleAnchor);
  orr__unset(&backup->head, ORR_F_backup_scheduleCursor);
  orr__unset(&backup->head, ORR_F_backup_bufferedDate);
}

/* The stored Backup, flow->graph.backup, with what the update has changed of it. */
static void store(orr__flow *flow) {
  orr__update *u = flow->update;
  orr_backup *backup = flow->graph.backup, *old = (orr_backup *)orr__object_copy(&backup->head);
  orr__object_clean(&backup->head);
  if (!old || orr__changes_carry(&u->previous->head, &u->draft->head, &backup->head, u->mask))
    orr__flow_no_memory(flow);
  if (!flow->op && u->op) flow->op = (orr_op *)orr__object_copy(&u->op->head);
  flow->is_op_stored = true;
  if (!flow->op && u->op) orr__flow_no_memory(flow);
  if (flow->code) {
    orr__object_free((orr__object *)old);
    stored(flow);
    return;
  }
  int64_t last = old->updatedDate, now = orr__now(flow->core);
  orr__set_int(&backup->head, ORR_F_backup_updatedDate, now > last ? now : last + 1); /* later than every copy in use */
  if (u->mask & (ORR_BIT(ORR_F_backup_keepLast) | ORR_BIT(ORR_F_backup_keepDays)))
    orr__set_int(&backup->head, ORR_F_backup_retentionDate, now); /* what is kept is looked through now */
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_guard_int(tx, ORR_M_backup, backup->id, ORR_F_backup_updatedDate, last);
  orr__draft_guard(flow, tx);
  begin_schedule(flow, tx, old);
  orr__tx_update(tx, &backup->head, backup->head.dirty);
  if (flow->op) orr__flow_settle(flow, tx);
  char *text = orr__changes_text(u->changed);
  bool is_renamed = u->mask & ORR_BIT(ORR_F_backup_name);
  orr__flow_event(flow, tx, "backup.updated", "info", is_renamed ? "changed: %s; it was called '%s'" : "changed: %s",
                  text ? text : "", u->previous->name);
  free(text);
  orr__object_free((orr__object *)old);
  orr__flow_submit(flow, tx, stored);
}

/* Is a fire due that the old schedule asks for, and somebody there to fire it? */
static bool is_fire_due(orr__flow *flow) {
  const orr_backup *old = flow->graph.backup;
  if (flow->core->config.role != ORR_ROLE_SERVE || !old->schedule || old->paused) return false;
  int64_t next = orr__schedule_next(flow->core, old, old->scheduleCursor);
  return next >= 0 && next <= orr__now(flow->core);
}

static void fresh_read(orr__flow *flow) {
  orr__update *u = flow->update;
  orr__object *row = flow->code ? NULL : orr__tx_take(flow->tx, flow->slot, 0);
  if (!flow->code && !row) flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  if (flow->code) {
    stored(flow);
    return;
  }
  orr__object_free((orr__object *)flow->graph.backup);
  flow->graph.backup = (orr_backup *)row;
  bool is_about_schedule = u->mask & (ORR_BIT(ORR_F_backup_schedule) | ORR_BIT(ORR_F_backup_timeZone));
  if (is_about_schedule && is_fire_due(flow) && u->waits++ < FIRE_WAITS)
    orr__flow_sleep(flow, FIRE_WAIT_S, read_afresh);
  else
    store(flow);
}

static void read_afresh(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_get(tx, ORR_M_backup, flow->update->backup_id);
  orr__flow_submit(flow, tx, fresh_read);
}

static void nothing_stored(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    reply(flow);
}

static uint64_t find_changes(const orr__flow *flow, orr__json *names) {
  return orr__changes_find(&flow->update->previous->head, &flow->graph.backup->head, names);
}

static void persist(orr__flow *flow) {
  orr__update *u = flow->update;
  u->changed = orr__json_list();
  u->mask = find_changes(flow, u->changed);
  if (u->mask) {
    u->draft = flow->graph.backup;
    u->op = flow->op;
    flow->graph.backup = NULL;
    flow->op = NULL;
    read_afresh(flow);
    return;
  }
  if (!flow->op) {
    reply(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_settle(flow, tx);
  orr__flow_submit(flow, tx, nothing_stored);
}

static bool is_carried(const orr__flow *flow) { return find_changes(flow, NULL) != 0; }

const orr__draft_kind orr__updating = { .trigger = "update",
                                        .last = ORR_HOOK_updateBackup,
                                        .is_carried = is_carried,
                                        .persist = persist,
                                        .uncertain = left_unknown };
