/* The string library's patterns on our bounded matcher, and a bounded string.rep.
 *
 * Results are those of the stock functions (tests compare them); what differs is that a match which takes too many
 * steps raises, and that long ones count as work of their slice. gsub with a function or table lives in
 * prelude/string.lua, because it calls Lua, which may wait; its searching is `next` here. Everything else of the stock
 * library passes through unchanged. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "libraries.h"
#include "pattern.h"
#include "scope.h"
#include "state.h"

#define REP_MAX (16u << 20)
enum { CACHE_MAX = 200, STEP_WORK = 16 };
static const char cache_key; /* its address */

/* Pushes the compiled pattern, from the cache of this state if it is there. */
static const orr__pattern *push_pattern(lua_State *L, const char *text, size_t len) {
  lua_pushlightuserdata(L, (void *)&cache_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushlightuserdata(L, (void *)&cache_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
  }
  lua_pushlstring(L, text, len);
  lua_rawget(L, -2);
  if (lua_isuserdata(L, -1)) {
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
  }
  lua_pop(L, 1);
  orr__pattern *pattern = lua_newuserdata(L, orr__pattern_size(len));
  orr__pattern_compile(pattern, text, len);
  lua_rawgeti(L, -2, 1);
  lua_Integer count = lua_tointeger(L, -1) + 1;
  lua_pop(L, 1);
  if (count > CACHE_MAX) { /* start again; patterns in use are held by their users */
    lua_pushlightuserdata(L, (void *)&cache_key);
    lua_pushnil(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
  } else {
    lua_pushlstring(L, text, len);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_pushinteger(L, count);
    lua_rawseti(L, -3, 1);
  }
  lua_remove(L, -2);
  return pattern;
}

static bool try_match(lua_State *L, const orr__pattern *pattern, orr__match *m, size_t at, size_t *ret_end) {
  uint64_t before = m->steps_left;
  bool found = orr__pattern_match(pattern, m, at, ret_end);
  orr__slice_work(orr__version_of(L), (size_t)(before - m->steps_left) * STEP_WORK);
  if (m->error) orr__raise(L, "%s", m->error);
  return found;
}

/* Pushes capture i (from 0); without any, number 0 is the whole match. */
static void push_capture(lua_State *L, const orr__pattern *pattern, const orr__match *m, unsigned i, size_t from, size_t to) {
  if (i >= pattern->captures) {
    if (i != 0) orr__raise(L, "invalid capture index");
    lua_pushlstring(L, m->subject + from, to - from);
    return;
  }
  size_t start = m->captures[i].start, len = m->captures[i].len;
  if (len == ORR_PATTERN_OPEN) orr__raise(L, "unfinished capture");
  if (len == ORR_PATTERN_POSITION) lua_pushinteger(L, (lua_Integer)start + 1);
  else lua_pushlstring(L, m->subject + start, len);
}

static int push_captures(lua_State *L, const orr__pattern *pattern, const orr__match *m, size_t from, size_t to, bool whole) {
  unsigned count = pattern->captures == 0 && whole ? 1 : pattern->captures;
  luaL_checkstack(L, (int)count + 4, "too many captures");
  for (unsigned i = 0; i < count; i++) push_capture(L, pattern, m, i, from, to);
  return (int)count;
}

/* Where `init` (from 1, negative from the end) lies in a subject of len bytes. */
static size_t start_offset(lua_Integer init, size_t len) {
  if (init < 0) init += (lua_Integer)len + 1;
  if (init <= 0) return 0;
  return (size_t)(init - 1) > len ? len : (size_t)(init - 1);
}

static bool is_plain(const char *pattern, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (pattern[i] && strchr("^$*+?.([%-", pattern[i])) return false;
  }
  return true;
}

static int find_plain(lua_State *L, const char *subject, size_t len, const char *what, size_t what_len, size_t at) {
  orr__slice_work(orr__version_of(L), len - at);
  const char *hit = what_len == 0 ? subject + at : memmem(subject + at, len - at, what, what_len);
  if (!hit) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)(hit - subject) + 1);
  lua_pushinteger(L, (lua_Integer)(hit - subject) + (lua_Integer)what_len);
  return 2;
}

