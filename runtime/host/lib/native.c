/* The backend of providers in C: native.h has the states of a call, backends.c asks it.
 *
 * Does not know what a hook does, nor how the host works on it. */
#include "host/lib/native.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "port/crypto.h"
#include "version.h"

#define FAULTS_MAX 65536

static const size_t functions[ORR_HOOK_COUNT] = {
#define HOOK(name, args, flags, timeout, opts, doc) offsetof(orr_provider, name),
#include "core/ops.def"
#undef HOOK
};

static orr_hook_function function_of(const orr_provider *provider, enum orr__hook hook) {
  orr_hook_function function = NULL;
  if (functions[hook] + sizeof function <= provider->size) memcpy(&function, (const char *)provider + functions[hook], sizeof function);
  return function;
}

/* ---- providers ---------------------------------------------------------------------------------------------- */

orr__native_provider *orr__native_find(const struct orr__native *native, const char *code) {
  orr__native_provider *provider = native->providers;
  while (provider && strcmp(provider->declaration.code, code)) provider = provider->next;
  return provider;
}

bool orr__native_has(const struct orr__native *native, const char *code) { return orr__native_find(native, code) != NULL; }

void orr__native_provider_unref(orr__native_provider *provider) {
  if (!provider || atomic_fetch_sub(&provider->refs, 1) > 1) return;
  if (provider->hooks.released) provider->hooks.released(provider->hooks.self);
  orr__declaration_clear(&provider->declaration);
  free(provider);
}

/* All of it: there is no command that lists what is wrong with what a program declares. */
static int refuse(const orr__findings *findings, orr_error *reterr) {
  orr__buf text;
  orr__buf_init(&text, FAULTS_MAX);
  for (size_t i = 0; i < findings->count; i++) orr__buf_addf(&text, "%s%s", i ? "; " : "", findings->items[i].message);
  int rc = orr__error_set(reterr, ORR_E_PROVIDER, "%s", orr__buf_text(&text));
  orr__buf_clear(&text);
  return rc;
}

static int declare(orr__native_provider *provider, const char *text, int64_t now_ms, orr_error *reterr) {
  orr__declaration *d = &provider->declaration;
  orr__json *map = orr__json_parse_map(text, reterr);
  if (!map) return ORR_E_INVALID;
  orr__findings findings = { 0 };
  char *code = orr__strdup(orr__json_str(map, "code"));
  orr__declare(d, map, code ? code : "", &findings);
  orr__json_free(map);
  free(code);
  for (int i = 0; i < ORR_HOOK_COUNT; i++)
    if (function_of(&provider->hooks, i)) d->hooks |= 1u << i;
  findings.rule = ORR_RULE_MISSING_HOOK;
  if (!orr__declares(d, ORR_HOOK_executeBackup)) orr__finding(&findings, "Provider: executeBackup is NULL, and required");
  orr__declare_agree_hooks(d, "declaration", &findings);
  char *hash = orr__sha256_hex(text, strlen(text));
  snprintf(d->sha256, sizeof d->sha256, "%s", hash ? hash : "");
  free(hash);
  d->loaded_ms = now_ms;
  int rc = findings.errors ? refuse(&findings, reterr) : 0;
  orr__findings_clear(&findings);
  if (!rc && (!d->code || !d->name || !d->version || !d->needs)) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return rc;
}

static bool has_script(const struct orr__native *native, const char *code) {
  const orr__declaration *declaration;
  orr_error err = ORR_ERROR_INIT;
  int rc = native->lua->describe(native->lua->self, code, &declaration, &err);
  orr__error_clear(&err);
  return rc != ORR_E_NOT_FOUND;
}

/* Takes the new one. */
static void replace(struct orr__native *native, orr__native_provider *fresh) {
  for (orr__native_provider **link = &native->providers; *link; link = &(*link)->next) {
    orr__native_provider *old = *link;
    if (strcmp(old->declaration.code, fresh->declaration.code)) continue;
    *link = old->next;
    orr__native_provider_unref(old);
    break;
  }
  fresh->next = native->providers;
  native->providers = fresh;
  native->host->provider_changed(native->host->core, fresh->declaration.code, NULL, true);
}

static int add_provider(orr_runtime *rt, const orr_provider *given, orr_error *reterr) {
  orr__native_provider *provider = calloc(1, sizeof *provider);
  if (!provider) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  memcpy(&provider->hooks, given, given->size < sizeof *given ? given->size : sizeof *given);
  provider->refs = 1;
  int code = declare(provider, given->declaration, orr__loop_wall_ms(rt->loop), reterr);
  if (!code && !orr__native_find(rt->native, provider->declaration.code) && has_script(rt->native, provider->declaration.code))
    code = orr__error_set(reterr, ORR_E_EXISTS, "a script has the code '%s'", provider->declaration.code);
  if (!code) {
    replace(rt->native, provider);
    return 0;
  }
  provider->hooks.released = NULL; /* it never was the runtime's */
  orr__native_provider_unref(provider);
  return code;
}

int orr_provider_register(orr_runtime *runtime, const orr_provider *provider, orr_error *reterr) {
  if (!provider || !provider->declaration || provider->size < functions[0])
    return orr__error_set(reterr, ORR_E_MISUSE, "orr_provider_register needs a struct with its size and a declaration");
  int code = orr__enter(runtime, reterr);
  if (code) return code;
  code = add_provider(runtime, provider, reterr);
  orr__leave(runtime);
  return code;
}

/* ---- calls -------------------------------------------------------------------------------------------------- */

