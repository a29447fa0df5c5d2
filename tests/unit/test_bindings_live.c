/* What becomes of a version that was read: what it is granted, whether it can read what is stored, what is kept of it and comes back; and
 * states that are replaced by fresh ones. On a virtual loop, where who asks has files read. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings_fake.h"
#include "registry.h"

#define KEPT_MAX 16

typedef struct keeping {
  char *version, *sha256, *sources, *granted, *held;
  int state_version, reads[ORR_READS_MAX];
  size_t reads_count;
  bool is_back;
} keeping;

typedef struct place {
  char dir[128];
  const char *list[2];
  fake f;
  keeping kept[KEPT_MAX];
  int kept_count;
  /* can_read */
  int asked, answer;         /* 0, or what it is answered with */
  bool holds;                /* the test answers */
  orr__ready ready;
  void *arg;
} place;

static void keep(void *core, const orr__kept *k, bool is_back) {
  place *p = (place *)(void *)((char *)core - offsetof(place, f));
  assert_true(p->kept_count < KEPT_MAX);
  keeping *to = &p->kept[p->kept_count++];
  *to = (keeping){ orr__strdup(k->version), orr__strdup(k->sha256), orr__strdup(k->sources), orr__strdup(k->granted), orr__strdup(k->held_sha256),
                   k->state_version, { 0 }, k->reads_count, is_back };
  memcpy(to->reads, k->reads_state, k->reads_count * sizeof *to->reads);
}

static void answer_now(void *arg) {
  place *p = arg;
  orr_error err = ORR_ERROR_INIT;
  orr__ready ready = p->ready;
  p->ready = NULL;
  if (p->answer) orr__error_set(&err, p->answer, "3 results");
  ready(p->arg, p->answer, p->answer ? &err : NULL);
  orr__error_clear(&err);
}

static int can_read(void *core, const char *code, const int *reads, size_t count, orr__ready ready, void *arg) {
  place *p = (place *)(void *)((char *)core - offsetof(place, f));
  assert_string_equal(code, "test");
  assert_true(count > 0 && reads[0] > 0);
  p->asked++;
  p->ready = ready;
  p->arg = arg;
  if (!p->holds) orr__loop_defer(p->f.loop, answer_now, p);
  return 0;
}

static void open_bindings(place *p) {
  orr__bindings_config config = {
    .loop = p->f.loop, .http = p->f.http, .random = &p->f.random, .dirs = p->list, .asks_trust = true,
    .host = { .core = &p->f, .answered = fake_answered, .mark_sent = fake_mark_sent, .checkpoint = fake_checkpoint, .results = fake_results,
              .log = fake_log, .provider_changed = fake_changed, .keep = keep, .can_read = can_read },
  };
  assert_int_equal(orr__bindings_open(&config, &p->f.bindings, NULL), 0);
  p->f.ops = orr__bindings_ops(p->f.bindings);
}

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  snprintf(p->dir, sizeof p->dir, "/tmp/orr-test-live-XXXXXX");
  if (!mkdtemp(p->dir)) return -1;
  p->list[0] = p->dir;
  fake_open(&p->f);
  orr__bindings_close(p->f.bindings);
  open_bindings(p);
  *state = p;
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

static int tear_down(void **state) {
  place *p = *state;
  fake_close(&p->f);
  for (int i = 0; i < p->kept_count; i++) {
    char *owned[] = { p->kept[i].version, p->kept[i].sha256, p->kept[i].sources, p->kept[i].granted, p->kept[i].held };
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
  }
  nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(p);
  return 0;
}

static orr__kept kept_of(const keeping *k) {
  return (orr__kept){ .code = "test", .version = k->version, .sha256 = k->sha256, .sources = k->sources, .granted = k->granted,
                      .state_version = k->state_version, .reads_state = k->reads, .reads_count = k->reads_count, .held_sha256 = k->held };
}

