/* See verdict.h. One entry per key, whether the runtime, the ledger or an acknowledgement brought it; sorted once, by key. */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_MAX = 40, SHOWN_MAX = 8, ERROR_BUDGET = 10 };

const char *const check_names[CHECK_COUNT] = {
  [CHECK_ACKNOWLEDGED] = "no acknowledged result or Backup is missing",
  [CHECK_ONCE] = "each result has exactly one external job, each Backup one policy (at most one where it can be neither repeated nor looked up)",
  [CHECK_ORPHANS] = "no external job is without its result, and no policy without its Backup",
  [CHECK_DELETED] = "what was deleted is gone here and outside, and nothing else is",
  [CHECK_UPDATED] = "an acknowledged update stays, here and outside are the same, and none was repeated where that is not allowed",
  [CHECK_CLEANED] = "a clean-up that was registered is done after the end of its result, and recorded",
  [CHECK_FIRES] = "no instant of a schedule has fired twice",
  [CHECK_TRUTH] = "no result says FAILED, CANCELLED or SUCCEEDED where the outside says otherwise",
  [CHECK_REST] = "each result has ended, or needs attention",
  [CHECK_ATTENTION] = "nobody has to look where the runtime can find out, but after ten errors in a row",
  [CHECK_LOST] = "of a local job that is lost nothing goes on",
  [CHECK_STEPS] = "each step that has to have a kill had one",
  [CHECK_SOUND] = "the runtime ended by our signals only, and the database is sound",
};

/* What one source says of a key. */
enum source { ACKNOWLEDGED, ASKED_AWAY, AWAY, RESULT, BEGUN, ENDED, DELETED, KILLED, BACKUP, UPDATED, UPDATE_KNOWN, DEFERRED, CLEANED, CHILD, LOST, FIRED };
typedef struct entry {
  char key[KEY_MAX];
  enum source source;
  char word[24]; /* status of a result, outcome of a job */
  bool has_attention, is_neither, is_idempotent, cleans_up;
  bool is_going;           /* a Backup whose deletion goes on: it may be gone outside already, and says so itself */
  int64_t errors, version; /* of a Backup, of an update */
  size_t line;             /* in the ledger */
} entry;

struct verdict {
  entry *entries;
  size_t count, cap, acknowledged;
  size_t faults[CHECK_COUNT];
};

verdict *verdict_new(void) { return calloc(1, sizeof(verdict)); }

void verdict_free(verdict *v) {
  free(v->entries);
  free(v);
}

static entry *add(verdict *v, enum source source, const char *key, const char *word) {
  if (v->count == v->cap) {
    v->cap = v->cap ? v->cap * 2 : 4096;
    v->entries = realloc(v->entries, v->cap * sizeof *v->entries);
    if (!v->entries) exit(99);
  }
  entry *e = &v->entries[v->count++];
  *e = (entry){ .source = source };
  snprintf(e->key, sizeof e->key, "%s", key);
  snprintf(e->word, sizeof e->word, "%s", word ? word : "");
  return e;
}

void verdict_acknowledged(verdict *v, const char *uuid) {
  add(v, ACKNOWLEDGED, uuid, NULL);
  v->acknowledged++;
}

void verdict_asked_away(verdict *v, const char *uuid) { add(v, ASKED_AWAY, uuid, NULL); }

void verdict_away(verdict *v, const char *uuid) { add(v, AWAY, uuid, NULL); }

void verdict_killed(verdict *v, const char *uuid) { add(v, KILLED, uuid, NULL); }

void verdict_updated(verdict *v, const char *uuid, const char *version) {
  add(v, UPDATE_KNOWN, uuid, NULL)->version = version ? atoll(version) : 0;
}

size_t verdict_acknowledged_count(const verdict *v) { return v->acknowledged; }

