/* Finds fields that the objects of a hook do not have, by reading its source: `backupResult.statu = ...` in a line that never ran.
 *
 *   function provider.executeBackup(backup, backupResult, ...)     the parameters are objects, by the hook's table
 *     local connection = backup.connection                         and so is this, until its block ends
 *     backupResult.statu = "x"                                     a finding
 *   local function ask(backup, path) backup:getConfigProprty(..)   a helper's parameter that is called like a hook's, and is used like one
 *
 * Besides: hooks that are declared with a colon, and parameters in another order than the hook's. It says nothing rather than something wrong: a name that is given another value anywhere in the hook, or is declared there
 * again, is not looked at; nor is a helper's field that nothing is near to. Knows the hooks, the models and the shapes above, no grammar. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "lexer.h"
#include "object.h"
#include "version.h"

#define NAME_MAX_LEN 64

/* This is done at every load, and whoever loads waits for it: a source with ten thousand names for one object is looked at in part. */
enum { STEPS_MAX = 2000000, DEPTH_MAX = 50 };

typedef struct look {
  const orr__tokens *tokens;
  const char *text, *chunk;
  orr__findings *findings;
  long *steps;               /* tokens that may still be looked at */
  int depth;                 /* of names for names */
  bool is_guess;             /* what is unlike every real name may be something else */
} look;

static bool is_tired(const look *l) { return --*l->steps <= 0; }

static bool is_kind(const look *l, size_t i, enum orr__token_kind kind) {
  return i < l->tokens->count && l->tokens->items[i].kind == kind;
}

static bool is(const look *l, size_t i, const char *text) {
  return orr__token_is(l->tokens, i, text);
}

/* The token as text; "" where it is no name. */
static void name_at(const look *l, size_t i, char out[NAME_MAX_LEN]) {
  out[0] = '\0';
  if (!is_kind(l, i, ORR_TOKEN_NAME) || l->tokens->items[i].len >= NAME_MAX_LEN) return;
  memcpy(out, l->tokens->items[i].text, l->tokens->items[i].len);
  out[l->tokens->items[i].len] = '\0';
}

