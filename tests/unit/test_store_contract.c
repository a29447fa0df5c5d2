/* What every backend of the store must do, sentence by sentence of store.h. Each test runs twice: on SQLite and on
 * the twin in memory. */
#include <math.h>

#include "store_helper.h"

static int set_up_memory(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, true);
  bench_open(b);
  *state = b;
  return 0;
}

static int set_up_sqlite(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, false);
  bench_open(b);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench_clear(*state);
  free(*state);
  return 0;
}

/* ---- completions --------------------------------------------------------------------------------------------- */

typedef struct order {
  int seen[64];
  size_t count;
} order;
typedef struct order_entry {
  order *order;
  int number;
} order_entry;

static void note_order(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx, (void)code, (void)err;
  order_entry *entry = arg;
  entry->order->seen[entry->order->count++] = entry->number;
}

static void test_contract__completes_later_and_in_order(void **state) {
  bench *b = *state;
  order seen = {.count = 0};
  order_entry entries[40];
  for (int i = 0; i < 40; i++) {
    entries[i] = (order_entry){&seen, i};
    orr__tx *tx = orr__tx_new();
    /* Every third is refused, every fourth has a sticky error: they keep their place all the same. */
    if (i % 3 == 0) orr__tx_delete(tx, ORR_M_cloud, 77);
    if (i % 4 == 0) orr__tx_graph(tx, ORR_M_event, 1);
    orr__tx_count(tx, &(orr__query){.model = ORR_M_cloud, .order_field = -1});
    orr__store_submit(b->store, tx, note_order, &entries[i]);
  }
  assert_int_equal(seen.count, 0);
  assert_int_equal(orr__store_pending(b->store), 40);
  bench_settle(b);
  assert_int_equal(seen.count, 40);
  for (int i = 0; i < 40; i++) assert_int_equal(seen.seen[i], i);
}

static void test_contract__wakes_for_what_is_finished(void **state) {
  bench *b = *state;
  orr__store_submit(b->store, orr__tx_new(), NULL, NULL);
  assert_int_equal(bench_turn(b), 1);
  assert_int_equal(orr__store_pending(b->store), 0);
  assert_int_equal(orr__store_drain(b->store), 0);
}

typedef struct chain {
  bench *b;
  int left;
} chain;

static void go_on(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx, (void)code, (void)err;
  chain *c = arg;
  if (--c->left > 0) orr__store_submit(c->b->store, orr__tx_new(), go_on, c);
}

static void test_contract__a_completion_may_submit_and_is_not_called_in_the_same_drain(void **state) {
  bench *b = *state;
  chain c = {b, 3};
  orr__store_submit(b->store, orr__tx_new(), go_on, &c);
  for (int left = 2; left >= 0; left--) {
    while (bench_turn(b) == 0) {}
    assert_int_equal(c.left, left);
  }
}

static void submit_again(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx, (void)err;
  chain *c = arg;
  assert_int_equal(code, 0);
  orr__store_submit(c->b->store, orr__tx_new(), note_code, &c->left);
}

static void test_contract__closing_completes_everything_and_refuses_the_new(void **state) {
  bench *b = *state;
  chain c = {b, 1};
  orr__store_submit(b->store, orr__tx_new(), submit_again, &c);
  bench_close(b);
  assert_int_equal(c.left, ORR_E_CLOSED);
}

/* ---- writes -------------------------------------------------------------------------------------------------- */

static void test_contract__keeps_every_type_and_what_is_unset(void **state) {
  bench *b = *state;
  orr_result *r = make_result(1, 2, "IN_PROGRESS", 1700000000123);
  orr__set_num(&r->head, ORR_F_result_progress, 12.5);
  orr__set_str(&r->head, ORR_F_result_config, "{\"a\":\"\xc3\xa4\"}");
  orr__set_int(&r->head, ORR_F_result_sizeInBytes, INT64_MIN);
  orr__set_str(&r->head, ORR_F_result_statusMessage, "");
  assert_int_equal(insert_object(b, &r->head), 0);
  orr_result *got = (orr_result *)(void *)get_object(b, ORR_M_result, 1);
  assert_non_null(got);
  assert_int_equal(got->id, 1);
  assert_int_equal(got->nextActionDate, 1700000000123);
  assert_true(got->progress == 12.5);
  assert_string_equal(got->config, "{\"a\":\"\xc3\xa4\"}");
  assert_true(got->sizeInBytes == INT64_MIN);
  assert_string_equal(got->statusMessage, "");
  assert_false(orr__object_has(&got->head, ORR_F_result_externalId));
  assert_int_equal(got->head.dirty, 0);
  orr__object_free(&got->head);
  assert_null(get_object(b, ORR_M_result, 2));
}

