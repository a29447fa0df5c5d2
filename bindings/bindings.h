/* The Lua backend of core/provider.h: finds provider scripts, keeps one Lua state per version, runs each hook in a
 * coroutine of its own, and gives Lua the libraries it may reach the world through.
 *
 * Knows nothing of schedules, stores, or what an answer leads to. Everything runs on the loop thread. */
#ifndef ORR_BINDINGS_H
#define ORR_BINDINGS_H

#include "core/provider.h"
#include "port/crypto.h"
#include "port/hostcall.h"
#include "port/http.h"
#include "port/job.h"
#include "port/loop.h"
#include "port/process.h"
#include "port/record.h"

typedef struct orr__bindings orr__bindings;

/* Everything is borrowed and must outlive the bindings, except dirs, which is copied. */
typedef struct orr__bindings_config {
  orr__loop *loop;
  orr__http *http;
  orr__processes *processes;
  orr__jobs *jobs;
  orr__records *records;         /* what results say over HTTP; NULL: not kept */
  orr__hostcalls *calls;         /* NULL: there is no host to call */
  orr__random *random;
  const char *const *dirs;       /* folders with NAME.lua or NAME/init.lua, NULL-terminated; two of one name are an error */
  orr__provider_host host;
  int64_t settle_ms;             /* files of a provider are read when they have been left alone so long; 0: at once */
  const char *trusted_dir;       /* one of dirs: what is in there is granted what it needs. NULL: none. Copied */
  bool asks_trust;               /* what needs more than was granted waits for ops->trust; else it is granted */
  void *(*allocate)(void *arg, void *block, size_t old_size, size_t new_size); /* of Lua's memory, as realloc and (new_size 0) free; NULL: those */
  void *allocate_arg;
  size_t memory_limit;           /* bytes per state; 0: 64 MiB */
} orr__bindings_config;

/* Before anything of Lua is used: 0, or IO where LuaJIT is not there. Where it is linked as usual there is nothing to do (door/luajit.c). */
int orr__lua_open(orr_error *reterr);
int orr__bindings_open(const orr__bindings_config *config, orr__bindings **ret, orr_error *reterr);
/* Once the core starts no hooks any more: when those in flight have ended, open sessions are closed, for ORR_GRACE_MS at most. */
void orr__bindings_drain(orr__bindings *bindings);
bool orr__bindings_is_idle(const orr__bindings *bindings); /* no session is being closed; hooks are the core's to know of */
/* Every call still in flight is abandoned (answered INTERRUPTED, from inside) first. */
void orr__bindings_close(orr__bindings *bindings);
/* Valid as long as the bindings. */
const orr__provider_ops *orr__bindings_ops(const orr__bindings *bindings);
/* A provider from memory, under its code; the same code again is a new version of it. Checked like a file: a
 * version that fails leaves the working one in place (PROVIDER says why). */
int orr__bindings_add_source(orr__bindings *bindings, const char *code, const char *text, size_t len, orr_error *reterr);
const char *orr__bindings_library(void); /* the version of LuaJIT we were built for */
/* Calls in flight, for tests and status. */
size_t orr__bindings_calls(const orr__bindings *bindings);

#endif
