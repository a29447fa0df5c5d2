/* Hooks in C: called like those in Lua, answered at once or later from any thread, and never used after their end. */
#include "guest.h"

#include <poll.h>
#include <pthread.h>

static const char declaration[] = "{\"apiVersion\":1,\"code\":\"native\",\"name\":\"Native\",\"version\":\"2\",\"refreshInterval\":5,"
                                  "\"connectionOptionTypes\":[{\"fieldName\":\"apiKey\",\"fieldLabel\":\"Key\",\"inputType\":\"password\"}]}";

typedef struct acme {
  orr_hook_function execute;
  int executed, refreshed, interrupted, released, stop;
  orr_hook *kept;
  pthread_t thread;
  int worked, was_set;
  char secret[64];
} acme;

static void count_interrupted(void *self, orr_hook *hook) {
  acme *a = self;
  a->interrupted++;
  a->stop = orr_hook_stopped(hook);
}

static void count_released(void *self) { ((acme *)self)->released++; }

static void execute(void *self, orr_hook *hook) {
  acme *a = self;
  a->executed++;
  a->execute(a, hook);
}

static void refresh(void *self, orr_hook *hook) {
  acme *a = self;
  assert_string_equal(orr_hook_name(hook), "refreshBackupResult");
  if (++a->refreshed == 3) assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"SUCCEEDED\"", NULL), 0);
  assert_int_equal(orr_hook_done(hook, NULL, NULL), 0);
}

static void set_up(guest *g, acme *a, const char *clock, orr_hook_function function) {
  orr_error *err = orr_error_new();
  *g = (guest){ .runtime = guest_open_with(guest_settings(clock)) };
  *a = (acme){ .execute = function };
  orr_provider provider = { .size = sizeof provider, .declaration = declaration, .self = a, .interrupted = count_interrupted,
                            .released = count_released, .executeBackup = execute, .refreshBackupResult = refresh };
  if (orr_provider_register(g->runtime, &provider, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
}

static cJSON *run(guest *g) {
  guest_do(g, "backup.create", "{\"name\":\"b\",\"provider\":\"native\"}");
  guest_do(g, "backup.run", "{\"backup\":\"b\",\"config\":{\"x\":1}}");
  return guest_ask(g, "result.watch", "{\"result\":\"1\"}");
}

static void assert_run(guest *g, const char *status, const char *message) {
  cJSON *result = run(g);
  const char *told = guest_str(result, "errorMessage")[0] ? guest_str(result, "errorMessage") : guest_str(result, "statusMessage");
  if (strcmp(guest_str(result, "status"), status)) fail_msg("%s: %s", guest_str(result, "status"), told);
  if (message && !strstr(told, message)) fail_msg("'%s' is not in '%s'", message, told);
  cJSON_Delete(result);
}

/* ---- answered at once --------------------------------------------------------------------------------------- */

static void at_once(void *self, orr_hook *hook) {
  (void)self;
  orr_error *err = orr_error_new();
  cJSON *given = cJSON_Parse(orr_hook_json(hook));
  assert_string_equal(orr_hook_name(hook), "executeBackup");
  assert_string_equal(guest_str(cJSON_GetObjectItem(given, "backup"), "name"), "b");
  assert_int_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(given, "executionConfig"), "x")->valueint, 1);
  cJSON_Delete(given);
  assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"IN_PROGRESS\"", err), 0);
  assert_int_equal(orr_hook_set(hook, "backupResult.externalId", "\"job-1\"", err), 0);
  assert_int_equal(orr_hook_set(hook, "backupResult.config.a.b", "[1,2]", err), 0);
  assert_int_equal(orr_hook_set(hook, "backupResult.statsu", "\"X\"", err), -1);
  assert_non_null(strstr(orr_error_message(err), "did you mean 'status'"));
  assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"NO_SUCH\"", err), -1);
  assert_int_equal(orr_hook_set(hook, "backupResult.id", "5", err), -1);
  assert_int_equal(orr_hook_set(hook, "connection.password", "\"x\"", err), -1);
  assert_int_equal(orr_hook_set(hook, "backupResult.sizeInBytes", "\"many\"", err), -1);
  assert_int_equal(orr_hook_set(hook, "backupResult.sizeInBytes", "{", err), -1);
  assert_int_equal(orr_hook_sent(hook, "POST x", err), -21); /* it cannot wait here */
  assert_int_equal(orr_hook_done(hook, "{\"msg\":\"no success\"}", err), -1);
  assert_int_equal(orr_hook_done(hook, "{\"sucess\":true}", err), -1);
  assert_int_equal(orr_hook_done(hook, "[]", err), -1);
  assert_int_equal(orr_hook_fail(hook, "no such word", "x", 0, err), -1);
  assert_int_equal(orr_hook_done(hook, "{\"success\":true,\"msg\":\"fine\"}", err), 0);
  orr_error_free(err);
}

