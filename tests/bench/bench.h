/* The benchmark's tools: clocks, memory, series of runs, and how a comparison is printed.
 *
 * Every case measures the bare limit and Orrery by turns in one run and prints both with their ratio, because these machines are
 * shared: an absolute figure proves nothing. A case passes or fails by what it counted (rows, calls, answers), never by time. */
#ifndef ORR_BENCH_H
#define ORR_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_RUNS_MAX 64

typedef struct bench {
  bool is_smoke;         /* small numbers: only that it works */
  int runs;              /* of limit and ours, by turns */
  double seconds;        /* of `held`; 0: the case's own */
  const char *base;      /* folder for data directories, on a real file system */
  const char *exe_dir;   /* where the runner lies beside us */
  int passed, failed;
} bench;

typedef struct series {
  double values[BENCH_RUNS_MAX];
  int count;
} series;

/* A comparison's values are costs (less is better) or rates (more is better). */
enum bench_kind { BENCH_COST, BENCH_RATE };

double bench_now(void);  /* seconds, monotonic */
double bench_cpu(void);  /* seconds of processor time of all our threads */
size_t bench_rss(void);  /* bytes resident now */
size_t bench_peak(void); /* bytes resident at most, since bench_peak_reset */
void bench_peak_reset(void);

void series_add(series *s, double value);
double series_median(const series *s);

void bench_title(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A free line under a title: memory, settings, counts. */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What was measured alone: min, median, max. */
void bench_show(const char *what, const char *unit, const series *s);
/* ours beside limit, and run by run how much of the limit's speed ours has; target: the share it should have, 0: none. */
void bench_compare(const char *what, const char *unit, enum bench_kind kind, const series *limit, const series *ours, double target);
void bench_check(bench *b, bool holds, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* For what the benchmark itself needs and does not get: says so and ends this case's process with 3. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A new empty folder below base; removed with what is in it by bench_folder_remove. Owned. */
char *bench_folder(const bench *b);
void bench_folder_remove(char *folder);

/* The n-th of many from 0: a permutation of 0 .. count-1 without order, the same each time (count a power of two, at most 2^30). */
static inline uint64_t bench_shuffle(uint64_t n, uint64_t count) {
  uint64_t bits = (uint64_t)__builtin_ctzll(count), x = n & (count - 1);
  for (int i = 0; i < 3; i++) {
    x ^= x >> (bits / 2 + 1);
    x = (x * UINT64_C(0x9e3779b1) + 12345) & (count - 1);
  }
  return x;
}

void case_dispatch(bench *b);
void case_limits(bench *b);
void case_refresh(bench *b);
void case_held(bench *b);
void case_poll(bench *b);
void case_fanout(bench *b);
void case_cron(bench *b);
void case_start(bench *b);
void case_recover(bench *b);
void case_journal(bench *b);
void case_lifecycle(bench *b);

#endif
