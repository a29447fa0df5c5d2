/* The SQLite backend's parts to each other: the connection, its prepared statements, its errors. Of the store's
 * files only those that include this one know sqlite3.h.
 *
 * One connection, used by one thread at a time (the opener, then the store's thread). */
#ifndef ORR_STORE_SQLITE_H
#define ORR_STORE_SQLITE_H

#include <sqlite3.h>

#include "base/buf.h"
#include "store/tx.h"

#define ORR_SQLITE_APPLICATION 0x4f525259 /* "ORRY", in the header of the file */

enum {
  ORR_SQLITE_STATEMENTS = 64,        /* prepared statements kept */
  ORR_SQLITE_KEY = 32 + 2 * ORR_TX_WHERE,
  ORR_SQLITE_CHECKPOINT = 20000,     /* pages in the WAL */
  ORR_SQLITE_TEXT = 64 << 10,        /* longest statement */
  ORR_SQLITE_CONTEXT = 160,          /* "table.column" */
};

/* What makes two steps take the same statement. */
typedef struct orr__sqlite_key {
  size_t len;
  unsigned char bytes[ORR_SQLITE_KEY];
} orr__sqlite_key;

typedef struct orr__sqlite_cached {
  sqlite3_stmt *statement;           /* NULL: free */
  uint64_t used;
  orr__sqlite_key key;
} orr__sqlite_cached;

enum orr__sqlite_fixed {
  ORR_SQLITE_BEGIN_READ,
  ORR_SQLITE_BEGIN_WRITE,
  ORR_SQLITE_COMMIT,
  ORR_SQLITE_ROLLBACK,
  ORR_SQLITE_SAVE,
  ORR_SQLITE_RELEASE,
  ORR_SQLITE_UNDO,
  ORR_SQLITE_FIXED_COUNT
};

typedef struct orr__sqlite {
  sqlite3 *db;
  char *path;
  orr__store_codec codec;
  int wal_pages;                     /* in the WAL after the last commit */
  bool is_broken;                    /* a write or commit went wrong in a way that spoils the store */
  uint64_t clock;                    /* of the statements' use */
  uint64_t hashes[ORR_SQLITE_STATEMENTS];
  orr__sqlite_cached cached[ORR_SQLITE_STATEMENTS];
  sqlite3_stmt *fixed[ORR_SQLITE_FIXED_COUNT];
  const orr__object *last[ORR_M_COUNT]; /* what the graphs of the present transaction have read last, in its slots; NULL after a write */
  sqlite3_backup *backup;            /* the one under way */
  sqlite3 *backup_db;
  char *backup_part;                 /* the file it is written to until it is whole */
} orr__sqlite;

/* ---- sqlite_open.c ------------------------------------------------------------------------------------------- */

/* Opens the connection of self->path, which must be a database of ours or (may_create) nothing yet; refuses damaged
 * and newer ones without changing them. */
int orr__sqlite_open(orr__sqlite *self, bool may_create, orr_error *reterr);
/* Finishes statements and the connection. has_failed: leaves the files as they are. */
void orr__sqlite_shut(orr__sqlite *self, bool has_failed);
/* Sets the error for a result code of SQLite's; returns the code. */
int orr__sqlite_error(const orr__sqlite *self, int rc, orr_error *reterr);
/* Runs statements without parameters or rows. */
int orr__sqlite_do(const orr__sqlite *self, const char *sql, orr_error *reterr);
/* The integer in the first column of the first row. */
int orr__sqlite_number(const orr__sqlite *self, const char *sql, int64_t *ret_number, orr_error *reterr);

/* ---- sqlite_schema.c ----------------------------------------------------------------------------------------- */

/* A numbered change of the schema: what takes version - 1 to version. */
typedef struct orr__sqlite_migration {
  int version;
  const char *sql;   /* statements, or NULL */
  const char *model; /* one that came with it, whose table is made; NULL: none */
} orr__sqlite_migration;

extern const orr__sqlite_migration orr__sqlite_migrations[];
extern const size_t orr__sqlite_migration_count;

/* Makes or brings up the schema, in one transaction. NEWER, CORRUPT for a foreign database. */
int orr__sqlite_migrate(const orr__sqlite *self, const orr__sqlite_migration *migrations, size_t count,
                        orr_error *reterr);
/* Judges application and version without changing anything; is_empty: nothing has been made yet. */
int orr__sqlite_identify(const orr__sqlite *self, int latest, bool *ret_is_empty, orr_error *reterr);
int orr__sqlite_latest(const orr__sqlite_migration *migrations, size_t count);
/* The result's own rule as an SQL condition. */
void orr__sqlite_rule(orr__buf *sql);
/* Is the column one of the words of status, all or the terminal ones? As an SQL condition; NULL for NULL. */
void orr__sqlite_is_status(orr__buf *sql, const char *column, bool only_terminal);

/* ---- sqlite_sql.c -------------------------------------------------------------------------------------------- */

/* The prepared statement of a step (for a get by a graph: of the model it names), reset and ready to be bound. */
int orr__sqlite_prepare(orr__sqlite *self, const orr__step *step, sqlite3_stmt **ret_statement, orr_error *reterr);
void orr__sqlite_forget(orr__sqlite *self);

/* ---- sqlite_exec.c ------------------------------------------------------------------------------------------- */

/* Carries out the steps inside the open transaction, all or none. Not 0: refused, unless is_broken is set now. */
int orr__sqlite_run(orr__sqlite *self, orr__tx *tx, orr_error *reterr);
int orr__sqlite_step_fixed(orr__sqlite *self, enum orr__sqlite_fixed which, orr_error *reterr);
/* What the codec binds a sealed value to. */
void orr__sqlite_context(const orr__model *model, const orr__field *field, char out[ORR_SQLITE_CONTEXT]);

/* ---- sqlite_keys.c ------------------------------------------------------------------------------------------- */

/* At opening: are the keys of what is sealed at hand (CORRUPT)? Makes the first key where nothing is, and finishes a change of
 * keys that was cut short. */
int orr__sqlite_check_keys(orr__sqlite *self, orr_error *reterr);
/* Inside a transaction: takes a new key and seals all anew. Once that has committed, settle drops the old keys. */
int orr__sqlite_reseal(orr__sqlite *self, int64_t *ret_count, orr_error *reterr);
int orr__sqlite_settle(orr__sqlite *self, orr_error *reterr);

/* ---- sqlite_backup.c ----------------------------------------------------------------------------------------- */

bool orr__sqlite_backup_slice(orr__sqlite *self, orr__tx *tx, bool is_aborted);

/* ---- check.c ------------------------------------------------------------------------------------------------- */

/* Adds what it finds wrong, a line each, and counts. */
int orr__sqlite_find(const orr__sqlite *self, enum orr__check_mode mode, orr__buf *report, size_t *ret_count,
                     orr_error *reterr);

#endif
