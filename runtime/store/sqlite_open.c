/* Opening and closing the connection to SQLite, and what its result codes mean to us.
 *
 * Deliberately does not know steps or rows. Why it is opened as it is:
 *   locking_mode=EXCLUSIVE before the first read: the WAL's index lives in our memory, a second connection is locked
 *     out, and the bug of WAL resets (3.7.0 to 3.51.2), which takes two, cannot happen.
 *   synchronous=FULL: what is acknowledged survives a loss of power.
 *   foreign_keys stay off: the core guards deletions in the same transaction, history (events, journal) outlives
 *     what it tells about, and the twin in memory must refuse and accept the same; orr__store_check looks for
 *     references that dangle.
 *   secure_delete off: secrets are sealed, and zeroing what history pruned would be written and synced too.
 *   checkpoints by our own hook instead of wal_autocheckpoint, which swallows their errors.
 * The file is judged before anything is changed: a WAL found with it is read but not written back until the
 * database has proved to be ours, undamaged and not newer. quick_check, which reads every page, runs only if the
 * header or a leftover beside it looks wrong: start-up must not grow with history. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/sqlite.h"

enum { HEADER_SIZE = 100 };

static const char settings[] =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cache_size = -16384;"
    "PRAGMA foreign_keys = OFF;"
    "PRAGMA secure_delete = OFF;"
    "PRAGMA cell_size_check = ON;";

/* ---- errors and small questions ------------------------------------------------------------------------------ */

static int damaged(const orr__sqlite *self, const char *how, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_CORRUPT, "database '%s' is damaged (%s): restore a copy made by `orrery db backup`",
                        self->path, how);
}

int orr__sqlite_error(const orr__sqlite *self, int rc, orr_error *reterr) {
  switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(self, sqlite3_errstr(rc & 0xff), reterr);
    case SQLITE_FULL:
      return orr__error_set(reterr, ORR_E_IO, "database '%s': disk full", self->path);
    case SQLITE_NOMEM:
      return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return orr__error_set(reterr, ORR_E_LOCKED, "database '%s' is held by another process", self->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      int errnum = self->db ? sqlite3_system_errno(self->db) : 0;
      if (errnum) return orr__error_errno(reterr, ORR_E_IO, errnum, "database '%s'", self->path);
      return orr__error_set(reterr, ORR_E_IO, "database '%s': %s", self->path, sqlite3_errstr(rc));
    }
    default:
      return orr__error_set(reterr, ORR_E_IO, "database '%s': %s", self->path,
                            self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(rc));
  }
}

int orr__sqlite_do(const orr__sqlite *self, const char *sql, orr_error *reterr) {
  int rc = sqlite3_exec(self->db, sql, NULL, NULL, NULL);
  return rc ? orr__sqlite_error(self, rc, reterr) : 0;
}

int orr__sqlite_number(const orr__sqlite *self, const char *sql, int64_t *ret_number, orr_error *reterr) {
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW) *ret_number = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  if (rc == SQLITE_ROW) return 0;
  return rc == SQLITE_DONE ? damaged(self, "a table is empty", reterr) : orr__sqlite_error(self, rc, reterr);
}

/* ---- judging the file ---------------------------------------------------------------------------------------- */

/* How large the file beside the database is; -1 if there is none. Its first bytes go to head. */
static int64_t look_beside(const orr__sqlite *self, const char *suffix, unsigned char head[4]) {
  char *path = orr__strf("%s%s", self->path, suffix);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  free(path);
  if (fd < 0) return -1;
  struct stat facts;
  int64_t size = fstat(fd, &facts) == 0 ? (int64_t)facts.st_size : -1;
  memset(head, 0, 4);
  if (size >= 4 && pread(fd, head, 4, 0) != 4) size = -1;
  close(fd);
  return size;
}

/* Does the WAL begin as one does? */
static bool is_wal(const unsigned char head[4]) {
  return head[0] == 0x37 && head[1] == 0x7f && head[2] == 0x06 && (head[3] & 0xfe) == 0x82;
}

