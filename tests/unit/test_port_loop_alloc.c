/* One allocation of libuv, or of ours, fails while a loop is made: there is none then, and nothing is left of it; else it works. One of libuv's
 * cannot be survived by anybody and does not fail here: where its table of watched descriptors cannot grow, it calls abort(). A loop that
 * runs makes no other. */
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>
#include <uv.h>

#include "port/loop.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static int allocations, fails_at, living; /* living: blocks that libuv has */

static int fails(void) { return ++allocations == fails_at; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }

static void *counted(void *block) {
  living += block != NULL;
  return block;
}

static void *uvs_malloc(size_t size) { return fails() ? NULL : counted(__real_malloc(size)); }
static void *uvs_calloc(size_t count, size_t size) { return fails() ? NULL : counted(__real_calloc(count, size)); }
static void *uvs_realloc(void *old, size_t size) { return old ? __real_realloc(old, size) : counted(__real_malloc(size)); }

static void uvs_free(void *block) {
  living -= block != NULL;
  free(block);
}

static void test_loop_alloc__a_loop_is_whole_or_not_there(void **state) {
  (void)state;
  int made = 0, refused = 0;
  for (int n = 1; made == 0 && n < 200; n++) {
    orr__loop *loop = NULL;
    orr_error err = ORR_ERROR_INIT;
    allocations = 0;
    fails_at = n;
    int code = orr__loop_new(NULL, NULL, &loop, &err), used = allocations;
    fails_at = 0;
    if (code) {
      refused++;
      assert_null(loop);
      assert_int_not_equal(err.code, 0);
    } else {
      made += used < n; /* none failed */
      orr__loop_step(loop, 0);
      orr__loop_free(loop);
    }
    orr__error_clear(&err);
    assert_int_equal(living, 0);
  }
  assert_int_equal(made, 1);
  assert_true(refused >= 3);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(test_loop_alloc__a_loop_is_whole_or_not_there) };
  if (uv_replace_allocator(uvs_malloc, uvs_realloc, uvs_calloc, uvs_free)) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
