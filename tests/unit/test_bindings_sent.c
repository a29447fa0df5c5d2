/* The sent mark: nothing leaves before it is durable, once per call, and never after a stop. And which origins needs.http grants.
 *
 * The outside is a listening socket on the loopback: whether somebody connected is whether something left. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bindings_fake.h"

typedef struct outside {
  int fd;
  int port;
} outside;

static outside listen_somewhere(void) {
  outside o = { socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 0 };
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t len = sizeof address;
  assert_int_equal(bind(o.fd, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(o.fd, 8), 0);
  assert_int_equal(getsockname(o.fd, (struct sockaddr *)&address, &len), 0);
  o.port = ntohs(address.sin_port);
  return o;
}

/* Answers whoever connected with 200 and closes; true if there was somebody. */
static bool serve_one(const outside *o) {
  int fd = accept(o->fd, NULL, NULL);
  if (fd < 0) return false;
  static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
  char request[2048];
  assert_true(read(fd, request, sizeof request) > 0);
  assert_true(write(fd, reply, sizeof reply - 1) > 0);
  close(fd);
  return true;
}

static void load(fake *f, const outside *o, const char *body) {
  orr_error err = ORR_ERROR_INIT;
  char *text = orr__strf("local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1', needs = { http = { 'http://127.0.0.1:%d' } } }\n"
                         "local base = 'http://127.0.0.1:%d'\nfunction provider.executeBackup(b, r) %s end\nreturn provider", o->port, o->port, body);
  if (fake_load_text(f, text, &err)) fail_msg("%s", orr__error_message(&err));
  free(text);
}

static orr__answer *serve_until_answered(fake *f, const outside *o, uint64_t id, int *ret_served) {
  *ret_served = 0;
  for (int i = 0; i < 20000 && !f->answered[id]; i++) {
    orr__loop_step(f->loop, 1);
    *ret_served += serve_one(o);
  }
  assert_int_equal(f->answered[id], 1);
  return &f->answers[id];
}

static void test_sent__nothing_leaves_before_the_mark_is_durable(void **state) {
  (void)state;
  fake f;
  int served;
  outside o = listen_somewhere();
  fake_open(&f);
  f.holds_marks = true;
  load(&f, &o, "local reply = http.post(base .. '/jobs', { json = { a = 1 } }) r.externalId = tostring(reply.status) http.delete(base .. '/x')");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  for (int i = 0; i < 30; i++) {
    orr__loop_step(f.loop, 1);
    assert_false(serve_one(&o));
  }
  assert_int_equal(f.marks, 1);
  assert_has(f.act, "POST");
  fake_mark_now(&f);
  assert_success(serve_until_answered(&f, &o, id, &served));
  assert_int_equal(served, 2);
  assert_int_equal(f.marks, 1);
  assert_true(f.ended[id]->is_marked_sent);
  assert_string_equal(f.ended[id]->graph.result->externalId, "200");
  fake_close(&f);
  close(o.fd);
}

static void test_sent__a_call_that_is_marked_already_does_not_ask(void **state) {
  (void)state;
  fake f;
  int served;
  outside o = listen_somewhere();
  fake_open(&f);
  load(&f, &o, "http.post(base)");
  orr__call *call = fake_call(&f, ORR_HOOK_executeBackup);
  call->is_marked_sent = true;
  assert_success(serve_until_answered(&f, &o, fake_start(&f, call), &served));
  assert_int_equal(f.marks, 0);
  fake_close(&f);
  close(o.fd);
}

static void test_sent__safe_requests_need_no_mark(void **state) {
  (void)state;
  fake f;
  int served;
  outside o = listen_somewhere();
  fake_open(&f);
  f.holds_marks = true;
  load(&f, &o, "http.get(base) http.post(base .. '/search', { safe = true })");
  assert_success(serve_until_answered(&f, &o, fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup)), &served));
  assert_int_equal(f.marks, 0);
  assert_int_equal(served, 2);
  fake_close(&f);
  close(o.fd);
}

static void test_sent__several_acts_wait_for_one_mark(void **state) {
  (void)state;
  fake f;
  int served;
  outside o = listen_somewhere();
  fake_open(&f);
  f.holds_marks = true;
  load(&f, &o, "parallel{ function() http.post(base) end, function() http.put(base) end }");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 5);
  assert_int_equal(f.marks, 1);
  fake_mark_now(&f);
  assert_success(serve_until_answered(&f, &o, id, &served));
  assert_int_equal(served, 2);
  assert_int_equal(f.marks, 1);
  fake_close(&f);
  close(o.fd);
}

static void test_sent__a_mark_that_comes_after_a_stop_starts_nothing(void **state) {
  (void)state;
  fake f;
  outside o = listen_somewhere();
  fake_open(&f);
  f.holds_marks = true;
  load(&f, &o, "http.post(base)");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 3);
  f.ops->interrupt(f.ops->self, id, "shutdown");
  assert_int_equal(fake_wait(&f, id)->outcome, ORR_OUTCOME_INTERRUPTED);
  fake_mark_now(&f);
  for (int i = 0; i < 30; i++) {
    orr__loop_step(f.loop, 1);
    assert_false(serve_one(&o));
  }
  /* The same, with the bindings gone before the core answers. */
  fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 3);
  orr__bindings_close(f.bindings);
  f.bindings = NULL;
  fake_mark_now(&f);
  assert_false(serve_one(&o));
  fake_close(&f);
  close(o.fd);
}