static void test_contract__updates_just_the_masked_fields(void **state) {
  bench *b = *state;
  insert_result(b, 1, 2, "IN_PROGRESS", 5);
  orr_result *r = make_result(1, 2, "FAILED", 0);
  orr__set_str(&r->head, ORR_F_result_externalId, "job-9");
  orr__set_str(&r->head, ORR_F_result_errorMessage, "not in the mask");
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_externalId) | ORR_BIT(ORR_F_result_id));
  assert_int_equal(bench_run(b, tx), 0);
  orr_result *got = (orr_result *)(void *)get_object(b, ORR_M_result, 1);
  assert_string_equal(got->externalId, "job-9");
  assert_string_equal(got->status, "IN_PROGRESS");
  assert_null(got->errorMessage);
  assert_int_equal(got->nextActionDate, 5);
  orr__object_free(&got->head);
  /* A field of the mask that has no value becomes unset. */
  orr__unset(&r->head, ORR_F_result_externalId);
  tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_externalId));
  assert_int_equal(bench_run(b, tx), 0);
  got = (orr_result *)(void *)get_object(b, ORR_M_result, 1);
  assert_false(orr__object_has(&got->head, ORR_F_result_externalId));
  orr__object_free(&got->head);
  orr__object_free(&r->head);
}

static void test_contract__what_is_not_there_is_not_found(void **state) {
  bench *b = *state;
  orr_result *r = make_result(8, 2, "FAILED", 0);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_status));
  assert_int_equal(bench_run(b, tx), ORR_E_NOT_FOUND);
  assert_string_equal(b->message, "no result 8");
  tx = orr__tx_new();
  orr__tx_update(tx, &r->head, 0);
  assert_int_equal(bench_run(b, tx), 0);
  tx = orr__tx_new();
  orr__tx_delete(tx, ORR_M_result, 8);
  assert_int_equal(bench_run(b, tx), ORR_E_NOT_FOUND);
  tx = orr__tx_new();
  orr__tx_delete_where(tx, ORR_M_op, ORR_F_op_resultId, 8);
  orr__tx_prune(tx, ORR_M_event, 3);
  assert_int_equal(bench_run(b, tx), 0);
  orr__object_free(&r->head);
}

static void test_contract__a_unique_value_is_taken_once(void **state) {
  bench *b = *state;
  assert_int_equal(insert_backup(b, 1, "nightly"), 0);
  assert_int_equal(insert_backup(b, 2, "nightly"), ORR_E_EXISTS);
  assert_string_equal(b->message, "a backup with name 'nightly' exists already");
  assert_int_equal(insert_backup(b, 1, "other"), ORR_E_EXISTS);
  assert_string_equal(b->message, "a backup with id '1' exists already");
  assert_int_equal(insert_backup(b, 2, "weekly"), 0);
  orr_backup *backup = make_backup(2, "nightly");
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_name));
  assert_int_equal(bench_run(b, tx), ORR_E_EXISTS);
  /* A name is free again once its row is gone, also within one transaction, and is not freed by one that fails. */
  tx = orr__tx_new();
  orr__tx_delete(tx, ORR_M_backup, 1);
  orr__tx_delete(tx, ORR_M_backup, 99);
  assert_int_equal(bench_run(b, tx), ORR_E_NOT_FOUND);
  tx = orr__tx_new();
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_name));
  assert_int_equal(bench_run(b, tx), ORR_E_EXISTS);
  tx = orr__tx_new();
  orr__tx_delete(tx, ORR_M_backup, 1);
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_name));
  assert_int_equal(bench_run(b, tx), 0);
  orr__object_free(&backup->head);
}

static void test_contract__unset_unique_fields_do_not_meet(void **state) {
  bench *b = *state;
  for (int64_t id = 1; id <= 2; id++) {
    orr_result *r = make_result(id, 1, "FAILED", 0);
    orr__unset(&r->head, ORR_F_result_uuid);
    assert_int_equal(insert_object(b, &r->head), 0);
  }
}