static int search(lua_State *L, bool is_find) {
  size_t len, text_len, end;
  const char *subject = luaL_checklstring(L, 1, &len), *text = luaL_checklstring(L, 2, &text_len);
  size_t at = start_offset(luaL_optinteger(L, 3, 1), len);
  if (is_find && (lua_toboolean(L, 4) || is_plain(text, text_len))) return find_plain(L, subject, len, text, text_len, at);
  bool is_anchored = text_len > 0 && text[0] == '^';
  const orr__pattern *pattern = push_pattern(L, text + is_anchored, text_len - is_anchored);
  orr__match m;
  orr__match_init(&m, subject, len);
  for (; at <= len; at++) {
    if (try_match(L, pattern, &m, at, &end)) {
      if (!is_find) return push_captures(L, pattern, &m, at, end, true);
      lua_pushinteger(L, (lua_Integer)at + 1);
      lua_pushinteger(L, (lua_Integer)end);
      return 2 + push_captures(L, pattern, &m, at, end, false);
    }
    if (is_anchored) break;
  }
  lua_pushnil(L);
  return 1;
}

static int string_find(lua_State *L) {
  return search(L, true);
}

static int string_match(lua_State *L) {
  return search(L, false);
}

/* Upvalues: subject, compiled pattern, where to go on. */
static int gmatch_step(lua_State *L) {
  size_t len, end;
  const char *subject = lua_tolstring(L, lua_upvalueindex(1), &len);
  const orr__pattern *pattern = lua_touserdata(L, lua_upvalueindex(2));
  orr__match m;
  orr__match_init(&m, subject, len);
  for (size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3)); at <= len; at++) {
    if (!try_match(L, pattern, &m, at, &end)) continue;
    lua_pushinteger(L, (lua_Integer)(end == at ? end + 1 : end));
    lua_replace(L, lua_upvalueindex(3));
    return push_captures(L, pattern, &m, at, end, true);
  }
  lua_pushinteger(L, (lua_Integer)len + 1);
  lua_replace(L, lua_upvalueindex(3));
  return 0;
}

static int string_gmatch(lua_State *L) {
  size_t len;
  luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &len);
  lua_pushvalue(L, 1);
  push_pattern(L, text, len);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, gmatch_step, 3);
  return 1;
}

/* Appends the replacement text for one match, %0 to %9 filled in. */
static void add_replacement(lua_State *L, luaL_Buffer *out, const char *text, size_t len, const orr__pattern *pattern,
                            const orr__match *m, size_t from, size_t to) {
  for (size_t i = 0; i < len; i++) {
    if (text[i] != '%') {
      luaL_addchar(out, text[i]);
      continue;
    }
    unsigned char c = ++i < len ? (unsigned char)text[i] : 0;
    if (c < '0' || c > '9') {
      luaL_addchar(out, (char)c);
    } else if (c == '0') {
      luaL_addlstring(out, m->subject + from, to - from);
    } else {
      push_capture(L, pattern, m, c - '1', from, to);
      luaL_addvalue(out);
    }
  }
}

