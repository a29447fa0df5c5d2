/* Who may run now: the limits on how many results run at a time, and what becomes of those that wait.
 *
 *   accepted --> room?  yes: its first hook, as ever
 *                       no:  START_REQUESTED, statusMessage says what for; nothing of it has begun
 *   ended, attention, gone --> its slots are free --> the next in line becomes due at once
 *
 * What waits is due again every ORR_WAIT_AGAIN_S all the same: that is how a limit that has been raised is noticed, and why a wake-up
 * that gets lost costs a minute and no more. The counting and the line are slots.c's. */
#include "core/internal.h"

#include <stdlib.h>

#define ORR_WAIT_AGAIN_S 60

static orr__seat seat_of(orr__flow *flow) {
  const orr__graph *g = &flow->graph;
  const orr__declaration *declaration = orr__flow_declaration(flow);
  orr__error_clear(&flow->error);
  flow->code = 0;
  orr__seat seat = { .provider = orr__slots_provider(g->backup->providerCode) };
  seat.limits[ORR_PLACE_ALL] = flow->core->config.max_running;
  if (declaration) seat.limits[ORR_PLACE_PROVIDER] = declaration->max_running;
  if (g->connection) {
    seat.connection_id = g->connection->id;
    seat.limits[ORR_PLACE_CONNECTION] = g->connection->maxRunning;
  }
  if (g->server) {
    seat.server_id = g->server->id;
    seat.limits[ORR_PLACE_SERVER] = g->server->maxRunning;
  }
  return seat;
}

/* "waits: 2 of 2 results run on connection 'vault'" */
static void say_why(orr__flow *flow, const orr__seat *seat, enum orr__place full) {
  const orr__graph *g = &flow->graph;
  const char *const places[] = { "", "of the provider ", "on the connection ", "on the server " };
  const char *const names[] = { "", g->backup->providerCode, g->connection ? g->connection->name : "",
                                g->server ? g->server->name : "" };
  char *text = full == ORR_PLACES
                   ? orr__strdup("waits: others that came before are next")
                   : orr__strf("waits: %zu of %lld results run %s%s", orr__slots_used(flow->core->slots, full, seat),
                               (long long)seat->limits[full], places[full], names[full]);
  if (!orr__streq(text, g->result->statusMessage)) orr__set_str(&g->result->head, ORR_F_result_statusMessage, text);
  free(text);
}

bool orr__admit(orr__flow *flow) {
  orr_result *result = flow->graph.result;
  orr__seat seat = seat_of(flow);
  enum orr__place full = ORR_PLACES;
  if (orr__seat_is_limited(&seat) && !result->isLimited) orr__set_int(&result->head, ORR_F_result_isLimited, 1);
  if (orr__slots_take(flow->core->slots, result->id, &seat, &full)) {
    if (orr__starts_with(result->statusMessage ? result->statusMessage : "", "waits: "))
      orr__unset(&result->head, ORR_F_result_statusMessage);
    return true;
  }
  say_why(flow, &seat, full);
  return false;
}

void orr__admit_wait(orr__flow *flow) {
  orr__object *o = &flow->graph.result->head;
  bool has_news = o->dirty;
  uint64_t dirty = o->dirty;
  orr__result_next(flow, flow->hook, ORR_WAIT_AGAIN_S);
  if (has_news) {
    orr__result_commit(flow, orr__flow_tx(flow));
    return;
  }
  o->dirty = dirty; /* the wheel remembers it; nothing is lost if that is forgotten */
  orr__flow_arm(flow);
  orr__flow_end(flow);
}

void orr__admit_hold(orr__flow *flow) {
  orr__seat seat = seat_of(flow);
  if (orr__seat_is_limited(&seat)) orr__slots_hold(flow->core->slots, flow->graph.result->id, &seat);
}

void orr__admit_row(orr__core *core, const orr_result *result) {
  orr__seat seat = { .provider = orr__slots_provider(result->providerCode),
                     .connection_id = result->connectionId,
                     .server_id = result->computeServerId };
  bool waits = orr__streq(result->status, "START_REQUESTED") && !orr__object_has(&result->head, ORR_F_result_sentDate);
  if (!waits && !result->attention) orr__slots_hold(core->slots, result->id, &seat);
}

static void let_in(void *arg) {
  orr__core *core = arg;
  int64_t id;
  while (!core->is_draining && (id = orr__slots_next(core->slots)) != 0) {
    orr__wheel_set(core->due, (uint64_t)id, orr__loop_mono_ms(core->loop));
    orr__refresh_arm(core);
  }
}

void orr__admit_drop(orr__core *core, int64_t result_id) {
  orr__slots_drop(core->slots, result_id);
  if (orr__slots_waiting(core->slots) && !core->is_draining)
    orr__timer_start(core->loop, &core->slot_timer, orr__loop_mono_ms(core->loop), let_in, core);
}
