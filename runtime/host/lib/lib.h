/* What the files of liborrery share: the runtime itself, its settings, and how something becomes an event.
 *
 * Only here is everything known: the parts below see of each other what open.c hands them. */
#ifndef ORR_LIB_LIB_H
#define ORR_LIB_LIB_H

#include "orrery.h"

#include "bindings.h"
#include "core/core.h"
#include "port/http.h"
#include "port/job.h"
#include "port/keyring.h"
#include "port/loop.h"
#include "port/process.h"
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
};

/* What was set, else the default; "" where neither is. Borrowed. */
const char *orr__setting(const orr_settings *settings, enum orr__setting_id id);

struct orr_runtime {
  int lock_fd;
  char *data_dir;
  orr__loop *loop;
  orr__waker *waker;
  orr__store *store;
  orr__http *http;
  orr__processes *processes;
  orr__jobs *jobs;
  orr__core *core;
  orr__bindings *bindings;
  orr__random random;
  char *runner;
  orr__keyring *keyring;
  orr_event *first, *last;
  size_t event_count, lines_dropped;
  int64_t virtual_start_ms;      /* where a virtual clock begins */
};

/* open.c. A runtime with nothing in it (NULL: no memory), and opening all of it; the second takes rt, also when it fails. A store that is
 * in it already is used. */
orr_runtime *orr__runtime_new(void);
int orr__runtime_open(orr_runtime *rt, const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr);
orr__store_config orr__store_config_of(orr_runtime *rt); /* without path and codec */

/* event.c. json is taken, err copied. Without memory the event is lost. */
void orr__push_event(orr_runtime *rt, int kind, uint64_t request, int code, char *json, const orr_error *err);
/* The core's sink. */
void orr__on_reply(void *self, uint64_t request, int code, const char *json, const orr_error *err);
void orr__on_update(void *self, uint64_t request, const char *json);
void orr__on_log(void *self, enum orr__log_level level, const orr__log_about *about, const char *message);

/* place.c. The first that exists of: beside us, up to two folders above under `inside`, where it was installed. Owned. */
char *orr__find_own(const char *name, const char *inside, const char *installed);
int orr__make_folder(const char *path, orr_error *reterr);
int orr__take_lock(const char *data_dir, int *ret_fd, orr_error *reterr);

/* keys.c */
orr__store_codec orr__keys_codec(orr__keyring *ring);
void orr__tell_old_keys(orr_runtime *rt); /* as a warning in the log, where there are some */

#endif
