/* One Lua state: a version of a provider, sandboxed, with its memory counted and its entries guarded.
 *
 * An orr__version is the sources of a provider as they were read at one moment, the state they run in, and what the
 * provider declared there. It is never changed once it works; a reload makes another. A state in which a call
 * was abandoned or ran out of memory is tainted: its next call gets a fresh state from the same sources.
 *
 * Invariants: no Lua runs and nothing that may raise is called outside orr__protect or lua_resume, so there is no
 * panic; at most one coroutine of a state runs at a time (`running`); a version is freed only when no call is
 * pinned to it, never while one of its functions is on the C stack. */
#ifndef ORR_BINDINGS_STATE_H
#define ORR_BINDINGS_STATE_H

#include <lua.h>

#include "base/buf.h"
#include "bindings.h"
#include "findings.h"
#include "model/json.h"
#include "port/purse.h"

#define ORR_SLICE_MS 50            /* the longest a coroutine runs before others get their turn */
#define ORR_HEAVY_WORK (256u << 10) /* bytes after which the slice is looked at */
#define ORR_JSON_WORK 8            /* what a byte of JSON costs, in bytes of copying */
#define ORR_LOAD_MS 500            /* the longest the chunk of a provider may run: nobody else has a turn meanwhile */
#define ORR_SOURCE_MAX (1u << 20)  /* bytes of one source file */
#define ORR_SOURCES_MAX 200        /* files of one provider */
#define ORR_SOURCES_BYTES (4u << 20) /* of all of them: nobody else has a turn while they are compiled and looked over */
#define ORR_POOL_MAX 1024            /* finished coroutines kept for the next calls */
#define ORR_MEMORY_DEFAULT (64u << 20)

struct orr__task;
struct orr__provider;

/* One file of a version. module: what `require` calls it, NULL for the main one. */
typedef struct orr__source {
  char *module;
  char *chunk;               /* how messages call it: "restic.lua", "restic/util.lua" */
  char *path;                /* NULL: from memory */
  char *text;
  size_t len;
} orr__source;

typedef struct orr__sources {
  orr__source *items;        /* [0] is the main file */
  size_t count;
  char sha256[65];
} orr__sources;

typedef struct orr__version {
  struct orr__version *next; /* of the provider's old ones */
  orr__bindings *bindings;
  struct orr__provider *provider;
  lua_State *L;
  orr__sources sources;
  orr__declaration declaration;
  orr__json *needs;          /* declaration.needs, parsed */
  char *granted_text;        /* JSON: what it is granted. NULL: what it needs */
  orr__json *granted;        /* that, parsed */
  int hook_refs[ORR_HOOK_COUNT];
  size_t calls;              /* in flight, pinned to it */
  bool is_current, is_tainted, is_loading;
  orr__findings *findings;   /* while it loads: what is wrong with it */

  /* memory */
  size_t used, limit;
  orr__purse *purse;         /* as much again for answers under way */
  unsigned log_lines;        /* written while it loaded */
  bool is_over;              /* the limit was passed since the hook last looked */
  bool may_refuse;           /* the JIT is off: the allocator may say no */

  /* slices */
  struct orr__task *running; /* whose coroutine runs just now, or NULL */
  int64_t slice_start_ns, slice_ns; /* when it began, and how long it may be */
  int64_t tick_ns;           /* when the count hook came last */
  int tick_count;            /* after how many instructions it comes again */
  unsigned slice_ticks;
  lua_State *stopped_at;     /* the coroutine in which it took one off last: the author's innermost */
  int stopped_line;          /* and the line it was at */
  bool is_sliced;            /* the count hook has just taken a coroutine off */
  size_t work;               /* bytes that C functions went over since the count hook came last */
  size_t collected;          /* what was in use after the last collection for heavy work */
  bool is_hurried;           /* that was much: the hook comes at the next instruction */
  bool is_stuck;             /* it raises at every instruction from now on */

  /* coroutines to use again */
  lua_State *pool[ORR_POOL_MAX];
  int pool_refs[ORR_POOL_MAX];
  size_t pool_len;
  int boxes_ref;             /* table of the boxes alive: object pointer -> userdata */
  int box_meta_ref;          /* their metatable */
  int entry_ref, caught_ref; /* functions of orr__protect; LUA_NOREF while the state is being opened */
} orr__version;

/* state.c. A new state with libraries and prelude in it; v->bindings, provider and limit are set. */
int orr__state_open(orr__version *v, orr_error *reterr);
void orr__state_close(orr__version *v);
/* The version a state belongs to, from any of its coroutines. */
orr__version *orr__version_of(lua_State *L);
/* Runs fn(L, arg) on the version's main stack, which is empty before and after. What it raises becomes *reterr. */
int orr__protect(orr__version *v, void (*fn)(lua_State *L, void *arg), void *arg, orr_error *reterr);
/* A raised value as an error: of a string or an error table. Runs no Lua of the author's. Inside orr__protect. */
void orr__error_from_lua(lua_State *L, int index, orr_error *ret_err);

/* sandbox.c: the whitelist of globals, and what the prelude needs of C to make the rest. Inside orr__protect. */
void orr__sandbox_open(lua_State *L);
/* Is it a global of the state? Inside orr__protect. */
bool orr__sandbox_has(lua_State *L, const char *name);

/* slice.c */
void orr__slice_install(orr__version *v);
/* most_ns: how long it may be. deadline_mono_ms: it ends there if that is nearer, and at once if it has passed; 0: there is none. */
void orr__slice_begin(orr__version *v, int64_t most_ns, int64_t deadline_mono_ms);
/* A C function goes over so many bytes within one instruction. Never raises, and may be called by the allocator. */
void orr__slice_work(orr__version *v, size_t bytes);
bool orr__slice_probe(void);       /* does the count hook fire in compiled code here, and may the JIT be on? */
int64_t orr__clock_ns(void);

#endif
