/* Providers as files: finding, duplicates, live edits, versions that fail, modules, `check`, and what needs grant. */
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bindings_fake.h"

typedef struct place {
  char dirs[2][128];
  const char *list[3];
  fake f;
} place;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st;
  (void)flag;
  (void)ftw;
  return remove(path);
}

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  for (int i = 0; i < 2; i++) {
    snprintf(p->dirs[i], sizeof p->dirs[i], "/tmp/orr-test-reload-XXXXXX");
    if (!mkdtemp(p->dirs[i])) return -1;
    p->list[i] = p->dirs[i];
  }
  fake_open_with(&p->f, p->list, 0);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  fake_close(&p->f);
  for (int i = 0; i < 2; i++) nftw(p->dirs[i], remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(p);
  return 0;
}

/* Written beside and renamed over, as editors do. */
static void write_file(place *p, int dir, const char *name, const char *text) {
  char path[512], fresh[520];
  snprintf(path, sizeof path, "%s/%s", p->dirs[dir], name);
  snprintf(fresh, sizeof fresh, "%s.new", path);
  FILE *file = fopen(fresh, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(rename(fresh, path), 0);
}

static void write_in_place(place *p, int dir, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", p->dirs[dir], name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static const char *version_text(const char *version, const char *body) {
  static char text[4096];
  snprintf(text, sizeof text, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '%s' }\n"
           "function provider.executeBackup(b, r) %s end\nreturn provider\n", version, body);
  return text;
}

static const orr__declaration *describe(place *p) {
  const orr__declaration *d = NULL;
  orr_error err = ORR_ERROR_INIT;
  if (p->f.ops->describe(p->f.ops->self, "test", &d, &err)) fail_msg("%s", orr__error_message(&err));
  return d;
}

static void describe_fails(place *p, const char *code, int rc, const char *part) {
  const orr__declaration *d = NULL;
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(p->f.ops->describe(p->f.ops->self, code, &d, &err), rc);
  assert_has(orr__error_message(&err), part);
  orr__error_clear(&err);
}

static void test_reload__a_saved_file_is_used_by_the_next_call(void **state) {
  place *p = *state;
  write_file(p, 0, "test.lua", version_text("1", "r.externalId = 'one'"));
  assert_string_equal(describe(p)->version, "1");
  assert_int_equal(p->f.changes, 1);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "one");
  write_file(p, 0, "test.lua", version_text("2", "r.externalId = 'two'"));
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[2]->graph.result->externalId, "two");
  assert_string_not_equal(p->f.answers[1].sha256, p->f.answers[2].sha256);
  assert_int_equal(p->f.changes, 2);
  assert_string_equal(describe(p)->version, "2");
  assert_int_equal(p->f.changes, 2);
}

static void test_reload__the_same_size_in_the_same_instant_is_noticed(void **state) {
  place *p = *state;
  write_in_place(p, 0, "test.lua", version_text("1", ""));
  assert_string_equal(describe(p)->version, "1");
  for (int i = 2; i < 10; i++) {
    char version[16];
    snprintf(version, sizeof version, "%d", i);
    write_in_place(p, 0, "test.lua", version_text(version, ""));
    assert_string_equal(describe(p)->version, version);
  }
}

static void test_reload__calls_in_flight_finish_on_their_version(void **state) {
  place *p = *state;
  write_file(p, 0, "test.lua", version_text("1", "sleep(5) r.externalId = 'old'"));
  uint64_t old = fake_start(&p->f, fake_call(&p->f, ORR_HOOK_executeBackup));
  fake_step(&p->f, 3);
  write_file(p, 0, "test.lua", version_text("2", "r.externalId = 'new'"));
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_success(fake_wait(&p->f, old));
  assert_string_equal(p->f.ended[old]->graph.result->externalId, "old");
  assert_string_equal(p->f.ended[2]->graph.result->externalId, "new");
  fake_step(&p->f, 3);
}

static void test_reload__a_version_that_fails_leaves_the_working_one(void **state) {
  place *p = *state;
  write_file(p, 0, "test.lua", version_text("1", "r.externalId = 'one'"));
  describe(p);
  write_file(p, 0, "test.lua", version_text("2", "if then"));
  const orr__declaration *d = describe(p);
  assert_string_equal(d->version, "1");
  assert_has(d->warning, "test.lua:2:");
  assert_int_equal(p->f.refusals, 1);
  assert_has(p->f.refusal, "test.lua:2:");
  assert_true(p->f.works);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_int_equal(p->f.refusals, 1);
  write_file(p, 0, "test.lua", version_text("3", ""));
  d = describe(p);
  assert_string_equal(d->version, "3");
  assert_null(d->warning);
  /* And back: the file is again what is loaded. */
  write_file(p, 0, "test.lua", version_text("4", "x = 1"));
  assert_non_null(describe(p)->warning);
  write_file(p, 0, "test.lua", version_text("3", ""));
  assert_null(describe(p)->warning);
}

