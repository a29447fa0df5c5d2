/* The keys that seal secrets, with the database they seal: a change of keys that is cut short anywhere, by a kill or by a disk that
 * fails, and key files that are missing, wrong or open to others. Every secret opens afterwards, and one key is left. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "port/keyring.h"
#include "store_helper.h"

/* ---- system calls that stop ------------------------------------------------------------------------------------ */

/* Every call that changes a file counts; the one numbered stops_at kills us, or fails from there on. Interposed, so that SQLite's count too. */
static int counted, stops_at, fails_with;

static bool stops(void) {
  if (!stops_at || __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST) < stops_at) return false;
  if (!fails_with) kill(getpid(), SIGKILL);
  errno = fails_with;
  return true;
}

#define SHOWN __attribute__((visibility("default")))
SHOWN ssize_t write(int fd, const void *bytes, size_t len) { return stops() ? -1 : syscall(SYS_write, fd, bytes, len); }
SHOWN ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) { return stops() ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at); }
SHOWN ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return stops() ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at); }
SHOWN int fsync(int fd) { return stops() ? -1 : (int)syscall(SYS_fsync, fd); }
SHOWN int fdatasync(int fd) { return stops() ? -1 : (int)syscall(SYS_fdatasync, fd); }
SHOWN int rename(const char *from, const char *to) { return stops() ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to); }

/* ---- a store and its keys -------------------------------------------------------------------------------------- */

static int seal(void *ring, const char *context, const char *text, char **ret) { return orr__keyring_seal(ring, context, text, ret); }
static int unseal(void *ring, const char *context, const char *sealed, char **ret, orr_error *reterr) {
  return orr__keyring_unseal(ring, context, sealed, ret, reterr);
}
static int knows(void *ring, const char *context, const char *sealed, orr_error *reterr) {
  return orr__keyring_knows(ring, context, sealed, reterr);
}
static size_t count_keys(void *ring) { return orr__keyring_count(ring); }
static bool is_newest(void *ring, const char *sealed) { return orr__keyring_is_newest(ring, sealed); }
static int renew(void *ring, orr_error *reterr) { return orr__keyring_renew(ring, reterr); }
static int settle(void *ring, orr_error *reterr) { return orr__keyring_settle(ring, reterr); }

typedef struct rig {
  bench b;
  char key_path[96];
  orr__keyring *ring;
} rig;

static int rig_try_open(rig *r, orr_error *reterr) {
  int code = orr__keyring_open(r->key_path, true, &r->ring, reterr);
  if (code) return code;
  r->b.codec = (orr__store_codec){r->ring, seal, unseal, knows, count_keys, is_newest, renew, settle};
  code = bench_try_open(&r->b, reterr);
  if (code) {
    orr__keyring_free(r->ring);
    r->ring = NULL;
  }
  return code;
}

static void rig_open(rig *r) {
  orr_error err = ORR_ERROR_INIT;
  if (rig_try_open(r, &err)) fail_msg("open: %s", orr__error_message(&err));
}

static void rig_close(rig *r) {
  bench_close(&r->b);
  orr__keyring_free(r->ring);
  r->ring = NULL;
}

enum { CONNECTIONS = 3 };

static void secret_of(int i, char out[32]) { snprintf(out, 32, "geheim-%d", i); }

static void insert(rig *r, int i) {
  char secret[32], name[32];
  secret_of(i, secret);
  snprintf(name, sizeof name, "name-%d", i);
  orr_connection *connection = orr__connection_new();
  orr__set_int(&connection->head, ORR_F_connection_id, orr__store_next_id(r->b.store, ORR_M_connection));
  orr__set_str(&connection->head, ORR_F_connection_uuid, name);
  orr__set_str(&connection->head, ORR_F_connection_name, name);
  orr__set_str(&connection->head, ORR_F_connection_providerCode, "restic");
  orr__set_str(&connection->head, ORR_F_connection_password, secret);
  orr__tx *tx = orr__tx_new();
  orr__tx_insert(tx, &connection->head);
  orr__object_free(&connection->head);
  if (bench_run(&r->b, tx)) fail_msg("insert: %s", r->b.message);
}

static void look_at_secret(orr__tx *tx, void *arg) {
  const orr__object *row = orr__tx_row(tx, 0, 0);
  snprintf(arg, 32, "%s", row ? orr__get_str(row, ORR_F_connection_password) : "");
}

