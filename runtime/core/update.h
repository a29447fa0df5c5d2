/* What the two files of an update share: update.c makes the draft, update_store.c stores what has become of it. */
#ifndef ORR_CORE_UPDATE_H
#define ORR_CORE_UPDATE_H

#include "core/internal.h"

#define ORR_UPDATE_UNKNOWN "unknown_update" /* the attention of a Backup: nobody knows what it is outside */

enum { ORR_UPDATE_CONNECTION, ORR_UPDATE_SERVER, ORR_UPDATE_CLOUD, ORR_UPDATE_REFS };

struct orr__update {
  int64_t backup_id;
  orr_backup *previous;
  orr_backup *draft;  /* as the hooks have left it, once they have passed */
  orr_op *op;         /* the row of the last hook, until its outcome is stored */
  orr__json *changed; /* names, for people */
  uint64_t mask;      /* fields that differ */
  struct {
    bool is_given;
    int64_t id; /* 0: none */
  } refs[ORR_UPDATE_REFS];
  int tries, waits;
  char *why; /* it is not known what became of it outside */
};

extern const orr__draft_kind orr__updating;

#endif