void orr__hook_free(orr_hook *hook) {
  if (hook->call || hook->is_given || hook->asks > 0) return;
  orr__native_provider_unref(hook->provider);
  orr__answer_clear(&hook->answer);
  orr__secrets_clear(&hook->secrets);
  for (orr__kept_text *kept; (kept = hook->texts);) {
    hook->texts = kept->next;
    explicit_bzero(kept->text, strlen(kept->text));
    free(kept->text);
    free(kept);
  }
  free(hook->stop_why);
  free(hook->json);
  free(hook);
}

/* Answers the core, once. */
static void finish(orr_hook *hook, orr__answer *answer) {
  struct orr__native *native = hook->rt->native;
  orr__call *call = hook->call;
  orr__timer_release(hook->rt->loop, &hook->timer);
  orr__map_remove(&native->calls, hook->id);
  orr__secrets_clean_call(&hook->secrets, call);
  orr__secrets_clean_answer(&hook->secrets, answer);
  memcpy(answer->sha256, hook->provider->declaration.sha256, sizeof answer->sha256);
  hook->call = NULL;
  hook->is_answered = true;
  native->host->answered(native->host->core, call, answer);
  *answer = (orr__answer){ 0 };
  orr__hook_free(hook);
}

static void end_stopped(orr_hook *hook, const char *how) {
  const orr__declaration *d = &hook->provider->declaration;
  orr__answer answer = { .outcome = hook->stop == ORR_E_DEADLINE ? ORR_OUTCOME_TIMEOUT : ORR_OUTCOME_INTERRUPTED, .retry_after = -1 };
  answer.has_left_nothing = hook->answer.has_left_nothing;
  orr__error_set(&answer.error, hook->stop, "%s %s: %s: %s%s", d->code, d->version, orr__hooks[hook->hook].name,
                 hook->stop_why ? hook->stop_why : "stopped", how);
  finish(hook, &answer);
}

static void on_answer(void *arg) {
  orr_hook *hook = arg;
  /* What was stopped has not succeeded, whatever it says. */
  if (hook->stop) end_stopped(hook, "");
  else finish(hook, &hook->answer);
}

void orr__native_answer(orr_hook *hook) {
  orr__timer_start(hook->rt->loop, &hook->timer, orr__loop_mono_ms(hook->rt->loop), on_answer, hook);
}

static void grace_over(void *arg) { end_stopped(arg, ", and it did not end"); }

void orr__native_stop(orr_hook *hook, int code, const char *why) {
  orr_runtime *rt = hook->rt;
  if (hook->stop || !hook->call || hook->is_answered) return;
  hook->stop = code;
  hook->stop_why = orr__strdup(why);
  if (!hook->is_given) {
    orr__native_answer(hook);
    return;
  }
  orr__timer_start(rt->loop, &hook->timer, orr__loop_mono_ms(rt->loop) + ORR_GRACE_MS, grace_over, hook);
  if (hook->provider->hooks.interrupted) hook->provider->hooks.interrupted(hook->provider->hooks.self, hook);
}

static void on_deadline(void *arg) { orr__native_stop(arg, ORR_E_DEADLINE, "the deadline of the hook has passed"); }

static void on_start(void *arg) {
  orr_hook *hook = arg;
  orr_hook_function function = function_of(&hook->provider->hooks, hook->hook);
  orr__timer_start(hook->rt->loop, &hook->timer, hook->call->deadline_mono_ms, on_deadline, hook);
  hook->is_given = true;
  orr_ref(hook->rt);
  function(hook->provider->hooks.self, hook); /* it may be gone now */
}

int orr__native_call(struct orr__native *native, orr__call *call, orr_error *reterr) {
  orr__native_provider *provider = orr__native_find(native, call->provider);
  orr_runtime *rt = native->rt;
  if (!function_of(&provider->hooks, call->hook))
    return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' has no %s", call->provider, orr__hooks[call->hook].name);
  if (call->trial || call->eval) return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s' is not a script: its hooks cannot be tried out", call->provider);
  orr_hook *hook = calloc(1, sizeof *hook);
  char *text = hook ? orr__hook_text(call) : NULL;
  bool is_whole = text && orr__secrets_learn(&hook->secrets, &provider->declaration, call) == 0 && orr__timer_reserve(rt->loop, &hook->timer) == 0;
  if (is_whole && orr__map_put(&native->calls, call->id, hook)) {
    orr__timer_release(rt->loop, &hook->timer);
    is_whole = false;
  }
  if (!is_whole) {
    if (hook) orr__secrets_clear(&hook->secrets);
    free(text);
    free(hook);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  hook->rt = rt;
  hook->provider = provider;
  hook->call = call;
  hook->id = call->id;
  hook->hook = call->hook;
  hook->json = text;
  hook->answer.retry_after = -1;
  provider->refs++;
  orr__timer_start(rt->loop, &hook->timer, orr__loop_mono_ms(rt->loop), on_start, hook);
  return 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

void orr__native_close(struct orr__native *native) {
  uint64_t id;
  void *value;
  if (!native) return;
  orr__prepare_close(native);
  for (size_t pos = 0; orr__map_next(&native->calls, &pos, &id, &value); pos = 0) {
    orr_hook *hook = value;
    hook->stop = ORR_E_CANCELLED;
    free(hook->stop_why);
    hook->stop_why = orr__strdup("the runtime is closing");
    if (hook->is_given && hook->provider->hooks.interrupted) hook->provider->hooks.interrupted(hook->provider->hooks.self, hook);
    /* It may have been answered just now, from inside. */
    if (orr__map_get(&native->calls, id) == hook) end_stopped(hook, "");
  }
}

void orr__native_free(struct orr__native *native) {
  if (!native) return;
  for (orr__native_provider *p; (p = native->providers);) {
    native->providers = p->next;
    orr__native_provider_unref(p);
  }
  orr__map_clear(&native->calls);
  orr__map_clear(&native->preparing);
  free(native);
}
