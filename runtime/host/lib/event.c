/* Events: replies, updates and log lines become one queue that the host pulls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

#define EVENTS_MAX 100000 /* log lines beyond it are dropped; replies never are */

struct orr_event {
  struct orr_event *next;
  int kind, code;
  uint64_t request;
  char *json;
  orr_error error;
  uint64_t call;
  char *service;
  orr__json *tree;               /* of json, once somebody looked into it */
};

static void append(orr_runtime *rt, orr_event *event) {
  if (rt->last)
    rt->last->next = event;
  else
    rt->first = event;
  rt->last = event;
  rt->event_count++;
}

void orr__push_event(orr_runtime *rt, int kind, uint64_t request, int code, char *json, const orr_error *err) {
  orr_event *event = calloc(1, sizeof *event);
  if (!event) {
    free(json);
    return;
  }
  event->kind = kind;
  event->request = request;
  event->code = code;
  event->json = json;
  if (err) orr__error_copy(&event->error, err);
  append(rt, event);
}

static int push_call(orr_runtime *rt, int kind, uint64_t id, const char *service, const char *args) {
  orr_event *event = calloc(1, sizeof *event);
  if (event) *event = (orr_event){ .kind = kind, .call = id, .service = orr__strdup(service), .json = orr__strdup(args) };
  if (!event || !event->service || (args && !event->json)) {
    orr_event_free(event);
    return ORR_E_NOMEM;
  }
  rt->calls_waiting += kind == ORR_EVENT_CALL;
  append(rt, event);
  return 0;
}

int orr__on_called(void *self, uint64_t id, const char *service, const char *args) {
  return push_call(self, ORR_EVENT_CALL, id, service, args);
}

void orr__on_ended(void *self, uint64_t id, const char *service) {
  orr_runtime *rt = self;
  orr_event *previous = NULL;
  for (orr_event *event = rt->first; event; previous = event, event = event->next) {
    if (event->kind != ORR_EVENT_CALL || event->call != id) continue;
    if (previous) previous->next = event->next;
    else rt->first = event->next;
    if (rt->last == event) rt->last = previous;
    rt->event_count--;
    rt->calls_waiting--;
    orr_event_free(event);
    return;
  }
  push_call(rt, ORR_EVENT_CALL_END, id, service, NULL);
}

void orr__on_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err) {
  orr__push_event(self, ORR_EVENT_REPLY, request, code, orr__strdup(json), err);
}

void orr__on_update(void *self, uint64_t request, const char *json) {
  orr__push_event(self, ORR_EVENT_UPDATE, request, 0, orr__strdup(json), NULL);
}

void orr__on_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message) {
  static const char *const words[] = { "debug", "info", "warning", "error" };
  orr_runtime *rt = self;
  if (rt->event_count >= EVENTS_MAX) {
    rt->lines_dropped++;
    return;
  }
  if (rt->lines_dropped > 0) {
    char text[96];
    snprintf(text, sizeof text, "%zu lines of the log were dropped: nobody pulled them", rt->lines_dropped);
    rt->lines_dropped = 0;
    orr__on_log(rt, ORR_LOG_WARNING, NULL, text);
  }
  orr__json *map = orr__json_map();
  if (!map) return;
  orr__json_put_str(map, "level", words[level]);
  orr__json_put_str(map, "message", message);
  if (about) {
    orr__json_put_str(map, "provider", about->provider);
    if (about->backup) orr__json_put_str(map, "backup", about->backup);
    if (about->result) orr__json_put_int(map, "result", about->result);
    if (about->hook) orr__json_put_str(map, "hook", about->hook);
  }
  orr__push_event(rt, ORR_EVENT_LOG, 0, 0, orr__json_print(map), NULL);
  orr__json_free(map);
}

orr_event *orr__take_event(orr_runtime *rt) {
  orr_event *event = rt->first;
  if (!event) return NULL;
  rt->first = event->next;
  if (!rt->first) rt->last = NULL;
  rt->event_count--;
  rt->calls_waiting -= event->kind == ORR_EVENT_CALL;
  event->next = NULL;
  return event;
}

orr_event *orr_next(orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return NULL;
  orr_event *event = orr__take_event(runtime);
  orr__leave(runtime);
  return event;
}

void orr_event_free(orr_event *event) {
  if (!event) return;
  if (event->json && event->service) explicit_bzero(event->json, strlen(event->json)); /* a call may carry credentials */
  free(event->json);
  free(event->service);
  orr__json_free(event->tree);
  orr__error_clear(&event->error);
  free(event);
}

int orr_event_kind(const orr_event *event) { return event ? event->kind : 0; }
uint64_t orr_event_request(const orr_event *event) { return event ? event->request : 0; }
int orr_event_code(const orr_event *event) { return event ? event->code : 0; }
uint64_t orr_event_call(const orr_event *event) { return event ? event->call : 0; }
const char *orr_event_service(const orr_event *event) { return event ? event->service : NULL; }
const char *orr_event_json(const orr_event *event) { return event && event->json ? event->json : "null"; }
const orr_error *orr_event_error(const orr_event *event) { return event && event->error.code ? &event->error : NULL; }

/* ---- looking into it ---------------------------------------------------------------------------------------- */

static const orr__json *member(const orr__json *in, const char *name, size_t len) {
  char key[256];
  if (len >= sizeof key) return NULL;
  memcpy(key, name, len);
  key[len] = '\0';
  if (!orr__json_is_list(in)) return orr__json_get(in, key);
  if (len == 0 || len > 9 || strspn(key, "0123456789") != len) return NULL;
  const orr__json *found = orr__json_first(in);
  for (long i = strtol(key, NULL, 10); found && i > 0; i--) found = orr__json_next(found);
  return found;
}

static const orr__json *look(const orr_event *const_event, const char *path) {
  orr_event *event = (orr_event *)const_event; /* the tree is made when it is first needed */
  if (!event || !path) return NULL;
  if (!event->tree && event->json) event->tree = orr__json_parse(event->json, strlen(event->json), NULL);
  const orr__json *found = event->tree;
  while (found && *path) {
    size_t len = strcspn(path, ".");
    found = member(found, path, len);
    path += len + (path[len] == '.');
  }
  return found;
}

const char *orr_event_text(const orr_event *event, const char *path) { return orr__json_text(look(event, path)); }

int64_t orr_event_int(const orr_event *event, const char *path, int64_t fallback) {
  const orr__json *found = look(event, path);
  bool is_true = orr__json_value_bool(found, false), is_bool = is_true == orr__json_value_bool(found, true);
  return is_bool ? is_true : orr__json_value_int(found, fallback);
}

double orr_event_num(const orr_event *event, const char *path, double fallback) { return orr__json_value_num(look(event, path), fallback); }

size_t orr_event_count(const orr_event *event, const char *path) { return orr__json_count(look(event, path)); }