static void test_contract__a_result_is_ended_or_due_or_in_attention(void **state) {
  bench *b = *state;
  assert_int_equal(insert_result(b, 1, 2, "IN_PROGRESS", 0), ORR_E_CONFLICT);
  assert_string_equal(b->message, "result 1 would be neither ended, nor due, nor in attention");
  assert_int_equal(insert_result(b, 1, 2, NULL, 0), ORR_E_CONFLICT);
  assert_int_equal(insert_result(b, 1, 2, "IN_PROGRESS", 5), 0);
  assert_int_equal(insert_result(b, 2, 2, "CANCELLED", 0), 0);
  orr_result *r = make_result(1, 2, "IN_PROGRESS", 0);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_nextActionDate));
  assert_int_equal(bench_run(b, tx), ORR_E_CONFLICT);
  orr__set_str(&r->head, ORR_F_result_attention, "overdue");
  tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_nextActionDate) | ORR_BIT(ORR_F_result_attention));
  assert_int_equal(bench_run(b, tx), 0);
  orr__object_free(&r->head);
}

static void test_contract__a_terminal_status_stays(void **state) {
  bench *b = *state;
  insert_result(b, 1, 2, "FAILED", 0);
  const char *words[] = {"SUCCEEDED", "IN_PROGRESS", NULL};
  for (size_t i = 0; i < 3; i++) {
    orr_result *r = make_result(1, 2, words[i], 7);
    orr__set_str(&r->head, ORR_F_result_statusMessage, "late");
    orr__tx *tx = orr__tx_new();
    orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_statusMessage));
    assert_int_equal(bench_run(b, tx), ORR_E_CONFLICT);
    assert_string_equal(b->message, "result 1 has ended: its status stays FAILED");
    orr__object_free(&r->head);
  }
  orr_result *r = make_result(1, 2, "FAILED", 0);
  orr__set_str(&r->head, ORR_F_result_statusMessage, "late");
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_statusMessage));
  assert_int_equal(bench_run(b, tx), 0);
  orr__object_free(&r->head);
  orr_result *got = (orr_result *)(void *)get_object(b, ORR_M_result, 1);
  assert_string_equal(got->status, "FAILED");
  assert_string_equal(got->statusMessage, "late");
  orr__object_free(&got->head);
}

static void test_contract__judges_values_before_rows(void **state) {
  bench *b = *state;
  orr_backup *backup = make_backup(1, "x");
  orr__unset(&backup->head, ORR_F_backup_providerCode);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_providerCode));
  assert_int_equal(bench_run(b, tx), ORR_E_INVALID);
  assert_int_equal(insert_object(b, &backup->head), ORR_E_INVALID);
  assert_string_equal(b->message, "providerCode of backup 1 has no value");
  assert_int_equal(insert_result(b, 1, 2, "DONE", 5), ORR_E_INVALID);
  assert_string_equal(b->message, "'DONE' is no status");
  assert_int_equal(insert_backup(b, 0, "y"), ORR_E_MISUSE);
  tx = orr__tx_new();
  orr__tx_guard_str(tx, ORR_M_connection, 1, ORR_F_connection_password, "guess");
  assert_int_equal(bench_run(b, tx), ORR_E_MISUSE);
  orr_result *r = make_result(1, 2, "FAILED", 0);
  orr__set_num(&r->head, ORR_F_result_progress, (double)NAN);
  assert_int_equal(insert_object(b, &r->head), ORR_E_INVALID);
}

static void test_contract__a_refused_transaction_does_nothing_and_spoils_no_neighbour(void **state) {
  bench *b = *state;
  int codes[3] = {1, 1, 1};
  for (int i = 0; i < 3; i++) {
    orr__tx *tx = orr__tx_new();
    orr_backup *backup = make_backup(10 + i, i == 0 ? "a" : i == 1 ? "b" : "c");
    orr__tx_insert(tx, &backup->head);
    orr__object_free(&backup->head);
    if (i == 1) orr__tx_delete(tx, ORR_M_backup, 10);
    if (i == 1) orr__tx_delete(tx, ORR_M_backup, 999);
    orr__store_submit(b->store, tx, note_code, &codes[i]);
  }
  bench_settle(b);
  assert_int_equal(codes[0], 0);
  assert_int_equal(codes[1], ORR_E_NOT_FOUND);
  assert_int_equal(codes[2], 0);
  assert_int_equal(count_rows(b, ORR_M_backup), 2);
  orr__object *row = get_object(b, ORR_M_backup, 10);
  assert_non_null(row);
  orr__object_free(row);
}

