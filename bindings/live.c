/* From what was read to what is live.
 *
 *   read --> held? --> checks --> needs more than granted? --> reads what is stored? --> LIVE
 *             HELD     REFUSED       WAITING (for trust)          ASKING, UNREADABLE
 *
 * In every other case the version that is current goes on; where there is none, because the runtime has just started, the one that the
 * core has kept is used. What runs is granted what it declares, and nothing else is: `granted` follows what is live (but for paths,
 * needs_widen.c), and only a person's word lets it grow (first load, trust, roll back), but for providers in the trusted folder and for
 * those from memory.
 *
 * What is stored was written by versions that were live, so a version that can read all that the live one can needs no look at the
 * store. Does not know when files are read (reload.c), nor what a check is (version.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

#define MORE_MAX 4096

/* The core was asked whether a candidate can read what is stored. It outlives the bindings if it must. */
typedef struct orr__question {
  struct orr__question *next;
  orr__bindings *bindings;       /* NULL: they are closed */
  uint64_t id;
  char *code;
} orr__question;

/* ---- checks ------------------------------------------------------------------------------------------------ */

orr__version *orr__provider_load(orr__provider *p, orr__sources *sources, orr_error *reterr) {
  orr__findings findings = { 0 };
  orr__version *v = orr__version_load(p, sources, &findings, reterr);
  if (!v && findings.errors > 0) {
    char *text = orr__findings_text(&findings);
    if (reterr) orr__error_clear(reterr);
    orr__error_set(reterr, ORR_E_PROVIDER, "provider '%s': %s", p->code, text ? text : "it has faults, and there is no memory to say which");
    free(text);
  }
  orr__findings_clear(&findings);
  return v;
}

void orr__provider_advise(const orr__version *v) {
  const orr__provider_host *host = &v->bindings->config.host;
  if (v->declaration.advice && host->log) host->log(host->core, 0, v->provider->code, ORR_LOG_WARNING, v->declaration.advice);
}

