/* Boxes: making, finding and ending them, their metatable, and navigation between objects.
 *
 * Fields are object_field.c's, the configuration map object_config.c's, what waits object_wait.c's. */
#include "object.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "task.h"

#define REG_METHODS "orrery.object"   /* where sandbox.c leaves what prelude/object.lua returns */

orr__box *orr__box_of(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, orr__version_of(L)->box_meta_ref);
  bool is_box = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return is_box ? lua_touserdata(L, index) : NULL;
}

const orr__object *orr__object_of(lua_State *L, int index) {
  const orr__box *box = orr__box_of(L, index);
  return box && box->hc ? box->object : NULL;
}

/* Takes nothing from the allocator: the key is there, and a value goes. */
static void detach(orr__box *box) {
  orr__version *v = box->hc->version;
  lua_State *L = v->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, v->boxes_ref);
  lua_pushlightuserdata(L, box->object);
  lua_pushnil(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  box->hc->boxes = box->next;
  box->next = NULL;
  box->hc = NULL;
  box->object = NULL;
  box->graph = NULL;
  orr__json_free(box->config);
  box->config = NULL;
}

void orr__boxes_release(orr__hookcall *hc) {
  while (hc->boxes) detach(hc->boxes);
  while (hc->owned) {
    orr__owned *next = hc->owned->next;
    orr__object_free(hc->owned->object);
    free(hc->owned);
    hc->owned = next;
  }
}

int orr__object_own(orr__hookcall *hc, orr__object *object) {
  orr__owned *owned = object ? calloc(1, sizeof *owned) : NULL;
  if (!owned) {
    orr__object_free(object);
    return ORR_E_NOMEM;
  }
  owned->object = object;
  owned->next = hc->owned;
  hc->owned = owned;
  return 0;
}

void orr__push_object(lua_State *L, orr__hookcall *hc, const orr__graph *graph, orr__object *object, enum orr__box_kind kind,
                      const char *frozen_why) {
  if (!object) {
    lua_pushnil(L);
    return;
  }
  luaL_checkstack(L, 6, "objects");
  lua_rawgeti(L, LUA_REGISTRYINDEX, hc->version->boxes_ref);
  lua_pushlightuserdata(L, object);
  lua_rawget(L, -2);
  if (lua_touserdata(L, -1)) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  orr__box *box = lua_newuserdata(L, sizeof *box);
  memset(box, 0, sizeof *box);
  box->hc = hc;
  box->object = object;
  box->graph = graph;
  box->kind = kind;
  box->frozen_why = frozen_why;
  box->model = object->model;
  lua_rawgeti(L, LUA_REGISTRYINDEX, hc->version->box_meta_ref);
  lua_setmetatable(L, -2);
  lua_pushlightuserdata(L, object);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
  lua_remove(L, -2);
  box->next = hc->boxes; /* now that nothing can raise any more: it is held until it is let go with the others */
  hc->boxes = box;
}

/* ---- checks ------------------------------------------------------------------------------------------------ */

static void check_alive(lua_State *L, const orr__box *box) {
  if (box->hc) return;
  orr__raise(L, "this %s belongs to a hook that has ended; read what you need of it while the hook runs", box->model->class_name);
}

orr__box *orr__check_box(lua_State *L, const char *method) {
  orr__box *box = orr__box_of(L, 1);
  if (!box) orr__raise(L, "%s is a method: use a colon, as in backupResult:%s(...)", method, method);
  check_alive(L, box);
  return box;
}

void orr__check_writable(lua_State *L, const orr__box *box, const char *what) {
  if (box->model->id != ORR_M_result && box->model->id != ORR_M_backup) /* a write that nobody keeps would be a lie */
    orr__raise(L, "%s of a %s is for people to set, not for hooks", what, box->model->class_name);
  if (box->kind != ORR_BOX_FROZEN) return;
  orr__raise(L, "%s of this %s cannot be set: %s", what, box->model->class_name, box->frozen_why ? box->frozen_why : "it is read-only");
}

/* ---- navigation -------------------------------------------------------------------------------------------- */

