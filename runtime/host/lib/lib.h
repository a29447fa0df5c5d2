/* What the files of liborrery share: the runtime itself, its settings, and how something becomes an event.
 *
 * Only here is everything known: the parts below see of each other what open.c hands them. */
#ifndef ORR_LIB_LIB_H
#define ORR_LIB_LIB_H

#include "orrery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "bindings.h"
#include "core/core.h"
#include "model/json.h"
#include "port/hostcall.h"
#include "port/http.h"
#include "port/job.h"
#include "port/keyring.h"
#include "port/loop.h"
#include "port/process.h"
#include "port/record.h"
#include "store/store.h"

#define ORR_PROVIDER_DIRS_MAX 64

enum orr__setting_id {
#define SETTING(id, key, type, standard, doc) ORR_S_##id,
#include "host/lib/settings.def"
#undef SETTING
  ORR_S_COUNT
};

struct orr_settings {
  char *values[ORR_S_COUNT];
  char *providers[ORR_PROVIDER_DIRS_MAX];
  size_t provider_count;
  orr_allocate allocate;
  void *allocate_arg;
  orr_clock clock;
  void *clock_arg;
};

/* What was set, else the default; "" where neither is. Borrowed. */
const char *orr__setting(const orr_settings *settings, enum orr__setting_id id);

/* Who is inside (guard.c). */
typedef struct orr__guard {
  atomic_int refs;               /* the runtime's owner, whoever took a reference, and threads on their way in or out */
  bool is_closed;                /* for who is inside */
  int depth;                     /* likewise: how often the owner came in */
  _Atomic(uintptr_t) owner;      /* the thread inside, 0: none */
  pthread_mutex_t lock;          /* of what follows */
  bool is_inside, is_stepping;   /* somebody is, and may be waiting for something to become due */
  int waiting, sleepers;         /* threads that want to come in: those that do not step, and all */
  pthread_cond_t free;           /* somebody went out */
  pthread_cond_t news;           /* an event, or the end of running, for those that wait while another thread turns the wheels */
  int wake_fd;                   /* ends the wait of a step */
  orr__watch *watch;
} orr__guard;

/* What a host's own loop watches (fd.c); -1 until it is asked for. */
typedef struct orr__fds {
  int set, timer, ready;         /* an epoll set of the loop's descriptor, a timerfd, and an eventfd */
  int news;                      /* an eventfd of its own: an event waits */
  bool is_ready, has_news;       /* what the two eventfds say */
  int64_t armed_ms;              /* when the timerfd is due, on the loop's clock; -1: never */
} orr__fds;

struct orr_runtime {
  orr__guard guard;
  orr__fds fds;
  bool is_running;               /* a thread is in orr_run */
  bool has_turner;               /* a thread in orr_wait turns the wheels */
  bool is_stopping;              /* it is to come out */
  bool is_stopped_before;        /* somebody said so while nothing ran */
  bool has_thread;               /* of orr_start, to be joined */
  bool is_joining;               /* somebody does that, outside */
  unsigned starts;               /* how many threads there have been */
  pthread_t thread;
  int lock_fd;
  char *data_dir;
  orr__loop *loop;
  orr__waker *waker;
  orr__store *store;
  orr__http *http;
  orr__processes *processes;
  orr__jobs *jobs;
  orr__records *records;
  orr__core *core;
  orr__bindings *bindings;
  struct orr__native *native;
  orr__random random;
  char *runner;
  orr__keyring *keyring;
  orr_event *first, *last;
  size_t event_count, lines_dropped;
  size_t calls_waiting;          /* ORR_EVENT_CALL among the events */
  orr__hostcalls *calls;
  orr__json *programs;           /* what the host told of where they are */
  struct orr__kept_jobs *kept_jobs;
  int64_t virtual_start_ms;      /* where a virtual clock begins */
  int64_t close_grace_ms;
};

/* open.c. A runtime with nothing in it (NULL: no memory, or no descriptor), and opening all of it; the second takes rt, also when it fails. A store that is
 * in it already is used. */
orr_runtime *orr__runtime_new(void);
int orr__runtime_open(orr_runtime *rt, const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr);
orr__store_config orr__store_config_of(orr_runtime *rt); /* without path and codec */

/* guard.c. Every function of orrery.h that looks at a runtime is between these two: one thread is inside at a time, and who waits
 * ends the wait of a step. enter is MISUSE for NULL. A function that is called by one of the runtime's own callbacks is inside
 * already, and may come in again. */