/* The runtime ends and comes again: what it had kept last is what it remembers. */
static void restart(place *p) {
  orr__bindings_close(p->f.bindings);
  while (orr__loop_step(p->f.loop, 0)) {}
  open_bindings(p);
  if (p->kept_count == 0) return;
  orr__kept kept = kept_of(&p->kept[p->kept_count - 1]);
  p->f.ops->remember(p->f.ops->self, &kept);
}

static void write_text(place *p, const char *text) {
  char path[256];
  snprintf(path, sizeof path, "%s/test.lua", p->dir);
  assert_int_equal(orr__file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void write_version(place *p, const char *version, const char *declared) {
  char text[1024];
  snprintf(text, sizeof text, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '%s', %s }\n"
           "function provider.executeBackup(b, r) r.externalId = '%s' end\nreturn provider\n", version, declared, version);
  write_text(p, text);
}

static const orr__declaration *describe(place *p) {
  const orr__declaration *d = NULL;
  orr_error err = ORR_ERROR_INIT;
  if (p->f.ops->describe(p->f.ops->self, "test", &d, &err)) fail_msg("%s", orr__error_message(&err));
  return d;
}

static void expect(place *p, const char *version, const char *warning) {
  const orr__declaration *d = describe(p);
  assert_string_equal(d->version, version);
  if (warning) assert_has(d->warning, warning);
  else if (d->warning) fail_msg("%s", d->warning);
}

static orr__provider_state state_of(place *p) {
  orr__provider_state s;
  assert_int_equal(p->f.ops->state(p->f.ops->self, "test", &s), 0);
  return s;
}

static int trust(place *p, enum orr__reload *last) {
  const char *why;
  return p->f.ops->trust(p->f.ops->self, "test", state_of(p).file_sha256, last, &why, NULL);
}

/* ---- kept ---------------------------------------------------------------------------------------------------- */

static void test_live__what_is_live_is_kept_once(void **state) {
  place *p = *state;
  write_version(p, "1", "needs = { exec = { 'tar' } }, stateVersion = 3, readsState = { 1, 2 }");
  expect(p, "1", NULL);
  describe(p);
  assert_int_equal(p->kept_count, 1);
  const keeping *k = &p->kept[0];
  assert_string_equal(k->sha256, describe(p)->sha256);
  assert_has(k->granted, "\"tar\"");
  assert_int_equal(k->state_version, 3);
  assert_int_equal(k->reads_count, 3);
  restart(p);
  expect(p, "1", NULL);
  assert_int_equal(p->kept_count, 1); /* it is kept already */
  assert_false(state_of(p).is_kept);
  write_version(p, "2", "needs = { exec = { 'tar' } }, stateVersion = 3, readsState = { 1, 2 }");
  expect(p, "2", NULL);
  assert_int_equal(p->kept_count, 2);
}

static void test_live__a_broken_file_after_a_restart_leaves_the_last_good_one(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  write_text(p, "if then");
  restart(p);
  p->f.refusals = 0;
  expect(p, "1", "test.lua:1");
  assert_true(state_of(p).is_kept);
  assert_int_equal(p->f.refusals, 1);
  assert_true(p->f.works);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "1");
  write_version(p, "1", "");
  expect(p, "1", NULL); /* it is what runs, again */
  assert_false(state_of(p).is_kept);
  assert_int_equal(p->kept_count, 1);
}

static void test_live__bytes_that_are_no_text_are_kept_too(void **state) {
  place *p = *state;
  write_text(p, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\n"
                "function provider.executeBackup(b, r) r.externalId = tostring(#'\xff\xfe') end\nreturn provider\n");
  expect(p, "1", NULL);
  assert_has(p->kept[0].sources, "base64");
  write_text(p, "if then");
  restart(p);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "2");
}

static void test_live__what_is_not_what_was_kept_is_not_used(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  char *at = strstr(p->kept[0].sources, "externalId");
  assert_non_null(at);
  *at = 'E';
  write_text(p, "if then");
  restart(p);
  const orr__declaration *d = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(p->f.ops->describe(p->f.ops->self, "test", &d, &err), ORR_E_PROVIDER);
  assert_has(orr__error_message(&err), "test.lua:1");
  assert_has(p->f.log, "is not what it was");
  orr__error_clear(&err);
}

