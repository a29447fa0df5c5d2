/* The ring of keys and its file; see keyring.h.
 *
 * Deliberately does not know the database: whoever calls settle has seen to it that nothing needs the old keys.
 *
 * Invariants: what a ring holds is in its file, or was there when the ring was opened; keys leave memory wiped; the
 * inode of a replaced file is overwritten before it is let go, so that an old key does not linger in free blocks
 * where the file system writes in place. */
#include "port/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"

enum { FILE_MAX = 4096 };

typedef struct key {
  uint8_t bytes[ORR_SEAL_KEY];
  orr__key_info info;
} key;

struct orr__keyring {
  char *path;
  pthread_mutex_t mutex;
  key keys[ORR_KEYRING_MAX]; /* the newest first */
  size_t count;
};

/* ---- the file ----------------------------------------------------------------------------------------------- */

static int check_mode(const char *path, bool is_private, orr_error *reterr) {
  struct stat st;
  if (stat(path, &st) != 0) return 0; /* reading it says why */
  mode_t forbidden = is_private ? 0077 : 0027;
  if (!(st.st_mode & forbidden)) return 0;
  return orr__error_set(reterr, ORR_E_REFUSED,
                        "key file %s can be read or written by others (mode %04o): chmod 600 it, and change the key "
                        "(`orrery key rotate`) if they may have read it",
                        path, (unsigned)(st.st_mode & 07777));
}

static bool read_line(const char *line, size_t len, key *ret_key) {
  size_t digits = strspn(line, "0123456789abcdefABCDEF");
  if (digits != ORR_KEY_DIGITS || !orr__key_parse(line, ret_key->bytes)) return false;
  size_t start = digits + strspn(line + digits, " \t");
  if (start == digits && digits < len && line[digits] != '\r') return false;
  size_t date = strcspn(line + start, " \t\r\n");
  if (start < len && date < sizeof ret_key->info.date) memcpy(ret_key->info.date, line + start, date);
  orr__key_id(ret_key->bytes, ret_key->info.id);
  return true;
}

static int read_file(orr__keyring *ring, orr_error *reterr) {
  char *data = NULL;
  size_t len = 0;
  int rc = orr__file_read(ring->path, FILE_MAX, &data, &len, reterr);
  if (rc != 0) return rc;
  for (const char *line = data; *line && rc == 0; line += strcspn(line, "\n"), line += *line == '\n') {
    size_t line_len = strcspn(line, "\n");
    if (strspn(line, " \t\r") >= line_len) continue;
    if (ring->count == ORR_KEYRING_MAX)
      rc = orr__error_set(reterr, ORR_E_LIMIT, "key file %s has more than %d keys", ring->path, ORR_KEYRING_MAX);
    else if (read_line(line, line_len, &ring->keys[ring->count]))
      ring->count++;
    else
      rc = orr__error_set(reterr, ORR_E_CORRUPT, "key file %s: a line is no key of %d hexadecimal digits", ring->path,
                          ORR_KEY_DIGITS);
  }
  if (rc == 0 && ring->count == 0)
    rc = orr__error_set(reterr, ORR_E_CORRUPT, "key file %s is empty: put your copy of it back", ring->path);
  orr__wipe(data, len);
  free(data);
  return rc;
}

static void overwrite(int fd) {
  char zeros[256] = { 0 };
  struct stat st;
  if (fstat(fd, &st) != 0 || st.st_nlink > 0) return; /* it has another name: somebody's copy */
  for (off_t at = 0; at < st.st_size; at += (off_t)sizeof zeros) {
    size_t rest = (size_t)(st.st_size - at);
    if (pwrite(fd, zeros, rest < sizeof zeros ? rest : sizeof zeros, at) < 0) return;
  }
  fsync(fd);
}

