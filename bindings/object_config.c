/* The configuration map of an object: getConfigProperty, setConfigProperty, getConfigMap, setConfigMap.
 *
 * The map is parsed when it is first looked into and kept with the box until the hook ends; a change is written back to the object at once,
 * so the dirty mask is right whenever anybody looks. What is not in the configuration is looked for among the secrets. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "task.h"
#include "value.h"

int orr__config_field(const orr__model *model) {
  return orr__field_find(model, "config");
}

/* Raises if it cannot be parsed. */
static orr__json *config_of(lua_State *L, orr__box *box, int field) {
  orr_error err = ORR_ERROR_INIT;
  if (box->config) return box->config;
  box->config = orr__json_parse_map(orr__get_str(box->object, field), &err);
  if (!box->config) {
    lua_pushfstring(L, "%s.config: %s", box->model->class_name, orr__error_message(&err));
    orr__error_clear(&err);
    lua_error(L);
  }
  return box->config;
}

static orr__box *box_with_config(lua_State *L, const char *method, int *ret_field) {
  orr__box *box = orr__check_box(L, method);
  *ret_field = orr__config_field(box->model);
  if (*ret_field < 0) orr__raise(L, "a %s has no configuration", box->model->class_name);
  return box;
}

static const char *path_argument(lua_State *L, const char *method) {
  if (lua_type(L, 2) != LUA_TSTRING || !*lua_tostring(L, 2))
    orr__raise(L, "%s: the name of a property is needed, such as \"retention.days\", not a %s", method, luaL_typename(L, 2));
  return lua_tostring(L, 2);
}

static void push_secret(lua_State *L, const orr__box *box, const char *path) {
  int field = orr__field_find(box->model, "secrets");
  orr__json *secrets = field >= 0 ? orr__json_parse_map(orr__get_str(box->object, field), NULL) : NULL;
  const char *text = secrets ? orr__json_text(orr__json_path_get(secrets, path)) : NULL;
  /* Copied before anything may raise, so that the tree does not leak. */
  char *copy = orr__strdup(text);
  orr__json_free(secrets);
  if (!copy) {
    lua_pushnil(L);
    return;
  }
  orr__secret_add(L, copy, strlen(copy));
  struct { char *text; } held = { copy };
  lua_pushstring(L, held.text);
  free(held.text);
}

int orr__object_get_property(lua_State *L) {
  int field;
  orr__box *box = box_with_config(L, "getConfigProperty", &field);
  const char *path = path_argument(L, "getConfigProperty");
  const orr__json *config = config_of(L, box, field);
  /* A key with a dot in it, written as such, comes first. */
  const orr__json *value = orr__json_get(config, path);
  if (!value) value = orr__json_path_get(config, path);
  if (value) orr__push_json(L, value, false);
  else push_secret(L, box, path);
  return 1;
}

int orr__object_set_property(lua_State *L) {
  int field;
  orr__box *box = box_with_config(L, "setConfigProperty", &field);
  const char *path = path_argument(L, "setConfigProperty");
  orr_error err = ORR_ERROR_INIT;
  if (lua_gettop(L) < 3) orr__raise(L, "setConfigProperty: a name and a value are needed; nil removes");
  orr__check_writable(L, box, "the configuration");
  orr__json *config = config_of(L, box, field), *value = NULL;
  int rc = 0;
  if (!lua_isnil(L, 3)) {
    value = orr__value_to_json(L, 3, &err);
    rc = value ? 0 : err.code;
  }
  if (!rc && orr__json_get(config, path)) {
    if (value) rc = orr__json_put(config, path, value);
    else orr__json_remove(config, path);
  } else if (!rc) {
    rc = orr__json_path_set(config, path, value, &err);
  }
  if (!rc) rc = orr__object_set_map(box->object, field, config);
  /* The whole map is written out at every change. */
  const char *written = rc ? NULL : orr__get_str(box->object, field);
  orr__slice_work(orr__version_of(L), written ? strlen(written) * ORR_JSON_WORK : 0);
  if (!rc) return 0;
  /* What was put into the tree and not into the object must not stay. */
  orr__json_free(box->config);
  box->config = NULL;
  const char *why = rc == ORR_E_LIMIT ? "the configuration would be larger than 16 MiB or nested too deeply" : "out of memory";
  lua_pushfstring(L, "setConfigProperty: '%s': %s", path, err.code ? orr__error_message(&err) : why);
  orr__error_clear(&err);
  orr__raise(L, "%s", lua_tostring(L, -1));
}

int orr__object_get_map(lua_State *L) {
  int field;
  orr__box *box = box_with_config(L, "getConfigMap", &field);
  orr__push_json(L, config_of(L, box, field), false);
  return 1;
}

int orr__object_set_map_method(lua_State *L) {
  int field;
  orr__box *box = box_with_config(L, "setConfigMap", &field);
  orr__check_writable(L, box, "the configuration");
  lua_settop(L, 2);
  orr__store_field(L, box, field, 2);
  return 0;
}
