/* Zones by name: the cache, the check of names, and lookups in the table that tzif.c reads.
 *
 * Deliberately does not know the format of the files. Invariants: a zone's table has at least one entry
 * and never changes; the cache holds one reference to each zone in it. Names come from users, so they are
 * checked before they become a path. */
#include "core/zone.h"

#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/map.h"
#include "base/str.h"
#include "core/tzif.h"

enum { NAME_MAX_LEN = 64, FILE_MAX = 256 * 1024, CACHE_MAX = 2048, LIST_MAX = 4096, LIST_DEPTH = 3 };

/* What tells one version of a file from another; all zero where a zone has no file. */
typedef struct version {
  uint64_t inode;
  int64_t size, changed_s, changed_ns;
} version;

struct orr__zone {
  size_t refs;
  char *name;
  version version;
  orr__tz_table table;
};

struct orr__zones {
  char *folder;    /* NULL: only UTC */
  orr__map cached; /* hash of the name -> orr__zone; of two names with one hash only one is cached */
};

/* The names of the folder, gathered for a suggestion only. */
typedef struct name_list {
  char **names;
  size_t len;
} name_list;

orr__zones *orr__zones_new(const char *folder) {
  orr__zones *zones = calloc(1, sizeof *zones);
  if (!zones) return NULL;
  orr__map_init(&zones->cached);
  zones->folder = orr__strdup(folder);
  if (folder && !zones->folder) {
    orr__zones_free(zones);
    return NULL;
  }
  return zones;
}

static version version_of(const char *path) {
  struct stat st;
  if (!path || stat(path, &st)) return (version){ 0 };
  return (version){ st.st_ino, st.st_size, st.st_ctim.tv_sec, st.st_ctim.tv_nsec };
}

static bool is_same(const version *a, const version *b) {
  return a->inode == b->inode && a->size == b->size && a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

bool orr__zones_refresh(orr__zones *zones) {
  size_t pos = 0;
  uint64_t hash;
  void *entry;
  bool has_changed = false;
  while (orr__map_next(&zones->cached, &pos, &hash, &entry)) {
    orr__zone *zone = entry;
    char *path = zone->version.inode ? orr__strf("%s/%s", zones->folder, zone->name) : NULL;
    version now = version_of(path);
    if (path && !is_same(&now, &zone->version)) {
      orr__map_remove(&zones->cached, hash);
      orr__zone_unref(zone);
      has_changed = true;
    }
    free(path);
  }
  return has_changed;
}

void orr__zones_flush(orr__zones *zones) {
  size_t pos = 0;
  void *zone;
  while (orr__map_next(&zones->cached, &pos, NULL, &zone)) orr__zone_unref(zone);
  orr__map_clear(&zones->cached);
}

void orr__zones_free(orr__zones *zones) {
  if (!zones) return;
  orr__zones_flush(zones);
  free(zones->folder);
  free(zones);
}

orr__zone *orr__zone_ref(orr__zone *zone) {
  if (zone) zone->refs++;
  return zone;
}

void orr__zone_unref(orr__zone *zone) {
  if (!zone) return;
  assert(zone->refs > 0);
  if (--zone->refs > 0) return;
  orr__tz_table_clear(&zone->table);
  free(zone->name);
  free(zone);
}

const char *orr__zone_name(const orr__zone *zone) { return zone ? zone->name : "UTC"; }

static bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
         c == '-' || c == '/';
}

static bool is_name(const char *name) {
  size_t len = strnlen(name, NAME_MAX_LEN + 1);
  if (len == 0 || len > NAME_MAX_LEN || name[len - 1] == '/' || strstr(name, "//")) return false;
  if (name[0] < 'A' || name[0] > 'Z') return false;
  for (size_t i = 0; i < len; i++)
    if (!is_name_char(name[i])) return false;
  return true;
}

