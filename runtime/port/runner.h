/* What the library and the job runner (runner_main.c) say to each other: descriptor numbers, the request, the
 * words on the control socket, the names of a job directory's files. Both sides include this and nothing else
 * of each other.
 *
 * The runner is started with exactly these descriptors, 0 to 2 being /dev/null:
 *
 *   3 control   a SEQPACKET socket. Library to runner: G go (nothing happens before it), T end the tool,
 *               K kill it; closed: the library is gone, end the tool (attached) or nobody listens (detached).
 *               Runner to library, attached: one report, see below; detached: S, the tool was executed, or
 *               closed without it: the exit file tells why not.
 *   4 request   a memfd: NUL-terminated entries, the first byte says what: a argument, e environment entry,
 *               d directory, t time-out in ms, g grace in ms, s stdout apart
 *   5 input     the tool's standard input: a sealed memfd or /dev/null
 *   6 out, 7 err  attached: the tool's standard output and error
 *   6 dir, 7 lock detached: the job directory and its lock file, locked already
 *
 * Report: `X exit_code signal is_cancelled is_timed_out` or `F code text`, code an ORR_E_ value. */
#ifndef ORR_PORT_RUNNER_H
#define ORR_PORT_RUNNER_H

enum {
  ORR_RUNNER_CONTROL = 3,
  ORR_RUNNER_REQUEST = 4,
  ORR_RUNNER_INPUT = 5,
  ORR_RUNNER_OUT = 6,
  ORR_RUNNER_ERR = 7,
  ORR_RUNNER_DIR = 6,
  ORR_RUNNER_LOCK = 7,
  ORR_RUNNER_FDS = 8
};

#define ORR_RUNNER_REPORT_MAX 512
#define ORR_RUNNER_REQUEST_MAX (16u << 20)

/* Files of a job directory. A stream is `log`, then `log.<offset of its first byte>` per piece. */
#define ORR_JOB_SPEC "spec"
#define ORR_JOB_LOCK "lock"
#define ORR_JOB_KEPT "kept"
#define ORR_JOB_BEGUN "begun"
#define ORR_JOB_CANCEL "cancel"
#define ORR_JOB_EXIT "exit"
#define ORR_JOB_LOG "log"
#define ORR_JOB_OUT "out"

/* Text files are a first line, then key=value lines (backslash and newline escaped), then `end`. */
#define ORR_JOB_SPEC_HEAD "orrery-spec 1"
#define ORR_JOB_BEGUN_HEAD "orrery-begun 1"
#define ORR_JOB_EXIT_HEAD "orrery-exit 1"

/* A stream keeps its first 4 MiB and, in pieces of 1 MiB, its newest 3 to 4 (the last piece is being filled). */
#define ORR_JOB_HEAD_SIZE (4u << 20)
#define ORR_JOB_PIECE_SIZE (1u << 20)
#define ORR_JOB_PIECES 4

#endif
