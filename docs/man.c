/* Writes the manual pages from the tables that the command line is made from: orrery.1 and a page for every noun,
 * orrery-backup.1 and so on. man FOLDER; the build runs it, `cmake --install` installs what it wrote.
 *
 * Knows commands.def (through host/commands.h), the settings of orrery.h, and the man macros, nothing else. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/commands.h"
#include "orrery.h"

/* Text that is no markup: hyphens stay what was typed, no line is taken for a request. */
static void put(FILE *to, const char *text) {
  for (const char *at = text; *at; at++) {
    bool begins_line = at == text || at[-1] == '\n';
    if (begins_line && (*at == '.' || *at == '\'')) fputs("\\&", to);
    if (*at == '\\') fputs("\\e", to);
    else if (*at == '-') fputs("\\-", to);
    else if (*at == '~') fputs("\\(ti", to);
    else if (*at == '^') fputs("\\(ha", to);
    else if (*at == '`') fputs("\\(ga", to);
    else if (*at == '\'') fputs("\\(aq", to);
    else fputc(*at, to);
  }
}

static void put_sentence(FILE *to, const char *text) {
  char *copy = orr__strdup(text);
  if (!copy) return;
  copy[0] = (char)toupper((unsigned char)copy[0]);
  put(to, copy);
  fputs(".\n", to);
  free(copy);
}

static void put_examples(FILE *to, const char *examples) {
  fputs(".EX\n", to);
  put(to, examples);
  fputs("\n.EE\n", to);
}

/* .TP with a bold name and an italic value. */
static void put_option(FILE *to, const char *brief, const char *name, const char *metavar, const char *doc, bool is_required) {
  fputs(".TP\n\\fB", to);
  if (*brief) {
    fputs("\\-", to);
    put(to, brief);
    fputs("\\fR, \\fB", to);
  }
  fputs("\\-\\-", to);
  put(to, name);
  fputs("\\fR", to);
  if (*metavar) {
    fputs(" \\fI", to);
    put(to, metavar);
    fputs("\\fR", to);
  }
  fputc('\n', to);
  put(to, doc);
  fputs(is_required ? " (required)\n" : "\n", to);
}

static void put_synopsis(FILE *to, const orr__command *command) {
  fprintf(to, ".B orrery %s%s%s\n", command->noun, *command->verb ? " " : "", command->verb);
  orr__slot slot;
  const char *spec = command->positionals;
  while (orr__slot_next(&spec, &slot)) {
    fprintf(to, slot.is_required ? "\\fI" : "[\\fI");
    put(to, slot.name);
    fprintf(to, slot.is_required ? "\\fR\n" : "\\fR]\n");
  }
  spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (!info) continue;
    fprintf(to, "%s\\fB\\-\\-", slot.is_required ? "" : "[");
    put(to, info->name);
    fputs("\\fR", to);
    if (*info->metavar) {
      fputs("\\~\\fI", to);
      put(to, info->metavar);
      fputs("\\fR", to);
    }
    fprintf(to, "%s%s\n", slot.is_required ? "" : "]", orr__option_repeats(info) ? "..." : "");
  }
}

static void put_settings(FILE *to) {
  fputs(".PP\nSettings, for \\fB\\-\\-setting\\fR:\n", to);
  for (size_t i = 0; orr_settings_key(i); i++) {
    const char *standard = orr_settings_default(i);
    fputs(".TP\n\\fB", to);
    put(to, orr_settings_key(i));
    fputs("\\fR\n", to);
    put(to, orr_settings_doc(i));
    if (standard && *standard) {
      fputs(" [", to);
      put(to, standard);
      fputs("]", to);
    }
    fputc('\n', to);
  }
}

