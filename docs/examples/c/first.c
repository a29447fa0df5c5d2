/* From nothing to a backup that has run: first DATA_DIR FOLDER TARGET packs FOLDER into an archive in TARGET, which has to be there.
 *
 * Three things are asked for, one after the other: a Backup, a run of it, and to be told of its result until it has ended. */
#include <cjson/cJSON.h>
#include <orrery.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text_of(const cJSON *map, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(map, key));
  return text ? text : "";
}

/* Asks for something and waits for the reply, which is owned. Updates on the way are printed; an error ends the program. */
static cJSON *ask(orr_runtime *runtime, const char *name, cJSON *args) {
  orr_error *err = orr_error_new();
  uint64_t request = 0;
  char *text = cJSON_PrintUnformatted(args);
  cJSON *reply = NULL;
  int code = orr_submit(runtime, name, text, &request, err);
  if (code) fprintf(stderr, "%s: %s\n", name, orr_error_message(err));
  for (orr_event *event; !code && !reply && (event = orr_wait(runtime, -1)); orr_event_free(event)) {
    if (orr_event_request(event) != request) continue; /* a line of the log */
    cJSON *json = cJSON_Parse(orr_event_json(event));
    if ((code = orr_event_code(event))) fprintf(stderr, "%s: %s\n", name, orr_error_message(orr_event_error(event)));
    else if (orr_event_kind(event) == ORR_EVENT_UPDATE) printf("it is %s\n", text_of(json, "status"));
    else reply = cJSON_Duplicate(json, 1);
    cJSON_Delete(json);
  }
  cJSON_free(text);
  cJSON_Delete(args);
  orr_error_free(err);
  if (!reply) exit(1);
  return reply;
}

int main(int argc, char **argv) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  if (argc != 4) return fprintf(stderr, "usage: first DATA_DIR FOLDER TARGET\n"), 2;
  if (orr_settings_set(settings, "data_dir", argv[1], err) || orr_open(settings, &runtime, err))
    return fprintf(stderr, "%s\n", orr_error_message(err)), 1;

  cJSON *config = cJSON_CreateObject(), *backup = cJSON_CreateObject(), *run = cJSON_CreateObject(), *watch = cJSON_CreateObject();
  cJSON_AddStringToObject(config, "path", argv[2]);
  cJSON_AddStringToObject(config, "target", argv[3]);
  cJSON_AddStringToObject(backup, "name", "first");
  cJSON_AddStringToObject(backup, "provider", "archive");
  cJSON_AddItemToObject(backup, "config", config);
  cJSON_Delete(ask(runtime, "backup.create", backup));
  cJSON_AddStringToObject(run, "backup", "first");
  cJSON *started = ask(runtime, "backup.run", run);
  cJSON_AddStringToObject(watch, "result", text_of(started, "uuid"));
  cJSON *ended = ask(runtime, "result.watch", watch);
  printf("%s, %s\n", text_of(ended, "status"), text_of(ended, "resultPath"));

  cJSON_Delete(started);
  cJSON_Delete(ended);
  orr_close(runtime);
  orr_settings_free(settings);
  orr_error_free(err);
  return 0;
}
