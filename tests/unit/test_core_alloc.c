/* One allocation fails, at every place of a scenario; before and after it there is memory enough. Then nothing crashes or leaks, and
 * what was accepted is not stuck: every result ends or needs attention, every request has its reply, a schedule goes on firing, and
 * nothing is started twice outside. The core, the store in memory, the model and cJSON are under it; what the test itself allocates is not. */
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
#include "core_helper.h"
#undef calloc
#include "model/status.h"

static int allocations, fails_at;

static bool fails(void) { return ++allocations == fails_at; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

static void fail_at(int n) {
  allocations = 0;
  fails_at = n;
}

/* ---- a scenario --------------------------------------------------------------------------------------------- */

typedef struct scenario {
  const char *name;
  void (*setup)(rig *r);
  void (*act)(rig *r);     /* the n-th allocation fails */
  void (*check)(rig *r);   /* there has been memory for an hour */
} scenario;

static int n_now;

/* As the backend would at a hook's deadline: a call whose mark, or whose start, found no memory. */
static void end_overdue(rig *r) {
  for (size_t i = 0; i < CALLS; i++)
    if (r->open[i] && !r->holds[r->open[i]->hook]) rig_end(r, r->open[i], ORR_OUTCOME_TIMEOUT, "its deadline passed");
}

static void pass(rig *r, int64_t seconds, int64_t step) {
  for (int64_t i = 0; i < seconds; i += step) {
    orr__loop_advance(r->loop, step * 1000);
    rig_settle(r);
    end_overdue(r);
  }
  rig_settle(r);
}

static void assert_settled(rig *r, const char *name) {
  for (uint64_t id = 1; id <= r->last_request; id++)
    if (!r->replies[id]) fail_msg("%s, allocation %d: request %d was never answered", name, n_now, (int)id);
  for (int64_t id = 1; id < 40; id++) {
    orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, id);
    if (result && !orr__status_is_terminal(result->status) && !result->attention)
      fail_msg("%s, allocation %d: result %d is %s, next %s", name, n_now, (int)id, result->status, result->nextAction);
    orr__object_free((orr__object *)result);
  }
}

static void everywhere(const scenario *s) {
  int used = 0;
  cJSON_InitHooks(&(cJSON_Hooks){ .malloc_fn = __wrap_malloc, .free_fn = free });
  for (int n = 0; n <= used; n++) {
    n_now = n;
    rig *r = rig_new();
    r->hooks[ORR_HOOK_executeBackup] = hook_starts;
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
    r->acts[ORR_HOOK_executeBackup] = true;
    fail_at(0);
    s->setup(r);
    fail_at(n);
    s->act(r);
    if (allocations > used && n == 0) used = allocations;
    fail_at(0);
    if (r->hooks[ORR_HOOK_refreshBackupResult]) r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
    pass(r, 120, 5);
    pass(r, 3600, 120);
    if (s->check) s->check(r);
    assert_settled(r, s->name);
    rig_free(r);
  }
  cJSON_InitHooks(NULL);
  assert_true(used > 50);
}

#define EVERYWHERE(...) everywhere(&(scenario){ .name = __func__, __VA_ARGS__ })

/* A request that finds no memory is refused, at once or in its reply. */
static void ask(rig *r, const char *request, const char *args) {
  uint64_t id = 0;
  if (orr__core_submit(r->core, request, args, &id, NULL) == 0) r->last_request = id;
  rig_settle(r);
}

static void create(rig *r) { ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"refreshInterval\":30}"); }

static void advance(rig *r, int seconds) {
  for (int i = 0; i < seconds; i += 5) {
    orr__loop_advance(r->loop, 5000);
    rig_settle(r);
  }
}

static void run(rig *r) {
  ask(r, "backup.run", "{\"backup\":\"b\",\"config\":{\"a\":1},\"opts\":{\"b\":2}}");
  advance(r, 95);
}

static void started_once(rig *r) {
  if (r->acted[ORR_HOOK_executeBackup] > 1) fail_msg("allocation %d: started %d times", n_now, r->acted[ORR_HOOK_executeBackup]);
}

static void test_alloc__a_creation_is_whole_or_not_there(void **state) {
  (void)state;
  EVERYWHERE(.setup = rig_settle, .act = create);
}

static void test_alloc__a_run_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create, .act = run, .check = started_once);
}

static void create_with_prepare(rig *r) {
  r->hooks[ORR_HOOK_prepareExecuteBackup] = r->hooks[ORR_HOOK_prepareBackupResult] = hook_ok;
  create(r);
}

static void test_alloc__a_run_with_prepare_hooks_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_with_prepare, .act = run, .check = started_once);
}

static void create_failing(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":1,\"retryDelay\":5}");
}

static void test_alloc__a_retry_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_failing, .act = run);
}

static void create_limited(rig *r) {
  r->declaration.max_running = 1;
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->acts[ORR_HOOK_executeBackup] = false;
  create(r);
}

