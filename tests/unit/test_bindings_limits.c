/* Limits: loops, swallowed errors, memory, load time, and that other providers' hooks go on; the sandbox and the checks at load. */
#include "bindings_fake.h"

#include "registry.h"
#include "state.h"

static void load_as(fake *f, const char *code, const char *body) {
  orr_error err = ORR_ERROR_INIT;
  char *text = orr__strf("local provider = Provider { apiVersion = 1, code = '%s', name = 'T', version = '1', timeouts = { executeBackup = 1 } }\n%s\nreturn provider",
                         code, body);
  int rc = orr__bindings_add_source(f->bindings, code, text, strlen(text), &err);
  if (rc) fail_msg("%s", orr__error_message(&err));
  free(text);
}

static orr__call *call_of(fake *f, const char *code, enum orr__hook hook, int64_t timeout_ms) {
  orr__call *call = fake_call(f, hook);
  free(call->provider);
  call->provider = orr__strdup(code);
  call->deadline_mono_ms = orr__loop_mono_ms(f->loop) + timeout_ms;
  return call;
}

/* What computes when its deadline passes hears of nothing: it is dropped there, and the error says where it was. */
static void ends_at_its_deadline(const char *body) {
  fake f;
  fake_open(&f);
  load_as(&f, "bad", body);
  load_as(&f, "good", "function provider.executeBackup(b, r) sleep(0.5) r.externalId = 'ok' end");
  uint64_t bad = fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 1000));
  uint64_t good = fake_start(&f, call_of(&f, "good", ORR_HOOK_executeBackup, 60000));
  assert_success(fake_wait(&f, good));
  assert_in_range((uint64_t)orr__loop_mono_ms(f.loop), 500, 600);
  assert_int_equal(f.answered[bad], 0);
  orr__answer *answer = fake_wait(&f, bad);
  assert_int_equal(answer->outcome, ORR_OUTCOME_TIMEOUT);
  assert_int_equal(answer->error.code, ORR_E_DEADLINE);
  assert_in_range((uint64_t)orr__loop_mono_ms(f.loop), 1000, 1000 + ORR_SLICE_MS);
  assert_has(orr__error_message(&answer->error), "bad 1: executeBackup: bad.lua:2: the deadline of the hook has passed");
  assert_has(answer->traceback, "bad.lua:2: in function");
  /* The state is tainted: the next call runs in a fresh one. */
  load_as(&f, "bad", "function provider.executeBackup() end");
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 1000))));
  fake_close(&f);
}

static void test_limits__an_endless_loop_ends_at_its_deadline(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() while true do end end");
}

static void test_limits__a_loop_of_pcalls_ends_too(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() while true do pcall(function() while true do error('x') end end) end end");
}

static void test_limits__a_loop_in_an_authors_coroutine_ends_too(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() local f = coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end) f() end");
}

static void test_limits__a_loop_in_a_branch_of_parallel_ends_too(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() parallel{ function() while true do end end, function() sleep(1000) end } end");
}

static void test_limits__a_loop_of_swallowed_waits_ends_too(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() while true do pcall(sleep, 100) end end");
}

static void test_limits__a_loop_in_the_cleanup_ends_after_a_slice(void **state) {
  (void)state;
  ends_at_its_deadline("function provider.executeBackup() if not pcall(sleep, 100) then while true do end end end");
}

/* Letting go of very many branches takes a moment, not the square of one, and no more C stack than their depth is allowed. */
static void test_limits__parallels_in_parallels_are_bounded(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  load_as(&f, "bad", "local function bomb() local all = {} for i = 1, 100 do all[i] = bomb end parallel(all) end\n"
                     "function provider.executeBackup() bomb() end\n"
                     "local function down() parallel { down } end\n"
                     "function provider.deleteBackup() down() end");
  assert_error(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 60000))), "10000 branches at a time at most");
  assert_error(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_deleteBackup, 60000))), "nested more than 50 deep");
  fake_close(&f);
}

