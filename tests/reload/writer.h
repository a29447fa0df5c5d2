/* Versions of two providers, good and broken, and the ways in which people and tools write them. Knows nothing of the runtime. */
#ifndef TEST_RELOAD_WRITER_H
#define TEST_RELOAD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#define PROVIDERS 2 /* "load" is one file, "pair" a folder of two */
#define BROKEN_KINDS 9

typedef struct writer {
  const char *folder;        /* of the providers; beside it others are made */
  int port;                  /* of the ledger */
  uint64_t seed;
  /* a write that takes several turns */
  int slow_fd;
  char *slow_text;
  long slow_at, slow_len;
  int64_t slow_last_ms, slow_worst_ms; /* the longest pause that we made, or were made to make */
  char *late_path, *late_text;         /* to be created in the next turn */
} writer;

extern const char *const provider_codes[PROVIDERS];

uint64_t writer_chance(writer *w, uint64_t below);
/* Begins, and often ends, to write a version; *ret_sha256 is the runtime's hash of it. Exits when it cannot. */
void writer_write(writer *w, int provider, int version, bool is_broken, char ret_sha256[65]);
bool writer_is_busy(const writer *w);  /* there is more to write: another turn */
void writer_go_on(writer *w);
const char *writer_way(void);          /* how the last one was written */

#endif
