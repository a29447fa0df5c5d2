/* Telling a service manager how we are: sd_notify's datagrams, without its library. The manager's socket is $NOTIFY_SOCKET (a path, or
 * @NAME for an abstract one); without it every call does nothing.
 *
 * The environment is read and cleared once, so that no child speaks for us. Knows no systemd beyond this protocol. */
#ifndef ORR_HOST_NOTIFY_H
#define ORR_HOST_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct orr__notify orr__notify;

/* Owned. INVALID or IO for a socket that is none (*ret_notify is set all the same and says nothing), so that it can be told once. */
int orr__notify_open(orr__notify **ret_notify, orr_error *reterr);
void orr__notify_free(orr__notify *notify); /* NULL is fine */
bool orr__notify_is_heard(const orr__notify *notify);
/* Sends "KEY=value" lines. What cannot be sent at once is tried for 100 ms and then left. */
void orr__notify_send(orr__notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How often WATCHDOG=1 is due: half of what the manager waits; 0: it does not watch. */
int64_t orr__notify_watchdog_ms(const orr__notify *notify);

#endif
