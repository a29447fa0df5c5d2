/* The providers there are, by code, and everything the files of the bindings share about one runtime. */
#ifndef ORR_BINDINGS_REGISTRY_H
#define ORR_BINDINGS_REGISTRY_H

#include <sys/types.h>

#include "base/map.h"
#include "port/folder.h"
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
  char *path;                    /* main file; NULL: from memory, or there was none yet */
  bool is_text;                  /* from memory: it has no files */
  char *folder;                  /* of its modules, or NULL */
  orr__version *current;         /* NULL: it has never loaded */
  orr__version *old;             /* replaced; freed when their last call has ended */
  orr__version *typed;           /* trial_eval.c: the state of typed lines, or NULL */
  orr_error error;               /* why the newest sources are not current */
  orr__secrets secrets;          /* for the rest of its life */
  orr__session_store *sessions;  /* shared logins, or NULL as long as no version was tried */
  /* live.c */
  enum orr__reload last;         /* what became of the files as they were read last */
  char *granted;                 /* to what is live, or was when the runtime ended: JSON text. NULL: nothing was */
  int reads[ORR_READS_MAX];      /* stateVersions that it can read: nothing else is stored */
  size_t reads_count;            /* 0: nothing is */
  char *kept_sources;            /* of what was live when the runtime ended, until something is */
  char kept_sha256[65];          /* what the core keeps as live; "": nothing */
  char held_sha256[65];          /* rolled back: what the files were then ("-": there were none); "": not */
  bool is_kept;                  /* current is what was kept */
  bool is_tried;                 /* its files were read, or could not be */
  orr__sources waiting;          /* of files that need more than is granted; count 0: none */
  char *waiting_needs;           /* what more, for people */
  orr__version *candidate;       /* the core is asked whether it can read what is stored */
  uint64_t question;             /* the id of that; 0: none */
  uint64_t calls, errors;        /* of current, over all its states */
  char *last_error;
  int64_t last_error_ms;
  /* reload.c */
  orr__stamps stamps;            /* of the last reading, whether that worked or not */
  char seen_sha256[65];          /* of the last reading */
  bool is_error_told;            /* somebody was told of `error` */
  int64_t looked_ms;             /* when its files were last looked at, on a real clock; 0: never */
  orr__timer settle_timer;       /* its files have changed, and are read when they are left alone */
  uint64_t print;                /* of them, since it was started */
  int64_t unrest_ms;             /* since when they settle, on a real clock; 0: they are at rest */
  bool is_restless;              /* for too long: what is in them is looked at */
  bool is_unrest_told;
  char rest_sha256[65];          /* what was in them at the last look; "": they could not be read */
  uint64_t read_print;           /* right before they were read */
  /* reload_watch.c */
  orr__folder **folders;         /* watched for it alone: of its modules, and where its links lead */
  size_t folder_count;
  bool is_watched;               /* every change of its files is told */
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
  orr__folders *folders;         /* NULL: files are looked at whenever somebody asks (virtual clocks) */
  orr__folder **dir_folders;     /* of dirs, in their order */
  char *trusted_dir;
  struct orr__question *questions; /* live.c: asked, and not answered */
  uint64_t last_question;
  orr__map calls;                /* orr__hookcall by call id */
  orr__queue ready, sliced;      /* tasks to go on, in order: what has waited, and what used up a slice */
  size_t queued;                 /* in both */
  const struct orr__provider *last_sliced; /* whose task went on last of those; to compare with, it may be gone */
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
bool orr__is_spec(const char *name, size_t len); /* is a file of that name a provider's spec: NAME_spec.lua? */
/* Looks for a provider's file in the folders. NOT_FOUND names the nearest; INVALID shows two of one name; IO: nobody may
 * look where it would be. Owned strings; *ret_folder is NULL for a single file. */
int orr__provider_find(const orr__bindings *b, const char *code, char **ret_path, char **ret_folder, orr_error *reterr);
/* All codes there are in the folders, sorted, each once; owned array of owned strings, ends with NULL. */
int orr__provider_codes(const orr__bindings *b, char ***ret_codes, orr_error *reterr);
void orr__codes_free(char **codes);
/* provider_read.c */
int orr__sources_read(const char *code, const char *path, const char *folder, orr__sources *ret, orr__stamps *ret_stamps, orr_error *reterr);
int orr__sources_hash(orr__sources *sources, orr_error *reterr); /* fills sha256 in */
int orr__sources_from_text(const char *code, const char *text, size_t len, orr__sources *ret, orr_error *reterr);
/* Might the files differ from what the stamps say? */
bool orr__stamps_changed(const orr__stamps *stamps);
bool orr__stamps_racy(const orr__stamps *stamps);
bool orr__stamps_young(const orr__stamps *stamps, int64_t ms); /* was a file changed so lately, by the system's clock? */
void orr__stamps_clear(orr__stamps *stamps);
/* What can be seen of the files without reading them, as a number; of the main file's path too. */
uint64_t orr__sources_print(const char *path, const char *folder);
/* provider_check.c */
int orr__provider_check(orr__bindings *b, const char *path, char **ret_findings, orr_error *reterr);
/* registry.c */
/* The provider with the newest version that works, loaded if it was not. Where its files are not watched they are looked at.
 * Borrowed. */
