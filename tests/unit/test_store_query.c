/* Queries, counts and graphs, on both backends: which rows come, in which order, with which fields. */
#include "store_helper.h"

static void fill(bench *b) {
  bench_open(b);
  /* id:      1        2         3        4         5
   * due:     30       -         10       20        10
   * status:  IN_PR.   FAILED    IN_PR.   START_R.  IN_PR.
   * message: "b"      "bc"      -        "a"       "\xc3\xa4" */
  const char *status[] = {"IN_PROGRESS", "FAILED", "IN_PROGRESS", "START_REQUESTED", "IN_PROGRESS"};
  const char *message[] = {"b", "bc", NULL, "a", "\xc3\xa4"};
  const int64_t due[] = {30, 0, 10, 20, 10};
  orr__tx *tx = orr__tx_new();
  for (int i = 0; i < 5; i++) {
    orr_result *r = make_result(i + 1, i < 3 ? 1 : 2, status[i], due[i]);
    orr__set_str(&r->head, ORR_F_result_statusMessage, message[i]);
    orr__set_num(&r->head, ORR_F_result_progress, i * 10 + 0.5);
    if (due[i]) orr__set_str(&r->head, ORR_F_result_nextAction, "refreshBackupResult");
    if (i == 3) orr__set_str(&r->head, ORR_F_result_attention, "overdue");
    orr__tx_insert(tx, &r->head);
    orr__object_free(&r->head);
  }
  assert_int_equal(bench_run(b, tx), 0);
}

static int set_up_memory(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, true);
  fill(b);
  *state = b;
  return 0;
}

static int set_up_sqlite(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, false);
  fill(b);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench_clear(*state);
  free(*state);
  return 0;
}

/* The ids of the rows, as text: "3 5 1". */
static void note_ids(orr__tx *tx, void *arg) {
  char *text = arg;
  text[0] = '\0';
  for (size_t i = 0; i < orr__tx_rows(tx, 0); i++)
    sprintf(text + strlen(text), "%s%lld", i ? " " : "", (long long)orr__object_id(orr__tx_row(tx, 0, i)));
}

static void assert_ids(bench *b, const orr__query *query, const char *ids) {
  char text[256];
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, query);
  assert_int_equal(bench_run_look(b, tx, note_ids, text), 0);
  assert_string_equal(text, ids);
  /* A count agrees, whatever the limit. */
  int64_t number = -1, expected = *ids != '\0';
  for (const char *c = ids; *c; c++) expected += *c == ' ';
  tx = orr__tx_new();
  orr__tx_count(tx, query);
  assert_int_equal(bench_run_look(b, tx, bench_keep_number, &number), 0);
  if (query->limit) assert_true(number >= expected);
  else assert_int_equal(number, expected);
}

static void assert_where(bench *b, orr__where where, const char *ids) {
  assert_ids(b, &(orr__query){.model = ORR_M_result, .where = &where, .where_count = 1, .order_field = -1}, ids);
}

static void test_query__compares_integers_numbers_and_texts(void **state) {
  bench *b = *state;
  const int due = ORR_F_result_nextActionDate, progress = ORR_F_result_progress, text = ORR_F_result_statusMessage;
  assert_where(b, (orr__where){.field = due, .compare = ORR_EQ, .number = 10}, "3 5");
  assert_where(b, (orr__where){.field = due, .compare = ORR_NE, .number = 10}, "1 4");
  assert_where(b, (orr__where){.field = due, .compare = ORR_LT, .number = 20}, "3 5");
  assert_where(b, (orr__where){.field = due, .compare = ORR_LE, .number = 20}, "3 4 5");
  assert_where(b, (orr__where){.field = due, .compare = ORR_GT, .number = 20}, "1");
  assert_where(b, (orr__where){.field = due, .compare = ORR_GE, .number = 20}, "1 4");
  assert_where(b, (orr__where){.field = due, .compare = ORR_IS_SET}, "1 3 4 5");
  assert_where(b, (orr__where){.field = due, .compare = ORR_IS_UNSET}, "2");
  assert_where(b, (orr__where){.field = progress, .compare = ORR_GT, .number = 10}, "2 3 4 5");
  assert_where(b, (orr__where){.field = text, .compare = ORR_EQ, .text = "b"}, "1");
  assert_where(b, (orr__where){.field = text, .compare = ORR_NE, .text = "b"}, "2 4 5");
  assert_where(b, (orr__where){.field = text, .compare = ORR_GT, .text = "b"}, "2 5");
  assert_where(b, (orr__where){.field = ORR_F_result_id, .compare = ORR_GE, .number = 4}, "4 5");
}

