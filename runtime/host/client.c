/* The two ways to a runtime behind one face; see client.h. The lines of this process's own runtime come through
 * `lines`, a queue that the dispatcher fills; those of a connection are cut from `in`. */
#include "host/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "host/clock.h"
#include "host/holder.h"
#include "host/signals.h"
#include "host/socket.h"

enum { RETRY_MS = 50, READ_SIZE = 64 * 1024, DRAIN_MS = 4500, ACTS_TURN_MS = 100 };

#define WAITING "{\"level\":\"warning\",\"message\":\"a hook is still at work, and is waited for; Ctrl-C leaves it to be cleared up by the next command\"}"
#define WAITING_FOR_ANOTHER "{\"level\":\"warning\",\"message\":\"another command is closing the runtime and has a hook at work: waiting for it\"}"

struct orr__client {
  orr__peer peer; /* first: this process as a peer of its own dispatcher */
  const orr__client_config *config;
  orr__holder *holder; /* while HOLDING, else NULL */
  int fd;              /* while CONNECTED, else -1 */
  orr__buf in;         /* lines not yet taken, each with its line end */
  size_t taken;        /* bytes of `in` before the next line */
  uint64_t last_id;
  bool is_command, is_interrupted;
};

/* ---- messages out of lines -------------------------------------------------------------------------------- */

static void queue_line(orr__peer *peer, const char *line) {
  orr__client *client = (orr__client *)peer;
  orr__buf_adds(&client->in, line);
  orr__buf_addc(&client->in, '\n');
}

/* 1 with a message, 0 if there is no whole line, or an error. */
static int next_message(orr__client *client, orr__message *ret_message, orr_error *reterr) {
  orr__buf *in = &client->in;
  if (orr__buf_error(in)) return orr__error_set(reterr, orr__buf_error(in), "more came from the runtime than fits");
  const char *end = in->len > client->taken ? memchr(in->data + client->taken, '\n', in->len - client->taken) : NULL;
  if (!end) {
    if (client->taken > 0) {
      memmove(in->data, in->data + client->taken, in->len - client->taken);
      in->len -= client->taken;
      client->taken = 0;
    }
    return 0;
  }
  const char *line = in->data + client->taken;
  size_t len = (size_t)(end - line);
  client->taken += len + 1;
  int rc = orr__protocol_read_message(line, len, ret_message, reterr);
  return rc == 0 ? 1 : rc;
}

static int interrupted(orr__client *client, orr_error *reterr) {
  client->is_interrupted = true;
  return orr__error_set(reterr, ORR_E_CANCELLED, "interrupted");
}

/* Sleeps, unless a signal comes: then CANCELLED. */
static int pause_ms(orr__client *client, int ms, orr_error *reterr) {
  struct pollfd stop = {client->config->signal_fd, POLLIN, 0};
  if (poll(&stop, 1, ms) > 0 && orr__signals_count() > 0) return interrupted(client, reterr);
  return 0;
}

/* ---- a connection ----------------------------------------------------------------------------------------- */

static void disconnect(orr__client *client) {
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
  orr__buf_clear(&client->in);
  client->taken = 0;
}

static int send_all(orr__client *client, const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL);
    if (n > 0) {
      bytes += n;
      len -= (size_t)n;
      continue;
    }
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return ORR_E_CLOSED;
    struct pollfd room = {client->fd, POLLOUT, 0};
    if (poll(&room, 1, ORR_REACH_MS) == 0) return ORR_E_CLOSED;
  }
  return 0;
}

/* 0, or CLOSED when the other side is gone. */
static int receive(orr__client *client) {
  char bytes[READ_SIZE];
  for (;;) {
    ssize_t n = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) orr__buf_add(&client->in, bytes, (size_t)n);
    if (n == 0) return ORR_E_CLOSED;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : ORR_E_CLOSED;
    if (memchr(bytes, '\n', (size_t)n) || orr__buf_error(&client->in)) return 0;
  }
}

