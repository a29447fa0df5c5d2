/* Tables and cards. A table's columns come from the view of commands.def: "HEADING=path:format"; a column that is
 * empty in every row is left out, the last one is cut to the terminal. A card shows every field that is set, dates
 * and sizes by the names of the fields. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/render.h"

enum { COLUMNS_MAX = 12, CARD_DEPTH = 6, KEY_WIDTH_MAX = 32, GAP = 2 };

typedef struct column {
  const char *heading, *paths, *format;
  size_t heading_len, paths_len, format_len;
  size_t width; /* of the widest cell; 0: all are empty */
} column;

typedef struct cell {
  char *text; /* owned */
  enum orr__hue hue;
} cell;

static const char *const HUES[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[36m", "\033[2m", "\033[1m"};

void orr__hued(orr__buf *out, const orr__paint *paint, enum orr__hue hue, const char *text) {
  bool is_hued = paint->has_color && hue != ORR_HUE_NONE && *text;
  if (is_hued) orr__buf_adds(out, HUES[hue]);
  orr__buf_adds(out, text);
  if (is_hued) orr__buf_adds(out, "\033[0m");
}

static size_t read_view(const char *view, column *columns) {
  size_t count = 0;
  while (count < COLUMNS_MAX && *(view += strspn(view, " "))) {
    column *made = &columns[count++];
    size_t len = strcspn(view, " ");
    made->heading = view;
    made->heading_len = strcspn(view, "=");
    made->paths = view + made->heading_len + 1;
    made->paths_len = strcspn(made->paths, ": ");
    made->format = made->paths + made->paths_len;
    if (*made->format == ':') made->format++;
    made->format_len = (size_t)(view + len - made->format);
    made->width = 0;
    view += len;
  }
  return count;
}

static void fill_cell(cell *into, column *of, const cJSON *row, int64_t now_ms) {
  orr__buf text;
  orr__buf_init(&text, ORR_PRINT_MAX);
  into->hue = orr__cell(&text, of->format, of->format_len, orr__json_at(row, of->paths, of->paths_len), now_ms);
  into->text = orr__buf_take(&text, NULL);
  size_t width = into->text ? orr__text_columns(into->text, strlen(into->text)) : 0;
  if (width > of->width) of->width = width;
}

/* How many bytes of text fit into so many columns. */
static size_t cut(const char *text, size_t columns) {
  size_t at = 0;
  while (text[at] && columns > 0) {
    at++;
    while (((unsigned char)text[at] & 0xc0) == 0x80) at++;
    columns--;
  }
  return at;
}

static void add_cell(orr__buf *out, const orr__paint *paint, const column *of, char *text, enum orr__hue hue, size_t before, bool is_last) {
  size_t width = orr__text_columns(text, strlen(text));
  if (is_last && paint->width > 0 && before + width > (size_t)paint->width && before + 12 < (size_t)paint->width) {
    text[cut(text, (size_t)paint->width - before - 1)] = '\0';
    orr__hued(out, paint, hue, text);
    orr__buf_adds(out, "…");
    return;
  }
  orr__hued(out, paint, hue, text);
  if (!is_last) orr__buf_addf(out, "%*s", (int)(of->width - width) + GAP, "");
}

static void add_headings(orr__buf *out, const orr__paint *paint, const column *columns, size_t count, size_t last) {
  for (size_t c = 0; c < count; c++) {
    char heading[32];
    if (columns[c].width == 0) continue;
    snprintf(heading, sizeof heading, "%.*s", (int)columns[c].heading_len, columns[c].heading);
    orr__hued(out, paint, ORR_HUE_BOLD, heading);
    if (c != last) orr__buf_addf(out, "%*s", (int)(columns[c].width - columns[c].heading_len) + GAP, "");
  }
  orr__buf_addc(out, '\n');
}

void orr__table(orr__buf *out, const orr__paint *paint, const char *view, const cJSON *rows) {
  column columns[COLUMNS_MAX];
  size_t count = read_view(view, columns), row_count = (size_t)cJSON_GetArraySize(rows), last = 0, r = 0;
  cell *cells = calloc(row_count * count + 1, sizeof *cells);
  const cJSON *row = NULL;
  if (!cells || row_count == 0) goto done;
  cJSON_ArrayForEach(row, rows) {
    for (size_t c = 0; c < count; c++) fill_cell(&cells[r * count + c], &columns[c], row, paint->now_ms);
    r++;
  }
  for (size_t c = 0; c < count; c++) {
    if (columns[c].width == 0) continue;
    if (columns[c].width < columns[c].heading_len) columns[c].width = columns[c].heading_len;
    last = c;
  }
  add_headings(out, paint, columns, count, last);
  for (r = 0; r < row_count; r++) {
    size_t before = 0;
    for (size_t c = 0; c <= last; c++) {
      cell *shown = &cells[r * count + c];
      if (columns[c].width == 0 || !shown->text) continue;
      add_cell(out, paint, &columns[c], shown->text, shown->hue, before, c == last);
      before += columns[c].width + GAP;
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ') out->data[--out->len] = '\0';
    orr__buf_addc(out, '\n');
  }
done:
  for (size_t i = 0; cells && i < row_count * count; i++) free(cells[i].text);
  free(cells);
}

/* ---- cards ------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end) {
  size_t len = strlen(text), end_len = strlen(end);
  return len >= end_len && memcmp(text + len - end_len, end, end_len) == 0;
}

static bool is_date(const char *key) {
  return ends_with(key, "Date") || strcmp(key, "date") == 0 || strcmp(key, "lastCommit") == 0;
}

static enum orr__hue add_field(orr__buf *out, const char *key, const cJSON *value, int64_t now_ms) {
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
    if (is_nested(member) && depth < CARD_DEPTH) {
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
