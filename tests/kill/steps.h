/* The steps of the hooks at which the kill harness kills: which there are, how to get a hook there, and which had no kill yet. */
#ifndef ORR_TEST_KILL_STEPS_H
#define ORR_TEST_KILL_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct harness;

enum { KINDS = 4, LABEL_MAX = 48, STEPS_MAX = 256 };

/* What has to be asked for, so that a hook gets to a step. */
enum act { ACT_NONE, ACT_RUN, ACT_CANCEL, ACT_DELETE, ACT_EXTRACT, ACT_CREATE, ACT_REMOVE, ACT_UPDATE, ACT_TEST };

typedef struct step {
  char name[LABEL_MAX];
  int kind;
  enum act act;
  struct step *after; /* a kill there leaves open what leads here; NULL: nothing has to be left open */
  bool is_own;        /* one that has to have a kill in this harness */
  long seen, kills, misses;
} step;

typedef struct steps {
  step all[STEPS_MAX];
  size_t count;
  step *goal;    /* what is wanted in the end */
  step *wanted;  /* at which this round's kill comes: the goal, or what leads to it; NULL: at none */
  bool has_led;  /* what leads to the goal had its kill in the round before */
  bool is_there; /* the wanted one was told */
} steps;

void steps_init(struct harness *h);
step *steps_find(steps *s, const char *name); /* NULL: there is none of that name */
bool steps_told(steps *s, const char *name); /* a hook is there; false: there is no such step */
void steps_draw(struct harness *h);                 /* the one that is wanted next */
int64_t steps_patience_us(const struct harness *h); /* how long it is waited for, once it was asked for */
void steps_killed(steps *s);                 /* the runtime is dead, there or not */
bool steps_are_missing(const steps *s);      /* has one that has to have a kill none yet? */
bool steps_want(const steps *s, enum act act);
int steps_kind(const steps *s, int otherwise); /* whose step is wanted */
void steps_print(const steps *s);
void steps_judge(struct harness *h);

#endif
