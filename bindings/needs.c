/* What a provider may reach: its declared needs, with templates filled in from the call's own objects.
 *
 *   http   https://api.example.com, https://(star).example.com:8443, or exactly ${connection.F} or ${option.F}: a URL whose
 *          origin counts; without a scheme, https. ${connection.host} goes with the connection's port, where it has one
 *   exec   a program as it is in argv[0]: its name, an absolute path where a star stands for (a part of) one name of it, or a
 *          template; behind that may be "/name"
 *   read, write   a folder or file: itself and what lies below it; a template may have a suffix
 *
 *   host   a function of the host's by its name, or "command" for commands on servers
 *
 * ${opts.F} is the call's opts, for extractBackup's destination. Absent grants nothing. Paths are compared after links are resolved
 * as far as the path exists, with what is declared and with what was granted, which may be a folder above. Does no I/O but realpath. */
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "task.h"

/* A text member of a JSON map by dotted path; of a list its first entry. Owned. */
static char *text_in(const char *json, const char *path) {
  orr__json *map = orr__json_parse_map(json, NULL);
  const orr__json *value = map ? orr__json_path_get(map, path) : NULL;
  if (orr__json_is_list(value)) value = orr__json_first(value);
  char *text = orr__strdup(orr__json_text(value));
  orr__json_free(map);
  return text;
}

/* A field or, where there is none of that name, an entry of the configuration. Owned. */
static char *text_of(const orr__object *object, const char *name) {
  if (!object) return NULL;
  int field = orr__field_find(object->model, name);
  enum orr__type type = field >= 0 ? object->model->fields[field].type : ORR_T_MAP;
  if (type == ORR_T_STR) return orr__strdup(orr__get_str(object, field));
  int config = orr__field_find(object->model, "config"), secrets = orr__field_find(object->model, "secrets");
  char *text = config >= 0 ? text_in(orr__get_str(object, config), name) : NULL;
  return text || secrets < 0 ? text : text_in(orr__get_str(object, secrets), name);
}

static const orr__object *head_of(const void *object) {
  return object; /* every model begins with its head */
}

/* The pattern with its template filled in; NULL if what it names is not set. Owned. */
static char *fill(const orr__call *call, const char *pattern) {
  const char *name = strchr(pattern, '.'), *end = strchr(pattern, '}');
  if (!orr__starts_with(pattern, "${")) return orr__strdup(pattern);
  if (!name || !end || name > end) return NULL;
  char *field = orr__strndup(name + 1, (size_t)(end - name - 1));
  if (!field) return NULL;
  char *value = NULL;
  if (orr__starts_with(pattern, "${connection.")) value = text_of(head_of(call->graph.connection), field);
  else if (orr__starts_with(pattern, "${option.")) value = text_of(head_of(call->graph.backup), field);
  else if (orr__starts_with(pattern, "${opts.")) value = text_in(call->opts, field);
  free(field);
  if (!value || !*value) {
    free(value);
    return NULL;
  }
  char *filled = orr__strf("%s%s", value, end + 1);
  free(value);
  return filled;
}

static int parse_origin(const char *text, orr__url *ret) {
  if (strstr(text, "://")) return orr__url_parse(text, ret, NULL);
  char *with_scheme = orr__strf("https://%s", text);
  int rc = with_scheme ? orr__url_parse(with_scheme, ret, NULL) : ORR_E_NOMEM;
  free(with_scheme);
  return rc;
}

static void origin_clear(orr__origin *entry) {
  if (entry->text) explicit_bzero(entry->text, strlen(entry->text)); /* there may be a password in it */
  free(entry->text);
  orr__url_clear(&entry->url);
  *entry = (orr__origin){ 0 };
}

void orr__origins_clear(orr__bindings *b) {
  for (size_t i = 0; i < ORR_ORIGINS; i++) origin_clear(&b->origins[i]);
}

const orr__url *orr__origin_of(orr__bindings *b, const char *text) {
  orr__origin *entry = &b->origins[orr__hash64(text, strlen(text)) % ORR_ORIGINS];
  if (orr__streq(entry->text, text)) return &entry->url;
  orr__origin fresh = { .text = orr__strdup(text) };
  if (!fresh.text || parse_origin(text, &fresh.url) != 0) {
    free(fresh.text);
    return NULL;
  }
  origin_clear(entry);
  *entry = fresh;
  return &entry->url;
}

static bool origin_fits(orr__bindings *b, const char *pattern, const orr__url *url) {
  const char *star = strstr(pattern, "*.");
  bool is_wild = star && (star == pattern || star[-1] == '/');
  if (!is_wild) {
    const orr__url *granted = orr__origin_of(b, pattern);
    return granted && orr__streq(granted->origin, url->origin);
  }
  /* Without the star it is an origin whose host must be a proper suffix, from a dot on. */
  char *plain = orr__strf("%.*s%s", (int)(star - pattern), pattern, star + 2);
  const orr__url *granted = plain ? orr__origin_of(b, plain) : NULL;
  free(plain);
  if (!granted) return false;
  size_t have = strlen(url->host), want = strlen(granted->host);
  return have > want + 1 && orr__streq(url->host + have - want, granted->host) && url->host[have - want - 1] == '.' &&
         url->port == granted->port && orr__streq(url->scheme, granted->scheme);
}

/* realpath of the longest part that exists, and the rest behind it. NULL for a path that is not absolute, or whose
 * missing part has '..' in it. Owned. */
