/* The providers that are known, and which version of each is current.
 *
 *            files changed         loads, no findings
 *   current ---------------> read ------------------> swapped in; the old one goes when its last call has ended
 *      ^                       | findings, unreadable, two of one name
 *      +-----------------------+ current stays, declaration.warning and provider->error say why
 *
 * Whether files changed is asked at describe and call with one stat per file, once in a turn of the loop however many ask; the same
 * broken files are not tried twice. Does not know what makes a version good (version.c) nor where files lie (provider_find.c). */
#include "registry.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "version.h"

#define FINDINGS_MAX 65536

orr__provider *orr__provider_known(const orr__bindings *b, const char *code) {
  for (orr__provider *p = b->providers; p; p = p->next)
    if (strcmp(p->code, code) == 0) return p;
  return NULL;
}

static orr__provider *provider_new(orr__bindings *b, const char *code) {
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

static void provider_free(orr__provider *p) {
  if (!p) return;
  orr__version_free(p->current);
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
  free(p);
}

void orr__providers_free(orr__bindings *b) {
  while (b->providers) {
    orr__provider *next = b->providers->next;
    provider_free(b->providers);
    b->providers = next;
  }
}

static void add_provider(orr__bindings *b, orr__provider *p) {
  orr__provider **at = &b->providers;
  while (*at && strcmp((*at)->code, p->code) < 0) at = &(*at)->next;
  p->next = *at;
  *at = p;
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

static void swap_in(orr__provider *p, orr__version *v) {
  if (p->current) {
    p->current->is_current = false;
    p->current->next = p->old;
    p->old = p->current;
    if (p->current->calls == 0) reap_soon(p->bindings);
  }
  v->is_current = true;
  p->current = v;
}

/* ---- loading ----------------------------------------------------------------------------------------------- */

/* The findings as one error: the first, and how many more there are. */
static int findings_error(const char *code, const orr__buf *findings, orr_error *reterr) {
  const char *text = orr__buf_text(findings), *end = strchr(text, '\n');
  size_t more = 0;
  for (const char *c = end ? end + 1 : ""; *c; c++) more += *c == '\n';
  int len = (int)(end ? (size_t)(end - text) : strlen(text));
  if (more)
    return orr__error_set(reterr, ORR_E_PROVIDER, "provider '%s': %.*s (and %zu more; `orrery provider check` lists them)", code, len,
                          text, more);
  return orr__error_set(reterr, ORR_E_PROVIDER, "provider '%s': %.*s", code, len, text);
}

/* Takes the sources. 0: they are the current version. */
static int load_sources(orr__provider *p, orr__sources *sources, orr_error *reterr) {
  orr__buf findings;
  orr__buf_init(&findings, FINDINGS_MAX);
  orr_error err = ORR_ERROR_INIT;
  orr__version *v = orr__version_load(p, sources, &findings, &err);
  if (v) swap_in(p, v);
  else if (findings.len > 0) {
    orr__error_clear(&err);
    findings_error(p->code, &findings, &err);
  }
  orr__buf_clear(&findings);
  return v ? 0 : orr__error_move(reterr, &err);
}

/* Tells the core, and remembers why the newest files are not current. */
static void announce(orr__provider *p, const orr_error *err) {
  const orr__provider_host *host = &p->bindings->config.host;
  orr__error_clear(&p->error);
  if (err) orr__error_copy(&p->error, err);
  if (p->current) {
    free(p->current->declaration.warning);
    p->current->declaration.warning = err ? orr__strdup(orr__error_message(err)) : NULL;
  }
  if (host->provider_changed) host->provider_changed(host->core, p->code, err, p->current != NULL);
}

/* A turn has one time. On a virtual clock many turns have, so there every asking looks. */
static bool has_looked(orr__provider *p) {
  const orr__loop *loop = p->bindings->config.loop;
  int64_t now_ms = orr__loop_mono_ms(loop);
  if (orr__loop_is_virtual(loop) || p->looked_ms != now_ms) {
    p->looked_ms = now_ms;
    return false;
  }
  return true;
}

static bool is_stale(orr__provider *p) {
  if (!p->path || has_looked(p)) return false;
  if (orr__stamps_changed(&p->stamps)) return true;
  if (!orr__stamps_racy(&p->stamps)) return false;
  return true;
}

/* Looks for the files again, reads them, and makes them current if they are new and good. */
static int refresh(orr__provider *p, orr_error *reterr) {
  char *path = NULL, *folder = NULL;
  orr__sources sources = { 0 };
  orr__stamps stamps = { 0 };
  orr_error err = ORR_ERROR_INIT;
  int rc = orr__provider_find(p->bindings, p->code, &path, &folder, &err);
  if (!rc) rc = orr__sources_read(p->code, path, folder, &sources, &stamps, &err);
  bool is_same = !rc && strcmp(sources.sha256, p->seen_sha256) == 0;
  if (rc) {
    /* Gone or unreadable: the same message is told once. */
    is_same = p->error.code == rc && orr__streq(p->error.message, err.message);
  } else {
    orr__stamps_clear(&p->stamps);
    p->stamps = stamps;
    memset(&stamps, 0, sizeof stamps);
    free(p->path);
    free(p->folder);
    p->path = path;
    p->folder = folder;
    path = folder = NULL;
    memcpy(p->seen_sha256, sources.sha256, sizeof p->seen_sha256);
    bool is_current = p->current && strcmp(p->current->sources.sha256, sources.sha256) == 0;
    if (is_same && p->error.code && p->current && is_current) is_same = false; /* it was gone and is back */
    if (!is_same && !is_current) rc = load_sources(p, &sources, &err);
    else if (is_same && p->error.code && !is_current) rc = orr__error_copy(&err, &p->error);
  }
  if (!is_same) announce(p, rc ? &err : NULL);
  orr__sources_clear(&sources);
  orr__stamps_clear(&stamps);
  free(path);
  free(folder);
  rc = p->current ? 0 : rc;
  if (rc) orr__error_move(reterr, &err);
  orr__error_clear(&err);
  return rc;
}

int orr__provider_get(orr__bindings *b, const char *code, orr__provider **ret, orr_error *reterr) {
  orr__provider *p = orr__provider_known(b, code);
  int rc = 0;
  if (p) {
    if (is_stale(p)) rc = refresh(p, reterr);
    else if (!p->current) {
      rc = p->error.code ? p->error.code : ORR_E_PROVIDER;
      if (reterr) orr__error_copy(reterr, &p->error);
    }
    if (!rc) *ret = p;
    return rc;
  }
  char *path = NULL, *folder = NULL;
  rc = orr__provider_find(b, code, &path, &folder, reterr);
  if (rc) return rc;
  p = provider_new(b, code);
  if (!p) {
    free(path);
    free(folder);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  p->path = path;
  p->folder = folder;
  add_provider(b, p);
  rc = refresh(p, reterr);
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
  if (!p) p = provider_new(b, code);
  if (!p) {
    orr__sources_clear(&sources);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  rc = load_sources(p, &sources, &err);
  if (!rc && !known) add_provider(b, p);
  if (!rc || known) announce(p, rc ? &err : NULL);
  else provider_free(p);
  if (rc) orr__error_move(reterr, &err);
  orr__error_clear(&err);
  return rc;
}

int orr__provider_version(orr__provider *p, orr__version **ret, orr_error *reterr) {
  if (p->current->is_tainted) {
    orr__sources copy;
    char *warning = orr__strdup(p->current->declaration.warning);
    int rc = orr__sources_copy(&copy, &p->current->sources);
    if (rc) {
      free(warning);
      return orr__error_set(reterr, rc, "out of memory");
    }
    rc = load_sources(p, &copy, reterr);
    if (rc) {
      free(warning);
      return rc;
    }
    p->current->declaration.warning = warning;
  }
  *ret = p->current;
  return 0;
}

/* The main file of what somebody names: a file, or a folder with an init.lua. Owned. */
static char *main_file(const char *path) {
  struct stat st;
  size_t len = strlen(path);
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return orr__strdup(path);
  while (len > 1 && path[len - 1] == '/') len--;
  return orr__strf("%.*s/init.lua", (int)len, path);
}

int orr__provider_check(orr__bindings *b, const char *path, char **ret_report, orr_error *reterr) {
  char *copy = main_file(path), *folder = NULL, *code = NULL;
  orr__sources sources = { 0 };
  orr__stamps stamps = { 0 };
  orr__buf findings, fields;
  orr__provider *p = NULL;
  orr__buf_init(&findings, FINDINGS_MAX);
  int rc = 0;
  const char *base = copy ? strrchr(copy, '/') : NULL;
  base = base ? base + 1 : copy;
  size_t len = base ? strlen(base) : 0;
  if (base && strcmp(base, "init.lua") == 0) {
    folder = base == copy ? orr__strdup(".") : orr__strndup(copy, (size_t)(base - copy - 1));
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (real) code = orr__strdup(basename(real));
    free(real);
  } else {
    code = orr__strndup(base, len > 4 && strcmp(base + len - 4, ".lua") == 0 ? len - 4 : len);
  }
  p = code ? provider_new(b, code) : NULL;
  if (!copy || !p) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc) rc = orr__sources_read(code, copy, folder, &sources, &stamps, reterr);
  orr__buf_init(&fields, FINDINGS_MAX);
  if (!rc) {
    orr_error err = ORR_ERROR_INIT;
    for (size_t i = 0; i < sources.count; i++) orr__fields_check(sources.items[i].text, sources.items[i].len, sources.items[i].chunk, &fields);
    p->current = orr__version_load(p, &sources, &findings, &err);
    if (!p->current && findings.len == 0) rc = orr__error_move(reterr, &err);
    orr__error_clear(&err);
    orr__buf_adds(&findings, orr__buf_text(&fields));
  }
  char *report = rc ? NULL : orr__buf_take(&findings, NULL);
  if (!rc && !report) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc) *ret_report = report;
  provider_free(p);
  orr__sources_clear(&sources);
  orr__stamps_clear(&stamps);
  orr__buf_clear(&findings);
  orr__buf_clear(&fields);
  free(copy);
  free(folder);
  free(code);
  return rc;
}
