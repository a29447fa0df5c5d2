/* The providers that are known, and which version of each is current.
 *
 *   unknown -- asked for, or its file appears --> known -- loads --> current -- replaced --> old -- last call ends --> freed
 *
 * A version whose state is tainted is replaced by the same one afresh, when it is called next. Does not know when files are read
 * (reload.c), where they lie (provider_find.c), nor what makes a version good (version.c). */
#include "registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "version.h"

orr__provider *orr__provider_known(const orr__bindings *b, const char *code) {
  for (orr__provider *p = b->providers; p; p = p->next)
    if (strcmp(p->code, code) == 0) return p;
  return NULL;
}

orr__provider *orr__provider_make(orr__bindings *b, const char *code) {
  orr__provider *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->bindings = b;
  p->code = orr__strdup(code);
  if (!p->code) {
    free(p);
    return NULL;
  }
  return p;
}

void orr__provider_free(orr__provider *p) {
  if (!p) return;
  orr__reload_unwatch(p);
  orr__timer_stop(p->bindings->config.loop, &p->settle_timer);
  orr__provider_drop_pending(p);
  orr__version_free(p->current);
  orr__version_free(p->typed);
  while (p->old) {
    orr__version *next = p->old->next;
    orr__version_free(p->old);
    p->old = next;
  }
  orr__stamps_clear(&p->stamps);
  orr__error_clear(&p->error);
  orr__secrets_clear(&p->secrets);
  orr__session_store_unref(p->sessions);
  free(p->code);
  free(p->path);
  free(p->folder);
  free(p->granted);
  free(p->kept_sources);
  free(p->last_error);
  free(p);
}

void orr__providers_free(orr__bindings *b) {
  while (b->providers) {
    orr__provider *next = b->providers->next;
    orr__provider_free(b->providers);
    b->providers = next;
  }
}

void orr__provider_put(orr__provider *p) {
  orr__bindings *b = p->bindings;
  orr__provider **at = &b->providers;
  while (*at && strcmp((*at)->code, p->code) < 0) at = &(*at)->next;
  p->next = *at;
  *at = p;
}

void orr__provider_forget(orr__provider *p) {
  orr__provider **at = &p->bindings->providers;
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  orr__provider_free(p);
}

/* ---- old versions ------------------------------------------------------------------------------------------ */

static void reap(void *arg) {
  orr__bindings *b = arg;
  for (orr__provider *p = b->providers; p; p = p->next) {
    for (orr__version **at = &p->old; *at;) {
      orr__version *v = *at;
      if (v->calls > 0) {
        at = &v->next;
        continue;
      }
      *at = v->next;
      orr__version_free(v);
    }
  }
}

/* In a later turn: somebody may still borrow its declaration, or be inside it. */
static void reap_soon(orr__bindings *b) {
  if (b->is_closing || orr__timer_is_started(&b->reap_timer)) return;
  orr__timer_start(b->config.loop, &b->reap_timer, orr__loop_mono_ms(b->config.loop), reap, b);
}

void orr__version_unpin(orr__version *v) {
  v->calls--;
  if (!v->is_current && v->calls == 0) reap_soon(v->bindings);
}

void orr__version_swap_in(orr__provider *p, orr__version *v) {
  if (p->current) {
    p->current->is_current = false;
    p->current->next = p->old;
    p->old = p->current;
    if (p->current->calls == 0) reap_soon(p->bindings);
  }
  v->is_current = true;
  p->current = v;
}

int orr__provider_get(orr__bindings *b, const char *code, orr__provider **ret, orr_error *reterr) {
  orr__provider *p = orr__provider_known(b, code);
  int rc = 0;
  if (p) {
    orr__provider_look(p);
    if (!p->current) {
      rc = p->error.code ? p->error.code : ORR_E_PROVIDER;
      if (!p->error.code) orr__error_set(reterr, rc, "provider '%s' has no version that works", code);
      else if (reterr) orr__error_copy(reterr, &p->error);
    }
    if (!rc) *ret = p;
    return rc;
  }
  char *path = NULL, *folder = NULL;
  rc = orr__provider_find(b, code, &path, &folder, reterr);
  if (rc) return rc;
  p = orr__provider_make(b, code);
  if (!p) {
    free(path);
    free(folder);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  p->path = path;
  p->folder = folder;
  orr__provider_put(p);
  rc = orr__provider_refresh(p, reterr);
  if (!rc) *ret = p;
  return rc;
}

int orr__provider_from_text(orr__bindings *b, const char *code, const char *text, size_t len, orr_error *reterr) {
  orr__sources sources = { 0 };
  orr_error err = ORR_ERROR_INIT;
  int rc = orr__sources_from_text(code, text, len, &sources, reterr);
  if (rc) return rc;
  orr__provider *known = orr__provider_known(b, code), *p = known;
  if (p && p->path) {
    orr__sources_clear(&sources);
    return orr__error_set(reterr, ORR_E_EXISTS, "provider '%s' is a file: %s", code, p->path);
  }
  if (!p) p = orr__provider_make(b, code);
  if (!p) {
    orr__sources_clear(&sources);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  orr__version *v = orr__provider_load(p, &sources, &err);
  rc = v ? 0 : err.code;
  if (v) orr__version_swap_in(p, v);
  if (v) orr__provider_advise(v);
  if (v) p->is_text = p->is_tried = true;
  if (!rc && !known) orr__provider_put(p);
  if (!rc || known) orr__provider_announce(p, rc ? &err : NULL);
  else orr__provider_free(p);
  if (rc) orr__error_move(reterr, &err);
  orr__error_clear(&err);
  return rc;
}

/* The current version once more, in a state of its own. */
static int load_again(orr__provider *p, orr__version **ret, orr_error *reterr) {
  orr__sources copy;
  int rc = orr__sources_copy(&copy, &p->current->sources);
  if (rc) return orr__error_set(reterr, rc, "out of memory");
  orr_error err = ORR_ERROR_INIT;
  *ret = orr__provider_load(p, &copy, &err);
  if (!*ret) return orr__error_move(reterr, &err);
  rc = p->current->granted ? orr__version_grant(*ret, p->current->granted_text, reterr) : 0;
  if (!rc) return 0;
  orr__version_free(*ret);
  *ret = NULL;
  return rc;
}

/* The same version in a fresh state: for people nothing has changed. */
static int renew(orr__provider *p, orr_error *reterr) {
  const orr__declaration *before = &p->current->declaration;
  orr__version *v;
  int rc = load_again(p, &v, reterr);
  if (rc) return rc;
  v->declaration.warning = orr__strdup(before->warning);
  v->declaration.loaded_ms = before->loaded_ms;
  orr__version_swap_in(p, v);
  return 0;
}

int orr__provider_version(orr__provider *p, orr__version **ret, orr_error *reterr) {
  int rc = p->current->is_tainted ? renew(p, reterr) : 0;
  if (!rc) *ret = p->current;
  return rc;
}

int orr__provider_typed(orr__provider *p, orr__version **ret, orr_error *reterr) {
  orr__version *v = p->typed;
  if (v && !v->is_tainted && strcmp(v->sources.sha256, p->current->sources.sha256) == 0) {
    *ret = v;
    return 0;
  }
  int rc = load_again(p, ret, reterr);
  if (rc) return rc;
  if (v) {
    v->next = p->old;
    p->old = v;
    reap_soon(p->bindings);
  }
  p->typed = *ret;
  return 0;
}
