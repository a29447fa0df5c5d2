/* The schema: made from the models' descriptors, changed by numbered migrations.
 *
 *   version 0, no tables    -> all tables from the descriptors, version := the latest
 *   version v < the latest  -> migrations v+1 ... latest, in order
 *   version = the latest    -> nothing
 *   version > the latest    -> NEWER
 *   and then in every case  -> columns and indexes that the descriptors have and the tables have not are added
 *
 * All of it is one transaction. So a new field that may be unset is one line in a .def and nothing here: older
 * programs name their columns and are not disturbed by it. Everything else (a new model, a new REQUIRED field, a new word of
 * status, another rule) takes a migration.
 *
 * AUTOINCREMENT keeps ids from being given out again after the newest rows are deleted: SQLite writes the greatest
 * id of a table in the very statement that inserts it, so no path can forget to.
 *
 * Deliberately does not know what the rows are for, but for one rule, which is the point of having it here: a
 * result is in a terminal status, or due, or in attention. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/status.h"
#include "store/sqlite.h"

/* Number 1 is the descriptors themselves. */
const orr__sqlite_migration orr__sqlite_migrations[] = {
  {1, NULL, NULL}, {2, NULL, "orphan"}, {3, NULL, "provider"}, {4, NULL, "providerVersion"},
};
const size_t orr__sqlite_migration_count = sizeof orr__sqlite_migrations / sizeof *orr__sqlite_migrations;

/* ---- building statements ------------------------------------------------------------------------------------- */

/* Comparisons and no IN: for a list of three and more SQLite fills a table of its own, each time a statement is run. */
void orr__sqlite_is_status(orr__buf *sql, const char *column, bool only_terminal) {
  const char *before = "(";
  const char *word;
  for (unsigned i = 0; (word = orr__status_at(i)) != NULL; i++) {
    if (only_terminal && !orr__status_is_terminal(word)) continue;
    orr__buf_addf(sql, "%s\"%s\" = '%s'", before, column, word);
    before = " OR ";
  }
  orr__buf_addc(sql, ')');
}

void orr__sqlite_rule(orr__buf *sql) {
  /* What is true of most rows comes first. A NULL status must come out false, not NULL: a CHECK lets NULL pass. */
  orr__buf_adds(sql, "(\"nextActionDate\" IS NOT NULL OR \"attention\" IS NOT NULL OR \"status\" IS NOT NULL AND ");
  orr__sqlite_is_status(sql, "status", true);
  orr__buf_addc(sql, ')');
}

static const char *column_type(const orr__field *field) {
  if (orr__field_is_text(field)) return "TEXT";
  return field->type == ORR_T_NUM ? "REAL" : "INTEGER";
}

static void add_column(orr__buf *sql, const orr__field *field) {
  orr__buf_addf(sql, "\"%s\" %s", field->name, column_type(field));
  if (field->flags & ORR_FIELD_REQUIRED) orr__buf_adds(sql, " NOT NULL");
  if (field->type == ORR_T_BOOL) orr__buf_addf(sql, " CHECK (\"%s\" IN (0, 1))", field->name);
  if (field->type == ORR_T_STATUS) {
    orr__buf_addf(sql, " CONSTRAINT \"%s_words\" CHECK ", field->name);
    orr__sqlite_is_status(sql, field->name, false);
  }
}

static void add_table(orr__buf *sql, const orr__model *model) {
  orr__buf_addf(sql, "CREATE TABLE \"%s\" (\"id\" INTEGER PRIMARY KEY AUTOINCREMENT", model->table);
  for (size_t i = 1; i < model->field_count; i++) {
    if (!orr__field_is_stored(&model->fields[i])) continue;
    orr__buf_adds(sql, ", ");
    add_column(sql, &model->fields[i]);
  }
  if (model->id == ORR_M_result) {
    orr__buf_adds(sql, ", CONSTRAINT \"result_rule\" CHECK ");
    orr__sqlite_rule(sql);
  }
  orr__buf_adds(sql, ") STRICT;\n");
}

static void add_indexes(orr__buf *sql, const orr__model *model) {
  for (size_t i = 1; i < model->field_count; i++) {
    const orr__field *field = &model->fields[i];
    bool is_unique = field->flags & ORR_FIELD_UNIQUE;
    if (!orr__field_is_stored(field) || !(is_unique || field->flags & ORR_FIELD_INDEX)) continue;
    orr__buf_addf(sql, "CREATE %sINDEX IF NOT EXISTS \"%s_%s\" ON \"%s\" (\"%s\")", is_unique ? "UNIQUE " : "",
                  model->table, field->name, model->table, field->name);
    /* Rows without a value are not looked for by it: most events have no result, most results no next action. */
    if (!(field->flags & ORR_FIELD_REQUIRED)) orr__buf_addf(sql, " WHERE \"%s\" IS NOT NULL", field->name);
    orr__buf_adds(sql, ";\n");
  }
}

/* ---- looking at what is there -------------------------------------------------------------------------------- */

int orr__sqlite_latest(const orr__sqlite_migration *migrations, size_t count) {
  return migrations[count - 1].version;
}

