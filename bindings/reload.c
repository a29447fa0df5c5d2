/* When a provider's files are read, and what becomes of what was read.
 *
 *            told, or seen to differ            left alone for settle_ms        loads, no findings
 *   current ------------------------> SETTLING ------------------------> read ------------------> swapped in
 *      ^                                |    ^ changed again               | findings, unreadable, two of one name
 *      |                                +----+                             |
 *      +--- current stays; declaration.warning and provider->error say why +
 *
 * What may stand in the way of a version that loads is live.c's.
 *
 * Files that somebody writes to without pause never settle. After UNREST_TIMES settle times what is in them decides: two looks at it, a
 * settle time apart, that agree are as good as rest (they are touched, not changed); two that differ are told once, and looked at on. They
 * are never taken as they happen to be: half a version would be live, or an error.
 *
 * Hooks do not wait for any of this and cost no look at a file: they use what is current. Only where the files are not watched
 * (reload_watch.c) does who asks for a provider look at them, once in a turn of the loop however many ask, and then they settle. On
 * a virtual clock there is neither watch nor settling: who asks has them read, so that a test that writes a file and calls sees it.
 *
 * A provider that has no version that works is read at once when it is asked for; what is wrong with files so young that more of
 * them may be to come is told to who asks, to nobody else yet. The same broken files are not tried twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

#define READINGS_MAX 3 /* while the files change under us */
#define RACY_MS 50     /* a second change within it might not show */
#define UNREST_TIMES 10
#define UNREST_LEAST_MS 1000

