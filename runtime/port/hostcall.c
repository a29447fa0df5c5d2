/* The table of calls to the host: hostcall.h has the states.
 *
 * A call's one timer is its time limit while it is open, and its delivery afterwards. `is_busy` says whether the loop counts
 * it as in flight. */
#include "port/hostcall.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/str.h"

struct orr__hostcalls {
  orr__loop *loop;
  orr__hostcall_sink sink;
  orr__map calls;                /* by id: all that have not completed */
  uint64_t last_id;
  char **services;
  size_t service_count;
};

typedef struct hostcall {
  orr__hostcalls *owner;
  uint64_t id;
  char *service;
  orr__hostcall_done done;
  void *arg;
  orr__timer timer;
  bool is_answered, is_busy;
  int code;
  char *message, *text;
} hostcall;

int orr__hostcalls_new(orr__loop *loop, const orr__hostcall_sink *sink, orr__hostcalls **ret, orr_error *reterr) {
  orr__hostcalls *calls = calloc(1, sizeof *calls);
  if (!calls) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  calls->loop = loop;
  calls->sink = *sink;
  orr__map_init(&calls->calls);
  *ret = calls;
  return 0;
}

bool orr__hostcalls_offers(const orr__hostcalls *calls, const char *service) {
  for (size_t i = 0; i < calls->service_count; i++)
    if (strcmp(calls->services[i], service) == 0) return true;
  return false;
}

int orr__hostcalls_offer(orr__hostcalls *calls, const char *service, orr_error *reterr) {
  if (orr__hostcalls_offers(calls, service)) return 0;
  if (calls->service_count == ORR_SERVICES_MAX)
    return orr__error_set(reterr, ORR_E_LIMIT, "at most %d services of the host", ORR_SERVICES_MAX);
  char **services = realloc(calls->services, (calls->service_count + 1) * sizeof *services);
  if (services) calls->services = services;
  char *copy = services ? orr__strdup(service) : NULL;
  if (!copy) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  services[calls->service_count++] = copy;
  return 0;
}

/* ---- a call ------------------------------------------------------------------------------------------------- */

static void free_call(hostcall *call) {
  if (!call) return;
  free(call->service);
  free(call->message);
  free(call->text);
  free(call);
}

static void set_busy(hostcall *call, bool is_busy) {
  if (call->is_busy == is_busy) return;
  call->is_busy = is_busy;
  orr__loop_busy(call->owner->loop, is_busy ? 1 : -1);
}

/* The end of every call. */
static void complete(hostcall *call, int code, const char *message) {
  orr__hostcalls *calls = call->owner;
  orr__hostcall_reply reply = { code, message, call->text ? call->text : "null" };
  orr__timer_release(calls->loop, &call->timer);
  set_busy(call, false);
  orr__map_remove(&calls->calls, call->id);
  if (!call->is_answered) calls->sink.ended(calls->sink.self, call->id, call->service);
  call->done(call->arg, &reply);
  free_call(call);
}

static void on_timer(void *arg) {
  hostcall *call = arg;
  if (call->is_answered) complete(call, call->code, call->message ? call->message : orr__code_word(call->code));
  else complete(call, ORR_E_TIMEOUT, "the host has not answered in time");
}

static void on_aborted(void *arg) { complete(arg, ORR_E_CANCELLED, "cancelled"); }

int orr__hostcall_start(orr__hostcalls *calls, const char *service, const char *args, int64_t timeout_ms, orr__hostcall_done done,
                        void *arg, uint64_t *ret_id, orr_error *reterr) {
  if (!orr__hostcalls_offers(calls, service)) return orr__error_set(reterr, ORR_E_REFUSED, "the host offers no '%s'", service);
  if (calls->calls.len >= ORR_HOSTCALLS_MAX)
    return orr__error_set(reterr, ORR_E_LIMIT, "at most %d calls to the host at a time", ORR_HOSTCALLS_MAX);
  hostcall *call = calloc(1, sizeof *call);
  if (!call) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  *call = (hostcall){ .owner = calls, .id = calls->last_id + 1, .service = orr__strdup(service), .done = done, .arg = arg };
  bool is_reserved = call->service && orr__timer_reserve(calls->loop, &call->timer) == 0;
  bool is_listed = is_reserved && orr__map_put(&calls->calls, call->id, call) == 0;
  if (!is_listed || calls->sink.called(calls->sink.self, call->id, service, args)) {
    if (is_listed) orr__map_remove(&calls->calls, call->id);
    if (is_reserved) orr__timer_release(calls->loop, &call->timer);
    free_call(call);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  calls->last_id = call->id;
  set_busy(call, true);
  if (timeout_ms > 0) orr__timer_start(calls->loop, &call->timer, orr__loop_mono_ms(calls->loop) + timeout_ms, on_timer, call);
  *ret_id = call->id;
  return 0;
}

void orr__hostcall_abort(orr__hostcalls *calls, uint64_t id) {
  hostcall *call = orr__map_get(&calls->calls, id);
  if (call) orr__timer_start(calls->loop, &call->timer, orr__loop_mono_ms(calls->loop), on_aborted, call);
}

static void nobody(void *arg, const orr__hostcall_reply *reply) { (void)arg, (void)reply; }

void orr__hostcall_forget(orr__hostcalls *calls, uint64_t id) {
  hostcall *call = orr__map_get(&calls->calls, id);
  if (call) call->done = nobody;
}

static hostcall *find_open(orr__hostcalls *calls, uint64_t id, orr_error *reterr) {
  hostcall *call = orr__map_get(&calls->calls, id);
  if (call && !call->is_answered) return call;
  orr__error_set(reterr, ORR_E_NOT_FOUND, "no open call %llu: it was answered, or has ended", (unsigned long long)id);
  return NULL;
}

int orr__hostcall_answer(orr__hostcalls *calls, uint64_t id, const orr__hostcall_reply *reply, int64_t delay_ms, orr_error *reterr) {
  hostcall *call = find_open(calls, id, reterr);
  if (!call) return ORR_E_NOT_FOUND;
  char *text = orr__strdup(reply->text), *message = orr__strdup(reply->message);
  if ((reply->text && !text) || (reply->message && !message)) {
    free(text);
    free(message);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  call->code = reply->code;
  call->text = text;
  call->message = message;
  call->is_answered = true;
  if (delay_ms > 0) set_busy(call, false);
  orr__timer_start(calls->loop, &call->timer, orr__loop_mono_ms(calls->loop) + (delay_ms > 0 ? delay_ms : 0), on_timer, call);
  return 0;
}

int orr__hostcall_hold(orr__hostcalls *calls, uint64_t id, orr_error *reterr) {
  hostcall *call = find_open(calls, id, reterr);
  if (!call) return ORR_E_NOT_FOUND;
  set_busy(call, false);
  return 0;
}

const char *orr__hostcall_service(const orr__hostcalls *calls, uint64_t id) {
  const hostcall *call = orr__map_get(&calls->calls, id);
  return call && !call->is_answered ? call->service : NULL;
}

void orr__hostcalls_free(orr__hostcalls *calls) {
  if (!calls) return;
  size_t pos = 0;
  uint64_t id;
  void *call;
  while (orr__map_next(&calls->calls, &pos, &id, &call)) complete(call, ORR_E_CANCELLED, "the runtime is closing");
  orr__map_clear(&calls->calls);
  for (size_t i = 0; i < calls->service_count; i++) free(calls->services[i]);
  free(calls->services);
  free(calls);
}
