/* Reading a provider: all files of it, at once and before any runs, so that a version is one consistent picture.
 *
 * A single file is one source, a folder is init.lua and every other .lua file below it but specs: NAME_spec.lua, and what is in spec/. The hash of one file is the file's
 * SHA-256 (what sha256sum prints), of several the SHA-256 of their list as sha256sum prints it, sorted by name.
 *
 * The stamps say whether reading again could give something else. A file changed in the last RACY_MS may change once more
 * without its stamp showing it, so it is looked at again. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

#define DEPTH_MAX 4
#define RACY_MS 50

static int64_t nanoseconds(struct timespec t) {
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

static bool take_stamp(const char *path, orr__stamp *ret) {
  struct stat st;
  if (stat(path, &st) != 0) return false;
  ret->mtime_ns = nanoseconds(st.st_mtim);
  ret->ctime_ns = nanoseconds(st.st_ctim);
  ret->size = st.st_size;
  ret->inode = st.st_ino;
  ret->device = st.st_dev;
  ret->is_racy = now_ns() - ret->ctime_ns < (int64_t)RACY_MS * 1000000;
  return true;
}

static bool same_stamp(const orr__stamp *a, const orr__stamp *b) {
  return a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns && a->size == b->size && a->inode == b->inode && a->device == b->device;
}

bool orr__stamps_changed(const orr__stamps *stamps) {
  for (size_t i = 0; i < stamps->count; i++) {
    orr__stamp now = { 0 };
    if (!take_stamp(stamps->items[i].path, &now) || !same_stamp(&now, &stamps->items[i])) return true;
  }
  return false;
}

bool orr__stamps_racy(const orr__stamps *stamps) {
  for (size_t i = 0; i < stamps->count; i++)
    if (stamps->items[i].is_racy) return true;
  return false;
}

bool orr__stamps_young(const orr__stamps *stamps, int64_t ms) {
  int64_t now = now_ns();
  for (size_t i = 0; i < stamps->count; i++)
    if (now - stamps->items[i].ctime_ns < ms * 1000000) return true;
  return false;
}

void orr__stamps_clear(orr__stamps *stamps) {
  for (size_t i = 0; i < stamps->count; i++) free(stamps->items[i].path);
  free(stamps->items);
  memset(stamps, 0, sizeof *stamps);
}

static int add_stamp(orr__stamps *stamps, const char *path, orr_error *reterr) {
  orr__stamp stamp = { 0 };
  take_stamp(path, &stamp);
  orr__stamp *items = realloc(stamps->items, (stamps->count + 1) * sizeof *items);
  if (items) stamps->items = items;
  stamp.path = orr__strdup(path);
  if (!items || !stamp.path) {
    free(stamp.path);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  stamps->items[stamps->count++] = stamp;
  return 0;
}

/* Takes module and chunk (both owned, also on failure). */
static int add_source(orr__sources *sources, const char *path, char *module, char *chunk, orr_error *reterr) {
  orr__source source = { module, chunk, orr__strdup(path), NULL, 0 };
  int rc = chunk && source.path ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc && sources->count >= ORR_SOURCES_MAX)
    rc = orr__error_set(reterr, ORR_E_LIMIT, "%s: a provider has %d files at most", path, ORR_SOURCES_MAX);
  if (!rc) rc = orr__file_read(path, ORR_SOURCE_MAX, &source.text, &source.len, reterr);
  orr__source *items = rc ? NULL : realloc(sources->items, (sources->count + 1) * sizeof *items);
  if (!rc && !items) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc) {
    free(source.module);
    free(source.chunk);
    free(source.path);
    free(source.text);
    return rc;
  }
  sources->items = items;
  sources->items[sources->count++] = source;
  return 0;
}

/* "util/dates.lua" -> "util.dates". Owned. */
static char *module_name(const char *relative) {
  char *name = orr__strndup(relative, strlen(relative) - strlen(".lua"));
  for (char *c = name; c && *c; c++)
    if (*c == '/') *c = '.';
  return name;
}

static bool is_source(const char *name) {
  size_t len = strlen(name);
  return len > 4 && strcmp(name + len - 4, ".lua") == 0 && !orr__is_spec(name, len);
}