int orr__provider_get(orr__bindings *b, const char *code, orr__provider **ret, orr_error *reterr);
int orr__provider_from_text(orr__bindings *b, const char *code, const char *text, size_t len, orr_error *reterr);
/* The current version of it, afresh if it is tainted. */
int orr__provider_version(orr__provider *provider, orr__version **ret, orr_error *reterr);
/* The same in a state that only typed lines run in: what they do to it, no hook meets. */
int orr__provider_typed(orr__provider *provider, orr__version **ret, orr_error *reterr);
orr__provider *orr__provider_known(const orr__bindings *b, const char *code);
orr__provider *orr__provider_make(orr__bindings *b, const char *code); /* not known yet; NULL: no memory */
void orr__provider_free(orr__provider *p);
void orr__provider_forget(orr__provider *p); /* a known one without calls: frees it */
void orr__provider_put(orr__provider *p);    /* it is known from now on */
void orr__providers_free(orr__bindings *b);
/* A call of it has ended: an old version without calls goes, in a later turn. */
void orr__version_unpin(orr__version *v);
void orr__version_swap_in(orr__provider *p, orr__version *v);
/* live.c */
/* A version of the sources (taken) that has passed every check, or NULL. It is granted what it declares until orr__version_grant. */
orr__version *orr__provider_load(orr__provider *p, orr__sources *sources, orr_error *reterr);
/* It is granted what it declares, and of paths only what `granted` covers (orr__needs_grant). NULL: all that it declares. 0 or NOMEM. */
int orr__version_grant(orr__version *v, const char *granted, orr_error *reterr);
void orr__provider_advise(const orr__version *v); /* what its check found, though it works, is logged: once, where it is new */
/* What was read (taken) becomes live, or p->last says what else. *ret_is_news: somebody is to be told. 0, or why it is not live. */
int orr__provider_judge(orr__provider *p, orr__sources *sources, bool *ret_is_news, orr_error *reterr);
/* Nothing is live: what was kept is used, where it loads. */
void orr__provider_use_kept(orr__provider *p);
/* sha256 is the beginning of the hash of the files that are meant. REFUSED: others wait, or none. */
int orr__provider_trust(orr__provider *p, const char *sha256, orr_error *reterr);
int orr__provider_roll_back(orr__provider *p, const orr__kept *to, orr_error *reterr);
void orr__provider_drop_pending(orr__provider *p); /* what waits or is asked about is not wanted any more */
void orr__provider_count(const orr__version *v, const orr__answer *answer); /* a call of it has ended */
void orr__questions_orphan(orr__bindings *b);      /* the bindings close */
/* kept.c */
void orr__provider_remember(orr__bindings *b, const orr__kept *kept);
char *orr__sources_pack(const orr__sources *sources); /* owned; NULL: no memory */
/* CORRUPT: they are not what the hash says. */
int orr__sources_unpack(const char *code, const char *text, const char *sha256, orr__sources *ret, orr_error *reterr);
/* needs_widen.c */
/* Does `wanted` reach further than `granted`? Then *ret_more says by what, a need each: "http https://a.example.com, exec tar". JSON
 * texts of needs; NOMEM counts as further. */
bool orr__needs_widen(const char *granted, const char *wanted, orr__buf *ret_more);
/* What a version that declares `wanted` is granted, where `granted` (NULL: nothing) was before and what is more has been allowed: what it
 * declares, but of a path below granted ones those. Owned JSON text; NULL: no memory. */
char *orr__needs_grant(const char *granted, const char *wanted);
/* reload.c */
/* Tells the core of a new version, or (err) why there is none, and remembers that. */
void orr__provider_announce(orr__provider *p, const orr_error *err);
/* Somebody asks for it: looks at its files where nobody tells of them, and on a virtual clock has them read. */
void orr__provider_look(orr__provider *p);
/* Its files may have changed: they are read once they have been left alone for a while. */
void orr__provider_touch(orr__provider *p);
/* Finds and reads its files now, and makes them current if they are new and good. 0: it has a version that works. */
int orr__provider_refresh(orr__provider *p, orr_error *reterr);
/* reload_watch.c */
int orr__reload_open(orr__bindings *b, orr_error *reterr);
void orr__reload_close(orr__bindings *b);            /* nothing is told any more */
void orr__reload_watch(orr__provider *p);            /* the folders that its files lie in now, by its stamps */
void orr__reload_unwatch(orr__provider *p);

#endif
