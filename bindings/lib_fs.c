/* fs: small things with local files, where the provider's `needs.read` and `needs.write` allow.
 *
 * Everything answers at once and is bounded: texts to TEXT_MAX, lists to LIST_MAX, a recursive removal to REMOVE_MAX entries;
 * moving real data is the work of tools (process, job). Paths are absolute. Failures are `false, error` for await. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "scope.h"
#include "trial.h"

enum { TEXT_MAX = 1 << 20, LIST_MAX = 100000, REMOVE_MAX = 100000, REMOVE_DEPTH = 100, DIR_MODE = 0755, FILE_MODE = 0644, PRIVATE_MODE = 0600 };

static int push_and_clear(lua_State *L, orr_error *err) {
  orr__push_error(L, err);
  orr__error_clear(err);
  return 2;
}

static int fail_errno(lua_State *L, const char *what, const char *path) {
  int number = errno;
  orr_error err = ORR_ERROR_INIT;
  int code = number == ENOENT || number == ENOTDIR ? ORR_E_NOT_FOUND : number == EEXIST ? ORR_E_EXISTS : ORR_E_IO;
  orr__error_errno(&err, code, number, "%s: %s", what, path);
  return push_and_clear(L, &err);
}

/* The path that is the argument at `index` if it may be used; NULL: the failure is pushed. */
static const char *granted_argument(lua_State *L, int index, const char *kind, const char *what) {
  const char *path = orr__arg_line(L, index, what);
  if (path[0] != '/') orr__raise(L, "%s must be absolute, not '%.200s'", what, path);
  orr_error err = ORR_ERROR_INIT;
  if (orr__granted(L, kind, path, &err) == 0) {
    char act[32];
    snprintf(act, sizeof act, "%.*s", (int)strcspn(what, ":"), what); /* "fs.write: path" */
    return !orr__streq(kind, "write") || orr__trial_may(L, act, path) ? path : NULL;
  }
  push_and_clear(L, &err);
  return NULL;
}

static const char *granted_path(lua_State *L, const char *kind, const char *what) {
  return granted_argument(L, 1, kind, what);
}

static void push_stat(lua_State *L, const struct stat *st) {
  const char *type = S_ISREG(st->st_mode) ? "file" : S_ISDIR(st->st_mode) ? "directory" : "other";
  lua_createtable(L, 0, 4);
  lua_pushstring(L, type);
  lua_setfield(L, -2, "type");
  lua_pushnumber(L, (lua_Number)st->st_size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, (lua_Number)st->st_mtim.tv_sec * 1000 + (lua_Number)(st->st_mtim.tv_nsec / 1000000));
  lua_setfield(L, -2, "modified");
  lua_pushinteger(L, st->st_mode & 07777);
  lua_setfield(L, -2, "mode");
}

/* stat(path) -> true, table or nil */
static int fs_stat(lua_State *L) {
  const char *path = granted_path(L, "read", "fs.stat: path");
  struct stat st;
  if (!path) return 2;
  if (stat(path, &st) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return fail_errno(L, "fs.stat", path);
    lua_pushboolean(L, true);
    lua_pushnil(L);
    return 2;
  }
  lua_pushboolean(L, true);
  push_stat(L, &st);
  return 2;
}

static void release_dir(void *held) {
  closedir(held);
}

/* list(path) -> true, names (unsorted) */
static int fs_list(lua_State *L) {
  const char *path = granted_path(L, "read", "fs.list: path");
  if (!path) return 2;
  orr__scope *scope = orr__scope_push(L, release_dir);
  DIR *dir = scope->held = opendir(path);
  if (!dir) return fail_errno(L, "fs.list", path);
  lua_pushboolean(L, true);
  lua_newtable(L);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (count == LIST_MAX) {
      orr__scope_close(scope);
      return orr__push_failure(L, ORR_E_LIMIT, "fs.list: more than 100,000 entries");
    }
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++count);
  }
  orr__scope_close(scope);
  return 2;
}

static int make_parents(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int failed = mkdir(path, DIR_MODE) != 0 && errno != EEXIST;
    *slash = '/';
    if (failed) return -1;
  }
  return mkdir(path, DIR_MODE);
}

