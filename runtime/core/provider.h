/* The boundary between the core and whatever runs a provider's hooks: the one arrow that is inverted.
 *
 * The core decides that a hook is called and what its answer means; a backend (bindings: Lua) runs it. The core
 * holds an orr__provider_ops that the backend filled in, the backend holds an orr__provider_host that the core
 * filled in, and neither includes the other.
 *
 * One call:
 *
 *   core                                   backend
 *   intent committed, ops->call(call) ---> call taken (with its objects); the hook is started in the next turn
 *                                          the hook reads and writes the objects in place: dirty masks tell
 *   host->mark_sent(id, act, ready)   <--- at its first mutating act, and it waits; nothing may leave before ready
 *   `sent` committed, ready(0)        ---> the act
 *   host->checkpoint(id, object)      <--- backupResult:save(), and it waits
 *   host->answered(call, answer)      <--- exactly once per accepted call, never from inside ops->call;
 *                                          call and objects go back to the core
 *
 * ops->interrupt asks for an early end (cancel, shutdown): what the hook waits for is aborted, and it ends with an
 * answer all the same. The deadline is the backend's to keep: at call->deadline_mono_ms it does the same by itself,
 * gives the hook ORR_GRACE_MS to clean up, and answers TIMEOUT; a hook that does not stop, or that computes instead of
 * waiting when it passes, is never resumed again.
 *
 * Everything runs on the loop thread. Ids are never used again, so a late ready or interrupt finds nobody. */
#ifndef ORR_CORE_PROVIDER_H
#define ORR_CORE_PROVIDER_H

#include "base/error.h"
#include "model/object.h"

#define ORR_BATCH_MAX 500    /* results in one refreshBackupResults */
#define ORR_GRACE_MS 3000
#define ORR_READS_MAX 33     /* stateVersions that a version can read: its own, and 32 more */

enum orr__hook {
#define HOOK(name, args, flags, timeout, opts, doc) ORR_HOOK_##name,
#include "core/ops.def"
#undef HOOK
  ORR_HOOK_COUNT,
  ORR_HOOK_CONTRACT_COUNT = 11
};

enum orr__hook_arg {
  ORR_ARG_NONE, ORR_ARG_BACKUP, ORR_ARG_RESULT, ORR_ARG_CONFIG, ORR_ARG_OPTS, ORR_ARG_EXECUTION_CONFIG, ORR_ARG_CLOUD,
  ORR_ARG_SERVER, ORR_ARG_RESULTS, ORR_ARG_PREVIOUS, ORR_ARG_CONNECTION, ORR_ARG_NAME, ORR_ARG_ARGS
};
#define ORR_HOOK_ARGS 6

enum orr__hook_flag {
  ORR_HOOK_NOTHING = 0, ORR_HOOK_NEEDED = 1, ORR_HOOK_ANSWER = 2, ORR_HOOK_EXECUTION = 4, ORR_HOOK_FINDINGS = 8, ORR_HOOK_MODEL = 16,
  ORR_HOOK_VALUE = 32, ORR_HOOK_QUIET = 64, ORR_HOOK_UNREPEATABLE = 128
};

typedef struct orr__hook_info {
  const char *name;
  enum orr__hook_arg args[ORR_HOOK_ARGS];
  const char *arg_names[ORR_HOOK_ARGS];  /* as documented: "backup", "backupResult", "executionConfig"; NULL after the last */
  unsigned flags;
  int timeout_s;
  const char *opts;          /* keys, separated by blanks */
  const char *doc;
} orr__hook_info;
extern const orr__hook_info orr__hooks[ORR_HOOK_COUNT];
int orr__hook_find(const char *name); /* -1 */

/* ---- what a provider declares ------------------------------------------------------------------------------ */

typedef struct orr__option {
  char *field_name, *field_label, *help_text;
  char *input_type;          /* text number checkbox select password textarea list: a list is an array of strings */
  char *default_value;       /* JSON text, or NULL */
  char *choices;             /* JSON text of [ { "name": .., "value": .. } ], or NULL */
  char *option_source;       /* its name, or NULL */
  bool is_required, is_create_only;
} orr__option;

