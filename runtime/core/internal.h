/* What the files of the core share: the flow, subjects, and the core itself.
 *
 * A flow is one thing that is going on: a request being answered, a result being executed or refreshed, a deletion.
 * It moves in steps. Each asynchronous primitive below remembers the step to go on with and returns; when the store
 * or the backend has completed, the step is called with flow->code (0 or negative) and flow->error. A step starts at
 * most one primitive, or ends the flow; it must do one of the two. So a flow is always in exactly one place, and
 * freeing the core can find and free them all.
 *
 *   orr__flow_new -> [acquire] -> [load] -> [commit intent] -> [hook] -> [commit outcome] -> ... -> orr__flow_end
 *
 * A subject is a result or a Backup that a flow holds while it works on it; others wait in line. This is what makes
 * it one hook per result at a time. */
#ifndef ORR_CORE_INTERNAL_H
#define ORR_CORE_INTERNAL_H

#include "base/map.h"
#include "base/str.h"
#include "core/core.h"
#include "core/slots.h"
#include "core/wheel.h"
#include "core/zone.h"
#include "model/json.h"
#include "model/status.h"

#define ORR_ERROR_BUDGET 10          /* refreshes that may go wrong in a row */
#define ORR_START_ATTEMPTS 6          /* of a hook of the start that asks for a retry: some two minutes and a half */
#define ORR_DELETE_ATTEMPTS 3
#define ORR_CANCEL_ATTEMPTS 3
#define ORR_BACKOFF_MAX_S 900.0
#define ORR_DEFAULT_REFRESH_S 60.0
#define ORR_DEFAULT_TIMEOUT_S 86400.0
#define ORR_DUE_MAX 512              /* results loaded at a time when many are due */
#define ORR_DUE_BEHIND 2048          /* results that are being loaded, whose hooks wait for the processor or whose outcome waits
                                      * for the disk: with so many no more are loaded */
#define ORR_WAITING_MAX 100000       /* flows alive at a time */
#define ORR_VERSIONS_KEPT 10         /* of each provider, to roll back to */

typedef struct orr__flow orr__flow;
typedef struct orr__update orr__update;
typedef struct orr__kept_entry orr__kept_entry;
typedef void (*orr__step)(orr__flow *flow);

struct orr__flow {
  orr__core *core;
  orr__flow *prev, *next;            /* all flows of the core */
  orr__flow *line;                   /* next in the waiting line of its subject */
  uint64_t subject;                  /* held or waited for; 0: none */
  bool is_holding;
  bool is_armed;                     /* the result it holds has been put back into the wheel, or needs not be */
  bool is_stopped;                   /* its request was stopped before it began to watch */
  orr__flow *parent;                 /* waits for this one (remove.c) */
  orr__step step;                    /* goes on here */
  uint64_t request;                  /* who waits for the reply; 0: nobody */
  orr__json *args;                   /* of the request */
  int code;                          /* of the last primitive */
  orr_error error;
  orr__tx *tx;                       /* while a step runs after a commit or query: its rows */
  int slot, slot2, slot3, slot4;     /* of its reads */
  orr__step inner;                   /* flow.c: the caller's step while a primitive has one of its own */
  bool has_part;                     /* it goes on when a flow whose parent it is has ended */
  orr__step after;                   /* remove.c: goes on when a result is gone */
  orr__step otherwise;               /* and when it is not, with flow->code; NULL: the request fails */
  void (*refusing)(orr__flow *flow, orr__tx *tx); /* writes what is told of a result that is not deleted; NULL: an event */
  enum orr__model_id find_model;     /* flow.c: what is being looked for */
  char *find_ref;
  orr__graph graph;                  /* what is being worked on */
  orr_op *op;                        /* the row of the journal for the call at hand, if any */
  bool is_op_stored;                 /* it has been inserted */
  int64_t quiet_ms;                  /* wall: when a QUIET hook was called that has no row yet; 0: none */
  const orr__call *call;             /* the call in flight, which has the objects meanwhile; NULL: none */
  enum orr__hook hook;               /* of the call in flight, or the last one */
  uint64_t call_id;                  /* 0: none in flight */
  int64_t sent_ms;                   /* wall: the call is past its first mutating act; 0: it is not */
  bool is_cancel_recorded;           /* the result was CANCEL_REQUESTED when the hook was called */
  orr__answer answer;
  int attempt;                       /* of the hook, from 1 */
  int64_t hook_deadline_ms;          /* wall */
  orr__timer timer;
  orr__object **events;              /* to be told to watchers once they are committed */
  size_t event_count;
  orr__json *config;                 /* supplied from outside (creation), or executionConfig */
  orr__json *opts;                   /* the caller's */
  orr__json *extra;                  /* the flow's own keys for opts: force, destination, errors */
  const struct orr__draft_kind *draft; /* draft_hooks.c: what a draft is made for */
  orr_error findings;                /* of a draft: default findings, then the hooks' */
  orr__update *update;               /* update.c */
  char *reserved;                    /* a name nobody else may take while the flow lives */
  orr__json *out;                    /* the reply being built */
  orr__object *keeps;                /* request_version.c: the version that is rolled back to */
  bool is_waiting;                   /* run.c: the new result has no room to run in yet (admit.c) */
  int64_t slot_id;                   /* it has slots for this result, which is not stored yet; 0: none */
  void *spare;                       /* ask.c: memory for what the call in flight may ask when there is none */
  char *call_name;                   /* plain text for hooks that take a NAME */
  orr_result *next_result;           /* retry_policy.c: written with the end of this one */
  int64_t wake_ms;                   /* schedule_fire.c: wall, when its Backup is looked at next; -1: not by the clock */
  bool is_firing;                    /* it looks at the schedule of the Backup flow->id */
  bool waits_for_end;                /* and when what runs has ended */
  int64_t id;                        /* scratch: a row looked for */
  int64_t *ids;                      /* scratch: rows to go through */
  size_t id_count, id_at;
  struct orr__batch *batch;          /* refresh.c */
  struct orr__start *start;          /* start.c */
  struct orr__rescue *rescue;        /* draft_recover.c */
  struct orr__sweep *sweep;          /* retention_pass.c */
  struct orr__history *history;      /* history.c */
  struct orr__trial_run *trial;      /* trial.c: nothing of it is stored; NULL: it is no trial */
};

