/* The commands that make and change what has options: backup create, backup update, connection update.
 *
 * What a person reads is one line of what has come of it, and where there is a schedule one of when it fires. */
#include "base/str.h"
#include "host/cli.h"

/* "backup docs created", or "backup docs updated: path, schedule". */
static void add_outcome(orr__buf *out, const orr__cli *cli, const cJSON *data) {
  const char *noun = cli->command->noun, *before = " updated: ";
  const cJSON *changed = cJSON_GetObjectItemCaseSensitive(data, "changed"), *word = NULL;
  const char *name = orr__json_word(cJSON_GetObjectItemCaseSensitive(data, noun), "name");
  orr__buf_addf(out, "%s ", noun);
  orr__text_line(out, name ? name : "");
  if (!changed) orr__buf_adds(out, " created");
  cJSON_ArrayForEach(word, changed) {
    orr__buf_adds(out, before);
    orr__text_line(out, cJSON_IsString(word) ? word->valuestring : "");
    before = ", ";
  }
}

/* What the runtime would not say as an error: options of a schedule that may not mean what they seem to. */
static void remark_warnings(const cJSON *warnings) {
  const cJSON *warning = NULL;
  cJSON_ArrayForEach(warning, warnings)
    if (cJSON_IsString(warning)) orr__remark("orrery: warning: %s", warning->valuestring);
}

int orr__cli_change(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, cli->command->request, cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  const cJSON *schedule = cJSON_GetObjectItemCaseSensitive(data, "schedule");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  add_outcome(&out, cli, data);
  if (cli->globals.is_json) {
    orr__print_done(data, orr__buf_text(&out));
  } else if (!cli->globals.is_quiet) {
    const char *msg = orr__json_word(data, "msg");
    if (msg && *msg) {
      orr__buf_adds(&out, ": ");
      orr__text_safe(&out, msg);
    }
    orr__buf_addc(&out, '\n');
    orr__schedule_lines(&out, schedule);
    orr__print(&out);
    remark_warnings(cJSON_GetObjectItemCaseSensitive(schedule, "warnings"));
  }
  if (cJSON_HasObjectItem(cli->args, "schedule") && !cli->globals.is_quiet && orr__client_is_command(cli->client))
    orr__remark("orrery: schedules fire while `orrery serve` runs");
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return 0;
}
