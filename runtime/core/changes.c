/* What differs between an object as it was and as it shall become: by field, and within maps by their entries.
 *
 * An update writes what it changed and nothing else, so that what others have written meanwhile stays. Dates that the runtime keeps
 * for itself are no change. Secrets are named, never shown. */
#include "core/internal.h"

#include <stdlib.h>

/* Bookkeeping: it follows from other changes. */
static bool is_own(const orr__object *object, int field) {
  const uint64_t of_backup = ORR_BIT(ORR_F_backup_updatedDate) | ORR_BIT(ORR_F_backup_scheduleAnchor) |
                             ORR_BIT(ORR_F_backup_scheduleCursor) | ORR_BIT(ORR_F_backup_bufferedDate) |
                             ORR_BIT(ORR_F_backup_retentionDate);
  if (object->model->id == ORR_M_connection) return field == ORR_F_connection_updatedDate;
  return object->model->id == ORR_M_backup && (of_backup & ORR_BIT(field));
}

/* References by the words that people use for them. */
static const char *name_of(const orr__field *field) {
  if (field->target == ORR_M_connection) return "connection";
  if (field->target == ORR_M_server) return "server";
  return field->target == ORR_M_cloud ? "cloud" : field->name;
}

static bool is_equal(const orr__object *a, const orr__object *b, int field) {
  if (orr__object_has(a, field) != orr__object_has(b, field)) return false;
  switch (a->model->fields[field].type) {
    case ORR_T_STR:
    case ORR_T_STATUS: return orr__streq(orr__get_str(a, field), orr__get_str(b, field));
    case ORR_T_NUM: return orr__get_num(a, field) == orr__get_num(b, field);
    case ORR_T_MAP: break;
    default: return orr__get_int(a, field) == orr__get_int(b, field);
  }
  if (orr__streq(orr__get_str(a, field), orr__get_str(b, field))) return true;
  orr__json *left = orr__object_map(a, field), *right = orr__object_map(b, field);
  bool same = left && right && orr__json_equal(left, right);
  orr__json_free(left);
  orr__json_free(right);
  return same;
}

static void add_name(orr__json *names, const char *prefix, const char *name) {
  char *text = *prefix ? orr__strf("%s.%s", prefix, name) : orr__strdup(name);
  if (text) orr__json_append(names, orr__json_new_str(text));
  free(text);
}

/* The entries of maps that differ, those of maps within maps as a path. */
static void name_entries(const orr__json *before, const orr__json *after, const char *prefix, orr__json *names) {
  for (const orr__json *m = orr__json_first(after); m; m = orr__json_next(m)) {
    const orr__json *old = orr__json_get(before, orr__json_key(m));
    if (old && orr__json_equal(old, m)) continue;
    bool is_deep = orr__json_is_map(old) && orr__json_is_map(m);
    char *path = !is_deep  ? NULL
                 : *prefix ? orr__strf("%s.%s", prefix, orr__json_key(m))
                           : orr__strdup(orr__json_key(m));
    if (path)
      name_entries(old, m, path, names);
    else
      add_name(names, prefix, orr__json_key(m));
    free(path);
  }
  for (const orr__json *m = orr__json_first(before); m; m = orr__json_next(m))
    if (!orr__json_get(after, orr__json_key(m))) add_name(names, prefix, orr__json_key(m));
}

static void name_map(const orr__object *before, const orr__object *after, int field, orr__json *names) {
  orr__json *old = orr__object_map(before, field), *later = orr__object_map(after, field);
  name_entries(old, later, "", names);
  orr__json_free(old);
  orr__json_free(later);
}

uint64_t orr__changes_find(const orr__object *before, const orr__object *after, orr__json *names) {
  uint64_t mask = 0;
  for (size_t i = 1; i < after->model->field_count; i++) {
    const orr__field *field = &after->model->fields[i];
    if (field->flags & ORR_FIELD_DERIVED || is_own(after, (int)i) || is_equal(before, after, (int)i)) continue;
    mask |= ORR_BIT(i);
    if (!names) continue;
    if (field->type == ORR_T_MAP)
      name_map(before, after, (int)i, names);
    else
      orr__json_append(names, orr__json_new_str(name_of(field)));
  }
  return mask;
}

char *orr__changes_text(const orr__json *names) {
  char *text = orr__strdup("");
  for (const orr__json *n = orr__json_first(names); n && text; n = orr__json_next(n)) {
    char *more = orr__strf("%s%s%s", text, *text ? ", " : "", orr__json_text(n));
    free(text);
    text = more;
  }
  return text;
}

/* ---- carrying them over -------------------------------------------------------------------------------------- */

static int carry_entries(const orr__json *before, const orr__json *after, orr__json *into) {
  for (const orr__json *m = orr__json_first(after); m; m = orr__json_next(m)) {
    const char *key = orr__json_key(m);
    const orr__json *old = orr__json_get(before, key), *there = orr__json_get(into, key);
    if (old && orr__json_equal(old, m)) continue;
    bool is_deep = orr__json_is_map(old) && orr__json_is_map(m) && orr__json_is_map(there);
    int code =
        is_deep ? carry_entries(old, m, (orr__json *)(uintptr_t)there) : orr__json_put(into, key, orr__json_copy(m));
    if (code) return code;
  }
  for (const orr__json *m = orr__json_first(before); m; m = orr__json_next(m))
    if (!orr__json_get(after, orr__json_key(m))) orr__json_remove(into, orr__json_key(m));
  return 0;
}

static int carry_map(const orr__object *before, const orr__object *after, orr__object *into, int field) {
  orr__json *old = orr__object_map(before, field), *later = orr__object_map(after, field);
  orr__json *map = orr__object_map(into, field);
  int code = old && later && map ? carry_entries(old, later, map) : ORR_E_NOMEM;
  if (!code && orr__json_count(map))
    code = orr__object_set_map(into, field, map);
  else if (!code)
    orr__unset(into, field);
  orr__json_free(old);
  orr__json_free(later);
  orr__json_free(map);
  return code;
}

int orr__changes_carry(const orr__object *before, const orr__object *after, orr__object *into, uint64_t mask) {
  int code = 0;
  for (int i = 0; !code && i < (int)after->model->field_count; i++) {
    if (!(mask & ORR_BIT(i))) continue;
    code =
        after->model->fields[i].type == ORR_T_MAP ? carry_map(before, after, into, i) : orr__copy_field(into, after, i);
  }
  return code;
}
