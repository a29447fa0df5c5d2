/* Watched folders: every way in which people and tools change what is in one is told, after the change; what it cannot see it says. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "port/folder.h"

typedef struct place {
  char top[64];
  orr__loop *loop;
  orr__folders *folders;
  orr__folder *folder;
  int told, anything;
  char names[4096];      /* " a b c " */
} place;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st;
  (void)flag;
  (void)ftw;
  return remove(path);
}

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  snprintf(p->top, sizeof p->top, "/tmp/orr-test-folder-XXXXXX");
  if (!mkdtemp(p->top)) return -1;
  assert_int_equal(orr__loop_new(NULL, NULL, &p->loop, NULL), 0);
  assert_int_equal(orr__folders_new(p->loop, &p->folders, NULL), 0);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  orr__folder_free(p->folder);
  orr__folders_free(p->folders);
  orr__loop_free(p->loop);
  nftw(p->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(p);
  return 0;
}

static void changed(void *arg, const char *name) {
  place *p = arg;
  p->told++;
  if (!name) p->anything++;
  size_t len = strlen(p->names);
  snprintf(p->names + len, sizeof p->names - len, " %s ", name ? name : "(any)");
}

static char *at(place *p, const char *relative) {
  static char paths[4][512];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", p->top, relative);
  return path;
}

static void make_folder(place *p, const char *relative) { assert_int_equal(mkdir(at(p, relative), 0755), 0); }

static void write_to(place *p, const char *relative) {
  FILE *file = fopen(at(p, relative), "w");
  assert_non_null(file);
  fputs("x", file);
  assert_int_equal(fclose(file), 0);
}

static void watch(place *p, const char *relative) {
  assert_int_equal(orr__folder_new(p->folders, at(p, relative), changed, p, &p->folder), 0);
  assert_true(orr__folder_is_watched(p->folder));
  assert_string_equal(orr__folder_path(p->folder), at(p, relative));
}

static void settle(place *p) {
  while (orr__loop_step(p->loop, 0)) {}
}

/* What was done before it must have been told; inotify queues an event before the call that causes it returns. */
static void expect(place *p, const char *name) {
  char word[256];
  settle(p);
  snprintf(word, sizeof word, " %s ", name);
  if (!strstr(p->names, word) && !p->anything) fail_msg("'%s' was not told of, only '%s'", name, p->names);
  p->told = p->anything = 0;
  *p->names = '\0';
}

static void expect_nothing(place *p) {
  settle(p);
  if (p->told) fail_msg("told of '%s'", p->names);
}

static void test_folder__every_way_of_writing_is_told(void **state) {
  place *p = *state;
  make_folder(p, "d");
  watch(p, "d");
  expect_nothing(p);
  write_to(p, "d/a.lua");
  expect(p, "a.lua");
  int fd = open(at(p, "d/a.lua"), O_WRONLY);
  assert_int_equal(write(fd, "y", 1), 1);
  expect(p, "a.lua"); /* not only when it is closed */
  close(fd);
  expect(p, "a.lua");
  write_to(p, "d/.a.lua.swp");
  assert_int_equal(rename(at(p, "d/.a.lua.swp"), at(p, "d/a.lua")), 0);
  expect(p, "a.lua");
  write_to(p, "d/a.lua");
  expect(p, "a.lua"); /* of the file that took its place, too */
  assert_int_equal(unlink(at(p, "d/a.lua")), 0);
  expect(p, "a.lua");
  write_to(p, "d/a.lua");
  expect(p, "a.lua");
  assert_int_equal(chmod(at(p, "d/a.lua"), 0600), 0);
  expect(p, "a.lua");
  assert_int_equal(link(at(p, "d/a.lua"), at(p, "d/b.lua")), 0);
  expect(p, "b.lua");
  assert_int_equal(symlink("a.lua", at(p, "d/c.lua")), 0);
  expect(p, "c.lua");
  assert_int_equal(truncate(at(p, "d/a.lua"), 0), 0);
  expect(p, "a.lua");
  expect_nothing(p);
}

static void test_folder__reading_is_not_told(void **state) {
  place *p = *state;
  char byte;
  make_folder(p, "d");
  write_to(p, "d/a.lua");
  watch(p, "d");
  int fd = open(at(p, "d/a.lua"), O_RDONLY);
  assert_int_equal(read(fd, &byte, 1), 1);
  close(fd);
  assert_int_equal(access(at(p, "d"), R_OK), 0);
  expect_nothing(p);
}

static void test_folder__data_of_kubernetes_is_swapped(void **state) {
  place *p = *state;
  make_folder(p, "d");
  make_folder(p, "d/..1");
  write_to(p, "d/..1/a.lua");
  assert_int_equal(symlink("..1", at(p, "d/..data")), 0);
  assert_int_equal(symlink("..data/a.lua", at(p, "d/a.lua")), 0);
  watch(p, "d");
  make_folder(p, "d/..2");
  write_to(p, "d/..2/a.lua");
  settle(p);
  *p->names = '\0';
  p->anything = 0;
  assert_int_equal(symlink("..2", at(p, "d/..data_tmp")), 0);
  assert_int_equal(rename(at(p, "d/..data_tmp"), at(p, "d/..data")), 0);
  expect(p, "..data");
}