int orr__version_grant(orr__version *v, const char *granted, orr_error *reterr) {
  char *text = orr__needs_grant(granted, v->declaration.needs);
  orr__json *map = text ? orr__json_parse_map(text, NULL) : NULL;
  if (!map) {
    free(text);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  free(v->granted_text);
  orr__json_free(v->granted);
  v->granted_text = text;
  v->granted = map;
  return 0;
}

/* ---- live -------------------------------------------------------------------------------------------------- */

void orr__provider_drop_pending(orr__provider *p) {
  orr__sources_clear(&p->waiting);
  free(p->waiting_needs);
  p->waiting_needs = NULL;
  orr__version_free(p->candidate);
  p->candidate = NULL;
  p->question = 0;
}

static void count_afresh(orr__provider *p) {
  p->calls = p->errors = 0;
  free(p->last_error);
  p->last_error = NULL;
}

/* Of the version that is current, whichever of its states it was. */
void orr__provider_count(const orr__version *v, const orr__answer *answer) {
  orr__provider *p = v->provider;
  if (!p->current || strcmp(p->current->sources.sha256, v->sources.sha256) != 0) return;
  p->calls++;
  if (answer->outcome != ORR_OUTCOME_ERROR && answer->outcome != ORR_OUTCOME_TIMEOUT) return;
  p->errors++;
  free(p->last_error);
  p->last_error = orr__strdup(orr__error_message(&answer->error));
  p->last_error_ms = orr__loop_wall_ms(v->bindings->config.loop);
}

static void swap_in(orr__provider *p, orr__version *v) {
  orr__version_swap_in(p, v);
  count_afresh(p);
  free(p->kept_sources);
  p->kept_sources = NULL;
}

/* What the version is granted and can read is what the next one is measured by. */
static void measure_by(orr__provider *p, const orr__version *v) {
  const orr__declaration *d = &v->declaration;
  char *granted = orr__strdup(v->granted_text);
  if (granted) { /* without memory the old grant stays, which was no wider than a person allowed */
    free(p->granted);
    p->granted = granted;
  }
  memcpy(p->reads, d->reads_state, sizeof p->reads);
  p->reads_count = d->reads_count;
}

static void keep(orr__provider *p, const orr__version *v, bool is_back) {
  const orr__provider_host *host = &p->bindings->config.host;
  const orr__declaration *d = &v->declaration;
  if (!host->keep) return;
  char *sources = orr__sources_pack(&v->sources);
  if (!sources) {
    if (host->log)
      host->log(host->core, 0, p->code, ORR_LOG_WARNING, "this version is not kept for a restart: out of memory");
    return;
  }
  orr__kept kept = { .code = p->code, .version = d->version, .sha256 = v->sources.sha256, .sources = sources, .granted = v->granted_text,
                     .state_version = d->state_version, .reads_state = d->reads_state, .reads_count = d->reads_count,
                     .held_sha256 = *p->held_sha256 ? p->held_sha256 : NULL };
  memcpy(p->kept_sha256, v->sources.sha256, sizeof p->kept_sha256);
  host->keep(host->core, &kept, is_back);
  free(sources);
}

static void go_live(orr__provider *p, orr__version *v) {
  bool is_other = strcmp(p->kept_sha256, v->sources.sha256) != 0 || *p->held_sha256;
  orr__provider_drop_pending(p);
  swap_in(p, v);
  measure_by(p, v);
  p->is_kept = false;
  *p->held_sha256 = '\0';
  p->last = ORR_RELOAD_LIVE;
  if (is_other) keep(p, v, false);
  if (is_other) orr__provider_advise(v);
}

void orr__provider_use_kept(orr__provider *p) {
  orr__sources sources = { 0 };
  orr_error err = ORR_ERROR_INIT;
  const orr__provider_host *host = &p->bindings->config.host;
  int rc = orr__sources_unpack(p->code, p->kept_sources, p->kept_sha256, &sources, &err);
  orr__version *v = rc ? NULL : orr__provider_load(p, &sources, &err);
  if (v && orr__version_grant(v, p->granted, &err) == 0) {
    swap_in(p, v);
    p->is_kept = true;
  } else if (host->log) {
    char *line = orr__strf("the version that was kept does not work either: %s", orr__error_message(&err));
    if (line) host->log(host->core, 0, p->code, ORR_LOG_ERROR, line);
    free(line);
  }
  if (v != p->current) orr__version_free(v);
  free(p->kept_sources);
  p->kept_sources = NULL;
  orr__error_clear(&err);
}

/* ---- what is stored ---------------------------------------------------------------------------------------- */

static bool reads(const orr__declaration *d, int state_version) {
  for (size_t i = 0; i < d->reads_count; i++)
    if (d->reads_state[i] == state_version) return true;
  return false;
}

static bool reads_all(const orr__provider *p, const orr__declaration *d) {
  for (size_t i = 0; i < p->reads_count; i++)
    if (!reads(d, p->reads[i])) return false;
  return true;
}

static int unreadable(const orr__provider *p, const orr__declaration *d, const char *what, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_REFUSED, "provider '%s': version %s has stateVersion %d and cannot read what is stored: %s",
                        p->code, d->version, d->state_version, what);
}

/* A hook that runs writes what its own version does. */
static int check_calls(const orr__provider *p, const orr__declaration *d, orr_error *reterr) {
  for (const orr__version *v = p->current; v; v = v == p->current ? p->old : v->next) {
    if (v->calls == 0 || reads(d, v->declaration.state_version)) continue;
    char what[120];
    snprintf(what, sizeof what, "a hook of version %.40s is running, with stateVersion %d", v->declaration.version,
             v->declaration.state_version);
    return unreadable(p, d, what, reterr);
  }
  return 0;
}

