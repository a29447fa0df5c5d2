/* What the core keeps of providers: the version of each that is live, whole, so that it is there after a restart whatever its files have
 * become, and the last ORR_VERSIONS_KEPT that were, to roll back to.
 *
 *   start:  rows --> ops->remember, before any request is looked at
 *   host->keep (its files made a version live):    version row anew at the end, the oldest beyond the limit go, provider row := it
 *   host->keep (it was rolled back to):            provider row := it; the versions stay in their order, so that back is further back
 *
 * Knows nothing of what sources are. What is stored here is never needed to go on: a write that does not succeed is logged, and what
 * is there is read again. */
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct orr__kept_entry {
  orr__kept_entry *next;
  char *code;
  int64_t id;                /* of the provider row; 0: none */
  int64_t version_id;        /* of the live one */
  size_t count;              /* of versions, by id */
  struct { int64_t id; char sha256[65]; } versions[ORR_VERSIONS_KEPT + 1];
};

/* ---- what is there ------------------------------------------------------------------------------------------ */

static orr__kept_entry *entry_of(orr__core *core, const char *code) {
  for (orr__kept_entry *e = core->kept; e; e = e->next)
    if (strcmp(e->code, code) == 0) return e;
  return NULL;
}

static orr__kept_entry *entry_make(orr__core *core, const char *code) {
  orr__kept_entry *e = entry_of(core, code);
  if (e) return e;
  e = calloc(1, sizeof *e);
  if (e) e->code = orr__strdup(code);
  if (!e || !e->code) {
    free(e);
    return NULL;
  }
  e->next = core->kept;
  core->kept = e;
  return e;
}

void orr__kept_free(orr__core *core) {
  while (core->kept) {
    orr__kept_entry *e = core->kept;
    core->kept = e->next;
    free(e->code);
    free(e);
  }
}

size_t orr__reads_parse(const char *text, int reads[ORR_READS_MAX]) {
  size_t count = 0;
  for (char *end; text && *text && count < ORR_READS_MAX; text = end) {
    long number = strtol(text, &end, 10);
    if (end == text) break;
    reads[count++] = (int)number;
  }
  return count;
}

static char *reads_print(const int *reads, size_t count) {
  orr__buf buf;
  orr__buf_init(&buf, ORR_READS_MAX * 12);
  for (size_t i = 0; i < count; i++) orr__buf_addf(&buf, "%s%d", i ? " " : "", reads[i]);
  return orr__buf_take(&buf, NULL);
}

int orr__kept_read(orr__tx *tx) {
  const uint64_t names = ORR_BIT(ORR_F_providerVersion_code) | ORR_BIT(ORR_F_providerVersion_sha256);
  int slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_provider, .order_field = -1 });
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_providerVersion, .order_field = -1, .fields = names });
  return slot;
}

static void take_version(orr__core *core, const orr_provider_version_row *row) {
  orr__kept_entry *e = entry_make(core, row->code);
  if (!e || e->count > ORR_VERSIONS_KEPT) return;
  e->versions[e->count].id = row->id;
  snprintf(e->versions[e->count++].sha256, 65, "%s", row->sha256);
}

static void tell(orr__core *core, const orr_provider_row *row) {
  int reads[ORR_READS_MAX];
  size_t count = orr__reads_parse(row->readsState, reads);
  orr__kept kept = { .code = row->code, .version = row->version, .sha256 = row->sha256, .sources = row->sources, .granted = row->granted,
                     .state_version = row->stateVersion > 0 ? (int)row->stateVersion : 1, .reads_state = reads, .reads_count = count,
                     .held_sha256 = row->heldSha256 };
  if (core->ops->remember) core->ops->remember(core->ops->self, &kept);
}

