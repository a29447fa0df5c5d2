/* A host that has a life of its own: it links PUC Lua 5.4, SQLite and libcurl, has few descriptors, signal handlers, a locale and a folder
 * of its own, and forks. Whatever a runtime does in it, all that must be as it was. Prints `ok` and `not ok` lines.
 *
 * usage: guest DATA_DIR RUNNER. Knows orrery.h only. With GUEST_WITHOUT_LUA it has no Lua of its own, where that cannot be (run.sh). */
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <orrery.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifndef GUEST_WITHOUT_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

extern char **environ;

static int failed;
static volatile sig_atomic_t children;

static void check(const char *what, int holds) {
  printf("%s %s\n", holds ? "ok" : "not ok", what);
  failed += !holds;
}

static void on_child(int sig) {
  (void)sig;
  children++;
}

/* ---- what the process is like ------------------------------------------------------------------------------- */

typedef struct life {
  struct sigaction actions[32];
  sigset_t mask;
  char locale[256], cwd[4096], zone[64];
  unsigned long environment;
  mode_t umask;
  int flags[3];
  struct rlimit files;
} life;

static unsigned long hash_environment(void) {
  unsigned long hash = 5381;
  for (char **e = environ; *e; e++)
    for (const char *c = *e; *c; c++) hash = hash * 33 + (unsigned char)*c;
  return hash;
}

static void look(life *l) {
  memset(l, 0, sizeof *l);
  for (int sig = 1; sig < 32; sig++) sigaction(sig, NULL, &l->actions[sig]);
  pthread_sigmask(SIG_SETMASK, NULL, &l->mask);
  snprintf(l->locale, sizeof l->locale, "%s", setlocale(LC_ALL, NULL));
  if (!getcwd(l->cwd, sizeof l->cwd)) l->cwd[0] = '\0';
  tzset();
  snprintf(l->zone, sizeof l->zone, "%s %s %ld", tzname[0], tzname[1], timezone);
  l->environment = hash_environment();
  l->umask = umask(022);
  umask(l->umask);
  for (int fd = 0; fd < 3; fd++) l->flags[fd] = fcntl(fd, F_GETFL);
  getrlimit(RLIMIT_NOFILE, &l->files);
}

static void compare(const life *a, const life *b) {
  int same = 1;
  for (int sig = 1; sig < 32; sig++)
    same = same && a->actions[sig].sa_handler == b->actions[sig].sa_handler && a->actions[sig].sa_flags == b->actions[sig].sa_flags;
  check("signal handlers are untouched", same);
  check("the signal mask is untouched", memcmp(&a->mask, &b->mask, sizeof a->mask) == 0);
  check("the locale is untouched", strcmp(a->locale, b->locale) == 0);
  check("the working directory is untouched", strcmp(a->cwd, b->cwd) == 0);
  check("the time zone is untouched", strcmp(a->zone, b->zone) == 0);
  check("the environment is untouched", a->environment == b->environment);
  check("the umask is untouched", a->umask == b->umask);
  check("the standard streams are untouched", memcmp(a->flags, b->flags, sizeof a->flags) == 0);
  check("the limit of open files is untouched", memcmp(&a->files, &b->files, sizeof a->files) == 0);
}

static int count_files(void) {
  int count = 0;
  DIR *dir = opendir("/proc/self/fd");
  while (dir && readdir(dir)) count++;
  if (dir) closedir(dir);
  return count;
}

/* ---- libraries of the host's -------------------------------------------------------------------------------- */

#ifndef GUEST_WITHOUT_LUA
static lua_State *L;

static void check_lua(const char *what) {
  if (!L && (L = luaL_newstate())) luaL_openlibs(L);
  check(what, luaL_dostring(L, "local t = {} for i = 1, 1000 do t[i] = i // 3 end return #t, _VERSION") == LUA_OK &&
                  strcmp(lua_tostring(L, -1), "Lua 5.4") == 0);
}

static void end_lua(void) { lua_close(L); }
#else
static void check_lua(const char *what) { (void)what; }
static void end_lua(void) {}
#endif

static int own_sqlite(sqlite3 *db) {
  return sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1); SELECT sum(a) FROM t;", NULL, NULL, NULL) == SQLITE_OK;
}

static int own_curl(const char *file) {
  CURL *easy = curl_easy_init();
  char url[4200];
  snprintf(url, sizeof url, "file://%s", file);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  CURLcode code = curl_easy_perform(easy);
  curl_easy_cleanup(easy);
  return code == CURLE_OK;
}

/* ---- a runtime ---------------------------------------------------------------------------------------------- */

static const char provider[] =
    "local provider = Provider { apiVersion = 1, code = 'busy', name = 'Busy', version = '1', needs = { exec = { 'sh' }, http = { 'http://127.0.0.1:9' } } }\n"
    "function provider.executeBackup(backup, backupResult)\n"
    "  assert(process.run { argv = { 'sh', '-c', 'exit 3' }, safe = true }.code == 3)\n"
    "  assert(not pcall(http.get, 'http://127.0.0.1:9/'))\n"
    "  job.start { name = 'j', argv = { 'sh', '-c', 'sleep 0.2' } }\n"
    "  backupResult.status = 'IN_PROGRESS'\n"
    "end\n"
    "function provider.refreshBackupResult(backupResult)\n"
    "  if job.poll('j').state == 'ended' then backupResult.status = 'SUCCEEDED' end\n"
    "end\n"
    "return provider\n";