static void test_reload__a_file_that_is_gone_keeps_working_and_says_so(void **state) {
  place *p = *state;
  char path[256];
  write_file(p, 0, "test.lua", version_text("1", ""));
  describe(p);
  snprintf(path, sizeof path, "%s/test.lua", p->dirs[0]);
  unlink(path);
  assert_has(describe(p)->warning, "no provider 'test': its file is gone: ");
  assert_has(describe(p)->warning, path);
  describe(p);
  assert_int_equal(p->f.refusals, 1);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  write_file(p, 0, "test.lua", version_text("1", ""));
  assert_null(describe(p)->warning);
  describe_fails(p, "tset", ORR_E_NOT_FOUND, "did you mean 'test'?");
}

static void test_reload__a_file_that_never_loaded_says_why_each_time(void **state) {
  place *p = *state;
  write_file(p, 0, "test.lua", version_text("1", "undefinedThing()"));
  for (int i = 0; i < 2; i++) describe_fails(p, "test", ORR_E_PROVIDER, "test.lua:2: undefined global 'undefinedThing'");
  assert_int_equal(p->f.refusals, 1);
  assert_false(p->f.works);
  orr__call *call = fake_call(&p->f, ORR_HOOK_executeBackup);
  assert_int_equal(p->f.ops->call(p->f.ops->self, call, NULL), ORR_E_PROVIDER);
  orr__call_free(call);
  write_file(p, 0, "test.lua", version_text("1", ""));
  assert_string_equal(describe(p)->version, "1");
}

static void test_reload__two_of_one_name_show_both(void **state) {
  place *p = *state;
  char folder[256];
  write_file(p, 0, "test.lua", version_text("1", ""));
  write_file(p, 1, "test.lua", version_text("1", ""));
  describe_fails(p, "test", ORR_E_INVALID, p->dirs[0]);
  describe_fails(p, "test", ORR_E_INVALID, p->dirs[1]);
  describe_fails(p, "tets", ORR_E_NOT_FOUND, "did you mean 'test'");
  describe_fails(p, "../test", ORR_E_NOT_FOUND, "no provider");
  snprintf(folder, sizeof folder, "%s/test", p->dirs[0]);
  mkdir(folder, 0700);
  snprintf(folder, sizeof folder, "%s/test.lua", p->dirs[1]);
  unlink(folder);
  write_file(p, 0, "test/init.lua", version_text("1", ""));
  describe_fails(p, "test", ORR_E_INVALID, "init.lua");
}

static void test_reload__one_file_by_two_folders_is_one_provider(void **state) {
  place *p = *state;
  char from[256], to[256];
  write_file(p, 0, "test.lua", version_text("1", ""));
  snprintf(from, sizeof from, "%s/test.lua", p->dirs[0]);
  snprintf(to, sizeof to, "%s/test.lua", p->dirs[1]);
  assert_int_equal(symlink(from, to), 0);
  assert_string_equal(describe(p)->code, "test");
}

static void test_reload__a_folder_is_one_version(void **state) {
  place *p = *state;
  char path[256];
  snprintf(path, sizeof path, "%s/test", p->dirs[0]);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/test/util", p->dirs[0]);
  mkdir(path, 0700);
  write_file(p, 0, "test/util/names.lua", "local names = {}\nfunction names.of(id) return 'vm-' .. id end\nreturn names\n");
  write_file(p, 0, "test/init.lua", "local names = require 'util.names'\nassert(require 'util.names' == names)\n"
             "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1' }\n"
             "function provider.executeBackup(b, r) r.externalId = names.of(7) end\nreturn provider\n");
  char sha[65];
  memcpy(sha, describe(p)->sha256, sizeof sha);
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "vm-7");
  write_file(p, 0, "test/util/names.lua", "local names = {}\nfunction names.of(id) return 'host-' .. id end\nreturn names\n");
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup));
  assert_string_equal(p->f.ended[2]->graph.result->externalId, "host-7");
  assert_string_not_equal(describe(p)->sha256, sha);
  write_file(p, 0, "test/util/names.lua", "return { of = function() return undefinedName end }");
  assert_has(describe(p)->warning, "test/util/names.lua:1: undefined global 'undefinedName'");
  write_file(p, 0, "test/init.lua", "local names = require 'util.nmes'\n");
  assert_non_null(describe(p)->warning);
}

