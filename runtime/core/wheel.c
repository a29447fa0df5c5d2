/* The timing wheel of wheel.h.
 *
 * Deliberately does not know the clock, keys, or who waits. Times are made unsigned and seen as eleven
 * digits of base 64. `position` is the time up to which all was handed out. An entry lies on the level of
 * the highest digit in which its time differs from the position, in the slot of its own digit there:
 *
 *   position   0 0 0 0 0 0 0 5 17 40 12
 *   due        0 0 0 0 0 0 0 5 18  2 59    level 2, slot 18
 *
 * So a lower level is due before a higher one, a lower slot before a higher one, and when the position
 * reaches a slot of a higher level, its entries move down.
 *
 * With a million entries what costs is memory that is not in the cache, so a slot is a chain of chunks that are
 * filled at the end and read from the front, and whoever reads a chunk has asked for the next one and for the places of its
 * keys in the index already. An entry that is moved or removed stays where it is, marked dead; a
 * slot with more than half as many dead as living ones is packed. Invariants:
 *   - every entry of a slot is at or after the position; those set to an earlier time are `overdue`;
 *   - on level 0 all entries of a slot have the same time;
 *   - no slot with entries begins at or before the position, except on level 0;
 *   - a slot has its bit set in occupied if and only if an entry lives in it, and has no chunks otherwise;
 *   - between calls, at most half as many are dead in a slot as live in it; of its chunks only the first may
 *     be read in part and only the last be filled in part. So the chunks of chunks_for(len) are always enough, and
 *     an entry can be moved without asking for memory;
 *   - the index knows where each living entry is. */
#include "core/wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "core/wheel_index.h"

enum {
  DIGIT = 6,
  SLOTS = 1 << DIGIT,
  LEVELS = 11,
  OVERDUE = LEVELS * SLOTS, /* the chain behind those of the slots */
  PILE,                     /* between calls empty */
  HEADS,
  UNITS = 16,         /* a place is chunk * UNITS + entry */
  ENTRIES = UNITS - 1 /* of a chunk, whose own data takes the room of one */
};

#define LEN_MAX (UINT32_C(1) << 31) /* with these, places still have 32 bits */
#define SIGN (UINT64_C(1) << 63)

typedef struct wheel_chunk {
  uint32_t next; /* of its chain, or of the free ones; 0: none */
  uint16_t head;
  uint16_t dead; /* bit n: entry n is */
  uint8_t begin, end;
  orr__due entries[ENTRIES];
} wheel_chunk;

typedef struct wheel_head {
  uint32_t first, last; /* chunks, 0 where there is none */
  uint32_t live, dead;
} wheel_head;

struct orr__wheel {
  uint64_t position;
  uint64_t occupied[LEVELS];
  int64_t overdue_ms; /* no overdue entry has an earlier time */
  size_t len;
  wheel_chunk *chunks; /* number 0 is not used */
  uint32_t chunk_cap, chunks_used, first_free;
  orr__wheel_index index;
  wheel_head heads[HEADS];
};

/* Keeps the order of signed times. */
static uint64_t to_tick(int64_t ms) { return (uint64_t)ms ^ SIGN; }

static int64_t to_ms(uint64_t tick) { return (int64_t)(tick ^ SIGN); }

/* A chain of n living and at most n / 2 dead ones has at most n / 10 + 2 chunks. */
static uint64_t chunks_for(size_t len) { return 1 + len / 10 + 2 * (uint64_t)(len < HEADS ? len : HEADS) + 2; }

static bool chunks_reserve(orr__wheel *wheel, size_t len) {
  uint64_t cap = chunks_for(len);
  if (cap <= wheel->chunk_cap) return true;
  cap += cap / 8;
  wheel_chunk *chunks = realloc(wheel->chunks, cap * sizeof *chunks);
  if (!chunks) return false;
  wheel->chunks = chunks;
  wheel->chunk_cap = (uint32_t)cap;
  return true;
}

orr__wheel *orr__wheel_new(void) {
  orr__wheel *wheel = calloc(1, sizeof *wheel);
  if (!wheel) return NULL;
  wheel->chunks_used = 1;
  if (!orr__wheel_index_init(&wheel->index) || !chunks_reserve(wheel, 1)) {
    orr__wheel_free(wheel);
    return NULL;
  }
  return wheel;
}

void orr__wheel_free(orr__wheel *wheel) {
  if (!wheel) return;
  free(wheel->chunks);
  orr__wheel_index_clear(&wheel->index);
  free(wheel);
}

/* ---- chains ------------------------------------------------------------------------------------------------- */

static uint32_t chunk_take(orr__wheel *wheel, unsigned head) {
  uint32_t number = wheel->first_free;
  if (number) {
    wheel->first_free = wheel->chunks[number].next;
  } else {
    number = wheel->chunks_used++;
    assert(number < wheel->chunk_cap);
  }
  wheel_chunk *chunk = &wheel->chunks[number];
  chunk->next = 0;
  chunk->head = (uint16_t)head;
  chunk->dead = 0;
  chunk->begin = chunk->end = 0;
  return number;
}

