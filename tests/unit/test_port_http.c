/* The HTTP client against a server on loopback: answers, caps, failures, retries, redirects, abort and free.
 * Most run on a virtual loop, where back-offs cost nothing and their length can be read off the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/str.h"
#include "http_server.h"
#include "port/http.h"

struct fixture {
  http_server *server;
  orr__loop *loop;
  orr__http *http;
  char url[512];
};

struct outcome {
  int calls;
  int code;
  bool was_sent;
  int status;
  char message[600];
  char headers[4096];
  char body[4096];
  size_t body_len;
};

static bool is_path(const http_call *call, const char *path) {
  return strcmp(call->path, path) == 0;
}

static enum http_after answer_odd(http_call *call) {
  if (is_path(call, "/chunked")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n");
  } else if (is_path(call, "/big")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    for (int i = 0; i < 1000; i++) http_sendf(call, "%01000d", i);
  } else if (is_path(call, "/many-headers")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++) http_sendf(call, "X-%d: y\r\n", i);
    http_sendf(call, "Content-Length: 0\r\n\r\n");
  } else if (is_path(call, "/cut")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    return HTTP_CLOSE;
  } else if (is_path(call, "/folded-first")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\n\tfolded: x\r\nContent-Length: 0\r\n\r\n");
  } else if (is_path(call, "/status-2")) {
    http_sendf(call, "HTTP/1.1 2\r\nContent-Length: 0\r\n\r\n");
  } else if (is_path(call, "/slow")) {
    http_wait_closed(call);
    return HTTP_CLOSE;
  } else if (is_path(call, "/reset")) {
    return HTTP_RESET;
  } else if (is_path(call, "/reset-twice")) {
    if (call->nth <= 2) return HTTP_RESET;
    http_answer(call, 200, "", "at last");
  } else if (is_path(call, "/once-per-connection")) {
    if (call->nth_on_connection > 1) return HTTP_CLOSE;
    http_answer(call, 200, "", "once");
  } else {
    http_answer(call, 404, "", "no such test");
  }
  return HTTP_KEEP;
}

static enum http_after answer(http_call *call) {
  if (is_path(call, "/ok")) {
    http_answer(call, 200, "Content-Type: text/plain\r\nX-Twice: a\r\nX-Twice: b\r\n", "hello");
  } else if (is_path(call, "/echo")) {
    http_sendf(call, "HTTP/1.1 201 Created\r\nContent-Length: %zu\r\n\r\n", strlen(call->head) + call->body_len);
    http_send(call, call->head, strlen(call->head));
    http_send(call, call->body, call->body_len);
  } else if (is_path(call, "/head")) {
    http_sendf(call, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
  } else if (is_path(call, "/again-in-5")) {
    http_answer(call, call->nth == 1 ? 503 : 200, call->nth == 1 ? "Retry-After: 5\r\n" : "", "body");
  } else if (is_path(call, "/429-for-ever")) {
    http_answer(call, 429, "Retry-After: 1\r\n", "slow down");
  } else if (is_path(call, "/again-tomorrow")) {
    http_answer(call, 503, "Retry-After: 86400\r\n", "tomorrow");
  } else if (is_path(call, "/503")) {
    http_answer(call, 503, "", "broken");
  } else if (is_path(call, "/moved")) {
    http_answer(call, 302, "Location: /ok\r\n", "");
  } else if (is_path(call, "/loop")) {
    http_answer(call, 307, "Location: loop\r\n", "");
  } else if (is_path(call, "/other-origin")) {
    http_answer(call, 302, "Location: http://localhost:1/ok\r\n", "elsewhere");
  } else if (is_path(call, "/see-other")) {
    http_answer(call, 303, "Location: /echo\r\n", "");
  } else {
    return answer_odd(call);
  }
  return HTTP_KEEP;
}

static void fixture_open(struct fixture *f, bool is_virtual) {
  f->server = http_server_new(answer, NULL);
  if (is_virtual) {
    assert_int_equal(orr__loop_new_virtual(INT64_C(1700000000000), &f->loop, NULL), 0);
  } else {
    assert_int_equal(orr__loop_new(NULL, NULL, &f->loop, NULL), 0);
  }
  assert_int_equal(orr__http_new(f->loop, 0, &f->http, NULL), 0);
}

static int setup(void **state) {
  /* A client that hangs must not hang the suite. */
  alarm(60);
  struct fixture *f = calloc(1, sizeof *f);
  fixture_open(f, true);
  *state = f;
  return 0;
}