/* mkdir(path) -> true, made; parents too */
static int fs_mkdir(lua_State *L) {
  const char *path = granted_path(L, "write", "fs.mkdir: path");
  if (!path) return 2;
  orr__scope *scope = orr__scope_push(L, free);
  char *copy = scope->held = orr__strdup(path);
  if (!copy) return luaL_error(L, "out of memory");
  for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--) copy[len - 1] = '\0';
  bool made = make_parents(copy) == 0;
  struct stat st;
  if (!made && !(errno == EEXIST && stat(copy, &st) == 0 && S_ISDIR(st.st_mode))) return fail_errno(L, "fs.mkdir", path);
  orr__scope_close(scope);
  lua_pushboolean(L, true);
  lua_pushboolean(L, made);
  return 2;
}

/* Removes what `name` in the folder dir is, following no link. 0, or -1 and errno. */
static int remove_at(int dir, const char *name, bool is_recursive, int depth, unsigned *left) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  if (*left == 0 || depth > REMOVE_DEPTH) {
    errno = E2BIG;
    return -1;
  }
  --*left;
  if (!S_ISDIR(st.st_mode)) return unlinkat(dir, name, 0);
  if (!is_recursive) return unlinkat(dir, name, AT_REMOVEDIR);
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *inner = fd < 0 ? NULL : fdopendir(fd);
  if (!inner) {
    if (fd >= 0) close(fd);
    return -1;
  }
  int failed = 0;
  for (struct dirent *entry; !failed && (entry = readdir(inner));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    failed = remove_at(dirfd(inner), entry->d_name, true, depth + 1, left);
  }
  int number = errno;
  closedir(inner);
  errno = number;
  return failed ? -1 : unlinkat(dir, name, AT_REMOVEDIR);
}

/* remove(path, recursive) -> true, removed */
static int fs_remove(lua_State *L) {
  const char *path = granted_path(L, "write", "fs.remove: path");
  if (!path) return 2;
  unsigned left = REMOVE_MAX;
  bool removed = remove_at(AT_FDCWD, path, lua_toboolean(L, 2), 0, &left) == 0;
  if (!removed && errno != ENOENT) return fail_errno(L, "fs.remove", path);
  lua_pushboolean(L, true);
  lua_pushboolean(L, removed);
  return 2;
}

/* read(path) -> true, bytes */
static int fs_read(lua_State *L) {
  const char *path = granted_path(L, "read", "fs.read: path");
  if (!path) return 2;
  orr_error err = ORR_ERROR_INIT;
  char *data = NULL;
  size_t len = 0;
  orr__scope *scope = orr__scope_push(L, free);
  if (orr__file_read(path, TEXT_MAX, &data, &len, &err) != 0) return push_and_clear(L, &err);
  scope->held = data;
  lua_pushboolean(L, true);
  lua_pushlstring(L, data, len);
  orr__scope_close(scope);
  return 2;
}

/* write(path, bytes, is_private) -> true */
static int fs_write(lua_State *L) {
  size_t len;
  const char *bytes = orr__arg_text(L, 2, "fs.write: bytes", &len);
  const char *path = granted_path(L, "write", "fs.write: path");
  if (!path) return 2;
  if (len > TEXT_MAX) return orr__push_failure(L, ORR_E_LIMIT, "fs.write: more than 1 MiB");
  orr_error err = ORR_ERROR_INIT;
  if (orr__file_write(path, bytes, len, lua_toboolean(L, 3) ? PRIVATE_MODE : FILE_MODE, &err) != 0) return push_and_clear(L, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* rename(from, to) -> true */
static int fs_rename(lua_State *L) {
  const char *from = granted_argument(L, 1, "write", "fs.rename: from");
  if (!from) return 2;
  const char *to = granted_argument(L, 2, "write", "fs.rename: to");
  if (!to) return 2;
  orr_error err = ORR_ERROR_INIT;
  if (orr__file_rename(from, to, &err) != 0) return push_and_clear(L, &err);
  lua_pushboolean(L, true);
  return 1;
}

void orr__lib_fs(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "stat", fs_stat }, { "list", fs_list }, { "mkdir", fs_mkdir }, { "remove", fs_remove }, { "read", fs_read },
    { "write", fs_write }, { "rename", fs_rename }, { NULL, NULL }
  };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
