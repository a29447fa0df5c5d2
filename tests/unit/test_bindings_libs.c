/* The libraries that need no other side: json, base64, hash, url, uuid, time, os, math, log, secret, fs, retry, poll and session, through
 * real hooks of a provider from memory. */
#include "bindings_libs_fake.h"

static void test_libs__json_goes_there_and_back(void **state) {
  libs_ok(*state, "",
          "local text = json.encode{ b = { 1, json.null, 'x' }, a = json.array{} } assert(text == '{\"a\":[],\"b\":[1,null,\"x\"]}', text)\n"
          "local v = json.decode(text) assert(v.b[3] == 'x' and v.b[2] == nil and #v.a == 0 and json.encode(v.a) == '[]')\n"
          "assert(json.decode('[null]', { nulls = true })[1] == json.null) assert(tostring(json.null) == 'null')\n"
          "local nothing, err = json.decode('{\"a\":') assert(nothing == nil and err:find('line 1', 1, true), err)\n"
          "nothing, err = json.encode{ config = { disks = { { size = print } } } } assert(nothing == nil and err:find('config.disks[1].size', 1, true), err)\n"
          "assert(json.encode({ a = 1 }, { pretty = true }):find('\\n')) local ok, misuse = pcall(json.decode, '1', { null = true })\n"
          "assert(not ok and tostring(misuse):find(\"did you mean 'nulls'\", 1, true), tostring(misuse))\n"
          "assert(json.encode(backupResult):find('INITIALIZING'))");
}

static void test_libs__bytes_as_text(void **state) {
  libs_ok(*state, "",
          "assert(base64.encode('a\\0b') == 'YQBi' and base64.decode('YQBi') == 'a\\0b' and base64.encodeUrl('\\255\\254') == '__4')\n"
          "local nothing, err = base64.decode('!') assert(nothing == nil and err)\n"
          "assert(hash.sha256('abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad') assert(#hash.sha512('abc') == 128 and #hash.sha256('', true) == 32)\n"
          "assert(hmac.sha256('key', 'The quick brown fox jumps over the lazy dog') == 'f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8')\n"
          "assert(#hmac.sha512('k', 'v', true) == 64) assert(uuid.valid(uuid.new()) and uuid.new() ~= uuid.new() and not uuid.valid('x') and not uuid.valid(5))");
}

static void test_libs__urls(void **state) {
  libs_ok(*state, "",
          "local u = url.parse('HTTPS://Example.com/a/b?x=1#f') assert(u.origin == 'https://example.com:443' and u.path == '/a/b' and u.query == 'x=1' and u.port == 443)\n"
          "local nothing, err = url.parse('ftp://x') assert(nothing == nil and err)\n"
          "assert(url.encode('a b/\\255') == 'a%20b%2F%FF' and url.decode('a%20b+c') == 'a b+c' and url.decode('a+b', true) == 'a b') assert(url.decode('%2') == nil)\n"
          "assert(url.query{ b = 2, a = { 'x', 'y z' }, c = true } == 'a=x&a=y%20z&b=2&c=true') local q = url.query('a=1&a=2&b=%26&c') assert(q.a[2] == '2' and q.b == '&' and q.c == '')\n"
          "assert(url.build{ host = 'h', port = 81, path = 'p', query = { x = 1 } } == 'https://h:81/p?x=1' and url.build{ host = '::1' } == 'https://[::1]')\n"
          "assert(url.join('https://h/api/', '/v1/', 'jobs') == 'https://h/api/v1/jobs')\n"
          "assert(url.path('https://h/api/', 'vm', 'VirtualMachine:::a/b c?', 3164444000000001) == 'https://h/api/vm/VirtualMachine:::a%2Fb%20c%3F/3164444000000001')\n"
          "assert(not pcall(url.path, 'https://h', '..') and not pcall(url.path, 'https://h', '') and not pcall(url.path, 'https://h', '.'))");
}

