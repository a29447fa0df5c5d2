/* The twin in memory: the store's semantics without a file, for tests and for hosts that want none.
 *
 * Deliberately does not know SQL, threads, durability or sealing (secrets lie in memory as they are). Transactions
 * are carried out inside orr__store_submit; their completions wait for orr__store_drain all the same. Rows are
 * never changed in place: a write puts a changed copy in, the old row goes to the undo list until the transaction
 * has ended.
 *
 * What has committed is kept, in order, so that a store can be cut: made anew from the first n transactions, as a
 * crash between two commits would leave it. Only transactions that write count. Beyond LOG_LIMIT of them the log
 * is given up, not the store. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/status.h"
#include "store/backend.h"
#include "store/memory_table.h"

enum { LOG_LIMIT = 20000 };

typedef struct undo {
  enum orr__model_id model;
  int64_t id;
  orr__object *old;         /* NULL: there was none */
} undo;

typedef struct memory_store {
  orr__memory_table tables[ORR_M_COUNT];
  int64_t last_id[ORR_M_COUNT];
  undo *undos;
  size_t undo_count;
  size_t undo_cap;
  orr__tx **log;
  size_t log_count;
  size_t log_cap;
  size_t commits;
} memory_store;

static int no_memory(orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

/* ---- changing rows ------------------------------------------------------------------------------------------- */

/* Takes row (NULL: deletes). What was there goes to the undo list. */
static int put(memory_store *self, enum orr__model_id model, int64_t id, orr__object *row, orr_error *reterr) {
  if (self->undo_count == self->undo_cap) {
    size_t cap = self->undo_cap ? self->undo_cap * 2 : 16;
    undo *undos = realloc(self->undos, cap * sizeof *undos);
    if (!undos) {
      orr__object_free(row);
      return no_memory(reterr);
    }
    self->undos = undos;
    self->undo_cap = cap;
  }
  orr__object *old = NULL;
  if (orr__memory_table_put(&self->tables[model], id, row, &old) != 0) {
    orr__object_free(row);
    return no_memory(reterr);
  }
  self->undos[self->undo_count++] = (undo){model, id, old};
  return 0;
}

static void settle(memory_store *self) {
  for (size_t i = 0; i < self->undo_count; i++) orr__object_free(self->undos[i].old);
  self->undo_count = 0;
}

static void undo_all(memory_store *self) {
  while (self->undo_count > 0) {
    undo *last = &self->undos[--self->undo_count];
    orr__object *gone = NULL;
    /* Putting back what was there before needs no more room than there was. */
    int code = orr__memory_table_put(&self->tables[last->model], last->id, last->old, &gone);
    assert(code == 0);
    (void)code;
    orr__object_free(gone);
  }
}

static int set_value(orr__object *row, int field, bool is_set, const orr__value *value) {
  const orr__field *facts = &row->model->fields[field];
  if (!is_set) {
    orr__unset(row, field);
    return 0;
  }
  if (orr__field_is_text(facts)) return orr__set_str(row, field, value->text);
  if (facts->type == ORR_T_NUM) return orr__set_num(row, field, value->number);
  return orr__set_int(row, field, value->integer);
}

/* A copy of old (NULL: a new row) with the step's values. */
static int make_row(const orr__step *step, const orr__object *old, orr__object **ret_row, orr_error *reterr) {
  orr__object *row = old ? orr__object_copy(old) : orr__object_new(step->model);
  if (!row || orr__set_int(row, 0, step->id) != 0) {
    orr__object_free(row);
    return no_memory(reterr);
  }
  const orr__value *value = step->values;
  for (uint64_t rest = step->mask; rest; rest &= rest - 1, value++) {
    int field = __builtin_ctzll(rest);
    if (set_value(row, field, step->set & ORR_BIT(field), value) != 0) {
      orr__object_free(row);
      return no_memory(reterr);
    }
  }
  orr__object_clean(row);
  *ret_row = row;
  return 0;
}

/* The table's constraints, in the order SQLite looks at them. */
static int check_row(const memory_store *self, const orr__step *step, const orr__object *row, orr_error *reterr) {
  const orr__model *model = row->model;
  long long id = (long long)step->id;
  if (step->model == ORR_M_result && !orr__status_is_terminal(orr__get_str(row, ORR_F_result_status)) &&
      !orr__object_has(row, ORR_F_result_nextActionDate) && !orr__object_has(row, ORR_F_result_attention))
    return orr__error_set(reterr, ORR_E_CONFLICT, ORR_RULE_MESSAGE, id);
  if (step->kind == ORR_STEP_INSERT && orr__memory_table_find(&self->tables[step->model], step->id)) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", id);
    return orr__error_set(reterr, ORR_E_EXISTS, ORR_EXISTS_MESSAGE, model->name, "id", digits);
  }
  int taken = orr__memory_table_taken(&self->tables[step->model], row);
  if (taken < 0) return 0;
  return orr__error_set(reterr, ORR_E_EXISTS, ORR_EXISTS_MESSAGE, model->name, model->fields[taken].name,
                        orr__get_str(row, taken));
}

