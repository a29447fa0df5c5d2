/* Requests about results and what happened: list, show, watch, log, events. Cancel is in cancel.c, deletion and
 * extraction in remove.c. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 1000
#define LOG_BYTES (256 * 1024)

/* ---- ls ----------------------------------------------------------------------------------------------------- */

static void listed(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < orr__tx_rows(flow->tx, flow->slot); i++)
    orr__json_append(list, orr__view(orr__tx_row(flow->tx, flow->slot, i)));
  orr__flow_reply(flow, list);
  orr__json_free(list);
  orr__flow_end(flow);
}

static void list(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__where where[2];
  size_t count = 0;
  const char *status = orr__json_str(flow->args, "status");
  int64_t limit = orr__json_int(flow->args, "limit", 0);
  if (orr__json_get(flow->args, "backup"))
    where[count++] = (orr__where){ .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = flow->id };
  if (status)
    where[count++] =
        (orr__where){ .field = ORR_F_result_status, .compare = ORR_EQ, .text = orr__status_canonical(status) };
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                                .where = where,
                                                .where_count = count,
                                                .order_field = -1,
                                                .is_descending = true,
                                                .limit = limit > 0 && limit < 100000 ? (size_t)limit : LIST_LIMIT });
  orr__flow_submit(flow, tx, listed);
}

void orr__request_result_ls(orr__flow *flow) {
  const char *status = orr__json_str(flow->args, "status"), *backup = orr__json_str(flow->args, "backup");
  if (status && !orr__status_canonical(status)) {
    const char *nearest = orr__status_nearest(status);
    flow->code = orr__error_set(&flow->error, ORR_E_INVALID,
                                nearest ? "no status '%s'; did you mean %s?" : "no status '%s'", status, nearest);
    orr__flow_abandon(flow);
  } else if (backup) {
    orr__flow_find(flow, ORR_M_backup, backup, list);
  } else {
    list(flow);
  }
}

/* ---- show --------------------------------------------------------------------------------------------------- */

static orr__json *rows(orr__flow *flow, int slot) {
  orr__json *out = orr__json_list();
  for (size_t i = 0; out && i < orr__tx_rows(flow->tx, slot); i++)
    orr__json_append(out, orr__view(orr__tx_row(flow->tx, slot, i)));
  return out;
}

static void shown(orr__flow *flow) {
  const orr__object *result = flow->code ? NULL : orr__tx_row(flow->tx, flow->slot, 0);
  if (!flow->code && !result)
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__json *out = orr__view(result);
  if (out && orr__json_bool(flow->args, "journal", false)) {
    orr__json_put(out, "ops", rows(flow, flow->slot2));
    orr__json_put(out, "events", rows(flow, flow->slot3));
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void show_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__where op = { .field = ORR_F_op_resultId, .compare = ORR_EQ, .number = flow->id };
  orr__where event = { .field = ORR_F_event_resultId, .compare = ORR_EQ, .number = flow->id };
  flow->slot = orr__tx_get(tx, ORR_M_result, flow->id);
  flow->slot2 = orr__tx_query(
      tx, &(orr__query){ .model = ORR_M_op, .where = &op, .where_count = 1, .order_field = -1, .limit = LIST_LIMIT });
  flow->slot3 = orr__tx_query(
      tx,
      &(orr__query){ .model = ORR_M_event, .where = &event, .where_count = 1, .order_field = -1, .limit = LIST_LIMIT });
  orr__flow_submit(flow, tx, shown);
}

void orr__request_result_show(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), show_found);
}

/* ---- watch -------------------------------------------------------------------------------------------------- */

/* NULL and flow->code: no memory, or the request has been stopped. */
static orr__watcher *watch(orr__flow *flow) {
  orr__watcher *w = flow->is_stopped ? NULL : calloc(1, sizeof *w);
  if (!w) {
    flow->code = flow->is_stopped ? orr__error_set(&flow->error, ORR_E_CANCELLED, "stopped")
                                  : orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    return NULL;
  }
  w->request = flow->request;
  flow->request = 0; /* the watcher answers from now on */
  w->next = flow->core->watchers;
  flow->core->watchers = w;
  return w;
}

static void watch_loaded(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__watcher *w = flow->code ? NULL : watch(flow);
  if (!w) {
    orr__flow_abandon(flow);
    return;
  }
  w->kind = orr__json_bool(flow->args, "started", false) ? ORR_WATCH_STARTED : ORR_WATCH_RESULT;
  w->result_id = flow->graph.result->id;
  int64_t id = flow->graph.result->id;
  orr__result_changed(core, flow->graph.result); /* as it is now: the first update, and perhaps the reply */
  orr__flow_end(flow);
  orr__recover_one(core, id); /* a command's own runtime takes up what it names */
}

static void watch_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_result, flow->id, watch_loaded);
}

void orr__request_result_watch(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), watch_found);
}

/* ---- log ---------------------------------------------------------------------------------------------------- */

static void put_log(orr__flow *flow, const char *uuid, const char *name, orr__json *list) {
  orr__jobs *jobs = flow->core->config.jobs;
  orr__job_status status;
  char *text = NULL;
  size_t len = 0;
  int64_t next = 0;
  orr__json *map = orr__json_map();
  if (!map) return;
  orr__json_put_str(map, "name", name);
  if (orr__job_poll(jobs, uuid, name, &status, NULL) == 0)
    orr__json_put_str(map, "state", orr__job_state_word(status.state));
  if (orr__job_read(jobs, uuid, name, "log", -LOG_BYTES, LOG_BYTES, &text, &len, &next, NULL) == 0)
    orr__json_put_str(map, "text", text);
  free(text);
  orr__json_append(list, map);
}

