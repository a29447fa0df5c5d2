/* Local jobs that the host keeps elsewhere: what is known of them is what the host has said, in answers to jobStart and by
 * orr_host_tell.
 *
 *   jobStart (a call)    asks for a job, by key and name; the host starts it, or adopts the one there is, and answers its state
 *   orr_host_tell        { "job": { key, name, state, code, ... , "log": "more of it", "out": "more of it" } }, whenever something is new
 *   jobCancel, jobRemove (calls whose answers do not matter)
 *
 * Polling and reading never wait, so a host that was restarted together with the runtime tells of its jobs before the first
 * step. Output beyond OUTPUT_MAX forgets its beginning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

#define OUTPUT_MAX ((size_t)4 << 20)
#define KEPT_JOBS_MAX 100000

typedef struct kept_output {
  char *text;
  size_t len;
  int64_t base;                  /* the offset of text[0] */
} kept_output;

typedef struct kept {
  struct kept *next;
  char *key, *name;
  orr__job_status status;
  kept_output log, out;
  bool is_watched;               /* its end is to be announced */
} kept;

struct orr__kept_jobs {
  orr_runtime *rt;
  kept *first;
  size_t count;
  orr__timer timer;              /* announces ends in the next turn */
};

typedef struct starting {
  orr_runtime *rt;
  orr__job_started done;
  void *arg;
  char *key, *name;
} starting;

/* ---- the list ----------------------------------------------------------------------------------------------- */

static kept *find(const struct orr__kept_jobs *jobs, const char *key, const char *name) {
  kept *job = jobs->first;
  while (job && (strcmp(job->key, key) || strcmp(job->name, name))) job = job->next;
  return job;
}

static void free_job(kept *job) {
  if (!job) return;
  free(job->key);
  free(job->name);
  free(job->log.text);
  free(job->out.text);
  free(job);
}

static kept *get(struct orr__kept_jobs *jobs, const char *key, const char *name) {
  kept *job = find(jobs, key, name);
  if (job || jobs->count >= KEPT_JOBS_MAX) return job;
  job = calloc(1, sizeof *job);
  if (job) *job = (kept){ .next = jobs->first, .key = orr__strdup(key), .name = orr__strdup(name) };
  if (!job || !job->key || !job->name) {
    free_job(job);
    return NULL;
  }
  jobs->first = job;
  jobs->count++;
  return job;
}

static bool has_ended(const kept *job) { return job->status.state == ORR_JOB_ENDED || job->status.state == ORR_JOB_LOST; }

/* Whoever is told of an end may start, watch and remove jobs: the list is walked anew. */
static void announce(void *arg) {
  struct orr__kept_jobs *jobs = arg;
  for (kept *job = jobs->first; job; job = job ? job->next : jobs->first) {
    if (!job->is_watched || !has_ended(job)) continue;
    job->is_watched = false;
    char *key = orr__strdup(job->key), *name = orr__strdup(job->name);
    if (key && name) orr__job_ended(jobs->rt, key, name);
    free(key);
    free(name);
    job = NULL;
  }
}

static void announce_soon(struct orr__kept_jobs *jobs) {
  orr__timer_start(jobs->rt->loop, &jobs->timer, orr__loop_mono_ms(jobs->rt->loop), announce, jobs);
}

/* ---- what the host says ------------------------------------------------------------------------------------- */

static int take_state(const orr__json *said, orr__job_status *status, orr_error *reterr) {
  const char *word = orr__json_str(said, "state");
  static const enum orr__job_state states[] = { ORR_JOB_ABSENT, ORR_JOB_STARTING, ORR_JOB_RUNNING, ORR_JOB_ENDED, ORR_JOB_LOST };
  size_t i = 0, count = sizeof states / sizeof *states;
  while (word && i < count && strcmp(orr__job_state_word(states[i]), word)) i++;
  if (!word) return orr__json_get(said, "state") ? orr__error_set(reterr, ORR_E_INVALID, "job: 'state' is no word") : 0;
  if (i == count) return orr__error_set(reterr, ORR_E_INVALID, "job: no state '%.40s': absent, starting, running, ended or lost", word);
  status->state = states[i];
  return 0;
}

/* Only what is there changes. */
static int take_status(const orr__json *said, orr__job_status *status, orr_error *reterr) {
  int code = take_state(said, status, reterr);
  if (code) return code;
  status->exit_code = (int)orr__json_int(said, "code", status->exit_code);
  status->signal = (int)orr__json_int(said, "signal", status->signal);
  status->is_cancelled = orr__json_bool(said, "cancelled", status->is_cancelled);
  status->is_timed_out = orr__json_bool(said, "timedOut", status->is_timed_out);
  status->started_ms = orr__json_int(said, "startDate", status->started_ms);
  status->ended_ms = orr__json_int(said, "endDate", status->ended_ms);
  const char *message = orr__json_str(said, "message");
  if (message) snprintf(status->message, sizeof status->message, "%s", message);
  return 0;
}

