/* The header lines that the HTTP client adds by itself, and that it can read what they ask for. */
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

typedef struct fixture {
  http_server *server;
  orr__loop *loop;
  orr__http *http;
  char url[256], body[4096];
  int calls;
} fixture;

/* "hello, world", as gzip has it. */
static const char packed[] = "\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x28\xcf\x2f\xca\x49\x01\x00\x3a\x72\xab\xff\x0c\0\0";

static enum http_after answer(http_call *call) {
  if (strcmp(call->path, "/gzip") == 0) {
    http_sendf(call, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", sizeof packed);
    http_send(call, packed, sizeof packed);
  } else {
    http_answer(call, 200, "", call->head);
  }
  return HTTP_KEEP;
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
  f->calls++;
  assert_int_equal(reply->code, 0);
  snprintf(f->body, sizeof f->body, "%s", reply->body);
}

/* The request as the server got it, or what it said. */
static const char *ask(fixture *f, const char *method, const char *path, const orr__header *headers, size_t count) {
  uint64_t id;
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d%s", http_server_port(f->server), path);
  orr__http_request request = { .method = method, .url = f->url, .headers = headers, .header_count = count };
  f->calls = 0;
  assert_int_equal(orr__http_start(f->http, &request, done, f, &id, NULL), 0);
  while (f->calls == 0) orr__loop_step(f->loop, -1);
  return f->body;
}

static int times_in(const char *text, const char *part) {
  int times = 0;
  for (const char *at = text; (at = strcasestr(at, part)) != NULL; at++) times++;
  return times;
}

static void test_http_lines__it_says_who_it_is_and_what_it_unpacks(void **state) {
  const char *head = ask(*state, "GET", "/", NULL, 0);
  assert_int_equal(times_in(head, "\r\nUser-Agent: orrery/"), 1);
  assert_int_equal(times_in(head, "\r\nAccept-Encoding: gzip\r\n"), 1);
}

/* Each of the two, both and neither, alone and beside another, one after the other on one connection. */
static void test_http_lines__what_a_request_says_replaces_ours(void **state) {
  fixture *f = *state;
  static const orr__header own[] = { { "user-agent", "me" }, { "X-One", "1" }, { "accept-encoding", "identity" } };
  for (size_t from = 0; from < 3; from++) {
    for (size_t count = 0; count <= 3 - from; count++) {
      const char *head = ask(f, "DELETE", "/", own + from, count);
      bool has_agent = count > 0 && from == 0, has_encoding = count > 0 && from + count == 3;
      assert_int_equal(times_in(head, "\r\nuser-agent: "), 1);
      assert_int_equal(times_in(head, "\r\naccept-encoding: "), 1);
      assert_int_equal(times_in(head, "\r\nuser-agent: me\r\n"), has_agent);
      assert_int_equal(times_in(head, "\r\naccept-encoding: identity\r\n"), has_encoding);
    }
  }
  assert_int_equal(http_server_connections(f->server), 1);
}

static void test_http_lines__a_type_is_never_guessed(void **state) {
  static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    const char *head = ask(*state, methods[i], "/", NULL, 0);
    assert_int_equal(times_in(head, "Content-Type"), 0);
    assert_int_equal(times_in(head, "Expect"), 0);
    assert_int_equal(times_in(head, "Content-Length: 0\r\n"), i > 0 && i < 4);
  }
}

static void test_http_lines__an_answer_in_gzip_is_unpacked(void **state) {
  assert_string_equal(ask(*state, "GET", "/gzip", NULL, 0), "hello, world");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_http_lines__it_says_who_it_is_and_what_it_unpacks),
    TEST(test_http_lines__what_a_request_says_replaces_ours),
    TEST(test_http_lines__a_type_is_never_guessed),
    TEST(test_http_lines__an_answer_in_gzip_is_unpacked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