static void run_three(rig *r) {
  for (int i = 0; i < 3; i++) ask(r, "backup.run", "{\"backup\":\"b\"}");
  advance(r, 10);
}

static void test_alloc__results_that_wait_are_let_in(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_limited, .act = run_three);
}

static void create_running(rig *r) {
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  create(r);
  ask(r, "backup.run", "{\"backup\":\"b\"}");
}

static void cancel(rig *r) {
  ask(r, "result.cancel", "{\"result\":\"1\"}");
  advance(r, 40);
}

static void test_alloc__a_cancel_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_running, .act = cancel, .check = started_once);
}

static void restart(rig *r) {
  int n = fails_at;
  fail_at(0);
  rig_kill_core(r);
  rig_open_core(r);
  fail_at(n);
  advance(r, 95);
}

static void test_alloc__recovery_takes_up_a_running_result(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_running, .act = restart, .check = started_once);
}

static void create_dying(rig *r) {
  r->dies_after_act[ORR_HOOK_executeBackup] = true;
  r->hooks[ORR_HOOK_recoverBackupResult] = hook_starts;
  create_running(r);
}

static void test_alloc__recovery_looks_up_a_start_that_was_cut(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_dying, .act = restart, .check = started_once);
}

static void create_ended(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->hooks[ORR_HOOK_deleteBackupResult] = r->hooks[ORR_HOOK_deleteBackup] = hook_ok;
  create(r);
  ask(r, "backup.run", "{\"backup\":\"b\"}");
  ask(r, "backup.run", "{\"backup\":\"b\"}");
}

static void delete(rig *r) {
  ask(r, "result.rm", "{\"result\":\"1\"}");
  ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  advance(r, 30);
}

static void is_deleted_when_asked_again(rig *r) {
  uint64_t id = rig_ask(r, "backup.rm", "{\"backup\":\"b\",\"withResults\":true}");
  assert_true(r->codes[id] == 0 || r->codes[id] == ORR_E_NOT_FOUND);
}

static void test_alloc__a_deletion_can_be_asked_for_again(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_ended, .act = delete, .check = is_deleted_when_asked_again);
}

/* ---- changes ------------------------------------------------------------------------------------------------- */

static void create_to_change(rig *r) {
  static orr__option options[] = { { .field_name = (char *)(uintptr_t)"path" } };
  r->declaration.options = r->declaration.connection_options = options;
  r->declaration.option_count = r->declaration.connection_option_count = 1;
  r->hooks[ORR_HOOK_configureBackup] = r->hooks[ORR_HOOK_validateBackup] = r->hooks[ORR_HOOK_updateBackup] = hook_ok;
  r->acts[ORR_HOOK_updateBackup] = true;
  r->hooks[ORR_HOOK_executeBackup] = hook_halts;
  ask(r, "connection.add", "{\"name\":\"c\",\"provider\":\"fake\",\"config\":{\"path\":\"/old\"}}");
  ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"config\":{\"path\":\"/old\"}}");
  ask(r, "backup.run", "{\"backup\":\"b\",\"config\":{\"a\":1},\"opts\":{\"b\":2}}");
}

static void update(rig *r) {
  ask(r, "backup.update", "{\"backup\":\"b\",\"rename\":\"n\",\"connection\":\"c\",\"schedule\":\"0 0 1 1 *\",\"config\":{\"path\":\"/new\"}}");
}

/* In all its fields it is the one or the other; what may have gone outside and is not stored is in attention. */
static void is_updated_or_not(rig *r) {
  orr_backup *b = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
  bool is_new = orr__streq(b->name, "n"), is_unknown = orr__streq(b->attention, "unknown_update");
  if (is_new != (b->schedule != NULL) || is_new != (b->backupProviderId != 0) || is_new != (strstr(b->config, "/new") != NULL))
    fail_msg("allocation %d: %s, %s", n_now, b->name, b->config);
  if (is_unknown != (r->acted[ORR_HOOK_updateBackup] && !is_new)) fail_msg("allocation %d: attention %s", n_now, b->attention);
  orr__object_free(&b->head);
  for (int64_t i = 1; is_new && i < 20; i++) {
    orr_op *op = (orr_op *)rig_stored(r, ORR_M_op, i);
    if (op && strcmp(op->state, "done")) fail_msg("allocation %d: %s is left %s", n_now, op->hook, op->state);
    orr__object_free((orr__object *)op);
  }
  uint64_t id = rig_ask(r, "backup.update", is_new ? "{\"backup\":\"n\",\"refreshInterval\":3}" : "{\"backup\":\"b\",\"rename\":\"n\"}");
  assert_int_equal(r->codes[id], 0);
}

static void test_alloc__an_update_is_whole_or_not_there(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_change, .act = update, .check = is_updated_or_not);
}

static void change_connection(rig *r) {
  ask(r, "connection.update", "{\"connection\":\"c\",\"rename\":\"d\",\"config\":{\"path\":\"/new\",\"username\":\"ada\"}}");
}

