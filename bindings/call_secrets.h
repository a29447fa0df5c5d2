/* The secrets of a call, whoever runs it: what it was given is learnt, and taken out of what is kept of it. */
#ifndef ORR_BINDINGS_CALL_SECRETS_H
#define ORR_BINDINGS_CALL_SECRETS_H

#include "core/provider.h"
#include "redact.h"

#define ORR_SHOWN_MAX 65536 /* bytes of a message */

int orr__secrets_learn(orr__secrets *secrets, const orr__declaration *declaration, const orr__call *call); /* 0 or NOMEM */
/* Of what was written for people (ORR_FIELD_PROSE) and is to be kept: of one object, of all that a call gives back. */
void orr__secrets_clean_object(const orr__secrets *secrets, orr__object *object);
void orr__secrets_clean_call(const orr__secrets *secrets, const orr__call *call);
/* Of messages, traceback, warnings and errors of an answer. */
void orr__secrets_clean_answer(const orr__secrets *secrets, orr__answer *answer);

#endif
