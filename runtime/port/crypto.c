/* Hashes, random bytes and sealing: libsodium's functions in our shape, no cryptography of our own.
 *
 * Deliberately ignorant of what is sealed and of where keys are kept (keyring.c).
 *
 * Invariants: what is sealed uses the system's random bytes whatever source the run was given; keys and
 * opened texts are wiped from every buffer that is released here. */
#include "port/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define SEAL_PREFIX "s2:"
#define SEAL_PREFIX_OLD "s1:" /* of before keys had ids */
#define SEAL_OVERHEAD (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)

_Static_assert(ORR_SEAL_KEY == crypto_secretbox_KEYBYTES, "the sealing key is a secretbox key");
_Static_assert(ORR_SEAL_KEY == crypto_generichash_KEYBYTES, "and keys the hash of the context");
_Static_assert(ORR_DIGEST_MAX == crypto_hash_sha512_BYTES, "room for the longest digest");

int orr__crypto_init(orr_error *reterr) {
  if (sodium_init() < 0) return orr__error_set(reterr, ORR_E_IO, "libsodium: no source of random bytes");
  return 0;
}

const char *orr__crypto_library(void) { return sodium_version_string(); }

void orr__wipe(void *bytes, size_t len) {
  if (bytes != NULL) sodium_memzero(bytes, len);
}

size_t orr__hash(enum orr__digest kind, const void *data, size_t len, uint8_t out[ORR_DIGEST_MAX]) {
  if (kind == ORR_SHA512) {
    crypto_hash_sha512(out, data, len);
    return crypto_hash_sha512_BYTES;
  }
  crypto_hash_sha256(out, data, len);
  return crypto_hash_sha256_BYTES;
}

size_t orr__hmac(enum orr__digest kind, const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[ORR_DIGEST_MAX]) {
  size_t digest_len;
  if (kind == ORR_SHA512) {
    crypto_auth_hmacsha512_state state;
    crypto_auth_hmacsha512_init(&state, key, key_len);
    crypto_auth_hmacsha512_update(&state, data, len);
    crypto_auth_hmacsha512_final(&state, out);
    orr__wipe(&state, sizeof state);
    digest_len = crypto_auth_hmacsha512_BYTES;
  } else {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, data, len);
    crypto_auth_hmacsha256_final(&state, out);
    orr__wipe(&state, sizeof state);
    digest_len = crypto_auth_hmacsha256_BYTES;
  }
  return digest_len;
}

char *orr__sha256_hex(const void *data, size_t len) {
  uint8_t digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, data, len);
  return orr__hex(digest, sizeof digest);
}

int orr__sha256_file(const char *path, char ret_hex[65], orr_error *reterr) {
  int rc = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    int code = errno == ENOENT || errno == ENOTDIR ? ORR_E_NOT_FOUND : ORR_E_IO;
    return orr__error_errno(reterr, code, errno, "%s", path);
  }
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (;;) {
    uint8_t piece[32768];
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      rc = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
      goto done;
    }
    if (n == 0) break;
    crypto_hash_sha256_update(&state, piece, (size_t)n);
  }
  uint8_t digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state, digest);
  sodium_bin2hex(ret_hex, 65, digest, sizeof digest);
done:
  close(fd);
  return rc;
}

static void fill_system(orr__random *self, void *out, size_t len) {
  (void)self;
  randombytes_buf(out, len);
}

/* The state is the seed of libsodium's deterministic stream, and its last word counts the fills. */
static void fill_seeded(orr__random *self, void *out, size_t len) {
  uint8_t seed[randombytes_SEEDBYTES] = { 0 };
  for (size_t i = 0; i < 32; i++) seed[i] = (uint8_t)(self->state[i / 8] >> (i % 8 * 8));
  self->state[3]++;
  randombytes_buf_deterministic(out, len, seed);
}

void orr__random_system(orr__random *random) {
  *random = (orr__random){ .fill = fill_system };
}

void orr__random_seeded(orr__random *random, uint64_t seed) {
  *random = (orr__random){ .fill = fill_seeded, .state = { seed, 0, 0, 0 } };
}

void orr__random_uuid(orr__random *random, char out[37]) {
  uint8_t bytes[16];
  random->fill(random, bytes, sizeof bytes);
  orr__uuid_format(bytes, out);
}