static void test_limits__a_call_prints_and_logs_so_many_lines(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  load_as(&f, "bad", "function provider.executeBackup() for i = 1, 2000 do if i % 2 == 0 then print('') else log.info('') end end end");
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 60000))));
  assert_has(f.log, "more than 1,000 lines");
  size_t lines = 0;
  for (const char *c = f.log; *c; c++) lines += *c == '\n';
  assert_int_equal(lines, 1001);
  fake_close(&f);
}

/* On the real clock, in turns of the loop, each of which has one slice: the hundred alone would take three hundred. */
static void test_limits__a_hundred_loops_have_the_turns_of_one(void **state) {
  (void)state;
  fake f;
  orr__loop *loop;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  fake_open_on(&f, loop, NULL, 0, 0);
  load_as(&f, "bad", "function provider.executeBackup() local all = {} for i = 1, 100 do all[i] = function() while true do end end end parallel(all) end");
  load_as(&f, "good", "function provider.executeBackup() local n = 0 for i = 1, 1.5e7 do n = n + i end end");
  uint64_t bad = fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 600000));
  for (int i = 0; i < 200; i++) orr__loop_step(f.loop, -1); /* all of them have begun */
  uint64_t good = fake_start(&f, call_of(&f, "good", ORR_HOOK_executeBackup, 600000));
  int turns = 0;
  for (; !f.answered[good]; turns++) orr__loop_step(f.loop, -1);
  if (turns > 150) fail_msg("it took %d turns", turns);
  assert_success(&f.answers[good]);
  assert_int_equal(f.answered[bad], 0);
  fake_close(&f);
}

static void test_limits__slices_do_not_change_results(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  load_as(&f, "bad", "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
                     "function provider.executeBackup(b, r)\n"
                     "  local inner = coroutine.wrap(function() for i = 20, 24 do coroutine.yield(fib(i)) end end)\n"
                     "  local sum = 0 for i = 1, 5 do sum = sum + inner() end\n"
                     "  local ok, value = pcall(fib, 24)\n"
                     "  r.externalId = sum .. '/' .. value\n"
                     "end");
  uint64_t id = fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 600000));
  assert_success(fake_wait(&f, id));
  assert_string_equal(f.ended[id]->graph.result->externalId, "110447/46368");
  assert_true(orr__loop_mono_ms(f.loop) > 100);
  fake_close(&f);
}

/* A few hundred instructions, each of which goes over megabytes. */
static void takes_slices(const char *body) {
  fake f;
  fake_open(&f);
  load_as(&f, "bad", body);
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 600000))));
  if (orr__loop_mono_ms(f.loop) < ORR_SLICE_MS) fail_msg("never taken off: %s", body);
  fake_close(&f);
}

static void test_limits__functions_that_go_over_megabytes_are_sliced(void **state) {
  (void)state;
  takes_slices("function provider.executeBackup() for i = 1, 5 do local s = ('x'):rep(1e7) end end");
  takes_slices("function provider.executeBackup() local s = ('x'):rep(4e6) for i = 1, 10 do s = s:sub(2) .. 'y' end end");
  takes_slices("function provider.executeBackup() local s = ('x'):rep(4e6) for i = 1, 10 do s:find('y', 1, true) end end");
  takes_slices("function provider.executeBackup() local s = ('x'):rep(1e5) for i = 1, 10 do s:match('^x*$') pcall(s.find, s, 'x-y') end end");
  takes_slices("function provider.executeBackup() local s = ('x'):rep(4e6) for i = 1, 10 do hash.sha256(s) hmac.sha512('k', s) end end");
  takes_slices("function provider.executeBackup(backup, result) local s = ('x'):rep(1e6) for i = 1, 10 do result:setConfigProperty('k', s .. i) end end");
  takes_slices("function provider.executeBackup() local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 20 do table.insert(t, 1, 0) end end");
  takes_slices("function provider.executeBackup() local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 5 do json.decode(json.encode(t)) end end");
}

