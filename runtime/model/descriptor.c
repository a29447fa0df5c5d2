/* Descriptors: the tables that the field lists expand to, and looking things up in them by name.
 *
 * Deliberately does not know values; object.c keeps those. Invariants: field 0 is `id`; no model has more than
 * 64 fields, a bit of the masks each; a REF has a target and a name to navigate by, no other type has. */
#include "model/object.h"

#include <string.h>

#include "base/str.h"

/* The flags as the lists spell them. */
enum {
  NONE = ORR_FIELD_NONE,
  READONLY = ORR_FIELD_READONLY,
  SECRET = ORR_FIELD_SECRET,
  DERIVED = ORR_FIELD_DERIVED,
  UNIQUE = ORR_FIELD_UNIQUE,
  REQUIRED = ORR_FIELD_REQUIRED,
  INDEX = ORR_FIELD_INDEX,
  PROSE = ORR_FIELD_PROSE,
};

#define X(model, type) typedef type struct_##model;
MODEL_TYPES(X)
#undef X

#define FIELD(model, type, name, flags, since, doc) \
  {#name, ORR_T_##type, flags, since, offsetof(struct_##model, name), ORR_M_NONE, NULL, doc},
#define REFERENCE(model, name, target, nav, flags, since, doc) \
  {#name, ORR_T_REF, flags, since, offsetof(struct_##model, name), ORR_M_##target, #nav, doc},
static const orr__field cloud_fields[] = {
#include "model/fields/cloud.def"
};
static const orr__field server_fields[] = {
#include "model/fields/server.def"
};
static const orr__field connection_fields[] = {
#include "model/fields/connection.def"
};
static const orr__field backup_fields[] = {
#include "model/fields/backup.def"
};
static const orr__field result_fields[] = {
#include "model/fields/result.def"
};
static const orr__field op_fields[] = {
#include "model/fields/op.def"
};
static const orr__field event_fields[] = {
#include "model/fields/event.def"
};
static const orr__field provider_fields[] = {
#include "model/fields/provider.def"
};
static const orr__field providerVersion_fields[] = {
#include "model/fields/provider_version.def"
};
static const orr__field orphan_fields[] = {
#include "model/fields/orphan.def"
};
#undef FIELD
#undef REFERENCE

#define MODEL(model, Class, table, doc)                                   \
  _Static_assert(sizeof model##_fields / sizeof *model##_fields <= 64, "the masks have 64 bits");
#include "model/fields/models.def"
#undef MODEL

const orr__model orr__models[ORR_M_COUNT] = {
#define MODEL(model, Class, table, doc)                                                              \
  {ORR_M_##model, #model, #Class, table, doc, model##_fields, sizeof model##_fields / sizeof *model##_fields, \
   sizeof(struct_##model)},
#include "model/fields/models.def"
#undef MODEL
};

/* Other names that a field goes by. */
static const struct alias {
  enum orr__model_id model;
  int field;
  const char *name;
  const char *nav; /* what one navigates by under that name */
} aliases[] = {
  {ORR_M_backup, ORR_F_backup_backupProviderId, "connectionId", "connection"},
};
enum { ALIAS_COUNT = sizeof aliases / sizeof *aliases };

int orr__field_find(const orr__model *model, const char *name) {
  if (!name) return -1;
  for (size_t i = 0; i < model->field_count; i++)
    if (strcmp(model->fields[i].name, name) == 0) return (int)i;
  for (size_t i = 0; i < ALIAS_COUNT; i++)
    if (aliases[i].model == model->id && strcmp(aliases[i].name, name) == 0) return aliases[i].field;
  return -1;
}

const char *orr__field_name(const orr__model *model, size_t i) {
  if (i < model->field_count) return model->fields[i].name;
  i -= model->field_count;
  for (size_t k = 0; k < ALIAS_COUNT; k++)
    if (aliases[k].model == model->id && i-- == 0) return aliases[k].name;
  return NULL;
}

/* Each field counts twice, by its name and by its navigation or, where it has none, its name again; then the
 * aliases, two names each. */
static const char *name_at(void *arg, size_t i) {
  const orr__model *model = *(const orr__model **)arg;
  if (i < 2 * model->field_count) {
    const orr__field *field = &model->fields[i / 2];
    return i % 2 && field->nav ? field->nav : field->name;
  }
  size_t rest = i - 2 * model->field_count;
  for (size_t k = 0; k < ALIAS_COUNT; k++) {
    if (aliases[k].model != model->id) continue;
    if (rest < 2) return rest ? aliases[k].nav : aliases[k].name;
    rest -= 2;
  }
  return NULL;
}

const char *orr__field_nearest(const orr__model *model, const char *name) {
  return name ? orr__nearest(name, name_at, &model) : NULL;
}

const orr__model *orr__model_find(const char *name) {
  for (size_t i = 0; name && i < ORR_M_COUNT; i++)
    if (strcmp(orr__models[i].name, name) == 0) return &orr__models[i];
  return NULL;
}
