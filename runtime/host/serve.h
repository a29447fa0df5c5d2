/* The parts of `orrery serve` to each other.
 *
 *   serve.c        from start to end: take the directory, turn until a signal comes, drain, close
 *   serve_take.c   getting hold of the data directory, from a command that holds it if need be
 *   serve_pulse.c  the daemon as a client of its own runtime: what happens goes to the log, how it is to the service manager */
#ifndef ORR_HOST_SERVE_H
#define ORR_HOST_SERVE_H

#include "host/cli.h"
#include "host/holder.h"
#include "host/log.h"
#include "host/notify.h"

typedef struct orr__daemon {
  orr__cli *cli;
  orr__log *log;
  orr__notify *notify;
  bool has_rival; /* another serve holds the directory */
} orr__daemon;

/* A line of the runtime's log, as JSON; arg is the daemon. */
void orr__daemon_log(void *arg, const char *json);

/* Opens a holder of the data directory. REFUSED: another serve has it; LOCKED: somebody who does not answer; CANCELLED: a signal. */
int orr__daemon_take(orr__daemon *daemon, orr__holder **ret_holder, orr_error *reterr);

typedef struct orr__pulse orr__pulse;
/* Begins to listen to the runtime's events. Owned; NULL when out of memory. daemon and holder are borrowed. */
orr__pulse *orr__pulse_new(orr__daemon *daemon, orr__holder *holder);
/* After every turn: asks what is due to be asked and tells the service manager what is due to be told. Returns how long the next turn
 * may wait, -1: as long as it likes. */
int64_t orr__pulse_turn(orr__pulse *pulse);
/* Once the holder is closed; NULL is fine. */
void orr__pulse_free(orr__pulse *pulse);

#endif
