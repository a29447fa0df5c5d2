/* Schedules, from a fire to its record: what becomes of instants that were missed, that meet a running result, that lie in a
 * blackout; clocks that step; pauses. Each test ends by looking whether every instant has come to exactly one thing. */
#include "schedule_helper.h"

static rig *rig_succeeding(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_succeeds;
  return r;
}

/* Results that go on until let_end. */
static rig *rig_running(void) {
  rig *r = rig_new();
  r->hooks[ORR_HOOK_executeBackup] = hook_starts;
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
  return r;
}

static void let_end(rig *r) {
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  pass_by(r, 10000, 1000);
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_ok;
}

static void end(rig *r, int64_t id, int64_t from) {
  assert_done(r, id, from);
  rig_free(r);
}

/* ---- missed ------------------------------------------------------------------------------------------------- */

static void test_schedule__fires_at_each_instant(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  pass(r, 3 * HOUR + MINUTE);
  assert_record(r, id, "result result result");
  end(r, id, from);
}

static void test_schedule__makes_up_for_the_last_one_missed(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  away(r, 3 * HOUR + 30 * MINUTE);
  assert_record(r, id, "missed missed result");
  end(r, id, from);
}

static void test_schedule__makes_up_for_none_when_one_comes_in_time(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  away(r, 3 * HOUR + 20000);
  assert_record(r, id, "missed missed result");
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 1);
  end(r, id, from);
}

static void test_schedule__makes_up_for_all(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"all\"");
  away(r, 3 * HOUR + 30 * MINUTE);
  assert_record(r, id, "result result result");
  end(r, id, from);
}

static void test_schedule__makes_up_for_all_one_after_the_other(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"all\"");
  away(r, 3 * HOUR + 30 * MINUTE);
  assert_record(r, id, "result");
  pass(r, 10 * MINUTE);
  assert_record(r, id, "result");
  let_end(r);
  assert_record(r, id, "result result");
  let_end(r);
  assert_record(r, id, "result result result");
  let_end(r);
  end(r, id, from);
}

static void test_schedule__makes_up_for_all_at_once_where_they_may_overlap(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"all\",\"overlapPolicy\":\"allow\"");
  away(r, 3 * HOUR + 30 * MINUTE);
  assert_record(r, id, "result result result");
  end(r, id, from);
}

static void test_schedule__makes_up_for_the_newest_hundred(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"all\"");
  away(r, 150 * HOUR + 30 * MINUTE);
  ledger *l = ledger_of(r, id);
  assert_int_equal(l->count, 150);
  for (size_t i = 0; i < 150; i++) assert_string_equal(l->rows[i].what, i < 50 ? "missed" : "result");
  free(l);
  end(r, id, from);
}

static void test_schedule__makes_up_for_nothing(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"none\"");
  away(r, 3 * HOUR + 61000);
  assert_record(r, id, "missed missed missed");
  away(r, 2 * HOUR - 31000); /* the last one is 30 s late */
  assert_record(r, id, "missed missed missed missed result");
  end(r, id, from);
}

static void test_schedule__counts_a_minute_late_as_in_time(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"none\"");
  away(r, HOUR + 60000);
  assert_record(r, id, "result");
  away(r, HOUR + 1);
  assert_record(r, id, "result missed");
  end(r, id, from);
}

static void test_schedule__skips_what_is_past_the_start_deadline(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"misfirePolicy\":\"all\",\"startDeadline\":5400");
  away(r, 3 * HOUR + 30 * MINUTE); /* 02:00 is 90 minutes late, and that is not too late yet */
  assert_record(r, id, "too_late result result");
  away(r, 2 * HOUR + 1);
  assert_record(r, id, "too_late result result too_late result");
  end(r, id, from);
}