static char *resolve(const char *path) {
  if (path[0] != '/') return NULL;
  char *head = orr__strdup(path), *resolved = NULL;
  size_t len = head ? strlen(head) : 0;
  while (head && len > 0) {
    head[len] = '\0';
    resolved = realpath(len ? head : "/", NULL);
    if (resolved) break;
    while (len > 0 && head[len - 1] != '/') len--;
    while (len > 1 && head[len - 1] == '/') len--;
    if (len == 1) {
      resolved = orr__strdup("/");
      break;
    }
  }
  free(head);
  if (!resolved) return NULL;
  const char *rest = path + len;
  while (*rest == '/') rest++;
  bool climbs = false;
  for (const char *c = rest; c && *c; c = strchr(c, '/') ? strchr(c, '/') + 1 : NULL)
    climbs = climbs || strncmp(c, "../", 3) == 0 || strcmp(c, "..") == 0;
  char *whole = climbs ? NULL : *rest ? orr__strf("%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, rest) : orr__strdup(resolved);
  free(resolved);
  return whole;
}

static bool path_fits(const char *pattern, const char *path) {
  char *root = resolve(pattern), *wanted = resolve(path);
  size_t len = root ? strlen(root) : 0;
  while (len > 0 && root[len - 1] == '/') len--;
  bool fits = root && wanted && strncmp(wanted, root, len) == 0 && (wanted[len] == '/' || wanted[len] == '\0');
  free(root);
  free(wanted);
  return fits;
}

/* `declared` is the pattern before its template was filled in: a star in what a person configured is just a star. */
static bool program_fits(const char *declared, const char *pattern, const char *what) {
  bool has_star = declared[0] == '/' && strchr(declared, '*');
  return has_star ? fnmatch(pattern, what, FNM_PATHNAME | FNM_PERIOD | FNM_NOESCAPE) == 0 : strcmp(pattern, what) == 0;
}

static bool fits(const char *kind, const char *declared, const char *pattern, const char *what) {
  if (strcmp(kind, "host") == 0) return strcmp(pattern, what) == 0;
  return strcmp(kind, "exec") == 0 ? program_fits(declared, pattern, what) : path_fits(pattern, what);
}

static int denied_url(const orr__url *url, orr_error *reterr) {
  bool is_default = url->port == (orr__streq(url->scheme, "http") ? 80 : 443);
  if (is_default)
    return orr__error_set(reterr, ORR_E_DENIED, "%s://%s is not granted; add \"%s://%s\" to needs.http", url->scheme, url->host,
                          url->scheme, url->host);
  return orr__error_set(reterr, ORR_E_DENIED, "%s is not granted; add \"%s\" to needs.http", url->origin, url->origin);
}

/* The origin of a need; NULL if what its template names is not set. Owned. */
static char *fill_origin(const orr__call *call, const char *declared) {
  char *origin = fill(call, declared);
  int64_t port = call->graph.connection ? call->graph.connection->port : 0;
  if (!origin || port <= 0 || strcmp(declared, "${connection.host}") != 0) return origin;
  char *with_port = orr__strf("%s:%lld", origin, (long long)port);
  free(origin);
  return with_port;
}

static int too_early(const char *what, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_DENIED, "%s: nothing can be reached while the provider loads", what);
}

int orr__granted_url(lua_State *L, const orr__url *url, orr_error *reterr) {
  orr__version *v = orr__version_of(L);
  const orr__call *call = orr__current_call(L);
  bool is_granted = false;
  if (!call) return too_early(url->origin, reterr);
  const orr__json *list = orr__json_get(v->needs, "http");
  for (const orr__json *m = orr__json_first(list); m && !is_granted; m = orr__json_next(m)) {
    char *pattern = fill_origin(call, orr__json_text(m));
    is_granted = pattern && origin_fits(v->bindings, pattern, url);
    free(pattern);
  }
  return is_granted ? 0 : denied_url(url, reterr);
}

static bool is_listed(const orr__call *call, const orr__json *needs, const char *kind, const char *what) {
  bool is_found = false;
  for (const orr__json *m = orr__json_first(orr__json_get(needs, kind)); m && !is_found; m = orr__json_next(m)) {
    char *pattern = fill(call, orr__json_text(m));
    is_found = pattern && fits(kind, orr__json_text(m), pattern, what);
    free(pattern);
  }
  return is_found;
}

/* What is declared lies below what was granted, and a link on the way leads out of that. */
static int denied_link(const char *kind, const char *what, orr_error *reterr) {
  char *real = resolve(what);
  const char *to = real ? real : what;
  int rc = orr__error_set(reterr, ORR_E_DENIED, "%s leads to %s, which is outside of what was granted; add \"%s\" to needs.%s", what, to, to, kind);
  free(real);
  return rc;
}

int orr__granted(lua_State *L, const char *kind, const char *what, orr_error *reterr) {
  const orr__version *v = orr__version_of(L);
  const orr__call *call = orr__current_call(L);
  if (!call) return too_early(what, reterr);
  if (!is_listed(call, v->needs, kind, what))
    return orr__error_set(reterr, ORR_E_DENIED, "%s is not granted; add \"%s\" to needs.%s", what, what, kind);
  return !v->granted || is_listed(call, v->granted, kind, what) ? 0 : denied_link(kind, what, reterr);
}
