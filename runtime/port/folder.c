/* Watched folders over one inotify instance.
 *
 * Of a folder several inodes are watched: itself, and each folder in which a link on the way to it lies, or in which the first part
 * of the way that is missing would appear (of these only the one name counts). A change on the way makes the way be walked again
 * (folder_way.c says how). One inode may be watched for several folders; the kernel counts it once, so it is counted here.
 *
 * Invariants: a link's wd is in `nodes` with a count of the links that use it; a node that the kernel has dropped stays, dead, until
 * its last link goes; callbacks come after the ways have been walked, so that what they see is watched. */
#include "port/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/str.h"
#include "port/folder_way.h"

#define READS_MAX 64 /* of a turn; the rest is readable still */
#define OF_FOLDER (IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define OF_WAY (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
#define IS_GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW)

typedef struct node {
  int wd;
  size_t uses;
  bool is_dead;
} node;

struct orr__folder {
  orr__folder *prev, *next;
  orr__folders *folders;
  char *path;
  orr__folder_changed changed;
  void *arg;
  orr__way way;              /* its links, each with a wd of ours */
  bool is_watched, is_lost;  /* lost: the way is to be walked again */
};

struct orr__folders {
  orr__loop *loop;
  int fd;                    /* -1: no inotify here */
  orr__watch *watch;
  orr__folder *first;
  size_t count;
  node *nodes;
  size_t node_count;
};

/* ---- inodes ------------------------------------------------------------------------------------------------- */

static int hold(void *arg, const char *path, bool is_end) {
  orr__folders *all = arg;
  int wd = inotify_add_watch(all->fd, path, (is_end ? OF_FOLDER : OF_WAY) | IN_ONLYDIR | IN_MASK_ADD);
  if (wd < 0) return -errno;
  for (size_t i = 0; i < all->node_count; i++) {
    if (all->nodes[i].wd != wd) continue;
    all->nodes[i].uses++;
    return wd;
  }
  node *nodes = realloc(all->nodes, (all->node_count + 1) * sizeof *nodes);
  if (!nodes) {
    inotify_rm_watch(all->fd, wd);
    return -ENOMEM;
  }
  all->nodes = nodes;
  all->nodes[all->node_count++] = (node){ wd, 1, false };
  return wd;
}

static void let_go(void *arg, int wd) {
  orr__folders *all = arg;
  for (size_t i = 0; i < all->node_count; i++) {
    node *n = &all->nodes[i];
    if (n->wd != wd) continue;
    if (--n->uses > 0) return;
    if (!n->is_dead) inotify_rm_watch(all->fd, wd);
    *n = all->nodes[--all->node_count];
    return;
  }
}

/* The new way is held before the old one is let go, so that what both use stays watched. */
static void walk(orr__folder *folder) {
  orr__folders *all = folder->folders;
  orr__way old = folder->way;
  folder->is_lost = false;
  folder->is_watched = false;
  folder->way = (orr__way){ 0 };
  if (all->fd >= 0 && all->count <= ORR_FOLDERS_MAX)
    folder->is_watched = orr__way_walk(&folder->way, folder->path, hold, let_go, all) == 0;
  orr__way_clear(&old, let_go, all);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

static void take_for(orr__folder *folder, const struct inotify_event *event) {
  const char *name = event->len ? event->name : NULL;
  for (size_t i = 0; i < folder->way.count; i++) {
    const orr__way_link *link = &folder->way.links[i];
    if (event->wd != link->wd && event->wd != -1) continue;
    if (event->mask & IS_GONE && !(event->mask & IN_MOVE_SELF && !link->is_end)) folder->is_lost = true;
    else if (link->is_end && !folder->is_lost) folder->changed(folder->arg, name);
    else if (name && orr__streq(name, link->name)) folder->is_lost = true;
  }
}

static void take(orr__folders *all, const struct inotify_event *event) {
  for (size_t i = 0; event->mask & IN_IGNORED && i < all->node_count; i++)
    if (all->nodes[i].wd == event->wd) all->nodes[i].is_dead = true;
  for (orr__folder *f = all->first; f; f = f->next) take_for(f, event);
}

static void readable(void *arg) {
  orr__folders *all = arg;
  _Alignas(struct inotify_event) char buffer[16384];
  for (int i = 0; i < READS_MAX; i++) {
    ssize_t len = read(all->fd, buffer, sizeof buffer);
    if (len <= 0) break;
    for (ssize_t at = 0; at < len;) {
      const struct inotify_event *event = (const void *)(buffer + at);
      take(all, event);
      at += (ssize_t)(sizeof *event + event->len);
    }
  }
  for (orr__folder *f = all->first; f; f = f->next) {
    if (!f->is_lost) continue;
    walk(f);
    f->changed(f->arg, NULL);
  }
}

/* ---- making and freeing ------------------------------------------------------------------------------------- */

int orr__folders_new(orr__loop *loop, orr__folders **ret_folders, orr_error *reterr) {
  orr__folders *all = calloc(1, sizeof *all);
  if (!all) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  all->loop = loop;
  all->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  int rc = all->fd < 0 ? 0 : orr__watch_new(loop, all->fd, readable, all, &all->watch);
  if (rc) {
    orr__folders_free(all);
    return orr__error_set(reterr, rc, "folders cannot be watched: %s", orr__code_word(rc));
  }
  *ret_folders = all;
  return 0;
}

void orr__folders_free(orr__folders *all) {
  if (!all) return;
  orr__watch_free(all->watch);
  if (all->fd >= 0) close(all->fd);
  free(all->nodes);
  free(all);
}

int orr__folder_new(orr__folders *all, const char *path, orr__folder_changed changed, void *arg, orr__folder **ret_folder) {
  orr__folder *folder = calloc(1, sizeof *folder);
  if (folder) folder->path = orr__strdup(path);
  if (!folder || !folder->path) {
    free(folder);
    return ORR_E_NOMEM;
  }
  folder->folders = all;
  folder->changed = changed;
  folder->arg = arg;
  folder->next = all->first;
  if (all->first) all->first->prev = folder;
  all->first = folder;
  all->count++;
  walk(folder);
  *ret_folder = folder;
  return 0;
}

void orr__folder_free(orr__folder *folder) {
  if (!folder) return;
  orr__folders *all = folder->folders;
  orr__way_clear(&folder->way, let_go, all);
  if (folder->prev) folder->prev->next = folder->next;
  else all->first = folder->next;
  if (folder->next) folder->next->prev = folder->prev;
  all->count--;
  free(folder->path);
  free(folder);
}

bool orr__folder_is_watched(const orr__folder *folder) { return folder->is_watched; }
const char *orr__folder_path(const orr__folder *folder) { return folder->path; }