static void test_hooks__a_backup_runs_to_its_end(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", at_once);
  cJSON *result = run(&g);
  assert_string_equal(guest_str(result, "status"), "SUCCEEDED");
  assert_string_equal(guest_str(result, "externalId"), "job-1");
  cJSON *config = cJSON_GetObjectItem(cJSON_GetObjectItem(result, "config"), "a");
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(config, "b")), 2);
  cJSON_Delete(result);
  assert_int_equal(a.executed, 1);
  assert_int_equal(a.refreshed, 3);
  cJSON *listed = guest_ask(&g, "provider.show", "{\"provider\":\"native\"}");
  assert_string_equal(guest_str(listed, "version"), "2");
  cJSON_Delete(listed);
  orr_close(g.runtime);
  assert_int_equal(a.released, 1);
}

static void refuses(void *self, orr_hook *hook) {
  (void)self;
  assert_int_equal(orr_hook_done(hook, "{\"success\":false,\"msg\":\"no room\"}", NULL), 0);
}

static void test_hooks__false_halts(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", refuses);
  assert_run(&g, "FAILED", "no room");
  orr_close(g.runtime);
}

static void fails(void *self, orr_hook *hook) {
  (void)self;
  assert_int_equal(orr_hook_fail(hook, "tls", "who are you?", 1, NULL), 0);
}

static void test_hooks__an_error_is_told(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", fails);
  assert_run(&g, "FAILED", "who are you?");
  orr_close(g.runtime);
}

/* ---- later, from another thread ----------------------------------------------------------------------------- */

static void *work(void *arg) {
  acme *a = arg;
  orr_hook *hook = a->kept;
  a->worked = orr_hook_sent(hook, "POST https://native.example.com:443", NULL);
  if (!a->worked) a->worked = orr_hook_set(hook, "backupResult.externalId", "\"job-2\"", NULL);
  if (!a->worked) a->worked = orr_hook_save(hook, NULL);
  if (!a->worked) a->worked = orr_hook_set(hook, "backupResult.status", "\"SUCCEEDED\"", NULL);
  int code = orr_hook_done(hook, NULL, NULL);
  if (!a->worked) a->worked = code;
  return NULL;
}

static void in_a_thread(void *self, orr_hook *hook) {
  acme *a = self;
  a->kept = hook;
  pthread_create(&a->thread, NULL, work, a);
}

static void test_hooks__a_thread_marks_saves_and_answers(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "real", in_a_thread);
  assert_run(&g, "SUCCEEDED", NULL);
  pthread_join(a.thread, NULL);
  assert_int_equal(a.worked, 0);
  cJSON *result = guest_ask(&g, "result.show", "{\"result\":\"1\",\"journal\":true}");
  assert_string_equal(guest_str(result, "externalId"), "job-2");
  char *text = cJSON_PrintUnformatted(result);
  assert_non_null(strstr(text, "POST https://native.example.com:443"));
  cJSON_free(text);
  cJSON_Delete(result);
  orr_close(g.runtime);
}

static void marked(void *arg, orr_hook *hook, int code, const orr_error *err) {
  (void)arg, (void)err;
  assert_int_equal(code, 0);
  assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"SUCCEEDED\"", NULL), 0);
  assert_int_equal(orr_hook_done(hook, NULL, NULL), 0);
}