static void test_libs__pages_end_or_raise(void **state) {
  libs_ok(*state, "",
          "local function walk(links) local asked = {} for page in http.pages{ query = { page = 1 }, next = function(p) return links[p.n] end,\n"
          "  get = function(query) asked[#asked + 1] = query.page return { n = #asked } end } do assert(page.n == #asked) end return asked end\n"
          "local asked = walk{ 'https://elsewhere/x?page=2', '/x?page=3#top' } assert(#asked == 3 and asked[2] == '2' and asked[3] == '3')\n"
          "assert(#walk{ '?page=2', '' } == 2)\n"
          "local ok, err = pcall(walk, { '?page=2', '?page=1' }) assert(not ok and err.code == 'limit' and not err.retryable)\n"
          "ok, err = pcall(walk, { 'no query' , 'no query' }) assert(not ok and err.code == 'limit')\n"
          "local endless = setmetatable({}, { __index = function(_, n) return '?page=' .. n + 1 end }) ok, err = pcall(walk, endless) assert(not ok and err.code == 'limit')");
}

static void test_libs__time_is_the_loops_and_utc(void **state) {
  libs_ok(*state, "",
          "assert(time.now() == 1795000000000 and os.time() == 1795000000) assert(time.parse('2026-11-23T06:50:24.5+01:00') == 1795413024500)\n"
          "local nothing, err = time.parse('yesterday') assert(nothing == nil and err) assert(time.format(1795413024500) == '2026-11-23T05:50:24.500Z')\n"
          "assert(time.format(1795413024500, '%Y%m%d-%H%M%S.%L %a %b %j %%') == '20261123-055024.500 Mon Nov 327 %') assert(time.format(1795413024000, '%F %T') == '2026-11-23 05:50:24')\n"
          "local ok, seconds = pcall(time.format, 1795413024) assert(not ok and seconds:find('seconds?', 1, true))\n"
          "assert(time.seconds('1h30m') == 5400 and time.seconds('90') == 90 and time.seconds('2d 4h') == 187200 and time.seconds('500ms') == 0.5 and time.seconds('PT1H30M') == 5400)\n"
          "assert(time.seconds('soon') == nil and time.seconds('5 parsecs') == nil) assert(time.add(1795000000000, 1.5) == 1795000001500 and time.fromSeconds(1795000000.25) == 1795000000250)\n"
          "assert(os.time{ year = 2026, month = 11, day = 23, hour = 0 } == 1795392000) assert(os.date('!%Y-%m-%d', 1795392000) == '2026-11-23')\n"
          "local t = os.date('*t', 1795392000) assert(t.year == 2026 and t.month == 11 and t.day == 23 and t.wday == 2 and t.yday == 327) assert(os.time(t) == 1795392000)\n"
          "assert(os.execute == nil or true) local before = time.now() sleep(2.5) assert(time.now() - before == 2500 and time.since(before) == 2.5)");
}

static void test_libs__chance_repeats_with_the_seed(void **state) {
  libs_fake *t = *state;
  libs_ok(t, "",
          "for i = 1, 1000 do local r, d = math.random(), math.random(6) assert(r >= 0 and r < 1 and d >= 1 and d <= 6 and d % 1 == 0) end\n"
          "math.randomseed(1) local n = math.random(-3, 3) assert(n >= -3 and n <= 3) assert(not pcall(math.random, 0)) log.info('%d', math.random(1000000))");
  char *first = orr__strdup(t->f.log);
  t->f.log[0] = '\0';
  orr__random_seeded(&t->f.random, 1);
  assert_success(fake_run(&t->f, ORR_HOOK_executeBackup));
  assert_string_equal(t->f.log, first);
  free(first);
}

static void test_libs__log_lines_are_redacted_and_bounded(void **state) {
  libs_fake *t = *state;
  libs_ok(t, "",
          "secret('hunter2hunter2') log.info('pass %s and %s', 'hunter2hunter2', { token = base64.encode('hunter2hunter2'), n = 1 }) log.warn('100% sure')\n"
          "log.error(nil) log.debug(true) log.info('%5.1f|%s|%s', 1.5, print, { f = print }) log.info(('x'):rep(9000))");
  assert_has(t->f.log, "pass *** and {\"n\":1,\"token\":\"***");
  assert_has(t->f.log, "100% sure\nnil\ntrue\n  1.5|function|(table: f is a function");
  assert_null(strstr(t->f.log, "aHVudGVy"));
  assert_null(strstr(t->f.log, "hunter2"));
}

static void test_libs__secrets_are_redacted_as_json_writes_them(void **state) {
  libs_fake *t = *state;
  libs_ok(t, "", "secret('BEGIN\\nhunter2\\n\"END\"') log.info('%s', json.encode{ key = 'BEGIN\\nhunter2\\n\"END\"' })");
  assert_has(t->f.log, "{\"key\":\"***\"}");
}