static orr__object *in_graph(const orr__graph *g, enum orr__model_id model) {
  if (!g) return NULL;
  switch (model) {
  case ORR_M_result: return g->result ? &g->result->head : NULL;
  case ORR_M_backup: return g->backup ? &g->backup->head : NULL;
  case ORR_M_connection: return g->connection ? &g->connection->head : NULL;
  case ORR_M_cloud: return g->cloud ? &g->cloud->head : NULL;
  case ORR_M_server: return g->server ? &g->server->head : NULL;
  default: return NULL;
  }
}

/* The field one navigates by under this name, or -1. */
static int nav_field(const orr__model *model, const char *name) {
  const char *wanted = strcmp(name, "connection") == 0 ? "backupProvider" : name;
  for (size_t i = 0; i < model->field_count; i++)
    if (model->fields[i].nav && strcmp(model->fields[i].nav, wanted) == 0) return (int)i;
  return -1;
}

static void push_target(lua_State *L, orr__box *box, int field) {
  const orr__graph *call_graph = &box->hc->call->graph;
  enum orr__model_id target = box->model->fields[field].target;
  orr__object *object = in_graph(box->graph, target);
  if (!object) object = in_graph(call_graph, target);
  /* A result may run on another server than its Backup's: what is loaded then is the result's. */
  if (object && orr__object_has(box->object, field) && orr__object_id(object) != orr__get_int(box->object, field)) object = NULL;
  orr__push_object(L, box->hc, box->graph, object, box->kind == ORR_BOX_FROZEN ? ORR_BOX_FROZEN : ORR_BOX_CALL, box->frozen_why);
}

/* ---- metamethods ------------------------------------------------------------------------------------------- */

static void raise_unknown(lua_State *L, const orr__box *box, const char *name) {
  const char *near = orr__field_nearest(box->model, name);
  if (near) orr__raise(L, "%s has no field '%s' (did you mean '%s'?)", box->model->class_name, name, near);
  orr__raise(L, "%s has no field '%s' (free values: setConfigProperty, getConfigProperty)", box->model->class_name, name);
}

/* The field of the name at index 2, or -1. Upvalue 1 has a table of them for each model. */
static int field_at_2(lua_State *L, const orr__box *box) {
  lua_rawgeti(L, lua_upvalueindex(1), (int)box->model->id + 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  int field = (int)lua_tointeger(L, -1) - 1;
  lua_pop(L, 2);
  return field;
}

static const char *key_name(lua_State *L, const orr__box *box) {
  if (lua_type(L, 2) != LUA_TSTRING) orr__raise(L, "%s has fields by name; %s is no name", box->model->class_name, luaL_typename(L, 2));
  return lua_tostring(L, 2);
}

static int index_object(lua_State *L) {
  orr__box *box = lua_touserdata(L, 1);
  check_alive(L, box);
  const char *name = key_name(L, box);
  int field = field_at_2(L, box);
  if (field >= 0) {
    orr__push_field(L, box, field);
    return 1;
  }
  field = nav_field(box->model, name);
  if (field >= 0) {
    push_target(L, box, field);
    return 1;
  }
  if (box->model->id == ORR_M_result && strcmp(name, "cloud") == 0) {
    /* No reference of its own: the cloud that executeBackup gets. */
    orr__object *cloud = in_graph(box->graph, ORR_M_cloud);
    orr__push_object(L, box->hc, box->graph, cloud, box->kind == ORR_BOX_FROZEN ? ORR_BOX_FROZEN : ORR_BOX_CALL, box->frozen_why);
    return 1;
  }
  lua_getfield(L, LUA_REGISTRYINDEX, REG_METHODS);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  if (lua_isnil(L, -1)) raise_unknown(L, box, name);
  return 1;
}

static int newindex_object(lua_State *L) {
  orr__box *box = lua_touserdata(L, 1);
  check_alive(L, box);
  const char *name = key_name(L, box);
  int field = field_at_2(L, box);
  if (field < 0 && nav_field(box->model, name) >= 0)
    orr__raise(L, "%s.%s cannot be set: it is what the %s belongs to", box->model->class_name, name, box->model->name);
  if (field < 0) {
    lua_getfield(L, LUA_REGISTRYINDEX, REG_METHODS);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1)) orr__raise(L, "%s.%s is a method and cannot be set", box->model->class_name, name);
    raise_unknown(L, box, name);
  }
  orr__check_writable(L, box, name);
  orr__store_field(L, box, field, 3);
  return 0;
}

