/* The table of embedded Lua files that bindings/embed.cmake writes from bindings/prelude. */
#ifndef ORR_BINDINGS_PRELUDE_H
#define ORR_BINDINGS_PRELUDE_H

#include <stddef.h>

typedef struct orr__prelude_file {
  const char *name;   /* the file's name without .lua; NULL at the end */
  const char *text;
  size_t len;
} orr__prelude_file;
extern const orr__prelude_file orr__prelude[];

#endif
