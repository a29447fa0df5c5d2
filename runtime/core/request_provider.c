/* Requests about providers: what there is, what one declares, whether a file would do. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

static orr__json *parsed(const char *text) {
  return text ? orr__json_parse(text, strlen(text), NULL) : orr__json_null();
}

static orr__json *view_options(const orr__option *options, size_t count) {
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < count; i++) {
    const orr__option *o = &options[i];
    orr__json *map = orr__json_map();
    if (!map) break;
    orr__json_put_str(map, "fieldName", o->field_name);
    orr__json_put_str(map, "fieldLabel", o->field_label);
    orr__json_put_str(map, "inputType", o->input_type);
    orr__json_put_str(map, "helpText", o->help_text);
    orr__json_put_bool(map, "required", o->is_required);
    orr__json_put_bool(map, "createOnly", o->is_create_only);
    if (o->default_value) orr__json_put(map, "defaultValue", parsed(o->default_value));
    if (o->choices) orr__json_put(map, "choices", parsed(o->choices));
    orr__json_put_str(map, "optionSource", o->option_source);
    orr__json_append(list, map);
  }
  return list;
}

static orr__json *view_hooks(const orr__declaration *d) {
  orr__json *list = orr__json_list();
  for (int i = 0; list && i < ORR_HOOK_COUNT; i++)
    if (orr__declares(d, (enum orr__hook)i)) orr__json_append(list, orr__json_new_str(orr__hooks[i].name));
  return list;
}

/* How many seconds each of its hooks has. */
static orr__json *view_timeouts(const orr__declaration *d) {
  orr__json *map = orr__json_map();
  for (int i = 0; map && i < ORR_HOOK_COUNT; i++)
    if (orr__declares(d, (enum orr__hook)i)) orr__json_put_num(map, orr__hooks[i].name, d->hook_timeouts[i] > 0 ? d->hook_timeouts[i] : orr__hooks[i].timeout_s);
  return map;
}

static orr__json *view_reads(const orr__declaration *d) {
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < d->reads_count; i++) orr__json_append(list, orr__json_new_int(d->reads_state[i]));
  return list;
}

static orr__json *view_declaration(const orr__declaration *d, bool is_whole) {
  orr__json *map = orr__json_map();
  if (!map) return NULL;
  orr__json_put_str(map, "code", d->code);
  orr__json_put_str(map, "name", d->name);
  orr__json_put_str(map, "version", d->version);
  orr__json_put_str(map, "path", d->path);
  orr__json_put_str(map, "sha256", d->sha256);
  orr__json_put_int(map, "loadedDate", d->loaded_ms);
  orr__json_put(map, "hooks", view_hooks(d));
  orr__json_put_bool(map, "idempotent", d->is_idempotent);
  if (d->warning) {
    orr__json_put_str(map, "warning", d->warning);
    orr__json_put_str(map, "problem", d->warning);
  }
  if (!is_whole) return map;
  orr__json_put(map, "options", view_options(d->options, d->option_count));
  orr__json_put(map, "connectionOptions", view_options(d->connection_options, d->connection_option_count));
  if (d->findings) orr__json_put(map, "findings", parsed(d->findings));
  orr__json_put_int(map, "apiVersion", d->api_version);
  orr__json_put(map, "needs", parsed(d->needs));
  orr__json_put_num(map, "refreshInterval", d->refresh_interval > 0 ? d->refresh_interval : ORR_DEFAULT_REFRESH_S);
  orr__json_put_num(map, "timeout", d->timeout > 0 ? d->timeout : ORR_DEFAULT_TIMEOUT_S);
  orr__json_put(map, "timeouts", view_timeouts(d));
  if (d->no_progress_timeout > 0) orr__json_put_num(map, "noProgressTimeout", d->no_progress_timeout);
  if (d->max_running > 0) orr__json_put_int(map, "maxRunning", d->max_running);
  orr__json_put_num(map, "visibilityDelay", d->visibility_delay);
  orr__json_put_int(map, "stateVersion", d->state_version > 0 ? d->state_version : 1);
  orr__json_put(map, "readsState", view_reads(d));
  return map;
}

/* How it does, and what there is to know beside what it declares. */
static void put_state(const orr__core *core, orr__json *map, const orr__declaration *d, bool is_whole) {
  orr__provider_state s = { 0 };
  const orr__provider_ops *ops = core->ops;
  if (!ops->state || ops->state(ops->self, d->code, &s) != 0) return;
  orr__json_put_int(map, "calls", (int64_t)s.calls);
  orr__json_put_int(map, "errors", (int64_t)s.errors);
  orr__json_put_int(map, "inFlight", (int64_t)s.in_flight);
  orr__json_put_int(map, "memoryInBytes", (int64_t)s.memory);
  orr__json_put_bool(map, "rolledBack", s.is_rolled_back);
  orr__json_put_str(map, "waiting", s.waiting_needs);
  const char *note = s.is_rolled_back ? "rolled back, until its files change" : s.is_kept ? "its files are not what runs" : NULL;
  if (s.waiting_needs) note = "its files wait for trust";
  if (s.last == ORR_RELOAD_ASKING) note = "its files are being looked over";
  if (!note && !is_whole) note = d->advice; /* `findings` has all of it */
  orr__json_put_str(map, "note", note);
  if (!is_whole) return;
  orr__json_put_str(map, "lastError", s.last_error);
  if (s.last_error) orr__json_put_int(map, "lastErrorDate", s.last_error_ms);
  orr__json_put_int(map, "oldVersions", (int64_t)s.old_versions);
  orr__json_put_int(map, "memoryLimitInBytes", (int64_t)s.memory_limit);
  orr__json_put_bool(map, "watched", s.is_watched);
  if (s.file_sha256 && *s.file_sha256) orr__json_put_str(map, "fileSha256", s.file_sha256);
  orr__json_put(map, "granted", parsed(s.granted));
}

