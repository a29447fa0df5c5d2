/* Schedules under fire: one transaction of the store fails, at every place of a scenario; or the runtime dies after a commit, after
 * every one, with all that was not committed. Whatever happens, each instant comes to one result or one recorded skip. */
#include "schedule_helper.h"

static int submitted, fails_at;

void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  bool is_ours = done == rig_copied || done == rows_taken;
  if (!is_ours && ++submitted == fails_at) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

/* ---- scenarios ---------------------------------------------------------------------------------------------- */

typedef struct scenario {
  const char *name, *schedule, *more;
  bool runs_long;          /* results go on for 100 minutes */
  void (*act)(rig *r);     /* everything that may go wrong happens in it */
} scenario;

static void hook_takes_long(rig *r, orr__call *call, orr__answer *answer) {
  (void)answer;
  bool is_over = now_of(r) - call->graph.result->startDate >= 100 * MINUTE;
  if (is_over) orr__set_str(&call->graph.result->head, ORR_F_result_status, "SUCCEEDED");
}

static void hours_go_by(rig *r) { pass_by(r, 4 * HOUR, 5 * MINUTE); }

static void away_and_back(rig *r) {
  pass_by(r, HOUR + 5 * MINUTE, 5 * MINUTE);
  away(r, 5 * HOUR);
  pass_by(r, 2 * HOUR, 5 * MINUTE);
}

static void clock_steps(rig *r) {
  pass_by(r, HOUR + 5 * MINUTE, 5 * MINUTE);
  step(r, 3 * HOUR);
  pass_by(r, HOUR, 5 * MINUTE);
  step(r, -3 * HOUR);
  pass_by(r, 5 * HOUR, 5 * MINUTE);
}

static void skip_and_go_on(rig *r) {
  pass_by(r, 30 * MINUTE, 5 * MINUTE);
  rig_submit(r, "schedule.skip", "{\"backup\":\"b\",\"count\":2}");
  hours_go_by(r);
}

static const scenario scenarios[] = {
  { "plain", "0 * * * *", NULL, false, hours_go_by },
  { "overlap", "*/30 * * * *", NULL, true, hours_go_by },
  { "buffer", "*/30 * * * *", ",\"overlapPolicy\":\"bufferOne\"", true, hours_go_by },
  { "buffer, away", "*/30 * * * *", ",\"overlapPolicy\":\"bufferOne\"", true, away_and_back },
  { "allow", "*/30 * * * *", ",\"overlapPolicy\":\"allow\"", true, hours_go_by },
  { "one", "0 * * * *", NULL, false, away_and_back },
  { "all", "0 * * * *", ",\"misfirePolicy\":\"all\"", false, away_and_back },
  { "all, long", "0 * * * *", ",\"misfirePolicy\":\"all\"", true, away_and_back },
  { "none", "0 * * * *", ",\"misfirePolicy\":\"none\",\"startDeadline\":7200", false, away_and_back },
  { "blackout", "*/30 * * * *", ",\"blackouts\":\"02:00-04:00\",\"jitter\":600", false, away_and_back },
  { "buffer, blackout", "*/30 * * * *", ",\"overlapPolicy\":\"bufferOne\",\"blackouts\":\"02:10-03:10\"", true, hours_go_by },
  { "steps", "*/20 * * * *", ",\"overlapPolicy\":\"bufferOne\"", true, clock_steps },
  { "skip", "0 * * * *", NULL, false, skip_and_go_on },
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static rig *begin(const scenario *s, int64_t *from) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = s->runs_long ? hook_starts : hook_succeeds;
  r->hooks[ORR_HOOK_refreshBackupResult] = s->runs_long ? hook_takes_long : hook_succeeds;
  *from = now_of(r);
  char *more = orr__strf("%s,\"refreshInterval\":300", s->more ? s->more : "");
  char *args = orr__strf("{\"name\":\"b\",\"provider\":\"fake\",\"schedule\":\"%s\"%s}", s->schedule, more);
  rig_ask(r, "backup.create", args);
  free(args);
  free(more);
  return r;
}

/* All is well for a while: then nothing may be left, and nothing runs. */
static void calm(rig *r) {
  r->hooks[ORR_HOOK_executeBackup] = r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  pass_by(r, 20 * MINUTE, MINUTE);
}

/* ---- a transaction fails ------------------------------------------------------------------------------------- */