typedef struct orr__subject {
  uint64_t key;
  orr__flow *holder;
  orr__flow *first, *last;           /* waiting */
  bool is_cancelled;                 /* result: CANCEL_REQUESTED was recorded while the holder works */
  bool is_due_now;                   /* a local job of it has ended while the holder works */
  bool is_leaving;                   /* Backup: its holder removes it; until then it runs and fires */
} orr__subject;

static inline uint64_t orr__result_key(int64_t id) { return (uint64_t)id * 2; }
static inline uint64_t orr__backup_key(int64_t id) { return (uint64_t)id * 2 + 1; }
/* Who deletes what a Backup keeps no longer: one at a time, and the Backup itself is free meanwhile. */
/* Held by the start until the backend knows what is kept of its providers; requests stand in line for it. */
#define ORR_START_KEY UINT64_MAX
static inline uint64_t orr__sweep_key(int64_t id) { return UINT64_C(1) << 63 | ((uint64_t)id * 2 + 1); }

typedef struct orr__watcher {
  struct orr__watcher *next;
  uint64_t request;
  enum { ORR_WATCH_RESULT, ORR_WATCH_STARTED, ORR_WATCH_EVENTS } kind;
  int64_t result_id, backup_id;      /* 0: any */
} orr__watcher;

struct orr__core {
  orr__core_config config;
  char *data_dir;
  orr__loop *loop;
  orr__store *store;
  const orr__provider_ops *ops;
  orr__provider_host host;
  orr__zones *zones;
  orr__wheel *due;                   /* result id -> mono ms of the next action */
  orr__wheel *fires;                 /* Backup id -> wall ms of the next fire */
  orr__wheel *looks;                 /* Backup id -> mono ms: looked at again then, for another reason */
  orr__map firing;                   /* Backup ids whose schedule is looked at just now */
  orr__map ends;                     /* Backup ids whose schedule waits for the end of a result */
  bool is_rearm_due;                 /* a Backup found no place in a wheel: all are gone through again */
  int64_t zones_mono_ms;             /* when the zones' files were looked at last */
  orr__map deleting;                 /* Backup ids whose deletion goes on (remove_backup.c) */
  orr__wheel *sweeps;                /* Backup id -> wall ms of the next pass of retention */
  size_t sweep_count;                /* passes going on */
  orr__slots *slots;
  orr__timer due_timer, fire_timer, slot_timer, sweep_timer, history_timer, answer_timer;
  struct orr__asked *answers;        /* ask.c: to be given in the next turn */
  orr__map subjects;
  orr__map calls;                    /* call id -> flow */
  orr__map updated;                  /* update.c: Backup id -> its last update */
  orr__flow *flows;
  size_t flow_count;
  orr__watcher *watchers;
  char **names;                      /* of drafts: reserved */
  size_t name_count;
  orr__kept_entry *kept;             /* kept.c */
  bool is_kept_known;                /* it has been read, and the backend was told */
  uint64_t next_call, next_request;
  int64_t started_ms;
  int64_t last_commit_ms;
  size_t events_since_prune;
  bool has_pruned, is_pruning;        /* history.c */
  bool is_draining, is_closed, is_started;
  size_t due_loading;                /* results that are being loaded because they are due */
  size_t due_early;                  /* those that were before is_live */
  bool is_live;                      /* what was stored at the start has been taken up */
};

