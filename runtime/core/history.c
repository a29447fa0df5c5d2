/* History limits: what is removed because it is old, or because there is too much of it. Nothing that lies outside is touched.
 *
 *   events                            beyond history_events, or older than history_days
 *   journal of Backups, of no result  older than history_days; never that of a draft which waits for somebody
 *   FAILED, CANCELLED results that    older than history_days, or beyond the newest history_results of their Backup;
 *   left nothing outside              journal, events and local jobs with them
 *
 *   a minute after the start, then daily:  events --> journal --> results, newest first     (serve)
 *   every HISTORY_EVENTS_STEP events:      events                                           (a command: with its first event)
 *
 * Ids grow with time, so every read is a window of ids and takes as long however much there is; after each batch others have their
 * turn. A round that was cut off is begun anew: what it removes needs no memory of where it was. */
#include "core/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
#define HISTORY_EVENTS_STEP 1000
#define HISTORY_BATCH 1000 /* events, and ids of the other tables, looked at in one transaction */
#define HISTORY_PARTS 16   /* results removed at a time: their commits go together */
#define HISTORY_PAUSE_S 0.02
#define HISTORY_FIRST_MS 60000

struct orr__history {
  int64_t cutoff_ms;           /* what is older goes; INT64_MIN: nothing is too old */
  int64_t at;                  /* where the walk over a table has come to */
  bool is_whole;               /* the daily round, not the events alone */
  size_t parts;                /* results being removed */
  orr__map counts;             /* Backup id -> how many of its results the walk has met */
  size_t events, ops, results; /* removed */
};

/* ---- when --------------------------------------------------------------------------------------------------- */

static void due(void *arg);

static void arm(orr__core *core, int64_t wait_ms) {
  if (core->config.role == ORR_ROLE_SERVE && !core->is_draining)
    orr__timer_start(core->loop, &core->history_timer, orr__loop_mono_ms(core->loop) + wait_ms, due, core);
}

void orr__history_free(orr__flow *flow) {
  if (!flow->history) return;
  flow->core->is_pruning = false;
  orr__map_clear(&flow->history->counts);
  free(flow->history);
  flow->history = NULL;
}

static void end(orr__flow *flow) {
  orr__core *core = flow->core;
  const orr__history *h = flow->history;
  char line[160];
  snprintf(line, sizeof line, "history: removed %zu events, %zu rows of the journal, %zu results", h->events, h->ops,
           h->results);
  if (h->events + h->ops + h->results) core->config.sink.log(core->config.sink.self, ORR_LOG_INFO, NULL, line);
  if (h->is_whole) arm(core, flow->code ? DAY_MS / 24 : DAY_MS);
  orr__flow_end(flow);
}

