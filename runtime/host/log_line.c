/* The forms of a line of the log; see log_line.h.
 *
 * Every value passes through add_safe, so that nothing a provider or a tool says can break a line or steer a terminal. */
#include "host/log_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

enum { VALUE_MAX = 16384 }; /* bytes of one value; what is longer is cut, and says so */

static const char *const words[] = {"debug", "info", "warning", "error"};
static const int priorities[] = {7, 6, 4, 3}; /* of syslog */

/* ---- values --------------------------------------------------------------------------------------------------- */

enum quoting { PLAIN, QUOTED };

static size_t sequence_len(const char *text, size_t left) {
  unsigned char lead = (unsigned char)*text;
  size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return len <= left && orr__utf8_valid(text, len) ? len : 0;
}

/* Control characters as escapes (QUOTED) or blanks, also those of two bytes that some terminals obey and the separators that some
 * readers take for line ends; what is no UTF-8 as U+FFFD. */
static void add_safe(orr__buf *out, const char *text, enum quoting quoting) {
  size_t whole = strlen(text), left = whole > VALUE_MAX ? VALUE_MAX : whole;
  while (left > 0) {
    size_t len = sequence_len(text, left);
    unsigned char c = (unsigned char)*text;
    bool is_control = c < 0x20 || c == 0x7f || (c == 0xc2 && len == 2 && (unsigned char)text[1] < 0xa0) ||
                      (len == 3 && c == 0xe2 && (unsigned char)text[1] == 0x80 && ((unsigned char)text[2] & 0xfe) == 0xa8);
    if (len == 0) orr__buf_adds(out, "\xef\xbf\xbd");
    else if (is_control && quoting == PLAIN) orr__buf_addc(out, ' ');
    else if (c == '\n') orr__buf_adds(out, "\\n");
    else if (c == '\t') orr__buf_adds(out, "\\t");
    else if (is_control) orr__buf_addf(out, "\\u%04x", len == 1 ? c : len == 2 ? (unsigned char)text[1] : 0x2000u | (unsigned char)(text[2] & 0x3f));
    else if (quoting == QUOTED && (c == '"' || c == '\\')) orr__buf_addf(out, "\\%c", c);
    else orr__buf_add(out, text, len);
    text += len ? len : 1;
    left -= len ? len : 1;
  }
  if (whole > VALUE_MAX) orr__buf_addf(out, "... (%zu bytes)", whole);
}

static void add_quoted(orr__buf *out, const char *text) {
  orr__buf_addc(out, '"');
  add_safe(out, text, QUOTED);
  orr__buf_addc(out, '"');
}

static void add_value(orr__buf *out, const char *text) {
  bool is_plain = *text != '\0' && strlen(text) <= VALUE_MAX;
  for (const char *at = text; *at && is_plain; at++)
    is_plain = (unsigned char)*at > ' ' && (unsigned char)*at < 0x7f && *at != '"' && *at != '=' && *at != '\\';
  if (is_plain) orr__buf_adds(out, text);
  else add_quoted(out, text);
}

/* ---- forms ---------------------------------------------------------------------------------------------------- */

static void add_pairs(orr__buf *out, const orr__log_line *line, const char *dim, const char *normal) {
  for (int i = 0; i < line->count; i++) {
    orr__buf_addf(out, " %s%s=%s", dim, line->pairs[i].key, normal);
    if (line->pairs[i].text) add_value(out, line->pairs[i].text);
    else orr__buf_addf(out, "%lld", (long long)line->pairs[i].number);
  }
}

void orr__line_logfmt(orr__buf *out, const orr__log_line *line, int64_t wall_ms, bool is_terminal, bool has_color) {
  static const char *const hues[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};
  const char *dim = has_color ? "\033[2m" : "", *normal = has_color ? "\033[0m" : "";
  if (is_terminal) {
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    orr__buf_addf(out, "%s%02d:%02d:%02d%s ", dim, local.tm_hour, local.tm_min, local.tm_sec, normal);
  } else {
    char date[32];
    orr__iso_format(wall_ms, date);
    orr__buf_addf(out, "time=%s ", date);
  }
  orr__buf_addf(out, "%slevel=%s%s%s %smsg=%s", dim, has_color ? hues[line->severity] : "", words[line->severity], normal, dim, normal);
  add_value(out, line->message);
  add_pairs(out, line, dim, normal);
  orr__buf_addc(out, '\n');
}

void orr__line_json(orr__buf *out, const orr__log_line *line, int64_t wall_ms) {
  char date[32];
  orr__iso_format(wall_ms, date);
  orr__buf_addf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", date, words[line->severity]);
  add_quoted(out, line->message);
  for (int i = 0; i < line->count; i++) {
    orr__buf_addf(out, ",\"%s\":", line->pairs[i].key);
    if (line->pairs[i].text) add_quoted(out, line->pairs[i].text);
    else orr__buf_addf(out, "%lld", (long long)line->pairs[i].number);
  }
  orr__buf_adds(out, "}\n");
}

void orr__line_prefixed(orr__buf *out, const orr__log_line *line) {
  orr__buf_addf(out, "<%d>", priorities[line->severity]);
  add_safe(out, line->message, PLAIN);
  add_pairs(out, line, "", "");
  orr__buf_addc(out, '\n');
}

/* A value without a line end needs no length, and none of ours has one. The message carries the pairs too: that is what
 * `journalctl` shows. */
void orr__line_journal(orr__buf *out, const orr__log_line *line) {
  orr__buf_addf(out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=orrery\nMESSAGE=", priorities[line->severity]);
  add_safe(out, line->message, PLAIN);
  add_pairs(out, line, "", "");
  orr__buf_addc(out, '\n');
  for (int i = 0; i < line->count; i++) {
    orr__buf_adds(out, "ORRERY_");
    for (const char *c = line->pairs[i].key; *c; c++) orr__buf_addc(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    orr__buf_addc(out, '=');
    if (line->pairs[i].text) add_safe(out, line->pairs[i].text, PLAIN);
    else orr__buf_addf(out, "%lld", (long long)line->pairs[i].number);
    orr__buf_addc(out, '\n');
  }
}
