/* TLS: certificates are verified, trusted by a given CA, or pinned by fingerprint, and a request never reaches
 * a server that did not prove who it is. The server and its certificates are made with OpenSSL. */
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
#include "tls_server.h"

struct fixture {
  struct identity own, other;
  SSL_CTX *context;
  http_server *server;
  orr__loop *loop;
  orr__http *http;
  char url[128];
};

struct outcome {
  int calls;
  int code;
  bool was_sent;
  int status;
  char message[600];
};

static enum http_after answer(http_call *call) {
  http_answer(call, 200, "", "over TLS");
  return HTTP_KEEP;
}

static int setup(void **state) {
  alarm(60);
  struct fixture *f = calloc(1, sizeof *f);
  identity_make(&f->own, 1);
  identity_make(&f->other, 2);
  f->context = SSL_CTX_new(TLS_server_method());
  present(f->context, &f->own);
  struct http_stream stream = { tls_open, tls_read, tls_write, tls_close, f->context };
  f->server = http_server_new(answer, &stream);
  snprintf(f->url, sizeof f->url, "https://127.0.0.1:%d/x", http_server_port(f->server));
  assert_int_equal(orr__loop_new_virtual(0, &f->loop, NULL), 0);
  assert_int_equal(orr__http_new(f->loop, 0, &f->http, NULL), 0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  orr__http_free(f->http);
  orr__loop_free(f->loop);
  http_server_free(f->server);
  SSL_CTX_free(f->context);
  identity_clear(&f->own);
  identity_clear(&f->other);
  free(f);
  return 0;
}

static void keep(void *arg, const orr__http_reply *reply) {
  struct outcome *outcome = arg;
  outcome->calls++;
  outcome->code = reply->code;
  outcome->was_sent = reply->was_sent;
  outcome->status = reply->status;
  snprintf(outcome->message, sizeof outcome->message, "%s", reply->message != NULL ? reply->message : "");
}

static struct outcome post(struct fixture *f, const char *fingerprint, const char *ca_cert) {
  struct outcome outcome = { 0 };
  orr__http_request request = {
    .method = "POST", .url = f->url, .tls_fingerprint = fingerprint, .ca_cert = ca_cert, .username = "al",
    .password = "s3cret",
  };
  uint64_t id;
  assert_int_equal(orr__http_start(f->http, &request, keep, &outcome, &id, NULL), 0);
  while (outcome.calls == 0) orr__loop_step(f->loop, -1);
  return outcome;
}

static void assert_not_trusted(struct fixture *f, struct outcome outcome) {
  assert_int_equal(outcome.code, ORR_E_TLS);
  assert_false(outcome.was_sent);
  assert_non_null(strstr(outcome.message, "127.0.0.1:"));
  assert_null(strstr(outcome.message, "s3cret"));
  assert_int_equal(http_server_count(f->server, "/x"), 0);
}

static void test_http_tls__a_self_signed_certificate_is_not_trusted(void **state) {
  struct fixture *f = *state;
  assert_not_trusted(f, post(f, NULL, NULL));
}

static void test_http_tls__a_given_ca_is_trusted_and_another_is_not(void **state) {
  struct fixture *f = *state;
  assert_not_trusted(f, post(f, NULL, f->other.pem));
  assert_int_equal(post(f, NULL, f->own.pem).status, 200);
  struct outcome outcome = post(f, NULL, "not PEM");
  assert_int_equal(outcome.code, ORR_E_INVALID);
  assert_false(outcome.was_sent);
}

static void test_http_tls__a_given_ca_still_wants_the_right_name(void **state) {
  struct fixture *f = *state;
  snprintf(f->url, sizeof f->url, "https://localhost:%d/x", http_server_port(f->server));
  struct outcome outcome = post(f, NULL, f->own.pem);
  assert_int_equal(outcome.code, ORR_E_TLS);
  assert_int_equal(http_server_count(f->server, "/x"), 0);
}

static void test_http_tls__the_pinned_certificate_is_accepted_in_every_spelling(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, f->own.fingerprint, NULL).status, 200);
  char plain[65] = "";
  for (int i = 0; i < 32; i++) {
    unsigned byte = 0;
    sscanf(f->own.fingerprint + 3 * i, "%2x", &byte);
    sprintf(plain + 2 * i, "%02x", byte);
  }
  assert_int_equal(post(f, plain, NULL).status, 200);
  /* The pin decides, not the CA. */
  assert_int_equal(post(f, plain, f->other.pem).status, 200);
  assert_int_equal(http_server_connections(f->server), 1);
}