static void test_libs__no_part_of_a_secret_is_left_at_a_cut(void **state) {
  libs_fake *t = *state;
  libs_ok(t, "", "secret('hunter2hunter2') local pad = ('x'):rep(8188) log.info(pad .. 'hunter2hunter2') print('[' .. ('y'):rep(65530) .. 'hunter2hunter2')");
  assert_null(strstr(t->f.log, "hunt"));
  assert_error(libs_run(t, "", "secret('hunter2hunter2') return ('z'):rep(50) .. 'hunter2hunter2'"), "zzz***\"");
  orr__answer *answer = libs_run(t, "", "secret('hunter2hunter2') return true, ('z'):rep(65530) .. 'hunter2hunter2'");
  assert_success(answer);
  assert_int_equal(strlen(answer->msg), 65533);
  assert_null(strstr(answer->msg, "hunt"));
}

static void test_libs__base64_of_a_secret_leaves_no_bits_of_it(void **state) {
  libs_fake *t = *state;
  libs_ok(t, "", "secret('hunter2hunter2') for _, before in ipairs{ '', 'u', 'us', 'use' } do for _, after in ipairs{ '', '.', '..' } do\n"
                 "log.info('[%s]', base64.encode(before .. 'hunter2hunter2' .. after)) end end");
  /* Of the whole groups around it, only characters that hold nothing of the secret: those of `before` and `after` alone. */
  assert_has(t->f.log, "[***=]\n[***u]\n[***uLg==]\n");
  assert_has(t->f.log, "[d***]\n");
  assert_has(t->f.log, "[dX***=");
  assert_has(t->f.log, "[dXNl***=]");
}

static void test_libs__a_bad_format_names_the_value_and_the_line(void **state) {
  libs_fake *t = *state;
  assert_error(libs_run(t, "", "\nlog.info('%d of %d', 1, nil)"), "test.lua:6: log: value 2 of the format: number expected, got ");
}

static int counted_lines;
static void count_line(void *core, uint64_t id, const char *provider, enum orr__log_level level, const char *message) {
  (void)core;
  (void)id;
  assert_string_equal(provider, "test");
  assert_int_equal(level, ORR_LOG_INFO);
  assert_true(strlen(message) <= 8192);
  counted_lines++;
}

static void test_libs__a_call_writes_a_thousand_lines(void **state) {
  libs_fake *t = *state;
  orr__bindings_close(t->f.bindings);
  orr__bindings_config config = {
    .loop = t->f.loop, .random = &t->f.random, .host = { .core = &t->f, .answered = fake_answered, .mark_sent = fake_mark_sent, .checkpoint = fake_checkpoint, .results = fake_results, .log = count_line, .provider_changed = fake_changed },
  };
  assert_int_equal(orr__bindings_open(&config, &t->f.bindings, NULL), 0);
  t->f.ops = orr__bindings_ops(t->f.bindings);
  counted_lines = 0;
  libs_ok(t, "", "for i = 1, 3000 do log.info(('ä'):rep(5000)) end");
  assert_int_equal(counted_lines, 1001);
}

