/* The kill harness: a runtime that is killed again and again while backups are being run.
 *
 *   orrery-kill --orrery PROGRAM --outside PROGRAM --providers DIR [--kills N] [--seconds N] [--seed N] [--control NAME] [--keep]
 *
 * A round: `orrery serve` is started on the data directory, asked to run some Backups, and ended by SIGKILL: at any instant of its
 * start, a moment after it was asked for something, or when a hook has got to a step drawn by lot (the outside tells, and holds its
 * reply meanwhile). After the last round the runtime comes to rest, and verdict.c says whether all is well.
 *
 * --control runs with one thing done wrong on purpose, and passes if exactly the check that is there for it fails.
 * Everything is in one folder, which is the working directory. Invariants: what was started ends, by its process id, and dies with us;
 * an acknowledgement that was sent counts, though its sender is dead. Deliberately knows nothing of how the runtime works. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum { LABEL_WAIT_US = 130000, REST_MS = 90000, CONTROL_REST_MS = 12000, REST_STEP_MS = 100, LATE_MS = 600, LAST_MS = 5000, UPDATES_MAX = 20 };

/* recover's delay is longer than the outside's VISIBLE_MAX_MS. */
static const kind all_well[KINDS] = {
  { "idempotent", "http.lua", "idempotent", true, "nil", "nil" },
  { "lookup", "http.lua", "lookup", false, "0.4", "nil" },
  { "neither", "http.lua", "neither", false, "nil", "nil" },
  { "job", "job.lua", "job", false, "nil", "nil" },
};

static const control controls[] = {
  { "liar", "says idempotent = true of a service that is not", { "idempotent", "http.lua", "neither", true, "nil", "nil" }, CHECK_ONCE, false, false, false, false },
  { "hasty", "looks up at once", { "lookup", "http.lua", "lookup", false, "0", "nil" }, CHECK_ONCE, false, false, false, false },
  { "pessimist", "takes what is not there yet for failed", { "lookup", "http.lua", "lookup", false, "0.4", "'pessimist'" }, CHECK_TRUTH, false, false, false, false },
  { "child", "runs a child again where it should be a job", { "job", "job.lua", "job", true, "nil", "'child'" }, CHECK_ONCE, false, false, false, false },
  { "relabel", "says CANCELLED and leaves the job alone", { "lookup", "http.lua", "lookup", false, "0.4", "'relabels'" }, CHECK_TRUTH, true, false, false, false },
  { "forgetful", "says deleted and leaves the job there", { "lookup", "http.lua", "lookup", false, "0.4", "'forgets'" }, CHECK_DELETED, false, true, false, false },
  { "believer", "takes a job that was lost for done", { "job", "job.lua", "job", false, "nil", "'believes'" }, CHECK_TRUTH, false, false, true, false },
  { "boaster", "says updated and changes nothing outside", { "lookup", "http.lua", "lookup", false, "0.4", "'boasts'" }, CHECK_UPDATED, false, false, false, true },
  { "litterer", "says cleaned up and leaves it there", { "lookup", "http.lua", "lookup", false, "0.4", "'litters'" }, CHECK_CLEANED, false, false, false, false },
  { "amnesia", "puts back an older database", { NULL, NULL, NULL, false, NULL, NULL }, CHECK_ACKNOWLEDGED, false, false, false, false },
};
#define CONTROL_COUNT (sizeof controls / sizeof *controls)

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_us(int64_t us) {
  struct timespec t = { us / 1000000, us % 1000000 * 1000 };
  nanosleep(&t, NULL);
}

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(99);
}

/* ---- processes ---------------------------------------------------------------------------------------------- */

static pid_t spawn(const char *const *argv, const char *log, int kept_fd) {
  pid_t parent = getpid(), pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(99);
  int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), null = open("/dev/null", O_RDONLY);
  if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(99);
  if (kept_fd >= 0) fcntl(kept_fd, F_SETFD, 0);
  execv(argv[0], (char *const *)argv);
  _exit(99);
}

