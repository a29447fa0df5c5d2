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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_secrets__a_password_of_the_raw_configuration_is_known),
    cmocka_unit_test(test_secrets__nothing_of_the_graph_needs_to_be_read_first),
    cmocka_unit_test(test_secrets__of_every_backup_of_a_batch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
