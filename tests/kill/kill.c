/* The kill harness: a runtime that is killed again and again while backups are being run.
 *
 *   orrery-kill --orrery PROGRAM --outside PROGRAM --providers DIR [--kills N] [--seconds N] [--seed N] [--share I/N] [--at STEP] [--control NAME] [--keep]
 *
 * A round: `orrery serve` is started on the data directory, asked to run some Backups, and ended by SIGKILL: at any instant of its
 * start, a moment after it was asked for something, or when a hook has got to a step (the outside tells, and holds its reply meanwhile;
 * which one, steps.c chooses). After the last round the runtime comes to rest, and verdict.c says whether all is well.
 *
 * --share I/N has every N-th step killed at, from the I-th on (0 to N - 1), so that N harnesses beside each other leave none out.
 * --at STEP has every other kill come there. --control runs with one thing done wrong on purpose, and passes if exactly the check that is there for it fails.
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

enum { CONTACT_US = 20000000, ASK_US = 6000, EASE_US = 300000, EASE_STARTS = 4, OTHERS_US = 150000, AGAIN_US = 3000, LOOK_US = 1000, LAST_MS = 5000, SLOW = 4 };

int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void sleep_us(int64_t us) {
  struct timespec t = { us / 1000000, us % 1000000 * 1000 };
  nanosleep(&t, NULL);
}

void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(99);
}

/* ---- processes ---------------------------------------------------------------------------------------------- */

pid_t spawn(const char *const *argv, const char *log, int kept_fd) {
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

void start_runtime(harness *h) {
  const char *argv[] = { h->options.orrery, "--data", "data", "--providers", "providers", "--setting", "shipped_providers=false", "serve", NULL };
  h->runtime = spawn(argv, "serve.log", -1);
}

void end_runtime(harness *h, int signal_number) {
  if (end(h->runtime, signal_number)) verdict_fault(h->verdict, CHECK_SOUND, "the runtime ended by itself: see serve.log in %s", h->dir);
  h->runtime = 0;
}

static int start_outside(harness *h) {
  int port = 0;
  char fd[16], seed[24];
  if (mkfifo("told", 0600) || (h->tell_fd = open("told", O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) die("told");
  snprintf(fd, sizeof fd, "%d", h->tell_fd);
  snprintf(seed, sizeof seed, "%llu", h->options.seed);
  h->outside = spawn((const char *[]){ h->options.outside, ".", seed, fd, NULL }, "outside.log", h->tell_fd);
  for (int i = 0; i < 2000 && !port; i++) {
    FILE *file = fopen("port", "r");
    if (!file) sleep_us(5000);
    else if (fscanf(file, "%d", &port) != 1 || fclose(file)) die("port");
  }
  return port;
}

/* ---- setting up --------------------------------------------------------------------------------------------- */

static void write_provider(const harness *h, const kind *k) {
  char from[4096], to[128], text[32768];
  snprintf(from, sizeof from, "%s/%s", h->options.providers, k->file);
  snprintf(to, sizeof to, "providers/%s.lua", k->code);
  FILE *in = fopen(from, "r"), *out = fopen(to, "w");
  if (!in || !out) die(in ? to : from);
  size_t len = fread(text, 1, sizeof text, in);
  fprintf(out, "local CODE, KIND, IDEMPOTENT, DELAY, FAULT, PLACE = '%s', '%s', %s, %s, %s, '%s'\n", k->code, k->service,
          k->is_idempotent ? "true" : "false", k->delay, k->fault, h->dir);
  if (fwrite(text, 1, len, out) != len || fclose(out)) die(to);
  fclose(in);
}

bool ask(harness *h, const char *request, const char *args) {
  orr__json *reply;
  bool is_well = talk_call(&h->talk, request, args, &reply) != NULL;
  orr__json_free(reply);
  return is_well;
}

/* A child of the dead, not yet executed, may still hold its socket: that one does not answer. */
bool connect_runtime(harness *h) {
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
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"provider\":\"%s\",\"config\":{\"serviceUrl\":\"http://127.0.0.1:%d\"}}", code, code, port);
    is_well = ask(h, "connection.add", args);
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"provider\":\"%s\",\"connection\":\"%s\"}", code, code, code);
    is_well = is_well && ask(h, "backup.create", args);
  }
  const char *scheduled = h->options.control ? NULL : "{\"name\":\"scheduled\",\"provider\":\"lookup\",\"connection\":\"lookup\",\"schedule\":\"@every 1s\"}";
  return is_well && (!scheduled || ask(h, "backup.create", scheduled));
}

