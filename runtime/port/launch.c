/* Starts the job runner: the only child this library ever has.
 *
 * The host may have threads, descriptors without CLOEXEC and its own ideas of SIGCHLD. So: posix_spawn, never
 * fork; the child gets descriptors 0 to 7 and nothing above (closefrom), default signals, an empty mask, a
 * session of its own (the terminal's ^C is not for it) and of the environment only PATH, in which it looks
 * up tools. It is reaped by pid descriptor; that somebody else has reaped it (ECHILD) is fine. The runner does
 * nothing before it gets its `G`, which is sent once the pid descriptor is open: so the pid is still its own.
 * Environment and input of the tool travel in memory files and are written nowhere. Does not know what runs. */
#include "port/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "port/runner.h"

#define REAP_MS 2000

/* ---- reaping ---- */

struct orr__reaped {
  orr__reaper *reaper;
  orr__watch *watch;
  int pid_fd;
  struct orr__reaped *next, **link;
};

void orr__reaper_init(orr__reaper *reaper, orr__loop *loop) { *reaper = (orr__reaper){ loop, NULL }; }

static void reap(void *arg) {
  struct orr__reaped *reaped = arg;
  siginfo_t info;
  while (waitid(P_PIDFD, (id_t)reaped->pid_fd, &info, WEXITED) < 0 && errno == EINTR) continue;
  *reaped->link = reaped->next;
  if (reaped->next) reaped->next->link = reaped->link;
  orr__watch_free(reaped->watch);
  close(reaped->pid_fd);
  free(reaped);
}

void orr__reaper_clear(orr__reaper *reaper) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  int64_t until = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + REAP_MS;
  while (reaper->first) {
    struct pollfd fd = { reaper->first->pid_fd, POLLIN, 0 };
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t left = until - ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
    int n = poll(&fd, 1, left > 0 ? (int)left : 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      pidfd_send_signal(fd.fd, SIGKILL, NULL, 0); /* its tool goes with it */
      poll(&fd, 1, REAP_MS);
    }
    reap(reaper->first);
  }
}

static int reaper_prepare(orr__reaper *reaper, struct orr__reaped **ret_reaped) {
  struct orr__reaped *reaped = calloc(1, sizeof *reaped);
  if (!reaped) return ORR_E_NOMEM;
  reaped->reaper = reaper;
  reaped->pid_fd = -1;
  *ret_reaped = reaped;
  return 0;
}

static int reaper_add(struct orr__reaped *reaped, int pid_fd) {
  orr__reaper *reaper = reaped->reaper;
  int r = orr__watch_new(reaper->loop, pid_fd, reap, reaped, &reaped->watch);
  if (r < 0) return r;
  reaped->pid_fd = pid_fd;
  reaped->next = reaper->first;
  reaped->link = &reaper->first;
  if (reaped->next) reaped->next->link = &reaped->next;
  reaper->first = reaped;
  return 0;
}

/* ---- what the runner is told ---- */

int orr__launch_check(const orr__launch *launch, orr_error *reterr) {
  size_t total = 0;
  if (!launch->argv || !launch->argv[0] || !*launch->argv[0])
    return orr__error_set(reterr, ORR_E_INVALID, "no program is named");
  for (const char *const *arg = launch->argv; *arg; arg++) total += strlen(*arg) + 2;
  for (const char *const *entry = launch->env; entry && *entry; entry++) {
    const char *equals = strchr(*entry, '=');
    if (!equals || equals == *entry)
      return orr__error_set(reterr, ORR_E_INVALID, "an environment entry is not of the form NAME=value");
    total += strlen(*entry) + 2;
  }
  if (total > ORR_RUNNER_REQUEST_MAX / 2)
    return orr__error_set(reterr, ORR_E_LIMIT, "%s: arguments and environment exceed %u bytes", launch->argv[0],
                          ORR_RUNNER_REQUEST_MAX / 2);
  return 0;
}

