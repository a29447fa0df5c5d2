/* The search for misspelt fields in the source of a provider: what is found, and above all what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "version.h"

static void expect(const char *source, const char *findings) {
  orr__findings found = { 0 };
  orr__buf lines;
  orr__buf_init(&lines, 65536);
  orr__fields_check(source, strlen(source), "p.lua", &found);
  for (size_t i = 0; i < found.count; i++) orr__buf_addf(&lines, "%s:%u: %s\n", found.items[i].file, found.items[i].line, found.items[i].message);
  assert_string_equal(orr__buf_text(&lines), findings);
  assert_int_equal(found.errors, 0);
  orr__buf_clear(&lines);
  orr__findings_clear(&found);
}

static void test_fields__a_misspelt_field_is_found_with_line_and_nearest(void **state) {
  (void)state;
  expect("local provider = {}\nfunction provider.executeBackup(b, r)\n  r.statu = 'x'\nend\n",
         "p.lua:3: BackupResult has no field 'statu' (did you mean 'status'?)\n");
  expect("function p.refreshBackupResult(backupResult) if backupResult.externlId then return end end",
         "p.lua:1: BackupResult has no field 'externlId' (did you mean 'externalId'?)\n");
  expect("function p.executeBackup(a, b, c, cloud, server) print(server.hostnam, cloud.regoinCode) end",
         "p.lua:1: Cloud has no field 'regoinCode' (did you mean 'regionCode'?)\n"
         "p.lua:1: ComputeServer has no field 'hostnam' (did you mean 'hostname'?)\n");
  expect("function p.testConnection(c) return http.get(c.serviceURLs) end",
         "p.lua:1: BackupProvider has no field 'serviceURLs' (did you mean 'serviceUrl'?)\n");
  expect("function p.createBackup(b) b.zzzzzzzzz = 1 end", "p.lua:1: Backup has no field 'zzzzzzzzz'\n");
}

static void test_fields__hooks_are_known_in_every_shape(void **state) {
  (void)state;
  const char *found = "p.lua:1: BackupResult has no field 'statu' (did you mean 'status'?)\n";
  expect("p.refreshBackupResult = function(r) r.statu = 1 end", found);
  expect("p = Provider { refreshBackupResult = function(r) r.statu = 1 end }", found);
  expect("p = Provider { code = 'x', refreshBackupResult = function(r) r.statu = 1 end }", found);
  expect("function refreshBackupResult(r) r.statu = 1 end", "");
  expect("local refreshBackupResult = function(r) r.statu = 1 end", "");
  expect("function p.helper(r) r.statu = 1 end", "");
}

static void test_fields__chains_and_locals_are_followed(void **state) {
  (void)state;
  expect("function p.refreshBackupResult(r) http.get(r.backup.backupProvider.serviceURLs) end",
         "p.lua:1: BackupProvider has no field 'serviceURLs' (did you mean 'serviceUrl'?)\n");
  expect("function p.refreshBackupResult(r) local c = r.backup.connection\n return c.hots end",
         "p.lua:2: BackupProvider has no field 'hots' (did you mean 'host'?)\n");
  expect("function p.refreshBackupResult(r) if x then local c = r.backup.connection end\n return c.hots end", "");
  expect("function p.refreshBackupResult(r) local c = r.backup.connection or other\n return c.hots end", "");
  expect("function p.refreshBackupResult(r) local c = r.backup.connection.host return c.hots end", "");
  expect("function p.refreshBackupResult(r) local id = r.config.anything.at.all end", "");
}

static void test_fields__methods_and_what_is_read_only(void **state) {
  (void)state;
  expect("function p.createBackup(b) b:getConfgProperty('x') b:getConfigProperty('y') b:save() end",
         "p.lua:1: Backup has no method 'getConfgProperty' (did you mean 'getConfigProperty'?)\n");
  expect("function p.refreshBackupResult(r) r.uuid = 'x' if r.uuid == 'y' then r.status = 'z' end end",
         "p.lua:1: BackupResult.uuid is read-only\n");
}

static void test_fields__what_may_be_something_else_is_left_alone(void **state) {
  (void)state;
  expect("function p.refreshBackupResult(r) r = {} r.statu = 1 end", "");
  expect("function p.refreshBackupResult(r) local r = {} r.statu = 1 end", "");
  expect("function p.refreshBackupResult(r) local a, r = 1, {} r.statu = 1 end", "");
  expect("function p.refreshBackupResult(r) r, a = {}, 1 r.statu = 1 end", "");
  expect("function p.refreshBackupResult(r) for _, r in ipairs(list) do print(r.statu) end end", "");
  expect("function p.refreshBackupResult(r) each(function(r) print(r.statu) end) end", "");
  expect("function p.refreshBackupResult(r) local function f(a, r) print(r.statu) end end", "");
  expect("function p.refreshBackupResult(r) print(other.r.statu, other:r(), 'r.statu', [[r.statu]]) --[[ r.statu ]] -- r.statu\n end", "");
  expect("function p.refreshBackupResult(r) http.post(u, { json = { r = r.uuid, x = r.statusMessage } }) end", "");
  expect("function p.refreshBackupResult(r) call{ r = 1, f = function() local x = r.progress end } end", "");
  expect("function p.refreshBackupResult(r) end\nr.statu = 1", "");
  expect("function p.refreshBackupResult(r) r.statu", "p.lua:1: BackupResult has no field 'statu' (did you mean 'status'?)\n");
  expect("function p.refreshBackupResult(", "");
  expect("function p.refreshBackupResult(r) x = 'unended r.statu", "");
  expect("", "");
}

static void test_fields__helpers_that_are_given_objects_are_looked_at(void **state) {
  (void)state;
  expect("local function ask(backup, path)\n  return backup.connection.serviceUrl .. backup.nme\nend",
         "p.lua:2: Backup has no field 'nme' (did you mean 'name'?)\n");
  expect("local function ask(connection) return connection.serviceUrl, connection.usernme end",
         "p.lua:1: BackupProvider has no field 'usernme' (did you mean 'username'?)\n");
  expect("open = function(connection) return connection:getConfigProperty('x'), connection.hots end",
         "p.lua:1: BackupProvider has no field 'hots' (did you mean 'host'?)\n");
  /* Something else that is called so. */
  expect("local function describe(backup) return backup.nme, backup.path end", "");
  expect("local function describe(backup) return backup.uuid, backup.nme end", "");
  expect("local function describe(connection) return connection.serviceUrl, connection.zzzzzzzzzz end", "");
  expect("local function describe(snapshot) return snapshot.backup.connection.serviceUrl, snapshot.nme end", "");
  expect("local function f(backup) backup = backup:copy() return backup.nme end", "");
}

