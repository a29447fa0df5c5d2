/* The hash table of map.h: open addressing with linear probing over 16-byte slots.
 *
 * Deliberately does not know what the values are. Invariants: at most three quarters of the slots are
 * used, so every probe ends at a free one; a slot is free if its value is NULL and deleted if it is the
 * tombstone; a NULL put by the caller is stored as NULL_VALUE. Removing never moves an entry, which is
 * what lets a walk remove. */
#include "base/map.h"

#include <stdlib.h>

#include "base/error.h"

enum { FIRST_CAP = 8 };

struct orr__map_slot {
  uint64_t key;
  void *value;
};

/* Only their addresses matter. */
static const char sentinels[2];
#define TOMBSTONE ((void *)&sentinels[0])
#define NULL_VALUE ((void *)&sentinels[1])

/* Ids are consecutive numbers; this spreads them over all bits (the finalizer of splitmix64). */
static uint64_t spread(uint64_t key) {
  key ^= key >> 30;
  key *= UINT64_C(0xbf58476d1ce4e5b9);
  key ^= key >> 27;
  key *= UINT64_C(0x94d049bb133111eb);
  return key ^ key >> 31;
}

static bool is_live(const struct orr__map_slot *slot) {
  return slot->value && slot->value != TOMBSTONE;
}

static void *outside(void *stored) {
  return stored == NULL_VALUE ? NULL : stored;
}

static struct orr__map_slot *find(const orr__map *map, uint64_t key) {
  if (map->cap == 0) return NULL;
  for (size_t i = spread(key) & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
    struct orr__map_slot *slot = &map->slots[i];
    if (!slot->value) return NULL;
    if (slot->key == key && slot->value != TOMBSTONE) return slot;
  }
}

void orr__map_init(orr__map *map) {
  *map = (orr__map){0};
}

void orr__map_clear(orr__map *map) {
  if (!map) return;
  free(map->slots);
  *map = (orr__map){0};
}

/* For a key known to be absent, in a table known to have room. */
static void insert(orr__map *map, uint64_t key, void *stored) {
  size_t i = spread(key) & (map->cap - 1);
  while (is_live(&map->slots[i])) i = (i + 1) & (map->cap - 1);
  if (!map->slots[i].value) map->used++;
  map->slots[i] = (struct orr__map_slot){key, stored};
  map->len++;
}

/* Rebuilds without tombstones, with room for twice the live entries. */
static bool rebuild(orr__map *map) {
  size_t cap = FIRST_CAP;
  while (cap / 2 <= map->len) {
    if (cap > SIZE_MAX / 2 / sizeof(struct orr__map_slot)) return false;
    cap *= 2;
  }
  struct orr__map_slot *slots = calloc(cap, sizeof *slots);
  if (!slots) return false;
  orr__map fresh = {.slots = slots, .cap = cap};
  for (size_t i = 0; i < map->cap; i++)
    if (is_live(&map->slots[i])) insert(&fresh, map->slots[i].key, map->slots[i].value);
  free(map->slots);
  *map = fresh;
  return true;
}

int orr__map_put(orr__map *map, uint64_t key, void *value) {
  void *stored = value ? value : NULL_VALUE;
  struct orr__map_slot *slot = find(map, key);
  if (slot) {
    slot->value = stored;
    return 0;
  }
  if (map->used + 1 > map->cap / 4 * 3 && !rebuild(map)) return ORR_E_NOMEM;
  insert(map, key, stored);
  return 0;
}

void *orr__map_get(const orr__map *map, uint64_t key) {
  const struct orr__map_slot *slot = find(map, key);
  return slot ? outside(slot->value) : NULL;
}

void *orr__map_remove(orr__map *map, uint64_t key) {
  struct orr__map_slot *slot = find(map, key);
  if (!slot) return NULL;
  void *value = outside(slot->value);
  slot->value = TOMBSTONE;
  map->len--;
  return value;
}

bool orr__map_next(const orr__map *map, size_t *pos, uint64_t *ret_key, void **ret_value) {
  while (*pos < map->cap) {
    const struct orr__map_slot *slot = &map->slots[(*pos)++];
    if (!is_live(slot)) continue;
    if (ret_key) *ret_key = slot->key;
    if (ret_value) *ret_value = outside(slot->value);
    return true;
  }
  return false;
}