static void chunk_free(orr__wheel *wheel, uint32_t number) {
  wheel->chunks[number].next = wheel->first_free;
  wheel->first_free = number;
}

static void set_occupied(orr__wheel *wheel, unsigned head, bool is_occupied) {
  if (head >= OVERDUE) return;
  uint64_t bit = UINT64_C(1) << (head % SLOTS);
  wheel->occupied[head / SLOTS] = (wheel->occupied[head / SLOTS] & ~bit) | (is_occupied ? bit : 0);
}

/* Puts an entry at the end of a chain and returns its place. */
static uint32_t append(orr__wheel *wheel, unsigned head_number, orr__due entry) {
  wheel_head *head = &wheel->heads[head_number];
  if (!head->last || wheel->chunks[head->last].end == ENTRIES) {
    uint32_t number = chunk_take(wheel, head_number);
    if (head->last) {
      wheel->chunks[head->last].next = number;
    } else {
      head->first = number;
    }
    head->last = number;
  }
  if (head->live++ == 0) set_occupied(wheel, head_number, true);
  wheel_chunk *chunk = &wheel->chunks[head->last];
  chunk->entries[chunk->end] = entry;
  return head->last * UNITS + chunk->end++;
}

/* The chain that a time belongs to as seen from the position. */
static unsigned head_of(orr__wheel *wheel, int64_t due_ms) {
  uint64_t tick = to_tick(due_ms), differing = tick ^ wheel->position;
  if (tick < wheel->position) {
    if (wheel->heads[OVERDUE].live == 0 || due_ms < wheel->overdue_ms) wheel->overdue_ms = due_ms;
    return OVERDUE;
  }
  unsigned level = differing ? (63u - (unsigned)__builtin_clzll(differing)) / DIGIT : 0;
  return level * SLOTS + (unsigned)(tick >> (level * DIGIT) & (SLOTS - 1));
}

/* Asks for what reading a chunk will touch: the places of its keys in the index, and the chunk behind it. */
static void prefetch(const orr__wheel *wheel, uint32_t number) {
  if (!number) return;
  const wheel_chunk *chunk = &wheel->chunks[number];
  for (unsigned i = chunk->begin; i < chunk->end; i++) orr__wheel_index_prefetch(&wheel->index, chunk->entries[i].key);
  if (!chunk->next) return;
  const char *next = (const char *)&wheel->chunks[chunk->next];
  for (size_t at = 0; at < sizeof *chunk; at += 64) __builtin_prefetch(next + at, 1);
}

/* Moves the living entries of a chain, which is taken out as a whole, to the end of where they belong, or all to one chain.
 * Room for them comes from the chunks that have been read, so both may be the same. */
static void spill(orr__wheel *wheel, unsigned from, unsigned to) {
  uint32_t number = wheel->heads[from].first;
  wheel->heads[from] = (wheel_head){ 0 };
  set_occupied(wheel, from, false);
  prefetch(wheel, number);
  while (number) {
    wheel_chunk *chunk = &wheel->chunks[number];
    uint32_t next = chunk->next;
    prefetch(wheel, next);
    for (unsigned i = chunk->begin; i < chunk->end; i++) {
      if (chunk->dead >> i & 1) continue;
      orr__due entry = chunk->entries[i];
      unsigned head = to == HEADS ? head_of(wheel, entry.due_ms) : to;
      orr__wheel_index_move(&wheel->index, entry.key, number * UNITS + i, append(wheel, head, entry));
    }
    chunk_free(wheel, number);
    number = next;
  }
}

/* Makes the invariants of a chain hold again after entries went. */
static void settle(orr__wheel *wheel, unsigned head_number) {
  wheel_head *head = &wheel->heads[head_number];
  if (head->live > 0) {
    if (head->dead > head->live / 2) spill(wheel, head_number, head_number);
    return;
  }
  for (uint32_t number = head->first, next; number; number = next) {
    next = wheel->chunks[number].next;
    chunk_free(wheel, number);
  }
  *head = (wheel_head){ 0 };
  set_occupied(wheel, head_number, false);
}

/* The entry is dead from now on; the index is the caller's business. */
static void bury(orr__wheel *wheel, uint32_t place) {
  wheel_chunk *chunk = &wheel->chunks[place / UNITS];
  chunk->dead |= (uint16_t)(1u << place % UNITS);
  wheel->heads[chunk->head].live--;
  wheel->heads[chunk->head].dead++;
  settle(wheel, chunk->head);
}

/* ---- setting and removing ----------------------------------------------------------------------------------- */

/* The place of a key, or 0. *ret_slot: where the index says so. */
static uint32_t find(const orr__wheel *wheel, uint64_t key, size_t *ret_slot) {
  size_t slot = orr__wheel_index_first(&wheel->index, key);
  uint32_t place;
  while ((place = orr__wheel_index_next(&wheel->index, key, &slot)) != 0) {
    if (wheel->chunks[place / UNITS].entries[place % UNITS].key == key) break;
    slot++;
  }
  *ret_slot = slot;
  return place;
}

