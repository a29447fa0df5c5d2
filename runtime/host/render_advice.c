/* What somebody can do about what the runtime cannot settle by itself, in a line that has the command to type. */
#include <string.h>

#include "base/str.h"
#include "host/render.h"

enum { ID_SHOWN = 8 };

/* What to see to first, by the word of attention; the Backup's name stands between the halves. */
static const struct {
  const char *attention, *before, *after;
} FIRST[] = {
    {"unknown_start", "see whether ", "'s job exists outside"},
    {"refresh_failing", "repair what keeps ", " from being refreshed"},
    {"overdue", "see how ", "'s job is going outside"},
    {"no_progress", "see whether ", "'s job is stuck outside"},
    {"provider_missing", "bring back the provider of ", ""},
    {"cleanup_failing", "", ""},
    {"delete_failing", "", ""},
    {"lost_external", "see where ", "'s job has gone outside"},
};

/* Would a shell take it as it stands? */
static bool is_plain(const char *text) {
  return *text && *text != '-' &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-") == strlen(text);
}

/* Is it a Backup, and one that somebody has to look at? */
static bool is_backup(const cJSON *subject) {
  return orr__json_word(subject, "name") && !orr__json_word(subject, "backupName") && orr__json_word(subject, "attention");
}

/* The same for Backups: what to know, and the command, the Backup's name in its midst. */
static const struct {
  const char *attention, *what, *before, *after;
} FIRST_BACKUP[] = {
    {"unknown_update", "see how {name} is outside, then run its last update again, or to have it there as it is stored", "update ", ""},
    {"delete_failing", "{name} could not be deleted: {deleteMessage}; once that is repaired", "rm ", ""},
    {"zone_missing", "the time zone {timeZone} of {name} is not there any more, what is due waits; install tzdata, or", "update ", " --tz ZONE"},
    {"schedule_unusable", "the schedule of {name} cannot be used, what is due waits; give it another", "update ", " --schedule CRON"},
    {"provider_missing", "bring back the provider {providerCode}, what is due waits for it", "show ", ""},
};

static void advise_backup(orr__buf *out, const cJSON *backup) {
  const char *attention = orr__json_word(backup, "attention"), *name = orr__json_word(backup, "name");
  const char *before = "show ", *after = "";
  orr__said(out, "  {attention}: ", backup, 0);
  for (size_t i = 0; i < sizeof FIRST_BACKUP / sizeof *FIRST_BACKUP; i++) {
    if (!orr__streq(FIRST_BACKUP[i].attention, attention)) continue;
    orr__said(out, FIRST_BACKUP[i].what, backup, 0);
    orr__buf_adds(out, ": ");
    before = FIRST_BACKUP[i].before;
    after = FIRST_BACKUP[i].after;
  }
  orr__buf_addf(out, "orrery backup %s%s%s\n", before, is_plain(name) ? name : "NAME", after);
}

void orr__advice(orr__buf *out, const cJSON *result) {
  const char *attention = orr__json_word(result, "attention"), *uuid = orr__json_word(result, "uuid");
  const char *name = orr__json_word(result, "backupName"), *external_id = orr__json_word(result, "externalId");
  if (is_backup(result)) {
    advise_backup(out, result);
    return;
  }
  if (!attention || !uuid || !name) return;
  orr__buf_adds(out, "  ");
  orr__text_line(out, attention);
  size_t i = 0;
  while (i < sizeof FIRST / sizeof *FIRST && !orr__streq(FIRST[i].attention, attention)) i++;
  if (i == sizeof FIRST / sizeof *FIRST) {
    orr__buf_addf(out, ": see what happened: orrery result show %.*s --journal\n", ID_SHOWN, uuid);
    return;
  }
  if (orr__streq(attention, "cleanup_failing")) {
    orr__buf_addf(out, ": what its clean-up would have removed may still be there: orrery result resolve %.*s --retry\n", ID_SHOWN, uuid);
    return;
  }
  if (orr__streq(attention, "delete_failing")) {
    orr__buf_addf(out, ": its provider could not delete what is outside: orrery result rm %.*s, or with --force the record alone\n", ID_SHOWN, uuid);
    return;
  }
  bool is_uncertain = !external_id && (orr__streq(attention, "unknown_start") || orr__streq(attention, "provider_missing"));
  orr__buf_addf(out, ": %s", FIRST[i].before);
  orr__text_line(out, name);
  orr__buf_addf(out, "%s, then: orrery result resolve %.*s --ran ", FIRST[i].after, ID_SHOWN, uuid);
  orr__buf_adds(out, external_id && is_plain(external_id) ? external_id : is_uncertain ? "ID" : "\"\"");
  orr__buf_addf(out, "%s | --retry\n", is_uncertain ? " | --did-not-run" : "");
}

void orr__advice_draft(orr__buf *out, const cJSON *draft, int64_t now_ms) {
  const char *name = orr__json_word(draft, "name");
  if (!name) return;
  orr__said(out, "  {name}: createBackup of {providerCode} stopped after {act} ({sentDate:ago}); see whether it made anything outside, then: ", draft, now_ms);
  orr__buf_addf(out, "orrery backup resolve %s --created | --discard\n", is_plain(name) ? name : "NAME");
}

void orr__advice_list(orr__buf *out, const cJSON *rows, int most) {
  const cJSON *row = NULL;
  int count = 0;
  cJSON_ArrayForEach(row, rows) {
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(row, "lastResult");
    if (is_backup(row) && count++ < most) advise_backup(out, row);
    const cJSON *result = cJSON_IsObject(last) ? last : row;
    if (!orr__json_word(result, "attention") || !orr__json_word(result, "backupName")) continue;
    if (count++ < most) orr__advice(out, result);
  }
  if (count > most) orr__buf_addf(out, "  and %d more that need attention: orrery status\n", count - most);
}
