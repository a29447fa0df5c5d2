/* Flows: the primitives that everything the core does is made of (internal.h says how they work), the waiting lines
 * of subjects, and replies.
 *
 * Invariants: a flow is in core->flows from new to end; a primitive never calls the step from inside itself; a
 * request is replied to at most once, and orr__flow_end replies to one that was forgotten. */
#include "core/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int64_t orr__now(const orr__core *core) { return orr__loop_wall_ms(core->loop); }

double orr__backoff_s(double base, int attempt) {
  double seconds = base;
  for (int i = 1; i < attempt && seconds < ORR_BACKOFF_MAX_S; i++) seconds *= 2;
  return seconds < ORR_BACKOFF_MAX_S ? seconds : ORR_BACKOFF_MAX_S;
}

orr__flow *orr__flow_new(orr__core *core) {
  if (core->flow_count >= ORR_WAITING_MAX) return NULL;
  orr__flow *flow = calloc(1, sizeof *flow);
  if (!flow) return NULL;
  if (orr__timer_reserve(core->loop, &flow->timer)) { /* so that it can always go on */
    free(flow);
    return NULL;
  }
  flow->core = core;
  flow->attempt = 1;
  flow->next = core->flows;
  if (core->flows) core->flows->prev = flow;
  core->flows = flow;
  core->flow_count++;
  return flow;
}

void orr__flow_hush(orr__flow *flow) {
  for (size_t i = 0; i < flow->event_count; i++) orr__object_free(flow->events[i]);
  free(flow->events);
  flow->events = NULL;
  flow->event_count = 0;
}

void orr__flow_end(orr__flow *flow) {
  orr__core *core = flow->core;
  if (flow->request) {
    orr_error err = ORR_ERROR_INIT;
    orr__error_set(&err, ORR_E_CLOSED, "the runtime ended before this was done");
    orr__flow_fail(flow, ORR_E_CLOSED, &err);
    orr__error_clear(&err);
  }
  orr__timer_release(core->loop, &flow->timer);
  orr__flow_release(flow);
  if (flow->is_firing) orr__map_remove(&core->firing, (uint64_t)flow->id);
  if (flow->prev)
    flow->prev->next = flow->next;
  else
    core->flows = flow->next;
  if (flow->next) flow->next->prev = flow->prev;
  core->flow_count--;
  orr__flow_hush(flow);
  if (flow->slot_id) orr__admit_drop(core, flow->slot_id);
  orr__object_free((orr__object *)flow->next_result);
  orr__graph_clear(&flow->graph);
  orr__object_free((orr__object *)flow->op);
  orr__answer_clear(&flow->answer);
  orr__error_clear(&flow->error);
  orr__error_clear(&flow->findings);
  orr__json_free(flow->args);
  orr__json_free(flow->config);
  orr__json_free(flow->opts);
  orr__json_free(flow->extra);
  orr__json_free(flow->out);
  orr__trial_free(flow->trial);
  orr__object_free(flow->keeps);
  free(flow->ids);
  free(flow->find_ref);
  free(flow->call_name);
  free(flow->spare);
  orr__batch_free(flow);
  orr__start_free(flow->start);
  orr__rescue_free(flow->rescue);
  orr__sweep_free(flow);
  orr__history_free(flow);
  orr__update_free(flow->update);
  if (flow->reserved) orr__name_free(core, flow->reserved);
  free(flow->reserved);
  free(flow);
}

/* ---- subjects ----------------------------------------------------------------------------------------------- */

orr__subject *orr__subject_of(orr__core *core, uint64_t key) { return orr__map_get(&core->subjects, key); }

bool orr__backup_is_leaving(orr__core *core, int64_t backup_id) {
  const orr__subject *subject = orr__subject_of(core, orr__backup_key(backup_id));
  return (subject && subject->is_leaving) || orr__map_get(&core->deleting, (uint64_t)backup_id);
}

static void run_step(void *arg) {
  orr__flow *flow = arg;
  orr__step step = flow->step;
  flow->step = NULL;
  step(flow);
}

/* Runs the flow's step in the next turn. A timer that is due now serves: it can be stopped when the core is freed. */
static void step_soon(orr__flow *flow) {
  orr__timer_start(flow->core->loop, &flow->timer, orr__loop_mono_ms(flow->core->loop), run_step, flow);
}

static orr__subject *subject_make(orr__core *core, uint64_t key) {
  orr__subject *subject = orr__subject_of(core, key);
  if (subject) return subject;
  subject = calloc(1, sizeof *subject);
  if (!subject) return NULL;
  subject->key = key;
  if (orr__map_put(&core->subjects, key, subject) == 0) return subject;
  free(subject);
  return NULL;
}

bool orr__flow_try(orr__flow *flow, uint64_t key) {
  assert(!flow->subject);
  if (orr__subject_of(flow->core, key)) return false;
  orr__subject *subject = subject_make(flow->core, key);
  if (!subject) return false;
  subject->holder = flow;
  flow->subject = key;
  flow->is_holding = true;
  return true;
}

