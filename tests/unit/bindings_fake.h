/* A virtual loop, a provider from memory and a host that notes what it is told: the bindings without core and store. For the
 * test_bindings_* programs of the machinery. */
#ifndef ORR_TEST_BINDINGS_FAKE_H
#define ORR_TEST_BINDINGS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "bindings.h"

#define FAKE_EPOCH INT64_C(1795000000000)
#define FAKE_CALLS 64

typedef struct fake {
  orr__loop *loop;
  orr__random random;
  orr__http *http;
  orr__bindings *bindings;
  const orr__provider_ops *ops;
  uint64_t last_id;
  /* by call id */
  orr__call *ended[FAKE_CALLS];
  orr__answer answers[FAKE_CALLS];
  int answered[FAKE_CALLS];
  /* the sent mark */
  int marks;
  char act[128];
  orr__ready mark_ready;
  void *mark_arg;
  bool holds_marks;      /* the test answers; otherwise the loop's next turn does */
  int mark_code;
  /* save and results */
  int checkpoints;
  uint64_t checkpoint_dirty;
  orr__ready save_ready;
  void *save_arg;
  int save_code;
  bool holds_saves;
  char results_status[32];
  size_t results_limit;
  orr__results_ready results_ready;
  void *results_arg;
  /* providers and log */
  int changes, refusals;
  char refusal[1024];
  bool works;            /* as the last change or refusal said */
  char log[8192];
} fake;

static inline void fake_answered(void *core, orr__call *call, orr__answer *answer) {
  fake *f = core;
  assert_true(call->id < FAKE_CALLS);
  f->answered[call->id]++;
  f->answers[call->id] = *answer;
  f->ended[call->id] = call;
}

static inline void fake_mark_now(void *arg) {
  fake *f = arg;
  orr__ready ready = f->mark_ready;
  f->mark_ready = NULL;
  if (ready) ready(f->mark_arg, f->mark_code, NULL);
}

static inline void fake_mark_sent(void *core, uint64_t id, const char *act, orr__ready ready, void *arg) {
  fake *f = core;
  (void)id;
  f->marks++;
  snprintf(f->act, sizeof f->act, "%s", act);
  f->mark_ready = ready;
  f->mark_arg = arg;
  if (!f->holds_marks) orr__loop_defer(f->loop, fake_mark_now, f);
}

static inline void fake_save_now(void *arg) {
  fake *f = arg;
  orr__ready ready = f->save_ready;
  f->save_ready = NULL;
  if (ready) ready(f->save_arg, f->save_code, NULL);
}

static inline void fake_checkpoint(void *core, uint64_t id, orr__object *object, orr__ready ready, void *arg) {
  fake *f = core;
  (void)id;
  f->checkpoints++;
  f->checkpoint_dirty = object->dirty;
  orr__object_clean(object);
  f->save_ready = ready;
  f->save_arg = arg;
  if (!f->holds_saves) orr__loop_defer(f->loop, fake_save_now, f);
}

static inline void fake_results_now(void *arg) {
  fake *f = arg;
  orr_result **list = calloc(2, sizeof *list);
  for (int i = 0; i < 2; i++) {
    list[i] = orr__result_new();
    orr__set_int(&list[i]->head, ORR_F_result_id, 90 - i);
    orr__set_str(&list[i]->head, ORR_F_result_status, "SUCCEEDED");
  }
  f->results_ready(f->results_arg, 0, list, 2);
}

static inline void fake_results(void *core, uint64_t id, int64_t backup, const char *status, size_t limit, orr__results_ready ready, void *arg) {
  fake *f = core;
  (void)id;
  assert_int_equal(backup, 7);
  snprintf(f->results_status, sizeof f->results_status, "%s", status ? status : "");
  f->results_limit = limit;
  f->results_ready = ready;
  f->results_arg = arg;
  orr__loop_defer(f->loop, fake_results_now, f);
}

