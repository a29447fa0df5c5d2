/* Waits: the life of one piece of work that a coroutine sleeps for (wait.h has the contract, task.h the states).
 *
 *   NEW --start--> MARKING --mark is durable--> STARTED --orr__wait_done--> ENDED --its task goes on--> freed
 *    |      \________ no act, or marked _______/   |
 *    |                                             +-- nobody waits any more --> LINGERING --orr__wait_done--> freed
 *    +-- dropped --> freed                                                           \-- bindings close --> ORPHAN
 *
 * Does not know what any kind of work is. A wait is linked into its call until it lingers (then into the bindings) or
 * is freed. */
#include "wait.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "args.h"
#include "base/str.h"
#include "task.h"
#include "trial.h"

#define FAILURE_MAX 1024

const char orr__wait_marker = 0;

/* The question about the sent mark; it outlives the call and the bindings until the core answers. */
struct orr__mark {
  struct orr__mark *next, **link;
  orr__bindings *bindings;       /* NULL: closed */
  uint64_t call_id;
};

static orr__hookcall *current_hookcall(lua_State *L) {
  orr__task *task = orr__version_of(L)->running;
  return task ? task->hc : NULL;
}

static void link_wait(orr__wait **list, orr__wait *wait) {
  wait->prev = NULL;
  wait->next = *list;
  if (*list) (*list)->prev = wait;
  *list = wait;
}

static void unlink_wait(orr__wait **list, orr__wait *wait) {
  if (wait->prev) wait->prev->next = wait->next;
  else *list = wait->next;
  if (wait->next) wait->next->prev = wait->prev;
  wait->next = wait->prev = NULL;
}

/* Where it is linked: its call's list while it has a call, else the bindings'. */
static orr__wait **list_of(orr__wait *wait) {
  if (wait->state == ORR_WAIT_LINGERING) return &wait->bindings->lingering;
  orr__hookcall *hc = orr__map_get(&wait->bindings->calls, wait->call_id);
  return &hc->waits;
}

void orr__wait_free(orr__wait *wait) {
  if (wait->state != ORR_WAIT_ORPHAN) unlink_wait(list_of(wait), wait);
  if (wait->kind->clear) wait->kind->clear(wait);
  free(wait->act);
  free(wait);
}

void *orr__wait_new(lua_State *L, const orr__wait_kind *kind, size_t size) {
  orr__hookcall *hc = current_hookcall(L);
  if (!hc) orr__raise(L, "%s cannot be used while the provider loads", kind->name);
  orr__wait *wait = calloc(1, size);
  if (!wait) {
    lua_pushliteral(L, "out of memory");
    lua_error(L);
  }
  wait->kind = kind;
  wait->bindings = hc->version->bindings;
  wait->id = ++wait->bindings->last_wait_id;
  wait->call_id = hc->id;
  wait->state = ORR_WAIT_NEW;
  link_wait(&hc->waits, wait);
  return wait;
}

void orr__wait_drop(orr__wait *wait) {
  orr__wait_free(wait);
}

/* ---- the sent mark ----------------------------------------------------------------------------------------- */

/* The task goes on with an error instead of its wait's outcome; the wait is gone. */
static void fail_wait(orr__wait *wait, orr_error *err) {
  orr__task *task = wait->task;
  orr__wait_free(wait);
  task->wait = NULL;
  orr__error_move(&task->failure, err);
  orr__task_ready(task, ORR_GO_FAILURE);
}

/* A mutating act, past the mark. One that does not even begin is none. */
static int start_act(orr__hookcall *hc, orr__wait *wait, orr_error *reterr) {
  wait->state = ORR_WAIT_STARTED;
  wait->is_act = true;
  hc->acts++;
  int code = wait->kind->start(wait, reterr);
  if (code) orr__wait_unsent(wait);
  return code;
}

