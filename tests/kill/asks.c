/* What the kill harness asks a runtime for in each round. Everything is sent and nothing waited for: what is acknowledged comes back later,
 * or the runtime is dead before. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

int64_t below(harness *h, int64_t limit) {
  h->chance = h->chance * 6364136223846793005u + 1442695040888963407u;
  return limit > 0 ? (int64_t)((h->chance >> 20) % (uint64_t)limit) : 0;
}

void ask_for_cancel(harness *h, const char *uuid) {
  char args[96];
  snprintf(args, sizeof args, "{\"result\":\"%s\"}", uuid);
  h->cancels += talk_ask(&h->talk, "result.cancel", args) != 0;
}

static known *some_known(harness *h, size_t newest) {
  size_t count = h->known_count < newest ? h->known_count : newest;
  return count ? &h->known[(h->known_count - 1 - (size_t)below(h, (int64_t)count)) % KNOWN_MAX] : NULL;
}

static bool waits_for(const harness *h, const char *step) { return strstr(h->wanted, step) != NULL; }

/* The job runner of one of the newest results, if one runs: its tool goes with it, and the runtime, there or not, finds that out. */
void kill_runner(harness *h) {
  for (size_t i = 0; i < 12 && i < h->known_count; i++) {
    const char *uuid = h->known[(h->known_count - 1 - i) % KNOWN_MAX].uuid;
    char path[128], line[64], comm[32] = "";
    long pid = 0;
    snprintf(path, sizeof path, "data/jobs/%s/tool/exit", uuid);
    if (access(path, F_OK) == 0) continue;
    snprintf(path, sizeof path, "data/jobs/%s/tool/begun", uuid);
    FILE *file = fopen(path, "r");
    while (file && !pid && fgets(line, sizeof line, file)) sscanf(line, "runner=%ld", &pid);
    if (file) fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    file = pid > 1 ? fopen(path, "r") : NULL;
    if (file && !fgets(comm, sizeof comm, file)) comm[0] = '\0';
    if (file) fclose(file);
    if (strcmp(comm, "orrery-runner\n")) continue;
    verdict_killed(h->verdict, uuid);
    h->runners += kill((pid_t)pid, SIGKILL) == 0;
    return;
  }
}

void ask_for_backups(harness *h) {
  char args[160];
  const char *code = h->kinds[below(h, 3)].code;
  for (int i = 0; i < 3; i++)
    if (strncmp(h->wanted, h->kinds[i].code, strlen(h->kinds[i].code)) == 0) code = h->kinds[i].code;
  bool is_wanted = waits_for(h, ".create") || waits_for(h, "olicy") || waits_for(h, ".configure") || waits_for(h, ".validate");
  if (is_wanted || below(h, 3) == 0) {
    snprintf(args, sizeof args, "{\"name\":\"t%ld\",\"provider\":\"%s\",\"connection\":\"%s\"}", ++h->creations, code, code);
    talk_ask(&h->talk, "backup.create", args);
  }
  bool is_full = h->made_count > KNOWN_MAX / 2;
  if (!h->made_count || h->asked_count == ASKED_MAX || !(is_full || waits_for(h, ".deletePolicy") || below(h, 4) == 0)) return;
  made *m = &h->made[below(h, (int64_t)h->made_count)];
  asked *a = &h->asked[h->asked_count];
  snprintf(args, sizeof args, "{\"backup\":\"%s\"}", m->name);
  verdict_asked_away(h->verdict, m->uuid);
  memcpy(a->uuid, m->uuid, sizeof a->uuid);
  a->id = talk_ask(&h->talk, "backup.rm", args);
  h->asked_count += a->id != 0;
  h->removals += a->id != 0;
  *m = h->made[--h->made_count];
}

/* Versions rise, so that whoever compares knows which was the last. Those that are run are updated, too: their runs go on. */
void ask_for_updates(harness *h) {
  char args[160];
  const char *code = h->options.control ? h->options.control->wrong.code : h->kinds[below(h, 3)].code;
  for (int i = 0; i < 3; i++)
    if (strncmp(h->wanted, h->kinds[i].code, strlen(h->kinds[i].code)) == 0) code = h->kinds[i].code;
  if (waits_for(h, ".update") || h->options.control || below(h, 4) == 0) {
    bool takes_other = h->made_count && !waits_for(h, ".update") && below(h, 2) == 0;
    snprintf(args, sizeof args, "{\"backup\":\"%s\",\"config\":{\"version\":\"%ld\"}}", takes_other ? h->made[below(h, (int64_t)h->made_count)].name : code, ++h->updates);
    talk_ask(&h->talk, "backup.update", args);
  }
  if (waits_for(h, ".test.") || below(h, 8) == 0) {
    snprintf(args, sizeof args, "{\"connection\":\"%s\"}", code);
    h->tests += talk_ask(&h->talk, "connection.test", args) != 0;
  }
}

void ask_for_changes(harness *h) {
  char args[400];
  const control *c = h->options.control;
  known *k = below(h, 3) == 0 || waits_for(h, ".cancel") ? some_known(h, 6) : NULL;
  if (k) ask_for_cancel(h, k->uuid);
  k = below(h, 3) == 0 || (c && c->deletes) || waits_for(h, ".delete") ? some_known(h, KNOWN_MAX) : NULL;
  if (k && !k->is_neither && h->asked_count < ASKED_MAX) {
    snprintf(args, sizeof args, "{\"result\":\"%s\"}", k->uuid);
    verdict_asked_away(h->verdict, k->uuid);
    asked *a = &h->asked[h->asked_count];
    memcpy(a->uuid, k->uuid, sizeof a->uuid);
    a->id = talk_ask(&h->talk, "result.rm", args);
    h->asked_count += a->id != 0;
    h->deletions += a->id != 0;
  }
  k = below(h, 5) == 0 || waits_for(h, ".extract") ? some_known(h, KNOWN_MAX) : NULL;
  if (k) {
    snprintf(args, sizeof args, "{\"result\":\"%s\",\"destination\":\"%s/out\"}", k->uuid, h->dir);
    h->extractions += talk_ask(&h->talk, "result.extract", args) != 0;
  }
}

void ask_for_runs(harness *h) {
  char args[64];
  const char *wrong = h->options.control ? h->options.control->wrong.code : NULL, *code = wrong;
  for (int i = 0; i < KINDS; i++)
    if (strncmp(h->wanted, h->kinds[i].code, strlen(h->kinds[i].code)) == 0) code = h->kinds[i].code;
  for (int64_t i = 1 + below(h, 3); i > 0; i--) {
    snprintf(args, sizeof args, "{\"backup\":\"%s\"}", code ? code : h->kinds[below(h, KINDS)].code);
    talk_ask(&h->talk, "backup.run", args);
    code = wrong;
  }
}