void orr__flow_acquire(orr__flow *flow, uint64_t key, bool urgent, orr__step step) {
  assert(!flow->subject);
  flow->step = step;
  orr__subject *subject = subject_make(flow->core, key);
  flow->code = 0;
  if (!subject) {
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
    step_soon(flow);
    return;
  }
  flow->subject = key;
  if (!subject->holder) {
    subject->holder = flow;
    flow->is_holding = true;
    step_soon(flow);
  } else if (!subject->first) {
    subject->first = subject->last = flow;
  } else if (urgent) {
    flow->line = subject->first;
    subject->first = flow;
  } else {
    subject->last->line = flow;
    subject->last = flow;
  }
}

static void leave_line(orr__subject *subject, orr__flow *flow) {
  orr__flow *before = NULL;
  for (orr__flow *f = subject->first; f; before = f, f = f->line) {
    if (f != flow) continue;
    if (before)
      before->line = f->line;
    else
      subject->first = f->line;
    if (subject->last == f) subject->last = before;
    return;
  }
}

/* A result that was held and not put back into the wheel, because something went wrong on the way, is looked at again: a
 * visit too many does nothing, one too few would leave it in progress for ever. */
static void visit_again(orr__flow *flow) {
  orr__core *core = flow->core;
  uint64_t id = flow->subject / 2;
  if (flow->subject % 2 || flow->is_armed || core->is_draining || orr__wheel_get(core->due, id, NULL)) return;
  orr__wheel_set(core->due, id, orr__loop_mono_ms(core->loop) + (flow->code ? 10000 : 1000));
  orr__refresh_arm(core);
}

void orr__flow_release(orr__flow *flow) {
  orr__core *core = flow->core;
  if (!flow->subject) return;
  orr__subject *subject = orr__subject_of(core, flow->subject);
  bool held = flow->is_holding;
  if (held) visit_again(flow);
  flow->subject = 0;
  flow->is_holding = false;
  if (!held) {
    leave_line(subject, flow);
    return;
  }
  orr__flow *heir = subject->first;
  subject->holder = heir;
  subject->is_cancelled = subject->is_leaving = false;
  if (!heir) {
    orr__map_remove(&core->subjects, subject->key);
    free(subject);
    return;
  }
  subject->first = heir->line;
  if (!subject->first) subject->last = NULL;
  heir->line = NULL;
  heir->is_holding = true;
  step_soon(heir);
}

/* ---- the store ---------------------------------------------------------------------------------------------- */

orr__tx *orr__flow_tx(orr__flow *flow) {
  (void)flow;
  return orr__tx_new(); /* NULL is fine: every builder takes it, and submitting it completes with NOMEM */
}

static void on_tx(void *arg, orr__tx *tx, int code, const orr_error *err) {
  orr__flow *flow = arg;
  orr__loop_busy(flow->core->loop, -1);
  if (flow->core->is_closed) {
    orr__flow_end(flow);
    return;
  }
  flow->code = code;
  orr__error_clear(&flow->error);
  if (code) {
    if (err)
      orr__error_copy(&flow->error, err);
    else
      orr__error_set(&flow->error, code, "the store refused it");
    orr__flow_hush(flow);
  } else {
    flow->core->last_commit_ms = orr__now(flow->core);
    orr__flow_tell(flow);
  }
  flow->tx = tx;
  orr__step step = flow->step;
  flow->step = NULL;
  step(flow);
}

static void no_memory(void *arg) {
  orr__flow *flow = arg;
  flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  flow->tx = NULL;
  run_step(flow);
}

void orr__flow_submit(orr__flow *flow, orr__tx *tx, orr__step step) {
  flow->step = step;
  if (!tx) {
    orr__timer_start(flow->core->loop, &flow->timer, orr__loop_mono_ms(flow->core->loop), no_memory, flow);
    return;
  }
  orr__loop_busy(flow->core->loop, 1);
  orr__store_submit(flow->core->store, tx, on_tx, flow);
}

/* orr__flow_load's own step is wrapped around the caller's. */
static void loaded(orr__flow *flow) {
  orr__step step = flow->inner;
  flow->inner = NULL;
  if (flow->code == 0 && !orr__tx_take_graph(flow->tx, flow->slot, &flow->graph))
    flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "it has been removed meanwhile");
  step(flow);
}

void orr__flow_load(orr__flow *flow, enum orr__model_id model, int64_t id, orr__step step) {
  orr__graph_clear(&flow->graph);
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_graph(tx, model, id);
  flow->inner = step;
  orr__flow_submit(flow, tx, loaded);
}

