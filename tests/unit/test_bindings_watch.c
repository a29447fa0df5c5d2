/* Providers whose files are watched, on a real clock: a change is live without anybody asking, once it has settled; calls do not
 * look at files; half of a file is nobody's business. What is read and checked is test_bindings_reload's. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "bindings_fake.h"
#include "state.h"

#define SETTLE_MS 40
#define PATIENCE_MS 20000

typedef struct place {
  char top[64], dir[128];
  const char *list[3];
  fake f;
} place;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st;
  (void)flag;
  (void)ftw;
  return remove(path);
}

static void open_place(place *p) {
  orr__loop *loop;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  p->list[0] = p->dir;
  fake_open_on(&p->f, loop, p->list, 0, SETTLE_MS);
}

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  snprintf(p->top, sizeof p->top, "/tmp/orr-test-watch-XXXXXX");
  if (!mkdtemp(p->top)) return -1;
  snprintf(p->dir, sizeof p->dir, "%s/providers", p->top);
  if (mkdir(p->dir, 0700)) return -1;
  open_place(p);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  fake_close(&p->f);
  nftw(p->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(p);
  return 0;
}

static char *at(place *p, const char *relative) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", p->top, relative);
  return path;
}

static void write_in_place(place *p, const char *relative, const char *text) {
  FILE *file = fopen(at(p, relative), "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void rename_over(place *p, const char *relative, const char *text) {
  write_in_place(p, "beside", text);
  assert_int_equal(rename(at(p, "beside"), at(p, relative)), 0);
}

static const char *text_of(const char *version) {
  static char text[512];
  snprintf(text, sizeof text, "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '%s' }\n"
           "function provider.executeBackup(b, r) r.externalId = '%s' end\nreturn provider\n", version, version);
  return text;
}

static int64_t now_ms(void) { return orr__clock_ns() / 1000000; }

static void run_for(place *p, int64_t ms) {
  int64_t end = now_ms() + ms;
  for (int64_t left; (left = end - now_ms()) > 0;) orr__loop_step(p->f.loop, left);
}

static const char *version_now(place *p) {
  const orr__declaration *d = NULL;
  orr_error err = ORR_ERROR_INIT;
  if (p->f.ops->describe(p->f.ops->self, "test", &d, &err)) fail_msg("%s", orr__error_message(&err));
  return d->version;
}

/* Nobody asks for it meanwhile: the loop alone brings it about. */
static void await(place *p, int *count, int want) {
  int64_t end = now_ms() + PATIENCE_MS;
  while (*count < want && now_ms() < end) orr__loop_step(p->f.loop, 100);
  if (*count < want) fail_msg("%d of %d; last refusal: %s", *count, want, p->f.refusal);
}

static void expect_live(place *p, const char *version) {
  await(p, &p->f.changes, p->f.changes + 1);
  assert_string_equal(version_now(p), version);
  orr__answer *answer = fake_run(&p->f, ORR_HOOK_executeBackup);
  assert_success(answer);
  assert_string_equal(p->f.ended[p->f.last_id]->graph.result->externalId, version);
}

static void first(place *p) {
  write_in_place(p, "providers/test.lua", text_of("1"));
  assert_string_equal(version_now(p), "1"); /* nobody waits for a first one */
  run_for(p, SETTLE_MS * 2);
  assert_int_equal(p->f.changes, 1);
}

static void test_watch__a_change_is_live_when_it_has_settled(void **state) {
  place *p = *state;
  first(p);
  int64_t before = now_ms();
  rename_over(p, "providers/test.lua", text_of("2"));
  for (int i = 0; i < 3; i++) orr__loop_step(p->f.loop, 0);
  if (now_ms() - before < SETTLE_MS / 2) assert_string_equal(version_now(p), "1"); /* not before; we were not held up ourselves */
  if (p->f.changes == 1) expect_live(p, "2");
}

