/* `orrery doctor`: finds out what there is, runs the checks of doctor.def, and says for each what it found and what to do.
 *
 *   somebody holds the directory --answers--> it is asked
 *                                --does not-> that is a finding; providers are loaded apart
 *   nobody does --database sound--> this process becomes its runtime, as for any command that reads
 *               --none, damaged, without its key--> nothing is opened; providers are loaded apart, by a runtime that keeps nothing
 *
 * Must work when nothing else does, and make nothing: no directory, no database, no key. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/doctor.h"

enum { APART_MS = 10000, AGAIN_MS = 50, CHECK_WIDTH = 12, LEVEL_WIDTH = 8 };

static const struct { const char *name; void (*look)(orr__doctor *d); } CHECKS[] = {
#define CHECK(name, doc) {#name, orr__doctor_##name},
#include "host/doctor.def"
};

/* ---- telling ---------------------------------------------------------------------------------------------- */

static void tell(orr__doctor *d, const char *level, const char *todo, const char *format, va_list args) {
  char *text = NULL;
  cJSON *finding = cJSON_CreateObject();
  if (vasprintf(&text, format, args) < 0) text = NULL;
  bool ok = text && finding && cJSON_AddStringToObject(finding, "check", d->check) && cJSON_AddStringToObject(finding, "level", level) &&
            cJSON_AddStringToObject(finding, "text", text) && (todo ? cJSON_AddStringToObject(finding, "todo", todo) : cJSON_AddNullToObject(finding, "todo"));
  if (ok) cJSON_AddItemToArray(d->findings, finding);
  else cJSON_Delete(finding);
  free(text);
}

void orr__doctor_ok(orr__doctor *d, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tell(d, "ok", NULL, format, args);
  va_end(args);
}

void orr__doctor_warning(orr__doctor *d, const char *todo, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tell(d, "warning", todo, format, args);
  va_end(args);
}

void orr__doctor_problem(orr__doctor *d, const char *todo, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tell(d, "problem", todo, format, args);
  va_end(args);
}

/* ---- what several checks ask ------------------------------------------------------------------------------ */

cJSON *orr__doctor_ask(orr__doctor *d, const char *request, const char *key, const char *value, int *ret_code) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL, *args = cJSON_CreateObject();
  bool ok = d->cli->client && args && (!key || cJSON_AddStringToObject(args, key, value));
  if (ok && orr__streq(request, "events")) ok = cJSON_AddNumberToObject(args, "limit", 1);
  if (ok && orr__streq(request, "schedule.describe")) ok = cJSON_AddStringToObject(args, "schedule", "@daily");
  int rc = ok ? orr__cli_call(d->cli, request, args, &data, &error) : ORR_E_CLOSED;
  if (ret_code) *ret_code = rc;
  orr__error_clear(&error);
  cJSON_Delete(args);
  return rc == 0 ? data : NULL;
}

int orr__doctor_uses(const orr__doctor *d, const char *key, const char *value) {
  const cJSON *backup = NULL;
  int count = 0;
  cJSON_ArrayForEach(backup, d->backups) count += orr__streq(orr__json_word(backup, key), value);
  return count;
}

bool orr__doctor_serves(const orr__doctor *d) {
  return d->is_answering && orr__streq(orr__json_word(d->facts, "role"), "serve");
}

char *orr__doctor_size(double bytes) {
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__text_size(&out, bytes);
  return orr__buf_take(&out, NULL);
}

/* ---- who holds it ----------------------------------------------------------------------------------------- */

/* The process in /proc/locks that has a lock on this file; 0. */
static int find_holder(const struct stat *lock) {
  FILE *locks = fopen("/proc/locks", "re");
  char line[256];
  int pid = 0;
  while (locks && pid == 0 && fgets(line, sizeof line, locks)) {
    unsigned major_id, minor_id;
    unsigned long long inode;
    int owner;
    bool is_whole = sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &owner, &major_id, &minor_id, &inode) == 4;
    if (is_whole && inode == lock->st_ino && makedev(major_id, minor_id) == lock->st_dev && owner > 0) pid = owner;
  }
  if (locks) fclose(locks);
  return pid;
}

/* Is the lock file held? It is not made, and the lock is only tried. */
static void look_at_lock(orr__doctor *d) {
  char *path = orr__strf("%s/lock", d->dir);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  struct stat st;
  if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    d->is_held = true;
    if (fstat(fd, &st) == 0) d->holder_pid = find_holder(&st);
  }
  if (fd >= 0) close(fd);
  free(path);
}

/* One that has just begun holds the directory before it can be reached. 0, or why nobody was. */
static int reach(orr__doctor *d) {
  int64_t end = orr__mono_ms() + ORR_REACH_MS;
  for (;;) {
    int rc = orr__cli_reach(d->cli, ORR_REACH_MS, &d->unreachable);
    d->is_held = rc == 0;
    d->dir = d->cli->data_dir;
    if (rc == 0 || rc == ORR_E_CANCELLED) return rc;
    look_at_lock(d);
    if (!d->is_held || orr__mono_ms() >= end) return rc;
    orr__error_clear(&d->unreachable);
    poll(NULL, 0, AGAIN_MS);
  }
}

static bool has_file(const orr__doctor *d, const char *name) {
  char *path = orr__strf("%s/%s", d->dir, name);
  struct stat st;
  bool is_there = path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
  free(path);
  return is_there;
}

/* ---- asking a runtime that keeps nothing ------------------------------------------------------------------ */

