/* Reading and writing the lines of protocol.h, with cJSON.
 *
 * What the runtime answers is JSON text already and is copied into the line as it is, so a large reply is neither
 * parsed nor printed on its way out. */
#include "host/protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define ID_MAX 9007199254740992.0 /* 2^53: every whole number up to here is exact */

static const char *const TYPES[] = {"reply", "update", "log", "taken"};

enum { TYPE_COUNT = sizeof TYPES / sizeof *TYPES };

static char *take(orr__buf *line) {
  return orr__buf_take(line, NULL);
}

char *orr__protocol_ask(uint64_t id, const char *request, const char *args) {
  orr__buf line;
  orr__buf_init(&line, ORR_LINE_MAX);
  orr__buf_addf(&line, "{\"id\":%llu,\"request\":\"%s\",\"args\":", (unsigned long long)id, request);
  orr__buf_adds(&line, args ? args : "{}");
  orr__buf_addc(&line, '}');
  return take(&line);
}

char *orr__protocol_stop(uint64_t id) {
  return orr__strf("{\"id\":%llu,\"stop\":true}", (unsigned long long)id);
}

char *orr__protocol_data(uint64_t id, enum orr__message_type type, const char *json) {
  orr__buf line;
  orr__buf_init(&line, ORR_LINE_MAX);
  orr__buf_addf(&line, "{\"id\":%llu,\"type\":\"%s\",\"data\":", (unsigned long long)id, TYPES[type]);
  orr__buf_adds(&line, json ? json : "null");
  orr__buf_addc(&line, '}');
  return take(&line);
}

cJSON *orr__error_to_json(const orr_error *error) {
  cJSON *json = cJSON_CreateObject();
  cJSON *fields = cJSON_CreateObject();
  bool ok = json && fields && cJSON_AddStringToObject(json, "code", orr__code_word(error->code)) &&
            cJSON_AddStringToObject(json, "message", orr__error_message(error));
  for (size_t i = 0; ok && i < error->field_count; i++)
    ok = cJSON_AddStringToObject(fields, error->fields[i].field, error->fields[i].message) != NULL;
  if (ok) {
    ok = cJSON_AddItemToObject(json, "fields", fields);
    if (ok) fields = NULL;
  }
  ok = ok && cJSON_AddBoolToObject(json, "retryable", error->retryable) &&
       cJSON_AddNumberToObject(json, "exit", orr__code_exit(error->code));
  cJSON_Delete(fields);
  if (ok) return json;
  cJSON_Delete(json);
  return NULL;
}

char *orr__protocol_failure(uint64_t id, const orr_error *error) {
  cJSON *json = orr__error_to_json(error);
  char *text = json ? cJSON_PrintUnformatted(json) : NULL;
  char *line = text ? orr__strf("{\"id\":%llu,\"type\":\"reply\",\"error\":%s}", (unsigned long long)id, text) : NULL;
  cJSON_free(text);
  cJSON_Delete(json);
  return line;
}

/* A whole number from 0 to 2^53, or -1. */
static int64_t read_id(const cJSON *json) {
  const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "id");
  if (!cJSON_IsNumber(id) || !(id->valuedouble >= 0) || id->valuedouble > ID_MAX) return -1;
  return floor(id->valuedouble) == id->valuedouble ? (int64_t)id->valuedouble : -1;
}

static int parse_line(const char *line, size_t len, cJSON **ret_json, orr_error *reterr) {
  if (len > ORR_LINE_MAX) return orr__error_set(reterr, ORR_E_LIMIT, "a line of more than %u bytes", ORR_LINE_MAX);
  if (!orr__utf8_valid(line, len)) return orr__error_set(reterr, ORR_E_INVALID, "a line that is not UTF-8");
  const char *end = NULL;
  cJSON *json = cJSON_ParseWithLengthOpts(line, len, &end, false);
  while (json && end < line + len && strchr(" \t\r", *end)) end++;
  if (!cJSON_IsObject(json) || end != line + len) {
    cJSON_Delete(json);
    return orr__error_set(reterr, ORR_E_INVALID, "a line that is no JSON object");
  }
  *ret_json = json;
  return 0;
}

int orr__protocol_read_asked(const char *line, size_t len, orr__asked *ret_asked, orr_error *reterr) {
  cJSON *json = NULL;
  orr__asked asked = {0};
  int rc = parse_line(line, len, &json, reterr);
  if (rc != 0) goto done;
  int64_t id = read_id(json);
  if (id < 1) {
    rc = orr__error_set(reterr, ORR_E_INVALID, "a request needs an id, a whole number from 1");
    goto done;
  }
  asked.id = ret_asked->id = (uint64_t)id;
  if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "stop"))) {
    asked.is_stop = true;
    goto done;
  }
  const char *request = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "request"));
  const cJSON *args = cJSON_GetObjectItemCaseSensitive(json, "args");
  if (!request || (args && !cJSON_IsObject(args) && !cJSON_IsNull(args))) {
    rc = orr__error_set(reterr, ORR_E_INVALID, "a request is {\"id\":..,\"request\":\"noun.verb\",\"args\":{..}}");
    goto done;
  }
  asked.request = orr__strdup(request);
  asked.args = cJSON_IsObject(args) ? cJSON_PrintUnformatted(args) : orr__strdup("{}");
  if (!asked.request || !asked.args) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory while reading a request");
done:
  cJSON_Delete(json);
  if (rc == 0) *ret_asked = asked;
  else orr__asked_clear(&asked);
  return rc;
}

static void read_error(const cJSON *json, orr_error *error) {
  const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "code"));
  const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "message"));
  int code = word ? orr__code_from_word(word) : 0;
  orr__error_set(error, code ? code : ORR_E_IO, "%s", message ? message : "an error without a message");
  error->retryable = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "retryable"));
  const cJSON *field = NULL;
  cJSON_ArrayForEach(field, cJSON_GetObjectItemCaseSensitive(json, "fields")) {
    if (cJSON_IsString(field)) orr__error_field(error, field->string, "%s", field->valuestring);
  }
}

int orr__protocol_read_message(const char *line, size_t len, orr__message *ret_message, orr_error *reterr) {
  cJSON *json = NULL;
  int rc = parse_line(line, len, &json, reterr);
  if (rc != 0) return rc;
  orr__message message = {ORR_MESSAGE_REPLY, 0, NULL, ORR_ERROR_INIT};
  int64_t id = read_id(json);
  const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "type"));
  const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
  size_t i = 0;
  while (i < TYPE_COUNT && !orr__streq(type, TYPES[i])) i++;
  if (id < 0 || i == TYPE_COUNT) {
    cJSON_Delete(json);
    return orr__error_set(reterr, ORR_E_INVALID, "the runtime sent a line that is no message");
  }
  message.type = (enum orr__message_type)i;
  message.id = (uint64_t)id;
  if (error) {
    read_error(error, &message.error);
  } else {
    message.data = cJSON_DetachItemFromObjectCaseSensitive(json, "data");
    if (!message.data) message.data = cJSON_CreateNull();
  }
  cJSON_Delete(json);
  *ret_message = message;
  return 0;
}

void orr__asked_clear(orr__asked *asked) {
  free(asked->request);
  free(asked->args);
  *asked = (orr__asked){0};
}

void orr__message_clear(orr__message *message) {
  cJSON_Delete(message->data);
  orr__error_clear(&message->error);
  message->data = NULL;
}
