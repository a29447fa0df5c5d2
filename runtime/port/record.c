/* Recordings as files; see record.h. */
#include "port/record.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define READ_MAX ((size_t)64 << 20)
#define FULL "{\"full\":true}\n"

struct orr__records {
  char *dir;
  enum orr__record_mode mode;
  size_t limit;
};

int orr__records_new(const char *dir, enum orr__record_mode mode, size_t limit, orr__records **ret_records, orr_error *reterr) {
  orr__records *records = calloc(1, sizeof *records);
  char *copy = orr__strdup(dir);
  if (!records || !copy) {
    free(records);
    free(copy);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  *records = (orr__records){ copy, mode, limit };
  *ret_records = records;
  return 0;
}

void orr__records_free(orr__records *records) {
  if (records) free(records->dir);
  free(records);
}

enum orr__record_mode orr__records_mode(const orr__records *records) { return records ? records->mode : ORR_RECORD_OFF; }

/* Owned. */
static int path_of(const orr__records *records, const char *key, char **ret_path, orr_error *reterr) {
  for (const char *c = key; *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '-') return orr__error_set(reterr, ORR_E_INVALID, "a recording's key is letters, digits and -");
  if (!*key) return orr__error_set(reterr, ORR_E_INVALID, "a recording needs a key");
  *ret_path = orr__strf("%s/%s.jsonl", records->dir, key);
  return *ret_path ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

static int write_all(int fd, const char *text, size_t len) {
  while (len > 0) {
    ssize_t written = write(fd, text, len);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text += written;
    len -= (size_t)written;
  }
  return 0;
}

/* A line that does not fit closes the recording: FULL is its last line, and nothing is added behind it. */
static bool is_closed(int fd, off_t size) {
  char tail[sizeof FULL] = "";
  off_t from = size - (off_t)strlen(FULL);
  return from >= 0 && pread(fd, tail, strlen(FULL), from) == (ssize_t)strlen(FULL) && strcmp(tail, FULL) == 0;
}

static int add(int fd, size_t limit, const char *line) {
  struct stat st;
  size_t len = strlen(line);
  if (fstat(fd, &st) != 0) return errno;
  if (is_closed(fd, st.st_size)) return 0;
  if ((size_t)st.st_size + len + 1 > limit) return write_all(fd, FULL, strlen(FULL));
  int failure = write_all(fd, line, len);
  return failure ? failure : write_all(fd, "\n", 1);
}

int orr__record_append(const orr__records *records, const char *key, const char *line, orr_error *reterr) {
  char *path = NULL;
  int code = path_of(records, key, &path, reterr);
  if (code) return code;
  if (mkdir(records->dir, 0700) != 0 && errno != EEXIST) code = orr__error_errno(reterr, ORR_E_IO, errno, "%s", records->dir);
  int fd = code ? -1 : open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  int failure = code ? 0 : fd < 0 ? errno : add(fd, records->limit, line);
  if (failure) code = orr__error_errno(reterr, ORR_E_IO, failure, "%s", path);
  if (fd >= 0) close(fd);
  free(path);
  return code;
}

int orr__record_read(const orr__records *records, const char *key, char **ret_text, orr_error *reterr) {
  char *path = NULL;
  size_t len;
  int code = path_of(records, key, &path, reterr);
  if (!code && access(path, F_OK) != 0) code = orr__error_set(reterr, ORR_E_NOT_FOUND, "there is no recording of it");
  if (!code) code = orr__file_read(path, READ_MAX, ret_text, &len, reterr);
  free(path);
  return code;
}

int orr__record_remove(const orr__records *records, const char *key, orr_error *reterr) {
  char *path = NULL;
  int code = path_of(records, key, &path, reterr);
  if (!code && unlink(path) != 0 && errno != ENOENT) code = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
  free(path);
  return code;
}
