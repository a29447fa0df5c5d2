/* URLs taken apart: the parts, what is refused, and origins that can be compared as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "port/http.h"

static void assert_origin(const char *text, const char *origin) {
  orr__url url = { 0 };
  assert_int_equal(orr__url_parse(text, &url, NULL), 0);
  assert_string_equal(url.origin, origin);
  orr__url_clear(&url);
}

static void test_url__every_part_is_found(void **state) {
  (void)state;
  orr__url url = { 0 };
  assert_int_equal(orr__url_parse("HTTPS://Al:p%40ss@Backup.Example:8443/a/b?x=1&y=%20#part", &url, NULL), 0);
  assert_string_equal(url.scheme, "https");
  assert_string_equal(url.user, "Al");
  assert_string_equal(url.password, "p%40ss");
  assert_string_equal(url.host, "backup.example");
  assert_int_equal(url.port, 8443);
  assert_string_equal(url.path, "/a/b");
  assert_string_equal(url.query, "x=1&y=%20");
  assert_string_equal(url.fragment, "part");
  assert_string_equal(url.origin, "https://backup.example:8443");
  orr__url_clear(&url);
  assert_null(url.origin);
  orr__url_clear(&url);
  orr__url_clear(NULL);
}

static void test_url__absent_parts_are_null(void **state) {
  (void)state;
  orr__url url = { 0 };
  assert_int_equal(orr__url_parse("http://host", &url, NULL), 0);
  assert_null(url.user);
  assert_null(url.password);
  assert_null(url.query);
  assert_null(url.fragment);
  assert_string_equal(url.path, "/");
  assert_int_equal(url.port, 80);
  orr__url_clear(&url);
}

static void test_url__origins_of_one_place_are_one_text(void **state) {
  (void)state;
  assert_origin("http://host", "http://host:80");
  assert_origin("HTTP://HOST:80/x?y#z", "http://host:80");
  assert_origin("https://host/", "https://host:443");
  assert_origin("https://user:pw@host:443", "https://host:443");
  assert_origin("http://[::1]:8080/", "http://[::1]:8080");
  assert_origin("http://[2001:DB8::A]/", "http://[2001:db8::a]:80");
  assert_origin("http://127.1/", "http://127.0.0.1:80");
  assert_origin("http://0x7f000001/", "http://127.0.0.1:80");
  /* What follows the last @ is the host, whatever stands before it. */
  assert_origin("http://good.example@evil.example/", "http://evil.example:80");
  assert_origin("http://host/?a=http://other@x", "http://host:80");
}

static void test_url__an_ipv6_host_loses_its_brackets(void **state) {
  (void)state;
  orr__url url = { 0 };
  assert_int_equal(orr__url_parse("https://[::1]/", &url, NULL), 0);
  assert_string_equal(url.host, "::1");
  orr__url_clear(&url);
}

static void test_url__what_is_no_url_is_refused_without_quoting_it(void **state) {
  (void)state;
  static const char *const wrong[] = {
    NULL, "", "host", "host/path", "//host/", "/path", "ftp://host/", "file:///etc/passwd", "gopher://h/",
    "http:/host", "http:host", "http:///host", "http://", "https://?x", "http://#x", "javascript:alert(1)",
    "http://ho st/", "http://host/a b", "http://host/\r\nX: y", "http://host/\x7f", " http://host/", "http://host/\n",
    "http://a:s3cret@evil\\@host/", "http://a\\b/", "http://host:0x50/", "http://host:99999/", "http://host:-1/",
    "http://[::1/", "http://[zz]/", "http://[fe80::1%25eth0]/", "http://a:s3cret@/", "http://u:s3cret@:80/",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    orr__url url = { 0 };
    orr_error err = ORR_ERROR_INIT;
    if (orr__url_parse(wrong[i], &url, &err) != ORR_E_INVALID) fail_msg("accepted: %s as %s", wrong[i], url.origin);
    assert_null(url.origin);
    assert_true(strlen(orr__error_message(&err)) > 0);
    assert_null(strstr(orr__error_message(&err), "s3cret"));
    orr__error_clear(&err);
  }
}

