/* Splits Lua source into words (lexer.h). Strings and numbers are one word each, comments none. What is no Lua becomes signs of one
 * byte: the compiler has refused it already. */
#include "lexer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

typedef struct scan {
  const char *at, *end;
  unsigned line;
} scan;

static bool is_word(char c) {
  return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static char peek(const scan *s, size_t ahead) {
  return (size_t)(s->end - s->at) > ahead ? s->at[ahead] : '\0';
}

static void forward(scan *s, size_t count) {
  for (; count > 0 && s->at < s->end; count--)
    if (*s->at++ == '\n') s->line++;
}

/* The number of signs between the brackets of [==[; -1: no long bracket begins here. */
static int long_level(const scan *s) {
  int level = 0;
  if (peek(s, 0) != '[') return -1;
  while (peek(s, 1 + (size_t)level) == '=') level++;
  return peek(s, 1 + (size_t)level) == '[' ? level : -1;
}

static void skip_long(scan *s, int level) {
  forward(s, (size_t)level + 2);
  for (; s->at < s->end; forward(s, 1)) {
    int signs = 0;
    if (*s->at != ']') continue;
    while (peek(s, 1 + (size_t)signs) == '=') signs++;
    if (signs != level || peek(s, 1 + (size_t)signs) != ']') continue;
    forward(s, (size_t)level + 2);
    return;
  }
}

static void skip_string(scan *s) {
  char quote = *s->at;
  for (forward(s, 1); s->at < s->end && *s->at != quote; forward(s, 1))
    if (*s->at == '\\') forward(s, 1);
  forward(s, 1);
}

static void skip_comment(scan *s) {
  forward(s, 2);
  int level = long_level(s);
  if (level >= 0) skip_long(s, level);
  else
    while (s->at < s->end && *s->at != '\n') forward(s, 1);
}

static bool is_keyword(const char *text, size_t len) {
  static const char *const words[] = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
                                       "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) return true;
  return false;
}

static size_t sign_length(const scan *s) {
  static const char *const signs[] = { "...", "..", "==", "~=", "<=", ">=", "::" };
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
    size_t len = strlen(signs[i]);
    if ((size_t)(s->end - s->at) >= len && memcmp(s->at, signs[i], len) == 0) return len;
  }
  return 1;
}

/* Reads one token; false at the end. Blanks and comments are behind us. */
static bool next_token(scan *s, orr__token *ret) {
  if (s->at >= s->end) return false;
  *ret = (orr__token){ s->at, 0, s->line, ORR_TOKEN_VALUE };
  int level = long_level(s);
  if (level >= 0) {
    skip_long(s, level);
  } else if (*s->at == '"' || *s->at == '\'') {
    skip_string(s);
  } else if (isdigit((unsigned char)*s->at) || (*s->at == '.' && isdigit((unsigned char)peek(s, 1)))) {
    while (s->at < s->end && (is_word(*s->at) || (*s->at == '.' && peek(s, 1) != '.') || (strchr("+-", *s->at) && strchr("eEpP", s->at[-1]))))
      forward(s, 1);
  } else if (is_word(*s->at)) {
    while (s->at < s->end && is_word(*s->at)) forward(s, 1);
    ret->kind = is_keyword(ret->text, (size_t)(s->at - ret->text)) ? ORR_TOKEN_KEYWORD : ORR_TOKEN_NAME;
  } else {
    forward(s, sign_length(s));
    ret->kind = ORR_TOKEN_SIGN;
  }
  ret->len = (size_t)(s->at - ret->text);
  return true;
}

static void skip_blank(scan *s) {
  for (;;) {
    if (s->at < s->end && isspace((unsigned char)*s->at)) forward(s, 1);
    else if (peek(s, 0) == '-' && peek(s, 1) == '-') skip_comment(s);
    else return;
  }
}

int orr__tokens_read(const char *text, size_t len, orr__tokens *ret) {
  scan s = { text, text + len, 1 };
  orr__tokens tokens = { NULL, 0 };
  orr__token token;
  size_t cap = 0;
  if (peek(&s, 0) == '#') skip_comment(&s);
  for (skip_blank(&s); next_token(&s, &token); skip_blank(&s)) {
    if (tokens.count == cap) {
      cap = cap ? cap * 2 : 256;
      orr__token *items = realloc(tokens.items, cap * sizeof *items);
      if (!items) {
        orr__tokens_clear(&tokens);
        return ORR_E_NOMEM;
      }
      tokens.items = items;
    }
    tokens.items[tokens.count++] = token;
  }
  *ret = tokens;
  return 0;
}

void orr__tokens_clear(orr__tokens *tokens) {
  free(tokens->items);
  *tokens = (orr__tokens){ NULL, 0 };
}

bool orr__token_is(const orr__tokens *tokens, size_t i, const char *text) {
  return i < tokens->count && strlen(text) == tokens->items[i].len && memcmp(tokens->items[i].text, text, tokens->items[i].len) == 0 &&
         tokens->items[i].kind != ORR_TOKEN_VALUE;
}
