/* A line that somebody has typed, run in the state of a provider as a hook is: it may wait, and has the provider's libraries.
 *
 * It runs in a state of its own (orr__provider_typed), so that nothing it does is met by a hook. What it assigns to no local stays for the next line: its globals are a table of their own in front of the real ones, which
 * also has `provider` and, where the call has one, `connection`. A line that is an expression answers with its value. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "task.h"
#include "trial.h"
#include "value.h"
#include "version.h"

#define REG_TYPED "orrery.typed"
enum { SHOWN_MAX = 65536 };

static void push_environment(lua_State *L, orr__hookcall *hc) {
  lua_getfield(L, LUA_REGISTRYINDEX, REG_TYPED);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, REG_TYPED);
  }
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_PROVIDER);
  lua_setfield(L, -2, "provider");
  orr_connection *connection = hc->call->graph.connection;
  if (connection) {
    orr__push_object(L, hc, &hc->call->graph, &connection->head, ORR_BOX_CALL, NULL);
    lua_setfield(L, -2, "connection");
  }
}

/* As an expression, else as statements; false: neither, and the message is at the top. */
static bool compile(lua_State *L, const char *text) {
  lua_pushfstring(L, "return %s", text);
  if (luaL_loadbufferx(L, lua_tostring(L, -1), strlen(lua_tostring(L, -1)), "=typed", "t") == 0) return true;
  lua_pop(L, 1);
  return luaL_loadbufferx(L, text, strlen(text), "=typed", "t") == 0;
}

static int complain(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return lua_error(L);
}

void orr__eval_push(lua_State *L, orr__hookcall *hc) {
  int base = lua_gettop(L);
  if (compile(L, hc->call->eval)) {
    push_environment(L, hc);
    lua_setfenv(L, -2);
  } else {
    lua_pushcclosure(L, complain, 1);
  }
  lua_insert(L, base + 1);
  lua_settop(L, base + 1);
}

/* A text in quotes, a table as JSON, an object by its name; what JSON cannot say by its kind. */
static orr__json *shown(lua_State *L, int index) {
  orr_error err = ORR_ERROR_INIT;
  const orr__object *object = orr__object_of(L, index);
  orr__json *map = object ? orr__object_to_json(object, 0) : NULL;
  char *text = map ? orr__json_print(map) : orr__value_to_text(L, index, &err), *own = NULL;
  if (lua_isnil(L, index)) own = orr__strdup("nil");
  else if (!text) own = orr__strf("%s (%s)", luaL_typename(L, index), orr__error_message(&err));
  const char *raw = own ? own : text ? text : "";
  char *safe = orr__redact(L, raw, strlen(raw), SHOWN_MAX);
  orr__json *value = orr__json_new_str(safe ? safe : "");
  orr__error_clear(&err);
  orr__json_free(map);
  free(text);
  free(own);
  free(safe);
  return value;
}

void orr__eval_read(lua_State *L, orr__answer *answer) {
  orr__json *out = orr__json_map(), *values = orr__json_list();
  for (int i = 1; values && i <= lua_gettop(L); i++) orr__json_append(values, shown(L, i));
  if (out && values) {
    orr__json_put(out, "values", values);
    values = NULL;
    answer->data = orr__json_print(out);
  }
  orr__json_free(values);
  orr__json_free(out);
  answer->outcome = ORR_OUTCOME_SUCCESS;
}
