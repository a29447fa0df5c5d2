/* `orrery status`: the page an operator looks at first. What needs somebody comes first, then what failed last and what runs,
 * then how things are. With --json it is the reply of the request `status`, and nothing else. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

enum { EXIT_ATTENTION = 8, ROWS_MAX = 20, NEXT_MAX = 3 };

static const char ATTENTION_VIEW[] = "ID=uuid:id BACKUP=backupName STATUS=status:status STARTED=startDate:ago NOTE=:problem";
static const char LAST_VIEW[] =
    "ID=lastResult.uuid:id BACKUP=name STATUS=lastResult.status:status ENDED=lastResult.endDate,lastResult.startDate:ago NOTE=lastResult:problem";
static const char RUNNING_VIEW[] =
    "ID=lastResult.uuid:id BACKUP=name STATUS=lastResult.status:status STARTED=lastResult.startDate:ago DONE=lastResult.progress:percent "
    "SIZE=lastResult.sizeInBytes:size NOTE=lastResult:problem";
static const char UNDELETED_VIEW[] = "ID=uuid:id BACKUP=backupName ENDED=endDate:ago AGAIN=deleteDate:ago WHY=deleteMessage:problem";
static const char RETENTION_VIEW[] = "BACKUP=name PROBLEM=retentionMessage:problem";
static const char PROVIDERS_VIEW[] = "PROVIDER=code PROBLEM=problem:problem";

/* The Backups by how they are; the lists hold references into the reply. */
typedef struct overview {
  cJSON *failed, *running, *overfull;    /* overfull: retention cannot work */
  int all, well, warned, never, waiting; /* waiting: they, or their last results, need attention */
  int schedules, paused;
  const cJSON *next[NEXT_MAX];           /* the earliest fires, in order */
} overview;

/* ---- counting --------------------------------------------------------------------------------------------- */

static double fire_date(const cJSON *backup) {
  const cJSON *date = cJSON_GetObjectItemCaseSensitive(backup, "nextFireDate");
  return cJSON_IsNumber(date) ? date->valuedouble : 0;
}

static void note_fire(overview *o, const cJSON *backup) {
  if (fire_date(backup) == 0) return;
  for (size_t i = 0; i < NEXT_MAX; i++) {
    if (o->next[i] && fire_date(o->next[i]) <= fire_date(backup)) continue;
    memmove(o->next + i + 1, o->next + i, (NEXT_MAX - 1 - i) * sizeof *o->next);
    o->next[i] = backup;
    return;
  }
}

static void note_backup(overview *o, cJSON *backup) {
  const cJSON *last = cJSON_GetObjectItemCaseSensitive(backup, "lastResult");
  const char *status = orr__json_word(last, "status");
  o->all++;
  if (orr__json_word(backup, "retentionMessage")) cJSON_AddItemReferenceToArray(o->overfull, backup);
  if (orr__json_word(backup, "schedule")) {
    bool is_paused = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(backup, "paused"));
    o->paused += is_paused;
    o->schedules += !is_paused;
    note_fire(o, backup);
  }
  if (orr__json_word(backup, "attention") || orr__json_word(last, "attention")) o->waiting++;
  else if (!status) o->never++;
  else if (orr__streq(status, "SUCCEEDED")) o->well++;
  else if (orr__streq(status, "SUCCEEDED_WARNING")) o->warned++;
  else cJSON_AddItemReferenceToArray(orr__streq(status, "FAILED") || orr__streq(status, "CANCELLED") ? o->failed : o->running, backup);
}

/* ---- the lines -------------------------------------------------------------------------------------------- */

static void add_count(orr__buf *out, const orr__paint *paint, const char **before, int count, enum orr__hue hue, const char *what) {
  if (count == 0) return;
  char *text = orr__strf("%d %s", count, what);
  orr__buf_adds(out, *before);
  orr__hued(out, paint, hue, text ? text : "");
  *before = ", ";
  free(text);
}

