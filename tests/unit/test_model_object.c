/* model/object.h: descriptors, masks, setters, and values from text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/json.h"
#include "model/object.h"

static const char *field_message(const orr_error *err, const char *field) {
  for (size_t i = 0; i < err->field_count; i++)
    if (strcmp(err->fields[i].field, field) == 0) return err->fields[i].message;
  return "";
}

static void refuses(orr_result *result, int field, const char *text, const char *part) {
  orr_error err = ORR_ERROR_INIT;
  uint64_t set = result->head.set, dirty = result->head.dirty;
  assert_int_equal(orr__set_text(&result->head, field, text, &err), ORR_E_INVALID);
  const char *message = field_message(&err, orr__models[ORR_M_result].fields[field].name);
  if (!strstr(message, part)) fail_msg("'%s' is not in '%s'", part, message);
  assert_true(result->head.set == set && result->head.dirty == dirty);
  orr__error_clear(&err);
}

static void test_object__descriptors_agree_with_the_lists(void **state) {
  (void)state;
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    assert_int_equal(model->id, m);
    assert_ptr_equal(orr__model_find(model->name), model);
    assert_string_equal(model->fields[0].name, "id");
    for (size_t i = 0; i < model->field_count; i++) {
      const orr__field *field = &model->fields[i];
      assert_int_equal(orr__field_find(model, field->name), i);
      assert_true(field->offset >= sizeof(orr__object) && field->offset < model->size);
      assert_int_equal(field->type == ORR_T_REF, field->target != ORR_M_NONE);
      assert_int_equal(field->type == ORR_T_REF, field->nav != NULL);
    }
  }
  assert_null(orr__model_find("BackupResult"));
  assert_null(orr__model_find(NULL));
  const orr__field *status = &orr__models[ORR_M_result].fields[ORR_F_result_status];
  assert_int_equal(status->offset, offsetof(orr_result, status));
  assert_int_equal(status->type, ORR_T_STATUS);
  const orr__field *server = &orr__models[ORR_M_backup].fields[ORR_F_backup_computeServerId];
  assert_int_equal(server->target, ORR_M_server);
  assert_string_equal(server->nav, "computeServer");
}

/* Which tables and columns the first databases have. One that came later says so by a higher `since`: else `db check` calls an older database
 * damaged for want of it, although opening it would add it. */
static void test_object__what_came_later_says_so(void **state) {
  (void)state;
  static const struct { const char *model, *fields; } first[] = {
    { "cloud", " id uuid name code externalId regionCode serviceUrl config createdDate updatedDate " },
    { "server", " id uuid name cloudId externalId internalId hostname platform sshHost sshPort sshUsername config "
      "createdDate updatedDate " },
    { "connection", " id uuid name providerCode serviceUrl host port username password serviceToken caCert tlsFingerprint "
      "proxy enabled config secrets createdDate updatedDate " },
    { "backup", " id uuid name providerCode backupProviderId cloudId computeServerId externalId internalId backupType "
      "backupSetId statusMessage config secrets schedule timeZone paused scheduleAnchor scheduleCursor "
      "refreshInterval attention createdDate updatedDate " },
    { "result", " id uuid backupId computeServerId backupName providerCode status statusMessage progress startDate "
      "endDate durationMillis sizeInBytes sizeInMb externalId internalId snapshotId processId backupSetId "
      "backupType resultPath resultBucket resultArchive errorOutput errorMessage config executionConfig "
      "opts callerOpts retryOf trigger requestedBy scheduledDate nextAction nextActionDate attention "
      "errorCount sentDate previousStatus deadlineDate createdDate updatedDate " },
    { "op", " id hook resultId backupId subjectUuid subjectName state providerCode providerSha256 act draft "
      "attempt startDate sentDate endDate outcome message " },
    { "event", " id date kind level backupId resultId subject message data " },
  };
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const char *fields = "";
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
      if (strcmp(first[i].model, orr__models[m].name) == 0) fields = first[i].fields;
    for (size_t i = 0; i < orr__models[m].field_count; i++) {
      const orr__field *field = &orr__models[m].fields[i];
      char word[80];
      snprintf(word, sizeof word, " %s ", field->name);
      if (field->since <= 1 && !strstr(fields, word)) fail_msg("%s.%s came later: its since is 2 or more", orr__models[m].name, field->name);
    }
  }
}

