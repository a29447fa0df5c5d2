/* Values between Lua and JSON.
 *
 * Reads tables raw: no metamethod of an author's runs in here, so nothing can raise, yield or loop while a half-built
 * tree is held. Maps come out sorted by key, because Lua's own order differs from run to run and a run must be
 * repeatable. Deliberately does not know what a value is for.
 *
 * json.null is the light userdata NULL. json.array's mark is a metatable kept in the registry; it only matters for an
 * empty table. */
#include "value.h"

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "object.h"
#include "scope.h"

#define ARRAY_TYPE "orr.array"
#define EXACT 9007199254740992.0 /* 2^53 */
enum { STACK_PER_LEVEL = 3, PATH_MAX_BYTES = 400, KEY_SHOWN = 60 };

/* One step of the way to the value being looked at; lives on the C stack. */
typedef struct step {
  const struct step *up;
  const void *table;   /* whose member this is, to notice cycles */
  const char *key;     /* of a map; NULL in an array */
  size_t index;        /* from 1, in an array */
  int depth;
} step;

/* What was read so far has a limit in numbers and bytes: tables that share tables may unfold to more than any memory. */
typedef struct reader {
  lua_State *L;
  orr_error *reterr;
  size_t values, bytes;
} reader;

void orr__push_null(lua_State *L) {
  lua_pushlightuserdata(L, NULL);
}

