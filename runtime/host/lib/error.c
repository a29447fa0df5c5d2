/* Errors as a host reads them. What they are and how they are filled is base/error.h. */
#include <stdlib.h>

#include "host/lib/lib.h"

orr_error *orr_error_new(void) { return calloc(1, sizeof(orr_error)); }

void orr_error_free(orr_error *error) {
  orr__error_clear(error);
  free(error);
}

int orr_error_code(const orr_error *error) { return error ? error->code : 0; }
const char *orr_error_word(const orr_error *error) { return orr__code_word(error ? error->code : 0); }
const char *orr_error_message(const orr_error *error) { return error ? orr__error_message(error) : ""; }
int orr_error_exit(const orr_error *error) { return orr__code_exit(error ? error->code : 0); }
int orr_error_retryable(const orr_error *error) { return error ? error->retryable : 0; }
const char *orr_error_field(const orr_error *error, size_t i) {
  return error && i < error->field_count ? error->fields[i].field : NULL;
}
const char *orr_error_field_message(const orr_error *error, size_t i) {
  return error && i < error->field_count ? error->fields[i].message : NULL;
}
