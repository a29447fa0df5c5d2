/* Do the parts of a declaration agree? What needs names must be declared, and what an option says must be there.
 *
 * Each part has been checked by itself before (declare.c, declare_option.c). A template over a name that nothing has would never
 * grant, and a source that nobody answers never offer, which is noticed only when something is denied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "version.h"

#define NAME_SIZE 128

/* The names that `${connection.F}` or `${option.F}` may begin with, ends with NULL; owned array of borrowed names. */
static const char **names_of(const orr__declaration *d, bool is_connection) {
  const orr__model *model = is_connection ? &orr__models[ORR_M_connection] : NULL;
  const orr__option *options = is_connection ? d->connection_options : d->options;
  size_t count = is_connection ? d->connection_option_count : d->option_count, fields = model ? model->field_count : 0, used = 0;
  const char **names = calloc(count + fields + 1, sizeof *names);
  if (!names) return NULL;
  for (size_t i = 0; i < count; i++)
    if (options[i].field_name) names[used++] = options[i].field_name;
  for (size_t i = 0; i < fields; i++)
    if (model->fields[i].type == ORR_T_STR) names[used++] = model->fields[i].name;
  return names;
}

static void check_template(const orr__declaration *d, const char *kind, const char *text, orr__findings *findings) {
  bool is_connection = orr__starts_with(text, "${connection."), is_option = orr__starts_with(text, "${option.");
  char name[NAME_SIZE], hint[2 * NAME_SIZE];
  if (!is_connection && !is_option) return;
  /* Behind a further dot it is inside the option's value. */
  const char *from = strchr(text, '.') + 1;
  size_t len = strcspn(from, ".}");
  snprintf(name, sizeof name, "%.*s", (int)len, from);
  const char **names = names_of(d, is_connection);
  bool is_known = !names;
  for (size_t i = 0; names && names[i] && !is_known; i++) is_known = strcmp(names[i], name) == 0;
  if (!is_known)
    orr__finding(findings, "Provider: needs.%s: '%s' names '%s', which is %s%s", kind, text, name,
                 is_connection ? "neither a text field of BackupProvider nor in connectionOptionTypes" : "not in optionTypes",
                 orr__did_you_mean(name, names, hint, sizeof hint));
  free(names);
}

void orr__declare_agree_needs(const orr__declaration *d, orr__findings *findings) {
  orr__json *needs = orr__json_parse_map(d->needs, NULL);
  for (const orr__json *kind = orr__json_first(needs); kind; kind = orr__json_next(kind))
    for (const orr__json *m = orr__json_first(kind); m; m = orr__json_next(m))
      if (orr__json_text(m)) check_template(d, orr__json_key(kind), orr__json_text(m), findings);
  orr__json_free(needs);
}

static void check_sources(const orr__option *options, size_t count, const char *list, const char *chunk, orr__findings *findings) {
  for (size_t i = 0; i < count; i++)
    if (options[i].option_source)
      orr__finding_at(findings, chunk, 0, 0, "Provider: %s[%zu] %s: has the optionSource '%s', but the provider has no hook optionSource", list,
                      i + 1, options[i].field_name ? options[i].field_name : "", options[i].option_source);
}

void orr__declare_agree_hooks(const orr__declaration *d, const char *chunk, orr__findings *findings) {
  if (orr__declares(d, ORR_HOOK_optionSource)) return;
  findings->rule = ORR_RULE_MISSING_HOOK;
  check_sources(d->options, d->option_count, "optionTypes", chunk, findings);
  check_sources(d->connection_options, d->connection_option_count, "connectionOptionTypes", chunk, findings);
}