static void test_libs__files_where_needs_allows(void **state) {
  libs_fake *t = *state;
  char *needs = orr__strf("read = { '%s' }, write = { '%s/w' }", t->dir, t->dir);
  libs_ok(t, needs,
          "assert(fs.mkdir(DIR .. '/w/a/b') == true and fs.mkdir(DIR .. '/w/a/b') == false) fs.write(DIR .. '/w/a/f', 'bytes\\0') assert(fs.read(DIR .. '/w/a/f') == 'bytes\\0')\n"
          "assert(fs.exists(DIR .. '/w/a/f') and not fs.exists(DIR .. '/nope') and fs.stat(DIR .. '/nope') == nil)\n"
          "local st = fs.stat(DIR .. '/w/a/f') assert(st.type == 'file' and st.size == 6 and st.modified > 1e12) assert(fs.stat(DIR).type == 'directory')\n"
          "local names = fs.list(DIR .. '/w/a') assert(#names == 2 and names[1] == 'b' and names[2] == 'f')\n"
          "assert(hash.file(DIR .. '/w/a/f') == hash.sha256('bytes\\0'))\n"
          "local ok, err = pcall(fs.remove, DIR .. '/w/a') assert(not ok and err.code == 'io') assert(fs.remove(DIR .. '/w/a', { recursive = true }) and not fs.exists(DIR .. '/w/a'))\n"
          "assert(fs.remove(DIR .. '/w/a') == false) ok, err = pcall(fs.read, DIR .. '/nope') assert(not ok and err.code == 'not_found')\n"
          "ok, err = pcall(fs.write, DIR .. '/elsewhere', 'x') assert(not ok and err.code == 'denied' and err.message:find('needs'), err.message)\n"
          "ok, err = pcall(fs.read, '/etc/passwd') assert(not ok and err.code == 'denied') ok, err = pcall(fs.read, 'relative') assert(not ok and tostring(err):find('absolute'))\n"
          "ok, err = pcall(fs.write, DIR .. '/w/big', ('x'):rep(1048577)) assert(not ok and err.code == 'limit')\n"
          "fs.write(DIR .. '/w/p', 'x', { private = true }) assert(fs.stat(DIR .. '/w/p').mode == 384) fs.write(DIR .. '/w/q', 'y') assert(fs.stat(DIR .. '/w/q').mode == 420)\n"
          "fs.rename(DIR .. '/w/p', DIR .. '/w/q') assert(fs.read(DIR .. '/w/q') == 'x' and not fs.exists(DIR .. '/w/p'))\n"
          "ok, err = pcall(fs.rename, DIR .. '/w/p', DIR .. '/w/q') assert(not ok and err.code == 'not_found' and err.message:find('/w/p to '), err.message)\n"
          "ok, err = pcall(fs.rename, DIR .. '/w/q', DIR .. '/out') assert(not ok and err.code == 'denied') ok, err = pcall(fs.rename, DIR .. '/x', DIR .. '/w/q') assert(not ok and err.code == 'denied')\n"
          "fs.mkdir(DIR .. '/w/c/d') fs.mkdir(DIR .. '/w/e') ok, err = pcall(fs.rename, DIR .. '/w/e', DIR .. '/w/c') assert(not ok and err.code == 'exists')");
  free(needs);
}

static void test_libs__removing_follows_no_link(void **state) {
  libs_fake *t = *state;
  char path[128], link[128];
  snprintf(path, sizeof path, "%s/precious", t->dir);
  assert_int_equal(mkdir(path, 0755), 0);
  snprintf(link, sizeof link, "%s/w", t->dir);
  assert_int_equal(mkdir(link, 0755), 0);
  snprintf(link, sizeof link, "%s/w/tree", t->dir);
  assert_int_equal(mkdir(link, 0755), 0);
  snprintf(link, sizeof link, "%s/w/tree/link", t->dir);
  assert_int_equal(symlink(path, link), 0);
  char *needs = orr__strf("write = { '%s/w' }", t->dir);
  libs_ok(t, needs, "assert(fs.remove(DIR .. '/w/tree', { recursive = true }))");
  assert_int_equal(access(path, F_OK), 0);
  assert_int_not_equal(access(link, F_OK), 0);
  free(needs);
}

static void test_libs__a_large_file_is_hashed_by_a_child(void **state) {
  libs_fake *t = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/large", t->dir);
  FILE *file = fopen(path, "w");
  assert_int_equal(ftruncate(fileno(file), 5 << 20), 0);
  fclose(file);
  char *needs = orr__strf("read = { '%s' }", t->dir);
  libs_ok(t, needs, "assert(hash.file(DIR .. '/large') == 'c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29')");
  assert_int_equal(t->f.marks, 0);
  free(needs);
}

static void test_libs__retry_and_poll(void **state) {
  libs_ok(*state, "",
          "local n, begun = 0, time.now() local v = retry{ run = function(attempt) n = n + 1 if n < 3 then error({ code = 'unreachable', retryable = true }) end return attempt end }\n"
          "assert(v == 3 and time.since(begun) > 1.5 and time.since(begun) < 5)\n"
          "local ok, err = pcall(retry, { run = function() n = n + 1 error({ code = 'denied', message = 'no' }) end }) assert(not ok and err.code == 'denied' and n == 4)\n"
          "ok, err = pcall(retry, { attempts = 2, run = function() n = n + 1 error({ code = 'io', retryable = true }) end }) assert(not ok and n == 6)\n"
          "ok, err = pcall(retry, { atempts = 2, run = print }) assert(not ok and tostring(err):find(\"did you mean 'attempts'\", 1, true))\n"
          "n = 0 assert(poll{ every = 3, check = function() n = n + 1 return n == 4 and 'yes' end } == 'yes')\n"
          "ok, err = pcall(poll, { timeout = 7, check = function() return false end }) assert(not ok and err.code == 'timeout' and err.retryable)");
}

