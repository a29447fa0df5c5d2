/* Settings: string keys that can be enumerated, kept as text until the runtime opens. The list is settings.def.
 *
 * Does not know what a setting does. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

static const struct {
  const char *key, *type, *standard, *doc;
} settings_table[ORR_S_COUNT] = {
#define SETTING(id, key, type, standard, doc) { key, type, standard, doc },
#include "host/lib/settings.def"
#undef SETTING
};

orr_settings *orr_settings_new(void) { return calloc(1, sizeof(orr_settings)); }

void orr_settings_free(orr_settings *settings) {
  if (!settings) return;
  for (size_t i = 0; i < ORR_S_COUNT; i++) free(settings->values[i]);
  for (size_t i = 0; i < settings->provider_count; i++) free(settings->providers[i]);
  free(settings);
}

const char *orr_settings_key(size_t i) { return i < ORR_S_COUNT ? settings_table[i].key : NULL; }
const char *orr_settings_type(size_t i) { return i < ORR_S_COUNT ? settings_table[i].type : NULL; }
const char *orr_settings_default(size_t i) { return i < ORR_S_COUNT ? settings_table[i].standard : NULL; }
const char *orr_settings_doc(size_t i) { return i < ORR_S_COUNT ? settings_table[i].doc : NULL; }

static const char *key_at(void *arg, size_t i) {
  (void)arg;
  return orr_settings_key(i);
}

static bool fits(const char *type, const char *value) {
  if (strcmp(type, "path") == 0) return *value != '\0';
  if (strcmp(type, "flag") == 0) return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
  if (strcmp(type, "number") == 0) return *value && strspn(value, "0123456789") == strlen(value);
  size_t len = strlen(value);
  for (const char *word = type; *word; word += strcspn(word, "|"), word += *word == '|')
    if (len == strcspn(word, "|") && strncmp(word, value, len) == 0) return true;
  return false;
}

int orr_settings_set(orr_settings *settings, const char *key, const char *value, orr_error *reterr) {
  if (!settings || !key) return orr__error_set(reterr, ORR_E_MISUSE, "orr_settings_set needs settings and a key");
  size_t i = 0;
  while (i < ORR_S_COUNT && strcmp(settings_table[i].key, key)) i++;
  if (i == ORR_S_COUNT) {
    const char *nearest = orr__nearest(key, key_at, NULL);
    return nearest ? orr__error_set(reterr, ORR_E_INVALID, "no setting '%.100s'; did you mean '%s'?", key, nearest)
                   : orr__error_set(reterr, ORR_E_INVALID, "no setting '%.100s'", key);
  }
  if (!value || !fits(settings_table[i].type, value))
    return orr__error_set(reterr, ORR_E_INVALID, "setting %s: '%.200s' is no %s", key, value ? value : "",
                          settings_table[i].type);
  char *copy = orr__strdup(value);
  if (!copy) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (i == ORR_S_PROVIDERS) {
    if (settings->provider_count == ORR_PROVIDER_DIRS_MAX) {
      free(copy);
      return orr__error_set(reterr, ORR_E_LIMIT, "at most %d folders of providers", ORR_PROVIDER_DIRS_MAX);
    }
    settings->providers[settings->provider_count++] = copy;
    return 0;
  }
  free(settings->values[i]);
  settings->values[i] = copy;
  return 0;
}

void orr_settings_allocator(orr_settings *settings, orr_allocate allocate, void *arg) {
  if (!settings) return;
  settings->allocate = allocate;
  settings->allocate_arg = arg;
}

void orr_settings_clock(orr_settings *settings, orr_clock clock, void *arg) {
  if (!settings) return;
  settings->clock = clock;
  settings->clock_arg = arg;
}

const char *orr__setting(const orr_settings *settings, enum orr__setting_id id) {
  return settings->values[id] ? settings->values[id] : settings_table[id].standard;
}
