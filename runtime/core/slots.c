/* Slots (see slots.h): counts by place, the results that hold them, and the lanes of those that wait.
 *
 *   lanes --> lane --> lane --> (ring; the next turn is the head's)
 *               |
 *              waiter (oldest) --> waiter --> ...
 *
 * A result is in `held` or in `waiters`, never in both. A holder is the seat it took, so that what is given back is what was taken
 * even if its Backup has got another connection meanwhile. */
#include "core/slots.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/map.h"

typedef struct waiter waiter;
typedef struct lane lane;

struct waiter {
  int64_t id;
  orr__seat seat;
  lane *lane;
  waiter *prev, *next;
};

struct lane {
  uint64_t key;
  waiter *first, *last;
  lane *prev, *next; /* a ring */
};

struct orr__slots {
  orr__map counts;  /* place -> how many, as a pointer-sized number */
  orr__map held;    /* result -> holder */
  orr__map waiters; /* result -> waiter */
  orr__map lanes;   /* key -> lane */
  lane *turn;       /* whose turn it is; NULL: nobody waits */
};

typedef struct holder {
  uint64_t provider;
  int64_t connection_id, server_id;
} holder;

orr__slots *orr__slots_new(void) {
  orr__slots *slots = calloc(1, sizeof *slots);
  if (!slots) return NULL;
  orr__map_init(&slots->counts);
  orr__map_init(&slots->held);
  orr__map_init(&slots->waiters);
  orr__map_init(&slots->lanes);
  return slots;
}

static void free_values(orr__map *map) {
  size_t pos = 0;
  void *value;
  while (orr__map_next(map, &pos, NULL, &value)) free(value);
  orr__map_clear(map);
}

void orr__slots_free(orr__slots *slots) {
  if (!slots) return;
  orr__map_clear(&slots->counts);
  free_values(&slots->held);
  free_values(&slots->waiters);
  free_values(&slots->lanes);
  free(slots);
}

uint64_t orr__slots_provider(const char *code) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (const char *c = code ? code : ""; *c; c++) hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  return hash;
}

/* ---- counts ------------------------------------------------------------------------------------------------- */

/* The key of a place of this seat; false where it has none. The two lowest bits say which kind of place. */
static bool place_key(const holder *h, int place, uint64_t *ret) {
  uint64_t ids[] = { 1, h->provider, (uint64_t)h->connection_id, (uint64_t)h->server_id };
  *ret = ids[place] << 2 | (uint64_t)place;
  return ids[place] != 0;
}

static size_t count_at(const orr__slots *slots, uint64_t key) {
  return (size_t)(uintptr_t)orr__map_get(&slots->counts, key);
}

static int count_set(orr__slots *slots, uint64_t key, size_t count) {
  if (count) return orr__map_put(&slots->counts, key, (void *)(uintptr_t)count);
  orr__map_remove(&slots->counts, key);
  return 0;
}

static holder holder_of(const orr__seat *seat) {
  return (holder){ seat->provider, seat->connection_id, seat->server_id };
}

/* Counts a holder in all its places up to `places`; 0, or NOMEM and nothing has changed. */
static int count_in(orr__slots *slots, const holder *h) {
  for (int place = 0; place < ORR_PLACES; place++) {
    uint64_t key;
    if (!place_key(h, place, &key) || count_set(slots, key, count_at(slots, key) + 1) == 0) continue;
    while (--place >= 0)
      if (place_key(h, place, &key)) count_set(slots, key, count_at(slots, key) - 1);
    return ORR_E_NOMEM;
  }
  return 0;
}

static void count_out(orr__slots *slots, const holder *h) {
  uint64_t key;
  for (int place = 0; place < ORR_PLACES; place++)
    if (place_key(h, place, &key)) count_set(slots, key, count_at(slots, key) - 1);
}

/* The first place without room, or ORR_PLACES. */
static enum orr__place full_place(const orr__slots *slots, const orr__seat *seat) {
  holder h = holder_of(seat);
  for (int place = 0; place < ORR_PLACES; place++) {
    uint64_t key;
    bool is_limited = seat->limits[place] > 0 && place_key(&h, place, &key);
    if (is_limited && count_at(slots, key) >= (size_t)seat->limits[place]) return (enum orr__place)place;
  }
  return ORR_PLACES;
}

size_t orr__slots_used(const orr__slots *slots, enum orr__place place, const orr__seat *seat) {
  holder h = holder_of(seat);
  uint64_t key;
  return place_key(&h, place, &key) ? count_at(slots, key) : 0;
}

bool orr__seat_is_limited(const orr__seat *seat) {
  for (int place = 0; place < ORR_PLACES; place++)
    if (seat->limits[place] > 0) return true;
  return false;
}

/* ---- the line ----------------------------------------------------------------------------------------------- */

