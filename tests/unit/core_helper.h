/* A core with nothing below it but the store in memory and a virtual loop, and nothing above it but a provider backend in C whose
 * hooks are what the test says. Replies are kept by request id. Included by the tests of the core, which link no Lua. */
#ifndef ORR_CORE_HELPER_H
#define ORR_CORE_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/core.h"
#include "model/json.h"

#define REPLIES 256
#define CALLS 512

typedef struct rig rig;
/* What a hook does: reads and writes call->graph, fills answer (zeroed: success). */
typedef void (*hook_fn)(rig *rig, orr__call *call, orr__answer *answer);

struct rig {
  orr__loop *loop;
  orr__store *store;
  orr__core *core;
  orr__random random;
  orr__provider_ops ops;
  orr__declaration declaration;
  hook_fn hooks[ORR_HOOK_COUNT];
  bool acts[ORR_HOOK_COUNT];       /* the hook marks itself sent before it runs: then it counts as done outside */
  bool dies_after_act[ORR_HOOK_COUNT]; /* and never answers */
  bool holds[ORR_HOOK_COUNT];      /* the hook waits, even before its mark, until rig_release */
  int ran[ORR_HOOK_COUNT];
  int acted[ORR_HOOK_COUNT];
  int interrupts;
  orr__call *open[CALLS];          /* calls not answered yet */
  int64_t history_events, history_days, history_results; /* limits of the next core */
  int generation;                  /* of the core: what an earlier one began is not gone on with */
  uint64_t last_request;           /* submitted by rig_submit */
  int updates;
  const char *zoneinfo;            /* of the next core; NULL: the system's */
  int codes[REPLIES];
  char *replies[REPLIES];
  orr_error errors[REPLIES];
};

static inline void rig_answer(rig *r, orr__call *call) {
  orr__answer answer;
  memset(&answer, 0, sizeof answer);
  answer.retry_after = -1;
  r->ran[call->hook]++;
  for (size_t i = 0; i < CALLS; i++)
    if (r->open[i] == call) r->open[i] = NULL;
  if (r->hooks[call->hook]) r->hooks[call->hook](r, call, &answer);
  orr__core_host(r->core)->answered(r->core, call, &answer);
}

/* The hook does not get as far as its own code: it ends as the backend ends one whose wait was refused. */
static inline void rig_end(rig *r, orr__call *call, enum orr__outcome outcome, const char *why) {
  orr__answer answer;
  memset(&answer, 0, sizeof answer);
  answer.retry_after = -1;
  answer.outcome = outcome;
  orr__error_set(&answer.error, outcome == ORR_OUTCOME_INTERRUPTED ? ORR_E_CANCELLED : ORR_E_IO, "%s", why);
  r->ran[call->hook]++;
  for (size_t i = 0; i < CALLS; i++)
    if (r->open[i] == call) r->open[i] = NULL;
  orr__core_host(r->core)->answered(r->core, call, &answer);
}

typedef struct pending {
  rig *rig;
  uint64_t id;
  int generation;
  char why[80];
} pending;

static inline orr__call *rig_open_call(rig *r, uint64_t id) {
  for (size_t i = 0; i < CALLS; i++)
    if (r->open[i] && r->open[i]->id == id) return r->open[i];
  return NULL;
}

/* The call, if it is open still and of this core. */
static inline orr__call *rig_pending(const pending *p) { return p->generation == p->rig->generation ? rig_open_call(p->rig, p->id) : NULL; }

static inline pending *rig_pend(rig *r, uint64_t id) {
  pending *p = calloc(1, sizeof *p);
  *p = (pending){ .rig = r, .id = id, .generation = r->generation };
  return p;
}

static inline void rig_sent(void *arg, int code, const orr_error *err) {
  pending *p = arg;
  orr__call *call = rig_pending(p);
  if (call && code) {
    rig_end(p->rig, call, ORR_OUTCOME_ERROR, orr__error_message(err));
  } else if (call) {
    p->rig->acted[call->hook]++;
    if (!p->rig->dies_after_act[call->hook]) rig_answer(p->rig, call);
  }
  free(p);
}

static inline void rig_go(rig *r, orr__call *call) {
  if (r->acts[call->hook]) orr__core_host(r->core)->mark_sent(r->core, call->id, "POST http://outside:80", rig_sent, rig_pend(r, call->id));
  else rig_answer(r, call);
}

