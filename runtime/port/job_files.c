/* A job directory read and written: the library's side of what runner_files_main.c writes.
 *
 * The state is decided by files and the lock alone, in an order that no timing can fool:
 *
 *   1. exit there?            ended
 *   2. lock held?             starting or running, by begun
 *   3. exit there by now?     ended: it was written between 1 and 2, and before the lock was let go
 *   4. begun there?           lost, else absent
 *
 * because exit is on disk before the lock is released, begun before anything is executed, and the lock is taken
 * before the spec is written and handed, locked, to the runner: there is no moment at which a job that was
 * or may be executed has neither an exit nor a held lock, but by the death of all who held it. The lock
 * is tested with a shared flock on a descriptor of its own, read-only, which disturbs nobody but a start in the
 * same instant, and starts are made by this thread. Process ids decide nothing.
 *
 * Where somebody has removed the lock of a job that has begun, the evidence is gone: an error, and no state, until there is an exit. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "port/job_parts.h"
#include "port/runner.h"

#define NAME_MAX_LEN 100
#define FILE_MAX 65536 /* of begun and exit */
#define LOST_MESSAGE "it ended without a word: its runner was killed or the machine went down"

const char *orr__job_state_word(enum orr__job_state state) {
  static const char *const words[] = { "absent", "starting", "running", "ended", "lost" };
  return (size_t)state < sizeof words / sizeof *words ? words[state] : "unknown";
}

/* ---- names and paths ---- */

static bool is_name(const char *text) {
  size_t len = text ? strlen(text) : 0;
  if (len == 0 || len > NAME_MAX_LEN || *text == '.') return false;
  return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

int orr__job_check_names(const char *key, const char *name, orr_error *reterr) {
  const char *bad = !is_name(key) ? key : !is_name(name) ? name : NULL;
  if (is_name(key) && is_name(name)) return 0;
  return orr__error_set(reterr, ORR_E_INVALID,
                        "'%.120s' is no name of a job: letters, digits, - _ and . (not first), at most 100",
                        bad ? bad : "");
}

char *orr__job_path(const orr__jobs *jobs, const char *key, const char *name) {
  return name ? orr__strf("%s/%s/%s", jobs->dir, key, name) : orr__strf("%s/%s", jobs->dir, key);
}

char *orr__job_file(const char *path, const char *file) { return orr__strf("%s/%s", path, file); }

int orr__job_make_dir(const char *path, orr_error *reterr) {
  char *copy = orr__strdup(path);
  int r = 0;
  if (!copy) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  for (char *slash = copy + 1; r == 0; *slash++ = '/') {
    slash = strchrnul(slash, '/');
    bool is_last = *slash == '\0';
    *slash = '\0';
    if (mkdir(copy, 0700) < 0 && errno != EEXIST)
      r = orr__error_errno(reterr, ORR_E_IO, errno, "the directory %s", copy);
    if (is_last) break;
  }
  free(copy);
  return r;
}

/* ---- lines of key=value ---- */

/* The value of a key, unescaped; false if there is no such line. */
static bool value_of(const char *text, const char *key, char *ret, size_t size) {
  size_t len = strlen(key), n = 0;
  const char *line = strchr(text, '\n');
  while (line && !(strncmp(line + 1, key, len) == 0 && line[1 + len] == '=')) line = strchr(line + 1, '\n');
  if (!line) return false;
  for (const char *at = line + len + 2; *at && *at != '\n' && n + 1 < size; at++) {
    if (*at == '\\' && at[1] && at[1] != '\n') {
      at++;
      ret[n++] = *at == 'n' ? '\n' : *at;
    } else {
      ret[n++] = *at;
    }
  }
  ret[n] = '\0';
  return true;
}

static bool number_of(const char *text, const char *key, int64_t min, int64_t max, int64_t *ret) {
  char value[32], *end;
  if (!value_of(text, key, value, sizeof value) || !*value) return false;
  errno = 0;
  long long number = strtoll(value, &end, 10);
  if (*end || errno || number < min || number > max) return false;
  *ret = number;
  return true;
}

static bool is_whole(const char *text, size_t len, const char *head) {
  size_t head_len = strlen(head);
  return strlen(text) == len && strncmp(text, head, head_len) == 0 && text[head_len] == '\n' && len > head_len + 5 &&
         strcmp(text + len - 5, "\nend\n") == 0;
}

static void add_line(orr__buf *buf, const char *key, const char *value) {
  orr__buf_addf(buf, "%s=", key);
  for (; *value; value++) {
    if (*value == '\n') orr__buf_adds(buf, "\\n");
    else if (*value == '\\') orr__buf_adds(buf, "\\\\");
    else orr__buf_addc(buf, *value);
  }
  orr__buf_addc(buf, '\n');
}

/* ---- what there is ---- */

/* NOT_FOUND if there is no such file. */
static int read_file(const char *path, const char *file, char **ret_text, size_t *ret_len, orr_error *reterr) {
  char *name = orr__job_file(path, file);
  if (!name) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int r = orr__file_read(name, FILE_MAX, ret_text, ret_len, reterr);
  free(name);
  return r;
}

static bool has_file(const char *path, const char *file) {
  char *name = orr__job_file(path, file);
  bool is_there = name && access(name, F_OK) == 0;
  free(name);
  return is_there;
}

int orr__job_is_held(const char *path, const char *lock, bool *ret_is_held, orr_error *reterr) {
  int r = 0;
  char *name = orr__job_file(path, lock);
  if (!name) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0) *ret_is_held = false;
  else if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) r = ORR_E_NOT_FOUND;
  else if (fd >= 0 && errno == EWOULDBLOCK) *ret_is_held = true;
  else r = orr__error_errno(reterr, ORR_E_IO, errno, "%s", name);
  if (fd >= 0) close(fd);
  free(name);
  return r;
}

