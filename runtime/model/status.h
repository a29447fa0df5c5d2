/* The eight words of a result's status, and what may follow what.
 *
 *   START_REQUESTED -> INITIALIZING -> IN_PROGRESS -> SUCCEEDED | SUCCEEDED_WARNING | FAILED | CANCELLED
 *        any of these three -> CANCEL_REQUESTED -> a terminal one, or back to the status before it
 *
 * Terminal ones never change again. Non-terminal words do not overwrite CANCEL_REQUESTED (only the core takes
 * it back). Whether somebody should look is not a status but the field `attention`. */
#ifndef ORR_MODEL_STATUS_H
#define ORR_MODEL_STATUS_H

#include <stdbool.h>

#define ORR_STATUS_LIST(X) X(START_REQUESTED) X(INITIALIZING) X(IN_PROGRESS) X(CANCEL_REQUESTED) \
  X(CANCELLED) X(SUCCEEDED) X(SUCCEEDED_WARNING) X(FAILED)

/* The canonical word ("CANCELED" is taken for CANCELLED), static; NULL if it is none. */
const char *orr__status_canonical(const char *word);
const char *orr__status_nearest(const char *word); /* to suggest; or NULL */
bool orr__status_is_terminal(const char *word);    /* NULL: false */
const char *orr__status_at(unsigned i);            /* the i-th, NULL at the end */
/* May a provider's write take a result from one to the other? The same word is always fine. */
bool orr__status_may_follow(const char *from, const char *to);

#endif