static void count_one(void *arg, const char *code, const char *path, const orr__declaration *declaration, const orr_error *err) {
  orr__buf *seen = arg;
  (void)path;
  orr__buf_addf(seen, "%s:%s ", code, declaration ? declaration->version : orr__code_word(err->code));
}

static char *put_folder(place *p, const char *relative) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", p->dirs[0], relative);
  mkdir(path, 0700);
  return path;
}

static void test_reload__a_folder_that_cannot_be_looked_into_is_named(void **state) {
  place *p = *state;
  if (geteuid() == 0) skip(); /* who may look everywhere */
  put_folder(p, "test");
  char *util = put_folder(p, "test/util");
  write_file(p, 0, "test/util/names.lua", "return { name = 'vm' }\n");
  write_file(p, 0, "test/init.lua", version_text("1", "r.externalId = require('util.names').name"));
  assert_string_equal(describe(p)->version, "1");
  chmod(util, 0);
  assert_has(describe(p)->warning, "provider 'test': the folder ");
  assert_has(describe(p)->warning, "/test/util cannot be read: Permission denied");
  assert_int_equal(p->f.refusals, 1);
  write_file(p, 0, "test/init.lua", version_text("2", "r.externalId = require('util.names').name"));
  assert_success(fake_run(&p->f, ORR_HOOK_executeBackup)); /* the version before, with all of its files */
  assert_string_equal(p->f.ended[1]->graph.result->externalId, "vm");
  chmod(util, 0600); /* its names can be read, what is behind them cannot */
  assert_has(describe(p)->warning, "/test/util/names.lua: Permission denied");
  chmod(util, 0700);
  assert_string_equal(describe(p)->version, "2");
  assert_null(describe(p)->warning);
}

static void test_reload__a_provider_behind_a_closed_folder_is_not_called_gone(void **state) {
  place *p = *state;
  if (geteuid() == 0) skip();
  char *folder = put_folder(p, "test");
  write_file(p, 0, "test/init.lua", version_text("1", ""));
  assert_string_equal(describe(p)->version, "1");
  chmod(folder, 0);
  assert_has(describe(p)->warning, "/test/init.lua: Permission denied");
  assert_has(p->f.refusal, "/test/init.lua: Permission denied");
  folder = put_folder(p, "other");
  chmod(folder, 0);
  describe_fails(p, "other", ORR_E_IO, "provider 'other': ");
  describe_fails(p, "other", ORR_E_IO, "/other/init.lua: Permission denied");
  orr__buf seen;
  orr__buf_init(&seen, 1000);
  assert_int_equal(p->f.ops->list(p->f.ops->self, count_one, &seen, NULL), 0);
  assert_string_equal(orr__buf_text(&seen), "other:io test:1 ");
  orr__buf_clear(&seen);
  chmod(put_folder(p, "test"), 0700);
  chmod(put_folder(p, "other"), 0700);
  assert_null(describe(p)->warning);
}

static void test_reload__list_shows_good_and_bad(void **state) {
  place *p = *state;
  orr__buf seen;
  orr__buf_init(&seen, 1000);
  write_file(p, 0, "test.lua", version_text("1", ""));
  write_file(p, 0, "abc.lua", "return 1");
  write_file(p, 1, "readme.txt", "x");
  assert_int_equal(p->f.ops->list(p->f.ops->self, count_one, &seen, NULL), 0);
  assert_string_equal(orr__buf_text(&seen), "abc:provider test:1 ");
  orr__buf_clear(&seen);
}

static void test_reload__check_reports_every_finding_and_loads_nothing(void **state) {
  place *p = *state;
  char path[256], *report = NULL;
  snprintf(path, sizeof path, "%s/other.lua", p->dirs[0]);
  write_file(p, 0, "other.lua", "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', vrsion = '1' }\n"
             "function provider.executBackup() prnt(1) end\nreturn provider\n");
  assert_int_equal(p->f.ops->check(p->f.ops->self, path, &report, NULL), 0);
  assert_has(report, "other.lua\",\"line\":1,\"severity\":\"error\",\"rule\":\"declaration\",\"message\":\"Provider: unknown key 'vrsion' (did you mean 'version'?)\"");
  assert_has(report, "other.lua\",\"line\":2,\"severity\":\"error\",\"rule\":\"undefined_global\",\"message\":\"undefined global 'prnt'");
  assert_has(report, "\"line\":2,\"severity\":\"error\",\"rule\":\"unknown_hook\",\"message\":\"there is no hook 'executBackup'");
  assert_has(report, "the file is called 'other'");
  assert_has(report, "the hook 'executeBackup' is missing");
  free(report);
  assert_int_equal(p->f.changes + p->f.refusals, 0);
  write_file(p, 0, "test.lua", version_text("1", ""));
  snprintf(path, sizeof path, "%s/test.lua", p->dirs[0]);
  assert_int_equal(p->f.ops->check(p->f.ops->self, path, &report, NULL), 0);
  assert_string_equal(report, "[]");
  free(report);
  assert_int_equal(p->f.ops->check(p->f.ops->self, "/nonexistent.lua", &report, NULL), ORR_E_NOT_FOUND);
}

