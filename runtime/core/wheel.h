/* Who is due when: a hierarchical timing wheel of (key, due time) entries.
 *
 * Made for a million entries that are set again and again: setting, moving and removing cost the same
 * whatever the number of entries, and an entry takes 17 bytes, up to half as much again where many are moved before
 * they are due, and 11 to 22 of index. It knows neither the clock (callers say what time it is) nor what a
 * key means, and it calls nobody.
 *
 * All times are milliseconds; any int64_t will do. */
#ifndef ORR_CORE_WHEEL_H
#define ORR_CORE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct orr__wheel orr__wheel;

typedef struct orr__due {
  uint64_t key;
  int64_t due_ms;
} orr__due;

orr__wheel *orr__wheel_new(void); /* NULL when memory runs out */
void orr__wheel_free(orr__wheel *wheel);

/* Adds the key, or moves it if it is there. 0; ORR_E_NOMEM or ORR_E_LIMIT (2^31 entries), and then nothing
 * has changed. A key that is there can always be moved: that asks for no memory. */
int orr__wheel_set(orr__wheel *wheel, uint64_t key, int64_t due_ms);
bool orr__wheel_remove(orr__wheel *wheel, uint64_t key); /* false if it was not there */
bool orr__wheel_get(const orr__wheel *wheel, uint64_t key, int64_t *ret_due_ms);
size_t orr__wheel_len(const orr__wheel *wheel);

/* Takes out up to max entries that are due at or before now_ms, in order of their due times (those of one
 * millisecond in the order they were set), and returns how many. Fewer than max: nothing more is due. An
 * entry set to a time that has been handed out before comes first. now_ms may go back, as clocks do; the
 * first call after that costs a walk over all entries. */
size_t orr__wheel_pop(orr__wheel *wheel, int64_t now_ms, orr__due *ret_due, size_t max);

/* When to call orr__wheel_pop again: never later than the first due time, INT64_MAX if there is none. It
 * may be earlier, for far entries are sorted by and by: such a call hands out nothing, and at most ten of
 * them come before the entry does. */
int64_t orr__wheel_next_ms(orr__wheel *wheel);

#endif
