/* Transactions: memory, the writing steps, the guards. (Reads and their rows: rows.c.)
 *
 * Deliberately does not know how steps are carried out. What can be judged without the stored rows is judged here,
 * once for all backends: an unknown word of status, a required field without a value, a field that cannot be
 * compared. Such errors are sticky and come out at submit. */
#include "store/tx.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/status.h"

enum { CHUNK_SIZE = 4096 };

struct orr__chunk {
  struct orr__chunk *next;
  alignas(16) char space[];
};

/* ---- memory -------------------------------------------------------------------------------------------------- */

orr__tx *orr__tx_new(void) {
  orr__tx *tx = malloc(sizeof *tx);
  if (!tx) return NULL;
  memset(tx, 0, offsetof(orr__tx, space)); /* the arena is zeroed as it is handed out */
  tx->refs = 1;
  tx->free_start = tx->space;
  tx->free_end = tx->space + sizeof tx->space;
  return tx;
}

void orr__tx_ref(orr__tx *tx) {
  tx->refs++;
}

void orr__tx_free(orr__tx *tx) {
  if (!tx || --tx->refs > 0) return;
  orr__tx_drop_rows(tx);
  orr__error_clear(&tx->err);
  while (tx->chunks) {
    struct orr__chunk *chunk = tx->chunks;
    tx->chunks = chunk->next;
    free(chunk);
  }
  free(tx);
}

int orr__tx_fail(orr__tx *tx, int code, const char *format, ...) {
  if (!tx) return ORR_E_NOMEM;
  if (tx->code) return tx->code;
  va_list args;
  va_start(args, format);
  tx->code = orr__error_setv(&tx->err, code, format, args);
  va_end(args);
  return tx->code;
}

void *orr__tx_alloc(orr__tx *tx, size_t size) {
  if (!tx || tx->code) return NULL;
  if (size > ORR_TX_BYTES - tx->bytes) {
    orr__tx_fail(tx, ORR_E_LIMIT, "a transaction holds at most %d bytes", (int)ORR_TX_BYTES);
    return NULL;
  }
  size = (size + 15) & ~(size_t)15;
  if (size > (size_t)(tx->free_end - tx->free_start)) {
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct orr__chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk) {
      orr__tx_fail(tx, ORR_E_NOMEM, "out of memory");
      return NULL;
    }
    chunk->next = tx->chunks;
    tx->chunks = chunk;
    tx->free_start = chunk->space;
    tx->free_end = chunk->space + room;
  }
  void *memory = tx->free_start;
  tx->free_start += size;
  tx->bytes += size;
  return memset(memory, 0, size);
}

