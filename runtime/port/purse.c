/* A purse (purse.h): a counter with references. One thread only; knows nothing of what the bytes are. */
#include "port/purse.h"

#include <assert.h>
#include <stdlib.h>

struct orr__purse {
  size_t refs, taken, most;
};

orr__purse *orr__purse_new(size_t most) {
  orr__purse *purse = calloc(1, sizeof *purse);
  if (!purse) return NULL;
  purse->refs = 1;
  purse->most = most;
  return purse;
}

orr__purse *orr__purse_ref(orr__purse *purse) {
  if (purse) purse->refs++;
  return purse;
}

void orr__purse_unref(orr__purse *purse) {
  if (purse && --purse->refs == 0) free(purse);
}

bool orr__purse_take(orr__purse *purse, size_t bytes) {
  if (!purse) return true;
  if (bytes > purse->most - purse->taken) return false;
  purse->taken += bytes;
  return true;
}

void orr__purse_give(orr__purse *purse, size_t bytes) {
  if (!purse) return;
  assert(bytes <= purse->taken);
  purse->taken -= bytes;
}