static int object_tostring(lua_State *L) {
  const orr__box *box = orr__box_of(L, 1);
  if (!box) return 0;
  if (!box->hc) {
    lua_pushfstring(L, "%s (of a hook that has ended)", box->model->class_name);
    return 1;
  }
  int name_field = orr__field_find(box->model, box->model->id == ORR_M_result ? "backupName" : "name");
  const char *name = name_field >= 0 ? orr__get_str(box->object, name_field) : NULL;
  int64_t id = orr__object_id(box->object);
  lua_pushstring(L, box->model->class_name);
  if (id) {
    lua_pushfstring(L, " %d", (int)id);
    lua_concat(L, 2);
  }
  if (name) {
    lua_pushfstring(L, " \"%s\"", name);
    lua_concat(L, 2);
  }
  return 1;
}

static int equal_objects(lua_State *L) {
  const orr__object *a = orr__object_of(L, 1), *b = orr__object_of(L, 2);
  lua_pushboolean(L, a && a == b);
  return 1;
}

/* backup:copy(): a writable Backup of its own, to be returned as data. */
static int copy_object(lua_State *L) {
  orr__box *box = orr__check_box(L, "copy");
  orr__object *copy = orr__object_copy(box->object);
  if (orr__object_own(box->hc, copy) != 0) {
    lua_pushliteral(L, "out of memory");
    return lua_error(L);
  }
  orr__push_object(L, box->hc, box->graph, copy, ORR_BOX_COPY, NULL);
  return 1;
}

/* { { name = field + 1 } by model + 1 }: what orr__field_find knows, in the form in which Lua finds a name fastest. */
static void push_field_tables(lua_State *L) {
  lua_createtable(L, ORR_M_COUNT, 0);
  for (int m = 0; m < ORR_M_COUNT; m++) {
    const orr__model *model = &orr__models[m];
    const char *name;
    lua_createtable(L, 0, (int)model->field_count);
    for (size_t i = 0; (name = orr__field_name(model, i)) != NULL; i++) {
      lua_pushinteger(L, orr__field_find(model, name) + 1);
      lua_setfield(L, -2, name);
    }
    lua_rawseti(L, -2, m + 1);
  }
}

static const luaL_Reg methods[] = { { "getConfigProperty", orr__object_get_property }, { "setConfigProperty", orr__object_set_property },
  { "getConfigMap", orr__object_get_map }, { "setConfigMap", orr__object_set_map_method }, { "copy", copy_object },
  { "save", orr__object_save }, { "results", orr__object_results }, { "run", orr__host_run }, { NULL, NULL } };

static const char *method_at(void *arg, size_t i) {
  (void)arg;
  return i < sizeof methods / sizeof *methods ? methods[i].name : NULL;
}

bool orr__object_method(const char *name) {
  for (const luaL_Reg *method = methods; method->name; method++)
    if (strcmp(method->name, name) == 0) return true;
  return false;
}

const char *orr__object_method_nearest(const char *name) {
  return orr__nearest(name, method_at, NULL);
}

void orr__objects_open(lua_State *L) {
  static const luaL_Reg meta[] = { { "__tostring", object_tostring }, { "__eq", equal_objects }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, meta);
  push_field_tables(L);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, index_object, 1);
  lua_setfield(L, -3, "__index");
  lua_pushcclosure(L, newindex_object, 1);
  lua_setfield(L, -2, "__newindex");
  lua_pushliteral(L, "object");
  lua_setfield(L, -2, "__metatable");
  orr__version_of(L)->box_meta_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_newtable(L);
  luaL_register(L, NULL, methods);
}
