/* Time from the host: its dates, its steps, and no say in how long something takes. */
#include "guest.h"

#include <stdatomic.h>
#include <time.h>

#define HOUR_MS INT64_C(3600000)
#define BASE_MS INT64_C(1827570600000) /* 2027-11-30T10:30:00Z; it stands until it is set */

static _Atomic int64_t host_ms;
static atomic_int asked;

static int64_t host_clock(void *arg) {
  atomic_fetch_add((atomic_int *)arg, 1);
  return atomic_load(&host_ms);
}

static const char teller[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1' }\n"
    "function provider.executeBackup(backup, backupResult)\n"
    "  sleep(0.1)\n"
    "  backupResult.externalId = tostring(os.time()) .. ' ' .. os.date('!%Y-%m-%d')\n"
    "  backupResult.status = 'SUCCEEDED'\n"
    "end\n"
    "return provider\n";

static guest open_clocked(void) {
  atomic_store(&host_ms, BASE_MS);
  atomic_store(&asked, 0);
  orr_settings *settings = guest_settings("real");
  orr_settings_clock(settings, host_clock, &asked);
  guest g = { .runtime = guest_open_with(settings) };
  guest_provider(g.runtime, "guest", teller);
  return g;
}

static int64_t date(const cJSON *object, const char *key) {
  return (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* The sleep of its hook goes by another clock. */
static void test_clock__dates_are_the_hosts_and_time_goes_on(void **state) {
  (void)state;
  guest g = open_clocked();
  assert_true(atomic_load(&asked) > 0);
  assert_true(orr_now(g.runtime) == BASE_MS);
  guest_do(&g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  guest_do(&g, "backup.run", "{\"backup\":\"b\"}");
  guest_do(&g, "result.watch", "{\"result\":\"1\"}");
  cJSON *result = guest_ask(&g, "result.show", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "status"), "SUCCEEDED");
  assert_true(date(result, "startDate") == BASE_MS);
  assert_true(date(result, "endDate") == BASE_MS);
  assert_string_equal(guest_str(result, "externalId"), "1827570600 2027-11-30");
  cJSON_Delete(result);
  atomic_store(&host_ms, BASE_MS - 24 * HOUR_MS);
  orr_step(g.runtime, 0);
  assert_true(orr_now(g.runtime) == BASE_MS - 24 * HOUR_MS);
  orr_close(g.runtime);
}

static int results(guest *g) {
  cJSON *list = guest_ask(g, "result.ls", "{\"backup\":\"hourly\"}");
  int count = cJSON_GetArraySize(list);
  cJSON_Delete(list);
  return count;
}

static void test_clock__a_step_over_three_instants_is_one_fire(void **state) {
  (void)state;
  guest g = open_clocked();
  guest_do(&g, "backup.create", "{\"name\":\"hourly\",\"provider\":\"guest\",\"schedule\":\"0 * * * *\",\"timeZone\":\"UTC\",\"misfirePolicy\":\"one\"}");
  for (int i = 0; i < 20; i++) orr_step(g.runtime, 10);
  assert_int_equal(results(&g), 0);
  atomic_store(&host_ms, BASE_MS + 3 * HOUR_MS);
  orr_step(g.runtime, 0);
  /* A step is noticed within a minute, and whenever a schedule changes. */
  guest_do(&g, "backup.create", "{\"name\":\"yearly\",\"provider\":\"guest\",\"schedule\":\"0 0 1 1 *\",\"timeZone\":\"UTC\"}");
  for (int i = 0; i < 3000 && results(&g) == 0; i++) orr_step(g.runtime, 10);
  guest_do(&g, "result.watch", "{\"result\":\"1\"}");
  for (int i = 0; i < 20; i++) orr_step(g.runtime, 10);
  assert_int_equal(results(&g), 1);
  cJSON *result = guest_ask(&g, "result.show", "{\"result\":\"1\"}");
  assert_string_equal(guest_str(result, "trigger"), "schedule");
  assert_true(date(result, "scheduledDate") == BASE_MS + 5 * HOUR_MS / 2); /* 13:00 */
  assert_true(date(result, "startDate") == BASE_MS + 3 * HOUR_MS);
  cJSON_Delete(result);
  orr_close(g.runtime);
}

static void test_clock__a_virtual_one_is_not_the_hosts(void **state) {
  (void)state;
  orr_settings *settings = guest_settings("virtual");
  orr_runtime *runtime = NULL;
  orr_error *err = orr_error_new();
  orr_settings_clock(settings, host_clock, &asked);
  assert_int_equal(orr_open(settings, &runtime, err), -1);
  assert_null(runtime);
  assert_non_null(strstr(orr_error_message(err), "clock=real"));
  orr_settings_clock(settings, NULL, NULL); /* taken back */
  assert_int_equal(orr_open(settings, &runtime, err), 0);
  orr_close(runtime);
  orr_error_free(err);
  orr_settings_free(settings);
  orr_settings_clock(NULL, host_clock, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_clock__dates_are_the_hosts_and_time_goes_on),
    cmocka_unit_test(test_clock__a_step_over_three_instants_is_one_fire),
    cmocka_unit_test(test_clock__a_virtual_one_is_not_the_hosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
