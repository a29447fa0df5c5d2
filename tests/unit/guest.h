/* A host for tests of orrery.h: opens a runtime of its own on a virtual clock and a store in memory, asks and waits, and hands calls to a
 * function of the test's. Knows only orrery.h and cJSON. */
#ifndef ORR_TEST_GUEST_H
#define ORR_TEST_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orrery.h"

typedef struct guest {
  orr_runtime *runtime;
  void (*called)(struct guest *guest, const char *service, uint64_t call, const cJSON *args); /* NULL: nobody answers */
  void *arg;
  int calls, ends;
  uint64_t last_call, last_end;
  int code;                        /* of the last reply */
  char message[512];
} guest;

static inline void guest_set(orr_settings *settings, const char *key, const char *value) {
  orr_error *err = orr_error_new();
  if (orr_settings_set(settings, key, value, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
}

static inline orr_runtime *guest_open_with(orr_settings *settings) {
  orr_error *err = orr_error_new();
  orr_runtime *runtime = NULL;
  if (orr_open(settings, &runtime, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
  orr_settings_free(settings);
  return runtime;
}

static inline orr_settings *guest_settings(const char *clock) {
  orr_settings *settings = orr_settings_new();
  guest_set(settings, "store", "memory");
  guest_set(settings, "clock", clock);
  guest_set(settings, "shipped_providers", "false");
  guest_set(settings, "runner_path", ORR_TEST_RUNNER);
  guest_set(settings, "seed", "7");
  return settings;
}

static inline void guest_provider(orr_runtime *runtime, const char *code, const char *source) {
  orr_error *err = orr_error_new();
  if (orr_provider_add(runtime, code, source, strlen(source), err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
}

static inline void guest_take(guest *g, orr_event *event, uint64_t wanted, cJSON **ret_reply, int *ret_done) {
  if (orr_event_kind(event) == ORR_EVENT_CALL) {
    g->calls++;
    g->last_call = orr_event_call(event);
    cJSON *args = cJSON_Parse(orr_event_json(event));
    if (g->called) g->called(g, orr_event_service(event), g->last_call, args);
    cJSON_Delete(args);
  } else if (orr_event_kind(event) == ORR_EVENT_CALL_END) {
    g->ends++;
    g->last_end = orr_event_call(event);
  } else if (orr_event_kind(event) == ORR_EVENT_REPLY && orr_event_request(event) == wanted) {
    g->code = orr_event_code(event);
    snprintf(g->message, sizeof g->message, "%s", orr_event_error(event) ? orr_error_message(orr_event_error(event)) : "");
    *ret_reply = cJSON_Parse(orr_event_json(event));
    *ret_done = 1;
  }
  orr_event_free(event);
}

/* Steps until the request has its reply: owned, null where it failed (g->code, g->message). */
static inline cJSON *guest_ask(guest *g, const char *request, const char *args) {
  orr_error *err = orr_error_new();
  uint64_t id = 0;
  if (orr_submit(g->runtime, request, args, &id, err)) fail_msg("%s: %s", request, orr_error_message(err));
  orr_error_free(err);
  cJSON *reply = NULL;
  int is_done = 0;
  for (int idle = 0; !is_done && idle < 30000;) {
    idle = orr_step(g->runtime, 1) ? 0 : idle + 1;
    if (idle) orr_advance(g->runtime, 500, NULL); /* a real clock refuses */
    for (orr_event *event; (event = orr_next(g->runtime));) guest_take(g, event, id, &reply, &is_done);
  }
  if (!is_done) fail_msg("%s: no reply", request);
  return reply;
}

static inline void guest_do(guest *g, const char *request, const char *args) {
  cJSON_Delete(guest_ask(g, request, args));
  if (g->code) fail_msg("%s: %s", request, g->message);
}

static inline void guest_answer(guest *g, uint64_t call, const char *json) {
  orr_error *err = orr_error_new();
  if (orr_host_answer(g->runtime, call, json, NULL, NULL, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
}

static inline void guest_offer(guest *g, const char *service) {
  orr_error *err = orr_error_new();
  if (orr_host_offer(g->runtime, service, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
}

static inline const char *guest_str(const cJSON *map, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(map, key);
  return cJSON_IsString(item) ? item->valuestring : "";
}

#endif
