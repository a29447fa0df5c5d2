/* `orrery serve`: the daemon. Takes the data directory, from a command that holds it if need be, and turns the runtime
 * and the socket until SIGINT or SIGTERM; then no new hooks, those in flight get 4.5 s, and the store is closed.
 *
 *   open --LOCKED--> who is it? --serve--> exit 7
 *                      |  command: runtime.handover, wait for its reply, open again
 *
 * Speaks logfmt on standard error, one line per thing that happened; writes nothing to standard output. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"
#include "host/clock.h"
#include "host/holder.h"
#include "host/signals.h"
#include "host/socket.h"

enum { RETRY_MS = 50, DRAIN_MS = 4500, REPLY_LINE_MAX = 4096 };

/* ---- logfmt ----------------------------------------------------------------------------------------------- */

static void add_pair(orr__buf *line, const char *key, const char *value) {
  bool is_plain = *value != '\0';
  for (const char *at = value; *at; at++) is_plain = is_plain && (unsigned char)*at > ' ' && *at != '"' && *at != '=' && *at != '\\';
  orr__buf_addf(line, "%s%s=", line->len > 0 ? " " : "", key);
  if (!is_plain) orr__buf_addc(line, '"');
  for (const char *at = value; *at; at++) {
    if (*at == '"' || *at == '\\') orr__buf_addf(line, "\\%c", *at);
    else if (*at == '\n') orr__buf_adds(line, "\\n");
    else orr__buf_addc(line, iscntrl((unsigned char)*at) ? ' ' : *at);
  }
  if (!is_plain) orr__buf_addc(line, '"');
}

/* Pairs of key and value after msg, NULL at the end. */
static void tell(const char *level, const char *msg, const char *const *pairs) {
  orr__buf line;
  char date[32];
  orr__buf_init(&line, ORR_PRINT_MAX);
  orr__iso_format(orr__wall_ms(), date);
  add_pair(&line, "time", date);
  add_pair(&line, "level", level);
  add_pair(&line, "msg", msg);
  for (; pairs && pairs[0]; pairs += 2) {
    if (pairs[1]) add_pair(&line, pairs[0], pairs[1]);
  }
  orr__buf_addc(&line, '\n');
  fputs(orr__buf_text(&line), stderr);
  fflush(stderr);
  orr__buf_clear(&line);
}

static void tell_log(void *arg, const char *json) {
  (void)arg;
  cJSON *line = cJSON_Parse(json);
  const char *level = orr__json_word(line, "level"), *message = orr__json_word(line, "message");
  tell(level ? level : "info", message ? message : "", (const char *const[]){"provider", orr__json_word(line, "provider"), NULL});
  cJSON_Delete(line);
}

/* ---- taking the directory --------------------------------------------------------------------------------- */

/* The first whole line that is a reply, if it has come. */
static bool find_reply(const orr__buf *in, orr__message *ret_reply) {
  const char *line = orr__buf_text(in), *end;
  for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
    if (orr__protocol_read_message(line, (size_t)(end - line), &message, NULL) != 0) continue;
    if (message.type == ORR_MESSAGE_REPLY) {
      *ret_reply = message;
      return true;
    }
    orr__message_clear(&message);
  }
  return false;
}

/* One request over a fresh connection, for the time before there is a runtime. The reply is owned by the caller;
 * waiting has no limit but the other side's end and a signal. */
static int ask_holder(const orr__cli *cli, const char *request, orr__message *ret_reply, orr_error *reterr) {
  int fd = -1;
  orr__buf in;
  orr__buf_init(&in, REPLY_LINE_MAX);
  char *line = orr__protocol_ask(1, request, NULL);
  int rc = line ? orr__socket_connect(cli->data_dir, &fd, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc != 0) goto done;
  /* One short line into an empty socket buffer: it fits or the other side is gone. */
  if (dprintf(fd, "%s\n", line) < 0) rc = orr__error_errno(reterr, ORR_E_CLOSED, errno, "%s/socket", cli->data_dir);
  while (rc == 0 && !find_reply(&in, ret_reply)) {
    char bytes[512];
    struct pollfd fds[2] = {{fd, POLLIN, 0}, {cli->signal_fd, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno == EINTR) continue;
    if (fds[1].revents && orr__signals_count() > 0) rc = orr__error_set(reterr, ORR_E_CANCELLED, "interrupted");
    if (rc != 0 || !fds[0].revents) continue;
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n > 0) orr__buf_add(&in, bytes, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || orr__buf_error(&in))
      rc = orr__error_set(reterr, ORR_E_CLOSED, "%s/socket: the other side has ended", cli->data_dir);
  }
done:
  if (fd >= 0) close(fd);
  free(line);
  orr__buf_clear(&in);
  return rc;
}

