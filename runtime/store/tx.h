/* The inside of a transaction, for the store's backends only: its steps, the values they carry, its slots.
 *
 * A transaction is one piece of memory: the steps and every text in them lie in an arena that starts inside the
 * struct, so that the usual one (a guard, an update, an event) is a single allocation. Invariants: what a step
 * points to lives as long as the transaction; a step that is in the list is valid (fields exist and have a type
 * that fits, required ones have a value, status words are canonical), so backends judge only what depends on
 * stored rows; once code is set nothing more is added. */
#ifndef ORR_STORE_TX_H
#define ORR_STORE_TX_H

#include <stdalign.h>

#include "store/store.h"

enum orr__step_kind {
  ORR_STEP_INSERT,
  ORR_STEP_UPDATE,
  ORR_STEP_DELETE,
  ORR_STEP_DELETE_WHERE,
  ORR_STEP_PRUNE,
  ORR_STEP_RESEAL,
  ORR_STEP_LAST_WRITE = ORR_STEP_RESEAL,
  ORR_STEP_SETTLE,
  ORR_STEP_GUARD_STR,
  ORR_STEP_GUARD_INT,
  ORR_STEP_GUARD_NONE,
  ORR_STEP_GET,
  ORR_STEP_GRAPH,
  ORR_STEP_QUERY,
  ORR_STEP_COUNT,
};

enum {
  ORR_TX_STEPS = 10000,           /* most steps of a transaction */
  ORR_TX_BYTES = 256 << 20,       /* most bytes of their values */
  ORR_TX_WHERE = 32,              /* most conditions of a query */
  ORR_QUERY_ROWS = 1000000,       /* most rows of a query */
};

typedef union orr__value {
  int64_t integer;
  double number;
  const char *text;
} orr__value;

typedef struct orr__step {
  struct orr__step *next;
  enum orr__step_kind kind;
  enum orr__model_id model;
  int field;                /* of guards and delete_where */
  int slot;                 /* of reads */
  int64_t id;
  int64_t number;           /* the value of an integer guard or delete_where; the id up to which a prune goes */
  const char *text;         /* the value of a text guard (NULL: unset); the message of guard_none */
  uint64_t mask;            /* the fields an insert or update writes, never id or derived ones */
  uint64_t set;             /* those of them that have a value, the others become unset */
  const orr__value *values; /* one per bit of mask, the lowest first */
  const orr__query *query;  /* of query and count; limit and fields resolved */
} orr__step;

typedef struct orr__slot {
  orr__object **rows;
  size_t count;
  size_t cap;
  bool has_graph;
  orr__graph graph;
  int64_t number;
} orr__slot;

struct orr__chunk;

struct orr__tx {
  orr__tx *next;                    /* in the store's lists */
  unsigned refs;                    /* the twin in memory keeps what has committed */
  orr__step *first;
  orr__step *last;
  size_t step_count;
  size_t write_count;
  orr__slot *slots;
  size_t slot_count;
  size_t slot_cap;
  int64_t top_id[ORR_M_COUNT];      /* the greatest id it inserts */
  int code;                         /* why it cannot or did not happen */
  orr_error err;
  const char *backup_path;          /* instead of steps: a copy of the database to there */
  orr__tx_done done;
  void *arg;
  struct orr__chunk *chunks;        /* the arena beyond the first piece, newest first */
  size_t bytes;
  char *free_start;
  char *free_end;
  alignas(16) char space[784];      /* 1,024 bytes with what is above: as much as glibc keeps at hand for each thread */
};

/* Sets the sticky error unless there is one. Returns the code the transaction then has. */
int orr__tx_fail(orr__tx *tx, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Memory of the transaction, zeroed and aligned for anything; NULL sets the sticky error. */
void *orr__tx_alloc(orr__tx *tx, size_t size);
char *orr__tx_text(orr__tx *tx, const char *text); /* a copy in the arena; NULL for NULL */
orr__step *orr__tx_step(orr__tx *tx, enum orr__step_kind kind, enum orr__model_id model);
/* Adds a read step with the next slot; NULL after an error. */
orr__step *orr__tx_read_step(orr__tx *tx, enum orr__step_kind kind, enum orr__model_id model);
void orr__tx_ref(orr__tx *tx);
void orr__tx_reset_rows(orr__tx *tx);      /* forgets what its reads brought, so that they can be done again */
void orr__tx_drop_rows(orr__tx *tx);       /* and its slots too */

/* Takes the row, also when memory runs out. */
int orr__slot_add(orr__slot *slot, orr__object *row);

/* What a field is to the store. */
bool orr__field_is_stored(const orr__field *field);  /* has a column (id too) */
bool orr__field_is_text(const orr__field *field);
bool orr__field_is_integer(const orr__field *field);
uint64_t orr__model_stored(const orr__model *model); /* a bit per stored field */

/* The table's own rule for results, and the words of its refusals. */
#define ORR_RULE_MESSAGE "result %lld would be neither ended, nor due, nor in attention"
#define ORR_TERMINAL_MESSAGE "result %lld has ended: its status stays %s"
#define ORR_EXISTS_MESSAGE "a %s with %s '%s' exists already"
#define ORR_NOT_FOUND_MESSAGE "no %s %lld"
#define ORR_GUARD_MESSAGE "%s of %s %lld is %s, not %s"

#endif
