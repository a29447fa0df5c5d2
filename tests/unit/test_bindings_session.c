/* The end of shared sessions: when, how often and with what their `close` is called. How they are opened is test_bindings_libs.c's. */
#include "bindings_libs_fake.h"

#define SESSION(closing) \
  "local opened = 0\n" \
  "local login = session{ name = 'api', open = function() opened = opened + 1 return { n = opened } end,\n" \
  "  close = function(value, connection) " closing " log.info('closed ' .. value.n .. ' of ' .. connection.username) end }\n"
#define GET "login:get() if opts and opts.nap then sleep(opts.nap) end"

static uint64_t begin_as(libs_fake *t, int64_t connection, const char *username, const char *opts) {
  orr__call *call = fake_call(&t->f, ORR_HOOK_prepareExecuteBackup);
  orr__set_int(&call->graph.connection->head, ORR_F_connection_id, connection);
  orr__set_str(&call->graph.connection->head, ORR_F_connection_username, username);
  free(call->opts);
  call->opts = orr__strdup(opts);
  return fake_start(&t->f, call);
}

static void run_as(libs_fake *t, int64_t connection, const char *username) {
  assert_success(fake_wait(&t->f, begin_as(t, connection, username, "{}")));
}

static void load(libs_fake *t, const char *needs, const char *session, const char *body) {
  char *top = orr__strf("%s\nfunction provider.prepareExecuteBackup(backup, opts)\n%s\nend\n", session, body);
  libs_load(t, needs, top, "");
  free(top);
}

static void until_idle(libs_fake *t) {
  for (int i = 0; i < 1000000 && !orr__bindings_is_idle(t->f.bindings); i++) orr__loop_step(t->f.loop, -1);
  assert_true(orr__bindings_is_idle(t->f.bindings));
  assert_int_equal(orr__bindings_calls(t->f.bindings), 0);
}

static void drain(libs_fake *t) {
  orr__bindings_drain(t->f.bindings);
  until_idle(t);
}

static int count(const char *text, const char *part) {
  int found = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) found++;
  return found;
}

static void test_session__every_open_one_is_closed_once_at_the_end(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION(""), GET);
  run_as(t, 3, "ada");
  run_as(t, 4, "eve");
  run_as(t, 3, "ada");
  fake_step(&t->f, 5);
  assert_string_equal(t->f.log, "");
  drain(t);
  drain(t);
  assert_int_equal(count(t->f.log, "closed 1 of ada\n"), 1);
  assert_int_equal(count(t->f.log, "closed 2 of eve\n"), 1);
  assert_int_equal(count(t->f.log, "\n"), 2);
  assert_int_equal(t->f.marks, 0);
}

static void test_session__nothing_is_closed_where_nothing_is_open(void **state) {
  libs_fake *t = *state;
  load(t, "", "local login = session{ name = 'api', open = function() error('no') end, close = function() log.info('closed') end }", "pcall(login.get, login)");
  drain(t);
  assert_string_equal(t->f.log, "");
  run_as(t, 3, "ada");
  until_idle(t);
  assert_string_equal(t->f.log, "");
}

static void test_session__the_end_waits_for_hooks_in_flight(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION(""), GET);
  uint64_t id = begin_as(t, 3, "ada", "{\"nap\":20}");
  fake_step(&t->f, 5);
  orr__bindings_drain(t->f.bindings);
  orr__loop_advance(t->f.loop, 10000);
  fake_step(&t->f, 5);
  assert_string_equal(t->f.log, "");
  assert_success(fake_wait(&t->f, id));
  assert_false(orr__bindings_is_idle(t->f.bindings));
  until_idle(t);
  assert_string_equal(t->f.log, "closed 1 of ada\n");
}

static void test_session__a_close_that_hangs_is_given_up(void **state) {
  static const char *const hanging[] = { SESSION("sleep(100)"), SESSION("while true do end"), SESSION("while true do pcall(sleep, 100) end") };
  libs_fake *t = *state;
  for (size_t i = 0; i < sizeof hanging / sizeof *hanging; i++) {
    if (i > 0) {
      libs_teardown(state);
      libs_setup(state);
      t = *state;
    }
    load(t, "", hanging[i], GET);
    for (int64_t connection = 3; connection < 6; connection++) run_as(t, connection, "ada");
    int64_t start = orr__loop_mono_ms(t->f.loop);
    drain(t);
    assert_in_range(orr__loop_mono_ms(t->f.loop) - start, ORR_GRACE_MS - 500, ORR_GRACE_MS + 200);
    assert_int_equal(count(t->f.log, "session api: not closed: test 1.0: session: "), 3);
    assert_int_equal(count(t->f.log, "the time to close it has passed"), 3);
  }
}