static void then(void *self, orr_hook *hook) {
  assert_int_equal(orr_hook_sent_then(hook, "POST y", marked, self, NULL), 0);
}

static void test_hooks__a_mark_can_go_on_where_it_is_durable(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", then);
  assert_run(&g, "SUCCEEDED", NULL);
  orr_close(g.runtime);
}

/* ---- ends --------------------------------------------------------------------------------------------------- */

static void keeps(void *self, orr_hook *hook) { ((acme *)self)->kept = hook; }

static void test_hooks__a_call_ends_at_its_deadline_without_the_host(void **state) {
  (void)state;
  guest g;
  acme a;
  orr_error *err = orr_error_new();
  set_up(&g, &a, "virtual", keeps);
  assert_run(&g, "FAILED", "deadline");
  assert_int_equal(a.interrupted, 1);
  assert_int_equal(a.stop, -7);
  assert_int_equal(orr_hook_stopped(a.kept), -9);
  assert_int_equal(orr_hook_set(a.kept, "backupResult.status", "\"SUCCEEDED\"", err), -9);
  assert_null(orr_hook_secret(a.kept, "connection.apiKey"));
  assert_int_equal(orr_hook_sent_then(a.kept, "x", marked, NULL, err), -9);
  assert_int_equal(orr_hook_done(a.kept, NULL, err), -9); /* the handle is given back all the same */
  orr_error_free(err);
  orr_close(g.runtime);
}

static void test_hooks__a_handle_outlives_the_runtime(void **state) {
  (void)state;
  guest g;
  acme a;
  uint64_t id;
  set_up(&g, &a, "virtual", keeps);
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"native\"}");
  assert_int_equal(orr_submit(g.runtime, "backup.run", "{\"backup\":\"b\"}", &id, NULL), 0);
  for (int i = 0; i < 1000 && !a.kept; i++) orr_step(g.runtime, 0);
  assert_non_null(a.kept);
  orr_close(g.runtime);
  assert_int_equal(a.interrupted, 1);
  assert_int_equal(a.released, 0); /* one is out still */
  assert_int_equal(orr_hook_set(a.kept, "backupResult.status", "\"SUCCEEDED\"", NULL), -19);
  assert_int_equal(orr_hook_stopped(a.kept), -19);
  assert_int_equal(orr_hook_done(a.kept, NULL, NULL), -19);
  assert_int_equal(a.released, 1);
}

static void cannot(void *self, orr_hook *hook) {
  acme *a = self;
  guest *g = (guest *)(void *)a->kept;
  orr_error *err = orr_error_new();
  assert_int_equal(orr_step(g->runtime, -1), 0);
  assert_null(orr_wait(g->runtime, -1));
  assert_int_equal(orr_advance(g->runtime, 5, err), -21);
  assert_int_equal(orr_run(g->runtime, err), -21);
  orr_close(g->runtime); /* nothing happens */
  uint64_t id;
  assert_int_equal(orr_submit(g->runtime, "status", NULL, &id, err), 0); /* asking is fine */
  orr_error_free(err);
  assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"SUCCEEDED\"", NULL), 0);
  assert_int_equal(orr_hook_done(hook, NULL, NULL), 0);
}

static void test_hooks__the_wheels_cannot_be_turned_from_inside(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", cannot);
  a.kept = (orr_hook *)(void *)&g;
  assert_run(&g, "SUCCEEDED", NULL);
  orr_close(g.runtime);
}

/* ---- registering -------------------------------------------------------------------------------------------- */

