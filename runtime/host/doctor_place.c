/* The doctor's checks of the data directory: the folder itself, where it lies, who holds it, and the files in it. They look
 * at names, modes and sizes; what is in the files is for the runtime to tell. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <pwd.h>
#include <unistd.h>

#include "base/str.h"
#include "host/doctor.h"

#define MIB (1024.0 * 1024)
#define GIB (1024 * MIB)

enum { KEY_SIZE_MIN = 64, INODES_MIN = 1000, JOBS_LOOKED_AT = 500, WAL_MAX_MIB = 256 };

/* Owned: what a person does with this file. */
static char *todo_file(const char *command, const orr__doctor *d, const char *name) {
  return orr__strf("%s %s%s%s", command, d->dir, *name ? "/" : "", name);
}

static const char *user_name(uid_t uid, char room[32]) {
  const struct passwd *user = getpwuid(uid);
  if (user && user->pw_name) snprintf(room, 32, "%s", user->pw_name);
  else snprintf(room, 32, "%u", (unsigned)uid);
  return room;
}

void orr__doctor_directory(orr__doctor *d) {
  struct stat st;
  char owner[32], me[32];
  if (d->dir_errno == ENOENT) {
    orr__doctor_ok(d, "%s is not there yet: the first command that needs it makes it", d->dir);
    return;
  }
  if (d->dir_errno != 0 || stat(d->dir, &st) != 0) {
    orr__doctor_problem(d, "give another one with --data, or repair this one", "%s: %s", d->dir, strerror(d->dir_errno ? d->dir_errno : errno));
    return;
  }
  user_name(st.st_uid, owner);
  user_name(geteuid(), me);
  bool is_mine = st.st_uid == geteuid(), is_private = (st.st_mode & 077) == 0;
  unsigned mode = (unsigned)(st.st_mode & 07777);
  char *as_owner = orr__strf("run as its owner: sudo -u %s orrery ...", owner), *close_it = todo_file("chmod 0700", d, "");
  if (!is_mine && geteuid() != 0) orr__doctor_problem(d, as_owner, "%s belongs to %s, you are %s", d->dir, owner, me);
  else if (!is_mine && !d->is_answering) orr__doctor_warning(d, as_owner, "%s belongs to %s, who cannot use what you make in it", d->dir, owner);
  if (!is_private) orr__doctor_warning(d, close_it, "others may look into %s (mode %04o)", d->dir, mode);
  if (is_private && (is_mine || geteuid() == 0)) orr__doctor_ok(d, "%s, of %s, mode %04o", d->dir, owner, mode);
  free(as_owner);
  free(close_it);
}

/* The directory, or the nearest folder above it that exists. Owned. */
static char *existing_part(const orr__doctor *d) {
  char *path = orr__strdup(d->dir);
  for (char *slash; path && access(path, F_OK) != 0 && (slash = strrchr(path, '/')) != NULL;) slash[slash == path] = '\0';
  return path;
}