/* Reads the header by way of SQLite's own descriptor: closing another one of this file would drop its locks. */
static int inspect(const orr__sqlite *self, bool *ret_suspect, orr_error *reterr) {
  sqlite3_file *file = NULL;
  int rc = sqlite3_file_control(self->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  sqlite3_int64 size = 0;
  if (rc == SQLITE_OK) rc = file->pMethods->xFileSize(file, &size);
  if (rc) return orr__sqlite_error(self, rc, reterr);
  unsigned char head[4];
  int64_t wal = look_beside(self, "-wal", head);
  if (size == 0) {
    *ret_suspect = false;
    return wal > 0 ? damaged(self, "it is empty, but its log is not", reterr) : 0;
  }
  unsigned char h[HEADER_SIZE];
  if (size < HEADER_SIZE) return damaged(self, "file is not a database", reterr);
  rc = file->pMethods->xRead(file, h, HEADER_SIZE, 0);
  if (rc) return orr__sqlite_error(self, rc, reterr);
  unsigned page = (unsigned)h[16] << 8 | h[17];
  if (page == 1) page = 65536;
  if (memcmp(h, "SQLite format 3", 16) != 0 || page < 512 || (page & (page - 1)) != 0)
    return damaged(self, "file is not a database", reterr);
  bool has_odd_wal = wal > 0 && !is_wal(head);
  bool is_other_mode = h[18] != 2 || h[19] != 2; /* a restored copy, or another tool was here */
  bool is_other_writer = memcmp(h + 24, h + 92, 4) != 0;
  *ret_suspect = size % page != 0 || has_odd_wal || is_other_mode || is_other_writer ||
                 look_beside(self, "-journal", head) > 0;
  return 0;
}

/* Not 0: damaged or newer or somebody else's. */
static int judge(const orr__sqlite *self, bool is_suspect, orr_error *reterr) {
  bool is_empty;
  int latest = orr__sqlite_latest(orr__sqlite_migrations, orr__sqlite_migration_count);
  int code = orr__sqlite_identify(self, latest, &is_empty, reterr);
  if (code || !is_suspect) return code;
  orr__buf report;
  orr__buf_init(&report, ORR_SQLITE_TEXT);
  size_t count = 0;
  code = orr__sqlite_find(self, ORR_CHECK_QUICK, &report, &count, reterr);
  if (!code && count) {
    const char *text = orr__buf_text(&report);
    char *first = orr__strndup(text, strcspn(text, "\n"));
    code = damaged(self, first ? first : "quick_check", reterr);
    free(first);
  }
  orr__buf_clear(&report);
  return code;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static int open_file(orr__sqlite *self, bool may_create, orr_error *reterr) {
  /* Made by us so that nobody else may read it; what SQLite puts beside it takes over the mode. */
  if (may_create) {
    int fd = open(self->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    else if (errno != EEXIST) return orr__error_errno(reterr, ORR_E_IO, errno, "database '%s'", self->path);
  }
  /* SQLite takes some relative names for something else (":memory:", "file:..."). */
  char *name = orr__strf("%s%s", self->path[0] == '/' ? "" : "./", self->path);
  if (!name) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int rc = sqlite3_open_v2(name, &self->db, flags, NULL);
  free(name);
  if (rc) return orr__sqlite_error(self, rc, reterr);
  if (sqlite3_db_readonly(self->db, "main") == 1)
    return orr__error_set(reterr, ORR_E_IO, "database '%s' cannot be written", self->path);
  sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  return 0;
}

static int use_wal(const orr__sqlite *self, orr_error *reterr) {
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(self->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_step(statement);
  bool is_wal_mode = rc == SQLITE_ROW && orr__streq((const char *)sqlite3_column_text(statement, 0), "wal");
  sqlite3_finalize(statement);
  if (is_wal_mode) return 0;
  if (rc == SQLITE_ROW) return orr__error_set(reterr, ORR_E_IO, "database '%s' cannot use a log here", self->path);
  return orr__sqlite_error(self, rc, reterr);
}

static int note_wal(void *arg, sqlite3 *db, const char *name, int pages) {
  (void)db, (void)name;
  ((orr__sqlite *)arg)->wal_pages = pages;
  return SQLITE_OK;
}

int orr__sqlite_open(orr__sqlite *self, bool may_create, orr_error *reterr) {
  bool is_suspect = false;
  int code = open_file(self, may_create, reterr);
  /* Before the first pragma: SQLite drops a log that it finds with an empty file. */
  if (!code) code = inspect(self, &is_suspect, reterr);
  if (!code) code = orr__sqlite_do(self, settings, reterr);
  if (!code) code = judge(self, is_suspect, reterr);
  if (code || !may_create) return code;
  code = use_wal(self, reterr);
  if (!code) code = orr__sqlite_migrate(self, orr__sqlite_migrations, orr__sqlite_migration_count, reterr);
  if (!code) sqlite3_wal_hook(self->db, note_wal, self);
  return code;
}

void orr__sqlite_shut(orr__sqlite *self, bool has_failed) {
  orr__sqlite_forget(self);
  if (!has_failed && self->db) {
    sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite3_wal_checkpoint_v2(self->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  }
  sqlite3_close(self->db);
  self->db = NULL;
}
