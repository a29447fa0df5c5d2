/* Schedules as they are set: the arguments of backup.create and backup.update, their check, their meaning.
 *
 * Knows neither the clock's turning nor results: schedule_fire.c does. A schedule that is stored has been opened once, so
 * it fires some day, in a zone that was there. */
#include "core/schedule.h"

#include <stdlib.h>
#include <string.h>

#define JITTER_MAX_S 86400
#define DEADLINE_MAX_S (366 * 86400)

static const char *const misfire_words[] = { "one", "all", "none", NULL };
static const char *const overlap_words[] = { "skip", "bufferOne", "allow", NULL };

static int index_of(const char *const *words, const char *word) {
  for (int i = 0; words[i]; i++)
    if (orr__streq(words[i], word)) return i;
  return -1;
}

/* ---- open --------------------------------------------------------------------------------------------------- */

static int open_zone(orr__core *core, const char *name, orr__schedule *schedule, orr_error *reterr) {
  int code = orr__zones_get(core->zones, name && *name ? name : "UTC", &schedule->zone, reterr);
  schedule->is_zone_missing = code && code != ORR_E_NOMEM;
  return code;
}

int orr__schedule_open(orr__core *core, const orr_backup *backup, orr__schedule *ret, orr_error *reterr) {
  uint64_t seed = orr__cron_seed(backup->uuid);
  int misfire = index_of(misfire_words, backup->misfirePolicy), overlap = index_of(overlap_words, backup->overlapPolicy);
  const orr__object *o = &backup->head;
  *ret = (orr__schedule){ .anchor_ms = backup->scheduleAnchor,
                          .jitter_ms = orr__jitter_ms(seed, backup->jitter),
                          .deadline_ms = INT64_MAX,
                          .misfire = misfire < 0 ? ORR_MISFIRE_ONE : (enum orr__misfire)misfire,
                          .overlap = overlap < 0 ? ORR_OVERLAP_SKIP : (enum orr__overlap)overlap };
  if (orr__object_has(o, ORR_F_backup_startDeadline)) ret->deadline_ms = (int64_t)(backup->startDeadline * 1000);
  int code = orr__cron_parse(backup->schedule, seed, &ret->cron, reterr);
  if (!code && backup->blackouts) code = orr__blackouts_parse(backup->blackouts, &ret->blackouts, reterr);
  if (!code) code = open_zone(core, backup->timeZone, ret, reterr);
  if (code) orr__schedule_close(ret);
  return code;
}

void orr__schedule_close(orr__schedule *schedule) {
  orr__zone_unref(schedule->zone);
  orr__blackouts_free(schedule->blackouts);
  schedule->zone = NULL;
  schedule->blackouts = NULL;
}

int64_t orr__schedule_instant(const orr__schedule *schedule, int64_t after_ms) {
  return orr__cron_next(&schedule->cron, schedule->zone, schedule->anchor_ms, after_ms);
}

bool orr__schedule_is_held(const orr__schedule *schedule, int64_t instant_ms, int64_t *ret_end_ms) {
  return orr__blackouts_hold(schedule->blackouts, schedule->zone, instant_ms + schedule->jitter_ms, ret_end_ms);
}

int64_t orr__schedule_instant_free(const orr__schedule *schedule, int64_t after_ms) {
  return orr__blackouts_next(schedule->blackouts, &schedule->cron, schedule->zone, schedule->anchor_ms, schedule->jitter_ms,
                             after_ms);
}

int64_t orr__schedule_next(orr__core *core, const orr_backup *backup, int64_t after_ms) {
  orr__schedule schedule;
  if (!backup->schedule || orr__schedule_open(core, backup, &schedule, NULL)) return -1;
  int64_t after = after_ms - schedule.jitter_ms;
  if (after < backup->scheduleCursor) after = backup->scheduleCursor; /* the clock was set back: these are dealt with */
  int64_t next = orr__schedule_instant_free(&schedule, after);
  if (next != ORR__CRON_NEVER) next += schedule.jitter_ms;
  orr__schedule_close(&schedule);
  return next == ORR__CRON_NEVER ? -1 : next;
}

/* ---- set ---------------------------------------------------------------------------------------------------- */

