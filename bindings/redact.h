/* Known secrets, in the forms they may show up in: raw, base64 at any offset (so also inside `user:password`), URL-encoded, and
 * as JSON writes them. Values shorter than ORR_SECRET_MIN are not looked for: they would blacken ordinary words. */
#ifndef ORR_BINDINGS_REDACT_H
#define ORR_BINDINGS_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#define ORR_SECRET_MIN 4
#define ORR_SECRETS_MAX 1000
#define ORR_SECRET_LEN_MAX 65536

typedef struct orr__secret {
  char *form;
  size_t len;
  bool has_before, has_after; /* base64: the character there holds some bits of the secret, too */
} orr__secret;

typedef struct orr__secrets {
  orr__secret *items;        /* every form, the longest first */
  size_t count, cap;
  bool begins[256];          /* some form begins with this byte */
} orr__secrets;

int orr__secrets_add(orr__secrets *secrets, const char *text, size_t len); /* known already: fine */
/* text with every form replaced by "***", cut to at most `most` bytes (not inside a UTF-8 character) afterwards, so that no part
 * of a secret is left at the cut; owned, NULL when out of memory. The work depends on `most`, not on len. */
char *orr__secrets_redact(const orr__secrets *secrets, const char *text, size_t len, size_t most);
/* The same of bytes that may be no text, and cut wherever `most` is. */
char *orr__secrets_redact_bytes(const orr__secrets *secrets, const char *bytes, size_t len, size_t most, size_t *ret_len);
void orr__secrets_clear(orr__secrets *secrets);

#endif
