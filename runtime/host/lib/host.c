/* Services of the host: what it offers, and how it answers. How a call waits is port/hostcall.c; what the services mean is in
 * service_*.c and, for functions that Lua calls, in the bindings. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

#define NAME_MAX_LEN 100

static const struct {
  const char *name, *doc;
} services[] = {
#define SERVICE(id, name, doc) { name, doc },
#include "host/lib/services.def"
#undef SERVICE
};
enum {
#define SERVICE(id, name, doc) SERVICE_##id,
#include "host/lib/services.def"
#undef SERVICE
  SERVICE_COUNT
};

const char *orr_service_at(size_t i) { return i < SERVICE_COUNT ? services[i].name : NULL; }
const char *orr_service_doc(size_t i) { return i < SERVICE_COUNT ? services[i].doc : NULL; }

static const char *service_at(void *arg, size_t i) {
  (void)arg;
  return orr_service_at(i);
}

static bool is_name(const char *name) {
  static const char letters[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  size_t len = strlen(name);
  return len > 0 && len <= NAME_MAX_LEN && strchr(letters, name[0]) && strspn(name + 1, "_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == len - 1;
}

/* Which of the table it is; SERVICE_COUNT: none. */
static size_t find(const char *service) {
  size_t i = 0;
  for (; i < SERVICE_COUNT; i++) {
    const char *colon = strchr(services[i].name, ':');
    if (colon ? orr__starts_with(service, services[i].name) : strcmp(service, services[i].name) == 0) break;
  }
  return i;
}

static int carry(orr_runtime *rt, size_t i, orr_error *reterr) {
  if (i == SERVICE_HTTP) orr__carry_http(rt);
  if (i != SERVICE_PROCESS) return 0;
  orr__carry_process(rt);
  return orr__carry_jobs(rt, reterr);
}

static int offer(orr_runtime *rt, const char *service, orr_error *reterr) {
  size_t i = find(service);
  if (i == SERVICE_COUNT) {
    const char *nearest = orr__nearest(service, service_at, NULL);
    return nearest ? orr__error_set(reterr, ORR_E_INVALID, "no service '%.100s'; did you mean '%s'?", service, nearest)
                   : orr__error_set(reterr, ORR_E_INVALID, "no service '%.100s'", service);
  }
  const char *colon = strchr(services[i].name, ':');
  if (colon && !is_name(service + strlen(services[i].name)))
    return orr__error_set(reterr, ORR_E_INVALID, "service '%.100s': the name of a function is letters, digits and _, at most %d", service, NAME_MAX_LEN);
  int code = orr__hostcalls_offer(rt->calls, service, reterr);
  return code ? code : carry(rt, i, reterr);
}

int orr_host_offer(orr_runtime *runtime, const char *service, orr_error *reterr) {
  if (!service) return orr__error_set(reterr, ORR_E_MISUSE, "orr_host_offer needs a service");
  int code = orr__enter(runtime, reterr);
  if (code) return code;
  code = offer(runtime, service, reterr);
  orr__leave(runtime);
  return code;
}

/* ---- answering ---------------------------------------------------------------------------------------------- */

/* The process service has several shapes: what was asked decides, and only the call's own function knows that. So both are
 * taken where they fit either. */
static int check_process(const orr__json *answer, orr_error *reterr) {
  if (orr__json_get(answer, "code") && !orr__json_get(answer, "state")) return orr__check_ended(answer, reterr);
  return orr__check_started(answer, reterr);
}

static int check(const char *service, const orr__json *answer, orr_error *reterr) {
  if (strcmp(service, "http") == 0) return orr__check_http(answer, reterr);
  if (strcmp(service, "process") == 0) return check_process(answer, reterr);
  if (strcmp(service, "command") == 0) return orr__check_ended(answer, reterr);
  if (strcmp(service, "secrets") == 0 && !orr__json_str(answer, "value")) return orr__error_set(reterr, ORR_E_INVALID, "an answer to secrets needs a text 'value'");
  if (strcmp(service, "inventory") == 0 && !orr__json_is_map(answer)) return orr__error_set(reterr, ORR_E_INVALID, "an answer to inventory is a JSON object");
  return 0;
}

static int answer(orr_runtime *rt, uint64_t call, int64_t delay_ms, const char *json, const char *error, const char *message, orr_error *reterr) {
  int code = error ? orr__code_from_word(error) : 0;
  if (error && !code) return orr__error_set(reterr, ORR_E_INVALID, "no error '%.100s': docs/errors.md lists the words", error);
  const char *text = json ? json : "null", *service = orr__hostcall_service(rt->calls, call);
  orr__json *value = orr__json_parse(text, strlen(text), reterr);
  if (!value) return ORR_E_INVALID;
  int wrong = service && !code ? check(service, value, reterr) : 0;
  orr__json_free(value);
  orr__hostcall_reply reply = { code, message ? message : code ? orr__code_word(code) : NULL, text };
  return wrong ? wrong : orr__hostcall_answer(rt->calls, call, &reply, delay_ms, reterr);
}

int orr_host_answer_after(orr_runtime *runtime, uint64_t call, int64_t delay_ms, const char *json, const char *error, const char *message,
                          orr_error *reterr) {
  int code = orr__enter(runtime, reterr);
  if (code) return code;
  code = answer(runtime, call, delay_ms, json, error, message, reterr);
  orr__leave(runtime);
  return code;
}

int orr_host_answer(orr_runtime *runtime, uint64_t call, const char *json, const char *error, const char *message, orr_error *reterr) {
  return orr_host_answer_after(runtime, call, 0, json, error, message, reterr);
}

int orr_host_hold(orr_runtime *runtime, uint64_t call, orr_error *reterr) {
  int code = orr__enter(runtime, reterr);
  if (code) return code;
  code = orr__hostcall_hold(runtime->calls, call, reterr);
  orr__leave(runtime);
  return code;
}

static int tell_process(orr_runtime *rt, const orr__json *said, orr_error *reterr) {
  const orr__json *job = orr__json_get(said, "job"), *programs = orr__json_get(said, "programs");
  if (!orr__hostcalls_offers(rt->calls, "process")) return orr__error_set(reterr, ORR_E_REFUSED, "process is not offered");
  if (!job && !programs) return orr__error_set(reterr, ORR_E_INVALID, "process is told of a 'job' or of 'programs'");
  int code = job ? orr__told_job(rt, job, reterr) : 0;
  return code || !programs ? code : orr__told_programs(rt, programs, reterr);
}

int orr_host_tell(orr_runtime *runtime, const char *service, const char *json, orr_error *reterr) {
  if (!service || strcmp(service, "process")) return orr__error_set(reterr, ORR_E_INVALID, "only process is told of things, not '%.100s'", service ? service : "");
  orr__json *said = orr__json_parse_map(json, reterr);
  if (!said) return ORR_E_INVALID;
  int code = orr__enter(runtime, reterr);
  if (!code) {
    code = tell_process(runtime, said, reterr);
    orr__leave(runtime);
  }
  orr__json_free(said);
  return code;
}