void verdict_results(verdict *v, const orr__json *results, bool is_neither) {
  for (const orr__json *r = orr__json_first(results); r; r = orr__json_next(r)) {
    entry *e = add(v, RESULT, orr__json_str(r, "uuid"), orr__json_str(r, "status"));
    e->has_attention = orr__json_str(r, "attention") != NULL;
    e->is_neither = is_neither;
    e->errors = orr__json_int(r, "errorCount", 0);
    e->cleans_up = orr__json_str(r, "nextAction") && strcmp(orr__json_str(r, "nextAction"), "cleanUp") == 0;
    int64_t instant = orr__json_int(r, "scheduledDate", 0);
    char fire[KEY_MAX];
    snprintf(fire, sizeof fire, "%s@%lld", orr__json_str(r, "backupName"), (long long)instant);
    if (instant) add(v, FIRED, fire, NULL);
  }
}

void verdict_backups(verdict *v, const orr__json *backups) {
  for (const orr__json *b = orr__json_first(backups); b; b = orr__json_next(b)) {
    entry *e = add(v, BACKUP, orr__json_str(b, "uuid"), orr__json_str(b, "name"));
    e->has_attention = orr__json_str(b, "attention") != NULL;
    e->is_going = orr__json_int(b, "deleteDate", 0) > ((int64_t)time(NULL) - 5) * 1000; /* one that is long due is stuck */
    const char *version = orr__json_str(orr__json_get(b, "config"), "version");
    e->version = version ? atoll(version) : 0;
  }
}

static enum source source_of(const char *word) {
  static const struct {
    const char *word;
    enum source source;
  } words[] = { { "begin", BEGUN }, { "end", ENDED }, { "delete", DELETED }, { "update", UPDATED }, { "clean", CLEANED },
                { "child", CHILD }, { "lost", LOST } };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i].word, word) == 0) return words[i].source;
  return DEFERRED;
}

bool verdict_ledger(verdict *v, const char *path) {
  size_t number = 0;
  FILE *file = fopen(path, "r");
  char line[256], word[16], kind[24], key[KEY_MAX], last[24];
  if (!file) return false;
  while (fgets(line, sizeof line, file)) {
    if (sscanf(line, "%15s %23s %39s %23s", word, kind, key, last) != 4) {
      verdict_fault(v, CHECK_SOUND, "the ledger says: %s", line);
      continue;
    }
    entry *e = add(v, source_of(word), key, last);
    e->line = ++number;
    e->version = e->source == UPDATED ? atoll(last) : 0;
    e->is_idempotent = strncmp(kind, "idempotent", 10) == 0;
    e->is_neither = strcmp(kind, "neitherpolicy") == 0;
  }
  fclose(file);
  return true;
}

void verdict_fault(verdict *v, enum check check, const char *format, ...) {
  if (++v->faults[check] > SHOWN_MAX) return;
  char text[300];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  printf("# fault: %s: %s\n", check_names[check], text);
}

static int by_key(const void *a, const void *b) {
  const entry *x = a, *y = b;
  int order = strcmp(x->key, y->key);
  return order ? order : (int)x->source - (int)y->source;
}

static bool has_ended(const char *status) {
  return strcmp(status, "FAILED") == 0 || strcmp(status, "CANCELLED") == 0 || strncmp(status, "SUCCEEDED", 9) == 0;
}

/* What is outside is the last that was sent. Who is idempotent may have sent a version twice, others never. */
static void judge_updates(verdict *v, const entry *backup, const entry *said, size_t count) {
  int64_t outside = 0, acknowledged = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t *last = said[i].source == UPDATED ? &outside : said[i].source == UPDATE_KNOWN ? &acknowledged : NULL;
    if (last && said[i].version > *last) *last = said[i].version;
    for (size_t j = 0; j < i && said[i].source == UPDATED && !said[i].is_idempotent; j++)
      if (said[j].source == UPDATED && said[j].version == said[i].version)
        verdict_fault(v, CHECK_UPDATED, "the Backup %s (%s) was updated twice to version %lld", backup->key, backup->word, (long long)said[i].version);
  }
  if (acknowledged > backup->version)
    verdict_fault(v, CHECK_UPDATED, "the Backup %s (%s): version %lld was acknowledged, and there is %lld", backup->key, backup->word,
                  (long long)acknowledged, (long long)backup->version);
  if (outside != backup->version && !(backup->has_attention && outside > backup->version))
    verdict_fault(v, CHECK_UPDATED, "the Backup %s (%s) has version %lld, outside it has %lld", backup->key, backup->word, (long long)backup->version, (long long)outside);
}

