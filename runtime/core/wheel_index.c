/* The index of a timing wheel: how it begins, grows and ends. What finds and changes slots is in the header. */
#include "core/wheel_index.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 256 };

bool orr__wheel_index_init(orr__wheel_index *index) {
  index->slots = calloc(FIRST_SLOTS, sizeof *index->slots);
  index->mask = FIRST_SLOTS - 1;
  return index->slots != NULL;
}

void orr__wheel_index_clear(orr__wheel_index *index) {
  free(index->slots);
  *index = (orr__wheel_index){ 0 };
}

bool orr__wheel_index_reserve(orr__wheel_index *index, size_t len) {
  size_t cap = index->mask + 1;
  if (len <= cap / 4 * 3) return true;
  uint64_t *slots = calloc(cap * 2, sizeof *slots);
  if (!slots) return false;
  size_t mask = cap * 2 - 1;
  for (size_t i = 0; i < cap; i++) {
    if (!index->slots[i]) continue;
    size_t slot = (size_t)(index->slots[i] >> 32) & mask;
    while (slots[slot]) slot = (slot + 1) & mask;
    slots[slot] = index->slots[i];
  }
  free(index->slots);
  *index = (orr__wheel_index){ slots, mask };
  return true;
}