static void test_query__finds_prefixes(void **state) {
  bench *b = *state;
  const int text = ORR_F_result_statusMessage;
  assert_where(b, (orr__where){.field = text, .compare = ORR_PREFIX, .text = "b"}, "1 2");
  assert_where(b, (orr__where){.field = text, .compare = ORR_PREFIX, .text = "bc"}, "2");
  assert_where(b, (orr__where){.field = text, .compare = ORR_PREFIX, .text = "\xc3"}, "5");
  assert_where(b, (orr__where){.field = text, .compare = ORR_PREFIX, .text = ""}, "1 2 4 5");
  assert_where(b, (orr__where){.field = text, .compare = ORR_PREFIX, .text = "B"}, "");
  assert_where(b, (orr__where){.field = ORR_F_result_uuid, .compare = ORR_PREFIX, .text = "result-3"}, "3");
}

static void test_query__finds_what_has_a_value_in_an_indexed_field(void **state) {
  bench *b = *state;
  assert_where(b, (orr__where){.field = ORR_F_result_nextAction, .compare = ORR_IS_SET}, "1 3 4 5");
  assert_where(b, (orr__where){.field = ORR_F_result_nextAction, .compare = ORR_IS_UNSET}, "2");
  assert_where(b, (orr__where){.field = ORR_F_result_attention, .compare = ORR_IS_SET}, "4");
  orr__where both[] = {{.field = ORR_F_result_backupId, .compare = ORR_EQ, .number = 1},
                       {.field = ORR_F_result_nextAction, .compare = ORR_IS_SET}};
  assert_ids(b, &(orr__query){.model = ORR_M_result, .where = both, .where_count = 2, .order_field = -1}, "1 3");
  orr__where two[] = {{.field = ORR_F_result_attention, .compare = ORR_IS_SET},
                      {.field = ORR_F_result_nextAction, .compare = ORR_IS_SET}};
  assert_ids(b, &(orr__query){.model = ORR_M_result, .where = two, .where_count = 2, .order_field = -1}, "4");
}

static void test_query__orders_and_limits(void **state) {
  bench *b = *state;
  orr__query query = {.model = ORR_M_result, .order_field = -1};
  assert_ids(b, &query, "1 2 3 4 5");
  query.is_descending = true;
  assert_ids(b, &query, "5 4 3 2 1");
  query.limit = 2;
  assert_ids(b, &query, "5 4");
  query.order_field = ORR_F_result_nextActionDate;
  query.limit = 0;
  assert_ids(b, &query, "1 4 5 3 2");
  query.is_descending = false;
  assert_ids(b, &query, "2 3 5 4 1");
  query.limit = 3;
  assert_ids(b, &query, "2 3 5");
  query.skip = 1;
  assert_ids(b, &query, "3 5 4");
  query.skip = 4;
  assert_ids(b, &query, "1");
  query.order_field = -1;
  query.skip = 1;
  assert_ids(b, &query, "2 3 4");
  query.skip = 9;
  assert_ids(b, &query, "");
  query.skip = 0;
  query.order_field = ORR_F_result_statusMessage;
  query.limit = 0;
  assert_ids(b, &query, "3 4 1 2 5");
  query.order_field = ORR_F_result_progress;
  query.is_descending = true;
  assert_ids(b, &query, "5 4 3 2 1");
}

static void look_at_fields(orr__tx *tx, void *arg) {
  (void)arg;
  const orr_result *r = (const orr_result *)(const void *)orr__tx_row(tx, 0, 0);
  assert_int_equal(r->head.set, ORR_BIT(ORR_F_result_id) | ORR_BIT(ORR_F_result_status));
  assert_int_equal(r->head.dirty, 0);
  assert_string_equal(r->status, "IN_PROGRESS");
}

static void test_query__loads_the_fields_asked_for_and_the_id(void **state) {
  bench *b = *state;
  orr__tx *tx = orr__tx_new();
  uint64_t fields = ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_sizeInMb) | ORR_BIT(ORR_F_result_attention);
  orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .order_field = -1, .limit = 1, .fields = fields});
  assert_int_equal(bench_run_look(b, tx, look_at_fields, NULL), 0);
}