uint64_t orr__random_u64(orr__random *random) {
  uint8_t bytes[8];
  random->fill(random, bytes, sizeof bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof bytes; i++) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

/* ---- sealing ------------------------------------------------------------------------------------------------ */

void orr__key_new(uint8_t ret_key[ORR_SEAL_KEY]) { randombytes_buf(ret_key, ORR_SEAL_KEY); }

bool orr__key_parse(const char *digits, uint8_t ret_key[ORR_SEAL_KEY]) {
  size_t len = 0;
  return sodium_hex2bin(ret_key, ORR_SEAL_KEY, digits, ORR_KEY_DIGITS, NULL, &len, NULL) == 0 && len == ORR_SEAL_KEY;
}

void orr__key_print(const uint8_t key[ORR_SEAL_KEY], char out[ORR_KEY_DIGITS + 1]) {
  sodium_bin2hex(out, ORR_KEY_DIGITS + 1, key, ORR_SEAL_KEY);
}

/* A hash under the key itself: it tells keys apart and nothing of them. */
void orr__key_id(const uint8_t key[ORR_SEAL_KEY], char out[ORR_KEY_ID]) {
  static const char purpose[] = "orrery key id";
  uint8_t digest[crypto_generichash_BYTES];
  crypto_generichash(digest, sizeof digest, (const uint8_t *)purpose, sizeof purpose - 1, key, ORR_SEAL_KEY);
  sodium_bin2hex(out, ORR_KEY_ID, digest, (ORR_KEY_ID - 1) / 2);
}

/* Where the base64 begins; NULL: not in a sealed form. The id is "" in the form that had none. */
static const char *find_box(const char *sealed, char ret_id[ORR_KEY_ID]) {
  ret_id[0] = '\0';
  if (orr__starts_with(sealed, SEAL_PREFIX_OLD)) return sealed + strlen(SEAL_PREFIX_OLD);
  if (!orr__starts_with(sealed, SEAL_PREFIX)) return NULL;
  const char *id = sealed + strlen(SEAL_PREFIX);
  if (strspn(id, "0123456789abcdef") != ORR_KEY_ID - 1 || id[ORR_KEY_ID - 1] != ':') return NULL;
  memcpy(ret_id, id, ORR_KEY_ID - 1);
  ret_id[ORR_KEY_ID - 1] = '\0';
  return id + ORR_KEY_ID;
}

bool orr__sealed_id(const char *sealed, char ret_id[ORR_KEY_ID]) { return find_box(sealed, ret_id) != NULL; }

/* Secretbox has no place for a context, so each context gets a key of its own. */
static void context_key(const uint8_t key[ORR_SEAL_KEY], const char *context, uint8_t out[ORR_SEAL_KEY]) {
  crypto_generichash(out, ORR_SEAL_KEY, (const uint8_t *)context, strlen(context), key, ORR_SEAL_KEY);
}

int orr__seal(const uint8_t key[ORR_SEAL_KEY], const char *context, const char *text, char **ret_sealed) {
  int rc = ORR_E_NOMEM;
  size_t text_len = strlen(text);
  size_t box_len = SEAL_OVERHEAD + text_len;
  char *encoded = NULL;
  uint8_t own_key[ORR_SEAL_KEY];
  uint8_t *box = malloc(box_len);
  if (box == NULL) return rc;
  context_key(key, context, own_key);
  randombytes_buf(box, crypto_secretbox_NONCEBYTES);
  crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const uint8_t *)text, text_len, box, own_key);
  encoded = orr__base64(box, box_len, false, NULL);
  if (encoded == NULL) goto done;
  char id[ORR_KEY_ID];
  orr__key_id(key, id);
  char *sealed = orr__strf(SEAL_PREFIX "%s:%s", id, encoded);
  if (sealed == NULL) goto done;
  *ret_sealed = sealed;
  rc = 0;
done:
  orr__wipe(own_key, sizeof own_key);
  free(encoded);
  free(box);
  return rc;
}

int orr__unseal(const uint8_t key[ORR_SEAL_KEY], const char *context, const char *sealed, char **ret_text,
                orr_error *reterr) {
  int rc = 0;
  size_t box_len = 0;
  uint8_t *box = NULL;
  char *text = NULL;
  uint8_t own_key[ORR_SEAL_KEY];
  char id[ORR_KEY_ID];
  context_key(key, context, own_key);
  const char *encoded = find_box(sealed, id);
  if (encoded) box = (uint8_t *)orr__base64_decode(encoded, strlen(encoded), &box_len);
  if (box == NULL || box_len < SEAL_OVERHEAD) {
    rc = orr__error_set(reterr, ORR_E_CORRUPT, "sealed text of %s: not in the sealed form", context);
    goto done;
  }
  text = malloc(box_len - SEAL_OVERHEAD + 1);
  if (text == NULL) {
    rc = orr__error_set(reterr, ORR_E_NOMEM, "sealed text of %s: out of memory", context);
    goto done;
  }
  if (crypto_secretbox_open_easy((uint8_t *)text, box + crypto_secretbox_NONCEBYTES,
                                 box_len - crypto_secretbox_NONCEBYTES, box, own_key) != 0) {
    rc = orr__error_set(reterr, ORR_E_CORRUPT, "sealed text of %s: altered, or sealed with another key", context);
    goto done;
  }
  text[box_len - SEAL_OVERHEAD] = '\0';
  *ret_text = text;
  text = NULL;
done:
  orr__wipe(own_key, sizeof own_key);
  free(text);
  free(box);
  return rc;
}
