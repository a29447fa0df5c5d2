/* Hashes, random bytes and sealing, over libsodium: the only door to it. Random bytes come from a
 * source that tests can seed, so that a run can be repeated; sealing never does. */
#ifndef ORR_PORT_CRYPTO_H
#define ORR_PORT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

int orr__crypto_init(orr_error *reterr); /* any number of times, any thread */
const char *orr__crypto_library(void);   /* the version of libsodium that is linked with us */

enum orr__digest { ORR_SHA256, ORR_SHA512 };
#define ORR_DIGEST_MAX 64
/* Return the number of bytes written: 32 or 64. */
size_t orr__hash(enum orr__digest kind, const void *data, size_t len, uint8_t out[ORR_DIGEST_MAX]);
size_t orr__hmac(enum orr__digest kind, const void *key, size_t key_len, const void *data, size_t len,
                 uint8_t out[ORR_DIGEST_MAX]);
/* Owned hexadecimal; NULL when out of memory. */
char *orr__sha256_hex(const void *data, size_t len);
/* The digest of a file, read in pieces. 0 or NOT_FOUND, IO. */
int orr__sha256_file(const char *path, char ret_hex[65], orr_error *reterr);

typedef struct orr__random {
  void (*fill)(struct orr__random *self, void *out, size_t len);
  uint64_t state[4];             /* of a seeded source */
} orr__random;
void orr__random_system(orr__random *random);
void orr__random_seeded(orr__random *random, uint64_t seed);
void orr__random_uuid(orr__random *random, char out[37]);
uint64_t orr__random_u64(orr__random *random);

/* A key of 32 bytes, its hexadecimal digits, and its id, by which a key is spoken of: 8 digits that reveal nothing. */
#define ORR_SEAL_KEY 32
#define ORR_KEY_DIGITS (2 * ORR_SEAL_KEY)
#define ORR_KEY_ID 9
void orr__key_new(uint8_t ret_key[ORR_SEAL_KEY]);
bool orr__key_parse(const char *digits, uint8_t ret_key[ORR_SEAL_KEY]); /* reads ORR_KEY_DIGITS characters */
void orr__key_print(const uint8_t key[ORR_SEAL_KEY], char out[ORR_KEY_DIGITS + 1]);
void orr__key_id(const uint8_t key[ORR_SEAL_KEY], char out[ORR_KEY_ID]);

/* Authenticated encryption of short texts under a key (XSalsa20-Poly1305, random nonce). `context` ("table.column")
 * is bound in, so that a sealed text moved elsewhere does not open. The sealed form is printable: "s2:", the key's
 * id, ":" and base64; "s1:" and base64, without an id, opens too. Owned; open fails with CORRUPT. */
int orr__seal(const uint8_t key[ORR_SEAL_KEY], const char *context, const char *text, char **ret_sealed);
int orr__unseal(const uint8_t key[ORR_SEAL_KEY], const char *context, const char *sealed, char **ret_text,
                orr_error *reterr);
/* Which key it was sealed with: its id, "" where the form has none. False: not a sealed form. */
bool orr__sealed_id(const char *sealed, char ret_id[ORR_KEY_ID]);
void orr__wipe(void *bytes, size_t len);

#endif
