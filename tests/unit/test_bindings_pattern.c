/* The bounded matcher against LuaJIT's own string library: thousands of generated patterns must give the same results, and
 * the patterns that hang the stock matcher must end with an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "libraries.h"
#include "prelude.h"
#include "state.h"

static int raise(lua_State *L) {
  return luaL_error(L, "%s", lua_tostring(L, 1));
}

/* The library reports its work to the version of its state: one in which nothing runs. */
static orr__version version;

static void *allocate(void *ud, void *block, size_t old_size, size_t new_size) {
  (void)ud;
  (void)old_size;
  if (new_size) return realloc(block, new_size);
  free(block);
  return NULL;
}

/* Globals: ours (the public library) and stock. */
static int setup(void **state) {
  lua_State *L = lua_newstate(allocate, &version);
  luaL_openlibs(L);
  lua_getglobal(L, "string");
  lua_setglobal(L, "stock");
  const orr__prelude_file *file = orr__prelude;
  while (strcmp(file->name, "string") != 0) file++;
  assert_int_equal(luaL_loadbuffer(L, file->text, file->len, "=prelude/string.lua"), 0);
  orr__lib_string(L);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushcfunction(L, raise);
  lua_setfield(L, -2, "raise");
  lua_call(L, 3, 1);
  lua_setglobal(L, "ours");
  *state = L;
  return 0;
}

static int teardown(void **state) {
  lua_close(*state);
  return 0;
}

static void run(lua_State *L, const char *chunk) {
  if (luaL_loadbuffer(L, chunk, strlen(chunk), "@test.lua") || lua_pcall(L, 0, 0, 0)) fail_msg("%s", lua_tostring(L, -1));
}

static const char compare[] =
  "function describe(...)\n"
  "  local out = {}\n"
  "  for i = 1, select('#', ...) do local v = select(i, ...) out[i] = type(v) .. ':' .. tostring(v) end\n"
  "  return table.concat(out, '|')\n"
  "end\n"
  "function outcome(ok, ...)\n"
  "  if not ok then return 'error' end\n"
  "  return describe(...)\n"
  "end\n"
  "function same(what, subject, pattern, ...)\n"
  "  local a = outcome(pcall(stock[what], subject, pattern, ...))\n"
  "  local b = outcome(pcall(ours[what], subject, pattern, ...))\n"
  "  if a ~= b then error(('%s(%q, %q): stock %s, ours %s'):format(what, subject, pattern, a, b), 2) end\n"
  "end\n"
  "function all(lib, subject, pattern)\n"
  "  local out = {}\n"
  "  for a, b, c in lib.gmatch(subject, pattern) do out[#out + 1] = describe(a, b, c) if #out > 50 then break end end\n"
  "  return table.concat(out, ';')\n"
  "end\n"
  "function sameAll(subject, pattern)\n"
  "  local a, b = outcome(pcall(all, stock, subject, pattern)), outcome(pcall(all, ours, subject, pattern))\n"
  "  if a ~= b then error(('gmatch(%q, %q): stock %s, ours %s'):format(subject, pattern, a, b), 2) end\n"
  "end\n"
  "function everything(subject, pattern, init)\n"
  "  same('find', subject, pattern, init)\n"
  "  same('match', subject, pattern, init)\n"
  "  same('find', subject, pattern, init, true)\n"
  "  sameAll(subject, pattern)\n"
  "  same('gsub', subject, pattern, '<%0%1>')\n"
  "  same('gsub', subject, pattern, 'x', init)\n"
  "  same('gsub', subject, pattern, function(a, b) return a ~= 'a' and (b or a) end)\n"
  "  same('gsub', subject, pattern, { a = 'A', ab = 'B', b = false })\n"
  "end\n";

static const char generate[] =
  "local seed = 12345\n"
  "local function random(n) seed = (seed * 16807) % 2147483647 return seed % n + 1 end\n"
  "local atoms = { 'a', 'b', 'ab', '.', '%a', '%d', '%s', '%w', '%W', '%p', '%u', '%l', '%x', '%z', '%g', '%c', '%.', '%%', '[ab]', '[^a]', '[a-c]', '[%d_]',\n"
  "  '[]]', '[^]]', '[a-]', '[-a]', '[%a-z]', '[a-%%]', '%b()', '%bab', '%f[%a]', '%f[^a]', '(', ')', '()', '%1', '%2', '^', '$', ' ', '-', '1', '[', ']', '%', '%bx', '%f',\n"
  "  '(a)', '(.-)', '(%w+)', '(a*)', '(.)', '((a)b)' }\n"
  "local marks = { '', '', '', '*', '+', '-', '?' }\n"
  "local letters = { 'a', 'a', 'b', 'c', 'A', '1', ' ', '(', ')', '.', '-', '%', '_', ']', '\\0', '\\n', '\\200' }\n"
  "for round = 1, 6000 do\n"
  "  local pattern, subject = random(6) == 1 and '^' or '', ''\n"
  "  for i = 1, random(5) do pattern = pattern .. atoms[random(#atoms)] .. marks[random(#marks)] end\n"
  "  if random(5) == 1 then pattern = pattern .. '$' end\n"
  "  for i = 1, random(11) - 1 do subject = subject .. letters[random(#letters)] end\n"
  "  everything(subject, pattern, random(8) - 4)\n"
  "end\n";