typedef struct orr__declaration {
  char *code, *name, *version;
  char *path;                /* the file it came from; NULL: from memory */
  char sha256[65];           /* of all files of this version */
  int api_version;
  orr__option *options; size_t option_count;                       /* per backup */
  orr__option *connection_options; size_t connection_option_count; /* per connection */
  bool is_idempotent;
  double visibility_delay;   /* seconds; 0: none declared */
  double refresh_interval;   /* seconds; 0: the default, 60 */
  int64_t max_running;       /* results of it at a time; 0: no limit */
  size_t memory_limit;       /* bytes that the state of its hooks may use; 0: the runtime's, 64 MiB unless set */
  double no_progress_timeout; /* seconds that progress may stay as it is; 0: for ever */
  double timeout;            /* seconds until a result's deadline; 0: the default, 24 h */
  uint32_t hooks;            /* a bit per hook that it has */
  double hook_timeouts[ORR_HOOK_COUNT]; /* seconds; 0: the table's */
  int state_version;         /* of what its hooks store in results and Backups; 1 unless declared */
  int reads_state[ORR_READS_MAX]; size_t reads_count; /* all that they can read: state_version itself, and what readsState adds */
  char *needs;               /* JSON text: { http: [], exec: [], read: [], write: [] } */
  char *warning;             /* why the file on disk is not what is loaded (it fails its checks), or NULL */
  char *findings;            /* JSON text: what a check finds that does not hold it back, a list of { file, line, severity, rule, message }; or NULL */
  char *advice;              /* the first of them, for people; or NULL */
  int64_t loaded_ms;         /* wall */
} orr__declaration;
static inline bool orr__declares(const orr__declaration *d, enum orr__hook hook) { return (d->hooks >> hook) & 1u; }

/* ---- a call and its answer --------------------------------------------------------------------------------- */

/* Made by the core with everything owned inside, taken by ops->call, given back by host->answered, freed by the
 * core with orr__call_free. Text is JSON unless said otherwise; NULL is {}. */
/* A call that is only tried out: what it does outside is noted, nothing of it is kept. A dry one ends before its first mutating act. */
enum orr__trial { ORR_TRIAL_NONE, ORR_TRIAL_DRY, ORR_TRIAL_REALLY };

typedef struct orr__call {
  uint64_t id;               /* never 0, never used again */
  enum orr__hook hook;
  char *provider;            /* its code */
  orr__graph graph;          /* the subject and what it leads to */
  orr__graph *batch;         /* refreshBackupResults: its subjects; graph then has connection only */
  size_t batch_count;
  orr_backup *previous;      /* updateBackup */
  char *config;              /* the configuration supplied from outside, as it was supplied; of cleanUp: its args */
  char *execution_config;
  char *opts;                /* complete: runtime's keys and the caller's */
  char *name;                /* optionSource, cleanUp; plain text */
  enum orr__trial trial;
  char *eval;                /* a line of Lua that is run instead of the hook, or NULL: only with trial */
  int64_t deadline_mono_ms;
  int state_version;         /* of the version that runs it; set by ops->call */
  bool is_marked_sent;       /* an earlier attempt's mark, or this one's: mark_sent is then not asked again */
} orr__call;
orr__call *orr__call_new(uint64_t id, enum orr__hook hook, const char *provider); /* owned; NULL: no memory */
void orr__call_free(orr__call *call);

enum orr__outcome {
  ORR_OUTCOME_SUCCESS,
  ORR_OUTCOME_HALT,          /* success = false, or errors where they halt */
  ORR_OUTCOME_RETRY,         /* ServiceResponse.retry, or a retryable error (transport) that the hook let through */
  ORR_OUTCOME_ERROR,         /* raised, or an answer that breaks the contract (error.code PROVIDER) */
  ORR_OUTCOME_TIMEOUT,       /* its deadline passed (error.code DEADLINE) */
  ORR_OUTCOME_INTERRUPTED    /* by ops->interrupt (error.code CANCELLED) */
};

