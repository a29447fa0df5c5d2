/* Job runner: a stream of the tool's output, kept in files of bounded size.
 *
 * The first ORR_JOB_HEAD_SIZE bytes are in NAME; what follows is in pieces NAME.<offset of the first byte>,
 * of which the newest ORR_JOB_PIECES stay. A piece is begun only when the one before is full, so a reader can
 * tell from names and sizes where every byte belongs. Invariant: the tool never waits for the disk to have
 * room; what cannot be written is dropped and is_incomplete set. Does not know what the bytes mean. */
#include "port/runner.h"
#include "port/runner_parts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static_assert(sizeof(((orr__runner_log *)0)->bases) / sizeof(int64_t) == ORR_JOB_PIECES, "one base per piece");

static int open_piece(orr__runner_log *log, const char *name) {
  log->fd = openat(log->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  return log->fd < 0 ? -errno : 0;
}

int orr__runner_log_open(orr__runner_log *log, int dir, const char *name) {
  *log = (orr__runner_log){ .name = name, .dir = dir, .fd = -1 };
  return open_piece(log, name);
}

static void piece_name(const orr__runner_log *log, int64_t base, char out[64]) {
  snprintf(out, 64, "%s.%" PRId64, log->name, base);
}

static void next_piece(orr__runner_log *log) {
  char name[64];
  if (log->fd >= 0) {
    fsync(log->fd);
    close(log->fd);
  }
  log->piece_base += log->piece_len;
  log->piece_len = 0;
  piece_name(log, log->piece_base, name);
  if (open_piece(log, name) < 0) {
    log->is_incomplete = true;
    return;
  }
  if (log->base_count == ORR_JOB_PIECES) {
    char oldest[64];
    piece_name(log, log->bases[0], oldest);
    unlinkat(log->dir, oldest, 0);
    for (int i = 1; i < ORR_JOB_PIECES; i++) log->bases[i - 1] = log->bases[i];
    log->base_count--;
  }
  log->bases[log->base_count++] = log->piece_base;
}

static void put(orr__runner_log *log, const char *bytes, size_t len) {
  while (len > 0 && log->fd >= 0) {
    int64_t room = (log->base_count == 0 ? ORR_JOB_HEAD_SIZE : ORR_JOB_PIECE_SIZE) - log->piece_len;
    if (room <= 0) {
      next_piece(log);
      continue;
    }
    ssize_t n = write(log->fd, bytes, len < (size_t)room ? len : (size_t)room);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      log->is_incomplete = true;
      return;
    }
    bytes += n;
    len -= (size_t)n;
    log->piece_len += n;
  }
}

bool orr__runner_log_pump(orr__runner_log *log, int pipe) {
  char bytes[65536];
  for (int i = 0; i < 16; i++) {
    ssize_t n = read(pipe, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    put(log, bytes, (size_t)n);
  }
  return true;
}

void orr__runner_log_close(orr__runner_log *log) {
  if (!log->name || log->fd < 0) return;
  fsync(log->fd);
  close(log->fd);
  log->fd = -1;
}
