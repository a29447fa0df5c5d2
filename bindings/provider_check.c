/* Looking a provider over without making it live: for people who write one. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

/* What somebody names: a file, or a folder with an init.lua. */
typedef struct named {
  char *path;                /* of the main file */
  char *folder;              /* of its modules, or NULL: a single file */
  char *code;                /* what the declaration must say */
} named;

static void named_clear(named *n) {
  free(n->path);
  free(n->folder);
  free(n->code);
}

static char *main_file(const char *path) {
  struct stat st;
  size_t len = strlen(path);
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return orr__strdup(path);
  while (len > 1 && path[len - 1] == '/') len--;
  return orr__strf("%.*s%sinit.lua", (int)len, path, path[len - 1] == '/' ? "" : "/");
}

/* A folder is called as it is called where it really lies: "." has a name, too. */
static char *folder_name(const char *folder) {
  char *real = realpath(folder, NULL), *name = orr__strdup(basename(real ? real : (char *)(uintptr_t)""));
  free(real);
  return name;
}

static int take_name(const char *path, named *n, orr_error *reterr) {
  n->path = main_file(path);
  const char *slash = n->path ? strrchr(n->path, '/') : NULL, *base = slash ? slash + 1 : n->path;
  size_t len = base ? strlen(base) : 0;
  bool is_whole = base != NULL;
  if (base && strcmp(base, "init.lua") == 0) {
    n->folder = slash ? orr__strndup(n->path, slash == n->path ? 1 : (size_t)(slash - n->path)) : orr__strdup(".");
    n->code = n->folder ? folder_name(n->folder) : NULL;
    is_whole = n->folder != NULL;
  } else if (base) {
    n->code = orr__strndup(base, len > 4 && strcmp(base + len - 4, ".lua") == 0 ? len - 4 : len);
  }
  return is_whole && n->code ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

/* Messages call files as providers do; whoever asks wants to open them. */
static void name_files(orr__json *list, const orr__json *paths) {
  for (const orr__json *m = orr__json_first(list); m; m = orr__json_next(m)) {
    const char *chunk = orr__json_str(m, "file"), *path = chunk ? orr__json_str(paths, chunk) : NULL;
    if (path) orr__json_put_str((orr__json *)(uintptr_t)m, "file", path);
  }
}

static orr__json *paths_of(const orr__sources *sources) {
  orr__json *paths = orr__json_map();
  for (size_t i = 0; paths && i < sources->count; i++) orr__json_put_str(paths, sources->items[i].chunk, sources->items[i].path);
  return paths;
}

/* Takes the sources. */
static int look(orr__provider *p, orr__sources *sources, char **ret_findings, orr_error *reterr) {
  orr__findings findings = { 0 };
  orr_error err = ORR_ERROR_INIT;
  orr__json *paths = paths_of(sources);
  int rc = 0;
  p->current = orr__version_load(p, sources, &findings, &err);
  if (!p->current && findings.errors == 0) rc = orr__error_move(reterr, &err);
  orr__json *list = rc ? NULL : orr__findings_json(&findings);
  if (list) name_files(list, paths);
  char *text = list ? orr__json_print(list) : NULL;
  if (text) *ret_findings = text;
  else if (!rc) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  orr__error_clear(&err);
  orr__findings_clear(&findings);
  orr__json_free(list);
  orr__json_free(paths);
  return rc;
}

int orr__provider_check(orr__bindings *b, const char *path, char **ret_findings, orr_error *reterr) {
  named n = { 0 };
  orr__sources sources = { 0 };
  orr__stamps stamps = { 0 };
  int rc = take_name(path, &n, reterr);
  orr__provider *p = rc ? NULL : orr__provider_make(b, n.code);
  if (!rc && !p) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc) rc = orr__sources_read(n.code, n.path, n.folder, &sources, &stamps, reterr);
  if (!rc) rc = look(p, &sources, ret_findings, reterr);
  orr__provider_free(p);
  orr__sources_clear(&sources);
  orr__stamps_clear(&stamps);
  named_clear(&n);
  return rc;
}