static void answered(void *arg, int code, const orr_error *err) {
  orr__question *q = arg;
  orr__bindings *b = q->bindings;
  orr__provider *p = b ? orr__provider_known(b, q->code) : NULL;
  for (orr__question **at = b ? &b->questions : NULL; at && *at; at = &(*at)->next) {
    if (*at != q) continue;
    *at = q->next;
    break;
  }
  if (p && p->question == q->id && p->candidate) {
    orr__version *v = p->candidate;
    orr_error why = ORR_ERROR_INIT;
    p->candidate = NULL;
    p->question = 0;
    if (code == ORR_E_REFUSED) unreadable(p, &v->declaration, orr__error_message(err), &why);
    else if (code && err) orr__error_copy(&why, err);
    else if (code) orr__error_set(&why, code, "%s", orr__code_word(code));
    else check_calls(p, &v->declaration, &why); /* hooks may have begun meanwhile */
    if (why.code) {
      orr__version_free(v);
      p->last = ORR_RELOAD_UNREADABLE;
    } else {
      go_live(p, v);
    }
    orr__provider_announce(p, why.code ? &why : NULL);
    orr__error_clear(&why);
  }
  free(q->code);
  free(q);
}

void orr__questions_orphan(orr__bindings *b) {
  for (orr__question *q = b->questions; q; q = q->next) q->bindings = NULL;
  b->questions = NULL;
}

