/* Answers: what a hook returned or raised, read into an orr__answer by the rules of its flags in ops.def.
 *
 *   nothing           success, but where the hook must ANSWER
 *   true [, msg]      success              false [, msg]     halt
 *   a table           a ServiceResponse or one of its shape; without `success` it is false
 *   BackupExecutionResponse, itself or as `data`, where the hook is of an EXECUTION
 *   an error table with retryable = true that was raised: retry; anything else raised: an error
 *
 * Whatever fits none of these is an error that names the hook and the value. Decides nothing about records; writes to
 * objects are in the objects already. Everything here runs inside orr__protect. */
#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "task.h"
#include "trial.h"
#include "value.h"
#include "version.h"
#include "where.h"

#define TEXT_SHOWN 60
#define ERRORS_MAX 1000
#define RETRY_MAX (31.0 * 86400)

typedef struct reading {
  orr__hookcall *hc;
  orr__answer *answer;
} reading;

static const char *const keys[] = { "success", "msg", "errors", "data", "inProgress", "retry", "after", "gone", "backupResult", "updates", NULL };

static const orr__hook_info *hook_of(const reading *r) {
  return &orr__hooks[r->hc->call->hook];
}

/* The answer breaks the contract. */
static void refuse(reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(reading *r, const char *format, ...) {
  const orr__declaration *d = &r->hc->version->declaration;
  va_list args;
  char text[512];
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  r->answer->outcome = ORR_OUTCOME_ERROR;
  orr__error_set(&r->answer->error, ORR_E_PROVIDER, "%s %s: %s: %s", d->code, d->version, orr__call_what(r->hc->call), text);
}

/* A value as a person would name it, without running anything of the author's. */
static const char *shown(lua_State *L, int index, char *out, size_t size) {
  switch (lua_type(L, index)) {
  case LUA_TNIL: snprintf(out, size, "nil"); break;
  case LUA_TBOOLEAN: snprintf(out, size, "%s", lua_toboolean(L, index) ? "true" : "false"); break;
  case LUA_TNUMBER: snprintf(out, size, "the number %.14g", lua_tonumber(L, index)); break;
  case LUA_TSTRING: {
    size_t len;
    const char *text = lua_tolstring(L, index, &len);
    char *redacted = orr__redact(L, text, len, TEXT_SHOWN);
    snprintf(out, size, "the string \"%s\"", redacted ? redacted : "");
    free(redacted);
    break;
  }
  case LUA_TUSERDATA: {
    const orr__box *box = orr__box_of(L, index);
    snprintf(out, size, "a %s", box ? box->model->class_name : "userdata");
    break;
  }
  default: snprintf(out, size, "a %s", luaL_typename(L, index));
  }
  return out;
}

static void raw_field(lua_State *L, int table, const char *key) {
  lua_pushstring(L, key);
  lua_rawget(L, table);
}

/* A message: a string, or a number as one. False if it is something else. */
static bool take_msg(reading *r, lua_State *L, int index, const char *what) {
  char text[160];
  if (lua_isnil(L, index)) return true;
  if (lua_type(L, index) != LUA_TSTRING && lua_type(L, index) != LUA_TNUMBER) {
    refuse(r, "answered %s as %s, which must be a string", shown(L, index, text, sizeof text), what);
    return false;
  }
  size_t len;
  lua_pushvalue(L, index);
  const char *msg = lua_tolstring(L, -1, &len);
  free(r->answer->msg);
  r->answer->msg = orr__strndup(msg, len);
  lua_pop(L, 1);
  return true;
}

/* ---- the parts of a response ------------------------------------------------------------------------------- */

static bool take_errors(reading *r, lua_State *L, int table) {
  char text[160];
  raw_field(L, table, "errors");
  int errors = lua_gettop(L);
  if (lua_isnil(L, errors)) return true;
  if (!lua_istable(L, errors)) {
    refuse(r, "answered %s as errors, which must be a table of messages by field", shown(L, errors, text, sizeof text));
    return false;
  }
  r->answer->has_errors = true;
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, errors) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)) {
      int odd = lua_type(L, -2) == LUA_TSTRING ? -1 : -2;
      refuse(r, "answered errors with %s in it; errors maps field names to messages", shown(L, odd, text, sizeof text));
      return false;
    }
    lua_pushvalue(L, -1);
    if (++count <= ERRORS_MAX) orr__error_field(&r->answer->errors, lua_tostring(L, -3), "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return true;
}

