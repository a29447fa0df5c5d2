/* What the core keeps of providers: how many versions, in which order, given back before anything is asked; that a write which fails is
 * no end of it; and what counts as stored state. */
#include "schedule_helper.h"

#include "core/internal.h"

static int fails_at, submitted;
void __real_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);
void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg);

void __wrap_orr__store_submit(orr__store *store, orr__tx *tx, orr__tx_done done, void *arg) {
  if (done != rig_copied && ++submitted == fails_at) orr__tx_guard_int(tx, ORR_M_backup, 999999, ORR_F_backup_id, 1); /* there is no such row */
  __real_orr__store_submit(store, tx, done, arg);
}

static char remembered[4096];
static bool asked_before;

static void remember(void *self, const orr__kept *k) {
  (void)self;
  size_t len = strlen(remembered);
  snprintf(remembered + len, sizeof remembered - len, "%s %s %s %s %d/%zu %s;", k->code, k->version, k->sources, k->granted, k->state_version,
           k->reads_count, k->held_sha256 ? k->held_sha256 : "-");
}

static int list(void *self, void (*each)(void *, const char *, const char *, const orr__declaration *, const orr_error *), void *arg, orr_error *reterr) {
  (void)self, (void)each, (void)arg, (void)reterr;
  asked_before = asked_before || !*remembered;
  return 0;
}

static void keep_as(rig *r, const char *code, int version, const char *held, bool is_back) {
  char text[16], sha[65], sources[64];
  int reads[2] = { 2, 1 };
  snprintf(text, sizeof text, "%d", version);
  snprintf(sha, sizeof sha, "%064d", version);
  snprintf(sources, sizeof sources, "{\"v\":%d}", version);
  orr__kept k = { .code = code, .version = text, .sha256 = sha, .sources = sources, .granted = "{\"exec\":[\"tar\"]}", .state_version = 2,
                  .reads_state = reads, .reads_count = 2, .held_sha256 = held };
  orr__core_host(r->core)->keep(r->core, &k, is_back);
}

static void keep(rig *r, int version) {
  keep_as(r, "p", version, NULL, false);
  rig_settle(r);
}

/* "3 4 5 live 5" */
static const char *kept(rig *r) {
  static char text[512];
  row_list versions = rig_rows(r, ORR_M_providerVersion), live = rig_rows(r, ORR_M_provider);
  size_t len = 0;
  for (size_t i = 0; i < versions.count; i++)
    len += (size_t)snprintf(text + len, sizeof text - len, "%s ", ((const orr_provider_version_row *)versions.rows[i])->version);
  for (size_t i = 0; i < live.count; i++)
    len += (size_t)snprintf(text + len, sizeof text - len, "live %s ", ((const orr_provider_row *)live.rows[i])->version);
  if (len) text[len - 1] = '\0';
  else *text = '\0';
  rows_free(&versions);
  rows_free(&live);
  return text;
}

static void reopen(rig *r) {
  rig_kill_core(r);
  *remembered = '\0';
  orr__core_config config = { .loop = r->loop, .store = r->store, .random = &r->random, .role = ORR_ROLE_COMMAND,
                              .sink = { .self = r, .reply = rig_reply, .update = rig_update, .log = rig_log } };
  assert_int_equal(orr__core_new(&config, &r->core, NULL), 0);
  r->ops.remember = remember;
  r->ops.list = list;
  orr__core_use(r->core, &r->ops);
  r->last_request = 0;
  rig_forget_replies(r);
  assert_int_equal(orr__core_start(r->core, NULL), 0);
}

static int set_up(void **state) {
  fails_at = submitted = 0;
  *remembered = '\0';
  asked_before = false;
  *state = rig_new();
  rig_settle(*state);
  return 0;
}

static int tear_down(void **state) {
  rig_free(*state);
  return 0;
}

static void test_kept_faults__the_last_ten_are_kept_in_their_order(void **state) {
  rig *r = *state;
  for (int i = 1; i <= 12; i++) keep(r, i);
  assert_string_equal(kept(r), "3 4 5 6 7 8 9 10 11 12 live 12");
  keep(r, 5); /* live once more: at the end */
  assert_string_equal(kept(r), "3 4 6 7 8 9 10 11 12 5 live 5");
  keep_as(r, "p", 7, "abc", true); /* rolled back: where it was */
  rig_settle(r);
  assert_string_equal(kept(r), "3 4 6 7 8 9 10 11 12 5 live 7");
  reopen(r);
  rig_settle(r);
  assert_string_equal(remembered, "p 7 {\"v\":7} {\"exec\":[\"tar\"]} 2/2 abc;");
  keep(r, 13);
  assert_string_equal(kept(r), "4 6 7 8 9 10 11 12 5 13 live 13");
}

static void test_kept_faults__the_backend_knows_before_anything_is_asked(void **state) {
  rig *r = *state;
  keep(r, 1);
  reopen(r);
  uint64_t ids[3];
  for (int i = 0; i < 3; i++) assert_int_equal(orr__core_submit(r->core, "provider.ls", NULL, &ids[i], NULL), 0);
  rig_settle(r);
  assert_false(asked_before);
  for (int i = 0; i < 3; i++) assert_string_equal(r->replies[ids[i]], "[]");
  assert_int_equal(orr__core_submit(r->core, "provider.ls", NULL, &ids[0], NULL), 0);
  rig_settle(r);
  assert_non_null(r->replies[ids[0]]);
}

static void test_kept_faults__where_the_store_cannot_be_read_requests_go_on(void **state) {
  rig *r = *state;
  keep(r, 1);
  submitted = 0;
  fails_at = 1;
  reopen(r);
  uint64_t id;
  assert_int_equal(orr__core_submit(r->core, "provider.ls", NULL, &id, NULL), 0);
  rig_settle(r);
  assert_string_equal(r->replies[id], "[]");
  assert_string_equal(remembered, "");
  rig_advance(r, 5);
  assert_string_equal(remembered, "p 1 {\"v\":1} {\"exec\":[\"tar\"]} 2/2 -;"); /* later, at least */
}

