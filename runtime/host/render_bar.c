/* How a result gets on, on standard error. On a terminal one line that is redrawn; elsewhere a line whenever its
 * status or its whole percent has changed, so that a log stays short. */
#include <string.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/render.h"

enum { BAR_CELLS = 24, LINE_COLUMNS_MAX = 110, MESSAGE_COLUMNS = 40, MINUTE = 60000 };

static void add_bar(orr__buf *line, const cJSON *progress, int tick) {
  orr__buf_adds(line, "[");
  if (cJSON_IsNumber(progress)) {
    double share = progress->valuedouble < 0 ? 0 : progress->valuedouble > 100 ? 100 : progress->valuedouble;
    int full = (int)(share * BAR_CELLS / 100);
    for (int i = 0; i < BAR_CELLS; i++) orr__buf_adds(line, i < full ? "█" : "·");
    orr__buf_addf(line, "] %3.0f %%", share);
    return;
  }
  int at = tick % BAR_CELLS; /* nobody knows how much there is: something moves */
  for (int i = 0; i < BAR_CELLS; i++) orr__buf_adds(line, i >= at && i < at + 3 ? "█" : "·");
  orr__buf_adds(line, "]");
}

static void add_details(orr__buf *line, const cJSON *result) {
  const cJSON *start = cJSON_GetObjectItemCaseSensitive(result, "startDate");
  const cJSON *size = cJSON_GetObjectItemCaseSensitive(result, "sizeInBytes");
  const char *said = orr__json_word(result, "statusMessage");
  if (cJSON_IsNumber(size) && size->valuedouble > 0) {
    orr__buf_adds(line, "  ");
    orr__text_size(line, size->valuedouble);
  }
  double elapsed = cJSON_IsNumber(start) ? (double)orr__wall_ms() - start->valuedouble : 0;
  if (elapsed >= MINUTE) {
    orr__buf_adds(line, "  ");
    orr__text_took(line, elapsed);
  } else if (elapsed >= 1000) {
    orr__buf_addf(line, "  %d s", (int)(elapsed / 1000));
  }
  if (said && *said) {
    orr__buf text;
    orr__buf_init(&text, ORR_PRINT_MAX);
    orr__text_line(&text, said);
    if (orr__text_columns(orr__buf_text(&text), text.len) <= MESSAGE_COLUMNS) orr__buf_addf(line, "  %s", orr__buf_text(&text));
    orr__buf_clear(&text);
  }
}

static void draw(orr__bar *bar, const cJSON *result) {
  orr__buf line;
  orr__buf_init(&line, ORR_PRINT_MAX);
  const char *name = orr__json_word(result, "backupName");
  const char *status = orr__json_word(result, "status");
  orr__buf_adds(&line, "\r");
  orr__text_line(&line, name ? name : "");
  orr__buf_addc(&line, ' ');
  add_bar(&line, cJSON_GetObjectItemCaseSensitive(result, "progress"), bar->tick++);
  orr__buf_addf(&line, "  %s", status ? status : "");
  if (orr__text_columns(orr__buf_text(&line), line.len) < LINE_COLUMNS_MAX - MESSAGE_COLUMNS) add_details(&line, result);
  orr__buf_adds(&line, "\033[K");
  fputs(orr__buf_text(&line), stderr);
  fflush(stderr);
  orr__buf_clear(&line);
  bar->is_drawn = true;
}

static void tell(orr__bar *bar, const cJSON *result) {
  const cJSON *progress = cJSON_GetObjectItemCaseSensitive(result, "progress");
  const char *status = orr__json_word(result, "status");
  char now[sizeof bar->last];
  if (cJSON_IsNumber(progress)) snprintf(now, sizeof now, "%s %.0f %%", status ? status : "", progress->valuedouble);
  else snprintf(now, sizeof now, "%s", status ? status : "");
  if (strcmp(now, bar->last) == 0) return;
  memcpy(bar->last, now, sizeof now);
  orr__buf line;
  orr__buf_init(&line, ORR_PRINT_MAX);
  const char *name = orr__json_word(result, "backupName");
  orr__text_line(&line, name ? name : "");
  orr__buf_addf(&line, ": %s", now);
  add_details(&line, result);
  orr__remark("%s", orr__buf_text(&line));
  orr__buf_clear(&line);
}

/* A try that went wrong and will be made again gets a line of its own: whoever waits wants to know why. */
static void tell_error(orr__bar *bar, const cJSON *result) {
  const cJSON *count = cJSON_GetObjectItemCaseSensitive(result, "errorCount");
  const char *said = orr__json_word(result, "statusMessage"), *name = orr__json_word(result, "backupName");
  int errors = cJSON_IsNumber(count) ? count->valueint : 0;
  if (errors > bar->errors && said) {
    orr__buf line;
    orr__buf_init(&line, ORR_PRINT_MAX);
    orr__bar_end(bar);
    orr__text_line(&line, name ? name : "");
    orr__buf_adds(&line, ": not yet: ");
    orr__text_line(&line, said);
    orr__remark("%s", orr__buf_text(&line));
    orr__buf_clear(&line);
  }
  bar->errors = errors;
}

void orr__bar_show(orr__bar *bar, const cJSON *result) {
  if (!cJSON_IsObject(result)) return;
  if (bar->paint->has_bar || !bar->paint->is_quiet) tell_error(bar, result);
  if (bar->paint->has_bar) draw(bar, result);
  else if (!bar->paint->is_quiet) tell(bar, result);
}

void orr__bar_end(orr__bar *bar) {
  if (bar->is_drawn) fputc('\n', stderr);
  bar->is_drawn = false;
}
