/* --help, made from commands.def, so that it cannot differ from what is parsed. Lines are broken at the terminal's
 * width. A command shows what is its own, with examples; the options that every command has are told once, by
 * `orrery --help`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

enum { WIDTH = 100, WIDTH_MAX = 120, WIDTH_MIN = 40, LEFT_MAX = 30, GAP = 2 };

typedef struct page {
  FILE *to;
  int width;
} page;

/* Words, broken before the width, continued under column `indent`; the first line begins at column `at`. */
static void put_words(const page *p, int at, int indent, const char *text) {
  bool is_first = true;
  while (*text) {
    int len = (int)strcspn(text, " ");
    int columns = (int)orr__text_columns(text, (size_t)len);
    if (!is_first && at + 1 + columns > p->width) {
      fprintf(p->to, "\n%*s", indent, "");
      at = indent;
    } else if (!is_first) {
      fputc(' ', p->to);
      at++;
    }
    fprintf(p->to, "%.*s", len, text);
    at += columns;
    text += len + (text[len] == ' ');
    is_first = false;
  }
  fputc('\n', p->to);
}

/* "  left      words", the words under each other; a left that is too long has a line of its own. */
static void put_entry(const page *p, int left_width, const char *left, const char *words) {
  int indent = 2 + left_width + GAP;
  fprintf(p->to, "  %s", left);
  int at = 2 + (int)strlen(left);
  if (at + GAP > indent) {
    fputc('\n', p->to);
    at = 0;
  }
  fprintf(p->to, "%*s", indent - at, "");
  put_words(p, indent, indent, words);
}

static void put_examples(const page *p, const char *examples) {
  while (*examples) {
    int len = (int)strcspn(examples, "\n");
    fprintf(p->to, "  %.*s\n", len, examples);
    examples += len + (examples[len] == '\n');
  }
}

/* "orrery backup run NAME [--wait]", in pieces that stay together. */
static void put_synopsis(const page *p, const orr__command *command) {
  orr__buf line;
  orr__buf_init(&line, ORR_PRINT_MAX);
  orr__buf_addf(&line, "orrery %s%s%s", command->noun, *command->verb ? " " : "", command->verb);
  orr__slot slot;
  const char *spec = command->positionals;
  while (orr__slot_next(&spec, &slot)) orr__buf_addf(&line, slot.is_required ? " %s" : " [%s]", slot.name);
  spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (!info) continue;
    /* "=" holds option and value together where the line is broken */
    orr__buf_addf(&line, " %s--%s%s%s%s%s", slot.is_required ? "" : "[", info->name, *info->metavar ? "=" : "", info->metavar,
                  slot.is_required ? "" : "]", orr__option_repeats(info) ? "..." : "");
  }
  fputs("Usage: ", p->to);
  put_words(p, 7, 11, orr__buf_text(&line));
  orr__buf_clear(&line);
}

/* The left side of an option: "-y, --yes", "--data DIR". */
static void name_option(char *left, size_t room, const char *brief, const char *name, const char *metavar) {
  snprintf(left, room, "%s%s%s--%s%s%s", *brief ? "-" : "", brief, *brief ? ", " : "", name, *metavar ? " " : "", metavar);
}

static void put_options(const page *p, const orr__command *command) {
  orr__slot slot;
  char left[96];
  size_t width = 0;
  const char *spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (!info) continue;
    name_option(left, sizeof left, orr__option_brief(info), info->name, info->metavar);
    if (strlen(left) > width && strlen(left) <= LEFT_MAX) width = strlen(left);
  }
  if (*command->options) fputs("\nOptions:\n", p->to);
  spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (!info) continue;
    name_option(left, sizeof left, orr__option_brief(info), info->name, info->metavar);
    char *words = orr__strf("%s%s", info->doc, slot.is_required ? " (required)" : "");
    put_entry(p, (int)width, left, words ? words : info->doc);
    free(words);
  }
}

static void put_settings(const page *p) {
  fputs("\nSettings (--setting KEY=VALUE):\n", p->to);
  for (size_t i = 0; orr_settings_key(i); i++) {
    const char *standard = orr_settings_default(i);
    char *words = standard && *standard ? orr__strf("%s [%s]", orr_settings_doc(i), standard) : NULL;
    put_entry(p, 20, orr_settings_key(i), words ? words : orr_settings_doc(i));
    free(words);
  }
}

