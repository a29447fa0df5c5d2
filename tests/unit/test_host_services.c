/* Services of the host: what it offers is asked of it by events, and its answers reach the hooks that wait. */
#include "guest.h"

#include <pthread.h>
#include <stdbool.h>

#define PROVIDER(needs, body)                                                                                              \
  "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1', needs = " needs " }\n" \
  "function provider.executeBackup(backup, backupResult, executionConfig, cloud, computeServer)\n" body "\nend\nreturn provider\n"

static const char succeeded[] = "SUCCEEDED";

static void set_up(guest *g, const char *clock, const char *service, const char *source) {
  *g = (guest){ .runtime = guest_open_with(guest_settings(clock)) };
  if (service) guest_offer(g, service);
  guest_provider(g->runtime, "guest", source);
}

/* Runs a backup of the provider to its end; owned. */
static cJSON *run(guest *g) {
  guest_do(g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  guest_do(g, "backup.run", "{\"backup\":\"b\"}");
  cJSON *result = guest_ask(g, "result.watch", "{\"result\":\"1\"}");
  assert_int_equal(g->code, 0);
  return result;
}

static void assert_run(guest *g, const char *status, const char *message) {
  cJSON *result = run(g);
  if (strcmp(guest_str(result, "status"), status)) fail_msg("%s: %s %s", guest_str(result, "status"), guest_str(result, "statusMessage"), guest_str(result, "errorMessage"));
  if (message && !strstr(guest_str(result, "statusMessage"), message) && !strstr(guest_str(result, "errorMessage"), message))
    fail_msg("'%s' is not in '%s' or '%s'", message, guest_str(result, "statusMessage"), guest_str(result, "errorMessage"));
  cJSON_Delete(result);
}

/* ---- http --------------------------------------------------------------------------------------------------- */

static void http_called(guest *g, const char *service, uint64_t call, const cJSON *args) {
  assert_string_equal(service, "http");
  assert_string_equal(guest_str(args, "method"), "POST");
  assert_string_equal(guest_str(args, "url"), "https://api.example.com/jobs?x=1");
  assert_string_equal(guest_str(cJSON_GetObjectItem(args, "headers"), "Authorization"), "Bearer hush");
  assert_string_equal(guest_str(args, "body"), "{\"a\":1}");
  guest_answer(g, call, "{\"status\":201,\"headers\":{\"X-Job\":\"7\",\"Set-Cookie\":[\"a=1\",\"b=2\"]},\"body\":\"{\\\"id\\\":\\\"j1\\\"}\"}");
}

static void test_services__http_goes_to_the_host(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http",
         PROVIDER("{ http = { 'https://api.example.com' } }",
                  "local r = http.request { method = 'POST', url = 'https://api.example.com/jobs', query = { x = 1 }, json = { a = 1 }, bearer = 'hush' }\n"
                  "assert(r.status == 201 and r.headers['x-job'] == '7' and r.headers['set-cookie'] == 'a=1\\nb=2' and r:json().id == 'j1')\n"
                  "backupResult.status = 'SUCCEEDED'"));
  g.called = http_called;
  assert_run(&g, succeeded, NULL);
  assert_int_equal(g.calls, 1);
  orr_close(g.runtime);
}

static void test_services__needs_hold_before_the_host_is_asked(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http", PROVIDER("{ }", "local ok, e = pcall(http.get, 'https://api.example.com/')\nreturn false, e.code"));
  assert_run(&g, "FAILED", "denied");
  assert_int_equal(g.calls, 0);
  orr_close(g.runtime);
}

static void http_unsent(guest *g, const char *service, uint64_t call, const cJSON *args) {
  (void)service, (void)args;
  assert_int_equal(orr_host_answer(g->runtime, call, "{\"sent\":false}", "unreachable", "nobody is there", NULL), 0);
}