static void log_loaded(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  const char *only = orr__json_str(flow->args, "job"), *uuid = flow->graph.result->uuid;
  char **names = NULL;
  orr__json *out = orr__json_map(), *list = orr__json_list();
  if (flow->core->config.jobs) orr__job_list(flow->core->config.jobs, uuid, &names, NULL);
  for (size_t i = 0; names && names[i]; i++) {
    if (list && (!only || strcmp(only, names[i]) == 0)) put_log(flow, uuid, names[i], list);
    free(names[i]);
  }
  free(names);
  if (out) {
    orr__json_put_str(out, "errorOutput", flow->graph.result->errorOutput);
    orr__json_put(out, "jobs", list);
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void log_found(orr__flow *flow) {
  if (flow->code)
    orr__flow_abandon(flow);
  else
    orr__flow_load(flow, ORR_M_result, flow->id, log_loaded);
}

void orr__request_result_log(orr__flow *flow) {
  orr__flow_find(flow, ORR_M_result, orr__json_str(flow->args, "result"), log_found);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

/* flow->ids: [0] the result, [1] the Backup they are asked for, 0 for any; [2] the last event read; [3] where reading goes on. */
enum { OF_RESULT, OF_BACKUP, LAST, AFTER, EVENT_IDS };
#define EVENTS_PAGE 1000

static void read_events(orr__flow *flow);

static void send_event(orr__flow *flow, const orr__object *row, orr__json *list) {
  orr__json *view = orr__view(row);
  if (list) {
    orr__json_append(list, view);
    return;
  }
  char *text = view ? orr__json_print(view) : NULL;
  if (text) flow->core->config.sink.update(flow->core->config.sink.self, flow->request, text);
  free(text);
  orr__json_free(view);
}

static void follow_events(orr__flow *flow) {
  orr__watcher *w = watch(flow);
  if (!w) {
    orr__flow_abandon(flow);
    return;
  }
  w->kind = ORR_WATCH_EVENTS;
  w->result_id = flow->ids[OF_RESULT];
  w->backup_id = flow->ids[OF_BACKUP];
  orr__flow_end(flow);
}

static void events_read(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  bool follows = orr__json_bool(flow->args, "follow", false);
  size_t count = orr__tx_rows(flow->tx, flow->slot);
  bool is_newest_first = flow->ids[AFTER] < 0;
  orr__json *out = follows ? NULL : orr__json_map(), *list = follows ? NULL : orr__json_list();
  for (size_t i = 0; i < count; i++) {
    const orr__object *row = orr__tx_row(flow->tx, flow->slot, is_newest_first ? count - 1 - i : i);
    if (orr__object_id(row) > flow->ids[LAST]) flow->ids[LAST] = orr__object_id(row);
    if (follows || list) send_event(flow, row, list);
  }
  if (follows && !is_newest_first && count == EVENTS_PAGE && !flow->is_stopped) { /* more is waiting: first that */
    flow->ids[AFTER] = flow->ids[LAST];
    read_events(flow);
    return;
  }
  if (follows) {
    follow_events(flow);
    return;
  }
  if (out) {
    orr__json_put(out, "events", list);
    orr__json_put_int(out, "last", flow->ids[LAST]);
    const orr__object *first = orr__tx_row(flow->tx, flow->slot2, 0);
    if (first) orr__json_put_int(out, "first", orr__object_id(first));
    list = NULL;
    orr__flow_reply(flow, out);
  }
  orr__json_free(list);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void read_events(orr__flow *flow) {
  orr__where where[3];
  size_t count = 0;
  int64_t limit = orr__json_int(flow->args, "limit", 100);
  bool has_after = flow->ids[AFTER] >= 0, follows = orr__json_bool(flow->args, "follow", false);
  if (limit <= 0 || limit > 100000) limit = 100;
  if (has_after && follows) limit = EVENTS_PAGE;
  if (has_after)
    where[count++] = (orr__where){ .field = ORR_F_event_id, .compare = ORR_GT, .number = flow->ids[AFTER] };
  if (flow->ids[OF_RESULT])
    where[count++] = (orr__where){ .field = ORR_F_event_resultId, .compare = ORR_EQ, .number = flow->ids[OF_RESULT] };
  if (flow->ids[OF_BACKUP])
    where[count++] = (orr__where){ .field = ORR_F_event_backupId, .compare = ORR_EQ, .number = flow->ids[OF_BACKUP] };
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_event,
                                                .where = where,
                                                .where_count = count,
                                                .order_field = -1,
                                                .is_descending = !has_after,
                                                .limit = (size_t)limit });
  flow->slot2 = orr__tx_query(tx, &(orr__query){ .model = ORR_M_event, .order_field = -1, .limit = 1, .fields = 1 });
  orr__flow_submit(flow, tx, events_read);
}

static void events_backup_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->ids[OF_BACKUP] = flow->id;
  read_events(flow);
}

static void events_result_found(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->ids[OF_RESULT] = flow->id;
  const char *backup = orr__json_str(flow->args, "backup");
  if (backup)
    orr__flow_find(flow, ORR_M_backup, backup, events_backup_found);
  else
    read_events(flow);
}

void orr__request_events(orr__flow *flow) {
  const char *result = orr__json_str(flow->args, "result"), *backup = orr__json_str(flow->args, "backup");
  flow->ids = calloc(EVENT_IDS, sizeof *flow->ids);
  if (flow->ids) flow->ids[AFTER] = orr__json_int(flow->args, "after", -1);
  if (!flow->ids) {
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    orr__flow_abandon(flow);
  } else if (result) {
    orr__flow_find(flow, ORR_M_result, result, events_result_found);
  } else if (backup) {
    orr__flow_find(flow, ORR_M_backup, backup, events_backup_found);
  } else {
    read_events(flow);
  }
}
