/* The runtime's clocks and random numbers for Lua, and sleep. Wall time and chance come from the loop and the seeded
 * source, so that a run can be repeated; nothing here asks the system. Text is made in prelude/time.lua. */
#include <lauxlib.h>
#include <math.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "wait.h"

#define MS_MAX 253402300799999.0 /* the end of the year 9999 */
#define DAY_MS INT64_C(86400000)

/* ---- time -------------------------------------------------------------------------------------------------- */

static int time_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)orr__loop_wall_ms(orr__current_config(L)->loop));
  return 1;
}

static int time_mono(lua_State *L) {
  lua_pushnumber(L, (lua_Number)orr__loop_mono_ms(orr__current_config(L)->loop));
  return 1;
}

static int time_parse(lua_State *L) {
  const char *text = orr__arg_line(L, 1, "time.parse: text");
  int64_t ms;
  if (orr__iso_parse(text, &ms)) {
    lua_pushnumber(L, (lua_Number)ms);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "'%s' is no ISO 8601 date", text);
  return 2;
}

static int64_t check_ms(lua_State *L, const char *what) {
  double ms = orr__arg_number(L, 1, what, NAN);
  if (!(fabs(ms) <= MS_MAX)) orr__raise(L, "%s must be milliseconds since 1970", what);
  return (int64_t)floor(ms);
}

static int time_iso(lua_State *L) {
  char text[32];
  orr__iso_format(check_ms(L, "time.format: ms"), text);
  lua_pushstring(L, text);
  return 1;
}

/* civil(ms) -> year, month, day, hour, minute, second, millisecond, weekday (0: Sunday), day of the year (from 1) */
static int time_civil(lua_State *L) {
  int64_t ms = check_ms(L, "time: ms"), year;
  int month, day;
  int64_t days = ms / DAY_MS - (ms % DAY_MS < 0), rest = ms - days * DAY_MS;
  orr__civil_from_days(days, &year, &month, &day);
  lua_pushinteger(L, (lua_Integer)year);
  lua_pushinteger(L, month);
  lua_pushinteger(L, day);
  lua_pushinteger(L, (lua_Integer)(rest / 3600000));
  lua_pushinteger(L, (lua_Integer)(rest / 60000 % 60));
  lua_pushinteger(L, (lua_Integer)(rest / 1000 % 60));
  lua_pushinteger(L, (lua_Integer)(rest % 1000));
  lua_pushinteger(L, (lua_Integer)(((days + 4) % 7 + 7) % 7));
  lua_pushinteger(L, (lua_Integer)(days - orr__days_from_civil(year, 1, 1) + 1));
  return 9;
}

/* days(year, month, day) -> days since 1970; month and day may be out of range, as in C's mktime */
static int time_days(lua_State *L) {
  double year = orr__arg_number(L, 1, "os.time: year", NAN), month = orr__arg_number(L, 2, "os.time: month", NAN);
  double day = orr__arg_number(L, 3, "os.time: day", NAN);
  if (!(fabs(year) < 100000 && fabs(month) < 100000 && fabs(day) < 1e9)) orr__raise(L, "os.time: the date is out of range");
  double months = floor(year) * 12 + floor(month) - 1;
  double civil_year = floor(months / 12);
  int64_t first = orr__days_from_civil((int64_t)civil_year, (int)(months - civil_year * 12) + 1, 1);
  lua_pushnumber(L, (lua_Number)first + floor(day) - 1);
  return 1;
}

void orr__lib_time(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "now", time_now }, { "mono", time_mono }, { "parse", time_parse }, { "iso", time_iso }, { "civil", time_civil },
    { "days", time_days }, { NULL, NULL }
  };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- random ------------------------------------------------------------------------------------------------ */

/* number() -> 0 <= x < 1, with all 53 bits */
static int random_number(lua_State *L) {
  uint64_t bits = orr__random_u64(orr__current_config(L)->random);
  lua_pushnumber(L, (lua_Number)(bits >> 11) * 0x1p-53);
  return 1;
}

void orr__lib_random(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, random_number);
  lua_setfield(L, -2, "number");
}

/* ---- sleep ------------------------------------------------------------------------------------------------- */

typedef struct sleep_wait {
  orr__wait wait;
  orr__loop *loop;
  orr__timer timer;
  int64_t ms;
} sleep_wait;

static void wake(void *arg) {
  sleep_wait *w = arg;
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  sleep_wait *w = (sleep_wait *)wait;
  if (orr__timer_start(w->loop, &w->timer, orr__loop_mono_ms(w->loop) + w->ms, wake, w) == 0) return 0;
  return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

static void abort_sleep(orr__wait *wait) {
  sleep_wait *w = (sleep_wait *)wait;
  orr__timer_stop(w->loop, &w->timer);
  orr__wait_done(wait);
}

static int push(orr__wait *wait, lua_State *L) {
  (void)wait;
  lua_pushboolean(L, true);
  return 1;
}

static const orr__wait_kind kind = { "sleep", start, abort_sleep, push, NULL, NULL };

static int sleep_seconds(lua_State *L) {
  double seconds = orr__arg_number(L, 1, "sleep: seconds", NAN);
  if (!(seconds >= 0 && seconds <= 366.0 * 86400)) orr__raise(L, "sleep: seconds must be 0 to a year");
  sleep_wait *w = orr__wait_new(L, &kind, sizeof *w);
  w->loop = orr__current_config(L)->loop;
  w->ms = (int64_t)ceil(seconds * 1000);
  return orr__wait_start(L, &w->wait, NULL);
}

void orr__lib_sleep(lua_State *L) {
  lua_newtable(L);
  lua_pushcfunction(L, sleep_seconds);
  lua_setfield(L, -2, "sleep");
}
