/* --set and --opt: key=value into a map.
 *
 *   key=text       text; if it begins with { or [ and is JSON, that
 *   key:=json      JSON: numbers, true, false, null, lists, maps, or a "text" that begins with @
 *   key=@file      the text of a file, without its last line end
 *   key=-          the text of standard input, without its last line end: for secrets
 *   a.b=text       maps within maps; a\.b is one key with a dot
 *
 * A later key replaces an earlier one. Knows no commands. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "host/cli.h"

#define VALUE_MAX (4u << 20)
#define INTEGER_MAX 9007199254740992.0 /* 2^53 */

static void strip_line_end(char *text, size_t len) {
  if (len > 0 && text[len - 1] == '\n') text[--len] = '\0';
  if (len > 0 && text[len - 1] == '\r') text[--len] = '\0';
}

/* One line from a terminal that does not show it, else everything. */
static int read_stdin(const char *what, orr__buf *into, orr_error *reterr) {
  struct termios before, unseen;
  bool is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
  if (is_terminal) {
    unseen = before;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    fprintf(stderr, "%s: ", what);
    fflush(stderr);
  }
  int rc = 0;
  for (;;) {
    char bytes[4096];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) rc = orr__error_errno(reterr, ORR_E_IO, errno, "standard input");
    if (n <= 0) break;
    orr__buf_add(into, bytes, (size_t)n);
    if (is_terminal && bytes[n - 1] == '\n') break;
  }
  if (is_terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
  }
  return rc;
}

int orr__stdin_secret(const char *what, bool *stdin_taken, char **ret_text, orr_error *reterr) {
  if (*stdin_taken) return orr__error_set(reterr, ORR_E_INVALID, "%s: standard input can be read once only", what);
  *stdin_taken = true;
  orr__buf text;
  orr__buf_init(&text, VALUE_MAX);
  int rc = read_stdin(what, &text, reterr);
  if (rc == 0 && orr__buf_error(&text)) rc = orr__error_set(reterr, ORR_E_LIMIT, "%s: more than %u bytes", what, VALUE_MAX);
  size_t len = text.len;
  char *taken = rc == 0 ? orr__buf_take(&text, NULL) : NULL;
  orr__buf_clear(&text);
  if (rc != 0) return rc;
  if (!taken) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  strip_line_end(taken, len);
  *ret_text = taken;
  return 0;
}

/* Cuts the first key off a path, dots escaped by a backslash taken for themselves. */
static char *first_key(const char **path) {
  orr__buf key;
  orr__buf_init(&key, VALUE_MAX);
  const char *at = *path;
  for (; *at && *at != '.'; at++) {
    if (at[0] == '\\' && at[1] == '.') at++;
    orr__buf_addc(&key, *at);
  }
  *path = *at ? at + 1 : NULL;
  return orr__buf_take(&key, NULL);
}

int orr__set_path(cJSON *map, const char *path, cJSON *value, orr_error *reterr) {
  const char *rest = path;
  int rc = value ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  while (rc == 0 && value) {
    char *key = first_key(&rest);
    cJSON *found = key ? cJSON_GetObjectItemCaseSensitive(map, key) : NULL;
    if (!key) {
      rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    } else if (!*key) {
      rc = orr__error_field(reterr, path, "a key must not be empty");
    } else if (!rest) {
      if (found) cJSON_DeleteItemFromObjectCaseSensitive(map, key);
      if (cJSON_AddItemToObject(map, key, value)) value = NULL;
      else rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    } else if (found && !cJSON_IsObject(found)) {
      rc = orr__error_field(reterr, path, "'%s' has a value already and cannot be a map too", key);
    } else {
      map = found ? found : cJSON_AddObjectToObject(map, key);
      if (!map) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    }
    free(key);
  }
  cJSON_Delete(value);
  return rc;
}

/* Numbers that a double would round become text, here as everywhere. */
static cJSON *parse_json(const char *text) {
  cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
  if (cJSON_IsNumber(json) && fabs(json->valuedouble) >= INTEGER_MAX && strspn(text, "-0123456789") == strlen(text)) {
    cJSON_Delete(json);
    return cJSON_CreateString(text);
  }
  return json;
}

static int read_file(const char *key, const char *path, cJSON **ret_value, orr_error *reterr) {
  char *text = NULL;
  size_t len = 0;
  orr_error why = ORR_ERROR_INIT;
  int rc = orr__file_read(path, VALUE_MAX, &text, &len, &why);
  if (rc != 0) {
    orr__error_field(reterr, key, "%s", orr__error_message(&why));
    orr__error_clear(&why);
    return ORR_E_INVALID;
  }
  strip_line_end(text, len);
  if (orr__utf8_valid(text, strlen(text))) *ret_value = cJSON_CreateString(text);
  else rc = orr__error_field(reterr, key, "%s is not UTF-8 text", path);
  free(text);
  return rc;
}

static int read_value(const char *key, const char *text, bool is_json, bool *stdin_taken, cJSON **ret_value, orr_error *reterr) {
  char *secret = NULL;
  int rc = 0;
  if (is_json) {
    *ret_value = parse_json(text);
    if (!*ret_value) rc = orr__error_field(reterr, key, "'%s' is not JSON (what follows := must be)", text);
  } else if (text[0] == '@') {
    rc = read_file(key, text + 1, ret_value, reterr);
  } else if (orr__streq(text, "-")) {
    rc = orr__stdin_secret(key, stdin_taken, &secret, reterr);
    if (rc == 0) *ret_value = cJSON_CreateString(secret);
  } else {
    if (text[0] == '{' || text[0] == '[') *ret_value = parse_json(text);
    if (!*ret_value) *ret_value = cJSON_CreateString(text);
  }
  free(secret);
  return rc;
}

int orr__set_assign(cJSON *map, const char *text, bool *stdin_taken, orr_error *reterr) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text) return orr__error_field(reterr, text, "should be key=value, key:=json, key=@file or key=-");
  bool is_json = equals[-1] == ':';
  if (!orr__utf8_valid(text, strlen(text))) return orr__error_set(reterr, ORR_E_INVALID, "an argument that is not UTF-8");
  char *key = orr__strndup(text, (size_t)(equals - text) - is_json);
  if (!key) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  cJSON *value = NULL;
  int rc = read_value(key, equals + 1, is_json, stdin_taken, &value, reterr);
  if (rc == 0) rc = orr__set_path(map, key, value, reterr);
  free(key);
  return rc;
}
