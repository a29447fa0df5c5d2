/* Requests about which version of a provider is live: reload, trust, rollback; and forget, where none shall be.
 *
 *   reload, trust   ops does it; where the store has to be asked first, its outcome is waited for
 *   forget          nothing uses it --> the backend lets go of it --> what is kept of it is deleted
 *   rollback        versions that are kept --> the one meant --> can it read what is stored? --> ops->roll_back
 *
 * All of them say what has become of it: a version that is not live after all is an error that says why. What is read of files, and when,
 * the backend knows. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

#define TRUST_MIN 8 /* characters of a hash that a person means it by */

static const char *code_of(const orr__flow *flow) { return orr__json_str(flow->args, "provider"); }

static const char *word_of(enum orr__reload outcome) {
  switch (outcome) {
    case ORR_RELOAD_SAME: return "unchanged";
    case ORR_RELOAD_LIVE: return "live";
    case ORR_RELOAD_REFUSED: return "refused";
    case ORR_RELOAD_ASKING: return "asking";
    case ORR_RELOAD_UNREADABLE: return "refused";
    case ORR_RELOAD_WAITING: return "waiting";
    case ORR_RELOAD_HELD: return "held";
  }
  return "refused";
}

/* The version that runs now, put into the reply. */
static void put_version(const orr__flow *flow, orr__json *out, const char *key_sha, const char *key_version) {
  const orr__declaration *d = NULL;
  const orr__provider_ops *ops = flow->core->ops;
  if (ops->describe(ops->self, code_of(flow), &d, NULL) != 0) return;
  orr__json_put_str(out, key_sha, d->sha256);
  orr__json_put_str(out, key_version, d->version);
}

/* What was found in what is live now, and holds nothing back. */
static void put_advice(const orr__flow *flow) {
  const orr__declaration *d = NULL;
  const orr__provider_ops *ops = flow->core->ops;
  if (ops->describe(ops->self, code_of(flow), &d, NULL) == 0 && d->advice) orr__json_put_str(flow->out, "warning", d->advice);
}

static int begin(orr__flow *flow) {
  if (!flow->core->ops->reload)
    return flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "this runtime's providers have no versions");
  flow->out = orr__json_map();
  if (!flow->out) return orr__flow_no_memory(flow);
  orr__json_put_str(flow->out, "provider", code_of(flow));
  orr__provider_state state = { 0 };
  const orr__provider_ops *ops = flow->core->ops;
  bool is_loaded = ops->state && ops->state(ops->self, code_of(flow), &state) == 0 && state.is_loaded;
  if (is_loaded) put_version(flow, flow->out, "wasSha256", "wasVersion"); /* asking would load it */
  return 0;
}

static void finish(orr__flow *flow) {
  if (flow->code)
    orr__flow_fail(flow, flow->code, &flow->error);
  else
    orr__flow_reply(flow, flow->out);
  orr__flow_end(flow);
}

/* ---- reload, trust ------------------------------------------------------------------------------------------ */

/* Why the files are not live, and what goes on instead. */
static int refuse(orr__flow *flow, enum orr__reload last, const char *why) {
  int code = last == ORR_RELOAD_WAITING || last == ORR_RELOAD_UNREADABLE ? ORR_E_REFUSED : ORR_E_PROVIDER;
  const char *version = orr__json_str(flow->out, "version");
  orr__error_clear(&flow->error);
  return flow->code = version ? orr__error_set(&flow->error, code, "%s; version %s (%.12s) goes on", why ? why : "refused", version,
                                               orr__json_str(flow->out, "sha256"))
                              : orr__error_set(&flow->error, code, "%s", why ? why : "refused");
}

static void conclude(orr__flow *flow, enum orr__reload last, const char *why);

static void look_again(orr__flow *flow) {
  const orr__provider_ops *ops = flow->core->ops;
  enum orr__reload last;
  const char *why;
  flow->code = ops->outcome(ops->self, code_of(flow), &last, &why, &flow->error);
  if (flow->code)
    finish(flow);
  else
    conclude(flow, last, why);
}

