/* A person's word is all or nothing: while single transactions of the store fail, and while a cancel comes in between. Whoever
 * was told that it was not done can say it again. */
#include "core_helper.h"
#include "model/status.h"

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

/* ---- results ------------------------------------------------------------------------------------------------ */

static const char *const WORDS[] = { "{\"result\":\"1\",\"ran\":\"job-9\"}", "{\"result\":\"1\",\"didNotRun\":true}", "{\"result\":\"1\",\"retry\":true}" };
enum { RAN, DID_NOT_RUN, RETRY, WORD_COUNT };

/* A result that may have started: unknown_start. */
static rig *rig_unknown(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_raises;
  r->acts[ORR_HOOK_executeBackup] = true;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  r->hooks[ORR_HOOK_cancelBackup] = hook_ok;
  rig_ask(r, "backup.create", "{\"name\":\"b\",\"provider\":\"fake\"}");
  rig_ask(r, "backup.run", "{\"backup\":\"b\",\"opts\":{\"own\":\"o\"}}");
  return r;
}

typedef struct seen {
  bool is_unknown;    /* as it was */
  bool goes_on, is_over;
  bool is_retried;    /* there is another one */
} seen;

static seen look(rig *r) {
  orr_result *one = (orr_result *)rig_stored(r, ORR_M_result, 1), *two = (orr_result *)rig_stored(r, ORR_M_result, 2);
  if (!two) two = (orr_result *)rig_stored(r, ORR_M_result, 3); /* an id that was not used is a gap */
  seen s = { .is_unknown = orr__streq(one->attention, "unknown_start"), .goes_on = one->nextAction != NULL, .is_over = orr__status_is_terminal(one->status),
             .is_retried = two != NULL };
  assert_int_equal(s.is_unknown + s.goes_on + s.is_over, 1);
  if (two) {
    assert_string_equal(two->retryOf, one->uuid);
    assert_string_equal(two->callerOpts, "{\"own\":\"o\"}");
    assert_true(s.is_over);
  }
  orr__object_free((orr__object *)one);
  orr__object_free((orr__object *)two);
  return s;
}

static void assert_resolved(rig *r, int word) {
  seen s = look(r);
  assert_int_equal(s.goes_on, word == RAN);
  assert_int_equal(s.is_over, word != RAN);
  assert_int_equal(s.is_retried, word == RETRY);
}

static void test_resolve__is_all_or_nothing(void **state) {
  (void)state;
  for (int word = 0; word < WORD_COUNT; word++) {
    int used = 0;
    for (int n = 0; n <= used; n++) { /* 0: none fails */
      rig *r = rig_unknown();
      fail_at(n);
      uint64_t id = rig_ask(r, "result.resolve", WORDS[word]);
      rig_advance(r, 5); /* the look at what an earlier runtime left may wait for the store */
      used = submitted > used ? submitted : used;
      fail_at(0);
      assert_non_null(r->replies[id]);
      if (r->codes[id]) {
        assert_true(look(r).is_unknown);
        assert_false(look(r).is_retried);
        id = rig_ask(r, "result.resolve", WORDS[word]);
        assert_int_equal(r->codes[id], 0);
      }
      assert_resolved(r, word);
      assert_in_range(r->acted[ORR_HOOK_executeBackup], 1, word == RETRY ? 2 : 1);
      rig_free(r);
    }
    assert_true(used > 2);
  }
}

static void test_resolve__survives_a_kill_at_every_point(void **state) {
  (void)state;
  for (int word = 0; word < WORD_COUNT; word++) {
    for (int halves = 0; halves < 16; halves++) {
      rig *r = rig_unknown();
      rig_submit(r, "result.resolve", WORDS[word]);
      rig_turn(r, halves);
      rig_kill_core(r);
      seen before = look(r);
      assert_true(before.is_unknown || before.is_over == (word != RAN));
      assert_int_equal(before.is_retried, word == RETRY && before.is_over);
      rig_open_core(r);
      rig_settle(r);
      uint64_t id = rig_ask(r, "result.resolve", WORDS[word]);
      assert_int_equal(r->codes[id], before.is_unknown ? 0 : ORR_E_REFUSED);
      assert_resolved(r, word);
      assert_in_range(r->acted[ORR_HOOK_executeBackup], 1, word == RETRY ? 2 : 1);
      rig_free(r);
    }
  }
}

