/* The log's outlet and its limits; see log.h. The forms are log_line.c's.
 *
 *   put -> [limit] -> form -> waiting (records, oldest first) -> flush -> standard error or the journal's socket
 *
 * Standard error belongs to whoever started us, so it is not made non-blocking: before each write poll tells that there is room,
 * and a write is at most PIPE_BUF bytes, for which a pipe with any room it admits to has room. */
#include "host/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/log_line.h"

enum {
  WAITING_MAX = 1 << 20, /* bytes that nobody has taken yet */
  RATE = 1000,           /* limited lines a second, */
  BURST = 5000,          /* and so many at once */
  TELL_MS = 1000,        /* between two lines about those that were dropped */
  LINE_MAX_BYTES = 256 << 10,
};
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum form { LOGFMT, JSON, PREFIXED, JOURNAL };

typedef struct record {
  struct record *next;
  size_t len, sent;
  char bytes[];
} record;

struct orr__log {
  enum form form;
  enum orr__severity least;
  bool is_terminal, has_color, is_closed;
  int journal_fd;
  record *first, *last;
  size_t waiting;
  uint64_t dropped;
  int64_t told_ms; /* when the last ones that were dropped were told of */
  double tokens;
  int64_t tokens_ms;
};

/* ---- opening -------------------------------------------------------------------------------------------------- */

static int severity_at(const char *word) {
  static const char *const words[] = {"debug", "info", "warning", "error"};
  for (int i = 0; i < 4; i++)
    if (orr__streq(word, words[i])) return i;
  return -1;
}

enum orr__severity orr__severity_of(const char *word) {
  int found = severity_at(word);
  return found < 0 ? ORR_SAY_INFO : (enum orr__severity)found;
}

/* Is standard error what systemd has connected to the journal, and not redirected since? */
static bool is_journal(void) {
  const char *stream = getenv("JOURNAL_STREAM");
  unsigned long long device, inode;
  struct stat st;
  return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
         st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

static int connect_journal(void) {
  const char *path = getenv("ORRERY_JOURNAL_SOCKET"); /* for tests, and for a journal in another namespace */
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path && *path ? path : JOURNAL_SOCKET);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int errnum = errno;
  close(fd);
  errno = errnum;
  return -1;
}

static int choose_form(orr__log *log, const char *format, orr_error *reterr) {
  bool is_auto = !format || orr__streq(format, "auto");
  if (orr__streq(format, "logfmt") || (is_auto && log->is_terminal)) log->form = LOGFMT;
  else if (orr__streq(format, "json")) log->form = JSON;
  else if (orr__streq(format, "journald") || (is_auto && is_journal())) log->form = JOURNAL;
  else if (is_auto) log->form = JSON;
  else return orr__error_set(reterr, ORR_E_INVALID, "--log-format %s: should be auto, logfmt, json or journald", format);
  if (log->form != JOURNAL) return 0;
  log->journal_fd = connect_journal();
  if (log->journal_fd >= 0) return 0;
  if (!is_auto) return orr__error_errno(reterr, ORR_E_IO, errno, "--log-format journald: %s", JOURNAL_SOCKET);
  log->form = PREFIXED;
  return 0;
}