static void test_limits__memory_ends_the_call_and_not_the_process(void **state) {
  (void)state;
  fake f;
  fake_open_with(&f, NULL, 4u << 20);
  load_as(&f, "bad", "local n = 0\n"
                     "function provider.executeBackup(b, r) local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1000) .. #t end) end end\n"
                     "function provider.deleteBackup() n = n + 1 return n == 1, 'n is ' .. n end");
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_deleteBackup, 60000))));
  uint64_t id = fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 60000));
  orr__answer *answer = fake_wait(&f, id);
  assert_error(answer, "bad 1: executeBackup: bad.lua:3: the memory limit of the provider, 4 MiB, was reached");
  assert_has(answer->traceback, "bad.lua:3: in function");
  assert_int_equal(answer->error.code, ORR_E_LIMIT);
  /* A fresh state from the same sources: n begins again. */
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_deleteBackup, 60000))));
  fake_close(&f);
}

static void test_limits__a_provider_declares_how_much_memory_it_needs(void **state) {
  (void)state;
  fake f;
  orr_error err = ORR_ERROR_INIT;
  fake_open_with(&f, NULL, 4u << 20);
  const char *text = "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1', memoryLimit = 16 }\n"
                     "function provider.executeBackup(b, r) local t = {} for i = 1, 8000 do t[i] = ('x'):rep(1000) .. i end end\nreturn provider";
  if (fake_load_text(&f, text, &err)) fail_msg("%s", orr__error_message(&err));
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  fake_close(&f);
}

static void test_limits__one_huge_block_is_an_error_to_catch(void **state) {
  (void)state;
  fake f;
  fake_open_with(&f, NULL, 4u << 20);
  load_as(&f, "bad", "function provider.executeBackup() local ok, err = pcall(string.rep, 'x', 1e8) assert(not ok) end");
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 60000))));
  fake_close(&f);
}

static void test_limits__garbage_within_the_limit_is_fine(void **state) {
  (void)state;
  fake f;
  fake_open_with(&f, NULL, 4u << 20);
  load_as(&f, "bad", "function provider.executeBackup() for i = 1, 40000 do local s = ('x'):rep(1000) .. i end end");
  assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "bad", ORR_HOOK_executeBackup, 600000))));
  fake_close(&f);
}

static const orr__version *version_of(fake *f, const char *code) {
  return orr__provider_known(f->bindings, code)->current;
}

/* Tries again where the machine was elsewhere for so long that the hook had to come more often. */
static void comes_after(const char *body, int least, int most) {
  int count = -1;
  for (int i = 0; i < 1000 && (count < least || count > most); i++) {
    fake f;
    orr__loop *loop;
    assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
    fake_open_on(&f, loop, NULL, 0, 0);
    load_as(&f, "good", body);
    assert_success(fake_wait(&f, fake_start(&f, call_of(&f, "good", ORR_HOOK_executeBackup, 600000))));
    count = version_of(&f, "good")->tick_count;
    fake_close(&f);
  }
  if (count < least || count > most) fail_msg("it comes after %d instructions: %s", count, body);
}

/* Where no instruction can go over much, the clock is looked at less often. */
static void test_limits__the_less_memory_the_longer_between_two_looks(void **state) {
  (void)state;
  comes_after("function provider.executeBackup() local n = 0 for i = 1, 1e5 do n = n + i end end", 2000, 2000);
  comes_after("local kept function provider.executeBackup() kept = ('x'):rep(4e6) local n = 0 for i = 1, 1e5 do n = n + i end end", 1, 250);
}

static void test_limits__what_the_checks_at_load_needed_is_given_back(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  load_as(&f, "good", FAKE_EXECUTE);
  if (version_of(&f, "good")->used > 400u << 10) fail_msg("%zu bytes in use", version_of(&f, "good")->used);
  fake_close(&f);
}

/* ---- at load ----------------------------------------------------------------------------------------------- */

static void refused(const char *text, const char *part) {
  fake f;
  orr_error err = ORR_ERROR_INIT;
  fake_open(&f);
  assert_int_equal(fake_load_text(&f, text, &err), ORR_E_PROVIDER);
  assert_has(orr__error_message(&err), part);
  orr__error_clear(&err);
  fake_close(&f);
}

#define PROVIDER(more) "local provider = Provider { apiVersion = 1, code = 'test', name = 'Test', version = '1.0'" more " }\n"

