/* Values between Lua and JSON, and checked arguments, in a bare Lua state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "args.h"
#include "scope.h"
#include "value.h"

static int array(lua_State *L) {
  lua_settop(L, 1);
  orr__mark_array(L);
  return 1;
}

static const orr__param params[] = {
  { "url", ORR_P_LINE, true }, { "timeout", ORR_P_SECONDS, false }, { "argv", ORR_P_WORDS, false }, { "safe", ORR_P_BOOL, false },
  { "body", ORR_P_TEXT, false }, { "size", ORR_P_COUNT, false }, { NULL, ORR_P_ANY, false }
};

static int check(lua_State *L) {
  orr__args_check(L, 1, "http.request", params);
  return 0;
}

static int environment(lua_State *L) {
  const char **words = orr__environment(L, 1, "process.run: env");
  for (lua_newtable(L); *words; words++) {
    lua_pushstring(L, *words);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
  }
  return 1;
}

static int setup(void **state) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  orr__push_null(L);
  lua_setglobal(L, "null");
  lua_register(L, "array", array);
  lua_register(L, "check", check);
  lua_register(L, "environment", environment);
  *state = L;
  return 0;
}

static int teardown(void **state) {
  lua_State *L = *state;
  assert_int_equal(lua_gettop(L), 0);
  lua_close(L);
  return 0;
}

/* Leaves what the chunk returns on the stack. */
static void eval(lua_State *L, const char *text) {
  if (luaL_loadbuffer(L, text, strlen(text), "@provider.lua") || lua_pcall(L, 0, 1, 0)) fail_msg("%s: %s", text, lua_tostring(L, -1));
}

static void assert_prints(lua_State *L, const char *value, const char *json) {
  orr_error err = ORR_ERROR_INIT;
  lua_pushfstring(L, "return %s", value);
  eval(L, lua_tostring(L, -1));
  int top = lua_gettop(L);
  char *text = orr__value_to_text(L, -1, &err);
  assert_int_equal(lua_gettop(L), top);
  if (!text) fail_msg("%s: %s", value, orr__error_message(&err));
  assert_string_equal(text, json);
  free(text);
  lua_pop(L, 2);
}

static void assert_refused(lua_State *L, const char *chunk, const char *message) {
  orr_error err = ORR_ERROR_INIT;
  eval(L, chunk);
  assert_null(orr__value_to_json(L, -1, &err));
  assert_true(err.code == ORR_E_INVALID || err.code == ORR_E_LIMIT);
  if (!strstr(orr__error_message(&err), message)) fail_msg("%s: \"%s\" lacks \"%s\"", chunk, orr__error_message(&err), message);
  orr__error_clear(&err);
  lua_pop(L, 1);
}

static void test_value__prints_what_json_can_say(void **state) {
  lua_State *L = *state;
  assert_prints(L, "nil", "null");
  assert_prints(L, "null", "null");
  assert_prints(L, "true", "true");
  assert_prints(L, "'a\\\"b'", "\"a\\\"b\"");
  assert_prints(L, "{1, 'x', null, {}}", "[1,\"x\",null,{}]");
  assert_prints(L, "{a = {b = array{}}}", "{\"a\":{\"b\":[]}}");
  assert_prints(L, "array{a = 1}", "{\"a\":1}");
  assert_prints(L, "{}", "{}");
}

static void test_value__keeps_integers_whole(void **state) {
  lua_State *L = *state;
  assert_prints(L, "2^53", "9007199254740992");
  assert_prints(L, "-2^53", "-9007199254740992");
  assert_prints(L, "1e15", "1000000000000000");
  assert_prints(L, "1764000000000", "1764000000000");
  assert_prints(L, "0.1", "0.1");
  assert_prints(L, "1/3", "0.3333333333333333");
}

static void test_value__sorts_maps_so_that_a_run_can_be_repeated(void **state) {
  assert_prints(*state, "{ d = 1, b = 2, a = 3, c = 4, e = 5 }", "{\"a\":3,\"b\":2,\"c\":4,\"d\":1,\"e\":5}");
}

