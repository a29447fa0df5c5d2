/* What a hook asks while it runs: the sent mark, checkpoints, earlier results.
 *
 * Each question has one answer, in a later turn, or when the core closes, whether its call is still there or not: the backend keeps what it
 * asked for until then. Does not know what a call is made of or what its answer leads to (call.c). */
#include "core/internal.h"

#include <stdlib.h>

/* A waiter of the backend's: mark_sent, checkpoint and results complete to it. */
typedef struct orr__asked {
  struct orr__asked *next;   /* whose answer is known, too */
  orr__core *core;
  uint64_t call_id;
  orr__ready ready;
  orr__results_ready results;
  void *arg;
  orr_error err;
  bool is_mark;
  bool was_sent, was_stored; /* the op row before a mark */
  orr__object *object;       /* of a checkpoint: with the call, there as long as that is open */
  uint64_t mask;             /* what was written of it, or of the op row */
  orr_result *retry;         /* owned: what was written with the end that a checkpoint is; NULL: none */
} asked;

void *orr__asked_spare(void) { return calloc(1, sizeof(asked)); }

/* Whoever asks waits for the answer, so there always is one to come: without memory the call's spare serves. */
static asked *asked_new(orr__core *core, uint64_t call_id, void *arg) {
  asked *a = calloc(1, sizeof *a);
  orr__flow *flow = a ? NULL : orr__map_get(&core->calls, call_id);
  if (flow) {
    a = flow->spare;
    flow->spare = NULL;
  }
  if (!a) return NULL;
  a->core = core;
  a->call_id = call_id;
  a->arg = arg;
  return a;
}

/* Not kept after all: it is as before, and still to be written. */
static void take_back(const asked *a, orr__flow *flow) {
  orr__flow_hush(flow);
  if (a->object) a->object->dirty |= a->mask;
  if (!a->is_mark || !flow->op) return;
  if (!a->was_sent) orr__set_str(&flow->op->head, ORR_F_op_state, "intent");
  flow->op->head.dirty |= a->mask;
  flow->is_op_stored = a->was_stored;
}

static void asked_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx;
  asked *a = arg;
  orr__loop_busy(a->core->loop, -1);
  orr__flow *flow = orr__map_get(&a->core->calls, a->call_id);
  if (code == 0) a->core->last_commit_ms = orr__now(a->core);
  if (code == 0 && a->is_mark && flow) flow->sent_ms = orr__now(a->core);
  if (code) orr__object_free((orr__object *)a->retry);
  else orr__retry_arm(a->core, a->retry);
  if (code == 0 && flow) orr__flow_tell(flow);
  if (code && flow) take_back(a, flow);
  a->ready(a->arg, code, err);
  orr__error_clear(&a->err);
  free(a);
}

/* ---- answers that need no store: in the next turn, or when the core closes ---------------------------------------- */

static void answer(asked *a) {
  const orr_error *err = a->err.code ? &a->err : NULL;
  if (a->ready) a->ready(a->arg, a->err.code, err);
  else a->results(a->arg, a->err.code, NULL, 0);
  orr__error_clear(&a->err);
  free(a);
}

/* What is asked meanwhile waits for the next turn. */
static void answer_all(void *arg) {
  orr__core *core = arg;
  asked *first = core->answers;
  core->answers = NULL;
  for (asked *next; first; first = next) {
    next = first->next;
    answer(first);
  }
}

static void answer_later(asked *a) {
  orr__core *core = a->core;
  asked **at = &core->answers;
  while (*at) at = &(*at)->next;
  *at = a;
  if (!orr__timer_is_started(&core->answer_timer))
    orr__timer_start(core->loop, &core->answer_timer, orr__loop_mono_ms(core->loop), answer_all, core);
}

void orr__asked_close(orr__core *core) {
  orr__timer_stop(core->loop, &core->answer_timer);
  while (core->answers) answer_all(core);
}

static void asked_submit(asked *a, orr__tx *tx) {
  if (!tx) {
    if (!a->err.code) orr__error_set(&a->err, ORR_E_NOMEM, "out of memory");
    answer_later(a);
    return;
  }
  orr__loop_busy(a->core->loop, 1);
  orr__store_submit(a->core->store, tx, asked_done, a);
}

/* The result itself is with the hook: its sentDate is written by a copy that has nothing else. */
static int mark_result(orr__flow *flow, orr__tx *tx) {
  orr_result *result = orr__result_new();
  if (!result) return ORR_E_NOMEM;
  orr__set_int(&result->head, ORR_F_result_id, flow->op->resultId);
  orr__set_int(&result->head, ORR_F_result_sentDate, flow->op->sentDate);
  orr__tx_update(tx, &result->head, ORR_BIT(ORR_F_result_sentDate));
  orr__object_free(&result->head);
  return 0;
}