static const char *const policies[] = { "timeZone", "misfirePolicy", "startDeadline", "overlapPolicy", "blackouts", "jitter" };
enum { POLICIES = sizeof policies / sizeof *policies };
static const int fields[] = { ORR_F_backup_schedule,      ORR_F_backup_timeZone,      ORR_F_backup_misfirePolicy,
                              ORR_F_backup_startDeadline, ORR_F_backup_overlapPolicy, ORR_F_backup_blackouts,
                              ORR_F_backup_jitter,        ORR_F_backup_paused,        ORR_F_backup_scheduleAnchor,
                              ORR_F_backup_scheduleCursor, ORR_F_backup_bufferedDate };

static int apply_none(orr__flow *flow, orr_backup *backup) {
  if (orr__json_get(flow->args, "schedule"))
    orr__error_field(&flow->error, "schedule", "cannot be given where the schedule is taken away");
  for (int i = 0; i < POLICIES; i++)
    if (orr__json_get(flow->args, policies[i]))
      orr__error_field(&flow->error, policies[i], "needs a schedule, which is taken away");
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) orr__unset(&backup->head, fields[i]);
  return flow->error.code;
}

static int refuse_without(orr__flow *flow) {
  for (int i = 0; i < POLICIES; i++)
    if (orr__json_get(flow->args, policies[i]))
      orr__error_field(&flow->error, policies[i], i == 0 ? "a time zone needs a schedule" : "needs a schedule");
  return flow->error.code;
}

static void apply_word(orr__flow *flow, orr__object *o, const char *name, int field, const char *const *words) {
  const char *word = orr__json_str(flow->args, name);
  if (!word) return;
  if (index_of(words, word) >= 0)
    orr__set_str(o, field, word);
  else
    orr__error_field(&flow->error, name, "is %s, %s or %s, not '%s'", words[0], words[1], words[2], word);
}

/* 0 takes it away. */
static void apply_seconds(orr__flow *flow, orr__object *o, const char *name, int field, int max_s) {
  double seconds = orr__json_num(flow->args, name, 0);
  if (!orr__json_get(flow->args, name)) return;
  if (seconds == 0)
    orr__unset(o, field);
  else if (seconds >= 1 && seconds <= max_s)
    orr__set_num(o, field, seconds);
  else
    orr__error_field(&flow->error, name, "is seconds, from 1 to %d, or 0 for none", max_s);
}

static void apply_text(orr__flow *flow, orr__object *o, const char *name, int field, const char *empty) {
  const char *text = orr__json_str(flow->args, name);
  if (text) orr__set_str(o, field, *text ? text : empty);
}

/* Opens it, and does it fire some day? */
static int open_checked(orr__core *core, const orr_backup *backup, orr__schedule *ret, orr_error *reterr) {
  int code = orr__schedule_open(core, backup, ret, reterr);
  if (code) return code;
  if (orr__cron_is_never(&ret->cron))
    code = orr__error_set(reterr, ORR_E_INVALID, "'%s' never fires: there is no such day", backup->schedule);
  else if (ret->deadline_ms <= (int64_t)(backup->jitter * 1000))
    code = orr__error_set(reterr, ORR_E_INVALID,
                          "a start deadline of %g s is no longer than the jitter of %g s: every fire could be too late",
                          backup->startDeadline, backup->jitter);
  else if (orr__schedule_instant_free(ret, orr__now(core)) == ORR__CRON_NEVER)
    code = orr__error_set(reterr, ORR_E_INVALID, "'%s' never fires: %s%s", backup->schedule,
                          backup->blackouts ? "every instant of it lies in the blackouts " : "it is past",
                          backup->blackouts ? backup->blackouts : "");
  if (code) orr__schedule_close(ret);
  return code;
}

static int check(orr__flow *flow, const orr_backup *backup) {
  orr__schedule schedule;
  int code = open_checked(flow->core, backup, &schedule, &flow->error);
  if (!code) orr__schedule_close(&schedule);
  return code;
}