/* A year of minutes, and more of seconds, is no single long turn and no single large transaction. */
static void test_schedule__goes_through_a_long_absence(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t id = scheduled(r, "b", "@every 1s", NULL), from = now_of(r);
  away(r, 2 * DAY + 500);
  rig_settle(r);
  row_list events = rig_rows(r, ORR_M_event), results = rig_rows(r, ORR_M_result);
  int64_t skipped = 0, next = from + 1000;
  for (size_t i = 0; i < events.count; i++) {
    const orr_event_row *event = (const orr_event_row *)events.rows[i];
    if (!orr__streq(event->kind, "schedule.skipped")) continue;
    orr__json *data = orr__object_map(&event->head, ORR_F_event_data);
    assert_int_equal(orr__json_int(data, "first", 0), next);
    next = orr__json_int(data, "last", 0) + 1000;
    skipped += orr__json_int(data, "count", 0);
    orr__json_free(data);
  }
  assert_int_equal(skipped, 2 * 86400 - 1);
  assert_int_equal(results.count, 1);
  assert_int_equal(((orr_result *)results.rows[0])->scheduledDate, from + 2 * DAY);
  rows_free(&events);
  rows_free(&results);
  assert_int_equal(id, 1);
  rig_free(r);
}

/* ---- overlap ------------------------------------------------------------------------------------------------ */

static void test_schedule__skips_while_a_result_runs(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  pass(r, 3 * HOUR + MINUTE);
  let_end(r);
  pass(r, HOUR);
  assert_record(r, id, "result overlap overlap result");
  end(r, id, from);
}

static void test_schedule__buffers_one_until_the_end(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 3 * HOUR + MINUTE);
  assert_record(r, id, "result buffered overlap");
  let_end(r);
  assert_record(r, id, "result result overlap");
  let_end(r);
  end(r, id, from);
}

static void test_schedule__fires_the_buffered_one_at_once(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, id, "result buffered");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_succeeds;
  pass_by(r, 10000, 1000); /* the refresh, every 10 s, and no minute more */
  assert_record(r, id, "result result");
  rig_free(r);
}

static void test_schedule__remembers_the_buffered_one_over_a_restart(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  away(r, MINUTE);
  assert_record(r, id, "result buffered");
  let_end(r);
  assert_record(r, id, "result result");
  end(r, id, from);
}

static void test_schedule__skips_the_buffered_one_past_the_deadline(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\",\"startDeadline\":600");
  pass(r, 2 * HOUR + 20 * MINUTE);
  assert_record(r, id, "result too_late");
  let_end(r);
  assert_record(r, id, "result too_late");
  end(r, id, from);
}

static void test_schedule__runs_several_where_they_may_overlap(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"allow\"");
  pass(r, 3 * HOUR + MINUTE);
  assert_record(r, id, "result result result");
  end(r, id, from);
}

/* Nor does a hook that has not answered yet keep the next one from beginning. */
static void test_schedule__begins_the_next_while_a_hook_of_the_last_one_waits(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"allow\"");
  r->holds[ORR_HOOK_executeBackup] = true;
  pass(r, 3 * HOUR + MINUTE);
  assert_record(r, id, "result result result");
  end(r, id, from);
}

static void test_schedule__counts_a_result_in_attention_as_no_overlap(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, id, "result buffered");
  r->hooks[ORR_HOOK_refreshBackupResult] = hook_raises;
  for (int i = 0; i < 600 && r->ran[ORR_HOOK_executeBackup] < 2; i++) pass(r, 10000);
  assert_record(r, id, "result result");
  end(r, id, from);
}

static void test_schedule__skips_while_a_manual_run_goes_on(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  rig_ask(r, "backup.run", "{\"backup\":\"b\"}");
  pass(r, HOUR + MINUTE);
  assert_record(r, id, "overlap");
  end(r, id, from);
}

/* ---- blackouts and jitter ------------------------------------------------------------------------------------- */

static void test_schedule__skips_in_a_blackout(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"blackouts\":\"02:00-04:00\"");
  pass(r, 5 * HOUR + MINUTE);
  assert_record(r, id, "result blackout blackout result result");
  end(r, id, from);
}

/* The first one in a blackout is told at once, the rest within the hour. */
static void test_schedule__tells_of_a_blackout_without_a_word_a_minute(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "* * * * *", ",\"blackouts\":\"01:00-06:00\"");
  pass_by(r, HOUR + 1000, 1000);
  ledger *l = ledger_of(r, id);
  assert_string_equal(l->rows[l->count - 1].what, "blackout");
  free(l);
  pass(r, 5 * HOUR);
  row_list events = rig_rows(r, ORR_M_event);
  size_t told = 0;
  for (size_t i = 0; i < events.count; i++) told += orr__streq(((orr_event_row *)events.rows[i])->kind, "schedule.skipped");
  rows_free(&events);
  assert_in_range(told, 5, 7);
  end(r, id, from);
}