/* true, false, or absent (*ret_has false). False if it is anything else. */
static bool take_flag(reading *r, lua_State *L, int table, const char *key, bool *ret_has, bool *ret) {
  char text[160];
  raw_field(L, table, key);
  *ret_has = lua_isboolean(L, -1);
  *ret = lua_toboolean(L, -1);
  if (*ret_has || lua_isnil(L, -1)) return true;
  refuse(r, "answered %s as %s, which must be true or false", shown(L, -1, text, sizeof text), key);
  return false;
}

static bool take_after(reading *r, lua_State *L, int table) {
  char text[160];
  raw_field(L, table, "after");
  if (lua_isnil(L, -1)) return true;
  double after = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
  if (!(after >= 0 && after <= RETRY_MAX)) {
    refuse(r, "answered retry with after = %s, which must be a number of seconds up to %g", shown(L, -1, text, sizeof text), RETRY_MAX);
    return false;
  }
  r->answer->retry_after = after;
  return true;
}

static bool check_keys(reading *r, lua_State *L, int table) {
  char text[160], hint[128];
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) {
      refuse(r, "answered a table with %s as a key; it takes success, msg, errors, data, inProgress", shown(L, -2, text, sizeof text));
      return false;
    }
    const char *key = lua_tostring(L, -2);
    bool is_known = false;
    for (const char *const *k = keys; *k; k++) is_known = is_known || strcmp(*k, key) == 0;
    bool is_execution_key = strcmp(key, "backupResult") == 0 || strcmp(key, "updates") == 0;
    if (is_execution_key && !(hook_of(r)->flags & ORR_HOOK_EXECUTION)) is_known = false;
    if (is_known) continue;
    refuse(r, "answered a table with the unknown key '%s'%s", key, orr__did_you_mean(key, keys, hint, sizeof hint));
    return false;
  }
  return true;
}

/* ---- data -------------------------------------------------------------------------------------------------- */

static void copy_changes(orr__object *to, const orr__object *from) {
  for (size_t i = 0; i < to->model->field_count; i++)
    if (from->dirty & ORR_BIT(i)) orr__copy_field(to, from, (int)i);
}

/* The value on top must be the call's result or a copy of it; nil is fine. */
static bool take_execution_result(reading *r, lua_State *L) {
  char text[160];
  orr_result *own = r->hc->call->graph.result;
  const orr__object *object = orr__object_of(L, -1);
  if (lua_isnil(L, -1)) return true;
  if (!object || object->model->id != ORR_M_result) {
    refuse(r, "answered %s as backupResult, which must be the BackupResult it was given", shown(L, -1, text, sizeof text));
    return false;
  }
  if (!own || object == &own->head) return true;
  if (!orr__streq(((const orr_result *)(const void *)object)->uuid, own->uuid)) {
    refuse(r, "answered another BackupResult than the one it was given");
    return false;
  }
  copy_changes(&own->head, object);
  return true;
}

/* data = Backup: what is persisted is the call's own, so what differs is copied into it. */
static bool take_model(reading *r, lua_State *L) {
  char text[160];
  orr_backup *own = r->hc->call->graph.backup;
  const orr__object *object = orr__object_of(L, -1);
  if (!object || object->model->id != ORR_M_backup) {
    refuse(r, "answered %s as data, which must be the Backup to persist", shown(L, -1, text, sizeof text));
    return false;
  }
  const orr_backup *given = (const void *)object;
  if (!own || object == &own->head) return true;
  if (!orr__streq(given->uuid, own->uuid) || !orr__streq(given->providerCode, own->providerCode)) {
    refuse(r, "answered a Backup of another %s as data", orr__streq(given->uuid, own->uuid) ? "provider" : "uuid");
    return false;
  }
  for (size_t i = 0; i < own->head.model->field_count; i++)
    if (!(own->head.model->fields[i].flags & (ORR_FIELD_READONLY | ORR_FIELD_DERIVED))) orr__copy_field(&own->head, object, (int)i);
  return true;
}

static bool is_execution_response(lua_State *L, int index) {
  if (!lua_istable(L, index)) return false;
  lua_pushvalue(L, index);
  raw_field(L, lua_gettop(L), "backupResult");
  bool has = !lua_isnil(L, -1);
  raw_field(L, lua_gettop(L) - 1, "updates");
  has = has || !lua_isnil(L, -1);
  lua_pop(L, 3);
  return has;
}

