/* The models as Lua objects: Backup, BackupResult, BackupProvider, Cloud, ComputeServer.
 *
 * An object in Lua is a userdata, a box, that borrows an orr__object of its hook's call and goes by the descriptor: fields
 * are typed, READONLY ones refused, unknown names raise with the nearest real one. Nothing is copied: what a
 * hook writes is in the object, and the object's dirty mask tells the core.
 *
 * Invariants: a box is alive while its hook runs, and held by the state for so long; afterwards `hc` is NULL and every use
 * raises; one object has one box in a call; reading a secret makes it known for redaction first. */
#ifndef ORR_BINDINGS_OBJECT_H
#define ORR_BINDINGS_OBJECT_H

#include <lua.h>

#include "model/json.h"
#include "model/object.h"

#define ORR_TEXT_MAX (1u << 20)   /* bytes of one text field written by a provider */

struct orr__hookcall;

/* What a box is besides an object of the call. */
enum orr__box_kind { ORR_BOX_CALL, ORR_BOX_COPY, ORR_BOX_FROZEN };

typedef struct orr__box {
  struct orr__box *next;          /* of the call's boxes */
  struct orr__hookcall *hc;       /* NULL: its hook has ended */
  orr__object *object;
  const orr__graph *graph;        /* to navigate in */
  enum orr__box_kind kind;
  const char *frozen_why;         /* static; of ORR_BOX_FROZEN */
  orr__json *config;              /* parsed when it is first looked into */
  const orr__model *model;        /* outlives the object, for messages */
} orr__box;

/* An object that exists only for the hook, such as a copy. */
typedef struct orr__owned {
  struct orr__owned *next;
  orr__object *object;
} orr__owned;

/* The object at index, or NULL if there is none or its hook has ended. */
const orr__object *orr__object_of(lua_State *L, int index);
orr__box *orr__box_of(lua_State *L, int index); /* NULL: no box at all */

/* Pushes the one box of object (nil if it is NULL). May raise for memory. */
void orr__push_object(lua_State *L, struct orr__hookcall *hc, const orr__graph *graph, orr__object *object,
                      enum orr__box_kind kind, const char *frozen_why);
/* Gives the call an object to free at its end. The object is taken, also on failure. */
int orr__object_own(struct orr__hookcall *hc, orr__object *object);
void orr__boxes_release(struct orr__hookcall *hc);

/* The methods that objects have: is it one, or which is the nearest? */
bool orr__object_method(const char *name);
const char *orr__object_method_nearest(const char *name); /* NULL */
/* Makes the metatables; leaves the table of raw methods for prelude/object.lua on the stack. */
void orr__objects_open(lua_State *L);
/* The box of argument 1 of a method, alive, or raises with the hint that methods take a colon. */
orr__box *orr__check_box(lua_State *L, const char *method);
/* Raises if the provider must not write to it. */
void orr__check_writable(lua_State *L, const orr__box *box, const char *what);

/* object_field.c */
void orr__push_field(lua_State *L, orr__box *box, int field);
void orr__store_field(lua_State *L, orr__box *box, int field, int value);
/* object_config.c: raw methods. */
int orr__object_get_property(lua_State *L);
int orr__object_set_property(lua_State *L);
int orr__object_get_map(lua_State *L);
int orr__object_set_map_method(lua_State *L);
int orr__config_field(const orr__model *model);   /* the field `config`, or -1 */
/* object_wait.c: raw methods that wait. */
int orr__object_save(lua_State *L);
/* Saves this object of the call: `return orr__save_start(L, object);` */
int orr__save_start(lua_State *L, orr__object *object);
int orr__object_results(lua_State *L);

#endif
