/* What a connection says about trust (caCert, tlsFingerprint) holds for requests to its origin, and only there. */
#include "bindings_libs_fake.h"

#include "http_server.h"
#include "tls_server.h"

static struct identity own, other;
static SSL_CTX *context;
static http_server *tls, *plain;

static enum http_after answer(http_call *call) {
  http_answer(call, 200, "", "hello");
  return HTTP_KEEP;
}

static int start_servers(void **state) {
  (void)state;
  alarm(60);
  identity_make(&own, 1);
  identity_make(&other, 2);
  context = SSL_CTX_new(TLS_server_method());
  present(context, &own);
  struct http_stream stream = { tls_open, tls_read, tls_write, tls_close, context };
  tls = http_server_new(answer, &stream);
  plain = http_server_new(answer, NULL);
  return 0;
}

static int stop_servers(void **state) {
  (void)state;
  http_server_free(tls);
  http_server_free(plain);
  SSL_CTX_free(context);
  identity_clear(&own);
  identity_clear(&other);
  return 0;
}

/* Runs a hook on a connection with that serviceUrl (NULL: only a host), caCert and tlsFingerprint. */
static orr__answer *with_trust(libs_fake *t, const char *service_url, const char *ca, const char *fingerprint, const char *body) {
  char *needs = orr__strf("http = { 'https://127.0.0.1:%d', 'http://127.0.0.1:%d' }", http_server_port(tls), http_server_port(plain));
  char *top = orr__strf("local TLS, PLAIN, OWN, OTHER = 'https://127.0.0.1:%d/', 'http://127.0.0.1:%d/', '%s', '%s'", http_server_port(tls),
                        http_server_port(plain), own.fingerprint, other.fingerprint);
  libs_load(t, needs, top, body);
  free(needs);
  free(top);
  orr__call *call = fake_call(&t->f, ORR_HOOK_executeBackup);
  orr__object *connection = &call->graph.connection->head;
  orr__set_str(connection, ORR_F_connection_serviceUrl, service_url);
  if (!service_url) orr__set_str(connection, ORR_F_connection_host, "127.0.0.1");
  orr__set_str(connection, ORR_F_connection_caCert, ca);
  orr__set_str(connection, ORR_F_connection_tlsFingerprint, fingerprint);
  return fake_wait(&t->f, fake_start(&t->f, call));
}

static const char *tls_url(void) {
  static char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/api", http_server_port(tls));
  return url;
}

#define REFUSED "local ok, err = pcall(http.get, TLS) assert(not ok and err.code == 'tls', tostring(err))\n"
#define TRUSTED "assert(http.get(TLS).body == 'hello')\n"

static void test_tls__nobody_is_trusted_without_a_word(void **state) {
  assert_success(with_trust(*state, tls_url(), NULL, NULL, REFUSED));
}

static void test_tls__the_connections_ca_is_trusted(void **state) {
  assert_success(with_trust(*state, tls_url(), own.pem, NULL, TRUSTED));
}

static void test_tls__the_connections_fingerprint_pins(void **state) {
  assert_success(with_trust(*state, tls_url(), NULL, own.fingerprint, TRUSTED));
}

static void test_tls__another_fingerprint_refuses(void **state) {
  assert_success(with_trust(*state, tls_url(), NULL, other.fingerprint, REFUSED));
}

static void test_tls__a_host_is_as_good_as_a_url(void **state) {
  assert_success(with_trust(*state, NULL, NULL, own.fingerprint, TRUSTED));
}

static void test_tls__other_origins_get_nothing_of_it(void **state) {
  assert_success(with_trust(*state, "https://elsewhere.example/", own.pem, NULL, REFUSED));
}

static void test_tls__the_requests_own_word_goes_first(void **state) {
  assert_success(with_trust(*state, tls_url(), NULL, other.fingerprint, "assert(http.get(TLS, { tlsFingerprint = OWN }).status == 200)"));
  assert_success(with_trust(*state, tls_url(), own.pem, NULL, "assert(not pcall(http.get, TLS, { tlsFingerprint = OTHER }))"));
}

static void test_tls__where_there_is_no_tls_nothing_is_pinned(void **state) {
  assert_success(with_trust(*state, NULL, NULL, own.fingerprint, "assert(http.get(PLAIN).body == 'hello')"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    LIBS_TEST(test_tls__nobody_is_trusted_without_a_word), LIBS_TEST(test_tls__the_connections_ca_is_trusted),
    LIBS_TEST(test_tls__the_connections_fingerprint_pins), LIBS_TEST(test_tls__another_fingerprint_refuses),
    LIBS_TEST(test_tls__a_host_is_as_good_as_a_url), LIBS_TEST(test_tls__other_origins_get_nothing_of_it),
    LIBS_TEST(test_tls__the_requests_own_word_goes_first), LIBS_TEST(test_tls__where_there_is_no_tls_nothing_is_pinned),
  };
  return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