/* A closing runtime goes no further with this: what the hook wrote is kept, its open row in the journal tells the rest. */
void orr__flow_leave(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  if (!result || !result->head.dirty || flow->core->is_closed) {
    orr__flow_end(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__flow_write(flow, tx);
  orr__flow_submit(flow, tx, orr__flow_end);
}

void orr__flow_sleep(orr__flow *flow, double seconds, orr__step step) {
  flow->step = step;
  flow->code = 0;
  orr__timer_start(flow->core->loop, &flow->timer, orr__loop_mono_ms(flow->core->loop) + (int64_t)(seconds * 1000),
                   run_step, flow);
}

void orr__flow_wait_again(orr__flow *flow) {
  double wait = flow->answer.retry_after >= 0 && flow->answer.outcome == ORR_OUTCOME_RETRY
                    ? flow->answer.retry_after
                    : orr__backoff_s(1, flow->attempt - 1);
  orr__step step = flow->inner;
  flow->inner = NULL;
  orr__flow_sleep(flow, wait, step);
}

/* ---- finding ------------------------------------------------------------------------------------------------ */

static int field_of(enum orr__model_id model, const char *name) { return orr__field_find(&orr__models[model], name); }

static void found(orr__flow *flow) {
  orr__step step = flow->inner;
  flow->inner = NULL;
  const char *what = orr__models[flow->find_model].name;
  if (flow->code == 0) {
    const orr__object *by_name = flow->slot >= 0 ? orr__tx_row(flow->tx, flow->slot, 0) : NULL;
    const orr__object *by_id = flow->slot2 >= 0 ? orr__tx_row(flow->tx, flow->slot2, 0) : NULL;
    size_t matches = flow->slot3 >= 0 ? orr__tx_rows(flow->tx, flow->slot3) : 0;
    const orr__object *hit = by_name ? by_name : by_id;
    if (!hit && matches == 1) hit = orr__tx_row(flow->tx, flow->slot3, 0);
    if (hit)
      flow->id = orr__object_id(hit);
    else if (matches > 1)
      flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "'%s' fits more than one %s: give more of its uuid",
                                  flow->find_ref, what);
    else
      flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "no %s '%s'", what, flow->find_ref);
  }
  free(flow->find_ref);
  flow->find_ref = NULL;
  step(flow);
}

void orr__flow_find(orr__flow *flow, enum orr__model_id model, const char *ref, orr__step step) {
  orr__tx *tx = orr__flow_tx(flow);
  int name = field_of(model, "name"), uuid = field_of(model, "uuid");
  char *end;
  int64_t id = strtoll(ref, &end, 10);
  flow->slot = flow->slot2 = flow->slot3 = -1;
  if (name >= 0)
    flow->slot =
        orr__tx_query(tx, &(orr__query){ .model = model,
                                         .where = &(orr__where){ .field = name, .compare = ORR_EQ, .text = ref },
                                         .where_count = 1,
                                         .order_field = -1,
                                         .limit = 1,
                                         .fields = 1 });
  if (*ref && !*end && id > 0) flow->slot2 = orr__tx_get(tx, model, id);
  if (strlen(ref) >= 4)
    flow->slot3 =
        orr__tx_query(tx, &(orr__query){ .model = model,
                                         .where = &(orr__where){ .field = uuid, .compare = ORR_PREFIX, .text = ref },
                                         .where_count = 1,
                                         .order_field = -1,
                                         .limit = 2,
                                         .fields = 1 });
  flow->find_model = model;
  free(flow->find_ref);
  flow->find_ref = orr__strdup(ref);
  flow->inner = step;
  orr__flow_submit(flow, tx, found);
}

/* ---- replies ------------------------------------------------------------------------------------------------ */

void orr__flow_reply(orr__flow *flow, const orr__json *json) {
  uint64_t request = flow->request;
  flow->request = 0;
  if (!request) return;
  char *text = orr__json_print(json);
  if (text) {
    flow->core->config.sink.reply(flow->core->config.sink.self, request, 0, text, NULL);
  } else {
    orr_error err = ORR_ERROR_INIT;
    orr__error_set(&err, ORR_E_NOMEM, "out of memory");
    flow->core->config.sink.reply(flow->core->config.sink.self, request, ORR_E_NOMEM, "null", &err);
    orr__error_clear(&err);
  }
  free(text);
}

void orr__flow_fail(orr__flow *flow, int code, const orr_error *err) {
  uint64_t request = flow->request;
  flow->request = 0;
  if (request) flow->core->config.sink.reply(flow->core->config.sink.self, request, code, "null", err);
}

int orr__flow_no_memory(orr__flow *flow) {
  return flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
}

void orr__flow_abandon(orr__flow *flow) {
  orr__flow *parent = flow->parent;
  if (parent) { /* what went wrong with a part went wrong with the whole */
    parent->code = flow->code;
    orr__error_move(&parent->error, &flow->error);
    orr__flow_end(flow);
    flow = parent;
  }
  if (flow->request) orr__flow_fail(flow, flow->code, &flow->error);
  orr__flow_end(flow);
}
