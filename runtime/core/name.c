/* Names of things: what one may be, and those that are reserved.
 *
 * A name is reserved while a draft or a renaming that has not been stored yet wants it, and longer where a creation may have made
 * something outside under it. Knows nothing of what is stored but that names of Backups are unique. */
#include "core/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int orr__name_check(const char *name, orr_error *reterr) {
  size_t len = strlen(name), digits = 0;
  for (const char *c = name; *c; c++) {
    if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/')
      return orr__error_set(reterr, ORR_E_INVALID, "the name '%s' has a character that names cannot have", name);
    digits += isdigit((unsigned char)*c) != 0;
  }
  if (len == 0 || len > 100)
    return orr__error_set(reterr, ORR_E_INVALID, "a name has 1 to 100 bytes, this one %zu", len);
  if (digits == len)
    return orr__error_set(reterr, ORR_E_INVALID, "the name '%s' is a number: that is how ids look", name);
  if (*name == '-' || isspace((unsigned char)*name) || isspace((unsigned char)name[len - 1]))
    return orr__error_set(reterr, ORR_E_INVALID,
                          "the name '%s' begins or ends with a character that names cannot begin or end with", name);
  return 0;
}

bool orr__name_is_reserved(const orr__core *core, const char *name) {
  for (size_t i = 0; i < core->name_count; i++)
    if (strcmp(core->names[i], name) == 0) return true;
  return false;
}

int orr__name_reserve(orr__core *core, const char *name) {
  char **names = realloc(core->names, (core->name_count + 1) * sizeof *names);
  if (!names) return ORR_E_NOMEM;
  core->names = names;
  if (!(names[core->name_count] = orr__strdup(name))) return ORR_E_NOMEM;
  core->name_count++;
  return 0;
}

void orr__name_free(orr__core *core, const char *name) {
  for (size_t i = 0; i < core->name_count; i++) {
    if (strcmp(core->names[i], name)) continue;
    free(core->names[i]);
    core->names[i] = core->names[--core->name_count];
    return;
  }
}

/* ---- for a flow --------------------------------------------------------------------------------------------- */

void orr__flow_keep_name(orr__flow *flow) {
  free(flow->reserved);
  flow->reserved = NULL;
}

static void looked_up(orr__flow *flow) {
  orr__step step = flow->inner;
  const char *name = flow->find_ref;
  flow->inner = NULL;
  if (!flow->code && (orr__tx_rows(flow->tx, flow->slot) || orr__name_is_reserved(flow->core, name)))
    flow->code = orr__error_set(&flow->error, ORR_E_EXISTS, "there is a Backup '%s' already", name);
  if (!flow->code && orr__name_reserve(flow->core, name))
    flow->code = orr__error_set(&flow->error, ORR_E_NOMEM, "out of memory");
  if (!flow->code)
    flow->reserved = flow->find_ref;
  else
    free(flow->find_ref);
  flow->find_ref = NULL;
  step(flow);
}

void orr__flow_reserve(orr__flow *flow, const char *name, orr__step step) {
  free(flow->find_ref);
  flow->find_ref = orr__strdup(name);
  flow->inner = step;
  orr__tx *tx = flow->find_ref ? orr__flow_tx(flow) : NULL;
  orr__where where = { .field = ORR_F_backup_name, .compare = ORR_EQ, .text = name };
  flow->slot = orr__tx_query(
      tx, &(orr__query){
              .model = ORR_M_backup, .where = &where, .where_count = 1, .order_field = -1, .limit = 1, .fields = 1 });
  orr__flow_submit(flow, tx, looked_up);
}
