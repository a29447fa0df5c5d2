/* The providers there are, by code, and everything the files of the bindings share about one runtime. */
#ifndef ORR_BINDINGS_REGISTRY_H
#define ORR_BINDINGS_REGISTRY_H

#include <sys/types.h>

#include "base/map.h"
#include "redact.h"
#include "session_store.h"
#include "state.h"
#include "wait.h"

#define ORR_PROVIDERS_MAX 10000

/* What stat said of one file or folder when it was read. */
typedef struct orr__stamp {
  char *path;
  int64_t mtime_ns, ctime_ns, size;
  uint64_t inode, device;
  bool is_racy;              /* changed so lately that a further change might not show in the stamp */
} orr__stamp;

typedef struct orr__stamps {
  orr__stamp *items;
  size_t count;
} orr__stamps;

typedef struct orr__provider {
  struct orr__provider *next;    /* by code */
  orr__bindings *bindings;
  char *code;
  char *path;                    /* main file; NULL: from memory */
  char *folder;                  /* of its modules, or NULL */
  orr__stamps stamps;            /* of the last reading, whether that worked or not */
  char seen_sha256[65];          /* of the last reading */
  int64_t looked_ms;             /* when its files were last looked at, on a real clock; 0: never */
  orr__version *current;         /* NULL: it has never loaded */
  orr__version *old;             /* replaced; freed when their last call has ended */
  orr_error error;               /* why the newest sources are not current */
  orr__secrets secrets;          /* for the rest of its life */
  orr__session_store *sessions;  /* shared logins, or NULL as long as no version was tried */
} orr__provider;

/* A URL that people have configured, taken apart once: asked for with every request. */
typedef struct orr__origin {
  char *text;
  orr__url url;
} orr__origin;
#define ORR_ORIGINS 64

typedef struct orr__queue {
  struct orr__task *head, *tail;
} orr__queue;

struct orr__bindings {
  orr__bindings_config config;   /* dirs is our copy */
  char **dirs;
  orr__provider_ops ops;
  orr__provider *providers;
  orr__map calls;                /* orr__hookcall by call id */
  orr__queue ready, sliced;      /* tasks to go on, in order: what has waited, and what used up a slice */
  size_t queued;                 /* in both */
  orr__timer run_timer, reap_timer;
  bool is_closing, may_jit;
  /* session_close.c */
  bool is_draining;
  orr__timer close_timer;        /* somebody has to look for what is to be closed */
  size_t own_calls;              /* of calls: those that close a session */
  uint64_t last_own_call;
  int64_t close_by_ms;           /* draining: when the last closing is given up; 0: the last hook has not ended */
  uint64_t last_wait_id;
  orr__origin origins[ORR_ORIGINS]; /* needs.c: by hash of the text, the latest of those with the same place */
  orr__wait *lingering;          /* aborted waits whose work has not ended */
  struct orr__mark *marks;       /* questions about the sent mark that the core has not answered */
};

/* The ids of calls that the bindings make for themselves, to close a session: the core knows nothing of them. */
#define ORR_OWN_CALL (UINT64_C(1) << 63)
#define ORR_CLOSE_GRACE_MS 500     /* of ORR_GRACE_MS: to clean up in, as ORR_GRACE_MS is for a hook */
static inline bool orr__call_is_own(const orr__call *call) { return (call->id & ORR_OWN_CALL) != 0; }
/* What a log line tells the core it belongs to: 0, if that is no call of the core's. */
static inline uint64_t orr__call_id_for_core(const orr__call *call) { return call && !orr__call_is_own(call) ? call->id : 0; }

/* needs.c */
/* What a configured URL (https, where it says nothing) leads to: borrowed until the next call. NULL: no URL, or no memory. */
const orr__url *orr__origin_of(orr__bindings *b, const char *text);
void orr__origins_clear(orr__bindings *b);
/* provider_find.c */
/* Looks for a provider's file in the folders. NOT_FOUND names the nearest; INVALID shows two of one name. Owned strings;
 * *ret_folder is NULL for a single file. */
int orr__provider_find(const orr__bindings *b, const char *code, char **ret_path, char **ret_folder, orr_error *reterr);
/* All codes there are in the folders, sorted, each once; owned array of owned strings, ends with NULL. */
int orr__provider_codes(const orr__bindings *b, char ***ret_codes, orr_error *reterr);
void orr__codes_free(char **codes);
/* provider_read.c */
int orr__sources_read(const char *code, const char *path, const char *folder, orr__sources *ret, orr__stamps *ret_stamps, orr_error *reterr);
int orr__sources_from_text(const char *code, const char *text, size_t len, orr__sources *ret, orr_error *reterr);
/* Might the files differ from what the stamps say? */
bool orr__stamps_changed(const orr__stamps *stamps);
bool orr__stamps_racy(const orr__stamps *stamps);
void orr__stamps_clear(orr__stamps *stamps);
/* registry.c */
/* The provider with the newest version that works, loaded or reloaded if its files changed. Borrowed. */
int orr__provider_get(orr__bindings *b, const char *code, orr__provider **ret, orr_error *reterr);
int orr__provider_from_text(orr__bindings *b, const char *code, const char *text, size_t len, orr_error *reterr);
/* The current version of it, afresh if it is tainted. */
int orr__provider_version(orr__provider *provider, orr__version **ret, orr_error *reterr);
orr__provider *orr__provider_known(const orr__bindings *b, const char *code);
int orr__provider_check(orr__bindings *b, const char *path, char **ret_report, orr_error *reterr);
void orr__providers_free(orr__bindings *b);
/* A call of it has ended: an old version without calls goes, in a later turn. */
void orr__version_unpin(orr__version *v);

#endif