static void test_url__a_very_long_one_is_refused(void **state) {
  (void)state;
  size_t len = 70000;
  char *text = malloc(len + 1);
  memset(text, 'a', len);
  text[len] = '\0';
  memcpy(text, "http://host/", 12);
  orr__url url = { 0 };
  assert_int_equal(orr__url_parse(text, &url, NULL), ORR_E_INVALID);
  text[60000] = '\0';
  assert_int_equal(orr__url_parse(text, &url, NULL), 0);
  assert_int_equal(strlen(url.path), 60000 - 11);
  orr__url_clear(&url);
  free(text);
}

static bool is_same(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* However a URL is taken apart, the parts are the same. */
static void test_url__a_plain_path_is_joined_to_its_origin(void **state) {
  (void)state;
  static const char *const plain[] = {
    "http://host/", "http://host/a", "https://Host.Example:8443/api/v1/job::17/backup.tar?x=1&y=a,b", "http://[::1]/a..b/c.", "http://host//x//",
    "http://host/-_~/=&+,:;@", "http://host/?", "http://host/a?b./c", "http://10.0.0.1:080/x",
  };
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    orr__url origin = { 0 }, whole = { 0 }, joined = { 0 };
    size_t len = orr__url_plain_path(plain[i]);
    if (len == 0 || plain[i][len] != '/') fail_msg("not plain: %s", plain[i]);
    char *front = orr__strndup(plain[i], len);
    assert_int_equal(orr__url_parse(front, &origin, NULL), 0);
    assert_int_equal(orr__url_parse(plain[i], &whole, NULL), 0);
    assert_int_equal(orr__url_join(&origin, plain[i] + len, &joined, NULL), 0);
    if (!is_same(whole.scheme, joined.scheme) || !is_same(whole.host, joined.host) || !is_same(whole.origin, joined.origin) ||
        !is_same(whole.path, joined.path) || !is_same(whole.query, joined.query) || whole.port != joined.port || joined.user != NULL ||
        joined.password != NULL || joined.fragment != NULL)
      fail_msg("%s: %s %s %s", plain[i], joined.origin, joined.path, joined.query);
    orr__url_clear(&origin);
    orr__url_clear(&whole);
    orr__url_clear(&joined);
    free(front);
  }
}

static void test_url__what_means_more_than_itself_is_not_plain(void **state) {
  (void)state;
  static const char *const others[] = {
    "http://host", "http://host?x", "http://host#x", "/path", "", "host/path", "http://host/.", "http://host/..", "http://host/a/../b",
    "http://host/.hidden", "http://host/%2e%2e/", "http://host/a%20b", "http://host/a b", "http://host/a\\b", "http://host/a#b", "http://host/a?b?c",
    "http://host/\x80", "http://host/a\n", "http://host/<x>", "http://host/'x'", "http://host/{x}", "http://host?a=http://other/x",
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (orr__url_plain_path(others[i]) != 0) fail_msg("plain: %s", others[i]);
  char *text = orr__strf("http://host/%02000d", 1);
  assert_int_equal(orr__url_plain_path(text), 0);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_url__every_part_is_found),
    cmocka_unit_test(test_url__absent_parts_are_null),
    cmocka_unit_test(test_url__origins_of_one_place_are_one_text),
    cmocka_unit_test(test_url__an_ipv6_host_loses_its_brackets),
    cmocka_unit_test(test_url__what_is_no_url_is_refused_without_quoting_it),
    cmocka_unit_test(test_url__a_very_long_one_is_refused),
    cmocka_unit_test(test_url__a_plain_path_is_joined_to_its_origin),
    cmocka_unit_test(test_url__what_means_more_than_itself_is_not_plain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
