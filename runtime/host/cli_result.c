/* The commands around one result: run, watch, cancel, extract, log.
 *
 * Following survives a change of runtime: when the data directory changes hands, the result is asked for again by
 * its uuid, which is all that has to be remembered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"

enum { TICK_MS = 500, AGAIN_MS = 1000, COPY_SIZE = 64 * 1024 };

static bool is_terminal_status(const char *status) {
  return orr__streq(status, "SUCCEEDED") || orr__streq(status, "SUCCEEDED_WARNING") || orr__streq(status, "FAILED") ||
         orr__streq(status, "CANCELLED");
}

static bool has_ended(const cJSON *result) {
  return is_terminal_status(orr__json_word(result, "status")) || orr__json_word(result, "attention");
}

int orr__result_exit(const cJSON *result) {
  const char *status = orr__json_word(result, "status");
  if (orr__streq(status, "SUCCEEDED")) return 0;
  if (orr__streq(status, "SUCCEEDED_WARNING")) return 3;
  if (is_terminal_status(status)) return 1;
  return orr__json_word(result, "attention") ? 8 : 0;
}

/* ---- following -------------------------------------------------------------------------------------------- */

typedef struct pursuit {
  orr__cli *cli;
  char *args;      /* of result.watch */
  bool is_started; /* only until executeBackup has answered */
  uint64_t id;
  orr__bar bar;
  cJSON *latest;
} pursuit;

static int ask_again(pursuit *p, orr_error *reterr) {
  return orr__client_ask(p->cli->client, "result.watch", p->args, &p->id, reterr);
}

/* 1: it has ended, p->latest is how; 0: go on. */
static int take_message(pursuit *p, orr__message *message, orr_error *reterr) {
  bool is_reply = message->type == ORR_MESSAGE_REPLY;
  if (message->id != p->id) return 0;
  if (message->error.code == ORR_E_CLOSED) {
    p->id = 0; /* this runtime is ending; the next one will tell */
    return 0;
  }
  if (message->error.code != 0) return orr__error_move(reterr, &message->error);
  cJSON_Delete(p->latest);
  p->latest = message->data;
  message->data = NULL;
  if (!p->is_started) orr__bar_show(&p->bar, p->latest);
  if (!is_reply) return 0;
  if (p->is_started || has_ended(p->latest)) return 1;
  p->id = 0;
  return 0;
}

static int pursue(pursuit *p, orr_error *reterr) {
  int rc = ask_again(p, reterr);
  while (rc == 0) {
    orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
    int64_t wait_ms = p->id == 0 ? AGAIN_MS : p->bar.paint->has_bar && !p->is_started ? TICK_MS : -1;
    int got = orr__client_wait(p->cli->client, wait_ms, &message, reterr);
    if (got < 0) return got;
    if (got == ORR_CLIENT_MOVED || (got == ORR_CLIENT_TIMEOUT && p->id == 0)) rc = ask_again(p, reterr);
    else if (got == ORR_CLIENT_TIMEOUT && !p->is_started) orr__bar_show(&p->bar, p->latest);
    else if (got == ORR_CLIENT_MESSAGE) rc = take_message(p, &message, reterr);
    orr__message_clear(&message);
  }
  return rc < 0 ? rc : 0;
}

