/* Child processes that answer: run a program, give it input, take its output, learn its end.
 *
 * Each child runs under the job runner in its attached mode (runner_main.c): the runner starts the tool in a
 * session of its own, passes its output through pipes, and reports the exit on its control socket, so that the
 * host's SIGCHLD handling neither matters nor is touched; if this process dies, the runner sees that socket
 * close and ends the tool and the tool's children. What a tool leaves behind when it ends gets a second to end,
 * then TERM, a second later KILL; completion comes after that. Argument vectors only, never a shell (a script
 * needs its #! line); the environment is exactly the one given, PATH lookups use ours. Started by posix_spawn;
 * the runner is reaped by pid descriptor.
 *
 * One start is one completion, on the loop thread, never from inside a call. */
#ifndef ORR_PORT_PROCESS_H
#define ORR_PORT_PROCESS_H

#include "base/error.h"
#include "port/loop.h"

typedef struct orr__processes orr__processes;

/* Pointers are borrowed for the call of orr__process_start. */
typedef struct orr__process_spec {
  const char *const *argv;        /* NULL-terminated; argv[0] is looked up in PATH unless it has a slash */
  const char *const *env;         /* "NAME=value", NULL-terminated; NULL: PATH, HOME, LANG, TMPDIR, USER of ours only */
  const char *cwd;                /* NULL: / */
  const void *input;              /* its standard input (a memory file, so it may seek); NULL: /dev/null */
  size_t input_len;
  int64_t timeout_ms;             /* then TERM, after grace_ms KILL, and TIMEOUT; 0: no limit */
  int64_t grace_ms;               /* default 5,000 */
  bool is_own;                    /* a program of the runtime's own needs: it runs here, whoever carries the others */
  size_t max_output;              /* of each stream; more is dropped and is_truncated set; default 16 MiB */
} orr__process_spec;

typedef struct orr__process_reply {
  int code;                       /* 0: it ran and ended; else NO_PROGRAM, TIMEOUT, CANCELLED, IO, NOMEM */
  const char *message;            /* one line if code is not 0; NO_PROGRAM names the program */
  int exit_code;                  /* 0..255, or -1 if it was ended by a signal */
  int signal;                     /* 0, or what ended it */
  const char *out, *err;          /* NUL behind them; there for TIMEOUT and CANCELLED, too */
  size_t out_len, err_len;
  bool is_truncated;
} orr__process_reply;

typedef void (*orr__process_done)(void *arg, const orr__process_reply *reply); /* borrowed for the call */

/* Who runs them. Each function keeps the contract of the one of its name below. */
typedef struct orr__process_carrier {
  void *self;
  int (*start)(void *self, const orr__process_spec *spec, orr__process_done done, void *arg, uint64_t *ret_id, orr_error *reterr);
  void (*abort)(void *self, uint64_t id);
  char *(*find)(void *self, const char *name);
} orr__process_carrier;

/* runner_path: the job runner; borrowed copies are made. Owned. */
int orr__processes_new(orr__loop *loop, const char *runner_path, orr__processes **ret, orr_error *reterr);
/* Ends what runs (KILL); completions come with CANCELLED, from inside. */
void orr__processes_free(orr__processes *processes);
/* Instead of the job runner, for every process that is not is_own. Copied. Before the first process. */
void orr__processes_carry(orr__processes *processes, const orr__process_carrier *carrier);
int orr__process_start(orr__processes *processes, const orr__process_spec *spec, orr__process_done done,
                       void *arg, uint64_t *ret_id, orr_error *reterr);
/* TERM to the whole session, KILL after the grace; completes with CANCELLED (unless it had ended). */
void orr__process_abort(orr__processes *processes, uint64_t id);
/* Where the program is that would be run by that name (argv[0]): owned absolute path, or NULL: certainly nowhere. Here: in our PATH. */
char *orr__process_find(orr__processes *processes, const char *name);

/* Looks a program up in PATH: owned absolute path, or NULL. */
char *orr__program_find(const char *name);
/* The same for a program as needs.exec may name it: in one that begins with '/' a star stands for (a part of) one name, and
 * the first program that matches counts. Owned, or NULL. */
char *orr__program_match(const char *pattern);
/* The Debian package that brings a program, or NULL: "restic" for restic, "postgresql-client" for pg_dump. */
const char *orr__program_package(const char *name);

#endif
