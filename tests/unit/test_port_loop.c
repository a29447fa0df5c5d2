/* The loop as loop.h promises it: clocks, turns, timers and their order, deferred functions, wakers, watches,
 * and how a virtual loop moves its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "port/loop.h"

#define START_WALL_MS INT64_C(1700000000000)
#define LATER_MS 60000 /* what no test waits for */

static orr__loop *virtual_loop(void) {
  orr__loop *loop = NULL;
  assert_int_equal(orr__loop_new_virtual(START_WALL_MS, &loop, NULL), 0);
  return loop;
}

static orr__loop *real_loop(void) {
  orr__loop *loop = NULL;
  assert_int_equal(orr__loop_new(NULL, NULL, &loop, NULL), 0);
  return loop;
}

/* What ran, one letter each. */
static char trace[256];

static void note(void *arg) {
  size_t len = strlen(trace);
  if (len + 1 < sizeof trace) memcpy(trace + len, arg, 2);
}

static int setup(void **state) {
  (void)state;
  trace[0] = '\0';
  return 0;
}

static void test_loop__virtual_time_starts_and_moves_as_told(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  assert_true(orr__loop_is_virtual(loop));
  assert_int_equal(orr__loop_mono_ms(loop), 0);
  assert_int_equal(orr__loop_wall_ms(loop), START_WALL_MS);
  orr__loop_advance(loop, 1500);
  orr__loop_step_wall(loop, -3600000);
  orr__loop_update(loop);
  assert_int_equal(orr__loop_mono_ms(loop), 1500);
  assert_int_equal(orr__loop_wall_ms(loop), START_WALL_MS + 1500 - 3600000);
  assert_false(orr__loop_step(loop, -1));
  assert_int_equal(orr__loop_mono_ms(loop), 1500);
  orr__loop_free(loop);
}

static void test_loop__virtual_step_goes_to_the_next_timer_only_within_the_wait(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer timer = { 0 };
  assert_int_equal(orr__timer_start(loop, &timer, 21600000, note, "a"), 0);
  assert_false(orr__loop_step(loop, 0));
  assert_false(orr__loop_step(loop, 21599999));
  assert_int_equal(orr__loop_mono_ms(loop), 0);
  assert_int_equal(orr__loop_timeout_ms(loop), 0);
  assert_true(orr__loop_step(loop, 21600000));
  assert_int_equal(orr__loop_mono_ms(loop), 21600000);
  assert_int_equal(orr__loop_wall_ms(loop), START_WALL_MS + 21600000);
  assert_string_equal(trace, "a");
  assert_false(orr__timer_is_started(&timer));
  assert_int_equal(orr__loop_timeout_ms(loop), -1);
  orr__loop_free(loop);
}

static void test_loop__timers_fire_by_due_time_then_by_order_of_starting(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer timers[6] = { { 0 } };
  static char names[] = "a\0b\0c\0d\0e\0f";
  static const int64_t due[] = { 30, 10, 20, 10, 30, 10 };
  for (int i = 0; i < 6; i++) orr__timer_start(loop, &timers[i], due[i], note, names + 2 * i);
  /* Starting again moves it behind those of the same time. */
  orr__timer_start(loop, &timers[1], 10, note, names + 2);
  orr__loop_advance(loop, 100);
  assert_true(orr__loop_step(loop, 0));
  assert_string_equal(trace, "dfbcae");
  orr__loop_free(loop);
}

static void test_loop__a_stopped_timer_does_not_fire(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer timers[100] = { { 0 } };
  for (int i = 0; i < 100; i++) orr__timer_start(loop, &timers[i], (i * 37) % 100, note, "x");
  for (int i = 0; i < 100; i++) {
    if (i != 42) orr__timer_stop(loop, &timers[i]);
    orr__timer_stop(loop, &timers[(i * 7) % 42]);
  }
  assert_true(orr__timer_is_started(&timers[42]));
  orr__loop_advance(loop, 1000);
  orr__loop_step(loop, 0);
  assert_string_equal(trace, "x");
  orr__loop_free(loop);
}

struct chain {
  orr__loop *loop;
  orr__timer *timer;
  orr__timer *other;
};

static void restart_in_the_past(void *arg) {
  struct chain *chain = arg;
  note("r");
  orr__timer_start(chain->loop, chain->timer, orr__loop_mono_ms(chain->loop) - 50, note, "p");
}