static void conclude(orr__flow *flow, enum orr__reload last, const char *why) {
  if (last == ORR_RELOAD_ASKING) {
    orr__flow_sleep(flow, orr__loop_is_virtual(flow->core->loop) ? 0 : 0.005, look_again);
    return;
  }
  orr__json_put_str(flow->out, "outcome", word_of(last));
  put_version(flow, flow->out, "sha256", "version");
  bool is_refused = last == ORR_RELOAD_REFUSED || last == ORR_RELOAD_UNREADABLE || last == ORR_RELOAD_WAITING;
  if (is_refused) refuse(flow, last, why);
  if (last == ORR_RELOAD_HELD)
    orr__json_put_str(flow->out, "msg", "somebody rolled back, and the files are as they were then: change them, or roll on with --to");
  if (last == ORR_RELOAD_SAME) orr__json_put_str(flow->out, "msg", "its files are what runs");
  if (last == ORR_RELOAD_LIVE) orr__json_put_str(flow->out, "msg", "the next hook runs it");
  if (last == ORR_RELOAD_LIVE || last == ORR_RELOAD_SAME) put_advice(flow);
  finish(flow);
}

/* sha256: of the files that are trusted; NULL: nothing is, they are read. */
static void reload_or_trust(orr__flow *flow, const char *sha256) {
  const orr__provider_ops *ops = flow->core->ops;
  enum orr__reload last = ORR_RELOAD_REFUSED;
  const char *why = NULL;
  if (!flow->code && !begin(flow))
    flow->code = sha256 ? ops->trust(ops->self, code_of(flow), sha256, &last, &why, &flow->error)
                        : ops->reload(ops->self, code_of(flow), &last, &why, &flow->error);
  if (flow->code)
    finish(flow);
  else
    conclude(flow, last, why);
}

void orr__request_provider_reload(orr__flow *flow) { reload_or_trust(flow, NULL); }

void orr__request_provider_trust(orr__flow *flow) {
  const char *sha256 = orr__json_str(flow->args, "sha256");
  if (strlen(sha256) < TRUST_MIN)
    flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "'%s': give %d characters of the SHA-256 at least: orrery provider show %s", sha256,
                                TRUST_MIN, code_of(flow));
  reload_or_trust(flow, sha256);
}

/* ---- rollback ----------------------------------------------------------------------------------------------- */

static const orr_provider_version_row *version_at(const orr__flow *flow, size_t i) {
  return (const orr_provider_version_row *)orr__tx_row(flow->tx, flow->slot, i);
}

/* The newest is first. -1 with flow->code. */
static int choose(orr__flow *flow, int64_t live_id) {
  const char *to = orr__json_str(flow->args, "to");
  size_t count = orr__tx_rows(flow->tx, flow->slot);
  int found = -1, fits = 0;
  for (size_t i = 0; i < count; i++) {
    const orr_provider_version_row *row = version_at(flow, i);
    bool is_it = to ? orr__starts_with(row->sha256, to) : row->id < live_id;
    if (is_it && fits++ == 0) found = (int)i;
  }
  if (found < 0)
    flow->code = to ? orr__error_set(&flow->error, ORR_E_NOT_FOUND, "no version %s of provider '%s' is kept: orrery provider show %s", to,
                                     code_of(flow), code_of(flow))
                    : orr__error_set(&flow->error, ORR_E_REFUSED, "no earlier version of provider '%s' is kept", code_of(flow));
  else if (to && fits > 1)
    flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "'%s' fits more than one version: give more of it", to);
  return flow->code ? -1 : found;
}

static void roll_back(orr__flow *flow) {
  const orr__provider_ops *ops = flow->core->ops;
  const orr_provider_version_row *row = (const orr_provider_version_row *)flow->keeps;
  int reads[ORR_READS_MAX];
  if (!ops) {
    orr__flow_end(flow);
    return;
  }
  if (!flow->code) {
    orr__kept kept = { .code = row->code, .version = row->version, .sha256 = row->sha256, .sources = row->sources, .granted = row->needs,
                       .state_version = (int)row->stateVersion, .reads_state = reads };
    kept.reads_count = orr__reads_parse(row->readsState, reads);
    flow->code = ops->roll_back(ops->self, &kept, &flow->error);
  }
  if (!flow->code) {
    orr__provider_state state = { 0 };
    put_version(flow, flow->out, "sha256", "version");
    bool is_held = ops->state && ops->state(ops->self, code_of(flow), &state) == 0 && state.is_rolled_back;
    orr__json_put_bool(flow->out, "rolledBack", is_held);
    orr__json_put_str(flow->out, "msg", is_held ? "it stays until the files change" : "that is what its files are");
  }
  finish(flow);
}

static void can_read(void *arg, int code, const orr_error *err) {
  orr__flow *flow = arg;
  const orr_provider_version_row *row = (const orr_provider_version_row *)flow->keeps;
  flow->code = code;
  if (code == ORR_E_REFUSED)
    orr__error_set(&flow->error, code, "provider '%s': version %s has stateVersion %d and cannot read what is stored: %s", row->code,
                   row->version, (int)row->stateVersion, orr__error_message(err));
  else if (code && err)
    orr__error_copy(&flow->error, err);
  roll_back(flow);
}