static void test_kept_faults__a_write_that_fails_is_made_good_by_the_next(void **state) {
  rig *r = *state;
  for (int first = 0; first < 2; first++) {
    submitted = 0;
    fails_at = 1;
    keep(r, 10 + first); /* at first there is no row at all, then there is one */
    assert_string_equal(kept(r), first ? "1 live 1" : "");
    fails_at = 0;
    keep(r, 1 + first);
    assert_string_equal(kept(r), first ? "1 2 live 2" : "1 live 1");
  }
  reopen(r);
  rig_settle(r);
  assert_string_equal(remembered, "p 2 {\"v\":2} {\"exec\":[\"tar\"]} 2/2 -;");
}

static void test_kept_faults__each_provider_has_its_own(void **state) {
  rig *r = *state;
  for (int i = 1; i <= 11; i++) {
    keep_as(r, "a", i, NULL, false);
    keep_as(r, "b", 100 + i, NULL, false); /* without waiting for the store between them */
  }
  rig_settle(r);
  assert_string_equal(kept(r), "2 102 3 103 4 104 5 105 6 106 7 107 8 108 9 109 10 110 11 111 live 11 live 111");
}

/* ---- what counts as stored ------------------------------------------------------------------------------------- */

static int read_code;
static char read_why[256];

static void ready(void *arg, int code, const orr_error *err) {
  (void)arg;
  read_code = code;
  snprintf(read_why, sizeof read_why, "%s", err ? orr__error_message(err) : "");
}

static const char *can_read(rig *r, const char *code, int reads) {
  read_code = 1;
  assert_int_equal(orr__core_host(r->core)->can_read(r->core, code, &reads, 1, ready, NULL), 0);
  assert_int_equal(read_code, 1); /* never from inside */
  rig_settle(r);
  assert_true(read_code == 0 || read_code == ORR_E_REFUSED);
  return read_code ? read_why : "yes";
}

static void add_result(rig *r, const char *status, const char *next, const char *attention, int state_version) {
  static unsigned count;
  char uuid[37];
  orr_result *result = orr__result_new();
  orr__object *o = &result->head;
  snprintf(uuid, sizeof uuid, "22222222-2222-4222-8222-%012u", ++count);
  orr__set_int(o, ORR_F_result_id, orr__store_next_id(r->store, ORR_M_result));
  orr__set_int(o, ORR_F_result_backupId, 1);
  orr__set_str(o, ORR_F_result_uuid, uuid);
  orr__set_str(o, ORR_F_result_providerCode, "p");
  orr__set_str(o, ORR_F_result_status, status);
  orr__set_str(o, ORR_F_result_nextAction, next);
  if (next) orr__set_int(o, ORR_F_result_nextActionDate, INT64_C(4000000000000));
  orr__set_str(o, ORR_F_result_attention, attention);
  if (state_version > 1) orr__set_int(o, ORR_F_result_stateVersion, state_version);
  orr__tx *tx = orr__tx_new();
  orr__tx_insert(tx, o);
  orr__store_submit(r->store, tx, NULL, NULL);
  orr__object_free(o);
  rig_settle(r);
}

static void assert_says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("'%s' is not in '%s'", part, text);
}

static void test_kept_faults__results_that_hooks_still_come_for_count(void **state) {
  rig *r = *state;
  assert_string_equal(can_read(r, "p", 9), "yes");
  add_result(r, "SUCCEEDED", NULL, NULL, 0);
  add_result(r, "FAILED", NULL, "cleanup_failing", 3); /* ended: a person, not a hook */
  assert_string_equal(can_read(r, "p", 9), "yes");
  add_result(r, "IN_PROGRESS", "refreshBackupResult", NULL, 0);
  assert_string_equal(can_read(r, "p", 9), "1 result that has not ended, written with stateVersion 1; let readsState have it, and the provider read it");
  assert_string_equal(can_read(r, "p", 1), "yes");
  assert_string_equal(can_read(r, "other", 9), "yes");
  add_result(r, "INITIALIZING", NULL, "unknown_start", 3);
  assert_says(can_read(r, "p", 1), "1 result that has not ended, written with stateVersion 3;");
  assert_says(can_read(r, "p", 3), "1 result that has not ended, written with stateVersion 1;");
  add_result(r, "CANCELLED", "cleanUp", NULL, 3); /* its clean-ups come */
  assert_says(can_read(r, "p", 1), "2 results that have not ended, written with stateVersion 3;");
}

static void test_kept_faults__a_store_that_fails_is_no_yes(void **state) {
  rig *r = *state;
  int reads = 9;
  submitted = 0;
  fails_at = 1;
  read_code = 0;
  assert_int_equal(orr__core_host(r->core)->can_read(r->core, "p", &reads, 1, ready, NULL), 0);
  rig_settle(r);
  assert_true(read_code < 0);
}

#define setup_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void) {
  const struct CMUnitTest tests[] = {
    setup_test(test_kept_faults__the_last_ten_are_kept_in_their_order),
    setup_test(test_kept_faults__the_backend_knows_before_anything_is_asked),
    setup_test(test_kept_faults__where_the_store_cannot_be_read_requests_go_on),
    setup_test(test_kept_faults__a_write_that_fails_is_made_good_by_the_next),
    setup_test(test_kept_faults__each_provider_has_its_own),
    setup_test(test_kept_faults__results_that_hooks_still_come_for_count),
    setup_test(test_kept_faults__a_store_that_fails_is_no_yes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
