/* Opening, closing and the operations struct: the front of the bindings, which holds no logic of its own. */
#include "bindings.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "lib_session.h"
#include "task.h"

static int describe(void *self, const char *code, const orr__declaration **ret, orr_error *reterr) {
  orr__provider *provider;
  int rc = orr__provider_get(self, code, &provider, reterr);
  if (!rc) *ret = &provider->current->declaration;
  return rc;
}

typedef void (*each_provider)(void *arg, const char *code, const char *path, const orr__declaration *declaration, const orr_error *err);

static int list(void *self, each_provider each, void *arg, orr_error *reterr) {
  orr__bindings *b = self;
  char **codes;
  int rc = orr__provider_codes(b, &codes, reterr);
  if (rc) return rc;
  for (size_t i = 0; codes[i]; i++) {
    orr_error err = ORR_ERROR_INIT;
    orr__provider *provider;
    if (orr__provider_get(b, codes[i], &provider, &err) == 0) {
      each(arg, codes[i], provider->path, &provider->current->declaration, NULL);
    } else {
      const orr__provider *known = orr__provider_known(b, codes[i]);
      each(arg, codes[i], known ? known->path : NULL, NULL, &err);
    }
    orr__error_clear(&err);
  }
  orr__codes_free(codes);
  return 0;
}

static int call(void *self, orr__call *the_call, orr_error *reterr) {
  return orr__call_start(self, the_call, reterr);
}

static void interrupt(void *self, uint64_t call_id, const char *why) {
  orr__bindings *b = self;
  orr__hookcall *hc = orr__map_get(&b->calls, call_id);
  if (hc) orr__call_interrupt(hc, why);
}

static int check(void *self, const char *path, char **ret_findings, orr_error *reterr) {
  return orr__provider_check(self, path, ret_findings, reterr);
}

static void forget_connection(void *self, int64_t connection_id) {
  orr__sessions_forget(self, connection_id);
}

static void remember(void *self, const orr__kept *kept) {
  orr__provider_remember(self, kept);
}

static void tell(const orr__provider *p, enum orr__reload *ret, const char **ret_why) {
  *ret = p->last;
  *ret_why = p->error.code ? orr__error_message(&p->error) : NULL;
}

static int reload(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  orr__bindings *b = self;
  orr__provider *p = orr__provider_known(b, code);
  if (!p || !p->is_tried) {
    int rc = orr__provider_get(b, code, &p, reterr);
    if (!(p = orr__provider_known(b, code))) return rc;
    orr__error_clear(reterr);
    tell(p, ret, ret_why);
    return 0;
  }
  if (p->is_text) return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' is no file: the program that gave it gives a new one", code);
  bool was_live = p->last == ORR_RELOAD_LIVE;
  char before[65];
  memcpy(before, p->seen_sha256, sizeof before);
  if (!was_live && p->last != ORR_RELOAD_WAITING && p->last != ORR_RELOAD_ASKING) *p->seen_sha256 = '\0'; /* tried again, and told again */
  orr__provider_refresh(p, NULL);
  tell(p, ret, ret_why);
  if (was_live && *ret == ORR_RELOAD_LIVE && strcmp(before, p->seen_sha256) == 0) *ret = ORR_RELOAD_SAME;
  return 0;
}

static int outcome(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  const orr__provider *p = orr__provider_known(self, code);
  if (!p) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s'", code);
  tell(p, ret, ret_why);
  return 0;
}

static int trust(void *self, const char *code, const char *sha256, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  orr__provider *p;
  int rc = orr__provider_get(self, code, &p, reterr);
  if (!rc) rc = orr__provider_trust(p, sha256, reterr);
  if (!rc) tell(p, ret, ret_why);
  return rc;
}

static int roll_back(void *self, const orr__kept *to, orr_error *reterr) {
  orr__provider *p = orr__provider_known(self, to->code);
  if (!p) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s'", to->code);
  return orr__provider_roll_back(p, to, reterr);
}

static int forget(void *self, const char *code, orr_error *reterr) {
  orr__provider *p = orr__provider_known(self, code);
  char *path = NULL, *folder = NULL;
  if (p && p->is_text) return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' is no file: the program gave it", code);
  if (orr__provider_find(self, code, &path, &folder, NULL) == 0) {
    orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' has a file: remove %s first", code, path);
    free(path);
    free(folder);
    return ORR_E_REFUSED;
  }
  bool is_running = p && p->typed && p->typed->calls;
  for (const orr__version *v = p ? p->current : NULL; v; v = v == p->current ? p->old : v->next) is_running = is_running || v->calls;
  if (is_running) return orr__error_set(reterr, ORR_E_REFUSED, "a hook of provider '%s' is running", code);
  if (p) orr__provider_forget(p);
  return 0;
}

