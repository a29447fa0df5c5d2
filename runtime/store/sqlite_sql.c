/* From steps to prepared statements, of which the latest used are kept.
 *
 * Deliberately does not bind or run them. Two steps share a statement when their keys are equal: kind, model, the
 * mask of fields and the shape of the conditions, never values. Parameter ?n+1 of inserts and updates is field n,
 * so ?1 is the id; conditions take ?1, ?2, ... in their order; everything else takes ?1.
 *
 * Invariant: a cached statement has been reset before it is handed out again. */
#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "store/sqlite.h"

/* ---- choosing an index --------------------------------------------------------------------------------------- */

static bool is_found_by_index(const orr__model *model, const orr__where *where) {
  const orr__field *field = &model->fields[where->field];
  bool is_point = where->compare == ORR_EQ || where->compare == ORR_PREFIX;
  return is_point && (where->field == 0 || field->flags & (ORR_FIELD_UNIQUE | ORR_FIELD_INDEX));
}

/* The field whose index holds just the rows that have a value in it, where the query wants those and has nothing
 * better to look them up by; 0 if there is none. SQLite would read the whole table: it does not see that such an
 * index is small. */
static int find_narrow(const orr__query *query) {
  if (!query) return 0;
  const orr__model *model = &orr__models[query->model];
  int narrow = 0;
  for (size_t i = 0; i < query->where_count; i++) {
    const orr__where *where = &query->where[i];
    unsigned flags = model->fields[where->field].flags;
    if (is_found_by_index(model, where)) return 0;
    if (where->compare == ORR_IS_SET && flags & ORR_FIELD_INDEX && !(flags & ORR_FIELD_REQUIRED)) narrow = where->field;
  }
  return narrow;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

enum column_form { AS_NAME, AS_PARAMETER, AS_ASSIGNMENT };

static void add_columns(orr__buf *sql, const orr__model *model, uint64_t fields, enum column_form form) {
  const char *comma = "";
  for (size_t i = 0; i < model->field_count; i++) {
    if (!(fields & ORR_BIT(i))) continue;
    orr__buf_adds(sql, comma);
    if (form != AS_PARAMETER) orr__buf_addf(sql, "\"%s\"", model->fields[i].name);
    if (form == AS_ASSIGNMENT) orr__buf_adds(sql, " = ");
    if (form != AS_NAME) orr__buf_addf(sql, "?%zu", i + 1);
    comma = ", ";
  }
}

static void add_condition(orr__buf *sql, const orr__model *model, const orr__where *where, int *param) {
  static const char *const operators[] = {"=", "<>", "<", "<=", ">", ">="};
  const char *name = model->fields[where->field].name;
  switch (where->compare) {
    case ORR_IS_SET: orr__buf_addf(sql, "\"%s\" IS NOT NULL", name); return;
    case ORR_IS_UNSET: orr__buf_addf(sql, "\"%s\" IS NULL", name); return;
    case ORR_PREFIX:
      /* No UTF-8 text has the byte FF: below it is everything that begins so. */
      orr__buf_addf(sql, "\"%s\" >= ?%d AND \"%s\" < (?%d || CAST(x'ff' AS TEXT))", name, *param, name, *param);
      break;
    default: orr__buf_addf(sql, "\"%s\" %s ?%d", name, operators[where->compare], *param); break;
  }
  ++*param;
}

static void add_query(orr__buf *sql, const orr__query *query, bool is_count) {
  const orr__model *model = &orr__models[query->model];
  int narrow = find_narrow(query);
  orr__buf_adds(sql, "SELECT ");
  if (is_count) orr__buf_adds(sql, "count(*)");
  else add_columns(sql, model, query->fields, AS_NAME);
  orr__buf_addf(sql, " FROM \"%s\"", model->table);
  if (narrow) orr__buf_addf(sql, " INDEXED BY \"%s_%s\"", model->table, model->fields[narrow].name);
  int param = 1;
  for (size_t i = 0; i < query->where_count; i++) {
    orr__buf_adds(sql, i ? " AND " : " WHERE ");
    add_condition(sql, model, &query->where[i], &param);
  }
  if (is_count) return;
  const char *direction = query->is_descending ? " DESC" : "";
  orr__buf_adds(sql, " ORDER BY ");
  if (query->order_field > 0)
    orr__buf_addf(sql, "\"%s\"%s, ", model->fields[query->order_field].name, direction);
  orr__buf_addf(sql, "\"id\"%s LIMIT ?%d", direction, param);
  if (query->skip) orr__buf_addf(sql, " OFFSET ?%d", param + 1);
}

static void add_update(orr__buf *sql, const orr__model *model, uint64_t mask) {
  orr__buf_addf(sql, "UPDATE \"%s\" SET ", model->table);
  add_columns(sql, model, mask, AS_ASSIGNMENT);
  orr__buf_adds(sql, " WHERE \"id\" = ?1");
  if (model->id != ORR_M_result || !(mask & ORR_BIT(ORR_F_result_status))) return;
  orr__buf_addf(sql, " AND (\"status\" IS ?%d OR \"status\" IS NULL OR NOT ", ORR_F_result_status + 1);
  orr__sqlite_is_status(sql, "status", true);
  orr__buf_addc(sql, ')');
}

static void add_text(orr__buf *sql, const orr__step *step) {
  const orr__model *model = &orr__models[step->model];
  const char *field = model->fields[step->field].name;
  switch (step->kind) {
    case ORR_STEP_INSERT:
      orr__buf_addf(sql, "INSERT INTO \"%s\" (", model->table);
      add_columns(sql, model, orr__model_stored(model), AS_NAME);
      orr__buf_adds(sql, ") VALUES (");
      add_columns(sql, model, orr__model_stored(model), AS_PARAMETER);
      orr__buf_adds(sql, ")");
      break;
    case ORR_STEP_UPDATE: add_update(sql, model, step->mask); break;
    case ORR_STEP_DELETE: orr__buf_addf(sql, "DELETE FROM \"%s\" WHERE \"id\" = ?1", model->table); break;
    case ORR_STEP_DELETE_WHERE:
      orr__buf_addf(sql, "DELETE FROM \"%s\" WHERE \"%s\" = ?1", model->table, field);
      break;
    case ORR_STEP_PRUNE: orr__buf_addf(sql, "DELETE FROM \"%s\" WHERE \"id\" <= ?1", model->table); break;
    case ORR_STEP_GUARD_STR:
    case ORR_STEP_GUARD_INT:
      orr__buf_addf(sql, "SELECT \"%s\" FROM \"%s\" WHERE \"id\" = ?1", field, model->table);
      break;
    case ORR_STEP_GUARD_NONE:
      orr__buf_addf(sql, "SELECT 1 FROM \"%s\" WHERE \"%s\" = ?1 LIMIT 1", model->table, field);
      break;
    case ORR_STEP_GET:
      orr__buf_adds(sql, "SELECT ");
      add_columns(sql, model, orr__model_stored(model), AS_NAME);
      orr__buf_addf(sql, " FROM \"%s\" WHERE \"id\" = ?1", model->table);
      break;
    case ORR_STEP_QUERY: add_query(sql, step->query, false); break;
    case ORR_STEP_COUNT: add_query(sql, step->query, true); break;
    case ORR_STEP_GRAPH:
    case ORR_STEP_RESEAL:
    case ORR_STEP_SETTLE: assert(!"a step without a statement of its own"); break;
  }
}

/* ---- the cache ----------------------------------------------------------------------------------------------- */

static void put(orr__sqlite_key *key, const void *bytes, size_t len) {
  memcpy(key->bytes + key->len, bytes, len);
  key->len += len;
}

static void make_key(const orr__step *step, orr__sqlite_key *key) {
  const orr__query *query = step->query;
  unsigned char head[] = {
      (unsigned char)step->kind,
      (unsigned char)step->model,
      (unsigned char)step->field,
      query && query->order_field > 0 ? (unsigned char)query->order_field : 0,
      query && query->is_descending,
      query && query->skip,
  };
  uint64_t mask = query ? query->fields : step->kind == ORR_STEP_UPDATE ? step->mask : 0;
  key->len = 0;
  put(key, head, sizeof head);
  put(key, &mask, sizeof mask);
  for (size_t i = 0; query && i < query->where_count; i++) {
    unsigned char pair[] = {(unsigned char)query->where[i].field, (unsigned char)query->where[i].compare};
    put(key, pair, sizeof pair);
  }
}

static int prepare(const orr__sqlite *self, const orr__step *step, sqlite3_stmt **ret_statement, orr_error *reterr) {
  orr__buf sql;
  orr__buf_init(&sql, ORR_SQLITE_TEXT);
  add_text(&sql, step);
  int code = orr__buf_error(&sql);
  if (code) {
    orr__error_set(reterr, code, "a statement's text is too long");
  } else {
    int rc = sqlite3_prepare_v3(self->db, orr__buf_text(&sql), (int)sql.len + 1, SQLITE_PREPARE_PERSISTENT,
                                ret_statement, NULL);
    if (rc) code = orr__sqlite_error(self, rc, reterr);
  }
  orr__buf_clear(&sql);
  return code;
}

int orr__sqlite_prepare(orr__sqlite *self, const orr__step *step, sqlite3_stmt **ret_statement, orr_error *reterr) {
  orr__sqlite_key key;
  make_key(step, &key);
  uint64_t hash = orr__hash64(key.bytes, key.len);
  size_t oldest = 0;
  for (size_t i = 0; i < ORR_SQLITE_STATEMENTS; i++) {
    orr__sqlite_cached *entry = &self->cached[i];
    if (self->hashes[i] == hash && entry->statement && entry->key.len == key.len &&
        memcmp(entry->key.bytes, key.bytes, key.len) == 0) {
      entry->used = ++self->clock;
      *ret_statement = entry->statement;
      return 0;
    }
    if (entry->used < self->cached[oldest].used) oldest = i;
  }
  sqlite3_stmt *statement = NULL;
  int code = prepare(self, step, &statement, reterr);
  if (code) return code;
  orr__sqlite_cached *entry = &self->cached[oldest];
  sqlite3_finalize(entry->statement);
  *entry = (orr__sqlite_cached){.statement = statement, .used = ++self->clock, .key = key};
  self->hashes[oldest] = hash;
  *ret_statement = statement;
  return 0;
}

void orr__sqlite_forget(orr__sqlite *self) {
  for (size_t i = 0; i < ORR_SQLITE_STATEMENTS; i++) {
    sqlite3_finalize(self->cached[i].statement);
    self->cached[i] = (orr__sqlite_cached){0};
    self->hashes[i] = 0;
  }
  for (size_t i = 0; i < ORR_SQLITE_FIXED_COUNT; i++) {
    sqlite3_finalize(self->fixed[i]);
    self->fixed[i] = NULL;
  }
}
