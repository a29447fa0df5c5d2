/* A command's way to the runtime of a data directory, whoever runs it.
 *
 *                 nobody holds DIR                     DIR is locked
 *   open --------> HOLDING: this process is          ------> CONNECTED: over DIR/socket
 *                  the runtime, and serves the socket
 *                     | runtime.handover                        | the connection ends
 *                     +--> close the runtime --> connect <------+--> open again (either way)
 *
 * In both states a request is the same line to the same dispatcher, and answers are the same messages. When the
 * directory changes hands, orr__client_wait says ORR_CLIENT_MOVED once: every request without a reply is void, and whoever
 * followed something asks again. orr__client_call does that by itself where it cannot do harm.
 *
 * A signal ends every wait with CANCELLED. */
#ifndef ORR_HOST_CLIENT_H
#define ORR_HOST_CLIENT_H

#include <stdbool.h>

#include "host/protocol.h"
#include "orrery.h"

#define ORR_REACH_MS 10000 /* how long to try to reach a runtime that holds the directory */

/* Where and how; everything is borrowed for the client's life. */
typedef struct orr__client_config {
  const char *data_dir;
  const orr_settings *settings; /* with role=command */
  int signal_fd;
  void (*log)(void *arg, const char *json); /* lines of a runtime in this process */
  void *log_arg;
  int reach_ms;        /* how long to try; 0: ORR_REACH_MS */
  bool only_reaches;   /* never holds the directory itself: who is not there already is not waited for */
} orr__client_config;

typedef struct orr__client orr__client;

enum { ORR_CLIENT_MESSAGE = 1, ORR_CLIENT_TIMEOUT = 2, ORR_CLIENT_MOVED = 3 };

/* NOT_FOUND when it only reaches, and nobody holds the directory. LOCKED when the directory is held and its holder cannot be reached for 10 s; what orr_open says; CANCELLED. */
int orr__client_open(const orr__client_config *config, orr__client **ret_client, orr_error *reterr);
/* Where this process is the runtime: answers what other commands have asked, lets the hooks that act outside come to their end (whoever
 * asked for them; after 4.5 s it says what it waits for), gives the rest 4.5 s, and closes it. A signal, now or before, cuts the waiting
 * short. NULL is fine. */
void orr__client_close(orr__client *client);
/* Is the runtime one that ends with a command (this or another), so that nothing is refreshed later? */
bool orr__client_is_command(const orr__client *client);
/* Is the runtime another process? Then its settings count, not ours. */
bool orr__client_is_remote(const orr__client *client);

/* Asks. args (JSON text) is borrowed; *ret_id is the number that its messages carry. */
int orr__client_ask(orr__client *client, const char *request, const char *args, uint64_t *ret_id, orr_error *reterr);
/* The next message (owned by the caller: orr__message_clear), TIMEOUT after timeout_ms (-1: never), MOVED, or an error:
 * CANCELLED after a signal, LOCKED when the runtime is gone for good. */
int orr__client_wait(orr__client *client, int64_t timeout_ms, orr__message *ret_message, orr_error *reterr);
/* Asks and waits for the reply; *ret_data is owned. The error of the reply is the error. */
int orr__client_call(orr__client *client, const char *request, const char *args, cJSON **ret_data, orr_error *reterr);

#endif