static void add_entry(orr__buf *buf, char what, const char *text) {
  orr__buf_addc(buf, what);
  orr__buf_add(buf, text, strlen(text) + 1);
}

static void add_number(orr__buf *buf, char what, int64_t number) {
  orr__buf_addf(buf, "%c%" PRId64, what, number);
  orr__buf_addc(buf, '\0');
}

static void add_default_env(orr__buf *buf) {
  static const char *const names[] = { "PATH", "HOME", "LANG", "TMPDIR", "USER" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    if (!value) continue;
    orr__buf_addf(buf, "e%s=", names[i]);
    orr__buf_add(buf, value, strlen(value) + 1);
  }
}

static void write_request(orr__buf *buf, const orr__launch *launch) {
  for (const char *const *arg = launch->argv; *arg; arg++) add_entry(buf, 'a', *arg);
  for (const char *const *entry = launch->env; entry && *entry; entry++) add_entry(buf, 'e', *entry);
  if (!launch->env) add_default_env(buf);
  if (launch->cwd) add_entry(buf, 'd', launch->cwd);
  add_number(buf, 't', launch->timeout_ms);
  add_number(buf, 'g', launch->grace_ms);
  if (launch->is_split) add_entry(buf, 's', "");
}

/* A sealed file in memory that stands at its beginning. */
static int memory_file(const char *name, const void *bytes, size_t len, int *ret_fd) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  for (size_t put = 0; put < len;) {
    ssize_t n = pwrite(fd, (const char *)bytes + put, len - put, (off_t)put);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      int r = n < 0 ? -errno : -EIO;
      close(fd);
      return r;
    }
    put += (size_t)n;
  }
  fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  *ret_fd = fd;
  return 0;
}

/* ---- starting it ---- */

/* The descriptors to give, in the order of runner.h, from ORR_RUNNER_CONTROL on; copies out of the way of
 * the numbers they are given, because dup2 actions run one after the other. */
struct gifts {
  int fds[ORR_RUNNER_FDS - ORR_RUNNER_CONTROL];
  int null;
};

static int move_up(int *fd) {
  int moved = fcntl(*fd, F_DUPFD_CLOEXEC, ORR_RUNNER_FDS);
  if (moved < 0) return -errno;
  close(*fd);
  *fd = moved;
  return 0;
}

static int collect(const orr__launch *launch, const orr__buf *request, struct gifts *gifts, int *control) {
  int pair[2], r = 0, count = ORR_RUNNER_FDS - ORR_RUNNER_CONTROL;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  *control = pair[0];
  gifts->fds[0] = pair[1];
  gifts->null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (gifts->null < 0) return -errno;
  r = memory_file("orrery-request", request->data, request->len, &gifts->fds[1]);
  if (r == 0 && launch->input) r = memory_file("orrery-input", launch->input, launch->input_len, &gifts->fds[2]);
  if (r < 0) return r;
  if (!launch->input && (gifts->fds[2] = fcntl(gifts->null, F_DUPFD_CLOEXEC, 3)) < 0) return -errno;
  for (int i = 0; i < 2; i++)
    if ((gifts->fds[3 + i] = fcntl(launch->fds[i], F_DUPFD_CLOEXEC, 3)) < 0) return -errno;
  for (int i = 0; i < count && r == 0; i++) r = move_up(&gifts->fds[i]);
  if (r == 0) r = move_up(&gifts->null);
  return r;
}

static void drop(struct gifts *gifts) {
  for (size_t i = 0; i < sizeof gifts->fds / sizeof *gifts->fds; i++)
    if (gifts->fds[i] >= 0) close(gifts->fds[i]);
  if (gifts->null >= 0) close(gifts->null);
}