/* The rows that are read, as they are in the store. is_start: the backend is told of them. */
static void take(orr__core *core, const orr__tx *tx, int slot, bool is_start) {
  for (orr__kept_entry *e = core->kept; e; e = e->next) e->id = 0, e->version_id = 0, e->count = 0;
  for (size_t i = 0; i < orr__tx_rows(tx, slot + 1); i++)
    take_version(core, (const orr_provider_version_row *)orr__tx_row(tx, slot + 1, i));
  for (size_t i = 0; i < orr__tx_rows(tx, slot); i++) {
    const orr_provider_row *row = (const orr_provider_row *)orr__tx_row(tx, slot, i);
    orr__kept_entry *e = entry_make(core, row->code);
    if (!e) continue;
    e->id = row->id;
    e->version_id = row->versionId;
    if (is_start) tell(core, row);
  }
}

void orr__kept_take(orr__core *core, const orr__tx *tx, int slot) { take(core, tx, slot, true); }

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void read_again(orr__flow *flow) {
  if (!flow->code) take(flow->core, flow->tx, flow->slot, false);
  orr__flow_end(flow);
}

static void kept(orr__flow *flow) {
  orr__core *core = flow->core;
  if (!flow->code || core->is_closed) {
    orr__flow_end(flow);
    return;
  }
  char *line = orr__strf("this version is not kept for a restart: %s", orr__error_message(&flow->error));
  if (line)
    core->config.sink.log(core->config.sink.self, ORR_LOG_ERROR, &(orr__log_about){ .provider = flow->call_name }, line);
  free(line);
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__kept_read(tx);
  orr__flow_submit(flow, tx, read_again);
}

static void drop_version(orr__kept_entry *e, size_t i, orr__tx *tx) {
  orr__tx_delete(tx, ORR_M_providerVersion, e->versions[i].id);
  memmove(&e->versions[i], &e->versions[i + 1], (e->count - i - 1) * sizeof e->versions[0]);
  e->count--;
}

static void add_version(orr__core *core, orr__kept_entry *e, const orr__kept *k, const char *reads, orr__tx *tx) {
  for (size_t i = 0; i < e->count; i++)
    if (strcmp(e->versions[i].sha256, k->sha256) == 0) drop_version(e, i--, tx);
  while (e->count >= ORR_VERSIONS_KEPT) drop_version(e, 0, tx);
  orr_provider_version_row *row = orr__providerVersion_new();
  if (!row) return;
  orr__object *o = &row->head;
  e->version_id = orr__store_next_id(core->store, ORR_M_providerVersion);
  orr__set_int(o, ORR_F_providerVersion_id, e->version_id);
  orr__set_str(o, ORR_F_providerVersion_code, k->code);
  orr__set_str(o, ORR_F_providerVersion_sha256, k->sha256);
  orr__set_str(o, ORR_F_providerVersion_version, k->version);
  orr__set_str(o, ORR_F_providerVersion_sources, k->sources);
  orr__set_str(o, ORR_F_providerVersion_needs, k->granted);
  orr__set_int(o, ORR_F_providerVersion_stateVersion, k->state_version);
  orr__set_str(o, ORR_F_providerVersion_readsState, reads);
  orr__set_int(o, ORR_F_providerVersion_liveDate, orr__now(core));
  orr__tx_insert(tx, o);
  orr__object_free(o);
  e->versions[e->count].id = e->version_id;
  snprintf(e->versions[e->count++].sha256, 65, "%s", k->sha256);
}

static void write_live(orr__core *core, orr__kept_entry *e, const orr__kept *k, const char *reads, orr__tx *tx) {
  orr_provider_row *row = orr__provider_new();
  if (!row) return;
  orr__object *o = &row->head;
  bool is_new = e->id == 0;
  if (is_new) e->id = orr__store_next_id(core->store, ORR_M_provider);
  orr__set_int(o, ORR_F_provider_id, e->id);
  orr__set_str(o, ORR_F_provider_code, k->code);
  orr__set_str(o, ORR_F_provider_sha256, k->sha256);
  orr__set_str(o, ORR_F_provider_version, k->version);
  orr__set_str(o, ORR_F_provider_sources, k->sources);
  orr__set_str(o, ORR_F_provider_granted, k->granted);
  orr__set_int(o, ORR_F_provider_stateVersion, k->state_version);
  orr__set_str(o, ORR_F_provider_readsState, reads);
  orr__set_str(o, ORR_F_provider_heldSha256, k->held_sha256);
  orr__set_int(o, ORR_F_provider_versionId, e->version_id);
  orr__set_int(o, ORR_F_provider_liveDate, orr__now(core));
  if (is_new) orr__tx_insert(tx, o);
  else orr__tx_update(tx, o, o->dirty | ORR_BIT(ORR_F_provider_heldSha256));
  orr__object_free(o);
}

