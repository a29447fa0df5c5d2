/* The doctor's checks of what a runtime knows: its version, providers and the programs they need, the job runner, schedules,
 * connections, and what waits for somebody. All from the replies to requests. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "host/doctor.h"

enum { RUNNER_MS = 10000 };

void orr__doctor_version(orr__doctor *d) {
  const char *version = orr__json_word(d->facts, "version");
  if (!d->is_answering || !version) return;
  if (orr__streq(version, orr_version())) orr__doctor_ok(d, "both are %s", version);
  else orr__doctor_warning(d, "restart `orrery serve`", "the runtime is %s, this program %s", version, orr_version());
}

/* ---- providers -------------------------------------------------------------------------------------------- */

static void add_name(orr__buf *names, const char *name) {
  orr__buf_addf(names, "%s%s", names->len ? ", " : "", name ? name : "?");
}

/* How many Backups use it, in words; "" where that is not known. */
static const char *used_by(const orr__doctor *d, const char *code, char room[48]) {
  int uses = orr__doctor_uses(d, "providerCode", code);
  room[0] = '\0';
  if (d->backups && uses == 0) return ", which no Backup uses";
  if (d->backups) snprintf(room, 48, ", which %d Backup%s", uses, uses == 1 ? " uses" : "s use");
  return room;
}

void orr__doctor_providers(orr__doctor *d) {
  const cJSON *provider = NULL;
  orr__buf names;
  orr__buf_init(&names, ORR_PRINT_MAX);
  cJSON_ArrayForEach(provider, d->providers) {
    const char *code = orr__json_word(provider, "code"), *path = orr__json_word(provider, "path");
    const char *error = orr__json_word(provider, "error"), *warning = orr__json_word(provider, "warning");
    char room[48], *todo = path ? orr__strf("repair it, then: orrery provider check %s", path) : NULL;
    if (error && orr__doctor_uses(d, "providerCode", code) > 0) orr__doctor_problem(d, todo, "%s%s", error, used_by(d, code, room));
    else if (error) orr__doctor_warning(d, todo, "%s%s", error, used_by(d, code, room));
    else if (warning) orr__doctor_warning(d, todo, "%s goes on with its last good version: %s", code ? code : "?", warning);
    else add_name(&names, code);
    free(todo);
  }
  if (names.len > 0) orr__doctor_ok(d, "these load: %s", orr__buf_text(&names));
  else if (!d->providers) orr__doctor_warning(d, "repair what stands above, then look again", "could not be loaded: %s", orr__error_message(&d->unreachable));
  else if (cJSON_GetArraySize(d->providers) == 0) orr__doctor_warning(d, "put them into providers in the data directory, or give --providers", "there are none");
  orr__buf_clear(&names);
}

/* Is this the first missing program of its provider and package? The ones behind it share its line. */
static bool is_first_missing(const cJSON *programs, const cJSON *program) {
  for (const cJSON *before = programs->child; before && before != program; before = before->next) {
    if (!orr__json_word(before, "path") && orr__streq(orr__json_word(before, "provider"), orr__json_word(program, "provider")) &&
        orr__streq(orr__json_word(before, "package"), orr__json_word(program, "package")))
      return false;
  }
  return true;
}

/* This one and what shares its line. */
static int name_missing(const cJSON *program, orr__buf *names) {
  const char *code = orr__json_word(program, "provider"), *package = orr__json_word(program, "package");
  int count = 0;
  for (; program; program = program->next) {
    bool is_same = orr__streq(orr__json_word(program, "provider"), code) && orr__streq(orr__json_word(program, "package"), package);
    if (orr__json_word(program, "path") || !is_same) continue;
    add_name(names, orr__json_word(program, "name"));
    count++;
  }
  return count;
}

static void tell_missing(orr__doctor *d, const cJSON *program) {
  const char *code = orr__json_word(program, "provider"), *package = orr__json_word(program, "package");
  const char *path = orr__json_word(d->facts, "searchPath");
  int uses = orr__doctor_uses(d, "providerCode", code);
  orr__buf names;
  orr__buf_init(&names, ORR_PRINT_MAX);
  const char *verb = name_missing(program, &names) > 1 ? "are" : "is", *list = orr__buf_text(&names);
  char room[48], *todo = package ? orr__strf("apt install %s", package) : orr__strf("install it, or put its folder on the PATH of the runtime");
  const char *used = used_by(d, code, room);
  if (uses > 0) orr__doctor_problem(d, todo, "%s %s not on the PATH of the runtime (%s); needed by the provider %s%s", list, verb, path ? path : "", code, used);
  else if (d->backups || d->dir_errno == ENOENT) orr__doctor_ok(d, "the provider %s, which no Backup uses, would need %s: %s", code, list, todo ? todo : "");
  else orr__doctor_warning(d, todo, "%s %s not on the PATH of the runtime; needed by the provider %s%s", list, verb, code, used);
  free(todo);
  orr__buf_clear(&names);
}

