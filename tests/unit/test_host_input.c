/* What a host may get wrong, or large: each is one refusal, and nothing crashes. Also the readers of events, and memory from the host. */
#include "guest.h"

#include <stdbool.h>
#include <unistd.h>

#define LARGE ((size_t)10 << 20)

static const char simple[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1' }\n"
    "function provider.executeBackup(backup, backupResult) backupResult.status = 'SUCCEEDED' end\n"
    "return provider\n";

/* before, fill repeated, after; owned. */
static char *large(const char *before, char fill, const char *after) {
  size_t head = strlen(before), tail = strlen(after);
  char *text = malloc(head + LARGE + tail + 1);
  memcpy(text, before, head);
  memset(text + head, fill, LARGE);
  memcpy(text + head + LARGE, after, tail + 1);
  return text;
}

/* Refused at once with one of two codes, with a message that is valid and not large. */
static void assert_refused(orr_runtime *runtime, const char *request, const char *args, int code, int other) {
  orr_error *err = orr_error_new();
  uint64_t id = 0;
  int got = orr_submit(runtime, request, args, &id, err);
  if (got != code && got != other) fail_msg("%.40s %.40s: %d %.200s", request, args ? args : "", got, orr_error_message(err));
  assert_true(strlen(orr_error_message(err)) > 0 && strlen(orr_error_message(err)) < 4096);
  assert_int_equal(id, 0);
  orr_error_free(err);
}

static void test_input__requests_that_are_none_are_refused(void **state) {
  (void)state;
  guest g = { .runtime = guest_open_with(guest_settings("virtual")) };
  static const char *const bad[] = { "{", "[]", "null", "1", "\"x\"", "{\"backup\":}", "{\"backup\":\"\xff\xfe\"}", "{\"bakcup\":\"x\"}", "{\"backup\":1.5e999}", "{} {}",
                                     "{\"backup\":\"a\",\"backup\":\"b\"", "\xef\xbb\xbf{", "{\"limit\":\"many\"}", "{\"status\":{}}" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_refused(g.runtime, "result.ls", bad[i], -1, -13);
  static const char *const names[] = { "", "backup", "backup.rnu", "\xff", "backup.run\n", "BACKUP.RUN", "%s%s%n" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_refused(g.runtime, names[i], "{}", -1, -2);
  assert_refused(g.runtime, NULL, "{}", -21, -21);
  assert_int_equal(orr_submit(g.runtime, "status", "{}", NULL, NULL), -21);
  char *deep = large("", '[', "");
  assert_refused(g.runtime, "result.ls", deep, -1, -13);
  free(deep);
  char *name = large("", 'a', "");
  assert_refused(g.runtime, name, "{}", -1, -2);
  free(name);
  orr_close(g.runtime);
}

static void test_input__ten_megabytes_are_carried_or_refused(void **state) {
  (void)state;
  guest g = { .runtime = guest_open_with(guest_settings("virtual")) };
  orr_error *err = orr_error_new();
  guest_provider(g.runtime, "guest", simple);
  char *args = large("{\"name\":\"", 'n', "\",\"provider\":\"guest\"}");
  uint64_t id;
  if (orr_submit(g.runtime, "backup.create", args, &id, err) == 0) {
    cJSON *reply = guest_ask(&g, "backup.ls", NULL);
    assert_int_equal(cJSON_GetArraySize(reply), 0);
    cJSON_Delete(reply);
  }
  free(args);
  args = large("{\"name\":\"b\",\"provider\":\"guest\",\"config\":{\"x\":\"", 'n', "\"}}");
  cJSON_Delete(guest_ask(&g, "backup.create", args));
  free(args);
  char *source = large("-- ", 'x', "\n");
  assert_int_equal(orr_provider_add(g.runtime, "guest", source, strlen(source), err) < 0, 1);
  assert_int_equal(orr_provider_add(g.runtime, source, simple, strlen(simple), err) < 0, 1);
  assert_int_equal(orr_host_offer(g.runtime, source, err), -1);
  assert_true(strlen(orr_error_message(err)) < 4096);
  assert_int_equal(orr_host_answer(g.runtime, 1, source, source, source, err), -1);
  free(source);
  guest_do(&g, "status", NULL); /* it goes on */
  orr_error_free(err);
  orr_close(g.runtime);
}

static void test_input__settings_name_the_nearest(void **state) {
  (void)state;
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  assert_int_equal(orr_settings_set(settings, "data_dri", "x", err), -1);
  assert_non_null(strstr(orr_error_message(err), "did you mean 'data_dir'"));
  assert_int_equal(orr_settings_set(settings, "store", "sqlight", err), -1);
  assert_int_equal(orr_settings_set(settings, "seed", "-1", err), -1);
  assert_int_equal(orr_settings_set(settings, "store", NULL, err), -1);
  assert_int_equal(orr_settings_set(settings, NULL, "x", err), -21);
  assert_int_equal(orr_settings_set(NULL, "store", "memory", err), -21);
  assert_int_equal(orr_open(settings, &runtime, err), -1); /* no data_dir */
  assert_int_equal(orr_open(NULL, &runtime, err), -21);
  assert_int_equal(orr_open(settings, NULL, err), -21);
  assert_null(runtime);
  char *path = large("/", 'd', "");
  assert_int_equal(orr_settings_set(settings, "data_dir", path, err), 0);
  assert_true(orr_open(settings, &runtime, err) < 0);
  free(path);
  assert_int_equal(orr_settings_set(settings, "data_dir", "/proc/nowhere/x", err), 0);
  assert_int_equal(orr_open(settings, &runtime, err), -15);
  for (size_t i = 0; orr_settings_key(i); i++)
    assert_true(orr_settings_type(i) && orr_settings_default(i) && strlen(orr_settings_doc(i)) > 5);
  orr_settings_free(settings);
  orr_settings_free(NULL);
  assert_int_equal(orr_abi(ORR_ABI, err), 0);
  assert_int_equal(orr_abi(ORR_ABI + 1, err), -17);
  orr_error_free(err);
}

static void test_input__null_is_no_event_and_no_error(void **state) {
  (void)state;
  assert_int_equal(orr_event_kind(NULL), 0);
  assert_int_equal(orr_event_code(NULL), 0);
  assert_int_equal((int)orr_event_request(NULL), 0);
  assert_int_equal((int)orr_event_call(NULL), 0);
  assert_null(orr_event_service(NULL));
  assert_string_equal(orr_event_json(NULL), "null");
  assert_null(orr_event_error(NULL));
  assert_null(orr_event_text(NULL, "x"));
  assert_int_equal((int)orr_event_int(NULL, "x", 5), 5);
  orr_event_free(NULL);
  assert_int_equal(orr_error_code(NULL), 0);
  assert_string_equal(orr_error_message(NULL), "");
  assert_null(orr_error_field(NULL, 0));
  orr_error_free(NULL);
  orr_text_free(NULL);
  assert_int_equal(orr_db_check(NULL, NULL, NULL), -21);
  assert_int_equal(orr_cut(NULL, 1, NULL, NULL, NULL), -21);
}

static void test_input__events_are_read_at_a_path(void **state) {
  (void)state;
  guest g = { .runtime = guest_open_with(guest_settings("virtual")) };
  guest_do(&g, "server.add", "{\"name\":\"b\",\"config\":{\"deep\":{\"list\":[1,\"9007199254740993\",true,2.5]}}}");
  uint64_t id;
  orr_event *event = NULL;
  assert_int_equal(orr_submit(g.runtime, "server.ls", NULL, &id, NULL), 0);
  while (!event || orr_event_request(event) != id) {
    orr_event_free(event);
    event = orr_wait(g.runtime, 30000);
    assert_non_null(event);
  }
  assert_string_equal(orr_event_text(event, "0.name"), "b");
  assert_null(orr_event_text(event, "1.name"));
  assert_null(orr_event_text(event, "0.name.x"));
  assert_null(orr_event_text(event, "0..name"));
  assert_null(orr_event_text(event, "99999999999999999999.name"));
  assert_int_equal((int)orr_event_count(event, ""), 1);
  assert_int_equal((int)orr_event_count(event, "0.config.deep.list"), 4);
  assert_int_equal((int)orr_event_int(event, "0.config.deep.list.0", -1), 1);
  assert_true(orr_event_int(event, "0.config.deep.list.1", -1) == INT64_C(9007199254740993));
  assert_int_equal((int)orr_event_int(event, "0.config.deep.list.2", -1), 1);
  assert_true(orr_event_num(event, "0.config.deep.list.3", -1) > 2.4);
  assert_int_equal((int)orr_event_int(event, "0.config.deep.list.4", -1), -1);
  orr_event_free(event);
  orr_close(g.runtime);
}

/* ---- memory of the host's ----------------------------------------------------------------------------------- */

typedef struct memory {
  size_t used, most, limit;
} memory;

static void *count_memory(void *arg, void *block, size_t old_size, size_t new_size) {
  memory *m = arg;
  if (!block) old_size = 0;
  if (m->used - old_size + new_size > m->limit) return NULL;
  void *moved = NULL;
  if (new_size == 0) free(block);
  else if (!(moved = realloc(block, new_size))) return NULL;
  m->used = m->used - old_size + new_size;
  if (m->used > m->most) m->most = m->used;
  return moved;
}

static void test_input__luas_memory_comes_from_the_host(void **state) {
  (void)state;
  memory m = { .limit = 64 << 20 };
  orr_settings *settings = guest_settings("virtual");
  orr_settings_allocator(settings, count_memory, &m);
  guest g = { .runtime = guest_open_with(settings) };
  guest_provider(g.runtime, "guest", simple);
  assert_true(m.most > 50000);
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  cJSON_Delete(guest_ask(&g, "result.watch", "{\"result\":\"1\"}"));
  orr_close(g.runtime);
  assert_int_equal(m.used, 0);
}

/* ---- closing ------------------------------------------------------------------------------------------------ */

static orr_runtime *open_in(const char *folder) {
  orr_settings *settings = orr_settings_new();
  guest_set(settings, "data_dir", folder);
  guest_set(settings, "shipped_providers", "false");
  guest_set(settings, "runner_path", ORR_TEST_RUNNER);
  return guest_open_with(settings);
}

static const char refreshed[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1', idempotent = true, refreshInterval = 0.1 }\n"
    "function provider.executeBackup(backup, backupResult) backupResult.status = 'IN_PROGRESS' end\n"
    "function provider.refreshBackupResult(backupResult) %s end\n"
    "return provider\n";

static void test_input__closing_in_the_midst_leaves_what_goes_on_later(void **state) {
  (void)state;
  char folder[] = "/tmp/orrery-close-XXXXXX", source[1024], command[100];
  assert_non_null(mkdtemp(folder));
  guest g = { .runtime = open_in(folder) };
  snprintf(source, sizeof source, refreshed, "while true do sleep(1) end");
  guest_provider(g.runtime, "guest", source);
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  for (int i = 0; i < 20; i++) orr_step(g.runtime, 50); /* the refresh waits now */
  orr_close(g.runtime);
  g.runtime = open_in(folder);
  snprintf(source, sizeof source, refreshed, "backupResult.status = 'SUCCEEDED'");
  guest_provider(g.runtime, "guest", source);
  cJSON *result = guest_ask(&g, "result.watch", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "status"), "SUCCEEDED");
  cJSON_Delete(result);
  orr_close(g.runtime);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_input__requests_that_are_none_are_refused),
    cmocka_unit_test(test_input__ten_megabytes_are_carried_or_refused),
    cmocka_unit_test(test_input__settings_name_the_nearest),
    cmocka_unit_test(test_input__null_is_no_event_and_no_error),
    cmocka_unit_test(test_input__events_are_read_at_a_path),
    cmocka_unit_test(test_input__luas_memory_comes_from_the_host),
    cmocka_unit_test(test_input__closing_in_the_midst_leaves_what_goes_on_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
