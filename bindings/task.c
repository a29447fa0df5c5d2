/* Tasks and their queue: coroutines go on in the order in which they became ready, one slice at a time.
 *
 * There are two queues: what has waited for something goes before what used up a slice, of which a turn of the loop runs one. All of them
 * share one slice's time in a turn, and providers take turns. So a loop without end costs others one slice's delay, however often they wait, and I/O and timers are
 * hardly further away than that. On a virtual loop Lua takes no time, except that a slice that was
 * ended by the count hook costs its length: a loop without end then meets its deadline there too.
 *
 * Does not know what tasks wait for, nor what an answer is. */
#include "task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define SLICE_NS (ORR_SLICE_MS * INT64_C(1000000))
#define LEAST_NS (SLICE_NS / 5)

static void run_queue(void *arg);

static void kick(orr__bindings *b) {
  if (b->is_closing || orr__timer_is_started(&b->run_timer)) return;
  /* Without memory for a timer the next task that becomes ready tries again. */
  orr__timer_start(b->config.loop, &b->run_timer, orr__loop_mono_ms(b->config.loop), run_queue, b);
}

static orr__queue *queue_of(const orr__task *task) {
  orr__bindings *b = task->hc->version->bindings;
  return task->outcome == ORR_GO_SLICE ? &b->sliced : &b->ready;
}

static void enqueue(orr__task *task) {
  orr__queue *queue = queue_of(task);
  if (task->is_queued) return;
  task->is_queued = true;
  task->queue_next = NULL;
  task->queue_prev = queue->tail;
  if (queue->tail) queue->tail->queue_next = task;
  else queue->head = task;
  queue->tail = task;
  task->hc->version->bindings->queued++;
  kick(task->hc->version->bindings);
}

static void dequeue(orr__task *task) {
  orr__queue *queue = queue_of(task);
  if (!task->is_queued) return;
  if (task->queue_prev) task->queue_prev->queue_next = task->queue_next;
  else queue->head = task->queue_next;
  if (task->queue_next) task->queue_next->queue_prev = task->queue_prev;
  else queue->tail = task->queue_prev;
  task->is_queued = false;
  task->hc->version->bindings->queued--;
}

static orr__task *join(orr__hookcall *hc, orr__task *task, lua_State *co, int ref) {
  task->hc = hc;
  task->co = co;
  task->co_ref = ref;
  task->next = hc->tasks;
  if (hc->tasks) hc->tasks->prev = task;
  hc->tasks = task;
  hc->task_count++;
  return task;
}

orr__task *orr__task_pooled(orr__hookcall *hc) {
  orr__version *v = hc->version;
  orr__task *task = v->pool_len > 0 ? calloc(1, sizeof *task) : NULL;
  if (!task) return NULL;
  v->pool_len--;
  return join(hc, task, v->pool[v->pool_len], v->pool_refs[v->pool_len]);
}

orr__task *orr__task_new(lua_State *L, orr__hookcall *hc) {
  orr__task *task = orr__task_pooled(hc);
  if (task) return task;
  lua_State *co = lua_newthread(L);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  task = calloc(1, sizeof *task);
  if (!task) {
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    lua_pushliteral(L, "out of memory");
    lua_error(L);
  }
  return join(hc, task, co, ref);
}

void orr__task_free(orr__task *task) {
  orr__hookcall *hc = task->hc;
  orr__version *v = hc->version;
  dequeue(task);
  orr__timer_stop(v->bindings->config.loop, &task->slice_timer);
  if (task->wait) orr__wait_detach(task->wait);
  if (task->prev) task->prev->next = task->next;
  else hc->tasks = task->next;
  if (task->next) task->next->prev = task->prev;
  hc->task_count--;
  bool is_sound = task->state == ORR_TASK_ENDED && task->lua_status == 0 && lua_status(task->co) == 0;
  if (is_sound && v->pool_len < ORR_POOL_MAX) {
    lua_settop(task->co, 0);
    v->pool[v->pool_len] = task->co;
    v->pool_refs[v->pool_len++] = task->co_ref;
  } else {
    /* Does not allocate (orr__state_open has given back a reference before), so it does not raise. */
    luaL_unref(v->L, LUA_REGISTRYINDEX, task->co_ref);
  }
  orr__error_clear(&task->failure);
  free(task);
}

