/* `orrery result export`: what a result said over HTTP, as a cassette, and a spec that plays it again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"

/* A new file; one that is there stays as it is. */
static int write_new(const char *path, const char *text, orr_error *reterr) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return orr__error_set(reterr, ORR_E_EXISTS, "%s is there already", path);
  if (fd < 0) return orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
  size_t len = strlen(text);
  int failure = 0;
  while (len > 0 && !failure) {
    ssize_t written = write(fd, text, len);
    if (written < 0 && errno != EINTR) failure = errno;
    if (written < 0) continue;
    text += written;
    len -= (size_t)written;
  }
  if (close(fd) != 0 && !failure) failure = errno;
  if (failure) unlink(path); /* half a file would be in the way of the next try */
  return failure ? orr__error_errno(reterr, ORR_E_IO, failure, "%s", path) : 0;
}

/* How the spec calls the cassette, which it looks for beside itself. Owned. */
static char *name_for(const char *spec, const char *cassette) {
  const char *spec_end = strrchr(spec, '/'), *end = strrchr(cassette, '/');
  size_t spec_len = spec_end ? (size_t)(spec_end - spec) : 0, len = end ? (size_t)(end - cassette) : 0;
  bool is_beside = spec_len == len && strncmp(spec, cassette, len) == 0;
  return is_beside ? orr__strdup(end ? end + 1 : cassette) : realpath(cassette, NULL);
}

/* Owned. The spec expects a good end, so it fails as long as the provider does what it did then. */
static char *spec_text(const cJSON *data, const char *name) {
  const char *provider = orr__json_word(data, "provider"), *status = orr__json_word(data, "status");
  const cJSON *id = cJSON_GetObjectItemCaseSensitive(data, "id");
  return orr__strf("-- Made by `orrery result export`: what the outside said to result %.0f, which ended %s.\n"
                   "local test = require \"orrery.test\"\n\n"
                   "describe(\"%s\", function()\n"
                   "  it(\"ends well with what the outside said to result %.0f\", function()\n"
                   "    local tape = test.mock.cassette \"%s\"\n"
                   "    local result = test.run.backup(tape:setup())\n"
                   "    assert.result(result).succeeded()\n"
                   "  end)\n"
                   "end)\n",
                   cJSON_IsNumber(id) ? id->valuedouble : 0, status ? status : "", provider ? provider : "", cJSON_IsNumber(id) ? id->valuedouble : 0, name);
}

int orr__cli_export(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  const char *cassette = orr__json_word(cli->kept, "cassette"), *spec = orr__json_word(cli->kept, "spec");
  int rc = orr__cli_call(cli, cli->command->request, cli->args, &data, &error);
  if (rc == 0) rc = write_new(cassette, orr__json_word(data, "cassette"), &error);
  if (rc == 0 && spec) {
    char *name = name_for(spec, cassette), *text = name ? spec_text(data, name) : NULL;
    free(name);
    rc = text ? write_new(spec, text, &error) : orr__error_set(&error, ORR_E_NOMEM, "out of memory");
    free(text);
    if (rc != 0) unlink(cassette); /* both, or neither */
  }
  cJSON_Delete(data);
  if (rc != 0) return orr__cli_fail(cli, &error);
  if (!cli->globals.is_quiet) {
    orr__remark("wrote %s%s%s: look them over before you pass them on", cassette, spec ? " and " : "", spec ? spec : "");
  }
  return 0;
}