/* Opens, reads every secret, and has one key. */
static void assert_whole(rig *r, const char *when, int n) {
  orr_error err = ORR_ERROR_INIT;
  if (rig_try_open(r, &err)) fail_msg("%s, step %d: %s", when, n, orr__error_message(&err));
  for (int i = 1; i <= CONNECTIONS; i++) {
    char wanted[32], got[32] = "";
    secret_of(i, wanted);
    orr__tx *tx = orr__tx_new();
    orr__tx_get(tx, ORR_M_connection, i);
    if (bench_run_look(&r->b, tx, look_at_secret, got)) fail_msg("%s, step %d: %s", when, n, r->b.message);
    if (strcmp(got, wanted)) fail_msg("%s, step %d: secret %d is '%s'", when, n, i, got);
  }
  if (orr__keyring_count(r->ring) != 1) fail_msg("%s, step %d: %zu keys", when, n, orr__keyring_count(r->ring));
  rig_close(r);
}

static int rotate(rig *r) {
  orr__tx *tx = orr__tx_new();
  orr__tx_reseal(tx);
  int code = bench_run(&r->b, tx);
  if (code) return code;
  tx = orr__tx_new();
  orr__tx_settle_keys(tx);
  return bench_run(&r->b, tx);
}

static void rig_init(rig *r) {
  bench_init(&r->b, false);
  snprintf(r->key_path, sizeof r->key_path, "%s/secret.key", r->b.folder);
  rig_open(r);
  for (int i = 1; i <= CONNECTIONS; i++) insert(r, i);
  rig_close(r);
}

static void current_id(rig *r, char out[ORR_KEY_ID]) {
  orr__key_info keys[ORR_KEYRING_MAX];
  orr__keyring *ring;
  assert_int_equal(orr__keyring_open(r->key_path, true, &ring, NULL), 0);
  assert_true(orr__keyring_list(ring, keys) > 0);
  memcpy(out, keys[0].id, ORR_KEY_ID);
  orr__keyring_free(ring);
}

/* ---- tests ---------------------------------------------------------------------------------------------------- */

/* A child changes the key and is stopped at its n-th change of a file. Returns false where it came through. */
static bool stopped_at(rig *r, int n, int error) {
  pid_t pid = fork();
  if (pid == 0) {
    orr_error err = ORR_ERROR_INIT;
    if (rig_try_open(r, &err)) _exit(99);
    fails_with = error;
    stops_at = n;
    int code = rotate(r);
    bool has_stopped = counted >= n;
    stops_at = 0;
    if (error && has_stopped) {
      /* Whoever goes on after the failure must be able to: the next start finishes what was begun. */
      _exit(code || orr__keyring_count(r->ring) == 1 ? 3 : 98);
    }
    rig_close(r);
    _exit(code ? 97 : 0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !error) return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3 && error) return true;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail_msg("step %d: the child ended with %x", n, (unsigned)status);
  return false;
}

static void sweep(const char *how, int error) {
  rig r;
  rig_init(&r);
  char before[ORR_KEY_ID], after[ORR_KEY_ID];
  current_id(&r, before);
  int n = 1;
  while (stopped_at(&r, n, error)) {
    assert_whole(&r, how, n);
    if (++n > 200) fail_msg("%s: it never comes through", how);
  }
  assert_whole(&r, how, n);
  current_id(&r, after);
  assert_string_not_equal(before, after);
  assert_true(n > 10); /* two files, each written, synced, renamed and its folder synced; a commit between them */
  bench_clear(&r.b);
}

static void test_keys__a_change_survives_a_kill_at_any_step(void **state) {
  (void)state;
  sweep("killed", 0);
}

static void test_keys__a_change_survives_a_disk_that_fails_at_any_step(void **state) {
  (void)state;
  sweep("failed", EIO);
}

