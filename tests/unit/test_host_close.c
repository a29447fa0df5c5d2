/* Closing with a grace: hooks in flight run on for that long, and what is left then is taken up at the next opening. */
#include "guest.h"

#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 60000 /* a grace that no test waits for */

static const char sleeper[] = "function provider.executeBackup(backup, backupResult) sleep(0.2) backupResult.status = 'SUCCEEDED' end\n";
static const char napper[] = "function provider.executeBackup(backup, backupResult) sleep(0.001) backupResult.status = 'SUCCEEDED' end\n";
static const char endless[] = "function provider.executeBackup(backup, backupResult) sleep(100000) backupResult.status = 'SUCCEEDED' end\n";
static const char quick[] = "function provider.executeBackup(backup, backupResult) backupResult.status = 'SUCCEEDED' end\n";

static const char looking[] =
  "function provider.executeBackup(backup, backupResult) backupResult.status = 'IN_PROGRESS' end\n"
  "function provider.refreshBackupResult() sleep(100000) end\n";

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_place(void **state) {
  char *place = strdup("/tmp/orrery-close-XXXXXX");
  *state = place;
  return place && mkdtemp(place) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path);
}

static int remove_place(void **state) {
  nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  free(*state);
  return 0;
}

static guest open_at(const char *place, const char *clock, int grace_ms, const char *hook) {
  char grace[16], source[512];
  orr_settings *settings = guest_settings(clock);
  snprintf(grace, sizeof grace, "%d", grace_ms);
  snprintf(source, sizeof source, "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1', refreshInterval = 0.1 }\n%sreturn provider\n", hook);
  guest_set(settings, "store", "sqlite");
  guest_set(settings, "data_dir", place);
  guest_set(settings, "close_grace_ms", grace);
  guest g = { .runtime = guest_open_with(settings) };
  guest_provider(g.runtime, "guest", source);
  return g;
}

/* As guest_ask, but no step waits, so virtual time stands still. Owned. */
static cJSON *ask_still(guest *g, const char *request, const char *args) {
  uint64_t id = 0;
  cJSON *reply = NULL;
  int is_done = 0;
  assert_int_equal(orr_submit(g->runtime, request, args, &id, NULL), 0);
  for (int64_t end = now_ms() + 30000; !is_done && now_ms() < end;) {
    if (!orr_step(g->runtime, 0)) poll(NULL, 0, 1);
    for (orr_event *event; (event = orr_next(g->runtime));) guest_take(g, event, id, &reply, &is_done);
  }
  if (!is_done || g->code) fail_msg("%s: %s", request, is_done ? g->message : "no reply");
  return reply;
}

static int runs; /* of the Backup, and the id of its last result */

static void run_once_more(guest *g) {
  cJSON_Delete(ask_still(g, "backup.run", "{\"backup\":\"b\"}"));
  runs++;
}

/* A hook that was over before we looked, on a busy machine, is run once more. */
static void until_in_flight(guest *g) {
  int in_flight = 0;
  for (int64_t end = now_ms() + 30000; !in_flight && now_ms() < end;) {
    cJSON *status = ask_still(g, "status", NULL);
    const cJSON *over = cJSON_GetObjectItem(cJSON_GetObjectItem(status, "results"), "SUCCEEDED");
    in_flight = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(status, "inFlight"));
    if (!in_flight && cJSON_IsNumber(over) && over->valueint == runs) run_once_more(g);
    cJSON_Delete(status);
  }
  assert_true(in_flight > 0);
}