static void test_live__what_is_given_from_memory_is_not_kept(void **state) {
  place *p = *state;
  fake_load(&p->f, "");
  assert_int_equal(p->kept_count, 0);
  assert_int_equal(p->asked, 0);
  assert_null(state_of(p).granted);
}

/* ---- back ------------------------------------------------------------------------------------------------------ */

static void test_live__rolled_back_it_stays_until_the_file_changes(void **state) {
  place *p = *state;
  write_version(p, "1", "needs = { exec = { 'tar' } }");
  expect(p, "1", NULL);
  write_version(p, "2", "");
  expect(p, "2", NULL);
  orr__kept kept = kept_of(&p->kept[0]);
  assert_int_equal(p->f.ops->roll_back(p->f.ops->self, &kept, NULL), 0);
  expect(p, "1", NULL);
  assert_true(state_of(p).is_rolled_back);
  assert_has(state_of(p).granted, "tar");
  assert_int_equal(p->kept_count, 3);
  assert_true(p->kept[2].is_back);
  assert_string_equal(p->kept[2].held, p->kept[1].sha256);
  enum orr__reload last;
  const char *why;
  assert_int_equal(p->f.ops->reload(p->f.ops->self, "test", &last, &why, NULL), 0);
  assert_int_equal(last, ORR_RELOAD_HELD);
  expect(p, "1", NULL);
  restart(p);
  expect(p, "1", NULL);
  assert_true(state_of(p).is_rolled_back);
  write_text(p, "if then"); /* another file, if a broken one */
  expect(p, "1", "test.lua:1");
  write_version(p, "3", "");
  expect(p, "3", NULL);
  assert_false(state_of(p).is_rolled_back);
  assert_null(p->kept[p->kept_count - 1].held);
}

static void test_live__back_to_what_the_file_is_holds_nothing(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  write_version(p, "2", "");
  expect(p, "2", NULL);
  orr__kept one = kept_of(&p->kept[0]), two = kept_of(&p->kept[1]);
  assert_int_equal(p->f.ops->roll_back(p->f.ops->self, &one, NULL), 0);
  assert_int_equal(p->f.ops->roll_back(p->f.ops->self, &two, NULL), 0);
  assert_false(state_of(p).is_rolled_back);
  assert_int_equal(state_of(p).last, ORR_RELOAD_LIVE);
  orr_error err = ORR_ERROR_INIT;
  one.sha256 = two.sha256;
  assert_int_equal(p->f.ops->roll_back(p->f.ops->self, &one, &err), ORR_E_CORRUPT);
  orr__error_clear(&err);
  expect(p, "2", NULL);
}

/* ---- trust ----------------------------------------------------------------------------------------------------- */

static void test_live__only_more_waits_for_trust(void **state) {
  place *p = *state;
  enum orr__reload last;
  write_version(p, "1", "needs = { exec = { 'tar', 'zstd' } }");
  expect(p, "1", NULL);
  assert_int_equal(trust(p, &last), ORR_E_REFUSED);
  write_version(p, "2", "needs = { exec = { 'zstd' } }");
  expect(p, "2", NULL);
  write_version(p, "3", "needs = { exec = { 'tar', 'zstd' }, read = { '/srv' } }");
  expect(p, "2", "needs more than is granted: exec tar, read /srv;");
  assert_int_equal(state_of(p).last, ORR_RELOAD_WAITING);
  assert_string_equal(state_of(p).waiting_needs, "exec tar, read /srv");
  assert_int_equal(p->kept_count, 2);
  restart(p);
  expect(p, "2", "needs more than is granted: exec tar, read /srv;");
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "2");
  write_version(p, "4", "needs = { exec = { 'zstd' } }");
  expect(p, "4", NULL); /* what waited is not wanted any more */
  assert_int_equal(trust(p, &last), ORR_E_REFUSED);
  write_version(p, "5", "needs = { exec = { 'tar' } }");
  expect(p, "4", "exec tar;");
  assert_int_equal(trust(p, &last), 0);
  assert_int_equal(last, ORR_RELOAD_LIVE);
  expect(p, "5", NULL);
  restart(p);
  expect(p, "5", NULL);
}

