/* http against a real server on the loopback, in a child of this process: requests, answers, connections, marks, secrets and sessions. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bindings_libs_fake.h"

static int port;
static pid_t server;

/* ---- the other side ---------------------------------------------------------------------------------------- */

static void answer(int fd, int status, const char *headers, const char *body) {
  char *text = orr__strf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", status, strlen(body), headers, body);
  size_t len = strlen(text);
  if (write(fd, text, len) != (ssize_t)len) _exit(3);
  free(text);
}

static const char *header(const char *request, const char *name, char out[200]) {
  const char *at = strcasestr(request, name);
  out[0] = '\0';
  if (at) sscanf(at + strlen(name), ": %199[^\r\n]", out);
  return out;
}

/* Everything a test wants to know of its request, a line each. */
static void echo(int fd, const char *request, const char *body) {
  char type[200], auth[200], custom[200], accept[200];
  char *text = orr__strf("%.*s\n%s\n%s\n%s\n%s\n%s", (int)strcspn(request, "\r"), request, header(request, "\ncontent-type", type),
                         header(request, "\nauthorization", auth), header(request, "\nx-custom", custom), header(request, "\naccept", accept), body);
  answer(fd, 200, "X-Mixed-Case: yes\r\nX-Twice: a\r\nX-Twice: b\r\nSet-Cookie: sid=cookie-monster; Path=/\r\n", text);
  free(text);
}

static int logins, token;

static void serve_one(int fd) {
  static char request[1 << 17];
  size_t len = 0;
  const char *end = NULL;
  while (!end || len < (size_t)(end + 4 - request) + (size_t)atoi(strcasestr(request, "\ncontent-length:") ? strcasestr(request, "\ncontent-length:") + 16 : "0")) {
    ssize_t got = read(fd, request + len, sizeof request - 1 - len);
    if (got <= 0) return;
    len += (size_t)got;
    request[len] = '\0';
    end = strstr(request, "\r\n\r\n");
  }
  char given[200], wanted[32], body[64];
  if (strstr(request, " /login ")) {
    logins++;
    snprintf(body, sizeof body, "{\"token\":\"session-%d\",\"none\":null}", ++token);
    answer(fd, 200, "", body);
  } else if (strstr(request, " /expire ")) {
    token += 100;
    answer(fd, 204, "", "");
  } else if (strstr(request, " /logins ")) {
    snprintf(body, sizeof body, "%d", logins);
    answer(fd, 200, "", body);
  } else if (strstr(request, " /private")) {
    snprintf(wanted, sizeof wanted, "session-%d", token);
    answer(fd, strcmp(header(request, "\nx-token", given), wanted) == 0 ? 200 : 401, "", "");
  } else if (strstr(request, " /teapot ")) {
    answer(fd, 418, "", "not json");
  } else if (strstr(request, " /hang ")) {
    while (read(fd, request, sizeof request) > 0) {}
  } else {
    echo(fd, request, end + 4);
  }
}

static void serve(int listener) {
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) _exit(1);
    serve_one(fd);
    close(fd);
  }
}

static int start_server(void **state) {
  (void)state;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 64) != 0) return -1;
  getsockname(listener, (struct sockaddr *)&address, &len);
  port = ntohs(address.sin_port);
  server = fork();
  if (server == 0) serve(listener);
  close(listener);
  return server < 0 ? -1 : 0;
}

static int stop_server(void **state) {
  (void)state;
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  return 0;
}

/* ---- the tests --------------------------------------------------------------------------------------------- */

static orr__answer *with_server(libs_fake *t, const char *top, const char *body) {
  char *needs = orr__strf("http = { 'http://127.0.0.1:%d', 'http://127.0.0.1:1' }", port);
  char *first = orr__strf("local BASE = 'http://127.0.0.1:%d'\n"
                          "local function lines(resp) local t = {} for l in (resp.body .. '\\n'):gmatch('([^\\n]*)\\n') do t[#t + 1] = l end return t end\n%s", port, top);
  libs_load(t, needs, first, body);
  free(needs);
  free(first);
  return fake_run(&t->f, ORR_HOOK_executeBackup);
}

