/* Slots: how many results may run at a time, and who comes next when one ends.
 *
 * A result takes its slots before its first hook and keeps them until it has ended or needs attention. Limits are asked for
 * at up to four places: the whole runtime, the provider, the connection and the server; where one of them is full the result waits.
 * Waiting is fair between lanes (a lane is a connection, or a provider where there is none): each lane has its turn, and within a
 * lane the oldest that would fit goes first.
 *
 * Only seats with a limit are counted, so that a million results without one cost nothing; a limit that is set while results run
 * counts those that start from then on. Kept in memory only: what runs and what waits is stored with the results, and counted again
 * at the start. Knows neither flows nor the clock; limits are told anew each time somebody asks. */
#ifndef ORR_CORE_SLOTS_H
#define ORR_CORE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct orr__slots orr__slots;

enum orr__place { ORR_PLACE_ALL, ORR_PLACE_PROVIDER, ORR_PLACE_CONNECTION, ORR_PLACE_SERVER, ORR_PLACES };

/* Where a result runs, and how many may run there; 0 is no limit. */
typedef struct orr__seat {
  uint64_t provider;                 /* orr__slots_provider of its code */
  int64_t connection_id, server_id;  /* 0: none */
  int64_t limits[ORR_PLACES];
} orr__seat;

orr__slots *orr__slots_new(void); /* NULL when memory runs out */
void orr__slots_free(orr__slots *slots);
uint64_t orr__slots_provider(const char *code);

bool orr__seat_is_limited(const orr__seat *seat);

/* Takes the slots, whatever the limits; nothing if the result has them. 0 or NOMEM. */
int orr__slots_hold(orr__slots *slots, int64_t result_id, const orr__seat *seat);
/* Takes them if there is room in each place and nobody waits who could have them; true also if the result has them, and without
 * taking any for a seat that has no limits. Else it waits (again, at its old place in the line, if it did already), and *ret_full says where there is no room: ORR_PLACES if it only waits its turn.
 * Without memory it is let through: a limit is a wish, a result that never runs is a fault. */
bool orr__slots_take(orr__slots *slots, int64_t result_id, const orr__seat *seat, enum orr__place *ret_full);
/* It has ended, needs attention, or is gone: gives its slots back, or leaves the line. Anything else is fine. */
void orr__slots_drop(orr__slots *slots, int64_t result_id);
/* The next that can run now: it leaves the line and has its slots. 0: none. */
int64_t orr__slots_next(orr__slots *slots);
bool orr__slots_has(const orr__slots *slots, int64_t result_id);
size_t orr__slots_waiting(const orr__slots *slots);
size_t orr__slots_used(const orr__slots *slots, enum orr__place place, const orr__seat *seat);

#endif