static void add_up(const orr__version *v, orr__provider_state *ret) {
  ret->in_flight += v->calls;
  ret->memory += v->used;
  if (!v->is_current) ret->old_versions++;
}

static int state(void *self, const char *code, orr__provider_state *ret) {
  const orr__provider *p = orr__provider_known(self, code);
  if (!p) return ORR_E_NOT_FOUND;
  *ret = (orr__provider_state){ .last = p->last, .is_loaded = p->current != NULL, .is_kept = p->is_kept, .is_rolled_back = *p->held_sha256 != '\0', .is_watched = p->is_watched,
                                .file_sha256 = p->seen_sha256, .granted = p->granted, .waiting_needs = p->waiting_needs, .calls = p->calls,
                                .errors = p->errors, .last_error = p->last_error, .last_error_ms = p->last_error_ms };
  if (p->current) {
    add_up(p->current, ret);
    ret->memory_limit = p->current->limit;
  }
  for (const orr__version *v = p->old; v; v = v->next) add_up(v, ret);
  return 0;
}

static size_t backlog(void *self) {
  return ((const orr__bindings *)self)->queued;
}

static int copy_dirs(orr__bindings *b, const char *const *dirs) {
  size_t count = 0;
  while (dirs && dirs[count]) count++;
  b->dirs = calloc(count + 1, sizeof *b->dirs);
  if (!b->dirs) return ORR_E_NOMEM;
  for (size_t i = 0; i < count; i++) {
    b->dirs[i] = orr__strdup(dirs[i]);
    if (!b->dirs[i]) return ORR_E_NOMEM;
  }
  b->config.dirs = (const char *const *)b->dirs;
  return 0;
}

static void free_bindings(orr__bindings *b) {
  for (size_t i = 0; b->dirs && b->dirs[i]; i++) free(b->dirs[i]);
  free(b->dirs);
  free(b->trusted_dir);
  orr__map_clear(&b->calls);
  orr__origins_clear(b);
  free(b);
}

__attribute__((weak)) int orr__lua_open(orr_error *reterr) {
  (void)reterr;
  return 0;
}

int orr__bindings_open(const orr__bindings_config *config, orr__bindings **ret, orr_error *reterr) {
  if (orr__lua_open(reterr)) return ORR_E_IO;
  orr__bindings *b = calloc(1, sizeof *b);
  if (!b) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  b->config = *config;
  orr__map_init(&b->calls);
  b->trusted_dir = orr__strdup(config->trusted_dir);
  if (copy_dirs(b, config->dirs) != 0 || (config->trusted_dir && !b->trusted_dir)) {
    free_bindings(b);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  int rc = orr__reload_open(b, reterr);
  if (rc) {
    orr__reload_close(b);
    free_bindings(b);
    return rc;
  }
  b->may_jit = orr__slice_probe();
  b->ops = (orr__provider_ops){ .self = b,
                               .describe = describe,
                               .list = list,
                               .call = call,
                               .interrupt = interrupt,
                               .remember = remember,
                               .reload = reload,
                               .outcome = outcome,
                               .trust = trust,
                               .roll_back = roll_back,
                               .forget = forget,
                               .state = state,
                               .check = check,
                               .forget_connection = forget_connection,
                               .backlog = backlog };
  *ret = b;
  return 0;
}

void orr__bindings_drain(orr__bindings *b) {
  if (b->is_draining) return;
  b->is_draining = true;
  orr__sessions_look(b);
}

bool orr__bindings_is_idle(const orr__bindings *b) {
  return b->own_calls == 0 && !orr__timer_is_started(&b->close_timer);
}

void orr__bindings_close(orr__bindings *b) {
  if (!b) return;
  b->is_closing = true;
  orr__timer_stop(b->config.loop, &b->run_timer);
  orr__timer_stop(b->config.loop, &b->close_timer);
  size_t pos = 0;
  uint64_t id;
  void *hc;
  /* Answering may call back into us, but starts nothing any more: orr__call_start refuses while closing. */
  while (orr__map_next(&b->calls, &pos, &id, &hc))
    orr__call_abandon(hc, ORR_OUTCOME_INTERRUPTED, ORR_E_CANCELLED, "the runtime is closing");
  orr__timer_stop(b->config.loop, &b->reap_timer);
  orr__waits_orphan(b);
  orr__questions_orphan(b);
  orr__providers_free(b);
  orr__reload_close(b);
  free_bindings(b);
}

const orr__provider_ops *orr__bindings_ops(const orr__bindings *b) {
  return &b->ops;
}

int orr__bindings_add_source(orr__bindings *b, const char *code, const char *text, size_t len, orr_error *reterr) {
  return orr__provider_from_text(b, code, text, len, reterr);
}

size_t orr__bindings_calls(const orr__bindings *b) {
  return b->calls.len;
}