static void test_http_tls__another_certificate_than_the_pinned_one_gets_no_request(void **state) {
  struct fixture *f = *state;
  struct outcome outcome = post(f, f->other.fingerprint, NULL);
  assert_not_trusted(f, outcome);
  assert_non_null(strstr(outcome.message, f->own.fingerprint));
  /* A CA that would vouch for it does not help. */
  assert_not_trusted(f, post(f, f->other.fingerprint, f->own.pem));
}

static void test_http_tls__a_pooled_connection_does_not_carry_a_request_with_another_pin(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, f->own.fingerprint, NULL).status, 200);
  assert_int_equal(post(f, f->other.fingerprint, NULL).code, ORR_E_TLS);
  assert_int_equal(post(f, NULL, NULL).code, ORR_E_TLS);
  assert_int_equal(http_server_count(f->server, "/x"), 1);
}

static void test_http_tls__a_renewed_certificate_is_found_behind_pooled_connections(void **state) {
  struct fixture *f = *state;
  struct outcome outcomes[3] = { { 0 } };
  orr__http_request request = { .method = "POST", .url = f->url, .tls_fingerprint = f->own.fingerprint };
  uint64_t id;
  for (int i = 0; i < 3; i++) assert_int_equal(orr__http_start(f->http, &request, keep, &outcomes[i], &id, NULL), 0);
  for (int i = 0; i < 3; i++) {
    while (outcomes[i].calls == 0) orr__loop_step(f->loop, -1);
    assert_int_equal(outcomes[i].status, 200);
  }
  assert_int_equal(http_server_connections(f->server), 3);
  present(f->context, &f->other);
  assert_int_equal(post(f, f->other.fingerprint, NULL).status, 200);
  assert_int_equal(http_server_count(f->server, "/x"), 4);
}

static enum http_after answer_plain(http_call *call) {
  (void)call;
  return HTTP_CLOSE;
}

static void test_http_tls__a_server_without_tls_gets_no_request(void **state) {
  struct fixture *f = *state;
  http_server *plain = http_server_new(answer_plain, NULL);
  snprintf(f->url, sizeof f->url, "https://127.0.0.1:%d/x", http_server_port(plain));
  struct outcome outcome = { 0 };
  orr__http_request request = {
    .method = "GET", .url = f->url, .tls_fingerprint = f->own.fingerprint, .timeout_ms = 300, .is_safe = true,
  };
  uint64_t id;
  assert_int_equal(orr__http_start(f->http, &request, keep, &outcome, &id, NULL), 0);
  while (outcome.calls == 0) orr__loop_step(f->loop, -1);
  assert_true(outcome.code == ORR_E_TLS || outcome.code == ORR_E_TIMEOUT || outcome.code == ORR_E_UNREACHABLE);
  assert_false(outcome.was_sent);
  http_server_free(plain);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_http_tls__a_self_signed_certificate_is_not_trusted),
    TEST(test_http_tls__a_given_ca_is_trusted_and_another_is_not),
    TEST(test_http_tls__a_given_ca_still_wants_the_right_name),
    TEST(test_http_tls__the_pinned_certificate_is_accepted_in_every_spelling),
    TEST(test_http_tls__another_certificate_than_the_pinned_one_gets_no_request),
    TEST(test_http_tls__a_pooled_connection_does_not_carry_a_request_with_another_pin),
    TEST(test_http_tls__a_renewed_certificate_is_found_behind_pooled_connections),
    TEST(test_http_tls__a_server_without_tls_gets_no_request),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
