/* The declaration: what Provider{ ... } was given, checked key by key into an orr__declaration.
 *
 * Strict on purpose: an unknown key is a misspelling until proven otherwise and is named with the nearest real one. All findings are
 * collected. Works on JSON, so it knows nothing of Lua; options are declare_option.c's. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "version.h"

#define NAME_MAX_LEN 200
#define NEEDS_MAX 200
#define STATE_VERSION_MAX 1000000
#define MAX_SECONDS (366.0 * 86400)
enum { MEMORY_LEAST_MIB = 4, MEMORY_MOST_MIB = 1024 };

static const char *const keys[] = {
#define DECLARED(key, type, doc) #key,
#include "declaration.def"
  NULL };
static const char *const need_keys[] = {
#define NEED(key, doc) #key,
#include "declaration.def"
  NULL };

static const char *word_at(void *arg, size_t i) {
  return ((const char *const *)arg)[i];
}

const char *orr__did_you_mean(const char *word, const char *const *words, char *out, size_t size) {
  const char *near = orr__nearest(word, word_at, (void *)(uintptr_t)words);
  if (near) snprintf(out, size, " (did you mean '%s'?)", near);
  else *out = '\0';
  return out;
}

static bool is_in(const char *word, const char *const *words) {
  for (; *words; words++)
    if (strcmp(word, *words) == 0) return true;
  return false;
}

static void check_keys(const orr__json *map, const char *const *words, const char *what, orr__findings *findings) {
  char hint[128];
  for (const orr__json *m = orr__json_first(map); m; m = orr__json_next(m)) {
    const char *key = orr__json_key(m);
    if (!is_in(key, words)) orr__finding(findings, "%s: unknown key '%s'%s", what, key, orr__did_you_mean(key, words, hint, sizeof hint));
  }
}

/* A required line of text, copied. */
static char *take_line(const orr__json *map, const char *key, orr__findings *findings) {
  const char *text = orr__json_str(map, key);
  if (!text || !*text || strlen(text) > NAME_MAX_LEN || strpbrk(text, "\r\n")) {
    orr__finding(findings, "Provider: %s must be a string of one line, 1 to %d bytes", key, NAME_MAX_LEN);
    return NULL;
  }
  return orr__strdup(text);
}

static double take_seconds(const orr__json *map, const char *what, const char *key, double least, orr__findings *findings) {
  const orr__json *value = orr__json_get(map, key);
  if (!value) return 0;
  double seconds = orr__json_num(map, key, NAN);
  if (isfinite(seconds) && seconds >= least && seconds <= MAX_SECONDS) return seconds;
  orr__finding(findings, "%s: %s must be a number of seconds from %g to %g", what, key, least, MAX_SECONDS);
  return 0;
}

/* A whole number from least to most; 0: not there. */
static int64_t take_whole(const orr__json *map, const char *key, const char *unit, int64_t least, int64_t most, orr__findings *findings) {
  if (!orr__json_get(map, key)) return 0;
  double number = orr__json_num(map, key, NAN);
  if (number >= (double)least && number <= (double)most && number == floor(number)) return (int64_t)number;
  orr__finding(findings, "Provider: %s must be a whole number%s from %lld to %lld", key, unit, (long long)least, (long long)most);
  return 0;
}

static bool is_code(const char *code) {
  if (!*code || strlen(code) > 64 || !isalnum((unsigned char)code[0])) return false;
  for (; *code; code++)
    if (!isalnum((unsigned char)*code) && *code != '-' && *code != '_') return false;
  return true;
}

static void take_code(orr__declaration *d, const orr__json *map, const char *code, orr__findings *findings) {
  d->code = take_line(map, "code", findings);
  if (!d->code) return;
  if (!is_code(d->code)) orr__finding(findings, "Provider: code '%s' may have letters, digits, '-' and '_', 64 at most", d->code);
  else if (!orr__streq(d->code, code))
    orr__finding(findings, "Provider: code is '%s' but the file is called '%s'; they must be equal", d->code, code);
}

static void take_timeouts(orr__declaration *d, const orr__json *map, orr__findings *findings) {
  const orr__json *timeouts = orr__json_get(map, "timeouts");
  const char *names[ORR_HOOK_COUNT + 1] = { NULL };
  for (int i = 0; i < ORR_HOOK_COUNT; i++) names[i] = orr__hooks[i].name;
  if (!timeouts) return;
  if (!orr__json_is_map(timeouts)) {
    orr__finding(findings, "Provider: timeouts must be a table of seconds by hook, as in { executeBackup = 1800 }");
    return;
  }
  check_keys(timeouts, names, "Provider: timeouts", findings);
  for (int i = 0; i < ORR_HOOK_COUNT; i++) d->hook_timeouts[i] = take_seconds(timeouts, "Provider: timeouts", names[i], 0.001, findings);
}