/* ---- a round ------------------------------------------------------------------------------------------------ */

void listen_outside(harness *h) {
  ssize_t n;
  while ((n = read(h->tell_fd, h->told + h->told_len, sizeof h->told - 1 - h->told_len)) > 0) {
    h->told_len += (size_t)n;
    h->told[h->told_len] = '\0';
    char *line = h->told;
    for (char *stop; (stop = strchr(line, '\n')); line = stop + 1) {
      *stop = '\0';
      if (!steps_told(&h->steps, line) && !h->options.control) verdict_fault(h->verdict, CHECK_STEPS, "%s is told and not listed", line);
      if (strstr(line, ".execute.end")) h->has_started = true;
    }
    h->told_len = strlen(line);
    memmove(h->told, line, h->told_len);
  }
}

static int kind_of(const harness *h, const char *code) {
  for (int i = 0; code && i < KINDS; i++)
    if (strcmp(h->kinds[i].code, code) == 0) return i;
  return 0;
}

static void take_backup(harness *h, const orr__json *backup) {
  if (h->made_count == KNOWN_MAX) return;
  made *m = &h->made[h->made_count++];
  snprintf(m->uuid, sizeof m->uuid, "%s", orr__json_str(backup, "uuid"));
  snprintf(m->name, sizeof m->name, "%s", orr__json_str(backup, "name"));
  m->kind = kind_of(h, orr__json_str(backup, "provider"));
  verdict_acknowledged(h->verdict, m->uuid);
}

static void take_result(harness *h, const char *uuid, const char *provider) {
  known *k = &h->known[h->known_count++ % KNOWN_MAX];
  snprintf(k->uuid, sizeof k->uuid, "%s", uuid);
  k->kind = kind_of(h, provider);
  verdict_acknowledged(h->verdict, uuid);
}

static void listen_runtime(harness *h) {
  for (orr__json *reply; (reply = talk_next(&h->talk)); orr__json_free(reply)) {
    const orr__json *data = orr__json_get(reply, "data"), *backup = orr__json_get(data, "backup");
    const char *uuid = orr__json_str(data, "uuid");
    bool is_update = orr__json_get(data, "changed") != NULL;
    if (backup && is_update) verdict_updated(h->verdict, orr__json_str(backup, "uuid"), orr__json_str(orr__json_get(backup, "config"), "version"));
    else if (backup) take_backup(h, backup);
    for (size_t i = 0; data && i < h->asked_count; i++)
      if (h->asked[i].id == (uint64_t)orr__json_int(reply, "id", 0)) verdict_away(h->verdict, h->asked[i].uuid);
    if (uuid) take_result(h, uuid, orr__json_str(data, "providerCode"));
  }
}

enum plan { AT_START, AT_ASK, AT_STEP, AT_EASE };

/* Where something is known to be wrong, every other kill comes where that does its harm, and between them the runtime has the time to do it. */
static enum plan draw(harness *h) {
  bool is_owed = h->steps.has_led || steps_are_missing(&h->steps); /* then most kills come at a step */
  int64_t lot = below(h, 10);
  enum plan plan = lot < (is_owed ? 1 : 3) ? AT_START : lot < (is_owed ? 2 : 5) ? AT_ASK : AT_STEP;
  if (h->options.at) plan = h->kills % 2 ? AT_EASE : AT_STEP;
  h->steps.wanted = NULL;
  h->steps.is_there = false;
  if (plan == AT_STEP) steps_draw(h);
  return plan;
}

/* Something goes on: what is told and answered is taken. */
static void look_on(harness *h, int64_t until) {
  const control *c = h->options.control;
  struct pollfd polled[] = { { .fd = h->tell_fd, .events = POLLIN }, { .fd = h->talk.fd, .events = POLLIN } };
  int64_t left = until - now_us();
  struct timespec wait = { 0, (left < 0 ? 0 : left < LOOK_US ? left : LOOK_US) * 1000 };
  ppoll(polled, 2, &wait, NULL);
  listen_outside(h);
  listen_runtime(h);
  bool cancels = (c && c->cancels) || steps_want(&h->steps, ACT_CANCEL);
  if (h->has_started && cancels) ask_for_cancels(h);
  if (h->known_count > h->known_before) h->has_started = false; /* else the one that was started is not known yet */
}