/* Notes something at token i, on which the message is. */
static void found(const look *l, size_t i, enum orr__rule rule, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void found(const look *l, size_t i, enum orr__rule rule, const char *format, ...) {
  const orr__token *token = &l->tokens->items[i];
  const char *start = token->text;
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  while (start > l->text && start[-1] != '\n') start--;
  l->findings->rule = rule;
  orr__finding_at(l->findings, l->chunk, token->line, (unsigned)(token->text - start) + 1, "%s", text);
}

/* How the depth of blocks changes with token i: loops count by their `do`. */
static int depth_change(const look *l, size_t i) {
  if (!is_kind(l, i, ORR_TOKEN_KEYWORD)) return 0;
  if (is(l, i, "function") || is(l, i, "if") || is(l, i, "do") || is(l, i, "repeat")) return 1;
  return is(l, i, "end") || is(l, i, "until") ? -1 : 0;
}

/* The end of the block that token i is in: the index of the word that closes it. */
static size_t block_end(const look *l, size_t i) {
  for (int depth = 1; i < l->tokens->count; i++)
    if ((depth += depth_change(l, i)) == 0 || is_tired(l)) break;
  return i;
}

/* ---- is a name what it was? --------------------------------------------------------------------------------- */

/* Does token i stand for the variable: is it no field, method or key? */
static bool is_variable(const look *l, size_t i, const char *name, bool is_in_table) {
  if (!is_kind(l, i, ORR_TOKEN_NAME) || !is(l, i, name)) return false;
  if (i > 0 && (is(l, i - 1, ".") || is(l, i - 1, ":"))) return false;
  return !(is_in_table && is(l, i + 1, "=") && (is(l, i - 1, "{") || is(l, i - 1, ",") || is(l, i - 1, ";")));
}

/* `name, other = ...`: the list of names goes on until an equals sign. */
static bool is_assigned_in_list(const look *l, size_t i) {
  while (is(l, i + 1, ",") && is_kind(l, i + 2, ORR_TOKEN_NAME) && !is_tired(l)) i += 2;
  return is(l, i + 1, "=");
}

/* Is it in the list of names that a `local`, `for` or `function (` begins? */
static bool is_declared(const look *l, size_t i) {
  while (i >= 2 && is(l, i - 1, ",") && is_kind(l, i - 2, ORR_TOKEN_NAME) && !is_tired(l)) i -= 2;
  if (i == 0) return false;
  if (is(l, i - 1, "local") || is(l, i - 1, "for")) return true;
  if (is(l, i - 1, "function")) return true;
  if (!is(l, i - 1, "(")) return false;
  for (size_t k = i - 1; k-- > 0;) {
    if (is(l, k, "function")) return true;
    if (!is_kind(l, k, ORR_TOKEN_NAME) && !is(l, k, ".") && !is(l, k, ":")) return false;
  }
  return false;
}

/* One more sign: are we inside a table's braces? A function in them has statements again. */
static void follow_braces(const look *l, size_t i, unsigned char *stack, size_t size, size_t *depth) {
  bool opens = is(l, i, "{") || is(l, i, "(") || is(l, i, "[") || depth_change(l, i) > 0;
  bool closes = is(l, i, "}") || is(l, i, ")") || is(l, i, "]") || depth_change(l, i) < 0;
  if (opens && *depth < size) stack[(*depth)++] = is(l, i, "{");
  else if (closes && *depth > 0) (*depth)--;
}

/* Is the name given another value, or another meaning, between two tokens? */
static bool is_rebound(const look *l, const char *name, size_t from, size_t to) {
  unsigned char stack[200] = { 0 };
  size_t depth = 0;
  for (size_t i = from; i < to; i++) {
    follow_braces(l, i, stack, sizeof stack, &depth);
    if (depth == sizeof stack || is_tired(l)) return true;
    if (!is_variable(l, i, name, depth > 0 && stack[depth - 1])) continue;
    if (is_assigned_in_list(l, i) || is_declared(l, i)) return true;
  }
  return false;
}

/* ---- chains ------------------------------------------------------------------------------------------------- */

static const orr__model *leads_to(const orr__model *model, const char *name) {
  if (model->id == ORR_M_backup && orr__streq(name, "connection")) return &orr__models[ORR_M_connection];
  if (model->id == ORR_M_result && orr__streq(name, "cloud")) return &orr__models[ORR_M_cloud];
  for (size_t i = 0; i < model->field_count; i++)
    if (model->fields[i].nav && orr__streq(model->fields[i].nav, name)) return &orr__models[model->fields[i].target];
  return NULL;
}

static void report(const look *l, size_t i, const orr__model *model, const char *name, bool is_method) {
  const char *near = is_method ? orr__object_method_nearest(name) : orr__field_nearest(model, name);
  if (l->is_guess && !near) return;
  found(l, i, is_method ? ORR_RULE_UNKNOWN_METHOD : ORR_RULE_UNKNOWN_FIELD, "%s has no %s '%s'%s%s%s", model->class_name,
        is_method ? "method" : "field", name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* Follows `.a.b` behind the variable at i. Returns what the last one is, if it is an object, and its place in *ret_last. */
static const orr__model *follow(const look *l, size_t i, const orr__model *model, bool reports, size_t *ret_last) {
  char name[NAME_MAX_LEN];
  while (model && (is(l, i + 1, ".") || is(l, i + 1, ":")) && is_kind(l, i + 2, ORR_TOKEN_NAME)) {
    bool is_method = is(l, i + 1, ":");
    i += 2;
    name_at(l, i, name);
    const orr__model *next = is_method ? NULL : leads_to(model, name);
    int field = next || is_method ? -1 : orr__field_find(model, name);
    bool is_known = next || field >= 0 || orr__object_method(name);
    if (reports && *name && !is_known) report(l, i, model, name, is_method);
    if (reports && field >= 0 && is(l, i + 1, "=") && model->fields[field].flags & ORR_FIELD_READONLY)
      found(l, i, ORR_RULE_READ_ONLY, "%s.%s is read-only", model->class_name, name);
    model = next;
  }
  *ret_last = i;
  return model;
}

static void look_at_name(const look *l, const char *name, const orr__model *model, size_t from, size_t to);

/* `local x = <an object>`, where that is all of the expression: x is looked at, too. */
static void look_at_local(const look *l, size_t i, size_t last, const orr__model *model, size_t to) {
  char name[NAME_MAX_LEN];
  if (i < 3 || !is(l, i - 1, "=") || !is(l, i - 3, "local")) return;
  bool ends = last + 1 >= to || is(l, last + 1, ";") || is_kind(l, last + 1, ORR_TOKEN_NAME) ||
              (is_kind(l, last + 1, ORR_TOKEN_KEYWORD) && !is(l, last + 1, "and") && !is(l, last + 1, "or"));
  name_at(l, i - 2, name);
  size_t end = block_end(l, last + 1);
  look deeper = *l;
  if (*name && ends && ++deeper.depth < DEPTH_MAX) look_at_name(&deeper, name, model, last + 1, end < to ? end : to);
}

static void look_at_name(const look *l, const char *name, const orr__model *model, size_t from, size_t to) {
  unsigned char stack[200] = { 0 };
  size_t depth = 0, last;
  if (is_rebound(l, name, from, to)) return;
  for (size_t i = from; i < to; i++) {
    follow_braces(l, i, stack, sizeof stack, &depth);
    if (is_tired(l)) return;
    if (!is_variable(l, i, name, depth > 0 && stack[depth - 1])) continue;
    const orr__model *object = follow(l, i, model, true, &last);
    if (object) look_at_local(l, i, last, object, to);
  }
}

/* ---- hooks -------------------------------------------------------------------------------------------------- */

static const orr__model *model_of(enum orr__hook_arg arg) {
  switch (arg) {
  case ORR_ARG_BACKUP:
  case ORR_ARG_PREVIOUS: return &orr__models[ORR_M_backup];
  case ORR_ARG_RESULT: return &orr__models[ORR_M_result];
  case ORR_ARG_CLOUD: return &orr__models[ORR_M_cloud];
  case ORR_ARG_SERVER: return &orr__models[ORR_M_server];
  case ORR_ARG_CONNECTION: return &orr__models[ORR_M_connection];
  default: return NULL;
  }
}

/* The hook whose function begins at token i, and where its parameters do: `function provider.HOOK (` or `HOOK = function (`. */
static int hook_at(const look *l, size_t i, size_t *ret_open) {
  char name[NAME_MAX_LEN] = "";
  if (!is(l, i, "function")) return -1;
  size_t open = i + 1;
  if (is(l, open, "(") && i >= 2 && is(l, i - 1, "=")) {
    name_at(l, i - 2, name);
    bool is_field = i >= 3 && (is(l, i - 3, ".") || is(l, i - 3, "{") || is(l, i - 3, ","));
    if (!is_field) return -1;
  } else {
    while (is_kind(l, open, ORR_TOKEN_NAME) && is(l, open + 1, ".")) open += 2;
    if (open == i + 1) return -1; /* a function of its own */
    name_at(l, open++, name);
  }
  *ret_open = open;
  return is(l, open, "(") ? orr__hook_find(name) : -1;
}

/* Parameters begin at `open`; returns the bracket that ends them. */
static size_t end_of_list(const look *l, size_t open) {
  while (open < l->tokens->count && !is(l, open, ")") && !is_tired(l)) open++;
  return open;
}

/* A parameter that is called like another argument of the hook: the order is fixed. */
static void look_at_order(const look *l, const orr__hook_info *hook, size_t arg, size_t at, const char *name) {
  if (orr__streq(hook->arg_names[arg], name)) return;
  for (size_t i = 0; i < ORR_HOOK_ARGS && hook->arg_names[i]; i++)
    if (orr__streq(hook->arg_names[i], name))
      found(l, at, ORR_RULE_ARGUMENT_ORDER, "argument %zu of %s is '%s', not '%s'; the order is fixed", arg + 1, hook->name, hook->arg_names[arg], name);
}

static void look_at_hook(const look *l, enum orr__hook hook, size_t open) {
  char name[NAME_MAX_LEN];
  size_t close = end_of_list(l, open), end = block_end(l, close + 1);
  for (size_t arg = 0, at = open + 1; arg < ORR_HOOK_ARGS && at < close; arg++, at += 2) {
    const orr__model *model = model_of(orr__hooks[hook].args[arg]);
    name_at(l, at, name);
    if (orr__hooks[hook].arg_names[arg]) look_at_order(l, &orr__hooks[hook], arg, at, name);
    if (model && *name) look_at_name(l, name, model, close + 1, end);
  }
}

/* ---- helpers ------------------------------------------------------------------------------------------------ */

static const orr__model *model_named(const char *name) {
  static const struct { const char *name; enum orr__model_id model; } names[] = {
    { "backup", ORR_M_backup }, { "backupResult", ORR_M_result }, { "connection", ORR_M_connection }, { "computeServer", ORR_M_server },
    { "cloud", ORR_M_cloud }
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (orr__streq(names[i].name, name)) return &orr__models[names[i].model];
  return NULL;
}

/* Is something asked of it that only such an object has: a method, what one navigates by, a field that nothing else is likely to have? */
static bool is_used_as(const look *l, const char *name, const orr__model *model, size_t from, size_t to) {
  static const char *const telling[] = { "serviceUrl", "serviceToken", "tlsFingerprint", "externalId", "statusMessage", "errorMessage", "sizeInBytes" };
  char member[NAME_MAX_LEN];
  for (size_t i = from; i + 2 < to && !is_tired(l); i++) {
    if (!is_variable(l, i, name, false)) continue;
    name_at(l, i + 2, member);
    if (is(l, i + 1, ":") && orr__object_method(member)) return true;
    if (!is(l, i + 1, ".")) continue;
    if (leads_to(model, member)) return true;
    for (size_t k = 0; k < sizeof telling / sizeof *telling; k++)
      if (orr__streq(telling[k], member) && orr__field_find(model, member) >= 0) return true;
  }
  return false;
}

/* `function provider:HOOK(...)` has one parameter more than it seems to have. */
static void look_at_colon(const look *l, size_t i) {
  char name[NAME_MAX_LEN];
  while (is_kind(l, i + 1, ORR_TOKEN_NAME) && is(l, i + 2, ".")) i += 2;
  if (!is_kind(l, i + 1, ORR_TOKEN_NAME) || !is(l, i + 2, ":")) return;
  name_at(l, i + 3, name);
  if (orr__hook_find(name) >= 0)
    found(l, i + 3, ORR_RULE_COLON, "a hook is declared with a dot: function provider.%s(...)", name);
}

static void look_at_helper(const look *l, size_t i) {
  look guess = *l;
  char name[NAME_MAX_LEN];
  size_t open = i + 1;
  guess.is_guess = true;
  while (is_kind(l, open, ORR_TOKEN_NAME) || is(l, open, ".") || is(l, open, ":")) open++;
  if (!is(l, open, "(")) return;
  size_t close = end_of_list(l, open), end = block_end(l, close + 1);
  for (size_t at = open + 1; at < close; at++) {
    name_at(l, at, name);
    const orr__model *model = model_named(name);
    if (model && is_used_as(l, name, model, close + 1, end)) look_at_name(&guess, name, model, close + 1, end);
  }
}

void orr__fields_check(const char *text, size_t len, const char *chunk, orr__findings *findings) {
  orr__tokens tokens;
  size_t open;
  long steps = STEPS_MAX;
  if (orr__tokens_read(text, len, &tokens) != 0) return;
  look l = { .tokens = &tokens, .text = text, .chunk = chunk, .findings = findings, .steps = &steps };
  for (size_t i = 0; i < tokens.count && steps > 0; i++) {
    int hook = hook_at(&l, i, &open);
    if (hook >= 0) look_at_hook(&l, (enum orr__hook)hook, open);
    else if (is(&l, i, "function")) look_at_colon(&l, i), look_at_helper(&l, i);
  }
  orr__tokens_clear(&tokens);
}
