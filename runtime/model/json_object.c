/* Objects as JSON maps and back.
 *
 * Deliberately does not know who asks: secrets come out only where the caller says so, and what may be set is the
 * caller's mask. Invariant: a map with one wrong member sets nothing. */
#include <string.h>

#include "model/json.h"

static orr__json *map_value(const char *text) {
  orr_error err = ORR_ERROR_INIT;
  orr__json *map = orr__json_parse_map(text, &err);
  /* A damaged map is shown as it is stored rather than hidden. */
  if (!map && err.code != ORR_E_NOMEM) map = orr__json_new_str(text);
  orr__error_clear(&err);
  return map;
}

static orr__json *field_value(const orr__object *object, int field) {
  if (!orr__object_has(object, field)) return orr__json_null();
  switch (object->model->fields[field].type) {
    case ORR_T_BOOL: return orr__json_new_bool(orr__get_int(object, field) != 0);
    case ORR_T_NUM: return orr__json_new_num(orr__get_num(object, field));
    case ORR_T_MAP: return map_value(orr__get_str(object, field));
    case ORR_T_STR:
    case ORR_T_STATUS: return orr__json_new_str(orr__get_str(object, field));
    default: return orr__json_new_int(orr__get_int(object, field));
  }
}

orr__json *orr__object_to_json(const orr__object *object, unsigned flags) {
  orr__json *map = orr__json_map();
  for (int i = 0; map && i < (int)object->model->field_count; i++) {
    const orr__field *field = &object->model->fields[i];
    if ((field->flags & ORR_FIELD_SECRET) && !(flags & ORR_JSON_SECRETS)) continue;
    if (!orr__object_has(object, i) && !(flags & ORR_JSON_NULLS)) continue;
    if (orr__json_add(map, field->name, field_value(object, i)) < 0) {
      orr__json_free(map);
      map = NULL;
    }
  }
  return map;
}

static int set_member(orr__object *object, const orr__json *member, uint64_t allow, orr_error *reterr) {
  const char *name = orr__json_key(member);
  int field = orr__field_find(object->model, name);
  if (field >= 0 && (allow & ORR_BIT(field))) return orr__field_from_json(object, field, member, reterr);
  if (field >= 0) return orr__error_field(reterr, name, "cannot be set");
  const char *nearest = orr__field_nearest(object->model, name);
  if (nearest)
    return orr__error_field(reterr, name, "a %s has no such field; did you mean '%s'?", object->model->name, nearest);
  return orr__error_field(reterr, name, "a %s has no such field", object->model->name);
}

/* Exchanges what two objects of one model hold; no text lies in the room of either. */
static void swap(orr__object *a, orr__object *b) {
  unsigned char *x = (unsigned char *)a, *y = (unsigned char *)b;
  for (size_t i = 0; i < a->model->size; i++) {
    unsigned char byte = x[i];
    x[i] = y[i];
    y[i] = byte;
  }
}

int orr__object_from_json(orr__object *object, const orr__json *map, uint64_t allow, orr_error *reterr) {
  if (!orr__json_is_map(map))
    return orr__error_set(reterr, ORR_E_INVALID, "expected a JSON object with the fields of a %s",
                          object->model->name);
  orr_error err = ORR_ERROR_INIT;
  int rc = 0;
  orr__object *draft = orr__object_copy(object);
  if (!draft || orr__object_spread(draft) < 0 || orr__object_spread(object) < 0) {
    rc = orr__error_set(&err, ORR_E_NOMEM, "no memory for a %s", object->model->name);
    goto done;
  }
  for (const orr__json *m = orr__json_first(map); m && rc != ORR_E_NOMEM; m = orr__json_next(m)) {
    int one = set_member(draft, m, allow, &err);
    if (one < 0) rc = one;
  }
  if (rc == 0) swap(object, draft);
done:
  if (rc < 0) orr__error_move(reterr, &err);
  orr__object_free(draft);
  return rc;
}

orr__json *orr__object_map(const orr__object *object, int field) {
  return orr__json_parse_map(orr__get_str(object, field), NULL);
}