static int setup_real(void **state) {
  alarm(60);
  struct fixture *f = calloc(1, sizeof *f);
  fixture_open(f, false);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  orr__http_free(f->http);
  orr__loop_free(f->loop);
  http_server_free(f->server);
  free(f);
  return 0;
}

static const char *url_of(struct fixture *f, const char *path) {
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d%s", http_server_port(f->server), path);
  return f->url;
}

static void keep(void *arg, const orr__http_reply *reply) {
  struct outcome *outcome = arg;
  outcome->calls++;
  outcome->code = reply->code;
  outcome->was_sent = reply->was_sent;
  outcome->status = reply->status;
  snprintf(outcome->message, sizeof outcome->message, "%s", reply->message != NULL ? reply->message : "");
  outcome->headers[0] = '\0';
  for (size_t i = 0; i < reply->header_count; i++) {
    size_t len = strlen(outcome->headers);
    snprintf(outcome->headers + len, sizeof outcome->headers - len, "%s=%s;", reply->headers[i].name,
             reply->headers[i].value);
  }
  snprintf(outcome->body, sizeof outcome->body, "%s", reply->body != NULL ? reply->body : "");
  outcome->body_len = reply->body_len;
}

static uint64_t start(struct fixture *f, const orr__http_request *request, struct outcome *outcome) {
  uint64_t id = 0;
  orr_error err = ORR_ERROR_INIT;
  if (orr__http_start(f->http, request, keep, outcome, &id, &err) != 0) fail_msg("%s", orr__error_message(&err));
  assert_int_equal(outcome->calls, 0);
  assert_true(id != 0);
  return id;
}

static struct outcome run(struct fixture *f, const orr__http_request *request) {
  struct outcome outcome = { 0 };
  start(f, request, &outcome);
  while (outcome.calls == 0) orr__loop_step(f->loop, -1);
  while (orr__loop_step(f->loop, 0)) continue;
  assert_int_equal(outcome.calls, 1);
  return outcome;
}

static struct outcome get(struct fixture *f, const char *path) {
  orr__http_request request = { .method = "GET", .url = url_of(f, path), .is_safe = true };
  return run(f, &request);
}

static void test_http__an_answer_has_status_headers_and_body(void **state) {
  struct outcome outcome = get(*state, "/ok");
  assert_int_equal(outcome.code, 0);
  assert_int_equal(outcome.status, 200);
  assert_string_equal(outcome.headers, "content-type=text/plain;x-twice=a;x-twice=b;content-length=5;");
  assert_string_equal(outcome.body, "hello");
  assert_int_equal(outcome.body_len, 5);
  assert_int_equal(get(*state, "/nowhere").status, 404);
}

static void test_http__works_on_a_real_loop(void **state) {
  struct outcome outcome = get(*state, "/chunked");
  assert_int_equal(outcome.status, 200);
  assert_string_equal(outcome.body, "hello, world");
}