char *orr__tx_text(orr__tx *tx, const char *text) {
  if (!text) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = orr__tx_alloc(tx, size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

orr__step *orr__tx_step(orr__tx *tx, enum orr__step_kind kind, enum orr__model_id model) {
  assert(model < ORR_M_COUNT);
  if (!tx) return NULL;
  if (tx->step_count == ORR_TX_STEPS) {
    orr__tx_fail(tx, ORR_E_LIMIT, "a transaction has at most %d steps", (int)ORR_TX_STEPS);
    return NULL;
  }
  orr__step *step = orr__tx_alloc(tx, sizeof *step);
  if (!step) return NULL;
  step->kind = kind;
  step->model = model;
  if (tx->last) tx->last->next = step;
  else tx->first = step;
  tx->last = step;
  tx->step_count++;
  if (kind <= ORR_STEP_LAST_WRITE) tx->write_count++;
  return step;
}

/* ---- what fields are ----------------------------------------------------------------------------------------- */

bool orr__field_is_stored(const orr__field *field) {
  return !(field->flags & ORR_FIELD_DERIVED);
}

bool orr__field_is_text(const orr__field *field) {
  return field->type == ORR_T_STR || field->type == ORR_T_STATUS || field->type == ORR_T_MAP;
}

bool orr__field_is_integer(const orr__field *field) {
  return !orr__field_is_text(field) && field->type != ORR_T_NUM;
}

uint64_t orr__model_stored(const orr__model *model) {
  uint64_t mask = 0;
  for (size_t i = 0; i < model->field_count; i++)
    if (orr__field_is_stored(&model->fields[i])) mask |= ORR_BIT(i);
  return mask;
}

/* ---- writes -------------------------------------------------------------------------------------------------- */

/* Copies one field's value into the arena and judges it. */
static void put_value(orr__tx *tx, const orr__object *object, int field, orr__value *ret_value) {
  const orr__field *facts = &object->model->fields[field];
  if (facts->type == ORR_T_NUM) {
    ret_value->number = orr__get_num(object, field);
    if (!isfinite(ret_value->number))
      orr__tx_fail(tx, ORR_E_INVALID, "%s of %s is not a finite number", facts->name, object->model->name);
  } else if (orr__field_is_text(facts)) {
    const char *text = orr__get_str(object, field);
    if (facts->type == ORR_T_STATUS && !orr__streq(text, orr__status_canonical(text)))
      orr__tx_fail(tx, ORR_E_INVALID, "'%s' is no status", text);
    ret_value->text = orr__tx_text(tx, text);
  } else {
    int64_t value = orr__get_int(object, field);
    ret_value->integer = facts->type == ORR_T_BOOL ? value != 0 : value;
  }
}

static orr__step *write_step(orr__tx *tx, enum orr__step_kind kind, const orr__object *object, uint64_t mask) {
  const orr__model *model = object->model;
  mask &= orr__model_stored(model) & ~ORR_BIT(0);
  if (kind == ORR_STEP_UPDATE && !mask) return NULL;
  int64_t id = orr__object_id(object);
  if (id <= 0) {
    orr__tx_fail(tx, ORR_E_MISUSE, "a %s is written without an id", model->name);
    return NULL;
  }
  for (size_t i = 1; i < model->field_count; i++) {
    bool is_written = kind == ORR_STEP_INSERT || mask & ORR_BIT(i);
    if (is_written && model->fields[i].flags & ORR_FIELD_REQUIRED && !(object->set & ORR_BIT(i)))
      orr__tx_fail(tx, ORR_E_INVALID, "%s of %s %lld has no value", model->fields[i].name, model->name, (long long)id);
  }
  orr__step *step = orr__tx_step(tx, kind, model->id);
  orr__value *values = orr__tx_alloc(tx, (size_t)__builtin_popcountll(mask) * sizeof *values);
  if (!step || !values) return NULL;
  step->id = id;
  step->mask = mask;
  step->set = mask & object->set;
  step->values = values;
  for (uint64_t rest = mask; rest; rest &= rest - 1, values++) {
    int field = __builtin_ctzll(rest);
    if (object->set & ORR_BIT(field)) put_value(tx, object, field, values);
  }
  return step;
}

void orr__tx_insert(orr__tx *tx, const orr__object *object) {
  orr__step *step = write_step(tx, ORR_STEP_INSERT, object, object->set);
  if (step && step->id > tx->top_id[step->model]) tx->top_id[step->model] = step->id;
}

void orr__tx_update(orr__tx *tx, const orr__object *object, uint64_t mask) {
  write_step(tx, ORR_STEP_UPDATE, object, mask);
}

void orr__tx_delete(orr__tx *tx, enum orr__model_id model, int64_t id) {
  orr__step *step = orr__tx_step(tx, ORR_STEP_DELETE, model);
  if (step) step->id = id;
}

/* Is the field one of the model that the store can compare? */
static bool is_comparable(orr__tx *tx, enum orr__model_id model, int field, bool is_text) {
  const orr__model *facts = &orr__models[model];
  if (field >= 0 && (size_t)field < facts->field_count) {
    const orr__field *f = &facts->fields[field];
    bool is_fit = is_text ? orr__field_is_text(f) : orr__field_is_integer(f);
    if (is_fit && orr__field_is_stored(f) && !(f->flags & ORR_FIELD_SECRET)) return true;
  }
  orr__tx_fail(tx, ORR_E_MISUSE, "field %d of %s cannot be compared so", field, facts->name);
  return false;
}

void orr__tx_delete_where(orr__tx *tx, enum orr__model_id model, int field, int64_t value) {
  if (!is_comparable(tx, model, field, false)) return;
  orr__step *step = orr__tx_step(tx, ORR_STEP_DELETE_WHERE, model);
  if (!step) return;
  step->field = field;
  step->number = value;
}

void orr__tx_prune(orr__tx *tx, enum orr__model_id model, int64_t up_to_id) {
  orr__step *step = orr__tx_step(tx, ORR_STEP_PRUNE, model);
  if (step) step->number = up_to_id;
}

/* ---- guards -------------------------------------------------------------------------------------------------- */

void orr__tx_guard_str(orr__tx *tx, enum orr__model_id model, int64_t id, int field, const char *value) {
  if (!is_comparable(tx, model, field, true)) return;
  orr__step *step = orr__tx_step(tx, ORR_STEP_GUARD_STR, model);
  if (!step) return;
  step->id = id;
  step->field = field;
  step->text = orr__tx_text(tx, value);
}

void orr__tx_guard_int(orr__tx *tx, enum orr__model_id model, int64_t id, int field, int64_t value) {
  if (!is_comparable(tx, model, field, false)) return;
  orr__step *step = orr__tx_step(tx, ORR_STEP_GUARD_INT, model);
  if (!step) return;
  step->id = id;
  step->field = field;
  step->number = value;
}

void orr__tx_guard_none(orr__tx *tx, enum orr__model_id model, int field, int64_t value, const char *message) {
  if (!is_comparable(tx, model, field, false)) return;
  orr__step *step = orr__tx_step(tx, ORR_STEP_GUARD_NONE, model);
  if (!step) return;
  step->field = field;
  step->number = value;
  step->text = orr__tx_text(tx, message ? message : "it is in use");
}