static void insert_event(orr__tx *tx, int64_t id) {
  orr_event_row *event = orr__event_new();
  orr__set_int(&event->head, ORR_F_event_id, id);
  orr__set_int(&event->head, ORR_F_event_date, id);
  orr__set_str(&event->head, ORR_F_event_kind, "k");
  orr__set_str(&event->head, ORR_F_event_level, "info");
  if (id != 2) orr__set_int(&event->head, ORR_F_event_resultId, id % 2);
  orr__tx_insert(tx, &event->head);
  orr__object_free(&event->head);
}

static void test_contract__deletes_where_and_prunes(void **state) {
  bench *b = *state;
  orr__tx *tx = orr__tx_new();
  for (int64_t id = 1; id <= 10; id++)
    if (id != 4 && id != 5) insert_event(tx, id);
  assert_int_equal(bench_run(b, tx), 0);
  tx = orr__tx_new();
  orr__tx_prune(tx, ORR_M_event, 0);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 8);
  tx = orr__tx_new();
  orr__tx_prune(tx, ORR_M_event, 2);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 6); /* 3 6 7 8 9 10 */
  assert_null(get_object(b, ORR_M_event, 2));
  tx = orr__tx_new();
  orr__tx_delete_where(tx, ORR_M_event, ORR_F_event_resultId, 0);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 3); /* 3 7 9 */
  /* Up to an id that is not there, then all; its own writes count. */
  tx = orr__tx_new();
  orr__tx_prune(tx, ORR_M_event, 8);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 1); /* 9 */
  tx = orr__tx_new();
  for (int64_t id = 11; id <= 13; id++) insert_event(tx, id);
  orr__tx_prune(tx, ORR_M_event, 11);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 2);
  tx = orr__tx_new();
  orr__tx_prune(tx, ORR_M_event, INT64_MAX);
  assert_int_equal(bench_run(b, tx), 0);
  assert_int_equal(count_rows(b, ORR_M_event), 0);
}

/* ---- guards -------------------------------------------------------------------------------------------------- */

static int guard_str(bench *b, int64_t id, int field, const char *value) {
  orr__tx *tx = orr__tx_new();
  orr__tx_guard_str(tx, ORR_M_result, id, field, value);
  return bench_run(b, tx);
}

static int guard_int(bench *b, int64_t id, int field, int64_t value) {
  orr__tx *tx = orr__tx_new();
  orr__tx_guard_int(tx, ORR_M_result, id, field, value);
  return bench_run(b, tx);
}

static void test_contract__guards_compare_what_is_stored(void **state) {
  bench *b = *state;
  insert_result(b, 1, 2, "IN_PROGRESS", 5);
  assert_int_equal(guard_str(b, 1, ORR_F_result_status, "IN_PROGRESS"), 0);
  assert_int_equal(guard_str(b, 1, ORR_F_result_status, "FAILED"), ORR_E_CONFLICT);
  assert_string_equal(b->message, "status of result 1 is IN_PROGRESS, not FAILED");
  assert_int_equal(guard_str(b, 1, ORR_F_result_status, NULL), ORR_E_CONFLICT);
  assert_int_equal(guard_str(b, 1, ORR_F_result_attention, NULL), 0);
  assert_int_equal(guard_str(b, 1, ORR_F_result_attention, "overdue"), ORR_E_CONFLICT);
  assert_string_equal(b->message, "attention of result 1 is unset, not overdue");
  assert_int_equal(guard_str(b, 9, ORR_F_result_attention, NULL), ORR_E_CONFLICT);
  assert_int_equal(guard_int(b, 1, ORR_F_result_nextActionDate, 5), 0);
  assert_int_equal(guard_int(b, 1, ORR_F_result_nextActionDate, 6), ORR_E_CONFLICT);
  assert_string_equal(b->message, "nextActionDate of result 1 is 5, not 6");
  assert_int_equal(guard_int(b, 1, ORR_F_result_errorCount, 0), ORR_E_CONFLICT);
  assert_int_equal(guard_int(b, 9, ORR_F_result_nextActionDate, 5), ORR_E_CONFLICT);
}