/* Returns an errno, like posix_spawn. */
static int spawn(const char *path, const orr__launch *launch, const struct gifts *gifts, pid_t *ret_pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attr;
  sigset_t none, all;
  const char *slash = strrchr(launch->argv[0], '/');
  char *path_entry = orr__strf("PATH=%s", getenv("PATH") ? getenv("PATH") : "");
  char *argv[] = { (char *)"orrery-runner", (char *)(launch->is_detached ? "detached" : "attached"),
                   (char *)(slash ? slash + 1 : launch->argv[0]), NULL };
  char *env[] = { path_entry, NULL };
  bool has_actions = posix_spawn_file_actions_init(&actions) == 0, has_attr = posix_spawnattr_init(&attr) == 0;
  int r = has_actions && has_attr && path_entry ? 0 : ENOMEM;
  sigemptyset(&none);
  sigfillset(&all);
  for (int fd = 0; fd < 3 && r == 0; fd++) r = posix_spawn_file_actions_adddup2(&actions, gifts->null, fd);
  for (int fd = ORR_RUNNER_CONTROL; fd < ORR_RUNNER_FDS && r == 0; fd++)
    r = posix_spawn_file_actions_adddup2(&actions, gifts->fds[fd - ORR_RUNNER_CONTROL], fd);
  if (r == 0) r = posix_spawn_file_actions_addclosefrom_np(&actions, ORR_RUNNER_FDS);
  if (r == 0) r = posix_spawnattr_setsigmask(&attr, &none);
  if (r == 0) r = posix_spawnattr_setsigdefault(&attr, &all);
  if (r == 0)
    r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  if (r == 0) r = posix_spawn(ret_pid, path, &actions, &attr, argv, env);
  if (has_attr) posix_spawnattr_destroy(&attr);
  if (has_actions) posix_spawn_file_actions_destroy(&actions);
  free(path_entry);
  return r;
}

void orr__launch_say(int control, char word) {
  while (send(control, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) continue;
}

int orr__launch_start(const char *runner_path, const orr__launch *launch, orr__reaper *reaper, int *ret_control,
                      orr_error *reterr) {
  struct gifts gifts = { { -1, -1, -1, -1, -1 }, -1 };
  struct orr__reaped *reaped = NULL;
  int control = -1, pid_fd = -1, e, r = 0;
  pid_t pid = -1;
  orr__buf request;
  orr__buf_init(&request, ORR_RUNNER_REQUEST_MAX);
  write_request(&request, launch);
  if (orr__buf_error(&request) || reaper_prepare(reaper, &reaped) < 0) {
    r = orr__error_set(reterr, ORR_E_NOMEM, "%s: out of memory", launch->argv[0]);
    goto done;
  }
  e = -collect(launch, &request, &gifts, &control);
  if (e != 0) {
    r = orr__error_errno(reterr, e == ENOMEM ? ORR_E_NOMEM : ORR_E_IO, e, "%s: cannot be started", launch->argv[0]);
    goto done;
  }
  e = spawn(runner_path, launch, &gifts, &pid);
  if (e != 0) {
    int code = e == ENOENT || e == EACCES ? ORR_E_NO_PROGRAM : e == ENOMEM ? ORR_E_NOMEM : ORR_E_IO;
    r = orr__error_errno(reterr, code, e, "the job runner %s", runner_path);
    goto done;
  }
  pid_fd = pidfd_open(pid, 0);
  e = errno;
  if (pid_fd < 0 || fcntl(pid_fd, F_SETFD, FD_CLOEXEC) < 0 || reaper_add(reaped, pid_fd) < 0) {
    /* Without its G the runner ends as soon as the control socket is closed, having done nothing. */
    close(control);
    control = -1;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    r = orr__error_errno(reterr, ORR_E_IO, e, "the job runner cannot be watched");
    goto done;
  }
  reaped = NULL;
  pid_fd = -1;
  orr__launch_say(control, 'G');
  *ret_control = control;
  control = -1;
done:
  if (control >= 0) close(control);
  if (pid_fd >= 0) close(pid_fd);
  free(reaped);
  drop(&gifts);
  orr__buf_clear(&request);
  return r;
}
