/* The external system of the kill harness: a backup service of its own process, which outlives every runtime.
 *
 *   orrery-kill-outside DIR SEED FD
 *
 * Listens on loopback and writes its port to DIR/port. What is asked to start begins some time later (at most VISIBLE_MAX_MS),
 * whoever asked for it may be dead by then, and only from then on it is found. Kinds of service, the first word of the path:
 *
 *   idempotent   a key that is known already answers with its job    lookup   GET /lookup/jobs?key= finds what has begun
 *   neither      every request makes a job                           a kind that ends in `policy` is the same of things that only are there
 *
 *   POST /KIND/jobs {"key":K}    GET /KIND/jobs/ID    GET /KIND/jobs?key=K    GET /step/KIND.LABEL (a hook says how far it got)
 *   POST /KIND/cancel {"key":K}  (takes effect some time later, too)          DELETE /KIND/jobs/ID
 *   POST /KIND/update {"key":K,"value":V}    POST /KIND/clean {"key":K}    GET /KIND/defer?key=K (a clean-up has been registered)
 *
 * The ledger DIR/ledger has one line per fact, appended: `begin KIND KEY ID`, `end KIND KEY STATUS`, `delete KIND KEY ID`,
 * `update KIND KEY VALUE`, `clean KIND KEY -` and `defer KIND KEY -`. Each act and each step
 * is told to FD as a line, and the reply to it waits a little, so that whoever reads FD can kill the runtime right there. One
 * start in eight has its reply lost, but for the first SET_UP, which are what the harness begins with. Invariant: a start that was read to its end happens. Deliberately knows nothing of Orrery. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 128, CANCEL_MAX_MS = 100, REQUEST_MAX = 16 * 1024, JOBS_MAX = 1 << 18, VISIBLE_MAX_MS = 250, RUNS_MAX_MS = 150, HOLD_MS = 2, SET_UP = 4 };

typedef struct job {
  char kind[24], key[64];
  int64_t begin_ms, end_ms, cancel_ms; /* cancel_ms 0: nobody asked */
  bool has_begun, has_ended, is_cancelled, is_deleted;
} job;

typedef struct connection {
  int fd;
  size_t len;
  int64_t reply_ms; /* when the reply goes out; 0: none waits */
  bool is_lost;     /* instead of the reply, the end */
  char in[REQUEST_MAX + 1];
  char out[512];
} connection;

static connection *connections[CONNECTIONS_MAX];
static job *jobs;
static size_t job_count, first_open; /* all jobs before first_open have ended */
static uint64_t seed;
static int ledger_fd, tell_fd;
static int64_t since_ms; /* what is read now has not arrived before: however late we are, what was sent is not visible any later */

static void die(const char *what) {
  perror(what);
  exit(99);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned chance(unsigned below) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(seed >> 33) % below;
}

static void note_key(const char *word, const char *kind, const char *key, const char *last) {
  char line[192];
  int len = snprintf(line, sizeof line, "%s %s %s %s\n", word, kind, key, last);
  if (write(ledger_fd, line, (size_t)len) != len) die("ledger");
}

static void note(const char *word, const job *about, const char *last) { note_key(word, about->kind, about->key, last); }

static void tell(const char *kind, const char *label) {
  char line[96];
  int len = snprintf(line, sizeof line, "%s%s%s\n", kind, *kind ? "." : "", label);
  if (write(tell_fd, line, (size_t)len) < 0 && errno != EAGAIN) exit(0); /* nobody listens any more */
}

/* Keys that end in 0 are backups that fail; the ledger says the same to whoever asks. */
static const char *outcome(const job *of) {
  if (of->is_cancelled) return "CANCELLED";
  return of->key[0] && of->key[strlen(of->key) - 1] == '0' ? "FAILED" : "SUCCEEDED";
}

static bool is_policy(const char *kind) { return strstr(kind, "policy") != NULL; }

static void let_time_pass(int64_t now) {
  for (size_t i = first_open; i < job_count; i++) {
    job *j = &jobs[i];
    if (!j->has_begun && now >= j->begin_ms) {
      char id[24];
      j->has_begun = true;
      snprintf(id, sizeof id, "%zu", i + 1);
      note("begin", j, id);
    }
    if (j->has_begun && !j->has_ended && j->cancel_ms && now >= j->cancel_ms) {
      j->is_cancelled = true;
      j->end_ms = j->cancel_ms;
    }
    if (j->has_begun && is_policy(j->kind)) {
      j->has_ended = true;
    } else if (!j->has_ended && now >= j->end_ms) {
      j->has_ended = true;
      note("end", j, outcome(j));
    }
    if (j->has_ended && i == first_open) first_open++;
  }
}

static size_t find(const char *kind, const char *key, bool only_begun) {
  for (size_t i = 0; i < job_count; i++)
    if (strcmp(jobs[i].key, key) == 0 && strcmp(jobs[i].kind, kind) == 0 && (jobs[i].has_begun || !only_begun)) return i + 1;
  return 0;
}