static bool take_data(reading *r, lua_State *L, int table, bool is_success) {
  char text[160];
  unsigned flags = hook_of(r)->flags;
  raw_field(L, table, "data");
  int data = lua_gettop(L);
  if ((flags & ORR_HOOK_VALUE) && is_success && !lua_istable(L, data)) {
    refuse(r, "answered success with %s as data; it must be a table%s", shown(L, data, text, sizeof text),
           r->hc->call->hook == ORR_HOOK_extractBackup ? " { path, sizeInBytes, sha256 }" : "");
    return false;
  }
  if (lua_isnil(L, data)) return true;
  if (flags & ORR_HOOK_MODEL) return !is_success || take_model(r, L);
  if ((flags & ORR_HOOK_EXECUTION) && orr__object_of(L, data)) return take_execution_result(r, L);
  if ((flags & ORR_HOOK_EXECUTION) && is_execution_response(L, data)) {
    raw_field(L, data, "backupResult");
    return take_execution_result(r, L);
  }
  orr_error err = ORR_ERROR_INIT;
  r->answer->data = orr__value_to_text(L, data, &err);
  if (r->answer->data) return true;
  refuse(r, "answered data that cannot be kept: %s", orr__error_message(&err));
  orr__error_clear(&err);
  return false;
}

/* ---- the shapes -------------------------------------------------------------------------------------------- */

static void read_table(reading *r, lua_State *L, int table) {
  orr__answer *answer = r->answer;
  unsigned flags = hook_of(r)->flags;
  bool has_success, is_success, has_retry, is_retry, has_gone, is_gone;
  luaL_checkstack(L, LUA_MINSTACK, "answer");
  if (!check_keys(r, L, table) || !take_flag(r, L, table, "success", &has_success, &is_success) ||
      !take_flag(r, L, table, "retry", &has_retry, &is_retry) || !take_flag(r, L, table, "gone", &has_gone, &is_gone) ||
      !take_after(r, L, table) || !take_errors(r, L, table) ||
      !take_flag(r, L, table, "inProgress", &answer->has_in_progress, &answer->in_progress))
    return;
  if (is_gone && r->hc->call->hook != ORR_HOOK_refreshBackupResult) {
    refuse(r, "answered gone; only refreshBackupResult can say that of the external job");
    return;
  }
  raw_field(L, table, "msg");
  if (!take_msg(r, L, lua_gettop(L), "msg")) return;
  if (!has_success && (flags & ORR_HOOK_EXECUTION)) is_success = is_execution_response(L, table);
  /* Findings are judged by their entries: an empty table replaces the default ones and halts nothing. */
  if (!has_success && (flags & ORR_HOOK_FINDINGS)) is_success = answer->has_errors;
  if ((flags & ORR_HOOK_FINDINGS) && answer->errors.field_count > 0) is_success = false;
  answer->is_gone = is_gone;
  is_retry = is_retry || is_gone;
  if (is_retry) is_success = false;
  if (!take_data(r, L, table, is_success)) return;
  if (flags & ORR_HOOK_EXECUTION) {
    raw_field(L, table, "backupResult");
    if (!take_execution_result(r, L)) return;
  }
  answer->outcome = is_retry ? ORR_OUTCOME_RETRY : is_success ? ORR_OUTCOME_SUCCESS : ORR_OUTCOME_HALT;
}

static void read_nothing(reading *r, lua_State *L) {
  if (lua_gettop(L) >= 2 && !lua_isnil(L, 2)) {
    refuse(r, "returned nil and a second value; to halt, answer `false, \"why\"` or ServiceResponse.error(why)");
    return;
  }
  if (hook_of(r)->flags & ORR_HOOK_ANSWER) {
    refuse(r, "returned nothing; it must answer: a forgotten return must not count as done (return true or ServiceResponse.success())");
    return;
  }
  r->answer->outcome = ORR_OUTCOME_SUCCESS;
}

static void read_returned(lua_State *L, reading *r) {
  char text[160];
  lua_settop(L, lua_gettop(L) < 2 ? 2 : lua_gettop(L));
  switch (lua_type(L, 1)) {
  case LUA_TNIL:
    read_nothing(r, L);
    return;
  case LUA_TBOOLEAN:
    if (!take_msg(r, L, 2, "msg")) return;
    if (lua_toboolean(L, 1) && (hook_of(r)->flags & ORR_HOOK_VALUE)) {
      refuse(r, "answered true; success needs data here: ServiceResponse.success{ ... }");
      return;
    }
    r->answer->outcome = lua_toboolean(L, 1) ? ORR_OUTCOME_SUCCESS : ORR_OUTCOME_HALT;
    return;
  case LUA_TTABLE:
    read_table(r, L, 1);
    return;
  default:
    refuse(r, "answered %s; it takes a ServiceResponse, true, or false and a message", shown(L, 1, text, sizeof text));
  }
}