int orr__guard_open(orr_runtime *rt); /* before the loop; 0 or IO: no descriptor */
int orr__guard_watch(orr_runtime *rt);                   /* once there is a loop */
void orr__guard_unwatch(orr_runtime *rt);
/* Also CLOSED, to whoever holds a reference still. */
int orr__enter(const orr_runtime *rt, orr_error *reterr);
void orr__leave(const orr_runtime *rt);
int orr__enter_outside(orr_runtime *rt, orr_error *reterr); /* likewise, but MISUSE from inside */
/* The same for what turns the wheels: lets everybody else in first. TIMEOUT if it is not let in until then (NULL: for ever). */
int orr__enter_step(orr_runtime *rt, const struct timespec *until, orr_error *reterr);
/* From inside: goes out until there is news, and comes in again. False: the time was up (NULL: for ever). */
bool orr__guard_sleep(orr_runtime *rt, const struct timespec *until);
void orr__guard_tell(orr_runtime *rt);             /* there is news */
/* From outside: turns the wheels, or lets others do it, until is_done (called inside) or the time is up, then `finish` (inside). Not 0: MISUSE,
 * CLOSED, and finish was not called. */
int orr__await(orr_runtime *rt, bool (*is_done)(orr_runtime *rt, void *arg), void (*finish)(orr_runtime *rt, void *arg), void *arg,
               int64_t max_wait_ms, orr_error *reterr);
struct timespec orr__deadline(int64_t wait_ms);    /* on the monotonic clock */
/* The last one out frees what is left of a closed runtime. */
void orr__guard_unref(orr_runtime *rt);

/* fd.c: makes the descriptors say what is so now; by whoever leaves. */
void orr__fds_init(orr__fds *fds);
void orr__fds_settle(orr_runtime *rt);
void orr__fds_close(orr_runtime *rt);
/* run.c. Both from outside. run_end comes back inside, when no thread turns the wheels, nor is to (CLOSED, MISUSE: outside); run_out drains,
 * and turns them until idle, failed, or so much real time has passed. */
int orr__run_end(orr_runtime *rt);
void orr__run_out(orr_runtime *rt, int64_t grace_ms);

/* event.c. json is taken, err copied. Without memory the event is lost. */
void orr__push_event(orr_runtime *rt, int kind, uint64_t request, int code, char *json, const orr_error *err);
orr_event *orr__take_event(orr_runtime *rt); /* as orr_next, from inside */
/* The core's sink. */
void orr__on_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err);
void orr__on_update(void *self, uint64_t request, const char *json);
void orr__on_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message);
/* The sink of the calls to the host. An end takes a call that nobody has pulled yet out of the queue. */
int orr__on_called(void *self, uint64_t id, const char *service, const char *args);
void orr__on_ended(void *self, uint64_t id, const char *service);

/* native.c: providers in C beside those in Lua; every call of the core's goes through it. */
struct orr__native *orr__native_new(orr_runtime *rt, const orr__provider_host *host, const orr__provider_ops *lua); /* owned */
bool orr__native_has(const struct orr__native *native, const char *code);
const orr__provider_ops *orr__native_ops(const struct orr__native *native);
void orr__native_close(struct orr__native *native); /* every call is answered INTERRUPTED first. NULL is fine, for both */
void orr__native_free(struct orr__native *native);

/* service_*.c: from now on the host does it. */
void orr__carry_http(orr_runtime *rt);
void orr__carry_process(orr_runtime *rt);
int orr__carry_jobs(orr_runtime *rt, orr_error *reterr);
void orr__kept_jobs_free(orr_runtime *rt);
/* Is it an answer of the shape that the service has? INVALID says what is wrong. */
int orr__check_http(const orr__json *answer, orr_error *reterr);
int orr__check_ended(const orr__json *answer, orr_error *reterr);
int orr__check_started(const orr__json *answer, orr_error *reterr);
/* What the host tells unasked. */
int orr__told_job(orr_runtime *rt, const orr__json *said, orr_error *reterr);
int orr__told_programs(orr_runtime *rt, const orr__json *programs, orr_error *reterr);
/* Bytes under `key` where they are text, else in base64 under the other. 0, NOMEM or INVALID; *ret is owned, with a NUL behind it. */
int orr__put_bytes(orr__json *map, const char *key, const char *key_base64, const void *bytes, size_t len);
int orr__take_bytes(const orr__json *map, const char *key, const char *key_base64, char **ret, size_t *ret_len);
/* A program to be started, as JSON; owned, NULL: no memory. */
orr__json *orr__spawn_json(const char *op, const char *const *argv, const char *const *env, const char *cwd, const void *input, size_t input_len,
                           int64_t timeout_ms, int64_t grace_ms);
char *orr__json_spent(orr__json *map); /* its text, owned; the tree, taken, is freed. NULL for NULL */
void orr__job_ended(void *runtime, const char *key, const char *name); /* open.c */

/* place.c. The first that exists of: beside us, up to two folders above under `inside`, where it was installed. Owned. */
char *orr__find_own(const char *name, const char *inside, const char *installed);
int orr__make_folder(const char *path, orr_error *reterr);
int orr__take_lock(const char *data_dir, int *ret_fd, orr_error *reterr);

/* keys.c */
orr__store_codec orr__keys_codec(orr__keyring *ring);
void orr__tell_old_keys(orr_runtime *rt); /* as a warning in the log, where there are some */

#endif