/* May the call act at all? Not once its cancel is recorded and nothing has left yet: work never sent is never sent. */
static int may_act(orr__flow *flow, orr_error *reterr) {
  if (!flow) return orr__error_set(reterr, ORR_E_CANCELLED, "the hook has ended");
  orr__op_of_quiet(flow);
  if (!flow->op) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  const orr__subject *subject = orr__subject_of(flow->core, flow->subject);
  bool is_sent = orr__streq(flow->op->state, "sent");
  if (flow->hook == ORR_HOOK_executeBackup && subject && subject->is_cancelled && !is_sent)
    return orr__error_set(reterr, ORR_E_CANCELLED, "a cancel was requested");
  return 0;
}

void orr__ask_mark(void *self, uint64_t call_id, const char *act, orr__ready ready, void *arg) {
  orr__core *core = self;
  orr__flow *flow = orr__map_get(&core->calls, call_id);
  asked *a = asked_new(core, call_id, arg);
  if (!a) return; /* the hook's deadline ends its wait */
  a->ready = ready;
  if (flow && flow->trial) { /* nothing of it is stored */
    answer_later(a);
    return;
  }
  a->is_mark = true;
  orr__tx *tx = may_act(flow, &a->err) ? NULL : orr__tx_new();
  if (tx) {
    orr__object *o = &flow->op->head;
    a->was_sent = orr__streq(flow->op->state, "sent");
    a->was_stored = flow->is_op_stored;
    orr__set_str(o, ORR_F_op_state, "sent");
    orr__set_str(o, ORR_F_op_act, act);
    orr__set_int(o, ORR_F_op_sentDate, orr__now(core));
    a->mask = o->dirty;
    if (flow->is_op_stored)
      orr__tx_update(tx, o, o->dirty);
    else
      orr__tx_insert(tx, o);
    flow->is_op_stored = true;
    orr__object_clean(o);
    if (flow->hook == ORR_HOOK_executeBackup && mark_result(flow, tx)) {
      orr__tx_free(tx);
      tx = NULL;
    }
  }
  asked_submit(a, tx);
}

void orr__ask_save(void *self, uint64_t call_id, orr__object *object, orr__ready ready, void *arg) {
  orr__core *core = self;
  orr__flow *flow = orr__map_get(&core->calls, call_id);
  asked *a = asked_new(core, call_id, arg);
  if (!a) return;
  a->ready = ready;
  if (flow && flow->trial) {
    answer_later(a);
    return;
  }
  if (!flow) {
    orr__error_set(&a->err, ORR_E_CANCELLED, "the hook has ended");
    answer_later(a);
    return;
  }
  if (flow->draft) {
    orr__error_set(&a->err, ORR_E_REFUSED,
                   "not stored yet: what is written to the Backup is kept once all hooks have passed");
    answer_later(a);
    return;
  }
  orr__tx *tx = orr__tx_new();
  a->object = object;
  if (flow->call) orr__state_stamp(object, flow->call->state_version);
  if (tx) a->mask = orr__checkpoint_write(flow, object, tx);
  a->retry = flow->next_result;
  flow->next_result = NULL;
  asked_submit(a, tx);
}

static void results_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)err;
  asked *a = arg;
  orr__loop_busy(a->core->loop, -1);
  size_t count = code == 0 ? orr__tx_rows(tx, 0) : 0;
  orr_result **rows = count ? calloc(count, sizeof *rows) : NULL;
  if (count && !rows) code = ORR_E_NOMEM, count = 0;
  for (size_t i = 0; i < count; i++) rows[i] = (orr_result *)orr__tx_take(tx, 0, i);
  a->results(a->arg, code, rows, count);
  free(a);
}

void orr__ask_results(void *self, uint64_t call_id, int64_t backup_id, const char *status, size_t limit,
                      orr__results_ready ready, void *arg) {
  orr__core *core = self;
  asked *a = asked_new(core, call_id, arg);
  if (!a) return;
  a->results = ready;
  orr__tx *tx = orr__tx_new();
  if (!tx) {
    orr__error_set(&a->err, ORR_E_NOMEM, "out of memory");
    answer_later(a);
    return;
  }
  orr__where where[2] = { { .field = ORR_F_result_backupId, .compare = ORR_EQ, .number = backup_id },
                          { .field = ORR_F_result_status, .compare = ORR_EQ, .text = status } };
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                   .where = where,
                                   .where_count = status ? 2 : 1,
                                   .order_field = -1,
                                   .is_descending = true,
                                   .limit = limit && limit < 1000 ? limit : 1000 });
  orr__loop_busy(core->loop, 1);
  orr__store_submit(core->store, tx, results_done, a);
}
