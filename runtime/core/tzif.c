/* Reading TZif bytes into a table of offsets.
 *
 * Deliberately does not trust the bytes: every count is checked against the length before it is used, and
 * times must ascend. Leap-second files are refused, because Unix time has no leap seconds. After the last
 * transition of the file the footer's rule is written out for one cycle of the calendar, so that looking
 * up a far year costs no more than a near one. */
#include "core/tzif.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { HEADER = 44, TYPE_SIZE = 6, OFFSET_MAX_S = 26 * 3600, CYCLE_YEARS = 400 };

#define CYCLE_MS (INT64_C(146097) * 86400000)

typedef struct tz_block {
  uint32_t ut_count, std_count, leap_count, time_count, type_count, char_count;
  size_t time_size; /* 4 or 8 bytes a time */
  const uint8_t *times, *indexes, *types;
  const uint8_t *end;
} tz_block;

void orr__tz_table_clear(orr__tz_table *table) {
  free(table->entries);
  *table = (orr__tz_table){ 0 };
}

int orr__tz_table_add(orr__tz_table *table, int64_t at_ms, int64_t offset_ms) {
  if (table->len == 0) at_ms = INT64_MIN;
  assert(table->len == 0 || at_ms >= table->entries[table->len - 1].at_ms);
  if (table->len > 0 && table->entries[table->len - 1].at_ms == at_ms) table->len--;
  if (table->len > 0 && table->entries[table->len - 1].offset_ms == offset_ms) return 0;
  if (table->len == table->cap) {
    size_t cap = table->cap ? table->cap * 2 : 16;
    orr__tz_entry *entries = realloc(table->entries, cap * sizeof *entries);
    if (!entries) return ORR_E_NOMEM;
    table->entries = entries;
    table->cap = cap;
  }
  table->entries[table->len++] = (orr__tz_entry){ at_ms, offset_ms };
  return 0;
}

static uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_time(const uint8_t *at, size_t size) {
  if (size == 4) return (int32_t)read_u32(at);
  return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* Finds the parts of the block that starts at `at`; false if it does not fit. */
static bool read_block(const uint8_t *at, const uint8_t *end, size_t time_size, tz_block *ret) {
  if ((size_t)(end - at) < HEADER || memcmp(at, "TZif", 4) != 0) return false;
  tz_block b = { .ut_count = read_u32(at + 20),
                 .std_count = read_u32(at + 24),
                 .leap_count = read_u32(at + 28),
                 .time_count = read_u32(at + 32),
                 .type_count = read_u32(at + 36),
                 .char_count = read_u32(at + 40),
                 .time_size = time_size };
  uint64_t size = (uint64_t)b.time_count * (time_size + 1) + (uint64_t)b.type_count * TYPE_SIZE + b.char_count +
                  (uint64_t)b.leap_count * (time_size + 4) + b.std_count + b.ut_count;
  if (size > (size_t)(end - at) - HEADER || b.type_count == 0 || b.type_count > 256) return false;
  b.times = at + HEADER;
  b.indexes = b.times + (size_t)b.time_count * time_size;
  b.types = b.indexes + b.time_count;
  b.end = at + HEADER + size;
  *ret = b;
  return true;
}

static bool type_offset(const tz_block *block, size_t type, int64_t *ret_s) {
  if (type >= block->type_count) return false;
  int32_t offset = (int32_t)read_u32(block->types + type * TYPE_SIZE);
  if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S) return false;
  *ret_s = offset;
  return true;
}

/* 0, CORRUPT or NOMEM. *ret_last_s is the time of the last transition, INT64_MIN without any. */
static int add_transitions(const tz_block *block, orr__tz_table *table, int64_t *ret_last_s) {
  int64_t offset_s, last_s = INT64_MIN;
  /* Type 0 holds before the first transition. */
  if (!type_offset(block, 0, &offset_s)) return ORR_E_CORRUPT;
  int rc = orr__tz_table_add(table, INT64_MIN, offset_s * 1000);
  for (size_t i = 0; i < block->time_count && rc == 0; i++) {
    int64_t at_s = read_time(block->times + i * block->time_size, block->time_size);
    if ((i > 0 && at_s <= last_s) || !type_offset(block, block->indexes[i], &offset_s)) return ORR_E_CORRUPT;
    last_s = at_s;
    /* Some files begin with the Big Bang, which milliseconds cannot tell. */
    int64_t at_ms = at_s < INT64_MIN / 1000 ? INT64_MIN : at_s > INT64_MAX / 1000 ? INT64_MAX : at_s * 1000;
    rc = orr__tz_table_add(table, at_ms, offset_s * 1000);
  }
  *ret_last_s = last_s;
  return rc;
}

