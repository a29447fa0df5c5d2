/* Requests about the runtime itself: status, who holds the data directory, handing it over, copying the database. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/process.h"

static const char *role_word(const orr__core *core) {
  return core->config.role == ORR_ROLE_SERVE ? "serve" : "command";
}

static void put_runtime(const orr__core *core, orr__json *out) {
  orr__json_put_str(out, "version", ORR_VERSION);
  orr__json_put_str(out, "role", role_word(core));
  orr__json_put_int(out, "pid", getpid());
  orr__json_put_str(out, "dataDir", core->data_dir);
}

void orr__request_runtime_info(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) put_runtime(flow->core, out);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

void orr__request_runtime_handover(orr__flow *flow) {
  orr__json *out = orr__json_map();
  if (out) put_runtime(flow->core, out);
  orr__core *core = flow->core;
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
  orr__core_drain(core);
}

/* ---- status ------------------------------------------------------------------------------------------------- */

static void count_provider(void *arg, const char *code, const char *path, const orr__declaration *declaration,
                           const orr_error *err) {
  (void)code, (void)path, (void)err;
  int64_t *counts = arg;
  counts[declaration ? 0 : 1]++;
}

static void put_draft(const orr__core *core, orr__json *list, const orr_op *op) {
  orr__json *map = orr__draft_is_at_work(core, op) || orr__draft_is_rescued(core, op) ? NULL : orr__json_map();
  if (!map) return;
  orr__json_put_str(map, "name", op->subjectName);
  orr__json_put_str(map, "providerCode", op->providerCode);
  orr__json_put_str(map, "act", op->act);
  orr__json_put_int(map, "sentDate", op->sentDate);
  orr__json_append(list, map);
}

/* Creations at work, and drafts that are being found out about. */
static size_t creations(const orr__core *core) {
  size_t count = 0;
  for (const orr__flow *flow = core->flows; flow; flow = flow->next)
    count += flow->rescue || flow->draft == orr__creation();
  return count;
}

/* Names and why. */
static orr__json *backups_in_attention(orr__flow *flow, int slot) {
  orr__json *list = orr__json_list();
  for (size_t i = 0; list && i < orr__tx_rows(flow->tx, slot); i++) {
    const orr_backup *backup = (const orr_backup *)orr__tx_row(flow->tx, slot, i);
    orr__json *map = orr__json_map();
    if (!map) break;
    orr__json_put_str(map, "name", backup->name);
    orr__json_put_str(map, "providerCode", backup->providerCode);
    orr__json_put_str(map, "attention", backup->attention);
    orr__json_put_str(map, "schedule", backup->schedule);
    orr__json_put_str(map, "timeZone", backup->timeZone);
    orr__json_append(list, map);
  }
  return list;
}

