/* The list of what was found; see findings.h. Knows nothing of who looks, nor at what. */
#include "findings.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define TEXT_MAX 2000

static const struct { const char *name; bool is_error; } rules[] = {
#define ERROR true
#define WARNING false
#define RULE(NAME, severity, doc) { #NAME, severity },
#include "findings.def"
#undef RULE
#undef WARNING
#undef ERROR
};

bool orr__rule_is_error(enum orr__rule rule) { return rules[rule].is_error; }

/* Its word, "undefined_global". */
static void word_of(enum orr__rule rule, char *out, size_t size) {
  snprintf(out, size, "%s", rules[rule].name);
  for (char *c = out; *c; c++) *c = (char)tolower((unsigned char)*c);
}

/* Is it known already? What was found in the source is often raised again when it runs, with less to say. */
static bool is_known(const orr__findings *findings, const char *file, unsigned line, const char *message) {
  bool is_error = rules[findings->rule].is_error;
  for (size_t i = 0; i < findings->count; i++) {
    const orr__found *f = &findings->items[i];
    bool is_there = f->line == line && (f->file && file ? strcmp(f->file, file) == 0 : f->file == NULL && file == NULL);
    if (is_there && rules[f->rule].is_error >= is_error && strncmp(f->message, message, strlen(message)) == 0) return true;
  }
  return false;
}

static void add(orr__findings *findings, const char *file, unsigned line, unsigned column, const char *message) {
  if (is_known(findings, file, line, message)) return;
  if (rules[findings->rule].is_error) findings->errors++;
  if (findings->count >= ORR_FINDINGS_MAX) return;
  orr__found found = { findings->rule, orr__strdup(file), line, column, orr__strdup(message) };
  orr__found *items = found.message && (found.file || !file) ? realloc(findings->items, (findings->count + 1) * sizeof *items) : NULL;
  if (!items) {
    free(found.file);
    free(found.message);
    return;
  }
  findings->items = items;
  findings->items[findings->count++] = found;
}

static void make_line(char *text) {
  for (char *c = text; *c; c++)
    if (*c == '\n' || *c == '\r') *c = ' ';
}

/* "FILE:LINE: rest": the length of FILE, and where the rest begins; false: the text has no place in front. */
static bool split_place(const char *text, size_t *ret_file_len, unsigned *ret_line, const char **ret_rest) {
  for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
    char *end;
    if (!isdigit((unsigned char)colon[1])) continue;
    unsigned long line = strtoul(colon + 1, &end, 10);
    if (colon == text || end[0] != ':' || end[1] != ' ') continue;
    *ret_file_len = (size_t)(colon - text);
    *ret_line = (unsigned)line;
    *ret_rest = end + 2;
    return true;
  }
  return false;
}

void orr__finding(orr__findings *findings, const char *format, ...) {
  va_list args;
  char text[TEXT_MAX];
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  make_line(text);
  size_t file_len;
  unsigned line;
  const char *rest;
  if (!split_place(text, &file_len, &line, &rest)) {
    add(findings, NULL, 0, 0, text);
    return;
  }
  text[file_len] = '\0';
  add(findings, text, line, 0, rest);
}

void orr__finding_at(orr__findings *findings, const char *file, unsigned line, unsigned column, const char *format, ...) {
  va_list args;
  char text[TEXT_MAX];
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  make_line(text);
  add(findings, file, line, column, text);
}

bool orr__findings_have(const orr__findings *findings, enum orr__rule rule) {
  for (size_t i = 0; i < findings->count; i++)
    if (findings->items[i].rule == rule) return true;
  return false;
}

void orr__findings_move(orr__findings *to, orr__findings *from, const char *where) {
  size_t lost = from->errors;
  for (size_t i = 0; i < from->count; i++) {
    const orr__found *f = &from->items[i];
    to->rule = f->rule;
    if (rules[f->rule].is_error) lost--;
    if (f->file) add(to, f->file, f->line, f->column, f->message);
    else orr__finding(to, "%s%s", where, f->message);
  }
  to->errors += lost;
  orr__findings_clear(from);
}

void orr__findings_clear(orr__findings *findings) {
  for (size_t i = 0; i < findings->count; i++) {
    free(findings->items[i].file);
    free(findings->items[i].message);
  }
  free(findings->items);
  memset(findings, 0, sizeof *findings);
}

/* ---- as text and as JSON ------------------------------------------------------------------------------------ */

static const orr__found *first_of(const orr__findings *findings) {
  for (size_t i = 0; i < findings->count; i++)
    if (rules[findings->items[i].rule].is_error) return &findings->items[i];
  return findings->count ? &findings->items[0] : NULL;
}

char *orr__findings_text(const orr__findings *findings) {
  const orr__found *f = first_of(findings);
  char place[32] = "", more[100] = "";
  if (!f) return NULL;
  bool is_error = rules[f->rule].is_error;
  /* Of an error what matters is how many there are: warnings do not hold it back. */
  size_t others = (is_error ? findings->errors : findings->count) - 1;
  if (f->line) snprintf(place, sizeof place, "%u: ", f->line);
  if (others) snprintf(more, sizeof more, " (and %zu more; `orrery provider check` lists them)", others);
  return orr__strf("%s%s%s%s%s", f->file ? f->file : "", f->file ? (f->line ? ":" : ": ") : "", place, f->message, more);
}

static orr__json *found_json(const orr__found *f) {
  char word[64];
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  word_of(f->rule, word, sizeof word);
  if (f->file) orr__json_put_str(map, "file", f->file);
  if (f->line) orr__json_put_int(map, "line", f->line);
  if (f->column) orr__json_put_int(map, "column", f->column);
  orr__json_put_str(map, "severity", rules[f->rule].is_error ? "error" : "warning");
  orr__json_put_str(map, "rule", word);
  orr__json_put_str(map, "message", f->message);
  return map;
}

orr__json *orr__findings_json(const orr__findings *findings) {
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < findings->count; i++) {
    orr__json *map = found_json(&findings->items[i]);
    if (!map || orr__json_append(list, map)) {
      orr__json_free(list);
      return NULL;
    }
  }
  return list;
}
