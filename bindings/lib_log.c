/* log and secret: lines of the author's go to the host redacted and bounded; a value marked secret is never shown.
 *
 * Limits: ORR_LOG_LINE bytes a line, LINES_MAX lines a call (one more line says so). Lines are counted per call in a small
 * table of slots by call id: a newer call may take a slot over, so a count can start again but never grows. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/buf.h"
#include "libraries.h"
#include "registry.h"
#include "scope.h"
#include "value.h"

enum { LINE_MAX_BYTES = 8192, LINES_MAX = 1000, SLOTS = 256 };

typedef struct slot {
  uint64_t call_id;
  unsigned lines;
} slot;

/* False once the call has written all it may; the last line allowed says that. */
static bool may_write(slot *slots, uint64_t call_id, bool *ret_last) {
  slot *s = &slots[call_id % SLOTS];
  if (s->call_id != call_id) *s = (slot){ call_id, 0 };
  if (s->lines > LINES_MAX) return false;
  *ret_last = ++s->lines > LINES_MAX;
  return true;
}

/* write(level, text): upvalue 1 holds the slots. */
static int log_write(lua_State *L) {
  const orr__bindings_config *config = orr__current_config(L);
  const orr__call *call = orr__current_call(L);
  int level = (int)luaL_checkinteger(L, 1);
  size_t len;
  const char *text = luaL_checklstring(L, 2, &len);
  bool is_last = false;
  if (!may_write(lua_touserdata(L, lua_upvalueindex(1)), call ? call->id : 0, &is_last)) return 0;
  if (is_last) text = "more than 1,000 lines: the rest of what this call logs is dropped", len = strlen(text);
  orr__scope *scope = orr__scope_push(L, free);
  char *redacted = scope->held = orr__redact(L, text, len, LINE_MAX_BYTES);
  if (!redacted) return luaL_error(L, "out of memory");
  if (config->host.log) {
    config->host.log(config->host.core, orr__call_id_for_core(call), orr__version_of(L)->provider->code, (enum orr__log_level)level, redacted);
  }
  orr__scope_close(scope);
  return 0;
}

/* json(value) -> text: what a table looks like in a line; a value that JSON cannot say is described instead. */
static int log_json(lua_State *L) {
  orr_error err = ORR_ERROR_INIT;
  orr__scope *scope = orr__scope_push(L, free);
  scope->held = orr__value_to_text(L, 1, &err);
  if (scope->held) {
    lua_pushstring(L, scope->held);
    orr__scope_close(scope);
  } else {
    lua_pushfstring(L, "(%s: %s)", luaL_typename(L, 1), orr__error_message(&err));
    orr__error_clear(&err);
  }
  return 1;
}

void orr__lib_log(lua_State *L) {
  lua_newtable(L);
  memset(lua_newuserdata(L, SLOTS * sizeof(slot)), 0, SLOTS * sizeof(slot));
  lua_pushcclosure(L, log_write, 1);
  lua_setfield(L, -2, "write");
  lua_pushcfunction(L, log_json);
  lua_setfield(L, -2, "json");
}

/* mark(text) */
static int secret_mark(lua_State *L) {
  size_t len;
  const char *text = orr__arg_text(L, 1, "secret: value", &len);
  orr__secret_add(L, text, len);
  return 0;
}

void orr__lib_secret(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, secret_mark);
  lua_setfield(L, -2, "mark");
}
