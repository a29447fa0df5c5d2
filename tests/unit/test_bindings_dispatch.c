/* Hook calls: arguments, every sentence of "Answers", waits, marks, saves, stops and what comes too late. */
#include "bindings_fake.h"

/* ---- answers ----------------------------------------------------------------------------------------------- */

/* Runs one hook whose body is given; the answer stays until the next fake_close. */
static orr__answer *answer_of(fake *f, enum orr__hook hook, const char *body) {
  char *text = orr__strf("function provider.%s(a, b, c, d, e, g) %s end", orr__hooks[hook].name, body);
  fake_load(f, text);
  free(text);
  return fake_run(f, hook);
}

static void test_dispatch__returning_nothing_is_success_where_no_answer_is_asked_for(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(answer_of(&f, ORR_HOOK_executeBackup, ""));
  assert_success(answer_of(&f, ORR_HOOK_prepareExecuteBackup, "return nil"));
  fake_close(&f);
}

static void test_dispatch__a_forgotten_return_deletes_nothing(void **state) {
  (void)state;
  static const enum orr__hook hooks[] = { ORR_HOOK_deleteBackup, ORR_HOOK_deleteBackupResult, ORR_HOOK_cancelBackup, ORR_HOOK_extractBackup };
  fake f;
  fake_open(&f);
  for (size_t i = 0; i < 4; i++) {
    orr__answer *answer = answer_of(&f, hooks[i], "local x = 1");
    assert_error(answer, "returned nothing");
    assert_has(orr__error_message(&answer->error), orr__hooks[hooks[i]].name);
    assert_int_equal(answer->error.code, ORR_E_PROVIDER);
  }
  fake_close(&f);
}

static void test_dispatch__true_false_and_messages(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(answer_of(&f, ORR_HOOK_deleteBackup, "return true"));
  orr__answer *answer = answer_of(&f, ORR_HOOK_deleteBackup, "return false, 'still mounted'");
  assert_int_equal(answer->outcome, ORR_OUTCOME_HALT);
  assert_string_equal(answer->msg, "still mounted");
  answer = answer_of(&f, ORR_HOOK_deleteBackup, "return { success = false, msg = 'no' }");
  assert_int_equal(answer->outcome, ORR_OUTCOME_HALT);
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return nil, 'no'"), "nil and a second value");
  fake_close(&f);
}

static void test_dispatch__a_table_without_success_is_false(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_int_equal(answer_of(&f, ORR_HOOK_deleteBackup, "return {}")->outcome, ORR_OUTCOME_HALT);
  assert_int_equal(answer_of(&f, ORR_HOOK_deleteBackup, "return { msg = 'done' }")->outcome, ORR_OUTCOME_HALT);
  fake_close(&f);
}

static void test_dispatch__service_responses_of_every_kind(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = answer_of(&f, ORR_HOOK_testConnection, "return ServiceResponse.success({ version = '8.1' }, 'fine')");
  assert_success(answer);
  assert_string_equal(answer->data, "{\"version\":\"8.1\"}");
  assert_string_equal(answer->msg, "fine");
  answer = answer_of(&f, ORR_HOOK_validateBackup, "return ServiceResponse.error('bad', { path = 'is missing' })");
  assert_int_equal(answer->outcome, ORR_OUTCOME_HALT);
  assert_true(answer->has_errors);
  assert_string_equal(answer->errors.fields[0].field, "path");
  assert_string_equal(answer->errors.fields[0].message, "is missing");
  answer = answer_of(&f, ORR_HOOK_refreshBackupResult, "return ServiceResponse.retry('busy', { after = 90 })");
  assert_int_equal(answer->outcome, ORR_OUTCOME_RETRY);
  assert_true(answer->retry_after == 90);
  answer = answer_of(&f, ORR_HOOK_refreshBackupResult, "return ServiceResponse.retry('busy')");
  assert_true(answer->retry_after < 0);
  answer = answer_of(&f, ORR_HOOK_cancelBackup, "local r = ServiceResponse.success() r.inProgress = true return r");
  assert_true(answer->has_in_progress && answer->in_progress);
  assert_error(answer_of(&f, ORR_HOOK_cancelBackup, "local r = ServiceResponse.success() r.inProgres = true return r"), "inProgress");
  fake_close(&f);
}