static inline void rig_begin(void *arg) {
  pending *p = arg;
  orr__call *call = rig_pending(p);
  if (call && !p->rig->holds[call->hook]) rig_go(p->rig, call);
  free(p);
}

static inline int rig_call(void *self, orr__call *call, orr_error *reterr) {
  rig *r = self;
  if (!r->hooks[call->hook]) return orr__error_set(reterr, ORR_E_REFUSED, "no such hook");
  size_t i = 0;
  while (r->open[i]) i++;
  r->open[i] = call;
  pending *p = rig_pend(r, call->id);
  int code = orr__loop_defer(r->loop, rig_begin, p);
  if (code == 0) return 0;
  r->open[i] = NULL;
  free(p);
  return orr__error_set(reterr, code, "out of memory");
}

static inline orr__call *rig_held(rig *r, enum orr__hook hook) {
  for (size_t i = 0; i < CALLS; i++)
    if (r->open[i] && r->open[i]->hook == hook) return r->open[i];
  return NULL;
}

/* Lets a held hook go on, and no further one wait. */
static inline void rig_release(rig *r, enum orr__hook hook) {
  orr__call *call = rig_held(r, hook);
  r->holds[hook] = false;
  if (call) rig_go(r, call);
}

static inline void rig_interrupted(void *arg) {
  pending *p = arg;
  orr__call *call = rig_pending(p);
  if (call) rig_end(p->rig, call, ORR_OUTCOME_INTERRUPTED, p->why);
  free(p);
}

/* Only a hook that waits can be interrupted. */
static inline void rig_interrupt(void *self, uint64_t call_id, const char *why) {
  rig *r = self;
  orr__call *call = rig_open_call(r, call_id);
  r->interrupts++;
  if (!call || !r->holds[call->hook]) return;
  pending *p = rig_pend(r, call_id);
  snprintf(p->why, sizeof p->why, "%s", why);
  if (orr__loop_defer(r->loop, rig_interrupted, p)) free(p);
}

static inline int rig_describe(void *self, const char *code, const orr__declaration **ret, orr_error *reterr) {
  rig *r = self;
  if (strcmp(code, r->declaration.code)) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s'", code);
  r->declaration.hooks = 0;
  for (int i = 0; i < ORR_HOOK_COUNT; i++)
    if (r->hooks[i]) r->declaration.hooks |= 1u << i;
  *ret = &r->declaration;
  return 0;
}

static inline int rig_list(void *self, void (*each)(void *, const char *, const char *, const orr__declaration *, const orr_error *), void *arg, orr_error *reterr) {
  rig *r = self;
  (void)reterr;
  each(arg, r->declaration.code, NULL, &r->declaration, NULL);
  return 0;
}

static inline void rig_forget(void *self, int64_t id) { (void)self, (void)id; }

static inline void rig_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err) {
  rig *r = self;
  assert_true(request < REPLIES);
  assert_null(r->replies[request]); /* once, and only once */
  r->codes[request] = code;
  r->replies[request] = strdup(json);
  if (err) orr__error_copy(&r->errors[request], err);
}

static inline void rig_update(void *self, uint64_t request, const char *json) {
  rig *r = self;
  (void)request, (void)json;
  r->updates++;
}
static inline void rig_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message) { (void)self, (void)level, (void)about, (void)message; }
static inline void rig_wake(void *arg) { (void)arg; }

static inline void rig_open_core(rig *r) {
  orr__core_config config = { .loop = r->loop, .store = r->store, .random = &r->random, .role = ORR_ROLE_SERVE, .zoneinfo = r->zoneinfo,
                              .history_events = r->history_events, .history_days = r->history_days, .history_results = r->history_results,
                              .sink = { .self = r, .reply = rig_reply, .update = rig_update, .log = rig_log } };
  assert_int_equal(orr__core_new(&config, &r->core, NULL), 0);
  r->ops = (orr__provider_ops){ .self = r, .describe = rig_describe, .list = rig_list, .call = rig_call, .interrupt = rig_interrupt, .forget_connection = rig_forget };
  orr__core_use(r->core, &r->ops);
  r->last_request = 0;
  assert_int_equal(orr__core_start(r->core, NULL), 0);
}

static inline rig *rig_new(void) {
  rig *r = calloc(1, sizeof *r);
  r->declaration.code = (char *)(uintptr_t)"fake";
  r->declaration.needs = (char *)(uintptr_t)"{}";
  orr__random_seeded(&r->random, 7);
  assert_int_equal(orr__loop_new_virtual(INT64_C(1767225600000), &r->loop, NULL), 0);
  assert_int_equal(orr__store_open_memory(&(orr__store_config){ .wake = rig_wake }, &r->store, NULL), 0);
  rig_open_core(r);
  return r;
}

