/* `orrery provider test`: hands its words to the kit (bindings/kit), which runs the specs in this process. */
#include <signal.h>
#include <stdlib.h>

#include "base/str.h"
#include "host/cli.h"
#include "kit.h"

enum { WORDS_MAX = 8 };

/* Specs end by a signal like any program: nobody here looks at the self-pipe meanwhile. */
static void default_signals(void) {
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) signal(caught[i], SIG_DFL);
}

/* "key=value" of what the command keeps. Owned; NULL: not given, or no memory. */
static char *word(const orr__cli *cli, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(cli->kept, key);
  if (cJSON_IsString(item)) return orr__strf("%s=%s", key, item->valuestring);
  return cJSON_IsTrue(item) ? orr__strf("%s=1", key) : NULL;
}

int orr__cli_test(orr__cli *cli) {
  static const char *const keys[] = {"filter", "junit", "record"};
  const char *args[WORDS_MAX] = {orr__json_word(cli->kept, "path")};
  char *owned[WORDS_MAX] = {0};
  size_t count = 1;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    owned[i] = word(cli, keys[i]);
    if (owned[i]) args[count++] = owned[i];
  }
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->kept, "tap"))) args[count++] = "output=TAP";
  default_signals();
  int code = orr__kit_main(&(orr__kit_run){.module = "main", .args = args, .arg_count = count, .extend = NULL});
  for (size_t i = 0; i < WORDS_MAX; i++) free(owned[i]);
  return code;
}
