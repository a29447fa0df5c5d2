/* Declared options: what a caller supplied goes where it belongs or is taken away, and the default findings.
 *
 * A value lands in the model's field of that name, if there is one that callers may set; else, for a declared option, in the
 * secrets map (inputType password) or the config map. A name that is neither is a finding with the nearest real name.
 * Values are made what the input type says: a number, a flag, a list. Knows nothing of hooks. */
#include "base/buf.h"
#include "core/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const orr__option *option_of(const orr__option *options, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(options[i].field_name, name) == 0) return &options[i];
  return NULL;
}

/* Fields that callers may set directly: those of the model that are not the runtime's, and the maps themselves never. */
static int settable_field(const orr__object *object, const char *name) {
  if (object->model->id == ORR_M_backup) return -1; /* a Backup's fields are the provider's and the command line's */
  int field = orr__field_find(object->model, name);
  if (field < 0) return -1;
  const orr__field *f = &object->model->fields[field];
  return f->flags & (ORR_FIELD_READONLY | ORR_FIELD_DERIVED) || f->type == ORR_T_MAP ? -1 : field;
}

static bool is_type(const orr__option *option, const char *type) {
  return option->input_type && strcmp(option->input_type, type) == 0;
}

/* What a value that came as JSON should have been, or NULL if it is that. Null is "not given". */
static const char *misfit_of(const orr__option *option, const orr__json *value) {
  bool is_many = orr__json_is_map(value) || orr__json_is_list(value);
  bool is_flag = orr__json_value_bool(value, true) == orr__json_value_bool(value, false);
  if (orr__json_is_null(value)) return NULL;
  if (is_type(option, "list")) {
    for (const orr__json *m = orr__json_first(value); m; m = orr__json_next(m))
      if (!orr__json_text(m)) return "a list of texts";
    return orr__json_is_list(value) ? NULL : "a list of texts";
  }
  if (is_type(option, "number")) return is_many || is_flag ? "a number" : NULL;
  if (is_type(option, "checkbox")) return is_flag ? NULL : "true or false";
  if (is_type(option, "select")) return is_many ? "one of the choices" : NULL;
  return orr__json_text(value) ? NULL : "a text";
}

/* Text as the command line has it -> what the input type says; NULL and a finding if it does not fit. Owned. */
static orr__json *convert(const orr__option *option, const orr__json *value, orr_error *findings) {
  const char *text = orr__json_text(value);
  if (is_type(option, "list") && text) {
    orr__json *list = orr__json_list();
    orr__json *copy = orr__json_copy(value);
    if (list && copy) orr__json_append(list, copy);
    return list;
  }
  if (is_type(option, "number") && text) {
    char *end;
    double number = strtod(text, &end);
    if (!*text || *end || !isfinite(number)) {
      orr__error_field(findings, option->field_name, "'%s' is not a number", text);
      return NULL;
    }
    return orr__json_parse(text, strlen(text), NULL);
  }
  if (is_type(option, "checkbox") && text) {
    bool yes = !strcasecmp(text, "true") || !strcasecmp(text, "yes") || !strcasecmp(text, "on") || !strcmp(text, "1");
    bool no = !strcasecmp(text, "false") || !strcasecmp(text, "no") || !strcasecmp(text, "off") || !strcmp(text, "0");
    if (yes || no) return orr__json_parse(yes ? "true" : "false", yes ? 4 : 5, NULL);
    orr__error_field(findings, option->field_name, "'%s' is neither true nor false", text);
    return NULL;
  }
  const char *misfit = misfit_of(option, value);
  if (!misfit) return orr__json_copy(value);
  orr__error_field(findings, option->field_name, "must be %s", misfit);
  return NULL;
}

struct names {
  const orr__option *options;
  size_t count;
  const orr__model *model;
};

static const char *name_at(void *arg, size_t i) {
  struct names *names = arg;
  if (i < names->count) return names->options[i].field_name;
  i -= names->count;
  return names->model->id != ORR_M_backup && i < names->model->field_count ? names->model->fields[i].name : NULL;
}

static void unknown(const char *name, const orr__option *options, size_t count, const orr__object *object,
                    orr_error *findings) {
  struct names names = { options, count, object->model };
  const char *nearest = orr__nearest(name, name_at, &names);
  if (orr__streq(nearest, name))
    orr__error_field(findings, name, "is the runtime's to set");
  else if (nearest)
    orr__error_field(findings, name, "unknown option; did you mean '%s'?", nearest);
  else
    orr__error_field(findings, name, "unknown option");
}

