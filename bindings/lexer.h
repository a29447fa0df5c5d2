/* The words of a Lua source: enough to look at a provider without running it. Knows no grammar. */
#ifndef ORR_BINDINGS_LEXER_H
#define ORR_BINDINGS_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum orr__token_kind { ORR_TOKEN_NAME, ORR_TOKEN_KEYWORD, ORR_TOKEN_VALUE, ORR_TOKEN_SIGN };

typedef struct orr__token {
  const char *text;          /* into the source; of a sign all of it ("==", "..") */
  size_t len;
  unsigned line;
  enum orr__token_kind kind; /* VALUE: a string or a number */
} orr__token;

typedef struct orr__tokens {
  orr__token *items;
  size_t count;
} orr__tokens;

/* All of them, without comments; a text that ends in the midst of a string ends the list. 0 or NOMEM. */
int orr__tokens_read(const char *text, size_t len, orr__tokens *ret);
void orr__tokens_clear(orr__tokens *tokens);
/* Is there a token i, and is it this word or sign? */
bool orr__token_is(const orr__tokens *tokens, size_t i, const char *text);

#endif