/* What one says and what the other does, however they fall together. */
static void assert_no_loss(rig *r, int word, uint64_t said, uint64_t cancel) {
  assert_non_null(r->replies[said]);
  assert_non_null(r->replies[cancel]);
  orr_result *one = (orr_result *)rig_stored(r, ORR_M_result, 1);
  seen s = look(r);
  bool is_recorded = one->previousStatus != NULL, is_kept = orr__streq(one->status, "CANCEL_REQUESTED");
  if (r->codes[said]) assert_true(s.is_unknown); /* the cancel came first: it is said again */
  else assert_int_equal(s.is_over, word != RAN);
  if (!s.is_over) assert_int_equal(is_recorded, is_kept);
  if (s.is_over && is_recorded) assert_string_equal(one->status, word == DID_NOT_RUN ? "CANCELLED" : "FAILED");
  orr__object_free((orr__object *)one);
}

static void test_resolve__and_a_cancel_do_not_undo_each_other(void **state) {
  (void)state;
  int conflicts = 0;
  for (int word = 0; word < WORD_COUNT; word++) {
    for (int halves = -16; halves < 16; halves++) { /* below 0: the cancel comes first */
      rig *r = rig_unknown();
      uint64_t said = 0, cancel = 0;
      if (halves < 0) cancel = rig_submit(r, "result.cancel", "{\"result\":\"1\"}");
      else said = rig_submit(r, "result.resolve", WORDS[word]);
      rig_turn(r, halves < 0 ? -halves : halves);
      if (halves < 0) said = rig_submit(r, "result.resolve", WORDS[word]);
      else cancel = rig_submit(r, "result.cancel", "{\"result\":\"1\"}");
      rig_settle(r);
      conflicts += r->codes[said] == ORR_E_CONFLICT;
      assert_no_loss(r, word, said, cancel);
      rig_free(r);
    }
  }
  assert_true(conflicts > 0);
}

static void test_resolve__that_it_did_not_run_ends_a_cancelled_one_as_such(void **state) {
  (void)state;
  rig *r = rig_unknown();
  rig_ask(r, "result.cancel", "{\"result\":\"1\"}");
  rig_ask(r, "result.resolve", WORDS[DID_NOT_RUN]);
  assert_field(r, "result.show", "{\"result\":\"1\"}", "status", "CANCELLED");
  rig_free(r);
}

/* ---- drafts ------------------------------------------------------------------------------------------------- */

static const char CREATED[] = "{\"backup\":\"d\",\"created\":true}", DISCARD[] = "{\"backup\":\"d\",\"discard\":true}";

static rig *rig_draft(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_configureBackup] = hook_ok;
  r->hooks[ORR_HOOK_createBackup] = hook_raises;
  r->acts[ORR_HOOK_createBackup] = true;
  r->hooks[ORR_HOOK_executeBackup] = hook_ok;
  uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\",\"schedule\":\"@daily\"}");
  assert_int_equal(r->codes[id], ORR_E_ATTENTION);
  return r;
}

static bool is_waiting(rig *r) {
  uint64_t id = rig_ask(r, "status", "{}");
  return strstr(r->replies[id], "\"drafts\":[]") == NULL;
}

static bool is_backup(rig *r) { return r->codes[rig_ask(r, "backup.show", "{\"backup\":\"d\"}")] == 0; }

