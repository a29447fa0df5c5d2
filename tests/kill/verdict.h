/* What has to be true when all is at rest: the runtime's results against what was acknowledged and against the outside's ledger. */
#ifndef ORR_TEST_KILL_VERDICT_H
#define ORR_TEST_KILL_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "model/json.h"

enum check { CHECK_ACKNOWLEDGED, CHECK_ONCE, CHECK_ORPHANS, CHECK_DELETED, CHECK_UPDATED, CHECK_CLEANED, CHECK_FIRES, CHECK_TRUTH, CHECK_REST, CHECK_ATTENTION, CHECK_LOST, CHECK_STEPS, CHECK_SOUND, CHECK_COUNT };
extern const char *const check_names[CHECK_COUNT];

typedef struct verdict verdict;

verdict *verdict_new(void);
void verdict_free(verdict *v);
void verdict_acknowledged(verdict *v, const char *uuid); /* the runtime said that it has accepted this result */
/* The deletion of this result was asked for: it may be gone. Has it been acknowledged, it must be. */
void verdict_asked_away(verdict *v, const char *uuid);
void verdict_away(verdict *v, const char *uuid);
void verdict_killed(verdict *v, const char *uuid); /* its job runner was killed: it may have FAILED without a word from the tool */
/* The update of this Backup was acknowledged, to this version; those of one Backup rise. */
void verdict_updated(verdict *v, const char *uuid, const char *version);
size_t verdict_acknowledged_count(const verdict *v);
/* The results (a list of result.ls) of a Backup. is_neither: of a provider that can neither repeat a start nor look it up. */
void verdict_results(verdict *v, const orr__json *results, bool is_neither);
/* The Backups (a list of backup.ls): each has a policy outside. */
void verdict_backups(verdict *v, const orr__json *backups);
bool verdict_ledger(verdict *v, const char *path); /* reads it; false if that does not work */
void verdict_fault(verdict *v, enum check check, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Judges, prints `# ` lines with the counts, and says for each check whether it holds. */
void verdict_judge(verdict *v, bool ret_holds[CHECK_COUNT]);

#endif
