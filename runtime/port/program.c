/* Programs by name: where they are, and which Debian package brings them if they are not. The lookup is the
 * job runner's: absolute entries of PATH only. Does not start anything. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "port/process.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static bool is_program(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *orr__program_find(const char *name) {
  if (!name || !*name) return NULL;
  if (strchr(name, '/')) return *name == '/' && is_program(name) ? orr__strdup(name) : NULL;
  const char *path = getenv("PATH");
  if (!path || !*path) path = DEFAULT_PATH;
  for (const char *end; *path; path = *end ? end + 1 : end) {
    end = strchrnul(path, ':');
    if (*path != '/') continue;
    char *file = orr__strf("%.*s/%s", (int)(end - path), path, name);
    if (!file || is_program(file)) return file;
    free(file);
  }
  return NULL;
}

char *orr__program_match(const char *pattern) {
  if (!pattern || *pattern != '/' || !strchr(pattern, '*')) return orr__program_find(pattern);
  glob_t all;
  char *found = NULL;
  if (glob(pattern, GLOB_NOESCAPE, NULL, &all) != 0) return NULL;
  for (size_t i = 0; i < all.gl_pathc && !found; i++)
    if (is_program(all.gl_pathv[i])) found = orr__strdup(all.gl_pathv[i]);
  globfree(&all);
  return found;
}

const char *orr__program_package(const char *name) {
  static const char *const packages[][2] = {
    { "restic", "restic" },           { "borg", "borgbackup" },         { "rclone", "rclone" },
    { "rsync", "rsync" },             { "tar", "tar" },                 { "zstd", "zstd" },
    { "gzip", "gzip" },               { "xz", "xz-utils" },             { "zip", "zip" },
    { "bzip2", "bzip2" },             { "gpg", "gnupg" },               { "age", "age" },
    { "openssl", "openssl" },         { "ssh", "openssh-client" },      { "scp", "openssh-client" },
    { "sftp", "openssh-client" },     { "curl", "curl" },               { "jq", "jq" },
    { "psql", "postgresql-client" },  { "pg_dump", "postgresql-client" },
    { "pg_dumpall", "postgresql-client" },                              { "pg_restore", "postgresql-client" },
    { "pg_basebackup", "postgresql-client" },                           { "pg_verifybackup", "postgresql-client" },
    { "mysql", "default-mysql-client" },                                { "mysqldump", "default-mysql-client" },
    { "mariadb-dump", "mariadb-client" },                               { "mariabackup", "mariadb-backup" },
    { "sqlite3", "sqlite3" },         { "redis-cli", "redis-tools" },   { "slapcat", "slapd" },
    { "zfs", "zfsutils-linux" },      { "btrfs", "btrfs-progs" },       { "lvcreate", "lvm2" },
    { "qemu-img", "qemu-utils" },     { "virsh", "libvirt-clients" },   { "duplicity", "duplicity" },
  };
  const char *slash = name ? strrchr(name, '/') : NULL;
  const char *base = slash ? slash + 1 : name;
  for (size_t i = 0; i < sizeof packages / sizeof *packages; i++)
    if (orr__streq(base, packages[i][0])) return packages[i][1];
  return NULL;
}
