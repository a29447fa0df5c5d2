/* The external system of the polls: a small HTTP server in a process of its own. */
#ifndef ORR_BENCH_SERVER_H
#define ORR_BENCH_SERVER_H

#include <sys/types.h>

typedef struct bench_server {
  pid_t pid;
  int port;
} bench_server;

/* The body it answers with, about 1 KB of JSON. */
extern const char bench_body[];

/* Answers every GET with 200 and bench_body after delay_ms, keeps connections open. Call it before threads are started. */
bench_server bench_server_start(int delay_ms);
void bench_server_stop(bench_server server);

#endif