bool orr__is_null(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

void orr__mark_array(lua_State *L) {
  if (luaL_newmetatable(L, ARRAY_TYPE)) {
    lua_pushliteral(L, "json.array");
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
}

bool orr__is_marked_array(lua_State *L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  lua_getfield(L, LUA_REGISTRYINDEX, ARRAY_TYPE);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

/* ---- Lua to JSON ------------------------------------------------------------------------------------------- */

static void add_path(orr__buf *buf, const step *at) {
  if (!at) return;
  add_path(buf, at->up);
  if (!at->key) orr__buf_addf(buf, "[%zu]", at->index);
  else orr__buf_addf(buf, "%s%.*s", buf->len ? "." : "", KEY_SHOWN, at->key);
}

static int refuse(const reader *r, const step *at, const char *what) {
  orr__buf path;
  orr__buf_init(&path, PATH_MAX_BYTES);
  add_path(&path, at);
  int code = orr__error_set(r->reterr, ORR_E_INVALID, "%s%s%s", orr__buf_text(&path), path.len ? " " : "", what);
  orr__buf_clear(&path);
  return code;
}

/* Counts a value whose text has len bytes. */
static int count(reader *r, size_t len) {
  r->bytes += len + 1;
  if (++r->values > ORR_JSON_VALUES) return orr__error_set(r->reterr, ORR_E_LIMIT, "holds more than 300,000 values");
  if (r->bytes > ORR_JSON_MAX) return orr__error_set(r->reterr, ORR_E_LIMIT, "holds more than 16 MiB of text");
  return 0;
}

static int no_memory(const reader *r) {
  return orr__error_set(r->reterr, ORR_E_NOMEM, "out of memory");
}

static int read_value(reader *r, int index, const step *at, cJSON **ret);

static int read_number(reader *r, int index, const step *at, cJSON **ret) {
  double number = lua_tonumber(r->L, index);
  if (isnan(number) || isinf(number)) return refuse(r, at, "is no finite number, which JSON cannot say");
  int code = count(r, 1);
  if (code) return code;
  *ret = cJSON_CreateNumber(number);
  return *ret ? 0 : no_memory(r);
}

static int read_string(reader *r, int index, const step *at, cJSON **ret) {
  size_t len;
  const char *text = lua_tolstring(r->L, index, &len);
  if (!orr__utf8_valid(text, len)) return refuse(r, at, "is text that is not UTF-8; use base64.encode for other bytes");
  int code = count(r, len);
  if (code) return code;
  *ret = cJSON_CreateString(text);
  return *ret ? 0 : no_memory(r);
}

static int read_userdata(reader *r, int index, const step *at, cJSON **ret) {
  const orr__object *object = orr__object_of(r->L, index);
  if (!object) return refuse(r, at, "is a userdata, which JSON cannot say");
  int code = count(r, 1);
  if (code) return code;
  *ret = orr__object_to_json(object, 0);
  return *ret ? 0 : no_memory(r);
}

/* Merge sort of a list linked by `next`; every key is there. */
static cJSON *sort_members(cJSON *list) {
  if (!list || !list->next) return list;
  cJSON *slow = list, *fast = list->next;
  while (fast && fast->next) {
    slow = slow->next;
    fast = fast->next->next;
  }
  cJSON *right = slow->next;
  slow->next = NULL;
  cJSON *left = sort_members(list);
  right = sort_members(right);
  cJSON head, *tail = &head;
  head.next = NULL;
  while (left && right) {
    cJSON **from = strcmp(left->string, right->string) <= 0 ? &left : &right;
    tail->next = *from;
    *from = (*from)->next;
    tail = tail->next;
  }
  tail->next = left ? left : right;
  return head.next;
}

static void sort_map(cJSON *map) {
  map->child = sort_members(map->child);
  cJSON *last = NULL;
  for (cJSON *member = map->child; member; member = member->next) {
    member->prev = last;
    last = member;
  }
  if (map->child) map->child->prev = last; /* cJSON's way to find the end */
}

static int read_map(reader *r, int index, step *at, cJSON *map) {
  lua_State *L = r->L;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    int code = 0;
    size_t len = 0;
    cJSON *member = NULL;
    at->key = "?";
    if (lua_type(L, -2) != LUA_TSTRING) code = refuse(r, at->up, "has keys that are neither all strings nor 1, 2, 3 and so on");
    else at->key = lua_tolstring(L, -2, &len);
    if (!code && !orr__utf8_valid(at->key, len)) code = refuse(r, at->up, "has a key that is not UTF-8");
    if (!code) code = count(r, len);
    if (!code) code = read_value(r, lua_gettop(L), at, &member);
    if (!code && !cJSON_AddItemToObject(map, at->key, member)) {
      cJSON_Delete(member);
      code = no_memory(r);
    }
    if (code) {
      lua_pop(L, 2);
      return code;
    }
  }
  sort_map(map);
  return 0;
}

static int read_list(reader *r, int index, size_t members, step *at, cJSON *list) {
  at->key = NULL;
  for (size_t i = 1; i <= members; i++) {
    cJSON *member = NULL;
    at->index = i;
    lua_rawgeti(r->L, index, (int)i);
    int code = read_value(r, lua_gettop(r->L), at, &member);
    lua_pop(r->L, 1);
    if (code) return code;
    if (!cJSON_AddItemToArray(list, member)) {
      cJSON_Delete(member);
      return no_memory(r);
    }
  }
  return 0;
}

/* Is it an array? -1 if its keys are neither strings only nor 1..n. */
static int classify(lua_State *L, int index, size_t *ret_count) {
  size_t numbers = 0, others = 0;
  double highest = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    if (key >= 1 && floor(key) == key) {
      numbers++;
      if (key > highest) highest = key;
    } else {
      others++;
    }
  }
  *ret_count = numbers;
  if (numbers == 0) return others == 0 && orr__is_marked_array(L, index);
  return others == 0 && highest == (double)numbers ? 1 : -1;
}

static int read_table(reader *r, int index, const step *up, cJSON **ret) {
  step at = { up, lua_topointer(r->L, index), NULL, 0, up ? up->depth + 1 : 1 };
  for (const step *s = up; s; s = s->up) {
    if (s->table == at.table) return refuse(r, up, "contains itself");
  }
  int code = count(r, 1);
  if (code) return code;
  if (at.depth > ORR_JSON_DEPTH) return refuse(r, NULL, "the value is nested more than 200 deep");
  size_t members;
  int is_list = classify(r->L, index, &members);
  if (is_list < 0) return refuse(r, up, "has mixed keys or holes: an array has 1, 2, 3 and so on (json.null fills a hole), a map strings");
  cJSON *made = is_list ? cJSON_CreateArray() : cJSON_CreateObject();
  if (!made) return no_memory(r);
  code = is_list ? read_list(r, index, members, &at, made) : read_map(r, index, &at, made);
  if (code) cJSON_Delete(made);
  else *ret = made;
  return code;
}

static int read_value(reader *r, int index, const step *at, cJSON **ret) {
  int code = 0;
  switch (lua_type(r->L, index)) {
  case LUA_TBOOLEAN:
    code = count(r, 1);
    if (code) return code;
    *ret = cJSON_CreateBool(lua_toboolean(r->L, index));
    return *ret ? 0 : no_memory(r);
  case LUA_TNUMBER: return read_number(r, index, at, ret);
  case LUA_TSTRING: return read_string(r, index, at, ret);
  case LUA_TTABLE: return read_table(r, index, at, ret);
  case LUA_TUSERDATA: return read_userdata(r, index, at, ret);
  case LUA_TFUNCTION: return refuse(r, at, "is a function, which JSON cannot say");
  case LUA_TTHREAD: return refuse(r, at, "is a coroutine, which JSON cannot say");
  default: break;
  }
  bool is_nil = lua_isnoneornil(r->L, index);
  if (!is_nil && !orr__is_null(r->L, index)) return refuse(r, at, "is a userdata, which JSON cannot say");
  code = count(r, 1);
  if (code) return code;
  *ret = cJSON_CreateNull();
  return *ret ? 0 : no_memory(r);
}

orr__json *orr__value_to_json(lua_State *L, int index, orr_error *reterr) {
  if (index < 0 && index > LUA_REGISTRYINDEX) index = lua_gettop(L) + index + 1;
  /* All the stack there may be need of, before anything is held: growing it may raise. */
  luaL_checkstack(L, ORR_JSON_DEPTH * STACK_PER_LEVEL + LUA_MINSTACK, "a JSON value");
  int top = lua_gettop(L);
  reader r = { L, reterr, 0, 0 };
  cJSON *value = NULL;
  int code = read_value(&r, index, NULL, &value);
  lua_settop(L, top);
  return code ? NULL : value;
}

char *orr__value_to_text(lua_State *L, int index, orr_error *reterr) {
  orr__json *value = orr__value_to_json(L, index, reterr);
  if (!value) return NULL;
  char *text = orr__json_print(value);
  orr__json_free(value);
  if (!text) orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return text;
}

/* ---- JSON to Lua ------------------------------------------------------------------------------------------- */

static void push_list(lua_State *L, const cJSON *list, bool keep_null) {
  lua_createtable(L, cJSON_GetArraySize(list), 0);
  orr__mark_array(L);
  int index = 0;
  for (const cJSON *member = list->child; member; member = member->next) {
    index++;
    if (cJSON_IsNull(member) && !keep_null) continue;
    orr__push_json(L, member, keep_null);
    lua_rawseti(L, -2, index);
  }
}

static void push_map(lua_State *L, const cJSON *map, bool keep_null) {
  lua_createtable(L, 0, cJSON_GetArraySize(map));
  for (const cJSON *member = map->child; member; member = member->next) {
    if (cJSON_IsNull(member) && !keep_null) continue;
    lua_pushstring(L, member->string);
    orr__push_json(L, member, keep_null);
    lua_rawset(L, -3);
  }
}

static void push_number(lua_State *L, double number) {
  /* The parser makes strings of these; trees built by hand may still hold them. */
  char digits[32];
  if (fabs(number) <= EXACT || floor(number) != number || fabs(number) >= 1e19) {
    lua_pushnumber(L, number);
    return;
  }
  snprintf(digits, sizeof digits, "%.0f", number);
  lua_pushstring(L, digits);
}

void orr__push_json(lua_State *L, const orr__json *json, bool keep_null) {
  luaL_checkstack(L, 6, "a JSON value");
  if (!json || cJSON_IsNull(json) || cJSON_IsInvalid(json)) {
    if (keep_null && json) orr__push_null(L);
    else lua_pushnil(L);
  } else if (cJSON_IsBool(json)) {
    lua_pushboolean(L, cJSON_IsTrue(json));
  } else if (cJSON_IsNumber(json)) {
    push_number(L, json->valuedouble);
  } else if (cJSON_IsArray(json)) {
    push_list(L, json, keep_null);
  } else if (cJSON_IsObject(json)) {
    push_map(L, json, keep_null);
  } else {
    lua_pushstring(L, json->valuestring ? json->valuestring : "");
  }
}

static void release_json(void *held) {
  orr__json_free(held);
}

int orr__push_json_text(lua_State *L, const char *text, size_t len, bool keep_null, orr_error *reterr) {
  if (!text) {
    lua_newtable(L);
    return 0;
  }
  luaL_checkstack(L, 4, "a JSON value");
  orr__scope *scope = orr__scope_push(L, release_json);
  scope->held = orr__json_parse(text, len, reterr);
  if (!scope->held) {
    lua_pop(L, 1);
    return reterr && reterr->code ? reterr->code : ORR_E_INVALID;
  }
  orr__push_json(L, scope->held, keep_null);
  orr__scope_close(scope);
  lua_remove(L, -2);
  return 0;
}