static cJSON *ask_apart(orr_runtime *runtime, const char *request) {
  uint64_t id = 0;
  cJSON *data = NULL;
  int64_t end = orr__mono_ms() + APART_MS;
  bool is_over = orr_submit(runtime, request, "{}", &id, NULL) != 0;
  while (!is_over && orr__mono_ms() < end) {
    orr_event *event = orr_next(runtime);
    if (!event) {
      orr_step(runtime, 100);
      continue;
    }
    is_over = orr_event_kind(event) == ORR_EVENT_REPLY && orr_event_request(event) == id;
    if (is_over && orr_event_code(event) == 0) data = cJSON_Parse(orr_event_json(event));
    orr_event_free(event);
  }
  return data;
}

static void ask_all_apart(orr__doctor *d) {
  orr_runtime *runtime = NULL;
  orr_error error = ORR_ERROR_INIT;
  if (orr__cli_place_apart(d->cli, NULL, &error) == 0 && orr_open(d->cli->settings, &runtime, &error) == 0) {
    d->providers = ask_apart(runtime, "provider.ls");
    d->facts = ask_apart(runtime, "runtime.facts");
    orr_close(runtime);
  } else if (d->unreachable.code == 0) {
    orr__error_move(&d->unreachable, &error);
  }
  orr__error_clear(&error);
}

/* ---- finding out ------------------------------------------------------------------------------------------ */

static void ask_all(orr__doctor *d) {
  d->facts = orr__doctor_ask(d, "runtime.facts", NULL, NULL, NULL);
  if (!d->facts) d->facts = orr__doctor_ask(d, "runtime.info", NULL, NULL, NULL); /* an older serve */
  d->status = orr__doctor_ask(d, "status", NULL, NULL, NULL);
  d->providers = orr__doctor_ask(d, "provider.ls", NULL, NULL, NULL);
  d->backups = orr__doctor_ask(d, "backup.ls", NULL, NULL, NULL);
  d->connections = orr__doctor_ask(d, "connection.ls", NULL, NULL, NULL);
  d->events = orr__doctor_ask(d, "events", NULL, NULL, NULL);
}

/* 0, or why nothing can be found out at all (wrong settings). */
static int find_out(orr__doctor *d, orr_error *reterr) {
  struct stat st;
  int rc = orr__cli_place(d->cli, "command", reterr);
  if (rc != 0) return rc;
  rc = reach(d);
  d->dir_errno = stat(d->dir, &st) != 0 ? errno : !S_ISDIR(st.st_mode) ? ENOTDIR : 0;
  d->is_closed = d->dir_errno == 0 ? access(d->dir, X_OK) != 0 : d->dir_errno != ENOENT;
  d->has_database = has_file(d, "orrery.db");
  d->key_path = orr__cli_key_path(d->cli);
  if (!d->key_path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  d->has_key = access(d->key_path, F_OK) == 0;
  d->is_answering = rc == 0;
  if (rc == ORR_E_CANCELLED) return orr__error_move(reterr, &d->unreachable);
  if (!d->is_held && d->has_database) {
    orr__error_clear(&d->unreachable);
    d->check_code = orr_db_check(d->dir, &d->check_report, &d->unreachable);
    if (d->check_code == 0 && d->has_key) orr__cli_connect(d->cli, &d->unreachable);
  }
  if (d->cli->client) {
    ask_all(d);
  } else {
    ask_all_apart(d);
  }
  d->dir = d->cli->data_dir;
  return 0;
}

/* ---- printing --------------------------------------------------------------------------------------------- */

static enum orr__hue hue_of(const char *level) {
  return orr__streq(level, "ok") ? ORR_HUE_GOOD : orr__streq(level, "warning") ? ORR_HUE_WARN : ORR_HUE_BAD;
}

static void print_findings(const orr__doctor *d) {
  const cJSON *finding = NULL;
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  cJSON_ArrayForEach(finding, d->findings) {
    const char *level = orr__json_word(finding, "level"), *check = orr__json_word(finding, "check");
    const char *todo = orr__json_word(finding, "todo");
    if (d->cli->globals.is_quiet && orr__streq(level, "ok")) continue;
    orr__hued(&out, &d->cli->paint, hue_of(level), level);
    orr__buf_addf(&out, "%*s%-*s", (int)(LEVEL_WIDTH + 1 - strlen(level)), "", CHECK_WIDTH, check);
    orr__text_line(&out, orr__json_word(finding, "text"));
    if (todo) {
      orr__buf_adds(&out, "  -> ");
      orr__text_line(&out, todo);
    }
    orr__buf_addc(&out, '\n');
  }
  orr__print(&out);
  orr__buf_clear(&out);
}

static int count_level(const orr__doctor *d, const char *level) {
  const cJSON *finding = NULL;
  int count = 0;
  cJSON_ArrayForEach(finding, d->findings) count += orr__streq(orr__json_word(finding, "level"), level);
  return count;
}

static void clear(orr__doctor *d) {
  cJSON *const all[] = {d->facts, d->status, d->providers, d->backups, d->connections, d->events, d->findings};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cJSON_Delete(all[i]);
  orr_text_free(d->check_report);
  free(d->key_path);
  orr__error_clear(&d->unreachable);
}

int orr__cli_doctor(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  orr__doctor d = {.cli = cli, .findings = cJSON_CreateArray()};
  cli->tells_providers = true;
  int rc = d.findings ? find_out(&d, &error) : orr__error_set(&error, ORR_E_NOMEM, "out of memory");
  if (rc != 0) {
    clear(&d);
    return orr__cli_fail(cli, &error);
  }
  for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
    d.check = CHECKS[i].name;
    CHECKS[i].look(&d);
  }
  int problems = count_level(&d, "problem");
  if (cli->globals.is_json) orr__print_json(d.findings);
  else print_findings(&d);
  clear(&d);
  return problems > 0 ? 1 : 0;
}