static void test_schedule_faults__a_failed_transaction_loses_and_doubles_nothing(void **state) {
  (void)state;
  for (size_t i = 0; i < SCENARIOS; i++) {
    int used = 0;
    for (int n = 0; n <= used && n < 400; n++) { /* 0: none fails */
      int64_t from;
      rig *r = begin(&scenarios[i], &from);
      submitted = 0;
      fails_at = n;
      scenarios[i].act(r);
      if (submitted > used) used = submitted;
      fails_at = 0;
      calm(r);
      size_t count = assert_done(r, 1, from);
      if (count < 3) fail_msg("%s, transaction %d: only %d instants", scenarios[i].name, n, (int)count);
      rig_free(r);
    }
    assert_true(used > 10);
  }
}

/* ---- the runtime dies ----------------------------------------------------------------------------------------- */

/* What has been committed after n writes is all there is: a new runtime finds it. */
static void reopen_cut(rig *r, size_t n) {
  orr__store *cut = NULL;
  rig_kill_core(r);
  assert_int_equal(orr__store_cut(r->store, n, &(orr__store_config){ .wake = rig_wake }, &cut, NULL), 0);
  orr__store_close(r->store);
  r->store = cut;
  rig_open_core(r);
}

static void test_schedule_faults__a_death_after_any_commit_loses_and_doubles_nothing(void **state) {
  (void)state;
  for (size_t i = 0; i < SCENARIOS; i++) {
    size_t commits = 4;
    for (size_t n = 3; n <= commits; n++) { /* the first ones create the Backup */
      int64_t from;
      rig *r = begin(&scenarios[i], &from);
      scenarios[i].act(r);
      commits = orr__store_commits(r->store);
      if (n > commits) n = commits;
      reopen_cut(r, n);
      rig_settle(r);
      calm(r);
      assert_done(r, 1, from);
      rig_free(r);
    }
  }
}

/* A hook is in flight when the runtime dies: its result is taken up again, and the instant stays that one's. */
static void test_schedule_faults__a_death_in_the_midst_of_a_fire_makes_no_second_result(void **state) {
  (void)state;
  for (int halves = 0; halves < 40; halves++) {
    int64_t from;
    rig *r = begin(&scenarios[0], &from);
    orr__loop_advance(r->loop, HOUR);
    rig_turn(r, halves);
    rig_kill_core(r);
    rig_open_core(r);
    rig_settle(r);
    calm(r);
    assert_record(r, 1, "result");
    assert_done(r, 1, from);
    rig_free(r);
  }
}

/* Somebody leaves out the buffered fire just as it begins: one of the two has it, whoever comes first. */
static void test_schedule_faults__a_skip_and_a_fire_do_not_share_an_instant(void **state) {
  (void)state;
  for (int halves = 0; halves < 24; halves++) {
    int64_t from;
    rig *r = begin(&scenarios[2], &from);
    pass_by(r, HOUR + 5 * MINUTE, 5 * MINUTE);
    assert_record(r, 1, "result buffered");
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
    orr__loop_advance(r->loop, 5 * MINUTE);
    rig_turn(r, halves);
    rig_submit(r, "schedule.skip", "{\"backup\":\"b\"}");
    rig_settle(r);
    calm(r);
    assert_accounted(r, 1, from);
    rig_free(r);
  }
}

/* The result ends while the schedule reads that it runs: what then waits for the end is told of it all the same. */
static void test_schedule_faults__an_end_in_the_midst_of_a_look_is_noticed(void **state) {
  (void)state;
  for (int halves = 0; halves < 16; halves++) {
    rig *r = rig_new();
    r->hooks[ORR_HOOK_executeBackup] = hook_starts;
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
    scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
    pass(r, 2 * HOUR - 15000);
    r->holds[ORR_HOOK_refreshBackupResult] = true; /* the last refresh before the instant answers just after it */
    pass(r, 14999);
    assert_non_null(rig_held(r, ORR_HOOK_refreshBackupResult));
    r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
    orr__loop_advance(r->loop, 1);
    rig_turn(r, halves);
    rig_release(r, ORR_HOOK_refreshBackupResult);
    rig_settle(r);
    pass_by(r, 2000, 100);
    assert_record(r, 1, "result result");
    rig_free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule_faults__a_failed_transaction_loses_and_doubles_nothing),
    cmocka_unit_test(test_schedule_faults__a_death_after_any_commit_loses_and_doubles_nothing),
    cmocka_unit_test(test_schedule_faults__a_death_in_the_midst_of_a_fire_makes_no_second_result),
    cmocka_unit_test(test_schedule_faults__a_skip_and_a_fire_do_not_share_an_instant),
    cmocka_unit_test(test_schedule_faults__an_end_in_the_midst_of_a_look_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