static void versions_read(orr__flow *flow) {
  int64_t live_id = flow->code || !orr__tx_rows(flow->tx, flow->slot2)
                        ? 0
                        : ((const orr_provider_row *)orr__tx_row(flow->tx, flow->slot2, 0))->versionId;
  int at = flow->code ? -1 : choose(flow, live_id);
  if (at < 0) {
    finish(flow);
    return;
  }
  flow->keeps = orr__tx_take(flow->tx, flow->slot, (size_t)at);
  const orr_provider_version_row *row = (const orr_provider_version_row *)flow->keeps;
  int reads[ORR_READS_MAX];
  size_t count = orr__reads_parse(row->readsState, reads);
  if (orr__kept_can_read(flow->core, row->code, reads, count, can_read, flow)) {
    orr__flow_no_memory(flow);
    finish(flow);
  }
}

void orr__request_provider_rollback(orr__flow *flow) {
  const char *to = orr__json_str(flow->args, "to");
  if (to && strlen(to) < 4) flow->code = orr__error_set(&flow->error, ORR_E_INVALID, "'%s': give four characters of the SHA-256 at least", to);
  if (!flow->code) orr__flow_declare(flow, code_of(flow)); /* so that the backend knows what its files are; they may be broken */
  if (flow->code == ORR_E_PROVIDER) {
    flow->code = 0;
    orr__error_clear(&flow->error);
  }
  if (flow->code || begin(flow)) {
    finish(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__where versions = { .field = ORR_F_providerVersion_code, .compare = ORR_EQ, .text = code_of(flow) };
  orr__where live = { .field = ORR_F_provider_code, .compare = ORR_EQ, .text = code_of(flow) };
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_providerVersion, .where = &versions, .where_count = 1, .order_field = -1, .is_descending = true });
  flow->slot2 = orr__tx_query(tx, &(orr__query){ .model = ORR_M_provider, .where = &live, .where_count = 1, .order_field = -1, .fields = ORR_BIT(ORR_F_provider_versionId) });
  orr__flow_submit(flow, tx, versions_read);
}

/* ---- forget ------------------------------------------------------------------------------------------------- */

static void forgotten(orr__flow *flow) {
  if (!flow->code) orr__json_put_str(flow->out, "forgotten", code_of(flow));
  finish(flow);
}

static void forget_unused(orr__flow *flow) {
  orr__core *core = flow->core;
  const orr__provider_ops *ops = core->ops;
  int64_t backups = flow->code ? 0 : orr__tx_number(flow->tx, flow->slot), connections = flow->code ? 0 : orr__tx_number(flow->tx, flow->slot2);
  if (backups + connections > 0)
    flow->code = orr__error_set(&flow->error, ORR_E_REFUSED, "provider '%s' is in use: %lld Backup%s, %lld connection%s", code_of(flow),
                                (long long)backups, backups == 1 ? "" : "s", (long long)connections, connections == 1 ? "" : "s");
  if (!flow->code && ops) flow->code = ops->forget(ops->self, code_of(flow), &flow->error);
  if (flow->code || !ops) {
    finish(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__kept_forget(core, code_of(flow), tx);
  orr__flow_submit(flow, tx, forgotten);
}

void orr__request_provider_forget(orr__flow *flow) {
  const orr__provider_ops *ops = flow->core->ops;
  orr__provider_state state;
  flow->out = orr__json_map();
  if (!flow->out) orr__flow_no_memory(flow);
  bool is_known = ops->forget && ops->state(ops->self, code_of(flow), &state) == 0;
  if (!flow->code && !is_known) flow->code = orr__error_set(&flow->error, ORR_E_NOT_FOUND, "nothing is kept of a provider '%s'", code_of(flow));
  if (flow->code) {
    finish(flow);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  orr__where backups = { .field = ORR_F_backup_providerCode, .compare = ORR_EQ, .text = code_of(flow) };
  orr__where connections = { .field = ORR_F_connection_providerCode, .compare = ORR_EQ, .text = code_of(flow) };
  flow->slot = orr__tx_count(tx, &(orr__query){ .model = ORR_M_backup, .where = &backups, .where_count = 1, .order_field = -1 });
  flow->slot2 = orr__tx_count(tx, &(orr__query){ .model = ORR_M_connection, .where = &connections, .where_count = 1, .order_field = -1 });
  orr__flow_submit(flow, tx, forget_unused);
}