static void test_watch__every_way_of_writing(void **state) {
  place *p = *state;
  first(p);
  write_in_place(p, "providers/test.lua", text_of("in-place"));
  expect_live(p, "in-place");
  rename_over(p, "providers/test.lua", text_of("renamed"));
  expect_live(p, "renamed");
  unlink(at(p, "providers/test.lua"));
  write_in_place(p, "providers/test.lua", text_of("created"));
  expect_live(p, "created");
  mkdir(at(p, "elsewhere"), 0700);
  write_in_place(p, "elsewhere/a.lua", text_of("linked"));
  assert_int_equal(symlink("../elsewhere/a.lua", at(p, "providers/link")), 0);
  assert_int_equal(rename(at(p, "providers/link"), at(p, "providers/test.lua")), 0);
  expect_live(p, "linked");
  write_in_place(p, "elsewhere/a.lua", text_of("behind-a-link"));
  expect_live(p, "behind-a-link");
  rename_over(p, "elsewhere/a.lua", text_of("renamed-there"));
  expect_live(p, "renamed-there");
  assert_int_equal(p->f.refusals, 0);
}

static void test_watch__data_of_kubernetes_is_swapped(void **state) {
  place *p = *state;
  mkdir(at(p, "providers/..1"), 0700);
  write_in_place(p, "providers/..1/test.lua", text_of("1"));
  assert_int_equal(symlink("..1", at(p, "providers/..data")), 0);
  assert_int_equal(symlink("..data/test.lua", at(p, "providers/test.lua")), 0);
  assert_string_equal(version_now(p), "1");
  run_for(p, SETTLE_MS * 2);
  for (int i = 2; i < 5; i++) {
    char folder[64], version[16];
    snprintf(version, sizeof version, "%d", i);
    snprintf(folder, sizeof folder, "providers/..%d", i);
    mkdir(at(p, folder), 0700);
    snprintf(folder, sizeof folder, "providers/..%d/test.lua", i);
    write_in_place(p, folder, text_of(version));
    snprintf(folder, sizeof folder, "..%d", i);
    assert_int_equal(symlink(folder, at(p, "providers/..data_tmp")), 0);
    assert_int_equal(rename(at(p, "providers/..data_tmp"), at(p, "providers/..data")), 0);
    expect_live(p, version);
  }
}

/* Each part well within the settle time, all of them well beyond it. The longest that we were held up between two. */
static int64_t write_slowly(place *p, const char *relative, const char *text) {
  int fd = open(at(p, relative), O_WRONLY | O_TRUNC);
  int64_t worst = 0;
  for (size_t len = strlen(text), done = 0; done < len;) {
    size_t part = len - done < 12 ? len - done : 12;
    int64_t begun = now_ms();
    assert_int_equal(write(fd, text + done, part), (ssize_t)part);
    done += part;
    while (now_ms() - begun < SETTLE_MS / 5) orr__loop_step(p->f.loop, 1);
    if (now_ms() - begun > worst) worst = now_ms() - begun;
  }
  close(fd);
  return worst;
}

static void test_watch__half_of_a_file_is_neither_live_nor_an_error(void **state) {
  place *p = *state;
  first(p);
  for (int i = 2; i < 50; i++) {
    char version[16];
    snprintf(version, sizeof version, "%d", i);
    int refusals = p->f.refusals, changes = p->f.changes;
    int64_t worst = write_slowly(p, "providers/test.lua", text_of(version));
    if (worst >= SETTLE_MS / 2) { /* on a busy machine the writer was not as quick as it has to be */
      run_for(p, SETTLE_MS * 3);
      continue;
    }
    assert_int_equal(p->f.changes, changes);
    expect_live(p, version);
    assert_int_equal(p->f.refusals, refusals);
    return;
  }
  fail_msg("the machine is too busy");
}

/* Written to, or only touched, before each turn, so that whenever its time to settle is up it has just changed. Until `count` is `want`, or
 * for so long. */
