/* Looking for what is wrong in a database: damage, and states that no transaction should have left.
 *
 * Deliberately repairs nothing. References of history (journal and events) may dangle, since it outlives what it
 * tells about; all others must lead somewhere. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/sqlite.h"

enum {
  FINDINGS = 100,            /* most lines of one kind */
  REPORT_BYTES = 1 << 20,
};

/* A line per row of the statement: the prefix and its first column. */
static int find_rows(const orr__sqlite *self, const char *sql, const char *prefix, orr__buf *report, size_t *count,
                     orr_error *reterr) {
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);
  while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    rc = SQLITE_OK;
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    if (orr__streq(text, "ok")) continue;
    /* "*** in database main ***" heads what follows; its lines are findings of their own. */
    orr__buf_adds(report, prefix);
    for (const char *c = text ? text : ""; *c; c++) orr__buf_addc(report, *c == '\n' ? ' ' : *c);
    orr__buf_addc(report, '\n');
    ++*count;
  }
  sqlite3_finalize(statement);
  if (rc == SQLITE_DONE) return 0;
  if ((rc & 0xff) != SQLITE_CORRUPT && rc != SQLITE_NOTADB) return orr__sqlite_error(self, rc, reterr);
  orr__buf_addf(report, "%s%s\n", prefix, sqlite3_errmsg(self->db));
  ++*count;
  return 0;
}

static int find_sql(const orr__sqlite *self, orr__buf *sql, orr__buf *report, size_t *count, orr_error *reterr) {
  int code = orr__buf_error(sql);
  if (code) orr__error_set(reterr, code, "out of memory");
  else code = find_rows(self, orr__buf_text(sql), "", report, count, reterr);
  orr__buf_reset(sql);
  return code;
}

static int find_missing_columns(const orr__sqlite *self, orr__buf *sql, orr__buf *report, size_t *count,
                                orr_error *reterr) {
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    for (size_t i = 0; i < model->field_count; i++) {
      /* What came later and may be unset is added when the database is opened the next time, as are whole tables. */
      bool is_required = model->fields[i].flags & ORR_FIELD_REQUIRED && model->fields[0].since == 1;
      bool is_later = model->fields[i].since > 1 && !is_required;
      if (!orr__field_is_stored(&model->fields[i]) || is_later) continue;
      orr__buf_addf(sql,
                    "SELECT 'table %s has no column %s' WHERE NOT EXISTS"
                    " (SELECT 1 FROM pragma_table_info('%s') WHERE name = '%s')",
                    model->table, model->fields[i].name, model->table, model->fields[i].name);
      int code = find_sql(self, sql, report, count, reterr);
      if (code) return code;
    }
  }
  return 0;
}

static int find_broken_rules(const orr__sqlite *self, orr__buf *sql, orr__buf *report, size_t *count,
                             orr_error *reterr) {
  orr__buf_adds(sql, "SELECT 'result ' || id || ' is neither ended, nor due, nor in attention' FROM result WHERE NOT ");
  orr__sqlite_rule(sql);
  orr__buf_addf(sql, " LIMIT %d", FINDINGS);
  int code = find_sql(self, sql, report, count, reterr);
  if (code) return code;
  orr__buf_adds(sql, "SELECT 'result ' || id || ' has the unknown status ' || status FROM result WHERE NOT ");
  orr__sqlite_is_status(sql, "status", false);
  orr__buf_addf(sql, " LIMIT %d", FINDINGS);
  return find_sql(self, sql, report, count, reterr);
}

static int find_dangling(const orr__sqlite *self, orr__buf *sql, orr__buf *report, size_t *count, orr_error *reterr) {
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    if (m == ORR_M_op || m == ORR_M_event) continue;
    for (size_t i = 0; i < model->field_count; i++) {
      const orr__field *field = &model->fields[i];
      if (field->type != ORR_T_REF) continue;
      const char *target = orr__models[field->target].table;
      orr__buf_addf(sql,
                    "SELECT '%s ' || id || ': %s ' || \"%s\" || ' does not exist' FROM \"%s\" WHERE \"%s\" IS NOT NULL"
                    " AND \"%s\" NOT IN (SELECT id FROM \"%s\") LIMIT %d",
                    model->name, field->name, field->name, model->table, field->name, field->name, target, FINDINGS);
      int code = find_sql(self, sql, report, count, reterr);
      if (code) return code;
    }
  }
  return 0;
}

int orr__sqlite_find(const orr__sqlite *self, enum orr__check_mode mode, orr__buf *report, size_t *ret_count,
                     orr_error *reterr) {
  size_t count = 0;
  orr__buf sql;
  orr__buf_init(&sql, ORR_SQLITE_TEXT);
  orr__buf_addf(&sql, "PRAGMA %s(%d)", mode == ORR_CHECK_FULL ? "integrity_check" : "quick_check", FINDINGS);
  int code = find_sql(self, &sql, report, &count, reterr);
  /* Rows of a damaged file prove nothing. */
  if (!code && !count && mode == ORR_CHECK_FULL) code = find_missing_columns(self, &sql, report, &count, reterr);
  if (!code && !count && mode == ORR_CHECK_FULL) code = find_broken_rules(self, &sql, report, &count, reterr);
  if (!code && !count && mode == ORR_CHECK_FULL) code = find_dangling(self, &sql, report, &count, reterr);
  orr__buf_clear(&sql);
  if (!code) *ret_count = count;
  return code;
}

/* SQLite makes a log to read a database that has none; looking must leave nothing. */
static void drop_empty_log(const char *log) {
  struct stat facts;
  if (log && stat(log, &facts) == 0 && facts.st_size == 0) unlink(log);
}

int orr__store_check_as(const char *path, enum orr__check_mode mode, char **ret_report, orr_error *reterr) {
  if (access(path, F_OK) != 0) return orr__error_set(reterr, ORR_E_NOT_FOUND, "there is no database '%s'", path);
  orr__sqlite *self = calloc(1, sizeof *self);
  if (!self || !(self->path = orr__strdup(path))) {
    free(self);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  orr__buf report;
  orr__buf_init(&report, REPORT_BYTES);
  orr_error err = ORR_ERROR_INIT;
  size_t count = 0;
  char *log = orr__strf("%s-wal", path);
  bool had_log = log && access(log, F_OK) == 0;
  int code = orr__sqlite_open(self, false, &err);
  if (!code) code = orr__sqlite_find(self, mode, &report, &count, &err);
  if (code == ORR_E_CORRUPT) {
    orr__buf_addf(&report, "%s\n", orr__error_message(&err));
    count++;
  }
  if (!code && count)
    code = orr__error_set(&err, ORR_E_CORRUPT, "database '%s' has %zu finding%s", path, count, count == 1 ? "" : "s");
  char *text = orr__strdup(orr__buf_text(&report)); /* as far as it goes, where the limit was reached */
  if (!text && (code == 0 || code == ORR_E_CORRUPT)) code = orr__error_set(&err, ORR_E_NOMEM, "out of memory");
  if (code == 0 || code == ORR_E_CORRUPT) *ret_report = text;
  else free(text);
  if (code) orr__error_move(reterr, &err);
  orr__buf_clear(&report);
  orr__sqlite_shut(self, true);
  if (!had_log) drop_empty_log(log);
  free(log);
  free(self->path);
  free(self);
  return code;
}

const char *orr__store_library(void) { return sqlite3_libversion(); }

int orr__store_check(const char *path, char **ret_report, orr_error *reterr) {
  return orr__store_check_as(path, ORR_CHECK_FULL, ret_report, reterr);
}
