/* Typed fields of an object: descriptor to Lua value and back.
 *
 * Wrong types raise with the field and what it takes; a status goes through the words of model/status.h; a secret is known for redaction
 * before it is in Lua's hands. */
#include <errno.h>
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "model/status.h"
#include "task.h"
#include "value.h"

#define MAX_EXACT 9007199254740992.0   /* 2^53 */
#define LEAST_DATE 1e11                /* 1973 in milliseconds; now, in seconds, is far below */
#define NOW_DATE_MAX 1e15

/* Every text in a secret map is a secret. */
static void add_secrets(lua_State *L, const orr__json *json) {
  const char *text = orr__json_text(json);
  if (text) orr__secret_add(L, text, strlen(text));
  if (!orr__json_is_map(json) && !orr__json_is_list(json)) return;
  for (const orr__json *m = orr__json_first(json); m; m = orr__json_next(m)) add_secrets(L, m);
}

static void push_map(lua_State *L, const orr__box *box, int field) {
  const char *text = orr__get_str(box->object, field);
  orr_error err = ORR_ERROR_INIT;
  if (box->model->fields[field].flags & ORR_FIELD_SECRET) {
    orr__json *secrets = orr__json_parse_map(text, NULL);
    if (secrets) add_secrets(L, secrets);
    orr__json_free(secrets);
  }
  if (orr__push_json_text(L, text, text ? strlen(text) : 0, false, &err) == 0) return;
  lua_pushfstring(L, "%s: %s", box->model->fields[field].name, orr__error_message(&err));
  orr__error_clear(&err);
  lua_error(L);
}

static void push_int(lua_State *L, int64_t value) {
  char digits[24];
  if (value <= (int64_t)MAX_EXACT && value >= -(int64_t)MAX_EXACT) {
    lua_pushnumber(L, (double)value);
    return;
  }
  snprintf(digits, sizeof digits, "%lld", (long long)value);
  lua_pushstring(L, digits);
}

void orr__push_field(lua_State *L, orr__box *box, int field) {
  const orr__field *f = &box->model->fields[field];
  const orr__object *object = box->object;
  /* A map that is not set reads as an empty one: config.x then just is nil. */
  if (f->type == ORR_T_MAP) {
    push_map(L, box, field);
    return;
  }
  if (!orr__object_has(object, field)) {
    lua_pushnil(L);
    return;
  }
  switch (f->type) {
  case ORR_T_BOOL: lua_pushboolean(L, orr__get_int(object, field) != 0); break;
  case ORR_T_NUM: lua_pushnumber(L, orr__get_num(object, field)); break;
  case ORR_T_STR:
  case ORR_T_STATUS: {
    const char *text = orr__get_str(object, field);
    if ((f->flags & ORR_FIELD_SECRET) && text) orr__secret_add(L, text, strlen(text));
    lua_pushstring(L, text);
    break;
  }
  default: push_int(L, orr__get_int(object, field)); break;
  }
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static void raise_type(lua_State *L, const orr__box *box, const orr__field *f, int value, const char *wanted) {
  orr__raise(L, "%s.%s takes %s, not a %s", box->model->class_name, f->name, wanted, luaL_typename(L, value));
}

static void check_memory(lua_State *L, int rc) {
  if (!rc) return;
  lua_pushliteral(L, "out of memory");
  lua_error(L);
}

static bool is_exact(double number) {
  return isfinite(number) && floor(number) == number && fabs(number) <= MAX_EXACT;
}

static void store_int(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  if (lua_type(L, value) == LUA_TSTRING) {
    /* Integers beyond 2^53 come as digits. */
    const char *text = lua_tostring(L, value);
    char *end;
    errno = 0;
    long long digits = strtoll(text, &end, 10);
    if (end == text || *end || errno) orr__raise(L, "%s.%s takes a whole number, not '%s'", box->model->class_name, f->name, text);
    check_memory(L, orr__set_int(box->object, field, digits));
    return;
  }
  if (lua_type(L, value) != LUA_TNUMBER) raise_type(L, box, f, value, "a whole number");
  double number = lua_tonumber(L, value);
  if (!is_exact(number)) orr__raise(L, "%s.%s takes a whole number up to 2^53, not %s", box->model->class_name, f->name, lua_tostring(L, value));
  check_memory(L, orr__set_int(box->object, field, (int64_t)number));
}

static void store_date(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  if (lua_type(L, value) != LUA_TNUMBER) raise_type(L, box, f, value, "milliseconds since 1970 (time.parse reads dates)");
  double ms = lua_tonumber(L, value);
  if (!(ms >= LEAST_DATE && ms < NOW_DATE_MAX))
    orr__raise(L, "%s.%s takes milliseconds since 1970, not %s (seconds?)", box->model->class_name, f->name, lua_tostring(L, value));
  check_memory(L, orr__set_int(box->object, field, (int64_t)ms));
}

/* A copy with U+FFFD for every byte that is no UTF-8; owned by Lua, left on the stack. */
static const char *repaired(lua_State *L, const char *text, size_t len) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t i = 0; i < len;) {
    size_t width = 1;
    while (width <= 4 && i + width <= len && !orr__utf8_valid(text + i, width)) width++;
    if (width <= 4 && i + width <= len) {
      luaL_addlstring(&buffer, text + i, width);
      i += width;
    } else {
      luaL_addstring(&buffer, "\xef\xbf\xbd");
      i++;
    }
  }
  luaL_pushresult(&buffer);
  return lua_tostring(L, -1);
}