/* Adds the names below folder/prefix; what cannot be read or remembered is left out. */
static void list_names(name_list *list, const char *folder, const char *prefix, int depth) {
  char *path = orr__strf("%s/%s", folder, prefix);
  DIR *dir = path ? opendir(path) : NULL;
  free(path);
  if (!dir) return;
  const struct dirent *entry;
  while (list->len < LIST_MAX && (entry = readdir(dir)) != NULL) {
    char *name = orr__strf("%s%s%s", prefix, *prefix ? "/" : "", entry->d_name);
    if (!name) break;
    if (entry->d_type == DT_DIR && is_name(name)) {
      if (depth > 1) list_names(list, folder, name, depth - 1);
    } else if (is_name(name)) {
      char **names = realloc(list->names, (list->len + 1) * sizeof *names);
      if (!names) {
        free(name);
        break;
      }
      list->names = names;
      list->names[list->len++] = name;
      continue;
    }
    free(name);
  }
  closedir(dir);
}

static const char *name_at(void *arg, size_t i) {
  const name_list *list = arg;
  return i < list->len ? list->names[i] : NULL;
}

/* "Berlin" means Europe/Berlin; the shortest such name wins, so not America/Argentina/Jujuy. */
static const char *find_city(const name_list *list, const char *city) {
  const char *found = NULL;
  for (size_t i = 0; i < list->len; i++) {
    const char *slash = strrchr(list->names[i], '/');
    if (!slash || strcasecmp(slash + 1, city) != 0) continue;
    if (!found || strlen(list->names[i]) < strlen(found)) found = list->names[i];
  }
  return found;
}

static int refuse_name(const orr__zones *zones, const char *name, orr_error *reterr) {
  if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
    return orr__error_set(reterr, ORR_E_INVALID, "a time zone's name has at most %d characters", NAME_MAX_LEN);
  name_list list = { 0 };
  if (reterr && zones->folder) list_names(&list, zones->folder, "", LIST_DEPTH);
  const char *near = orr__nearest(name, name_at, &list);
  if (!near) near = find_city(&list, name);
  if (near) {
    orr__error_set(reterr, ORR_E_INVALID, "no time zone named '%s'; did you mean '%s'?", name, near);
  } else if (!zones->folder || list.len > 0) {
    orr__error_set(reterr, ORR_E_INVALID, "no time zone named '%s'; names look like Europe/Berlin or UTC", name);
  } else {
    orr__error_set(reterr, ORR_E_INVALID, "no time zone named '%s': %s holds no zones; is tzdata installed?", name,
                   zones->folder);
  }
  for (size_t i = 0; i < list.len; i++) free(list.names[i]);
  free(list.names);
  return ORR_E_INVALID;
}

static int read_table(const orr__zones *zones, const char *name, orr__tz_table *ret_table, version *ret_version,
                      orr_error *reterr) {
  if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
    int added = orr__tz_table_add(ret_table, INT64_MIN, 0);
    return added == 0 ? 0 : orr__error_set(reterr, added, "out of memory for time zone '%s'", name);
  }
  if (!zones->folder) return refuse_name(zones, name, reterr);
  char *bytes = NULL;
  size_t len;
  orr_error why = ORR_ERROR_INIT;
  int rc = ORR_E_NOMEM;
  char *path = orr__strf("%s/%s", zones->folder, name);
  struct stat st;
  *ret_version = version_of(path); /* before it is read: a change in between is noticed */
  if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
    rc = ORR_E_NOT_FOUND;
  } else if (path) {
    rc = orr__file_read(path, FILE_MAX, &bytes, &len, &why);
  }
  if (rc == 0) rc = orr__tzif_parse(bytes, len, ret_table, &why);
  if (rc == ORR_E_NOT_FOUND) {
    rc = refuse_name(zones, name, reterr);
  } else if (rc != 0) {
    orr__error_set(reterr, rc, "time zone '%s' cannot be used: %s", name, orr__error_message(&why));
  }
  orr__error_clear(&why);
  free(bytes);
  free(path);
  return rc;
}

