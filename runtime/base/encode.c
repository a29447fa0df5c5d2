/* Bytes as text: hexadecimal, base64, UUIDs; and the hash that spreads load.
 *
 * Deliberately does not know randomness or cryptography (port/crypto.h). Decoding is strict: one
 * alphabet per text, no blanks, no stray bits in the last character. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char alphabet_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char hex_digits[] = "0123456789abcdef";

char *orr__hex(const void *bytes, size_t len) {
  if (len > (SIZE_MAX - 1) / 2) return NULL;
  char *text = malloc(len * 2 + 1);
  if (!text) return NULL;
  const uint8_t *in = bytes;
  for (size_t i = 0; i < len; i++) {
    text[i * 2] = hex_digits[in[i] >> 4];
    text[i * 2 + 1] = hex_digits[in[i] & 15];
  }
  text[len * 2] = '\0';
  return text;
}

char *orr__base64(const void *bytes, size_t len, bool url, size_t *ret_len) {
  if (len > SIZE_MAX / 2) return NULL;
  char *text = malloc((len + 2) / 3 * 4 + 1);
  if (!text) return NULL;
  const char *alphabet = url ? alphabet_url : alphabet_standard;
  const uint8_t *in = bytes;
  char *out = text;
  for (size_t i = 0; i < len; i += 3) {
    size_t left = len - i;
    uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                     (left > 2 ? in[i + 2] : 0);
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    if (left > 1) *out++ = alphabet[group >> 6 & 63];
    if (left > 2) *out++ = alphabet[group & 63];
    for (; !url && left < 3; left++) *out++ = '=';
  }
  *out = '\0';
  if (ret_len) *ret_len = (size_t)(out - text);
  return text;
}

/* 0 to 63, or -1. Notes in *specials which alphabet a telling character belongs to (1 standard, 2 URL). */
static int base64_digit(char c, unsigned *specials) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '/') *specials |= 1;
  if (c == '-' || c == '_') *specials |= 2;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

char *orr__base64_decode(const char *text, size_t len, size_t *ret_len) {
  if (!text) return NULL;
  size_t padding = 0;
  while (len > 0 && padding < 2 && text[len - 1] == '=') len--, padding++;
  if (len % 4 == 1 || (padding > 0 && (len + padding) % 4 != 0)) return NULL;
  uint8_t *bytes = malloc(len / 4 * 3 + 3);
  if (!bytes) return NULL;
  size_t out = 0;
  unsigned specials = 0, bits = 0;
  uint32_t group = 0;
  bool valid = true;
  for (size_t i = 0; i < len && valid; i++) {
    int digit = base64_digit(text[i], &specials);
    valid = digit >= 0;
    group = (group << 6 | (uint32_t)(digit & 63)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[out++] = (uint8_t)(group >> bits);
    }
  }
  bool has_stray_bits = (group & ((1u << bits) - 1)) != 0;
  if (!valid || specials == 3 || has_stray_bits) {
    free(bytes);
    return NULL;
  }
  bytes[out] = '\0';
  if (ret_len) *ret_len = out;
  return (char *)bytes;
}

void orr__uuid_format(const uint8_t bytes[16], char out[37]) {
  size_t at = 0;
  for (size_t i = 0; i < 16; i++) {
    uint8_t byte = bytes[i];
    if (i == 6) byte = (byte & 0x0f) | 0x40;
    if (i == 8) byte = (byte & 0x3f) | 0x80;
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    out[at++] = hex_digits[byte >> 4];
    out[at++] = hex_digits[byte & 15];
  }
  out[at] = '\0';
}

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool orr__uuid_valid(const char *text) {
  if (!text || strnlen(text, 37) != 36) return false;
  for (size_t i = 0; i < 36; i++) {
    bool wants_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (wants_dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

uint64_t orr__hash64(const void *bytes, size_t len) {
  const uint8_t *in = bytes;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++) hash = (hash ^ in[i]) * UINT64_C(0x100000001b3);
  return hash;
}
