/* A provider in C: hooks DATA_DIR FILE TARGET copies FILE to a new file in the folder TARGET, follows what happens, and deletes the copy again.
 *
 * executeBackup hands the copying to a thread of its own, since a hook must not wait on the thread that turns the wheels. The name of the
 * copy is made from the result's uuid, so that a start that is repeated after a crash writes the same file: the provider is idempotent. */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <orrery.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char declaration[] =
    "{ \"apiVersion\": 1, \"code\": \"copy\", \"name\": \"Copies a file\", \"version\": \"1.0.0\", \"idempotent\": true, \"optionTypes\": ["
    "  { \"fieldName\": \"file\", \"fieldLabel\": \"File\", \"inputType\": \"text\", \"required\": true },"
    "  { \"fieldName\": \"target\", \"fieldLabel\": \"Folder\", \"inputType\": \"text\", \"required\": true } ] }";

static const char *text_of(const cJSON *map, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(map, key));
  return text ? text : "";
}

/* Ends the hook with success = false, which halts: certain, nothing was made. */
static void halt(orr_hook *hook, const char *msg) {
  cJSON *answer = cJSON_CreateObject();
  cJSON_AddBoolToObject(answer, "success", 0);
  cJSON_AddStringToObject(answer, "msg", msg);
  char *text = cJSON_PrintUnformatted(answer);
  orr_hook_done(hook, text, NULL);
  cJSON_free(text);
  cJSON_Delete(answer);
}

/* ---- the copying, on a thread of its own -------------------------------------------------------------------- */

/* Copies until the end, or until the hook is to stop. The number of bytes; -1 where that did not work. */
static long long copy(orr_hook *hook, const char *from, const char *to) {
  char block[65536];
  long long copied = 0;
  ssize_t len = -1;
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  while (in >= 0 && out >= 0 && !orr_hook_stopped(hook) && (len = read(in, block, sizeof block)) > 0) {
    if (write(out, block, (size_t)len) != len) {
      len = -1;
      break;
    }
    copied += len;
  }
  if (out >= 0 && fsync(out)) len = -1; /* what we say is there has to be there */
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  if (out >= 0 && len != 0) unlink(to); /* no half of a copy is left behind */
  return len == 0 ? copied : -1;
}

static void *work(void *arg) {
  orr_hook *hook = arg;
  orr_error *err = orr_error_new();
  cJSON *given = cJSON_Parse(orr_hook_json(hook));
  const cJSON *config = cJSON_GetObjectItem(cJSON_GetObjectItem(given, "backup"), "config");
  char path[4096], json[4200];
  snprintf(path, sizeof path, "%s/%s", text_of(config, "target"), text_of(cJSON_GetObjectItem(given, "backupResult"), "uuid"));
  if (orr_hook_sent(hook, "write a copy", err)) { /* from here on a crash means: who knows */
    orr_hook_fail(hook, orr_error_word(err), orr_error_message(err), 1, NULL);
  } else {
    long long copied = copy(hook, text_of(config, "file"), path);
    cJSON *text = cJSON_CreateString(path);
    char *quoted = cJSON_PrintUnformatted(text);
    snprintf(json, sizeof json, "%lld", copied);
    orr_hook_set(hook, "backupResult.resultPath", quoted, NULL);
    orr_hook_set(hook, "backupResult.sizeInBytes", copied < 0 ? "null" : json, NULL);
    orr_hook_set(hook, "backupResult.status", copied < 0 ? "\"FAILED\"" : "\"SUCCEEDED\"", NULL);
    if (copied < 0) halt(hook, "the file could not be copied");
    else orr_hook_done(hook, NULL, NULL);
    cJSON_free(quoted);
    cJSON_Delete(text);
  }
  cJSON_Delete(given);
  orr_error_free(err);
  return NULL;
}

static void execute(void *self, orr_hook *hook) {
  (void)self;
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, hook) == 0) pthread_detach(thread);
  else orr_hook_fail(hook, "no_memory", "no thread is to be had", 1, NULL);
}

/* ---- what takes no time ------------------------------------------------------------------------------------- */

