/* Models: plain structs with a descriptor, so that SQL, JSON, Lua, validation and documentation are
 * ordinary functions that walk a table.
 *
 * A model's fields are listed once, in fields/<model>.def; the list expands to the struct (orr_result and so
 * on), to field numbers (ORR_F_result_status) and to the descriptor (orr__models[ORR_M_result]), nothing more.
 *
 * Every object begins with orr__object: two masks with a bit per field. `set`: the field has a value (a clear
 * bit is Lua's nil, JSON's null, SQL's NULL). `dirty`: it was changed since the object was loaded or
 * orr__object_clean; this is what update statements and hook answers go by. Reading the struct's members
 * directly is fine (unset ones are 0 or NULL); writing goes through the setters, which keep the masks and own
 * the strings. Setting a field to the value it has does not make it dirty.
 *
 * Knows nothing of stores, hooks or Lua. */
#ifndef ORR_MODEL_OBJECT_H
#define ORR_MODEL_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum orr__type {
  ORR_T_INT,     /* int64_t */
  ORR_T_DATE,    /* int64_t, milliseconds since 1970 UTC */
  ORR_T_REF,     /* int64_t, the id of an object of another model; as text always "<nav>Id" */
  ORR_T_BOOL,    /* int64_t, 0 or 1 */
  ORR_T_NUM,     /* double */
  ORR_T_STR,     /* char *, UTF-8 */
  ORR_T_STATUS,  /* char *, one of the words of model/status.h */
  ORR_T_MAP,     /* char *, the text of a JSON object */
};

/* What a field is. Walkers decide what follows from it. */
enum orr__field_flag {
  ORR_FIELD_NONE = 0,
  ORR_FIELD_READONLY = 1,  /* not for providers to write */
  ORR_FIELD_SECRET = 2,    /* sealed in the store, never printed; readable by the owning provider */
  ORR_FIELD_DERIVED = 4,   /* computed from other fields: no column, no member is read */
  ORR_FIELD_UNIQUE = 8,
  ORR_FIELD_REQUIRED = 16, /* never NULL */
  ORR_FIELD_INDEX = 32,    /* looked up by it */
  ORR_FIELD_PROSE = 64,    /* for people to read: secrets are taken out before it is kept */
};

enum orr__model_id {
#define MODEL(model, Class, table, doc) ORR_M_##model,
#include "model/fields/models.def"
#undef MODEL
  ORR_M_COUNT,
  ORR_M_NONE = ORR_M_COUNT
};

typedef struct orr__field {
  const char *name;         /* in Lua, JSON and SQL alike */
  enum orr__type type;
  unsigned flags;
  unsigned since;           /* provider apiVersion it came with */
  size_t offset;            /* of the member in the struct */
  enum orr__model_id target; /* of a REF, else ORR_M_NONE */
  const char *nav;          /* of a REF: the name one navigates by, else NULL */
  const char *doc;
} orr__field;

typedef struct orr__model {
  enum orr__model_id id;
  const char *name;         /* "result" */
  const char *class_name;   /* "BackupResult" */
  const char *table;
  const char *doc;
  const orr__field *fields; /* field 0 is always id */
  size_t field_count;       /* at most 64 */
  size_t size;              /* of the struct */
} orr__model;

extern const orr__model orr__models[ORR_M_COUNT];

typedef struct orr__object {
  const orr__model *model;
  uint64_t set;
  uint64_t dirty;
  uint32_t room;    /* bytes behind the members, in the same block, for texts that it is made with */
  uint32_t used;    /* of them in use; what is set later has blocks of its own */
} orr__object;

#define ORR_MEMBER_INT int64_t
#define ORR_MEMBER_DATE int64_t
#define ORR_MEMBER_BOOL int64_t
#define ORR_MEMBER_NUM double
#define ORR_MEMBER_STR char *
#define ORR_MEMBER_STATUS char *
#define ORR_MEMBER_MAP char *
#define FIELD(model, type, name, flags, since, doc) ORR_MEMBER_##type name;
#define REFERENCE(model, name, target, nav, flags, since, doc) int64_t name;
typedef struct orr_cloud { orr__object head;
#include "model/fields/cloud.def"
} orr_cloud;
typedef struct orr_server { orr__object head;
#include "model/fields/server.def"
} orr_server;
typedef struct orr_connection { orr__object head;
#include "model/fields/connection.def"
} orr_connection;
typedef struct orr_backup { orr__object head;
#include "model/fields/backup.def"
} orr_backup;
typedef struct orr_result { orr__object head;
#include "model/fields/result.def"
} orr_result;
typedef struct orr_op { orr__object head;
#include "model/fields/op.def"
} orr_op;
typedef struct orr_event_row { orr__object head;
#include "model/fields/event.def"
} orr_event_row;
typedef struct orr_provider_row { orr__object head;
#include "model/fields/provider.def"
} orr_provider_row;
typedef struct orr_provider_version_row { orr__object head;
#include "model/fields/provider_version.def"
} orr_provider_version_row;
typedef struct orr_orphan { orr__object head;
#include "model/fields/orphan.def"
} orr_orphan;
#undef FIELD
#undef REFERENCE