static void test_fields__hooks_have_a_dot_and_their_own_order(void **state) {
  (void)state;
  expect("function provider:refreshBackupResult(backupResult) end", "p.lua:1: a hook is declared with a dot: function provider.refreshBackupResult(...)\n");
  expect("function provider:helper(backup) end function a.b:c() end function f() end", "");
  expect("function p.executeBackup(backupResult, backup) end",
         "p.lua:1: argument 1 of executeBackup is 'backup', not 'backupResult'; the order is fixed\n"
         "p.lua:1: argument 2 of executeBackup is 'backupResult', not 'backup'; the order is fixed\n");
  expect("function p.executeBackup(b, result, config, cloud, server) end", "");
  expect("function p.executeBackup(backup, backupResult, _, _, _, opts) end", "");
  expect("function p.executeBackup(...) end", "");
}

/* The key of a table that is called like the parameter does not hide that it is looked at. */
static void test_fields__a_key_is_no_assignment(void **state) {
  (void)state;
  expect("function p.refreshBackupResult(r) call{ r = 1 } call{ 1, r = 2; r = 3 } r.statu = 1 end",
         "p.lua:1: BackupResult has no field 'statu' (did you mean 'status'?)\n");
  expect("function p.refreshBackupResult(r) f(r, function() while true do repeat x = 1 until r end end) r.statu = 1 end",
         "p.lua:1: BackupResult has no field 'statu' (did you mean 'status'?)\n");
}

