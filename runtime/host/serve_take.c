/* Getting hold of the data directory for `orrery serve`.
 *
 *   open --LOCKED--> who is it? --serve--> REFUSED
 *                      |  command: runtime.handover, wait for its reply, open again
 *
 * Knows nothing of what is done with it afterwards. */
#include "host/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/protocol.h"
#include "host/signals.h"
#include "host/socket.h"

enum { RETRY_MS = 50, STILL_MS = 5000, REPLY_LINE_MAX = 4096 };

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
static int ask_holder(const orr__daemon *daemon, const char *request, orr__message *ret_reply, orr_error *reterr) {
  const orr__cli *cli = daemon->cli;
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
    /* The service manager waits as long as this goes on. */
    orr__notify_send(daemon->notify, "EXTEND_TIMEOUT_USEC=%d000", 3 * STILL_MS);
    if (poll(fds, 2, STILL_MS) < 0 && errno == EINTR) continue;
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
static int talk_to_holder(orr__daemon *daemon, bool *has_asked, orr_error *reterr) {
  const orr__cli *cli = daemon->cli;
  orr__message info = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT}, over = info;
  int rc = ask_holder(daemon, "runtime.info", &info, NULL);
  if (rc == ORR_E_CANCELLED) return orr__error_set(reterr, rc, "interrupted");
  bool has_answered = rc == 0 && info.error.code == 0;
  if (!has_answered) goto done;
  const cJSON *pid = cJSON_GetObjectItemCaseSensitive(info.data, "pid");
  if (orr__streq(orr__json_word(info.data, "role"), "serve")) {
    daemon->has_rival = true;
    rc = orr__error_set(reterr, ORR_E_REFUSED, "another `orrery serve` (pid %.0f) holds %s", cJSON_IsNumber(pid) ? pid->valuedouble : 0, cli->data_dir);
    orr__message_clear(&info);
    return rc;
  }
  if (!*has_asked) {
    orr__log_line line = orr__log_say(ORR_SAY_INFO, "a command holds the data directory; asking it to hand over");
    orr__log_number(&line, "pid", cJSON_IsNumber(pid) ? (int64_t)pid->valuedouble : 0);
    orr__log_put(daemon->log, &line);
    orr__notify_send(daemon->notify, "STATUS=waiting for a command (pid %.0f) to hand over", cJSON_IsNumber(pid) ? pid->valuedouble : 0);
  }
  *has_asked = true;
  rc = ask_holder(daemon, "runtime.handover", &over, NULL);
  if (rc == ORR_E_CANCELLED) orr__error_set(reterr, rc, "interrupted");
done:
  orr__message_clear(&info);
  orr__message_clear(&over);
  return rc == ORR_E_CANCELLED ? rc : has_answered;
}

int orr__daemon_take(orr__daemon *daemon, orr__holder **ret_holder, orr_error *reterr) {
  const orr__cli *cli = daemon->cli;
  int64_t end = orr__mono_ms() + ORR_REACH_MS;
  bool has_asked = false;
  for (;;) {
    int rc = orr__holder_open(cli->settings, cli->data_dir, false, orr__daemon_log, daemon, ret_holder, reterr);
    if (rc != ORR_E_LOCKED) return rc;
    rc = talk_to_holder(daemon, &has_asked, reterr);
    if (rc < 0) return rc;
    /* Its hooks in flight may take long: as long as it answers, it is waited for. */
    if (rc > 0) end = orr__mono_ms() + ORR_REACH_MS;
    if (orr__mono_ms() >= end) return ORR_E_LOCKED;
    struct pollfd stop = {cli->signal_fd, POLLIN, 0};
    if (poll(&stop, 1, RETRY_MS) > 0 && orr__signals_count() > 0) return orr__error_set(reterr, ORR_E_CANCELLED, "interrupted");
  }
}
