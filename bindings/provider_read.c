/* Reading a provider: all files of it, at once and before any runs, so that a version is one consistent picture.
 *
 * A single file is one source, a folder is init.lua and every other .lua file below it but specs: NAME_spec.lua, and what is in spec/. The hash of one file is the file's
 * SHA-256 (what sha256sum prints), of several the SHA-256 of their list as sha256sum prints it, sorted by name.
 *
 * The stamps say whether reading again could give something else. A file changed in the last RACY_MS may change once more
 * without its stamp showing it, so it is looked at again. */
#include <dirent.h>
#include <errno.h>
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
  size_t total = source.len;
  for (size_t i = 0; i < sources->count; i++) total += sources->items[i].len;
  if (!rc && total > ORR_SOURCES_BYTES)
    rc = orr__error_set(reterr, ORR_E_LIMIT, "%s: the files of a provider have %u bytes at most, together", path, ORR_SOURCES_BYTES);
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

/* What a walk through a provider's folder does with each folder and each source in it. `inner` is the path below the top. */
typedef struct visitor {
  int (*folder)(void *arg, const char *path, orr_error *reterr); /* before what is in it; NULL: nothing */
  int (*source)(void *arg, const char *path, const char *inner, orr_error *reterr);
  void *arg;
} visitor;

/* A name that leads nowhere is no source: it was deleted a moment ago, or is a link whose end is missing. */
static bool leads_nowhere(int errnum) { return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP; }

static int walk(const char *code, const char *top, const char *relative, int depth, const visitor *v, orr_error *reterr);

static int look_at(const char *code, const char *top, const char *inner, int depth, const visitor *v, orr_error *reterr) {
  char *full = inner ? orr__strf("%s/%s", top, inner) : NULL;
  struct stat st;
  int rc = 0;
  if (!full) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  else if (stat(full, &st) != 0) rc = leads_nowhere(errno) ? 0 : orr__error_errno(reterr, ORR_E_IO, errno, "provider '%s': %s", code, full);
  else if (S_ISDIR(st.st_mode)) rc = depth < DEPTH_MAX && strcmp(inner, "spec") != 0 ? walk(code, top, inner, depth + 1, v, reterr) : 0;
  else if (S_ISREG(st.st_mode) && is_source(inner) && strcmp(inner, "init.lua") != 0) rc = v->source(v->arg, full, inner, reterr);
  free(full);
  return rc;
}

/* A folder that cannot be looked into may hold modules: without them it would be another version, so that is an error. */
static int walk(const char *code, const char *top, const char *relative, int depth, const visitor *v, orr_error *reterr) {
  char *path = *relative ? orr__strf("%s/%s", top, relative) : orr__strdup(top);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  struct dirent **entries = NULL;
  int rc = v->folder ? v->folder(v->arg, path, reterr) : 0;
  int count = rc ? 0 : scandir(path, &entries, NULL, alphasort);
  if (count < 0)
    rc = orr__error_errno(reterr, errno == ENOMEM ? ORR_E_NOMEM : ORR_E_IO, errno, "provider '%s': the folder %s cannot be read", code, path);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    if (!rc && name[0] != '.') {
      char *inner = orr__strf("%s%s%s", relative, *relative ? "/" : "", name);
      rc = look_at(code, top, inner, depth, v, reterr);
      free(inner);
    }
    free(entries[i]);
  }
  free(entries);
  free(path);
  return rc;
}

struct reading {
  const char *code;
  orr__sources *sources;
  orr__stamps *stamps;
};

static int read_folder(void *arg, const char *path, orr_error *reterr) {
  struct reading *reading = arg;
  return add_stamp(reading->stamps, path, reterr);
}

/* The stamp first: a change while we read makes it old. */
static int read_source(void *arg, const char *path, const char *inner, orr_error *reterr) {
  struct reading *reading = arg;
  int rc = add_stamp(reading->stamps, path, reterr);
  return rc ? rc : add_source(reading->sources, path, module_name(inner), orr__strf("%s/%s", reading->code, inner), reterr);
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
  struct reading reading = { code, &sources, ret_stamps };
  if (!rc && folder) rc = walk(code, folder, "", 0, &(visitor){ read_folder, read_source, &reading }, reterr);
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

static int print_source(void *arg, const char *path, const char *inner, orr_error *reterr) {
  (void)inner;
  (void)reterr;
  print_file(arg, path);
  return 0;
}

/* Of folders only what is in them counts, and that it can be looked at: their own stamps change with every file that is none of ours. */
uint64_t orr__sources_print(const char *path, const char *folder) {
  struct { uint64_t files; int64_t rc; } print = { 1, 0 };
  print_file(&print.files, path);
  if (folder) print.rc = walk("", folder, "", 0, &(visitor){ NULL, print_source, &print.files }, NULL);
  return print.rc ? orr__hash64(&print, sizeof print) : print.files;
}
