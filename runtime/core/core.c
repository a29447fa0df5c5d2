/* The core put together: what it holds, how it begins and how it ends. */
#include "core/internal.h"

#include <stdlib.h>
#include <string.h>

int orr__core_new(const orr__core_config *config, orr__core **ret_core, orr_error *reterr) {
  orr__core *core = calloc(1, sizeof *core);
  if (!core) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  core->config = *config;
  core->loop = config->loop;
  core->store = config->store;
  core->data_dir = orr__strdup(config->data_dir ? config->data_dir : "");
  core->zones = orr__zones_new(config->zoneinfo ? config->zoneinfo : "/usr/share/zoneinfo");
  core->due = orr__wheel_new();
  core->fires = orr__wheel_new();
  core->looks = orr__wheel_new();
  core->sweeps = orr__wheel_new();
  core->slots = orr__slots_new();
  core->started_ms = orr__loop_wall_ms(config->loop);
  orr__map_init(&core->subjects);
  orr__map_init(&core->calls);
  orr__map_init(&core->updated);
  orr__map_init(&core->firing);
  orr__map_init(&core->ends);
  orr__call_install(core);
  orr__kept_install(core);
  bool has_timers =
      !orr__timer_reserve(core->loop, &core->due_timer) && !orr__timer_reserve(core->loop, &core->fire_timer) &&
      !orr__timer_reserve(core->loop, &core->slot_timer) && !orr__timer_reserve(core->loop, &core->sweep_timer) &&
      !orr__timer_reserve(core->loop, &core->history_timer) && !orr__timer_reserve(core->loop, &core->answer_timer);
  bool has_wheels = core->due && core->fires && core->looks && core->sweeps;
  if (!has_timers || !has_wheels || !core->data_dir || !core->zones || !core->slots) {
    orr__core_free(core);
    return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  }
  *ret_core = core;
  return 0;
}

const orr__provider_host *orr__core_host(orr__core *core) { return &core->host; }

void orr__core_use(orr__core *core, const orr__provider_ops *ops) { core->ops = ops; }

void orr__core_store_woken(orr__core *core) { orr__store_drain(core->store); }

void orr__core_drain(orr__core *core) {
  if (core->is_draining) return;
  core->is_draining = true;
  orr__timer_stop(core->loop, &core->due_timer);
  orr__timer_stop(core->loop, &core->fire_timer);
  orr__timer_stop(core->loop, &core->sweep_timer);
  orr__timer_stop(core->loop, &core->history_timer);
  orr__timer_stop(core->loop, &core->slot_timer);
  /* Who only watches will see no more; who waits in line for a subject will not get it. */
  while (core->watchers) {
    orr__watcher *w = core->watchers;
    orr_error err = ORR_ERROR_INIT;
    core->watchers = w->next;
    orr__error_set(&err, ORR_E_CLOSED, "the runtime is closing");
    core->config.sink.reply(core->config.sink.self, w->request, ORR_E_CLOSED, "null", &err);
    orr__error_clear(&err);
    free(w);
  }
}

void orr__core_close(orr__core *core) {
  orr__core_drain(core);
  orr__asked_close(core);
  core->is_closed = true;
  core->ops = NULL;
}

/* Flows that only sleep until a later try do not keep a closing runtime; nor do those whose part is what goes on. */
static bool is_working(const orr__flow *flow) {
  bool sleeps = orr__timer_is_started(&flow->timer) && flow->timer.due_mono_ms > orr__loop_mono_ms(flow->core->loop);
  bool waits = flow->subject && !flow->is_holding;
  return !sleeps && !waits && !flow->has_part;
}

bool orr__core_is_idle(const orr__core *core) {
  if (orr__store_pending(core->store)) return false;
  for (const orr__flow *flow = core->flows; flow; flow = flow->next)
    if (is_working(flow)) return false;
  return true;
}

bool orr__core_is_acting(const orr__core *core) {
  for (const orr__flow *flow = core->flows; flow; flow = flow->next)
    if (flow->call && flow->op) return true;
  return false;
}

void orr__core_free(orr__core *core) {
  if (!core) return;
  core->is_draining = true;
  while (core->flows) orr__flow_end(core->flows);
  orr__core_drain(core);
  while (core->watchers) {
    orr__watcher *w = core->watchers;
    core->watchers = w->next;
    free(w);
  }
  orr__timer_release(core->loop, &core->due_timer);
  orr__timer_release(core->loop, &core->fire_timer);
  orr__timer_release(core->loop, &core->sweep_timer);
  orr__timer_release(core->loop, &core->history_timer);
  orr__asked_close(core);
  orr__timer_release(core->loop, &core->answer_timer);
  orr__timer_release(core->loop, &core->slot_timer);
  size_t pos = 0;
  void *value;
  while (orr__map_next(&core->subjects, &pos, NULL, &value)) free(value);
  orr__map_clear(&core->subjects);
  pos = 0;
  while (orr__map_next(&core->updated, &pos, NULL, &value)) free(value);
  orr__map_clear(&core->updated);
  orr__map_clear(&core->calls);
  orr__wheel_free(core->due);
  orr__wheel_free(core->fires);
  orr__wheel_free(core->looks);
  orr__map_clear(&core->firing);
  orr__map_clear(&core->ends);
  orr__map_clear(&core->deleting);
  orr__wheel_free(core->sweeps);
  orr__slots_free(core->slots);
  orr__zones_free(core->zones);
  for (size_t i = 0; i < core->name_count; i++) free(core->names[i]);
  free(core->names);
  orr__kept_free(core);
  free(core->data_dir);
  free(core);
}
