/* What a hook that was tried out has done and would have done, for people: its acts, its log, its changes, its answer. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/render.h"

static const cJSON *at(const cJSON *map, const char *key) { return cJSON_GetObjectItemCaseSensitive(map, key); }

/* A value as a program would write it, in one safe line. */
static void add_value(orr__buf *out, const cJSON *value) {
  char *text = cJSON_IsString(value) ? orr__strdup(value->valuestring) : cJSON_PrintUnformatted(value);
  if (text) orr__text_safe(out, text);
  free(text);
}

static bool is_plain(const char *text) {
  return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,+%*") == strlen(text);
}

static void add_words(orr__buf *out, const cJSON *list) {
  const cJSON *word = NULL;
  cJSON_ArrayForEach(word, list) {
    const char *text = cJSON_IsString(word) ? word->valuestring : "";
    orr__buf_adds(out, is_plain(text) ? " " : " '");
    orr__text_safe(out, text);
    if (!is_plain(text)) orr__buf_addc(out, '\'');
  }
}

static void add_number(orr__buf *out, const cJSON *act, const char *key, const char *format) {
  const cJSON *number = at(act, key);
  if (cJSON_IsNumber(number)) orr__buf_addf(out, format, number->valuedouble);
}

/* Headers, body, environment: only of what was not done, where they are what one wants to see. */
static void add_details(orr__buf *out, const cJSON *act) {
  const cJSON *header = NULL;
  cJSON_ArrayForEach(header, at(act, "headers")) {
    orr__buf_adds(out, "        ");
    orr__text_safe(out, header->string);
    orr__buf_adds(out, ": ");
    add_value(out, header);
    orr__buf_addc(out, '\n');
  }
  const cJSON *body = at(act, "json") ? at(act, "json") : at(act, "body");
  if (body) {
    orr__buf_adds(out, "        ");
    add_value(out, body);
    orr__buf_addc(out, '\n');
  }
  if (cJSON_GetArraySize(at(act, "env")) > 0) {
    orr__buf_adds(out, "        environment:");
    add_words(out, at(act, "env"));
    orr__buf_addc(out, '\n');
  }
  if (at(act, "input")) add_number(out, act, "input", "        standard input: %.0f bytes\n");
}

static void add_act(orr__buf *out, const orr__paint *paint, const cJSON *act) {
  bool is_sent = cJSON_IsTrue(at(act, "sent")), is_http = at(act, "url") != NULL;
  const char *kind = orr__json_word(act, "kind"), *name = orr__json_word(act, "name"), *method = orr__json_word(act, "method");
  orr__buf_adds(out, "    ");
  orr__hued(out, paint, is_sent ? ORR_HUE_DIM : ORR_HUE_WARN, is_sent ? "done " : "would ");
  if (is_http) {
    orr__text_safe(out, method ? method : "");
    orr__buf_addc(out, ' ');
    add_value(out, at(act, "url"));
  } else {
    orr__text_safe(out, at(act, "argv") ? at(act, "name") ? "start the job" : "run" : kind && !orr__streq(kind, "act") ? kind : "do");
    if (name) orr__buf_adds(out, " "), orr__text_safe(out, name);
    if (name && at(act, "argv")) orr__buf_addc(out, ':');
    add_words(out, at(act, "argv"));
    if (at(act, "about")) orr__buf_addc(out, ' '), add_value(out, at(act, "about"));
  }
  add_number(out, act, "status", "  %.0f");
  add_number(out, act, "code", "  exit code %.0f");
  orr__buf_addc(out, '\n');
  if (!is_sent) add_details(out, act);
}

static void add_lines(orr__buf *out, const char *what, const cJSON *value) {
  if (!cJSON_IsString(value) || !*value->valuestring) return;
  orr__buf_addf(out, "    %s: ", what);
  orr__text_safe(out, value->valuestring);
  orr__buf_addc(out, '\n');
}

void orr__tried_acts(orr__buf *out, const orr__paint *paint, const cJSON *tried) {
  const cJSON *one = NULL;
  cJSON_ArrayForEach(one, at(tried, "acts")) add_act(out, paint, one);
  cJSON_ArrayForEach(one, at(tried, "log")) {
    orr__buf_adds(out, "    log ");
    orr__text_safe(out, orr__json_word(one, "level") ? orr__json_word(one, "level") : "");
    orr__buf_adds(out, ": ");
    add_value(out, at(one, "message"));
    orr__buf_addc(out, '\n');
  }
}

static const char *outcome_said(const char *outcome) {
  return orr__streq(outcome, "dry") ? "ends before its first mutating act" : outcome ? outcome : "";
}

void orr__tried(orr__buf *out, const orr__paint *paint, const cJSON *tried) {
  const char *outcome = orr__json_word(tried, "outcome");
  const cJSON *object = NULL, *field = NULL;
  orr__text_safe(out, orr__json_word(tried, "hook") ? orr__json_word(tried, "hook") : "");
  orr__buf_adds(out, "  ");
  orr__hued(out, paint, orr__streq(outcome, "success") ? ORR_HUE_GOOD : orr__streq(outcome, "dry") ? ORR_HUE_WARN : ORR_HUE_BAD, outcome_said(outcome));
  orr__buf_addc(out, '\n');
  orr__tried_acts(out, paint, tried);
  cJSON_ArrayForEach(object, at(tried, "changed")) {
    cJSON_ArrayForEach(field, object) {
      orr__buf_adds(out, "    ");
      orr__text_safe(out, object->string);
      orr__buf_addc(out, '.');
      orr__text_safe(out, field->string);
      orr__buf_adds(out, " = ");
      add_value(out, field);
      orr__buf_addc(out, '\n');
    }
  }
  add_lines(out, "msg", at(tried, "msg"));
  cJSON_ArrayForEach(field, at(tried, "errors")) add_lines(out, field->string, field);
  if (at(tried, "data")) {
    orr__buf_adds(out, "    data: ");
    add_value(out, at(tried, "data"));
    orr__buf_addc(out, '\n');
  }
  add_lines(out, "warning", at(tried, "warnings"));
}
