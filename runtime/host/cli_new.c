/* `provider new`: a provider that works at once, with its spec, and what an editor wants to know.
 *
 *   NAME/init.lua   NAME/spec/NAME_spec.lua   NAME/README.md   NAME/.luarc.json   NAME/.luacats/orrery.lua, libraries.lua, test.lua
 *
 * The texts travel in the program (skeleton.h). Nothing that is there is touched: all is written into a folder beside, which takes its
 * place as a whole, or not at all. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"
#include "host/skeleton.h"

enum { NAME_LEN_MAX = 64, TEXT_MAX = 1 << 20, FILE_MODE = 0644, FOLDER_MODE = 0755 };

static int check_name(const char *name, orr_error *reterr) {
  size_t len = strlen(name);
  bool is_code = isalnum((unsigned char)*name) && len <= NAME_LEN_MAX &&
                 strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
  if (is_code) return 0;
  return orr__error_set(reterr, ORR_E_INVALID, "'%.80s' cannot be the name of a provider: letters, digits, - and _, %d at most, and a letter or digit first",
                        name, NAME_LEN_MAX);
}

/* "acme-cloud" -> "Acme Cloud". Owned. */
static char *spoken_name(const char *code) {
  char *name = orr__strdup(code);
  for (char *c = name; c && *c; c++) {
    if (*c == '-' || *c == '_') *c = ' ';
    else if (c == name || c[-1] == ' ') *c = (char)toupper((unsigned char)*c);
  }
  return name;
}

static void fill(orr__buf *out, const orr__text_file *file, const char *code, const char *name) {
  for (const char *at = file->text, *end = at + file->len; at < end;) {
    if (orr__starts_with(at, "@CODE@")) orr__buf_adds(out, code), at += strlen("@CODE@");
    else if (orr__starts_with(at, "@NAME@")) orr__buf_adds(out, name), at += strlen("@NAME@");
    else orr__buf_addc(out, *at++);
  }
}

static const char *place_of(const char *name) {
  static const char *const places[][2] = { { "init", "init.lua" }, { "README", "README.md" }, { "luarc", ".luarc.json" } };
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (orr__streq(places[i][0], name)) return places[i][1];
  return NULL;
}

static int write_file(const char *folder, const char *place, const orr__text_file *file, const char *code, const char *name, orr_error *reterr) {
  orr__buf text;
  orr__buf_init(&text, TEXT_MAX);
  fill(&text, file, code, name);
  char *path = orr__strf("%s/%s", folder, place);
  int rc = !path || orr__buf_error(&text) ? orr__error_set(reterr, ORR_E_NOMEM, "out of memory")
                                          : orr__file_write(path, orr__buf_text(&text), text.len, FILE_MODE, reterr);
  orr__buf_clear(&text);
  free(path);
  return rc;
}

static int make_folder(const char *folder, const char *inner, orr_error *reterr) {
  char *path = orr__strf("%s%s%s", folder, *inner ? "/" : "", inner);
  int rc = path ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (path && mkdir(path, FOLDER_MODE) != 0) rc = orr__error_errno(reterr, ORR_E_IO, errno, "folder %s", path);
  free(path);
  return rc;
}

static int write_all(const char *folder, const char *code, orr_error *reterr) {
  char *name = spoken_name(code), *spec = orr__strf("spec/%s_spec.lua", code);
  int rc = name && spec ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0) rc = make_folder(folder, "", reterr);
  if (rc == 0) rc = make_folder(folder, "spec", reterr);
  if (rc == 0) rc = make_folder(folder, ".luacats", reterr);
  for (const orr__text_file *file = orr__skeleton; rc == 0 && file->name; file++) {
    const char *place = place_of(file->name);
    rc = write_file(folder, place ? place : spec, file, code, name, reterr);
  }
  for (const orr__text_file *file = orr__luacats; rc == 0 && file->name; file++) {
    char *place = orr__strf(".luacats/%s.lua", file->name);
    rc = place ? write_file(folder, place, file, code, name, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    free(place);
  }
  free(name);
  free(spec);
  return rc;
}

/* What was written before something went wrong. */
static void remove_all(const char *folder, const char *code) {
  char *spec = orr__strf("spec/%s_spec.lua", code);
  const char *const names[] = { "init.lua", "README.md", ".luarc.json", spec, "spec", ".luacats", "" };
  for (const orr__text_file *file = orr__luacats; file->name; file++) {
    char *path = orr__strf("%s/.luacats/%s.lua", folder, file->name);
    if (path) remove(path);
    free(path);
  }
  for (size_t i = 0; spec && i < sizeof names / sizeof *names; i++) {
    char *path = orr__strf("%s/%s", folder, names[i]);
    if (path) remove(path);
    free(path);
  }
  free(spec);
}

static int make(const char *dir, const char *code, char **ret_path, orr_error *reterr) {
  char *path = orr__strf("%s/%s", dir, code), *beside = orr__strf("%s/.%s.%ld.new", dir, code, (long)getpid()), *single = orr__strf("%s/%s.lua", dir, code);
  struct stat st;
  int rc = path && beside && single ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0 && (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))) rc = orr__error_set(reterr, ORR_E_NOT_FOUND, "there is no folder %s", dir);
  if (rc == 0 && lstat(path, &st) == 0) rc = orr__error_set(reterr, ORR_E_EXISTS, "%s is there already, and stays as it is", path);
  if (rc == 0 && lstat(single, &st) == 0) rc = orr__error_set(reterr, ORR_E_EXISTS, "%s is a provider of that name already", single);
  if (rc == 0) {
    rc = write_all(beside, code, reterr);
    if (rc == 0 && rename(beside, path) != 0)
      rc = errno == ENOTEMPTY || errno == EEXIST ? orr__error_set(reterr, ORR_E_EXISTS, "%s is there already, and stays as it is", path)
                                                 : orr__error_errno(reterr, ORR_E_IO, errno, "folder %s", path);
    if (rc != 0) remove_all(beside, code);
  }
  free(beside);
  free(single);
  if (rc == 0) *ret_path = path;
  else free(path);
  return rc;
}

int orr__cli_new(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  const char *name = orr__json_word(cli->kept, "name"), *to = orr__json_word(cli->kept, "to");
  char *dir = orr__path_absolute(to ? to : "."), *path = NULL;
  int rc = dir ? check_name(name, &error) : orr__error_set(&error, ORR_E_NOMEM, "out of memory");
  if (rc == 0) rc = make(dir, name, &path, &error);
  free(dir);
  if (rc != 0) return orr__cli_fail(cli, &error);
  cJSON *data = cJSON_CreateObject();
  if (data) cJSON_AddStringToObject(data, "path", path);
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  const char *shown = to ? path : name;
  orr__buf_addf(&out, "%s: a provider, its spec, and what an editor wants to know. Next:\n", path);
  orr__buf_addf(&out, "  orrery provider test %s%s\n  orrery provider dev %s%s\n  then README.md in it\n", to ? "" : "./", shown, to ? "" : "./", shown);
  if (cli->globals.is_json) orr__print_done(data, "made");
  else if (!cli->globals.is_quiet) orr__print(&out);
  orr__buf_clear(&out);
  cJSON_Delete(data);
  free(path);
  return 0;
}
