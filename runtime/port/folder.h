/* Folders that are watched: something in one may have changed, and somebody should look.
 *
 * It tells that and no more: what is there now, and whether it differs, is for the reader to find out. It tells rather too often than
 * not at all, and always after the change, so that who looks then sees it.
 *
 * Folders are watched, not files: an editor that renames a new file over the old one takes a watch on the old one away with it. A
 * folder may be named by way of links (`current -> releases/42`, Kubernetes' `..data`); where one of them is turned elsewhere, the
 * new folder is watched. One that is not there yet is found when it appears, one that goes is waited for.
 *
 * What it cannot see, and says so by orr__folder_is_watched: a folder on a file system that other machines write to (NFS, SMB, FUSE
 * and the like), any folder where inotify is not to be had (its limits are reached, a sandbox denies it). Whoever needs to know
 * then looks by himself. Not seen at all: a folder further up, that is no link, being moved away with everything in it.
 *
 * Of folders below a watched one only their coming and going is told; each that matters is watched by itself. */
#ifndef ORR_PORT_FOLDER_H
#define ORR_PORT_FOLDER_H

#include "port/loop.h"

#define ORR_FOLDERS_MAX 20000 /* watched at a time; one more is taken, and is not watched */

typedef struct orr__folders orr__folders; /* all that one owner watches */
typedef struct orr__folder orr__folder;

/* Comes from orr__loop_step only. name: the entry of the folder that it is about, valid for the call; NULL: it may be anything, the
 * folder itself too. Must not make or free folders. */
typedef void (*orr__folder_changed)(void *arg, const char *name);

/* Owned. 0 also where inotify is not to be had: then no folder is watched; else NOMEM or IO. */
int orr__folders_new(orr__loop *loop, orr__folders **ret_folders, orr_error *reterr);
void orr__folders_free(orr__folders *folders); /* once its folders are freed; NULL is fine */
/* Owned; path is copied. 0 or NOMEM. */
int orr__folder_new(orr__folders *folders, const char *path, orr__folder_changed changed, void *arg, orr__folder **ret_folder);
void orr__folder_free(orr__folder *folder);    /* NULL is fine; nothing of it is told any more */
bool orr__folder_is_watched(const orr__folder *folder); /* every change of it will be told */
const char *orr__folder_path(const orr__folder *folder); /* as it was given */

#endif