/* What was missed before a blackout fires after it. */
static void test_schedule__makes_up_after_a_blackout(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0,30 1 * * *", ",\"blackouts\":\"02:00-05:00\"");
  away(r, 3 * HOUR);
  assert_record(r, id, "missed");
  pass(r, 2 * HOUR - 20000);
  assert_record(r, id, "missed");
  pass(r, MINUTE);
  assert_record(r, id, "missed result");
  end(r, id, from);
}

static void test_schedule__fires_the_buffered_one_after_a_blackout(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\",\"blackouts\":\"02:30-04:30\"");
  pass(r, 2 * HOUR + 35 * MINUTE);
  let_end(r);
  pass(r, 85 * MINUTE);
  assert_record(r, id, "result buffered blackout blackout");
  pass(r, 31 * MINUTE);
  assert_record(r, id, "result result blackout blackout");
  end(r, id, from);
}

static int64_t jitter_of(rig *r, int64_t id) {
  orr_backup *backup = stored_backup(r, id);
  int64_t ms = orr__jitter_ms(orr__cron_seed(backup->uuid), backup->jitter);
  orr__object_free((orr__object *)backup);
  return ms;
}

static void test_schedule__comes_later_by_its_jitter(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"jitter\":1800"), jitter = jitter_of(r, id);
  assert_in_range(jitter, 2000, 1800000);
  pass_by(r, HOUR + jitter - 1000, 1000);
  assert_record(r, id, "");
  pass_by(r, 1000, 100);
  assert_record(r, id, "result");
  orr_result *result = (orr_result *)rig_stored(r, ORR_M_result, 1);
  assert_int_equal(result->scheduledDate, from + HOUR);
  orr__object_free((orr__object *)result);
  assert_accounted(r, id, from);
  rig_free(r);
}

/* A jitter longer than the interval delays, and neither loses nor reorders. */
static void test_schedule__may_have_a_jitter_longer_than_its_interval(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "*/10 * * * *", ",\"jitter\":86400"), jitter = jitter_of(r, id);
  assert_true(jitter > HOUR);
  pass(r, jitter + HOUR);
  assert_record(r, id, "result result result result result result");
  assert_accounted(r, id, from);
  rig_free(r);
}

static void test_schedule__asks_the_blackout_about_the_fire_not_the_instant(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t id = scheduled(r, "b", "0 1 * * *", ",\"jitter\":3600,\"blackouts\":\"01:00-01:01\""), from = now_of(r);
  assert_true(jitter_of(r, id) > 60000);
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, id, "result");
  end(r, id, from);
}

/* ---- clocks -------------------------------------------------------------------------------------------------- */

static void test_schedule__takes_a_step_forward_for_an_absence(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  pass(r, 10 * MINUTE);
  step(r, 3 * HOUR); /* as a suspend is: the clock that never steps stood still */
  pass(r, MINUTE);
  assert_record(r, id, "missed missed result");
  end(r, id, from);
}

static void test_schedule__fires_nothing_twice_after_a_step_back(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  pass(r, 4 * HOUR + MINUTE);
  assert_record(r, id, "result result result result");
  step(r, -3 * HOUR);
  pass(r, 3 * HOUR - 2 * MINUTE);
  assert_record(r, id, "result result result result");
  pass(r, HOUR + 2 * MINUTE);
  assert_record(r, id, "result result result result result");
  end(r, id, from);
}

/* Only what had been dealt with stays silent: what was still to come comes at its time, not three hours later. */
static void test_schedule__keeps_its_instants_after_a_step_back(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 4 * * *", NULL);
  pass(r, 3 * HOUR + 55 * MINUTE);
  step(r, -3 * HOUR);
  pass(r, 3 * HOUR + 4 * MINUTE);
  assert_record(r, id, "");
  pass(r, 2 * MINUTE);
  assert_record(r, id, "result");
  end(r, id, from);
}

/* What waits for something else than an instant does not wait for the clock of the wall. */
static void test_schedule__waits_for_an_end_by_the_clock_that_never_steps(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  assert_record(r, id, "result buffered");
  step(r, -90 * MINUTE);
  let_end(r);
  pass(r, 2 * MINUTE);
  assert_record(r, id, "result result");
  rig_free(r);
}

