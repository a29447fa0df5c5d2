/* Trees: building, reading and comparing them.
 *
 * Deliberately does not know texts (json_parse.c, json_print.c) nor objects (json_object.c). Keys are case
 * sensitive everywhere, which cJSON's short names are not. */
#include "model/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "model/json_scan.h"

void orr__json_free(orr__json *json) {
  cJSON_Delete(json);
}

orr__json *orr__json_copy(const orr__json *json) {
  return cJSON_Duplicate(json, 1);
}

orr__json *orr__json_map(void) {
  return cJSON_CreateObject();
}

orr__json *orr__json_list(void) {
  return cJSON_CreateArray();
}

orr__json *orr__json_null(void) {
  return cJSON_CreateNull();
}

/* Owned; what other programs print is not always UTF-8, and a reader of our JSON must not choke on it. */
static char *to_utf8(const char *text) {
  orr__buf out;
  orr__buf_init(&out, SIZE_MAX / 2);
  size_t len = strlen(text);
  for (size_t i = 0; i < len;) {
    size_t step = 1;
    while (step <= 4 && i + step <= len && !orr__utf8_valid(text + i, step)) step++;
    bool good = step <= 4 && i + step <= len;
    if (good) orr__buf_add(&out, text + i, step);
    else orr__buf_adds(&out, "\xef\xbf\xbd");
    i += good ? step : 1;
  }
  return orr__buf_take(&out, NULL);
}

orr__json *orr__json_new_str(const char *text) {
  if (!text) return cJSON_CreateNull();
  if (orr__utf8_valid(text, strlen(text))) return cJSON_CreateString(text);
  char *clean = to_utf8(text);
  orr__json *json = clean ? cJSON_CreateString(clean) : NULL;
  free(clean);
  return json;
}