static int add_output(kept_output *output, const char *text) {
  size_t len = text ? strlen(text) : 0;
  if (len == 0) return 0;
  if (len > OUTPUT_MAX) {
    output->base += (int64_t)(output->len + len - OUTPUT_MAX);
    output->len = 0;
    text += len - OUTPUT_MAX;
    len = OUTPUT_MAX;
  } else if (output->len + len > OUTPUT_MAX) {
    size_t gone = output->len + len - OUTPUT_MAX;
    memmove(output->text, output->text + gone, output->len - gone);
    output->base += (int64_t)gone;
    output->len -= gone;
  }
  char *longer = realloc(output->text, output->len + len + 1);
  if (!longer) return ORR_E_NOMEM;
  memcpy(longer + output->len, text, len + 1);
  output->text = longer;
  output->len += len;
  return 0;
}

int orr__told_job(orr_runtime *rt, const orr__json *said, orr_error *reterr) {
  const char *key = orr__json_str(said, "key"), *name = orr__json_str(said, "name");
  if (!key || !name) return orr__error_set(reterr, ORR_E_INVALID, "job: 'key' and 'name' say which one is meant");
  orr__job_status status = { 0 };
  int code = take_status(said, &status, reterr);
  if (code) return code;
  kept *job = get(rt->kept_jobs, key, name);
  if (!job) return orr__error_set(reterr, ORR_E_LIMIT, "job %s of %s: no room for it", name, key);
  take_status(said, &job->status, NULL);
  if (add_output(&job->log, orr__json_str(said, "log")) || add_output(&job->out, orr__json_str(said, "out")))
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (job->is_watched && has_ended(job)) announce_soon(rt->kept_jobs);
  return 0;
}

/* ---- the carrier -------------------------------------------------------------------------------------------- */

int orr__check_started(const orr__json *answer, orr_error *reterr) {
  orr__job_status status = { 0 };
  if (orr__json_is_null(answer)) return 0;
  if (!orr__json_is_map(answer)) return orr__error_set(reterr, ORR_E_INVALID, "an answer to jobStart is { state, ... }");
  return take_status(answer, &status, reterr);
}

static void free_starting(starting *s) {
  free(s->key);
  free(s->name);
  free(s);
}

static void on_started(void *arg, const orr__hostcall_reply *reply) {
  starting *s = arg;
  orr__job_status status = { .state = ORR_JOB_ABSENT };
  orr__json *answer = orr__json_parse(reply->text, strlen(reply->text), NULL);
  kept *job = reply->code ? NULL : get(s->rt->kept_jobs, s->key, s->name);
  int code = reply->code ? reply->code : job ? 0 : ORR_E_LIMIT;
  if (job) {
    if (job->status.state == ORR_JOB_ABSENT) job->status.state = ORR_JOB_RUNNING;
    if (!has_ended(job)) take_status(answer, &job->status, NULL); /* news of its end may have come before */
    job->is_watched = true;
    status = job->status;
    if (has_ended(job)) announce_soon(s->rt->kept_jobs);
  }
  orr__json_free(answer);
  s->done(s->arg, code, &status, code ? reply->message ? reply->message : "no room for the job" : NULL);
  free_starting(s);
}

static int start(void *self, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr) {
  orr_runtime *rt = self;
  uint64_t id;
  starting *s = calloc(1, sizeof *s);
  orr__json *map = orr__spawn_json("jobStart", spec->argv, spec->env, spec->cwd, spec->input, spec->input_len, spec->timeout_ms, spec->grace_ms);
  if (s) *s = (starting){ rt, done, arg, orr__strdup(spec->key), orr__strdup(spec->name) };
  bool is_whole = s && map && s->key && s->name && orr__json_put_str(map, "key", spec->key) == 0 &&
                  orr__json_put_str(map, "name", spec->name) == 0 && orr__json_put_bool(map, "split", spec->split) == 0;
  char *text = orr__json_spent(map);
  int code = is_whole && text ? orr__hostcall_start(rt->calls, "process", text, 0, on_started, s, &id, reterr)
                              : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (text) explicit_bzero(text, strlen(text));
  free(text);
  if (code && s) free_starting(s);
  return code;
}

static int poll_job(void *self, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr) {
  (void)reterr;
  const kept *job = find(((orr_runtime *)self)->kept_jobs, key, name);
  *ret_status = job ? job->status : (orr__job_status){ .state = ORR_JOB_ABSENT };
  return 0;
}

static int absent(const char *key, const char *name, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_NOT_FOUND, "no job %s of %s", name, key);
}

static int watch(void *self, const char *key, const char *name, orr_error *reterr) {
  struct orr__kept_jobs *jobs = ((orr_runtime *)self)->kept_jobs;
  kept *job = find(jobs, key, name);
  if (!job || job->status.state == ORR_JOB_ABSENT) return absent(key, name, reterr);
  job->is_watched = true;
  if (has_ended(job)) announce_soon(jobs);
  return 0;
}

