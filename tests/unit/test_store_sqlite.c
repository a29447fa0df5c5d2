/* What only a store on disk can show: that it survives, locks, seals, migrates, copies, and that it tells damage,
 * full disks and newer files apart and changes none of them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "store/sqlite.h"
#include "store_helper.h"

static int set_up(void **state) {
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

static void reopen(bench *b) {
  bench_close(b);
  bench_open(b);
}

/* Runs statements on the closed store's file, as another tool would. */
static int raw(bench *b, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
  int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_close(db);
  return rc;
}

static char *raw_text(bench *b, const char *sql) {
  sqlite3 *db;
  sqlite3_stmt *statement;
  assert_int_equal(sqlite3_open(b->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
  char *text = sqlite3_step(statement) == SQLITE_ROW ? orr__strdup((const char *)sqlite3_column_text(statement, 0)) : NULL;
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return text;
}

static void assert_raw(bench *b, const char *sql, const char *expected) {
  char *text = raw_text(b, sql);
  assert_non_null(text);
  assert_string_equal(text, expected);
  free(text);
}

/* Opening is refused with the code and leaves the file as it is. */
static void assert_refused(bench *b, int code, const char *part_of_message) {
  char *before = NULL, *after = NULL;
  size_t before_len = 0, after_len = 0;
  assert_int_equal(orr__file_read(b->path, 64 << 20, &before, &before_len, NULL), 0);
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(bench_try_open(b, &err), code);
  if (!strstr(orr__error_message(&err), part_of_message)) fail_msg("message: %s", orr__error_message(&err));
  assert_non_null(strstr(orr__error_message(&err), b->path));
  orr__error_clear(&err);
  assert_int_equal(orr__file_read(b->path, 64 << 20, &after, &after_len, NULL), 0);
  assert_int_equal(before_len, after_len);
  assert_memory_equal(before, after, before_len);
  free(before);
  free(after);
}

/* ---- what stays ---------------------------------------------------------------------------------------------- */

static void test_sqlite__keeps_rows_and_ids_over_a_restart(void **state) {
  bench *b = *state;
  for (int i = 0; i < 3; i++) {
    int64_t id = orr__store_next_id(b->store, ORR_M_result);
    assert_int_equal(insert_result(b, id, 1, "FAILED", 0), 0);
  }
  orr__tx *tx = orr__tx_new();
  orr__tx_delete(tx, ORR_M_result, 3);
  assert_int_equal(bench_run(b, tx), 0);
  reopen(b);
  assert_int_equal(count_rows(b, ORR_M_result), 2);
  assert_int_equal(orr__store_next_id(b->store, ORR_M_result), 4);
  tx = orr__tx_new();
  orr__tx_prune(tx, ORR_M_result, INT64_MAX);
  assert_int_equal(bench_run(b, tx), 0);
  reopen(b);
  assert_int_equal(orr__store_next_id(b->store, ORR_M_result), 4);
}

static void test_sqlite__leaves_one_file_that_only_its_owner_reads(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  struct stat facts;
  char wal[128];
  snprintf(wal, sizeof wal, "%s-wal", b->path);
  assert_int_equal(stat(b->path, &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0600);
  assert_int_equal(stat(wal, &facts), 0);
  assert_int_equal(facts.st_mode & 0777, 0600);
  bench_close(b);
  assert_int_equal(stat(wal, &facts), -1);
}

static void test_sqlite__the_file_itself_refuses_bad_rows(void **state) {
  bench *b = *state;
  insert_result(b, 1, 1, "IN_PROGRESS", 5);
  bench_close(b);
  assert_int_equal(raw(b, "UPDATE result SET nextActionDate = NULL"), SQLITE_CONSTRAINT);
  assert_int_equal(raw(b, "UPDATE result SET status = NULL, nextActionDate = NULL"), SQLITE_CONSTRAINT);
  assert_int_equal(raw(b, "UPDATE result SET status = 'DONE'"), SQLITE_CONSTRAINT);
  assert_int_equal(raw(b, "UPDATE result SET backupId = NULL"), SQLITE_CONSTRAINT);
  assert_int_equal(raw(b, "UPDATE result SET nextActionDate = 'soon'"), SQLITE_CONSTRAINT);
  assert_int_equal(raw(b, "UPDATE result SET status = 'FAILED', nextActionDate = NULL"), SQLITE_OK);
}

static void test_sqlite__statements_beyond_the_cache_work(void **state) {
  bench *b = *state;
  insert_result(b, 1, 1, "IN_PROGRESS", 5);
  orr_result *r = make_result(1, 1, "IN_PROGRESS", 5);
  const int fields[] = {ORR_F_result_statusMessage, ORR_F_result_externalId, ORR_F_result_internalId,
                        ORR_F_result_snapshotId,    ORR_F_result_processId,  ORR_F_result_resultPath,
                        ORR_F_result_errorMessage};
  for (unsigned bits = 1; bits < 128; bits++) {
    uint64_t mask = 0;
    char text[16];
    snprintf(text, sizeof text, "%u", bits);
    for (int i = 0; i < 7; i++) {
      if (!(bits >> i & 1)) continue;
      orr__set_str(&r->head, fields[i], text);
      mask |= ORR_BIT(fields[i]);
    }
    orr__tx *tx = orr__tx_new();
    orr__tx_update(tx, &r->head, mask);
    orr__store_submit(b->store, tx, NULL, NULL);
  }
  bench_settle(b);
  orr_result *got = (orr_result *)(void *)get_object(b, ORR_M_result, 1);
  for (int i = 0; i < 7; i++) assert_string_equal(orr__get_str(&got->head, fields[i]), orr__get_str(&r->head, fields[i]));
  orr__object_free(&got->head);
  orr__object_free(&r->head);
}

/* ---- being killed -------------------------------------------------------------------------------------------- */

typedef struct ack {
  int fd;
  int64_t id;
} ack;

static void write_ack(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx, (void)err;
  ack *a = arg;
  if (code || write(a->fd, &a->id, sizeof a->id) != sizeof a->id) _exit(3);
  free(a);
}

static void commit_for_ever(bench *b, int fd) {
  bench_open(b);
  for (;;) {
    for (int i = 0; i < 7; i++) {
      ack *a = malloc(sizeof *a);
      *a = (ack){fd, orr__store_next_id(b->store, ORR_M_result)};
      orr_result *r = make_result(a->id, 1, "FAILED", 0);
      orr__tx *tx = orr__tx_new();
      orr__tx_insert(tx, &r->head);
      orr__object_free(&r->head);
      orr__store_submit(b->store, tx, write_ack, a);
    }
    bench_turn(b);
  }
}

static void test_sqlite__what_was_acknowledged_survives_kill_9(void **state) {
  bench *b = *state;
  bench_close(b);
  int64_t newest = 0;
  for (int round = 0; round < 4; round++) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
      close(fds[0]);
      commit_for_ever(b, fds[1]);
    }
    close(fds[1]);
    int64_t id;
    for (int i = 0; i < 50 + 31 * round; i++) assert_int_equal(read(fds[0], &id, sizeof id), sizeof id);
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(fds[0], &id, sizeof id) == sizeof id) newest = id;
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));

    bench_open(b);
    int64_t number = -1;
    orr__where where = {.field = ORR_F_result_id, .compare = ORR_LE, .number = newest};
    orr__tx *tx = orr__tx_new();
    orr__tx_count(tx, &(orr__query){.model = ORR_M_result, .where = &where, .where_count = 1, .order_field = -1});
    assert_int_equal(bench_run_look(b, tx, bench_keep_number, &number), 0);
    assert_int_equal(number, newest);
    assert_true(orr__store_next_id(b->store, ORR_M_result) > newest);
    bench_close(b);
    assert_raw(b, "PRAGMA integrity_check", "ok");
  }
}

