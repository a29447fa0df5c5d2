/* Whose loop: the runtime's own, a thread of its own, or the host's; and what is left when it is closed. */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static const char sleeper[] =
    "local provider = Provider { apiVersion = 1, code = 'guest', name = 'Guest', version = '1' }\n"
    "function provider.executeBackup(backup, backupResult) sleep(0.2) backupResult.status = 'SUCCEEDED' end\n"
    "return provider\n";

static guest open_real(void) {
  guest g = { .runtime = guest_open_with(guest_settings("real")) };
  guest_provider(g.runtime, "guest", sleeper);
  return g;
}

static uint64_t submit(orr_runtime *runtime, const char *request, const char *args) {
  uint64_t id = 0;
  orr_error *err = orr_error_new();
  if (orr_submit(runtime, request, args, &id, err)) fail_msg("%s", orr_error_message(err));
  orr_error_free(err);
  return id;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Asks, waits for the reply by `next`, checks that it has no error. */
static void ask_by(orr_event *(*next)(orr_runtime *), orr_runtime *runtime, const char *request, const char *args) {
  uint64_t id = submit(runtime, request, args);
  for (int64_t end = now_ms() + 30000; now_ms() < end;) {
    orr_event *event = next(runtime);
    int is_it = event && orr_event_kind(event) == ORR_EVENT_REPLY && orr_event_request(event) == id;
    if (is_it && orr_event_code(event)) fail_msg("%s: %s", request, orr_error_message(orr_event_error(event)));
    orr_event_free(event);
    if (is_it) return;
  }
  fail_msg("%s: no reply", request);
}

static void back_up_by(orr_event *(*next)(orr_runtime *), orr_runtime *runtime) {
  ask_by(next, runtime, "backup.create", "{\"name\":\"b\",\"provider\":\"guest\"}");
  ask_by(next, runtime, "backup.run", "{\"backup\":\"b\"}");
  ask_by(next, runtime, "result.watch", "{\"result\":\"1\"}");
}

static orr_event *wait_long(orr_runtime *runtime) { return orr_wait(runtime, 30000); }

static void test_loops__waiting_turns_the_wheels(void **state) {
  (void)state;
  guest g = open_real();
  back_up_by(wait_long, g.runtime);
  assert_null(orr_wait(g.runtime, 0));
  assert_null(orr_wait(g.runtime, 20));
  orr_close(g.runtime);
}

static void test_loops__its_own_thread_turns_the_wheels(void **state) {
  (void)state;
  guest g = open_real();
  orr_error *err = orr_error_new();
  assert_int_equal(orr_start(g.runtime, err), 0);
  assert_int_equal(orr_start(g.runtime, err), -21);
  assert_int_equal(orr_run(g.runtime, err), -21);
  back_up_by(wait_long, g.runtime);
  orr_stop(g.runtime);
  assert_int_equal(orr_start(g.runtime, err), 0); /* again */
  orr_error_free(err);
  ask_by(wait_long, g.runtime, "status", NULL);
  orr_close(g.runtime); /* and closed while it runs */
}

static orr_event *poll_events(orr_runtime *runtime) {
  struct pollfd pfd = { .fd = orr_event_fd(runtime), .events = POLLIN };
  assert_true(pfd.fd >= 0);
  orr_event *event = orr_next(runtime);
  if (!event && poll(&pfd, 1, 30000) == 1) event = orr_next(runtime);
  return event;
}

static void test_loops__its_own_thread_says_by_a_descriptor_that_events_wait(void **state) {
  (void)state;
  guest g = open_real();
  assert_int_equal(orr_start(g.runtime, NULL), 0);
  back_up_by(poll_events, g.runtime);
  struct pollfd pfd = { .fd = orr_event_fd(g.runtime), .events = POLLIN };
  int turns = 0;
  do { /* what came late is taken: then it is silent */
    for (orr_event *event; (event = orr_next(g.runtime));) orr_event_free(event);
  } while (++turns < 50 && poll(&pfd, 1, 50) == 1);
  assert_true(turns < 50);
  orr_close(g.runtime);
}

static int steps;

static orr_event *poll_fd(orr_runtime *runtime) {
  struct pollfd pfd = { .fd = orr_fd(runtime), .events = POLLIN };
  assert_true(pfd.fd >= 0);
  orr_event *event = orr_next(runtime);
  if (event) return event;
  assert_int_equal(poll(&pfd, 1, 30000), 1); /* without a time limit of ours: it has its timers in it */
  steps++;
  orr_step(runtime, 0);
  return NULL;
}

static void test_loops__one_descriptor_is_enough_for_a_loop_of_the_hosts(void **state) {
  (void)state;
  guest g = open_real();
  steps = 0;
  back_up_by(poll_fd, g.runtime);
  assert_true(steps < 500);
  for (orr_event *event; (event = orr_next(g.runtime));) orr_event_free(event);
  orr_close(g.runtime);
}

static void test_loops__nothing_wakes_up_while_nothing_is_due(void **state) {
  (void)state;
  guest g = open_real();
  ask_by(poll_fd, g.runtime, "status", NULL);
  struct pollfd pfd = { .fd = orr_fd(g.runtime), .events = POLLIN };
  for (int i = 0; i < 100 && poll(&pfd, 1, 200) == 1; i++) {
    orr_step(g.runtime, 0);
    for (orr_event *event; (event = orr_next(g.runtime));) orr_event_free(event);
  }
  int wakes = 0;
  for (int64_t end = now_ms() + 1200, left; (left = end - now_ms()) > 0;) {
    if (poll(&pfd, 1, (int)left) != 1) continue;
    wakes++;
    orr_step(g.runtime, 0);
  }
  assert_true(wakes <= 2);
  orr_close(g.runtime);
}

static void *stop_soon(void *arg) {
  poll(NULL, 0, 50);
  orr_stop(arg);
  return NULL;
}

static void test_loops__running_ends_when_somebody_says_stop(void **state) {
  (void)state;
  guest g = open_real();
  pthread_t thread;
  pthread_create(&thread, NULL, stop_soon, g.runtime);
  assert_int_equal(orr_run(g.runtime, NULL), 0);
  pthread_join(thread, NULL);
  orr_stop(g.runtime); /* said before */
  assert_int_equal(orr_run(g.runtime, NULL), 0);
  orr_close(g.runtime);
}

/* ---- stopping, in every order ------------------------------------------------------------------------------- */

static void test_loops__a_stop_while_nothing_runs_does_not_reach_a_later_start(void **state) {
  (void)state;
  guest g = open_real();
  for (int stops = 1; stops <= 3; stops++) {
    for (int i = 0; i < stops; i++) orr_stop(g.runtime);
    assert_int_equal(orr_start(g.runtime, NULL), 0);
    ask_by(poll_events, g.runtime, "status", NULL); /* which turns no wheels */
    for (int i = 0; i < stops; i++) orr_stop(g.runtime);
    assert_int_equal(orr_start(g.runtime, NULL), 0);
    ask_by(poll_events, g.runtime, "status", NULL);
    orr_stop(g.runtime);
  }
  orr_close(g.runtime);
}

static atomic_int has_said;

static void *say_stop_soon(void *arg) {
  poll(NULL, 0, 50);
  atomic_store(&has_said, 1);
  orr_stop(arg);
  return NULL;
}

static void test_loops__a_stop_while_nothing_runs_ends_one_run(void **state) {
  (void)state;
  guest g = open_real();
  pthread_t thread;
  orr_stop(g.runtime);
  orr_stop(g.runtime);
  assert_int_equal(orr_run(g.runtime, NULL), 0);
  orr_stop(g.runtime);
  assert_int_equal(orr_start(g.runtime, NULL), 0); /* it is forgotten */
  orr_stop(g.runtime);
  atomic_store(&has_said, 0);
  pthread_create(&thread, NULL, say_stop_soon, g.runtime);
  assert_int_equal(orr_run(g.runtime, NULL), 0);
  assert_int_equal(atomic_load(&has_said), 1);
  pthread_join(thread, NULL);
  orr_close(g.runtime);
}

#define STOPPERS 3

static void *just_stop(void *arg) {
  orr_stop(arg);
  return NULL;
}

/* Whoever has come back from orr_stop may start again: there is nothing left of what ran. */
static void test_loops__several_threads_may_stop_at_once(void **state) {
  (void)state;
  guest g = open_real();
  for (int i = 0; i < 300; i++) {
    pthread_t threads[STOPPERS];
    assert_int_equal(orr_start(g.runtime, NULL), 0);
    for (int t = 0; t < STOPPERS; t++) pthread_create(&threads[t], NULL, just_stop, g.runtime);
    orr_stop(g.runtime);
    assert_int_equal(orr_start(g.runtime, NULL), 0);
    for (int t = 0; t < STOPPERS; t++) pthread_join(threads[t], NULL);
    orr_stop(g.runtime);
  }
  orr_close(g.runtime);
}

static void *run_to_the_end(void *arg) {
  int code = orr_run(arg, NULL);
  orr_unref(arg);
  return code == 0 || code == -19 || code == -21 ? NULL : arg;
}

static void *start_and_stop(void *arg) {
  void *wrong = NULL;
  for (int i = 0; i < 20 && !wrong; i++) {
    int code = orr_start(arg, NULL);
    if (code && code != -19 && code != -21) wrong = arg;
    orr_stop(arg);
  }
  orr_unref(arg);
  return wrong;
}

static void test_loops__closing_comes_through_whoever_starts_and_stops(void **state) {
  (void)state;
  for (int i = 0; i < 50; i++) {
    guest g = { .runtime = guest_open_with(guest_settings("real")) };
    pthread_t threads[STOPPERS];
    void *failed;
    for (int t = 0; t < STOPPERS; t++) pthread_create(&threads[t], NULL, t ? start_and_stop : run_to_the_end, orr_ref(g.runtime));
    orr_close(g.runtime);
    for (int t = 0; t < STOPPERS; t++) {
      pthread_join(threads[t], &failed);
      assert_null(failed);
    }
  }
}

static atomic_int executed;

static void stop_in_a_hook(void *self, orr_hook *hook) {
  orr_stop(*(orr_runtime **)self);
  atomic_fetch_add(&executed, 1);
  orr_hook_done(hook, "{\"success\":false,\"msg\":\"over\"}", NULL);
}

static void test_loops__a_hook_may_stop_what_it_runs_in(void **state) {
  (void)state;
  guest g = open_real();
  orr_provider hooks = { .size = sizeof hooks, .declaration = "{\"apiVersion\":1,\"code\":\"stops\",\"name\":\"S\",\"version\":\"1\"}",
                         .self = &g.runtime, .executeBackup = stop_in_a_hook };
  assert_int_equal(orr_provider_register(g.runtime, &hooks, NULL), 0);
  ask_by(wait_long, g.runtime, "backup.create", "{\"name\":\"s\",\"provider\":\"stops\"}");
  atomic_store(&executed, 0);
  for (int i = 1; i <= 20; i++) {
    int code = -21;
    for (int64_t end = now_ms() + 30000; code == -21 && now_ms() < end; code = orr_start(g.runtime, NULL)) poll(NULL, 0, 1); /* soon */
    assert_int_equal(code, 0); /* although nobody has joined the last one */
    submit(g.runtime, "backup.run", "{\"backup\":\"s\"}");
    while (atomic_load(&executed) < i) { /* in our thread or its own: it must keep neither */
      if (i % 2) orr_step(g.runtime, 5);
      else poll(NULL, 0, 1);
    }
    for (orr_event *event; (event = orr_next(g.runtime));) orr_event_free(event);
  }
  orr_close(g.runtime);
}

/* ---- several threads ---------------------------------------------------------------------------------------- */

static atomic_int replies;

static void *ask_much(void *arg) {
  orr_runtime *runtime = arg;
  for (int i = 0; i < 50; i++) {
    uint64_t id;
    if (orr_submit(runtime, "status", NULL, &id, NULL)) return arg;
    orr_event *event = orr_wait(runtime, 50);
    if (event && orr_event_kind(event) == ORR_EVENT_REPLY) atomic_fetch_add(&replies, 1);
    orr_event_free(event);
    orr_is_idle(runtime);
    orr_timeout_ms(runtime);
  }
  return NULL;
}

static void ask_from_threads(orr_runtime *runtime) {
  pthread_t threads[4];
  void *failed;
  atomic_store(&replies, 0);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, ask_much, runtime);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
  for (int64_t end = now_ms() + 30000; atomic_load(&replies) < 200 && now_ms() < end;) {
    orr_event *event = orr_wait(runtime, 100);
    if (event && orr_event_kind(event) == ORR_EVENT_REPLY) atomic_fetch_add(&replies, 1);
    orr_event_free(event);
  }
  assert_int_equal(atomic_load(&replies), 200);
}