int orr__schedule_apply(orr__flow *flow, orr_backup *backup) {
  orr__object *o = &backup->head;
  if (orr__json_bool(flow->args, "noSchedule", false)) return apply_none(flow, backup);
  const char *text = orr__json_str(flow->args, "schedule");
  if (text) orr__set_str(o, ORR_F_backup_schedule, text);
  if (!backup->schedule) return refuse_without(flow);
  apply_text(flow, o, "timeZone", ORR_F_backup_timeZone, "UTC");
  if (!backup->timeZone) orr__set_str(o, ORR_F_backup_timeZone, "UTC");
  apply_word(flow, o, "misfirePolicy", ORR_F_backup_misfirePolicy, misfire_words);
  apply_word(flow, o, "overlapPolicy", ORR_F_backup_overlapPolicy, overlap_words);
  apply_seconds(flow, o, "startDeadline", ORR_F_backup_startDeadline, DEADLINE_MAX_S);
  apply_seconds(flow, o, "jitter", ORR_F_backup_jitter, JITTER_MAX_S);
  apply_text(flow, o, "blackouts", ORR_F_backup_blackouts, NULL);
  if (orr__json_get(flow->args, "paused") || !orr__object_has(o, ORR_F_backup_paused))
    orr__set_int(o, ORR_F_backup_paused, orr__json_bool(flow->args, "paused", false));
  return flow->error.code ? flow->error.code : check(flow, backup);
}

/* ---- described ---------------------------------------------------------------------------------------------- */

char *orr__schedule_meaning(const orr__schedule *schedule) {
  char *meaning = orr__cron_describe(&schedule->cron);
  if (!meaning || !schedule->blackouts) return meaning;
  char *held = orr__blackouts_describe(schedule->blackouts);
  char *whole = held ? orr__strf("%s, but not %s", meaning, held) : NULL;
  free(held);
  free(meaning);
  return whole;
}

static void add_warning(void *list, const char *line) { orr__json_append(list, orr__json_new_str(line)); }

void orr__schedule_warnings(const orr__schedule *schedule, int64_t from_ms, orr__json *list) {
  orr__cron_warn(&schedule->cron, add_warning, list);
  orr__cron_warn_clock(&schedule->cron, schedule->zone, from_ms, add_warning, list);
}

static void put_fires(const orr__schedule *schedule, int64_t after_ms, int count, orr__json *out) {
  orr__json *next = orr__json_list(), *notes = orr__json_list();
  int64_t at_ms = after_ms;
  for (int i = 0; i < count && next && notes; i++) {
    at_ms = orr__schedule_instant_free(schedule, at_ms);
    if (at_ms == ORR__CRON_NEVER) break;
    int64_t fire_ms = at_ms + schedule->jitter_ms;
    orr__json_append(next, orr__json_new_int(fire_ms));
    char *text = orr__cron_note(&schedule->cron, schedule->zone, at_ms);
    orr__json *note = text ? orr__json_map() : NULL;
    if (note) {
      orr__json_put_int(note, "date", fire_ms);
      orr__json_put_str(note, "note", text);
      orr__json_append(notes, note);
    }
    free(text);
  }
  orr__json_put(out, "next", next);
  orr__json_put(out, "notes", notes);
}

orr__json *orr__schedule_describe(orr__core *core, const orr_backup *backup, int count, orr_error *reterr) {
  orr__schedule schedule;
  if (open_checked(core, backup, &schedule, reterr)) return NULL;
  int64_t after_ms = orr__now(core) - schedule.jitter_ms;
  if (after_ms < backup->scheduleCursor) after_ms = backup->scheduleCursor;
  orr__json *out = orr__json_map(), *warnings = orr__json_list();
  char *meaning = orr__schedule_meaning(&schedule);
  if (out) {
    orr__json_put_str(out, "meaning", meaning);
    orr__json_put_str(out, "timeZone", orr__zone_name(schedule.zone));
    put_fires(&schedule, after_ms, count, out);
  }
  if (warnings) orr__schedule_warnings(&schedule, orr__now(core), warnings);
  if (warnings && schedule.cron.picked && backup->id == 0)
    add_warning(warnings, "H picks by the Backup's uuid: a Backup has times of its own, not these");
  if (out)
    orr__json_put(out, "warnings", warnings);
  else
    orr__json_free(warnings);
  free(meaning);
  orr__schedule_close(&schedule);
  return out;
}