static void add_backups(orr__buf *out, const orr__paint *paint, const overview *o) {
  const char *before = ": ";
  orr__buf_addf(out, "%d Backup%s", o->all, o->all == 1 ? "" : "s");
  add_count(out, paint, &before, o->well, ORR_HUE_GOOD, "well");
  add_count(out, paint, &before, o->warned, ORR_HUE_WARN, "with warnings");
  add_count(out, paint, &before, cJSON_GetArraySize(o->failed), ORR_HUE_BAD, "failed");
  add_count(out, paint, &before, o->waiting, ORR_HUE_BAD, "in need of attention");
  add_count(out, paint, &before, cJSON_GetArraySize(o->running), ORR_HUE_BUSY, "running");
  add_count(out, paint, &before, o->never, ORR_HUE_DIM, "never ran");
  orr__buf_addc(out, '\n');
}

static void add_schedules(orr__buf *out, const orr__paint *paint, const overview *o) {
  if (o->schedules + o->paused == 0) return;
  const char *before = "; next: ";
  orr__buf_addf(out, "%d schedule%s", o->schedules + o->paused, o->schedules + o->paused == 1 ? "" : "s");
  if (o->paused > 0) orr__buf_addf(out, ", %d paused", o->paused);
  for (size_t i = 0; i < NEXT_MAX && o->next[i]; i++) {
    orr__buf_adds(out, before);
    orr__said(out, "{name} {nextFireDate:ago}", o->next[i], paint->now_ms);
    before = ", ";
  }
  orr__buf_addc(out, '\n');
}

static void add_results(orr__buf *out, const orr__paint *paint, const cJSON *counts) {
  const cJSON *count = NULL;
  const char *before = "results: ";
  cJSON_ArrayForEach(count, counts) {
    if (cJSON_IsNumber(count)) add_count(out, paint, &before, count->valueint, orr__status_hue(count->string), count->string);
  }
  if (before[0] == ',') orr__buf_addc(out, '\n');
}

static void add_orphans(orr__buf *out, const cJSON *count) {
  if (cJSON_IsNumber(count) && count->valueint > 0)
    orr__buf_addf(out, "%d orphan%s, which may still be outside without a record here: orrery orphans ls\n", count->valueint, count->valueint == 1 ? "" : "s");
}

static void add_head(orr__buf *out, const orr__cli *cli, const cJSON *status) {
  if (orr__client_is_command(cli->client)) orr__buf_adds(out, "no `orrery serve` runs: nothing is scheduled or refreshed\n");
  else orr__said(out, "orrery serve {version}, pid {pid}, up since {startedDate:date} ({startedDate:ago})\n", status, cli->paint.now_ms);
  orr__said(out, "{dataDir}\n", status, cli->paint.now_ms);
}

/* ---- the lists -------------------------------------------------------------------------------------------- */

static void add_list(orr__buf *out, const orr__paint *paint, const char *heading, const char *view, cJSON *rows, const char *more) {
  int count = cJSON_GetArraySize(rows);
  if (count == 0) return;
  while (cJSON_GetArraySize(rows) > ROWS_MAX) cJSON_DeleteItemFromArray(rows, ROWS_MAX);
  orr__buf_addc(out, '\n');
  orr__hued(out, paint, ORR_HUE_BOLD, heading);
  orr__buf_addc(out, '\n');
  orr__table(out, paint, view, rows);
  if (count > ROWS_MAX) orr__buf_addf(out, "and %d more: %s\n", count - ROWS_MAX, more);
}

static void add_drafts(orr__buf *out, const orr__paint *paint, const cJSON *drafts) {
  const cJSON *draft = NULL;
  if (cJSON_GetArraySize(drafts) > 0) orr__hued(out, paint, ORR_HUE_BOLD, "\nDrafts that wait:\n");
  cJSON_ArrayForEach(draft, drafts) orr__advice_draft(out, draft, paint->now_ms);
}

