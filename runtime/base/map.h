/* A hash table from 64-bit keys (ids) to pointers. Open addressing, grows by doubling; iteration order
 * is unspecified. The table borrows the values. Zero is a valid key. */
#ifndef ORR_BASE_MAP_H
#define ORR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct orr__map {
  struct orr__map_slot *slots;
  size_t cap;   /* a power of two, or 0 */
  size_t len;   /* live entries */
  size_t used;  /* live and deleted slots */
} orr__map;

void orr__map_init(orr__map *map);
void orr__map_clear(orr__map *map);
int orr__map_put(orr__map *map, uint64_t key, void *value); /* 0 or ORR_E_NOMEM; replaces */
void *orr__map_get(const orr__map *map, uint64_t key);      /* NULL if absent */
void *orr__map_remove(orr__map *map, uint64_t key);         /* what was there, or NULL */
/* Walks the entries: start with *pos = 0; false at the end. Do not put while walking; removing is fine. */
bool orr__map_next(const orr__map *map, size_t *pos, uint64_t *ret_key, void **ret_value);

#endif
