/* The best that libcurl alone does here: requests over 64 multi handles. */
#ifndef ORR_BENCH_BARE_HTTP_H
#define ORR_BENCH_BARE_HTTP_H

#include <stddef.h>

typedef struct bare_http bare_http;

/* in_flight requests are kept going to port. */
bare_http *bare_http_new(int port, size_t in_flight);
/* Completes at least count requests; returns the seconds of processor time for each. Answers that are not the body count in *ret_odd. */
double bare_http_run(bare_http *h, size_t count, size_t *ret_odd);
/* Gets every handle idle and frees it. */
void bare_http_free(bare_http *h);

#endif