static void test_http__a_request_arrives_as_it_was_given(void **state) {
  struct fixture *f = *state;
  orr__header headers[] = { { "X-Empty", "" }, { "X-One", "1" }, { "Content-Type", "application/json" } };
  orr__http_request request = {
    .method = "PATCH", .url = url_of(f, "/echo"), .headers = headers, .header_count = 3,
    .body = "{\"a\":1}", .body_len = 7, .username = "al", .password = "pw",
  };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.status, 201);
  assert_non_null(strstr(outcome.body, "PATCH /echo HTTP/1.1\r\n"));
  assert_non_null(strstr(outcome.body, "X-Empty:\r\n"));
  assert_non_null(strstr(outcome.body, "X-One: 1\r\n"));
  assert_non_null(strstr(outcome.body, "Content-Type: application/json\r\n"));
  assert_non_null(strstr(outcome.body, "Authorization: Basic YWw6cHc=\r\n"));
  assert_null(strstr(outcome.body, "Expect"));
  assert_non_null(strstr(outcome.body, "{\"a\":1}"));
  assert_int_equal(http_server_count(f->server, "/echo"), 1);
}

static void test_http__nothing_of_one_request_is_left_for_the_next(void **state) {
  struct fixture *f = *state;
  orr__header header = { "X-One", "1" };
  orr__http_request first = {
    .method = "POST", .url = url_of(f, "/echo"), .headers = &header, .header_count = 1, .body = "b", .body_len = 1,
    .username = "al", .password = "pw",
  };
  run(f, &first);
  struct outcome outcome = get(f, "/echo");
  assert_non_null(strstr(outcome.body, "GET /echo"));
  assert_null(strstr(outcome.body, "Authorization"));
  assert_null(strstr(outcome.body, "X-One"));
  assert_null(strstr(outcome.body, "Content-Length"));
  assert_int_equal(http_server_connections(f->server), 1);
}

static void test_http__a_damaged_answer_is_an_error(void **state) {
  struct fixture *f = *state;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(get(f, "/ok").status, 200);
    /* An error or an answer, by libcurl's version; AddressSanitizer sees it if the line is added to the headers of /ok. */
    assert_int_equal(get(f, "/folded-first").calls, 1);
    assert_int_equal(get(f, "/status-2").code, ORR_E_UNREACHABLE);
  }
}

static void test_http__credentials_in_the_url_are_sent_but_never_told(void **state) {
  struct fixture *f = *state;
  char url[256];
  snprintf(url, sizeof url, "http://al:p%%40ss@127.0.0.1:%d/echo", http_server_port(f->server));
  orr__http_request request = { .method = "GET", .url = url, .is_safe = true };
  assert_non_null(strstr(run(f, &request).body, "Authorization: Basic YWw6cEBzcw==\r\n"));
  request.url = "http://al:s3cret@127.0.0.1:1/x?token=s3cret";
  request.proxy = "http://me:s3cret@127.0.0.1:1";
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.code, ORR_E_UNREACHABLE);
  assert_null(strstr(outcome.message, "s3cret"));
  assert_non_null(strstr(outcome.message, "127.0.0.1:1"));
}

static void test_http__head_has_no_body_however_long_it_says_it_is(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "HEAD", .url = url_of(f, "/head"), .is_safe = true };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.status, 200);
  assert_int_equal(outcome.body_len, 0);
}

static void test_http__too_much_is_a_limit(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "GET", .url = url_of(f, "/big"), .is_safe = true, .max_body = 999999 };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.code, ORR_E_LIMIT);
  assert_true(outcome.was_sent);
  assert_non_null(strstr(outcome.message, "999999 bytes"));
  assert_int_equal(http_server_count(f->server, "/big"), 1);
  request.max_body = 1000000;
  outcome = run(f, &request);
  assert_int_equal(outcome.code, 0);
  assert_int_equal(outcome.body_len, 1000000);
  assert_int_equal(get(f, "/many-headers").code, ORR_E_LIMIT);
}

