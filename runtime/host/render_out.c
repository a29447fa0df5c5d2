/* Output to the streams: JSON and text to standard output, remarks and errors to standard error. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host/protocol.h"
#include "host/render.h"

static int print_errno; /* of the first write to standard output that did not work */

static void flush_output(void) {
  if (fflush(stdout) != 0 && print_errno == 0) print_errno = errno;
}

int orr__print_end(orr_error *reterr) {
  flush_output();
  if (print_errno == 0 && !ferror(stdout)) return 0;
  if (print_errno == EPIPE) return orr__error_set(reterr, ORR_E_CLOSED, "nobody reads standard output any more");
  if (print_errno == EBADF) return orr__error_set(reterr, ORR_E_IO, "standard output is closed");
  return orr__error_errno(reterr, ORR_E_IO, print_errno ? print_errno : EIO, "standard output");
}

void orr__print(const orr__buf *out) {
  if (orr__buf_error(out)) {
    fputs("orrery: the output is larger than can be shown\n", stderr);
    return;
  }
  if (fwrite(orr__buf_text(out), 1, out->len, stdout) != out->len && print_errno == 0) print_errno = errno;
  flush_output();
}

void orr__print_json(const cJSON *json) {
  char *text = cJSON_PrintUnformatted(json);
  if (text) printf("%s\n", text);
  else fputs("orrery: out of memory while printing\n", stderr);
  flush_output();
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

/* What was given may be repeated in a message, and may be very long. */
static void add_complaint(orr__buf *out, const char *text) {
  enum { SHOWN_MAX = 2000 };
  size_t len = strlen(text), at = out->len;
  orr__text_safe(out, text);
  if (len > SHOWN_MAX && out->len > at + SHOWN_MAX) {
    out->len = at + SHOWN_MAX;
    while (out->len > at && ((unsigned char)out->data[out->len] & 0xc0) == 0x80) out->len--;
    out->data[out->len] = '\0';
    orr__buf_adds(out, "…");
  }
  orr__buf_addc(out, '\n');
}

void orr__complain(const orr_error *error) {
  orr__buf out;
  orr__buf_init(&out, ORR_PRINT_MAX);
  orr__buf_adds(&out, "orrery: ");
  add_complaint(&out, orr__error_message(error));
  bool is_told = error->field_count == 1 && strstr(orr__error_message(error), error->fields[0].message);
  for (size_t i = 0; i < error->field_count && !is_told; i++) {
    orr__buf_adds(&out, "  ");
    orr__text_safe(&out, error->fields[i].field);
    orr__buf_adds(&out, ": ");
    add_complaint(&out, error->fields[i].message);
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
