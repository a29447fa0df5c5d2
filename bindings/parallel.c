/* parallel{ f, g, ... }: runs functions as coroutines of the same call and joins them all before it goes on.
 *
 * It answers with the first value of each, in order. When one raises, its siblings are stopped (their waits end with
 * `cancelled`), waited for all the same, and the first error is raised on. */
#include <lauxlib.h>
#include <stdlib.h>

#include "args.h"
#include "lib_session.h"
#include "task.h"

enum {
  CHILDREN_MAX = 100,
  TASKS_MAX = 10000,  /* of one call at a time: each waits for one thing at most */
  DEPTH_MAX = 50,     /* of parallels in parallels: they are let go of one inside the other */
};

static int start(orr__wait *wait, orr_error *reterr) {
  (void)reterr;
  orr__parallel *parallel = (orr__parallel *)wait;
  for (size_t i = 0; i < parallel->count; i++) {
    parallel->children[i]->stop = wait->task->stop;
    orr__task_ready(parallel->children[i], ORR_GO_START);
  }
  return 0;
}

static int push(orr__wait *wait, lua_State *L) {
  orr__parallel *parallel = (orr__parallel *)wait;
  luaL_checkstack(L, (int)parallel->count + 2, "too many branches");
  lua_pushboolean(L, !parallel->is_failed);
  if (parallel->is_failed) {
    lua_xmove(parallel->children[parallel->failed]->co, L, 1);
    return 2;
  }
  for (size_t i = 0; i < parallel->count; i++) {
    lua_State *co = parallel->children[i]->co;
    if (lua_gettop(co) == 0) {
      lua_pushnil(L);
      continue;
    }
    lua_settop(co, 1);
    lua_xmove(co, L, 1);
  }
  return (int)parallel->count + 1;
}

void orr__parallel_drop_children(orr__parallel *parallel) {
  while (parallel->count > 0) {
    orr__task *child = parallel->children[--parallel->count];
    if (child) orr__task_free(child);
  }
}

static void clear(orr__wait *wait) {
  orr__parallel *parallel = (orr__parallel *)wait;
  orr__parallel_drop_children(parallel);
  free(parallel->children);
}

const orr__wait_kind orr__parallel_kind = { "parallel", start, NULL, push, clear, NULL };

void orr__parallel_child_ended(orr__parallel *parallel, orr__task *child) {
  parallel->running--;
  if (child->lua_status != 0 && !parallel->is_failed) {
    parallel->is_failed = true;
    for (size_t i = 0; i < parallel->count; i++) {
      orr__task *sibling = parallel->children[i];
      if (sibling == child) {
        parallel->failed = i;
        continue;
      }
      if (sibling->state == ORR_TASK_ENDED) continue;
      sibling->stop = ORR_E_CANCELLED;
      orr__task_stop(sibling);
    }
  }
  if (parallel->running == 0) orr__wait_done(&parallel->wait);
}

int orr__parallel_raw(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = lua_objlen(L, 1);
  if (count > CHILDREN_MAX) orr__raise(L, "parallel: %d functions at most, got %d", CHILDREN_MAX, (int)count);
  const orr__task *outer = orr__version_of(L)->running;
  if (outer && outer->depth >= DEPTH_MAX) orr__raise(L, "parallel: nested more than %d deep", DEPTH_MAX);
  if (outer && outer->hc->task_count + count > TASKS_MAX) orr__raise(L, "parallel: a hook may have %d branches at a time at most", TASKS_MAX);
  orr__parallel *parallel = orr__wait_new(L, &orr__parallel_kind, sizeof *parallel);
  orr__hookcall *hc = outer->hc;
  if (count == 0) {
    orr__wait_drop(&parallel->wait);
    lua_pushboolean(L, 1);
    return 1;
  }
  parallel->children = calloc(count, sizeof *parallel->children);
  if (!parallel->children) {
    orr__wait_drop(&parallel->wait);
    lua_pushliteral(L, "out of memory");
    return lua_error(L);
  }
  bool is_safe = orr__session_is_safe(L);
  /* If one of these raises, the call frees the wait and with it the children made so far. */
  for (size_t i = 0; i < count; i++) {
    orr__task *child = orr__task_new(L, hc);
    child->parent = parallel;
    child->is_safe = is_safe;
    child->depth = outer->depth + 1;
    parallel->children[parallel->count++] = child;
    lua_rawgeti(L, 1, (int)i + 1);
    lua_xmove(L, child->co, 1);
  }
  parallel->running = count;
  return orr__wait_start(L, &parallel->wait, NULL);
}