static void go_on_writing(place *p, bool only_touch, const int *count, int want, int64_t for_ms) {
  static int next;
  for (int64_t end = now_ms() + for_ms; *count < want && now_ms() < end;) {
    char more[32];
    snprintf(more, sizeof more, "w%d", next++);
    if (only_touch) assert_int_equal(utimes(at(p, "providers/test.lua"), NULL), 0);
    else write_in_place(p, "providers/test.lua", text_of(more));
    orr__loop_step(p->f.loop, 1);
  }
}

static void test_watch__one_that_is_written_to_without_pause_is_told_once(void **state) {
  place *p = *state;
  first(p);
  for (int i = 0; i < 20; i++) {
    int changes = p->f.changes, refusals = p->f.refusals;
    go_on_writing(p, false, &p->f.refusals, refusals + 1, PATIENCE_MS);
    assert_int_equal(p->f.refusals, refusals + 1);
    assert_has(p->f.refusal, "provider 'test': somebody writes to ");
    assert_has(p->f.refusal, "/providers/test.lua without pause: it is read when it has been left alone for 0.04 s, or by: orrery provider reload test");
    assert_true(p->f.works);
    go_on_writing(p, false, &p->f.refusals, refusals + 2, SETTLE_MS * 10);
    bool was_held_up = p->f.changes != changes; /* the writer was: it did pause */
    if (!was_held_up) {
      const orr__declaration *d = NULL;
      assert_int_equal(p->f.refusals, refusals + 1);
      assert_int_equal(p->f.ops->describe(p->f.ops->self, "test", &d, NULL), 0);
      assert_string_equal(d->version, "1"); /* none of what it was meanwhile */
      assert_has(d->warning, "without pause");
      write_in_place(p, "providers/test.lua", text_of("last"));
      expect_live(p, "last");
      rename_over(p, "providers/test.lua", text_of("next"));
      expect_live(p, "next"); /* settling as ever */
      return;
    }
    write_in_place(p, "providers/test.lua", text_of("1"));
    run_for(p, SETTLE_MS * 5);
  }
  fail_msg("the machine is too busy");
}

static void test_watch__one_that_is_only_touched_without_pause_is_read(void **state) {
  place *p = *state;
  first(p);
  write_in_place(p, "providers/test.lua", text_of("2"));
  go_on_writing(p, true, &p->f.changes, 2, PATIENCE_MS);
  assert_string_equal(version_now(p), "2");
  write_in_place(p, "providers/test.lua", "if then");
  go_on_writing(p, true, &p->f.refusals, 1, PATIENCE_MS);
  assert_has(p->f.refusal, "test.lua:1:");
}

static void test_watch__what_editors_leave_is_ignored(void **state) {
  place *p = *state;
  first(p);
  const char *litter[] = { "test.lua~", ".test.lua.swp", "#test.lua#", "4913", "test.lua.bak", ".test.lua.1234", "test.lua.orig" };
  for (size_t i = 0; i < sizeof litter / sizeof *litter; i++) {
    char name[64];
    snprintf(name, sizeof name, "providers/%s", litter[i]);
    write_in_place(p, name, "this is no Lua");
  }
  assert_int_equal(symlink("nobody@nowhere.1:2", at(p, "providers/.#test.lua")), 0);
  write_in_place(p, "providers/notes.txt", "nobody's business");
  mkdir(at(p, "providers/notes"), 0700);
  run_for(p, SETTLE_MS * 4);
  assert_int_equal(p->f.changes, 1);
  assert_int_equal(p->f.refusals, 0);
  unlink(at(p, "providers/4913"));
  rename_over(p, "providers/test.lua", text_of("2"));
  expect_live(p, "2");
}

