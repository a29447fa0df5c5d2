/* One allocation fails, at every place of a schedule's hours. Then the schedule goes on, and each instant comes to one result or one
 * recorded skip all the same. */
#include <stdlib.h>

#include <cJSON.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* What follows allocates for the test. */
#define calloc __real_calloc
#include "schedule_helper.h"
#undef calloc

static int allocations, fails_at;

static bool fails(void) { return ++allocations == fails_at; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

static void fail_at(int n) {
  allocations = 0;
  fails_at = n;
}

typedef void (*act)(rig *r);

static void everywhere(const char *more, act acts) {
  int used = 0;
  cJSON_InitHooks(&(cJSON_Hooks){ .malloc_fn = __wrap_malloc, .free_fn = free });
  for (int n = 0; n <= used; n++) {
    rig *r = rig_new();
    r->hooks[ORR_HOOK_executeBackup] = hook_starts;
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
    fail_at(0);
    int64_t from = now_of(r);
    scheduled(r, "b", "0 * * * *", more);
    rig_kill_core(r);
    orr__loop_advance(r->loop, 3 * HOUR + 30 * MINUTE);
    rig_open_core(r);
    fail_at(n);
    rig_settle(r); /* the start, and what was missed */
    acts(r);
    if (n == 0) used = allocations;
    fail_at(0);
    r->hooks[ORR_HOOK_executeBackup] = r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
    pass_by(r, 2 * HOUR, MINUTE);
    if (assert_done(r, 1, from) < 5) fail_msg("allocation %d: too few instants", n);
    rig_free(r);
  }
  cJSON_InitHooks(NULL);
  assert_true(used > 50);
}

static void an_hour(rig *r) { pass_by(r, HOUR, 30 * MINUTE); }

static void a_skip(rig *r) {
  uint64_t id = 0;
  if (orr__core_submit(r->core, "schedule.skip", "{\"backup\":\"b\"}", &id, NULL) == 0) r->last_request = id;
  rig_settle(r);
  an_hour(r);
}

static void test_schedule_alloc__a_fire_survives(void **state) {
  (void)state;
  everywhere(NULL, an_hour);
}

static void test_schedule_alloc__a_buffered_fire_survives(void **state) {
  (void)state;
  everywhere(",\"overlapPolicy\":\"bufferOne\",\"blackouts\":\"02:00-02:30\"", an_hour);
}

static void test_schedule_alloc__a_skip_survives(void **state) {
  (void)state;
  everywhere(NULL, a_skip);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_alloc__a_fire_survives),
    cmocka_unit_test(test_schedule_alloc__a_buffered_fire_survives),
    cmocka_unit_test(test_schedule_alloc__a_skip_survives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
