/* The end of a run of the kill harness: the runtime is left alone until it rests, and all that is there is given to the verdict. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "harness.h"

enum { REST_MS = 150000, CONTROL_REST_MS = 12000, REST_STEP_MS = 100, LATE_MS = 600, UPDATES_MAX = 20 };

static size_t count_open(harness *h) {
  static const char *const words[] = { "START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED" };
  size_t open = 0;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char args[64];
    orr__json *reply;
    snprintf(args, sizeof args, "{\"status\":\"%s\",\"limit\":99999}", words[i]);
    const orr__json *list = talk_call(&h->talk, "result.ls", args, &reply);
    if (!list) open++;
    for (const orr__json *r = orr__json_first(list); r; r = orr__json_next(r)) open += orr__json_str(r, "attention") == NULL;
    orr__json_free(reply);
  }
  return open;
}

/* Creations and deletions of Backups that go on. */
static size_t count_moving(harness *h) {
  orr__json *reply;
  const orr__json *status = talk_call(&h->talk, "status", "{}", &reply);
  size_t moving = status ? (size_t)orr__json_int(status, "creating", 0) : 1;
  orr__json_free(reply);
  const orr__json *list = talk_call(&h->talk, "backup.ls", "{}", &reply);
  for (const orr__json *b = orr__json_first(list); b; b = orr__json_next(b)) moving += orr__json_int(b, "deleteDate", 0) != 0;
  orr__json_free(reply);
  list = talk_call(&h->talk, "result.ls", "{\"limit\":99999}", &reply);
  for (const orr__json *r = orr__json_first(list); r; r = orr__json_next(r)) moving += orr__json_int(r, "nextActionDate", 0) != 0;
  orr__json_free(reply);
  return moving;
}

static void check_database(harness *h) {
  const char *argv[] = { h->options.orrery, "--data", "data", "--providers", "providers", "--setting", "shipped_providers=false", "db", "check", NULL };
  int status = 0;
  pid_t pid = spawn(argv, "check.log", -1);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) verdict_fault(h->verdict, CHECK_SOUND, "`orrery db check` ended with status %x: see check.log in %s", (unsigned)status, h->dir);
}

/* A Backup whose last update may or may not have gone outside is updated again, as a person would; a reply may be lost then, too. */
static long update_unknown(harness *h) {
  long count = 0;
  orr__json *reply, *updated;
  const orr__json *list = talk_call(&h->talk, "backup.ls", "{}", &reply);
  for (const orr__json *b = orr__json_first(list); b; b = orr__json_next(b)) {
    const char *attention = orr__json_str(b, "attention");
    bool is_unknown = attention && strcmp(attention, "unknown_update") == 0;
    count += is_unknown;
    for (int i = 0; is_unknown && i < UPDATES_MAX; i++) {
      char args[160];
      snprintf(args, sizeof args, "{\"backup\":\"%s\",\"config\":{\"version\":\"%ld\"}}", orr__json_str(b, "name"), ++h->updates);
      is_unknown = talk_call(&h->talk, "backup.update", args, &updated) == NULL;
      orr__json_free(updated);
    }
  }
  orr__json_free(reply);
  return count;
}

void come_to_rest(harness *h) {
  int64_t begun = now_us(), rest_ms = h->options.at ? CONTROL_REST_MS : REST_MS; /* what is known to be wrong may never rest, and has been shown by then */
  start_runtime(h);
  if (!connect_runtime(h)) {
    verdict_fault(h->verdict, CHECK_SOUND, "the runtime cannot be reached");
    return;
  }
  if (!h->options.control) ask(h, "backup.pause", "{\"backup\":\"scheduled\"}");
  while (count_open(h) + count_moving(h) && now_us() - begun < rest_ms * 1000) {
    sleep_us(REST_STEP_MS * 1000);
    listen_outside(h);
  }
  printf("# at rest after %.1f s\n", (double)(now_us() - begun) / 1e6);
  printf("# %ld Backups did not know the end of their last update\n", update_unknown(h));
  for (int i = 0; i <= KINDS; i++) {
    char args[96];
    orr__json *reply;
    const char *name = i < KINDS ? h->kinds[i].code : "scheduled";
    if (i == KINDS && h->options.control) break;
    snprintf(args, sizeof args, "{\"backup\":\"%s\",\"limit\":99999}", name);
    verdict_results(h->verdict, talk_call(&h->talk, "result.ls", args, &reply), strcmp(name, "neither") == 0);
    orr__json_free(reply);
  }
  orr__json *reply;
  verdict_backups(h->verdict, talk_call(&h->talk, "backup.ls", "{}", &reply));
  orr__json_free(reply);
  talk_close(&h->talk);
  end_runtime(h, SIGTERM);
  check_database(h);
  sleep_us(LATE_MS * 1000); /* what was sent last takes effect late */
  if (!verdict_ledger(h->verdict, "ledger")) verdict_fault(h->verdict, CHECK_SOUND, "there is no ledger");
}