static void test_query__refuses_what_cannot_be_searched_by(void **state) {
  bench *b = *state;
  const struct {
    enum orr__model_id model;
    orr__where where;
    int order;
  } bad[] = {
      {ORR_M_result, {.field = ORR_F_result_sizeInMb, .compare = ORR_IS_SET}, -1},
      {ORR_M_result, {.field = 999, .compare = ORR_IS_SET}, -1},
      {ORR_M_result, {.field = ORR_F_result_status, .compare = ORR_EQ}, -1},
      {ORR_M_result, {.field = ORR_F_result_id, .compare = ORR_PREFIX, .number = 1}, -1},
      {ORR_M_connection, {.field = ORR_F_connection_password, .compare = ORR_EQ, .text = "x"}, -1},
      {ORR_M_result, {.field = ORR_F_result_id, .compare = ORR_IS_SET}, 999},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    orr__tx *tx = orr__tx_new();
    orr__tx_query(tx, &(orr__query){.model = bad[i].model, .where = &bad[i].where, .where_count = 1,
                                    .order_field = bad[i].order});
    assert_int_equal(bench_run(b, tx), ORR_E_MISUSE);
  }
  orr__where many[33] = {{0}};
  for (int i = 0; i < 33; i++) many[i].compare = ORR_IS_SET;
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .where = many, .where_count = 32, .order_field = -1});
  assert_int_equal(bench_run(b, tx), 0);
  tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .where = many, .where_count = 33, .order_field = -1});
  assert_int_equal(bench_run(b, tx), ORR_E_LIMIT);
}

static void take_all(orr__tx *tx, void *arg) {
  orr__object **rows = arg;
  rows[0] = orr__tx_take(tx, 0, 1);
  assert_null(orr__tx_take(tx, 0, 1));
  assert_null(orr__tx_row(tx, 0, 1));
  assert_int_equal(orr__tx_rows(tx, 0), 5);
  assert_null(orr__tx_take(tx, 0, 5));
  assert_null(orr__tx_take(tx, 1, 0));
  assert_null(orr__tx_take(tx, -1, 0));
}

static void test_query__rows_that_were_taken_stay_with_the_taker(void **state) {
  bench *b = *state;
  orr__object *row = NULL;
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .order_field = -1});
  assert_int_equal(bench_run_look(b, tx, take_all, &row), 0);
  assert_int_equal(orr__object_id(row), 2);
  orr__object_free(row);
}

/* ---- graphs -------------------------------------------------------------------------------------------------- */

static void keep_graph(orr__tx *tx, void *arg) {
  orr__graph *graph = arg;
  if (!orr__tx_take_graph(tx, 0, graph)) return;
  assert_false(orr__tx_take_graph(tx, 0, graph));
}

static orr__graph get_graph(bench *b, enum orr__model_id model, int64_t id) {
  orr__graph graph = {0};
  orr__tx *tx = orr__tx_new();
  orr__tx_graph(tx, model, id);
  assert_int_equal(bench_run_look(b, tx, keep_graph, &graph), 0);
  return graph;
}

/* Clouds 1 and 2, server 1 in cloud 2, server 2 in none, connection 7; backup 1 uses them. */
static void add_inventory(bench *b) {
  for (int64_t id = 1; id <= 2; id++) {
    orr_cloud *cloud = orr__cloud_new();
    orr__set_int(&cloud->head, ORR_F_cloud_id, id);
    orr__set_str(&cloud->head, ORR_F_cloud_name, id == 1 ? "east" : "west");
    assert_int_equal(insert_object(b, &cloud->head), 0);
    orr_server *server = orr__server_new();
    orr__set_int(&server->head, ORR_F_server_id, id);
    orr__set_str(&server->head, ORR_F_server_name, id == 1 ? "db1" : "db2");
    if (id == 1) orr__set_int(&server->head, ORR_F_server_cloudId, 2);
    assert_int_equal(insert_object(b, &server->head), 0);
  }
  orr_connection *connection = orr__connection_new();
  orr__set_int(&connection->head, ORR_F_connection_id, 7);
  orr__set_str(&connection->head, ORR_F_connection_name, "vault");
  orr__set_str(&connection->head, ORR_F_connection_providerCode, "archive");
  orr__set_str(&connection->head, ORR_F_connection_password, "geheim");
  assert_int_equal(insert_object(b, &connection->head), 0);
  orr_backup *backup = make_backup(1, "nightly");
  orr__set_int(&backup->head, ORR_F_backup_backupProviderId, 7);
  orr__set_int(&backup->head, ORR_F_backup_cloudId, 1);
  orr__set_int(&backup->head, ORR_F_backup_computeServerId, 1);
  assert_int_equal(insert_object(b, &backup->head), 0);
}

