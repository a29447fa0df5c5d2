/* A consistent copy of the database while it is in use.
 *
 * Deliberately does not know transactions or groups: it copies some pages whenever it is called, between commits.
 * SQLite keeps the copy in step with what our own connection writes meanwhile, so the copy is of the moment it
 * ends. It is written beside its place under another name and moved there when it is whole and synced: the name
 * either does not exist or holds a good copy. The copy is taken out of WAL mode, so that it is one file. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "store/sqlite.h"

enum { SLICE_PAGES = 256 };

static int copy_error(const orr__sqlite *self, const orr__tx *tx, int rc, orr_error *reterr) {
  if (rc == SQLITE_CORRUPT || rc == SQLITE_NOMEM) return orr__sqlite_error(self, rc, reterr);
  if ((rc & 0xff) == SQLITE_FULL) return orr__error_set(reterr, ORR_E_IO, "backup '%s': disk full", tx->backup_path);
  int errnum = self->backup_db ? sqlite3_system_errno(self->backup_db) : 0;
  if (errnum) return orr__error_errno(reterr, ORR_E_IO, errnum, "backup '%s'", tx->backup_path);
  return orr__error_set(reterr, ORR_E_IO, "backup '%s': %s", tx->backup_path, sqlite3_errstr(rc));
}

static int begin(orr__sqlite *self, const orr__tx *tx, orr_error *reterr) {
  if (access(tx->backup_path, F_OK) == 0)
    return orr__error_set(reterr, ORR_E_EXISTS, "'%s' exists already", tx->backup_path);
  char *part = orr__strf("%s%s.part", tx->backup_path[0] == '/' ? "" : "./", tx->backup_path);
  if (!part) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    int code = orr__error_errno(reterr, ORR_E_IO, errno, "backup '%s'", tx->backup_path);
    free(part);
    return code;
  }
  close(fd);
  self->backup_part = part;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  int rc = sqlite3_open_v2(part, &self->backup_db, flags, NULL);
  if (rc) return copy_error(self, tx, rc, reterr);
  self->backup = sqlite3_backup_init(self->backup_db, "main", self->db, "main");
  return self->backup ? 0 : copy_error(self, tx, sqlite3_errcode(self->backup_db), reterr);
}

/* Gives the copy its name, durably, unless somebody has taken that meanwhile. */
static int put_in_place(const orr__sqlite *self, const orr__tx *tx, orr_error *reterr) {
  char *folder = orr__strdup(self->backup_part);
  if (!folder) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int code = 0;
  if (renameat2(AT_FDCWD, self->backup_part, AT_FDCWD, tx->backup_path, RENAME_NOREPLACE) != 0 &&
      (errno != EINVAL || rename(self->backup_part, tx->backup_path) != 0))
    code = orr__error_errno(reterr, errno == EEXIST ? ORR_E_EXISTS : ORR_E_IO, errno, "backup '%s'", tx->backup_path);
  if (!code) {
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
      code = orr__error_errno(reterr, ORR_E_IO, errno, "backup '%s'", tx->backup_path);
    if (fd >= 0) close(fd);
  }
  free(folder);
  return code;
}

static int finish(orr__sqlite *self, const orr__tx *tx, orr_error *reterr) {
  int rc = sqlite3_backup_finish(self->backup);
  self->backup = NULL;
  if (!rc) rc = sqlite3_exec(self->backup_db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
  if (rc) return copy_error(self, tx, rc, reterr);
  rc = sqlite3_close(self->backup_db);
  self->backup_db = NULL;
  return rc ? copy_error(self, tx, rc, reterr) : put_in_place(self, tx, reterr);
}

static void clean_up(orr__sqlite *self, bool has_failed) {
  sqlite3_backup_finish(self->backup);
  self->backup = NULL;
  sqlite3_close(self->backup_db);
  self->backup_db = NULL;
  if (has_failed && self->backup_part) unlink(self->backup_part);
  free(self->backup_part);
  self->backup_part = NULL;
}

bool orr__sqlite_backup_slice(orr__sqlite *self, orr__tx *tx, bool is_aborted) {
  int code = 0;
  if (!is_aborted) {
    if (!self->backup) code = begin(self, tx, &tx->err);
    int rc = code ? SQLITE_OK : sqlite3_backup_step(self->backup, SLICE_PAGES);
    if (!code && rc == SQLITE_OK) return false;
    if (!code) code = rc == SQLITE_DONE ? finish(self, tx, &tx->err) : copy_error(self, tx, rc, &tx->err);
    tx->code = code;
  }
  clean_up(self, is_aborted || code);
  return true;
}