static void test_contract__guard_none_refuses_with_its_message(void **state) {
  bench *b = *state;
  insert_backup(b, 2, "nightly");
  insert_result(b, 1, 2, "FAILED", 0);
  orr__tx *tx = orr__tx_new();
  orr__tx_delete(tx, ORR_M_backup, 2);
  orr__tx_guard_none(tx, ORR_M_result, ORR_F_result_backupId, 2, "nightly has results");
  assert_int_equal(bench_run(b, tx), ORR_E_REFUSED);
  assert_string_equal(b->message, "nightly has results");
  assert_int_equal(count_rows(b, ORR_M_backup), 1);
  tx = orr__tx_new();
  orr__tx_delete_where(tx, ORR_M_result, ORR_F_result_backupId, 2);
  orr__tx_guard_none(tx, ORR_M_result, ORR_F_result_backupId, 2, "nightly has results");
  orr__tx_delete(tx, ORR_M_backup, 2);
  assert_int_equal(bench_run(b, tx), 0);
}

static void look_at_own_writes(orr__tx *tx, void *arg) {
  (void)arg;
  assert_null(orr__tx_row(tx, 0, 0));
  assert_non_null(orr__tx_row(tx, 1, 0));
  assert_int_equal(orr__tx_number(tx, 2), 1);
  assert_int_equal(orr__tx_rows(tx, 3), 0);
}

static void test_contract__reads_see_the_writes_before_them(void **state) {
  bench *b = *state;
  orr__tx *tx = orr__tx_new();
  orr_backup *backup = make_backup(1, "x");
  orr__query all = {.model = ORR_M_backup, .order_field = -1};
  assert_int_equal(orr__tx_get(tx, ORR_M_backup, 1), 0);
  orr__tx_insert(tx, &backup->head);
  assert_int_equal(orr__tx_get(tx, ORR_M_backup, 1), 1);
  assert_int_equal(orr__tx_count(tx, &all), 2);
  orr__tx_delete(tx, ORR_M_backup, 1);
  assert_int_equal(orr__tx_query(tx, &all), 3);
  assert_int_equal(bench_run_look(b, tx, look_at_own_writes, NULL), 0);
  orr__object_free(&backup->head);
}

/* ---- ids ----------------------------------------------------------------------------------------------------- */

static void test_contract__ids_grow_and_pass_over_inserted_ones(void **state) {
  bench *b = *state;
  assert_int_equal(orr__store_next_id(b->store, ORR_M_backup), 1);
  assert_int_equal(orr__store_next_id(b->store, ORR_M_backup), 2);
  assert_int_equal(orr__store_next_id(b->store, ORR_M_result), 1);
  insert_backup(b, 40, "x");
  assert_int_equal(orr__store_next_id(b->store, ORR_M_backup), 41);
}

static void test_contract__limits_the_steps(void **state) {
  bench *b = *state;
  orr__tx *tx = orr__tx_new();
  for (int i = 0; i < 10000; i++) orr__tx_prune(tx, ORR_M_cloud, 1);
  assert_int_equal(bench_run(b, tx), 0);
  tx = orr__tx_new();
  for (int i = 0; i < 10001; i++) orr__tx_prune(tx, ORR_M_cloud, 1);
  assert_int_equal(bench_run(b, tx), ORR_E_LIMIT);
}

#define BOTH(test) \
  {#test " (sqlite)", test, set_up_sqlite, tear_down, NULL}, {#test " (memory)", test, set_up_memory, tear_down, NULL}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(test_contract__completes_later_and_in_order),
      BOTH(test_contract__wakes_for_what_is_finished),
      BOTH(test_contract__a_completion_may_submit_and_is_not_called_in_the_same_drain),
      BOTH(test_contract__closing_completes_everything_and_refuses_the_new),
      BOTH(test_contract__keeps_every_type_and_what_is_unset),
      BOTH(test_contract__updates_just_the_masked_fields),
      BOTH(test_contract__what_is_not_there_is_not_found),
      BOTH(test_contract__a_unique_value_is_taken_once),
      BOTH(test_contract__unset_unique_fields_do_not_meet),
      BOTH(test_contract__a_result_is_ended_or_due_or_in_attention),
      BOTH(test_contract__a_terminal_status_stays),
      BOTH(test_contract__judges_values_before_rows),
      BOTH(test_contract__a_refused_transaction_does_nothing_and_spoils_no_neighbour),
      BOTH(test_contract__deletes_where_and_prunes),
      BOTH(test_contract__guards_compare_what_is_stored),
      BOTH(test_contract__guard_none_refuses_with_its_message),
      BOTH(test_contract__reads_see_the_writes_before_them),
      BOTH(test_contract__ids_grow_and_pass_over_inserted_ones),
      BOTH(test_contract__limits_the_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