static void test_http__sends_what_was_asked(void **state) {
  assert_success(with_server(*state, "",
    "local l = lines(http.get(BASE .. '/x?a=1#frag', { query = { b = 'c d' }, headers = { ['X-Custom'] = 5 } })) assert(l[1] == 'GET /x?a=1&b=c%20d HTTP/1.1', l[1]) assert(l[4] == '5')\n"
    "l = lines(http.post(BASE .. '/x', { json = { a = json.null, list = json.array{} } })) assert(l[1]:find('^POST') and l[2] == 'application/json' and l[6] == '{\"a\":null,\"list\":[]}', l[6])\n"
    "l = lines(http.put(BASE .. '/x', { form = { a = 'b c', d = 1 } })) assert(l[2] == 'application/x-www-form-urlencoded' and l[6] == 'a=b%20c&d=1')\n"
    "l = lines(http.patch(BASE .. '/x', { body = '<a/>', headers = { ['content-type'] = 'text/xml' } })) assert(l[2] == 'text/xml' and l[6] == '<a/>')\n"
    "l = lines(http.delete(BASE .. '/x', { bearer = 'tok' })) assert(l[1]:find('^DELETE') and l[3] == 'Bearer tok')\n"
    "l = lines(http.request{ url = BASE .. '/x', auth = { username = 'u', password = 'p' } }) assert(l[3] == 'Basic dTpw', l[3])\n"
    "assert(http.head(BASE .. '/x').status == 200)"));
}

static void test_http__answers_for_every_status(void **state) {
  assert_success(with_server(*state, "",
    "local r = http.get(BASE .. '/teapot') assert(r.status == 418 and r.body == 'not json') local v, err = r.json() assert(v == nil and err:find('line 1'), err) v, err = r:json() assert(v == nil and err) assert(r.isRefusal and next(r:content()) == nil and next(r:content('a', 'b')) == nil)\n"
    "r = http.post(BASE .. '/login', { safe = true }) assert(r:content().token and next(r:content('token')) == nil and next(r:content('token', 'x')) == nil) assert(r.json().token:find('^session') and r:json().none == nil and r:json{ nulls = true }.none == json.null and r.json{ nulls = true }.none == json.null)\n"
    "r = http.get(BASE .. '/x') assert(r.headers['x-mixed-case'] == 'yes' and r.headers['X-Mixed-Case'] == 'yes' and r.headers['x-twice'] == 'a, b' and r.headers.nope == nil)"));
}

static void test_http__mutating_methods_are_marked_unless_safe(void **state) {
  libs_fake *t = *state;
  char act[64];
  assert_success(with_server(t, "", "http.get(BASE .. '/x') http.head(BASE .. '/x') http.post(BASE .. '/x', { safe = true })"));
  assert_int_equal(t->f.marks, 0);
  assert_success(with_server(t, "", "http.post(BASE .. '/secret-path?token=1') http.delete(BASE .. '/x')"));
  assert_int_equal(t->f.marks, 1);
  snprintf(act, sizeof act, "POST http://127.0.0.1:%d", port);
  assert_string_equal(t->f.act, act);
}

static void test_http__nothing_leaves_when_the_mark_is_refused(void **state) {
  libs_fake *t = *state;
  t->f.mark_code = ORR_E_CANCELLED;
  assert_success(with_server(t, "", "local before = http.get(BASE .. '/logins').body local ok, err = pcall(http.post, BASE .. '/login') assert(not ok and err.code == 'cancelled', err.code)\n"
                                    "assert(http.get(BASE .. '/logins').body == before)"));
}

static void test_http__needs_decide(void **state) {
  assert_success(with_server(*state, "",
    "local ok, err = pcall(http.get, 'http://127.0.0.2:9/') assert(not ok and err.code == 'denied' and err.message:find('needs', 1, true), err.message)\n"
    "ok, err = pcall(http.get, 'nonsense') assert(not ok and err.code == 'invalid', err.code)"));
}

static void test_http__raises_when_there_is_no_answer(void **state) {
  assert_success(with_server(*state, "",
    "local ok, err = pcall(http.post, 'http://127.0.0.1:1/') assert(not ok and err.code == 'unreachable' and err.retryable and err.wasSent == false, err.message)\n"
    "ok, err = pcall(http.get, BASE .. '/x', { headers = { ['Bad Name'] = 'x' } }) assert(not ok and err.code == 'invalid') ok, err = pcall(http.get, BASE, { headers = { X = 'a\\r\\nB: c' } }) assert(not ok and err.code == 'invalid')\n"
    "ok, err = pcall(http.get, BASE, { json = 1, body = 'x' }) assert(not ok and tostring(err):find('only one of', 1, true))"));
}

static void test_http__credentials_become_secrets(void **state) {
  libs_fake *t = *state;
  assert_success(with_server(t, "", "http.get(BASE .. '/x', { bearer = 'bear-with-me' }) http.get(BASE .. '/x', { headers = { Cookie = 'a=chocolate-chip; b=c' } })\n"
                                    "http.get(BASE .. '/x', { auth = { username = 'u', password = 'pass-the-word' } }) http.get((BASE:gsub('//', '//u:in-the-address@')) .. '/x')\n"
                                    "log.info('bear-with-me chocolate-chip pass-the-word cookie-monster in-the-address')"));
  assert_string_equal(t->f.log, "*** *** *** *** ***\n");
}

