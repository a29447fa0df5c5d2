/* How objects look in replies. Secrets never do; unset fields are null, so that every result has the same keys. */
#include "core/internal.h"

orr__json *orr__view(const orr__object *object) {
  return object ? orr__object_to_json(object, ORR_JSON_NULLS) : orr__json_null();
}

orr__json *orr__view_result(const orr_result *result) { return orr__view((const orr__object *)result); }

orr__json *orr__view_backup(const orr__flow *flow) {
  const orr_backup *backup = flow->graph.backup;
  orr__json *map = orr__view((const orr__object *)backup);
  if (!map || !backup) return map;
  orr__json_put_str(map, "provider", backup->providerCode);
  if (flow->graph.connection)
    orr__json_put_str(map, "connection", flow->graph.connection->name);
  else
    orr__json_put(map, "connection", orr__json_null());
  if (flow->graph.server)
    orr__json_put_str(map, "server", flow->graph.server->name);
  else
    orr__json_put(map, "server", orr__json_null());
  if (flow->graph.cloud)
    orr__json_put_str(map, "cloud", flow->graph.cloud->name);
  else
    orr__json_put(map, "cloud", orr__json_null());
  int64_t next = backup->paused ? -1 : orr__schedule_next(flow->core, backup, orr__now(flow->core));
  if (next >= 0)
    orr__json_put_int(map, "nextFireDate", next);
  else
    orr__json_put(map, "nextFireDate", orr__json_null());
  return map;
}
