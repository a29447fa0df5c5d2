/* --help, made from commands.def, so that it cannot differ from what is parsed. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

static const char GLOBAL_OPTIONS[] =
    "Options of every command:\n"
    "  --data DIR              where everything is kept [$ORRERY_DATA, else $XDG_DATA_HOME/orrery or ~/.local/share/orrery]\n"
    "  --providers DIR         look for providers here too; may be repeated [$ORRERY_PROVIDERS, parted by colons]\n"
    "  --setting KEY=VALUE     a setting of the runtime, see `orrery help serve`\n"
    "  --json                  print JSON; what changes something prints { success, msg, errors, ... }\n"
    "  -y, --yes               do not ask\n"
    "  -v, --verbose           also print what the runtime and the providers say on the way\n"
    "  --color auto|always|never  colours; auto: on a terminal, unless $NO_COLOR is set\n"
    "  -h, --help  -V, --version\n";

static const char SET_HELP[] =
    "--set and --opt take one KEY=VALUE each and may be given many times:\n"
    "  key=text       text; if it begins with { or [ and is JSON, that\n"
    "  key:=json      JSON: key:=42, key:=true, key:=null, key:='\"@text\"'\n"
    "  key=@file      the text of a file, without its last line end\n"
    "  key=-          the text of standard input, without its last line end: for secrets\n"
    "  a.b=text       maps within maps: { \"a\": { \"b\": \"text\" } }; a\\.b is one key with a dot\n"
    "Options that a provider declares as numbers or checkboxes may be given as text.\n";

static void print_synopsis(const orr__command *command, FILE *to) {
  fprintf(to, "orrery %s%s%s", command->noun, *command->verb ? " " : "", command->verb);
  orr__slot slot;
  const char *spec = command->positionals;
  while (orr__slot_next(&spec, &slot)) fprintf(to, slot.is_required ? " %s" : " [%s]", slot.name);
  spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (!info) continue;
    fprintf(to, " %s--%s%s%s%s%s", slot.is_required ? "" : "[", info->name, *info->metavar ? " " : "", info->metavar,
            slot.is_required ? "" : "]", info->kind == ORR_OPTION_ASSIGN ? "..." : "");
  }
  fputc('\n', to);
}

static void print_command(const orr__command *command, FILE *to) {
  fputs("Usage: ", to);
  print_synopsis(command, to);
  fprintf(to, "\n%c%s.\n", command->doc[0] >= 'a' && command->doc[0] <= 'z' ? command->doc[0] - 32 : command->doc[0], command->doc + 1);
  if (*command->options) fputs("\nOptions:\n", to);
  orr__slot slot;
  const char *spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    char left[64];
    if (!info) continue;
    snprintf(left, sizeof left, "--%s%s%s", info->name, *info->metavar ? " " : "", info->metavar);
    fprintf(to, "  %-26s %s%s\n", left, info->doc, slot.is_required ? " (required)" : "");
  }
  if (orr__streq(command->noun, "serve")) {
    fputs("\nSettings (--setting KEY=VALUE):\n", to);
    for (size_t i = 0; orr_settings_key(i); i++)
      fprintf(to, "  %-14s %s [%s]\n", orr_settings_key(i), orr_settings_doc(i), orr_settings_default(i) ? orr_settings_default(i) : "");
  }
  fprintf(to, "\n%s\nExamples:\n", GLOBAL_OPTIONS);
  fputs("  ", to);
  for (const char *at = command->examples; *at; at++) fputs(*at == '\n' ? "\n  " : (const char[]){*at, '\0'}, to);
  fputc('\n', to);
  fputs("\nExit codes:\n", to);
  for (const char *at = command->exits; *at; at += strcspn(at, " "), at += *at == ' ') {
    const char *doc = orr__exit_doc(atoi(at));
    fprintf(to, "  %-4d %s\n", atoi(at), doc ? doc : "");
  }
}

/* All commands, or those of one noun. */
static void print_commands(const char *noun, FILE *to) {
  const orr__command *command;
  for (size_t i = 0; (command = orr__command_at(i)) != NULL; i++) {
    if (noun && !orr__streq(noun, command->noun)) continue;
    char left[80];
    size_t len = (size_t)snprintf(left, sizeof left, "%s %s", command->noun, command->verb);
    orr__slot slot;
    const char *spec = command->positionals;
    while (len < sizeof left && orr__slot_next(&spec, &slot)) len += (size_t)snprintf(left + len, sizeof left - len, " %s", slot.name);
    fprintf(to, "  %-24s %s\n", left, command->doc);
  }
}

void orr__cli_print_help(const orr__cli *cli, FILE *to) {
  if (orr__streq(cli->help_topic, "set")) {
    fputs(SET_HELP, to);
  } else if (cli->command) {
    print_command(cli->command, to);
  } else {
    fprintf(to, "Usage: orrery %s COMMAND ...\n\nCommands:\n", cli->help_topic ? cli->help_topic : "[OPTIONS]");
    print_commands(cli->help_topic, to);
    fprintf(to, "\n%s\nA command's own options, examples and exit codes: orrery %s --help\n", GLOBAL_OPTIONS,
            cli->help_topic ? "NOUN VERB" : "COMMAND");
    if (!cli->help_topic) fputs("Values of --set and --opt: orrery help set\n", to);
  }
}
