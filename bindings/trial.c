/* What calls that are only tried out do outside (trial.h): a list of maps, one for each act, in the order in which they came.
 *
 *   { kind = "http", method, url, headers, json | body, mutating, sent, status }      what was sent, or (not sent) would have been
 *   { kind = "process" | "job", argv, env = names, cwd, input = bytes, ... }
 *   { kind = "fs.write" ..., about }
 *
 * Texts are redacted when they are noted, before they are cut, and once more at the end, when all secrets are known. */
#include "trial.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "task.h"

enum { ACTS_MAX = 1000, TEXT_MAX = 4096 };

orr__json *orr__json_redacted(const orr__secrets *secrets, const orr__json *json, size_t most) {
  const char *text = orr__json_text(json);
  if (text) {
    char *safe = orr__secrets_redact(secrets, text, strlen(text), most);
    orr__json *value = orr__json_new_str(safe ? safe : "");
    free(safe);
    return value;
  }
  bool is_map = orr__json_is_map(json);
  if (!is_map && !orr__json_is_list(json)) return orr__json_copy(json);
  orr__json *out = is_map ? orr__json_map() : orr__json_list();
  for (const orr__json *m = orr__json_first(json); out && m; m = orr__json_next(m)) {
    orr__json *value = orr__json_redacted(secrets, m, most);
    if (is_map) orr__json_put(out, orr__json_key(m), value);
    else orr__json_append(out, value);
  }
  return out;
}

static orr__hookcall *trial_call(lua_State *L) {
  orr__task *task = orr__version_of(L)->running;
  return task && task->hc->call->trial ? task->hc : NULL;
}

bool orr__trial_act(lua_State *L, orr__json *(*describe)(const void *what), const void *what, bool is_mutating) {
  orr__hookcall *hc = trial_call(L);
  if (!hc) return true;
  bool is_over = orr__task_stop_code(hc->version->running) != 0;
  bool is_held = is_mutating && hc->call->trial == ORR_TRIAL_DRY;
  if (is_over) return !is_held;
  if (!hc->noted) hc->noted = orr__json_list();
  orr__json *map = hc->noted && orr__json_count(hc->noted) < ACTS_MAX ? describe(what) : NULL;
  orr__json *safe = map ? orr__json_redacted(&hc->version->provider->secrets, map, TEXT_MAX) : NULL;
  orr__json_free(map);
  if (safe) {
    orr__json_put_bool(safe, "mutating", is_mutating);
    orr__json_put_bool(safe, "sent", !is_held);
    orr__json_append(hc->noted, safe);
  }
  if (!is_held) return true;
  hc->is_dry_end = true;
  orr__call_stop(hc, ORR_E_CANCELLED, "dry run: it ends before its first mutating act");
  return false;
}

size_t orr__trial_number(lua_State *L) {
  const orr__hookcall *hc = trial_call(L);
  return hc ? orr__json_count(hc->noted) : 0;
}

void orr__trial_came(const orr__wait *wait, size_t number, const char *key, double value) {
  if (number == 0 || !wait->task) return;
  const orr__json *act = orr__json_first(wait->task->hc->noted);
  while (act && --number > 0) act = orr__json_next(act);
  if (act) orr__json_put_num((orr__json *)(uintptr_t)act, key, value);
}

void orr__trial_spawn(orr__json *map, const orr__spawn *spawn) {
  orr__json *argv = orr__json_list(), *env = orr__json_list();
  for (char **word = spawn->argv; argv && word && *word; word++) orr__json_append(argv, orr__json_new_str(*word));
  for (char **word = spawn->env; env && word && *word; word++) {
    char *name = orr__strndup(*word, strcspn(*word, "="));
    if (name) orr__json_append(env, orr__json_new_str(name));
    free(name);
  }
  if (argv) orr__json_put(map, "argv", argv);
  if (env) orr__json_put(map, "env", env);
  if (spawn->cwd) orr__json_put_str(map, "cwd", spawn->cwd);
  if (spawn->input) orr__json_put_int(map, "input", (int64_t)spawn->input_len);
}

struct at_once {
  const char *act, *about;
};

static orr__json *describe_at_once(const void *what) {
  const struct at_once *one = what;
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  orr__json_put_str(map, "kind", one->act);
  orr__json_put_str(map, "about", one->about);
  return map;
}

bool orr__trial_may(lua_State *L, const char *act, const char *about) {
  struct at_once one = { act, about };
  if (orr__trial_act(L, describe_at_once, &one, true)) return true;
  trial_call(L)->is_stop_seen = true;
  orr__push_failure(L, ORR_E_CANCELLED, "dry run: it ends before its first mutating act");
  return false;
}

void orr__trial_untold(lua_State *L, const char *act) {
  const orr__hookcall *hc = trial_call(L);
  if (!hc || hc->call->trial != ORR_TRIAL_DRY || hc->is_dry_end) return;
  struct at_once one = { "act", act };
  orr__trial_act(L, describe_at_once, &one, true);
}

void orr__trial_end(orr__hookcall *hc, orr__answer *answer) {
  answer->is_dry_end = hc->is_dry_end;
  if (hc->noted) {
    orr__json *safe = orr__json_redacted(&hc->version->provider->secrets, hc->noted, TEXT_MAX);
    answer->acts = safe ? orr__json_print(safe) : NULL;
    orr__json_free(safe);
    orr__json_free(hc->noted);
  }
  hc->noted = NULL;
}
