/* What an embedding program does, once: opens a runtime in the folder of its first argument, with the providers of the second, if
 * there is one, and prints what providers there are. Built by tests/install.sh against an installed Orrery, so it may know orrery.h and nothing else. */
#include <orrery.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const orr_error *err) {
  fprintf(stderr, "%s: %s (%s)\n", what, orr_error_message(err), orr_error_word(err));
  return 1;
}

int main(int argc, char **argv) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  uint64_t request = 0;
  int status = 1;
  if (argc < 2 || orr_settings_set(settings, "data_dir", argv[1], err)) return fail("settings", err);
  if (argc > 2 && orr_settings_set(settings, "providers", argv[2], err)) return fail("settings", err);
  if (orr_open(settings, &runtime, err)) return fail("orr_open", err);
  if (orr_submit(runtime, "provider.ls", "{}", &request, err)) return fail("orr_submit", err);
  for (int turns = 0; turns < 1000 && request != 0; turns++) {
    orr_step(runtime, 100);
    for (orr_event *event; (event = orr_next(runtime)) != NULL; orr_event_free(event)) {
      if (orr_event_kind(event) != ORR_EVENT_REPLY || orr_event_request(event) != request) continue;
      printf("%s %s\n", orr_version(), orr_event_json(event));
      status = orr_event_code(event) == 0 ? 0 : 1;
      request = 0;
    }
  }
  orr_close(runtime);
  orr_settings_free(settings);
  orr_error_free(err);
  return status;
}