static void test_http__a_refused_connection_is_unreachable_after_three_retries(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "GET", .url = "http://127.0.0.1:1/", .is_safe = true };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.code, ORR_E_UNREACHABLE);
  assert_false(outcome.was_sent);
  assert_string_equal(outcome.message, "127.0.0.1:1: Connection refused");
  assert_int_equal(orr__loop_mono_ms(f->loop), 500 + 1000 + 2000);
  request.timeout_ms = 1200;
  run(f, &request);
  assert_int_equal(orr__loop_mono_ms(f->loop), 3500 + 500);
  request.is_safe = false;
  run(f, &request);
  assert_int_equal(orr__loop_mono_ms(f->loop), 4000);
}

static void test_http__silence_is_a_timeout_that_may_have_been_received(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "GET", .url = url_of(f, "/slow"), .is_safe = true };
  struct outcome outcome = { 0 };
  for (request.timeout_ms = 100; !outcome.was_sent && request.timeout_ms < 60000; request.timeout_ms *= 4) { /* a busy machine sends later */
    char within[64];
    snprintf(within, sizeof within, "within %g s", (double)request.timeout_ms / 1000);
    outcome = run(f, &request);
    assert_int_equal(outcome.code, ORR_E_TIMEOUT);
    assert_non_null(strstr(outcome.message, within));
  }
  assert_true(outcome.was_sent);
  while (http_server_count(f->server, "/slow") == 0) orr__loop_step(f->loop, 1);
  assert_int_equal(http_server_count(f->server, "/slow"), 1);
}

static void test_http__a_503_is_asked_again_when_it_says(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "POST", .url = url_of(f, "/again-in-5"), .body = "x", .body_len = 1, .is_safe = true };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.status, 200);
  assert_int_equal(http_server_count(f->server, "/again-in-5"), 2);
  assert_int_equal(orr__loop_mono_ms(f->loop), 5000);
}

static void test_http__an_unsafe_request_is_asked_again_after_429_and_not_after_503(void **state) {
  struct fixture *f = *state;
  orr__http_request request = { .method = "POST", .url = url_of(f, "/again-in-5"), .body = "x", .body_len = 1 };
  assert_int_equal(run(f, &request).status, 503);
  assert_int_equal(http_server_count(f->server, "/again-in-5"), 1);
  request.url = url_of(f, "/429-for-ever");
  assert_int_equal(run(f, &request).status, 429);
  assert_int_equal(http_server_count(f->server, "/429-for-ever"), 4);
}

static void test_http__a_429_is_the_answer_after_three_retries(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = get(f, "/429-for-ever");
  assert_int_equal(outcome.code, 0);
  assert_int_equal(outcome.status, 429);
  assert_string_equal(outcome.body, "slow down");
  assert_int_equal(http_server_count(f->server, "/429-for-ever"), 4);
  assert_int_equal(orr__loop_mono_ms(f->loop), 1000 + 1000 + 2000);
}

static void test_http__a_503_too_late_or_without_a_time_is_the_answer(void **state) {
  struct fixture *f = *state;
  assert_int_equal(get(f, "/again-tomorrow").status, 503);
  assert_int_equal(get(f, "/503").status, 503);
  assert_int_equal(http_server_count(f->server, "/again-tomorrow"), 1);
  assert_int_equal(http_server_count(f->server, "/503"), 1);
  assert_int_equal(orr__loop_mono_ms(f->loop), 0);
}

static void test_http__a_safe_request_is_tried_again_after_a_reset_and_an_unsafe_one_never(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = get(f, "/reset-twice");
  assert_string_equal(outcome.body, "at last");
  orr__http_request request = { .method = "POST", .url = url_of(f, "/reset"), .body = "x", .body_len = 1 };
  outcome = run(f, &request);
  assert_int_equal(outcome.code, ORR_E_UNREACHABLE);
  assert_true(outcome.was_sent);
  assert_int_equal(http_server_count(f->server, "/reset"), 1);
  request.url = url_of(f, "/cut");
  assert_int_equal(run(f, &request).code, ORR_E_UNREACHABLE);
  assert_int_equal(http_server_count(f->server, "/cut"), 1);
}

