/* What of an object waits: backupResult:save(), a durable checkpoint, and backup:results{ status, limit }.
 *
 * Both are the core's to do, through the host's functions; it answers once, later. */
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>

#include "args.h"
#include "model/status.h"
#include "task.h"
#include "wait.h"

#define RESULTS_DEFAULT 20
#define RESULTS_MAX 1000

/* ---- save -------------------------------------------------------------------------------------------------- */

typedef struct save_wait {
  orr__wait wait;
  orr__object *object;
  orr_error failure;
} save_wait;

static void saved(void *arg, int code, const orr_error *err) {
  save_wait *w = arg;
  if (code && err) orr__error_copy(&w->failure, err);
  else if (code) orr__error_set(&w->failure, code, "not saved");
  orr__wait_done(&w->wait);
}

static int save_start(orr__wait *wait, orr_error *reterr) {
  (void)reterr;
  save_wait *w = (save_wait *)wait;
  const orr__provider_host *host = &wait->bindings->config.host;
  host->checkpoint(host->core, wait->call_id, w->object, saved, w);
  return 0;
}

static int save_push(orr__wait *wait, lua_State *L) {
  save_wait *w = (save_wait *)wait;
  if (w->failure.code) return orr__push_error(L, &w->failure);
  lua_pushboolean(L, 1);
  return 1;
}

static void save_clear(orr__wait *wait) {
  orr__error_clear(&((save_wait *)wait)->failure);
}

static const orr__wait_kind save_kind = { "save", save_start, NULL, save_push, save_clear, NULL };

int orr__save_start(lua_State *L, orr__object *object) {
  save_wait *w = orr__wait_new(L, &save_kind, sizeof *w);
  w->object = object;
  return orr__wait_start(L, &w->wait, NULL);
}

int orr__object_save(lua_State *L) {
  orr__box *box = orr__check_box(L, "save");
  enum orr__model_id id = box->model->id;
  if (id != ORR_M_result && id != ORR_M_backup) orr__raise(L, "a %s cannot be saved from a hook", box->model->class_name);
  orr__check_writable(L, box, "save");
  if (!orr__object_id(box->object)) orr__raise(L, "this %s is not persisted yet: return it as data", box->model->class_name);
  if (box->kind == ORR_BOX_COPY) orr__raise(L, "this %s is a copy; save the one the hook was given", box->model->class_name);
  orr__object_redact(box->hc, box->object);
  return orr__save_start(L, box->object);
}

/* ---- results ----------------------------------------------------------------------------------------------- */

typedef struct results_wait {
  orr__wait wait;
  int64_t backup_id;
  const char *status;
  size_t limit;
  orr_result **results;      /* taken from the core */
  size_t count;
  orr_error failure;
} results_wait;

static void results_ready(void *arg, int code, orr_result **results, size_t count) {
  results_wait *w = arg;
  if (code) orr__error_set(&w->failure, code, "the results could not be read");
  w->results = results;
  w->count = count;
  orr__wait_done(&w->wait);
}

static int results_start(orr__wait *wait, orr_error *reterr) {
  (void)reterr;
  results_wait *w = (results_wait *)wait;
  const orr__provider_host *host = &wait->bindings->config.host;
  host->results(host->core, wait->call_id, w->backup_id, w->status, w->limit, results_ready, w);
  return 0;
}

static int results_push(orr__wait *wait, lua_State *L) {
  results_wait *w = (results_wait *)wait;
  orr__hookcall *hc = wait->task->hc;
  if (w->failure.code) return orr__push_error(L, &w->failure);
  lua_pushboolean(L, 1);
  lua_createtable(L, (int)w->count, 0);
  for (size_t i = 0; i < w->count; i++) {
    orr_result *result = w->results[i];
    w->results[i] = NULL;
    if (!result) continue;
    if (orr__object_own(hc, &result->head) != 0) luaL_error(L, "out of memory");
    orr__push_object(L, hc, &hc->call->graph, &result->head, ORR_BOX_FROZEN, "it is a result of another execution");
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 2;
}

static void results_clear(orr__wait *wait) {
  results_wait *w = (results_wait *)wait;
  for (size_t i = 0; i < w->count; i++)
    if (w->results[i]) orr__object_free(&w->results[i]->head);
  free(w->results);
  orr__error_clear(&w->failure);
}

static const orr__wait_kind results_kind = { "backup:results", results_start, NULL, results_push, results_clear, NULL };

/* Static canonical word or NULL: any. Raises. */
static const char *wanted_status(lua_State *L) {
  lua_getfield(L, 2, "status");
  if (lua_isnil(L, -1)) return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    orr__raise(L, "results: status must be a word of BackupStatusUtility, not a %s", luaL_typename(L, -1));
  const char *word = lua_tostring(L, -1), *status = orr__status_canonical(word), *near = status ? NULL : orr__status_nearest(word);
  if (!status && near) orr__raise(L, "results: unknown status '%s' (did you mean %s?)", word, near);
  if (!status) orr__raise(L, "results: unknown status '%s'", word);
  return status;
}

static size_t wanted_limit(lua_State *L) {
  lua_getfield(L, 2, "limit");
  if (lua_isnil(L, -1)) return RESULTS_DEFAULT;
  double limit = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
  if (!(limit >= 1 && limit <= RESULTS_MAX) || floor(limit) != limit)
    orr__raise(L, "results: limit must be a whole number from 1 to %d", RESULTS_MAX);
  return (size_t)limit;
}

int orr__object_results(lua_State *L) {
  static const orr__param params[] = { { "status", ORR_P_LINE, false }, { "limit", ORR_P_NUMBER, false }, { NULL, ORR_P_ANY, false } };
  orr__box *box = orr__check_box(L, "results");
  if (box->model->id != ORR_M_backup) orr__raise(L, "results is a method of a Backup, not of a %s", box->model->class_name);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  orr__args_check(L, 2, "results", params);
  const char *status = wanted_status(L);
  size_t limit = wanted_limit(L);
  if (!orr__object_id(box->object)) {
    lua_pushboolean(L, 1);
    lua_newtable(L);
    return 2;
  }
  results_wait *w = orr__wait_new(L, &results_kind, sizeof *w);
  w->backup_id = orr__object_id(box->object);
  w->limit = limit;
  w->status = status;
  return orr__wait_start(L, &w->wait, NULL);
}