/* A result without a row has ended: it would not be gone otherwise. */
static void judge_clean_ups(verdict *v, const entry *result, const entry *said, size_t count) {
  size_t ended = 0, cleaned = 0;
  bool is_deferred = false, is_over = !result || has_ended(result->word);
  for (size_t i = 0; i < count; i++) {
    if (said[i].source == DEFERRED) is_deferred = true;
    if (said[i].source == ENDED) ended = said[i].line;
    if (said[i].source == CLEANED && (!cleaned || said[i].line < cleaned)) cleaned = said[i].line;
  }
  if (is_deferred && is_over && !cleaned)
    verdict_fault(v, CHECK_CLEANED, "%s has registered a clean-up, is %s, and nothing was cleaned", said->key, result ? result->word : "gone");
  if (cleaned && cleaned < ended) verdict_fault(v, CHECK_CLEANED, "%s was cleaned up while it ran outside", said->key);
  if (result && result->cleans_up) verdict_fault(v, CHECK_CLEANED, "%s is still to be cleaned up", said->key);
}

/* What the tool had started was still there when its job was said to be lost. */
static void judge_lost(verdict *v, const entry *said, size_t count) {
  size_t lost = 0, child = 0;
  for (size_t i = 0; i < count; i++) {
    if (said[i].source == LOST && !lost) lost = said[i].line;
    if (said[i].source == CHILD) child = said[i].line;
  }
  if (lost && child > lost) verdict_fault(v, CHECK_LOST, "%s: a child of its tool wrote after it was lost", said->key);
}

/* A Backup has exactly one policy. */
static void judge_backup(verdict *v, const entry *backup, size_t begun, size_t deleted, bool is_away) {
  if (begun != 1) verdict_fault(v, CHECK_ONCE, "the Backup %s (%s) has %zu policies", backup->key, backup->word, begun);
  if (is_away) verdict_fault(v, CHECK_DELETED, "the deletion of the Backup %s was acknowledged, and it is there", backup->key);
  if (deleted && !backup->is_going) verdict_fault(v, CHECK_DELETED, "the policy of %s (%s) was deleted, and the Backup is there", backup->key, backup->word);
  if (backup->has_attention) verdict_fault(v, CHECK_ATTENTION, "the Backup %s needs attention", backup->key);
}

