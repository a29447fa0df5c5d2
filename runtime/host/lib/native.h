/* Providers in C: what native.c (the backend of core/provider.h) and hook.c (the handles that hosts hold) share.
 *
 *   ops->call --> QUEUED --next turn--> WITH HOST --orr_hook_done--> ANSWERED --next turn--> answered
 *                                          |
 *                                          +-- interrupted, or deadline: stop is set --grace over--> answered without it
 *
 * A handle has two owners: the backend until the call is answered, the host until orr_hook_done; the last one frees it. Everything is
 * guarded by being inside the runtime. */
#ifndef ORR_LIB_NATIVE_H
#define ORR_LIB_NATIVE_H

#include "base/map.h"
#include "call_secrets.h"
#include "host/lib/lib.h"

typedef struct orr__native_provider {
  struct orr__native_provider *next;
  orr_provider hooks;
  orr__declaration declaration;
  atomic_int refs;               /* the list, and its handles */
} orr__native_provider;

/* A text that was handed out, and stays until the handle goes. */
typedef struct orr__kept_text {
  struct orr__kept_text *next;
  char *text;
} orr__kept_text;

struct orr_hook {
  orr_runtime *rt;               /* a reference while the host has the handle */
  orr__native_provider *provider;
  orr__call *call;               /* NULL: answered */
  uint64_t id;
  enum orr__hook hook;
  bool is_answered;
  bool is_given;                 /* the host was called with it, and gives it back by orr_hook_done */
  int stop;                      /* 0, DEADLINE or CANCELLED */
  char *stop_why;
  char *json;
  orr__kept_text *texts;
  int asks;                      /* marks and checkpoints under way */
  orr__timer timer;              /* the start, then the deadline, then the end of grace or the answer */
  orr__answer answer;
  orr__secrets secrets;          /* what the call was given: taken out of what it gives back */
};

struct orr__native {
  orr_runtime *rt;
  const orr__provider_host *host;
  const orr__provider_ops *lua;  /* the other backend */
  orr__provider_ops ops;
  orr__native_provider *providers;
  orr__map calls;                /* orr_hook by the call's id */
  orr__map preparing;            /* calls that wait for the host's secrets or inventory (prepare.c) */
};

/* native.c */
orr__native_provider *orr__native_find(const struct orr__native *native, const char *code);
int orr__native_call(struct orr__native *native, orr__call *call, orr_error *reterr);
void orr__native_stop(orr_hook *hook, int code, const char *why);
void orr__native_answer(orr_hook *hook);           /* its answer is there: in the next turn */
void orr__native_provider_unref(orr__native_provider *provider);
void orr__hook_free(orr_hook *hook);               /* once neither the backend nor the host has it */

/* hook.c. What a hook is given, as JSON; owned. */
char *orr__hook_text(const orr__call *call);

/* backends.c. On to the backend that has the provider; takes the call if it returns 0. */
int orr__prepared_call(struct orr__native *native, orr__call *call, orr_error *reterr);

/* prepare.c: the one way into both backends. Likewise. */
int orr__prepare_call(struct orr__native *native, orr__call *call, orr_error *reterr);
bool orr__prepare_interrupt(struct orr__native *native, uint64_t call_id, const char *why); /* false: it is not being prepared */
void orr__prepare_close(struct orr__native *native);

#endif
