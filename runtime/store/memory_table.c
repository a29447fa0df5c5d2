/* Rows of one model, sorted by id, with a hash of the texts of each unique field.
 *
 * Deliberately does not know steps or undoing. Ids grow, so that a new row nearly always goes to the end. Invariant:
 * while a unique field has seen no collision, its map leads from the hash of each text to the row that has it. */
#include "store/memory_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void orr__memory_table_init(orr__memory_table *table, enum orr__model_id model) {
  *table = (orr__memory_table){.model = &orr__models[model]};
  for (size_t i = 1; i < table->model->field_count; i++) {
    if (!(table->model->fields[i].flags & ORR_FIELD_UNIQUE)) continue;
    assert(table->unique_count < ORR_MEMORY_UNIQUES);
    orr__memory_unique *unique = &table->uniques[table->unique_count++];
    unique->field = (int)i;
    orr__map_init(&unique->by_hash);
  }
}

void orr__memory_table_clear(orr__memory_table *table) {
  for (size_t i = 0; i < table->count; i++) orr__object_free(table->rows[i]);
  free(table->rows);
  for (size_t i = 0; i < table->unique_count; i++) orr__map_clear(&table->uniques[i].by_hash);
  *table = (orr__memory_table){.model = table->model};
}

size_t orr__memory_table_place(const orr__memory_table *table, int64_t id) {
  size_t low = 0, high = table->count;
  if (high && orr__object_id(table->rows[high - 1]) < id) return high;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (orr__object_id(table->rows[middle]) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

orr__object *orr__memory_table_find(const orr__memory_table *table, int64_t id) {
  size_t place = orr__memory_table_place(table, id);
  return place < table->count && orr__object_id(table->rows[place]) == id ? table->rows[place] : NULL;
}

/* ---- unique fields ------------------------------------------------------------------------------------------- */

static orr__object *find_text(const orr__memory_table *table, const orr__memory_unique *unique, const char *text) {
  if (!unique->has_collision) {
    orr__object *row = orr__map_get(&unique->by_hash, orr__hash64(text, strlen(text)));
    return row && orr__streq(orr__get_str(row, unique->field), text) ? row : NULL;
  }
  for (size_t i = 0; i < table->count; i++)
    if (orr__streq(orr__get_str(table->rows[i], unique->field), text)) return table->rows[i];
  return NULL;
}

int orr__memory_table_taken(const orr__memory_table *table, const orr__object *row) {
  for (size_t i = 0; i < table->unique_count; i++) {
    const char *text = orr__get_str(row, table->uniques[i].field);
    const orr__object *other = text ? find_text(table, &table->uniques[i], text) : NULL;
    if (other && orr__object_id(other) != orr__object_id(row)) return table->uniques[i].field;
  }
  return -1;
}

static int enter_text(orr__memory_unique *unique, orr__object *row) {
  const char *text = orr__get_str(row, unique->field);
  if (!text) return 0;
  uint64_t hash = orr__hash64(text, strlen(text));
  const orr__object *other = orr__map_get(&unique->by_hash, hash);
  if (other && !orr__streq(orr__get_str(other, unique->field), text)) unique->has_collision = true;
  return orr__map_put(&unique->by_hash, hash, row);
}

static void leave_text(orr__memory_unique *unique, const orr__object *row) {
  const char *text = orr__get_str(row, unique->field);
  if (!text) return;
  uint64_t hash = orr__hash64(text, strlen(text));
  if (orr__map_get(&unique->by_hash, hash) == row) orr__map_remove(&unique->by_hash, hash);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

static int reserve(orr__memory_table *table) {
  if (table->count < table->cap) return 0;
  size_t cap = table->cap ? table->cap * 2 : 16;
  orr__object **rows = realloc(table->rows, cap * sizeof *rows);
  if (!rows) return ORR_E_NOMEM;
  table->rows = rows;
  table->cap = cap;
  return 0;
}

int orr__memory_table_put(orr__memory_table *table, int64_t id, orr__object *row, orr__object **ret_old) {
  size_t place = orr__memory_table_place(table, id);
  orr__object *old = place < table->count && orr__object_id(table->rows[place]) == id ? table->rows[place] : NULL;
  if (row && !old && reserve(table) != 0) return ORR_E_NOMEM;
  for (size_t i = 0; i < table->unique_count; i++) {
    if (old) leave_text(&table->uniques[i], old);
    /* A text that does not get into the map only makes the look-up longer, not wrong. */
    if (row && enter_text(&table->uniques[i], row) != 0) table->uniques[i].has_collision = true;
  }
  if (row && old) {
    table->rows[place] = row;
  } else if (row) {
    memmove(table->rows + place + 1, table->rows + place, (table->count - place) * sizeof *table->rows);
    table->rows[place] = row;
    table->count++;
  } else if (old) {
    table->count--;
    memmove(table->rows + place, table->rows + place + 1, (table->count - place) * sizeof *table->rows);
  }
  *ret_old = old;
  return 0;
}
