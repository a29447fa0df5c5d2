/* What a schedule means and does next, for `backup create`, `backup update` and the commands of `schedule`.
 *
 * Dates are shown in the zone of whoever reads, not in the schedule's. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

static const char NEXT_VIEW[] = "INSTANT=instant:date BEGINS=date:date IN=date:ago NOTE=note";

static bool read_ms(const cJSON *map, const char *key, int64_t *ret_ms) {
  const cJSON *date = cJSON_GetObjectItemCaseSensitive(map, key);
  if (!cJSON_IsNumber(date)) return false;
  *ret_ms = (int64_t)date->valuedouble;
  return true;
}

static void add_notes(orr__buf *out, const cJSON *notes) {
  const cJSON *note = NULL;
  cJSON_ArrayForEach(note, notes) {
    int64_t date;
    if (!orr__json_word(note, "note") || !read_ms(note, "date", &date)) continue;
    orr__buf_adds(out, "  note: ");
    orr__text_date(out, date);
    orr__said(out, ": {note}\n", note, 0);
  }
}

/* What the runtime would not say as an error: schedules that may not mean what they seem to. */
static void remark_warnings(const cJSON *data) {
  const cJSON *warning = NULL;
  cJSON_ArrayForEach(warning, cJSON_GetObjectItemCaseSensitive(data, "warnings"))
    if (cJSON_IsString(warning)) orr__remark("orrery: warning: %s", warning->valuestring);
}

static void remark_waiting(const orr__cli *cli) {
  if (!cli->globals.is_quiet && orr__client_is_command(cli->client)) orr__remark("orrery: schedules fire while `orrery serve` runs");
}

void orr__schedule_lines(orr__buf *out, const cJSON *schedule) {
  const cJSON *date = NULL;
  if (!orr__json_word(schedule, "meaning")) return;
  orr__said(out, "  {meaning}, {timeZone}", schedule, 0);
  const char *before = "; next: ";
  cJSON_ArrayForEach(date, cJSON_GetObjectItemCaseSensitive(schedule, "next")) {
    if (!cJSON_IsNumber(date)) continue;
    orr__buf_adds(out, before);
    orr__text_date(out, (int64_t)date->valuedouble);
    before = ", ";
  }
  orr__buf_adds(out, before[0] == ',' ? " here\n" : "\n");
  add_notes(out, cJSON_GetObjectItemCaseSensitive(schedule, "notes"));
}

/* ---- next --------------------------------------------------------------------------------------------------- */

/* What the last column says of an instant. */
static void add_note(cJSON *row) {
  const char *skipped = orr__json_word(row, "skipped");
  const cJSON *count = cJSON_GetObjectItemCaseSensitive(row, "count");
  int64_t until, last;
  orr__buf note;
  orr__buf_init(&note, ORR_PRINT_MAX);
  if (skipped) {
    orr__buf_addf(&note, "skipped: %s", skipped);
    if (read_ms(row, "until", &until)) {
      orr__buf_adds(&note, " until ");
      orr__text_date(&note, until);
    }
    if (cJSON_IsNumber(count) && count->valuedouble > 1 && read_ms(row, "last", &last)) {
      orr__buf_addf(&note, ", and %.0f more up to ", count->valuedouble - 1);
      orr__text_date(&note, last);
    }
  } else if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "due"))) {
    orr__buf_adds(&note, "due already");
  }
  if (note.len > 0) cJSON_AddStringToObject(row, "note", orr__buf_text(&note));
  orr__buf_clear(&note);
}

int orr__cli_schedule_next(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL, *row = NULL;
  if (orr__cli_call(cli, "schedule.next", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  cJSON *next = cJSON_GetObjectItemCaseSensitive(data, "next");
  bool is_paused = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(data, "paused"));
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  if (cli->globals.is_json) {
    orr__print_json(data);
  } else {
    orr__said(&out, "{backup}: {meaning}, {timeZone}\n", data, cli->paint.now_ms);
    if (is_paused) orr__said(&out, "  paused: nothing fires until `orrery backup resume {backup}`\n", data, cli->paint.now_ms);
    cJSON_ArrayForEach(row, next) add_note(row);
    if (!is_paused) orr__table(&out, &cli->paint, NEXT_VIEW, next);
    orr__print(&out);
    remark_warnings(data);
  }
  if (!is_paused) remark_waiting(cli);
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return 0;
}

/* ---- skip --------------------------------------------------------------------------------------------------- */

static void add_skipped(orr__buf *out, const cJSON *run) {
  const cJSON *count = cJSON_GetObjectItemCaseSensitive(run, "count");
  const char *reason = orr__json_word(run, "reason");
  int64_t first, last;
  if (!reason || !read_ms(run, "first", &first) || !read_ms(run, "last", &last)) return;
  orr__buf_adds(out, "  skipped: ");
  orr__text_date(out, first);
  if (last != first && cJSON_IsNumber(count)) {
    orr__buf_adds(out, " to ");
    orr__text_date(out, last);
    orr__buf_addf(out, ", %.0f fires", count->valuedouble);
  }
  if (!orr__streq(reason, "requested")) orr__buf_addf(out, " (%s)", reason);
  orr__buf_addc(out, '\n');
}

int orr__cli_schedule_skip(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, "schedule.skip", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  const cJSON *run = NULL, *count = cJSON_GetObjectItemCaseSensitive(data, "count");
  int64_t next;
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__said(&out, "{backup}: {count} fire", data, cli->paint.now_ms);
  orr__buf_adds(&out, cJSON_IsNumber(count) && count->valuedouble == 1 ? " left out" : "s left out");
  if (read_ms(data, "next", &next)) {
    orr__buf_adds(&out, "; next: ");
    orr__text_date(&out, next);
  }
  if (cli->globals.is_json) {
    orr__print_done(data, orr__buf_text(&out));
  } else if (!cli->globals.is_quiet) {
    orr__buf_addc(&out, '\n');
    cJSON_ArrayForEach(run, cJSON_GetObjectItemCaseSensitive(data, "skipped")) add_skipped(&out, run);
    orr__print(&out);
  }
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return 0;
}

/* ---- describe ----------------------------------------------------------------------------------------------- */

int orr__cli_schedule_describe(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, "schedule.describe", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  const cJSON *date = NULL;
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  if (cli->globals.is_json) {
    orr__print_json(data);
  } else {
    orr__said(&out, "{meaning}, {timeZone}\n", data, cli->paint.now_ms);
    cJSON_ArrayForEach(date, cJSON_GetObjectItemCaseSensitive(data, "next")) {
      if (!cJSON_IsNumber(date)) continue;
      orr__buf_adds(&out, "  ");
      orr__text_date(&out, (int64_t)date->valuedouble);
      orr__buf_adds(&out, "  ");
      orr__text_ago(&out, (int64_t)date->valuedouble, cli->paint.now_ms);
      orr__buf_addc(&out, '\n');
    }
    add_notes(&out, cJSON_GetObjectItemCaseSensitive(data, "notes"));
    orr__print(&out);
    remark_warnings(data);
  }
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return 0;
}
