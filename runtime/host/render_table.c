/* Tables. Their columns come from the view of commands.def: "HEADING=path:format"; a column that is empty in every row is
 * left out. Where a terminal is too narrow, columns marked "-" go first, from the right; then long cells are cut, with an
 * ellipsis to show it. "+" marks those that only --wide shows, which cuts nothing. Ids are as short as they are unique in
 * the list. Elsewhere than on a terminal nothing is cut.
 *
 * Knows JSON values and columns, not what they mean. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/render.h"

enum { COLUMNS_MAX = 20, GAP = 2, ID_MIN = 8, LAST_MIN = 30, CUT_MIN = 12 };

typedef struct column {
  const char *heading, *paths, *format;
  size_t heading_len, paths_len, format_len;
  size_t width;      /* of the widest cell, or what it is cut to; 0: not shown */
  bool is_droppable;
} column;

typedef struct cell {
  char *text; /* owned */
  enum orr__hue hue;
} cell;

typedef struct table {
  column columns[COLUMNS_MAX];
  size_t count, last; /* last: the rightmost column that is shown */
  cell *cells;        /* row by row */
  size_t rows;
} table;

static const char *const HUES[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[36m", "\033[2m", "\033[1m"};

void orr__hued(orr__buf *out, const orr__paint *paint, enum orr__hue hue, const char *text) {
  bool is_hued = paint->has_color && hue != ORR_HUE_NONE && *text;
  if (is_hued) orr__buf_adds(out, HUES[hue]);
  orr__buf_adds(out, text);
  if (is_hued) orr__buf_adds(out, "\033[0m");
}

static size_t read_view(const char *view, column *columns, bool is_wide) {
  size_t count = 0;
  while (count < COLUMNS_MAX && *(view += strspn(view, " "))) {
    size_t len = strcspn(view, " ");
    const char *end = view + len;
    bool is_skipped = *view == '+' && !is_wide;
    column *made = &columns[count];
    made->is_droppable = *view == '-';
    made->heading = view + (*view == '+' || *view == '-');
    made->heading_len = strcspn(made->heading, "=");
    made->paths = made->heading + made->heading_len + 1;
    made->paths_len = strcspn(made->paths, ": ");
    made->format = made->paths + made->paths_len;
    if (*made->format == ':') made->format++;
    made->format_len = (size_t)(end - made->format);
    made->width = 0;
    count += !is_skipped;
    view = end;
  }
  return count;
}

static bool is_id(const column *of) {
  return of->format_len == 2 && memcmp(of->format, "id", 2) == 0;
}

static size_t columns_of(const char *text) {
  return orr__text_columns(text, strlen(text));
}

static void fill_cell(cell *into, const column *of, const cJSON *row, int64_t now_ms) {
  orr__buf text;
  orr__buf_init(&text, ORR_PRINT_MAX);
  const cJSON *value = orr__json_at(row, of->paths, of->paths_len);
  into->hue = is_id(of) ? orr__cell(&text, "text", 4, value, now_ms) : orr__cell(&text, of->format, of->format_len, value, now_ms);
  into->text = orr__buf_take(&text, NULL);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Cuts the ids of a column to the shortest prefixes that are unique among them. */
static void shorten_ids(table *t, size_t c) {
  const char **sorted = calloc(t->rows, sizeof *sorted);
  size_t shown = ID_MIN, count = 0;
  for (size_t r = 0; sorted && r < t->rows; r++) {
    if (t->cells[r * t->count + c].text) sorted[count++] = t->cells[r * t->count + c].text;
  }
  if (count > 1) qsort(sorted, count, sizeof *sorted, by_text);
  for (size_t i = 1; i < count; i++) {
    size_t same = 0;
    while (sorted[i][same] && sorted[i][same] == sorted[i - 1][same]) same++;
    if (sorted[i][same] && same + 1 > shown) shown = same + 1; /* the same one twice needs no telling apart */
  }
  free(sorted);
  for (size_t r = 0; r < t->rows; r++) {
    char *text = t->cells[r * t->count + c].text;
    if (text && strlen(text) > shown) text[shown] = '\0';
  }
}

static bool fill(table *t, const orr__paint *paint, const cJSON *rows) {
  const cJSON *row = NULL;
  size_t r = 0;
  t->rows = (size_t)cJSON_GetArraySize(rows);
  t->cells = calloc(t->rows * t->count + 1, sizeof *t->cells);
  if (!t->cells) return false;
  cJSON_ArrayForEach(row, rows) {
    for (size_t c = 0; c < t->count; c++) fill_cell(&t->cells[r * t->count + c], &t->columns[c], row, paint->now_ms);
    r++;
  }
  for (size_t c = 0; c < t->count; c++) {
    if (is_id(&t->columns[c]) && !paint->is_wide) shorten_ids(t, c);
    for (r = 0; r < t->rows; r++) {
      const char *text = t->cells[r * t->count + c].text;
      size_t width = text ? columns_of(text) : 0;
      if (width > t->columns[c].width) t->columns[c].width = width;
    }
    bool is_shown = t->columns[c].width > 0;
    if (is_shown && t->columns[c].width < t->columns[c].heading_len) t->columns[c].width = t->columns[c].heading_len;
  }
  return true;
}

/* Columns that the table takes; the last one may be cut to LAST_MIN. */
static size_t measure(table *t) {
  size_t total = 0;
  for (size_t c = 0; c < t->count; c++) {
    if (t->columns[c].width > 0) t->last = c;
  }
  for (size_t c = 0; c <= t->last; c++) {
    size_t width = t->columns[c].width;
    if (width > 0) total += c == t->last ? (width < LAST_MIN ? width : LAST_MIN) : width + GAP;
  }
  return total;
}

static column *rightmost_droppable(table *t) {
  for (size_t c = t->count; c-- > 0;) {
    if (t->columns[c].is_droppable && t->columns[c].width > 0) return &t->columns[c];
  }
  return NULL;
}

static column *widest(table *t) {
  column *found = NULL;
  for (size_t c = 0; c < t->last; c++) {
    bool is_wider = t->columns[c].width > (found ? found->width : CUT_MIN);
    if (is_wider && !is_id(&t->columns[c])) found = &t->columns[c];
  }
  return found;
}

/* Makes it fit into the terminal, as far as that is possible. */
static void fit(table *t, const orr__paint *paint) {
  size_t room = paint->width > 0 ? (size_t)paint->width : 0, before = 0;
  column *victim;
  bool is_limited = room > 0 && !paint->is_wide;
  while (measure(t) > room && is_limited && (victim = rightmost_droppable(t)) != NULL) victim->width = 0;
  while (measure(t) > room && is_limited && (victim = widest(t)) != NULL) victim->width--;
  for (size_t c = 0; c < t->last; c++) before += t->columns[c].width > 0 ? t->columns[c].width + GAP : 0;
  column *last = &t->columns[t->last];
  if (is_limited && before + CUT_MIN <= room && before + last->width > room) last->width = room - before;
}

static void add_cell(orr__buf *out, const orr__paint *paint, const column *of, const char *text, enum orr__hue hue, bool is_last) {
  size_t width = columns_of(text);
  bool is_cut = width > of->width;
  char *shown = is_cut ? orr__strndup(text, orr__text_cut(text, of->width - 1)) : NULL;
  orr__hued(out, paint, hue, shown ? shown : text);
  if (shown) {
    orr__buf_adds(out, "…");
    width = columns_of(shown) + 1;
  }
  free(shown);
  if (!is_last) orr__buf_addf(out, "%*s", (int)(of->width > width ? of->width - width : 0) + GAP, "");
}

static void add_headings(orr__buf *out, const orr__paint *paint, const table *t) {
  for (size_t c = 0; c <= t->last; c++) {
    const column *of = &t->columns[c];
    char heading[32];
    if (of->width == 0) continue;
    snprintf(heading, sizeof heading, "%.*s", (int)of->heading_len, of->heading);
    add_cell(out, paint, of, heading, ORR_HUE_BOLD, c == t->last);
  }
  orr__buf_addc(out, '\n');
}

void orr__table(orr__buf *out, const orr__paint *paint, const char *view, const cJSON *rows) {
  table t = {.count = 0};
  t.count = read_view(view, t.columns, paint->is_wide);
  if (cJSON_GetArraySize(rows) == 0 || !fill(&t, paint, rows)) return;
  fit(&t, paint);
  if (!paint->has_no_header) add_headings(out, paint, &t);
  for (size_t r = 0; r < t.rows; r++) {
    for (size_t c = 0; c <= t.last; c++) {
      const cell *shown = &t.cells[r * t.count + c];
      if (t.columns[c].width > 0) add_cell(out, paint, &t.columns[c], shown->text ? shown->text : "", shown->hue, c == t.last);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ') out->data[--out->len] = '\0';
    orr__buf_addc(out, '\n');
  }
  for (size_t i = 0; i < t.rows * t.count; i++) free(t.cells[i].text);
  free(t.cells);
}

void orr__table_names(orr__buf *out, const char *view, const cJSON *rows) {
  column columns[COLUMNS_MAX];
  const cJSON *row = NULL;
  if (read_view(view, columns, false) == 0) return;
  cJSON_ArrayForEach(row, rows) {
    orr__cell(out, "text", 4, orr__json_at(row, columns[0].paths, columns[0].paths_len), 0);
    orr__buf_addc(out, '\n');
  }
}
