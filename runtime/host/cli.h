/* One invocation of the command line: what was asked for, and what carries it out.
 *
 *   cli_parse.c   words to a command, its arguments and the global options (cli_set.c: key=value, standard input)
 *   cli_place.c   which data directory and which settings
 *   cli.c         from main to the exit code; the plain commands
 *   cli_*.c       the commands that do more than ask once
 *   cli_help.c    --help
 *   cli_complete.c  what may come next on a line that is being typed (cli_completion.c: the shells' scripts)
 *   cli_try.c     what a provider would do: dry runs, single hooks, typed lines
 *   doctor_*.c    the checks of `orrery doctor` (cli_doctor.c)
 *   render_*.c    everything that is printed */
#ifndef ORR_HOST_CLI_H
#define ORR_HOST_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "host/client.h"
#include "host/commands.h"
#include "host/render.h"

#define ORR_WORDS_MAX 64 /* of a kind that may be repeated: --providers, --setting */

enum orr__color { ORR_COLOR_AUTO, ORR_COLOR_ALWAYS, ORR_COLOR_NEVER };

/* The options that every command has; all texts are borrowed from argv. */
typedef struct orr__globals {
  const char *data_dir;
  const char *providers[ORR_WORDS_MAX];
  const char *settings[ORR_WORDS_MAX]; /* key=value */
  size_t provider_count, setting_count;
  enum orr__color color;
  bool is_json, is_wide, is_quiet, has_no_header, is_yes, is_verbose, wants_help, wants_version;
} orr__globals;

typedef struct orr__cli {
  orr__globals globals;
  const orr__command *command; /* NULL: only help or version was asked for */
  const char *help_topic;      /* of `orrery help TOPIC` and `orrery NOUN --help`; or NULL */
  cJSON *args;                 /* what the request gets */
  cJSON *kept;                 /* what the handler keeps for itself: wait, to */
  char *data_dir;              /* absolute */
  orr_settings *settings;
  orr__client_config config;
  orr__client *client;         /* NULL until orr__cli_connect */
  orr__paint paint;
  int signal_fd;
  bool tells_providers;        /* the command shows itself which providers do not load: the log's lines about them do not */
} orr__cli;

/* Fills globals, command, args and kept. INVALID with everything that is wrong at once; it may have set
 * is_json by then. Reads standard input only when all words were right. */
int orr__cli_parse(orr__cli *cli, int argc, char **argv, orr_error *reterr);

/* key=value, key=@file, key=- and key:=json into a map; dots in the key make maps. stdin_taken remembers that
 * standard input can be read once only. INVALID. */
int orr__set_assign(cJSON *map, const char *text, bool *stdin_taken, orr_error *reterr);
/* Puts a value (taken, also when it fails) at a dotted path; "\." is a dot within a key. */
int orr__set_path(cJSON *map, const char *path, cJSON *value, orr_error *reterr);
/* All of standard input without its last line end; on a terminal one line, unseen. Owned. */
int orr__stdin_secret(const char *what, bool *stdin_taken, char **ret_text, orr_error *reterr);

/* data_dir, settings and config out of the global options and the environment. */
int orr__cli_place(orr__cli *cli, const char *role, orr_error *reterr);
/* Where the keys that seal secrets are, by these settings; after orr__cli_place. Owned; NULL: no memory. */
char *orr__cli_key_path(const orr__cli *cli);
/* Settings of a runtime that keeps nothing, with the same providers; or (only_dir) those of one folder. */
int orr__cli_place_apart(orr__cli *cli, const char *only_dir, orr_error *reterr);
/* Owned; relative paths from the working directory. NULL: no memory. */
char *orr__path_absolute(const char *path);

/* Opens cli->client. */
int orr__cli_connect(orr__cli *cli, orr_error *reterr);
/* The same, but only to a runtime that another process runs, and that answers within so long: else NOT_FOUND (nobody
 * holds the directory) or LOCKED. Opens and makes nothing. */
