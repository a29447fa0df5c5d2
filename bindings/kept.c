/* Sources as the core keeps them, and what it gives back after a restart.
 *
 *   { "files": [ { "module", "chunk", "path", "text" } ] }      base64 instead of text where it is no UTF-8
 *
 * What comes back is believed only where its hash is the one it was kept under. Does not know when it is used (live.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "registry.h"
#include "version.h"

static orr__json *pack_source(const orr__source *source) {
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  if (source->module) orr__json_put_str(map, "module", source->module);
  if (source->path) orr__json_put_str(map, "path", source->path);
  int rc = orr__json_put_str(map, "chunk", source->chunk);
  if (orr__utf8_valid(source->text, source->len)) {
    if (!rc) rc = orr__json_put_str(map, "text", source->text);
  } else {
    char *coded = orr__base64(source->text, source->len, false, NULL);
    if (!coded) rc = ORR_E_NOMEM;
    if (!rc) rc = orr__json_put_str(map, "base64", coded);
    free(coded);
  }
  if (!rc) return map;
  orr__json_free(map);
  return NULL;
}

char *orr__sources_pack(const orr__sources *sources) {
  orr__json *map = orr__json_map(), *list = orr__json_list();
  bool is_whole = map && list;
  for (size_t i = 0; is_whole && i < sources->count; i++) {
    orr__json *one = pack_source(&sources->items[i]);
    is_whole = one && orr__json_append(list, one) == 0;
  }
  char *text = NULL;
  if (is_whole) {
    is_whole = orr__json_put(map, "files", list) == 0;
    list = NULL;
    if (is_whole) text = orr__json_print(map);
  }
  orr__json_free(list);
  orr__json_free(map);
  return text;
}

static int unpack_source(orr__source *source, const orr__json *map) {
  const char *text = orr__json_str(map, "text"), *coded = orr__json_str(map, "base64"), *chunk = orr__json_str(map, "chunk");
  const char *module = orr__json_str(map, "module"), *path = orr__json_str(map, "path");
  if (!chunk || (!text && !coded)) return ORR_E_CORRUPT;
  source->len = text ? strlen(text) : 0;
  source->text = text ? orr__strdup(text) : orr__base64_decode(coded, strlen(coded), &source->len);
  source->chunk = orr__strdup(chunk);
  source->module = orr__strdup(module);
  source->path = orr__strdup(path);
  bool is_whole = source->text && source->chunk && (!module || source->module) && (!path || source->path);
  return is_whole ? 0 : source->text ? ORR_E_NOMEM : ORR_E_CORRUPT;
}

int orr__sources_unpack(const char *code, const char *text, const char *sha256, orr__sources *ret, orr_error *reterr) {
  orr__sources sources = { 0 };
  orr__json *map = orr__json_parse_map(text, NULL);
  const orr__json *list = orr__json_get(map, "files");
  size_t count = list ? orr__json_count(list) : 0;
  int rc = count == 0 || count > ORR_SOURCES_MAX ? ORR_E_CORRUPT : 0;
  sources.items = rc ? NULL : calloc(count, sizeof *sources.items);
  if (!rc && !sources.items) rc = ORR_E_NOMEM;
  for (const orr__json *m = orr__json_first(list); !rc && m; m = orr__json_next(m)) rc = unpack_source(&sources.items[sources.count++], m);
  orr__json_free(map);
  if (!rc) rc = orr__sources_hash(&sources, NULL);
  if (!rc && strcmp(sources.sha256, sha256) != 0) rc = ORR_E_CORRUPT;
  if (!rc) {
    *ret = sources;
    return 0;
  }
  orr__sources_clear(&sources);
  if (rc == ORR_E_NOMEM) return orr__error_set(reterr, rc, "out of memory");
  return orr__error_set(reterr, rc, "provider '%s': what was kept of version %.12s is not what it was", code, sha256);
}

void orr__provider_remember(orr__bindings *b, const orr__kept *kept) {
  if (orr__provider_known(b, kept->code)) return; /* it has been loaded already, by what it is now */
  orr__provider *p = orr__provider_make(b, kept->code);
  if (!p) return;
  p->granted = orr__strdup(kept->granted ? kept->granted : "{}");
  p->kept_sources = orr__strdup(kept->sources);
  snprintf(p->kept_sha256, sizeof p->kept_sha256, "%s", kept->sha256);
  snprintf(p->held_sha256, sizeof p->held_sha256, "%s", kept->held_sha256 ? kept->held_sha256 : "");
  for (size_t i = 0; i < kept->reads_count && i < ORR_READS_MAX; i++) p->reads[p->reads_count++] = kept->reads_state[i];
  if (!p->granted) {
    orr__provider_free(p); /* without memory nothing is known, rather than half of it */
    return;
  }
  orr__provider_put(p);
}
