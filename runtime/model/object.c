/* Objects: their life, their masks, and reading and writing fields by number.
 *
 * Deliberately does not know where values come from; what arrives from outside is checked in field_value.c.
 * Invariants: a clear `set` bit means that the member is 0 or NULL; a set bit of a text field means an owned
 * string; a derived field has neither bit and its member stays 0. */
#include "model/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const double BYTES_PER_MB = 1024.0 * 1024.0;

static const orr__field *field_of(const orr__object *object, int field) {
  assert(object && field >= 0 && (size_t)field < object->model->field_count);
  return &object->model->fields[field];
}

static void *member(const orr__object *object, const orr__field *field) {
  return (char *)(uintptr_t)object + field->offset;
}

static bool is_text(const orr__field *field) {
  return field->type == ORR_T_STR || field->type == ORR_T_STATUS || field->type == ORR_T_MAP;
}

static bool is_integer(const orr__field *field) {
  return field->type == ORR_T_INT || field->type == ORR_T_DATE || field->type == ORR_T_REF ||
         field->type == ORR_T_BOOL;
}

orr__object *orr__object_new(enum orr__model_id model) {
  assert(model < ORR_M_COUNT);
  orr__object *object = calloc(1, orr__models[model].size);
  if (object) object->model = &orr__models[model];
  return object;
}

void orr__object_free(orr__object *object) {
  if (!object) return;
  for (size_t i = 0; i < object->model->field_count; i++) {
    const orr__field *field = &object->model->fields[i];
    if (is_text(field)) free(*(char **)member(object, field));
  }
  free(object);
}

orr__object *orr__object_copy(const orr__object *object) {
  orr__object *copy = orr__object_new(object->model->id);
  if (!copy) return NULL;
  for (size_t i = 0; i < object->model->field_count; i++)
    if (orr__copy_field(copy, object, (int)i) < 0) {
      orr__object_free(copy);
      return NULL;
    }
  copy->dirty = object->dirty;
  return copy;
}

/* The one derived field so far: the size of a result in MiB. */
static bool derived_has(const orr__object *object, int field) {
  assert(object->model->id == ORR_M_result && field == ORR_F_result_sizeInMb);
  (void)field;
  return orr__object_has(object, ORR_F_result_sizeInBytes);
}

static double derived_num(const orr__object *object, int field) {
  if (!derived_has(object, field)) return 0;
  return (double)orr__get_int(object, ORR_F_result_sizeInBytes) / BYTES_PER_MB;
}

bool orr__object_has(const orr__object *object, int field) {
  if (field_of(object, field)->flags & ORR_FIELD_DERIVED) return derived_has(object, field);
  return (object->set & ORR_BIT(field)) != 0;
}

static void mark(orr__object *object, int field) {
  object->set |= ORR_BIT(field);
  object->dirty |= ORR_BIT(field);
}

int orr__set_str(orr__object *object, int field, const char *value) {
  const orr__field *facts = field_of(object, field);
  assert(is_text(facts) && !(facts->flags & ORR_FIELD_DERIVED));
  if (!value) {
    orr__unset(object, field);
    return 0;
  }
  char **slot = member(object, facts);
  if (orr__streq(*slot, value)) return 0;
  char *copy = orr__strdup(value);
  if (!copy) return ORR_E_NOMEM;
  free(*slot);
  *slot = copy;
  mark(object, field);
  return 0;
}

int orr__set_int(orr__object *object, int field, int64_t value) {
  const orr__field *facts = field_of(object, field);
  assert(is_integer(facts) && !(facts->flags & ORR_FIELD_DERIVED));
  if (facts->type == ORR_T_BOOL) value = value != 0;
  int64_t *slot = member(object, facts);
  if (orr__object_has(object, field) && *slot == value) return 0;
  *slot = value;
  mark(object, field);
  return 0;
}

int orr__set_num(orr__object *object, int field, double value) {
  const orr__field *facts = field_of(object, field);
  assert(facts->type == ORR_T_NUM && !(facts->flags & ORR_FIELD_DERIVED));
  double *slot = member(object, facts);
  if (orr__object_has(object, field) && *slot == value) return 0;
  *slot = value;
  mark(object, field);
  return 0;
}

void orr__unset(orr__object *object, int field) {
  const orr__field *facts = field_of(object, field);
  assert(!(facts->flags & ORR_FIELD_DERIVED));
  if (!orr__object_has(object, field)) return;
  if (is_text(facts)) {
    char **slot = member(object, facts);
    free(*slot);
    *slot = NULL;
  } else if (is_integer(facts)) {
    *(int64_t *)member(object, facts) = 0;
  } else {
    *(double *)member(object, facts) = 0;
  }
  object->set &= ~ORR_BIT(field);
  object->dirty |= ORR_BIT(field);
}

const char *orr__get_str(const orr__object *object, int field) {
  const orr__field *facts = field_of(object, field);
  assert(is_text(facts));
  return *(char **)member(object, facts);
}

int64_t orr__get_int(const orr__object *object, int field) {
  const orr__field *facts = field_of(object, field);
  assert(is_integer(facts));
  return *(int64_t *)member(object, facts);
}

double orr__get_num(const orr__object *object, int field) {
  const orr__field *facts = field_of(object, field);
  assert(facts->type == ORR_T_NUM);
  return facts->flags & ORR_FIELD_DERIVED ? derived_num(object, field) : *(double *)member(object, facts);
}

int orr__copy_field(orr__object *to, const orr__object *from, int field) {
  assert(to->model == from->model);
  const orr__field *facts = field_of(from, field);
  if (facts->flags & ORR_FIELD_DERIVED) return 0;
  if (!orr__object_has(from, field)) {
    orr__unset(to, field);
    return 0;
  }
  if (is_text(facts)) return orr__set_str(to, field, orr__get_str(from, field));
  if (facts->type == ORR_T_NUM) return orr__set_num(to, field, orr__get_num(from, field));
  return orr__set_int(to, field, orr__get_int(from, field));
}

int64_t orr__object_id(const orr__object *object) {
  return object ? orr__get_int(object, 0) : 0;
}

void orr__object_clean(orr__object *object) {
  object->dirty = 0;
}

void orr__graph_clear(orr__graph *graph) {
  if (!graph) return;
  /* Every struct begins with its head; a NULL one must not be looked into for it. */
  orr__object_free((orr__object *)(void *)graph->result);
  orr__object_free((orr__object *)(void *)graph->backup);
  orr__object_free((orr__object *)(void *)graph->connection);
  orr__object_free((orr__object *)(void *)graph->cloud);
  orr__object_free((orr__object *)(void *)graph->server);
  *graph = (orr__graph){0};
}
