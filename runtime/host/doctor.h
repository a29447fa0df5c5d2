/* `orrery doctor`: what it has found out before the checks begin, and how a check tells what it found.
 *
 *   cli_doctor.c      finding out, the order (doctor.def), printing
 *   doctor_place.c    checks of the data directory and what lies in it
 *   doctor_system.c   checks of the machine: zones, clock, libraries, limits, systemd
 *   doctor_runtime.c  checks of what a runtime knows: providers, programs, schedules, connections, attention
 *
 * Whatever a runtime knows was asked of one: of the one that holds the directory; else of our own, if the database is sound;
 * else, for the providers, of one that keeps nothing. A check looks and tells; none changes anything. */
#ifndef ORR_HOST_DOCTOR_H
#define ORR_HOST_DOCTOR_H

#include "host/cli.h"

typedef struct orr__doctor {
  orr__cli *cli;
  const char *dir;           /* the data directory */
  int dir_errno;             /* why it cannot be looked at; 0: it can */
  bool is_closed;            /* it is there, and may not be entered: nobody knows what is in it */
  bool has_database, has_key;
  char *key_path;            /* of the keys, as this program's settings have it */
  bool is_held, is_answering; /* by another process; and it answers */
  int holder_pid;            /* of one that does not answer, 0: not known */
  int check_code;            /* of orr_db_check, where nobody holds it */
  char *check_report;
  orr_error unreachable;     /* why there is no runtime to ask */
  /* Replies of a runtime; NULL where they could not be had. */
  cJSON *facts, *status, *providers, *backups, *connections, *events;
  const char *check;         /* the one that is looking */
  cJSON *findings;
} orr__doctor;

/* What was found; todo is what to do, a command where there is one. */
void orr__doctor_ok(orr__doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void orr__doctor_warning(orr__doctor *d, const char *todo, const char *format, ...) __attribute__((format(printf, 3, 4)));
void orr__doctor_problem(orr__doctor *d, const char *todo, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A request, where a runtime of the data directory can be asked; NULL else, and where it was refused (*ret_code: why). */
cJSON *orr__doctor_ask(orr__doctor *d, const char *request, const char *key, const char *value, int *ret_code);
/* How many Backups use this: the member `key` of a Backup is `value`. */
int orr__doctor_uses(const orr__doctor *d, const char *key, const char *value);
bool orr__doctor_serves(const orr__doctor *d); /* does `orrery serve` hold it? */
char *orr__doctor_size(double bytes);          /* owned: 1.2 GiB */

#define CHECK(name, doc) void orr__doctor_##name(orr__doctor *d);
#include "host/doctor.def"

#endif