void orr__provider_announce(orr__provider *p, const orr_error *err) {
  const orr__provider_host *host = &p->bindings->config.host;
  orr__error_clear(&p->error);
  p->is_error_told = err != NULL;
  if (err) orr__error_copy(&p->error, err);
  if (p->current) {
    free(p->current->declaration.warning);
    p->current->declaration.warning = err ? orr__strdup(orr__error_message(err)) : NULL;
  }
  if (host->provider_changed) host->provider_changed(host->core, p->code, err, p->current != NULL);
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static bool is_virtual(const orr__provider *p) { return orr__loop_is_virtual(p->bindings->config.loop); }

/* Finds and reads the files; where they are and how they look is noted in either case. */
static int read_files(orr__provider *p, orr__sources *ret, orr_error *reterr) {
  char *path = NULL, *folder = NULL;
  orr__stamps stamps = { 0 };
  int rc = orr__provider_find(p->bindings, p->code, &path, &folder, reterr);
  if (rc) return rc;
  for (int i = 0; i < READINGS_MAX; i++) {
    orr__sources_clear(ret);
    orr__stamps_clear(&stamps);
    orr_error err = ORR_ERROR_INIT;
    rc = orr__sources_read(p->code, path, folder, ret, &stamps, &err);
    bool is_last = i + 1 == READINGS_MAX || !orr__stamps_changed(&stamps);
    if (rc && is_last) orr__error_move(reterr, &err);
    orr__error_clear(&err);
    if (is_last) break;
  }
  orr__stamps_clear(&p->stamps);
  p->stamps = stamps;
  free(p->path);
  free(p->folder);
  p->path = path;
  p->folder = folder;
  return rc;
}

/* Where the files are now, wherever they were: a file may have become a folder. */
static uint64_t print_of(const orr__provider *p) {
  char *path = NULL, *folder = NULL;
  uint64_t print = 0;
  if (orr__provider_find(p->bindings, p->code, &path, &folder, NULL) == 0) print = orr__sources_print(path, folder);
  free(path);
  free(folder);
  return print;
}

static void settled(void *arg);

static int64_t settle_ms(const orr__provider *p) {
  int64_t wait_ms = p->bindings->config.settle_ms;
  /* Nobody tells of a second change that cannot be seen either. */
  return !p->is_watched && wait_ms < RACY_MS ? RACY_MS : wait_ms;
}

/* How long they may go on changing before it counts as never coming to rest. */
static int64_t unrest_limit_ms(const orr__provider *p) {
  int64_t limit_ms = settle_ms(p) * UNREST_TIMES;
  return limit_ms > UNREST_LEAST_MS ? limit_ms : UNREST_LEAST_MS;
}

static void settle(orr__provider *p, uint64_t print) {
  orr__loop *loop = p->bindings->config.loop;
  int64_t now_ms = orr__loop_mono_ms(loop), due_ms = now_ms + settle_ms(p);
  if (!p->unrest_ms) p->unrest_ms = now_ms;
  int64_t limit_ms = p->unrest_ms + unrest_limit_ms(p);
  p->print = print;
  orr__timer_start(loop, &p->settle_timer, due_ms < limit_ms ? due_ms : limit_ms, settled, p);
}

/* Not yet: more of the files may be to come. It is tried again when they have settled. */
static bool is_early(const orr__provider *p) {
  return p->last == ORR_RELOAD_REFUSED && !p->current && !is_virtual(p) && orr__stamps_young(&p->stamps, p->bindings->config.settle_ms);
}

/* What was read (sources, else err with rc; both are taken) is judged. is_rested: it is not to change any more. */
static int take_in(orr__provider *p, int rc, orr__sources *sources, orr_error *err, bool is_rested, orr_error *reterr) {
  bool is_news = true;
  orr__timer_stop(p->bindings->config.loop, &p->settle_timer);
  if (!rc) {
    rc = orr__provider_judge(p, sources, &is_news, err);
  } else {
    /* It was expected, and went again. */
    bool is_nothing = rc == ORR_E_NOT_FOUND && !p->current && !p->path && !p->kept_sources;
    is_news = !is_nothing && (!p->is_error_told || p->error.code != rc || !orr__streq(p->error.message, err->message));
    *p->seen_sha256 = '\0';
    orr__provider_drop_pending(p);
    p->last = ORR_RELOAD_REFUSED;
  }
  p->is_tried = true;
  bool is_too_early = rc && !is_rested && is_early(p);
  if (!p->current && p->kept_sources) orr__provider_use_kept(p);
  if (is_too_early) {
    *p->seen_sha256 = '\0';
    orr__error_clear(&p->error);
    orr__error_copy(&p->error, err);
    p->is_error_told = false;
    settle(p, p->read_print);
  } else {
    p->unrest_ms = 0;
    p->is_restless = p->is_unrest_told = false;
    if (is_news) orr__provider_announce(p, rc ? err : NULL);
  }
  orr__sources_clear(sources);
  orr__reload_watch(p);
  if (!p->current && !rc) rc = orr__error_set(err, ORR_E_PROVIDER, "provider '%s' has no version that works", p->code);
  rc = p->current ? 0 : rc;
  if (rc) orr__error_move(reterr, err);
  orr__error_clear(err);
  return rc;
}

static int read_now(orr__provider *p, orr__sources *ret, orr_error *reterr) {
  p->read_print = is_virtual(p) ? 0 : print_of(p);
  return read_files(p, ret, reterr);
}

int orr__provider_refresh(orr__provider *p, orr_error *reterr) {
  orr__sources sources = { 0 };
  orr_error err = ORR_ERROR_INIT;
  int rc = read_now(p, &sources, &err);
  return take_in(p, rc, &sources, &err, false, reterr);
}

/* ---- settling ---------------------------------------------------------------------------------------------- */

/* One whose file appeared and went again is not known any more. */
static void forget_if_gone(orr__provider *p, int rc) {
  if (rc == ORR_E_NOT_FOUND && !orr__timer_is_started(&p->settle_timer)) orr__provider_forget(p);
}

static void tell_unrest(orr__provider *p) {
  orr_error err = ORR_ERROR_INIT;
  double wait = (double)settle_ms(p) / 1000;
  if (p->is_unrest_told) return;
  orr__error_set(&err, ORR_E_TIMEOUT, "provider '%s': somebody writes to %s without pause: it is read when it has been left alone for %g s, or by: orrery provider reload %s",
                 p->code, p->folder ? p->folder : p->path ? p->path : "its file", wait, p->code);
  *p->seen_sha256 = '\0'; /* whatever is read next is news */
  orr__provider_announce(p, &err);
  p->is_unrest_told = true;
  orr__error_clear(&err);
}

/* They do not come to rest: is it what is in them, or only when they were touched? */
static void look_closer(orr__provider *p) {
  orr__loop *loop = p->bindings->config.loop;
  orr__sources sources = { 0 };
  orr_error err = ORR_ERROR_INIT;
  int rc = read_now(p, &sources, &err);
  const char *sha256 = rc ? "" : sources.sha256;
  bool is_first = !p->is_restless;
  if (!is_first && orr__streq(sha256, p->rest_sha256)) {
    forget_if_gone(p, take_in(p, rc, &sources, &err, true, NULL));
    return;
  }
  p->is_restless = true;
  snprintf(p->rest_sha256, sizeof p->rest_sha256, "%s", sha256);
  if (!is_first) tell_unrest(p);
  orr__sources_clear(&sources);
  orr__error_clear(&err);
  int64_t wait_ms = settle_ms(p) > RACY_MS ? settle_ms(p) : RACY_MS;
  orr__timer_start(loop, &p->settle_timer, orr__loop_mono_ms(loop) + wait_ms, settled, p);
}

static void settled(void *arg) {
  orr__provider *p = arg;
  if (orr__loop_mono_ms(p->bindings->config.loop) >= p->unrest_ms + unrest_limit_ms(p)) {
    look_closer(p);
    return;
  }
  uint64_t print = print_of(p);
  if (print == p->print) forget_if_gone(p, orr__provider_refresh(p, NULL));
  else settle(p, print);
}

void orr__provider_touch(orr__provider *p) {
  if (p->bindings->is_closing || p->is_restless) return; /* that is looked at anyway */
  uint64_t print = print_of(p);
  bool is_settling = orr__timer_is_started(&p->settle_timer);
  /* Told of something else: what settles goes on settling; what was read is what is there, unless it was read in a hurry. */
  bool is_read = p->is_tried && print == p->read_print && !orr__stamps_racy(&p->stamps);
  if (is_settling ? print == p->print : is_read) return;
  settle(p, print);
}

/* ---- asking ------------------------------------------------------------------------------------------------ */

/* A turn has one time. On a virtual clock many turns have, so there every asking looks. */
static bool has_looked(orr__provider *p) {
  int64_t now_ms = orr__loop_mono_ms(p->bindings->config.loop);
  if (!is_virtual(p) && p->looked_ms == now_ms) return true;
  p->looked_ms = now_ms;
  return false;
}

void orr__provider_look(orr__provider *p) {
  if (!p->is_tried && (p->kept_sources || orr__timer_is_started(&p->settle_timer))) {
    orr__provider_refresh(p, NULL); /* remembered from an earlier runtime, or its file has just appeared */
    return;
  }
  if (p->is_text) return;
  bool is_settling = orr__timer_is_started(&p->settle_timer);
  if (p->is_watched) {
    if (is_settling && !p->current && !has_looked(p)) orr__provider_refresh(p, NULL);
  } else if (!has_looked(p)) {
    bool is_changed = p->path ? orr__stamps_changed(&p->stamps) : print_of(p) != 0;
    if (is_virtual(p) ? is_changed || orr__stamps_racy(&p->stamps) : is_changed && !p->current) orr__provider_refresh(p, NULL);
    else if (is_changed && !is_virtual(p)) orr__provider_touch(p);
  }
}