static void test_pattern__gives_what_the_stock_library_gives(void **state) {
  run(*state, compare);
  run(*state, generate);
}

static void test_pattern__the_cases_people_know(void **state) {
  run(*state, compare);
  run(*state,
      "for _, case in ipairs{ {'hello world', 'o w'}, {'', ''}, {'abc', ''}, {'abc', '', 10}, {'abc', 'b', -1}, {'  trim  ', '^%s*(.-)%s*$'},\n"
      "  {'key = value', '(%w+)%s*=%s*(%w+)'}, {'THE (quick) fox', '%((%a+)%)'}, {'f(a(b)c)d', '%b()'}, {'THE (quick) fox', '%f[%a]%a+'},\n"
      "  {'2026-11-23', '(%d+)-(%d+)-(%d+)'}, {'aaa', 'a-b'}, {'x^y', '^x^y'}, {'a$b', 'a$b'}, {'abcabc', '(abc)%1'}, {'[x]', '[[]'}, {'a.b', '.', nil} }\n"
      "do everything(case[1], case[2], case[3]) end\n"
      "same('gsub', 'abc', '%w', '%%') same('gsub', 'abc', '%w', '%2') same('gsub', 'abc', '(%w)', '%1%1', 2) same('gsub', 'hello', '', '-')\n"
      "same('gsub', 'abc', 'b', 5) same('gsub', 'abc', 'b', true) same('gsub', 'abc', 'b') same('find', 5555, 55) same('gsub', 'a', 'a', function() return {} end)\n"
      "same('rep', 'ab', 3) same('rep', 'ab', -1) same('rep', '', 1e9) same('gsub', 'abc', '^a', 'x') same('gsub', 'aaa', '^a', function() return 'x' end)\n");
}

static void test_pattern__gives_up_on_what_would_hang(void **state) {
  struct timespec begun, ended;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun); /* not what others take of the machine */
  run(*state,
      "local long = ('x'):rep(3000)\n"
      "for _, pattern in ipairs{ '.-.-.-y', '.*.*.*y', '(.-)(.-)(.-)%3y' } do\n"
      "  for _, call in ipairs{ function() return ours.find(long, pattern) end, function() return ours.gsub(long, pattern, '') end,\n"
      "    function() return ours.gsub(long, pattern, function() end) end, function() for _ in ours.gmatch(long, pattern) do end end } do\n"
      "    local ok, err = pcall(call)\n"
      "    assert(not ok and err:find('too many steps', 1, true), tostring(err))\n"
      "  end\n"
      "end\n");
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
  assert_true(ended.tv_sec - begun.tv_sec < 20);
}

static void test_pattern__honest_work_on_a_megabyte_is_within_the_limit(void **state) {
  run(*state,
      "local text, lines = ('some log line with words 1234\\n'):rep(30000), 0\n"
      "for line in ours.gmatch(text, '[^\\n]+') do lines = lines + 1 end\n"
      "assert(lines == 30000)\n"
      "local _, count = ours.gsub(text, '%d+', '<%0>') assert(count == 30000)\n"
      "_, count = ours.gsub(text, '(%w+) (%w+)', function(a, b) return b .. a end) assert(count == 90000, count)\n"
      "assert(#ours.match(text, '^%s*(.-)%s*$') == #text - 1)\n");
}

static void test_pattern__a_replacement_function_may_yield(void **state) {
  run(*state,
      "local co = coroutine.wrap(function() return ours.gsub('a b c', '%a', function(l) return coroutine.yield(l) end) end)\n"
      "assert(co() == 'a') assert(co('1') == 'b') assert(co('2') == 'c')\n"
      "local text, count = co(false) assert(text == '1 2 c' and count == 3, text)\n");
}

static void test_pattern__rep_is_bounded(void **state) {
  run(*state, "local ok, err = pcall(ours.rep, 'x', 1e9) assert(not ok and err:find('16 MiB', 1, true))");
}

static void test_pattern__format_makes_text_of_tables_first(void **state) {
  run(*state,
      "local t = setmetatable({}, { __tostring = function() return coroutine.yield('asked') end })\n"
      "local co = coroutine.wrap(function() return ours.format('%s-%d', t, 5) end)\n"
      "assert(co() == 'asked') assert(co('T') == 'T-5')\n"
      "assert(ours.format('%5.1f|%q', 1.25, 'x') == stock.format('%5.1f|%q', 1.25, 'x'))\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_pattern__gives_what_the_stock_library_gives), TEST(test_pattern__the_cases_people_know),
    TEST(test_pattern__gives_up_on_what_would_hang), TEST(test_pattern__honest_work_on_a_megabyte_is_within_the_limit),
    TEST(test_pattern__a_replacement_function_may_yield), TEST(test_pattern__rep_is_bounded),
    TEST(test_pattern__format_makes_text_of_tables_first),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
