/* libFuzzer over the functions of orrery.h that take JSON: requests, answers and news of the host's, declarations of providers in C, answers and
 * fields of hooks. One runtime, in memory and on a virtual clock, lives through all of it.
 *
 * The first byte chooses the call, the second which request, service or hook; the rest is its JSON. */
#include <orrery.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static orr_runtime *runtime;
static orr_hook *hooks[64];
static size_t hook_count;
static uint64_t calls[64];
static size_t call_count;

static const char script[] =
    "local p = Provider { apiVersion = 1, code = 'lua', name = 'L', version = '1', needs = { host = { 'f', 'command' }, http = { 'http://*.a.test' }, exec = { 'x' } } }\n"
    "function p.executeBackup(b, r, c, cloud, server)\n"
    "  pcall(host.f, c) pcall(http.get, 'http://b.a.test/') pcall(process.run, { argv = { 'x' } }) pcall(job.start, { name = 'j', argv = { 'x' } })\n"
    "  r.status = 'SUCCEEDED'\nend\nreturn p\n";

static void keep(void *self, orr_hook *hook) {
  (void)self;
  if (hook_count == 64) orr_hook_done(hook, NULL, NULL);
  else hooks[hook_count++] = hook;
}

static void take(orr_event *event) {
  if (orr_event_kind(event) == ORR_EVENT_CALL) calls[call_count++ % 64] = orr_event_call(event);
  if (orr_event_kind(event) == ORR_EVENT_CALL) orr_host_hold(runtime, orr_event_call(event), NULL);
  orr_event_text(event, "backup.name");
  orr_event_free(event);
}

static void turn(int times) {
  for (int i = 0; i < times; i++) {
    orr_step(runtime, 0);
    for (orr_event *event; (event = orr_next(runtime));) take(event);
  }
}

static void ask(const char *request, const char *args) {
  uint64_t id;
  orr_submit(runtime, request, args, &id, NULL);
  turn(10);
}

static void begin(void) {
  static const char *const services[] = { "http", "process", "secrets", "inventory", "command", "function:f" };
  orr_settings *settings = orr_settings_new();
  orr_settings_set(settings, "store", "memory", NULL);
  orr_settings_set(settings, "clock", "virtual", NULL);
  orr_settings_set(settings, "seed", "1", NULL);
  orr_settings_set(settings, "shipped_providers", "false", NULL);
  if (orr_open(settings, &runtime, NULL)) abort();
  orr_settings_free(settings);
  for (size_t i = 0; i < 6; i++) orr_host_offer(runtime, services[i], NULL);
  orr_error *err = orr_error_new();
  if (orr_provider_add(runtime, "lua", script, strlen(script), err)) fprintf(stderr, "%s\n", orr_error_message(err)), abort();
  orr_error_free(err);
  orr_provider p = { .size = sizeof p, .declaration = "{\"apiVersion\":1,\"code\":\"c\",\"name\":\"C\",\"version\":\"1\"}", .executeBackup = keep };
  if (orr_provider_register(runtime, &p, NULL)) abort();
  ask("server.add", "{\"name\":\"s\"}");
  ask("backup.create", "{\"name\":\"l\",\"provider\":\"lua\",\"server\":\"s\"}");
  ask("backup.create", "{\"name\":\"c\",\"provider\":\"c\"}");
}

static const char *nth_request(size_t n) {
  size_t count = 0;
  while (orr_request_at(count)) count++;
  const char *request = orr_request_at(n % count);
  static const char *const no[] = { "db.backup", "key.rotate", "runtime.handover", "result.extract", "provider.check" }; /* they write files, or end it */
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    if (strcmp(no[i], request) == 0) return "status";
  return request;
}

static void try_provider(const char *json) {
  orr_provider p = { .size = sizeof p, .declaration = json, .executeBackup = keep };
  orr_provider_register(runtime, &p, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!runtime) begin();
  if (size < 2) return 0;
  char *json = malloc(size - 1);
  memcpy(json, data + 2, size - 2);
  json[size - 2] = '\0';
  orr_error *err = orr_error_new();
  uint64_t id;
  size_t which = data[1];
  switch (data[0] % 8) {
  case 0: case 1: orr_submit(runtime, nth_request(which), json, &id, err); break;
  case 2: orr_host_answer(runtime, calls[which % 64], json, NULL, NULL, err); break;
  case 3: orr_host_answer(runtime, calls[which % 64], json, "unreachable", json, err); break;
  case 4: orr_host_tell(runtime, "process", json, err); break;
  case 5: try_provider(json); break;
  case 6:
    ask("backup.run", which % 2 ? "{\"backup\":\"c\"}" : "{\"backup\":\"l\"}");
    if (hook_count) orr_hook_set(hooks[hook_count - 1], which % 4 ? "backupResult.config.x" : "backupResult.sizeInBytes", json, err);
    break;
  default:
    if (hook_count && orr_hook_done(hooks[hook_count - 1], json, err) != -1) hook_count--;
  }
  turn(5);
  orr_error_free(err);
  free(json);
  return 0;
}