orr__json *orr__json_new_num(double value) {
  return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

orr__json *orr__json_new_int(int64_t value) {
  const int64_t limit = (int64_t)ORR_JSON_INTEGER_MAX;
  if (value >= -limit && value <= limit) return cJSON_CreateNumber((double)value);
  char *digits = orr__strf("%lld", (long long)value);
  orr__json *json = digits ? cJSON_CreateString(digits) : NULL;
  free(digits);
  return json;
}

orr__json *orr__json_new_bool(bool value) {
  return cJSON_CreateBool(value);
}

int orr__json_put(orr__json *map, const char *key, orr__json *value) {
  if (!value) return ORR_E_NOMEM;
  cJSON *old = cJSON_GetObjectItemCaseSensitive(map, key);
  if (old) {
    /* The new value takes the old one's key and place: nothing is allocated, so nothing can go wrong. */
    char *name = value->string;
    int flags = (value->type ^ old->type) & cJSON_StringIsConst;
    value->string = old->string;
    value->type ^= flags;
    old->string = name;
    old->type ^= flags;
    cJSON_ReplaceItemViaPointer(map, old, value);
    return 0;
  }
  if (cJSON_AddItemToObject(map, key, value)) return 0;
  cJSON_Delete(value);
  return ORR_E_NOMEM;
}

int orr__json_add(orr__json *map, const char *key, orr__json *value) {
  if (!value) return ORR_E_NOMEM;
  if (cJSON_AddItemToObjectCS(map, key, value)) return 0;
  cJSON_Delete(value);
  return ORR_E_NOMEM;
}

int orr__json_put_str(orr__json *map, const char *key, const char *value) {
  if (value) return orr__json_put(map, key, orr__json_new_str(value));
  orr__json_remove(map, key);
  return 0;
}

int orr__json_put_num(orr__json *map, const char *key, double value) {
  return orr__json_put(map, key, orr__json_new_num(value));
}

int orr__json_put_int(orr__json *map, const char *key, int64_t value) {
  return orr__json_put(map, key, orr__json_new_int(value));
}

int orr__json_put_bool(orr__json *map, const char *key, bool value) {
  return orr__json_put(map, key, orr__json_new_bool(value));
}

int orr__json_append(orr__json *list, orr__json *value) {
  if (!value) return ORR_E_NOMEM;
  if (cJSON_AddItemToArray(list, value)) return 0;
  cJSON_Delete(value);
  return ORR_E_NOMEM;
}

void orr__json_remove(orr__json *map, const char *key) {
  cJSON_DeleteItemFromObjectCaseSensitive(map, key);
}

const orr__json *orr__json_get(const orr__json *map, const char *key) {
  return cJSON_IsObject(map) ? cJSON_GetObjectItemCaseSensitive(map, key) : NULL;
}

const char *orr__json_str(const orr__json *map, const char *key) {
  return orr__json_text(orr__json_get(map, key));
}

double orr__json_num(const orr__json *map, const char *key, double fallback) {
  return orr__json_value_num(orr__json_get(map, key), fallback);
}

int64_t orr__json_int(const orr__json *map, const char *key, int64_t fallback) {
  return orr__json_value_int(orr__json_get(map, key), fallback);
}

bool orr__json_bool(const orr__json *map, const char *key, bool fallback) {
  return orr__json_value_bool(orr__json_get(map, key), fallback);
}

double orr__json_value_num(const orr__json *json, double fallback) {
  return cJSON_IsNumber(json) ? json->valuedouble : fallback;
}

bool orr__json_value_bool(const orr__json *json, bool fallback) {
  return cJSON_IsBool(json) ? cJSON_IsTrue(json) : fallback;
}

int64_t orr__json_value_int(const orr__json *json, int64_t fallback) {
  int64_t value = 0;
  return orr__json_exact_int(json, &value) ? value : fallback;
}

bool orr__json_exact_int(const orr__json *json, int64_t *ret) {
  if (cJSON_IsNumber(json)) {
    double number = json->valuedouble;
    /* -2^63 is a double, 2^63 - 1 is not. */
    if (number != trunc(number) || number < -0x1p63 || number >= 0x1p63) return false;
    *ret = (int64_t)number;
    return true;
  }
  const char *text = orr__json_text(json);
  if (!text) return false;
  size_t sign = *text == '-';
  size_t len = strspn(text + sign, "0123456789");
  if (len == 0 || text[sign + len]) return false;
  errno = 0;
  long long value = strtoll(text, NULL, 10);
  if (errno == ERANGE) return false;
  *ret = value;
  return true;
}

bool orr__json_is_map(const orr__json *json) {
  return cJSON_IsObject(json);
}

bool orr__json_is_list(const orr__json *json) {
  return cJSON_IsArray(json);
}

bool orr__json_is_null(const orr__json *json) {
  return !json || cJSON_IsNull(json);
}

const char *orr__json_text(const orr__json *json) {
  return cJSON_IsString(json) ? json->valuestring : NULL;
}

const char *orr__json_key(const orr__json *member) {
  return member ? member->string : NULL;
}

size_t orr__json_count(const orr__json *json) {
  size_t count = 0;
  for (const orr__json *m = orr__json_first(json); m; m = m->next) count++;
  return count;
}

const orr__json *orr__json_first(const orr__json *json) {
  return json ? json->child : NULL;
}

const orr__json *orr__json_next(const orr__json *member) {
  return member ? member->next : NULL;
}

static bool same_map(const orr__json *a, const orr__json *b) {
  if (orr__json_count(a) != orr__json_count(b)) return false;
  const orr__json *other = b->child;
  for (const orr__json *m = a->child; m; m = m->next, other = other->next) {
    /* Mostly the order is the same too; only else is there a search. */
    const orr__json *match = strcmp(other->string, m->string) == 0 ? other : orr__json_get(b, m->string);
    if (!match || !orr__json_equal(m, match)) return false;
  }
  return true;
}

bool orr__json_equal(const orr__json *a, const orr__json *b) {
  if (orr__json_is_null(a) || orr__json_is_null(b)) return orr__json_is_null(a) && orr__json_is_null(b);
  if ((a->type & 0xff) != (b->type & 0xff)) return false;
  if (cJSON_IsNumber(a)) return a->valuedouble == b->valuedouble;
  if (cJSON_IsString(a)) return strcmp(a->valuestring, b->valuestring) == 0;
  if (cJSON_IsObject(a)) return same_map(a, b);
  const orr__json *other = b->child;
  for (const orr__json *item = a->child; item; item = item->next) {
    if (!other || !orr__json_equal(item, other)) return false;
    other = other->next;
  }
  return !other;
}
