/* The fork between the two backends of core/provider.h: providers in C (native.c) and in Lua (the bindings), by their code.
 *
 * A provider in C is found first; a script cannot be added under its code. Every call passes prepare.c on its way. */
#include <stdlib.h>

#include "host/lib/native.h"

static int describe(void *self, const char *code, const orr__declaration **ret, orr_error *reterr) {
  const struct orr__native *native = self;
  const orr__native_provider *provider = orr__native_find(native, code);
  if (!provider) return native->lua->describe(native->lua->self, code, ret, reterr);
  *ret = &provider->declaration;
  return 0;
}

static int list(void *self, void (*each)(void *arg, const char *code, const char *path, const orr__declaration *declaration, const orr_error *err),
                void *arg, orr_error *reterr) {
  const struct orr__native *native = self;
  int code = native->lua->list(native->lua->self, each, arg, reterr);
  for (const orr__native_provider *p = native->providers; !code && p; p = p->next) each(arg, p->declaration.code, NULL, &p->declaration, NULL);
  return code;
}

static int call_either(void *self, orr__call *call, orr_error *reterr) { return orr__prepare_call(self, call, reterr); }

int orr__prepared_call(struct orr__native *native, orr__call *call, orr_error *reterr) {
  if (orr__native_find(native, call->provider)) return orr__native_call(native, call, reterr);
  return native->lua->call(native->lua->self, call, reterr);
}

static void interrupt(void *self, uint64_t call_id, const char *why) {
  struct orr__native *native = self;
  orr_hook *hook = orr__map_get(&native->calls, call_id);
  if (orr__prepare_interrupt(native, call_id, why)) return;
  if (hook) orr__native_stop(hook, ORR_E_CANCELLED, why && *why ? why : "interrupted");
  else native->lua->interrupt(native->lua->self, call_id, why);
}

static int check(void *self, const char *path, char **ret_findings, orr_error *reterr) {
  const struct orr__native *native = self;
  return native->lua->check(native->lua->self, path, ret_findings, reterr);
}

static void forget_connection(void *self, int64_t connection_id) {
  const struct orr__native *native = self;
  native->lua->forget_connection(native->lua->self, connection_id);
}

static size_t backlog(void *self) {
  const struct orr__native *native = self;
  return native->lua->backlog(native->lua->self);
}

/* ---- what only scripts have --------------------------------------------------------------------------------- */

static int no_script(const char *code, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' is not a script: it has no files", code);
}

static void remember(void *self, const orr__kept *kept) {
  const struct orr__native *native = self;
  native->lua->remember(native->lua->self, kept);
}

static int reload(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  const struct orr__native *native = self;
  if (orr__native_has(native, code)) return no_script(code, reterr);
  return native->lua->reload(native->lua->self, code, ret, ret_why, reterr);
}

static int outcome(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  const struct orr__native *native = self;
  if (orr__native_has(native, code)) return no_script(code, reterr);
  return native->lua->outcome(native->lua->self, code, ret, ret_why, reterr);
}

static int trust(void *self, const char *code, const char *sha256, enum orr__reload *ret, const char **ret_why, orr_error *reterr) {
  const struct orr__native *native = self;
  if (orr__native_has(native, code)) return no_script(code, reterr);
  return native->lua->trust(native->lua->self, code, sha256, ret, ret_why, reterr);
}

static int roll_back(void *self, const orr__kept *to, orr_error *reterr) {
  const struct orr__native *native = self;
  if (orr__native_has(native, to->code)) return no_script(to->code, reterr);
  return native->lua->roll_back(native->lua->self, to, reterr);
}

static int forget(void *self, const char *code, orr_error *reterr) {
  const struct orr__native *native = self;
  if (orr__native_has(native, code)) return no_script(code, reterr);
  return native->lua->forget(native->lua->self, code, reterr);
}

static int state(void *self, const char *code, orr__provider_state *ret) {
  const struct orr__native *native = self;
  return orr__native_has(native, code) ? ORR_E_NOT_FOUND : native->lua->state(native->lua->self, code, ret);
}

const orr__provider_ops *orr__native_ops(const struct orr__native *native) { return &native->ops; }

struct orr__native *orr__native_new(orr_runtime *rt, const orr__provider_host *host, const orr__provider_ops *lua) {
  struct orr__native *native = calloc(1, sizeof *native);
  if (!native) return NULL;
  native->rt = rt;
  native->host = host;
  native->lua = lua;
  native->ops = (orr__provider_ops){ native, describe, list, call_either, interrupt, remember, reload, outcome, trust, roll_back, forget, state, check, forget_connection, backlog };
  orr__map_init(&native->calls);
  orr__map_init(&native->preparing);
  return native;
}