/* Written down first, and only then removed: ready comes when `sent` is durable. */
static void remove_now(void *arg, orr_hook *hook, int code, const orr_error *err) {
  (void)arg;
  cJSON *given = cJSON_Parse(orr_hook_json(hook));
  const char *path = text_of(cJSON_GetObjectItem(given, "backupResult"), "resultPath");
  if (code) orr_hook_fail(hook, orr_error_word(err), orr_error_message(err), 1, NULL);
  else if (*path && unlink(path) && access(path, F_OK) == 0) halt(hook, "the copy could not be removed");
  else orr_hook_done(hook, NULL, NULL);
  cJSON_Delete(given);
}

static void delete_result(void *self, orr_hook *hook) {
  (void)self;
  orr_error *err = orr_error_new();
  if (orr_hook_sent_then(hook, "remove the copy", remove_now, NULL, err))
    orr_hook_fail(hook, orr_error_word(err), orr_error_message(err), 1, NULL);
  orr_error_free(err);
}

/* ---- the host ----------------------------------------------------------------------------------------------- */

/* Asks, waits for the reply, prints what came on the way. Owned; NULL where it was an error, which has been printed. args is taken. */
static cJSON *ask(orr_runtime *runtime, const char *name, cJSON *args) {
  orr_error *err = orr_error_new();
  uint64_t request = 0;
  char *text = cJSON_PrintUnformatted(args);
  cJSON *reply = NULL;
  int code = orr_submit(runtime, name, text, &request, err);
  if (code) fprintf(stderr, "%s: %s\n", name, orr_error_message(err));
  for (orr_event *event; !code && !reply && (event = orr_wait(runtime, -1)); orr_event_free(event)) {
    if (orr_event_request(event) != request) continue;
    cJSON *json = cJSON_Parse(orr_event_json(event));
    if (orr_event_kind(event) == ORR_EVENT_UPDATE) printf("it is %s\n", text_of(json, "status"));
    else if ((code = orr_event_code(event))) fprintf(stderr, "%s: %s\n", name, orr_error_message(orr_event_error(event)));
    else reply = cJSON_Duplicate(json, 1);
    cJSON_Delete(json);
  }
  cJSON_free(text);
  cJSON_Delete(args);
  orr_error_free(err);
  return reply;
}

static cJSON *map(const char *key, const char *value) {
  cJSON *made = cJSON_CreateObject();
  cJSON_AddStringToObject(made, key, value);
  return made;
}

static int back_up(orr_runtime *runtime, const char *file, const char *target) {
  cJSON *backup = map("name", "native"), *config = map("file", file);
  cJSON_AddStringToObject(config, "target", target);
  cJSON_AddStringToObject(backup, "provider", "copy");
  cJSON_AddItemToObject(backup, "config", config);
  cJSON *made = ask(runtime, "backup.create", backup);
  cJSON *started = made ? ask(runtime, "backup.run", map("backup", "native")) : NULL;
  cJSON *ended = started ? ask(runtime, "result.watch", map("result", text_of(started, "uuid"))) : NULL;
  if (ended) printf("%s, %.0f bytes in %s\n", text_of(ended, "status"), cJSON_GetNumberValue(cJSON_GetObjectItem(ended, "sizeInBytes")), text_of(ended, "resultPath"));
  int has_worked = ended && strcmp(text_of(ended, "status"), "SUCCEEDED") == 0 && access(text_of(ended, "resultPath"), R_OK) == 0;
  cJSON *gone = has_worked ? ask(runtime, "result.rm", map("result", text_of(started, "uuid"))) : NULL;
  if (gone) printf("the copy is %s\n", access(text_of(ended, "resultPath"), F_OK) ? "gone" : "still there");
  has_worked = gone != NULL;
  cJSON_Delete(made);
  cJSON_Delete(started);
  cJSON_Delete(ended);
  cJSON_Delete(gone);
  return has_worked ? 0 : 1;
}

int main(int argc, char **argv) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  orr_provider provider = { .size = sizeof provider, .declaration = declaration, .executeBackup = execute, .deleteBackupResult = delete_result };
  if (argc != 4) return fprintf(stderr, "usage: hooks DATA_DIR FILE TARGET\n"), 2;
  if (orr_settings_set(settings, "data_dir", argv[1], err) || orr_open(settings, &runtime, err) || orr_provider_register(runtime, &provider, err))
    return fprintf(stderr, "%s\n", orr_error_message(err)), 1;
  int status = back_up(runtime, argv[2], argv[3]);
  orr_close(runtime);
  orr_settings_free(settings);
  orr_error_free(err);
  return status;
}