static void test_live__what_is_trusted_is_what_was_looked_at(void **state) {
  place *p = *state;
  enum orr__reload last;
  const char *why;
  char seen[65];
  write_version(p, "1", "needs = { exec = { 'tar' } }");
  expect(p, "1", NULL);
  write_version(p, "2", "needs = { exec = { 'tar', 'zstd' } }");
  expect(p, "1", "exec zstd;");
  snprintf(seen, sizeof seen, "%.12s", state_of(p).file_sha256);
  expect(p, "1", seen); /* it says what to type */
  write_version(p, "3", "needs = { exec = { 'tar', 'rm' } }");
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(p->f.ops->trust(p->f.ops->self, "test", seen, &last, &why, &err), ORR_E_REFUSED);
  assert_has(orr__error_message(&err), "exec rm;");
  orr__error_clear(&err);
  expect(p, "1", "exec rm;");
  assert_int_equal(trust(p, &last), 0);
  expect(p, "3", NULL);
}

/* What an executeBackup gets for looking at a path: "" or its error. */
static const char *look(place *p, const char *version, const char *declared, const char *path) {
  static char found[1000];
  char text[2048];
  snprintf(text, sizeof text, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '%s', needs = { read = { %s } } }\n"
           "function provider.executeBackup(b, r) local ok, e = pcall(fs.stat, '%s') r.statusMessage = ok and '' or e.message end\nreturn provider\n",
           version, declared, path);
  write_text(p, text);
  expect(p, version, NULL);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  snprintf(found, sizeof found, "%s", p->f.ended[p->f.last_id]->graph.result->statusMessage);
  return found;
}

static void test_live__a_link_does_not_lead_out_of_what_was_granted(void **state) {
  place *p = *state;
  char data[160], inside[200], out[200], all[300], below[400];
  snprintf(data, sizeof data, "%s/data", p->dir);
  snprintf(inside, sizeof inside, "%s/inside", data);
  snprintf(out, sizeof out, "%s/out", data);
  assert_int_equal(mkdir(data, 0700), 0);
  assert_int_equal(mkdir(inside, 0700), 0);
  snprintf(all, sizeof all, "'%s'", data);
  assert_string_equal(look(p, "1", all, inside), "");
  snprintf(below, sizeof below, "'%s'", out);
  assert_int_equal(symlink(inside, out), 0);
  assert_string_equal(look(p, "2", below, out), "");
  assert_int_equal(unlink(out), 0);
  assert_int_equal(symlink("/etc", out), 0);
  assert_has(look(p, "3", below, out), "out leads to /etc, which is outside of what was granted; add \"/etc\" to needs.read");
  restart(p);
  assert_has(look(p, "4", below, out), "leads to /etc");
  assert_has(state_of(p).granted, data);
  assert_has(look(p, "5", all, "/etc"), "/etc is not granted");
  write_version(p, "6", "needs = { read = { '/etc' } }");
  expect(p, "5", "needs more than is granted: read /etc;");
}

