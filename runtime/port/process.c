/* Attached children: see process.h for the contract, launch.c for how one is started.
 *
 *   start ──► runs ──(report or end of file on the control socket)──► completed, freed
 *
 * A child is in `running` under its id from start to completion; nothing else refers to it but its watches.
 * Output is read as it comes and dropped beyond the limit, so a tool never blocks on us for longer than a
 * turn. The report comes after the tool and what it left behind are gone, so what is in the pipes by then
 * is all there will be. Time-outs are the runner's business: they are real even on a virtual loop. */
#include "port/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"
#include "port/launch.h"
#include "port/runner.h"

#define DEFAULT_GRACE_MS 5000
#define DEFAULT_MAX_OUTPUT ((size_t)16 << 20)
#define READS_PER_TURN 16 /* of 64 KiB, so that one talkative tool does not hold up the loop */

struct orr__processes {
  orr__loop *loop;
  orr__process_carrier carrier; /* this, unless somebody else runs them */
  char *runner_path;
  orr__map running;
  uint64_t last_id;
  orr__reaper reaper;
};

struct stream {
  struct process *process;
  int fd;
  orr__watch *watch; /* NULL once it is at its end */
  orr__buf buf;
  bool is_truncated, is_out_of_memory;
};

struct process {
  orr__processes *owner;
  uint64_t id;
  int control;
  orr__watch *watch;
  struct stream out, err;
  char *program;
  int64_t timeout_ms;
  orr__process_done done;
  void *arg;
};

static void stream_end(struct stream *stream) {
  orr__watch_free(stream->watch);
  stream->watch = NULL;
}

static void stream_add(struct stream *stream, const char *bytes, size_t len) {
  size_t room = stream->buf.limit - stream->buf.len;
  if (len > room) stream->is_truncated = true;
  orr__buf_add(&stream->buf, bytes, len < room ? len : room);
  if (orr__buf_error(&stream->buf) != ORR_E_NOMEM || stream->is_out_of_memory) return;
  stream->is_out_of_memory = true;
  orr__launch_say(stream->process->control, 'T'); /* a half answer is none: no use in going on */
}

/* Returns false when there is nothing more for now. */
static bool stream_read(struct stream *stream) {
  char bytes[65536];
  ssize_t n = read(stream->fd, bytes, sizeof bytes);
  if (n > 0) stream_add(stream, bytes, (size_t)n);
  else if (n == 0 || (errno != EAGAIN && errno != EINTR)) stream_end(stream);
  return n > 0;
}

static void on_output(void *arg) {
  for (int i = 0; i < READS_PER_TURN && stream_read(arg); i++) continue;
}

/* What a pipe can still hold; bounded, because somebody who was not ended may be writing for ever. */
static void stream_drain(struct stream *stream) {
  for (int i = 0; i < 1024 && stream->watch && stream_read(stream); i++) continue;
  stream_end(stream);
}

static void stream_clear(struct stream *stream) {
  stream_end(stream);
  if (stream->fd >= 0) close(stream->fd);
  orr__buf_clear(&stream->buf);
}

static void process_free(struct process *process) {
  if (!process) return;
  stream_clear(&process->out);
  stream_clear(&process->err);
  orr__watch_free(process->watch);
  if (process->control >= 0) close(process->control);
  free(process->program);
  free(process);
}

/* ---- the end ---- */

static void complete(struct process *process, orr__process_reply *reply) {
  orr__processes *owner = process->owner;
  if (process->out.is_out_of_memory || process->err.is_out_of_memory) {
    reply->code = ORR_E_NOMEM;
    reply->message = "out of memory for its output";
  }
  reply->out = orr__buf_text(&process->out.buf);
  reply->out_len = process->out.buf.len;
  reply->err = orr__buf_text(&process->err.buf);
  reply->err_len = process->err.buf.len;
  reply->is_truncated = process->out.is_truncated || process->err.is_truncated;
  orr__map_remove(&owner->running, process->id);
  orr__loop_busy(owner->loop, -1);
  process->done(process->arg, reply);
  process_free(process);
}

static void describe(const struct process *process, const char *report, orr__process_reply *reply, char *text,
                     size_t size) {
  int is_cancelled, is_timed_out, used = 0;
  const char *package = orr__program_package(process->program);
  if (sscanf(report, "X %d %d %d %d", &reply->exit_code, &reply->signal, &is_cancelled, &is_timed_out) == 4) {
    reply->code = is_timed_out ? ORR_E_TIMEOUT : is_cancelled ? ORR_E_CANCELLED : 0;
    if (is_timed_out)
      snprintf(text, size, "%.150s: timed out after %" PRId64 " ms", process->program, process->timeout_ms);
    else if (is_cancelled) snprintf(text, size, "%.150s: cancelled", process->program);
    return;
  }
  reply->exit_code = -1;
  reply->code = ORR_E_IO;
  if (sscanf(report, "F %d %n", &reply->code, &used) == 1 && used > 0 && reply->code < 0) {
    bool is_missing = reply->code == ORR_E_NO_PROGRAM && package;
    snprintf(text, size, "%s%s%s%s", report + used, is_missing ? " (Debian package " : "", is_missing ? package : "",
             is_missing ? ")" : "");
  } else {
    snprintf(text, size, "%.150s: its job runner died", process->program);
  }
}

