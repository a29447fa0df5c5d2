/* Job runner: the tool itself. Reads what to run, forks and executes it, signals everything below.
 *
 * The child is set up (session, PDEATHSIG, descriptors) and then waits for a byte, so that the runner can put on
 * disk that it has begun before anything runs. It is executed directly, never by a shell: a script without
 * an interpreter line is an error. PATH is the runner's, which is the library's, not the tool's.
 * Below this process is everything the tool ever started, also what left its session, because the runner is a
 * subreaper: orphans come back to it. Does not know when to end a tool. */
#include "base/error.h"
#include "port/runner.h"
#include "port/runner_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define LOCK_FD_FROM 100 /* out of the way of scripts that number their own descriptors */

/* What the child says when it cannot be executed. */
struct trouble {
  char step; /* d directory, x execute, s set-up */
  int errnum;
};

/* ---- the request ---- */

static int read_whole(int fd, char **ret_bytes, size_t *ret_len) {
  struct stat st;
  if (fstat(fd, &st) < 0) return -errno;
  if (st.st_size <= 0 || st.st_size > ORR_RUNNER_REQUEST_MAX) return -EINVAL;
  size_t len = (size_t)st.st_size, got = 0;
  char *bytes = malloc(len);
  if (!bytes) return -ENOMEM;
  while (got < len) {
    ssize_t n = pread(fd, bytes + got, len - got, (off_t)got);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      free(bytes);
      return n < 0 ? -errno : -EIO;
    }
    got += (size_t)n;
  }
  *ret_bytes = bytes;
  *ret_len = len;
  return 0;
}

static void take_entry(orr__runner_tool *tool, char *entry, size_t *args, size_t *envs) {
  char *value = entry + 1;
  switch (*entry) {
    case 'a': tool->argv[(*args)++] = value; break;
    case 'e': tool->env[(*envs)++] = value; break;
    case 'd': tool->cwd = value; break;
    case 't': tool->timeout_ms = strtoll(value, NULL, 10); break;
    case 'g': tool->grace_ms = strtoll(value, NULL, 10); break;
    case 's': tool->is_split = true; break;
    default: break;
  }
}

int orr__runner_tool_read(orr__runner_tool *tool, int request) {
  size_t len = 0, entries = 0, args = 0, envs = 0;
  int r = read_whole(request, &tool->request, &len);
  if (r < 0) return r;
  if (tool->request[len - 1] != '\0') return -EINVAL;
  for (size_t i = 0; i < len; i++) entries += tool->request[i] == '\0';
  tool->argv = calloc(entries + 1, sizeof *tool->argv);
  tool->env = calloc(entries + 1, sizeof *tool->env);
  if (!tool->argv || !tool->env) return -ENOMEM;
  tool->cwd = "/";
  for (size_t at = 0; at < len; at += strlen(tool->request + at) + 1)
    take_entry(tool, tool->request + at, &args, &envs);
  return args > 0 ? 0 : -EINVAL;
}

/* ---- executing ---- */

/* Returns only with an errno. */
static int execute(const orr__runner_tool *tool) {
  const char *name = tool->argv[0];
  if (strchr(name, '/')) {
    execve(name, tool->argv, tool->env);
    return errno;
  }
  const char *path = getenv("PATH");
  int worst = ENOENT;
  if (!path || !*path) path = DEFAULT_PATH;
  for (const char *end; *path; path = *end ? end + 1 : end) {
    char file[PATH_MAX];
    end = strchrnul(path, ':');
    int len = (int)(end - path);
    if (*path != '/' || !*name) continue; /* a relative entry would depend on the directory we are in */
    if (snprintf(file, sizeof file, "%.*s/%s", len, path, name) >= (int)sizeof file) continue;
    execve(file, tool->argv, tool->env);
    /* A folder we may not look into is no answer: the program need not be there. */
    if (errno == EACCES) worst = access(file, F_OK) == 0 ? EACCES : worst;
    else if (errno != ENOENT && errno != ENOTDIR) return errno;
  }
  return worst;
}

static void tell(int fd, char step, int errnum) {
  struct trouble trouble;
  memset(&trouble, 0, sizeof trouble);
  trouble.step = step;
  trouble.errnum = errnum;
  ssize_t n = write(fd, &trouble, sizeof trouble);
  (void)n; /* without it the runner sees a tool that ended with 127 */
  _exit(127);
}

static void become_tool(const orr__runner_tool *tool, pid_t runner, int go, int told) {
  char byte;
  sigset_t none;
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != runner) _exit(127); /* it died before the line above */
  if (dup2(tool->input, 0) < 0 || dup2(tool->out, 1) < 0 || dup2(tool->err, 2) < 0) tell(told, 's', errno);
  if (tool->lock >= 0 && fcntl(tool->lock, F_DUPFD, LOCK_FD_FROM) < 0 && fcntl(tool->lock, F_DUPFD, 3) < 0)
    tell(told, 's', errno);
  if (read(go, &byte, 1) != 1) _exit(127);
  if (chdir(tool->cwd) < 0) tell(told, 'd', errno);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  tell(told, 'x', execute(tool));
}