static void reply(connection *to, int status, const char *body) {
  snprintf(to->out, sizeof to->out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
  to->reply_ms = now_ms();
}

/* The key that is asked about; without one the question is answered already. */
static bool take_key(connection *from, const char *body, char key[64]) {
  const char *at = strstr(body, "\"key\"");
  if (at && sscanf(at, "\"key\" : \"%63[^\"]", key) == 1) return true;
  reply(from, 400, "{}");
  return false;
}

static void start(connection *from, const char *kind, const char *body) {
  char key[64] = "", text[64];
  if (!take_key(from, body, key)) return;
  tell(kind, "start");
  size_t id = strncmp(kind, "idempotent", 10) == 0 ? find(kind, key, false) : 0;
  if (!id) {
    if (job_count == JOBS_MAX) die("too many jobs");
    job *j = &jobs[job_count++];
    snprintf(j->kind, sizeof j->kind, "%s", kind);
    snprintf(j->key, sizeof j->key, "%s", key);
    j->begin_ms = since_ms + chance(VISIBLE_MAX_MS);
    j->end_ms = j->begin_ms + chance(RUNS_MAX_MS);
    id = job_count;
  }
  snprintf(text, sizeof text, "{\"id\":\"%zu\"}", id);
  reply(from, 201, text);
  from->reply_ms += HOLD_MS;
  from->is_lost = chance(8) == 0 && job_count > SET_UP;
}

/* Every job of that key, be it begun or not: what is sent before the start is visible counts all the same. */
static void cancel(connection *from, const char *kind, const char *body) {
  char key[64] = "";
  if (!take_key(from, body, key)) return;
  tell(kind, "cancel");
  for (size_t i = 0; i < job_count; i++)
    if (strcmp(jobs[i].key, key) == 0 && strcmp(jobs[i].kind, kind) == 0 && !jobs[i].cancel_ms) jobs[i].cancel_ms = now_ms() + chance(CANCEL_MAX_MS);
  reply(from, 200, "{}");
  from->reply_ms += HOLD_MS;
  from->is_lost = chance(8) == 0;
}

static void delete(connection *from, const char *kind, size_t id) {
  job *j = id >= 1 && id <= job_count && jobs[id - 1].has_begun && !jobs[id - 1].is_deleted ? &jobs[id - 1] : NULL;
  tell(kind, "delete");
  if (j && !j->has_ended) {
    reply(from, 409, "{}");
  } else if (j) {
    char text[24];
    j->is_deleted = true;
    snprintf(text, sizeof text, "%zu", id);
    note("delete", j, text);
    reply(from, 200, "{}");
  } else {
    reply(from, 404, "{}");
  }
  from->reply_ms += HOLD_MS;
  from->is_lost = chance(8) == 0;
}

/* What is done at once, each time that it is asked for. */
static void update(connection *from, const char *kind, const char *body) {
  char key[64] = "", value[24] = "";
  if (!take_key(from, body, key)) return;
  const char *at = strstr(body, "\"value\"");
  if (!at || sscanf(at, "\"value\" : \"%23[^\"]", value) != 1) {
    reply(from, 400, "{}");
    return;
  }
  tell(kind, "update");
  note_key("update", kind, key, value);
  reply(from, 200, "{}");
  from->reply_ms += HOLD_MS;
  from->is_lost = chance(8) == 0;
}

static void clean(connection *from, const char *kind, const char *body) {
  char key[64] = "";
  if (!take_key(from, body, key)) return;
  tell(kind, "clean");
  note_key("clean", kind, key, "-");
  reply(from, 200, "{}");
  from->reply_ms += HOLD_MS;
  from->is_lost = chance(8) == 0;
}

static void remember(connection *from, const char *kind, const char *key) {
  tell(kind, "defer");
  note_key("defer", kind, key, "-");
  reply(from, 200, "{}");
  from->reply_ms += HOLD_MS;
}

static void show(connection *to, size_t id) {
  char text[160];
  const job *j = id >= 1 && id <= job_count && jobs[id - 1].has_begun && !jobs[id - 1].is_deleted ? &jobs[id - 1] : NULL;
  if (!j) {
    reply(to, 404, "{}");
    return;
  }
  snprintf(text, sizeof text, "{\"id\":\"%zu\",\"status\":\"%s\"}", id, j->has_ended ? outcome(j) : "IN_PROGRESS");
  reply(to, 200, text);
}

static void handle(connection *from, const char *body) {
  char method[8] = "", path[160] = "", kind[24] = "", rest[100] = "";
  sscanf(from->in, "%7s %159s", method, path);
  sscanf(path, "/%23[a-z]/%99s", kind, rest);
  let_time_pass(now_ms());
  if (strcmp(kind, "step") == 0) {
    tell("", rest);
    reply(from, 200, "{}");
    from->reply_ms += HOLD_MS;
  } else if (strcmp(method, "POST") == 0 && strcmp(rest, "jobs") == 0) {
    start(from, kind, body);
  } else if (strcmp(method, "POST") == 0 && strcmp(rest, "cancel") == 0) {
    cancel(from, kind, body);
  } else if (strcmp(method, "POST") == 0 && strcmp(rest, "update") == 0) {
    update(from, kind, body);
  } else if (strcmp(method, "POST") == 0 && strcmp(rest, "clean") == 0) {
    clean(from, kind, body);
  } else if (strncmp(rest, "defer?key=", 10) == 0) {
    remember(from, kind, rest + 10);
  } else if (strcmp(method, "DELETE") == 0 && strncmp(rest, "jobs/", 5) == 0) {
    delete(from, kind, strtoul(rest + 5, NULL, 10));
  } else if (strncmp(rest, "jobs?key=", 9) == 0) {
    show(from, find(kind, rest + 9, true));
  } else if (strncmp(rest, "jobs/", 5) == 0) {
    show(from, strtoul(rest + 5, NULL, 10));
  } else {
    reply(from, 400, "{}");
  }
}

static void forget(connection **slot) {
  close((*slot)->fd);
  free(*slot);
  *slot = NULL;
}

/* A whole request, if there is one; what follows it stays. */
static void look_into(connection *from) {
  from->in[from->len] = '\0';
  char *end = strstr(from->in, "\r\n\r\n");
  if (!end || from->reply_ms) return;
  const char *length = strcasestr(from->in, "\r\ncontent-length:");
  size_t head = (size_t)(end - from->in) + 4, want = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
  if (from->len < head + want) return;
  char body[1024] = "";
  if (want < sizeof body) memcpy(body, from->in + head, want);
  handle(from, body);
  from->len -= head + want;
  memmove(from->in, from->in + head + want, from->len);
}

static void hear(connection **slot) {
  connection *c = *slot;
  ssize_t n = recv(c->fd, c->in + c->len, REQUEST_MAX - c->len, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) forget(slot);
  else if (n > 0) c->len += (size_t)n;
}

static bool is_question(const connection *c) { return strncmp(c->in, "GET ", 4) == 0; }

static void serve(connection **slot, int64_t now) {
  connection *c = *slot;
  look_into(c);
  if (!c->reply_ms || now < c->reply_ms) return;
  c->reply_ms = 0;
  if (c->is_lost || send(c->fd, c->out, strlen(c->out), MSG_NOSIGNAL) < 0) forget(slot);
}

/* Acts before questions: who asks has acted before, and may be read in the same turn. */
static void serve_all(int64_t now) {
  for (int questions = 0; questions < 2; questions++)
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
      if (connections[i] && is_question(connections[i]) == questions) serve(&connections[i], now);
}

static int listen_on_loopback(const char *dir) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 128) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0) die("listen");
  char path[4096], fresh[4096];
  snprintf(path, sizeof path, "%s/port", dir);
  snprintf(fresh, sizeof fresh, "%s/port.new", dir);
  FILE *file = fopen(fresh, "w");
  if (!file || fprintf(file, "%d\n", ntohs(address.sin_port)) < 0 || fclose(file) || rename(fresh, path)) die("port");
  return fd;
}