/* Ends a child of ours and waits for it. -1 if it had ended by itself, by anything else than our signal. */
static int end(pid_t pid, int signal_number) {
  int status = 0;
  kill(pid, signal_number);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status) && WTERMSIG(status) == signal_number) return 0;
  return signal_number == SIGTERM && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* Children of dead runtimes are ours (see main): those that have ended leave nothing behind. False: there are none, of any kind. */
static bool reap(harness *h) {
  pid_t pid;
  while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
    if (pid == h->outside) verdict_fault(h->verdict, CHECK_SOUND, "the outside ended by itself: see outside.log in %s", h->dir);
    if (pid == h->outside) h->outside = 0;
  }
  return pid == 0;
}

static void start_runtime(harness *h) {
  const char *argv[] = { h->options.orrery, "--data", "data", "--providers", "providers", "--setting", "shipped_providers=false", "serve", NULL };
  h->runtime = spawn(argv, "serve.log", -1);
}

static void end_runtime(harness *h, int signal_number) {
  if (end(h->runtime, signal_number)) verdict_fault(h->verdict, CHECK_SOUND, "the runtime ended by itself: see serve.log in %s", h->dir);
  h->runtime = 0;
}

static int start_outside(harness *h) {
  int pipes[2], port = 0;
  char fd[16], seed[24];
  if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) die("pipe");
  snprintf(fd, sizeof fd, "%d", pipes[1]);
  snprintf(seed, sizeof seed, "%llu", h->options.seed);
  h->outside = spawn((const char *[]){ h->options.outside, ".", seed, fd, NULL }, "outside.log", pipes[1]);
  close(pipes[1]);
  h->tell_fd = pipes[0];
  for (int i = 0; i < 2000 && !port; i++) {
    FILE *file = fopen("port", "r");
    if (!file) sleep_us(5000);
    else if (fscanf(file, "%d", &port) != 1 || fclose(file)) die("port");
  }
  return port;
}

/* ---- setting up --------------------------------------------------------------------------------------------- */

static void write_provider(const harness *h, const kind *k) {
  char from[4096], to[128], text[8192];
  snprintf(from, sizeof from, "%s/%s", h->options.providers, k->file);
  snprintf(to, sizeof to, "providers/%s.lua", k->code);
  FILE *in = fopen(from, "r"), *out = fopen(to, "w");
  if (!in || !out) die(in ? to : from);
  size_t len = fread(text, 1, sizeof text, in);
  fprintf(out, "local CODE, KIND, IDEMPOTENT, DELAY, FAULT = '%s', '%s', %s, %s, %s\n", k->code, k->service, k->is_idempotent ? "true" : "false", k->delay, k->fault);
  if (fwrite(text, 1, len, out) != len || fclose(out)) die(to);
  fclose(in);
}

static bool ask(harness *h, const char *request, const char *args) {
  orr__json *reply;
  bool is_well = talk_call(&h->talk, request, args, &reply) != NULL;
  orr__json_free(reply);
  return is_well;
}

/* Whoever answers is the new one: a child of the dead, not yet executed, may still hold its socket. */
static bool connect_runtime(harness *h) {
  for (int i = 0; i < 20000; i++) {
    if (talk_connect(&h->talk, "data/socket") && ask(h, "status", "{}")) return true;
    sleep_us(1000);
  }
  return false;
}

/* A connection and a Backup of each kind, each called by its provider's code. */
static bool set_up(harness *h, int port) {
  char args[1024];
  bool is_well = connect_runtime(h);
  for (int i = 0; is_well && i < KINDS; i++) {
    const char *code = h->kinds[i].code;
    bool is_job = strcmp(h->kinds[i].service, "job") == 0;
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"provider\":\"%s\",\"config\":{\"serviceUrl\":\"http://127.0.0.1:%d\"}}", code, code, port);
    is_well = ask(h, "connection.add", args);
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"provider\":\"%s\",\"connection\":\"%s\",\"config\":{%s%s%s}}", code, code, code,
             is_job ? "\"ledger\":\"" : "", is_job ? h->dir : "", is_job ? "/ledger\"" : "");
    is_well = is_well && ask(h, "backup.create", args);
  }
  const char *scheduled = h->options.control ? NULL : "{\"name\":\"scheduled\",\"provider\":\"lookup\",\"connection\":\"lookup\",\"schedule\":\"@every 1s\"}";
  return is_well && (!scheduled || ask(h, "backup.create", scheduled));
}

