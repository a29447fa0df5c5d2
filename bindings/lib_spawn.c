/* Argument vectors and environments from Lua tables. Does not start anything. */
#include "lib_spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "port/process.h"

enum { ARGV_MAX = 10000 };
static const char *const inherited[] = { "PATH", "HOME", "LANG", "TMPDIR", "USER", NULL };

static size_t count_words(const char *const *words) {
  size_t count = 0;
  while (words && words[count]) count++;
  return count;
}

static void free_words(char **words) {
  for (size_t i = 0; words && words[i]; i++) free(words[i]);
  free(words);
}

static char **copy_words(const char *const *words) {
  size_t count = count_words(words);
  char **copy = calloc(count + 1, sizeof *copy);
  for (size_t i = 0; copy && i < count; i++) {
    copy[i] = orr__strdup(words[i]);
    if (copy[i]) continue;
    free_words(copy);
    return NULL;
  }
  return copy;
}

/* Does one of the words set the variable? */
static bool is_given(const char *const *words, const char *name) {
  size_t len = strlen(name);
  for (; words && *words; words++) {
    if (strncmp(*words, name, len) == 0 && (*words)[len] == '=') return true;
  }
  return false;
}

/* The given variables and, of ours, those that are not among them. */
static char **make_env(const char *const *given) {
  size_t count = count_words(given), at = 0;
  char **env = calloc(count + sizeof inherited / sizeof *inherited + 1, sizeof *env);
  if (!env) return NULL;
  for (size_t i = 0; i < count; i++) {
    env[at] = orr__strdup(given[i]);
    if (!env[at++]) goto failed;
  }
  for (const char *const *name = inherited; *name; name++) {
    const char *value = getenv(*name);
    if (!value || is_given(given, *name)) continue;
    env[at] = orr__strf("%s=%s", *name, value);
    if (!env[at++]) goto failed;
  }
  return env;
failed:
  free_words(env);
  return NULL;
}

int orr__spawn_take(lua_State *L, int table, const char *function, orr__spawn *ret, orr_error *reterr) {
  int top = lua_gettop(L);
  const char **given = NULL;
  size_t input_len = 0;
  char what[64];
  snprintf(what, sizeof what, "%s: env", function);
  orr__args_push(L, table, "argv");
  const char **argv = orr__words(L, lua_gettop(L));
  if (orr__args_push(L, table, "env") == LUA_TTABLE) given = orr__environment(L, lua_gettop(L), what);
  const char *cwd = orr__args_text(L, table, "cwd", NULL), *input = orr__args_text(L, table, "stdin", &input_len);
  size_t count = count_words(argv);
  if (count == 0 || !argv[0][0]) return orr__error_set(reterr, ORR_E_INVALID, "%s: 'argv' is empty", function);
  if (count > ARGV_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "%s: more than %d arguments", function, ARGV_MAX);
  *ret = (orr__spawn){ .argv = copy_words(argv), .env = make_env(given), .cwd = orr__strdup(cwd) };
  if (input) {
    ret->input = malloc(input_len + 1);
    if (ret->input) memcpy(ret->input, input, input_len + 1);
    ret->input_len = input_len;
  }
  lua_settop(L, top);
  if (ret->argv && ret->env && (!cwd || ret->cwd) && (!input || ret->input)) return 0;
  orr__spawn_clear(ret);
  return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

void orr__spawn_clear(orr__spawn *spawn) {
  free_words(spawn->argv);
  free_words(spawn->env);
  free(spawn->cwd);
  if (spawn->input) explicit_bzero(spawn->input, spawn->input_len);
  free(spawn->input);
  *spawn = (orr__spawn){ 0 };
}

const char *orr__spawn_program(const orr__spawn *spawn) {
  const char *slash = strrchr(spawn->argv[0], '/');
  return slash ? slash + 1 : spawn->argv[0];
}

void orr__spawn_missing(const orr__spawn *spawn, char *out, size_t size) {
  const char *program = orr__spawn_program(spawn), *package = orr__program_package(program);
  if (package) snprintf(out, size, "%s is not installed (Debian package %s)", spawn->argv[0], package);
  else snprintf(out, size, "%s is not installed, or not in PATH", spawn->argv[0]);
}
