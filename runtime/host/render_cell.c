/* One value as people read it. Formats: text, id (the first of a uuid), ago, date, percent, took, size, status, flag, schedule, last (a
 * result as status and time), problem (what went wrong, in one line). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "host/render.h"

enum { ID_SHOWN = 8, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static void add_safe(orr__buf *out, const char *text, bool is_first_line) {
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    if (is_first_line && *at == '\n' && at[1]) {
      orr__buf_adds(out, " ...");
      return;
    }
    if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) at++; /* C1 controls steer terminals too */
    else if (*at >= 0x20 && *at != 0x7f) {
      orr__buf_addc(out, (char)*at);
      continue;
    }
    if (!is_first_line || at[1]) orr__buf_addc(out, ' ');
  }
}

void orr__text_safe(orr__buf *out, const char *text) {
  add_safe(out, text, false);
}

void orr__text_line(orr__buf *out, const char *text) {
  add_safe(out, text + strspn(text, " \t\r\n"), true);
}

void orr__text_size(orr__buf *out, double bytes) {
  static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit < 5) {
    bytes /= 1024;
    unit++;
  }
  orr__buf_addf(out, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, UNITS[unit]);
}

void orr__text_took(orr__buf *out, double ms) {
  if (ms < 0) ms = 0;
  if (ms < SECOND) orr__buf_addf(out, "%.0f ms", ms);
  else if (ms < 10 * SECOND) orr__buf_addf(out, "%.1f s", ms / SECOND);
  else if (ms < MINUTE) orr__buf_addf(out, "%.0f s", floor(ms / SECOND));
  else if (ms < HOUR) orr__buf_addf(out, "%.0f min %.0f s", floor(ms / MINUTE), floor(fmod(ms, MINUTE) / SECOND));
  else if (ms < DAY) orr__buf_addf(out, "%.0f h %.0f min", floor(ms / HOUR), floor(fmod(ms, HOUR) / MINUTE));
  else orr__buf_addf(out, "%.0f d %.0f h", floor(ms / DAY), floor(fmod(ms, DAY) / HOUR));
}

void orr__text_ago(orr__buf *out, int64_t ms, int64_t now_ms) {
  double away = fabs((double)(now_ms - ms));
  bool is_past = ms <= now_ms;
  if (away < SECOND) {
    orr__buf_adds(out, "now");
    return;
  }
  if (!is_past) orr__buf_adds(out, "in ");
  if (away < MINUTE) orr__buf_addf(out, "%.0f s", floor(away / SECOND));
  else if (away < HOUR) orr__buf_addf(out, "%.0f min", floor(away / MINUTE));
  else if (away < DAY) orr__buf_addf(out, "%.0f h", floor(away / HOUR));
  else orr__buf_addf(out, "%.0f d", floor(away / DAY));
  if (is_past) orr__buf_adds(out, " ago");
}

void orr__text_date(orr__buf *out, int64_t ms) {
  time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
  struct tm local;
  char text[40];
  if (localtime_r(&seconds, &local) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) > 0) orr__buf_adds(out, text);
}

static bool is_set(const cJSON *value) {
  return value && !cJSON_IsNull(value) && !(cJSON_IsString(value) && !*value->valuestring);
}

static const cJSON *at_path(const cJSON *map, const char *path, size_t len) {
  while (map && len > 0) {
    const char *dot = memchr(path, '.', len);
    size_t key_len = dot ? (size_t)(dot - path) : len;
    char key[64];
    if (key_len >= sizeof key) return NULL;
    memcpy(key, path, key_len);
    key[key_len] = '\0';
    map = cJSON_GetObjectItemCaseSensitive(map, key);
    path += key_len + (dot != NULL);
    len -= key_len + (dot != NULL);
  }
  return map;
}

const cJSON *orr__json_at(const cJSON *map, const char *paths, size_t len) {
  const cJSON *found = NULL;
  for (;;) {
    const char *comma = len > 0 ? memchr(paths, ',', len) : NULL;
    size_t path_len = comma ? (size_t)(comma - paths) : len;
    found = at_path(map, paths, path_len);
    if (is_set(found) || !comma) return found;
    paths += path_len + 1;
    len -= path_len + 1;
  }
}

const char *orr__json_word(const cJSON *map, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, key));
}

enum orr__hue orr__status_hue(const char *status) {
  if (!status) return ORR_HUE_NONE;
  if (orr__streq(status, "SUCCEEDED")) return ORR_HUE_GOOD;
  if (orr__streq(status, "SUCCEEDED_WARNING") || orr__streq(status, "CANCELLED") || orr__streq(status, "CANCEL_REQUESTED")) return ORR_HUE_WARN;
  return orr__streq(status, "FAILED") ? ORR_HUE_BAD : ORR_HUE_BUSY;
}