/* Field numbers: ORR_F_result_status and so on. */
#define FIELD(model, type, name, flags, since, doc) ORR_F_##model##_##name,
#define REFERENCE(model, name, target, nav, flags, since, doc) ORR_F_##model##_##name,
enum {
#include "model/fields/cloud.def"
};
enum {
#include "model/fields/server.def"
};
enum {
#include "model/fields/connection.def"
};
enum {
#include "model/fields/backup.def"
};
enum {
#include "model/fields/result.def"
};
enum {
#include "model/fields/op.def"
};
enum {
#include "model/fields/event.def"
};
enum {
#include "model/fields/provider.def"
};
enum {
#include "model/fields/provider_version.def"
};
enum {
#include "model/fields/orphan.def"
};
#undef FIELD
#undef REFERENCE

#define ORR_BIT(field) (UINT64_C(1) << (field))

/* A new object with nothing set. Owned; NULL when out of memory. orr__result_new() and so on give the type. */
orr__object *orr__object_new(enum orr__model_id model);
/* The same with room for so many bytes of texts, their ends included: a row that is read takes one block of memory. Owned. */
orr__object *orr__object_new_with_room(enum orr__model_id model, size_t room);
/* Sets a text of len bytes of a field that has none: in the room while that lasts. 0 or ORR_E_NOMEM. */
int orr__fill_str(orr__object *object, int field, const char *text, size_t len);
/* Gives each text a block of its own, so that the members may be moved to another object. 0 or ORR_E_NOMEM, and nothing has changed. */
int orr__object_spread(orr__object *object);
void orr__object_free(orr__object *object);
orr__object *orr__object_copy(const orr__object *object); /* owned; masks too */
#define MODEL_TYPES(X) X(cloud, orr_cloud) X(server, orr_server) X(connection, orr_connection) \
  X(backup, orr_backup) X(result, orr_result) X(op, orr_op) X(event, orr_event_row) X(provider, orr_provider_row) \
  X(providerVersion, orr_provider_version_row) X(orphan, orr_orphan)
#define X(model, type) \
  static inline type *orr__##model##_new(void) { return (type *)(void *)orr__object_new(ORR_M_##model); }
MODEL_TYPES(X)
#undef X

bool orr__object_has(const orr__object *object, int field);
/* Setters take the object's head: `orr__set_str(&result->head, ORR_F_result_status, "FAILED")`. The field's type
 * must fit (an assert). Strings are copied; NULL unsets. Return 0 or ORR_E_NOMEM. */
int orr__set_str(orr__object *object, int field, const char *value);
int orr__set_int(orr__object *object, int field, int64_t value); /* INT DATE REF BOOL */
int orr__set_num(orr__object *object, int field, double value);
void orr__unset(orr__object *object, int field);
/* Readers by number, for walkers; derived fields are computed. Unset: NULL, 0. */
const char *orr__get_str(const orr__object *object, int field);
int64_t orr__get_int(const orr__object *object, int field);
double orr__get_num(const orr__object *object, int field);
int orr__copy_field(orr__object *to, const orr__object *from, int field); /* same model */
int64_t orr__object_id(const orr__object *object);   /* 0 while not persisted */
/* dirty = 0. */
void orr__object_clean(orr__object *object);

/* Finds a field by name or alias; -1. A miss may be suggested for: orr__field_nearest gives the nearest name or
 * NULL. Names of navigation count for the latter. */
int orr__field_find(const orr__model *model, const char *name);
/* The names and aliases that it finds, by number from 0; NULL at the end. */
const char *orr__field_name(const orr__model *model, size_t i);
const char *orr__field_nearest(const orr__model *model, const char *name);
const orr__model *orr__model_find(const char *name); /* "result"; NULL */

/* Sets a field from text as the command line has it: integers, true/false, ISO 8601 dates or milliseconds, a JSON
 * object for maps. INVALID says what was expected. */
int orr__set_text(orr__object *object, int field, const char *text, orr_error *reterr);

/* Objects that belong together: an object and what its references lead to, loaded as one so that navigation
 * never waits. Any may be NULL. The struct owns them. For a connection hook only connection is set. */
typedef struct orr__graph {
  orr_result *result;
  orr_backup *backup;
  orr_connection *connection;
  orr_cloud *cloud;      /* the server's cloud, else the backup's own */
  orr_server *server;    /* the result's, else the backup's */
} orr__graph;
void orr__graph_clear(orr__graph *graph);

#endif
