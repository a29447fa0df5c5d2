/* What is wrong with a provider, as whoever looks at one collects it: a rule (findings.def), where it is, and a line of text.
 *
 * Counts errors also where there is no memory to remember them: what cannot be told still holds a version back. */
#ifndef ORR_BINDINGS_FINDINGS_H
#define ORR_BINDINGS_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "model/json.h"

enum orr__rule {
#define RULE(NAME, severity, doc) ORR_RULE_##NAME,
#include "findings.def"
#undef RULE
  ORR_RULE_COUNT
};

#define ORR_FINDINGS_MAX 500

typedef struct orr__found {
  enum orr__rule rule;
  char *file;                /* as messages call it; NULL: of the provider as a whole */
  unsigned line, column;     /* from 1; 0: not known */
  char *message;             /* one line */
} orr__found;

typedef struct orr__findings {
  orr__found *items;         /* in the order in which they were found */
  size_t count;
  size_t errors;             /* all there were, also beyond the limit */
  enum orr__rule rule;       /* what is found next: each step of a look says what it looks for */
} orr__findings;

/* The text may begin with its place, as messages of Lua do: "restic.lua:12: ...". What was found before is not found again. */
void orr__finding(orr__findings *findings, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The place by itself; file may be NULL, line and column 0. */
void orr__finding_at(orr__findings *findings, const char *file, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
bool orr__findings_have(const orr__findings *findings, enum orr__rule rule);
bool orr__rule_is_error(enum orr__rule rule);
/* Moves all of `from` (empty afterwards) behind those of `to`; what has no place gets the one in front of `where`, "p.lua:3: ", or none (""). */
void orr__findings_move(orr__findings *to, orr__findings *from, const char *where);
void orr__findings_clear(orr__findings *findings);

/* "FILE:LINE: message", the first error or, where there is none, the first warning; and how many more there are. Owned; NULL: nothing was
 * found, or no memory. */
char *orr__findings_text(const orr__findings *findings);
/* [ { file, line, column, severity, rule, message } ]: absent where it is not known. Owned; NULL: no memory. */
orr__json *orr__findings_json(const orr__findings *findings);

#endif