void orr__problem(orr__buf *out, const cJSON *subject) {
  const char *attention = orr__json_word(subject, "attention");
  const char *status = orr__json_word(subject, "status");
  bool has_failed = orr__streq(status, "FAILED");
  const char *keys = has_failed || attention ? "errorMessage,error,statusMessage,errorOutput,warning" : "statusMessage,error,warning";
  const cJSON *text = orr__json_at(subject, keys, strlen(keys));
  if (attention) {
    orr__buf_adds(out, "attention: ");
    orr__text_line(out, attention);
    if (cJSON_IsString(text)) orr__buf_adds(out, ": ");
  }
  if (cJSON_IsString(text)) orr__text_line(out, text->valuestring);
  const char *undeleted = orr__json_word(subject, "deleteMessage");
  if (!undeleted) return;
  orr__buf_adds(out, attention || cJSON_IsString(text) ? "; not deleted: " : "not deleted: ");
  orr__text_line(out, undeleted);
}

/* "a, b"; false if it is no list of plain words. */
static bool add_words(orr__buf *out, const cJSON *list) {
  const cJSON *word = NULL;
  if (!cJSON_IsArray(list)) return false;
  cJSON_ArrayForEach(word, list) {
    if (!cJSON_IsString(word)) return false;
  }
  cJSON_ArrayForEach(word, list) {
    if (word != list->child) orr__buf_adds(out, ", ");
    orr__text_line(out, word->valuestring);
  }
  return true;
}

static void add_scalar(orr__buf *out, const cJSON *value) {
  if (add_words(out, value)) return;
  if (cJSON_IsString(value)) {
    orr__text_line(out, value->valuestring);
  } else if (cJSON_IsBool(value)) {
    orr__buf_adds(out, cJSON_IsTrue(value) ? "yes" : "no");
  } else if (cJSON_IsNumber(value) && value->valuedouble != floor(value->valuedouble)) {
    orr__buf_addf(out, "%.6g", value->valuedouble);
  } else if (is_set(value)) {
    char *text = cJSON_PrintUnformatted(value);
    if (text) orr__text_safe(out, text);
    cJSON_free(text);
  }
}

/* A result in a few words: "FAILED 2 h ago"; a plain word is printed as it is. */
static enum orr__hue add_last(orr__buf *out, const cJSON *value, int64_t now_ms) {
  if (!cJSON_IsObject(value)) {
    add_scalar(out, value);
    return orr__status_hue(cJSON_GetStringValue(value));
  }
  const char *status = orr__json_word(value, "status");
  const cJSON *date = orr__json_at(value, "endDate,startDate,createdDate", 29);
  orr__text_line(out, status ? status : "");
  if (cJSON_IsNumber(date)) {
    orr__buf_addc(out, ' ');
    orr__text_ago(out, (int64_t)date->valuedouble, now_ms);
  }
  return orr__status_hue(status);
}

enum orr__hue orr__cell(orr__buf *out, const char *format, size_t format_len, const cJSON *value, int64_t now_ms) {
  char name[16] = "text";
  if (format_len > 0 && format_len < sizeof name) {
    memcpy(name, format, format_len);
    name[format_len] = '\0';
  }
  const char *word = cJSON_GetStringValue(value);
  if (!is_set(value)) return ORR_HUE_NONE;
  if (orr__streq(name, "problem")) {
    if (cJSON_IsObject(value)) orr__problem(out, value);
    else add_scalar(out, value);
    bool is_well = cJSON_IsObject(value) && !orr__streq(orr__json_word(value, "status"), "FAILED") && !orr__json_word(value, "attention") &&
                   !orr__json_word(value, "deleteMessage");
    return is_well ? ORR_HUE_DIM : ORR_HUE_BAD;
  }
  if (orr__streq(name, "last")) return add_last(out, value, now_ms);
  if (orr__streq(name, "id") && word) {
    orr__buf_addf(out, "%.*s", ID_SHOWN, word);
    return ORR_HUE_NONE;
  }
  if (cJSON_IsNumber(value) && orr__streq(name, "ago")) orr__text_ago(out, (int64_t)value->valuedouble, now_ms);
  else if (cJSON_IsNumber(value) && orr__streq(name, "date")) orr__text_date(out, (int64_t)value->valuedouble);
  else if (cJSON_IsNumber(value) && orr__streq(name, "percent")) orr__buf_addf(out, "%.0f %%", value->valuedouble);
  else if (cJSON_IsNumber(value) && orr__streq(name, "took")) orr__text_took(out, value->valuedouble);
  else if (cJSON_IsNumber(value) && orr__streq(name, "size")) orr__text_size(out, value->valuedouble);
  else add_scalar(out, value);
  return orr__streq(name, "status") ? orr__status_hue(word) : ORR_HUE_NONE;
}