/* libcurl repeats a request by itself when a pooled connection turns out to be closed. */
static void test_http__an_unsafe_request_is_not_repeated_on_another_connection(void **state) {
  struct fixture *f = *state;
  static const char *const methods[] = { "POST", "DELETE" };
  for (int i = 0; i < 2; i++) {
    int before = http_server_count(f->server, "/once-per-connection");
    orr__http_request request = { .method = methods[i], .url = url_of(f, "/once-per-connection") };
    assert_int_equal(run(f, &request).status, 200);
    struct outcome outcome = run(f, &request);
    assert_int_equal(outcome.code, ORR_E_UNREACHABLE);
    assert_true(outcome.was_sent);
    assert_int_equal(http_server_count(f->server, "/once-per-connection"), before + 2);
  }
  assert_int_equal(get(f, "/once-per-connection").status, 200);
  assert_int_equal(get(f, "/once-per-connection").status, 200);
}

static void test_http__a_redirect_is_followed_within_its_origin_only(void **state) {
  struct fixture *f = *state;
  assert_string_equal(get(f, "/moved").body, "hello");
  struct outcome outcome = get(f, "/other-origin");
  assert_int_equal(outcome.status, 302);
  assert_string_equal(outcome.body, "elsewhere");
  assert_non_null(strstr(outcome.headers, "location=http://localhost:1/ok;"));
  orr__http_request request = { .method = "POST", .url = url_of(f, "/moved") };
  assert_int_equal(run(f, &request).status, 302);
}

static void test_http__a_redirect_loop_ends_in_an_error(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = get(f, "/loop");
  assert_int_equal(outcome.code, ORR_E_LIMIT);
  assert_int_equal(http_server_count(f->server, "/loop"), 11);
}

static void test_http__see_other_turns_a_safe_post_into_a_get(void **state) {
  struct fixture *f = *state;
  orr__header header = { "Content-Type", "text/plain" };
  orr__http_request request = {
    .method = "POST", .url = url_of(f, "/see-other"), .headers = &header, .header_count = 1, .body = "x", .body_len = 1,
    .is_safe = true,
  };
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.status, 201);
  assert_non_null(strstr(outcome.body, "GET /echo"));
  assert_null(strstr(outcome.body, "Content-"));
}

static void test_http__an_abort_completes_once_with_cancelled(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = { 0 };
  orr__http_request request = { .method = "GET", .url = url_of(f, "/slow"), .is_safe = true };
  uint64_t id = start(f, &request, &outcome);
  while (http_server_count(f->server, "/slow") == 0) orr__loop_step(f->loop, 5);
  orr__http_abort(f->http, id);
  orr__http_abort(f->http, id);
  assert_int_equal(outcome.calls, 0);
  while (outcome.calls == 0) orr__loop_step(f->loop, -1);
  orr__http_abort(f->http, id);
  while (orr__loop_step(f->loop, 0)) continue;
  assert_int_equal(outcome.calls, 1);
  assert_int_equal(outcome.code, ORR_E_CANCELLED);
  assert_true(outcome.was_sent);
}

static void test_http__an_abort_ends_a_back_off(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = { 0 };
  orr__http_request request = { .method = "GET", .url = "http://127.0.0.1:1/", .is_safe = true };
  uint64_t id = start(f, &request, &outcome);
  /* A wait shorter than the back-off keeps the virtual clock where it is. */
  for (int idle = 0; idle < 3;) idle = orr__loop_step(f->loop, 20) ? 0 : idle + 1;
  assert_int_equal(outcome.calls, 0);
  orr__http_abort(f->http, id);
  while (outcome.calls == 0) orr__loop_step(f->loop, -1);
  assert_int_equal(outcome.code, ORR_E_CANCELLED);
  assert_false(outcome.was_sent);
  assert_int_equal(orr__loop_mono_ms(f->loop), 0);
}

struct restarter {
  struct fixture *f;
  struct outcome outcome;
  int refused;
};

