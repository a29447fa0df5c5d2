/* Whole files: read one into memory, replace or rename one so that a crash leaves the old or the new.
 *
 * Deliberately does not know what is in them. Blocking: for start-up, the store's thread and the command
 * line, not for the loop. Writing replaces a symbolic link by a file, as rename does. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

enum { READ_CHUNK = 4096 };

static int open_regular(const char *path, int *ret_fd, size_t *ret_size, orr_error *reterr) {
  /* Without O_NONBLOCK a FIFO of that name would hold us up until somebody writes to it. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    int code = errno == ENOENT || errno == ENOTDIR ? ORR_E_NOT_FOUND : ORR_E_IO;
    return orr__error_errno(reterr, code, errno, "%s", path);
  }
  struct stat st;
  if (fstat(fd, &st) != 0) {
    int errnum = errno;
    close(fd);
    return orr__error_errno(reterr, ORR_E_IO, errnum, "%s", path);
  }
  if (!S_ISREG(st.st_mode)) {
    close(fd);
    return orr__error_set(reterr, ORR_E_IO, "%s is not a regular file", path);
  }
  *ret_fd = fd;
  *ret_size = st.st_size > 0 ? (size_t)st.st_size : 0;
  return 0;
}

/* Reads up to `want` bytes; less only at the end of the file. */
static ssize_t read_some(int fd, char *data, size_t want) {
  size_t got = 0;
  while (got < want) {
    ssize_t n = read(fd, data + got, want - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    got += (size_t)n;
  }
  return (ssize_t)got;
}

int orr__file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, orr_error *reterr) {
  int fd = -1;
  char *data = NULL;
  size_t len = 0, size = 0;
  int rc = open_regular(path, &fd, &size, reterr);
  if (rc != 0) goto done;
  if (max > SIZE_MAX / 4) max = SIZE_MAX / 4;
  /* The size is a hint only: a file may grow, and those of /proc say 0. */
  size_t cap = size < READ_CHUNK ? READ_CHUNK : size + 1;
  for (;;) {
    if (cap > max + 1) cap = max + 1;
    char *grown = realloc(data, cap + 1);
    if (!grown) {
      rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory while reading %s", path);
      goto done;
    }
    data = grown;
    ssize_t n = read_some(fd, data + len, cap - len);
    if (n < 0) {
      rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
      goto done;
    }
    len += (size_t)n;
    if (len > max) {
      rc = orr__error_set(reterr, ORR_E_LIMIT, "%s is larger than %zu bytes", path, max);
      goto done;
    }
    if (len < cap) break;
    cap *= 2;
  }
  data[len] = '\0';
  *ret_data = data;
  if (ret_len) *ret_len = len;
  data = NULL;
done:
  free(data);
  if (fd >= 0) close(fd);
  return rc;
}

static bool write_all(int fd, const char *data, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data += n;
    len -= (size_t)n;
  }
  return true;
}

/* Makes the rename in the folder of path last. File systems that cannot sync a folder say EINVAL. */
static bool sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t len = slash ? (size_t)(slash - path) : 0;
  char *folder = slash ? orr__strndup(path, len ? len : 1) : orr__strdup(".");
  if (!folder) {
    errno = ENOMEM;
    return false;
  }
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (fd < 0) return false;
  int rc = fsync(fd);
  int errnum = errno;
  close(fd);
  errno = errnum;
  return rc == 0 || errnum == EINVAL;
}

int orr__file_write(const char *path, const void *data, size_t len, unsigned mode, orr_error *reterr) {
  int fd = -1, rc = 0;
  char *temporary = orr__strf("%s.XXXXXX", path);
  if (!temporary) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory while writing %s", path);
  fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) {
    rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
    goto done;
  }
  bool written = fchmod(fd, mode & 07777) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
  int errnum = errno;
  if (close(fd) != 0 && written) {
    written = false;
    errnum = errno;
  }
  if (written && rename(temporary, path) != 0) {
    written = false;
    errnum = errno;
  }
  if (!written) {
    unlink(temporary);
    rc = orr__error_errno(reterr, ORR_E_IO, errnum, "%s", path);
    goto done;
  }
  if (!sync_folder(path)) rc = orr__error_errno(reterr, ORR_E_IO, errno, "folder of %s", path);
done:
  free(temporary);
  return rc;
}

int orr__file_rename(const char *from, const char *to, orr_error *reterr) {
  if (rename(from, to) != 0) {
    int code = errno == ENOENT || errno == ENOTDIR ? ORR_E_NOT_FOUND
             : errno == EEXIST || errno == ENOTEMPTY ? ORR_E_EXISTS
                                                     : ORR_E_IO;
    return orr__error_errno(reterr, code, errno, "renaming %s to %s", from, to);
  }
  return sync_folder(to) ? 0 : orr__error_errno(reterr, ORR_E_IO, errno, "folder of %s", to);
}