static bool take(int listen_fd) {
  int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return false;
  for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
    if (connections[i]) continue;
    connections[i] = calloc(1, sizeof *connections[i]);
    if (!connections[i]) die("calloc");
    connections[i]->fd = fd;
    return true;
  }
  close(fd);
  return true;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: orrery-kill-outside DIR SEED FD\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  seed = strtoull(argv[2], NULL, 10) | 1;
  tell_fd = atoi(argv[3]);
  char path[4096];
  snprintf(path, sizeof path, "%s/ledger", argv[1]);
  ledger_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  jobs = calloc(JOBS_MAX, sizeof *jobs);
  if (ledger_fd < 0 || !jobs) die(path);
  int listen_fd = listen_on_loopback(argv[1]);
  since_ms = now_ms();
  for (int64_t before = since_ms, last = before;; since_ms = before, before = last) { /* what is accepted now is read in the next turn */
    struct pollfd polled[CONNECTIONS_MAX + 1] = { { .fd = listen_fd, .events = POLLIN } };
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) polled[i + 1] = (struct pollfd){ .fd = connections[i] ? connections[i]->fd : -1, .events = POLLIN };
    int64_t wait = first_open < job_count ? 5 : 1000;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
      if (connections[i] && connections[i]->reply_ms) wait = 1;
    poll(polled, CONNECTIONS_MAX + 1, (int)wait);
    int64_t now = last = now_ms();
    let_time_pass(now);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
      if (connections[i] && polled[i + 1].revents) hear(&connections[i]);
    serve_all(now);
    while (polled[0].revents && take(listen_fd)) continue;
  }
}