/* Waits for one message or timeout_ms on the connection. */
static int wait_connected(orr__client *client, int64_t timeout_ms, orr__message *ret_message, orr_error *reterr) {
  int64_t end = orr__mono_ms() + timeout_ms;
  for (;;) {
    int rc = next_message(client, ret_message, reterr);
    if (rc != 0) return rc < 0 ? rc : ORR_CLIENT_MESSAGE;
    int64_t left = timeout_ms < 0 ? -1 : end - orr__mono_ms();
    if (timeout_ms >= 0 && left <= 0) return ORR_CLIENT_TIMEOUT;
    struct pollfd fds[2] = {{client->fd, POLLIN, 0}, {client->config->signal_fd, POLLIN, 0}};
    if (poll(fds, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
      return orr__error_errno(reterr, ORR_E_IO, errno, "waiting for the runtime");
    if (fds[1].revents & POLLIN && orr__signals_count() > 0) return interrupted(client, reterr);
    if (fds[0].revents && receive(client) != 0) {
      rc = next_message(client, ret_message, reterr);
      return rc == 1 ? ORR_CLIENT_MESSAGE : rc < 0 ? rc : ORR_CLIENT_MOVED;
    }
  }
}

static int reach_ms(const orr__client *client) {
  return client->config->reach_ms > 0 ? client->config->reach_ms : ORR_REACH_MS;
}

/* Connects and asks who is there: a socket whose owner is on its way out does not count. 0, or the reason. */
static int connect_once(orr__client *client, orr_error *reterr) {
  int rc = orr__socket_connect(client->config->data_dir, &client->fd, reterr);
  if (rc != 0) return rc;
  uint64_t id = 0;
  orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
  rc = orr__client_ask(client, "runtime.info", NULL, &id, reterr);
  if (rc == 0) {
    int got = wait_connected(client, reach_ms(client), &message, reterr);
    if (got < 0) rc = got;
    else if (got != ORR_CLIENT_MESSAGE) rc = orr__error_set(reterr, ORR_E_LOCKED, "its runtime does not answer");
    else if (message.error.code) rc = orr__error_move(reterr, &message.error);
  }
  if (rc == 0) {
    const char *role = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message.data, "role"));
    client->is_command = !orr__streq(role, "serve");
  } else {
    disconnect(client);
  }
  orr__message_clear(&message);
  return rc;
}

/* ---- reaching one of the two states ----------------------------------------------------------------------- */

static int hold(orr__client *client, orr_error *reterr) {
  int rc = orr__holder_open(client->config->settings, client->config->data_dir, true, client->config->log, client->config->log_arg,
                            &client->holder, reterr);
  if (rc == 0) client->is_command = true;
  return rc;
}

/* Only to whoever is there already. */
static int reach_other(orr__client *client, orr_error *reterr) {
  orr_error why = ORR_ERROR_INIT;
  int rc = connect_once(client, &why);
  if (rc == ORR_E_LOCKED || rc == ORR_E_CANCELLED) orr__error_move(reterr, &why);
  else if (rc != 0) rc = orr__error_set(reterr, ORR_E_NOT_FOUND, "nobody answers at %s/socket", client->config->data_dir);
  orr__error_clear(&why);
  return rc;
}

/* Tries for 10 s to hold the directory (unless is_given_away: then somebody is about to take it) or to connect. */
static int reach(orr__client *client, bool is_given_away, orr_error *reterr) {
  int64_t end = orr__mono_ms() + reach_ms(client);
  orr_error locked = ORR_ERROR_INIT;
  int rc;
  if (client->config->only_reaches) return reach_other(client, reterr);
  for (;;) {
    bool is_over = orr__mono_ms() >= end;
    orr_error why = ORR_ERROR_INIT;
    rc = connect_once(client, &why);
    bool is_cancelled = rc == ORR_E_CANCELLED;
    if (is_cancelled) orr__error_move(reterr, &why);
    orr__error_clear(&why);
    if (rc == 0 || is_cancelled) break;
    if (!is_given_away || is_over) {
      rc = hold(client, &locked);
      if (rc != ORR_E_LOCKED) break;
    }
    if (is_over) break;
    int paused = pause_ms(client, RETRY_MS, reterr);
    if (paused != 0) {
      rc = paused;
      break;
    }
  }
  if (rc == ORR_E_LOCKED) {
    char *said = orr__strdup(orr__error_message(&locked));
    orr__error_set(reterr, ORR_E_LOCKED, "%s; nobody answers at %s/socket", said ? said : "locked", client->config->data_dir);
    free(said);
  } else if (rc != 0 && rc != ORR_E_CANCELLED) {
    orr__error_move(reterr, &locked);
  }
  orr__error_clear(&locked);
  return rc;
}