#define LOGIN(opening) \
  "local opened, closed = 0, 0\n" \
  "local login = session{ name = 'api', ttl = 100, open = function() opened = opened + 1 " opening " return { token = 'tok-' .. opened } end,\n" \
  "  close = function(old) closed = closed + 1 log.info('closed ' .. (old.token == 'tok-1' and 'the first' or 'another')) end }\n"

static void test_session__is_opened_once_however_many_wait(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN("sleep(1)"), "local v = login:get() assert(v.token == 'tok-1' and opened == 1, opened)");
  uint64_t ids[5];
  for (int i = 0; i < 5; i++) ids[i] = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  for (int i = 0; i < 5; i++) assert_success(fake_wait(&t->f, ids[i]));
}

static void test_session__is_renewed_by_ttl_and_on_request(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN(""),
            "assert(login:get().token == 'tok-1') assert(login:get().token == 'tok-1') assert(login:renew().token == 'tok-2' and closed == 1)\n"
            "assert(login:get().token == 'tok-2') sleep(101 - 60) sleep(0) if executionConfig.again then assert(login:get().token == 'tok-2') end");
  orr__call *call = fake_call(&t->f, ORR_HOOK_executeBackup);
  assert_success(fake_wait(&t->f, fake_start(&t->f, call)));
  orr__loop_advance(t->f.loop, 200000);
  libs_load(t, "", LOGIN(""), "assert(login:get().token == 'tok-1' and closed == 1)");
  assert_success(fake_run(&t->f, ORR_HOOK_executeBackup));
}

static void test_session__survives_a_reload(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN(""), "assert(login:get().token == 'tok-1')");
  assert_success(fake_run(&t->f, ORR_HOOK_executeBackup));
  libs_load(t, "", LOGIN("error('opened again')"), "assert(login:get().token == 'tok-1' and opened == 0)");
  fake_step(&t->f, 5);
  assert_success(fake_run(&t->f, ORR_HOOK_executeBackup));
}

static void test_session__belongs_to_the_connection_and_its_credentials(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN(""), "return ServiceResponse.error(login:get().token:sub(-1))");
  orr__call *same = fake_call(&t->f, ORR_HOOK_executeBackup), *other = fake_call(&t->f, ORR_HOOK_executeBackup);
  orr__call *changed = fake_call(&t->f, ORR_HOOK_executeBackup);
  orr__set_int(&other->graph.connection->head, ORR_F_connection_id, 4);
  orr__set_str(&changed->graph.connection->head, ORR_F_connection_password, "rotated");
  assert_string_equal(fake_wait(&t->f, fake_start(&t->f, same))->msg, "1");
  assert_string_equal(fake_wait(&t->f, fake_start(&t->f, other))->msg, "2");
  assert_string_equal(fake_wait(&t->f, fake_start(&t->f, changed))->msg, "3");
}

static void test_session__a_failure_to_open_reaches_all_who_wait_once(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN("sleep(1) error({ code = 'denied', message = 'bad password ' .. opened })"), "login:get()");
  uint64_t ids[3];
  for (int i = 0; i < 3; i++) ids[i] = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  for (int i = 0; i < 3; i++) assert_error(fake_wait(&t->f, ids[i]), "bad password 1");
}

static void test_session__an_opener_that_is_stopped_leaves_it_to_the_next(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN("if opened == 1 then sleep(1000) end"), "assert(login:get().token == 'tok-2')");
  uint64_t first = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  fake_step(&t->f, 3);
  uint64_t second = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  fake_step(&t->f, 3);
  t->f.ops->interrupt(t->f.ops->self, first, "cancelled");
  assert_success(fake_wait(&t->f, second));
  assert_int_equal(fake_wait(&t->f, first)->outcome, ORR_OUTCOME_INTERRUPTED);
}