static void test_keys__a_change_leaves_nothing_of_the_old_key(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  char *before, *after, old[96];
  assert_int_equal(orr__file_read(r.key_path, 4096, &before, NULL, NULL), 0);
  /* Another name for the file itself: what is let go is overwritten, a copy that somebody made is not. */
  snprintf(old, sizeof old, "%s/copy", r.b.folder);
  assert_int_equal(link(r.key_path, old), 0);
  int fd = open(r.key_path, O_RDONLY);
  rig_open(&r);
  assert_int_equal(rotate(&r), 0);
  rig_close(&r);
  assert_int_equal(orr__file_read(old, 4096, &after, NULL, NULL), 0);
  assert_string_equal(before, after);
  free(after);
  close(fd);
  unlink(old);
  fd = open(r.key_path, O_RDONLY);
  rig_open(&r);
  assert_int_equal(rotate(&r), 0);
  rig_close(&r);
  char bytes[65] = "";
  assert_true(pread(fd, bytes, 64, 0) == 64);
  for (int i = 0; i < 64; i++) assert_int_equal(bytes[i], 0);
  close(fd);
  assert_int_equal(orr__file_read(r.key_path, 4096, &after, NULL, NULL), 0);
  assert_null(strstr(after, before));
  assert_non_null(strchr(after, '\n'));
  assert_string_equal(strchr(after, '\n'), "\n");
  free(before);
  free(after);
  assert_whole(&r, "twice changed", 0);
  bench_clear(&r.b);
}

