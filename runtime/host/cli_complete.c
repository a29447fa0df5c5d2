/* What may come next on a command line that is being typed: `orrery complete WORD...`, the words behind `orrery` up to the
 * cursor, the last one unfinished. The scripts of cli_completion.c call it; people do not, so it is not in commands.def.
 *
 *   candidate <tab> description     a line each; one that ends in "=" goes on without a blank
 *   :files  or  :dirs               the shell completes paths
 *
 * Walks the tables of commands.def. Names of backups, connections and so on come from the runtime that holds the data
 * directory; where none runs there are none: nothing is opened, made or waited for, and nothing is ever said about
 * errors, because somebody is in the middle of typing. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"

enum { REACH_MS = 300, RESULTS_SHOWN = 50, WORDS_MAX = 512 };

typedef struct typed {
  orr__cli *cli;
  const orr__command *command;
  const char *noun, *provider, *backup; /* as far as they were typed; or NULL */
  const char *last;                     /* the unfinished word */
  const char *prefix;                   /* what precedes a value within its word ("--status="), put before candidates */
  size_t prefix_len;
  size_t positionals;                   /* typed so far */
  const char *given[WORDS_MAX];         /* names of the command's options that were */
  size_t given_count;
} typed;

static void offer(const typed *t, const char *word, const char *doc) {
  const char *wanted = t->last + t->prefix_len;
  if (!orr__starts_with(word, wanted)) return;
  orr__buf line;
  orr__buf_init(&line, ORR_PRINT_MAX);
  orr__buf_add(&line, t->prefix, t->prefix_len);
  orr__text_line(&line, word);
  orr__buf_addc(&line, '\t');
  orr__text_line(&line, doc ? doc : "");
  orr__buf_addc(&line, '\n');
  orr__print(&line);
  orr__buf_clear(&line);
}

/* ---- from the runtime ------------------------------------------------------------------------------------- */

static cJSON *ask(const typed *t, const char *request, const char *key, const char *value) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL, *args = cJSON_CreateObject();
  if (args && value) cJSON_AddStringToObject(args, key, value);
  if (args && orr__streq(request, "result.ls")) cJSON_AddNumberToObject(args, "limit", RESULTS_SHOWN);
  if (!args || orr__cli_reach(t->cli, REACH_MS, &error) != 0 || orr__cli_call(t->cli, request, args, &data, &error) != 0) data = NULL;
  cJSON_Delete(args);
  orr__error_clear(&error);
  return data;
}

static void offer_results(const typed *t) {
  cJSON *list = ask(t, "result.ls", "backup", t->backup);
  const cJSON *result = NULL;
  cJSON_ArrayForEach(result, list) {
    orr__buf id, doc;
    orr__buf_init(&id, ORR_PRINT_MAX);
    orr__buf_init(&doc, ORR_PRINT_MAX);
    orr__said(&id, "{uuid:id}", result, 0);
    orr__said(&doc, "{backupName} {status} {startDate,createdDate:ago}", result, t->cli->paint.now_ms);
    offer(t, orr__buf_text(&id), orr__buf_text(&doc));
    orr__buf_clear(&id);
    orr__buf_clear(&doc);
  }
  cJSON_Delete(list);
}

static void offer_names(const typed *t, const char *request, const char *key, const char *doc_paths) {
  cJSON *list = ask(t, request, NULL, NULL);
  const cJSON *thing = NULL;
  cJSON_ArrayForEach(thing, list) {
    const char *name = orr__json_word(thing, key);
    if (name) offer(t, name, cJSON_GetStringValue(orr__json_at(thing, doc_paths, strlen(doc_paths))));
  }
  cJSON_Delete(list);
}

/* The hooks that the provider of `provider call NAME` has. */
static void offer_hooks(const typed *t) {
  cJSON *shown = t->provider ? ask(t, "provider.show", "provider", t->provider) : NULL;
  const cJSON *hook = NULL;
  cJSON_ArrayForEach(hook, cJSON_GetObjectItemCaseSensitive(shown, "hooks")) {
    if (cJSON_IsString(hook)) offer(t, hook->valuestring, "");
  }
  cJSON_Delete(shown);
}

/* The keys that --set takes: what the provider declares, where it is known. */
static void offer_keys(const typed *t) {
  const char *declared = t->noun && orr__streq(t->noun, "connection") ? "connectionOptions" : "options";
  cJSON *backup = !t->provider && t->backup ? ask(t, "backup.show", "backup", t->backup) : NULL;
  const char *provider = t->provider ? t->provider : cJSON_GetStringValue(orr__json_at(backup, "provider,providerCode", 21));
  cJSON *shown = provider ? ask(t, "provider.show", "provider", provider) : NULL;
  const cJSON *option = NULL;
  cJSON_ArrayForEach(option, cJSON_GetObjectItemCaseSensitive(shown, declared)) {
    const char *name = orr__json_word(option, "fieldName");
    char *word = name ? orr__strf("%s=", name) : NULL;
    if (word) offer(t, word, orr__json_word(option, "fieldLabel"));
    free(word);
  }
  cJSON_Delete(shown);
  cJSON_Delete(backup);
}

