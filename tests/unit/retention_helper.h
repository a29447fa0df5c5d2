/* A Backup with a policy of retention, a provider that remembers what it was asked to delete, and what is left. */
#ifndef ORR_RETENTION_HELPER_H
#define ORR_RETENTION_HELPER_H

#include "core_helper.h"
#include "core/internal.h"

#define DAY INT64_C(86400)

static int64_t asked[64]; /* the results that deleteBackupResult was called for, in order */
static int asked_count;
static char asked_trigger[32];
static int64_t halts_on; /* the result whose deletion is refused; -1: all */

static inline void hook_deletes(rig *r, orr__call *call, orr__answer *answer) {
  (void)r;
  int64_t id = call->graph.result->id;
  orr__json *opts = orr__json_parse_map(call->opts, NULL);
  if (asked_count < 64) asked[asked_count++] = id;
  snprintf(asked_trigger, sizeof asked_trigger, "%s", orr__json_str(opts, "trigger"));
  orr__json_free(opts);
  if (halts_on != id && halts_on != -1) return;
  answer->outcome = ORR_OUTCOME_HALT;
  answer->msg = orr__strdup("on legal hold");
}

static inline rig *rig_keeping(const char *policy) {
  char args[200];
  rig *r = rig_new();
  asked_count = 0;
  halts_on = 0;
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_deleteBackupResult] = hook_deletes;
  snprintf(args, sizeof args, "{\"name\":\"b\",\"provider\":\"fake\"%s%s}", *policy ? "," : "", policy);
  assert_int_equal(r->codes[rig_ask(r, "backup.create", args)], 0);
  return r;
}

static inline void hook_fails(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_HALT;
  answer->msg = orr__strdup("no space left");
}

/* One execution; a second passes, in which retention does what it wants. */
static inline void run_with(rig *r, hook_fn execute) {
  r->hooks[ORR_HOOK_executeBackup] = execute;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  rig_forget_replies(r);
  rig_advance(r, 2);
}

static inline void run_times(rig *r, int count) {
  for (int i = 0; i < count; i++) run_with(r, hook_succeeds);
}

static inline void pass_days(rig *r, double days) {
  orr__loop_advance(r->loop, (int64_t)(days * (double)DAY * 1000));
  rig_settle(r);
  rig_advance(r, 3);
}

/* The ids of the results there are, up to 99: "3 5 6". */
static inline const char *there(rig *r) {
  static char text[400];
  *text = '\0';
  for (int64_t id = 1; id < 100; id++) {
    orr__object *row = rig_stored(r, ORR_M_result, id);
    if (row) sprintf(text + strlen(text), "%s%d", *text ? " " : "", (int)id);
    orr__object_free(row);
  }
  return text;
}

static inline const char *asked_for(void) {
  static char text[400];
  *text = '\0';
  for (int i = 0; i < asked_count; i++) sprintf(text + strlen(text), "%s%d", i ? " " : "", (int)asked[i]);
  return text;
}

static inline int events_of(rig *r, const char *kind) {
  int count = 0;
  for (int64_t id = 1; id < 300; id++) {
    orr_event_row *event = (orr_event_row *)rig_stored(r, ORR_M_event, id);
    count += event && strcmp(event->kind, kind) == 0;
    orr__object_free((orr__object *)event);
  }
  return count;
}

static inline void reopen(rig *r) {
  rig_kill_core(r);
  rig_open_core(r);
  rig_settle(r);
}

static inline void set_field(rig *r, enum orr__model_id model, int64_t id, int field, int64_t number, double real) {
  orr__object *o = orr__object_new(model);
  orr__set_int(o, 0, id);
  if (orr__models[model].fields[field].type == ORR_T_NUM) orr__set_num(o, field, real);
  else orr__set_int(o, field, number);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, o, ORR_BIT(field));
  orr__store_submit(r->store, tx, NULL, NULL);
  while (orr__store_drain(r->store)) {}
  orr__object_free(o);
}

#endif
