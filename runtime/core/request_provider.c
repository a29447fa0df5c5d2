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
  orr__json_put(map, "needs", parsed(d->needs));
  orr__json_put_num(map, "refreshInterval", d->refresh_interval > 0 ? d->refresh_interval : ORR_DEFAULT_REFRESH_S);
  orr__json_put_num(map, "timeout", d->timeout > 0 ? d->timeout : ORR_DEFAULT_TIMEOUT_S);
  orr__json_put_num(map, "visibilityDelay", d->visibility_delay);
  return map;
}

static void each(void *arg, const char *code, const char *path, const orr__declaration *declaration,
                 const orr_error *err) {
  orr__json *map = declaration ? view_declaration(declaration, false) : orr__json_map();
  if (!map) return;
  if (!declaration) {
    orr__json_put_str(map, "code", code);
    orr__json_put_str(map, "path", path);
    orr__json_put_str(map, "error", orr__error_message(err));
    orr__json_put_str(map, "problem", orr__error_message(err));
  }
  orr__json_append(arg, map);
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
  orr__json *list = orr__json_list();
  if (list) flow->code = flow->core->ops->list(flow->core->ops->self, each, list, &flow->error);
  finish(flow, list);
}

void orr__request_provider_show(orr__flow *flow) {
  const orr__declaration *d = orr__flow_declare(flow, orr__json_str(flow->args, "provider"));
  finish(flow, d ? view_declaration(d, true) : NULL);
}

void orr__request_provider_check(orr__flow *flow) {
  const char *path = orr__json_str(flow->args, "path");
  char *report = NULL;
  flow->code = flow->core->ops->check(flow->core->ops->self, path, &report, &flow->error);
  orr__json *out = orr__json_map(), *findings = orr__json_list();
  if (!flow->code && out && findings) {
    for (char *line = report; line && *line;) {
      size_t len = strcspn(line, "\n");
      bool is_last = !line[len];
      line[len] = '\0';
      if (len) orr__json_append(findings, orr__json_new_str(line));
      line += len + !is_last;
    }
    orr__json_put_str(out, "path", path);
    orr__json_put_bool(out, "ok", orr__json_count(findings) == 0);
    orr__json_put(out, "findings", findings);
    findings = NULL;
  }
  orr__json_free(findings);
  free(report);
  finish(flow, out);
}
