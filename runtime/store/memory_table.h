/* The tables of the twin in memory: rows in the order of their ids, and what makes unique fields quick to check.
 *
 * Knows nothing of transactions. A table owns its rows; one that comes out is the caller's. */
#ifndef ORR_STORE_MEMORY_TABLE_H
#define ORR_STORE_MEMORY_TABLE_H

#include "base/map.h"
#include "model/object.h"

typedef struct orr__memory_unique {
  int field;
  orr__map by_hash;         /* of the text */
  bool has_collision;       /* two texts had one hash: look through all rows from then on */
} orr__memory_unique;

enum { ORR_MEMORY_UNIQUES = 4 };

typedef struct orr__memory_table {
  const orr__model *model;
  orr__object **rows;       /* ascending ids */
  size_t count;
  size_t cap;
  orr__memory_unique uniques[ORR_MEMORY_UNIQUES];
  size_t unique_count;
} orr__memory_table;

void orr__memory_table_init(orr__memory_table *table, enum orr__model_id model);
void orr__memory_table_clear(orr__memory_table *table);
/* The place of the first row whose id is not below; count if there is none. */
size_t orr__memory_table_place(const orr__memory_table *table, int64_t id);
orr__object *orr__memory_table_find(const orr__memory_table *table, int64_t id); /* NULL */
/* The unique field of the row whose text another row (by id) has; -1 if there is none. */
int orr__memory_table_taken(const orr__memory_table *table, const orr__object *row);
/* Puts a row in, or in the place of the one with its id, which comes out (NULL: there was none). Row NULL: takes
 * the row of the id out. 0 or NOMEM, and then nothing has changed; never NOMEM when a row that was taken out or
 * changed is put back. */
int orr__memory_table_put(orr__memory_table *table, int64_t id, orr__object *row, orr__object **ret_old);

/* memory_read.c: carries out a read on the tables of all models (by their ids). 0 or NOMEM. */
struct orr__step;
struct orr__slot;
int orr__memory_read(const orr__memory_table *tables, const struct orr__step *step, struct orr__slot *slot);

#endif
