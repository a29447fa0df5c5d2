/* Measuring in a process of its own: memory is then that of one thing, and nothing is warm but the system's page cache. */
#ifndef ORR_BENCH_CHILD_H
#define ORR_BENCH_CHILD_H

#define CHILD_VALUES 8

/* Runs measure in a child, which fills values; false if it did not come to its end. */
_Bool bench_child(void (*measure)(void *arg, double values[CHILD_VALUES]), void *arg, double values[CHILD_VALUES]);

#endif
