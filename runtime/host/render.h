/* What people and programs read. Text from outside is printed without control characters, so that nothing a provider
 * or a tool says can steer a terminal.
 *
 * Knows JSON values and terminals, no requests and no commands. */
#ifndef ORR_HOST_RENDER_H
#define ORR_HOST_RENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/error.h"

#define ORR_PRINT_MAX (64u << 20) /* bytes of one output */

/* How to print. */
typedef struct orr__paint {
  bool has_color;     /* on standard output */
  bool has_bar;       /* standard error is a terminal that can draw a progress bar */
  bool is_quiet;      /* no progress at all: --quiet, or --json without a terminal */
  bool is_wide;       /* tables have all columns, and are not cut */
  bool has_no_header; /* tables have no headings */
  int width;          /* columns of standard output; 0: not a terminal, no cutting */
  int64_t now_ms;     /* for relative times */
} orr__paint;

enum orr__hue { ORR_HUE_NONE, ORR_HUE_GOOD, ORR_HUE_WARN, ORR_HUE_BAD, ORR_HUE_BUSY, ORR_HUE_DIM, ORR_HUE_BOLD };

/* render_cell.c: one value as text. */
void orr__text_safe(orr__buf *out, const char *text);      /* control characters become blanks; all of it */
void orr__text_line(orr__buf *out, const char *text);      /* its first line, safe */
void orr__text_size(orr__buf *out, double bytes);          /* 1.2 GiB */
void orr__text_took(orr__buf *out, double ms);             /* 3 min 20 s */
void orr__text_ago(orr__buf *out, int64_t ms, int64_t now_ms); /* 3 min ago, in 2 h */
void orr__text_date(orr__buf *out, int64_t ms);            /* 2026-11-23 07:14:33, local time */
/* "a.b" in a map; of several paths, parted by commas, the first that is set. "" is the map itself. NULL. */
const cJSON *orr__json_at(const cJSON *map, const char *paths, size_t len);
const char *orr__json_word(const cJSON *map, const char *key); /* a string member, or NULL */
/* A value by a format of commands.def; returns its hue. */
enum orr__hue orr__cell(orr__buf *out, const char *format, size_t format_len, const cJSON *value, int64_t now_ms);
enum orr__hue orr__status_hue(const char *status);
/* Why a result (or anything with error fields) is not well, in one line; nothing if it is. */
void orr__problem(orr__buf *out, const cJSON *subject);

/* render_width.c: columns of a terminal, whatever the locale. */
size_t orr__text_columns(const char *text, size_t len);
size_t orr__text_cut(const char *text, size_t columns); /* how many bytes of it fit, whole characters */

/* render_table.c: lists and single things, into out. */
void orr__table(orr__buf *out, const orr__paint *paint, const char *view, const cJSON *rows);
void orr__table_names(orr__buf *out, const char *view, const cJSON *rows); /* the first column, whole, one a line */
void orr__card(orr__buf *out, const orr__paint *paint, const cJSON *map);
void orr__hued(orr__buf *out, const orr__paint *paint, enum orr__hue hue, const char *text);
/* Fills {path} and {path:format} of a sentence. */
void orr__said(orr__buf *out, const char *sentence, const cJSON *data, int64_t now_ms);

/* render_story.c: what happened to a result, in order, a line each: the ops and events of result.show. */
void orr__story(orr__buf *out, const orr__paint *paint, const cJSON *ops, const cJSON *events);

/* render_trial.c: what a hook has come to that was tried out (provider.call, backup.dryRun); or only what it did and logged. */
void orr__tried(orr__buf *out, const orr__paint *paint, const cJSON *tried);
void orr__tried_acts(orr__buf *out, const orr__paint *paint, const cJSON *tried);

/* render_advice.c: what somebody can do, a line each, two blanks before it. */
void orr__advice(orr__buf *out, const cJSON *result);       /* nothing unless it needs attention */
void orr__advice_draft(orr__buf *out, const cJSON *draft, int64_t now_ms); /* one of status's drafts */
/* For the results of a list, or the last results of Backups; at most so many. */
void orr__advice_list(orr__buf *out, const cJSON *rows, int most);

/* render_out.c: to the streams. */
void orr__print(const orr__buf *out);                       /* to standard output */
void orr__print_json(const cJSON *json);                    /* one line */
/* After the last of it: has all of it arrived? IO; CLOSED where the reader has gone. */
int orr__print_end(orr_error *reterr);
/* { success, msg, errors, ...data }; data is borrowed, may be NULL. */
void orr__print_done(const cJSON *data, const char *msg);
void orr__print_failed(const orr_error *error);             /* the same for an error, with code and exit */
void orr__complain(const orr_error *error);                 /* orrery: message, and a line per field; on standard error */
void orr__remark(const char *format, ...) __attribute__((format(printf, 1, 2))); /* a line on standard error */

/* render_bar.c: how a result gets on, on standard error; a bar that is redrawn, or a line when something changed. */
typedef struct orr__bar {
  const orr__paint *paint;
  bool is_drawn;
  char last[96];      /* what the last plain line said: status and percent */
  int tick;
  int errors;            /* tries that went wrong, as far as they were told */
} orr__bar;
void orr__bar_show(orr__bar *bar, const cJSON *result);
void orr__bar_end(orr__bar *bar); /* leaves the terminal on a clean line */

#endif
