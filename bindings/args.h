/* Checked arguments of library functions: several arguments are one table, checked against a list.
 *
 * Misuse raises (a mistake of the author's, not of the world): an unknown key is named with the nearest known one, a
 * wrong type says what was expected, and the message begins with the author's file and line, not the prelude's.
 * Readers look the keys up raw; strings they return are borrowed for as long as the table is unchanged. */
#ifndef ORR_BINDINGS_ARGS_H
#define ORR_BINDINGS_ARGS_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum orr__param_type {
  ORR_P_TEXT,      /* a string, any bytes */
  ORR_P_LINE,      /* a string without NUL */
  ORR_P_NUMBER,
  ORR_P_SECONDS,   /* a number from 0 to ten years */
  ORR_P_COUNT,     /* a whole number from 0 to 2^53 */
  ORR_P_BOOL,
  ORR_P_TABLE,
  ORR_P_WORDS,     /* an array of strings without NUL */
  ORR_P_FUNCTION,
  ORR_P_ANY
};

typedef struct orr__param {
  const char *name;             /* NULL ends a list */
  enum orr__param_type type;
  bool is_required;
} orr__param;

/* Pushes "file:line: " of the nearest caller in the author's code, "" if there is none. */
void orr__push_position(lua_State *L);
/* Raises with the author's position before the message. */
int orr__raise(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* Is the value at `table` a table as `params` says? Raises if not. function: "http.request", for the message.
 * json.null counts as absent. */
void orr__args_check(lua_State *L, int table, const char *function, const orr__param *params);

/* Readers, after the check. Absent (or json.null): NULL or the fallback. */
const char *orr__args_text(lua_State *L, int table, const char *name, size_t *ret_len); /* ret_len may be NULL */
double orr__args_number(lua_State *L, int table, const char *name, double fallback);
int64_t orr__args_ms(lua_State *L, int table, const char *name, int64_t fallback);      /* of SECONDS */
bool orr__args_bool(lua_State *L, int table, const char *name, bool fallback);
/* Pushes the value (nil if absent) and returns its type. */
int orr__args_push(lua_State *L, int table, const char *name);

/* For a function that only the prelude calls: its arguments are the members of `params` by position, which spares the table. Checks them like
 * orr__args_check; afterwards the stack has just them, and nil where one is absent or json.null. */
void orr__args_positions(lua_State *L, const char *function, const orr__param *params);
/* The text at a position, or NULL. */
const char *orr__text_at(lua_State *L, int index, size_t *ret_len); /* ret_len may be NULL */

/* Positional arguments: `what` names function and argument, as in "fs.stat: path". */
const char *orr__arg_text(lua_State *L, int index, const char *what, size_t *ret_len);
const char *orr__arg_line(lua_State *L, int index, const char *what);    /* without NUL */
double orr__arg_number(lua_State *L, int index, const char *what, double fallback); /* raises if not a number; absent: fallback */

/* A NULL-terminated array of borrowed strings from the array at index (checked as WORDS), as a userdata that is
 * pushed: valid while that and the strings are on the stack. */
const char **orr__words(lua_State *L, int index);
/* The same from a map NAME -> value (string, number or boolean), as "NAME=value". The strings are in the userdata. */
const char **orr__environment(lua_State *L, int index, const char *what);

#endif
