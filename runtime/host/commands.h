/* The tables of commands.def as C arrays, and their little languages. Knows no values, only what may be said. */
#ifndef ORR_HOST_COMMANDS_H
#define ORR_HOST_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct orr__cli;

enum orr__option_kind {
  ORR_OPTION_FLAG, ORR_OPTION_TEXT, ORR_OPTION_NUMBER, ORR_OPTION_COUNT, ORR_OPTION_DURATION, ORR_OPTION_ASSIGN, ORR_OPTION_STDIN, ORR_OPTION_MANY
};

typedef struct orr__option_info {
  const char *name, *metavar;
  enum orr__option_kind kind;
  const char *doc;
} orr__option_info;

typedef struct orr__global_info {
  const char *name, *brief, *metavar; /* brief: its letter, or "" */
  enum orr__option_kind kind;
  const char *doc;
} orr__global_info;

enum orr__command_flag { ORR_COMMAND_READS = 1, ORR_COMMAND_WRITES = 2, ORR_COMMAND_PRINTS = 4, ORR_COMMAND_ASKS = 8 };

typedef struct orr__command {
  const char *noun, *verb;
  int (*run)(struct orr__cli *cli); /* returns the exit code */
  const char *request, *positionals, *options, *view, *said;
  unsigned flags;
  const char *exits, *doc, *examples;
} orr__command;

/* i from 0 until NULL. */
const orr__command *orr__command_at(size_t i);
const orr__command *orr__command_find(const char *noun, const char *verb); /* NULL */
const orr__option_info *orr__option_find(const char *name);                /* NULL */
const orr__option_info *orr__option_letter(char letter);                    /* NULL */
const char *orr__option_brief(const orr__option_info *info);               /* its letter, or "" */
bool orr__option_repeats(const orr__option_info *info); /* may be given many times */
const orr__global_info *orr__global_at(size_t i);                          /* i from 0 until NULL */
const orr__global_info *orr__global_find(const char *name);                /* NULL */
bool orr__noun_exists(const char *noun);

/* One word of a command's positionals or options: "NAME=key!". */
typedef struct orr__slot {
  char name[32];
  char key[48];
  bool is_required;
} orr__slot;
/* Takes the next one off *spec; false at the end. */
bool orr__slot_next(const char **spec, orr__slot *ret_slot);

/* For suggestions (orr__nearest): nouns, the verbs of the noun `arg`, the options of the command `arg`. */
const char *orr__noun_word(void *arg, size_t i);
const char *orr__verb_word(void *arg, size_t i);

const char *orr__noun_doc(const char *noun); /* never NULL */
/* How the values of --set and --opt are written: i from 0 until NULL. */
const char *orr__form_at(size_t i, const char **ret_doc);
/* What an exit code means; NULL: none of ours. */
const char *orr__exit_doc(int code);
int orr__exit_at(size_t i); /* the codes: i from 0 until -1 */

#endif
