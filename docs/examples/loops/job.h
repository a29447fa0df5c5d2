/* What the examples of this folder have in common: a Backup is made, run, and watched to its end, one request after the other, each sent when
 * the reply of the one before it has come. Knows nothing of loops: it is given events. */
#ifndef JOB_H
#define JOB_H

#include <cjson/cJSON.h>
#include <orrery.h>
#include <stdio.h>
#include <string.h>

/* Needs half a second of time to pass, twice: in the hook, and until the refresh. */
static const char job_provider[] =
    "local provider = Provider { apiVersion = 1, code = 'example', name = 'Example', version = '1.0.0', refreshInterval = 0.5 }\n"
    "function provider.executeBackup(backup, backupResult) sleep(0.5) backupResult.status = 'IN_PROGRESS' end\n"
    "function provider.refreshBackupResult(backupResult) backupResult.status = 'SUCCEEDED' end\n"
    "return provider\n";

typedef struct job {
  orr_runtime *runtime;
  uint64_t request;   /* whose reply is waited for */
  int step;
  int status;         /* -1: it goes on; else what the program ends with */
} job;

static void job_ask(job *j, const char *request, const char *args) {
  orr_error *err = orr_error_new();
  if (orr_submit(j->runtime, request, args, &j->request, err)) {
    fprintf(stderr, "%s: %s\n", request, orr_error_message(err));
    j->status = 1;
  }
  orr_error_free(err);
}

/* The reply of one step: on to the next. */
static void job_next(job *j, const cJSON *reply) {
  char args[128];
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(reply, j->step == 1 ? "uuid" : "status"));
  snprintf(args, sizeof args, "{\"result\":\"%s\"}", text ? text : "");
  switch (j->step++) {
  case 0: job_ask(j, "backup.run", "{\"backup\":\"nightly\"}"); break;
  case 1: job_ask(j, "result.watch", args); break;
  default:
    printf("it ended %s\n", text);
    j->status = text && strcmp(text, "SUCCEEDED") == 0 ? 0 : 1;
  }
}

/* Opens a runtime in memory with the provider above, and begins. */
static void job_begin(job *j) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  *j = (job){ .status = -1 };
  if (orr_settings_set(settings, "store", "memory", err) || orr_open(settings, &j->runtime, err) ||
      orr_provider_add(j->runtime, "example", job_provider, strlen(job_provider), err)) {
    fprintf(stderr, "%s\n", orr_error_message(err));
    j->status = 1;
  } else {
    job_ask(j, "backup.create", "{\"name\":\"nightly\",\"provider\":\"example\"}");
  }
  orr_settings_free(settings);
  orr_error_free(err);
}

/* Takes all events that wait. */
static void job_pull(job *j) {
  for (orr_event *event; (event = orr_next(j->runtime)) != NULL; orr_event_free(event)) {
    cJSON *json = cJSON_Parse(orr_event_json(event));
    if (orr_event_kind(event) == ORR_EVENT_LOG) {
      fprintf(stderr, "log: %s\n", cJSON_GetStringValue(cJSON_GetObjectItem(json, "message")));
    } else if (orr_event_request(event) == j->request && orr_event_code(event)) {
      fprintf(stderr, "%s\n", orr_error_message(orr_event_error(event)));
      j->status = 1;
    } else if (orr_event_kind(event) == ORR_EVENT_UPDATE) {
      printf("it is %s\n", cJSON_GetStringValue(cJSON_GetObjectItem(json, "status")));
    } else if (orr_event_request(event) == j->request) {
      job_next(j, json);
    }
    cJSON_Delete(json);
  }
}

#endif