static bool in_choices(const orr__option *option, const orr__json *value) {
  orr_error ignored = ORR_ERROR_INIT;
  orr__json *choices = orr__json_parse(option->choices, strlen(option->choices), &ignored);
  orr__error_clear(&ignored);
  bool found = false;
  for (const orr__json *c = orr__json_first(choices); c && !found; c = orr__json_next(c)) {
    const orr__json *choice = orr__json_is_map(c) ? orr__json_get(c, "value") : c;
    found = orr__json_equal(choice, value);
  }
  orr__json_free(choices);
  return found;
}

/* Of a list, each entry is one of them. */
static bool are_choices(const orr__option *option, const orr__json *value) {
  if (!orr__json_is_list(value)) return in_choices(option, value);
  for (const orr__json *entry = orr__json_first(value); entry; entry = orr__json_next(entry))
    if (!in_choices(option, entry)) return false;
  return true;
}

/* The values to choose from, as people give them: "full, incremental". Owned. */
static char *choices_text(const orr__option *option) {
  orr__json *choices = orr__json_parse(option->choices, strlen(option->choices), NULL);
  orr__buf text;
  orr__buf_init(&text, 2000);
  for (const orr__json *c = orr__json_first(choices); c; c = orr__json_next(c)) {
    const orr__json *value = orr__json_is_map(c) ? orr__json_get(c, "value") : c;
    char *printed = orr__json_text(value) ? orr__strdup(orr__json_text(value)) : orr__json_print(value);
    orr__buf_addf(&text, "%s%s", text.len ? ", " : "", printed ? printed : "");
    free(printed);
  }
  orr__json_free(choices);
  return orr__buf_take(&text, NULL);
}

static int put_defaults(const orr__option *options, size_t count, orr__object *object, orr__json *config) {
  for (size_t i = 0; i < count; i++) {
    const orr__option *o = &options[i];
    if (!o->default_value || orr__json_path_get(config, o->field_name)) continue;
    int field = settable_field(object, o->field_name);
    if (field >= 0 && orr__object_has(object, field)) continue;
    orr__json *value = orr__json_parse(o->default_value, strlen(o->default_value), NULL);
    if (!value) return ORR_E_NOMEM;
    int code;
    if (field >= 0) {
      code = orr__field_from_json(object, field, value, NULL);
      orr__json_free(value);
    } else {
      code = orr__json_path_set(config, o->field_name, value, NULL);
    }
    if (code) return code;
  }
  return 0;
}

/* What fields of connections and servers may hold, beyond their type. */
static const struct {
  const char *name;
  int64_t least, most;
} ranges[] = { { "port", 1, 65535 }, { "sshPort", 1, 65535 }, { "maxRunning", 0, 1000000 } };

int orr__options_set_field(orr__object *object, int field, const orr__json *value, orr_error *findings) {
  orr_error err = ORR_ERROR_INIT;
  const char *name = object->model->fields[field].name, *text = orr__json_text(value);
  int code = text ? orr__set_text(object, field, text, &err) : orr__field_from_json(object, field, value, &err);
  const char *message = orr__error_message(&err);
  size_t len = strlen(name);
  if (orr__starts_with(message, name) && orr__starts_with(message + len, ": ")) message += len + 2; /* it is named once */
  if (code && code != ORR_E_NOMEM) orr__error_field(findings, name, "%s", message);
  orr__error_clear(&err);
  for (size_t i = 0; !code && i < sizeof ranges / sizeof *ranges; i++) {
    if (!orr__streq(name, ranges[i].name) || !orr__object_has(object, field)) continue;
    int64_t number = orr__get_int(object, field);
    if (number < ranges[i].least || number > ranges[i].most)
      orr__error_field(findings, name, "is a whole number from %lld to %lld", (long long)ranges[i].least,
                       (long long)ranges[i].most);
  }
  return code == ORR_E_NOMEM ? code : 0;
}

