/* What a call brings along is secret from its first moment, wherever it shows up. */
#include "bindings_fake.h"

#define OPTIONS                                                                                                               \
  "local provider = Provider { apiVersion = 1, code = 'test', name = 'Test', version = '1.0',\n"                              \
  "  optionTypes = { { fieldName = 'path' }, { fieldName = 'apiKey', inputType = 'password' } } }\n"

static void load(fake *f, const char *body) {
  orr_error err = ORR_ERROR_INIT;
  char *text = orr__strf(OPTIONS FAKE_EXECUTE "%s" FAKE_TAIL, body);
  fake_open(f);
  if (fake_load_text(f, text, &err)) fail_msg("%s", orr__error_message(&err));
  free(text);
}

static void test_secrets__a_password_of_the_raw_configuration_is_known(void **state) {
  (void)state;
  fake f;
  load(&f, "function provider.configureBackup(backup, config) log.info(json.encode(config)) return false, config.apiKey end\n");
  orr__call *call = fake_call(&f, ORR_HOOK_configureBackup);
  free(call->config);
  call->config = orr__strdup("{\"path\":\"/srv/data\",\"apiKey\":\"raw-key-1\"}");
  orr__answer *answer = fake_wait(&f, fake_start(&f, call));
  assert_string_equal(answer->msg, "***");
  assert_has(f.log, "/srv/data");
  assert_has(f.log, "***");
  assert_null(strstr(f.log, "raw-key-1"));
  fake_close(&f);
}

static void test_secrets__nothing_of_the_graph_needs_to_be_read_first(void **state) {
  (void)state;
  fake f;
  load(&f, "function provider.executeBackup(backup, result, config)\n"
           "  log.info('open' .. ' sesame, s3cr3t' .. '-pa55, tok-' .. '12345, deep-' .. 'down, run-' .. 'key')\n"
           "end\n");
  orr__call *call = fake_call(&f, ORR_HOOK_executeBackup);
  orr__set_str(&call->graph.connection->head, ORR_F_connection_serviceToken, "tok-12345");
  orr__set_str(&call->graph.connection->head, ORR_F_connection_secrets, "{\"a\":{\"b\":[\"deep-down\",1,null]}}");
  free(call->execution_config);
  call->execution_config = orr__strdup("{\"apiKey\":\"run-key\"}");
  assert_success(fake_wait(&f, fake_start(&f, call)));
  assert_string_equal(f.log, "***, ***, ***, ***, ***\n");
  fake_close(&f);
}

static void test_secrets__of_every_backup_of_a_batch(void **state) {
  (void)state;
  fake f;
  load(&f, "function provider.refreshBackupResults(results) log.info('open' .. ' sesame, other' .. '-pass') end\n");
  orr__call *call = fake_call(&f, ORR_HOOK_refreshBackupResults);
  call->batch = calloc(2, sizeof *call->batch);
  call->batch_count = 2;
  for (int i = 0; i < 2; i++) {
    call->batch[i].result = fake_result();
    call->batch[i].backup = fake_backup(true);
  }
  orr__set_str(&call->batch[1].backup->head, ORR_F_backup_secrets, "{\"passphrase\":\"other-pass\"}");
  fake_wait(&f, fake_start(&f, call));
  assert_string_equal(f.log, "***, ***\n");
  fake_close(&f);
}

static void test_secrets__what_is_written_for_people_is_kept_without_them(void **state) {
  (void)state;
  fake f;
  load(&f, "function provider.executeBackup(backup, result)\n"
           "  result.statusMessage = 'with ' .. backup:getConfigProperty('passphrase')\n"
           "  result.errorMessage = 'login ' .. result.backup.connection.password\n"
           "  result.errorOutput = 'Basic ' .. base64.encode(result.backup.connection.password)\n"
           "  result.externalId = 'open sesame'\n"
           "  backup.statusMessage = 's3cr3t-pa55'\n"
           "end\n");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  assert_success(fake_wait(&f, id));
  const orr_result *result = f.ended[id]->graph.result;
  assert_string_equal(result->statusMessage, "with ***");
  assert_string_equal(result->errorMessage, "login ***");
  assert_null(strstr(result->errorOutput, "czNjcjN0"));
  assert_has(result->errorOutput, "Basic ***");
  assert_string_equal(result->externalId, "open sesame"); /* not for people: what the provider needs stays whole */
  assert_true(result->head.dirty & ORR_BIT(ORR_F_result_statusMessage));
  assert_string_equal(f.ended[id]->graph.backup->statusMessage, "***");
  fake_close(&f);
}

static void test_secrets__nor_does_a_checkpoint_keep_them(void **state) {
  (void)state;
  fake f;
  load(&f, "function provider.refreshBackupResult(result)\n"
           "  result.statusMessage = 'open sesame'\n"
           "  result:save()\n"
           "  log.info(result.statusMessage == '***')\n"
           "  error('end')\n"
           "end\n");
  orr__call *call = fake_call(&f, ORR_HOOK_refreshBackupResult);
  if (!call->graph.backup) call->graph.backup = fake_backup(true);
  uint64_t id = fake_start(&f, call);
  fake_wait(&f, id);
  assert_int_equal(f.checkpoints, 1);
  assert_true(f.checkpoint_dirty & ORR_BIT(ORR_F_result_statusMessage));
  assert_string_equal(f.ended[id]->graph.result->statusMessage, "***");
  assert_string_equal(f.log, "true\n");
  fake_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_secrets__a_password_of_the_raw_configuration_is_known),
    cmocka_unit_test(test_secrets__nothing_of_the_graph_needs_to_be_read_first),
    cmocka_unit_test(test_secrets__of_every_backup_of_a_batch),
    cmocka_unit_test(test_secrets__what_is_written_for_people_is_kept_without_them),
    cmocka_unit_test(test_secrets__nor_does_a_checkpoint_keep_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
