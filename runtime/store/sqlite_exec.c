/* Carrying out a transaction's steps on SQLite, inside the transaction that the group has opened.
 *
 * Deliberately does not know groups, commits or threads. All or none: a savepoint is taken before the first write,
 * unless that write is the last step, since a single statement undoes itself; so the commonest transaction, one
 * that writes one row, goes without.
 *
 * Constraints are the last word and the words are ours: what SQLite refuses is looked up and told as the twin in
 * memory tells it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/sqlite.h"

static const char *const fixed_sql[ORR_SQLITE_FIXED_COUNT] = {
    [ORR_SQLITE_BEGIN_READ] = "BEGIN",     [ORR_SQLITE_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [ORR_SQLITE_COMMIT] = "COMMIT",        [ORR_SQLITE_ROLLBACK] = "ROLLBACK",
    [ORR_SQLITE_SAVE] = "SAVEPOINT tx",    [ORR_SQLITE_RELEASE] = "RELEASE tx",
    [ORR_SQLITE_UNDO] = "ROLLBACK TO tx",
};

int orr__sqlite_step_fixed(orr__sqlite *self, enum orr__sqlite_fixed which, orr_error *reterr) {
  int rc = SQLITE_OK;
  if (!self->fixed[which])
    rc = sqlite3_prepare_v3(self->db, fixed_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &self->fixed[which], NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(self->fixed[which]);
  int code = rc == SQLITE_DONE ? 0 : orr__sqlite_error(self, rc, reterr);
  sqlite3_reset(self->fixed[which]);
  return code;
}

/* A result code of a writing statement: some mean that the file cannot be trusted from here on. */
static int write_error(orr__sqlite *self, int rc, orr_error *reterr) {
  int primary = rc & 0xff;
  if (primary == SQLITE_FULL || primary == SQLITE_IOERR || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
    self->is_broken = true;
  return orr__sqlite_error(self, rc, reterr);
}

/* ---- values in and out --------------------------------------------------------------------------------------- */

void orr__sqlite_context(const orr__model *model, const orr__field *field, char out[ORR_SQLITE_CONTEXT]) {
  snprintf(out, ORR_SQLITE_CONTEXT, "%s.%s", model->table, field->name);
}

static int bind_text(orr__sqlite *self, sqlite3_stmt *statement, int param, const orr__model *model, int field,
                     const char *text, orr_error *reterr) {
  const orr__field *facts = &model->fields[field];
  int rc;
  if (facts->flags & ORR_FIELD_SECRET && self->codec.seal) {
    char context[ORR_SQLITE_CONTEXT];
    char *sealed = NULL;
    orr__sqlite_context(model, facts, context);
    int code = self->codec.seal(self->codec.self, context, text, &sealed);
    if (code) return orr__error_set(reterr, code, "%s cannot be sealed", context);
    rc = sqlite3_bind_text(statement, param, sealed, -1, free);
  } else {
    /* Static: the text lives in the transaction, and every parameter is bound anew before the next step. */
    rc = sqlite3_bind_text(statement, param, text, -1, SQLITE_STATIC);
  }
  return rc ? orr__sqlite_error(self, rc, reterr) : 0;
}

static int bind_values(orr__sqlite *self, sqlite3_stmt *statement, const orr__step *step, orr_error *reterr) {
  const orr__model *model = &orr__models[step->model];
  int rc = sqlite3_bind_int64(statement, 1, step->id);
  const orr__value *value = step->values;
  for (uint64_t rest = step->mask; rest && !rc; rest &= rest - 1, value++) {
    int field = __builtin_ctzll(rest);
    if (!(step->set & ORR_BIT(field))) {
      rc = sqlite3_bind_null(statement, field + 1);
    } else if (orr__field_is_text(&model->fields[field])) {
      int code = bind_text(self, statement, field + 1, model, field, value->text, reterr);
      if (code) return code;
    } else if (model->fields[field].type == ORR_T_NUM) {
      rc = sqlite3_bind_double(statement, field + 1, value->number);
    } else {
      rc = sqlite3_bind_int64(statement, field + 1, value->integer);
    }
  }
  return rc ? orr__sqlite_error(self, rc, reterr) : 0;
}

static int read_secret(orr__sqlite *self, orr__object *object, int field, const char *text, orr_error *reterr) {
  char context[ORR_SQLITE_CONTEXT];
  char *opened = NULL;
  orr__sqlite_context(object->model, &object->model->fields[field], context);
  int code = self->codec.open(self->codec.self, context, text, &opened, reterr);
  if (!code) code = orr__set_str(object, field, opened);
  free(opened);
  return code;
}

/* What a row has, one per column; NULL where it has nothing. They are looked at without the column functions' locks, which one connection
 * in one thread may: https://www.sqlite.org/c3ref/column_blob.html says "not threadsafe", not more. */
typedef struct row_values {
  sqlite3_value *at[64];
  size_t room;      /* what all texts but the sealed ones take */
} row_values;

static bool is_sealed(const orr__sqlite *self, const orr__field *facts) {
  return facts->flags & ORR_FIELD_SECRET && self->codec.open;
}

static int find_values(const orr__sqlite *self, sqlite3_stmt *statement, const orr__model *model, uint64_t fields,
                       row_values *values, orr_error *reterr) {
  int column = 0;
  values->room = 0;
  for (uint64_t rest = fields; rest; rest &= rest - 1, column++) {
    sqlite3_value *value = sqlite3_column_value(statement, column);
    const orr__field *facts = &model->fields[__builtin_ctzll(rest)];
    bool is_set = sqlite3_value_type(value) != SQLITE_NULL;
    values->at[column] = is_set ? value : NULL;
    if (!is_set || !orr__field_is_text(facts)) continue;
    if (!sqlite3_value_text(value)) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    if (!is_sealed(self, facts)) values->room += (size_t)sqlite3_value_bytes(value) + 1;
  }
  return 0;
}

/* The statement's present row; its columns are the fields of the mask. Object and texts are one block of memory. */
static int read_row(orr__sqlite *self, sqlite3_stmt *statement, const orr__model *model, uint64_t fields,
                    orr__object **ret_object, orr_error *reterr) {
  row_values values;
  int code = find_values(self, statement, model, fields, &values, reterr);
  if (code) return code;
  orr__object *object = orr__object_new_with_room(model->id, values.room);
  if (!object) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int column = 0;
  for (uint64_t rest = fields; rest && !code; rest &= rest - 1, column++) {
    sqlite3_value *value = values.at[column];
    if (!value) continue;
    int field = __builtin_ctzll(rest);
    const orr__field *facts = &model->fields[field];
    if (orr__field_is_text(facts)) {
      const char *text = (const char *)sqlite3_value_text(value);
      if (is_sealed(self, facts)) code = read_secret(self, object, field, text, reterr);
      else code = orr__fill_str(object, field, text, (size_t)sqlite3_value_bytes(value));
    } else if (facts->type == ORR_T_NUM) {
      code = orr__set_num(object, field, sqlite3_value_double(value));
    } else {
      code = orr__set_int(object, field, sqlite3_value_int64(value));
    }
  }
  if (code) {
    orr__object_free(object);
    return code;
  }
  orr__object_clean(object);
  *ret_object = object;
  return 0;
}

/* ---- reads --------------------------------------------------------------------------------------------------- */

/* *ret_object is NULL if there is no such row. */
static int get(orr__sqlite *self, enum orr__model_id model, int64_t id, orr__object **ret_object, orr_error *reterr) {
  orr__step step = {.kind = ORR_STEP_GET, .model = model, .id = id};
  sqlite3_stmt *statement;
  int code = orr__sqlite_prepare(self, &step, &statement, reterr);
  if (code) return code;
  *ret_object = NULL;
  int rc = sqlite3_bind_int64(statement, 1, id);
  if (!rc) rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW) {
    const orr__model *facts = &orr__models[model];
    code = read_row(self, statement, facts, orr__model_stored(facts), ret_object, reterr);
  } else if (rc != SQLITE_DONE) {
    code = orr__sqlite_error(self, rc, reterr);
  }
  sqlite3_reset(statement);
  return code;
}

