/* The job runner's own parts, for its *_main.c files only. */
#ifndef ORR_PORT_RUNNER_PARTS_H
#define ORR_PORT_RUNNER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One capped stream of a job (runner_log_main.c). */
typedef struct orr__runner_log {
  const char *name;               /* NULL: not in use */
  int dir, fd;
  int64_t piece_base;             /* where in the stream the file now written begins */
  int64_t piece_len;
  int64_t bases[4];               /* of the pieces that exist, oldest first */
  int base_count;
  bool is_incomplete;             /* the disk did not take something */
} orr__runner_log;

int orr__runner_log_open(orr__runner_log *log, int dir, const char *name); /* 0 or -errno */
/* Takes what is in the pipe, at most 1 MiB per call; false once it is at its end. */
bool orr__runner_log_pump(orr__runner_log *log, int pipe);
void orr__runner_log_close(orr__runner_log *log); /* synced */

/* What the tool is and how it is to be run (runner_tool_main.c). */
typedef struct orr__runner_tool {
  char *request;                  /* owned; the pointers below point into it */
  char **argv, **env;             /* owned arrays */
  const char *cwd;
  int64_t timeout_ms, grace_ms;
  bool is_split;
  int input, out, err, lock;      /* the descriptors it gets; lock -1: none */
  pid_t pid;
  int go;                         /* written to: execute now; -1 afterwards */
  int told;                       /* the errors of what comes before execve */
} orr__runner_tool;

/* Reads the request; 0 or -errno. */
int orr__runner_tool_read(orr__runner_tool *tool, int request);
/* Forks; the child waits for orr__runner_tool_go. 0 or -errno. */
int orr__runner_tool_fork(orr__runner_tool *tool);
/* Lets it execute. 0, or an ORR_E_ code with one line of text. */
int orr__runner_tool_go(orr__runner_tool *tool, char *text, size_t size);
/* Sends a signal once to every process under this one. tool: its group first, 0 when it was reaped. */
void orr__runner_signal_all(pid_t tool, int signum);

/* Leaves a keeper behind and returns as the runner (runner_keep_main.c). Signals are blocked already. */
void orr__runner_keep(bool is_detached);

/* How it ended, as reported. */
typedef struct orr__runner_end {
  int failure;                    /* 0, or the ORR_E_ code of why it was never executed */
  int exit_code, signal;
  bool is_cancelled, is_timed_out;
  int64_t started_ms, ended_ms;
  char text[256];
} orr__runner_end;

/* Files of the job directory (runner_files_main.c); 0 or -errno. */
int orr__runner_reserve(int dir);
int orr__runner_write_begun(int dir, pid_t tool, int64_t started_ms);
int orr__runner_write_exit(int dir, const orr__runner_end *end);
/* Has somebody removed the directory, after what was in it? */
bool orr__runner_is_dir_gone(int dir);
int64_t orr__runner_wall_ms(void);
int64_t orr__runner_mono_ms(void);

#endif
