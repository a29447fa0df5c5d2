/* model/json.h: texts, trees, paths, and objects as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <cjson/cJSON.h>

#include "model/json.h"

static orr__json *parse(const char *text) {
  orr_error err = ORR_ERROR_INIT;
  orr__json *json = orr__json_parse(text, strlen(text), &err);
  if (!json) fail_msg("%s: %s", text, orr__error_message(&err));
  return json;
}

static void prints(const char *text, const char *expected) {
  orr__json *json = parse(text);
  char *printed = orr__json_print(json);
  assert_string_equal(printed, expected);
  free(printed);
  orr__json_free(json);
}

static void refuses_bytes(const char *text, size_t len, int code, const char *part) {
  orr_error err = ORR_ERROR_INIT;
  orr__json *json = orr__json_parse(text, len, &err);
  if (json) fail_msg("'%s' was taken", text);
  assert_int_equal(err.code, code);
  if (!strstr(err.message, part)) fail_msg("'%s' is not in '%s'", part, err.message);
  orr__error_clear(&err);
}

static void refuses(const char *text, const char *part) {
  refuses_bytes(text, strlen(text), ORR_E_INVALID, part);
}

static void test_json__integers_are_never_rounded(void **state) {
  (void)state;
  prints("[9007199254740992,9007199254740993,-9007199254740992,-9007199254740993]",
         "[9007199254740992,\"9007199254740993\",-9007199254740992,\"-9007199254740993\"]");
  prints("{\"a\": 123456789012345678901234567890 , \"b\":\"12345678901234567890\"}",
         "{\"a\":\"123456789012345678901234567890\",\"b\":\"12345678901234567890\"}");
  prints("\"\\\" 12345678901234567890\"", "\"\\\" 12345678901234567890\"");
  prints("12345678901234567890", "\"12345678901234567890\"");
  prints("[-0,1e20,9007199254740993.5,0.1,1E-7]", "[-0,1e+20,9.0071992547409940e+15,0.1,1e-07]");
}

static void test_json__every_double_reads_back_as_itself(void **state) {
  (void)state;
  uint64_t seed = 88172645463325252u;
  for (int i = 0; i < 20000; i++) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    double value;
    if (i % 2) memcpy(&value, &seed, sizeof value);
    else value = (double)(int64_t)(seed >> (i % 60)) / (i % 4 ? 1 : 1024);
    if (!isfinite(value)) continue;
    orr__json *json = orr__json_new_num(value);
    char *text = orr__json_print(json);
    orr__json *again = parse(text);
    if (orr__json_value_num(again, -1) != value) fail_msg("%a became %s", value, text);
    free(text);
    orr__json_free(again);
    orr__json_free(json);
  }
}

static void test_json__integers_print_without_exponent(void **state) {
  (void)state;
  orr__json *list = orr__json_list();
  orr__json_append(list, orr__json_new_int(INT64_C(9007199254740991)));
  orr__json_append(list, orr__json_new_int(INT64_C(9007199254740992)));
  orr__json_append(list, orr__json_new_int(INT64_C(-9007199254740993)));
  orr__json_append(list, orr__json_new_int(INT64_C(1000000000000000)));
  orr__json_append(list, orr__json_new_int(INT64_MIN));
  orr__json_append(list, orr__json_new_num(1e16));
  orr__json_append(list, orr__json_new_num(12345678901234568.0));
  orr__json_append(list, orr__json_new_num(NAN));
  char *text = orr__json_print(list);
  assert_string_equal(text, "[9007199254740991,9007199254740992,\"-9007199254740993\",1000000000000000,"
                            "\"-9223372036854775808\",1e+16,1.2345678901234568e+16,null]");
  free(text);
  orr__json_free(list);
}

static void test_json__says_where_a_text_goes_wrong(void **state) {
  (void)state;
  refuses("", "line 1, column 1");
  refuses("  \n ", "ends too early");
  refuses("{\n  \"a\": 1,\n  \"\xc3\xa4\": x\n}", "line 3, column 8: unexpected 'x'");
  refuses("[12345678901234567890,\n 12345678901234567890, x]", "line 2, column 24: unexpected 'x'");
  refuses("{\"a\": [1, 2", "the text ends too early");
  refuses("{\"a\": {}", "the text ends too early");
  refuses("{\"a\": 1]", "line 1, column 8: unexpected ']'");
  refuses("[1,]", "line 1, column 4: unexpected ']'");
  refuses("[1] 2", "line 1, column 5: unexpected '2'");
  refuses("tru", "unexpected 't'");
  refuses("\"abc", "line 1, column 1: the text ends inside the string");
  refuses("\"abc\\", "the text ends inside the string");
  refuses("{\"a\nb\": 1}", "line 1, column 4: a control character inside a string");
  refuses("\"\\ud800\"", "line 1");
  refuses("[1,\xc3\xa4]", "line 1, column 4: unexpected character");
}

static void test_json__refuses_what_cjson_lets_pass(void **state) {
  (void)state;
  refuses("[01]", "no number in JSON");
  refuses("[1.]", "no number in JSON");
  refuses("[-.5]", "no number in JSON");
  refuses("[-]", "no number in JSON");
  refuses("[1e]", "no number in JSON");
  refuses("[1e400]", "too large");
  refuses("[0.1234567890123456789012345678901234567890123456789012345678901234567890]", "more than 60");
  refuses("[1\v]", "control character");
  refuses("\"a\\u0000b\"", "\\u0000");
  refuses("{12345678901234567890: 1}", "a key must be a string");
  refuses_bytes("[1]\0", 4, ORR_E_INVALID, "line 1, column 4: not UTF-8, or a NUL");
  refuses("[\"\xc3\x28\"]", "line 1, column 3: not UTF-8");
  refuses("[\"\xed\xa0\x80\"]", "not UTF-8");
  prints("[\"\\\\u0000\"]", "[\"\\\\u0000\"]");
}

static void test_json__reads_no_further_than_the_length(void **state) {
  (void)state;
  char *text = malloc(3);
  memcpy(text, "[1]", 3);
  orr__json *json = orr__json_parse(text, 3, NULL);
  assert_int_equal(orr__json_count(json), 1);
  orr__json_free(json);
  refuses_bytes(text, 2, ORR_E_INVALID, "ends too early");
  memcpy(text, "\"\\u", 3);
  refuses_bytes(text, 3, ORR_E_INVALID, "ends inside");
  free(text);
}

static void test_json__depth_and_size_are_limited(void **state) {
  (void)state;
  char text[420];
  memset(text, '[', 200);
  memset(text + 200, ']', 200);
  orr__json *json = orr__json_parse(text, 400, NULL);
  assert_non_null(json);
  orr__json_free(json);
  memset(text, '[', 201);
  memset(text + 201, ']', 201);
  refuses_bytes(text, 402, ORR_E_LIMIT, "line 1, column 201: nested deeper than 200");
  size_t len = (size_t)ORR_JSON_MAX + 1;
  char *huge = malloc(len);
  memset(huge, '[', len);
  refuses_bytes(huge, len, ORR_E_LIMIT, "bytes");
  refuses_bytes(huge, len - 1, ORR_E_LIMIT, "nested");
  memset(huge, ',', len);
  huge[0] = '[';
  refuses_bytes(huge, len - 1, ORR_E_LIMIT, "more than 300000 values");
  free(huge);
}

static void test_json__a_missing_map_is_empty(void **state) {
  (void)state;
  orr__json *map = orr__json_parse_map(NULL, NULL);
  assert_true(orr__json_is_map(map) && orr__json_count(map) == 0);
  orr__json_free(map);
  map = orr__json_parse_map("", NULL);
  assert_true(orr__json_is_map(map));
  orr__json_free(map);
  orr_error err = ORR_ERROR_INIT;
  assert_null(orr__json_parse_map("[]", &err));
  assert_int_equal(err.code, ORR_E_INVALID);
  orr__error_clear(&err);
}

static void test_json__members_keep_order_and_case(void **state) {
  (void)state;
  orr__json *map = parse("{\"b\":1,\"B\":2,\"a\":3}");
  orr__json_put_int(map, "B", 4);
  orr__json_put_str(map, "c", "x");
  orr__json_put_str(map, "b", NULL);
  orr__json_put_bool(map, "a", true);
  orr__json_put_num(map, "d", 0.5);
  orr__json_remove(map, "nothing");
  orr__json *part = orr__json_copy(orr__json_get(map, "B"));
  orr__json_put(map, "e", part);
  char *text = orr__json_print(map);
  assert_string_equal(text, "{\"B\":4,\"a\":true,\"c\":\"x\",\"d\":0.5,\"e\":4}");
  free(text);
  assert_null(orr__json_get(map, "C"));
  assert_string_equal(orr__json_key(orr__json_first(map)), "B");
  orr__json_free(map);
}

static void test_json__readers_fall_back_on_the_wrong_type(void **state) {
  (void)state;
  orr__json *map = parse("{\"n\":1.5,\"i\":7,\"s\":\"9007199254740993\",\"t\":\"7x\",\"b\":true,\"z\":null,\"e\":\"\"}");
  assert_true(orr__json_num(map, "n", 0) == 1.5);
  assert_true(orr__json_num(map, "s", 2) == 2);
  assert_int_equal(orr__json_int(map, "n", -1), -1);
  assert_int_equal(orr__json_int(map, "i", -1), 7);
  assert_true(orr__json_int(map, "s", -1) == INT64_C(9007199254740993));
  assert_int_equal(orr__json_int(map, "t", -1), -1);
  assert_int_equal(orr__json_int(map, "e", -1), -1);
  assert_true(orr__json_bool(map, "b", false));
  assert_true(orr__json_bool(map, "i", true));
  assert_null(orr__json_str(map, "i"));
  assert_null(orr__json_str(NULL, "i"));
  assert_true(orr__json_is_null(orr__json_get(map, "z")));
  assert_true(orr__json_is_null(orr__json_get(map, "none")));
  assert_null(orr__json_get(orr__json_get(map, "i"), "x"));
  orr__json_free(map);
  orr__json *list = parse("[9.3e18,-9.3e18,9223372036854775807,9223372036854775808]");
  const orr__json *item = orr__json_first(list);
  assert_int_equal(orr__json_value_int(item, 5), 5);
  item = orr__json_next(item);
  assert_int_equal(orr__json_value_int(item, 5), 5);
  item = orr__json_next(item);
  assert_true(orr__json_value_int(item, 5) == INT64_MAX);
  item = orr__json_next(item);
  assert_int_equal(orr__json_value_int(item, 5), 5);
  orr__json_free(list);
}

static void equal(const char *a, const char *b, bool expected) {
  orr__json *x = parse(a), *y = parse(b);
  if (orr__json_equal(x, y) != expected || orr__json_equal(y, x) != expected) fail_msg("%s and %s", a, b);
  orr__json_free(x);
  orr__json_free(y);
}

static void test_json__equality_is_exact_and_ignores_the_order_of_maps(void **state) {
  (void)state;
  equal("{\"a\":1,\"b\":[1,{\"c\":null}]}", "{\"b\":[1,{\"c\":null}],\"a\":1}", true);
  equal("9007199254740991", "9007199254740990", false);
  equal("0.1", "0.10000000000000002", false);
  equal("{\"a\":1}", "{\"A\":1}", false);
  equal("{\"a\":1}", "{\"a\":1,\"b\":2}", false);
  equal("[1,2]", "[2,1]", false);
  equal("[1]", "[1,2]", false);
  equal("true", "false", false);
  equal("\"1\"", "1", false);
  equal("{}", "[]", false);
  equal("null", "null", true);
  assert_true(orr__json_equal(NULL, NULL));
}

static void test_json__pretty_printing_indents_by_two(void **state) {
  (void)state;
  orr__json *json = parse("{\"a\":[1,{}],\"b\":{\"c\":\"x,{\\\"}:\"},\"d\":[],\"n\":9007199254740991}");
  char *text = orr__json_print_pretty(json);
  assert_string_equal(text, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"x,{\\\"}:\"\n  },\n"
                            "  \"d\": [],\n  \"n\": 9007199254740991\n}");
  orr__json *again = parse(text);
  assert_true(orr__json_equal(json, again));
  orr__json_free(again);
  free(text);
  orr__json_free(json);
}

static void test_json__bytes_that_are_no_utf8_are_replaced(void **state) {
  (void)state;
  orr__json *json = orr__json_new_str("a\xff\xc3\xa4\xe2\x82z");
  assert_string_equal(orr__json_text(json), "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbdz");
  orr__json_free(json);
}

static void test_json__paths_make_maps_on_the_way(void **state) {
  (void)state;
  orr__json *map = parse("{\"a\":{\"x\":1},\"s\":\"text\",\"z\":null}");
  assert_int_equal(orr__json_path_set(map, "a.b.c", orr__json_new_int(2), NULL), 0);
  assert_int_equal(orr__json_path_set(map, "z.y", orr__json_new_int(3), NULL), 0);
  assert_int_equal(orr__json_path_set(map, "top", orr__json_new_int(4), NULL), 0);
  assert_int_equal(orr__json_path_set(map, "a.x", NULL, NULL), 0);
  assert_int_equal(orr__json_path_set(map, "a.no.such", NULL, NULL), 0);
  assert_int_equal(orr__json_path_set(map, "s.no", NULL, NULL), 0);
  char *text = orr__json_print(map);
  assert_string_equal(text, "{\"a\":{\"b\":{\"c\":2}},\"s\":\"text\",\"z\":{\"y\":3},\"top\":4}");
  assert_int_equal(orr__json_value_int(orr__json_path_get(map, "a.b.c"), 0), 2);
  assert_null(orr__json_path_get(map, "a.b.d"));
  assert_null(orr__json_path_get(map, "s.length"));
  assert_null(orr__json_path_get(map, ""));
  assert_null(orr__json_path_get(map, "a..b"));
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__json_path_set(map, "s.t.u", orr__json_new_int(1), &err), ORR_E_INVALID);
  assert_string_equal(err.message, "'s' in the path 's.t.u' is no map");
  assert_int_equal(orr__json_path_set(map, "a.b.c.d", orr__json_new_int(1), &err), ORR_E_INVALID);
  assert_string_equal(err.message, "'a.b.c' in the path 'a.b.c.d' is no map");
  const char *const wrong[] = {"", ".", "a.", ".a", "a..b", NULL};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(orr__json_path_set(map, wrong[i], orr__json_new_int(1), &err), ORR_E_INVALID);
  orr__error_clear(&err);
  char *after = orr__json_print(map);
  assert_string_equal(after, text);
  free(after);
  free(text);
  orr__json_free(map);
}

static void test_json__merging_is_deep_for_maps_only(void **state) {
  (void)state;
  orr__json *into = parse("{\"a\":{\"x\":1,\"y\":[1]},\"b\":1}");
  orr__json *from = parse("{\"a\":{\"y\":[2],\"z\":3},\"b\":{\"c\":1},\"d\":null}");
  assert_int_equal(orr__json_merge(into, from), 0);
  char *text = orr__json_print(into);
  assert_string_equal(text, "{\"a\":{\"x\":1,\"y\":[2],\"z\":3},\"b\":{\"c\":1},\"d\":null}");
  free(text);
  orr__json_free(into);
  orr__json_free(from);
}

static void test_json__objects_print_their_set_fields_without_secrets(void **state) {
  (void)state;
  orr_connection *connection = orr__connection_new();
  orr__set_str(&connection->head, ORR_F_connection_name, "lab");
  orr__set_str(&connection->head, ORR_F_connection_password, "hunter2");
  orr__set_str(&connection->head, ORR_F_connection_secrets, "{\"k\":\"hunter2\"}");
  orr__set_str(&connection->head, ORR_F_connection_config, "{\"a\":9007199254740993}");
  orr__set_int(&connection->head, ORR_F_connection_enabled, 1);
  orr__json *map = orr__object_to_json(&connection->head, 0);
  char *text = orr__json_print(map);
  assert_string_equal(text, "{\"name\":\"lab\",\"enabled\":true,\"config\":{\"a\":\"9007199254740993\"}}");
  free(text);
  orr__json_free(map);
  map = orr__object_to_json(&connection->head, ORR_JSON_NULLS);
  assert_true(orr__json_get(map, "host") && orr__json_is_null(orr__json_get(map, "host")));
  assert_null(orr__json_get(map, "password"));
  assert_null(orr__json_get(map, "serviceToken"));
  orr__json_free(map);
  map = orr__object_to_json(&connection->head, ORR_JSON_SECRETS);
  assert_string_equal(orr__json_str(map, "password"), "hunter2");
  assert_string_equal(orr__json_str(orr__json_get(map, "secrets"), "k"), "hunter2");
  orr_connection *copy = orr__connection_new();
  assert_int_equal(orr__object_from_json(&copy->head, map, UINT64_MAX, NULL), 0);
  assert_int_equal(copy->head.set, connection->head.set);
  assert_string_equal(copy->password, "hunter2");
  orr__json_free(map);
  orr__object_free(&copy->head);
  orr__object_free(&connection->head);
}

static void test_json__derived_fields_are_printed(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  orr__set_int(&result->head, ORR_F_result_sizeInBytes, 1 << 19);
  orr__set_str(&result->head, ORR_F_result_config, "{damaged");
  orr__json *map = orr__object_to_json(&result->head, 0);
  char *text = orr__json_print(map);
  assert_string_equal(text, "{\"sizeInBytes\":524288,\"sizeInMb\":0.5,\"config\":\"{damaged\"}");
  free(text);
  orr__json_free(map);
  assert_null(orr__object_map(&result->head, ORR_F_result_config));
  orr__object_free(&result->head);
}

static const char *message_of(const orr_error *err, const char *field) {
  for (size_t i = 0; i < err->field_count; i++)
    if (strcmp(err->fields[i].field, field) == 0) return err->fields[i].message;
  return "";
}

static void test_json__every_wrong_member_is_named_and_nothing_is_set(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  orr__json *map = parse("{\"statusMesage\":\"x\",\"status\":\"SUCCEDED\",\"progress\":\"5\",\"startDate\":1795416624,"
                         "\"sizeInBytes\":1.5,\"externalId\":5,\"config\":[],\"uuid\":\"u\",\"resultPath\":\"ok\",\"colour\":1}");
  orr_error err = ORR_ERROR_INIT;
  uint64_t allow = ~ORR_BIT(ORR_F_result_uuid);
  assert_int_equal(orr__object_from_json(&result->head, map, allow, &err), ORR_E_INVALID);
  assert_int_equal(err.code, ORR_E_INVALID);
  assert_int_equal(err.field_count, 9);
  assert_non_null(strstr(message_of(&err, "statusMesage"), "did you mean 'statusMessage'?"));
  assert_non_null(strstr(message_of(&err, "status"), "did you mean SUCCEEDED?"));
  assert_string_equal(message_of(&err, "progress"), "must be a number");
  assert_non_null(strstr(message_of(&err, "startDate"), "is it in seconds?"));
  assert_non_null(strstr(message_of(&err, "sizeInBytes"), "must be an integer"));
  assert_string_equal(message_of(&err, "externalId"), "must be a text");
  assert_non_null(strstr(message_of(&err, "config"), "must be a map"));
  assert_string_equal(message_of(&err, "uuid"), "cannot be set");
  assert_string_equal(message_of(&err, "colour"), "a result has no such field");
  assert_int_equal(result->head.set, 0);
  assert_int_equal(orr__object_from_json(&result->head, map, allow, NULL), ORR_E_INVALID);
  orr__error_clear(&err);
  orr__json_free(map);
  orr__object_free(&result->head);
}

static void test_json__fields_are_set_and_unset_from_a_map(void **state) {
  (void)state;
  orr_backup *backup = orr__backup_new();
  orr__set_str(&backup->head, ORR_F_backup_externalId, "old");
  orr__object_clean(&backup->head);
  orr__json *map = parse("{\"externalId\":null,\"connectionId\":7,\"paused\":false,\"config\":{\"b\":[1]},"
                         "\"createdDate\":\"2026-11-23\",\"refreshInterval\":2.5}");
  assert_int_equal(orr__object_from_json(&backup->head, map, UINT64_MAX, NULL), 0);
  assert_null(backup->externalId);
  assert_int_equal(backup->backupProviderId, 7);
  assert_true(orr__object_has(&backup->head, ORR_F_backup_paused));
  assert_string_equal(backup->config, "{\"b\":[1]}");
  assert_true(backup->createdDate == INT64_C(1795392000000));
  assert_true(backup->refreshInterval == 2.5);
  assert_true(backup->head.dirty & ORR_BIT(ORR_F_backup_externalId));
  orr__json_free(map);
  orr__object_free(&backup->head);
}

static void test_json__a_map_field_is_read_as_a_copy(void **state) {
  (void)state;
  orr_backup *backup = orr__backup_new();
  orr__json *map = orr__object_map(&backup->head, ORR_F_backup_config);
  assert_int_equal(orr__json_count(map), 0);
  orr__json_path_set(map, "a.b", orr__json_new_str("c"), NULL);
  assert_null(backup->config);
  assert_int_equal(orr__object_set_map(&backup->head, ORR_F_backup_config, map), 0);
  assert_string_equal(backup->config, "{\"a\":{\"b\":\"c\"}}");
  orr__json_free(map);
  orr__object_free(&backup->head);
}

/* The n-th allocation that cJSON makes does not succeed. */
static int allocations_left;