static void test_object__finds_aliases_and_suggests_names(void **state) {
  (void)state;
  const orr__model *backup = &orr__models[ORR_M_backup], *result = &orr__models[ORR_M_result];
  assert_int_equal(orr__field_find(backup, "connectionId"), ORR_F_backup_backupProviderId);
  assert_int_equal(orr__field_find(&orr__models[ORR_M_op], "connectionId"), -1);
  assert_int_equal(orr__field_find(backup, "backupProvider"), -1);
  assert_int_equal(orr__field_find(backup, NULL), -1);
  assert_string_equal(orr__field_nearest(result, "externalID"), "externalId");
  assert_string_equal(orr__field_nearest(result, "statusMesage"), "statusMessage");
  assert_string_equal(orr__field_nearest(backup, "backupProvidr"), "backupProvider");
  assert_string_equal(orr__field_nearest(backup, "conection"), "connection");
  assert_string_equal(orr__field_nearest(backup, "conectionId"), "connectionId");
  assert_null(orr__field_nearest(result, "colour"));
  assert_null(orr__field_nearest(result, NULL));
}

/* What a sanitizer has to say about it counts, too. */
static void test_object__texts_lie_in_the_room_of_their_object_while_there_is_some(void **state) {
  (void)state;
  orr__object *made = orr__object_new_with_room(ORR_M_result, 12);
  assert_int_equal(orr__fill_str(made, ORR_F_result_status, "FAILED and more", 6), 0); /* 7 of 12 */
  assert_int_equal(orr__fill_str(made, ORR_F_result_externalId, "12345", 5), 0);       /* 6 are too many */
  assert_int_equal(orr__fill_str(made, ORR_F_result_processId, "1234", 4), 0);         /* 5 are not */
  assert_int_equal(orr__fill_str(made, ORR_F_result_snapshotId, "", 0), 0);
  const char *end = (const char *)made + orr__models[ORR_M_result].size + 12;
  const char *status = orr__get_str(made, ORR_F_result_status), *external = orr__get_str(made, ORR_F_result_externalId);
  assert_string_equal(status, "FAILED");
  assert_true(status > (const char *)made && status < end);
  assert_string_equal(external, "12345");
  assert_false(external > (const char *)made && external < end);
  assert_string_equal(orr__get_str(made, ORR_F_result_processId), "1234");
  assert_string_equal(orr__get_str(made, ORR_F_result_snapshotId), "");
  assert_int_equal(orr__set_str(made, ORR_F_result_status, "SUCCEEDED"), 0);
  assert_int_equal(orr__set_str(made, ORR_F_result_status, "FAILED"), 0);
  assert_int_equal(orr__set_str(made, ORR_F_result_externalId, NULL), 0);
  orr__unset(made, ORR_F_result_processId);
  orr__object *copy = orr__object_copy(made);
  assert_true(copy->set == made->set && copy->dirty == made->dirty);
  orr__object_free(made);
  assert_string_equal(orr__get_str(copy, ORR_F_result_status), "FAILED");
  assert_string_equal(orr__get_str(copy, ORR_F_result_snapshotId), "");
  assert_null(orr__get_str(copy, ORR_F_result_externalId));
  assert_int_equal(orr__set_str(copy, ORR_F_result_status, "CANCELLED"), 0);
  orr__object_free(copy);
  /* Texts that are too large for a room are alone. */
  char *large = malloc(100001);
  memset(large, 'x', 100000);
  large[100000] = '\0';
  made = orr__object_new_with_room(ORR_M_result, 100001);
  assert_int_equal(orr__fill_str(made, ORR_F_result_errorOutput, large, 100000), 0);
  copy = orr__object_copy(made);
  assert_string_equal(orr__get_str(copy, ORR_F_result_errorOutput), large);
  orr__object_free(copy);
  orr__object_free(made);
  free(large);
}

