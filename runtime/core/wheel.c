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
 * reaches a slot of a higher level, its entries move down. Invariants:
 *   - every entry of a slot is at or after the position; those set to an earlier time are `overdue`;
 *   - on level 0 all entries of a slot have the same time;
 *   - no slot with entries begins at or before the position, except on level 0;
 *   - a slot with entries has its bit set in occupied; a bit without entries is cleared when met.
 * Entries are nodes of one array, chained by index into circular lists; the first nodes are the heads of
 * the slots, so taking an entry out needs no knowledge of where it is. The index is a hash table of node
 * numbers with linear probing; removing moves later ones back, so there are no tombstones. */
#include "core/wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
  DIGIT = 6,
  SLOTS = 1 << DIGIT,
  LEVELS = 11,
  OVERDUE = LEVELS * SLOTS, /* the head behind those of the slots */
  HEADS = OVERDUE + 1,
  FIRST_NODES = 1024,
  FIRST_INDEX = 256
};

#define NODES_MAX (UINT32_C(1) << 31)
#define SIGN (UINT64_C(1) << 63)

typedef struct wheel_node {
  uint64_t key;
  int64_t due_ms;
  uint32_t next, previous; /* of a free node: next is the next free one, or 0 */
} wheel_node;

struct orr__wheel {
  uint64_t position;
  uint64_t occupied[LEVELS];
  int64_t overdue_ms; /* no overdue entry has an earlier time */
  wheel_node *nodes;
  uint32_t node_cap, nodes_used, first_free; /* nodes_used: ever used; first_free 0: none */
  uint32_t *index;                           /* node numbers, 0 where free */
  size_t index_cap;                          /* a power of two, at most three quarters full */
  size_t len;
};

/* Keeps the order of signed times. */
static uint64_t to_tick(int64_t ms) { return (uint64_t)ms ^ SIGN; }

static int64_t to_ms(uint64_t tick) { return (int64_t)(tick ^ SIGN); }

static void make_heads(orr__wheel *wheel) {
  for (uint32_t i = 0; i < HEADS; i++) wheel->nodes[i] = (wheel_node){ .next = i, .previous = i };
  memset(wheel->occupied, 0, sizeof wheel->occupied);
}

orr__wheel *orr__wheel_new(void) {
  orr__wheel *wheel = calloc(1, sizeof *wheel);
  if (!wheel) return NULL;
  wheel->nodes = malloc(FIRST_NODES * sizeof *wheel->nodes);
  wheel->index = calloc(FIRST_INDEX, sizeof *wheel->index);
  if (!wheel->nodes || !wheel->index) {
    orr__wheel_free(wheel);
    return NULL;
  }
  wheel->node_cap = FIRST_NODES;
  wheel->nodes_used = HEADS;
  wheel->index_cap = FIRST_INDEX;
  make_heads(wheel);
  return wheel;
}

void orr__wheel_free(orr__wheel *wheel) {
  if (!wheel) return;
  free(wheel->nodes);
  free(wheel->index);
  free(wheel);
}

/* --- The index ------------------------------------------------------------------------------------ */

static size_t home_of(const orr__wheel *wheel, uint64_t key) {
  key ^= key >> 32;
  key *= UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(key >> 32 ^ key) & (wheel->index_cap - 1);
}

/* Where the key is, or the free place where it would be. */
static size_t find_place(const orr__wheel *wheel, uint64_t key) {
  size_t place = home_of(wheel, key);
  while (wheel->index[place] && wheel->nodes[wheel->index[place]].key != key)
    place = (place + 1) & (wheel->index_cap - 1);
  return place;
}

static bool index_reserve(orr__wheel *wheel) {
  if (wheel->len + 1 <= wheel->index_cap / 4 * 3) return true;
  uint32_t *old = wheel->index;
  size_t old_cap = wheel->index_cap;
  uint32_t *index = calloc(old_cap * 2, sizeof *index);
  if (!index) return false;
  wheel->index = index;
  wheel->index_cap = old_cap * 2;
  for (size_t i = 0; i < old_cap; i++)
    if (old[i]) index[find_place(wheel, wheel->nodes[old[i]].key)] = old[i];
  free(old);
  return true;
}