void orr__task_ready(orr__task *task, enum orr__task_outcome outcome) {
  task->state = ORR_TASK_READY;
  task->outcome = outcome;
  enqueue(task);
}

int orr__task_stop_code(const orr__task *task) {
  return task->hc->stop ? task->hc->stop : task->stop;
}

const char *orr__task_stop_why(const orr__task *task) {
  if (task->hc->stop) return task->hc->stop_why ? task->hc->stop_why : "stopped";
  return "another branch of parallel failed";
}

/* ---- stopping ---------------------------------------------------------------------------------------------- */

void orr__task_stop(orr__task *task) {
  if (task->state != ORR_TASK_WAITING) return;
  orr__wait *wait = task->wait;
  if (wait->kind == &orr__parallel_kind) {
    /* It joins its children, always; their ends wake it. */
    orr__parallel *parallel = (orr__parallel *)wait;
    for (size_t i = 0; i < parallel->count; i++) {
      orr__task *child = parallel->children[i];
      if (!child->stop) child->stop = orr__task_stop_code(task);
      orr__task_stop(child);
    }
    return;
  }
  orr__error_set(&task->failure, orr__task_stop_code(task), "%s: %s", wait->kind->name, orr__task_stop_why(task));
  task->wait = NULL;
  orr__wait_detach(wait);
  task->hc->is_stop_seen = true;
  orr__task_ready(task, ORR_GO_FAILURE);
}

void orr__tasks_stop(orr__hookcall *hc) {
  for (orr__task *task = hc->tasks; task; task = task->next) orr__task_stop(task);
}

/* ---- going on ---------------------------------------------------------------------------------------------- */

struct go {
  orr__task *task;
  int count;                 /* values put on the coroutine's stack */
};

static void push_outcome(lua_State *L, void *arg) {
  struct go *go = arg;
  orr__task *task = go->task;
  go->count = 0;
  switch (task->outcome) {
  case ORR_GO_START:
    /* A child of parallel has its function already. */
    if (task->parent) return;
    go->count = orr__call_push_start(L, task->hc);
    lua_checkstack(task->co, go->count + LUA_MINSTACK);
    lua_xmove(L, task->co, go->count + 1);
    return;
  case ORR_GO_SLICE:
    return;
  case ORR_GO_WAIT:
    go->count = task->wait->kind->push(task->wait, L);
    break;
  case ORR_GO_FAILURE:
    go->count = orr__push_error(L, &task->failure);
    break;
  }
  lua_checkstack(task->co, go->count + LUA_MINSTACK);
  lua_xmove(L, task->co, go->count);
}

/* What the coroutine is told could not be built: it is told that instead. */
static void push_trouble(lua_State *L, void *arg) {
  struct go *go = arg;
  orr_error *failure = &go->task->failure;
  go->count = orr__push_error(L, failure);
  lua_xmove(L, go->task->co, go->count);
}

/* The values the coroutine is resumed with. Negative: not even that can be said, or it cannot start. */
static int prepare(orr__task *task) {
  struct go go = { task, 0 };
  orr__version *v = task->hc->version;
  orr_error err = ORR_ERROR_INIT;
  enum orr__task_outcome outcome = task->outcome;
  int rc = orr__protect(v, push_outcome, &go, &err);
  if (task->wait && outcome == ORR_GO_WAIT) {
    orr__wait_free(task->wait);
    task->wait = NULL;
  }
  if (rc) {
    orr__error_move(&task->failure, &err);
    if (outcome == ORR_GO_START || orr__protect(v, push_trouble, &go, NULL) != 0) return -1;
  }
  if (outcome != ORR_GO_START) orr__error_clear(&task->failure);
  return go.count;
}

static void slice_paid(void *arg) {
  enqueue(arg);
}