/* ---- locks, other versions, other files ---------------------------------------------------------------------- */

static void test_sqlite__a_second_connection_is_locked_out(void **state) {
  bench *b = *state;
  orr__store_config config = bench_config(b);
  orr__store *second = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__store_open_sqlite(&config, &second, &err), ORR_E_LOCKED);
  assert_null(second);
  orr__error_clear(&err);
  /* From another process too, and after the first attempt has been turned away. */
  pid_t child = fork();
  if (child == 0) {
    orr__store *third = NULL;
    _exit(orr__store_open_sqlite(&config, &third, NULL) == ORR_E_LOCKED ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  char *report = NULL;
  assert_int_equal(orr__store_check(b->path, &report, NULL), ORR_E_LOCKED);
  assert_null(report);
  assert_int_equal(insert_backup(b, 1, "x"), 0);
}

static void test_sqlite__a_newer_schema_is_refused(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  bench_close(b);
  assert_int_equal(raw(b, "PRAGMA user_version = 99"), SQLITE_OK);
  assert_refused(b, ORR_E_NEWER, "schema 99");
  /* The newer one was killed: what it had in its log is left there for it. */
  pid_t child = fork();
  if (child == 0) {
    sqlite3 *db;
    _exit(sqlite3_open(b->path, &db) || sqlite3_exec(db, "DELETE FROM backup", NULL, NULL, NULL));
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  char wal[128];
  snprintf(wal, sizeof wal, "%s-wal", b->path);
  assert_int_equal(access(wal, F_OK), 0);
  assert_refused(b, ORR_E_NEWER, "schema 99");
  assert_int_equal(access(wal, F_OK), 0);
}

static void test_sqlite__a_foreign_database_is_refused(void **state) {
  bench *b = *state;
  bench_close(b);
  unlink(b->path);
  assert_int_equal(raw(b, "CREATE TABLE mine (a)"), SQLITE_OK);
  assert_refused(b, ORR_E_CORRUPT, "another program");
}

static void write_at(bench *b, off_t at, const char *bytes, size_t len) {
  int fd = open(b->path, O_WRONLY | O_CREAT, 0600);
  assert_int_equal(pwrite(fd, bytes, len, at), len);
  close(fd);
}

static void test_sqlite__a_file_that_is_no_database_is_damaged(void **state) {
  bench *b = *state;
  bench_close(b);
  unlink(b->path);
  char text[5000];
  memset(text, 'x', sizeof text);
  write_at(b, 0, text, 20);
  assert_refused(b, ORR_E_CORRUPT, "restore a copy made by `orrery db backup`");
  write_at(b, 0, text, sizeof text);
  assert_refused(b, ORR_E_CORRUPT, "file is not a database");
}

static void fill(bench *b, int count) {
  orr__tx *tx = orr__tx_new();
  for (int i = 1; i <= count; i++) {
    orr_result *r = make_result(i, 1, "FAILED", 0);
    orr__set_str(&r->head, ORR_F_result_errorOutput, "some output of a tool that did not do as it was told");
    orr__tx_insert(tx, &r->head);
    orr__object_free(&r->head);
  }
  assert_int_equal(bench_run(b, tx), 0);
}

static void test_sqlite__a_truncated_file_is_damaged(void **state) {
  bench *b = *state;
  fill(b, 2000);
  bench_close(b);
  struct stat facts;
  assert_int_equal(stat(b->path, &facts), 0);
  assert_int_equal(truncate(b->path, facts.st_size / 2 / 4096 * 4096), 0);
  assert_refused(b, ORR_E_CORRUPT, "is damaged");
  assert_int_equal(truncate(b->path, 0), 0);
  char wal[128];
  snprintf(wal, sizeof wal, "%s-wal", b->path);
  assert_int_equal(orr__file_write(wal, "7\x7f\x06\x82", 4, 0600, NULL), 0);
  assert_refused(b, ORR_E_CORRUPT, "it is empty, but its log is not");
}

static void test_sqlite__an_odd_header_makes_opening_look_at_all_pages(void **state) {
  bench *b = *state;
  fill(b, 2000);
  bench_close(b);
  char garbage[8 * 4096]; /* so much that results are among it, whatever lies between them */
  memset(garbage, 0x5a, sizeof garbage);
  struct stat facts;
  assert_int_equal(stat(b->path, &facts), 0);
  write_at(b, (facts.st_size / 4096 - 20) * 4096, garbage, sizeof garbage);
  /* In a file that looks well it is not looked for (start-up must not grow), but met: by the one who reads it, who
   * is told, and nobody else. */
  bench_open(b);
  orr__tx *tx = orr__tx_new();
  orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .order_field = -1});
  assert_int_equal(bench_run(b, tx), ORR_E_CORRUPT);
  assert_non_null(strstr(b->message, "restore a copy"));
  orr__object *row = get_object(b, ORR_M_result, 1);
  assert_non_null(row);
  orr__object_free(row);
  /* Nor is a neighbour spoilt that writes. */
  int codes[3] = {1, 1, 1};
  for (int i = 0; i < 3; i++) {
    tx = orr__tx_new();
    if (i != 1) orr__tx_delete(tx, ORR_M_result, 1 + i);
    if (i == 1) orr__tx_query(tx, &(orr__query){.model = ORR_M_result, .order_field = -1});
    orr__store_submit(b->store, tx, note_code, &codes[i]);
  }
  bench_settle(b);
  assert_int_equal(codes[0], 0);
  assert_int_equal(codes[1], ORR_E_CORRUPT);
  assert_int_equal(codes[2], 0);
  assert_null(get_object(b, ORR_M_result, 1));
  assert_null(get_object(b, ORR_M_result, 3));
  bench_close(b);
  /* Another writer's mark. */
  write_at(b, 92, "\0\0\0\1", 4);
  assert_refused(b, ORR_E_CORRUPT, "is damaged");
  char *report = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__store_check(b->path, &report, &err), ORR_E_CORRUPT);
  assert_non_null(strchr(report, '\n'));
  free(report);
  orr__error_clear(&err);
}