static void test_schedule__begins_anew_by_pause_and_resume_after_a_wrong_year(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t id = scheduled(r, "b", "0 * * * *", NULL);
  step(r, 3650 * DAY);
  pass(r, 2 * MINUTE);
  step(r, -3650 * DAY);
  pass(r, 2 * HOUR);
  int before = r->ran[ORR_HOOK_executeBackup];
  assert_int_equal(before, 1);
  uint64_t next = rig_ask(r, "schedule.next", "{\"backup\":\"b\"}");
  assert_non_null(strstr(r->replies[next], "clock was set back"));
  rig_ask(r, "backup.pause", "{\"backup\":\"b\"}");
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  pass(r, HOUR);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 2);
  assert_int_equal(id, 1);
  rig_free(r);
}

/* ---- many ----------------------------------------------------------------------------------------------------- */

/* More Backups than are read at a time when a runtime starts. */
static void test_schedule__arms_all_there_are(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  scheduled(r, "b", "0 * * * *", NULL);
  orr_backup *backup = stored_backup(r, 1);
  orr__tx *tx = orr__tx_new();
  for (int i = 2; i <= 5200; i++) {
    char name[20], uuid[40];
    snprintf(name, sizeof name, "b%d", i);
    snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012d", i);
    orr__set_int(&backup->head, ORR_F_backup_id, orr__store_next_id(r->store, ORR_M_backup));
    orr__set_str(&backup->head, ORR_F_backup_name, name);
    orr__set_str(&backup->head, ORR_F_backup_uuid, uuid);
    orr__set_str(&backup->head, ORR_F_backup_schedule, i % 1000 == 0 || i == 5200 ? "30 0 * * *" : "0 0 1 * *");
    orr__tx_insert(tx, &backup->head);
  }
  orr__store_submit(r->store, tx, NULL, NULL);
  orr__object_free((orr__object *)backup);
  rig_settle(r);
  away(r, 0);
  pass(r, 31 * MINUTE);
  assert_int_equal(r->ran[ORR_HOOK_executeBackup], 6);
  rig_free(r);
}

/* ---- pause, change, what is missing ---------------------------------------------------------------------------- */

static void test_schedule__does_not_fire_while_paused(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t id = scheduled(r, "b", "0 * * * *", NULL);
  pass(r, HOUR + MINUTE);
  rig_ask(r, "backup.pause", "{\"backup\":\"b\"}");
  pass(r, 3 * HOUR);
  away(r, 3 * HOUR);
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  pass(r, HOUR);
  assert_record(r, id, "result result");
  rig_free(r);
}

static void test_schedule__records_what_waited_when_it_is_paused(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  rig_ask(r, "backup.pause", "{\"backup\":\"b\"}");
  let_end(r);
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  pass(r, 30 * MINUTE);
  assert_record(r, id, "result paused");
  rig_free(r);
}

static void test_schedule__goes_on_unchanged_when_it_was_not_paused(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "@every 1h", NULL);
  pass(r, 30 * MINUTE);
  rig_ask(r, "backup.resume", "{\"backup\":\"b\"}");
  pass(r, 31 * MINUTE);
  assert_record(r, id, "result");
  end(r, id, from);
}

static void test_schedule__records_what_waited_when_it_is_changed(void **state) {
  (void)state;
  rig *r = rig_running();
  int64_t id = scheduled(r, "b", "0 * * * *", ",\"overlapPolicy\":\"bufferOne\"");
  pass(r, 2 * HOUR + MINUTE);
  uint64_t update = rig_ask(r, "backup.update", "{\"backup\":\"b\",\"schedule\":\"0,30 * * * *\"}");
  assert_int_equal(r->codes[update], 0);
  assert_record(r, id, "result changed");
  let_end(r);
  pass(r, HOUR);
  assert_record(r, id, "result changed result buffered");
  rig_free(r);
}

static void test_schedule__skips_while_its_connection_is_disabled(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  rig_ask(r, "connection.add", "{\"name\":\"c\",\"provider\":\"fake\"}");
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", ",\"connection\":\"c\"");
  uint64_t off = rig_ask(r, "connection.update", "{\"connection\":\"c\",\"enabled\":false}");
  assert_int_equal(r->codes[off], 0);
  pass(r, HOUR + MINUTE);
  rig_ask(r, "connection.update", "{\"connection\":\"c\",\"enabled\":true}");
  pass(r, HOUR);
  assert_record(r, id, "connection_disabled result");
  end(r, id, from);
}