int orr__cli_follow(orr__cli *cli, const char *ref, bool is_started, cJSON **ret_result, orr_error *reterr) {
  pursuit p = {.cli = cli, .is_started = is_started, .bar = {.paint = &cli->paint}};
  cJSON *args = cJSON_CreateObject();
  if (args && cJSON_AddStringToObject(args, "result", ref) && (!is_started || cJSON_AddTrueToObject(args, "started")))
    p.args = cJSON_PrintUnformatted(args);
  cJSON_Delete(args);
  int rc = p.args ? orr__cli_connect(cli, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (rc == 0) rc = pursue(&p, reterr);
  orr__bar_end(&p.bar);
  if (rc == ORR_E_CANCELLED && !is_started)
    orr__error_set(reterr, ORR_E_CANCELLED, "interrupted; the backup goes on: orrery result watch %.8s", ref);
  if (rc == 0) {
    *ret_result = p.latest;
    p.latest = NULL;
  }
  cJSON_Delete(p.latest);
  cJSON_free(p.args);
  return rc;
}

static const char *uuid_of(const cJSON *result) {
  const char *uuid = orr__json_word(result, "uuid");
  return uuid ? uuid : "";
}

/* ---- run, watch, cancel ----------------------------------------------------------------------------------- */

/* "docs 3f2a1b2c SUCCEEDED in 3.2 s, 1.2 MiB", and why not on a second line. */
void orr__cli_print_result(const orr__cli *cli, const cJSON *result) {
  if (cli->globals.is_json) {
    orr__print_json(result);
    return;
  }
  if (cli->globals.is_quiet) {
    printf("%s\n", uuid_of(result));
    return;
  }
  orr__buf out, why;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__buf_init(&why, ORR_PRINT_MAX);
  const char *status = orr__json_word(result, "status");
  const cJSON *took = cJSON_GetObjectItemCaseSensitive(result, "durationMillis");
  const cJSON *size = cJSON_GetObjectItemCaseSensitive(result, "sizeInBytes");
  orr__said(&out, "{backupName} {uuid:id} ", result, cli->paint.now_ms);
  orr__hued(&out, &cli->paint, orr__status_hue(status), status ? status : "?");
  if (has_ended(result) && cJSON_IsNumber(took)) {
    orr__buf_adds(&out, " in ");
    orr__text_took(&out, took->valuedouble);
  }
  if (cJSON_IsNumber(size)) {
    orr__buf_adds(&out, ", ");
    orr__text_size(&out, size->valuedouble);
  }
  orr__buf_addc(&out, '\n');
  orr__problem(&why, result);
  if (why.len > 0) orr__buf_addf(&out, "  %s\n", orr__buf_text(&why));
  orr__advice(&out, result);
  orr__print(&out);
  orr__buf_clear(&out);
  orr__buf_clear(&why);
}

void orr__cli_remark_waiting(const orr__cli *cli, const cJSON *result) {
  if (!cli->globals.is_quiet && !has_ended(result) && orr__client_is_command(cli->client))
    orr__remark("orrery: refreshing waits for `orrery serve`, or for: orrery result watch %.8s", uuid_of(result));
}

int orr__cli_run(orr__cli *cli) {
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->kept, "dryRun"))) return orr__cli_dry_run(cli);
  orr_error error = ORR_ERROR_INIT;
  cJSON *result = NULL, *later = NULL;
  bool is_waiting = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->kept, "wait"));
  int rc = orr__cli_call(cli, cli->command->request, cli->args, &result, &error);
  /* A runtime that ends with this command must at least have started it before it goes. */
  if (rc == 0 && (is_waiting || orr__client_is_command(cli->client))) {
    rc = orr__cli_follow(cli, uuid_of(result), !is_waiting, &later, &error);
    cJSON_Delete(result);
    result = later;
  }
  if (rc != 0) return orr__cli_fail(cli, &error);
  orr__cli_print_result(cli, result);
  if (!is_waiting) orr__cli_remark_waiting(cli, result);
  int exit_code = orr__result_exit(result);
  if (is_waiting && orr__starts_with(orr__json_word(result, "status"), "SUCCEEDED")) orr__cli_prune_after(cli, result);
  cJSON_Delete(result);
  return exit_code;
}

int orr__cli_watch(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *result = NULL;
  const char *ref = orr__json_word(cli->args, "result");
  if (orr__cli_follow(cli, ref ? ref : "", false, &result, &error) != 0) return orr__cli_fail(cli, &error);
  orr__cli_print_result(cli, result);
  int exit_code = orr__result_exit(result);
  cJSON_Delete(result);
  return exit_code;
}

int orr__cli_cancel(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL, *ended = NULL;
  bool is_waiting = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cli->kept, "wait"));
  int rc = orr__cli_call(cli, "result.cancel", cli->args, &data, &error);
  if (rc == 0 && is_waiting) {
    rc = orr__cli_follow(cli, uuid_of(cJSON_GetObjectItemCaseSensitive(data, "result")), false, &ended, &error);
    if (rc == 0) cJSON_ReplaceItemInObjectCaseSensitive(data, "result", ended);
  }
  if (rc != 0) {
    cJSON_Delete(data);
    return orr__cli_fail(cli, &error);
  }
  const cJSON *result = cJSON_GetObjectItemCaseSensitive(data, "result");
  const char *msg = orr__json_word(data, "msg");
  if (cli->globals.is_json) {
    orr__print_done(data, "");
  } else {
    orr__cli_print_result(cli, result);
    if (msg && *msg) printf("%s\n", msg);
  }
  bool is_as_asked = orr__streq(orr__json_word(result, "status"), "CANCELLED");
  orr__cli_remark_waiting(cli, result);
  int exit_code = !is_waiting || is_as_asked ? 0 : orr__result_exit(result);
  cJSON_Delete(data);
  return exit_code;
}

/* ---- extract ---------------------------------------------------------------------------------------------- */

/* Removes a folder of our own with what a provider put into it. */
static void remove_tree(const char *path) {
  DIR *dir = remove(path) == 0 ? NULL : opendir(path);
  const struct dirent *entry;
  if (!dir) return;
  while ((entry = readdir(dir)) != NULL) {
    bool is_self = orr__streq(entry->d_name, ".") || orr__streq(entry->d_name, "..");
    char *inner = is_self ? NULL : orr__strf("%s/%s", path, entry->d_name);
    struct stat st;
    if (inner && lstat(inner, &st) == 0 && S_ISDIR(st.st_mode)) remove_tree(inner);
    else if (inner) remove(inner);
    free(inner);
  }
  closedir(dir);
  remove(path);
}