static void test_limits__a_file_that_loops_does_not_load(void **state) {
  (void)state;
  refused("\nwhile true do pcall(error) end", "test.lua:2: ran longer than 0.5 s");
  refused("local t = {} for i = 1, 1e9 do t[i] = { i } end", "test.lua:");
}

static void test_limits__syntax_errors_have_a_line(void **state) {
  (void)state;
  refused("local x = 1\nlocal y = = 2\n", "test.lua:2:");
}

static void test_limits__undefined_globals_are_found_without_running(void **state) {
  (void)state;
  refused(PROVIDER("") "function provider.executeBackup()\n  local t = { a = 1.5, 2, 'x' }\n  if t.b then\n    prnt(t)\n  end\nend\nreturn provider",
          "test.lua:5: undefined global 'prnt' (did you mean 'print'?)");
  refused(PROVIDER("") "function provider.executeBackup() return function() counter = 1 end end\nreturn provider",
          "test.lua:2: assignment to undeclared global 'counter' (make it local)");
}

static void test_limits__declarations_are_strict(void **state) {
  (void)state;
  refused("return {}", "declares no provider");
  refused(PROVIDER("") FAKE_EXECUTE, "returns a nil instead of its Provider");
  refused(PROVIDER(", refreshIntervall = 3") FAKE_EXECUTE FAKE_TAIL, "test.lua:1: Provider: unknown key 'refreshIntervall' (did you mean 'refreshInterval'?)");
  refused("local provider = Provider { apiVersion = 2, code = 'test', name = 'T', version = '1' }\n" FAKE_EXECUTE FAKE_TAIL, "apiVersion must be 1");
  refused("local provider = Provider { apiVersion = 1, code = 'tets', name = 'T', version = '1' }\n" FAKE_EXECUTE FAKE_TAIL, "code is 'tets' but the file is called 'test'");
  refused(PROVIDER("") "return provider", "the hook 'executeBackup' is missing");
  refused(PROVIDER("") "function provider.executBackup() end\nreturn provider", "test.lua:2: there is no hook 'executBackup' (did you mean 'executeBackup'?)");
  refused(PROVIDER(", memoryLimit = 2") FAKE_EXECUTE FAKE_TAIL, "memoryLimit must be a whole number of MiB from 4 to 1024");
  refused(PROVIDER(", memoryLimit = 67108864") FAKE_EXECUTE FAKE_TAIL, "memoryLimit must be a whole number of MiB from 4 to 1024");
  refused(PROVIDER(", timeouts = { executeBakup = 3 }") FAKE_EXECUTE FAKE_TAIL, "did you mean 'executeBackup'");
  refused(PROVIDER(", optionTypes = { { fieldName = 'a', inputType = 'txt' } }") FAKE_EXECUTE FAKE_TAIL, "optionTypes[1] a: inputType 'txt'");
  refused(PROVIDER(", optionTypes = { { fieldName = 'a', requird = true } }") FAKE_EXECUTE FAKE_TAIL, "did you mean 'required'");
  refused(PROVIDER(", optionTypes = { { fieldName = 'a', inputType = 'select' } }") FAKE_EXECUTE FAKE_TAIL, "needs choices or an optionSource");
  refused(PROVIDER(", needs = { http = { 'https://x.y/path' } }") FAKE_EXECUTE FAKE_TAIL, "without a path");
  /* The host of these is evil.test, and *.x.y would cover them. */
  refused(PROVIDER(", needs = { http = { 'https://evil.test?.x.y' } }") FAKE_EXECUTE FAKE_TAIL, "a host, and a port if need be");
  refused(PROVIDER(", needs = { http = { 'evil.test#.x.y' } }") FAKE_EXECUTE FAKE_TAIL, "a host, and a port if need be");
  refused(PROVIDER(", needs = { http = { 'u@x.y' } }") FAKE_EXECUTE FAKE_TAIL, "a host, and a port if need be");
  refused(PROVIDER(", needs = { http = { '${connection.serviceUrl}/api' } }") FAKE_EXECUTE FAKE_TAIL, "exactly one template");
  refused(PROVIDER(", needs = { http = { '${connection.serviceURL}' } }") FAKE_EXECUTE FAKE_TAIL, "'serviceURL', which is neither a text field of BackupProvider nor in connectionOptionTypes (did you mean 'serviceUrl'?)");
  refused(PROVIDER(", needs = { read = { '${option.pth}/x' } }, optionTypes = { { fieldName = 'path' } }") FAKE_EXECUTE FAKE_TAIL, "names 'pth', which is not in optionTypes (did you mean 'path'?)");
  refused(PROVIDER(", needs = { read = { '${option.host}' } }") FAKE_EXECUTE FAKE_TAIL, "names 'host', which is not in optionTypes");
  refused(PROVIDER(", optionTypes = { { fieldName = 'a', inputType = 'select', optionSource = 'slas' } }") FAKE_EXECUTE FAKE_TAIL, "test.lua: Provider: optionTypes[1] a: has the optionSource 'slas', but the provider has no hook optionSource");
  refused(PROVIDER(", optionTypes = { { fieldName = 'a', inputType = 'select', choices = { 'gold', 'silver' }, defaultValue = 'gould' } }") FAKE_EXECUTE FAKE_TAIL, "optionTypes[1] a: defaultValue 'gould' is none of the choices (did you mean 'gold'?)");
  refused(PROVIDER(", connectionOptionTypes = { { fieldName = 'a', inputType = 'select', choices = { { name = 'one', value = 1 } }, defaultValue = 3 } }") FAKE_EXECUTE FAKE_TAIL, "a: defaultValue '3' is none of the choices");
  refused(PROVIDER(", needs = { htpt = {} }") FAKE_EXECUTE FAKE_TAIL, "did you mean 'http'");
  refused(PROVIDER("") FAKE_EXECUTE "function provider.selfTest() return false, 'two is not three' end" FAKE_TAIL, "selfTest: two is not three");
  refused("sleep(1)\n" PROVIDER("") FAKE_EXECUTE FAKE_TAIL, "cannot be used while the provider loads");
}