static void test_schedule__waits_for_its_provider(void **state) {
  (void)state;
  rig *r = rig_succeeding();
  int64_t from = now_of(r), id = scheduled(r, "b", "0 * * * *", NULL);
  r->declaration.code = (char *)(uintptr_t)"other";
  pass(r, 3 * HOUR + MINUTE);
  assert_record(r, id, "");
  assert_field(r, "backup.show", "{\"backup\":\"b\"}", "attention", "provider_missing");
  uint64_t status = rig_ask(r, "status", "{}");
  assert_non_null(strstr(r->replies[status], "\"attentionBackups\":[{\"name\":\"b\""));
  r->declaration.code = (char *)(uintptr_t)"fake";
  pass(r, 3 * MINUTE);
  assert_record(r, id, "missed missed result");
  assert_field(r, "backup.show", "{\"backup\":\"b\"}", "attention", NULL);
  end(r, id, from);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_schedule__fires_at_each_instant),
    cmocka_unit_test(test_schedule__makes_up_for_the_last_one_missed),
    cmocka_unit_test(test_schedule__makes_up_for_none_when_one_comes_in_time),
    cmocka_unit_test(test_schedule__makes_up_for_all),
    cmocka_unit_test(test_schedule__makes_up_for_all_one_after_the_other),
    cmocka_unit_test(test_schedule__makes_up_for_all_at_once_where_they_may_overlap),
    cmocka_unit_test(test_schedule__makes_up_for_the_newest_hundred),
    cmocka_unit_test(test_schedule__makes_up_for_nothing),
    cmocka_unit_test(test_schedule__counts_a_minute_late_as_in_time),
    cmocka_unit_test(test_schedule__skips_what_is_past_the_start_deadline),
    cmocka_unit_test(test_schedule__goes_through_a_long_absence),
    cmocka_unit_test(test_schedule__skips_while_a_result_runs),
    cmocka_unit_test(test_schedule__buffers_one_until_the_end),
    cmocka_unit_test(test_schedule__fires_the_buffered_one_at_once),
    cmocka_unit_test(test_schedule__remembers_the_buffered_one_over_a_restart),
    cmocka_unit_test(test_schedule__skips_the_buffered_one_past_the_deadline),
    cmocka_unit_test(test_schedule__runs_several_where_they_may_overlap),
    cmocka_unit_test(test_schedule__begins_the_next_while_a_hook_of_the_last_one_waits),
    cmocka_unit_test(test_schedule__counts_a_result_in_attention_as_no_overlap),
    cmocka_unit_test(test_schedule__skips_while_a_manual_run_goes_on),
    cmocka_unit_test(test_schedule__skips_in_a_blackout),
    cmocka_unit_test(test_schedule__tells_of_a_blackout_without_a_word_a_minute),
    cmocka_unit_test(test_schedule__makes_up_after_a_blackout),
    cmocka_unit_test(test_schedule__fires_the_buffered_one_after_a_blackout),
    cmocka_unit_test(test_schedule__comes_later_by_its_jitter),
    cmocka_unit_test(test_schedule__may_have_a_jitter_longer_than_its_interval),
    cmocka_unit_test(test_schedule__asks_the_blackout_about_the_fire_not_the_instant),
    cmocka_unit_test(test_schedule__takes_a_step_forward_for_an_absence),
    cmocka_unit_test(test_schedule__fires_nothing_twice_after_a_step_back),
    cmocka_unit_test(test_schedule__keeps_its_instants_after_a_step_back),
    cmocka_unit_test(test_schedule__waits_for_an_end_by_the_clock_that_never_steps),
    cmocka_unit_test(test_schedule__begins_anew_by_pause_and_resume_after_a_wrong_year),
    cmocka_unit_test(test_schedule__arms_all_there_are),
    cmocka_unit_test(test_schedule__does_not_fire_while_paused),
    cmocka_unit_test(test_schedule__records_what_waited_when_it_is_paused),
    cmocka_unit_test(test_schedule__goes_on_unchanged_when_it_was_not_paused),
    cmocka_unit_test(test_schedule__records_what_waited_when_it_is_changed),
    cmocka_unit_test(test_schedule__skips_while_its_connection_is_disabled),
    cmocka_unit_test(test_schedule__waits_for_its_provider),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
