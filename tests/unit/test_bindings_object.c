/* Model objects in Lua: typed fields, refusals, statuses, configuration, secrets, navigation, and the end of their hook. */
#include "bindings_fake.h"

/* Runs executeBackup(backup, result) with this body. */
static orr__answer *run(fake *f, const char *body) {
  char *text = orr__strf("function provider.executeBackup(backup, result) %s end", body);
  fake_load(f, text);
  free(text);
  return fake_run(f, ORR_HOOK_executeBackup);
}

static void raises(fake *f, const char *statement, const char *part) {
  assert_error(run(f, statement), part);
}

static orr_result *ran_result(fake *f) {
  return f->ended[f->last_id]->graph.result;
}

static void test_object__fields_are_typed(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "result.sizeInBytes = 3 * 1024 * 1024 result.progress = 12.5 result.externalId = 'vm-1' result.endDate = 1795000001000"
                         " assert(result.sizeInMb == 3 and result.progress == 12.5 and result.externalId == 'vm-1' and result.endDate == 1795000001000)"
                         " assert(result.snapshotId == nil and type(result.id) == 'number')"));
  assert_true(ran_result(&f)->sizeInBytes == 3145728);
  raises(&f, "result.sizeInBytes = 'big'", "BackupResult.sizeInBytes takes a whole number");
  raises(&f, "result.sizeInBytes = 1.5", "whole number");
  raises(&f, "result.sizeInBytes = 0/0", "whole number");
  raises(&f, "result.progress = '12'", "takes a number");
  raises(&f, "result.externalId = {}", "BackupResult.externalId takes a string, not a table");
  raises(&f, "result.config = 5", "takes a table");
  raises(&f, "result.config = { 1, 2 }", "not an array");
  fake_close(&f);
}

static void test_object__numbers_become_ids_and_digits_become_numbers(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "result.externalId = 9007199254740991 result.sizeInBytes = '9223372036854775807' assert(result.sizeInBytes == '9223372036854775807')"));
  assert_string_equal(ran_result(&f)->externalId, "9007199254740991");
  assert_true(ran_result(&f)->sizeInBytes == INT64_MAX);
  raises(&f, "result.externalId = 1.5", "takes a string");
  fake_close(&f);
}

static void test_object__nil_unsets(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "result.externalId = 'x' result.externalId = nil result.statusMessage = json.null assert(result.externalId == nil)"));
  assert_false(orr__object_has(&ran_result(&f)->head, ORR_F_result_externalId));
  fake_close(&f);
}

static void test_object__dates_in_seconds_are_refused(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  raises(&f, "result.startDate = 1795000000", "(seconds?)");
  raises(&f, "result.startDate = '2026-11-23'", "milliseconds since 1970");
  assert_success(run(&f, "result.startDate = time.now()"));
  assert_true(ran_result(&f)->startDate == FAKE_EPOCH);
  fake_close(&f);
}

static void test_object__readonly_and_unknown_fields_are_named(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  raises(&f, "result.uuid = 'x'", "test.lua:3: BackupResult.uuid is read-only");
  raises(&f, "result.sizeInMb = 1", "BackupResult.sizeInMb is read-only");
  raises(&f, "result.stauts = 'FAILED'", "BackupResult has no field 'stauts' (did you mean 'status'?)");
  raises(&f, "local x = backup.externalID2", "did you mean 'externalId'");
  raises(&f, "local x = backup[1]", "by name");
  raises(&f, "result.backup = backup", "cannot be set");
  raises(&f, "result.save = 1", "is a method");
  fake_close(&f);
}

static void test_object__methods_take_a_colon(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  raises(&f, "result.getConfigProperty('a')", "use a colon");
  raises(&f, "result.save()", "use a colon");
  raises(&f, "backup.results{ limit = 1 }", "use a colon");
  raises(&f, "result:results()", "a method of a Backup");
  raises(&f, "backup.connection:save()", "cannot be saved");
  raises(&f, "backup.connection.host = 'x'", "not for hooks");
  raises(&f, "backup.connection:setConfigProperty('a', 1)", "not for hooks");
  fake_close(&f);
}

