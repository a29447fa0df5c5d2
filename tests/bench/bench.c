/* Clocks, memory, series and printing. Knows nothing of Orrery. */
#include "bench.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double clock_s(clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_now(void) { return clock_s(CLOCK_MONOTONIC); }
double bench_cpu(void) { return clock_s(CLOCK_PROCESS_CPUTIME_ID); }

static size_t status_kb(const char *key) {
  char line[256];
  size_t kb = 0;
  FILE *file = fopen("/proc/self/status", "re");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, key, strlen(key)) == 0) kb = strtoul(line + strlen(key), NULL, 10);
  if (file) fclose(file);
  return kb * 1024;
}

size_t bench_rss(void) { return status_kb("VmRSS:"); }
size_t bench_peak(void) { return status_kb("VmHWM:"); }

void bench_peak_reset(void) {
  FILE *file = fopen("/proc/self/clear_refs", "we");
  if (!file) return;
  fputs("5", file);
  fclose(file);
}

/* ---- series ------------------------------------------------------------------------------------------------------- */

void series_add(series *s, double value) {
  if (s->count < BENCH_RUNS_MAX) s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static series sorted(const series *s) {
  series copy = *s;
  qsort(copy.values, (size_t)copy.count, sizeof *copy.values, by_value);
  return copy;
}

double series_median(const series *s) {
  if (s->count == 0) return 0;
  series in_order = sorted(s);
  return in_order.values[s->count / 2];
}

/* ---- printing ----------------------------------------------------------------------------------------------------- */

static void print_series(const char *name, const char *unit, const series *s) {
  series in_order = sorted(s);
  if (s->count == 0) return;
  printf("    %-8s %12.4g %12.4g %12.4g  %s\n", name, in_order.values[0], in_order.values[s->count / 2], in_order.values[s->count - 1], unit);
}

void bench_title(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("\n== ");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  fflush(stdout);
}

void bench_note(const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("    ");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  fflush(stdout);
}

void bench_show(const char *what, const char *unit, const series *s) {
  printf("  %s (min, median, max of %d)\n", what, s->count);
  print_series("", unit, s);
  fflush(stdout);
}

void bench_compare(const char *what, const char *unit, enum bench_kind kind, const series *limit, const series *ours, double target) {
  series share = { .count = 0 };
  for (int i = 0; i < limit->count && i < ours->count; i++) {
    double a = limit->values[i], b = ours->values[i];
    series_add(&share, 100 * (kind == BENCH_COST ? a / b : b / a));
  }
  printf("  %s (min, median, max of %d)\n", what, share.count);
  print_series("limit", unit, limit);
  print_series("ours", unit, ours);
  print_series("share", "% of the limit's speed", &share);
  if (target > 0) printf("    target   at least %.0f %%: %s\n", 100 * target, series_median(&share) >= 100 * target ? "reached" : "MISSED");
  fflush(stdout);
}

void bench_check(bench *b, bool holds, const char *format, ...) {
  va_list args;
  va_start(args, format);
  printf("%s ", holds ? "ok" : "not ok");
  vprintf(format, args);
  printf("\n");
  va_end(args);
  fflush(stdout);
  if (holds) b->passed++;
  else b->failed++;
}

void bench_die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fflush(stdout);
  fprintf(stderr, "orrery-bench: ");
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  exit(3);
}

/* ---- folders ------------------------------------------------------------------------------------------------------ */

char *bench_folder(const bench *b) {
  char *path = NULL;
  if (asprintf(&path, "%s/orrery-bench-XXXXXX", b->base) < 0 || !mkdtemp(path)) bench_die("no folder can be made in %s", b->base);
  return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

void bench_folder_remove(char *folder) {
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  free(folder);
}
