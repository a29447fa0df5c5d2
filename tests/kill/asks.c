/* What the kill harness asks a runtime for in each round. Everything is sent and nothing waited for: what is acknowledged comes back later,
 * or the runtime is dead before. What leads to the step that is waited for is asked for in any case, everything else by lot. */
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { NEWEST = 6, CANCELLED = 4, EXTRACTED = 4 };

int64_t below(harness *h, int64_t limit) {
  h->chance = h->chance * 6364136223846793005u + 1442695040888963407u;
  return limit > 0 ? (int64_t)((h->chance >> 20) % (uint64_t)limit) : 0;
}

/* With a control all is of the kind that is wrong. */
static int some_kind(harness *h) {
  const char *wrong = h->options.control ? h->options.control->wrong.code : NULL;
  for (int i = 0; wrong && i < KINDS; i++)
    if (strcmp(h->kinds[i].code, wrong) == 0) return i;
  return (int)below(h, KINDS);
}

/* Is this to be done now, for the sake of the step or one time in so many? *ret_kind: of which kind, -1 for any. */
static bool is_due(harness *h, enum act act, int64_t one_in, int *ret_kind) {
  bool is_wanted = steps_want(&h->steps, act);
  *ret_kind = is_wanted ? h->steps.wanted->kind : -1;
  return is_wanted || below(h, one_in) == 0;
}

/* One of the newest results, from any of them on. */
static known *some_known(harness *h, size_t newest, int of_kind) {
  size_t count = h->known_count < newest ? h->known_count : newest, first = (size_t)below(h, (int64_t)count);
  for (size_t i = 0; i < count; i++) {
    known *k = &h->known[(h->known_count - 1 - (first + i) % count) % KNOWN_MAX];
    if (of_kind < 0 || k->kind == of_kind) return k;
  }
  return NULL;
}

static void cancel(harness *h, const char *uuid) {
  char args[96];
  snprintf(args, sizeof args, "{\"result\":\"%s\"}", uuid);
  h->cancels += talk_ask(&h->talk, "result.cancel", args) != 0;
}

void ask_for_cancels(harness *h) {
  for (size_t i = 0; i < CANCELLED && i < h->known_count; i++) {
    const known *k = &h->known[(h->known_count - 1 - i) % KNOWN_MAX];
    if (k->kind == steps_kind(&h->steps, k->kind)) cancel(h, k->uuid);
  }
}

/* A deletion: from now on it may be gone, and must be once that is acknowledged. */
static bool remove_it(harness *h, const char *request, const char *args, const char *uuid) {
  verdict_asked_away(h->verdict, uuid);
  asked *a = &h->asked[h->asked_count];
  snprintf(a->uuid, sizeof a->uuid, "%s", uuid);
  a->id = talk_ask(&h->talk, request, args);
  h->asked_count += a->id != 0;
  return a->id != 0;
}

static void ask_for_runs(harness *h) {
  char args[64];
  int of = steps_kind(&h->steps, some_kind(h));
  for (int64_t i = 1 + below(h, 3); i > 0; i--) {
    snprintf(args, sizeof args, "{\"backup\":\"%s\"}", h->kinds[of].code);
    talk_ask(&h->talk, "backup.run", args);
    of = some_kind(h);
  }
}

static void ask_for_changes(harness *h) {
  char args[400];
  int of;
  bool deletes = h->options.control && h->options.control->deletes;
  known *k = is_due(h, ACT_CANCEL, 3, &of) ? some_known(h, NEWEST, of) : NULL;
  if (k) cancel(h, k->uuid);
  k = is_due(h, ACT_DELETE, deletes ? 1 : 3, &of) ? some_known(h, KNOWN_MAX, of) : NULL;
  if (k && h->asked_count < ASKED_MAX) {
    snprintf(args, sizeof args, "{\"result\":\"%s\"}", k->uuid);
    h->deletions += remove_it(h, "result.rm", args, k->uuid);
  }
  int tries = !is_due(h, ACT_EXTRACT, 5, &of) ? 0 : of < 0 ? 1 : EXTRACTED; /* not each of them has an output */
  while (tries-- > 0 && (k = some_known(h, KNOWN_MAX, of))) {
    snprintf(args, sizeof args, "{\"result\":\"%s\",\"destination\":\"%s/out\"}", k->uuid, h->dir);
    h->extractions += talk_ask(&h->talk, "result.extract", args) != 0;
  }
}

static made *some_made(harness *h, int of_kind) {
  size_t first = (size_t)below(h, (int64_t)h->made_count);
  for (size_t i = 0; i < h->made_count; i++) {
    made *m = &h->made[(first + i) % h->made_count];
    if (of_kind < 0 || m->kind == of_kind) return m;
  }
  return NULL;
}

static void create(harness *h, int of) {
  char args[160];
  const char *code = h->kinds[of].code;
  snprintf(args, sizeof args, "{\"name\":\"t%ld\",\"provider\":\"%s\",\"connection\":\"%s\"}", ++h->creations, code, code);
  talk_ask(&h->talk, "backup.create", args);
}

/* Backups come and go. One of which that is removed is forgotten here. */
static void ask_for_backups(harness *h) {
  char args[64];
  int of;
  if (is_due(h, ACT_CREATE, 3, &of)) create(h, of < 0 ? some_kind(h) : of);
  bool is_full = h->made_count > KNOWN_MAX / 2;
  made *m = is_due(h, ACT_REMOVE, is_full ? 1 : 4, &of) ? some_made(h, of) : NULL;
  if (!m && steps_want(&h->steps, ACT_REMOVE)) create(h, of); /* for the next time */
  if (!m || h->asked_count == ASKED_MAX) return;
  snprintf(args, sizeof args, "{\"backup\":\"%s\"}", m->name);
  h->removals += remove_it(h, "backup.rm", args, m->uuid);
  *m = h->made[--h->made_count];
}

/* Versions rise, so that whoever compares knows which was the last. Those that are run are updated, too: their runs go on. */
static void ask_for_updates(harness *h) {
  char args[160];
  int of;
  bool updates = h->options.control && h->options.control->updates;
  if (is_due(h, ACT_UPDATE, updates ? 1 : 4, &of)) {
    const made *m = of < 0 && !updates && below(h, 2) == 0 ? some_made(h, -1) : NULL;
    const char *name = m ? m->name : h->kinds[of < 0 ? some_kind(h) : of].code;
    snprintf(args, sizeof args, "{\"backup\":\"%s\",\"config\":{\"version\":\"%ld\"}}", name, ++h->updates);
    talk_ask(&h->talk, "backup.update", args);
  }
  if (is_due(h, ACT_TEST, 8, &of)) {
    snprintf(args, sizeof args, "{\"connection\":\"%s\"}", h->kinds[of < 0 ? some_kind(h) : of].code);
    h->tests += talk_ask(&h->talk, "connection.test", args) != 0;
  }
}

void ask_for_all(harness *h) {
  const control *c = h->options.control;
  ask_for_runs(h);
  ask_for_changes(h);
  if (!c) ask_for_backups(h);
  if (!c || c->updates) ask_for_updates(h);
}