int orr__log_open(const char *format, const char *level, bool has_color, orr__log **ret_log, orr_error *reterr) {
  if (level && severity_at(level) < 0)
    return orr__error_set(reterr, ORR_E_INVALID, "--log-level %s: should be debug, info, warning or error", level);
  orr__log *log = calloc(1, sizeof *log);
  if (!log) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  log->journal_fd = -1;
  log->least = orr__severity_of(level);
  log->is_terminal = isatty(STDERR_FILENO);
  log->has_color = has_color;
  log->tokens = BURST;
  log->tokens_ms = orr__mono_ms();
  int rc = choose_form(log, format, reterr);
  if (rc != 0) {
    free(log);
    return rc;
  }
  *ret_log = log;
  return 0;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

static void take_first(orr__log *log) {
  record *gone = log->first;
  log->first = gone->next;
  if (!log->first) log->last = NULL;
  log->waiting -= gone->len;
  free(gone);
}

/* 1: written, 0: not now, -1: never. */
static int write_text(record *of) {
  while (of->sent < of->len) {
    struct pollfd room = {STDERR_FILENO, POLLOUT, 0};
    int ready = poll(&room, 1, 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return 0;
    if (room.revents & (POLLERR | POLLNVAL)) return -1;
    size_t piece = of->len - of->sent;
    ssize_t n = write(STDERR_FILENO, of->bytes + of->sent, piece < PIPE_BUF ? piece : PIPE_BUF);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    if (n < 0) return errno == EPIPE || errno == EBADF || errno == EIO ? -1 : 1; /* a full disk loses this line */
    of->sent += (size_t)n;
  }
  return 1;
}

static int write_journal(orr__log *log, const record *of) {
  ssize_t n = send(log->journal_fd, of->bytes, of->len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return 1;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return 0;
  if (errno == EMSGSIZE) return 1; /* cannot be: values are cut far below what a datagram takes */
  /* The journal was started anew: its socket is another one. */
  int fd = connect_journal();
  if (fd < 0) return 0;
  close(log->journal_fd);
  log->journal_fd = fd;
  return send(fd, of->bytes, of->len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void append(orr__log *log, const orr__log_line *line) {
  orr__buf text;
  orr__buf_init(&text, LINE_MAX_BYTES);
  int64_t now_ms = orr__wall_ms();
  if (log->form == JSON) orr__line_json(&text, line, now_ms);
  else if (log->form == JOURNAL) orr__line_journal(&text, line);
  else if (log->form == PREFIXED) orr__line_prefixed(&text, line);
  else orr__line_logfmt(&text, line, now_ms, log->is_terminal, log->has_color);
  record *made = orr__buf_error(&text) || log->waiting + text.len > WAITING_MAX ? NULL : malloc(sizeof *made + text.len);
  if (made) {
    *made = (record){.len = text.len};
    memcpy(made->bytes, text.data, text.len);
    if (log->last) log->last->next = made;
    else log->first = made;
    log->last = made;
    log->waiting += text.len;
  } else {
    log->dropped++;
  }
  orr__buf_clear(&text);
}

bool orr__log_flush(orr__log *log) {
  while (log->first && !log->is_closed) {
    int done = log->form == JOURNAL ? write_journal(log, log->first) : write_text(log->first);
    if (done < 0) log->is_closed = true;
    if (done <= 0) break;
    take_first(log);
  }
  while (log->is_closed && log->first) take_first(log);
  if (log->is_closed || log->dropped == 0) return !log->first;
  if (log->first || orr__mono_ms() - log->told_ms < TELL_MS) return false;
  orr__log_line line = orr__log_say(ORR_SAY_WARNING, "lines of the log were dropped: more came than could be written");
  orr__log_number(&line, "count", (int64_t)log->dropped);
  log->dropped = 0;
  log->told_ms = orr__mono_ms();
  append(log, &line);
  return orr__log_flush(log);
}

void orr__log_close(orr__log *log) {
  if (!log) return;
  orr__log_flush(log);
  while (log->first) take_first(log);
  if (log->journal_fd >= 0) close(log->journal_fd);
  free(log);
}

void orr__log_put(orr__log *log, const orr__log_line *line) {
  if (line->severity < log->least || log->is_closed) return;
  append(log, line);
  orr__log_flush(log);
}

void orr__log_put_limited(orr__log *log, const orr__log_line *line) {
  if (line->severity < log->least || log->is_closed) return;
  int64_t now_ms = orr__mono_ms();
  log->tokens += (double)(now_ms - log->tokens_ms) * RATE / 1000;
  if (log->tokens > BURST) log->tokens = BURST;
  log->tokens_ms = now_ms;
  if (log->tokens < 1) {
    log->dropped++;
    return;
  }
  log->tokens--;
  orr__log_put(log, line);
}