/* Empties a place and moves back those behind it that would no longer be found. */
static void index_remove(orr__wheel *wheel, size_t hole) {
  size_t mask = wheel->index_cap - 1;
  for (size_t at = (hole + 1) & mask; wheel->index[at]; at = (at + 1) & mask) {
    size_t home = home_of(wheel, wheel->nodes[wheel->index[at]].key);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    wheel->index[hole] = wheel->index[at];
    hole = at;
  }
  wheel->index[hole] = 0;
}

/* --- Nodes and lists ------------------------------------------------------------------------------ */

static bool nodes_reserve(orr__wheel *wheel) {
  if (wheel->first_free || wheel->nodes_used < wheel->node_cap) return true;
  uint64_t cap = wheel->node_cap + wheel->node_cap / 2;
  if (cap > NODES_MAX) cap = NODES_MAX;
  wheel_node *nodes = realloc(wheel->nodes, cap * sizeof *nodes);
  if (!nodes) return false;
  wheel->nodes = nodes;
  wheel->node_cap = (uint32_t)cap;
  return true;
}

static uint32_t take_node(orr__wheel *wheel) {
  uint32_t node = wheel->first_free;
  if (!node) return wheel->nodes_used++;
  wheel->first_free = wheel->nodes[node].next;
  return node;
}

static bool is_empty(const orr__wheel *wheel, uint32_t head) { return wheel->nodes[head].next == head; }

static void unlink_node(orr__wheel *wheel, uint32_t node) {
  wheel_node *n = &wheel->nodes[node];
  wheel->nodes[n->previous].next = n->next;
  wheel->nodes[n->next].previous = n->previous;
}

static void append_node(orr__wheel *wheel, uint32_t head, uint32_t node) {
  wheel_node *h = &wheel->nodes[head], *n = &wheel->nodes[node];
  n->next = head;
  n->previous = h->previous;
  wheel->nodes[h->previous].next = node;
  h->previous = node;
}

/* Puts a node where its time belongs as seen from the position. */
static void place_node(orr__wheel *wheel, uint32_t node) {
  uint64_t tick = to_tick(wheel->nodes[node].due_ms), differing = tick ^ wheel->position;
  if (tick < wheel->position) {
    int64_t due_ms = to_ms(tick);
    if (is_empty(wheel, OVERDUE) || due_ms < wheel->overdue_ms) wheel->overdue_ms = due_ms;
    append_node(wheel, OVERDUE, node);
    return;
  }
  unsigned level = differing ? (63u - (unsigned)__builtin_clzll(differing)) / DIGIT : 0;
  unsigned slot = tick >> (level * DIGIT) & (SLOTS - 1);
  wheel->occupied[level] |= UINT64_C(1) << slot;
  append_node(wheel, level * SLOTS + slot, node);
}

/* Takes a whole list out; its nodes stay chained by next, and the last one's next is the head. */
static uint32_t detach_list(orr__wheel *wheel, uint32_t head) {
  uint32_t first = wheel->nodes[head].next;
  wheel->nodes[head].next = wheel->nodes[head].previous = head;
  return first;
}

static void place_list(orr__wheel *wheel, uint32_t first, uint32_t head) {
  while (first != head) {
    uint32_t next = wheel->nodes[first].next;
    place_node(wheel, first);
    first = next;
  }
}

/* --- Setting and removing ------------------------------------------------------------------------- */

int orr__wheel_set(orr__wheel *wheel, uint64_t key, int64_t due_ms) {
  uint32_t node = wheel->index[find_place(wheel, key)];
  if (node) {
    unlink_node(wheel, node);
  } else {
    if (wheel->len >= NODES_MAX - HEADS) return ORR_E_LIMIT;
    if (!index_reserve(wheel) || !nodes_reserve(wheel)) return ORR_E_NOMEM;
    node = take_node(wheel);
    wheel->nodes[node].key = key;
    wheel->index[find_place(wheel, key)] = node;
    wheel->len++;
  }
  wheel->nodes[node].due_ms = due_ms;
  place_node(wheel, node);
  return 0;
}

