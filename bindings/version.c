/* Versions: compiled, looked over, run once under a budget, and only then taken for working.
 *
 *   sources -> compile all -> globals that nobody defines -> run the main file (ORR_LOAD_MS, nothing to wait for)
 *           -> what it returned -> declaration -> hooks -> selfTest
 *
 *           -> fields that no object has (fields_check.c), which are warnings
 *
 * Every step adds its findings; a version with an error among them is freed, warnings go with it. Nothing here touches the version that
 * is in use. Does not know where sources come from. */
#include "version.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "registry.h"
#include "value.h"
#include "where.h"

#define REG_MAIN "orrery.main"

void orr__sources_clear(orr__sources *sources) {
  for (size_t i = 0; i < sources->count; i++) {
    orr__source *s = &sources->items[i];
    free(s->module);
    free(s->chunk);
    free(s->path);
    free(s->text);
  }
  free(sources->items);
  memset(sources, 0, sizeof *sources);
}

int orr__sources_copy(orr__sources *to, const orr__sources *from) {
  orr__sources copy = { calloc(from->count, sizeof *copy.items), 0, "" };
  if (!copy.items) return ORR_E_NOMEM;
  memcpy(copy.sha256, from->sha256, sizeof copy.sha256);
  for (size_t i = 0; i < from->count; i++) {
    const orr__source *s = &from->items[i];
    orr__source *c = &copy.items[copy.count++];
    *c = (orr__source){ orr__strdup(s->module), orr__strdup(s->chunk), orr__strdup(s->path), malloc(s->len + 1), s->len };
    if (!c->text || !c->chunk || (s->module && !c->module) || (s->path && !c->path)) {
      orr__sources_clear(&copy);
      return ORR_E_NOMEM;
    }
    memcpy(c->text, s->text, s->len + 1);
  }
  *to = copy;
  return 0;
}

void orr__version_free(orr__version *v) {
  if (!v) return;
  orr__state_close(v);
  orr__sources_clear(&v->sources);
  orr__declaration_clear(&v->declaration);
  orr__json_free(v->needs);
  orr__json_free(v->granted);
  free(v->granted_text);
  orr__purse_unref(v->purse);
  free(v);
}

/* ---- the steps, each inside orr__protect ------------------------------------------------------------------- */

static void compile_all(lua_State *L, void *arg) {
  orr__version *v = arg;
  /* Of more than can be told nobody waits for the rest. */
  for (size_t i = 0; i < v->sources.count && v->findings->count < ORR_FINDINGS_MAX; i++) {
    const orr__source *s = &v->sources.items[i];
    lua_pushfstring(L, "@%s", s->chunk);
    if (luaL_loadbufferx(L, s->text, s->len, lua_tostring(L, -1), "t") != 0) {
      v->findings->rule = ORR_RULE_SYNTAX;
      orr__finding(v->findings, "%s", lua_tostring(L, -1));
    } else {
      orr__globals_check(L, s->chunk, v->findings);
      if (i == 0) lua_setfield(L, LUA_REGISTRYINDEX, REG_MAIN);
    }
    lua_settop(L, 0);
  }
}

struct run {
  orr__version *v;
  const char *what;          /* registry key of the function to run */
  lua_State *co;
  int ref;
  int status;
  char where[ORR_WHERE_MAX]; /* it was taken off */
};

static void prepare_run(lua_State *L, void *arg) {
  struct run *run = arg;
  run->co = lua_newthread(L);
  run->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getfield(L, LUA_REGISTRYINDEX, run->what);
  lua_xmove(L, run->co, 1);
}

static enum orr__rule rule_of(const struct run *run) { return strcmp(run->what, REG_MAIN) == 0 ? ORR_RULE_LOAD : ORR_RULE_SELF_TEST; }

static void report_run(lua_State *L, void *arg) {
  struct run *run = arg;
  orr__version *v = run->v;
  v->findings->rule = rule_of(run);
  if (run->status == LUA_YIELD) {
    char text[100];
    if (v->is_over) snprintf(text, sizeof text, "the memory limit was reached while it loaded");
    else snprintf(text, sizeof text, "ran longer than %g s while it loaded", ORR_LOAD_MS / 1000.0);
    if (*run->where) orr__finding(v->findings, "%s%s", run->where, text);
    else orr__finding_at(v->findings, v->sources.items[0].chunk, 0, 0, "%s", text);
  } else if (run->status != 0) {
    orr_error err = ORR_ERROR_INIT;
    lua_xmove(run->co, L, 1);
    orr__error_from_lua(L, -1, &err);
    orr__finding(v->findings, "%s", orr__error_message(&err));
    orr__error_clear(&err);
  }
}

