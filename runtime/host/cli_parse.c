/* The words of the command line by the tables of commands.def. Options may stand anywhere, as --name value or
 * --name=value; "--" ends them. Everything that is missing or wrong is reported at once where that is possible, with
 * the nearest word for a misspelt one. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"

enum { GIVEN_MAX = 1024, POSITIONALS_MAX = 8 };

typedef struct given {
  const orr__option_info *info;
  const char *value;
} given;

typedef struct words {
  char **argv;
  int argc, at;
  const char *plain[POSITIONALS_MAX + 2]; /* noun, verb and positionals */
  size_t plain_count;
  given *options;
  size_t option_count;
  const char *unknown; /* an option that is none: judged once the command is known */
} words;

/* ---- global options --------------------------------------------------------------------------------------- */

static int take_repeated(const char **list, size_t *count, const char *name, const char *value, orr_error *reterr) {
  if (*count == ORR_WORDS_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "--%s more than %d times", name, ORR_WORDS_MAX);
  list[(*count)++] = value;
  return 0;
}

static int take_global_value(orr__globals *globals, const char *name, const char *value, orr_error *reterr) {
  if (orr__streq(name, "data")) {
    if (!*value) return orr__error_set(reterr, ORR_E_INVALID, "--data needs a directory");
    globals->data_dir = value;
    return 0;
  }
  if (orr__streq(name, "providers")) return take_repeated(globals->providers, &globals->provider_count, name, value, reterr);
  if (orr__streq(name, "setting")) return take_repeated(globals->settings, &globals->setting_count, name, value, reterr);
  if (orr__streq(value, "auto")) globals->color = ORR_COLOR_AUTO;
  else if (orr__streq(value, "always")) globals->color = ORR_COLOR_ALWAYS;
  else if (orr__streq(value, "never")) globals->color = ORR_COLOR_NEVER;
  else return orr__error_set(reterr, ORR_E_INVALID, "--color %s: should be auto, always or never", value);
  return 0;
}

static bool *global_flag(orr__globals *globals, const char *name) {
  if (orr__streq(name, "json")) return &globals->is_json;
  if (orr__streq(name, "wide")) return &globals->is_wide;
  if (orr__streq(name, "quiet")) return &globals->is_quiet;
  if (orr__streq(name, "no-header")) return &globals->has_no_header;
  if (orr__streq(name, "yes")) return &globals->is_yes;
  if (orr__streq(name, "verbose")) return &globals->is_verbose;
  if (orr__streq(name, "help")) return &globals->wants_help;
  if (orr__streq(name, "version")) return &globals->wants_version;
  return NULL;
}

/* ---- words ------------------------------------------------------------------------------------------------ */

static int take_value(words *w, const char *name, const char *inlined, const char **ret_value, orr_error *reterr) {
  if (inlined) *ret_value = inlined;
  else if (w->at + 1 < w->argc) *ret_value = w->argv[++w->at];
  else return orr__error_set(reterr, ORR_E_INVALID, "--%s needs a value", name);
  return 0;
}

static int take_option(orr__cli *cli, words *w, const char *name, const char *inlined, orr_error *reterr) {
  const char *value = NULL;
  bool *flag = global_flag(&cli->globals, name);
  const orr__option_info *info = orr__option_find(name);
  bool is_global = orr__global_find(name) != NULL;
  bool takes_value = !flag && (is_global || (info && info->kind != ORR_OPTION_FLAG && info->kind != ORR_OPTION_STDIN));
  if (!info && !is_global) {
    if (!w->unknown) w->unknown = w->argv[w->at];
    return 0;
  }
  if (!takes_value && inlined) return orr__error_set(reterr, ORR_E_INVALID, "--%s takes no value", name);
  if (flag) {
    *flag = true;
    return 0;
  }
  int rc = takes_value ? take_value(w, name, inlined, &value, reterr) : 0;
  if (rc != 0) return rc;
  if (is_global) return take_global_value(&cli->globals, name, value, reterr);
  if (w->option_count == GIVEN_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "more than %d options", GIVEN_MAX);
  w->options[w->option_count++] = (given){info, value};
  return 0;
}