static void keep(void *self, const orr__kept *k, bool is_back) {
  orr__core *core = self;
  orr__kept_entry *e = entry_make(core, k->code);
  orr__flow *flow = e ? orr__flow_new(core) : NULL;
  char *reads = reads_print(k->reads_state, k->reads_count);
  orr__tx *tx = flow && reads ? orr__flow_tx(flow) : NULL;
  if (!tx) {
    if (flow) orr__flow_end(flow);
    free(reads);
    core->config.sink.log(core->config.sink.self, ORR_LOG_ERROR, &(orr__log_about){ .provider = k->code },
                          "this version is not kept for a restart: out of memory");
    return;
  }
  if (!is_back) add_version(core, e, k, reads, tx);
  for (size_t i = 0; is_back && i < e->count; i++)
    if (strcmp(e->versions[i].sha256, k->sha256) == 0) e->version_id = e->versions[i].id;
  write_live(core, e, k, reads, tx);
  free(reads);
  flow->call_name = orr__strdup(k->code);
  orr__flow_event(flow, tx, is_back ? "provider.back" : "provider.live", "info", "provider %s: version %s (%.12s) is live%s", k->code,
                  k->version, k->sha256, is_back ? " again" : "");
  orr__flow_submit(flow, tx, kept);
}

void orr__kept_forget(orr__core *core, const char *code, orr__tx *tx) {
  orr__kept_entry *e = entry_of(core, code);
  if (!e) return;
  while (e->count) drop_version(e, e->count - 1, tx);
  if (e->id) orr__tx_delete(tx, ORR_M_provider, e->id);
  e->id = e->version_id = 0;
}

/* ---- what is stored, and who can read it -------------------------------------------------------------------- */

void orr__state_stamp(orr__object *object, int state_version) {
  bool is_result = object && object->model->id == ORR_M_result;
  if (!object || !object->dirty || (!is_result && object->model->id != ORR_M_backup)) return;
  int field = is_result ? (int)ORR_F_result_stateVersion : (int)ORR_F_backup_stateVersion;
  int64_t before = orr__object_has(object, field) ? orr__get_int(object, field) : 1;
  if (before == (state_version > 1 ? state_version : 1)) return;
  if (state_version > 1) orr__set_int(object, field, state_version);
  else orr__unset(object, field);
}

/* Results by what comes next for them, results that wait for a person, Backups; each once with a stateVersion, once without. */
enum { DUE, LOOKED_AT, BACKUPS, SETS };
#define ROWS_MAX 1000

typedef struct reading {
  orr__core *core;
  orr__ready ready;
  void *arg;
  int reads[ORR_READS_MAX];
  size_t count;
  int slots[SETS][2];
  size_t found[SETS];
  int example;               /* a stateVersion that cannot be read */
} reading;

static bool can_read(const reading *r, int64_t state_version) {
  for (size_t i = 0; i < r->count; i++)
    if (r->reads[i] == state_version) return true;
  return false;
}

/* Results that have ended are not looked at for that: one that waits for a person has a status that is none of an end. */
static void count_rows(reading *r, const orr__tx *tx, int set, int slot) {
  int field = set == BACKUPS ? (int)ORR_F_backup_stateVersion : (int)ORR_F_result_stateVersion;
  for (size_t i = 0; i < orr__tx_rows(tx, slot); i++) {
    const orr__object *row = orr__tx_row(tx, slot, i);
    int64_t number = orr__object_has(row, field) ? orr__get_int(row, field) : 1;
    bool has_ended = set == LOOKED_AT && orr__status_is_terminal(orr__get_str(row, ORR_F_result_status));
    if (has_ended || can_read(r, number)) continue;
    r->found[set]++;
    r->example = (int)number;
  }
}

