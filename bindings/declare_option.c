/* One declared option: { fieldName = "path", fieldLabel = "Path", inputType = "text", required = true, ... }.
 *
 * Choices may be plain strings; they are brought into the one form { name, value }. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "version.h"

#define OPTIONS_MAX 200
#define CHOICES_MAX 1000

static const char *const keys[] = {
#define OPTION_KEY(key, type, doc) #key,
#include "declaration.def"
  NULL };
static const char *const types[] = { "text", "number", "checkbox", "select", "password", "textarea", "list", NULL };

static bool is_name(const char *text) {
  if (!isalpha((unsigned char)*text) && *text != '_') return false;
  for (const char *c = text; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') return false;
  return strlen(text) <= 64;
}

static bool is_bool(const orr__json *map, const char *key) {
  return orr__json_bool(map, key, false) == orr__json_bool(map, key, true);
}

static void check_members(const orr__json *map, const char *what, orr__findings *findings) {
  char hint[128];
  for (const orr__json *m = orr__json_first(map); m; m = orr__json_next(m)) {
    const char *key = orr__json_key(m);
    bool is_known = false;
    for (const char *const *k = keys; *k; k++) is_known = is_known || strcmp(*k, key) == 0;
    if (!is_known) orr__finding(findings, "%s: unknown key '%s'%s", what, key, orr__did_you_mean(key, keys, hint, sizeof hint));
  }
  static const char *const texts[] = { "fieldLabel", "helpText", "optionSource", NULL };
  for (const char *const *k = texts; *k; k++)
    if (orr__json_get(map, *k) && !orr__json_str(map, *k)) orr__finding(findings, "%s: %s must be a string", what, *k);
  static const char *const flags[] = { "required", "createOnly", NULL };
  for (const char *const *k = flags; *k; k++)
    if (orr__json_get(map, *k) && !is_bool(map, *k)) orr__finding(findings, "%s: %s must be true or false", what, *k);
}

static char *take_type(const orr__json *map, const char *what, orr__findings *findings) {
  const char *type = orr__json_str(map, "inputType");
  char hint[128];
  if (!orr__json_get(map, "inputType")) return orr__strdup("text");
  for (const char *const *t = types; *t; t++)
    if (orr__streq(*t, type)) return orr__strdup(type);
  orr__finding(findings, "%s: inputType '%s' is none of text, number, checkbox, select, password, textarea, list%s", what,
               type ? type : "?", type ? orr__did_you_mean(type, types, hint, sizeof hint) : "");
  return orr__strdup("text");
}

/* A choice as { name, value }; NULL if it is none. */
static orr__json *read_choice(const orr__json *choice) {
  const orr__json *value = choice;
  const char *name = orr__json_text(choice);
  if (orr__json_is_map(choice)) {
    value = orr__json_get(choice, "value");
    name = orr__json_str(choice, "name");
    if (!name) name = orr__json_text(value);
  }
  if (!value || orr__json_is_map(value) || orr__json_is_list(value) || orr__json_is_null(value) || !name) return NULL;
  orr__json *made = orr__json_map();
  if (!made || orr__json_put_str(made, "name", name) || orr__json_put(made, "value", orr__json_copy(value))) {
    orr__json_free(made);
    return NULL;
  }
  return made;
}

static char *take_choices(const orr__json *map, const char *what, orr__findings *findings) {
  const orr__json *choices = orr__json_get(map, "choices");
  if (!choices) return NULL;
  if (!orr__json_is_list(choices) || orr__json_count(choices) > CHOICES_MAX) {
    orr__finding(findings, "%s: choices must be an array of strings or { name, value }, %d at most", what, CHOICES_MAX);
    return NULL;
  }
  orr__json *list = orr__json_list();
  for (const orr__json *m = orr__json_first(choices); m && list; m = orr__json_next(m)) {
    orr__json *choice = read_choice(m);
    if (!choice || orr__json_append(list, choice)) {
      orr__finding(findings, "%s: every choice must be a string or { name = .., value = .. }", what);
      break;
    }
  }
  char *text = list ? orr__json_print(list) : NULL;
  orr__json_free(list);
  return text;
}

static bool default_fits(const char *type, const orr__json *map) {
  const orr__json *value = orr__json_get(map, "defaultValue");
  if (strcmp(type, "checkbox") == 0) return is_bool(map, "defaultValue");
  if (strcmp(type, "number") == 0)
    return !orr__json_text(value) && orr__json_num(map, "defaultValue", 0) == orr__json_num(map, "defaultValue", 1);
  if (strcmp(type, "list") == 0) return orr__json_is_list(value);
  if (strcmp(type, "select") == 0) return !orr__json_is_map(value) && !orr__json_is_list(value);
  return orr__json_text(value) != NULL;
}

