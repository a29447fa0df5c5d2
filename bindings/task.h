/* Hook calls, their coroutines and what those wait for.
 *
 *             orr__call_start           lua_resume                 lua_yield of a wait
 *   (core) ------------------> READY ---------------> (running) ----------------------> WAITING
 *                                ^  ^                   |    |                            |
 *                                |  +-- slice is over --+    | returned, raised          | orr__wait_done, or stopped
 *                                |                           v                            |
 *                                |                         ENDED                          |
 *                                +--------------------------------------------------------+
 *
 *   READY    in the bindings' queue; `outcome` says what its coroutine gets when it goes on
 *   WAITING  `wait` is set and started, or is held until the sent mark is durable
 *   ENDED    what it returned or raised lies on its stack
 *
 * A call has one main task and those that parallel made. A stop (deadline, interrupt) is sticky: it ends every
 * wait of the call, and every further one at once. When ORR_GRACE_MS later the main task has not ended, the call
 * is answered and its coroutines are dropped: to kill is never to resume again. What computes at its deadline, or for a slice
 * after it, is dropped at once, for there is nothing that it waits for and would hear of.
 *
 * Invariants: a call is answered exactly once, after which its objects are the core's and its boxes are dead; a wait
 * whose work still runs outlives its task in bindings->lingering. */
#ifndef ORR_BINDINGS_TASK_H
#define ORR_BINDINGS_TASK_H

#include "object.h"
#include "registry.h"

enum orr__task_state { ORR_TASK_READY, ORR_TASK_WAITING, ORR_TASK_ENDED };
enum orr__task_outcome { ORR_GO_START, ORR_GO_SLICE, ORR_GO_WAIT, ORR_GO_FAILURE };
enum orr__wait_state { ORR_WAIT_NEW, ORR_WAIT_MARKING, ORR_WAIT_STARTED, ORR_WAIT_ENDED, ORR_WAIT_LINGERING, ORR_WAIT_ORPHAN };

typedef struct orr__parallel orr__parallel;

typedef struct orr__task {
  struct orr__task *prev, *next; /* of the call */
  struct orr__task *queue_prev, *queue_next;
  struct orr__hookcall *hc;
  lua_State *co;
  int co_ref;
  enum orr__task_state state;
  enum orr__task_outcome outcome;
  bool is_queued;
  orr__timer slice_timer;        /* virtual loops: a slice costs its length */
  orr__wait *wait;               /* what it waits for, or has waited for and will be told of */
  orr_error failure;             /* of ORR_GO_FAILURE */
  bool is_safe;                  /* a branch of a parallel that opens a session: its acts are safe, like the opener's */
  int stop;                      /* 0, or CANCELLED: its siblings failed */
  int lua_status;                /* of lua_resume, once ENDED */
  lua_State *taken_off;          /* READY after a slice: the coroutine that was taken off, its own or one of the author's inside it */
  int taken_line;                /* and the line of that */
  orr__parallel *parent;         /* who joins it, or NULL: the main task */
  unsigned depth;                /* of parallels around it */
} orr__task;

typedef struct orr__hookcall {
  orr__call *call;
  orr__version *version;
  uint64_t id;
  orr__timer timer;              /* the deadline, then the end of grace */
  int stop;                      /* 0, DEADLINE or CANCELLED */
  char *stop_why;
  bool is_stop_seen;             /* Lua was told of it */
  bool is_marking;               /* the core was asked for the sent mark */
  unsigned acts, acts_unsent;    /* mutating acts begun, and those known never to have left or to have been turned away */
  bool is_out_of_memory;
  unsigned log_lines;            /* it has written */
  orr__json *noted;              /* trial.c: what it did outside, or NULL */
  orr__json *recorded;           /* recording.c: what it said over HTTP, or NULL */
  bool is_dry_end;               /* and a mutating act ended it */
  orr__task *main, *tasks;
  size_t task_count;
  orr__wait *waits;              /* not lingering */
  orr__box *boxes;
  orr__owned *owned;             /* objects made for the hook alone */
  int opts_ref;                  /* its opts table, for what it writes there; 0: none */
  orr__buf warnings;
} orr__hookcall;

