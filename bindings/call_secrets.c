/* The secrets of a call: learned when it begins, before its hook has read any of them, so that no way they travel on (a raw `config`
 * argument, a tool's output, a message of the system) shows one.
 *
 * Where they lie: the `secrets` maps, password and serviceToken of what the call was given, and the values of options declared with
 * inputType password in the configuration as it came from outside. What the provider wrote for people is cleared of them before the
 * core keeps it. Does not know what a secret looks like in a text (redact.c). */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
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

int orr__call_secrets(orr__hookcall *hc) {
  const orr__call *call = hc->call;
  orr__secrets *secrets = &hc->version->provider->secrets;
  int rc = learn_graph(secrets, &call->graph);
  for (size_t i = 0; i < call->batch_count && !rc; i++) rc = learn_graph(secrets, &call->batch[i]);
  if (!rc && call->previous) rc = learn_map(secrets, call->previous->secrets);
  if (!rc) rc = learn_options(secrets, &hc->version->declaration, call->config);
  return rc ? rc : learn_options(secrets, &hc->version->declaration, call->execution_config);
}

void orr__object_redact(const orr__hookcall *hc, orr__object *object) {
  const orr__secrets *secrets = &hc->version->provider->secrets;
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

static void redact_graph(const orr__hookcall *hc, const orr__graph *g) {
  if (g->result) orr__object_redact(hc, &g->result->head);
  if (g->backup) orr__object_redact(hc, &g->backup->head);
}

void orr__call_redact(const orr__hookcall *hc) {
  redact_graph(hc, &hc->call->graph);
  for (size_t i = 0; i < hc->call->batch_count; i++) redact_graph(hc, &hc->call->batch[i]);
}
