/* Kills what of a local job is no runtime: its runner, its tool, the keeper above the runner, all of them in one instant, or the runner of a child
 * that a hook waits for. The runtime may be there or not.
 *
 *   keeper    orrery-keeper, or a runner of that name still: the parent of the runner
 *   runner    orrery-runner, which `begun` names
 *   tool      its child, which `begun` names, too
 *
 * Nothing is killed that is not what it is taken for: it is held by a descriptor while that is looked at. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "harness.h"

enum { NEWEST = 12 };

const char *const victim_names[VICTIM_COUNT] = { "runners", "tools", "keepers", "runners with keeper and tool", "runners of a child" };

typedef struct process {
  pid_t pid, parent;
  char name[32];
} process;

static bool read_process(pid_t pid, process *ret) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return false;
  text[n] = '\0';
  char *name = strchr(text, '('), *end = strrchr(text, ')');
  int parent;
  if (!name || !end || sscanf(end + 1, " %*c %d", &parent) != 1) return false;
  *end = '\0';
  *ret = (process){ .pid = pid, .parent = parent };
  snprintf(ret->name, sizeof ret->name, "%s", name + 1);
  return true;
}

static bool is_ours(const process *p) { return strcmp(p->name, "orrery-runner") == 0 || strcmp(p->name, "orrery-keeper") == 0; }

/* A descriptor of it, or -1 if that is no such process. parent 0: whose child it is does not matter. */
static int hold(pid_t pid, pid_t parent, bool is_tool) {
  process p;
  int fd = pid > 1 ? pidfd_open(pid, 0) : -1;
  if (fd >= 0 && read_process(pid, &p) && (is_tool || is_ours(&p)) && (!parent || p.parent == parent)) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static bool kill_held(int fd) {
  bool is_killed = fd >= 0 && pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;
  if (fd >= 0) close(fd);
  return is_killed;
}

/* The processes that `begun` names, if the runner lives. */
static bool read_begun(const char *uuid, process *ret_runner, pid_t *ret_tool) {
  char path[128], line[64];
  int runner = 0, tool = 0;
  snprintf(path, sizeof path, "data/jobs/%s/tool/exit", uuid);
  if (access(path, F_OK) == 0) return false;
  snprintf(path, sizeof path, "data/jobs/%s/tool/begun", uuid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "runner=%d", &runner) != 1) sscanf(line, "tool=%d", &tool);
  if (file) fclose(file);
  *ret_tool = tool;
  return runner > 1 && tool > 1 && read_process(runner, ret_runner) && is_ours(ret_runner);
}

/* The keeper goes first: it would see to what the others leave. */
static bool kill_of(enum victim victim, const process *runner, pid_t tool) {
  bool all = victim == VICTIM_ALL;
  int keeper_fd = all || victim == VICTIM_KEEPER ? hold(runner->parent, 0, false) : -1;
  int runner_fd = all || victim == VICTIM_RUNNER ? hold(runner->pid, 0, false) : -1;
  int tool_fd = all || victim == VICTIM_TOOL ? hold(tool, runner->pid, true) : -1;
  int killed = kill_held(keeper_fd); /* each is tried */
  killed += kill_held(runner_fd);
  killed += kill_held(tool_fd);
  return killed > 0;
}

static pid_t child_of(pid_t parent) {
  char path[64];
  int pid = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
  FILE *file = fopen(path, "r");
  if (file && fscanf(file, "%d", &pid) != 1) pid = 0;
  if (file) fclose(file);
  return pid;
}

/* The runtime's child is the keeper of a child of a hook, and that one's is its runner. */
static bool kill_child(const harness *h) {
  pid_t keeper = h->runtime ? child_of(h->runtime) : 0, runner = keeper ? child_of(keeper) : 0;
  return runner && kill_held(hold(runner, keeper, false));
}

bool kill_of_a_job(harness *h, enum victim victim) {
  bool is_killed = victim == VICTIM_CHILD && kill_child(h);
  for (size_t i = 0; victim != VICTIM_CHILD && !is_killed && i < NEWEST && i < h->known_count; i++) {
    const char *uuid = h->known[(h->known_count - 1 - i) % KNOWN_MAX].uuid;
    process runner;
    pid_t tool;
    if (!read_begun(uuid, &runner, &tool)) continue;
    if (victim != VICTIM_KEEPER) verdict_killed(h->verdict, uuid);
    is_killed = kill_of(victim, &runner, tool);
  }
  h->victims[victim] += is_killed;
  return is_killed;
}
