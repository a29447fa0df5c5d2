/* Where a coroutine is (where.h). Runs no Lua; does not know why somebody asks. */
#include "where.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define LEVELS_MAX 200

struct asked {
  lua_State *co;
  char *text;
};

static void trace(lua_State *L, void *arg) {
  struct asked *asked = arg;
  luaL_traceback(L, asked->co, NULL, 0);
  size_t len;
  const char *text = lua_tolstring(L, -1, &len);
  if (len <= ORR_TRACEBACK_MAX) asked->text = orr__strndup(text, len);
  else asked->text = orr__strf("%.*s\n\t...\n%s", ORR_TRACEBACK_MAX / 2, text, text + len - ORR_TRACEBACK_MAX / 2);
}

char *orr__where(orr__version *v, lua_State *co, int line, char ret_position[ORR_WHERE_MAX]) {
  struct asked asked = { co, NULL };
  lua_Debug info;
  *ret_position = '\0';
  for (int level = 0; level < LEVELS_MAX && lua_getstack(co, level, &info); level++) {
    /* The prelude's chunk names begin with '=', an author's with '@'. */
    if (lua_getinfo(co, "Sl", &info) == 0) continue;
    if (level == 0 && line > 0) info.currentline = line;
    if (info.source[0] == '=' || info.currentline <= 0) continue;
    snprintf(ret_position, ORR_WHERE_MAX, "%s:%d: ", info.short_src, info.currentline);
    break;
  }
  orr__protect(v, trace, &asked, NULL);
  return asked.text;
}
