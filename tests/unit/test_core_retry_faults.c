/* An execution that has FAILED and is to be run again, by the word that its hook saves before it ends. One transaction fails, each in
 * turn: what has FAILED has one retry all the same, which runs, and what was not accepted has none. */
#include "core_helper.h"
#include "model/status.h"

static int submitted, fails_at;

void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  if (done != rig_copied && ++submitted == fails_at) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

static void ignore(void *arg, int code, const orr_error *err) { (void)arg, (void)code, (void)err; }

static void save_the_end(rig *r) {
  orr__call *call = rig_held(r, ORR_HOOK_executeBackup);
  if (!call) return;
  orr__set_str(&call->graph.result->head, ORR_F_result_status, "FAILED");
  orr__core_host(r->core)->checkpoint(r->core, call->id, &call->graph.result->head, ignore, NULL);
  rig_settle(r);
}

/* Runs it and lets the n-th transaction fail, 0: none. How many there were. */
static int run(rig *r, int n) {
  r->hooks[ORR_HOOK_executeBackup] = hook_ok;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  r->holds[ORR_HOOK_executeBackup] = true;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"retryAttempts\":1,\"retryDelay\":60}");
  submitted = 0;
  fails_at = n;
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  save_the_end(r);
  rig_release(r, ORR_HOOK_executeBackup);
  rig_settle(r);
  int used = submitted;
  fails_at = 0;
  rig_advance(r, 200);
  return used;
}

/* A number that was given to what was not stored is not given twice. */
static orr_result *retry_of(rig *r, int64_t id) {
  orr_result *found = NULL;
  for (int64_t other = id + 1; other < id + 5; other++) {
    orr_result *row = (orr_result *)rig_stored(r, ORR_M_result, other);
    if (row && found) fail_msg("there are two retries");
    if (row) found = row;
  }
  return found;
}

static void test_retry_faults__what_has_failed_is_run_again_once(void **state) {
  (void)state;
  int used = 0, failed = 0;
  for (int n = 0; n <= used && n < 50; n++) {
    rig *r = rig_new();
    int count = run(r, n);
    if (count > used) used = count;
    orr_result *first = (orr_result *)rig_stored(r, ORR_M_result, 1), *retry = retry_of(r, 1);
    bool has_failed = first && orr__streq(first->status, "FAILED");
    if (has_failed != (retry != NULL)) fail_msg("transaction %d: result 1 is %s, and there is %s retry", n, first ? first->status : "not there", retry ? "a" : "no");
    if (retry && !orr__status_is_terminal(retry->status)) fail_msg("transaction %d: the retry is %s", n, retry->status);
    failed += has_failed;
    orr__object_free((orr__object *)first);
    orr__object_free((orr__object *)retry);
    rig_free(r);
  }
  assert_true(used > 4 && failed > 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_retry_faults__what_has_failed_is_run_again_once),
  };
  return cmocka_run_group_tests_name("core retry faults", tests, NULL, NULL);
}