static void test_limits__parts_that_agree_load(void **state) {
  (void)state;
  fake f;
  orr_error err = ORR_ERROR_INIT;
  fake_open(&f);
  const char *text = PROVIDER(", needs = { http = { '${connection.serviceUrl}', '${connection.region}' }, read = { '${option.deep.er}/x', '${opts.free}' } },"
    " connectionOptionTypes = { { fieldName = 'region' } }, optionTypes = { { fieldName = 'deep' },"
    " { fieldName = 'b', inputType = 'select', choices = { { name = 'two', value = 2 } }, defaultValue = 2 },"
    " { fieldName = 'c', inputType = 'select', choices = { 'x' }, optionSource = 'more', defaultValue = 'y' } }")
    FAKE_EXECUTE "function provider.optionSource() return {} end" FAKE_TAIL;
  if (fake_load_text(&f, text, &err)) fail_msg("%s", orr__error_message(&err));
  fake_close(&f);
}

static void test_limits__a_declaration_is_kept_whole(void **state) {
  (void)state;
  fake f;
  orr_error err = ORR_ERROR_INIT;
  const orr__declaration *d;
  fake_open(&f);
  const char *text = PROVIDER(", idempotent = true, visibilityDelay = 45, refreshInterval = 30, timeout = 21600, timeouts = { executeBackup = 120 },"
    " optionTypes = { { fieldName = 'sla', fieldLabel = 'SLA', inputType = 'select', choices = { 'gold', { name = 'Ag', value = 2 } }, defaultValue = 'gold', required = true, createOnly = true } },"
    " connectionOptionTypes = { { fieldName = 'token', inputType = 'password' } }, needs = { exec = { 'restic' } }")
    FAKE_EXECUTE "function provider.cancelBackup() return true end function provider.helper() end" FAKE_TAIL;
  if (fake_load_text(&f, text, &err)) fail_msg("%s", orr__error_message(&err));
  assert_int_equal(f.ops->describe(f.ops->self, "test", &d, NULL), 0);
  assert_true(d->is_idempotent && d->visibility_delay == 45 && d->refresh_interval == 30 && d->timeout == 21600);
  assert_true(d->hook_timeouts[ORR_HOOK_executeBackup] == 120);
  assert_true(orr__declares(d, ORR_HOOK_executeBackup) && orr__declares(d, ORR_HOOK_cancelBackup) && !orr__declares(d, ORR_HOOK_deleteBackup));
  assert_int_equal(d->option_count, 1);
  assert_string_equal(d->options[0].choices, "[{\"name\":\"gold\",\"value\":\"gold\"},{\"name\":\"Ag\",\"value\":2}]");
  assert_string_equal(d->options[0].default_value, "\"gold\"");
  assert_true(d->options[0].is_required && d->options[0].is_create_only);
  assert_string_equal(d->connection_options[0].input_type, "password");
  assert_string_equal(d->needs, "{\"exec\":[\"restic\"]}");
  assert_int_equal(strlen(d->sha256), 64);
  assert_true(d->loaded_ms == FAKE_EPOCH);
  fake_close(&f);
}