static void put_command(const page *p, const orr__command *command) {
  put_synopsis(p, command);
  char *doc = orr__strf("%s.", command->doc);
  if (doc) {
    doc[0] = (char)toupper((unsigned char)doc[0]);
    fputc('\n', p->to);
    put_words(p, 0, 0, doc);
  }
  free(doc);
  put_options(p, command);
  if (orr__streq(command->noun, "serve")) put_settings(p);
  fputs("\nExamples:\n", p->to);
  put_examples(p, command->examples);
  fputs("\nExit codes:\n", p->to);
  for (const char *at = command->exits; *at; at += strcspn(at, " "), at += *at == ' ') {
    char code[12];
    const char *words = orr__exit_doc(atoi(at));
    snprintf(code, sizeof code, "%d", atoi(at));
    put_entry(p, 3, code, words ? words : "");
  }
  fputc('\n', p->to);
  put_words(p, 0, 0, "Options of every command, such as --data and --json: orrery --help");
}

static void name_command(char *left, size_t room, const orr__command *command) {
  size_t len = (size_t)snprintf(left, room, "%s%s%s", command->noun, *command->verb ? " " : "", command->verb);
  orr__slot slot;
  const char *spec = command->positionals;
  while (len < room && orr__slot_next(&spec, &slot)) len += (size_t)snprintf(left + len, room - len, " %s", slot.name);
}

/* All commands, or those of one noun. */
static void put_commands(const page *p, const char *noun) {
  const orr__command *command;
  char left[96];
  size_t width = 0;
  for (size_t i = 0; (command = orr__command_at(i)) != NULL; i++) {
    name_command(left, sizeof left, command);
    bool is_shown = !noun || orr__streq(noun, command->noun);
    if (is_shown && strlen(left) > width && strlen(left) <= LEFT_MAX) width = strlen(left);
  }
  for (size_t i = 0; (command = orr__command_at(i)) != NULL; i++) {
    if (noun && !orr__streq(noun, command->noun)) continue;
    name_command(left, sizeof left, command);
    put_entry(p, (int)width, left, command->doc);
  }
}

static void put_globals(const page *p) {
  char left[96];
  fputs("\nOptions of every command:\n", p->to);
  for (size_t i = 0; orr__global_at(i); i++) {
    const orr__global_info *info = orr__global_at(i);
    name_option(left, sizeof left, info->brief, info->name, info->metavar);
    put_entry(p, 19, left, info->doc);
  }
}

static void put_noun(const page *p, const char *noun) {
  fprintf(p->to, "Usage: orrery %s COMMAND ...\n", noun);
  if (*orr__noun_doc(noun)) fprintf(p->to, "\n%c%s.\n", toupper((unsigned char)*orr__noun_doc(noun)), orr__noun_doc(noun) + 1);
  fputs("\nCommands:\n", p->to);
  put_commands(p, noun);
  fputs("\nExamples:\n", p->to);
  for (size_t i = 0; orr__command_at(i); i++) {
    const orr__command *command = orr__command_at(i);
    if (orr__streq(command->noun, noun)) put_examples(p, command->examples);
  }
  fprintf(p->to, "\nA command's options and exit codes: orrery %s COMMAND --help\n", noun);
}

static void put_forms(const page *p) {
  const char *words, *shape;
  fputs("--set and --opt take one KEY=VALUE each and may be given many times:\n", p->to);
  for (size_t i = 0; (shape = orr__form_at(i, &words)) != NULL; i++) put_entry(p, 10, shape, words);
  fputs("Options that a provider declares as numbers or checkboxes may be given as text.\n"
        "\nExamples:\n"
        "  orrery backup run docs --set label=before-upgrade --set limits.files:=100\n"
        "  pass show vault | orrery connection add vault --provider restic --set repository=/srv/restic --set password=-\n",
        p->to);
}

static void put_everything(const page *p) {
  fputs("Usage: orrery [OPTIONS] COMMAND ...\n\nCommands:\n", p->to);
  put_commands(p, NULL);
  put_globals(p);
  fputs("\nExamples:\n"
        "  orrery backup create docs --provider archive --set path=/srv/docs --set target=/var/backups\n"
        "  orrery backup run docs --wait\n"
        "  orrery status\n"
        "\nA command's own options, examples and exit codes: orrery COMMAND --help\n"
        "Values of --set and --opt: orrery help set\n",
        p->to);
}

void orr__cli_print_help(const orr__cli *cli, FILE *to) {
  page p = {to, cli->paint.width > 0 ? cli->paint.width : WIDTH};
  if (p.width > WIDTH_MAX) p.width = WIDTH_MAX;
  if (p.width < WIDTH_MIN) p.width = WIDTH_MIN;
  if (orr__streq(cli->help_topic, "set")) put_forms(&p);
  else if (cli->command) put_command(&p, cli->command);
  else if (cli->help_topic) put_noun(&p, cli->help_topic);
  else put_everything(&p);
}