static void test_session__a_close_that_fails_is_a_line_and_no_more(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION("if value.n == 1 then error('no such login') end"), GET);
  run_as(t, 3, "ada");
  run_as(t, 4, "eve");
  drain(t);
  assert_has(t->f.log, "session api: not closed: test 1.0: session: test.lua:5: no such login\n");
  assert_has(t->f.log, "closed 2 of eve\n");
  assert_int_equal(count(t->f.log, "\n"), 2);
}

static void test_session__is_closed_when_its_connection_is_removed(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION(""), GET);
  run_as(t, 3, "ada");
  run_as(t, 4, "eve");
  uint64_t id = begin_as(t, 3, "ada", "{\"nap\":20}");
  fake_step(&t->f, 5);
  t->f.ops->forget_connection(t->f.ops->self, 3);
  t->f.ops->forget_connection(t->f.ops->self, 3);
  fake_step(&t->f, 5);
  assert_string_equal(t->f.log, "");
  assert_success(fake_wait(&t->f, id));
  until_idle(t);
  assert_string_equal(t->f.log, "closed 1 of ada\n");
  drain(t);
  assert_string_equal(t->f.log, "closed 1 of ada\nclosed 2 of eve\n");
}

static void test_session__is_closed_with_the_credentials_it_was_opened_with(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION(""), GET);
  run_as(t, 3, "ada");
  run_as(t, 3, "eve");
  until_idle(t);
  assert_string_equal(t->f.log, "closed 1 of ada\n");
  drain(t);
  assert_string_equal(t->f.log, "closed 1 of ada\nclosed 2 of eve\n");
}

static void test_session__what_was_opened_too_late_is_closed_after_the_hook(void **state) {
  libs_fake *t = *state;
  load(t, "", "local login = session{ name = 'api', open = function() sleep(5) return { n = 1 } end, close = function(v) log.info('closed') end }",
       "login:get() log.info('used') sleep(5)");
  uint64_t id = begin_as(t, 3, "ada", "{}");
  fake_step(&t->f, 5);
  t->f.ops->forget_connection(t->f.ops->self, 3);
  assert_success(fake_wait(&t->f, id));
  until_idle(t);
  assert_string_equal(t->f.log, "used\nclosed\n");
}

static void test_session__the_current_version_closes(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION("log.info('the old way')"), GET);
  run_as(t, 3, "ada");
  load(t, "", SESSION("sleep(1) log.info('the new way')"), GET);
  fake_step(&t->f, 5);
  drain(t);
  assert_string_equal(t->f.log, "the new way\nclosed 1 of ada\n");
}

static void test_session__closing_is_safe_and_has_the_needs_of_its_connection(void **state) {
  libs_fake *t = *state;
  load(t, "exec = { '${connection.username}' }",
       SESSION("local r = process.run{ argv = { 'sh', '-c', 'exit 3' } } log.info(r.code) parallel{ function() process.run{ argv = { 'sh', '-c', 'true' } } end }"
               " local ok, err = pcall(process.run, { argv = { 'cat' } }) log.info(err.code)"),
       GET);
  run_as(t, 3, "sh");
  drain(t);
  assert_string_equal(t->f.log, "3\ndenied\nclosed 1 of sh\n");
  assert_int_equal(t->f.marks, 0);
}

static void test_session__none_is_opened_to_close_one(void **state) {
  libs_fake *t = *state;
  load(t, "", "local other = session{ name = 'other', open = function() log.info('opened') return 1 end }\n"
              SESSION("local ok, err = pcall(other.get, other) log.info(err.message)"), GET);
  run_as(t, 3, "ada");
  drain(t);
  assert_string_equal(t->f.log, "session 'other': cannot be used while one is closed for good\nclosed 1 of ada\n");
}

static void test_session__closing_ends_with_the_bindings(void **state) {
  libs_fake *t = *state;
  load(t, "", SESSION("sleep(1)"), GET);
  run_as(t, 3, "ada");
  run_as(t, 4, "eve");
  t->f.ops->forget_connection(t->f.ops->self, 3);
  fake_step(&t->f, 5);
  assert_int_equal(orr__bindings_calls(t->f.bindings), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    LIBS_TEST(test_session__every_open_one_is_closed_once_at_the_end), LIBS_TEST(test_session__nothing_is_closed_where_nothing_is_open),
    LIBS_TEST(test_session__the_end_waits_for_hooks_in_flight), LIBS_TEST(test_session__a_close_that_hangs_is_given_up),
    LIBS_TEST(test_session__a_close_that_fails_is_a_line_and_no_more), LIBS_TEST(test_session__is_closed_when_its_connection_is_removed),
    LIBS_TEST(test_session__is_closed_with_the_credentials_it_was_opened_with),
    LIBS_TEST(test_session__what_was_opened_too_late_is_closed_after_the_hook), LIBS_TEST(test_session__the_current_version_closes),
    LIBS_TEST(test_session__closing_is_safe_and_has_the_needs_of_its_connection), LIBS_TEST(test_session__none_is_opened_to_close_one),
    LIBS_TEST(test_session__closing_ends_with_the_bindings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
