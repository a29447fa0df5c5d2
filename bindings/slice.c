/* Time slices: the count hook that takes a coroutine off when its slice is over, by yielding, never by raising.
 *
 * Every TICK instructions, more in a state that has little memory, the hook looks at a clock (on a virtual loop it counts its ticks, so
 * that runs can be repeated). A slice ends after ORR_SLICE_MS or at the deadline of its call, whichever is first. One instruction may go over
 * megabytes: the allocator and the libraries report such work (orr__slice_work), and the hook comes at the next instruction. What
 * reports nothing (a comparison of long texts, a look through an emptied table) shows in the clock, and the hook then comes more often.
 *
 * It also is where a passed memory limit is noticed: it collects, looks again, and if that did not help the
 * call is never resumed. Where a coroutine cannot yield, inside a function that C called back, it is let be
 * for a second slice and then ended by an error at every instruction.
 *
 * Does not know what becomes of a coroutine that was taken off; task.c does. The hook does not fire inside compiled
 * code unless LuaJIT was built for it, hence the probe. */
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "task.h"

#define TICK 250                  /* instructions */
#define TICK_MOST 2000            /* the same, where all that an instruction could go over is little: */
#define TICK_WORK (512u << 20)    /* so many bytes, if each of a tick's went over all the memory there is */
#define VIRTUAL_TICKS 400         /* a slice on a virtual loop */
#define WORK_SHIFT 14             /* bytes that C functions went over, as ticks of a virtual loop */
#define LONG_TICK_NS 2000000      /* a tick that took longer had dear instructions in it: the next one has fewer */
#define SHORT_TICK_NS 200000
#define WAY_OUT_NS 5000000        /* what leaving coroutines, and functions of ours, takes at most */
#define PROBE_TICK 1000
#define PROBE_LOOPS "300000"
#define PROBE_FIRES 300           /* interpreted, the loop has over 600 ticks; compiled and unchecked, a handful */

int64_t orr__clock_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_virtual(const orr__version *v) {
  return orr__loop_is_virtual(v->bindings->config.loop);
}

void orr__slice_begin(orr__version *v, int64_t most_ns, int64_t deadline_mono_ms) {
  if (v->is_stuck) orr__slice_install(v);
  v->is_stuck = false;
  v->work = 0;
  v->slice_ticks = 0;
  v->stopped_at = NULL;
  v->slice_start_ns = v->tick_ns = orr__clock_ns();
  v->slice_ns = is_virtual(v) && !v->is_loading ? ORR_SLICE_MS * INT64_C(1000000) : most_ns;
  if (deadline_mono_ms <= 0 || is_virtual(v)) return;
  int64_t left = deadline_mono_ms * 1000000 - v->slice_start_ns;
  if (left < v->slice_ns) v->slice_ns = left > 0 ? left : 0;
}

static int64_t used_ns(const orr__version *v) {
  if (is_virtual(v)) return (int64_t)v->slice_ticks * ORR_SLICE_MS * 1000000 / VIRTUAL_TICKS;
  return v->tick_ns - v->slice_start_ns;
}

static void tick(lua_State *L, lua_Debug *info);

void orr__slice_work(orr__version *v, size_t bytes) {
  v->work += bytes;
  if (v->work < ORR_HEAVY_WORK || v->is_hurried || v->is_stuck || (!v->running && !v->is_loading)) return;
  v->is_hurried = true;
  lua_sethook(v->L, tick, LUA_MASKCOUNT, 1);
}

/* LuaJIT lets garbage grow to twice what lives, and has no second try when a block is refused: after heavy work it is collected in
 * time, so that a few large texts in a row do not meet the limit. */
static void collect_in_time(lua_State *L, orr__version *v) {
  if (v->used < v->limit / 2 || v->used < v->collected + v->limit / 8) return;
  lua_gc(L, LUA_GCCOLLECT, 0);
  v->collected = v->used;
}

static bool is_out_of_memory(lua_State *L, orr__version *v) {
  if (!v->is_over) return false;
  lua_gc(L, LUA_GCCOLLECT, 0);
  v->is_over = v->used > v->limit;
  return v->is_over;
}

static void set_count(lua_State *L, orr__version *v, int count) {
  v->tick_count = count;
  lua_sethook(L, tick, LUA_MASKCOUNT, count);
}

