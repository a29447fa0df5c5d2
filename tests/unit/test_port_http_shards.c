/* How the HTTP client keeps and spreads its connections: the watch on one that is idle, and many transfers to one host. */
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

#define MANY 200

typedef struct fixture {
  http_server *server;
  orr__loop *loop;
  orr__http *http;
  char url[256];
  int answered, failed;
} fixture;

/* /bye promises to keep the connection, and closes it. */
static enum http_after answer(http_call *call) {
  http_answer(call, 200, "", "hello");
  return strcmp(call->path, "/bye") == 0 ? HTTP_CLOSE : HTTP_KEEP;
}

static int setup(void **state) {
  alarm(60);
  fixture *f = calloc(1, sizeof *f);
  f->server = http_server_new(answer, NULL);
  assert_int_equal(orr__loop_new(NULL, NULL, &f->loop, NULL), 0);
  assert_int_equal(orr__http_new(f->loop, 0, &f->http, NULL), 0);
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

static void done(void *arg, const orr__http_reply *reply) {
  fixture *f = arg;
  if (reply->code == 0 && reply->status == 200 && strcmp(reply->body, "hello") == 0) f->answered++;
  else f->failed++;
}

static void ask(fixture *f, const char *path) {
  uint64_t id;
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d%s", http_server_port(f->server), path);
  orr__http_request request = { .method = "GET", .url = f->url, .is_safe = true };
  assert_int_equal(orr__http_start(f->http, &request, done, f, &id, NULL), 0);
}

static void until_answered(fixture *f, int count) {
  while (f->answered + f->failed < count) orr__loop_step(f->loop, 1000);
  assert_int_equal(f->failed, 0);
}

static void test_http__one_after_the_other_they_share_a_connection(void **state) {
  fixture *f = *state;
  for (int i = 1; i <= 5; i++) {
    ask(f, "/");
    until_answered(f, i);
  }
  assert_int_equal(http_server_connections(f->server), 1);
}

static void test_http__many_to_one_host_are_all_answered_and_their_connections_kept(void **state) {
  fixture *f = *state;
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < MANY; i++) ask(f, "/");
    until_answered(f, round * MANY);
  }
  /* Without keeping them it would be three times as many; the shards need not be filled alike in each round. */
  assert_true(http_server_connections(f->server) < 2 * MANY);
}

/* The kernel says again and again that there is something to read, until its watch stops. */
static void test_http__an_idle_connection_that_the_server_closes_wakes_nobody_for_long(void **state) {
  fixture *f = *state;
  ask(f, "/bye");
  until_answered(f, 1);
  orr__loop_update(f->loop);
  int64_t start_ms = orr__loop_mono_ms(f->loop);
  for (int i = 0; i < 20; i++) orr__loop_step(f->loop, 10);
  orr__loop_update(f->loop);
  assert_true(orr__loop_mono_ms(f->loop) - start_ms > 100); /* turns that wait, as nothing happens */
  ask(f, "/");
  until_answered(f, 2);
  assert_int_equal(http_server_connections(f->server), 2);
}

static void test_http__what_was_parsed_is_taken_over(void **state) {
  fixture *f = *state;
  orr__url url = { 0 };
  uint64_t id;
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/parsed", http_server_port(f->server));
  assert_int_equal(orr__url_parse(f->url, &url, NULL), 0);
  orr__http_request request = { .method = "GET", .url = f->url, .parsed = &url, .is_safe = true };
  assert_int_equal(orr__http_start(f->http, &request, done, f, &id, NULL), 0);
  assert_null(url.origin);
  until_answered(f, 1);
  assert_int_equal(http_server_count(f->server, "/parsed"), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_http__one_after_the_other_they_share_a_connection, setup, teardown),
    cmocka_unit_test_setup_teardown(test_http__many_to_one_host_are_all_answered_and_their_connections_kept, setup, teardown),
    cmocka_unit_test_setup_teardown(test_http__an_idle_connection_that_the_server_closes_wakes_nobody_for_long, setup, teardown),
    cmocka_unit_test_setup_teardown(test_http__what_was_parsed_is_taken_over, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
