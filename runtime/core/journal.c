/* The journal's other half: events, and telling those who watch.
 *
 * An event is written in the transaction of what it tells of and reaches watchers after that has committed, never
 * before. The op rows are written by call.c, which knows the calls. */
#include "core/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static orr_event_row *event_new(orr__flow *flow, const char *kind, const char *level, const char *message) {
  orr__core *core = flow->core;
  orr_event_row *row = orr__event_new();
  if (!row) return NULL;
  orr__object *o = &row->head;
  const orr_result *result = flow->graph.result;
  const orr_backup *backup = flow->graph.backup;
  orr__set_int(o, ORR_F_event_id, orr__store_next_id(core->store, ORR_M_event));
  orr__set_int(o, ORR_F_event_date, orr__now(core));
  orr__set_str(o, ORR_F_event_kind, kind);
  orr__set_str(o, ORR_F_event_level, level);
  orr__set_str(o, ORR_F_event_message, message);
  if (result && result->id) orr__set_int(o, ORR_F_event_resultId, result->id);
  if (backup && backup->id) orr__set_int(o, ORR_F_event_backupId, backup->id);
  const orr_connection *connection = flow->graph.connection;
  if (backup)
    orr__set_str(o, ORR_F_event_subject, backup->name);
  else if (connection)
    orr__set_str(o, ORR_F_event_subject, connection->name);
  return row;
}

/* Takes data. 0 or NOMEM. */
static int write_event(orr__flow *flow, orr__tx *tx, const char *kind, const char *level, orr__json *data,
                        const char *message) {
  orr_event_row *row = event_new(flow, kind, level, message);
  orr__object **events = row ? realloc(flow->events, (flow->event_count + 1) * sizeof *events) : NULL;
  int code = row && data ? orr__object_set_map(&row->head, ORR_F_event_data, data) : 0;
  orr__json_free(data);
  if (events) flow->events = events;
  if (!events || !row->message) {
    orr__object_free((orr__object *)row);
    return ORR_E_NOMEM;
  }
  flow->events[flow->event_count++] = &row->head;
  orr__tx_insert(tx, &row->head);
  orr__history_event(flow->core);
  return code;
}

void orr__flow_event(orr__flow *flow, orr__tx *tx, const char *kind, const char *level, const char *format, ...) {
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  write_event(flow, tx, kind, level, NULL, message); /* an event lost to memory is no reason to lose what it tells of */
}

int orr__flow_event_data(orr__flow *flow, orr__tx *tx, const char *kind, const char *level, orr__json *data,
                         const char *format, ...) {
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return data ? write_event(flow, tx, kind, level, data, message) : ORR_E_NOMEM;
}

void orr__flow_ended_event(orr__flow *flow, orr__tx *tx, const char *level, const char *format, ...) {
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const orr_result *result = flow->graph.result;
  orr__json *data = orr__json_map();
  if (data && flow->graph.backup) orr__json_put_str(data, "providerCode", flow->graph.backup->providerCode);
  if (data && result && orr__object_has(&result->head, ORR_F_result_durationMillis))
    orr__json_put_int(data, "durationMillis", result->durationMillis);
  write_event(flow, tx, "result.ended", level, data, message);
}

static void tell(orr__core *core, const orr_event_row *row) {
  orr__json *json = NULL;
  for (orr__watcher *w = core->watchers; w; w = w->next) {
    if (w->kind != ORR_WATCH_EVENTS) continue;
    if (w->result_id && w->result_id != row->resultId) continue;
    if (w->backup_id && w->backup_id != row->backupId) continue;
    if (!json) json = orr__view(&row->head);
    char *text = json ? orr__json_print(json) : NULL;
    if (text) core->config.sink.update(core->config.sink.self, w->request, text);
    free(text);
  }
  orr__json_free(json);
}

void orr__flow_tell(orr__flow *flow) {
  for (size_t i = 0; i < flow->event_count; i++) {
    tell(flow->core, (const orr_event_row *)flow->events[i]);
    orr__object_free(flow->events[i]);
  }
  free(flow->events);
  flow->events = NULL;
  flow->event_count = 0;
}

/* Has the watched result come to where the watcher wanted to see it? */
static bool is_reached(const orr__watcher *w, const orr_result *result) {
  if (orr__result_is_over(result) || result->attention) return true;
  if (w->kind != ORR_WATCH_STARTED) return false;
  int next = result->nextAction ? orr__hook_find(result->nextAction) : -1;
  return next != ORR_HOOK_prepareExecuteBackup && next != ORR_HOOK_prepareBackupResult &&
         next != ORR_HOOK_executeBackup;
}

void orr__result_changed(orr__core *core, const orr_result *result) {
  if (orr__status_is_terminal(result->status) || result->attention) {
    orr__admit_drop(core, result->id);
    orr__schedule_ended(core, result->backupId);
  }
  char *text = NULL;
  for (orr__watcher **at = &core->watchers; *at;) {
    orr__watcher *w = *at;
    if (w->kind == ORR_WATCH_EVENTS || w->result_id != result->id) {
      at = &w->next;
      continue;
    }
    if (!text) {
      orr__json *json = orr__view_result(result);
      text = json ? orr__json_print(json) : NULL;
      orr__json_free(json);
    }
    if (text) core->config.sink.update(core->config.sink.self, w->request, text);
    if (!is_reached(w, result)) {
      at = &w->next;
      continue;
    }
    orr_error err = ORR_ERROR_INIT;
    if (!text) orr__error_set(&err, ORR_E_NOMEM, "out of memory");
    *at = w->next;
    core->config.sink.reply(core->config.sink.self, w->request, err.code, text ? text : "null", text ? NULL : &err);
    orr__error_clear(&err);
    free(w);
  }
  free(text);
}

void orr__result_removed(orr__core *core, int64_t result_id) {
  orr__admit_drop(core, result_id);
  for (orr__watcher **at = &core->watchers; *at;) {
    orr__watcher *w = *at;
    if (w->kind == ORR_WATCH_EVENTS || w->result_id != result_id) {
      at = &w->next;
      continue;
    }
    orr_error err = ORR_ERROR_INIT;
    *at = w->next;
    orr__error_set(&err, ORR_E_NOT_FOUND, "result %lld has been removed", (long long)result_id);
    core->config.sink.reply(core->config.sink.self, w->request, ORR_E_NOT_FOUND, "null", &err);
    orr__error_clear(&err);
    free(w);
  }
}
