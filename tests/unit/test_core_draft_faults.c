/* A creation whose createBackup may have made something outside is found out about whatever else goes wrong: single transactions fail, and the
 * runtime dies after any commit. In the end it is a Backup, once; or nothing was made; or a person has it in attention. */
#include "core_helper.h"

/* ---- the failing store -------------------------------------------------------------------------------------- */

static int submitted, fails_at;

void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  if (done != rig_copied && ++submitted == fails_at) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

static void fail_at(int n) {
  submitted = 0;
  fails_at = n;
}

/* ---- a creation --------------------------------------------------------------------------------------------- */

static int attempts;

/* The reply of the first is lost. */
static void hook_made(rig *r, orr__call *call, orr__answer *answer) {
  if (++attempts == 1) hook_raises(r, call, answer);
  else orr__set_str(&call->graph.backup->head, ORR_F_backup_externalId, "policy-1");
}

static void hook_found(rig *r, orr__call *call, orr__answer *answer) {
  (void)answer;
  if (r->acted[ORR_HOOK_createBackup]) orr__set_str(&call->graph.backup->head, ORR_F_backup_externalId, "policy-1");
  else answer->data = orr__strdup("{\"found\":false}");
}

static rig *rig_to_create(bool is_idempotent) {
  rig *r = rig_new();
  attempts = 0;
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_createBackup] = hook_made;
  r->acts[ORR_HOOK_createBackup] = true;
  r->declaration.is_idempotent = is_idempotent;
  r->declaration.visibility_delay = 20;
  if (!is_idempotent) r->hooks[ORR_HOOK_recoverBackup] = hook_found;
  return r;
}

static void pass(rig *r) {
  for (int i = 0; i < 3600; i += 5) rig_advance(r, 5);
}

static size_t backups(rig *r, char **ret_external_id) {
  size_t count = 0;
  for (int64_t id = 1; id < 9; id++) {
    orr_backup *backup = (orr_backup *)rig_stored(r, ORR_M_backup, id);
    count += backup != NULL;
    if (backup && backup->externalId) *ret_external_id = orr__strdup(backup->externalId);
    orr__object_free((orr__object *)backup);
  }
  return count;
}

/* Was it made, then there is a Backup that knows it. Nothing waits for anybody, and what is asked now is answered. */
static void is_settled(rig *r, int n, bool is_idempotent) {
  char *external_id = NULL;
  size_t count = backups(r, &external_id);
  bool was_made = r->acted[ORR_HOOK_createBackup] > 0;
  if (count > 1 || (was_made && (count != 1 || !external_id)) || (!is_idempotent && r->acted[ORR_HOOK_createBackup] > 1))
    fail_msg("at %d: %zu Backups, made %d times, externalId %s", n, count, r->acted[ORR_HOOK_createBackup], external_id);
  free(external_id);
  uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  pass(r);
  assert_int_equal(r->codes[id], count ? ORR_E_EXISTS : 0);
  id = rig_ask(r, "status", "{}");
  assert_non_null(strstr(r->replies[id], "\"drafts\":[]"));
}

static void with_a_failure_anywhere(bool is_idempotent) {
  int used = 0;
  for (int n = 0; n <= used && n < 60; n++) {
    rig *r = rig_to_create(is_idempotent);
    fail_at(n);
    uint64_t id = rig_submit(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    pass(r);
    if (submitted > used) used = submitted;
    fail_at(0);
    assert_non_null(r->replies[id]);
    if (n == 0) assert_int_equal(r->codes[id], 0);
    is_settled(r, n, is_idempotent);
    rig_free(r);
  }
  assert_true(used > 3);
}

static void test_draft_faults__a_failed_transaction_is_survived_by_a_look_up(void **state) {
  (void)state;
  with_a_failure_anywhere(false);
}

static void test_draft_faults__a_failed_transaction_is_survived_by_the_key(void **state) {
  (void)state;
  with_a_failure_anywhere(true);
}

static void with_a_death_anywhere(bool is_idempotent) {
  bool was_late = false;
  for (int k = 0; !was_late && k < 200; k++) {
    rig *r = rig_to_create(is_idempotent);
    fail_at(0);
    uint64_t id = rig_submit(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
    if (k > 10) rig_turn(r, k < 30 ? k - 10 : 20);
    else rig_turn(r, k);
    for (int i = 30; i < k; i++) rig_advance(r, 1);
    was_late = r->replies[id] != NULL;
    rig_kill_core(r);
    rig_open_core(r);
    pass(r);
    is_settled(r, k, is_idempotent);
    rig_free(r);
  }
  assert_true(was_late);
}

static void test_draft_faults__a_death_at_any_time_is_survived_by_a_look_up(void **state) {
  (void)state;
  with_a_death_anywhere(false);
}

static void test_draft_faults__a_death_at_any_time_is_survived_by_the_key(void **state) {
  (void)state;
  with_a_death_anywhere(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_draft_faults__a_failed_transaction_is_survived_by_a_look_up),
    cmocka_unit_test(test_draft_faults__a_failed_transaction_is_survived_by_the_key),
    cmocka_unit_test(test_draft_faults__a_death_at_any_time_is_survived_by_a_look_up),
    cmocka_unit_test(test_draft_faults__a_death_at_any_time_is_survived_by_the_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