static const char *network_name(unsigned long type) {
  static const struct { unsigned long type; const char *name; } NETWORK[] = {
      {0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"}, {0x01021997, "9P"},
      {0x00c36400, "Ceph"}, {0x5346414f, "AFS"}, {0x65735546, "FUSE"}, {0x564c, "NCP"},
  };
  for (size_t i = 0; i < sizeof NETWORK / sizeof *NETWORK; i++) {
    if (NETWORK[i].type == type) return NETWORK[i].name;
  }
  return NULL;
}

void orr__doctor_storage(orr__doctor *d) {
  struct statfs fs;
  struct statvfs vfs;
  char *path = existing_part(d);
  if (!path || statfs(path, &fs) != 0 || statvfs(path, &vfs) != 0) {
    orr__doctor_problem(d, "give another one with --data", "%s: %s", path ? path : d->dir, strerror(errno));
    free(path);
    return;
  }
  const char *network = network_name((unsigned long)fs.f_type & 0xffffffff);
  if (vfs.f_flag & ST_RDONLY) orr__doctor_problem(d, "mount it so that it can be written, or give another one with --data", "%s is mounted read-only", path);
  else if (access(path, W_OK | X_OK) != 0) orr__doctor_problem(d, "run as its owner, or give another one with --data", "%s: %s", path, strerror(errno));
  else if (network) orr__doctor_warning(d, "move it to a local disk", "%s lies on %s, where locks and the database's log are not reliable", path, network);
  else orr__doctor_ok(d, "%s can be written, on a local filesystem", path);
  free(path);
}

void orr__doctor_space(orr__doctor *d) {
  struct statvfs vfs;
  char *path = existing_part(d);
  if (!path || statvfs(path, &vfs) != 0) {
    free(path);
    return; /* storage has told */
  }
  double room = (double)vfs.f_bavail * (double)vfs.f_frsize, whole = (double)vfs.f_blocks * (double)vfs.f_frsize;
  char *room_text = orr__doctor_size(room), *whole_text = orr__doctor_size(whole);
  static const char REMEDY[] = "make room: orrery result ls shows what takes it, history and job output lie in the data directory";
  if (whole == 0) orr__doctor_ok(d, "%s has no size of its own", path);
  else if (room < 64 * MIB) orr__doctor_problem(d, REMEDY, "only %s free at %s", room_text, path);
  else if (room < GIB && room < whole / 20) orr__doctor_warning(d, REMEDY, "only %s of %s free at %s", room_text, whole_text, path);
  else if (vfs.f_files > 0 && vfs.f_favail < INODES_MIN) orr__doctor_warning(d, "remove files", "only %llu inodes free at %s", (unsigned long long)vfs.f_favail, path);
  else orr__doctor_ok(d, "%s of %s free", room_text, whole_text);
  free(room_text);
  free(whole_text);
  free(path);
}

void orr__doctor_holder(orr__doctor *d) {
  if (d->is_closed) return;
  if (d->is_answering) {
    const cJSON *pid = cJSON_GetObjectItemCaseSensitive(d->facts, "pid");
    const char *role = orr__json_word(d->facts, "role"), *version = orr__json_word(d->facts, "version");
    orr__doctor_ok(d, "held by %s, pid %d, version %s", orr__streq(role, "serve") ? "`orrery serve`" : "a command", cJSON_IsNumber(pid) ? pid->valueint : 0, version ? version : "?");
  } else if (d->is_held) {
    char *todo = d->holder_pid ? orr__strf("see what it is and why it hangs: ps -fp %d; end it: kill %d", d->holder_pid, d->holder_pid) : NULL;
    orr__doctor_problem(d, todo ? todo : "find it: fuser -v on the file lock in it", "process %d holds %s and does not answer at its socket", d->holder_pid, d->dir);
    free(todo);
  } else {
    orr__doctor_ok(d, "nobody holds it");
  }
}

/* ---- the files in it -------------------------------------------------------------------------------------- */

static double file_size(const orr__doctor *d, const char *name) {
  struct stat st;
  char *path = orr__strf("%s/%s", d->dir, name);
  double size = path && stat(path, &st) == 0 ? (double)st.st_size : -1;
  free(path);
  return size;
}

static void tell_damage(orr__doctor *d) {
  const char *report = d->check_report && *d->check_report ? d->check_report : orr__error_message(&d->unreachable);
  char *first = orr__strndup(report, strcspn(report, "\n"));
  orr__doctor_problem(d, "keep the folder as it is, restore a copy made by `orrery db backup`; all findings: orrery db check", "damaged: %s", first ? first : "");
  free(first);
}

void orr__doctor_database(orr__doctor *d) {
  if (d->is_closed) return;
  double wal = file_size(d, "orrery.db-wal");
  char *size = orr__doctor_size(file_size(d, "orrery.db")), *wal_size = orr__doctor_size(wal);
  if (!d->has_database) orr__doctor_ok(d, "none yet");
  else if (!d->is_held && d->check_code == ORR_E_CORRUPT) tell_damage(d);
  else if (!d->is_held && d->check_code != 0)
    orr__doctor_problem(d, d->check_code == ORR_E_NEWER ? "install the orrery that wrote it" : "repair the cause", "%s", orr__error_message(&d->unreachable));
  else if (!d->is_held && !d->cli->client && d->has_key)
    orr__doctor_problem(d, "repair the cause", "sound, and yet it cannot be opened: %s", orr__error_message(&d->unreachable));
  else if (wal > WAL_MAX_MIB * MIB) orr__doctor_warning(d, "if it does not shrink within minutes, restart `orrery serve`", "%s, and its log has %s", size, wal_size);
  else if (d->is_held) orr__doctor_ok(d, "%s, in use: it can be checked whole when nobody holds it, or as a copy made by `orrery db backup`", size);
  else orr__doctor_ok(d, "%s, sound", size);
  free(size);
  free(wal_size);
}

void orr__doctor_key(orr__doctor *d) {
  struct stat st;
  if (d->is_closed) return;
  cJSON *shown = orr__doctor_ask(d, "key.show", NULL, NULL, NULL);
  const char *told = orr__json_word(shown, "path"), *path = told ? told : d->key_path;
  int keys = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(shown, "keys"));
  if (stat(path, &st) == 0) {
    char *todo = orr__strf("chmod 0600 %s", path);
    unsigned mode = (unsigned)(st.st_mode & 07777);
    if (st.st_size < KEY_SIZE_MIN) orr__doctor_problem(d, "put back your copy of it", "%s is cut off: it has %lld bytes", path, (long long)st.st_size);
    else if (mode & 077) orr__doctor_problem(d, todo, "others may read %s (mode %04o)", path, mode);
    else if (access(path, R_OK) != 0) orr__doctor_problem(d, "run as its owner", "%s: %s", path, strerror(errno));
    else if (keys > 1) orr__doctor_warning(d, "orrery key show says which are not needed any more", "%s still has %d keys", path, keys);
    else orr__doctor_ok(d, "%s, mode %04o; keep a copy elsewhere: without it the stored passwords are lost", path, mode);
    free(todo);
  } else if (d->is_answering) {
    orr__doctor_ok(d, "the runtime has it, from %s", path);
  } else if (d->has_database) {
    orr__doctor_problem(d, "put back your copy of it, or name the file that `orrery serve` uses: --setting key_file=FILE", "%s is missing: the stored passwords cannot be read", path);
  } else {
    orr__doctor_ok(d, "none yet");
  }
  cJSON_Delete(shown);
}

