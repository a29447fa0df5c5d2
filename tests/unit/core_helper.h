/* A core with nothing below it but the store in memory and a virtual loop, and nothing above it but a provider backend in C whose
 * hooks are what the test says. Replies are kept by request id. Included by the tests of the core, which link no Lua. */
#ifndef ORR_CORE_HELPER_H
#define ORR_CORE_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
  int ran[ORR_HOOK_COUNT];
  int acted[ORR_HOOK_COUNT];
  orr__call *open[CALLS];          /* calls not answered yet */
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

typedef struct pending {
  rig *rig;
  orr__call *call;
} pending;

static inline void rig_sent(void *arg, int code, const orr_error *err) {
  pending *p = arg;
  (void)err;
  if (code == 0) {
    p->rig->acted[p->call->hook]++;
    if (!p->rig->dies_after_act[p->call->hook]) rig_answer(p->rig, p->call);
  }
  free(p);
}

static inline void rig_begin(void *arg) {
  pending *p = arg;
  if (p->rig->acts[p->call->hook]) {
    orr__core_host(p->rig->core)->mark_sent(p->rig->core, p->call->id, "POST http://outside:80", rig_sent, p);
    return;
  }
  rig_answer(p->rig, p->call);
  free(p);
}

static inline int rig_call(void *self, orr__call *call, orr_error *reterr) {
  rig *r = self;
  (void)reterr;
  pending *p = malloc(sizeof *p);
  *p = (pending){ r, call };
  size_t i = 0;
  while (r->open[i]) i++;
  r->open[i] = call;
  return orr__loop_defer(r->loop, rig_begin, p);
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

static inline void rig_interrupt(void *self, uint64_t call_id, const char *why) { (void)self, (void)call_id, (void)why; }
static inline void rig_forget(void *self, int64_t id) { (void)self, (void)id; }

static inline void rig_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err) {
  rig *r = self;
  assert_true(request < REPLIES);
  assert_null(r->replies[request]); /* once, and only once */
  r->codes[request] = code;
  r->replies[request] = orr__strdup(json);
  if (err) orr__error_copy(&r->errors[request], err);
}

static inline void rig_update(void *self, uint64_t request, const char *json) { (void)self, (void)request, (void)json; }
static inline void rig_log(void *self, enum orr__log_level level, const char *provider, const char *message) { (void)self, (void)level, (void)provider, (void)message; }
static inline void rig_wake(void *arg) { (void)arg; }

static inline void rig_open_core(rig *r) {
  orr__core_config config = { .loop = r->loop, .store = r->store, .random = &r->random, .role = ORR_ROLE_SERVE,
                              .sink = { .self = r, .reply = rig_reply, .update = rig_update, .log = rig_log } };
  assert_int_equal(orr__core_new(&config, &r->core, NULL), 0);
  r->ops = (orr__provider_ops){ .self = r, .describe = rig_describe, .list = rig_list, .call = rig_call, .interrupt = rig_interrupt, .forget_connection = rig_forget };
  orr__core_use(r->core, &r->ops);
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

/* Asks and waits; the reply's text (borrowed), or NULL with r->codes[*id]. */
static inline uint64_t rig_ask(rig *r, const char *request, const char *args) {
  uint64_t id = 0;
  assert_int_equal(orr__core_submit(r->core, request, args, &id, NULL), 0);
  rig_settle(r);
  return id;
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
