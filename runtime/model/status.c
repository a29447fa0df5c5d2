/* The words of a result's status.
 *
 * Deliberately does not know what a change of status leads to; that is the core's business. Everything is read
 * from ORR_STATUS_LIST but the three sets below. */
#include "model/status.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

static const char *const words[] = {
#define X(word) #word,
  ORR_STATUS_LIST(X)
#undef X
};
enum { WORD_COUNT = sizeof words / sizeof *words };

enum place { BEFORE_THE_END, CANCELLING, TERMINAL, NOWHERE };

static enum place place_of(const char *canonical) {
  if (!canonical) return NOWHERE;
  if (strcmp(canonical, "CANCEL_REQUESTED") == 0) return CANCELLING;
  static const char *const open[] = {"START_REQUESTED", "INITIALIZING", "IN_PROGRESS"};
  for (size_t i = 0; i < sizeof open / sizeof *open; i++)
    if (strcmp(canonical, open[i]) == 0) return BEFORE_THE_END;
  return TERMINAL;
}

const char *orr__status_at(unsigned i) {
  return i < WORD_COUNT ? words[i] : NULL;
}

const char *orr__status_canonical(const char *word) {
  if (!word) return NULL;
  if (strcmp(word, "CANCELED") == 0) return "CANCELLED";
  for (size_t i = 0; i < WORD_COUNT; i++)
    if (strcmp(words[i], word) == 0) return words[i];
  return NULL;
}

static const char *word_at(void *arg, size_t i) {
  (void)arg;
  return i < WORD_COUNT ? words[i] : NULL;
}

const char *orr__status_nearest(const char *word) {
  return word ? orr__nearest(word, word_at, NULL) : NULL;
}

bool orr__status_is_terminal(const char *word) {
  return place_of(orr__status_canonical(word)) == TERMINAL;
}

bool orr__status_may_follow(const char *from, const char *to) {
  const char *old = orr__status_canonical(from), *new = orr__status_canonical(to);
  if (!new) return false;
  if (!old || old == new || strcmp(old, new) == 0) return true;
  switch (place_of(old)) {
    case TERMINAL: return false;
    case CANCELLING: return place_of(new) == TERMINAL;
    /* Also backwards among the three: external systems put jobs back into their queues. */
    default: return true;
  }
}