static int run_insert(memory_store *self, const orr__step *step, orr_error *reterr) {
  orr__object *row;
  int code = make_row(step, NULL, &row, reterr);
  if (code) return code;
  code = check_row(self, step, row, reterr);
  if (code) {
    orr__object_free(row);
    return code;
  }
  code = put(self, step->model, step->id, row, reterr);
  if (!code && step->id > self->last_id[step->model]) self->last_id[step->model] = step->id;
  return code;
}

static int run_update(memory_store *self, const orr__step *step, orr_error *reterr) {
  const orr__object *old = orr__memory_table_find(&self->tables[step->model], step->id);
  if (!old)
    return orr__error_set(reterr, ORR_E_NOT_FOUND, ORR_NOT_FOUND_MESSAGE, orr__models[step->model].name,
                          (long long)step->id);
  orr__object *row;
  int code = make_row(step, old, &row, reterr);
  if (code) return code;
  if (step->model == ORR_M_result) {
    const char *status = orr__get_str(old, ORR_F_result_status);
    if (orr__status_is_terminal(status) && !orr__streq(status, orr__get_str(row, ORR_F_result_status)))
      code = orr__error_set(reterr, ORR_E_CONFLICT, ORR_TERMINAL_MESSAGE, (long long)step->id, status);
  }
  if (!code) code = check_row(self, step, row, reterr);
  if (code) {
    orr__object_free(row);
    return code;
  }
  return put(self, step->model, step->id, row, reterr);
}

/* Deletes the rows at places below `end` (or all) whose field has the value; field < 0: any. */
static int delete_rows(memory_store *self, enum orr__model_id model, size_t end, int field, int64_t value,
                       orr_error *reterr) {
  orr__memory_table *table = &self->tables[model];
  for (size_t i = end; i-- > 0;) {
    const orr__object *row = table->rows[i];
    if (field >= 0 && !(orr__object_has(row, field) && orr__get_int(row, field) == value)) continue;
    int code = put(self, model, orr__object_id(row), NULL, reterr);
    if (code) return code;
  }
  return 0;
}

static int run_write(memory_store *self, const orr__step *step, orr_error *reterr) {
  const orr__memory_table *table = &self->tables[step->model];
  switch (step->kind) {
    case ORR_STEP_INSERT: return run_insert(self, step, reterr);
    case ORR_STEP_UPDATE: return run_update(self, step, reterr);
    case ORR_STEP_DELETE:
      if (!orr__memory_table_find(table, step->id))
        return orr__error_set(reterr, ORR_E_NOT_FOUND, ORR_NOT_FOUND_MESSAGE, table->model->name, (long long)step->id);
      return put(self, step->model, step->id, NULL, reterr);
    case ORR_STEP_DELETE_WHERE:
      return delete_rows(self, step->model, table->count, step->field, step->number, reterr);
    default: {
      size_t end = step->number < INT64_MAX ? orr__memory_table_place(table, step->number + 1) : table->count;
      return delete_rows(self, step->model, end, -1, 0, reterr);
    }
  }
}

/* ---- guards -------------------------------------------------------------------------------------------------- */

static int run_guard(const memory_store *self, const orr__step *step, orr_error *reterr) {
  const orr__model *model = &orr__models[step->model];
  const orr__object *row = orr__memory_table_find(&self->tables[step->model], step->id);
  if (!row)
    return orr__error_set(reterr, ORR_E_CONFLICT, ORR_NOT_FOUND_MESSAGE, model->name, (long long)step->id);
  bool is_set = orr__object_has(row, step->field);
  char have[24], want[24];
  const char *is = "unset", *wanted = step->text ? step->text : "unset";
  bool holds;
  if (step->kind == ORR_STEP_GUARD_STR) {
    holds = orr__streq(orr__get_str(row, step->field), step->text);
    if (is_set) is = orr__get_str(row, step->field);
  } else {
    holds = is_set && orr__get_int(row, step->field) == step->number;
    snprintf(have, sizeof have, "%lld", (long long)orr__get_int(row, step->field));
    snprintf(want, sizeof want, "%lld", (long long)step->number);
    if (is_set) is = have;
    wanted = want;
  }
  if (holds) return 0;
  return orr__error_set(reterr, ORR_E_CONFLICT, ORR_GUARD_MESSAGE, model->fields[step->field].name, model->name,
                        (long long)step->id, is, wanted);
}

static int run_guard_none(const memory_store *self, const orr__step *step, orr_error *reterr) {
  const orr__memory_table *table = &self->tables[step->model];
  for (size_t i = 0; i < table->count; i++)
    if (orr__object_has(table->rows[i], step->field) && orr__get_int(table->rows[i], step->field) == step->number)
      return orr__error_set(reterr, ORR_E_REFUSED, "%s", step->text);
  return 0;
}