static void test_hooks__what_is_wrong_with_a_provider_is_told(void **state) {
  (void)state;
  guest g;
  acme a;
  orr_error *err = orr_error_new();
  set_up(&g, &a, "virtual", at_once);
  orr_provider p = { .size = sizeof p, .declaration = "{\"apiVersion\":1,\"code\":\"x\",\"nmae\":\"X\"}" };
  assert_int_equal(orr_provider_register(g.runtime, &p, err), -6);
  assert_non_null(strstr(orr_error_message(err), "did you mean 'name'"));
  assert_non_null(strstr(orr_error_message(err), "executeBackup"));
  p.declaration = "{";
  assert_int_equal(orr_provider_register(g.runtime, &p, err), -1);
  p.size = 3;
  assert_int_equal(orr_provider_register(g.runtime, &p, err), -21);
  assert_int_equal(orr_provider_register(g.runtime, NULL, err), -21);
  static const char script[] = "local p = Provider { apiVersion = 1, code = 'lua', name = 'L', version = '1' }\n"
                               "function p.executeBackup(b, r) r.status = 'SUCCEEDED' end\nreturn p\n";
  guest_provider(g.runtime, "lua", script);
  p = (orr_provider){ .size = sizeof p, .declaration = "{\"apiVersion\":1,\"code\":\"lua\",\"name\":\"L\",\"version\":\"1\"}", .executeBackup = execute };
  assert_int_equal(orr_provider_register(g.runtime, &p, err), -3);
  assert_int_equal(orr_provider_add(g.runtime, "native", script, strlen(script), err), -3);
  p = (orr_provider){ .size = sizeof p, .declaration = declaration, .self = &a, .executeBackup = execute };
  assert_int_equal(orr_provider_register(g.runtime, &p, err), 0); /* replaces the first */
  assert_int_equal(a.released, 1);
  orr_error_free(err);
  orr_close(g.runtime);
}

static void test_hooks__null_is_no_hook(void **state) {
  (void)state;
  assert_null(orr_hook_name(NULL));
  assert_null(orr_hook_json(NULL));
  assert_null(orr_hook_secret(NULL, "connection.x"));
  assert_int_equal(orr_hook_stopped(NULL), -21);
  assert_int_equal(orr_hook_set(NULL, "x", "1", NULL), -21);
  assert_int_equal(orr_hook_sent(NULL, "x", NULL), -21);
  assert_int_equal(orr_hook_save(NULL, NULL), -21);
  assert_int_equal(orr_hook_sent_then(NULL, "x", marked, NULL, NULL), -21);
  assert_int_equal(orr_hook_save_then(NULL, marked, NULL, NULL), -21);
  assert_int_equal(orr_hook_done(NULL, NULL, NULL), -21);
  assert_int_equal(orr_hook_fail(NULL, NULL, NULL, 0, NULL), -21);
}

/* ---- secrets and inventory that the host keeps -------------------------------------------------------------- */

static void keeper_called(guest *g, const char *service, uint64_t call, const cJSON *args) {
  if (strcmp(service, "secrets") == 0) {
    char answer[128];
    snprintf(answer, sizeof answer, "{\"value\":\"opened %s\"}", guest_str(args, "name"));
    guest_answer(g, call, answer);
  } else {
    assert_string_equal(service, "inventory");
    assert_string_equal(guest_str(cJSON_GetObjectItem(args, "computeServer"), "name"), "vm-1");
    guest_answer(g, call, "{\"sshHost\":\"10.0.0.9\"}");
  }
}

static void looks(void *self, orr_hook *hook) {
  acme *a = self;
  const char *secret = orr_hook_secret(hook, "connection.apiKey"), *password = orr_hook_secret(hook, "connection.password");
  snprintf(a->secret, sizeof a->secret, "%s, %s", secret ? secret : "", password ? password : "");
  assert_non_null(strstr(orr_hook_json(hook), "\"sshHost\":\"10.0.0.9\""));
  assert_null(strstr(orr_hook_json(hook), "opened"));
  assert_int_equal(orr_hook_set(hook, "backupResult.status", "\"SUCCEEDED\"", NULL), 0);
  assert_int_equal(orr_hook_done(hook, NULL, NULL), 0);
}

