/* defer(name, args): a clean-up of the result that the hook is about, kept with it before the call returns. What runs it, and when,
 * is the core's; here it is only put on the list and saved. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "model/status.h"
#include "object.h"
#include "task.h"
#include "value.h"
#include "wait.h"

enum { NAME_LEN_MAX = 64, DEFERRED_MAX = 100 };

static bool is_name(const char *name) {
  size_t len = strlen(name);
  return len > 0 && len <= NAME_LEN_MAX &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static bool is_same(const orr__json *entry, const char *name, const orr__json *args) {
  const orr__json *own = orr__json_get(entry, "args");
  if (!own || !orr__streq(orr__json_str(entry, "name"), name)) return false;
  char *a = orr__json_print(own), *b = orr__json_print(args);
  bool same = a && orr__streq(a, b);
  free(a);
  free(b);
  return same;
}

/* 0, or why it cannot be added. Takes args. One that is there already (the hook runs again after a crash) is not added again. */
static const char *add(orr_result *result, const char *name, orr__json *args) {
  orr__json *list = result->deferred ? orr__object_map(&result->head, ORR_F_result_deferred) : orr__json_map();
  orr__json *entry = orr__json_map();
  const char *why = NULL;
  bool is_there = false;
  long long highest = 0;
  char key[24];
  if (!list || !entry) why = "out of memory";
  for (const orr__json *m = list ? orr__json_first(list) : NULL; m; m = orr__json_next(m)) {
    long long number = strtoll(orr__json_key(m), NULL, 10);
    if (number > highest) highest = number;
    is_there = is_there || is_same(m, name, args);
  }
  if (!why && !is_there && orr__json_count(list) >= DEFERRED_MAX) why = "at most 100 clean-ups can be registered for a result";
  if (!why && !is_there) {
    orr__json_put_str(entry, "name", name);
    orr__json_put(entry, "args", args);
    args = NULL;
    snprintf(key, sizeof key, "%lld", highest + 1);
    orr__json_put(list, key, entry);
    entry = NULL;
    if (orr__object_set_map(&result->head, ORR_F_result_deferred, list)) why = "its arguments are too large, or memory ran out";
  }
  orr__json_free(args);
  orr__json_free(entry);
  orr__json_free(list);
  return why;
}

/* defer(name, args) -> true | false, error */
static int defer(lua_State *L) {
  lua_settop(L, 2);
  const char *name = orr__arg_text(L, 1, "defer: name", NULL);
  const orr__call *call = orr__current_call(L);
  if (!call) orr__raise(L, "defer cannot be used while the provider loads");
  orr_result *result = call->graph.result;
  if (!result) orr__raise(L, "defer: this hook has no BackupResult that a clean-up could belong to");
  if (!orr__declares(&orr__version_of(L)->declaration, ORR_HOOK_cleanUp)) orr__raise(L, "defer: the provider has no hook cleanUp that would do it");
  if (!is_name(name)) orr__raise(L, "defer: a name has letters, digits, - and _, %d at most", NAME_LEN_MAX);
  if (orr__status_is_terminal(result->status)) orr__raise(L, "defer: the result has ended already: %s", result->status);
  if (!lua_isnil(L, 2) && !lua_istable(L, 2)) orr__raise(L, "defer: args must be a table, not a %s", luaL_typename(L, 2));
  orr_error err = ORR_ERROR_INIT;
  orr__json *args = lua_isnil(L, 2) ? orr__json_map() : orr__value_to_json(L, 2, &err);
  if (!args) {
    lua_pushfstring(L, "defer: args: %s", orr__error_message(&err));
    orr__error_clear(&err);
    return lua_error(L);
  }
  const char *why = add(result, name, args);
  if (why) orr__raise(L, "defer: %s", why);
  return orr__save_start(L, &result->head);
}

void orr__lib_defer(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, defer);
  lua_setfield(L, -2, "defer");
}
