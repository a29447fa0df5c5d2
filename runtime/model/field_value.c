/* Values from outside into fields: from the command line's text and from JSON, checked by the field's type.
 *
 * Deliberately does not know who may write which field; the caller decides that. Invariant: a value that is refused
 * leaves the field as it was. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/json.h"
#include "model/status.h"

enum { TEXT_MAX = 1 << 20 };

/* Below lies 1973, and every date in seconds until the year 5138; above lies the year 10000. */
static const int64_t DATE_MIN = INT64_C(100000000000);
static const int64_t DATE_MAX = INT64_C(253402300799999);

static const orr__field *facts_of(const orr__object *object, int field) {
  assert(field >= 0 && (size_t)field < object->model->field_count);
  return &object->model->fields[field];
}

static int no_memory(orr_error *reterr, const orr__field *facts) {
  return orr__error_set(reterr, ORR_E_NOMEM, "no memory for the field '%s'", facts->name);
}

static int set_date(orr__object *object, int field, int64_t value, orr_error *reterr) {
  const char *name = facts_of(object, field)->name;
  if (value > -DATE_MIN && value < DATE_MIN)
    return orr__error_field(reterr, name, "%lld is too early; is it in seconds? dates are milliseconds since 1970",
                            (long long)value);
  if (value < 0 || value > DATE_MAX)
    return orr__error_field(reterr, name, "%lld is no date from 1973 to 9999; dates are milliseconds since 1970",
                            (long long)value);
  return orr__set_int(object, field, value);
}

static int set_integer(orr__object *object, int field, int64_t value, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  if (facts->type == ORR_T_DATE) return set_date(object, field, value, reterr);
  if (facts->type == ORR_T_REF && value <= 0)
    return orr__error_field(reterr, facts->name, "must be the id of a %s", orr__models[facts->target].name);
  return orr__set_int(object, field, value);
}

static int set_status(orr__object *object, int field, const char *word, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  const char *canonical = orr__status_canonical(word);
  if (canonical) return orr__set_str(object, field, canonical) < 0 ? no_memory(reterr, facts) : 0;
  const char *nearest = orr__status_nearest(word);
  if (nearest)
    return orr__error_field(reterr, facts->name, "'%s' is no status; did you mean %s?", word, nearest);
  return orr__error_field(reterr, facts->name, "'%.100s' is no status; it is one of START_REQUESTED INITIALIZING "
                          "IN_PROGRESS CANCEL_REQUESTED CANCELLED SUCCEEDED SUCCEEDED_WARNING FAILED", word);
}

static int set_string(orr__object *object, int field, const char *text, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  size_t len = strlen(text);
  if (len > TEXT_MAX)
    return orr__error_field(reterr, facts->name, "has %zu bytes, at most %d are kept", len, TEXT_MAX);
  if (!orr__utf8_valid(text, len)) return orr__error_field(reterr, facts->name, "must be UTF-8 text");
  if (facts->type == ORR_T_STATUS) return set_status(object, field, text, reterr);
  return orr__set_str(object, field, text) < 0 ? no_memory(reterr, facts) : 0;
}

static bool is_deeper(const orr__json *json, unsigned depth) {
  if (!orr__json_is_map(json) && !orr__json_is_list(json)) return false;
  if (depth == 0) return true;
  for (const orr__json *m = orr__json_first(json); m; m = orr__json_next(m))
    if (is_deeper(m, depth - 1)) return true;
  return false;
}

int orr__object_set_map(orr__object *object, int field, const orr__json *map) {
  assert(orr__json_is_map(map) && facts_of(object, field)->type == ORR_T_MAP);
  if (is_deeper(map, ORR_MAP_DEPTH)) return ORR_E_LIMIT;
  char *text = orr__json_print(map);
  int rc = !text ? ORR_E_NOMEM : strlen(text) > ORR_JSON_MAX ? ORR_E_LIMIT : orr__set_str(object, field, text);
  free(text);
  return rc;
}