/* "-yv": every letter is a global flag; or an option that takes the rest, or the next word: "-n10", "-n 10". */
static int take_letters(orr__cli *cli, words *w, const char *word, orr_error *reterr) {
  for (const char *letter = word + 1; *letter; letter++) {
    const orr__global_info *found = NULL;
    const orr__option_info *option = orr__option_letter(*letter);
    if (option) return take_option(cli, w, option->name, letter[1] ? letter + 1 : NULL, reterr);
    for (size_t i = 0; !found && orr__global_at(i); i++) {
      if (*letter == *orr__global_at(i)->brief) found = orr__global_at(i);
    }
    if (!found) {
      if (!w->unknown) w->unknown = word;
      return 0;
    }
    int rc = take_option(cli, w, found->name, NULL, reterr);
    if (rc != 0) return rc;
  }
  return 0;
}

static int take_word(orr__cli *cli, words *w, bool *is_plain_only, orr_error *reterr) {
  const char *word = w->argv[w->at];
  if (!*is_plain_only && orr__streq(word, "--")) {
    *is_plain_only = true;
    return 0;
  }
  if (*is_plain_only || word[0] != '-' || !word[1]) {
    if (w->plain_count == POSITIONALS_MAX) return orr__error_set(reterr, ORR_E_INVALID, "too many words, from '%s' on", word);
    w->plain[w->plain_count++] = word;
    return 0;
  }
  if (word[1] != '-') return take_letters(cli, w, word, reterr);
  const char *equals = strchr(word, '=');
  char *name = orr__strndup(word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word + 2));
  if (!name) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int rc = take_option(cli, w, name, equals ? equals + 1 : NULL, reterr);
  free(name);
  return rc;
}

/* ---- which command ---------------------------------------------------------------------------------------- */

static int find_command(orr__cli *cli, words *w, size_t *ret_used, orr_error *reterr) {
  const char *noun = w->plain[0];
  *ret_used = 0;
  if (!orr__noun_exists(noun)) {
    const char *near = orr__nearest(noun, orr__noun_word, NULL);
    return orr__error_set(reterr, ORR_E_INVALID, near ? "unknown command '%s'; did you mean '%s'?" : "unknown command '%s'; see `orrery --help`",
                          noun, near);
  }
  *ret_used = 1;
  cli->command = orr__command_find(noun, "");
  if (cli->command) return 0;
  cli->help_topic = noun;
  if (w->plain_count < 2) return orr__error_set(reterr, ORR_E_INVALID, "%s what? see `orrery %s --help`", noun, noun);
  cli->command = orr__command_find(noun, w->plain[1]);
  *ret_used = 2;
  if (cli->command) return 0;
  char *copy = orr__strdup(noun);
  const char *near = orr__nearest(w->plain[1], orr__verb_word, copy);
  free(copy);
  return orr__error_set(reterr, ORR_E_INVALID, near ? "unknown command '%s %s'; did you mean '%s'?" : "unknown command '%s %s'; see `orrery %s --help`",
                        noun, w->plain[1], near ? near : noun);
}

/* The names of a command's options and of the global ones, for suggestions. */
static const char *option_word(void *arg, size_t i) {
  const orr__command *command = arg;
  const char *spec = command ? command->options : "";
  orr__slot slot;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (i-- == 0) return info ? info->name : "";
  }
  return orr__global_at(i) ? orr__global_at(i)->name : NULL;
}

