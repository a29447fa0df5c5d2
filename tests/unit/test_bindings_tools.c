/* process and job with real programs under the real job runner. */
#include "bindings_libs_fake.h"

#define NEEDS "exec = { 'sh', 'cat', 'sleep', 'restic', 'no-such-program', 'env' }"

static void test_process__answers_how_it_ended(void **state) {
  libs_ok(*state, NEEDS,
          "local r = process.run{ argv = { 'sh', '-c', 'echo out; echo err >&2; exit 3' } } assert(r.code == 3 and r.signal == 0 and r.stdout == 'out\\n' and r.stderr == 'err\\n' and r.truncated == false)\n"
          "r = process.run{ argv = { 'cat' }, stdin = 'in\\0put' } assert(r.stdout == 'in\\0put' and r.code == 0) r = process.run{ argv = { 'sh', '-c', 'kill -9 $$' } } assert(r.code == -1 and r.signal == 9)\n"
          "r = process.run{ argv = { 'sh', '-c', 'pwd; echo $A $B; test -n \"$PATH\"' }, cwd = DIR, env = { A = 'x y', B = 5 } } assert(r.code == 0 and r.stdout == DIR .. '\\nx y 5\\n', r.stdout)\n"
          "r = process.run{ argv = { 'sh', '-c', 'echo $HOME' }, env = { HOME = '/elsewhere' } } assert(r.stdout == '/elsewhere\\n') assert(process.find('sh') and process.find('no-such-program') == nil)");
}

static void test_process__is_marked_unless_safe(void **state) {
  libs_fake *t = *state;
  libs_ok(t, NEEDS, "process.run{ argv = { 'cat' }, safe = true }");
  assert_int_equal(t->f.marks, 0);
  libs_ok(t, NEEDS, "process.run{ argv = { 'sh', '-c', 'true' } } process.run{ argv = { 'cat' } }");
  assert_int_equal(t->f.marks, 1);
  assert_string_equal(t->f.act, "exec sh");
}

static void test_process__says_what_is_missing_or_denied(void **state) {
  libs_ok(*state, NEEDS,
          "local ok, err = pcall(process.run, { argv = { 'no-such-program' } }) assert(not ok and err.code == 'no_program' and err.message:find('not installed', 1, true), err.message)\n"
          "ok, err = pcall(process.run, { argv = { 'rm', '-rf', '/' } }) assert(not ok and err.code == 'denied', err.code)\n"
          "ok, err = pcall(process.run, { argv = {} }) assert(not ok and err.code == 'invalid') ok, err = pcall(process.run, { argv = 'sh' }) assert(not ok and tostring(err):find('array of strings', 1, true))");
}

static void test_process__a_timeout_ends_it(void **state) {
  libs_ok(*state, NEEDS,
          "local timeout, ok, err = 0.3\n" /* on a busy machine it takes longer to say so */
          "repeat ok, err = pcall(process.run, { argv = { 'sh', '-c', 'echo begun; exec sleep 600' }, timeout = timeout, safe = true }) timeout = timeout * 4\n"
          "until ok or err.code ~= 'timeout' or err.stdout ~= '' or timeout > 60\n"
          "assert(not ok and err.code == 'timeout' and err.stdout == 'begun\\n', tostring(err.code) .. tostring(err.stdout))");
}

static void test_process__an_interrupt_ends_it(void **state) {
  libs_fake *t = *state;
  libs_load(t, NEEDS, "", "local ok, err = pcall(process.run, { argv = { 'sleep', '600' }, safe = true }) assert(not ok and err.code == 'cancelled')");
  uint64_t id = fake_start(&t->f, fake_call(&t->f, ORR_HOOK_executeBackup));
  fake_step(&t->f, 5);
  t->f.ops->interrupt(t->f.ops->self, id, "cancelled");
  assert_int_equal(fake_wait(&t->f, id)->outcome, ORR_OUTCOME_INTERRUPTED);
}

static void test_job__starts_once_and_is_found_again(void **state) {
  libs_fake *t = *state;
  libs_ok(t, NEEDS,
          "local s = job.start{ name = 'main', argv = { 'sh', '-c', 'echo x >> $OUT; echo one; echo two; printf three' }, env = { OUT = DIR .. '/count' } } assert(s.state == 'running' or s.state == 'ended', s.state)\n"
          "s = job.start{ name = 'main', argv = { 'sh', '-c', 'echo again >> ' .. DIR .. '/count' } }\n"
          "s = poll{ every = 0.05, check = function() local p = job.poll('main') return p.state == 'ended' and p end } assert(s.code == 0 and s.signal == 0 and not s.cancelled and s.startDate and s.endDate)\n"
          "assert(job.tail('main') == 'one\\ntwo\\nthree' and job.tail('main', 1) == 'three', job.tail('main')) local text, next = job.read('main', { from = 4, max = 3 }) assert(text == 'two' and next == 7)\n"
          "local lines, cursor = job.lines('main') assert(#lines == 2 and lines[2] == 'two' and cursor == 8, cursor) lines, cursor = job.lines('main', cursor) assert(#lines == 0 and cursor == 8)\n"
          "assert(job.poll('other').state == 'absent' and job.poll('main', backup).state == 'absent' and job.poll('main', backupResult).state == 'ended')");
  assert_int_equal(t->f.marks, 0);
  char path[128], *data = NULL;
  size_t len = 0;
  snprintf(path, sizeof path, "%s/count", t->dir);
  assert_int_equal(orr__file_read(path, 100, &data, &len, NULL), 0);
  assert_string_equal(data, "x\n");
  free(data);
}

static void test_job__is_cancelled(void **state) {
  libs_ok(*state, NEEDS,
          "job.start{ name = 'long', argv = { 'sleep', '600' }, grace = 1 } job.cancel('long')\n"
          "local s = poll{ every = 0.05, check = function() local p = job.poll('long') return p.state == 'ended' and p end } assert(s.cancelled and s.signal == 15, s.signal) job.cancel('nothing')");
}

static void test_job__keeps_the_outputs_apart_on_request(void **state) {
  libs_ok(*state, NEEDS,
          "job.start{ name = 's', argv = { 'sh', '-c', 'cat; echo noise >&2' }, stdin = 'data\\n', split = true }\n"
          "poll{ every = 0.05, check = function() return job.poll('s').state == 'ended' end } assert(job.read('s', { stream = 'out' }) == 'data\\n') assert(job.tail('s', 5) == 'noise', job.tail('s', 5))");
}

static void test_job__says_what_is_missing(void **state) {
  libs_ok(*state, NEEDS,
          "local ok, err = pcall(job.start, { name = 'm', argv = { 'no-such-program' } }) assert(not ok and err.code == 'no_program', err.code) ok, err = pcall(job.start, { name = '../x', argv = { 'sh' } }) assert(not ok and err.code == 'invalid')\n"
          "ok, err = pcall(job.start, { name = 'm', argv = { 'rm' } }) assert(not ok and err.code == 'denied') ok, err = pcall(job.poll, 'm', 5) assert(not ok and tostring(err):find('takes a BackupResult', 1, true))");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    LIBS_TEST(test_process__answers_how_it_ended), LIBS_TEST(test_process__is_marked_unless_safe),
    LIBS_TEST(test_process__says_what_is_missing_or_denied), LIBS_TEST(test_process__a_timeout_ends_it), LIBS_TEST(test_process__an_interrupt_ends_it),
    LIBS_TEST(test_job__starts_once_and_is_found_again), LIBS_TEST(test_job__is_cancelled), LIBS_TEST(test_job__keeps_the_outputs_apart_on_request),
    LIBS_TEST(test_job__says_what_is_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
