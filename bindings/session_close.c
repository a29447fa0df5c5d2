/* The end of shared logins: what was retired (session_store.h) is closed by the current version's `close(value, connection)`.
 *
 *   let go: connection removed, credentials changed   -> retired ---> (no hook of that connection in flight) ---> own call ---> freed
 *   draining, and the last hook has ended: all that are open --^
 *
 * An own call is one of the bindings' own (ORR_OWN_CALL): its coroutine, waits and limits are those of any hook, but the core
 * never hears of it. It carries the session's name as `name`, its value as `config` and the connection as it was in its graph,
 * so that needs are filled in from that. Its acts are safe: it counts as marked from the start.
 *
 * Closing is an attempt: a failure is one debug line, and ORR_GRACE_MS after it began it is over, whatever `close` does. Draining,
 * that is the time of all together. */
#include <stdio.h>
#include <string.h>

#include "lib_session.h"

static void say(orr__bindings *b, const char *provider, const char *name, const orr_error *err) {
  const orr__provider_host *host = &b->config.host;
  char line[1024];
  snprintf(line, sizeof line, "session %s: not closed: %s", name, orr__error_message(err));
  if (host->log) host->log(host->core, 0, provider, ORR_LOG_DEBUG, line);
}

/* ---- which ------------------------------------------------------------------------------------------------- */

/* Not while a hook runs that may have got it. */
static bool may_close(void *arg, const orr__retired *retired) {
  const orr__provider *p = arg;
  size_t pos = 0;
  void *value;
  while (orr__map_next(&p->bindings->calls, &pos, NULL, &value)) {
    const orr__hookcall *hc = value;
    if (orr__call_is_own(hc->call) || hc->version->provider != p) continue;
    const orr_connection *connection = hc->call->graph.connection;
    int64_t id = connection ? orr__object_id(&connection->head) : 0;
    if (id == retired->connection && orr__session_fingerprint(connection) == retired->fingerprint) return false;
  }
  return true;
}

static void free_call(orr__call *call) {
  if (call && call->config) explicit_bzero(call->config, strlen(call->config));
  orr__call_free(call);
}

static void begin(orr__provider *p, orr__retired *retired, int64_t deadline_ms) {
  orr__bindings *b = p->bindings;
  orr_error err = ORR_ERROR_INIT;
  orr__version *v;
  orr__call *call = orr__call_new(ORR_OWN_CALL | ++b->last_own_call, ORR_HOOK_testConnection, p->code);
  int rc = call ? 0 : orr__error_set(&err, ORR_E_NOMEM, "out of memory");
  if (!rc && deadline_ms <= orr__loop_mono_ms(b->config.loop)) rc = orr__error_set(&err, ORR_E_DEADLINE, "there is no time left");
  if (!rc && !p->current) rc = orr__error_set(&err, ORR_E_PROVIDER, "the provider does not load");
  if (!rc) rc = orr__provider_version(p, &v, &err);
  if (!rc) {
    call->name = retired->name;
    call->config = retired->value;
    call->graph.connection = (orr_connection *)(void *)retired->login;
    call->deadline_mono_ms = deadline_ms;
    call->is_marked_sent = true;
    retired->name = retired->value = NULL;
    retired->login = NULL;
    rc = orr__call_begin(v, call, &err);
  }
  if (rc) {
    say(b, p->code, retired->name ? retired->name : call->name, &err);
    free_call(call);
  } else {
    b->own_calls++;
  }
  orr__retired_free(retired);
  orr__error_clear(&err);
}

static void look(void *arg) {
  orr__bindings *b = arg;
  int64_t end = orr__loop_mono_ms(b->config.loop) + ORR_GRACE_MS;
  bool is_last = b->is_draining && b->calls.len == b->own_calls;
  if (is_last && !b->close_by_ms) b->close_by_ms = end;
  if (b->close_by_ms && end > b->close_by_ms) end = b->close_by_ms;
  for (orr__provider *p = b->providers; p; p = p->next) {
    orr__retired *retired;
    if (!p->sessions) continue;
    if (is_last) orr__session_store_retire(p->sessions);
    while ((retired = orr__session_store_take_retired(p->sessions, may_close, p)) != NULL) begin(p, retired, end - ORR_CLOSE_GRACE_MS);
  }
}

/* ---- when -------------------------------------------------------------------------------------------------- */

void orr__sessions_look(orr__bindings *b) {
  bool is_needed = b->is_draining;
  if (b->is_closing || orr__timer_is_started(&b->close_timer)) return;
  for (orr__provider *p = b->providers; p && !is_needed; p = p->next) is_needed = p->sessions && orr__session_store_has_retired(p->sessions);
  /* Without memory for a timer the end of the next call tries again. */
  if (is_needed) orr__timer_start(b->config.loop, &b->close_timer, orr__loop_mono_ms(b->config.loop), look, b);
}

void orr__sessions_forget(orr__bindings *b, int64_t connection) {
  for (orr__provider *p = b->providers; p; p = p->next)
    if (p->sessions) orr__session_store_forget(p->sessions, connection);
  orr__sessions_look(b);
}

void orr__session_closed(orr__bindings *b, orr__call *call, orr__answer *answer) {
  b->own_calls--;
  if (answer->error.code) say(b, call->provider, call->name, &answer->error);
  orr__answer_clear(answer);
  free_call(call);
}