static int write_file(const orr__keyring *ring, const key *keys, size_t count, orr_error *reterr) {
  char text[ORR_KEYRING_MAX * (ORR_KEY_DIGITS + 40)];
  size_t len = 0;
  for (size_t i = 0; i < count; i++) {
    orr__key_print(keys[i].bytes, text + len);
    len += ORR_KEY_DIGITS;
    len += (size_t)snprintf(text + len, sizeof text - len, "%s%s\n", *keys[i].info.date ? " " : "", keys[i].info.date);
  }
  int before = open(ring->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
  int rc = orr__file_write(ring->path, text, len, 0600, reterr);
  if (rc == 0 && before >= 0) overwrite(before);
  if (before >= 0) close(before);
  orr__wipe(text, sizeof text);
  return rc;
}

/* ---- the ring ----------------------------------------------------------------------------------------------- */

int orr__keyring_open(const char *path, bool is_private, orr__keyring **ret_ring, orr_error *reterr) {
  orr_error err = ORR_ERROR_INIT;
  orr__keyring *ring = calloc(1, sizeof *ring);
  if (ring) pthread_mutex_init(&ring->mutex, NULL);
  int rc = ring && (ring->path = orr__strdup(path)) ? 0 : orr__error_set(&err, ORR_E_NOMEM, "out of memory");
  if (rc == 0) rc = check_mode(path, is_private, &err);
  if (rc == 0) rc = read_file(ring, &err);
  if (rc == ORR_E_NOT_FOUND) {
    orr__error_clear(&err);
    rc = 0;
  }
  if (rc != 0) {
    orr__keyring_free(ring);
    return orr__error_move(reterr, &err);
  }
  *ret_ring = ring;
  return 0;
}

void orr__keyring_free(orr__keyring *ring) {
  if (!ring) return;
  pthread_mutex_destroy(&ring->mutex);
  free(ring->path);
  orr__wipe(ring, sizeof *ring);
  free(ring);
}

const char *orr__keyring_path(const orr__keyring *ring) { return ring->path; }

size_t orr__keyring_count(orr__keyring *ring) {
  pthread_mutex_lock(&ring->mutex);
  size_t count = ring->count;
  pthread_mutex_unlock(&ring->mutex);
  return count;
}

/* Copies of the keys, so that nobody is kept waiting; the caller wipes them. */
static size_t take_copy(orr__keyring *ring, key out[ORR_KEYRING_MAX]) {
  pthread_mutex_lock(&ring->mutex);
  size_t count = ring->count;
  memcpy(out, ring->keys, count * sizeof *out);
  pthread_mutex_unlock(&ring->mutex);
  return count;
}

int orr__keyring_seal(orr__keyring *ring, const char *context, const char *text, char **ret_sealed) {
  key keys[ORR_KEYRING_MAX];
  size_t count = take_copy(ring, keys);
  int rc = count > 0 ? orr__seal(keys[0].bytes, context, text, ret_sealed) : ORR_E_MISUSE;
  orr__wipe(keys, sizeof keys);
  return rc;
}

/* Why nothing of the ring opens it. */
static int explain(const orr__keyring *ring, const key *keys, size_t count, const char *context, const char *id,
                   orr_error *reterr) {
  if (count == 0)
    return orr__error_set(reterr, ORR_E_CORRUPT,
                          "key file %s is missing, and %s is sealed with its key%s%s: put your copy of the file back", ring->path,
                          context, *id ? " " : "", id);
  bool is_here = !*id;
  for (size_t i = 0; i < count; i++) is_here |= strcmp(keys[i].info.id, id) == 0;
  if (is_here)
    return orr__error_set(reterr, ORR_E_CORRUPT, "%s does not open with the key in %s: it was altered%s", context, ring->path,
                          *id ? "" : ", or this is another key file");
  return orr__error_set(reterr, ORR_E_CORRUPT,
                        "key file %s holds key %s, but %s is sealed with key %s: put the key file of this database back",
                        ring->path, keys[0].info.id, context, id);
}

int orr__keyring_unseal(orr__keyring *ring, const char *context, const char *sealed, char **ret_text, orr_error *reterr) {
  key keys[ORR_KEYRING_MAX];
  char id[ORR_KEY_ID];
  if (!orr__sealed_id(sealed, id))
    return orr__error_set(reterr, ORR_E_CORRUPT, "%s is not in the sealed form: it was altered", context);
  size_t count = take_copy(ring, keys);
  int rc = ORR_E_CORRUPT;
  for (size_t i = 0; i < count && rc == ORR_E_CORRUPT; i++)
    if (!*id || strcmp(id, keys[i].info.id) == 0) rc = orr__unseal(keys[i].bytes, context, sealed, ret_text, NULL);
  if (rc == ORR_E_CORRUPT) explain(ring, keys, count, context, id, reterr);
  else if (rc != 0) orr__error_set(reterr, rc, "out of memory");
  orr__wipe(keys, sizeof keys);
  return rc;
}

int orr__keyring_knows(orr__keyring *ring, const char *context, const char *sealed, orr_error *reterr) {
  key keys[ORR_KEYRING_MAX];
  char id[ORR_KEY_ID], *text = NULL;
  if (!orr__sealed_id(sealed, id)) return 0;
  size_t count = take_copy(ring, keys);
  bool is_here = false;
  for (size_t i = 0; i < count; i++) is_here |= strcmp(keys[i].info.id, id) == 0;
  int rc = is_here ? 0 : *id ? explain(ring, keys, count, context, id, reterr) : orr__keyring_unseal(ring, context, sealed, &text, reterr);
  if (text) orr__wipe(text, strlen(text));
  free(text);
  orr__wipe(keys, sizeof keys);
  return rc;
}

bool orr__keyring_is_newest(orr__keyring *ring, const char *sealed) {
  char id[ORR_KEY_ID];
  pthread_mutex_lock(&ring->mutex);
  bool is_newest = ring->count > 0 && orr__sealed_id(sealed, id) && strcmp(id, ring->keys[0].info.id) == 0;
  pthread_mutex_unlock(&ring->mutex);
  return is_newest;
}

/* ---- changing keys ------------------------------------------------------------------------------------------ */

/* The date without its fraction. */
static void today(char out[32]) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  orr__iso_format((int64_t)now.tv_sec * 1000, out);
}

