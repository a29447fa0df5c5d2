/* log and secret: lines of the author's go to the host redacted and bounded; a value marked secret is never shown.
 *
 * Limits: LINE_MAX_BYTES bytes a line, LINES_MAX lines a call, those of print among them (one more line says so). What a file
 * writes while it loads counts as one call. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/buf.h"
#include "libraries.h"
#include "registry.h"
#include "scope.h"
#include "task.h"
#include "value.h"

enum { LINE_MAX_BYTES = 8192, LINES_MAX = 1000 };

void orr__log_line(lua_State *L, enum orr__log_level level, const char *text, size_t len) {
  orr__version *v = orr__version_of(L);
  const orr__bindings_config *config = &v->bindings->config;
  unsigned *lines = v->running ? &v->running->hc->log_lines : &v->log_lines;
  if (*lines > LINES_MAX) return;
  if (++*lines > LINES_MAX) text = "more than 1,000 lines: the rest of what this call logs is dropped", len = strlen(text);
  orr__scope *scope = orr__scope_push(L, free);
  char *redacted = scope->held = orr__redact(L, text, len, LINE_MAX_BYTES);
  if (!redacted) luaL_error(L, "out of memory");
  if (config->host.log) config->host.log(config->host.core, orr__call_id_for_core(orr__current_call(L)), v->provider->code, level, redacted);
  orr__scope_close(scope);
  lua_pop(L, 1);
}

/* write(level, text) */
static int log_write(lua_State *L) {
  size_t len;
  int level = (int)luaL_checkinteger(L, 1);
  const char *text = luaL_checklstring(L, 2, &len);
  orr__log_line(L, (enum orr__log_level)level, text, len);
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
  lua_pushcfunction(L, log_write);
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