static void status_read(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__json *out = flow->code ? NULL : orr__json_map();
  if (!out) {
    orr__flow_abandon(flow);
    return;
  }
  put_runtime(core, out);
  orr__json_put_int(out, "startedDate", core->started_ms);
  orr__json_put_int(out, "backups", orr__tx_number(flow->tx, flow->slot));
  orr__json *results = orr__json_map(), *attention = orr__json_list(), *undeleted = orr__json_list();
  for (unsigned i = 0; results && orr__status_at(i); i++)
    orr__json_put_int(results, orr__status_at(i), orr__tx_number(flow->tx, flow->slot2 + (int)i));
  for (size_t i = 0; attention && i < orr__tx_rows(flow->tx, flow->slot3); i++)
    orr__json_append(attention, orr__view(orr__tx_row(flow->tx, flow->slot3, i)));
  orr__json_put(out, "results", results);
  orr__json_put(out, "attention", attention);
  for (size_t i = 0; undeleted && i < orr__tx_rows(flow->tx, (int)flow->id_at); i++)
    orr__json_append(undeleted, orr__view(orr__tx_row(flow->tx, (int)flow->id_at, i)));
  orr__json_put(out, "undeleted", undeleted);
  orr__json_put_int(out, "schedules", orr__tx_number(flow->tx, flow->slot4));
  orr__json_put_int(out, "due", (int64_t)orr__wheel_len(core->due));
  orr__json_put_int(out, "waiting", (int64_t)orr__slots_waiting(core->slots));
  orr__json_put_int(out, "inFlight", (int64_t)core->calls.len);
  int64_t providers[2] = { 0, 0 };
  if (core->ops->list(core->ops->self, count_provider, providers, &flow->error) == 0) {
    orr__json_put_int(out, "providers", providers[0]);
    orr__json_put_int(out, "brokenProviders", providers[1]);
  }
  orr__json *drafts = orr__json_list();
  for (size_t i = 0; drafts && i < orr__tx_rows(flow->tx, (int)flow->id); i++)
    put_draft(core, drafts, (const orr_op *)orr__tx_row(flow->tx, (int)flow->id, i));
  orr__json_put(out, "drafts", drafts);
  orr__json_put(out, "attentionBackups", backups_in_attention(flow, (int)flow->id + 1));
  orr__json_put_int(out, "creating", (int64_t)creations(core));
  orr__json_put_int(out, "orphans", orr__tx_number(flow->tx, (int)flow->id + 2));
  if (core->last_commit_ms) orr__json_put_int(out, "lastCommit", core->last_commit_ms);
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

void orr__request_status(orr__flow *flow) {
  orr__tx *tx = orr__flow_tx(flow);
  orr__where attention = { .field = ORR_F_result_attention, .compare = ORR_IS_SET };
  orr__where schedule = { .field = ORR_F_backup_schedule, .compare = ORR_IS_SET };
  flow->slot = orr__tx_count(tx, &(orr__query){ .model = ORR_M_backup, .order_field = -1 });
  flow->slot2 = -1;
  for (unsigned i = 0; orr__status_at(i); i++) {
    orr__where status = { .field = ORR_F_result_status, .compare = ORR_EQ, .text = orr__status_at(i) };
    int slot = orr__tx_count(
        tx, &(orr__query){ .model = ORR_M_result, .where = &status, .where_count = 1, .order_field = -1 });
    if (flow->slot2 < 0) flow->slot2 = slot;
  }
  flow->slot3 = orr__tx_query(tx, &(orr__query){ .model = ORR_M_result,
                                                 .where = &attention,
                                                 .where_count = 1,
                                                 .order_field = -1,
                                                 .is_descending = true,
                                                 .limit = 100 });
  flow->slot4 = orr__tx_count(
      tx, &(orr__query){ .model = ORR_M_backup, .where = &schedule, .where_count = 1, .order_field = -1 });
  orr__where undeleted = { .field = ORR_F_result_deleteDate, .compare = ORR_IS_SET };
  flow->id_at = (size_t)orr__tx_query(
      tx, &(orr__query){
              .model = ORR_M_result, .where = &undeleted, .where_count = 1, .order_field = -1, .limit = 100 });
  flow->id = orr__drafts_read(tx, NULL);
  orr__where unwell = { .field = ORR_F_backup_attention, .compare = ORR_IS_SET };
  orr__tx_query(tx, &(orr__query){ .model = ORR_M_backup, /* in the slot after the drafts' */
                                   .where = &unwell,
                                   .where_count = 1,
                                   .order_field = ORR_F_backup_name,
                                   .limit = 100,
                                   .fields = ORR_BIT(ORR_F_backup_name) | ORR_BIT(ORR_F_backup_providerCode) |
                                             ORR_BIT(ORR_F_backup_attention) | ORR_BIT(ORR_F_backup_schedule) |
                                             ORR_BIT(ORR_F_backup_timeZone) });
  orr__tx_count(tx, &(orr__query){ .model = ORR_M_orphan, .order_field = -1 });
  orr__flow_submit(flow, tx, status_read);
}

/* ---- what it stands on -------------------------------------------------------------------------------------- */

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* One program, which needs.exec may name by several places from `word` on ("psql", "/usr/lib/postgresql/(star)/bin/psql"): any of them will
 * do. A place that comes from an option is not known here; NULL if there is no other. */
static orr__json *program_map(const char *code, const orr__json *word) {
  const char *base = base_name(orr__json_text(word)), *named = NULL;
  char *found = NULL;
  for (; word && !found; word = orr__json_next(word)) {
    const char *place = orr__json_text(word);
    if (!place || strchr(place, '$') || strcmp(base_name(place), base) != 0) continue;
    if (!named) named = place;
    found = orr__program_match(place);
  }
  orr__json *map = named ? orr__json_map() : NULL;
  if (map) {
    orr__json_put_str(map, "provider", code);
    orr__json_put_str(map, "name", named);
    orr__json_put_str(map, "path", found);
    orr__json_put_str(map, "package", orr__program_package(base));
  }
  free(found);
  return map;
}

static bool is_named_before(const orr__json *list, const orr__json *word) {
  for (const orr__json *before = orr__json_first(list); before && before != word; before = orr__json_next(before)) {
    const char *name = orr__json_text(before);
    if (name && strcmp(base_name(name), base_name(orr__json_text(word))) == 0) return true;
  }
  return false;
}

/* The programs of needs.exec, and where this process finds them. */
static void put_programs(void *arg, const char *code, const char *path, const orr__declaration *declaration,
                         const orr_error *err) {
  (void)path, (void)err;
  orr__json *needs = declaration ? orr__json_parse_map(declaration->needs ? declaration->needs : "{}", NULL) : NULL;
  const orr__json *list = needs ? orr__json_get(needs, "exec") : NULL;
  for (const orr__json *word = list ? orr__json_first(list) : NULL; word; word = orr__json_next(word)) {
    if (!orr__json_text(word) || is_named_before(list, word)) continue;
    orr__json *map = program_map(code, word);
    if (map) orr__json_append(arg, map);
  }
  orr__json_free(needs);
}

void orr__request_runtime_facts(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__json *out = orr__json_map(), *programs = orr__json_list();
  struct rlimit files;
  if (out && programs) {
    put_runtime(core, out);
    orr__json_put_int(out, "startedDate", core->started_ms);
    orr__json_put_int(out, "now", orr__loop_wall_ms(core->loop));
    orr__json_put_str(out, "searchPath", getenv("PATH"));
    orr__json_put_str(out, "zoneinfo", core->config.zoneinfo);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
      orr__json_put_int(out, "openFiles", (int64_t)files.rlim_cur);
    if (core->config.facts) core->config.facts(core->config.sink.self, out);
    flow->code = core->ops->list(core->ops->self, put_programs, programs, &flow->error);
    orr__json_put(out, "programs", programs);
    programs = NULL;
  }
  if (flow->code)
    orr__flow_fail(flow, flow->code, &flow->error);
  else
    orr__flow_reply(flow, out);
  orr__json_free(programs);
  orr__json_free(out);
  orr__flow_end(flow);
}

/* ---- a copy of the database --------------------------------------------------------------------------------- */

static void backed_up(void *arg, orr__tx *tx, int code, const orr_error *err) {
  (void)tx;
  orr__flow *flow = arg;
  const char *path = orr__json_str(flow->args, "path");
  struct stat st;
  orr__loop_busy(flow->core->loop, -1);
  orr__json *out = code ? NULL : orr__json_map();
  if (out) {
    orr__json_put_str(out, "path", path);
    if (stat(path, &st) == 0) orr__json_put_int(out, "sizeInBytes", st.st_size);
    orr__flow_reply(flow, out);
  } else {
    orr__flow_fail(flow, code ? code : ORR_E_NOMEM, err);
  }
  orr__json_free(out);
  orr__flow_end(flow);
}

void orr__request_db_backup(orr__flow *flow) {
  orr__loop_busy(flow->core->loop, 1);
  orr__store_backup(flow->core->store, orr__json_str(flow->args, "path"), backed_up, flow);
}