static void test_object__statuses_are_the_eight_words(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "result.status = 'IN_PROGRESS' result.status = BackupStatusUtility.CANCELED assert(result.status == 'CANCELLED')"));
  assert_string_equal(ran_result(&f)->status, "CANCELLED");
  orr__answer *answer = run(&f, "result.status = 'RUNING' assert(result.status == 'INITIALIZING')");
  assert_success(answer);
  assert_has(answer->warnings, "unknown status 'RUNING'");
  assert_true(ran_result(&f)->head.dirty == 0);
  answer = run(&f, "result.status = 'FAILED' result.status = 'SUCCEEDED'");
  assert_string_equal(ran_result(&f)->status, "FAILED");
  assert_has(answer->warnings, "SUCCEEDED came after FAILED");
  raises(&f, "result.status = BackupStatusUtility.SUCCEDED", "did you mean 'SUCCEEDED'");
  raises(&f, "result.status = 5", "BackupStatusUtility");
  fake_close(&f);
}

static void test_object__progress_does_not_overwrite_a_requested_cancel(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.refreshBackupResult(r) r.status = 'IN_PROGRESS' end");
  orr__call *call = fake_call(&f, ORR_HOOK_refreshBackupResult);
  orr__set_str(&call->graph.result->head, ORR_F_result_status, "CANCEL_REQUESTED");
  orr__answer *answer = fake_wait(&f, fake_start(&f, call));
  assert_success(answer);
  assert_null(answer->warnings);
  assert_string_equal(call->graph.result->status, "CANCEL_REQUESTED");
  fake_close(&f);
}

static void test_object__configuration_by_dotted_path(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "assert(backup:getConfigProperty('deep.er.x') == 5 and backup:getConfigProperty('nope.x') == nil)"
                         " backup:setConfigProperty('deep.er.y', { 1, 2 }) backup:setConfigProperty('path', nil)"
                         " assert(backup:getConfigProperty('deep.er.y')[2] == 2 and backup:getConfigProperty('path') == nil)"
                         " local map = backup:getConfigMap() map.deep.er.x = 6 assert(backup:getConfigProperty('deep.er.x') == 5)"
                         " assert(backup.config.deep.er.x == 5)"
                         " result:setConfigMap{ a = { b = true } } assert(result:getConfigProperty('a.b') == true)"
                         " result:setConfigProperty('a.c', 'x') result.config = { z = 1 } assert(result:getConfigProperty('a.b') == nil)"));
  orr__call *call = f.ended[f.last_id];
  assert_string_equal(call->graph.backup->config, "{\"deep\":{\"er\":{\"x\":5,\"y\":[1,2]}}}");
  assert_true(call->graph.backup->head.dirty == ORR_BIT(ORR_F_backup_config));
  assert_string_equal(call->graph.result->config, "{\"z\":1}");
  raises(&f, "backup:setConfigProperty('f', function() end)", "setConfigProperty: 'f'");
  raises(&f, "backup:setConfigProperty('f')", "a name and a value");
  raises(&f, "local t = {} for i = 1, 190 do t = { t = t } end backup:setConfigProperty('f', t)", "nested too deeply");
  assert_success(run(&f, "local t = {} for i = 1, 190 do t = { t = t } end assert(not pcall(backup.setConfigProperty, backup, 'f', t))"
                         " assert(backup:getConfigProperty('f') == nil) backup:setConfigProperty('g', 1)"));
  raises(&f, "backup:getConfigProperty()", "name of a property");
  fake_close(&f);
}

static void test_object__reading_configuration_does_not_make_it_dirty(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "local x = backup:getConfigMap() local y = backup.config local z = backup:getConfigProperty('path') result.status = 'INITIALIZING'"));
  assert_true(f.ended[f.last_id]->graph.backup->head.dirty == 0);
  assert_true(ran_result(&f)->head.dirty == 0);
  fake_close(&f);
}

static void test_object__secrets_are_readable_and_never_printed(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = run(&f, "assert(backup.connection.password == 's3cr3t-pa55' and backup:getConfigProperty('passphrase') == 'open sesame')"
                                " assert(backup.secrets.passphrase == 'open sesame')"
                                " print(backup, result, backup.connection) return true, tostring(backup.connection) .. 's3cr3t-pa55'");
  assert_success(answer);
  assert_string_equal(f.log, "Backup 7 \"nightly\"\tBackupResult 42 \"nightly\"\tBackupProvider 3 \"lab\"\n");
  assert_string_equal(answer->msg, "BackupProvider 3 \"lab\"***");
  answer = run(&f, "return ServiceResponse.error(nil, { a = 'is ' .. backup.connection.password })");
  assert_string_equal(answer->errors.fields[0].message, "is ***");
  fake_close(&f);
}

