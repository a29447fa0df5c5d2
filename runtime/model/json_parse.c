/* JSON texts into trees.
 *
 * Deliberately does not know what the trees are for. cJSON gets only texts that passed the UTF-8 check and
 * json_scan.c, so its depth is bounded and no number is rounded or lost. */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/str.h"
#include "model/json.h"
#include "model/json_scan.h"

enum { TREE_PER_TEXT = 16 };

static size_t skip_blanks(const char *text, size_t len, size_t pos) {
  while (pos < len && strchr(" \t\r\n", text[pos])) pos++;
  return pos;
}

/* The tree, or NULL and where it went wrong; text behind the value counts as wrong. */
static cJSON *parse_whole(const char *text, size_t len, size_t *ret_pos) {
  const char *end = NULL;
  cJSON *json = cJSON_ParseWithLengthOpts(text, len, &end, 0);
  size_t pos = skip_blanks(text, len, end ? (size_t)(end - text) : 0);
  *ret_pos = pos;
  if (json && pos < len) {
    cJSON_Delete(json);
    return NULL;
  }
  return json;
}

/* cJSON says where but not why, and not whether it was memory: then there is none for a tree of the usual size now
 * either, or this time the text can be read. */
static int explain(const char *text, size_t len, unsigned open, orr_error *reterr) {
  size_t pos = 0;
  void *probe = cJSON_malloc(TREE_PER_TEXT * len);
  cJSON *again = probe ? parse_whole(text, len, &pos) : NULL;
  bool memory = !probe || again;
  cJSON_free(probe);
  if (memory) {
    cJSON_Delete(again);
    return orr__error_set(reterr, ORR_E_NOMEM, "no memory for a JSON text of %zu bytes", len);
  }
  size_t last = len;
  while (last > 0 && strchr(" \t\r\n", text[last - 1])) last--;
  if (pos >= last || (open > 0 && pos + 1 == last))
    return orr__json_error_at(reterr, ORR_E_INVALID, text, last, "the text ends too early");
  unsigned char c = (unsigned char)text[pos];
  if (c >= 0x80) return orr__json_error_at(reterr, ORR_E_INVALID, text, pos, "unexpected character");
  char what[] = "unexpected '?'";
  what[sizeof what - 3] = (char)c;
  return orr__json_error_at(reterr, ORR_E_INVALID, text, pos, what);
}

/* Where the text stops being UTF-8. */
static size_t utf8_fault(const char *text, size_t len) {
  size_t good = 0;
  for (size_t step = 1; good < len; step = 1) {
    while (step <= 4 && good + step <= len && !orr__utf8_valid(text + good, step)) step++;
    if (step > 4 || good + step > len) break;
    good += step;
  }
  return good;
}

orr__json *orr__json_parse(const char *text, size_t len, orr_error *reterr) {
  if (!text || len == 0) {
    orr__error_set(reterr, ORR_E_INVALID, "line 1, column 1: an empty text is no JSON");
    return NULL;
  }
  if (len > ORR_JSON_MAX) {
    orr__error_set(reterr, ORR_E_LIMIT, "a JSON text of %zu bytes, at most %u are read", len, ORR_JSON_MAX);
    return NULL;
  }
  if (!orr__utf8_valid(text, len)) {
    orr__json_error_at(reterr, ORR_E_INVALID, text, utf8_fault(text, len), "not UTF-8, or a NUL");
    return NULL;
  }
  orr__buf repaired;
  orr__buf_init(&repaired, 2 * (size_t)ORR_JSON_MAX);
  cJSON *json = NULL;
  unsigned open = 0;
  if (orr__json_scan(text, len, &repaired, &open, reterr) < 0) goto done;
  size_t pos = 0;
  json = repaired.len > 0 ? parse_whole(orr__buf_text(&repaired), repaired.len, &pos) : parse_whole(text, len, &pos);
  if (!json) explain(text, len, open, reterr);
done:
  orr__buf_clear(&repaired);
  return json;
}

orr__json *orr__json_parse_map(const char *text, orr_error *reterr) {
  if (!text || !*text) {
    orr__json *map = cJSON_CreateObject();
    if (!map) orr__error_set(reterr, ORR_E_NOMEM, "no memory for a JSON object");
    return map;
  }
  orr__json *json = orr__json_parse(text, strlen(text), reterr);
  if (json && !cJSON_IsObject(json)) {
    cJSON_Delete(json);
    orr__error_set(reterr, ORR_E_INVALID, "expected a JSON object such as {\"key\": \"value\"}");
    return NULL;
  }
  return json;
}
