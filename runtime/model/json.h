/* JSON: the door to cJSON for everything between the model and the host, and the JSON form of objects.
 *
 * Between the layers, what is free (config, opts, data, requests) travels as JSON text and is parsed where it is
 * looked into. Integers beyond 2^53 become strings when they are parsed, never rounded. Depth is limited to 200,
 * texts to 16 MiB and 300,000 values, and they must be UTF-8. Key order is kept. */
#ifndef ORR_MODEL_JSON_H
#define ORR_MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/object.h"

typedef struct cJSON orr__json;

#define ORR_JSON_DEPTH 200
#define ORR_MAP_DEPTH 180
#define ORR_JSON_MAX (16u << 20)
#define ORR_JSON_VALUES 300000u

/* Owned tree, or NULL: INVALID with line and column, LIMIT, NOMEM. orr__json_parse_map refuses all but an object;
 * NULL and "" count as {}. */
orr__json *orr__json_parse(const char *text, size_t len, orr_error *reterr);
orr__json *orr__json_parse_map(const char *text, orr_error *reterr);
char *orr__json_print(const orr__json *json);        /* owned, one line; NULL when out of memory */
char *orr__json_print_pretty(const orr__json *json); /* two blanks of indentation */
void orr__json_free(orr__json *json);
orr__json *orr__json_copy(const orr__json *json);

orr__json *orr__json_map(void);
orr__json *orr__json_list(void);
orr__json *orr__json_null(void);
/* Values for lists, _put and _path_set. Bytes of a text that are no UTF-8 become U+FFFD; a NULL text is null. */
orr__json *orr__json_new_str(const char *text);
orr__json *orr__json_new_num(double value);     /* not finite: null */
orr__json *orr__json_new_int(int64_t value);    /* beyond 2^53: a string */
orr__json *orr__json_new_bool(bool value);
/* Put into a map (replacing); a NULL string unsets. The value of _put is taken, also when it fails. 0 or NOMEM. */
int orr__json_put(orr__json *map, const char *key, orr__json *value);
/* The same where the map has no such key yet, and the key lives as long as the program: nothing is looked for or copied. */
int orr__json_add(orr__json *map, const char *key, orr__json *value);
int orr__json_put_str(orr__json *map, const char *key, const char *value);
int orr__json_put_num(orr__json *map, const char *key, double value);
int orr__json_put_int(orr__json *map, const char *key, int64_t value); /* beyond 2^53: a string */
int orr__json_put_bool(orr__json *map, const char *key, bool value);
int orr__json_append(orr__json *list, orr__json *value);     /* taken */
void orr__json_remove(orr__json *map, const char *key);

/* Readers: borrowed; a wrong type or absence gives NULL or the fallback. */
const orr__json *orr__json_get(const orr__json *map, const char *key);
const char *orr__json_str(const orr__json *map, const char *key);
double orr__json_num(const orr__json *map, const char *key, double fallback);
int64_t orr__json_int(const orr__json *map, const char *key, int64_t fallback); /* takes number or digits */
bool orr__json_bool(const orr__json *map, const char *key, bool fallback);
bool orr__json_is_map(const orr__json *json);
bool orr__json_is_list(const orr__json *json);
bool orr__json_is_null(const orr__json *json); /* JSON null or NULL */
const char *orr__json_text(const orr__json *json); /* of a string node, else NULL */
double orr__json_value_num(const orr__json *json, double fallback); /* the same for a value by itself */
int64_t orr__json_value_int(const orr__json *json, int64_t fallback);
bool orr__json_value_bool(const orr__json *json, bool fallback);
/* Is it a number without fraction, or a string of digits, that fits? Then *ret is it. */
bool orr__json_exact_int(const orr__json *json, int64_t *ret);
const char *orr__json_key(const orr__json *member); /* of a map's member */
size_t orr__json_count(const orr__json *json);
/* for (m = orr__json_first(map); m; m = orr__json_next(m)) */
const orr__json *orr__json_first(const orr__json *json);
const orr__json *orr__json_next(const orr__json *member);
bool orr__json_equal(const orr__json *a, const orr__json *b);

/* By dotted path ("a.b.c"); set makes the maps on the way; a NULL value removes. Taken. */
const orr__json *orr__json_path_get(const orr__json *map, const char *path);
int orr__json_path_set(orr__json *map, const char *path, orr__json *value, orr_error *reterr);
/* Puts every member of `from` into `into` (deep for maps), replacing. */
int orr__json_merge(orr__json *into, const orr__json *from);

/* An object as a map: every set field by its name, derived ones too; MAPs as maps; unset fields as null when
 * with_null. Secrets never, unless with_secrets (only for the journal's sealed draft). Owned; NULL: no memory. */
enum orr__json_flags { ORR_JSON_NULLS = 1, ORR_JSON_SECRETS = 2 };
orr__json *orr__object_to_json(const orr__object *object, unsigned flags);
/* Sets the object's fields from a map; unknown names and wrong types are all collected per field in reterr
 * (INVALID, with the nearest name). null unsets. allow: a bit per field that may be set. */
int orr__object_from_json(orr__object *object, const orr__json *map, uint64_t allow, orr_error *reterr);
/* One field from a JSON value (type checked); INVALID says what was expected, in reterr's map too. A REF takes a
 * positive number, a DATE milliseconds or ISO 8601, an INT also digits in a string. A text has at most 1 MiB, a map
 * at most 16 MiB and a depth of 180, so that it can be part of a larger text. */
int orr__field_from_json(orr__object *object, int field, const orr__json *value, orr_error *reterr);
/* Readers for a MAP field of an object: parsed copy, owned; {} if unset. */
orr__json *orr__object_map(const orr__object *object, int field); /* NULL: no memory, or not JSON as stored */
int orr__object_set_map(orr__object *object, int field, const orr__json *map); /* prints it; 0, NOMEM or LIMIT */

#endif