/* The rows of configureBackup and createBackup: how many there are, and how many belong to a Backup. */
static void count_rows(rig *r, int *ret_there, int *ret_owned) {
  *ret_there = *ret_owned = 0;
  for (int64_t id = 1; id < 6; id++) {
    orr_op *op = (orr_op *)rig_stored(r, ORR_M_op, id);
    *ret_there += op != NULL;
    *ret_owned += op && op->backupId;
    if (op && op->backupId) assert_null(op->draft);
    orr__object_free((orr__object *)op);
  }
}

static void assert_draft_resolved(rig *r, bool is_created) {
  int there, owned;
  count_rows(r, &there, &owned);
  assert_false(is_waiting(r));
  assert_int_equal(is_backup(r), is_created);
  assert_int_equal(there, is_created ? 2 : 0); /* the journal is the Backup's, or goes with the draft */
  assert_int_equal(owned, there);
  r->hooks[ORR_HOOK_createBackup] = hook_ok;
  uint64_t id = rig_ask(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\"}");
  assert_int_equal(r->codes[id], is_created ? ORR_E_EXISTS : 0);
}

static void test_resolve__of_a_draft_is_all_or_nothing(void **state) {
  (void)state;
  for (int is_created = 0; is_created < 2; is_created++) {
    int used = 0;
    for (int n = 0; n <= used; n++) { /* 0: none fails */
      rig *r = rig_draft();
      fail_at(n);
      uint64_t id = rig_ask(r, "backup.resolve", is_created ? CREATED : DISCARD);
      used = submitted > used ? submitted : used;
      fail_at(0);
      assert_non_null(r->replies[id]);
      bool is_done = !is_waiting(r);
      if (r->codes[id] && !is_done) assert_int_equal(r->codes[rig_ask(r, "backup.resolve", is_created ? CREATED : DISCARD)], 0);
      assert_draft_resolved(r, is_created);
      rig_free(r);
    }
    assert_true(used > 2);
  }
}

static void test_resolve__of_a_draft_survives_a_kill_at_every_point(void **state) {
  (void)state;
  for (int is_created = 0; is_created < 2; is_created++) {
    for (int halves = 0; halves < 16; halves++) {
      rig *r = rig_draft();
      rig_submit(r, "backup.resolve", is_created ? CREATED : DISCARD);
      rig_turn(r, halves);
      rig_kill_core(r);
      rig_open_core(r);
      rig_settle(r);
      if (is_waiting(r)) assert_int_equal(r->codes[rig_ask(r, "backup.resolve", is_created ? CREATED : DISCARD)], 0);
      assert_draft_resolved(r, is_created);
      rig_free(r);
    }
  }
}

static void test_resolve__does_not_take_the_draft_of_a_creation_that_succeeds(void **state) {
  (void)state;
  for (int is_created = 0; is_created < 2; is_created++) {
    for (int halves = 0; halves < 24; halves++) {
      rig *r = rig_new();
      r->hooks[ORR_HOOK_createBackup] = r->hooks[ORR_HOOK_executeBackup] = hook_ok;
      r->acts[ORR_HOOK_createBackup] = true;
      uint64_t creation = rig_submit(r, "backup.create", "{\"name\":\"d\",\"provider\":\"fake\"}");
      rig_turn(r, halves);
      uint64_t id = rig_ask(r, "backup.resolve", is_created ? CREATED : DISCARD);
      assert_int_equal(r->codes[creation], 0);
      assert_int_not_equal(r->codes[id], 0);
      assert_true(is_backup(r));
      assert_false(is_waiting(r));
      rig_free(r);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_resolve__is_all_or_nothing),
    cmocka_unit_test(test_resolve__survives_a_kill_at_every_point),
    cmocka_unit_test(test_resolve__and_a_cancel_do_not_undo_each_other),
    cmocka_unit_test(test_resolve__that_it_did_not_run_ends_a_cancelled_one_as_such),
    cmocka_unit_test(test_resolve__of_a_draft_is_all_or_nothing),
    cmocka_unit_test(test_resolve__of_a_draft_survives_a_kill_at_every_point),
    cmocka_unit_test(test_resolve__does_not_take_the_draft_of_a_creation_that_succeeds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