int orr__zones_get(orr__zones *zones, const char *name, orr__zone **ret_zone, orr_error *reterr) {
  if (!is_name(name)) return refuse_name(zones, name, reterr);
  uint64_t hash = orr__hash64(name, strlen(name));
  orr__zone *zone = orr__map_get(&zones->cached, hash);
  if (zone && strcmp(zone->name, name) == 0) {
    *ret_zone = orr__zone_ref(zone);
    return 0;
  }
  bool is_hash_free = zone == NULL;
  zone = calloc(1, sizeof *zone);
  if (!zone) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory for time zone '%s'", name);
  zone->refs = 1;
  zone->name = orr__strdup(name);
  int rc = zone->name ? read_table(zones, name, &zone->table, &zone->version, reterr)
                      : orr__error_set(reterr, ORR_E_NOMEM, "out of memory for time zone '%s'", name);
  if (rc != 0) {
    orr__zone_unref(zone);
    return rc;
  }
  /* A cache that cannot grow only costs the next reader time. */
  if (is_hash_free && zones->cached.len < CACHE_MAX && orr__map_put(&zones->cached, hash, zone) == 0)
    orr__zone_ref(zone);
  *ret_zone = zone;
  return 0;
}

orr__zone_span orr__zone_span_at(const orr__zone *zone, int64_t utc_ms) {
  if (!zone) return (orr__zone_span){ INT64_MIN, INT64_MAX, 0, 0 };
  const orr__tz_table *table = &zone->table;
  int64_t shift = 0;
  if (table->cycle_ms) {
    int64_t since = table->entries[table->cycle_from].at_ms;
    if (utc_ms >= since + table->cycle_ms) {
      /* Unsigned, as the difference may not fit. */
      uint64_t cycles = ((uint64_t)utc_ms - (uint64_t)since) / (uint64_t)table->cycle_ms;
      shift = (int64_t)cycles * table->cycle_ms;
    }
  }
  int64_t at_ms = utc_ms - shift;
  size_t low = 0, high = table->len; /* entries[low] <= at_ms < entries[high] */
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (table->entries[middle].at_ms <= at_ms) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const orr__tz_entry *entry = &table->entries[low];
  orr__zone_span span = { entry->at_ms, INT64_MAX, entry->offset_ms, entry[low ? -1 : 0].offset_ms };
  if (low > 0) span.start_ms += shift;
  /* In the last years that 64 bits can tell, the next change may be past their end. */
  if (high < table->len && entry[1].at_ms <= INT64_MAX - shift) span.end_ms = entry[1].at_ms + shift;
  return span;
}

int64_t orr__zone_offset_ms(const orr__zone *zone, int64_t utc_ms) { return orr__zone_span_at(zone, utc_ms).offset_ms; }

int64_t orr__zone_next_change(const orr__zone *zone, int64_t after_ms) {
  return orr__zone_span_at(zone, after_ms).end_ms;
}

orr__zone_fit orr__zone_from_local(const orr__zone *zone, int64_t local_ms, int64_t *ret_early_ms,
                                   int64_t *ret_late_ms) {
  const int64_t reach_ms = INT64_C(27) * 3600 * 1000; /* no offset is larger */
  if (local_ms < INT64_MIN + reach_ms) local_ms = INT64_MIN + reach_ms;
  if (local_ms > INT64_MAX - reach_ms) local_ms = INT64_MAX - reach_ms;
  orr__zone_span span = orr__zone_span_at(zone, local_ms - reach_ms);
  int64_t early = INT64_MIN, late = INT64_MIN, gap = INT64_MIN;
  for (;;) {
    int64_t utc_ms = local_ms - span.offset_ms;
    if (utc_ms >= span.start_ms && utc_ms < span.end_ms) {
      if (early == INT64_MIN) early = utc_ms;
      late = utc_ms;
    }
    /* Past the end by the old offset, before the start by the new one: then it is in the gap between. */
    if (span.end_ms == INT64_MAX || span.end_ms > local_ms + reach_ms) break;
    orr__zone_span next = orr__zone_span_at(zone, span.end_ms);
    if (utc_ms >= span.end_ms && local_ms - next.offset_ms < span.end_ms) gap = span.end_ms;
    span = next;
  }
  orr__zone_fit fit = early == INT64_MIN ? ORR__ZONE_NEVER : early == late ? ORR__ZONE_ONCE : ORR__ZONE_TWICE;
  if (fit == ORR__ZONE_NEVER) early = late = gap;
  if (ret_early_ms) *ret_early_ms = early;
  if (ret_late_ms) *ret_late_ms = late;
  return fit;
}