static void test_folder__a_link_on_the_way_is_turned(void **state) {
  place *p = *state;
  make_folder(p, "r1");
  make_folder(p, "r1/d");
  make_folder(p, "r2");
  make_folder(p, "r2/d");
  make_folder(p, "links");
  assert_int_equal(symlink("../r1", at(p, "links/current")), 0);
  assert_int_equal(symlink("links/current/d", at(p, "d")), 0);
  watch(p, "d");
  write_to(p, "r1/d/a.lua");
  expect(p, "a.lua");
  assert_int_equal(symlink("../r2", at(p, "links/next")), 0);
  expect_nothing(p); /* another name */
  assert_int_equal(rename(at(p, "links/next"), at(p, "links/current")), 0);
  expect(p, "(any)");
  write_to(p, "r2/d/a.lua");
  expect(p, "a.lua");
  write_to(p, "r1/d/a.lua");
  expect_nothing(p);
  assert_int_equal(symlink("r1/d", at(p, "e")), 0);
  assert_int_equal(rename(at(p, "e"), at(p, "d")), 0);
  expect(p, "(any)");
  write_to(p, "r1/d/b.lua");
  expect(p, "b.lua");
}

static void test_folder__one_that_appears_later_is_found(void **state) {
  place *p = *state;
  watch(p, "x/y/d");
  write_to(p, "unrelated");
  expect_nothing(p);
  make_folder(p, "x");
  expect(p, "(any)");
  make_folder(p, "x/y");
  make_folder(p, "x/y/d");
  write_to(p, "x/y/d/a.lua");
  expect(p, "(any)");
  write_to(p, "x/y/d/b.lua");
  expect(p, "b.lua");
  assert_true(orr__folder_is_watched(p->folder));
}

static void test_folder__one_that_goes_is_waited_for(void **state) {
  place *p = *state;
  make_folder(p, "d");
  watch(p, "d");
  assert_int_equal(rmdir(at(p, "d")), 0);
  expect(p, "(any)");
  make_folder(p, "d");
  expect(p, "(any)");
  write_to(p, "d/a.lua");
  expect(p, "a.lua");
  make_folder(p, "e");
  assert_int_equal(rename(at(p, "d"), at(p, "old")), 0);
  assert_int_equal(rename(at(p, "e"), at(p, "d")), 0);
  expect(p, "(any)");
  write_to(p, "d/b.lua");
  expect(p, "b.lua");
  write_to(p, "old/c.lua");
  expect_nothing(p);
}

static void test_folder__a_link_to_nothing_and_a_circle_are_borne(void **state) {
  place *p = *state;
  assert_int_equal(symlink("nowhere", at(p, "d")), 0);
  watch(p, "d");
  make_folder(p, "nowhere");
  expect(p, "(any)");
  orr__folder_free(p->folder);
  assert_int_equal(symlink("c2", at(p, "c1")), 0);
  assert_int_equal(symlink("c1", at(p, "c2")), 0);
  assert_int_equal(orr__folder_new(p->folders, at(p, "c1"), changed, p, &p->folder), 0);
  assert_false(orr__folder_is_watched(p->folder));
}

static void test_folder__two_watch_one_and_one_goes(void **state) {
  place *p = *state;
  orr__folder *other;
  make_folder(p, "d");
  watch(p, "d");
  assert_int_equal(orr__folder_new(p->folders, at(p, "d"), changed, p, &other), 0);
  write_to(p, "d/a.lua");
  settle(p);
  int both = p->told;
  assert_true(both >= 2 && both % 2 == 0);
  orr__folder_free(other);
  expect(p, "a.lua");
  write_to(p, "d/a.lua");
  expect(p, "a.lua");
}

static void test_folder__folders_below_are_told_of_only_themselves(void **state) {
  place *p = *state;
  make_folder(p, "d");
  watch(p, "d");
  make_folder(p, "d/sub");
  expect(p, "sub");
  write_to(p, "d/sub/a.lua");
  expect_nothing(p);
}

static void test_folder__without_inotify_it_says_so(void **state) {
  place *p = *state;
  orr__folders *none;
  orr__folder *folder;
  struct rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  int next = dup(0);
  close(next);
  struct rlimit tight = { (rlim_t)next, before.rlim_max };
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
  int rc = orr__folders_new(p->loop, &none, NULL);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(rc, 0);
  assert_int_equal(orr__folder_new(none, p->top, changed, p, &folder), 0);
  assert_false(orr__folder_is_watched(folder));
  orr__folder_free(folder);
  orr__folders_free(none);
}

static void test_folder__a_flood_that_overflows_is_told_as_anything(void **state) {
  place *p = *state;
  make_folder(p, "d");
  watch(p, "d");
  long most = 16384;
  FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  if (file) {
    if (fscanf(file, "%ld", &most) != 1) most = 16384;
    fclose(file);
  }
  if (most > 100000) skip();
  int a = open(at(p, "d/a"), O_CREAT | O_WRONLY, 0600), b = open(at(p, "d/b"), O_CREAT | O_WRONLY, 0600);
  for (long i = 0; i < most; i++) assert_int_equal(write(i % 2 ? a : b, "x", 1), 1); /* alike in a row, they would melt */
  close(a);
  close(b);
  write_to(p, "d/last");
  expect(p, "(any)");
  write_to(p, "d/after");
  expect(p, "after");
}

#define setup_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
    setup_test(test_folder__every_way_of_writing_is_told),
    setup_test(test_folder__reading_is_not_told),
    setup_test(test_folder__data_of_kubernetes_is_swapped),
    setup_test(test_folder__a_link_on_the_way_is_turned),
    setup_test(test_folder__one_that_appears_later_is_found),
    setup_test(test_folder__one_that_goes_is_waited_for),
    setup_test(test_folder__a_link_to_nothing_and_a_circle_are_borne),
    setup_test(test_folder__two_watch_one_and_one_goes),
    setup_test(test_folder__folders_below_are_told_of_only_themselves),
    setup_test(test_folder__without_inotify_it_says_so),
    setup_test(test_folder__a_flood_that_overflows_is_told_as_anything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