void orr__doctor_jobs(orr__doctor *d) {
  char *path = orr__strf("%s/jobs", d->dir), *one = NULL;
  DIR *folder = path && !d->is_closed ? opendir(path) : NULL;
  const struct dirent *entry;
  int count = 0, orphans = 0;
  while (folder && (entry = readdir(folder)) != NULL && count < JOBS_LOOKED_AT) {
    int code = 0;
    if (entry->d_name[0] == '.') continue;
    count++;
    cJSON_Delete(orr__doctor_ask(d, "result.show", "result", entry->d_name, &code));
    if (code != ORR_E_NOT_FOUND) continue;
    if (orphans++ == 0) one = orr__strdup(entry->d_name);
  }
  if (folder) closedir(folder);
  if (orphans > 0) {
    char *todo = orr__strf("see what they hold, then remove them: ls %s/%s", path, one ? one : "");
    orr__doctor_warning(d, todo, "%d of %d folders of local jobs belong to no result", orphans, count);
    free(todo);
  } else if (count > 0) {
    orr__doctor_ok(d, "%d%s of local jobs, each of a result", count, count == 1 ? " folder" : " folders");
  } else if (!d->is_closed) {
    orr__doctor_ok(d, "no local jobs");
  }
  free(one);
  free(path);
}