static void test_dispatch__findings_are_replaced_by_an_errors_table_even_an_empty_one(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = answer_of(&f, ORR_HOOK_validateBackup, "return ServiceResponse.success()");
  assert_success(answer);
  assert_false(answer->has_errors);
  answer = answer_of(&f, ORR_HOOK_validateBackup, "return { success = true, errors = {} }");
  assert_success(answer);
  assert_true(answer->has_errors);
  answer = answer_of(&f, ORR_HOOK_validateBackup, "return { errors = {} }");
  assert_success(answer);
  assert_true(answer->has_errors);
  answer = answer_of(&f, ORR_HOOK_validateBackup, "return { success = true, errors = { path = 'no' } }");
  assert_int_equal(answer->outcome, ORR_OUTCOME_HALT);
  assert_error(answer_of(&f, ORR_HOOK_validateBackup, "return { success = true, errors = { 'no' } }"), "field names");
  fake_close(&f);
}

static void test_dispatch__anything_else_names_the_hook_and_the_value(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = answer_of(&f, ORR_HOOK_executeBackup, "return 42");
  assert_error(answer, "executeBackup");
  assert_error(answer, "the number 42");
  assert_error(answer, "test 1.0");
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "return 'done'"), "\"done\"");
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return { sucess = true }"), "did you mean 'success'");
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return { success = 'yes' }"), "true or false");
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return true, {}"), "msg");
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return function() end"), "a function");
  fake_close(&f);
}

static void test_dispatch__extract_needs_data(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_error(answer_of(&f, ORR_HOOK_extractBackup, "return true"), "needs data");
  assert_error(answer_of(&f, ORR_HOOK_extractBackup, "return ServiceResponse.success('x')"), "{ path, sizeInBytes, sha256 }");
  orr__answer *answer = answer_of(&f, ORR_HOOK_extractBackup, "return ServiceResponse.success{ path = b.destination or '/tmp/x', sizeInBytes = 5 }");
  assert_success(answer);
  assert_has(answer->data, "\"sizeInBytes\":5");
  assert_int_equal(answer_of(&f, ORR_HOOK_extractBackup, "return false, 'gone'")->outcome, ORR_OUTCOME_HALT);
  fake_close(&f);
}

static void test_dispatch__execution_responses_bare_and_wrapped(void **state) {
  (void)state;
  static const char *const bodies[] = {
    "b.status = 'SUCCEEDED' return BackupExecutionResponse { backupResult = b, updates = true }",
    "b.status = 'SUCCEEDED' return BackupExecutionResponse(b, true)",
    "b.status = 'SUCCEEDED' return { backupResult = b }",
    "b.status = 'SUCCEEDED' return ServiceResponse.success(BackupExecutionResponse { backupResult = b })",
    "b.status = 'SUCCEEDED' return ServiceResponse.success(b)",
    "local copy = b:copy() copy.status = 'SUCCEEDED' return { backupResult = copy, updates = true }",
    "b.status = 'SUCCEEDED'",
  };
  fake f;
  fake_open(&f);
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    assert_success(answer_of(&f, ORR_HOOK_executeBackup, bodies[i]));
    orr_result *result = f.ended[f.last_id]->graph.result;
    assert_string_equal(result->status, "SUCCEEDED");
    assert_true(result->head.dirty == ORR_BIT(ORR_F_result_status));
  }
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "return { backupResult = a }"), "a Backup as backupResult");
  assert_error(answer_of(&f, ORR_HOOK_deleteBackup, "return { backupResult = a }"), "unknown key 'backupResult'");
  fake_close(&f);
}

static void test_dispatch__create_takes_the_returned_model(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  assert_success(answer_of(&f, ORR_HOOK_createBackup, "assert(a.id == nil) local c = a:copy() c.externalId = 'job-1' return ServiceResponse.success(c)"));
  assert_string_equal(f.ended[f.last_id]->graph.backup->externalId, "job-1");
  assert_success(answer_of(&f, ORR_HOOK_createBackup, "a.externalId = 'job-2'"));
  assert_string_equal(f.ended[f.last_id]->graph.backup->externalId, "job-2");
  assert_error(answer_of(&f, ORR_HOOK_createBackup, "return ServiceResponse.success{ externalId = 'x' }"), "must be the Backup");
  assert_error(answer_of(&f, ORR_HOOK_createBackup, "return ServiceResponse.success(a.backupProvider)"), "a BackupProvider");
  assert_error(answer_of(&f, ORR_HOOK_createBackup, "a:save()"), "not persisted yet: return it as data");
  fake_close(&f);
}