static void report_no_memory(orr__version *v, const struct run *run) {
  v->findings->rule = rule_of(run);
  orr__finding_at(v->findings, v->sources.items[0].chunk, 0, 0, "out of memory while it loaded");
}

/* Runs a function of the registry in a coroutine under the budget of loading; true if it returned. */
static bool run_function(orr__version *v, const char *what, lua_State **ret_co) {
  struct run run = { v, what, NULL, LUA_NOREF, 0, "" };
  if (orr__protect(v, prepare_run, &run, NULL) != 0) return report_no_memory(v, &run), false;
  orr__slice_begin(v, ORR_LOAD_MS * INT64_C(1000000), 0);
  run.status = lua_resume(run.co, 0);
  v->is_sliced = false;
  if (v->stopped_at) free(orr__where(v, v->stopped_at, v->stopped_line, run.where));
  if (orr__protect(v, report_run, &run, NULL) != 0) report_no_memory(v, &run);
  *ret_co = run.co;
  return run.status == 0;
}

static void take_result(lua_State *L, void *arg) {
  struct run *run = arg;
  orr__version *v = run->v;
  const char *chunk = v->sources.items[0].chunk;
  v->findings->rule = ORR_RULE_NO_PROVIDER;
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_PROVIDER);
  if (lua_isnil(L, 1)) {
    orr__finding_at(v->findings, chunk, 0, 0, "declares no provider; it must say `local provider = Provider { ... }` and `return provider`");
    return;
  }
  if (lua_gettop(run->co) > 0) lua_xmove(run->co, L, 1);
  else lua_pushnil(L);
  v->findings->rule = ORR_RULE_NOT_RETURNED;
  if (!lua_rawequal(L, 1, -1))
    orr__finding_at(v->findings, chunk, 0, 0, "returns a %s instead of its Provider{...}; the last line should be `return provider`",
                    luaL_typename(L, -1));
}

static void take_declaration(lua_State *L, void *arg) {
  orr__version *v = arg;
  orr_error err = ORR_ERROR_INIT;
  orr__findings own = { 0 };
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_WHERE);
  const char *where = lua_tostring(L, -1);
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_DECLARATION);
  orr__json *map = orr__value_to_json(L, -1, &err);
  if (!map) {
    v->findings->rule = ORR_RULE_DECLARATION;
    orr__finding(v->findings, "%sProvider: %s", where ? where : "", orr__error_message(&err));
    orr__error_clear(&err);
    return;
  }
  orr__declare(&v->declaration, map, v->provider->code, &own);
  orr__json_free(map);
  orr__findings_move(v->findings, &own, where ? where : "");
}

static void take_hooks(lua_State *L, void *arg) {
  orr__version *v = arg;
  v->findings->rule = ORR_RULE_MISSING_HOOK;
  lua_getfield(L, LUA_REGISTRYINDEX, ORR_REG_PROVIDER);
  for (int i = 0; i < ORR_HOOK_COUNT; i++) {
    lua_pushstring(L, orr__hooks[i].name);
    lua_rawget(L, 1);
    if (lua_isfunction(L, -1)) {
      v->declaration.hooks |= 1u << i;
      v->hook_refs[i] = luaL_ref(L, LUA_REGISTRYINDEX);
      continue;
    }
    if (orr__hooks[i].flags & ORR_HOOK_NEEDED)
      orr__finding_at(v->findings, v->sources.items[0].chunk, 0, 0, "the hook '%s' is missing", orr__hooks[i].name);
    lua_pop(L, 1);
  }
  orr__declare_agree_hooks(&v->declaration, v->sources.items[0].chunk, v->findings);
  lua_pushliteral(L, "selfTest");
  lua_rawget(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "orrery.selfTest");
}

static void look_for_self_test(lua_State *L, void *arg) {
  lua_getfield(L, LUA_REGISTRYINDEX, "orrery.selfTest");
  *(bool *)arg = lua_isfunction(L, -1);
}