/* A damaged one: lost, with a message that says what is wrong with it. */
static void parse_exit(const char *path, const char *text, size_t len, orr__job_status *status, int *ret_failure) {
  int64_t failure, code, signum, cancelled, timed_out, started, ended;
  const char *wrong = NULL;
  if (!is_whole(text, len, ORR_JOB_EXIT_HEAD)) wrong = "it is incomplete or of another version";
  else if (!number_of(text, "failure", INT_MIN, 0, &failure)) wrong = "'failure' is no error code";
  else if (!number_of(text, "code", -1, 255, &code)) wrong = "'code' is no exit code";
  else if (!number_of(text, "signal", 0, 255, &signum)) wrong = "'signal' is no signal";
  else if (!number_of(text, "cancelled", 0, 1, &cancelled)) wrong = "'cancelled' is neither 0 nor 1";
  else if (!number_of(text, "timed_out", 0, 1, &timed_out)) wrong = "'timed_out' is neither 0 nor 1";
  else if (!number_of(text, "started_ms", 0, INT64_MAX, &started)) wrong = "'started_ms' is no time";
  else if (!number_of(text, "ended_ms", 0, INT64_MAX, &ended)) wrong = "'ended_ms' is no time";
  else if (!value_of(text, "message", status->message, sizeof status->message)) wrong = "there is no 'message'";
  if (wrong) {
    size_t path_len = strlen(path); /* its end names the job */
    status->state = ORR_JOB_LOST;
    snprintf(status->message, sizeof status->message, "its exit file is damaged: %s (%s%s/" ORR_JOB_EXIT ")", wrong,
             path_len > 120 ? "..." : "", path_len > 120 ? path + path_len - 120 : path);
    return;
  }
  status->state = ORR_JOB_ENDED;
  status->exit_code = (int)code;
  status->signal = (int)signum;
  status->is_cancelled = cancelled != 0;
  status->is_timed_out = timed_out != 0;
  status->started_ms = started;
  status->ended_ms = ended;
  *ret_failure = (int)failure;
}

/* Returns 0 with the state set, NOT_FOUND if there is no exit file, or an error. */
static int look_at_exit(const char *path, orr__job_status *status, int *ret_failure, orr_error *reterr) {
  char *text = NULL;
  size_t len = 0;
  orr_error err = ORR_ERROR_INIT;
  int r = read_file(path, ORR_JOB_EXIT, &text, &len, &err);
  if (r == 0) parse_exit(path, text, len, status, ret_failure);
  if (r == ORR_E_LIMIT) {
    parse_exit(path, "", 0, status, ret_failure);
    r = 0;
  }
  if (r < 0 && r != ORR_E_NOT_FOUND) orr__error_move(reterr, &err);
  orr__error_clear(&err);
  free(text);
  return r;
}