static void test_reload__check_of_a_folder_is_of_its_main_file(void **state) {
  place *p = *state;
  char path[256], *report = NULL;
  snprintf(path, sizeof path, "%s/test/", p->dirs[0]);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(p->f.ops->check(p->f.ops->self, path, &report, NULL), ORR_E_NOT_FOUND);
  write_file(p, 0, "test/util.lua", "return { n = 1 }\n");
  write_file(p, 0, "test/init.lua", version_text("1", "local n = require('util').n prnt(n)"));
  assert_int_equal(p->f.ops->check(p->f.ops->self, path, &report, NULL), 0);
  assert_has(report, "test/init.lua\",\"line\":");
  assert_has(report, "undefined global 'prnt'");
  free(report);
  write_file(p, 0, "test/init.lua", version_text("1", ""));
  path[strlen(path) - 1] = '\0';
  assert_int_equal(p->f.ops->check(p->f.ops->self, path, &report, NULL), 0);
  assert_string_equal(report, "[]");
  free(report);
}

/* ---- needs ------------------------------------------------------------------------------------------------- */

static orr__answer *with_needs(place *p, const char *needs, const char *body) {
  char text[4096];
  snprintf(text, sizeof text, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1', needs = { %s },\n"
           "  optionTypes = { { fieldName = 'path' } } }\n"
           "function provider.executeBackup(b, r) %s end\nreturn provider\n", needs, body);
  write_file(p, 0, "test.lua", text);
  return fake_run(&p->f, ORR_HOOK_executeBackup);
}

static void test_reload__paths_are_granted_by_template_and_suffix(void **state) {
  place *p = *state;
  char body[1024], needs[512], link[256];
  snprintf(body, sizeof body, "fs.mkdir('%s/data/a') assert(fs.stat('%s/data/a'))", p->dirs[1], p->dirs[1]);
  snprintf(needs, sizeof needs, "write = { '%s/data' }, read = { '%s/data' }", p->dirs[1], p->dirs[1]);
  snprintf(link, sizeof link, "%s/data", p->dirs[1]);
  mkdir(link, 0700);
  assert_success(with_needs(p, needs, body));
  assert_error(with_needs(p, "", body), "is not granted; add");
  snprintf(body, sizeof body, "fs.stat('%s/data/../../etc')", p->dirs[1]);
  assert_error(with_needs(p, needs, body), "not granted");
  snprintf(body, sizeof body, "fs.stat('%s/dataset')", p->dirs[1]);
  assert_error(with_needs(p, needs, body), "not granted");
  snprintf(link, sizeof link, "%s/data/out", p->dirs[1]);
  assert_int_equal(symlink("/etc", link), 0);
  snprintf(body, sizeof body, "fs.stat('%s/data/out/passwd')", p->dirs[1]);
  assert_error(with_needs(p, needs, body), "not granted");
  assert_error(with_needs(p, "read = { '${option.path}/sub' }", "fs.stat('/srv')"), "not granted");
}

#define setup_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
    setup_test(test_reload__a_saved_file_is_used_by_the_next_call),
    setup_test(test_reload__the_same_size_in_the_same_instant_is_noticed),
    setup_test(test_reload__calls_in_flight_finish_on_their_version),
    setup_test(test_reload__a_version_that_fails_leaves_the_working_one),
    setup_test(test_reload__a_file_that_is_gone_keeps_working_and_says_so),
    setup_test(test_reload__a_file_that_never_loaded_says_why_each_time),
    setup_test(test_reload__two_of_one_name_show_both),
    setup_test(test_reload__one_file_by_two_folders_is_one_provider),
    setup_test(test_reload__a_folder_is_one_version),
    setup_test(test_reload__a_folder_that_cannot_be_looked_into_is_named),
    setup_test(test_reload__a_provider_behind_a_closed_folder_is_not_called_gone),
    setup_test(test_reload__list_shows_good_and_bad),
    setup_test(test_reload__check_reports_every_finding_and_loads_nothing),
    setup_test(test_reload__check_of_a_folder_is_of_its_main_file),
    setup_test(test_reload__paths_are_granted_by_template_and_suffix),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
