/* Where providers are: NAME.lua or NAME/init.lua in the configured folders.
 *
 * A name that is found twice, in whichever folders, is an error that shows both: which one runs must never depend on the order
 * of a setting. Reads no file; provider_read.c does. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "registry.h"

#define SUFFIX ".lua"
#define MAIN_FILE "init.lua"

/* Is a file there? Where nobody may look, *ret_errno says why there might be one. */
static bool is_file(const char *path, int *ret_errno) {
  struct stat st;
  if (stat(path, &st) == 0) return S_ISREG(st.st_mode);
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG) *ret_errno = errno;
  return false;
}

/* One file by two ways: a folder that is configured twice, or is a link to another. */
static bool is_same_file(const char *a, const char *b) {
  struct stat sa, sb;
  return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

bool orr__is_spec(const char *name, size_t len) {
  static const char suffix[] = "_spec" SUFFIX;
  return len >= sizeof suffix && strcmp(name + len - (sizeof suffix - 1), suffix) == 0;
}

/* May it be a code? Also keeps paths out: no slash, no leading dot. */
static bool is_code(const char *text) {
  if (!isalnum((unsigned char)*text)) return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && *text != '-' && *text != '_') return false;
  return true;
}

static const char *code_at(void *arg, size_t i) {
  return ((char **)arg)[i];
}

static int not_found(const orr__bindings *b, const char *code, orr_error *reterr) {
  char **codes = NULL;
  const orr__provider *known = orr__provider_known(b, code);
  /* It was there before: its own name is the last to suggest. */
  if (known && known->path) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s': its file is gone: %s", code, known->path);
  if (known && *known->kept_sha256) return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s': its file is gone", code);
  if (strchr(code, '/'))
    return orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s': a code is wanted here, not a path; --providers FOLDER says where it lies", code);
  const char *near = NULL;
  if (orr__provider_codes(b, &codes, NULL) == 0) near = orr__nearest(code, code_at, codes);
  if (near) orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s' (did you mean '%s'?)", code, near);
  else if (!b->dirs[0]) orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s', and no provider folder is configured", code);
  else
    orr__error_set(reterr, ORR_E_NOT_FOUND, "no provider '%s' in %s%s", code, b->dirs[0],
                   b->dirs[1] ? " or the other provider folders" : "");
  orr__codes_free(codes);
  return ORR_E_NOT_FOUND;
}

struct search {
  const char *code;
  char *path, *folder;       /* what was found */
  char *hidden;              /* the first place where nobody may look */
  int hidden_errno;
};

/* A place where it may lie. Takes path and folder, which is NULL for a single file. */
static int consider(struct search *s, char *path, char *folder, orr_error *reterr) {
  int why = 0, rc = 0;
  bool is_there = path && is_file(path, &why);
  if (!path) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  else if (is_there && s->path && !is_same_file(s->path, path))
    rc = orr__error_set(reterr, ORR_E_INVALID, "two providers are called '%s': %s and %s; remove or rename one", s->code, s->path, path);
  if (is_there && !s->path) {
    s->path = path;
    s->folder = folder;
    return 0;
  }
  if (why && !s->hidden) {
    s->hidden = path;
    s->hidden_errno = why;
    path = NULL;
  }
  free(path);
  free(folder);
  return rc;
}

int orr__provider_find(const orr__bindings *b, const char *code, char **ret_path, char **ret_folder, orr_error *reterr) {
  struct search s = { .code = code };
  int rc = 0;
  if (!is_code(code)) return not_found(b, code, reterr);
  for (size_t i = 0; b->dirs[i] && !rc; i++) {
    char *folder = orr__strf("%s/%s", b->dirs[i], code);
    rc = consider(&s, orr__strf("%s/%s" SUFFIX, b->dirs[i], code), NULL, reterr);
    if (!rc) rc = consider(&s, folder ? orr__strf("%s/" MAIN_FILE, folder) : NULL, folder, reterr);
    else free(folder);
  }
  if (!rc && !s.path && s.hidden) rc = orr__error_errno(reterr, ORR_E_IO, s.hidden_errno, "provider '%s': %s", code, s.hidden);
  else if (!rc && !s.path) rc = not_found(b, code, reterr);
  free(s.hidden);
  if (rc) {
    free(s.path);
    free(s.folder);
    return rc;
  }
  *ret_path = s.path;
  *ret_folder = s.folder;
  return 0;
}

struct codes {
  char **items;
  size_t count, cap;
};

static int add_code(struct codes *codes, const char *text, size_t len) {
  if (codes->count >= ORR_PROVIDERS_MAX) return ORR_E_LIMIT;
  if (codes->count + 1 >= codes->cap) {
    size_t cap = codes->cap ? codes->cap * 2 : 32;
    char **items = realloc(codes->items, cap * sizeof *items);
    if (!items) return ORR_E_NOMEM;
    codes->items = items;
    codes->cap = cap;
  }
  char *code = orr__strndup(text, len);
  if (!code) return ORR_E_NOMEM;
  if (!is_code(code)) {
    free(code);
    return 0;
  }
  codes->items[codes->count++] = code;
  codes->items[codes->count] = NULL;
  return 0;
}

static int scan(struct codes *codes, const char *folder) {
  DIR *dir = opendir(folder);
  int rc = 0;
  if (!dir) return 0; /* a folder that is not there has no providers in it */
  for (struct dirent *entry; !rc && (entry = readdir(dir)) != NULL;) {
    size_t len = strlen(entry->d_name), suffix = sizeof SUFFIX - 1;
    if (entry->d_name[0] == '.' || orr__is_spec(entry->d_name, len)) continue;
    if (len > suffix && strcmp(entry->d_name + len - suffix, SUFFIX) == 0) {
      rc = add_code(codes, entry->d_name, len - suffix);
      continue;
    }
    int why = 0;
    char *main_file = orr__strf("%s/%s/" MAIN_FILE, folder, entry->d_name);
    if (!main_file) rc = ORR_E_NOMEM;
    else if (is_file(main_file, &why) || why) rc = add_code(codes, entry->d_name, len); /* who asks for it is told why */
    free(main_file);
  }
  closedir(dir);
  return rc;
}

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int orr__provider_codes(const orr__bindings *b, char ***ret_codes, orr_error *reterr) {
  struct codes codes = { calloc(1, sizeof(char *)), 0, 1 };
  int rc = codes.items ? 0 : ORR_E_NOMEM;
  for (size_t i = 0; b->dirs[i] && !rc; i++) rc = scan(&codes, b->dirs[i]);
  for (const orr__provider *p = b->providers; p && !rc; p = p->next) rc = add_code(&codes, p->code, strlen(p->code));
  if (rc) {
    orr__codes_free(codes.items);
    return orr__error_set(reterr, rc, "listing providers: %s", rc == ORR_E_LIMIT ? "too many" : "out of memory");
  }
  qsort(codes.items, codes.count, sizeof *codes.items, compare);
  size_t kept = 0;
  for (size_t i = 0; i < codes.count; i++) {
    if (kept > 0 && strcmp(codes.items[i], codes.items[kept - 1]) == 0) free(codes.items[i]);
    else codes.items[kept++] = codes.items[i];
  }
  codes.items[kept] = NULL;
  *ret_codes = codes.items;
  return 0;
}

void orr__codes_free(char **codes) {
  for (size_t i = 0; codes && codes[i]; i++) free(codes[i]);
  free(codes);
}