static lane *lane_make(orr__slots *slots, uint64_t key) {
  lane *l = orr__map_get(&slots->lanes, key);
  if (l) return l;
  l = calloc(1, sizeof *l);
  if (!l || orr__map_put(&slots->lanes, key, l)) {
    free(l);
    return NULL;
  }
  l->key = key;
  if (!slots->turn) {
    l->prev = l->next = slots->turn = l;
  } else { /* behind everybody else: just before the head */
    l->next = slots->turn;
    l->prev = slots->turn->prev;
    l->prev->next = l->next->prev = l;
  }
  return l;
}

static void lane_drop(orr__slots *slots, lane *l) {
  if (slots->turn == l) slots->turn = l->next == l ? NULL : l->next;
  l->prev->next = l->next;
  l->next->prev = l->prev;
  orr__map_remove(&slots->lanes, l->key);
  free(l);
}

static int wait_in_line(orr__slots *slots, int64_t id, const orr__seat *seat) {
  uint64_t key = seat->connection_id ? (uint64_t)seat->connection_id << 1 : seat->provider | 1;
  waiter *w = calloc(1, sizeof *w);
  lane *l = w ? lane_make(slots, key) : NULL;
  if (!l || orr__map_put(&slots->waiters, (uint64_t)id, w)) {
    if (l && !l->first) lane_drop(slots, l);
    free(w);
    return ORR_E_NOMEM;
  }
  *w = (waiter){ .id = id, .seat = *seat, .lane = l, .prev = l->last };
  if (l->last)
    l->last->next = w;
  else
    l->first = w;
  l->last = w;
  return 0;
}

static void leave_line(orr__slots *slots, waiter *w) {
  lane *l = w->lane;
  if (w->prev)
    w->prev->next = w->next;
  else
    l->first = w->next;
  if (w->next)
    w->next->prev = w->prev;
  else
    l->last = w->prev;
  orr__map_remove(&slots->waiters, (uint64_t)w->id);
  free(w);
  if (!l->first) lane_drop(slots, l);
}

static waiter *first_that_fits(const orr__slots *slots, const lane *l) {
  for (waiter *w = l->first; w; w = w->next) {
    enum orr__place full = full_place(slots, &w->seat);
    if (full == ORR_PLACES) return w;
    if (full != ORR_PLACE_SERVER) return NULL; /* the rest of the lane would not fit either */
  }
  return NULL;
}

/* Whoever comes next, and whose turn it was. NULL: nobody fits. */
static waiter *whose_turn(const orr__slots *slots) {
  lane *l = slots->turn;
  if (!l) return NULL;
  do {
    waiter *w = first_that_fits(slots, l);
    if (w) return w;
    l = l->next;
  } while (l != slots->turn);
  return NULL;
}

/* ---- taking and giving back --------------------------------------------------------------------------------- */

int orr__slots_hold(orr__slots *slots, int64_t result_id, const orr__seat *seat) {
  if (orr__map_get(&slots->held, (uint64_t)result_id)) return 0;
  holder *h = malloc(sizeof *h);
  if (!h) return ORR_E_NOMEM;
  *h = holder_of(seat);
  if (orr__map_put(&slots->held, (uint64_t)result_id, h)) {
    free(h);
    return ORR_E_NOMEM;
  }
  if (count_in(slots, h)) {
    free(orr__map_remove(&slots->held, (uint64_t)result_id));
    return ORR_E_NOMEM;
  }
  waiter *w = orr__map_get(&slots->waiters, (uint64_t)result_id);
  if (w) leave_line(slots, w);
  return 0;
}

bool orr__slots_take(orr__slots *slots, int64_t result_id, const orr__seat *seat, enum orr__place *ret_full) {
  if (!orr__seat_is_limited(seat) || orr__slots_has(slots, result_id)) return true;
  enum orr__place full = full_place(slots, seat);
  waiter *w = orr__map_get(&slots->waiters, (uint64_t)result_id);
  if (w) w->seat = *seat;
  waiter *next = full == ORR_PLACES ? whose_turn(slots) : NULL;
  bool is_free = full == ORR_PLACES && (!next || next == w);
  if (is_free || (!w && wait_in_line(slots, result_id, seat))) {
    if (w && w->lane == slots->turn) slots->turn = slots->turn->next;
    orr__slots_hold(slots, result_id, seat);
    return true;
  }
  *ret_full = full;
  return false;
}

void orr__slots_drop(orr__slots *slots, int64_t result_id) {
  holder *h = orr__map_remove(&slots->held, (uint64_t)result_id);
  waiter *w = orr__map_get(&slots->waiters, (uint64_t)result_id);
  if (h) count_out(slots, h);
  free(h);
  if (w) leave_line(slots, w);
}

int64_t orr__slots_next(orr__slots *slots) {
  waiter *w = whose_turn(slots);
  if (!w) return 0;
  int64_t id = w->id;
  orr__seat seat = w->seat;
  slots->turn = w->lane->next;
  return orr__slots_hold(slots, id, &seat) ? 0 : id;
}

bool orr__slots_has(const orr__slots *slots, int64_t result_id) {
  return orr__map_get(&slots->held, (uint64_t)result_id) != NULL;
}

size_t orr__slots_waiting(const orr__slots *slots) { return slots->waiters.len; }
