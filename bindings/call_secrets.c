/* The secrets of a call: learned when it begins, before its hook has read any of them, so that no way they travel on (a raw `config`
 * argument, a tool's output, a message of the system) shows one.
 *
 * Where they lie: the `secrets` maps, password and serviceToken of what the call was given, and the values of options declared with
 * inputType password in the configuration as it came from outside. What the provider wrote for people is cleared of them before the
 * core keeps it. Does not know what a secret looks like in a text (redact.c). */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "call_secrets.h"
#include "task.h"

/* Without memory to know a secret in, it might show: the call does not begin then. A full list is no reason. */
static int learn(orr__secrets *secrets, const char *text) {
  return text && orr__secrets_add(secrets, text, strlen(text)) == ORR_E_NOMEM ? ORR_E_NOMEM : 0;
}

/* Every text in a tree, which is as deep as JSON may be. */
static int learn_tree(orr__secrets *secrets, const orr__json *json) {
  int rc = learn(secrets, orr__json_text(json));
  for (const orr__json *m = orr__json_first(json); m && !rc; m = orr__json_next(m)) rc = learn_tree(secrets, m);
  return rc;
}

static int learn_map(orr__secrets *secrets, const char *text) {
  if (!text) return 0;
  orr__json *map = orr__json_parse_map(text, NULL);
  int rc = map ? learn_tree(secrets, map) : 0;
  orr__json_free(map);
  return rc;
}

static int learn_graph(orr__secrets *secrets, const orr__graph *g) {
  int rc = g->backup ? learn_map(secrets, g->backup->secrets) : 0;
  if (!g->connection) return rc;
  if (!rc) rc = learn(secrets, g->connection->password);
  if (!rc) rc = learn(secrets, g->connection->serviceToken);
  return rc ? rc : learn_map(secrets, g->connection->secrets);
}

static int learn_options(orr__secrets *secrets, const orr__declaration *d, const char *text) {
  orr__json *map = NULL;
  int rc = 0;
  for (size_t i = 0; text && i < d->option_count && !rc; i++) {
    if (!orr__streq(d->options[i].input_type, "password")) continue;
    if (!map) map = orr__json_parse_map(text, NULL);
    if (!map) break;
    rc = learn_tree(secrets, orr__json_path_get(map, d->options[i].field_name));
  }
  orr__json_free(map);
  return rc;
}

int orr__secrets_learn(orr__secrets *secrets, const orr__declaration *declaration, const orr__call *call) {
  int rc = learn_graph(secrets, &call->graph);
  for (size_t i = 0; i < call->batch_count && !rc; i++) rc = learn_graph(secrets, &call->batch[i]);
  if (!rc && call->previous) rc = learn_map(secrets, call->previous->secrets);
  if (!rc) rc = learn_options(secrets, declaration, call->config);
  return rc ? rc : learn_options(secrets, declaration, call->execution_config);
}

int orr__call_secrets(orr__hookcall *hc) {
  return orr__secrets_learn(&hc->version->provider->secrets, &hc->version->declaration, hc->call);
}

void orr__secrets_clean_object(const orr__secrets *secrets, orr__object *object) {
  if (!secrets->count) return;
  for (size_t i = 0; i < object->model->field_count; i++) {
    if (!(object->model->fields[i].flags & ORR_FIELD_PROSE) || !(object->dirty & ORR_BIT(i))) continue;
    const char *text = orr__get_str(object, (int)i);
    if (!text) continue;
    char *redacted = orr__secrets_redact(secrets, text, strlen(text), ORR_TEXT_MAX);
    /* Without memory to redact in, nothing is said rather than a secret. */
    if (!redacted || orr__set_str(object, (int)i, redacted) != 0) orr__unset(object, (int)i);
    free(redacted);
  }
}

static void clean_graph(const orr__secrets *secrets, const orr__graph *g) {
  if (g->result) orr__secrets_clean_object(secrets, &g->result->head);
  if (g->backup) orr__secrets_clean_object(secrets, &g->backup->head);
}

void orr__secrets_clean_call(const orr__secrets *secrets, const orr__call *call) {
  clean_graph(secrets, &call->graph);
  for (size_t i = 0; i < call->batch_count; i++) clean_graph(secrets, &call->batch[i]);
}

void orr__object_redact(const orr__hookcall *hc, orr__object *object) { orr__secrets_clean_object(&hc->version->provider->secrets, object); }

void orr__call_redact(const orr__hookcall *hc) { orr__secrets_clean_call(&hc->version->provider->secrets, hc->call); }

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void clean_text(const orr__secrets *secrets, char **text) {
  if (!*text) return;
  char *redacted = orr__secrets_redact(secrets, *text, strlen(*text), ORR_SHOWN_MAX);
  /* Without memory to redact in, nothing is said rather than a secret. */
  free(*text);
  *text = redacted;
}

static void clean_error(const orr__secrets *secrets, orr_error *err) {
  clean_text(secrets, &err->message);
  for (size_t i = 0; i < err->field_count; i++) clean_text(secrets, &err->fields[i].message);
}

void orr__secrets_clean_answer(const orr__secrets *secrets, orr__answer *answer) {
  clean_text(secrets, &answer->msg);
  clean_text(secrets, &answer->traceback);
  clean_text(secrets, &answer->warnings);
  clean_error(secrets, &answer->errors);
  clean_error(secrets, &answer->error);
}