static void test_limits__the_sandbox_has_nothing_privileged(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup()\n"
                "  for _, name in ipairs{ 'io', 'debug', 'ffi', 'jit', 'package', 'dofile', 'loadfile', 'newproxy', 'getfenv', 'setfenv', 'module', 'gcinfo' } do\n"
                "    assert(rawget(_G, name) == nil, name)\n"
                "  end\n"
                "  assert(string.dump == nil and os.execute == nil and os.getenv == nil)\n"
                "  assert(type(getmetatable('')) == 'string' and type(getmetatable(_G)) == 'string')\n"
                "  assert(load('\\27LJ\\2') == nil and load('return 1 + 1')() == 2)\n"
                "  assert(not pcall(load, function() return 'x' end))\n"
                "  assert(tostring({}) == 'table' and tostring(print) == 'function')\n"
                "  assert(not pcall(collectgarbage, 'stop') and collectgarbage('count') > 0)\n"
                "  assert(not pcall(require, 'ffi') and require('json') == json)\n"
                "  assert(pcall(function() local f = load('undefinedName = 1') f() end) == false)\n"
                "  assert(select(2, pcall(load('return undefinedName'))):find('undefined global'))\n"
                "end");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  fake_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_limits__an_endless_loop_ends_at_its_deadline),
    cmocka_unit_test(test_limits__a_loop_of_pcalls_ends_too),
    cmocka_unit_test(test_limits__a_loop_in_an_authors_coroutine_ends_too),
    cmocka_unit_test(test_limits__a_loop_in_a_branch_of_parallel_ends_too),
    cmocka_unit_test(test_limits__a_loop_of_swallowed_waits_ends_too),
    cmocka_unit_test(test_limits__a_loop_in_the_cleanup_ends_after_a_slice),
    cmocka_unit_test(test_limits__parallels_in_parallels_are_bounded),
    cmocka_unit_test(test_limits__a_call_prints_and_logs_so_many_lines),
    cmocka_unit_test(test_limits__a_hundred_loops_have_the_turns_of_one),
    cmocka_unit_test(test_limits__slices_do_not_change_results),
    cmocka_unit_test(test_limits__functions_that_go_over_megabytes_are_sliced),
    cmocka_unit_test(test_limits__memory_ends_the_call_and_not_the_process),
    cmocka_unit_test(test_limits__a_provider_declares_how_much_memory_it_needs),
    cmocka_unit_test(test_limits__one_huge_block_is_an_error_to_catch),
    cmocka_unit_test(test_limits__garbage_within_the_limit_is_fine),
    cmocka_unit_test(test_limits__the_less_memory_the_longer_between_two_looks),
    cmocka_unit_test(test_limits__what_the_checks_at_load_needed_is_given_back),
    cmocka_unit_test(test_limits__a_file_that_loops_does_not_load),
    cmocka_unit_test(test_limits__syntax_errors_have_a_line),
    cmocka_unit_test(test_limits__undefined_globals_are_found_without_running),
    cmocka_unit_test(test_limits__declarations_are_strict),
    cmocka_unit_test(test_limits__parts_that_agree_load),
    cmocka_unit_test(test_limits__a_declaration_is_kept_whole),
    cmocka_unit_test(test_limits__the_sandbox_has_nothing_privileged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
