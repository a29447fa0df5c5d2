/* Hook dispatch: a call set up, its hook run behind a guard, five fields written and collected, errors handled.
 *
 * The limit is bare LuaJIT doing as much as can be done without a runtime: one reused userdata with five C fields and a dirty mask,
 * one pooled coroutine, a status to look at. Beside it an empty lua_pcall, and what a hook that waits costs in memory. Ours is the
 * bindings through the operations struct the core uses: call and answer as in production, without core and store. */
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bench.h"
#include "bindings.h"
#include "registry.h"
#include "rig.h"

#define IN_FLIGHT 64

#define HOOK_BODY \
  "  n = n + 1\n" \
  "  r.progress = n % 100\n  r.sizeInBytes = n\n  r.durationMillis = n\n" \
  "  r.statusMessage = n % 2 == 0 and 'copying' or 'reading'\n  r.processId = n % 2 == 0 and 'p1' or 'p2'\n"

static const char provider_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1' }\n"
    "local n = 0\n"
    "function provider.executeBackup() end\n"
    "function provider.refreshBackupResult(r)\n" HOOK_BODY "end\n"
    "function provider.cancelBackup(r) sleep(1000) return true end\n"
    "function provider.deleteBackupResult(r)\n"
    "  local parts = {}\n"
    "  for i = 1, 200 do parts[#parts + 1] = ('job-%d is %s'):format(i, i % 3 == 0 and 'done' or 'running'):upper() end\n"
    "  return #table.concat(parts, ',') > 1000\n"
    "end\n"
    "function provider.prepareBackupResult(r)\n"
    "  local sum = 0\n"
    "  for i = 1, 3000 do sum = sum + i % 7 end\n"
    "  return sum > 0\n"
    "end\n"
    "return provider\n";

/* ---- the limit ---------------------------------------------------------------------------------------------------- */

enum bare_field { BARE_PROGRESS, BARE_SIZE, BARE_DURATION, BARE_MESSAGE, BARE_PROCESS, BARE_FIELDS };

typedef struct bare_object {
  unsigned dirty;
  double numbers[3];
  char texts[2][32];
} bare_object;

typedef struct bare {
  lua_State *L, *co;
  bare_object *object;
  int hook_ref, empty_ref, object_ref;
  unsigned long written;
} bare;

/* Upvalue 1 maps names to numbers, as a descriptor would. */
static int bare_newindex(lua_State *L) {
  bare_object *object = lua_touserdata(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  int field = (int)lua_tointeger(L, -1) - 1;
  if (field < 0 || field >= BARE_FIELDS) return luaL_error(L, "no such field");
  if (field < BARE_MESSAGE) {
    if (lua_type(L, 3) != LUA_TNUMBER) return luaL_error(L, "a number is wanted");
    object->numbers[field] = lua_tonumber(L, 3);
  } else {
    size_t len;
    const char *text = luaL_checklstring(L, 3, &len);
    if (len > 31) return luaL_error(L, "too long");
    memcpy(object->texts[field - BARE_MESSAGE], text, len + 1);
  }
  object->dirty |= 1u << field;
  return 0;
}

static void bare_open_state(bare *s) {
  static const char *const names[] = { "progress", "sizeInBytes", "durationMillis", "statusMessage", "processId" };
  lua_State *L = s->L = luaL_newstate();
  luaL_openlibs(L);
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* as provider code runs with Debian's LuaJIT */
  s->object = lua_newuserdata(L, sizeof *s->object);
  memset(s->object, 0, sizeof *s->object);
  lua_newtable(L);
  lua_newtable(L);
  for (int i = 0; i < BARE_FIELDS; i++) {
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, names[i]);
  }
  lua_pushcclosure(L, bare_newindex, 1);
  lua_setfield(L, -2, "__newindex");
  lua_setmetatable(L, -2);
  s->object_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  if (luaL_dostring(L, "local n = 0 return function(r)\n" HOOK_BODY "end, function() end")) bench_die("%s", lua_tostring(L, -1));
  s->empty_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  s->hook_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  s->co = lua_newthread(L);
}

__attribute__((noinline)) static double bare_dispatch(bare *s, long count) {
  double start = bench_now(), sum = 0;
  for (long i = 0; i < count; i++) {
    s->object->dirty = 0;
    lua_rawgeti(s->co, LUA_REGISTRYINDEX, s->hook_ref);
    lua_rawgeti(s->co, LUA_REGISTRYINDEX, s->object_ref);
    if (lua_resume(s->co, 1) != 0) bench_die("bare hook: %s", lua_tostring(s->co, -1));
    lua_settop(s->co, 0);
    for (unsigned rest = s->object->dirty; rest; rest &= rest - 1, s->written++) {
      int field = __builtin_ctz(rest);
      sum += field < BARE_MESSAGE ? s->object->numbers[field] : s->object->texts[field - BARE_MESSAGE][0];
    }
  }
  double took = bench_now() - start;
  return sum >= 0 ? took * 1e9 / (double)count : 0;
}