/* Owned by the core once answered is called; orr__answer_clear. */
typedef struct orr__answer {
  enum orr__outcome outcome;
  char *msg;                 /* plain text, or NULL */
  bool has_errors;           /* the answer had an `errors` table, even an empty one: errors replaces the findings */
  orr_error errors;          /* its entries as fields */
  char *data;                /* JSON of `data` where that is a plain value, or NULL */
  bool has_in_progress, in_progress;
  double retry_after;        /* seconds; negative: not said */
  bool is_gone;              /* refreshBackupResult, RETRY: the external job is not there any more */
  bool has_left_nothing;     /* it was marked sent, and each act since is known never to have left (connection refused), or to have been turned away (401, 429) */
  orr_error error;           /* for ERROR, TIMEOUT, INTERRUPTED and RETRY by an error: message with provider, version, hook, file, line */
  char *traceback;           /* or NULL */
  char sha256[65];           /* the version that ran */
  char *warnings;            /* lines: unknown status words and the like, each to be recorded; or NULL */
  char *acts;                /* of a trial: JSON text, a list of what it did outside, redacted; or NULL */
  bool is_dry_end;           /* a mutating act, the last of acts, was not done, and ended it */
} orr__answer;
void orr__answer_clear(orr__answer *answer);

/* ---- versions that are kept -------------------------------------------------------------------------------- */

/* A version of a provider as the backend hands it to the core to be kept, and gets it back after a restart. The core knows nothing of
 * what sources are. All of it is borrowed for the call. */
typedef struct orr__kept {
  const char *code, *version;  /* as declared */
  const char *sha256;
  const char *sources;       /* JSON text of a map */
  const char *granted;       /* JSON text: what it may reach, which is what it declares or reaches further up */
  int state_version;
  const int *reads_state; size_t reads_count;
  const char *held_sha256;   /* somebody rolled back to this version: while the files are that, they are not live. NULL: nobody did */
} orr__kept;

/* What became of the newest files of a provider. */
enum orr__reload {
  ORR_RELOAD_SAME,           /* they are what was read before; nothing has changed by that */
  ORR_RELOAD_LIVE,           /* they are the current version */
  ORR_RELOAD_REFUSED,        /* unreadable, or a check found something */
  ORR_RELOAD_ASKING,         /* not known yet: host->can_read has not answered */
  ORR_RELOAD_UNREADABLE,     /* it cannot read what is stored */
  ORR_RELOAD_WAITING,        /* they need more than is granted: they wait for ops->trust */
  ORR_RELOAD_HELD            /* rolled back: they wait for a change */
};

/* How a provider is, for people. Text is borrowed until the loop's next turn. */
typedef struct orr__provider_state {
  enum orr__reload last;     /* of its files as they were read last */
  bool is_loaded;            /* there is a version that runs */
  bool is_kept;              /* what runs came from the store: the files are not it */
  bool is_rolled_back;
  bool is_watched;           /* else its files are looked at when somebody asks for it */
  const char *file_sha256;   /* of the files as they were read last; "" */
  const char *granted;       /* JSON text; NULL: it was never loaded, or comes from memory */
  const char *waiting_needs; /* what more the files need, for people, where last is WAITING; they are file_sha256 */
  uint64_t calls, errors;    /* of the current version, since it was loaded: hooks that ended, and of them raised or timed out */
  const char *last_error;    /* NULL: none */
  int64_t last_error_ms;     /* wall */
  size_t in_flight;          /* hooks running, in all versions */
  size_t old_versions;       /* replaced ones whose last hook has not ended */
  size_t memory, memory_limit; /* bytes of all its states, and the limit of each */
} orr__provider_state;

/* ---- the two structs --------------------------------------------------------------------------------------- */

typedef void (*orr__ready)(void *arg, int code, const orr_error *err); /* err borrowed */
typedef void (*orr__results_ready)(void *arg, int code, orr_result **results, size_t count); /* results taken, array too */

enum orr__log_level { ORR_LOG_DEBUG, ORR_LOG_INFO, ORR_LOG_WARNING, ORR_LOG_ERROR };

