/* `provider dev`: at every save the provider is checked, its specs are run, and what came of it is shown.
 *
 *   changed --> settled (QUIET_MS without another change) --> check --> [works] --> what it declares --> specs --> wait
 *                                                              a change meanwhile ends what runs, and begins anew
 *
 * Folders are watched, because editors write a new file and rename it over the old one; whether anything has changed is told by the
 * files' stamps, so that their swap files are no news. Check and specs run in processes of their own: a hang or a crash in them is
 * one more result. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"
#include "host/signals.h"

enum { QUIET_MS = 100, LOOK_MS = 1000, DEPTH_MAX = 6, FILES_MAX = 5000, LINE_MAX_BYTES = 16384, KILL_MS = 2000 };
enum { WATCHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB };

typedef struct workshop {
  orr__cli *cli;
  const char *path;          /* of the provider: a folder or a file */
  char *folder;              /* that is watched */
  char *program;             /* ours */
  int watch_fd;
  uint64_t stamp;            /* of all files, when it was last tried */
  size_t files;
  unsigned turn;
} workshop;

/* ---- what has changed --------------------------------------------------------------------------------------- */

static bool is_lua(const char *name) {
  size_t len = strlen(name);
  return name[0] != '.' && len > 4 && orr__streq(name + len - 4, ".lua");
}

/* Adds the stamps of all .lua files below a folder, and watches it. */
static void look_at(workshop *w, const char *folder, int depth, uint64_t *stamp) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, alphasort);
  inotify_add_watch(w->watch_fd, folder, WATCHED); /* one that is watched already stays so */
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char *path = orr__strf("%s/%s", folder, name);
    struct stat st;
    if (path && name[0] != '.' && stat(path, &st) == 0) {
      if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) look_at(w, path, depth + 1, stamp);
      if (S_ISREG(st.st_mode) && is_lua(name) && w->files++ < FILES_MAX) {
        char line[200];
        snprintf(line, sizeof line, "%lld %lld %lld %llu", (long long)st.st_mtim.tv_sec, (long long)st.st_mtim.tv_nsec, (long long)st.st_size,
                 (unsigned long long)st.st_ino);
        *stamp = *stamp * 31 + orr__hash64(path, strlen(path));
        *stamp = *stamp * 31 + orr__hash64(line, strlen(line));
      }
    }
    free(path);
    free(entries[i]);
  }
  free(entries);
}

static uint64_t stamp_of(workshop *w) {
  uint64_t stamp = 0;
  w->files = 0;
  look_at(w, w->folder, 0, &stamp);
  return stamp;
}

/* Takes what the watch has told off it. */
static bool take_events(const workshop *w) {
  char bytes[8192];
  bool has_some = false;
  while (read(w->watch_fd, bytes, sizeof bytes) > 0) has_some = true;
  return has_some;
}

/* Waits for a change, until nothing has changed for a while. False: a signal. Also looks by itself now and then: a folder that was
 * taken away and is there again is not watched. */
static bool wait_for_change(workshop *w) {
  bool is_settling = false;
  for (;;) {
    struct pollfd fds[] = { { w->watch_fd, POLLIN, 0 }, { w->cli->signal_fd, POLLIN, 0 } };
    int got = poll(fds, 2, is_settling ? QUIET_MS : LOOK_MS);
    if (orr__signals_count() > 0) return false;
    if (got > 0 && take_events(w)) {
      is_settling = true;
      continue;
    }
    if (got < 0 && errno != EINTR) return false;
    uint64_t stamp = stamp_of(w);
    if (stamp != w->stamp && (is_settling || got == 0)) {
      if (is_settling) return w->stamp = stamp, true;
      is_settling = true;
    } else {
      is_settling = false;
    }
  }
}

/* ---- running ------------------------------------------------------------------------------------------------ */

enum ending { ENDED, CHANGED, STOPPED };

/* A line of the child's: what is well is left out, unless everything is wanted. */
static void show_line(const workshop *w, const char *line) {
  bool is_well = orr__starts_with(line, "  ok ");
  if (is_well && !w->cli->globals.is_verbose) return;
  puts(line);
}

