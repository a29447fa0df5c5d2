/* The forms of a line of the log; see log.h. Knows no descriptor and no limit. */
#ifndef ORR_HOST_LOG_LINE_H
#define ORR_HOST_LOG_LINE_H

#include "base/buf.h"
#include "host/log.h"

/* Each appends the line; those that are text with its line end. */
void orr__line_logfmt(orr__buf *out, const orr__log_line *line, int64_t wall_ms, bool is_terminal, bool has_color);
void orr__line_json(orr__buf *out, const orr__log_line *line, int64_t wall_ms);
void orr__line_prefixed(orr__buf *out, const orr__log_line *line); /* <6>msg key=value, for a journal that reads our output */
void orr__line_journal(orr__buf *out, const orr__log_line *line);  /* a datagram of the journal's own protocol */

#endif