/* ---- errors ------------------------------------------------------------------------------------------------ */

static void test_dispatch__raised_errors_say_where(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = answer_of(&f, ORR_HOOK_executeBackup, "error('no such host')");
  assert_error(answer, "test 1.0: executeBackup: test.lua:3: no such host");
  assert_has(answer->traceback, "test.lua:3");
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "local x = nil; return x.y"), "test.lua:3");
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "error(setmetatable({}, { __tostring = function() error('trap') end }))"), "error table without a message");
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "error(function() end)"), "a function value");
  assert_error(answer_of(&f, ORR_HOOK_executeBackup, "error()"), "raised");
  fake_close(&f);
}

static void test_dispatch__a_retryable_error_let_through_is_retry(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  orr__answer *answer = answer_of(&f, ORR_HOOK_refreshBackupResult, "error{ code = 'unreachable', message = 'lab:8443', retryable = true }");
  assert_int_equal(answer->outcome, ORR_OUTCOME_RETRY);
  assert_int_equal(answer->error.code, ORR_E_UNREACHABLE);
  assert_has(orr__error_message(&answer->error), "refreshBackupResult: lab:8443");
  answer = answer_of(&f, ORR_HOOK_refreshBackupResult, "error{ code = 'tls', message = 'who are you' }");
  assert_int_equal(answer->outcome, ORR_OUTCOME_ERROR);
  assert_int_equal(answer->error.code, ORR_E_TLS);
  fake_close(&f);
}

static void test_dispatch__a_missing_hook_is_refused_and_the_call_stays(void **state) {
  (void)state;
  fake f;
  orr_error err = ORR_ERROR_INIT;
  fake_open(&f);
  fake_load(&f, "");
  orr__call *call = fake_call(&f, ORR_HOOK_cancelBackup);
  assert_int_equal(f.ops->call(f.ops->self, call, &err), ORR_E_REFUSED);
  assert_has(orr__error_message(&err), "no cancelBackup");
  orr__error_clear(&err);
  orr__call_free(call);
  call = orr__call_new(50, ORR_HOOK_executeBackup, "tset");
  assert_int_equal(f.ops->call(f.ops->self, call, &err), ORR_E_NOT_FOUND);
  assert_has(orr__error_message(&err), "did you mean 'test'");
  orr__error_clear(&err);
  orr__call_free(call);
  fake_close(&f);
}

/* ---- arguments --------------------------------------------------------------------------------------------- */

static void test_dispatch__arguments_come_in_the_order_of_the_table(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup(...)\n"
                "  local backup, result, executionConfig, cloud, server, opts = ...\n"
                "  assert(select('#', ...) == 6)\n"
                "  assert(backup.name == 'nightly' and result.id == 42 and executionConfig.level == 'full')\n"
                "  assert(cloud == nil and server == nil and opts.trigger == 'manual')\n"
                "  assert(result.backup == backup and backup.backupProvider == backup.connection)\n"
                "  assert(backup.connection.serviceUrl:find('lab') and result.cloud == nil)\n"
                "  executionConfig.level = 'x'\n"
                "end\n"
                "function provider.configureBackup(backup, config, opts) config.path = 'changed' end\n"
                "function provider.optionSource(name, connection) return ServiceResponse.success{ { name = name, value = connection.id } } end\n"
                "function provider.refreshBackupResults(results) assert(#results == 2) for _, r in ipairs(results) do r.status = 'SUCCEEDED' end end\n"
                "function provider.updateBackup(backup, previous) previous.externalId = 'x' end\n");
  orr__call *call = fake_call(&f, ORR_HOOK_executeBackup);
  free(call->execution_config);
  call->execution_config = orr__strdup("{\"level\":\"full\"}");
  assert_success(fake_wait(&f, fake_start(&f, call)));
  assert_string_equal(call->execution_config, "{\"level\":\"full\"}");
  assert_success(fake_run(&f, ORR_HOOK_configureBackup));
  assert_string_equal(f.ended[f.last_id]->config, "{\"path\":\"/srv\"}");
  call = fake_call(&f, ORR_HOOK_optionSource);
  call->name = orr__strdup("slaDomain");
  assert_string_equal(fake_wait(&f, fake_start(&f, call))->data, "[{\"name\":\"slaDomain\",\"value\":3}]");
  call = fake_call(&f, ORR_HOOK_refreshBackupResults);
  call->batch = calloc(2, sizeof *call->batch);
  call->batch_count = 2;
  for (int i = 0; i < 2; i++) call->batch[i] = (orr__graph){ .result = fake_result(), .backup = fake_backup(true) };
  assert_success(fake_wait(&f, fake_start(&f, call)));
  assert_string_equal(call->batch[1].result->status, "SUCCEEDED");
  call = fake_call(&f, ORR_HOOK_updateBackup);
  call->previous = fake_backup(true);
  assert_error(fake_wait(&f, fake_start(&f, call)), "it is the Backup as it was");
  fake_close(&f);
}

