/* From main to the exit code, and the plain commands: ask once, print the reply. */
#include "host/cli.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/signals.h"

enum { EXIT_INTERRUPTED = 130, EXIT_USAGE = 2, ADVICE_MAX = 5 };

void orr__cli_log_line(void *arg, const char *json) {
  const orr__cli *cli = arg;
  cJSON *line = cJSON_Parse(json);
  const char *level = orr__json_word(line, "level");
  const char *message = orr__json_word(line, "message");
  const char *provider = orr__json_word(line, "provider");
  bool is_grave = orr__streq(level, "warning") || orr__streq(level, "error");
  bool is_told = cli->tells_providers && provider;
  if (message && !is_told && (is_grave || cli->globals.is_verbose)) {
    orr__buf text;
    orr__buf_init(&text, ORR_PRINT_MAX);
    orr__text_line(&text, message);
    orr__remark("orrery: %s%s%s%s", is_grave ? level : "", is_grave ? ": " : "", orr__buf_text(&text), "");
    if (provider && cli->globals.is_verbose) orr__remark("  provider: %s", provider);
    orr__buf_clear(&text);
  }
  cJSON_Delete(line);
}

int orr__cli_connect(orr__cli *cli, orr_error *reterr) {
  if (cli->client) return 0;
  int rc = orr__cli_place(cli, "command", reterr);
  if (rc != 0) return rc;
  cli->config = (orr__client_config){cli->data_dir, cli->settings, cli->signal_fd, orr__cli_log_line, cli, 0, false};
  return orr__client_open(&cli->config, &cli->client, reterr);
}

int orr__cli_reach(orr__cli *cli, int reach_ms, orr_error *reterr) {
  if (cli->client) return 0;
  int rc = orr__cli_place(cli, "command", reterr);
  if (rc != 0) return rc;
  cli->config = (orr__client_config){cli->data_dir, cli->settings, cli->signal_fd, NULL, NULL, reach_ms, true};
  return orr__client_open(&cli->config, &cli->client, reterr);
}

int orr__cli_call(orr__cli *cli, const char *request, const cJSON *args, cJSON **ret_data, orr_error *reterr) {
  char *text = args ? cJSON_PrintUnformatted(args) : orr__strdup("{}");
  if (!text) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int rc = orr__cli_connect(cli, reterr);
  if (rc == 0) rc = orr__client_call(cli->client, request, text, ret_data, reterr);
  cJSON_free(text);
  return rc;
}

int orr__cli_fail(orr__cli *cli, orr_error *error) {
  int exit_code = orr__signals_count() > 0 ? EXIT_INTERRUPTED : orr__code_exit(error->code);
  orr__complain(error);
  bool has_own = cli->globals.provider_count > 0 || cli->globals.setting_count > 0;
  if (has_own && cli->client && orr__client_is_remote(cli->client))
    orr__remark("  (the runtime that holds %s has settings of its own: --providers and --setting have no effect on it)", cli->data_dir);
  if (cli->globals.is_json) orr__print_failed(error);
  orr__error_clear(error);
  return exit_code;
}

/* ---- the plain commands ----------------------------------------------------------------------------------- */

/* "remove connection vault?" on a terminal; elsewhere --yes is wanted. */
static int confirm(const orr__cli *cli, orr_error *reterr) {
  if (cli->globals.is_yes) return 0;
  const char *noun = cli->command->noun;
  const char *subject = orr__json_word(cli->args, noun);
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
    return orr__error_set(reterr, ORR_E_INVALID, "%s rm %s removes things for good; say --yes", noun, subject ? subject : "");
  fprintf(stderr, "Remove %s '%s'%s? [y/N] ", noun, subject ? subject : "",
          cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->args, "withResults")) ? " and all its results" : "");
  fflush(stderr);
  char answer[16];
  if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return 0;
  return orr__error_set(reterr, ORR_E_CANCELLED, "nothing was removed");
}

/* A single thing; of a result with its journal, the story instead of the rows. */
static void add_thing(orr__buf *out, const orr__cli *cli, cJSON *data) {
  cJSON *ops = cJSON_DetachItemFromObjectCaseSensitive(data, "ops");
  cJSON *events = ops ? cJSON_DetachItemFromObjectCaseSensitive(data, "events") : NULL;
  orr__card(out, &cli->paint, data);
  if (ops) orr__buf_addc(out, '\n');
  orr__story(out, &cli->paint, ops, events);
  orr__advice(out, data);
  cJSON_Delete(ops);
  cJSON_Delete(events);
}

static void print_read(const orr__cli *cli, cJSON *data) {
  if (cli->globals.is_json) {
    orr__print_json(data);
    return;
  }
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  if (cJSON_IsArray(data) && cli->globals.is_quiet) {
    orr__table_names(&out, cli->command->view, data);
  } else if (cJSON_IsArray(data)) {
    orr__table(&out, &cli->paint, cli->command->view, data);
    orr__advice_list(&out, data, ADVICE_MAX);
  } else {
    add_thing(&out, cli, data);
  }
  if (cJSON_IsArray(data) && !data->child && cli->paint.width > 0) orr__remark("none yet");
  orr__print(&out);
  orr__buf_clear(&out);
}