int orr__client_open(const orr__client_config *config, orr__client **ret_client, orr_error *reterr) {
  orr__client *client = calloc(1, sizeof *client);
  if (!client) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  client->peer.send = queue_line;
  client->config = config;
  client->fd = -1;
  orr__buf_init(&client->in, 4u * ORR_LINE_MAX);
  int rc = reach(client, false, reterr);
  if (rc == 0) *ret_client = client;
  else orr__client_close(client);
  return rc;
}

static bool may_wait(const orr__client *client) {
  struct pollfd stop = {client->config->signal_fd, POLLIN, 0};
  return !client->is_interrupted && !orr__holder_failed(client->holder) && poll(&stop, 1, 0) <= 0;
}

/* A hook that was cut off while it acts is a crash to be cleared up, and a command that only happened to hold the directory is no reason
 * for one. */
static void finish_acts(orr__client *client) {
  const orr__client_config *config = client->config;
  int64_t say_at = orr__mono_ms() + DRAIN_MS;
  orr__holder_drain(client->holder);
  while (may_wait(client) && orr__holder_is_acting(client->holder)) {
    orr__holder_turn(client->holder, ACTS_TURN_MS, config->signal_fd);
    if (say_at < 0 || orr__mono_ms() < say_at) continue;
    if (config->log) config->log(config->log_arg, WAITING);
    say_at = -1;
  }
}

void orr__client_close(orr__client *client) {
  if (!client) return;
  if (client->holder) {
    orr__dispatcher *dispatcher = orr__holder_dispatcher(client->holder);
    orr__dispatcher_forget(dispatcher, &client->peer);
    /* Another command's hook runs in this runtime: its answer is owed, however long it takes. */
    while (may_wait(client) && orr__dispatcher_open_writes(dispatcher) > 0)
      orr__holder_turn(client->holder, -1, client->config->signal_fd);
    finish_acts(client);
    orr__holder_close(client->holder, DRAIN_MS, client->config->signal_fd);
    client->holder = NULL;
  }
  disconnect(client);
  free(client);
}

bool orr__client_is_command(const orr__client *client) {
  return client->is_command;
}

bool orr__client_is_remote(const orr__client *client) {
  return client->holder == NULL;
}

/* ---- asking and waiting ----------------------------------------------------------------------------------- */

static int send_line(orr__client *client, char *line, orr_error *reterr) {
  if (!line) return orr__error_set(reterr, ORR_E_LIMIT, "the request is too large, or memory ran out");
  int rc = 0;
  if (client->holder) orr__dispatch(orr__holder_dispatcher(client->holder), &client->peer, line, strlen(line));
  else if (client->fd >= 0) rc = send_all(client, line, strlen(line)) || send_all(client, "\n", 1) ? ORR_E_CLOSED : 0;
  free(line);
  /* A connection that is gone shows at the next wait: MOVED. */
  return rc == ORR_E_CLOSED ? 0 : rc;
}

int orr__client_ask(orr__client *client, const char *request, const char *args, uint64_t *ret_id, orr_error *reterr) {
  *ret_id = ++client->last_id;
  return send_line(client, orr__protocol_ask(*ret_id, request, args), reterr);
}

static int move(orr__client *client, bool is_given_away, orr_error *reterr) {
  orr__holder_close(client->holder, DRAIN_MS, client->config->signal_fd);
  client->holder = NULL;
  disconnect(client);
  client->peer.open = client->peer.open_writes = 0;
  int rc = reach(client, is_given_away, reterr);
  return rc == 0 ? ORR_CLIENT_MOVED : rc;
}

/* While HOLDING: turns the runtime until there is a message for this process. */
static int wait_holding(orr__client *client, int64_t timeout_ms, orr__message *ret_message, orr_error *reterr) {
  int64_t end = orr__mono_ms() + timeout_ms;
  orr__dispatcher *dispatcher = orr__holder_dispatcher(client->holder);
  for (;;) {
    int rc = next_message(client, ret_message, reterr);
    if (rc != 0) return rc < 0 ? rc : ORR_CLIENT_MESSAGE;
    /* What is in flight is finished first, however long it takes: that is what handing over promises. */
    if (orr__dispatcher_is_handed_over(dispatcher) && orr__holder_is_idle(client->holder)) return ORR_CLIENT_MOVED;
    int64_t left = timeout_ms < 0 ? -1 : end - orr__mono_ms();
    if (timeout_ms >= 0 && left <= 0) return ORR_CLIENT_TIMEOUT;
    orr__holder_turn(client->holder, left, client->config->signal_fd);
    struct pollfd stop = {client->config->signal_fd, POLLIN, 0};
    if (poll(&stop, 1, 0) > 0 && orr__signals_count() > 0) return interrupted(client, reterr);
  }
}

