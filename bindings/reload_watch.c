/* Which folders are watched for which provider, and whom a change concerns.
 *
 *   every folder that is searched        a name in it is that of a provider: this one is touched, also one that nobody knew;
 *                                        `..data` and the like, or the folder itself: all that are known
 *   the folders of a provider's modules, and every folder that a link of its files leads through: this provider
 *
 * What editors leave beside a file concerns nobody. Does not know what is done about a change (reload.c). */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "registry.h"

#define LINKS_MAX 40

/* Swap files, locks and copies: .x.lua.swp, .#x.lua, #x.lua#, x.lua~, 4913. Not `..data`, which Kubernetes swaps. */
static bool is_litter(const char *name) {
  size_t len = strlen(name);
  bool is_hidden = name[0] == '.' && name[1] != '.';
  return is_hidden || name[0] == '#' || (len > 0 && name[len - 1] == '~') || strcmp(name, "4913") == 0;
}

static void touch_all(orr__bindings *b) {
  for (orr__provider *p = b->providers; p; p = p->next)
    if (!p->is_text) orr__provider_touch(p);
}

/* A folder or link has come that files which could not be read may lead through. */
static void touch_refused(orr__bindings *b) {
  for (orr__provider *p = b->providers; p; p = p->next)
    if (!p->is_text && p->last == ORR_RELOAD_REFUSED) orr__provider_touch(p);
}

/* It may be a new provider: it is known from now on, and read when it has settled. */
static void expect(orr__bindings *b, const char *code) {
  orr__provider *p = orr__provider_make(b, code);
  if (!p) return;
  orr__provider_put(p);
  orr__provider_touch(p);
}

static bool may_be_code(const char *name, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') return false;
  return len > 0 && isalnum((unsigned char)*name);
}

static void dir_changed(void *arg, const char *name) {
  orr__bindings *b = arg;
  if (b->is_closing || (name && is_litter(name))) return;
  size_t len = name ? strlen(name) : 0;
  bool is_file = len > 4 && strcmp(name + len - 4, ".lua") == 0;
  if (is_file) len -= 4;
  if (!name || name[0] == '.') { /* `..data` */
    touch_all(b);
    return;
  }
  if (!may_be_code(name, len)) return;
  char *code = orr__strndup(name, len);
  orr__provider *p = code ? orr__provider_known(b, code) : NULL;
  if (p && !p->is_text) orr__provider_touch(p);
  else if (!p && code && is_file) expect(b, code);
  else if (!p) touch_refused(b);
  free(code);
}

static void own_changed(void *arg, const char *name) {
  orr__provider *p = arg;
  if (!name || !is_litter(name)) orr__provider_touch(p);
}

/* ---- what a provider's files lie in -------------------------------------------------------------------------- */

struct wanted {
  char **paths;
  size_t count;
  bool is_whole;
};

/* Takes path. Those that are searched anyway are not watched twice. */
static void want(struct wanted *w, const orr__bindings *b, char *path) {
  bool is_there = !path;
  for (size_t i = 0; path && b->dirs[i]; i++) is_there = is_there || strcmp(b->dirs[i], path) == 0;
  for (size_t i = 0; path && i < w->count; i++) is_there = is_there || strcmp(w->paths[i], path) == 0;
  char **paths = is_there ? NULL : realloc(w->paths, (w->count + 1) * sizeof *paths);
  if (paths) {
    w->paths = paths;
    w->paths[w->count++] = path;
    return;
  }
  if (!is_there || !path) w->is_whole = false;
  free(path);
}

static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? orr__strndup(path, slash == path ? 1 : (size_t)(slash - path)) : orr__strdup(".");
}

/* The folders that the links of a file lead through; links in those folders' own paths are the port's business. */
static void want_links(struct wanted *w, const orr__bindings *b, const char *path) {
  char *at = orr__strdup(path);
  for (int i = 0; at && i < LINKS_MAX; i++) {
    char target[PATH_MAX];
    want(w, b, folder_of(at));
    ssize_t len = readlink(at, target, sizeof target - 1);
    if (len < 0) break;
    target[len] = '\0';
    char *folder = *target == '/' ? NULL : folder_of(at);
    char *next = *target == '/' ? orr__strdup(target) : orr__strf("%s/%s", folder ? folder : ".", target);
    free(folder);
    free(at);
    at = next;
  }
  free(at);
}

static void want_stamp(struct wanted *w, const orr__bindings *b, const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) want(w, b, orr__strdup(path));
  else want_links(w, b, path);
}

static orr__folder *keep_or_watch(orr__provider *p, const char *path) {
  orr__folder *folder = NULL;
  for (size_t i = 0; i < p->folder_count; i++) {
    if (!p->folders[i] || strcmp(orr__folder_path(p->folders[i]), path) != 0) continue;
    folder = p->folders[i];
    p->folders[i] = NULL;
    return folder;
  }
  return orr__folder_new(p->bindings->folders, path, own_changed, p, &folder) == 0 ? folder : NULL;
}

static bool dirs_are_watched(const orr__bindings *b) {
  for (size_t i = 0; b->dirs[i]; i++)
    if (!b->dir_folders[i] || !orr__folder_is_watched(b->dir_folders[i])) return false;
  return true;
}

void orr__reload_watch(orr__provider *p) {
  orr__bindings *b = p->bindings;
  struct wanted w = { .is_whole = true };
  if (!b->folders || b->is_closing) return;
  for (size_t i = 0; i < p->stamps.count; i++) want_stamp(&w, b, p->stamps.items[i].path);
  orr__folder **folders = w.count ? calloc(w.count, sizeof *folders) : NULL;
  if (w.count && !folders) w.is_whole = false;
  for (size_t i = 0; folders && i < w.count; i++) {
    folders[i] = keep_or_watch(p, w.paths[i]);
    if (!folders[i] || !orr__folder_is_watched(folders[i])) w.is_whole = false;
  }
  for (size_t i = 0; i < p->folder_count; i++) orr__folder_free(p->folders[i]);
  free(p->folders);
  p->folders = folders;
  p->folder_count = folders ? w.count : 0;
  p->is_watched = w.is_whole && dirs_are_watched(b);
  for (size_t i = 0; i < w.count; i++) free(w.paths[i]);
  free(w.paths);
  /* Between the reading and the watch nobody told of anything. */
  if (orr__stamps_changed(&p->stamps)) orr__provider_touch(p);
}

void orr__reload_unwatch(orr__provider *p) {
  for (size_t i = 0; i < p->folder_count; i++) orr__folder_free(p->folders[i]);
  free(p->folders);
  p->folders = NULL;
  p->folder_count = 0;
  p->is_watched = false;
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

int orr__reload_open(orr__bindings *b, orr_error *reterr) {
  size_t count = 0;
  if (orr__loop_is_virtual(b->config.loop)) return 0;
  while (b->dirs[count]) count++;
  b->dir_folders = calloc(count + 1, sizeof *b->dir_folders);
  if (!b->dir_folders) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int rc = orr__folders_new(b->config.loop, &b->folders, reterr);
  for (size_t i = 0; !rc && i < count; i++)
    if (orr__folder_new(b->folders, b->dirs[i], dir_changed, b, &b->dir_folders[i]) != 0)
      rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return rc;
}

void orr__reload_close(orr__bindings *b) {
  for (size_t i = 0; b->dir_folders && b->dirs[i]; i++) orr__folder_free(b->dir_folders[i]);
  free(b->dir_folders);
  orr__folders_free(b->folders);
  b->dir_folders = NULL;
  b->folders = NULL;
}
