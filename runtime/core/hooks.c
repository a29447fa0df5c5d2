/* The hook table, and the life of calls and answers.
 *
 * Everything about a hook is in ops.def; this file only expands it. Knows nothing of who runs hooks or what an answer
 * leads to. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/provider.h"

/* Argument names as documented, by ops.def's word. */
#define ARG_KIND_NONE ORR_ARG_NONE
#define ARG_KIND_BACKUP ORR_ARG_BACKUP
#define ARG_KIND_RESULT ORR_ARG_RESULT
#define ARG_KIND_CONFIG ORR_ARG_CONFIG
#define ARG_KIND_OPTS ORR_ARG_OPTS
#define ARG_KIND_EXECUTION_CONFIG ORR_ARG_EXECUTION_CONFIG
#define ARG_KIND_CLOUD ORR_ARG_CLOUD
#define ARG_KIND_SERVER ORR_ARG_SERVER
#define ARG_KIND_RESULTS ORR_ARG_RESULTS
#define ARG_KIND_PREVIOUS ORR_ARG_PREVIOUS
#define ARG_KIND_CONNECTION ORR_ARG_CONNECTION
#define ARG_KIND_NAME ORR_ARG_NAME
#define ARG_KIND_ARGS ORR_ARG_ARGS

#define ARG_NAME_NONE NULL
#define ARG_NAME_BACKUP "backup"
#define ARG_NAME_RESULT "backupResult"
#define ARG_NAME_CONFIG "config"
#define ARG_NAME_OPTS "opts"
#define ARG_NAME_EXECUTION_CONFIG "executionConfig"
#define ARG_NAME_CLOUD "cloud"
#define ARG_NAME_SERVER "computeServer"
#define ARG_NAME_RESULTS "backupResults"
#define ARG_NAME_PREVIOUS "previous"
#define ARG_NAME_CONNECTION "connection"
#define ARG_NAME_NAME "name"
#define ARG_NAME_ARGS "args"

#define ARGS(a, b, c, d, e, f)                                                              \
  { ARG_KIND_##a, ARG_KIND_##b, ARG_KIND_##c, ARG_KIND_##d, ARG_KIND_##e, ARG_KIND_##f }, { \
    ARG_NAME_##a, ARG_NAME_##b, ARG_NAME_##c, ARG_NAME_##d, ARG_NAME_##e, ARG_NAME_##f      \
  }

/* ops.def joins bare flag words with `|`, so they are names here. ARGS is two initialisers: kinds and names. */
enum {
  NOTHING = ORR_HOOK_NOTHING,
  NEEDED = ORR_HOOK_NEEDED,
  ANSWER = ORR_HOOK_ANSWER,
  EXECUTION = ORR_HOOK_EXECUTION,
  FINDINGS = ORR_HOOK_FINDINGS,
  MODEL = ORR_HOOK_MODEL,
  VALUE = ORR_HOOK_VALUE,
  QUIET = ORR_HOOK_QUIET,
  UNREPEATABLE = ORR_HOOK_UNREPEATABLE
};

const orr__hook_info orr__hooks[ORR_HOOK_COUNT] = {
#define HOOK(hook, args, hook_flags, timeout, opts_keys, text) { #hook, args, hook_flags, timeout, opts_keys, text },
#include "core/ops.def"
#undef HOOK
};

int orr__hook_find(const char *name) {
  for (int i = 0; i < ORR_HOOK_COUNT; i++)
    if (orr__streq(orr__hooks[i].name, name)) return i;
  return -1;
}

orr__call *orr__call_new(uint64_t id, enum orr__hook hook, const char *provider) {
  orr__call *call = calloc(1, sizeof *call);
  if (call == NULL) return NULL;
  call->id = id;
  call->hook = hook;
  call->provider = orr__strdup(provider);
  if (call->provider == NULL && provider != NULL) {
    free(call);
    return NULL;
  }
  return call;
}

void orr__call_free(orr__call *call) {
  if (call == NULL) return;
  for (size_t i = 0; i < call->batch_count; i++) orr__graph_clear(&call->batch[i]);
  free(call->batch);
  orr__graph_clear(&call->graph);
  if (call->previous != NULL) orr__object_free(&call->previous->head);
  free(call->provider);
  free(call->config);
  free(call->execution_config);
  free(call->opts);
  free(call->name);
  free(call->eval);
  free(call);
}

void orr__answer_clear(orr__answer *answer) {
  if (answer == NULL) return;
  free(answer->msg);
  free(answer->data);
  free(answer->traceback);
  free(answer->warnings);
  free(answer->acts);
  orr__error_clear(&answer->errors);
  orr__error_clear(&answer->error);
  memset(answer, 0, sizeof *answer);
}
