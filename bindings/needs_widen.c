/* Whether a version needs more than the one before was granted. What is certainly no more: the same need; a host below a granted
 * star; a path below a granted one; a program that a granted star stands for. Everything else counts as more, for then a person looks.
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

static bool is_covered(const orr__json *granted, const char *kind, const char *wanted) {
  for (const orr__json *g = orr__json_first(orr__json_get(granted, kind)); g; g = orr__json_next(g))
    if (orr__json_text(g) && covers(kind, orr__json_text(g), wanted)) return true;
  return false;
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