/* Graphs that are loaded together mostly have the same Backup, connection, server and cloud: each is read, and its secrets are opened, once. */
static int get_into(orr__sqlite *self, enum orr__model_id model, int64_t id, void *ret_typed, orr_error *reterr) {
  const orr__object *last = self->last[model];
  orr__object *object = NULL;
  int code = 0;
  if (last && orr__object_id(last) == id) {
    object = orr__object_copy(last);
    if (!object) code = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  } else if (id) {
    code = get(self, model, id, &object, reterr);
  }
  if (object) self->last[model] = object;
  *(void **)ret_typed = object;
  return code;
}

static int run_graph(orr__sqlite *self, const orr__step *step, orr__slot *slot, orr_error *reterr) {
  orr__graph *graph = &slot->graph;
  int code = 0;
  if (step->model == ORR_M_connection) {
    code = get_into(self, ORR_M_connection, step->id, &graph->connection, reterr);
    slot->has_graph = graph->connection != NULL;
    return code;
  }
  int64_t backup = step->id;
  if (step->model == ORR_M_result) {
    code = get_into(self, ORR_M_result, step->id, &graph->result, reterr);
    if (code || !graph->result) return code;
    backup = graph->result->backupId;
  }
  code = get_into(self, ORR_M_backup, backup, &graph->backup, reterr);
  slot->has_graph = graph->result || graph->backup;
  int64_t server = graph->result ? graph->result->computeServerId : 0;
  int64_t cloud = 0;
  if (!code && graph->backup) {
    if (!server) server = graph->backup->computeServerId;
    cloud = graph->backup->cloudId;
    code = get_into(self, ORR_M_connection, graph->backup->backupProviderId, &graph->connection, reterr);
  }
  if (!code) code = get_into(self, ORR_M_server, server, &graph->server, reterr);
  if (!code && graph->server && graph->server->cloudId) cloud = graph->server->cloudId;
  if (!code) code = get_into(self, ORR_M_cloud, cloud, &graph->cloud, reterr);
  return code;
}