/* ---- waits, marks, saves ----------------------------------------------------------------------------------- */

static void test_dispatch__nothing_runs_inside_the_call(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup() print('ran') end");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  assert_string_equal(f.log, "");
  assert_int_equal(orr__bindings_calls(f.bindings), 1);
  assert_success(fake_wait(&f, id));
  assert_string_equal(f.log, "ran\n");
  assert_int_equal(orr__bindings_calls(f.bindings), 0);
  fake_close(&f);
}

static void test_dispatch__sleeping_hooks_run_side_by_side(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup() sleep(10) end function provider.deleteBackup() sleep(1) return true end");
  uint64_t slow = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  uint64_t quick = fake_start(&f, fake_call(&f, ORR_HOOK_deleteBackup));
  assert_success(fake_wait(&f, quick));
  assert_int_equal(orr__loop_mono_ms(f.loop), 1000);
  assert_int_equal(f.answered[slow], 0);
  assert_success(fake_wait(&f, slow));
  assert_int_equal(orr__loop_mono_ms(f.loop), 10000);
  fake_close(&f);
}

static void test_dispatch__parallel_joins_and_answers_in_order(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup()\n"
                "  local a, b, c = parallel{ function() sleep(3) return 'a' end, function() end, function() sleep(1) return 'c' end }\n"
                "  assert(a == 'a' and b == nil and c == 'c')\n"
                "  local log = {}\n"
                "  local ok, err = pcall(parallel, {\n"
                "    function() sleep(1) error('first') end,\n"
                "    function() local ok, e = pcall(sleep, 50) log[1] = e.code; local ok2, e2 = pcall(sleep, 1) log[2] = e2.code end,\n"
                "    function() parallel{ function() sleep(60) end } end,\n"
                "  })\n"
                "  assert(not ok and tostring(err):find('first'), tostring(err))\n"
                "  assert(log[1] == 'cancelled' and log[2] == 'cancelled')\n"
                "  sleep(1)\n"
                "end");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  assert_int_equal(orr__loop_mono_ms(f.loop), 5000);
  fake_close(&f);
}

static void test_dispatch__waits_inside_the_authors_coroutines_stay_hidden(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup()\n"
                "  local next = coroutine.wrap(function() for i = 1, 3 do sleep(1) coroutine.yield(i, nil) end end)\n"
                "  assert(next() == 1 and select('#', next()) == 2 and next() == 3)\n"
                "  local co = coroutine.create(function() pcall(function() sleep(2) error('x') end) return 'end' end)\n"
                "  local ok, value = coroutine.resume(co)\n"
                "  assert(ok and value == 'end' and coroutine.status(co) == 'dead')\n"
                "  local function deep(n) if n == 0 then return 0 end return coroutine.wrap(function() return deep(n - 1) end)() end\n"
                "  local ok2, err = pcall(deep, 1000)\n"
                "  assert(not ok2 and err:find('nested'))\n"
                "  assert(not pcall(coroutine.yield, 1))\n"
                "end");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  assert_int_equal(orr__loop_mono_ms(f.loop), 5000);
  fake_close(&f);
}

static void test_dispatch__table_sort_is_stable_and_may_wait(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup()\n"
                "  local list = {}\n"
                "  for i = 1, 300 do list[i] = { k = (i * 7919) % 13, n = i } end\n"
                "  local waited = false\n"
                "  table.sort(list, function(a, b) if not waited then waited = true sleep(1) end return a.k < b.k end)\n"
                "  for i = 2, 300 do assert(list[i-1].k < list[i].k or (list[i-1].k == list[i].k and list[i-1].n < list[i].n)) end\n"
                "  local words = { 'b', 'a', 'c' } table.sort(words) assert(table.concat(words) == 'abc')\n"
                "end");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  fake_close(&f);
}