/* ---- flow.c ------------------------------------------------------------------------------------------------- */

/* NULL when out of memory or ORR_WAITING_MAX. */
orr__flow *orr__flow_new(orr__core *core);
/* Releases its subject (the next in line goes on), answers an unanswered request with CLOSED, frees. */
void orr__flow_end(orr__flow *flow);
/* Waits for the subject, then step. urgent: to the head of the line. */
void orr__flow_acquire(orr__flow *flow, uint64_t subject, bool urgent, orr__step step);
/* Takes it if it is free right now. */
bool orr__flow_try(orr__flow *flow, uint64_t subject);
void orr__flow_release(orr__flow *flow);
/* A new transaction. NULL without memory: building on that does nothing, and submitting it fails. */
orr__tx *orr__flow_tx(orr__flow *flow);
/* Submits; step with flow->tx (rows may be taken), flow->code and flow->error. */
void orr__flow_submit(orr__flow *flow, orr__tx *tx, orr__step step);
/* Loads the graph of a result or Backup afresh; NOT_FOUND if it is gone. */
void orr__flow_load(orr__flow *flow, enum orr__model_id model, int64_t id, orr__step step);
/* step after a while. */
void orr__flow_sleep(orr__flow *flow, double seconds, orr__step step);
void orr__flow_leave(orr__flow *flow);
/* As a step: sleeps as the last answer asks, or backs off by flow->attempt, and goes on with flow->inner. */
void orr__flow_wait_again(orr__flow *flow);
/* Finds by name, id or unique uuid prefix (orr__object in *flow->tx's rows is not kept): flow->id is its id, or
 * flow->code is NOT_FOUND or INVALID (ambiguous). */
void orr__flow_find(orr__flow *flow, enum orr__model_id model, const char *ref, orr__step step);
orr__subject *orr__subject_of(orr__core *core, uint64_t key); /* NULL if nobody holds or waits for it */
bool orr__backup_is_leaving(orr__core *core, int64_t backup_id); /* it is being removed just now */
/* Reply and end. Any may follow: the flow goes on without a request after orr__flow_reply. */
void orr__flow_reply(orr__flow *flow, const orr__json *json);
void orr__flow_fail(orr__flow *flow, int code, const orr_error *err);
int orr__flow_no_memory(orr__flow *flow); /* sets flow->code and flow->error to NOMEM, which it returns */
/* Both at once: fails the request with flow->code and flow->error and ends the flow. */
void orr__flow_abandon(orr__flow *flow);
double orr__backoff_s(double base, int attempt); /* base * 2^(attempt-1), capped */
int64_t orr__now(const orr__core *core);

/* ---- call.c: hooks ------------------------------------------------------------------------------------------ */

/* Writes the intent into tx (a row in flow->op) for the call that orr__flow_hook makes next. QUIET hooks have none. */
void orr__flow_intend(orr__flow *flow, orr__tx *tx, enum orr__hook hook);
/* Calls the hook on flow->graph and goes on with step when flow->answer is there and the graph is back. A provider that
 * is gone or a draining core give an ERROR or INTERRUPTED answer. */
void orr__flow_hook(orr__flow *flow, enum orr__hook hook, orr__step step);
/* Writes the outcome of the last call into tx: the op row done (for QUIET ones: only where there is something to
 * tell), warnings as events. */
void orr__flow_settle(orr__flow *flow, orr__tx *tx);
/* The declaration of the flow's provider, or NULL with flow->code and flow->error. */
const orr__declaration *orr__flow_declaration(orr__flow *flow);
bool orr__flow_has_hook(orr__flow *flow, enum orr__hook hook);
void orr__op_of_quiet(orr__flow *flow); /* the row of a QUIET hook, now that there is something to write in it */
void orr__call_install(orr__core *core); /* fills core->host */
const char *orr__outcome_word(enum orr__outcome outcome);
/* What to tell people of an answer that was no success. */
const char *orr__answer_text(const orr__answer *answer);
/* An answer that was no success as an error: HALTED (with the fields), or the error it carries. */
int orr__answer_error(const orr__answer *answer, enum orr__hook hook, orr_error *ret); /* its code */

