/* A person's word about what the runtime cannot know: result resolve, backup resolve. */
#include "base/str.h"
#include "host/cli.h"

static const char *uuid_of(const cJSON *result) {
  const char *uuid = orr__json_word(result, "uuid");
  return uuid ? uuid : "";
}

/* The new result of a retry, as far as it must come before a runtime that ends with this command may go. */
static int follow_retry(orr__cli *cli, cJSON *data, orr_error *reterr) {
  const cJSON *next = cJSON_GetObjectItemCaseSensitive(data, "retry");
  cJSON *later = NULL;
  if (!cJSON_IsObject(next) || !orr__client_is_command(cli->client)) return 0;
  int rc = orr__cli_follow(cli, uuid_of(next), true, &later, reterr);
  if (rc == 0) cJSON_ReplaceItemInObjectCaseSensitive(data, "retry", later);
  return rc;
}

int orr__cli_resolve(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  int rc = orr__cli_call(cli, "result.resolve", cli->args, &data, &error);
  if (rc == 0) rc = follow_retry(cli, data, &error);
  if (rc != 0) {
    cJSON_Delete(data);
    return orr__cli_fail(cli, &error);
  }
  const cJSON *result = cJSON_GetObjectItemCaseSensitive(data, "result"), *next = cJSON_GetObjectItemCaseSensitive(data, "retry");
  bool is_retried = cJSON_IsObject(next);
  if (cli->globals.is_json) {
    orr__print_done(data, "");
  } else {
    orr__cli_print_result(cli, result);
    if (is_retried) orr__cli_print_result(cli, next);
  }
  orr__cli_remark_waiting(cli, is_retried ? next : result);
  int exit_code = is_retried ? orr__result_exit(next) : 0;
  cJSON_Delete(data);
  return exit_code;
}

int orr__cli_resolve_draft(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, "backup.resolve", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  if (cli->globals.is_json) {
    orr__print_done(data, "");
  } else {
    orr__buf out;
    orr__buf_init(&out, ORR_PRINT_MAX);
    orr__said(&out, "{msg}\n", data, cli->paint.now_ms);
    orr__print(&out);
    orr__buf_clear(&out);
  }
  cJSON_Delete(data);
  return 0;
}