static void test_dispatch__save_is_a_checkpoint_that_waits(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  f.holds_saves = true;
  fake_load(&f, "function provider.executeBackup(backup, result)\n"
                "  result.externalId = 'job-9' result:save() print('after') result.snapshotId = 's' error('later')\n"
                "end");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 5);
  assert_int_equal(f.checkpoints, 1);
  assert_true(f.checkpoint_dirty == ORR_BIT(ORR_F_result_externalId));
  assert_string_equal(f.log, "");
  fake_save_now(&f);
  assert_error(fake_wait(&f, id), "later");
  assert_string_equal(f.log, "after\n");
  assert_true(f.ended[id]->graph.result->head.dirty == ORR_BIT(ORR_F_result_snapshotId));
  f.holds_saves = false;
  f.save_code = ORR_E_IO;
  orr__answer *answer = fake_run(&f, ORR_HOOK_executeBackup);
  assert_int_equal(answer->outcome, ORR_OUTCOME_RETRY);
  assert_int_equal(answer->error.code, ORR_E_IO);
  fake_close(&f);
}

static void test_dispatch__defer_is_a_checkpoint_that_waits(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  f.holds_saves = true;
  fake_load(&f, "function provider.cleanUp() return true end\n"
                "function provider.executeBackup() defer('x', { id = 1 }) print('after') end");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 5);
  assert_int_equal(f.checkpoints, 1);
  assert_true(f.checkpoint_dirty == ORR_BIT(ORR_F_result_deferred));
  assert_string_equal(f.log, "");
  fake_save_now(&f);
  assert_success(fake_wait(&f, id));
  assert_string_equal(f.log, "after\n");
  fake_close(&f);
}

static void test_dispatch__results_of_the_backup_are_read_only(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup(backup, result)\n"
                "  local list = backup:results{ status = 'SUCCEEDED', limit = 5 }\n"
                "  assert(#list == 2 and list[1].id == 90 and list[2].status == 'SUCCEEDED' and list[1].backup == backup)\n"
                "  assert(not pcall(function() list[1].externalId = 'x' end))\n"
                "  assert(not pcall(backup.results, backup, { stauts = 'x' }))\n"
                "  assert(#backup:results() == 2)\n"
                "end");
  assert_success(fake_run(&f, ORR_HOOK_executeBackup));
  assert_int_equal(f.results_limit, 20);
  fake_close(&f);
}

/* ---- stops and what comes too late ------------------------------------------------------------------------- */

static void test_dispatch__a_deadline_ends_waits_with_a_sticky_error(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup(backup, result)\n"
                "  local ok, err = pcall(sleep, 500)\n"
                "  assert(not ok and err.code == 'deadline')\n"
                "  local ok2, err2 = pcall(sleep, 1)\n"
                "  result.externalId = ok2 and 'x' or err2.code\n"
                "  return true\n"
                "end");
  orr__answer *answer = fake_run(&f, ORR_HOOK_executeBackup);
  assert_int_equal(answer->outcome, ORR_OUTCOME_TIMEOUT);
  assert_int_equal(answer->error.code, ORR_E_DEADLINE);
  assert_int_equal(orr__loop_mono_ms(f.loop), 60000);
  assert_string_equal(f.ended[f.last_id]->graph.result->externalId, "deadline");
  fake_close(&f);
}

static void test_dispatch__an_interrupt_ends_a_waiting_hook(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.refreshBackupResult() sleep(30) return true end");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_refreshBackupResult));
  fake_step(&f, 3);
  f.ops->interrupt(f.ops->self, id, "cancel");
  f.ops->interrupt(f.ops->self, id, "again");
  f.ops->interrupt(f.ops->self, 9999, "nobody");
  assert_int_equal(f.answered[id], 0);
  orr__answer *answer = fake_wait(&f, id);
  assert_int_equal(answer->outcome, ORR_OUTCOME_INTERRUPTED);
  assert_int_equal(answer->error.code, ORR_E_CANCELLED);
  assert_has(orr__error_message(&answer->error), "cancel");
  f.ops->interrupt(f.ops->self, id, "late");
  assert_int_equal(orr__loop_mono_ms(f.loop), 0);
  fake_close(&f);
}