static void test_services__an_error_of_the_host_says_whether_it_was_sent(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http",
         PROVIDER("{ http = { 'https://api.example.com' } }",
                  "local ok, e = pcall(http.post, 'https://api.example.com/')\n"
                  "return false, e.code .. ' ' .. tostring(e.wasSent) .. ' ' .. tostring(e.retryable) .. ' ' .. e.message"));
  g.called = http_unsent;
  assert_run(&g, "FAILED", "unreachable false true");
  orr_close(g.runtime);
}

static void test_services__what_is_no_answer_is_refused_and_the_call_stays_open(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http", PROVIDER("{ http = { 'https://api.example.com' } }", "http.get('https://api.example.com/')\nbackupResult.status = 'SUCCEEDED'"));
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  uint64_t request;
  assert_int_equal(orr_submit(g.runtime, "backup.run", "{\"backup\":\"b\"}", &request, NULL), 0);
  for (int i = 0; !g.calls && i < 10000; i++) {
    orr_step(g.runtime, 1);
    cJSON *reply;
    int is_done;
    for (orr_event *event; (event = orr_next(g.runtime));) guest_take(&g, event, 0, &reply, &is_done);
  }
  orr_error *err = orr_error_new();
  static const char *const wrong[] = { "{", "null", "[]", "{\"status\":7}", "{\"status\":\"x\"}", "{\"status\":200,\"bodyBase64\":\"&\"}", "\xff" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    if (orr_host_answer(g.runtime, g.last_call, wrong[i], NULL, NULL, err) != -1) fail_msg("%s was taken", wrong[i]);
  assert_int_equal(orr_host_answer(g.runtime, g.last_call, NULL, "no such word", NULL, err), -1);
  assert_int_equal(orr_host_answer(g.runtime, g.last_call + 1, "{\"status\":200}", NULL, NULL, err), -2);
  assert_int_equal(orr_host_answer(g.runtime, g.last_call, "{\"status\":200}", NULL, NULL, err), 0);
  assert_int_equal(orr_host_answer(g.runtime, g.last_call, "{\"status\":200}", NULL, NULL, err), -2); /* twice */
  orr_error_free(err);
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "status"), succeeded);
  cJSON_Delete(result);
  orr_close(g.runtime);
}

/* ---- ends --------------------------------------------------------------------------------------------------- */

static void held(guest *g, const char *service, uint64_t call, const cJSON *args) {
  (void)service, (void)args;
  assert_int_equal(orr_host_hold(g->runtime, call, NULL), 0);
}

static void test_services__a_call_ends_with_its_time_limit(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http",
         PROVIDER("{ http = { 'https://api.example.com' } }",
                  "local ok, e = pcall(http.get, 'https://api.example.com/', { timeout = 7 })\nreturn false, e.code .. ' ' .. tostring(e.wasSent)"));
  g.called = held;
  int64_t before = orr_now(g.runtime);
  assert_run(&g, "FAILED", "timeout true");
  assert_true(orr_now(g.runtime) - before >= 7000);
  assert_int_equal(g.ends, 1);
  assert_int_equal(g.last_end, g.last_call);
  assert_int_equal(orr_host_answer(g.runtime, g.last_call, "{\"status\":200}", NULL, NULL, NULL), -2);
  orr_close(g.runtime);
}

static void later(guest *g, const char *service, uint64_t call, const cJSON *args) {
  (void)service, (void)args;
  assert_int_equal(orr_host_answer_after(g->runtime, call, 20000, "{\"status\":204}", NULL, NULL, NULL), 0);
}

static void test_services__an_answer_can_take_virtual_time(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http",
         PROVIDER("{ http = { 'https://api.example.com' } }",
                  "local from = time.now()\nhttp.get('https://api.example.com/')\nassert(time.now() - from == 20000, time.now() - from)\nbackupResult.status = 'SUCCEEDED'"));
  g.called = later;
  assert_run(&g, succeeded, NULL);
  orr_close(g.runtime);
}