/* Binds the conditions; returns the next parameter's number in *ret_param. */
static int bind_where(sqlite3_stmt *statement, const orr__query *query, int *ret_param) {
  int param = 1;
  int rc = SQLITE_OK;
  for (size_t i = 0; i < query->where_count && !rc; i++) {
    const orr__where *where = &query->where[i];
    if (where->compare == ORR_IS_SET || where->compare == ORR_IS_UNSET) continue;
    if (where->text) rc = sqlite3_bind_text(statement, param++, where->text, -1, SQLITE_STATIC);
    else rc = sqlite3_bind_int64(statement, param++, where->number);
  }
  *ret_param = param;
  return rc;
}

static int run_query(orr__sqlite *self, const orr__step *step, orr__slot *slot, orr_error *reterr) {
  const orr__query *query = step->query;
  sqlite3_stmt *statement;
  int code = orr__sqlite_prepare(self, step, &statement, reterr);
  if (code) return code;
  int param;
  int rc = bind_where(statement, query, &param);
  if (!rc && step->kind == ORR_STEP_QUERY) rc = sqlite3_bind_int64(statement, param, (sqlite3_int64)query->limit);
  if (!rc && step->kind == ORR_STEP_QUERY && query->skip) rc = sqlite3_bind_int64(statement, param + 1, (sqlite3_int64)query->skip);
  while (!rc && !code && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    rc = SQLITE_OK;
    if (step->kind == ORR_STEP_COUNT) {
      slot->number = sqlite3_column_int64(statement, 0);
      continue;
    }
    orr__object *row = NULL;
    code = read_row(self, statement, &orr__models[query->model], query->fields, &row, reterr);
    if (!code) code = orr__slot_add(slot, row);
  }
  if (!code && rc != SQLITE_DONE) code = orr__sqlite_error(self, rc, reterr);
  sqlite3_reset(statement);
  return code;
}

/* ---- guards -------------------------------------------------------------------------------------------------- */

