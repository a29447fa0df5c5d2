/* Job runner: the two files it writes into a job directory, and the two clocks.
 *
 * `begun` is on disk, with everything above it (spec, directory, the directories above), before the tool is
 * executed: so no `begun` after a crash proves that nothing ran. `exit` is on disk before the lock is let go:
 * so a free lock without `exit` proves that nobody saw the end. Room for `exit` is taken at the beginning,
 * because a full disk is when one wants to read it. Does not know why a tool ended. */
#include "port/runner.h"
#include "port/runner_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXIT_NEW "exit.new"
#define EXIT_ROOM 2048 /* the text of an exit file is shorter */

static int64_t clock_ms(clockid_t id) {
  struct timespec ts;
  clock_gettime(id, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t orr__runner_wall_ms(void) { return clock_ms(CLOCK_REALTIME); }
int64_t orr__runner_mono_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

static int write_all(int fd, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) return -EIO;
    bytes += n;
    len -= (size_t)n;
  }
  return 0;
}

/* Opens, writes and syncs; flags beyond the usual ones. */
static int write_synced(int dir, const char *name, int flags, const char *text, size_t len) {
  int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
  if (fd < 0) return -errno;
  int r = write_all(fd, text, len);
  if (r == 0 && ftruncate(fd, (off_t)len) < 0) r = -errno;
  if (r == 0 && fsync(fd) < 0) r = -errno;
  close(fd);
  return r;
}

static int sync_at(int dir, const char *name, int flags) {
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return -errno;
  int r = fsync(fd) < 0 && errno != EINVAL ? -errno : 0; /* EINVAL: no such thing on this file system */
  close(fd);
  return r;
}

int orr__runner_reserve(int dir) {
  char room[EXIT_ROOM];
  memset(room, '\n', sizeof room);
  return write_synced(dir, EXIT_NEW, O_TRUNC, room, sizeof room);
}

/* Of a file system that counts no links at all, what was reserved tells. */
bool orr__runner_is_dir_gone(int dir) {
  struct stat st;
  return fstat(dir, &st) == 0 && st.st_nlink == 0 && faccessat(dir, EXIT_NEW, F_OK, 0) < 0 && errno == ENOENT;
}

int orr__runner_write_begun(int dir, pid_t tool, int64_t started_ms) {
  char text[256];
  int len = snprintf(text, sizeof text, ORR_JOB_BEGUN_HEAD "\nrunner=%ld\ntool=%ld\nstarted_ms=%" PRId64 "\nend\n",
                     (long)getpid(), (long)tool, started_ms);
  int r = write_synced(dir, ORR_JOB_BEGUN, O_TRUNC, text, (size_t)len);
  if (r == 0) r = sync_at(dir, ORR_JOB_SPEC, 0);
  if (r == 0) r = sync_at(dir, ".", O_DIRECTORY);
  if (r == 0) r = sync_at(dir, "..", O_DIRECTORY);
  if (r == 0) r = sync_at(dir, "../..", O_DIRECTORY);
  if (r == 0) sync_at(dir, "../../..", O_DIRECTORY); /* where DIR is: not ours, perhaps not even readable */
  return r;
}

static void escape(char *out, size_t size, const char *text) {
  size_t n = 0;
  for (; *text && n + 3 < size; text++) {
    if (*text == '\n' || *text == '\\') {
      out[n++] = '\\';
      out[n++] = *text == '\n' ? 'n' : '\\';
    } else {
      out[n++] = *text;
    }
  }
  out[n] = '\0';
}

int orr__runner_write_exit(int dir, const orr__runner_end *end) {
  char message[2 * sizeof end->text + 4];
  char text[EXIT_ROOM];
  escape(message, sizeof message, end->text);
  int len = snprintf(text, sizeof text,
                     ORR_JOB_EXIT_HEAD "\nfailure=%d\ncode=%d\nsignal=%d\ncancelled=%d\ntimed_out=%d\n"
                     "started_ms=%" PRId64 "\nended_ms=%" PRId64 "\nmessage=%s\nend\n",
                     end->failure, end->exit_code, end->signal, end->is_cancelled, end->is_timed_out,
                     end->started_ms, end->ended_ms, message);
  int r = write_synced(dir, EXIT_NEW, 0, text, (size_t)len); /* no O_TRUNC: keeps the room it has */
  if (r == 0 && renameat(dir, EXIT_NEW, dir, ORR_JOB_EXIT) < 0) r = -errno;
  if (r == 0) r = sync_at(dir, ".", O_DIRECTORY);
  return r;
}
