/* What the files of the kill harness share: what it knows of a run, and what it asks the runtime for. */
#ifndef ORR_TEST_KILL_HARNESS_H
#define ORR_TEST_KILL_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "steps.h"
#include "talk.h"
#include "verdict.h"

enum { KNOWN_MAX = 256, ASKED_MAX = 64 };

typedef struct kind {
  const char *code, *file, *service;
  bool is_idempotent;
  const char *delay, *fault; /* Lua */
} kind;

typedef struct control {
  const char *name, *what;
  kind wrong; /* takes the place of the one with its code */
  enum check caught_by;
  const char *at;                            /* the step where it does its harm: half of the kills come there */
  bool cancels, deletes, kills_runners, updates; /* what was started is cancelled, every round deletes one, kills a job runner, or updates a Backup, for that is what goes wrong */
} control;

typedef struct options {
  const char *orrery, *outside, *providers;
  long kills, seconds;
  unsigned long long seed;
  int share, shares; /* of every `shares` steps the one at `share` has to have a kill here; shares 0: none has to */
  const control *control;
  const char *at; /* every other kill comes at this step; NULL: they come anywhere */
  bool keeps;
} options;

/* A result that was acknowledged, and may be cancelled, extracted or deleted later. */
typedef struct known {
  char uuid[40];
  int kind;
} known;

/* A Backup that was made besides those which are run. */
typedef struct made {
  char uuid[40], name[24];
  int kind;
} made;

/* A deletion that was asked for on this connection. */
typedef struct asked {
  uint64_t id;
  char uuid[40];
} asked;

/* Who of a job is killed. */
enum victim { VICTIM_RUNNER, VICTIM_TOOL, VICTIM_KEEPER, VICTIM_ALL, VICTIM_CHILD, VICTIM_COUNT };
extern const char *const victim_names[VICTIM_COUNT];

typedef struct harness {
  options options;
  known known[KNOWN_MAX]; /* a ring */
  size_t known_count, known_before; /* before this round */
  made made[KNOWN_MAX];
  size_t made_count;
  long creations, removals, updates, tests;
  asked asked[ASKED_MAX];
  size_t asked_count;
  long cancels, deletions, extractions;
  char dir[256];
  kind kinds[KINDS];
  uint64_t chance;
  pid_t outside, runtime;
  int tell_fd;
  char told[4096]; /* of what the outside tells, the line that has not ended yet */
  size_t told_len;
  steps steps;
  bool has_started; /* something has been started since that was last looked at */
  int64_t ready_us; /* how long a start takes, about */
  long victims[VICTIM_COUNT];
  long kills, at_start, at_ask, at_step, too_late;
  talk talk;
  verdict *verdict;
} harness;

extern const kind all_well[KINDS];
const control *control_find(const char *name);

int64_t now_us(void);
void sleep_us(int64_t us);
void die(const char *what) __attribute__((noreturn));
int64_t below(harness *h, int64_t limit); /* by lot, from the seed */

pid_t spawn(const char *const *argv, const char *log, int kept_fd);
void start_runtime(harness *h);
void end_runtime(harness *h, int signal_number);
bool connect_runtime(harness *h); /* whoever answers then is the one that was started last */
bool ask(harness *h, const char *request, const char *args);
void listen_outside(harness *h); /* what it has told since */

/* Each asks on the connection and waits for nothing. */
void ask_for_cancels(harness *h); /* of the newest of the kind whose step is waited for */
void ask_for_all(harness *h);     /* some of everything, and of what leads to the step that is waited for in any case */

bool kill_of_a_job(harness *h, enum victim victim); /* of one that runs just now; false: there is none */

/* Waits until the runtime rests, and gives all that is there to the verdict. */
void come_to_rest(harness *h);

#endif