int orr__cli_reach(orr__cli *cli, int reach_ms, orr_error *reterr);
/* One request: connects, calls. *ret_data is owned. */
int orr__cli_call(orr__cli *cli, const char *request, const cJSON *args, cJSON **ret_data, orr_error *reterr);
/* A runtime of our own that keeps nothing, and one request of it; *ret_data is owned. CANCELLED after a signal. */
int orr__apart_open(orr__cli *cli, const char *only_dir, orr_runtime **ret_runtime, orr_error *reterr);
int orr__apart_call(orr__cli *cli, orr_runtime *runtime, const char *request, const cJSON *args, cJSON **ret_data, orr_error *reterr);
/* provider.show of a provider's file or folder, asked of such a runtime; *ret_data is owned. */
int orr__provider_show(orr__cli *cli, const char *path, cJSON **ret_data, orr_error *reterr);
/* A line of a runtime in this process: warnings and errors always, the rest for --verbose. */
void orr__cli_log_line(void *cli, const char *json);
/* Prints the error where errors go and returns the exit code. Releases it. */
int orr__cli_fail(orr__cli *cli, orr_error *error);
/* Follows a result until it ends (or, with is_started, until executeBackup has answered). *ret_result is owned. */
int orr__cli_follow(orr__cli *cli, const char *ref, bool is_started, cJSON **ret_result, orr_error *reterr);
/* How a result is: a line, why it is not well, and what to do if it needs attention; or JSON. */
void orr__cli_print_result(const orr__cli *cli, const cJSON *result);
/* Says that refreshing waits, where the result goes on and this command's runtime ends with it. */
void orr__cli_remark_waiting(const orr__cli *cli, const cJSON *result);
/* Retention after a good result, where the runtime that made it ends with a command: nobody else does it. What is not deleted is
 * remarked. */
void orr__cli_prune_after(orr__cli *cli, const cJSON *result);
/* What a schedule means, and the dates and notes of its next fires, indented; for create and update. */
void orr__schedule_lines(orr__buf *out, const cJSON *schedule);
/* The exit code that says how a result is. */
int orr__result_exit(const cJSON *result);

/* `orrery complete WORD...`: see cli_complete.c. */
int orr__cli_complete(orr__cli *cli, int argc, char **argv);
void orr__cli_print_help(const orr__cli *cli, FILE *to);
int orr__cli_main(int argc, char **argv);

/* The handlers of commands.def. */
int orr__cli_ask(orr__cli *cli);
int orr__cli_check(orr__cli *cli);
int orr__cli_test(orr__cli *cli);
int orr__cli_export(orr__cli *cli);
int orr__cli_change(orr__cli *cli);
int orr__cli_run(orr__cli *cli);
int orr__cli_dry_run(orr__cli *cli); /* of `backup run` */
int orr__cli_try_hook(orr__cli *cli);
int orr__cli_repl(orr__cli *cli);
int orr__cli_new(orr__cli *cli);
int orr__cli_dev(orr__cli *cli);
int orr__cli_prune(orr__cli *cli);
int orr__cli_watch(orr__cli *cli);
int orr__cli_cancel(orr__cli *cli);
int orr__cli_resolve(orr__cli *cli);
int orr__cli_resolve_draft(orr__cli *cli);
int orr__cli_extract(orr__cli *cli);
int orr__cli_log(orr__cli *cli);
int orr__cli_schedule_next(orr__cli *cli);
int orr__cli_schedule_skip(orr__cli *cli);
int orr__cli_schedule_describe(orr__cli *cli);
int orr__cli_events(orr__cli *cli);
int orr__cli_status(orr__cli *cli);
int orr__cli_serve(orr__cli *cli);
int orr__cli_db_check(orr__cli *cli);
int orr__cli_completion(orr__cli *cli);
int orr__cli_doctor(orr__cli *cli);

#endif