/* What a draft of it became is moved into the object, wherever the texts of both lie. */
static void test_object__one_with_texts_in_its_room_is_changed_by_json(void **state) {
  (void)state;
  orr__object *object = orr__object_new_with_room(ORR_M_result, 64);
  orr__fill_str(object, ORR_F_result_status, "IN_PROGRESS", 11);
  orr__fill_str(object, ORR_F_result_externalId, "job-1", 5);
  orr__json *map = orr__json_parse_map("{\"statusMessage\":\"copying\",\"externalId\":\"job-2\"}", NULL);
  assert_int_equal(orr__object_from_json(object, map, UINT64_MAX, NULL), 0);
  assert_string_equal(orr__get_str(object, ORR_F_result_status), "IN_PROGRESS");
  assert_string_equal(orr__get_str(object, ORR_F_result_statusMessage), "copying");
  assert_string_equal(orr__get_str(object, ORR_F_result_externalId), "job-2");
  orr__json_free(map);
  map = orr__json_parse_map("{\"externalId\":\"job-3\",\"nonsense\":1}", NULL);
  assert_int_equal(orr__object_from_json(object, map, UINT64_MAX, NULL), ORR_E_INVALID);
  assert_string_equal(orr__get_str(object, ORR_F_result_externalId), "job-2");
  assert_int_equal(orr__set_str(object, ORR_F_result_status, "FAILED"), 0);
  orr__json_free(map);
  orr__object_free(object);
}

static void test_object__masks_follow_the_setters(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  orr__object *head = &result->head;
  assert_int_equal(orr__object_id(head), 0);
  assert_false(orr__object_has(head, ORR_F_result_errorCount));
  assert_int_equal(orr__set_int(head, ORR_F_result_errorCount, 0), 0);
  assert_true(orr__object_has(head, ORR_F_result_errorCount));
  assert_int_equal(head->dirty, ORR_BIT(ORR_F_result_errorCount));
  orr__object_clean(head);
  orr__set_int(head, ORR_F_result_errorCount, 0);
  assert_int_equal(head->dirty, 0);
  orr__set_str(head, ORR_F_result_status, "FAILED");
  orr__set_num(head, ORR_F_result_progress, 12.5);
  assert_string_equal(result->status, "FAILED");
  orr__object_clean(head);
  orr__set_str(head, ORR_F_result_status, "FAILED");
  orr__set_str(head, ORR_F_result_status, result->status);
  orr__set_num(head, ORR_F_result_progress, 12.5);
  orr__unset(head, ORR_F_result_externalId);
  orr__set_str(head, ORR_F_result_externalId, NULL);
  assert_int_equal(head->dirty, 0);
  orr__set_str(head, ORR_F_result_status, NULL);
  orr__unset(head, ORR_F_result_progress);
  assert_null(result->status);
  assert_true(result->progress == 0);
  assert_int_equal(head->set, ORR_BIT(ORR_F_result_errorCount));
  assert_int_equal(head->dirty, ORR_BIT(ORR_F_result_status) | ORR_BIT(ORR_F_result_progress));
  orr__object_free(head);
}

static void test_object__an_empty_text_is_a_value(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  orr__set_str(&result->head, ORR_F_result_externalId, "");
  assert_true(orr__object_has(&result->head, ORR_F_result_externalId));
  assert_string_equal(orr__get_str(&result->head, ORR_F_result_externalId), "");
  orr__object_free(&result->head);
}

static void test_object__copies_are_deep_and_keep_the_masks(void **state) {
  (void)state;
  orr_backup *backup = orr__backup_new();
  orr__set_str(&backup->head, ORR_F_backup_name, "home");
  orr__set_int(&backup->head, ORR_F_backup_paused, 7);
  orr__object_clean(&backup->head);
  orr__set_num(&backup->head, ORR_F_backup_refreshInterval, 1.5);
  orr_backup *copy = (orr_backup *)(void *)orr__object_copy(&backup->head);
  orr__object_free(&backup->head);
  assert_string_equal(copy->name, "home");
  assert_int_equal(copy->paused, 1);
  assert_true(copy->refreshInterval == 1.5);
  assert_int_equal(copy->head.dirty, ORR_BIT(ORR_F_backup_refreshInterval));
  orr_backup *other = orr__backup_new();
  orr__set_str(&other->head, ORR_F_backup_schedule, "@daily");
  orr__copy_field(&other->head, &copy->head, ORR_F_backup_name);
  orr__copy_field(&other->head, &copy->head, ORR_F_backup_schedule);
  assert_string_equal(other->name, "home");
  assert_null(other->schedule);
  orr__object_free(&other->head);
  orr__object_free(&copy->head);
  orr__object_free(NULL);
}