static void test_live__files_are_few_enough_to_be_looked_over_in_a_turn(void **state) {
  place *p = *state;
  char folder[160], path[200];
  size_t len = 1000000;
  char *filler = malloc(len);
  memset(filler, ' ', len);
  snprintf(folder, sizeof folder, "%s/test", p->dir);
  assert_int_equal(mkdir(folder, 0700), 0);
  snprintf(path, sizeof path, "%s/init.lua", folder);
  const char *text = "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\n"
                     "function provider.executeBackup(b, r) end\nreturn provider\n";
  assert_int_equal(orr__file_write(path, text, strlen(text), 0600, NULL), 0);
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/m%d.lua", folder, i);
    assert_int_equal(orr__file_write(path, filler, len, 0600, NULL), 0);
  }
  expect(p, "1", NULL);
  assert_int_equal(p->kept_count, 1);
  snprintf(path, sizeof path, "%s/m4.lua", folder);
  assert_int_equal(orr__file_write(path, filler, len, 0600, NULL), 0);
  expect(p, "1", "m4.lua: the files of a provider have 4194304 bytes at most, together");
  free(filler);
}

static void test_live__a_narrower_need_is_no_more(void **state) {
  static const struct { const char *granted, *wanted, *more; } cases[] = {
    { "{}", "{}", "" },
    { "{}", "{\"http\":[]}", "" },
    { "{\"exec\":[\"tar\"]}", "{}", "" },
    { "{}", "{\"exec\":[\"tar\"]}", "exec tar" },
    { "{\"read\":[\"/srv\"]}", "{\"write\":[\"/srv\"]}", "write /srv" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"https://a.example.com\",\"*.eu.example.com\"]}", "" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"https://example.com\"]}", "http https://example.com" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"http://a.example.com\"]}", "http http://a.example.com" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"https://a.example.com:8443\"]}", "http https://a.example.com:8443" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"https://badexample.com\"]}", "http https://badexample.com" },
    { "{\"http\":[\"api.example.com\"]}", "{\"http\":[\"https://API.example.com\"]}", "" },
    { "{\"http\":[\"https://a.example.com\"]}", "{\"http\":[\"https://*.example.com\"]}", "http https://*.example.com" },
    { "{\"http\":[\"${connection.serviceUrl}\"]}", "{\"http\":[\"${connection.host}\"]}", "http ${connection.host}" },
    { "{\"http\":[\"https://*.example.com\"]}", "{\"http\":[\"${option.url}\"]}", "http ${option.url}" },
    { "{\"read\":[\"/srv\",\"${option.path}\"]}", "{\"read\":[\"/srv/a\",\"${option.path}/b\"]}", "" },
    { "{\"read\":[\"/srv/a\"]}", "{\"read\":[\"/srv/ab\"]}", "read /srv/ab" },
    { "{\"read\":[\"/srv/a\"]}", "{\"read\":[\"/srv\"]}", "read /srv" },
    { "{\"read\":[\"/\"]}", "{\"read\":[\"/etc\"]}", "" },
    { "{\"exec\":[\"/usr/lib/postgresql/*/bin/pg_dump\"]}", "{\"exec\":[\"/usr/lib/postgresql/15/bin/pg_dump\"]}", "" },
    { "{\"exec\":[\"/opt/*/bin/x\"]}", "{\"exec\":[\"/opt/a/b/bin/x\"]}", "exec /opt/a/b/bin/x" },
    { "{\"exec\":[\"/opt/*/bin/x\"]}", "{\"exec\":[\"/opt/*/bin/y\"]}", "exec /opt/*/bin/y" },
    { "{\"host\":[\"/a\"]}", "{\"host\":[\"/a/b\"]}", "host /a/b" },
    { "not JSON", "{}", NULL },
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    orr__buf more;
    orr__buf_init(&more, 1000);
    bool is_more = orr__needs_widen(cases[i].granted, cases[i].wanted, &more);
    if (cases[i].more) assert_string_equal(orr__buf_text(&more), cases[i].more);
    assert_int_equal(is_more, !cases[i].more || *cases[i].more);
    orr__buf_clear(&more);
  }
}

/* ---- forgotten ------------------------------------------------------------------------------------------------- */

