/* Calls that are only tried out (call->trial): what they do outside is noted, and a dry one ends before its first mutating act.
 *
 * A library says what is about to leave, through orr__trial_act, before it starts it. In an ordinary call that does nothing. */
#ifndef ORR_BINDINGS_TRIAL_H
#define ORR_BINDINGS_TRIAL_H

#include "lib_spawn.h"
#include "model/json.h"
#include "wait.h"

struct orr__hookcall;
struct orr__secrets;

/* A copy with every known secret in its texts replaced, each text cut to `most` bytes. Owned; NULL or less where memory has run out. */
orr__json *orr__json_redacted(const struct orr__secrets *secrets, const orr__json *json, size_t most);

/* The call of L is one of them: notes what `describe` says (a map, taken; NULL: no memory) and whether it is mutating. If it is, and the
 * call is dry, the call is stopped: what follows in orr__wait_start fails by itself, and what is done at once must look at the
 * answer. Returns false then: it must not be done. Texts are redacted and cut. Never raises. */
bool orr__trial_act(lua_State *L, orr__json *(*describe)(const void *what), const void *what, bool is_mutating);
/* What came of the latest act that was noted as `number` (orr__trial_number, 0: none) is one more value of its map. */
size_t orr__trial_number(lua_State *L);
void orr__trial_came(const orr__wait *wait, size_t number, const char *key, double value);
/* What a program is started with: argv, the names of env, the folder, how much input; put into map. */
void orr__trial_spawn(orr__json *map, const orr__spawn *spawn);
/* An act that no library has told of, by what the journal calls it; from orr__wait_start. */
void orr__trial_untold(lua_State *L, const char *act);
/* For what is done at once: `act` with what it is about ("fs.remove", "/srv/x"). False: it must not be done, and the failure is pushed. */
bool orr__trial_may(lua_State *L, const char *act, const char *about);

/* At the end of the call: what was noted into the answer, and whether it was ended dry. */
void orr__trial_end(struct orr__hookcall *hc, orr__answer *answer);

#define ORR_EVAL_VALUES 50 /* of a line, at most */
/* trial_eval.c: call->eval, a line that somebody has typed. Pushes it as a function, or one that raises why it does not compile. Inside
 * orr__protect. */
void orr__eval_push(lua_State *L, struct orr__hookcall *hc);
/* What it has returned, the values at index 1 and up, as JSON: { values: [text] }. */
void orr__eval_read(lua_State *L, orr__answer *answer);

#endif