static void store_text(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  char digits[32];
  size_t len;
  const char *text;
  if (lua_type(L, value) == LUA_TNUMBER) {
    /* An id out of JSON is often a number; exactly so it is text. */
    double number = lua_tonumber(L, value);
    if (!is_exact(number)) raise_type(L, box, f, value, "a string");
    snprintf(digits, sizeof digits, "%.0f", number);
    check_memory(L, orr__set_str(box->object, field, digits));
    return;
  }
  if (lua_type(L, value) != LUA_TSTRING) raise_type(L, box, f, value, "a string");
  text = lua_tolstring(L, value, &len);
  if (len > ORR_TEXT_MAX) orr__raise(L, "%s.%s takes at most %u bytes, got %d", box->model->class_name, f->name, ORR_TEXT_MAX, (int)len);
  if (!orr__utf8_valid(text, len)) {
    text = repaired(L, text, len);
    orr__call_warn(box->hc, "%s.%s was not UTF-8; other bytes were replaced", box->model->class_name, f->name);
  }
  check_memory(L, orr__set_str(box->object, field, text));
}

static void store_status(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  if (lua_type(L, value) != LUA_TSTRING) raise_type(L, box, f, value, "a word of BackupStatusUtility");
  const char *word = lua_tostring(L, value), *status = orr__status_canonical(word), *now = orr__get_str(box->object, field);
  if (!status) {
    const char *near = orr__status_nearest(word);
    orr__call_warn(box->hc, "unknown status '%.60s'%s%s%s; the status stays %s", word, near ? " (did you mean " : "", near ? near : "",
                   near ? "?)" : "", now ? now : "unset");
    return;
  }
  if (orr__streq(now, status)) return;
  if (orr__status_is_terminal(now)) {
    orr__call_warn(box->hc, "status %s came after %s, which is final", status, now);
    return;
  }
  if (now && !orr__status_may_follow(now, status)) {
    /* A refresh that reports progress while a cancel is under way is the ordinary case and says nothing new. */
    if (strcmp(now, "CANCEL_REQUESTED") != 0) orr__call_warn(box->hc, "status %s cannot follow %s; it stays", status, now);
    return;
  }
  check_memory(L, orr__set_str(box->object, field, status));
}

static void store_map(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  orr_error err = ORR_ERROR_INIT;
  if (!lua_istable(L, value)) raise_type(L, box, f, value, "a table");
  orr__json *map = orr__value_to_json(L, value, &err);
  /* An empty array is an empty map here. */
  bool is_map = map && (orr__json_is_map(map) || orr__json_count(map) == 0);
  orr__json *empty = map && !orr__json_is_map(map) && is_map ? orr__json_map() : NULL;
  int rc = is_map ? orr__object_set_map(box->object, field, empty ? empty : map) : 0;
  bool is_list = map && !is_map;
  orr__json_free(map);
  orr__json_free(empty);
  orr__json_free(box->config);
  box->config = NULL;
  if (is_list) orr__raise(L, "%s.%s takes a table of named values, not an array", box->model->class_name, f->name);
  if (!is_map) {
    lua_pushfstring(L, "%s.%s: %s", box->model->class_name, f->name, orr__error_message(&err));
    orr__error_clear(&err);
    orr__raise(L, "%s", lua_tostring(L, -1));
  }
  check_memory(L, rc);
}

void orr__store_field(lua_State *L, orr__box *box, int field, int value) {
  const orr__field *f = &box->model->fields[field];
  if (f->flags & (ORR_FIELD_READONLY | ORR_FIELD_DERIVED))
    orr__raise(L, "%s.%s is read-only", box->model->class_name, f->name);
  if (lua_isnil(L, value) || orr__is_null(L, value)) {
    if (f->type == ORR_T_STATUS) {
      orr__call_warn(box->hc, "status set to nil; it stays %s", orr__get_str(box->object, field) ? orr__get_str(box->object, field) : "unset");
      return;
    }
    if (f->type == ORR_T_MAP) {
      orr__json_free(box->config);
      box->config = NULL;
    }
    orr__unset(box->object, field);
    return;
  }
  switch (f->type) {
  case ORR_T_INT:
  case ORR_T_REF: store_int(L, box, field, value); break;
  case ORR_T_DATE: store_date(L, box, field, value); break;
  case ORR_T_BOOL:
    if (!lua_isboolean(L, value)) raise_type(L, box, f, value, "true or false");
    check_memory(L, orr__set_int(box->object, field, lua_toboolean(L, value)));
    break;
  case ORR_T_NUM:
    if (lua_type(L, value) != LUA_TNUMBER || !isfinite(lua_tonumber(L, value))) raise_type(L, box, f, value, "a number");
    check_memory(L, orr__set_num(box->object, field, lua_tonumber(L, value)));
    break;
  case ORR_T_STR: store_text(L, box, field, value); break;
  case ORR_T_STATUS: store_status(L, box, field, value); break;
  case ORR_T_MAP: store_map(L, box, field, value); break;
  }
}