static void test_object__navigation_is_preloaded_and_keeps_identity(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.refreshBackupResult(r)\n"
                "  assert(r.backup.backupProvider.username == 'admin' and r.backup.connection == r.backup.backupProvider)\n"
                "  assert(r.computeServer.hostname == 'db1' and r.computeServer.cloud.regionCode == 'eu' and r.cloud == r.computeServer.cloud)\n"
                "  assert(r.backup == r.backup and rawequal(r.backup, r.backup) and r.backup ~= r)\n"
                "  r.backup.statusMessage = 'seen'\n"
                "end");
  orr__call *call = fake_call(&f, ORR_HOOK_refreshBackupResult);
  call->graph.server = orr__server_new();
  orr__set_int(&call->graph.server->head, ORR_F_server_id, 5);
  orr__set_int(&call->graph.server->head, ORR_F_server_cloudId, 6);
  orr__set_str(&call->graph.server->head, ORR_F_server_hostname, "db1");
  orr__set_int(&call->graph.result->head, ORR_F_result_computeServerId, 5);
  call->graph.cloud = orr__cloud_new();
  orr__set_int(&call->graph.cloud->head, ORR_F_cloud_id, 6);
  orr__set_str(&call->graph.cloud->head, ORR_F_cloud_regionCode, "eu");
  assert_success(fake_wait(&f, fake_start(&f, call)));
  assert_string_equal(call->graph.backup->statusMessage, "seen");
  fake_close(&f);
}

static void test_object__objects_end_with_their_hook(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "local kept = {}\n"
                "function provider.executeBackup(b, r) kept.b, kept.r = b, r end\n"
                "function provider.deleteBackup(b) assert(tostring(kept.b) == 'Backup (of a hook that has ended)') local x = kept.b.name end\n"
                "function provider.cancelBackup(r) kept.r.externalId = 'x' end\n"
                "function provider.deleteBackupResult(r) kept.r:getConfigMap() end\n");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  assert_error(fake_run(&f, ORR_HOOK_deleteBackup), "belongs to a hook that has ended");
  assert_error(fake_run(&f, ORR_HOOK_cancelBackup), "belongs to a hook that has ended");
  assert_error(fake_run(&f, ORR_HOOK_deleteBackupResult), "belongs to a hook that has ended");
  fake_close(&f);
}

static void test_object__bytes_that_are_no_text_are_replaced(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = run(&f, "result.errorOutput = 'caf\\195\\169 \\233!'");
  assert_success(answer);
  assert_string_equal(ran_result(&f)->errorOutput, "caf\xc3\xa9 \xef\xbf\xbd!");
  assert_has(answer->warnings, "errorOutput was not UTF-8");
  raises(&f, "result.errorOutput = ('x'):rep(2^21)", "at most");
  fake_close(&f);
}

static void test_object__a_copy_is_its_own(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(run(&f, "local c = backup:copy() c.externalId = 'copy' c:setConfigProperty('path', 'x') assert(backup.externalId == nil and c ~= backup)"
                         " assert(not pcall(c.save, c))"));
  assert_true(f.ended[f.last_id]->graph.backup->head.dirty == 0);
  fake_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_object__fields_are_typed),
    cmocka_unit_test(test_object__numbers_become_ids_and_digits_become_numbers),
    cmocka_unit_test(test_object__nil_unsets),
    cmocka_unit_test(test_object__dates_in_seconds_are_refused),
    cmocka_unit_test(test_object__readonly_and_unknown_fields_are_named),
    cmocka_unit_test(test_object__methods_take_a_colon),
    cmocka_unit_test(test_object__statuses_are_the_eight_words),
    cmocka_unit_test(test_object__progress_does_not_overwrite_a_requested_cancel),
    cmocka_unit_test(test_object__configuration_by_dotted_path),
    cmocka_unit_test(test_object__reading_configuration_does_not_make_it_dirty),
    cmocka_unit_test(test_object__secrets_are_readable_and_never_printed),
    cmocka_unit_test(test_object__navigation_is_preloaded_and_keeps_identity),
    cmocka_unit_test(test_object__objects_end_with_their_hook),
    cmocka_unit_test(test_object__bytes_that_are_no_text_are_replaced),
    cmocka_unit_test(test_object__a_copy_is_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