/* ---- raised and stopped ------------------------------------------------------------------------------------ */

static void read_raised(lua_State *L, reading *r) {
  const orr__declaration *d = &r->hc->version->declaration;
  orr_error *err = &r->answer->error;
  orr_error raised = ORR_ERROR_INIT;
  orr__error_from_lua(L, 1, &raised);
  orr__error_set(err, raised.code, "%s %s: %s: %s", d->code, d->version, orr__call_what(r->hc->call), orr__error_message(&raised));
  err->retryable = lua_istable(L, 1) && raised.retryable;
  r->answer->outcome = err->retryable ? ORR_OUTCOME_RETRY : ORR_OUTCOME_ERROR;
  orr__error_clear(&raised);
}

/* What the hook wrote into its opts goes back with the call; the core decides what is kept. */
static void take_opts(reading *r, lua_State *L) {
  orr__hookcall *hc = r->hc;
  orr_error err = ORR_ERROR_INIT;
  if (hc->opts_ref <= 0) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, hc->opts_ref);
  char *text = orr__value_to_text(L, -1, &err);
  lua_pop(L, 1);
  if (text) {
    free(hc->call->opts);
    hc->call->opts = text;
  } else {
    orr__call_warn(hc, "what was written into opts is not kept: %s", orr__error_message(&err));
  }
  orr__error_clear(&err);
}

static void read_main(lua_State *L, void *arg) {
  reading *r = arg;
  take_opts(r, L);
  orr__task *task = r->hc->main;
  if (task->lua_status == 0) {
    int most = r->hc->call->eval ? ORR_EVAL_VALUES : 3, count = lua_gettop(task->co) < most ? lua_gettop(task->co) : most;
    luaL_checkstack(L, count, "the answer");
    lua_settop(task->co, count);
    lua_xmove(task->co, L, count);
    if (r->hc->call->eval) orr__eval_read(L, r->answer);
    else read_returned(L, r);
    return;
  }
  lua_xmove(task->co, L, 1);
  read_raised(L, r);
}

/* A hook that was told to stop has no other answer: what it wrote counts, what it said does not. */
static void override_stopped(orr__hookcall *hc, orr__answer *answer) {
  const orr__declaration *d = &hc->version->declaration;
  bool is_deadline = hc->stop == ORR_E_DEADLINE;
  if (!hc->stop || (!is_deadline && !hc->is_stop_seen)) return;
  char *said = answer->outcome >= ORR_OUTCOME_RETRY && answer->error.message ? orr__strdup(answer->error.message) : NULL;
  char *traceback = answer->traceback;
  answer->traceback = NULL;
  orr__answer_clear(answer);
  answer->retry_after = -1;
  answer->traceback = traceback;
  answer->outcome = is_deadline ? ORR_OUTCOME_TIMEOUT : ORR_OUTCOME_INTERRUPTED;
  if (said) orr__error_set(&answer->error, hc->stop, "%s", said);
  else
    orr__error_set(&answer->error, hc->stop, "%s %s: %s: %s", d->code, d->version, orr__call_what(hc->call),
                   hc->stop_why ? hc->stop_why : "stopped");
  free(said);
}

void orr__answer_read(orr__hookcall *hc, orr__answer *answer) {
  reading r = { hc, answer };
  orr_error err = ORR_ERROR_INIT;
  char where[ORR_WHERE_MAX];
  if (hc->main->lua_status != 0) answer->traceback = orr__where(hc->version, hc->main->co, 0, where);
  bool is_nothing = hc->main->lua_status == 0 && lua_gettop(hc->main->co) == 0 && hc->opts_ref <= 0 && !hc->call->eval;
  if (is_nothing) read_nothing(&r, hc->main->co); /* most refreshes: there is nothing to read that could raise */
  else if (orr__protect(hc->version, read_main, &r, &err) != 0) refuse(&r, "its answer could not be read: %s", orr__error_message(&err));
  orr__error_clear(&err);
  override_stopped(hc, answer);
}
