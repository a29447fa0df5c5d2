/* From sources to a version that works: loading, looking over, and what a provider declares. */
#ifndef ORR_BINDINGS_VERSION_H
#define ORR_BINDINGS_VERSION_H

#include "state.h"

/* Where Provider{} leaves what it was given, in the registry of the state. */
#define ORR_REG_DECLARATION "orrery.declaration"
#define ORR_REG_PROVIDER "orrery.provider"
#define ORR_REG_WHERE "orrery.where"

/* globals.c: finds globals that the function on top of L reads or writes and nobody defines. Inside orr__protect. */
void orr__globals_check(lua_State *L, const char *chunk, orr__findings *findings);

/* fields_check.c: finds fields that no object of a hook has, in its source. */
void orr__fields_check(const char *text, size_t len, const char *chunk, orr__findings *findings);

/* version.c */
/* Makes a version of the sources (taken, also on failure) and looks it over. NULL: there were errors among the findings, or *reterr says
 * that it could not even be tried. Its warnings are in its declaration, too. */
orr__version *orr__version_load(struct orr__provider *provider, orr__sources *sources, orr__findings *findings, orr_error *reterr);
void orr__version_free(orr__version *v);
void orr__sources_clear(orr__sources *sources);
int orr__sources_copy(orr__sources *to, const orr__sources *from);

/* declare.c: the declaration as JSON -> orr__declaration. */
void orr__declare(orr__declaration *d, const orr__json *map, const char *code, orr__findings *findings);
void orr__declare_options(const orr__json *list, const char *key, orr__option **ret, size_t *ret_count, orr__findings *findings);
void orr__declaration_clear(orr__declaration *d);
/* declare_agree.c: names in needs that nothing has; an optionSource without the hook, once the hooks are known. */
void orr__declare_agree_needs(const orr__declaration *d, orr__findings *findings);
void orr__declare_agree_hooks(const orr__declaration *d, const char *chunk, orr__findings *findings);
/* Says ` (did you mean 'x'?)` or nothing, of the words of a list. Static text in `out`. */
const char *orr__did_you_mean(const char *word, const char *const *words, char *out, size_t size);

#endif