static void start_again(void *arg, const orr__http_reply *reply) {
  struct restarter *restarter = arg;
  keep(&restarter->outcome, reply);
  orr__http_request request = { .method = "GET", .url = "http://127.0.0.1:1/", .is_safe = true };
  uint64_t id = 0;
  restarter->refused = orr__http_start(restarter->f->http, &request, keep, &restarter->outcome, &id, NULL);
}

static void test_http__free_cancels_what_is_in_flight_and_starts_nothing(void **state) {
  struct fixture *f = *state;
  struct outcome flying = { 0 }, waiting = { 0 }, aborted = { 0 };
  struct restarter restarter = { .f = f };
  orr__http_request request = { .method = "GET", .url = url_of(f, "/slow"), .is_safe = true };
  uint64_t id = 0;
  start(f, &request, &flying);
  assert_int_equal(orr__http_start(f->http, &request, start_again, &restarter, &id, NULL), 0);
  while (http_server_count(f->server, "/slow") < 2) orr__loop_step(f->loop, 5);
  request.url = "http://127.0.0.1:1/";
  start(f, &request, &waiting);
  orr__http_abort(f->http, start(f, &request, &aborted));
  orr__http_free(f->http);
  f->http = NULL;
  assert_int_equal(flying.calls + waiting.calls + aborted.calls + restarter.outcome.calls, 4);
  assert_int_equal(flying.code, ORR_E_CANCELLED);
  assert_int_equal(waiting.code, ORR_E_CANCELLED);
  assert_int_equal(aborted.code, ORR_E_CANCELLED);
  assert_int_equal(restarter.refused, ORR_E_CLOSED);
}

static void test_http__more_than_the_maximum_wait_their_turn(void **state) {
  struct fixture *f = *state;
  orr__http *http = NULL;
  assert_int_equal(orr__http_new(f->loop, 2, &http, NULL), 0);
  struct outcome outcomes[20] = { { 0 } }, slow[2] = { { 0 } }, late = { 0 };
  uint64_t id = 0, last = 0;
  orr__http_request request = { .method = "GET", .url = url_of(f, "/ok"), .is_safe = true };
  for (int i = 0; i < 20; i++) {
    assert_int_equal(orr__http_start(http, &request, keep, &outcomes[i], &id, NULL), 0);
    assert_true(id > last);
    last = id;
  }
  for (int i = 0; i < 20; i++) /* the last is not the last to end */
    while (outcomes[i].calls == 0) orr__loop_step(f->loop, -1);
  for (int i = 0; i < 20; i++) assert_int_equal(outcomes[i].status, 200);
  assert_true(http_server_connections(f->server) <= 2);
  request.url = url_of(f, "/slow");
  request.timeout_ms = 200;
  for (int i = 0; i < 2; i++) orr__http_start(http, &request, keep, &slow[i], &id, NULL);
  request.url = url_of(f, "/ok");
  assert_int_equal(orr__http_start(http, &request, keep, &late, &id, NULL), 0);
  orr__http_abort(http, id);
  while (slow[0].calls == 0 || slow[1].calls == 0) orr__loop_step(f->loop, -1);
  assert_int_equal(late.code, ORR_E_CANCELLED);
  assert_false(late.was_sent);
  orr__http_free(http);
}

