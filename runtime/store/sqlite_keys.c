/* Sealed values as a whole: do we have their keys, and sealing all of them anew when the key changes.
 *
 * Deliberately does not know what a key is or where it is kept: the codec does. Which columns are sealed, the fields say.
 *
 * A change of keys is safe at every point: renew leaves both keys in the codec's file before anything is sealed with the new
 * one, settle drops the old ones only after the transaction that seals all anew has committed, and opening finishes what was
 * cut short. Secrets that are written meanwhile are sealed with the new key, since all of this is the store's thread's work. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/sqlite.h"

typedef int (*visit)(orr__sqlite *self, const orr__model *model, const orr__field *field, void *arg, orr_error *reterr);

/* Every sealed column. */
static int visit_columns(orr__sqlite *self, visit each, void *arg, orr_error *reterr) {
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    for (size_t i = 0; i < model->field_count; i++) {
      const orr__field *field = &model->fields[i];
      if (!(field->flags & ORR_FIELD_SECRET) || !orr__field_is_stored(field)) continue;
      int code = each(self, model, field, arg, reterr);
      if (code) return code;
    }
  }
  return 0;
}

static void wipe(char *text) {
  if (text) explicit_bzero(text, strlen(text));
  free(text);
}

static int prepare(const orr__sqlite *self, const char *format, const orr__model *model, const orr__field *field,
                   sqlite3_stmt **ret_statement, orr_error *reterr) {
  orr__buf sql;
  orr__buf_init(&sql, ORR_SQLITE_TEXT);
  for (const char *c = format; *c; c++) { /* @ is the table, # the column */
    if (*c == '@') orr__buf_addf(&sql, "\"%s\"", model->table);
    else if (*c == '#') orr__buf_addf(&sql, "\"%s\"", field->name);
    else orr__buf_addc(&sql, *c);
  }
  int rc = orr__buf_error(&sql) ? SQLITE_NOMEM : sqlite3_prepare_v2(self->db, orr__buf_text(&sql), -1, ret_statement, NULL);
  orr__buf_clear(&sql);
  return rc == SQLITE_OK ? 0 : orr__sqlite_error(self, rc, reterr);
}

static int open_value(const orr__sqlite *self, const orr__model *model, const orr__field *field, const char *sealed,
                      char **ret_text, orr_error *reterr) {
  char context[ORR_SQLITE_CONTEXT];
  orr__sqlite_context(model, field, context);
  return self->codec.open(self->codec.self, context, sealed, ret_text, reterr);
}

/* One value speaks for its column. Whether it opens is not asked: one that was altered must not keep all others from being
 * used, and reading it tells. */
static int check_column(orr__sqlite *self, const orr__model *model, const orr__field *field, void *arg, orr_error *reterr) {
  (void)arg;
  /* The journal is history, which start-up does not read; a call that has ended keeps no draft. */
  const char *sql = model->id == ORR_M_op
                        ? "SELECT # FROM @ WHERE \"state\" IN ('intent', 'sent') AND # IS NOT NULL LIMIT 1"
                        : "SELECT # FROM @ WHERE # IS NOT NULL LIMIT 1";
  sqlite3_stmt *statement = NULL;
  int code = prepare(self, sql, model, field, &statement, reterr);
  if (code) return code;
  int rc = sqlite3_step(statement);
  const char *sealed = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  char context[ORR_SQLITE_CONTEXT];
  orr__sqlite_context(model, field, context);
  if (sealed) code = self->codec.knows(self->codec.self, context, sealed, reterr);
  else if (rc != SQLITE_DONE) code = orr__sqlite_error(self, rc, reterr);
  sqlite3_finalize(statement);
  return code;
}

/* One that opens with no key stays as it is: the old keys are of no more use to it than the new one, and it must not keep the
 * others with the old ones, nor the store from opening. */
