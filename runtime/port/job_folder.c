/* What can be done with job directories without waiting for anything: poll, cancel, list, remove. Does not know
 * who waits for a job; whoever does (job.c) sees the directory change. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "port/job_parts.h"
#include "port/runner.h"

#define NAMES_MAX 10000 /* jobs of one key */

static int look(orr__jobs *jobs, const char *key, const char *name, orr__job_status *ret_status, char **ret_path,
                orr_error *reterr) {
  int failure;
  int r = orr__job_check_names(key, name, reterr);
  if (r < 0) return r;
  char *path = orr__job_path(jobs, key, name);
  if (!path) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  r = orr__job_look(path, ret_status, &failure, reterr);
  if (r == 0 && ret_path) *ret_path = path;
  else free(path);
  return r;
}

int orr__job_poll_here(void *self, const char *key, const char *name, orr__job_status *ret_status, orr_error *reterr) {
  orr__jobs *jobs = self;
  return look(jobs, key, name, ret_status, NULL, reterr);
}

int orr__job_cancel_here(void *self, const char *key, const char *name, orr_error *reterr) {
  orr__jobs *jobs = self;
  orr__job_status status;
  char *path = NULL, *file = NULL;
  int r = look(jobs, key, name, &status, &path, reterr);
  if (r < 0) return r;
  if (status.state != ORR_JOB_STARTING && status.state != ORR_JOB_RUNNING) goto done;
  file = orr__job_file(path, ORR_JOB_CANCEL);
  if (!file) {
    r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    goto done;
  }
  int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) r = orr__error_errno(reterr, ORR_E_IO, errno, "%s", file);
  else close(fd);
done:
  free(file);
  free(path);
  return r;
}

static void free_names(char **names) {
  for (size_t i = 0; names && names[i]; i++) free(names[i]);
  free(names);
}

int orr__job_keys_here(void *self, void (*each)(void *arg, const char *key), void *arg, orr_error *reterr) {
  orr__jobs *jobs = self;
  DIR *dir = opendir(jobs->dir);
  if (!dir) return errno == ENOENT ? 0 : orr__error_errno(reterr, ORR_E_IO, errno, "%s", jobs->dir);
  for (struct dirent *entry; (entry = readdir(dir));)
    if (orr__job_check_names(entry->d_name, "any", NULL) == 0) each(arg, entry->d_name);
  closedir(dir);
  return 0;
}

int orr__job_list_here(void *self, const char *key, char ***ret_names, orr_error *reterr) {
  orr__jobs *jobs = self;
  size_t len = 0;
  DIR *dir = NULL;
  int r = orr__job_check_names(key, "any", reterr);
  if (r < 0) return r;
  char *path = orr__job_path(jobs, key, NULL);
  char **names = calloc(1, sizeof *names);
  if (!path || !names) goto out_of_memory;
  dir = opendir(path);
  if (!dir && errno != ENOENT) {
    r = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
    goto done;
  }
  for (struct dirent *entry; dir && len < NAMES_MAX && (entry = readdir(dir));) {
    if (orr__job_check_names(key, entry->d_name, NULL) < 0) continue;
    char **more = realloc(names, (len + 2) * sizeof *names);
    if (!more) goto out_of_memory;
    names = more;
    names[len + 1] = NULL;
    names[len] = orr__strdup(entry->d_name);
    if (!names[len++]) goto out_of_memory;
  }
  *ret_names = names;
  names = NULL;
  goto done;
out_of_memory:
  r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
done:
  if (dir) closedir(dir);
  free_names(names);
  free(path);
  return r;
}

/* A job directory is flat. */
static int remove_dir(const char *path, orr_error *reterr) {
  DIR *dir = opendir(path);
  int r = dir ? 0 : errno;
  for (struct dirent *entry; dir && r == 0 && (entry = readdir(dir));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT) r = errno;
  }
  if (dir) closedir(dir);
  if (r == 0 && rmdir(path) < 0) r = errno;
  return r == 0 || r == ENOENT ? 0 : orr__error_errno(reterr, ORR_E_IO, r, "%s", path);
}

int orr__job_remove_here(void *self, const char *key, orr_error *reterr) {
  orr__jobs *jobs = self;
  char **names = NULL, *path = NULL;
  int r = orr__job_list_here(jobs, key, &names, reterr);
  for (size_t i = 0; r == 0 && names[i]; i++) {
    orr__job_status status;
    r = look(jobs, key, names[i], &status, NULL, reterr);
    if (r == 0 && (status.state == ORR_JOB_STARTING || status.state == ORR_JOB_RUNNING))
      r = orr__error_set(reterr, ORR_E_REFUSED, "the job %s of %s is running: cancel it first", names[i], key);
  }
  for (size_t i = 0; r == 0 && names[i]; i++) {
    path = orr__job_path(jobs, key, names[i]);
    r = path ? remove_dir(path, reterr) : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    free(path);
  }
  if (r == 0) {
    path = orr__job_path(jobs, key, NULL);
    if (!path) r = orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    else if (rmdir(path) < 0 && errno != ENOENT) r = orr__error_errno(reterr, ORR_E_IO, errno, "%s", path);
    free(path);
  }
  free_names(names);
  return r;
}