static void test_hooks__secrets_and_inventory_come_from_the_host(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", looks);
  guest_offer(&g, "secrets");
  guest_offer(&g, "inventory");
  g.called = keeper_called;
  guest_do(&g, "connection.add", "{\"name\":\"c\",\"provider\":\"native\",\"config\":{\"apiKey\":\"host:key-1\",\"password\":\"host:pw\"}}");
  guest_do(&g, "server.add", "{\"name\":\"vm-1\",\"config\":{\"sshHost\":\"old\"}}");
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"native\",\"connection\":\"c\",\"server\":\"vm-1\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  if (strcmp(guest_str(result, "status"), "SUCCEEDED")) fail_msg("%s", guest_str(result, "errorMessage"));
  cJSON_Delete(result);
  assert_string_equal(a.secret, "opened key-1, opened pw");
  cJSON *servers = guest_ask(&g, "server.ls", NULL);
  assert_string_equal(guest_str(cJSON_GetArrayItem(servers, 0), "sshHost"), "old"); /* nothing of it is stored */
  cJSON_Delete(servers);
  orr_close(g.runtime);
}

static void blabs(void *self, orr_hook *hook) {
  (void)self;
  char text[200];
  snprintf(text, sizeof text, "\"the key is %s\"", orr_hook_secret(hook, "connection.apiKey"));
  assert_int_equal(orr_hook_set(hook, "backupResult.statusMessage", text, NULL), 0);
  snprintf(text, sizeof text, "{\"success\":false,\"msg\":\"refused: %s\"}", orr_hook_secret(hook, "connection.apiKey"));
  assert_int_equal(orr_hook_done(hook, text, NULL), 0);
}

static void test_hooks__secrets_are_taken_out_of_what_is_kept(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", blabs);
  guest_do(&g, "connection.add", "{\"name\":\"c\",\"provider\":\"native\",\"config\":{\"apiKey\":\"hush-hush\"}}");
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"native\",\"connection\":\"c\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON_Delete(guest_ask(&g, "result.watch", "{\"result\":\"1\"}"));
  cJSON *result = guest_ask(&g, "result.show", "{\"result\":\"1\",\"journal\":true}");
  char *text = cJSON_PrintUnformatted(result);
  assert_non_null(strstr(text, "refused: ***"));
  assert_null(strstr(text, "hush"));
  cJSON_free(text);
  cJSON_Delete(result);
  orr_close(g.runtime);
}

static void keeper_refuses(guest *g, const char *service, uint64_t call, const cJSON *args) {
  (void)service, (void)args;
  assert_int_equal(orr_host_answer(g->runtime, call, NULL, "denied", "the vault is sealed", NULL), 0);
}

static void test_hooks__without_its_secret_a_hook_is_not_called(void **state) {
  (void)state;
  guest g;
  acme a;
  set_up(&g, &a, "virtual", looks);
  guest_offer(&g, "secrets");
  g.called = keeper_refuses;
  guest_do(&g, "connection.add", "{\"name\":\"c\",\"provider\":\"native\",\"config\":{\"apiKey\":\"host:key-1\"}}");
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"native\",\"connection\":\"c\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "status"), "FAILED");
  assert_non_null(strstr(guest_str(result, "errorMessage"), "the vault is sealed"));
  cJSON_Delete(result);
  assert_int_equal(a.executed, 0);
  orr_close(g.runtime);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_hooks__a_backup_runs_to_its_end),
    cmocka_unit_test(test_hooks__false_halts),
    cmocka_unit_test(test_hooks__an_error_is_told),
    cmocka_unit_test(test_hooks__a_thread_marks_saves_and_answers),
    cmocka_unit_test(test_hooks__a_mark_can_go_on_where_it_is_durable),
    cmocka_unit_test(test_hooks__a_call_ends_at_its_deadline_without_the_host),
    cmocka_unit_test(test_hooks__a_handle_outlives_the_runtime),
    cmocka_unit_test(test_hooks__the_wheels_cannot_be_turned_from_inside),
    cmocka_unit_test(test_hooks__what_is_wrong_with_a_provider_is_told),
    cmocka_unit_test(test_hooks__null_is_no_hook),
    cmocka_unit_test(test_hooks__secrets_and_inventory_come_from_the_host),
    cmocka_unit_test(test_hooks__secrets_are_taken_out_of_what_is_kept),
    cmocka_unit_test(test_hooks__without_its_secret_a_hook_is_not_called),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