/* ---- transactions -------------------------------------------------------------------------------------------- */

static int run_step(memory_store *self, orr__tx *tx, const orr__step *step, orr_error *reterr) {
  if (step->kind == ORR_STEP_RESEAL || step->kind == ORR_STEP_SETTLE)
    return orr__error_set(reterr, ORR_E_REFUSED, "this store has no keys that change");
  if (step->kind <= ORR_STEP_LAST_WRITE) return run_write(self, step, reterr);
  if (step->kind == ORR_STEP_GUARD_STR || step->kind == ORR_STEP_GUARD_INT) return run_guard(self, step, reterr);
  if (step->kind == ORR_STEP_GUARD_NONE) return run_guard_none(self, step, reterr);
  return orr__memory_read(self->tables, step, &tx->slots[step->slot]) ? no_memory(reterr) : 0;
}

/* Keeps the transaction in the log; without one there is nothing to keep. */
static void keep(memory_store *self, orr__tx *tx) {
  self->commits++;
  bool has_log = self->log_count + 1 == self->commits && self->commits <= LOG_LIMIT;
  if (has_log && self->log_count == self->log_cap) {
    size_t cap = self->log_cap ? self->log_cap * 2 : 64;
    orr__tx **log = realloc(self->log, cap * sizeof *log);
    has_log = log != NULL;
    if (log) {
      self->log = log;
      self->log_cap = cap;
    }
  }
  if (has_log) {
    orr__tx_ref(tx);
    self->log[self->log_count++] = tx;
    return;
  }
  for (size_t i = 0; i < self->log_count; i++) orr__tx_free(self->log[i]);
  self->log_count = 0;
}

/* All steps or none; only_writes: reads and guards have had their say before. */
static int run_tx(memory_store *self, orr__tx *tx, bool only_writes, orr_error *reterr) {
  int code = 0;
  for (const orr__step *step = tx->first; step && !code; step = step->next)
    if (!only_writes || step->kind <= ORR_STEP_LAST_WRITE) code = run_step(self, tx, step, reterr);
  if (code) {
    undo_all(self);
    return code;
  }
  settle(self);
  if (tx->write_count) keep(self, tx);
  return 0;
}

static int run(void *arg, orr__tx *group, orr_error *reterr) {
  (void)reterr;
  for (orr__tx *tx = group; tx; tx = tx->next)
    if (!tx->code) tx->code = run_tx(arg, tx, false, &tx->err);
  return 0;
}

static bool backup(void *arg, orr__tx *tx, bool is_aborted) {
  (void)arg;
  if (!is_aborted) orr__tx_fail(tx, ORR_E_REFUSED, "a store in memory has no file to copy");
  return true;
}

static void close_store(void *arg, bool has_failed) {
  (void)has_failed;
  memory_store *self = arg;
  for (int i = 0; i < ORR_M_COUNT; i++) orr__memory_table_clear(&self->tables[i]);
  for (size_t i = 0; i < self->log_count; i++) orr__tx_free(self->log[i]);
  free(self->log);
  free(self->undos);
  free(self);
}

static const orr__store_ops memory_ops = {
    .is_threaded = false,
    .run = run,
    .tidy = NULL,
    .backup = backup,
    .close = close_store,
};

/* ---- opening and cutting ------------------------------------------------------------------------------------- */

static memory_store *new_backend(void) {
  memory_store *self = calloc(1, sizeof *self);
  if (!self) return NULL;
  for (int i = 0; i < ORR_M_COUNT; i++) orr__memory_table_init(&self->tables[i], (enum orr__model_id)i);
  return self;
}

int orr__store_open_memory(const orr__store_config *config, orr__store **ret_store, orr_error *reterr) {
  memory_store *self = new_backend();
  if (!self) return no_memory(reterr);
  int code = orr__store_new(&memory_ops, self, config, self->last_id, ret_store, reterr);
  if (code) close_store(self, false);
  return code;
}

size_t orr__store_commits(const orr__store *store) {
  const memory_store *self = orr__store_backend(store, &memory_ops);
  return self ? self->commits : 0;
}

int orr__store_cut(const orr__store *store, size_t n, const orr__store_config *config, orr__store **ret_store,
                   orr_error *reterr) {
  const memory_store *from = orr__store_backend(store, &memory_ops);
  if (!from || n > from->commits) return orr__error_set(reterr, ORR_E_MISUSE, "there are no %zu commits to cut at", n);
  if (n > from->log_count)
    return orr__error_set(reterr, ORR_E_LIMIT, "a store of more than %d commits cannot be cut", (int)LOG_LIMIT);
  memory_store *self = new_backend();
  if (!self) return no_memory(reterr);
  int code = 0;
  for (size_t i = 0; i < n && !code; i++) code = run_tx(self, from->log[i], true, reterr);
  if (!code) code = orr__store_new(&memory_ops, self, config, self->last_id, ret_store, reterr);
  if (code) close_store(self, false);
  return code;
}