static void put_command(FILE *to, const orr__command *command) {
  fprintf(to, ".SS %s%s%s\n", command->noun, *command->verb ? " " : "", command->verb);
  put_synopsis(to, command);
  fputs(".PP\n", to);
  put_sentence(to, command->doc);
  orr__slot slot;
  const char *spec = command->options;
  while (orr__slot_next(&spec, &slot)) {
    const orr__option_info *info = orr__option_find(slot.name);
    if (info) put_option(to, orr__option_brief(info), info->name, info->metavar, info->doc, slot.is_required);
  }
  if (orr__streq(command->noun, "serve")) put_settings(to);
  fputs(".PP\nExit status:", to);
  for (const char *at = command->exits; *at; at += strcspn(at, " "), at += *at == ' ') fprintf(to, " %d%s", atoi(at), strchr(at, ' ') ? "," : ".\n");
  fputs(".PP\n", to);
  put_examples(to, command->examples);
}

static void put_head(FILE *to, const char *noun, const char *doc) {
  fprintf(to, ".\\\" Made from runtime/host/commands.def by docs/man.c\n.TH ORRERY%s", noun ? "\\-" : "");
  for (const char *at = noun ? noun : ""; *at; at++) fputc(toupper((unsigned char)*at), to);
  fprintf(to, " 1 \"\" \"Orrery %s\" \"Orrery\"\n.SH NAME\norrery%s%s \\- ", orr_version(), noun ? "\\-" : "", noun ? noun : "");
  put(to, doc);
  fputc('\n', to);
}

static bool is_first_of_noun(size_t i) {
  return i == 0 || !orr__streq(orr__command_at(i - 1)->noun, orr__command_at(i)->noun);
}

static void write_noun(FILE *to, const char *noun) {
  put_head(to, noun, orr__noun_doc(noun));
  fprintf(to, ".SH SYNOPSIS\n");
  bool is_first = true;
  for (size_t i = 0; orr__command_at(i); i++) {
    const orr__command *command = orr__command_at(i);
    if (!orr__streq(command->noun, noun)) continue;
    fprintf(to, "%s.B orrery %s%s%s\n", is_first ? "" : ".br\n", noun, *command->verb ? " " : "", command->verb);
    is_first = false;
    orr__slot slot;
    const char *spec = command->positionals;
    while (orr__slot_next(&spec, &slot)) {
      fputs("\\fI", to);
      put(to, slot.name);
      fputs("\\fR\n", to);
    }
    fputs("[\\fIOPTIONS\\fR]\n", to);
  }
  fputs(".SH COMMANDS\n", to);
  for (size_t i = 0; orr__command_at(i); i++)
    if (orr__streq(orr__command_at(i)->noun, noun)) put_command(to, orr__command_at(i));
  fputs(".SH SEE ALSO\n.BR orrery (1),\nfor the options of every command and what the exit status means.\n", to);
}

static void put_commands(FILE *to) {
  fputs(".SH COMMANDS\n", to);
  for (size_t i = 0; orr__command_at(i); i++) {
    const orr__command *command = orr__command_at(i);
    if (is_first_of_noun(i) && *command->verb) {
      fprintf(to, ".SS %s\n", command->noun);
      put_sentence(to, orr__noun_doc(command->noun));
      fprintf(to, "See\n.BR orrery\\-%s (1).\n", command->noun);
    } else if (is_first_of_noun(i)) {
      fprintf(to, ".SS %s\n", command->noun);
    }
    fprintf(to, ".TP\n\\fB%s%s%s\\fR", command->noun, *command->verb ? " " : "", command->verb);
    orr__slot slot;
    const char *spec = command->positionals;
    while (orr__slot_next(&spec, &slot)) {
      fputs(" \\fI", to);
      put(to, slot.name);
      fputs("\\fR", to);
    }
    fputc('\n', to);
    put(to, command->doc);
    fputc('\n', to);
  }
}

static void put_files(FILE *to) {
  static const struct { const char *name, *doc; } FILES[] = {
      {"orrery.db", "the database, with orrery.db-wal beside it while it is in use"},
      {"secret.key", "the key that seals passwords and tokens in the database; keep a copy elsewhere"},
      {"lock, socket", "who holds the folder, and where it is talked to"},
      {"jobs/", "the folders of local jobs: what they printed and how they ended"},
      {"providers/", "your own providers"},
  };
  fputs(".SH FILES\nThe data directory is \\fB\\-\\-data\\fR, else \\fB$ORRERY_DATA\\fR, else /var/lib/orrery (for its user, and for root), else \\fB$XDG_DATA_HOME/orrery\\fR,\n"
        "else \\fB\\(ti/.local/share/orrery\\fR. In it:\n", to);
  for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
    fputs(".TP\n.I ", to);
    put(to, FILES[i].name);
    fputc('\n', to);
    put(to, FILES[i].doc);
    fputc('\n', to);
  }
}

