/* From the text of a schedule to its value, or to the column of the fault.
 *
 * Deliberately does not know when anything fires. Every error is reported by fault() with the place the
 * reader stopped at, so that a message can point into what the user wrote. */
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "core/cron.h"

enum { TEXT_MAX = 256 };

#define EVERY_MAX_MS (INT64_C(3650) * 86400000)
#define JITTER_MAX_S 1e9

typedef struct cron_reader {
  const char *text, *at;
  uint64_t seed;
  orr_error *reterr;
} cron_reader;

typedef struct cron_field {
  const char *name;
  int min, max;
  const char *names; /* three letters each, or NULL */
  int first_name;    /* the value of the first one */
  const char *expected;
} cron_field;

/* What a field, or a part of it so far, comes to. */
typedef struct field_value {
  uint64_t bits;
  bool has_star;   /* it restricts nothing, or stands for a `*` with a step */
  bool has_picked; /* an H is in it */
  bool has_step;   /* one over all of the field is in it */
  bool is_list;
} field_value;

static const cron_field fields[ORR__CRON_FIELDS] = {
  { "minute", 0, 59, NULL, 0, "0-59" },
  { "hour", 0, 23, NULL, 0, "0-23" },
  { "day of month", 1, 31, NULL, 0, "1-31" },
  { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1, "1-12 or JAN-DEC" },
  { "day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0, "0-7 or SUN-SAT" },
};

static const struct {
  const char *word, *expression;
} names[] = {
  { "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
  { "@daily", "0 0 * * *" },  { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
};

enum { NAMES = sizeof names / sizeof *names };

__attribute__((format(printf, 3, 4))) static int fault(const cron_reader *r, const char *at, const char *format, ...) {
  if (!r->reterr) return ORR_E_INVALID;
  va_list args;
  va_start(args, format);
  orr_error why = ORR_ERROR_INIT;
  orr__error_setv(&why, ORR_E_INVALID, format, args);
  va_end(args);
  orr__error_set(r->reterr, ORR_E_INVALID, "'%s' is no schedule: column %d: %s", r->text, (int)(at - r->text) + 1,
                 orr__error_message(&why));
  orr__error_clear(&why);
  return ORR_E_INVALID;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_end(char c) { return c == '\0' || c == ' ' || c == '\t'; }

/* Ignoring the case of ASCII letters whatever the host's locale; b holds letters and @ only. */
static bool is_same_word(const char *a, const char *b, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (a[i] != b[i] && !(is_letter(a[i]) && (a[i] | 32) == (b[i] | 32))) return false;
  return true;
}

/* Bytes of the character at `at`, so that a message never holds half of one. */
static int char_len(const char *at) {
  int len = 1;
  while (len < 4 && (at[len] & 0xc0) == 0x80) len++;
  return len;
}

static void skip_blanks(cron_reader *r) {
  while (*r->at == ' ' || *r->at == '\t') r->at++;
}

/* Digits at r->at; what is too large for any use becomes max + 1. */
static int64_t read_number(cron_reader *r, int64_t max) {
  int64_t value = 0;
  for (; is_digit(*r->at); r->at++) {
    if (value <= max) value = value * 10 + (*r->at - '0');
  }
  return value <= max ? value : max + 1;
}

static int read_name(cron_reader *r, const cron_field *field, int *ret) {
  const char *start = r->at;
  while (is_letter(*r->at)) r->at++;
  size_t len = (size_t)(r->at - start);
  for (int i = 0; field->names && len == 3 && i < (int)strlen(field->names) / 3; i++) {
    if (!is_same_word(start, field->names + i * 3, 3)) continue;
    *ret = field->first_name + i;
    return 0;
  }
  return fault(r, start, "'%.*s' is no %s: that is %s", (int)(len < 20 ? len : 20), start, field->name,
               field->expected);
}

static int read_value(cron_reader *r, const cron_field *field, int *ret) {
  const char *start = r->at;
  if (is_letter(*start)) return read_name(r, field, ret);
  if (!is_digit(*start)) {
    if (is_end(*start)) return fault(r, start, "%s is missing: that is %s", field->name, field->expected);
    return fault(r, start, "'%.*s' is no %s: that is *, %s, or a list of them", char_len(start), start, field->name,
                 field->expected);
  }
  int64_t value = read_number(r, 999);
  if (value < field->min || value > field->max) return fault(r, start, "%s is %s", field->name, field->expected);
  *ret = (int)value;
  return 0;
}

static int read_step(cron_reader *r, const cron_field *field, int *ret) {
  int most = field->max - field->min + 1;
  const char *start = ++r->at;
  int64_t step = is_digit(*start) ? read_number(r, 999) : 0;
  if (step < 1 || step > most) return fault(r, start, "a step of %s is a number from 1 to %d", field->name, most);
  *ret = (int)step;
  return 0;
}

/* ---- H ------------------------------------------------------------------------------------------------------ */

/* The finisher of SplitMix64: near seeds come out far apart. */
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* 0 to size - 1; what is picked for one purpose says nothing of the others. */
static uint64_t pick(uint64_t seed, unsigned purpose, uint64_t size) {
  return mix(seed + (purpose + 1) * UINT64_C(0x9e3779b97f4a7c15)) % size;
}

uint64_t orr__cron_seed(const char *uuid) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (const char *c = uuid ? uuid : ""; *c; c++) hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  return mix(hash);
}

int64_t orr__jitter_ms(uint64_t seed, double seconds) {
  if (!(seconds >= 0.001)) return 0; /* nor for what is no number */
  double limit_ms = seconds < JITTER_MAX_S ? seconds * 1000 : JITTER_MAX_S * 1000;
  return (int64_t)pick(seed, ORR__CRON_FIELDS, (uint64_t)limit_ms);
}

static bool is_picked(const char *at) { return (*at == 'H' || *at == 'h') && !is_letter(at[1]); }

/* The b of a range a-b, which began at `start`. */
static int read_range_end(cron_reader *r, const cron_field *field, const char *start, int first, int *ret_last) {
  r->at++;
  int rc = read_value(r, field, ret_last);
  if (rc != 0) return rc;
  if (field == &fields[ORR__CRON_WEEKDAY] && *ret_last == 0 && first > 0) *ret_last = 7; /* FRI-SUN */
  if (*ret_last >= first) return 0;
  return fault(r, start, "the range of %s runs backwards; write two, with a comma", field->name);
}

/* H, H(a-b), and either with a step. */
static int read_picked(cron_reader *r, const cron_field *field, field_value *ret) {
  int index = (int)(field - fields);
  int first = field->min, last = index == ORR__CRON_DAY ? 28 : index == ORR__CRON_WEEKDAY ? 6 : field->max;
  int rc = 0, step = 0;
  bool has_range = *++r->at == '(';
  if (has_range) {
    const char *range = ++r->at;
    rc = read_value(r, field, &first);
    if (rc != 0) return rc;
    if (*r->at != '-') return fault(r, r->at, "H picks from a range, as in H(%d-%d)", first, field->max);
    rc = read_range_end(r, field, range, first, &last);
    if (rc != 0) return rc;
    if (*r->at != ')') return fault(r, r->at, "the range of H ends with )");
    r->at++;
  }
  int number = last - first + 1;
  if (*r->at == '/') {
    const char *start = r->at + 1;
    rc = read_step(r, field, &step);
    if (rc != 0) return rc;
    if (step == 1) return fault(r, start, "a step of H is at least 2; every %s is *", field->name);
    if (step > number) return fault(r, start, "the step is longer than the range that H picks from");
    number = step;
  }
  ret->has_picked = true;
  ret->has_step = ret->has_step || (step && !has_range);
  ret->has_star = ret->has_star || (step && !has_range && index <= ORR__CRON_HOUR);
  int value = first + (int)pick(r->seed, (unsigned)index, (uint64_t)number);
  for (; value <= last; value += step ? step : last + 1) ret->bits |= UINT64_C(1) << value;
  return 0;
}

/* `*`, a value or a range, and its step; or H. */
static int read_term(cron_reader *r, const cron_field *field, field_value *ret) {
  int first = field->min, last = field->max, step = 1, rc = 0;
  const char *start = r->at;
  bool is_range = true;
  if (is_picked(r->at)) return read_picked(r, field, ret);
  if (*r->at == '*') {
    ret->has_star = true;
    r->at++;
  } else {
    rc = read_value(r, field, &first);
    if (rc != 0) return rc;
    last = first;
    is_range = *r->at == '-';
    if (is_range) rc = read_range_end(r, field, start, first, &last);
    if (rc != 0) return rc;
  }
  if (*r->at == '/') {
    if (!is_range) return fault(r, r->at, "a step needs * or a range before it, as in %d-%d/2", first, field->max);
    rc = read_step(r, field, &step);
    if (rc != 0) return rc;
  }
  int end = field == &fields[ORR__CRON_WEEKDAY] ? 6 : field->max;
  ret->has_step = ret->has_step || (step > 1 && first == field->min && last >= end);
  for (int value = first; value <= last; value += step) ret->bits |= UINT64_C(1) << value;
  return 0;
}

static int read_field(cron_reader *r, const cron_field *field, field_value *ret) {
  *ret = (field_value){ 0 };
  for (;;) {
    int rc = read_term(r, field, ret);
    if (rc != 0) return rc;
    if (is_end(*r->at)) return 0;
    if (*r->at != ',')
      return fault(r, r->at, "'%.*s' cannot follow here: after a %s comes a comma or a blank", char_len(r->at), r->at,
                   field->name);
    r->at++;
    ret->is_list = true;
  }
}

static int read_fields(cron_reader *r, orr__cron *ret_cron) {
  field_value values[ORR__CRON_FIELDS];
  unsigned picked = 0, stepped = 0;
  for (int i = 0; i < ORR__CRON_FIELDS; i++) {
    skip_blanks(r);
    if (*r->at == '\0')
      return fault(r, r->at, "%s is missing: the fields are minute, hour, day of month, month, day of week",
                   fields[i].name);
    int rc = read_field(r, &fields[i], &values[i]);
    if (rc != 0) return rc;
    picked |= (unsigned)values[i].has_picked << i;
    stepped |= (unsigned)(values[i].has_step && !values[i].is_list) << i;
  }
  skip_blanks(r);
  if (*r->at != '\0') return fault(r, r->at, "nothing can follow the five fields (seconds are not supported)");
  uint64_t weekdays = values[ORR__CRON_WEEKDAY].bits;
  *ret_cron = (orr__cron){
    .minutes = values[ORR__CRON_MINUTE].bits,
    .hours = (uint32_t)values[ORR__CRON_HOUR].bits,
    .days = (uint32_t)values[ORR__CRON_DAY].bits,
    .months = (uint16_t)values[ORR__CRON_MONTH].bits,
    .weekdays = (weekdays | weekdays >> 7) & 0x7f, /* 7 is Sunday too */
    .is_either_day = !values[ORR__CRON_DAY].has_star && !values[ORR__CRON_WEEKDAY].has_star,
    .is_elapsed = values[ORR__CRON_MINUTE].has_star || values[ORR__CRON_HOUR].has_star,
    .picked = (uint8_t)picked,
    .stepped = (uint8_t)stepped,
  };
  return 0;
}

/* 1h30m: units from large to small, each once. */
static int read_every(cron_reader *r, orr__cron *ret_cron) {
  static const char units[] = "dhms";
  static const int64_t unit_ms[] = { 86400000, 3600000, 60000, 1000 };
  skip_blanks(r);
  const char *start = r->at;
  int last_unit = -1;
  int64_t total_ms = 0;
  if (*start == '\0') return fault(r, start, "an interval is missing, such as 15m or 1h30m");
  while (!is_end(*r->at)) {
    const char *number = r->at;
    if (!is_digit(*number))
      return fault(r, number, "'%.*s' is no number: an interval is written like 15m or 1h30m", char_len(number),
                   number);
    int64_t count = read_number(r, EVERY_MAX_MS / 1000);
    const char *found = *r->at ? strchr(units, *r->at) : NULL;
    if (!found) return fault(r, r->at, "a unit is missing: d, h, m or s");
    int unit = (int)(found - units);
    if (unit <= last_unit) return fault(r, r->at, "units go from large to small, each once: d h m s");
    last_unit = unit;
    total_ms += count * unit_ms[unit];
    if (total_ms > EVERY_MAX_MS) return fault(r, start, "an interval is at most 3650d");
    r->at++;
  }
  if (total_ms < 1000) return fault(r, start, "an interval is at least 1s");
  skip_blanks(r);
  if (*r->at != '\0') return fault(r, r->at, "nothing can follow the interval");
  *ret_cron = (orr__cron){ .every_ms = total_ms };
  return 0;
}

static const char *word_at(void *arg, size_t i) {
  (void)arg;
  return i < NAMES ? names[i].word : i == NAMES ? "@every" : NULL;
}

static int read_word(cron_reader *r, orr__cron *ret_cron) {
  const char *start = r->at;
  while (!is_end(*r->at)) r->at++;
  char word[TEXT_MAX + 1];
  size_t len = (size_t)(r->at - start);
  memcpy(word, start, len);
  word[len] = '\0';
  if (len == 6 && is_same_word(word, "@every", len)) return read_every(r, ret_cron);
  skip_blanks(r);
  for (int i = 0; i < NAMES; i++) {
    if (strlen(names[i].word) != len || !is_same_word(word, names[i].word, len)) continue;
    if (*r->at != '\0') return fault(r, r->at, "nothing can follow %s", names[i].word);
    cron_reader expression = { names[i].expression, names[i].expression, 0, NULL };
    return read_fields(&expression, ret_cron);
  }
  const char *near = orr__nearest(word, word_at, NULL);
  if (near) return fault(r, start, "there is no %s; did you mean %s?", word, near);
  return fault(r, start, "there is no %s, only @yearly @monthly @weekly @daily @hourly and @every", word);
}

int orr__cron_parse(const char *text, uint64_t seed, orr__cron *ret_cron, orr_error *reterr) {
  if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
    return orr__error_set(reterr, ORR_E_INVALID, "a schedule has at most %d characters", TEXT_MAX);
  cron_reader r = { text, text, seed, reterr };
  skip_blanks(&r);
  return *r.at == '@' ? read_word(&r, ret_cron) : read_fields(&r, ret_cron);
}