static void test_session__goes_with_its_connection(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", LOGIN("if opened == 3 then sleep(10) end"), "return ServiceResponse.error(login:get().token:sub(-1))");
  orr__call *other = fake_call(&t->f, ORR_HOOK_executeBackup);
  orr__set_int(&other->graph.connection->head, ORR_F_connection_id, 4);
  assert_string_equal(fake_run(&t->f, ORR_HOOK_executeBackup)->msg, "1");
  assert_string_equal(fake_wait(&t->f, fake_start(&t->f, other))->msg, "2");
  t->f.ops->forget_connection(t->f.ops->self, 3);
  t->f.ops->forget_connection(t->f.ops->self, 99);
  /* While one hook opens it and another waits, the connection goes: the one keeps what it opened, the other opens anew. */
  uint64_t first = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  fake_step(&t->f, 3);
  uint64_t second = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  fake_step(&t->f, 3);
  t->f.ops->forget_connection(t->f.ops->self, 3);
  assert_string_equal(fake_wait(&t->f, second)->msg, "4");
  /* By now the provider counts four openings: the first hook's own value is what open returned to it. */
  assert_string_equal(fake_wait(&t->f, first)->msg, "4");
  orr__call *again = fake_call(&t->f, ORR_HOOK_executeBackup);
  orr__set_int(&again->graph.connection->head, ORR_F_connection_id, 4);
  assert_string_equal(fake_wait(&t->f, fake_start(&t->f, again))->msg, "2");
}

static void test_session__values_are_secret(void **state) {
  libs_fake *t = *state;
  libs_load(t, "", "local login = session{ name = 'x', open = function() return { deep = { 'tippy-top-token' } } end }", "log.info(login:get().deep[1])");
  assert_success(fake_run(&t->f, ORR_HOOK_executeBackup));
  assert_string_equal(t->f.log, "***\n");
}

static void test_libs__misuse_names_the_authors_line(void **state) {
  libs_fake *t = *state;
  assert_error(libs_run(t, "", "http.get('https://x', { jsn = 1 })"), "test.lua:5: http.get: unknown argument 'jsn' (did you mean 'json'?)");
  assert_error(libs_run(t, "", "\nprocess.run{ argv = { 'true' }, tiemout = 1 }"), "test.lua:6: process.run: unknown argument 'tiemout' (did you mean 'timeout'?)");
  assert_error(libs_run(t, "", "session{ name = 'x' }"), "test.lua:5: session: 'open' is missing (a function)");
  assert_error(libs_run(t, "", "sleep('x')"), "test.lua:5: sleep: seconds must be a number, not string");
  assert_error(libs_run(t, "", "job.read('x', { form = 1 })"), "test.lua:5: job.read: unknown argument 'form' (did you mean 'from'?)");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    LIBS_TEST(test_libs__json_goes_there_and_back), LIBS_TEST(test_libs__bytes_as_text), LIBS_TEST(test_libs__urls),
    LIBS_TEST(test_libs__pages_end_or_raise), LIBS_TEST(test_libs__time_is_the_loops_and_utc), LIBS_TEST(test_libs__chance_repeats_with_the_seed),
    LIBS_TEST(test_libs__log_lines_are_redacted_and_bounded), LIBS_TEST(test_libs__secrets_are_redacted_as_json_writes_them), LIBS_TEST(test_libs__a_call_writes_a_thousand_lines),
    LIBS_TEST(test_libs__no_part_of_a_secret_is_left_at_a_cut), LIBS_TEST(test_libs__base64_of_a_secret_leaves_no_bits_of_it),
    LIBS_TEST(test_libs__a_bad_format_names_the_value_and_the_line),
    LIBS_TEST(test_libs__files_where_needs_allows), LIBS_TEST(test_libs__removing_follows_no_link),
    LIBS_TEST(test_libs__a_large_file_is_hashed_by_a_child), LIBS_TEST(test_libs__retry_and_poll),
    LIBS_TEST(test_session__is_opened_once_however_many_wait), LIBS_TEST(test_session__is_renewed_by_ttl_and_on_request),
    LIBS_TEST(test_session__survives_a_reload), LIBS_TEST(test_session__belongs_to_the_connection_and_its_credentials),
    LIBS_TEST(test_session__a_failure_to_open_reaches_all_who_wait_once),
    LIBS_TEST(test_session__an_opener_that_is_stopped_leaves_it_to_the_next), LIBS_TEST(test_session__goes_with_its_connection),
    LIBS_TEST(test_session__values_are_secret),
    LIBS_TEST(test_libs__misuse_names_the_authors_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