struct orr__parallel {
  orr__wait wait;
  orr__task **children;
  size_t count, running;
  bool is_failed;
  size_t failed;                 /* which one failed first */
};

/* dispatch.c */
int orr__call_start(orr__bindings *b, orr__call *call, orr_error *reterr);
/* Answers the call and lets go of everything; answer is taken. */
void orr__call_end(orr__hookcall *hc, orr__answer *answer);
void orr__call_interrupt(orr__hookcall *hc, const char *why);
/* A sticky stop, once: every wait of the call ends with that code, now and from now on, and so does the call after a grace. */
void orr__call_stop(orr__hookcall *hc, int code, const char *why);
/* Ends a call whose coroutines are never resumed again: with an error that says where it was. */
void orr__call_abandon(orr__hookcall *hc, enum orr__outcome outcome, int code, const char *message);
/* A task of it has used up a slice: past its deadline it is computing instead of cleaning up, and is abandoned. True if it was. */
bool orr__call_overran(orr__hookcall *hc);
/* For a task that would go on after a slice, not yet taken from READY: its deadline has passed while it stood in the queue, and it does
 * not go on. True if so: the call is gone. */
bool orr__call_is_late(orr__hookcall *hc);
/* Begins a call with that version, in the next turn: the core's or an own one. Takes the call if it returns 0. */
int orr__call_begin(orr__version *v, orr__call *call, orr_error *reterr);
/* How messages call what runs: the hook's name, or "session" for a call of our own that closes one. */
const char *orr__call_what(const orr__call *call);
/* Pushes what the main task runs and then its arguments; returns how many of these. Inside orr__protect. */
int orr__call_push_start(lua_State *L, orr__hookcall *hc);
void orr__call_warn(orr__hookcall *hc, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* call_secrets.c: what the call was given is known for redaction from here on. 0 or NOMEM. */
int orr__call_secrets(orr__hookcall *hc);
/* Takes secrets out of what the provider wrote for people (ORR_FIELD_PROSE): of one object, of all that the call gives back. */
void orr__object_redact(const orr__hookcall *hc, orr__object *object);
void orr__call_redact(const orr__hookcall *hc);

/* answer.c: what the main task, ENDED, has returned or raised. */
void orr__answer_read(orr__hookcall *hc, orr__answer *answer);

/* task.c */
orr__task *orr__task_new(lua_State *L, orr__hookcall *hc); /* may raise for memory; joins hc->tasks */
/* The same with a coroutine of the pool, and never raising; NULL: none is there, or no memory. */
orr__task *orr__task_pooled(orr__hookcall *hc);
void orr__task_free(orr__task *task);
void orr__task_ready(orr__task *task, enum orr__task_outcome outcome);
int orr__task_stop_code(const orr__task *task);
const char *orr__task_stop_why(const orr__task *task); /* where there is a code */
/* Its wait is aborted and it goes on with the sticky error; a parallel's children first. */
void orr__task_stop(orr__task *task);
void orr__tasks_stop(orr__hookcall *hc);

/* wait.c */
void orr__wait_detach(orr__wait *wait);         /* nobody waits any more: it lingers until its work has ended, or goes */
void orr__wait_free(orr__wait *wait);
void orr__waits_orphan(orr__bindings *b);       /* the bindings close */
extern const char orr__wait_marker;             /* its address is the first value a waiting coroutine yields */

/* parallel.c */
extern const orr__wait_kind orr__parallel_kind;
int orr__parallel_raw(lua_State *L);            /* parallel(functions) */
void orr__parallel_child_ended(orr__parallel *parallel, orr__task *child);
void orr__parallel_drop_children(orr__parallel *parallel);

#endif