static void test_loops__threads_share_a_runtime(void **state) {
  (void)state;
  guest g = open_real();
  ask_from_threads(g.runtime); /* each turns the wheels in turn */
  assert_int_equal(orr_start(g.runtime, NULL), 0);
  ask_from_threads(g.runtime);
  orr_close(g.runtime);
}

static void test_loops__two_runtimes_do_not_meet(void **state) {
  (void)state;
  guest a = open_real(), b = open_real();
  assert_int_equal(orr_start(a.runtime, NULL), 0);
  back_up_by(wait_long, a.runtime);
  back_up_by(wait_long, b.runtime);
  orr_close(a.runtime);
  ask_by(wait_long, b.runtime, "status", NULL);
  orr_close(b.runtime);
}

/* ---- closed, and wrong -------------------------------------------------------------------------------------- */

static void *wait_until_closed(void *arg) {
  orr_event *event = orr_wait(arg, 30000);
  int was_closed = event == NULL;
  orr_event_free(event);
  orr_unref(arg);
  return was_closed ? NULL : arg;
}

static void test_loops__closing_ends_what_waits(void **state) {
  (void)state;
  guest g = open_real();
  pthread_t thread;
  void *failed;
  assert_int_equal(orr_start(g.runtime, NULL), 0);
  for (orr_event *event; (event = orr_wait(g.runtime, 50));) orr_event_free(event);
  pthread_create(&thread, NULL, wait_until_closed, orr_ref(g.runtime));
  poll(NULL, 0, 50);
  orr_close(g.runtime);
  pthread_join(thread, &failed);
  assert_null(failed);
}

