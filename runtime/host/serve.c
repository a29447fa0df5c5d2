/* `orrery serve`: the daemon. Takes the data directory, turns the runtime and the socket until SIGINT or SIGTERM; then no new
 * hooks, those in flight get 4.5 s, and the store is closed. What local jobs it has started go on.
 *
 *   opening --take--> ready --signal, or the store failed--> ending (drain) --> ended
 *
 * SIGHUP: without a terminal that is all it says, since there is nothing to reload: providers are loaded anew when their files
 * change, and settings are of a start. Writes nothing to standard output; what it says is the log's and the service manager's. */
#include "host/serve.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/signals.h"

enum { DRAIN_MS = 4500, CLOSING_MS = 20000, LOG_RETRY_MS = 100, LOG_END_MS = 500 };

static void say(orr__daemon *daemon, enum orr__severity severity, const char *message) {
  orr__log_line line = orr__log_say(severity, message);
  orr__log_put(daemon->log, &line);
}

void orr__daemon_log(void *arg, const char *json) {
  orr__daemon *daemon = arg;
  cJSON *map = cJSON_Parse(json);
  const char *message = orr__json_word(map, "message");
  orr__log_line line = orr__log_say(orr__severity_of(orr__json_word(map, "level")), message ? message : "");
  static const char *const keys[] = {"provider", "backup", "hook"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) orr__log_text(&line, keys[i], orr__json_word(map, keys[i]));
  const cJSON *result = cJSON_GetObjectItemCaseSensitive(map, "result");
  if (cJSON_IsNumber(result)) orr__log_number(&line, "result", (int64_t)result->valuedouble);
  orr__log_put_limited(daemon->log, &line);
  cJSON_Delete(map);
}

static void say_ready(orr__daemon *daemon) {
  const orr__cli *cli = daemon->cli;
  char *path = orr__strf("%s/socket", cli->data_dir);
  orr__log_line line = orr__log_say(ORR_SAY_INFO, "ready");
  orr__log_text(&line, "version", orr_version());
  orr__log_number(&line, "pid", getpid());
  orr__log_text(&line, "data", cli->data_dir);
  orr__log_text(&line, "socket", path);
  orr__log_put(daemon->log, &line);
  free(path);
  orr__notify_send(daemon->notify, "READY=1\nSTATUS=ready");
}

static void say_failed(orr__daemon *daemon) {
  orr__log_line line = orr__log_say(ORR_SAY_ERROR, "the database cannot be written any more; mend the cause (disk full?) and start again");
  orr__log_text(&line, "data", daemon->cli->data_dir);
  orr__log_put(daemon->log, &line);
}

static bool has_terminal(void) {
  int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/* Turns until there is a reason to end: 0, or the code with which the store has failed. */
static int turn(orr__daemon *daemon, orr__holder *holder, orr__pulse *pulse) {
  int failed = 0, hangups = 0;
  while (orr__signals_count() == 0 && (failed = orr__holder_failed(holder)) == 0) {
    int64_t wait_ms = orr__pulse_turn(pulse);
    if (!orr__log_flush(daemon->log) && (wait_ms < 0 || wait_ms > LOG_RETRY_MS)) wait_ms = LOG_RETRY_MS;
    orr__holder_turn(holder, wait_ms, daemon->cli->signal_fd);
    if (orr__signals_hangups() > hangups) say(daemon, ORR_SAY_INFO, "SIGHUP: nothing to reload, providers are loaded anew when their files change");
    hangups = orr__signals_hangups();
  }
  return failed;
}

static int serve(orr__daemon *daemon, orr_error *reterr) {
  orr__holder *holder = NULL;
  int rc = orr__daemon_take(daemon, &holder, reterr);
  if (rc != 0) return rc;
  orr__error_clear(reterr); /* what the tries before had to say */
  if (!has_terminal()) orr__signals_spare_hangup();
  orr__pulse *pulse = orr__pulse_new(daemon, holder);
  if (!pulse) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (pulse) say_ready(daemon);
  int failed = pulse ? turn(daemon, holder, pulse) : 0;
  orr__notify_send(daemon->notify, "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=%d000", DRAIN_MS + CLOSING_MS);
  if (failed) say_failed(daemon);
  else say(daemon, ORR_SAY_INFO, "ending");
  int64_t start = orr__mono_ms();
  orr__holder_close(holder, DRAIN_MS, daemon->cli->signal_fd);
  orr__pulse_free(pulse);
  orr__log_line line = orr__log_say(ORR_SAY_INFO, "ended");
  orr__log_number(&line, "ms", orr__mono_ms() - start);
  orr__log_put(daemon->log, &line);
  for (int64_t end = orr__mono_ms() + LOG_END_MS; !orr__log_flush(daemon->log) && orr__mono_ms() < end;) usleep(10000);
  if (failed) rc = orr__error_set(reterr, failed, "the database of %s cannot be written any more", daemon->cli->data_dir);
  return rc;
}

static bool has_color(const orr__cli *cli) {
  const char *no_color = getenv("NO_COLOR");
  if (cli->globals.color != ORR_COLOR_AUTO) return cli->globals.color == ORR_COLOR_ALWAYS;
  return cli->paint.has_bar && !(no_color && *no_color);
}

/* Why it does not go, where the log is read; before there is one, as every command says it. */
static int fail(orr__daemon *daemon, orr_error *error) {
  if (!daemon->log) return orr__cli_fail(daemon->cli, error);
  int exit_code = daemon->has_rival ? 7 : orr__code_exit(error->code);
  say(daemon, ORR_SAY_ERROR, orr__error_message(error));
  orr__notify_send(daemon->notify, "STATUS=%s", orr__error_message(error));
  if (daemon->cli->globals.is_json) orr__print_failed(error);
  orr__error_clear(error);
  return exit_code;
}

int orr__cli_serve(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  orr__daemon daemon = {.cli = cli};
  int rc = orr__cli_place(cli, "serve", &error);
  if (rc == 0)
    rc = orr__log_open(orr__json_word(cli->kept, "format"), orr__json_word(cli->kept, "level"), has_color(cli), &daemon.log, &error);
  if (rc == 0) {
    if (orr__notify_open(&daemon.notify, &error) != 0 && daemon.notify) {
      say(&daemon, ORR_SAY_WARNING, orr__error_message(&error));
      orr__error_clear(&error);
    }
    rc = daemon.notify ? serve(&daemon, &error) : ORR_E_NOMEM;
  }
  bool is_well = rc == 0 || rc == ORR_E_CANCELLED; /* cancelled: ended before it began, as asked */
  int exit_code = is_well ? 0 : fail(&daemon, &error);
  orr__error_clear(&error);
  orr__notify_free(daemon.notify);
  orr__log_close(daemon.log);
  return exit_code;
}
