/* A purse: an amount of bytes that several pieces of work share, each of which may outlive who made it. */
#ifndef ORR_PORT_PURSE_H
#define ORR_PORT_PURSE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct orr__purse orr__purse;

orr__purse *orr__purse_new(size_t most); /* with one reference, the caller's; NULL: no memory */
orr__purse *orr__purse_ref(orr__purse *purse); /* NULL is fine, here and below, and is a purse without end */
void orr__purse_unref(orr__purse *purse);
/* False if there is not so much left: then nothing was taken. */
bool orr__purse_take(orr__purse *purse, size_t bytes);
void orr__purse_give(orr__purse *purse, size_t bytes);

#endif
