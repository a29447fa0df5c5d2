/* Cards: every field of one thing that is set, a line each; what a field holds (a date, a size) is known by its name.
 * Lists of the journal are tables, the last result of a Backup is a line. And sentences with {fields} in them. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/render.h"

enum { CARD_DEPTH = 6, KEY_WIDTH_MAX = 32, GAP = 2 };

/* Lists within a card that are tables. */
static const struct { const char *key, *view; } LISTS[] = {
    {"ops", "HOOK=hook STATE=state OUTCOME=outcome TRY=attempt STARTED=startDate:ago +ENDED=endDate:ago +SENT=sentDate:ago +ACT=act MESSAGE=message"},
    {"events", "DATE=date:date LEVEL=level KIND=kind MESSAGE=message"},
    {"versions", "SHA256=sha256:id VERSION=version LIVE=live:flag SINCE=liveDate:date"},
    {"options", "OPTION=fieldName TYPE=inputType REQUIRED=required:flag DEFAULT=defaultValue LABEL=fieldLabel +HELP=helpText"},
    {"connectionOptions", "OPTION=fieldName TYPE=inputType REQUIRED=required:flag DEFAULT=defaultValue LABEL=fieldLabel +HELP=helpText"},
    {"findings", "FILE=file LINE=line RULE=rule MESSAGE=message"},
};

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);
  return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

static bool is_date(const char *key) {
  return ends_with(key, "Date") || strcmp(key, "scheduleAnchor") == 0 || strcmp(key, "scheduleCursor") == 0 || strcmp(key, "date") == 0 || strcmp(key, "lastCommit") == 0;
}

static enum orr__hue add_field(orr__buf *out, const char *key, const cJSON *value, int64_t now_ms) {
  if (cJSON_IsObject(value) && orr__streq(key, "lastResult")) {
    orr__said(out, "{uuid:id} ", value, now_ms);
    return orr__cell(out, "last", 4, value, now_ms);
  }
  if (cJSON_IsNumber(value) && is_date(key)) {
    orr__text_date(out, (int64_t)value->valuedouble);
    orr__buf_adds(out, " (");
    orr__text_ago(out, (int64_t)value->valuedouble, now_ms);
    orr__buf_addc(out, ')');
    return ORR_HUE_NONE;
  }
  if (cJSON_IsString(value) && ends_with(key, "status")) return orr__cell(out, "status", 6, value, now_ms);
  if (ends_with(key, "Millis")) return orr__cell(out, "took", 4, value, now_ms);
  if (ends_with(key, "InBytes")) return orr__cell(out, "size", 4, value, now_ms);
  if (cJSON_IsString(value)) {
    orr__text_safe(out, value->valuestring);
    return ends_with(key, "attention") || ends_with(key, "errorMessage") ? ORR_HUE_BAD : ORR_HUE_NONE;
  }
  return orr__cell(out, "", 0, value, now_ms);
}

static size_t widest_key(const cJSON *map) {
  size_t width = 0;
  const cJSON *member = NULL;
  cJSON_ArrayForEach(member, map) {
    size_t columns = member->string ? orr__text_columns(member->string, strlen(member->string)) : 0;
    if (columns > width && columns <= KEY_WIDTH_MAX && !cJSON_IsNull(member)) width = columns;
  }
  return width;
}

static bool is_nested(const cJSON *value) {
  const cJSON *first = cJSON_IsArray(value) ? value->child : NULL;
  return (cJSON_IsObject(value) && value->child) || cJSON_IsObject(first) || cJSON_IsArray(first);
}

static const char *list_view(const cJSON *list) {
  for (size_t i = 0; cJSON_IsArray(list) && list->string && i < sizeof LISTS / sizeof *LISTS; i++) {
    if (orr__streq(LISTS[i].key, list->string)) return LISTS[i].view;
  }
  return NULL;
}

/* A table within a card, moved to the right. */
static void add_list(orr__buf *out, const orr__paint *paint, const char *view, const cJSON *list, int indent) {
  orr__paint narrower = *paint;
  orr__buf rows;
  orr__buf_init(&rows, ORR_PRINT_MAX);
  narrower.has_no_header = false;
  if (narrower.width > indent) narrower.width -= indent;
  orr__table(&rows, &narrower, view, list);
  for (const char *line = orr__buf_text(&rows); *line; line += strcspn(line, "\n") + 1)
    orr__buf_addf(out, "%*s%.*s\n", indent, "", (int)strcspn(line, "\n"), line);
  orr__buf_clear(&rows);
}

static void add_card(orr__buf *out, const orr__paint *paint, const cJSON *map, int depth) {
  size_t width = widest_key(map);
  const cJSON *member = NULL;
  cJSON_ArrayForEach(member, map) {
    if (cJSON_IsNull(member) || ((cJSON_IsObject(member) || cJSON_IsArray(member)) && !member->child)) continue;
    orr__buf key, value;
    orr__buf_init(&key, ORR_PRINT_MAX);
    orr__buf_init(&value, ORR_PRINT_MAX);
    orr__text_safe(&key, member->string ? member->string : "-");
    orr__buf_addf(out, "%*s", depth * 2, "");
    orr__hued(out, paint, ORR_HUE_DIM, orr__buf_text(&key));
    size_t columns = orr__text_columns(orr__buf_text(&key), key.len);
    if (list_view(member)) {
      orr__buf_addc(out, '\n');
      add_list(out, paint, list_view(member), member, depth * 2 + 2);
    } else if (is_nested(member) && depth < CARD_DEPTH && !orr__streq(member->string, "lastResult")) {
      orr__buf_addc(out, '\n');
      add_card(out, paint, member, depth + 1);
    } else {
      enum orr__hue hue = add_field(&value, orr__buf_text(&key), member, paint->now_ms);
      orr__buf_addf(out, "%*s", (int)(columns < width ? width - columns : 0) + GAP, "");
      orr__hued(out, paint, hue, orr__buf_text(&value));
      orr__buf_addc(out, '\n');
    }
    orr__buf_clear(&key);
    orr__buf_clear(&value);
  }
}

void orr__card(orr__buf *out, const orr__paint *paint, const cJSON *map) {
  add_card(out, paint, map, 0);
}

void orr__said(orr__buf *out, const char *sentence, const cJSON *data, int64_t now_ms) {
  for (const char *at = sentence; *at; at++) {
    size_t len = *at == '{' ? strcspn(at, "}") : 0;
    if (len == 0 || !at[len]) {
      orr__buf_addc(out, *at);
      continue;
    }
    size_t path_len = strcspn(at + 1, ":}");
    const char *format = at + 1 + path_len + (at[1 + path_len] == ':');
    orr__cell(out, format, (size_t)(at + len - format), orr__json_at(data, at + 1, path_len), now_ms);
    at += len;
  }
}
