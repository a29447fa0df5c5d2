/* Whether a version needs more than the one before was granted, and what it is granted then. What is certainly no more: the same need;
 * a host below a granted star; a path below a granted one; a program that a granted star stands for. Everything else counts as more,
 * for then a person looks.
 *
 * A text that lies below another one need not lie there on the disk: what is on the way may be a link. So of paths it is the one above
 * that stays granted, and what is reached must lie below both (needs.c).
 *
 * Pure: compares texts of declarations that have passed their checks (declare.c). */
#include <fnmatch.h>
#include <strings.h>
#include <string.h>

#include "base/str.h"
#include "registry.h"

static const char *const kinds[] = {
#define NEED(key, doc) #key,
#include "declaration.def"
  NULL };

static const char *scheme_end(const char *origin) {
  const char *end = strstr(origin, "://");
  return end ? end + 3 : origin;
}

/* "https://" where none is written, as in needs.c. */
static bool same_scheme(const char *a, const char *b) {
  const char *ea = scheme_end(a), *eb = scheme_end(b);
  size_t la = (size_t)(ea - a), lb = (size_t)(eb - b);
  const char *sa = la ? a : "https://", *sb = lb ? b : "https://";
  la = la ? la : 8;
  lb = lb ? lb : 8;
  return la == lb && strncasecmp(sa, sb, la) == 0;
}

static bool covers_origin(const char *granted, const char *wanted) {
  if (!same_scheme(granted, wanted)) return false;
  granted = scheme_end(granted);
  wanted = scheme_end(wanted);
  if (strcasecmp(granted, wanted) == 0) return true;
  if (!orr__starts_with(granted, "*.") || strchr(wanted, '$')) return false;
  /* "*.example.com:8443" over "api.example.com:8443" and "*.eu.example.com:8443": what follows the star ends them, from its dot on. */
  size_t have = strlen(granted + 1), want = strlen(wanted);
  return want > have && strcasecmp(wanted + want - have, granted + 1) == 0;
}

static bool covers_path(const char *granted, const char *wanted) {
  size_t len = strlen(granted);
  while (len > 1 && granted[len - 1] == '/') len--;
  if (strncmp(granted, wanted, len) != 0) return false;
  return wanted[len] == '\0' || wanted[len] == '/' || (len == 1 && granted[0] == '/');
}

static bool covers(const char *kind, const char *granted, const char *wanted) {
  if (strcmp(granted, wanted) == 0) return true;
  if (strcmp(kind, "http") == 0) return granted[0] != '$' && covers_origin(granted, wanted);
  if (strcmp(kind, "exec") == 0)
    return granted[0] == '/' && !strpbrk(wanted, "*$") && fnmatch(granted, wanted, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE) == 0;
  return strcmp(kind, "host") != 0 && covers_path(granted, wanted);
}

static bool has_text(const orr__json *list, const char *text) {
  for (const orr__json *m = orr__json_first(list); m; m = orr__json_next(m))
    if (strcmp(orr__json_text(m), text) == 0) return true;
  return false;
}

static bool is_covered(const orr__json *granted, const char *kind, const char *wanted) {
  for (const orr__json *g = orr__json_first(orr__json_get(granted, kind)); g; g = orr__json_next(g))
    if (orr__json_text(g) && covers(kind, orr__json_text(g), wanted)) return true;
  return false;
}

static int append(orr__json *list, const char *text) { return has_text(list, text) ? 0 : orr__json_append(list, orr__json_new_str(text)); }

/* Of paths those that cover the need, else the need itself. */
static int grant_one(orr__json *list, const orr__json *granted, const char *kind, const char *wanted) {
  bool is_path = strcmp(kind, "read") == 0 || strcmp(kind, "write") == 0, is_below = false;
  int rc = 0;
  for (const orr__json *g = orr__json_first(is_path ? orr__json_get(granted, kind) : NULL); !rc && g; g = orr__json_next(g)) {
    const char *text = orr__json_text(g);
    if (!text || !covers(kind, text, wanted)) continue;
    is_below = true;
    rc = append(list, text);
  }
  return is_below ? rc : append(list, wanted);
}

static int grant_kind(orr__json *to, const orr__json *granted, const orr__json *needs) {
  const char *kind = orr__json_key(needs);
  orr__json *list = orr__json_list();
  int rc = list ? 0 : ORR_E_NOMEM;
  for (const orr__json *w = orr__json_first(needs); !rc && w; w = orr__json_next(w))
    if (orr__json_text(w)) rc = grant_one(list, granted, kind, orr__json_text(w));
  if (!rc) return orr__json_put(to, kind, list);
  orr__json_free(list);
  return rc;
}

char *orr__needs_grant(const char *granted_text, const char *wanted_text) {
  orr__json *granted = orr__json_parse_map(granted_text ? granted_text : "{}", NULL), *wanted = orr__json_parse_map(wanted_text, NULL);
  orr__json *map = orr__json_map();
  int rc = granted && wanted && map ? 0 : ORR_E_NOMEM;
  for (const orr__json *needs = rc ? NULL : orr__json_first(wanted); !rc && needs; needs = orr__json_next(needs))
    rc = grant_kind(map, granted, needs);
  char *text = rc ? NULL : orr__json_print(map);
  orr__json_free(granted);
  orr__json_free(wanted);
  orr__json_free(map);
  return text;
}

bool orr__needs_widen(const char *granted_text, const char *wanted_text, orr__buf *ret_more) {
  orr__json *granted = orr__json_parse_map(granted_text, NULL), *wanted = orr__json_parse_map(wanted_text, NULL);
  bool is_more = !granted || !wanted;
  for (const char *const *kind = kinds; !is_more && *kind; kind++) {
    for (const orr__json *w = orr__json_first(orr__json_get(wanted, *kind)); w; w = orr__json_next(w)) {
      const char *text = orr__json_text(w);
      if (!text || is_covered(granted, *kind, text)) continue;
      orr__buf_addf(ret_more, "%s%s %s", ret_more->len ? ", " : "", *kind, text);
    }
  }
  orr__json_free(granted);
  orr__json_free(wanted);
  return is_more || ret_more->len > 0 || orr__buf_error(ret_more) != 0;
}
