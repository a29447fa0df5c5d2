/* Looking a provider over without making it live: for people who write one. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

#define FINDINGS_MAX 65536

/* The main file of what somebody names: a file, or a folder with an init.lua. Owned. */
static char *main_file(const char *path) {
  struct stat st;
  size_t len = strlen(path);
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return orr__strdup(path);
  while (len > 1 && path[len - 1] == '/') len--;
  return orr__strf("%.*s/init.lua", (int)len, path);
}

int orr__provider_check(orr__bindings *b, const char *path, char **ret_report, orr_error *reterr) {
  char *copy = main_file(path), *folder = NULL, *code = NULL;
  orr__sources sources = { 0 };
  orr__stamps stamps = { 0 };
  orr__buf findings, fields;
  orr__provider *p = NULL;
  orr__buf_init(&findings, FINDINGS_MAX);
  int rc = 0;
  const char *base = copy ? strrchr(copy, '/') : NULL;
  base = base ? base + 1 : copy;
  size_t len = base ? strlen(base) : 0;
  if (base && strcmp(base, "init.lua") == 0) {
    folder = base == copy ? orr__strdup(".") : orr__strndup(copy, (size_t)(base - copy - 1));
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (real) code = orr__strdup(basename(real));
    free(real);
  } else {
    code = orr__strndup(base, len > 4 && strcmp(base + len - 4, ".lua") == 0 ? len - 4 : len);
  }
  p = code ? orr__provider_make(b, code) : NULL;
  if (!copy || !p) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc) rc = orr__sources_read(code, copy, folder, &sources, &stamps, reterr);
  orr__buf_init(&fields, FINDINGS_MAX);
  if (!rc) {
    orr_error err = ORR_ERROR_INIT;
    for (size_t i = 0; i < sources.count; i++) orr__fields_check(sources.items[i].text, sources.items[i].len, sources.items[i].chunk, &fields);
    p->current = orr__version_load(p, &sources, &findings, &err);
    if (!p->current && findings.len == 0) rc = orr__error_move(reterr, &err);
    orr__error_clear(&err);
    orr__buf_adds(&findings, orr__buf_text(&fields));
  }
  char *report = rc ? NULL : orr__buf_take(&findings, NULL);
  if (!rc && !report) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!rc) *ret_report = report;
  orr__provider_free(p);
  orr__sources_clear(&sources);
  orr__stamps_clear(&stamps);
  orr__buf_clear(&findings);
  orr__buf_clear(&fields);
  free(copy);
  free(folder);
  free(code);
  return rc;
}
