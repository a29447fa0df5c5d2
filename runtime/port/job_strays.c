/* What is left of a job whose runner and keeper were both killed: processes that the tool had started, which nobody waits for and no
 * `cancel` reaches. Neither file nor process says so, but two locks do: what they inherited from the tool holds `lock`, and `kept`, which
 * only runner and keeper have, is free.
 *
 * They are found in /proc: in the tool's session, with the lock open. A process id alone decides nothing, for it may be somebody else's by now, nor does the
 * lock alone, for a host that forks may have left a copy of it in a child of its own. One that has left the session or closed what it inherited is
 * not found. Each is looked at once more while a descriptor holds its id, and killed by that. Does not wait: the lock tells when they are gone. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/job_parts.h"
#include "port/runner.h"

static bool has_open(pid_t pid, const struct stat *lock) {
  char path[64];
  bool has = false;
  snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
  DIR *fds = opendir(path); /* not another user's */
  for (struct dirent *entry; fds && !has && (entry = readdir(fds));) {
    struct stat st;
    has = fstatat(dirfd(fds), entry->d_name, &st, 0) == 0 && st.st_ino == lock->st_ino && st.st_dev == lock->st_dev;
  }
  if (fds) closedir(fds);
  return has;
}

static bool is_stray(pid_t pid, pid_t session, const struct stat *lock) { return getsid(pid) == session && has_open(pid, lock); }

static void kill_strays(pid_t session, const struct stat *lock) {
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (pid <= 1 || !is_stray(pid, session, lock)) continue;
    int fd = pidfd_open(pid, 0);
    if (fd >= 0 && is_stray(pid, session, lock)) pidfd_send_signal(fd, SIGKILL, NULL, 0);
    if (fd >= 0) close(fd);
  }
  if (proc) closedir(proc);
}

bool orr__job_end_strays(const char *path) {
  bool is_kept = true;
  struct stat lock;
  if (orr__job_is_held(path, ORR_JOB_KEPT, &is_kept, NULL) < 0 || is_kept) return false;
  char *file = orr__job_file(path, ORR_JOB_LOCK);
  pid_t session = orr__job_session(path);
  bool is_known = file && session && stat(file, &lock) == 0;
  if (is_known) kill_strays(session, &lock);
  free(file);
  return is_known;
}