static inline void rig_forget_replies(rig *r) {
  for (size_t i = 0; i < REPLIES; i++) {
    free(r->replies[i]);
    r->replies[i] = NULL;
    r->codes[i] = 0;
    orr__error_clear(&r->errors[i]);
  }
}

/* Turns the wheels until nothing happens without time passing. */
static inline void rig_settle(rig *r) {
  for (int quiet = 0; quiet < 4;) {
    bool did = orr__store_drain(r->store) > 0;
    did = orr__loop_step(r->loop, 0) || did;
    quiet = did ? 0 : quiet + 1;
  }
}

static inline void rig_advance(rig *r, int64_t seconds) {
  for (int64_t i = 0; i < seconds; i++) {
    orr__loop_advance(r->loop, 1000);
    rig_settle(r);
  }
}

/* The runtime dies: calls in flight are never answered. */
static inline void rig_kill_core(rig *r) {
  r->generation++;
  if (r->core) orr__core_close(r->core);
  while (orr__store_drain(r->store)) {}
  orr__core_free(r->core);
  r->core = NULL;
  for (size_t i = 0; i < CALLS; i++) {
    orr__call_free(r->open[i]);
    r->open[i] = NULL;
  }
  rig_forget_replies(r);
}

static inline void rig_free(rig *r) {
  rig_settle(r);
  rig_kill_core(r);
  orr__store_close(r->store);
  orr__loop_free(r->loop);
  free(r);
}

/* Turns the wheels by halves: completions, then the loop. */
static inline void rig_turn(rig *r, int halves) {
  for (int i = 0; i < halves; i++) {
    if (i % 2) orr__store_drain(r->store);
    else orr__loop_step(r->loop, 0);
  }
}

static inline uint64_t rig_submit(rig *r, const char *request, const char *args) {
  uint64_t id = 0;
  assert_int_equal(orr__core_submit(r->core, request, args, &id, NULL), 0);
  r->last_request = id;
  return id;
}

static inline void rig_copied(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)err;
  orr__object **to = arg;
  *to = code ? NULL : orr__tx_take(tx, 0, 0);
}

/* A row as the store has it (owned), or NULL. Completions that wait are run. */
static inline orr__object *rig_stored(rig *r, enum orr__model_id model, int64_t id) {
  orr__object *row = NULL;
  orr__tx *tx = orr__tx_new();
  orr__tx_get(tx, model, id);
  orr__store_submit(r->store, tx, rig_copied, &row);
  while (orr__store_drain(r->store)) {}
  return row;
}

/* Asks and waits; the reply's text (borrowed), or NULL with r->codes[*id]. */
static inline uint64_t rig_ask(rig *r, const char *request, const char *args) {
  uint64_t id = rig_submit(r, request, args);
  rig_settle(r);
  return id;
}

/* Hooks as tests want them. */
static inline void hook_ok(rig *r, orr__call *call, orr__answer *answer) { (void)r, (void)call, (void)answer; }

static inline void hook_starts(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.result->head, ORR_F_result_externalId, "job-1");
}

static inline void hook_succeeds(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.result->head, ORR_F_result_status, "SUCCEEDED");
}

static inline void hook_raises(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_ERROR;
  orr__error_set(&answer->error, ORR_E_UNREACHABLE, "no route");
}

static inline void hook_halts(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)call;
  answer->outcome = ORR_OUTCOME_HALT;
  answer->msg = orr__strdup("not today");
}

static inline char *rig_text(rig *r, const char *request, const char *args, const char *key) {
  uint64_t id = rig_ask(r, request, args);
  assert_non_null(r->replies[id]);
  orr__json *json = orr__json_parse(r->replies[id], strlen(r->replies[id]), NULL);
  char *text = orr__strdup(orr__json_str(json, key));
  orr__json_free(json);
  return text;
}

#define assert_field(rig_, request, args, key, expected) \
  do { \
    char *text_ = rig_text(rig_, request, args, key); \
    if (expected) assert_string_equal(text_ ? text_ : "(null)", (const char *)(expected) ? (const char *)(expected) : ""); \
    else assert_null(text_); \
    free(text_); \
  } while (0)

#endif