static void round_once(harness *h) {
  enum plan plan = draw(h);
  int64_t begun = now_us(), deadline = begun + (plan == AT_START ? below(h, 3 * h->ready_us) : CONTACT_US);
  bool has_asked = false, kills_runners = h->options.control && h->options.control->kills_runners;
  enum victim victim = kills_runners ? VICTIM_RUNNER : (enum victim)below(h, VICTIM_COUNT);
  int64_t others_at = 0; /* when something of a job is killed, too; 0: not in this round */
  h->has_started = false;
  h->known_before = h->known_count;
  start_runtime(h);
  while (now_us() < deadline && !h->steps.is_there) {
    if (!has_asked && talk_connect(&h->talk, "data/socket")) {
      h->ready_us += (now_us() - begun - h->ready_us) / 8;
      h->asked_count = 0;
      ask_for_all(h);
      has_asked = true;
      if (kills_runners || below(h, 3) == 0) others_at = now_us() + below(h, OTHERS_US);
      if (plan == AT_ASK) deadline = now_us() + below(h, ASK_US);
      if (plan == AT_STEP) deadline = now_us() + steps_patience_us(h);
      if (plan == AT_EASE) deadline = now_us() + EASE_US + EASE_STARTS * h->ready_us;
    }
    look_on(h, others_at && others_at < deadline ? others_at : deadline);
    if (!others_at || now_us() < others_at) continue;
    others_at = kill_of_a_job(h, victim) ? 0 : now_us() + AGAIN_US;
  }
  end_runtime(h, SIGKILL);
  if (kills_runners || below(h, 3) == 0) kill_of_a_job(h, victim);
  h->kills++;
  h->at_start += plan == AT_START;
  h->at_ask += plan == AT_ASK;
  h->at_step += plan == AT_STEP && h->steps.is_there;
  h->too_late += plan == AT_STEP && !h->steps.is_there;
  steps_killed(&h->steps);
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

/* ---- judgement ---------------------------------------------------------------------------------------------- */

static void print_counts(const harness *h, int64_t us) {
  printf("# seed %llu: %ld kills in %.1f s (%.0f a second): %ld during the start, %ld after a request, %ld at a step, %ld waiting for one\n", h->options.seed,
         h->kills, (double)us / 1e6, (double)h->kills * 1e6 / (double)us, h->at_start, h->at_ask, h->at_step, h->too_late);
  printf("# %ld cancels, %ld deletions and %ld extractions were asked for\n", h->cancels, h->deletions, h->extractions);
  printf("# %ld creations and %ld deletions of Backups, %ld updates, %ld tests of connections were asked for\n", h->creations, h->removals, h->updates, h->tests);
  printf("# of jobs were killed, too:");
  for (int i = 0; i < VICTIM_COUNT; i++) printf("%s %ld %s", i ? "," : "", h->victims[i], victim_names[i]);
  printf("\n");
  steps_print(&h->steps);
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
  fprintf(stderr, "usage: orrery-kill --orrery PROGRAM --outside PROGRAM --providers DIR [--kills N] [--seconds N] [--seed N] [--share I/N] [--at STEP] [--control NAME] [--keep]\n");
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
    else if (strcmp(key, "--share") == 0 && sscanf(argv[i], "%d/%d", &o->share, &o->shares) == 2) continue;
    else if (strcmp(key, "--at") == 0) o->at = argv[i];
    else if (strcmp(key, "--control") == 0) name = argv[i];
    else return false;
  }
  if (name) o->control = control_find(name);
  if (o->control) o->at = o->control->at;
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

/* A step that has to have a kill is waited for longer than all the others take. */
static bool goes_on(const harness *h, int64_t seconds) {
  const options *o = &h->options;
  if (steps_are_missing(&h->steps)) return seconds < SLOW * o->seconds;
  return h->kills < o->kills && seconds < o->seconds;
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
  steps_init(&h);
  if (h.options.at && !steps_find(&h.steps, h.options.at)) return usage();
  make_place(&h);
  int port = start_outside(&h);
  start_runtime(&h);
  bool is_ready = port && set_up(&h, port);
  talk_close(&h.talk);
  end_runtime(&h, SIGKILL);
  bool is_forgetful = h.options.control && !h.options.control->wrong.code;
  if (is_forgetful) remember();
  int64_t begun = now_us();
  while (is_ready && goes_on(&h, (now_us() - begun) / 1000000)) round_once(&h);
  print_counts(&h, now_us() - begun);
  if (is_forgetful) forget();
  if (is_ready) come_to_rest(&h);
  else verdict_fault(h.verdict, CHECK_SOUND, "the Backups could not be made: see serve.log in %s", h.dir);
  steps_judge(&h);
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
