/* Output to the streams: JSON and text to standard output, remarks and errors to standard error. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/protocol.h"
#include "host/render.h"

void orr__print(const orr__buf *out) {
  if (orr__buf_error(out)) {
    fputs("orrery: the output is larger than can be shown\n", stderr);
    return;
  }
  fwrite(orr__buf_text(out), 1, out->len, stdout);
  fflush(stdout);
}

void orr__print_json(const cJSON *json) {
  char *text = cJSON_PrintUnformatted(json);
  if (text) printf("%s\n", text);
  else fputs("orrery: out of memory while printing\n", stderr);
  fflush(stdout);
  cJSON_free(text);
}

/* Puts copies of data's members behind what is there; what data says itself (msg) replaces. */
static bool spread(cJSON *into, const cJSON *data) {
  const cJSON *member = NULL;
  if (!cJSON_IsObject(data)) return !data || cJSON_AddItemToObject(into, "data", cJSON_Duplicate(data, true));
  cJSON_ArrayForEach(member, data) {
    cJSON *copy = cJSON_Duplicate(member, true);
    bool is_there = cJSON_HasObjectItem(into, member->string);
    if (!copy) return false;
    if (is_there && cJSON_IsNull(copy)) cJSON_Delete(copy);
    else if (is_there ? !cJSON_ReplaceItemInObjectCaseSensitive(into, member->string, copy)
                      : !cJSON_AddItemToObject(into, member->string, copy)) return false;
  }
  return true;
}

void orr__print_done(const cJSON *data, const char *msg) {
  cJSON *json = cJSON_CreateObject();
  if (json && cJSON_AddTrueToObject(json, "success") && cJSON_AddStringToObject(json, "msg", msg ? msg : "") &&
      cJSON_AddObjectToObject(json, "errors") && spread(json, data)) orr__print_json(json);
  else fputs("orrery: out of memory while printing\n", stderr);
  cJSON_Delete(json);
}

void orr__print_failed(const orr_error *error) {
  cJSON *told = orr__error_to_json(error);
  cJSON *json = cJSON_CreateObject();
  bool ok = told && json && cJSON_AddFalseToObject(json, "success") &&
            cJSON_AddStringToObject(json, "msg", orr__error_message(error)) &&
            cJSON_AddItemToObject(json, "errors", cJSON_DetachItemFromObjectCaseSensitive(told, "fields")) &&
            cJSON_AddItemToObject(json, "code", cJSON_DetachItemFromObjectCaseSensitive(told, "code")) &&
            cJSON_AddItemToObject(json, "retryable", cJSON_DetachItemFromObjectCaseSensitive(told, "retryable")) &&
            cJSON_AddItemToObject(json, "exit", cJSON_DetachItemFromObjectCaseSensitive(told, "exit"));
  if (ok) orr__print_json(json);
  else fputs("orrery: out of memory while printing\n", stderr);
  cJSON_Delete(told);
  cJSON_Delete(json);
}

void orr__complain(const orr_error *error) {
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__buf_adds(&out, "orrery: ");
  orr__text_safe(&out, orr__error_message(error));
  orr__buf_addc(&out, '\n');
  for (size_t i = 0; i < error->field_count; i++) {
    orr__buf_adds(&out, "  ");
    orr__text_safe(&out, error->fields[i].field);
    orr__buf_adds(&out, ": ");
    orr__text_safe(&out, error->fields[i].message);
    orr__buf_addc(&out, '\n');
  }
  fputs(orr__buf_text(&out), stderr);
  orr__buf_clear(&out);
}

void orr__remark(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}