static orr_runtime *open_runtime(const char *data, const char *runner) {
  orr_error *err = orr_error_new();
  orr_settings *settings = orr_settings_new();
  orr_runtime *runtime = NULL;
  if (orr_settings_set(settings, "data_dir", data, err) || orr_settings_set(settings, "runner_path", runner, err) ||
      orr_settings_set(settings, "shipped_providers", "false", err) || orr_open(settings, &runtime, err) ||
      orr_provider_add(runtime, "busy", provider, strlen(provider), err))
    printf("not ok opening: %s\n", orr_error_message(err));
  orr_settings_free(settings);
  orr_error_free(err);
  return runtime;
}

/* The code of the reply. */
static int ask(orr_runtime *runtime, const char *request, const char *args, char *status) {
  orr_error *err = orr_error_new();
  uint64_t id = 0;
  int code = orr_submit(runtime, request, args, &id, err);
  for (orr_event *event; !code && (event = orr_wait(runtime, 60000));) {
    int is_it = orr_event_request(event) == id && orr_event_kind(event) == ORR_EVENT_REPLY;
    const char *text = orr_event_text(event, "status");
    if (is_it && status) snprintf(status, 64, "%s", text ? text : "");
    if (is_it) code = orr_event_code(event);
    if (is_it && code) printf("# %s: %s\n", request, orr_error_message(orr_event_error(event)));
    orr_event_free(event);
    if (is_it) break;
  }
  orr_error_free(err);
  return code;
}

static void back_up(orr_runtime *runtime, const char *name, const char *result, const char *what) {
  char args[200], status[64] = "";
  snprintf(args, sizeof args, "{\"name\":\"%s\",\"provider\":\"busy\"}", name);
  int code = ask(runtime, "backup.create", args, NULL);
  snprintf(args, sizeof args, "{\"backup\":\"%s\"}", name);
  if (!code) code = ask(runtime, "backup.run", args, NULL);
  snprintf(args, sizeof args, "{\"result\":\"%s\"}", result);
  if (!code) code = ask(runtime, "result.watch", args, status);
  check(what, code == 0 && strcmp(status, "SUCCEEDED") == 0);
}

/* A child of the host's that goes its own way, without the runtime's descriptors after exec, and with them before. */
static void fork_in(orr_runtime *runtime) {
  pid_t pid = fork();
  if (pid == 0) {
    sqlite3 *db;
    int ok = sqlite3_open(":memory:", &db) == SQLITE_OK && own_sqlite(db);
    _exit(ok ? 7 : 1); /* neither orr_close nor atexit */
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) continue;
  check("a child that was forked lives and ends", WIFEXITED(status) && WEXITSTATUS(status) == 7);
  check("the host's SIGCHLD handler was called for it", children > 0);
  pid = fork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "for fd in /proc/self/fd/*; do readlink $fd; done | grep -c orrery.db", (char *)NULL);
    _exit(127);
  }
  while (waitpid(pid, &status, 0) < 0) continue;
  check("a program it starts inherits nothing of the store", WIFEXITED(status) && WEXITSTATUS(status) == 1);
  check("the store is whole after a fork", ask(runtime, "status", NULL, NULL) == 0 && orr_failed(runtime) == 0);
}

int main(int argc, char **argv) {
  life before, after;
  if (argc < 3) return 2;
  setlocale(LC_ALL, "C.UTF-8");
  setenv("TZ", "Europe/Berlin", 1);
  signal(SIGCHLD, on_child);
  signal(SIGPIPE, SIG_DFL);
  struct rlimit few = { 64, 64 };
  setrlimit(RLIMIT_NOFILE, &few);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  sqlite3 *db = NULL;
  sqlite3_open(":memory:", &db);
  check_lua("PUC Lua works before");
  check("SQLite works before", own_sqlite(db));
  look(&before);
  /* The first runtime of a process leaves a pipe of libuv's, which is there until the process ends. */
  orr_close(open_runtime(argv[1], argv[2]));
  int files = count_files();
  orr_runtime *runtime = open_runtime(argv[1], argv[2]);
  if (!runtime) return 1;
  back_up(runtime, "one", "1", "a backup runs with 64 open files");
  check_lua("PUC Lua works meanwhile");
  check("SQLite works meanwhile", own_sqlite(db));
  check("libcurl works meanwhile", own_curl(argv[0]));
  fork_in(runtime);
  back_up(runtime, "two", "2", "a backup runs after a fork");
  orr_close(runtime);
  check("no descriptor is left open", count_files() == files);
  look(&after);
  compare(&before, &after);
  check_lua("PUC Lua works afterwards");
  check("SQLite works afterwards", own_sqlite(db));
  check("libcurl works afterwards", own_curl(argv[0]));
  end_lua();
  sqlite3_close(db);
  curl_global_cleanup();
  return failed != 0;
}