/* ---- a round ------------------------------------------------------------------------------------------------ */

static label *label_of(harness *h, const char *name) {
  for (size_t i = 0; i < h->label_count; i++)
    if (strcmp(h->labels[i].name, name) == 0) return &h->labels[i];
  if (h->label_count == LABELS_MAX) return &h->labels[LABELS_MAX - 1];
  label *l = &h->labels[h->label_count++];
  snprintf(l->name, sizeof l->name, "%s", name);
  return l;
}

/* What the outside has told since. */
static void listen_outside(harness *h) {
  ssize_t n;
  while ((n = read(h->tell_fd, h->told + h->told_len, sizeof h->told - 1 - h->told_len)) > 0) {
    h->told_len += (size_t)n;
    h->told[h->told_len] = '\0';
    char *line = h->told;
    for (char *stop; (stop = strchr(line, '\n')); line = stop + 1) {
      *stop = '\0';
      label_of(h, line)->seen++;
      if (strcmp(line, h->wanted) == 0) h->is_there = true;
      if (strstr(line, ".execute.end")) h->has_started = true;
    }
    h->told_len = strlen(line);
    memmove(h->told, line, h->told_len);
  }
}

static void listen_runtime(harness *h) {
  for (orr__json *reply; (reply = talk_next(&h->talk)); orr__json_free(reply)) {
    const orr__json *data = orr__json_get(reply, "data");
    const char *uuid = orr__json_str(data, "uuid"), *name = orr__json_str(data, "backupName");
    const orr__json *backup = orr__json_get(data, "backup");
    bool is_update = orr__json_get(data, "changed") != NULL;
    if (backup && is_update) verdict_updated(h->verdict, orr__json_str(backup, "uuid"), orr__json_str(orr__json_get(backup, "config"), "version"));
    if (backup && !is_update && h->made_count < KNOWN_MAX) {
      made *m = &h->made[h->made_count++];
      snprintf(m->uuid, sizeof m->uuid, "%s", orr__json_str(backup, "uuid"));
      snprintf(m->name, sizeof m->name, "%s", orr__json_str(backup, "name"));
      verdict_acknowledged(h->verdict, m->uuid);
    }
    for (size_t i = 0; data && i < h->asked_count; i++)
      if (h->asked[i].id == (uint64_t)orr__json_int(reply, "id", 0)) verdict_away(h->verdict, h->asked[i].uuid);
    if (!uuid) continue;
    known *k = &h->known[h->known_count++ % KNOWN_MAX];
    snprintf(k->uuid, sizeof k->uuid, "%s", uuid);
    k->is_neither = name && strcmp(name, "neither") == 0;
    verdict_acknowledged(h->verdict, uuid);
  }
}

enum plan { AT_START, AT_ASK, AT_STEP };

static enum plan draw(harness *h) {
  int64_t lot = below(h, 10);
  h->is_there = false;
  h->wanted[0] = '\0';
  if (lot < 3) return AT_START;
  if (lot < 5 || !h->label_count) return AT_ASK;
  /* The step that had the fewest, every other time: rare ones want their turn, too. */
  label *drawn = &h->labels[below(h, (int64_t)h->label_count)];
  for (size_t i = 0; lot & 1 && i < h->label_count; i++)
    if (h->labels[i].kills < drawn->kills) drawn = &h->labels[i];
  snprintf(h->wanted, sizeof h->wanted, "%s", drawn->name);
  return AT_STEP;
}