/* Takes v. */
static int ask(orr__provider *p, orr__version *v, orr_error *reterr) {
  orr__bindings *b = p->bindings;
  const orr__provider_host *host = &b->config.host;
  orr__question *q = calloc(1, sizeof *q);
  if (q) q->code = orr__strdup(p->code);
  if (!q || !q->code) {
    free(q);
    orr__version_free(v);
    p->last = ORR_RELOAD_REFUSED;
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  q->bindings = b;
  q->id = p->question = ++b->last_question;
  q->next = b->questions;
  b->questions = q;
  p->candidate = v;
  p->last = ORR_RELOAD_ASKING;
  int rc = host->can_read(host->core, p->code, v->declaration.reads_state, v->declaration.reads_count, answered, q);
  if (!rc) return 0;
  b->questions = q->next;
  free(q->code);
  free(q);
  orr__provider_drop_pending(p);
  p->last = ORR_RELOAD_REFUSED;
  return orr__error_set(reterr, rc, "out of memory");
}

/* ---- the way there ----------------------------------------------------------------------------------------- */

static bool is_trusted(const orr__provider *p) {
  const char *dir = p->bindings->trusted_dir;
  size_t len = dir ? strlen(dir) : 0;
  return !p->bindings->config.asks_trust || (dir && p->path && strncmp(p->path, dir, len) == 0 && p->path[len] == '/');
}

/* Takes v, which has passed its checks and may have what it needs. */
static int admit(orr__provider *p, orr__version *v, orr_error *reterr) {
  const orr__declaration *d = &v->declaration;
  int rc = orr__version_grant(v, is_trusted(p) ? NULL : p->granted, reterr);
  if (rc) {
    orr__version_free(v);
    p->last = ORR_RELOAD_REFUSED;
    return rc;
  }
  if (!p->bindings->config.host.can_read || reads_all(p, d)) {
    go_live(p, v);
    return 0;
  }
  rc = check_calls(p, d, reterr);
  if (!rc) return ask(p, v, reterr);
  orr__version_free(v);
  p->last = ORR_RELOAD_UNREADABLE;
  return rc;
}

/* Takes v, if it needs more than is granted: it is kept as the sources that it was made of. */
static bool must_wait(orr__provider *p, orr__version *v, orr_error *reterr) {
  orr__buf more;
  orr__buf_init(&more, MORE_MAX);
  bool waits = p->granted && !is_trusted(p) && orr__needs_widen(p->granted, v->declaration.needs, &more);
  if (waits) {
    p->waiting = v->sources;
    memset(&v->sources, 0, sizeof v->sources);
    p->waiting_needs = orr__strdup(more.len ? orr__buf_text(&more) : "more than is granted");
    p->last = ORR_RELOAD_WAITING;
    orr__error_set(reterr, ORR_E_DENIED, "provider '%s': version %s needs more than is granted: %s; see that it may, then: orrery provider trust %s %.12s",
                   p->code, v->declaration.version, p->waiting_needs ? p->waiting_needs : "", p->code, p->waiting.sha256);
    orr__version_free(v);
  }
  orr__buf_clear(&more);
  return waits;
}

int orr__provider_judge(orr__provider *p, orr__sources *sources, bool *ret_is_news, orr_error *reterr) {
  bool is_seen = strcmp(sources->sha256, p->seen_sha256) == 0;
  memcpy(p->seen_sha256, sources->sha256, sizeof p->seen_sha256);
  *ret_is_news = !is_seen;
  if (is_seen) return p->error.code ? orr__error_copy(reterr, &p->error) : 0;
  orr__provider_drop_pending(p);
  if (*p->held_sha256 && strcmp(p->held_sha256, sources->sha256) == 0) {
    p->last = ORR_RELOAD_HELD;
    *ret_is_news = p->error.code != 0;
    return 0;
  }
  if (p->current && strcmp(p->current->sources.sha256, sources->sha256) == 0) {
    *ret_is_news = p->error.code != 0; /* it was broken or gone, and is back */
    p->last = ORR_RELOAD_LIVE;
    p->is_kept = false;
    if (*p->held_sha256) {
      *p->held_sha256 = '\0';
      keep(p, p->current, true);
    }
    return 0;
  }
  orr__version *v = orr__provider_load(p, sources, reterr);
  if (!v) {
    p->last = ORR_RELOAD_REFUSED;
    return ORR_E_PROVIDER;
  }
  if (must_wait(p, v, reterr)) return ORR_E_DENIED;
  int rc = admit(p, v, reterr);
  if (p->last == ORR_RELOAD_ASKING) *ret_is_news = false; /* told when it is known */
  return rc;
}

int orr__provider_trust(orr__provider *p, const char *sha256, orr_error *reterr) {
  if (p->waiting.count == 0) return orr__error_set(reterr, ORR_E_REFUSED, "nothing of provider '%s' waits for trust", p->code);
  if (!orr__starts_with(p->waiting.sha256, sha256))
    return orr__error_set(reterr, ORR_E_REFUSED, "what waits for trust is not '%s' any more: %s", sha256, orr__error_message(&p->error));
  orr_error err = ORR_ERROR_INIT;
  orr__sources sources = p->waiting;
  memset(&p->waiting, 0, sizeof p->waiting);
  orr__provider_drop_pending(p);
  orr__version *v = orr__provider_load(p, &sources, &err);
  int rc = v ? admit(p, v, &err) : err.code;
  if (!v) p->last = ORR_RELOAD_REFUSED;
  if (p->last != ORR_RELOAD_ASKING) orr__provider_announce(p, rc ? &err : NULL);
  orr__error_clear(&err);
  return 0;
}

int orr__provider_roll_back(orr__provider *p, const orr__kept *to, orr_error *reterr) {
  orr__sources sources = { 0 };
  int rc = orr__sources_unpack(p->code, to->sources, to->sha256, &sources, reterr);
  if (rc) return rc;
  orr_error err = ORR_ERROR_INIT;
  orr__version *v = orr__provider_load(p, &sources, &err);
  if (v && orr__version_grant(v, to->granted, &err) == 0) check_calls(p, &v->declaration, &err);
  if (err.code) {
    orr__version_free(v);
    return orr__error_move(reterr, &err);
  }
  orr__provider_drop_pending(p);
  orr__error_clear(&p->error);
  p->is_error_told = false;
  swap_in(p, v);
  measure_by(p, v);
  bool is_file = strcmp(p->seen_sha256, v->sources.sha256) == 0;
  snprintf(p->held_sha256, sizeof p->held_sha256, "%s", is_file ? "" : *p->seen_sha256 ? p->seen_sha256 : "-");
  p->last = is_file ? ORR_RELOAD_LIVE : ORR_RELOAD_HELD;
  p->is_kept = !is_file;
  keep(p, v, true);
  return 0;
}