static bool look_at_begun(const char *path, orr__job_status *status) {
  char *text = NULL;
  size_t len = 0;
  int r = read_file(path, ORR_JOB_BEGUN, &text, &len, NULL);
  if (r == 0 && is_whole(text, len, ORR_JOB_BEGUN_HEAD))
    number_of(text, "started_ms", 0, INT64_MAX, &status->started_ms);
  free(text);
  return r != ORR_E_NOT_FOUND; /* one that cannot be read has begun all the same */
}

pid_t orr__job_session(const char *path) {
  char *text = NULL;
  size_t len = 0;
  int64_t tool = 0;
  int r = read_file(path, ORR_JOB_BEGUN, &text, &len, NULL);
  if (r == 0 && is_whole(text, len, ORR_JOB_BEGUN_HEAD)) number_of(text, "tool", 2, INT_MAX, &tool);
  free(text);
  return (pid_t)tool;
}

int orr__job_look(const char *path, orr__job_status *ret_status, int *ret_failure, orr_error *reterr) {
  orr__job_status status = { .state = ORR_JOB_ABSENT };
  int failure = 0;
  bool held = false, has_lock = true;
  int r = look_at_exit(path, &status, &failure, reterr);
  if (r == ORR_E_NOT_FOUND) {
    r = orr__job_is_held(path, ORR_JOB_LOCK, &held, reterr);
    if (r < 0 && r != ORR_E_NOT_FOUND) return r;
    has_lock = r == 0;
    r = held ? ORR_E_NOT_FOUND : look_at_exit(path, &status, &failure, reterr);
  }
  if (r < 0 && r != ORR_E_NOT_FOUND) return r;
  if (r == 0 && status.state == ORR_JOB_LOST) { /* damaged, and perhaps by the tool itself */
    r = orr__job_is_held(path, ORR_JOB_LOCK, &held, reterr);
    if (r < 0 && r != ORR_E_NOT_FOUND) return r;
    if (held) status.state = ORR_JOB_RUNNING;
  } else if (r == ORR_E_NOT_FOUND) {
    bool has_begun = look_at_begun(path, &status);
    if (has_begun && !has_lock)
      return orr__error_set(reterr, ORR_E_CORRUPT,
                            "the job directory %s has lost its file " ORR_JOB_LOCK ": nobody can tell whether the job runs", path);
    if (held) status.state = has_begun ? ORR_JOB_RUNNING : ORR_JOB_STARTING;
    else if (has_begun) {
      status.state = ORR_JOB_LOST;
      status.is_cancelled = has_file(path, ORR_JOB_CANCEL);
      snprintf(status.message, sizeof status.message, LOST_MESSAGE);
    }
  }
  *ret_status = status;
  *ret_failure = failure;
  return 0;
}

int orr__job_write_spec(const char *path, const orr__job_spec *spec, int64_t now_ms, orr_error *reterr) {
  int r = 0;
  orr__buf buf;
  orr__buf_init(&buf, 2 * (size_t)ORR_RUNNER_REQUEST_MAX);
  orr__buf_adds(&buf, ORR_JOB_SPEC_HEAD "\n");
  for (const char *const *arg = spec->argv; *arg; arg++) add_line(&buf, "arg", *arg);
  add_line(&buf, "cwd", spec->cwd ? spec->cwd : "/");
  orr__buf_addf(&buf, "timeout_ms=%" PRId64 "\ngrace_ms=%" PRId64 "\nsplit=%d\nrequested_ms=%" PRId64 "\nend\n",
                spec->timeout_ms, spec->grace_ms, spec->split, now_ms);
  char *new_name = orr__job_file(path, ORR_JOB_SPEC ".new"), *name = orr__job_file(path, ORR_JOB_SPEC);
  if (!new_name || !name || orr__buf_error(&buf)) {
    r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    goto done;
  }
  int fd = open(new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  for (size_t put = 0; fd >= 0 && put < buf.len;) {
    ssize_t n = write(fd, buf.data + put, buf.len - put);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      r = errno;
      break;
    }
    put += (size_t)n;
  }
  if (fd < 0) r = errno;
  else if (close(fd) < 0 && r == 0) r = errno;
  if (r == 0 && rename(new_name, name) < 0) r = errno;
  if (r != 0) r = orr__error_errno(reterr, ORR_E_IO, r, "%s", name);
done:
  free(new_name);
  free(name);
  orr__buf_clear(&buf);
  return r;
}