static void is_changed_or_not(rig *r) {
  orr_connection *c = (orr_connection *)rig_stored(r, ORR_M_connection, 1);
  bool is_new = orr__streq(c->name, "d");
  if (is_new != (c->username != NULL) || is_new != (strstr(c->config, "/new") != NULL)) fail_msg("allocation %d: %s, %s", n_now, c->name, c->config);
  orr__object_free(&c->head);
}

static void test_alloc__a_connection_is_changed_or_not(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_change, .act = change_connection, .check = is_changed_or_not);
}

static void retry_and_test(rig *r) {
  r->hooks[ORR_HOOK_testConnection] = hook_ok;
  r->acts[ORR_HOOK_testConnection] = true;
  ask(r, "result.retry", "{\"result\":\"1\"}");
  ask(r, "connection.test", "{\"connection\":\"c\"}");
}

static void test_alloc__a_retry_on_request_moves_on(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_to_change, .act = retry_and_test);
}

static void create_scheduled(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  r->acts[ORR_HOOK_executeBackup] = false;
  ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"schedule\":\"@every 60s\"}");
}

static void wait_for_fires(rig *r) { advance(r, 125); }

static void goes_on_firing(rig *r) {
  int before = r->ran[ORR_HOOK_executeBackup];
  pass(r, 600, 10);
  int fires = r->ran[ORR_HOOK_executeBackup] - before;
  if (fires < 9) fail_msg("allocation %d: %d fires in ten minutes", n_now, fires);
}

static void test_alloc__a_schedule_goes_on_firing(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_scheduled, .act = wait_for_fires, .check = goes_on_firing);
}

static void look(rig *r) {
  ask(r, "result.watch", "{\"result\":\"2\"}");
  ask(r, "events", "{\"result\":\"1\"}");
  ask(r, "result.show", "{\"result\":\"1\",\"journal\":true}");
  ask(r, "result.ls", "{\"status\":\"SUCCEEDED\"}");
  ask(r, "backup.ls", "{}");
  ask(r, "status", "{}");
}

static void test_alloc__every_question_is_answered(void **state) {
  (void)state;
  EVERYWHERE(.setup = create_ended, .act = look);
}

static void try_out(rig *r) {
  ask(r, "backup.dryRun", "{\"backup\":\"b\",\"config\":{\"a\":1}}");
  ask(r, "provider.call", "{\"provider\":\"fake\",\"hook\":\"executeBackup\",\"really\":true,\"objects\":{\"backup\":{\"name\":\"x\",\"config\":{\"path\":1,\"free\":2}},"
         "\"backupResult\":{\"externalId\":\"7\"},\"connection\":{\"serviceUrl\":\"http://x\"},\"cloud\":{},\"computeServer\":{\"name\":\"s\"},"
         "\"executionConfig\":{\"e\":1},\"opts\":{\"o\":2}}}");
  ask(r, "provider.call", "{\"provider\":\"fake\",\"hook\":\"executeBackup\",\"objects\":{\"backup\":{\"nme\":1}}}");
  ask(r, "provider.eval", "{\"provider\":\"fake\",\"text\":\"1\"}");
}

static void nothing_is_stored(rig *r) {
  assert_null(rig_stored(r, ORR_M_result, 1));
  assert_int_equal(r->ran[ORR_HOOK_refreshBackupResult], 0);
}

static void test_alloc__a_trial_is_answered_and_leaves_nothing(void **state) {
  (void)state;
  EVERYWHERE(.setup = create, .act = try_out, .check = nothing_is_stored);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_alloc__a_creation_is_whole_or_not_there),
    cmocka_unit_test(test_alloc__a_run_moves_on),
    cmocka_unit_test(test_alloc__a_run_with_prepare_hooks_moves_on),
    cmocka_unit_test(test_alloc__a_retry_moves_on),
    cmocka_unit_test(test_alloc__results_that_wait_are_let_in),
    cmocka_unit_test(test_alloc__a_cancel_moves_on),
    cmocka_unit_test(test_alloc__recovery_takes_up_a_running_result),
    cmocka_unit_test(test_alloc__recovery_looks_up_a_start_that_was_cut),
    cmocka_unit_test(test_alloc__a_deletion_can_be_asked_for_again),
    cmocka_unit_test(test_alloc__an_update_is_whole_or_not_there),
    cmocka_unit_test(test_alloc__a_connection_is_changed_or_not),
    cmocka_unit_test(test_alloc__a_retry_on_request_moves_on),
    cmocka_unit_test(test_alloc__a_schedule_goes_on_firing),
    cmocka_unit_test(test_alloc__every_question_is_answered),
    cmocka_unit_test(test_alloc__a_trial_is_answered_and_leaves_nothing),
  };
  return cmocka_run_group_tests_name("core alloc", tests, NULL, NULL);
}