int orr__client_wait(orr__client *client, int64_t timeout_ms, orr__message *ret_message, orr_error *reterr) {
  for (;;) {
    bool is_holding = client->holder != NULL;
    int rc = is_holding ? wait_holding(client, timeout_ms, ret_message, reterr)
                        : client->fd >= 0 ? wait_connected(client, timeout_ms, ret_message, reterr) : ORR_CLIENT_MOVED;
    if (rc == ORR_CLIENT_MOVED) return move(client, is_holding, reterr);
    if (rc != ORR_CLIENT_MESSAGE || ret_message->type != ORR_MESSAGE_LOG) return rc;
    orr__message_clear(ret_message);
  }
}

/* The reply to one request: 1 with it, MOVED, or an error. Messages of other requests are dropped. *is_taken: the
 * runtime has begun it. */
static int wait_reply(orr__client *client, uint64_t id, bool *is_taken, orr__message *ret_message, orr_error *reterr) {
  for (;;) {
    int rc = orr__client_wait(client, -1, ret_message, reterr);
    if (rc != ORR_CLIENT_MESSAGE) return rc;
    if (ret_message->id == id && ret_message->type == ORR_MESSAGE_REPLY) return rc;
    *is_taken |= ret_message->id == id && ret_message->type == ORR_MESSAGE_TAKEN;
    orr__message_clear(ret_message);
  }
}

/* CLOSED means that the runtime would not begin it: wait until it has gone, then somebody else will. That takes as long as the hooks it lets
 * come to their end; whether it is still at that is asked now and then. */
static int wait_moved(orr__client *client, orr_error *reterr) {
  orr__message message;
  bool is_asked = false;
  int rc;
  while ((rc = orr__client_wait(client, ORR_REACH_MS, &message, reterr)) == ORR_CLIENT_MESSAGE || rc == ORR_CLIENT_TIMEOUT) {
    if (rc == ORR_CLIENT_MESSAGE) {
      orr__message_clear(&message);
      is_asked = false;
      continue;
    }
    uint64_t id;
    if (is_asked) return orr__error_set(reterr, ORR_E_LOCKED, "the runtime of %s is closing, and does not come to its end", client->config->data_dir);
    if (client->config->log) client->config->log(client->config->log_arg, WAITING_FOR_ANOTHER);
    rc = orr__client_ask(client, "status", NULL, &id, reterr);
    if (rc != 0) return rc;
    is_asked = true;
  }
  return rc < 0 ? rc : 0;
}

int orr__client_call(orr__client *client, const char *request, const char *args, cJSON **ret_data, orr_error *reterr) {
  bool is_read = orr__streq(orr_request_kind(request), "READ");
  int64_t end = orr__mono_ms() + ORR_REACH_MS; /* commands may hold the directory one after the other */
  for (;;) {
    uint64_t id = 0;
    bool is_taken = false;
    orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
    int rc = orr__client_ask(client, request, args, &id, reterr);
    if (rc == 0) rc = wait_reply(client, id, &is_taken, &message, reterr);
    if (rc < 0) return rc;
    if (rc == ORR_CLIENT_MOVED) {
      if ((is_read || !is_taken) && orr__mono_ms() < end) continue;
      return orr__error_set(reterr, ORR_E_CLOSED, "the runtime ended before it answered %s; look at what is there before you ask again", request);
    }
    if (message.error.code == 0) {
      *ret_data = message.data;
      return 0;
    }
    rc = message.error.code;
    if (rc != ORR_E_CLOSED || orr__mono_ms() >= end) return orr__error_move(reterr, &message.error);
    orr__message_clear(&message);
    rc = wait_moved(client, reterr);
    if (rc != 0) return rc;
    end = orr__mono_ms() + ORR_REACH_MS;
  }
}