/* ask.c: parts of core->host. */
void *orr__asked_spare(void); /* memory for one question: owned */
void orr__asked_close(orr__core *core); /* whoever waits for an answer that needs no store has it now */
void orr__ask_mark(void *core, uint64_t call_id, const char *act, orr__ready ready, void *arg);
void orr__ask_save(void *core, uint64_t call_id, orr__object *object, orr__ready ready, void *arg);
void orr__ask_results(void *core, uint64_t call_id, int64_t backup_id, const char *status, size_t limit, orr__results_ready ready, void *arg);

/* The dirty fields of an object in the midst of a hook, without breaking the rules of status. */
uint64_t orr__checkpoint_write(orr__flow *flow, orr__object *object, orr__tx *tx); /* which fields */

/* What a hook left in the flow's objects, by the rules of what persists: the result's changes whatever the outcome, the
 * Backup's only after success. */
void orr__flow_write(orr__flow *flow, orr__tx *tx);
void orr__flow_write_backup(orr__flow *flow, orr__tx *tx); /* of a result that goes */

/* ---- journal.c: events -------------------------------------------------------------------------------------- */

void orr__flow_event(orr__flow *flow, orr__tx *tx, const char *kind, const char *level, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same with data for programs (taken). For what must not be lost: NOMEM if it could not be written. */
int orr__flow_event_data(orr__flow *flow, orr__tx *tx, const char *kind, const char *level, orr__json *data,
                          const char *format, ...) __attribute__((format(printf, 6, 7)));
/* result.ended, with the provider and how long it took. */
void orr__flow_ended_event(orr__flow *flow, orr__tx *tx, const char *level, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* After a commit: tells the watchers. */
void orr__flow_tell(orr__flow *flow);
void orr__flow_hush(orr__flow *flow); /* it has not committed: nothing to tell */
void orr__result_changed(orr__core *core, const orr_result *result);
void orr__result_removed(orr__core *core, int64_t result_id); /* who watches it learns that it is gone */

/* ---- run.c, refresh.c, cancel.c, recover.c ------------------------------------------------------------------ */

/* A new result of flow->graph.backup into the flow (flow->config, flow->opts), START_REQUESTED. 0 or a code in flow. */
int orr__run_prepare(orr__flow *flow, const char *trigger, const char *requested_by, int64_t scheduled_ms);
/* Writes the new result and the intent of its first hook into tx; orr__run_go goes on once that is committed. */
void orr__run_insert(orr__flow *flow, orr__tx *tx);
void orr__run_go(orr__flow *flow);
/* Continues a stored result at its nextAction; the flow holds it and has loaded it. */
void orr__run_continue(orr__flow *flow);
/* Ends the result in a terminal status: dates, message, nextAction. Only sets fields. */
void orr__result_finish(orr__flow *flow, const char *status, const char *message);
/* The same for any result; one that has ended already keeps its status. */
void orr__result_end(orr__core *core, orr_result *result, const char *status, const char *message);
void orr__result_attention(orr__flow *flow, const char *why);
void orr__result_well(orr_result *result); /* forgets the errors in a row, and what was said of them */
void orr__result_next(orr__flow *flow, enum orr__hook hook, double in_seconds);
/* Commits the result's dirty fields and what tx holds, tells watchers, arms the wheel, ends the flow. */
void orr__result_commit(orr__flow *flow, orr__tx *tx);
void orr__flow_arm(orr__flow *flow); /* puts flow->graph.result into the wheel, or out where nothing is due */
/* overdue.c */
bool orr__is_overdue(const orr__flow *flow); /* is it past its deadline? */
void orr__overdue(orr__flow *flow, orr__tx *tx); /* a refresh past it that brought no end: what comes next, into the result's fields */
void orr__overdue_grace(orr__flow *flow);        /* a cancel was accepted: its deadline moves */
void orr__overdue_end(orr__flow *flow, orr__tx *tx, const char *why); /* FAILED, and listed as an orphan */
bool orr__result_is_parked(const orr_result *result); /* in need of attention, and nothing of it is due by itself */
double orr__refresh_interval(orr__flow *flow);

void orr__refresh_due(void *core);   /* the wheel's timer */
void orr__refresh_arm(orr__core *core);
void orr__refresh_one(orr__flow *flow);
/* What an executeBackup that may have started outside comes to (DESIGN section 6). why: NULL if an earlier runtime died in it. */
void orr__run_uncertain(orr__flow *flow, orr__tx *tx, const char *why);
/* May something of it exist outside? Not if executeBackup never sent anything and no local job was begun. */
bool orr__result_may_run(orr__core *core, const orr_result *result);
void orr__cancel_go(orr__flow *flow);     /* holds the result, CANCEL_REQUESTED is recorded */
/* A word that the hook has put over a recorded cancel, and that is no end, becomes the status before it. */
void orr__cancel_keep(const orr__flow *flow, orr_result *result);
void orr__batch_back(orr__flow *flow, orr__call *call); /* the call of a batch gives its graphs back */
int orr__batch_fill(orr__flow *flow, orr__call *call);   /* and takes them */
const char *orr__batch_provider(const orr__flow *flow);
void orr__start_free(struct orr__start *start);
void orr__batch_free(orr__flow *flow); /* its members are flows of their own and stay */
/* Jobs that an earlier runtime started: their end shall wake the result. */
void orr__recover_watch(orr__core *core, const char *uuid);
/* Closes a row of the journal that nobody goes on with. */
void orr__recover_close(orr__flow *flow, orr__tx *tx, const orr__object *op, const char *message);
/* Takes up one stored result, unless it is in hand already. */
void orr__recover_one(orr__core *core, int64_t result_id);
/* A result that is due for another hook than a refresh; the flow holds it and has loaded it. */
void orr__recover_stage(orr__flow *flow);
void orr__run_stage(orr__flow *flow); /* goes on with flow->hook */
/* Asks for the cancel again that the runtime ended in. */
void orr__recover_cancel(orr__core *core, int64_t result_id);

/* ---- retry.c ------------------------------------------------------------------------------------------------ */

/* A new result like flow->graph.result, linked to it, in a flow of its own that holds it. NULL: flow->code. To be inserted by
 * orr__run_insert, and to go on by orr__run_go. */
orr__flow *orr__run_like(orr__flow *flow);
/* ---- clean_up.c --------------------------------------------------------------------------------------------- */

bool orr__result_cleans_up(const orr_result *result); /* it has ended, and its clean-ups come next */
bool orr__result_is_over(const orr_result *result);   /* it has ended, and nothing comes next */
void orr__clean_up_go(orr__flow *flow);               /* the flow holds it and has loaded it */

/* ---- admit.c, retry_policy.c -------------------------------------------------------------------------------- */

/* May flow->graph.result begin, or go on that has begun? True: it has its slots. False: it is in the line, and its statusMessage says why. */
bool orr__admit(orr__flow *flow);
/* A stored result that is not let in: commits what has changed, looks again later, ends the flow. */
void orr__admit_wait(orr__flow *flow);
/* It runs whatever the limits: a person said so, or an earlier runtime had let it in. */
void orr__admit_hold(orr__flow *flow);
void orr__admit_row(orr__core *core, const orr_result *result); /* the same for a row read at the start; it need not be whole */
/* It has ended, needs attention or is gone: the next one is let in. */
void orr__admit_drop(orr__core *core, int64_t result_id);

/* Takes retryAttempts and retryDelay of flow->args. 0, or INVALID in flow. */
int orr__retry_apply(orr__flow *flow, orr_backup *backup);
/* flow->graph.result ends in tx: writes the result that runs it again, if its Backup says so. */
void orr__retry_write(orr__flow *flow, orr__tx *tx);
void orr__retry_go(orr__flow *flow); /* that is committed */
void orr__retry_arm(orr__core *core, orr_result *made); /* the same for who has taken it from flow->next_result; takes it, NULL is none */

/* ---- resolve.c, resolve_draft.c ----------------------------------------------------------------------------- */

const char *orr__resolver(const orr__flow *flow); /* who says so */
/* Is exactly one of these arguments (three at most) given? A flag that is false is not. 0, or INVALID with the sentence. */
int orr__resolve_check(orr__flow *flow, const char *const *names, size_t count, const char *sentence);
/* Reads the op rows of drafts that createBackup may have made outside, whole of one name, or (NULL) what is listed of all; their slot. */
int orr__drafts_read(orr__tx *tx, const char *name);
bool orr__draft_is_at_work(const orr__core *core, const orr_op *op); /* its creation has not ended yet: it waits for nobody */

/* The Backup as the journal has it, owned; NULL: flow->code and flow->error (CORRUPT where it is not whole). */
orr_backup *orr__draft_restore(orr__flow *flow, const orr_op *op);
/* Reads what it refers to, in slots 0 to 2 (connection, server, cloud), and in slot 3 the ids of the rows of the hooks before. */
void orr__draft_read_context(orr__tx *tx, const orr_backup *backup, const orr_op *op);

/* ---- draft_recover.c ---------------------------------------------------------------------------------------- */

/* Finds out what became of a draft whose row is `sent` and nobody's: goes on by itself, and answers the request (0: none). False: its provider
 * can neither repeat createBackup nor look it up, or is not there; nothing was begun. The draft's name is reserved, and the rescue's from then on. */
bool orr__draft_rescue(orr__core *core, int64_t op_id, const char *name, const char *provider, uint64_t request, const char *why);
void orr__rescue_again(orr__flow *flow); /* what a rescue came to could not be written: flow->error says why */
bool orr__draft_is_rescued(const orr__core *core, const orr_op *op);
void orr__rescue_free(struct orr__rescue *rescue);
const struct orr__draft_kind *orr__creation(void); /* create.c */

/* ---- schedule.c, schedule_fire.c (schedule.h is for these files only) --------------------------------------- */

/* Takes schedule, timeZone, misfirePolicy, startDeadline, overlapPolicy, blackouts, jitter, paused and noSchedule of the flow's
 * args into the Backup (its uuid is set). 0 or a code with flow->error: what is given is not valid, or would never fire. */
int orr__schedule_apply(orr__flow *flow, orr_backup *backup);
/* The Backup is about to be written into tx. If its schedule is new, or another one than `previous` has (NULL: it is being
 * created), or goes on after a pause, it counts from now, and what still waited to fire is recorded as skipped. tx gets a guard
 * then: CONFLICT if the schedule has fired since `previous` was read, which is to be read again. 0 or NOMEM. */
int orr__schedule_begin(orr__flow *flow, orr__tx *tx, orr_backup *backup, const orr_backup *previous);
/* It is about to be paused: the same for what still waited. */
int orr__schedule_halt(orr__flow *flow, orr__tx *tx, orr_backup *backup);
void orr__schedule_arm(orr__core *core, const orr_backup *backup); /* in, or out where it does not fire */
void orr__schedule_disarm(orr__core *core, int64_t backup_id);
void orr__schedule_start(orr__core *core); /* arms all there are, a page at a time */
/* When it starts next, jitter and blackouts seen to; -1: never. */
int64_t orr__schedule_next(orr__core *core, const orr_backup *backup, int64_t after_ms);
void orr__schedule_due(void *core);
/* A result of the Backup has ended, or needs attention: what waited for that is looked at. */
void orr__schedule_ended(orr__core *core, int64_t backup_id);
/* Meaning and the next fires of a Backup's schedule: { meaning, timeZone, next: [ms], notes, warnings }. NULL: reterr. */
orr__json *orr__schedule_describe(orr__core *core, const orr_backup *backup, int count, orr_error *reterr);

/* ---- remove.c, remove_backup.c ------------------------------------------------------------------------------ */

void orr__removal_opts(orr__flow *flow, const char *trigger); /* opts and extra for a hook that deletes, from flow->args */
void orr__removal_judge(orr__answer *answer); /* "it is going on" is no "it is gone": asked again like any retry */
orr__json *orr__removal_given(const orr__flow *flow); /* what to ask with again; owned; NULL: no memory */
double orr__removal_wait_s(const orr__answer *answer, int64_t errors); /* until an attempt that nobody waits for */
void orr__removal_stays_pending(orr__flow *flow); /* the answer as the error of whoever asked, who hears that it goes on */
bool orr__result_leaves(const orr_result *result); /* its deletion was asked for, and goes on */
void orr__removal_go_on(orr__flow *flow); /* with that of flow->graph.result, which is held */
void orr__backup_delete_later(orr__core *core, int64_t backup_id, double in_seconds); /* if it has a deleteDate then */
/* Deletes flow->graph.result, which is loaded and held: through its provider, or (drop) the record alone, with its journal, events
 * and local jobs. Goes on with flow->after when it is gone, else with flow->otherwise. */
void orr__result_delete(orr__flow *flow);
void orr__result_drop(orr__flow *flow);

/* ---- orphan.c ----------------------------------------------------------------------------------------------- */

/* Writes into tx that flow->graph.result (or .backup) may be outside and has, or will soon have, no record any more. Of what certainly left
 * nothing outside nothing is written. 0 or NOMEM. */
int orr__orphan_result(orr__flow *flow, orr__tx *tx, const char *reason);
int orr__orphan_backup(orr__flow *flow, orr__tx *tx, const char *reason);
orr_orphan *orr__orphan_make(orr__core *core, const char *kind, const char *reason); /* owned; NULL: no memory */

/* ---- retention.c -------------------------------------------------------------------------------------------- */

/* Takes keepLast and keepDays from the flow's args into the Backup (providerCode is set), and noRetention, which unsets both
 * first. 0 or a code with flow->error: a bad number, or a provider that cannot delete results. */
int orr__retention_apply(orr__flow *flow, orr_backup *backup);

/* What a Backup's policy says of its results at a moment. Zeroed: all are kept. */
typedef struct orr__keep {
  int64_t line;      /* good results from this id on are among the newest keepLast, or are the newest */
  int64_t cutoff_ms; /* good results that ended then or later are young enough; INT64_MAX: age keeps none */
  int64_t oldest;    /* the id of the oldest good result that is kept; 0: there is none, and nothing goes */
} orr__keep;

bool orr__keeps_all(const orr_backup *backup); /* it has no policy */
/* Adds the reads of a judgement to tx; the first of their slots. Take them with the same backup and time. */
int orr__keep_read(orr__tx *tx, const orr_backup *backup, int64_t now_ms);
void orr__keep_take(const orr__tx *tx, int slot, const orr_backup *backup, int64_t now_ms, orr__keep *ret_keep);
/* Does it go? Never one that has not ended or is in attention. */
bool orr__keep_drops(const orr__keep *keep, const orr_result *result);
/* The same as conditions: those before the oldest that is kept, and good ones between those that are kept by age. */
#define ORR_KEEP_WHERE 8
enum orr__keep_part { ORR_KEEP_EARLIER, ORR_KEEP_BETWEEN, ORR_KEEP_PARTS };
size_t orr__keep_where(const orr__keep *keep, int64_t backup_id, enum orr__keep_part part, orr__where where[ORR_KEEP_WHERE]);
/* Can nothing of it be outside? It was never sent, began no local job, and has no reference to anything. */
bool orr__result_left_nothing(orr__core *core, const orr_result *result);
/* flow->graph.result, a good one, ends in tx: its Backup is looked through, also if we die now. */
void orr__retention_write(orr__flow *flow, orr__tx *tx);

/* ---- retention_pass.c, retention_request.c ------------------------------------------------------------------ */

/* The Backup as it is stored: its wheel entry follows retentionDate, and a pass that is going on looks once more. */
void orr__retention_arm(orr__core *core, const orr_backup *backup);
void orr__retention_ended(orr__flow *flow); /* what orr__retention_write has written is committed */
void orr__retention_due(void *core);        /* the wheel's timer */
void orr__sweep_free(orr__flow *flow);
/* Puts what retention says of flow->graph.backup into the map flow->extra, as "retention", then step. */
void orr__retention_look(orr__flow *flow, orr__step step);

/* ---- kept.c ------------------------------------------------------------------------------------------------- */

void orr__kept_install(orr__core *core);          /* into core->host */
int orr__kept_read(orr__tx *tx);                  /* its first slot */
void orr__kept_take(orr__core *core, const orr__tx *tx, int slot); /* and the backend is told */
void orr__kept_free(orr__core *core);
void orr__kept_forget(orr__core *core, const char *code, orr__tx *tx); /* what is kept of it is deleted */
/* Numbers parted by blanks; how many. */
size_t orr__reads_parse(const char *text, int reads[ORR_READS_MAX]);
/* As host->can_read. What counts: results that have not ended, or have clean-ups before them, and Backups, of this provider. 0 or
 * NOMEM: ready does not come then. */
int orr__kept_can_read(orr__core *core, const char *code, const int *reads_state, size_t count, orr__ready ready, void *arg);
/* A result or Backup that a version has written to: of what stateVersion it is now. */
void orr__state_stamp(orr__object *object, int state_version);

/* ---- history.c ---------------------------------------------------------------------------------------------- */

typedef struct orr__history orr__history;
void orr__history_start(orr__core *core);
void orr__history_event(orr__core *core); /* one more is being written */
void orr__history_free(orr__flow *flow);

/* ---- options.c ---------------------------------------------------------------------------------------------- */

/* Puts the declared options of `config` (and their defaults) into the object's config and secrets maps; fields of the model
 * that the caller may set go into them (connection). Unknown names are findings. */
int orr__options_apply(const orr__option *options, size_t count, orr__object *object, int config_field, int secrets_field,
                       const orr__json *config, orr_error *findings);
/* One of those fields, from text or JSON; what does not fit is a finding. 0 or NOMEM. */
int orr__options_set_field(orr__object *object, int field, const orr__json *value, orr_error *findings);
/* Takes away what a list of names says, before orr__options_apply puts the defaults back. A name that is supplied too, or that
 * is no option and is not there, is a finding. */
int orr__options_unset(const orr__option *options, size_t count, orr__object *object, int config_field, int secrets_field,
                       const orr__json *names, const orr__json *supplied, orr_error *findings);
/* The default findings: required, type, choices. */
void orr__options_check(const orr__option *options, size_t count, const orr__object *object, int config_field, int secrets_field,
                        orr_error *findings);

/* ---- changes.c ---------------------------------------------------------------------------------------------- */

/* A bit per field that differs, but for dates that the runtime keeps. names: NULL, or a list that gets what people call them,
 * entries of maps by their paths. */
uint64_t orr__changes_find(const orr__object *before, const orr__object *after, orr__json *names);
char *orr__changes_text(const orr__json *names); /* owned: "path, depth"; NULL: no memory */
/* Makes the same changes to another copy; in maps only of the entries that differ. 0 or NOMEM. */
int orr__changes_carry(const orr__object *before, const orr__object *after, orr__object *into, uint64_t mask);

/* ---- name.c ------------------------------------------------------------------------------------------------- */

int orr__name_check(const char *name, orr_error *reterr); /* may something be called that? */
/* Nobody else may take a reserved name. */
bool orr__name_is_reserved(const orr__core *core, const char *name);
int orr__name_reserve(orr__core *core, const char *name);
void orr__name_free(orr__core *core, const char *name);
/* Reserves the name of a Backup for as long as the flow lives, once the store knows none of that name: then step; EXISTS in
 * flow->code otherwise. */
void orr__flow_reserve(orr__flow *flow, const char *name, orr__step step);
void orr__flow_keep_name(orr__flow *flow); /* longer than the flow lives */

/* ---- draft.c ------------------------------------------------------------------------------------------------ */

/* Each answers 0, or a code with flow->error. */
int orr__draft_check_connection(orr__flow *flow, const orr__declaration *declaration);
int orr__draft_set_interval(orr__flow *flow, orr_backup *backup);              /* the argument refreshInterval */
int orr__draft_set_options(orr__flow *flow, const orr__declaration *declaration); /* flow->config; and flow->findings */
void orr__draft_guard(const orr__flow *flow, orr__tx *tx);                    /* what it refers to is still there */
orr__json *orr__draft_view(const orr__flow *flow);                            /* the reply: backup, msg, schedule */

/* ---- update.c ----------------------------------------------------------------------------------------------- */

void orr__update_free(orr__update *update);
const orr_backup *orr__update_previous(const orr__flow *flow); /* the Backup as it was, or NULL */
/* The fields that an update has changed since this copy of the Backup was read: what a hook has written to them is not kept. */
uint64_t orr__update_outdated(const orr__core *core, const orr_backup *backup);
/* An earlier runtime ended in this call of updateBackup, past its sent mark: writes that somebody has to look. */
void orr__update_lost(orr__flow *flow, orr__tx *tx, const orr_op *op);

/* ---- draft_hooks.c: configureBackup, validateBackup, and the hook that carries it outside ------------------- */

/* What a draft, a Backup as it shall become, is made for. */
typedef struct orr__draft_kind {
  const char *trigger;               /* of the hooks' opts */
  enum orr__hook last;               /* createBackup or updateBackup: called once the draft is valid */
  bool (*is_carried)(const orr__flow *flow); /* shall `last` be called? NULL: always */
  orr__step persist;                 /* the hooks have passed; the outcome of flow->op, if any, is still to be written */
  void (*uncertain)(orr__flow *flow, const char *why); /* `last` may have done something outside; no outcome is on record */
} orr__draft_kind;

/* Takes the draft flow->graph.backup, with its default findings in flow->findings, through the hooks. Ends in a step of kind, or
 * fails the request and leaves nothing but the journal, where the Backup is persisted, and an event. */
void orr__draft_begin(orr__flow *flow, const orr__draft_kind *kind);
/* Gives the rows of the hooks to the Backup that the draft has become. */
void orr__draft_own(orr__flow *flow, orr__tx *tx, int64_t backup_id);

/* ---- trial.c: what others need of it; the rest is in trial.h ------------------------------------------------- */

const char *orr__trial_provider(const orr__flow *flow);           /* NULL: the objects say whose it is */
int orr__trial_prepare(const orr__flow *flow, orr__call *call);    /* 0 or NOMEM */
void orr__trial_log(orr__flow *flow, enum orr__log_level level, const char *message);
void orr__trial_begin(orr__flow *flow);                            /* a dry run: its Backup is loaded, its result made */
void orr__trial_free(struct orr__trial_run *trial);

/* ---- requests ----------------------------------------------------------------------------------------------- */

#define REQUEST(name, handler, kind, args, reply, doc) void orr__request_##handler(orr__flow *flow);
#include "core/requests.def"
#undef REQUEST

/* The declaration of a provider by code, or NULL with flow->code and flow->error. */
const orr__declaration *orr__flow_declare(orr__flow *flow, const char *code);
int orr__connection_check_enabled(const orr_connection *connection, orr_error *reterr); /* NULL is fine */
/* Resolves the arguments connection, server and cloud (those that are there) into flow->graph. */
void orr__flow_context(orr__flow *flow, orr__step step);

orr__json *orr__view_backup(const orr__flow *flow); /* flow->graph.backup with the names of what it refers to */
orr__json *orr__view_result(const orr_result *result);
orr__json *orr__view(const orr__object *object); /* without secrets, unset fields as null */

#endif