static void slice_over(orr__task *task) {
  orr__bindings *b = task->hc->version->bindings;
  task->state = ORR_TASK_READY;
  task->outcome = ORR_GO_SLICE;
  if (orr__call_overran(task->hc)) return;
  int64_t due = orr__loop_mono_ms(b->config.loop) + ORR_SLICE_MS;
  if (orr__loop_is_virtual(b->config.loop) &&
      orr__timer_start(b->config.loop, &task->slice_timer, due, slice_paid, task) == 0)
    return;
  /* So that timers which came due during the slice fire before our next turn, not after it. */
  orr__loop_update(b->config.loop);
  enqueue(task);
}

static void ended(orr__task *task, int status) {
  orr__hookcall *hc = task->hc;
  task->state = ORR_TASK_ENDED;
  task->lua_status = status;
  if (task->parent) {
    orr__parallel_child_ended(task->parent, task);
    return;
  }
  orr__answer answer = { .retry_after = -1 };
  orr__answer_read(hc, &answer);
  orr__call_end(hc, &answer);
}

static void out_of_memory(orr__hookcall *hc) {
  char text[128];
  snprintf(text, sizeof text, "the memory limit of the provider, %zu MiB, was reached", hc->version->limit >> 20);
  orr__call_abandon(hc, ORR_OUTCOME_ERROR, ORR_E_LIMIT, text);
}

/* most_ns: the longest that it may go on. */
static void resume(orr__task *task, int64_t most_ns) {
  orr__hookcall *hc = task->hc;
  orr__version *v = hc->version;
  if (task->outcome == ORR_GO_SLICE && orr__call_is_late(hc)) return;
  int count = prepare(task);
  if (count < 0) {
    orr_error err = ORR_ERROR_INIT;
    orr__error_move(&err, &task->failure);
    orr__call_abandon(hc, ORR_OUTCOME_ERROR, err.code, orr__error_message(&err));
    orr__error_clear(&err);
    return;
  }
  v->running = task;
  orr__slice_begin(v, most_ns, hc->stop ? 0 : hc->call->deadline_mono_ms);
  int status = lua_resume(task->co, count);
  v->running = NULL;
  /* One that yields for no reason of its own has come to the end of its way out: what is inside it has not moved. */
  if (v->stopped_at || status != LUA_YIELD || task->wait) {
    task->taken_off = v->stopped_at;
    task->taken_line = v->stopped_line;
  }
  if (hc->is_out_of_memory) {
    out_of_memory(hc);
    return;
  }
  if (status != LUA_YIELD) {
    ended(task, status);
    return;
  }
  /* What it yields is the marker of a wait, or nothing where the count hook took it off. */
  lua_settop(task->co, 0);
  v->is_sliced = false;
  if (!task->wait && !task->is_queued) slice_over(task);
}

/* What is left of a turn, and enough in any case to get on. */
static int64_t rest_of(int64_t end_ns) {
  int64_t left = end_ns - orr__clock_ns();
  return left > LEAST_NS ? left : LEAST_NS;
}

/* The first of another provider than the last time: one with a hundred branches that compute has no more turns than one with one. */
static orr__task *next_sliced(orr__bindings *b) {
  orr__task *task = b->sliced.head;
  while (task && task->hc->version->provider == b->last_sliced) task = task->queue_next;
  if (!task) task = b->sliced.head;
  if (task) b->last_sliced = task->hc->version->provider;
  return task;
}

static void run_queue(void *arg) {
  orr__bindings *b = arg;
  orr__task *last = b->ready.tail;
  int64_t end_ns = orr__clock_ns() + SLICE_NS;
  for (bool is_last = false; b->ready.head && !is_last && orr__clock_ns() < end_ns;) {
    orr__task *task = b->ready.head;
    is_last = task == last;
    dequeue(task);
    resume(task, rest_of(end_ns));
  }
  orr__task *sliced = next_sliced(b);
  if (sliced) {
    dequeue(sliced);
    resume(sliced, rest_of(end_ns));
  }
  if (b->ready.head || b->sliced.head) kick(b);
}