static void test_http__the_connections_proxy_goes_with_its_origin_only(void **state) {
  libs_fake *t = *state;
  char *needs = orr__strf("http = { 'http://127.0.0.1:%d', 'http://lab.invalid:80' }", port);
  char *body = orr__strf("local l = http.get('http://lab.invalid/via') assert(l.body:find('GET http://lab.invalid/via', 1, true), l.body)\n"
                         "l = http.get('http://127.0.0.1:%d/direct') assert(l.body:find('GET /direct', 1, true), l.body)", port);
  libs_load(t, needs, "", body);
  orr__call *call = fake_call(&t->f, ORR_HOOK_executeBackup);
  char *proxy = orr__strf("http://127.0.0.1:%d", port);
  orr__set_str(&call->graph.connection->head, ORR_F_connection_serviceUrl, "http://LAB.invalid/api");
  orr__set_str(&call->graph.connection->head, ORR_F_connection_proxy, proxy);
  assert_success(fake_wait(&t->f, fake_start(&t->f, call)));
  free(proxy);
  free(body);
  free(needs);
}

static void test_http__a_proxy_is_reached_too_and_must_be_granted(void **state) {
  libs_fake *t = *state;
  assert_success(with_server(t, "", "for _, proxy in ipairs{ 'http://127.0.0.1:9', '127.0.0.1:9', 'socks5h://u:p@127.0.0.1:9' } do\n"
                                    "  local ok, err = pcall(http.get, BASE .. '/x', { proxy = proxy }) assert(not ok and err.code == 'denied', err.code .. ': ' .. err.message)\n"
                                    "end\n"
                                    "assert(http.get(BASE .. '/x', { proxy = BASE }).body:find('GET http://', 1, true))"));
}

#define LOGIN \
  "local login = session{ name = 'api', open = function() return http.post(BASE .. '/login').json() end,\n" \
  "  headers = function(value) return { ['X-Token'] = value.token } end }\n"

static void test_http__a_session_is_renewed_on_401_and_its_login_is_safe(void **state) {
  libs_fake *t = *state;
  assert_success(with_server(t, LOGIN,
    "local before = tonumber(http.get(BASE .. '/logins').body) assert(http.get(BASE .. '/private', { session = login }).status == 200)\n"
    "assert(http.get(BASE .. '/private', { session = login }).status == 200 and tonumber(http.get(BASE .. '/logins').body) == before + 1) http.get(BASE .. '/expire')\n"
    "assert(http.get(BASE .. '/private', { session = login }).status == 200 and tonumber(http.get(BASE .. '/logins').body) == before + 2)"));
  assert_int_equal(t->f.marks, 0);
}

static void test_http__many_hooks_that_meet_a_401_log_in_once(void **state) {
  libs_fake *t = *state;
  assert_success(with_server(t, LOGIN, "http.get(BASE .. '/private', { session = login }) http.get(BASE .. '/expire')\n"
    "local before = tonumber(http.get(BASE .. '/logins').body) local function get() return http.get(BASE .. '/private', { session = login }).status end\n"
    "local a, b, c = parallel{ get, get, get } assert(a == 200 and b == 200 and c == 200) assert(tonumber(http.get(BASE .. '/logins').body) == before + 1)"));
}

static void test_http__what_opens_a_session_in_parallel_is_safe(void **state) {
  libs_fake *t = *state;
  assert_success(with_server(t,
    "local login = session{ name = 'two', open = function() local a, b = parallel{ function() return http.post(BASE .. '/login').status end,\n"
    "  function() sleep(0.1) return http.post(BASE .. '/login').status end } return { a, b } end }\n",
    "assert(login:get()[2] == 200)"));
  assert_int_equal(t->f.marks, 0);
  assert_success(with_server(t, "", "parallel{ function() return http.post(BASE .. '/x').status end }"));
  assert_int_equal(t->f.marks, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    LIBS_TEST(test_http__sends_what_was_asked), LIBS_TEST(test_http__answers_for_every_status),
    LIBS_TEST(test_http__mutating_methods_are_marked_unless_safe), LIBS_TEST(test_http__nothing_leaves_when_the_mark_is_refused),
    LIBS_TEST(test_http__needs_decide), LIBS_TEST(test_http__raises_when_there_is_no_answer), LIBS_TEST(test_http__credentials_become_secrets),
    LIBS_TEST(test_http__the_connections_proxy_goes_with_its_origin_only),
    LIBS_TEST(test_http__a_proxy_is_reached_too_and_must_be_granted),
    LIBS_TEST(test_http__a_session_is_renewed_on_401_and_its_login_is_safe), LIBS_TEST(test_http__many_hooks_that_meet_a_401_log_in_once),
    LIBS_TEST(test_http__what_opens_a_session_in_parallel_is_safe),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
