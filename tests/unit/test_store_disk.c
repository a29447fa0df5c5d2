/* Disks that fill up or fail, and how often the store syncs: SQLite on a layer between it and the file system that
 * counts and can be told to refuse. */
#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store_helper.h"

typedef struct layer {
  sqlite3_io_methods methods;
  const sqlite3_io_methods *below;
} layer;

static struct {
  sqlite3_vfs vfs;
  sqlite3_vfs *below;
  layer database;           /* SQLite locks these files and no others, by other methods */
  layer others;
  atomic_int syncs;
  atomic_int write_error;   /* a result code for every write */
  atomic_int sync_error;
  atomic_int spares_log;    /* errors are for the database's file, not for its log */
  _Atomic(const char *) disk; /* a folder that has of each file what was last synced, and nothing else; NULL: not kept */
} shim;

static const layer *layer_of(const sqlite3_file *file) {
  return file->pMethods == &shim.database.methods ? &shim.database : &shim.others;
}

static bool is_meant(const sqlite3_file *file) {
  return !atomic_load(&shim.spares_log) || layer_of(file) == &shim.database;
}

static int shim_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at) {
  int code = atomic_load(&shim.write_error);
  return code && is_meant(file) ? code : layer_of(file)->below->xWrite(file, bytes, len, at);
}

/* What a disk still has after the power has gone: the files as they were when they were synced. */
static void keep_synced(sqlite3_file *file) {
  const layer *on = layer_of(file);
  char path[160];
  const char *disk = atomic_load(&shim.disk);
  sqlite3_int64 size = 0;
  if (!disk) return;
  on->below->xFileSize(file, &size);
  snprintf(path, sizeof path, "%s/orrery.db%s", disk, on == &shim.database ? "" : "-wal");
  char *bytes = malloc((size_t)size + 1);
  FILE *out = fopen(path, "wb");
  if (on->below->xRead(file, bytes, (int)size, 0) == SQLITE_OK) fwrite(bytes, 1, (size_t)size, out);
  fclose(out);
  free(bytes);
}

static int shim_sync(sqlite3_file *file, int flags) {
  atomic_fetch_add(&shim.syncs, 1);
  int code = atomic_load(&shim.sync_error);
  if (code && is_meant(file)) return code;
  keep_synced(file);
  return layer_of(file)->below->xSync(file, flags);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags) {
  (void)vfs;
  int rc = shim.below->xOpen(shim.below, name, file, flags, ret_flags);
  if (rc || !file->pMethods) return rc;
  layer *on = flags & SQLITE_OPEN_MAIN_DB ? &shim.database : &shim.others;
  on->below = file->pMethods;
  on->methods = *file->pMethods;
  on->methods.xWrite = shim_write;
  on->methods.xSync = shim_sync;
  file->pMethods = &on->methods;
  return rc;
}

static int set_up(void **state) {
  memset(&shim, 0, sizeof shim);
  shim.below = sqlite3_vfs_find(NULL);
  shim.vfs = *shim.below;
  shim.vfs.zName = "shim";
  shim.vfs.xOpen = shim_open;
  sqlite3_vfs_register(&shim.vfs, 1);
  bench *b = malloc(sizeof *b);
  bench_init(b, false);
  bench_open(b);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  atomic_store(&shim.write_error, 0);
  atomic_store(&shim.sync_error, 0);
  bench_clear(*state);
  free(*state);
  sqlite3_vfs_unregister(&shim.vfs);
  return 0;
}

static void assert_failed_for_good(bench *b) {
  assert_int_equal(orr__store_failed(b->store), ORR_E_IO);
  atomic_store(&shim.write_error, 0);
  atomic_store(&shim.sync_error, 0);
  assert_int_equal(insert_backup(b, 50, "later"), ORR_E_IO);
  orr__tx *tx = orr__tx_new();
  orr__tx_get(tx, ORR_M_backup, 1);
  assert_int_equal(bench_run(b, tx), ORR_E_IO);
  /* What was acknowledged is there, what was refused is not. */
  bench_close(b);
  bench_open(b);
  assert_int_equal(orr__store_failed(b->store), 0);
  orr__object *row = get_object(b, ORR_M_backup, 1);
  assert_non_null(row);
  orr__object_free(row);
  assert_null(get_object(b, ORR_M_backup, 2));
  assert_null(get_object(b, ORR_M_backup, 50));
}

static void test_disk__a_full_disk_fails_the_group_and_all_after_it(void **state) {
  bench *b = *state;
  assert_int_equal(insert_backup(b, 1, "before"), 0);
  atomic_store(&shim.write_error, SQLITE_FULL);
  assert_int_equal(insert_backup(b, 2, "lost"), ORR_E_IO);
  char expected[160];
  snprintf(expected, sizeof expected, "database '%s': disk full", b->path);
  assert_string_equal(b->message, expected);
  assert_failed_for_good(b);
}

static void test_disk__a_sync_that_fails_fails_the_group_and_all_after_it(void **state) {
  bench *b = *state;
  assert_int_equal(insert_backup(b, 1, "before"), 0);
  atomic_store(&shim.sync_error, SQLITE_IOERR_FSYNC);
  assert_int_equal(insert_backup(b, 2, "lost"), ORR_E_IO);
  assert_int_equal(orr__store_failed(b->store), ORR_E_IO);
}