static void test_services__closing_ends_what_is_open(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "http", PROVIDER("{ http = { 'https://api.example.com' } }", "http.post('https://api.example.com/')"));
  uint64_t request;
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  assert_int_equal(orr_submit(g.runtime, "backup.run", "{\"backup\":\"b\"}", &request, NULL), 0);
  for (int i = 0; i < 50; i++) orr_step(g.runtime, 0);
  orr_close(g.runtime);
}

/* ---- functions ---------------------------------------------------------------------------------------------- */

static void name_called(guest *g, const char *service, uint64_t call, const cJSON *args) {
  if (strcmp(service, "query:lookup") == 0) {
    assert_string_equal(guest_str(args, "name"), "vm-1");
    guest_answer(g, call, "{\"address\":\"10.0.0.1\",\"ports\":[22,443]}");
  } else {
    assert_string_equal(service, "function:notify");
    assert_true(cJSON_IsString(args));
    guest_answer(g, call, NULL);
  }
}

static const char calls_functions[] =
    PROVIDER("{ host = { 'lookup', 'notify', 'absent' } }",
             "local found = host.lookup { name = 'vm-1' }\n"
             "assert(found.address == '10.0.0.1' and found.ports[2] == 443)\n"
             "assert(host.notify 'hello' == nil)\n"
             "local ok, e = pcall(host.absent)\nassert(not ok and e.code == 'refused', e.message)\n"
             "ok, e = pcall(host.other, 1)\nassert(not ok and e.code == 'denied' and string.find(e.message, 'needs.host', 1, true), e.message)\n"
             "backupResult.status = 'SUCCEEDED'");

/* Is there an act in the journal of result 1? */
static bool has_act(guest *g, const char *act) {
  cJSON *result = guest_ask(g, "result.show", "{\"result\":\"1\",\"journal\":true}");
  char *text = cJSON_PrintUnformatted(result);
  bool is_there = strstr(text, act) != NULL;
  cJSON_free(text);
  cJSON_Delete(result);
  return is_there;
}

static void test_services__lua_calls_functions_of_the_host(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "query:lookup", calls_functions);
  guest_offer(&g, "function:notify");
  g.called = name_called;
  assert_run(&g, succeeded, NULL);
  assert_int_equal(g.calls, 2);
  assert_true(has_act(&g, "host notify"));
  orr_close(g.runtime);
}

static void test_services__a_query_sets_no_sent_mark(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "query:lookup", PROVIDER("{ host = { 'lookup' } }", "host.lookup { name = 'vm-1' }\nbackupResult.status = 'SUCCEEDED'"));
  g.called = name_called;
  assert_run(&g, succeeded, NULL);
  assert_false(has_act(&g, "host lookup"));
  orr_close(g.runtime);
}

static void test_services__wrong_names_are_told(void **state) {
  (void)state;
  guest g = { .runtime = guest_open_with(guest_settings("virtual")) };
  orr_error *err = orr_error_new();
  assert_int_equal(orr_host_offer(g.runtime, "htpp", err), -1);
  assert_non_null(strstr(orr_error_message(err), "did you mean 'http'"));
  assert_int_equal(orr_host_offer(g.runtime, "function:", err), -1);
  assert_int_equal(orr_host_offer(g.runtime, "function:no-dash", err), -1);
  assert_int_equal(orr_host_offer(g.runtime, NULL, err), -21);
  assert_int_equal(orr_host_offer(NULL, "http", err), -21);
  assert_int_equal(orr_host_tell(g.runtime, "process", "{\"job\":{}}", err), -4);
  assert_int_equal(orr_host_answer(g.runtime, 1, NULL, NULL, NULL, err), -2);
  assert_int_equal(orr_host_hold(g.runtime, 1, err), -2);
  for (size_t i = 0; orr_service_at(i); i++) assert_non_null(orr_service_doc(i));
  orr_error_free(err);
  orr_close(g.runtime);
}

/* ---- commands ----------------------------------------------------------------------------------------------- */

