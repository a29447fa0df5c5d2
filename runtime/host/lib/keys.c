/* The ring of keys as the store wants it: a codec for secrets. */
#include <stdlib.h>

#include "base/str.h"
#include "host/lib/lib.h"

/* The codec over the ring of keys. */
static int seal(void *ring, const char *context, const char *text, char **ret) {
  return orr__keyring_seal(ring, context, text, ret);
}
static int unseal(void *ring, const char *context, const char *sealed, char **ret, orr_error *reterr) {
  return orr__keyring_unseal(ring, context, sealed, ret, reterr);
}
static int knows(void *ring, const char *context, const char *sealed, orr_error *reterr) {
  return orr__keyring_knows(ring, context, sealed, reterr);
}
static size_t count_keys(void *ring) { return orr__keyring_count(ring); }
static bool is_newest(void *ring, const char *sealed) { return orr__keyring_is_newest(ring, sealed); }
static int renew(void *ring, orr_error *reterr) { return orr__keyring_renew(ring, reterr); }
static int settle(void *ring, orr_error *reterr) { return orr__keyring_settle(ring, reterr); }

orr__store_codec orr__keys_codec(orr__keyring *ring) {
  return (orr__store_codec){ ring, seal, unseal, knows, count_keys, is_newest, renew, settle };
}

/* An old key that could not be dropped: the file is not ours to write. */
void orr__tell_old_keys(orr_runtime *rt) {
  if (orr__keyring_count(rt->keyring) < 2) return;
  orr__key_info keys[ORR_KEYRING_MAX];
  orr__keyring_list(rt->keyring, keys);
  char *line = orr__strf("everything is sealed with key %s: remove every line but the first from %s", keys[0].id,
                         orr__keyring_path(rt->keyring));
  if (line) orr__on_log(rt, ORR_LOG_WARNING, NULL, line);
  free(line);
}