static void test_value__refusals_name_the_path(void **state) {
  lua_State *L = *state;
  assert_refused(L, "return {config = {disks = {1, {size = print}}}}", "config.disks[2].size is a function");
  assert_refused(L, "return {a = {0/0}}", "a[1] is no finite number");
  assert_refused(L, "return {a = math.huge}", "a is no finite number");
  assert_refused(L, "return {a = '\\255'}", "a is text that is not UTF-8");
  assert_refused(L, "return {a = 'x\\0y'}", "a is text that is not UTF-8");
  assert_refused(L, "return {a = {1, x = 2}}", "a has mixed keys");
  assert_refused(L, "return {a = {1, nil, 3}}", "a has mixed keys or holes");
  assert_refused(L, "return {a = {[true] = 2}}", "a has keys that are neither");
  assert_refused(L, "return {a = {[1.5] = 2}}", "a has keys that are neither");
  assert_refused(L, "return {['\\255'] = 2}", "has a key that is not UTF-8");
  assert_refused(L, "local t = {} t.x = {t} return {t}", "[1].x[1] contains itself");
  assert_refused(L, "local t = {} for i = 1, 250 do t = {t} end return t", "nested more than 200 deep");
  assert_refused(L, "return {a = coroutine.create(print)}", "a is a coroutine");
  assert_refused(L, "return {a = io.stdout}", "a is a userdata");
}

static void test_value__tables_that_share_tables_do_not_unfold_for_ever(void **state) {
  lua_State *L = *state;
  assert_refused(L, "local t = {} for i = 1, 60 do t = {t, t} end return t", "more than 300,000 values");
  assert_refused(L, "local t = {} for i = 1, 60 do t = {a = t, b = t} end return t", "more than 300,000 values");
  assert_refused(L, "local s = ('x'):rep(1e6) local t = {} for i = 1, 100 do t[i] = s end return t", "more than 16 MiB");
}

static void test_value__runs_no_metamethods(void **state) {
  assert_prints(*state, "setmetatable({a = 1}, {__index = error, __len = error, __pairs = error})", "{\"a\":1}");
}

static void test_value__the_deepest_allowed_table_passes(void **state) {
  lua_State *L = *state;
  eval(L, "local t = {} for i = 1, 199 do t = {t} end return t");
  orr__json *json = orr__value_to_json(L, 1, NULL);
  assert_non_null(json);
  orr__push_json(L, json, false);
  orr__json_free(json);
  lua_pop(L, 2);
}

static void push(lua_State *L, const char *text, bool keep_null) {
  orr_error err = ORR_ERROR_INIT;
  int code = orr__push_json_text(L, text, text ? strlen(text) : 0, keep_null, &err);
  if (code) fail_msg("%s: %s", text, orr__error_message(&err));
}

static void test_value__reads_json(void **state) {
  lua_State *L = *state;
  push(L, "{\"a\":[1,null,{\"b\":null}],\"big\":12345678901234567890,\"t\":true}", true);
  lua_setglobal(L, "v");
  eval(L, "return v.a[1] == 1 and v.a[2] == null and v.a[3].b == null and v.big == '12345678901234567890' and v.t == true");
  assert_true(lua_toboolean(L, -1));
  lua_pop(L, 1);
  push(L, "{\"a\":[1,null,{\"b\":null}]}", false);
  lua_setglobal(L, "v");
  eval(L, "return v.a[1] == 1 and v.a[2] == nil and v.a[3] ~= nil and v.a[3].b == nil");
  assert_true(lua_toboolean(L, -1));
  lua_pop(L, 1);
  push(L, NULL, false);
  assert_true(lua_istable(L, -1));
  lua_pop(L, 1);
}

static void test_value__an_empty_array_survives_the_round_trip(void **state) {
  lua_State *L = *state;
  push(L, "{\"a\":[],\"m\":{}}", false);
  char *text = orr__value_to_text(L, -1, NULL);
  assert_string_equal(text, "{\"a\":[],\"m\":{}}");
  free(text);
  lua_pop(L, 1);
}

static void test_value__bad_json_pushes_nothing(void **state) {
  lua_State *L = *state;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__push_json_text(L, "{\"a\":", 5, false, &err), ORR_E_INVALID);
  assert_int_equal(lua_gettop(L), 0);
  orr__error_clear(&err);
}

static int released;
static void release(void *held) {
  released += *(int *)held;
}

static int raise_with_scope(lua_State *L) {
  static int seven = 7;
  orr__scope_push(L, release)->held = &seven;
  return luaL_error(L, "oh");
}

