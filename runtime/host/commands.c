/* Walks commands.def; see commands.h. */
#include "host/commands.h"

#include <string.h>

#include "base/str.h"
#include "host/cli.h"

enum { READS = ORR_COMMAND_READS, WRITES = ORR_COMMAND_WRITES, PRINTS = ORR_COMMAND_PRINTS, ASKS = ORR_COMMAND_ASKS };

static const orr__command COMMANDS[] = {
#define COMMAND(noun, verb, handler, request, positionals, options, view, said, flags, exits, doc, examples) \
  {noun, verb, orr__cli_##handler, request, positionals, options, view, said, flags, exits, doc, examples},
#include "host/commands.def"
};

static const orr__option_info OPTIONS[] = {
#define OPTION(name, metavar, kind, doc) {name, metavar, ORR_OPTION_##kind, doc},
#include "host/commands.def"
};

static const orr__global_info GLOBALS[] = {
#define GLOBAL(name, brief, metavar, kind, doc) {name, brief, metavar, ORR_OPTION_##kind, doc},
#include "host/commands.def"
};

static const struct { const char *letter, *name; } LETTERS[] = {
#define LETTER(letter, name) {letter, name},
#include "host/commands.def"
};

static const struct { const char *noun, *doc; } NOUNS[] = {
#define NOUN(noun, doc) {noun, doc},
#include "host/commands.def"
};

static const struct { const char *shape, *doc; } FORMS[] = {
#define FORM(shape, doc) {shape, doc},
#include "host/commands.def"
};

static const struct { int code; const char *doc; } EXITS[] = {
#define EXIT(code, doc) {code, doc},
#include "host/commands.def"
};

enum { GLOBAL_COUNT = sizeof GLOBALS / sizeof *GLOBALS, EXIT_COUNT = sizeof EXITS / sizeof *EXITS };
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS, OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

const orr__command *orr__command_at(size_t i) {
  return i < COMMAND_COUNT ? &COMMANDS[i] : NULL;
}

const orr__command *orr__command_find(const char *noun, const char *verb) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (orr__streq(COMMANDS[i].noun, noun) && orr__streq(COMMANDS[i].verb, verb)) return &COMMANDS[i];
  }
  return NULL;
}

const orr__option_info *orr__option_find(const char *name) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (orr__streq(OPTIONS[i].name, name)) return &OPTIONS[i];
  }
  return NULL;
}

const orr__option_info *orr__option_letter(char letter) {
  for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
    if (*LETTERS[i].letter == letter) return orr__option_find(LETTERS[i].name);
  }
  return NULL;
}

const char *orr__option_brief(const orr__option_info *info) {
  for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
    if (orr__streq(LETTERS[i].name, info->name)) return LETTERS[i].letter;
  }
  return "";
}

bool orr__option_repeats(const orr__option_info *info) {
  return info->kind == ORR_OPTION_ASSIGN || info->kind == ORR_OPTION_MANY;
}

bool orr__noun_exists(const char *noun) {
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    if (orr__streq(COMMANDS[i].noun, noun)) return true;
  }
  return false;
}

const char *orr__noun_word(void *arg, size_t i) {
  (void)arg;
  return i < COMMAND_COUNT ? COMMANDS[i].noun : NULL;
}

const char *orr__verb_word(void *arg, size_t i) {
  for (size_t at = 0; at < COMMAND_COUNT; at++) {
    if (orr__streq(COMMANDS[at].noun, arg) && i-- == 0) return COMMANDS[at].verb;
  }
  return NULL;
}

bool orr__slot_next(const char **spec, orr__slot *ret_slot) {
  const char *at = *spec + strspn(*spec, " ");
  size_t len = strcspn(at, " ");
  if (len == 0) return false;
  *spec = at + len;
  orr__slot slot = {"", "", at[len - 1] == '!'};
  size_t name_len = strcspn(at, "=! ");
  size_t body = len - slot.is_required;
  const char *key = name_len < body ? at + name_len + 1 : at;
  size_t key_len = name_len < body ? body - name_len - 1 : body;
  if (name_len >= sizeof slot.name || key_len >= sizeof slot.key) return false;
  memcpy(slot.name, at, name_len);
  memcpy(slot.key, key, key_len);
  *ret_slot = slot;
  return true;
}

const orr__global_info *orr__global_at(size_t i) {
  return i < GLOBAL_COUNT ? &GLOBALS[i] : NULL;
}

const orr__global_info *orr__global_find(const char *name) {
  for (size_t i = 0; i < GLOBAL_COUNT; i++) {
    if (orr__streq(GLOBALS[i].name, name)) return &GLOBALS[i];
  }
  return NULL;
}

const char *orr__noun_doc(const char *noun) {
  for (size_t i = 0; i < sizeof NOUNS / sizeof *NOUNS; i++) {
    if (orr__streq(NOUNS[i].noun, noun)) return NOUNS[i].doc;
  }
  const orr__command *command = orr__command_find(noun, "");
  return command ? command->doc : "";
}

const char *orr__form_at(size_t i, const char **ret_doc) {
  if (i >= sizeof FORMS / sizeof *FORMS) return NULL;
  *ret_doc = FORMS[i].doc;
  return FORMS[i].shape;
}

int orr__exit_at(size_t i) {
  return i < EXIT_COUNT ? EXITS[i].code : -1;
}

const char *orr__exit_doc(int code) {
  for (size_t i = 0; i < EXIT_COUNT; i++) {
    if (EXITS[i].code == code) return EXITS[i].doc;
  }
  return NULL;
}
