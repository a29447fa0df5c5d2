/* Objects: their life, their masks, and reading and writing fields by number.
 *
 * Deliberately does not know where values come from; what arrives from outside is checked in field_value.c.
 * Invariants: a clear `set` bit means that the member is 0 or NULL; a set bit of a text field means an owned
 * string, in the object's own room or in a block of its own; a derived field has neither bit and its member stays 0. */
#include "model/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const double BYTES_PER_MB = 1024.0 * 1024.0;

enum { ROOM_MAX = 64 * 1024 };

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

orr__object *orr__object_new_with_room(enum orr__model_id model, size_t room) {
  assert(model < ORR_M_COUNT);
  if (room > ROOM_MAX) room = 0; /* so large a text is better off alone: it goes when it is replaced */
  size_t size = orr__models[model].size;
  orr__object *object = malloc(size + room);
  if (!object) return NULL;
  memset(object, 0, size);
  object->model = &orr__models[model];
  object->room = (uint32_t)room;
  return object;
}

orr__object *orr__object_new(enum orr__model_id model) {
  return orr__object_new_with_room(model, 0);
}

static char *room_of(const orr__object *object) {
  return (char *)(uintptr_t)object + object->model->size;
}

static bool is_inside(const orr__object *object, const char *text) {
  return (uintptr_t)text - (uintptr_t)room_of(object) < object->room;
}

static void free_text(const orr__object *object, char *text) {
  if (!is_inside(object, text)) free(text);
}

void orr__object_free(orr__object *object) {
  if (!object) return;
  for (uint64_t rest = object->set; rest; rest &= rest - 1) {
    const orr__field *field = &object->model->fields[__builtin_ctzll(rest)];
    if (is_text(field)) free_text(object, *(char **)member(object, field));
  }
  free(object);
}

int orr__object_spread(orr__object *object) {
  char *copies[64] = { NULL };
  bool is_whole = true;
  for (uint64_t rest = object->room ? object->set : 0; rest; rest &= rest - 1) {
    int i = __builtin_ctzll(rest);
    const orr__field *field = &object->model->fields[i];
    char *text = is_text(field) ? *(char **)member(object, field) : NULL;
    if (!text || !is_inside(object, text)) continue;
    copies[i] = orr__strdup(text);
    is_whole = is_whole && copies[i];
  }
  for (int i = 0; i < 64; i++) {
    if (!copies[i]) continue;
    if (is_whole) *(char **)member(object, &object->model->fields[i]) = copies[i];
    else free(copies[i]);
  }
  if (is_whole) object->room = object->used = 0;
  return is_whole ? 0 : ORR_E_NOMEM;
}

static size_t room_for(const orr__object *object) {
  size_t room = 0;
  for (uint64_t rest = object->set; rest; rest &= rest - 1) {
    const orr__field *field = &object->model->fields[__builtin_ctzll(rest)];
    if (is_text(field)) room += strlen(*(char **)member(object, field)) + 1;
  }
  return room;
}

orr__object *orr__object_copy(const orr__object *object) {
  orr__object *copy = orr__object_new_with_room(object->model->id, room_for(object));
  for (uint64_t rest = object->set; copy && rest; rest &= rest - 1) {
    int i = __builtin_ctzll(rest);
    const orr__field *field = &object->model->fields[i];
    if (!is_text(field)) {
      memcpy(member(copy, field), member(object, field), sizeof(int64_t));
      copy->set |= ORR_BIT(i);
      continue;
    }
    const char *text = *(char **)member(object, field);
    if (orr__fill_str(copy, i, text, strlen(text)) < 0) {
      orr__object_free(copy);
      return NULL;
    }
  }
  if (copy) copy->dirty = object->dirty;
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

int orr__fill_str(orr__object *object, int field, const char *text, size_t len) {
  const orr__field *facts = field_of(object, field);
  char **slot = member(object, facts);
  assert(is_text(facts) && !(facts->flags & ORR_FIELD_DERIVED) && !*slot);
  bool has_room = len < object->room - object->used;
  char *copy = has_room ? room_of(object) + object->used : malloc(len + 1);
  if (!copy) return ORR_E_NOMEM;
  if (len) memcpy(copy, text, len);
  copy[len] = '\0';
  if (has_room) object->used += (uint32_t)len + 1;
  *slot = copy;
  mark(object, field);
  return 0;
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
  free_text(object, *slot);
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
    free_text(object, *slot);
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