static void test_http__the_proxy_is_the_requests_and_never_the_environments(void **state) {
  struct fixture *f = *state;
  char proxy[64];
  snprintf(proxy, sizeof proxy, "127.0.0.1:%d", http_server_port(f->server));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("all_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "*", 1);
  assert_int_equal(get(f, "/ok").status, 200);
  orr__http_request request = { .method = "GET", .url = "http://far.invalid/x", .proxy = proxy, .is_safe = true };
  assert_int_equal(run(f, &request).status, 404);
  assert_int_equal(http_server_count(f->server, "http://far.invalid/x"), 1);
  request.url = "https://far.invalid/x";
  request.timeout_ms = 20000;
  struct outcome outcome = run(f, &request);
  assert_int_equal(outcome.code, ORR_E_UNREACHABLE);
  assert_false(outcome.was_sent);
  assert_non_null(strstr(outcome.message, "far.invalid:443 (through proxy 127.0.0.1:"));
  assert_non_null(strstr(outcome.message, "the proxy answered 404"));
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  unsetenv("no_proxy");
}

static void test_http__a_malformed_request_is_refused_at_once(void **state) {
  struct fixture *f = *state;
  const char *url = url_of(f, "/ok");
  orr__header split = { "X", "a\r\nY: b" }, name = { "X Y", "" }, host = { "Host", "other" };
  const orr__http_request wrong[] = {
    { .method = "get", .url = url },
    { .method = NULL, .url = url },
    { .method = "GET", .url = "host/path" },
    { .method = "GET", .url = url, .headers = &split, .header_count = 1 },
    { .method = "GET", .url = url, .headers = &name, .header_count = 1 },
    { .method = "GET", .url = url, .headers = &host, .header_count = 1 },
    { .method = "GET", .url = url, .username = "a:b" },
    { .method = "GET", .url = url, .proxy = "ftp://proxy:21" },
    { .method = "GET", .url = url, .proxy = "me:s3cret@proxy" },
    { .method = "HEAD", .url = url, .body = "x", .body_len = 1 },
    { .method = "GET", .url = "https://127.0.0.1/", .tls_fingerprint = "12:34" },
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    uint64_t id = 0;
    struct outcome outcome = { 0 };
    orr_error err = ORR_ERROR_INIT;
    if (orr__http_start(f->http, &wrong[i], keep, &outcome, &id, &err) != ORR_E_INVALID) fail_msg("accepted %zu", i);
    assert_null(strstr(orr__error_message(&err), "s3cret"));
    orr__error_clear(&err);
    while (orr__loop_step(f->loop, 0)) continue;
    assert_int_equal(outcome.calls, 0);
  }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_http__an_answer_has_status_headers_and_body),
    cmocka_unit_test_setup_teardown(test_http__works_on_a_real_loop, setup_real, teardown),
    TEST(test_http__a_request_arrives_as_it_was_given),
    TEST(test_http__nothing_of_one_request_is_left_for_the_next),
    TEST(test_http__a_damaged_answer_is_an_error),
    TEST(test_http__credentials_in_the_url_are_sent_but_never_told),
    TEST(test_http__head_has_no_body_however_long_it_says_it_is),
    TEST(test_http__too_much_is_a_limit),
    TEST(test_http__a_refused_connection_is_unreachable_after_three_retries),
    TEST(test_http__silence_is_a_timeout_that_may_have_been_received),
    TEST(test_http__a_503_is_asked_again_when_it_says),
    TEST(test_http__an_unsafe_request_is_asked_again_after_429_and_not_after_503),
    TEST(test_http__a_429_is_the_answer_after_three_retries),
    TEST(test_http__a_503_too_late_or_without_a_time_is_the_answer),
    TEST(test_http__a_safe_request_is_tried_again_after_a_reset_and_an_unsafe_one_never),
    TEST(test_http__an_unsafe_request_is_not_repeated_on_another_connection),
    TEST(test_http__a_redirect_is_followed_within_its_origin_only),
    TEST(test_http__a_redirect_loop_ends_in_an_error),
    TEST(test_http__see_other_turns_a_safe_post_into_a_get),
    TEST(test_http__an_abort_completes_once_with_cancelled),
    TEST(test_http__an_abort_ends_a_back_off),
    TEST(test_http__free_cancels_what_is_in_flight_and_starts_nothing),
    TEST(test_http__more_than_the_maximum_wait_their_turn),
    TEST(test_http__the_proxy_is_the_requests_and_never_the_environments),
    TEST(test_http__a_malformed_request_is_refused_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