static void look_at_self_test(lua_State *L, void *arg) {
  struct run *run = arg;
  if (lua_gettop(run->co) == 0 || lua_toboolean(run->co, 1) || lua_isnil(run->co, 1)) return;
  lua_settop(run->co, 2);
  lua_xmove(run->co, L, 2);
  const char *msg = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "answered false";
  run->v->findings->rule = ORR_RULE_SELF_TEST;
  orr__finding_at(run->v->findings, run->v->sources.items[0].chunk, 0, 0, "selfTest: %s", msg);
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static int look_over(orr__version *v, orr_error *reterr) {
  lua_State *co = NULL;
  int rc = orr__protect(v, compile_all, v, reterr);
  if (rc) return rc;
  struct run run = { v, NULL, NULL, LUA_NOREF, 0, "" };
  if (orr__findings_have(v->findings, ORR_RULE_SYNTAX)) return 0;
  if (!run_function(v, REG_MAIN, &co)) return 0;
  run.co = co;
  rc = orr__protect(v, take_result, &run, reterr);
  if (rc) return rc;
  /* Without a declaration there is nothing more to look at. */
  if (orr__findings_have(v->findings, ORR_RULE_NO_PROVIDER)) return 0;
  rc = orr__protect(v, take_declaration, v, reterr);
  if (!rc) rc = orr__protect(v, take_hooks, v, reterr);
  if (rc || v->findings->errors > 0) return rc;
  bool has_self_test = false;
  rc = orr__protect(v, look_for_self_test, &has_self_test, reterr);
  if (rc || !has_self_test || !run_function(v, "orrery.selfTest", &co)) return rc;
  run.co = co;
  return orr__protect(v, look_at_self_test, &run, reterr);
}

/* Without memory for it nothing is said of them: they hold nothing back. */
static void note_warnings(orr__version *v) {
  orr__json *list = v->findings->count ? orr__findings_json(v->findings) : NULL;
  v->declaration.advice = orr__findings_text(v->findings);
  v->declaration.findings = list ? orr__json_print(list) : NULL;
  orr__json_free(list);
}

static int finish_declaration(orr__version *v, orr_error *reterr) {
  orr__declaration *d = &v->declaration;
  const orr__source *main = &v->sources.items[0];
  d->path = orr__strdup(main->path);
  memcpy(d->sha256, v->sources.sha256, sizeof d->sha256);
  d->loaded_ms = orr__loop_wall_ms(v->bindings->config.loop);
  if (d->memory_limit) v->limit = d->memory_limit;
  v->purse = orr__purse_new(v->limit);
  if (!v->purse) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  v->needs = orr__json_parse_map(d->needs, reterr);
  if (!v->needs) return ORR_E_NOMEM;
  if (main->path && !d->path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  note_warnings(v);
  return 0;
}

/* What the checks left behind is more than what the provider is made of; by itself the collector would let it lie till as much again is there. */
static void sweep_up(lua_State *L, void *arg) {
  (void)arg;
  lua_gc(L, LUA_GCCOLLECT, 0);
}

orr__version *orr__version_load(orr__provider *provider, orr__sources *sources, orr__findings *findings, orr_error *reterr) {
  orr__bindings *b = provider->bindings;
  orr__version *v = calloc(1, sizeof *v);
  if (!v) {
    orr__sources_clear(sources);
    orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    return NULL;
  }
  v->bindings = b;
  v->provider = provider;
  v->sources = *sources;
  memset(sources, 0, sizeof *sources);
  v->limit = b->config.memory_limit ? b->config.memory_limit : ORR_MEMORY_DEFAULT;
  v->findings = findings;
  int rc = orr__state_open(v, reterr);
  if (!rc) {
    v->is_loading = true;
    orr__slice_install(v);
    rc = look_over(v, reterr);
    v->is_loading = false;
  }
  for (size_t i = 0; !rc && i < v->sources.count; i++) orr__fields_check(v->sources.items[i].text, v->sources.items[i].len, v->sources.items[i].chunk, findings);
  if (!rc && findings->errors == 0) rc = finish_declaration(v, reterr);
  if (!rc && findings->errors == 0) rc = orr__protect(v, sweep_up, NULL, reterr);
  v->findings = NULL;
  if (!rc && findings->errors == 0) return v;
  orr__version_free(v);
  return NULL;
}
