/* For folder.c only: the way to a folder, link by link, with something held (a watch) on each folder that can turn it elsewhere. */
#ifndef ORR_PORT_FOLDER_WAY_H
#define ORR_PORT_FOLDER_WAY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct orr__way_link {
  int wd;
  char *name;                /* of the link, or of what is missing, in the folder that wd watches; NULL for the end */
  bool is_end;               /* the folder itself */
} orr__way_link;

typedef struct orr__way {
  orr__way_link *links;
  size_t count;
} orr__way;

/* Watches a folder by a path without links in it; a number, or a negative errno. */
typedef int (*orr__way_hold)(void *arg, const char *path, bool is_end);
typedef void (*orr__way_let_go)(void *arg, int wd);

/* Walks the way into an empty orr__way. 0: every change of the folder will be told; a negative errno, or -EREMOTE for a file system
 * that others write to: not, though some may be. What it holds is in *way either way. */
int orr__way_walk(orr__way *way, const char *path, orr__way_hold hold, orr__way_let_go let_go, void *arg);
void orr__way_clear(orr__way *way, orr__way_let_go let_go, void *arg);

#endif