int orr__wheel_set(orr__wheel *wheel, uint64_t key, int64_t due_ms) {
  size_t slot;
  uint32_t place = find(wheel, key, &slot);
  if (!place) {
    if (wheel->len >= LEN_MAX) return ORR_E_LIMIT;
    if (!chunks_reserve(wheel, wheel->len + 1)) return ORR_E_NOMEM;
    if (!orr__wheel_index_reserve(&wheel->index, wheel->len + 1)) return ORR_E_NOMEM;
    orr__wheel_index_add(&wheel->index, key, append(wheel, head_of(wheel, due_ms), (orr__due){ key, due_ms }));
    wheel->len++;
    return 0;
  }
  /* Packing may move the others of its slot, but neither this one, which is dead, nor slots of the index. */
  bury(wheel, place);
  orr__wheel_index_put(&wheel->index, slot, append(wheel, head_of(wheel, due_ms), (orr__due){ key, due_ms }));
  return 0;
}

bool orr__wheel_remove(orr__wheel *wheel, uint64_t key) {
  size_t slot;
  uint32_t place = find(wheel, key, &slot);
  if (!place) return false;
  orr__wheel_index_remove(&wheel->index, slot);
  wheel->len--;
  bury(wheel, place);
  return true;
}

bool orr__wheel_get(const orr__wheel *wheel, uint64_t key, int64_t *ret_due_ms) {
  size_t slot;
  uint32_t place = find(wheel, key, &slot);
  if (place && ret_due_ms) *ret_due_ms = wheel->chunks[place / UNITS].entries[place % UNITS].due_ms;
  return place != 0;
}

size_t orr__wheel_len(const orr__wheel *wheel) { return wheel->len; }

/* ---- time goes on ------------------------------------------------------------------------------------------- */

/* The first slot with entries and the tick at which it begins; false if there is none. */
static bool first_slot(const orr__wheel *wheel, unsigned *ret_level, unsigned *ret_head, uint64_t *ret_tick) {
  for (unsigned level = 0; level < LEVELS; level++) {
    if (!wheel->occupied[level]) continue;
    unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]), shift = level * DIGIT;
    uint64_t above = shift + DIGIT < 64 ? wheel->position >> (shift + DIGIT) << (shift + DIGIT) : 0;
    *ret_level = level;
    *ret_head = level * SLOTS + slot;
    *ret_tick = above | (uint64_t)slot << shift;
    return true;
  }
  return false;
}

/* The clock went back: every entry gets its place as seen from the earlier position. They are piled up first, for then
 * the chains that are read and those that are filled do not need their half-empty chunks at the same time. */
static void rewind_to(orr__wheel *wheel, uint64_t tick) {
  for (unsigned head = 0; head <= OVERDUE; head++) spill(wheel, head, PILE);
  wheel->position = tick;
  spill(wheel, PILE, HEADS);
}

/* Hands out the first entries of a chain, at most max. */
static size_t take_first(orr__wheel *wheel, unsigned head_number, orr__due *ret_due, size_t max) {
  wheel_head *head = &wheel->heads[head_number];
  size_t count = 0;
  prefetch(wheel, head->first);
  while (count < max && head->live > 0) {
    uint32_t number = head->first;
    wheel_chunk *chunk = &wheel->chunks[number];
    prefetch(wheel, chunk->next);
    for (; chunk->begin < chunk->end && count < max; chunk->begin++) {
      unsigned i = chunk->begin;
      if (chunk->dead >> i & 1) {
        head->dead--;
        continue;
      }
      ret_due[count++] = chunk->entries[i];
      size_t slot = orr__wheel_index_at(&wheel->index, chunk->entries[i].key, number * UNITS + i);
      orr__wheel_index_remove(&wheel->index, slot);
      head->live--;
    }
    if (chunk->begin < chunk->end) break;
    head->first = chunk->next;
    if (!head->first) head->last = 0;
    chunk_free(wheel, number);
  }
  wheel->len -= count;
  settle(wheel, head_number);
  return count;
}

size_t orr__wheel_pop(orr__wheel *wheel, int64_t now_ms, orr__due *ret_due, size_t max) {
  uint64_t now = to_tick(now_ms), tick;
  size_t count = 0;
  unsigned level, head;
  if (now < wheel->position) rewind_to(wheel, now);
  while (count < max) {
    if (wheel->heads[OVERDUE].live > 0) {
      count += take_first(wheel, OVERDUE, ret_due + count, max - count);
    } else if (!first_slot(wheel, &level, &head, &tick) || tick > now) {
      wheel->position = now;
      break;
    } else if (level == 0) {
      wheel->position = tick;
      count += take_first(wheel, head, ret_due + count, max - count);
    } else {
      assert(tick > wheel->position);
      wheel->position = tick;
      spill(wheel, head, HEADS);
    }
  }
  return count;
}

int64_t orr__wheel_next_ms(orr__wheel *wheel) {
  uint64_t tick;
  unsigned level, head;
  if (wheel->heads[OVERDUE].live > 0) return wheel->overdue_ms;
  return first_slot(wheel, &level, &head, &tick) ? to_ms(tick) : INT64_MAX;
}
