/* Reads of a transaction: building them, and the rows they brought.
 *
 * Deliberately does not know where rows come from. Invariants: slot numbers count up from 0 in the order of the
 * reads; a row that was taken leaves NULL behind, so counts do not change. */
#include <assert.h>
#include <stdlib.h>

#include "store/tx.h"

/* ---- building ------------------------------------------------------------------------------------------------ */

orr__step *orr__tx_read_step(orr__tx *tx, enum orr__step_kind kind, enum orr__model_id model) {
  if (!tx) return NULL;
  if (tx->slot_count == tx->slot_cap) {
    size_t cap = tx->slot_cap ? tx->slot_cap * 2 : 4;
    orr__slot *slots = realloc(tx->slots, cap * sizeof *slots);
    if (!slots) {
      orr__tx_fail(tx, ORR_E_NOMEM, "out of memory");
      return NULL;
    }
    tx->slots = slots;
    tx->slot_cap = cap;
  }
  orr__step *step = orr__tx_step(tx, kind, model);
  if (!step) return NULL;
  tx->slots[tx->slot_count] = (orr__slot){0};
  step->slot = (int)tx->slot_count++;
  return step;
}

int orr__tx_get(orr__tx *tx, enum orr__model_id model, int64_t id) {
  orr__step *step = orr__tx_read_step(tx, ORR_STEP_GET, model);
  if (!step) return -1;
  step->id = id;
  return step->slot;
}

int orr__tx_graph(orr__tx *tx, enum orr__model_id model, int64_t id) {
  if (model != ORR_M_result && model != ORR_M_backup && model != ORR_M_connection) {
    orr__tx_fail(tx, ORR_E_MISUSE, "a %s has no graph", orr__models[model].name);
    return -1;
  }
  orr__step *step = orr__tx_read_step(tx, ORR_STEP_GRAPH, model);
  if (!step) return -1;
  step->id = id;
  return step->slot;
}

static bool is_field_usable(orr__tx *tx, const orr__model *model, int field) {
  if (field >= 0 && (size_t)field < model->field_count && orr__field_is_stored(&model->fields[field]) &&
      !(model->fields[field].flags & ORR_FIELD_SECRET))
    return true;
  orr__tx_fail(tx, ORR_E_MISUSE, "field %d of %s cannot be searched by", field, model->name);
  return false;
}

static bool check_where(orr__tx *tx, const orr__model *model, const orr__where *where) {
  if (!is_field_usable(tx, model, where->field)) return false;
  if (where->compare == ORR_IS_SET || where->compare == ORR_IS_UNSET) return true;
  bool is_text = orr__field_is_text(&model->fields[where->field]);
  if (is_text ? where->text != NULL : where->compare != ORR_PREFIX) return true;
  orr__tx_fail(tx, ORR_E_MISUSE, "%s of %s cannot be compared so", model->fields[where->field].name, model->name);
  return false;
}

static int add_query(orr__tx *tx, enum orr__step_kind kind, const orr__query *query) {
  const orr__model *model = &orr__models[query->model];
  if (query->where_count > ORR_TX_WHERE) {
    orr__tx_fail(tx, ORR_E_LIMIT, "a query has at most %d conditions", (int)ORR_TX_WHERE);
    return -1;
  }
  if (query->order_field >= 0 && !is_field_usable(tx, model, query->order_field)) return -1;
  orr__query *copy = orr__tx_alloc(tx, sizeof *copy);
  orr__where *where = orr__tx_alloc(tx, query->where_count * sizeof *where);
  if (!copy || !where) return -1;
  for (size_t i = 0; i < query->where_count; i++) {
    if (!check_where(tx, model, &query->where[i])) return -1;
    where[i] = query->where[i];
    bool is_text = orr__field_is_text(&model->fields[where[i].field]);
    where[i].text = is_text ? orr__tx_text(tx, where[i].text) : NULL;
  }
  *copy = *query;
  copy->where = where;
  if (copy->limit == 0 || copy->limit > ORR_QUERY_ROWS) copy->limit = ORR_QUERY_ROWS;
  uint64_t stored = orr__model_stored(model);
  copy->fields = query->fields ? (query->fields & stored) | ORR_BIT(0) : stored;
  orr__step *step = orr__tx_read_step(tx, kind, query->model);
  if (!step) return -1;
  step->query = copy;
  return step->slot;
}

int orr__tx_query(orr__tx *tx, const orr__query *query) {
  return add_query(tx, ORR_STEP_QUERY, query);
}

int orr__tx_count(orr__tx *tx, const orr__query *query) {
  return add_query(tx, ORR_STEP_COUNT, query);
}

int orr__tx_reseal(orr__tx *tx) {
  orr__step *step = orr__tx_read_step(tx, ORR_STEP_RESEAL, ORR_M_connection);
  return step ? step->slot : -1;
}

void orr__tx_settle_keys(orr__tx *tx) {
  orr__tx_step(tx, ORR_STEP_SETTLE, ORR_M_connection);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

int orr__slot_add(orr__slot *slot, orr__object *row) {
  if (slot->count == slot->cap) {
    size_t cap = slot->cap ? slot->cap * 2 : 1;
    orr__object **rows = realloc(slot->rows, cap * sizeof *rows);
    if (!rows) {
      orr__object_free(row);
      return ORR_E_NOMEM;
    }
    slot->rows = rows;
    slot->cap = cap;
  }
  slot->rows[slot->count++] = row;
  return 0;
}

void orr__tx_reset_rows(orr__tx *tx) {
  for (size_t i = 0; i < tx->slot_count; i++) {
    orr__slot *slot = &tx->slots[i];
    for (size_t row = 0; row < slot->count; row++) orr__object_free(slot->rows[row]);
    free(slot->rows);
    orr__graph_clear(&slot->graph);
    *slot = (orr__slot){0};
  }
}

void orr__tx_drop_rows(orr__tx *tx) {
  orr__tx_reset_rows(tx);
  free(tx->slots);
  tx->slots = NULL;
  tx->slot_count = tx->slot_cap = 0;
}

static orr__slot *find_slot(const orr__tx *tx, int slot) {
  return slot >= 0 && (size_t)slot < tx->slot_count ? &tx->slots[slot] : NULL;
}

size_t orr__tx_rows(const orr__tx *tx, int slot) {
  const orr__slot *found = find_slot(tx, slot);
  return found ? found->count : 0;
}

const orr__object *orr__tx_row(const orr__tx *tx, int slot, size_t row) {
  const orr__slot *found = find_slot(tx, slot);
  return found && row < found->count ? found->rows[row] : NULL;
}

orr__object *orr__tx_take(orr__tx *tx, int slot, size_t row) {
  orr__slot *found = find_slot(tx, slot);
  if (!found || row >= found->count) return NULL;
  orr__object *object = found->rows[row];
  found->rows[row] = NULL;
  return object;
}

bool orr__tx_take_graph(orr__tx *tx, int slot, orr__graph *ret_graph) {
  orr__slot *found = find_slot(tx, slot);
  if (!found || !found->has_graph) return false;
  *ret_graph = found->graph;
  found->graph = (orr__graph){0};
  found->has_graph = false;
  return true;
}

int64_t orr__tx_number(const orr__tx *tx, int slot) {
  const orr__slot *found = find_slot(tx, slot);
  return found ? found->number : 0;
}
