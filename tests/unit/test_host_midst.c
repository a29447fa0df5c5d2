/* Closing in the midst of everything that can be asked: at each turn of a scenario once, with hooks of both kinds under way. That nothing is
 * left is LeakSanitizer's to say, after each closing, where the build has it. */
#include "guest.h"

#include <unistd.h>

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

#define TURNS 60

static const char script[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1', idempotent = true,\n"
    "  optionTypes = { { fieldName = 'size', inputType = 'number' } }, connectionOptionTypes = { { fieldName = 'key', inputType = 'password' } },\n"
    "  needs = { http = { 'http://127.0.0.1:1' }, exec = { 'true' } } }\n"
    "local function outside() return pcall(http.post, { url = 'http://127.0.0.1:1/x', json = { a = 1 }, timeout = 5 }) end\n"
    "function provider.configureBackup(backup) backup:setConfigProperty('seen', true) end\n"
    "function provider.createBackup(backup) sleep(0.1) backup.externalId = 'made' return true end\n"
    "function provider.updateBackup(backup) outside() return true end\n"
    "function provider.deleteBackup() sleep(0.1) outside() return true end\n"
    "function provider.deleteBackupResult() outside() return true end\n"
    "function provider.prepareExecuteBackup(backup) backup:results{ limit = 2 } sleep(0.1) end\n"
    "function provider.prepareBackupResult(backupResult) backupResult.externalId = 'x' backupResult:save() end\n"
    "function provider.executeBackup(backup, backupResult)\n"
    "  defer(function() sleep(0.1) end)\n"
    "  parallel{ outside, function() sleep(0.2) end, function() backupResult:save() end, function() pcall(process.run, { 'true' }) end }\n"
    "  session('s', { open = function() sleep(0.1) return { token = 'a-token' } end, close = function() outside() end })\n"
    "  backupResult.status = 'IN_PROGRESS'\n"
    "end\n"
    "function provider.refreshBackupResult(backupResult) outside() backupResult.status = 'SUCCEEDED' end\n"
    "function provider.cancelBackup() outside() return true end\n"
    "function provider.extractBackup() sleep(0.1) return { success = true, data = { path = '/x', sizeInBytes = 1 } } end\n"
    "function provider.testConnection(connection) outside() return true end\n"
    "function provider.listBackupResults() sleep(0.1) return {} end\n"
    "return provider\n";

static const char *const before[][2] = {
  { "connection.add", "{\"name\":\"n\",\"provider\":\"guest\",\"config\":{\"key\":\"a-secret\"}}" },
  { "backup.create", "{\"name\":\"b\",\"provider\":\"guest\",\"connection\":\"n\"}" },
  { "backup.create", "{\"name\":\"old\",\"provider\":\"guest\",\"connection\":\"n\"}" },
  { "backup.create", "{\"name\":\"c\",\"provider\":\"native\"}" },
  { "backup.run", "{\"backup\":\"old\"}" },
  { "result.watch", "{\"result\":\"1\"}" },
};

static const char *const midst[][2] = {
  { "backup.run", "{\"backup\":\"b\"}" },
  { "backup.run", "{\"backup\":\"c\"}" },
  { "backup.dryRun", "{\"backup\":\"b\"}" },
  { "provider.call", "{\"provider\":\"guest\",\"hook\":\"prepareBackupResult\",\"objects\":{}}" },
  { "provider.call", "{\"provider\":\"guest\",\"hook\":\"executeBackup\",\"objects\":{},\"really\":true}" },
  { "provider.call", "{\"provider\":\"native\",\"hook\":\"executeBackup\",\"objects\":{},\"really\":true}" },
  { "provider.eval", "{\"provider\":\"guest\",\"text\":\"sleep(0.1) return http.post{ url = 'http://127.0.0.1:1/' }\",\"really\":true}" },
  { "backup.create", "{\"name\":\"d\",\"provider\":\"guest\",\"connection\":\"n\",\"schedule\":\"0 3 * * *\",\"keepLast\":2}" },
  { "backup.update", "{\"backup\":\"b\",\"config\":{\"size\":3}}" },
  { "backup.prune", "{\"backup\":\"old\"}" },
  { "result.watch", "{\"result\":\"2\"}" },
  { "result.cancel", "{\"result\":\"2\"}" },
  { "result.extract", "{\"result\":\"1\",\"destination\":\"/nonexistent\"}" },
  { "result.rm", "{\"result\":\"1\"}" },
  { "backup.rm", "{\"backup\":\"old\",\"withResults\":true}" },
  { "connection.test", "{\"connection\":\"n\"}" },
  { "connection.update", "{\"connection\":\"n\",\"config\":{\"username\":\"u\"}}" },
  { "orphans.find", "{\"connection\":\"n\"}" },
  { "events", "{\"follow\":true}" },
  { "provider.ls", NULL },
  { "provider.reload", "{\"provider\":\"guest\"}" },
  { "schedule.next", "{\"backup\":\"b\"}" },
  { "status", NULL },
  { "runtime.facts", NULL },
  { "backup.ls", NULL },
  { "result.ls", "{\"backup\":\"b\"}" },
};

/* ---- a provider in C that has a question open most of the time, and gives its handle back when it is answered ----- */

static int given;

static void end(orr_hook *hook) {
  given--;
  orr_hook_done(hook, "{\"success\":true,\"inProgress\":true}", NULL);
}

static void saved(void *arg, orr_hook *hook, int code, const orr_error *err) {
  (void)arg, (void)code, (void)err;
  end(hook);
}

static void marked(void *arg, orr_hook *hook, int code, const orr_error *err) {
  (void)err;
  if (!code) orr_hook_set(hook, "backupResult.externalId", "\"e\"", NULL);
  if (code || orr_hook_save_then(hook, saved, arg, NULL)) end(hook);
}

static void execute(void *self, orr_hook *hook) {
  given++;
  if (orr_hook_sent_then(hook, "POST x", marked, self, NULL)) end(hook);
}

/* ---- the scenario ---------------------------------------------------------------------------------------------- */

static guest open_all(void) {
  guest g = { .runtime = guest_open_with(guest_settings("virtual")) };
  orr_provider native = { .size = sizeof native, .declaration = "{\"apiVersion\":1,\"code\":\"native\",\"name\":\"N\",\"version\":\"1\"}",
                          .executeBackup = execute };
  guest_provider(g.runtime, "guest", script);
  assert_int_equal(orr_provider_register(g.runtime, &native, NULL), 0);
  for (size_t i = 0; i < sizeof before / sizeof *before; i++) guest_do(&g, before[i][0], before[i][1]);
  return g;
}

static void ask_all(guest *g) {
  uint64_t id;
  for (size_t i = 0; i < sizeof midst / sizeof *midst; i++)
    if (orr_submit(g->runtime, midst[i][0], midst[i][1], &id, NULL)) fail_msg("%s", midst[i][0]);
}

static void check_leaks(int turn) {
  assert_int_equal(given, 0); /* every question was answered */
  if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) fail_msg("something is left of turn %d", turn);
}

static void test_midst__nothing_is_left_whenever_it_is_closed(void **state) {
  (void)state;
  for (int turns = 0; turns < TURNS; turns++) {
    guest g = open_all();
    ask_all(&g);
    for (int i = 0; i < turns; i++) orr_step(g.runtime, i % 4 == 3 ? 50 : 0);
    orr_close(g.runtime);
    check_leaks(turns);
  }
}

static void test_midst__nothing_is_left_whenever_it_is_cut(void **state) {
  (void)state;
  for (int turns = 0; turns < TURNS; turns += 3) {
    guest g = open_all();
    ask_all(&g);
    for (int i = 0; i < turns; i++) orr_step(g.runtime, i % 4 == 3 ? 50 : 0);
    orr_settings *settings = guest_settings("virtual");
    orr_runtime *next = NULL;
    assert_int_equal(orr_cut(g.runtime, orr_commits(g.runtime), settings, &next, NULL), 0);
    orr_settings_free(settings);
    for (int i = 0; i < 5; i++) orr_step(next, 0);
    orr_close(next);
    check_leaks(turns);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_midst__nothing_is_left_whenever_it_is_closed),
    cmocka_unit_test(test_midst__nothing_is_left_whenever_it_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