static void assert_all_refuse(orr_runtime *runtime, int code) {
  orr_error *err = orr_error_new();
  uint64_t id = 7;
  assert_int_equal(orr_submit(runtime, "status", NULL, &id, err), code);
  assert_int_equal(orr_error_code(err), code);
  assert_int_equal(id, 7);
  orr_request_stop(runtime, 1);
  orr_drain(runtime);
  orr_stop(runtime);
  assert_int_equal(orr_is_idle(runtime), 1);
  assert_int_equal(orr_failed(runtime), code);
  assert_null(orr_next(runtime));
  assert_null(orr_wait(runtime, -1));
  assert_int_equal(orr_step(runtime, -1), 0);
  assert_int_equal(orr_fd(runtime), code);
  assert_int_equal(orr_event_fd(runtime), code);
  assert_int_equal(orr_timeout_ms(runtime), -1);
  assert_int_equal(orr_run(runtime, err), code);
  assert_int_equal(orr_start(runtime, err), code);
  assert_int_equal(orr_advance(runtime, 1, err), code);
  assert_int_equal(orr_provider_add(runtime, "x", "y", 1, err), code);
  assert_int_equal(orr_host_offer(runtime, "http", err), code);
  assert_int_equal(orr_host_answer(runtime, 1, NULL, NULL, NULL, err), code);
  assert_int_equal(orr_host_hold(runtime, 1, err), code);
  assert_int_equal(orr_host_tell(runtime, "process", "{}", err), code);
  assert_int_equal(orr_now(runtime), 0);
  assert_int_equal(orr_commits(runtime), 0);
  orr_close(runtime);
  orr_error_free(err);
}

