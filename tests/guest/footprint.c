/* What an idle runtime costs: usage: footprint DATA_DIR fill N | footprint DATA_DIR. Prints `open_ms private_kib threads wakeups_per_s`.
 *
 * fill makes N Backups in the store; the other opens it warm, waits until it is ready, and looks at the process while nothing is due. */
#include <dirent.h>
#include <orrery.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static const char provider[] =
    "local provider = Provider { apiVersion = 1, code = 'p', name = 'P', version = '1' }\n"
    "function provider.executeBackup(backup, backupResult) backupResult.status = 'SUCCEEDED' end\nreturn provider\n";

static void die(const orr_error *err) {
  fprintf(stderr, "%s\n", orr_error_message(err));
  exit(1);
}

static orr_runtime *open_runtime(const char *data, int with_provider) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  if (orr_settings_set(settings, "data_dir", data, err) || orr_settings_set(settings, "shipped_providers", "false", err) ||
      orr_open(settings, &runtime, err) || (with_provider && orr_provider_add(runtime, "p", provider, strlen(provider), err)))
    die(err);
  orr_settings_free(settings);
  orr_error_free(err);
  return runtime;
}

static void await_replies(orr_runtime *runtime, int count) {
  for (orr_event *event; count > 0 && (event = orr_wait(runtime, -1)); orr_event_free(event)) {
    if (orr_event_kind(event) != ORR_EVENT_REPLY) continue;
    if (orr_event_error(event)) die(orr_event_error(event));
    count--;
  }
}

static int fill(const char *data, int count) {
  orr_runtime *runtime = open_runtime(data, 1);
  char args[100];
  uint64_t id;
  for (int i = 0; i < count; i++) {
    snprintf(args, sizeof args, "{\"name\":\"b%d\",\"provider\":\"p\"}", i);
    if (orr_submit(runtime, "backup.create", args, &id, NULL)) return 1;
    if (i % 500 == 499) await_replies(runtime, 500);
  }
  await_replies(runtime, count % 500);
  orr_close(runtime);
  return 0;
}

static long private_kib(void) {
  char line[200];
  long sum = 0, kib;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "Private_Clean: %ld", &kib) == 1 || sscanf(line, "Private_Dirty: %ld", &kib) == 1) sum += kib;
  if (file) fclose(file);
  return sum;
}

static int count_threads(void) {
  int count = -2;
  DIR *dir = opendir("/proc/self/task");
  while (dir && readdir(dir)) count++;
  if (dir) closedir(dir);
  return count;
}

int main(int argc, char **argv) {
  if (argc == 4) return fill(argv[1], atoi(argv[3]));
  if (argc != 2) return 2;
  long before_kib = private_kib();
  double start = now_ms();
  orr_runtime *runtime = open_runtime(argv[1], 0);
  uint64_t id;
  if (orr_submit(runtime, "runtime.info", NULL, &id, NULL)) return 1;
  await_replies(runtime, 1);
  double ready = now_ms() - start;
  struct pollfd pfd = { .fd = orr_fd(runtime), .events = POLLIN };
  int wakes = 0, seconds = 3;
  for (double end = now_ms() + 1500; now_ms() < end && poll(&pfd, 1, 100) >= 0;) orr_step(runtime, 0); /* what was begun at the opening */
  for (double end = now_ms() + seconds * 1e3, left; (left = end - now_ms()) > 0;) {
    if (poll(&pfd, 1, (int)left + 1) != 1) continue;
    wakes++;
    orr_step(runtime, 0);
    for (orr_event *event; (event = orr_next(runtime));) orr_event_free(event);
  }
  printf("%.1f %ld %d %.1f\n", ready, private_kib() - before_kib, count_threads(), (double)wakes / seconds);
  orr_close(runtime);
  return 0;
}