static void print_written(const orr__cli *cli, const cJSON *data) {
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__said(&out, cli->command->said, data, cli->paint.now_ms);
  if (cli->globals.is_json) {
    orr__print_done(data, orr__buf_text(&out));
  } else if (!cli->globals.is_quiet) {
    static const char *const TOLD[] = {"msg", "warning"};
    orr__buf_addc(&out, '\n');
    for (size_t i = 0; i < sizeof TOLD / sizeof *TOLD; i++) {
      const char *text = orr__json_word(data, TOLD[i]);
      if (!text || !*text) continue;
      orr__text_safe(&out, text);
      orr__buf_addc(&out, '\n');
    }
    orr__print(&out);
  }
  orr__buf_clear(&out);
}

int orr__cli_ask(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  int rc = cli->command->flags & ORR_COMMAND_ASKS ? confirm(cli, &error) : 0;
  if (rc == 0) rc = orr__cli_call(cli, cli->command->request, cli->args, &data, &error);
  if (rc != 0) return orr__cli_fail(cli, &error);
  if (cli->command->flags & ORR_COMMAND_WRITES) print_written(cli, data);
  else print_read(cli, data);
  cJSON_Delete(data);
  return 0;
}

/* ---- main ------------------------------------------------------------------------------------------------- */

static bool is_fancy(const orr__cli *cli, int fd) {
  const char *term = getenv("TERM");
  const char *no_color = getenv("NO_COLOR");
  if (cli->globals.color != ORR_COLOR_AUTO) return cli->globals.color == ORR_COLOR_ALWAYS;
  return isatty(fd) && !(no_color && *no_color) && !(term && orr__streq(term, "dumb"));
}

static void choose_paint(orr__cli *cli) {
  struct winsize size;
  const char *term = getenv("TERM");
  bool is_terminal = isatty(STDERR_FILENO) && !orr__streq(term, "dumb");
  cli->paint.has_color = is_fancy(cli, STDOUT_FILENO);
  cli->paint.has_bar = is_terminal && cli->globals.color != ORR_COLOR_NEVER;
  cli->paint.is_quiet = cli->globals.is_quiet || (cli->globals.is_json && !is_terminal);
  if (cli->globals.is_quiet) cli->paint.has_bar = false;
  cli->paint.is_wide = cli->globals.is_wide;
  cli->paint.has_no_header = cli->globals.has_no_header;
  cli->paint.now_ms = orr__wall_ms();
  if (isatty(STDOUT_FILENO)) cli->paint.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static int run_command(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  if (orr__signals_open(&cli->signal_fd, &error) != 0) return orr__cli_fail(cli, &error);
  return cli->command->run(cli);
}

/* Without one of the standard streams, the next file that is opened (the database!) would take its number, and be written to.
 * They are opened the wrong way round, so that using them is an error, not silence. */
static void keep_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    int opened = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
    if (opened >= 0 && opened != fd) close(opened);
  }
}

/* Output that did not arrive is a failure; but who ends `| head` early has seen enough. */
static int end_output(int exit_code) {
  orr_error error = ORR_ERROR_INIT;
  int rc = orr__print_end(&error);
  if (rc != 0 && rc != ORR_E_CLOSED) orr__complain(&error);
  orr__error_clear(&error);
  return rc != 0 && rc != ORR_E_CLOSED && exit_code == 0 ? 1 : exit_code;
}

int orr__cli_main(int argc, char **argv) {
  orr__cli cli;
  orr_error error = ORR_ERROR_INIT;
  memset(&cli, 0, sizeof cli);
  cli.signal_fd = -1;
  int exit_code = 0;
  keep_standard_streams();
  bool is_completing = argc > 1 && orr__streq(argv[1], "complete");
  int rc = is_completing ? 0 : orr__cli_parse(&cli, argc, argv, &error);
  choose_paint(&cli);
  if (is_completing) {
    exit_code = orr__cli_complete(&cli, argc - 2, argv + 2);
  } else if (rc != 0) {
    orr__complain(&error);
    if (cli.globals.is_json) orr__print_failed(&error);
    exit_code = orr__code_exit(error.code) == 4 ? EXIT_USAGE : orr__code_exit(error.code);
  } else if (cli.globals.wants_version) {
    printf("orrery %s\n", orr_version());
  } else if (cli.globals.wants_help) {
    orr__cli_print_help(&cli, stdout);
  } else {
    exit_code = run_command(&cli);
  }
  orr__client_close(cli.client);
  orr_settings_free(cli.settings);
  free(cli.data_dir);
  cJSON_Delete(cli.args);
  cJSON_Delete(cli.kept);
  orr__error_clear(&error);
  return end_output(exit_code);
}