int orr__runner_tool_fork(orr__runner_tool *tool) {
  int go[2] = { -1, -1 }, told[2] = { -1, -1 }, r = 0;
  pid_t runner = getpid();
  if (pipe2(go, O_CLOEXEC) < 0 || pipe2(told, O_CLOEXEC) < 0) {
    r = -errno;
    goto done;
  }
  tool->pid = fork();
  if (tool->pid < 0) {
    r = -errno;
    goto done;
  }
  if (tool->pid == 0) {
    close(go[1]); /* or it would wait for itself when the runner dies */
    become_tool(tool, runner, go[0], told[1]);
  }
  tool->go = go[1];
  tool->told = told[0];
  go[1] = told[0] = -1;
done:
  for (int i = 0; i < 2; i++) {
    if (go[i] >= 0) close(go[i]);
    if (told[i] >= 0) close(told[i]);
  }
  return r;
}

static int explain(const orr__runner_tool *tool, const struct trouble *trouble, char *text, size_t size) {
  const char *name = tool->argv[0];
  int e = trouble->errnum;
  if (trouble->step == 'd') {
    snprintf(text, size, "%.150s: %s", tool->cwd, strerror(e));
    return ORR_E_IO;
  }
  if (trouble->step == 'x' && (e == ENOENT || e == ENOTDIR)) {
    bool is_there = strchr(name, '/') && access(name, F_OK) == 0;
    snprintf(text, size, is_there ? "%.150s: its interpreter is not found" : "%.150s: not found", name);
    return ORR_E_NO_PROGRAM;
  }
  snprintf(text, size, "%.150s: cannot be executed: %s", name, strerror(e));
  return trouble->step == 'x' && (e == EACCES || e == ENOEXEC) ? ORR_E_NO_PROGRAM : ORR_E_IO;
}

int orr__runner_tool_go(orr__runner_tool *tool, char *text, size_t size) {
  struct trouble trouble;
  ssize_t n = write(tool->go, "g", 1);
  close(tool->go);
  tool->go = -1;
  do n = read(tool->told, &trouble, sizeof trouble);
  while (n < 0 && errno == EINTR);
  close(tool->told);
  return n == (ssize_t)sizeof trouble ? explain(tool, &trouble, text, size) : 0;
}

/* ---- everything below ---- */

struct process {
  pid_t pid, parent, group;
  bool is_ours;
};

static bool read_process(const char *pid, struct process *ret) {
  char path[64], stat[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, stat, sizeof stat - 1);
  close(fd);
  if (n <= 0) return false;
  stat[n] = '\0';
  char *after_name = strrchr(stat, ')'); /* the name itself may hold anything */
  int parent, group;
  if (!after_name || sscanf(after_name + 1, " %*c %d %d", &parent, &group) != 2) return false;
  *ret = (struct process){ (pid_t)strtol(pid, NULL, 10), parent, group, false };
  return true;
}

static size_t read_processes(struct process **ret) {
  struct process *all = NULL;
  size_t len = 0, cap = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (len == cap) {
      struct process *more = realloc(all, (cap = cap ? cap * 2 : 256) * sizeof *all);
      if (!more) break;
      all = more;
    }
    len += read_process(entry->d_name, &all[len]);
  }
  if (proc) closedir(proc);
  *ret = all;
  return len;
}

static int by_pid(const void *a, const void *b) {
  pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;
  return (x > y) - (x < y);
}

/* Marks what descends from root; each pass goes at least one generation down. */
static void mark(struct process *all, size_t len, pid_t root) {
  if (len > 0) qsort(all, len, sizeof *all, by_pid);
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    for (size_t i = 0; i < len; i++) {
      if (all[i].is_ours) continue;
      struct process key = { .pid = all[i].parent };
      struct process *parent = bsearch(&key, all, len, sizeof *all, by_pid);
      if (key.pid == root || (parent && parent->is_ours)) all[i].is_ours = is_changed = true;
    }
  }
}

void orr__runner_signal_all(pid_t tool, int signum) {
  struct process *all;
  if (tool > 0) kill(-tool, signum); /* before we look, or one that leaves the group meanwhile gets none */
  size_t len = read_processes(&all);
  mark(all, len, getpid());
  for (size_t i = 0; i < len; i++)
    if (all[i].is_ours && (tool <= 0 || all[i].group != tool)) kill(all[i].pid, signum);
  free(all);
}