static void command_called(guest *g, const char *service, uint64_t call, const cJSON *args) {
  assert_string_equal(service, "command");
  assert_string_equal(guest_str(cJSON_GetObjectItem(args, "computeServer"), "name"), "vm-1");
  assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(args, "argv"), 1)->valuestring, "-n");
  assert_string_equal(guest_str(args, "stdin"), "in");
  guest_answer(g, call, "{\"code\":3,\"stdout\":\"out\"}");
}

static void test_services__a_server_runs_commands_through_the_host(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "command",
         PROVIDER("{ host = { 'command' } }",
                  "local r = computeServer:run { argv = { 'uname', '-n' }, stdin = 'in' }\nassert(r.code == 3 and r.stdout == 'out')\nbackupResult.status = 'SUCCEEDED'"));
  g.called = command_called;
  guest_do(&g, "server.add", "{\"name\":\"vm-1\"}");
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\",\"server\":\"vm-1\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  if (strcmp(guest_str(result, "status"), succeeded)) fail_msg("%s %s", guest_str(result, "statusMessage"), guest_str(result, "errorMessage"));
  cJSON_Delete(result);
  assert_true(has_act(&g, "command on vm-1"));
  orr_close(g.runtime);
}

/* ---- processes and jobs ------------------------------------------------------------------------------------- */

static void process_called(guest *g, const char *service, uint64_t call, const cJSON *args) {
  assert_string_equal(service, "process");
  if (strcmp(guest_str(args, "op"), "run") == 0) {
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(args, "argv"), 0)->valuestring, "no-such-tool-here");
    assert_string_equal(guest_str(cJSON_GetObjectItem(args, "env"), "MODE"), "fast");
    guest_answer(g, call, "{\"code\":2,\"stdout\":\"one\",\"stderrBase64\":\"/w==\"}");
  } else {
    snprintf(g->arg, 200, "%s/%s", guest_str(args, "key"), guest_str(args, "name"));
    guest_answer(g, call, "{\"state\":\"running\"}");
  }
}

static void test_services__process_run_goes_to_the_host(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", "process",
         PROVIDER("{ exec = { 'no-such-tool-here' } }",
                  "assert(process.find 'no-such-tool-here' == '/usr/bin/no-such-tool-here' and process.find 'gone' == nil)\n"
                  "local r = process.run { argv = { 'no-such-tool-here', '-x' }, env = { MODE = 'fast' } }\n"
                  "assert(r.code == 2 and r.stdout == 'one' and r.stderr == '\\255')\nbackupResult.status = 'SUCCEEDED'"));
  g.called = process_called;
  assert_int_equal(orr_host_tell(g.runtime, "process", "{\"programs\":{\"gone\":null}}", NULL), 0);
  assert_run(&g, succeeded, NULL);
  orr_close(g.runtime);
}