static void test_disk__a_failed_store_leaves_what_was_acknowledged(void **state) {
  bench *b = *state;
  assert_int_equal(insert_backup(b, 1, "before"), 0);
  atomic_store(&shim.write_error, SQLITE_IOERR_WRITE);
  assert_int_equal(insert_backup(b, 2, "lost"), ORR_E_IO);
  assert_failed_for_good(b);
}

static void test_disk__everybody_in_a_failed_group_is_told(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "before");
  atomic_store(&shim.sync_error, SQLITE_IOERR_FSYNC);
  int codes[20];
  for (int i = 0; i < 20; i++) {
    orr_backup *backup = make_backup(10 + i, i % 5 == 0 ? "before" : NULL);
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    if (i % 5) orr__set_str(&backup->head, ORR_F_backup_name, name);
    orr__tx *tx = orr__tx_new();
    orr__tx_insert(tx, &backup->head);
    orr__object_free(&backup->head);
    codes[i] = 1;
    orr__store_submit(b->store, tx, note_code, &codes[i]);
  }
  bench_settle(b);
  /* One that was refused on its own account keeps that reason, if it was looked at before the failure. */
  for (int i = 0; i < 20; i++) assert_true(codes[i] == ORR_E_IO || (i % 5 == 0 && codes[i] == ORR_E_EXISTS));
}

static void test_disk__a_log_that_cannot_be_written_back_fails_the_store(void **state) {
  bench *b = *state;
  atomic_store(&shim.spares_log, 1);
  atomic_store(&shim.sync_error, SQLITE_IOERR_FSYNC);
  /* Large rows until the log has 20,000 pages. */
  char *text = malloc(4 << 20);
  memset(text, 'x', (4 << 20) - 1);
  text[(4 << 20) - 1] = '\0';
  int code = 0;
  int rows = 0;
  while (!code && rows < 30) {
    orr_result *r = make_result(++rows, 1, "FAILED", 0);
    orr__set_str(&r->head, ORR_F_result_errorOutput, text);
    code = insert_object(b, &r->head);
  }
  free(text);
  assert_in_range(rows, 20, 23);
  assert_int_equal(code, ORR_E_IO);
}

static void test_disk__groups_share_a_sync_and_reads_need_none(void **state) {
  bench *b = *state;
  for (int i = 1; i <= 2000; i++) {
    orr_result *r = make_result(i, 1, "FAILED", 0);
    orr__tx *tx = orr__tx_new();
    orr__tx_insert(tx, &r->head);
    orr__object_free(&r->head);
    if (i == 1) atomic_store(&shim.syncs, 0);
    orr__store_submit(b->store, tx, NULL, NULL);
  }
  bench_settle(b);
  int syncs = atomic_exchange(&shim.syncs, 0);
  assert_in_range(syncs, 1, 1000);
  orr__object_free(get_object(b, ORR_M_result, 1));
  assert_int_equal(count_rows(b, ORR_M_result), 2000);
  assert_int_equal(atomic_load(&shim.syncs), 0);
  insert_backup(b, 1, "alone");
  assert_in_range(atomic_load(&shim.syncs), 1, 2);
}

/* After each acknowledgement the power goes: what a second store finds on the disk is all that was acknowledged. */
static void test_disk__what_was_acknowledged_survives_a_power_cut(void **state) {
  bench *b = *state;
  bench disk;
  char command[400];
  bench_init(&disk, false);
  bench_close(b);
  snprintf(command, sizeof command, "cp -r %s/. %s", b->folder, disk.folder);
  assert_int_equal(system(command), 0);
  atomic_store(&shim.disk, disk.folder);
  bench_open(b);
  for (int i = 1; i <= 12; i++) {
    char name[16];
    snprintf(name, sizeof name, "b%d", i);
    assert_int_equal(insert_backup(b, i, name), 0);
    bench cut;
    bench_init(&cut, false);
    snprintf(command, sizeof command, "cp -r %s/. %s", disk.folder, cut.folder);
    assert_int_equal(system(command), 0);
    atomic_store(&shim.disk, NULL);
    bench_open(&cut);
    assert_int_equal(count_rows(&cut, ORR_M_backup), i);
    bench_clear(&cut);
    atomic_store(&shim.disk, disk.folder);
  }
  atomic_store(&shim.disk, NULL);
  bench_clear(&disk);
}

static void test_disk__a_copy_that_finds_no_room_leaves_nothing(void **state) {
  bench *b = *state;
  insert_backup(b, 1, "x");
  char copy[128], part[160];
  snprintf(copy, sizeof copy, "%s/copy.db", b->folder);
  snprintf(part, sizeof part, "%s.part", copy);
  int code = 1;
  atomic_store(&shim.write_error, SQLITE_FULL);
  orr__store_backup(b->store, copy, note_code, &code);
  bench_settle(b);
  atomic_store(&shim.write_error, 0);
  assert_int_equal(code, ORR_E_IO);
  assert_int_equal(access(copy, F_OK), -1);
  assert_int_equal(access(part, F_OK), -1);
  assert_int_equal(orr__store_failed(b->store), 0);
  assert_int_equal(insert_backup(b, 2, "y"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_disk__a_full_disk_fails_the_group_and_all_after_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__a_sync_that_fails_fails_the_group_and_all_after_it, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__a_failed_store_leaves_what_was_acknowledged, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__everybody_in_a_failed_group_is_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__a_log_that_cannot_be_written_back_fails_the_store, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__groups_share_a_sync_and_reads_need_none, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__what_was_acknowledged_survives_a_power_cut, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_disk__a_copy_that_finds_no_room_leaves_nothing, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