static int replace(orr__keyring *ring, const key *keys, size_t count, orr_error *reterr) {
  int rc = write_file(ring, keys, count, reterr);
  if (rc != 0) return rc;
  pthread_mutex_lock(&ring->mutex);
  orr__wipe(ring->keys, sizeof ring->keys);
  memcpy(ring->keys, keys, count * sizeof *keys);
  ring->count = count;
  pthread_mutex_unlock(&ring->mutex);
  return 0;
}

int orr__keyring_renew(orr__keyring *ring, orr_error *reterr) {
  orr_error err = ORR_ERROR_INIT;
  key keys[ORR_KEYRING_MAX + 1];
  size_t count = take_copy(ring, keys + 1);
  int rc = 0;
  if (count <= 1) {
    memset(keys, 0, sizeof *keys);
    orr__key_new(keys[0].bytes);
    orr__key_id(keys[0].bytes, keys[0].info.id);
    today(keys[0].info.date);
    rc = replace(ring, keys, count + 1, &err);
  }
  orr__wipe(keys, sizeof keys);
  if (rc != 0 && count == 1)
    rc = orr__error_set(reterr, ORR_E_REFUSED,
                        "%s: to change a key that cannot be replaced here, put a new line of %d random hexadecimal "
                        "digits above the old one, start again, then remove the old line",
                        orr__error_message(&err), ORR_KEY_DIGITS);
  else if (rc != 0)
    rc = orr__error_copy(reterr, &err);
  orr__error_clear(&err);
  return rc;
}

int orr__keyring_settle(orr__keyring *ring, orr_error *reterr) {
  key keys[ORR_KEYRING_MAX];
  size_t count = take_copy(ring, keys);
  int rc = count > 1 ? replace(ring, keys, 1, reterr) : 0;
  orr__wipe(keys, sizeof keys);
  return rc;
}

size_t orr__keyring_list(orr__keyring *ring, orr__key_info out[ORR_KEYRING_MAX]) {
  key keys[ORR_KEYRING_MAX];
  size_t count = take_copy(ring, keys);
  for (size_t i = 0; i < count; i++) out[i] = keys[i].info;
  orr__wipe(keys, sizeof keys);
  return count;
}
