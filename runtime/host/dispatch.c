/* Routes between the requests of peers and the runtime; see dispatch.h. */
#include "host/dispatch.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/str.h"
#include "host/protocol.h"

typedef struct route {
  orr__peer *peer; /* NULL once it has left */
  uint64_t id;     /* the peer's number of the request */
  bool is_stream, is_write, is_handover;
} route;

struct orr__dispatcher {
  orr_runtime *runtime;
  orr__map routes; /* by the runtime's number of the request */
  void (*log)(void *arg, const char *json);
  void *log_arg;
  size_t open_writes;
  bool may_hand_over, is_handed_over;
};

orr__dispatcher *orr__dispatcher_new(orr_runtime *runtime, bool may_hand_over, void (*log)(void *arg, const char *json),
                                     void *log_arg) {
  orr__dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
  if (!dispatcher) return NULL;
  dispatcher->runtime = runtime;
  dispatcher->may_hand_over = may_hand_over;
  dispatcher->log = log;
  dispatcher->log_arg = log_arg;
  orr__map_init(&dispatcher->routes);
  return dispatcher;
}

void orr__dispatcher_free(orr__dispatcher *dispatcher) {
  if (!dispatcher) return;
  size_t pos = 0;
  uint64_t key;
  void *value;
  while (orr__map_next(&dispatcher->routes, &pos, &key, &value)) free(value);
  orr__map_clear(&dispatcher->routes);
  free(dispatcher);
}

static void send_failure(orr__peer *peer, uint64_t id, const orr_error *error) {
  char *line = orr__protocol_failure(id, error);
  if (line) peer->send(peer, line);
  free(line);
}

static void send_taken(orr__peer *peer, uint64_t id) {
  char *line = orr__protocol_data(id, ORR_MESSAGE_TAKEN, NULL);
  if (line) peer->send(peer, line);
  free(line);
}

static void stop_streams(orr__dispatcher *dispatcher, const orr__peer *peer, uint64_t id) {
  size_t pos = 0;
  uint64_t key;
  void *value;
  while (orr__map_next(&dispatcher->routes, &pos, &key, &value)) {
    route *found = value;
    if (found->peer == peer && found->is_stream && (id == 0 || found->id == id))
      orr_request_stop(dispatcher->runtime, key);
  }
}

static bool is_taken(orr__dispatcher *dispatcher, const orr__peer *peer, uint64_t id) {
  size_t pos = 0;
  uint64_t key;
  void *value;
  while (orr__map_next(&dispatcher->routes, &pos, &key, &value)) {
    route *found = value;
    if (found->peer == peer && found->id == id) return true;
  }
  return false;
}

static int submit(orr__dispatcher *dispatcher, orr__peer *peer, const orr__asked *asked, orr_error *reterr) {
  if (peer->open >= ORR_PEER_REQUESTS_MAX)
    return orr__error_set(reterr, ORR_E_LIMIT, "more than %d requests at a time", ORR_PEER_REQUESTS_MAX);
  if (is_taken(dispatcher, peer, asked->id))
    return orr__error_set(reterr, ORR_E_INVALID, "request id %llu is in use", (unsigned long long)asked->id);
  bool is_handover = orr__streq(asked->request, "runtime.handover");
  if (is_handover && !dispatcher->may_hand_over)
    return orr__error_set(reterr, ORR_E_REFUSED, "`orrery serve` keeps its data directory; end it to take over");
  route *made = calloc(1, sizeof *made);
  if (!made) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory while taking a request");
  const char *kind = orr_request_kind(asked->request);
  made->is_write = orr__streq(kind, "WRITE");
  if (made->is_write) send_taken(peer, asked->id);
  uint64_t number = 0;
  int rc = orr_submit(dispatcher->runtime, asked->request, asked->args, &number, reterr);
  if (rc == 0) rc = orr__map_put(&dispatcher->routes, number, made);
  if (rc != 0) {
    free(made);
    return rc;
  }
  made->peer = peer;
  made->id = asked->id;
  made->is_stream = orr__streq(kind, "STREAM");
  made->is_handover = is_handover;
  peer->open++;
  peer->open_writes += made->is_write;
  dispatcher->open_writes += made->is_write;
  return 0;
}

void orr__dispatch(orr__dispatcher *dispatcher, orr__peer *peer, const char *line, size_t len) {
  orr_error error = ORR_ERROR_INIT;
  orr__asked asked = {0};
  int rc = orr__protocol_read_asked(line, len, &asked, &error);
  if (rc == 0 && asked.is_stop) stop_streams(dispatcher, peer, asked.id);
  else if (rc == 0) rc = submit(dispatcher, peer, &asked, &error);
  if (rc != 0) {
    if (error.code == 0) orr__error_set(&error, rc, "%s", asked.request ? asked.request : "request");
    send_failure(peer, asked.id, &error);
  }
  orr__asked_clear(&asked);
  orr__error_clear(&error);
}

static void send_event(route *to, const orr_event *event, enum orr__message_type type) {
  const orr_error *error = type == ORR_MESSAGE_REPLY ? orr_event_error(event) : NULL;
  if (error) {
    send_failure(to->peer, to->id, error);
    return;
  }
  char *line = orr__protocol_data(to->id, type, orr_event_json(event));
  if (line) {
    to->peer->send(to->peer, line);
    free(line);
    return;
  }
  orr_error full = ORR_ERROR_INIT;
  orr__error_set(&full, ORR_E_LIMIT, "the reply is too large; ask for less (a limit)");
  if (type == ORR_MESSAGE_REPLY) send_failure(to->peer, to->id, &full);
  orr__error_clear(&full);
}

static void end_route(orr__dispatcher *dispatcher, uint64_t number, route *ended, int code) {
  orr__map_remove(&dispatcher->routes, number);
  dispatcher->open_writes -= ended->is_write;
  if (ended->peer) {
    ended->peer->open--;
    ended->peer->open_writes -= ended->is_write;
  }
  dispatcher->is_handed_over |= ended->is_handover && code == 0;
  free(ended);
}

void orr__dispatcher_pump(orr__dispatcher *dispatcher) {
  orr_event *event;
  while ((event = orr_next(dispatcher->runtime)) != NULL) {
    int kind = orr_event_kind(event);
    uint64_t number = orr_event_request(event);
    route *to = orr__map_get(&dispatcher->routes, number);
    if (kind == ORR_EVENT_LOG) {
      if (dispatcher->log) dispatcher->log(dispatcher->log_arg, orr_event_json(event));
    } else if (to) {
      if (to->peer) send_event(to, event, kind == ORR_EVENT_REPLY ? ORR_MESSAGE_REPLY : ORR_MESSAGE_UPDATE);
      if (kind == ORR_EVENT_REPLY) end_route(dispatcher, number, to, orr_event_code(event));
    }
    orr_event_free(event);
  }
}

void orr__dispatcher_forget(orr__dispatcher *dispatcher, orr__peer *peer) {
  stop_streams(dispatcher, peer, 0);
  size_t pos = 0;
  uint64_t key;
  void *value;
  while (orr__map_next(&dispatcher->routes, &pos, &key, &value)) {
    route *found = value;
    if (found->peer == peer) found->peer = NULL;
  }
}

size_t orr__dispatcher_open_writes(const orr__dispatcher *dispatcher) {
  return dispatcher->open_writes;
}

bool orr__dispatcher_is_handed_over(const orr__dispatcher *dispatcher) {
  return dispatcher->is_handed_over;
}
