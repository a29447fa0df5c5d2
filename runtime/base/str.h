/* Small helpers on C strings, bytes and time that several layers need. All in plain libc, no globals. */
#ifndef ORR_BASE_STR_H
#define ORR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Owned copies; NULL when memory runs out or text is NULL. */
char *orr__strdup(const char *text);
char *orr__strndup(const char *text, size_t len);
char *orr__strf(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool orr__streq(const char *a, const char *b); /* NULL equals only NULL */
bool orr__starts_with(const char *text, const char *prefix);

/* The word of the list that is nearest to `word` (Levenshtein with transpositions, ignoring case), or
 * NULL if none is near enough to suggest (distance over 2, or over a third of its length).
 * at(arg, i) returns the i-th word, NULL at the end. */
const char *orr__nearest(const char *word, const char *(*at)(void *arg, size_t i), void *arg);

/* Is it well-formed UTF-8 without NUL? */
bool orr__utf8_valid(const char *bytes, size_t len);

/* Owned lower-case hexadecimal; base64 (standard alphabet, padded; url: the URL alphabet, unpadded). */
char *orr__hex(const void *bytes, size_t len);
char *orr__base64(const void *bytes, size_t len, bool url, size_t *ret_len);
/* Owned bytes (with a NUL behind them), or NULL if text is no base64 of either alphabet. */
char *orr__base64_decode(const char *text, size_t len, size_t *ret_len);

/* Formats 16 random bytes as a version 4 UUID; `out` has room for 37. Where the bytes come from is the
 * caller's business (port/crypto.h). */
void orr__uuid_format(const uint8_t bytes[16], char out[37]);
bool orr__uuid_valid(const char *text);

/* Milliseconds since 1970 UTC <-> ISO 8601. Parse takes `2026-11-23`, `2026-11-23T06:50:24Z`, fractions,
 * a blank instead of T, and offsets `+01:00`, `+0100`; no offset means UTC. False if it is no date. */
bool orr__iso_parse(const char *text, int64_t *ret_ms);
void orr__iso_format(int64_t ms, char out[32]); /* 2026-11-23T06:50:24.123Z, no fraction if it is 0 */

/* Days since 1970 <-> a civil date of the proleptic Gregorian calendar; month and day from 1. */
int64_t orr__days_from_civil(int64_t year, int month, int day);
void orr__civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* A 64-bit hash for tables and for spreading load: stable between versions and machines (FNV-1a). */
uint64_t orr__hash64(const void *bytes, size_t len);

/* Reads a whole regular file into owned memory with a NUL behind it; at most max bytes.
 * Returns 0 or ORR_E_NOT_FOUND, ORR_E_IO, ORR_E_LIMIT, ORR_E_NOMEM. */
struct orr_error;
int orr__file_read(const char *path, size_t max, char **ret_data, size_t *ret_len,
                   struct orr_error *reterr);
/* Writes it whole or not at all: temporary file beside it, fsync, rename, fsync of the folder. */
int orr__file_write(const char *path, const void *data, size_t len, unsigned mode,
                    struct orr_error *reterr);
/* Renames a file or folder, replacing a file or an empty folder that is called `to`, and syncs the folder it is in then.
 * Returns 0 or ORR_E_NOT_FOUND, ORR_E_EXISTS (a folder with something in it), ORR_E_IO, ORR_E_NOMEM. */
int orr__file_rename(const char *from, const char *to, struct orr_error *reterr);

#endif
