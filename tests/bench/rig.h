/* A real runtime as its users get it, turned by the benchmark, and what fills its database beforehand.
 *
 * Hooks tell how far they are by log lines ("round", "done"): the runtime hands them over in order, and the benchmark measures
 * from line to line. */
#ifndef ORR_BENCH_RIG_H
#define ORR_BENCH_RIG_H

#include "bench.h"
#include "model/object.h"
#include "orrery.h"
#include "store/store.h"

typedef struct rig {
  orr_runtime *runtime;
  orr_error *error;
  uint64_t replies, refused;    /* that came, and those of them that are errors */
  uint64_t rounds;              /* log lines `round` */
  bool is_first;                /* log line `first` has come */
} rig;

/* Opens dir with a provider `bench` of this source. */
void rig_open(rig *r, const bench *b, const char *dir, const char *source);
void rig_close(rig *r);
/* One turn, waiting at most wait_ms; takes the events in. */
void rig_step(rig *r, int wait_ms);
/* Turns until rounds have come to that many, for at most 120 s: false then. */
bool rig_until_round(rig *r, uint64_t rounds);
bool rig_until_reply(rig *r, uint64_t replies);
/* Drains, and turns until nothing is in flight. */
void rig_settle(rig *r);
void rig_submit(rig *r, const char *request, const char *args);

/* A database with the Backup `bench` (id 1, results every interval seconds) and so many results in progress, ids from 1. */
void seed_results(const char *dir, int64_t count, double interval_s);
/* The result as the runtime stores one that is being refreshed. Owned. */
orr_result *seed_result(int64_t id, int64_t now_ms);
orr_backup *seed_backup(int64_t id, const char *name, double interval_s);
int64_t seed_now_ms(void);

/* The store alone, with a way to wait for it. */
typedef struct rig_store {
  orr__store *store;
  void *signal;
  size_t done, refused;
} rig_store;
void rig_store_open(rig_store *s, const char *dir);
void rig_store_close(rig_store *s);
void rig_store_submit(rig_store *s, orr__tx *tx);
void rig_store_wait(rig_store *s, size_t at_most_pending);

/* The database by bare SQLite, opened as the runtime opens it. */
struct sqlite3;
struct sqlite3 *bare_open(const char *dir);
void bare_do(struct sqlite3 *db, const char *sql);
int64_t bare_number(struct sqlite3 *db, const char *sql);
/* What the runtime does after a commit: writes the log back beyond 20,000 pages. */
void bare_checkpoint(struct sqlite3 *db);
void bare_close(struct sqlite3 *db);

#endif
