/* Where things are: our own files beside the library or where they were installed, and the data directory with its lock. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/lib/lib.h"
#include "store/store.h"

/* The folder of the library or program this code is in. Owned. */
static char *own_folder(void) {
  Dl_info info;
  char path[PATH_MAX];
  ssize_t len;
  void *here = (void *)(uintptr_t)orr_version;
  if (dladdr(here, &info) && info.dli_fname && *info.dli_fname == '/') {
    if (!realpath(info.dli_fname, path)) return NULL;
  } else {
    if ((len = readlink("/proc/self/exe", path, sizeof path - 1)) < 0) return NULL;
    path[len] = '\0';
  }
  char *slash = strrchr(path, '/');
  if (slash) *slash = '\0';
  return orr__strdup(path);
}

/* The first that exists of: beside us, up to two folders above under `inside`, where it was installed. Owned. */
char *orr__find_own(const char *name, const char *inside, const char *installed) {
  char *folder = own_folder();
  static const char *const ups[] = { "..", "../.." };
  char *path = folder ? orr__strf("%s/%s", folder, name) : NULL;
  for (size_t i = 0; folder && path && access(path, F_OK) && i < 2; i++) {
    free(path);
    path = orr__strf("%s/%s/%s/%s", folder, ups[i], inside, name);
  }
  if (!path || access(path, F_OK)) {
    free(path);
    path = orr__strdup(installed);
  }
  free(folder);
  return path;
}

int orr__make_folder(const char *path, orr_error *reterr) {
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = '\0';
    if (mkdir(copy, 0700) && errno != EEXIST)
      return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be made", path);
  }
  if (mkdir(copy, 0700) && errno != EEXIST)
    return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be made", path);
  return 0;
}

int orr__take_lock(const char *data_dir, int *ret_fd, orr_error *reterr) {
  char *path = orr__strf("%s/lock", data_dir);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), code = 0;
  free(path);
  if (fd < 0) return orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be written", data_dir);
  if (flock(fd, LOCK_EX | LOCK_NB)) {
    code = errno == EWOULDBLOCK
               ? orr__error_set(reterr, ORR_E_LOCKED, "another process holds the data directory %s", data_dir)
               : orr__error_errno(reterr, ORR_E_IO, errno, "data directory %s cannot be locked", data_dir);
    close(fd);
    return code;
  }
  *ret_fd = fd;
  return 0;
}

int orr_db_check(const char *data_dir, char **ret_report, orr_error *reterr) {
  if (!data_dir || !ret_report) return orr__error_set(reterr, ORR_E_MISUSE, "orr_db_check needs a folder and where to put the report");
  int fd = -1;
  char *path = orr__strf("%s/orrery.db", data_dir);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int code = access(path, F_OK) ? orr__error_set(reterr, ORR_E_NOT_FOUND, "there is no database in %s", data_dir)
                                : orr__take_lock(data_dir, &fd, reterr);
  if (!code) code = orr__store_check(path, ret_report, reterr);
  if (fd >= 0) close(fd);
  free(path);
  return code;
}

void orr_text_free(char *text) { free(text); }