static int add_if_later(orr__tz_table *table, int64_t last_s, int64_t at_s, int64_t offset_s) {
  if (at_s <= last_s) return 0;
  if (at_s * 1000 < table->entries[table->len - 1].at_ms) return ORR_E_CORRUPT;
  return orr__tz_table_add(table, at_s * 1000, offset_s * 1000);
}

/* Writes the rule out from the last transition on, for one cycle and a little more. */
static int add_rule(orr__tz_table *table, const orr__tz_rule *rule, int64_t last_s) {
  const int64_t far_s = INT64_C(100000) * 366 * 86400;
  if (!rule->has_dst || last_s > far_s) return 0;
  int64_t year = 1900;
  int month, day;
  if (last_s > -far_s) orr__civil_from_days(last_s / 86400, &year, &month, &day);
  size_t first = table->len;
  int rc = 0;
  for (int64_t y = year - 1; y <= year + CYCLE_YEARS + 4 && rc == 0; y++) {
    int64_t starts_s, ends_s;
    orr__tz_rule_year(rule, y, &starts_s, &ends_s);
    bool is_north = starts_s <= ends_s;
    rc = add_if_later(table, last_s, is_north ? starts_s : ends_s, is_north ? rule->dst_s : rule->std_s);
    if (rc == 0) rc = add_if_later(table, last_s, is_north ? ends_s : starts_s, is_north ? rule->std_s : rule->dst_s);
  }
  /* The first changes of the rule may still differ from what comes before them in later cycles. A rule
   * that is summer time all year leaves no changes behind and repeats nothing. */
  size_t cycle_from = first + 3;
  if (rc == 0 && table->len > cycle_from + 2 * CYCLE_YEARS) {
    table->cycle_from = cycle_from;
    table->cycle_ms = CYCLE_MS;
  }
  return rc;
}

/* The footer stands between two newlines. Empty, or absent in version 1: the last offset stays. */
static int add_footer(orr__tz_table *table, const uint8_t *at, const uint8_t *end, int64_t last_s) {
  if (at >= end || *at != '\n') return ORR_E_CORRUPT;
  at++;
  const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
  if (!newline) return ORR_E_CORRUPT;
  if (newline == at) return 0;
  orr__tz_rule rule;
  if (!orr__tz_rule_parse((const char *)at, (size_t)(newline - at), &rule)) return ORR_E_CORRUPT;
  return add_rule(table, &rule, last_s);
}

int orr__tzif_parse(const void *bytes, size_t len, orr__tz_table *ret_table, orr_error *reterr) {
  const uint8_t *at = bytes, *end = at + len;
  orr__tz_table table = { 0 };
  tz_block block;
  int64_t last_s = INT64_MIN;
  int rc = ORR_E_CORRUPT;
  if (!read_block(at, end, 4, &block)) goto done;
  bool has_footer = at[4] >= '2';
  if (has_footer && !read_block(block.end, end, 8, &block)) goto done;
  if (block.leap_count > 0) {
    rc = orr__error_set(reterr, ORR_E_CORRUPT, "it counts leap seconds");
    goto cleared;
  }
  rc = add_transitions(&block, &table, &last_s);
  if (rc == 0 && has_footer) rc = add_footer(&table, block.end, end, last_s);
done:
  if (rc == ORR_E_CORRUPT) orr__error_set(reterr, rc, "it is damaged or no TZif file");
  if (rc == ORR_E_NOMEM) orr__error_set(reterr, rc, "out of memory");
cleared:
  if (rc == 0) {
    *ret_table = table;
  } else {
    orr__tz_table_clear(&table);
  }
  return rc;
}