static void test_object__the_size_in_mb_is_derived(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  assert_false(orr__object_has(&result->head, ORR_F_result_sizeInMb));
  assert_true(orr__get_num(&result->head, ORR_F_result_sizeInMb) == 0);
  orr__set_int(&result->head, ORR_F_result_sizeInBytes, 3 << 19);
  assert_true(orr__object_has(&result->head, ORR_F_result_sizeInMb));
  assert_true(orr__get_num(&result->head, ORR_F_result_sizeInMb) == 1.5);
  assert_int_equal(result->head.dirty, ORR_BIT(ORR_F_result_sizeInBytes));
  orr_error err = ORR_ERROR_INIT;
  assert_int_equal(orr__set_text(&result->head, ORR_F_result_sizeInMb, "3", &err), ORR_E_INVALID);
  assert_non_null(strstr(field_message(&err, "sizeInMb"), "computed"));
  orr__error_clear(&err);
  orr_result *copy = (orr_result *)(void *)orr__object_copy(&result->head);
  assert_true(orr__get_num(&copy->head, ORR_F_result_sizeInMb) == 1.5);
  orr__object_free(&copy->head);
  orr__object_free(&result->head);
}

static void test_object__text_is_taken_by_type(void **state) {
  (void)state;
  orr_backup *backup = orr__backup_new();
  orr_result *result = orr__result_new();
  orr__object *head = &result->head;
  assert_int_equal(orr__set_text(head, ORR_F_result_sizeInBytes, "-9223372036854775808", NULL), 0);
  assert_true(result->sizeInBytes == INT64_MIN);
  assert_int_equal(orr__set_text(head, ORR_F_result_sizeInBytes, "9223372036854775807", NULL), 0);
  assert_true(result->sizeInBytes == INT64_MAX);
  assert_int_equal(orr__set_text(head, ORR_F_result_startDate, "2026-11-23T06:50:24Z", NULL), 0);
  assert_true(result->startDate == INT64_C(1795416624000));
  assert_int_equal(orr__set_text(head, ORR_F_result_endDate, "1795416624001", NULL), 0);
  assert_true(result->endDate == INT64_C(1795416624001));
  assert_int_equal(orr__set_text(head, ORR_F_result_progress, "99.5", NULL), 0);
  assert_true(result->progress == 99.5);
  assert_int_equal(orr__set_text(head, ORR_F_result_status, "CANCELED", NULL), 0);
  assert_string_equal(result->status, "CANCELLED");
  assert_int_equal(orr__set_text(head, ORR_F_result_config, " { \"a\" : [1, 2] } ", NULL), 0);
  assert_string_equal(result->config, "{\"a\":[1,2]}");
  assert_int_equal(orr__set_text(head, ORR_F_result_externalId, "42", NULL), 0);
  assert_string_equal(result->externalId, "42");
  assert_int_equal(orr__set_text(head, ORR_F_result_externalId, NULL, NULL), 0);
  assert_null(result->externalId);
  assert_int_equal(orr__set_text(&backup->head, ORR_F_backup_paused, "true", NULL), 0);
  assert_int_equal(orr__set_text(&backup->head, ORR_F_backup_cloudId, "3", NULL), 0);
  assert_int_equal(backup->paused, 1);
  assert_int_equal(backup->cloudId, 3);
  assert_int_equal(orr__set_text(&backup->head, ORR_F_backup_paused, "yes", NULL), ORR_E_INVALID);
  assert_int_equal(orr__set_text(&backup->head, ORR_F_backup_cloudId, "0", NULL), ORR_E_INVALID);
  assert_int_equal(orr__set_text(&backup->head, ORR_F_backup_cloudId, "lab", NULL), ORR_E_INVALID);
  orr__object_free(&backup->head);
  orr__object_free(head);
}