static void round_once(harness *h) {
  enum plan plan = draw(h);
  int64_t begun = now_us(), deadline = begun + (plan == AT_START ? below(h, 3 * h->ready_us) : h->ready_us * 10 + LABEL_WAIT_US);
  bool has_asked = false;
  start_runtime(h);
  while (now_us() < deadline && !h->is_there) {
    if (!has_asked && talk_connect(&h->talk, "data/socket")) {
      h->ready_us += (now_us() - begun - h->ready_us) / 8;
      h->asked_count = 0;
      ask_for_runs(h);
      ask_for_changes(h);
      if (!h->options.control) ask_for_backups(h);
      if (!h->options.control || h->options.control->updates) ask_for_updates(h);
      has_asked = true;
      if (plan == AT_ASK) deadline = now_us() + below(h, 6000);
      if (plan == AT_STEP) deadline = now_us() + LABEL_WAIT_US;
    }
    struct pollfd polled[] = { { .fd = h->tell_fd, .events = POLLIN }, { .fd = h->talk.fd, .events = POLLIN } };
    struct timespec wait = { 0, 200000 };
    ppoll(polled, 2, &wait, NULL);
    listen_outside(h);
    listen_runtime(h);
    bool is_time = h->has_started && h->options.control && h->options.control->cancels;
    for (size_t i = 0; is_time && i < 4 && i < h->known_count; i++) ask_for_cancel(h, h->known[(h->known_count - 1 - i) % KNOWN_MAX].uuid);
    h->has_started = false;
    if (has_asked && below(h, 40) == 0) kill_runner(h);
  }
  end_runtime(h, SIGKILL);
  if (below(h, 3) == 0 || (h->options.control && h->options.control->kills_runners)) kill_runner(h);
  h->kills++;
  h->at_start += plan == AT_START;
  h->at_ask += plan == AT_ASK;
  h->at_step += plan == AT_STEP && h->is_there;
  h->too_late += plan == AT_STEP && !h->is_there;
  if (h->is_there) label_of(h, h->wanted)->kills++;
  listen_runtime(h);
  talk_close(&h->talk);
  listen_outside(h);
  reap(h);
}

static void copy_file(const char *from, const char *to) {
  static char bytes[1 << 16];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t n; in >= 0 && out >= 0 && (n = read(in, bytes, sizeof bytes)) > 0;)
    if (write(out, bytes, (size_t)n) != n) die(to);
  if (in >= 0) close(in);
  if (out >= 0) close(out);
}

/* A power cut that takes with it what was said to be durable. */
static void remember(void) { copy_file("data/orrery.db", "older"), copy_file("data/orrery.db-wal", "older-wal"); }
static void forget(void) { copy_file("older", "data/orrery.db"), copy_file("older-wal", "data/orrery.db-wal"); }

/* ---- rest and judgement ------------------------------------------------------------------------------------- */

static size_t count_open(harness *h) {
  static const char *const words[] = { "START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED" };
  size_t open = 0;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char args[64];
    orr__json *reply;
    snprintf(args, sizeof args, "{\"status\":\"%s\",\"limit\":99999}", words[i]);
    const orr__json *list = talk_call(&h->talk, "result.ls", args, &reply);
    if (!list) open++;
    for (const orr__json *r = orr__json_first(list); r; r = orr__json_next(r)) open += orr__json_str(r, "attention") == NULL;
    orr__json_free(reply);
  }
  return open;
}

/* Creations and deletions of Backups that go on. */
static size_t count_moving(harness *h) {
  orr__json *reply;
  const orr__json *status = talk_call(&h->talk, "status", "{}", &reply);
  size_t moving = status ? (size_t)orr__json_int(status, "creating", 0) : 1;
  orr__json_free(reply);
  const orr__json *list = talk_call(&h->talk, "backup.ls", "{}", &reply);
  for (const orr__json *b = orr__json_first(list); b; b = orr__json_next(b)) moving += orr__json_int(b, "deleteDate", 0) != 0;
  orr__json_free(reply);
  list = talk_call(&h->talk, "result.ls", "{\"limit\":99999}", &reply);
  for (const orr__json *r = orr__json_first(list); r; r = orr__json_next(r)) moving += orr__json_int(r, "nextActionDate", 0) != 0;
  orr__json_free(reply);
  return moving;
}

static void check_database(harness *h) {
  const char *argv[] = { h->options.orrery, "--data", "data", "--providers", "providers", "--setting", "shipped_providers=false", "db", "check", NULL };
  int status = 0;
  pid_t pid = spawn(argv, "check.log", -1);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (status != 0) verdict_fault(h->verdict, CHECK_SOUND, "`orrery db check` ended with status %x: see check.log in %s", (unsigned)status, h->dir);
}

