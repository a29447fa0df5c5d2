/* Reads a job's output while or after it is written: the reader of what runner_log_main.c keeps.
 *
 * A stream is the file NAME and pieces NAME.<offset>; offsets are those of the whole stream, so they stay valid
 * when pieces go. A piece may vanish between the listing and the reading: then it is skipped like any other
 * that is lost. Only one piece is written at a time, the last, so all others are whole. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "port/job_parts.h"
#include "port/runner.h"

#define READ_MAX ((size_t)8 << 20)
#define PIECES_MAX 64 /* there are six at most; somebody else's files are ignored beyond this */

struct piece {
  char name[48];
  int64_t base, len;
};

static bool is_piece(const char *file, const char *stream, int64_t *ret_base) {
  size_t len = strlen(stream);
  if (strncmp(file, stream, len) != 0 || strlen(file) >= sizeof((struct piece *)0)->name) return false;
  if (file[len] == '\0') {
    *ret_base = 0;
    return true;
  }
  const char *digits = file + len + 1;
  if (file[len] != '.' || !*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
  errno = 0;
  *ret_base = strtoll(digits, NULL, 10);
  return errno == 0;
}

static int by_base(const void *a, const void *b) {
  int64_t x = ((const struct piece *)a)->base, y = ((const struct piece *)b)->base;
  return (x > y) - (x < y);
}

/* Returns how many, or -1. */
static int find_pieces(const char *path, const char *stream, struct piece *pieces) {
  int count = 0;
  struct stat st;
  DIR *dir = opendir(path);
  if (!dir) return -1;
  for (struct dirent *entry; count < PIECES_MAX && (entry = readdir(dir));) {
    struct piece *piece = &pieces[count];
    if (!is_piece(entry->d_name, stream, &piece->base)) continue;
    if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) continue;
    strcpy(piece->name, entry->d_name);
    piece->len = st.st_size;
    count++;
  }
  closedir(dir);
  qsort(pieces, (size_t)count, sizeof *pieces, by_base);
  return count;
}

/* Appends up to max bytes of the piece from the stream's offset `from` on; returns how many. */
static size_t read_piece(const char *path, const struct piece *piece, int64_t from, size_t max, orr__buf *buf) {
  char bytes[65536];
  size_t total = 0;
  char *name = orr__job_file(path, piece->name);
  int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
  free(name);
  while (fd >= 0 && total < max) {
    size_t want = max - total < sizeof bytes ? max - total : sizeof bytes;
    ssize_t n = pread(fd, bytes, want, (off_t)(from - piece->base + (int64_t)total));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    orr__buf_add(buf, bytes, (size_t)n);
    total += (size_t)n;
  }
  if (fd >= 0) close(fd);
  return total;
}

int orr__job_read_here(void *self, const char *key, const char *name, const char *stream, int64_t from, size_t max,
                  char **ret_text, size_t *ret_len, int64_t *ret_next, orr_error *reterr) {
  orr__jobs *jobs = self;
  struct piece pieces[PIECES_MAX];
  orr__buf buf;
  int r = orr__job_check_names(key, name, reterr);
  if (r < 0) return r;
  if (!orr__streq(stream, ORR_JOB_LOG) && !orr__streq(stream, ORR_JOB_OUT))
    return orr__error_set(reterr, ORR_E_INVALID, "'%.40s' is no stream of a job: log or out", stream ? stream : "");
  char *path = orr__job_path(jobs, key, name);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (max > READ_MAX) max = READ_MAX;
  orr__buf_init(&buf, max);
  int count = find_pieces(path, stream, pieces);
  if (count < 0) {
    r = errno == ENOENT || errno == ENOTDIR ? orr__error_set(reterr, ORR_E_NOT_FOUND, "no job %s of %s", name, key)
                                            : orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
    goto done;
  }
  if (from < 0) from += count > 0 ? pieces[count - 1].base + pieces[count - 1].len : 0;
  if (from < 0) from = 0;
  for (int i = 0; i < count && buf.len < max; i++) {
    if (from < pieces[i].base) from = pieces[i].base;
    if (i + 1 < count && from >= pieces[i].base + pieces[i].len) continue;
    from += (int64_t)read_piece(path, &pieces[i], from, max - buf.len, &buf);
  }
  char *text = orr__buf_take(&buf, ret_len);
  if (!text) {
    r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    goto done;
  }
  *ret_text = text;
  *ret_next = from;
done:
  orr__buf_clear(&buf);
  free(path);
  return r;
}