static void on_control(void *arg) {
  struct process *process = arg;
  char report[ORR_RUNNER_REPORT_MAX], text[ORR_RUNNER_REPORT_MAX + 64] = "";
  orr__process_reply reply = { 0 };
  ssize_t n = recv(process->control, report, sizeof report - 1, MSG_DONTWAIT);
  /* A runner that is gone without having read all we said: the reset comes before its report. */
  if (n < 0 && errno == ECONNRESET) n = recv(process->control, report, sizeof report - 1, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  report[n > 0 ? n : 0] = '\0';
  stream_drain(&process->out);
  stream_drain(&process->err);
  describe(process, report, &reply, text, sizeof text);
  if (reply.code != 0) reply.message = text;
  complete(process, &reply);
}

/* ---- the interface ---- */

void orr__processes_free(orr__processes *processes) {
  uint64_t id;
  void *value;
  if (!processes) return;
  for (size_t pos = 0; orr__map_next(&processes->running, &pos, &id, &value); pos = 0) {
    struct process *process = value;
    orr__process_reply reply = { .code = ORR_E_CANCELLED, .exit_code = -1, .message = "the runtime is closing" };
    orr__launch_say(process->control, 'K');
    stream_drain(&process->out);
    stream_drain(&process->err);
    complete(process, &reply);
  }
  orr__reaper_clear(&processes->reaper);
  orr__map_clear(&processes->running);
  free(processes->runner_path);
  free(processes);
}

static int stream_open(struct stream *stream, struct process *process, size_t max, int *ret_write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
  stream->fd = ends[0];
  *ret_write_end = ends[1];
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  orr__buf_init(&stream->buf, max ? max : DEFAULT_MAX_OUTPUT);
  stream->process = process;
  int r = orr__watch_new(process->owner->loop, ends[0], on_output, stream, &stream->watch);
  return r == 0 ? 0 : r == ORR_E_NOMEM ? -ENOMEM : -EMFILE;
}

static int start_here(void *self, const orr__process_spec *spec, orr__process_done done, void *arg, uint64_t *ret_id,
                      orr_error *reterr) {
  orr__processes *processes = self;
  orr__launch launch = { .argv = spec->argv, .env = spec->env, .cwd = spec->cwd, .input = spec->input,
                         .input_len = spec->input_len, .timeout_ms = spec->timeout_ms,
                         .grace_ms = spec->grace_ms > 0 ? spec->grace_ms : DEFAULT_GRACE_MS, .fds = { -1, -1 } };
  int r = orr__launch_check(&launch, reterr), e;
  if (r < 0) return r;
  struct process *process = calloc(1, sizeof *process);
  if (!process) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  *process = (struct process){ .owner = processes, .id = ++processes->last_id, .control = -1, .done = done, .arg = arg,
                               .timeout_ms = spec->timeout_ms, .program = orr__strdup(spec->argv[0]),
                               .out = { .fd = -1 }, .err = { .fd = -1 } };
  e = process->program ? 0 : -ENOMEM;
  if (e == 0) e = stream_open(&process->out, process, spec->max_output, &launch.fds[0]);
  if (e == 0) e = stream_open(&process->err, process, spec->max_output, &launch.fds[1]);
  if (e == 0 && orr__map_put(&processes->running, process->id, process) < 0) e = -ENOMEM;
  if (e < 0) {
    r = orr__error_errno(reterr, e == -ENOMEM ? ORR_E_NOMEM : ORR_E_IO, -e, "%s: cannot be started", spec->argv[0]);
    goto done;
  }
  r = orr__launch_start(processes->runner_path, &launch, &processes->reaper, &process->control, reterr);
  if (r < 0) goto done;
  r = orr__watch_new(processes->loop, process->control, on_control, process, &process->watch);
  if (r < 0) {
    orr__launch_say(process->control, 'K');
    orr__error_set(reterr, r, "%s: cannot be watched", spec->argv[0]);
    goto done;
  }
  orr__loop_busy(processes->loop, 1);
  if (ret_id) *ret_id = process->id;
  process = NULL;
done:
  for (int i = 0; i < 2; i++)
    if (launch.fds[i] >= 0) close(launch.fds[i]);
  if (process) orr__map_remove(&processes->running, process->id);
  process_free(process);
  return r;
}

static void abort_here(void *self, uint64_t id) {
  orr__processes *processes = self;
  struct process *process = orr__map_get(&processes->running, id);
  if (process) orr__launch_say(process->control, 'T');
}

static char *find_here(void *self, const char *name) {
  (void)self;
  return orr__program_find(name);
}

int orr__processes_new(orr__loop *loop, const char *runner_path, orr__processes **ret, orr_error *reterr) {
  orr__processes *processes = calloc(1, sizeof *processes);
  char *path = orr__strdup(runner_path);
  if (!processes || !path) {
    free(processes);
    free(path);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  processes->loop = loop;
  processes->runner_path = path;
  processes->carrier = (orr__process_carrier){ processes, start_here, abort_here, find_here };
  orr__map_init(&processes->running);
  orr__reaper_init(&processes->reaper, loop);
  *ret = processes;
  return 0;
}

/* An id of the carrier's and one of ours could be the same number: ours have the highest bit. */
#define OWN_ID (UINT64_C(1) << 63)

void orr__processes_carry(orr__processes *processes, const orr__process_carrier *carrier) { processes->carrier = *carrier; }

int orr__process_start(orr__processes *processes, const orr__process_spec *spec, orr__process_done done, void *arg,
                       uint64_t *ret_id, orr_error *reterr) {
  if (!spec->is_own) return processes->carrier.start(processes->carrier.self, spec, done, arg, ret_id, reterr);
  int code = start_here(processes, spec, done, arg, ret_id, reterr);
  if (!code && ret_id) *ret_id |= OWN_ID;
  return code;
}

void orr__process_abort(orr__processes *processes, uint64_t id) {
  if (id & OWN_ID) abort_here(processes, id & ~OWN_ID);
  else processes->carrier.abort(processes->carrier.self, id);
}

char *orr__process_find(orr__processes *processes, const char *name) {
  return processes->carrier.find(processes->carrier.self, name);
}
