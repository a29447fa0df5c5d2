/* Requests about the keys that seal secrets: which there are, and changing them.
 *
 *   key.rotate: reseal (new key in the file, every secret sealed with it, one commit) --> settle (the old key goes)
 *
 * Cut short between the two, opening the store finishes it. Never sees a key, only ids. */
#include "core/internal.h"

static bool has_keys(orr__flow *flow) {
  if (flow->core->config.keyring) return true;
  orr_error err = ORR_ERROR_INIT;
  int code = orr__error_set(&err, ORR_E_REFUSED, "this runtime keeps nothing, so there are no keys (setting store)");
  orr__flow_fail(flow, code, &err);
  orr__error_clear(&err);
  orr__flow_end(flow);
  return false;
}

void orr__request_key_show(orr__flow *flow) {
  if (!has_keys(flow)) return;
  orr__key_info keys[ORR_KEYRING_MAX];
  size_t count = orr__keyring_list(flow->core->config.keyring, keys);
  orr__json *out = orr__json_map(), *list = orr__json_list();
  for (size_t i = 0; list && i < count; i++) {
    int64_t made_ms;
    orr__json *map = orr__json_map();
    if (!map) break;
    orr__json_put_str(map, "id", keys[i].id);
    if (orr__iso_parse(keys[i].date, &made_ms)) orr__json_put_int(map, "madeDate", made_ms);
    orr__json_put_str(map, "state", i == 0 ? "current" : "old");
    orr__json_append(list, map);
  }
  if (out) {
    orr__json_put_str(out, "path", orr__keyring_path(flow->core->config.keyring));
    orr__json_put(out, "keys", list);
  } else {
    orr__json_free(list);
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void settled(orr__flow *flow) {
  orr__core *core = flow->core;
  orr__key_info keys[ORR_KEYRING_MAX];
  orr__keyring_list(core->config.keyring, keys);
  if (flow->code) {
    orr_error err = ORR_ERROR_INIT;
    orr__error_set(&err, flow->code, "every secret is sealed with key %s now, but the old key stays in the file: %s",
                   keys[0].id, orr__error_message(&flow->error));
    orr__flow_fail(flow, flow->code, &err);
    orr__error_clear(&err);
    orr__flow_end(flow);
    return;
  }
  orr__json *out = orr__json_map();
  if (out) {
    orr__json_put_str(out, "key", keys[0].id);
    orr__json_put_str(out, "path", orr__keyring_path(core->config.keyring));
    orr__json_put_int(out, "resealed", flow->id);
  }
  orr__flow_reply(flow, out);
  orr__json_free(out);
  orr__flow_end(flow);
}

static void resealed(orr__flow *flow) {
  if (flow->code) {
    orr__flow_abandon(flow);
    return;
  }
  flow->id = orr__tx_number(flow->tx, flow->slot);
  orr__tx *tx = orr__flow_tx(flow);
  orr__tx_settle_keys(tx);
  orr__flow_submit(flow, tx, settled);
}

void orr__request_key_rotate(orr__flow *flow) {
  if (!has_keys(flow)) return;
  orr__tx *tx = orr__flow_tx(flow);
  flow->slot = orr__tx_reseal(tx);
  orr__flow_submit(flow, tx, resealed);
}
