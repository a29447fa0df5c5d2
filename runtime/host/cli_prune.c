/* Retention from the command line: `backup prune`, and what a waited-for run without a `serve` does by itself. */
#include <stdlib.h>

#include "base/str.h"
#include "host/cli.h"

static const char GOING_VIEW[] = "ID=uuid:id STATUS=status:status ENDED=endDate:ago SIZE=sizeInBytes:size";
static const char HALTED_VIEW[] = "ID=uuid:id STATUS=status:status ENDED=endDate:ago WHY=deleteMessage:problem";

static int count_of(const cJSON *data, const char *key) {
  const cJSON *number = cJSON_GetObjectItemCaseSensitive(data, key);
  return cJSON_IsNumber(number) ? number->valueint : 0;
}

static void add_summary(orr__buf *out, const cJSON *data, bool is_dry, int64_t now_ms) {
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(data, "keepsAll"))) {
    orr__said(out, "{backup} keeps all of its {kept} results: it has no --keep-last and no --keep-days", data, now_ms);
    return;
  }
  int deleted = is_dry ? count_of(data, "left") : cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(data, "deleted"));
  orr__said(out, "{backup}: ", data, now_ms);
  orr__buf_addf(out, "%d result%s %s, %d kept", deleted, deleted == 1 ? "" : "s", is_dry ? "would be deleted" : "deleted", count_of(data, "kept"));
  if (!is_dry && count_of(data, "left") > 0) orr__buf_addf(out, ", %d could not be deleted", count_of(data, "left"));
}

int orr__cli_prune(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, "backup.prune", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  bool is_dry = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(data, "dryRun"));
  cJSON *deleted = cJSON_GetObjectItemCaseSensitive(data, "deleted"), *halted = cJSON_GetObjectItemCaseSensitive(data, "halted");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  add_summary(&out, data, is_dry, cli->paint.now_ms);
  if (cli->globals.is_json) {
    orr__print_json(data);
  } else if (!cli->globals.is_quiet) {
    orr__buf_addc(&out, '\n');
    if (cJSON_GetArraySize(deleted) > 0) orr__table(&out, &cli->paint, GOING_VIEW, deleted);
    if (cJSON_GetArraySize(halted) > 0) {
      orr__buf_adds(&out, "not deleted:\n");
      orr__table(&out, &cli->paint, HALTED_VIEW, halted);
    }
    orr__print(&out);
  }
  orr__buf_clear(&out);
  int exit_code = !is_dry && count_of(data, "left") > 0 ? 1 : 0;
  cJSON_Delete(data);
  return exit_code;
}

void orr__cli_prune_after(orr__cli *cli, const cJSON *result) {
  const cJSON *id = cJSON_GetObjectItemCaseSensitive(result, "backupId");
  if (!cJSON_IsNumber(id) || !orr__client_is_command(cli->client)) return;
  orr_error error = ORR_ERROR_INIT;
  cJSON *args = cJSON_CreateObject(), *data = NULL;
  char *ref = orr__strf("%.0f", id->valuedouble);
  if (args && ref && cJSON_AddStringToObject(args, "backup", ref) && orr__cli_call(cli, "backup.prune", args, &data, &error))
    orr__remark("orrery: retention: %s", orr_error_message(&error));
  int left = count_of(data, "left");
  const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(data, "halted"), 0);
  const char *why = orr__json_word(first, "deleteMessage");
  orr__buf line;
  orr__buf_init(&line, ORR_PRINT_MAX);
  if (why) orr__text_line(&line, why);
  if (left > 0)
    orr__remark("orrery: retention: %d result%s could not be deleted%s%s", left, left == 1 ? "" : "s", why ? ": " : "", orr__buf_text(&line));
  orr__buf_clear(&line);
  orr__error_clear(&error);
  cJSON_Delete(data);
  cJSON_Delete(args);
  free(ref);
}
