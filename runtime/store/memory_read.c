/* Reads of the twin in memory: conditions, order, graphs.
 *
 * Deliberately plain: it looks at every row, but for the newest-first and oldest-first queries with a limit, which
 * stop when they have enough. Compares as SQLite does: texts by bytes, an unset field fulfils nothing but
 * ORR_IS_UNSET and sorts below everything, ties go by id. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/memory_table.h"
#include "store/tx.h"

/* ---- comparing ----------------------------------------------------------------------------------------------- */

static int order_of(double a, double b) {
  return (a > b) - (a < b);
}

static int order_of_int(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

static bool fulfils(const orr__object *row, const orr__where *where) {
  bool is_set = orr__object_has(row, where->field);
  if (where->compare == ORR_IS_UNSET) return !is_set;
  if (!is_set || where->compare == ORR_IS_SET) return is_set;
  const orr__field *field = &row->model->fields[where->field];
  int order;
  if (orr__field_is_text(field)) {
    const char *text = orr__get_str(row, where->field);
    if (where->compare == ORR_PREFIX) return orr__starts_with(text, where->text);
    order = strcmp(text, where->text);
  } else if (field->type == ORR_T_NUM) {
    order = order_of(orr__get_num(row, where->field), (double)where->number);
  } else {
    order = order_of_int(orr__get_int(row, where->field), where->number);
  }
  switch (where->compare) {
    case ORR_EQ: return order == 0;
    case ORR_NE: return order != 0;
    case ORR_LT: return order < 0;
    case ORR_LE: return order <= 0;
    case ORR_GT: return order > 0;
    default: return order >= 0;
  }
}

static bool fulfils_all(const orr__object *row, const orr__query *query) {
  for (size_t i = 0; i < query->where_count; i++)
    if (!fulfils(row, &query->where[i])) return false;
  return true;
}

static int compare_rows(const void *left, const void *right, void *arg) {
  const orr__object *a = *(orr__object *const *)left, *b = *(orr__object *const *)right;
  const orr__query *query = arg;
  int field = query->order_field;
  int order = (int)orr__object_has(a, field) - (int)orr__object_has(b, field);
  if (order == 0 && orr__object_has(a, field)) {
    const orr__field *facts = &a->model->fields[field];
    if (orr__field_is_text(facts)) order = strcmp(orr__get_str(a, field), orr__get_str(b, field));
    else if (facts->type == ORR_T_NUM) order = order_of(orr__get_num(a, field), orr__get_num(b, field));
    else order = order_of_int(orr__get_int(a, field), orr__get_int(b, field));
  }
  if (order == 0) order = order_of_int(orr__object_id(a), orr__object_id(b));
  return query->is_descending ? -order : order;
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* A copy with just these fields. */
static int add_copy(orr__slot *slot, const orr__object *row, uint64_t fields) {
  orr__object *copy = orr__object_new(row->model->id);
  int code = copy ? 0 : ORR_E_NOMEM;
  for (uint64_t rest = fields & row->set; rest && !code; rest &= rest - 1)
    code = orr__copy_field(copy, row, __builtin_ctzll(rest));
  if (code) {
    orr__object_free(copy);
    return code;
  }
  orr__object_clean(copy);
  return orr__slot_add(slot, copy);
}

static int run_query(const orr__memory_table *table, const orr__query *query, bool is_count, orr__slot *slot) {
  bool is_sorted = query->order_field > 0 && !is_count;
  size_t end = query->skip < SIZE_MAX - query->limit ? query->skip + query->limit : SIZE_MAX;
  size_t limit = is_count || is_sorted ? SIZE_MAX : end;
  orr__object **found = malloc((table->count + 1) * sizeof *found);
  if (!found) return ORR_E_NOMEM;
  size_t count = 0;
  for (size_t i = 0; i < table->count && count < limit; i++) {
    orr__object *row = table->rows[query->is_descending ? table->count - 1 - i : i];
    if (fulfils_all(row, query)) found[count++] = row;
  }
  int code = 0;
  if (is_count) {
    slot->number = (int64_t)count;
  } else {
    if (is_sorted) qsort_r(found, count, sizeof *found, compare_rows, (void *)query);
    for (size_t i = query->skip; i < count && i < end && !code; i++) code = add_copy(slot, found[i], query->fields);
  }
  free(found);
  return code;
}

static int get_into(const orr__memory_table *tables, enum orr__model_id model, int64_t id, void *ret_typed) {
  const orr__object *row = id ? orr__memory_table_find(&tables[model], id) : NULL;
  orr__object *copy = row ? orr__object_copy(row) : NULL;
  *(void **)ret_typed = copy;
  return row && !copy ? ORR_E_NOMEM : 0;
}

static int run_graph(const orr__memory_table *tables, const orr__step *step, orr__slot *slot) {
  orr__graph *graph = &slot->graph;
  if (step->model == ORR_M_connection) {
    int code = get_into(tables, ORR_M_connection, step->id, &graph->connection);
    slot->has_graph = graph->connection != NULL;
    return code;
  }
  int64_t backup = step->id, server = 0, cloud = 0;
  if (step->model == ORR_M_result) {
    int code = get_into(tables, ORR_M_result, step->id, &graph->result);
    if (code || !graph->result) return code;
    backup = graph->result->backupId;
    server = graph->result->computeServerId;
  }
  int code = get_into(tables, ORR_M_backup, backup, &graph->backup);
  slot->has_graph = graph->result || graph->backup;
  if (!code && graph->backup) {
    if (!server) server = graph->backup->computeServerId;
    cloud = graph->backup->cloudId;
    code = get_into(tables, ORR_M_connection, graph->backup->backupProviderId, &graph->connection);
  }
  if (!code) code = get_into(tables, ORR_M_server, server, &graph->server);
  if (!code && graph->server && graph->server->cloudId) cloud = graph->server->cloudId;
  if (!code) code = get_into(tables, ORR_M_cloud, cloud, &graph->cloud);
  return code;
}

int orr__memory_read(const orr__memory_table *tables, const orr__step *step, orr__slot *slot) {
  if (step->kind == ORR_STEP_GRAPH) return run_graph(tables, step, slot);
  if (step->kind == ORR_STEP_QUERY || step->kind == ORR_STEP_COUNT)
    return run_query(&tables[step->query->model], step->query, step->kind == ORR_STEP_COUNT, slot);
  const orr__object *row = orr__memory_table_find(&tables[step->model], step->id);
  return row ? add_copy(slot, row, orr__model_stored(row->model)) : 0;
}