static int reseal_value(orr__sqlite *self, sqlite3_stmt *update, const orr__model *model, const orr__field *field, int64_t id,
                        const char *sealed, int64_t *count, orr_error *reterr) {
  char context[ORR_SQLITE_CONTEXT], *text = NULL, *anew = NULL;
  orr_error err = ORR_ERROR_INIT;
  orr__sqlite_context(model, field, context);
  int code = open_value(self, model, field, sealed, &text, &err);
  if (code == ORR_E_CORRUPT) {
    orr__error_clear(&err);
    return 0;
  }
  if (code) return orr__error_move(reterr, &err);
  code = self->codec.seal(self->codec.self, context, text, &anew);
  wipe(text);
  if (code) return orr__error_set(reterr, code, "%s cannot be sealed", context);
  int rc = sqlite3_bind_text(update, 1, anew, -1, free);
  if (!rc) rc = sqlite3_bind_int64(update, 2, id);
  if (!rc) rc = sqlite3_step(update);
  sqlite3_reset(update);
  *count += rc == SQLITE_DONE;
  return rc == SQLITE_DONE ? 0 : orr__sqlite_error(self, rc, reterr);
}

static int reseal_column(orr__sqlite *self, const orr__model *model, const orr__field *field, void *arg, orr_error *reterr) {
  int64_t *count = arg;
  sqlite3_stmt *select = NULL, *update = NULL;
  int rc = SQLITE_OK;
  int code = prepare(self, "SELECT \"id\", # FROM @ WHERE # IS NOT NULL ORDER BY \"id\"", model, field, &select, reterr);
  if (!code) code = prepare(self, "UPDATE @ SET # = ? WHERE \"id\" = ?", model, field, &update, reterr);
  while (!code && (rc = sqlite3_step(select)) == SQLITE_ROW) {
    const char *sealed = (const char *)sqlite3_column_text(select, 1);
    if (!sealed) code = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    else if (!self->codec.is_newest(self->codec.self, sealed))
      code = reseal_value(self, update, model, field, sqlite3_column_int64(select, 0), sealed, count, reterr);
  }
  if (!code && rc != SQLITE_DONE) code = orr__sqlite_error(self, rc, reterr);
  sqlite3_finalize(select);
  sqlite3_finalize(update);
  return code;
}

/* ---- for the other parts -------------------------------------------------------------------------------------- */

int orr__sqlite_reseal(orr__sqlite *self, int64_t *ret_count, orr_error *reterr) {
  if (!self->codec.renew) return orr__error_set(reterr, ORR_E_REFUSED, "this store has no keys that change");
  int64_t count = 0;
  int code = self->codec.renew(self->codec.self, reterr);
  if (!code) code = visit_columns(self, reseal_column, &count, reterr);
  if (!code) *ret_count = count;
  return code;
}

int orr__sqlite_settle(orr__sqlite *self, orr_error *reterr) {
  if (!self->codec.settle) return orr__error_set(reterr, ORR_E_REFUSED, "this store has no keys that change");
  return self->codec.settle(self->codec.self, reterr);
}

/* What a change of keys that was cut short has left. */
static int finish(orr__sqlite *self, orr_error *reterr) {
  int64_t count;
  int code = orr__sqlite_step_fixed(self, ORR_SQLITE_BEGIN_WRITE, reterr);
  if (code) return code;
  code = visit_columns(self, reseal_column, (count = 0, &count), reterr);
  if (!code) code = orr__sqlite_step_fixed(self, ORR_SQLITE_COMMIT, reterr);
  if (code) {
    if (!sqlite3_get_autocommit(self->db)) orr__sqlite_step_fixed(self, ORR_SQLITE_ROLLBACK, NULL);
    return code;
  }
  /* A file that cannot be replaced here keeps its lines; whoever wired us sees that and says so. */
  self->codec.settle(self->codec.self, NULL);
  return 0;
}

int orr__sqlite_check_keys(orr__sqlite *self, orr_error *reterr) {
  if (!self->codec.knows) return 0;
  int code = visit_columns(self, check_column, NULL, reterr);
  if (code) return code;
  size_t keys = self->codec.count(self->codec.self);
  if (keys == 0) return self->codec.renew(self->codec.self, reterr); /* nothing is sealed: the first key */
  return keys > 1 ? finish(self, reterr) : 0;
}