/* A Backup whose last update may or may not have gone outside is updated again, as a person would; a reply may be lost then, too. */
static long update_unknown(harness *h) {
  long count = 0;
  orr__json *reply, *updated;
  const orr__json *list = talk_call(&h->talk, "backup.ls", "{}", &reply);
  for (const orr__json *b = orr__json_first(list); b; b = orr__json_next(b)) {
    const char *attention = orr__json_str(b, "attention");
    bool is_unknown = attention && strcmp(attention, "unknown_update") == 0;
    count += is_unknown;
    for (int i = 0; is_unknown && i < UPDATES_MAX; i++) {
      char args[160];
      snprintf(args, sizeof args, "{\"backup\":\"%s\",\"config\":{\"version\":\"%ld\"}}", orr__json_str(b, "name"), ++h->updates);
      is_unknown = talk_call(&h->talk, "backup.update", args, &updated) == NULL;
      orr__json_free(updated);
    }
  }
  orr__json_free(reply);
  return count;
}

static void come_to_rest(harness *h) {
  int64_t begun = now_us(), rest_ms = h->options.control ? CONTROL_REST_MS : REST_MS; /* what a control does wrong shows at once */
  start_runtime(h);
  if (!connect_runtime(h)) {
    verdict_fault(h->verdict, CHECK_SOUND, "the runtime cannot be reached");
    return;
  }
  if (!h->options.control) ask(h, "backup.pause", "{\"backup\":\"scheduled\"}");
  while (count_open(h) + count_moving(h) && now_us() - begun < rest_ms * 1000) {
    sleep_us(REST_STEP_MS * 1000);
    listen_outside(h);
  }
  printf("# at rest after %.1f s\n", (double)(now_us() - begun) / 1e6);
  printf("# %ld Backups did not know the end of their last update\n", update_unknown(h));
  for (int i = 0; i <= KINDS; i++) {
    char args[96];
    orr__json *reply;
    const char *name = i < KINDS ? h->kinds[i].code : "scheduled";
    if (i == KINDS && h->options.control) break;
    snprintf(args, sizeof args, "{\"backup\":\"%s\",\"limit\":99999}", name);
    verdict_results(h->verdict, talk_call(&h->talk, "result.ls", args, &reply), strcmp(name, "neither") == 0);
    orr__json_free(reply);
  }
  orr__json *reply;
  verdict_backups(h->verdict, talk_call(&h->talk, "backup.ls", "{}", &reply), "job");
  orr__json_free(reply);
  talk_close(&h->talk);
  end_runtime(h, SIGTERM);
  check_database(h);
  sleep_us(LATE_MS * 1000); /* what was sent last takes effect late */
  if (!verdict_ledger(h->verdict, "ledger")) verdict_fault(h->verdict, CHECK_SOUND, "there is no ledger");
}

static void print_counts(const harness *h, int64_t us) {
  printf("# seed %llu: %ld kills in %.1f s (%.0f a second): %ld during the start, %ld after a request, %ld at a step, %ld waiting for one\n", h->options.seed,
         h->kills, (double)us / 1e6, (double)h->kills * 1e6 / (double)us, h->at_start, h->at_ask, h->at_step, h->too_late);
  printf("# %ld cancels, %ld deletions and %ld extractions were asked for; %ld job runners were killed\n", h->cancels, h->deletions, h->extractions, h->runners);
  printf("# %ld creations and %ld deletions of Backups, %ld updates, %ld tests of connections were asked for\n", h->creations, h->removals, h->updates, h->tests);
  for (size_t i = 0; i < h->label_count; i++) printf("#   %-28s passed %6ld times, killed there %4ld\n", h->labels[i].name, h->labels[i].seen, h->labels[i].kills);
}