static void *scarce_malloc(size_t size) {
  return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void test_json__every_failing_allocation_is_reported(void **state) {
  (void)state;
  static const char text[] = "{\"a\":{\"b\":[1,0.30000000000000004,\"x\"]},\"c\":12345678901234567890}";
  cJSON_Hooks hooks = {scarce_malloc, free};
  bool whole = false;
  int n = 0;
  for (; !whole && n < 200; n++) {
    allocations_left = n;
    cJSON_InitHooks(&hooks);
    orr_error err = ORR_ERROR_INIT;
    char *printed = NULL;
    orr__json *map = orr__json_parse(text, strlen(text), &err);
    if (map && orr__json_path_set(map, "a.d.e", orr__json_new_str("y"), &err) == 0 &&
        orr__json_merge(map, orr__json_get(map, "a")) == 0)
      printed = orr__json_print(map);
    whole = printed != NULL;
    if (err.code) assert_int_equal(err.code, ORR_E_NOMEM);
    if (whole) assert_non_null(strstr(printed, "0.30000000000000004"));
    free(printed);
    orr__json_free(map);
    orr__error_clear(&err);
    cJSON_InitHooks(NULL);
  }
  assert_true(whole);
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json__integers_are_never_rounded),
      cmocka_unit_test(test_json__every_double_reads_back_as_itself),
      cmocka_unit_test(test_json__integers_print_without_exponent),
      cmocka_unit_test(test_json__says_where_a_text_goes_wrong),
      cmocka_unit_test(test_json__refuses_what_cjson_lets_pass),
      cmocka_unit_test(test_json__reads_no_further_than_the_length),
      cmocka_unit_test(test_json__depth_and_size_are_limited),
      cmocka_unit_test(test_json__a_missing_map_is_empty),
      cmocka_unit_test(test_json__members_keep_order_and_case),
      cmocka_unit_test(test_json__readers_fall_back_on_the_wrong_type),
      cmocka_unit_test(test_json__equality_is_exact_and_ignores_the_order_of_maps),
      cmocka_unit_test(test_json__pretty_printing_indents_by_two),
      cmocka_unit_test(test_json__bytes_that_are_no_utf8_are_replaced),
      cmocka_unit_test(test_json__paths_make_maps_on_the_way),
      cmocka_unit_test(test_json__merging_is_deep_for_maps_only),
      cmocka_unit_test(test_json__objects_print_their_set_fields_without_secrets),
      cmocka_unit_test(test_json__derived_fields_are_printed),
      cmocka_unit_test(test_json__every_wrong_member_is_named_and_nothing_is_set),
      cmocka_unit_test(test_json__fields_are_set_and_unset_from_a_map),
      cmocka_unit_test(test_json__a_map_field_is_read_as_a_copy),
      cmocka_unit_test(test_json__every_failing_allocation_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
