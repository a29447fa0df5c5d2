/* The daemon as a client of its own runtime: a peer of the dispatcher like any other, with three requests.
 *
 *   events --follow--> a line of the log each, and a reason to look at the status again
 *   events, none of them   a question to the store: its answer is what the watchdog is patted for
 *   status                 the line that `systemctl status` shows
 *
 * Why the watchdog goes by a question: that our loop turns is not enough. The answer comes by way of the store's queue and thread, behind
 * every commit that was asked for before it, so a store that hangs (a disk that does not come back) leaves it out, and so does a
 * loop that stands still. A store that fails does not hang: then the daemon ends by itself. */
#include "host/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/protocol.h"

enum { FOLLOW = 1, PING = 2, STATUS = 3, STATUS_MS = 5000 };
/* Behind every event there will ever be: none is read, those to come are followed. */
#define NO_EVENTS "{\"after\":9007199254740991,\"limit\":1}"
#define COMING_EVENTS "{\"after\":9007199254740991,\"follow\":true}"

struct orr__pulse {
  orr__peer peer; /* first: the dispatcher's pointer to it is a pointer to the pulse */
  orr__daemon *daemon;
  orr__dispatcher *dispatcher;
  int64_t pat_ms;  /* how often; 0: never */
  int64_t next_pat_ms, next_status_ms;
  bool is_asking_ping, is_asking_status, has_news;
};

/* ---- what comes ----------------------------------------------------------------------------------------------- */

static void log_event(orr__pulse *pulse, const cJSON *event) {
  const char *message = orr__json_word(event, "message");
  const cJSON *result = cJSON_GetObjectItemCaseSensitive(event, "resultId");
  const cJSON *data = cJSON_GetObjectItemCaseSensitive(event, "data");
  const cJSON *took = cJSON_GetObjectItemCaseSensitive(data, "durationMillis");
  orr__log_line line = orr__log_say(orr__severity_of(orr__json_word(event, "level")), message ? message : "");
  orr__log_text(&line, "event", orr__json_word(event, "kind"));
  orr__log_text(&line, "backup", orr__json_word(event, "subject"));
  if (cJSON_IsNumber(result)) orr__log_number(&line, "result", (int64_t)result->valuedouble);
  orr__log_text(&line, "provider", orr__json_word(data, "providerCode"));
  if (cJSON_IsNumber(took)) orr__log_number(&line, "ms", (int64_t)took->valuedouble);
  orr__log_put_limited(pulse->daemon->log, &line);
  pulse->has_news = true;
}

static int count_running(const cJSON *results) {
  static const char *const running[] = {"START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED"};
  double count = 0;
  for (size_t i = 0; i < sizeof running / sizeof *running; i++) {
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(results, running[i]);
    if (cJSON_IsNumber(number)) count += number->valuedouble;
  }
  return (int)count;
}

static void tell_status(orr__pulse *pulse, const cJSON *status) {
  const cJSON *backups = cJSON_GetObjectItemCaseSensitive(status, "backups");
  int attention = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "attention")) +
                  cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(status, "drafts"));
  double count = cJSON_IsNumber(backups) ? backups->valuedouble : 0;
  orr__notify_send(pulse->daemon->notify, "STATUS=%.0f backup%s, %d running, %d need%s attention", count, count == 1 ? "" : "s",
                   count_running(cJSON_GetObjectItemCaseSensitive(status, "results")), attention, attention == 1 ? "s" : "");
}

static void take_line(orr__peer *peer, const char *text) {
  orr__pulse *pulse = (orr__pulse *)peer;
  orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
  if (orr__protocol_read_message(text, strlen(text), &message, NULL) != 0) return;
  bool is_reply = message.type == ORR_MESSAGE_REPLY;
  if (message.id == FOLLOW && message.type == ORR_MESSAGE_UPDATE) log_event(pulse, message.data);
  if (message.id == PING && is_reply) {
    pulse->is_asking_ping = false;
    if (message.error.code == 0) orr__notify_send(pulse->daemon->notify, "WATCHDOG=1");
  }
  if (message.id == STATUS && is_reply) {
    pulse->is_asking_status = false;
    if (message.error.code == 0) tell_status(pulse, message.data);
  }
  orr__message_clear(&message);
}

/* ---- what is asked -------------------------------------------------------------------------------------------- */

static bool ask(orr__pulse *pulse, uint64_t id, const char *request, const char *args) {
  char *line = orr__protocol_ask(id, request, args);
  if (line) orr__dispatch(pulse->dispatcher, &pulse->peer, line, strlen(line));
  free(line);
  return line != NULL;
}

orr__pulse *orr__pulse_new(orr__daemon *daemon, orr__holder *holder) {
  orr__pulse *pulse = calloc(1, sizeof *pulse);
  if (!pulse) return NULL;
  pulse->peer.send = take_line;
  pulse->daemon = daemon;
  pulse->dispatcher = orr__holder_dispatcher(holder);
  pulse->pat_ms = orr__notify_watchdog_ms(daemon->notify);
  pulse->has_news = true;
  ask(pulse, FOLLOW, "events", COMING_EVENTS);
  return pulse;
}

static int64_t sooner(int64_t wait_ms, int64_t due_ms, int64_t now_ms) {
  int64_t left = due_ms > now_ms ? due_ms - now_ms : 0;
  return wait_ms < 0 || left < wait_ms ? left : wait_ms;
}

int64_t orr__pulse_turn(orr__pulse *pulse) {
  int64_t wait_ms = -1, now_ms = orr__mono_ms();
  if (pulse->pat_ms > 0 && !pulse->is_asking_ping) {
    if (now_ms >= pulse->next_pat_ms) {
      pulse->next_pat_ms = now_ms + pulse->pat_ms;
      pulse->is_asking_ping = true;
      if (!ask(pulse, PING, "events", NO_EVENTS)) pulse->is_asking_ping = false;
    }
    wait_ms = sooner(wait_ms, pulse->next_pat_ms, now_ms);
  }
  if (pulse->has_news && !pulse->is_asking_status && orr__notify_is_heard(pulse->daemon->notify)) {
    if (now_ms >= pulse->next_status_ms) {
      pulse->next_status_ms = now_ms + STATUS_MS;
      pulse->has_news = false;
      pulse->is_asking_status = true;
      if (!ask(pulse, STATUS, "status", NULL)) pulse->is_asking_status = false;
    } else {
      wait_ms = sooner(wait_ms, pulse->next_status_ms, now_ms);
    }
  }
  return wait_ms;
}

void orr__pulse_free(orr__pulse *pulse) {
  free(pulse);
}