static void take_output(const workshop *w, orr__buf *pending, const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (bytes[i] != '\n' && pending->len < LINE_MAX_BYTES) {
      orr__buf_addc(pending, bytes[i]);
      continue;
    }
    show_line(w, orr__buf_text(pending));
    orr__buf_reset(pending);
  }
  fflush(stdout);
}

static int start(const workshop *w, const char *verb, const char *option, int out_fd, pid_t *ret_pid) {
  char *argv[] = { w->program, (char *)(uintptr_t)"provider", (char *)(uintptr_t)verb, (char *)(uintptr_t)w->path, (char *)(uintptr_t)option, NULL };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); /* so that all of it can be ended */
  posix_spawnattr_setpgroup(&attributes, 0);
  int failed = posix_spawn(ret_pid, w->program, &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

static void end_child(pid_t pid) {
  kill(-pid, SIGTERM);
  for (int waited = 0; waited < KILL_MS && waitpid(pid, NULL, WNOHANG) == 0; waited += 10) usleep(10000);
  kill(-pid, SIGKILL);
  waitpid(pid, NULL, 0); /* fails where it is gone already, which is what is wanted */
}

/* Runs `orrery provider VERB PATH [OPTION]` and shows what it says. ENDED: *ret_exit is its exit code. */
static enum ending run_child(workshop *w, const char *verb, const char *option, int *ret_exit, orr_error *reterr) {
  int ends[2] = { -1, -1 }, status = 0;
  pid_t pid = 0;
  enum ending ending = ENDED;
  orr__buf pending;
  if (pipe2(ends, O_CLOEXEC) != 0) return orr__error_errno(reterr, ORR_E_IO, errno, "a pipe"), STOPPED;
  int failed = start(w, verb, option, ends[1], &pid);
  close(ends[1]);
  if (failed) {
    close(ends[0]);
    return orr__error_errno(reterr, ORR_E_IO, failed, "%s", w->program), STOPPED;
  }
  orr__buf_init(&pending, LINE_MAX_BYTES + 1);
  for (bool is_open = true; is_open && ending == ENDED;) {
    struct pollfd fds[] = { { ends[0], POLLIN, 0 }, { w->watch_fd, POLLIN, 0 }, { w->cli->signal_fd, POLLIN, 0 } };
    char bytes[4096];
    if (poll(fds, 3, -1) < 0 && errno != EINTR) break;
    if (orr__signals_count() > 0) ending = STOPPED;
    if (fds[0].revents) {
      ssize_t got = read(ends[0], bytes, sizeof bytes);
      if (got > 0) take_output(w, &pending, bytes, (size_t)got);
      is_open = got > 0 || (got < 0 && errno == EINTR);
    }
    if (fds[1].revents && take_events(w) && ending == ENDED && stamp_of(w) != w->stamp) ending = CHANGED;
  }
  if (pending.len) show_line(w, orr__buf_text(&pending));
  orr__buf_clear(&pending);
  close(ends[0]);
  if (ending != ENDED) end_child(pid);
  else
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  *ret_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  fflush(stdout);
  return ending;
}

/* ---- one turn ----------------------------------------------------------------------------------------------- */

static void show_heading(workshop *w) {
  time_t now = time(NULL);
  struct tm local;
  char clock[16] = "";
  if (localtime_r(&now, &local)) strftime(clock, sizeof clock, "%H:%M:%S", &local);
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__buf_adds(&out, w->turn++ ? "\n" : "");
  orr__hued(&out, &w->cli->paint, ORR_HUE_BOLD, clock);
  orr__buf_addf(&out, "  %s\n", w->path);
  orr__print(&out);
  orr__buf_clear(&out);
  fflush(stdout);
}

static void add_list(orr__buf *out, const char *what, const cJSON *list) {
  const cJSON *word = NULL;
  if (cJSON_GetArraySize(list) == 0) return;
  orr__buf_addf(out, "  %s", what);
  cJSON_ArrayForEach(word, list) {
    orr__buf_addc(out, ' ');
    if (cJSON_IsString(word)) orr__text_safe(out, word->valuestring);
  }
  orr__buf_addc(out, '\n');
}

/* What it declares, in a line or two. */
static void show_declaration(const workshop *w) {
  orr_error error = ORR_ERROR_INIT;
  cJSON *data = NULL;
  if (orr__provider_show(w->cli, w->path, &data, &error) == 0) {
    const cJSON *needs = cJSON_GetObjectItemCaseSensitive(data, "needs"), *kind = NULL;
    orr__buf out;
    orr__buf_init(&out, ORR_PRINT_MAX);
    add_list(&out, "hooks", cJSON_GetObjectItemCaseSensitive(data, "hooks"));
    cJSON_ArrayForEach(kind, needs) {
      char *what = cJSON_GetArraySize(kind) > 0 ? orr__strf("needs %s:", kind->string) : NULL;
      if (what) add_list(&out, what, kind);
      free(what);
    }
    orr__print(&out);
    orr__buf_clear(&out);
    fflush(stdout);
  }
  cJSON_Delete(data);
  orr__error_clear(&error);
}

/* Check, then the specs; true: go on. */
static bool turn(workshop *w, orr_error *reterr) {
  enum ending ending;
  do {
    int exit_code = 0;
    show_heading(w);
    ending = run_child(w, "check", "--errors-only", &exit_code, reterr);
    if (ending == ENDED && exit_code == 0) {
      show_declaration(w);
      ending = run_child(w, "test", NULL, &exit_code, reterr);
    }
    if (ending == CHANGED) {
      puts("  changed meanwhile: once more");
      if (!wait_for_change(w)) ending = STOPPED;
    }
    if (ending == ENDED && exit_code >= 128) printf("  ended by signal %d\n", exit_code - 128);
  } while (ending == CHANGED);
  fflush(stdout);
  return ending == ENDED && !ferror(stdout);
}

/* Could it be a provider at all? What cannot is told at once, not watched for ever. */
static bool is_provider(const char *path, bool is_folder) {
  const char *slash = strrchr(path, '/');
  char *inner = is_folder ? orr__strf("%s/init.lua", path) : NULL;
  bool is = is_folder ? inner && access(inner, F_OK) == 0 : is_lua(slash ? slash + 1 : path);
  free(inner);
  return is;
}

static int open_workshop(workshop *w, orr_error *reterr) {
  struct stat st;
  if (stat(w->path, &st) == 0 && !is_provider(w->path, S_ISDIR(st.st_mode)))
    return orr__error_set(reterr, ORR_E_NOT_FOUND, "%s is no provider: that is a folder with an init.lua, or a .lua file", w->path);
  if (stat(w->path, &st) != 0) return orr__error_errno(reterr, errno == ENOENT ? ORR_E_NOT_FOUND : ORR_E_IO, errno, "%s", w->path);
  const char *slash = strrchr(w->path, '/');
  w->folder = S_ISDIR(st.st_mode) ? orr__strdup(w->path) : orr__strndup(w->path, slash > w->path ? (size_t)(slash - w->path) : 1);
  w->program = realpath("/proc/self/exe", NULL);
  if (!w->folder || !w->program) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  w->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (w->watch_fd < 0) return orr__error_errno(reterr, ORR_E_IO, errno, "watching %s", w->folder);
  w->stamp = stamp_of(w);
  return 0;
}

int orr__cli_dev(orr__cli *cli) {
  orr_error error = ORR_ERROR_INIT;
  workshop w = { .cli = cli, .path = orr__json_word(cli->kept, "path"), .watch_fd = -1 };
  int rc = open_workshop(&w, &error);
  cli->tells_providers = true; /* the check does */
  if (rc == 0) {
    orr__remark("%s is tried at every save; ^C ends this", w.path);
    while (turn(&w, &error) && wait_for_change(&w)) {
    }
    rc = error.code;
  }
  if (w.watch_fd >= 0) close(w.watch_fd);
  free(w.folder);
  free(w.program);
  if (rc != 0) return orr__cli_fail(cli, &error);
  return orr__signals_count() > 0 ? 130 : 0;
}
