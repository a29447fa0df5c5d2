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

const char *orr__exit_doc(int code) {
  switch (code) {
    case 0: return "done; a result that was waited for SUCCEEDED";
    case 1: return "it did not work; a result that was waited for FAILED or was CANCELLED";
    case 2: return "wrong usage, or what was given does not pass validation";
    case 3: return "the result SUCCEEDED_WARNING";
    case 4: return "no such thing";
    case 5: return "refused in the present state";
    case 7: return "the data directory is held by a runtime that cannot be used";
    case 8: return "somebody has to look: `orrery status` says at what";
    case 130: return "interrupted; a backup that was started goes on";
    default: return NULL;
  }
}
