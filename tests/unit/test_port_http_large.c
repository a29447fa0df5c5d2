/* Large answers: what several hold together, and many at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "http_server.h"
#include "port/http.h"

enum { LARGE = 1000000, MANY = 30 };

typedef struct outcome {
  int calls, code;
  char message[200];
  size_t body_len;
} outcome;

typedef struct fixture {
  http_server *server;
  orr__loop *loop;
  orr__http *http;
  char url[256];
} fixture;

static enum http_after answer(http_call *call) {
  http_sendf(call, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
  for (int i = 0; i < LARGE / 1000; i++) http_sendf(call, "%01000d", i);
  return HTTP_KEEP;
}

static int setup(void **state) {
  alarm(120);
  fixture *f = calloc(1, sizeof *f);
  f->server = http_server_new(answer, NULL);
  assert_int_equal(orr__loop_new(NULL, NULL, &f->loop, NULL), 0);
  assert_int_equal(orr__http_new(f->loop, 0, &f->http, NULL), 0);
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/", http_server_port(f->server));
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  orr__http_free(f->http);
  orr__loop_free(f->loop);
  http_server_free(f->server);
  free(f);
  return 0;
}

static void keep(void *arg, const orr__http_reply *reply) {
  outcome *o = arg;
  o->calls++;
  o->code = reply->code;
  o->body_len = reply->body_len;
  snprintf(o->message, sizeof o->message, "%s", reply->message ? reply->message : "");
}

static uint64_t start(fixture *f, orr__purse *purse, outcome *o) {
  orr__http_request request = { .method = "GET", .url = f->url, .is_safe = true, .timeout_ms = 60000, .purse = purse };
  uint64_t id = 0;
  assert_int_equal(orr__http_start(f->http, &request, keep, o, &id, NULL), 0);
  return id;
}

static void wait_for(fixture *f, const outcome *o) {
  while (o->calls == 0) orr__loop_step(f->loop, -1);
}

static void test_http_large__answers_may_hold_so_much_together(void **state) {
  fixture *f = *state;
  orr__purse *purse = orr__purse_new(LARGE + LARGE / 2);
  outcome outcomes[3] = { { 0 } }, alone = { 0 }, beside = { 0 };
  for (int i = 0; i < 3; i++) start(f, purse, &outcomes[i]);
  for (int i = 0; i < 3; i++) {
    wait_for(f, &outcomes[i]);
    if (outcomes[i].code == 0) continue;
    assert_int_equal(outcomes[i].code, ORR_E_LIMIT);
    assert_non_null(strstr(outcomes[i].message, "as much memory as they may together"));
  }
  /* What ended has given back what it held. */
  start(f, purse, &alone);
  wait_for(f, &alone);
  assert_int_equal(alone.code, 0);
  assert_int_equal(alone.body_len, LARGE);
  assert_true(orr__purse_take(purse, LARGE));
  start(f, purse, &beside);
  wait_for(f, &beside);
  assert_int_equal(beside.code, ORR_E_LIMIT);
  assert_true(orr__purse_take(purse, LARGE / 2));
  assert_false(orr__purse_take(purse, 1));
  orr__purse_unref(purse);
}

static void test_http_large__many_come_to_their_end_and_one_is_aborted(void **state) {
  fixture *f = *state;
  outcome outcomes[MANY] = { { 0 } }, dropped = { 0 };
  for (int i = 0; i < MANY; i++) start(f, NULL, &outcomes[i]);
  orr__http_abort(f->http, start(f, NULL, &dropped));
  for (int i = 0; i < MANY; i++) {
    wait_for(f, &outcomes[i]);
    assert_int_equal(outcomes[i].code, 0);
    assert_int_equal(outcomes[i].body_len, LARGE);
  }
  assert_int_equal(dropped.code, ORR_E_CANCELLED);
}

/* Whatever state they are in: paused, too. */
static void test_http_large__the_client_may_go_in_their_midst(void **state) {
  fixture *f = *state;
  outcome outcomes[MANY] = { { 0 } };
  for (int i = 0; i < MANY; i++) start(f, NULL, &outcomes[i]);
  for (int i = 0; i < 20; i++) orr__loop_step(f->loop, 100);
  orr__http_free(f->http);
  f->http = NULL;
  for (int i = 0; i < MANY; i++) assert_int_equal(outcomes[i].calls, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_http_large__answers_may_hold_so_much_together),
    TEST(test_http_large__many_come_to_their_end_and_one_is_aborted),
    TEST(test_http_large__the_client_may_go_in_their_midst),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