/* Until its hook is in flight. */
static void begin(guest *g) {
  runs = 0;
  cJSON_Delete(ask_still(g, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}"));
  run_once_more(g);
  until_in_flight(g);
}

static int64_t time_to_close(guest *g) {
  int64_t began = now_ms();
  orr_close(g->runtime);
  return now_ms() - began;
}

static void assert_status(guest *g, const char *expected) {
  char args[40];
  snprintf(args, sizeof args, "{\"result\":\"%d\"}", runs);
  cJSON *result = guest_ask(g, "result.show", args);
  if (g->code) fail_msg("%s", g->message);
  assert_string_equal(guest_str(result, "status"), expected);
  cJSON_Delete(result);
}

static void assert_stored(const char *place, const char *expected) {
  guest g = { 0 };
  orr_settings *settings = guest_settings("real");
  guest_set(settings, "store", "sqlite");
  guest_set(settings, "data_dir", place);
  guest_set(settings, "role", "command"); /* it only looks */
  g.runtime = guest_open_with(settings);
  assert_status(&g, expected);
  orr_close(g.runtime);
}

static void test_close__what_ends_within_the_grace_has_ended(void **state) {
  guest g = open_at(*state, "real", LONG_MS, sleeper);
  begin(&g);
  assert_true(time_to_close(&g) < LONG_MS / 2);
  assert_stored(*state, "SUCCEEDED");
}

static void test_close__without_a_grace_it_is_abandoned_at_once(void **state) {
  guest g = open_at(*state, "real", 0, endless);
  begin(&g);
  assert_true(time_to_close(&g) < LONG_MS / 2);
  assert_stored(*state, "INITIALIZING");
}

static void test_close__what_takes_longer_is_taken_up_again(void **state) {
  guest g = open_at(*state, "real", 500, endless);
  begin(&g);
  int64_t took = time_to_close(&g);
  assert_true(took >= 450);
  assert_true(took < LONG_MS / 2);
  g = open_at(*state, "real", 0, quick);
  guest_do(&g, "result.watch", "{\"result\":\"1\"}");
  assert_status(&g, "SUCCEEDED");
  orr_close(g.runtime);
}

static void test_close__where_a_thread_of_ours_turned_the_wheels(void **state) {
  guest g = open_at(*state, "real", LONG_MS, sleeper);
  begin(&g);
  assert_int_equal(orr_start(g.runtime, NULL), 0);
  assert_true(time_to_close(&g) < LONG_MS / 2);
  assert_stored(*state, "SUCCEEDED");
}

static void *run(void *runtime) {
  orr_run(runtime, NULL);
  orr_unref(runtime);
  return NULL;
}

static void *step(void *runtime) {
  while (orr_failed(runtime) == 0) orr_step(runtime, -1);
  orr_unref(runtime);
  return NULL;
}

static void close_beside(const char *place, void *(*other)(void *runtime)) {
  guest g = open_at(place, "real", LONG_MS, sleeper);
  pthread_t thread;
  begin(&g);
  assert_int_equal(pthread_create(&thread, NULL, other, orr_ref(g.runtime)), 0);
  assert_true(time_to_close(&g) < LONG_MS / 2);
  pthread_join(thread, NULL);
  assert_stored(place, "SUCCEEDED");
}

static void test_close__where_a_thread_of_the_hosts_runs_it(void **state) { close_beside(*state, run); }
static void test_close__where_a_thread_of_the_hosts_steps_all_the_time(void **state) { close_beside(*state, step); }

static void test_close__virtual_time_stands_still_and_real_time_counts(void **state) {
  guest g = open_at(*state, "virtual", 500, napper);
  begin(&g);
  int64_t took = time_to_close(&g);
  assert_true(took >= 450);
  assert_true(took < LONG_MS / 2);
  assert_stored(*state, "INITIALIZING"); /* the hook's sleep would have ended otherwise */
}

static void test_close__a_store_that_has_failed_is_not_waited_for(void **state) {
  guest g = open_at(*state, "real", LONG_MS, endless);
  begin(&g);
  struct rlimit before, none;
  getrlimit(RLIMIT_FSIZE, &before);
  none = (struct rlimit){ 0, before.rlim_max };
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &none);
  cJSON_Delete(guest_ask(&g, "backup.create", "{\"name\":\"c\",\"provider\":\"guest\"}"));
  int failed = orr_failed(g.runtime);
  int64_t took = time_to_close(&g);
  setrlimit(RLIMIT_FSIZE, &before);
  assert_int_not_equal(failed, 0);
  assert_true(took < LONG_MS / 2);
}

/* A host that may choose when to close waits for what would have to be cleared up. */
static void test_close__says_whether_a_hook_acts(void **state) {
  guest g = open_at(*state, "real", 0, endless);
  assert_false(orr_is_acting(g.runtime));
  begin(&g);
  assert_true(orr_is_acting(g.runtime));
  orr_drain(g.runtime);
  assert_true(orr_is_acting(g.runtime));
  orr_close(g.runtime);
}

static void test_close__a_hook_that_only_looks_does_not_act(void **state) {
  guest g = open_at(*state, "real", 0, looking);
  begin(&g);
  for (int64_t end = now_ms() + LONG_MS; orr_is_acting(g.runtime) && now_ms() < end;) orr_step(g.runtime, 10);
  until_in_flight(&g);
  assert_false(orr_is_acting(g.runtime));
  assert_false(orr_is_idle(g.runtime));
  assert_true(time_to_close(&g) < LONG_MS / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_close__##name, make_place, remove_place)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(what_ends_within_the_grace_has_ended),
    TEST(without_a_grace_it_is_abandoned_at_once),
    TEST(what_takes_longer_is_taken_up_again),
    TEST(where_a_thread_of_ours_turned_the_wheels),
    TEST(where_a_thread_of_the_hosts_runs_it),
    TEST(where_a_thread_of_the_hosts_steps_all_the_time),
    TEST(virtual_time_stands_still_and_real_time_counts),
    TEST(a_store_that_has_failed_is_not_waited_for),
    TEST(says_whether_a_hook_acts),
    TEST(a_hook_that_only_looks_does_not_act),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
