/* The bindings with real HTTP, processes and jobs on a virtual loop, for the test_bindings_* programs of the libraries. */
#ifndef ORR_TEST_BINDINGS_LIBS_FAKE_H
#define ORR_TEST_BINDINGS_LIBS_FAKE_H

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings_fake.h"

typedef struct libs_fake {
  fake f;
  orr__http *http;
  orr__processes *processes;
  orr__jobs *jobs;
  char dir[64];            /* a folder of the test's own */
  int jobs_ended;
} libs_fake;

static inline void libs_job_ended(void *arg, const char *key, const char *name) {
  (void)key;
  (void)name;
  ((libs_fake *)arg)->jobs_ended++;
}

static inline int libs_setup(void **state) {
  libs_fake *t = calloc(1, sizeof *t);
  char jobs[80];
  orr_error err = ORR_ERROR_INIT;
  strcpy(t->dir, "/tmp/orr-libs-XXXXXX");
  if (!mkdtemp(t->dir)) return -1;
  snprintf(jobs, sizeof jobs, "%s/jobs", t->dir);
  assert_int_equal(orr__loop_new_virtual(FAKE_EPOCH, &t->f.loop, NULL), 0);
  orr__random_seeded(&t->f.random, 1);
  assert_int_equal(orr__http_new(t->f.loop, 0, &t->http, &err), 0);
  assert_int_equal(orr__processes_new(t->f.loop, ORR_TEST_RUNNER, &t->processes, &err), 0);
  assert_int_equal(orr__jobs_new(t->f.loop, jobs, ORR_TEST_RUNNER, libs_job_ended, t, &t->jobs, &err), 0);
  orr__bindings_config config = {
    .loop = t->f.loop, .random = &t->f.random, .http = t->http, .processes = t->processes, .jobs = t->jobs,
    .host = { .core = &t->f, .answered = fake_answered, .mark_sent = fake_mark_sent, .checkpoint = fake_checkpoint, .results = fake_results, .log = fake_log, .provider_changed = fake_changed },
  };
  if (orr__bindings_open(&config, &t->f.bindings, &err)) fail_msg("%s", orr__error_message(&err));
  t->f.ops = orr__bindings_ops(t->f.bindings);
  *state = t;
  return 0;
}

static inline int libs_remove(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st;
  (void)type;
  (void)ftw;
  return remove(path);
}

static inline int libs_teardown(void **state) {
  libs_fake *t = *state;
  orr__bindings_close(t->f.bindings);
  for (int i = 0; i < FAKE_CALLS; i++) {
    orr__call_free(t->f.ended[i]);
    orr__answer_clear(&t->f.answers[i]);
  }
  orr__jobs_free(t->jobs);
  orr__processes_free(t->processes);
  orr__http_free(t->http);
  while (orr__loop_step(t->f.loop, 0)) {}
  orr__loop_free(t->f.loop);
  nftw(t->dir, libs_remove, 16, FTW_DEPTH | FTW_PHYS);
  free(t);
  return 0;
}

/* Loads a provider: needs is the inside of the table, top what stands before the hook, body executeBackup's. %s of both is the dir. */
static inline void libs_load(libs_fake *t, const char *needs, const char *top, const char *body) {
  orr_error err = ORR_ERROR_INIT;
  char *text = orr__strf("local provider = Provider { apiVersion = 1, code = 'test', name = 'Test', version = '1.0', needs = { %s } }\n"
                         "local DIR = '%s'\n%s\nfunction provider.executeBackup(backup, backupResult, executionConfig)\n%s\nend\nreturn provider\n",
                         needs, t->dir, top, body);
  if (fake_load_text(&t->f, text, &err)) fail_msg("%s\n%s", orr__error_message(&err), text);
  free(text);
}

static inline orr__answer *libs_run(libs_fake *t, const char *needs, const char *body) {
  libs_load(t, needs, "", body);
  return fake_run(&t->f, ORR_HOOK_executeBackup);
}

/* The body's asserts hold. */
static inline void libs_ok(libs_fake *t, const char *needs, const char *body) {
  assert_success(libs_run(t, needs, body));
}

#define LIBS_TEST(name) cmocka_unit_test_setup_teardown(name, libs_setup, libs_teardown)

#endif