static inline void fake_log(void *core, uint64_t id, const char *provider, enum orr__log_level level, const char *message) {
  fake *f = core;
  (void)id;
  (void)provider;
  (void)level;
  size_t len = strlen(f->log);
  snprintf(f->log + len, sizeof f->log - len, "%s\n", message);
}

static inline void fake_changed(void *core, const char *code, const orr_error *err, bool works) {
  fake *f = core;
  (void)code;
  f->works = works;
  if (err) {
    f->refusals++;
    snprintf(f->refusal, sizeof f->refusal, "%s", orr__error_message(err));
  } else {
    f->changes++;
  }
}

/* On a loop of the caller's, which is taken. */
static inline void fake_open_on(fake *f, orr__loop *loop, const char *const *dirs, size_t memory_limit, int64_t settle_ms) {
  memset(f, 0, sizeof *f);
  f->loop = loop;
  orr__random_seeded(&f->random, 1);
  assert_int_equal(orr__http_new(f->loop, 0, &f->http, NULL), 0);
  orr__bindings_config config = {
    .loop = f->loop, .http = f->http, .random = &f->random, .dirs = dirs, .memory_limit = memory_limit, .settle_ms = settle_ms,
    .host = { .core = f, .answered = fake_answered, .mark_sent = fake_mark_sent, .checkpoint = fake_checkpoint, .results = fake_results,
              .log = fake_log, .provider_changed = fake_changed },
  };
  orr_error err = ORR_ERROR_INIT;
  int rc = orr__bindings_open(&config, &f->bindings, &err);
  if (rc) fail_msg("%s", orr__error_message(&err));
  f->ops = orr__bindings_ops(f->bindings);
}

static inline void fake_open_with(fake *f, const char *const *dirs, size_t memory_limit) {
  orr__loop *loop;
  assert_int_equal(orr__loop_new_virtual(FAKE_EPOCH, &loop, NULL), 0);
  fake_open_on(f, loop, dirs, memory_limit, 0);
}

static inline void fake_open(fake *f) {
  fake_open_with(f, NULL, 0);
}

static inline void fake_close(fake *f) {
  orr__bindings_close(f->bindings);
  orr__http_free(f->http);
  for (int i = 0; i < FAKE_CALLS; i++) {
    orr__call_free(f->ended[i]);
    orr__answer_clear(&f->answers[i]);
  }
  /* What was deferred still runs; it must find nobody. */
  while (orr__loop_step(f->loop, 0)) {}
  orr__loop_free(f->loop);
}

#define FAKE_HEAD "local provider = Provider { apiVersion = 1, code = 'test', name = 'Test', version = '1.0' }\n"
#define FAKE_EXECUTE "function provider.executeBackup() end\n"
#define FAKE_TAIL "\nreturn provider\n"

/* Loads a provider whose file is the whole text. */
static inline int fake_load_text(fake *f, const char *text, orr_error *err) {
  return orr__bindings_add_source(f->bindings, "test", text, strlen(text), err);
}

/* Loads a provider with these functions in it; executeBackup is added if there is none. */
static inline void fake_load(fake *f, const char *body) {
  orr_error err = ORR_ERROR_INIT;
  char *text = orr__strf(FAKE_HEAD "%s\n%s" FAKE_TAIL, strstr(body, "provider.executeBackup") ? "" : FAKE_EXECUTE, body);
  int rc = fake_load_text(f, text, &err);
  if (rc) fail_msg("%s\n%s", orr__error_message(&err), text);
  free(text);
}

static inline orr_backup *fake_backup(bool is_persisted) {
  orr_backup *b = orr__backup_new();
  if (is_persisted) orr__set_int(&b->head, ORR_F_backup_id, 7);
  orr__set_str(&b->head, ORR_F_backup_uuid, "11111111-1111-4111-8111-111111111111");
  orr__set_str(&b->head, ORR_F_backup_name, "nightly");
  orr__set_str(&b->head, ORR_F_backup_providerCode, "test");
  orr__set_int(&b->head, ORR_F_backup_backupProviderId, 3);
  orr__set_str(&b->head, ORR_F_backup_config, "{\"path\":\"/srv\",\"deep\":{\"er\":{\"x\":5}}}");
  orr__set_str(&b->head, ORR_F_backup_secrets, "{\"passphrase\":\"open sesame\"}");
  orr__object_clean(&b->head);
  return b;
}

