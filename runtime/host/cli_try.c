/* Trying a provider out: `backup run --dry-run`, `provider call`, `provider repl`, and `provider check`.
 *
 * Without a connection of the data directory they use a runtime of their own that keeps nothing, so that nothing has to be there
 * and nobody is waited for. NAME may be a provider's file or folder then: it is looked for nowhere else. */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"
#include "host/signals.h"

enum { TEXT_MAX = 16 << 20, STEP_MS = 200 };

static const cJSON *at(const cJSON *map, const char *key) { return cJSON_GetObjectItemCaseSensitive(map, key); }

/* ---- a runtime apart ---------------------------------------------------------------------------------------- */

int orr__apart_open(orr__cli *cli, const char *only_dir, orr_runtime **ret_runtime, orr_error *reterr) {
  int rc = orr__cli_place_apart(cli, only_dir, reterr);
  return rc ? rc : orr_open(cli->settings, ret_runtime, reterr);
}

int orr__apart_call(orr__cli *cli, orr_runtime *runtime, const char *request, const cJSON *args, cJSON **ret_data, orr_error *reterr) {
  char *text = cJSON_PrintUnformatted(args);
  uint64_t id = 0;
  int rc = text ? orr_submit(runtime, request, text, &id, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  cJSON_free(text);
  for (bool is_over = false; rc == 0 && !is_over;) {
    orr_event *event = orr_next(runtime);
    if (!event) {
      if (orr__signals_count() > 0) return orr__error_set(reterr, ORR_E_CANCELLED, "interrupted");
      orr_step(runtime, STEP_MS);
      continue;
    }
    if (orr_event_kind(event) == ORR_EVENT_LOG) orr__cli_log_line(cli, orr_event_json(event));
    if (orr_event_kind(event) == ORR_EVENT_REPLY && orr_event_request(event) == id) {
      const orr_error *failed = orr_event_error(event);
      is_over = true;
      if (failed) rc = orr__error_copy(reterr, failed);
      else *ret_data = cJSON_Parse(orr_event_json(event));
    }
    orr_event_free(event);
  }
  return rc;
}

/* ---- whom to ask -------------------------------------------------------------------------------------------- */

typedef struct trier {
  orr__cli *cli;
  orr_runtime *runtime;      /* of our own; NULL: the data directory's */
  char *provider;            /* its code */
} trier;

static bool is_path(const char *name) {
  size_t len = strlen(name);
  return strchr(name, '/') || (len > 4 && orr__streq(name + len - 4, ".lua"));
}

/* "dir/acme.lua", "dir/acme" and "dir/acme/init.lua" are the provider acme of dir. */
static int split_path(const char *name, char **ret_dir, char **ret_code, orr_error *reterr) {
  char *real = realpath(name, NULL), *copy = real ? orr__strdup(real) : NULL;
  if (!real) return orr__error_errno(reterr, errno == ENOENT ? ORR_E_NOT_FOUND : ORR_E_IO, errno, "%s", name);
  if (copy && orr__streq(basename(real), "init.lua")) {
    char *slash = strrchr(copy, '/');
    *slash = '\0';
  }
  size_t len = copy ? strlen(copy) : 0;
  if (len > 4 && orr__streq(copy + len - 4, ".lua")) copy[len - 4] = '\0';
  char *slash = copy ? strrchr(copy, '/') : NULL;
  *ret_code = slash ? orr__strdup(slash + 1) : NULL;
  *ret_dir = slash ? orr__strndup(copy, slash == copy ? 1 : (size_t)(slash - copy)) : NULL;
  free(copy);
  free(real);
  return *ret_code && *ret_dir ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

int orr__provider_show(orr__cli *cli, const char *path, cJSON **ret_data, orr_error *reterr) {
  char *dir = NULL, *code = NULL;
  orr_runtime *runtime = NULL;
  cJSON *args = cJSON_CreateObject();
  int rc = args ? split_path(path, &dir, &code, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0 && !cJSON_AddStringToObject(args, "provider", code)) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0) rc = orr__apart_open(cli, dir, &runtime, reterr);
  if (rc == 0) rc = orr__apart_call(cli, runtime, "provider.show", args, ret_data, reterr);
  orr_close(runtime);
  cJSON_Delete(args);
  free(dir);
  free(code);
  return rc;
}

static int trier_open(trier *t, orr__cli *cli, orr_error *reterr) {
  const char *name = orr__json_word(cli->args, "provider");
  char *dir = NULL;
  int rc = 0;
  t->cli = cli;
  if (is_path(name)) rc = split_path(name, &dir, &t->provider, reterr);
  else t->provider = orr__strdup(name);
  bool has_connection = at(cli->args, "connection") != NULL;
  if (rc == 0 && has_connection && dir)
    rc = orr__error_set(reterr, ORR_E_INVALID, "--connection: it belongs to a provider of the data directory; give its code, not a file");
  if (rc == 0 && !has_connection) rc = orr__apart_open(cli, dir, &t->runtime, reterr);
  free(dir);
  if (rc == 0 && !cJSON_ReplaceItemInObjectCaseSensitive(cli->args, "provider", cJSON_CreateString(t->provider)))
    rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  return rc;
}

static int trier_ask(trier *t, const char *request, cJSON **ret_data, orr_error *reterr) {
  if (t->runtime) return orr__apart_call(t->cli, t->runtime, request, t->cli->args, ret_data, reterr);
  return orr__cli_call(t->cli, request, t->cli->args, ret_data, reterr);
}

/* Is it there, and does it work? Said before anything is typed. */
static int trier_check(trier *t, orr_error *reterr) {
  cJSON *args = cJSON_CreateObject(), *data = NULL;
  int rc = args && cJSON_AddStringToObject(args, "provider", t->provider) ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0 && t->runtime) rc = orr__apart_call(t->cli, t->runtime, "provider.show", args, &data, reterr);
  else if (rc == 0) rc = orr__cli_call(t->cli, "provider.show", args, &data, reterr);
  cJSON_Delete(args);
  cJSON_Delete(data);
  return rc;
}