static void test_loop__a_timer_started_in_the_past_by_a_timer_fires_in_the_next_turn(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer first = { 0 }, past = { 0 }, last = { 0 };
  struct chain chain = { loop, &past, NULL };
  orr__loop_advance(loop, 100);
  orr__timer_start(loop, &first, 90, restart_in_the_past, &chain);
  orr__timer_start(loop, &last, 100, note, "l");
  orr__loop_step(loop, 0);
  assert_string_equal(trace, "rl");
  assert_int_equal(orr__loop_timeout_ms(loop), 0);
  orr__loop_step(loop, 0);
  assert_string_equal(trace, "rlp");
  assert_int_equal(orr__loop_mono_ms(loop), 100);
  orr__loop_free(loop);
}

static void stop_other(void *arg) {
  struct chain *chain = arg;
  note("s");
  orr__timer_stop(chain->loop, chain->other);
}

static void test_loop__a_timer_can_stop_one_that_is_due_in_the_same_turn(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer first = { 0 }, other = { 0 };
  struct chain chain = { loop, &first, &other };
  orr__timer_start(loop, &first, 10, stop_other, &chain);
  orr__timer_start(loop, &other, 10, note, "x");
  orr__loop_step(loop, -1);
  orr__loop_step(loop, -1);
  assert_string_equal(trace, "s");
  orr__loop_free(loop);
}

/* Random starts, moves and stops against a list that is searched. */
static void test_loop__many_timers_fire_in_order(void **state) {
  (void)state;
  enum { COUNT = 500 };
  orr__loop *loop = virtual_loop();
  orr__timer *timers = calloc(COUNT, sizeof *timers);
  unsigned seed = 7;
  for (int i = 0; i < 5000; i++) {
    seed = seed * 1103515245u + 12345u;
    orr__timer *timer = &timers[(seed >> 16) % COUNT];
    if (seed >> 31) {
      orr__timer_stop(loop, timer);
    } else {
      orr__timer_start(loop, timer, 1 + (seed >> 8) % 1000, note, "m");
    }
  }
  for (;;) {
    int64_t earliest = INT64_MAX;
    for (int i = 0; i < COUNT; i++) {
      if (orr__timer_is_started(&timers[i]) && timers[i].due_mono_ms < earliest) earliest = timers[i].due_mono_ms;
    }
    if (!orr__loop_step(loop, -1)) {
      assert_true(earliest == INT64_MAX);
      break;
    }
    assert_int_equal(orr__loop_mono_ms(loop), earliest);
  }
  free(timers);
  orr__loop_free(loop);
}

static void defer_again(void *arg) {
  note("1");
  orr__loop_defer(arg, note, "3");
}

static void test_loop__deferred_functions_run_in_order_in_the_next_turn(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  assert_int_equal(orr__loop_defer(loop, defer_again, loop), 0);
  assert_int_equal(orr__loop_defer(loop, note, "2"), 0);
  assert_string_equal(trace, "");
  assert_int_equal(orr__loop_timeout_ms(loop), 0);
  assert_true(orr__loop_step(loop, -1));
  assert_string_equal(trace, "12");
  assert_true(orr__loop_step(loop, -1));
  assert_string_equal(trace, "123");
  assert_false(orr__loop_step(loop, -1));
  orr__loop_free(loop);
}

static void test_loop__virtual_time_stands_still_before_deferred_functions(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  orr__timer timer = { 0 };
  orr__timer_start(loop, &timer, 5, note, "t");
  orr__loop_defer(loop, note, "d");
  orr__loop_step(loop, -1);
  assert_string_equal(trace, "d");
  assert_int_equal(orr__loop_mono_ms(loop), 0);
  orr__loop_step(loop, -1);
  assert_string_equal(trace, "dt");
  orr__loop_free(loop);
}

struct reader {
  int fd;
  char last;
  int calls;
};

static void read_one(void *arg) {
  struct reader *reader = arg;
  reader->calls++;
  if (read(reader->fd, &reader->last, 1) == 0) reader->last = 'E';
}

