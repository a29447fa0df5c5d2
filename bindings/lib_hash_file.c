/* hash.file: the SHA-256 of a file of any size without holding up the loop.
 *
 * Small files are read at once; a large one is left to sha256sum (coreutils, always there) as a child, because reading
 * gigabytes here would delay every other hook. The child only reads, so it needs no sent mark. */
#include "lib_hash_file.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "args.h"
#include "base/str.h"
#include "wait.h"

enum { AT_ONCE_MAX = 4 << 20, HEX_LEN = 64 };

typedef struct hash_wait {
  orr__wait wait;
  orr__processes *processes;
  uint64_t process;
  char *path;
  int64_t timeout_ms;
  int code;
  char text[HEX_LEN + 1];
  char message[256];
} hash_wait;

static bool take_digest(hash_wait *w, const orr__process_reply *reply) {
  /* sha256sum begins the line with a backslash when it had to escape the name. */
  const char *digest = reply->out_len > 0 && reply->out[0] == '\\' ? reply->out + 1 : reply->out;
  size_t len = reply->out_len - (size_t)(digest - reply->out);
  if (reply->exit_code != 0 || len < HEX_LEN || strspn(digest, "0123456789abcdef") < HEX_LEN) return false;
  memcpy(w->text, digest, HEX_LEN);
  return true;
}

static void done(void *arg, const orr__process_reply *reply) {
  hash_wait *w = arg;
  w->code = reply->code;
  if (reply->code) snprintf(w->message, sizeof w->message, "%s", reply->message);
  else if (!take_digest(w, reply)) {
    w->code = ORR_E_IO;
    snprintf(w->message, sizeof w->message, "%.*s", (int)strcspn(reply->err, "\n"), reply->err);
  }
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  hash_wait *w = (hash_wait *)wait;
  const char *argv[] = { "sha256sum", "--binary", "--", w->path, NULL };
  orr__process_spec spec = { .argv = argv, .timeout_ms = w->timeout_ms, .is_own = true, .max_output = 1 << 16 };
  return orr__process_start(w->processes, &spec, done, w, &w->process, reterr);
}

static void abort_hash(orr__wait *wait) {
  hash_wait *w = (hash_wait *)wait;
  orr__process_abort(w->processes, w->process);
}

static int push(orr__wait *wait, lua_State *L) {
  hash_wait *w = (hash_wait *)wait;
  if (w->code) return orr__push_failure(L, w->code, w->message);
  lua_pushboolean(L, true);
  lua_pushstring(L, w->text);
  return 2;
}

static void clear(orr__wait *wait) {
  free(((hash_wait *)wait)->path);
}

static const orr__wait_kind kind = { "hash.file", start, abort_hash, push, clear, NULL };

static int push_and_clear(lua_State *L, orr_error *err) {
  orr__push_error(L, err);
  orr__error_clear(err);
  return 2;
}

int orr__hash_file(lua_State *L) {
  const char *path = orr__arg_line(L, 1, "hash.file: path");
  orr_error err = ORR_ERROR_INIT;
  struct stat st;
  char hex[HEX_LEN + 1];
  if (orr__granted(L, "read", path, &err) != 0) return push_and_clear(L, &err);
  if (stat(path, &st) != 0) {
    orr__error_errno(&err, errno == ENOENT ? ORR_E_NOT_FOUND : ORR_E_IO, errno, "%s", path);
    return push_and_clear(L, &err);
  }
  if (!S_ISREG(st.st_mode)) return orr__push_failure(L, ORR_E_INVALID, "hash.file: no regular file");
  if (st.st_size <= AT_ONCE_MAX) {
    if (orr__sha256_file(path, hex, &err) != 0) return push_and_clear(L, &err);
    lua_pushboolean(L, true);
    lua_pushstring(L, hex);
    return 2;
  }
  hash_wait *w = orr__wait_new(L, &kind, sizeof *w);
  w->processes = orr__current_config(L)->processes;
  w->timeout_ms = orr__remaining_ms(L);
  w->path = orr__strdup(path);
  if (!w->path) {
    orr__wait_drop(&w->wait);
    return luaL_error(L, "out of memory");
  }
  return orr__wait_start(L, &w->wait, NULL);
}
