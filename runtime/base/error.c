/* Errors: building, moving and looking up the facts of errors.def.
 *
 * Deliberately does not know who reads an error or what is done about it. Invariants: a set error has
 * a code other than 0; fields is NULL exactly when field_count is 0; texts hold no control characters;
 * running out of memory loses text, never the code. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_LIMIT = 1000, MESSAGE_MAX = 65536 /* bytes */ };

typedef struct code_facts {
  int code;
  int exit;
  bool retryable;
  const char *word;
  const char *doc;
} code_facts;

static const code_facts code_table[] = {
#define ORR_ERROR(NAME, value, word, exit, retryable, doc) {value, exit, retryable, word, doc},
#include "base/errors.def"
#undef ORR_ERROR
};

static const code_facts *find_code(int code) {
  for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++)
    if (code_table[i].code == code) return &code_table[i];
  return NULL;
}

const char *orr__code_word(int code) {
  if (code == 0) return "ok";
  const code_facts *facts = find_code(code);
  return facts ? facts->word : "unknown";
}

int orr__code_from_word(const char *word) {
  if (!word) return 0;
  for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++)
    if (strcmp(code_table[i].word, word) == 0) return code_table[i].code;
  return 0;
}

int orr__code_exit(int code) {
  if (code == 0) return 0;
  const code_facts *facts = find_code(code);
  return facts ? facts->exit : 1;
}

bool orr__code_retryable(int code) {
  const code_facts *facts = find_code(code);
  return facts && facts->retryable;
}

static void blank_controls(char *text) {
  for (unsigned char *c = (unsigned char *)text; *c; c++)
    if (*c < 0x20 || *c == 0x7f) *c = ' ';
}

/* Owned, NULL when memory ran out. */
__attribute__((format(printf, 1, 0))) static char *format_line(const char *format, va_list args) {
  char *text = NULL;
  int len = vasprintf(&text, format, args);
  if (len < 0) return NULL;
  if (len > MESSAGE_MAX) {
    len = MESSAGE_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) len--; /* not within a character */
    text[len] = '\0';
  }
  blank_controls(text);
  return text;
}

void orr__error_clear(orr_error *err) {
  if (!err) return;
  for (size_t i = 0; i < err->field_count; i++) {
    free(err->fields[i].field);
    free(err->fields[i].message);
  }
  free(err->fields);
  free(err->message);
  *err = (orr_error)ORR_ERROR_INIT;
}

/* Takes message over. */
static int replace(orr_error *err, int code, char *message) {
  orr__error_clear(err);
  err->code = code;
  err->retryable = orr__code_retryable(code);
  err->message = message;
  return code;
}

int orr__error_setv(orr_error *err, int code, const char *format, va_list args) {
  assert(code < 0);
  if (!err) return code;
  /* Formatted before the old text goes: the arguments may point into it. */
  return replace(err, code, format_line(format, args));
}

int orr__error_set(orr_error *err, int code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  orr__error_setv(err, code, format, args);
  va_end(args);
  return code;
}

int orr__error_errno(orr_error *err, int code, int errnum, const char *format, ...) {
  assert(code < 0);
  if (!err) return code;
  va_list args;
  va_start(args, format);
  char *what = format_line(format, args);
  va_end(args);
  char scratch[128];
  const char *why = errnum == ENOSPC || errnum == EDQUOT ? "disk full"
                                                         : strerror_r(errnum, scratch, sizeof scratch);
  char *whole = NULL;
  if (what && asprintf(&whole, "%s: %s", what, why) < 0) whole = NULL;
  if (whole) free(what);
  return replace(err, code, whole ? whole : what);
}

/* Room for one more entry; the array doubles whenever its length is a power of two. */
static bool fields_grow(orr_error *err) {
  size_t count = err->field_count;
  if (count & (count - 1)) return true;
  size_t cap = count ? count * 2 : 1;
  orr__field_error *grown = realloc(err->fields, cap * sizeof *grown);
  if (!grown) return false;
  err->fields = grown;
  return true;
}

static orr__field_error *find_field(const orr_error *err, const char *field) {
  for (size_t i = 0; i < err->field_count; i++)
    if (strcmp(err->fields[i].field, field) == 0) return &err->fields[i];
  return NULL;
}

static void append_message(orr__field_error *entry, const char *more) {
  char *joined = NULL;
  if (asprintf(&joined, "%s; %s", entry->message, more) < 0) return;
  free(entry->message);
  entry->message = joined;
}

/* Takes message over on success. */
static bool append_field(orr_error *err, const char *field, char *message) {
  if (err->field_count >= FIELD_LIMIT) return false;
  char *name = strdup(field);
  if (!name) return false;
  if (!fields_grow(err)) {
    free(name);
    return false;
  }
  blank_controls(name);
  err->fields[err->field_count++] = (orr__field_error){name, message};
  return true;
}

int orr__error_field(orr_error *err, const char *field, const char *format, ...) {
  if (!err) return ORR_E_INVALID;
  va_list args;
  va_start(args, format);
  char *message = format_line(format, args);
  va_end(args);
  if (err->code == 0) orr__error_set(err, ORR_E_INVALID, "%s: %s", field, message ? message : "invalid");
  if (!message) return err->code;
  orr__field_error *entry = find_field(err, field);
  if (entry) append_message(entry, message);
  if (entry || !append_field(err, field, message)) free(message);
  return err->code;
}

int orr__error_move(orr_error *dst, orr_error *src) {
  int code = src->code;
  if (dst == src) return code;
  orr__error_clear(dst);
  if (dst) {
    *dst = *src;
    *src = (orr_error)ORR_ERROR_INIT;
  } else {
    orr__error_clear(src);
  }
  return code;
}

int orr__error_copy(orr_error *dst, const orr_error *src) {
  if (!dst || dst == src) return src->code;
  orr__error_clear(dst);
  dst->code = src->code;
  dst->retryable = src->retryable;
  dst->message = src->message ? strdup(src->message) : NULL;
  for (size_t i = 0; i < src->field_count; i++) {
    char *message = strdup(src->fields[i].message);
    if (!message) break;
    if (!append_field(dst, src->fields[i].field, message)) {
      free(message);
      break;
    }
  }
  return dst->code;
}

const char *orr__error_message(const orr_error *err) {
  if (!err || err->code == 0) return "no error";
  if (err->message) return err->message;
  const code_facts *facts = find_code(err->code);
  return facts ? facts->doc : "unknown error";
}