typedef struct orr__provider_host {
  void *core;
  void (*answered)(void *core, orr__call *call, orr__answer *answer);
  /* act: what is about to leave, for the journal ("POST https://host:443", "exec restic"). ready comes once, later: 0,
   * or why nothing may leave (the call has ended, the deadline passed, the store failed). */
  void (*mark_sent)(void *core, uint64_t call_id, const char *act, orr__ready ready, void *arg);
  /* Writes the dirty fields of one of the call's objects (result, or a persisted backup) durably and cleans them. */
  void (*checkpoint)(void *core, uint64_t call_id, orr__object *object, orr__ready ready, void *arg);
  /* The newest results of the call's Backup; status NULL: any. ready comes once, later. */
  void (*results)(void *core, uint64_t call_id, int64_t backup_id, const char *status, size_t limit,
                  orr__results_ready ready, void *arg);
  /* A line of the author's, or about the provider (call_id 0). Already redacted. */
  void (*log)(void *core, uint64_t call_id, const char *provider, enum orr__log_level level, const char *message);
  /* A provider was loaded, replaced or refused (err not NULL); works: there is a version that runs, be it an older one. */
  void (*provider_changed)(void *core, const char *code, const orr_error *err, bool works);
  /* A version from files has become live that is not what the core keeps as live. is_back: it was rolled back to. NULL: nothing is kept. */
  void (*keep)(void *core, const orr__kept *kept, bool is_back);
  /* Can a version that reads these stateVersions read what is stored for results that have not ended and for Backups? ready comes
   * once, later: 0, or REFUSED with what it could not read. 0, or NOMEM and ready does not come. NULL: everything can be read. */
  int (*can_read)(void *core, const char *code, const int *reads_state, size_t count, orr__ready ready, void *arg);
} orr__provider_host;

typedef struct orr__provider_ops {
  void *self;
  /* The declaration of the current version, loading or reloading it if its file has changed: borrowed until the
   * loop's next turn. NOT_FOUND (names the nearest), PROVIDER (file, line, what is wrong). */
  int (*describe)(void *self, const char *code, const orr__declaration **ret, orr_error *reterr);
  /* All there are, by code: at(i) until NULL. A provider that does not load has an error and no declaration. */
  int (*list)(void *self, void (*each)(void *arg, const char *code, const char *path, const orr__declaration *declaration,
              const orr_error *err), void *arg, orr_error *reterr);
  /* Takes the call if it returns 0. Otherwise (provider gone, hook absent: REFUSED) nothing ran and call stays. */
  int (*call)(void *self, orr__call *call, orr_error *reterr);
  void (*interrupt)(void *self, uint64_t call_id, const char *why); /* unknown id: nothing happens */
  /* What the core keeps of a provider, before anything is asked of it: its version is used where the files do not load, and what it
   * needs is granted. */
  void (*remember)(void *self, const orr__kept *kept);
  /* Reads the files of a provider now, without waiting for them to settle. 0 and what became of them, or of those that were read
   * before (SAME); NOT_FOUND. Where that is a refusal, the text of *ret_why (borrowed until the next turn) says why, else it is NULL. */
  int (*reload)(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr);
  int (*outcome)(void *self, const char *code, enum orr__reload *ret, const char **ret_why, orr_error *reterr); /* without reading */
  /* The files that wait for it, whose hash begins so, are granted what they need. As reload; REFUSED where none wait, or others. */
  int (*trust)(void *self, const char *code, const char *sha256, enum orr__reload *ret, const char **ret_why, orr_error *reterr);
  /* Makes a kept version live until the files change; the caller has seen that it can read what is stored. PROVIDER: its checks
   * fail; CORRUPT: what was kept is not what the hash says. */
  int (*roll_back)(void *self, const orr__kept *to, orr_error *reterr);
  /* Lets go of a provider whose files are gone: what was kept of it is not used any more. REFUSED: it has files, comes from memory, or a
   * hook of it runs. One that nobody has asked for is forgotten already. */
  int (*forget)(void *self, const char *code, orr_error *reterr);
  int (*state)(void *self, const char *code, orr__provider_state *ret); /* 0 or NOT_FOUND: nobody has asked for it yet */
  /* Checks a file, or a folder's init.lua, without making it live: all findings, JSON text as in orr__declaration, owned. */
  int (*check)(void *self, const char *path, char **ret_findings, orr_error *reterr);
  /* Shared sessions of a connection that was changed or removed are dropped. */
  void (*forget_connection)(void *self, int64_t connection_id);
  /* How many coroutines could go on and wait for the processor: the core takes up no more results while there are many. NULL: it
   * is not known. */
  size_t (*backlog)(void *self);
} orr__provider_ops;

#endif
