/* Walking the way to a folder as the kernel does, part by part, but noting where it could be turned elsewhere.
 *
 * The folder in which a link lies, or in which a part is missing, is watched first and looked into once more then: what changes in
 * between is either seen or told. Does not know what a watch is. */
#include "port/folder_way.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/str.h"

#define LINKS_MAX 40

/* linux/magic.h has some of them; others (SMB2, Lustre) only the manual page of statfs. */
static const unsigned long remote[] = {
  0x6969 /* NFS */, 0x517B /* SMB */, 0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */, 0x65735546 /* FUSE */, 0x01021997 /* 9P */,
  0x00C36400 /* Ceph */, 0x5346414F /* AFS */, 0x73757245 /* Coda */, 0x0BD00BD0 /* Lustre */, 0x01161970 /* GFS2 */, 0x7461636F /* OCFS2 */,
};

static bool is_remote(const char *path) {
  struct statfs fs;
  if (statfs(path, &fs) != 0) return false;
  for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
    if (((unsigned long)fs.f_type & 0xFFFFFFFFul) == remote[i]) return true;
  return false;
}

struct walk {
  orr__way *way;
  orr__way_hold hold;
  orr__way_let_go let_go;
  void *arg;
  char here[PATH_MAX];       /* without links; "" is the root */
  char rest[PATH_MAX];       /* still to go */
  int links;
};

static const char *folder_of(const struct walk *w) { return *w->here ? w->here : "/"; }

static int note(struct walk *w, const char *name, bool is_end) {
  orr__way_link *links = realloc(w->way->links, (w->way->count + 1) * sizeof *links);
  if (!links) return -ENOMEM;
  w->way->links = links;
  char *copy = orr__strdup(name);
  if (name && !copy) return -ENOMEM;
  int wd = w->hold(w->arg, folder_of(w), is_end);
  if (wd < 0) {
    free(copy);
    return wd;
  }
  links[w->way->count++] = (orr__way_link){ wd, copy, is_end };
  return 0;
}

/* Takes the next part of the way off; false at the end. */
static bool next_part(struct walk *w, char part[NAME_MAX + 1]) {
  char *at = w->rest + strspn(w->rest, "/");
  size_t len = strcspn(at, "/");
  if (len == 0 || len > NAME_MAX) return false;
  memcpy(part, at, len);
  part[len] = '\0';
  memmove(w->rest, at + len, strlen(at + len) + 1);
  return true;
}

static int enter_link(struct walk *w, const char *full) {
  char target[PATH_MAX], rest[PATH_MAX];
  ssize_t len = readlink(full, target, sizeof target - 1);
  if (len < 0) return -errno;
  target[len] = '\0';
  if (++w->links > LINKS_MAX) return -ELOOP;
  int need = snprintf(rest, sizeof rest, "%s/%s", target, w->rest);
  if (need < 0 || (size_t)need >= sizeof rest) return -ENAMETOOLONG;
  memcpy(w->rest, rest, (size_t)need + 1);
  if (*target == '/') *w->here = '\0';
  return 0;
}

/* One part further. 1: it is missing, and waited for. */
static int enter(struct walk *w, const char *part) {
  char full[PATH_MAX];
  struct stat st;
  if (strcmp(part, ".") == 0) return 0;
  if (strcmp(part, "..") == 0) {
    char *slash = strrchr(w->here, '/');
    if (slash) *slash = '\0';
    return 0;
  }
  int need = snprintf(full, sizeof full, "%s/%s", w->here, part);
  if (need < 0 || (size_t)need >= sizeof full) return -ENAMETOOLONG;
  bool is_plain = lstat(full, &st) == 0 && S_ISDIR(st.st_mode);
  if (!is_plain) {
    int rc = note(w, part, false);
    if (rc) return rc;
    if (lstat(full, &st) != 0) return 1;
    if (S_ISLNK(st.st_mode)) return enter_link(w, full);
    if (!S_ISDIR(st.st_mode)) return 1;
  }
  memcpy(w->here, full, (size_t)need + 1);
  return 0;
}

static int go(struct walk *w, const char *path) {
  char part[NAME_MAX + 1];
  if (*path != '/') {
    if (!getcwd(w->rest, sizeof w->rest)) return -errno;
    size_t len = strlen(w->rest);
    if (len + strlen(path) + 2 > sizeof w->rest) return -ENAMETOOLONG;
    snprintf(w->rest + len, sizeof w->rest - len, "/%s", path);
  } else {
    if (strlen(path) >= sizeof w->rest) return -ENAMETOOLONG;
    memcpy(w->rest, path, strlen(path) + 1);
  }
  while (next_part(w, part)) {
    int rc = enter(w, part);
    if (rc) return rc > 0 ? 0 : rc;
  }
  if (is_remote(folder_of(w))) {
    note(w, NULL, true); /* what this machine does there is told all the same */
    return -EREMOTE;
  }
  return note(w, NULL, true);
}

int orr__way_walk(orr__way *way, const char *path, orr__way_hold hold, orr__way_let_go let_go, void *arg) {
  struct walk *w = calloc(1, sizeof *w);
  int rc = w ? -EAGAIN : -ENOMEM;
  /* ENOENT: it went between the look and the watch; the next walk waits for it. */
  for (int i = 0; w && i < 8 && (rc == -EAGAIN || rc == -ENOENT || rc == -ENOTDIR); i++) {
    orr__way_clear(way, let_go, arg);
    *w = (struct walk){ .way = way, .hold = hold, .let_go = let_go, .arg = arg };
    rc = go(w, path);
  }
  free(w);
  return rc;
}

void orr__way_clear(orr__way *way, orr__way_let_go let_go, void *arg) {
  for (size_t i = 0; i < way->count; i++) {
    let_go(arg, way->links[i].wd);
    free(way->links[i].name);
  }
  free(way->links);
  *way = (orr__way){ 0 };
}
