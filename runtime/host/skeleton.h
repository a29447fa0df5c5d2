/* Files that travel inside the program (bindings/embed.cmake): what `provider new` begins with, and what an editor knows of providers. */
#ifndef ORR_HOST_SKELETON_H
#define ORR_HOST_SKELETON_H

#include <stddef.h>

typedef struct orr__text_file {
  const char *name;   /* the file's name up to its first dot; NULL at the end */
  const char *text;
  size_t len;
} orr__text_file;
typedef orr__text_file orr__skeleton_file, orr__luacats_file;
extern const orr__skeleton_file orr__skeleton[]; /* @CODE@ and @NAME@ stand for the provider's */
extern const orr__luacats_file orr__luacats[];

#endif