static int refuse_option(const orr__command *command, const char *word, orr_error *reterr) {
  char *name = orr__strndup(word + strspn(word, "-"), strcspn(word + strspn(word, "-"), "="));
  const char *near = name ? orr__nearest(name, option_word, (void *)(uintptr_t)command) : NULL;
  int len = (int)strcspn(word, "=");
  int rc;
  if (near) rc = orr__error_set(reterr, ORR_E_INVALID, "unknown option '%.*s'; did you mean '--%s'?", len, word, near);
  else if (!command) rc = orr__error_set(reterr, ORR_E_INVALID, "unknown option '%.*s'; see `orrery --help`", len, word);
  else rc = orr__error_set(reterr, ORR_E_INVALID, "unknown option '%.*s'; see `orrery %s%s%s --help`", len, word, command->noun,
                           *command->verb ? " " : "", command->verb);
  free(name);
  return rc;
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static int put(orr__cli *cli, const char *key, cJSON *value, orr_error *reterr) {
  if (key[0] == '.') return orr__set_path(cli->kept, key + 1, value, reterr);
  return orr__set_path(cli->args, key[0] == '-' ? key + 1 : key, value, reterr);
}

static int put_text(orr__cli *cli, const char *metavar, const char *key, const char *text, orr_error *reterr) {
  if (!orr__utf8_valid(text, strlen(text))) return orr__error_field(reterr, metavar, "is not UTF-8");
  char *path = orr__streq(metavar, "FILE") ? orr__path_absolute(text) : orr__strdup(text);
  int rc = put(cli, key, path ? cJSON_CreateString(path) : NULL, reterr);
  free(path);
  return rc;
}

static int put_number(orr__cli *cli, const given *option, const char *key, orr_error *reterr) {
  char *end = NULL;
  errno = 0;
  double number = strtod(option->value, &end);
  bool is_decimal = *option->value && strspn(option->value, "0123456789+-.eE") == strlen(option->value);
  if (!is_decimal || *end || errno || number - number != 0)
    return orr__error_field(reterr, option->info->name, "'%.40s' is not a number", option->value);
  return put(cli, key, cJSON_CreateNumber(number), reterr);
}

static int put_count(orr__cli *cli, const given *option, const char *key, orr_error *reterr) {
  size_t len = strlen(option->value);
  if (len == 0 || len > 15 || strspn(option->value, "0123456789") != len)
    return orr__error_field(reterr, option->info->name, "'%.40s' is not a whole number from 0", option->value);
  return put(cli, key, cJSON_CreateNumber((double)atoll(option->value)), reterr);
}

/* "90", "90s", "15m", "1h30m": seconds. */
static int put_duration(orr__cli *cli, const given *option, const char *key, orr_error *reterr) {
  static const struct { char letter; double seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  const char *at = option->value;
  double seconds = 0;
  bool is_good = *at != '\0';
  while (is_good && *at) {
    char *end = NULL;
    size_t digits = strspn(at, "0123456789."), i = 0;
    double number = digits ? strtod(at, &end) : 0;
    while (i < 4 && digits && units[i].letter != *end) i++;
    bool is_plain = digits && !*end && at == option->value;
    is_good = digits > 0 && digits < 16 && end == at + digits && (is_plain || i < 4);
    if (is_good) seconds += number * (is_plain ? 1 : units[i].seconds);
    if (is_good) at = end + !is_plain;
  }
  if (is_good) return put(cli, key, cJSON_CreateNumber(seconds), reterr);
  return orr__error_field(reterr, option->info->name, "'%.40s' is no duration: seconds, or such as 90s, 15m, 2h, 1d, 1h30m", option->value);
}

static int put_secret(orr__cli *cli, const given *option, const char *key, bool *stdin_taken, orr_error *reterr) {
  char *text = NULL;
  int rc = orr__stdin_secret(option->info->name, stdin_taken, &text, reterr);
  if (rc == 0) rc = put(cli, key, cJSON_CreateString(text), reterr);
  free(text);
  return rc;
}

static int put_assigned(orr__cli *cli, const given *option, const char *key, bool *stdin_taken, orr_error *reterr) {
  cJSON *map = cJSON_GetObjectItemCaseSensitive(cli->args, key);
  if (!map) map = cJSON_AddObjectToObject(cli->args, key);
  if (!map) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return orr__set_assign(map, option->value, stdin_taken, reterr);
}

/* Two flags may be opposite words for one thing: --enable, --disable. */
static int put_flag(orr__cli *cli, const given *option, const char *key, orr_error *reterr) {
  const cJSON *said = cJSON_GetObjectItemCaseSensitive(cli->args, key + strspn(key, "-"));
  bool is_on = key[0] != '-';
  if (cJSON_IsBool(said) && cJSON_IsTrue(said) != is_on)
    return orr__error_field(reterr, option->info->name, "contradicts another option");
  return put(cli, key, cJSON_CreateBool(is_on), reterr);
}

static int put_many(orr__cli *cli, const given *option, const char *key, orr_error *reterr) {
  cJSON *list = cJSON_GetObjectItemCaseSensitive(cli->args, key);
  if (!orr__utf8_valid(option->value, strlen(option->value))) return orr__error_field(reterr, option->info->name, "is not UTF-8");
  if (!list) list = cJSON_AddArrayToObject(cli->args, key);
  if (list && cJSON_AddItemToArray(list, cJSON_CreateString(option->value))) return 0;
  return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

static bool find_slot(const orr__command *command, const char *name, orr__slot *ret_slot) {
  const char *spec = command->options;
  while (orr__slot_next(&spec, ret_slot)) {
    if (orr__streq(ret_slot->name, name)) return true;
  }
  return false;
}

static int put_options(orr__cli *cli, const words *w, orr_error *reterr) {
  bool stdin_taken = false;
  int rc = 0;
  /* Field errors add up; anything else (memory, a file) ends it. */
  for (size_t i = 0; i < w->option_count && (rc == 0 || rc == ORR_E_INVALID); i++) {
    const given *option = &w->options[i];
    orr__slot slot;
    int one = 0;
    if (!find_slot(cli->command, option->info->name, &slot)) continue; /* refused before */
    switch (option->info->kind) {
      case ORR_OPTION_FLAG: one = put_flag(cli, option, slot.key, reterr); break;
      case ORR_OPTION_TEXT: one = put_text(cli, option->info->name, slot.key, option->value, reterr); break;
      case ORR_OPTION_NUMBER: one = put_number(cli, option, slot.key, reterr); break;
      case ORR_OPTION_DURATION: one = put_duration(cli, option, slot.key, reterr); break;
      case ORR_OPTION_COUNT: one = put_count(cli, option, slot.key, reterr); break;
      case ORR_OPTION_MANY: one = put_many(cli, option, slot.key, reterr); break;
      case ORR_OPTION_ASSIGN: one = put_assigned(cli, option, slot.key, &stdin_taken, reterr); break;
      case ORR_OPTION_STDIN: one = put_secret(cli, option, slot.key, &stdin_taken, reterr); break;
    }
    if (one != 0) rc = one;
  }
  return rc;
}

/* Adds one to what is missing; so_far is 0 for the first. */
static int missing(const orr__command *command, const char *field, const char *word, int so_far, orr_error *reterr) {
  if (so_far == 0)
    orr__error_set(reterr, ORR_E_INVALID, "not enough said; see `orrery %s%s%s --help`", command->noun, *command->verb ? " " : "", command->verb);
  return orr__error_field(reterr, field, "%s is missing", word);
}

/* The value of an earlier option of the same name, if this one may be given once only; or NULL. */
static const char *earlier_value(const words *w, size_t at) {
  const given *option = &w->options[at];
  if (!option->value || orr__option_repeats(option->info)) return NULL;
  for (size_t i = 0; i < at; i++) {
    if (w->options[i].info == option->info) return w->options[i].value;
  }
  return NULL;
}

/* Are all options ones of this command, and is nothing missing? Before standard input is read. */
static int check_words(const orr__cli *cli, const words *w, size_t used, orr_error *reterr) {
  orr__slot slot;
  if (w->unknown) return refuse_option(cli->command, w->unknown, reterr);
  for (size_t i = 0; i < w->option_count; i++) {
    char dashed[40];
    snprintf(dashed, sizeof dashed, "--%s", w->options[i].info->name);
    if (!find_slot(cli->command, w->options[i].info->name, &slot)) return refuse_option(cli->command, dashed, reterr);
    const char *earlier = earlier_value(w, i);
    if (earlier)
      return orr__error_set(reterr, ORR_E_INVALID, "%s is given twice, '%.40s' and '%.40s'; say it once", dashed, earlier, w->options[i].value);
  }
  int rc = 0;
  const char *spec = cli->command->positionals;
  while (orr__slot_next(&spec, &slot)) {
    if (used < w->plain_count) used++;
    else if (slot.is_required) rc = missing(cli->command, slot.name, slot.name, rc, reterr);
  }
  if (used < w->plain_count) return orr__error_set(reterr, ORR_E_INVALID, "one word too many: '%s'", w->plain[used]);
  spec = cli->command->options;
  while (orr__slot_next(&spec, &slot)) {
    bool is_given = !slot.is_required;
    for (size_t i = 0; i < w->option_count; i++) is_given |= orr__streq(w->options[i].info->name, slot.name);
    char dashed[40];
    snprintf(dashed, sizeof dashed, "--%s", slot.name);
    if (!is_given) rc = missing(cli->command, slot.name, dashed, rc, reterr);
  }
  return rc;
}

/* Who asks, where the request wants to know. */
static int put_asker(orr__cli *cli, orr_error *reterr) {
  const char *takes = orr_request_args(cli->command->request);
  if (!takes || !strstr(takes, "requestedBy:")) return 0;
  const struct passwd *user = getpwuid(getuid());
  return user && user->pw_name ? orr__set_path(cli->args, "requestedBy", cJSON_CreateString(user->pw_name), reterr) : 0;
}

static int put_words(orr__cli *cli, const words *w, size_t used, orr_error *reterr) {
  int rc = check_words(cli, w, used, reterr);
  const char *spec = cli->command->positionals;
  orr__slot slot;
  while (rc == 0 && used < w->plain_count && orr__slot_next(&spec, &slot))
    rc = put_text(cli, slot.name, slot.key, w->plain[used++], reterr);
  if (rc == 0) rc = put_options(cli, w, reterr);
  if (rc == 0) rc = put_asker(cli, reterr);
  return rc;
}

int orr__cli_parse(orr__cli *cli, int argc, char **argv, orr_error *reterr) {
  words w = {.argv = argv, .argc = argc, .at = 1};
  bool is_plain_only = false;
  size_t used = 0;
  int rc = 0;
  w.options = calloc(GIVEN_MAX, sizeof *w.options);
  cli->args = cJSON_CreateObject();
  cli->kept = cJSON_CreateObject();
  if (!w.options || !cli->args || !cli->kept) {
    rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    goto done;
  }
  for (; rc == 0 && w.at < argc; w.at++) rc = take_word(cli, &w, &is_plain_only, reterr);
  if (rc != 0 || cli->globals.wants_version) goto done;
  if (w.plain_count > 0 && orr__streq(w.plain[0], "help")) {
    cli->globals.wants_help = true;
    memmove(w.plain, w.plain + 1, --w.plain_count * sizeof *w.plain);
    cli->help_topic = w.plain_count > 0 ? w.plain[0] : NULL;
    if (orr__streq(cli->help_topic, "set")) goto done;
    if (cli->help_topic && !orr__noun_exists(cli->help_topic)) {
      rc = find_command(cli, &w, &used, reterr); /* as without help: it names the nearest */
      goto done;
    }
  }
  if (w.plain_count == 0) {
    if (w.unknown) rc = refuse_option(NULL, w.unknown, reterr);
    else if (!cli->globals.wants_help) rc = orr__error_set(reterr, ORR_E_INVALID, "what shall be done? see `orrery --help`");
    goto done;
  }
  rc = find_command(cli, &w, &used, reterr);
  if (cli->globals.wants_help && (rc == 0 || (cli->help_topic && w.plain_count < 2))) {
    if (rc != 0 && reterr) orr__error_clear(reterr);
    rc = 0;
  } else if (rc == 0) {
    rc = put_words(cli, &w, used, reterr);
  }
done:
  free(w.options);
  return rc;
}
