/* Jobs through their carrier: directories and the job runner (job.c), or somebody else. */
#include <stdlib.h>

#include "port/job_parts.h"

/* ---- nowhere ------------------------------------------------------------------------------------------------ */

static int start(void *self, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr) {
  (void)self, (void)done, (void)arg;
  return orr__error_set(reterr, ORR_E_REFUSED, "job %s: local jobs need a data directory, and this runtime has none", spec->name);
}

static int poll(void *self, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr) {
  (void)self, (void)key, (void)name, (void)reterr;
  *ret_status = (orr__job_status){ .state = ORR_JOB_ABSENT };
  return 0;
}

static int absent(const char *key, const char *name, orr_error *reterr) {
  return orr__error_set(reterr, ORR_E_NOT_FOUND, "no job %s of %s", name, key);
}

static int watch(void *self, const char *key, const char *name, orr_error *reterr) {
  (void)self;
  return absent(key, name, reterr);
}

static int cancel(void *self, const char *key, const char *name, orr_error *reterr) {
  (void)self, (void)key, (void)name, (void)reterr;
  return 0;
}

static int read_output(void *self, const char *key, const char *name, const char *stream, int64_t from, size_t max, char **ret_text,
                       size_t *ret_len, int64_t *ret_next, orr_error *reterr) {
  (void)self, (void)stream, (void)from, (void)max, (void)ret_text, (void)ret_len, (void)ret_next;
  return absent(key, name, reterr);
}

static int remove_jobs(void *self, const char *key, orr_error *reterr) {
  (void)self, (void)key, (void)reterr;
  return 0;
}

static int keys(void *self, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr) {
  (void)self, (void)each, (void)arg, (void)reterr;
  return 0;
}

static int list(void *self, const char *key, char ***ret_names, orr_error *reterr) {
  (void)self, (void)key;
  *ret_names = calloc(1, sizeof **ret_names);
  return *ret_names ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

const orr__job_carrier orr__job_nowhere = { NULL, start, poll, watch, cancel, read_output, remove_jobs, keys, list };

/* ---- through the carrier ------------------------------------------------------------------------------------ */

void orr__jobs_carry(orr__jobs *jobs, const orr__job_carrier *carrier) { jobs->carrier = *carrier; }

int orr__job_start(orr__jobs *jobs, const orr__job_spec *spec, orr__job_started done, void *arg, orr_error *reterr) {
  return jobs->carrier.start(jobs->carrier.self, spec, done, arg, reterr);
}

int orr__job_poll(orr__jobs *jobs, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr) {
  return jobs->carrier.poll(jobs->carrier.self, key, name, ret_status, reterr);
}

int orr__job_watch(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr) {
  return jobs->carrier.watch(jobs->carrier.self, key, name, reterr);
}

int orr__job_cancel(orr__jobs *jobs, const char *key, const char *name, orr_error *reterr) {
  return jobs->carrier.cancel(jobs->carrier.self, key, name, reterr);
}

int orr__job_read(orr__jobs *jobs, const char *key, const char *name, const char *stream, int64_t from, size_t max, char **ret_text,
                  size_t *ret_len, int64_t *ret_next, orr_error *reterr) {
  return jobs->carrier.read(jobs->carrier.self, key, name, stream, from, max, ret_text, ret_len, ret_next, reterr);
}

int orr__job_remove(orr__jobs *jobs, const char *key, orr_error *reterr) {
  return jobs->carrier.remove(jobs->carrier.self, key, reterr);
}

int orr__job_keys(orr__jobs *jobs, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr) {
  return jobs->carrier.keys(jobs->carrier.self, each, arg, reterr);
}

int orr__job_list(orr__jobs *jobs, const char *key, char ***ret_names, orr_error *reterr) {
  return jobs->carrier.list(jobs->carrier.self, key, ret_names, reterr);
}