static void trier_close(trier *t) {
  orr_close(t->runtime);
  free(t->provider);
}

/* ---- provider check ----------------------------------------------------------------------------------------- */

/* As whoever stands in that folder would name it. */
static const char *from_here(const char *path, const char *here) {
  size_t len = strlen(here);
  if (orr__streq(path, here)) return ".";
  return len > 1 && orr__starts_with(path, here) && path[len] == '/' && path[len + 1] ? path + len + 1 : path;
}

/* "acme.lua:12: message", as compilers say it. */
static void add_finding(orr__buf *out, const cJSON *finding, const char *here) {
  const char *file = orr__json_word(finding, "file"), *message = orr__json_word(finding, "message");
  const cJSON *line = at(finding, "line");
  if (file) orr__text_safe(out, from_here(file, here));
  if (file && cJSON_IsNumber(line)) orr__buf_addf(out, ":%.0f", line->valuedouble);
  orr__buf_adds(out, file ? ": " : "");
  orr__buf_adds(out, orr__streq(orr__json_word(finding, "severity"), "warning") ? "warning: " : "");
  orr__text_safe(out, message ? message : "");
  orr__buf_addc(out, '\n');
}

static void show_findings(const orr__cli *cli, const cJSON *data) {
  const cJSON *finding = NULL, *warnings = at(data, "warnings");
  const char *said = !cJSON_IsTrue(at(data, "ok")) ? ": does not work\n" : ": a working provider\n", *path = orr__json_word(data, "path");
  char *cwd = getcwd(NULL, 0);
  const char *here = cwd ? cwd : "";
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  cJSON_ArrayForEach(finding, at(data, "findings")) add_finding(&out, finding, here);
  if (cJSON_IsTrue(at(data, "ok")) && cJSON_IsNumber(warnings) && warnings->valuedouble > 0)
    said = warnings->valuedouble > 1 ? ": a working provider, with {warnings} warnings\n" : ": a working provider, with 1 warning\n";
  orr__text_safe(&out, from_here(path ? path : "", here));
  orr__said(&out, said, data, cli->paint.now_ms);
  orr__print(&out);
  orr__buf_clear(&out);
  free(cwd);
}

