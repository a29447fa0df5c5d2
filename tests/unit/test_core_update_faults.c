/* An update is all or nothing: while single transactions of the store fail, in two ways, and when the runtime dies after any commit. What
 * updateBackup may have done outside, and did not say, is in attention; everything else is as it was, or as it shall be. */
#include "core_helper.h"

/* ---- the failing store -------------------------------------------------------------------------------------- */

static int submitted, fails_at;
static bool refuses;      /* instead of a conflict, which an update tries again */
static bool is_overtaken; /* instead of failing, another one writes to the Backup just before it */

void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

/* As a hook of a run does that has changed its Backup: one entry of its configuration, and another field. */
static void write_as_a_run(orr__store *store) {
  orr_backup *b = orr__backup_new();
  orr__tx *tx = orr__tx_new();
  orr__set_int(&b->head, ORR_F_backup_id, 1);
  orr__set_str(&b->head, ORR_F_backup_config, "{\"path\":\"/old\",\"lastFull\":\"x\"}");
  orr__set_str(&b->head, ORR_F_backup_backupType, "full");
  orr__set_int(&b->head, ORR_F_backup_updatedDate, INT64_C(1767225600001));
  orr__tx_update(tx, &b->head, b->head.dirty & ~ORR_BIT(ORR_F_backup_id));
  __real_orr__store_submit(store, tx, NULL, NULL);
  orr__object_free(&b->head);
}

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  bool fails = done != rig_copied && ++submitted == fails_at;
  if (fails && is_overtaken) {
    write_as_a_run(store);
    fails = false;
  }
  if (fails && refuses) orr__tx_guard_none(tx, ORR_M_backup, ORR_F_backup_id, 1, "the disk is full");
  if (fails && !refuses) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

static void fail_at(int n) {
  submitted = 0;
  fails_at = n;
}

/* ---- an update ---------------------------------------------------------------------------------------------- */

#define UPDATE "{\"backup\":\"b\",\"rename\":\"c\",\"refreshInterval\":7,\"schedule\":\"@every 1h\",\"config\":{\"path\":\"/new\",\"key\":\"k2\"}}"

static orr__option options[] = { { .field_name = (char *)(uintptr_t)"path" },
                                 { .field_name = (char *)(uintptr_t)"key", .input_type = (char *)(uintptr_t)"password" } };

static void hook_configures(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  orr__set_str(&call->graph.backup->head, ORR_F_backup_internalId, "configured");
}

/* What it is outside now. */
static char outside[64];

static void hook_updates(rig *r, orr__call *call, orr__answer *answer) {
  (void)r, (void)answer;
  if (call->previous) {
    const orr__json *config = orr__object_map(&call->graph.backup->head, ORR_F_backup_config);
    snprintf(outside, sizeof outside, "%s", orr__json_str(config, "path"));
    orr__json_free((orr__json *)(uintptr_t)config);
  }
  orr__set_str(&call->graph.backup->head, ORR_F_backup_externalId, "updated");
}

static rig *rig_with_backup(void) {
  rig *r = rig_new();
  refuses = is_overtaken = false;
  fail_at(0);
  snprintf(outside, sizeof outside, "/old");
  r->declaration.options = options;
  r->declaration.option_count = 2;
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"config\":{\"path\":\"/old\",\"key\":\"k1\"}}");
  r->hooks[ORR_HOOK_configureBackup] = hook_configures;
  r->hooks[ORR_HOOK_validateBackup] = hook_ok;
  r->hooks[ORR_HOOK_updateBackup] = hook_updates;
  r->acts[ORR_HOOK_updateBackup] = true;
  return r;
}

typedef struct seen {
  bool is_old, is_new, is_unknown;
} seen;

/* As it was or as it shall be, in every field. */
static seen look(rig *r) {
  orr_backup *b = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
  seen s = { .is_old = orr__streq(b->name, "b") && !b->schedule && !b->refreshInterval && !b->internalId && !b->externalId &&
                       strstr(b->config, "/old") && strstr(b->secrets, "k1"),
             .is_new = orr__streq(b->name, "c") && b->schedule && b->refreshInterval == 7 && orr__streq(b->internalId, "configured") &&
                       orr__streq(b->externalId, "updated") && strstr(b->config, "/new") && strstr(b->secrets, "k2"),
             .is_unknown = orr__streq(b->attention, "unknown_update") };
  orr__object_free((orr__object *)b);
  return s;
}

/* No call of a Backup is open, and none of them has kept what it was called with. */
static void assert_closed(rig *r, int n) {
  for (int64_t id = 1; id < 60; id++) {
    orr_op *op = (orr_op *)rig_stored(r, ORR_M_op, id);
    if (op && strcmp(op->state, "done")) fail_msg("transaction %d: the call of %s is left %s", n, op->hook, op->state);
    if (op && op->draft) fail_msg("transaction %d: the call of %s has kept a draft", n, op->hook);
    orr__object_free((orr__object *)op);
  }
}