static void write_orrery(FILE *to) {
  put_head(to, NULL, "clockwork for backups");
  fputs(".SH SYNOPSIS\n.B orrery\n[\\fIOPTIONS\\fR]\n\\fICOMMAND\\fR ...\n"
        ".br\n.B orrery help\n[\\fICOMMAND\\fR]\n"
        ".SH DESCRIPTION\n"
        "Orrery starts backups when they are due, remembers that it did, asks how they are going, and survives crashes in between.\n"
        "What is particular to one backup system is a Lua script, a provider.\n"
        ".PP\n\\fBorrery serve\\fR runs schedules and refreshes results. Where no serve runs, a command is the runtime itself for as\n"
        "long as it lasts.\n", to);
  put_commands(to);
  fputs(".SH OPTIONS\nEvery command has these; they may stand anywhere. \\-\\- ends them.\n", to);
  for (size_t i = 0; orr__global_at(i); i++) {
    const orr__global_info *info = orr__global_at(i);
    put_option(to, info->brief, info->name, info->metavar, info->doc, false);
  }
  fputs(".SS Values of \\-\\-set and \\-\\-opt\nThey take one value each and may be given many times.\n", to);
  const char *doc, *shape;
  for (size_t i = 0; (shape = orr__form_at(i, &doc)) != NULL; i++) {
    fputs(".TP\n\\fB", to);
    put(to, shape);
    fputs("\\fR\n", to);
    put(to, doc);
    fputc('\n', to);
  }
  fputs(".SH EXIT STATUS\n", to);
  for (size_t i = 0; orr__exit_at(i) >= 0; i++) {
    fprintf(to, ".TP\n.B %d\n", orr__exit_at(i));
    put(to, orr__exit_doc(orr__exit_at(i)));
    fputc('\n', to);
  }
  fputs(".SH ENVIRONMENT\n.TP\n.B ORRERY_DATA\nthe data directory, unless \\fB\\-\\-data\\fR is given\n"
        ".TP\n.B ORRERY_PROVIDERS\nfolders of providers, parted by colons; looked into after those of \\fB\\-\\-providers\\fR\n"
        ".TP\n.B NO_COLOR\nif it is set and not empty, nothing is coloured\n", to);
  put_files(to);
  fputs(".SH EXAMPLES\n", to);
  put_examples(to, "orrery backup create docs --provider archive --set path=/srv/docs --set target=/var/backups\n"
                   "orrery backup run docs --wait\n"
                   "orrery status");
  fputs(".SH SEE ALSO\n", to);
  for (size_t i = 0, is_later = 0; orr__command_at(i); i++) {
    if (!is_first_of_noun(i)) continue;
    fprintf(to, "%s.BR orrery\\-%s (1)", is_later ? ",\n" : "", orr__command_at(i)->noun);
    is_later = 1;
  }
  fputc('\n', to);
}

static FILE *begin(const char *folder, const char *noun) {
  char path[4096];
  snprintf(path, sizeof path, "%s/orrery%s%s.1", folder, *noun ? "-" : "", noun);
  FILE *to = fopen(path, "w");
  if (!to) perror(path);
  return to;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: man FOLDER\n", stderr);
    return 2;
  }
  FILE *to = begin(argv[1], "");
  if (!to) return 1;
  write_orrery(to);
  int failed = fclose(to);
  for (size_t i = 0; orr__command_at(i) && !failed; i++) {
    if (!is_first_of_noun(i)) continue;
    if (!(to = begin(argv[1], orr__command_at(i)->noun))) return 1;
    write_noun(to, orr__command_at(i)->noun);
    failed = fclose(to);
  }
  return failed ? 1 : 0;
}