static void test_watch__files_behind_a_link_that_led_nowhere_are_found(void **state) {
  place *p = *state;
  assert_int_equal(symlink("release/test.lua", at(p, "providers/test.lua")), 0);
  mkdir(at(p, "r1"), 0700);
  write_in_place(p, "r1/test.lua", text_of("1"));
  run_for(p, SETTLE_MS * 2);
  assert_int_equal(p->f.changes, 0);
  assert_int_equal(symlink("../r1", at(p, "providers/release")), 0);
  const orr__declaration *d;
  if (p->f.ops->describe(p->f.ops->self, "test", &d, NULL) == 0) assert_string_equal(d->version, "1");
  mkdir(at(p, "r2"), 0700);
  write_in_place(p, "r2/test.lua", text_of("2"));
  assert_string_equal(version_now(p), "1");
  assert_int_equal(symlink("../r2", at(p, "providers/next")), 0);
  assert_int_equal(rename(at(p, "providers/next"), at(p, "providers/release")), 0);
  expect_live(p, "2");
}

static void test_watch__modules_and_new_folders_count(void **state) {
  place *p = *state;
  mkdir(at(p, "providers/test"), 0700);
  write_in_place(p, "providers/test/names.lua", "return { name = 'one' }\n");
  write_in_place(p, "providers/test/init.lua", "local names = require 'names'\n"
                 "local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = names.name }\n"
                 "function provider.executeBackup(b, r) r.externalId = names.name end\nreturn provider\n");
  assert_string_equal(version_now(p), "one");
  run_for(p, SETTLE_MS * 2);
  write_in_place(p, "providers/test/names.lua", "return { name = 'two' }\n");
  expect_live(p, "two");
  mkdir(at(p, "providers/test/deep"), 0700);
  write_in_place(p, "providers/test/deep/er.lua", "return 'three'\n");
  expect_live(p, "two"); /* another version all the same: it has a file more */
  write_in_place(p, "providers/test/deep/er.lua", "return 'four'\n");
  rename_over(p, "providers/test/names.lua", "return { name = require 'deep.er' }\n");
  expect_live(p, "four");
  write_in_place(p, "providers/test/deep/er.lua", "return 'five'\n");
  expect_live(p, "five");
}

static void test_watch__a_folder_that_is_closed_and_opened_again_is_noticed(void **state) {
  place *p = *state;
  if (geteuid() == 0) skip(); /* who may look everywhere */
  mkdir(at(p, "providers/test"), 0700);
  mkdir(at(p, "providers/test/empty"), 0700);
  write_in_place(p, "providers/test/init.lua", text_of("1"));
  assert_string_equal(version_now(p), "1");
  run_for(p, SETTLE_MS * 2);
  chmod(at(p, "providers/test/empty"), 0);
  await(p, &p->f.refusals, 1);
  assert_has(p->f.refusal, "/test/empty cannot be read: Permission denied");
  assert_true(p->f.works);
  chmod(at(p, "providers/test/empty"), 0700);
  expect_live(p, "1");
}

static void test_watch__a_new_provider_is_looked_over_unasked(void **state) {
  place *p = *state;
  write_in_place(p, "providers/test.lua", "if then");
  await(p, &p->f.refusals, 1);
  assert_has(p->f.refusal, "test.lua:1:");
  assert_false(p->f.works);
  write_in_place(p, "providers/test.lua", text_of("1"));
  expect_live(p, "1");
  write_in_place(p, "providers/other.lua", "if then");
  unlink(at(p, "providers/other.lua"));
  run_for(p, SETTLE_MS * 3);
  assert_int_equal(p->f.refusals, 1); /* gone again before it was read */
}