static void test_live__one_whose_code_runs_is_not_forgotten(void **state) {
  place *p = *state;
  char path[200];
  write_version(p, "1", "");
  expect(p, "1", NULL);
  orr__call *typed = fake_call(&p->f, ORR_HOOK_testConnection);
  typed->trial = ORR_TRIAL_REALLY;
  typed->eval = orr__strdup("sleep(1)");
  uint64_t id = fake_start(&p->f, typed);
  orr__loop_step(p->f.loop, 0);
  snprintf(path, sizeof path, "%s/test.lua", p->dir);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(p->f.ops->forget(p->f.ops->self, "test", NULL), ORR_E_REFUSED);
  fake_wait(&p->f, id);
  assert_int_equal(p->f.ops->forget(p->f.ops->self, "test", NULL), 0);
}

/* ---- what is stored -------------------------------------------------------------------------------------------- */

static void test_live__one_that_reads_as_much_asks_nobody(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  write_version(p, "2", "stateVersion = 2, readsState = { 1 }");
  expect(p, "2", NULL);
  assert_int_equal(p->asked, 0);
}

static void test_live__one_that_reads_less_is_live_once_nothing_stored_needs_it(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  p->answer = ORR_E_REFUSED;
  write_version(p, "2", "stateVersion = 2");
  expect(p, "1", NULL); /* not known yet */
  assert_int_equal(state_of(p).last, ORR_RELOAD_ASKING);
  fake_step(&p->f, 3);
  expect(p, "1", "version 2 has stateVersion 2 and cannot read what is stored: 3 results");
  assert_int_equal(p->asked, 1);
  p->answer = 0;
  enum orr__reload last;
  const char *why;
  assert_int_equal(p->f.ops->reload(p->f.ops->self, "test", &last, &why, NULL), 0);
  assert_int_equal(last, ORR_RELOAD_ASKING);
  fake_step(&p->f, 3);
  expect(p, "2", NULL);
  assert_int_equal(p->kept[p->kept_count - 1].state_version, 2);
}

static void test_live__a_hook_that_runs_is_stored_state_too(void **state) {
  place *p = *state;
  write_text(p, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\n"
                "function provider.executeBackup(b, r) sleep(5) end\nreturn provider\n");
  uint64_t id = fake_start(&p->f, fake_call(&p->f, ORR_HOOK_executeBackup));
  assert_int_equal(p->f.last_id, id);
  fake_step(&p->f, 3);
  write_version(p, "2", "stateVersion = 2");
  expect(p, "1", "a hook of version 1 is running, with stateVersion 1");
  assert_int_equal(p->asked, 0);
  assert_success(fake_wait(&p->f, id));
  assert_int_equal(p->f.ended[id]->state_version, 1);
}

static void test_live__an_answer_that_comes_late_finds_nobody(void **state) {
  place *p = *state;
  write_version(p, "1", "");
  expect(p, "1", NULL);
  p->holds = true;
  write_version(p, "2", "stateVersion = 2");
  expect(p, "1", NULL);
  orr__ready first = p->ready;
  void *first_arg = p->arg;
  write_version(p, "3", "stateVersion = 3");
  expect(p, "1", NULL); /* another one is asked about now */
  assert_int_equal(p->asked, 2);
  first(first_arg, 0, NULL);
  expect(p, "1", NULL);
  answer_now(p);
  expect(p, "3", NULL);
  write_version(p, "4", "stateVersion = 4");
  expect(p, "3", NULL);
  restart(p);
  answer_now(p); /* its bindings are closed */
  p->holds = false;
}

/* ---- fresh states ---------------------------------------------------------------------------------------------- */