static void test_scope__releases_after_a_raise(void **state) {
  lua_State *L = *state;
  released = 0;
  lua_pushcfunction(L, raise_with_scope);
  assert_int_not_equal(lua_pcall(L, 0, 0, 0), 0);
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT, 0);
  assert_int_equal(released, 7);
}

static void assert_misuse(lua_State *L, const char *chunk, const char *message) {
  if (luaL_loadbuffer(L, chunk, strlen(chunk), "@provider.lua")) fail_msg("%s", lua_tostring(L, -1));
  assert_int_not_equal(lua_pcall(L, 0, 0, 0), 0);
  if (strcmp(lua_tostring(L, -1), message) != 0) fail_msg("%s: \"%s\"", chunk, lua_tostring(L, -1));
  lua_pop(L, 1);
}

static void test_args__misuse_is_named_with_the_authors_line(void **state) {
  lua_State *L = *state;
  assert_misuse(L, "\ncheck{ url = 'x', tiemout = 3 }", "provider.lua:2: http.request: unknown argument 'tiemout' (did you mean 'timeout'?)");
  assert_misuse(L, "check{ url = 'x', wholly = 3 }", "provider.lua:1: http.request: unknown argument 'wholly'");
  assert_misuse(L, "check{ timeout = 3 }", "provider.lua:1: http.request: 'url' is missing (a string without NUL bytes)");
  assert_misuse(L, "check{ url = 3 }", "provider.lua:1: http.request: 'url' must be a string without NUL bytes, not 3");
  assert_misuse(L, "check{ url = 'a\\0b' }", "provider.lua:1: http.request: 'url' must be a string without NUL bytes, not string");
  assert_misuse(L, "check{ url = 'x', timeout = -1 }", "provider.lua:1: http.request: 'timeout' must be a number of seconds, 0 or more, not -1");
  assert_misuse(L, "check{ url = 'x', argv = { 'a', 3 } }", "provider.lua:1: http.request: 'argv' must be an array of strings, not a table with other things in it");
  assert_misuse(L, "check{ url = 'x', argv = { 'a', nil, 'b' } }", "provider.lua:1: http.request: 'argv' must be an array of strings, not a table with other things in it");
  assert_misuse(L, "check{ url = 'x', safe = 'yes' }", "provider.lua:1: http.request: 'safe' must be true or false, not string");
  assert_misuse(L, "check{ url = 'x', size = 1.5 }", "provider.lua:1: http.request: 'size' must be a whole number, 0 or more, not 1.5");
  assert_misuse(L, "check('x')", "provider.lua:1: http.request: takes a table of named arguments, not string");
  assert_misuse(L, "check{ 'x' }", "provider.lua:1: http.request: takes named arguments, not positions (key is a number)");
}

static void test_args__null_counts_as_absent(void **state) {
  lua_State *L = *state;
  eval(L, "check{ url = 'x', timeout = null } return 1");
  lua_pop(L, 1);
  assert_misuse(L, "check{ url = null }", "provider.lua:1: http.request: 'url' is missing (a string without NUL bytes)");
}

static void test_args__environment_takes_plain_values(void **state) {
  lua_State *L = *state;
  eval(L, "local e = environment{ A = 1, B = 'x', C = true, D = null } table.sort(e) return table.concat(e, ' ')");
  assert_string_equal(lua_tostring(L, -1), "A=1 B=x C=true");
  lua_pop(L, 1);
  assert_misuse(L, "environment{ ['A=B'] = 1 }", "provider.lua:1: process.run: env: names must be strings without '='");
  assert_misuse(L, "environment{ A = {} }", "provider.lua:1: process.run: env: the value of A must be a string, not table");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_value__prints_what_json_can_say), TEST(test_value__keeps_integers_whole),
    TEST(test_value__sorts_maps_so_that_a_run_can_be_repeated), TEST(test_value__refusals_name_the_path),
    TEST(test_value__tables_that_share_tables_do_not_unfold_for_ever), TEST(test_value__runs_no_metamethods), TEST(test_value__the_deepest_allowed_table_passes), TEST(test_value__reads_json),
    TEST(test_value__an_empty_array_survives_the_round_trip), TEST(test_value__bad_json_pushes_nothing),
    TEST(test_scope__releases_after_a_raise), TEST(test_args__misuse_is_named_with_the_authors_line),
    TEST(test_args__null_counts_as_absent), TEST(test_args__environment_takes_plain_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
