/* orrery-bench: how fast Orrery is beside the bare libraries it is made of. usage: see below, and docs/performance.md.
 *
 * Each case runs in a process of its own, so that its memory is its own. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const struct {
  const char *name;
  void (*run)(bench *b);
  const char *doc;
} cases[] = {
  { "dispatch", case_dispatch, "hook dispatch against bare LuaJIT" },
  { "limits", case_limits, "hooks without and with limits" },
  { "refresh", case_refresh, "the refresh loop without HTTP against bare SQLite" },
  { "held", case_held, "16,700 refreshes a second, held" },
  { "poll", case_poll, "refreshes with one HTTP poll each against the sum of their parts" },
  { "fanout", case_fanout, "HTTP from hooks against bare libcurl" },
  { "cron", case_cron, "next fires, the timing wheel and a million schedules" },
  { "start", case_start, "the start with a million stored results" },
  { "recover", case_recover, "the recovery of ten thousand results in flight" },
  { "journal", case_journal, "executions with the journal and without" },
  { "lifecycle", case_lifecycle, "executions from accepted to ended against bare SQLite" },
};
enum { CASES = sizeof cases / sizeof *cases };

static int usage(void) {
  fprintf(stderr, "usage: orrery-bench CASE|all ... [--smoke] [--runs N] [--seconds S] [--dir FOLDER]\n");
  for (size_t i = 0; i < CASES; i++) fprintf(stderr, "  %-10s %s\n", cases[i].name, cases[i].doc);
  return 2;
}

static void print_machine(void) {
  struct utsname name;
  char line[256], model[256] = "?";
  FILE *file = fopen("/proc/cpuinfo", "re");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "model name : %255[^\n]", model) == 1) break;
  if (file) fclose(file);
  uname(&name);
  printf("%s, %ld processors, Linux %s\n", model, sysconf(_SC_NPROCESSORS_ONLN), name.release);
}

/* Thousands of connections at a time. */
static void raise_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void run_case(bench *b, size_t i) {
  int counts[2] = { 0, 1 }, fds[2];
  fflush(stdout);
  if (pipe(fds)) bench_die("pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid == 0) {
    cases[i].run(b);
    counts[0] = b->passed;
    counts[1] = b->failed;
    fflush(stdout);
    exit(write(fds[1], counts, sizeof counts) == sizeof counts ? 0 : 3);
  }
  close(fds[1]);
  ssize_t got = read(fds[0], counts, sizeof counts);
  close(fds[0]);
  waitpid(pid, NULL, 0);
  if (got != sizeof counts) printf("not ok %s did not come to its end\n", cases[i].name);
  b->passed += counts[0];
  b->failed += counts[1];
}

int main(int argc, char **argv) {
  static char exe[PATH_MAX];
  bool wanted[CASES] = { false };
  bench b = { .runs = 5, .base = "/var/tmp" };
  for (int i = 1; i < argc; i++) {
    size_t at = 0;
    while (at < CASES && strcmp(argv[i], cases[at].name)) at++;
    if (at < CASES) wanted[at] = true;
    else if (strcmp(argv[i], "all") == 0) memset(wanted, true, sizeof wanted);
    else if (strcmp(argv[i], "--smoke") == 0) b.is_smoke = true;
    else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) b.runs = atoi(argv[++i]);
    else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) b.seconds = atof(argv[++i]);
    else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) b.base = argv[++i];
    else return usage();
  }
  if (b.runs < 1 || b.runs > BENCH_RUNS_MAX || argc < 2) return usage();
  if (b.is_smoke) b.runs = 1;
  if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0) return 3;
  b.exe_dir = dirname(exe);
  raise_files();
  print_machine();
  for (size_t i = 0; i < CASES; i++) {
    if (!wanted[i]) continue;
    bench fresh = b;
    fresh.passed = fresh.failed = 0;
    run_case(&fresh, i);
    b.passed += fresh.passed;
    b.failed += fresh.failed;
  }
  printf("%d passed, %d failed\n", b.passed, b.failed);
  return b.failed > 0 || b.passed == 0;
}
