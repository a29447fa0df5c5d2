/* host: what the host of the runtime does for a provider, and nobody else can: host.NAME(args), and commands on a server.
 *
 * A function that the host offers as function:NAME may change something outside, so the sent mark comes first; one that it offers as
 * query:NAME only looks. Which a provider may use is granted by needs.host. Arguments and answers cross as JSON. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "lib_session.h"
#include "libraries.h"
#include "object.h"
#include "value.h"
#include "wait.h"

enum { SERVICE_MAX = 128, ACT_MAX = 160 };

typedef struct host_wait {
  orr__wait wait;
  orr__hostcalls *calls;
  uint64_t id;
  char service[SERVICE_MAX];
  char *args;
  int64_t timeout_ms;
  int code;
  char *message, *text;
} host_wait;

static void done(void *arg, const orr__hostcall_reply *reply) {
  host_wait *w = arg;
  w->code = reply->code;
  w->message = orr__strdup(reply->message);
  w->text = orr__strdup(reply->text);
  if (!w->text && !w->code) w->code = ORR_E_NOMEM;
  /* { "sent": false } beside an error: nothing has happened. */
  orr__json *details = w->code ? orr__json_parse(reply->text, strlen(reply->text), NULL) : NULL;
  if (details && !orr__json_bool(details, "sent", true)) orr__wait_unsent(&w->wait);
  orr__json_free(details);
  orr__wait_done(&w->wait);
}

static int start(orr__wait *wait, orr_error *reterr) {
  host_wait *w = (host_wait *)wait;
  return orr__hostcall_start(w->calls, w->service, w->args, w->timeout_ms, done, w, &w->id, reterr);
}

static void abort_call(orr__wait *wait) {
  host_wait *w = (host_wait *)wait;
  orr__hostcall_abort(w->calls, w->id);
}

static int push(orr__wait *wait, lua_State *L) {
  host_wait *w = (host_wait *)wait;
  if (w->code) return orr__push_failure(L, w->code, w->message ? w->message : orr__code_word(w->code));
  lua_pushboolean(L, true);
  orr_error err = ORR_ERROR_INIT;
  if (orr__push_json_text(L, w->text, strlen(w->text), false, &err) == 0) return 2;
  lua_pop(L, 1);
  orr__push_error(L, &err);
  orr__error_clear(&err);
  return 2;
}

static void clear(orr__wait *wait) {
  host_wait *w = (host_wait *)wait;
  if (w->args) explicit_bzero(w->args, strlen(w->args));
  free(w->args);
  free(w->message);
  free(w->text);
}

static const orr__wait_kind call_kind = { "host.NAME", start, abort_call, push, clear, NULL };
static const orr__wait_kind run_kind = { "computeServer:run", start, abort_call, push, clear, NULL };

static int give_up(lua_State *L, host_wait *w, orr_error *err) {
  orr__wait_drop(&w->wait);
  orr__push_error(L, err);
  orr__error_clear(err);
  return 2;
}

/* Which service answers to that name; false: none. */
static bool choose(host_wait *w, const char *name, bool *ret_is_query) {
  snprintf(w->service, SERVICE_MAX, "query:%.100s", name);
  *ret_is_query = w->calls && orr__hostcalls_offers(w->calls, w->service);
  if (*ret_is_query) return true;
  snprintf(w->service, SERVICE_MAX, "function:%.100s", name);
  return w->calls && orr__hostcalls_offers(w->calls, w->service);
}