static void test_fields__what_is_found_has_its_rule_and_column(void **state) {
  (void)state;
  static const struct { const char *source; enum orr__rule rule; unsigned column; } cases[] = {
    { "function p.createBackup(b)\n  b.zzzzzzzzz = 1 end", ORR_RULE_UNKNOWN_FIELD, 5 },
    { "function p.createBackup(b) b:getConfgProperty('x') end", ORR_RULE_UNKNOWN_METHOD, 30 },
    { "function p.createBackup(b) b.id = 1 end", ORR_RULE_READ_ONLY, 30 },
    { "function p.deleteBackupResult(opts, backupResult) end", ORR_RULE_ARGUMENT_ORDER, 31 },
    { "function p:createBackup(b) end", ORR_RULE_COLON, 12 },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    orr__findings found = { 0 };
    orr__fields_check(cases[i].source, strlen(cases[i].source), "p.lua", &found);
    assert_true(found.count > 0);
    assert_int_equal(found.items[0].rule, cases[i].rule);
    assert_int_equal(found.items[0].column, cases[i].column);
    assert_false(orr__rule_is_error(cases[i].rule));
    orr__findings_clear(&found);
  }
}

/* It is done at every load. */
static void test_fields__a_source_without_measure_is_looked_at_in_part(void **state) {
  (void)state;
  enum { NAMES = 60000 };
  orr__buf source;
  orr__findings found = { 0 };
  orr__buf_init(&source, 8 << 20);
  orr__buf_adds(&source, "function p.refreshBackupResult(r) r.statu = 1 local a0 = r\n");
  for (int i = 1; i < NAMES; i++) orr__buf_addf(&source, "local a%d = a%d\n", i, i - 1);
  orr__buf_adds(&source, "end");
  orr__fields_check(orr__buf_text(&source), source.len, "p.lua", &found);
  assert_int_equal(found.count, 1);
  orr__findings_clear(&found);
  orr__buf_clear(&source);
}

static void test_fields__no_heap_of_words_is_too_much(void **state) {
  (void)state;
  static const char *const words[] = { "function ", "p.executeBackup", "(", ")", "{", "}", "[", "]", "local ", "r", "b", "=", ".", ":", ",", "end ", "do ", "if ", "then ", "repeat ",
                                       "until ", "return ", "'x'", "[[", "]]", "--", "\n", "status", "backup", "connection", "0x1", "...", "\"", "\\", "\xff", ";" };
  unsigned seed = 7;
  for (int turn = 0; turn < 3000; turn++) {
    orr__buf source;
    orr__findings found = { 0 };
    orr__buf_init(&source, 65536);
    for (int i = 0; i < 120; i++) {
      seed = seed * 1103515245u + 12345u;
      orr__buf_adds(&source, words[(seed >> 16) % (sizeof words / sizeof *words)]);
    }
    orr__fields_check(orr__buf_text(&source), source.len, "p.lua", &found);
    assert_int_equal(found.errors, 0);
    orr__findings_clear(&found);
    orr__buf_clear(&source);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_fields__a_misspelt_field_is_found_with_line_and_nearest),
    cmocka_unit_test(test_fields__hooks_are_known_in_every_shape),
    cmocka_unit_test(test_fields__chains_and_locals_are_followed),
    cmocka_unit_test(test_fields__methods_and_what_is_read_only),
    cmocka_unit_test(test_fields__what_may_be_something_else_is_left_alone),
    cmocka_unit_test(test_fields__helpers_that_are_given_objects_are_looked_at),
    cmocka_unit_test(test_fields__hooks_have_a_dot_and_their_own_order),
    cmocka_unit_test(test_fields__a_key_is_no_assignment),
    cmocka_unit_test(test_fields__what_is_found_has_its_rule_and_column), cmocka_unit_test(test_fields__a_source_without_measure_is_looked_at_in_part),
    cmocka_unit_test(test_fields__no_heap_of_words_is_too_much),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