static inline orr_result *fake_result(void) {
  orr_result *r = orr__result_new();
  orr__set_int(&r->head, ORR_F_result_id, 42);
  orr__set_str(&r->head, ORR_F_result_uuid, "22222222-2222-4222-8222-222222222222");
  orr__set_int(&r->head, ORR_F_result_backupId, 7);
  orr__set_str(&r->head, ORR_F_result_backupName, "nightly");
  orr__set_str(&r->head, ORR_F_result_status, "INITIALIZING");
  orr__object_clean(&r->head);
  return r;
}

static inline orr_connection *fake_connection(void) {
  orr_connection *c = orr__connection_new();
  orr__set_int(&c->head, ORR_F_connection_id, 3);
  orr__set_str(&c->head, ORR_F_connection_name, "lab");
  orr__set_str(&c->head, ORR_F_connection_serviceUrl, "https://lab.example.com:8443/api");
  orr__set_str(&c->head, ORR_F_connection_username, "admin");
  orr__set_str(&c->head, ORR_F_connection_password, "s3cr3t-pa55");
  orr__object_clean(&c->head);
  return c;
}

/* A call with the usual graph, not yet started. */
static inline orr__call *fake_call(fake *f, enum orr__hook hook) {
  orr__call *call = orr__call_new(++f->last_id, hook, "test");
  const orr__hook_info *info = &orr__hooks[hook];
  bool is_draft = hook == ORR_HOOK_createBackup || hook == ORR_HOOK_configureBackup || hook == ORR_HOOK_validateBackup;
  for (int i = 0; i < ORR_HOOK_ARGS; i++) {
    if (info->args[i] == ORR_ARG_RESULT) call->graph.result = fake_result();
    if ((info->args[i] == ORR_ARG_RESULT || info->args[i] == ORR_ARG_BACKUP) && !call->graph.backup) call->graph.backup = fake_backup(!is_draft);
  }
  call->graph.connection = fake_connection();
  call->deadline_mono_ms = orr__loop_mono_ms(f->loop) + 60000;
  call->opts = orr__strdup("{\"trigger\":\"manual\",\"attempt\":1}");
  call->config = orr__strdup("{\"path\":\"/srv\"}");
  call->execution_config = orr__strdup("{}");
  return call;
}

static inline uint64_t fake_start(fake *f, orr__call *call) {
  orr_error err = ORR_ERROR_INIT;
  uint64_t id = call->id;
  if (f->ops->call(f->ops->self, call, &err) != 0) fail_msg("%s", orr__error_message(&err));
  return id;
}

/* Steps until the call is answered. */
static inline orr__answer *fake_wait(fake *f, uint64_t id) {
  for (int i = 0; i < 100000 && !f->answered[id]; i++) orr__loop_step(f->loop, -1);
  assert_int_equal(f->answered[id], 1);
  return &f->answers[id];
}

static inline orr__answer *fake_run(fake *f, enum orr__hook hook) {
  return fake_wait(f, fake_start(f, fake_call(f, hook)));
}

static inline void fake_step(fake *f, int times) {
  for (int i = 0; i < times; i++) orr__loop_step(f->loop, 0);
}

static inline void assert_has(const char *text, const char *part) {
  if (!text || !strstr(text, part)) fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(null)");
}

static inline void assert_success(const orr__answer *answer) {
  if (answer->outcome != ORR_OUTCOME_SUCCESS) fail_msg("outcome %d: %s %s", answer->outcome, orr__error_message(&answer->error), answer->msg ? answer->msg : "");
}

static inline void assert_error(const orr__answer *answer, const char *part) {
  if (answer->outcome != ORR_OUTCOME_ERROR) fail_msg("outcome %d, not an error: %s", answer->outcome, answer->msg ? answer->msg : "");
  assert_has(orr__error_message(&answer->error), part);
}

#endif