static void restart(rig *r) {
  rig_kill_core(r);
  rig_open_core(r);
  rig_settle(r);
}

/* Another update, under whatever name it has now, goes through: nothing is held or reserved. */
static void assert_can_go_on(rig *r) {
  bool is_renamed = look(r).is_new;
  uint64_t id = rig_ask(r, "backup.update", is_renamed ? "{\"backup\":\"c\",\"refreshInterval\":9}" : UPDATE);
  assert_int_equal(r->codes[id], 0);
  assert_false(look(r).is_unknown);
  assert_string_equal(outside, "/new");
  id = rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\",\"config\":{\"path\":\"/x\"}}");
  assert_int_equal(r->codes[id], 0);
}

static void fail_everywhere(bool is_idempotent) {
  int used = 0, done = 0, unknown = 0;
  for (int n = 0; n <= used; n++) {
    rig *r = rig_with_backup();
    r->declaration.is_idempotent = is_idempotent;
    refuses = n % 2; /* each way at every other place, */
    for (int way = 0; way < 2; way++) { /* and then the other */
      if (way) {
        rig_free(r);
        r = rig_with_backup();
        r->declaration.is_idempotent = is_idempotent;
        refuses = !(n % 2);
      }
      fail_at(n);
      uint64_t id = rig_ask(r, "backup.update", UPDATE);
      rig_advance(r, 30);
      if (submitted > used) used = submitted;
      fail_at(0);
      assert_non_null(r->replies[id]);
      seen s = look(r);
      assert_true(s.is_old || s.is_new);
      assert_int_equal(r->codes[id] == 0, s.is_new);
      assert_int_equal(r->codes[id] == ORR_E_ATTENTION, s.is_unknown);
      if (!s.is_unknown) assert_string_equal(outside, s.is_new ? "/new" : "/old");
      done += s.is_new;
      unknown += s.is_unknown;
      restart(r);
      seen again = look(r);
      assert_memory_equal(&again, &s, sizeof s); /* the next runtime thinks the same of it */
      assert_closed(r, n);
      assert_can_go_on(r);
    }
    rig_free(r);
  }
  assert_in_range(used, 8, 25);
  assert_true(done > 2);
  assert_true(unknown > 0);
}

static void test_update_faults__is_whole_or_not_there(void **state) {
  (void)state;
  fail_everywhere(false);
  fail_everywhere(true);
}

/* The store is cut after each commit of an update, and taken up by another runtime. */
static void test_update_faults__a_cut_after_any_commit_leaves_it_whole(void **state) {
  (void)state;
  rig *whole = rig_with_backup();
  size_t before = orr__store_commits(whole->store);
  rig_ask(whole, "backup.update", UPDATE);
  size_t commits = orr__store_commits(whole->store);
  assert_true(commits - before >= 5); /* three intents, the mark, the end */
  int unknown = 0;
  for (size_t n = before; n <= commits; n++) {
    rig *r = rig_with_backup();
    rig_kill_core(r);
    orr__store_close(r->store);
    assert_int_equal(orr__store_cut(whole->store, n, &(orr__store_config){ .wake = rig_wake }, &r->store, NULL), 0);
    rig_open_core(r);
    rig_settle(r);
    seen s = look(r);
    assert_true(s.is_old || s.is_new);
    assert_int_equal(s.is_new, n == commits);
    unknown += s.is_unknown;
    assert_closed(r, (int)n);
    assert_can_go_on(r);
    rig_free(r);
  }
  assert_int_equal(unknown, 1); /* exactly the cut between `sent` and the end */
  rig_free(whole);
}

/* A run writes to the Backup before any of the update's transactions: both count. */
static void test_update_faults__what_a_run_writes_in_between_stays(void **state) {
  (void)state;
  int used = 3;
  for (int n = 3; n <= used; n++) { /* the first two find and load it: then it is the Backup as it was */
    rig *r = rig_with_backup();
    is_overtaken = true;
    fail_at(n);
    uint64_t id = rig_ask(r, "backup.update", UPDATE);
    bool is_past_the_end = submitted < n;
    used = is_past_the_end ? used : n + 1;
    fail_at(0);
    assert_int_equal(r->codes[id], 0);
    orr_backup *b = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
    if (is_past_the_end)
      assert_null(strstr(b->config, "lastFull"));
    else if (!strstr(b->config, "lastFull") || !strstr(b->config, "/new") || !orr__streq(b->backupType, "full"))
      fail_msg("transaction %d: %s %s", n, b->config, b->backupType);
    orr__object_free(&b->head);
    assert_true(look(r).is_new);
    rig_free(r);
  }
  assert_in_range(used, 8, 25);
}

/* ---- while the hooks run ------------------------------------------------------------------------------------ */

