/* What the files of the kill harness share: what it knows of a run, and what it asks the runtime for. */
#ifndef ORR_TEST_KILL_HARNESS_H
#define ORR_TEST_KILL_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "talk.h"
#include "verdict.h"

enum { KINDS = 4, KNOWN_MAX = 256, ASKED_MAX = 64, LABEL_MAX = 48, LABELS_MAX = 128 };

typedef struct kind {
  const char *code, *file, *service;
  bool is_idempotent;
  const char *delay, *fault; /* Lua */
} kind;

typedef struct control {
  const char *name, *what;
  kind wrong; /* takes the place of the one with its code */
  enum check caught_by;
  bool cancels, deletes, kills_runners, updates; /* what was started is cancelled, every round deletes one, kills a job runner, or updates a Backup, for that is what goes wrong */
} control;

typedef struct options {
  const char *orrery, *outside, *providers;
  long kills, seconds;
  unsigned long long seed;
  const control *control;
  bool keeps;
} options;

typedef struct label {
  char name[LABEL_MAX];
  long seen, kills;
} label;

/* A result that was acknowledged, and may be cancelled, extracted or deleted later. */
typedef struct known {
  char uuid[40];
  bool is_neither; /* of the provider that cannot find out: its leftovers are no fault */
} known;

/* A Backup that was made besides those which are run. */
typedef struct made {
  char uuid[40], name[24];
} made;

/* A deletion that was asked for on this connection. */
typedef struct asked {
  uint64_t id;
  char uuid[40];
} asked;

typedef struct harness {
  options options;
  known known[KNOWN_MAX]; /* a ring */
  size_t known_count;
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
  label labels[LABELS_MAX];
  size_t label_count;
  char wanted[LABEL_MAX]; /* the step at which this round's kill comes */
  bool is_there;          /* it was told */
  bool has_started;       /* something has been started since that was last looked at */
  int64_t ready_us;       /* how long a start takes, about */
  long runners; /* job runners that were killed */
  long kills, at_start, at_ask, at_step, too_late;
  talk talk;
  verdict *verdict;
} harness;

int64_t below(harness *h, int64_t limit); /* by lot, from the seed */

/* Each asks on the connection and waits for nothing. */
void ask_for_cancel(harness *h, const char *uuid);
void ask_for_changes(harness *h); /* something is done with results that are known: the newest are cancelled, any are deleted or extracted */
void ask_for_backups(harness *h); /* Backups come and go, too; one that is removed is forgotten here */
void ask_for_runs(harness *h);    /* of any kind, one of them of the kind whose step is waited for; for a control, all of the kind that is wrong */
void ask_for_updates(harness *h); /* Backups get another version, connections are tested */
void kill_runner(harness *h);     /* the job runner of one of the newest results, if one runs */

#endif
