/* Where in a timing wheel is the entry of a key? Only for wheel.c.
 *
 * A hash table with linear probing of places, which are numbers other than 0 that the wheel understands. A slot holds 32
 * bits of the key's hash beside the place, so that passing by others' slots and moving them touches no entry;
 * removing moves later ones back, so there are no tombstones. Everything here is called for each entry that comes
 * due, so all but growing is in line. */
#ifndef ORR_CORE_WHEEL_INDEX_H
#define ORR_CORE_WHEEL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct orr__wheel_index {
  uint64_t *slots; /* hash << 32 | place; 0 where free */
  size_t mask;     /* their number, a power of two, less one; at most three quarters are in use */
} orr__wheel_index;

bool orr__wheel_index_init(orr__wheel_index *index);
void orr__wheel_index_clear(orr__wheel_index *index);
/* Makes room for so many; false, and nothing has changed, when memory runs out. */
bool orr__wheel_index_reserve(orr__wheel_index *index, size_t len);

static inline uint32_t orr__wheel_hash(uint64_t key) {
  key ^= key >> 32;
  key *= UINT64_C(0x9e3779b97f4a7c15);
  return (uint32_t)(key >> 32 ^ key);
}

/* Where to begin to look for a key. */
static inline size_t orr__wheel_index_first(const orr__wheel_index *index, uint64_t key) {
  return orr__wheel_hash(key) & index->mask;
}

static inline void orr__wheel_index_prefetch(const orr__wheel_index *index, uint64_t key) {
  __builtin_prefetch(&index->slots[orr__wheel_hash(key) & index->mask], 1);
}

/* From *slot on, the first place that may be the key's, or 0 if there is none; *slot is then where it is, or the free one. */
static inline uint32_t orr__wheel_index_next(const orr__wheel_index *index, uint64_t key, size_t *slot) {
  uint32_t hash = orr__wheel_hash(key);
  *slot &= index->mask;
  while (index->slots[*slot] && index->slots[*slot] >> 32 != hash) *slot = (*slot + 1) & index->mask;
  return (uint32_t)index->slots[*slot];
}

/* The slot of a key that is known to be at a place. */
static inline size_t orr__wheel_index_at(const orr__wheel_index *index, uint64_t key, uint32_t place) {
  size_t slot = orr__wheel_index_first(index, key);
  while ((uint32_t)index->slots[slot] != place) slot = (slot + 1) & index->mask;
  return slot;
}

/* The key of a slot has another place now. */
static inline void orr__wheel_index_put(orr__wheel_index *index, size_t slot, uint32_t place) {
  index->slots[slot] = index->slots[slot] >> 32 << 32 | place;
}

static inline void orr__wheel_index_move(orr__wheel_index *index, uint64_t key, uint32_t from, uint32_t to) {
  orr__wheel_index_put(index, orr__wheel_index_at(index, key, from), to);
}

/* Adds a key that is not there. */
static inline void orr__wheel_index_add(orr__wheel_index *index, uint64_t key, uint32_t place) {
  size_t slot = orr__wheel_index_first(index, key);
  while (index->slots[slot]) slot = (slot + 1) & index->mask;
  index->slots[slot] = (uint64_t)orr__wheel_hash(key) << 32 | place;
}

/* Empties a slot and moves back those behind it that would no longer be found. */
static inline void orr__wheel_index_remove(orr__wheel_index *index, size_t hole) {
  for (size_t at = (hole + 1) & index->mask; index->slots[at]; at = (at + 1) & index->mask) {
    size_t home = (size_t)(index->slots[at] >> 32) & index->mask;
    if (((at - home) & index->mask) < ((at - hole) & index->mask)) continue;
    index->slots[hole] = index->slots[at];
    hole = at;
  }
  index->slots[hole] = 0;
}

#endif