static void test_object__text_of_the_wrong_type_is_refused(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  refuses(result, ORR_F_result_sizeInBytes, "12x", "must be an integer");
  refuses(result, ORR_F_result_sizeInBytes, "", "must be an integer");
  refuses(result, ORR_F_result_sizeInBytes, "-", "must be an integer");
  refuses(result, ORR_F_result_sizeInBytes, "1.5", "must be an integer");
  refuses(result, ORR_F_result_sizeInBytes, "9223372036854775808", "64 bits");
  refuses(result, ORR_F_result_progress, "half", "must be a number");
  refuses(result, ORR_F_result_progress, "nan", "must be a number");
  refuses(result, ORR_F_result_progress, "1e999", "must be a number");
  refuses(result, ORR_F_result_config, "[1]", "must be a map");
  refuses(result, ORR_F_result_config, "{\"a\":}", "line 1, column 6");
  refuses(result, ORR_F_result_status, "SUCCEDED", "did you mean SUCCEEDED?");
  refuses(result, ORR_F_result_status, "fine", "it is one of START_REQUESTED");
  refuses(result, ORR_F_result_externalId, "\xff", "UTF-8");
  orr__object_free(&result->head);
}

static void test_object__dates_in_seconds_are_refused(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  refuses(result, ORR_F_result_startDate, "1795416624", "is it in seconds? dates are milliseconds");
  refuses(result, ORR_F_result_startDate, "99999999999", "seconds");
  refuses(result, ORR_F_result_startDate, "0", "seconds");
  refuses(result, ORR_F_result_startDate, "-200000000000", "milliseconds");
  refuses(result, ORR_F_result_startDate, "1795416624000000", "milliseconds");
  refuses(result, ORR_F_result_startDate, "yesterday", "ISO 8601");
  assert_int_equal(orr__set_text(&result->head, ORR_F_result_startDate, "100000000000", NULL), 0);
  orr__object_free(&result->head);
}

static void test_object__texts_and_maps_have_limits(void **state) {
  (void)state;
  orr_result *result = orr__result_new();
  const size_t most = 1u << 20;
  char *text = malloc(most + 2);
  memset(text, 'x', most + 1);
  text[most + 1] = '\0';
  refuses(result, ORR_F_result_errorOutput, text, "at most 1048576");
  text[most] = '\0';
  assert_int_equal(orr__set_text(&result->head, ORR_F_result_errorOutput, text, NULL), 0);
  free(text);
  char deep[3000] = "";
  for (int i = 0; i < 181; i++) strcat(deep, "{\"a\":");
  strcat(deep, "1");
  for (int i = 0; i < 181; i++) strcat(deep, "}");
  refuses(result, ORR_F_result_config, deep, "deeper than 180");
  orr__object_free(&result->head);
}

static void test_object__a_graph_owns_its_objects(void **state) {
  (void)state;
  orr__graph graph = {0};
  orr__graph_clear(&graph);
  orr__graph_clear(NULL);
  graph.result = orr__result_new();
  graph.backup = orr__backup_new();
  graph.connection = orr__connection_new();
  graph.server = orr__server_new();
  orr__set_str(&graph.backup->head, ORR_F_backup_name, "home");
  orr__graph_clear(&graph);
  assert_null(graph.result);
  assert_null(graph.backup);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_object__descriptors_agree_with_the_lists),
      cmocka_unit_test(test_object__what_came_later_says_so),
      cmocka_unit_test(test_object__finds_aliases_and_suggests_names),
      cmocka_unit_test(test_object__texts_lie_in_the_room_of_their_object_while_there_is_some),
    cmocka_unit_test(test_object__one_with_texts_in_its_room_is_changed_by_json),
    cmocka_unit_test(test_object__masks_follow_the_setters),
      cmocka_unit_test(test_object__an_empty_text_is_a_value),
      cmocka_unit_test(test_object__copies_are_deep_and_keep_the_masks),
      cmocka_unit_test(test_object__the_size_in_mb_is_derived),
      cmocka_unit_test(test_object__text_is_taken_by_type),
      cmocka_unit_test(test_object__text_of_the_wrong_type_is_refused),
      cmocka_unit_test(test_object__dates_in_seconds_are_refused),
      cmocka_unit_test(test_object__texts_and_maps_have_limits),
      cmocka_unit_test(test_object__a_graph_owns_its_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