/* Copies a file to standard output. */
static int pour(const char *path, orr_error *reterr) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
  int rc = 0;
  if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
    rc = orr__error_set(reterr, ORR_E_INVALID, "the provider extracted a folder, which does not fit into standard output; say --to DIR");
  while (rc == 0) {
    char bytes[COPY_SIZE];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
    if (n <= 0) break;
    if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n) rc = orr__error_errno(reterr, ORR_E_IO, errno, "standard output");
  }
  if (rc == 0 && fflush(stdout) != 0) rc = orr__error_errno(reterr, ORR_E_IO, errno, "standard output");
  close(fd);
  return rc;
}

static int extract_to(orr__cli *cli, const char *destination, cJSON **ret_data, orr_error *reterr) {
  cJSON *value = destination ? cJSON_CreateString(destination) : NULL;
  int rc = orr__set_path(cli->args, "destination", value, reterr);
  return rc == 0 ? orr__cli_call(cli, "result.extract", cli->args, ret_data, reterr) : rc;
}

/* Through a folder of its own, because a provider writes to a path. */
static int extract_to_stdout(orr__cli *cli, cJSON **ret_data, orr_error *reterr) {
  const char *base = getenv("TMPDIR");
  char *dir = orr__strf("%s/orrery-extract.XXXXXX", base && *base == '/' ? base : "/tmp");
  char *file = NULL;
  int rc = 0;
  if (!dir || !mkdtemp(dir)) {
    rc = orr__error_errno(reterr, ORR_E_IO, errno, "a temporary folder (%s)", dir ? dir : "");
    goto done;
  }
  file = orr__strf("%s/output", dir);
  rc = extract_to(cli, file, ret_data, reterr);
  if (rc == 0) {
    const char *path = orr__json_word(*ret_data, "path");
    rc = pour(path ? path : file, reterr);
  }
  remove_tree(dir);
done:
  free(file);
  free(dir);
  return rc;
}

int orr__cli_extract(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  const char *to = orr__json_word(cli->kept, "to");
  bool is_stdout = orr__streq(to, "-");
  char *path = is_stdout || !to ? NULL : orr__path_absolute(to);
  if (is_stdout && isatty(STDOUT_FILENO)) {
    orr__error_set(&error, ORR_E_INVALID, "standard output is a terminal; say --to FILE, or pipe it");
    return orr__cli_fail(cli, &error);
  }
  int rc = is_stdout ? extract_to_stdout(cli, &data, &error) : extract_to(cli, path, &data, &error);
  free(path);
  if (rc != 0) {
    bool was_json = cli->globals.is_json;
    cli->globals.is_json = was_json && !is_stdout; /* standard output is the output's */
    cJSON_Delete(data);
    return orr__cli_fail(cli, &error);
  }
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__said(&out, "extracted to {path} ({sizeInBytes:size})", data, cli->paint.now_ms);
  if (is_stdout) {
    if (cli->globals.is_verbose) orr__remark("%s", orr__buf_text(&out));
  } else if (cli->globals.is_json) {
    orr__print_done(data, orr__buf_text(&out));
  } else {
    orr__buf_addc(&out, '\n');
    orr__print(&out);
  }
  orr__buf_clear(&out);
  cJSON_Delete(data);
  return 0;
}

/* ---- log -------------------------------------------------------------------------------------------------- */

int orr__cli_log(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__cli_call(cli, "result.log", cli->args, &data, &error) != 0) return orr__cli_fail(cli, &error);
  const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(data, "jobs"), *job = NULL;
  if (cli->globals.is_json) {
    orr__print_json(data);
  } else {
    const char *printed = cJSON_GetArraySize(jobs) ? NULL : orr__json_word(data, "errorOutput");
    if (printed && *printed) printf("%s%s", printed, printed[strlen(printed) - 1] == '\n' ? "" : "\n");
    else if (!cJSON_GetArraySize(jobs)) orr__remark("no job of this result has printed anything");
    cJSON_ArrayForEach(job, jobs) {
      const char *text = orr__json_word(job, "text");
      if (cJSON_GetArraySize(jobs) > 1) printf("==> %s (%s) <==\n", orr__json_word(job, "name"), orr__json_word(job, "state"));
      size_t len = text ? strlen(text) : 0;
      if (len > 0) fwrite(text, 1, len, stdout);
      if (len > 0 && text[len - 1] != '\n') putchar('\n');
    }
  }
  cJSON_Delete(data);
  return 0;
}
