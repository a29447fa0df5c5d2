/* What SQLite makes of the statements that run most: no table of its own is filled each time, and what is looked for is found by an
 * index. Seen in its plans and programs, since time proves nothing. */
#include <sqlite3.h>

#include "store_helper.h"

static int set_up(void **state) {
  bench *b = malloc(sizeof *b);
  bench_init(b, false);
  bench_open(b);
  bench_close(b);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench *b = *state;
  bench_open(b);
  bench_clear(b);
  free(b);
  return 0;
}

/* Does a column of an EXPLAIN of the statement hold the text? */
static bool explains(bench *b, const char *explain, const char *statement, const char *text) {
  sqlite3 *db;
  sqlite3_stmt *rows;
  char sql[1024];
  bool has = false;
  snprintf(sql, sizeof sql, "%s %s", explain, statement);
  assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
  if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  while (sqlite3_step(rows) == SQLITE_ROW)
    for (int i = 0; i < sqlite3_column_count(rows); i++) {
      const char *cell = (const char *)sqlite3_column_text(rows, i);
      has = has || (cell && strstr(cell, text));
    }
  sqlite3_finalize(rows);
  sqlite3_close(db);
  return has;
}

/* The conditions of the table are looked at by each write that touches their columns, and a list of words (IN) would be
 * made a table anew by each: it cost a refresh more than half of its write. */
static void test_statements__a_write_fills_no_table_of_its_own(void **state) {
  bench *b = *state;
  const char *const writes[] = {
      "UPDATE result SET progress = 1, nextActionDate = 2, updatedDate = 3 WHERE id = 1",
      "UPDATE result SET status = 'FAILED', nextActionDate = NULL WHERE id = 1",
      "INSERT INTO result (id, uuid, backupId, status, nextActionDate, createdDate) VALUES (1, 'u', 1, 'IN_PROGRESS', 1, 1)",
  };
  assert_true(explains(b, "EXPLAIN", "SELECT 1 FROM result WHERE status IN ('a', 'b', 'c')", "OpenEphemeral")); /* so it would be told */
  for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
    if (explains(b, "EXPLAIN", writes[i], "OpenEphemeral")) fail_msg("it fills a table: %s", writes[i]);
}

static void test_statements__the_pages_of_a_start_are_in_an_index(void **state) {
  bench *b = *state;
  const char page[] = "SELECT id, status FROM result WHERE nextAction = 'refreshBackupResult' AND id > 7 ORDER BY id LIMIT 100";
  assert_true(explains(b, "EXPLAIN QUERY PLAN", page, "USING INDEX result_nextAction"));
  assert_false(explains(b, "EXPLAIN QUERY PLAN", page, "TEMP B-TREE"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_statements__a_write_fills_no_table_of_its_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_statements__the_pages_of_a_start_are_in_an_index, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
