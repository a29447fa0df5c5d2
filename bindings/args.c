/* Checking and reading of arguments. Does not know what any function does with them. */
#include "args.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "value.h"

#define MAX_SECONDS (10.0 * 366 * 86400)
#define MAX_COUNT 9007199254740992.0
enum { MESSAGE_MAX = 512, LEVELS_MAX = 50, ENVIRONMENT_MAX = 1000 };

/* The prelude's chunk names begin with '=', an author's with '@'. */
void orr__push_position(lua_State *L) {
  lua_Debug info;
  for (int level = 1; level < LEVELS_MAX && lua_getstack(L, level, &info); level++) {
    lua_getinfo(L, "Sl", &info);
    if (info.source[0] == '=' || info.currentline <= 0) continue;
    lua_pushfstring(L, "%s:%d: ", info.short_src, info.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

int orr__raise(lua_State *L, const char *format, ...) {
  char message[MESSAGE_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  orr__push_position(L);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

static const char *type_words(enum orr__param_type type) {
  switch (type) {
  case ORR_P_TEXT: return "a string";
  case ORR_P_LINE: return "a string without NUL bytes";
  case ORR_P_NUMBER: return "a number";
  case ORR_P_SECONDS: return "a number of seconds, 0 or more";
  case ORR_P_COUNT: return "a whole number, 0 or more";
  case ORR_P_BOOL: return "true or false";
  case ORR_P_TABLE: return "a table";
  case ORR_P_WORDS: return "an array of strings";
  case ORR_P_FUNCTION: return "a function";
  case ORR_P_ANY: break;
  }
  return "a value";
}

static bool is_line(lua_State *L, int index) {
  size_t len;
  if (lua_type(L, index) != LUA_TSTRING) return false;
  const char *text = lua_tolstring(L, index, &len);
  return !memchr(text, '\0', len);
}

static bool are_words(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return false;
  size_t len = lua_objlen(L, index), seen = 0;
  bool fine = true;
  for (lua_pushnil(L); fine && lua_next(L, index); seen++) {
    fine = lua_type(L, -2) == LUA_TNUMBER && is_line(L, lua_gettop(L));
    lua_pop(L, fine ? 1 : 2);
  }
  return fine && seen == len;
}

static bool fits(lua_State *L, int index, enum orr__param_type type) {
  double number = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : NAN;
  switch (type) {
  case ORR_P_TEXT: return lua_type(L, index) == LUA_TSTRING;
  case ORR_P_LINE: return is_line(L, index);
  case ORR_P_NUMBER: return !isnan(number);
  case ORR_P_SECONDS: return number >= 0 && number <= MAX_SECONDS;
  case ORR_P_COUNT: return number >= 0 && number <= MAX_COUNT && floor(number) == number;
  case ORR_P_BOOL: return lua_isboolean(L, index);
  case ORR_P_TABLE: return lua_istable(L, index);
  case ORR_P_WORDS: return are_words(L, index);
  case ORR_P_FUNCTION: return lua_isfunction(L, index);
  case ORR_P_ANY: break;
  }
  return true;
}

static const char *param_name(void *params, size_t i) {
  return ((const orr__param *)params)[i].name;
}

static const orr__param *find(const orr__param *params, const char *name) {
  for (; params->name; params++) {
    if (strcmp(params->name, name) == 0) return params;
  }
  return NULL;
}

static void check_value(lua_State *L, int index, const char *function, const orr__param *param) {
  if (orr__is_null(L, index) || fits(L, index, param->type)) return;
  orr__raise(L, "%s: '%s' must be %s, not %s", function, param->name, type_words(param->type),
             lua_type(L, index) == LUA_TNUMBER ? lua_tostring(L, index)
             : param->type == ORR_P_WORDS && lua_istable(L, index) ? "a table with other things in it" : luaL_typename(L, index));
}

static void check_member(lua_State *L, const char *function, const orr__param *params) {
  if (lua_type(L, -2) != LUA_TSTRING) {
    orr__raise(L, "%s: takes named arguments, not positions (key %s)", function,
               lua_type(L, -2) == LUA_TNUMBER ? "is a number" : luaL_typename(L, -2));
  }
  const char *name = lua_tostring(L, -2);
  const orr__param *param = find(params, name);
  if (!param) {
    const char *near = orr__nearest(name, param_name, (void *)params);
    if (near) orr__raise(L, "%s: unknown argument '%.60s' (did you mean '%s'?)", function, name, near);
    orr__raise(L, "%s: unknown argument '%.60s'", function, name);
  }
  check_value(L, lua_gettop(L), function, param);
}

static void raise_missing(lua_State *L, const char *function, const orr__param *param) {
  orr__raise(L, "%s: '%s' is missing (%s)", function, param->name, type_words(param->type));
}

void orr__args_check(lua_State *L, int table, const char *function, const orr__param *params) {
  if (!lua_istable(L, table)) orr__raise(L, "%s: takes a table of named arguments, not %s", function, luaL_typename(L, table));
  luaL_checkstack(L, 8, function);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) check_member(L, function, params);
  for (const orr__param *param = params; param->name; param++) {
    if (!param->is_required) continue;
    int type = orr__args_push(L, table, param->name);
    lua_pop(L, 1);
    if (type == LUA_TNIL) raise_missing(L, function, param);
  }
}

void orr__args_positions(lua_State *L, const char *function, const orr__param *params) {
  int count = 0;
  while (params[count].name) count++;
  lua_settop(L, count);
  for (int i = 1; i <= count; i++) {
    const orr__param *param = &params[i - 1];
    if (orr__is_null(L, i)) {
      lua_pushnil(L);
      lua_replace(L, i);
    }
    if (!lua_isnil(L, i)) check_value(L, i, function, param);
    else if (param->is_required) raise_missing(L, function, param);
  }
}

const char *orr__text_at(lua_State *L, int index, size_t *ret_len) {
  if (ret_len) *ret_len = 0;
  return lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, ret_len) : NULL;
}

int orr__args_push(lua_State *L, int table, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, table);
  if (orr__is_null(L, -1)) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  return lua_type(L, -1);
}

const char *orr__args_text(lua_State *L, int table, const char *name, size_t *ret_len) {
  size_t len = 0;
  const char *text = NULL;
  if (orr__args_push(L, table, name) == LUA_TSTRING) text = lua_tolstring(L, -1, &len);
  lua_pop(L, 1);
  if (ret_len) *ret_len = len;
  return text;
}

double orr__args_number(lua_State *L, int table, const char *name, double fallback) {
  double number = orr__args_push(L, table, name) == LUA_TNUMBER ? lua_tonumber(L, -1) : fallback;
  lua_pop(L, 1);
  return number;
}

int64_t orr__args_ms(lua_State *L, int table, const char *name, int64_t fallback) {
  double seconds = orr__args_number(L, table, name, -1);
  return seconds < 0 ? fallback : (int64_t)ceil(seconds * 1000);
}

bool orr__args_bool(lua_State *L, int table, const char *name, bool fallback) {
  bool is = orr__args_push(L, table, name) == LUA_TBOOLEAN ? lua_toboolean(L, -1) : fallback;
  lua_pop(L, 1);
  return is;
}

const char *orr__arg_text(lua_State *L, int index, const char *what, size_t *ret_len) {
  if (lua_type(L, index) != LUA_TSTRING) orr__raise(L, "%s must be a string, not %s", what, luaL_typename(L, index));
  return lua_tolstring(L, index, ret_len);
}

const char *orr__arg_line(lua_State *L, int index, const char *what) {
  size_t len;
  const char *text = orr__arg_text(L, index, what, &len);
  if (memchr(text, '\0', len)) orr__raise(L, "%s must not hold NUL bytes", what);
  return text;
}

double orr__arg_number(lua_State *L, int index, const char *what, double fallback) {
  if (lua_isnoneornil(L, index)) return fallback;
  if (lua_type(L, index) != LUA_TNUMBER) orr__raise(L, "%s must be a number, not %s", what, luaL_typename(L, index));
  double number = lua_tonumber(L, index);
  if (isnan(number)) orr__raise(L, "%s must be a number, not NaN", what);
  return number;
}

const char **orr__words(lua_State *L, int index) {
  size_t count = lua_objlen(L, index);
  const char **words = lua_newuserdata(L, (count + 1) * sizeof *words);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (int)i + 1);
    words[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  words[count] = NULL;
  return words;
}

/* Is the pair at -2, -1 one for an environment? */
static void check_variable(lua_State *L, const char *what) {
  bool named = lua_type(L, -2) == LUA_TSTRING && is_line(L, lua_gettop(L) - 1) && lua_objlen(L, -2) > 0 &&
               !strchr(lua_tostring(L, -2), '=');
  if (!named) orr__raise(L, "%s: names must be strings without '='", what);
  int type = lua_type(L, -1);
  bool valued = type == LUA_TNUMBER || type == LUA_TBOOLEAN || (type == LUA_TSTRING && is_line(L, lua_gettop(L)));
  if (!valued) orr__raise(L, "%s: the value of %.60s must be a string, not %s", what, lua_tostring(L, -2), luaL_typename(L, -1));
}

const char **orr__environment(lua_State *L, int index, const char *what) {
  int count = 0;
  lua_newtable(L); /* of the texts */
  int texts = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (orr__is_null(L, lua_gettop(L))) continue;
    check_variable(L, what);
    if (++count > ENVIRONMENT_MAX) orr__raise(L, "%s: more than %d variables", what, ENVIRONMENT_MAX);
    lua_pushvalue(L, -2);
    lua_pushliteral(L, "=");
    if (lua_isboolean(L, -3)) lua_pushstring(L, lua_toboolean(L, -3) ? "true" : "false");
    else lua_pushvalue(L, -3);
    lua_concat(L, 3);
    lua_rawseti(L, texts, count);
  }
  return orr__words(L, texts);
}