static void test_sqlite__a_folder_that_cannot_be_used_is_io(void **state) {
  bench *b = *state;
  orr__store_config config = bench_config(b);
  config.path = "/nonexistent/folder/orrery.db";
  orr__store *store = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__store_open_sqlite(&config, &store, &err), ORR_E_IO);
  assert_string_equal(err.message, "database '/nonexistent/folder/orrery.db': No such file or directory");
  orr__error_clear(&err);
}

/* ---- migrations ---------------------------------------------------------------------------------------------- */

static int migrate(bench *b, const char *sql) {
  const orr__sqlite_migration migrations[] = {{1, NULL, NULL}, {4, NULL, NULL}, {5, sql, NULL}};
  orr__sqlite self = {.path = b->path};
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__sqlite_open(&self, true, &err), 0);
  int code = orr__sqlite_migrate(&self, migrations, 3, &err);
  orr__sqlite_shut(&self, false);
  orr__error_clear(&err);
  return code;
}

static void test_sqlite__migrates_whole_or_not_at_all(void **state) {
  bench *b = *state;
  bench_close(b);
  assert_true(migrate(b, "CREATE TABLE extra (a TEXT) STRICT; SELECT nonsense;") < 0);
  assert_raw(b, "PRAGMA user_version", "4");
  assert_raw(b, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'", "0");
  assert_int_equal(migrate(b, "CREATE TABLE extra (a TEXT) STRICT;"), 0);
  assert_raw(b, "PRAGMA user_version", "5");
  assert_raw(b, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'", "1");
  assert_refused(b, ORR_E_NEWER, "schema 5");
}

/* As the first version made it. */
static void test_sqlite__makes_the_tables_that_came_later(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  bench_close(b);
  assert_int_equal(raw(b, "DROP TABLE orphan; DROP TABLE provider; DROP TABLE provider_version; PRAGMA user_version = 1;"), SQLITE_OK);
  char *report = NULL;
  assert_int_equal(orr__store_check(b->path, &report, NULL), 0); /* older is not damaged */
  free(report);
  bench_open(b);
  orr__object *orphan = orr__object_new(ORR_M_orphan);
  orr__set_int(orphan, ORR_F_orphan_id, orr__store_next_id(b->store, ORR_M_orphan));
  orr__set_str(orphan, ORR_F_orphan_uuid, "a");
  orr__tx *tx = orr__tx_new();
  orr__tx_insert(tx, orphan);
  orr__object_free(orphan);
  assert_int_equal(bench_run(b, tx), 0);
  bench_close(b);
  assert_raw(b, "PRAGMA user_version", "4");
  assert_raw(b, "SELECT uuid FROM orphan", "a");
  assert_raw(b, "SELECT count(*) FROM sqlite_schema WHERE name = 'orphan_uuid'", "1");
}

static void test_sqlite__adds_the_columns_and_indexes_that_are_new(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  bench_close(b);
  assert_int_equal(raw(b, "DROP INDEX event_resultId; ALTER TABLE backup DROP COLUMN statusMessage;"), SQLITE_OK);
  bench_open(b);
  orr_backup *backup = make_backup(1, "x");
  orr__set_str(&backup->head, ORR_F_backup_statusMessage, "new");
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &backup->head, ORR_BIT(ORR_F_backup_statusMessage));
  orr__object_free(&backup->head);
  assert_int_equal(bench_run(b, tx), 0);
  bench_close(b);
  assert_raw(b, "SELECT statusMessage FROM backup", "new");
  assert_raw(b, "SELECT count(*) FROM sqlite_schema WHERE name = 'event_resultId'", "1");
}

/* ---- secrets ------------------------------------------------------------------------------------------------- */

static int fake_seal(void *self, const char *context, const char *text, char **ret_sealed) {
  if (strcmp(text, "unsealable") == 0) return ORR_E_NOMEM;
  *ret_sealed = orr__strf("%s<%s|%zu>", (const char *)self, context, strlen(text));
  return 0;
}

static int fake_open(void *self, const char *context, const char *sealed, char **ret_text, orr_error *reterr) {
  char *expected = orr__strf("%s<%s|", (const char *)self, context);
  bool is_ours = orr__starts_with(sealed, expected);
  free(expected);
  if (!is_ours) return orr__error_set(reterr, ORR_E_CORRUPT, "%s does not open", context);
  *ret_text = orr__strf("opened %s", context);
  return 0;
}

static void test_sqlite__seals_secrets(void **state) {
  bench *b = *state;
  bench_close(b);
  b->codec = (orr__store_codec){.self = "k", .seal = fake_seal, .open = fake_open};
  bench_open(b);
  orr_connection *c = orr__connection_new();
  orr__set_int(&c->head, ORR_F_connection_id, 1);
  orr__set_str(&c->head, ORR_F_connection_name, "vault");
  orr__set_str(&c->head, ORR_F_connection_providerCode, "archive");
  orr__set_str(&c->head, ORR_F_connection_password, "geheim");
  assert_int_equal(insert_object(b, orr__object_copy(&c->head)), 0);
  orr_connection *got = (orr_connection *)(void *)get_object(b, ORR_M_connection, 1);
  assert_string_equal(got->password, "opened connection.password");
  orr__object_free(&got->head);
  orr__set_str(&c->head, ORR_F_connection_serviceToken, "unsealable");
  orr__tx *tx = orr__tx_new();
  orr__tx_update(tx, &c->head, ORR_BIT(ORR_F_connection_serviceToken));
  assert_int_equal(bench_run(b, tx), ORR_E_NOMEM);
  orr__set_str(&c->head, ORR_F_connection_serviceToken, "tok");
  tx = orr__tx_new();
  orr__tx_update(tx, &c->head, ORR_BIT(ORR_F_connection_serviceToken));
  assert_int_equal(bench_run(b, tx), 0);
  orr__object_free(&c->head);
  bench_close(b);
  assert_raw(b, "SELECT password || serviceToken FROM connection",
             "k<connection.password|6>k<connection.serviceToken|3>");
  assert_raw(b, "SELECT name FROM connection", "vault");
  /* A sealed text that was moved to another column does not open, and says so. */
  raw(b, "UPDATE connection SET password = serviceToken");
  bench_open(b);
  tx = orr__tx_new();
  orr__tx_get(tx, ORR_M_connection, 1);
  assert_int_equal(bench_run(b, tx), ORR_E_CORRUPT);
  assert_string_equal(b->message, "connection.password does not open");
}

/* ---- copies and checks --------------------------------------------------------------------------------------- */

static void test_sqlite__copies_while_it_goes_on(void **state) {
  bench *b = *state;
  fill(b, 5000);
  char copy[128], part[160];
  snprintf(copy, sizeof copy, "%s/copy.db", b->folder);
  snprintf(part, sizeof part, "%s.part", copy);
  int code = 1;
  orr__store_backup(b->store, copy, note_code, &code);
  assert_int_equal(code, 1);
  for (int i = 5001; i <= 5100; i++) {
    orr_result *r = make_result(i, 1, "FAILED", 0);
    orr__tx *tx = orr__tx_new();
    orr__tx_insert(tx, &r->head);
    orr__object_free(&r->head);
    orr__store_submit(b->store, tx, NULL, NULL);
  }
  bench_settle(b);
  assert_int_equal(code, 0);
  assert_int_equal(access(part, F_OK), -1);
  orr__store_backup(b->store, copy, note_code, &code);
  bench_settle(b);
  assert_int_equal(code, ORR_E_EXISTS);
  orr__store_backup(b->store, "/nonexistent/copy.db", note_code, &code);
  bench_settle(b);
  assert_int_equal(code, ORR_E_IO);
  bench_close(b);

  char *report = NULL;
  assert_int_equal(orr__store_check(copy, &report, NULL), ORR_E_CORRUPT); /* the results' backup does not exist */
  assert_non_null(strstr(report, "result 1: backupId 1 does not exist\n"));
  free(report);
  strcpy(b->path, copy);
  bench_open(b);
  int64_t rows = count_rows(b, ORR_M_result);
  assert_true(rows >= 5000 && rows <= 5100);
}

static void test_sqlite__closing_waits_for_the_copy(void **state) {
  bench *b = *state;
  fill(b, 5000);
  char copy[128];
  snprintf(copy, sizeof copy, "%s/copy.db", b->folder);
  int code = 1;
  orr__store_backup(b->store, copy, note_code, &code);
  bench_close(b);
  assert_int_equal(code, 0);
  assert_int_equal(access(copy, F_OK), 0);
}

static void test_sqlite__check_finds_what_no_transaction_leaves(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "nightly");
  insert_result(b, 1, 1, "IN_PROGRESS", 5);
  bench_close(b);
  char *report = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__store_check(b->path, &report, &err), 0);
  assert_string_equal(report, "");
  free(report);
  report = NULL;
  assert_int_equal(raw(b, "PRAGMA ignore_check_constraints = 1; UPDATE result SET nextActionDate = NULL, backupId = 9"),
                   SQLITE_OK);
  /* Quick looks at pages only. */
  assert_int_equal(orr__store_check_as(b->path, ORR_CHECK_QUICK, &report, &err), ORR_E_CORRUPT);
  assert_non_null(strstr(report, "CHECK constraint failed"));
  free(report);
  report = NULL;
  orr__error_clear(&err);
  assert_int_equal(raw(b, "UPDATE result SET nextActionDate = 5"), SQLITE_OK);
  assert_int_equal(orr__store_check_as(b->path, ORR_CHECK_QUICK, &report, &err), 0);
  free(report);
  report = NULL;
  assert_int_equal(orr__store_check(b->path, &report, &err), ORR_E_CORRUPT);
  assert_string_equal(report, "result 1: backupId 9 does not exist\n");
  assert_non_null(strstr(err.message, "has 1 finding"));
  free(report);
  orr__error_clear(&err);
  char missing[128];
  snprintf(missing, sizeof missing, "%s/none.db", b->folder);
  assert_int_equal(orr__store_check(missing, &report, &err), ORR_E_NOT_FOUND);
  assert_int_equal(access(missing, F_OK), -1);
  orr__error_clear(&err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_sqlite__keeps_rows_and_ids_over_a_restart, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__leaves_one_file_that_only_its_owner_reads, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__the_file_itself_refuses_bad_rows, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__statements_beyond_the_cache_work, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__what_was_acknowledged_survives_kill_9, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_second_connection_is_locked_out, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_newer_schema_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_foreign_database_is_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_file_that_is_no_database_is_damaged, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_truncated_file_is_damaged, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__an_odd_header_makes_opening_look_at_all_pages, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__a_folder_that_cannot_be_used_is_io, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__migrates_whole_or_not_at_all, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__makes_the_tables_that_came_later, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__adds_the_columns_and_indexes_that_are_new, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__seals_secrets, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__copies_while_it_goes_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__closing_waits_for_the_copy, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sqlite__check_finds_what_no_transaction_leaves, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