int orr__cli_check(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  orr_runtime *runtime = NULL;
  cJSON *data = NULL;
  int rc = orr__apart_open(cli, NULL, &runtime, &error);
  if (rc == 0) rc = orr__apart_call(cli, runtime, "provider.check", cli->args, &data, &error);
  orr_close(runtime);
  if (rc != 0) return orr__cli_fail(cli, &error);
  bool is_ok = cJSON_IsTrue(at(data, "ok"));
  if (!cJSON_IsTrue(at(cli->kept, "errorsOnly")) && cJSON_GetArraySize(at(data, "findings")) > 0) is_ok = false;
  if (cli->globals.is_json) orr__print_json(data);
  else show_findings(cli, data);
  cJSON_Delete(data);
  return is_ok ? 0 : 1;
}

/* ---- backup run --dry-run ----------------------------------------------------------------------------------- */

int orr__cli_dry_run(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  const cJSON *hook = NULL;
  if (orr__cli_call(cli, "backup.dryRun", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  bool is_dry = cJSON_IsTrue(at(data, "dryEnd")), is_well = true;
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  cJSON_ArrayForEach(hook, at(data, "hooks")) {
    const char *outcome = orr__json_word(hook, "outcome");
    is_well = orr__streq(outcome, "success") || orr__streq(outcome, "dry");
    orr__tried(&out, &cli->paint, hook);
  }
  orr__said(&out, is_dry ? "Dry run of {backup}: nothing was changed and nothing is stored.\n"
                         : "Dry run of {backup}: there was no mutating act, and nothing is stored.\n", data, 0);
  if (cli->globals.is_json) orr__print_json(data);
  else orr__print(&out);
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return is_well ? 0 : 1;
}

/* ---- provider call ------------------------------------------------------------------------------------------ */

/* The objects, out of a file or standard input. */
static int take_objects(orr__cli *cli, orr_error *reterr) {
  const char *path = orr__json_word(cli->kept, "args");
  bool is_taken = false;
  char *text = NULL;
  size_t len = 0;
  if (!path) return 0;
  int rc = orr__streq(path, "-") ? orr__stdin_secret("--args", &is_taken, &text, reterr) : orr__file_read(path, TEXT_MAX, &text, &len, reterr);
  if (rc != 0) return rc;
  const char *end = NULL;
  cJSON *objects = cJSON_ParseWithOpts(text, &end, true);
  if (!cJSON_IsObject(objects)) {
    size_t line = 1;
    for (const char *c = text; !objects && c < end; c++) line += *c == '\n';
    rc = objects ? orr__error_set(reterr, ORR_E_INVALID, "--args %s: should be an object, such as {\"backup\":{\"name\":\"x\"}}", path)
                 : orr__error_set(reterr, ORR_E_INVALID, "--args %s: is not JSON (line %zu)", path, line);
    cJSON_Delete(objects);
  } else if (!cJSON_AddItemToObject(cli->args, "objects", objects)) {
    rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  free(text);
  return rc;
}

int orr__cli_try_hook(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  trier t = { 0 };
  cJSON *data = NULL;
  int rc = take_objects(cli, &error);
  if (rc == 0) rc = trier_open(&t, cli, &error);
  if (rc == 0) rc = trier_ask(&t, "provider.call", &data, &error);
  trier_close(&t);
  if (rc != 0) return orr__cli_fail(cli, &error);
  const char *outcome = orr__json_word(data, "outcome");
  bool is_dry = orr__streq(outcome, "dry"), is_well = orr__streq(outcome, "success") || is_dry;
  if (cli->globals.is_json) {
    orr__print_json(data);
  } else {
    orr__buf out;
    orr__buf_init(&out, ORR_PRINT_MAX);
    orr__tried(&out, &cli->paint, data);
    if (is_dry) orr__buf_adds(&out, "Not done: say --really if that is meant.\n");
    orr__print(&out);
    orr__buf_clear(&out);
  }
  cJSON_Delete(data);
  return is_well ? 0 : 1;
}

/* ---- provider repl ------------------------------------------------------------------------------------------ */

typedef struct session {
  trier trier;
  orr__buf line, chunk;      /* what was read of the next line; the lines of what is being typed */
  bool is_terminal, has_failed, is_end;
} session;

/* Reads up to the end of a line into s->line. False: the end, or a signal. */
static bool read_line(session *s) {
  struct pollfd fds[] = { { STDIN_FILENO, POLLIN, 0 }, { s->trier.cli->signal_fd, POLLIN, 0 } };
  char c = '\0';
  orr__buf_reset(&s->line);
  if (s->is_terminal) {
    fputs(s->chunk.len ? ">> " : "> ", stdout);
    fflush(stdout);
  }
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return false;
    if (orr__signals_count() > 0) return false;
    if (!(fds[0].revents & (POLLIN | POLLHUP))) continue;
    if (read(STDIN_FILENO, &c, 1) != 1) return s->line.len > 0;
    if (c == '\n') return true;
    orr__buf_addc(&s->line, c);
  }
}

static void show_answer(session *s, const cJSON *data) {
  const cJSON *value = NULL;
  const char *outcome = orr__json_word(data, "outcome"), *message = orr__json_word(data, "msg");
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__tried_acts(&out, &s->trier.cli->paint, data);
  cJSON_ArrayForEach(value, at(at(data, "data"), "values")) {
    orr__text_safe(&out, value->valuestring);
    orr__buf_addc(&out, '\n');
  }
  if (orr__streq(outcome, "dry")) orr__buf_adds(&out, "not done: start the prompt with --really if that is meant\n");
  orr__print(&out);
  orr__buf_clear(&out);
  if (orr__streq(outcome, "success") || orr__streq(outcome, "dry")) return;
  s->has_failed = true;
  fflush(stdout);
  orr__remark("orrery: %s", message ? message : "failed");
}

/* What has been typed up to now, unless it goes on in the next line. */
static int eval_chunk(session *s, orr_error *reterr) {
  cJSON *args = s->trier.cli->args, *data = NULL;
  cJSON_DeleteItemFromObjectCaseSensitive(args, "text");
  if (!cJSON_AddStringToObject(args, "text", orr__buf_text(&s->chunk))) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int rc = trier_ask(&s->trier, "provider.eval", &data, reterr);
  if (rc == 0 && (s->is_end || !cJSON_IsTrue(at(data, "incomplete")))) {
    if (s->trier.cli->globals.is_json) orr__print_json(data);
    else show_answer(s, data);
    orr__buf_reset(&s->chunk);
    fflush(stdout);
  }
  cJSON_Delete(data);
  return rc;
}

int orr__cli_repl(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  session s = { .is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) };
  orr__buf_init(&s.line, TEXT_MAX);
  orr__buf_init(&s.chunk, TEXT_MAX);
  int rc = trier_open(&s.trier, cli, &error);
  if (rc == 0) rc = trier_check(&s.trier, &error);
  if (rc == 0 && s.is_terminal) orr__remark("Lua in the provider %s; the end of the input (^D) ends it", s.trier.provider);
  while (rc == 0 && read_line(&s)) {
    if (s.chunk.len) orr__buf_addc(&s.chunk, '\n');
    orr__buf_add(&s.chunk, orr__buf_text(&s.line), s.line.len);
    if (strspn(orr__buf_text(&s.chunk), " \t\r\n") == s.chunk.len) orr__buf_reset(&s.chunk);
    else rc = eval_chunk(&s, &error);
  }
  s.is_end = true;
  bool is_interrupted = orr__signals_count() > 0;
  if (rc == 0 && s.chunk.len && !is_interrupted) rc = eval_chunk(&s, &error);
  trier_close(&s.trier);
  orr__buf_clear(&s.line);
  orr__buf_clear(&s.chunk);
  if (rc != 0) return orr__cli_fail(cli, &error);
  return is_interrupted ? 130 : s.has_failed && !s.is_terminal ? 1 : 0;
}