static void test_watch__a_broken_one_is_told_of_once_and_the_old_goes_on(void **state) {
  place *p = *state;
  first(p);
  write_in_place(p, "providers/test.lua", "if then");
  await(p, &p->f.refusals, 1);
  assert_true(p->f.works);
  chmod(at(p, "providers/test.lua"), 0644);
  run_for(p, SETTLE_MS * 3);
  assert_int_equal(p->f.refusals, 1);
  assert_string_equal(version_now(p), "1");
  unlink(at(p, "providers/test.lua"));
  await(p, &p->f.refusals, 2);
  assert_has(p->f.refusal, "is gone");
  assert_string_equal(version_now(p), "1");
  write_in_place(p, "providers/test.lua", text_of("1"));
  expect_live(p, "1"); /* back, and said so */
}

static void test_watch__the_folder_may_appear_later(void **state) {
  place *p = *state;
  assert_int_equal(rmdir(p->dir), 0);
  run_for(p, SETTLE_MS);
  mkdir(p->dir, 0700);
  run_for(p, SETTLE_MS);
  write_in_place(p, "providers/test.lua", text_of("1"));
  expect_live(p, "1");
  assert_int_equal(rename(p->dir, at(p, "old")), 0);
  mkdir(at(p, "new"), 0700);
  write_in_place(p, "new/test.lua", text_of("2"));
  assert_int_equal(rename(at(p, "new"), p->dir), 0);
  expect_live(p, "2");
}

static void test_watch__one_that_was_kept_is_found_when_its_file_is_back(void **state) {
  place *p = *state;
  orr__kept kept = { .code = "test", .version = "0", .sha256 = "0", .sources = "{}", .granted = "{}" };
  const orr__declaration *d = NULL;
  p->f.ops->remember(p->f.ops->self, &kept);
  assert_int_equal(p->f.ops->describe(p->f.ops->self, "test", &d, NULL), ORR_E_NOT_FOUND);
  assert_has(p->f.log, "is not what it was");
  write_in_place(p, "providers/test.lua", text_of("1"));
  expect_live(p, "1");
}

static void test_watch__where_nothing_is_told_who_asks_looks(void **state) {
  place *p = *state;
  fake_close(&p->f);
  struct rlimit before;
  orr__loop *loop;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  getrlimit(RLIMIT_NOFILE, &before);
  orr__http *http;
  assert_int_equal(orr__http_new(loop, 0, &http, NULL), 0); /* what it opens lazily is open then */
  orr__http_free(http);
  int next = dup(0);
  close(next);
  struct rlimit tight = { (rlim_t)next, before.rlim_max };
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
  fake_open_on(&p->f, loop, p->list, 0, SETTLE_MS);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  first(p);
  rename_over(p, "providers/test.lua", text_of("2"));
  run_for(p, SETTLE_MS * 3);
  assert_int_equal(p->f.changes, 1); /* nobody has asked */
  assert_string_equal(version_now(p), "1");
  await(p, &p->f.changes, 2);
  assert_string_equal(version_now(p), "2");
}

#define setup_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
    setup_test(test_watch__a_change_is_live_when_it_has_settled),
    setup_test(test_watch__every_way_of_writing),
    setup_test(test_watch__data_of_kubernetes_is_swapped),
    setup_test(test_watch__half_of_a_file_is_neither_live_nor_an_error),
    setup_test(test_watch__one_that_is_written_to_without_pause_is_told_once),
    setup_test(test_watch__one_that_is_only_touched_without_pause_is_read),
    setup_test(test_watch__what_editors_leave_is_ignored),
    setup_test(test_watch__files_behind_a_link_that_led_nowhere_are_found),
    setup_test(test_watch__modules_and_new_folders_count),
    setup_test(test_watch__a_folder_that_is_closed_and_opened_again_is_noticed),
    setup_test(test_watch__a_new_provider_is_looked_over_unasked),
    setup_test(test_watch__a_broken_one_is_told_of_once_and_the_old_goes_on),
    setup_test(test_watch__the_folder_may_appear_later),
    setup_test(test_watch__one_that_was_kept_is_found_when_its_file_is_back),
    setup_test(test_watch__where_nothing_is_told_who_asks_looks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