static int run_guard(orr__sqlite *self, const orr__step *step, orr_error *reterr) {
  const orr__model *model = &orr__models[step->model];
  const char *field = model->fields[step->field].name;
  sqlite3_stmt *statement;
  int code = orr__sqlite_prepare(self, step, &statement, reterr);
  if (code) return code;
  int rc = sqlite3_bind_int64(statement, 1, step->id);
  if (!rc) rc = sqlite3_step(statement);
  if (rc == SQLITE_DONE) {
    code = orr__error_set(reterr, ORR_E_CONFLICT, ORR_NOT_FOUND_MESSAGE, model->name, (long long)step->id);
  } else if (rc != SQLITE_ROW) {
    code = orr__sqlite_error(self, rc, reterr);
  } else {
    bool is_set = sqlite3_column_type(statement, 0) != SQLITE_NULL;
    char digits[24];
    const char *wanted = step->text;
    bool holds;
    if (step->kind == ORR_STEP_GUARD_INT) {
      holds = is_set && sqlite3_column_int64(statement, 0) == step->number;
      snprintf(digits, sizeof digits, "%lld", (long long)step->number);
      wanted = digits;
    } else {
      holds = orr__streq((const char *)sqlite3_column_text(statement, 0), step->text);
    }
    if (!holds)
      code = orr__error_set(reterr, ORR_E_CONFLICT, ORR_GUARD_MESSAGE, field, model->name, (long long)step->id,
                            is_set ? (const char *)sqlite3_column_text(statement, 0) : "unset",
                            wanted ? wanted : "unset");
  }
  sqlite3_reset(statement);
  return code;
}

static int run_guard_none(orr__sqlite *self, const orr__step *step, orr_error *reterr) {
  sqlite3_stmt *statement;
  int code = orr__sqlite_prepare(self, step, &statement, reterr);
  if (code) return code;
  int rc = sqlite3_bind_int64(statement, 1, step->number);
  if (!rc) rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW) code = orr__error_set(reterr, ORR_E_REFUSED, "%s", step->text);
  else if (rc != SQLITE_DONE) code = orr__sqlite_error(self, rc, reterr);
  sqlite3_reset(statement);
  return code;
}

/* ---- writes -------------------------------------------------------------------------------------------------- */

/* How many other rows have the text in the field. */
static int count_others(orr__sqlite *self, const orr__step *step, int field, const char *text, int64_t *ret_count,
                        orr_error *reterr) {
  orr__where where[] = {{.field = field, .compare = ORR_EQ, .text = text},
                        {.field = 0, .compare = ORR_NE, .number = step->id}};
  orr__query query = {.model = step->model, .where = where, .where_count = 2, .order_field = -1, .limit = 1};
  orr__step count = {.kind = ORR_STEP_COUNT, .model = step->model, .query = &query};
  orr__slot slot = {0};
  int code = run_query(self, &count, &slot, reterr);
  *ret_count = slot.number;
  return code;
}

/* Tells what a constraint has refused. */
static int explain(orr__sqlite *self, const orr__step *step, int rc, orr_error *reterr) {
  const orr__model *model = &orr__models[step->model];
  if (rc == SQLITE_CONSTRAINT_CHECK && step->model == ORR_M_result)
    return orr__error_set(reterr, ORR_E_CONFLICT, ORR_RULE_MESSAGE, (long long)step->id);
  if (rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)step->id);
    return orr__error_set(reterr, ORR_E_EXISTS, ORR_EXISTS_MESSAGE, model->name, "id", digits);
  }
  if (rc != SQLITE_CONSTRAINT_UNIQUE) return orr__sqlite_error(self, rc, reterr);
  const orr__value *value = step->values;
  for (uint64_t rest = step->mask; rest; rest &= rest - 1, value++) {
    int field = __builtin_ctzll(rest);
    const orr__field *facts = &model->fields[field];
    if (!(facts->flags & ORR_FIELD_UNIQUE && step->set & ORR_BIT(field) && orr__field_is_text(facts))) continue;
    int64_t count = 0;
    int code = count_others(self, step, field, value->text, &count, reterr);
    if (code) return code;
    if (count)
      return orr__error_set(reterr, ORR_E_EXISTS, ORR_EXISTS_MESSAGE, model->name, facts->name, value->text);
  }
  return orr__sqlite_error(self, rc, reterr);
}

/* Nothing was updated: is there no such row, or has it ended? */
static int explain_update(orr__sqlite *self, const orr__step *step, orr_error *reterr) {
  orr__object *row = NULL;
  int code = get(self, step->model, step->id, &row, reterr);
  if (code) return code;
  if (row)
    code = orr__error_set(reterr, ORR_E_CONFLICT, ORR_TERMINAL_MESSAGE, (long long)step->id,
                          orr__get_str(row, ORR_F_result_status));
  else
    code = orr__error_set(reterr, ORR_E_NOT_FOUND, ORR_NOT_FOUND_MESSAGE, orr__models[step->model].name,
                          (long long)step->id);
  orr__object_free(row);
  return code;
}