/* All that is said of one key. */
static void judge_key(verdict *v, const entry *said, size_t count) {
  const entry *result = NULL, *backup = NULL;
  bool is_of_draft = false; /* a policy of a provider that can neither: a person has it in attention */
  size_t of[FIRED + 1] = { 0 }, succeeded = 0, failed = 0, cancelled = 0;
  for (size_t i = 0; i < count; i++) {
    of[said[i].source]++;
    if (said[i].source == RESULT) result = &said[i];
    if (said[i].source == BACKUP) backup = &said[i];
    if (said[i].source == BEGUN && said[i].is_neither) is_of_draft = true;
    if (said[i].source != ENDED) continue;
    if (strcmp(said[i].word, "FAILED") == 0) failed++;
    else if (strcmp(said[i].word, "CANCELLED") == 0) cancelled++;
    else succeeded++;
  }
  const char *key = said->key;
  size_t begun = of[BEGUN];
  if (of[FIRED] > 1) verdict_fault(v, CHECK_FIRES, "%s fired %zu times", key, of[FIRED]);
  if (of[FIRED]) return;
  if (backup) {
    judge_backup(v, backup, begun, of[DELETED], of[AWAY] > 0);
    judge_updates(v, backup, said, count);
    return;
  }
  judge_clean_ups(v, result, said, count);
  judge_lost(v, said, count);
  if (of[DELETED] && !of[ASKED_AWAY]) verdict_fault(v, CHECK_DELETED, "%s was deleted outside, and nobody asked for it", key);
  if (!result) {
    if (of[ACKNOWLEDGED] && !of[ASKED_AWAY]) verdict_fault(v, CHECK_ACKNOWLEDGED, "%s was accepted and is gone", key);
    if (begun && !of[ASKED_AWAY] && !(is_of_draft && begun == 1)) verdict_fault(v, CHECK_ORPHANS, "%s was begun %zu times and is no result", key, begun);
    if (of[ASKED_AWAY] && begun != of[DELETED]) verdict_fault(v, CHECK_DELETED, "%s is gone here; outside %zu began and %zu were deleted", key, begun, of[DELETED]);
    return;
  }
  if (of[AWAY]) verdict_fault(v, CHECK_DELETED, "the deletion of %s was acknowledged, and it is there", key);
  bool is_cancelled = strcmp(result->word, "CANCELLED") == 0;
  bool was_killed = of[KILLED] && strcmp(result->word, "FAILED") == 0;
  bool may_be_none = result->is_neither || result->has_attention || is_cancelled || was_killed;
  if (begun > 1 || (begun == 0 && !may_be_none)) verdict_fault(v, CHECK_ONCE, "%s (%s%s) was begun %zu times", key, result->word, result->has_attention ? ", attention" : "", begun);
  if (!has_ended(result->word)) {
    if (!result->has_attention) verdict_fault(v, CHECK_REST, "%s is %s", key, result->word);
    else if (!result->is_neither && result->errors < ERROR_BUDGET) verdict_fault(v, CHECK_ATTENTION, "%s is %s with attention", key, result->word);
    return;
  }
  size_t same = strcmp(result->word, "FAILED") == 0 ? failed : is_cancelled ? cancelled : succeeded, ended = succeeded + failed + cancelled;
  bool may_say_nothing = (is_cancelled || was_killed) && ended == 0; /* it was never begun, or is a local tool, which leaves no word when it is killed */
  if (ended != same || (same == 0 && !may_say_nothing))
    verdict_fault(v, CHECK_TRUTH, "%s is %s; outside %zu began, %zu succeeded, %zu failed, %zu were cancelled", key, result->word, begun, succeeded, failed, cancelled);
}

void verdict_judge(verdict *v, bool ret_holds[CHECK_COUNT]) {
  size_t results = 0, backups = 0, updates = 0, deferred = 0, cleaned = 0, attention = 0, spent = 0, failed = 0, begun = 0;
  qsort(v->entries, v->count, sizeof *v->entries, by_key);
  for (size_t i = 0, next; i < v->count; i = next) {
    for (next = i + 1; next < v->count && strcmp(v->entries[next].key, v->entries[i].key) == 0;) next++;
    judge_key(v, &v->entries[i], next - i);
  }
  for (size_t i = 0; i < v->count; i++) {
    const entry *e = &v->entries[i];
    begun += e->source == BEGUN;
    backups += e->source == BACKUP;
    updates += e->source == UPDATED;
    deferred += e->source == DEFERRED;
    cleaned += e->source == CLEANED;
    if (e->source != RESULT) continue;
    results++;
    attention += e->has_attention;
    spent += e->has_attention && !e->is_neither;
    failed += strcmp(e->word, "FAILED") == 0;
  }
  printf("# %zu results and %zu Backups, %zu acknowledgements; %zu FAILED, %zu need attention (%zu after ten errors); %zu external jobs and policies\n", results,
         backups, v->acknowledged, failed, attention, spent, begun);
  printf("# outside: %zu updates, %zu clean-ups registered, %zu done\n", updates, deferred, cleaned);
  if (!results) verdict_fault(v, CHECK_REST, "there are no results at all");
  for (int i = 0; i < CHECK_COUNT; i++) ret_holds[i] = v->faults[i] == 0;
}