static void test_loops__after_closing_every_call_is_refused(void **state) {
  (void)state;
  guest g = open_real();
  orr_runtime *runtime = orr_ref(g.runtime);
  orr_close(g.runtime);
  assert_all_refuse(runtime, -19);
  orr_unref(runtime);
}

static void test_loops__null_is_no_runtime(void **state) {
  (void)state;
  assert_all_refuse(NULL, -21);
  assert_null(orr_ref(NULL));
  orr_unref(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_loops__waiting_turns_the_wheels),
    cmocka_unit_test(test_loops__its_own_thread_turns_the_wheels),
    cmocka_unit_test(test_loops__its_own_thread_says_by_a_descriptor_that_events_wait),
    cmocka_unit_test(test_loops__one_descriptor_is_enough_for_a_loop_of_the_hosts),
    cmocka_unit_test(test_loops__nothing_wakes_up_while_nothing_is_due),
    cmocka_unit_test(test_loops__running_ends_when_somebody_says_stop),
    cmocka_unit_test(test_loops__a_stop_while_nothing_runs_does_not_reach_a_later_start),
    cmocka_unit_test(test_loops__a_stop_while_nothing_runs_ends_one_run),
    cmocka_unit_test(test_loops__several_threads_may_stop_at_once),
    cmocka_unit_test(test_loops__closing_comes_through_whoever_starts_and_stops),
    cmocka_unit_test(test_loops__a_hook_may_stop_what_it_runs_in),
    cmocka_unit_test(test_loops__threads_share_a_runtime),
    cmocka_unit_test(test_loops__two_runtimes_do_not_meet),
    cmocka_unit_test(test_loops__closing_ends_what_waits),
    cmocka_unit_test(test_loops__after_closing_every_call_is_refused),
    cmocka_unit_test(test_loops__null_is_no_runtime),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