static double bare_empty(bare *s, long count) {
  double start = bench_now();
  for (long i = 0; i < count; i++) {
    lua_rawgeti(s->L, LUA_REGISTRYINDEX, s->empty_ref);
    if (lua_pcall(s->L, 0, 0, 0)) bench_die("empty pcall");
  }
  return (bench_now() - start) * 1e9 / (double)count;
}

/* ---- ours --------------------------------------------------------------------------------------------------------- */

typedef struct ours {
  orr__loop *loop;
  orr__http *http;
  orr__random random;
  orr__bindings *bindings;
  const orr__provider_ops *ops;
  orr__graph *free_graphs[IN_FLIGHT];
  orr__graph graphs[IN_FLIGHT];
  size_t free_count;
  uint64_t last_id;
  unsigned long answered, written, failed;
  bool is_waiting_kind;
} ours;

static void answered(void *core, orr__call *call, orr__answer *answer) {
  ours *o = core;
  o->answered++;
  if (answer->outcome != ORR_OUTCOME_SUCCESS) o->failed++;
  if (call->graph.result && o->free_count < IN_FLIGHT) {
    orr__object *object = &call->graph.result->head;
    o->written += (unsigned long)__builtin_popcountll(object->dirty);
    orr__object_clean(object);
    for (size_t i = 0; i < IN_FLIGHT; i++) /* back to where it came from */
      if (!o->graphs[i].result) {
        o->graphs[i] = call->graph;
        o->free_graphs[o->free_count++] = &o->graphs[i];
        memset(&call->graph, 0, sizeof call->graph);
        break;
      }
  }
  orr__call_free(call);
  orr__answer_clear(answer);
}

static void log_line(void *core, uint64_t id, const char *provider, enum orr__log_level level, const char *message) {
  (void)core, (void)id, (void)provider, (void)level;
  bench_note("log: %s", message);
}

static void changed(void *core, const char *code, const orr_error *err, bool works) {
  (void)core, (void)code, (void)works;
  if (err) bench_die("%s", orr__error_message(err));
}

static void ours_open(ours *o) {
  orr_error err = ORR_ERROR_INIT;
  memset(o, 0, sizeof *o);
  orr__random_seeded(&o->random, 1);
  int code = orr__loop_new(NULL, NULL, &o->loop, &err);
  if (!code) code = orr__http_new(o->loop, 0, &o->http, &err);
  orr__bindings_config config = { .loop = o->loop, .http = o->http, .random = &o->random,
                                  .host = { .core = o, .answered = answered, .log = log_line, .provider_changed = changed } };
  if (!code) code = orr__bindings_open(&config, &o->bindings, &err);
  if (!code) code = orr__bindings_add_source(o->bindings, "bench", provider_source, sizeof provider_source - 1, &err);
  if (code) bench_die("%s", orr__error_message(&err));
  o->ops = orr__bindings_ops(o->bindings);
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    o->graphs[i].result = seed_result((int64_t)i + 1, seed_now_ms());
    o->graphs[i].backup = seed_backup(1, "bench", 0);
    orr__object_clean(&o->graphs[i].result->head);
    orr__object_clean(&o->graphs[i].backup->head);
    o->free_graphs[o->free_count++] = &o->graphs[i];
  }
}

static void ours_close(ours *o) {
  orr__bindings_close(o->bindings);
  orr__http_free(o->http);
  orr__loop_free(o->loop);
  for (size_t i = 0; i < IN_FLIGHT; i++) orr__graph_clear(&o->graphs[i]);
}

static void ours_call(ours *o, enum orr__hook hook, orr__graph *graph) {
  orr_error err = ORR_ERROR_INIT;
  orr__call *call = orr__call_new(++o->last_id, hook, "bench");
  call->opts = orr__strdup("{}");
  call->config = orr__strdup("{}");
  call->execution_config = orr__strdup("{}");
  call->deadline_mono_ms = orr__loop_mono_ms(o->loop) + 60000000;
  if (graph) {
    call->graph = *graph;
    memset(graph, 0, sizeof *graph);
  }
  if (o->ops->call(o->ops->self, call, &err)) bench_die("%s", orr__error_message(&err));
}

__attribute__((noinline)) static double ours_hooks(ours *o, enum orr__hook hook, unsigned long count) {
  unsigned long end = o->answered + count, begun = 0;
  double start = bench_now();
  while (o->answered < end) {
    for (; begun < count && o->free_count > 0; begun++) ours_call(o, hook, o->free_graphs[--o->free_count]);
    orr__loop_step(o->loop, 0);
  }
  return (bench_now() - start) * 1e9 / (double)count;
}

static double ours_dispatch(ours *o, unsigned long count) {
  return ours_hooks(o, ORR_HOOK_refreshBackupResult, count);
}

/* Hooks that sleep: what each keeps. */
static double ours_waiting_bytes(ours *o, unsigned long count) {
  size_t before = bench_rss();
  for (unsigned long i = 0; i < count; i++) {
    orr__graph graph = { .result = seed_result(1, 1) };
    ours_call(o, ORR_HOOK_cancelBackup, &graph);
    if (i % 256 == 0) orr__loop_step(o->loop, 0);
  }
  for (int i = 0; i < 200; i++) orr__loop_step(o->loop, 0);
  return (double)(bench_rss() - before) / (double)count;
}