static void start_marked(orr__hookcall *hc, int code, const orr_error *err) {
  for (orr__wait *wait = hc->waits, *next; wait; wait = next) {
    next = wait->next;
    if (wait->state != ORR_WAIT_MARKING) continue;
    orr_error failure = ORR_ERROR_INIT;
    if (code) {
      if (err) orr__error_copy(&failure, err);
      else orr__error_set(&failure, code, "%s: not sent", wait->kind->name);
    } else {
      if (start_act(hc, wait, &failure) == 0) continue;
    }
    fail_wait(wait, &failure);
  }
}

static void mark_ready(void *arg, int code, const orr_error *err) {
  struct orr__mark *mark = arg;
  orr__bindings *b = mark->bindings;
  if (b) {
    *mark->link = mark->next;
    if (mark->next) mark->next->link = mark->link;
    orr__hookcall *hc = orr__map_get(&b->calls, mark->call_id);
    if (hc) {
      hc->is_marking = false;
      if (!code) hc->call->is_marked_sent = true;
      /* Its waits are gone if the deadline passed meanwhile: a stop takes them away. */
      start_marked(hc, code, err);
    }
  }
  free(mark);
}

static int ask_for_mark(orr__hookcall *hc, const char *act, orr_error *reterr) {
  if (hc->is_marking) return 0;
  orr__bindings *b = hc->version->bindings;
  struct orr__mark *mark = calloc(1, sizeof *mark);
  if (!mark) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  mark->bindings = b;
  mark->call_id = hc->id;
  mark->next = b->marks;
  if (b->marks) b->marks->link = &mark->next;
  mark->link = &b->marks;
  b->marks = mark;
  hc->is_marking = true;
  b->config.host.mark_sent(b->config.host.core, hc->id, act, mark_ready, mark);
  return 0;
}

void orr__wait_unsent(orr__wait *wait) {
  orr__hookcall *hc = wait->is_act ? orr__map_get(&wait->bindings->calls, wait->call_id) : NULL;
  if (!hc) return;
  wait->is_act = false;
  hc->acts_unsent++;
}

/* ---- starting and ending ----------------------------------------------------------------------------------- */

static void push_failure_table(lua_State *L, int code, const char *message, bool retryable) {
  lua_pushboolean(L, 0);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, orr__code_word(code));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, message);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, retryable);
  lua_setfield(L, -2, "retryable");
}

/* A wait that never began: the coroutine goes straight on with the failure. */
static int push_not_started(lua_State *L, orr__wait *wait, orr_error *err) {
  orr__wait_drop(wait);
  int code = err->code;
  bool retryable = err->retryable;
  char message[FAILURE_MAX];
  snprintf(message, sizeof message, "%s", orr__error_message(err));
  orr__error_clear(err);
  /* Nothing of C's is held any more: what follows may raise for memory. */
  lua_settop(L, 0);
  push_failure_table(L, code, message, retryable);
  return 2;
}

static int begin(orr__hookcall *hc, orr__wait *wait, const char *act, orr_error *reterr) {
  if (act && !hc->call->is_marked_sent) {
    wait->act = orr__strdup(act);
    if (!wait->act) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    wait->state = ORR_WAIT_MARKING;
    return ask_for_mark(hc, wait->act, reterr);
  }
  if (act) return start_act(hc, wait, reterr);
  wait->state = ORR_WAIT_STARTED;
  return wait->kind->start(wait, reterr);
}

int orr__wait_start(lua_State *L, orr__wait *wait, const char *act) {
  orr__task *task = orr__version_of(L)->running;
  orr__hookcall *hc = task->hc;
  orr_error err = ORR_ERROR_INIT;
  if (act) orr__trial_untold(L, act);
  int stop = orr__task_stop_code(task);
  if (stop) {
    hc->is_stop_seen = true;
    orr__error_set(&err, stop, "%s: %s", wait->kind->name, orr__task_stop_why(task));
    return push_not_started(L, wait, &err);
  }
  if (!lua_isyieldable(L)) {
    orr__wait_drop(wait);
    orr__raise(L, "a hook cannot wait here: inside a function that was called back from C");
  }
  /* The task must be known before start: a completion looks for it. */
  wait->task = task;
  task->wait = wait;
  task->state = ORR_TASK_WAITING;
  if (begin(hc, wait, act, &err) != 0) {
    task->wait = NULL;
    task->state = ORR_TASK_READY;
    return push_not_started(L, wait, &err);
  }
  lua_settop(L, 0);
  lua_pushlightuserdata(L, (void *)&orr__wait_marker);
  return lua_yield(L, 1);
}