/* `${connection.F}`, `${option.F}` or `${opts.F}` at the start; what follows it, or NULL if there is none. */
static const char *after_template(const char *text) {
  static const char *const roots[] = { "${connection.", "${option.", "${opts.", NULL };
  for (const char *const *root = roots; *root; root++) {
    if (!orr__starts_with(text, *root)) continue;
    const char *at = text + strlen(*root), *name = at;
    while (isalnum((unsigned char)*at) || *at == '_' || *at == '.') at++;
    return at > name && *at == '}' ? at + 1 : NULL;
  }
  return NULL;
}

/* rest: what is behind its template, NULL if it has none. */
static const char *program_fault(const char *text, const char *rest) {
  if (rest && *rest && (*rest != '/' || !rest[1] || strchr(rest + 1, '/'))) return "may have only '/' and a program's name behind the template";
  if (strchr(text, '*') && (text[0] != '/' || strpbrk(text, "?[\\"))) return "may have a star only for a name in an absolute path";
  return strstr(text, "/..") ? "must not have '..' in it" : NULL;
}

/* Only what a host and a port are made of: behind a '?' or '#' the end of another origin could stand, which a star would take for its own. */
static const char *origin_fault(const char *text) {
  const char *host = strstr(text, "://");
  host = host ? host + 3 : text;
  size_t len = strlen(host);
  if (strchr(host, '/')) return "must be an origin such as https://api.example.com, without a path";
  const char *star = strchr(host, '*');
  bool is_leading = star == host && host[1] == '.' && !strchr(host + 1, '*') && strchr(host + 2, '.');
  if (star && !is_leading) return "may have a star only as a leading '*.' of a domain";
  if (strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]*") != len)
    return "must be an origin such as https://api.example.com: a host, and a port if need be (an international one begins with xn--)";
  return len ? NULL : "has no host";
}

static const char *need_fault(const char *kind, const char *text) {
  const char *rest = after_template(text);
  bool is_template = strchr(text, '$') != NULL;
  if (is_template && (!rest || strchr(rest, '$'))) return "has no template of the form ${connection.F} or ${option.F} at its start";
  if (strcmp(kind, "http") == 0) {
    if (!is_template) return origin_fault(text);
    return *rest ? "must be exactly one template, without anything behind it" : NULL;
  }
  if (strcmp(kind, "host") == 0) return is_template || !*text ? "must be the name of a function of the host" : NULL;
  if (strcmp(kind, "exec") == 0) return program_fault(text, is_template ? rest : NULL);
  if (!is_template && text[0] != '/') return "must be an absolute path or begin with a template";
  if (is_template && *rest && *rest != '/') return "must go on with '/' behind the template";
  return strstr(text, "/..") ? "must not have '..' in it" : NULL;
}

static void check_needs(const orr__json *needs, orr__findings *findings) {
  if (!orr__json_is_map(needs)) {
    orr__finding(findings, "Provider: needs must be a table such as { http = { \"https://api.example.com\" }, exec = { \"restic\" } }");
    return;
  }
  check_keys(needs, need_keys, "Provider: needs", findings);
  for (const char *const *kind = need_keys; *kind; kind++) {
    const orr__json *list = orr__json_get(needs, *kind);
    if (!list) continue;
    bool is_empty_map = orr__json_is_map(list) && orr__json_count(list) == 0;
    if (is_empty_map) continue;
    if (!orr__json_is_list(list) || orr__json_count(list) > NEEDS_MAX) {
      orr__finding(findings, "Provider: needs.%s must be an array of at most %d strings", *kind, NEEDS_MAX);
      continue;
    }
    for (const orr__json *m = orr__json_first(list); m; m = orr__json_next(m)) {
      const char *text = orr__json_text(m);
      const char *fault = text ? need_fault(*kind, text) : "must be a string";
      if (fault) orr__finding(findings, "Provider: needs.%s: '%s' %s", *kind, text ? text : "?", fault);
    }
  }
}