static void add_waiting(orr__buf *out, const orr__paint *paint, const cJSON *backups) {
  const cJSON *backup = NULL;
  if (cJSON_GetArraySize(backups) > 0) orr__hued(out, paint, ORR_HUE_BOLD, "\nBackups that need attention:\n");
  cJSON_ArrayForEach(backup, backups) orr__advice(out, backup);
}

static cJSON *broken_of(const cJSON *providers) {
  cJSON *broken = cJSON_CreateArray();
  cJSON *provider = NULL;
  cJSON_ArrayForEach(provider, providers) {
    if (orr__json_word(provider, "problem")) cJSON_AddItemReferenceToArray(broken, provider);
  }
  return broken;
}

static void print_page(const orr__cli *cli, cJSON *status, const cJSON *backups, const cJSON *providers) {
  overview o = {.failed = cJSON_CreateArray(), .running = cJSON_CreateArray(), .overfull = cJSON_CreateArray()};
  cJSON *attention = cJSON_GetObjectItemCaseSensitive(status, "attention"), *backup = NULL, *broken = broken_of(providers);
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  cJSON_ArrayForEach(backup, backups) note_backup(&o, backup);
  add_head(&out, cli, status);
  add_backups(&out, &cli->paint, &o);
  add_schedules(&out, &cli->paint, &o);
  add_results(&out, &cli->paint, cJSON_GetObjectItemCaseSensitive(status, "results"));
  add_orphans(&out, cJSON_GetObjectItemCaseSensitive(status, "orphans"));
  cJSON *shown = cJSON_Duplicate(attention, true);
  cJSON *undeleted = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(status, "undeleted"), true);
  add_list(&out, &cli->paint, "Needs attention:", ATTENTION_VIEW, shown, "orrery result ls");
  orr__advice_list(&out, shown, ROWS_MAX);
  add_waiting(&out, &cli->paint, cJSON_GetObjectItemCaseSensitive(status, "attentionBackups"));
  add_drafts(&out, &cli->paint, cJSON_GetObjectItemCaseSensitive(status, "drafts"));
  add_list(&out, &cli->paint, "Failed last:", LAST_VIEW, o.failed, "orrery backup ls");
  add_list(&out, &cli->paint, "Not deleted, though kept no longer:", UNDELETED_VIEW, undeleted, "orrery result ls");
  add_list(&out, &cli->paint, "Retention cannot work:", RETENTION_VIEW, o.overfull, "orrery backup ls");
  add_list(&out, &cli->paint, "Running:", RUNNING_VIEW, o.running, "orrery backup ls");
  add_list(&out, &cli->paint, "Providers with a problem:", PROVIDERS_VIEW, broken, "orrery provider ls");
  orr__print(&out);
  orr__buf_clear(&out);
  cJSON_Delete(shown);
  cJSON_Delete(undeleted);
  cJSON_Delete(o.overfull);
  cJSON_Delete(o.failed);
  cJSON_Delete(o.running);
  cJSON_Delete(broken);
}

int orr__cli_status(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *status = NULL, *backups = NULL, *providers = NULL;
  bool is_page = !cli->globals.is_json && !cli->globals.is_quiet;
  cli->tells_providers = is_page;
  int rc = orr__cli_call(cli, "status", NULL, &status, &error);
  if (rc == 0 && is_page) rc = orr__cli_call(cli, "backup.ls", NULL, &backups, &error);
  if (rc == 0 && is_page) rc = orr__cli_call(cli, "provider.ls", NULL, &providers, &error);
  int exit_code = 0;
  if (rc == 0) {
    bool needs_somebody = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "attention")) > 0 ||
                          cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "attentionBackups")) > 0 ||
                          cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "drafts")) > 0;
    exit_code = needs_somebody ? EXIT_ATTENTION : 0;
    if (is_page) print_page(cli, status, backups, providers);
    else if (cli->globals.is_json) orr__print_json(status);
  } else {
    exit_code = orr__cli_fail(cli, &error);
  }
  cJSON_Delete(status);
  cJSON_Delete(backups);
  cJSON_Delete(providers);
  return exit_code;
}