static void test_loop__a_watch_is_level_triggered_and_sees_the_end(void **state) {
  (void)state;
  orr__loop *loop = real_loop();
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  struct reader reader = { fds[0], 0, 0 };
  orr__watch *watch = NULL;
  assert_int_equal(orr__watch_new(loop, fds[0], read_one, &reader, &watch), 0);
  assert_false(orr__loop_step(loop, 0));
  assert_int_equal(write(fds[1], "ab", 2), 2);
  assert_true(orr__loop_step(loop, -1));
  assert_int_equal(reader.last, 'a');
  assert_true(orr__loop_step(loop, -1));
  assert_int_equal(reader.last, 'b');
  close(fds[1]);
  assert_true(orr__loop_step(loop, -1));
  assert_int_equal(reader.last, 'E');
  orr__watch_free(watch);
  int calls = reader.calls;
  orr__loop_step(loop, 0);
  assert_int_equal(reader.calls, calls);
  close(fds[0]);
  orr__loop_free(loop);
}

static void test_loop__a_hosts_poll_sees_a_watch_that_was_just_made(void **state) {
  (void)state;
  orr__loop *loop = real_loop();
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  struct reader reader = { fds[0], 0, 0 };
  orr__watch *watch = NULL;
  assert_int_equal(orr__watch_new(loop, fds[0], read_one, &reader, &watch), 0);
  assert_int_equal(write(fds[1], "a", 1), 1);
  for (int i = 0; i < 3 && reader.calls == 0; i++) {
    struct pollfd host = { .fd = orr__loop_fd(loop), .events = POLLIN };
    int64_t timeout_ms = orr__loop_timeout_ms(loop);
    assert_true(poll(&host, 1, timeout_ms < 0 ? 2000 : (int)timeout_ms) > 0 || timeout_ms == 0);
    orr__loop_step(loop, 0);
  }
  assert_int_equal(reader.calls, 1);
  orr__watch_free(watch);
  close(fds[0]);
  close(fds[1]);
  orr__loop_free(loop);
}

static void count_wake(void *arg) {
  ++*(int *)arg;
}

static void *wake_three_times(void *arg) {
  for (int i = 0; i < 3; i++) orr__loop_wake(arg);
  return NULL;
}

static void test_loop__wakes_from_another_thread_melt_into_one(void **state) {
  (void)state;
  orr__loop *loop = real_loop();
  int woken = 0;
  orr__waker *waker = NULL;
  assert_int_equal(orr__waker_new(loop, count_wake, &woken, &waker), 0);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, wake_three_times, waker), 0);
  pthread_join(thread, NULL);
  assert_true(orr__loop_step(loop, -1));
  assert_int_equal(woken, 1);
  assert_false(orr__loop_step(loop, 0));
  orr__loop_wake(waker);
  orr__waker_free(waker);
  orr__loop_step(loop, 0);
  assert_int_equal(woken, 1);
  orr__loop_free(loop);
}

static void test_loop__a_busy_virtual_loop_waits_for_the_real_event_and_time_stands(void **state) {
  (void)state;
  orr__loop *loop = virtual_loop();
  int woken = 0;
  orr__waker *waker = NULL;
  orr__timer timer = { 0 };
  assert_int_equal(orr__waker_new(loop, count_wake, &woken, &waker), 0);
  orr__timer_start(loop, &timer, 3, note, "t");
  orr__loop_busy(loop, 1);
  assert_false(orr__loop_step(loop, 5));
  assert_int_equal(orr__loop_timeout_ms(loop), -1);
  assert_int_equal(orr__loop_mono_ms(loop), 0);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, wake_three_times, waker), 0);
  assert_true(orr__loop_step(loop, -1));
  pthread_join(thread, NULL);
  assert_int_equal(woken, 1);
  assert_int_equal(orr__loop_mono_ms(loop), 0);
  orr__loop_busy(loop, -1);
  while (orr__loop_step(loop, -1)) continue;
  assert_string_equal(trace, "t");
  orr__waker_free(waker);
  orr__loop_free(loop);
}