static int take_state_version(const orr__json *value, const char *key, orr__findings *findings) {
  int64_t number;
  if (orr__json_exact_int(value, &number) && !orr__json_text(value) && number >= 1 && number <= STATE_VERSION_MAX) return (int)number;
  orr__finding(findings, "Provider: %s must be %s from 1 to %d", key, strcmp(key, "stateVersion") == 0 ? "a whole number" : "an array of whole numbers",
               STATE_VERSION_MAX);
  return 1;
}

/* What it writes it can read; what else, it says. */
static void take_state(orr__declaration *d, const orr__json *map, orr__findings *findings) {
  const orr__json *own = orr__json_get(map, "stateVersion"), *more = orr__json_get(map, "readsState");
  d->state_version = own ? take_state_version(own, "stateVersion", findings) : 1;
  d->reads_state[d->reads_count++] = d->state_version;
  bool is_empty_map = orr__json_is_map(more) && orr__json_count(more) == 0;
  if (!more || is_empty_map) return;
  if (!orr__json_is_list(more) || orr__json_count(more) >= ORR_READS_MAX) {
    orr__finding(findings, "Provider: readsState must be an array of at most %d whole numbers", ORR_READS_MAX - 1);
    return;
  }
  for (const orr__json *m = orr__json_first(more); m; m = orr__json_next(m)) {
    int number = take_state_version(m, "readsState", findings);
    if (number != d->state_version) d->reads_state[d->reads_count++] = number;
  }
}

static void take_needs(orr__declaration *d, const orr__json *map, orr__findings *findings) {
  const orr__json *needs = orr__json_get(map, "needs");
  if (needs) check_needs(needs, findings);
  d->needs = needs && orr__json_is_map(needs) ? orr__json_print(needs) : orr__strdup("{}");
}

void orr__declare(orr__declaration *d, const orr__json *map, const char *code, orr__findings *findings) {
  findings->rule = ORR_RULE_DECLARATION;
  if (!orr__json_is_map(map)) {
    orr__finding(findings, "Provider: takes a table of named keys, as in Provider { code = \"%s\" }", code);
    return;
  }
  check_keys(map, keys, "Provider", findings);
  d->api_version = (int)orr__json_int(map, "apiVersion", 0);
  if (d->api_version != 1) orr__finding(findings, "Provider: apiVersion must be 1, the version this runtime knows");
  take_code(d, map, code, findings);
  d->name = take_line(map, "name", findings);
  d->version = take_line(map, "version", findings);
  const orr__json *idempotent = orr__json_get(map, "idempotent");
  d->is_idempotent = orr__json_bool(map, "idempotent", false);
  if (idempotent && orr__json_bool(map, "idempotent", false) != orr__json_bool(map, "idempotent", true))
    orr__finding(findings, "Provider: idempotent must be true or false");
  d->visibility_delay = take_seconds(map, "Provider", "visibilityDelay", 0, findings);
  d->refresh_interval = take_seconds(map, "Provider", "refreshInterval", 0.1, findings);
  d->timeout = take_seconds(map, "Provider", "timeout", 1, findings);
  d->no_progress_timeout = take_seconds(map, "Provider", "noProgressTimeout", 1, findings);
  take_timeouts(d, map, findings);
  d->max_running = take_whole(map, "maxRunning", "", 1, 1000000, findings);
  d->memory_limit = (size_t)take_whole(map, "memoryLimit", " of MiB", MEMORY_LEAST_MIB, MEMORY_MOST_MIB, findings) << 20;
  take_needs(d, map, findings);
  take_state(d, map, findings);
  orr__declare_options(orr__json_get(map, "optionTypes"), "optionTypes", &d->options, &d->option_count, findings);
  orr__declare_options(orr__json_get(map, "connectionOptionTypes"), "connectionOptionTypes", &d->connection_options,
                       &d->connection_option_count, findings);
  orr__declare_agree_needs(d, findings);
}

static void clear_options(orr__option *options, size_t count) {
  for (size_t i = 0; i < count; i++) {
    orr__option *o = &options[i];
    char *owned[] = { o->field_name, o->field_label, o->help_text, o->input_type, o->default_value, o->choices, o->option_source };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
  }
  free(options);
}

void orr__declaration_clear(orr__declaration *d) {
  clear_options(d->options, d->option_count);
  clear_options(d->connection_options, d->connection_option_count);
  free(d->code);
  free(d->name);
  free(d->version);
  free(d->path);
  free(d->needs);
  free(d->warning);
  free(d->findings);
  free(d->advice);
  memset(d, 0, sizeof *d);
}
