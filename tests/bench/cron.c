/* Next fires, the timing wheel, and a million schedules in a runtime.
 *
 * Limits: for the next fire, bit masks and a bare table of the zone's transitions in one function, without rules about gaps; for the
 * wheel, the touches of memory at random places that taking an entry off a list and putting it into another must make. */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/cron.h"
#include "core/wheel.h"
#include "rig.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
#define YEAR_2026_MS INT64_C(1767225600000)

/* ---- next fire ---------------------------------------------------------------------------------------------------- */

static const char *const texts[] = { "30 2 * * *", "*/15 * * * *", "0 22 * * 1-5", "5 4 1 * *" };
#define TEXTS (sizeof texts / sizeof *texts)

typedef struct bare_zone {
  int64_t starts[64], offsets[64];
  int count;
} bare_zone;

static void bare_zone_make(bare_zone *z, const orr__zone *zone) {
  int64_t at = YEAR_2026_MS;
  z->count = 0;
  for (; z->count < 64 && at != INT64_MAX; at = orr__zone_next_change(zone, at), z->count++) {
    z->starts[z->count] = z->count ? at : INT64_MIN;
    z->offsets[z->count] = orr__zone_offset_ms(zone, at);
  }
}

static int64_t bare_offset(const bare_zone *z, int64_t at) {
  int low = 0, high = z->count - 1;
  while (low < high) {
    int middle = (low + high + 1) / 2;
    if (z->starts[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return z->offsets[low];
}

/* Day of the month (from 1) and month (from 1) of a day since 1970. */
static void bare_civil(int64_t day, int *ret_day, int *ret_month) {
  int64_t z = day + 719468, era = z / 146097;
  int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
  *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
}

static int64_t bare_next(const orr__cron *cron, const bare_zone *z, int64_t after) {
  int64_t local = after + bare_offset(z, after);
  int64_t minute = local / MINUTE_MS + 1, day = minute / 1440;
  int hour = (int)(minute % 1440 / 60), in_hour = (int)(minute % 60);
  for (;; day++, hour = in_hour = 0) {
    int mday, month;
    bare_civil(day, &mday, &month);
    if (!(cron->months >> month & 1) || !(cron->days >> mday & 1) || !(cron->weekdays >> ((day + 4) % 7) & 1)) continue;
    uint64_t minutes = cron->minutes >> in_hour << in_hour;
    if (!(cron->hours >> hour & 1) || !minutes) {
      hour++;
      minutes = cron->minutes;
    }
    uint32_t hours = hour < 24 ? cron->hours >> hour << hour : 0;
    if (!hours) continue;
    int64_t at = (day * 1440 + __builtin_ctz(hours) * 60 + (__builtin_ctz(hours) == hour ? __builtin_ctzll(minutes) : __builtin_ctzll(cron->minutes))) * MINUTE_MS;
    int64_t guess = at - bare_offset(z, after);
    return at - bare_offset(z, guess);
  }
}

static void compare_next(bench *b) {
  series limit = { .count = 0 }, ours = { .count = 0 };
  orr__zones *zones = orr__zones_new("/usr/share/zoneinfo");
  orr__zone *zone = NULL;
  orr__cron crons[TEXTS];
  bare_zone bare;
  int64_t count = b->is_smoke ? 4000 : 2000000, differ = 0, sum = 0;
  if (orr__zones_get(zones, "Europe/Berlin", &zone, NULL)) bench_die("no zone Europe/Berlin");
  bare_zone_make(&bare, zone);
  for (size_t i = 0; i < TEXTS; i++)
    if (orr__cron_parse(texts[i], 0, &crons[i], NULL)) bench_die("%s", texts[i]);
  bench_title("next fire of four schedules in Europe/Berlin");
  for (int run = 0; run < b->runs; run++) {
    double start = bench_now();
    for (int64_t i = 0; i < count; i++) sum += bare_next(&crons[i % (int64_t)TEXTS], &bare, YEAR_2026_MS + i * 7919 * 10 % (360 * DAY_MS));
    series_add(&limit, (bench_now() - start) * 1e9 / (double)count);
    start = bench_now();
    for (int64_t i = 0; i < count; i++) sum -= orr__cron_next(&crons[i % (int64_t)TEXTS], zone, 0, YEAR_2026_MS + i * 7919 * 10 % (360 * DAY_MS));
    series_add(&ours, (bench_now() - start) * 1e9 / (double)count);
  }
  for (int64_t i = 0; i < 4000; i++) {
    int64_t after = YEAR_2026_MS + i * 7919 * 977 % (360 * DAY_MS);
    int64_t mine = orr__cron_next(&crons[i % (int64_t)TEXTS], zone, 0, after);
    bool is_near_change = orr__zone_offset_ms(zone, mine - DAY_MS) != orr__zone_offset_ms(zone, mine + DAY_MS) || orr__zone_offset_ms(zone, after) != orr__zone_offset_ms(zone, mine);
    if (!is_near_change && mine != bare_next(&crons[i % (int64_t)TEXTS], &bare, after)) differ++;
  }
  bench_compare("bit masks over a bare table of transitions; orr__cron_next", "ns", BENCH_COST, &limit, &ours, 0.5);
  bench_check(b, differ == 0 && (sum != 0 || b->runs > 0), "cron: %lld of 4000 next fires differ away from changes of the clock", (long long)differ);
  orr__zone_unref(zone);
  orr__zones_free(zones);
}

/* ---- the wheel ---------------------------------------------------------------------------------------------------- */

typedef struct touched {
  uint64_t key;
  int64_t due;
  uint32_t next;
} touched;

/* An entry is taken from a list, which says where the next one lies; its index is looked up, and it goes in behind another one. */
static double touch_memory(touched *entries, uint32_t *index, uint64_t count, uint64_t times, uint32_t *at) {
  double start = bench_now();
  for (uint64_t i = 0; i < times; i++) {
    touched *taken = &entries[*at];
    uint32_t *slot = &index[bench_shuffle(taken->key, count)];
    taken->due += 3600000;
    *slot = *at;
    entries[*slot ^ 1].due++; /* its new neighbour */
    *at = taken->next;
  }
  return (bench_now() - start) * 1e9 / (double)times;
}

/* Everything that comes due is set again an hour later. */
static double turn_wheel(orr__wheel *wheel, int64_t *now, uint64_t times, uint64_t *popped) {
  orr__due due[512];
  uint64_t done = 0;
  double start = bench_now();
  while (done < times) {
    size_t count = orr__wheel_pop(wheel, *now, due, 512);
    for (size_t i = 0; i < count; i++) orr__wheel_set(wheel, due[i].key, due[i].due_ms + 3600000);
    done += count;
    if (count < 512) *now += 10;
  }
  *popped += done;
  return (bench_now() - start) * 1e9 / (double)done;
}

static void compare_wheel(bench *b) {
  uint64_t count = b->is_smoke ? 4096 : 1 << 20, popped = 0;
  uint32_t at = 0;
  series limit = { .count = 0 }, ours = { .count = 0 }, minute = { .count = 0 };
  touched *entries = calloc(count, sizeof *entries);
  uint32_t *index = calloc(count, sizeof *index);
  for (uint64_t i = 0; i < count; i++) /* one ring through all of them, in no order */
    entries[bench_shuffle(i, count)] = (touched){ i, 0, (uint32_t)bench_shuffle((i + 1) & (count - 1), count) };
  touch_memory(entries, index, count, count, &at);
  bench_title("timing wheel, %llu entries over an hour", (unsigned long long)count);
  size_t before = bench_rss();
  int64_t now = 0;
  orr__wheel *wheel = orr__wheel_new();
  for (uint64_t i = 0; i < count; i++) orr__wheel_set(wheel, bench_shuffle(i, count) + 1, (int64_t)(i * 3600000 / count));
  size_t after = bench_rss();
  for (int run = 0; run < b->runs; run++) {
    series_add(&limit, touch_memory(entries, index, count, count, &at));
    series_add(&ours, turn_wheel(wheel, &now, count, &popped));
  }
  bench_compare("touches of memory at random; an entry out and in again", "ns", BENCH_COST, &limit, &ours, 0.5);
  bench_note("memory: %.1f bytes an entry", (double)(after - before) / (double)count);
  bench_check(b, orr__wheel_len(wheel) == count, "wheel: %llu were handed out, %zu are in it", (unsigned long long)popped, orr__wheel_len(wheel));
  orr__wheel_free(wheel);
  size_t handed = 0;
  for (int run = 0; run < b->runs; run++) {
    orr__due due[512];
    wheel = orr__wheel_new();
    for (uint64_t i = 0; i < count; i++) orr__wheel_set(wheel, bench_shuffle(i, count) + 1, 3600000 + (int64_t)(i * 60000 / count));
    double start = bench_now();
    for (int64_t tick = 3600000; tick <= 3660000; tick += 10)
      for (size_t got = 512; got == 512; handed += got) got = orr__wheel_pop(wheel, tick, due, 512);
    series_add(&minute, bench_now() - start);
    orr__wheel_free(wheel);
  }
  bench_show("all due within one minute, handed over (target 1 s)", "s", &minute);
  bench_check(b, handed == count * (uint64_t)b->runs, "wheel: %zu handed over once each", handed);
  free(entries);
  free(index);
}

/* ---- a runtime with as many schedules ----------------------------------------------------------------------------- */

#define ACTIVE 200

static const char provider_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1' }\n"
    "function provider.executeBackup(backup, r) r.status = 'SUCCEEDED' end\n"
    "return provider\n";

static void seed_schedules(const char *dir, int64_t count) {
  rig_store s;
  char name[32];
  rig_store_open(&s, dir);
  orr__tx *tx = orr__tx_new();
  for (int64_t id = 1; id <= count + ACTIVE; id++) {
    snprintf(name, sizeof name, "b%lld", (long long)id);
    orr_backup *backup = seed_backup(id, name, 0);
    orr__object *o = &backup->head;
    orr__set_str(o, ORR_F_backup_schedule, id <= count ? "0 3 1 1 *" : "@every 1s");
    orr__set_str(o, ORR_F_backup_timeZone, "Europe/Berlin");
    orr__set_int(o, ORR_F_backup_paused, id > count);
    orr__set_int(o, ORR_F_backup_scheduleAnchor, seed_now_ms());
    orr__set_int(o, ORR_F_backup_scheduleCursor, seed_now_ms());
    orr__tx_insert(tx, o);
    orr__object_free(o);
    if (id % 2000) continue;
    rig_store_submit(&s, tx);
    rig_store_wait(&s, 4);
    tx = orr__tx_new();
  }
  rig_store_submit(&s, tx);
  rig_store_wait(&s, 0);
  if (s.refused) bench_die("the database cannot be filled");
  rig_store_close(&s);
}

static void wait_s(rig *r, double seconds) {
  for (double end = bench_now() + seconds; bench_now() < end;) rig_step(r, seconds < 1 ? 50 : 1000);
}

/* Until a fifth of a second passes in which next to nothing is done. */
static double until_idle_s(rig *r, double start) {
  for (double end = bench_now() + 120; bench_now() < end;) {
    double cpu = bench_cpu(), at = bench_now();
    wait_s(r, 0.2);
    if (bench_cpu() - cpu < 0.004) return at - start;
  }
  return 120;
}

static void runtime_schedules(bench *b) {
  int64_t count = b->is_smoke ? 500 : 1000000;
  char *dir = bench_folder(b), *empty_dir = bench_folder(b), args[64];
  rig empty, r;
  bench_title("a runtime with %lld schedules", (long long)count);
  seed_schedules(dir, count);
  rig_open(&empty, b, empty_dir, provider_source);
  rig_submit(&empty, "runtime.info", NULL);
  rig_until_reply(&empty, 1);
  bench_peak_reset();
  size_t before = bench_rss();
  double start = bench_now();
  rig_open(&r, b, dir, provider_source);
  bench_note("taken up in %.1f s", until_idle_s(&r, start));
  bench_note("memory: %.0f bytes a schedule, %.0f at the highest", (double)(bench_rss() - before) / (double)count,
             (double)(bench_peak() - before) / (double)count);
  double idle = b->is_smoke ? 0.2 : 10, cpu = bench_cpu();
  wait_s(&r, idle);
  bench_note("idle: %.3f %% of a core (target 0.5)", 100 * (bench_cpu() - cpu) / idle);
  for (int i = 1; i <= ACTIVE; i++) {
    snprintf(args, sizeof args, "{\"backup\":\"b%lld\"}", (long long)count + i);
    rig_submit(&r, "backup.resume", args);
  }
  bool is_whole = rig_until_reply(&r, ACTIVE);
  wait_s(&r, b->is_smoke ? 2.5 : 20);
  rig_settle(&r);
  bench_check(b, is_whole && r.refused == 0, "cron: %d schedules were resumed", ACTIVE);
  rig_close(&r);
  rig_close(&empty);
  sqlite3 *db = bare_open(dir);
  int64_t fires = bare_number(db, "SELECT count(*) FROM result WHERE status = 'SUCCEEDED'");
  int64_t twice = bare_number(db, "SELECT count(*) - count(DISTINCT backupId || '/' || scheduledDate) FROM result");
  int64_t p99 = bare_number(db, "SELECT createdDate - scheduledDate FROM result ORDER BY 1 DESC LIMIT 1 OFFSET (SELECT count(*) / 100 FROM result)");
  int64_t p50 = bare_number(db, "SELECT createdDate - scheduledDate FROM result ORDER BY 1 DESC LIMIT 1 OFFSET (SELECT count(*) / 2 FROM result)");
  bare_close(db);
  bench_note("lateness of %lld fires, %d a second: median %lld ms, p99 %lld ms (target 50)", (long long)fires, ACTIVE, (long long)p50, (long long)p99);
  bench_check(b, fires >= ACTIVE && twice == 0, "cron: %lld fires, %lld of them twice", (long long)fires, (long long)twice);
  bench_folder_remove(dir);
  bench_folder_remove(empty_dir);
}

void case_cron(bench *b) {
  compare_next(b);
  compare_wheel(b);
  runtime_schedules(b);
}
