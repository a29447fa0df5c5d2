/* Dotted paths into maps, and merging maps.
 *
 * Deliberately does not know lists: a path leads through maps only. Invariant: a path that cannot be set changes
 * nothing. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/json.h"

/* Splits the first word off. The word is owned. */
static int take_word(const char **path, char **ret_word) {
  size_t len = strcspn(*path, ".");
  char *word = orr__strndup(*path, len);
  if (!word) return ORR_E_NOMEM;
  *ret_word = word;
  *path += len + ((*path)[len] == '.');
  return 0;
}

static bool is_path(const char *path) {
  size_t words = 1;
  if (!path || !*path || *path == '.') return false;
  for (const char *at = path; *at; at++) {
    if (*at != '.') continue;
    if (at[1] == '.' || at[1] == '\0') return false;
    words++;
  }
  return words <= ORR_JSON_DEPTH / 2;
}

/* The deepest value that is there; *path is moved behind the words walked. NULL: no memory. */
static const orr__json *walk(const orr__json *map, const char **path) {
  while (**path) {
    const char *rest = *path;
    char *word = NULL;
    if (take_word(&rest, &word) < 0) return NULL;
    const orr__json *next = orr__json_get(map, word);
    free(word);
    if (!next) break;
    map = next;
    *path = rest;
  }
  return map;
}

const orr__json *orr__json_path_get(const orr__json *map, const char *path) {
  if (!orr__json_is_map(map) || !is_path(path)) return NULL;
  const orr__json *found = walk(map, &path);
  return *path ? NULL : found;
}

/* Wraps value into one map per word of the path, the last word innermost. Takes value; NULL: no memory. */
static orr__json *wrap(const char *path, orr__json *value) {
  if (!*path) return value;
  char *word = NULL;
  orr__json *map = NULL;
  if (take_word(&path, &word) < 0) goto fail;
  value = wrap(path, value);
  map = value ? orr__json_map() : NULL;
  if (!map) goto fail;
  int rc = orr__json_put(map, word, value);
  value = NULL;
  if (rc < 0) goto fail;
  free(word);
  return map;
fail:
  free(word);
  orr__json_free(map);
  orr__json_free(value);
  return NULL;
}

/* The map that holds the path's last word, as far as it exists: *path is moved to what is missing, one word at
 * least. A null on the way counts as missing. NULL: no memory, or not a map on the way (*ret_blocked). */
static orr__json *holder(orr__json *map, const char **path, bool *ret_blocked) {
  while (strchr(*path, '.')) {
    const char *rest = *path;
    char *word = NULL;
    if (take_word(&rest, &word) < 0) return NULL;
    const orr__json *next = orr__json_get(map, word);
    free(word);
    if (orr__json_is_null(next)) break;
    *ret_blocked = !orr__json_is_map(next);
    if (*ret_blocked) return NULL;
    map = (orr__json *)(uintptr_t)next;
    *path = rest;
  }
  return map;
}

static int remove_at(orr__json *map, const char *path) {
  bool blocked = false;
  orr__json *parent = holder(map, &path, &blocked);
  if (!parent) return blocked ? 0 : ORR_E_NOMEM;
  if (!strchr(path, '.')) orr__json_remove(parent, path);
  return 0;
}

int orr__json_path_set(orr__json *map, const char *path, orr__json *value, orr_error *reterr) {
  if (!is_path(path)) {
    orr__json_free(value);
    return orr__error_set(reterr, ORR_E_INVALID, "'%s' is no path: names with a dot between them, at most %d",
                          path ? path : "", ORR_JSON_DEPTH / 2);
  }
  if (!value) {
    int rc = remove_at(map, path);
    return rc < 0 ? orr__error_set(reterr, rc, "no memory to remove '%s'", path) : 0;
  }
  bool blocked = false;
  const char *rest = path;
  orr__json *parent = holder(map, &rest, &blocked);
  if (blocked) {
    orr__json_free(value);
    return orr__error_set(reterr, ORR_E_INVALID, "'%.*s' in the path '%s' is no map",
                          (int)(strcspn(rest, ".") + (size_t)(rest - path)), path, path);
  }
  char *word = NULL;
  if (!parent || take_word(&rest, &word) < 0) {
    orr__json_free(value);
    return orr__error_set(reterr, ORR_E_NOMEM, "no memory to set '%s'", path);
  }
  int rc = orr__json_put(parent, word, wrap(rest, value));
  free(word);
  return rc < 0 ? orr__error_set(reterr, rc, "no memory to set '%s'", path) : 0;
}

int orr__json_merge(orr__json *into, const orr__json *from) {
  for (const orr__json *m = orr__json_first(from); m; m = orr__json_next(m)) {
    const char *key = orr__json_key(m);
    const orr__json *old = orr__json_get(into, key);
    int rc = orr__json_is_map(old) && orr__json_is_map(m)
                 ? orr__json_merge((orr__json *)(uintptr_t)old, m)
                 : orr__json_put(into, key, orr__json_copy(m));
    if (rc < 0) return rc;
  }
  return 0;
}