/* One supplied value. Returns NOMEM only; all else is a finding. */
static int apply_one(const orr__option *options, size_t count, orr__object *object, orr__json *config,
                     orr__json *secrets, const orr__json *value, orr_error *findings) {
  const char *name = orr__json_key(value);
  const orr__option *option = option_of(options, count, name);
  int field = settable_field(object, name);
  if (field >= 0) return orr__options_set_field(object, field, value, findings);
  if (!option) {
    unknown(name, options, count, object, findings);
    return 0;
  }
  size_t before = findings->field_count;
  orr__json *converted = convert(option, value, findings);
  if (!converted) return findings->field_count > before ? 0 : ORR_E_NOMEM;
  return orr__json_path_set(is_type(option, "password") ? secrets : config, name, converted, NULL);
}

/* Entries that are gone leave no empty map behind. */
static int put_map(orr__object *object, int field, const orr__json *map) {
  if (orr__json_count(map)) return orr__object_set_map(object, field, map);
  orr__unset(object, field);
  return 0;
}

int orr__options_apply(const orr__option *options, size_t count, orr__object *object, int config_field,
                       int secrets_field, const orr__json *supplied, orr_error *findings) {
  orr__json *config = orr__object_map(object, config_field);
  orr__json *secrets = orr__object_map(object, secrets_field);
  int code = config && secrets ? 0 : ORR_E_NOMEM;
  for (const orr__json *m = orr__json_first(supplied); m && !code; m = orr__json_next(m))
    code = apply_one(options, count, object, config, secrets, m, findings);
  if (!code) code = put_defaults(options, count, object, config);
  if (!code) code = put_map(object, config_field, config);
  if (!code) code = put_map(object, secrets_field, secrets);
  orr__json_free(config);
  orr__json_free(secrets);
  return code;
}

/* Takes one away. What no option is called any more, and was one, may go too. */
static int unset_one(const orr__option *options, size_t count, orr__object *object, orr__json *config,
                     orr__json *secrets, const char *name, orr_error *findings) {
  int field = settable_field(object, name);
  bool is_there = orr__json_path_get(config, name) || orr__json_path_get(secrets, name);
  if (field >= 0) {
    orr__unset(object, field);
    return 0;
  }
  if (!is_there && !option_of(options, count, name)) {
    unknown(name, options, count, object, findings);
    return 0;
  }
  if (!is_there) return 0;
  int code = orr__json_path_set(config, name, NULL, NULL);
  return code ? code : orr__json_path_set(secrets, name, NULL, NULL);
}

int orr__options_unset(const orr__option *options, size_t count, orr__object *object, int config_field,
                       int secrets_field, const orr__json *names, const orr__json *supplied, orr_error *findings) {
  orr__json *config = orr__object_map(object, config_field);
  orr__json *secrets = orr__object_map(object, secrets_field);
  int code = config && secrets ? 0 : ORR_E_NOMEM;
  for (const orr__json *n = orr__json_first(names); n && !code; n = orr__json_next(n)) {
    const char *name = orr__json_text(n);
    if (!name || !*name)
      orr__error_field(findings, "unset", "is a list of names");
    else if (orr__json_path_get(supplied, name))
      orr__error_field(findings, name, "cannot be set and unset at once");
    else
      code = unset_one(options, count, object, config, secrets, name, findings);
  }
  if (!code) code = put_map(object, config_field, config);
  if (!code) code = put_map(object, secrets_field, secrets);
  orr__json_free(config);
  orr__json_free(secrets);
  return code;
}

void orr__options_check(const orr__option *options, size_t count, const orr__object *object, int config_field,
                        int secrets_field, orr_error *findings) {
  orr__json *config = orr__object_map(object, config_field);
  orr__json *secrets = orr__object_map(object, secrets_field);
  for (size_t i = 0; i < count; i++) {
    const orr__option *o = &options[i];
    int field = settable_field(object, o->field_name);
    const orr__json *value = orr__json_path_get(config, o->field_name);
    if (!value) value = orr__json_path_get(secrets, o->field_name);
    const char *text = orr__json_text(value);
    bool is_set = field >= 0 ? orr__object_has(object, field) : !orr__json_is_null(value) && !(text && !*text);
    if (!is_set) {
      if (o->is_required)
        orr__error_field(findings, o->field_name, "%s is required", o->field_label ? o->field_label : o->field_name);
      continue;
    }
    if (field >= 0 || !o->choices || are_choices(o, value)) continue;
    char *choices = choices_text(o);
    orr__error_field(findings, o->field_name, "is none of the choices: %s", choices ? choices : o->choices);
    free(choices);
  }
  orr__json_free(config);
  orr__json_free(secrets);
}