static int run_write(orr__sqlite *self, const orr__step *step, orr_error *reterr) {
  sqlite3_stmt *statement;
  int code = orr__sqlite_prepare(self, step, &statement, reterr);
  if (code) return code;
  bool has_values = step->kind == ORR_STEP_INSERT || step->kind == ORR_STEP_UPDATE;
  if (has_values) {
    if (step->kind == ORR_STEP_INSERT) sqlite3_clear_bindings(statement);
    code = bind_values(self, statement, step, reterr);
    if (code) return code;
  } else {
    int rc = sqlite3_bind_int64(statement, 1, step->kind == ORR_STEP_DELETE ? step->id : step->number);
    if (rc) return orr__sqlite_error(self, rc, reterr);
  }
  int rc = sqlite3_step(statement);
  sqlite3_reset(statement);
  if ((rc & 0xff) == SQLITE_CONSTRAINT && has_values) return explain(self, step, rc, reterr);
  if (rc != SQLITE_DONE) return write_error(self, rc, reterr);
  if (sqlite3_changes(self->db) > 0) return 0;
  if (step->kind == ORR_STEP_UPDATE || step->kind == ORR_STEP_DELETE) return explain_update(self, step, reterr);
  return 0;
}

/* ---- the transaction ----------------------------------------------------------------------------------------- */

static int run_step(orr__sqlite *self, orr__tx *tx, const orr__step *step, orr_error *reterr) {
  switch (step->kind) {
    case ORR_STEP_INSERT:
    case ORR_STEP_UPDATE:
    case ORR_STEP_DELETE:
    case ORR_STEP_DELETE_WHERE:
    case ORR_STEP_PRUNE: return run_write(self, step, reterr);
    case ORR_STEP_RESEAL: return orr__sqlite_reseal(self, &tx->slots[step->slot].number, reterr);
    case ORR_STEP_SETTLE: return orr__sqlite_settle(self, reterr);
    case ORR_STEP_GUARD_STR:
    case ORR_STEP_GUARD_INT: return run_guard(self, step, reterr);
    case ORR_STEP_GUARD_NONE: return run_guard_none(self, step, reterr);
    case ORR_STEP_GET: {
      orr__object *row = NULL;
      int code = get(self, step->model, step->id, &row, reterr);
      return code || !row ? code : orr__slot_add(&tx->slots[step->slot], row);
    }
    case ORR_STEP_GRAPH: return run_graph(self, step, &tx->slots[step->slot], reterr);
    case ORR_STEP_QUERY:
    case ORR_STEP_COUNT: return run_query(self, step, &tx->slots[step->slot], reterr);
  }
  return ORR_E_MISUSE;
}

int orr__sqlite_run(orr__sqlite *self, orr__tx *tx, orr_error *reterr) {
  bool is_saved = false;
  int code = 0;
  memset(self->last, 0, sizeof self->last);
  for (const orr__step *step = tx->first; step && !code; step = step->next) {
    if (step->kind <= ORR_STEP_LAST_WRITE && step->next && !is_saved) {
      code = orr__sqlite_step_fixed(self, ORR_SQLITE_SAVE, reterr);
      is_saved = !code;
    }
    if (step->kind <= ORR_STEP_LAST_WRITE) memset(self->last, 0, sizeof self->last);
    if (!code) code = run_step(self, tx, step, reterr);
  }
  if (is_saved && !sqlite3_get_autocommit(self->db)) {
    orr_error err = ORR_ERROR_INIT;
    int undo = code ? orr__sqlite_step_fixed(self, ORR_SQLITE_UNDO, &err) : 0;
    if (!undo) undo = orr__sqlite_step_fixed(self, ORR_SQLITE_RELEASE, &err);
    if (undo) {
      self->is_broken = true;
      code = orr__error_move(reterr, &err);
    }
  }
  if (code && reterr && !reterr->code) orr__error_set(reterr, code, "out of memory");
  return code;
}