/* call(name, value) -> true, value */
static int host_call(lua_State *L) {
  const char *name = orr__arg_line(L, 1, "host: name");
  char act[ACT_MAX];
  bool is_query = false;
  orr_error err = ORR_ERROR_INIT;
  lua_settop(L, 2);
  host_wait *w = orr__wait_new(L, &call_kind, sizeof *w);
  w->calls = orr__current_config(L)->calls;
  int code = orr__granted(L, "host", name, &err);
  if (!code && !choose(w, name, &is_query)) code = orr__error_set(&err, ORR_E_REFUSED, "the host offers no function '%.100s'", name);
  if (!code && !(w->args = orr__value_to_text(L, 2, &err))) code = err.code;
  if (code) return give_up(L, w, &err);
  snprintf(act, sizeof act, "host %.100s", name);
  return orr__wait_start(L, &w->wait, is_query || orr__session_is_safe(L) ? NULL : act);
}

/* ---- a command on a server ---------------------------------------------------------------------------------- */

static const orr__param params[] = {
  { "argv", ORR_P_WORDS, true }, { "stdin", ORR_P_TEXT, false }, { "timeout", ORR_P_SECONDS, false }, { "safe", ORR_P_BOOL, false },
  { NULL, ORR_P_ANY, false }
};

static char *command_text(lua_State *L, const orr__object *server, int64_t timeout_ms) {
  orr__json *map = orr__json_map(), *argv = orr__json_list();
  size_t len = 0;
  const char *input = orr__args_text(L, 2, "stdin", &len);
  int code = map && argv ? orr__json_put(map, "computeServer", orr__object_to_json(server, 0)) : ORR_E_NOMEM;
  orr__args_push(L, 2, "argv");
  const char **words = orr__words(L, lua_gettop(L));
  for (; !code && *words; words++) code = orr__json_append(argv, orr__json_new_str(*words));
  if (!code) code = orr__json_put(map, "argv", argv);
  else orr__json_free(argv);
  if (!code && input && orr__utf8_valid(input, len)) {
    code = orr__json_put_str(map, "stdin", input);
  } else if (!code && input) {
    char *coded = orr__base64(input, len, false, NULL);
    code = coded ? orr__json_put_str(map, "stdinBase64", coded) : ORR_E_NOMEM;
    free(coded);
  }
  if (!code && timeout_ms > 0) code = orr__json_put_int(map, "timeoutMillis", timeout_ms);
  char *text = code ? NULL : orr__json_print(map);
  orr__json_free(map);
  return text;
}

/* server:run(table) -> true, { code, signal, stdout, stderr } */
int orr__host_run(lua_State *L) {
  char act[ACT_MAX];
  orr_error err = ORR_ERROR_INIT;
  const orr__object *server = orr__object_of(L, 1);
  if (!server || server->model->id != ORR_M_server) orr__raise(L, "run is a method of a ComputeServer: use a colon, as in computeServer:run{ argv = { ... } }");
  orr__args_check(L, 2, "run", params);
  lua_settop(L, 2);
  bool is_safe = orr__args_bool(L, 2, "safe", false) || orr__session_is_safe(L);
  host_wait *w = orr__wait_new(L, &run_kind, sizeof *w);
  w->calls = orr__current_config(L)->calls;
  snprintf(w->service, SERVICE_MAX, "command");
  int64_t timeout = orr__args_ms(L, 2, "timeout", 0), remaining = orr__remaining_ms(L);
  w->timeout_ms = timeout > 0 && timeout < remaining ? timeout : remaining;
  int code = orr__granted(L, "host", "command", &err);
  if (!code && (!w->calls || !orr__hostcalls_offers(w->calls, "command")))
    code = orr__error_set(&err, ORR_E_REFUSED, "run: this runtime has no host that runs commands on servers");
  if (!code && !(w->args = command_text(L, server, w->timeout_ms))) code = orr__error_set(&err, ORR_E_NOMEM, "out of memory");
  if (code) return give_up(L, w, &err);
  const char *name = orr__get_str(server, orr__field_find(server->model, "name"));
  snprintf(act, sizeof act, "command on %.100s", name ? name : "a server");
  return orr__wait_start(L, &w->wait, is_safe ? NULL : act);
}

void orr__lib_host(lua_State *L) {
  static const luaL_Reg functions[] = { { "call", host_call }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
