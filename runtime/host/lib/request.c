/* Requests: what can be asked, and asking it. The list is core/requests.def, the work is the core's. */
#include "host/lib/lib.h"

const char *orr_request_at(size_t i) { return orr__request_at(i) ? orr__request_at(i)->name : NULL; }

#define REQUEST_FACT(function, member)                       \
  const char *function(const char *name) {                   \
    const orr__request_info *info = orr__request_find(name); \
    return info ? info->member : NULL;                       \
  }
REQUEST_FACT(orr_request_args, args)
REQUEST_FACT(orr_request_reply, reply)
REQUEST_FACT(orr_request_doc, doc)
REQUEST_FACT(orr_request_kind, kind)

int orr_submit(orr_runtime *runtime, const char *request, const char *args, uint64_t *ret_request, orr_error *reterr) {
  if (!request || !ret_request) return orr__error_set(reterr, ORR_E_MISUSE, "orr_submit needs a request and where to put its id");
  int code = orr__enter(runtime, reterr);
  if (code) return code;
  code = orr__core_submit(runtime->core, request, args, ret_request, reterr);
  orr__leave(runtime);
  return code;
}

void orr_request_stop(orr_runtime *runtime, uint64_t request) {
  if (orr__enter(runtime, NULL)) return;
  orr__core_stop_request(runtime->core, request);
  orr__leave(runtime);
}

int orr_provider_add(orr_runtime *runtime, const char *code, const char *source, size_t len, orr_error *reterr) {
  if (!code || !source) return orr__error_set(reterr, ORR_E_MISUSE, "orr_provider_add needs a code and a source");
  int rc = orr__enter(runtime, reterr);
  if (rc) return rc;
  rc = orr__native_has(runtime->native, code) ? orr__error_set(reterr, ORR_E_EXISTS, "a provider in C has the code '%s'", code)
                                              : orr__bindings_add_source(runtime->bindings, code, source, len, reterr);
  orr__leave(runtime);
  return rc;
}
