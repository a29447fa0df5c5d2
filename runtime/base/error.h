/* Errors: a code that decides and a message that explains.
 *
 * Every function that can go wrong for a reason of the world returns 0 or a negative ORR_E_ code and
 * describes it in its last parameter, `orr_error *reterr`, which may be NULL. On success reterr is
 * untouched. The struct is owned by whoever declared it: `orr_error err = ORR_ERROR_INIT;` and
 * `orr__error_clear(&err)`; setting an error that is already set replaces it.
 *
 * A message is one line that names the thing and, where there is one, the way out; it has no full
 * stop. Knows nothing of JSON, Lua or exit paths; those layers translate. */
#ifndef ORR_BASE_ERROR_H
#define ORR_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum orr_code {
  ORR_OK = 0,
#define ORR_ERROR(NAME, value, word, exit, retryable, doc) ORR_E_##NAME = value,
#include "base/errors.def"
#undef ORR_ERROR
};

/* One entry of the per-field map: what is wrong with which field. Both strings are owned. */
typedef struct orr__field_error {
  char *field;
  char *message;
} orr__field_error;

typedef struct orr_error {
  int code;                  /* 0 while unset */
  bool retryable;            /* may the very same call succeed later? */
  char *message;             /* owned, NULL while unset or when memory ran out; see orr__error_message */
  orr__field_error *fields;  /* owned array of field_count entries, in the order added */
  size_t field_count;
} orr_error;

#define ORR_ERROR_INIT { 0, false, NULL, NULL, 0 }

/* Releases what err holds and makes it unset. NULL is fine. */
void orr__error_clear(orr_error *err);

/* Sets err (NULL is fine) to code with a printf-formatted message; returns code, so that a caller can
 * `return orr__error_set(reterr, ORR_E_NOT_FOUND, "no backup named '%s'", name);`.
 * retryable gets the code's default. Drops any fields set before. Control characters are made spaces. */
int orr__error_set(orr_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int orr__error_setv(orr_error *err, int code, const char *format, va_list args);

/* The same for a system call: appends ": " and the text of errnum. ENOSPC and EDQUOT say "disk full". */
int orr__error_errno(orr_error *err, int code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds one entry to the per-field map (limit 1000; more are dropped). Sets code INVALID and a message
 * if err is still unset. Returns err's code. A second message for a field is appended with "; ". */
int orr__error_field(orr_error *err, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Moves src into dst (dst's old content is released, src becomes unset). dst NULL: src is cleared.
 * Returns the code moved. */
int orr__error_move(orr_error *dst, orr_error *src);
int orr__error_copy(orr_error *dst, const orr_error *src);

/* Never NULL, also for an unset error or one whose text could not be allocated. Borrowed. */
const char *orr__error_message(const orr_error *err);

/* Facts of errors.def. An unknown code is "unknown", exit 1, not retryable. */
const char *orr__code_word(int code);
int orr__code_from_word(const char *word); /* 0 if there is none */
int orr__code_exit(int code);
bool orr__code_retryable(int code);

#endif