static void test_loop__a_real_timer_fires_after_its_time_and_the_wait_is_capped(void **state) {
  (void)state;
  orr__loop *loop = real_loop();
  orr__timer timer = { 0 };
  int64_t start_ms = orr__loop_mono_ms(loop);
  assert_true(orr__loop_wall_ms(loop) > START_WALL_MS);
  orr__timer_start(loop, &timer, start_ms + LATER_MS, note, "t");
  int64_t timeout_ms = orr__loop_timeout_ms(loop);
  assert_true(timeout_ms >= 0 && timeout_ms <= LATER_MS);
  assert_false(orr__loop_step(loop, 1));
  assert_true(orr__loop_mono_ms(loop) < start_ms + LATER_MS);
  start_ms = orr__loop_mono_ms(loop);
  orr__timer_start(loop, &timer, start_ms + 20, note, "t");
  assert_true(orr__loop_timeout_ms(loop) <= 20);
  for (int i = 0; i < 5 && trace[0] == '\0'; i++) orr__loop_step(loop, -1);
  assert_string_equal(trace, "t");
  assert_true(orr__loop_mono_ms(loop) >= start_ms + 20);
  assert_int_equal(orr__loop_timeout_ms(loop), -1);
  orr__loop_free(loop);
}

static void uv_timer_called(uv_timer_t *timer) {
  orr__loop_note(timer->data);
  note("u");
}

static void test_loop__a_libuv_timer_ends_the_wait_of_its_turn(void **state) {
  (void)state;
  alarm(120);
  orr__loop *loop = virtual_loop();
  orr__waker *waker = NULL;
  int woken = 0;
  assert_int_equal(orr__waker_new(loop, count_wake, &woken, &waker), 0);
  uv_timer_t timer;
  uv_timer_init(orr__loop_uv(loop), &timer);
  timer.data = loop;
  uv_timer_start(&timer, uv_timer_called, 0, 0);
  orr__loop_busy(loop, 1);
  assert_true(orr__loop_step(loop, -1));
  assert_string_equal(trace, "u");
  assert_false(orr__loop_step(loop, 0));
  orr__loop_busy(loop, -1);
  uv_close((uv_handle_t *)&timer, NULL);
  orr__waker_free(waker);
  orr__loop_free(loop);
  alarm(0);
}

static void test_loop__two_loops_do_not_know_each_other(void **state) {
  (void)state;
  orr__loop *a = virtual_loop(), *b = virtual_loop();
  orr__timer timer = { 0 };
  orr__timer_start(a, &timer, 10, note, "t");
  assert_false(orr__loop_step(b, -1));
  assert_int_equal(orr__loop_mono_ms(b), 0);
  orr__loop_free(b);
  assert_true(orr__loop_step(a, -1));
  orr__timer_start(a, &timer, 20, note, "t");
  orr__loop_free(a);
  assert_false(orr__timer_is_started(&timer));
  orr__loop_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_loop__virtual_time_starts_and_moves_as_told, setup),
    cmocka_unit_test_setup(test_loop__virtual_step_goes_to_the_next_timer_only_within_the_wait, setup),
    cmocka_unit_test_setup(test_loop__timers_fire_by_due_time_then_by_order_of_starting, setup),
    cmocka_unit_test_setup(test_loop__a_stopped_timer_does_not_fire, setup),
    cmocka_unit_test_setup(test_loop__a_timer_started_in_the_past_by_a_timer_fires_in_the_next_turn, setup),
    cmocka_unit_test_setup(test_loop__a_timer_can_stop_one_that_is_due_in_the_same_turn, setup),
    cmocka_unit_test_setup(test_loop__many_timers_fire_in_order, setup),
    cmocka_unit_test_setup(test_loop__deferred_functions_run_in_order_in_the_next_turn, setup),
    cmocka_unit_test_setup(test_loop__virtual_time_stands_still_before_deferred_functions, setup),
    cmocka_unit_test_setup(test_loop__a_watch_is_level_triggered_and_sees_the_end, setup),
    cmocka_unit_test_setup(test_loop__a_hosts_poll_sees_a_watch_that_was_just_made, setup),
    cmocka_unit_test_setup(test_loop__wakes_from_another_thread_melt_into_one, setup),
    cmocka_unit_test_setup(test_loop__a_busy_virtual_loop_waits_for_the_real_event_and_time_stands, setup),
    cmocka_unit_test_setup(test_loop__a_real_timer_fires_after_its_time_and_the_wait_is_capped, setup),
    cmocka_unit_test_setup(test_loop__a_libuv_timer_ends_the_wait_of_its_turn, setup),
    cmocka_unit_test_setup(test_loop__two_loops_do_not_know_each_other, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