static void test_keys__a_missing_or_wrong_key_is_said_and_never_made_anew(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  char kept[96], id[ORR_KEY_ID], wanted[256];
  current_id(&r, id);
  snprintf(kept, sizeof kept, "%s/kept", r.b.folder);
  assert_int_equal(rename(r.key_path, kept), 0);
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(rig_try_open(&r, &err), ORR_E_CORRUPT);
  snprintf(wanted, sizeof wanted, "key file %s is missing, and connection.password is sealed with its key %s", r.key_path, id);
  assert_non_null(strstr(orr__error_message(&err), wanted));
  assert_int_equal(access(r.key_path, F_OK), -1);
  static const char wrong[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
  assert_int_equal(orr__file_write(r.key_path, wrong, sizeof wrong - 1, 0600, NULL), 0);
  assert_int_equal(rig_try_open(&r, &err), ORR_E_CORRUPT);
  snprintf(wanted, sizeof wanted, "but connection.password is sealed with key %s", id);
  assert_non_null(strstr(orr__error_message(&err), wanted));
  static const char *const bad[] = {"", "\n \n", "abc\n", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00\n",
                                    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(orr__file_write(r.key_path, bad[i], strlen(bad[i]), 0600, NULL), 0);
    assert_int_equal(rig_try_open(&r, &err), ORR_E_CORRUPT);
  }
  orr__error_clear(&err);
  assert_int_equal(rename(kept, r.key_path), 0);
  assert_whole(&r, "put back", 0);
  /* Where nothing is sealed, nothing is lost. */
  rig_open(&r);
  orr__tx *tx = orr__tx_new();
  for (int i = 1; i <= CONNECTIONS; i++) orr__tx_delete(tx, ORR_M_connection, i);
  assert_int_equal(bench_run(&r.b, tx), 0);
  rig_close(&r);
  unlink(r.key_path);
  rig_open(&r);
  rig_close(&r);
  bench_clear(&r.b);
}

static void test_keys__a_file_that_others_can_read_is_refused(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  static const mode_t open_to[] = {0604, 0640, 0602, 0620, 0666};
  for (size_t i = 0; i < sizeof open_to / sizeof *open_to; i++) {
    orr_error err = ORR_ERROR_INIT;
    assert_int_equal(chmod(r.key_path, open_to[i]), 0);
    assert_int_equal(rig_try_open(&r, &err), ORR_E_REFUSED);
    assert_non_null(strstr(orr__error_message(&err), "chmod 600"));
    /* A file elsewhere may belong to a group, as systemd's credentials and Kubernetes' secrets do. */
    orr__keyring *ring = NULL;
    int code = orr__keyring_open(r.key_path, false, &ring, &err);
    assert_int_equal(code, open_to[i] == 0640 ? 0 : ORR_E_REFUSED);
    orr__keyring_free(ring);
    orr__error_clear(&err);
  }
  assert_int_equal(chmod(r.key_path, 0400), 0);
  assert_whole(&r, "mode 0400", 0);
  bench_clear(&r.b);
}

/* Two lines in a file that cannot be replaced: the way to change a key from outside. */
static void test_keys__a_new_line_above_the_old_changes_the_key(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  static const char made[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  char *old, both[512];
  assert_int_equal(orr__file_read(r.key_path, 4096, &old, NULL, NULL), 0);
  snprintf(both, sizeof both, "%s\n%s", made, old);
  assert_int_equal(orr__file_write(r.key_path, both, strlen(both), 0600, NULL), 0);
  rig_open(&r);
  assert_int_equal(orr__keyring_count(r.ring), 1);
  rig_close(&r);
  assert_whole(&r, "two lines", 0);

  /* The same where replacing fails: the old line stays, but nothing needs it. */
  snprintf(both, sizeof both, "%s%s\n", old, made);
  assert_int_equal(orr__file_write(r.key_path, both, strlen(both), 0600, NULL), 0);
  pid_t pid = fork();
  if (pid == 0) {
    orr_error err = ORR_ERROR_INIT;
    if (orr__keyring_open(r.key_path, true, &r.ring, &err)) _exit(2);
    fails_with = EROFS;
    stops_at = 1;
    counted = 0;
    bool is_refused = orr__keyring_settle(r.ring, &err) == ORR_E_IO && orr__keyring_count(r.ring) == 2;
    stops_at = 0;
    /* A change that is under way is gone on with; a third key would be one too many. */
    if (orr__keyring_renew(r.ring, NULL) || orr__keyring_count(r.ring) != 2) _exit(3);
    _exit(is_refused ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  assert_whole(&r, "two lines again", 0);
  free(old);
  bench_clear(&r.b);
}

/* Some characters of the second secret are others. */
static void alter(rig *r) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(r->b.path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "UPDATE connection SET password = replace(password, substr(password, 30, 4), 'AAAA') WHERE id = 2", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void test_keys__a_secret_that_was_altered_does_not_keep_the_others_from_a_change(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  alter(&r);
  char before[ORR_KEY_ID], after[ORR_KEY_ID];
  current_id(&r, before);
  rig_open(&r);
  assert_int_equal(rotate(&r), 0);
  rig_close(&r);
  current_id(&r, after);
  assert_string_not_equal(before, after);

  /* A change that was cut short is finished all the same. */
  static const char made[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  char *old, both[512];
  assert_int_equal(orr__file_read(r.key_path, 4096, &old, NULL, NULL), 0);
  snprintf(both, sizeof both, "%s\n%s", made, old);
  assert_int_equal(orr__file_write(r.key_path, both, strlen(both), 0600, NULL), 0);
  free(old);
  rig_open(&r);
  assert_int_equal(orr__keyring_count(r.ring), 1);
  for (int i = 1; i <= CONNECTIONS; i++) {
    char wanted[32], got[32] = "";
    secret_of(i, wanted);
    orr__tx *tx = orr__tx_new();
    orr__tx_get(tx, ORR_M_connection, i);
    assert_int_equal(bench_run_look(&r.b, tx, look_at_secret, got), i == 2 ? ORR_E_CORRUPT : 0);
    if (i != 2) assert_string_equal(got, wanted);
  }
  rig_close(&r);
  bench_clear(&r.b);
}

static void test_keys__a_file_that_cannot_be_replaced_says_how_else(void **state) {
  (void)state;
  rig r;
  rig_init(&r);
  rig_open(&r);
  fails_with = EROFS;
  counted = 0;
  stops_at = 1;
  int code = rotate(&r);
  stops_at = 0;
  assert_int_equal(code, ORR_E_REFUSED);
  assert_non_null(strstr(r.b.message, "Read-only file system"));
  assert_non_null(strstr(r.b.message, "above the old one"));
  assert_int_equal(orr__keyring_count(r.ring), 1);
  insert(&r, CONNECTIONS + 1); /* and the store goes on */
  rig_close(&r);
  assert_whole(&r, "refused", 0);
  bench_clear(&r.b);
}

static int set_up(void **state) {
  (void)state;
  return orr__crypto_init(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys__a_change_survives_a_kill_at_any_step),
      cmocka_unit_test(test_keys__a_change_survives_a_disk_that_fails_at_any_step),
      cmocka_unit_test(test_keys__a_change_leaves_nothing_of_the_old_key),
      cmocka_unit_test(test_keys__a_missing_or_wrong_key_is_said_and_never_made_anew),
      cmocka_unit_test(test_keys__a_file_that_others_can_read_is_refused),
      cmocka_unit_test(test_keys__a_new_line_above_the_old_changes_the_key),
      cmocka_unit_test(test_keys__a_secret_that_was_altered_does_not_keep_the_others_from_a_change),
      cmocka_unit_test(test_keys__a_file_that_cannot_be_replaced_says_how_else),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
