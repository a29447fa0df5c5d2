/* The table of embedded Lua files that bindings/embed.cmake writes from bindings/kit. */
#ifndef ORR_KIT_FILES_H
#define ORR_KIT_FILES_H

#include <stddef.h>

typedef struct orr__kit_file {
  const char *name;   /* the file's name without .lua; NULL at the end */
  const char *text;
  size_t len;
} orr__kit_file;
extern const orr__kit_file orr__kit[];

#endif
