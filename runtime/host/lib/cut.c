/* Dying for tests: a runtime is dropped as a kill would drop it, and another is opened on what had committed until then.
 *
 * That this is what a kill leaves: the store in memory carries transactions out one after the other, as SQLite's commits are, and a cut
 * one has exactly the first n of them. Nothing else of the old runtime reaches the new one. */
#include "base/str.h"
#include "host/lib/lib.h"

size_t orr_commits(const orr_runtime *runtime) {
  if (orr__enter(runtime, NULL)) return 0;
  size_t commits = orr__store_commits(runtime->store);
  orr__leave(runtime);
  return commits;
}

int orr_cut(orr_runtime *from, size_t commits, const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr) {
  if (!from || !settings || !ret_runtime) return orr__error_set(reterr, ORR_E_MISUSE, "orr_cut needs a runtime, settings, and where to put the new one");
  orr_runtime *rt = orr__runtime_new();
  int code = rt ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!code && (!orr__loop_is_virtual(from->loop) || !orr__streq(orr__setting(settings, ORR_S_CLOCK), "virtual")))
    code = orr__error_set(reterr, ORR_E_MISUSE, "only a runtime on a virtual clock can be cut");
  if (!code) {
    orr__store_config config = orr__store_config_of(rt);
    code = orr__store_cut(from->store, commits, &config, &rt->store, reterr);
  }
  from->close_grace_ms = 0; /* who is killed has no grace */
  if (code) {
    orr_close(from);
    orr_close(rt);
    return code;
  }
  rt->virtual_start_ms = orr_now(from);
  orr_close(from);
  return orr__runtime_open(rt, settings, ret_runtime, reterr);
}