void orr__doctor_programs(orr__doctor *d) {
  const cJSON *programs = cJSON_GetObjectItemCaseSensitive(d->facts, "programs"), *program = NULL;
  int found = 0;
  cJSON_ArrayForEach(program, programs) {
    if (orr__json_word(program, "path")) found++;
    else if (is_first_missing(programs, program)) tell_missing(d, program);
  }
  if (found > 0) orr__doctor_ok(d, "found: %d, of %d that providers need", found, cJSON_GetArraySize(programs));
}

/* ---- the job runner --------------------------------------------------------------------------------------- */

/* What `PATH --version` prints, its first line; 0 or an errno. */
static int run_version(const char *path, char *line, size_t room) {
  int ends[2];
  pid_t pid;
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)"--version", NULL};
  int failed = posix_spawn(&pid, path, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  struct pollfd out = {ends[0], POLLIN, 0};
  ssize_t len = 0;
  if (failed == 0) {
    if (poll(&out, 1, RUNNER_MS) <= 0) kill(pid, SIGKILL);
    else len = read(ends[0], line, room - 1);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  close(ends[0]);
  line[len > 0 ? len : 0] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return failed;
}

void orr__doctor_runner(orr__doctor *d) {
  const char *path = orr__json_word(d->facts, "runner");
  char line[128], wanted[64];
  static const char REMEDY[] = "install it beside the program or in libexec/orrery, or give --setting runner_path=FILE";
  if (!path) return; /* no runtime could be asked; that was told */
  if (access(path, X_OK) != 0) {
    orr__doctor_problem(d, REMEDY, "%s: %s", path, strerror(errno));
    return;
  }
  int failed = run_version(path, line, sizeof line);
  const char *version = orr__json_word(d->facts, "version");
  snprintf(wanted, sizeof wanted, "orrery-runner %s", version ? version : orr_version());
  if (failed != 0) orr__doctor_problem(d, "repair the cause: no local job can be started", "%s cannot be started: %s", path, strerror(failed));
  else if (!orr__streq(line, wanted)) orr__doctor_problem(d, REMEDY, "%s says it is '%s', not '%s'", path, line, wanted);
  else orr__doctor_ok(d, "%s starts, and is of this version", path);
}

/* ---- what waits ------------------------------------------------------------------------------------------- */

void orr__doctor_schedules(orr__doctor *d) {
  const cJSON *backup = NULL;
  int active = 0, paused = 0, waiting = 0;
  if (!d->backups) return;
  cJSON_ArrayForEach(backup, d->backups) {
    if (!orr__json_word(backup, "schedule")) continue;
    bool is_paused = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(backup, "paused"));
    const char *attention = orr__json_word(backup, "attention"), *name = orr__json_word(backup, "name");
    paused += is_paused;
    active += !is_paused;
    if (!attention) continue;
    waiting++;
    orr__doctor_problem(d, "see what it is: orrery backup show", "the schedule of %s does not fire: %s", name ? name : "?", attention);
  }
  if (active > 0 && !orr__doctor_serves(d))
    orr__doctor_warning(d, "start it: orrery serve, or systemctl start orrery", "%d schedule%s, and no `orrery serve` runs: nothing fires", active, active == 1 ? "" : "s");
  else if (waiting == 0) orr__doctor_ok(d, "active: %d, paused: %d", active, paused);
}

void orr__doctor_connections(orr__doctor *d) {
  const cJSON *connection = NULL;
  int complaints = 0;
  if (!d->connections) return;
  cJSON_ArrayForEach(connection, d->connections) {
    const char *name = orr__json_word(connection, "name");
    int uses = orr__doctor_uses(d, "connection", name);
    if (uses == 0 || !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(connection, "enabled"))) continue;
    orr__doctor_warning(d, "orrery connection update, or pause what uses it: orrery backup pause", "%s is disabled, and %d Backup%s it", name, uses, uses == 1 ? " uses" : "s use");
    complaints++;
  }
  if (complaints == 0) orr__doctor_ok(d, "%d, none that is disabled and used", cJSON_GetArraySize(d->connections));
}

void orr__doctor_attention(orr__doctor *d) {
  if (!d->status) return;
  int results = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(d->status, "attention"));
  int backups = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(d->status, "attentionBackups"));
  int drafts = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(d->status, "drafts"));
  if (results + backups + drafts == 0) orr__doctor_ok(d, "nothing waits for somebody");
  else orr__doctor_warning(d, "orrery status says what to type", "results that wait for somebody: %d, Backups: %d, drafts: %d", results, backups, drafts);
}