struct listing {
  const orr__core *core;
  orr__json *list;
  bool is_asking;            /* of one it is not known yet what becomes of it */
};

static bool is_asking(const orr__core *core, const char *code) {
  orr__provider_state s = { 0 };
  return core->ops->state && core->ops->state(core->ops->self, code, &s) == 0 && s.last == ORR_RELOAD_ASKING;
}

/* The store has an answer soon. */
static void once_more(orr__flow *flow, orr__step step) {
  orr__flow_sleep(flow, orr__loop_is_virtual(flow->core->loop) ? 0 : 0.005, step);
}

static void each(void *arg, const char *code, const char *path, const orr__declaration *declaration,
                 const orr_error *err) {
  struct listing *listing = arg;
  orr__json *map = declaration ? view_declaration(declaration, false) : orr__json_map();
  if (!map) return;
  listing->is_asking = listing->is_asking || is_asking(listing->core, code);
  if (declaration) put_state(listing->core, map, declaration, false);
  if (!declaration) {
    orr__json_put_str(map, "code", code);
    orr__json_put_str(map, "path", path);
    orr__json_put_str(map, "error", orr__error_message(err));
    orr__json_put_str(map, "problem", orr__error_message(err));
  }
  orr__json_append(listing->list, map);
}

static void finish(orr__flow *flow, orr__json *out) {
  if (flow->code)
    orr__flow_fail(flow, flow->code, &flow->error);
  else
    orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

void orr__request_provider_ls(orr__flow *flow) {
  struct listing listing = { flow->core, orr__json_list(), false };
  if (listing.list) flow->code = flow->core->ops->list(flow->core->ops->self, each, &listing, &flow->error);
  if (!flow->code && listing.is_asking && !flow->core->is_draining) {
    orr__json_free(listing.list);
    once_more(flow, orr__request_provider_ls);
    return;
  }
  finish(flow, listing.list);
}

/* The versions that are kept, newest first. */
static orr__json *view_versions(const orr__flow *flow, const char *sha256) {
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < orr__tx_rows(flow->tx, flow->slot); i++) {
    const orr_provider_version_row *row = (const orr_provider_version_row *)orr__tx_row(flow->tx, flow->slot, i);
    orr__json *map = orr__json_map();
    if (!map) break;
    orr__json_put_str(map, "sha256", row->sha256);
    orr__json_put_str(map, "version", row->version);
    orr__json_put_int(map, "liveDate", row->liveDate);
    orr__json_put_bool(map, "live", orr__streq(row->sha256, sha256));
    orr__json_append(list, map);
  }
  return list;
}

static void show(orr__flow *flow) {
  const char *code = orr__json_str(flow->args, "provider");
  const orr__declaration *d = flow->code ? NULL : orr__flow_declare(flow, code);
  orr__json *out = d ? view_declaration(d, true) : NULL;
  if (out) {
    put_state(flow->core, out, d, true);
    orr__json_put(out, "versions", view_versions(flow, d->sha256));
  }
  finish(flow, out);
}

void orr__request_provider_show(orr__flow *flow) {
  const uint64_t fields = ORR_BIT(ORR_F_providerVersion_sha256) | ORR_BIT(ORR_F_providerVersion_version) | ORR_BIT(ORR_F_providerVersion_liveDate);
  orr__where where = { .field = ORR_F_providerVersion_code, .compare = ORR_EQ, .text = orr__json_str(flow->args, "provider") };
  if (!orr__flow_declare(flow, where.text)) { /* a first look keeps it; what is shown then has that in it */
    finish(flow, NULL);
    return;
  }
  if (is_asking(flow->core, where.text) && !flow->core->is_draining) {
    once_more(flow, orr__request_provider_show);
    return;
  }
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_query(tx, &(orr__query){ .model = ORR_M_providerVersion, .where = &where, .where_count = 1, .order_field = -1, .is_descending = true, .fields = fields });
  orr__flow_submit(flow, tx, show);
}

static size_t count_errors(const orr__json *findings) {
  size_t count = 0;
  for (const orr__json *m = orr__json_first(findings); m; m = orr__json_next(m)) count += orr__streq(orr__json_str(m, "severity"), "error");
  return count;
}

void orr__request_provider_check(orr__flow *flow) {
  const char *path = orr__json_str(flow->args, "path");
  char *text = NULL;
  flow->code = flow->core->ops->check(flow->core->ops->self, path, &text, &flow->error);
  orr__json *out = orr__json_map(), *findings = text ? parsed(text) : NULL;
  if (!flow->code && out && findings) {
    size_t errors = count_errors(findings), all = orr__json_count(findings);
    orr__json_put_str(out, "path", path);
    orr__json_put_bool(out, "ok", errors == 0);
    orr__json_put_int(out, "errors", (int64_t)errors);
    orr__json_put_int(out, "warnings", (int64_t)(all - errors));
    orr__json_put(out, "findings", findings);
    findings = NULL;
  }
  orr__json_free(findings);
  free(text);
  finish(flow, out);
}