static const char has_job[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1', needs = { exec = { 'tool' } }, refreshInterval = 3600 }\n"
    "function provider.executeBackup(backup, backupResult)\n"
    "  assert(job.start { name = 'main', argv = { 'tool' } }.state == 'running')\n"
    "  backupResult.status = 'IN_PROGRESS'\n"
    "end\n"
    "function provider.refreshBackupResult(backupResult)\n"
    "  local status = job.poll 'main'\n"
    "  if status.state == 'running' then return end\n"
    "  assert(status.state == 'ended' and status.code == 4 and job.tail('main', 1) == 'two', job.tail 'main')\n"
    "  backupResult.status = 'SUCCEEDED'\n"
    "end\n"
    "return provider\n";

static void test_services__jobs_live_at_the_host(void **state) {
  (void)state;
  char job[200] = "", said[512];
  guest g;
  set_up(&g, "virtual", "process", has_job);
  g.called = process_called;
  g.arg = job;
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON_Delete(guest_ask(&g, "result.watch", "{\"result\":\"1\",\"started\":true}"));
  assert_int_equal(g.code, 0);
  assert_int_equal(g.calls, 1);
  char *name = strchr(job, '/');
  *name++ = '\0';
  int64_t before = orr_now(g.runtime);
  snprintf(said, sizeof said, "{\"job\":{\"key\":\"%s\",\"name\":\"%s\",\"log\":\"one\\n\"}}", job, name);
  assert_int_equal(orr_host_tell(g.runtime, "process", said, NULL), 0);
  snprintf(said, sizeof said, "{\"job\":{\"key\":\"%s\",\"name\":\"%s\",\"log\":\"two\\n\",\"state\":\"ended\",\"code\":4}}", job, name);
  assert_int_equal(orr_host_tell(g.runtime, "process", said, NULL), 0);
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "status"), succeeded);
  assert_true(orr_now(g.runtime) - before < 60000); /* its end made the result due, not the hour */
  cJSON_Delete(result);
  assert_int_equal(orr_host_tell(g.runtime, "process", "{\"job\":{\"key\":\"k\",\"name\":\"n\",\"state\":\"runing\"}}", NULL), -1);
  orr_close(g.runtime);
}

static void test_services__without_a_data_directory_jobs_are_refused(void **state) {
  (void)state;
  guest g;
  set_up(&g, "virtual", NULL, PROVIDER("{ exec = { 'true' } }", "local ok, e = pcall(job.start, { name = 'x', argv = { 'true' } })\nreturn false, e.code .. ': ' .. e.message"));
  assert_run(&g, "FAILED", "data directory");
  orr_close(g.runtime);
}

/* ---- threads ------------------------------------------------------------------------------------------------ */

typedef struct work {
  orr_runtime *runtime;
  uint64_t call;
} work;

static void *answer_later(void *arg) {
  work *w = arg;
  int code = orr_host_answer(w->runtime, w->call, "42", NULL, NULL, NULL);
  free(w);
  return code ? w : NULL;
}

static pthread_t worker;

static void in_a_thread(guest *g, const char *service, uint64_t call, const cJSON *args) {
  (void)service, (void)args;
  work *w = malloc(sizeof *w);
  *w = (work){ g->runtime, call };
  assert_int_equal(pthread_create(&worker, NULL, answer_later, w), 0);
}

static void test_services__an_answer_from_another_thread_ends_the_wait_of_a_step(void **state) {
  (void)state;
  guest g;
  set_up(&g, "real", "function:work", PROVIDER("{ host = { 'work' } }", "assert(host.work() == 42)\nbackupResult.status = 'SUCCEEDED'"));
  g.called = in_a_thread;
  assert_run(&g, succeeded, NULL);
  void *failed;
  pthread_join(worker, &failed);
  assert_null(failed);
  orr_close(g.runtime);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_services__http_goes_to_the_host),
    cmocka_unit_test(test_services__needs_hold_before_the_host_is_asked),
    cmocka_unit_test(test_services__an_error_of_the_host_says_whether_it_was_sent),
    cmocka_unit_test(test_services__what_is_no_answer_is_refused_and_the_call_stays_open),
    cmocka_unit_test(test_services__a_call_ends_with_its_time_limit),
    cmocka_unit_test(test_services__an_answer_can_take_virtual_time),
    cmocka_unit_test(test_services__closing_ends_what_is_open),
    cmocka_unit_test(test_services__lua_calls_functions_of_the_host),
    cmocka_unit_test(test_services__a_query_sets_no_sent_mark),
    cmocka_unit_test(test_services__wrong_names_are_told),
    cmocka_unit_test(test_services__a_server_runs_commands_through_the_host),
    cmocka_unit_test(test_services__process_run_goes_to_the_host),
    cmocka_unit_test(test_services__jobs_live_at_the_host),
    cmocka_unit_test(test_services__without_a_data_directory_jobs_are_refused),
    cmocka_unit_test(test_services__an_answer_from_another_thread_ends_the_wait_of_a_step),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