static int set_map(orr__object *object, int field, const orr__json *map, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  if (!orr__json_is_map(map))
    return orr__error_field(reterr, facts->name, "must be a map such as {\"key\": \"value\"}");
  int rc = orr__object_set_map(object, field, map);
  if (rc == ORR_E_LIMIT)
    return orr__error_field(reterr, facts->name, "is larger than 16 MiB or nested deeper than %d", ORR_MAP_DEPTH);
  return rc < 0 ? no_memory(reterr, facts) : 0;
}

static int set_number(orr__object *object, int field, const orr__json *value, orr_error *reterr) {
  double number = orr__json_value_num(value, NAN);
  if (!isfinite(number)) return orr__error_field(reterr, facts_of(object, field)->name, "must be a number");
  return orr__set_num(object, field, number);
}

static int set_bool(orr__object *object, int field, const orr__json *value, orr_error *reterr) {
  bool truth = orr__json_value_bool(value, false);
  if (truth != orr__json_value_bool(value, true))
    return orr__error_field(reterr, facts_of(object, field)->name, "must be true or false");
  return orr__set_int(object, field, truth);
}

static int refuse_integer(const orr__field *facts, orr_error *reterr) {
  const char *expected = facts->type == ORR_T_DATE  ? "must be a date: milliseconds since 1970, or ISO 8601"
                         : facts->type == ORR_T_REF ? "must be an id"
                                                    : "must be an integer of at most 64 bits";
  return orr__error_field(reterr, facts->name, "%s", expected);
}

int orr__field_from_json(orr__object *object, int field, const orr__json *value, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  if (facts->flags & ORR_FIELD_DERIVED)
    return orr__error_field(reterr, facts->name, "is computed and cannot be set");
  if (orr__json_is_null(value)) {
    orr__unset(object, field);
    return 0;
  }
  const char *text = orr__json_text(value);
  int64_t integer = 0;
  switch (facts->type) {
    case ORR_T_BOOL: return set_bool(object, field, value, reterr);
    case ORR_T_NUM: return set_number(object, field, value, reterr);
    case ORR_T_MAP: return set_map(object, field, value, reterr);
    case ORR_T_STR:
    case ORR_T_STATUS:
      if (!text) return orr__error_field(reterr, facts->name, "must be a text");
      return set_string(object, field, text, reterr);
    default:
      if (orr__json_exact_int(value, &integer)) return set_integer(object, field, integer, reterr);
      if (facts->type == ORR_T_DATE && text && orr__iso_parse(text, &integer))
        return set_date(object, field, integer, reterr);
      return refuse_integer(facts, reterr);
  }
}

int orr__set_text(orr__object *object, int field, const char *text, orr_error *reterr) {
  const orr__field *facts = facts_of(object, field);
  orr__json *value = NULL;
  if (facts->type == ORR_T_STR || facts->type == ORR_T_STATUS) {
    /* Not through a JSON value, which would repair what is no UTF-8. */
    if (text && !(facts->flags & ORR_FIELD_DERIVED)) return set_string(object, field, text, reterr);
  } else if (text && (facts->type == ORR_T_BOOL || facts->type == ORR_T_NUM || facts->type == ORR_T_MAP)) {
    orr_error where = ORR_ERROR_INIT;
    value = orr__json_parse(text, strlen(text), &where);
    int rc = 0;
    if (!value && where.code == ORR_E_NOMEM) rc = no_memory(reterr, facts);
    else if (!value && facts->type == ORR_T_MAP)
      rc = orr__error_field(reterr, facts->name, "is no JSON: %s", orr__error_message(&where));
    orr__error_clear(&where);
    if (rc < 0) return rc;
  }
  /* What did not parse is a text, and the type's own message refuses it. */
  if (text && !value) value = orr__json_new_str(text);
  if (text && !value) return no_memory(reterr, facts);
  int rc = orr__field_from_json(object, field, value, reterr);
  orr__json_free(value);
  return rc;
}