static int longest_tick(const orr__version *v) {
  int most = TICK;
  if (is_virtual(v)) return most;
  while (most < TICK_MOST && v->used * (size_t)most * 2 <= TICK_WORK) most *= 2;
  return most;
}

/* Looks at the clock, and sets the hook so that it comes again in good time: soon after dear instructions, else after a long tick. */
static void pace(lua_State *L, orr__version *v) {
  int64_t now = is_virtual(v) ? v->tick_ns : orr__clock_ns(), took = now - v->tick_ns;
  int count = v->tick_count, most = longest_tick(v);
  v->tick_ns = now;
  if (took > LONG_TICK_NS && count > 1) count = (int)(count * (int64_t)(LONG_TICK_NS / 2) / took);
  else if (took < SHORT_TICK_NS) count *= 2;
  if (count > most) count = most;
  if (count < 1) count = 1;
  if (count != v->tick_count) set_count(L, v, count);
}

static void take_off(lua_State *L, lua_Debug *info, orr__version *v) {
  v->is_sliced = true;
  if (v->stopped_at) { /* one around it, which was too long on its way out */
    lua_yield(L, 0);
    return;
  }
  v->stopped_at = L;
  /* Exact only here: of a coroutine that was taken off LuaJIT says the line of the instruction before. */
  v->stopped_line = lua_getinfo(L, "l", info) ? info->currentline : 0;
  lua_yield(L, 0);
}

/* In a function of ours between the author's, which is left soon: where it was stopped would tell the author nothing. */
static bool is_passing(lua_State *L, lua_Debug *info, const orr__version *v) {
  return used_ns(v) < v->slice_ns + WAY_OUT_NS && lua_getinfo(L, "S", info) && info->source[0] == '=';
}

static void tick(lua_State *L, lua_Debug *info) {
  orr__version *v = orr__version_of(L);
  if (v->is_hurried) {
    v->is_hurried = false;
    set_count(L, v, v->tick_count);
    collect_in_time(L, v);
  }
  v->slice_ticks += (unsigned)(v->work >> WORK_SHIFT);
  v->work = 0;
  if ((!v->running && !v->is_loading) || v->is_sliced) return;
  v->slice_ticks++;
  if (!v->is_stuck) pace(L, v);
  bool is_exhausted = is_out_of_memory(L, v);
  if (is_exhausted && v->running) v->running->hc->is_out_of_memory = true;
  /* Once one was taken off, the coroutines around it are on their way out. */
  if (!is_exhausted && used_ns(v) < v->slice_ns + (v->stopped_at ? WAY_OUT_NS : 0)) return;
  if (!is_exhausted && is_passing(L, info, v)) return;
  if (lua_isyieldable(L)) {
    take_off(L, info, v);
    return;
  }
  if (!is_exhausted && used_ns(v) < v->slice_ns + ORR_SLICE_MS * INT64_C(1000000)) return;
  /* At every instruction, or a pcall in a loop would swallow it for ever. */
  v->is_stuck = true;
  lua_sethook(L, tick, LUA_MASKCOUNT, 1);
  luaL_error(L, is_exhausted ? "memory limit reached" : "ran too long where it cannot be interrupted");
}

void orr__slice_install(orr__version *v) {
  set_count(v->L, v, TICK);
}

/* ---- the probe --------------------------------------------------------------------------------------------- */

static void count_fire(lua_State *L, lua_Debug *info) {
  (void)info;
  lua_getfield(L, LUA_REGISTRYINDEX, "fires");
  int *fires = lua_touserdata(L, -1);
  lua_pop(L, 1);
  if (fires) ++*fires;
}

/* Does the system let us write code and then run it? */
static bool may_make_code(void) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  bool may = mprotect(page, size, PROT_READ | PROT_EXEC) == 0;
  munmap(page, size);
  return may;
}

static int probe(lua_State *L) {
  int *fires = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_pushlightuserdata(L, fires);
  lua_setfield(L, LUA_REGISTRYINDEX, "fires");
  lua_sethook(L, count_fire, LUA_MASKCOUNT, PROBE_TICK);
  if (luaL_loadstring(L, "local x = 0 for i = 1, " PROBE_LOOPS " do x = x + i end return x") != 0) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

bool orr__slice_probe(void) {
  if (!may_make_code()) return false;
  lua_State *L = luaL_newstate();
  if (!L) return false;
  int fires = 0;
  bool works = lua_cpcall(L, probe, &fires) == 0;
  lua_close(L);
  return works && fires >= PROBE_FIRES;
}