/* A control passes if its check caught it; whatever else it broke is its own business. */
static int judge(harness *h) {
  bool holds[CHECK_COUNT];
  const control *c = h->options.control;
  int passed = 0, failed = 0;
  verdict_judge(h->verdict, holds);
  for (int i = 0; !c && i < CHECK_COUNT; i++) {
    printf("%s %s\n", holds[i] ? "ok" : "not ok", check_names[i]);
    holds[i] ? passed++ : failed++;
  }
  if (c) {
    printf("%s a runtime or provider that %s is caught by: %s\n", holds[c->caught_by] ? "not ok" : "ok", c->what, check_names[c->caught_by]);
    holds[c->caught_by] ? failed++ : passed++;
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}

/* ---- the command line --------------------------------------------------------------------------------------- */

static int usage(void) {
  fprintf(stderr, "usage: orrery-kill --orrery PROGRAM --outside PROGRAM --providers DIR [--kills N] [--seconds N] [--seed N] [--control NAME] [--keep]\n");
  return 2;
}

static bool take_options(options *o, int argc, char **argv) {
  const char *name = NULL;
  *o = (options){ .kills = 300, .seconds = 60, .seed = (unsigned long long)now_us() };
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--keep") == 0) {
      o->keeps = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char *key = argv[i++];
    if (strcmp(key, "--orrery") == 0) o->orrery = argv[i];
    else if (strcmp(key, "--outside") == 0) o->outside = argv[i];
    else if (strcmp(key, "--providers") == 0) o->providers = argv[i];
    else if (strcmp(key, "--kills") == 0) o->kills = atol(argv[i]);
    else if (strcmp(key, "--seconds") == 0) o->seconds = atol(argv[i]);
    else if (strcmp(key, "--seed") == 0) o->seed = strtoull(argv[i], NULL, 10);
    else if (strcmp(key, "--control") == 0) name = argv[i];
    else return false;
  }
  for (size_t i = 0; name && i < CONTROL_COUNT; i++)
    if (strcmp(controls[i].name, name) == 0) o->control = &controls[i];
  return o->orrery && o->outside && o->providers && o->kills > 0 && o->seconds > 0 && (!name || o->control);
}

/* The folder of this run, as the working directory. */
static void make_place(harness *h) {
  const char *tmp = getenv("TMPDIR");
  snprintf(h->dir, sizeof h->dir, "%s/orrery-kill-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(h->dir) || chdir(h->dir) || mkdir("providers", 0700) || mkdir("data", 0700)) die(h->dir);
  memcpy(h->kinds, all_well, sizeof all_well);
  for (int i = 0; i < KINDS; i++) {
    const control *c = h->options.control;
    if (c && c->wrong.code && strcmp(c->wrong.code, h->kinds[i].code) == 0) h->kinds[i] = c->wrong;
    write_provider(h, &h->kinds[i]);
  }
}

int main(int argc, char **argv) {
  harness h = { .ready_us = 20000 };
  if (!take_options(&h.options, argc, argv)) return usage();
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1); /* job runners outlive the runtime, but not us */
  h.chance = h.options.seed;
  h.verdict = verdict_new();
  talk_init(&h.talk);
  make_place(&h);
  int port = start_outside(&h);
  start_runtime(&h);
  bool is_ready = port && set_up(&h, port);
  talk_close(&h.talk);
  end_runtime(&h, SIGKILL);
  bool is_forgetful = h.options.control && !h.options.control->wrong.code;
  if (is_forgetful) remember();
  int64_t begun = now_us();
  while (is_ready && h.kills < h.options.kills && now_us() - begun < (int64_t)h.options.seconds * 1000000) round_once(&h);
  print_counts(&h, now_us() - begun);
  if (is_forgetful) forget();
  if (is_ready) come_to_rest(&h);
  else verdict_fault(h.verdict, CHECK_SOUND, "the Backups could not be made: see serve.log in %s", h.dir);
  int code = judge(&h);
  if (h.runtime) end(h.runtime, SIGKILL);
  if (h.outside) end(h.outside, SIGTERM);
  h.outside = 0;
  for (int i = 0; i < LAST_MS && reap(&h); i++) sleep_us(1000);
  close(h.tell_fd);
  verdict_free(h.verdict);
  if (h.options.keeps || code) printf("# everything is in %s\n", h.dir);
  else if (execl("/bin/rm", "rm", "-rf", h.dir, (char *)NULL)) die("rm");
  return code;
}
