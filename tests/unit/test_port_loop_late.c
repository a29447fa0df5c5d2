/* A loop that is held up at the worst moment: its wait has been reckoned, and is over before it begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "port/loop.h"

#define WAIT_MS 5
#define PATIENCE_MS 30000

int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb fire, uint64_t wait_ms, uint64_t repeat_ms);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fire, uint64_t wait_ms, uint64_t repeat_ms);

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fire, uint64_t wait_ms, uint64_t repeat_ms) {
  int rc = __real_uv_timer_start(timer, fire, wait_ms, repeat_ms);
  poll(NULL, 0, (int)wait_ms * 2);
  return rc;
}

typedef struct rescue {
  orr__waker *waker;
  atomic_bool is_over;           /* the step came back by itself */
  atomic_bool was_needed;
} rescue;

static void nothing(void *arg) { (void)arg; }
static void set_true(void *arg) { *(bool *)arg = true; }

static void *wake_at_last(void *arg) {
  rescue *r = arg;
  for (int ms = 0; ms < PATIENCE_MS && !atomic_load(&r->is_over); ms += 10) poll(NULL, 0, 10);
  if (atomic_load(&r->is_over)) return NULL;
  atomic_store(&r->was_needed, true);
  orr__loop_wake(r->waker);
  return NULL;
}

/* Did the step end by its own time? */
static bool steps(orr__loop *loop, int64_t max_wait_ms) {
  rescue r = { 0 };
  pthread_t thread;
  assert_int_equal(orr__waker_new(loop, nothing, NULL, &r.waker), 0);
  assert_int_equal(pthread_create(&thread, NULL, wake_at_last, &r), 0);
  orr__loop_step(loop, max_wait_ms);
  atomic_store(&r.is_over, true);
  pthread_join(thread, NULL);
  orr__waker_free(r.waker);
  return !atomic_load(&r.was_needed);
}

static void test_late__a_step_ends_when_its_time_was_up_before_it_began_to_wait(void **state) {
  (void)state;
  orr__loop *loop;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  assert_true(steps(loop, WAIT_MS));
  orr__loop_free(loop);
}

static void test_late__a_timer_that_was_due_meanwhile_fires(void **state) {
  (void)state;
  orr__loop *loop;
  orr__timer timer = { 0 };
  bool has_fired = false;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  assert_int_equal(orr__timer_start(loop, &timer, orr__loop_mono_ms(loop) + WAIT_MS, set_true, &has_fired), 0);
  assert_true(steps(loop, -1));
  while (!has_fired) assert_true(steps(loop, WAIT_MS));
  orr__loop_free(loop);
}

static void test_late__a_virtual_loop_that_waits_for_something_real_comes_back(void **state) {
  (void)state;
  orr__loop *loop;
  assert_int_equal(orr__loop_new_virtual(0, &loop, NULL), 0);
  orr__loop_busy(loop, 1);
  assert_true(steps(loop, WAIT_MS));
  orr__loop_busy(loop, -1);
  orr__loop_free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_late__a_step_ends_when_its_time_was_up_before_it_began_to_wait),
    cmocka_unit_test(test_late__a_timer_that_was_due_meanwhile_fires),
    cmocka_unit_test(test_late__a_virtual_loop_that_waits_for_something_real_comes_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