static int add_folder(const char *code, const char *folder, const char *relative, int depth, orr__sources *sources, orr__stamps *stamps,
                      orr_error *reterr) {
  char *path = *relative ? orr__strf("%s/%s", folder, relative) : orr__strdup(folder);
  struct dirent **entries = NULL;
  int count = path ? scandir(path, &entries, NULL, alphasort) : -1;
  int rc = path ? add_stamp(stamps, path, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char *inner = orr__strf("%s%s%s", relative, *relative ? "/" : "", name);
    char *full = orr__strf("%s/%s", folder, inner ? inner : "");
    struct stat st;
    if (!rc && inner && full && name[0] != '.' && stat(full, &st) == 0) {
      if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && (depth > 0 || strcmp(name, "spec") != 0)) {
        rc = add_folder(code, folder, inner, depth + 1, sources, stamps, reterr);
      } else if (S_ISREG(st.st_mode) && is_source(name) && strcmp(inner, "init.lua") != 0) {
        /* The stamp first: a change while we read makes it old. */
        rc = add_stamp(stamps, full, reterr);
        if (!rc) rc = add_source(sources, full, module_name(inner), orr__strf("%s/%s", code, inner), reterr);
      }
    }
    free(inner);
    free(full);
    free(entries[i]);
  }
  free(entries);
  free(path);
  return rc;
}

int orr__sources_hash(orr__sources *sources, orr_error *reterr) {
  orr__buf list;
  orr__buf_init(&list, ORR_SOURCES_MAX * 1024);
  char *hex = orr__sha256_hex(sources->items[0].text, sources->items[0].len);
  for (size_t i = 0; sources->count > 1 && i < sources->count; i++) {
    char *one = orr__sha256_hex(sources->items[i].text, sources->items[i].len);
    orr__buf_addf(&list, "%s  %s\n", one ? one : "", sources->items[i].chunk);
    free(one);
  }
  if (sources->count > 1) {
    free(hex);
    hex = orr__buf_error(&list) ? NULL : orr__sha256_hex(orr__buf_text(&list), list.len);
  }
  orr__buf_clear(&list);
  if (!hex) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  memcpy(sources->sha256, hex, sizeof sources->sha256);
  free(hex);
  return 0;
}

int orr__sources_read(const char *code, const char *path, const char *folder, orr__sources *ret, orr__stamps *ret_stamps,
                      orr_error *reterr) {
  orr__sources sources = { 0 };
  int rc = add_stamp(ret_stamps, path, reterr);
  if (!rc) rc = add_source(&sources, path, NULL, folder ? orr__strf("%s/init.lua", code) : orr__strf("%s.lua", code), reterr);
  if (!rc && folder) rc = add_folder(code, folder, "", 0, &sources, ret_stamps, reterr);
  if (!rc) rc = orr__sources_hash(&sources, reterr);
  if (rc) orr__sources_clear(&sources);
  else *ret = sources;
  return rc;
}

int orr__sources_from_text(const char *code, const char *text, size_t len, orr__sources *ret, orr_error *reterr) {
  if (len > ORR_SOURCE_MAX)
    return orr__error_set(reterr, ORR_E_LIMIT, "provider '%.100s': source text is limited to %u bytes", code, ORR_SOURCE_MAX);
  orr__sources sources = { calloc(1, sizeof *sources.items), 1, "" };
  if (!sources.items) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  orr__source *source = &sources.items[0];
  *source = (orr__source){ NULL, orr__strf("%s.lua", code), NULL, calloc(1, len + 1), len };
  if (source->text) memcpy(source->text, text, len);
  int rc = source->text && source->chunk ? orr__sources_hash(&sources, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc) orr__sources_clear(&sources);
  else *ret = sources;
  return rc;
}

/* ---- looking without reading --------------------------------------------------------------------------------- */

static void print_file(uint64_t *print, const char *path) {
  struct { uint64_t before; orr__stamp stamp; } seen;
  memset(&seen, 0, sizeof seen); /* the gaps too */
  seen.before = *print ^ orr__hash64(path, strlen(path));
  take_stamp(path, &seen.stamp);
  seen.stamp.is_racy = false;
  *print = orr__hash64(&seen, sizeof seen);
}

/* As add_folder walks. Of folders only what is in them counts: their own stamps change with every file that is none of ours. */
static void print_folder(uint64_t *print, const char *folder, int depth) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char *full = orr__strf("%s/%s", folder, name);
    struct stat st;
    if (full && name[0] != '.' && stat(full, &st) == 0) {
      if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) print_folder(print, full, depth + 1);
      else if (S_ISREG(st.st_mode) && is_source(name)) print_file(print, full);
    }
    free(full);
    free(entries[i]);
  }
  free(entries);
}

uint64_t orr__sources_print(const char *path, const char *folder) {
  uint64_t print = 1;
  print_file(&print, path);
  if (folder) print_folder(&print, folder, 0);
  return print;
}