static void read_done(void *arg, orr__tx *tx, int code, const orr_error *err) {
  reading *r = arg;
  orr_error why = ORR_ERROR_INIT;
  orr__loop_busy(r->core->loop, -1);
  for (int set = 0; !code && set < SETS; set++)
    for (int k = 0; k < 2; k++)
      if (r->slots[set][k] >= 0) count_rows(r, tx, set, r->slots[set][k]);
  size_t results = r->found[DUE] + r->found[LOOKED_AT], backups = r->found[BACKUPS];
  if (!code && results + backups > 0) {
    char what[160], more[60] = "";
    if (backups) snprintf(more, sizeof more, "%s%zu%s Backup%s", results ? " and " : "", backups, backups < ROWS_MAX ? "" : " or more", backups == 1 ? "" : "s");
    if (results) snprintf(what, sizeof what, "%zu%s result%s not ended%s", results, results < ROWS_MAX ? "" : " or more", results == 1 ? " that has" : "s that have", more);
    code = orr__error_set(&why, ORR_E_REFUSED, "%s, written with stateVersion %d; let readsState have it, and the provider read it",
                          results ? what : more, r->example);
  } else if (code && err) {
    orr__error_copy(&why, err);
  }
  r->ready(r->arg, code, why.code ? &why : NULL);
  orr__error_clear(&why);
  free(r);
}

static void add_reads(reading *r, orr__tx *tx, const char *code, int set) {
  enum orr__model_id model = set == BACKUPS ? ORR_M_backup : ORR_M_result;
  int state = set == BACKUPS ? (int)ORR_F_backup_stateVersion : (int)ORR_F_result_stateVersion;
  int provider = set == BACKUPS ? (int)ORR_F_backup_providerCode : (int)ORR_F_result_providerCode;
  orr__where where[2 + ORR_READS_MAX];
  size_t count = 0;
  where[count++] = (orr__where){ .field = provider, .compare = ORR_EQ, .text = code };
  if (set == DUE) where[count++] = (orr__where){ .field = ORR_F_result_nextAction, .compare = ORR_IS_SET };
  if (set == LOOKED_AT) where[count++] = (orr__where){ .field = ORR_F_result_attention, .compare = ORR_IS_SET };
  orr__query query = { .model = model, .where = where, .order_field = -1, .limit = ROWS_MAX };
  query.fields = ORR_BIT(state) | (set == LOOKED_AT ? ORR_BIT(ORR_F_result_status) : 0);
  where[count] = (orr__where){ .field = state, .compare = ORR_IS_UNSET };
  query.where_count = count + 1;
  r->slots[set][0] = can_read(r, 1) ? -1 : orr__tx_query(tx, &query);
  /* With a number that can be read a row is none that is looked for; there are 32 conditions at most. */
  where[count++] = (orr__where){ .field = state, .compare = ORR_IS_SET };
  for (size_t i = 0; i < r->count && count < 32; i++)
    where[count++] = (orr__where){ .field = state, .compare = ORR_NE, .number = r->reads[i] };
  query.where_count = count;
  r->slots[set][1] = orr__tx_query(tx, &query);
}

int orr__kept_can_read(orr__core *core, const char *code, const int *reads_state, size_t count, orr__ready ready, void *arg) {
  reading *r = calloc(1, sizeof *r);
  if (!r) return ORR_E_NOMEM;
  r->core = core;
  r->ready = ready;
  r->arg = arg;
  r->count = count < ORR_READS_MAX ? count : ORR_READS_MAX;
  memcpy(r->reads, reads_state, r->count * sizeof *r->reads);
  orr__tx *tx = orr__tx_new();
  if (!tx) {
    free(r);
    return ORR_E_NOMEM;
  }
  for (int set = 0; set < SETS; set++) add_reads(r, tx, code, set);
  orr__loop_busy(core->loop, 1);
  orr__store_submit(core->store, tx, read_done, r);
  return 0;
}

static int host_can_read(void *self, const char *code, const int *reads_state, size_t count, orr__ready ready, void *arg) {
  return orr__kept_can_read(self, code, reads_state, count, ready, arg);
}

void orr__kept_install(orr__core *core) {
  core->host.keep = keep;
  core->host.can_read = host_can_read;
}
