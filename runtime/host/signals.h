/* SIGINT, SIGTERM and SIGHUP as bytes in a pipe, for programs whose loop is poll(). The program owns its signals; the
 * library never touches them. A handler, not a blocked mask with signalfd: handlers are reset by exec, a mask would be
 * inherited by every tool that a provider starts, and then nobody could end it. SIGPIPE is made harmless the same way.
 *
 * The one piece of state a signal handler needs is global, so this belongs to the program, not to liborrery. */
#ifndef ORR_HOST_SIGNALS_H
#define ORR_HOST_SIGNALS_H

#include "base/error.h"

/* Installs the handlers; *ret_fd becomes readable when a signal has come. Once per process. */
int orr__signals_open(int *ret_fd, orr_error *reterr);
/* How many signals have come so far (the pipe is emptied). A second one means: at once. */
int orr__signals_count(void);
/* For a daemon: SIGHUP no longer counts among them but apart, as what it means to daemons. */
void orr__signals_spare_hangup(void);
int orr__signals_hangups(void); /* so far */

#endif