int orr__sqlite_identify(const orr__sqlite *self, int latest, bool *ret_is_empty, orr_error *reterr) {
  int64_t version, application, count;
  int code = orr__sqlite_number(self, "PRAGMA user_version", &version, reterr);
  if (!code) code = orr__sqlite_number(self, "PRAGMA application_id", &application, reterr);
  if (!code) code = orr__sqlite_number(self, "SELECT count(*) FROM sqlite_schema", &count, reterr);
  if (code) return code;
  *ret_is_empty = version == 0 && count == 0 && application == 0;
  if (*ret_is_empty) return 0;
  if (application != ORR_SQLITE_APPLICATION)
    return orr__error_set(reterr, ORR_E_CORRUPT, "'%s' is a database of another program", self->path);
  if (version > latest)
    return orr__error_set(reterr, ORR_E_NEWER,
                          "database '%s' has schema %lld and this orrery knows up to %d: use the newer one", self->path,
                          (long long)version, latest);
  return 0;
}

/* The fields of a model that the table has no column for, a bit each. */
static int missing_columns(const orr__sqlite *self, const orr__model *model, uint64_t *ret_mask, orr_error *reterr) {
  uint64_t mask = orr__model_stored(model);
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(self->db, "SELECT name FROM pragma_table_info(?1)", -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(statement, 1, model->table, -1, SQLITE_STATIC);
  while (rc == SQLITE_OK || rc == SQLITE_ROW) {
    rc = sqlite3_step(statement);
    if (rc != SQLITE_ROW) break;
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    for (size_t i = 0; i < model->field_count; i++)
      if (orr__streq(name, model->fields[i].name)) mask &= ~ORR_BIT(i);
  }
  sqlite3_finalize(statement);
  if (rc != SQLITE_DONE) return orr__sqlite_error(self, rc, reterr);
  *ret_mask = mask;
  return 0;
}

/* ---- changing it --------------------------------------------------------------------------------------------- */

static int run_text(const orr__sqlite *self, orr__buf *sql, orr_error *reterr) {
  if (orr__buf_error(sql)) return orr__error_set(reterr, orr__buf_error(sql), "the schema's text is too long");
  int code = sql->len ? orr__sqlite_do(self, orr__buf_text(sql), reterr) : 0;
  orr__buf_reset(sql);
  return code;
}

/* Adds what the descriptors have more than the tables. */
static int follow(const orr__sqlite *self, orr__buf *sql, orr_error *reterr) {
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    uint64_t missing = 0;
    int code = missing_columns(self, model, &missing, reterr);
    if (code) return code;
    if (missing & ORR_BIT(0))
      return orr__error_set(reterr, ORR_E_CORRUPT, "database '%s' has no table %s", self->path, model->table);
    for (size_t i = 1; i < model->field_count; i++) {
      if (!(missing & ORR_BIT(i))) continue;
      orr__buf_addf(sql, "ALTER TABLE \"%s\" ADD COLUMN ", model->table);
      add_column(sql, &model->fields[i]);
      orr__buf_adds(sql, ";\n");
    }
    add_indexes(sql, model);
    code = run_text(self, sql, reterr);
    if (code) return code;
  }
  return 0;
}

static void add_migration(orr__buf *sql, const orr__sqlite_migration *migration) {
  if (migration->sql) orr__buf_adds(sql, migration->sql);
  for (int m = 0; migration->model && m < ORR_M_COUNT; m++)
    if (orr__streq(orr__models[m].name, migration->model)) add_table(sql, &orr__models[m]);
}

static int bring_up(const orr__sqlite *self, const orr__sqlite_migration *migrations, size_t count, orr__buf *sql,
                    orr_error *reterr) {
  int latest = orr__sqlite_latest(migrations, count);
  bool is_empty;
  int64_t version;
  int code = orr__sqlite_identify(self, latest, &is_empty, reterr);
  if (!code) code = orr__sqlite_number(self, "PRAGMA user_version", &version, reterr);
  if (code) return code;
  if (is_empty) {
    for (int m = 0; m < ORR_M_COUNT; m++) add_table(sql, &orr__models[m]);
  } else {
    for (size_t i = 0; i < count; i++)
      if (migrations[i].version > version) add_migration(sql, &migrations[i]);
  }
  code = run_text(self, sql, reterr);
  if (!code) code = follow(self, sql, reterr);
  if (code || version == latest) return code;
  orr__buf_addf(sql, "PRAGMA user_version = %d; PRAGMA application_id = %d;", latest, ORR_SQLITE_APPLICATION);
  return run_text(self, sql, reterr);
}

int orr__sqlite_migrate(const orr__sqlite *self, const orr__sqlite_migration *migrations, size_t count,
                        orr_error *reterr) {
  orr__buf sql;
  orr__buf_init(&sql, ORR_SQLITE_TEXT);
  int code = orr__sqlite_do(self, "BEGIN EXCLUSIVE", reterr);
  if (!code) code = bring_up(self, migrations, count, &sql, reterr);
  if (!code) code = orr__sqlite_do(self, "COMMIT", reterr);
  if (code && !sqlite3_get_autocommit(self->db)) sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
  orr__buf_clear(&sql);
  return code;
}