static void test_live__after_an_abandoned_call_the_same_version_has_a_fresh_state(void **state) {
  place *p = *state;
  write_text(p, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\nlocal count = 0\n"
                "function provider.executeBackup(b, r, config) count = count + 1 r.externalId = tostring(count)\n"
                "  if config.loops then while true do end end if config.sleeps then sleep(20) end end\nreturn provider\n");
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  const orr__version *before = orr__provider_known(p->f.bindings, "test")->current;
  orr__call *sleeps = fake_call(&p->f, ORR_HOOK_executeBackup), *loops = fake_call(&p->f, ORR_HOOK_executeBackup);
  free(sleeps->execution_config);
  free(loops->execution_config);
  sleeps->execution_config = orr__strdup("{\"sleeps\":true}");
  loops->execution_config = orr__strdup("{\"loops\":true}");
  loops->deadline_mono_ms = orr__loop_mono_ms(p->f.loop) + 1000;
  uint64_t sleeping = fake_start(&p->f, sleeps), looping = fake_start(&p->f, loops);
  assert_int_equal(fake_wait(&p->f, looping)->outcome, ORR_OUTCOME_TIMEOUT);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[4]->graph.result->externalId, "1"); /* a fresh state counts anew */
  const orr__provider *provider = orr__provider_known(p->f.bindings, "test");
  assert_ptr_not_equal(provider->current, before);
  assert_int_equal(provider->current->declaration.loaded_ms, before->declaration.loaded_ms);
  assert_int_equal(state_of(p).old_versions, 1); /* one sleeps in there still */
  assert_success(fake_wait(&p->f, sleeping));
  assert_string_equal(p->f.ended[sleeping]->graph.result->externalId, "2");
  assert_string_equal(p->f.answers[sleeping].sha256, p->f.answers[4].sha256);
  fake_step(&p->f, 3);
  assert_int_equal(state_of(p).old_versions, 0);
  assert_int_equal(state_of(p).calls, 4);
  assert_int_equal(state_of(p).errors, 1);
  assert_non_null(state_of(p).last_error);
  assert_int_equal(p->kept_count, 1);
  assert_int_equal(p->f.changes, 1); /* nothing to tell */
}

static void test_live__out_of_memory_is_the_end_of_a_state_only(void **state) {
  place *p = *state;
  write_text(p, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\nlocal kept = {}\n"
                "function provider.executeBackup(b, r, config) r.externalId = tostring(#kept)\n"
                "  if config.eats then while true do kept[#kept + 1] = ('x'):rep(100000) .. #kept end end end\nreturn provider\n");
  orr__call *eats = fake_call(&p->f, ORR_HOOK_executeBackup);
  free(eats->execution_config);
  eats->execution_config = orr__strdup("{\"eats\":true}");
  assert_int_equal(fake_wait(&p->f, fake_start(&p->f, eats))->outcome, ORR_OUTCOME_ERROR);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[2]->graph.result->externalId, "0");
  fake_step(&p->f, 3);
  assert_int_equal(state_of(p).old_versions, 0);
  assert_true(state_of(p).memory < (8u << 20));
}

#define setup_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
    setup_test(test_live__what_is_live_is_kept_once),
    setup_test(test_live__a_broken_file_after_a_restart_leaves_the_last_good_one),
    setup_test(test_live__bytes_that_are_no_text_are_kept_too),
    setup_test(test_live__what_is_not_what_was_kept_is_not_used),
    setup_test(test_live__what_is_given_from_memory_is_not_kept),
    setup_test(test_live__rolled_back_it_stays_until_the_file_changes),
    setup_test(test_live__back_to_what_the_file_is_holds_nothing),
    setup_test(test_live__only_more_waits_for_trust),
    setup_test(test_live__what_is_trusted_is_what_was_looked_at), setup_test(test_live__a_link_does_not_lead_out_of_what_was_granted),
    setup_test(test_live__files_are_few_enough_to_be_looked_over_in_a_turn),
    cmocka_unit_test(test_live__a_narrower_need_is_no_more),
    setup_test(test_live__one_that_reads_as_much_asks_nobody),
    setup_test(test_live__one_that_reads_less_is_live_once_nothing_stored_needs_it),
    setup_test(test_live__a_hook_that_runs_is_stored_state_too),
    setup_test(test_live__one_whose_code_runs_is_not_forgotten),
    setup_test(test_live__an_answer_that_comes_late_finds_nobody),
    setup_test(test_live__after_an_abandoned_call_the_same_version_has_a_fresh_state),
    setup_test(test_live__out_of_memory_is_the_end_of_a_state_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