/* The hooks end at the very moment at which the old schedule is due: the update is about to be written before the fire is. */
static void test_update_faults__a_fire_that_is_due_goes_first(void **state) {
  (void)state;
  rig *r = rig_with_backup();
  rig_ask(r, "backup.update", "{\"backup\":\"b\",\"schedule\":\"@every 60s\"}");
  r->acts[ORR_HOOK_updateBackup] = false;
  r->holds[ORR_HOOK_updateBackup] = true;
  uint64_t id = rig_ask(r, "backup.update", UPDATE);
  orr__loop_advance(r->loop, 60000);
  rig_release(r, ORR_HOOK_updateBackup);
  rig_settle(r);
  rig_advance(r, 2);
  assert_int_equal(r->codes[id], 0);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  assert_null(strstr(r->replies[rig_ask(r, "events", "{}")], "schedule.skipped"));
  assert_true(look(r).is_new);
  rig_advance(r, 3540);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  rig_advance(r, 65); /* an hour after the update */
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  rig_free(r);
}

static void test_update_faults__a_runtime_that_closes_leaves_it_to_the_next(void **state) {
  (void)state;
  for (int is_sent = 0; is_sent < 2; is_sent++) {
    rig *r = rig_with_backup();
    r->acts[ORR_HOOK_updateBackup] = false;
    r->holds[ORR_HOOK_updateBackup] = true;
    uint64_t id = rig_ask(r, "backup.update", UPDATE);
    if (is_sent)
      orr__core_host(r->core)->mark_sent(r->core, rig_held(r, ORR_HOOK_updateBackup)->id, "POST http://outside:80", rig_sent, rig_pend(r, 0));
    rig_settle(r);
    orr__core_drain(r->core);
    orr__core_host(r->core); /* the backend is told by whoever closes: */
    rig_interrupt(r, rig_held(r, ORR_HOOK_updateBackup)->id, "the runtime is closing");
    rig_settle(r);
    assert_int_equal(r->codes[id], ORR_E_CLOSED);
    r->holds[ORR_HOOK_updateBackup] = false;
    restart(r);
    seen s = look(r);
    assert_true(s.is_old);
    assert_int_equal(s.is_unknown, is_sent);
    assert_closed(r, is_sent);
    rig_free(r);
  }
}

static void test_update_faults__an_attempt_that_left_nothing_is_no_attention(void **state) {
  (void)state;
  rig *r = rig_with_backup();
  r->hooks[ORR_HOOK_updateBackup] = hook_raises;
  uint64_t id = rig_ask(r, "backup.update", UPDATE);
  assert_int_equal(r->codes[id], ORR_E_ATTENTION);
  rig_ask(r, "backup.update", "{\"backup\":\"b\"}");
  assert_true(look(r).is_unknown); /* it has not gone through yet */
  r->acts[ORR_HOOK_updateBackup] = false;
  r->hooks[ORR_HOOK_updateBackup] = hook_updates;
  id = rig_ask(r, "backup.update", "{\"backup\":\"b\"}");
  assert_int_equal(r->codes[id], 0);
  r->hooks[ORR_HOOK_updateBackup] = hook_raises;
  id = rig_ask(r, "backup.update", UPDATE);
  assert_int_equal(r->codes[id], ORR_E_UNREACHABLE);
  assert_false(look(r).is_unknown);
  rig_free(r);
}

static void test_update_faults__a_connection_that_goes_meanwhile_stops_it(void **state) {
  (void)state;
  rig *r = rig_with_backup();
  r->acts[ORR_HOOK_updateBackup] = false;
  r->holds[ORR_HOOK_validateBackup] = true;
  rig_ask(r, "connection.add", "{\"name\":\"vault\",\"provider\":\"fake\"}");
  uint64_t id = rig_ask(r, "backup.update", "{\"backup\":\"b\",\"connection\":\"vault\",\"config\":{\"path\":\"/new\"}}");
  rig_ask(r, "connection.rm", "{\"connection\":\"vault\"}");
  rig_release(r, ORR_HOOK_validateBackup);
  rig_settle(r);
  assert_int_equal(r->codes[id], ORR_E_CONFLICT);
  orr_backup *b = (orr_backup *)rig_stored(r, ORR_M_backup, 1);
  assert_int_equal(b->backupProviderId, 0);
  assert_non_null(strstr(b->config, "/old"));
  orr__object_free((orr__object *)b);
  rig_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_update_faults__is_whole_or_not_there),
    cmocka_unit_test(test_update_faults__a_cut_after_any_commit_leaves_it_whole),
    cmocka_unit_test(test_update_faults__what_a_run_writes_in_between_stays),
    cmocka_unit_test(test_update_faults__a_fire_that_is_due_goes_first),
    cmocka_unit_test(test_update_faults__a_runtime_that_closes_leaves_it_to_the_next),
    cmocka_unit_test(test_update_faults__an_attempt_that_left_nothing_is_no_attention),
    cmocka_unit_test(test_update_faults__a_connection_that_goes_meanwhile_stops_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