void case_dispatch(bench *b) {
  long count = b->is_smoke ? 2000 : 1000000;
  unsigned long ours_count = (unsigned long)(b->is_smoke ? 1000 : 200000), waiting = b->is_smoke ? 100 : 20000;
  series limit = { .count = 0 }, empty = { .count = 0 }, mine = { .count = 0 };
  bare s = { .written = 0 };
  ours o;
  bare_open_state(&s);
  ours_open(&o);
  bench_title("hook dispatch, five fields written");
  for (int i = 0; i < b->runs; i++) {
    series_add(&limit, bare_dispatch(&s, count));
    series_add(&mine, ours_dispatch(&o, ours_count));
    series_add(&empty, bare_empty(&s, count));
  }
  bench_show("an empty lua_pcall", "ns", &empty);
  bench_compare("a hook through reused userdata and a pooled coroutine; through the bindings", "ns", BENCH_COST, &limit, &mine, 0.4);
  /* A run's first writes change all five fields; messages and ids alternate per call, so some rows see no change. */
  bench_check(b, o.answered == ours_count * (unsigned long)b->runs && o.failed == 0, "dispatch: %lu calls answered, %lu failed", o.answered, o.failed);
  bench_check(b, s.written >= 5ul * (unsigned long)count, "dispatch: the bare hook wrote %lu fields", s.written);
  bench_check(b, o.written >= 3 * ours_count * (unsigned long)b->runs, "dispatch: our hook changed %lu fields", o.written);
  bench_note("memory: %.0f bytes for each of %lu hooks that wait (their call, result and coroutine)", ours_waiting_bytes(&o, waiting), waiting);
  bench_check(b, o.answered == ours_count * (unsigned long)b->runs, "dispatch: hooks that wait have not been answered");
  ours_close(&o);
  lua_close(s.L);
}

/* ---- limits ------------------------------------------------------------------------------------------------------- */

static void *plain_alloc(void *ud, void *block, size_t old_size, size_t new_size) {
  (void)ud, (void)old_size;
  if (new_size > 0) return realloc(block, new_size);
  free(block);
  return NULL;
}

/* Nanoseconds of processor time for each: a share of this size is lost in what else a shared machine does. */
static double hooks_cpu(ours *o, enum orr__hook hook, unsigned long count) {
  double cpu = bench_cpu();
  ours_hooks(o, hook, count);
  return (bench_cpu() - cpu) * 1e9 / (double)count;
}

/* No count hook and no counting allocator; the JIT stays as it is: off where it is off for provider code. */
static orr__version *lift_limits(ours *o) {
  orr__version *v = orr__provider_known(o->bindings, "bench")->current;
  lua_sethook(v->L, NULL, 0, 0);
  lua_setallocf(v->L, plain_alloc, v);
  return v;
}

/* What looking at the clock at each resume costs, which cannot be taken out of the unlimited one. */
static double slice_cost(orr__version *v, long count) {
  double cpu = bench_cpu();
  for (long i = 0; i < count; i++) orr__slice_begin(v, 50000000, 1);
  return (bench_cpu() - cpu) * 1e9 / (double)count;
}

static void limits_of(bench *b, ours *free, ours *limited, enum orr__hook hook, unsigned long count, const char *what) {
  series without = { .count = 0 }, with = { .count = 0 };
  orr__version *v = lift_limits(free);
  hooks_cpu(free, hook, count);
  hooks_cpu(limited, hook, count);
  for (int i = 0; i < b->runs; i++) {
    double looks = slice_cost(v, b->is_smoke ? 1000 : 1000000);
    series_add(&without, hooks_cpu(free, hook, count) - looks);
    series_add(&with, hooks_cpu(limited, hook, count));
  }
  bench_compare(what, "ns", BENCH_COST, &without, &with, 0.9);
}

void case_limits(bench *b) {
  unsigned long count = (unsigned long)(b->is_smoke ? 1000 : 100000), long_count = count / 50;
  ours free, limited;
  ours_open(&free);
  ours_open(&limited);
  bench_title("hooks without and with limits, the JIT alike");
  limits_of(b, &free, &limited, ORR_HOOK_refreshBackupResult, count, "a hook that writes five fields");
  limits_of(b, &free, &limited, ORR_HOOK_deleteBackupResult, long_count, "a hook that makes a text of 200 parts");
  limits_of(b, &free, &limited, ORR_HOOK_prepareBackupResult, long_count, "a hook that only adds numbers: 3,000 turns of a loop");
  unsigned long want = (count + 2 * long_count) * (unsigned long)(b->runs + 1);
  bench_check(b, free.answered == want && limited.answered == want && free.failed + limited.failed == 0,
              "limits: %lu and %lu calls answered, %lu failed", free.answered, limited.answered, free.failed + limited.failed);
  ours_close(&free);
  ours_close(&limited);
}
