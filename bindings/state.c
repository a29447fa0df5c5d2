/* Lua states: the counting allocator, the one trampoline into Lua, opening with libraries and prelude, closing.
 *
 * The allocator never refuses small blocks while it is under twice the limit: it notes that the limit was passed and the count hook
 * (slice.c) judges after a collection. Single blocks over BIG_BLOCK that would pass the limit are refused at once, and
 * where no compiled code can run everything beyond twice the limit is too.
 *
 * Does not know what a provider is made of (version.c) nor which globals there are (sandbox.c). */
#include "state.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>

#include "registry.h"

#define BIG_BLOCK (1u << 20)
#define WORK_BLOCK 4096          /* filling smaller ones is an instruction's work like any other's */

static void *count_alloc(void *ud, void *block, size_t old_size, size_t new_size) {
  orr__version *v = ud;
  const orr__bindings_config *config = &v->bindings->config;
  if (new_size == 0) {
    if (config->allocate) config->allocate(config->allocate_arg, block, old_size, 0);
    else free(block);
    v->used -= old_size;
    return NULL;
  }
  if (new_size > old_size) {
    size_t grown = v->used - old_size + new_size;
    if (grown > v->limit) {
      if (new_size > BIG_BLOCK || (v->may_refuse && grown > 2 * v->limit)) return NULL;
      v->is_over = true;
    }
  }
  void *moved = config->allocate ? config->allocate(config->allocate_arg, block, old_size, new_size) : realloc(block, new_size);
  if (moved) v->used = v->used - old_size + new_size;
  if (moved && new_size > old_size && new_size >= WORK_BLOCK) orr__slice_work(v, new_size);
  return moved;
}

orr__version *orr__version_of(lua_State *L) {
  void *ud = NULL;
  lua_getallocf(L, &ud);
  return ud;
}

/* ---- the trampoline ---------------------------------------------------------------------------------------- */

struct entry {
  void (*fn)(lua_State *L, void *arg);
  void *arg;
  int code;
  orr_error err;
};

/* A string member without metamethods; NULL if it is none. The table keeps it alive. */
static const char *raw_string(lua_State *L, int table, const char *key) {
  lua_pushstring(L, key);
  lua_rawget(L, table);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 1);
  return text;
}

static void read_error_table(lua_State *L, int table, orr_error *err) {
  const char *message = raw_string(L, table, "message");
  const char *word = raw_string(L, table, "code");
  const char *where = raw_string(L, table, "where");
  int code = word ? orr__code_from_word(word) : 0;
  if (!message) message = word ? word : "an error table without a message";
  orr__error_set(err, code ? code : ORR_E_PROVIDER, "%s%s", where ? where : "", message);
  lua_pushliteral(L, "retryable");
  lua_rawget(L, table);
  err->retryable = lua_toboolean(L, -1);
  lua_pop(L, 1);
}

void orr__error_from_lua(lua_State *L, int index, orr_error *ret_err) {
  switch (lua_type(L, index)) {
  case LUA_TSTRING:
  case LUA_TNUMBER:
    lua_pushvalue(L, index);
    orr__error_set(ret_err, ORR_E_PROVIDER, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    break;
  case LUA_TTABLE:
    lua_pushvalue(L, index);
    read_error_table(L, lua_gettop(L), ret_err);
    lua_pop(L, 1);
    break;
  default:
    orr__error_set(ret_err, ORR_E_PROVIDER, "raised a %s value", luaL_typename(L, index));
  }
}

static int call_entry(lua_State *L) {
  struct entry *entry = lua_touserdata(L, 1);
  lua_settop(L, 0);
  entry->fn(L, entry->arg);
  return 0;
}

static int read_caught(lua_State *L) {
  struct entry *entry = lua_touserdata(L, 2);
  orr__error_from_lua(L, 1, &entry->err);
  entry->code = entry->err.code;
  return 0;
}

static void no_memory(lua_State *L, struct entry *entry) {
  lua_settop(L, 0);
  entry->code = orr__error_set(&entry->err, ORR_E_NOMEM, "out of memory");
}

/* Two protected calls: the second one guards the reading of what the first one caught. Both functions are there already, for
 * nothing outside of them may allocate. */
static void enter(orr__version *v, struct entry *entry) {
  lua_State *L = v->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, v->entry_ref);
  lua_pushlightuserdata(L, entry);
  int rc = lua_pcall(L, 1, 0, 0);
  if (rc == 0) return;
  if (rc != LUA_ERRMEM) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, v->caught_ref);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, entry);
    rc = lua_pcall(L, 2, 0, 0);
  }
  if (rc) no_memory(L, entry);
}

/* The same while the state is being opened and has no functions of ours. */
static int guard_entry(lua_State *L) {
  struct entry *entry = lua_touserdata(L, 1);
  lua_pushcfunction(L, call_entry);
  lua_insert(L, 1);
  int rc = lua_pcall(L, 1, 0, 0);
  if (rc == LUA_ERRMEM) entry->code = orr__error_set(&entry->err, ORR_E_NOMEM, "out of memory");
  else if (rc) {
    orr__error_from_lua(L, -1, &entry->err);
    entry->code = entry->err.code;
  }
  return 0;
}

int orr__protect(orr__version *v, void (*fn)(lua_State *L, void *arg), void *arg, orr_error *reterr) {
  struct entry entry = { fn, arg, 0, ORR_ERROR_INIT };
  if (v->caught_ref != LUA_NOREF) enter(v, &entry);
  else if (lua_cpcall(v->L, guard_entry, &entry) != 0) no_memory(v->L, &entry);
  if (entry.code) orr__error_move(reterr, &entry.err);
  return entry.code;
}

/* ---- open and close ---------------------------------------------------------------------------------------- */

static void open_libraries(lua_State *L, void *arg) {
  orr__version *v = arg;
  /* So that giving a reference back never allocates: the registry then has its free list. */
  lua_pushboolean(L, 1);
  luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
  lua_newtable(L);
  v->boxes_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  orr__sandbox_open(L);
  lua_pushcfunction(L, call_entry);
  v->entry_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushcfunction(L, read_caught);
  v->caught_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

int orr__state_open(orr__version *v, orr_error *reterr) {
  v->may_refuse = !v->bindings->may_jit;
  v->L = lua_newstate(count_alloc, v);
  if (!v->L) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory for a Lua state");
  if (!v->bindings->may_jit) luaJIT_setmode(v->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  for (int i = 0; i < ORR_HOOK_COUNT; i++) v->hook_refs[i] = LUA_NOREF;
  v->boxes_ref = v->box_meta_ref = v->entry_ref = v->caught_ref = LUA_NOREF;
  int rc = orr__protect(v, open_libraries, v, reterr);
  if (rc) orr__state_close(v);
  return rc;
}

void orr__state_close(orr__version *v) {
  if (v->L) lua_close(v->L);
  v->L = NULL;
  v->pool_len = 0;
}

const char *orr__bindings_library(void) { return LUAJIT_VERSION; }
