/* The keys that seal secrets, and the file that they are kept in.
 *
 * The file has a line per key: 64 hexadecimal digits, then whatever else (we write the date). The first line is the
 * newest key: what is sealed from now on is sealed with it. More than one line means that a change of keys is not
 * over: some of what is stored may still be sealed with the others.
 *
 *   no file -> empty --renew--> one key --renew--> new and old --(all is sealed anew)--> settle --> one key
 *
 * The file is replaced whole, synced, before renew and settle return; a crash at any point leaves one of the states above,
 * and every key that something is sealed with in the file.
 *
 * Any thread may call anything. Knows nothing of what is sealed. */
#ifndef ORR_PORT_KEYRING_H
#define ORR_PORT_KEYRING_H

#include "port/crypto.h"

#define ORR_KEYRING_MAX 8

typedef struct orr__keyring orr__keyring;

/* Reads the file; an absent one is an empty ring. is_private: nobody but its owner may have any right to the file, else its
 * group may read it (systemd's credentials, Kubernetes' secrets). REFUSED: others could read or change it; CORRUPT. Owned. */
int orr__keyring_open(const char *path, bool is_private, orr__keyring **ret_ring, orr_error *reterr);
void orr__keyring_free(orr__keyring *ring); /* NULL is fine; wipes */

const char *orr__keyring_path(const orr__keyring *ring);
size_t orr__keyring_count(orr__keyring *ring);
/* Seals with the newest key; there must be one. */
int orr__keyring_seal(orr__keyring *ring, const char *context, const char *text, char **ret_sealed);
/* CORRUPT: altered, or the key is missing; the message names the file and the keys. */
int orr__keyring_unseal(orr__keyring *ring, const char *context, const char *sealed, char **ret_text, orr_error *reterr);
/* Has it the key of a sealed text? CORRUPT as above if not. What is not in a sealed form is no question of keys: 0. */
int orr__keyring_knows(orr__keyring *ring, const char *context, const char *sealed, orr_error *reterr);
bool orr__keyring_is_newest(orr__keyring *ring, const char *sealed); /* sealed with the newest key */

/* A new key for what is sealed from now on, unless a change is under way already. REFUSED: the file cannot be replaced
 * here; the message says how else keys can be changed. */
int orr__keyring_renew(orr__keyring *ring, orr_error *reterr);
/* Nothing is sealed with the old keys any more: they go, from the file and from memory. */
int orr__keyring_settle(orr__keyring *ring, orr_error *reterr);

typedef struct orr__key_info {
  char id[ORR_KEY_ID];
  char date[32]; /* of its making; "" where the file does not say */
} orr__key_info;
/* The newest first. */
size_t orr__keyring_list(orr__keyring *ring, orr__key_info out[ORR_KEYRING_MAX]);

#endif