static void ignore(void *arg, const orr__hostcall_reply *reply) { (void)arg, (void)reply; }

/* A call whose answer does not matter. */
static int ask(orr_runtime *rt, const char *op, const char *key, const char *name, orr_error *reterr) {
  uint64_t id;
  orr__json *map = orr__json_map();
  bool is_whole = map && orr__json_put_str(map, "op", op) == 0 && orr__json_put_str(map, "key", key) == 0 && (!name || orr__json_put_str(map, "name", name) == 0);
  char *text = orr__json_spent(map);
  int code = is_whole && text ? orr__hostcall_start(rt->calls, "process", text, 0, ignore, NULL, &id, reterr)
                              : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  free(text);
  return code;
}

static int cancel(void *self, const char *key, const char *name, orr_error *reterr) {
  orr_runtime *rt = self;
  const kept *job = find(rt->kept_jobs, key, name);
  bool runs = job && (job->status.state == ORR_JOB_STARTING || job->status.state == ORR_JOB_RUNNING);
  return runs ? ask(rt, "jobCancel", key, name, reterr) : 0;
}

static int read_output(void *self, const char *key, const char *name, const char *stream, int64_t from, size_t max, char **ret_text,
                       size_t *ret_len, int64_t *ret_next, orr_error *reterr) {
  const kept *job = find(((orr_runtime *)self)->kept_jobs, key, name);
  if (!job) return absent(key, name, reterr);
  const kept_output *output = strcmp(stream, "out") == 0 ? &job->out : &job->log;
  int64_t end = output->base + (int64_t)output->len;
  if (from < 0) from += end;
  if (from < output->base) from = output->base;
  if (from > end) from = end;
  size_t at = (size_t)(from - output->base), len = output->len - at;
  if (len > max) len = max;
  *ret_text = orr__strndup(output->text ? output->text + at : "", len);
  if (!*ret_text) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  *ret_len = len;
  *ret_next = from + (int64_t)len;
  return 0;
}

static int remove_jobs(void *self, const char *key, orr_error *reterr) {
  orr_runtime *rt = self;
  struct orr__kept_jobs *jobs = rt->kept_jobs;
  bool had_any = false;
  for (const kept *job = jobs->first; job; job = job->next) {
    if (strcmp(job->key, key) || (job->status.state != ORR_JOB_STARTING && job->status.state != ORR_JOB_RUNNING)) continue;
    return orr__error_set(reterr, ORR_E_REFUSED, "the job %s of %s is running: cancel it first", job->name, key);
  }
  for (kept **link = &jobs->first, *job; (job = *link);) {
    if (strcmp(job->key, key)) {
      link = &job->next;
      continue;
    }
    *link = job->next;
    free_job(job);
    jobs->count--;
    had_any = true;
  }
  return had_any ? ask(rt, "jobRemove", key, NULL, reterr) : 0;
}

static int keys(void *self, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr) {
  (void)reterr;
  for (const kept *job = ((orr_runtime *)self)->kept_jobs->first; job; job = job->next) each(arg, job->key);
  return 0;
}

static int list(void *self, const char *key, char ***ret_names, orr_error *reterr) {
  const struct orr__kept_jobs *jobs = ((orr_runtime *)self)->kept_jobs;
  char **names = calloc(jobs->count + 1, sizeof *names);
  size_t count = 0;
  bool is_whole = names != NULL;
  for (const kept *job = jobs->first; is_whole && job; job = job->next)
    if (strcmp(job->key, key) == 0) is_whole = (names[count++] = orr__strdup(job->name)) != NULL;
  if (is_whole) {
    *ret_names = names;
    return 0;
  }
  for (size_t i = 0; names && i < count; i++) free(names[i]);
  free(names);
  return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

int orr__carry_jobs(orr_runtime *rt, orr_error *reterr) {
  if (rt->kept_jobs) return 0;
  struct orr__kept_jobs *jobs = calloc(1, sizeof *jobs);
  if (!jobs || orr__timer_reserve(rt->loop, &jobs->timer)) {
    free(jobs);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  jobs->rt = rt;
  rt->kept_jobs = jobs;
  orr__jobs_carry(rt->jobs, &(orr__job_carrier){ rt, start, poll_job, watch, cancel, read_output, remove_jobs, keys, list });
  return 0;
}

void orr__kept_jobs_free(orr_runtime *rt) {
  if (!rt->kept_jobs) return;
  orr__timer_release(rt->loop, &rt->kept_jobs->timer);
  for (kept *job; (job = rt->kept_jobs->first);) {
    rt->kept_jobs->first = job->next;
    free_job(job);
  }
  free(rt->kept_jobs);
  rt->kept_jobs = NULL;
}