/* ---- from here -------------------------------------------------------------------------------------------- */

static void offer_zones(const typed *t) {
  char *text = NULL;
  size_t len = 0;
  if (orr__file_read("/usr/share/zoneinfo/zone1970.tab", 1u << 20, &text, &len, NULL) != 0) return;
  offer(t, "UTC", "");
  for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
    char *zone = *line == '#' ? NULL : strchr(line, '\t');
    zone = zone ? strchr(zone + 1, '\t') : NULL;
    if (!zone) continue;
    zone[1 + strcspn(zone + 1, "\t")] = '\0';
    offer(t, zone + 1, "");
  }
  free(text);
}

/* "auto|always|never": a metavar of words in lower case lists the choices. */
static bool offer_choices(const typed *t, const char *metavar) {
  bool is_list = strchr(metavar, '|') && strspn(metavar, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-|") == strlen(metavar) &&
                 *metavar >= 'a' && *metavar <= 'z';
  for (const char *at = metavar; is_list && *at; at += strcspn(at, "|"), at += *at == '|') {
    char *word = orr__strndup(at, strcspn(at, "|"));
    if (word) offer(t, word, "");
    free(word);
  }
  return is_list;
}

static void offer_words(const typed *t, const char *const *words) {
  for (; *words; words++) offer(t, *words, "");
}

/* A value by the argument that it becomes; key without its leading mark. */
static void offer_value(const typed *t, const char *name, const char *key, const char *metavar) {
  static const char *const STATUSES[] = {"START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED", "CANCELLED",
                                         "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED", NULL};
  static const char *const SCHEDULES[] = {"@hourly", "@daily", "@weekly", "@monthly", "@yearly", NULL};
  static const struct { const char *key, *request, *name, *doc; } LISTS[] = {
      {"provider", "provider.ls", "code", "name"},       {"connection", "connection.ls", "name", "providerCode"},
      {"cloud", "cloud.ls", "name", "code"},             {"server", "server.ls", "name", "hostname"},
      {"backup", "backup.ls", "name", "provider,providerCode"},
  };
  if (offer_choices(t, metavar)) return;
  if (orr__streq(key, "result")) offer_results(t);
  else if (orr__streq(key, "hook")) offer_hooks(t);
  else if (orr__streq(name, "set")) offer_keys(t);
  else if (orr__streq(key, "status")) offer_words(t, STATUSES);
  else if (orr__streq(key, "schedule")) offer_words(t, SCHEDULES);
  else if (orr__streq(key, "timeZone")) offer_zones(t);
  else if (orr__starts_with(metavar, "FILE") || strstr(metavar, "|FILE")) puts(":files");
  else if (orr__streq(metavar, "DIR")) puts(":dirs");
  for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
    if (orr__streq(LISTS[i].key, key)) offer_names(t, LISTS[i].request, LISTS[i].name, LISTS[i].doc);
  if (orr__streq(name, "setting")) {
    for (size_t i = 0; orr_settings_key(i); i++) {
      char *word = orr__strf("%s=", orr_settings_key(i));
      if (word && !orr__streq(orr_settings_key(i), "data_dir") && !orr__streq(orr_settings_key(i), "role")) offer(t, word, orr_settings_doc(i));
      free(word);
    }
  }
}

static bool find_option(const orr__command *command, const char *name, orr__slot *ret_slot) {
  const char *spec = command ? command->options : "";
  while (orr__slot_next(&spec, ret_slot)) {
    if (orr__streq(ret_slot->name, name)) return true;
  }
  return false;
}

static void offer_option_value(const typed *t, const char *name) {
  const orr__global_info *global = orr__global_find(name);
  const orr__option_info *info = orr__option_find(name);
  orr__slot slot = {"", "", false};
  if (global) offer_value(t, name, name, global->metavar);
  else if (info) offer_value(t, name, find_option(t->command, name, &slot) ? slot.key + strspn(slot.key, ".-") : name, info->metavar);
}

static void offer_options(const typed *t) {
  orr__slot slot;
  const char *spec = t->command ? t->command->options : "";
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    bool is_over = !info;
    for (size_t i = 0; info && !orr__option_repeats(info) && i < t->given_count; i++) is_over |= orr__streq(t->given[i], info->name);
    char *word = is_over ? NULL : orr__strf("--%s", info->name);
    if (word) offer(t, word, info->doc);
    free(word);
  }
  for (size_t i = 0; orr__global_at(i); i++) {
    char *word = orr__strf("--%s", orr__global_at(i)->name);
    if (word) offer(t, word, orr__global_at(i)->doc);
    free(word);
  }
}