static void test_query__a_graph_follows_the_references(void **state) {
  bench *b = *state;
  add_inventory(b);
  orr__graph graph = get_graph(b, ORR_M_result, 1);
  assert_int_equal(graph.result->id, 1);
  assert_string_equal(graph.backup->name, "nightly");
  assert_string_equal(graph.connection->password, "geheim");
  assert_string_equal(graph.server->name, "db1");
  assert_string_equal(graph.cloud->name, "west"); /* the server's, not the backup's own */
  orr__graph_clear(&graph);

  graph = get_graph(b, ORR_M_backup, 1);
  assert_null(graph.result);
  assert_string_equal(graph.backup->name, "nightly");
  assert_string_equal(graph.server->name, "db1");
  orr__graph_clear(&graph);

  graph = get_graph(b, ORR_M_connection, 7);
  assert_null(graph.backup);
  assert_string_equal(graph.connection->name, "vault");
  orr__graph_clear(&graph);
}

static void test_query__a_graph_prefers_the_results_server_and_falls_back_to_the_backups_cloud(void **state) {
  bench *b = *state;
  add_inventory(b);
  orr_result *r = make_result(1, 1, "IN_PROGRESS", 5);
  orr__set_int(&r->head, ORR_F_result_computeServerId, 2);
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &r->head, ORR_BIT(ORR_F_result_computeServerId));
  orr__object_free(&r->head);
  assert_int_equal(bench_run(b, tx), 0);
  orr__graph graph = get_graph(b, ORR_M_result, 1);
  assert_string_equal(graph.server->name, "db2");
  assert_string_equal(graph.cloud->name, "east");
  orr__graph_clear(&graph);
}

static void keep_three(orr__tx *tx, void *arg) {
  orr__graph *graphs = arg;
  for (int i = 0; i < 3; i++) assert_true(orr__tx_take_graph(tx, i, &graphs[i]));
}

/* Each graph is whole and its own, and sees what was written before it in the same transaction. */
static void test_query__graphs_of_one_transaction_do_not_share(void **state) {
  bench *b = *state;
  orr__graph graphs[3] = {0};
  add_inventory(b);
  orr__tx *tx = orr__tx_new();
  orr__tx_graph(tx, ORR_M_result, 1);
  orr__tx_graph(tx, ORR_M_result, 2);
  orr_backup *renamed = make_backup(1, "hourly");
  orr__tx_update(tx, &renamed->head, ORR_BIT(ORR_F_backup_name));
  orr__tx_graph(tx, ORR_M_result, 3);
  assert_int_equal(bench_run_look(b, tx, keep_three, graphs), 0);
  assert_true(graphs[0].backup != graphs[1].backup && graphs[0].connection != graphs[1].connection);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(graphs[i].result->id, i + 1);
    assert_string_equal(graphs[i].backup->name, i < 2 ? "nightly" : "hourly");
    assert_string_equal(graphs[i].connection->password, "geheim");
    assert_string_equal(graphs[i].server->name, "db1");
    assert_string_equal(graphs[i].cloud->name, "west");
    assert_int_equal(graphs[i].backup->head.dirty | graphs[i].connection->head.dirty, 0);
    orr__graph_clear(&graphs[i]);
  }
  orr__object_free(&renamed->head);
}

static void test_query__a_graph_of_what_is_not_there_is_none(void **state) {
  bench *b = *state;
  orr__graph graph = get_graph(b, ORR_M_result, 99);
  assert_null(graph.result);
  graph = get_graph(b, ORR_M_backup, 99);
  assert_null(graph.backup);
  /* The result is there, its backup is not. */
  graph = get_graph(b, ORR_M_result, 5);
  assert_int_equal(graph.result->id, 5);
  assert_null(graph.backup);
  orr__graph_clear(&graph);
}

#define BOTH(test) \
  {#test " (sqlite)", test, set_up_sqlite, tear_down, NULL}, {#test " (memory)", test, set_up_memory, tear_down, NULL}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(test_query__compares_integers_numbers_and_texts),
      BOTH(test_query__finds_prefixes),
      BOTH(test_query__finds_what_has_a_value_in_an_indexed_field),
      BOTH(test_query__orders_and_limits),
      BOTH(test_query__loads_the_fields_asked_for_and_the_id),
      BOTH(test_query__refuses_what_cannot_be_searched_by),
      BOTH(test_query__rows_that_were_taken_stay_with_the_taker),
      BOTH(test_query__a_graph_follows_the_references),
      BOTH(test_query__a_graph_prefers_the_results_server_and_falls_back_to_the_backups_cloud),
      BOTH(test_query__graphs_of_one_transaction_do_not_share),
      BOTH(test_query__a_graph_of_what_is_not_there_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