/* gsub(s, pattern, text, n): the replacement is a string. */
static int string_gsub(lua_State *L) {
  size_t len, text_len, with_len, end, at = 0;
  const char *subject = luaL_checklstring(L, 1, &len), *text = luaL_checklstring(L, 2, &text_len);
  const char *with = luaL_checklstring(L, 3, &with_len);
  double most = lua_isnoneornil(L, 4) ? (double)len + 1 : luaL_checknumber(L, 4), count = 0;
  bool is_anchored = text_len > 0 && text[0] == '^';
  const orr__pattern *pattern = push_pattern(L, text + is_anchored, text_len - is_anchored);
  orr__match m;
  orr__match_init(&m, subject, len);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  while (count + 1 <= most) {
    bool found = try_match(L, pattern, &m, at, &end);
    if (found) {
      count++;
      add_replacement(L, &out, with, with_len, pattern, &m, at, end);
    }
    if (found && end > at) at = end;
    else if (at < len) luaL_addchar(&out, subject[at++]);
    else break;
    if (is_anchored) break;
  }
  luaL_addlstring(&out, subject + at, len - at);
  luaL_pushresult(&out);
  lua_pushnumber(L, count);
  return 2;
}

/* next(s, pattern, at, one) -> from, to, captures...: the first match at offset `at` (from 0) or behind it, as offsets; nil
 * if there is none. '^' anchors at `at`. one: only the first capture is wanted. */
static int string_next(lua_State *L) {
  size_t len, text_len, end;
  const char *subject = luaL_checklstring(L, 1, &len), *text = luaL_checklstring(L, 2, &text_len);
  bool is_anchored = text_len > 0 && text[0] == '^';
  const orr__pattern *pattern = push_pattern(L, text + is_anchored, text_len - is_anchored);
  orr__match m;
  orr__match_init(&m, subject, len);
  for (size_t at = (size_t)luaL_checkinteger(L, 3); at <= len; at++) {
    if (try_match(L, pattern, &m, at, &end)) {
      lua_pushinteger(L, (lua_Integer)at);
      lua_pushinteger(L, (lua_Integer)end);
      if (!lua_toboolean(L, 4)) return 2 + push_captures(L, pattern, &m, at, end, true);
      push_capture(L, pattern, &m, 0, at, end);
      return 3;
    }
    if (is_anchored) break;
  }
  return 0;
}

static int string_rep(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  lua_Number times = luaL_checknumber(L, 2);
  if (times < 1 || len == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  if (times * (double)len > REP_MAX) orr__raise(L, "string.rep: the result would be larger than 16 MiB");
  size_t total = (size_t)times * len;
  orr__slice_work(orr__version_of(L), total); /* a text that is there already is not allocated again */
  orr__scope *scope = orr__scope_push(L, free);
  char *out = scope->held = malloc(total);
  if (!out) return luaL_error(L, "out of memory");
  memcpy(out, text, len);
  for (size_t done = len; done < total; done *= 2) memcpy(out + done, out, done < total - done ? done : total - done);
  lua_pushlstring(L, out, total);
  orr__scope_close(scope);
  return 1;
}

/* needsText(...): is there a value among them that string.format does not make text of by itself? */
static int needs_text(lua_State *L) {
  bool needs = false;
  for (int i = lua_gettop(L); i > 0 && !needs; i--) {
    int type = lua_type(L, i);
    needs = type == LUA_TTABLE || type == LUA_TUSERDATA || type == LUA_TFUNCTION || type == LUA_TTHREAD;
  }
  lua_pushboolean(L, needs);
  return 1;
}

void orr__lib_string(lua_State *L) {
  static const luaL_Reg ours[] = {
    { "find", string_find }, { "match", string_match }, { "gmatch", string_gmatch }, { "gsub", string_gsub },
    { "next", string_next }, { "rep", string_rep }, { "needsText", needs_text }, { NULL, NULL }
  };
  static const char *const stock[] = { "byte", "char", "format", "len", "lower", "reverse", "sub", "upper", NULL };
  lua_newtable(L);
  lua_getglobal(L, LUA_STRLIBNAME);
  if (!lua_istable(L, -1)) luaL_error(L, "the stock string library is not open");
  for (const char *const *name = stock; *name; name++) {
    lua_getfield(L, -1, *name);
    lua_setfield(L, -3, *name);
  }
  lua_pop(L, 1);
  luaL_register(L, NULL, ours);
}