/* The hook goes on, but not the branch that waited for the mark. */
static void test_sent__a_mark_that_comes_after_its_branch_has_ended_starts_nothing(void **state) {
  (void)state;
  fake f;
  outside o = listen_somewhere();
  fake_open(&f);
  f.holds_marks = true;
  load(&f, &o, "pcall(parallel, { function() http.post(base) end, function() error('no') end }) sleep(0.2)");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  fake_step(&f, 5);
  assert_int_equal(f.marks, 1);
  fake_mark_now(&f);
  for (int i = 0; i < 30; i++) {
    orr__loop_step(f.loop, 1);
    assert_false(serve_one(&o));
  }
  assert_int_equal(fake_wait(&f, id)->outcome, ORR_OUTCOME_SUCCESS);
  fake_close(&f);
  close(o.fd);
}

static void test_sent__a_refused_mark_is_raised_and_nothing_leaves(void **state) {
  (void)state;
  fake f;
  int served;
  outside o = listen_somewhere();
  fake_open(&f);
  f.mark_code = ORR_E_IO;
  load(&f, &o, "local ok, err = pcall(http.post, base) r.externalId = err.code error(err)");
  uint64_t id = fake_start(&f, fake_call(&f, ORR_HOOK_executeBackup));
  orr__answer *answer = serve_until_answered(&f, &o, id, &served);
  assert_int_equal(answer->outcome, ORR_OUTCOME_RETRY);
  assert_int_equal(answer->error.code, ORR_E_IO);
  assert_has(orr__error_message(&answer->error), "executeBackup: test.lua:3: ");
  assert_int_equal(served, 0);
  assert_string_equal(f.ended[id]->graph.result->externalId, "io");
  fake_close(&f);
  close(o.fd);
}

/* ---- needs.http -------------------------------------------------------------------------------------------- */

/* Is the URL granted? What is granted is tried and ends some other way than "denied". */
static bool granted(const char *needs, const char *url) {
  fake f;
  orr_error err = ORR_ERROR_INIT;
  fake_open(&f);
  f.mark_code = ORR_E_IO; /* granted requests get as far as the mark */
  char *text = orr__strf("local provider = Provider { apiVersion = 1, code = 'test', name = 'T', version = '1', needs = { http = { %s } },\n"
                         "  optionTypes = { { fieldName = 'repo' }, { fieldName = 'absent' }, { fieldName = 'list', inputType = 'list' } } }\n"
                         "function provider.executeBackup(b, r) local ok, err = pcall(http.post, '%s') r.externalId = err.code end\nreturn provider", needs, url);
  if (fake_load_text(&f, text, &err)) fail_msg("%s", orr__error_message(&err));
  free(text);
  orr__call *call = fake_call(&f, ORR_HOOK_executeBackup);
  orr__set_str(&call->graph.backup->head, ORR_F_backup_config, "{\"repo\":{\"url\":\"http://repo.test:9000/x\"},\"list\":[\"https://first.test\"]}");
  assert_success(fake_wait(&f, fake_start(&f, call)));
  const char *code = call->graph.result->externalId;
  bool is_granted = strcmp(code, "io") == 0;
  if (!is_granted) assert_string_equal(code, "denied");
  fake_close(&f);
  return is_granted;
}

static void test_sent__origins_are_granted_exactly(void **state) {
  (void)state;
  assert_true(granted("'https://api.test'", "https://api.test/v1?x=1"));
  assert_true(granted("'https://api.test'", "https://API.test:443/"));
  assert_false(granted("'https://api.test'", "http://api.test/"));
  assert_false(granted("'https://api.test'", "https://api.test:8443/"));
  assert_false(granted("'https://api.test'", "https://api.test.evil.test/"));
  assert_false(granted("'https://api.test'", "https://api.test@evil.test/"));
  assert_false(granted("", "https://api.test/"));
}

static void test_sent__a_star_grants_subdomains_only(void **state) {
  (void)state;
  assert_true(granted("'https://*.cloud.test'", "https://eu.cloud.test/"));
  assert_true(granted("'https://*.cloud.test'", "https://a.b.cloud.test/"));
  assert_false(granted("'https://*.cloud.test'", "https://cloud.test/"));
  assert_false(granted("'https://*.cloud.test'", "https://evilcloud.test/"));
  assert_false(granted("'https://*.cloud.test'", "http://eu.cloud.test/"));
}

static void test_sent__templates_follow_the_calls_own_objects(void **state) {
  (void)state;
  assert_true(granted("'${connection.serviceUrl}'", "https://lab.example.com:8443/anything"));
  assert_false(granted("'${connection.serviceUrl}'", "https://lab.example.com/"));
  assert_true(granted("'${option.repo.url}'", "http://repo.test:9000/"));
  assert_false(granted("'${option.absent}'", "http://repo.test:9000/"));
  assert_true(granted("'${option.absent}', '${option.list}'", "https://first.test/"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sent__nothing_leaves_before_the_mark_is_durable),
    cmocka_unit_test(test_sent__a_call_that_is_marked_already_does_not_ask),
    cmocka_unit_test(test_sent__safe_requests_need_no_mark),
    cmocka_unit_test(test_sent__several_acts_wait_for_one_mark),
    cmocka_unit_test(test_sent__a_mark_that_comes_after_a_stop_starts_nothing),
    cmocka_unit_test(test_sent__a_mark_that_comes_after_its_branch_has_ended_starts_nothing),
    cmocka_unit_test(test_sent__a_refused_mark_is_raised_and_nothing_leaves),
    cmocka_unit_test(test_sent__origins_are_granted_exactly),
    cmocka_unit_test(test_sent__a_star_grants_subdomains_only),
    cmocka_unit_test(test_sent__templates_follow_the_calls_own_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