/* Finds out who holds the directory. REFUSED: another serve, for good. 1: a command that has been asked to hand over.
 * 0: nobody answers; somebody is just opening or closing it. */
static int talk_to_holder(const orr__cli *cli, bool *has_asked, orr_error *reterr) {
  orr__message info = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT}, over = info;
  int rc = ask_holder(cli, "runtime.info", &info, NULL);
  if (rc == ORR_E_CANCELLED) return orr__error_set(reterr, rc, "interrupted");
  bool has_answered = rc == 0 && info.error.code == 0;
  if (!has_answered) goto done;
  const cJSON *pid = cJSON_GetObjectItemCaseSensitive(info.data, "pid");
  if (orr__streq(orr__json_word(info.data, "role"), "serve")) {
    rc = orr__error_set(reterr, ORR_E_REFUSED, "another `orrery serve` (pid %.0f) holds %s", cJSON_IsNumber(pid) ? pid->valuedouble : 0, cli->data_dir);
    orr__message_clear(&info);
    return rc;
  }
  char number[24];
  snprintf(number, sizeof number, "%.0f", cJSON_IsNumber(pid) ? pid->valuedouble : 0);
  if (!*has_asked) tell("info", "a command holds the data directory; asking it to hand over", (const char *const[]){"pid", number, NULL});
  *has_asked = true;
  rc = ask_holder(cli, "runtime.handover", &over, NULL);
  if (rc == ORR_E_CANCELLED) orr__error_set(reterr, rc, "interrupted");
done:
  orr__message_clear(&info);
  orr__message_clear(&over);
  return rc == ORR_E_CANCELLED ? rc : has_answered;
}

static int take(orr__cli *cli, orr__holder **ret_holder, orr_error *reterr) {
  int64_t end = orr__mono_ms() + ORR_REACH_MS;
  bool has_asked = false;
  for (;;) {
    int rc = orr__holder_open(cli->settings, cli->data_dir, false, tell_log, cli, ret_holder, reterr);
    if (rc != ORR_E_LOCKED) return rc;
    rc = talk_to_holder(cli, &has_asked, reterr);
    if (rc < 0) return rc;
    /* Its hooks in flight may take long: as long as it answers, it is waited for. */
    if (rc > 0) end = orr__mono_ms() + ORR_REACH_MS;
    if (orr__mono_ms() >= end) return ORR_E_LOCKED;
    struct pollfd stop = {cli->signal_fd, POLLIN, 0};
    if (poll(&stop, 1, RETRY_MS) > 0 && orr__signals_count() > 0) return orr__error_set(reterr, ORR_E_CANCELLED, "interrupted");
  }
}

/* ---- serving ---------------------------------------------------------------------------------------------- */

int orr__cli_serve(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  orr__holder *holder = NULL;
  int rc = orr__cli_place(cli, "serve", &error);
  if (rc == 0) rc = take(cli, &holder, &error);
  if (rc == ORR_E_CANCELLED) {
    orr__error_clear(&error);
    return 0; /* ended before it began, as asked */
  }
  if (rc != 0) {
    int exit_code = orr__cli_fail(cli, &error);
    return rc == ORR_E_REFUSED ? 7 : exit_code;
  }
  orr__error_clear(&error); /* what the tries before had to say */
  char pid[24], *path = orr__strf("%s/socket", cli->data_dir);
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  tell("info", "ready", (const char *const[]){"version", orr_version(), "pid", pid, "data", cli->data_dir, "socket", path, NULL});
  free(path);
  int failed = 0;
  while (orr__signals_count() == 0 && failed == 0) {
    orr__holder_turn(holder, -1, cli->signal_fd);
    failed = orr__holder_failed(holder);
  }
  if (failed) tell("error", "the database cannot be written any more; mend the cause (disk full?) and start again", (const char *const[]){"data", cli->data_dir, NULL});
  else tell("info", "ending", NULL);
  int64_t start = orr__mono_ms();
  orr__holder_close(holder, DRAIN_MS, cli->signal_fd);
  char took[24];
  snprintf(took, sizeof took, "%lld", (long long)(orr__mono_ms() - start));
  tell("info", "ended", (const char *const[]){"ms", took, NULL});
  return failed ? orr__code_exit(failed) : 0;
}
