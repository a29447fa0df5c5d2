/* Trees into JSON texts.
 *
 * Deliberately does not know what the trees are for. cJSON prints a number with 15 digits and takes that for good
 * enough when it is near; such numbers are handed to it as ready text, in a copy of the tree, so that every double
 * reads back as itself and integers up to 2^53 have no exponent. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/json.h"
#include "model/json_scan.h"

enum { NUMBER_TEXT_MAX = 64 };

/* Integers of at most 15 digits are the ones that cJSON always prints as they are. */
static bool is_plain(double value) {
  return !isfinite(value) || (value == trunc(value) && fabs(value) < 1e15);
}

static bool has_awkward_number(const cJSON *json) {
  if (cJSON_IsNumber(json)) return !is_plain(json->valuedouble);
  for (const cJSON *child = json->child; child; child = child->next)
    if (has_awkward_number(child)) return true;
  return false;
}

/* A locale of our host may have another decimal point, of any length. */
static void point_to_dot(char *text) {
  char *to = text;
  for (const char *from = text; *from;) {
    if (strchr("0123456789+-eE", *from)) {
      *to++ = *from++;
      continue;
    }
    while (*from && !strchr("0123456789+-eE", *from)) from++;
    *to++ = '.';
  }
  *to = '\0';
}

/* Beyond 2^53 always with an exponent: an integer literal of that size would be read as a string. */
static void number_text(double value, char out[NUMBER_TEXT_MAX]) {
  if (value == trunc(value) && fabs(value) <= ORR_JSON_INTEGER_MAX) {
    snprintf(out, NUMBER_TEXT_MAX, "%.0f", value);
    return;
  }
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(out, NUMBER_TEXT_MAX, "%.*g", precision, value);
    if (strtod(out, NULL) == value) break;
  }
  if (fabs(value) > ORR_JSON_INTEGER_MAX && !strchr(out, 'e')) snprintf(out, NUMBER_TEXT_MAX, "%.16e", value);
  point_to_dot(out);
}

static int make_raw(cJSON *json) {
  if (cJSON_IsNumber(json) && !is_plain(json->valuedouble)) {
    char text[NUMBER_TEXT_MAX];
    number_text(json->valuedouble, text);
    char *owned = cJSON_malloc(strlen(text) + 1);
    if (!owned) return ORR_E_NOMEM;
    memcpy(owned, text, strlen(text) + 1);
    json->valuestring = owned;
    json->type = (json->type & ~0xff) | cJSON_Raw;
  }
  for (cJSON *child = json->child; child; child = child->next)
    if (make_raw(child) < 0) return ORR_E_NOMEM;
  return 0;
}

char *orr__json_print(const orr__json *json) {
  if (!json) return NULL;
  cJSON *copy = NULL;
  char *text = NULL;
  if (has_awkward_number(json)) {
    copy = cJSON_Duplicate(json, 1);
    if (!copy || make_raw(copy) < 0) goto done;
  }
  text = cJSON_PrintUnformatted(copy ? copy : json);
done:
  cJSON_Delete(copy);
  return text;
}

/* The end of the string that begins at `quote`: behind its closing quote. */
static const char *string_end(const char *quote) {
  const char *at = quote + 1;
  while (*at && *at != '"') at += *at == '\\' && at[1] ? 2 : 1;
  return *at ? at + 1 : at;
}

static void new_line(orr__buf *out, unsigned depth) {
  orr__buf_addc(out, '\n');
  for (unsigned i = 0; i < depth; i++) orr__buf_adds(out, "  ");
}

/* cJSON indents with tabs, so its one-line text is broken up here. */
static void indent(const char *text, orr__buf *out) {
  unsigned depth = 0;
  for (const char *at = text; *at;) {
    const char *end = *at == '"' ? string_end(at) : at + 1;
    bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';
    bool empty = opens && (at[1] == '}' || at[1] == ']');
    if (closes) new_line(out, --depth);
    if (empty) end = at + 2;
    orr__buf_add(out, at, (size_t)(end - at));
    if (*at == ':') orr__buf_addc(out, ' ');
    if (opens && !empty) depth++;
    if (*at == ',' || (opens && !empty)) new_line(out, depth);
    at = end;
  }
}

char *orr__json_print_pretty(const orr__json *json) {
  char *text = orr__json_print(json);
  if (!text) return NULL;
  orr__buf out;
  orr__buf_init(&out, SIZE_MAX / 2);
  indent(text, &out);
  free(text);
  return orr__buf_take(&out, NULL);
}