void orr__wait_done(orr__wait *wait) {
  switch (wait->state) {
  case ORR_WAIT_LINGERING:
  case ORR_WAIT_ORPHAN:
    orr__wait_free(wait);
    break;
  case ORR_WAIT_STARTED:
    wait->state = ORR_WAIT_ENDED;
    orr__task_ready(wait->task, ORR_GO_WAIT);
    break;
  default:
    break;
  }
}

static void tell_lost(orr__wait *wait) {
  int stop = wait->task ? orr__task_stop_code(wait->task) : 0;
  const char *why = stop ? orr__task_stop_why(wait->task) : "the hook ended meanwhile";
  if (wait->kind->lost && wait->task && (wait->state == ORR_WAIT_STARTED || wait->state == ORR_WAIT_ENDED))
    wait->kind->lost(wait, stop ? stop : ORR_E_CANCELLED, why);
}

void orr__wait_detach(orr__wait *wait) {
  tell_lost(wait);
  wait->task = NULL;
  /* A parallel's work are tasks of the same call, which end with it. */
  if (wait->state != ORR_WAIT_STARTED || wait->kind == &orr__parallel_kind) {
    orr__wait_free(wait);
    return;
  }
  unlink_wait(list_of(wait), wait);
  wait->state = ORR_WAIT_LINGERING;
  link_wait(&wait->bindings->lingering, wait);
  if (wait->kind->abort) wait->kind->abort(wait);
}

void orr__waits_orphan(orr__bindings *b) {
  while (b->lingering) {
    orr__wait *wait = b->lingering;
    unlink_wait(&b->lingering, wait);
    wait->state = ORR_WAIT_ORPHAN;
    wait->is_act = false;
    wait->bindings = NULL;
  }
  while (b->marks) {
    struct orr__mark *mark = b->marks;
    b->marks = mark->next;
    mark->bindings = NULL;
    mark->next = NULL;
    mark->link = NULL;
  }
}

/* ---- what libraries ask ------------------------------------------------------------------------------------ */

int orr__push_failure(lua_State *L, int code, const char *message) {
  push_failure_table(L, code, message, orr__code_retryable(code));
  return 2;
}

int orr__push_error(lua_State *L, const orr_error *err) {
  push_failure_table(L, err->code, orr__error_message(err), err->retryable);
  if (err->field_count == 0) return 2;
  lua_createtable(L, 0, (int)err->field_count);
  for (size_t i = 0; i < err->field_count; i++) {
    lua_pushstring(L, err->fields[i].message);
    lua_setfield(L, -2, err->fields[i].field);
  }
  lua_setfield(L, -2, "errors");
  return 2;
}

const orr__call *orr__current_call(lua_State *L) {
  orr__hookcall *hc = current_hookcall(L);
  return hc ? hc->call : NULL;
}

const orr__bindings_config *orr__current_config(lua_State *L) {
  return &orr__version_of(L)->bindings->config;
}

void orr__secret_add(lua_State *L, const char *text, size_t len) {
  orr__secrets_add(&orr__version_of(L)->provider->secrets, text, len);
}

char *orr__redact(lua_State *L, const char *text, size_t len, size_t most) {
  return orr__secrets_redact(&orr__version_of(L)->provider->secrets, text, len, most);
}

int64_t orr__remaining_ms(lua_State *L) {
  orr__hookcall *hc = current_hookcall(L);
  if (!hc) return 1;
  int64_t left = hc->call->deadline_mono_ms - orr__loop_mono_ms(hc->version->bindings->config.loop);
  return left > 1 ? left : 1;
}