static void drop_node(orr__wheel *wheel, uint32_t node, size_t place) {
  index_remove(wheel, place);
  unlink_node(wheel, node);
  wheel->nodes[node].next = wheel->first_free;
  wheel->first_free = node;
  wheel->len--;
}

bool orr__wheel_remove(orr__wheel *wheel, uint64_t key) {
  size_t place = find_place(wheel, key);
  uint32_t node = wheel->index[place];
  if (node) drop_node(wheel, node, place);
  return node != 0;
}

bool orr__wheel_get(const orr__wheel *wheel, uint64_t key, int64_t *ret_due_ms) {
  uint32_t node = wheel->index[find_place(wheel, key)];
  if (node && ret_due_ms) *ret_due_ms = wheel->nodes[node].due_ms;
  return node != 0;
}

size_t orr__wheel_len(const orr__wheel *wheel) { return wheel->len; }

/* --- Time goes on --------------------------------------------------------------------------------- */

/* The first slot with entries and the tick at which it begins; false if there is none. */
static bool first_slot(orr__wheel *wheel, unsigned *ret_level, uint32_t *ret_head, uint64_t *ret_tick) {
  for (unsigned level = 0; level < LEVELS; level++) {
    while (wheel->occupied[level]) {
      unsigned slot = (unsigned)__builtin_ctzll(wheel->occupied[level]), shift = level * DIGIT;
      uint32_t head = level * SLOTS + slot;
      if (is_empty(wheel, head)) {
        wheel->occupied[level] &= ~(UINT64_C(1) << slot);
        continue;
      }
      uint64_t above = shift + DIGIT < 64 ? wheel->position >> (shift + DIGIT) << (shift + DIGIT) : 0;
      *ret_level = level;
      *ret_head = head;
      *ret_tick = above | (uint64_t)slot << shift;
      return true;
    }
  }
  return false;
}

/* The clock went back: every entry gets its place as seen from the earlier position. */
static void rewind_to(orr__wheel *wheel, uint64_t tick) {
  wheel->position = tick;
  uint32_t firsts[HEADS];
  for (uint32_t head = 0; head < HEADS; head++) firsts[head] = detach_list(wheel, head);
  memset(wheel->occupied, 0, sizeof wheel->occupied);
  for (uint32_t head = 0; head < HEADS; head++) place_list(wheel, firsts[head], head);
}

static orr__due take_first(orr__wheel *wheel, uint32_t head) {
  uint32_t node = wheel->nodes[head].next;
  orr__due due = { wheel->nodes[node].key, wheel->nodes[node].due_ms };
  drop_node(wheel, node, find_place(wheel, due.key));
  return due;
}

size_t orr__wheel_pop(orr__wheel *wheel, int64_t now_ms, orr__due *ret_due, size_t max) {
  uint64_t now = to_tick(now_ms), tick;
  size_t count = 0;
  unsigned level;
  uint32_t head;
  if (now < wheel->position) rewind_to(wheel, now);
  while (count < max) {
    if (!is_empty(wheel, OVERDUE)) {
      ret_due[count++] = take_first(wheel, OVERDUE);
    } else if (!first_slot(wheel, &level, &head, &tick) || tick > now) {
      wheel->position = now;
      break;
    } else if (level == 0) {
      wheel->position = tick;
      ret_due[count++] = take_first(wheel, head);
    } else {
      assert(tick > wheel->position);
      wheel->position = tick;
      place_list(wheel, detach_list(wheel, head), head);
    }
  }
  return count;
}

int64_t orr__wheel_next_ms(orr__wheel *wheel) {
  uint64_t tick;
  unsigned level;
  uint32_t head;
  if (!is_empty(wheel, OVERDUE)) return wheel->overdue_ms;
  return first_slot(wheel, &level, &head, &tick) ? to_ms(tick) : INT64_MAX;
}
