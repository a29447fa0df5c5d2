/* The core: what happens to Backups and their results, and when.
 *
 * It answers requests, decides which hook is called, writes the intent before the act and the outcome after it,
 * fires schedules, and asks again until a result has ended. It reaches the world only through what it is given: a
 * store, a loop, a provider backend. It never sees Lua, SQL or a socket.
 *
 * Reading order: internal.h (the flow, which everything here is made of), flow.c, request.c, run.c, refresh.c. */
#ifndef ORR_CORE_CORE_H
#define ORR_CORE_CORE_H

#include "core/provider.h"
#include "model/json.h"
#include "port/crypto.h"
#include "port/job.h"
#include "port/keyring.h"
#include "port/loop.h"
#include "port/record.h"
#include "store/store.h"

typedef struct orr__core orr__core;

enum orr__role {
  ORR_ROLE_SERVE,    /* fires schedules, recovers and refreshes everything */
  ORR_ROLE_COMMAND   /* only what its requests name */
};

/* What a line of the log is about; what is not known is NULL or 0. */
typedef struct orr__log_about {
  const char *provider, *backup, *hook;
  int64_t result;
} orr__log_about;

/* Where answers go. Text is borrowed for the call; about may be NULL. */
typedef struct orr__core_sink {
  void *self;
  void (*reply)(void *self, uint64_t request, int code, const char *json, const orr_error *err);
  void (*update)(void *self, uint64_t request, const char *json);
  void (*log)(void *self, enum orr__log_level level, const orr__log_about *about, const char *message);
} orr__core_sink;

/* All borrowed, and outlive the core. */
typedef struct orr__core_config {
  orr__loop *loop;
  orr__store *store;
  orr__jobs *jobs;           /* NULL: none (tests of the core alone) */
  orr__records *records;     /* likewise */
  orr__random *random;
  const char *zoneinfo;      /* folder of TZif files; NULL: /usr/share/zoneinfo */
  const char *data_dir;      /* for status; copied */
  int64_t max_running;       /* results at a time; 0: no limit */
  int64_t history_events;    /* events kept; 0: no limit, as for the two that follow */
  int64_t history_days;      /* events, the journal of Backups, and results that left nothing outside are kept so long */
  int64_t history_results;   /* results of a Backup that left nothing outside */
  orr__keyring *keyring;     /* NULL: nothing is sealed */
  enum orr__role role;
  orr__core_sink sink;
  /* Adds what only the wiring knows to the reply of runtime.facts: libraries, folders, the job runner. NULL: nothing. */
  void (*facts)(void *self, orr__json *out); /* self: sink.self */
} orr__core_config;

int orr__core_new(const orr__core_config *config, orr__core **ret_core, orr_error *reterr);
/* What the backend calls; valid as long as the core. */
const orr__provider_host *orr__core_host(orr__core *core);
/* The backend; once, before orr__core_start. */
void orr__core_use(orr__core *core, const orr__provider_ops *ops);
/* Takes up what was in flight (recover.c). */
int orr__core_start(orr__core *core, orr_error *reterr);
/* As orr_submit. */
int orr__core_submit(orr__core *core, const char *request, const char *args, uint64_t *ret_request, orr_error *reterr);
void orr__core_stop_request(orr__core *core, uint64_t request);
void orr__core_drain(orr__core *core);
/* Drained, and the backend is gone: what the store still completes moves nothing on; the journal says where it is. */
void orr__core_close(orr__core *core);
bool orr__core_is_idle(const orr__core *core);
bool orr__core_is_acting(const orr__core *core); /* is a hook with a row in the journal in flight? */
/* Completions from store and backend must have stopped coming. NULL is fine. */
void orr__core_free(orr__core *core);
/* A local job of the result with this uuid has ended: its next refresh is due at once. */
void orr__core_job_ended(orr__core *core, const char *uuid, const char *name);
/* Hands the completions of the store over; the wiring's waker calls it. */
void orr__core_store_woken(orr__core *core);

/* The table of requests, for the host. */
typedef struct orr__request_info {
  const char *name, *kind, *args, *reply, *doc;
} orr__request_info;
const orr__request_info *orr__request_at(size_t i); /* NULL at the end */
const orr__request_info *orr__request_find(const char *name);

#endif