static void offer_nouns(const typed *t) {
  const char *before = "";
  for (size_t i = 0; orr__command_at(i); i++) {
    const orr__command *command = orr__command_at(i);
    if (!orr__streq(command->noun, before)) offer(t, command->noun, orr__noun_doc(command->noun));
    before = command->noun;
  }
  offer(t, "help", "tells about a command");
}

static void offer_verbs(const typed *t) {
  for (size_t i = 0; orr__command_at(i); i++) {
    const orr__command *command = orr__command_at(i);
    if (orr__streq(command->noun, t->noun)) offer(t, command->verb, command->doc);
  }
}

static void offer_positional(const typed *t) {
  orr__slot slot;
  const char *spec = t->command->positionals;
  for (size_t i = 0; orr__slot_next(&spec, &slot); i++) {
    if (i == t->positionals) {
      offer_value(t, slot.name, slot.key + strspn(slot.key, ".-"), slot.name);
      return;
    }
  }
  offer_options(t);
}

/* ---- reading what was typed ------------------------------------------------------------------------------- */

/* Does this option want a value in the next word? */
static bool takes_value(const char *name) {
  const orr__global_info *global = orr__global_find(name);
  const orr__option_info *info = orr__option_find(name);
  enum orr__option_kind kind = global ? global->kind : info ? info->kind : ORR_OPTION_FLAG;
  return kind != ORR_OPTION_FLAG && kind != ORR_OPTION_STDIN;
}

static void note_option(typed *t, const char *name, const char *value) {
  if (t->given_count < WORDS_MAX) t->given[t->given_count++] = name;
  if (value && orr__streq(name, "data")) t->cli->globals.data_dir = value;
  if (value && orr__streq(name, "provider")) t->provider = value;
  if (value && orr__streq(name, "backup")) t->backup = value;
}

static void note_plain(typed *t, const char *word) {
  if (!t->noun && orr__streq(word, "help")) return; /* what follows is a command all the same */
  if (!t->noun) {
    t->noun = word;
    t->command = orr__command_find(word, "");
  } else if (!t->command) {
    t->command = orr__command_find(t->noun, word);
  } else {
    bool is_first = t->positionals++ == 0;
    if (is_first && orr__streq(t->noun, "backup")) t->backup = word;
    if (is_first && orr__streq(t->noun, "provider")) t->provider = word;
  }
}

/* The option that waits for its value in the unfinished word; or NULL. */
static const char *read_words(typed *t, int argc, char **argv) {
  bool is_plain_only = false;
  const char *waiting = NULL;
  for (int i = 0; i + 1 < argc; i++) {
    char *word = argv[i], *equals = strchr(word, '=');
    if (waiting) {
      note_option(t, waiting, word);
      waiting = NULL;
    } else if (is_plain_only || word[0] != '-' || !word[1]) {
      note_plain(t, word);
    } else if (orr__streq(word, "--")) {
      is_plain_only = true;
    } else if (orr__starts_with(word, "--")) {
      if (equals) *equals = '\0';
      if (equals || !takes_value(word + 2)) note_option(t, word + 2, equals ? equals + 1 : NULL);
      else waiting = word + 2;
    }
  }
  return waiting;
}

int orr__cli_complete(orr__cli *cli, int argc, char **argv) {
  typed t = {.cli = cli, .last = argc > 0 ? argv[argc - 1] : "", .prefix = ""};
  const char *waiting = read_words(&t, argc, argv);
  alarm(1); /* a runtime that hangs must not hang whoever is typing */
  const char *equals = orr__starts_with(t.last, "--") ? strchr(t.last, '=') : NULL;
  char *name = equals ? orr__strndup(t.last + 2, (size_t)(equals - t.last) - 2) : NULL;
  if (waiting) {
    offer_option_value(&t, waiting);
  } else if (name) {
    t.prefix = t.last;
    t.prefix_len = (size_t)(equals + 1 - t.last);
    offer_option_value(&t, name);
  } else if (t.last[0] == '-') {
    offer_options(&t);
  } else if (!t.noun) {
    offer_nouns(&t);
  } else if (!t.command) {
    offer_verbs(&t);
  } else {
    offer_positional(&t);
  }
  free(name);
  return 0;
}