static void test_dispatch__late_completions_find_nobody(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  f.holds_saves = true;
  fake_load(&f, "function provider.executeBackup(backup, result) pcall(result.save, result) end");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 3);
  assert_int_equal(f.checkpoints, 1);
  f.ops->interrupt(f.ops->self, id, "stop");
  assert_int_equal(fake_wait(&f, id)->outcome, ORR_OUTCOME_INTERRUPTED);
  fake_save_now(&f);
  /* and after the bindings are gone */
  id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 3);
  orr__bindings_close(f.bindings);
  f.bindings = NULL;
  assert_int_equal(f.answers[id].outcome, ORR_OUTCOME_INTERRUPTED);
  fake_save_now(&f);
  fake_close(&f);
}

static void test_dispatch__closing_answers_every_call_once(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.executeBackup() parallel{ function() sleep(5) end, function() parallel{ function() sleep(9) end } end } end");
  uint64_t first = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 4);
  uint64_t second = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  orr__bindings_close(f.bindings);
  f.bindings = NULL;
  assert_int_equal(f.answered[first], 1);
  assert_int_equal(f.answered[second], 1);
  fake_close(&f);
}

static void test_dispatch__secrets_do_not_leave_in_messages(void **state) {
  (void)state;
  fake f;
  fake_open(&f);
  fake_load(&f, "function provider.deleteBackup(backup)\n"
                "  local c = backup.connection\n"
                "  print('auth', c.password, base64.encode('root:' .. c.password), base64.encode(c.password), backup:getConfigProperty('passphrase'))\n"
                "  return false, 'login ' .. c.password .. ' refused, ' .. url.encode(backup:getConfigProperty('passphrase'))\n"
                "end");
  orr__answer *answer = fake_run(&f, ORR_HOOK_deleteBackup);
  assert_string_equal(answer->msg, "login *** refused, ***");
  assert_null(strstr(f.log, "s3cr3t"));
  assert_null(strstr(f.log, "sesame"));
  assert_null(strstr(f.log, "czNjcjN0"));
  assert_null(strstr(f.log, "M2NyM3QtcGE1"));
  fake_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_dispatch__returning_nothing_is_success_where_no_answer_is_asked_for),
    cmocka_unit_test(test_dispatch__a_forgotten_return_deletes_nothing),
    cmocka_unit_test(test_dispatch__true_false_and_messages),
    cmocka_unit_test(test_dispatch__a_table_without_success_is_false),
    cmocka_unit_test(test_dispatch__service_responses_of_every_kind),
    cmocka_unit_test(test_dispatch__findings_are_replaced_by_an_errors_table_even_an_empty_one),
    cmocka_unit_test(test_dispatch__anything_else_names_the_hook_and_the_value),
    cmocka_unit_test(test_dispatch__extract_needs_data),
    cmocka_unit_test(test_dispatch__execution_responses_bare_and_wrapped),
    cmocka_unit_test(test_dispatch__create_takes_the_returned_model),
    cmocka_unit_test(test_dispatch__raised_errors_say_where),
    cmocka_unit_test(test_dispatch__a_retryable_error_let_through_is_retry),
    cmocka_unit_test(test_dispatch__a_missing_hook_is_refused_and_the_call_stays),
    cmocka_unit_test(test_dispatch__arguments_come_in_the_order_of_the_table),
    cmocka_unit_test(test_dispatch__nothing_runs_inside_the_call),
    cmocka_unit_test(test_dispatch__sleeping_hooks_run_side_by_side),
    cmocka_unit_test(test_dispatch__parallel_joins_and_answers_in_order),
    cmocka_unit_test(test_dispatch__waits_inside_the_authors_coroutines_stay_hidden),
    cmocka_unit_test(test_dispatch__table_sort_is_stable_and_may_wait),
    cmocka_unit_test(test_dispatch__save_is_a_checkpoint_that_waits),
    cmocka_unit_test(test_dispatch__defer_is_a_checkpoint_that_waits),
    cmocka_unit_test(test_dispatch__results_of_the_backup_are_read_only),
    cmocka_unit_test(test_dispatch__a_deadline_ends_waits_with_a_sticky_error),
    cmocka_unit_test(test_dispatch__an_interrupt_ends_a_waiting_hook),
    cmocka_unit_test(test_dispatch__late_completions_find_nobody),
    cmocka_unit_test(test_dispatch__closing_answers_every_call_once),
    cmocka_unit_test(test_dispatch__secrets_do_not_leave_in_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