/* Shall this go on? Not if the store is not well, or the runtime closes. Ends the flow then. */
static bool is_over(orr__flow *flow) {
  if (!flow->code && !flow->core->is_draining) return false;
  end(flow);
  return true;
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static void walk_results(orr__flow *flow);
static void start_parts(orr__flow *flow);

static void part_over(orr__flow *part) {
  orr__flow *flow = part->parent;
  orr__flow_end(part);
  flow->history->parts--;
  flow->has_part = flow->history->parts > 0;
  start_parts(flow);
}

static void part_gone(orr__flow *part) {
  part->parent->history->results++;
  part_over(part);
}

/* Held and read afresh: is it what it was? */
static void part_loaded(orr__flow *part) {
  const orr_result *result = part->graph.result;
  part->is_armed = true;
  bool goes = !part->code && orr__status_is_terminal(result->status) && !result->attention && !result->nextAction &&
              orr__result_left_nothing(part->core, result);
  if (!goes || part->core->is_draining) {
    part_over(part);
    return;
  }
  orr__removal_opts(part, "history");
  part->after = part_gone;
  part->otherwise = part_over;
  orr__result_drop(part);
}

/* Those that somebody works on just now are left for the next round. */
static void start_parts(orr__flow *flow) {
  orr__history *h = flow->history;
  while (h->parts < HISTORY_PARTS && flow->id_at < flow->id_count && !flow->core->is_draining) {
    int64_t id = flow->ids[flow->id_at++];
    orr__flow *part = orr__flow_new(flow->core);
    if (!part) continue;
    if (!orr__flow_try(part, orr__result_key(id))) {
      orr__flow_end(part);
      continue;
    }
    part->parent = flow;
    part->id = id;
    h->parts++;
    flow->has_part = true;
    orr__flow_load(part, ORR_M_result, id, part_loaded);
  }
  if (h->parts) return;
  if (h->at > 0)
    orr__flow_sleep(flow, HISTORY_PAUSE_S, walk_results);
  else
    end(flow);
}

static bool is_too_many(orr__history *h, int64_t most, int64_t backup_id) {
  uintptr_t count = (uintptr_t)orr__map_get(&h->counts, (uint64_t)backup_id) + 1;
  if (orr__map_put(&h->counts, (uint64_t)backup_id, (void *)count)) return false; /* no memory: it is kept for now */
  return most > 0 && count > (uintptr_t)most;
}

static void results_listed(orr__flow *flow) {
  if (is_over(flow)) return;
  orr__history *h = flow->history;
  size_t rows = orr__tx_rows(flow->tx, flow->slot2);
  free(flow->ids);
  flow->ids = calloc(rows ? rows : 1, sizeof *flow->ids);
  flow->id_count = flow->id_at = 0;
  for (size_t i = 0; flow->ids && i < rows; i++) {
    const orr_result *result = (const orr_result *)orr__tx_row(flow->tx, flow->slot2, i);
    int64_t date = orr__object_has(&result->head, ORR_F_result_endDate) ? result->endDate : result->createdDate;
    bool is_one_too_many = is_too_many(h, flow->core->config.history_results, result->backupId);
    if (is_one_too_many || date < h->cutoff_ms) flow->ids[flow->id_count++] = result->id;
  }
  const orr__object *below = orr__tx_row(flow->tx, flow->slot, 0);
  h->at = below ? orr__object_id(below) : 0;
  start_parts(flow);
}

/* The window that ends at h->at, newest first, and where the next one ends. */
static void walk_results(orr__flow *flow) {
  if (is_over(flow)) return;
  int64_t top = flow->history->at, bottom = top < INT64_MAX ? top - HISTORY_BATCH : top;
  orr__where below = { .field = ORR_F_result_id, .compare = ORR_LE, .number = bottom };
  orr__where window[] = { { .field = ORR_F_result_id, .compare = ORR_LE, .number = top },
                          { .field = ORR_F_result_id, .compare = ORR_GT, .number = bottom },
                          { .field = ORR_F_result_status, .compare = ORR_GE, .text = "CANCELLED" },
                          { .field = ORR_F_result_status, .compare = ORR_LE, .text = "FAILED" },
                          { .field = ORR_F_result_nextAction, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_result_attention, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_result_sentDate, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_result_externalId, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_result_snapshotId, .compare = ORR_IS_UNSET },
                          { .field = ORR_F_result_resultPath, .compare = ORR_IS_UNSET } };
  orr__tx *tx = orr__flow_tx(flow);
  orr__query query = { .model = ORR_M_result,
                       .where = &below,
                       .where_count = 1,
                       .order_field = -1,
                       .is_descending = true,
                       .limit = 1,
                       .fields = 1 };
  flow->slot = orr__tx_query(tx, &query);
  query.where = window;
  query.where_count = sizeof window / sizeof *window;
  query.limit = 0;
  query.fields = ORR_BIT(ORR_F_result_backupId) | ORR_BIT(ORR_F_result_endDate) | ORR_BIT(ORR_F_result_createdDate);
  flow->slot2 = orr__tx_query(tx, &query);
  orr__flow_submit(flow, tx, results_listed);
}

static void begin_results(orr__flow *flow) {
  flow->history->at = INT64_MAX;
  if (flow->history->cutoff_ms > INT64_MIN || flow->core->config.history_results > 0)
    walk_results(flow);
  else
    end(flow);
}

/* ---- the journal -------------------------------------------------------------------------------------------- */

static void walk_ops(orr__flow *flow);

static void ops_pruned(orr__flow *flow) {
  if (is_over(flow)) return;
  if (flow->history->at < INT64_MAX)
    orr__flow_sleep(flow, HISTORY_PAUSE_S, walk_ops);
  else
    begin_results(flow);
}

/* Does a draft wait that this row belongs to? Then one of its calls is open. */
static bool has_open(const orr__flow *flow, const orr_op *op) {
  for (int slot = flow->slot3; slot < flow->slot3 + 2; slot++)
    for (size_t i = 0; i < orr__tx_rows(flow->tx, slot); i++)
      if (orr__streq(((const orr_op *)orr__tx_row(flow->tx, slot, i))->subjectUuid, op->subjectUuid)) return true;
  return false;
}

static void ops_listed(orr__flow *flow) {
  if (is_over(flow)) return;
  orr__history *h = flow->history;
  orr__tx *tx = orr__flow_tx(flow);
  for (size_t i = 0; i < orr__tx_rows(flow->tx, flow->slot2); i++) {
    const orr_op *op = (const orr_op *)orr__tx_row(flow->tx, flow->slot2, i);
    if (!orr__streq(op->state, "done") || op->startDate >= h->cutoff_ms || has_open(flow, op)) continue;
    orr__tx_delete_where(tx, ORR_M_op, ORR_F_op_id, op->id); /* one that is gone already is no error */
    h->ops++;
  }
  const orr_op *next = (const orr_op *)orr__tx_row(flow->tx, flow->slot, 0);
  h->at = next && next->startDate < h->cutoff_ms ? next->id - 1 : INT64_MAX;
  orr__flow_submit(flow, tx, ops_pruned);
}

/* The window after h->at, oldest first, and the row that follows it. */
static void walk_ops(orr__flow *flow) {
  if (is_over(flow)) return;
  int64_t bottom = flow->history->at, top = bottom + HISTORY_BATCH;
  orr__where after = { .field = ORR_F_op_id, .compare = ORR_GT, .number = top };
  orr__where window[] = { { .field = ORR_F_op_id, .compare = ORR_GT, .number = bottom },
                          { .field = ORR_F_op_id, .compare = ORR_LE, .number = top },
                          { .field = ORR_F_op_resultId, .compare = ORR_IS_UNSET } };
  orr__tx *tx = orr__flow_tx(flow);
  orr__query query = { .model = ORR_M_op,
                       .where = &after,
                       .where_count = 1,
                       .order_field = -1,
                       .limit = 1,
                       .fields = ORR_BIT(ORR_F_op_startDate) };
  flow->slot = orr__tx_query(tx, &query);
  query.where = window;
  query.where_count = sizeof window / sizeof *window;
  query.limit = 0;
  query.fields |= ORR_BIT(ORR_F_op_subjectUuid) | ORR_BIT(ORR_F_op_state);
  flow->slot2 = orr__tx_query(tx, &query);
  static const char *const open[] = { "intent", "sent" };
  for (int i = 0; i < 2; i++) {
    orr__where state = { .field = ORR_F_op_state, .compare = ORR_EQ, .text = open[i] };
    query = (orr__query){
      .model = ORR_M_op, .where = &state, .where_count = 1, .order_field = -1, .fields = ORR_BIT(ORR_F_op_subjectUuid)
    };
    int slot = orr__tx_query(tx, &query);
    if (i == 0) flow->slot3 = slot;
  }
  orr__flow_submit(flow, tx, ops_listed);
}

static void begin_ops(orr__flow *flow) {
  flow->history->at = 0;
  if (!flow->history->is_whole)
    end(flow);
  else if (flow->history->cutoff_ms > INT64_MIN)
    walk_ops(flow);
  else
    begin_results(flow);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

static void walk_events(orr__flow *flow);

static void events_pruned(orr__flow *flow) {
  if (is_over(flow)) return;
  if (flow->history->at && flow->core->config.role == ORR_ROLE_SERVE)
    orr__flow_sleep(flow, HISTORY_PAUSE_S, walk_events);
  else
    begin_ops(flow);
}

static void events_listed(orr__flow *flow) {
  if (is_over(flow)) return;
  orr__history *h = flow->history;
  const orr__object *newest = orr__tx_row(flow->tx, flow->slot, 0);
  int64_t most = flow->core->config.history_events, up_to = 0;
  size_t rows = orr__tx_rows(flow->tx, flow->slot2), count = 0;
  for (size_t i = 0; i < rows;
       i++) { /* what came before an event that is too old is older still, whatever its date says */
    const orr_event_row *event = (const orr_event_row *)orr__tx_row(flow->tx, flow->slot2, i);
    bool is_beyond = most > 0 && event->id <= orr__object_id(newest) - most;
    if (!is_beyond && event->date >= h->cutoff_ms) continue;
    up_to = event->id;
    count = i + 1;
  }
  h->at = count == HISTORY_BATCH; /* there may be more */
  if (!up_to) {
    begin_ops(flow);
    return;
  }
  h->events += count;
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_prune(tx, ORR_M_event, up_to);
  orr__flow_submit(flow, tx, events_pruned);
}

/* The newest event, and the oldest ones. */
static void walk_events(orr__flow *flow) {
  if (is_over(flow)) return;
  orr__tx *tx = orr__flow_tx(flow);
  orr__query query = { .model = ORR_M_event, .order_field = -1, .is_descending = true, .limit = 1, .fields = 1 };
  flow->slot = orr__tx_query(tx, &query);
  query = (orr__query){
    .model = ORR_M_event, .order_field = -1, .limit = HISTORY_BATCH, .fields = ORR_BIT(ORR_F_event_date)
  };
  flow->slot2 = orr__tx_query(tx, &query);
  orr__flow_submit(flow, tx, events_listed);
}

/* ---- a round ------------------------------------------------------------------------------------------------ */

static void begin(orr__core *core, bool is_whole) {
  const orr__core_config *config = &core->config;
  bool has_limits = config->history_events > 0 || config->history_days > 0 || config->history_results > 0;
  if (!has_limits || core->is_draining) return;
  orr__flow *flow = core->is_pruning ? NULL : orr__flow_new(core);
  orr__history *h = flow ? calloc(1, sizeof *h) : NULL;
  if (!h) {
    if (flow) orr__flow_end(flow);
    if (is_whole) arm(core, HISTORY_FIRST_MS);
    return;
  }
  flow->history = h;
  core->is_pruning = true;
  orr__map_init(&h->counts);
  h->is_whole = is_whole;
  h->cutoff_ms = config->history_days > 0 ? orr__now(core) - config->history_days * DAY_MS : INT64_MIN;
  orr__flow_sleep(flow, 0, walk_events);
}

static void due(void *arg) { begin(arg, true); }

void orr__history_start(orr__core *core) { arm(core, HISTORY_FIRST_MS); }

void orr__history_event(orr__core *core) {
  bool is_first = core->config.role == ORR_ROLE_COMMAND && !core->has_pruned;
  if (++core->events_since_prune < HISTORY_EVENTS_STEP && !is_first) return;
  core->events_since_prune = 0;
  core->has_pruned = true;
  begin(core, false);
}
