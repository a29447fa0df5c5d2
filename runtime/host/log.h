/* The daemon's log: a line per thing that happened, to standard error or to systemd's journal.
 *
 *   terminal         10:57:34 level=info msg=ready pid=4711            logfmt, coloured where that is wanted
 *   the journal      fields of its own (MESSAGE, PRIORITY, ORRERY_BACKUP, ...) over its socket; lines with <N> in front where that is closed
 *   anything else    {"time":"2026-11-23T10:57:34Z","level":"info","msg":"ready","pid":4711}
 *
 * Writing never waits: what nobody takes is kept, up to 1 MiB, and beyond that lines are dropped and counted, as they are where
 * more than 1,000 a second come for long. What was dropped is told as a line. A reader that has gone ends the log, not the daemon.
 *
 * Whatever a value holds (line ends, control characters, bytes that are no UTF-8), a line stays one line of valid UTF-8.
 * Knows nothing of what happens; belongs to one thread. */
#ifndef ORR_HOST_LOG_H
#define ORR_HOST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct orr__log orr__log;

enum orr__severity { ORR_SAY_DEBUG, ORR_SAY_INFO, ORR_SAY_WARNING, ORR_SAY_ERROR };
#define ORR_LOG_PAIRS_MAX 12

/* One line: what happened and what it is about. Texts are borrowed until orr__log_put returns. */
typedef struct orr__log_line {
  enum orr__severity severity;
  const char *message;
  struct {
    const char *key;  /* lower-case letters */
    const char *text; /* NULL: number */
    int64_t number;
  } pairs[ORR_LOG_PAIRS_MAX];
  int count;
} orr__log_line;

static inline orr__log_line orr__log_say(enum orr__severity severity, const char *message) {
  return (orr__log_line){.severity = severity, .message = message};
}
/* NULL adds nothing. */
static inline void orr__log_text(orr__log_line *line, const char *key, const char *text) {
  if (!text || line->count == ORR_LOG_PAIRS_MAX) return;
  line->pairs[line->count].key = key;
  line->pairs[line->count++].text = text;
}
static inline void orr__log_number(orr__log_line *line, const char *key, int64_t number) {
  if (line->count == ORR_LOG_PAIRS_MAX) return;
  line->pairs[line->count].key = key;
  line->pairs[line->count].text = NULL;
  line->pairs[line->count++].number = number;
}

/* format: auto, logfmt, json or journald; level: the least severe that is written, debug, info, warning or error (NULL: the first
 * and info). has_color is for logfmt on a terminal. INVALID; with journald where no journal listens: IO. Owned. */
int orr__log_open(const char *format, const char *level, bool has_color, orr__log **ret_log, orr_error *reterr);
/* Writes what can be written at once; NULL is fine. */
void orr__log_close(orr__log *log);
void orr__log_put(orr__log *log, const orr__log_line *line);
/* The same for lines that may be many, such as a provider's: these are dropped where there are too many. */
void orr__log_put_limited(orr__log *log, const orr__log_line *line);
/* Writes what is waiting, as far as that goes at once. False: something is waiting still; ask again soon. */
bool orr__log_flush(orr__log *log);
enum orr__severity orr__severity_of(const char *word); /* info for any other word */

#endif