static const char *choice_at(void *arg, size_t i) {
  const orr__json *m = orr__json_first(arg);
  while (m && i-- > 0) m = orr__json_next(m);
  /* A choice that is no text is no near word, but not the end either. */
  const char *text = orr__json_text(orr__json_get(m, "value"));
  return m && !text ? "" : text;
}

static void check_choice(orr__json *choices, const orr__json *value, const char *what, orr__findings *findings) {
  for (const orr__json *m = orr__json_first(choices); m; m = orr__json_next(m))
    if (orr__json_equal(orr__json_get(m, "value"), value)) return;
  const char *text = orr__json_text(value), *near = text ? orr__nearest(text, choice_at, choices) : NULL;
  char *shown = text ? orr__strdup(text) : orr__json_print(value);
  bool has_near = near && *near;
  orr__finding(findings, "%s: defaultValue '%.100s' is none of the choices%s%.100s%s", what, shown ? shown : "?",
               has_near ? " (did you mean '" : "", has_near ? near : "", has_near ? "'?)" : "");
  free(shown);
}

/* Where an optionSource may offer more, the declared choices are not all. */
static void check_default_choice(const orr__option *o, const orr__json *value, const char *what, orr__findings *findings) {
  orr__json *choices = value && o->choices && !o->option_source ? orr__json_parse(o->choices, strlen(o->choices), NULL) : NULL;
  if (!choices) return;
  if (!orr__json_is_list(value)) check_choice(choices, value, what, findings);
  else
    for (const orr__json *m = orr__json_first(value); m; m = orr__json_next(m)) check_choice(choices, m, what, findings);
  orr__json_free(choices);
}

static char *take_default(const orr__json *map, const char *type, const char *what, orr__findings *findings) {
  const orr__json *value = orr__json_get(map, "defaultValue");
  if (!value) return NULL;
  if (strcmp(type, "password") == 0) {
    orr__finding(findings, "%s: a password has no defaultValue", what);
    return NULL;
  }
  if (!default_fits(type, map)) orr__finding(findings, "%s: defaultValue does not fit inputType %s", what, type);
  return orr__json_print(value);
}

static void read_option(orr__option *o, const orr__json *map, const char *list_name, size_t index, orr__findings *findings) {
  char what[160];
  const char *name = orr__json_str(map, "fieldName");
  snprintf(what, sizeof what, "Provider: %s[%zu]%s%.64s", list_name, index + 1, name ? " " : "", name ? name : "");
  if (!orr__json_is_map(map)) {
    orr__finding(findings, "%s must be a table such as { fieldName = \"path\", inputType = \"text\" }", what);
    return;
  }
  check_members(map, what, findings);
  if (!name || !is_name(name)) orr__finding(findings, "%s: fieldName must be a name of letters, digits and '_', 64 at most", what);
  o->field_name = orr__strdup(name ? name : "");
  o->field_label = orr__strdup(orr__json_str(map, "fieldLabel") ? orr__json_str(map, "fieldLabel") : o->field_name);
  o->help_text = orr__strdup(orr__json_str(map, "helpText"));
  o->input_type = take_type(map, what, findings);
  o->option_source = orr__strdup(orr__json_str(map, "optionSource"));
  o->choices = take_choices(map, what, findings);
  o->default_value = o->input_type ? take_default(map, o->input_type, what, findings) : NULL;
  if (o->default_value) check_default_choice(o, orr__json_get(map, "defaultValue"), what, findings);
  o->is_required = orr__json_bool(map, "required", false);
  o->is_create_only = orr__json_bool(map, "createOnly", false);
  if (orr__streq(o->input_type, "select") && !o->choices && !o->option_source)
    orr__finding(findings, "%s: a select needs choices or an optionSource", what);
}

void orr__declare_options(const orr__json *list, const char *key, orr__option **ret, size_t *ret_count, orr__findings *findings) {
  if (!list) return;
  size_t count = orr__json_count(list);
  if (orr__json_is_map(list) && count == 0) return;
  if (!orr__json_is_list(list) || count > OPTIONS_MAX) {
    orr__finding(findings, "Provider: %s must be an array of at most %d options", key, OPTIONS_MAX);
    return;
  }
  orr__option *options = calloc(count ? count : 1, sizeof *options);
  if (!options) {
    orr__finding(findings, "Provider: out of memory");
    return;
  }
  size_t i = 0;
  for (const orr__json *m = orr__json_first(list); m; m = orr__json_next(m), i++) {
    read_option(&options[i], m, key, i, findings);
    for (size_t k = 0; k < i; k++)
      if (orr__streq(options[k].field_name, options[i].field_name) && options[i].field_name)
        orr__finding(findings, "Provider: %s has the field '%s' twice", key, options[i].field_name);
  }
  *ret = options;
  *ret_count = count;
}
